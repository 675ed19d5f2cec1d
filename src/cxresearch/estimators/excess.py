"""How many more leave after a moment than comparable customers without one.

Comparators of each day weigh as much as the customers exposed on that day, so both groups enter with the same tenure
and stratum, and leave observation alike. Both incidences are Aalen–Johansen estimates; the excess is their difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError, NotTestable, nearest
from cxresearch.estimators.incidence import Curve, curve_of, step, support
from cxresearch.estimators.intervals import cloglog
from cxresearch.estimators.jackknife import enough_bins, jackknife
from cxresearch.estimators.results import Estimate, Result, Vector, estimate
from cxresearch.html_tables import html_table
from cxresearch.risk.matched import MatchedTable
from cxresearch.risk.table import balanced

Array = NDArray[np.float64]
Columns = dict[str, NDArray[np.int64]]


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
    groups: int = 100,
) -> Excess:
    """Estimate the excess at a horizon.

    Args:
        table: from `matched_table`.
        horizon: days after the moment.
        cause: whose incidence; other causes compete.
        min_cell: least number of customers the data must be worth at the horizon.
        level: confidence level; delete-a-group jackknife.
        groups: most groups to use.

    Raises:
        NotTestable: nobody exposed or comparable, a horizon beyond the follow-up, or too few for a jackknife.
        EstimationError: no such cause.
    """
    if cause not in table.causes:
        raise EstimationError(
            f"no cause {cause!r}{nearest(cause, table.causes)}; there are: {', '.join(table.causes)}"
        )
    if table.exposed.height == 0 or table.spans.height == 0:
        raise NotTestable(
            "nobody_at_risk", "customers with such a moment and comparable ones without"
        )
    longest = int(table.exposed["time"].max())  # type: ignore[arg-type]
    if horizon > longest:
        raise NotTestable(
            "short_follow_up",
            f"follow-up to {horizon} days after the moment (it ends at {longest})",
        )
    own = table.causes.index(cause)
    left = (
        table.exposed.filter(pl.col("event") == own)
        .group_by("group")
        .agg(events=pl.col("customers").sum())
    )
    count = enough_bins(table.population, left, groups)
    arrays = Arrays(table, horizon, own, count)
    (a, b, dropped), *without = arrays.curves()
    worth = arrays.worth()
    if worth < min_cell:
        raise NotTestable(
            "too_few",
            f"comparable customers enough: they are worth {worth:.0f}, {min_cell} are needed",
        )
    end = min(support(c, min_cell) for c in (a, b))
    if horizon > end:
        raise NotTestable(
            "short_follow_up", f"follow-up to {horizon} days after the moment (it ends at {end})"
        )

    def values(pair: tuple[Curve, Curve, int]) -> Vector:
        p, q = (float(c.incidence[0][-1]) for c in pair[:2])
        return np.array([cloglog(p), cloglog(q), p - q])

    result = jackknife(values((a, b, 0)), lambda g: values(without[g]), count)
    p, q = float(a.incidence[0][-1]), float(b.incidence[0][-1])
    parts = [
        estimate(v, s, scale=scale, level=level, groups=count)
        for v, s, scale in zip(
            (p, q, p - q), result.se, ("cloglog", "cloglog", "identity"), strict=True
        )
    ]
    days = np.arange(horizon + 1, dtype=np.int64)
    return Excess(
        parts[0],
        parts[1],
        parts[2],
        int(table.exposed["customers"].sum()) - dropped,
        round(float(a.events[0].sum())),
        dropped,
        horizon,
        days.astype(np.float64),
        step(a.times, a.incidence[0], days),
        step(b.times, b.incidence[0], days),
    )


class Arrays:
    """The table as an array (event, cell, time), and what each group adds to it.

    A cell is a stratum and day on which somebody was exposed; no other day counts.
    """

    def __init__(self, table: MatchedTable, horizon: int, own: int, groups: int) -> None:
        self.days = int(table.exposed["day"].max()) + 1  # type: ignore[arg-type]
        self.horizon = horizon
        bins = balanced(_everyone(table), groups)
        causes = np.where(np.arange(len(table.causes)) == own, 1, 2)
        causes[0] = 0
        self.exposed = _columns(table.exposed, causes, bins)
        cells, self.exposed["cell"] = np.unique(
            self.exposed["stratum"] * self.days + self.exposed["day"], return_inverse=True
        )
        self.place = np.full(len(table.strata) * self.days, -1)
        self.place[cells] = np.arange(len(cells))
        self.groups, self.shape = groups, (3, len(cells), horizon + 2)
        self.by_group = [
            self._expand(_columns(part, causes, bins))
            for part in _in_bins(table.spans, bins, groups)
        ]
        ends, customers = (np.concatenate(each) for each in zip(*self.by_group, strict=True))
        self.total = np.bincount(ends, customers, 3 * len(cells) * self.shape[2]).reshape(
            self.shape
        )
        self.members = self.total.sum(axis=(0, 2))

    def _expand(self, spans: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One entry per comparator and cell: its place in the array (time beyond the horizon: horizon + 1); customers.

        Of one group at a time, as a comparator of many days makes many entries.
        """
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
        return (event * cells + cell) * times + np.minimum(time, self.horizon + 1), spans[
            "customers"
        ][row]

    def curves(self) -> list[tuple[Curve, Curve, int]]:
        """Exposed, comparators, and how many exposed nobody matches: of all, then without each group."""
        ends, weight = self._ends(self.exposed), self._weight(self.exposed)
        parts = _split(self.exposed, self.groups)
        weights, result = [], []
        for without in (None, *range(self.groups)):
            members, own, cells = self.members, ends, weight
            if without is not None:
                ends_of, customers = self.by_group[without]
                members = members - np.bincount(self._cell(ends_of), customers, self.shape[1])
                own, cells = own - self._ends(parts[without]), cells - self._weight(parts[without])
            matched = members > 0
            weights.append(np.where(matched, cells / np.where(matched, members, 1.0), 0.0))
            alone = ~matched[self.exposed["cell"]]  # few, and none of those that were left out
            if without is not None:
                alone &= self.exposed["group"] != without
            dropped = {k: v[alone] for k, v in self.exposed.items()}
            result.append((own - self._ends(dropped), int(dropped["customers"].sum())))
        # the comparators of all groups at once: one product of matrices
        counts = [np.array(weights) @ each for each in self.total]
        curves = []
        for i, (own, dropped_customers) in enumerate(result):
            others = np.stack([c[i] for c in counts])
            if i:
                ends_of, customers = self.by_group[i - 1]
                when = (
                    ends_of // (self.shape[1] * self.shape[2]) * self.shape[2]
                    + ends_of % self.shape[2]
                )
                less = np.bincount(when, weights[i][self._cell(ends_of)] * customers, others.size)
                others = others - less.reshape(others.shape)
            curves.append((self._curve(own), self._curve(others), dropped_customers))
        return curves

    def _cell(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        return place // self.shape[2] % self.shape[1]

    def _ends(self, exposed: Columns) -> Array:
        """Shape (3, horizon + 2): how many of the exposed end by event and time."""
        time = np.minimum(exposed["time"], self.horizon + 1)
        event = np.where(exposed["time"] > self.horizon, 0, exposed["event"])
        ends = np.bincount(event * self.shape[2] + time, exposed["customers"], 3 * self.shape[2])
        return ends.astype(np.float64).reshape(3, -1)

    def _weight(self, exposed: Columns) -> Array:
        """Shape (cells,): how many of the exposed belong to each cell."""
        return np.bincount(exposed["cell"], exposed["customers"], self.shape[1]).astype(np.float64)

    def worth(self) -> float:
        """How many equally weighted comparators would say as much: (Σ weight)² / Σ weight²."""
        weight = np.bincount(
            self.exposed["cell"], self.exposed["customers"], minlength=len(self.members)
        )
        used = self.members > 0
        squares = (weight[used] ** 2 / self.members[used]).sum()
        return float(weight[used].sum() ** 2 / squares) if squares > 0 else 0.0

    def _curve(self, ends: Array) -> Curve:
        """From ends of follow-up by cause and time; the last column is still there after the horizon."""
        gone = ends.sum(axis=0)
        risk = gone[::-1].cumsum()[::-1]
        times = np.arange(1, self.horizon + 1)
        return curve_of(times, np.maximum(risk[1:-1], 0.0), np.maximum(ends[1:, 1:-1], 0.0))


def _split(rows: Columns, groups: int) -> list[Columns]:
    """The rows of each group."""
    order = np.argsort(rows["group"], kind="stable")
    ordered = {k: v[order] for k, v in rows.items()}
    cuts = np.searchsorted(ordered["group"], np.arange(groups + 1))
    return [{k: v[a:b] for k, v in ordered.items()} for a, b in pairwise(cuts.tolist())]


def _in_bins(rows: pl.DataFrame, bins: dict[int, int], groups: int) -> Iterator[pl.DataFrame]:
    """The rows of each of the jackknife's groups; stored groups lie side by side."""
    ends = np.cumsum(np.bincount(rows["group"].to_numpy(), minlength=max(bins) + 1)).tolist()
    for wanted in range(groups):
        own = sorted(g for g, place in bins.items() if place == wanted)
        yield pl.concat([rows.head(0), *(rows[(ends[g - 1] if g else 0) : ends[g]] for g in own)])


def _everyone(table: MatchedTable) -> pl.DataFrame:
    """The exposed by stored group; groups with comparators only count as empty."""
    others = table.spans.select("group").unique().join(table.population, on="group", how="anti")
    empty = others.with_columns(customers=pl.lit(0), clusters=pl.lit(0))
    return pl.concat([table.population, empty], how="vertical_relaxed")


def _columns(
    rows: pl.DataFrame, causes: NDArray[np.int64], bins: dict[int, int]
) -> dict[str, NDArray[np.int64]]:
    result = {c: rows[c].to_numpy().astype(np.int64) for c in rows.columns}
    bin_of = np.full(max(bins) + 1, -1)
    bin_of[list(bins)] = list(bins.values())
    result["group"] = bin_of[result["group"]]
    result["event"] = causes[result["event"]]
    return result
