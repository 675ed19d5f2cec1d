"""Curves as they may be shown: no step stands for a handful of customers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cxresearch.estimators.results import Incidence
from cxresearch.small_cells import MIN_CELL


def coarse(curve: Incidence, min_cell: int = MIN_CELL) -> Incidence:
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
    left, kept, upto = _left(curve), [], 0.0
    for i in drawn:
        if left[i] - upto >= min_cell - 1e-6:
            kept.append(int(i))
            upto = float(left[i])
    end = int(drawn[-1])
    if kept and kept[-1] < end and curve.incidence[end] == curve.incidence[kept[-1]]:
        kept.append(end)  # nobody left later: the curve goes on
    return _at(curve, np.array(kept, dtype=np.intp))


def apart(curve: Incidence, times: Iterable[int], min_cell: int = MIN_CELL) -> tuple[int, ...]:
    """Those of some times at which a curve may be read exactly: at least `min_cell` left between any two of them.

    Args:
        curve: from `cxresearch.incidence`.
        times: ascending.
        min_cell: the smallest count that may be shown.
    """
    left, kept, upto = _left(curve), [], 0.0
    for time in times:
        by_then = np.flatnonzero(curve.times <= time)
        until = float(left[by_then[-1]]) if len(by_then) else 0.0
        if until - upto >= min_cell - 1e-6:
            kept.append(time)
            upto = until
    return tuple(kept)


def grain(customers: float, min_cell: int = MIN_CELL) -> float:
    """To what shares of so many customers are rounded, so that no difference of two gives a small count away.

    Args:
        customers: of whom the shares are.
        min_cell: the smallest count that may be shown.

    Returns:
        A round number such as 0.002, between a fifth and a half of the share that `min_cell` customers are; at least
        0.0001.
    """
    most = min_cell / (2 * max(customers, 1.0))
    power = 10.0 ** math.floor(math.log10(most) + 1e-12)
    return float(min(max(next(f for f in (5, 2, 1) if f * power <= most * (1 + 1e-9)) * power, 1e-4), 0.1))


def rounded(share: float, step: float) -> float:
    """A share to the nearest step, inside 0 to 1."""
    return round(min(max(round(share / step) * step, 0.0), 1.0), 4)


def _left(curve: Incidence) -> NDArray[np.float64]:
    """How many have left by each time, at most: who left for another cause makes each step stand for more."""
    before = np.concatenate([[0.0], curve.incidence[:-1]])
    return np.cumsum(np.diff(curve.incidence, prepend=0.0) * curve.at_risk / np.maximum(1 - before, 1e-12))


def _at(curve: Incidence, kept: np.ndarray) -> Incidence:
    names = ("times", "incidence", "low", "high", "at_risk", "se_model")
    return replace(curve, **{n: getattr(curve, n)[kept] for n in names})
