"""Curves as they may be shown: no step stands for a handful of customers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cxresearch.disclosure.counts import readable_positions
from cxresearch.estimators.results import Incidence


def coarse(curve: Incidence, min_cell: int) -> Incidence:
    """A curve with fewer steps: each stands for at least `min_cell` customers who left, and none lies where few are.

    The step of a curve times the customers at risk is how many left that day. So steps are put together, each drawn
    on the last of its days. The curve ends where fewer than `min_cell` are at risk, where the data cannot speak, or
    with its last step where fewer than that left later. Between two steps it shows what was known at the first.

    Args:
        curve: from `cxresearch.incidence`.
        min_cell: the smallest count that may be shown.

    Returns:
        The curve at fewer times, its numbers there unchanged; at no time where fewer than that left in all. A curve
        that nobody has left keeps its last time.
    """
    drawn = np.flatnonzero((curve.at_risk >= min_cell) & (curve.times <= curve.support))
    if not len(drawn) or curve.incidence[drawn[-1]] <= 0:
        return _at(curve, drawn[-1:])
    kept = [int(drawn[i]) for i in readable_positions(curve.left[drawn], min_cell)]
    end = int(drawn[-1])
    if kept and kept[-1] < end and curve.incidence[end] == curve.incidence[kept[-1]]:
        kept.append(end)  # nobody left later: the curve goes on
    return _at(curve, np.array(kept, dtype=np.intp))


def _at(curve: Incidence, kept: np.ndarray) -> Incidence:
    names = ("times", "incidence", "low", "high", "at_risk", "se_model")
    return replace(curve, **{n: getattr(curve, n)[kept] for n in names})
