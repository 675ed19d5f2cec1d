"""How the number of each kind of reading is computed from the tables."""

from __future__ import annotations

from itertools import product
from typing import assert_never

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.claims.adjusted_model import Variant
from cxresearch.claims.compute_models import (
    compute_attributable_share,
    compute_hazard_contrast,
    compute_model_comparison,
)
from cxresearch.claims.context import (
    AS_WRITTEN,
    EvaluationContext,
    RawEstimate,
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
    ShareAtRiskReading,
    ShareReading,
)
from cxresearch.claims.readings import TimeOrigin
from cxresearch.claims.results import Activity, Series
from cxresearch.claims.schema import Claim
from cxresearch.claims.tables import TableSpec, contacts_spec
from cxresearch.errors import NotTestable
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.estimators.concentration import worst_share
from cxresearch.estimators.excess import Excess, excess
from cxresearch.estimators.fading import beyond_selection
from cxresearch.estimators.incidence import incidence, incidence_at
from cxresearch.estimators.results import Incidence
from cxresearch.estimators.shares import share, share_at_risk
from cxresearch.risk.cohorts import Joined, join_cohorts
from cxresearch.risk.episodes import COHORT, Exclusion
from cxresearch.risk.table import RiskTable


def spaced(n: int) -> NDArray[np.int64]:
    """At most a hundred of n places, the first and the last among them: as many as a chart can show."""
    return np.unique(np.linspace(0, n - 1, min(100, n)).astype(np.int64))


COHORT_MONTHS = (1, 3)  # of comparators, the wider ones where the narrower leave too many alone
MOST_UNMATCHED = 0.1  # of the exposed without a comparator: above, an excess is not decided


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
            result = compute_hazard_contrast(context, claim, reading, variant)
        case FadingReading():
            result = _fading(context, claim, reading)
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
        raise NotTestable("nobody_at_risk", _nobody(reading.time_origin))
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

    def make(own: TableSpec, months: int, lead: int) -> Excess:
        def estimated() -> Excess:
            return excess(
                context.store.matched(own).relabel(COHORT, cohorts_of(months).names),
                horizon,
                cause=reading.event,
                min_cell=settings.info.min_cell,
                level=settings.decision.level,
                lead=lead,
            )

        return context.once(repr((own.key, horizon, reading.event, lead, months)), estimated)

    def cohorts_of(months: int) -> Joined:
        return context.once(
            f"cohorts of {months} months",
            lambda: join_cohorts(context.store.risk(cohorts), months=months),
        )

    def closest() -> tuple[TableSpec, int]:
        """The closest comparison that leaves nearly nobody alone."""
        for own, months in product(compared, COHORT_MONTHS):
            if make(own, months, 0).unmatched_share <= MOST_UNMATCHED:
                break
        return own, months

    own, months = context.once(repr(("closest", compared[0].key)), closest)
    result, joined = make(own, months, variant.lead), cohorts_of(months)
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
        raise NotTestable(
            "short_follow_up", f"a horizon beyond the gap of {gap} days that defines a lapse"
        )
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
