"""Shares of graded moments, or of problems, so far: what a customer is prone to, as far as it shows."""

from __future__ import annotations

from functools import reduce
from operator import and_

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.errors import EstimationError, nearest
from cxresearch.histories.base import History, Past, RunningColumns, band, events_of_kind
from cxresearch.histories.counts import EXPECTATIONS_OF, grade_code, wanted_values
from cxresearch.histories.problems import seconds_of, with_end
from cxresearch.records.contacts import BAD, GOOD, GRADES
from cxresearch.utils.checks import arguments, optional

_EXACT = 8
_BANDS = (
    9,
    13,
    21,
    41,
    81,
)  # numbers of moments beyond, in which shares are distinguished by tenths
_MIDDLES = (10.5, 16.0, 29.0, 57.0, 120.0)
_FIRST_BAND = (_EXACT + 1) * (_EXACT + 2) // 2
_SHARES = (
    *((n, a) for n in range(_EXACT + 1) for a in range(n + 1)),
    *((n, n * (tenth + 0.5) / 10) for n in _MIDDLES for tenth in range(10)),
)
_LEVELS = (*(f"{a:g}/{n:g}" for n, a in _SHARES), "unknown")


def graded_share(
    grade: str | None = None,
    among: tuple[str, ...] | None = None,
    attended: bool | None = None,
    is_problem: bool | None = None,
    handoff: bool | None = None,
    respect: str | None = None,
    solutions: str | None = None,
    simplicity: str | None = None,
    responsibility: str | None = None,
    within_kind: bool = False,
) -> History:
    """How many of the graded moments so far were of a kind: what a customer is inclined to, as far as it shows.

    Args:
        grade: bad, neutral, good or unknown; of the kind.
        among: grades that count at all; all but unknown when not given.
        attended: as `moment_count`, of the kind.
        is_problem: as `moment_count`.
        handoff: as `moment_count`.
        respect: as `moment_count`; moments without a score for it do not count at all.
        solutions: see `respect`.
        simplicity: see `respect`.
        responsibility: see `respect`.
        within_kind: whether only moments that are otherwise of the kind count at all: of those with a problem, how many
            were bad.

    Returns:
        The history. Its levels are numbers such as ``2/5``: two of five. Up to eight moments they are exact; beyond,
        they stand for bands of the number and tenths of the share. ``unknown`` for customers whose beginnings the log
        does not show.

    Raises:
        EstimationError: nothing is asked for or counts, no such grade, or something else than true, false, kept or
            failed; `within_kind` without a grade and something else.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.graded_share("bad")
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, '0/0'), (1, 4, '1/1'), (4, 6, '1/2'), (6, 9, '2/3')]
    """
    arguments(within_kind=within_kind)
    optional(grade=grade, among=among)
    given = {
        "grade": grade, "attended": attended, "is_problem": is_problem, "handoff": handoff, "respect": respect,
        "solutions": solutions, "simplicity": simplicity, "responsibility": responsibility,
    }  # fmt: skip
    wanted = wanted_values(given)
    if not wanted:
        raise EstimationError("a share needs something to count, such as grade = 'bad'")
    counted = tuple(grade_code(g) for g in (GRADES[:-1] if among is None else among))
    if not counted:
        raise EstimationError("among must name a grade at least, such as ('bad', 'good')")
    if within_kind and ("grade" not in wanted or len(wanted) == 1):
        raise EstimationError(
            "a share within a kind needs a grade and a kind, such as is_problem = true"
        )
    known = tuple(name for name in wanted if name in EXPECTATIONS_OF)

    def updates(past: Past) -> list[Frame]:
        every = past.graded.filter(nw.col("grade").is_in(list(counted)))
        for column in known:
            every = every.filter(nw.col(column) >= 0)
        if within_kind:
            others = (nw.col(c) == value for c, value in wanted.items() if c != "grade")
            every = every.filter(reduce(and_, others))
        kind = [nw.col(column) == value for column, value in wanted.items()]
        hit = nw.when(reduce(and_, kind)).then(nw.lit(1)).otherwise(nw.lit(0))
        return [every.select("customer", "tick", n=nw.lit(1), hits=hit)]

    conditions = ", ".join(f"{name} {value}" for name, value in sorted(wanted.items()))
    kind_only = ", within its kind" if within_kind else ""
    name = f"graded_share({conditions}; among {list(counted)}{kind_only})"
    required_columns = ("grade", *(c for c in wanted if c != "grade"))
    return History(
        name=name,
        levels=_LEVELS,
        required_columns=required_columns,
        updates=updates,
        fold={"n": "sum", "hits": "sum"},
        code=_level,
        grades=counted,
    )


_COLUMNS_OF: dict[str, tuple[str, ...]] = {
    "gesture": ("problem_at", "goodwill_at"),
    "informed": ("problem_at", "informed_at"),
    "resolved quickly": ("problem_at", "resolved_at"),
}


def problem_share(treatment: str, quick_hours: int = 48) -> History:
    """How many of the problems so far were treated in a way: how the company treats a customer, as far as it shows.

    Problems of one day are one. A gesture belongs to the latest problem of its day or before, and counts from the day
    on which it is made; that a customer was informed of a problem beforehand counts from the problem on; a quick
    resolution, of all problems of a day, counts from the day of the last of them.

    Args:
        treatment: gesture (of goodwill), informed (beforehand), or resolved quickly.
        quick_hours: hours within which a resolution is quick.

    Returns:
        The history. Its levels are numbers such as ``2/5``, as those of `graded_share`: two of five. ``unknown`` for
        customers whose beginnings the log does not show.

    Raises:
        EstimationError: no such treatment; fewer hours than one.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame(
        ...     {"customer": "a", "at": [1, 4], "grade": "bad", "problem_at": [1, 4], "goodwill_at": [2, None]}
        ... )
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.problem_share("gesture")
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, '0/0'), (1, 2, '0/1'), (2, 4, '1/1'), (4, 9, '1/2')]
    """
    arguments(treatment=treatment, quick_hours=quick_hours)
    if treatment not in _COLUMNS_OF:
        known = ", ".join(_COLUMNS_OF)
        hint = nearest(treatment, _COLUMNS_OF) or f"; there are: {known}"
        raise EstimationError(f"no treatment {treatment!r}{hint}")
    quick = seconds_of(quick_hours)
    hours = f", {quick_hours}" if treatment == "resolved quickly" else ""

    def updates(past: Past) -> list[Frame]:
        problems = events_of_kind(past, "problem")
        days = problems.group_by("customer", "day").agg(
            nw.col("tick").min(), informed=(nw.col("informed") > 0).cast(nw.Int64).max()
        )
        counted = days.select("customer", "tick", "informed", n=nw.lit(1))
        if treatment == "informed":
            return [counted.rename({"informed": "hits"})]
        made = _gestures(past, days) if treatment == "gesture" else _resolutions(past, quick)
        return [counted.drop("informed"), made.select("customer", "tick", hits=nw.lit(1))]

    return History(
        name=f"problem_share({treatment}{hours})",
        levels=_LEVELS,
        required_columns=_COLUMNS_OF[treatment],
        updates=updates,
        fold={"n": "sum", "hits": "sum"},
        code=_level,
        grades=(),
    )


def made_good_share(days: int = 14) -> History:
    """How many of the bad moments so far were followed by a good one soon: whom the company makes it up to.

    A bad moment counts from the good moment on that follows it; one that no good moment followed in time counts once
    the day after that time is over. Until then it is not told how it ends, and does not count.

    Args:
        days: a good moment on day t is soon after a bad one on day s if t - s is at most this.

    Returns:
        The history. Its levels are numbers such as ``2/5``, as those of `graded_share`: two of five. ``unknown`` for
        customers whose beginnings the log does not show.

    Raises:
        EstimationError: a negative number of days.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [12]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 12}}, interactions=log, retention=who)
        >>> past = cx.histories.made_good_share(3)
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 4, '0/0'), (4, 10, '1/1'), (10, 12, '1/2')]
    """
    arguments(days=days)
    if days < 0:
        raise EstimationError(f"days must be at least 0, was {days}")

    def updates(past: Past) -> list[Frame]:
        x = past.moments.filter(nw.col("grade").is_in([BAD, GOOD]))
        is_good = nw.when(nw.col("grade") == GOOD).then(nw.lit(1)).otherwise(nw.lit(0))
        x = x.with_columns(good=is_good).with_columns(goods=past.along.sum("good"))
        good, bad = x.filter(nw.col("good") == 1), x.filter(nw.col("good") == 0)
        after = good.select("customer", goods=nw.col("goods") - 1, good_day="day", good_tick="tick")
        pairs = bad.select("customer", "goods", "day").join(
            after, on=["customer", "goods"], how="left"
        )
        is_soon = nw.col("good_day") - nw.col("day") <= days
        soon = pairs.filter(is_soon)
        never = pairs.filter(nw.col("good_day").is_null() | ~is_soon)
        over = past.clock.on(nw.col("day") + (past.clock.lag + days + 1))
        return [
            soon.select("customer", tick="good_tick", n=nw.lit(1), hits=nw.lit(1)),
            never.select("customer", tick=over, n=nw.lit(1)),
        ]

    return History(
        name=f"made_good_share({days})",
        levels=_LEVELS,
        required_columns=("second", "grade"),
        updates=updates,
        fold={"n": "sum", "hits": "sum"},
        code=_level,
        grades=(BAD, GOOD),
    )


def _gestures(past: Past, days: Frame) -> Frame:
    """Days of problems after which a gesture was made, and the tick of the first one."""
    made = events_of_kind(past, "goodwill").select("customer", "tick", made=nw.col("day"))
    pairs = made.unique().join(days.select("customer", "day"), on="customer")
    pairs = pairs.filter(nw.col("day") <= nw.col("made"))
    latest = pairs.group_by("customer", "tick", "made").agg(nw.col("day").max())
    return latest.group_by("customer", "day").agg(nw.col("tick").min())


def _resolutions(past: Past, quick: int) -> Frame:
    """Days of problems that were all resolved quickly, and the tick at which the last of them was."""
    ended = with_end(past, events_of_kind(past, "problem"))
    is_quick = (nw.col("took") >= 0) & (nw.col("took") <= quick)
    soon = nw.when(is_quick).then(nw.lit(1)).otherwise(nw.lit(0))
    days = ended.with_columns(soon=soon).group_by("customer", "day")
    result = days.agg(nw.col("soon").min(), tick=nw.col("ended").max())
    return result.filter((nw.col("soon") == 1) & ~nw.col("tick").is_null())


def _level(run: RunningColumns) -> nw.Expr:
    n = run.column("n")
    # a look-back may forget a problem before the gesture that followed it
    hits = nw.min_horizontal(run.column("hits"), n)
    exact = (n * (n + 1) - (n * (n + 1)) % 2) // 2 + hits
    least = nw.max_horizontal(n, nw.lit(1))
    tenth = (10 * hits - (10 * hits) % least) // least
    coarse = _FIRST_BAND + 10 * band(n, _BANDS[1:]) + nw.min_horizontal(tenth, nw.lit(9))
    return (
        nw.when(run.left_truncated == 1)
        .then(nw.lit(len(_LEVELS) - 1))
        .otherwise(nw.when(n <= _EXACT).then(exact).otherwise(coarse))
    )
