"""What numbers of claims are measured in, and how they are written, in sentences, tables and charts alike."""

from __future__ import annotations

import math
from collections.abc import Collection
from enum import StrEnum


class Unit(StrEnum):
    """What a number is measured in; its value is the word in the documented JSON.

    Example:
        >>> Unit.SHARE.text(0.312), Unit.DIFFERENCE.text(0.024), Unit.HAZARD_RATIO.text(1.41)
        ('31%', '+2.4 points', '1.41')
        >>> Unit("hazard ratio").null_value
        1.0
    """

    SHARE = "share"
    HAZARD_RATIO = "hazard ratio"
    DIFFERENCE = "difference of shares"
    LOG_LIKELIHOOD = "log likelihood per departure"

    @property
    def is_ratio(self) -> bool:
        """Whether numbers are compared by their ratio, so that a picture of them has a logarithmic scale."""
        return self is Unit.HAZARD_RATIO

    @property
    def has_sign(self) -> bool:
        """Whether numbers are written with a sign."""
        return self in (Unit.DIFFERENCE, Unit.LOG_LIKELIHOOD)

    @property
    def null_value(self) -> float:
        """The number where there is no difference, or nothing."""
        return 1.0 if self.is_ratio else 0.0

    def text(self, value: float, *, more: int = 0) -> str:
        """A number as it is written: 31%, +2.4 points, 1.41; of compared models +1.5%, more probable a departure.

        Args:
            value: the number.
            more: decimals beyond the usual ones.
        """
        if self is Unit.SHARE and self._is_near_an_end(value):
            more += 1
        return self._written(value, more)

    def limit_text(
        self, value: float, edges: Collection[float] = (), other: float | None = None
    ) -> str:
        """A limit with as many decimals as show on which side of the edges it lies, at most two beyond the usual ones.

        Args:
            value: a limit of an interval.
            edges: of a claim, see `Region.thresholds`; each is written with three decimals.
            other: the other limit of the interval; both get the same number of decimals.
        """
        limits = [value] if other is None else [value, other]
        return self._written(value, max(self._decimals(limit, edges) for limit in limits))

    def interval_text(self, low: float, high: float, edges: Collection[float] = ()) -> str:
        """An interval: ``28% to 34%``, ``+7.3 to +11.6 points``; both limits have the same number of decimals.

        Args:
            low: lower limit.
            high: upper limit.
            edges: as for `limit_text`.
        """
        first = self.limit_text(low, edges, high).removesuffix(" points")
        return f"{first} to {self.limit_text(high, edges, low)}"

    def edge_text(self, value: float) -> str:
        """An edge of a claimed region, as short as it was declared: ``92.5%``, ``2 points``, ``1.25``."""
        if self is Unit.SHARE:
            return f"{100 * value:.3g}%"
        return f"{100 * value:.3g} points" if self is Unit.DIFFERENCE else f"{value:.3g}"

    def _decimals(self, limit: float, edges: Collection[float]) -> int:
        """How many decimals beyond the usual ones show on which side of the edges a limit lies; 1 if two do not."""
        usual = int(self is Unit.SHARE and self._is_near_an_end(limit))
        sides = [(limit > e) - (limit < e) for e in edges]
        written = [round(self._scaled(e), 3) for e in edges]
        for more in range(usual, usual + 3):
            shown = float(self._written(limit, more).rstrip("% points"))
            if sides == [(shown > e) - (shown < e) for e in written]:
                return more
        return usual + 1

    def _written(self, value: float, more: int) -> str:
        """A number with so many decimals beyond the usual ones; none is written as minus nought."""
        scaled = self._scaled(value)
        if self is Unit.SHARE:
            return f"{value:z.{more}%}"
        if self is Unit.DIFFERENCE:
            return f"{scaled:+z.{1 + more}f} points"
        if self is Unit.LOG_LIKELIHOOD:
            return f"{scaled:+z.{1 + more}f}%"
        return f"{value:z.{2 + more}f}" if value < 100 else f"{value:.0f}"

    @staticmethod
    def _is_near_an_end(share: float) -> bool:
        """Whether a share is so small or large that a decimal tells more of it."""
        return 0 < share < 0.1 or 0.9 < share < 1

    def _scaled(self, value: float) -> float:
        """A number on the scale on which it is written; a log likelihood as a change of probability."""
        if self is Unit.LOG_LIKELIHOOD:
            return 100 * math.expm1(value)
        return value if self is Unit.HAZARD_RATIO else 100 * value
