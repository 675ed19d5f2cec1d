"""Companies whose customers have problems: who gets which treatment, and what a treatment does, planted by name.

From one event of a customer to the next, in plain Python and NumPy; shares no code with cxresearch. Between events the
hazard of leaving is constant, so the day of leaving is exact. A tenth of the relations end for another cause.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.hostile.simulate import FIRST_DAY, write_study

DAYS = 900  # of the log
EARLIEST = -200  # start of the oldest relation, in days of the log
GRADE = (("bad", 0.1), ("neutral", 0.4), ("good", 0.5))
GESTURE_DAYS = 6.0  # from a problem to a gesture, on average
QUICK = 2.0  # days within which a resolution is quick


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What becomes of a customer's problems.

    Attributes:
        days: until a problem is resolved, on average, of those resolved.
        resolved: share of problems that are ever resolved.
        gesture: share of problems with a gesture of goodwill.
        told: share of problems that the customer was told of beforehand.
        bad: share of contacts about problems that are graded bad; others are neutral or good as two to one.
    """

    days: float = 4.0
    resolved: float = 0.9
    gesture: float = 0.3
    told: float = 0.3
    bad: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Problems:
    """A company.

    Attributes:
        about: what happens in it.
        valuable: share of customers who are valuable, which no column shows.
        loyalty: ratio of their hazard to that of others.
        plain: how others are treated.
        better: how the valuable are treated.
        open: ratio of the hazard while a problem is open, whoever has it.
        open_late: the same, while it has been open for more than two days.
        resolved: while there have been problems, and all are resolved.
        gesture: from a gesture to the next problem.
        told: from a problem that was told of to the next one.
        hard: ratio of the hazard for 60 days after a hard problem, which takes five times as long; one in three is.
        gives_up: days before leaving in which no problem is resolved any more, at most.
        per_year: contacts a year.
        problem_share: of contacts, those with a problem.
        once: whether customers have one problem at most.
        marks_problems: whether a column says at the contact itself that there is a problem.
        hazard: of others, a day.
        customers: how many.
        is_beyond_reach: whether nothing in the data can tell.
    """

    about: str
    valuable: float = 0.5
    loyalty: float = 1.0
    plain: Treatment = field(default_factory=Treatment)
    better: Treatment | None = None
    open: float = 1.0
    open_late: float = 1.0
    resolved: float = 1.0
    gesture: float = 1.0
    told: float = 1.0
    hard: float = 1.0
    gives_up: int = 0
    per_year: float = 10.0
    problem_share: float = 0.35
    once: bool = False
    marks_problems: bool = False
    hazard: float = 0.0011
    customers: int = 5_000
    is_beyond_reach: bool = False


QUICKLY, SLOWLY = Treatment(days=1.5), Treatment(days=12.0)
PROBLEMS: dict[str, Problems] = {
    "problems-null": Problems(about="Nothing that becomes of a problem does anything."),
    "problems-speed-by-value": Problems(
        about="Problems of the valuable, who stay, are resolved sooner; that does nothing.",
        loyalty=0.5,
        plain=SLOWLY,
        better=QUICKLY,
        hazard=0.0015,
    ),
    "problems-speed-by-value-once": Problems(
        about="The same, and nobody has a second problem.",
        loyalty=0.5,
        plain=SLOWLY,
        better=QUICKLY,
        hazard=0.0015,
        once=True,
        is_beyond_reach=True,
    ),
    "problems-gesture-by-value": Problems(
        about="The valuable, who stay, are shown gestures more often; these do nothing.",
        loyalty=0.5,
        plain=Treatment(gesture=0.1),
        better=Treatment(gesture=0.6),
        hazard=0.0015,
    ),
    "problems-told-by-value": Problems(
        about="The valuable, who stay, are told of problems more often; that does nothing.",
        loyalty=0.5,
        plain=Treatment(told=0.15),
        better=Treatment(told=0.7),
        hazard=0.0015,
    ),
    "problems-given-up": Problems(
        about="Who is about to leave does not ask for a resolution any more, up to 45 days before.",
        gives_up=45,
    ),
    "problems-hard": Problems(
        about="Hard problems take five times as long, and it is these that drive customers away for 60 days.",
        hard=2.0,
        is_beyond_reach=True,
    ),
    "problems-beyond-repair": Problems(
        about="Problems of one product, and these contacts alone, end badly; its owners leave sooner anyway.",
        loyalty=1 / 2.2,
        valuable=0.6,
        plain=Treatment(bad=0.9),
        better=Treatment(bad=0.4),
        hazard=0.0015,
        marks_problems=True,
    ),
    "problems-true-open": Problems(
        about="An open problem multiplies the hazard by 1.8; a resolution ends that.",
        open=1.8,
        plain=Treatment(days=20.0),
    ),
    "problems-true-late": Problems(
        about="A problem that has been open for more than two days multiplies the hazard by 1.8.",
        open_late=1.8,
        plain=Treatment(days=12.0),
    ),
    "problems-true-late-by-value": Problems(
        about="The same, and problems of the valuable, who stay, are resolved sooner.",
        open_late=1.8,
        loyalty=0.5,
        plain=SLOWLY,
        better=QUICKLY,
        hazard=0.0015,
    ),
    "problems-true-paradox": Problems(
        about="Once all problems are resolved, the hazard is 0.6 times what it was before there were any.",
        resolved=0.6,
        hazard=0.0015,
    ),
    "problems-true-gesture": Problems(
        about="A gesture multiplies the hazard by 0.5 until the next problem.",
        gesture=0.5,
        hazard=0.0015,
    ),
    "problems-true-told": Problems(
        about="A problem that was told of multiplies the hazard by 0.5 until the next one.",
        told=0.5,
        hazard=0.0015,
    ),
}


@dataclass(frozen=True, slots=True)
class Life:
    """One customer.

    Attributes:
        start: day of the log.
        end: day of the end; `DAYS` or later if it is not seen.
        left: whether the end is a defection.
        contacts: a row for each: day, grade, and of a problem the days of resolution, gesture and notice, or None.
    """

    start: float
    end: float
    left: bool
    contacts: list[tuple[float, str, bool, float | None, float | None, float | None]]


def simulate_problems(company: Problems, seed: int, customers: int | None = None) -> list[Life]:
    """Live through a company, customer by customer."""
    rng = np.random.default_rng(seed)
    lives: list[Life] = []
    while len(lives) < (customers or company.customers):
        life = _live(company, rng)
        if life.end > 0:  # who ended before the log is not in the data
            lives.append(life)
    return lives


def _live(c: Problems, rng: np.random.Generator) -> Life:
    start = rng.uniform(EARLIEST, DAYS - 60)
    is_valuable = rng.random() < c.valuable
    treatment = c.better if is_valuable and c.better else c.plain
    base = c.hazard * (c.loyalty if is_valuable else 1.0)
    pace = c.per_year / 365 * rng.gamma(4, 0.25)
    limit, other = rng.exponential(), start + rng.exponential(6_000.0)
    contacts, problems = [], []
    at = start
    while (at := at + rng.exponential(1 / pace)) < DAYS:
        is_problem = rng.random() < c.problem_share and not (c.once and problems)
        rest = (1 - treatment.bad) / 3
        of_problem = (("bad", treatment.bad), ("neutral", 2 * rest), ("good", rest))
        names, weights = zip(*(of_problem if is_problem else GRADE), strict=True)
        grade = str(rng.choice(names, p=weights))
        if not is_problem:
            contacts.append([at, grade, False, None, None, None])
            continue
        is_hard = rng.random() < 1 / 3
        days = treatment.days * (5 if is_hard and c.hard != 1 else 1)
        solved = at + rng.exponential(days) if rng.random() < treatment.resolved else None
        made = at + rng.exponential(GESTURE_DAYS) if rng.random() < treatment.gesture else None
        notice = at - rng.uniform(1, 5) if rng.random() < treatment.told else None
        problems.append((at, solved, made, notice, is_hard))
        contacts.append([at, grade, True, solved, made, notice])
    end = _leaves(c, base, limit, start, problems)
    if c.gives_up:
        # what would have been resolved in the last days is not; nothing depends on it, so the end stays
        for row in contacts:
            if row[3] is not None and end - c.gives_up * rng.random() < row[3]:
                row[3] = None
    last = min(end, other)
    return Life(start, last, end <= other, [tuple(r) for r in contacts if r[0] < last])


def _leaves(
    c: Problems, base: float, limit: float, start: float, problems: list[tuple[Any, ...]]
) -> float:
    """The time at which the summed hazard reaches the limit, or beyond the log."""
    turns = {start, float(DAYS)}
    for at, solved, made, _, _ in problems:
        turns.update(
            t for t in (at, solved, made, at + QUICK, at + 60) if t is not None and t < DAYS
        )
    times, summed = sorted(turns), 0.0
    for left, right in itertools.pairwise(times):
        rate = base * _ratio(c, left, problems)
        if summed + rate * (right - left) >= limit:
            return left + (limit - summed) / rate
        summed += rate * (right - left)
    return DAYS + 1.0


def _ratio(c: Problems, now: float, problems: list[tuple[Any, ...]]) -> float:
    past = [p for p in problems if p[0] <= now]
    if not past:
        return 1.0
    is_open = [p for p in past if p[1] is None or p[1] > now]
    latest = past[-1]
    result = c.open if is_open else c.resolved
    if any(now - p[0] >= QUICK for p in is_open):
        result *= c.open_late
    if any(p[2] is not None and latest[0] <= p[2] <= now for p in past):
        result *= c.gesture
    if latest[3] is not None:
        result *= c.told
    if any(p[4] and now - p[0] < 60 for p in past):
        result *= c.hard
    return float(result)


def write_problems(lives: list[Life], company: Problems, folder: Path, name: str) -> Path:
    """Write a study: study.toml, interactions.parquet and customers.parquet; what had not happened is not there."""
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    midnight = datetime.combine(FIRST_DAY, time())

    def moment(day: float | None, before: float) -> datetime | None:
        if day is None or not 0 <= day < min(before, DAYS):
            return None
        return midnight + timedelta(seconds=int(day * 86_400))

    rows = [
        {
            "customer": f"C{i:06d}",
            "at": moment(at, life.end),
            "grade": grade,
            **({"is_problem": is_problem} if company.marks_problems else {}),
            "problem_at": moment(at, life.end) if is_problem else None,
            "resolved_at": moment(solved, life.end),
            "goodwill_at": moment(made, life.end),
            "informed_at": moment(notice, life.end),
        }
        for i, life in enumerate(lives)
        for at, grade, is_problem, solved, made, notice in life.contacts
        if at >= 0
    ]
    stamps = {
        k: pl.Datetime("us")
        for k in ("at", "problem_at", "resolved_at", "goodwill_at", "informed_at")
    }
    log = pl.DataFrame(rows, schema_overrides=stamps)
    log.sort("at", "customer").write_parquet(folder / "interactions.parquet")
    ends = [
        None if life.end >= DAYS else FIRST_DAY + timedelta(days=int(life.end) + 1)
        for life in lives
    ]
    # contacts of the last day are on file before the end, which is entered on the next one
    is_seen = [e is not None and e < FIRST_DAY + timedelta(days=DAYS) for e in ends]
    pl.DataFrame(
        {
            "customer": [f"C{i:06d}" for i in range(len(lives))],
            "start": [FIRST_DAY + timedelta(days=int(np.floor(life.start))) for life in lives],
            "end": [e if s else None for e, s in zip(ends, is_seen, strict=True)],
            "reason": [
                ("switched" if life.left else "moved") if s else None
                for life, s in zip(lives, is_seen, strict=True)
            ],
        },
        schema_overrides={"start": pl.Date, "end": pl.Date, "reason": pl.String},
    ).write_parquet(folder / "customers.parquet")
    return write_study(folder, STUDY, DAYS, {}, about=company.about, name=name)


STUDY = """\
# {about}

[study]
id = "{name}"
name = "{name} (synthetic)"

[interactions]
source = "interactions.parquet"
log_from = {first}
log_until = {last}

[moments]
{moments}
[retention]
kind = "contract"
source = "customers.parquet"
cause = "reason"
defection = ["switched"]
observed_until = {last}
"""
