"""Histories of when something was: the latest moment, the first one, and how long ago."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.errors import EstimationError
from cxresearch.histories.base import (
    COLUMNS_OF_KIND,
    History,
    Past,
    Run,
    band,
    event_kind_code,
    events_of_kind,
    graded_instant,
)
from cxresearch.histories.counts import grade_code
from cxresearch.records.contacts import GRADES


def last_grade() -> History:
    """The grade of the last contact so far: none, bad, neutral, good or unknown.

    Within one second the worse grade comes first, so the better one is last. A customer whose beginnings the log does
    not show is ``unknown`` until the first contact seen.
    """
    levels = ("none", *GRADES)

    def updates(past: Past) -> list[Frame]:
        # order and grade in one integer: the last contact is a maximum, and ties need no rule
        return [past.moments.select("customer", "tick", last=graded_instant())]

    def level(run: Run) -> nw.Expr:
        last = run.column("last")
        none = nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        return nw.when(last.is_null()).then(none).otherwise(last % len(GRADES) + 1)

    return History("last_grade()", levels, ("second", "grade"), updates, {"last": "last"}, level)


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

    def updates(past: Past) -> list[Frame]:
        first = past.moments.group_by("customer").agg(
            nw.col("tick").min(), first=graded_instant().min()
        )
        same = nw.when(nw.col("first") % len(GRADES) == code).then(nw.lit(1)).otherwise(nw.lit(2))
        return [first.select("customer", "tick", first=same)]

    def level(run: Run) -> nw.Expr:
        return (
            nw.when(run.left_truncated == 1)
            .then(nw.lit(len(levels) - 1))
            .otherwise(run.column("first"))
        )

    return History(
        f"first_contact({grade})", levels, ("second", "grade"), updates, {"first": "sum"}, level
    )


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

    def updates(past: Past) -> list[Frame]:
        hits = past.moments.filter(nw.col("grade") == bad)
        first = hits.group_by("customer").agg(nw.col("tick").min(), nw.col("day").min())
        first = first.join(past.customers.select("customer", "entry"), on="customer")
        late = (
            nw.when(nw.col("day") - nw.col("entry") > long_tenure_days)
            .then(nw.lit(2))
            .otherwise(nw.lit(0))
        )
        ages = past.clock.on(nw.col("day") + fresh_days)
        return [
            first.select("customer", "tick", came=late + 1, day=nw.col("day")),
            first.select("customer", ages.alias("tick"), aged=nw.lit(1)),
        ]

    def level(run: Run) -> nw.Expr:
        came = run.column("came")
        old = (
            nw.when(run.day + 1 - run.column("day") > fresh_days)
            .then(nw.lit(1))
            .otherwise(nw.lit(0))
        )
        state = nw.when(came.is_null()).then(nw.lit(0)).otherwise(came + old)
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(state)

    name = f"first_bad({long_tenure_days}, {fresh_days})"
    fold = {"came": "last", "day": "last", "aged": "sum"}
    return History(name, levels, ("grade",), updates, fold, level, (bad,))  # type: ignore[arg-type]


def age_of_last(grade: str = "bad", edges: tuple[int, ...] = (30, 90, 365)) -> History:
    """How many days ago the last moment of a grade was, in bands.

    On day d a moment of day t has the age d - t. Ages count from the moment, whatever the blackout.

    Args:
        grade: bad, neutral, good or unknown; ``any`` for the last contact of any grade.
        edges: the last day of each band; (30, 90, 365) gives 0-30, 31-90, 91-365, 366+.

    Returns:
        The history; ``none`` before the first such moment, ``unknown`` if the log does not show a customer's beginnings
        and no such moment has been seen since.

    Raises:
        EstimationError: no such grade, or edges that do not rise.
    """
    code = None if grade == "any" else grade_code(grade)

    def hits(past: Past) -> Frame:
        return past.moments if code is None else past.moments.filter(nw.col("grade") == code)

    name = f"age_of_last({grade}, {list(edges)})"
    return _age(
        name, edges, hits, () if code is None else ("grade",), None if code is None else (code,)
    )


def age_since(event: str, edges: tuple[int, ...] = (30, 90, 365)) -> History:
    """How many days ago the last dated event of a kind was, in bands; else as `age_of_last`.

    Args:
        event: problem, resolved, goodwill, complaint or post.
        edges: the last day of each band; (30, 90, 365) gives 0-30, 31-90, 91-365, 366+.

    Returns:
        The history; ``none`` before the first such event, ``unknown`` if the log does not show a customer's
        beginnings and no such event has been seen since.

    Raises:
        EstimationError: no such kind of event, or edges that do not rise.
    """
    event_kind_code(event)
    name = f"age_since({event}, {list(edges)})"
    return _age(name, edges, lambda past: events_of_kind(past, event), COLUMNS_OF_KIND[event], ())


def _age(
    name: str,
    edges: tuple[int, ...],
    hits: Callable[[Past], Frame],
    required_columns: tuple[str, ...],
    grades: tuple[int, ...] | None,
) -> History:
    if not edges or edges[0] < 1 or any(b <= a for a, b in pairwise(edges)):
        raise EstimationError(
            f"edges must rise and be at least 1, such as (30, 90, 365), were {edges}"
        )
    starts = (0, *(e + 1 for e in edges))
    names = tuple(f"{a}-{b}" for a, b in zip(starts, edges, strict=False))
    levels = ("none", *names, f"{edges[-1] + 1}+", "unknown")

    def updates(past: Past) -> list[Frame]:
        result = hits(past)
        ageing = [
            result.select(
                "customer", past.clock.on(nw.col("day") + e).alias("tick"), aged=nw.lit(1)
            )
            for e in edges
        ]
        return [result.select("customer", "tick", last=nw.col("day").cast(nw.Int64)), *ageing]

    def level(run: Run) -> nw.Expr:
        last = run.column("last")
        age = run.day + 1 - last
        none = nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        return (
            nw.when(last.is_null()).then(none).otherwise(1 + band(age, tuple(e + 1 for e in edges)))
        )

    return History(
        name, levels, required_columns, updates, {"last": "last", "aged": "sum"}, level, grades
    )
