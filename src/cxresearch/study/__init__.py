"""The study file: what a company's two tables are called, what its words mean, and the SQL in it.

file      a study, frozen                     rules     conditions on a row
strict    keys that are not known             queries   whole tables by SQL
checks    what they may say                   sql       what both are read with
times     times written as text               variants  other definitions to try
"""

from cxresearch.study.file import read_study, study_from
from cxresearch.study.settings import LEVELS_OF_SERVICE, Format, Interactions, Retention, Study, Table

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
