"""Small, nasty, random lives of customers, and their states as the package finds them."""

from collections import defaultdict
from random import Random

import polars as pl

from cxresearch.engines import engine as engine_named
from cxresearch.engines import framed
from cxresearch.histories.base import ContactClock, DayClock
from cxresearch.histories.timeline import Timeline
from tests.reference.histories import HOUR, SECONDS, WORST_FIRST, Person, Row, contacts_of

LAST_DAY = 70
CLOCKS = (0, 9 * HOUR, 9 * HOUR, SECONDS - 1)
GRADES = ("bad", "bad", "neutral", "good", "good", "unknown")
SCORES = (None, None, 0, 199, 200, 400, 500, 600, 799, 800, 1000)
LENGTHS = (
    0,
    HOUR,
    47 * HOUR,
    48 * HOUR,
    48 * HOUR + 1,
    72 * HOUR,
    12 * SECONDS,
    12 * 24 * HOUR,
    None,
)
CAUSES = ("censored", "defection", "other exit")
KINDS = ("problem", "resolved", "goodwill", "complained", "posted")
EXPECTATIONS = ("respect", "solutions", "simplicity", "responsibility")


def lives(
    seed: int, contacts_alone: bool = False, customers: int | None = None
) -> tuple[list[Row], list[Person]]:
    """Make the rows and the customers of a seed.

    With `contacts_alone`, everybody is seen whole and without a contact on the last day, and no two contacts of a
    customer stand in one place.
    """
    random = Random(seed)
    people, rows = [], []
    number_of = customers or random.randint(1, 9)
    for customer in range(number_of):
        start = random.choice((0, 0, random.randrange(LAST_DAY - 10)))
        late = 0 if contacts_alone else random.choice((0, 0, 0, random.randint(1, 8)))
        end = random.randint(start + late + 1, LAST_DAY)
        event = random.choice(CAUSES)
        people.append(
            Person(
                customer, start + late, end, event, random.randrange(4 + number_of // 4), late > 0
            )
        )
        own: dict[tuple[int, str], Row] = {}
        for number in range(random.choice((0, 1, 4, 12))):
            day = random.randint(start, end - contacts_alone)
            row = life(random, customer, day * SECONDS + random.choice(CLOCKS), number)
            own[row.at, row.grade if contacts_alone else str(number)] = row
        rows += own.values()
    return rows, people


def life(random: Random, customer: int, at: int, number: int) -> Row:
    """Make one contact, and what it tells of."""

    def later(often: float) -> int | None:
        """A time a little before or after the contact, or none."""
        return (
            at + random.choice((-30 * HOUR, 0, 0, 5 * HOUR, 80 * HOUR))
            if random.random() < often
            else None
        )

    def flag() -> bool | None:
        return random.choice((True, False, None))

    problem, resolved = None, None
    if random.random() < 0.5:
        problem = at + random.choice((0, 0, 0, HOUR, 20 * HOUR))
        length = random.choice(LENGTHS)
        if (
            random.random() < 0.2
        ):  # the contact tells of an older problem, which no other took as long as
            problem, length = at - 40 * HOUR, random.choice((None, 40 * HOUR, 200 * HOUR))
            length = None if length is None else length + number + 60 * customer
        resolved = None if length is None else problem + length
    return Row(
        customer=customer,
        at=at,
        grade=random.choice(GRADES),
        attended=flag(),
        is_problem=random.random() < 0.5,
        handoff=random.random() < 0.3,
        score=random.choice(SCORES),
        **{name: flag() for name in EXPECTATIONS},
        problem_at=problem,
        resolved_at=resolved,
        goodwill_at=later(0.3),
        complained_at=later(0.2),
        posted_at=later(0.2),
        told=random.random() < 0.5,
    )


def timeline(rows, people, engine, clock):
    """The package's timeline of some rows and customers."""

    def frame(columns, result):
        data = pl.DataFrame(result, schema=dict.fromkeys(columns, pl.Int32), orient="row")
        return engine.keep(framed(engine.frame(data)))

    flags = ("attended", *EXPECTATIONS)
    columns = ("customer", "day", "second", "grade", "is_problem", "handoff", "score", *flags)
    moments = [
        (
            *(
                r.customer,
                r.day,
                r.at % SECONDS,
                WORST_FIRST.index(r.grade),
                int(r.is_problem),
                int(r.handoff),
            ),
            -1 if r.score is None else r.score,
            *(-1 if getattr(r, f) is None else int(getattr(r, f)) for f in flags),
        )
        for person in people
        for r in contacts_of(rows, person.customer)
    ]
    happened = [
        (
            *(r.customer, r.when(kind) // SECONDS, r.when(kind) % SECONDS, i),
            -1 if i > 1 else r.problem_at,
            -1 if r.took is None or i > 1 else r.took,
            WORST_FIRST.index(r.grade),
            int(r.told and i == 0),
        )
        for r in rows
        for i, kind in enumerate(KINDS)
        if r.when(kind) is not None
    ]
    who = [
        (p.customer, p.entry, p.exit, CAUSES.index(p.event), p.cluster, int(p.left_truncated))
        for p in people
    ]
    return Timeline(
        frame(columns, moments),
        frame(("customer", "entry", "exit", "event", "cluster", "left_truncated"), who),
        clock,
        engine,
        frame(
            ("customer", "day", "second", "kind", "begun", "took", "grade", "informed"), happened
        ),
    )


def states(rows, people, engine, clock, histories):
    """Name to customer to (tick, level), in the order of ticks."""
    x = engine_named(engine)
    frame = x.collect(timeline(rows, people, x, clock).states(histories)).sort("customer", "tick")
    result = {name: defaultdict(list) for name in histories}
    for row in frame.iter_rows(named=True):
        for name, history in histories.items():
            if row[name] is not None:  # before the entry, nothing need be said
                result[name][row["customer"]].append((row["tick"], history.levels[row[name]]))
    return result


def by_day(rows, people, engine, histories, lag=0):
    """Name to (customer, day) to level, for every day at risk."""
    result = states(rows, people, engine, DayClock(lag=lag), histories)
    return {
        name: {
            (p.customer, day): [level for tick, level in ticks[p.customer] if tick < day][-1]
            for p in people
            for day in range(p.entry + 1, p.exit + 1)
        }
        for name, ticks in result.items()
    }


def by_contact(rows, people, engine, histories, lag=0):
    """Name to (customer, contacts so far) to level."""
    result = states(rows, people, engine, ContactClock(lag=lag), histories)
    return {
        name: {
            (p.customer, number): [level for tick, level in ticks[p.customer] if tick <= number][-1]
            for p in people
            for number in range(1, len(contacts_of(rows, p.customer)) + 1)
        }
        for name, ticks in result.items()
    }


def spans(history, rows, person, others=(), engine="polars", lag=0):
    """(day, level) of one customer, whenever the level changes: it holds from that day on."""
    result = by_day(rows, [person, *others], engine, {"h": history}, lag)["h"]
    days = [
        (day, level) for (customer, day), level in result.items() if customer == person.customer
    ]
    return [d for before, d in zip([(0, None), *days], days, strict=False) if d[1] != before[1]]
