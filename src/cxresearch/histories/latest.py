"""Histories that look at the latest moment: its grade, its age."""

from __future__ import annotations

from itertools import pairwise

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.errors import EstimationError
from cxresearch.histories.counts import grade_code
from cxresearch.histories.history import History, Past, Run, band
from cxresearch.moments import GRADES

_SECONDS = 86_400


def last_grade() -> History:
    """The grade of the last contact so far: none, bad, neutral, good or unknown.

    Within one second the worse grade comes first, so the better one is last. A customer whose beginnings the log does
    not show is ``unknown`` until the first contact seen.
    """
    levels = ("none", *GRADES)

    def marks(past: Past) -> list[Frame]:
        # order within a day packed into one integer: the last contact is a maximum, and ties need no rule
        packed = (nw.col("day").cast(nw.Int64) * _SECONDS + nw.col("second")) * len(GRADES) + nw.col("grade")
        return [past.moments.select("customer", "tick", last=packed)]

    def level(run: Run) -> nw.Expr:
        last = run.column("last")
        none = nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        return nw.when(last.is_null()).then(none).otherwise(last % len(GRADES) + 1)

    return History("last_grade()", levels, ("second", "grade"), marks, {"last": "last"}, level)


def age_of_last(grade: str = "bad", edges: tuple[int, ...] = (30, 90, 365)) -> History:
    """How many days ago the last moment of a grade was, in bands.

    On day d a moment of day t has the age d - t. Ages count from the moment, whatever the blackout.

    Args:
        grade: bad, neutral, good or unknown.
        edges: the last day of each band; (30, 90, 365) gives 0-30, 31-90, 91-365, 366+.

    Returns:
        The history; ``none`` before the first such moment, ``unknown`` if the log does not show a customer's beginnings
        and no such moment has been seen since.

    Raises:
        EstimationError: no such grade, or edges that do not rise.
    """
    code = grade_code(grade)
    if not edges or edges[0] < 1 or any(b <= a for a, b in pairwise(edges)):
        raise EstimationError(f"edges must rise and be at least 1, such as (30, 90, 365), were {edges}")
    starts = (0, *(e + 1 for e in edges))
    names = tuple(f"{a}-{b}" for a, b in zip(starts, edges, strict=False))
    levels = ("none", *names, f"{edges[-1] + 1}+", "unknown")

    def marks(past: Past) -> list[Frame]:
        hits = past.moments.filter(nw.col("grade") == code)
        ageing = [
            hits.select("customer", past.clock.on(nw.col("day") + e).alias("tick"), aged=nw.lit(1)) for e in edges
        ]
        return [hits.select("customer", "tick", last=nw.col("day").cast(nw.Int64)), *ageing]

    def level(run: Run) -> nw.Expr:
        last = run.column("last")
        age = run.day + 1 - last
        none = nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        return nw.when(last.is_null()).then(none).otherwise(1 + band(age, tuple(e + 1 for e in edges)))

    return History(
        f"age_of_last({grade}, {list(edges)})",
        levels,
        ("grade",),
        marks,
        {"last": "last", "aged": "sum"},
        level,
        (code,),
    )
