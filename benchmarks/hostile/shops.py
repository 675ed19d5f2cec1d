"""Shops without contracts: customers who buy at their own pace until they come no more. Shares no code with cxresearch.

Everything happens at a contact, which is a purchase or a question. After each, a customer comes back after a gap, or
never: it lapses at the contact at which the summed hazard per contact exceeds a limit drawn at the start, exponential
with mean 1, so that a planted effect is a ratio of hazards per contact. Nothing in the log tells a lapse from a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.hostile.simulate import (
    BAD,
    FIRST_DAY,
    GOOD,
    GRADES,
    NEUTRAL,
    UNKNOWN,
    Bools,
    Floats,
    Ints,
    write_study,
)

BEFORE = 400  # days simulated before the log begins
JANUARY = 31
DECEMBER = 335  # day of the year on which it begins, from 0 on


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A family of shops: one definition, any number of seeds.

    Attributes:
        about: what happens, in plain words.
        bad_first: ratio of the hazard of lapsing at a contact from the first bad one on, itself included; the truth.
        bad_latest: the same while the latest contact is a bad one.
        good_each: for every good contact so far, up to ten.
        lapse: hazard of lapsing at a contact.
        pace: days between contacts of a median customer.
        pace_spread: standard deviation between customers of the logarithm of their pace.
        gap_shape: of the gamma distribution of a customer's gaps.
        bad_by_pace: log odds of a bad grade, per unit of the logarithm of the pace: above 0, slow buyers find more bad.
        lapse_by_pace: log hazard of lapsing, per unit of the same.
        slowing: a customer's pace slows by this factor with every contact.
        january_gap: factor of gaps that begin in January.
        january_bad: factor of the odds of a bad grade in January.
        season: factor of gaps that begin in summer; winter has the inverse.
        season_bad: factor of the odds of a bad grade in summer; winter has the inverse.
        outage: first and last day, factor of the odds of a bad grade, of the hazard of lapsing; None is none.
        last_bad: factor of the odds of a bad grade at the last `last_contacts` contacts before a lapse.
        last_contacts: see there.
        last_answered: factor of the odds that these are graded.
        temperament: log odds of a bad grade and log hazard of lapsing, per unit of a trait.
        rhythm: days between the boxes of a subscription, for everybody; None where customers come when they like.
        at_christmas: share of customers who come in December only.
        christmas_bad: factor of the odds of a bad grade of these.
        programme: first day of a loyalty programme, contacts that one must have had to join, share of those who join at
            a contact, and for members the factors of the hazard of lapsing, of gaps, and of the odds of a bad grade;
            None is none.
        christmas_lapse: factor of the hazard of lapsing of these.
        sales: share of customers who come in sales only, days from one sale to the next, factor of the odds of a bad
            grade of these; None is none.
        gamma_pace: where not None, the rates of customers are gamma distributed with this shape, in the place of
            `pace_spread`: the smaller, the more of them are very slow.
        lapse_per_day: where above 0, customers lapse on any day with this hazard, in the place of `lapse` at contacts.
        prodrome: of those, how many days before they lapse more is bad, and the factor of the odds; None is none.
        new_ids: day on which all customers get new ids, the factor of the odds of a bad grade in the days around it,
            and how many days to either side; None is none.
        two_ids: share of customers who use two ids in turn, and the factor of their odds of a bad grade; None is none.
        closed: first and last day on which nothing is sold (what was due then comes as much later), the factor of the
            odds of a bad grade in the days before, and how many; None is none.
        change: from a day of each customer's own on, the factors of gaps and of the odds of a bad grade; None is none.
        own_season: factors of gaps and of the odds of a bad grade at the height of a slow season that each customer has
            at a time of year of its own; half a year later they have the inverse. None is none.
        passers: share of customers who are about to pass by, and the factors of their hazard of lapsing and of their
            odds of a bad grade; None is none.
        graded_on_return: whether a grade is given at the next contact, and so by those alone who come back.
        complaints: share of bad contacts after which a complaint is made within the week, which is no order: the study
            declares that orders keep active; 0 is none, and no such column.
        returns: of the study, whether who comes back is at risk again.
        follow_ups: contacts that each bad one brings about in the week after it, such as a return and a refund; nobody
            lapses before they are over.
        shares: of bad, neutral and good contacts.
        answered: share of contacts that are graded.
        days: length of the log.
        customers: how many there are, unless asked otherwise.
        gap_days: what the study takes for a lapse.
        horizon_days: of incidences.
        moments: keys for the section ``[moments]`` of the study file, written where asked for.
        is_beyond_reach: whether nothing in the data can tell what happens from effects of moments.
    """

    about: str
    bad_first: float = 1.0
    bad_latest: float = 1.0
    good_each: float = 1.0
    lapse: float = 0.06
    pace: float = 20.0
    pace_spread: float = 0.7
    gap_shape: float = 0.8
    bad_by_pace: float = 0.0
    lapse_by_pace: float = 0.0
    slowing: float = 1.0
    january_gap: float = 1.0
    january_bad: float = 1.0
    season: float = 1.0
    season_bad: float = 1.0
    outage: tuple[int, int, float, float] | None = None
    last_bad: float = 1.0
    last_contacts: int = 1
    last_answered: float = 1.0
    temperament: tuple[float, float] = (0.0, 0.0)
    rhythm: int | None = None
    at_christmas: float = 0.0
    christmas_bad: float = 1.0
    christmas_lapse: float = 1.0
    sales: tuple[float, int, float] | None = None
    gamma_pace: float | None = None
    lapse_per_day: float = 0.0
    prodrome: tuple[int, float] | None = None
    new_ids: tuple[int, float, int] | None = None
    two_ids: tuple[float, float] | None = None
    closed: tuple[int, int, float, int] | None = None
    change: tuple[float, float] | None = None
    own_season: tuple[float, float] | None = None
    passers: tuple[float, float, float] | None = None
    graded_on_return: bool = False
    complaints: float = 0.0
    returns: str = ""
    programme: tuple[int, int, float, float, float, float] | None = None
    follow_ups: int = 0
    shares: tuple[float, float, float] = (0.16, 0.3, 0.54)
    answered: float = 0.92
    days: int = 1095
    customers: int = 3000
    gap_days: int = 180
    horizon_days: int = 365
    moments: dict[str, str | int | list[int]] = field(default_factory=dict)
    is_beyond_reach: bool = False


@dataclass(frozen=True, slots=True)
class SimulatedShop:
    """One shop. Contacts are sorted by customer and order; those before the log are included.

    Attributes:
        shop: the family.
        customer: shape (m,): of each contact.
        number: shape (m,): of the contact, from 0 on.
        day: shape (m,): negative is before the log.
        true_grade: shape (m,): position in `GRADES`.
        grade: shape (m,): as recorded, `UNKNOWN` where it was not graded.
        lapses: shape (m,): whether the customer never comes back after it.
        identity: shape (m,): the id under which it is recorded.
        complained: shape (m,): days from it to a complaint about it; 0 is none.
    """

    shop: Shop
    customer: Ints
    number: Ints
    day: Ints
    true_grade: Ints
    grade: Ints
    lapses: Bools
    identity: Ints
    complained: Ints


def simulate_shop(
    shop: Shop, seed: int | Sequence[int], customers: int | None = None, **changes: Any
) -> SimulatedShop:
    """Follow a shop's customers from contact to contact.

    Args:
        shop: the family.
        seed: equal seeds give equal shops.
        customers: how many come, before the log or in it; those of the family when not given.
        changes: other values for fields of the shop.

    Raises:
        TypeError: a change is no field of the shop.
        ValueError: no number of customers above zero.
    """
    shop = replace(shop, **changes)
    n = shop.customers if customers is None else customers
    if n < 1:
        raise ValueError(f"customers must be above 0, were {n}")
    traits, lots = np.random.default_rng(seed).spawn(2)
    events, habits = _Events(shop, n, seed), _Habits(shop, n, seed)
    slow = events.pace(shop.pace_spread * traits.standard_normal(n))
    temper = traits.standard_normal(n)
    limit = traits.exponential(size=n)
    day = traits.integers(-BEFORE, shop.days - shop.gap_days, n).astype(float)
    summed, count = np.zeros(n), np.zeros((n, 3), np.int64)
    who = np.arange(n)
    day = events.moved(who, np.where(habits.is_gift, habits.next_december(day), day))
    parts: list[tuple[Ints, ...]] = []
    number = 0
    while len(who):
        now = day[who].astype(np.int64)
        hazard, odds = _without_moments(shop, now, slow[who], temper[who])
        hazard, odds = habits.at_contacts(who, now, count[who].sum(axis=1), hazard, odds)
        odds, hazard = odds + events.odds(who, now), hazard * events.haste(who)
        before = _effects(shop, count[who])
        is_last = summed[who] + shop.last_contacts * hazard * np.exp(before) >= limit[who]
        odds += np.log(shop.last_bad) * is_last
        odds += _prodrome(shop, (limit[who] - summed[who]) / np.exp(before))
        bad = shop.shares[BAD] * np.exp(odds)
        u = lots.random(len(who)) * (bad + shop.shares[NEUTRAL] + shop.shares[GOOD])
        grade = np.where(u < bad, BAD, np.where(u < bad + shop.shares[GOOD], GOOD, NEUTRAL))
        grade = habits.graded(who, grade)
        answered = shop.answered / (1 - shop.answered) * np.where(is_last, shop.last_answered, 1)
        is_graded = lots.random(len(who)) < answered / (1 + answered)
        count[who, grade] += 1

        effect = _effects(shop, count[who]) + np.log(shop.bad_latest) * (grade == BAD)
        met = hazard * np.exp(effect) * habits.are_settled(who, grade)
        scale = shop.pace * np.exp(slow[who]) * shop.slowing**number * _slowness(shop, now)
        scale = scale * habits.slowness(who) * events.slowness(who, now)
        gap = lots.gamma(shop.gap_shape, scale / shop.gap_shape)
        following = events.moved(who, habits.next_days(who, day[who], gap))
        if shop.lapse_per_day:
            met = shop.lapse_per_day * np.exp(effect) * (following - day[who])
        summed[who] += met
        lapses = summed[who] >= limit[who]
        parts.append(
            (
                who,
                np.full(len(who), number),
                now,
                grade,
                np.where(is_graded, grade, UNKNOWN),
                lapses.astype(np.int64),
            )
        )
        day[who] = following
        who = who[~lapses & (day[who] < shop.days)]
        number += 1
    return _sorted(shop, parts, events)


def _sorted(shop: Shop, parts: Sequence[tuple[Ints, ...]], events: _Events) -> SimulatedShop:
    """All contacts by customer, and how they are recorded."""
    columns = [np.concatenate([p[k] for p in parts]) for k in range(6)]
    order = np.lexsort((columns[1], columns[0]))
    customer, number, day, true_grade, grade, lapsed = (c[order] for c in columns)
    if shop.graded_on_return:
        grade = np.where(np.r_[customer[1:] != customer[:-1], True], UNKNOWN, grade)
    return SimulatedShop(
        shop=shop,
        customer=customer,
        number=number,
        day=day,
        true_grade=true_grade,
        grade=grade,
        lapses=lapsed > 0,
        identity=events.ids(customer, number, day),
        complained=events.complaints(true_grade),
    )


def _effects(shop: Shop, count: Ints) -> Floats:
    """What contacts so far do to the hazard, as a sum of logarithms."""
    effect = np.log(shop.bad_first) * (count[:, BAD] > 0)
    return np.asarray(effect + np.log(shop.good_each) * np.minimum(count[:, GOOD], 10))


def _prodrome(shop: Shop, left: Floats) -> Floats:
    """Log odds of a bad grade of those who lapse on a day, by the hazard left until they do."""
    if shop.prodrome is None:
        return np.zeros(len(left))
    days, factor = shop.prodrome
    return np.asarray(np.log(factor) * (left / shop.lapse_per_day <= days))


def _without_moments(shop: Shop, now: Ints, slow: Floats, temper: Floats) -> tuple[Floats, Floats]:
    """The hazard of lapsing and the log odds of a bad grade, apart from what moments do and who is about to lapse."""
    hazard = shop.lapse * np.exp(shop.lapse_by_pace * slow + shop.temperament[1] * temper)
    odds = shop.bad_by_pace * slow + shop.temperament[0] * temper
    odds += np.log(shop.january_bad) * (now % 365 < JANUARY) + np.log(shop.season_bad) * _summer(
        now
    )
    if shop.outage:
        first, last, bad_factor, lapse_factor = shop.outage
        is_out = (first <= now) & (now <= last)
        odds += np.log(bad_factor) * is_out
        hazard *= np.where(is_out, lapse_factor, 1)
    return hazard, odds


class _Habits:
    """What customers of some shops do besides: gifts, boxes, a programme, contacts about a return.

    Draws from a stream of its own, so that shops without them are what they were.

    Attributes:
        is_gift: shape (n,): who comes in December only.
        member: shape (n,): who has joined the programme.
        pending: shape (n,): contacts about a return that are still to come.
    """

    def __init__(self, shop: Shop, n: int, seed: int | Sequence[int]) -> None:
        self._shop = shop
        self._random = np.random.default_rng([*np.atleast_1d(seed), 7])
        self.is_gift: Bools = self._random.random(n) < shop.at_christmas
        self.member: Bools = np.zeros(n, bool)
        self.pending: Ints = np.zeros(n, np.int64)

    def next_december(self, day: Floats) -> Floats:
        """A day of the next December that begins after a day."""
        year = np.ceil((day - DECEMBER) / 365)
        return np.asarray(
            year * 365 + DECEMBER + self._random.integers(0, 24, len(day)), dtype=float
        )

    def at_contacts(
        self, who: Ints, now: Ints, contacts: Ints, hazard: Floats, odds: Floats
    ) -> tuple[Floats, Floats]:
        """The hazard of lapsing and the log odds of a bad grade; some join the programme."""
        odds = odds + np.log(self._shop.christmas_bad) * self.is_gift[who]
        hazard = hazard * np.where(self.is_gift[who], self._shop.christmas_lapse, 1)
        if self._shop.programme:
            first, least, share, lapse, _, bad = self._shop.programme
            joins = self._random.random(len(now)) < share
            self.member[who] |= (now >= first) & (contacts >= least) & joins
            hazard = hazard * np.where(self.member[who], lapse, 1)
            odds = odds + np.log(bad) * self.member[who]
        return hazard, odds

    def graded(self, who: Ints, grade: Ints) -> Ints:
        """Grades; what is about a return is neutral."""
        return np.where(self.pending[who] > 0, NEUTRAL, grade)

    def are_settled(self, who: Ints, grade: Ints) -> Bools:
        """Whether the hazard of a purchase is met at a contact: when those about its return are over."""
        begun = self._shop.follow_ups * (grade == BAD)
        self.pending[who] = np.where(self.pending[who] > 0, self.pending[who] - 1, begun)
        return np.asarray(self.pending[who] == 0)

    def slowness(self, who: Ints) -> Floats:
        """Factor of gaps."""
        factor = self._shop.programme[4] if self._shop.programme else 1.0
        return np.where(self.member[who], factor, 1.0)

    def next_days(self, who: Ints, day: Floats, gap: Floats) -> Floats:
        """The days of the next contacts, from the gaps of customers without a habit."""
        if self._shop.rhythm is not None:
            gap = self._shop.rhythm - 1.0 + self._random.integers(0, 3, len(who))
        gap = np.where(self.pending[who] > 0, self._random.integers(0, 3, len(who)), gap)
        return np.where(self.is_gift[who], self.next_december(day + 60), day + 1 + gap)


class _Events:
    """What befalls customers of some shops, and how they are recorded; draws from a third stream.

    Attributes:
        in_sales: shape (n,): who comes in sales only.
        has_two: shape (n,): who uses two ids.
        passes: shape (n,): who is about to pass by.
        phases: shape (n,): when in the year a customer's own season is, as a share of it.
        changes: shape (n,): the day from which on a customer is another.
    """

    def __init__(self, shop: Shop, n: int, seed: int | Sequence[int]) -> None:
        self._shop = shop
        self._random = np.random.default_rng([*np.atleast_1d(seed), 11])
        self.in_sales: Bools = self._random.random(n) < (shop.sales[0] if shop.sales else 0)
        self.has_two: Bools = self._random.random(n) < (shop.two_ids[0] if shop.two_ids else 0)
        self.passes: Bools = self._random.random(n) < (shop.passers[0] if shop.passers else 0)
        self.phases: Floats = np.random.default_rng([*np.atleast_1d(seed), 13]).random(n)
        self.changes: Ints = self._random.integers(-BEFORE, shop.days, n)

    def pace(self, slow: Floats) -> Floats:
        """The logarithm of each customer's pace, over that of the median one."""
        shape = self._shop.gamma_pace
        if shape is None:
            return slow
        rate = self._random.gamma(shape, 1 / shape, len(slow))
        return np.asarray(-np.log(np.maximum(rate, 1e-6)), dtype=float)

    def odds(self, who: Ints, now: Ints) -> Floats:
        """Log odds of a bad grade, besides."""
        shop = self._shop
        result = np.zeros(len(who))
        if shop.sales:
            result += np.log(shop.sales[2]) * self.in_sales[who]
        if shop.two_ids:
            result += np.log(shop.two_ids[1]) * self.has_two[who]
        if shop.passers:
            result += np.log(shop.passers[2]) * self.passes[who]
        if shop.new_ids:
            day, factor, around = shop.new_ids
            result += np.log(factor) * (np.abs(now - day) <= around)
        if shop.closed:
            first, _, factor, before = shop.closed
            result += np.log(factor) * ((first - before <= now) & (now < first))
        if shop.change:
            result += np.log(shop.change[1]) * (now >= self.changes[who])
        if shop.own_season:
            result += np.log(shop.own_season[1]) * self._season(who, now)
        return result

    def _season(self, who: Ints, now: Ints) -> Floats:
        """Where in its own year a customer is: 1 in the middle of the slow season, -1 half a year later."""
        return np.asarray(np.sin(2 * np.pi * (now / 365 + self.phases[who])), dtype=float)

    def haste(self, who: Ints) -> Floats:
        """Factor of the hazard of lapsing."""
        return np.where(self.passes[who], self._shop.passers[1] if self._shop.passers else 1.0, 1.0)

    def slowness(self, who: Ints, now: Ints) -> Floats:
        """Factor of gaps that begin on a day."""
        factor = self._shop.change[0] if self._shop.change else 1.0
        result = np.where(now >= self.changes[who], factor, 1.0)
        if self._shop.own_season:
            result = result * self._shop.own_season[0] ** self._season(who, now)
        return result

    def moved(self, who: Ints, day: Floats) -> Floats:
        """The days on which customers come, from those on which they would."""
        if self._shop.sales:
            every = self._shop.sales[1]
            begins = np.ceil(day / every) * every  # of the next sale
            sale = begins + self._random.integers(0, 7, len(who))
            day = np.where(self.in_sales[who], sale, day)
        if self._shop.closed:
            first, last, _, _ = self._shop.closed
            day = day + (last - first + 1) * ((first <= day) & (day <= last))
        return day

    def ids(self, customer: Ints, number: Ints, day: Ints) -> Ints:
        """The id under which each contact is recorded."""
        if self._shop.new_ids:
            return np.asarray(2 * customer + (day >= self._shop.new_ids[0]))
        if self._shop.two_ids:
            return np.asarray(2 * customer + self.has_two[customer] * (number % 2))
        return customer

    def complaints(self, grade: Ints) -> Ints:
        """Days from each contact to a complaint about it, 0 where there is none."""
        if not self._shop.complaints:
            return np.zeros(len(grade), np.int64)
        makes = (grade == BAD) & (self._random.random(len(grade)) < self._shop.complaints)
        return makes * self._random.integers(1, 7, len(grade))


def _summer(now: Ints) -> Floats:
    return np.asarray(-np.cos(2 * np.pi * now / 365), dtype=float)


def _slowness(shop: Shop, now: Ints) -> Floats:
    """Factor of gaps that begin on a day."""
    slow_january = np.where(now % 365 < JANUARY, shop.january_gap, 1.0)
    return np.asarray(slow_january * shop.season ** _summer(now), dtype=float)


def write_shop(
    simulated: SimulatedShop, folder: Path, name: str, *, with_moment_keys: bool = False
) -> Path:
    """Write a study: study.toml and interactions.parquet; see `simulate.write`."""
    import polars as pl

    s = simulated
    folder.mkdir(parents=True, exist_ok=True)
    seen = s.day >= 0
    midnight = np.datetime64(FIRST_DAY.isoformat(), "s")
    # the number keeps the order of contacts of one day
    second = 36000 + np.minimum(s.number[seen], 30000)
    at = midnight + (s.day[seen] * 86400 + second).astype("timedelta64[s]")
    ids = np.array([f"C{i:06d}" for i in range(int(s.identity.max()) + 1)])
    log = pl.DataFrame(
        {
            "customer": ids[s.identity[seen]],
            "at": at.astype("datetime64[us]"),
            "grade": np.array((*GRADES, "unknown"))[s.grade[seen]],
        }
    )
    retention = f'returns = "{s.shop.returns}"\n' if s.shop.returns else ""
    if s.shop.complaints:
        later = s.complained[seen]
        made = (later > 0) & (s.day[seen] + later < s.shop.days)
        about = log.filter(pl.Series(made)).with_columns(
            pl.col("at") + pl.duration(days=pl.Series(later[made])),
            grade=pl.lit("bad"),
            kind=pl.lit("complaint"),
        )
        log = pl.concat([log.with_columns(kind=pl.lit("order")), about])
        retention += "active = \"kind = 'order'\"\n"
    log.sort("at", "customer").write_parquet(folder / "interactions.parquet")
    return write_study(
        folder,
        STUDY,
        s.shop.days,
        s.shop.moments if with_moment_keys else {},
        name=name,
        about=s.shop.about,
        gap=s.shop.gap_days,
        horizon=s.shop.horizon_days,
        retention=retention,
    )


STUDY = """\
# {about}

[study]
id = "{name}"
name = "{name} (synthetic)"
horizon_days = {horizon}

[interactions]
source = "interactions.parquet"
log_from = {first}
log_until = {last}

[moments]
{moments}
[retention]
kind = "activity"
gap_days = {gap}
{retention}"""

# a third comes once a year; what counts as a lapse is shorter than half a year, and its double as well
YEARLY: dict[str, Any] = {
    "at_christmas": 1 / 3,
    "christmas_lapse": 0.0,
    "pace_spread": 0.5,
    "gap_days": 120,
    "customers": 6000,
}

# quick buyers of whom each lapses on any day, however long ago the last contact was
ANY_DAY: dict[str, Any] = {
    "pace": 10.0,
    "pace_spread": 0.5,
    "lapse_per_day": 1 / 300,
    "gap_days": 120,
    "customers": 6000,
}

# so quick that a silence of 60 days is an end, and that eight months after the first bad contact all is settled
THREE: dict[str, Any] = {
    "pace": 8.0,
    "pace_spread": 0.3,
    "gap_days": 60,
    "horizon_days": 240,
    "customers": 6000,
}

SHOPS: dict[str, Shop] = {
    "shop-null": Shop(about="Grades do nothing, and nothing else happens."),
    "shop-first": Shop(
        about="The first bad contact multiplies the hazard of lapsing by 1.6, for good.",
        bad_first=1.6,
    ),
    "shop-latest": Shop(
        about="While the latest contact is bad, the hazard of lapsing is twice as high.",
        bad_latest=2.0,
    ),
    "shop-slow-buyers": Shop(
        about="Slow buyers find more bad; they lapse no sooner, but look as if.",
        bad_by_pace=0.6,
        pace_spread=1.0,
        gap_days=90,
    ),
    "shop-slow-buyers-true": Shop(
        about="Slow buyers find more bad, and the first bad contact multiplies the hazard by 1.6.",
        bad_by_pace=0.6,
        pace_spread=1.0,
        gap_days=90,
        bad_first=1.6,
    ),
    "shop-quick-critics": Shop(
        about="Quick buyers find more bad, and the first bad contact multiplies the hazard by 1.6.",
        bad_by_pace=-0.6,
        pace_spread=1.0,
        gap_days=90,
        bad_first=1.6,
    ),
    "shop-heavy-tails": Shop(
        about="Paces differ thirtyfold, and slow buyers find a little more bad.",
        pace_spread=1.4,
        bad_by_pace=0.3,
        gap_shape=0.5,
        gap_days=120,
    ),
    "shop-slow-january": Shop(
        about="In January all is slow and much is bad.",
        january_gap=3.0,
        january_bad=4.0,
        gap_days=90,
    ),
    "shop-seasons": Shop(
        about="Summer is slow, and more is bad in it.", season=2.0, season_bad=1.8, gap_days=120
    ),
    "shop-about-to-lapse": Shop(
        about="Who is about to lapse grades its last contacts worse.", last_bad=4.0, last_contacts=2
    ),
    "shop-outage": Shop(
        about="For 45 days much is bad, and customers lapse three times as often.",
        outage=(500, 544, 8.0, 3.0),
    ),
    "shop-temperament": Shop(
        about="Who grades harshly lapses sooner, whatever happens.", temperament=(0.7, 0.4)
    ),
    "shop-slowing": Shop(
        about="Customers slow down with every contact, whatever its grade.",
        slowing=1.05,
        gap_days=120,
    ),
    "shop-not-answering": Shop(
        about="The first bad contact multiplies the hazard by 1.6, but who is about to lapse does not answer.",
        bad_first=1.6,
        last_answered=0.05,
        last_contacts=2,
    ),
    "shop-quick-critics-null": Shop(
        about="Quick buyers find more bad; grades do nothing.",
        bad_by_pace=-0.6,
        pace_spread=1.0,
        gap_days=90,
    ),
    "shop-boxes": Shop(
        about="A box every thirty days, whoever it is; those with a temper grade worse and lapse sooner.",
        rhythm=30,
        temperament=(0.7, 0.4),
        gap_days=60,
    ),
    "shop-boxes-true": Shop(
        about="A box every thirty days, and the first bad contact multiplies the hazard by 1.6.",
        rhythm=30,
        bad_first=1.6,
        gap_days=60,
    ),
    "shop-gifts": Shop(
        about="Every eighth customer buys gifts in December only, finds more bad, and comes back a year later.",
        at_christmas=0.125,
        christmas_bad=3.0,
        gap_days=90,
    ),
    "shop-programme": Shop(
        about="From the middle on, loyal customers join a programme: they lapse less, buy quicker and grade better.",
        programme=(500, 4, 0.3, 0.4, 0.6, 0.4),
    ),
    "shop-programme-true": Shop(
        about="The same, and the first bad contact multiplies the hazard by 1.6.",
        programme=(500, 4, 0.3, 0.4, 0.6, 0.4),
        bad_first=1.6,
    ),
    "shop-returns": Shop(
        about="A bad purchase brings three contacts about a return; grades do nothing.",
        follow_ups=3,
    ),
    "shop-returns-true": Shop(
        about="A bad purchase brings three contacts about a return, and the first one multiplies the hazard by 1.6.",
        follow_ups=3,
        bad_first=1.6,
    ),
    "shop-three-inside": Shop(
        about="After a first bad contact hardly anybody stays for a third one: inside the claim.",
        lapse=0.22,
        bad_first=2.0,
        **THREE,
    ),
    "shop-three-edge": Shop(
        about="After a first bad contact 92.5% lapse before a third one: at the edge of the claim.",
        lapse=0.16476,
        bad_first=2.0,
        **THREE,
    ),
    "shop-three-outside": Shop(
        about="After a first bad contact many stay for a third one: outside the claim.",
        lapse=0.10,
        bad_first=2.0,
        **THREE,
    ),
    "shop-three-nothing": Shop(
        about="Nearly all lapse before a third bad contact, and as many without any: grades do nothing.",
        lapse=0.44,
        **THREE,
    ),
    "shop-good": Shop(
        about="Every good contact multiplies the hazard of lapsing by 0.9.",
        good_each=0.9,
        lapse=0.1,
    ),
    "shop-new-ids": Shop(
        about="On a day all customers get new ids, and for a month before and after it much is bad.",
        new_ids=(500, 4.0, 30),
        gap_days=120,
        customers=6000,
    ),
    "shop-new-ids-true": Shop(
        about="The same, and the first bad contact multiplies the hazard of lapsing by 1.6.",
        new_ids=(500, 4.0, 30),
        gap_days=120,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-two-ids": Shop(
        about="A tenth use two ids in turn, so that each has half the pace, and grade harshly.",
        two_ids=(0.1, 3.0),
        customers=6000,
    ),
    "shop-yearly": Shop(
        about="A third buy before Christmas only, find more bad, and never lapse.",
        christmas_bad=3.0,
        **YEARLY,
    ),
    "shop-yearly-kind-true": Shop(
        about="A third buy before Christmas only, find less bad, and never lapse; a first bad contact: x 1.6.",
        christmas_bad=0.33,
        bad_first=1.6,
        **YEARLY,
    ),
    "shop-yearly-returns": Shop(
        about="As shop-yearly, and who comes back after a lapse is at risk again.",
        christmas_bad=3.0,
        returns="new_spell",
        **YEARLY,
    ),
    "shop-pareto": Shop(
        about="Rates are gamma distributed, customers lapse on any day, and slow buyers find more bad.",
        gamma_pace=0.8,
        gap_shape=1.0,
        lapse_per_day=1 / 300,
        bad_by_pace=0.4,
        customers=6000,
    ),
    "shop-pareto-quick-true": Shop(
        about="The same, but quick buyers find more bad, and the first bad contact multiplies the hazard by 1.6.",
        gamma_pace=0.8,
        gap_shape=1.0,
        lapse_per_day=1 / 300,
        bad_by_pace=-0.4,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-any-day-true": Shop(
        about="Customers lapse on any day, and the first bad contact multiplies the hazard per day by 1.6.",
        lapse_per_day=1 / 300,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-closed": Shop(
        about="Boxes every thirty days; for two months none is sent, and before that much was bad.",
        rhythm=30,
        closed=(500, 559, 4.0, 30),
        gap_days=60,
        customers=6000,
    ),
    "shop-closed-true": Shop(
        about="The same, and the first bad contact multiplies the hazard of lapsing by 1.6.",
        rhythm=30,
        closed=(500, 559, 4.0, 30),
        gap_days=60,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-moving": Shop(
        about="Who lapses moves away: on any day, and in the thirty days before it much is bad.",
        lapse_per_day=1 / 300,
        prodrome=(30, 4.0),
        customers=6000,
    ),
    "shop-graded-on-return": Shop(
        about="A grade is given at the next order, so that whoever does not come back gives none.",
        graded_on_return=True,
        customers=6000,
    ),
    "shop-graded-on-return-true": Shop(
        about="The same, and the first bad contact multiplies the hazard of lapsing by 1.6.",
        graded_on_return=True,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-complaints": Shop(
        about="After half of bad orders there is a complaint, which is no order; the harsh lapse sooner.",
        complaints=0.5,
        temperament=(0.7, 0.4),
        customers=6000,
    ),
    "shop-complaints-true": Shop(
        about="After half of bad orders there is a complaint; the first bad order multiplies the hazard by 1.6.",
        complaints=0.5,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-loyal-harsh-true": Shop(
        about="Who grades harshly lapses later, and the first bad contact multiplies the hazard by 1.6.",
        temperament=(0.8, -0.5),
        bad_first=1.6,
        customers=6000,
    ),
    "shop-loyal-quick-true": Shop(
        about="Quick buyers find more bad and lapse later; the first bad contact multiplies the hazard by 1.6.",
        bad_by_pace=-0.8,
        lapse_by_pace=0.4,
        pace_spread=1.0,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-sales": Shop(
        about="A quarter come in sales only, every 180 days, and find more bad.",
        sales=(0.25, 180, 3.0),
        pace_spread=0.5,
        gap_days=120,
        customers=6000,
    ),
    "shop-slower-and-harsher": Shop(
        about="From a day of their own on customers buy at a third of their pace and grade worse; none lapses sooner.",
        change=(3.0, 3.0),
        gap_days=120,
        customers=6000,
    ),
    "shop-sales-kind-true": Shop(
        about="A quarter come in sales only, every 260 days, and find less bad; the first bad contact: x 1.6.",
        sales=(0.25, 260, 0.33),
        pace_spread=0.5,
        gap_days=120,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-slower-and-kinder-true": Shop(
        about="From a day of their own on customers buy at a third of their pace and grade better; first bad: x 1.6.",
        change=(3.0, 0.33),
        gap_days=120,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-passers": Shop(
        about="Three in ten pass by, most after one or two contacts, and find more bad.",
        passers=(0.3, 12.0, 3.0),
        customers=6000,
    ),
    "shop-passers-kind-true": Shop(
        about="Three in ten pass by and find less bad; the first bad contact multiplies the hazard by 1.6.",
        passers=(0.3, 12.0, 0.33),
        bad_first=1.6,
        customers=6000,
    ),
    "shop-6000-even": Shop(
        about="All buy at nearly the same pace, and the first bad contact multiplies the hazard by 1.6.",
        pace_spread=0.2,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-6000-heavy-tails": Shop(
        about="Paces differ thirtyfold, and the first bad contact multiplies the hazard by 1.6.",
        pace_spread=1.4,
        gap_shape=0.5,
        gap_days=120,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-6000-seasons": Shop(
        about="Summer is slow, and more is bad in it; the first bad contact multiplies the hazard by 1.6.",
        season=2.0,
        season_bad=1.8,
        gap_days=120,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-6000-harsh-slow": Shop(
        about="Slow buyers find much more bad, and the first bad contact multiplies the hazard by 1.6.",
        bad_by_pace=0.8,
        pace_spread=1.0,
        gap_days=120,
        bad_first=1.6,
        customers=6000,
    ),
    "shop-three-apart-inside": Shop(
        about="As inside of the claim as shop-three-inside, where few leave without a bad contact.",
        lapse=0.03,
        bad_first=15.0,
        **THREE,
    ),
    "shop-three-apart-outside": Shop(
        about="Outside of the claim, where few leave without a bad contact.",
        lapse=0.02,
        bad_first=10.0,
        **THREE,
    ),
    "shop-pareto-quicker-true": Shop(
        about="As shop-pareto-quick-true, where quick buyers find far more bad: masked twice as much.",
        gamma_pace=0.8,
        gap_shape=1.0,
        lapse_per_day=1 / 300,
        bad_by_pace=-0.9,
        bad_first=1.6,
        customers=12_000,
    ),
    "shop-loyal-quicker-true": Shop(
        about="Quick buyers find far more bad and lapse far later; the first bad contact: x 1.6, 12,000 customers.",
        bad_by_pace=-1.0,
        lapse_by_pace=0.8,
        pace_spread=1.0,
        bad_first=1.6,
        customers=12_000,
    ),
    "shop-loyal-harsher-true": Shop(
        about="Who grades very harshly lapses far later; the first bad contact: x 1.6, 12,000 customers.",
        temperament=(1.2, -0.8),
        bad_first=1.6,
        customers=12_000,
    ),
    "shop-slower-any-day": Shop(
        about="From a day of their own on customers buy at a third of their pace and grade worse; lapses on any day.",
        change=(3.0, 3.0),
        **ANY_DAY,
    ),
    "shop-slower-kinder-any-day-true": Shop(
        about="The same, but they grade better, and the first bad contact multiplies the hazard per day by 1.6.",
        change=(3.0, 0.33),
        bad_first=1.6,
        **ANY_DAY,
    ),
    "shop-own-seasons": Shop(
        about="Each customer has a slow season of its own in which more is bad; lapses on any day.",
        own_season=(2.0, 2.0),
        **ANY_DAY,
    ),
    "shop-pareto-own-seasons": Shop(
        about="As shop-pareto, and each customer has a slow season of its own in which more is bad.",
        gamma_pace=0.8,
        gap_shape=1.0,
        lapse_per_day=1 / 300,
        bad_by_pace=0.4,
        own_season=(1.5, 1.5),
        customers=30_000,
    ),
    "shop-two-ids-own-seasons": Shop(
        about="A tenth use two ids in turn and grade harshly, and each customer has a slow season with more bad.",
        two_ids=(0.1, 3.0),
        own_season=(2.0, 2.0),
        pace=10.0,
        pace_spread=0.5,
        gap_days=120,
        customers=30_000,
    ),
    "shop-far-slower-any-day": Shop(
        about="As shop-slower-any-day, at a quarter of their pace and six times the odds of a bad grade.",
        change=(4.0, 6.0),
        **(ANY_DAY | {"customers": 30_000}),
    ),
}

# where nothing is planted, what is wide at 6,000 customers need not be at 30,000: what is left of a bias is seen there
LARGE = (
    "shop-slower-any-day",
    "shop-yearly",
    "shop-pareto",
    "shop-passers",
    "shop-slower-and-harsher",
    "shop-moving",
    "shop-two-ids",
    "shop-new-ids",
)
SHOPS |= {
    f"{name}-30000": replace(SHOPS[name], about=f"As {name}, 30,000 customers.", customers=30_000)
    for name in LARGE
}
