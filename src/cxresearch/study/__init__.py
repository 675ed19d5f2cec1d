"""The study file: what a company's two tables are called, what its words mean, and the SQL in it.

::

    settings  what a study says, frozen           rules     conditions on a row
    strict    keys that are not known             queries   whole tables by SQL
    checks    values that make no sense           sql       what both are read with
    file      from TOML to a study                times     times written as text
    variants  other definitions to try
"""

from cxresearch.study.load import read_study, study_from
from cxresearch.study.settings import (
    LEVELS_OF_SERVICE,
    Format,
    Interactions,
    Retention,
    Study,
    Table,
)

__all__ = [
    "LEVELS_OF_SERVICE",
    "Format",
    "Interactions",
    "Retention",
    "Study",
    "Table",
    "read_study",
    "study_from",
]
