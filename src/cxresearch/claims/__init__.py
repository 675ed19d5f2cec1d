"""From numbers to verdicts: claims are data, and everything that decides them is here.

::

    validation          checks that entries share         tables           what a reading needs counted
    table_specs         the same, as data                 compute_gaps     within each customer
    readings            what all readings have            compute          the number of each kind of reading
    kinds               the nine kinds of readings        compute_models   of those that rest on a hazard model
    schema              a claim and its sentences         adjusted_model   what a model holds equal
    catalogue_loader    from TOML to claims               context          what readings share
    testability         what a study lacks for a claim    compute_incidence  of incidences and excesses
    decide              from an interval to a verdict     observed_vs_expected  who left, and who would have
    rivals/             rival explanations: what they are, what came of them, what they leave of a verdict
    verdict_corrections what other readings and claims make of it
    trial               one claim on a study
    units, phrases      numbers and sentences as values   evaluate         all claims on a study
    sentences           a verdict in words                results          of readings, trials, dockets
    verdict_table       verdicts as a compact table       missing_columns  which columns would open more
    level_words         levels in plain words             evaluate_by      all claims on each segment
    evaluate_change     claims before and after a change    kept_trials     trials kept between runs
    family              the claims that are judged together, whichever are asked for
    definitions         others might define otherwise       specification_curve  the number under each of them
    looks               looks at growing data             look_state       what they have fixed and seen
    specification_results  what that gives                  kept_plans      how much data would decide
"""
