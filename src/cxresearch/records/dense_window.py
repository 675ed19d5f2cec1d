"""The first and the last day of a log where the study names none: a stray date never widens the log.

A contact dated 2099 would make every customer of a shop lapse, and everybody else be observed for 75 years. So dates
far beyond the rest do not count. Two rules find them.

*Apart*: at most one hundredth of the contacts, or a single one, that lie beyond a silence of more than 60 days which is
also more than five times as long as any other silence of the log. It holds at both ends.

*Thin*: a day counts as dense if the 28 days up to it hold at least 2% of what such a span typically holds, and the 28
days from it on at least 2% of a typical day. The log ends at its last dense day. It holds at the end only, because a
company that grows has a thin beginning.

A log of fewer than 20 contacts is taken as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEW = 20  # contacts below which no date is stray
APART = 60  # days of silence
TIMES = 5  # as long as any other silence
SPAN = 28  # days
THIN = 0.02

Days = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWindow:
    """The days of a log.

    Attributes:
        first: the first day that counts.
        last: the last day that counts.
        seen_first: the first day with a contact.
        seen_last: the last day with a contact.
        before: contacts before the first day that counts.
        after: contacts after the last day that counts.
    """

    first: int
    last: int
    seen_first: int
    seen_last: int
    before: int
    after: int


def dense_window(days: Sequence[tuple[int, int]]) -> SeenWindow:
    """The window of a log.

    Args:
        days: each day with a contact, rising, and how many contacts; at least one.

    Example:
        >>> every_day = [(day, 10) for day in range(100)]
        >>> dense_window([*every_day, (27_000, 1)]).last
        99
    """
    day, rows = (np.array(column, np.int64) for column in zip(*days, strict=True))
    low, high = 0, len(day) - 1
    if rows.sum() >= FEW:
        low, high = _apart(day, rows)
        high = _last_dense(day, rows, low, high)
    return SeenWindow(
        first=int(day[low]),
        last=int(day[high]),
        seen_first=int(day[0]),
        seen_last=int(day[-1]),
        before=int(rows[:low].sum()),
        after=int(rows[high + 1 :].sum()),
    )


def _apart(day: Days, rows: Days) -> tuple[int, int]:
    """The positions of the first and last day that do not lie apart."""
    upto = rows.cumsum()
    few = max(int(upto[-1]) // 100, 1)
    # the days of all but the first and last hundredth: their silences are those of the log
    low = int(np.searchsorted(upto, few, side="right"))
    high = int(np.searchsorted(upto, upto[-1] - few, side="left"))
    silences = np.diff(day)
    within = silences[low:high]
    limit = max(APART, TIMES * int(within.max(initial=1)))
    after = [i for i in range(high, len(silences)) if silences[i] > limit]
    before = [i for i in range(low) if silences[i] > limit]
    return before[-1] + 1 if before else 0, after[0] if after else len(day) - 1


def _last_dense(day: Days, rows: Days, low: int, high: int) -> int:
    """The position of the last dense day between two positions."""
    upto = np.concatenate([[0], rows.cumsum()])
    spans = upto[1:] - upto[np.searchsorted(day, day - SPAN, side="right")]
    ahead = upto[np.searchsorted(day, day + SPAN, side="left")] - upto[:-1]
    is_dense = (spans >= THIN * _typical(spans, rows)) & (ahead >= THIN * _typical(rows, rows))
    dense = np.flatnonzero(is_dense[low : high + 1])
    return low + int(dense[-1]) if len(dense) else high


def _typical(values: Days, rows: Days) -> float:
    """The median over contacts: half of them lie on days with a greater value."""
    order = np.argsort(values, kind="stable")
    upto = rows[order].cumsum()
    return float(values[order][np.searchsorted(upto, upto[-1] / 2)])
