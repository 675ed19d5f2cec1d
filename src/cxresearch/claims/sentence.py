"""A verdict in plain words: the claim's own sentence with the numbers filled in."""

from __future__ import annotations

from collections.abc import Mapping

from cxresearch.claims.bench import Found
from cxresearch.claims.claim import Claim
from cxresearch.claims.evidence import Beside, Evidence, number
from cxresearch.errors import ClaimError


def filled(template: str, claim: Claim, row: Evidence, base: Beside | None, found: Mapping[str, Found]) -> str:
    """A sentence with its numbers; a reading's own id in braces is its number."""
    words: dict[str, object] = {
        "lacks": row.lacks,
        "reason": row.reason,
        "base": number(base.value, base.unit) if base else "unknown",
    }
    for reading, other in found.items():
        words[reading] = _Number(other)
    if row.estimate is not None:
        e = row.estimate
        words |= {k: number(v, row.unit) for k, v in (("estimate", e.value), ("low", e.low), ("high", e.high))}
        words |= {
            "horizon": str(row.horizon_days),
            "customers": f"{row.customers:,}",
            "events": f"{row.events:,}",
        }
    unknown: dict[str, object] = {r.id: _Unknown() for r in claim.readings}
    return template.format_map(_Words(unknown | words))


class _Unknown:
    """What could not be computed."""

    def __format__(self, spec: str) -> str:
        """Whatever is asked for."""
        return "unknown" if spec else "an unknown number"


class _Number:
    """A reading's number; ``{name:low}`` and ``{name:high}`` are its limits."""

    def __init__(self, found: Found) -> None:
        e, unit = found.estimate, found.unit
        said = number(e.value, unit)
        if unit == "difference of shares":
            said = f"{abs(100 * e.value):.1f} points {'more' if e.value >= 0 else 'fewer'}"
        self._said = {"": said, "low": number(e.low, unit), "high": number(e.high, unit)}

    def __format__(self, spec: str) -> str:
        """The number, or one of its limits."""
        return self._said[spec]


class _Words(dict[str, object]):
    def __missing__(self, key: str) -> object:
        raise ClaimError(f"the sentence of a verdict names {{{key}}}; it may name: {', '.join(self)}")
