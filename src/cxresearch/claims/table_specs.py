"""What readings need counted, as data: which histories, on which clock, and what is done with the episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from msgspec.structs import replace as replace_field

from cxresearch.claims.adjusted_model import (
    TableContext,
    Variant,
    claim_histories,
    held_histories,
    uses_cohorts,
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
from cxresearch.claims.readings import Comparison, CompetingEvent, TimeOrigin
from cxresearch.claims.schema import Claim
from cxresearch.errors import NotTestable
from cxresearch.histories import History, bad_count, contact_count
from cxresearch.histories.base import Clock, ContactClock, DayClock
from cxresearch.histories.recency import active_age
from cxresearch.risk.episodes import SPELL, clock_of

SILENT = "held_silent"
_SILENT_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180)  # last days of bands


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A table to be made: which histories, on which clock, and what is done with the episodes.

    Attributes:
        histories: the name a claim uses, and the history.
        clock: ticks of the timeline.
        fixed: fixed covariates to carry along.
        time_origin: another origin of time.
        cohorts: carry along the month in which a customer's clock began.
        observed_from: nobody is at risk up to this day, where histories look back; None where they go to the start.
        competing_event: a transition that ends the follow-up.
        time_fixed: last levels as if they had held from the start.
        compare: count matched customers instead of flows.
        active_within: the history of contacts that comparators have, of a comparison.
        contacts_by: count contacts by whom they were with, and by what else, instead of flows.
        marks: list customers' own gaps between contacts instead of flows: the name of each mark, and the values that
            columns of a contact must have.
    """

    histories: tuple[tuple[str, History], ...]
    clock: Clock
    fixed: tuple[str, ...] = ()
    time_origin: TimeOrigin | None = None
    competing_event: CompetingEvent | None = None
    time_fixed: bool = False
    compare: Comparison | None = None
    active_within: str = ""
    contacts_by: tuple[str, tuple[str, ...]] | None = None
    marks: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] | None = None
    cohorts: bool = False
    observed_from: int | None = None

    @property
    def key(self) -> str:
        """What tells two tables apart."""
        cuts = (
            self.time_origin or "",
            self.competing_event or "",
            self.time_fixed,
            self.compare,
            self.active_within,
            self.contacts_by,
            *(() if self.marks is None else (self.marks,)),
        )
        return repr((*self._rows, *cuts))

    @property
    def rows(self) -> str:
        """What tells the episodes apart that tables are counted from."""
        return repr(self._rows)

    @property
    def _rows(self) -> tuple[Any, ...]:
        named = [(name, history.name) for name, history in self.histories]
        cut = (self.compare.history, self.compare.level) if self.compare else None
        kept = (self.fixed, self.cohorts, self.observed_from)
        return (named, self.clock.name, self.clock.lag, *kept, cut)


def table_specs(
    setting: TableContext,
    claim: Claim,
    reading: AnyReading,
    variant: Variant = Variant(),  # noqa: B008  # frozen
    *,
    calendar: bool = False,
) -> tuple[TableSpec, ...]:
    """The tables a reading needs, its own first; the others tell whether events are enough.

    Args:
        setting: the study; its retention and blackout settle the clock, and strata that it lacks are left out.
        claim: of the reading.
        reading: to be computed.
        variant: how it is looked at.
        calendar: whether the month of the day is a term, since cohorts are too wide to hold it equal.

    Raises:
        NotTestable: a clock that the study does not have.
    """
    study, fixed = setting.study, setting.fixed
    own = tuple(claim_histories(setting, claim, reading, variant).items())
    given = tuple(name for name in reading.names() if name not in claim.histories)
    for name in given:
        if name not in fixed:
            raise NotTestable("missing_column", f"{name}: no such covariate of its customers")
    days = DayClock(0)
    spells = (SPELL,) if study.retention.has_spells else ()
    match reading:
        case IncidenceReading():
            origin, event = reading.time_origin, reading.competing_event
            if origin is None:
                lagged = DayClock(study.moments.blackout_days)
                return (TableSpec(histories=own, clock=lagged, fixed=given, competing_event=event),)
            reached = TableSpec(
                histories=((origin.history, claim.history(origin.history)),), clock=days
            )
            return (
                TableSpec(
                    histories=own,
                    clock=days,
                    fixed=given,
                    time_origin=origin,
                    competing_event=event,
                ),
                reached,
            )
        case ExcessReading():
            return (*compared_specs(setting, reading, own), cohorts_spec())
        case ShareReading() | ShareAtRiskReading():
            spec = TableSpec(histories=own, clock=days, fixed=given)
        case ConcentrationReading():
            spec = TableSpec(histories=(), clock=days, contacts_by=(reading.of, reading.adjust_for))
        case FadingReading():
            spec = TableSpec(
                histories=own,
                clock=clock_of(study),
                fixed=(*_known(fixed, reading.strata), *spells, *given),
            )
        case HazardContrastReading() | AttributableShareReading() | ModelComparisonReading():
            kept = (*_known(fixed, reading.strata), *spells, *given)
            clock = clock_of(study)
            by_contact = isinstance(clock, ContactClock)
            by_month = uses_cohorts(reading)
            months = calendar or (
                by_contact and by_month
            )  # there the months of contacts are strata
            held = held_histories(setting, claim, reading, variant, calendar=months)
            spec = TableSpec(
                histories=(*own, *held.items()),
                clock=clock.lagged(clock.lag + variant.lead) if variant.lead else clock,
                fixed=kept,
                time_origin=reading.time_origin,
                time_fixed=reading.time_fixed,
                cohorts=by_month and not by_contact,
                observed_from=setting.observed_from(reading, variant.lead),
            )
        case _:
            assert_never(reading)
    return (spec,)


def compared_specs(
    setting: TableContext, reading: ExcessReading, own: tuple[tuple[str, History], ...]
) -> list[TableSpec]:
    """The tables of matched customers, the closest comparison first.

    Without contracts, comparators have as long to go before a lapse: they were active on the same day or, where not
    every contact keeps a customer active, about as long ago.
    """
    compare, kept = reading.compare, setting.study.retention
    within = compare.active_within
    if kept.kind == "activity":
        within = within[:1]
    if kept.active is not None or setting.study.has_active_table:
        own = (*own, (SILENT, active_age(_SILENT_DAYS)))
        within = (SILENT,)
        compare = replace_field(compare, matched_on=(*compare.matched_on, SILENT))
    return [
        TableSpec(
            histories=own,
            clock=DayClock(0),
            fixed=(*_known(setting.fixed, ("segment",)), *((SPELL,) if kept.has_spells else ())),
            compare=compare,
            active_within=name,
            cohorts=True,
        )
        for name in within
    ]


def cohorts_spec() -> TableSpec:
    """Customers by the month in which they started, from which cohorts are joined."""
    return TableSpec(histories=(), clock=DayClock(0), cohorts=True)


def gaps_spec(marks: Mapping[str, Mapping[str, int]]) -> TableSpec:
    """Customers' own gaps between contacts, marked by what happened on the day on which they begin."""
    named = tuple((name, tuple(sorted(values.items()))) for name, values in marks.items())
    return TableSpec(histories=(), clock=DayClock(0), marks=named)


def contacts_spec() -> TableSpec:
    """Contacts and bad moments in all, for who has bad moments and who leaves."""
    return TableSpec(
        histories=(("contacts", contact_count()), ("bad", bad_count(1))), clock=DayClock(0)
    )


def _known(fixed: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(s for s in wanted if s in fixed)
