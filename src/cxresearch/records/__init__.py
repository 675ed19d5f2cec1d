"""From the raw tables to records: every contact graded, every customer under follow-up, every row accounted for.

::

    sources     files, tables, queries            retention    who stayed, who left
    postgres    what a server answers             setaside     rows that are not used
    contracts   which columns, and what is wrong  accounting   every row counted
    log         the contacts, as written          facts        what else is worth knowing
    moments     how they are graded               records      both tables joined
    facets      what else they tell
    happenings  dated events
"""
