"""How many more leave after a moment than comparable customers without one.

Comparators of each day weigh as much as the customers exposed on that day, so both groups enter with the same tenure
and stratum, and leave observation alike. Both incidences are Aalen–Johansen estimates; the excess is their difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError, NotTestable, nearest
from cxresearch.estimators.incidence import Curve, curve_of, step, support
from cxresearch.estimators.influence import counted_clusters, places, robust_error
from cxresearch.estimators.results import Estimate, Result, Vector, estimate
from cxresearch.html_tables import html_table
from cxresearch.risk.matched import MatchedTable

Array = NDArray[np.float64]
Columns = dict[str, NDArray[np.int64]]
_AT_ONCE = 4_000_000  # comparators and days that are expanded at a time


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Excess(Result):
    """Incidence after the moment, among comparators, and the difference, at one horizon.

    Attributes:
        exposed: incidence after the moment.
        comparators: incidence without one, standardised to the exposed's days and strata.
        excess: exposed less comparators.
        customers: exposed customers with somebody to compare with.
        events: exposed customers among them who left for the cause by the horizon.
        dropped: exposed customers on days without a comparator; in neither group.
        horizon: days.
        times: shape (T,): days since.
        exposed_curve: shape (T,).
        comparators_curve: shape (T,).
    """

    exposed: Estimate
    comparators: Estimate
    excess: Estimate
    customers: int
    events: int
    dropped: int
    horizon: int
    times: Vector
    exposed_curve: Vector
    comparators_curve: Vector

    def __repr__(self) -> str:
        return f"Excess({self.excess} by day {self.horizon}, {self.customers:,} customers against comparable ones)"

    def _repr_html_(self) -> str:
        parts = (
            ("after the moment", self.exposed),
            ("comparable customers without one", self.comparators),
        )
        rows = [(name, *(f"{v:.1%}" for v in (e.value, e.low, e.high))) for name, e in parts]
        points = (
            f"{100 * v:+.1f} points" for v in (self.excess.value, self.excess.low, self.excess.high)
        )
        heads = ("customers who left", "share", f"{self.excess.level:.0%} from", "to")
        notes = (
            f"{self.customers:,} customers had the moment and somebody to compare with; {self.events:,} left.",
        )
        return html_table(
            f"Left within {self.horizon:,} days", heads, [*rows, ("excess", *points)], notes
        )


def excess(
    table: MatchedTable,
    horizon: int,
    *,
    cause: str = "defection",
    min_cell: int = 10,
    level: float = 0.95,
) -> Excess:
    """Estimate the excess at a horizon.

    Args:
        table: from `matched_table`.
        horizon: days after the moment.
        cause: whose incidence; other causes compete.
        min_cell: least number of customers the data must be worth at the horizon.
        level: confidence level; errors by influence functions, clustered.

    Raises:
        NotTestable: nobody exposed or comparable, a horizon beyond the follow-up, or events of one customer only.
        EstimationError: no such cause.
    """
    if cause not in table.causes:
        raise EstimationError(
            f"no cause {cause!r}{nearest(cause, table.causes)}; there are: {', '.join(table.causes)}"
        )
    if table.exposed.height == 0 or table.spans.height == 0:
        raise NotTestable("customers with such a moment and comparable ones without")
    longest = int(table.exposed["time"].max())  # type: ignore[arg-type]
    if horizon > longest:
        raise NotTestable(f"follow-up to {horizon} days after the moment (it ends at {longest})")
    own = table.causes.index(cause)
    groups = _population(table)
    ended = table.exposed.filter(pl.col("event") == own)
    clusters = counted_clusters(groups, ended["group"].n_unique(), int(ended["customers"].sum()))
    arrays = Arrays(table, groups, horizon, own)
    worth = arrays.worth()
    if worth < min_cell:
        raise NotTestable(
            f"comparable customers enough: they are worth {worth:.0f}, {min_cell} are needed"
        )
    a, b = arrays.exposed_curve(), arrays.comparator_curve()
    end = min(support(c, min_cell) for c in (a, b))
    if horizon > end:
        raise NotTestable(f"follow-up to {horizon} days after the moment (it ends at {end})")
    moves = arrays.influence(a, b)
    p, q = (float(c.incidence[0][-1]) for c in (a, b))
    slopes = [-np.log1p(-v) * (1 - v) if 0 < v < 1 else np.inf for v in (p, q)]
    errors = (
        float(robust_error(moves[:, 0])) / slopes[0],
        float(robust_error(moves[:, 1])) / slopes[1],
        float(robust_error(moves[:, 0] - moves[:, 1])),
    )
    parts = [
        estimate(v, s, scale=scale, level=level, clusters=clusters)
        for v, s, scale in zip(
            (p, q, p - q), errors, ("cloglog", "cloglog", "identity"), strict=True
        )
    ]
    days = np.arange(horizon + 1, dtype=np.int64)
    return Excess(
        parts[0],
        parts[1],
        parts[2],
        int(table.exposed["customers"].sum()) - arrays.dropped,
        round(float(a.events[0].sum())),
        arrays.dropped,
        horizon,
        days.astype(np.float64),
        step(a.times, a.incidence[0], days),
        step(b.times, b.incidence[0], days),
    )


class Arrays:
    """The table as an array (event, cell, time).

    A cell is a stratum and day on which somebody was exposed; no other day counts.
    """

    def __init__(
        self, table: MatchedTable, population: pl.DataFrame, horizon: int, own: int
    ) -> None:
        self.days = int(table.exposed["day"].max()) + 1  # type: ignore[arg-type]
        self.horizon, self.groups = horizon, population.height
        causes = np.where(np.arange(len(table.causes)) == own, 1, 2)
        causes[0] = 0
        exposed = _columns(table.exposed, causes, population)
        cells, cell = np.unique(
            exposed["stratum"] * self.days + exposed["day"], return_inverse=True
        )
        self.place = np.full(len(table.strata) * self.days, -1)
        self.place[cells] = np.arange(len(cells))
        self.shape = (3, len(cells), horizon + 2)
        self.spans = _columns(table.spans, causes, population)
        total = np.zeros(3 * len(cells) * self.shape[2])
        for part in self._batches():
            ends, customers, _ = self._expand(part)
            total += np.bincount(ends, customers, len(total))
        self.total = total.reshape(self.shape)
        self.members = self.total.sum(axis=(0, 2))
        matched = self.members > 0
        self.dropped = int(exposed["customers"][~matched[cell]].sum())
        kept = matched[cell]
        self.exposed = {k: v[kept] for k, v in (exposed | {"cell": cell}).items()}
        self.weight = np.bincount(
            self.exposed["cell"], self.exposed["customers"], len(cells)
        ).astype(np.float64)
        self.each = self.weight / np.where(matched, self.members, 1.0)  # of one comparator

    def _batches(self) -> Iterator[slice]:
        """Slices of the spans that expand to arrays of a bounded size."""
        length = np.maximum(np.minimum(self.spans["last"], self.days) - self.spans["first"], 0)
        upto = np.cumsum(length)
        start = 0
        while start < len(length):
            before = int(upto[start - 1]) if start else 0
            stop = max(int(np.searchsorted(upto, before + _AT_ONCE, side="right")), start + 1)
            yield slice(start, stop)
            start = stop

    def _expand(
        self, part: slice
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """One entry per comparator and cell: place in the array (beyond the horizon: horizon + 1), customers, group."""
        spans = {k: v[part] for k, v in self.spans.items()}
        first, last = spans["first"], np.minimum(spans["last"], self.days)
        length = np.maximum(last - first, 0)
        row = np.repeat(np.arange(len(first)), length)
        day = (
            np.repeat(first, length)
            + np.arange(length.sum())
            - np.repeat(np.cumsum(length) - length, length)
        )
        cell = self.place[spans["stratum"][row] * self.days + day]
        row, day, cell = row[cell >= 0], day[cell >= 0], cell[cell >= 0]
        time = spans["end"][row] - day
        event = np.where(time > self.horizon, 0, spans["event"][row])
        _, cells, times = self.shape
        place = (event * cells + cell) * times + np.minimum(time, self.horizon + 1)
        return place, spans["customers"][row], spans["group"][row]

    def exposed_curve(self) -> Curve:
        """Of those with somebody to compare with."""
        return self._curve(self._ends())

    def comparator_curve(self) -> Curve:
        """Of their comparators, weighted as they are."""
        return self._curve(np.einsum("ect,c->et", self.total, self.each))

    def influence(self, exposed: Curve, comparators: Curve) -> Array:
        """How much each group moves the incidence at the horizon of exposed and comparators; shape (G, 2)."""
        of_exposed, of_comparators = (
            end_influence(c, self.horizon) for c in (exposed, comparators)
        )
        moves = np.zeros((self.groups, 2))
        time = np.minimum(self.exposed["time"], self.horizon + 1)
        event = np.where(self.exposed["time"] > self.horizon, 0, self.exposed["event"])
        n, group = self.exposed["customers"], self.exposed["group"]
        moves[:, 0] = np.bincount(group, n * of_exposed[event, time], self.groups)
        # a comparator counts by its end, and makes the others of its cell count less; an exposed makes them count more
        of_cell = np.einsum("ect,et->c", self.total, of_comparators) / np.where(
            self.members > 0, self.members, 1.0
        )
        moves[:, 1] = np.bincount(group, n * of_cell[self.exposed["cell"]], self.groups)
        flat = of_comparators.ravel()
        _, cells, times = self.shape
        for part in self._batches():
            place, customers, who = self._expand(part)
            cell = place // times % cells
            value = flat[place // (cells * times) * times + place % times] - of_cell[cell]
            moves[:, 1] += np.bincount(who, customers * self.each[cell] * value, self.groups)
        return moves

    def _ends(self) -> Array:
        """Shape (3, horizon + 2): how many of the exposed end by event and time."""
        time = np.minimum(self.exposed["time"], self.horizon + 1)
        event = np.where(self.exposed["time"] > self.horizon, 0, self.exposed["event"])
        ends = np.bincount(
            event * self.shape[2] + time, self.exposed["customers"], 3 * self.shape[2]
        )
        return ends.astype(np.float64).reshape(3, -1)

    def worth(self) -> float:
        """How many equally weighted comparators would say as much: (Σ weight)² / Σ weight²."""
        used = self.members > 0
        squares = (self.weight[used] ** 2 / self.members[used]).sum()
        return float(self.weight[used].sum() ** 2 / squares) if squares > 0 else 0.0

    def _curve(self, ends: Array) -> Curve:
        """From ends of follow-up by cause and time; the last column is still there after the horizon."""
        gone = ends.sum(axis=0)
        risk = gone[::-1].cumsum()[::-1]
        times = np.arange(1, self.horizon + 1)
        return curve_of(times, np.maximum(risk[1:-1], 0.0), np.maximum(ends[1:, 1:-1], 0.0))


def end_influence(curve: Curve, horizon: int) -> Array:
    """How much one more customer, at risk from the beginning, moves the incidence of the first cause at the horizon.

    Args:
        curve: of two causes, at the times 1, 2, … horizon.
        horizon: its last time.

    Returns:
        Shape (3, horizon + 2): by how it ends (0 censored, 1 and 2 the causes) and when; the last column is still there
        after the horizon.
    """
    risk = np.where(curve.at_risk > 0, curve.at_risk, 1.0)
    hazard = np.where(curve.at_risk > 0, curve.events / risk, 0.0)
    every = np.minimum(hazard.sum(axis=0), 1.0)
    before = np.concatenate([[1.0], curve.survival[:-1]])
    by_then = float(curve.incidence[0][-1])
    later = np.where(
        every < 1, (by_then - curve.incidence[0]) / np.where(every < 1, 1 - every, 1), 0
    )
    at_risk = np.cumsum((hazard[0] * before - every * later) / risk)
    result = np.zeros((3, horizon + 2))
    result[:, 1:-1] = -at_risk
    result[1, 1:-1] += (before - later) / risk
    result[2, 1:-1] -= later / risk
    result[:, -1] = -at_risk[-1] if horizon else 0.0
    return result


def _population(table: MatchedTable) -> pl.DataFrame:
    """The exposed by group; groups with comparators only count as empty."""
    others = table.spans.select("group").unique().join(table.population, on="group", how="anti")
    empty = others.with_columns(customers=pl.lit(0), clusters=pl.lit(0))
    return pl.concat([table.population, empty], how="vertical_relaxed").sort("group")


def _columns(rows: pl.DataFrame, causes: NDArray[np.int64], population: pl.DataFrame) -> Columns:
    result = {c: rows[c].to_numpy().astype(np.int64) for c in rows.columns}
    result["group"] = places(population, rows["group"])
    result["event"] = causes[result["event"]]
    return result
