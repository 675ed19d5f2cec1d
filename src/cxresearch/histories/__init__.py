"""What a customer had lived through before a day: one small function per history, grouped by what it looks at.

A history is data plus three small things. ``updates`` gives the ticks at which its running columns change. ``fold``
gives how those accumulate along a customer. ``code`` turns the running columns into a level. Nothing here knows an
engine, a file or the origin of a clock.

    base      what a history is, clocks, the order of events within a day
    counts    how many moments, so far or lately
    recency   the first and the last moment or contact, and how long ago they were
    scores    the worst, the mean and the last score
    shares    of moments of a kind among those graded
    lookback  histories of the last so many days instead of since the start
    problems  whether they are solved, how fast, and what followed
    household what others of the household lived through
    timeline  the walk along all customers, on days or contacts
"""

from cxresearch.histories.base import History, Past, RunningColumns
from cxresearch.histories.counts import (
    bad_count,
    contact_count,
    contacts_before,
    contacts_within,
    grade_count,
    moment_count,
)
from cxresearch.histories.household import household_bad, household_exits
from cxresearch.histories.problems import (
    bad_then_good,
    first_problem,
    had_gesture,
    has_posted,
    informed_before_problem,
    problem_severity,
    problem_state,
)
from cxresearch.histories.recency import (
    age_of_last,
    age_since,
    first_bad,
    first_contact,
    gap_before,
    last_grade,
    last_grade_and_age,
)
from cxresearch.histories.scores import last_score, mean_score, worst_score
from cxresearch.histories.shares import graded_share, made_good_share, problem_share

__all__ = [
    "History",
    "Past",
    "RunningColumns",
    "age_of_last",
    "age_since",
    "bad_count",
    "bad_then_good",
    "contact_count",
    "contacts_before",
    "contacts_within",
    "first_bad",
    "first_contact",
    "first_problem",
    "gap_before",
    "grade_count",
    "graded_share",
    "had_gesture",
    "has_posted",
    "household_bad",
    "household_exits",
    "informed_before_problem",
    "last_grade",
    "last_grade_and_age",
    "last_score",
    "made_good_share",
    "mean_score",
    "moment_count",
    "problem_severity",
    "problem_share",
    "problem_state",
    "worst_score",
]
