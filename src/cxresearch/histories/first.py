"""Histories of what came first: the first contact, and the first bad moment and when in the relation it came."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.errors import EstimationError
from cxresearch.histories.counts import grade_code
from cxresearch.histories.history import History, Past, Run
from cxresearch.histories.instants import graded_instant
from cxresearch.tables.moments import GRADES


def first_contact(grade: str = "bad") -> History:
    """Whether a customer's very first contact was of one grade; it stays what it was.

    Within one second the worse grade comes first.

    Args:
        grade: bad, neutral, good or unknown.

    Returns:
        The history with the levels ``none`` (no contact so far), the grade (``unknown grade`` for unknown), ``other``
        and, for customers whose beginnings the log does not show, ``unknown``.

    Raises:
        EstimationError: no such grade.
    """
    code = grade_code(grade)
    levels = ("none", "unknown grade" if grade == "unknown" else grade, "other", "unknown")

    def marks(past: Past) -> list[Frame]:
        first = past.moments.group_by("customer").agg(nw.col("tick").min(), first=graded_instant().min())
        same = nw.when(nw.col("first") % len(GRADES) == code).then(nw.lit(1)).otherwise(nw.lit(2))
        return [first.select("customer", "tick", first=same)]

    def level(run: Run) -> nw.Expr:
        return nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(run.column("first"))

    return History(f"first_contact({grade})", levels, ("second", "grade"), marks, {"first": "sum"}, level)


def first_bad(long_tenure_days: int = 365, fresh_days: int = 90) -> History:
    """Whether the *first* bad moment came early or late in the relation, and whether it is still fresh.

    Later bad moments do not change the state. It came late if the customer had been there for more than
    `long_tenure_days`; it is fresh while its age is at most `fresh_days`.

    Args:
        long_tenure_days: tenure, in days, up to which a first bad moment is early.
        fresh_days: age, in days, up to which it is fresh.

    Returns:
        The history with the levels ``none``, ``early, fresh``, ``early``, ``late, fresh``, ``late`` and, for customers
        whose beginnings the log does not show, ``unknown``.

    Raises:
        EstimationError: a number of days below one.
    """
    if long_tenure_days < 1 or fresh_days < 1:
        raise EstimationError(f"days must be at least 1, were {long_tenure_days} and {fresh_days}")
    bad = grade_code("bad")
    levels = ("none", "early, fresh", "early", "late, fresh", "late", "unknown")

    def marks(past: Past) -> list[Frame]:
        hits = past.moments.filter(nw.col("grade") == bad)
        first = hits.group_by("customer").agg(nw.col("tick").min(), nw.col("day").min())
        first = first.join(past.customers.select("customer", "entry"), on="customer")
        late = nw.when(nw.col("day") - nw.col("entry") > long_tenure_days).then(nw.lit(2)).otherwise(nw.lit(0))
        ages = past.clock.on(nw.col("day") + fresh_days)
        return [
            first.select("customer", "tick", came=late + 1, day=nw.col("day")),
            first.select("customer", ages.alias("tick"), aged=nw.lit(1)),
        ]

    def level(run: Run) -> nw.Expr:
        came = run.column("came")
        old = nw.when(run.day + 1 - run.column("day") > fresh_days).then(nw.lit(1)).otherwise(nw.lit(0))
        state = nw.when(came.is_null()).then(nw.lit(0)).otherwise(came + old)
        return nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(state)

    name = f"first_bad({long_tenure_days}, {fresh_days})"
    fold = {"came": "last", "day": "last", "aged": "sum"}
    return History(name, levels, ("grade",), marks, fold, level, (bad,))  # type: ignore[arg-type]
