"""Work that any part needs and none is about: files, threads, secrets, checks of arguments, what all results share.

::

    result, html_tables              what all results have in common, and how they look in JupyterLab
    checks, names_in_words           of arguments; names of programs in the words of readers
    atomic, outputs, spreadsheets    files written completely or not at all; CSV and workbooks
    redaction, trust, limits         secrets hidden; what a study folder may do; limits of time and memory
    threads, engine_names, bundled   thread pools; names of engines; files that ship with the package
    slow_imports, notebook_progress  what takes long to import waits until it is used; a line of progress in notebooks
"""
