"""From notebooks to pages: parameters are checked, notebooks run, and their output becomes offline files and a record.

::

    pages/show, publishable          what a notebook calls, and what of a docket a page may show
    pages/text                       numbers, dates and verdicts in words
    pages/cards, overview, interval_bar  the first screen
    pages/claim_page, segments_page  the readings behind a verdict; verdicts in each segment
    pages/provenance                 the audit, and what made the page
    pages/html, content_security         an executed notebook to one offline file
    pages/site, changes, verdict_history  the index, what has changed, each claim over the runs
    pages/stale                      the notice on a page that could not be remade
    runs/run                         a run, from the study to the pages
    runs/jobs                        which pages, and the parameters of their notebooks
    runs/lock                        one run at a time, and how one is stopped
    runs/kernel                      notebooks executed by papermill, without secrets in their output
    runs/build, commit_files         from executed notebooks to files that appear together
    runs/manifest                    the pages in a folder, and whether they are up to date
    runs/ledger                      the results of every run, kept
    runs/pdf                         a page on paper
"""

from cxresearch.utils.slow_imports import import_jsonschema

import_jsonschema()  # before nbformat does
