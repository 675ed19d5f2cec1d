"""Customer-days and departures by tenure and age of a moment, as the model of fading takes them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.estimators.design import layout
from cxresearch.estimators.influence import add_up, places
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable

_SPANS = 200  # of tenure, in which those at risk are taken together


@dataclass(frozen=True, slots=True, eq=False)
class Ages:
    """The levels of an age that the model looks at; the first one is no moment so far.

    Attributes:
        levels: shape (J,): positions among the feature's levels.
        low: shape (J,): least age in days.
        high: shape (J,): greatest age; infinite for a band without an end.
    """

    levels: NDArray[np.int64]
    low: Array
    high: Array


@dataclass(frozen=True, slots=True, eq=False)
class AgeCells:
    """Customer-days at risk and events by stratum, span of tenure and age.

    Attributes:
        exposure: shape (S, I, J).
        events: shape (S, I, J).
        edges: shape (I + 1,): the spans are (edge, next edge].
        flows: what each flow of the table adds to them.
    """

    exposure: Array
    events: Array
    edges: NDArray[np.int64]
    flows: CellFlows


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CellFlows:
    """What flows add to cells.

    Attributes:
        place: shape (F,): position of the flow's group among those of the table, ascending.
        groups: how many groups there are.
        stratum: shape (F,).
        span: shape (F,): 0 for those there from the beginning; else one more than the span that holds the flow.
        level: shape (F,): age.
        net: shape (F,): entered less left.
        part: shape (F,): days of the span it lies in that a flow counts for.
        events: shape (F,).
    """

    place: NDArray[np.int64]
    groups: int
    stratum: NDArray[np.int64]
    span: NDArray[np.int64]
    level: NDArray[np.int64]
    net: Array
    part: Array
    events: Array

    def summed(self, of_exposure: Array, of_events: Array, days: Array) -> Array:
        """Σ over the exposure and the events of each cluster of a number per cell.

        Args:
            of_exposure: shape (S, I, J): per customer-day.
            of_events: shape (S, I, J): per event.
            days: shape (I,): length of the spans.

        Returns:
            Shape (G,).
        """
        full = of_exposure * days[:, None]
        later = np.zeros((full.shape[0], full.shape[1] + 1, full.shape[2]))
        later[:, :-1] = np.flip(np.cumsum(np.flip(full, 1), axis=1), 1)
        before = np.maximum(self.span - 1, 0)

        def contributions(part: slice) -> Array:
            s, i, j = self.stratum[part], before[part], self.level[part]
            days_of = self.net[part] * (
                self.part[part] * of_exposure[s, i, j] + later[s, self.span[part], j]
            )
            return np.asarray(days_of + self.events[part] * of_events[s, i, j])[:, None]

        return add_up(self.place, self.groups, 1, contributions)[:, 0]


def cells_of(
    table: RiskTable, age: str, ages: Ages, strata: tuple[str, ...], cause: str
) -> AgeCells:
    """Sum a table on the tenure clock into cells.

    Args:
        table: with somebody at risk.
        age: feature of the age of the moment.
        ages: its levels that count.
        strata: features with a baseline each.
        cause: the event.
    """
    names = table.feature(age).levels
    laid = layout(table.where(**{age: [names[i] for i in ages.levels]}), [age], strata)
    flows, time = laid.flows, laid.flows["time"].to_numpy().astype(np.int64)
    last = int(time.max())
    edges = np.unique(np.linspace(0, last, min(last, _SPANS) + 1).round().astype(np.int64))
    place_of = np.zeros(len(names), np.int64)
    place_of[ages.levels] = np.arange(len(ages.levels))
    level = place_of[laid.patterns[age].to_numpy()][laid.pattern]
    shape = (laid.strata.height, len(edges), len(ages.levels))
    span = np.searchsorted(
        edges, time
    )  # 0: there from the beginning; else the span that ends with this edge
    net = flows.select(pl.col("entered").cast(pl.Int64) - pl.col("left")).to_series().to_numpy()
    landed = CellFlows(
        place=places(table.population, flows["group"]),
        groups=table.groups,
        stratum=laid.stratum,
        span=span,
        level=level,
        net=net.astype(np.float64),
        part=(edges[span] - time).astype(np.float64),
        events=flows[cause].to_numpy().astype(np.float64),
    )
    place = (laid.stratum * shape[1] + span) * shape[2] + level

    def summed(weight: Array) -> Array:
        return np.bincount(place, weight, prod(shape)).astype(np.float64).reshape(shape)

    before = np.cumsum(summed(landed.net), axis=1)[:, :-1]
    exposure = before * np.diff(edges)[:, None] + summed(landed.net * landed.part)[:, 1:]
    return AgeCells(exposure, summed(landed.events)[:, 1:], edges, landed)
