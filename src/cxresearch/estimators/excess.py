"""How many more leave after a moment than comparable customers without one.

Comparators of each day and stratum weigh together as much as the customers exposed there, so both groups enter with the
same tenure and covariates, and leave observation alike. What is not held equal exactly, such as the number of contacts
so far, is standardised: among the comparators of a day and stratum, weights are proportional to exp(γ'x), with a dummy
in x for each level of each term and one γ for all days and strata, such that the comparators have as much of every
level as the exposed. These are the odds of being exposed under a logistic model with an intercept per day and stratum.
The difference then is right if that model is, or if a level moves the incidence by the same number everywhere; a model
of the hazard is not needed, and neither a term that changes later nor a competing cause asks for one. Both incidences
are weighted Aalen–Johansen estimates; the excess is their difference.

References:
    Hainmueller (2012), Entropy balancing for causal effects, Political Analysis 20, 25-46; Zhao & Percival (2017),
    Entropy balancing is doubly robust, Journal of Causal Inference 5(1); Anderson, Cain & Gelber (1983), Analysis of
    survival by tumor response (landmarks), Journal of Clinical Oncology 1, 710-719.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.disclosure.counts import MIN_CELL, about
from cxresearch.errors import EstimationError, NotTestable, ShortFollowUp, nearest
from cxresearch.estimators.balance import RIDGE, balance, curvature, odds_of
from cxresearch.estimators.incidence import Curve, curve_of, step, support
from cxresearch.estimators.influence import counted_clusters, places, robust_error
from cxresearch.estimators.results import Estimate, Result, Vector, estimate
from cxresearch.risk.matched import MatchedTable
from cxresearch.utils.checks import names
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = dict[str, Ints]
_AT_ONCE = 2_000_000  # comparators and days that are expanded at a time


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Excess(Result):
    """Incidence after the moment, among comparators, and the difference, at one horizon.

    Attributes:
        exposed: incidence after the moment.
        comparators: incidence without one, standardised to the exposed's days, strata and terms.
        excess: exposed less comparators.
        customers: exposed customers with somebody to compare with.
        events: exposed customers among them who left for the cause by the horizon.
        dropped: exposed customers with nobody to compare with; in neither group.
        unmatched_share: these, as a share of all exposed customers who were still there after the lead.
        lead: days after the moment from which on customers are followed; who left sooner is in neither group.
        horizon: days since the moment.
        terms: what the comparators are standardised by.
        times: shape (T,): days since the moment.
        exposed_curve: shape (T,).
        comparators_curve: shape (T,).
        groups: shape (G,): numbers of the groups of clusters, ascending.
        influence: shape (G, 3): how much each group moves the incidence of exposed and of comparators, and the excess.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    exposed: Estimate
    comparators: Estimate
    excess: Estimate
    customers: int
    events: int
    dropped: int
    unmatched_share: float
    lead: int
    horizon: int
    terms: tuple[str, ...]
    times: Vector
    exposed_curve: Vector
    comparators_curve: Vector
    groups: Ints
    influence: Array
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values; without the influence of each cluster, which is as confidential as the data."""
        return {k: v for k, v in Result.to_dict(self).items() if k not in ("groups", "influence")}

    def to_polars(self) -> pl.DataFrame:
        """One row per day since the moment: both curves, with the numbers at the horizon repeated."""
        curves = {n: getattr(self, n) for n in ("times", "exposed_curve", "comparators_curve")}
        numbers: dict[str, Any] = {}
        for name in ("exposed", "comparators", "excess"):
            e: Estimate = getattr(self, name)
            numbers |= {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
        for name in ("customers", "events", "dropped", "unmatched_share", "lead", "horizon"):
            numbers[name] = getattr(self, name)
        numbers["terms"] = ", ".join(self.terms)
        return pl.DataFrame(curves).with_columns(pl.lit(v).alias(n) for n, v in numbers.items())

    def __repr__(self) -> str:
        who = about(self.customers, self.min_cell)
        return (
            f"Excess({self.excess} by day {self.horizon}, {who} customers against comparable ones)"
        )

    def _repr_html_(self) -> str:
        parts = (
            ("after the moment", self.exposed),
            ("comparable customers without one", self.comparators),
        )
        rows = [(name, *(f"{v:z.1%}" for v in (e.value, e.low, e.high))) for name, e in parts]
        points = (
            f"{100 * v:+z.1f} points"
            for v in (self.excess.value, self.excess.low, self.excess.high)
        )
        heads = ("customers who left", "share", f"{self.excess.level:.0%} from", "to")
        notes = [
            f"{about(self.customers, self.min_cell).capitalize()} customers had the moment and somebody to compare "
            f"with; {about(self.events, self.min_cell)} left.",
        ]
        if self.lead:
            notes.append(f"Of those still there {self.lead:,} days after the moment.")
        if self.terms:
            notes.append(f"Comparable customers are standardised by {', '.join(self.terms)}.")
        return html_table(
            f"Left within {self.horizon:,} days", heads, [*rows, ("excess", *points)], notes
        )


def excess(
    table: MatchedTable,
    horizon: int,
    *,
    cause: str = "defection",
    min_at_risk: int = 10,
    level: float = 0.95,
    lead: int = 0,
    terms: Sequence[str] | None = None,
) -> Excess:
    """Estimate the excess at a horizon.

    Args:
        table: from `matched_table`.
        horizon: days after the moment.
        cause: whose incidence; other causes compete.
        min_at_risk: least number of customers the data must be worth at the horizon.
        level: confidence level; errors by influence functions, clustered. They include what it adds that the weights
            are estimated.
        lead: a landmark: exposed customers and comparators who end within so many days after the moment are left out,
            the others followed from there on. Whom they are compared with is settled on the day of the moment.
        terms: those of the table that comparators are standardised by; all of them when not given.

    Raises:
        ShortFollowUp: a horizon beyond the follow-up.
        NotTestable: nobody exposed or comparable, too few of them, or events of one customer only.
        ArgumentError: `terms` is no list of names.
        EstimationError: no such cause or term, or a lead that is not within the horizon.
    """
    population = all_groups(table)
    compared = checked_comparison(
        table,
        population,
        horizon=horizon,
        cause=cause,
        min_at_risk=min_at_risk,
        lead=lead,
        terms=terms,
    )
    clusters = counted_clusters(population, *compared.events())
    a, b = compared.exposed_curve(), compared.comparator_curve()
    moves = compared.influence(*(end_influence(c, horizon) for c in (a, b)))
    moves = np.column_stack([moves, moves[:, 0] - moves[:, 1]])
    p, q = (float(c.incidence[0][-1]) for c in (a, b))
    slopes = np.array([*(-np.log1p(-v) * (1 - v) if 0 < v < 1 else np.inf for v in (p, q)), 1.0])
    parts = [
        estimate(v, float(s), scale=scale, level=level, clusters=clusters)
        for v, s, scale in zip(
            (p, q, p - q),
            robust_error(moves) / slopes,
            ("cloglog", "cloglog", "identity"),
            strict=True,
        )
    ]
    days = np.arange(horizon + 1, dtype=np.int64)
    return Excess(
        exposed=parts[0],
        comparators=parts[1],
        excess=parts[2],
        customers=compared.customers,
        events=round(float(a.events[0].sum())),
        dropped=compared.dropped,
        unmatched_share=compared.dropped / (compared.dropped + compared.customers),
        lead=lead,
        horizon=horizon,
        terms=compared.terms,
        times=days.astype(np.float64),
        exposed_curve=step(a.times, a.incidence[0], days),
        comparators_curve=step(b.times, b.incidence[0], days),
        groups=population["group"].to_numpy().astype(np.int64),
        influence=moves,
        min_cell=table.min_cell,
    )


def checked_comparison(
    table: MatchedTable,
    population: pl.DataFrame,
    *,
    horizon: int,
    cause: str,
    min_at_risk: int,
    lead: int,
    terms: Sequence[str] | None,
) -> WeightedCells:
    """A comparison that can be followed up to the horizon; args and errors as `excess`."""
    if cause not in table.causes:
        raise EstimationError(
            f"no cause {cause!r}{nearest(cause, table.causes)}; there are: {', '.join(table.causes)}"
        )
    if not 0 <= lead < horizon:
        raise EstimationError(
            f"lead must be at least 0 and less than the horizon of {horizon:,} days, was {lead:,}"
        )
    chosen = _chosen(table, terms)
    nobody = NotTestable(
        "nobody_at_risk", "customers with such a moment and comparable ones without"
    )
    if table.exposed.height == 0 or table.spans.height == 0:
        raise nobody
    longest = int(table.exposed["time"].max())  # type: ignore[arg-type]
    if horizon > longest:
        raise ShortFollowUp(horizon, longest, after="the moment")
    number = table.causes.index(cause)
    compared = WeightedCells(
        table, population, horizon=horizon, cause=number, lead=lead, terms=chosen
    )
    if not compared.customers:
        raise nobody
    counted_clusters(population, *compared.events())
    worth = compared.worth()
    if worth < min_at_risk:
        raise NotTestable(
            "too_few",
            f"comparable customers enough: they are worth {worth:.0f}, {min_at_risk} are needed",
        )
    end = min(
        support(c, min_at_risk) for c in (compared.exposed_curve(), compared.comparator_curve())
    )
    if horizon > end:
        raise ShortFollowUp(horizon, end, after="the moment")
    return compared


def _chosen(table: MatchedTable, terms: Sequence[str] | None) -> tuple[str, ...]:
    """The terms to standardise by.

    Raises:
        ArgumentError: no list of names.
        EstimationError: the table has no such term.
    """
    if terms is None:
        return table.terms
    chosen = names("terms", terms)
    for name in chosen:
        if name not in table.terms:
            raise EstimationError(
                f"the table has no term {name!r}{nearest(name, table.terms)}; "
                f"it has: {', '.join(table.terms) or 'none'}"
            )
    return chosen


class WeightedCells:
    """Exposed customers and their comparators by cell, and the weights of comparators.

    A cell is a stratum and day on which somebody was exposed; no other day counts. An exposed customer is left out
    where a cell has no comparator, or where no comparator anywhere has the level of a term.

    Args:
        table: from `matched_table`.
        population: rows group, customers, clusters, of exposed and comparators.
        horizon: days since the moment.
        cause: position of the cause whose incidence it is.
        lead: who ends within so many days is left out.
        terms: what comparators are standardised by.

    Attributes:
        terms: what comparators are standardised by.
        customers: exposed customers that are compared.
        dropped: exposed customers with nobody to compare with.
        weights: shape (C, P): of one comparator in each cell and pattern.
        log_odds: shape (K,): γ, by level of each term.
    """

    def __init__(
        self,
        table: MatchedTable,
        population: pl.DataFrame,
        *,
        horizon: int,
        cause: int,
        lead: int = 0,
        terms: Sequence[str] = (),
    ) -> None:
        self._horizon, self._lead, self._groups = horizon, lead, population.height
        self.terms = tuple(terms)
        causes = np.where(np.arange(len(table.causes)) == cause, 1, 2)
        causes[0] = 0
        exposed = _columns(table.exposed, causes, population)
        there = exposed["time"] > lead
        exposed = {k: v[there] for k, v in exposed.items()}
        self._spans = _columns(table.spans, causes, population)
        days = int(exposed["day"].max(initial=0)) + 1
        keys, cell = np.unique(exposed["stratum"] * days + exposed["day"], return_inverse=True)
        self._cell_day = keys % days
        # the cells of a span follow one another
        self._first, self._last = (
            np.searchsorted(
                keys, self._spans["stratum"] * days + np.minimum(self._spans[edge], days)
            )
            for edge in ("first", "last")
        )
        self._held: tuple[Columns, ...] = ()
        self._x = _dummies(table, terms)
        self.shape = (len(keys), len(table.patterns))
        members = np.zeros(len(keys) * len(table.patterns))
        for part in self._entries():
            members += np.bincount(part["place"], part["customers"], len(members))
        self._members = members.reshape(self.shape)
        kept = self._matched(cell, exposed["pattern"])
        self.dropped = int(exposed["customers"][~kept].sum())
        self._exposed = {k: v[kept] for k, v in (exposed | {"cell": cell}).items()}
        self.customers = int(self._exposed["customers"].sum())
        self._size = np.bincount(
            self._exposed["cell"], self._exposed["customers"], self.shape[0]
        ).astype(np.float64)
        wanted = np.bincount(
            self._exposed["pattern"], self._exposed["customers"], self.shape[1]
        ).astype(np.float64)
        self._members[self._size == 0] = 0.0
        self.log_odds = balance(self._x, self._members, self._size, wanted)
        self.weights, self._inverse = self._weights()

    def exposed_curve(self) -> Curve:
        """Of those with somebody to compare with."""
        event, time = self._ends(self._exposed["event"], self._exposed["time"])
        width = self._horizon + 2
        ends = np.bincount(event * width + time, self._exposed["customers"], 3 * width)
        return self._curve(ends.reshape(3, width).astype(np.float64))

    def comparator_curve(self) -> Curve:
        """Of their comparators, weighted as they are."""
        width = self._horizon + 2
        ends, flat = np.zeros(3 * width), self.weights.ravel()
        for part in self._entries():
            weight = part["customers"] * flat[part["place"]]
            ends += np.bincount(part["end"], weight, 3 * width)
        return self._curve(ends.reshape(3, width))

    def events(self) -> tuple[int, int]:
        """Groups and customers among the exposed with the event by the horizon."""
        happened = (self._exposed["event"] == 1) & (self._exposed["time"] <= self._horizon)
        groups = np.unique(self._exposed["group"][happened])
        return len(groups), int(self._exposed["customers"][happened].sum())

    def worth(self) -> float:
        """How many equally weighted comparators would say as much: (Σ weight)² / Σ weight²."""
        squares = float((self._members * self.weights**2).sum())
        return float((self._members * self.weights).sum() ** 2 / squares) if squares > 0 else 0.0

    def influence(self, of_exposed: Array, of_comparators: Array) -> Array:
        """How much each group moves two numbers, from what one more customer moves them; shape (G, 2)."""
        group, n = self._exposed["group"], self._exposed["customers"]
        event, time = self._ends(self._exposed["event"], self._exposed["time"])
        moves = np.zeros((self._groups, 2))
        moves[:, 0] = np.bincount(group, n * of_exposed[event, time], self._groups)
        flat, value = self.weights.ravel(), of_comparators.ravel()
        cells, patterns = self.shape
        sums = np.zeros(cells * patterns)
        for part in self._entries():
            weight = part["customers"] * flat[part["place"]]
            sums += np.bincount(part["place"], weight * value[part["end"]], len(sums))
        by_pattern, size = sums.reshape(self.shape), np.where(self._size > 0, self._size, 1.0)
        shares = self._members * self.weights / size[:, None]
        # log odds move the incidence as far as levels and influences go together within cells
        together = by_pattern.sum(axis=0) @ self._x - by_pattern.sum(axis=1) @ (shares @ self._x)
        slope = self._inverse @ together
        by_odds = self._x @ slope
        # a comparator counts by its end, and makes the others of its cell count less; an exposed makes them count more;
        # both move the log odds
        of_cell = by_pattern.sum(axis=1) / size - shares @ by_odds
        of_one = of_cell[self._exposed["cell"]] + by_odds[self._exposed["pattern"]]
        of_one -= RIDGE * (self.log_odds @ slope)
        moves[:, 1] = np.bincount(group, n * of_one, self._groups)
        less = (by_odds[None, :] + of_cell[:, None]).ravel()
        for part in self._entries():
            weight = part["customers"] * flat[part["place"]]
            each = weight * (value[part["end"]] - less[part["place"]])
            moves[:, 1] += np.bincount(part["group"], each, self._groups)
        return moves

    def _matched(self, cell: Ints, pattern: Ints) -> NDArray[np.bool_]:
        """Shape (E,): rows of exposed customers with somebody to compare with."""
        somebody = self._members.sum(axis=1) > 0
        kept: NDArray[np.bool_] = somebody[cell]
        while True:
            used = np.zeros(self.shape[0], dtype=bool)
            used[cell[kept]] = True
            had = self._members[used].sum(axis=0) @ self._x > 0
            known = (self._x @ ~had) == 0
            fewer: NDArray[np.bool_] = kept & known[pattern]
            if (fewer == kept).all():
                return kept
            kept = fewer

    def _weights(self) -> tuple[Array, Array]:
        """Weights, shape (C, P), and the inverse of how balance moves with the log odds, shape (K, K)."""
        # without a comparator in its cell, a pattern has no weight: by its odds it may be beyond all numbers
        odds = np.where(self._members > 0, odds_of(self._x, self.log_odds), 0.0)
        total = (self._members * odds).sum(axis=1)
        weights = np.where(
            total[:, None] > 0,
            self._size[:, None] * odds / np.where(total > 0, total, 1.0)[:, None],
            0.0,
        )
        share = self._members * weights
        slope = curvature(self._x, share, self._size)
        return np.asarray(weights), np.asarray(np.linalg.inv(slope), dtype=np.float64)

    def _entries(self) -> Iterator[Columns]:
        """One entry per comparator and cell, a batch at a time; a single batch is kept."""
        if self._held:
            yield from self._held
            return
        length = np.maximum(self._last - self._first, 0)
        upto = np.cumsum(length)
        start = 0
        while start < len(length):
            before = int(upto[start - 1]) if start else 0
            stop = max(int(np.searchsorted(upto, before + _AT_ONCE, side="right")), start + 1)
            part = self._expand(slice(start, stop), length[start:stop])
            if start == 0 and stop == len(length):
                self._held = (part,)
            yield part
            start = stop

    def _expand(self, part: slice, length: Ints) -> Columns:
        """Place (cell and pattern), end (event and time, those beyond the horizon: horizon + 1), customers, group."""
        row = np.repeat(np.arange(part.start, part.stop), length)
        cell = np.arange(len(row)) + np.repeat(
            self._first[part] - np.cumsum(length) + length, length
        )
        time = self._spans["end"][row] - self._cell_day[cell]
        there = time > self._lead
        row, cell, time = row[there], cell[there], time[there]
        event, time = self._ends(self._spans["event"][row], time)
        return {
            "place": cell * self.shape[1] + self._spans["pattern"][row],
            "end": event * (self._horizon + 2) + time,
            "customers": self._spans["customers"][row],
            "group": self._spans["group"][row],
        }

    def _ends(self, event: Ints, time: Ints) -> tuple[Ints, Ints]:
        """Event and time; after the horizon nothing happens, and all of it is one time."""
        later = time > self._horizon
        return np.where(later, 0, event), np.where(later, self._horizon + 1, time)

    def _curve(self, ends: Array) -> Curve:
        """From ends of follow-up by cause and time; the last column is still there after the horizon."""
        gone = ends.sum(axis=0)
        risk = gone[::-1].cumsum()[::-1]
        times = np.arange(1, self._horizon + 1)
        return curve_of(times, np.maximum(risk[1:-1], 0.0), np.maximum(ends[1:, 1:-1], 0.0))


def _dummies(table: MatchedTable, terms: Sequence[str]) -> Array:
    """Shape (P, K): a column for each level of each term that occurs."""
    columns = [np.zeros((len(table.patterns), 0))]
    for term in terms:
        levels = [pattern[table.terms.index(term)] for pattern in table.patterns]
        columns.append(
            np.array([[one == level for level in sorted(set(levels))] for one in levels])
        )
    return np.concatenate(columns, axis=1).astype(np.float64)


def end_influence(curve: Curve, horizon: int, worth: Array | None = None) -> Array:
    """How much one more customer, at risk from the beginning, moves the incidence of the first cause at the horizon.

    Args:
        curve: of two causes, at the times 1, 2, … horizon.
        horizon: its last time.
        worth: shape (horizon,): what an event at each time counts, such as the days from then on; 1 if not given.

    Returns:
        Shape (3, horizon + 2): by how it ends (0 censored, 1 and 2 the causes) and when; the last column is still there
        after the horizon.
    """
    risk = np.where(curve.at_risk > 0, curve.at_risk, 1.0)
    hazard = np.where(curve.at_risk > 0, curve.events / risk, 0.0)
    every = np.minimum(hazard.sum(axis=0), 1.0)
    before = np.concatenate([[1.0], curve.survival[:-1]]) * (1.0 if worth is None else worth)
    gained = np.cumsum(hazard[0] * before)
    later = np.where(every < 1, (gained[-1] - gained) / np.where(every < 1, 1 - every, 1), 0)
    at_risk = np.cumsum((hazard[0] * before - every * later) / risk)
    result = np.zeros((3, horizon + 2))
    result[:, 1:-1] = -at_risk
    result[1, 1:-1] += (before - later) / risk
    result[2, 1:-1] -= later / risk
    result[:, -1] = -at_risk[-1] if horizon else 0.0
    return result


def all_groups(table: MatchedTable) -> pl.DataFrame:
    """The exposed by group; groups with comparators only count as empty."""
    others = table.spans.select("group").unique().join(table.population, on="group", how="anti")
    empty = others.with_columns(customers=pl.lit(0), clusters=pl.lit(0))
    return pl.concat([table.population, empty], how="vertical_relaxed").sort("group")


def _columns(rows: pl.DataFrame, causes: Ints, population: pl.DataFrame) -> Columns:
    result = {c: rows[c].to_numpy().astype(np.int64) for c in rows.columns}
    result["group"] = places(population, rows["group"])
    result["event"] = causes[result["event"]]
    return result
