"""Piecewise-constant hazards: events by exposure, rate ratios, and expected events in a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError
from cxresearch.estimators.design import Layout, layout
from cxresearch.estimators.distributions import chi2_quantile
from cxresearch.estimators.influence import clusters_of, places
from cxresearch.estimators.intervals import FEW, quantile
from cxresearch.estimators.results import Result, Vector
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, instance


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
    time = flows["time"].to_numpy().astype(np.int64)
    first, last = int(time.min()), int(time.max())
    stratum = np.zeros(flows.height, dtype=np.int64)
    for name in strata:
        stratum = stratum * len(table.feature(name).levels) + flows[name].to_numpy()
    shape = (int(stratum.max()) + 1, last - first + 1, len(levels))
    place = (stratum * shape[1] + time - first) * shape[2] + flows[feature].to_numpy()

    def counted(places: NDArray[np.int64], n: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(places, n, minlength=prod(shape)).astype(np.float64).reshape(shape)

    net = counted(place, flows["entered"].to_numpy().astype(np.int64) - flows["left"].to_numpy())
    left = flows[cause].to_numpy()
    happened = np.flatnonzero(left)
    events = counted(place[happened], left[happened])
    at_risk = np.cumsum(net, axis=1) - net
    hazard = events.sum(axis=2) / np.maximum(at_risk.sum(axis=2), 1)
    expected = (at_risk * hazard[:, :, None]).sum(axis=(0, 1))
    return pl.DataFrame(
        {
            "level": list(levels),
            "expected": expected,
            "observed": events.sum(axis=(0, 1)).astype(np.int64),
        }
    )


def exposure_by_level(table: RiskTable, feature: str) -> dict[str, float]:
    """Time at risk by level of a feature, in customer-days (contacts on the contact clock).

    Args:
        table: a risk table.
        feature: whose levels.
    """
    time = pl.col("time").cast(pl.Int64)
    out = (time * (pl.col("left").cast(pl.Int64) - pl.col("entered").cast(pl.Int64))).sum()
    counted = dict(table.flows.group_by(feature).agg(days=out).iter_rows())
    return {
        level: float(counted.get(i, 0)) for i, level in enumerate(table.feature(feature).levels)
    }


def edges_of(table: RiskTable, breaks: Sequence[int]) -> tuple[int, ...]:
    """The edges of the intervals; all of the follow-up as one where no breaks are given.

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
class ExposureCells:
    """Exposure and events, each of shape (strata, intervals, patterns)."""

    exposure: Array
    events: Array


def cells_of(laid: Layout, cause: str, edges: tuple[int, ...]) -> ExposureCells:
    """Sum the flows of a table into cells.

    Args:
        laid: from `design.layout`.
        cause: whose events.
        edges: from `edges_of`.
    """
    strata, patterns = laid.strata.height, laid.patterns.height
    place, total = laid.stratum * patterns + laid.pattern, strata * patterns

    def summed(weight: Array) -> Array:
        return np.bincount(place, weight, total).astype(np.float64).reshape(strata, patterns)

    pieces = [flows_in(laid, cause, a, b) for a, b in pairwise(edges)]
    days, exits = (np.stack([summed(p[i]) for p in pieces], axis=1) for i in (0, 1))
    return ExposureCells(days, exits)


def flows_in(laid: Layout, cause: str, first: int, last: int) -> tuple[Array, Array]:
    """What each flow adds to exposure and events in the interval (first, last]."""
    time = laid.flows["time"].to_numpy().astype(np.int64)
    net = laid.flows.select(pl.col("entered").cast(pl.Int64) - pl.col("left")).to_series()
    events = laid.flows[cause].to_numpy().astype(np.float64)
    inside = (time > first) & (time <= last)
    return net.to_numpy() * (last - np.clip(time, first, last)).astype(np.float64), events * inside


def stratum_names(table: RiskTable, laid: Layout) -> list[str]:
    """What each stratum is called."""
    features = [table.feature(s) for s in laid.strata.columns if s]
    rows = laid.strata.iter_rows(named=True)
    return [", ".join(f"{f.name}={f.levels[row[f.name]]}" for f in features) for row in rows]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
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
        se: shape (C,): robust error of the log rate; NaN where the limits are exact ones.
        se_model: shape (C,): the same if events were Poisson, 1/√events; NaN without events.
        level: confidence level.
        df: degrees of freedom of the robust limits; 0 if all limits are exact Poisson limits.
        errors: what robust limits rest on, as `Estimate.errors`.
    """

    cause: str
    clock: str
    strata: tuple[str, ...]
    stratum: tuple[str, ...]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    events: NDArray[np.int64] = field(repr=False)
    exposure: NDArray[np.int64] = field(repr=False)
    rate: Vector
    low: Vector
    high: Vector
    se: Vector
    se_model: Vector = field(repr=False)  # events can be had from it
    level: float
    df: int
    errors: str

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
    errors: Literal["robust", "model"] = "robust",
) -> Rates:
    """Event rates: events of a cause divided by the days at risk, by interval of the clock.

    Args:
        table: the risk table; features that are not strata are summed over.
        breaks: edges of the intervals, rising; (0, 30, 365) makes (0, 30] and (30, 365]. Time outside them is not
            looked at. One interval over all of the follow-up when not given.
        strata: features by whose levels the rates are shown.
        cause: the event.
        level: confidence level of the limits.
        errors: by influence functions, clustered (default), with limits symmetric in the log rate; or the model: exact
            limits (Garwood) for independent Poisson counts. Cells with fewer than 20 events always have exact limits,
            because the robust error of so few is itself a guess.

    Returns:
        The rates. A cell without events has rate 0, lower limit 0 and an exact upper limit.

    Raises:
        EstimationError: an unknown feature or cause, or breaks that do not rise or lie beyond the follow-up.
        NotTestable: all events are those of one customer.

    References:
        Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28, 437-442.

    Example:
        >>> import cxresearch as cx
        >>> import polars as pl
        >>> from cxresearch.risk.from_rows import from_rows
        >>> rows = pl.DataFrame({"id": [1, 2, 3, 4], "start": [0, 0, 0, 5], "stop": [10, 4, 20, 20]})
        >>> table = from_rows(rows.with_columns(event=pl.Series([1, 1, 0, 0])), [])
        >>> result = cx.estimators.rates(table, breaks=(0, 5, 20), errors="model")
        >>> result.to_polars().select("start", "stop", "events", "exposure").rows()
        [(0, 5, 1, 14), (5, 20, 1, 35)]
        >>> result.rate.round(4).tolist()
        [0.0714, 0.0286]
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(breaks=breaks, strata=strata, cause=cause, level=level, errors=errors)
    table.events(cause)  # names a wrong cause
    clusters = clusters_of(table, [cause]) if errors == "robust" else None
    laid = layout(table, (), strata)
    edges = edges_of(table, breaks)
    cells = cells_of(laid, cause, edges)
    n, d = (part[..., 0].ravel() for part in (cells.exposure, cells.events))
    used = n > 0
    rate, many = d[used] / n[used], d[used] >= FEW
    low, high = _exact(d[used], n[used], level)
    se = np.full(len(rate), np.nan)
    if clusters and many.any():
        squares = _squares(table, laid, cause=cause, edges=edges, n=n, d=d)[used]
        se[many] = np.sqrt(squares[many])
        half = quantile(level, clusters.df) * se[many]
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
        df=clusters.df if clusters else 0,
        errors=clusters.by if clusters else "model",
    )


def _squares(
    table: RiskTable,
    laid: Layout,
    *,
    cause: str,
    edges: tuple[int, ...],
    n: Array,
    d: Array,
) -> Array:
    """The sum of squares over clusters of what each adds to the log rates; shape (cells,), strata by intervals."""
    place, pieces = places(table.population, laid.flows["group"]), len(edges) - 1
    result = np.zeros(len(n))
    for i, (first, last) in enumerate(pairwise(edges)):
        exposure, events = flows_in(laid, cause, first, last)
        cell = laid.stratum * pieces + i
        moves = events / np.maximum(d[cell], 1) - exposure / np.maximum(n[cell], 1e-300)
        strata = laid.strata.height
        by = np.bincount(place * strata + laid.stratum, moves, table.groups * strata)
        result[i::pieces] = (by.reshape(-1, strata) ** 2).sum(axis=0)
    return result


def _exact(events: Array, exposure: Array, level: float) -> tuple[Array, Array]:
    """Garwood's limits of a rate."""
    tail = (1 - level) / 2
    low = np.where(events > 0, chi2_quantile(tail, np.maximum(2 * events, 1)) / 2, 0.0)
    return low / exposure, chi2_quantile(1 - tail, 2 * events + 2) / 2 / exposure
