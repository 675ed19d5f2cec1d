"""Do customers come back later once they have had some moments than they themselves did before?

A Cox model of the lengths of gaps between contacts, each customer a stratum, so that nobody is compared with anybody
else: who is slow for good is slow in every gap. Held equal are the logarithm of the contact's number, how far
customers have come on average by that number, the 30-day month of the year and the calendar quarter. Ties by Efron.
The last gap is censored at the end of the log, so a customer who never comes back counts as one whose next contact
comes late.

A state such as "a bad moment so far" rises with the contact's number, and so does, within a customer, the chance that
a gap is the last one, which never ends. The mean of the state over all customers who have had as many contacts is what
the number alone makes of it; with it held equal, moments that do nothing give no difference on average.

References:
    Cox (1972), Regression models and life-tables, JRSS B 34, 187-220; Efron (1977), JASA 72, 557-565; Holt & Prentice
    (1974), Survival analyses in twin studies and matched pair experiments, Biometrika 61, 17-30.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.disclosure.counts import MIN_CELL, count_text, rounding_note
from cxresearch.errors import EstimationError, NotTestable, UnknownInTableError
from cxresearch.estimators.influence import Clusters, robust_error
from cxresearch.estimators.results import Estimate, Result, estimate
from cxresearch.risk.gaps import GapTable
from cxresearch.utils.checks import arguments, flag, instance
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY

MIN_CUSTOMERS = 50  # with two gaps or more, one of them ended, and contacts that differ
MONTH, QUARTER, YEAR = 30, 91, 365  # days, where days are no dates
REACHED = 50  # customers who have had so many contacts, for a mean of their own
_STEPS = 60
# what a step would still add to the likelihood, twice; that of a month in which all gaps are the longest of their
# customers never ends, and holds nothing about the others
_DONE = 1e-14
_RANK = 1e-9  # of the largest eigenvalue of the information: less is none
_ROUNDING = 1e-6
Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OwnGaps(Result):
    """How much later customers come back after some moments than they themselves did before.

    Attributes:
        slowness: the ratio of the rates of coming back before and after: above 1, they come later.
        customers: whose contacts differ in what is asked about.
        gaps: that the model rests on.
        ended: gaps that ended with a contact.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    slowness: Estimate
    customers: int
    gaps: int
    ended: int
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def __repr__(self) -> str:
        customers, _, ended = self._counted()
        return f"OwnGaps({self.slowness}; {customers} customers, {ended} gaps that ended)"

    def _repr_html_(self) -> str:
        e = self.slowness
        row = (f"{e.value:.2f}", f"{e.low:.2f}", f"{e.high:.2f}", *self._counted())
        heads = ("slowness", f"{e.level:.0%} from", "to", "customers", "gaps", "ended")
        caption = "How much later customers come back than they themselves did before"
        notes = [rounding_note(self.min_cell)]
        return html_table(caption, ("what", *heads), [("after / before", *row)], notes)

    def _counted(self) -> tuple[str, ...]:
        """Customers, gaps and those that ended, as they may be shown."""
        return tuple(count_text(n, self.min_cell) for n in (self.customers, self.gaps, self.ended))


def own_gaps(
    table: GapTable,
    weights: Mapping[str, float],
    caps: Mapping[str, int],
    *,
    earlier: bool = False,
    level: float = 0.95,
) -> OwnGaps:
    """Fit the gaps of each customer on what had happened when they began.

    Args:
        table: from `gap_table`.
        weights: mark to weight: ``{"bad": 1}`` compares gaps by bad moments so far, ``{"good": 1, "neutral": -1}`` by
            good ones in place of neutral ones.
        caps: marks that are in the model, and how many are distinguished: 1 for whether there was one.
        earlier: count up to the contact before, so that what is done at the last one before leaving tells nothing.
        level: confidence level.

    Raises:
        UnknownInTableError: no such mark.
        NotTestable: fewer than 50 customers whose contacts differ, or what is held equal determines the marks.
        EstimationError: the likelihood has no maximum.
    """
    instance("table", table, GapTable, "a table of gaps, as gap_table gives it")
    arguments(weights=weights, level=level)
    flag("earlier", earlier)
    for name in (*caps, *weights):
        if name not in table.marks or name not in caps:
            raise UnknownInTableError(name, [m for m in table.marks if m in caps], what="mark")
    gaps = _usable(table, caps, earlier=earlier)
    names = list(caps)
    asked = sum((w * pl.col(n) for n, w in weights.items()), pl.lit(0.0))
    spread = gaps.group_by("customer").agg(differs=asked.max() > asked.min())
    differing = int(spread["differs"].sum())
    if differing < MIN_CUSTOMERS:
        raise NotTestable(
            "too_few",
            f"{MIN_CUSTOMERS} customers with two gaps or more, one of them ended, whose contacts differ in this: "
            f"there are {differing:,}",
        )
    rows = _Rows.of(gaps, _covariates(gaps, names, is_dated=table.is_dated))
    fit = _maximise(rows)
    w = np.zeros(rows.x.shape[1])
    for name, weight in weights.items():
        w[names.index(name)] = weight
    if np.abs(w - fit.identified @ w).max() > _ROUNDING * np.abs(w).max():
        raise NotTestable("no_fit", "contacts that differ in more than what is held equal")
    influence = _by_cluster(gaps, rows, fit) @ fit.inverse @ w
    with_event = gaps.filter(pl.col("ended") == 1)["cluster"].n_unique()
    return OwnGaps(
        slowness=estimate(
            float(np.exp(-(w @ fit.coef))),
            float(robust_error(influence)),
            scale="log",
            level=level,
            se_model=float(np.sqrt(w @ fit.inverse @ w)),
            clusters=Clusters(len(influence), with_event - 1, "clusters"),
        ),
        customers=differing,
        min_cell=table.min_cell,
        gaps=gaps.height,
        ended=int(gaps["ended"].sum()),
    )


def _usable(table: GapTable, caps: Mapping[str, int], *, earlier: bool) -> pl.DataFrame:
    """The gaps of customers with two or more of which one has ended; others say nothing within a customer."""
    gaps = table.gaps.sort("customer", "day")
    if earlier:
        before = (pl.col(name).shift(1).over("customer").alias(name) for name in caps)
        gaps = gaps.with_columns(before).filter(pl.col("number") > 1)
    gaps = gaps.with_columns(pl.col(name).clip(upper_bound=cap) for name, cap in caps.items())
    each = pl.len().over("customer") > 1
    return gaps.filter(each & (pl.col("ended").sum().over("customer") > 0)).sort("customer", "day")


def _covariates(gaps: pl.DataFrame, marks: list[str], *, is_dated: bool) -> Array:
    """Shape (n, k): the marks, the number's logarithm and their means by it, months of the year, calendar quarters."""
    day = pl.col("day")
    if is_dated:
        date = pl.from_epoch(day, time_unit="d")
        month = (date.dt.ordinal_day().cast(pl.Int32) - 1) // MONTH
        quarter = date.dt.year() * 4 + date.dt.quarter().cast(pl.Int32)
    else:
        month, quarter = day % YEAR // MONTH, day // QUARTER
    held = gaps.select(month=month, quarter=quarter)
    number = gaps["number"].to_numpy().astype(np.float64)
    columns = [
        gaps.select(pl.col(*marks).cast(pl.Float64)).to_numpy(),
        np.log(number)[:, None],
        _means_by_number(gaps, marks),
    ]
    for name in ("month", "quarter"):
        values = held[name].to_numpy()
        columns.append((values[:, None] == np.unique(values)[None, 1:]).astype(np.float64))
    return np.concatenate(columns, axis=1)


def _means_by_number(gaps: pl.DataFrame, marks: list[str]) -> Array:
    """Shape (n, m): the mean of each mark over the customers who have had as many contacts; the last numbers as one."""
    reached = gaps.group_by("number").len().filter(pl.col("len") >= REACHED)["number"]
    most = int(reached.max() or 1)  # type: ignore[arg-type]
    number = pl.col("number").clip(upper_bound=most)
    means = gaps.select(pl.col(m).cast(pl.Float64).mean().over(number) for m in marks)
    return means.to_numpy()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Rows:
    """Gaps in the order of customers and falling length, so that a risk set is what stands before its end.

    Attributes:
        order: shape (n,): where each row stood among the gaps.
        x: shape (n, k): covariates.
        begin: shape (n,): the first row of the same customer.
        tie: shape (n,): the last row of the same customer with the same length.
        events: shape (e,): rows that ended.
        share: shape (e,): l/d of each of d tied events, l from 0 on.
        first: shape (e,): where the events begin that a row is tied with.
        size: shape (e,): how many they are.
    """

    order: Ints
    x: Array
    begin: Ints
    tie: Ints
    events: Ints
    share: Array
    first: Ints
    size: Ints

    @staticmethod
    def of(gaps: pl.DataFrame, x: Array) -> _Rows:
        customer = gaps["customer"].to_numpy().astype(np.int64)
        days, ended = (gaps[c].to_numpy().astype(np.int64) for c in ("days", "ended"))
        order = np.lexsort((-ended, -days, customer))
        customer, days, ended = customer[order], days[order], ended[order]
        n = len(order)
        place = np.arange(n)
        is_new = np.concatenate([[True], customer[1:] != customer[:-1]])
        is_other = is_new | np.concatenate([[True], days[1:] != days[:-1]])
        begin = np.maximum.accumulate(np.where(is_new, place, 0))
        run = np.cumsum(is_other) - 1
        starts = np.flatnonzero(is_other)
        tie = (np.append(starts[1:], n) - 1)[run]
        events = np.flatnonzero(ended == 1)
        of_run = run[events]
        is_first = (
            np.concatenate([[True], of_run[1:] != of_run[:-1]])
            if len(events)
            else np.zeros(0, bool)
        )
        at = np.arange(len(events))
        first = np.maximum.accumulate(np.where(is_first, at, 0)) if len(events) else at
        size = np.bincount(first, minlength=len(events))[first] if len(events) else at
        share = (at - first) / np.maximum(size, 1)
        return _Rows(
            order=order,
            x=x[order],
            begin=begin,
            tie=tie,
            events=events,
            share=share,
            first=first,
            size=size,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """The maximum: coefficients, a generalised inverse of the information, what it identifies, scores by row."""

    coef: Array
    inverse: Array
    identified: Array
    residuals: Array


def _maximise(rows: _Rows) -> _Fit:
    """Newton's method with step halving.

    Raises:
        EstimationError: no maximum is reached.
    """
    coef = np.zeros(rows.x.shape[1])
    loglik, score, information, residuals = _derivatives(rows, coef)
    for _ in range(_STEPS):
        inverse, identified = _inverse(information)
        step = inverse @ score
        if float(score @ step) < _DONE:
            return _Fit(coef, inverse, identified, residuals)
        for _ in range(30):
            new = _derivatives(rows, coef + step)
            if np.isfinite(new[0]) and new[0] >= loglik - 1e-12 * abs(loglik):
                break
            step = step / 2
        coef = coef + step
        loglik, score, information, residuals = new
    raise EstimationError("the likelihood of a customer's own gaps has no maximum")


def _inverse(information: Array) -> tuple[Array, Array]:
    """A generalised inverse, and the projection on what the data tell of."""
    values, vectors = np.linalg.eigh(information)
    kept = values > _RANK * max(float(values.max(initial=0.0)), 1e-300)
    basis = vectors[:, kept]
    return basis / values[kept] @ basis.T, basis @ basis.T


def _derivatives(rows: _Rows, coef: Array) -> tuple[float, Array, Array, Array]:
    """Log partial likelihood (Efron), score, information, and each row's share of the score."""
    x, events = rows.x, rows.events
    eta = x @ coef
    weight = np.exp(np.clip(eta, -50, 50))
    total0, total1 = _running(weight), _running(weight[:, None] * x)
    upto, before = rows.tie[events] + 1, rows.begin[events]
    s0, s1 = total0[upto] - total0[before], total1[upto] - total1[before]
    # of the events that a row is tied with
    own0 = _running(weight[events])
    own1 = _running(weight[events][:, None] * x[events])
    last = rows.first + rows.size
    d0, d1 = own0[last] - own0[rows.first], own1[last] - own1[rows.first]
    size = s0 - rows.share * d0
    mean = (s1 - rows.share[:, None] * d1) / size[:, None]
    loglik = float((eta[events] - np.log(size)).sum())
    # how much each row weighs over all events at which it is at risk: in an event's own ties less by l/d
    inverse = np.bincount(events, 1 / size, len(x))
    later = _running(inverse[::-1])
    end = _ends(rows.begin)
    # those from the first row of the same length on, up to the customer's last row
    at_risk = later[len(x) - _first_of_tie(rows)] - later[len(x) - end]
    ties = _running(rows.share / size)
    spared = np.zeros(len(x))
    spared[events] = ties[last] - ties[rows.first]
    cumulative = weight * (at_risk - spared)
    score_rows = -cumulative[:, None] * x
    score_rows[events] += x[events]
    information = x.T @ (cumulative[:, None] * x) - mean.T @ mean
    return loglik, score_rows.sum(axis=0), information, score_rows


def _running(values: NDArray[Any]) -> Array:
    """Sums of the first so many rows, from none to all."""
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])


def _ends(begin: Ints) -> Ints:
    """One more than the last row of each row's customer."""
    starts = np.flatnonzero(begin == np.arange(len(begin)))
    ends = np.append(starts[1:], len(begin))
    return ends[np.searchsorted(starts, begin)]


def _first_of_tie(rows: _Rows) -> Ints:
    """The first row of the same customer with the same length."""
    lasts = np.unique(rows.tie)
    starts = np.concatenate([[0], lasts[:-1] + 1])
    return starts[np.searchsorted(lasts, rows.tie)]


def _by_cluster(gaps: pl.DataFrame, rows: _Rows, fit: _Fit) -> Array:
    """Shape (clusters, k): the score of each cluster; customers are strata, so a customer's is that of the stratum."""
    cluster = gaps["cluster"].to_numpy()[rows.order]
    known, place = np.unique(cluster, return_inverse=True)
    out = np.zeros((len(known), rows.x.shape[1]))
    np.add.at(out, place, fit.residuals)
    return out
