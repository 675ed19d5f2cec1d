"""From the raw tables to records: every contact graded, every customer under follow-up, every row accounted for.

::

    sources             opens files, tables and queries     follow_up      who stayed, who left, and when
    postgres            queries a PostgreSQL server         rejections     the rows that are not used
    address             the address of such a server        audit          every row counted
    contracts           columns and faults of both tables   audit_values   counts, shares and days of an audit
    contacts            the contacts and their grades       survey         what one pass over the log counts
    contact_attributes  what else is known of a contact     dense_window   the log without stray dates
    dated_events        events with a time of their own     warnings       what makes numbers doubtful
    records             both tables joined                  find_warnings  where it is found
    files               text, workbooks, JSON, Arrow        unpack         packed files
    encodings           how a text is encoded               unreadable     times that cannot be read
    numbers_in_text     which columns hold numbers          log_window     the days that the log covers
    restrict            records of one segment              lapses         which silence is a lapse
    redefine            another definition of bad       lapsed         who lapsed, and who came back
    match               the customer of each contact    active_table   what keeps customers active
    customer_table      of a shop's customers           digest         what was known until a day
    nearby              few records, in memory          regrade        the same contacts, graded otherwise
    fingerprint         of the data                         number_columns the columns of scores
    damaged             Parquet files with flipped bytes
"""
