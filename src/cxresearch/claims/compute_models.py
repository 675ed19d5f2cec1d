"""How the numbers of regressions are computed: contrasts, attributable shares and comparisons of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from msgspec import structs

from cxresearch.claims.adjusted_model import (
    CALENDAR,
    FRESH,
    Variant,
    adjusted_model,
    terms_of,
    uses_cohorts,
)
from cxresearch.claims.context import AS_WRITTEN, EvaluationContext, RawEstimate, check_min_events
from cxresearch.claims.kinds import (
    AttributableShareReading,
    HazardContrastReading,
    ModelComparisonReading,
    ModelReading,
)
from cxresearch.claims.schema import Claim
from cxresearch.claims.table_specs import TableSpec
from cxresearch.claims.validation import features
from cxresearch.errors import NotTestable
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.contrasts import contrast, over_range
from cxresearch.estimators.discrete import fit_hazards
from cxresearch.estimators.model_comparison import compare_models
from cxresearch.estimators.results import CoxFit, Estimate
from cxresearch.histories.base import ContactClock
from cxresearch.risk.cohorts import WIDE, join_cohorts
from cxresearch.risk.episodes import COHORT, SPELL
from cxresearch.risk.table import RiskTable

# kinds of readings whose models hold the calendar and contacts equal
AdjustedReading = HazardContrastReading | AttributableShareReading | ModelComparisonReading


def compute_hazard_contrast(
    context: EvaluationContext, claim: Claim, reading: HazardContrastReading, variant: Variant
) -> RawEstimate:
    """A contrast of the coefficients of a model, as a hazard ratio; args and errors as `compute`."""
    fitted = _fit_model(context, claim, reading, reading.contrast, variant)
    one = contrast(fitted.fit, reading.contrast)
    if not reading.over_range:
        return _raw_estimate(fitted, reading, one)
    number = over_range(fitted.table, reading.over_range, one)
    return replace(_raw_estimate(fitted, reading, number), times=number.se / one.se)


def compute_attributable_share(
    context: EvaluationContext, claim: Claim, reading: AttributableShareReading, variant: Variant
) -> RawEstimate:
    """A share of departures that goes with some moments; args and errors as `compute`.

    Not testable where the share or a limit of it lies outside -100% to 100%.
    """
    fitted = _fit_model(context, claim, reading, {}, variant)
    result = attributable(fitted.table, fitted.fit, reading.weights)
    if not -1 <= result.low <= result.value <= result.high <= 1:
        # no departures are more than all there are: so wide an interval tells of the model alone
        raise NotTestable(
            "too_few",
            "departures enough to estimate the share: it, or a limit of its interval, lies beyond 100%",
        )
    return _raw_estimate(fitted, reading, result)


def compute_model_comparison(
    context: EvaluationContext, claim: Claim, reading: ModelComparisonReading
) -> RawEstimate:
    """How much better one description predicts who leaves than another; args and errors as `compute`."""
    model = _model_input(context, claim, reading, AS_WRITTEN)
    result = compare_models(
        model.table,
        reading.a,
        reading.b,
        [t for t in model.terms if t not in (*reading.a, *reading.b)],
        strata=model.strata,
        cause=reading.event,
        level=context.study.decision.level,
    )
    why = (
        ""
        if result.adds_information
        else "neither of the two says anything about who leaves that the other does not"
    )
    events = model.table.events(reading.event)
    return RawEstimate(
        estimate=result.difference,
        customers=model.table.customers,
        events=events,
        exclusions=model.table.exclusions,
        why_undecidable=why,
        widest_cohort_days=model.widest_cohort_days,
    )


def _raw_estimate(fitted: _Fitted, reading: ModelReading, result: Estimate) -> RawEstimate:
    warnings = (
        ("a level has no events or nothing else: Firth's penalty was used",)
        if fitted.fit.penalised
        else ()
    )
    return RawEstimate(
        estimate=result,
        customers=fitted.table.customers,
        events=fitted.table.events(reading.event),
        exclusions=fitted.table.exclusions,
        warnings=warnings,
        widest_cohort_days=fitted.widest_cohort_days,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _ModelInput:
    """A table and the terms of a model on it.

    Attributes:
        key: equal of two models of which one fit will do.
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Fitted:
    table: RiskTable
    fit: CoxFit
    widest_cohort_days: int


def _model_input(
    context: EvaluationContext, claim: Claim, reading: AdjustedReading, variant: Variant
) -> _ModelInput:
    """The table of a model reading under a variant, with all that is held equal."""
    spec, table, widest = _table_with_cohorts(context, claim, reading, variant)
    for name in [f.name for f in table.features if f.name.startswith(FRESH)]:
        none, _, *others = table.feature(name).levels
        table = table.where(**{name: [none, *others]})
    adjusted = adjusted_model(table, reading, terms_of(claim, reading, variant))
    is_set_back = any(claim.at_lead.get(name) == "set back" for name in reading.subjects())
    table = _restricted(adjusted.table, reading, variant.lead, is_set_back=is_set_back)
    strata = tuple(s for s in spec.fixed if s in (*reading.strata, SPELL))
    if spec.cohorts:
        strata = (*strata, COHORT)
    elif isinstance(spec.clock, ContactClock) and uses_cohorts(reading):
        strata = (*strata, CALENDAR)
    subjects = {n for t in reading.weighted() for n in features(t)}
    with_events = _levels_with_events(table, adjusted.terms, subjects, reading.event)
    table = table.where(**with_events) if with_events else table
    key = (
        spec.key,
        adjusted.terms,
        adjusted.held,
        strata,
        reading.event,
        reading.subset,
        (reading.after_days, variant.lead, reading.level),
        with_events,
    )
    return _ModelInput(
        key=repr(key),
        table=table,
        terms=adjusted.terms,
        held=adjusted.held,
        strata=strata,
        widest_cohort_days=widest,
    )


def _table_with_cohorts(
    context: EvaluationContext, claim: Claim, reading: AdjustedReading, variant: Variant
) -> tuple[TableSpec, RiskTable, int]:
    """The table of a reading, thin cohorts joined, and how many days the widest cohort has; 0 without cohorts."""
    (spec,) = context.table_specs(claim, reading, variant)
    table = context.store.risk(spec)
    if not spec.cohorts:
        return spec, table, 0
    joined = join_cohorts(table)
    table = joined.table
    if joined.widest_days > WIDE:  # within such a cohort the calendar moves: its months are terms
        (spec,) = context.table_specs(claim, reading, variant, calendar=True)
        table = join_cohorts(context.store.risk(spec)).table
    return spec, table, joined.widest_days


def _fit_model(
    context: EvaluationContext,
    claim: Claim,
    reading: HazardContrastReading | AttributableShareReading,
    levels: Mapping[str, float],
    variant: Variant,
) -> _Fitted:
    """The risk table of a reading and its model; `levels` are those that need enough expected events."""
    if variant.event:
        reading = structs.replace(reading, event=variant.event)
    model = _model_input(context, claim, reading, variant)
    subjects = {name for term in reading.weighted() for name in features(term)}
    covariates = tuple(s for s in model.strata if s not in (COHORT, CALENDAR))
    for name in [f.name for f in model.table.features]:
        if name == claim.exposure or (name in subjects and name in claim.histories):
            check_min_events(
                model.table, claim, name, event=reading.event, contrast=levels, strata=covariates
            )
    fit = context.once(
        model.key,
        lambda: fit_hazards(
            model.table,
            model.terms,
            held=model.held,
            strata=model.strata,
            cause=reading.event,
            level=reading.level or context.study.decision.level,
        ),
    )
    return _Fitted(table=model.table, fit=fit, widest_cohort_days=model.widest_cohort_days)


def _levels_with_events(
    table: RiskTable, terms: tuple[str, ...], subjects: set[str], event: str
) -> dict[str, list[str]]:
    """Of what is held equal, the levels with an event, where there are others.

    The coefficient of a level in which nobody leaves has no maximum, and its risk sets hold no information about the
    other coefficients: without that time these are what they are in the limit. Customers who were only there count in
    no error then.
    """
    held = [
        t
        for t in terms
        if features(t) == (t,) and t not in subjects and sum(t in features(u) for u in terms) == 1
    ]
    result = {}
    for name in held:
        kept = table.positions_with_events(name, event)
        if len(kept) < len(table.positions(name)):
            result[name] = [table.feature(name).levels[i] for i in kept]
    return result


def _restricted(
    table: RiskTable, reading: ModelReading, lead: int = 0, *, is_set_back: bool = False
) -> RiskTable:
    """The time that a reading looks at; with a lead, everybody enters so many days after the clock's origin.

    Args:
        table: whose time it is.
        reading: what is asked.
        lead: days that are left aside.
        is_set_back: whether what is asked about is looked at as it stood so many days before: of what only counts after
            some days on the clock, these are over as well.

    Raises:
        NotTestable: nobody left in it.
    """
    table = table.where(**reading.subset) if reading.subset else table
    after = reading.after_days or 0
    late = after + lead if is_set_back else max(after, lead)
    late = 0 if table.clock == "contact" else late
    table = table.after(late) if late else table
    if table.flows.height == 0 or table.events(reading.event) == 0:
        raise NotTestable("no_such_data", "defections among customers seen from their start")
    return table
