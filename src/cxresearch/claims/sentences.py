"""A verdict in plain words: the sentence of the claim with the values that it names."""

from __future__ import annotations

from collections.abc import Mapping

from cxresearch.claims.context import RawEstimate
from cxresearch.claims.phrases import (
    Amount,
    Headcount,
    Interval,
    Limit,
    Sentence,
    Unknown,
    Value,
    Words,
)
from cxresearch.claims.results import ReadingResult, ReferenceValue
from cxresearch.claims.schema import Claim

_OF_THE_NUMBER = ("estimate", "low", "high", "horizon", "customers", "events")


def fill_sentence(
    template: str,
    claim: Claim,
    row: ReadingResult,
    base: ReferenceValue | None,
    result: Mapping[str, RawEstimate],
    *,
    is_finding: bool = True,
) -> Sentence:
    """A sentence with its values; the id of a reading in braces is its number.

    Clauses that name a number that could not be computed are left out, see `Sentence.drop_clauses`.

    Args:
        template: the sentence, with names in braces.
        claim: whose sentence it is.
        row: its primary reading, decided.
        base: the base rate; None if it could not be computed.
        result: the numbers of readings by id.
        is_finding: whether what is left of it must say the number; else it may be empty.

    Raises:
        ClaimError: the template names what no sentence may name.
    """
    values: dict[str, Value] = {r.id: Unknown() for r in claim.readings}
    values |= dict.fromkeys(_OF_THE_NUMBER, Unknown())
    values |= {
        "lacks": Words(row.lacks),
        "reason": Words(row.reason),
        "base": Amount(base.value, base.unit) if base else Unknown(),
    }
    for reading, other in result.items():
        e = other.estimate
        values[reading] = Interval(
            value=e.value,
            low=e.low,
            high=e.high,
            unit=claim.reading(reading).unit,
            edges=_edges(claim, reading),
        )
    if row.estimate is not None:
        e, edges = row.estimate, _edges(claim, row.reading_id)
        values |= {
            "estimate": Amount(e.value, row.unit),
            "low": Limit(e.low, row.unit, edges, e.high),
            "high": Limit(e.high, row.unit, edges, e.low),
            "horizon": Unknown() if row.horizon_days is None else Words(str(row.horizon_days)),
            "customers": Headcount(row.customers),
            "events": Headcount(row.events),
        }
    sentence = Sentence(template, tuple(values.items()))
    unknown = {name for name, value in values.items() if isinstance(value, Unknown)}
    sentence = sentence.drop_clauses(unknown, short_finding(row) if is_finding else "")
    str(sentence)  # an unknown name is an error here, not on a page
    return sentence


def short_finding(row: ReadingResult) -> str:
    """The template of what can be said of a number where its finding cannot be: what it is, and what it is."""
    label = f"{row.label[:1].upper()}{row.label[1:]}".replace("{", "{{").replace("}", "}}")
    decided = " That does not decide the claim: {reason}." if row.verdict == "undecided" else ""
    if row.estimate is None:
        return "This study cannot say."
    return f"{label}: {{estimate}} ({{low}} to {{high}}).{decided}"


def _edges(claim: Claim, reading: str) -> tuple[float, ...]:
    declared = claim.reading(reading)
    return declared.claimed_region.thresholds if declared.region else ()
