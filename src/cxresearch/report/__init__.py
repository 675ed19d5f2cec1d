"""From notebooks to pages: parameters are checked, notebooks run, what they show becomes offline files and a record.

::

    run          the way of a run, from the study to the pages
    parameters, plan          which pages, and what their notebooks are told
    lock, stopping            one run at a time, and how one is stopped
    unchanged                 whether a page would come out as it is
    kernel, redaction         papermill, without a trace of secrets
    show, publishable         what a notebook calls, and what of a docket a page may tell
    words                     numbers, dates and verdicts in words
    cards, overview, strip    the first screen
    dossier                   what stands behind a verdict
    provenance                the audit, and what made the page
    making, page, sheet, policy, marks  an executed notebook to one offline file
    site, changes, trace      the index, what has changed, each claim over the runs
    ledger                    every look at a claim, kept
    issue, stale, shelf       what a run leaves: pages, marks, what lies in a folder
    publish, whole            files that appear together, and whole
    pdf                       a page on paper
"""
