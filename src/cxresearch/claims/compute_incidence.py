"""How the numbers of incidences are computed: of all customers, and after a moment less those of comparable ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import polars as pl

from cxresearch.claims.adjusted_model import Variant
from cxresearch.claims.context import EvaluationContext, RawEstimate, check_min_events_after
from cxresearch.claims.kinds import ExcessReading, IncidenceReading
from cxresearch.claims.level_words import happening
from cxresearch.claims.readings import TimeOrigin
from cxresearch.claims.results import Series
from cxresearch.claims.schema import Claim
from cxresearch.claims.table_specs import TableSpec
from cxresearch.errors import NotTestable
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.estimators.days_lost import DaysLost, days_lost
from cxresearch.estimators.excess import Excess, excess
from cxresearch.estimators.incidence import incidence, incidence_at
from cxresearch.estimators.results import Incidence
from cxresearch.risk.cohorts import Joined, join_cohorts
from cxresearch.risk.episodes import COHORT
from cxresearch.risk.exclusions import Exclusion
from cxresearch.risk.table import RiskTable

COHORT_MONTHS = (1, 3)  # of comparators, the wider ones where the narrower leave too many alone
MOST_UNMATCHED = 0.1  # of the exposed without a comparator: above, an excess is not decided


def compute_incidence(
    context: EvaluationContext, claim: Claim, reading: IncidenceReading
) -> RawEstimate:
    """A share of customers to whom an event has happened by a day; args and errors as `compute`."""
    spec, *before = context.table_specs(claim, reading)
    table = context.store.risk(spec)
    if reading.subset:
        table = table.where(**reading.subset)
    if table.flows.height == 0:
        raise NotTestable("nobody_at_risk", _who_is_missing(claim, reading.time_origin))
    level = context.study.decision.level
    curve = incidence(table, reading.event, min_at_risk=context.min_at_risk, level=level)
    horizon = _horizon(context, reading, curve)
    if origin := reading.time_origin:
        check_min_events_after(
            context.store.risk(*before), claim, reading.event, origin, reading.competing_event
        )
    result = incidence_at(
        table,
        horizon,
        reading.event,
        against=reading.ratio_to,
        min_at_risk=context.min_at_risk,
        level=level,
    )
    causes = (reading.event, reading.ratio_to) if reading.ratio_to else (reading.event,)
    return RawEstimate(
        estimate=result,
        customers=table.customers,
        events=sum(_events_by(table, cause, horizon) for cause in causes),
        horizon_days=horizon,
        series=(_with_origin(reading.label, coarse(curve, context.study.info.min_cell)),),
        exclusions=table.exclusions,
    )


def _horizon(context: EvaluationContext, reading: IncidenceReading, curve: Incidence) -> int:
    if reading.horizon_days == "support":
        return min(int(curve.support), int(curve.times[-1]))
    return testable_horizon(context, reading)


def testable_horizon(context: EvaluationContext, reading: IncidenceReading | ExcessReading) -> int:
    """The horizon of a reading, in days.

    Raises:
        NotTestable: nobody can have lapsed by then, where a lapse is a silence.
    """
    horizon = _declared_horizon(context, reading.horizon_days)
    lapse = context.store.lapse
    if lapse is not None and reading.event == "defection" and horizon <= lapse.days:
        raise NotTestable(
            "short_follow_up",
            f"a horizon beyond the {lapse.days:,} days of silence that are a lapse: nobody lapses sooner "
            "(the study's own is study.horizon_days)",
        )
    return horizon


def _declared_horizon(context: EvaluationContext, days: Any) -> int:
    return context.study.info.horizon_days if days == "study" else int(days)


def _events_by(table: RiskTable, cause: str, horizon: int) -> int:
    return int(table.flows.filter(pl.col("time") <= horizon)[cause].sum())


def _who_is_missing(claim: Claim, origin: TimeOrigin | None) -> str:
    if origin is None:
        return "customers at risk"
    what = happening(claim, origin.history, origin.level)
    return f"customers with {what} who were seen from their start"


def _with_origin(name: str, curve: Incidence) -> Series:
    """A curve with its limits, from the day on which it starts at zero."""

    def values(first: float, numbers: Sequence[float]) -> tuple[float, ...]:
        return (first, *map(float, numbers))

    return Series(
        name=name,
        x=values(float(curve.start), curve.times.tolist()),
        y=values(0.0, curve.incidence.tolist()),
        low=values(0.0, curve.low.tolist()),
        high=values(0.0, curve.high.tolist()),
    )


def compute_excess(
    context: EvaluationContext, claim: Claim, reading: ExcessReading, variant: Variant
) -> RawEstimate:
    """How many more left after a moment than of comparable customers; args and errors as `compute`."""
    *specs, cohorts = context.table_specs(claim, reading)
    compared = Comparisons(
        context=context,
        reading=reading,
        specs=tuple(specs),
        cohorts=cohorts,
        horizon=testable_horizon(context, reading),
    )
    spec, months = compared.closest()
    result = compared.estimate(spec, months, variant.lead)
    estimates = {
        "excess": result.excess,
        "exposed": result.exposed,
        "comparators": result.comparators,
    }
    has_too_few = result.unmatched_share > MOST_UNMATCHED
    dropped = (Exclusion("nobody to compare with on that day", result.dropped),)
    alone = f"{result.unmatched_share:.0%} of the customers with such a moment have nobody to be compared with"
    return RawEstimate(
        estimate=estimates[reading.measure],
        customers=result.customers,
        events=result.events,
        horizon_days=compared.horizon,
        series=_side_by_side(
            result, happening(claim, reading.compare.history, reading.compare.level)
        ),
        exclusions=dropped if result.dropped else (),
        why_undecidable=alone if has_too_few else "",
        widest_cohort_days=compared.joined_cohorts(months).widest_days,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparisons:
    """The ways in which the exposed can be compared, from the closest to the widest; each is estimated once.

    Attributes:
        context: the study and its tables.
        reading: what is computed.
        specs: tables of matched customers, by how recently comparators must have been in touch.
        cohorts: the table of customers by month of their start.
        horizon: days after the moment.
    """

    context: EvaluationContext
    reading: ExcessReading
    specs: tuple[TableSpec, ...]
    cohorts: TableSpec
    horizon: int

    def closest(self) -> tuple[TableSpec, int]:
        """The closest comparison that leaves nearly nobody unmatched, or the widest: its table, its months."""

        def search() -> tuple[TableSpec, int]:
            for spec, months in product(self.specs, COHORT_MONTHS):
                if self.estimate(spec, months).unmatched_share <= MOST_UNMATCHED:
                    break
            return spec, months

        return self.context.once(repr(("closest", self.specs[0].key)), search)

    def estimate(self, spec: TableSpec, months: int, lead: int = 0) -> Excess:
        """The excess with cohorts of so many months, from so many days after the moment on."""

        def compute() -> Excess:
            names = self.joined_cohorts(months).names
            return excess(
                self.context.store.matched(spec).relabel(COHORT, names),
                self.horizon,
                cause=self.reading.event,
                min_at_risk=self.context.min_at_risk,
                level=self.context.study.decision.level,
                lead=lead,
            )

        key = (spec.key, self.horizon, self.reading.event, lead, months)
        return self.context.once(repr(key), compute)

    def days_lost(self, level: float) -> DaysLost:
        """Days lost after the moment, by the closest comparison.

        Args:
            level: confidence level.
        """
        spec, months = self.closest()
        return days_lost(
            self.context.store.matched(spec).relabel(COHORT, self.joined_cohorts(months).names),
            self.horizon,
            cause=self.reading.event,
            min_at_risk=self.context.min_at_risk,
            level=level,
        )

    def joined_cohorts(self, months: int) -> Joined:
        """Months in which customers started, joined to cohorts of so many months."""

        def join() -> Joined:
            return join_cohorts(self.context.store.risk(self.cohorts), months=months)

        return self.context.once(f"cohorts of {months} months", join)


def _side_by_side(result: Excess, origin: str) -> tuple[Series, Series]:
    """The curves of the exposed, from `origin` on, and of comparable customers."""
    days = tuple(result.times.tolist())
    return (
        Series(
            name=f"after {origin}",
            x=days,
            y=tuple(result.exposed_curve.tolist()),
        ),
        Series(
            name="comparable customers without one",
            x=days,
            y=tuple(result.comparators_curve.tolist()),
        ),
    )
