"""Customer-days lost within a horizon after a moment, compared with those of comparable customers without one.

A customer who leaves on day t after the moment is gone for horizon - t of the days up to the horizon. The mean of these
days is the area under the incidence, so the difference of two groups is the area between their curves: a difference of
restricted mean times until leaving, where other causes compete. It goes with the moment; it is not what would be saved
if there were no such moments.

References:
    Andersen (2013), Decomposition of number of life years lost according to causes of death, Statistics in Medicine 32,
    5278-5285; Royston & Parmar (2013), Restricted mean survival time, BMC Medical Research Methodology 13, 152.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.disclosure.counts import MIN_CELL, about
from cxresearch.estimators.excess import all_groups, checked_comparison, end_influence
from cxresearch.estimators.incidence import Curve, step
from cxresearch.estimators.influence import Clusters, counted_clusters, robust_error
from cxresearch.estimators.intervals import cloglogs, inverse_cloglogs, quantile
from cxresearch.estimators.results import Estimate, Result, Vector, estimate
from cxresearch.risk.matched import MatchedTable
from cxresearch.utils.checks import arguments, instance, optional
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY

_POINTS = 24  # days at which the error of a curve is computed
Array = NDArray[np.float64]
Limits = tuple[Vector, Vector]


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class DaysLost(Result):
    """Days lost within the horizon, and who has left by each day, after the moment and without one.

    Attributes:
        exposed: days lost per customer after the moment.
        comparators: days lost per comparable customer without one.
        more: exposed less comparators, in days per customer.
        customers: exposed customers with somebody to compare with.
        events: exposed customers among them who left for the cause by the horizon.
        dropped: exposed customers with nobody to compare with; in neither group.
        unmatched_share: these, as a share of all exposed customers.
        horizon: days since the moment.
        times: shape (T,): days since the moment.
        exposed_curve: shape (T,): share that has left.
        exposed_low: shape (T,): lower limits.
        exposed_high: shape (T,): upper limits.
        comparators_curve: shape (T,).
        comparators_low: shape (T,).
        comparators_high: shape (T,).
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    exposed: Estimate
    comparators: Estimate
    more: Estimate
    customers: int
    events: int
    dropped: int
    unmatched_share: float
    horizon: int
    times: Vector
    exposed_curve: Vector
    exposed_low: Vector
    exposed_high: Vector
    comparators_curve: Vector
    comparators_low: Vector
    comparators_high: Vector
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def to_polars(self) -> pl.DataFrame:
        """One row per day since the moment: both curves with limits, with the days lost repeated."""
        curves = {
            name: getattr(self, name)
            for name in (
                "times",
                *(
                    f"{who}_{what}"
                    for who in ("exposed", "comparators")
                    for what in ("curve", "low", "high")
                ),
            )
        }
        numbers: dict[str, Any] = {}
        for name in ("exposed", "comparators", "more"):
            e: Estimate = getattr(self, name)
            numbers |= {
                f"days_{name}": e.value,
                f"days_{name}_from": e.low,
                f"days_{name}_to": e.high,
            }
        for name in ("customers", "events", "dropped", "unmatched_share", "horizon"):
            numbers[name] = getattr(self, name)
        return pl.DataFrame(curves).with_columns(pl.lit(v).alias(n) for n, v in numbers.items())

    def __repr__(self) -> str:
        return (
            f"DaysLost({self.more.value:.1f} days more ({self.more.low:.1f} to {self.more.high:.1f}) "
            f"within {self.horizon:,} days, {about(self.customers, self.min_cell)} customers against comparable ones)"
        )

    def _repr_html_(self) -> str:
        parts = (
            ("after the moment", self.exposed),
            ("comparable customers without one", self.comparators),
            ("days more", self.more),
        )
        rows = [(name, *(f"{v:.1f}" for v in (e.value, e.low, e.high))) for name, e in parts]
        heads = ("customers", "days lost per customer", f"{self.more.level:.0%} from", "to")
        notes = ["What goes with the moment, which is not what could be saved."]
        return html_table(f"Days lost within {self.horizon:,} days", heads, rows, notes)


def days_lost(
    table: MatchedTable,
    horizon: int,
    *,
    cause: str = "defection",
    min_at_risk: int = 10,
    level: float = 0.95,
    terms: Sequence[str] | None = None,
) -> DaysLost:
    """Customer-days lost within a horizon, after a moment and among comparable customers without one.

    Args:
        table: from `cxresearch.risk.matched.matched_table`.
        horizon: days after the moment.
        cause: for which customers leave; who leaves for another one is not lost to this one.
        min_at_risk: least number of customers the data must be worth at the horizon.
        level: confidence level; errors by influence functions, clustered, as those of an excess.
        terms: those of the table that comparators are standardised by; all of them when not given.

    Raises:
        ArgumentError: no matched table, or an argument of the wrong type.
        ShortFollowUp: a horizon beyond the follow-up.
        NotTestable: nobody exposed or comparable, too few of them, or events of one customer only.
        EstimationError: no such cause or term.

    Example:
        >>> import polars as pl
        >>> from cxresearch.estimators.days_lost import days_lost
        >>> from cxresearch.risk.matched import MatchedTable
        >>> own = {"group": [0, 1, 2, 3], "stratum": 0, "pattern": 0, "day": 5, "time": [2, 4, 9, 9]}
        >>> exposed = pl.DataFrame(own | {"event": [1, 1, 0, 0], "customers": 10})
        >>> other = {"group": [4, 5, 6, 7], "stratum": 0, "pattern": 0, "first": 0, "last": 9, "end": [9, 14, 14, 14]}
        >>> spans = pl.DataFrame(other | {"event": [1, 0, 0, 0], "customers": 10})
        >>> who = pl.DataFrame({"group": range(4), "customers": 10, "clusters": 1})
        >>> names = {"covariates": (), "strata": ((),), "causes": ("censored", "defection")}
        >>> result = days_lost(MatchedTable(exposed=exposed, spans=spans, population=who, **names), 8)
        >>> result.exposed.value, result.comparators.value  # (6 + 4) / 4 and 4 / 4
        (2.5, 1.0)
    """
    instance("table", table, MatchedTable, "a matched table, as matched_table gives it")
    arguments(horizon=horizon, cause=cause, min_at_risk=min_at_risk, level=level)
    optional(terms=terms)
    population = all_groups(table)
    compared = checked_comparison(
        table,
        population,
        horizon=horizon,
        cause=cause,
        min_at_risk=min_at_risk,
        lead=0,
        terms=terms,
    )
    clusters = counted_clusters(population, *compared.events())
    curves = (compared.exposed_curve(), compared.comparator_curve())

    def errors(worth: Array) -> Array:
        """Of both groups and of their difference; shape (3,)."""
        moves = compared.influence(*(end_influence(c, horizon, worth) for c in curves))
        return robust_error(np.column_stack([moves, moves[:, 0] - moves[:, 1]]))

    times = np.arange(1, horizon + 1)
    left = (horizon - times).astype(np.float64)
    lost = [_area(c, left) for c in curves]
    parts = [
        estimate(v, float(se), scale="identity", level=level, clusters=clusters)
        for v, se in zip((*lost, lost[0] - lost[1]), errors(left), strict=True)
    ]
    points = np.unique(np.linspace(1, horizon, min(_POINTS, horizon)).astype(int))
    at_points = np.array([errors((times <= p).astype(np.float64))[:2] for p in points])
    days = np.arange(horizon + 1)
    drawn = [step(c.times, c.incidence[0], days) for c in curves]
    bands = [
        _band(y, np.interp(days, [0, *points], [0.0, *at_points[:, i]]), level, clusters)
        for i, y in enumerate(drawn)
    ]
    return DaysLost(
        exposed=parts[0],
        comparators=parts[1],
        more=parts[2],
        customers=compared.customers,
        events=round(float(curves[0].events[0].sum())),
        dropped=compared.dropped,
        unmatched_share=compared.dropped / (compared.dropped + compared.customers),
        horizon=horizon,
        times=days.astype(np.float64),
        exposed_curve=drawn[0],
        exposed_low=bands[0][0],
        exposed_high=bands[0][1],
        comparators_curve=drawn[1],
        comparators_low=bands[1][0],
        comparators_high=bands[1][1],
        min_cell=table.min_cell,
    )


def _area(curve: Curve, left: Array) -> float:
    """Days lost: what is left of the horizon at each departure, times the share that departs then."""
    return float(np.diff(curve.incidence[0], prepend=0.0) @ left)


def _band(value: Vector, error: Array, level: float, clusters: Clusters) -> Limits:
    """Pointwise limits, symmetric in log(-log(1 - p)) as those of an incidence."""
    inside = (value > 0) & (value < 1)
    slope = np.where(inside, -np.log1p(-np.where(inside, value, 0.5)) * (1 - value), 1.0)
    half = np.where(inside, quantile(level, clusters.df) * error / slope, 0.0)
    low, high = (inverse_cloglogs(cloglogs(value) + side * half) for side in (-1, 1))
    return np.where(inside, low, value), np.where(inside, high, value)
