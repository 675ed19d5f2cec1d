"""Histories of when something was: the latest moment, the first one, and how long ago."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.engines.windows import Fold
from cxresearch.errors import EstimationError
from cxresearch.histories.base import (
    COLUMNS_OF_KIND,
    DAY,
    ContactClock,
    History,
    Past,
    RunningColumns,
    band,
    event_kind_code,
    events_of_kind,
    graded_instant,
)
from cxresearch.histories.counts import grade_code, wanted_values
from cxresearch.records.contacts import GRADES
from cxresearch.utils.checks import arguments

MONTH = 30  # days


def last_grade() -> History:
    """The grade of the last contact so far: none, bad, neutral, good or unknown.

    Within one second the worse grade comes first, so the better one is last. A customer whose beginnings the log does
    not show is ``unknown`` until the first contact seen.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.last_grade()
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 4, 'bad'), (4, 6, 'good'), (6, 9, 'bad')]
    """
    levels = ("none", *GRADES)

    def updates(past: Past) -> list[Frame]:
        # order and grade in one integer: the last contact is a maximum, and ties need no rule
        return [past.graded.select("customer", "tick", last=graded_instant())]

    def level(run: RunningColumns) -> nw.Expr:
        last = run.column("last")
        none = nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        return nw.when(last.is_null()).then(none).otherwise(last % len(GRADES) + 1)

    return History(
        name="last_grade()",
        levels=levels,
        required_columns=("second", "grade"),
        updates=updates,
        fold={"last": "last"},
        code=level,
    )


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

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.first_contact("bad")
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 9, 'bad')]
    """
    arguments(grade=grade)
    code = grade_code(grade)
    levels = ("none", "unknown grade" if grade == "unknown" else grade, "other", "unknown")

    def updates(past: Past) -> list[Frame]:
        first = past.graded.group_by("customer").agg(
            nw.col("tick").min(), first=graded_instant().min()
        )
        same = nw.when(nw.col("first") % len(GRADES) == code).then(nw.lit(1)).otherwise(nw.lit(2))
        return [first.select("customer", "tick", first=same)]

    def level(run: RunningColumns) -> nw.Expr:
        return (
            nw.when(run.left_truncated == 1)
            .then(nw.lit(len(levels) - 1))
            .otherwise(run.column("first"))
        )

    return History(
        name=f"first_contact({grade})",
        levels=levels,
        required_columns=("second", "grade"),
        updates=updates,
        fold={"first": "sum"},
        code=level,
        needs_start=True,
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

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.first_bad(long_tenure_days=5, fresh_days=2)
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 3, 'early, fresh'), (3, 9, 'early')]
    """
    arguments(long_tenure_days=long_tenure_days, fresh_days=fresh_days)
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

    def level(run: RunningColumns) -> nw.Expr:
        came = run.column("came")
        old = (
            nw.when(run.day + 1 - run.column("day") > fresh_days)
            .then(nw.lit(1))
            .otherwise(nw.lit(0))
        )
        state = nw.when(came.is_null()).then(nw.lit(0)).otherwise(came + old)
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(state)

    name = f"first_bad({long_tenure_days}, {fresh_days})"
    fold: dict[str, Fold] = {"came": "last", "day": "last", "aged": "sum"}
    return History(
        name=name,
        levels=levels,
        required_columns=("grade",),
        updates=updates,
        fold=fold,
        code=level,
        needs_start=True,
        grades=(bad,),
    )


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

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.age_of_last("bad", (2,))
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 3, '0-2'), (3, 6, '3+'), (6, 8, '0-2'), (8, 9, '3+')]
    """
    arguments(grade=grade, edges=edges)
    code = None if grade == "any" else grade_code(grade)

    def hits(past: Past) -> Frame:
        return past.moments if code is None else past.graded.filter(nw.col("grade") == code)

    name = f"age_of_last({grade}, {list(edges)})"
    return _age(
        name, edges, hits, () if code is None else ("grade",), None if code is None else (code,)
    )


def moment_age(
    days: int,
    grade: str | None = None,
    attended: bool | None = None,
    is_problem: bool | None = None,
    handoff: bool | None = None,
    respect: str | None = None,
    solutions: str | None = None,
    simplicity: str | None = None,
    responsibility: str | None = None,
) -> History:
    """Whether the last moment of a kind is up to some days old: ``none``, ``0-days``, older, or ``unknown``.

    Args:
        days: an age.
        grade: as `moment_count`, and so are the others.
        attended: see there.
        is_problem: see there.
        handoff: see there.
        respect: see there.
        solutions: see there.
        simplicity: see there.
        responsibility: see there.

    Raises:
        ArgumentError, EstimationError: as `moment_count`.
    """
    wanted = wanted_values(
        {
            "grade": grade,
            "attended": attended,
            "is_problem": is_problem,
            "handoff": handoff,
            "respect": respect,
            "solutions": solutions,
            "simplicity": simplicity,
            "responsibility": responsibility,
        }
    )

    def hits(past: Past) -> Frame:
        x = past.graded
        for column, value in wanted.items():
            x = x.filter(nw.col(column) == value)
        return x

    kind = ", ".join(f"{name} {value}" for name, value in sorted(wanted.items()))
    grades = (wanted["grade"],) if "grade" in wanted else None
    return _age(f"moment_age({days}, {kind})", (days,), hits, tuple(wanted), grades)


def active_age(edges: tuple[int, ...]) -> History:
    """How many days ago the last contact was that keeps a customer active, in bands; else as `age_of_last`.

    Args:
        edges: the last day of each band.

    Raises:
        EstimationError: edges that do not rise.
    """
    return _age(
        f"active_age({list(edges)})",
        tuple(edges),
        lambda past: past.moments.filter(nw.col("active") == 1),
        (),
        None,
    )


def gap_before(edges: tuple[int, ...] = (7, 30, 60, 90)) -> History:
    """How many days lie between the last day with a contact and the one before it, in bands.

    Args:
        edges: the last day of each band; (7, 30) gives 0-7, 8-30, 31+.

    Returns:
        The history; ``none`` before the second day with a contact, ``unknown`` in its place if the log does not show a
        customer's beginnings.

    Raises:
        EstimationError: edges that do not rise.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.gap_before((2,))
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 4, 'none'), (4, 6, '3+'), (6, 9, '0-2')]
    """
    arguments(edges=edges)
    levels = ("none", *_age_names(tuple(edges)), "unknown")

    def updates(past: Past) -> list[Frame]:
        x = past.moments.with_columns(cx_before=past.along.shift("day", 1))
        x = x.filter(nw.col("day") > nw.col("cx_before"))
        gap = (nw.col("day") - nw.col("cx_before")).cast(nw.Int64)
        return [x.select("customer", "tick", gap=gap)]

    def level(run: RunningColumns) -> nw.Expr:
        gap = run.column("gap")
        none = nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        seen = 1 + band(gap, tuple(e + 1 for e in edges))
        return nw.when(gap.is_null()).then(none).otherwise(seen)

    return History(
        name=f"gap_before({list(edges)})",
        levels=levels,
        required_columns=(),
        updates=updates,
        fold={"gap": "last"},
        code=level,
    )


def last_grade_and_age(edges: tuple[int, ...] = (30, 180)) -> History:
    """The grade of the last contact and how many days ago it was, in bands.

    Grades and the order within a second are those of `last_grade`, ages those of `age_of_last`.

    Args:
        edges: the last day of each band; (30, 180) gives 0-30, 31-180, 181+.

    Returns:
        The history with the levels ``none``, each grade with each band, such as ``bad, 0-30``, and, until the first
        contact seen of a customer whose beginnings the log does not show, ``unknown``.

    Raises:
        EstimationError: edges that do not rise.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.last_grade_and_age((3,))
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 4, 'bad, 0-3'), (4, 6, 'good, 0-3'), (6, 9, 'bad, 0-3')]
    """
    arguments(edges=edges)
    names = _age_names(tuple(edges))
    bands = len(names)
    levels = ("none", *(f"{g}, {name}" for g in GRADES for name in names), "unknown")

    def updates(past: Past) -> list[Frame]:
        own = past.graded
        ageing = [
            own.select("customer", past.clock.on(nw.col("day") + e).alias("tick"), aged=nw.lit(1))
            for e in edges
        ]
        return [own.select("customer", "tick", last=graded_instant()), *ageing]

    def level(run: RunningColumns) -> nw.Expr:
        last = run.column("last")
        grade = last % len(GRADES)
        second = (last - grade) // len(GRADES)
        age = run.day + 1 - (second - second % DAY) // DAY
        none = nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        place = 1 + grade * bands + band(age, tuple(e + 1 for e in edges))
        return nw.when(last.is_null()).then(none).otherwise(place)

    return History(
        name=f"last_grade_and_age({list(edges)})",
        levels=levels,
        required_columns=("second", "grade"),
        updates=updates,
        fold={"last": "last", "aged": "sum"},
        code=level,
    )


def calendar_month(first: int, months: int) -> History:
    """The 30-day month of the calendar, counted from a day; on the contact clock, that of the contact.

    It is that of the day at risk, whatever the blackout, and not to be set back.

    Args:
        first: the day on which month 0 begins; earlier days belong to it.
        months: how many are distinguished; later days belong to the last one.

    Returns:
        The history; its levels are ``0`` to the number of months less one.
    """

    def month(day: nw.Expr) -> nw.Expr:
        since = day.cast(nw.Int64) - first
        number = (since - since % MONTH) // MONTH
        return nw.max_horizontal(nw.min_horizontal(number, nw.lit(months - 1)), nw.lit(0))

    def updates(past: Past) -> list[Frame]:
        if isinstance(past.clock, ContactClock):
            # from before the contacts of the day on: the calendar knows no blackout
            today = past.clock.on(nw.col("day")).alias("tick")
            return [past.moments.select("customer", today, month=month(nw.col("day")))]
        who = past.customers
        born = who.select(
            "customer",
            past.clock.on(nw.col("entry")).alias("tick"),
            month=month(nw.col("entry") + 1),
        )
        later = []
        for k in range(1, months):
            turn = first + k * MONTH
            there = who.filter((nw.col("entry") + 1 < turn) & (nw.col("exit") >= turn))
            tick = past.clock.on(nw.lit(turn - 1))
            later.append(there.select("customer", tick.alias("tick"), month=nw.lit(k)))
        return [born, *later]

    def level(run: RunningColumns) -> nw.Expr:
        return nw.when(run.column("month").is_null()).then(nw.lit(0)).otherwise(run.column("month"))

    return History(
        name=f"calendar_month({first}, {months})",
        levels=tuple(map(str, range(months))),
        required_columns=(),
        updates=updates,
        fold={"month": "last"},
        code=level,
        grades=(),
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

    Example:
        >>> from datetime import date
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> contact = {"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]}
        >>> log = pl.DataFrame(contact | {"complained_at": ["2024-01-04 15:00"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-01-10"]})
        >>> window = {"log_from": date(2024, 1, 1), "log_until": date(2024, 1, 10)}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.age_since("complaint", (2,))
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 3, 'none'), (3, 5, '0-2'), (5, 9, '3+')]
    """
    arguments(event=event, edges=edges)
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
    levels = ("none", *_age_names(edges), "unknown")

    def updates(past: Past) -> list[Frame]:
        result = hits(past)
        ageing = [
            result.select(
                "customer", past.clock.on(nw.col("day") + e).alias("tick"), aged=nw.lit(1)
            )
            for e in edges
        ]
        return [result.select("customer", "tick", last=nw.col("day").cast(nw.Int64)), *ageing]

    def level(run: RunningColumns) -> nw.Expr:
        last = run.column("last")
        age = run.day + 1 - last
        none = nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        return (
            nw.when(last.is_null()).then(none).otherwise(1 + band(age, tuple(e + 1 for e in edges)))
        )

    return History(
        name=name,
        levels=levels,
        required_columns=required_columns,
        updates=updates,
        fold={"last": "last", "aged": "sum"},
        code=level,
        grades=grades,
    )


def _age_names(edges: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the bands of an age: (30, 90) gives 0-30, 31-90, 91+.

    Raises:
        EstimationError: the edges do not rise from 1 on.
    """
    if not edges or edges[0] < 1 or any(b <= a for a, b in pairwise(edges)):
        raise EstimationError(
            f"edges must rise and be at least 1, such as (30, 90, 365), were {edges}"
        )
    starts = (0, *(e + 1 for e in edges))
    return (*(f"{a}-{b}" for a, b in zip(starts, edges, strict=False)), f"{edges[-1] + 1}+")
