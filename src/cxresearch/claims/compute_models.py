"""How the numbers of regressions are computed: contrasts, attributable shares and comparisons of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from msgspec import structs

from cxresearch.claims.adjusted_model import CALENDAR, Variant, adjusted_model, uses_cohorts
from cxresearch.claims.context import AS_WRITTEN, EvaluationContext, RawEstimate, check_min_events
from cxresearch.claims.kinds import (
    AnyReading,
    AttributableShareReading,
    HazardContrastReading,
    ModelComparisonReading,
    ModelReading,
)
from cxresearch.claims.schema import Claim
from cxresearch.claims.validation import features
from cxresearch.errors import NotTestable
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.contrasts import contrast, over_range
from cxresearch.estimators.discrete import fit_hazards
from cxresearch.estimators.model_comparison import compare_models
from cxresearch.estimators.results import CoxFit, Estimate
from cxresearch.histories.base import ContactClock
from cxresearch.risk.cohorts import WIDE, join_cohorts
from cxresearch.risk.episodes import COHORT
from cxresearch.risk.table import RiskTable


def compute_hazard_contrast(
    context: EvaluationContext, claim: Claim, reading: HazardContrastReading, variant: Variant
) -> RawEstimate:
    """A contrast of the coefficients of a model, as a hazard ratio; args and errors as `compute`."""
    fitted = _model(context, claim, reading, reading.contrast, variant)
    number = contrast(fitted.fit, reading.contrast)
    if reading.over_range:
        number = over_range(fitted.table, reading.over_range, number)
    return _modelled(fitted, reading, number)


def compute_attributable_share(
    context: EvaluationContext, claim: Claim, reading: AttributableShareReading, variant: Variant
) -> RawEstimate:
    """A share of departures that goes with some moments; args and errors as `compute`."""
    fitted = _model(context, claim, reading, {}, variant)
    return _modelled(fitted, reading, attributable(fitted.table, fitted.fit, reading.weights))


def compute_model_comparison(
    context: EvaluationContext, claim: Claim, reading: ModelComparisonReading
) -> RawEstimate:
    """How much more one description says of who leaves than another; args and errors as `compute`."""
    (own,) = context.table_specs(claim, reading)
    if isinstance(own.clock, ContactClock):
        raise NotTestable(
            "other_kind", "an end of the relation: a comparison of models is about days"
        )
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
        estimate=result.difference,
        unit=reading.unit,
        customers=made.table.customers,
        events=events,
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
        estimate=result,
        unit=reading.unit,
        customers=fitted.table.customers,
        events=fitted.table.events(reading.event),
        asides=fitted.table.asides,
        warnings=warnings,
        widest_cohort_days=fitted.widest_cohort_days,
    )


@dataclass(frozen=True, slots=True, eq=False)
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
    strata = tuple(s for s in spec.fixed if s in reading.strata)
    if spec.cohorts:
        strata = (*strata, COHORT)
    elif isinstance(spec.clock, ContactClock) and uses_cohorts(_any(reading)):
        strata = (*strata, CALENDAR)
    asked = {n for t in reading.weighted() for n in features(t)}
    silent = _silent(table, made.terms, asked, reading.event)
    table = table.where(**silent) if silent else table
    after = reading.after_days, variant.lead, reading.level
    key = repr(
        (spec.key, made.terms, made.held, strata, reading.event, reading.subset, after, silent)
    )
    return _Prepared(key, table, made.terms, made.held, strata, widest)


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
    plain = tuple(s for s in made.strata if s not in (COHORT, CALENDAR))
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
        raise NotTestable("no_such_data", "defections among customers seen from their start")
    return table
