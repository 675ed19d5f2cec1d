"""What other numbers make of a verdict: the other readings of the same claim, and the other claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cxresearch.claims.decide import Verdict, benjamini_hochberg, holm
from cxresearch.claims.family import Family
from cxresearch.claims.looks import Look
from cxresearch.claims.phrases import Sentence, Words
from cxresearch.claims.readings import Reading, Requirement
from cxresearch.claims.results import ReadingResult, Trial, estimate_text
from cxresearch.claims.schema import Claim


def apply_requirements(primary: Reading, rows: Mapping[str, ReadingResult]) -> ReadingResult:
    """A primary reading as the others leave it: what else must hold before it is believed.

    What is held equal comes first: a reading that turns with it is open. Then, one after the other, what the reading
    requires: a negative control that must not fail, or another reading that must be supported, or contradicted, too;
    where that one is contradicted and contradicts the claim, it does so of an open reading as well.

    Args:
        primary: the reading that a verdict rests on.
        rows: all readings of the claim, decided each by itself, by id.
    """
    row = rows[primary.id]
    others = [rows[r] for r in primary.sensitivity]
    opposite = {"supported": "contradicted", "contradicted": "supported"}.get(row.verdict)
    turned = [e for e in others if e.verdict == opposite]
    if turned:
        why = (
            f"the answer turns with what is held equal: {estimate_text(row)}; "
            f"{estimate_text(turned[0])} as {turned[0].label}"
        )
        row = _with(row, "undecided", why, row.p)
    for requirement in primary.requires:
        row = _required(row, rows[requirement.reading], requirement)
    return row


def naive_differs(claim: Claim, rows: Mapping[str, ReadingResult]) -> bool:
    """Whether the naive number points otherwise than the verdict; where the verdict is open, whether it decides."""
    naive, primary = rows.get(claim.naive or ""), rows[claim.primary.id]
    if (
        naive is None
        or naive.estimate is None
        or naive.verdict == "not testable"
        or not naive.region
    ):
        return False
    if primary.verdict == "undecided":
        return naive.verdict in ("supported", "contradicted")
    where = claim.reading(naive.reading_id).claimed_region
    naive_verdict = (
        "supported" if where.low <= naive.estimate.value <= where.high else "contradicted"
    )
    return primary.verdict in ("supported", "contradicted") and naive_verdict != primary.verdict


def adjust_multiplicity(
    trials: Sequence[Trial], family: Family, alpha: float, look: Look | None = None
) -> list[Trial]:
    """Headline verdicts: those that allow for all claims that the study can try.

    What is not testable counts as p = 1; a claim whose columns are missing is not in the family. A verdict that does
    not clear the higher bar becomes undecided, with that reason; the claim's own stays next to it.

    Args:
        trials: as `try_claim` makes them. A member of the family that is not among them counts as not testable; of
            claims that are judged alone the others are not needed.
        family: the claims that are judged together.
        alpha: the error allowed, such as 0.05.
        look: where intervals hold at every look: Holm's method then takes the smallest p that each claim has had.
    """
    members = [i for i, t in enumerate(trials) if t.claim.id in family.claims]
    raw = [1.0 if (p := t.primary.p) is None else p for t in trials]
    if look is not None:
        raw = [look.least_p(t.claim.id, t.verdict_alone, t.primary.p) for t in trials]
    adjusted = dict(enumerate(raw))
    if family.is_alone and family.method != "none":
        adjusted = {i: min(1.0, p * family.size) for i, p in adjusted.items()}
    elif family.needs_all:
        adjust = holm if family.method == "holm" else benjamini_hochberg
        absent = [1.0] * (family.size - len(members))
        adjusted |= dict(zip(members, adjust([raw[i] for i in members] + absent), strict=False))
    return [_headline(t, adjusted[i], family, alpha) for i, t in enumerate(trials)]


def _headline(trial: Trial, p: float, family: Family, alpha: float) -> Trial:
    """A trial with the verdict that its family leaves of it."""
    row = trial.primary
    if row.p is not None:
        row = replace(row, p_family=p)
    is_decided = row.verdict in ("supported", "contradicted")
    is_judged = family.size > 1 and family.method != "none"
    is_open = is_decided and is_judged and p > max(alpha, row.p or 0.0)
    if not is_open:
        return replace(trial, results=(row, *trial.results[1:]), sentence_if_open=Sentence())
    bar = (
        f"as one of {family.members}, at the level of the study divided by {family.size:,}"
        if family.is_alone
        else f"with {family.members} judged together"
    )
    reason = f"by itself it is {row.verdict}, but not {bar}"
    row = replace(row, verdict="undecided", reason=reason)
    sentence = trial.sentence_if_open.replace_values([("reason", Words(reason))])
    return replace(
        trial,
        results=(row, *trial.results[1:]),
        sentence=sentence,
        sentence_if_open=Sentence(),
    )


def _required(row: ReadingResult, other: ReadingResult, requirement: Requirement) -> ReadingResult:
    """The primary reading, given another that must agree, or a negative control that must not fail."""
    if requirement.includes is not None:
        return _including(row, other, requirement, requirement.includes)
    if requirement.negative_control:
        failed = other.verdict == "contradicted" and row.verdict in ("supported", "contradicted")
        return _with(row, "undecided", requirement.reason, row.p) if failed else row
    if (
        other.verdict == "contradicted"
        and requirement.contradicts
        and row.verdict in ("supported", "undecided")
    ):
        return _with(row, "contradicted", requirement.reason, other.p)
    verdicts = (
        ("supported", "contradicted")
        if requirement.applies_to == "either"
        else (requirement.applies_to,)
    )
    if row.verdict not in verdicts:
        return row
    if other.verdict == "not testable":
        return _with(row, "undecided", f"no comparison: it lacks {other.lacks}", row.p)
    p = max((x for x in (row.p, other.p) if x is not None), default=None)
    return (
        replace(row, p=p)
        if other.verdict == row.verdict
        else _with(row, "undecided", requirement.reason, p)
    )


def _including(
    row: ReadingResult, other: ReadingResult, requirement: Requirement, value: float
) -> ReadingResult:
    """A supported reading in the light of one whose interval must include a value."""
    e = other.estimate
    if row.verdict != "supported" or (e is not None and e.low <= value <= e.high):
        return row
    why = requirement.reason if e is not None else f"no comparison: it lacks {other.lacks}"
    return _with(row, "undecided", why, row.p)


def _with(row: ReadingResult, verdict: Verdict, reason: str, p: float | None) -> ReadingResult:
    return replace(row, verdict=verdict, verdict_alone=verdict, reason=reason, p=p)
