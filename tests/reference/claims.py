"""Every claim of the catalogue, written out once more from what it says, on the histories of `grids`.

One function a claim, found by its id: from a life to the numbers of its readings. Customers and events are given
where the reading is a regression, an incidence or a share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from tests.reference import estimators, grids
from tests.reference.estimators import (
    Compared,
    Contest,
    Excess,
    Fit,
    Incidence,
    Share,
    Terms,
    at_exit,
    contest,
    cox,
    on_tenure,
    share,
)
from tests.reference.grids import (
    BAD,
    DEFECTION,
    GOOD,
    NEUTRAL,
    OTHER,
    UNKNOWN,
    Grid,
    Life,
    banded,
    count,
    within,
)

FIRST_DAY = date(2022, 1, 3)  # of the log
HORIZON = 300


@dataclass(frozen=True)
class Number:
    """What a reading should say."""

    value: float
    customers: int | None = None
    events: int | None = None


def ratio(fit: Fit, weights: dict[str, float]) -> Number:
    """Return a hazard ratio."""
    return Number(fit.ratio(weights), fit.customers, fit.events)


def over_range(number: Number, counts: np.ndarray) -> Number:
    """The ratio of as many moments as the 90th percentile of customer-days, at least one and at most five."""
    times = min(max(int(np.sort(counts)[int(np.ceil(0.9 * len(counts))) - 1]), 1), 5)
    return replace(number, value=number.value**times)


def of(result: Incidence | Share | Contest | Excess) -> Number:
    """Return a result as a number."""
    if isinstance(result, Share):
        return Number(result.value, result.whole, result.part)
    if isinstance(result, Contest):
        return Number(result.corrected, result.customers, result.events)
    return Number(result.value, result.customers, result.events)


def later(grid: Grid, days: int) -> Grid:
    """A history as it stood so many days before; nothing before the start."""
    return np.pad(grid, ((0, 0), (days, 0)))[:, : grid.shape[1]]


FINE = (1, 2, 3, 4, 5, 6, 8, 11, 15, 21, 30)  # where two descriptions of the past are compared


def contacts_held(life: Life, so_far: tuple[int, ...] = (1, 3, 6, 11, 21)) -> Terms:
    """Contacts in 90 days, contacts so far, and how long ago the last one was."""
    return {
        "contacts": within(life, 90, (1, 3, 6)),
        "so_far": banded(count(life), so_far),
        "recency": grids.age(life, [(c.who, c.day) for c in life.contacts], (7, 30, 60, 90)),
    }


class Past:
    """The histories that several claims share, made when they are first asked for."""

    def __init__(self, life: Life):
        self.life = life

    @cached_property
    def contacts(self) -> Grid:
        """Contacts of the last 90 days: 0, 1-2, 3-5, 6+."""
        return within(self.life, 90, (1, 3, 6))

    @cached_property
    def held(self) -> Terms:
        """What every adjusted model holds equal of contacts."""
        return contacts_held(self.life)

    @cached_property
    def earlier(self) -> Terms:
        """The same as it stood 90 days before: what was known then, under the same blackout."""
        return {name: later(grid, 90) for name, grid in self.held.items()}

    def adjusted(
        self,
        asked: Terms,
        linear: Terms | None = None,
        mask: Grid | None = None,
        *,
        named: Terms | None = None,
        past: Terms | None = None,
    ) -> Fit:
        """Fit what a claim asks about, with contacts, segment and cohort held equal."""
        past = self.held if past is None else past
        grids_asked = [*asked.values(), *(linear or {}).values()]
        held = hold(self.life, past, named or {}, grids_asked, mask)
        return cox(self.life, asked | held.terms, linear, strata=held.strata, mask=held.mask)

    def compared(
        self,
        sides: tuple[tuple[Terms, Terms], tuple[Terms, Terms]],
        mask: Grid | None = None,
        *,
        segment: bool = True,
        calendar: bool = True,
    ) -> Number:
        """Compare two descriptions with contacts, in finer bands, segment and cohort held equal."""
        past = contacts_held(self.life, FINE)
        held = hold(self.life, past, {}, (), mask, segment=segment, calendar=calendar)
        return of(contest(self.life, *sides, held.terms, held.strata, held.mask))

    @cached_property
    def segment(self) -> np.ndarray:
        """The strata."""
        return self.life.segment

    @cached_property
    def each(self) -> Terms:
        """Moments so far by grade, up to five."""
        grades = {"bad": BAD, "neutral": NEUTRAL, "good": GOOD, "unknown": UNKNOWN}
        return {name: count(self.life, 5, grade=grade) for name, grade in grades.items()}

    def up_to_three(self, *names: str) -> Terms:
        """Moments so far by grade as 0, 1, 2, 3+."""
        return {name: np.minimum(self.each[name], 3) for name in names}

    @cached_property
    def since_problem(self) -> Grid:
        """Days since the last problem, in bands."""
        return grids.age(self.life, grids.days_of(self.life, "problem_at"), (7, 14, 30, 90))

    @cached_property
    def severity(self) -> Grid:
        """Grade of the contact of the last problem."""
        return grids.severity(self.life)

    @cached_property
    def problem_state(self) -> Grid:
        """0 none, 1 open, 2 open late, 3 resolved, 4 resolved late."""
        return grids.problem_state(self.life)

    @cached_property
    def first_problem(self) -> Grid:
        """0 none, 1 open, 2 open late, 3 resolved quickly, 4 resolved late."""
        return grids.first_problem(self.life)

    def left_anyway(self, mask: Grid) -> Number | None:
        """Customers who leave within the horizon, counted while they are in the mask."""
        result = on_tenure(self.life, mask, HORIZON)
        return None if result is None else of(result)

    def fixed(self, values: list[Any]) -> Grid:
        """A covariate as a history: numbers in the order of the values, a null as a value of its own."""
        order = sorted({str(v) for v in values})
        return np.broadcast_to(
            np.array([order.index(str(v)) for v in values])[:, None], self.life.size
        )

    def where(self, grid: Grid, *levels: int) -> Grid:
        """Whether a history is at one of some levels."""
        return np.isin(grid, levels)


@dataclass(frozen=True)
class Held:
    """What an adjusted model holds equal, and the customer-days on which somebody left at each of its levels."""

    terms: Terms
    strata: np.ndarray
    mask: Grid


def cohorts(life: Life, months: int = 1, at_least: int = 50) -> tuple[np.ndarray, int]:
    """Customers by the 30 days in which their clock began, and the widest such group in days.

    From the oldest on, months are put together until a group has enough customers; the last few join those before.
    """
    origin = (life.start - FIRST_DAY.toordinal()) // 30
    there = (life.exit > life.entry) & ~life.left_truncated
    groups: list[list[int]] = [[]]
    for month in sorted(set(origin[there])):
        so_far = np.isin(origin, groups[-1]) & there
        if groups[-1] and so_far.sum() >= at_least and month - groups[-1][0] >= months:
            groups.append([])
        groups[-1].append(int(month))
    if len(groups) > 1 and (np.isin(origin, groups[-1]) & there).sum() < at_least:
        groups[-2:] = [groups[-2] + groups[-1]]
    result = np.full(len(origin), -1)
    for number, group in enumerate(groups):
        result[np.isin(origin, group)] = number
    return result, max(30 * (g[-1] - g[0] + 1) for g in groups)


def both(*parts: np.ndarray) -> np.ndarray:
    """One number for each combination of strata."""
    rows = list(zip(*(part.tolist() for part in parts), strict=True))
    known = {row: k for k, row in enumerate(sorted(set(rows)))}
    return np.array([known[row] for row in rows])


def hold(
    life: Life,
    past: dict[str, Grid],
    named: Terms,
    asked: Sequence[Grid],
    mask: Grid | None = None,
    *,
    segment: bool = True,
    calendar: bool = True,
) -> Held:
    """Hold contacts, the calendar and the terms that a claim names equal.

    Args:
        life: the customers, on the clock of the model.
        past: contacts in 90 days, contacts so far and the age of the last one; empty for none of them.
        named: terms of the claim that are not asked about.
        asked: those that are, which must be known.
        mask: which customer-days are looked at.
        segment: whether strata are segments as well.
        calendar: whether strata are cohorts as well.
    """
    terms = {**named, **past}
    strata = [life.segment] if segment else []
    if calendar:
        cohort, widest = cohorts(life)
        strata.append(cohort)
        if widest > 60:
            days = life.start[:, None] + np.arange(life.size[1])
            terms["month"] = (days - FIRST_DAY.toordinal()) // 30
    seen = estimators.looked_at(life, mask)
    for grid in (*terms.values(), *asked):
        seen = seen & (grid >= 0)
    lost = seen & estimators.left(life, DEFECTION)
    # where nobody leaves at a level of what is only held equal, its hazard is nothing
    for grid in terms.values():
        seen = seen & np.isin(grid, np.unique(grid[lost]))
    one = np.zeros(len(life.name), dtype=int)
    return Held(terms, both(*strata) if strata else one, seen)


Numbers = dict[str, Number | None]
CLAIMS: dict[str, Callable[[Past], Numbers]] = {}


def claim(name: str) -> Callable[[Callable[[Past], Numbers]], Callable[[Past], Numbers]]:
    """Enter a claim."""

    def enter(function: Callable[[Past], Numbers]) -> Callable[[Past], Numbers]:
        CLAIMS[name] = function
        return function

    return enter


def closest(p: Past, state: Grid, below: int | None) -> Compared:
    """Compare customers who reach level 1 with others who are in touch: of the same segment and cohort.

    In touch is on that day or else in the week before, and a cohort is of one month or else of three: the closest that
    leaves at most a tenth of the exposed alone, or else the last. Contacts in 90 days and so far are balanced.
    """
    so_far = banded(count(p.life), (1, 2, 3, 4, 6, 9, 14, 21))
    for days, months in ((1, 1), (1, 3), (7, 1), (7, 3)):
        cohort = np.broadcast_to(cohorts(p.life, months)[0][:, None], p.life.size)
        terms = (p.contacts, so_far)
        result = estimators.comparable(p.life, state, 1, below, days, equal=(cohort,), terms=terms)
        if result.alone <= 0.1 * (result.alone + result.customers):
            break
    return result


def strikes(p: Past, most: int) -> Numbers:
    """What the two claims about first bad moments have in common: excess and its parts."""
    compared = closest(p, count(p.life, grade=BAD), most)
    result = compared.excess(p.life, HORIZON)
    numbers = {
        "excess": of(result),
        "without-a-bad-moment": Number(result.comparators),
        "followed": Number(result.exposed, result.customers, result.events),
    }
    if most == 2:
        for days in (30, 90, 180):
            numbers[f"in-{days}-days"] = of(compared.excess(p.life, days))
    return numbers


def reaching(grid: Grid, level: int) -> dict[int, int]:
    """Return the day after which a cumulative history is at a level or above."""
    result = (grid >= level).argmax(axis=1) - 1
    return {i: int(day) for i, day in enumerate(result) if (grid[i] >= level).any()}


def since_level(
    p: Past,
    grid: Grid,
    level: int,
    below: int | None,
    ends: dict[int, int],
    horizon: int,
    **options: bool,
) -> tuple[Incidence, Incidence]:
    """Follow customers seen from their start, from the day a history reaches a level."""
    origin = {
        i: day
        for i, day in reaching(grid, level).items()
        if not p.life.left_truncated[i] and (below is None or grid[i, day + 1] < below)
    }
    ends = {i: day for i, day in ends.items() if i in origin and day > origin[i]}
    return estimators.since(p.life, origin, ends, horizon, **options)


@claim("three-strikes")
def three_strikes(p: Past) -> Numbers:
    bad = count(p.life, 3, grade=BAD)
    last = at_exit(p.life, bad)
    third = reaching(bad, 3)
    before, _ = since_level(p, bad, 1, 3, third, HORIZON)
    far, _ = since_level(p, bad, 1, 3, third, HORIZON, whole=True)
    left, also = since_level(p, bad, 1, 3, third, HORIZON)
    known = last >= 0
    return {
        "before-third": of(before),
        **strikes(p, 3),
        "all-horizons": of(far),
        "defect-or-third": Number(
            left.value / (left.value + also.value), left.customers, left.events + also.events
        ),
        "fewer-than-three-of-defectors": of(share(p.life, known, last < 3, DEFECTION)),
        "fewer-than-three-of-customers": of(share(p.life, known, last < 3)),
        "one-or-two-of-defectors": of(share(p.life, known, (last == 1) | (last == 2), DEFECTION)),
        "one-or-two-of-customers": of(share(p.life, known, (last == 1) | (last == 2))),
    }


@claim("one-strike")
def one_strike(p: Past) -> Numbers:
    bad = count(p.life, 3, grade=BAD)
    last = at_exit(p.life, bad)
    before, _ = since_level(p, bad, 1, 2, reaching(bad, 2), HORIZON)
    return {
        "before-second": of(before),
        **strikes(p, 2),
        "one-of-defectors": of(share(p.life, last >= 1, last == 1, DEFECTION)),
    }


@claim("judgment-day")
def judgment_day(p: Past) -> Numbers:
    first = grids.first_bad(p.life)  # 1 early and fresh, 3 late and fresh
    full, crude = p.adjusted({"first": first}), cox(p.life, {"first": first})
    return {
        "late-over-early": ratio(full, {"first=3": 1, "first=1": -1}),
        "crude": ratio(crude, {"first=3": 1, "first=1": -1}),
        "early": ratio(full, {"first=1": 1}),
        "late": ratio(full, {"first=3": 1}),
        "left-anyway": p.left_anyway(p.each["bad"] == 0),
    }


@claim("thirty-days")
def thirty_days(p: Past) -> Numbers:
    bad = p.each["bad"]
    age = grids.age_of_last(p.life, BAD, (30, 180))  # 1 is 0-30 days, 2 is 31-180
    marks = [(c.who, c.day) for c in p.life.contacts]
    ages = {"ages": grids.age(p.life, marks, (7, 14, 30, 60, 90, 180))}
    grade = grids.last_grade(p.life)

    def latest(edges: tuple[int, ...]) -> Terms:
        """The grade of the last contact and its age: ten times the grade, and the band."""
        band = grids.age(p.life, marks, edges)
        return {"latest": np.where(grade > 0, 10 * grade + band, grade)}

    def over(band: int) -> dict[str, float]:
        return {f"latest={10 * (1 + g) + band}": w for g, w in ((BAD, 1.0), (NEUTRAL, -1.0))}

    def less(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
        return one | {name: -weight for name, weight in other.items()}

    main, fine = (p.adjusted(latest(e), named=ages) for e in ((30, 180), (30, 60, 180)))
    bad_age = p.adjusted({"bad": grids.age_of_last(p.life, BAD, (30, 60, 180))})
    once = (bad == 1) & p.where(age, 1, 2)
    return {
        "recent-over-older": ratio(main, less(over(1), over(2))),
        "recent-over-next": ratio(fine, less(over(1), over(2))),
        "later": ratio(bad_age, {"bad=2": 1.0, "bad=3": -1.0}),
        "recent": ratio(main, over(1)),
        "older": ratio(main, over(2)),
        "crude": ratio(cox(p.life, {"age": age}, mask=once), {"age=2": -1}),
        "final-age": ratio(
            cox(p.life, {"age": age}, mask=p.where(age, 1, 2), final=True), {"age=2": -1}
        ),
        "left-anyway": p.left_anyway(bad == 0),
    }


@claim("bad-moments-drive-away")
def bad_moments_drive_away(p: Past) -> Numbers:
    bad = np.minimum(p.each["bad"], 1)
    age = grids.age_of_last(p.life, BAD, (30, 90, 365))
    others = within(p.life, 90, (1, 3, 6), (NEUTRAL, GOOD, UNKNOWN))
    before = grids.frozen_at_bad(p.life, p.contacts)
    aged = p.adjusted({"age": age})
    one = {"bad=1": 1.0}
    return {
        "adjusted": ratio(p.adjusted({"bad": bad}), one),
        "crude": ratio(cox(p.life, {"bad": bad}), one),
        "others-equal": ratio(p.adjusted({"bad": bad}, named={"others": others}, past={}), one),
        "before-equal": ratio(p.adjusted({"bad": bad}, named={"before": before}, past={}), one),
        "in-30-days": ratio(aged, {"age=1": 1}),
        "in-31-90-days": ratio(aged, {"age=2": 1}),
        "in-91-365-days": ratio(aged, {"age=3": 1}),
        "final-count": ratio(cox(p.life, {"bad": bad}, final=True), one),
        "left-anyway": p.left_anyway(bad == 0),
    }


@claim("good-moments-build")
def good_moments_build(p: Past) -> Numbers:
    any_good = np.minimum(p.each["good"], 1)
    one = {"good": 1.0, "neutral": -1.0}
    held = hold(p.life, p.held, {}, list(p.each.values()))
    seen = estimators.looked_at(p.life, p.each["good"] >= 0)
    adjusted = ratio(p.adjusted({}, p.each), one)
    return {
        "adjusted": over_range(adjusted, p.each["good"][held.mask]),
        "per-moment": adjusted,
        "crude": over_range(ratio(cox(p.life, {}, p.each), one), p.each["good"][seen]),
        "final-count": ratio(cox(p.life, {"any": any_good}, final=True), {"any=1": 1}),
        "left-anyway": p.left_anyway(any_good == 0),
    }


@claim("neutral-threat")
def neutral_threat(p: Past) -> Numbers:
    neutral = banded(count(p.life, grade=NEUTRAL), (1, 3, 6, 12))
    bad, unknown = np.minimum(p.each["bad"], 3), banded(p.each["unknown"], (1, 3))
    asked, named = {"neutral": neutral, "bad": bad}, {"unknown": unknown}
    held = hold(p.life, p.held, named, list(asked.values()))
    fit = cox(p.life, asked | held.terms, strata=held.strata, mask=held.mask)
    left = np.argwhere(held.mask & estimators.left(p.life, DEFECTION))

    def attributable(name: str) -> float:
        """The share of departures that would not have been, had all been at the first level."""
        levels = [int(asked[name][i, u]) for i, u in left]
        return 1 - float(np.mean([1 / fit.ratio({f"{name}={level}": 1.0}) for level in levels]))

    with_neutral, with_bad = attributable("neutral"), attributable("bad")
    any_of = {"neutral": np.minimum(p.each["neutral"], 1), "bad": np.minimum(p.each["bad"], 1)}
    linear = p.adjusted({}, p.each)
    return {
        "attributable": Number(with_neutral - with_bad, fit.customers, fit.events),
        "per-moment": ratio(linear, {"neutral": 1, "bad": -1}),
        "with-neutral": Number(with_neutral, fit.customers, fit.events),
        "with-bad": Number(with_bad, fit.customers, fit.events),
        "final-contrast": ratio(cox(p.life, any_of, final=True), {"neutral=1": 1, "bad=1": -1}),
        "left-anyway": p.left_anyway((p.each["bad"] == 0) & (p.each["neutral"] == 0)),
    }


@claim("weakest-moment")
def weakest_moment(p: Past) -> Numbers:
    worst, mean, last = (
        make(p.life) for make in (grids.worst_score, grids.mean_score, grids.last_score)
    )
    scored = worst >= 1
    grades = {name: p.each[name] for name in ("bad", "neutral", "good")}
    sides = ({"worst": worst}, {}), ({"mean": mean}, {})
    return {
        "worst-or-mean": p.compared(sides, scored),
        "crude": of(contest(p.life, *sides, {}, None, scored)),
        "worst-or-last": p.compared((sides[0], ({"last": last}, {})), scored),
        "worst-or-counts": p.compared((sides[0], ({}, grades)), scored),
        "final-states": of(contest(p.life, *sides, {}, None, scored, final=True)),
        "left-anyway": p.left_anyway(p.each["bad"] == 0),
    }


AGES = (30, 60, 90, 120, 150, 180, 240, 300, 365, 545)


@claim("first-moment")
def first_moment(p: Past) -> Numbers:
    first = grids.first_contact(p.life)  # 1 bad, 2 other
    age, bad = grids.age_of_last(p.life, BAD, AGES), np.minimum(p.each["bad"], 2)
    once, ever = (bad == 1) & (first >= 1), (bad >= 1) & (first >= 1)
    over, one = {"first=2": -1.0}, {"first": first}
    return {
        "first-over-later": ratio(p.adjusted(one, mask=once, named={"age": age}), over),
        "crude": ratio(cox(p.life, one, mask=once), over),
        "whatever-came-later": ratio(
            p.adjusted(one, mask=ever, named={"age": age, "bad": bad}), over
        ),
        "final-first": ratio(cox(p.life, one, mask=first >= 1, final=True), over),
        "left-anyway": p.left_anyway(bad == 0),
    }


@claim("latest-moment")
def latest_moment(p: Past) -> Numbers:
    last = grids.last_grade(p.life)
    sides = ({"last": last}, {}), (p.up_to_three("bad", "neutral", "good"), {})
    return {
        "last-or-history": p.compared(sides),
        "last-or-bad": p.compared((sides[0], (p.up_to_three("bad"), {}))),
        "crude": of(contest(p.life, *sides, {}, None)),
        "final-states": of(contest(p.life, *sides, {}, None, final=True)),
        "left-anyway": p.left_anyway(p.where(last, 0, 1 + NEUTRAL, 1 + GOOD)),
    }


@claim("remote-touchpoints")
def remote_touchpoints(p: Past) -> Numbers:
    remote, person = (count(p.life, 1, grade=BAD, attended=there) for there in (False, True))
    full = p.adjusted({"remote": remote, "person": person})
    return {
        "adjusted": ratio(full, {"remote=1": 1}),
        "crude": ratio(cox(p.life, {"remote": remote}), {"remote=1": 1}),
        "with-a-person": ratio(full, {"person=1": 1}),
        "as-much": ratio(full, {"remote=1": 1, "person=1": -1}),
        "final-count": ratio(cox(p.life, {"remote": remote}, final=True), {"remote=1": 1}),
        "left-anyway": p.left_anyway((remote == 0) & (person == 0)),
    }


@claim("problem-moments")
def problem_moments(p: Past) -> Numbers:
    counts = {
        f"{'problem' if problem else 'routine'} {name}": count(
            p.life, 5, grade=grade, is_problem=problem
        )
        for problem in (True, False)
        for name, grade in (("bad", BAD), ("neutral", NEUTRAL), ("good", GOOD))
    }
    counts["unknown"] = p.each["unknown"]
    full = p.adjusted({}, counts)
    problem, routine = (
        {"problem bad": 1.0, "problem good": -1.0},
        {"routine bad": 1.0, "routine good": -1.0},
    )
    both = problem | {name: -w for name, w in routine.items()}
    final = {f"{k} bad": np.minimum(counts[f"{k} bad"], 1) for k in ("problem", "routine")}
    return {
        "adjusted": ratio(full, both),
        "crude": ratio(cox(p.life, {}, counts), both),
        "with-a-problem": ratio(full, problem),
        "without-a-problem": ratio(full, routine),
        "final-counts": ratio(
            cox(p.life, final, final=True), {"problem bad=1": 1, "routine bad=1": -1}
        ),
        "left-anyway": p.left_anyway(count(p.life, is_problem=True) == 0),
    }


def since_problem(
    p: Past,
    problem: Grid,
    asked: Grid,
    after: int,
    named: Terms | None = None,
    *,
    crude: bool = False,
) -> Fit:
    """Fit a model on days since the first problem, after so many of them, in cohorts of that problem."""
    origin = {i: day for i, day in reaching(problem, 1).items() if day < p.life.exit[i]}
    terms = {"problem": problem, **(named or {}), "asked": asked, **p.held}
    life, moved = estimators.on_clock(p.life, origin, terms)
    life.start = p.life.start + np.array([origin.get(i, 0) for i in range(len(life.name))])
    mask = moved["asked"] & (np.arange(life.size[1]) > after)
    one = {"problem": moved["problem"]}
    if crude:
        return cox(life, one, mask=mask)
    there = {name: moved[name] for name in named or {}}
    held = hold(life, {n: moved[n] for n in p.held}, there, [moved["problem"]], mask)
    return cox(life, one | held.terms, strata=held.strata, mask=held.mask)


@claim("resolution-decides")
def resolution_decides(p: Past) -> Numbers:
    problem = grids.first_problem(p.life, timedelta(days=3_650))  # 1 open, 3 resolved
    asked, severe = p.where(problem, 1, 3), {"severity": grids.severity(p.life, first=True)}
    one = {"problem=3": 1.0}
    return {
        "resolved-over-open": ratio(since_problem(p, problem, asked, 0), one),
        "crude": ratio(since_problem(p, problem, asked, 0, crude=True), one),
        "same-severity": ratio(since_problem(p, problem, asked, 0, severe), one),
        "final-state": ratio(cox(p.life, {"problem": problem}, mask=asked, final=True), one),
        "left-anyway": p.left_anyway(problem == 0),
    }


@claim("recovery-paradox")
def recovery_paradox(p: Past) -> Numbers:
    speed, problem = p.problem_state, p.first_problem
    state = np.select([speed == 2, speed == 4], [1, 3], speed)  # however long it took
    by_speed = p.adjusted({"speed": speed})
    before, _ = since_level(p, problem, 1, 3, reaching(problem, 3), HORIZON)
    one = {"state=3": 1.0}
    return {
        "resolved-over-none": ratio(p.adjusted({"state": state}), one),
        "crude": ratio(cox(p.life, {"state": state}), one),
        "resolved-quickly": ratio(by_speed, {"speed=3": 1}),
        "resolved-late": ratio(by_speed, {"speed=4": 1}),
        "from-the-start": of(closest(p, problem, None).excess(p.life, HORIZON)),
        "left-before-resolution": of(before),
        "final-state": ratio(cox(p.life, {"state": state}, final=True), one),
        "left-anyway": p.left_anyway(state == 0),
    }


@claim("slow-resolution")
def slow_resolution(p: Past) -> Numbers:
    problem, week = p.first_problem, grids.first_problem(p.life, timedelta(hours=168))
    asked, late = p.where(problem, 2, 3), p.where(problem, 3, 4)
    severe, over = {"severity": grids.severity(p.life, first=True)}, {"problem=3": -1.0}
    return {
        "open-over-quick": ratio(since_problem(p, problem, asked, 2), over),
        "crude": ratio(since_problem(p, problem, asked, 2, crude=True), over),
        "same-severity": ratio(since_problem(p, problem, asked, 2, severe), over),
        "late-over-quick": ratio(since_problem(p, problem, late, 2), {"problem=4": 1}),
        "within-a-week": ratio(since_problem(p, week, p.where(week, 2, 3), 7), over),
        "final-state": ratio(cox(p.life, {"problem": problem}, mask=asked, final=True), over),
        "left-anyway": p.left_anyway(problem == 0),
    }


@claim("goodwill-gesture")
def goodwill_gesture(p: Past) -> Numbers:
    gesture = grids.gesture(p.life)
    asked = p.where(gesture, 1, 2)
    named = {"since": p.since_problem, "severity": p.severity}
    one, terms = {"gesture=2": 1.0}, {"gesture": gesture}
    as_far = named | {"state": p.problem_state}
    return {
        "gesture-over-none": ratio(p.adjusted(terms, mask=asked, named=named), one),
        "crude": ratio(cox(p.life, terms, mask=asked), one),
        "same-state": ratio(p.adjusted(terms, mask=asked, named=as_far), one),
        "final-gesture": ratio(cox(p.life, terms, mask=asked, final=True), one),
        "left-anyway": p.left_anyway(gesture == 0),
    }


@claim("anger-to-appreciation")
def anger_to_appreciation(p: Past) -> Numbers:
    flipped = {"flipped": grids.flipped(p.life)}  # 1 good alone, 2 flipped, 3 other
    good = {"good": grids.age_of_last(p.life, GOOD, (30, 90, 365))}
    over = {"flipped=2": 1.0, "flipped=1": -1.0}
    both, full = p.where(flipped["flipped"], 1, 2), p.adjusted(flipped)
    one = {"flipped=2": 1.0}
    return {
        "flipped-over-good-alone": ratio(full, over),
        "crude": ratio(cox(p.life, flipped), over),
        "equally-recent": ratio(p.adjusted(flipped, mask=both, named=good), one),
        "flipped-over-not": ratio(full, {"flipped=2": 1, "flipped=3": -1}),
        "final-state": ratio(cox(p.life, flipped, mask=both, final=True), one),
        "left-anyway": p.left_anyway(flipped["flipped"] == 1),
    }


@claim("tell-the-customer")
def tell_the_customer(p: Past) -> Numbers:
    told = {"told": grids.told(p.life)}  # 1 told, 2 not told
    asked, one = p.where(told["told"], 1, 2), {"told=2": -1.0}
    named = {"since": p.since_problem}
    severe = named | {"severity": p.severity}
    return {
        "told-over-not": ratio(p.adjusted(told, mask=asked, named=named), one),
        "crude": ratio(cox(p.life, told, mask=asked), one),
        "same-severity": ratio(p.adjusted(told, mask=asked, named=severe), one),
        "final-told": ratio(cox(p.life, told, mask=asked, final=True), one),
        "left-anyway": p.left_anyway(told["told"] == 0),
    }


@claim("silent-defection")
def silent_defection(p: Past) -> Numbers:
    edges = (30, 60, 90)
    complaint = grids.unless_seen(
        p.life, grids.age(p.life, grids.days_of(p.life, "complained_at"), edges)
    )
    age = grids.unless_seen(p.life, grids.age_of_last(p.life, BAD, edges))
    silent, among = p.where(complaint, 0, 4), p.where(age, 1, 2, 3)
    theirs, more = estimators.at_risk_share(p.life, among, silent, age)
    occasions = within(p.life, 90, (1, 2, 3, 4, 6), (BAD,))
    _, as_many = estimators.at_risk_share(p.life, among, silent, 10 * age + occasions)
    last, since = at_exit(p.life, age), at_exit(p.life, complaint)

    def of_leavers(observed_from_start: np.ndarray, part: np.ndarray) -> Number:
        return of(share(p.life, observed_from_start, part, DEFECTION))

    return {
        "silent": of_leavers(np.isin(last, (1, 2, 3)), np.isin(since, (0, 4))),
        "excess": Number(more),
        "occasions-equal": Number(as_many),
        "at-risk-silent": Number(theirs),
        "in-60-days": of_leavers(np.isin(last, (1, 2)), np.isin(since, (0, 3, 4))),
        "in-30-days": of_leavers(last == 1, np.isin(since, (0, 2, 3, 4))),
        "never-complained": of_leavers(since >= 0, since == 0),
    }


@claim("no-news")
def no_news(p: Past) -> Numbers:
    contacts, good = within(p.life, 90, (1,)), within(p.life, 90, (1,), (GOOD,))
    late = np.broadcast_to(np.arange(p.life.size[1]) > 90, p.life.size)
    terms = {"contacts": contacts, "good": good}
    asked = {"silence": contacts, "good": good}
    full = p.adjusted(asked, mask=late, past=p.earlier)
    over_any = p.adjusted({"silence": contacts}, mask=late, past=p.earlier)
    over_others = p.adjusted({"silence": contacts}, mask=late, named={"good": good}, past=p.earlier)
    over_good = {"contacts=1": -1.0, "good=1": -1.0}
    habit = np.minimum(grids.unless_seen(p.life, grids.before(p.life, 90)), 8)
    alike = terms | {"bad": count(p.life, 3, grade=BAD)}
    fewer = p.adjusted({}, {"habit": habit}, mask=late, named=alike, past={})
    return {
        "habit": ratio(fewer, {"habit": -1.0}),
        "silence-over-good": ratio(full, {"silence=1": -1.0, "good=1": -1.0}),
        "crude": ratio(cox(p.life, terms, mask=late), over_good),
        "silence-over-others": ratio(over_others, {"silence=1": -1}),
        "silence-over-any": ratio(over_any, {"silence=1": -1}),
        "final-silence": ratio(cox(p.life, terms, final=True), over_good),
        "left-anyway": p.left_anyway(good == 1),
    }


@claim("public-posting")
def public_posting(p: Past) -> Numbers:
    bad, posted = count(p.life, 3, grade=BAD), grids.posted(p.life)
    first = {
        i: day
        for i, day in reaching(bad, 1).items()
        if not p.life.left_truncated[i] and not posted[i, day + 1]
    }
    posts = {i: day for i, day in reaching(posted, 1).items() if i in first}
    in_30, in_90 = (
        estimators.since(p.life, first, posts, days, of_ends=True)[0] for days in (31, 91)
    )
    last = at_exit(p.life, bad)
    return {
        "within-30-days": of(in_30),
        "within-90-days": of(in_90),
        "posted-anyway": of(share(p.life, last == 0, at_exit(p.life, posted) == 1)),
        "ever-posted": of(share(p.life, last >= 1, at_exit(p.life, posted) == 1)),
    }


@claim("household-contagion")
def household_contagion(p: Past) -> Numbers:
    exits, others = (
        grids.household_exits(p.life, cause) for cause in (DEFECTION, OTHER)
    )  # 0 alone, 1 none, 2 one
    bad = grids.household_bad(p.life)
    # where a member's beginnings are unseen, customers are compared with each other; the design is silent on this
    bad = np.where(bad < 0, 4, banded(bad, (1, 2, 3)))
    one, equal = {"exits=2": 1.0}, {"household": bad}
    return {
        "after-another-left": ratio(
            p.adjusted({"exits": exits}, mask=exits >= 1, named=equal), one
        ),
        "crude": ratio(cox(p.life, {"exits": exits}, mask=exits >= 1), one),
        "control": ratio(
            p.adjusted({"others": others}, mask=others >= 1, named={"exits": exits, **equal}),
            {"others=2": 1},
        ),
        "final-exits": ratio(cox(p.life, {"exits": exits}, mask=exits >= 1, final=True), one),
        "left-anyway": p.left_anyway(exits == 1),
    }


def against_fixed(p: Past, second: Terms, *, segment: bool) -> Numbers:
    """What own histories tell, less what fixed covariates tell."""
    sides = (p.up_to_three("bad", "neutral", "good"), {}), (second, {})
    return {
        "adjusted": p.compared(sides, segment=segment),
        "crude": of(contest(p.life, *sides, {}, None)),
        "final-counts": of(contest(p.life, *sides, {}, None, final=True)),
        "left-anyway": p.left_anyway(p.each["bad"] == 0),
    }


@claim("moments-beat-marketing")
def moments_beat_marketing(p: Past) -> Numbers:
    second = {name: p.fixed(values) for name, values in p.life.marketing.items()}
    result = against_fixed(p, second, segment=True)
    sides = (p.up_to_three("bad", "neutral", "good"), {}), (second, {})
    any_start = p.compared(sides, calendar=False)
    return {"moments-or-marketing": result.pop("adjusted"), "any-start": any_start, **result}


@claim("unique-customers")
def unique_customers(p: Past) -> Numbers:
    result = against_fixed(p, {"segment": p.fixed(list(p.life.segment))}, segment=False)
    return {"history-or-segment": result.pop("adjusted"), **result}


@claim("four-expectations")
def four_expectations(p: Past) -> Numbers:
    names = ("respect", "solutions", "simplicity", "responsibility")
    failed = {name: count(p.life, 1, **{name: "failed"}) for name in names}
    full, alone = p.adjusted(failed), {"respect": failed["respect"]}
    none = np.all([failed[name] == 0 for name in names], axis=0)
    return {
        **{name: ratio(full, {f"{name}=1": 1}) for name in names},
        "crude": ratio(cox(p.life, failed), {"respect=1": 1}),
        "respect-alone": ratio(p.adjusted(alone), {"respect=1": 1}),
        "final-respect": ratio(cox(p.life, alone, final=True), {"respect=1": 1}),
        "left-anyway": p.left_anyway(none),
    }


@claim("responsibility-sours")
def responsibility_sours(p: Past) -> Numbers:
    counts = {
        "sour": count(p.life, 5, responsibility="failed", respect="kept"),
        "kept": count(p.life, 5, responsibility="kept", respect="kept"),
        "rude": count(p.life, 5, respect="failed"),
    }
    full = p.adjusted({}, counts)
    compared = counts["sour"][hold(p.life, p.held, {}, list(counts.values())).mask]
    everyone = counts["sour"][estimators.looked_at(p.life, counts["sour"] >= 0)]
    swap = {"sour": 1, "kept": -1}
    final = {name: np.minimum(counts[name], 1) for name in ("sour", "kept")}
    return {
        "sour-over-kept": over_range(ratio(full, swap), compared),
        "crude": over_range(ratio(cox(p.life, {}, counts), swap), everyone),
        "sour-over-rude": ratio(full, {"sour": 1, "rude": -1}),
        "final-counts": ratio(cox(p.life, final, final=True), {"sour=1": 1, "kept=1": -1}),
        "left-anyway": p.left_anyway(counts["sour"] == 0),
    }


@claim("jack")
def jack(p: Past) -> Numbers:
    return {
        "at-the-worst-tenth": Number(estimators.worst_part(p.life, 0.1, ("touchpoint", "month"))),
        "at-the-worst-fifth": Number(estimators.worst_part(p.life, 0.2, ("touchpoint", "month"))),
        "crude": Number(estimators.worst_part(p.life, 0.1, ())),
    }


@claim("handoffs")
def handoffs(p: Past) -> Numbers:
    handoff = {"handoff": count(p.life, 5, handoff=True)}
    one = {"handoff": 1.0}
    some = {"any": np.minimum(handoff["handoff"], 1)}
    everyone = handoff["handoff"][estimators.looked_at(p.life, handoff["handoff"] >= 0)]

    def compared(counts: dict[str, np.ndarray]) -> np.ndarray:
        return handoff["handoff"][hold(p.life, p.held, {}, list(counts.values())).mask]

    both = {**handoff, **p.each}
    return {
        "same-grade": over_range(ratio(p.adjusted({}, both), one), compared(both)),
        "crude": over_range(ratio(cox(p.life, {}, handoff), one), everyone),
        "any-grade": over_range(ratio(p.adjusted({}, handoff), one), compared(handoff)),
        "final-count": ratio(cox(p.life, some, final=True), {"any=1": 1}),
        "left-anyway": p.left_anyway(some["any"] == 0),
    }
