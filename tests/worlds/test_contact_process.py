"""Effects come out as planted, found again from the tables alone by loops over customers."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import groupby, pairwise
from math import exp
from operator import itemgetter
from random import Random
from typing import Any

import polars as pl
import pytest

from cxresearch.worlds import KNOWN, Simulated, World, simulate
from cxresearch.worlds.simulation import FIRST_DAY

pytestmark = pytest.mark.slow

Row = dict[str, Any]
Marks = Iterator[tuple[int, str]]  # the first day on which a state holds, and the state
GRADES = {1: "bad", 2: "bad", 3: "neutral", 4: "good", 5: "good", None: "unknown"}
UNATTENDED = {"app", "bill"}
LEVELS = {"acquisition": ("shop", "web", "friend"), "campaign": ("none", "spring", "autumn")}
BASE = {"segment_ratios": (1.0,), "base_hazard": 0.0015, "unknown_share": 0.05}


def number(when) -> int:
    return (when.date() - FIRST_DAY).days


def grade(row: Row) -> str:
    return GRADES[row["stars"]]


def once(holds: Callable[[Row], bool]) -> Callable[[list[Row], int], Marks]:
    """From the day after the first contact for which a condition holds."""

    def marks(rows: list[Row], start: int) -> Marks:
        yield from ((number(r["at"]) + 1, "yes") for r in rows if holds(r))

    return marks


def each(holds: Callable[[Row], bool]) -> Callable[[list[Row], int], Marks]:
    """By the number of contacts for which a condition holds, up to five."""

    def marks(rows: list[Row], start: int) -> Marks:
        days = [number(r["at"]) + 1 for r in rows if holds(r)]
        yield from ((day, str(min(k, 5))) for k, day in enumerate(days, 1))

    return marks


def last_grade(rows: list[Row], start: int) -> Marks:
    yield from ((number(r["at"]) + 1, grade(r)) for r in rows)


def first_contact(rows: list[Row], start: int) -> Marks:
    yield from ((number(r["at"]) + 1, "yes" if grade(r) == "bad" else "other") for r in rows[:1])


def recently(rows: list[Row], start: int) -> Marks:
    days = [number(r["at"]) for r in rows if grade(r) == "bad"]
    for this, following in pairwise([*days, 10_000]):
        yield this + 1, "yes"
        if following > this + 30:
            yield this + 31, "older"


def quiet(rows: list[Row], start: int) -> Marks:
    for this, following in pairwise([start, *(number(r["at"]) for r in rows), 10_000]):
        yield this + 1, "none"
        if following > this + 90:
            yield this + 91, "yes"


def problem_state(rows: list[Row], start: int) -> Marks:
    """By counting again, for every day on which something changes, what is open then."""
    problems = [r for r in rows if r["is_problem"]]
    days = {number(r["problem_at"]) for r in problems} | {
        number(r["problem_at"]) + 2 for r in problems
    }
    days |= {number(r["resolved_at"]) for r in problems if r["resolved_at"]}
    for day in sorted(days):
        known = [r for r in problems if number(r["problem_at"]) <= day]
        still = [r for r in known if r["resolved_at"] is None or number(r["resolved_at"]) > day]
        if still:
            yield (
                day + 1,
                "late" if any(number(r["problem_at"]) + 2 <= day for r in still) else "open",
            )
        else:
            latest = max(known, key=lambda r: r["resolved_at"])
            took = (latest["resolved_at"] - latest["problem_at"]).total_seconds()
            yield day + 1, "quick" if took <= 48 * 3600 else "slow"


def gesture(rows: list[Row], start: int) -> Marks:
    days = [(number(r["problem_at"]) + 1, 0, "none") for r in rows if r["is_problem"]]
    days += [(number(r["goodwill_at"]) + 1, 1, "yes") for r in rows if r["goodwill_at"]]
    yield from ((day, state) for day, _, state in sorted(days))


def told(rows: list[Row], start: int) -> Marks:
    yield from (
        (number(r["at"]) + 1, "yes" if r["informed_at"] else "none")
        for r in rows
        if r["is_problem"]
    )


def flipped(rows: list[Row], start: int) -> Marks:
    bad = -1_000
    for r in rows:
        bad = number(r["at"]) if grade(r) == "bad" else bad
        if grade(r) == "good" and number(r["at"]) - bad <= 14:
            yield number(r["at"]) + 1, "yes"
            return


def complained(rows: list[Row], start: int) -> Marks:
    days = sorted(number(r["complained_at"]) for r in rows if r["complained_at"])
    for this, following in pairwise([*days, 10_000]):
        yield this + 1, "yes"
        if following > this + 90:
            yield this + 91, "older"


def worst(rows: list[Row], start: int) -> Marks:
    seen = 5
    for r in rows:
        seen = min(seen, r["stars"] or 5)
        yield number(r["at"]) + 1, str(seen) if r["stars"] or seen < 5 else "5"


def mean(rows: list[Row], start: int) -> Marks:
    stars = []
    for r in rows:
        stars += [r["stars"]] if r["stars"] else []
        if stars:
            share = sum(s - 1 for s in stars) / (4 * len(stars))
            yield number(r["at"]) + 1, str(min(int(5 * share + 1e-9), 4) + 1)


def bad(row: Row, **also: bool) -> bool:
    """Whether a contact was bad, and a problem or attended as asked."""
    own = {"problem": row["is_problem"], "attended": row["touchpoint"] not in UNATTENDED}
    return grade(row) == "bad" and all(own[name] == wanted for name, wanted in also.items())


def failed(row: Row, name: str) -> bool:
    return row[name] is not None and row[name] < 3


def soured(row: Row) -> bool:
    return failed(row, "responsibility") and not failed(row, "respect")


@dataclass(frozen=True)
class Case:
    """Parameters, how the state is found, and the ratio of its rate to that of another state, or of all others."""

    marks: Callable[[list[Row], int], Marks]
    state: str
    against: str | None
    ratio: float
    world: dict[str, Any]


def case(
    marks: Callable[[list[Row], int], Marks],
    state: str,
    against: str | None,
    ratio: float,
    **world: Any,
) -> Case:
    return Case(marks, state, against, ratio, world)


MANY = {"problem_shares": (0.9, 0.5, 0.5), "unresolved_share": 0.0}
CASES = {
    "recent": case(recently, "yes", None, 2.0, recent_ratio=2.0),
    "worst": case(worst, "1", "3", exp(0.5), log_hr_worst=0.25),
    "mean": case(mean, "2", "4", exp(0.8), log_hr_mean=0.4),
    "last bad": case(last_grade, "bad", "neutral", 2.0, hr_last=(2.0, 1.0, 0.5)),
    "last good": case(last_grade, "good", "neutral", 0.5, hr_last=(2.0, 1.0, 0.5)),
    "first": case(first_contact, "yes", None, 2.0, hr_first_bad=2.0),
    "attended": case(once(partial(bad, attended=True)), "yes", None, 1.8, hr_bad_attended=1.8),
    "unattended": case(once(partial(bad, attended=False)), "yes", None, 1.8, hr_bad_unattended=1.8),
    "bad problem": case(
        each(partial(bad, problem=True)), "2", "before", 1.5**2, hr_problem=(1.5, 1.0)
    ),
    "bad routine": case(
        each(partial(bad, problem=False)), "2", "before", 1.5**2, hr_routine=(1.5, 1.0)
    ),
    "open": case(problem_state, "open", None, 4.0, hr_open=4.0, **MANY),
    "open late": case(problem_state, "late", None, 2.0, hr_open_late=2.0),
    "resolved": case(problem_state, "quick", None, 2.0, hr_resolved=2.0, resolution_days=2.0),
    "resolved late": case(problem_state, "slow", None, 2.0, hr_resolved_late=2.0),
    "gesture": case(gesture, "yes", "none", 0.5, hr_gesture=0.5, goodwill_shares=(0.6, 0.5, 0.5)),
    "told": case(told, "yes", "none", 2.0, hr_informed=2.0),
    "flipped": case(flipped, "yes", None, 2.0, hr_flipped=2.0),
    "complained": case(complained, "yes", None, 2.0, hr_complained=2.0, complaint_share=0.6),
    "quiet": case(quiet, "yes", None, 2.0, hr_quiet=2.0),
    "simplicity": case(
        once(partial(failed, name="simplicity")), "yes", None, 2.0, hr_failed=(1.0, 1.0, 2.0, 1.0)
    ),
    "soured": case(each(soured), "2", "before", 1.4**2, hr_sour=1.4),
    "handed off": case(each(itemgetter("handoff")), "5", "1", 1.4**4, hr_handoff=1.4),
}


def contacts(made: Simulated) -> dict[str, list[Row]]:
    log = made.interactions.filter(pl.col("touchpoint") != "cancellation").sort("customer", "at")
    return {
        who: list(rows) for who, rows in groupby(log.iter_rows(named=True), lambda r: r["customer"])
    }


def rates(
    made: Simulated, world: World, marks: Callable[[list[Row], int], Marks]
) -> dict[str, tuple[int, int]]:
    """Days at risk and defections by state."""
    own = contacts(made)
    result: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in made.customers.iter_rows(named=True):
        start = (row["start"] - FIRST_DAY).days
        exit_day = (row["end"] - FIRST_DAY).days if row["end"] else world.days
        state, since = "before", start + 1
        for day, following in marks(own.get(row["customer"], []), start):
            until = min(max(day, since), exit_day + 1)
            result[state][0] += until - since
            since = until
            if day <= exit_day:
                state = following
        result[state][0] += exit_day + 1 - since
        result[state][1] += row["reason"] == "switched"
    return {state: (days, events) for state, (days, events) in result.items()}


def ratio(result: dict[str, tuple[int, int]], state: str, against: str | None) -> tuple[float, int]:
    """Of two rates, and the smaller number of events."""
    others = [against] if against else [s for s in result if s != state]
    days, events = result[state]
    other_days, other_events = (sum(result[s][i] for s in others) for i in (0, 1))
    return (events / days) / (other_events / other_days), min(events, other_events)


@pytest.mark.parametrize("name", CASES)
def test_hazard_ratio_is_as_planted(name):
    wanted = CASES[name]
    world = World(**BASE, **wanted.world)
    result, events = ratio(
        rates(simulate(world, 8_000, 1), world, wanted.marks), wanted.state, wanted.against
    )
    assert events > 100
    assert result == pytest.approx(wanted.ratio, rel=3.5 * (1 / events + 1 / 2_000) ** 0.5)


@pytest.mark.parametrize("planted", [2.0, 0.5])
def test_a_household_is_as_contagious_as_planted(planted):
    world = World(**BASE, hr_household=planted)
    made = simulate(world, 8_000, 1)
    gone = made.customers.filter(reason="switched").select(
        "household", other="customer", left="end"
    )
    both = made.customers.join(gone, on="household", how="left").filter(
        pl.col("customer") != pl.col("other")
    )
    left = dict(both.select("customer", "left").iter_rows())
    days, events = {True: 0, False: 0}, {True: 0, False: 0}
    last = FIRST_DAY + timedelta(days=world.days)
    for row in made.customers.iter_rows(named=True):
        exit_day = row["end"] or last
        change = min(max(left.get(row["customer"], last), row["start"]), exit_day)
        days[False] += (change - row["start"]).days
        days[True] += (exit_day - change).days
        events[change < exit_day] += row["reason"] == "switched"
    assert events[True] > 400
    assert (events[True] / days[True]) / (events[False] / days[False]) == pytest.approx(
        planted, rel=0.15
    )


@pytest.mark.parametrize("name", ["acquisition", "campaign"])
def test_marketing_as_planted(name):
    world = World(**BASE, acquisition_ratios=(0.5, 1.0, 2.0), campaign_ratios=(0.5, 1.0, 2.0))
    last = FIRST_DAY + timedelta(days=world.days)
    who = simulate(world, 8_000, 1).customers.with_columns(
        pl.col("end").fill_null(last) - pl.col("start")
    )
    rate = pl.col("reason").eq("switched").sum() / pl.col("end").dt.total_days().sum()
    low, middle, high = (who.filter(pl.col(name) == n).select(rate).item() for n in LEVELS[name])
    assert low / middle == pytest.approx(0.5, rel=0.15)
    assert high / middle == pytest.approx(2.0, rel=0.15)


def test_a_few_agents_have_half_of_the_bad_moments_at_the_edge():
    world = KNOWN["a-third"].world
    log = simulate(world, 8_000, 1).interactions
    log = log.filter(pl.col("touchpoint") != "cancellation", pl.col("stars").is_not_null())
    agents = log.group_by("agent").agg(pl.len(), bad=(pl.col("stars") <= 2).sum())
    worst = agents.sort(pl.col("bad") / pl.col("len"), descending=True).head(world.agents // 10)
    assert worst["bad"].sum() / agents["bad"].sum() == pytest.approx(0.5, abs=0.02)
    assert worst["len"].sum() / agents["len"].sum() == pytest.approx(0.1, abs=0.005)


def test_a_third_post_within_a_month_of_a_first_bad_moment_at_the_edge():
    posted, hurt = 0, 0
    for rows in contacts(simulate(KNOWN["a-third"].world, 16_000, 1)).values():
        first = next((number(r["at"]) for r in rows if grade(r) == "bad"), None)
        days = [number(r["posted_at"]) for r in rows if r["posted_at"]]
        hurt += first is not None
        posted += first is not None and any(0 <= d - first <= 30 for d in days)
    assert posted / hurt == pytest.approx(1 / 3, abs=3 * (2 / 9 / hurt) ** 0.5)


def silence(world: World) -> dict[bool, float]:
    """Share without a complaint in 90 days with a bad moment: of those who defect that day, and of those who do not."""
    made = simulate(world, 16_000, 1)
    own, random = contacts(made), Random(1)
    quiet, seen = {True: 0, False: 0}, {True: 0, False: 0}
    for row in made.customers.iter_rows(named=True):
        start = (row["start"] - FIRST_DAY).days
        exit_day = (row["end"] - FIRST_DAY).days if row["end"] else world.days + 1
        rows = own.get(row["customer"], [])
        days = {False: random.randrange(start, exit_day)} | (
            {True: exit_day} if row["reason"] == "switched" else {}
        )
        for left, day in days.items():
            if any(1 <= day - number(r["at"]) <= 90 for r in rows if grade(r) == "bad"):
                seen[left] += 1
                quiet[left] += not any(
                    1 <= day - number(r["complained_at"]) <= 90 for r in rows if r["complained_at"]
                )
    return {left: quiet[left] / n for left, n in seen.items()}


def test_half_of_the_defectors_are_silent_at_the_edge_and_more_than_of_the_others():
    result = silence(KNOWN["half-silent"].world)
    assert result[True] == pytest.approx(0.5, abs=0.04)
    assert result[False] < 0.4


def test_those_who_defect_complain_as_the_others_unless_it_is_planted():
    result = silence(KNOWN["outspoken"].world)
    assert result[True] == pytest.approx(result[False], abs=0.03)
    assert result[True] < 0.2


def test_what_comes_of_a_contact_comes_later_and_while_the_customer_is_there():
    made = simulate(
        World(
            goodwill_shares=(0.9, 0.9, 0.9), informed_share=0.9, complaint_share=0.9, post_share=0.9
        ),
        2_000,
        1,
    )
    log = made.interactions.join(made.customers, on="customer")
    for name in ("resolved_at", "goodwill_at", "complained_at", "posted_at"):
        told = log.drop_nulls(name)
        assert told.height > 500
        assert (told[name] > told["at"]).all()
        assert told.filter(pl.col(name).cast(pl.Date) >= pl.col("end")).height == 0
    informed = log.drop_nulls("informed_at")
    assert (informed["informed_at"] < informed["at"]).all()
    assert (informed["informed_at"].cast(pl.Date) >= informed["start"]).all()
    problems = log.filter("is_problem")
    assert problems["problem_at"].equals(problems["at"], null_equal=False)
    assert (
        log.filter(
            ~pl.col("is_problem"),
            pl.any_horizontal(pl.col("^(problem|resolved|goodwill)_at$").is_not_null()),
        ).height
        == 0
    )


def test_one_problem_at_most():
    log = simulate(KNOWN["mended"].world, 2_000, 1).interactions
    assert log.filter("is_problem")["customer"].is_unique().all()


def test_resolution_means_little_in_time_and_much_as_a_final_flag():
    """Per day since the problem: with the flag known from the start, and with the state in time."""
    world = KNOWN["look-ahead"].world
    made = simulate(world, 8_000, 1)
    last = FIRST_DAY + timedelta(days=world.days)
    days, events = Counter(), Counter()
    for row in (
        made.interactions.filter("is_problem")
        .join(made.customers, on="customer")
        .iter_rows(named=True)
    ):
        exit_day, since = row["end"] or last, row["at"].date()
        change = min(row["resolved_at"].date(), exit_day) if row["resolved_at"] else exit_day
        flag, left = row["resolved_at"] is not None, row["reason"] == "switched"
        days.update({("flag", flag): (exit_day - since).days, "open": (change - since).days})
        days["resolved"] += (exit_day - change).days
        events.update({("flag", flag): left, "resolved" if flag else "open": left})
    rate = {state: events[state] / days[state] for state in days}
    assert rate["resolved"] / rate["open"] == pytest.approx(1, abs=0.2)
    assert rate["flag", True] / rate["flag", False] < 0.2
