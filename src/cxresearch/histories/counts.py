"""Histories that add up: how many moments so far, or within a window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.errors import EstimationError, nearest
from cxresearch.histories.base import History, Past, RunningColumns, band, band_names
from cxresearch.records.contacts import GRADES, UNKNOWN
from cxresearch.utils.checks import arguments, flag, one_of, optional, whole_number

_NEVER = 10**8
_MET = ("failed", "kept")  # by the value of an expectation's column


def bad_count(cap: int = 3, or_unknown: bool = False) -> History:
    """How many bad moments so far, up to a cap.

    Args:
        cap: the highest number with a level of its own; levels are 0 … cap-1, ``cap+`` and, for customers whose
            beginnings the log does not show, ``unknown``.
        or_unknown: whether moments without a grade count as bad.

    Raises:
        ArgumentError: the cap is no whole number above 0.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.bad_count(2)
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, '0'), (1, 6, '1'), (6, 9, '2+')]
    """
    cap = whole_number("cap", cap, 1)
    arguments(or_unknown=or_unknown)
    return _graded("bad_count", str(cap), "bad", tuple(range(1, cap + 1)), or_unknown)


def grade_count(
    grade: str, edges: tuple[int, ...] = (1, 3, 6), or_unknown: bool = False
) -> History:
    """How many moments of one grade so far, in bands.

    Args:
        grade: bad, neutral, good or unknown.
        edges: where bands begin; (1, 3, 6) gives 0, 1-2, 3-5, 6+.
        or_unknown: whether moments without a grade count as of this one.

    Raises:
        EstimationError: no such grade, or edges that do not rise.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.grade_count("good", (1, 2))
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 4, '0'), (4, 9, '1')]
    """
    arguments(grade=grade, edges=edges, or_unknown=or_unknown)
    return _graded("grade_count", f"{grade}, {list(edges)}", grade, tuple(edges), or_unknown)


def _graded(
    function: str, given: str, grade: str, edges: tuple[int, ...], or_unknown: bool
) -> History:
    """Moments so far of a grade or, where that counts as well, of none."""
    if not or_unknown:
        return _count(f"{function}({given})", {"grade": grade_code(grade)}, edges)
    codes = sorted({grade_code(grade), UNKNOWN})
    levels = (*band_names(edges), "unknown")

    def updates(past: Past) -> list[Frame]:
        hits = past.graded.filter(nw.col("grade").is_in(codes))
        return [hits.select("customer", "tick", n=nw.lit(1))]

    def level(run: RunningColumns) -> nw.Expr:
        seen = band(run.column("n"), edges)
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(seen)

    return History(
        name=f"{function}({given}, or unknown)",
        levels=levels,
        required_columns=("grade",),
        updates=updates,
        fold={"n": "sum"},
        code=level,
        grades=tuple(codes),
        cumulative=True,
    )


def contact_count(edges: tuple[int, ...] = (1, 2, 5, 10)) -> History:
    """How many contacts of any grade so far, in bands.

    Args:
        edges: where bands begin; (1, 2, 5, 10) gives 0, 1, 2-4, 5-9, 10+.

    Raises:
        EstimationError: edges that do not rise.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.contact_count((1, 3))
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, '0'), (1, 6, '1-2'), (6, 9, '3+')]
    """
    arguments(edges=edges)
    return _count(f"contact_count({list(edges)})", {}, tuple(edges))


def moment_count(
    edges: tuple[int, ...] = (1,),
    grade: str | None = None,
    attended: bool | None = None,
    is_problem: bool | None = None,
    handoff: bool | None = None,
    respect: str | None = None,
    solutions: str | None = None,
    simplicity: str | None = None,
    responsibility: str | None = None,
) -> History:
    """How many moments so far for which all that is given holds, in bands.

    What is not known of a moment is neither true nor false, neither kept nor failed.

    Args:
        edges: where bands begin; (1, 3, 6) gives 0, 1-2, 3-5, 6+.
        grade: bad, neutral, good or unknown.
        attended: whether a person was there.
        is_problem: whether it was about a problem.
        handoff: whether the customer was handed on.
        respect: kept or failed, as the three others.
        solutions: see `respect`.
        simplicity: see `respect`.
        responsibility: see `respect`.

    Raises:
        ArgumentError: something else than true, false, kept or failed.
        EstimationError: no such grade, or edges that do not rise.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4], "grade": "bad", "handoff": [False, True]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.moment_count(grade="bad", handoff=True)
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 4, '0'), (4, 9, '1+')]
    """
    arguments(edges=edges)
    optional(grade=grade)
    given = {
        "grade": grade, "attended": attended, "is_problem": is_problem, "handoff": handoff, "respect": respect,
        "solutions": solutions, "simplicity": simplicity, "responsibility": responsibility,
    }  # fmt: skip
    wanted = wanted_values(given)
    conditions = "".join(f", {name} {given[name]}".lower() for name in wanted)
    return _count(f"moment_count({list(edges)}{conditions})", wanted, tuple(edges))


EXPECTATIONS_OF = ("respect", "solutions", "simplicity", "responsibility")


def contacts_before(days: int = 90, edges: tuple[int, ...] = (1, 3, 6)) -> History:
    """How many contacts lie more than `days` days back, in bands: on day d those on day t with d - t > days.

    Args:
        days: contacts so recent do not count.
        edges: where bands begin; (1, 3, 6) gives 0, 1-2, 3-5, 6+.

    Raises:
        EstimationError: fewer days than one, or edges that do not rise.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.contacts_before(2, (1, 2))
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 3, '0'), (3, 6, '1'), (6, 9, '2+')]
    """
    arguments(days=days, edges=edges)
    if days < 1:
        raise EstimationError(f"days must be at least 1, was {days}")
    levels = (*band_names(tuple(edges)), "unknown")

    def updates(past: Past) -> list[Frame]:
        return [past.moments.select("customer", "tick", n=nw.lit(1))]

    def level(run: RunningColumns) -> nw.Expr:
        seen = band(run.column("n"), tuple(edges))
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(seen)

    return History(
        name=f"contacts_before({days}, {list(edges)})",
        levels=levels,
        required_columns=(),
        updates=updates,
        fold={"n": "sum"},
        code=level,
        delay=days,
        cumulative=True,
    )


def wanted_values(given: Mapping[str, str | bool | None]) -> dict[str, int]:
    """The values that columns of a moment must have, as codes.

    Args:
        given: column to value in words; None where any value does. Columns: ``grade``, flags, expectations.

    Raises:
        EstimationError: no such grade.
        ArgumentError: something else than true, false, kept or failed.
    """
    return {name: _code(name, value) for name, value in given.items() if value is not None}


def _code(name: str, value: Any) -> int:
    if name == "grade":
        return grade_code(value)
    if name in EXPECTATIONS_OF:
        return _MET.index(one_of(name, value, _MET))
    return int(flag(name, value))


def _count(name: str, wanted: Mapping[str, int], edges: tuple[int, ...]) -> History:
    """Moments so far whose columns have the values wanted."""
    levels = (*band_names(edges), "unknown")

    def updates(past: Past) -> list[Frame]:
        hits = past.graded if wanted else past.moments
        for column, value in wanted.items():
            hits = hits.filter(nw.col(column) == value)
        return [hits.select("customer", "tick", n=nw.lit(1))]

    def level(run: RunningColumns) -> nw.Expr:
        seen = band(run.column("n"), edges)
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(seen)

    grades = (wanted["grade"],) if "grade" in wanted else None
    walk = f"count of moments with {dict(sorted(wanted.items()))}"
    return History(
        name=name,
        levels=levels,
        required_columns=tuple(wanted),
        updates=updates,
        fold={"n": "sum"},
        code=level,
        grades=grades,
        cumulative=True,
        walk=walk,
    )


def contacts_within(
    days: int = 90,
    edges: tuple[int, ...] = (1, 3, 6),
    grades: tuple[str, ...] | None = None,
    frozen_at: str | None = None,
) -> History:
    """How many contacts lie in the last `days` days: on day d those on day t with 1 <= d - t <= days.

    Args:
        days: the window.
        edges: where bands begin; (1, 3, 6) gives 0, 1-2, 3-5, 6+.
        grades: count contacts of these grades only; all when not given.
        frozen_at: a grade: from the first moment of that grade on, the level stays what it was just before.

    Returns:
        The history. While the window reaches back to before a customer was seen, the level is ``unknown``.

    Raises:
        EstimationError: a window shorter than a day, no such grade, or edges that do not rise.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.contacts_within(2, (1, 2))
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, '0'), (1, 3, '1'), (3, 4, '0'), (4, 8, '1'), (8, 9, '0')]
    """
    arguments(days=days, edges=edges)
    optional(grades=grades, frozen_at=frozen_at)
    if days < 1:
        raise EstimationError(f"days must be at least 1, was {days}")
    codes = None if grades is None else [grade_code(g) for g in grades]
    levels = (*band_names(edges), "unknown")
    stop = None if frozen_at is None else grade_code(frozen_at)

    def updates(past: Past) -> list[Frame]:
        x = past.moments if codes is None else past.graded.filter(nw.col("grade").is_in(codes))
        first_seen = past.customers.filter(nw.col("left_truncated") == 1)
        full = past.clock.on(nw.col("entry") + (days - 1))
        if stop is None:
            changes = _band_changes(past, x, days, edges)
        else:  # contacts from the first of that grade on change nothing before it
            first = (
                past.moments.filter(nw.col("grade") == stop)
                .group_by("customer")
                .agg(first=nw.col("tick").min())
            )
            early = nw.col("first").is_null() | (nw.col("tick") < nw.col("first"))
            x = past.along.prepare(x.join(first, on="customer", how="left").filter(early))
            changes = [
                c.filter(early).drop("first") for c in _band_changes(past, x, days, edges, "first")
            ]
        return [*changes, first_seen.select("customer", full.alias("tick"), full=nw.lit(1))]

    def level(run: RunningColumns) -> nw.Expr:
        blind = (run.left_truncated == 1) & (run.column("full") == 0)
        return nw.when(blind).then(nw.lit(len(levels) - 1)).otherwise(run.column("n"))

    only = ("" if grades is None else f", {list(grades)}") + (
        "" if frozen_at is None else f", frozen at {frozen_at}"
    )
    required_columns = ("grade",) if grades or frozen_at else ()
    return History(
        name=f"contacts_within({days}, {list(edges)}{only})",
        levels=levels,
        required_columns=required_columns,
        updates=updates,
        fold={"n": "sum", "full": "sum"},
        code=level,
        grades=None if codes is None else tuple({*codes, *([] if stop is None else [stop])}),
        lasting=("n", "full"),
    )


def _band_changes(
    past: Past, x: Frame, days: int, edges: tuple[int, ...], *more: str
) -> list[Frame]:
    """Updates of +1 and -1 where the count in the window passes an edge; nothing where the band stays.

    At least e contacts are in the window after contact i iff contact i-e+1 is still in it, and then until that contact
    leaves or, if later contacts keep the number up, until theirs do. A contact on the very day on which another leaves
    does not bridge the two: on the contact clock, other contacts of that day may come in between.
    """
    along, clock = past.along, past.clock
    shifts = sorted({n for e in edges for n in (e - 2, e - 1, e, 1, -1)} - {0})
    x = x.with_columns(**{f"lag{n}": along.shift("day", n) for n in shifts}, lag0=nw.col("day"))
    held_days = days - clock.lag  # the moment is seen from its tick, and leaves when it is that old
    far = nw.lit(-_NEVER)
    day = nw.col("day")
    out = []
    for e in edges:
        oldest = nw.coalesce(f"lag{e - 1}", far)
        end = oldest + held_days
        reached = end > day
        before = nw.coalesce(f"lag{e}", far)
        held = (before + held_days > day) & (before + held_days > nw.coalesce("lag1", far))
        following = nw.coalesce("lag-1", nw.lit(_NEVER))
        kept = nw.coalesce(f"lag{e - 2}", far) + held_days > following if e > 1 else nw.lit(True)
        gone = clock.on(end + clock.lag)
        out.append(x.filter(reached & ~held).select("customer", "tick", *more, n=nw.lit(1)))
        left = x.filter(reached & ~((following < end) & kept))
        out.append(left.select("customer", gone.alias("tick"), *more, n=nw.lit(-1)))
    return out


def grade_code(grade: str) -> int:
    """The position of a grade.

    Raises:
        EstimationError: no such grade.
    """
    if grade not in GRADES:
        raise EstimationError(
            f"no grade {grade!r}{nearest(grade, GRADES) or '; there are: ' + ', '.join(GRADES)}"
        )
    return GRADES.index(grade)


def moments_at(
    touchpoints: tuple[int, ...], grade: str = "bad", edges: tuple[int, ...] = (1,)
) -> History:
    """How many moments of a grade so far at some touchpoints, in bands.

    Args:
        touchpoints: positions among the names of the records; -1 for moments without one.
        grade: bad, neutral, good or unknown.
        edges: where bands begin; (1, 3, 6) gives 0, 1-2, 3-5, 6+.

    Returns:
        The history; ``unknown`` for customers whose beginnings the log does not show.

    Raises:
        EstimationError: no such grade, or edges that do not rise.
    """
    code, levels = grade_code(grade), (*band_names(edges), "unknown")

    def updates(past: Past) -> list[Frame]:
        there = nw.col("touchpoint").is_in(list(touchpoints))
        hits = past.moments.filter((nw.col("grade") == code) & there)
        return [hits.select("customer", "tick", n=nw.lit(1))]

    def level(run: RunningColumns) -> nw.Expr:
        seen = band(run.column("n"), edges)
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(seen)

    return History(
        name=f"moments_at({list(touchpoints)}, {grade}, {list(edges)})",
        levels=levels,
        required_columns=("grade", "touchpoint"),
        updates=updates,
        fold={"n": "sum"},
        code=level,
        grades=(code,),
        cumulative=True,
    )
