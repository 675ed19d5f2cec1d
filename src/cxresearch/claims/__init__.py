"""From numbers to verdicts: claims are data, and everything that decides them is here.

::

    validation        checks that entries share          tables           what a reading needs counted
    readings          what all readings have             compute          the number of each kind of reading
    kinds             the nine kinds of readings         decide           from an interval to a verdict
    schema            a claim and its sentences          adjust           what other numbers make of a verdict
    catalogue_loader  from TOML to claims                evaluate         all claims on a study
    requirements      what a study lacks for a claim     results          evidence, trials, dockets
    phrases, units    sentences as values, numbers       sentences        a verdict in words
    observed_vs_expected  who left at each level, and who would have by chance
"""
