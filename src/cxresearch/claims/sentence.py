"""A verdict in plain words: the claim's own sentence with the numbers filled in."""

from __future__ import annotations

from collections.abc import Mapping

from cxresearch.claims.bench import Found
from cxresearch.claims.claim import Claim
from cxresearch.claims.evidence import Beside, Evidence, number
from cxresearch.errors import ClaimError


def filled(template: str, claim: Claim, row: Evidence, base: Beside | None, found: Mapping[str, Found]) -> str:
    """A sentence with its numbers; a reading's own id in braces is its number."""
    words = {
        "lacks": row.lacks,
        "reason": row.reason,
        "base": number(base.value, base.unit) if base else "unknown",
    }
    for reading, other in found.items():
        words[reading] = number(other.estimate.value, other.unit)
        if other.unit == "difference of shares":
            words[reading] = (
                f"{abs(100 * other.estimate.value):.1f} points {'more' if other.estimate.value >= 0 else 'fewer'}"
            )
    if row.estimate is not None:
        e = row.estimate
        words |= {k: number(v, row.unit) for k, v in (("estimate", e.value), ("low", e.low), ("high", e.high))}
        words |= {
            "horizon": str(row.horizon_days),
            "customers": f"{row.customers:,}",
            "events": f"{row.events:,}",
        }
    unknown = {r.id: "an unknown number" for r in claim.readings}
    return template.format_map(_Words(unknown | words))


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        raise ClaimError(f"the sentence of a verdict names {{{key}}}; it may name: {', '.join(self)}")
