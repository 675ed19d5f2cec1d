"""A shape is code: how the number of a reading is computed from records. A claim is data and has no code of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.claims.bench import Bench, Found, given, spaced
from cxresearch.claims.claim import Claim, Reading, features
from cxresearch.claims.counting import activity_counting
from cxresearch.claims.evidence import Activity, Series
from cxresearch.claims.gates import expect, expect_events
from cxresearch.claims.grammar import Since
from cxresearch.claims.numbers import CONTEST
from cxresearch.claims.shares import share_of
from cxresearch.errors import NotTestable
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.estimators.contest import contest
from cxresearch.estimators.cox import contrast, cox
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.estimators.excess import Excess, excess
from cxresearch.estimators.fading import beyond_selection
from cxresearch.estimators.incidence import incidence, incidence_at
from cxresearch.estimators.results import CoxFit, Estimate, Incidence
from cxresearch.histories.clocks import Clock, ContactClock
from cxresearch.risk.episode import Aside
from cxresearch.risk.table import RiskTable

_EVENTS = {"bad": "bad moment"}  # what a history counts, where its name does not say


def compute(bench: Bench, claim: Claim, reading: Reading) -> Found:
    """The number of a reading.

    Raises:
        NotTestable: the data cannot give it.
    """
    return _SHAPES[reading.shape](bench, claim, reading)


def activity(bench: Bench) -> tuple[Activity, ...]:
    """How many customers had a bad moment and how many left, by their number of contacts in all."""
    table = bench.store.risk(activity_counting())
    rows = []
    for level in table.feature("contacts").levels[:-1]:
        band = table.where(contacts=[level])
        ends = [sum(t.events(c) for c in t.causes) for t in (band, band.where(bad=["1+"]))]
        rows.append(Activity(level, ends[0], ends[1], band.events("defection")))
    return tuple(r for r in rows if r.customers)


def _incidence(bench: Bench, claim: Claim, reading: Reading) -> Found:
    own, *gates = bench.countings(claim, reading)
    table = bench.store.risk(own)
    if reading.among:
        table = table.where(**reading.among)
    if table.flows.height == 0:
        raise NotTestable(_nobody(reading.clock))
    settings = bench.study
    min_cell, level, groups = settings.info.min_cell, settings.decision.level, settings.decision.groups
    curve = incidence(table, reading.event, min_cell=min_cell, level=level, groups=groups)
    horizon = _horizon(bench, reading, curve)
    for gate in gates:
        expect_events(bench.store.risk(gate), reading)
    events = _events_by(table, reading.event, horizon)
    events += _events_by(table, reading.ratio_to, horizon) if reading.ratio_to else 0
    found = incidence_at(
        table,
        horizon,
        reading.event,
        against=reading.ratio_to,
        min_cell=min_cell,
        level=level,
        groups=groups,
    )
    bands = Series(reading.label, *(tuple(float(x) for x in v) for v in _thin(coarse(curve, min_cell))))
    return Found(found, "share", table.customers, events, horizon, (bands,), table.asides)


def _excess(bench: Bench, claim: Claim, reading: Reading) -> Found:
    settings = bench.study
    horizon = settings.info.horizon_days if reading.horizon_days == "study" else int(reading.horizon_days)
    (own,) = bench.countings(claim, reading)

    def make() -> Excess:
        return excess(
            bench.store.matched(own),
            horizon,
            cause=reading.event,
            min_cell=settings.info.min_cell,
            level=settings.decision.level,
            groups=settings.decision.groups,
        )

    found = bench.once(repr((own.key, horizon, reading.event)), make)
    keep, first = spaced(len(found.times)), given(reading.compare).history
    days = tuple(float(d) for d in found.times[keep])
    series = (
        Series(f"after a first {_EVENTS.get(first, first)}", days, tuple(map(float, found.exposed_curve[keep]))),
        Series("comparable customers without one", days, tuple(map(float, found.comparators_curve[keep]))),
    )
    asides = (Aside("nobody to compare with on that day", found.dropped),) if found.dropped else ()
    events = found.events
    if reading.part != "excess":
        share_of = found.comparators if reading.part == "comparators" else found.exposed
        return Found(share_of, "share", found.customers, events, horizon, series, asides)
    return Found(found.excess, "difference of shares", found.customers, events, horizon, series, asides)


def _hazard_contrast(bench: Bench, claim: Claim, reading: Reading) -> Found:
    if reading.frailty:
        return _fading(bench, claim, reading, reading.frailty)
    table, fit = _model(bench, claim, reading, tuple(reading.contrast))
    found = contrast(fit, reading.contrast)
    return _modelled(table, fit, reading, found, "hazard ratio")


def _fading(bench: Bench, claim: Claim, reading: Reading, age: str) -> Found:
    (own,) = bench.countings(claim, reading)
    table, settings = bench.store.risk(own), bench.study.decision
    found = beyond_selection(
        table,
        age,
        among=reading.among,
        strata=own.fixed,
        cause=reading.event,
        level=settings.level,
        groups=settings.groups,
    )
    return Found(found.beyond, "hazard ratio", table.customers, found.events, asides=table.asides)


def _attributable(bench: Bench, claim: Claim, reading: Reading) -> Found:
    table, fit = _model(bench, claim, reading, tuple(reading.combine))
    unit = "share" if len(reading.combine) == 1 else "difference of shares"
    return _modelled(table, fit, reading, attributable(table, fit, reading.combine), unit)


def _contest(bench: Bench, claim: Claim, reading: Reading) -> Found:
    model, sides = given(reading.model), given(reading.contest)
    (own,) = bench.countings(claim, reading)
    if isinstance(own.clock, ContactClock):
        raise NotTestable("an end of the relation: a contest is about days")
    table, settings = _restricted(bench.store.risk(own), reading), bench.study.decision
    if table.flows.height == 0 or table.events(reading.event) == 0:
        raise NotTestable("defections among customers seen from their start")
    strata = [s for s in model.strata if s in own.fixed]
    found = contest(
        table, sides.first, sides.second, model.terms, strata=strata,
        cause=reading.event, level=settings.level, groups=settings.groups,
    )  # fmt: skip
    why = "" if found.says_something else "neither of the two says anything about who leaves that the other does not"
    events = table.events(reading.event)
    return Found(found.difference, CONTEST, table.customers, events, asides=table.asides, open=why)


def _modelled(table: RiskTable, fit: CoxFit, reading: Reading, found: Estimate, unit: str) -> Found:
    warnings = ("a level has no events or nothing else: Firth's penalty was used",) if fit.penalised else ()
    return Found(found, unit, table.customers, table.events(reading.event), None, (), table.asides, warnings)


def _model(bench: Bench, claim: Claim, reading: Reading, cells: tuple[str, ...]) -> tuple[RiskTable, CoxFit]:
    """The risk table of a reading and its model; `cells` are the levels that need enough expected events."""
    model = given(reading.model)
    (own,) = bench.countings(claim, reading)
    table, clock = _restricted(bench.store.risk(own), reading), own.clock
    if table.flows.height == 0 or table.events(reading.event) == 0:
        raise NotTestable("defections among customers seen from their start")
    named = {name for term in cells for name in features(term)}
    for name in [n for n, _ in own.histories if n == claim.cell or n in named]:
        expect(table, name, reading, own.fixed)
    settings = bench.study.decision
    strata = tuple(s for s in own.fixed if s in model.strata)
    silent = _silent(table, model.terms, named, reading.event)
    table = table.where(**silent) if silent else table
    fit = bench.once(
        repr((own.key, model.terms, reading.event, reading.among, reading.after_days, silent)),
        lambda: fit_hazards(table, model.terms, strata, reading.event, settings.level, settings.groups, clock),
    )
    return table, fit


def _silent(table: RiskTable, terms: tuple[str, ...], asked: set[str], event: str) -> dict[str, list[str]]:
    """Of what is held equal, the levels to keep, where others are without an event.

    The coefficient of a level in which nobody leaves runs off to nothing, and its risk sets say nothing of the other
    coefficients: without that time they are what they are in the limit.
    """
    held = [t for t in terms if features(t) == (t,) and t not in asked and sum(t in features(u) for u in terms) == 1]
    left = table.flows.filter(pl.col(event) > 0)
    found = {}
    for name in held:
        telling = left[name].unique().sort()
        if len(telling) < table.flows[name].n_unique():
            found[name] = [table.feature(name).levels[i] for i in telling]
    return found


def _restricted(table: RiskTable, reading: Reading) -> RiskTable:
    """The time that a reading looks at."""
    table = table.where(**reading.among) if reading.among else table
    return table.after(reading.after_days) if reading.after_days else table


def fit_hazards(
    table: RiskTable,
    terms: tuple[str, ...],
    strata: tuple[str, ...],
    event: str,
    level: float,
    groups: int,
    clock: Clock,
) -> CoxFit:
    """Cox on days; the grouped-time model on contacts, where nearly everybody shares few times."""
    if isinstance(clock, ContactClock):
        return grouped_hazards(table, terms, strata=strata, cause=event, level=level, groups=groups)
    return cox(table, terms, strata=strata, cause=event, level=level, groups=groups)


def _horizon(bench: Bench, reading: Reading, curve: Incidence) -> int:
    if reading.horizon_days == "support":
        return min(int(curve.support), int(curve.times[-1]))
    horizon = bench.study.info.horizon_days if reading.horizon_days == "study" else int(reading.horizon_days)
    gap = bench.study.retention.gap_days
    if gap is not None and horizon <= gap:
        raise NotTestable(f"a horizon beyond the gap of {gap} days that defines a lapse")
    return horizon


def _events_by(table: RiskTable, cause: str, horizon: int) -> int:
    return int(table.flows.filter(pl.col("time") <= horizon)[cause].sum())


def _nobody(clock: Since | None) -> str:
    return (
        f"customers who reached {clock.since} {clock.level} and were seen from their start"
        if clock
        else "customers at risk"
    )


def _thin(curve: Incidence) -> tuple[NDArray[np.float64], ...]:
    """Some points of a curve, with the origin."""
    keep = spaced(len(curve.times))
    return tuple(
        np.concatenate([[float(curve.start) if i == 0 else 0.0], v[keep]])
        for i, v in enumerate((curve.times, curve.incidence, curve.low, curve.high))
    )


_SHAPES: dict[str, Callable[[Bench, Claim, Reading], Found]] = {
    "incidence": _incidence,
    "excess": _excess,
    "hazard_contrast": _hazard_contrast,
    "attributable": _attributable,
    "contest": _contest,
    "share": share_of,
}
