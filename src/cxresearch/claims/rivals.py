"""Rival explanations of a number: what else could give it, tried one by one, and what that leaves of a verdict.

A verdict is the claim's own only if it survives every rival that applies to it and that the data can test. Supported
needs every interval inside the claimed region; contradicted needs the adjusted interval and that with the longest lead
wholly outside, and no other rival against it. What is left undecided says which rival keeps it open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cxresearch.claims.adjusted_model import Variant, proneness_entries
from cxresearch.claims.compute import compute
from cxresearch.claims.context import EvaluationContext, RawEstimate
from cxresearch.claims.decide import Decision, Region, decide
from cxresearch.claims.kinds import (
    AnyReading,
    AttributableShareReading,
    ExcessReading,
    HazardContrastReading,
    ModelComparisonReading,
    ModelReading,
)
from cxresearch.claims.readings import Model
from cxresearch.claims.requirements import adapt_to_study
from cxresearch.claims.results import Evidence
from cxresearch.claims.rival_descriptions import default_entries, descriptions
from cxresearch.claims.rival_results import Rival, RivalRow, RivalStatus
from cxresearch.claims.schema import Claim, RivalEntry
from cxresearch.claims.units import limit, number
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.results import at_level
from cxresearch.records.audit_values import Share
from cxresearch.study import Study
from cxresearch.study.settings import Moments

MANY_UNKNOWN, MOST_UNKNOWN = (
    0.2,
    0.5,
)  # of moments without a grade: from where on who answers matters, and bounds do not
MIN_OTHER_EXITS = 50
_FEW_UNKNOWN = f"No more than {MANY_UNKNOWN:.0%} of the moments have no grade."
_FIRM: dict[RivalStatus, int] = {
    "keeps it open": 0,
    "cannot be tested": 1,
    "required": 2,
    "survived": 3,
}  # of several readings that must hold, the least firm says what becomes of a rival


def entries_of(claim: Claim) -> dict[str, RivalEntry]:
    """How each rival explanation applies to a claim: as the claim says, else as for its kind of reading."""
    target = target_of(claim)
    if isinstance(claim.primary, ModelComparisonReading):
        kind = "comparison"
    elif target is None:
        kind = "fact"
    else:
        kind = "excess" if isinstance(target, ExcessReading) else "hazard"
    return {name: claim.rivals.get(name, entry) for name, entry in default_entries(kind).items()}


def target_of(claim: Claim) -> AnyReading | None:
    """The reading that rivals act on: the primary or, of an incidence, the excess that it requires; None if neither."""
    wanted = (claim.primary, *(claim.reading(r.reading) for r in claim.primary.requires))
    kinds = (HazardContrastReading, AttributableShareReading, ExcessReading)
    return next((r for r in wanted if isinstance(r, kinds)), None)


def all_of(claim: Claim) -> tuple[str, ...]:
    """The readings of a claim that must all hold, by id, the primary first; each is tried against the rivals."""
    others = (r.reading for r in claim.primary.requires if r.contradicts)
    return (claim.primary.id, *others)


@dataclass(frozen=True, slots=True)
class Planned:
    """An analysis of a reading under a rival.

    Attributes:
        rival: its id.
        label: what is done, in plain words.
        reading: what is computed: the reading itself, or another of the claim that stands for it.
        variant: how.
    """

    rival: str
    label: str
    reading: AnyReading
    variant: Variant


def planned(context: EvaluationContext, claim: Claim, reading: AnyReading) -> list[Planned]:
    """The analyses that rivals ask for, of a reading that they act on."""
    return [
        p
        for name, entry in entries_of(claim).items()
        for p in _planned(context, claim, reading, name, entry)
    ]


def _planned(
    context: EvaluationContext, claim: Claim, reading: AnyReading, name: str, entry: RivalEntry
) -> Iterator[Planned]:
    if entry.status not in ("required", "shown"):
        return
    if entry.readings:
        leads = entry.lead_days if context.study.moments.lead_days else ()
        for other in entry.readings:
            for lead in leads if entry.lead_days else (0,):
                label = claim.reading(other).label + _aside(lead)
                yield Planned(name, label, claim.reading(other), Variant(lead=lead))
        return
    leads = context.study.moments.lead_days
    if leads and entry.lead_days:
        leads = entry.lead_days
    if name == "already-leaving":
        for lead in leads:
            label = f"what happened in the last {lead} days left aside"
            yield Planned(name, label, reading, Variant(lead=lead))
        return
    on_hazard = companion(claim, reading)
    if on_hazard is None:
        return
    both = (0, *leads[-1:])
    if name == "temperament" and _holds_contacts(on_hazard) and proneness_entries(claim, on_hazard):
        for lead in both:
            label = "the share of such moments so far held equal" + _aside(lead)
            yield Planned(name, label, on_hazard, Variant(lead=lead, proneness=True))
    elif name == "who-answers":
        yield from _who_answers(on_hazard, unknown_share(context), both)
    elif name == "other-exits" and other_exits(context) >= MIN_OTHER_EXITS:
        label = "exits that are no defection"
        yield Planned(name, label, on_hazard, Variant(event="other exit"))


def _who_answers(reading: AnyReading, share: float, leads: tuple[int, ...]) -> Iterator[Planned]:
    if share <= MANY_UNKNOWN:
        return
    for lead in leads:
        label = "moments without a grade held equal" + _aside(lead)
        yield Planned("who-answers", label, reading, Variant(lead=lead, unknown="held equal"))
    if share < MOST_UNKNOWN:
        label = "moments without a grade counted as bad"
        yield Planned("who-answers", label, reading, Variant(unknown="bad"))


def _holds_contacts(reading: AnyReading) -> bool:
    return isinstance(reading, ModelReading) and reading.model.held_equal != "nothing"


def _aside(lead: int) -> str:
    return f", the last {lead} days left aside" if lead else ""


def companion(claim: Claim, reading: AnyReading) -> AnyReading | None:
    """The reading whose model can hold a rival equal: of an excess, the hazard ratio of the same moment."""
    if not isinstance(reading, ExcessReading):
        return reading
    name = reading.compare.history
    entry = claim.histories[name]
    if entry.get("use") not in ("bad_count", "grade_count", "moment_count"):
        return None
    first = claim.history(name).levels[1]
    upward = (reading.region or "").strip().startswith(">")
    return HazardContrastReading(
        id=f"{reading.id}-hazard",
        label="rate of leaving after such a moment, over that without one so far",
        region="> 1" if upward else "< 1",
        model=Model(terms=(name,)),
        contrast={f"{name}[{first}]": 1.0},
        subset={name: (claim.history(name).levels[0], first)},
    )


def unknown_share(context: EvaluationContext) -> float:
    """The share of moments without a grade."""
    fact = context.store.audit.fact("unknown moments")
    return fact.share if isinstance(fact, Share) else 0.0


def other_exits(context: EvaluationContext) -> int:
    """How many customers left for another cause than defection."""
    fact = context.store.audit.fact("customers who left for another cause")
    return fact.count if isinstance(fact, Share) else 0


@dataclass(frozen=True, slots=True)
class _Tried:
    """An analysis with its outcome.

    Attributes:
        plan: what was done.
        row: as it is shown.
        decision: of the interval against the region; None where it could not be computed.
        outside: whether the estimate alone lies outside.
    """

    plan: Planned
    row: RivalRow
    decision: Decision | None
    outside: bool


def judge(
    context: EvaluationContext, claim: Claim, reading: AnyReading, row: Evidence, *, of: int = 1
) -> tuple[Evidence, tuple[Rival, ...]]:
    """The verdict on a reading as the rivals leave it.

    Args:
        context: the study and its tables.
        claim: of the reading.
        reading: that rivals act on.
        row: the reading, decided by itself.
        of: how many readings of the claim must all hold; to contradict it, one must lie outside at so much less error.
    """
    if row.estimate is None:
        return row, ()
    region = reading.claimed_region
    tried = [_try(context, claim, p, region) for p in planned(context, claim, reading)]
    rivals = _rivals(context, claim, reading, row, tried)
    required = {r.id for r in rivals if r.is_required}
    against = [t for t in tried if t.plan.rival in required]
    verdict, reason, p = row.verdict, row.reason, row.p
    opened: list[str] = []
    if row.verdict == "supported":
        opened = [r.id for r in rivals if r.is_required and not _survives(r, against)]
        # a control lies inside nothing: that it shows no difference has no level
        inside = [t.decision.p for t in against if t.decision and not t.plan.variant.event]
        p = max([x for x in (p, *inside) if x is not None and not math.isnan(x)], default=p)
    elif row.verdict == "contradicted":
        level = 1 - (1 - row.estimate.level) / of
        firm = firmly(row, reading, of)
        opened = [
            r.id for r in rivals if r.is_required and not _contradicts(r, against, region, level)
        ]
        verdict, reason = firm.verdict, firm.reason
        longest = _longest(against)
        if longest and longest.decision and p is not None:
            p = max(p, longest.decision.p)
    if opened:
        verdict, reason = "undecided", _why(row, [r for r in rivals if r.id in opened], region)
        rivals = tuple(replace(r, status="keeps it open") if r.id in opened else r for r in rivals)
    if row.verdict in ("supported", "contradicted"):  # else there is nothing yet to survive
        rivals = tuple(
            replace(r, status="survived") if r.status == "required" else r for r in rivals
        )
    return replace(row, verdict=verdict, verdict_family=verdict, reason=reason, p=p), rivals


def _try(context: EvaluationContext, claim: Claim, plan: Planned, region: Region) -> _Tried:
    reading = plan.reading
    where = _region_of(reading, region)
    try:
        adapted = adapt_to_study(
            context.study, context.store.audit, context.store.available, claim, reading
        )
        result = compute(context, claim, adapted, plan.variant)
    except (NotTestable, EstimationError) as e:
        lacks = e.lacks if isinstance(e, NotTestable) else "a model that can be fitted"
        row = RivalRow(
            label=plan.label,
            lead_days=plan.variant.lead,
            estimate=None,
            unit="",
            verdict="not testable",
            lacks=lacks,
            code=e.code if isinstance(e, NotTestable) else "no_fit",
        )
        return _Tried(plan, row, None, outside=False)
    decision = decide(result.estimate, where)
    row = RivalRow(
        label=plan.label,
        lead_days=plan.variant.lead,
        estimate=result.estimate,
        unit=result.unit,
        verdict=_control_verdict(result) if plan.variant.event else decision.verdict,
        lacks="",
    )
    return _Tried(plan, row, decision, is_outside(result.estimate.value, where))


def _region_of(reading: AnyReading, region: Region) -> Region:
    return reading.claimed_region if reading.region else region


def _control_verdict(result: RawEstimate) -> Literal["supported", "contradicted"]:
    """Of a negative control: supported if it makes no difference that shows."""
    e, none = result.estimate, _no_difference(result.unit)
    return "supported" if e.low <= none <= e.high else "contradicted"


def _no_difference(unit: str) -> float:
    return 1.0 if unit == "hazard ratio" else 0.0


def is_outside(value: float, region: Region) -> bool:
    """Whether a number lies outside: beyond the region or, for a direction, short of the smallest effect."""
    if math.isnan(region.effect):
        return value < region.low or value > region.high
    return value < region.effect if math.isfinite(region.low) else value > region.effect


def _longest(tried: Sequence[_Tried]) -> _Tried | None:
    leads = [t for t in tried if t.plan.rival == "already-leaving"]
    return max(leads, key=lambda t: t.plan.variant.lead, default=None)


def _survives(rival: Rival, tried: Sequence[_Tried]) -> bool:
    """Whether a supported reading stays so under a rival: every interval inside; without an analysis it does not."""
    own = [t for t in tried if t.plan.rival == rival.id]
    if rival.id == "pace":
        return False
    return bool(own) and all(t.row.verdict == "supported" for t in own)


def _contradicts(rival: Rival, tried: Sequence[_Tried], region: Region, level: float) -> bool:
    """Whether a contradicted reading stays so under a rival."""
    own = [t for t in tried if t.plan.rival == rival.id]
    if rival.id == "pace":
        return True
    if rival.id == "other-exits":  # a control on the other side would hide an effect
        upward = math.isfinite(region.low)
        there = [(e, _no_difference(t.row.unit)) for t in own if (e := t.row.estimate)]
        return not any((e.high < none if upward else e.low > none) for e, none in there)
    if rival.id == "already-leaving" and (longest := _longest(own)):
        e = longest.row.estimate
        if e is None or decide(at_level(e, level), region).verdict != "contradicted":
            return False
    return all(t.outside and t.row.verdict != "supported" for t in own if t.row.estimate)


def _rivals(
    context: EvaluationContext,
    claim: Claim,
    reading: AnyReading,
    row: Evidence,
    tried: Sequence[_Tried],
) -> tuple[Rival, ...]:
    result = []
    for name, entry in entries_of(claim).items():
        own = tuple(t.row for t in tried if t.plan.rival == name)
        status, reason = _status(context, name, entry, own)
        if name == "unseen" and row.estimate is not None:
            reason = _e_value_text(row, reading) or reason
        described = descriptions()[name]
        if status is not None:
            result.append(
                Rival(
                    id=name,
                    title=described.title,
                    plain=described.plain,
                    status=status,
                    reason=reason,
                    rows=own,
                )
            )
    return tuple(result)


def _status(
    context: EvaluationContext,
    name: str,
    entry: RivalEntry,
    rows: tuple[RivalRow, ...],
) -> tuple[RivalStatus | None, str]:
    """Whether a rival must be survived in this study; None where there is no such rival."""
    moments = context.study.moments
    dismissed = descriptions()[name].dismissed
    activity = context.study.retention.kind == "activity"
    if name == "pace" and not activity:
        return None, ""
    if entry.status != "required":
        return entry.status, entry.reason
    status: RivalStatus = "required"
    reason = entry.reason
    if name == "pace":
        pass
    elif (name == "already-leaving" and not moments.lead_days) or (
        name == "temperament" and moments.grades == "measured"
    ):
        status, reason = "dismissed", f"{entry.reason} Dismissed: {dismissed}."
    elif name == "who-answers" and not rows:
        if unknown_share(context) > MANY_UNKNOWN:
            status = "cannot be tested"
            reason = "No model of this number can hold moments without a grade equal."
        else:
            status, reason = "not required", _FEW_UNKNOWN
    elif name == "other-exits" and rows and all(r.estimate is None for r in rows):
        status, reason = (
            "cannot be tested",
            f"The control cannot be computed: it lacks {rows[0].lacks}.",
        )
    elif name == "other-exits" and not rows:
        count = other_exits(context)
        few = "no customer" if not count else f"fewer than {MIN_OTHER_EXITS} customers"
        status = "cannot be tested"
        reason = f"{few[0].upper()}{few[1:]} left for another cause; at least {MIN_OTHER_EXITS} are needed."
    elif name == "temperament" and not rows:
        status, reason = (
            "aliased",
            "Inclination cannot be told apart from what the claim asks about.",
        )
    return status, reason


def _why(row: Evidence, opened: Sequence[Rival], region: Region) -> str:
    """Which rivals keep a verdict open, with their numbers."""
    edges = region.edges
    parts = []
    for rival in opened:
        doubtful = [r for r in rival.rows if r.verdict != row.verdict] or list(rival.rows)
        said = [_with_number(r, edges) for r in doubtful]
        parts.append(
            f"{rival.title} ({rival.plain}) is not excluded"
            + (f": {'; '.join(said)}" if said else "")
        )
    together = (
        "among comparable customers the two go together, but "
        if row.verdict == "supported"
        else "among comparable customers the numbers speak against it, but "
    )
    return together + "; ".join(parts)


def _with_number(row: RivalRow, edges: tuple[float, ...]) -> str:
    """What an analysis gave, as a phrase."""
    e = row.estimate
    if e is None:
        return f"{row.label}, it cannot be computed: it lacks {row.lacks}"
    low, high = (limit(x, row.unit, edges) for x in (e.low, e.high))
    return f"{row.label}, it is {number(e.value, row.unit)} ({low} to {high})"


def e_value(ratio: float) -> float:
    """How strongly something unseen would have to go with both, as a risk ratio, to explain a hazard ratio away.

    For a common outcome; ratios below 1 count as their inverse.

    References:
        VanderWeele & Ding (2017), Annals of Internal Medicine 167, 268-274.
    """
    hr = max(ratio, 1 / ratio) if ratio > 0 else math.inf
    if math.isinf(hr):
        return math.inf
    risk = (1 - 0.5 ** math.sqrt(hr)) / (1 - 0.5 ** math.sqrt(1 / hr))
    return float(risk + math.sqrt(risk * (risk - 1)))


def _e_value_text(row: Evidence, reading: AnyReading) -> str:
    e = row.estimate
    if e is None or not isinstance(reading, HazardContrastReading):
        return ""
    nearest = 1.0 if e.low <= 1 <= e.high else e.low if e.low > 1 else e.high
    return (
        f"Something unseen would have to go with both at a risk ratio of {e_value(e.value):.1f} to explain the number "
        f"away, and of {e_value(nearest):.1f} for the limit nearest to 1."
    )


def joined(by_reading: Mapping[str, tuple[Rival, ...]], first: str) -> tuple[Rival, ...]:
    """The rivals of a claim of which several readings must all hold: what any of them leaves open is open.

    Args:
        by_reading: the rivals of each reading, as from `judge`.
        first: the reading whose rivals come first.
    """
    own = by_reading.get(first, ())
    others = {r: rivals for r, rivals in by_reading.items() if r != first and rivals}
    if not others:
        return own
    result = []
    for rival in own:
        same = {first: rival}
        same |= {name: r for name, rivals in others.items() for r in rivals if r.id == rival.id}
        least = min(same.values(), key=lambda r: _FIRM.get(r.status, len(_FIRM)))
        rows = (
            replace(row, label=f"{name}: {row.label}") for name, r in same.items() for row in r.rows
        )
        result.append(replace(least, rows=tuple(rows)))
    return tuple(result)


def specs_needed(
    context: EvaluationContext, claim: Claim, reading: AnyReading
) -> Iterator[tuple[AnyReading, Variant]]:
    """The readings and variants whose tables rivals ask for."""
    for p in planned(context, claim, reading):
        yield p.reading, p.variant


def declared(study: Study) -> tuple[str, ...]:
    """What a study declares that verdicts rest on, in words; empty where it leaves the defaults."""
    moments, result = study.moments, []
    if moments.lead_days != Moments().lead_days:
        days = ", ".join(map(str, moments.lead_days))
        result.append(
            f"Nobody decides to leave longer ahead than {moments.lead_days[-1]} days (lead_days = [{days}])."
            if moments.lead_days
            else "Customers leave as soon as they decide to (lead_days = [])."
        )
    if moments.grades == "measured":
        result.append('Grades are measured, not given by customers (grades = "measured").')
    if moments.lookback_days != Moments().lookback_days:
        result.append(
            f"Where histories look back, they do so over {moments.lookback_days} days (lookback_days)."
        )
    return tuple(result)


def firmly(row: Evidence, reading: AnyReading, of: int) -> Evidence:
    """A reading that is one of several which must all hold: contradicted only at so much less error.

    Args:
        row: the reading, decided.
        reading: whose region it is held against.
        of: how many must hold.
    """
    if of < 2 or row.verdict != "contradicted" or row.estimate is None:
        return row
    wide = at_level(row.estimate, 1 - (1 - row.estimate.level) / of)
    if decide(wide, reading.claimed_region).verdict == "contradicted":
        return row
    why = "of several numbers that must all hold, this one is not far enough outside"
    return replace(row, verdict="undecided", verdict_family="undecided", reason=why)


def judged_readings(claim: Claim) -> Mapping[str, AnyReading]:
    """The readings of a claim that rivals act on, by id."""
    kinds = (HazardContrastReading, AttributableShareReading, ExcessReading)
    wanted = (claim.reading(r) for r in all_of(claim))
    return {r.id: r for r in wanted if isinstance(r, kinds)}
