"""Small, nasty, random studies for Hypothesis, in the form `tests/reference/oracle.py` reads.

Hypothesis draws a seed and the sizes; `random.Random` does the rest, which keeps a thousand studies cheap.
What a study must survive is put in on purpose: same-second contacts, contacts on the days of start, entry and
exit, duplicates, nulls, strangers, late observation, shared clusters, names that look like numbers.
"""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.reference.oracle import Settings

FIRST_DAY = date(2024, 1, 1)
WINDOW = 200
NAMES = (
    "007",
    "7",
    "ü",
    "u",
    "Ω 1",
    "12",
    "1e3",
    "a",
    "A",
    "\u00e9",
    "e\u0301",
    "O'Neil",
    "x,y",
    '"q"',
)
CLUSTERS = ("household 1", "007", "7")
SEGMENTS = ("basic", "plus", "Ü 3")
CAUSES = ("switched", "dissatisfied", "died", None)
GRADES = ("bad", "bad", "bad", "neutral", "good", "good", "unknown")
CALM = ("neutral", "good", "good", "unknown")
CLOCKS = (time(0, 0), time(9, 30), time(9, 30), time(23, 59, 59))

Row = dict[str, Any]
Study = tuple[list[Row], list[Row], Settings]


def day(number: int) -> date:
    """Return the day `number` days after the first."""
    return FIRST_DAY + timedelta(days=number)


def contact(
    random: Random, customer: str | None, when: date | None, grades: tuple[str, ...] = GRADES
) -> Row:
    """Return one contact at one of few times of day, so that ties to the second are frequent."""
    at = None if when is None else datetime.combine(when, random.choice(CLOCKS))
    return {"customer": customer, "at": at, "grade": random.choice(grades)}


def with_dirt(random: Random, contacts: list[Row], limit: int) -> list[Row]:
    """Return the contacts with some copied, some without a customer or a time, in any order."""
    dirty = list(contacts)
    for _ in range(random.choice((0, 1, 2, 4))):
        if contacts:
            dirty.append(dict(random.choice(contacts)))
    for _ in range(random.choice((0, 0, 1, 2))):
        dirty.append(contact(random, None, day(random.randrange(-30, WINDOW + 30))))
    for _ in range(random.choice((0, 0, 1, 2))):
        dirty.append(contact(random, random.choice(NAMES), None))
    dirty = dirty[-limit:] if len(dirty) > limit else dirty
    random.shuffle(dirty)
    return dirty


@st.composite
def contract_studies(
    draw: st.DrawFn, degenerate: bool = False, max_customers: int = 14, max_contacts: int = 60
) -> Study:
    """Draw (contacts, customers, settings) of a contract study.

    Args:
        draw: Given by Hypothesis.
        degenerate: Also draw studies in which nobody and nothing need be kept; otherwise one plain customer
            with two contacts inside everybody's windows is always there.
        max_customers: The most customers; a few further rows (duplicates, conflicts, nulls) come on top.
        max_contacts: The most contacts.
    """
    random = Random(draw(st.integers(0, 2**32 - 1)))
    number = draw(st.integers(0 if degenerate else 1, max_customers))
    size = draw(st.integers(0 if degenerate else 2, max_contacts))
    settings = Settings(
        log_from=random.choice((None, None, day(0), day(20), day(40))),
        log_until=random.choice((None, None, day(WINDOW), day(WINDOW - 30))),
        observed_until=random.choice((None, None, day(WINDOW - 10), day(WINDOW - 45))),
        defection=random.choice(((), ("switched",), ("switched", "dissatisfied"))),
        blackout_days=random.choice((0, 3)),
    )
    names = random.sample(NAMES, number)
    segments = SEGMENTS[: random.choice((1, 1, 2, 3))]
    customers = [contract_customer(random, name, segments, settings) for name in names]
    # Without customers who meet nothing bad there would be nobody to compare with.
    tempers = {name: random.choice((CALM, GRADES, GRADES)) for name in names}
    contacts = []
    if not degenerate:
        start = random.randrange(50, 90)
        plain = {"start": day(start), "end": None, "cause": None}
        plain |= {"observed_from": None, "observed_until": None}
        customers[0] |= plain
        contacts = [
            contact(random, names[0], day(start + 10)),
            contact(random, names[0], day(start + 50)),
        ]

    while customers and len(contacts) < size:
        row = random.choice(customers)
        contacts += some_contacts(random, row, tempers[row["customer"]])[: size - len(contacts)]
    for _ in range(random.choice((0, 0, 1, 2))):
        contacts.append(contact(random, "stranger", day(random.randrange(-20, WINDOW + 20))))

    guaranteed, rest = ([], contacts) if degenerate else (contacts[:2], contacts[2:])
    contacts = guaranteed + with_dirt(random, rest, max_contacts - len(guaranteed))
    random.shuffle(contacts)
    return contacts, with_dirty_rows(random, customers, clean=0 if degenerate else 1), settings


def contract_customer(
    random: Random, name: str, segments: tuple[str, ...], settings: Settings
) -> Row:
    """Return one row of the retention table; a few end before they start or on the day."""
    start = random.randrange(-40, 150)
    stay = random.choice((None, None, 0, 1, 2, -3, *(random.randrange(3, 160) for _ in range(6))))
    opening = settings.log_from or day(0)
    return {
        "customer": name,
        "start": day(start),
        "end": None if stay is None else day(start + stay),
        "cause": None if stay is None else random.choice(CAUSES),
        "segment": random.choice(segments),
        "cluster": random.choice((None, None, name, *CLUSTERS)),
        "observed_from": random.choice(
            (None, None, None, day(start), day(start - 5), day(start + 1), day(start + 25), opening)
        ),
        "observed_until": random.choice(
            (
                None,
                None,
                None,
                day(start + (stay or 60)),
                day(start + 40),
                day(WINDOW - 20),
                day(WINDOW + 20),
            )
        ),
    }


def some_contacts(random: Random, row: Row, grades: tuple[str, ...]) -> list[Row]:
    """Return a contact or a few of one customer, often on a day that matters."""
    start = row["start"]
    end = row["end"] or row["observed_until"] or day(WINDOW)
    entry = max(start, row["observed_from"] or start)
    leaving = min(end, row["observed_until"] or end)
    anywhere = start + timedelta(days=random.randrange(max(1, (end - start).days)))
    matters = random.choice((start, entry, leaving, end))
    worst = grades[:1]
    days, chosen = random.choice(
        (
            *[([anywhere], grades)] * 3,
            *[([matters], grades)] * 2,
            ([matters + timedelta(random.choice((-1, 1)))], grades),
            ([anywhere] * random.choice((2, 3, 4)), worst),
            ([anywhere] * 3, grades),
            ([anywhere + timedelta(gap) for gap in (0, 1, 5, 90)], grades),
            ([day(random.randrange(-60, WINDOW + 40))], grades),
        )
    )
    return [contact(random, row["customer"], when, chosen) for when in days]


def with_dirty_rows(random: Random, customers: list[Row], clean: int) -> list[Row]:
    """Return the rows with copies, conflicts and nulls among them; the first `clean` customers stay whole."""
    rows = list(customers)
    for _ in range(random.choice((0, 0, 1, 2))):
        if customers:
            rows.append(dict(random.choice(customers)))
    for row in customers[clean:]:
        whim = random.random()
        upright = row["end"] is None or row["end"] >= row["start"]
        if whim < 0.06 and upright:
            # A differing row of one customer must overlap: several separate contracts are another subject.
            rows.append(row | {"segment": "other segment"})
        elif whim < 0.10 and upright and row["end"] is not None:
            rows.append(row | {"start": row["end"], "end": None, "cause": None})
        elif whim < 0.14:
            rows.append(row | {"start": None})
    if customers and random.random() < 0.15:
        rows.append(random.choice(customers) | {"customer": None})
    random.shuffle(rows)
    return rows


@st.composite
def shops_with_orders(
    draw: st.DrawFn, max_customers: int = 12, max_contacts: int = 40, max_orders: int = 30
) -> Study:
    """Draw (contacts, no customers, settings) of an activity study whose orders are a table of their own.

    Orders and contacts often fall on one day or one second; some customers have only one of both.

    Args:
        draw: Given by Hypothesis.
        max_customers: The most customers.
        max_contacts: The most contacts in the log.
        max_orders: The most orders.
    """
    contacts, _, settings = draw(activity_studies(False, max_customers, max_contacts))
    random = Random(draw(st.integers(0, 2**32 - 1)))
    known = [c for c in contacts if c["customer"] is not None and c["at"] is not None]
    orders: list[tuple[str | None, datetime | None]] = []
    gap = settings.gap_days or 1
    while len(orders) < random.randrange(2, max_orders):
        near = random.choice(known)
        name = random.choice((near["customer"], near["customer"], random.choice(NAMES)))
        at = near["at"]
        for _ in range(random.choice((1, 2, 4))):
            orders.append((name, at))
            at = at + timedelta(days=random.choice((0, 0, 1, gap - 1, gap, gap + 1)))
            at = datetime.combine(at.date(), random.choice(CLOCKS))
    orders += [(None, known[0]["at"]), (known[0]["customer"], None)]
    guaranteed = (known[0]["customer"], datetime.combine(day(60), CLOCKS[0]))
    return contacts, [], replace(settings, orders=(*orders, guaranteed))


@st.composite
def activity_studies(
    draw: st.DrawFn, degenerate: bool = False, max_customers: int = 14, max_contacts: int = 60
) -> Study:
    """Draw (contacts, no customers, settings) of an activity study.

    Gaps between contacts are often exactly the gap that counts as a lapse, one day less or one day more, and
    contacts often fall on the last day that can be labelled or the day after.

    Args:
        draw: Given by Hypothesis.
        degenerate: Also draw studies in which nothing need be kept or labelled; otherwise one customer always
            has a contact that is early enough to be labelled.
        max_customers: The most customers.
        max_contacts: The most contacts.
    """
    random = Random(draw(st.integers(0, 2**32 - 1)))
    number = draw(st.integers(0 if degenerate else 1, max_customers))
    size = draw(st.integers(0 if degenerate else 2, max_contacts))
    gap = random.choice((1, 7, 14, 30, 60))
    settings = Settings(
        log_from=random.choice((None, None, None, day(0), day(20))),
        log_until=random.choice((None, None, None, day(WINDOW), day(WINDOW - 30))),
        blackout_days=random.choice((0, 3)),
        gap_days=gap,
        new_from=random.choice((None, None, day(0), day(30))),
    )
    names = random.sample(NAMES, number)
    last = ((settings.log_until or day(WINDOW)) - FIRST_DAY).days
    contacts = []
    guaranteed = []
    if not degenerate:
        first = random.randrange(25, 60)
        guaranteed = [
            contact(random, names[0], day(first)),
            contact(random, names[0], day(first + 80)),
        ]
    while names and len(contacts) < size - len(guaranteed):
        name = random.choice(names)
        anywhere = (random.randrange(-10, WINDOW) for _ in range(5))
        where = random.choice((*anywhere, last, last - gap))
        for _ in range(random.choice((1, 1, 2, 3, 6))):
            contacts.append(contact(random, name, day(where)))
            where += random.choice((0, 0, 1, 3, gap - 1, gap, gap, gap + 1))
    contacts = guaranteed + with_dirt(random, contacts, max_contacts - len(guaranteed))
    random.shuffle(contacts)
    return contacts, [], settings


@st.composite
def won_back_studies(draw: st.DrawFn) -> Study:
    """Draw (contacts, customers, settings) in which customers who left come back, once or twice.

    They come back on the next day (a renewal), a day later, or after weeks; sometimes in another segment. Contacts fall
    on the days on which a relation begins or ends, and between two of them.

    Args:
        draw: Given by Hypothesis.
    """
    contacts, customers, settings = draw(contract_studies(max_customers=8, max_contacts=30))
    random = Random(draw(st.integers(0, 2**32 - 1)))
    later: list[Row] = []
    for row in customers:
        end, start = row["end"], row["start"]
        while end is not None and start is not None and end > start and random.random() < 0.7:
            begin = end + timedelta(days=random.choice((1, 2, 2, 10, 30)))
            stay = random.choice((None, 1, 5, 20, 60))
            again = row | {"start": begin, "observed_from": None, "observed_until": None}
            again |= {"end": None if stay is None else begin + timedelta(days=stay)}
            again |= {"segment": random.choice((row["segment"], *SEGMENTS))}
            later.append(again)
            for when in (end, end + timedelta(days=1), begin, begin + timedelta(days=3)):
                if row["customer"] is not None and random.random() < 0.6:
                    contacts.append(contact(random, row["customer"], when))
            start, end = begin, again["end"]
    random.shuffle(contacts)
    return contacts, [*customers, *later], replace(settings, returns="new_spell")
