"""From notebooks to pages: parameters are checked, a notebook runs, what it shows becomes one offline file.

::

    parameters   what a notebook may be told        show         what a notebook calls
    run          papermill, then the page           words        numbers, dates and verdicts in words
    renderer     how a chart leaves the kernel      cards, strip the first screen
    page         notebook to one offline file       dossier      a section per claim
    site         the index of the pages             provenance   the audit, and what made the page
"""
