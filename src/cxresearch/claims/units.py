"""Numbers as they are said, in sentences, tables and charts alike."""

from __future__ import annotations

import math
from collections.abc import Collection

from cxresearch.claims.decide import Region

LOG_LIKELIHOOD = (
    "log likelihood per departure"  # said as how much more probable one side makes each departure
)
_POINTS = "difference of shares"
_PER_CENT = ("share", _POINTS, LOG_LIKELIHOOD)


def number(value: float, unit: str, *, more: int = 0) -> str:
    """A number as it is said: 31%, +2.4 points, 1.41; of compared models +1.5%, how much more probable a departure is.

    Args:
        value: the number.
        unit: as `Evidence.unit`.
        more: decimals beyond the usual ones.
    """
    if unit == "share":
        digits = 1 if 0 < value < 0.1 or 0.9 < value < 1 else 0
        return f"{value:.{digits + more}%}"
    if unit == _POINTS:
        return f"{100 * value:+.{1 + more}f} points"
    if unit == LOG_LIKELIHOOD:
        return f"{100 * math.expm1(value):+.{1 + more}f}%"
    return f"{value:.{2 + more}f}" if value < 100 else f"{value:.0f}"


def limit(value: float, unit: str, edges: Collection[float] = ()) -> str:
    """A limit with as many decimals as tell on which side of the edges it lies, at most two beyond the usual ones.

    Args:
        value: a limit of an interval.
        unit: as `Evidence.unit`.
        edges: of a claim, see `held_against`; a ratio's are told with three decimals.
    """
    beyond = [(value > e) - (value < e) for e in edges]
    for more in range(3):
        said = number(value, unit, more=more)
        shown = float(said.rstrip("% points"))
        if beyond == [(shown > e) - (shown < e) for e in (_told(e, unit) for e in edges)]:
            return said
    return number(value, unit, more=1)


def limits(low: float, high: float, unit: str, edges: Collection[float] = ()) -> str:
    """An interval: ``28% to 34%``, ``+7.3 to +11.6 points``.

    Args:
        low: lower limit.
        high: upper limit.
        unit: as `Evidence.unit`.
        edges: as for `limit`.
    """
    first = limit(low, unit, edges)
    return f"{first.removesuffix(' points')} to {limit(high, unit, edges)}"


def held_against(where: Region | None) -> tuple[float, ...]:
    """What a limit is held against: the edges of a region, and the smallest effect taken to matter."""
    if where is None:
        return ()
    return where.edges if math.isnan(where.effect) else (*where.edges, where.effect)


def _told(edge: float, unit: str) -> float:
    """An edge on the scale on which the number is said, to three decimals."""
    scaled = (
        100 * math.expm1(edge)
        if unit == LOG_LIKELIHOOD
        else 100 * edge
        if unit in _PER_CENT
        else edge
    )
    return round(scaled, 3)
