"""Poisson regression of events on exposure: ratios of piecewise-constant rates."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import linalg

from cxresearch.errors import EstimationError
from cxresearch.estimators.design import Layout, covariates, layout
from cxresearch.estimators.influence import Clusters, add_up, clusters_of, places, robust_error
from cxresearch.estimators.rates import cells_of, edges_of, flows_in, stratum_names
from cxresearch.estimators.results import Result, Vector, coefficients, references
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, instance
from cxresearch.utils.result import plain

_STEPS = 100


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RateFit(Result):
    """A Poisson regression of events on exposure.

    Attributes:
        terms: shape (p,): names of the coefficients, such as ``bad[1+]``.
        coef: shape (p,): log rate ratios.
        se_model: shape (p,): if events were Poisson.
        se: shape (p,): robust, clustered; NaN if it was not asked for.
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
        influence: shape (G, p): how much each cluster (or group) moves the coefficients.
        clusters: whom the errors are summed over; None if they rest on the model.
        references: the level that each feature is compared with, such as ``bad[0]``.
    """

    terms: tuple[str, ...]
    coef: Vector
    se_model: Vector = field(repr=False)  # events can be had from it
    se: Vector
    covariance: NDArray[np.float64]
    baseline: Vector
    baselines: tuple[str, ...]
    loglik: float
    events: int = field(repr=False)
    exposure: int = field(repr=False)
    breaks: tuple[int, ...]
    strata: tuple[str, ...]
    cause: str
    level: float
    influence: NDArray[np.float64]
    clusters: Clusters | None
    references: tuple[str, ...]

    @property
    def unidentified(self) -> NDArray[np.float64]:
        """Directions in which coefficients cannot be had: none, or there would be no fit."""
        return np.empty((0, 0))

    @property
    def df(self) -> int:
        """Degrees of freedom of the limits; 0 if they rest on the model."""
        return self.clusters.df if self.clusters else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values; without the influence of each cluster, which is as confidential as the data."""
        hidden = ("influence", "clusters")
        rest = {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name not in hidden}
        return rest | {"df": self.df}

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
    errors: Literal["robust", "model"] = "robust",
) -> RateFit:
    """Fit a piecewise-exponential model: a Poisson regression of events with log exposure as offset.

    Each interval of each stratum has a separate rate; the terms multiply it. With intervals as short as a day it is
    a Cox model with Breslow's ties.

    Args:
        table: the risk table.
        terms: feature names (dummies), ``linear(name)``, or products ``a:b``, as in `cxresearch.cox`.
        breaks: edges of the intervals, rising, as in `cxresearch.estimators.rates`.
        strata: features with separate baseline rates.
        cause: the event; other causes end the exposure.
        level: confidence level of the limits.
        errors: by influence functions, clustered (default), or model-based only.

    Returns:
        The fit; `cxresearch.contrast` makes rate ratios of it. Intervals without events say nothing about the terms.

    Raises:
        EstimationError: an unknown feature or cause, no events, breaks that do not rise or lie beyond the follow-up,
            collinear terms, or a likelihood without a maximum (a level without events; it is named).
        NotTestable: all events are those of one customer.

    References:
        Friedman (1982), Piecewise exponential models for survival data with covariates, Annals of Statistics 10,
        101-113; Correia, Guimarães & Zylkin (2019), Verifying the existence of maximum likelihood estimates for
        generalized linear models, arXiv:1903.01633.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> fit = cx.estimators.rate_ratios(table, ["bad"], breaks=(0, 90, 365))
        >>> dict(zip(fit.terms, fit.to_polars()["rate_ratio"].round(2)))
        {'bad[1+]': 1.67}
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(terms=terms, breaks=breaks, strata=strata, cause=cause)
    arguments(level=level, errors=errors)
    if not terms:
        raise EstimationError(
            "rate ratios need at least one term; rates without any are those of cxresearch.estimators.rates"
        )
    if table.events(cause) == 0:
        raise EstimationError(f"the table has no events of the cause {cause!r}")
    clusters = clusters_of(table, [cause]) if errors == "robust" else None
    laid = layout(table, terms, strata)
    edges = edges_of(table, breaks)
    cells = cells_of(laid, cause, edges)
    n, d = cells.exposure, cells.events
    names, x = covariates(table, terms, laid.patterns, n.sum(axis=(0, 1)) > 0)
    fitted = _fit(x, n, d, names)
    p = len(names)
    influence = (
        _influence(table, laid, cause=cause, edges=edges, x=x, n=n, fitted=fitted)
        if clusters
        else np.empty((0, p))
    )
    return RateFit(
        terms=names,
        coef=fitted.coef,
        se_model=np.sqrt(np.diag(fitted.covariance)),
        se=robust_error(influence) if clusters else np.full(p, np.nan),
        covariance=fitted.covariance,
        baseline=fitted.baseline,
        baselines=tuple(
            f"{s} ({a}, {b}]".strip()
            for s in stratum_names(table, laid)
            for a, b in pairwise(edges)
        ),
        loglik=fitted.loglik,
        events=int(d.sum()),
        exposure=int(n.sum()),
        breaks=edges,
        strata=tuple(strata),
        cause=cause,
        level=level,
        influence=influence,
        clusters=clusters,
        references=references(table, names),
    )


def _influence(
    table: RiskTable,
    laid: Layout,
    *,
    cause: str,
    edges: tuple[int, ...],
    x: Array,
    n: Array,
    fitted: _Maximum,
) -> Array:
    """How much each cluster moves the coefficients; shape (G, p). The baselines are eliminated.

    A customer counts by the distance of its covariates from the mean of its interval and stratum, weighted by what is
    expected there.
    """
    baseline = np.nan_to_num(fitted.baseline).reshape(n.shape[:2])
    expected = n * baseline[..., None] * np.exp(x @ fitted.coef)
    every = expected.sum(axis=2)
    mean = (expected @ x) / np.where(every > 0, every, 1.0)[..., None]
    place = places(table.population, laid.flows["group"])
    total = np.zeros((table.groups, x.shape[1]))
    for i, (first, last) in enumerate(pairwise(edges)):
        days, events = flows_in(laid, cause, first, last)
        rate = baseline[laid.stratum, i] * np.exp(x @ fitted.coef)[laid.pattern]
        rest = np.where(baseline[laid.stratum, i] > 0, events - days * rate, 0.0)

        def contributions(part: slice, rest: Array = rest, i: int = i) -> Array:
            apart = x[laid.pattern[part]] - mean[laid.stratum[part], i]
            return np.asarray(rest[part][:, None] * apart)

        total += add_up(place, table.groups, x.shape[1], contributions)
    return np.asarray(total @ fitted.covariance)


@dataclass(frozen=True, slots=True, eq=False)
class _Maximum:
    coef: Array
    covariance: NDArray[np.float64]
    baseline: Array
    loglik: float


class _NoMaximumError(EstimationError):
    """The likelihood rises without end.

    Attributes:
        where: the terms along which it does.
    """

    def __init__(self, where: str) -> None:
        super().__init__(
            f"the likelihood has no maximum: {where} has no events, or all that there are; leave the level out with "
            "table.where(…), put levels together, or use cox, which has Firth's penalty"
        )
        self.where = where


def _fit(x: Array, n: Array, d: Array, names: tuple[str, ...]) -> _Maximum:
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
    return _Maximum(
        np.asarray(done.params[b:], dtype=np.float64), covariance, baseline, float(done.llf)
    )


def _check(wide: Array, exits: Array, baselines: int, names: tuple[str, ...]) -> None:
    """Whether there is one maximum: the terms are not collinear, and the likelihood rises for ever in no direction.

    Along a direction that changes no cell with events and raises no other, the likelihood only rises.
    """
    scaled = wide / np.maximum(np.abs(wide).max(axis=0), 1e-300)
    if _rank(scaled) < scaled.shape[1]:
        raise EstimationError(
            f"the terms cannot be distinguished: {', '.join(names)} say the same of every interval"
        )
    if _rank(scaled[exits > 0]) == scaled.shape[1]:
        return
    free = linalg.null_space(scaled[exits > 0], rcond=1e-10)
    drop = scaled[exits == 0] @ free
    from scipy import optimize  # takes a quarter of a second to import

    result = optimize.linprog(drop.sum(axis=0), A_ub=drop, b_ub=np.zeros(len(drop)), bounds=(-1, 1))
    if result.status == 0 and result.fun < -1e-7:
        along = np.abs(free @ result.x)[baselines:]
        raise _NoMaximumError(
            ", ".join(name for name, slope in zip(names, along, strict=True) if slope > 1e-7)
        )


def _rank(x: Array) -> int:
    """The rank, from the correlations of the columns: of many rows, the quick way."""
    products = x.T @ x
    size = np.sqrt(np.maximum(np.diag(products), 1e-300))
    return int(np.linalg.matrix_rank(products / np.outer(size, size), tol=1e-9, hermitian=True))
