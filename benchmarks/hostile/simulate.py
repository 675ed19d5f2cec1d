"""Customers lived through day by day, whatever drives them away planted by name. Shares no code with cxresearch.

A moment on day t changes the hazard of leaving from day t + 1 on. A customer leaves on the first day on which the
summed hazard exceeds a limit drawn at the start, exponential with mean 1. Who is about to leave is then known
beforehand: customers can behave differently in the days before they leave, and the planted effects of moments stay
exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FIRST_DAY = date(2022, 1, 1)
GRADES = ("bad", "neutral", "good")
BAD, NEUTRAL, GOOD = range(3)
UNKNOWN = 3
SEGMENTS = ("basic", "plus", "family")
EXPECTATIONS = ("respect", "solutions", "simplicity", "responsibility")
FAILS = np.array([[0.5], [0.15], [0.04]])  # how often an expectation is failed, by grade
TOUCHPOINTS = ("call", "shop", "app", "bill")
UNATTENDED = ("app", "bill")
MIX = (0.35, 0.15, 0.35, 0.15)
AGENTS = 30
NEVER = -(10**6)
TRAITS = 4  # independent traits of a customer that a family may use
SPELLS = 10
REGRADED_DAYS = 60
APART = 10  # days between the starts of the members of a household, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What moments do to the hazard of leaving: the truth. All are ratios; 1 is no effect.

    Attributes:
        bad_first: from the first bad moment on, for good.
        bad_each: for every bad moment, up to eight.
        bad_recent: while the last bad moment is at most `recent_days` old.
        good_each: for every good moment, up to ten.
        good_recent: as `bad_recent`.
        neutral_each: for every neutral moment, up to ten.
        first_contact_bad: from a bad first contact on, besides what a bad moment does anyway.
        silence: while no contact of any kind lies in the last 90 days.
        failed: from the first contact on at which an expectation was failed, for each of the four.
        recent_days: how long a recent effect lasts, in days.
    """

    bad_first: float = 1.0
    bad_each: float = 1.0
    bad_recent: float = 1.0
    good_each: float = 1.0
    good_recent: float = 1.0
    neutral_each: float = 1.0
    first_contact_bad: float = 1.0
    silence: float = 1.0
    failed: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    recent_days: int = 30

    def log_hazard(self, past: Past, day: int) -> Floats:
        """The sum of the logarithms of all effects, shape (n,), of what had happened before `day`."""
        count, last = past.count, past.last
        result: Floats = np.log(self.bad_first) * (count[:, BAD] > 0)
        result += np.log(self.bad_each) * np.minimum(count[:, BAD], 8)
        result += np.log(self.neutral_each) * np.minimum(count[:, NEUTRAL], 10)
        result += np.log(self.good_each) * np.minimum(count[:, GOOD], 10)
        result += np.log(self.bad_recent) * (day - last[:, BAD] <= self.recent_days)
        result += np.log(self.good_recent) * (day - last[:, GOOD] <= self.recent_days)
        result += np.log(self.first_contact_bad) * past.first_was_bad
        result += np.log(self.silence) * (day - last.max(axis=1) > 90)
        if any(f != 1 for f in self.failed):
            result += past.failed @ np.log(self.failed)
        return result


@dataclass(slots=True)
class Past:
    """What customers have lived through so far, whether recorded or not.

    Attributes:
        count: shape (n, 3): moments by grade.
        last: shape (n, 3): day of the last moment of each grade, `NEVER` if there is none.
        first_was_bad: shape (n,): whether the first contact was a bad one.
        failed: shape (n, 4): whether an expectation has been failed.
    """

    count: Ints
    last: Ints
    first_was_bad: Bools
    failed: Bools


@dataclass(frozen=True, slots=True)
class People:
    """What does not change along a customer.

    Attributes:
        start: shape (n,): day of the start; negative is before the log.
        segment: shape (n,): position in `SEGMENTS`.
        traits: shape (n, 4): independent standard normal values; they act only where a family says so, the last on
            grades alone.
        lots: shape (n, 4): independent uniform values, for hidden groups.
        lead: shape (n,): uniform; how early this customer shows that it is about to leave.
        spells: shape (n, 10): uniform; when troubles of this customer begin, as shares of the time simulated.
        phases: shape (n, 6): uniform; of slow waves in this customer's mood.
        pace: shape (n,): contacts relative to the mean.
        limit: shape (n, 2): summed hazards at which the customer leaves, or ends for another reason.
    """

    start: Ints
    segment: Ints
    traits: Floats
    lots: Floats
    lead: Floats
    spells: Floats
    phases: Floats
    pace: Floats
    limit: Floats


@dataclass(slots=True)
class Day:
    """A day as an influence sees it.

    Attributes:
        number: days since the log begins; negative is before.
        span: the first and the last day simulated.
        tenure: shape (n,): days since the start.
        people: what does not change.
        past: what has happened before this day.
        days_left: shape (n,): days until the customer leaves if today's hazard stays; None until it is known.
    """

    number: int
    span: tuple[int, int]
    tenure: Ints
    people: People
    past: Past
    days_left: Floats | None = None


Weight = Callable[[Day], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """Something other than moments that acts on some customers on some days.

    Each factor acts to the power of the weight: 0 is no influence, 1 the full factor; a trait may be negative.

    Attributes:
        weight: from a day to numbers of shape (n,) or one number.
        leave: factor of the hazard of leaving.
        other_exit: factor of the hazard of other exits.
        contacts: factor of the rate of contacts.
        bad: factor of the odds of a bad grade.
        good: factor of the odds of a good grade.
        answered: factor of the odds that a contact is graded at all.
        answered_bad: the same for bad contacts alone, besides.
    """

    weight: Weight
    leave: float = 1.0
    other_exit: float = 1.0
    contacts: float = 1.0
    bad: float = 1.0
    good: float = 1.0
    answered: float = 1.0
    answered_bad: float = 1.0

    @property
    def is_on_hazard(self) -> bool:
        """Whether it must be known before it is known who is about to leave."""
        return self.leave != 1 or self.other_exit != 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A family of companies: one definition, any number of seeds.

    Attributes:
        about: what happens, in plain words.
        influences: what acts besides moments.
        effects: what moments do.
        years: length of the log.
        customers: how many there are, unless asked otherwise.
        started_before: share of customers that started before the log.
        years_before: how long before the log the first of them started.
        wave: share, first and last day of a wave of starts; None is none.
        hazard: of leaving, per day.
        segment_ratios: of the hazard of leaving.
        other_hazard: of other exits, per day.
        contacts: per day, of a mean customer.
        shares: of bad, neutral and good moments.
        grade_spread: standard deviation between customers of the log odds of a bad grade; it moves nobody to leave.
        answered: share of contacts that are graded.
        leaves_at_month_end: departures wait for the next 30th day.
        neutral_from: from this day on, a share `neutral_share` of contacts is graded neutral whatever it was; None is
            never.
        neutral_share: see there.
        recorded_after: bad moments are recorded so many days later, at least and at most; None is at once.
        unseen_remote_until: contacts without a person are recorded from this day on; None is always.
        entered_after: departures are entered so many days after the customer left, at least and at most; None is at
            once.
        regraded: share of departures after which the last contact, if at most `REGRADED_DAYS` old, is graded bad.
        deleted: share of the contacts that are not bad that is deleted once a customer has left.
        remote_shares: share of contacts without a person, of those with the first lot below one half and of the others;
            None is one half for all.
        household: size of households; the members leave at one limit, and have one segment and one set of traits.
        is_beyond_reach: whether what happens can not be told from effects of moments by anything in the data.
        moments: keys for the section `[moments]` of the study file, written where asked for.
    """

    about: str
    influences: tuple[Influence, ...] = ()
    effects: Effects = Effects()
    years: float = 2.5
    customers: int = 5000
    started_before: float = 0.2
    years_before: float = 2.0
    wave: tuple[float, int, int] | None = None
    hazard: float = 0.001
    segment_ratios: tuple[float, float, float] = (1.0, 0.8, 1.3)
    other_hazard: float = 0.00015
    contacts: float = 1 / 40
    shares: tuple[float, float, float] = (0.1, 0.34, 0.56)
    grade_spread: float = 0.3
    answered: float = 0.9
    leaves_at_month_end: bool = False
    neutral_from: int | None = None
    neutral_share: float = 0.0
    recorded_after: tuple[int, int] | None = None
    unseen_remote_until: int | None = None
    entered_after: tuple[int, int] | None = None
    regraded: float = 0.0
    deleted: float = 0.0
    remote_shares: tuple[float, float] | None = None
    household: int = 1
    is_beyond_reach: bool = False
    moments: dict[str, str | int | list[int]] = field(default_factory=dict)

    @property
    def days(self) -> int:
        """Days of the log."""
        return round(self.years * 365)


@dataclass(frozen=True, slots=True)
class Simulated:
    """One company. Customers are rows 0 to n - 1; contacts are sorted by customer and day.

    Attributes:
        company: the family.
        days: length of the log; its days are 0 to days - 1.
        household: shape (n,): who belongs together; everybody alone unless the family has households.
        start: shape (n,): day of the start; negative is before the log.
        end: shape (n,): day of the end, or `days` for those still there.
        cause: shape (n,): 0 still there, 1 left, 2 another exit.
        segment: shape (n,): position in `SEGMENTS`.
        customer: shape (m,): of each contact, from the start on, those before the log included.
        day: shape (m,): when it happened.
        true_grade: shape (m,): position in `GRADES`.
        grade: shape (m,): as recorded, `UNKNOWN` where it was not graded.
        recorded: shape (m,): the day on which it is recorded.
        seen: shape (m,): whether it is in the log.
        touchpoint: shape (m,): position in `TOUCHPOINTS`.
        agent: shape (m,).
        second: shape (m,): of the day.
        failed: shape (m, 4): whether an expectation was failed.
    """

    company: Company
    days: int
    household: Ints
    start: Ints
    end: Ints
    cause: Ints
    segment: Ints
    customer: Ints
    day: Ints
    true_grade: Ints
    grade: Ints
    recorded: Ints
    seen: Bools
    touchpoint: Ints
    agent: Ints
    second: Ints
    failed: Bools


def simulate(
    company: Company, seed: int | Sequence[int], customers: int | None = None, **changes: Any
) -> Simulated:
    """Live through a company's days.

    Args:
        company: the family.
        seed: equal seeds give equal companies.
        customers: how many are seen in the log; those of the family when not given.
        changes: other values for fields of the company or of its effects, such as ``years=2`` or ``bad_first=1.3``.

    Raises:
        TypeError: a change is no field of the company or of its effects.
        ValueError: no number of customers or years above zero.
    """
    company = changed(company, **changes)
    wanted = company.customers if customers is None else customers
    if wanted < 1 or company.days < 1:
        raise ValueError(f"customers and years must be above 0, were {wanted} and {company.years}")
    streams = np.random.default_rng(seed).spawn(4)
    people = _people(company, wanted, streams[0])
    end, cause, contacts = _live(company, people, streams[1])
    if company.entered_after:
        low, high = company.entered_after
        end = np.where(cause == 1, end + streams[3].integers(low, high + 1, len(end)), end)
        cause = np.where(end < company.days, cause, 0)
        end = np.minimum(end, company.days)
    # who had gone before the log began is in neither table
    kept = np.flatnonzero((end > 0) & (people.start < company.days - 1))[:wanted]
    if len(kept) < wanted:
        raise ValueError(
            f"only {len(kept)} of {wanted} customers were still there when the log began"
        )
    return _recorded(company, people, kept, end, cause, contacts, streams[2])


def changed(company: Company, **changes: Any) -> Company:
    """The company with other values for its fields, or for those of its effects.

    Raises:
        TypeError: a name is neither.
    """
    effects = {k: v for k, v in changes.items() if k in Effects.__dataclass_fields__}
    rest = {k: v for k, v in changes.items() if k not in effects}
    if effects:
        rest["effects"] = replace(rest.get("effects", company.effects), **effects)
    return replace(company, **rest)


def _people(company: Company, wanted: int, rng: np.random.Generator) -> People:
    """More customers than wanted: of those who started before the log, some will have gone when it begins."""
    n = round(wanted * (1.1 + 1.3 * company.started_before)) + 10
    before = -round(company.years_before * 365)
    late = max(company.days - 60, 1)
    is_before = rng.random(n) < company.started_before
    start = np.where(is_before, rng.integers(before, 0, n), rng.integers(0, late, n))
    joins_wave = rng.random(n)
    if company.wave:
        share, first, last = company.wave
        start = np.where(joins_wave < share, rng.integers(first, last + 1, n), start)
    people = People(
        start=start,
        segment=rng.choice(3, n, p=(0.5, 0.3, 0.2)),
        traits=rng.standard_normal((n, TRAITS)),
        lots=rng.random((n, TRAITS)),
        lead=rng.random(n),
        spells=rng.random((n, SPELLS)),
        phases=rng.random((n, 6)),
        pace=rng.gamma(2, 1 / 2, n),
        limit=rng.exponential(size=(n, 2)),
    )
    if company.household == 1:
        return people
    head = np.arange(n) // company.household * company.household
    apart = np.where(head == np.arange(n), 0, rng.integers(0, APART + 1, n))
    own_grading = people.traits[:, -1:]
    return replace(
        people,
        start=np.minimum(start[head] + apart, company.days - 2),
        segment=people.segment[head],
        traits=np.hstack([people.traits[head, :-1], own_grading]),
        limit=people.limit[head],
    )


Contacts = tuple[Ints, Ints, Ints, Bools, Bools]


def _live(
    company: Company, people: People, rng: np.random.Generator
) -> tuple[Ints, Ints, Contacts]:
    """Days of the ends, causes, and contacts as customer, day, true grade, answered, failed."""
    n = len(people.start)
    past = Past(
        count=np.zeros((n, 3), np.int64),
        last=np.full((n, 3), NEVER),
        first_was_bad=np.zeros(n, bool),
        failed=np.zeros((n, 4), bool),
    )
    first, last = int(people.start.min()), company.days - 1
    base = np.log(company.hazard) + np.log(company.segment_ratios)[people.segment]
    # people differ in how they grade, which alone moves nobody to leave
    harshness = np.log(company.shares[BAD]) + company.grade_spread * people.traits[:, -1]
    end, cause = np.full(n, company.days), np.zeros(n, np.int64)
    summed = np.zeros((n, 2))
    there = np.ones(n, bool)
    kept: list[Contacts] = []
    for number in range(first, last + 1):
        day = Day(number, (first, last), number - people.start, people, past)
        acting = [(i, i.weight(day)) for i in company.influences if i.is_on_hazard]
        hazard = np.exp(base + company.effects.log_hazard(past, number) + _powers(acting, "leave"))
        at_risk = there & (day.tenure > 0)
        summed[:, 0] += hazard * at_risk
        summed[:, 1] += company.other_hazard * np.exp(_powers(acting, "other_exit")) * at_risk
        leaves = at_risk & (summed[:, 0] >= people.limit[:, 0])
        if company.leaves_at_month_end:
            leaves &= number % 30 == 29
        ends = at_risk & ~leaves & (summed[:, 1] >= people.limit[:, 1])
        gone = leaves | ends
        end[gone] = number
        cause[leaves], cause[ends] = 1, 2
        there &= ~gone

        day.days_left = (people.limit[:, 0] - summed[:, 0]) / hazard
        acting += [(i, i.weight(day)) for i in company.influences if not i.is_on_hazard]
        rate = company.contacts * people.pace * np.exp(_powers(acting, "contacts"))
        draws = rng.random((3, n))
        touched = np.flatnonzero(there & (day.tenure >= 0) & (draws[0] < -np.expm1(-rate)))
        bad = np.exp(harshness + _powers(acting, "bad"))[touched]
        good = np.broadcast_to(company.shares[GOOD] * np.exp(_powers(acting, "good")), n)[touched]
        total = bad + company.shares[NEUTRAL] + good
        u = draws[1][touched] * total
        grade = np.where(u < bad, BAD, np.where(u < bad + good, GOOD, NEUTRAL))
        odds = company.answered / (1 - company.answered) * np.exp(_powers(acting, "answered"))
        odds = np.broadcast_to(odds, n)[touched]
        of_bad = np.broadcast_to(np.exp(_powers(acting, "answered_bad")), n)[touched]
        odds = odds * np.where(grade == BAD, of_bad, 1)
        answered = draws[2][touched] < odds / (1 + odds)
        failed = rng.random((len(touched), 4)) < FAILS[grade]
        kept.append((touched, np.full(len(touched), number), grade, answered, failed))

        past.first_was_bad[touched] |= (past.count[touched].sum(axis=1) == 0) & (grade == BAD)
        past.count[touched, grade] += 1
        past.last[touched, grade] = number
        past.failed[touched] |= failed
    contacts = (
        np.concatenate([k[0] for k in kept]),
        np.concatenate([k[1] for k in kept]),
        np.concatenate([k[2] for k in kept]),
        np.concatenate([k[3] for k in kept]),
        np.concatenate([k[4] for k in kept]),
    )
    return end, cause, contacts


def _powers(acting: list[tuple[Influence, Any]], which: str) -> Any:
    """The sum of the logarithms of one factor of all influences: a number or shape (n,)."""
    return sum(
        np.log(factor) * weight
        for influence, weight in acting
        if (factor := getattr(influence, which)) != 1
    )


def _recorded(
    company: Company,
    people: People,
    kept: Ints,
    end: Ints,
    cause: Ints,
    contacts: Contacts,
    rng: np.random.Generator,
) -> Simulated:
    """What the two tables show of it."""
    position = np.full(len(people.start), -1)
    position[kept] = np.arange(len(kept))
    order = np.lexsort((contacts[1], position[contacts[0]]))
    order = order[position[contacts[0][order]] >= 0]
    customer, day, true_grade = position[contacts[0][order]], contacts[1][order], contacts[2][order]
    answered, failed = contacts[3][order], contacts[4][order]
    m = len(customer)
    if company.remote_shares is None:
        touchpoint = rng.choice(len(TOUCHPOINTS), m, p=MIX)
    else:  # of each kind, the first is taken in seven of ten cases, as in the mix
        share = np.where(people.lots[kept, 0] < 0.5, *company.remote_shares)[customer]
        touchpoint = 2 * (rng.random(m) < share) + (rng.random(m) < 0.3)
    agent, second, lot = rng.integers(0, AGENTS, m), rng.integers(28800, 72000, m), rng.random(m)
    grade = np.where(answered, true_grade, UNKNOWN)
    if company.neutral_from is not None:
        flattened = (day >= company.neutral_from) & (lot < company.neutral_share)
        grade = np.where(flattened, NEUTRAL, grade)
    recorded = day
    if company.recorded_after:
        low, high = company.recorded_after
        late = rng.integers(low, high + 1, m)
        recorded = np.where(true_grade == BAD, day + late, day)
    seen = (recorded >= 0) & (recorded < end[kept][customer])
    left = (cause[kept] == 1)[customer]
    if company.regraded:
        is_last = np.r_[customer[1:] != customer[:-1], True]
        again = left & is_last & (end[kept][customer] - day <= REGRADED_DAYS)
        grade = np.where(again & (rng.random(m) < company.regraded), BAD, grade)
    if company.deleted:
        seen &= ~(left & (grade != BAD) & (rng.random(m) < company.deleted))
    if company.unseen_remote_until is not None:
        is_remote = np.isin(np.array(TOUCHPOINTS)[touchpoint], UNATTENDED)
        seen &= ~is_remote | (day >= company.unseen_remote_until)
    return Simulated(
        company=company,
        days=company.days,
        household=kept // company.household,
        start=people.start[kept],
        end=end[kept],
        cause=cause[kept],
        segment=people.segment[kept],
        customer=customer,
        day=day,
        true_grade=true_grade,
        grade=grade,
        recorded=recorded,
        seen=seen,
        touchpoint=touchpoint,
        agent=agent,
        second=second,
        failed=failed,
    )


def write(simulated: Simulated, folder: Path, name: str, *, with_moment_keys: bool = False) -> Path:
    """Write a study: study.toml, interactions.parquet and customers.parquet.

    Args:
        simulated: a company.
        folder: made if it is not there; files of those names are replaced.
        name: of the study.
        with_moment_keys: whether the keys that the family has for ``[moments]`` are written.

    Returns:
        The study file.
    """
    import polars as pl

    s = simulated
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.array([f"C{i:06d}" for i in range(len(s.start))])
    seen = np.flatnonzero(s.seen)
    midnight = np.datetime64(FIRST_DAY.isoformat(), "s")
    at = midnight + (s.recorded[seen] * 86400 + s.second[seen]).astype("timedelta64[s]")
    touchpoint = np.array(TOUCHPOINTS)[s.touchpoint[seen]]
    is_remote = np.isin(touchpoint, UNATTENDED)
    grade = np.array((*GRADES, "unknown"))[s.grade[seen]]
    agents = np.array([f"A{i:02d}" for i in range(AGENTS)])
    is_graded = s.grade[seen] != UNKNOWN
    columns: dict[str, Any] = {
        "customer": ids[s.customer[seen]],
        "at": at.astype("datetime64[us]"),
        "touchpoint": touchpoint,
        "agent": pl.Series(agents[s.agent[seen]]).set(pl.Series(is_remote), None),
        "grade": grade,
    }
    for k, expectation in enumerate(EXPECTATIONS):
        score = np.where(s.failed[seen, k], 1, 5)
        columns[expectation] = pl.Series(score).set(pl.Series(~is_graded), None)
    pl.DataFrame(columns).sort("at", "customer").write_parquet(folder / "interactions.parquet")

    day = np.datetime64(FIRST_DAY.isoformat(), "D")
    has_end = s.cause > 0
    ends = (day + s.end.astype("timedelta64[D]")).astype("datetime64[D]")
    ends[~has_end] = np.datetime64("NaT", "D")
    is_shared = s.company.household > 1
    households = {"household": np.char.mod("H%06d", s.household)} if is_shared else {}
    pl.DataFrame(
        {
            "customer": ids,
            **households,
            "start": day + s.start.astype("timedelta64[D]"),
            "end": ends,
            "reason": pl.Series(np.array(["", "switched", "moved"])[s.cause]).replace("", None),
            "plan": np.array(SEGMENTS)[s.segment],
        }
    ).write_parquet(folder / "customers.parquet")

    return write_study(
        folder,
        STUDY,
        s.days,
        s.company.moments if with_moment_keys else {},
        name=name,
        about=s.company.about,
        unattended=", ".join(f'"{u}"' for u in UNATTENDED),
        cluster='cluster = "household"\n' if is_shared else "",
    )


def write_study(
    folder: Path, template: str, days: int, moments: Mapping[str, Any], **blanks: object
) -> Path:
    """Write study.toml: a template, its dates, its keys for ``[moments]``, and what else it leaves blank."""
    study = folder / "study.toml"
    text = template.format(
        first=FIRST_DAY,
        last=FIRST_DAY + timedelta(days=days - 1),
        moments="".join(f"{k} = {toml_value(v)}\n" for k, v in moments.items()),
        **blanks,
    )
    study.write_text(text, encoding="utf-8")
    return study


def toml_value(value: str | int | list[int]) -> str:
    """A value as TOML writes it."""
    return f'"{value}"' if isinstance(value, str) else str(value)


STUDY = """\
# {about}

[study]
id = "{name}"
name = "{name} (synthetic)"

[interactions]
source = "interactions.parquet"
unattended = [{unattended}]
expectations_scale = [1, 5]
log_from = {first}
log_until = {last}

[moments]
{moments}
[retention]
kind = "contract"
source = "customers.parquet"
cause = "reason"
defection = ["switched"]
segment = "plan"
{cluster}observed_until = {last}
"""
