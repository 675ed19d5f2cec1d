"""Intervals on the scale where an estimate is nearly normal."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cxresearch.estimators.distributions import (
    normal_above,
    normal_quantile,
    t_above,
    t_quantile,
)

_TINY = 1e-12
FEW = 20  # of fewer cases the error is itself a guess, and of none there is no error


def quantile(level: float, df: int) -> float:
    """The two-sided quantile of t with so many degrees of freedom; of the normal distribution if they are 0."""
    p = 0.5 + level / 2
    return t_quantile(p, df) if df else normal_quantile(p)


def two_sided_p(distance: float, df: int) -> float:
    """The largest level at which an interval still reaches a point `distance` standard errors away."""
    return 2 * (t_above(abs(distance), df) if df else normal_above(abs(distance)))


def log_interval(coef: float, se: float, level: float, df: int) -> tuple[float, float]:
    """Limits of a hazard ratio from a log hazard ratio and its error."""
    half = quantile(level, df) * se
    return math.exp(min(coef - half, 700)), math.exp(min(coef + half, 700))


def cloglog(p: float) -> float:
    """log(-log(1 - p)), kept finite at 0 and 1."""
    p = min(max(p, _TINY), 1 - _TINY)
    return math.log(-math.log1p(-p))


def inverse_cloglog(x: float) -> float:
    """1 - exp(-exp(x))."""
    return -math.expm1(-math.exp(min(x, 700)))


def cloglogs(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """`cloglog` of each."""
    return np.log(-np.log1p(-np.clip(p, _TINY, 1 - _TINY)))


def inverse_cloglogs(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """`inverse_cloglog` of each."""
    return -np.expm1(-np.exp(np.minimum(x, 700)))


def logit(p: float) -> float:
    """log(p / (1 - p)), kept finite at 0 and 1."""
    p = min(max(p, _TINY), 1 - _TINY)
    return math.log(p / (1 - p))


def expit(x: float) -> float:
    """1 / (1 + exp(-x))."""
    return float(1 / (1 + np.exp(-x)))


SCALES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "log": (math.log, lambda x: math.exp(min(x, 700))),
    "cloglog": (cloglog, inverse_cloglog),
    "logit": (logit, expit),
    "identity": (float, float),
}
