"""A shape is code: how the number of a reading is computed from records. A claim is data and has no code of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.claims.claim import Claim, Reading, Since, features
from cxresearch.claims.counting import Counting, activity_counting, countings
from cxresearch.claims.evidence import Activity, Series
from cxresearch.claims.store import Store
from cxresearch.clocks import Clock, ContactClock
from cxresearch.episode import Aside
from cxresearch.errors import ClaimError, NotTestable
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.contest import contest
from cxresearch.estimators.cox import contrast, cox
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.estimators.excess import Excess, excess
from cxresearch.estimators.expected import expected_events
from cxresearch.estimators.incidence import incidence, incidence_at
from cxresearch.estimators.results import CoxFit, Estimate, Incidence
from cxresearch.estimators.share import share
from cxresearch.risk import RiskTable
from cxresearch.study import Study

T = TypeVar("T")
MIN_EXPECTED = 10  # fewer expected events in a cell that matters: not testable


@dataclass(frozen=True, slots=True)
class Found:
    """The number of a reading.

    Attributes:
        estimate: with its interval.
        unit: ``share``, ``hazard ratio``, ``difference of shares`` or ``log likelihood per departure``.
        customers: at risk.
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
    _excesses: dict[str, Excess] = field(default_factory=dict)
    _fits: dict[str, CoxFit] = field(default_factory=dict)

    @property
    def study(self) -> Study:
        """The study."""
        return self.store.study

    def countings(self, claim: Claim, reading: Reading) -> tuple[Counting, ...]:
        """The tables a reading needs, its own first."""
        return countings(self.study, self.store.fixed, claim, reading)

    def once(self, key: str, make: Callable[[], Excess]) -> Excess:
        """A comparison that two readings share."""
        if key not in self._excesses:
            self._excesses[key] = make()
        return self._excesses[key]

    def fit(self, key: str, make: Callable[[], CoxFit]) -> CoxFit:
        """A model that several readings look at."""
        if key not in self._fits:
            self._fits[key] = make()
        return self._fits[key]


def _given(part: T | None) -> T:
    """A part that the grammar of the catalogue demands of the shape."""
    if part is None:
        raise ClaimError("a reading lacks what its shape needs")
    return part


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
    curve = incidence(
        table,
        reading.event,
        min_cell=settings.info.min_cell,
        level=settings.decision.level,
        groups=settings.decision.groups,
    )
    horizon = _horizon(bench, reading, curve)
    for gate in gates:
        _expect_events(bench.store.risk(gate), reading)
    events = _events_by(table, reading.event, horizon)
    events += _events_by(table, reading.ratio_to, horizon) if reading.ratio_to else 0
    found = incidence_at(
        table,
        horizon,
        reading.event,
        against=reading.ratio_to,
        min_cell=settings.info.min_cell,
        level=settings.decision.level,
        groups=settings.decision.groups,
    )
    bands = Series(reading.label, *(tuple(float(x) for x in v) for v in _thin(curve)))
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
    keep = _spaced(len(found.times))
    days = tuple(float(d) for d in found.times[keep])
    series = (
        Series("after a first bad moment", days, tuple(map(float, found.exposed_curve[keep]))),
        Series("comparable customers without one", days, tuple(map(float, found.comparators_curve[keep]))),
    )
    asides = (Aside("nobody to compare with on that day", found.dropped),) if found.dropped else ()
    events = found.events
    if reading.part != "excess":
        share_of = found.comparators if reading.part == "comparators" else found.exposed
        return Found(share_of, "share", found.customers, events, horizon, series, asides)
    return Found(found.excess, "difference of shares", found.customers, events, horizon, series, asides)


def _hazard_contrast(bench: Bench, claim: Claim, reading: Reading) -> Found:
    table, fit = _model(bench, claim, reading, tuple(reading.contrast))
    found = contrast(fit, reading.contrast)
    return _modelled(table, fit, reading, found, "hazard ratio")


def _attributable(bench: Bench, claim: Claim, reading: Reading) -> Found:
    table, fit = _model(bench, claim, reading, tuple(reading.combine))
    unit = "share" if len(reading.combine) == 1 else "difference of shares"
    return _modelled(table, fit, reading, attributable(table, fit, reading.combine), unit)


def _contest(bench: Bench, claim: Claim, reading: Reading) -> Found:
    model, sides = _given(reading.model), _given(reading.contest)
    (own,) = bench.countings(claim, reading)
    if isinstance(own.clock, ContactClock):
        raise NotTestable("an end of the relation: a contest is about days")
    table, settings = bench.store.risk(own), bench.study.decision
    if table.flows.height == 0 or table.events(reading.event) == 0:
        raise NotTestable("defections among customers seen from their start")
    strata = [s for s in model.strata if s in own.fixed]
    found = contest(
        table, sides.first, sides.second, model.terms, strata=strata,
        cause=reading.event, level=settings.level, groups=settings.groups,
    )  # fmt: skip
    why = "" if found.says_something else "neither of the two says anything about who leaves that the other does not"
    unit, events = "log likelihood per departure", table.events(reading.event)
    return Found(found.difference, unit, table.customers, events, asides=table.asides, open=why)


def _modelled(table: RiskTable, fit: CoxFit, reading: Reading, found: Estimate, unit: str) -> Found:
    warnings = ("a level has no events or nothing else: Firth's penalty was used",) if fit.penalised else ()
    return Found(found, unit, table.customers, table.events(reading.event), None, (), table.asides, warnings)


def _model(bench: Bench, claim: Claim, reading: Reading, cells: tuple[str, ...]) -> tuple[RiskTable, CoxFit]:
    """The risk table of a reading and its model; `cells` are the levels that need enough expected events."""
    model = _given(reading.model)
    (own,) = bench.countings(claim, reading)
    table, clock = bench.store.risk(own), own.clock
    if table.flows.height == 0 or table.events(reading.event) == 0:
        raise NotTestable("defections among customers seen from their start")
    named = {name for term in cells for name in features(term)}
    for name in [n for n, _ in own.histories if n == claim.cell or n in named]:
        _expect(table, name, reading, own.fixed)
    settings = bench.study.decision
    strata = tuple(s for s in own.fixed if s in model.strata)
    fit = bench.fit(
        repr((own.key, model.terms, reading.event)),
        lambda: fit_hazards(table, model.terms, strata, reading.event, settings.level, settings.groups, clock),
    )
    return table, fit


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


def _share(bench: Bench, claim: Claim, reading: Reading) -> Found:
    (own,) = bench.countings(claim, reading)
    table = bench.store.risk(own)
    settings = bench.study.decision
    found = share(
        table,
        {k: tuple(v) for k, v in reading.count.items()},
        among=dict(reading.among) or None,
        causes=reading.ends or None,
        level=settings.level,
        groups=settings.groups,
    )
    return Found(found.estimate, "share", found.whole, found.part, None, (), table.asides)


def _horizon(bench: Bench, reading: Reading, curve: Incidence) -> int:
    if reading.horizon_days == "support":
        return min(int(curve.support), int(curve.times[-1]))
    horizon = bench.study.info.horizon_days if reading.horizon_days == "study" else int(reading.horizon_days)
    gap = bench.study.retention.gap_days
    if gap is not None and horizon <= gap:
        raise NotTestable(f"a horizon beyond the gap of {gap} days that defines a lapse")
    return horizon


def _expect(table: RiskTable, name: str, reading: Reading, strata: tuple[str, ...]) -> None:
    """Enough expected events in the reference level and in every level of the contrast, or in all others together."""
    counts = expected_events(table, name, reading.event, strata)
    by = dict(zip(counts["level"], counts["expected"], strict=True))
    reference = table.feature(name).levels[0]
    wanted = [t.partition("[")[2].removesuffix("]") for t in reading.contrast if t.startswith(f"{name}[")]
    cells = {reference: by[reference]} | {level: by.get(level, 0.0) for level in wanted}
    if not wanted:
        cells[f"anything but {reference}"] = sum(by.values()) - by[reference]
    for level, few in cells.items():
        if few < MIN_EXPECTED:
            raise NotTestable(
                f"events enough where {name} is {level}: {few:.1f} would be expected, {MIN_EXPECTED} are needed"
            )


def _expect_events(table: RiskTable, reading: Reading) -> None:
    """After the origin, as many events as a verdict needs would be expected at everybody's hazard."""
    origin = _given(reading.clock)
    counts = expected_events(table, origin.since, reading.event)
    levels = table.feature(origin.since).levels
    within = reading.until is not None and reading.until.history == origin.since
    stop = levels.index(reading.until.level) if reading.until and within else len(levels)
    inside = counts["expected"][levels.index(origin.level) : stop].sum()
    if inside < MIN_EXPECTED:
        cell = f"from {origin.since} {origin.level} on"
        raise NotTestable(f"events enough {cell}: {inside:.1f} would be expected, {MIN_EXPECTED} are needed")


def _events_by(table: RiskTable, cause: str, horizon: int) -> int:
    return int(table.flows.filter(pl.col("time") <= horizon)[cause].sum())


def _nobody(clock: Since | None) -> str:
    return (
        f"customers who reached {clock.since} {clock.level} and were seen from their start"
        if clock
        else "customers at risk"
    )


def _spaced(n: int) -> NDArray[np.int64]:
    """At most a hundred of n places, the first and the last among them: as many as a chart can show."""
    return np.unique(np.linspace(0, n - 1, min(100, n)).astype(np.int64))


def _thin(curve: Incidence) -> tuple[NDArray[np.float64], ...]:
    """Some points of a curve, with the origin."""
    keep = _spaced(len(curve.times))
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
    "share": _share,
}
