"""Cumulative incidence with ties, delayed entry and competing causes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import NotTestable, ShortFollowUp
from cxresearch.estimators.influence import Clusters, clusters_of, places, robust_error
from cxresearch.estimators.intervals import FEW, cloglogs, inverse_cloglogs, quantile
from cxresearch.estimators.results import Estimate, Incidence, Vector, estimate, wilson
from cxresearch.risk.table import AtRisk, RiskTable, at_risk
from cxresearch.utils.checks import arguments, instance

_POINTS = 200  # times at which the band around a curve is computed
_AT_ONCE = 4_000_000  # numbers in the largest array of a batch of clusters


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Curve:
    """The bare estimate.

    Attributes:
        times: shape (T,).
        incidence: shape (C, T): by cause, in the order asked for.
        at_risk: shape (T,).
        survival: shape (T,): probability to be still there after each time.
        events: shape (C, T).
    """

    times: NDArray[np.int64]
    incidence: NDArray[np.float64]
    at_risk: Vector
    survival: Vector
    events: NDArray[np.float64]


def incidence(
    table: RiskTable,
    cause: str = "defection",
    *,
    min_at_risk: int = 10,
    level: float = 0.95,
    errors: Literal["robust", "model"] = "robust",
) -> Incidence:
    """Tied Aalen–Johansen incidence of a cause; with a single cause, one minus Kaplan–Meier.

    Args:
        table: its features are summed over; take `RiskTable.where` for a part of it.
        cause: whose incidence.
        min_at_risk: the estimate starts where that many are at risk, and is conditional on being there; the support
            ends where the data are worth fewer customers than this (at risk / probability to be still there).
        level: confidence level of the pointwise limits, symmetric in log(-log(1 - p)).
        errors: by influence functions, clustered (default), or the Greenwood-type variance; that also where all events
            are those of one customer.

    Raises:
        EstimationError: no such cause.
        NotTestable: never `min_at_risk` at risk.

    References:
        Aalen & Johansen (1978), Scandinavian Journal of Statistics 5, 141-150; Betensky & Schoenfeld (2001),
        Biometrics 57, 282-286.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> curve = cx.incidence(cx.risk_table(study))
        >>> print(curve.at(365))
        0.441 (0.41 to 0.474)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(cause=cause, min_at_risk=min_at_risk, level=level, errors=errors)
    table.events(cause)
    causes = (cause, *(c for c in table.causes[1:] if c != cause))
    start = first_time(table, min_at_risk)
    curve = aalen_johansen(table, causes, start)
    se_model = _greenwood(curve)
    value = curve.incidence[0]
    clusters = _clusters(table, (cause,)) if errors == "robust" else None
    error = se_model
    if clusters:
        keep = np.unique(
            np.linspace(0, len(curve.times) - 1, min(_POINTS, len(curve.times))).astype(int)
        )
        points = curve.times[keep]
        errors_there = robust_error(curve_influence(table, causes, start, points))
        error = np.interp(curve.times, points, errors_there)
    inside = (value > 0) & (value < 1)
    slope = np.where(inside, -np.log1p(-np.where(inside, value, 0.5)) * (1 - value), 1.0)
    df = clusters.df if clusters else 0
    half = quantile(level, df) * error / slope
    middle = cloglogs(value)
    none = value <= 0
    low = np.where(none, 0.0, inverse_cloglogs(middle - half))
    high = np.where(none, 0.0, inverse_cloglogs(middle + half))
    return Incidence(
        cause=cause,
        clock=table.clock,
        times=curve.times.astype(np.float64),
        incidence=value,
        low=low,
        high=high,
        at_risk=curve.at_risk,
        se_model=se_model,
        start=start,
        support=support(curve, min_at_risk),
        level=level,
        df=df,
        errors=clusters.by if clusters else "model",
        min_cell=table.min_cell,
    )


def incidence_at(
    table: RiskTable,
    horizon: int,
    cause: str = "defection",
    *,
    against: str | None = None,
    min_at_risk: int = 10,
    level: float = 0.95,
) -> Estimate:
    """The incidence of a cause at one horizon, with a robust error, clustered.

    Args:
        table: its features are summed over.
        horizon: time on the table's clock.
        cause: whose incidence.
        against: another cause; the number is then incidence / (incidence + incidence of that cause).
        min_at_risk: as `incidence`.
        level: confidence level.

    Returns:
        The incidence; with fewer than 20 cases, or than 20 others, by Wilson's interval on what the data are worth.

    Raises:
        EstimationError: no such cause.
        ShortFollowUp: a horizon beyond the support.
    """
    scale = "cloglog" if against is None else "logit"
    first = (cause,) if against is None else (cause, against)
    causes = (*first, *(c for c in table.causes[1:] if c not in first))
    start = first_time(table, min_at_risk)
    curve = aalen_johansen(table, causes, start)
    end = support(curve, min_at_risk)
    if horizon > end:
        raise ShortFollowUp(horizon, end, clock=table.clock)
    point = np.array([horizon])
    by_then = table.flows.filter(pl.col("time") <= horizon)
    cases, others = (
        int(by_then[cause].sum()),
        int(by_then[against].sum()) if against else table.customers,
    )
    p = np.array(
        [float(step(curve.times, curve.incidence[i], point)[0]) for i in range(len(first))]
    )
    value = float(p[0] if against is None else p[0] / max(p.sum(), 1e-300))
    clusters = _clusters(table, first)
    if clusters is None or min(cases, others) < FEW:
        # the error of so few is a guess: a proportion of what the data are worth
        apart = int(table.population["clusters"].sum()) / table.customers  # clusters to a customer
        size = float(cases + others) if against else min(worth_at(curve, horizon), table.customers)
        return wilson(value, max(size * apart, 1.0), level)
    if not 0 < value < 1:  # or a rounding error beyond
        return wilson(min(max(value, 0.0), 1.0), float(table.customers), level)
    influence = curve_influence(table, causes, start, point)[:, 0]
    if against is not None:
        other = curve_influence(table, (against, cause, *causes[2:]), start, point)[:, 0]
        influence = (p[1] * influence - p[0] * other) / p.sum() ** 2
        slope = value * (1 - value)
    else:
        slope = -np.log1p(-value) * (1 - value)
    return estimate(
        value, float(robust_error(influence)) / slope, scale=scale, level=level, clusters=clusters
    )


def _clusters(table: RiskTable, causes: tuple[str, ...]) -> Clusters | None:
    """Whom errors are summed over; None where all events are those of one."""
    try:
        return clusters_of(table, causes)
    except NotTestable:
        return None


def curve_influence(
    table: RiskTable, causes: tuple[str, ...], start: int, points: NDArray[np.int64]
) -> NDArray[np.float64]:
    """How much each cluster moves the incidence of the first cause.

    Args:
        table: its features are summed over.
        causes: as `aalen_johansen`.
        start: as `aalen_johansen`.
        points: shape (K,): times, ascending.

    Returns:
        Shape (G, K): the derivatives in the case weights of each group of the table.
    """
    summed = table.only()
    curve = aalen_johansen(summed, causes, start)
    times = curve.times
    if not len(times):
        return np.zeros((table.groups, len(points)))
    risk = np.where(curve.at_risk > 0, curve.at_risk, 1.0)
    hazard = curve.events / risk
    every = np.minimum(hazard.sum(axis=0), 1.0)
    before = np.concatenate([[1.0], curve.survival[:-1]])
    stays = np.where(every < 1, 1 - every, 1.0)
    sooner = curve.incidence[0] / stays / risk
    back = np.where(every < 1, 1 / stays / risk, 0.0)
    sooner = np.where(every < 1, sooner, 0.0)
    # an exit for the first cause at v moves the incidence by t by a(v) - F(t) b(v), another one by less
    leaves, stayed = before / risk, (sooner, back)
    drift = np.column_stack([hazard[0] * leaves + every * stayed[0], every * stayed[1]])
    upto = np.vstack([np.zeros(2), np.cumsum(drift, axis=0)])
    flows = summed.flows
    time = flows["time"].to_numpy().astype(np.int64)
    net = flows.select(pl.col("entered").cast(pl.Int64) - pl.col("left")).to_series().to_numpy()
    exits = np.column_stack([flows[c].to_numpy() for c in causes]).astype(np.float64)
    place = places(table.population, flows["group"])
    at = np.searchsorted(times, time, side="right")  # event times up to that of the flow
    row = np.maximum(at - 1, 0)
    own_time = (at > 0) & (times[row] == time)
    exits = np.where(own_time[:, None], exits, 0.0)
    first = exits[:, 0] * leaves[row] + exits.sum(axis=1) * stayed[0][row]
    second = exits.sum(axis=1) * stayed[1][row]
    slot = np.searchsorted(points, time)  # the first point that the flow counts for
    reached = np.searchsorted(times, points, side="right")
    by_then = step(times, curve.incidence[0], points)
    width = len(points) + 1
    columns = (
        net.astype(np.float64),
        first + net * upto[at, 0],
        second + net * upto[at, 1],
    )
    influence = np.empty((table.groups, len(points)))
    batch = max(1, _AT_ONCE // width)
    for low in range(0, table.groups, batch):
        high = min(low + batch, table.groups)
        part = slice(*np.searchsorted(place, [low, high]).tolist())
        cell = (place[part] - low) * width + slot[part]
        n, a, b = (
            np.bincount(cell, c[part], (high - low) * width)
            .reshape(-1, width)[:, :-1]
            .cumsum(axis=1)
            for c in columns
        )
        influence[low:high] = (a - n * upto[reached, 0]) - by_then * (b - n * upto[reached, 1])
    return influence


def first_time(table: RiskTable, min_at_risk: int) -> int:
    """The first time after which at least `min_at_risk` are at risk.

    Raises:
        NotTestable: there is none.
    """
    by_time = at_risk(table, table.causes)
    enough = np.flatnonzero(by_time.at_risk >= min_at_risk)
    if not len(enough):
        raise NotTestable("too_few", f"{min_at_risk} customers at risk at any one time")
    return int(by_time.times[enough[0] - 1])  # at risk at a time are those who entered before it


def aalen_johansen(table: RiskTable, causes: tuple[str, ...], start: int = 0) -> Curve:
    """The estimate, conditional on being at risk after `start`; no errors.

    Args:
        table: its features are summed over.
        causes: all causes that end a follow-up; what is left out is treated as censoring.
        start: times up to here do not count.
    """
    return _after(at_risk(table, causes), start)


def _after(result: AtRisk, start: int) -> Curve:
    used = (result.times > start) & (result.at_risk > 0)
    return curve_of(result.times[used], result.at_risk[used], result.events[:, used])


def curve_of(times: NDArray[np.int64], risk: Vector, events: NDArray[np.float64]) -> Curve:
    """Aalen–Johansen from numbers at risk and events, which may be weighted."""
    hazard = np.where(risk > 0, events / np.where(risk > 0, risk, 1.0), 0.0)
    survival = np.cumprod(1 - np.minimum(hazard.sum(axis=0), 1.0))
    before = np.concatenate([[1.0], survival[:-1]]) if len(times) else survival
    return Curve(
        times=times,
        incidence=np.cumsum(before * hazard, axis=1),
        at_risk=risk,
        survival=survival,
        events=events,
    )


def support(curve: Curve, min_at_risk: int) -> int:
    """The last time at which the data can speak.

    At risk / probability to be still there is what the data are worth: all customers as long as nobody is censored,
    however many have left by then. Once nobody is left by events alone, every later horizon is known.
    """
    if not len(curve.times):
        return 0
    worth = _worth(curve)
    enough = np.flatnonzero(worth >= min_at_risk)
    if not len(enough):
        return 0
    last = enough[-1]
    if last == len(curve.times) - 1 and curve.survival[-1] <= 1e-12:
        return 10**6
    return int(curve.times[last])


def worth_at(curve: Curve, horizon: int) -> float:
    """What the data are worth at a horizon, in customers."""
    return float(
        _worth(curve)[max(int(np.searchsorted(curve.times, horizon, side="right")) - 1, 0)]
    )


def _worth(curve: Curve) -> Vector:
    before = np.concatenate([[1.0], curve.survival[:-1]])
    return np.where(before > 0, curve.at_risk / np.where(before > 0, before, 1.0), np.inf)


def step(times: NDArray[np.int64], values: Vector, points: NDArray[np.int64]) -> Vector:
    """A step function, 0 before its first time, at some points."""
    at = np.searchsorted(times, points, side="right") - 1
    if not len(values):
        return np.zeros(len(points))
    return np.asarray(np.where(at >= 0, values[np.maximum(at, 0)], 0.0), dtype=np.float64)


def _greenwood(curve: Curve) -> Vector:
    """Greenwood-type standard error of the first cause's incidence at each time."""
    cases, everyone = curve.events[0], curve.events.sum(axis=0)
    n, f = curve.at_risk, curve.incidence[0]
    before = np.concatenate([[1.0], curve.survival[:-1]])
    left = n - everyone
    a = np.cumsum(np.where(left > 0, everyone / np.where(left > 0, n * left, 1.0), 0.0))
    weight = np.where(left > 0, everyone / np.where(left > 0, n * left, 1.0), 0.0)
    b, b2 = np.cumsum(weight * f), np.cumsum(weight * f**2)
    c = np.cumsum(before**2 * (n - cases) * cases / n**3)
    d, e = np.cumsum(before * cases / n**2), np.cumsum(f * before * cases / n**2)
    variance = f**2 * a - 2 * f * b + b2 + c - 2 * (f * d - e)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)
