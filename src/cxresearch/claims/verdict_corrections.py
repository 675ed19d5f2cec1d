"""What other numbers make of a verdict: the other readings of the same claim, and the other claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cxresearch.claims.decide import Verdict, benjamini_hochberg, holm
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
    where = claim.reading(naive.reading).claimed_region
    naive_verdict = (
        "supported" if where.low <= naive.estimate.value <= where.high else "contradicted"
    )
    return primary.verdict in ("supported", "contradicted") and naive_verdict != primary.verdict


def adjust_multiplicity(trials: Sequence[Trial], method: str, alpha: float) -> list[Trial]:
    """Verdicts when all claims are allowed for at once; what is not testable counts as p = 1.

    Args:
        trials: of one docket.
        method: ``holm``, ``benjamini-hochberg``, or another word for none.
        alpha: the error allowed, such as 0.05.
    """
    ps = [1.0 if (p := t.primary.p) is None else p for t in trials]
    adjust = {"holm": holm, "benjamini-hochberg": benjamini_hochberg}.get(method, list)
    out = []
    for trial, raw, p in zip(trials, ps, adjust(ps), strict=True):
        row = trial.primary
        if row.p is not None:
            family = (
                row.verdict
                if row.verdict in ("undecided", "not testable") or p <= alpha or raw > alpha
                else "undecided"
            )
            row = replace(row, p_family=float(p), verdict_family=family)
        out.append(replace(trial, readings=(row, *trial.readings[1:])))
    return out


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
    return replace(row, verdict=verdict, verdict_family=verdict, reason=reason, p=p)
