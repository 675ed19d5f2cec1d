"""The contacts of synthetic customers day by day, and what they do to the hazard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
INFORMED_AHEAD = 3  # days at most between the information about a problem and the problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contacts:
    """Contacts, in the order of time within a customer and day. Arrays of (contacts,).

    Attributes:
        who: position of the customer.
        day: since the first of the log.
        grade: `BAD`, `NEUTRAL`, `GOOD`, `UNKNOWN`, or `LEAVING` at the cancellation desk.
        touchpoint: position in `TOUCHPOINTS`.
        spread: evenly between 0 and 1; which of a grade's stars and levels it gets.
        problem: whether there is one.
        informed: whether the customer had been informed of it beforehand.
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
    informed: Bools
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
    rng: np.random.Generator,
    world: World,
    day: int,
    who: Ints,
    grade: Ints,
    start: Ints,
    troubled: Bools,
    hurt: Bools,
) -> Contacts:
    """What the contacts of a day are like.

    Args:
        rng: a generator that nothing else uses.
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
    known_grade = np.where(grade == UNKNOWN, NEUTRAL, grade)
    problem = u[0] < np.array(world.problem_shares)[known_grade]
    if world.one_problem:
        problem &= ~troubled[who]
        problem[problem] = first_of(who[problem])
    informed = problem & (u[1] < world.informed_share) & (day - start[who] >= INFORMED_AHEAD)
    bad = grade == BAD
    first_bad = bad & ~hurt[who]
    first_bad[first_bad] = first_of(who[first_bad])
    return Contacts(
        who=who,
        day=np.full(m, day),
        grade=grade,
        touchpoint=(u[2] * len(TOUCHPOINTS)).astype(np.int64),
        spread=u[3],
        problem=problem,
        informed=informed,
        resolution=_after(problem & (u[4] >= world.unresolved_share), u[5], world.resolution_days),
        goodwill=_after(problem & (u[6] < np.array(world.goodwill_shares)[known_grade]), u[7], 3.0),
        complaint=_after(bad & (u[8] < world.complaint_share), u[9], 2.0),
        post=np.where(first_bad & (u[10] < world.post_share), (7 * u[11]).astype(np.int64), NEVER),
        handoff=u[12] < world.handoff_share,
        failed=rng.random((m, 4))
        < np.where(grade == UNKNOWN, 0.0, np.array(world.failed_shares)[known_grade])[:, None],
    )


def at_the_desk(who: Ints, day: int) -> Contacts:
    """Contacts of customers who leave: a consequence, of which nothing comes."""
    m = len(who)
    no, never = np.zeros(m, np.bool_), np.full(m, NEVER)
    none, spread = np.zeros(m, np.int64), np.ones(m)
    grade, days = np.full(m, LEAVING), np.full(m, day)
    return Contacts(
        who=who,
        day=days,
        grade=grade,
        touchpoint=none,
        spread=spread,
        problem=no,
        informed=no,
        resolution=never,
        goodwill=never,
        complaint=never,
        post=never,
        handoff=no,
        failed=np.zeros((m, 4), np.bool_),
    )


def joined(parts: Sequence[Contacts]) -> Contacts:
    """All contacts as one."""
    return Contacts(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Contacts)}
    )


def first_of(who: Ints) -> Bools:
    """Whether each entry of a rising array is the first of its value."""
    return np.append(True, who[1:] != who[:-1])[: len(who)]


def _after(happens: Bools, u: Floats, mean: float) -> Ints:
    """Whole days of an exponential time; `NEVER` where it does not happen."""
    return np.where(happens, (-np.log1p(-u) * mean).astype(np.int64), NEVER)


_LONG_AGO = -1_000_000
_RECENT, _FLIP, _QUIET = 30, 14, 90  # days
_EACH = 5  # moments of a kind; further ones add nothing
_LATE = 2  # days after which a problem is open for more than 48 hours


class Due:
    """Customers to whom something is to happen on a later day."""

    def __init__(self) -> None:
        self._who: Ints = np.zeros(0, np.int64)
        self._day: Ints = np.zeros(0, np.int64)

    def add(self, who: Ints, day: Ints) -> None:
        """Something happens to `who` on `day`."""
        self._who, self._day = np.append(self._who, who), np.append(self._day, day)

    def take(self, today: int) -> Ints:
        """Those to whom it happens today."""
        now = self._day == today
        result: Ints = self._who[now]
        if len(result):
            self._who, self._day = self._who[~now], self._day[~now]
        return result


class Lived:
    """The state of every customer, day by day; what no effect asks for is not kept.

    Args:
        world: what is true.
        start: day on which each customer started; (customers,).
        partner: position of the other member of the household, or -1; (customers,).
    """

    def __init__(self, world: World, start: Ints, partner: Ints) -> None:
        n = len(start)
        self.world, self.start, self.partner = world, start, partner
        self.troubled = np.zeros(n, np.bool_)  # has had a problem
        self._times: dict[str, Ints] = {}
        self._lasting = np.ones(n)
        self._last_contact, self._last_bad = np.full(n, _LONG_AGO), np.full(n, _LONG_AGO)
        self._last_complaint = np.full(n, _LONG_AGO)
        self._last_grade = np.full(n, UNKNOWN)
        self._met = np.zeros(n, np.bool_)  # has had a contact
        self._worst, self._sum, self._scores = (
            np.full(n, 5),
            np.zeros(n, np.int64),
            np.zeros(n, np.int64),
        )
        self._open, self._open_late = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._slow, self._gesture, self._informed = (np.zeros(n, np.bool_) for _ in range(3))
        self._quick_due, self._slow_due, self._late_due = Due(), Due(), Due()
        self._goodwill_due, self._complaint_due = Due(), Due()
        problems = (world.hr_open, world.hr_open_late, world.hr_resolved, world.hr_resolved_late)
        self._problems = np.array([1.0, *problems])
        self._lasts = np.array([*world.hr_last, 1.0])
        effects: tuple[tuple[bool, Callable[[int], Floats]], ...] = (
            (world.recent_ratio != 1, self._recently),
            (world.log_hr_worst != 0 or world.log_hr_mean != 0, self._by_score),
            (world.hr_last != (1, 1, 1), lambda _: self._lasts[self._last_grade]),
            (bool((self._problems != 1).any()), self._by_problem),
            (world.hr_gesture != 1, lambda _: np.where(self._gesture, world.hr_gesture, 1.0)),
            (world.hr_informed != 1, lambda _: np.where(self._informed, world.hr_informed, 1.0)),
            (world.hr_complained != 1, self._after_complaint),
            (world.hr_quiet != 1, self._in_silence),
        )
        self._effects = [effect for on, effect in effects if on]

    def ratio(self, day: int) -> Floats:
        """What the days before `day` do to the hazard on it; (customers,)."""
        result = self._lasting
        for effect in self._effects:
            result = result * effect(day)
        return result

    def take(self, day: int, new: Contacts) -> None:
        """The contacts of a day, and whatever else happens on it, become the past."""
        self._moments(new)
        self._happen(day, new)
        bad = new.who[new.grade == BAD]
        self._flip(day, new)
        self._last_bad[bad] = day
        self._last_contact[new.who] = day

    def defected(self, who: Ints) -> None:
        """These have left today."""
        left_behind = self.partner[who]
        self._mark("household", self.world.hr_household, left_behind[left_behind >= 0])

    def _mark(self, name: str, ratio: float, who: Ints, most: int = 1) -> None:
        """Multiply the hazard of those who live through something, the first `most` times."""
        if ratio == 1 or not len(who):
            return
        times = self._times.setdefault(name, np.zeros(len(self.start), np.int64))
        them, more = np.unique(who, return_counts=True)
        before = times[them]
        times[them] = np.minimum(before + more, most)
        self._lasting[them] *= ratio ** (times[them] - before)

    def _moments(self, new: Contacts) -> None:
        world, who, bad, good = self.world, new.who, new.grade == BAD, new.grade == GOOD
        first = first_of(who) & ~self._met[who]
        self._mark("first bad", world.hr_first_bad, who[first & bad])
        self._met[who] = True
        self._mark("attended", world.hr_bad_attended, who[bad & new.attended])
        self._mark("unattended", world.hr_bad_unattended, who[bad & ~new.attended])
        for i, graded in enumerate((bad, good)):
            self._mark(f"problem {i}", world.hr_problem[i], who[graded & new.problem], _EACH)
            self._mark(f"routine {i}", world.hr_routine[i], who[graded & ~new.problem], _EACH)
        for i, ratio in enumerate(world.hr_failed):
            self._mark(f"failed {i}", ratio, who[new.failed[:, i]])
        self._mark("sour", world.hr_sour, who[new.failed[:, 3] & ~new.failed[:, 0]], _EACH)
        self._mark("handoff", world.hr_handoff, who[new.handoff], _EACH)
        self._last_grade[who] = new.grade  # the last of a day is what stays
        graded = new.grade != UNKNOWN
        if world.log_hr_worst or world.log_hr_mean:
            stars = new.stars[graded]
            np.minimum.at(self._worst, who[graded], stars)
            np.add.at(self._sum, who[graded], stars - 1)
            np.add.at(self._scores, who[graded], 1)

    def _happen(self, day: int, new: Contacts) -> None:
        troubled, took = new.who[new.problem], new.resolution[new.problem]
        self.troubled[troubled] = True
        self._informed[troubled] = new.informed[new.problem]
        self._gesture[troubled] = False
        np.add.at(self._open, troubled, 1)
        is_resolved, quick = took != NEVER, (took != NEVER) & (took < _LATE)
        self._quick_due.add(troubled[quick], day + took[quick])
        self._slow_due.add(troubled[is_resolved & ~quick], day + took[is_resolved & ~quick])
        self._late_due.add(troubled[~quick], np.full((~quick).sum(), day + _LATE))
        np.add.at(self._open_late, self._late_due.take(day), 1)
        for due, slow in ((self._quick_due, False), (self._slow_due, True)):
            resolved = due.take(day)
            np.subtract.at(self._open, resolved, 1)
            np.subtract.at(self._open_late, resolved, int(slow))
            self._slow[resolved] = slow
        for waiting, delay in (
            (self._goodwill_due, new.goodwill),
            (self._complaint_due, new.complaint),
        ):
            coming = delay != NEVER
            waiting.add(new.who[coming], day + delay[coming])
        self._gesture[self._goodwill_due.take(day)] = True
        self._last_complaint[self._complaint_due.take(day)] = day

    def _flip(self, day: int, new: Contacts) -> None:
        if self.world.hr_flipped == 1:
            return
        place, bad, good = np.arange(len(new.who)), new.grade == BAD, new.grade == GOOD
        first_bad = np.full(len(self.start), len(new.who))
        np.minimum.at(first_bad, new.who[bad], place[bad])
        before = (day - self._last_bad[new.who] <= _FLIP) | (place > first_bad[new.who])
        self._mark("flipped", self.world.hr_flipped, new.who[good & before])

    def _recently(self, day: int) -> Floats:
        return np.where(day - self._last_bad <= _RECENT, self.world.recent_ratio, 1.0)

    def _by_score(self, day: int) -> Floats:  # noqa: ARG002  all effects alike
        fifth = 5 * 250 * self._sum // (1000 * np.maximum(self._scores, 1))
        mean = np.where(self._scores > 0, 4 - np.minimum(fifth, 4), 0)
        return np.exp(self.world.log_hr_worst * (5 - self._worst) + self.world.log_hr_mean * mean)

    def _by_problem(self, day: int) -> Floats:  # noqa: ARG002  all effects alike
        state = np.where(self._open > 0, 1, np.where(self._slow, 4, 3))
        state = np.where(self._open_late > 0, 2, state)
        return self._problems[np.where(self.troubled, state, 0)]

    def _after_complaint(self, day: int) -> Floats:
        return np.where(day - self._last_complaint <= _QUIET, self.world.hr_complained, 1.0)

    def _in_silence(self, day: int) -> Floats:
        quiet = (day - self._last_contact > _QUIET) & (day - self.start > _QUIET)
        return np.where(quiet, self.world.hr_quiet, 1.0)
