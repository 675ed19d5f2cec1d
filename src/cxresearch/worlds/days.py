"""Synthetic customers with a known truth.

A world moves day by day, all customers at once: contacts happen, some go badly, and whoever is still there leaves
with a hazard that depends on what happened strictly before the day. Every effect is a named parameter.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError
from cxresearch.worlds.company import Simulated
from cxresearch.worlds.world import World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FIRST_DAY = date(2023, 1, 1)
_TOUCHPOINTS = (
    ("call", "phone"),
    ("chat", "web"),
    ("bill", "letter"),
    ("delivery", "person"),
    ("app", "app"),
)
_DESK = len(_TOUCHPOINTS)


def simulate(world: World, customers: int, seed: int = 0) -> Simulated:
    """Let a world run.

    Args:
        world: what is true.
        customers: how many.
        seed: equal seeds give equal tables.

    Raises:
        EstimationError: no customers.
    """
    if customers < 1:
        raise EstimationError(f"customers must be at least 1, was {customers}")
    rng = np.random.default_rng(seed)
    start = rng.integers(0, world.entry_days, customers)
    segment = rng.integers(0, len(world.segment_ratios), customers)
    intensity = _gamma(rng, world.intensity_variance, customers)
    proneness = _gamma(rng, world.proneness_variance, customers)
    hazard = world.base_hazard * _gamma(rng, world.frailty_variance, customers)
    hazard *= np.array(world.segment_ratios)[segment] * np.maximum(intensity, 1e-3) ** world.busy_stay
    bad_ratio = np.array(world.hr_bad)
    counts = np.zeros((3, customers), np.int64)  # bad, neutral, good so far
    late = np.zeros(customers, np.bool_)  # whether the first bad moment came late
    end = np.full(customers, world.days + 1)
    cause = np.zeros(customers, np.int64)
    there = np.zeros(customers, np.bool_)
    who: list[Ints] = []
    when: list[Ints] = []
    grades: list[Ints] = []
    for day in range(world.days + 1):
        risk = there & (start < day)
        h = hazard * bad_ratio[np.minimum(counts[0], 3)] * np.where(late, world.late_ratio, 1.0)
        h = h * np.exp(world.log_hr_neutral * np.minimum(counts[1], 5) + world.log_hr_good * np.minimum(counts[2], 5))
        draw = rng.random(customers)
        defects = risk & (draw < -np.expm1(-h))
        leaves = risk & ~defects & (rng.random(customers) < world.other_hazard)
        end[defects | leaves], cause[defects], cause[leaves] = day, 1, 2
        there = (there | (start == day)) & ~(defects | leaves)
        number = np.where(there, rng.poisson(world.contact_rate * intensity), 0)
        contacts = np.repeat(np.arange(customers), number)
        grade = _grades(rng, world, proneness[contacts])
        none_so_far = counts[0] == 0
        for g in range(3):
            np.add.at(counts[g], contacts[grade == g], 1)
        late |= none_so_far & (counts[0] > 0) & (day - start > world.late_after)
        desk = np.flatnonzero(defects & (rng.random(customers) < world.desk_share))
        who += [contacts, desk]
        when += [np.full(len(contacts) + len(desk), day)]
        grades += [grade, np.full(len(desk), 4)]
    return _tables(
        rng,
        world,
        np.concatenate(who),
        np.concatenate(when),
        np.concatenate(grades),
        start,
        end,
        cause,
        segment,
    )


def _gamma(rng: np.random.Generator, variance: float, n: int) -> Floats:
    """Mean one; all ones without variance."""
    return rng.gamma(1 / variance, variance, n) if variance > 0 else np.ones(n)


def _grades(rng: np.random.Generator, world: World, proneness: Floats) -> Ints:
    """0 bad, 1 neutral, 2 good, 3 unknown (an unknown one has no effect, so that the recorded ones are the truth)."""
    u, v = rng.random(len(proneness)), rng.random(len(proneness))
    bad = u < np.minimum(world.bad_share * proneness, 0.9)
    grade = np.where(bad, 0, np.where(v < world.good_share, 2, 1))
    return np.where(rng.random(len(proneness)) < world.unknown_share, 3, grade)


def _tables(
    rng: np.random.Generator,
    world: World,
    who: Ints,
    when: Ints,
    grade: Ints,
    start: Ints,
    end: Ints,
    cause: Ints,
    segment: Ints,
) -> Simulated:
    n = len(start)
    ids = np.array([f"C{i:06d}" for i in range(n)])
    zero = datetime.combine(FIRST_DAY, datetime.min.time())
    touch = np.where(grade == 4, _DESK, rng.integers(0, len(_TOUCHPOINTS), len(who)))
    names = np.array([*(t for t, _ in _TOUCHPOINTS), "cancellation"])
    channels = np.array([*(c for _, c in _TOUCHPOINTS), "phone"])
    spread = rng.random(len(who))
    stars = np.select(
        [grade == 0, grade == 1, grade == 2, grade == 4], [1 + (spread < 0.5), 3, 4 + (spread < 0.5), 1], 0
    )
    second = rng.integers(8 * 3600, 20 * 3600, len(who))
    order = np.lexsort((second, when, who))
    interactions = pl.DataFrame(
        {
            "customer": ids[who],
            "at": pl.Series(when * 86_400 + second, dtype=pl.Int64),
            "touchpoint": names[touch],
            "channel": channels[touch],
            "agent": np.array([f"agent {i:02d}" for i in range(40)])[rng.integers(0, 40, len(who))],
            "stars": pl.Series(stars, dtype=pl.Int64).replace(0, None),
        }
    )[order].with_columns(at=pl.lit(zero) + pl.duration(seconds="at"))
    gone = end <= world.days
    days = [FIRST_DAY + timedelta(days=d) for d in range(world.days + 2)]
    customers = pl.DataFrame(
        {
            "customer": ids,
            "start": [days[d] for d in start],
            "end": [days[d] if left else None for d, left in zip(end, gone, strict=True)],
            "reason": [
                ("switched", "moved away")[c - 1] if left else None for c, left in zip(cause, gone, strict=True)
            ],
            "plan": np.array(["basic", "plus", "family"])[segment % 3],
            "household": [f"H{h:06d}" for h in rng.permutation(n) // 2 * 2],
        },
        schema_overrides={"end": pl.Date, "reason": pl.String},
    )
    return Simulated(interactions, customers)
