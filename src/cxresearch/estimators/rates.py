"""Piecewise-constant hazards: events by exposure, rate ratios, and expected events in a cell."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import linalg, optimize, stats

from cxresearch.checks import arguments, instance
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.design import Layout, covariates, layout
from cxresearch.estimators.intervals import FEW, quantile
from cxresearch.estimators.jackknife import enough_groups, jackknife
from cxresearch.estimators.results import Result, Vector, coefficients, references
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable


def expected_events(
    table: RiskTable, feature: str, cause: str = "defection", strata: tuple[str, ...] = ()
) -> pl.DataFrame:
    """Exposure times the pooled hazard of each stratum and time, by level of a feature.

    Zero observed where many are expected is evidence; few expected is none, whatever was observed.

    Args:
        table: a risk table.
        feature: whose levels.
        cause: the event.
        strata: features whose levels have a hazard each.

    Returns:
        One row per level: level, expected, observed.

    Raises:
        EstimationError: an unknown feature or cause, or no events at all.
    """
    levels, flows = table.feature(feature).levels, table.flows
    if table.events(cause) == 0:
        raise EstimationError(f"the table has no events of the cause {cause!r}")
    first, last = (
        int(t) for t in flows.select(pl.col("time").min(), last=pl.col("time").max()).row(0)
    )
    stratum = np.zeros(flows.height, dtype=np.int64)
    for name in strata:
        stratum = stratum * len(table.feature(name).levels) + flows[name].to_numpy()
    shape = (int(stratum.max()) + 1, last - first + 1, len(levels))
    place = (stratum * shape[1] + flows["time"].to_numpy() - first) * shape[2] + flows[
        feature
    ].to_numpy()

    def counted(column: str) -> NDArray[np.float64]:
        return (
            np.bincount(place, flows[column].to_numpy(), minlength=prod(shape))
            .astype(np.float64)
            .reshape(shape)
        )

    net = counted("entered") - counted("left")
    at_risk, events = np.cumsum(net, axis=1) - net, counted(cause)
    hazard = events.sum(axis=2) / np.maximum(at_risk.sum(axis=2), 1)
    expected = (at_risk * hazard[:, :, None]).sum(axis=(0, 1))
    return pl.DataFrame(
        {
            "level": list(levels),
            "expected": expected,
            "observed": events.sum(axis=(0, 1)).astype(np.int64),
        }
    )


def edges_of(table: RiskTable, breaks: Sequence[int]) -> tuple[int, ...]:
    """The edges of the intervals; the whole follow-up as one where no breaks are given.

    Raises:
        EstimationError: they do not rise, or lie beyond the follow-up; or nobody is at risk.
    """
    seen = table.flows.filter((pl.col("entered") > 0) | (pl.col("left") > 0))["time"]
    if seen.is_empty():
        raise EstimationError("the table has nobody at risk")
    first, last = int(seen.min()), int(seen.max())  # type: ignore[arg-type]
    edges = tuple(breaks) or (first, last)
    if any(isinstance(b, bool) or b % 1 != 0 for b in edges):
        raise EstimationError(
            f"breaks must be whole numbers on the {table.clock} clock, were {list(edges)}"
        )
    edges = tuple(int(b) for b in edges)
    if len(edges) < 2 or any(a >= b for a, b in pairwise(edges)):
        raise EstimationError(
            f"breaks must rise and be at least two, such as (0, 30, 365); they were {list(edges)}"
        )
    for edge, fine in ((edges[0], edges[0] >= min(first, 0)), (edges[-1], edges[-1] <= last)):
        if not fine:
            raise EstimationError(
                f"breaks must lie between {min(first, 0)} and {last} (the follow-up on the {table.clock} clock), "
                f"one was {edge}"
            )
    return edges


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Exposure and events, each of shape (G, strata, intervals, patterns), by group of the table."""

    groups: NDArray[np.int64]
    exposure: Array
    events: Array


def cells_of(laid: Layout, cause: str, edges: tuple[int, ...]) -> Cells:
    """Sum the flows of a table into cells.

    Args:
        laid: from `design.layout`.
        cause: whose events.
        edges: from `edges_of`.
    """
    flows, time = laid.flows, laid.flows["time"].to_numpy().astype(np.int64)
    groups, group = np.unique(flows["group"].to_numpy(), return_inverse=True)
    net = (
        flows.select(pl.col("entered").cast(pl.Int64) - pl.col("left"))
        .to_series()
        .to_numpy()
        .astype(np.float64)
    )
    events = flows[cause].to_numpy().astype(np.float64)
    sizes = (len(groups), laid.strata.height, len(edges) - 1, laid.patterns.height)
    place = (group * sizes[1] + laid.stratum) * sizes[3] + laid.pattern
    total = sizes[0] * sizes[1] * sizes[3]

    def summed(weight: Array) -> Array:
        return (
            np.bincount(place, weight, total)
            .astype(np.float64)
            .reshape(sizes[0], sizes[1], sizes[3])
        )

    days = [summed(net * (b - np.clip(time, a, b))) for a, b in pairwise(edges)]
    exits = [summed(events * ((time > a) & (time <= b))) for a, b in pairwise(edges)]
    return Cells(groups, np.stack(days, axis=2), np.stack(exits, axis=2))


def stratum_names(table: RiskTable, laid: Layout) -> list[str]:
    """What each stratum is called."""
    features = [table.feature(s) for s in laid.strata.columns if s]
    rows = laid.strata.iter_rows(named=True)
    return [", ".join(f"{f.name}={f.levels[row[f.name]]}" for f in features) for row in rows]


@dataclass(frozen=True, slots=True, eq=False)
class Rates(Result):
    """Event rates by stratum and interval of the clock; one entry per cell with anybody at risk.

    Attributes:
        cause: whose events.
        clock: what time counts.
        strata: features by which the rates are shown.
        stratum: shape (C,): the stratum of each cell, such as ``segment=a``; empty without strata.
        start: shape (C,): the interval is (start, stop].
        stop: shape (C,).
        events: shape (C,).
        exposure: shape (C,): customer-days (contacts on the contact clock).
        rate: shape (C,): events per customer-day.
        low: shape (C,): lower limit.
        high: shape (C,): upper limit.
        se: shape (C,): delete-a-group jackknife error of the log rate; NaN where the limits are exact ones.
        se_model: shape (C,): the same if events were Poisson, 1/√events; NaN without events.
        level: confidence level.
        groups: groups of the jackknife; 0 if all limits are exact Poisson limits.
    """

    cause: str
    clock: str
    strata: tuple[str, ...]
    stratum: tuple[str, ...]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    events: NDArray[np.int64]
    exposure: NDArray[np.int64]
    rate: Vector
    low: Vector
    high: Vector
    se: Vector
    se_model: Vector
    level: float
    groups: int

    def to_polars(self) -> pl.DataFrame:
        """One row per cell."""
        names = ("start", "stop", "events", "exposure", "rate", "low", "high", "se", "se_model")
        cells = {"stratum": list(self.stratum)} if self.strata else {}
        return pl.DataFrame({**cells, **{n: getattr(self, n) for n in names}}).with_columns(
            pl.col(pl.Float64).fill_nan(None)
        )


def rates(
    table: RiskTable,
    *,
    breaks: Sequence[int] = (),
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
    errors: Literal["jackknife", "model"] = "jackknife",
    groups: int = 100,
) -> Rates:
    """Event rates: events of a cause divided by the days at risk, by interval of the clock.

    Args:
        table: the risk table; features that are not strata are summed over.
        breaks: edges of the intervals, rising; (0, 30, 365) makes (0, 30] and (30, 365]. Time outside them is not
            looked at. One interval over all of the follow-up when not given.
        strata: features by whose levels the rates are shown.
        cause: the event.
        level: confidence level of the limits.
        errors: delete-a-group jackknife (default), whose limits are symmetric in the log rate; or the model: exact
            limits (Garwood) for independent Poisson counts. Cells with fewer than 20 events always have exact limits,
            because leaving out a few events in turn says little, and leaving out none says nothing.
        groups: most groups to use; fewer where 20 clusters and 5 events in each need it.

    Returns:
        The rates. A cell without events has rate 0, lower limit 0 and an exact upper limit.

    Raises:
        EstimationError: an unknown feature or cause, or breaks that do not rise or lie beyond the follow-up.
        NotTestable: too few customers or events for a jackknife.

    References:
        Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28, 437-442.

    Example:
        >>> import cxresearch as cx
        >>> import polars as pl
        >>> from cxresearch.risk.from_rows import from_rows
        >>> rows = pl.DataFrame({"id": [1, 2, 3, 4], "start": [0, 0, 0, 5], "stop": [10, 4, 20, 20]})
        >>> table = from_rows(rows.with_columns(event=pl.Series([1, 1, 0, 0])), [])
        >>> found = cx.estimators.rates(table, breaks=(0, 5, 20), errors="model")
        >>> found.to_polars().select("start", "stop", "events", "exposure").rows()
        [(0, 5, 1, 14), (5, 20, 1, 35)]
        >>> found.rate.round(4).tolist()
        [0.0714, 0.0286]
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(breaks=breaks, strata=strata, cause=cause, level=level, errors=errors, groups=groups)
    if errors == "jackknife":
        table = enough_groups(table, cause, groups)
    table.events(cause)  # names a wrong cause
    laid = layout(table, (), strata)
    edges = edges_of(table, breaks)
    cells = cells_of(laid, cause, edges)
    n, d = (part.sum(axis=0)[..., 0].ravel() for part in (cells.exposure, cells.events))
    used = n > 0
    rate, many = d[used] / n[used], d[used] >= FEW
    low, high = _exact(d[used], n[used], level)
    se = np.full(len(rate), np.nan)
    if errors == "jackknife" and many.any():
        at = np.flatnonzero(used)[many]
        own_n, own_d = (
            part[..., 0].reshape(len(cells.groups), -1)[:, at]
            for part in (cells.exposure, cells.events)
        )
        many[many] = alone = ((d[at] - own_d) > 0).all(
            axis=0
        )  # all events in one group: nothing to compare
        at, own_n, own_d = at[alone], own_n[:, alone], own_d[:, alone]
        result = jackknife(
            np.log(d[at] / n[at]),
            lambda g: np.log((d[at] - own_d[g]) / (n[at] - own_n[g])),
            len(own_n),
        )
        se[many] = result.se
        half = quantile(level, result.groups) * result.se
        low[many], high[many] = rate[many] * np.exp(-half), rate[many] * np.exp(half)
    named = [(s, a, b) for s in stratum_names(table, laid) for a, b in pairwise(edges)]
    kept = [cell for cell, there in zip(named, used, strict=True) if there]
    return Rates(
        cause=cause,
        clock=table.clock,
        strata=tuple(strata),
        stratum=tuple(s for s, _, _ in kept),
        start=np.array([a for _, a, _ in kept]),
        stop=np.array([b for _, _, b in kept]),
        events=d[used].astype(np.int64),
        exposure=n[used].astype(np.int64),
        rate=rate,
        low=low,
        high=high,
        se=se,
        se_model=np.where(d[used] > 0, 1 / np.sqrt(np.maximum(d[used], 1)), np.nan),
        level=level,
        groups=len(cells.groups) if errors == "jackknife" else 0,
    )


def _exact(events: Array, exposure: Array, level: float) -> tuple[Array, Array]:
    """Garwood's limits of a rate."""
    tail = (1 - level) / 2
    low = np.where(events > 0, stats.chi2.ppf(tail, np.maximum(2 * events, 1)) / 2, 0.0)
    return low / exposure, stats.chi2.ppf(1 - tail, 2 * events + 2) / 2 / exposure


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
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(terms=terms, breaks=breaks, strata=strata, cause=cause)
    arguments(level=level, errors=errors, groups=groups)
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
                raise NotTestable(
                    "too_few", f"events of {e.where} in more than one group of customers"
                ) from None
            return beta

        result = jackknife(top.coef, without, len(cells.groups))
        se, replicates = result.se, result.replicates
    return RateFit(
        terms=names,
        coef=top.coef,
        se_model=np.sqrt(np.diag(top.covariance)),
        se=se,
        covariance=top.covariance,
        baseline=top.baseline,
        baselines=tuple(
            f"{s} ({a}, {b}]".strip()
            for s in stratum_names(table, laid)
            for a, b in pairwise(edges)
        ),
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
        raise EstimationError(
            f"the model with {', '.join(names)} did not converge in {_STEPS} steps"
        )
    b = len(live)
    baseline = np.where(n.sum(axis=1) > 0, 0.0, np.nan)
    baseline[live] = np.exp(done.params[:b])
    covariance = np.asarray(done.cov_params(), dtype=np.float64)[b:, b:]
    return _Top(
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
        raise _NoMaximumError(
            ", ".join(name for name, slope in zip(names, along, strict=True) if slope > 1e-7)
        )


def _rank(x: Array) -> int:
    """The rank, from the correlations of the columns: of many rows, the quick way."""
    products = x.T @ x
    size = np.sqrt(np.maximum(np.diag(products), 1e-300))
    return int(np.linalg.matrix_rank(products / np.outer(size, size), tol=1e-9, hermitian=True))
