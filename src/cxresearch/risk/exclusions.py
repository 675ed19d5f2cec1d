"""Customers who are not at risk, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cxresearch.utils.result import Result


@dataclass(frozen=True, slots=True)
class Exclusion(Result):
    """Customers who are not in a risk set, and why; they are shown, not dropped silently.

    Attributes:
        reason: why, as a phrase.
        customers: how many.
    """

    reason: str
    customers: int = field(repr=False)


def summed(exclusions: Iterable[Exclusion]) -> tuple[Exclusion, ...]:
    """One aside per reason, in the order in which the reasons came."""
    counts: dict[str, int] = {}
    for a in exclusions:
        counts[a.reason] = counts.get(a.reason, 0) + a.customers
    return tuple(Exclusion(reason, n) for reason, n in counts.items())
