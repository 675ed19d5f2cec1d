"""Ratios of piecewise-constant hazards: a Poisson regression of events, with log exposure as offset.

References:
    Holford (1980), The analysis of rates and of survivorship using log-linear models, Biometrics 36, 299-305;
    Laird & Olivier (1981), Covariance analysis of censored survival data using log-linear analysis techniques, Journal
    of the American Statistical Association 76, 231-240.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import linalg, optimize

from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.design import covariates, layout
from cxresearch.estimators.exposure import cells_of, edges_of, stratum_names
from cxresearch.estimators.jackknife import enough_groups, jackknife
from cxresearch.estimators.references import references
from cxresearch.estimators.results import Result, Vector, coefficients
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable

_STEPS = 100


@dataclass(frozen=True, slots=True, eq=False)
class RateFit(Result):
    """A Poisson regression of events on exposure.

    Attributes:
        terms: shape (p,): names of the coefficients, such as ``bad[1+]``.
        coef: shape (p,): log rate ratios.
        se_model: shape (p,): if events were Poisson.
        se: shape (p,): delete-a-group jackknife; NaN if it was not asked for.
        covariance: shape (p, p): model-based.
        baseline: shape (B,): rate per customer-day where all terms are 0, by stratum and interval; 0 where nobody left,
            NaN where nobody was at risk.
        baselines: shape (B,): what they are the rates of, such as ``segment=a (0, 30]``.
        loglik: maximised log-likelihood, constants included.
        events: how many.
        exposure: customer-days.
        breaks: edges of the intervals.
        strata: features by which the baseline may differ.
        cause: the event.
        level: confidence level.
        groups: groups of the jackknife; 0 if there was none.
        replicates: shape (groups, p): the coefficients without each group.
        references: the level that each feature is compared with, such as ``bad[0]``.
    """

    terms: tuple[str, ...]
    coef: Vector
    se_model: Vector
    se: Vector
    covariance: NDArray[np.float64]
    baseline: Vector
    baselines: tuple[str, ...]
    loglik: float
    events: int
    exposure: int
    breaks: tuple[int, ...]
    strata: tuple[str, ...]
    cause: str
    level: float
    groups: int
    replicates: NDArray[np.float64]
    references: tuple[str, ...]

    def to_polars(self) -> pl.DataFrame:
        """One row per coefficient: term, coef, rate ratio, limits, both errors."""
        return coefficients(self, "rate_ratio")


def rate_ratios(
    table: RiskTable,
    terms: Sequence[str],
    *,
    breaks: Sequence[int] = (),
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
    errors: Literal["jackknife", "model"] = "jackknife",
    groups: int = 100,
) -> RateFit:
    """Fit a piecewise-exponential model: a Poisson regression of events with log exposure as offset.

    Each interval of each stratum has a rate of its own; the terms multiply it. With intervals as short as a day it is
    a Cox model with Breslow's ties.

    Args:
        table: the risk table.
        terms: feature names (dummies), ``linear(name)``, or products ``a:b``, as in `cxresearch.cox`.
        breaks: edges of the intervals, rising, as in `cxresearch.estimators.rates`.
        strata: features with baseline rates of their own.
        cause: the event; other causes end the exposure.
        level: confidence level of the limits.
        errors: delete-a-group jackknife (default), or model-based only.
        groups: most groups to use; fewer where 20 clusters and 5 events in each need it.

    Returns:
        The fit; `cxresearch.contrast` makes rate ratios of it. Intervals without events say nothing about the terms.

    Raises:
        EstimationError: an unknown feature or cause, no events, breaks that do not rise or lie beyond the follow-up,
            terms that cannot be told apart, or a likelihood without a maximum (a level without events; it is named).
        NotTestable: too few customers or events for a jackknife, or a level whose events lie in one of its groups.

    References:
        Friedman (1982), Piecewise exponential models for survival data with covariates, Annals of Statistics 10,
        101-113; Correia, Guimarães & Zylkin (2019), Verifying the existence of maximum likelihood estimates for
        generalized linear models, arXiv:1903.01633.
    """
    if not terms:
        raise EstimationError(
            "rate ratios need at least one term; rates without any are those of cxresearch.estimators.rates"
        )
    if errors == "jackknife":
        table = enough_groups(table, cause, groups)
    if table.events(cause) == 0:
        raise EstimationError(f"the table has no events of the cause {cause!r}")
    laid = layout(table, terms, strata)
    edges = edges_of(table, breaks)
    cells = cells_of(laid, cause, edges)
    n, d = cells.exposure.sum(axis=0), cells.events.sum(axis=0)
    names, x = covariates(table, terms, laid.patterns, n.sum(axis=(0, 1)) > 0)
    top = _fit(x, n, d, names)
    p = len(names)
    se, replicates = np.full(p, np.nan), np.empty((0, p))
    if errors == "jackknife":

        def without(g: int) -> Array:
            less_n, less_d = n - cells.exposure[g], d - cells.events[g]
            live = (less_n.sum(axis=(0, 1)) @ np.abs(x)) > 0
            beta = top.coef.copy()  # a term that only one group ever touches keeps its value
            here = tuple(name for name, there in zip(names, live, strict=True) if there)
            try:
                beta[live] = _fit(x[:, live], less_n, less_d, here, top.coef[live]).coef
            except _NoMaximumError as e:
                raise NotTestable(f"events of {e.where} in more than one group of customers") from None
            return beta

        found = jackknife(top.coef, without, len(cells.groups))
        se, replicates = found.se, found.replicates
    return RateFit(
        terms=names,
        coef=top.coef,
        se_model=np.sqrt(np.diag(top.covariance)),
        se=se,
        covariance=top.covariance,
        baseline=top.baseline,
        baselines=tuple(f"{s} ({a}, {b}]".strip() for s in stratum_names(table, laid) for a, b in pairwise(edges)),
        loglik=top.loglik,
        events=int(d.sum()),
        exposure=int(n.sum()),
        breaks=edges,
        strata=tuple(strata),
        cause=cause,
        level=level,
        groups=len(replicates),
        replicates=replicates,
        references=references(table, names),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Top:
    coef: Array
    covariance: NDArray[np.float64]
    baseline: Array
    loglik: float


class _NoMaximumError(EstimationError):
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


def _fit(x: Array, n: Array, d: Array, names: tuple[str, ...], start: Array | None = None) -> _Top:
    """The maximum over terms and baselines; exposure and events of shape (strata, intervals, patterns)."""
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
    begin = np.concatenate([first, np.zeros(x.shape[1]) if start is None else start])
    model = sm.GLM(exits, wide, family=sm.families.Poisson(), offset=np.log(days))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter(
            "ignore"
        )  # as many terms as cells are a perfect fit, and there is one maximum all the same
        done: Any = model.fit(start_params=begin, maxiter=_STEPS, tol=1e-10, tol_criterion="params")
    if not done.converged:
        raise EstimationError(f"the model with {', '.join(names)} did not converge in {_STEPS} steps")
    b = len(live)
    baseline = np.where(n.sum(axis=1) > 0, 0.0, np.nan)
    baseline[live] = np.exp(done.params[:b])
    covariance = np.asarray(done.cov_params(), dtype=np.float64)[b:, b:]
    return _Top(np.asarray(done.params[b:], dtype=np.float64), covariance, baseline, float(done.llf))


def _check(wide: Array, exits: Array, baselines: int, names: tuple[str, ...]) -> None:
    """Whether there is one maximum: terms can be told apart, and no direction lets the likelihood climb for ever.

    Along a direction that changes no cell with events and raises no other, the likelihood only rises.
    """
    scaled = wide / np.maximum(np.abs(wide).max(axis=0), 1e-300)
    if _rank(scaled) < scaled.shape[1]:
        raise EstimationError(f"the terms cannot be told apart: {', '.join(names)} say the same of every interval")
    if _rank(scaled[exits > 0]) == scaled.shape[1]:
        return
    free = linalg.null_space(scaled[exits > 0], rcond=1e-10)
    drop = scaled[exits == 0] @ free
    found = optimize.linprog(drop.sum(axis=0), A_ub=drop, b_ub=np.zeros(len(drop)), bounds=(-1, 1))
    if found.status == 0 and found.fun < -1e-7:
        along = np.abs(free @ found.x)[baselines:]
        raise _NoMaximumError(", ".join(name for name, slope in zip(names, along, strict=True) if slope > 1e-7))


def _rank(x: Array) -> int:
    """The rank, from the correlations of the columns: of many rows, the quick way."""
    products = x.T @ x
    size = np.sqrt(np.maximum(np.diag(products), 1e-300))
    return int(np.linalg.matrix_rank(products / np.outer(size, size), tol=1e-9, hermitian=True))
