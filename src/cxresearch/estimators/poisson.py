"""The maximum of the likelihood of piecewise-constant hazards: a Poisson model of events by exposure."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from cxresearch.errors import EstimationError
from cxresearch.estimators.risk_sets import Array

_STEPS = 100


@dataclass(frozen=True, slots=True, eq=False)
class PoissonFit:
    """The maximum of the likelihood of rates.

    Attributes:
        coef: shape (p,): of the terms.
        covariance: shape (p, p): of `coef`, by the model.
        baseline: shape (strata * intervals,): rate per day; NaN without exposure.
        loglik: at the maximum.
    """

    coef: Array
    covariance: NDArray[np.float64]
    baseline: Array
    loglik: float


class NoMaximumError(EstimationError):
    """The likelihood climbs without end.

    Attributes:
        where: the terms along which it does.
    """

    def __init__(self, where: str) -> None:
        super().__init__(
            f"the likelihood has no maximum: {where} has no events, or all that there are; leave the level out with "
            "table.where(…), put levels together, or use cox, which has Firth's penalty"
        )
        self.where = where


def fit_poisson(x: Array, n: Array, d: Array, names: tuple[str, ...]) -> PoissonFit:
    """The maximum over terms and baselines.

    Args:
        x: shape (P, p): covariates of each pattern.
        n: shape (strata, intervals, P): exposure, in customer-days.
        d: shape (strata, intervals, P): events.
        names: of the terms, for errors.

    Raises:
        EstimationError: the terms cannot be told apart, or the search does not end.
        NoMaximumError: the likelihood climbs without end.
    """
    import statsmodels.api as sm  # takes seconds to import

    blocks = n.shape[0] * n.shape[1]
    n, d = n.reshape(blocks, -1), d.reshape(blocks, -1)
    live = np.flatnonzero(d.sum(axis=1) > 0)  # the others have rate 0 whatever the terms are
    block, pattern = np.nonzero(n[live] > 0)
    days, exits = n[live][block, pattern], d[live][block, pattern]
    dummies = np.eye(len(live))[block]
    wide = np.hstack([dummies, x[pattern]])
    _check(wide, exits, len(live), names)
    first = np.log(d[live].sum(axis=1) / n[live].sum(axis=1))
    begin = np.concatenate([first, np.zeros(x.shape[1])])
    model = sm.GLM(exits, wide, family=sm.families.Poisson(), offset=np.log(days))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter(
            "ignore"
        )  # as many terms as cells are a perfect fit, and there is one maximum all the same
        done: Any = model.fit(start_params=begin, maxiter=_STEPS, tol=1e-10, tol_criterion="params")
    if not done.converged:
        raise EstimationError(
            f"the model with {', '.join(names)} did not converge in {_STEPS} steps"
        )
    b = len(live)
    baseline = np.where(n.sum(axis=1) > 0, 0.0, np.nan)
    baseline[live] = np.exp(done.params[:b])
    covariance = np.asarray(done.cov_params(), dtype=np.float64)[b:, b:]
    return PoissonFit(
        np.asarray(done.params[b:], dtype=np.float64), covariance, baseline, float(done.llf)
    )


def _check(wide: Array, exits: Array, baselines: int, names: tuple[str, ...]) -> None:
    """Whether there is one maximum: terms can be told apart, and no direction lets the likelihood climb for ever.

    Along a direction that changes no cell with events and raises no other, the likelihood only rises.
    """
    scaled = wide / np.maximum(np.abs(wide).max(axis=0), 1e-300)
    if _rank(scaled) < scaled.shape[1]:
        raise EstimationError(
            f"the terms cannot be told apart: {', '.join(names)} say the same of every interval"
        )
    if _rank(scaled[exits > 0]) == scaled.shape[1]:
        return
    free = linalg.null_space(scaled[exits > 0], rcond=1e-10)
    drop = scaled[exits == 0] @ free
    result = optimize.linprog(drop.sum(axis=0), A_ub=drop, b_ub=np.zeros(len(drop)), bounds=(-1, 1))
    if result.status == 0 and result.fun < -1e-7:
        along = np.abs(free @ result.x)[baselines:]
        raise NoMaximumError(
            ", ".join(name for name, slope in zip(names, along, strict=True) if slope > 1e-7)
        )


def _rank(x: Array) -> int:
    """The rank, from the correlations of the columns: of many rows, the quick way."""
    products = x.T @ x
    size = np.sqrt(np.maximum(np.diag(products), 1e-300))
    return int(np.linalg.matrix_rank(products / np.outer(size, size), tol=1e-9, hermitian=True))
