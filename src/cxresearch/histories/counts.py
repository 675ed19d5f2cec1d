"""Histories that add up: how many moments so far, or within a window."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals.stable.v2 as nw

from cxresearch.checks import arguments, one_of, optional, whole
from cxresearch.engines import Frame
from cxresearch.errors import ArgumentError, EstimationError, nearest
from cxresearch.histories.base import History, Past, Run, band, band_names
from cxresearch.records.contacts import GRADES

_NEVER = 10**8
_MET = ("failed", "kept")  # by the value of an expectation's column


def bad_count(cap: int = 3) -> History:
    """How many bad moments so far, up to a cap.

    Args:
        cap: the highest number told apart; levels are 0 … cap-1, ``cap+`` and, for customers whose beginnings the log
            does not show, ``unknown``.

    Raises:
        ArgumentError: the cap is no whole number above 0.
    """
    cap = whole("cap", cap, 1)
    return _count(f"bad_count({cap})", {"grade": grade_code("bad")}, tuple(range(1, cap + 1)))


def grade_count(grade: str, edges: tuple[int, ...] = (1, 3, 6)) -> History:
    """How many moments of one grade so far, in bands.

    Args:
        grade: bad, neutral, good or unknown.
        edges: where bands begin; (1, 3, 6) gives 0, 1-2, 3-5, 6+.

    Raises:
        EstimationError: no such grade, or edges that do not rise.
    """
    arguments(grade=grade, edges=edges)
    return _count(
        f"grade_count({grade}, {list(edges)})", {"grade": grade_code(grade)}, tuple(edges)
    )


def contact_count(edges: tuple[int, ...] = (1, 2, 5, 10)) -> History:
    """How many contacts of any grade so far, in bands.

    Args:
        edges: where bands begin; (1, 2, 5, 10) gives 0, 1, 2-4, 5-9, 10+.

    Raises:
        EstimationError: edges that do not rise.
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
    """
    arguments(edges=edges)
    optional(grade=grade)
    flags = {"attended": attended, "is_problem": is_problem, "handoff": handoff}
    expectations = {
        "respect": respect,
        "solutions": solutions,
        "simplicity": simplicity,
        "responsibility": responsibility,
    }
    wanted = {} if grade is None else {"grade": grade_code(grade)}
    for name, flag in flags.items():
        if flag is not None:
            if not isinstance(flag, bool):
                raise ArgumentError(name, flag, "True or False")
            wanted[name] = int(flag)
    for name, met in expectations.items():
        if met is not None:
            wanted[name] = _MET.index(one_of(name, met, _MET))
    given = {"grade": grade, **flags, **expectations}
    says = "".join(f", {name} {given[name]}".lower() for name in wanted)
    return _count(f"moment_count({list(edges)}{says})", wanted, tuple(edges))


def contacts_before(days: int = 90, edges: tuple[int, ...] = (1, 3, 6)) -> History:
    """How many contacts lie more than `days` days back, in bands: on day d those on day t with d - t > days.

    Args:
        days: contacts so recent do not count.
        edges: where bands begin; (1, 3, 6) gives 0, 1-2, 3-5, 6+.

    Raises:
        EstimationError: fewer days than one, or edges that do not rise.
    """
    arguments(days=days, edges=edges)
    if days < 1:
        raise EstimationError(f"days must be at least 1, was {days}")
    levels = (*band_names(tuple(edges)), "unknown")

    def marks(past: Past) -> list[Frame]:
        return [
            past.moments.select(
                "customer", past.clock.on(nw.col("day") + days).alias("tick"), n=nw.lit(1)
            )
        ]

    def level(run: Run) -> nw.Expr:
        seen = band(run.column("n"), tuple(edges))
        return nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(seen)

    name = f"contacts_before({days}, {list(edges)})"
    return History(name, levels, (), marks, {"n": "sum"}, level, cumulative=True)


def _count(name: str, wanted: Mapping[str, int], edges: tuple[int, ...]) -> History:
    """Moments so far whose columns have the values wanted."""
    levels = (*band_names(edges), "unknown")

    def marks(past: Past) -> list[Frame]:
        hits = past.moments
        for column, value in wanted.items():
            hits = hits.filter(nw.col(column) == value)
        return [hits.select("customer", "tick", n=nw.lit(1))]

    def level(run: Run) -> nw.Expr:
        seen = band(run.column("n"), edges)
        return nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(seen)

    grades = (wanted["grade"],) if "grade" in wanted else None
    walk = f"count of moments with {dict(sorted(wanted.items()))}"
    return History(
        name, levels, tuple(wanted), marks, {"n": "sum"}, level, grades, cumulative=True, walk=walk
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
    """
    arguments(days=days, edges=edges)
    optional(grades=grades, frozen_at=frozen_at)
    if days < 1:
        raise EstimationError(f"days must be at least 1, was {days}")
    codes = None if grades is None else [grade_code(g) for g in grades]
    levels = (*band_names(edges), "unknown")
    stop = None if frozen_at is None else grade_code(frozen_at)

    def marks(past: Past) -> list[Frame]:
        x = past.moments if codes is None else past.moments.filter(nw.col("grade").is_in(codes))
        first_seen = past.customers.filter(nw.col("unseen") == 1)
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

    def level(run: Run) -> nw.Expr:
        blind = (run.unseen == 1) & (run.column("full") == 0)
        return nw.when(blind).then(nw.lit(len(levels) - 1)).otherwise(run.column("n"))

    only = ("" if grades is None else f", {list(grades)}") + (
        "" if frozen_at is None else f", frozen at {frozen_at}"
    )
    reads = ("grade",) if grades or frozen_at else ()
    return History(
        f"contacts_within({days}, {list(edges)}{only})",
        levels,
        reads,
        marks,
        {"n": "sum", "full": "sum"},
        level,
        None if codes is None else tuple({*codes, *([] if stop is None else [stop])}),
    )


def _band_changes(
    past: Past, x: Frame, days: int, edges: tuple[int, ...], *more: str
) -> list[Frame]:
    """Marks of +1 and -1 where the count in the window passes an edge; nothing where the band stays.

    At least e contacts are in the window after contact i iff contact i-e+1 is still in it, and then until that contact
    leaves or, if later contacts keep the number up, until theirs do. A contact on the very day on which another leaves
    does not bridge the two: on the contact clock, other contacts of that day may come in between.
    """
    along, clock = past.along, past.clock
    shifts = sorted({n for e in edges for n in (e - 2, e - 1, e, 1, -1)} - {0})
    x = x.with_columns(**{f"lag{n}": along.shift("day", n) for n in shifts}, lag0=nw.col("day"))
    held_days = days - clock.lag  # the moment is seen from its tick, and leaves by its own age
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

    def marks(past: Past) -> list[Frame]:
        there = nw.col("touchpoint").is_in(list(touchpoints))
        hits = past.moments.filter((nw.col("grade") == code) & there)
        return [hits.select("customer", "tick", n=nw.lit(1))]

    def level(run: Run) -> nw.Expr:
        return (
            nw.when(run.unseen == 1)
            .then(nw.lit(len(levels) - 1))
            .otherwise(band(run.column("n"), edges))
        )

    name = f"moments_at({list(touchpoints)}, {grade}, {list(edges)})"
    return History(
        name, levels, ("grade", "touchpoint"), marks, {"n": "sum"}, level, (code,), cumulative=True
    )
