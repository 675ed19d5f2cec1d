"""Which counts may be shown: those that are too small, and the others that would give them away.

::

    counts  single counts, and lists with a known total    tables  two-way tables with known totals
"""
