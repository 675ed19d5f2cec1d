"""Numbers with their intervals, from a value and what is known of its error."""

from __future__ import annotations

import math

from cxresearch.estimators.intervals import SCALES, quantile
from cxresearch.estimators.results import Estimate


def estimate(
    value: float, se: float, *, scale: str, level: float, groups: int, se_model: float = float("nan")
) -> Estimate:
    """An `Estimate` from a value on its natural scale and an error on `scale`."""
    forward, back = SCALES[scale]
    middle, half = forward(value), quantile(level, groups) * se
    return Estimate(value, back(middle - half), back(middle + half), level, se, se_model, scale, groups)


def wilson(p: float, size: float, level: float) -> Estimate:
    """A proportion with Wilson's interval on `size` customers, which may be fewer than were counted."""
    from statsmodels.stats.proportion import proportion_confint  # takes seconds to import

    low, high = proportion_confint(p * size, size, alpha=1 - level, method="wilson")
    error = 1 / math.sqrt(size * p * (1 - p)) if 0 < p < 1 else math.nan
    return Estimate(p, max(float(low), 0.0), min(float(high), 1.0), level, error, error, "wilson", 0, size)
