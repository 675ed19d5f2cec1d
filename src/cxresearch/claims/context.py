"""What the readings of a study share while they are computed, and when events are enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, TypeVar

from msgspec import structs

from cxresearch.claims.adjusted_model import Variant
from cxresearch.claims.kinds import AnyReading
from cxresearch.claims.level_words import describe_group, happening
from cxresearch.claims.looks import Look, key_of
from cxresearch.claims.readings import CompetingEvent, TimeOrigin
from cxresearch.claims.results import Series
from cxresearch.claims.schema import Claim
from cxresearch.claims.table_specs import TableSpec, table_specs
from cxresearch.claims.tables import TableStore
from cxresearch.claims.testability import adapt_to_study
from cxresearch.errors import NotTestable
from cxresearch.estimators.rates import expected_events
from cxresearch.estimators.results import Estimate
from cxresearch.risk.exclusions import Exclusion
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study

T = TypeVar("T")
AS_WRITTEN = Variant()


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEstimate:
    """The number of a reading, before it is decided.

    Attributes:
        estimate: with its interval.
        customers: as `ReadingResult.customers`.
        events: that count.
        horizon_days: None where there is none.
        series: curves behind it.
        exclusions: customers left out.
        warnings: what to bear in mind.
        why_undecidable: why the number cannot decide, whatever it is; empty if it can.
        widest_cohort_days: the widest cohort that customers were compared within; 0 where they were not.
        times: how many moments the number is about, on the scale of its interval; the data say how many.
        too_early: why it cannot decide at this look yet; empty if it can.
    """

    estimate: Estimate
    customers: int
    events: int
    horizon_days: int | None = None
    series: tuple[Series, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    warnings: tuple[str, ...] = ()
    why_undecidable: str = ""
    widest_cohort_days: int = 0
    times: float = 1.0
    too_early: str = ""

    @property
    def why_withheld(self) -> str:
        """Why the number must not decide, now or ever; empty if it may."""
        return self.why_undecidable or self.too_early


@dataclass(slots=True)
class EvaluationContext:
    """A study whose claims are evaluated: what several readings share is made once.

    Attributes:
        store: the study and its tables.
        look: for which looks intervals hold; None for a single one.
        tuned: claim to the numbers whose intervals hold at every look, each with what its width is tuned to.
    """

    store: TableStore
    look: Look | None = None
    tuned: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    _results: dict[str, Any] = field(default_factory=dict)
    _locks: dict[str, Lock] = field(default_factory=lambda: defaultdict(Lock))

    @property
    def study(self) -> Study:
        """The study; its confidence level is that of the look."""
        study = self.store.study
        if self.look is None:
            return study
        decision = structs.replace(study.decision, level=1 - self.look.alpha)
        return structs.replace(study, decision=decision)

    @property
    def min_at_risk(self) -> int:
        """How many customers the data must be worth for an incidence: those that may be shown, so that it can be."""
        return self.study.info.min_cell

    def table_specs(
        self,
        claim: Claim,
        reading: AnyReading,
        variant: Variant = AS_WRITTEN,
        *,
        calendar: bool = False,
    ) -> tuple[TableSpec, ...]:
        """The tables a reading needs, the one of its number first."""
        return table_specs(self.store.setting, claim, reading, variant, calendar=calendar)

    def adapt(self, claim: Claim, reading: AnyReading) -> AnyReading:
        """A reading as it can be computed on the study; args and errors as `requirements.adapt_to_study`."""
        return adapt_to_study(self.study, self.store.audit, self.store.available, claim, reading)

    def at_look(
        self, claim: Claim, reading: AnyReading, variant: Variant, result: RawEstimate
    ) -> RawEstimate:
        """A number with limits that hold at as many looks as the study declares.

        A negative control keeps the limits of a single look, and so does a reading that declares a level of its own:
        they must not differ from something, which wider limits would make easier.
        """
        if self.look is None or _is_control(claim, reading, variant):
            return result
        key = key_of(claim, reading, variant)
        estimate, why = self.look.widen(key, result.estimate, result.events, result.times)
        if not why:
            self.tuned[claim.id][key] = float(estimate.r * result.times**2)
        return replace(result, estimate=estimate, too_early=why)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """A result that several readings look at, perhaps at the same time."""
        with self._locks[key]:
            if key not in self._results:
                self._results[key] = make()
            result: T = self._results[key]
            return result


def _is_control(claim: Claim, reading: AnyReading, variant: Variant) -> bool:
    controls = {
        r.reading for r in claim.primary.requires if r.negative_control or r.includes is not None
    }
    has_level = getattr(reading, "level", None) is not None
    return has_level or reading.id in controls or variant.event == "other exit"


_ANY_OTHER = "any level but the reference"
MIN_EXPECTED = 10  # fewer expected events in a cell that matters: not testable


def check_min_events(
    table: RiskTable,
    claim: Claim,
    name: str,
    event: str,
    contrast: Mapping[str, float],
    strata: tuple[str, ...],
) -> None:
    """Enough expected events in every level of a contrast, or in all but the reference together, and in that.

    Args:
        table: the risk table.
        claim: whose history it is.
        name: the history whose levels are looked at.
        event: the cause that counts.
        contrast: weights by coefficient; empty where none is asked for.
        strata: features with a baseline hazard each.

    Raises:
        NotTestable: too few would be expected.
    """
    counts = expected_events(table, name, event, strata)
    by = dict(zip(counts["level"], counts["expected"], strict=True))
    reference = next((level for level, n in by.items() if n > 0), table.feature(name).levels[0])
    weights = {t: w for t, w in contrast.items() if t.startswith(f"{name}[")}
    wanted, one_sided = (
        [t.partition("[")[2].removesuffix("]") for t in weights],
        sum(weights.values()) != 0,
    )
    cells = {level: by.get(level, 0.0) for level in wanted}
    if not wanted or one_sided:
        cells[reference] = by[reference]
    if not wanted:
        cells[_ANY_OTHER] = sum(by.values()) - by[reference]
    for level, few in cells.items():
        if few < MIN_EXPECTED:
            who = (
                "customers who are not in the group compared with"
                if level == _ANY_OTHER
                else describe_group(claim, name, level)
            )
            raise NotTestable(
                "too_few",
                f"enough events among {who}: {few:.1f} would be expected, {MIN_EXPECTED} are needed",
            )


def check_min_events_after(
    table: RiskTable,
    claim: Claim,
    event: str,
    origin: TimeOrigin,
    competing: CompetingEvent | None,
) -> None:
    """After the origin, as many events as a verdict needs would be expected at everybody's hazard.

    Args:
        table: with the history of the origin, on the clock of the study.
        claim: whose history it is.
        event: the cause that counts.
        origin: where the clock starts.
        competing: what ends the follow-up as well.

    Raises:
        NotTestable: too few would be expected.
    """
    if event not in table.causes:
        return  # a competing event that the claim defines has no hazard before the origin
    counts = expected_events(table, origin.history, event)
    levels = table.feature(origin.history).levels
    within = competing is not None and competing.history == origin.history
    stop = levels.index(competing.level) if competing and within else len(levels)
    inside = counts["expected"][levels.index(origin.level) : stop].sum()
    if inside < MIN_EXPECTED:
        cell = f"after {happening(claim, origin.history, origin.level)}"
        raise NotTestable(
            "too_few",
            f"enough events {cell}: {inside:.1f} would be expected, {MIN_EXPECTED} are needed",
        )
