"""A verdict in plain words: the claim's own sentence with the numbers filled in."""

from __future__ import annotations

from collections.abc import Mapping

from cxresearch.claims.bench import Found
from cxresearch.claims.claim import Claim, region
from cxresearch.claims.evidence import Beside, Evidence
from cxresearch.claims.numbers import held_against, limit, number
from cxresearch.errors import ClaimError


def filled(template: str, claim: Claim, row: Evidence, base: Beside | None, found: Mapping[str, Found]) -> str:
    """A sentence with its numbers; a reading's own id in braces is its number."""
    words: dict[str, object] = {
        "lacks": row.lacks,
        "reason": row.reason,
        "base": number(base.value, base.unit) if base else "unknown",
    }
    for reading, other in found.items():
        words[reading] = _Number(other, _edges(claim, reading))
    if row.estimate is not None:
        e = row.estimate
        edges = _edges(claim, row.reading)
        words["estimate"] = number(e.value, row.unit)
        words |= {k: limit(v, row.unit, edges) for k, v in (("low", e.low), ("high", e.high))}
        words |= {
            "horizon": str(row.horizon_days),
            "customers": f"{row.customers:,}",
            "events": f"{row.events:,}",
        }
    unknown: dict[str, object] = {r.id: _Unknown() for r in claim.readings}
    return template.format_map(_Words(unknown | words))


def _edges(claim: Claim, reading: str) -> tuple[float, ...]:
    own = claim.reading(reading)
    return held_against(region(claim, own) if own.region else None)


class _Unknown:
    """What could not be computed."""

    def __format__(self, spec: str) -> str:
        """Whatever is asked for."""
        return "unknown" if spec else "an unknown number"


class _Number:
    """A reading's number; ``{name:low}`` and ``{name:high}`` are its limits."""

    def __init__(self, found: Found, edges: tuple[float, ...]) -> None:
        e, unit = found.estimate, found.unit
        said = number(e.value, unit)
        if unit == "difference of shares":
            said = f"{abs(100 * e.value):.1f} points {'more' if e.value >= 0 else 'fewer'}"
        self._said = {"": said, "low": limit(e.low, unit, edges), "high": limit(e.high, unit, edges)}

    def __format__(self, spec: str) -> str:
        """The number, or one of its limits."""
        return self._said[spec]


class _Words(dict[str, object]):
    def __missing__(self, key: str) -> object:
        raise ClaimError(f"the sentence of a verdict names {{{key}}}; it may name: {', '.join(self)}")
