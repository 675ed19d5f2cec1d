"""What a customer had lived through before a day: one small function per history, grouped by how it folds.

A history is data plus three small things. ``marks`` says at which ticks its own columns change. ``fold`` says how those
run along a customer. ``code`` turns the running columns into a level. Nothing here knows an engine, a file or a clock's
origin.
"""

from cxresearch.histories.counts import bad_count, contact_count, contacts_within, grade_count
from cxresearch.histories.first import first_bad
from cxresearch.histories.history import History, Past, Run
from cxresearch.histories.latest import age_of_last, last_grade

__all__ = [
    "History",
    "Past",
    "Run",
    "age_of_last",
    "bad_count",
    "contact_count",
    "contacts_within",
    "first_bad",
    "grade_count",
    "last_grade",
]
