"""How the number of each kind of reading is computed from the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.claims.catalogue_loader import Claim, Reading, features
from cxresearch.claims.results import Activity, Series
from cxresearch.claims.schema import AtRisk, Since, Worst
from cxresearch.claims.tables import Counting, Store, activity_counting, countings
from cxresearch.claims.units import CONTEST
from cxresearch.errors import ClaimError, NotTestable
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.estimators.concentration import worst_share
from cxresearch.estimators.cox import contrast, cox
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.estimators.excess import Excess, excess
from cxresearch.estimators.fading import beyond_selection
from cxresearch.estimators.incidence import incidence, incidence_at
from cxresearch.estimators.model_comparison import contest
from cxresearch.estimators.rates import expected_events
from cxresearch.estimators.results import CoxFit, Estimate, Incidence
from cxresearch.estimators.shares import share, share_at_risk
from cxresearch.histories.base import Clock, ContactClock
from cxresearch.risk.episodes import Aside
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """The number of a reading.

    Attributes:
        estimate: with its interval.
        unit: as `Evidence.unit`.
        customers: as `Evidence.customers`.
        events: that count.
        horizon_days: None where there is none.
        series: curves behind it.
        asides: customers left out.
        warnings: what to bear in mind.
        open: why the number cannot decide, whatever it is; empty if it can.
    """

    estimate: Estimate
    unit: str
    customers: int
    events: int
    horizon_days: int | None = None
    series: tuple[Series, ...] = ()
    asides: tuple[Aside, ...] = ()
    warnings: tuple[str, ...] = ()
    open: str = ""


@dataclass(slots=True)
class Bench:
    """One study on trial: what several readings share is made once.

    Attributes:
        store: the study and its tables.
    """

    store: Store
    _made: dict[str, Any] = field(default_factory=dict)
    _making: dict[str, Lock] = field(default_factory=lambda: defaultdict(Lock))

    @property
    def study(self) -> Study:
        """The study."""
        return self.store.study

    def countings(self, claim: Claim, reading: Reading) -> tuple[Counting, ...]:
        """The tables a reading needs, its own first."""
        return countings(self.study, self.store.fixed, claim, reading)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """A result that several readings look at, perhaps at the same time."""
        with self._making[key]:
            if key not in self._made:
                self._made[key] = make()
            result: T = self._made[key]
            return result


def given(part: T | None) -> T:
    """A part that the grammar of the catalogue demands of the shape."""
    if part is None:
        raise ClaimError("a reading lacks what its shape needs")
    return part


def spaced(n: int) -> NDArray[np.int64]:
    """At most a hundred of n places, the first and the last among them: as many as a chart can show."""
    return np.unique(np.linspace(0, n - 1, min(100, n)).astype(np.int64))


MIN_EXPECTED = 10  # fewer expected events in a cell that matters: not testable


def expect(table: RiskTable, name: str, reading: Reading, strata: tuple[str, ...]) -> None:
    """Enough expected events in every level of the contrast, or in all but the reference together, and in that."""
    counts = expected_events(table, name, reading.event, strata)
    by = dict(zip(counts["level"], counts["expected"], strict=True))
    reference = next((level for level, n in by.items() if n > 0), table.feature(name).levels[0])
    weights = {t: w for t, w in reading.contrast.items() if t.startswith(f"{name}[")}
    wanted, one_sided = [t.partition("[")[2].removesuffix("]") for t in weights], sum(weights.values()) != 0
    cells = {level: by.get(level, 0.0) for level in wanted}
    if not wanted or one_sided:
        cells[reference] = by[reference]
    if not wanted:
        cells[f"anything but {reference}"] = sum(by.values()) - by[reference]
    for level, few in cells.items():
        if few < MIN_EXPECTED:
            raise NotTestable(
                f"events enough where {name} is {level}: {few:.1f} would be expected, {MIN_EXPECTED} are needed"
            )


def expect_events(table: RiskTable, reading: Reading) -> None:
    """After the origin, as many events as a verdict needs would be expected at everybody's hazard."""
    origin = given(reading.clock)
    if reading.event not in table.causes:
        return  # what `until` makes an end has no hazard before the origin
    counts = expected_events(table, origin.since, reading.event)
    levels = table.feature(origin.since).levels
    within = reading.until is not None and reading.until.history == origin.since
    stop = levels.index(reading.until.level) if reading.until and within else len(levels)
    inside = counts["expected"][levels.index(origin.level) : stop].sum()
    if inside < MIN_EXPECTED:
        cell = f"from {origin.since} {origin.level} on"
        raise NotTestable(f"events enough {cell}: {inside:.1f} would be expected, {MIN_EXPECTED} are needed")


def share_of(bench: Bench, claim: Claim, reading: Reading) -> Found:
    """The number of a reading of the shape ``share``."""
    (own,) = bench.countings(claim, reading)
    if reading.worst:
        return _worst(bench, own, reading.worst)
    if reading.at_risk:
        return _beside_others(bench, own, reading, reading.at_risk)
    table = bench.store.risk(own)
    settings = bench.study.decision
    result = share(
        table,
        {k: tuple(v) for k, v in reading.count.items()},
        among=dict(reading.among) or None,
        causes=reading.ends or None,
        level=settings.level,
        groups=settings.groups,
    )
    return Found(result.estimate, "share", result.whole, result.part, None, (), table.asides)


def _beside_others(bench: Bench, own: Counting, reading: Reading, at_risk: AtRisk) -> Found:
    table = bench.store.risk(own)
    settings = bench.study.decision
    result = bench.once(
        repr((own.key, reading.count, reading.among, reading.ends, at_risk.alike, at_risk.strata)),
        lambda: share_at_risk(
            table,
            dict(reading.count),
            at_risk.alike,
            among=dict(reading.among) or None,
            causes=reading.ends or ("defection",),
            strata=at_risk.strata,
            level=settings.level,
            groups=settings.groups,
        ),
    )
    if at_risk.part == "comparators":
        return Found(result.comparators, "share", table.customers, result.whole, None, (), table.asides)
    return Found(result.excess, "difference of shares", table.customers, result.whole, None, (), table.asides)


def _worst(bench: Bench, own: Counting, says: Worst) -> Found:
    table, level = bench.store.agents(own), bench.study.decision.level
    result = bench.once(repr((own.key, says.part)), lambda: worst_share(table.counts, part=says.part, level=level))
    estimate = result.chance if says.chance else result.estimate
    return Found(estimate, "share", result.agents, result.bad)


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
    result = incidence_at(
        table,
        horizon,
        reading.event,
        against=reading.ratio_to,
        min_cell=min_cell,
        level=level,
        groups=groups,
    )
    bands = Series(reading.label, *(tuple(float(x) for x in v) for v in _thin(coarse(curve, min_cell))))
    return Found(result, "share", table.customers, events, horizon, (bands,), table.asides)


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

    result = bench.once(repr((own.key, horizon, reading.event)), make)
    keep, first = spaced(len(result.times)), given(reading.compare).history
    days = tuple(float(d) for d in result.times[keep])
    series = (
        Series(f"after a first {_EVENTS.get(first, first)}", days, tuple(map(float, result.exposed_curve[keep]))),
        Series("comparable customers without one", days, tuple(map(float, result.comparators_curve[keep]))),
    )
    asides = (Aside("nobody to compare with on that day", result.dropped),) if result.dropped else ()
    events = result.events
    if reading.part != "excess":
        share_of = result.comparators if reading.part == "comparators" else result.exposed
        return Found(share_of, "share", result.customers, events, horizon, series, asides)
    return Found(result.excess, "difference of shares", result.customers, events, horizon, series, asides)


def _hazard_contrast(bench: Bench, claim: Claim, reading: Reading) -> Found:
    if reading.frailty:
        return _fading(bench, claim, reading, reading.frailty)
    table, fit = _model(bench, claim, reading, tuple(reading.contrast))
    result = contrast(fit, reading.contrast)
    return _modelled(table, fit, reading, result, "hazard ratio")


def _fading(bench: Bench, claim: Claim, reading: Reading, age: str) -> Found:
    (own,) = bench.countings(claim, reading)
    table, settings = bench.store.risk(own), bench.study.decision
    result = beyond_selection(
        table,
        age,
        among=reading.among,
        strata=own.fixed,
        cause=reading.event,
        level=settings.level,
        groups=settings.groups,
    )
    return Found(result.beyond, "hazard ratio", table.customers, result.events, asides=table.asides)


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
    result = contest(
        table, sides.first, sides.second, model.terms, strata=strata,
        cause=reading.event, level=settings.level, groups=settings.groups,
    )  # fmt: skip
    why = "" if result.says_something else "neither of the two says anything about who leaves that the other does not"
    events = table.events(reading.event)
    return Found(result.difference, CONTEST, table.customers, events, asides=table.asides, open=why)


def _modelled(table: RiskTable, fit: CoxFit, reading: Reading, result: Estimate, unit: str) -> Found:
    warnings = ("a level has no events or nothing else: Firth's penalty was used",) if fit.penalised else ()
    return Found(result, unit, table.customers, table.events(reading.event), None, (), table.asides, warnings)


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
    result = {}
    for name in held:
        telling = left[name].unique().sort()
        if len(telling) < table.flows[name].n_unique():
            result[name] = [table.feature(name).levels[i] for i in telling]
    return result


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
