"""From numbers to verdicts: claims are data, and everything that decides them is here.

::

    validation        checks that entries share          tables           what a reading needs counted
    readings          what all readings have             compute          the number of each kind of reading
    kinds             the nine kinds of readings         compute_models   of those that rest on a hazard model
    context           what readings share                adjusted_model   what a model holds equal
    decide            from an interval to a verdict      rivals           what else would explain a number
    rival_descriptions  what rivals mean                 rival_results    what came of them
    schema            a claim and its sentences          adjust           what other numbers make of a verdict
    catalogue_loader  from TOML to claims                evaluate         all claims on a study
    requirements      what a study lacks for a claim     results          evidence, trials, dockets
    phrases, units    sentences as values, numbers       sentences        a verdict in words
    verdict_table     verdicts as a compact table        missing_columns  which columns would open more
    observed_vs_expected  who left at each level, and who would have by chance
"""
