"""What the analyses of a rival explanation are, what they gave, and what is read from them.

Of a study an explanation knows `StudyFacts`; `explanations` plans an `Analysis`, `apply` computes its `Outcome`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cxresearch.claims.adjusted_model import Variant
from cxresearch.claims.decide import IntervalDecision, Region, decide
from cxresearch.claims.kinds import AnyReading, ExcessReading, HazardContrastReading
from cxresearch.claims.readings import Model
from cxresearch.claims.rivals.descriptions import RivalEntry
from cxresearch.claims.rivals.outcomes import RivalRow
from cxresearch.claims.schema import Claim
from cxresearch.estimators.looks import at_level
from cxresearch.records.lapses import Lapse


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """What explanations need to know of a study.

    Attributes:
        lead_days: how many days ahead customers may decide to leave, ascending; empty where they leave at once.
        has_measured_grades: whether grades are measured, not given by customers.
        has_contracts: whether the end of a relation is known.
        lapse: which silence counts as a lapse, where it is not.
        looks_back: whether histories look back over some days instead of to the start.
        unknown_share: the share of moments without a grade.
        other_exits: how many customers left for another cause than defection.
    """

    lead_days: tuple[int, ...]
    has_measured_grades: bool
    has_contracts: bool
    lapse: Lapse | None
    looks_back: bool
    unknown_share: float
    other_exits: int


@dataclass(frozen=True, slots=True)
class Case:
    """A reading of a claim on a study, for which other explanations are tried."""

    facts: StudyFacts
    claim: Claim
    reading: AnyReading

    def lead_days(self, entry: RivalEntry) -> tuple[int, ...]:
        """How many days are left out, as declared by the claim, else by the study; none if the study has none."""
        return (entry.lead_days or self.facts.lead_days) if self.facts.lead_days else ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysis of a reading under a rival.

    Attributes:
        rival: its id.
        label: what is done, in plain words.
        reading: what is computed: the reading itself, or another of the claim that stands for it.
        variant: how.
        is_control: whether it is a negative control, which shows no difference unless the rival is at work.
    """

    rival: str
    label: str
    reading: AnyReading
    variant: Variant
    is_control: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an analysis gave.

    Attributes:
        analysis: what was done.
        row: as it is shown.
        decision: of the interval against the region; None where it could not be computed.
        is_outside: whether the estimate alone lies outside.
    """

    analysis: Analysis
    row: RivalRow
    decision: IntervalDecision | None
    is_outside: bool

    @property
    def is_withheld(self) -> bool:
        """Whether its number must not decide, whatever it is."""
        return self.decision is not None and self.decision.ground == "withheld"


def control_sides(outcomes: Sequence[Outcome]) -> tuple[bool, bool]:
    """Whether a negative control lies above what would be no difference, and whether one lies below."""
    known = [
        (e, u.null_value)
        for o in outcomes
        if o.analysis.is_control and (e := o.row.estimate) and (u := o.row.unit)
    ]
    return any(e.low > null for e, null in known), any(e.high < null for e, null in known)


def finds_difference(region: Region, outcome: Outcome) -> bool:
    """Whether to contradict a region is to find a difference: where no difference lies inside it, as in ``< 1.1``."""
    unit = outcome.analysis.reading.unit
    return region.low < unit.null_value < region.high


def hold_against_no_difference(
    outcome: Outcome, level: float | None = None
) -> IntervalDecision | None:
    """A number held against all that lies beyond no difference, on its side; None where it must not decide.

    Args:
        outcome: of an analysis.
        level: of its interval; its own when not given.
    """
    e, unit = outcome.row.estimate, outcome.row.unit
    if e is None or unit is None or outcome.is_withheld:
        return None
    null = unit.null_value
    beyond = (null, math.inf) if e.value > null else (-math.inf, null)
    return decide(e if level is None else at_level(e, level), Region("a difference", *beyond))


def has_untried_leads(facts: StudyFacts, outcomes: Sequence[Outcome]) -> bool:
    """Whether customers may decide longer ahead than the longest lead that a claim could be tried at."""
    longest = max((o.analysis.variant.lead for o in outcomes), default=0)
    return bool(facts.lead_days) and 0 < longest < facts.lead_days[-1]


def hazard_reading(claim: Claim, reading: AnyReading) -> AnyReading | None:
    """The reading whose model can hold a rival equal: of an excess, the hazard ratio of the same moment."""
    if not isinstance(reading, ExcessReading):
        return reading
    name = reading.compare.history
    if claim.histories[name].get("use") not in ("bad_count", "grade_count", "moment_count"):
        return None
    reference, first = claim.history(name).levels[:2]
    is_upward = (reading.region or "").strip().startswith(">")
    return HazardContrastReading(
        id=f"{reading.id}-hazard",
        label="rate of leaving after such a moment, over that without one so far",
        region="> 1" if is_upward else "< 1",
        model=Model(terms=(name,)),
        contrast={f"{name}[{first}]": 1.0},
        subset={name: (reference, first)},
    )
