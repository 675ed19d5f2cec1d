"""Rival explanations of a number: what else could give it, tried one by one, and what that leaves of a verdict.

A verdict stands only if it survives every rival that applies to the claim and that the data can test. Supported needs
every interval inside the claimed region; contradicted needs the adjusted interval and that with the longest lead
wholly outside, and no other rival against it; where to contradict is to find a difference, each rival must find one
as well. The reason of what is left undecided names the rivals that keep it open.
Nothing here depends on which rivals there are: they are the objects of `explanations`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from cxresearch.claims.compute import compute
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.decide import (
    MORE_DATA,
    Region,
    Verdict,
    decide,
    decide_control,
    decide_reading,
    is_outside,
)
from cxresearch.claims.kinds import (
    AnyReading,
    AttributableShareReading,
    ExcessReading,
    HazardContrastReading,
    ModelComparisonReading,
)
from cxresearch.claims.level_words import describe_terms
from cxresearch.claims.results import ReadingResult
from cxresearch.claims.rivals.analyses import Analysis, Case, Outcome, StudyFacts
from cxresearch.claims.rivals.descriptions import RivalEntry, default_entries
from cxresearch.claims.rivals.explanations import EXPLANATIONS, RivalExplanation
from cxresearch.claims.rivals.outcomes import RivalOutcome, RivalRow, RivalStatus
from cxresearch.claims.schema import Claim
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.looks import at_level
from cxresearch.records.audit_values import CountOfTotal
from cxresearch.study import Study
from cxresearch.study.settings import MomentRules

_ORDER: tuple[RivalStatus, ...] = (
    "keeps it open",
    "cannot be tested",
    "required",
    "survived",
)  # of several readings that must all hold, the first of these is what becomes of a rival


# Which readings rivals act on, and how they apply


def rival_entries(claim: Claim) -> dict[str, RivalEntry]:
    """How each rival explanation applies to a claim: as declared by the claim, else as for its kind of reading."""
    target = target_reading(claim)
    if isinstance(claim.primary, ModelComparisonReading):
        group = "comparison"
    elif target is None:
        group = "fact"
    else:
        group = "excess" if isinstance(target, ExcessReading) else "hazard"
    return {name: claim.rivals.get(name, entry) for name, entry in default_entries(group).items()}


def target_reading(claim: Claim) -> AnyReading | None:
    """The reading that rivals act on: the primary or, of an incidence, the excess that it requires; None if neither."""
    candidates = (claim.primary, *(claim.reading(r.reading) for r in claim.primary.requires))
    return next((r for r in candidates if _has_rivals(r)), None)


def joint_readings(claim: Claim) -> tuple[str, ...]:
    """The readings of a claim that must all hold, by id, the primary first; each is tried against the rivals."""
    others = (r.reading for r in claim.primary.requires if r.contradicts)
    return (claim.primary.id, *others)


def readings_with_rivals(claim: Claim) -> Mapping[str, AnyReading]:
    """The readings of a claim that rivals act on, by id."""
    return {name: r for name in joint_readings(claim) if _has_rivals(r := claim.reading(name))}


def _has_rivals(reading: AnyReading) -> bool:
    return isinstance(reading, HazardContrastReading | AttributableShareReading | ExcessReading)


def study_facts(context: EvaluationContext) -> StudyFacts:
    """What rivals need to know of a study, of which some is counted in its audit."""
    study, audit = context.study, context.store.audit
    unknown = audit.fact("unknown moments")
    other = audit.fact("customers who left for another cause")
    return StudyFacts(
        lead_days=study.moments.lead_days,
        has_measured_grades=study.moments.grades == "measured",
        has_contracts=study.retention.kind == "contract",
        lapse=context.store.lapse,
        looks_back=context.store.lookback,
        unknown_share=unknown.share if isinstance(unknown, CountOfTotal) else 0.0,
        other_exits=other.count if isinstance(other, CountOfTotal) else 0,
    )


def plan_analyses(
    context: EvaluationContext, claim: Claim, reading: AnyReading
) -> tuple[Analysis, ...]:
    """The analyses that rivals ask for, of a reading that they act on."""
    case, entries = Case(study_facts(context), claim, reading), rival_entries(claim)
    return tuple(a for r in EXPLANATIONS for a in r.plan(case, entries[r.id]))


# What becomes of a verdict


@dataclass(frozen=True, slots=True)
class TriedRival:
    """A rival that was tried: the explanation, what its analyses gave, and what is shown of it."""

    explanation: RivalExplanation
    outcomes: tuple[Outcome, ...]
    result: RivalOutcome


def apply_rivals(
    context: EvaluationContext,
    claim: Claim,
    reading: AnyReading,
    row: ReadingResult,
    *,
    joint: int = 1,
) -> tuple[ReadingResult, tuple[RivalOutcome, ...]]:
    """The verdict on a reading as the rivals leave it.

    Args:
        context: the study and its tables.
        claim: of the reading.
        reading: that rivals act on.
        row: the reading, decided by itself.
        joint: how many readings of the claim must all hold; to contradict it, one must lie outside at so much less
            error.
    """
    if row.estimate is None:
        return row, ()
    case, rivals = try_rivals(context, claim, reading, row)
    return decide_with_rivals(case, rivals, row, joint=joint)


def try_rivals(
    context: EvaluationContext, claim: Claim, reading: AnyReading, row: ReadingResult
) -> tuple[Case, tuple[TriedRival, ...]]:
    """The numbers of all rivals of a reading that can be computed; args as `apply_rivals`."""
    case = Case(study_facts(context), claim, reading)
    tried = (_try_rival(context, case, explanation, row) for explanation in EXPLANATIONS)
    return case, tuple(rival for rival in tried if rival is not None)


def decide_with_rivals(
    case: Case, rivals: Sequence[TriedRival], row: ReadingResult, *, joint: int = 1
) -> tuple[ReadingResult, tuple[RivalOutcome, ...]]:
    """The verdict on a reading as rivals leave it that have been tried; nothing is computed.

    Args:
        case: the reading and the study.
        rivals: with their numbers.
        row: the reading, decided by itself, with its number.
        joint: as `apply_rivals`.
    """
    assert row.estimate is not None  # without a number there is nothing that a rival could explain
    reading, region = case.reading, case.reading.claimed_region
    required = [t for t in rivals if t.result.is_required]
    verdict, reason, p = row.verdict, row.reason, row.p
    opened = open_rivals(case, rivals, row, joint=joint)
    if row.verdict == "supported":
        ps = [p, *(x for t in required for x in t.explanation.p_of_support(t.outcomes))]
        p = max([x for x in ps if x is not None and not math.isnan(x)], default=p)
    elif row.verdict == "contradicted":
        alone = apply_joint_level(row, reading, joint)
        verdict, reason = alone.verdict, alone.reason
        ps_outside = (x for t in required for x in t.explanation.p_of_contradiction(t.outcomes))
        p = None if p is None else max([p, *ps_outside])
    else:
        reason = _without_vain_advice(case, required, reason)
    if opened:
        results = [t.result for t in rivals if t.result.id in opened]
        verdict, reason = "undecided", _why_open(row, results, region)
    final = tuple(_with_outcome(t.result, row.verdict, opened) for t in rivals)
    return replace(row, verdict=verdict, verdict_alone=verdict, reason=reason, p=p), final


def _without_vain_advice(case: Case, required: Sequence[TriedRival], reason: str) -> str:
    """The reason of an open reading; how much more data would decide is left out where a rival would keep it open."""
    before, amount, _ = reason.partition(MORE_DATA)
    for t in required:
        if amount and not t.explanation.data_can_settle(case.facts, t.outcomes):
            return f"{before}; more data alone cannot support it, since {t.result.title} stays open"
    return reason


def open_rivals(
    case: Case, rivals: Sequence[TriedRival], row: ReadingResult, *, joint: int = 1
) -> set[str]:
    """The rivals that a verdict must survive and does not, by id; args as `decide_with_rivals`."""
    assert row.estimate is not None  # as there
    region = case.reading.claimed_region
    required = [t for t in rivals if t.result.is_required]
    if row.verdict == "supported":
        return {
            t.result.id
            for t in required
            if not t.explanation.leaves_support(case.facts, t.outcomes, region)
        }
    if row.verdict == "contradicted":
        level = _joint_level(row.estimate.level, joint)
        return {
            t.result.id
            for t in required
            if not t.explanation.leaves_contradiction(case.facts, t.outcomes, region, level)
        }
    return set()


def _with_outcome(rival: RivalOutcome, verdict: Verdict, opened: set[str]) -> RivalOutcome:
    """A rival with what became of it; of an open reading there is nothing that it could keep open."""
    if rival.id in opened:
        return replace(rival, status="keeps it open")
    if rival.status == "required" and verdict in ("supported", "contradicted"):
        is_tried = not rival.rows or any(r.estimate for r in rival.rows)
        return replace(rival, status="survived" if is_tried else "cannot be tested")
    return rival


def _try_rival(
    context: EvaluationContext, case: Case, explanation: RivalExplanation, row: ReadingResult
) -> TriedRival | None:
    """A rival with the numbers of its analyses; None where there is no such rival in the study."""
    entry = rival_entries(case.claim)[explanation.id]
    if entry.in_shops and not case.facts.has_contracts:
        entry = structs.replace(entry, reason=entry.in_shops)
    outcomes = tuple(
        _compute_outcome(context, case, analysis) for analysis in explanation.plan(case, entry)
    )
    if not explanation.exists_in(case.facts):
        return None
    rows = tuple(o.row for o in outcomes)
    status, reason = explanation.status(case, entry, rows, row)
    words = explanation.words
    result = RivalOutcome(
        id=words.id,
        title=words.title,
        plain=entry.plain or words.plain,
        status=status,
        reason=reason,
        rows=rows,
    )
    return TriedRival(explanation, outcomes, result)


def _compute_outcome(context: EvaluationContext, case: Case, analysis: Analysis) -> Outcome:
    """The number of an analysis, held against the region of its reading or else of the case."""
    reading = analysis.reading
    region = (reading if reading.region else case.reading).claimed_region
    try:
        result = compute(context, case.claim, context.adapt(case.claim, reading), analysis.variant)
    except NotTestable as e:
        return _not_computed(analysis, e.code, describe_terms(case.claim, e.lacks))
    except EstimationError:
        return _not_computed(analysis, "no_fit", "a model that can be fitted")
    # numbers under a rival count against a claim even where its own number could not contradict it
    decision = decide_reading(
        result.estimate, region, withheld=result.why_withheld, why_not_contradicted=""
    )
    row = RivalRow(
        label=analysis.label,
        lead_days=analysis.variant.lead,
        estimate=result.estimate,
        unit=reading.unit,
        verdict=decide_control(result.estimate, reading.unit.null_value)
        if analysis.is_control
        else decision.verdict,
        lacks="",
    )
    return Outcome(analysis, row, decision, is_outside(result.estimate.value, region))


def _not_computed(analysis: Analysis, code: str, lacks: str) -> Outcome:
    row = RivalRow(
        label=analysis.label,
        lead_days=analysis.variant.lead,
        estimate=None,
        unit=None,
        verdict="not testable",
        lacks=lacks,
        code=code,
    )
    return Outcome(analysis, row, None, is_outside=False)


def _why_open(row: ReadingResult, opened: Sequence[RivalOutcome], region: Region) -> str:
    """Which rivals keep a verdict open, with their numbers."""
    edges = region.edges
    parts = []
    for rival in opened:
        doubtful = [r for r in rival.rows if r.verdict != row.verdict]
        numbers = "; ".join(_describe_row(r, edges) for r in doubtful)
        why = numbers or rival.reason.removesuffix(".")
        parts.append(f"{rival.title} ({rival.plain}) is not excluded: {why}")
    together = (
        "among comparable customers the two go together, but "
        if row.verdict == "supported"
        else "among comparable customers the numbers speak against it, but "
    )
    return together + "; ".join(parts)


def _describe_row(row: RivalRow, edges: tuple[float, ...]) -> str:
    """What an analysis gave, as a phrase."""
    e = row.estimate
    if e is None or row.unit is None:
        return f"{row.label}, it cannot be computed: it lacks {row.lacks}"
    low, high = (row.unit.limit_text(x, edges, y) for x, y in ((e.low, e.high), (e.high, e.low)))
    return f"{row.label}, it is {row.unit.text(e.value)} ({low} to {high})"


# Several readings that must all hold


def apply_joint_level(row: ReadingResult, reading: AnyReading, joint: int) -> ReadingResult:
    """A reading that is one of several which must all hold: contradicted only at so much less error.

    Args:
        row: the reading, decided.
        reading: whose region it is held against.
        joint: how many must hold.
    """
    if joint < 2 or row.verdict != "contradicted" or row.estimate is None:
        return row
    wide = at_level(row.estimate, _joint_level(row.estimate.level, joint))
    if decide(wide, reading.claimed_region).verdict == "contradicted":
        return row
    why = "of several numbers that must all hold, this one is not far enough outside"
    return replace(row, verdict="undecided", verdict_alone="undecided", reason=why)


def _joint_level(level: float, joint: int) -> float:
    return 1 - (1 - level) / joint


def join_rivals(
    by_reading: Mapping[str, tuple[RivalOutcome, ...]], first: str
) -> tuple[RivalOutcome, ...]:
    """The rivals of a claim of which several readings must all hold: what any of them leaves open is open.

    Args:
        by_reading: the rivals of each reading, as from `apply_rivals`.
        first: the reading whose rivals come first.
    """
    rivals = by_reading.get(first, ())
    others = {r: theirs for r, theirs in by_reading.items() if r != first and theirs}
    if not others:
        return rivals
    result = []
    for rival in rivals:
        same = {first: rival}
        same |= {name: r for name, theirs in others.items() for r in theirs if r.id == rival.id}
        least = min(
            same.values(),
            key=lambda r: _ORDER.index(r.status) if r.status in _ORDER else len(_ORDER),
        )
        rows = (
            replace(row, label=f"{name}: {row.label}") for name, r in same.items() for row in r.rows
        )
        result.append(replace(least, rows=tuple(rows)))
    return tuple(result)


def describe_declarations(study: Study) -> tuple[str, ...]:
    """What a study declares that verdicts rest on, in words; empty where it leaves the defaults."""
    moments, result = study.moments, []
    if moments.lead_days != MomentRules().lead_days:
        days = ", ".join(map(str, moments.lead_days))
        result.append(
            f"Nobody decides to leave longer ahead than {moments.lead_days[-1]} days (lead_days = [{days}])."
            if moments.lead_days
            else "Customers leave as soon as they decide to (lead_days = [])."
        )
    if moments.grades == "measured":
        result.append('Grades are measured, not given by customers (grades = "measured").')
    if moments.lookback_days != MomentRules().lookback_days:
        result.append(
            f"Where histories look back, they do so over {moments.lookback_days} days (lookback_days)."
        )
    return tuple(result)
