"""A verdict in plain words: the claim's own sentence with the values that it names."""

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
from cxresearch.claims.results import Evidence, ReferenceValue
from cxresearch.claims.schema import Claim


def filled(
    template: str,
    claim: Claim,
    row: Evidence,
    base: ReferenceValue | None,
    result: Mapping[str, RawEstimate],
) -> Sentence:
    """A sentence with its values; a reading's own id in braces is its number.

    Raises:
        ClaimError: the template names what no sentence may name.
    """
    values: dict[str, Value] = {r.id: Unknown() for r in claim.readings}
    values |= {
        "lacks": Words(row.lacks),
        "reason": Words(row.reason),
        "base": Amount(base.value, base.unit) if base else Words("unknown"),
    }
    for reading, other in result.items():
        e = other.estimate
        values[reading] = Interval(e.value, e.low, e.high, other.unit, _edges(claim, reading))
    if row.estimate is not None:
        e, edges = row.estimate, _edges(claim, row.reading)
        values |= {
            "estimate": Amount(e.value, row.unit),
            "low": Limit(e.low, row.unit, edges),
            "high": Limit(e.high, row.unit, edges),
            "horizon": Words(str(row.horizon_days)),
            "customers": Headcount(row.customers),
            "events": Headcount(row.events),
        }
    sentence = Sentence(template, tuple(values.items()))
    str(sentence)  # an unknown name is an error here, not on a page
    return sentence


def _edges(claim: Claim, reading: str) -> tuple[float, ...]:
    declared = claim.reading(reading)
    return declared.claimed_region.thresholds if declared.region else ()
