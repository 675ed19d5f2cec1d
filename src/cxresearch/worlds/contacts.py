"""The contacts of a day: what each is like, and what will come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cxresearch.worlds.world import World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
BAD, NEUTRAL, GOOD, UNKNOWN, LEAVING = range(5)
NEVER = -1
# touchpoint, channel, function responsible, whether a person is there
TOUCHPOINTS = (
    ("call", "phone", "customer care", True),
    ("chat", "web", "customer care", True),
    ("bill", "letter", "billing", False),
    ("delivery", "person", "logistics", True),
    ("app", "app", "digital", False),
)
_ATTENDED = np.array([t[3] for t in TOUCHPOINTS])
TOLD_AHEAD = 3  # days at most between being told of a problem and the problem


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """Contacts, in the order of time within a customer and day. Arrays of (contacts,).

    Attributes:
        who: position of the customer.
        day: since the first of the log.
        grade: `BAD`, `NEUTRAL`, `GOOD`, `UNKNOWN`, or `LEAVING` at the cancellation desk.
        touchpoint: position in `TOUCHPOINTS`.
        spread: evenly between 0 and 1; which of a grade's stars and levels it gets.
        problem: whether there is one.
        told: whether the customer had been told of it beforehand.
        resolution: whole days to the resolution of the problem, or `NEVER`.
        goodwill: whole days to a gesture, or `NEVER`.
        complaint: whole days to a complaint, or `NEVER`.
        post: whole days to a public post, or `NEVER`.
        handoff: whether it was handed off.
        failed: whether respect, solutions, simplicity, responsibility failed; (contacts, 4).
    """

    who: Ints
    day: Ints
    grade: Ints
    touchpoint: Ints
    spread: Floats
    problem: Bools
    told: Bools
    resolution: Ints
    goodwill: Ints
    complaint: Ints
    post: Ints
    handoff: Bools
    failed: Bools

    @property
    def attended(self) -> Bools:
        """Whether a person was there."""
        return _ATTENDED[self.touchpoint]

    @property
    def stars(self) -> Ints:
        """1 to 5; 0 where there is no score."""
        grade, more = self.grade, self.spread < 0.5
        kinds = [grade == BAD, grade == NEUTRAL, grade == GOOD, grade == LEAVING]
        return np.select(kinds, [1 + more, 3, 4 + more, 1], 0)


def drawn(
    rng: np.random.Generator, world: World, day: int, who: Ints, grade: Ints, start: Ints, troubled: Bools, hurt: Bools
) -> Contacts:
    """What the contacts of a day are like.

    Args:
        rng: a generator of their own.
        world: what is true.
        day: since the first of the log.
        who: position of the customer, rising.
        grade: of each contact.
        start: day on which each customer started; (customers,).
        troubled: whether each customer has had a problem before; (customers,).
        hurt: whether each customer has had a bad moment before; (customers,).
    """
    m = len(who)
    u = rng.random((13, m))
    alike = np.where(grade == UNKNOWN, NEUTRAL, grade)
    problem = u[0] < np.array(world.problem_shares)[alike]
    if world.one_problem:
        problem &= ~troubled[who]
        problem[problem] = first_of(who[problem])
    told = problem & (u[1] < world.told_share) & (day - start[who] >= TOLD_AHEAD)
    bad = grade == BAD
    first_bad = bad & ~hurt[who]
    first_bad[first_bad] = first_of(who[first_bad])
    return Contacts(
        who,
        np.full(m, day),
        grade,
        (u[2] * len(TOUCHPOINTS)).astype(np.int64),
        u[3],
        problem,
        told,
        _after(problem & (u[4] >= world.unresolved_share), u[5], world.resolution_days),
        _after(problem & (u[6] < np.array(world.goodwill_shares)[alike]), u[7], 3.0),
        _after(bad & (u[8] < world.complaint_share), u[9], 2.0),
        np.where(first_bad & (u[10] < world.post_share), (7 * u[11]).astype(np.int64), NEVER),
        u[12] < world.handoff_share,
        rng.random((m, 4)) < np.where(grade == UNKNOWN, 0.0, np.array(world.failed_shares)[alike])[:, None],
    )


def at_the_desk(who: Ints, day: int) -> Contacts:
    """Contacts of customers who leave: a consequence, of which nothing comes."""
    m = len(who)
    no, never = np.zeros(m, np.bool_), np.full(m, NEVER)
    none, spread = np.zeros(m, np.int64), np.ones(m)
    grade, days = np.full(m, LEAVING), np.full(m, day)
    return Contacts(who, days, grade, none, spread, no, no, never, never, never, never, no, np.zeros((m, 4), np.bool_))


def joined(parts: Sequence[Contacts]) -> Contacts:
    """All contacts as one."""
    return Contacts(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Contacts)})


def first_of(who: Ints) -> Bools:
    """Whether each entry of a rising array is the first of its value."""
    return np.append(True, who[1:] != who[:-1])[: len(who)]


def _after(happens: Bools, u: Floats, mean: float) -> Ints:
    """Whole days of an exponential time; `NEVER` where it does not happen."""
    return np.where(happens, (-np.log1p(-u) * mean).astype(np.int64), NEVER)
