"""Cohorts: customers whose clock began in the same 30 days, so that on any day of it the calendar is about the same."""

from __future__ import annotations

from dataclasses import dataclass

from cxresearch.risk.episodes import COHORT, MONTH
from cxresearch.risk.table import RiskTable

LEAST = 50  # customers in a cohort
WIDE = 60  # days; within a wider cohort the calendar is not held equal


@dataclass(frozen=True, slots=True)
class Joined:
    """A table whose thin cohorts are put together.

    Attributes:
        table: the risk table.
        widest_days: the widest cohort, in days.
        count: how many cohorts there are.
        names: month to the name of its cohort.
    """

    table: RiskTable
    widest_days: int
    count: int
    names: dict[str, str]


def join_cohorts(table: RiskTable, least: int = LEAST, months: int = 1) -> Joined:
    """Put cohorts together, from the oldest on, until each has so many customers.

    Args:
        table: with the feature `COHORT`, before any of its time is left out.
        least: customers in each cohort; a remainder of fewer joins the cohort before it.
        months: each cohort is that many months wide at least.
    """
    customers = table.ends(COHORT)
    parts: list[list[int]] = []
    held = 0
    for month in sorted(map(int, customers)):
        if not parts or (held >= least and month - parts[-1][0] >= months):
            parts.append([])
            held = 0
        parts[-1].append(month)
        held += customers[str(month)]
    if len(parts) > 1 and held < least:
        remainder = parts.pop()
        parts[-1] += remainder
    names = {
        str(m): str(part[0]) if len(part) == 1 else f"{part[0]} to {part[-1]}"
        for part in parts
        for m in part
    }
    widest = max((MONTH * (part[-1] - part[0] + 1) for part in parts), default=0)
    return Joined(table.relabel(COHORT, names), widest, len(parts), names)
