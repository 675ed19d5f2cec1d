"""Cumulative incidence with ties, delayed entry and competing causes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.checks import arguments, instance
from cxresearch.errors import NotTestable
from cxresearch.estimators.intervals import FEW, SCALES, cloglogs, inverse_cloglogs, quantile
from cxresearch.estimators.jackknife import enough_clusters, enough_groups, jackknife
from cxresearch.estimators.results import Estimate, Incidence, Vector, estimate, wilson
from cxresearch.risk.table import AtRisk, RiskTable, at_risk, at_risk_in_groups

_POINTS = 200  # times at which the band around a curve is computed


@dataclass(frozen=True, slots=True, eq=False)
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
    min_cell: int = 10,
    level: float = 0.95,
    errors: Literal["jackknife", "model"] = "jackknife",
    groups: int = 100,
) -> Incidence:
    """Tied Aalen–Johansen incidence of a cause; with a single cause, one minus Kaplan–Meier.

    Args:
        table: its features are summed over; take `RiskTable.where` for a part of it.
        cause: whose incidence.
        min_cell: the estimate starts where that many are at risk, and is conditional on being there; the support
            ends where the data are worth fewer customers than this (at risk / probability to be still there).
        level: confidence level of the pointwise limits, symmetric in log(-log(1 - p)).
        errors: delete-a-group jackknife, or the Greenwood-type variance; that also where events are too few for groups.
        groups: most groups to use.

    Raises:
        EstimationError: no such cause.
        NotTestable: never `min_cell` at risk, or too few for a jackknife.

    References:
        Aalen & Johansen (1978), Scandinavian Journal of Statistics 5, 141-150; Betensky & Schoenfeld (2001),
        Biometrics 57, 282-286.
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(cause=cause, min_cell=min_cell, level=level, errors=errors, groups=groups)
    table.events(cause)
    grouped = _grouped(table.only(), cause, groups) if errors == "jackknife" else None
    table = table if grouped is None else grouped
    causes = (cause, *(c for c in table.causes[1:] if c != cause))
    start = first_time(table, min_cell)
    curve = aalen_johansen(table, causes, start)
    se_model = _greenwood(curve)
    value = curve.incidence[0]
    if grouped is not None:
        keep = np.unique(
            np.linspace(0, len(curve.times) - 1, min(_POINTS, len(curve.times))).astype(int)
        )
        points = curve.times[keep]
        less = _without_groups(table, causes, start)

        def without(group: int) -> Vector:
            part = less(group)
            return cloglogs(step(part.times, part.incidence[0], points))

        count = table.groups
        se = jackknife(cloglogs(value[keep]), without, count).se
        half = quantile(level, count) * np.interp(curve.times, points, se)
    else:
        count = 0
        inside = (value > 0) & (value < 1)
        slope = np.where(inside, -np.log1p(-np.where(inside, value, 0.5)) * (1 - value), 1.0)
        half = quantile(level, 0) * se_model / slope
    middle = cloglogs(value)
    none = value <= 0
    low = np.where(none, 0.0, inverse_cloglogs(middle - half))
    high = np.where(none, 0.0, inverse_cloglogs(middle + half))
    return Incidence(
        cause,
        table.clock,
        curve.times.astype(np.float64),
        value,
        low,
        high,
        curve.at_risk,
        se_model,
        start,
        support(curve, min_cell),
        level,
        count,
    )


def incidence_at(
    table: RiskTable,
    horizon: int,
    cause: str = "defection",
    *,
    against: str | None = None,
    min_cell: int = 10,
    level: float = 0.95,
    groups: int = 100,
) -> Estimate:
    """The incidence of a cause at one horizon, with its own jackknife error.

    Args:
        table: its features are summed over.
        horizon: time on the table's clock.
        cause: whose incidence.
        against: another cause; the number is then incidence / (incidence + incidence of that cause).
        min_cell: as `incidence`.
        level: confidence level.
        groups: most groups to use.

    Raises:
        EstimationError: no such cause.
        NotTestable: a horizon beyond the support, or too few customers or events for a jackknife.
    """
    scale = "cloglog" if against is None else "logit"
    forward, back = SCALES[scale]
    first = (cause,) if against is None else (cause, against)
    causes = (*first, *(c for c in table.causes[1:] if c not in first))
    start = first_time(table, min_cell)
    whole = aalen_johansen(table, causes, start)
    end = support(whole, min_cell)
    if horizon > end:
        raise NotTestable(
            "short_follow_up",
            f"follow-up to {horizon} (it ends at {end} on the {table.clock} clock)",
        )
    point = np.array([horizon])
    by_then = table.flows.filter(pl.col("time") <= horizon)
    cases, others = (
        int(by_then[cause].sum()),
        int(by_then[against].sum()) if against else table.customers,
    )
    grouped = _grouped(table.only(), cause, groups)
    if grouped is None or min(cases, others) < FEW:
        # too few to leave out in turn: a proportion of what the data are worth
        apart = int(table.population["clusters"].sum()) / table.customers  # clusters to a customer
        size = float(cases + others) if against else min(worth_at(whole, horizon), table.customers)
        p = [float(step(whole.times, whole.incidence[i], point)[0]) for i in range(len(first))]
        return wilson(
            p[0] if against is None else p[0] / max(sum(p), 1e-300), max(size * apart, 1.0), level
        )

    def value(curve: Curve) -> Vector:
        parts = [float(step(curve.times, curve.incidence[i], point)[0]) for i in range(len(first))]
        share = parts[0] if against is None else parts[0] / sum(parts) if sum(parts) > 0 else 0.0
        return np.array([forward(share)])

    less = _without_groups(grouped, causes, start)
    result = jackknife(value(whole), lambda g: value(less(g)), grouped.groups)
    middle, se = float(result.value[0]), float(result.se[0])
    return estimate(back(middle), se, scale=scale, level=level, groups=result.groups)


def _grouped(table: RiskTable, cause: str, groups: int) -> RiskTable | None:
    """The table with as many groups as a jackknife needs; None if it has customers enough and events too few.

    Raises:
        NotTestable: too few customers.
    """
    try:
        return enough_groups(table, cause, groups)
    except NotTestable:
        if not enough_clusters(table):
            raise
        return None


def first_time(table: RiskTable, min_cell: int) -> int:
    """The first time after which at least `min_cell` are at risk.

    Raises:
        NotTestable: there is none.
    """
    by_time = at_risk(table, table.causes)
    enough = np.flatnonzero(by_time.at_risk >= min_cell)
    if not len(enough):
        raise NotTestable("too_few", f"{min_cell} customers at risk at any one time")
    return int(by_time.times[enough[0] - 1])  # at risk at a time are those who entered before it


def aalen_johansen(table: RiskTable, causes: tuple[str, ...], start: int = 0) -> Curve:
    """The estimate, conditional on being at risk after `start`; no errors.

    Args:
        table: its features are summed over.
        causes: all causes that end a follow-up; what is left out is treated as censoring.
        start: times up to here do not count.
    """
    return _after(at_risk(table, causes), start)


def _without_groups(
    table: RiskTable, causes: tuple[str, ...], start: int
) -> Callable[[int], Curve]:
    """The estimate without any one of the groups."""
    whole, parts = at_risk(table, causes), at_risk_in_groups(table, causes)
    return lambda group: _after(whole.without(parts[group]), start)


def _after(result: AtRisk, start: int) -> Curve:
    used = (result.times > start) & (result.at_risk > 0)
    return curve_of(result.times[used], result.at_risk[used], result.events[:, used])


def curve_of(times: NDArray[np.int64], risk: Vector, events: NDArray[np.float64]) -> Curve:
    """Aalen–Johansen from numbers at risk and events, which may be weighted."""
    hazard = np.where(risk > 0, events / np.where(risk > 0, risk, 1.0), 0.0)
    survival = np.cumprod(1 - np.minimum(hazard.sum(axis=0), 1.0))
    before = np.concatenate([[1.0], survival[:-1]]) if len(times) else survival
    return Curve(times, np.cumsum(before * hazard, axis=1), risk, survival, events)


def support(curve: Curve, min_cell: int) -> int:
    """The last time at which the data can speak.

    At risk / probability to be still there is what the data are worth: all customers as long as nobody is censored,
    however many have left by then. Once nobody is left by events alone, every later horizon is known.
    """
    if not len(curve.times):
        return 0
    worth = _worth(curve)
    enough = np.flatnonzero(worth >= min_cell)
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
    own, everyone = curve.events[0], curve.events.sum(axis=0)
    n, f = curve.at_risk, curve.incidence[0]
    before = np.concatenate([[1.0], curve.survival[:-1]])
    left = n - everyone
    a = np.cumsum(np.where(left > 0, everyone / np.where(left > 0, n * left, 1.0), 0.0))
    weight = np.where(left > 0, everyone / np.where(left > 0, n * left, 1.0), 0.0)
    b, b2 = np.cumsum(weight * f), np.cumsum(weight * f**2)
    c = np.cumsum(before**2 * (n - own) * own / n**3)
    d, e = np.cumsum(before * own / n**2), np.cumsum(f * before * own / n**2)
    variance = f**2 * a - 2 * f * b + b2 + c - 2 * (f * d - e)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)
