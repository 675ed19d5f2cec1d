"""The families of companies: what happens in each, put together from who is influenced, when, and by how much."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.hostile.simulate import (
    BAD,
    SPELLS,
    Company,
    Day,
    Effects,
    Influence,
    Weight,
)

WINDOW = 30  # days of a month of the calendar


def from_day(first: int) -> Weight:
    """From a day of the log on."""
    return lambda day: day.number >= first


def between(first: int, last: int) -> Weight:
    """From a day of the log to another."""
    return lambda day: first <= day.number <= last


def growing(first: int, last: int) -> Weight:
    """From 0 on a day of the log to 1 on another."""
    return lambda day: float(np.clip((day.number - first) / (last - first), 0, 1))


def season(peak: int) -> Weight:
    """A wave over the year, 1 on that day of the log and -1 half a year later."""
    return lambda day: float(np.cos(2 * np.pi * (day.number - peak) / 365))


def yearly(first: int, last: int) -> Weight:
    """Days of every year, counted from the log's first day."""
    return lambda day: first <= day.number % 365 <= last


def monthly(first: int, last: int) -> Weight:
    """Days 0 to 29 of a month."""
    return lambda day: first <= day.number % WINDOW <= last


def in_tenure(first: int, last: int) -> Weight:
    """From a day of the relation to another."""
    return lambda day: (day.tenure >= first) & (day.tenure <= last)


def around_anniversary(before: int, after: int) -> Weight:
    """Around the end of every year of the relation."""
    return lambda day: (day.tenure > 180) & ((day.tenure + before) % 365 <= before + after)


def trait(k: int) -> Weight:
    """A standard normal trait of the customer."""
    return lambda day: day.people.traits[:, k]


def pace() -> Weight:
    """How often a customer is in touch, as the logarithm of its ratio to the mean."""
    return lambda day: np.log(np.maximum(day.people.pace, 0.05))


def hidden(k: int, share: float) -> Weight:
    """A hidden group of customers."""
    return lambda day: day.people.lots[:, k] < share


def always() -> Weight:
    """Everybody, on every day."""
    return lambda _: 1.0


def in_segment(k: int) -> Weight:
    """A segment that is in the data."""
    return lambda day: day.people.segment == k


def started(first: int, last: int) -> Weight:
    """Customers who started between two days of the log."""
    return lambda day: (day.people.start >= first) & (day.people.start <= last)


def staggered(days: tuple[int, ...]) -> Weight:
    """From a day on that depends on the region, which is not in the data; regions are of one size."""

    def weight(day: Day) -> Any:
        region = (day.people.lots[:, 0] * len(days)).astype(int)
        return day.number >= np.array(days)[region]

    return weight


def about_to_leave(shortest: int, longest: int) -> Weight:
    """The last days before leaving: how many differs between customers, evenly from shortest to longest."""

    def weight(day: Day) -> Any:
        if day.days_left is None:
            raise ValueError(
                "who is about to leave is known only to influences that leave the hazard alone"
            )
        lead = shortest + np.floor(day.people.lead * (longest - shortest + 1))
        return day.days_left <= lead

    return weight


def since_contact(days: int) -> Weight:
    """While the last contact of any grade is at most so many days old."""
    return lambda day: day.number - day.past.last.max(axis=1) <= days


def since_bad(days: int) -> Weight:
    """While the last bad moment is at most so many days old."""
    return lambda day: day.number - day.past.last[:, BAD] <= days


def spells(days: int, per_year: float) -> Weight:
    """Troubles of a customer's own that come at random and last so many days."""

    def weight(day: Day) -> Any:
        first, last = day.span
        years = (last - first + 1) / 365
        count = min(max(round(per_year * years), 1), SPELLS)
        begin = first + day.people.spells[:, :count] * (last - first)
        return ((begin <= day.number) & (day.number < begin + days)).any(axis=1)

    return weight


def mood() -> Weight:
    """A trait of mean 0 and variance 1 that drifts over months, differently for every customer."""
    periods = np.array([210, 270, 340, 430, 560, 740])

    def weight(day: Day) -> Any:
        angle = 2 * np.pi * (day.number / periods + day.people.phases)
        return np.cos(angle).sum(axis=1) / np.sqrt(len(periods) / 2)

    return weight


def contacts_so_far(most: int) -> Weight:
    """From 0 at the first contact to 1 at so many."""
    return lambda day: np.minimum(day.past.count.sum(axis=1), most) / most


def first_contact() -> Weight:
    """While there has been no contact yet."""
    return lambda day: day.past.count.sum(axis=1) == 0


def long_standing(days: int) -> Weight:
    """From 0 at the start of the relation to 1 after so many days."""
    return lambda day: np.clip(day.tenure, 0, days) / days


def in_turn(days: tuple[int, ...], length: int) -> Weight:
    """For so many days from a day on that depends on the region, which is not in the data."""
    begun, over = staggered(days), staggered(tuple(d + length for d in days))
    return lambda day: begun(day) & ~over(day)


def both(*weights: Weight) -> Weight:
    """Where all of them hold."""

    def weight(day: Day) -> Any:
        result: Any = 1
        for one in weights:
            result = result * one(day)
        return result

    return weight


HARSH = Influence(weight=trait(0), leave=1.6, bad=2.2)
SHORT = Effects(bad_recent=2.5)
BRIEF: dict[str, Any] = {
    "hazard": 0.012,
    "contacts": 1 / 30,
    "started_before": 0.05,
    "years_before": 0.5,
}
YEARLY: dict[str, Any] = {
    "influences": (
        Influence(weight=around_anniversary(5, 10), leave=500),
        Influence(weight=around_anniversary(40, 0), contacts=3, bad=4),
    ),
    "hazard": 0.00004,
}

FAMILIES: dict[str, Company] = {
    # nothing but moments: what is true is clear
    "null": Company(about="Moments do nothing, and nothing else happens."),
    "null-20000": Company(
        about="Moments do nothing, and nothing else happens, in a company four times as large.",
        customers=20_000,
    ),
    "clear-first": Company(
        about="The first bad moment multiplies the hazard by 1.6, for good.",
        effects=Effects(bad_first=1.6),
    ),
    "clear-first-harsh": Company(
        about="The same, and harsh graders leave sooner besides.",
        effects=Effects(bad_first=1.6),
        influences=(Influence(weight=trait(0), leave=1.4, bad=1.8),),
    ),
    "clear-dose": Company(
        about="Each bad moment multiplies the hazard by 1.25; grades are measured, not given by customers.",
        effects=Effects(bad_each=1.25),
        hazard=0.0009,
        moments={"grades": "measured"},
    ),
    "dose": Company(
        about="Each bad moment multiplies the hazard by 1.25, and customers give the grades.",
        effects=Effects(bad_each=1.25),
        hazard=0.0009,
    ),
    "clear-short": Company(
        about="A bad moment multiplies the hazard by 2.5 for 30 days; deciding and leaving coincide.",
        effects=SHORT,
        moments={"lead_days": []},
    ),
    "short": Company(
        about="A bad moment multiplies the hazard by 2.5 for 30 days, and nobody declared how customers decide.",
        effects=SHORT,
    ),
    "edge-first": Company(
        about="The first bad moment multiplies the hazard by 1.1, the smallest effect that matters.",
        effects=Effects(bad_first=1.1),
    ),
    "first-impression": Company(
        about="A first contact that is bad multiplies the hazard by 2; other bad moments do nothing.",
        effects=Effects(first_contact_bad=2.0),
    ),
    "silence": Company(
        about="Silence of 90 days multiplies the hazard by 1.6.",
        effects=Effects(silence=1.6),
        hazard=0.0008,
    ),
    # those of the first outside trial
    "already-leaving": Company(
        about="Who has decided leaves 1 to 14 days later and is in touch more often meanwhile, 60% bad.",
        influences=(Influence(weight=about_to_leave(1, 14), contacts=6, bad=9),),
    ),
    "harsh-before-leaving": Company(
        about="Who is about to leave grades worse, up to 60 days before.",
        influences=(Influence(weight=about_to_leave(1, 60), bad=5),),
    ),
    "calendar-break": Company(
        about="From a day on the hazard is 2.5 times as high, and there are more bad grades.",
        influences=(Influence(weight=from_day(450), leave=3, bad=6),),
        hazard=0.0006,
        shares=(0.06, 0.34, 0.6),
    ),
    "outage": Company(
        about="An outage of 45 days: more contacts, more bad grades and more departures at once.",
        influences=(Influence(weight=between(400, 444), leave=6, contacts=4, bad=25),),
        hazard=0.0007,
        shares=(0.05, 0.34, 0.61),
    ),
    "any-contact": Company(
        about="Any contact, whatever its grade, multiplies the hazard by 2.5 for 30 days.",
        influences=(Influence(weight=since_contact(30), leave=2.5),),
        hazard=0.0006,
    ),
    "any-contact-masks": Company(
        about="Any contact halves the hazard for 30 days; the first bad moment multiplies it by 1.4.",
        influences=(Influence(weight=since_contact(30), leave=0.5),),
        effects=Effects(bad_first=1.4),
        hazard=0.001,
    ),
    "any-contact-masks-short": Company(
        about="Any contact halves the hazard for 30 days; a bad moment doubles it for as long.",
        influences=(Influence(weight=since_contact(30), leave=0.5),),
        effects=Effects(bad_recent=2.0),
        hazard=0.001,
    ),
    "temperament": Company(
        about="Who grades harshly leaves sooner, whatever happens.",
        influences=(HARSH,),
    ),
    "hidden-tariff": Company(
        about="A tariff that is not in the data makes both bad moments and leaving more frequent.",
        influences=(Influence(weight=hidden(0, 0.3), leave=2.5, bad=4),),
        hazard=0.0007,
    ),
    "not-answering": Company(
        about="The first bad moment multiplies the hazard by 1.3, but who is about to leave does not answer.",
        influences=(Influence(weight=about_to_leave(1, 60), answered=0.05),),
        effects=Effects(bad_first=1.3),
    ),
    "good-small": Company(
        about="Every good moment multiplies the hazard by 0.95, ten of them by 0.60.",
        effects=Effects(good_each=0.95),
        hazard=0.0011,
    ),
    "four-edge": Company(
        about="A first failure multiplies the hazard by 1.1 for each of the four expectations.",
        effects=Effects(failed=(1.1, 1.1, 1.1, 1.1)),
        hazard=0.0009,
    ),
    # more of them
    "seasons": Company(
        about="Winter has more bad moments, more contacts and more departures.",
        influences=(Influence(weight=season(0), leave=1.9, bad=1.8, contacts=1.4),),
        hazard=0.0008,
    ),
    "discount-ends": Company(
        about="A discount ends after twelve months: a letter that many find bad, and then departures.",
        influences=(
            Influence(weight=in_tenure(362, 400), leave=5),
            Influence(weight=in_tenure(345, 380), contacts=3, bad=4),
        ),
        hazard=0.0007,
    ),
    "price-rise": Company(
        about="A price rise at every anniversary of the start: contacts, bad grades and departures around it.",
        influences=(
            Influence(weight=around_anniversary(0, 25), leave=4),
            Influence(weight=around_anniversary(15, 20), contacts=3, bad=4),
        ),
        hazard=0.0008,
    ),
    "agent-leaves": Company(
        about="An agent who looked after a sixth of the customers leaves; these are served worse and leave more.",
        influences=(Influence(weight=both(hidden(0, 1 / 6), from_day(420)), leave=3.5, bad=6),),
        is_beyond_reach=True,
        hazard=0.0008,
    ),
    "migration": Company(
        about="A segment is moved to a new system for 120 days: contacts, bad grades and departures.",
        influences=(
            Influence(weight=both(in_segment(1), between(380, 500)), leave=4, contacts=2.5, bad=8),
        ),
        hazard=0.0009,
    ),
    "holidays": Company(
        about="Three weeks a year without contacts and departures; afterwards both catch up, and grades are bad.",
        influences=(
            Influence(weight=yearly(210, 230), leave=0.05, contacts=0.02),
            Influence(weight=yearly(231, 251), leave=3, contacts=2.5, bad=4),
        ),
    ),
    "neutral-bot": Company(
        about="The first bad moment multiplies the hazard by 1.6; from a day on a bot grades half of all as neutral.",
        effects=Effects(bad_first=1.6),
        neutral_from=430,
        neutral_share=0.5,
    ),
    "neutral-bot-break": Company(
        about="From a day on a bot grades half of all as neutral, and more leave for other reasons.",
        influences=(Influence(weight=from_day(430), leave=2.2),),
        neutral_from=430,
        neutral_share=0.5,
        hazard=0.0006,
    ),
    "backlog": Company(
        about="The first bad moment multiplies the hazard by 1.6; bad ones are recorded 5 to 25 days late.",
        effects=Effects(bad_first=1.6),
        recorded_after=(5, 25),
    ),
    "reorganised": Company(
        about="Contacts without a person are recorded only from a day on, on which more begin to leave.",
        influences=(Influence(weight=from_day(450), leave=2.5, bad=4),),
        unseen_remote_until=450,
        hazard=0.0007,
    ),
    "heavy-users": Company(
        about="Who is often in touch stays longer and finds more moments good.",
        influences=(Influence(weight=pace(), leave=0.6, good=1.3),),
        hazard=0.0009,
    ),
    "heavy-users-leave": Company(
        about="Who is often in touch has trouble: it leaves sooner and finds more moments bad.",
        influences=(Influence(weight=pace(), leave=1.6, bad=1.4),),
    ),
    "young-log": Company(
        about="A log of ten months in a company four years older, where harsh graders leave sooner.",
        influences=(HARSH,),
        years=0.85,
        started_before=0.85,
        years_before=4,
        contacts=1 / 25,
        hazard=0.0008,
    ),
    "young-log-true": Company(
        about="A log of ten months in a company four years older; the first bad moment multiplies the hazard by 1.6.",
        effects=Effects(bad_first=1.6),
        years=0.85,
        started_before=0.85,
        years_before=4,
        contacts=1 / 60,
        hazard=0.0008,
    ),
    "campaign": Company(
        about="In one month a campaign brings a fifth of all customers, who find more bad and leave sooner.",
        influences=(Influence(weight=started(250, 279), leave=3, bad=4),),
        wave=(0.2, 250, 279),
        hazard=0.0007,
    ),
    "other-exits": Company(
        about="Ill health makes customers grade harshly, leave, and die or move away alike.",
        influences=(Influence(weight=trait(0), leave=1.6, other_exit=1.6, bad=2.2),),
        other_hazard=0.0003,
    ),
    "billing-cycle": Company(
        about="Customers leave at month ends only; in the week before, bills bring bad grades.",
        influences=(Influence(weight=monthly(22, 27), contacts=3, bad=5),),
        leaves_at_month_end=True,
    ),
    "gifts": Company(
        about="Who is about to leave is given gifts, and finds them good; good moments do nothing.",
        influences=(Influence(weight=about_to_leave(1, 30), contacts=5, good=12),),
    ),
    "gifts-mask": Company(
        about="Every good moment multiplies the hazard by 0.93, but who is about to leave is given gifts.",
        influences=(Influence(weight=about_to_leave(1, 30), contacts=3, good=12),),
        effects=Effects(good_each=0.93),
        hazard=0.0012,
    ),
    "roll-out": Company(
        about="A new system comes to four regions at different times; from then on all is worse, and more leave.",
        influences=(Influence(weight=staggered((200, 350, 500, 650)), leave=2.5, bad=5),),
        is_beyond_reach=True,
        hazard=0.0006,
    ),
    "falling-silent": Company(
        about="Who is about to leave falls silent, up to 60 days before.",
        influences=(Influence(weight=about_to_leave(20, 60), contacts=0.05),),
    ),
    "seldom-loyal": Company(
        about="Customers who are seldom in touch are less loyal, silent or not.",
        influences=(Influence(weight=pace(), leave=0.5),),
    ),
    "follow-ups": Company(
        about="A bad moment brings more contacts for two weeks, many of them bad; none does anything.",
        influences=(Influence(weight=since_bad(14), contacts=5, bad=5),),
    ),
    "better-service": Company(
        about="Over the years service becomes better and fewer leave, for other reasons.",
        influences=(Influence(weight=growing(0, 900), leave=0.35, bad=0.3, good=1.3),),
        hazard=0.001,
    ),
    "onboarding": Company(
        about="New customers are in touch more, find more bad and leave more, in the first 60 days.",
        influences=(Influence(weight=in_tenure(0, 60), leave=3, contacts=3, bad=3),),
        hazard=0.0009,
    ),
    "poor-channel": Company(
        about="A quarter come by a reseller: their first weeks are bad, and they leave sooner for good.",
        influences=(
            Influence(weight=both(hidden(0, 0.25), in_tenure(0, 21)), contacts=3, bad=9),
            Influence(weight=hidden(0, 0.25), leave=2.2),
        ),
        hazard=0.0008,
    ),
    "troubles": Company(
        about="Spells of trouble at home for 20 days: more contacts, more bad grades, more departures.",
        influences=(Influence(weight=spells(20, 1.0), leave=5, contacts=3, bad=5),),
        hazard=0.0008,
    ),
    "mood": Company(
        about="A mood that drifts over months makes customers grade worse and leave.",
        influences=(Influence(weight=mood(), leave=1.7, bad=2.2),),
        is_beyond_reach=True,
        hazard=0.0009,
    ),
    "loyal-critics": Company(
        about="The first bad moment multiplies the hazard by 1.6, but harsh graders stay longer.",
        influences=(Influence(weight=trait(0), leave=0.65, bad=2),),
        effects=Effects(bad_first=1.6),
    ),
    "kind-and-loyal": Company(
        about="Who grades kindly stays longer, whatever happens.",
        influences=(Influence(weight=trait(0), leave=0.6, good=2, bad=0.8),),
    ),
    "hard-times": Company(
        about="Hard times come and go: few answer then, those who do find more bad, and more leave.",
        influences=(Influence(weight=spells(60, 1.0), leave=2.5, bad=2.5, answered=0.15),),
        hazard=0.0008,
    ),
    "cancellation-call": Company(
        about="Who leaves calls one to three days before, and is not kind.",
        influences=(Influence(weight=about_to_leave(1, 3), contacts=15, bad=9),),
    ),
    "warned-and-true": Company(
        about="The first bad moment multiplies the hazard by 1.6; who is about to leave grades worse besides.",
        influences=(Influence(weight=about_to_leave(1, 60), bad=3),),
        effects=Effects(bad_first=1.6),
    ),
    "polite-before-leaving": Company(
        about="The first bad moment multiplies the hazard by 1.6; who is about to leave no longer complains.",
        influences=(Influence(weight=about_to_leave(1, 60), bad=0.2),),
        effects=Effects(bad_first=1.6),
    ),
    "decided-long-ago": Company(
        about="Who is about to leave grades worse up to 150 days before, longer than anybody assumes.",
        influences=(Influence(weight=about_to_leave(60, 150), bad=3),),
        is_beyond_reach=True,
    ),
    "silent-long-before": Company(
        about="Who is about to leave falls silent up to 150 days before, longer than anybody assumes.",
        influences=(Influence(weight=about_to_leave(60, 150), contacts=0.1),),
        is_beyond_reach=True,
    ),
    # a second trial: short relations
    "life-short": Company(
        about="Relations last 80 days on average, with two or three contacts; moments do nothing.",
        **BRIEF,
    ),
    "life-short-harsh": Company(
        about="Relations last 80 days on average, and who grades harshly leaves sooner.",
        influences=(HARSH,),
        **BRIEF,
    ),
    "life-short-leaving": Company(
        about="Relations last 80 days on average; who is about to leave grades worse, up to 40 days before.",
        influences=(Influence(weight=about_to_leave(1, 40), bad=5),),
        **BRIEF,
    ),
    "life-short-true": Company(
        about="Relations last 80 days on average; the first bad moment doubles the hazard.",
        effects=Effects(bad_first=2.0),
        **BRIEF,
    ),
    # whom the company treats how
    "risk-calls": Company(
        about="The company calls customers at risk, kindly: for 60 days they are in touch more and leave more.",
        influences=(Influence(weight=spells(60, 1.0), leave=5, contacts=4, bad=0.3),),
        hazard=0.0007,
    ),
    "retention-calls": Company(
        about="The company calls who is about to leave, 20 to 60 days before; most find the calls neutral.",
        influences=(Influence(weight=about_to_leave(20, 60), contacts=4, bad=0.2, good=0.4),),
    ),
    "agents-by-value": Company(
        about="Valuable customers, who are not marked in the data, stay longer and are served by better agents.",
        influences=(Influence(weight=hidden(0, 0.4), leave=0.45, bad=0.35, good=1.8),),
        hazard=0.0013,
    ),
    "agents-by-segment": Company(
        about="A segment of valuable customers stays longer and is served by better agents, more so over the years.",
        influences=(
            Influence(weight=in_segment(1), leave=0.45, bad=0.5, good=1.5),
            Influence(weight=both(in_segment(1), long_standing(700)), leave=0.6, bad=0.5),
        ),
        hazard=0.0013,
    ),
    "recovered-valued": Company(
        about="The first bad moment multiplies the hazard by 1.6; it is made good to the valuable, who stay anyway.",
        influences=(
            Influence(weight=hidden(0, 0.5), leave=0.4),
            Influence(weight=both(hidden(0, 0.5), since_bad(14)), contacts=5, good=6),
        ),
        effects=Effects(bad_first=1.6),
        hazard=0.0013,
    ),
    "price-campaign": Company(
        about="A price rise for one segment: for 40 days bad contacts and departures, of that segment alone.",
        influences=(
            Influence(weight=both(in_segment(2), between(400, 440)), leave=8, contacts=4, bad=10),
        ),
    ),
    "price-campaign-hidden": Company(
        about="The same for customers of a tariff that is not in the data.",
        influences=(
            Influence(weight=both(hidden(0, 0.3), between(400, 440)), leave=8, contacts=4, bad=10),
        ),
        hazard=0.0009,
    ),
    "regional": Company(
        about="Four regions, not in the data, have 60 days of trouble each, at different times.",
        influences=(
            Influence(weight=in_turn((200, 350, 500, 650), 60), leave=5, contacts=1.5, bad=6),
        ),
        hazard=0.0008,
    ),
    # by the relation
    "yearly": Company(
        about="Customers leave around anniversaries only; the weeks before bring contacts and bad grades.",
        **YEARLY,
    ),
    "yearly-true": Company(
        about="The same, and the first bad moment multiplies the hazard by 1.6.",
        effects=Effects(bad_first=1.6),
        **YEARLY,
    ),
    "careers": Company(
        about="The more contacts so far, the worse the grades; the longer the relation, the fewer leave.",
        influences=(
            Influence(weight=contacts_so_far(15), bad=6),
            Influence(weight=long_standing(730), leave=0.3),
        ),
        hazard=0.0015,
        shares=(0.06, 0.34, 0.6),
    ),
    "careers-u": Company(
        about="The more contacts so far, the worse the grades; new customers and those of long standing leave most.",
        influences=(
            Influence(weight=contacts_so_far(15), bad=6),
            Influence(weight=in_tenure(0, 60), leave=3),
            Influence(weight=in_tenure(600, 10_000), leave=2.5),
        ),
        hazard=0.0008,
        shares=(0.06, 0.34, 0.6),
    ),
    "harsh-newcomers": Company(
        about="Some grade harshly in the first 60 days only, and leave sooner for good.",
        influences=(
            Influence(weight=trait(0), leave=1.7),
            Influence(weight=both(trait(0), in_tenure(0, 60)), bad=2.5),
        ),
    ),
    "households": Company(
        about="Households of three leave within days of each other, and grade harshly and leave sooner together.",
        influences=(HARSH,),
        household=3,
    ),
    "households-true": Company(
        about="Households of three leave at one limit; a member's first bad moment multiplies its hazard by 1.6.",
        effects=Effects(bad_first=1.6),
        household=3,
    ),
    # before leaving
    "lukewarm-before-leaving": Company(
        about="Who is about to leave finds less good, and more neutral, up to 60 days before.",
        influences=(Influence(weight=about_to_leave(1, 60), good=0.2),),
    ),
    "notice-month": Company(
        about="Who has given notice stays for another month, which ends the relation; bad contacts about the notice.",
        influences=(Influence(weight=about_to_leave(25, 35), contacts=2, bad=6),),
    ),
    "troubles-month": Company(
        about="Spells of trouble at home for 30 days: more contacts, more bad grades, more departures.",
        influences=(Influence(weight=spells(30, 1.0), leave=5, contacts=2, bad=5),),
        hazard=0.0008,
    ),
    "already-leaving-declared": Company(
        about="Who has decided leaves 1 to 14 days later and is in touch more often meanwhile; declared so.",
        influences=(Influence(weight=about_to_leave(1, 14), contacts=6, bad=9),),
        moments={"lead_days": [14]},
    ),
    "dormant": Company(
        about="For 120 days a customer may have no use for the service: no contacts, and more departures.",
        influences=(Influence(weight=spells(120, 0.8), leave=2.5, contacts=0.05),),
        is_beyond_reach=True,
        hazard=0.0008,
    ),
    # by the record
    "answer-bias": Company(
        about="Of those who leave sooner, more answer when it was bad; four in ten contacts are not graded.",
        influences=(Influence(weight=trait(0), leave=1.6, answered_bad=2.5),),
        answered=0.6,
    ),
    "answer-bias-few": Company(
        about="Of those who leave sooner, more answer when it was bad; one in seven contacts is not graded.",
        influences=(Influence(weight=trait(0), leave=1.6, answered_bad=2.5),),
        answered=0.85,
    ),
    "answer-bias-leaving": Company(
        about="Who is about to leave answers when it was bad and not otherwise, up to 60 days before.",
        influences=(Influence(weight=about_to_leave(1, 60), answered=0.4, answered_bad=6),),
        answered=0.6,
    ),
    "ends-late": Company(
        about="Departures are entered 20 to 75 days late; nothing else happens.",
        entered_after=(20, 75),
    ),
    "ends-late-true": Company(
        about="The first bad moment multiplies the hazard by 1.6; departures are entered 20 to 75 days late.",
        effects=Effects(bad_first=1.6),
        entered_after=(20, 75),
    ),
    "ends-very-late": Company(
        about="Departures are entered 60 to 90 days late, longer than the longest lead.",
        entered_after=(60, 90),
        is_beyond_reach=True,
    ),
    "ends-very-late-declared": Company(
        about="Departures are entered 60 to 90 days late, and a lead of 90 days is declared.",
        entered_after=(60, 90),
        moments={"lead_days": [14, 30, 60, 90]},
    ),
    "regraded": Company(
        about="At four in ten departures the last contact, if at most 60 days old, is graded bad afterwards.",
        regraded=0.4,
    ),
    "deleted": Company(
        about="Once a customer has left, half of the contacts that were not bad are deleted.",
        deleted=0.5,
        is_beyond_reach=True,
    ),
    # what is true, and something else besides: it must be decided
    "true-busy": Company(
        about="The first bad moment multiplies the hazard by 1.6, and who is often in touch leaves sooner.",
        influences=(Influence(weight=pace(), leave=1.6),),
        effects=Effects(bad_first=1.6),
    ),
    "true-seasons": Company(
        about="The first bad moment multiplies the hazard by 1.6; winter has more of everything.",
        influences=(Influence(weight=season(0), leave=1.9, bad=1.8, contacts=1.4),),
        effects=Effects(bad_first=1.6),
        hazard=0.0008,
    ),
    "true-month-end": Company(
        about="The first bad moment multiplies the hazard by 1.6; customers leave at month ends only.",
        effects=Effects(bad_first=1.6),
        leaves_at_month_end=True,
    ),
    "true-segment": Company(
        about="The first bad moment multiplies the hazard by 1.6; a segment finds more bad and stays longer.",
        influences=(Influence(weight=in_segment(2), bad=2.5),),
        effects=Effects(bad_first=1.6),
        segment_ratios=(1.0, 0.8, 0.4),
        hazard=0.0011,
    ),
    "true-short": Company(
        about="A bad moment doubles the hazard for 30 days; deciding and leaving coincide.",
        effects=Effects(bad_recent=2.0),
        moments={"lead_days": []},
    ),
    "true-silence": Company(
        about="Silence of 90 days multiplies the hazard by 1.8.",
        effects=Effects(silence=1.8),
        hazard=0.0008,
    ),
    "true-good": Company(
        about="Every good moment multiplies the hazard by 0.93.",
        effects=Effects(good_each=0.93),
        hazard=0.0013,
    ),
    "true-first-contact": Company(
        about="A first contact that is bad doubles the hazard, in a company twice as large with seasons.",
        influences=(Influence(weight=season(0), leave=1.5, bad=1.5),),
        effects=Effects(first_contact_bad=2.0),
        customers=10_000,
    ),
    "true-four": Company(
        about="A first failure multiplies the hazard by 1.5 for each of the four expectations.",
        effects=Effects(failed=(1.5, 1.5, 1.5, 1.5)),
        hazard=0.0007,
    ),
    "true-frailty": Company(
        about="The first bad moment multiplies the hazard by 1.6; customers differ much in how soon they leave.",
        influences=(Influence(weight=trait(1), leave=3),),
        effects=Effects(bad_first=1.6),
        hazard=0.0007,
    ),
    # a third look, for what the claims' own comparisons leave open
    "key-accounts": Company(
        about="The first bad moment multiplies the hazard by 1.6; key accounts stay anyway and are looked after then.",
        influences=(
            Influence(weight=hidden(0, 0.3), leave=0.2),
            Influence(weight=both(hidden(0, 0.3), since_bad(14)), contacts=8, good=10),
        ),
        effects=Effects(bad_first=1.6),
        hazard=0.0015,
    ),
    "decided-month": Company(
        about="Who has decided leaves 15 to 30 days later, and finds nearly everything bad meanwhile.",
        influences=(Influence(weight=about_to_leave(15, 30), contacts=2, bad=12),),
    ),
    "harsh-month": Company(
        about="Who is about to leave grades worse, up to 30 days before.",
        influences=(Influence(weight=about_to_leave(1, 30), bad=5),),
    ),
    "key-accounts-20000": Company(
        about="Key accounts as before, in a company four times as large, and looked after still more.",
        influences=(
            Influence(weight=hidden(0, 0.3), leave=0.15),
            Influence(weight=both(hidden(0, 0.3), since_bad(14)), contacts=10, good=20),
        ),
        effects=Effects(bad_first=1.6),
        customers=20_000,
        hazard=0.0015,
    ),
    "kind-and-loyal-20000": Company(
        about="Who grades kindly stays longer, in a company four times as large; silence does nothing.",
        influences=(Influence(weight=trait(0), leave=0.5, good=2.5, bad=0.7),),
        customers=20_000,
    ),
    "retention-calls-silence": Company(
        about="Silence of 90 days multiplies the hazard by 1.8, but who will leave is called 20 to 60 days before.",
        influences=(Influence(weight=about_to_leave(20, 60), contacts=4, bad=0.2, good=0.4),),
        effects=Effects(silence=1.8),
        hazard=0.0008,
    ),
    "kind-and-quiet": Company(
        about="Who grades kindly stays longer and is in touch less often; bad moments and silence do nothing.",
        influences=(Influence(weight=trait(0), leave=0.6, good=2, contacts=0.75),),
    ),
    "harsh-and-quiet": Company(
        about="Who grades harshly is in touch less often and leaves sooner, whatever happens.",
        influences=(Influence(weight=trait(0), leave=1.6, bad=2.2, contacts=0.7),),
    ),
    "harsh-and-busy": Company(
        about="Who grades harshly is in touch more often and leaves sooner, whatever happens.",
        influences=(Influence(weight=trait(0), leave=1.6, bad=2.2, contacts=1.4),),
    ),
    "true-harsh-and-quiet": Company(
        about="The first bad moment multiplies the hazard by 1.6; harsh graders call less and leave sooner.",
        influences=(Influence(weight=trait(0), leave=1.4, bad=1.8, contacts=0.7),),
        effects=Effects(bad_first=1.6),
    ),
    "oversold": Company(
        about="A reseller promises too much: for a quarter the first contact is bad, and these leave sooner for good.",
        influences=(
            Influence(weight=both(hidden(0, 0.25), first_contact()), bad=12),
            Influence(weight=hidden(0, 0.25), leave=2.2),
        ),
        is_beyond_reach=True,
        hazard=0.0008,
    ),
    "app-users": Company(
        about="Half of the customers do nearly everything in the app, and leave sooner, whatever happens there.",
        influences=(Influence(weight=hidden(0, 0.5), leave=2.2),),
        remote_shares=(0.9, 0.15),
        hazard=0.0007,
    ),
    "graded-when-annoyed": Company(
        about="Only what annoyed is graded, more often by complainers, who leave sooner.",
        influences=(
            Influence(weight=always(), answered_bad=150),
            Influence(weight=trait(0), leave=1.6, answered=1.8),
        ),
        answered=0.01,
    ),
    "grumblers": Company(
        about="Some hardly complain and stay, some are critical and leave, one in ten grumbles at all and stays.",
        influences=(
            Influence(weight=hidden(0, 0.55), leave=4, bad=5.5),
            Influence(weight=hidden(0, 0.1), leave=0.25, bad=14),
        ),
        shares=(0.05, 0.35, 0.6),
        hazard=0.0005,
    ),
    "true-partly-graded": Company(
        about="The first bad moment multiplies the hazard by 1.6; three in ten contacts are not graded, by chance.",
        effects=Effects(bad_first=1.6),
        answered=0.7,
    ),
}
