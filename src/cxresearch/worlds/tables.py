"""The arrays of a run as the two tables of a company."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from cxresearch.study import LEVELS_OF_SERVICE
from cxresearch.worlds.company import Simulated
from cxresearch.worlds.contacts import (
    BAD,
    GOOD,
    LEAVING,
    NEVER,
    TOLD_AHEAD,
    TOUCHPOINTS,
    UNKNOWN,
    Bools,
    Contacts,
    Floats,
    Ints,
)
from cxresearch.worlds.world import World

FIRST_DAY = date(2023, 1, 1)
_DESK = ("cancellation", "phone", "retention desk")
_OPENS, _CLOSES, _DAY = 8 * 3600, 20 * 3600, 86_400
_EXPECTATIONS = ("respect", "solutions", "simplicity", "responsibility")


@dataclass(frozen=True, slots=True, eq=False)
class Customers:
    """What a run leaves of its customers. Arrays of (customers,).

    Attributes:
        start: day.
        end: day of leaving; after the last day of the log for those who are still there.
        cause: 1 defection, 2 another.
        segment: position.
        acquisition: position.
        campaign: position.
        seat: two seats make a household: 0 and 1, 2 and 3, …
    """

    start: Ints
    end: Ints
    cause: Ints
    segment: Ints
    acquisition: Ints
    campaign: Ints
    seat: Ints


def tables(
    rng: np.random.Generator, own: np.random.Generator, world: World, log: Contacts, who: Customers
) -> Simulated:
    """The tables of a company.

    Args:
        rng: the main generator.
        own: a generator for what is not drawn from the main one.
        world: what is true.
        log: all contacts, by day and customer.
        who: the customers.
    """
    # drawn in every world, and used unless the hazard went by others
    touchpoint, spread = rng.integers(0, len(TOUCHPOINTS), len(log.who)), rng.random(len(log.who))
    second = rng.integers(_OPENS, _CLOSES, len(log.who))
    agent = rng.integers(0, world.agents, len(log.who))
    seat = rng.permutation(len(who.start))
    if world.closer:
        second = _in_order(log, second)
    else:
        log, who = replace(log, touchpoint=touchpoint, spread=spread), replace(who, seat=seat)
    if world.bad_agent_ratio != 1:
        agent = _agents(own, world, log.grade)
    return Simulated(_interactions(own, world, log, who, second, agent), _customers(world, who))


def _in_order(log: Contacts, second: Ints) -> Ints:
    """The same times of day, rising in the order in which a customer's contacts of a day were lived through."""
    found = np.empty_like(second)
    found[np.lexsort((np.arange(len(second)), log.day, log.who))] = second[np.lexsort((second, log.day, log.who))]
    return found


def _agents(own: np.random.Generator, world: World, grade: Ints) -> Ints:
    """Each agent gets as many contacts as any other, the bad ones more of those that are bad."""
    share = np.mean(grade[grade < UNKNOWN] == BAD) if (grade < UNKNOWN).any() else 0.0
    agents = world.agents
    ratio = np.where(np.arange(agents) < round(world.bad_agents * agents), world.bad_agent_ratio, 1.0)
    rate = share * ratio / ratio.mean()
    weights = {True: rate, False: np.maximum(1 - rate, 0.0)}
    agent = own.integers(0, agents, len(grade))
    for bad, weight in weights.items():
        chosen = (grade < UNKNOWN) & ((grade == BAD) == bad)
        agent[chosen] = own.choice(agents, chosen.sum(), p=weight / weight.sum()) if chosen.any() else 0
    return agent


def _interactions(
    own: np.random.Generator, world: World, log: Contacts, who: Customers, second: Ints, agent: Ints
) -> pl.DataFrame:
    leaving = log.grade == LEAVING
    place = np.where(leaving, len(TOUCHPOINTS), log.touchpoint)
    names = [np.array([*(t[i] for t in TOUCHPOINTS), _DESK[i]]) for i in range(3)]
    stars = log.stars
    rated = ~leaving & (log.grade != UNKNOWN)
    level = np.where(stars == 5, np.where(log.spread < 0.1, 5, 4), stars - 1)
    at = log.day * _DAY + second
    last = who.end[log.who]

    def later(days: Ints) -> pl.Series:
        """So many days later and a little more, if the customer is then still there."""
        when = at + days * _DAY + 1 + (own.random(len(at)) * (_CLOSES - second)).astype(np.int64)
        return _moment(when, (days != NEVER) & (log.day + days < last))

    before = (log.day - own.integers(1, TOLD_AHEAD + 1, len(at))) * _DAY + own.integers(_OPENS, _CLOSES, len(at))
    known = {name: _number(_grade_of(own, log.failed[:, i], log.grade), rated) for i, name in enumerate(_EXPECTATIONS)}
    made = pl.DataFrame(
        {
            "customer": _ids(len(who.start))[log.who],
            "at": _moment(at, at >= 0),
            "touchpoint": names[0][place],
            "channel": names[1][place],
            "owner": names[2][place],
            "agent": np.array([f"agent {i:02d}" for i in range(world.agents)])[agent],
            "stars": _number(stars, stars > 0),
            "level": pl.Series([*LEVELS_OF_SERVICE, None])[np.where(stars > 0, level, len(LEVELS_OF_SERVICE))],
            **known,
            "handoff": log.handoff,
            "is_problem": log.problem,
            "problem_at": _moment(at, log.problem),
            "informed_at": _moment(before, log.told),
            "resolved_at": later(log.resolution),
            "goodwill_at": later(log.goodwill),
            "complained_at": later(log.complaint),
            "posted_at": later(log.post),
        }
    )
    return made[np.lexsort((second, log.day, log.who))]


def _customers(world: World, who: Customers) -> pl.DataFrame:
    gone = who.end <= world.days
    days = [FIRST_DAY + timedelta(days=d) for d in range(world.days + 2)]
    return pl.DataFrame(
        {
            "customer": _ids(len(who.start)),
            "start": [days[d] for d in who.start],
            "end": [days[d] if left else None for d, left in zip(who.end, gone, strict=True)],
            "reason": [
                ("switched", "moved away")[c - 1] if left else None for c, left in zip(who.cause, gone, strict=True)
            ],
            "plan": np.array(["basic", "plus", "family"])[who.segment % 3],
            "household": [f"H{h:06d}" for h in who.seat // 2 * 2],
            "acquisition": np.array(["shop", "web", "friend"])[who.acquisition],
            "campaign": np.array(["none", "spring", "autumn"])[who.campaign],
        },
        schema_overrides={"end": pl.Date, "reason": pl.String},
    )


def _grade_of(own: np.random.Generator, failed: Bools, grade: Ints) -> Ints:
    """One or two where it failed; else three to five, and higher the better the moment."""
    u: Floats = own.random(len(failed))
    kept = 3 + (u < np.where(grade == GOOD, 0.9, 0.6)) + (u < np.where(grade == GOOD, 0.6, 0.1))
    return np.where(failed, 1 + (u < 0.6), kept)


def _moment(second: Ints, known: Bools) -> pl.Series:
    zero = (FIRST_DAY - date(1970, 1, 1)).days * _DAY
    return (_number(zero + second, known) * 1_000_000).cast(pl.Datetime("us"))


def _number(values: Ints, known: Bools) -> pl.Series:
    return pl.select(pl.when(pl.Series(known)).then(pl.Series(values, dtype=pl.Int64))).to_series()


def _ids(n: int) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    return np.array([f"C{i:06d}" for i in range(n)])
