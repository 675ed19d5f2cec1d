"""From the raw tables to records: every contact graded, every customer under follow-up, every row accounted for.

::

    sources             opens files, tables and queries     dated_events  events that have a time of their own
    postgres            queries a PostgreSQL server         follow_up     who stayed, who left, and when
    address             the address of such a server        rejections    the rows that are not used
    contracts           columns and faults of both tables   audit         every row counted
    contacts            the contacts and their grades       records       both tables joined
    contact_attributes  what else is known of a contact
    files               text, workbooks, JSON, Arrow      unpack        packed files
    encodings           how a text is encoded             unreadable    times that cannot be read
    numbers_in_text     which columns hold numbers
"""
