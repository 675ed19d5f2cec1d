"""Numbers that only very large companies give: python -m benchmarks.hostile.large_runs [--jobs 1].

Writes large_runs.csv. An incidence is that of a large company of the family. Where effects of several ages or numbers
of moments mix, the ratio is that of a large company in which nothing but moments acts: no other factor then goes with
both moments and leaving, but for the segment and the time since the start, which are held equal.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from benchmarks.hostile.families import FAMILIES
from benchmarks.hostile.simulate import (
    BAD,
    GOOD,
    NEUTRAL,
    Company,
    Floats,
    Ints,
    Simulated,
    simulate,
)
from benchmarks.hostile.truths import LARGE, is_without_moments
from numpy.typing import NDArray

CUSTOMERS = 10_000
SEEDS = (91, 92, 93)  # apart from those of the trials
HORIZON = 365
Number = tuple[str, str, float]  # family, claim, value
FLIP_DAYS = 14


def incidence_before_third(s: Simulated, horizon: int = HORIZON) -> float:
    """Share that leaves before the third bad moment, from the first on; NaN where nobody is followed so long.

    Aalen and Johansen's estimate with the third moment and other exits competing; grades as recorded, customers who
    started within the log and had fewer than three bad moments on the day of the first.
    """
    is_bad = s.seen & (s.grade == BAD)
    order = np.lexsort((s.recorded[is_bad], s.customer[is_bad]))
    customer, day = s.customer[is_bad][order], s.recorded[is_bad][order]
    begins = np.r_[True, customer[1:] != customer[:-1]]
    who, at = customer[begins], np.flatnonzero(begins)
    count = np.diff(np.r_[at, len(customer)])
    first = day[at]
    third = np.where(count >= 3, day[np.minimum(at + 2, len(day) - 1)], 10**6)
    kept = (s.start[who] >= 0) & (third > first)
    who, first, third = who[kept], first[kept], third[kept]
    end = np.minimum(s.end[who], s.days - 1)
    # a third moment on the day of leaving comes after it
    time = np.minimum(end, third) - first
    leaves = (s.cause[who] == 1) & (end <= third)
    stops = leaves | (third < end) | ((s.cause[who] == 2) & (end <= third))
    at_risk = time > 0
    time, leaves, stops = time[at_risk], leaves[at_risk], stops[at_risk]
    if len(time) == 0 or time.max() < horizon:
        return math.nan
    there, result = 1.0, 0.0
    for t in range(1, horizon + 1):
        n = np.count_nonzero(time >= t)
        now = time == t
        result += there * np.count_nonzero(now & leaves) / n
        there *= 1 - np.count_nonzero(now & stops) / n
    return result


@dataclass(frozen=True, slots=True)
class Grid:
    """A cell for every customer and day of the log. Shapes (n, days).

    Attributes:
        at_risk: whether the customer is at risk on that day.
        leaves: whether it leaves on that day.
        stratum: segment and quarter of the relation.
    """

    at_risk: NDArray[np.bool_]
    leaves: NDArray[np.bool_]
    stratum: NDArray[np.int8]


def grid(s: Simulated) -> Grid:
    """Follow-up of the customers who started within the log."""
    day = np.arange(s.days)
    end = np.minimum(s.end, s.days - 1)
    inside = s.start >= 0
    at_risk = inside[:, None] & (day > s.start[:, None]) & (day <= end[:, None])
    leaves = at_risk & ((s.cause == 1) & (s.end < s.days))[:, None] & (day == s.end[:, None])
    quarter = np.clip((day - s.start[:, None]) // 91, 0, 19)
    stratum = (s.segment[:, None] * 20 + quarter).astype(np.int8)
    return Grid(at_risk, leaves, stratum)


def days_after(
    s: Simulated, chosen: NDArray[np.bool_], last: int | None = None
) -> NDArray[np.bool_]:
    """Whether a chosen contact lies 1 to `last` days before, or any day before; shape (n, days)."""
    n, width = len(s.start), s.days + 1

    def count(day: Ints) -> Ints:
        cell = s.customer[chosen] * width + np.clip(day, 0, s.days)
        return np.bincount(cell, minlength=n * width)

    steps = count(s.day[chosen] + 1)
    if last is not None:
        steps -= count(s.day[chosen] + last + 1)
    return np.cumsum(steps.reshape(n, width), axis=1, dtype=np.int16)[:, :-1] > 0


def rate_ratio(
    g: Grid, exposed: NDArray[np.bool_], others: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Terms of Mantel and Haenszel's ratio of rates, above and below the line, by stratum."""
    size = int(g.stratum.max()) + 1

    def count(cells: NDArray[np.bool_]) -> Floats:
        return np.bincount(g.stratum[cells], minlength=size).astype(float)

    days_1, days_0 = count(g.at_risk & exposed), count(g.at_risk & others)
    left_1, left_0 = count(g.leaves & exposed), count(g.leaves & others)
    total = np.maximum(days_1 + days_0, 1)
    return left_1 * days_0 / total, left_0 * days_1 / total


def ever_bad(s: Simulated) -> tuple[Floats, Floats]:
    """At least one bad moment against none."""
    bad = days_after(s, s.true_grade == BAD)
    return rate_ratio(grid(s), bad, ~bad)


def flipped(s: Simulated) -> tuple[Floats, Floats]:
    """A good moment at most 14 days after a bad one, against good moments and no bad one so far."""
    marked = np.isin(s.true_grade, (BAD, GOOD))
    who, day, grade = s.customer[marked], s.day[marked], s.true_grade[marked]
    # the last bad moment before each contact, by filling forward along a customer
    index = np.where(grade == BAD, np.arange(len(day)), -1)
    last = np.maximum.accumulate(index)
    is_flip = (grade == GOOD) & (last >= 0)
    is_flip &= (who[last] == who) & (day - day[last] <= FLIP_DAYS)
    chosen = np.zeros(len(s.day), bool)
    chosen[np.flatnonzero(marked)[is_flip]] = True
    good_alone = days_after(s, s.true_grade == GOOD) & ~days_after(s, s.true_grade == BAD)
    return rate_ratio(grid(s), days_after(s, chosen), good_alone)


def attributable_difference(s: Simulated) -> float:
    """The share of departures owed to neutral moments in place of good ones, minus that owed to bad ones."""
    e = s.company.effects
    n = len(s.start)
    # the day of leaving has no moments of its own
    count = np.zeros((n, 3), np.int64)
    np.add.at(count, (s.customer, s.true_grade), 1)
    leavers = np.flatnonzero((s.cause == 1) & (s.start >= 0))

    def log_effect(counts: Ints, recent: NDArray[np.bool_], first: NDArray[np.bool_]) -> Floats:
        result = np.log(e.bad_first) * (counts[:, BAD] > 0)
        result = result + np.log(e.bad_each) * np.minimum(counts[:, BAD], 8)
        result = result + np.log(e.good_each) * np.minimum(counts[:, GOOD], 10)
        result = result + np.log(e.bad_recent) * recent + np.log(e.first_contact_bad) * first
        return np.asarray(result, dtype=float)

    last_bad = np.full(n, -(10**6))
    np.maximum.at(last_bad, s.customer[s.true_grade == BAD], s.day[s.true_grade == BAD])
    recent = (s.end - last_bad <= e.recent_days)[leavers]
    begins = np.r_[True, s.customer[1:] != s.customer[:-1]]
    first_bad = np.zeros(n, bool)
    first_bad[s.customer[begins]] = s.true_grade[begins] == BAD
    first, none = first_bad[leavers], np.zeros(len(leavers), bool)
    counts = count[leavers]
    lived = log_effect(counts, recent, first)

    def share(grade: int) -> float:
        instead = counts.copy()
        instead[:, GOOD] += instead[:, grade]
        instead[:, grade] = 0
        is_bad = grade == BAD
        other = log_effect(instead, none if is_bad else recent, none if is_bad else first)
        return float(np.mean(1 - np.exp(other - lived)))

    return share(NEUTRAL) - share(BAD)


def _pooled(
    company: Company,
    terms: Callable[[Simulated], tuple[Floats, Floats]],
    changes: dict[str, object],
) -> float:
    above = below = 0.0
    for seed in SEEDS:
        up, down = terms(simulate(company, seed, CUSTOMERS, **changes))
        above, below = above + float(up.sum()), below + float(down.sum())
    return above / below


def numbers(family: str) -> list[Number]:
    """All numbers of a family: family, claim, value."""
    company = FAMILIES[family]
    incidence = incidence_before_third(simulate(company, SEEDS[0], CUSTOMERS))
    result = [(family, "three-strikes", incidence)]
    e = company.effects
    if is_without_moments(e) or max(e.failed) > 1:
        return result
    alone: dict[str, object] = {"influences": ()}
    if e.bad_each > 1 or e.bad_recent > 1 or e.first_contact_bad > 1:
        result.append((family, "bad-moments-drive-away", _pooled(company, ever_bad, alone)))
        result.append((family, "anger-to-appreciation", _pooled(company, flipped, alone)))
    shares = [
        attributable_difference(simulate(company, seed, CUSTOMERS, **alone)) for seed in SEEDS
    ]
    result.append((family, "neutral-threat", float(np.mean(shares))))
    return result


def all_numbers(families: Sequence[str], jobs: int) -> Iterator[list[Number]]:
    """Numbers of all families, in their order."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(numbers, families)


def main() -> None:
    """Write large_runs.csv, anew after every family, so that what is done is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", action="append", help="a family; others stay as they are")
    parser.add_argument("--missing", action="store_true", help="only families without a number")
    asked = parser.parse_args()
    rows: list[Number] = []
    if LARGE.exists():
        with LARGE.open(encoding="utf-8") as file:
            rows = [(r["family"], r["claim"], float(r["value"])) for r in csv.DictReader(file)]
    place = {name: i for i, name in enumerate(FAMILIES)}
    known = {r[0] for r in rows if asked.missing}
    chosen = [f for f in asked.only or FAMILIES if f not in known]
    rows = [r for r in rows if r[0] in place and r[0] not in chosen]
    for new in all_numbers(chosen, asked.jobs):
        rows = sorted([*rows, *new], key=lambda r: (place[r[0]], r[1]))
        lines = ["family,claim,value", *(f"{f},{c},{v:.4f}" for f, c, v in rows)]
        part = LARGE.with_suffix(".part")  # whoever reads meanwhile sees a complete file
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        part.replace(LARGE)


if __name__ == "__main__":
    main()
