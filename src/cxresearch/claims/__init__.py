"""From numbers to verdicts: claims are data, and everything that decides them is here.

::

    grammar    the parts of an entry              counting     what a reading needs counted, as data
    entry      a claim and its readings           store        tables, counted once, kept between runs
    checking   whether an entry makes sense       bench        what a trial works with
    keys       which keys a kind of reading has   shapes       the number of a reading
    named      histories by name                  shares       numbers that are shares
    terms      models and contrasts               gates        events enough
    aims       regions and smallest effects       verdict      from an interval to a verdict
    wording    what sentences may name            judgement    in the light of the other readings
    claim      parsing; the catalogue             evidence     what a trial finds; trials; dockets
    lacking    what a study lacks                 numbers      how a number is written
    listing    which claims can be tried          sentence     a verdict in words
    docket     all claims on trial                behind       what stands behind a verdict
    phrases    sentences and their values
"""
