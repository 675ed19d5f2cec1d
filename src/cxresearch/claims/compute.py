"""How the number of each kind of reading is computed from the tables."""

from __future__ import annotations

from typing import assert_never

from cxresearch.claims.adjusted_model import Variant
from cxresearch.claims.compute_gaps import compute_own_gaps
from cxresearch.claims.compute_incidence import compute_excess, compute_incidence
from cxresearch.claims.compute_models import (
    compute_attributable_share,
    compute_hazard_contrast,
    compute_model_comparison,
)
from cxresearch.claims.context import AS_WRITTEN, EvaluationContext, RawEstimate
from cxresearch.claims.kinds import (
    AnyReading,
    AttributableShareReading,
    ConcentrationReading,
    ExcessReading,
    FadingReading,
    HazardContrastReading,
    IncidenceReading,
    ModelComparisonReading,
    ShareAtRiskReading,
    ShareReading,
)
from cxresearch.claims.results import Activity
from cxresearch.claims.schema import Claim
from cxresearch.claims.table_specs import contacts_spec
from cxresearch.estimators.concentration import worst_share
from cxresearch.estimators.fading import beyond_selection
from cxresearch.estimators.shares import share, share_at_risk


def compute_share(context: EvaluationContext, claim: Claim, reading: ShareReading) -> RawEstimate:
    """A share of customers."""
    (spec,) = context.table_specs(claim, reading)
    table = context.store.risk(spec)
    settings = context.study.decision
    result = share(
        table,
        dict(reading.numerator),
        subset=dict(reading.subset) or None,
        causes=reading.exit_causes or None,
        level=settings.level,
    )
    return RawEstimate(
        estimate=result.estimate,
        customers=result.total,
        events=result.count,
        exclusions=table.exclusions,
    )


def compute_share_at_risk(
    context: EvaluationContext, claim: Claim, reading: ShareAtRiskReading
) -> RawEstimate:
    """A share of those who left, compared with that of those at risk with them."""
    (spec,) = context.table_specs(claim, reading)
    table = context.store.risk(spec)
    settings = context.study.decision
    causes = reading.exit_causes or ("defection",)
    asked = (
        spec.key,
        reading.numerator,
        reading.subset,
        causes,
        reading.matched_on,
        reading.strata,
    )
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
    return RawEstimate(
        estimate=number,
        customers=table.customers,
        events=result.leavers,
        exclusions=table.exclusions,
    )


def compute_concentration(
    context: EvaluationContext, claim: Claim, reading: ConcentrationReading
) -> RawEstimate:
    """The share of bad moments at the worst."""
    (spec,) = context.table_specs(claim, reading)
    table, level = context.store.agents(spec), context.study.decision.level
    result = context.once(
        repr((spec.key, reading.top_fraction)),
        lambda: worst_share(
            table.counts, part=reading.top_fraction, level=level, min_cell=table.min_cell
        ),
    )
    number = result.chance if reading.measure == "by_chance" else result.estimate
    return RawEstimate(
        estimate=number,
        customers=result.agents,
        events=result.bad,
    )


def compute_fading(context: EvaluationContext, claim: Claim, reading: FadingReading) -> RawEstimate:
    """How much more an effect fades than by selection."""
    (spec,) = context.table_specs(claim, reading)
    table, settings = context.store.risk(spec), context.study.decision
    result = beyond_selection(
        table,
        reading.age,
        subset=reading.subset,
        strata=spec.fixed,
        cause=reading.event,
        level=settings.level,
    )
    return RawEstimate(
        estimate=result.beyond,
        customers=table.customers,
        events=result.events,
        exclusions=table.exclusions,
    )


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
    return context.at_look(claim, reading, variant, _compute(context, claim, reading, variant))


def _compute(
    context: EvaluationContext, claim: Claim, reading: AnyReading, variant: Variant
) -> RawEstimate:
    """The number with limits that hold at a single look."""
    if variant.own_gaps:
        return compute_own_gaps(context, claim, reading, earlier=variant.own_gaps == "before")
    match reading:
        case IncidenceReading():
            result = compute_incidence(context, claim, reading)
        case ExcessReading():
            result = compute_excess(context, claim, reading, variant)
        case HazardContrastReading():
            result = compute_hazard_contrast(context, claim, reading, variant)
        case FadingReading():
            result = compute_fading(context, claim, reading)
        case AttributableShareReading():
            result = compute_attributable_share(context, claim, reading, variant)
        case ModelComparisonReading():
            result = compute_model_comparison(context, claim, reading)
        case ShareReading():
            result = compute_share(context, claim, reading)
        case ShareAtRiskReading():
            result = compute_share_at_risk(context, claim, reading)
        case ConcentrationReading():
            result = compute_concentration(context, claim, reading)
        case _:
            assert_never(reading)
    return result


def count_activity(context: EvaluationContext) -> tuple[Activity, ...]:
    """How many customers had a bad moment and how many left, by their number of contacts in all."""
    table = context.store.risk(contacts_spec())
    rows = []
    for level in table.feature("contacts").levels[:-1]:
        band = table.where(contacts=[level])
        ends = [sum(t.events(c) for c in t.causes) for t in (band, band.where(bad=["1+"]))]
        rows.append(Activity(level, ends[0], ends[1], band.events("defection")))
    return tuple(r for r in rows if r.customers)
