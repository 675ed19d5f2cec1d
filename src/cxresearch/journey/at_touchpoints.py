"""The history of moments of one grade at some touchpoints."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.histories import History, Past, Run
from cxresearch.histories.counts import grade_code
from cxresearch.histories.history import band, band_names


def moments_at(touchpoints: tuple[int, ...], grade: str = "bad", edges: tuple[int, ...] = (1,)) -> History:
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
        return nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(band(run.column("n"), edges))

    name = f"moments_at({list(touchpoints)}, {grade}, {list(edges)})"
    return History(name, levels, ("grade", "touchpoint"), marks, {"n": "sum"}, level, (code,), cumulative=True)
