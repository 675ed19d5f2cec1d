"""From notebooks to pages: parameters are checked, a notebook runs, what it shows becomes one offline file.

::

    parameters   what a notebook may be told        show         what a notebook calls
    run          papermill, then the page           words        numbers, dates and verdicts in words
    page         notebook to one offline file       cards, strip the first screen
    site         the index of the pages             dossier      what stands behind a verdict
                                                    provenance   the audit, and what made the page
"""
