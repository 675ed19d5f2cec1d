"""Intervals that hold at every look at growing data, not at one look that was fixed beforehand.

The normal mixture of Robbins: with I = 1/SE² the information of an estimate and r > 0 chosen before the first look, the
interval with the half-width √((I+r)·log((I+r)/(r α²)))/I holds the truth at all looks together with probability
1 − α at least, as far as the estimates over the looks are those of a Gaussian process with independent increments.
"""

from __future__ import annotations

import math
from dataclasses import replace

from scipy.special import lambertw

from cxresearch.estimators.intervals import SCALES, quantile
from cxresearch.estimators.results import Estimate, wilson


def tune(se: float, alpha: float) -> float:
    """The r for which the interval is narrowest at the information that there is now.

    Args:
        se: standard error at the first look.
        alpha: error allowed over all looks, between 1e-150 and 1.

    Returns:
        r: the information over 8.2 for alpha = 0.05. With x = (I + r)/r it solves x − 1 − log x = −2 log α, which is
        Lambert's function.

    Example:
        >>> from cxresearch.estimators.looks import tune
        >>> round(1 / tune(1.0, 0.05), 1)
        8.2
    """
    wanted = -2 * math.log(alpha)
    x = -float(lambertw(-math.exp(-1 - wanted), -1).real)
    return 1 / (se**2 * (x - 1))


def half_width(se: float, r: float, alpha: float) -> float:
    """Half the width of an interval that holds at every look, on the scale of the error.

    Args:
        se: standard error now.
        r: as of `tune`, from the first look.
        alpha: error allowed over all looks.

    References:
        Robbins, H. (1970), Statistical methods related to the law of the iterated logarithm. Annals of Mathematical
        Statistics 41, 1397-1409. Howard, S. R. et al. (2021), Time-uniform, nonparametric, nonasymptotic confidence
        sequences. Annals of Statistics 49, 1055-1080.
    """
    information = 1 / se**2
    return math.sqrt((information + r) * math.log((information + r) / (r * alpha**2))) / information


def p_at_every_look(distance: float, se: float, r: float) -> float:
    """The largest alpha at which such an interval still reaches a point, so that it holds at every look.

    Args:
        distance: of the point from the estimate, on the scale of the error.
        se: standard error now.
        r: as of `tune`.
    """
    information = 1 / se**2
    exponent = -((information * distance) ** 2) / (2 * (information + r))
    return min(1.0, math.sqrt((information + r) / r) * math.exp(exponent))


def at_every_look(result: Estimate, r: float, level: float) -> Estimate:
    """A number with limits that hold at every look.

    Args:
        result: with a standard error above zero.
        r: as of `tune`.
        level: confidence level over all looks.
    """
    forward, back = SCALES["logit" if result.scale == "wilson" else result.scale]
    middle, half = forward(result.value), half_width(result.se, r, 1 - level)
    return replace(result, low=back(middle - half), high=back(middle + half), level=level, r=r)


def at_one_look(result: Estimate, level: float) -> Estimate:
    """The same number with limits at a confidence level that hold at one look."""
    result = replace(result, r=math.nan)
    if result.scale == "wilson":
        return wilson(result.value, result.size, level)
    forward, back = SCALES[result.scale]
    middle, half = forward(result.value), quantile(level, result.df) * result.se
    return replace(result, low=back(middle - half), high=back(middle + half), level=level)


def at_level(result: Estimate, level: float) -> Estimate:
    """The same number with limits at another confidence level, which hold at as many looks."""
    if result.interval == "fixed":
        return at_one_look(result, level)
    return at_every_look(result, result.r, level)
