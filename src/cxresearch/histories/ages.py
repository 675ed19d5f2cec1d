"""Histories that look at how long ago something was."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.errors import EstimationError
from cxresearch.histories.counts import grade_code
from cxresearch.histories.history import History, Past, Run, band
from cxresearch.histories.instants import READS, happened, happening_code


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
    return _age(name, edges, hits, () if code is None else ("grade",), None if code is None else (code,))


def age_since(happening: str, edges: tuple[int, ...] = (30, 90, 365)) -> History:
    """How many days ago the last happening of a kind was, in bands; else as `age_of_last`.

    Args:
        happening: problem, resolved, goodwill, complaint or post.
        edges: the last day of each band; (30, 90, 365) gives 0-30, 31-90, 91-365, 366+.

    Returns:
        The history; ``none`` before the first such happening, ``unknown`` if the log does not show a customer's
        beginnings and no such happening has been seen since.

    Raises:
        EstimationError: no such happening, or edges that do not rise.
    """
    happening_code(happening)
    name = f"age_since({happening}, {list(edges)})"
    return _age(name, edges, lambda past: happened(past, happening), READS[happening], ())


def _age(
    name: str,
    edges: tuple[int, ...],
    hits: Callable[[Past], Frame],
    reads: tuple[str, ...],
    grades: tuple[int, ...] | None,
) -> History:
    if not edges or edges[0] < 1 or any(b <= a for a, b in pairwise(edges)):
        raise EstimationError(f"edges must rise and be at least 1, such as (30, 90, 365), were {edges}")
    starts = (0, *(e + 1 for e in edges))
    names = tuple(f"{a}-{b}" for a, b in zip(starts, edges, strict=False))
    levels = ("none", *names, f"{edges[-1] + 1}+", "unknown")

    def marks(past: Past) -> list[Frame]:
        found = hits(past)
        ageing = [
            found.select("customer", past.clock.on(nw.col("day") + e).alias("tick"), aged=nw.lit(1)) for e in edges
        ]
        return [found.select("customer", "tick", last=nw.col("day").cast(nw.Int64)), *ageing]

    def level(run: Run) -> nw.Expr:
        last = run.column("last")
        age = run.day + 1 - last
        none = nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        return nw.when(last.is_null()).then(none).otherwise(1 + band(age, tuple(e + 1 for e in edges)))

    return History(name, levels, reads, marks, {"last": "last", "aged": "sum"}, level, grades)
