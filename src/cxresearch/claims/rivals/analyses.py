"""What the analyses of a rival explanation are, what they gave, and what is read from them.

Of a study an explanation knows `StudyFacts`; `explanations` plans an `Analysis`, `apply` computes its `Outcome`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cxresearch.claims.adjusted_model import Variant
from cxresearch.claims.decide import IntervalDecision, Region, decide
from cxresearch.claims.kinds import AnyReading
from cxresearch.claims.rivals.descriptions import RivalEntry
from cxresearch.claims.rivals.outcomes import RivalRow
from cxresearch.claims.schema import Claim
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


def differences(outcomes: Sequence[Outcome]) -> tuple[bool, bool]:
    """Whether a negative control lies above what would be no difference, and whether one lies below."""
    known = [
        (e, u.null_value)
        for o in outcomes
        if o.analysis.is_control and (e := o.row.estimate) and (u := o.row.unit)
    ]
    return any(e.low > null for e, null in known), any(e.high < null for e, null in known)


def against_no_difference(outcomes: Sequence[Outcome]) -> list[IntervalDecision]:
    """Numbers held against all that lies beyond no difference, on their side; none where that is outside the region.

    To contradict a claim whose region holds no difference inside, such as ``< 1.1``, is to find a difference.
    """
    result = []
    for o in outcomes:
        if o.decision is None or o.row.estimate is None or o.row.unit is None:
            continue
        region, null = o.decision.region, o.row.unit.null_value
        if region.low < null < region.high:
            is_above = o.row.estimate.value > null
            beyond = (null, math.inf) if is_above else (-math.inf, null)
            result.append(decide(o.row.estimate, Region("a difference", *beyond)))
    return result


def decide_earlier(facts: StudyFacts, outcomes: Sequence[Outcome]) -> bool:
    """Whether customers may decide longer ahead than the longest lead that a claim could be tried at."""
    longest = max((o.analysis.variant.lead for o in outcomes), default=0)
    return bool(facts.lead_days) and 0 < longest < facts.lead_days[-1]
