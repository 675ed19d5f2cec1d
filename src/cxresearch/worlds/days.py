"""Synthetic customers with a known truth.

A world moves day by day, all customers at once: contacts happen, some go badly, and whoever is still there leaves
with a hazard that depends on what happened strictly before the day. Every effect is a named parameter.
"""

from __future__ import annotations

import numpy as np

from cxresearch.errors import EstimationError
from cxresearch.worlds import contacts as day_of
from cxresearch.worlds.company import Simulated
from cxresearch.worlds.contacts import BAD, GOOD, NEUTRAL, UNKNOWN, Contacts, Floats, Ints
from cxresearch.worlds.lived import Lived
from cxresearch.worlds.tables import Customers, tables
from cxresearch.worlds.world import World

# generators beside the main one, so that worlds to which their subject means nothing stay as they are
_DETAILS, _MARKETING, _HOUSEHOLDS, _AFTERWARDS = range(1, 5)


def simulate(world: World, customers: int, seed: int = 0) -> Simulated:
    """Let a world run.

    Args:
        world: what is true.
        customers: how many.
        seed: equal seeds give equal tables.

    Raises:
        EstimationError: no customers, or a negative seed.
    """
    if customers < 1:
        raise EstimationError(f"customers must be at least 1, was {customers}")
    if seed < 0:
        raise EstimationError(f"seed must be at least 0, was {seed}")
    rng = np.random.default_rng(seed)
    details, marketing, households, afterwards = (
        np.random.default_rng([seed, k]) for k in (_DETAILS, _MARKETING, _HOUSEHOLDS, _AFTERWARDS)
    )
    start = rng.integers(0, world.entry_days, customers)
    segment = rng.integers(0, len(world.segment_ratios), customers)
    intensity = _gamma(rng, world.intensity_variance, customers)
    proneness = _gamma(rng, world.proneness_variance, customers)
    hazard = world.base_hazard * _gamma(rng, world.frailty_variance, customers)
    hazard *= np.array(world.segment_ratios)[segment] * np.maximum(intensity, 1e-3) ** world.busy_stay
    acquisition, campaign = marketing.integers(0, 3, (2, customers))
    hazard *= np.array(world.acquisition_ratios)[acquisition] * np.array(world.campaign_ratios)[campaign]
    seat = households.permutation(customers)
    lived = Lived(world, start, _partners(seat))
    bad_ratio = np.array(world.hr_bad)
    counts = np.zeros((3, customers), np.int64)  # bad, neutral, good so far
    late = np.zeros(customers, np.bool_)  # whether the first bad moment came late
    end = np.full(customers, world.days + 1)
    cause = np.zeros(customers, np.int64)
    there = np.zeros(customers, np.bool_)
    parts: list[Contacts] = []
    for day in range(world.days + 1):
        risk = there & (start < day)
        h = hazard * bad_ratio[np.minimum(counts[0], 3)] * np.where(late, world.late_ratio, 1.0)
        h = h * np.exp(world.log_hr_neutral * np.minimum(counts[1], 5) + world.log_hr_good * np.minimum(counts[2], 5))
        h = h * lived.ratio(day)
        draw = rng.random(customers)
        defects = risk & (draw < -np.expm1(-h))
        leaves = risk & ~defects & (rng.random(customers) < world.other_hazard)
        end[defects | leaves], cause[defects], cause[leaves] = day, 1, 2
        there = (there | (start == day)) & ~(defects | leaves)
        number = np.where(there, rng.poisson(world.contact_rate * intensity), 0)
        who = np.repeat(np.arange(customers), number)
        grade = _grades(rng, world, proneness[who])
        none_so_far = counts[0] == 0
        new = day_of.drawn(details, world, day, who, grade, start, lived.troubled, ~none_so_far)
        for g in range(3):
            np.add.at(counts[g], who[grade == g], 1)
        late |= none_so_far & (counts[0] > 0) & (day - start > world.late_after)
        lived.take(day, new)
        lived.defected(np.flatnonzero(defects))
        desk = np.flatnonzero(defects & (rng.random(customers) < world.desk_share))
        parts += [new, day_of.at_the_desk(desk, day)]
    found = Customers(start, end, cause, segment, acquisition, campaign, seat)
    return tables(rng, afterwards, world, day_of.joined(parts), found)


def _gamma(rng: np.random.Generator, variance: float, n: int) -> Floats:
    """Mean one; all ones without variance."""
    return rng.gamma(1 / variance, variance, n) if variance > 0 else np.ones(n)


def _grades(rng: np.random.Generator, world: World, proneness: Floats) -> Ints:
    """Of contacts. An unknown grade has no effect, so that the recorded ones are the truth."""
    u, v = rng.random(len(proneness)), rng.random(len(proneness))
    bad = u < np.minimum(world.bad_share * proneness, 0.9)
    grade = np.where(bad, BAD, np.where(v < world.good_share, GOOD, NEUTRAL))
    return np.where(rng.random(len(proneness)) < world.unknown_share, UNKNOWN, grade)


def _partners(seat: Ints) -> Ints:
    """Position of the other of each pair of seats (0 and 1, 2 and 3, …); -1 of a last one alone."""
    sits = np.argsort(seat)
    other = seat ^ 1
    return np.where(other < len(seat), sits[np.minimum(other, len(seat) - 1)], -1)
