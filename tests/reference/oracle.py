"""What the numbers mean, in plain loops: customer by customer, a day at a time.

Shares no code with the package and is written to be read, not to be fast. Days are proleptic ordinals
(`date.toordinal`), so that every clock is a difference of integers. At risk on day d means entry < d <= exit.

A history is a function `(contacts so far, day, customer) -> level`. The contacts so far are those that may
explain the day: sorted by time, worse grade first, then by their place in the list.
"""

import cmath
import hashlib
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction
from typing import Any, NamedTuple

WORST_FIRST = ("bad", "neutral", "good", "unknown", "order")


@dataclass(frozen=True)
class Settings:
    """What a study says about itself; None means the default named in `log_window`.

    With `returns` "new_spell", customers who come back are at risk again: they are customers once more.
    `orders` are the rows (customer, time) of a table of its own that keep customers active; None where all contacts do.
    """

    log_from: date | None = None
    log_until: date | None = None
    observed_until: date | None = None
    defection: tuple[str, ...] = ()
    blackout_days: int = 0
    gap_days: int | None = None
    new_from: date | None = None
    orders: tuple[tuple[str | None, datetime | None], ...] | None = None
    returns: str = "ignore"


class Contact(NamedTuple):
    """A kept contact; sorting these tuples puts same-second contacts worse grade first."""

    at: datetime
    badness: int
    row: int

    @property
    def day(self) -> int:
        """The calendar day."""
        return self.at.toordinal()

    @property
    def grade(self) -> str:
        """The grade's name."""
        return WORST_FIRST[self.badness]


@dataclass(frozen=True)
class Customer:
    """A kept customer: under observation on the days entry < d <= exit."""

    customer: str
    segment: str | None
    group: int
    start: int
    entry: int
    exit: int
    code: str
    may_be_older: bool = False
    relation: int = 0
    contacts_before: int = 0
    first_entry: int | None = None

    @property
    def left_truncated(self) -> bool:
        """Whether a part of the tenure lies, or may lie, before the observation began."""
        return self.entry > self.start or self.may_be_older


@dataclass(frozen=True)
class Study:
    """Kept customers, their kept contacts in order, and where every row went ('kept' or a reason)."""

    customers: list[Customer]
    contacts: dict[str, list[Contact]]
    customer_rows: Counter[str]
    contact_rows: Counter[str]


class Episode(NamedTuple):
    """A customer in one pattern over (start, stop]; `code` is None where only the pattern changes."""

    customer: str
    group: int
    start: int
    stop: int
    pattern: tuple[str, ...]
    code: str | None


History = Callable[[Sequence[Contact], int, Customer], str]
Flows = dict[tuple[int, int, tuple[str, ...]], Counter[str]]


# Reading the tables


def group_of(customer: str, cluster: str | None) -> int:
    """Return the jackknife group of a customer."""
    name = customer if cluster is None else cluster
    return int(hashlib.md5(name.encode("utf8")).hexdigest()[:8], 16) % 100


def log_window(
    contacts: Sequence[dict[str, Any]], settings: Settings
) -> tuple[int | None, int | None]:
    """Return the first and the last day of the log; None where nothing says."""
    days = [
        c["at"].toordinal() for c in contacts if c["customer"] is not None and c["at"] is not None
    ]
    first = settings.log_from.toordinal() if settings.log_from else min(days, default=None)
    last = settings.log_until.toordinal() if settings.log_until else max(days, default=None)
    if days and not settings.log_from:
        first = dense(days)[0]
    if days and not settings.log_until:
        last = dense(days)[1]
    return first, last


def dense(days: Sequence[int]) -> tuple[int, int]:
    """Return the first and the last day that are not stray, one contact after the other.

    Stray is what lies apart: up to a hundredth of the contacts beyond a silence of more than 60 days and five times any
    other one; and at the end, days with hardly a contact in the 28 days before or after them.
    """
    contacts = sorted(days)
    n = len(contacts)
    if n < 20:
        return contacts[0], contacts[-1]
    few = max(n // 100, 1)
    core = contacts[few : n - few]
    longest = max((b - a for a, b in itertools.pairwise(core)), default=0)
    limit = max(60, 5 * max(longest, 1))
    low, high = 0, n - 1
    for i in range(few):
        if contacts[i + 1] - contacts[i] > limit:
            low = i + 1
    for i in range(n - 1, n - 1 - few, -1):
        if contacts[i] - contacts[i - 1] > limit:
            high = i - 1
    before = [sum(day - 28 < other <= day for other in contacts) for day in contacts]
    after = [sum(day <= other < day + 28 for other in contacts) for day in contacts]
    on = [contacts.count(day) for day in contacts]
    typical, typical_day = sorted(before)[(n + 1) // 2 - 1], sorted(on)[(n + 1) // 2 - 1]
    for i in range(high, low - 1, -1):
        if 50 * before[i] >= typical and 50 * after[i] >= typical_day:
            return contacts[low], contacts[i]
    return contacts[low], contacts[high]


def fields(row: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return what makes two rows exact duplicates: everything but a row number."""
    return tuple(sorted((key, value) for key, value in row.items() if key != "row"))


def labels(row: dict[str, Any]) -> tuple[str, ...]:
    """Return what orders rows from or to one day; what is missing comes first."""
    names = ("segment", "cluster", "cause", "observed_from", "observed_until")
    return tuple("" if row[name] is None else str(row[name]) for name in names)


def first_relation(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of one customer, from the first on, that overlap, touch or follow on the next day.

    Those that begin on one day stand in the order of their labels.
    """
    ordered = sorted(rows, key=lambda row: (row["start"], labels(row)))
    relation = ordered[:1]
    for row in ordered[1:]:
        reach = max(date.max if r["end"] is None else r["end"] for r in relation)
        if reach != date.max and row["start"].toordinal() > reach.toordinal() + 1:
            break
        relation.append(row)
    return relation


def relations(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the rows of one customer by relation, in order: what is left begins another one."""
    rest, result = list(rows), []
    while rest:
        result.append(first_relation(rest))
        rest = [row for row in rest if not any(row is one for one in result[-1])]
    return result


def as_one(relation: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one row for several: it begins as the first and ends as the last to end, by labels if several do."""
    end = max(date.max if r["end"] is None else r["end"] for r in relation)
    places = [i for i, r in enumerate(relation) if (r["end"] or date.max) == end]
    ending = max((relation[i] for i in places), key=labels)
    last = {key: ending[key] for key in ("cause", "observed_until")}
    return relation[0] | last | {"end": None if end == date.max else end}


def keep_customers(
    rows: Sequence[dict[str, Any]], window: tuple[int | None, int | None], settings: Settings
) -> tuple[list[Customer], Counter[str]]:
    """Return the customers that can be at risk, and how many rows went where."""
    counts: Counter[str] = Counter()
    distinct: list[dict[str, Any]] = []
    seen = set()
    for row in rows:
        if row["customer"] is None:
            counts["null customer"] += 1
        elif row["start"] is None:
            counts["null start"] += 1
        elif fields(row) in seen:
            counts["exact duplicate"] += 1
        else:
            seen.add(fields(row))
            if row["end"] is not None and row["end"] < row["start"]:
                counts["end before start"] += 1
            elif row["end"] == row["start"]:
                counts["start = end"] += 1
            else:
                distinct.append(row)

    kept = []
    for name in dict.fromkeys(row["customer"] for row in distinct):
        rows_of_one = [row for row in distinct if row["customer"] == name]
        several = relations(rows_of_one)
        if settings.returns == "ignore":
            counts["a later contract"] += len(rows_of_one) - len(several[0])
            several = several[:1]
        theirs = []
        is_seen = True
        for relation in several:
            customer = under_observation(as_one(relation), window, settings)
            is_seen = is_seen and customer is not None and customer.entry == customer.start
            if customer is None:
                counts["never under observation"] += len(relation)
                continue
            counts["kept"] += len(relation)
            first_entry = theirs[0].entry if theirs else customer.entry
            customer = replace(customer, relation=len(theirs), first_entry=first_entry)
            theirs.append(customer)
        if settings.returns == "new_spell":
            theirs = [replace(customer, may_be_older=not is_seen) for customer in theirs]
        kept += theirs
    return kept, +counts


def under_observation(
    row: dict[str, Any], window: tuple[int | None, int | None], settings: Settings
) -> Customer | None:
    """Return the customer with entry and exit, or None where entry >= exit (or nothing ends the exit)."""
    log_from, log_until = window
    observed_until = row["observed_until"] or settings.observed_until
    start = row["start"].toordinal()
    end = row["end"].toordinal() if row["end"] else None

    entry = start
    if row["observed_from"] is not None:
        entry = max(entry, row["observed_from"].toordinal())
    if log_from is not None:
        entry = max(entry, log_from)
    limits = [end, observed_until.toordinal() if observed_until else None, log_until]
    limits = [limit for limit in limits if limit is not None]
    if not limits or entry >= min(limits):
        return None

    leaving = min(limits)
    code = "censored"
    if leaving == end:
        code = (
            "defection" if not settings.defection or row["cause"] in settings.defection else "other"
        )
    group = group_of(row["customer"], row["cluster"])
    return Customer(row["customer"], row["segment"], group, start, entry, leaving, code)


def read_contract(
    contacts: Sequence[dict[str, Any]], customers: Sequence[dict[str, Any]], settings: Settings
) -> Study:
    """Sort every row of both tables into kept or the first reason against it."""
    window = log_window(contacts, settings)
    kept, customer_rows = keep_customers(customers, window, settings)
    by_name: dict[str, list[Customer]] = defaultdict(list)
    for customer in kept:
        by_name[customer.customer].append(customer)
    theirs: dict[str, list[Contact]] = {name: [] for name in by_name}
    counts: Counter[str] = Counter()
    seen = set()
    for number, row in enumerate(contacts):
        if row["customer"] is None:
            counts["null customer"] += 1
            continue
        if row["at"] is None:
            counts["null time"] += 1
            continue
        if fields(row) in seen:
            counts["exact duplicate"] += 1
            continue
        seen.add(fields(row))
        if row["customer"] not in by_name:
            counts["unknown customer"] += 1
            continue
        several = by_name[row["customer"]]
        contact = Contact(row["at"], WORST_FIRST.index(row["grade"]), number)
        if contact.day < several[0].start:
            counts["before start"] += 1
        elif not any(one.start <= contact.day <= one.exit for one in several):
            counts["after end"] += 1
        elif outside(contact.day, window):
            counts["outside the log's window"] += 1
        else:
            counts["kept"] += 1
            theirs[row["customer"]].append(contact)
    return Study(kept, {name: sorted(some) for name, some in theirs.items()}, customer_rows, counts)


def outside(day: int, window: tuple[int | None, int | None]) -> bool:
    """Whether the day lies outside the log's own window."""
    first, last = window
    return (first is not None and day < first) or (last is not None and day > last)


# Histories


def band(count: int, edges: Sequence[int]) -> str:
    """Name the band of a count; each edge is the smallest count of the next band."""
    low = 0
    for edge in edges:
        if count < edge:
            return str(low) if low == edge - 1 else f"{low}-{edge - 1}"
        low = edge
    return f"{low}+"


def age_band(age: int, edges: Sequence[int]) -> str:
    """Name the band of an age in days; each edge is the largest age of its band."""
    low = 0
    for edge in edges:
        if age <= edge:
            return f"{low}-{edge}"
        low = edge + 1
    return f"{low}+"


def bad_count(cap: int) -> History:
    """Count the bad moments so far, up to `cap`."""

    def history(so_far: Sequence[Contact], day: int, customer: Customer) -> str:
        if customer.left_truncated:
            return "unknown"
        count = sum(contact.grade == "bad" for contact in so_far)
        return str(count) if count < cap else f"{cap}+"

    return history


def grade_count(grade: str, edges: Sequence[int] = (1, 3, 6)) -> History:
    """Count the moments of one grade so far, in bands."""

    def history(so_far: Sequence[Contact], day: int, customer: Customer) -> str:
        if customer.left_truncated:
            return "unknown"
        return band(sum(contact.grade == grade for contact in so_far), edges)

    return history


def contacts_within(
    days: int = 90, edges: Sequence[int] = (1, 3, 6), grade: str | Iterable[str] | None = None
) -> History:
    """Count the contacts of the last `days` days, of any grade or of the grades named, in bands."""
    grades = WORST_FIRST if grade is None else (grade,) if isinstance(grade, str) else tuple(grade)

    def history(so_far: Sequence[Contact], day: int, customer: Customer) -> str:
        seen_from = customer.entry if customer.first_entry is None else customer.first_entry
        if customer.left_truncated and day - days < seen_from:
            return "unknown"
        return band(
            sum(contact.grade in grades and day - contact.day <= days for contact in so_far), edges
        )

    return history


def last_grade() -> History:
    """Name the grade of the last contact so far."""

    def history(so_far: Sequence[Contact], day: int, customer: Customer) -> str:
        graded = [contact for contact in so_far if contact.grade != "order"]
        if graded:
            return graded[-1].grade
        return "unknown" if customer.left_truncated else "none"

    return history


def age_of_last(grade: str = "bad", edges: Sequence[int] = (30, 90, 365)) -> History:
    """Name the age band of the last moment of one grade so far."""

    def history(so_far: Sequence[Contact], day: int, customer: Customer) -> str:
        such = [contact for contact in so_far if contact.grade == grade]
        if such:
            return age_band(day - such[-1].day, edges)
        return "unknown" if customer.left_truncated else "none"

    return history


# Episodes and flows of contract studies


def walk(
    customer: Customer,
    first: int,
    last: int,
    code: str,
    pattern_on: Callable[[int], tuple[str, ...]],
) -> list[Episode]:
    """Walk the days first < d <= last and open a new episode wherever the pattern changes."""
    result = []
    opened = first
    current = pattern_on(first + 1)
    for day in range(first + 1, last + 1):
        pattern = pattern_on(day)
        if pattern != current:
            result.append(
                Episode(customer.customer, customer.group, opened, day - 1, current, None)
            )
            opened, current = day - 1, pattern
    result.append(Episode(customer.customer, customer.group, opened, last, current, code))
    return result


def moved(episodes: Iterable[Episode], origin: int) -> list[Episode]:
    """Return the episodes on the clock that begins on day `origin`."""
    return [e._replace(start=e.start - origin, stop=e.stop - origin) for e in episodes]


def pattern_of(
    histories: dict[str, History],
    so_far: Sequence[Contact],
    day: int,
    customer: Customer,
    segment: bool,
) -> tuple[str, ...]:
    """Return the levels of all histories, in their order, and last the segment if it is wanted."""
    levels = tuple(history(so_far, day, customer) for history in histories.values())
    return (*levels, customer.segment) if segment else levels


def tenure_episodes(
    contacts: Sequence[dict[str, Any]],
    customers: Sequence[dict[str, Any]],
    settings: Settings,
    histories: dict[str, History],
    segment: bool = False,
) -> list[Episode]:
    """Return the episodes of a contract study on the tenure clock."""
    study = read_contract(contacts, customers, settings)
    result = []
    for customer in study.customers:
        theirs = study.contacts[customer.customer]

        def pattern_on(day: int, customer: Customer = customer, theirs: list[Contact] = theirs):
            so_far = [
                contact for contact in theirs if contact.day <= day - 1 - settings.blackout_days
            ]
            return pattern_of(histories, so_far, day, customer, segment)

        episodes = walk(customer, customer.entry, customer.exit, customer.code, pattern_on)
        result += moved(episodes, customer.start)
    return result


def count(episodes: Iterable[Episode]) -> Flows:
    """Count who enters and who leaves each pattern when, and why the last ones leave."""
    result: Flows = defaultdict(Counter)
    for episode in episodes:
        result[episode.group, episode.start, episode.pattern]["entered"] += 1
        leaving = result[episode.group, episode.stop, episode.pattern]
        leaving["left"] += 1
        if episode.code is not None:
            leaving[episode.code] += 1
    return dict(result)


def flows(
    contacts: Sequence[dict[str, Any]],
    customers: Sequence[dict[str, Any]],
    settings: Settings,
    histories: dict[str, History],
    clock: str = "tenure",
    segment: bool = False,
) -> Flows:
    """Return the flows of a contract study: (group, time, pattern) -> counts."""
    if clock != "tenure":
        message = f"clock must be 'tenure', was {clock!r}"
        raise ValueError(message)
    return count(tenure_episodes(contacts, customers, settings, histories, segment))


def first_bad(customer: Customer, theirs: Sequence[Contact]) -> tuple[str, int, list[int]]:
    """Say whether a customer is at risk since the first bad moment.

    Returns:
        Where the customer belongs ('at risk', an aside, or '' where neither applies), the day of the first
        bad moment, and the days of all bad moments.
    """
    bad = [
        contact.day for contact in theirs if contact.grade == "bad" and contact.day <= customer.exit
    ]
    if customer.left_truncated or not bad:
        return "", 0, bad
    if customer.relation and bad[0] < customer.start:
        return "before they came back", bad[0], bad
    if bad[0] == customer.exit:
        return "left on the day", bad[0], bad
    if bad.count(bad[0]) >= 3:
        return "third on the first day", bad[0], bad
    return "at risk", bad[0], bad


def since_first_bad_episodes(
    contacts: Sequence[dict[str, Any]],
    customers: Sequence[dict[str, Any]],
    settings: Settings,
    competing: bool = True,
    segment: bool = False,
) -> tuple[list[Episode], Counter[str]]:
    """Return the episodes since the first bad moment, and the customers set aside. No blackout here."""
    is_shop = settings.gap_days is not None
    study = (
        read_activity(contacts, settings)[0]
        if is_shop
        else read_contract(contacts, customers, settings)
    )
    exclusions: Counter[str] = Counter()
    result = []
    for customer in study.customers:
        where, origin, bad = first_bad(customer, study.contacts[customer.customer])
        if where != "at risk":
            if where:
                exclusions[where] += 1
            continue

        last, code = customer.exit, customer.code
        if competing and len(bad) >= 3 and bad[2] < customer.exit:
            last, code = bad[2], "third bad moment"

        def pattern_on(day: int, customer: Customer = customer, bad: list[int] = bad):
            number = sum(moment <= day - 1 for moment in bad)
            level = str(number) if number < 3 else "3+"
            return (level, customer.segment) if segment else (level,)

        result += moved(walk(customer, origin, last, code, pattern_on), origin)
    return result, exclusions


def since_first_bad(
    contacts: Sequence[dict[str, Any]],
    customers: Sequence[dict[str, Any]],
    settings: Settings,
    competing: bool = True,
    segment: bool = False,
) -> tuple[Flows, Counter[str]]:
    """Return the flows since the first bad moment, and the customers set aside."""
    episodes, exclusions = since_first_bad_episodes(
        contacts, customers, settings, competing, segment
    )
    return count(episodes), exclusions


# Activity studies


def read_activity(contacts: Sequence[dict[str, Any]], settings: Settings) -> tuple[Study, int, int]:
    """Derive retention from the contacts.

    Returns:
        The study (entry is the first contact; exit the first lapse, last contact before it + gap_days, or the
        end of the data), the last day of the data and the silence that counts as a lapse.
        Customers first seen on the last day have entry = exit:
        they are counted as 'start = end' and are not in `customers`, but keep their contacts.
    """
    window = log_window(contacts, settings)
    theirs: dict[str, list[Contact]] = defaultdict(list)
    counts: Counter[str] = Counter()
    seen = set()
    for number, row in enumerate(contacts):
        if row["customer"] is None:
            counts["null customer"] += 1
            continue
        if row["at"] is None:
            counts["null time"] += 1
            continue
        if fields(row) in seen:
            counts["exact duplicate"] += 1
            continue
        seen.add(fields(row))
        contact = Contact(row["at"], WORST_FIRST.index(row["grade"]), number)
        if outside(contact.day, window):
            counts["outside the log's window"] += 1
        else:
            counts["kept"] += 1
            theirs[row["customer"]].append(contact)

    first_day, last_day = (day if day is not None else 0 for day in window)
    if settings.orders is not None:
        theirs, counts = with_orders(theirs, counts, settings, window)
    active = {name: active_of(some, settings) for name, some in theirs.items()}
    gap = lapse_days(active, first_day, last_day, settings.gap_days)
    customers = []
    customer_rows: Counter[str] = Counter()
    for name, some in theirs.items():
        some.sort()
        keeping = active_of(some, settings)
        start = keeping[0].day
        older = start - first_day <= settings.gap_days
        if settings.new_from is not None:
            older = start < settings.new_from.toordinal()
        relation = begins = 0
        for place in range(len(keeping)):
            is_end = outcome(keeping, place, last_day, gap) == "defection"
            if not is_end and place < len(keeping) - 1:
                continue
            begun, before = keeping[begins].day, begins
            leaving = keeping[place].day + gap if is_end else last_day
            code = "defection" if is_end else "censored"
            begins = place + 1
            if leaving == begun:
                customer_rows["start = end"] += 1
                continue
            customer_rows["kept"] += 1
            group = group_of(name, None)
            who = Customer(
                name, None, group, begun, begun, leaving, code, older, relation, before, start
            )
            customers.append(who)
            relation += 1
            if settings.returns == "ignore":
                break
    return Study(customers, dict(theirs), customer_rows, counts), last_day, gap


def active_of(some: Sequence[Contact], settings: Settings) -> list[Contact]:
    """Return the contacts of one customer that keep it active, in order."""
    return sorted(c for c in some if settings.orders is None or c.grade == "order")


def with_orders(
    theirs: dict[str, list[Contact]],
    counts: Counter[str],
    settings: Settings,
    window: tuple[int | None, int | None],
) -> tuple[dict[str, list[Contact]], Counter[str]]:
    """Return the contacts of customers who have an order, from the day of the first one on, and the orders."""
    ordered: dict[str, list[Contact]] = defaultdict(list)
    for number, (name, at) in enumerate(dict.fromkeys(settings.orders or ())):
        if name is not None and at is not None and not outside(at.toordinal(), window):
            ordered[name].append(Contact(at, WORST_FIRST.index("order"), number))
    result = {name: list(some) for name, some in ordered.items()}
    counts = Counter(counts)
    for name, some in theirs.items():
        for contact in some:
            if name not in ordered:
                where = "customer set aside"
            elif contact.day < min(order.day for order in ordered[name]):
                where = "before the first order"
            else:
                result[name].append(contact)
                continue
            counts["kept"] -= 1
            counts[where] += 1
    return result, counts


def lapse_days(
    theirs: dict[str, list[Contact]], first_day: int, last_day: int, declared: int
) -> int:
    """Return the shortest of the gap, twice and four times it (up to a year) with few false lapses; else the gap."""
    for days in (declared, 2 * declared, 4 * declared):
        if days == declared or days <= 365:
            share = false_lapses(theirs, last_day, days)
            if share is not None and share < Fraction(1, 20):
                return days
    return declared


def false_lapses(theirs: dict[str, list[Contact]], last_day: int, days: int) -> Fraction | None:
    """Return the share of the silent for `days` who come back within as long again; None where too few are followed."""
    silences = []
    for some in theirs.values():
        when = sorted({contact.day for contact in some})
        silences += [(b - a, True) for a, b in itertools.pairwise(when)]
        silences.append((last_day - when[-1], False))
    if sum(length >= 2 * days for length, _ in silences) < 20:
        return None
    stays = Fraction(1)
    for length in range(days + 1, 2 * days + 1):
        there = sum(one >= length for one, _ in silences)
        stays *= 1 - Fraction(sum(s == (length, True) for s in silences), there)
    return 1 - stays


def outcome(theirs: Sequence[Contact], place: int, last_day: int, gap_days: int) -> str | None:
    """Return what followed a contact: 'return', 'defection', or None where the data end too early to say."""
    day = theirs[place].day
    if day > last_day - gap_days:
        return None
    followed = any(later.day <= day + gap_days for later in theirs[place + 1 :])
    return "return" if followed else "defection"


def contact_episodes(
    contacts: Sequence[dict[str, Any]], settings: Settings, histories: dict[str, History]
) -> list[Episode]:
    """Return the episodes on the contact clock: contact v and its history explain what happens at v + 1."""
    study, last_day, gap = read_activity(contacts, settings)
    result = []
    for customer in study.customers:
        every = study.contacts[customer.customer]
        theirs = active_of(every, settings)
        labels = []
        for place in range(customer.contacts_before, len(theirs)):
            label = outcome(theirs, place, last_day, gap)
            if label is None:
                break
            labels.append(label)
            if label == "defection":
                break
        if not labels:
            continue

        def pattern_on(
            number: int,
            customer: Customer = customer,
            theirs: list[Contact] = theirs,
            every: list[Contact] = every,
        ):
            # The step (v, v+1] is called v+1, as a day is called by its end.
            so_far = theirs[: customer.contacts_before + number - 1]
            day = so_far[-1].day
            if settings.orders is not None:
                so_far = sorted(
                    (*so_far, *(c for c in every if c.grade != "order" and c.day <= day))
                )
            return pattern_of(histories, so_far, day + 1, customer, segment=False)

        code = "defection" if labels[-1] == "defection" else "censored"
        result += walk(customer, 1, len(labels) + 1, code, pattern_on)
    return result


def activity_day_episodes(
    contacts: Sequence[dict[str, Any]], settings: Settings, histories: dict[str, History]
) -> list[Episode]:
    """Return the episodes of an activity study in days since the first contact."""
    study, _, _ = read_activity(contacts, settings)
    result = []
    for customer in study.customers:
        theirs = study.contacts[customer.customer]

        def pattern_on(day: int, customer: Customer = customer, theirs: list[Contact] = theirs):
            so_far = [
                contact for contact in theirs if contact.day <= day - 1 - settings.blackout_days
            ]
            return pattern_of(histories, so_far, day, customer, segment=False)

        episodes = walk(customer, customer.entry, customer.exit, customer.code, pattern_on)
        result += moved(episodes, customer.start)
    return result


def activity_flows(
    contacts: Sequence[dict[str, Any]],
    settings: Settings,
    histories: dict[str, History],
    clock: str = "contact",
) -> Flows:
    """Return the flows of an activity study, by 'contact' number or by 'day'."""
    clocks = {"contact": contact_episodes, "day": activity_day_episodes}
    return count(clocks[clock](contacts, settings, histories))


# Estimators


def totals(table: Flows) -> dict[int, Counter[str]]:
    """Add the flows over groups and patterns."""
    result: dict[int, Counter[str]] = defaultdict(Counter)
    for (_, time, _), counts in table.items():
        result[time].update(counts)
    return dict(result)


def at_risk(table: Flows, time: int) -> int:
    """Return how many are at risk at a time: entered less left, strictly before."""
    return sum(n["entered"] - n["left"] for when, n in totals(table).items() if when < time)


def aalen_johansen(
    table: Flows, causes: Sequence[str], number: Callable[[int], Any] = Fraction
) -> dict[int, dict[str, Any]]:
    """Return the incidence of each cause at every time somebody leaves by one of them, ties as ties.

    Args:
        table: Flows; summed over groups and patterns here.
        causes: All that ends a stay; leaving by anything else is censoring.
        number: `Fraction` for exact results, `float` for larger tables.
    """
    by_time = totals(table)
    there = number(1)
    incidence = dict.fromkeys(causes, number(0))
    result = {}
    risk = 0
    for time in sorted(by_time):
        events = {cause: by_time[time][cause] for cause in causes}
        if any(events.values()):
            for cause in causes:
                incidence[cause] += there * events[cause] / number(risk)
            there -= there * sum(events.values()) / number(risk)
            result[time] = dict(incidence)
        risk += by_time[time]["entered"] - by_time[time]["left"]
    return result


def incidence_at(curve: dict[int, dict[str, Any]], cause: str, time: int) -> Any:
    """Read a curve of `aalen_johansen` at a time: the last step at or before it."""
    steps = [when for when in curve if when <= time]
    return curve[max(steps)][cause] if steps else 0


def kaplan_meier(
    table: Flows, causes: Sequence[str] = ("defection",), number: Callable[[int], Any] = Fraction
) -> dict[int, Any]:
    """Return the share not yet left by `causes` after every time of such an event; the rest is censoring."""
    by_time = totals(table)
    there = number(1)
    result = {}
    risk = 0
    for time in sorted(by_time):
        events = sum(by_time[time][cause] for cause in causes)
        if events:
            there *= 1 - number(events) / number(risk)
            result[time] = there
        risk += by_time[time]["entered"] - by_time[time]["left"]
    return result


class CoxRow(NamedTuple):
    """One (start, stop] row of a Cox model."""

    start: float
    stop: float
    event: bool
    x: tuple[float, ...]
    stratum: str = ""


def cox_rows(
    episodes: Iterable[Episode],
    terms: Sequence[tuple[int, str]],
    cause: str = "defection",
    stratum: int | None = None,
) -> list[CoxRow]:
    """Turn episodes into rows with one dummy per (place in the pattern, level)."""
    return [
        CoxRow(
            episode.start,
            episode.stop,
            episode.code == cause,
            tuple(float(episode.pattern[place] == level) for place, level in terms),
            "" if stratum is None else episode.pattern[stratum],
        )
        for episode in episodes
    ]


def risk_sets(rows: Sequence[CoxRow]) -> list[tuple[list[CoxRow], list[CoxRow]]]:
    """Return who is at risk and who leaves, at each time of an event in each stratum."""
    moments = sorted({(row.stratum, row.stop) for row in rows if row.event})
    result = []
    for stratum, time in moments:
        risk = [row for row in rows if row.stratum == stratum and row.start < time <= row.stop]
        result.append((risk, [row for row in risk if row.event and row.stop == time]))
    return result


def cox_loglik(beta: Sequence[Any], rows: Sequence[CoxRow], ties: str = "efron") -> Any:
    """Return the log partial likelihood, by definition; complex `beta` is allowed (for derivatives)."""

    def score(row: CoxRow) -> Any:
        return sum(b * x for b, x in zip(beta, row.x, strict=True))

    total = 0.0
    for risk, leavers in risk_sets(rows):
        everybody = sum(cmath.exp(score(row)) for row in risk)
        tied = sum(cmath.exp(score(row)) for row in leavers)
        for place, row in enumerate(leavers):
            gone = place / len(leavers) if ties == "efron" else 0.0
            total += score(row) - cmath.log(everybody - gone * tied)
    return total if any(isinstance(b, complex) for b in beta) else complex(total).real


def cox_score(beta: Sequence[Any], rows: Sequence[CoxRow], ties: str = "efron") -> list[Any]:
    """Return the gradient of `cox_loglik`, by its formula."""
    size = len(beta)
    result = [0.0] * size
    for risk, leavers in risk_sets(rows):
        weight = {
            id(row): cmath.exp(sum(b * x for b, x in zip(beta, row.x, strict=True))) for row in risk
        }
        for k in range(size):
            for place, row in enumerate(leavers):
                gone = place / len(leavers) if ties == "efron" else 0.0
                above = sum(weight[id(r)] * r.x[k] for r in risk)
                above -= gone * sum(weight[id(r)] * r.x[k] for r in leavers)
                below = sum(weight.values()) - gone * sum(weight[id(r)] for r in leavers)
                result[k] += row.x[k] - above / below
    complex_input = any(isinstance(b, complex) for b in beta)
    return result if complex_input else [complex(value).real for value in result]


def cox_information(
    beta: Sequence[float], rows: Sequence[CoxRow], ties: str = "efron"
) -> list[list[float]]:
    """Return minus the second derivatives, as complex-step derivatives of the score (exact to rounding)."""
    step = 1e-30
    result = []
    for k in range(len(beta)):
        nudged = [complex(b, step if j == k else 0.0) for j, b in enumerate(beta)]
        result.append([-complex(value).imag / step for value in cox_score(nudged, rows, ties)])
    return result


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Solve a small linear system by Gaussian elimination with pivoting."""
    size = len(right)
    a = [[*map(float, row), float(value)] for row, value in zip(matrix, right, strict=True)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(a[r][i]))
        a[i], a[pivot] = a[pivot], a[i]
        for r in range(i + 1, size):
            factor = a[r][i] / a[i][i]
            a[r] = [x - factor * y for x, y in zip(a[r], a[i], strict=True)]
    result = [0.0] * size
    for i in reversed(range(size)):
        rest = sum(a[i][j] * result[j] for j in range(i + 1, size))
        result[i] = (a[i][size] - rest) / a[i][i]
    return result


def cox_fit(
    rows: Sequence[CoxRow], ties: str = "efron", rounds: int = 50
) -> tuple[list[float], list[float], float]:
    """Maximise the partial likelihood by Newton steps with halving.

    Returns:
        Coefficients, standard errors, and the log-likelihood.

    Raises:
        ArithmeticError: If there is no finite maximum or the information is singular.
    """
    size = len(rows[0].x)
    beta = [0.0] * size
    best = cox_loglik(beta, rows, ties)
    for _ in range(rounds):
        step = solve(cox_information(beta, rows, ties), cox_score(beta, rows, ties))
        while True:
            candidate = [b + s for b, s in zip(beta, step, strict=True)]
            value = cox_loglik(candidate, rows, ties)
            if value >= best - 1e-12 * (1 + abs(best)):
                break
            step = [s / 2 for s in step]
        beta, best = candidate, value
        if max(abs(b) for b in beta) > 15:
            break
        if max(abs(s) for s in step) < 1e-12:
            information = cox_information(beta, rows, ties)
            units = [[float(i == k) for i in range(size)] for k in range(size)]
            errors = [math.sqrt(solve(information, unit)[k]) for k, unit in enumerate(units)]
            return beta, errors, best
    message = "no finite maximum"
    raise ArithmeticError(message)


@dataclass(frozen=True)
class Matched:
    """Incidence of defection by the horizon after a first bad moment, and among comparable customers.

    The incidences are None where nobody is left to compare.
    """

    exposed: Fraction | None
    comparators: Fraction | None
    difference: Fraction | None
    customers: int
    dropped: int


def weighted_incidence(
    leavers: Sequence[tuple[int, str, Fraction]], cause: str, horizon: int
) -> Fraction | None:
    """Return the incidence of one cause by the horizon, from (time, code, weight); all enter at time 0."""
    if not leavers:
        return None
    there = Fraction(1)
    incidence = Fraction(0)
    for time in range(1, horizon + 1):
        risk = sum(weight for when, _, weight in leavers if when >= time)
        if risk == 0:
            break
        by_cause = sum(weight for when, code, weight in leavers if when == time and code == cause)
        events = sum(
            weight for when, code, weight in leavers if when == time and code != "censored"
        )
        incidence += there * by_cause / risk
        there *= 1 - events / risk
    return incidence


def matched_incidence(
    contacts: Sequence[dict[str, Any]],
    customers: Sequence[dict[str, Any]],
    settings: Settings,
    horizon: int,
    recent_days: int = 90,
    cause: str = "defection",
) -> Matched:
    """Compare customers after their first bad moment with others of that tenure and segment without one.

    Comparators of tenure day u are complete customers of the same segment, still there after day u, without a
    bad moment up to and including it, and with a contact on one of the last `recent_days` days up to it. They
    are followed whatever happens; together they weigh as much as the exposed of that day and segment.
    """
    study = read_contract(contacts, customers, settings)
    complete = [customer for customer in study.customers if not customer.left_truncated]
    exposed: dict[tuple[int, str | None], list[Customer]] = defaultdict(list)
    for customer in complete:
        where, day, _ = first_bad(customer, study.contacts[customer.customer])
        if where == "at risk":
            exposed[day - customer.start, customer.segment].append(customer)

    ours: list[tuple[int, str, Fraction]] = []
    theirs: list[tuple[int, str, Fraction]] = []
    dropped = 0
    for (u, segment), some in exposed.items():
        comparable = []
        for other in complete:
            if other.segment != segment or other.exit - other.start <= u:
                continue
            so_far = [
                contact
                for contact in study.contacts[other.customer]
                if contact.day - other.start <= u
            ]
            if any(contact.grade == "bad" for contact in so_far):
                continue
            if any(1 <= (u + 1) - (contact.day - other.start) <= recent_days for contact in so_far):
                comparable.append(other)
        if not comparable:
            dropped += len(some)
            continue
        weight = Fraction(len(some), len(comparable))
        ours += [(one.exit - one.start - u, one.code, Fraction(1)) for one in some]
        theirs += [(other.exit - other.start - u, other.code, weight) for other in comparable]

    after = weighted_incidence(ours, cause, horizon)
    without = weighted_incidence(theirs, cause, horizon)
    difference = None if after is None or without is None else after - without
    return Matched(after, without, difference, len(ours), dropped)
