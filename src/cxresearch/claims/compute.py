"""How the number of each kind of reading is computed from the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import assert_never

import numpy as np
import polars as pl
from msgspec import structs
from numpy.typing import NDArray

from cxresearch.claims.adjusted_model import Variant, adjusted_model
from cxresearch.claims.context import (
    AS_WRITTEN,
    EvaluationContext,
    RawEstimate,
    check_min_events,
    check_min_events_after,
)
from cxresearch.claims.kinds import (
    AnyReading,
    AttributableShareReading,
    ConcentrationReading,
    ExcessReading,
    FadingReading,
    HazardContrastReading,
    IncidenceReading,
    ModelComparisonReading,
    ModelReading,
    ShareAtRiskReading,
    ShareReading,
)
from cxresearch.claims.readings import TimeOrigin
from cxresearch.claims.results import Activity, Series
from cxresearch.claims.schema import Claim
from cxresearch.claims.tables import TableSpec, contacts_spec
from cxresearch.claims.validation import features
from cxresearch.errors import NotTestable
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.estimators.concentration import worst_share
from cxresearch.estimators.cox import contrast
from cxresearch.estimators.discrete import fit_hazards
from cxresearch.estimators.excess import Excess, excess
from cxresearch.estimators.fading import beyond_selection
from cxresearch.estimators.incidence import incidence, incidence_at
from cxresearch.estimators.model_comparison import compare_models
from cxresearch.estimators.rates import exposure_by_level
from cxresearch.estimators.results import CoxFit, Estimate, Incidence
from cxresearch.estimators.shares import share, share_at_risk
from cxresearch.histories.base import ContactClock
from cxresearch.risk.cohorts import WIDE, Joined, join_cohorts
from cxresearch.risk.episodes import COHORT, Exclusion
from cxresearch.risk.table import RiskTable

COHORT_MONTHS = (1, 3)  # of comparators, the wider ones where the narrower leave too many alone
MOST_UNMATCHED = 0.1  # of the exposed without a comparator: above, an excess is not decided


def spaced(n: int) -> NDArray[np.int64]:
    """At most a hundred of n places, the first and the last among them: as many as a chart can show."""
    return np.unique(np.linspace(0, n - 1, min(100, n)).astype(np.int64))


def compute_share(context: EvaluationContext, claim: Claim, reading: ShareReading) -> RawEstimate:
    """A share of customers."""
    (own,) = context.table_specs(claim, reading)
    table = context.store.risk(own)
    settings = context.study.decision
    result = share(
        table,
        dict(reading.numerator),
        subset=dict(reading.subset) or None,
        causes=reading.exit_causes or None,
        level=settings.level,
    )
    return RawEstimate(
        result.estimate, reading.unit, result.whole, result.part, asides=table.asides
    )


def compute_share_at_risk(
    context: EvaluationContext, claim: Claim, reading: ShareAtRiskReading
) -> RawEstimate:
    """A share of those who left, beside that of those at risk with them."""
    (own,) = context.table_specs(claim, reading)
    table = context.store.risk(own)
    settings = context.study.decision
    causes = reading.exit_causes or ("defection",)
    asked = (own.key, reading.numerator, reading.subset, causes, reading.matched_on, reading.strata)
    result = context.once(
        repr(asked),
        lambda: share_at_risk(
            table,
            dict(reading.numerator),
            reading.matched_on,
            subset=dict(reading.subset) or None,
            causes=causes,
            strata=reading.strata,
            level=settings.level,
        ),
    )
    number = result.comparators if reading.measure == "comparators" else result.excess
    return RawEstimate(number, reading.unit, table.customers, result.whole, asides=table.asides)


def compute_concentration(
    context: EvaluationContext, claim: Claim, reading: ConcentrationReading
) -> RawEstimate:
    """The share of bad moments at the worst."""
    (own,) = context.table_specs(claim, reading)
    table, level = context.store.agents(own), context.study.decision.level
    result = context.once(
        repr((own.key, reading.top_fraction)),
        lambda: worst_share(table.counts, part=reading.top_fraction, level=level),
    )
    number = result.chance if reading.measure == "by_chance" else result.estimate
    return RawEstimate(number, reading.unit, result.agents, result.bad)


_EVENTS = {"bad": "bad moment"}  # what a history counts, where its name does not say


def compute(
    context: EvaluationContext,
    claim: Claim,
    reading: AnyReading,
    variant: Variant = AS_WRITTEN,
) -> RawEstimate:
    """The number of a reading.

    Args:
        context: the study and its tables.
        claim: of the reading.
        reading: adapted to the study.
        variant: under which rival explanation; only contrasts, attributable shares and excesses know any.

    Raises:
        NotTestable: the data cannot give it.
        EstimationError: its model cannot be fitted.
    """
    match reading:
        case IncidenceReading():
            result = _incidence(context, claim, reading)
        case ExcessReading():
            result = _excess(context, claim, reading, variant)
        case HazardContrastReading():
            result = _hazard_contrast(context, claim, reading, variant)
        case FadingReading():
            result = _fading(context, claim, reading)
        case AttributableShareReading():
            result = _attributable_share(context, claim, reading, variant)
        case ModelComparisonReading():
            result = _model_comparison(context, claim, reading)
        case ShareReading():
            result = compute_share(context, claim, reading)
        case ShareAtRiskReading():
            result = compute_share_at_risk(context, claim, reading)
        case ConcentrationReading():
            result = compute_concentration(context, claim, reading)
        case _:
            assert_never(reading)
    return result


def activity(context: EvaluationContext) -> tuple[Activity, ...]:
    """How many customers had a bad moment and how many left, by their number of contacts in all."""
    table = context.store.risk(contacts_spec())
    rows = []
    for level in table.feature("contacts").levels[:-1]:
        band = table.where(contacts=[level])
        ends = [sum(t.events(c) for c in t.causes) for t in (band, band.where(bad=["1+"]))]
        rows.append(Activity(level, ends[0], ends[1], band.events("defection")))
    return tuple(r for r in rows if r.customers)


def _incidence(context: EvaluationContext, claim: Claim, reading: IncidenceReading) -> RawEstimate:
    own, *before = context.table_specs(claim, reading)
    table = context.store.risk(own)
    if reading.subset:
        table = table.where(**reading.subset)
    if table.flows.height == 0:
        raise NotTestable(_nobody(reading.time_origin))
    settings = context.study
    min_cell, level = settings.info.min_cell, settings.decision.level
    curve = incidence(table, reading.event, min_cell=min_cell, level=level)
    horizon = _horizon(context, reading, curve)
    if origin := reading.time_origin:
        check_min_events_after(
            context.store.risk(*before), reading.event, origin, reading.competing_event
        )
    events = _events_by(table, reading.event, horizon)
    events += _events_by(table, reading.ratio_to, horizon) if reading.ratio_to else 0
    result = incidence_at(
        table,
        horizon,
        reading.event,
        against=reading.ratio_to,
        min_cell=min_cell,
        level=level,
    )
    bands = Series(
        reading.label, *(tuple(float(x) for x in v) for v in _thin(coarse(curve, min_cell)))
    )
    return RawEstimate(
        result, reading.unit, table.customers, events, horizon, (bands,), table.asides
    )


def _excess(
    context: EvaluationContext, claim: Claim, reading: ExcessReading, variant: Variant
) -> RawEstimate:
    settings = context.study
    horizon = (
        settings.info.horizon_days if reading.horizon_days == "study" else int(reading.horizon_days)
    )
    *compared, cohorts = context.table_specs(claim, reading)

    def make(own: TableSpec, joined: Joined) -> Excess:
        return excess(
            context.store.matched(own).relabel(COHORT, joined.names),
            horizon,
            cause=reading.event,
            min_cell=settings.info.min_cell,
            level=settings.decision.level,
            lead=variant.lead,
        )

    # the closest comparison that leaves nearly nobody alone
    for own, months in product(compared, COHORT_MONTHS):
        joined = join_cohorts(context.store.risk(cohorts), months=months)
        key = repr((own.key, horizon, reading.event, variant.lead, months))
        result = context.once(key, partial(make, own, joined))
        if result.unmatched_share <= MOST_UNMATCHED:
            break
    keep, first = spaced(len(result.times)), reading.compare.history
    days = tuple(float(d) for d in result.times[keep])
    series = (
        Series(
            f"after a first {_EVENTS.get(first, first)}",
            days,
            tuple(map(float, result.exposed_curve[keep])),
        ),
        Series(
            "comparable customers without one",
            days,
            tuple(map(float, result.comparators_curve[keep])),
        ),
    )
    asides = (
        (Exclusion("nobody to compare with on that day", result.dropped),) if result.dropped else ()
    )
    number = {
        "excess": result.excess,
        "exposed": result.exposed,
        "comparators": result.comparators,
    }[reading.measure]
    alone = (
        f"{result.unmatched_share:.0%} of the customers with such a moment have nobody to be compared with"
        if result.unmatched_share > MOST_UNMATCHED
        else ""
    )
    return RawEstimate(
        number,
        reading.unit,
        result.customers,
        result.events,
        horizon,
        series,
        asides,
        open=alone,
        widest_cohort_days=joined.widest_days,
    )


def _hazard_contrast(
    context: EvaluationContext, claim: Claim, reading: HazardContrastReading, variant: Variant
) -> RawEstimate:
    fitted = _model(context, claim, reading, reading.contrast, variant)
    number = contrast(fitted.fit, reading.contrast)
    if reading.over_range:
        number = _over_range(fitted.table, reading, number)
    return _modelled(fitted, reading, number)


def _over_range(table: RiskTable, reading: HazardContrastReading, number: Estimate) -> Estimate:
    """The ratio per moment, taken over the range of the count that customers have: what a verdict looks at.

    From none to the 90th percentile over customer-days at risk, at least one moment and at most five.
    """
    feature = table.feature(reading.over_range)
    days = exposure_by_level(table, reading.over_range)
    known = [(float(v.removesuffix("+")), n) for v, n in days.items() if v[0].isdigit()]
    upto = np.cumsum([n for _, n in known])
    at = int(np.searchsorted(upto, 0.9 * upto[-1])) if len(upto) and upto[-1] > 0 else 0
    times = min(max(known[at][0] if known else 1.0, 1.0), 5.0)
    assert feature.levels
    return replace(
        number,
        value=number.value**times,
        low=number.low**times,
        high=number.high**times,
        se=number.se * times,
        se_model=number.se_model * times,
    )


def _fading(context: EvaluationContext, claim: Claim, reading: FadingReading) -> RawEstimate:
    (own,) = context.table_specs(claim, reading)
    table, settings = context.store.risk(own), context.study.decision
    result = beyond_selection(
        table,
        reading.age,
        subset=reading.subset,
        strata=own.fixed,
        cause=reading.event,
        level=settings.level,
    )
    return RawEstimate(
        result.beyond, reading.unit, table.customers, result.events, asides=table.asides
    )


def _attributable_share(
    context: EvaluationContext, claim: Claim, reading: AttributableShareReading, variant: Variant
) -> RawEstimate:
    fitted = _model(context, claim, reading, {}, variant)
    return _modelled(fitted, reading, attributable(fitted.table, fitted.fit, reading.weights))


def _model_comparison(
    context: EvaluationContext, claim: Claim, reading: ModelComparisonReading
) -> RawEstimate:
    (own,) = context.table_specs(claim, reading)
    if isinstance(own.clock, ContactClock):
        raise NotTestable("an end of the relation: a comparison of models is about days")
    made = _prepared(context, claim, reading, AS_WRITTEN)
    result = compare_models(
        made.table,
        reading.a,
        reading.b,
        [t for t in made.terms if t not in (*reading.a, *reading.b)],
        strata=made.strata,
        cause=reading.event,
        level=context.study.decision.level,
    )
    why = (
        ""
        if result.says_something
        else "neither of the two says anything about who leaves that the other does not"
    )
    events = made.table.events(reading.event)
    return RawEstimate(
        result.difference,
        reading.unit,
        made.table.customers,
        events,
        asides=made.table.asides,
        open=why,
        widest_cohort_days=made.widest_cohort_days,
    )


def _modelled(fitted: _Fitted, reading: ModelReading, result: Estimate) -> RawEstimate:
    warnings = (
        ("a level has no events or nothing else: Firth's penalty was used",)
        if fitted.fit.penalised
        else ()
    )
    return RawEstimate(
        result,
        reading.unit,
        fitted.table.customers,
        fitted.table.events(reading.event),
        asides=fitted.table.asides,
        warnings=warnings,
        widest_cohort_days=fitted.widest_cohort_days,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Prepared:
    """A table and the terms of a model on it.

    Attributes:
        key: what tells it apart from others.
        table: restricted to the time that the reading looks at.
        terms: of the reading, and those held equal.
        held: those that are only held equal.
        strata: with a baseline hazard each.
        widest_cohort_days: 0 where cohorts are not compared.
    """

    key: str
    table: RiskTable
    terms: tuple[str, ...]
    held: tuple[str, ...]
    strata: tuple[str, ...]
    widest_cohort_days: int


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    table: RiskTable
    fit: CoxFit
    widest_cohort_days: int


def _prepared(
    context: EvaluationContext, claim: Claim, reading: ModelReading, variant: Variant
) -> _Prepared:
    """The table of a model reading under a variant, with all that is held equal."""
    (spec,) = context.table_specs(claim, _any(reading), variant)
    table, widest = context.store.risk(spec), 0
    if spec.cohorts:
        joined = join_cohorts(table)
        table, widest = joined.table, joined.widest_days
        if widest > WIDE:  # within such a cohort the calendar moves: its months are terms as well
            (spec,) = context.table_specs(claim, _any(reading), variant, calendar=True)
            table = join_cohorts(context.store.risk(spec)).table
    made = adjusted_model(table, reading, reading.model.terms)
    table = _restricted(made.table, reading, variant.lead)
    strata = tuple(s for s in spec.fixed if s in reading.model.strata)
    strata = (*strata, COHORT) if spec.cohorts else strata
    asked = {n for t in reading.weighted() for n in features(t)}
    silent = _silent(table, made.terms, asked, reading.event)
    table = table.where(**silent) if silent else table
    after = reading.after_days, variant.lead
    key = repr((spec.key, made.terms, strata, reading.event, reading.subset, after, silent))
    return _Prepared(
        key=key,
        table=table,
        terms=made.terms,
        held=made.held,
        strata=strata,
        widest_cohort_days=widest,
    )


def _any(reading: ModelReading) -> AnyReading:
    assert isinstance(
        reading, HazardContrastReading | AttributableShareReading | ModelComparisonReading
    )
    return reading


def _model(
    context: EvaluationContext,
    claim: Claim,
    reading: HazardContrastReading | AttributableShareReading,
    levels: Mapping[str, float],
    variant: Variant,
) -> _Fitted:
    """The risk table of a reading and its model; `levels` are those that need enough expected events."""
    if variant.event:
        reading = structs.replace(reading, event=variant.event)
    made = _prepared(context, claim, reading, variant)
    named = {name for term in reading.weighted() for name in features(term)}
    plain = tuple(s for s in made.strata if s != COHORT)
    for name in [f.name for f in made.table.features]:
        if name == claim.exposure or (name in named and name in claim.histories):
            check_min_events(made.table, name, reading.event, levels, plain)
    fit = context.once(
        made.key,
        lambda: fit_hazards(
            made.table,
            made.terms,
            held=made.held,
            strata=made.strata,
            cause=reading.event,
            level=reading.level or context.study.decision.level,
        ),
    )
    return _Fitted(made.table, fit, made.widest_cohort_days)


def _silent(
    table: RiskTable, terms: tuple[str, ...], asked: set[str], event: str
) -> dict[str, list[str]]:
    """Of what is held equal, the levels to keep, where others are without an event.

    The coefficient of a level in which nobody leaves runs off to nothing, and its risk sets say nothing of the other
    coefficients: without that time they are what they are in the limit.
    """
    held = [
        t
        for t in terms
        if features(t) == (t,) and t not in asked and sum(t in features(u) for u in terms) == 1
    ]
    left = table.flows.filter(pl.col(event) > 0)
    result = {}
    for name in held:
        telling = left[name].unique().sort()
        if len(telling) < table.flows[name].n_unique():
            result[name] = [table.feature(name).levels[i] for i in telling]
    return result


def _restricted(table: RiskTable, reading: ModelReading, lead: int = 0) -> RiskTable:
    """The time that a reading looks at; with a lead, everybody enters so many days after the clock's origin.

    Raises:
        NotTestable: nobody left in it.
    """
    table = table.where(**reading.subset) if reading.subset else table
    late = max(reading.after_days or 0, lead if table.clock != "contact" else 0)
    table = table.after(late) if late else table
    if table.flows.height == 0 or table.events(reading.event) == 0:
        raise NotTestable("defections among customers seen from their start")
    return table


def _horizon(context: EvaluationContext, reading: IncidenceReading, curve: Incidence) -> int:
    if reading.horizon_days == "support":
        return min(int(curve.support), int(curve.times[-1]))
    horizon = (
        context.study.info.horizon_days
        if reading.horizon_days == "study"
        else int(reading.horizon_days)
    )
    gap = context.study.retention.gap_days
    if gap is not None and horizon <= gap:
        raise NotTestable(f"a horizon beyond the gap of {gap} days that defines a lapse")
    return horizon


def _events_by(table: RiskTable, cause: str, horizon: int) -> int:
    return int(table.flows.filter(pl.col("time") <= horizon)[cause].sum())


def _nobody(origin: TimeOrigin | None) -> str:
    if origin is None:
        return "customers at risk"
    return f"customers who reached {origin.history} {origin.level} and were seen from their start"


def _thin(curve: Incidence) -> tuple[NDArray[np.float64], ...]:
    """Some points of a curve, with the origin."""
    keep = spaced(len(curve.times))
    return tuple(
        np.concatenate([[float(curve.start) if i == 0 else 0.0], v[keep]])
        for i, v in enumerate((curve.times, curve.incidence, curve.low, curve.high))
    )
