"""Synthetic customers with a known truth, day by day."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cxresearch.errors import EstimationError, SourceError
from cxresearch.study import LEVELS_OF_SERVICE, Study, study_from
from cxresearch.worlds import contact_process as day_of
from cxresearch.worlds.contact_process import (
    BAD,
    GOOD,
    INFORMED_AHEAD,
    LEAVING,
    NEUTRAL,
    NEVER,
    TOUCHPOINTS,
    UNKNOWN,
    Bools,
    Contacts,
    Floats,
    Ints,
    Lived,
)
from cxresearch.worlds.world import World

FIRST_DAY = date(2023, 1, 1)
_DESK = ("cancellation", "phone", "retention desk")
_OPENS, _CLOSES, _DAY = 8 * 3600, 20 * 3600, 86_400
_EXPECTATIONS = ("respect", "solutions", "simplicity", "responsibility")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedCustomers:
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
    rng: np.random.Generator,
    log_rng: np.random.Generator,
    world: World,
    log: Contacts,
    who: SimulatedCustomers,
) -> Simulated:
    """The tables of a company.

    Args:
        rng: the main generator.
        log_rng: a generator for what is not drawn from the main one.
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
        agent = _agents(log_rng, world, log.grade)
    return Simulated(_interactions(log_rng, world, log, who, second, agent), _customers(world, who))


def _in_order(log: Contacts, second: Ints) -> Ints:
    """The same times of day, rising in the order in which a customer's contacts of a day were lived through."""
    result = np.empty_like(second)
    result[np.lexsort((np.arange(len(second)), log.day, log.who))] = second[
        np.lexsort((second, log.day, log.who))
    ]
    return result


def _agents(log_rng: np.random.Generator, world: World, grade: Ints) -> Ints:
    """Each agent gets as many contacts as any other, the bad ones more of those that are bad."""
    share = np.mean(grade[grade < UNKNOWN] == BAD) if (grade < UNKNOWN).any() else 0.0
    agents = world.agents
    ratio = np.where(
        np.arange(agents) < round(world.bad_agents * agents), world.bad_agent_ratio, 1.0
    )
    rate = share * ratio / ratio.mean()
    weights = {True: rate, False: np.maximum(1 - rate, 0.0)}
    agent = log_rng.integers(0, agents, len(grade))
    for bad, weight in weights.items():
        chosen = (grade < UNKNOWN) & ((grade == BAD) == bad)
        agent[chosen] = (
            log_rng.choice(agents, chosen.sum(), p=weight / weight.sum()) if chosen.any() else 0
        )
    return agent


def _interactions(
    log_rng: np.random.Generator,
    world: World,
    log: Contacts,
    who: SimulatedCustomers,
    second: Ints,
    agent: Ints,
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
        when = (
            at + days * _DAY + 1 + (log_rng.random(len(at)) * (_CLOSES - second)).astype(np.int64)
        )
        return _moment(when, (days != NEVER) & (log.day + days < last))

    before = (log.day - log_rng.integers(1, INFORMED_AHEAD + 1, len(at))) * _DAY + log_rng.integers(
        _OPENS, _CLOSES, len(at)
    )
    known = {
        name: _number(_grade_of(log_rng, log.failed[:, i], log.grade), rated)
        for i, name in enumerate(_EXPECTATIONS)
    }
    made = pl.DataFrame(
        {
            "customer": _ids(len(who.start))[log.who],
            "at": _moment(at, at >= 0),
            "touchpoint": names[0][place],
            "channel": names[1][place],
            "owner": names[2][place],
            "agent": np.array([f"agent {i:02d}" for i in range(world.agents)])[agent],
            "stars": _number(stars, stars > 0),
            "level": pl.Series([*LEVELS_OF_SERVICE, None])[
                np.where(stars > 0, level, len(LEVELS_OF_SERVICE))
            ],
            **known,
            "handoff": log.handoff,
            "is_problem": log.problem,
            "problem_at": _moment(at, log.problem),
            "informed_at": _moment(before, log.informed),
            "resolved_at": later(log.resolution),
            "goodwill_at": later(log.goodwill),
            "complained_at": later(log.complaint),
            "posted_at": later(log.post),
        }
    )
    return made[np.lexsort((second, log.day, log.who))]


def _customers(world: World, who: SimulatedCustomers) -> pl.DataFrame:
    gone = who.end <= world.days
    days = [FIRST_DAY + timedelta(days=d) for d in range(world.days + 2)]
    return pl.DataFrame(
        {
            "customer": _ids(len(who.start)),
            "start": [days[d] for d in who.start],
            "end": [days[d] if left else None for d, left in zip(who.end, gone, strict=True)],
            "reason": [
                ("switched", "moved away")[c - 1] if left else None
                for c, left in zip(who.cause, gone, strict=True)
            ],
            "plan": np.array(["basic", "plus", "family"])[who.segment % 3],
            "household": [f"H{h:06d}" for h in who.seat // 2 * 2],
            "acquisition": np.array(["shop", "web", "friend"])[who.acquisition],
            "campaign": np.array(["none", "spring", "autumn"])[who.campaign],
        },
        schema_overrides={"end": pl.Date, "reason": pl.String},
    )


def _grade_of(log_rng: np.random.Generator, failed: Bools, grade: Ints) -> Ints:
    """One or two where it failed; else three to five, and higher the better the moment."""
    u: Floats = log_rng.random(len(failed))
    kept = 3 + (u < np.where(grade == GOOD, 0.9, 0.6)) + (u < np.where(grade == GOOD, 0.6, 0.1))
    return np.where(failed, 1 + (u < 0.6), kept)


def _moment(second: Ints, known: Bools) -> pl.Series:
    zero = (FIRST_DAY - date(1970, 1, 1)).days * _DAY
    return (_number(zero + second, known) * 1_000_000).cast(pl.Datetime("us"))


def _number(values: Ints, known: Bools) -> pl.Series:
    return pl.select(pl.when(pl.Series(known)).then(pl.Series(values, dtype=pl.Int64))).to_series()


def _ids(n: int) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    return np.array([f"C{i:06d}" for i in range(n)])


SETTINGS = """\
[study]
name = "{name}"
horizon_days = 365

[interactions]
source = "interactions.parquet"
score = "stars"
scale = [1, 5]
unattended = ["app", "bill"]               # touchpoints without a person

[moments]
exclude = "touchpoint = 'cancellation'"    # said when leaving: a consequence, not a cause

[retention]
kind = "contract"
source = "customers.csv"
cause = "reason"
defection = ["switched"]                   # "moved away" competes; it is neither loyalty nor defection
segment = "plan"
cluster = "household"
marketing = ["acquisition", "campaign"]    # as of entry
"""


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """The two tables of a synthetic company.

    Attributes:
        interactions: customer, at, touchpoint, channel, agent, stars (1 to 5 or null), owner, level; respect,
            solutions, simplicity, responsibility (1 to 5 or null); handoff, is_problem; problem_at, informed_at,
            resolved_at, goodwill_at, complained_at, posted_at (null: it did not happen, or not while the customer was
            there).
        customers: customer, start, end (null: still there), reason, plan, household, acquisition, campaign.
    """

    interactions: pl.DataFrame
    customers: pl.DataFrame

    def study(self, name: str = "a synthetic company") -> Study:
        """The company as a study, in memory."""
        raw = tomllib.loads(SETTINGS.format(name=name))
        for section in ("interactions", "retention"):
            del raw[section]["source"]
        return study_from(raw, interactions=self.interactions, retention=self.customers)

    def write(
        self, folder: Path, *, name: str, truth: Mapping[str, Any], force: bool = False
    ) -> tuple[Path, ...]:
        """Write the tables, a study file and what is true to a folder, made if need be.

        Args:
            folder: where to.
            name: of the study.
            truth: what is true of the company, for ``truth.json``.
            force: overwrite files that are there.

        Returns:
            The files written, the study file first.

        Raises:
            SourceError: a file is in the way, or the folder cannot be written.
        """
        names = ("study.toml", "interactions.parquet", "customers.csv", "truth.json")
        paths = tuple(folder / n for n in names)
        taken = [p for p in paths if p.exists()]
        if taken and not force:
            raise SourceError(f"{taken[0]} is there already; --force overwrites it")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths[0].write_text(SETTINGS.format(name=name), encoding="utf-8")
            self.interactions.write_parquet(paths[1])
            self.customers.write_csv(paths[2])
            paths[3].write_text(json.dumps(dict(truth), indent=2) + "\n", encoding="utf-8")
        except OSError as e:
            raise SourceError(f"cannot write to {folder}: {e.strerror}") from None
        return paths


# separate generators, so that worlds without these effects stay as they are
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
    hazard *= (
        np.array(world.segment_ratios)[segment] * np.maximum(intensity, 1e-3) ** world.busy_stay
    )
    acquisition, campaign = marketing.integers(0, 3, (2, customers))
    hazard *= (
        np.array(world.acquisition_ratios)[acquisition] * np.array(world.campaign_ratios)[campaign]
    )
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
        h = h * np.exp(
            world.log_hr_neutral * np.minimum(counts[1], 5)
            + world.log_hr_good * np.minimum(counts[2], 5)
        )
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
    result = SimulatedCustomers(
        start=start,
        end=end,
        cause=cause,
        segment=segment,
        acquisition=acquisition,
        campaign=campaign,
        seat=seat,
    )
    return tables(rng, afterwards, world, day_of.joined(parts), result)


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
