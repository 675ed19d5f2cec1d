"""The study file: what a company's two tables are called, what its words mean, and the SQL in it.

::

    settings    the settings of a study, frozen      sql         conditions on a row, and queries of whole tables
    load        from TOML to a study                 timestamps  times written as text
    validation  unknown keys, and contradictions         portable_sql  one meaning of a query on every engine
    sql_dialects  a checked query in the words of an engine   quoting  names as SQL writes them
"""

from cxresearch.study.load import check_names, default_state, folder_of, read_study, study_from
from cxresearch.study.settings import (
    LEVELS_OF_SERVICE,
    Customers,
    Format,
    Interactions,
    Retention,
    Source,
    Study,
    Table,
)

__all__ = [
    "LEVELS_OF_SERVICE",
    "Customers",
    "Format",
    "Interactions",
    "Retention",
    "Source",
    "Study",
    "Table",
    "check_names",
    "default_state",
    "folder_of",
    "read_study",
    "study_from",
]
