"""Quantiles and tails of four distributions: the functions that `scipy.stats` calls, which takes a second to import."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Values = NDArray[np.float64]


def normal_quantile(p: float) -> float:
    """The point below which a normal variable lies with probability `p`."""
    return float(special.ndtri(p))


def normal_above(x: float) -> float:
    """The probability that a normal variable lies above `x`."""
    return float(special.ndtr(-x))


def t_quantile(p: float, df: float) -> float:
    """The point below which Student's t of `df` degrees of freedom lies with probability `p`."""
    return float(special.stdtrit(df, p))


def t_above(x: float, df: float) -> float:
    """The probability that Student's t of `df` degrees of freedom lies above `x`."""
    return float(special.stdtr(df, -x))


def chi2_quantile(p: float, df: NDArray[Any]) -> Values:
    """The points below which chi squared variables of `df` degrees of freedom lie with probability `p`."""
    result: Values = 2 * special.gammaincinv(df / 2, p)
    return result


def chi2_above(x: NDArray[Any] | float, df: NDArray[Any] | float) -> Values:
    """The probability that chi squared of `df` degrees of freedom, at least one, lies above `x`."""
    result: Values = special.chdtrc(df, np.maximum(x, 0.0))
    return result


def f_above(x: float, over: float, under: float) -> float:
    """The probability that an F variable of these degrees of freedom, at least one each, lies above `x`."""
    return float(special.fdtrc(over, under, max(x, 0.0)))
