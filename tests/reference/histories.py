"""What a customer had lived through, in plain loops: everything is looked at anew for every customer and day.

Shares no code with the package. A history is a function of a `View`: what is known of a customer before a day.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

SECONDS = 24 * 60 * 60
HOUR = 60 * 60
WORST_FIRST = ("bad", "neutral", "good", "unknown")


class Row(NamedTuple):
    """A row of a log: a contact, and what it tells of; times are seconds since day 0."""

    customer: int
    at: int
    grade: str
    attended: bool | None = None
    is_problem: bool = False
    handoff: bool = False
    score: int | None = None
    respect: bool | None = None
    solutions: bool | None = None
    simplicity: bool | None = None
    responsibility: bool | None = None
    problem_at: int | None = None
    resolved_at: int | None = None
    goodwill_at: int | None = None
    complained_at: int | None = None
    posted_at: int | None = None
    told: bool = False

    @property
    def day(self) -> int:
        """The day of the contact."""
        return self.at // SECONDS

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it stands among the contacts of its customer."""
        return self.at, WORST_FIRST.index(self.grade), -1 if self.score is None else self.score

    def when(self, name: str) -> int | None:
        """When something took effect: not before the contact that tells of it."""
        date = getattr(self, f"{name}_at")
        return None if date is None else max(date, self.at)

    @property
    def took(self) -> int | None:
        """Seconds from the problem to its resolution; None if there is none."""
        return (
            None
            if self.problem_at is None or self.resolved_at is None
            else self.resolved_at - self.problem_at
        )


@dataclass(frozen=True)
class Person:
    """A customer under follow-up on the days entry < d <= exit."""

    customer: int
    entry: int
    exit: int
    event: str
    cluster: int
    left_truncated: bool


@dataclass(frozen=True)
class View:
    """What may explain a day: the customer's contacts in order, and everything dated up to `known`."""

    person: Person
    day: int
    known: int
    contacts: list[Row]
    rows: list[Row]
    people: list[Person]

    def dated(self, name: str) -> list[Row]:
        """The customer's rows of which one dated event is known."""
        own = [
            r for r in self.rows if r.customer == self.person.customer and r.when(name) is not None
        ]
        return [r for r in own if r.when(name) // SECONDS <= self.known]

    @property
    def others(self) -> list[Person]:
        """The other members of the household."""
        return [
            p
            for p in self.people
            if p.cluster == self.person.cluster and p.customer != self.person.customer
        ]


History = Callable[[View], str]


def band(count: int, edges: tuple[int, ...]) -> str:
    """Name the band of a count; each edge is the smallest count of the next band."""
    low = 0
    for edge in edges:
        if count < edge:
            return str(low) if low == edge - 1 else f"{low}-{edge - 1}"
        low = edge
    return f"{low}+"


def age_band(age: int, edges: tuple[int, ...]) -> str:
    """Name the band of an age in days; each edge is the largest age of its band."""
    low = 0
    for edge in edges:
        if age <= edge:
            return f"{low}-{edge}"
        low = edge + 1
    return f"{low}+"


def fits(row: Row, wanted: dict[str, object]) -> bool:
    """Whether the columns of a contact have the values wanted."""
    words = {"kept": True, "failed": False}
    return all(getattr(row, name) == words.get(value, value) for name, value in wanted.items())


def moment_count(edges: tuple[int, ...], **wanted: object) -> History:
    """Count the contacts whose columns have the values wanted."""
    return lambda v: (
        "unknown"
        if v.person.left_truncated
        else band(sum(fits(r, wanted) for r in v.contacts), edges)
    )


def graded_count(grades: tuple[str, ...], edges: tuple[int, ...]) -> History:
    """Count the contacts of some grades."""
    return lambda v: (
        "unknown"
        if v.person.left_truncated
        else band(sum(r.grade in grades for r in v.contacts), edges)
    )


def contacts_within(
    days: int, edges: tuple[int, ...], grades: tuple[str, ...] = WORST_FIRST
) -> History:
    """Count the contacts of the last days; unknown while they reach back to before the entry."""

    def history(v: View) -> str:
        if v.person.left_truncated and v.day - days < v.person.entry:
            return "unknown"
        return band(sum(v.day - r.day <= days and r.grade in grades for r in v.contacts), edges)

    return history


def graded_share(among: tuple[str, ...], within: tuple[str, ...] = (), **wanted: object) -> History:
    """Write down how many of the contacts that count were of a kind: exactly up to eight, then by tenths.

    Only those count at all that are as wanted in what `within` names.
    """

    def history(v: View) -> str:
        if v.person.left_truncated:
            return "unknown"
        every = [
            r
            for r in v.contacts
            if r.grade in among
            and all(getattr(r, name) is not None for name in wanted)
            and fits(r, {name: wanted[name] for name in within})
        ]
        return _share(sum(fits(r, wanted) for r in every), len(every))

    return history


def _share(hits: int, n: int) -> str:
    middles = ((12, "10.5"), (20, "16"), (40, "29"), (80, "57"), (10**9, "120"))
    if n <= 8:
        return f"{hits}/{n}"
    middle = next(name for top, name in middles if n <= top)
    tenth = min(int(Fraction(10 * hits, n)), 9)
    return f"{float(Fraction(middle) * (2 * tenth + 1) / 20):g}/{middle}"


def problem_share(treatment: str, hours: int = 48) -> History:
    """Write down how many of the days with a problem were treated so, as `graded_share` does."""

    def history(v: View) -> str:
        if v.person.left_truncated:
            return "unknown"
        problems = v.dated("problem")
        days = sorted({r.when("problem") // SECONDS for r in problems})
        if treatment == "informed":
            treated = {r.when("problem") // SECONDS for r in problems if r.told}
        elif treatment == "resolved quickly":
            slow = {
                r.when("problem") // SECONDS
                for r in problems
                if state_of(v, r, hours) != "resolved"
            }
            treated = set(days) - slow
        else:
            made = [r.when("goodwill") // SECONDS for r in v.dated("goodwill")]
            before = [[d for d in days if d <= m] for m in made]
            treated = {b[-1] for b in before if b}
        return _share(len(treated), len(days))

    return history


def made_good_share(days: int) -> History:
    """Write down how many of the bad contacts were followed by a good one in time, of those of which that is known."""

    def history(v: View) -> str:
        if v.person.left_truncated:
            return "unknown"
        hits = n = 0
        for i, bad in enumerate(v.contacts):
            if bad.grade != "bad":
                continue
            soon = any(r.grade == "good" and r.day - bad.day <= days for r in v.contacts[i + 1 :])
            hits += soon
            n += soon or bad.day + days < v.known
        return _share(hits, n)

    return history


def last_grade_and_age(edges: tuple[int, ...]) -> History:
    """Name the grade and the age of the last contact."""

    def history(v: View) -> str:
        if v.contacts:
            last = v.contacts[-1]
            return f"{last.grade}, {age_band(v.day - last.day, edges)}"
        return "unknown" if v.person.left_truncated else "none"

    return history


def calendar_month(first: int, months: int) -> History:
    """Number the 30 days in which a day is; those before the first, and after the last, belong to them."""
    return lambda v: str(min(max((v.day - first) // 30, 0), months - 1))


def looking_back(history: History, days: int) -> History:
    """Forget contacts that are more than some days old, and take everybody as known."""

    def known(person: Person) -> Person:
        return replace(person, left_truncated=False)

    def recent(v: View) -> str:
        return history(
            replace(
                v,
                person=known(v.person),
                contacts=[r for r in v.contacts if v.day - r.day <= days],
                rows=[r for r in v.rows if v.day - r.day <= days],
                people=[known(p) for p in v.people],
            )
        )

    return recent


def contacts_before(days: int, edges: tuple[int, ...]) -> History:
    """Count the contacts that lie more than some days back."""

    def history(v: View) -> str:
        return (
            "unknown"
            if v.person.left_truncated
            else band(sum(v.day - r.day > days for r in v.contacts), edges)
        )

    return history


def first_contact(grade: str) -> History:
    """Compare the grade of the first contact."""

    def history(v: View) -> str:
        if v.person.left_truncated:
            return "unknown"
        if not v.contacts:
            return "none"
        return grade if v.contacts[0].grade == grade else "other"

    return history


def fifth(score: Fraction) -> str:
    """Name the fifth of a scale from 0 to 1000."""
    return str(min(int(score * 5 / 1000), 4) + 1)


def scored(reduce: Callable[[list[int]], Fraction], ever: bool) -> History:
    """Reduce the scores so far; where `ever`, all of them would have to be known."""

    def history(v: View) -> str:
        scores = [r.score for r in v.contacts if r.score is not None]
        if v.person.left_truncated and (ever or not scores):
            return "unknown"
        return fifth(reduce(scores)) if scores else "none"

    return history


def age_of_last(edges: tuple[int, ...]) -> History:
    """Name the age of the last contact."""

    def history(v: View) -> str:
        if v.contacts:
            return age_band(v.day - v.contacts[-1].day, edges)
        return "unknown" if v.person.left_truncated else "none"

    return history


def gap_before(edges: tuple[int, ...]) -> History:
    """Name the days between the last two days with a contact."""

    def history(v: View) -> str:
        days = sorted({r.day for r in v.contacts})
        if len(days) < 2:
            return "unknown" if v.person.left_truncated else "none"
        return age_band(days[-1] - days[-2], edges)

    return history


def age_since(event: str, edges: tuple[int, ...]) -> History:
    """Name the age of the last dated event of a kind."""

    def history(v: View) -> str:
        days = [r.when(event) // SECONDS for r in v.dated(event)]
        if days:
            return age_band(v.day - max(days), edges)
        return "unknown" if v.person.left_truncated else "none"

    return history


def state_of(v: View, problem: Row, hours: int) -> str:
    """Say how one problem stands that is known."""
    limit = hours * HOUR
    resolved = problem.when("resolved")
    if resolved is not None and resolved // SECONDS <= v.known:
        return "resolved late" if problem.took > limit else "resolved"
    due = problem.problem_at + limit
    return "open late" if due // SECONDS < v.day else "open"


def first_problem(hours: int) -> History:
    """Say how the first problem stands."""

    def history(v: View) -> str:
        if v.person.left_truncated:
            return "unknown"
        known = v.dated("problem")
        if not known:
            return "none"
        endless = 10**15
        first = min(
            known, key=lambda r: (r.when("problem"), -(endless if r.took is None else r.took))
        )
        state = state_of(v, first, hours)
        return "resolved quickly" if state == "resolved" else state

    return history


def problem_state(hours: int) -> History:
    """Say how all problems stand."""

    def history(v: View) -> str:
        if v.person.left_truncated:
            return "unknown"
        known = v.dated("problem")
        if not known:
            return "none"
        states = [state_of(v, r, hours) for r in known]
        for state in ("open late", "open"):
            if state in states:
                return state
        last = max(r.when("resolved") for r in known)
        quick = any(
            r.when("resolved") == last and s == "resolved"
            for r, s in zip(known, states, strict=True)
        )
        return "resolved" if quick else "resolved late"

    return history


def last_problem(say: Callable[[View, Row], str]) -> History:
    """Say something of the last problem: of several in one second, of the one with the best grade."""

    def history(v: View) -> str:
        known = v.dated("problem")
        if not known:
            return "unknown" if v.person.left_truncated else "none"
        return say(
            v, max(known, key=lambda r: (r.when("problem"), WORST_FIRST.index(r.grade), r.told))
        )

    return history


def first_severity(v: View) -> str:
    """Name the grade of the contact that told of the first problem: in one second, the worst."""
    known = v.dated("problem")
    if not known:
        return "unknown" if v.person.left_truncated else "none"
    return severity(v, min(known, key=lambda r: (r.when("problem"), WORST_FIRST.index(r.grade))))


def severity(v: View, problem: Row) -> str:
    """Name the grade of the contact that told of a problem."""
    return "unknown grade" if problem.grade == "unknown" else problem.grade


def gesture(v: View, problem: Row) -> str:
    """Say whether a gesture was made on the day of a problem or later."""
    since = problem.when("problem") // SECONDS
    made = any(r.when("goodwill") // SECONDS >= since for r in v.dated("goodwill"))
    return "gesture" if made else "no gesture"


def told(v: View, problem: Row) -> str:
    """Say whether the customer was told of a problem."""
    return "informed" if problem.told else "not informed"


def flipped(days: int) -> History:
    """Say whether a good contact follows a bad one within some days."""

    def history(v: View) -> str:
        if v.person.left_truncated:
            return "unknown"
        grades = [r.grade for r in v.contacts]
        for i, good in enumerate(v.contacts):
            for bad in v.contacts[:i]:
                if (bad.grade, good.grade) == ("bad", "good") and good.day - bad.day <= days:
                    return "bad then good"
        if "bad" in grades:
            return "other"
        return "good alone" if "good" in grades else "none"

    return history


def posted(v: View) -> str:
    """Say whether a post is known since a day at least."""
    if v.person.left_truncated:
        return "unknown"
    return (
        "posted"
        if any(r.when("posted") // SECONDS < v.known for r in v.dated("posted"))
        else "none"
    )


def household_exits(cause: str) -> History:
    """Say whether another member left before the day."""

    def history(v: View) -> str:
        if not v.others:
            return "alone"
        return "1+" if any(p.event == cause and p.exit < v.day for p in v.others) else "none"

    return history


def household_bad(edges: tuple[int, ...]) -> History:
    """Count the bad contacts of all members."""

    def history(v: View) -> str:
        if v.person.left_truncated or any(p.left_truncated for p in v.others):
            return "unknown"
        members = {p.customer for p in v.others}
        theirs = [r for r in v.rows if r.customer in members and r.day <= v.known]
        return band(sum(r.grade == "bad" for r in [*theirs, *v.contacts]), edges)

    return history


def contacts_of(rows: list[Row], customer: int) -> list[Row]:
    """A customer's contacts in order."""
    return sorted((r for r in rows if r.customer == customer), key=lambda r: r.place)


def by_day(
    history: History, rows: list[Row], people: list[Person], lag: int, lead: int = 0
) -> dict[tuple[int, int], str]:
    """Return (customer, day) to level: on day d, what is known was there on day d - 1 - lag.

    With a lead, all is looked at as on the day that many days earlier.
    """
    result = {}
    for person in people:
        contacts = contacts_of(rows, person.customer)
        for day in range(person.entry + 1, person.exit + 1):
            then = day - lead
            known = then - 1 - lag
            so_far = [r for r in contacts if r.day <= known]
            result[person.customer, day] = history(View(person, then, known, so_far, rows, people))
    return result


def by_contact(
    history: History, rows: list[Row], people: list[Person], lag: int = 0, lead: int = 0
) -> dict[tuple[int, int], str]:
    """Return (customer, number of contacts so far) to level; what is dated is known by the end of the day.

    With a lag, contacts count that are so many days old at least. With a lead, all is looked at as at the end of the
    day that many days earlier.
    """
    result = {}
    for person in people:
        contacts = contacts_of(rows, person.customer)
        for number in range(1, len(contacts) + 1):
            today = contacts[number - 1].day - lead
            known = today - lag
            so_far = [r for r in contacts if r.day <= known] if lag or lead else contacts[:number]
            view = View(person, today + 1, known, so_far, rows, people)
            result[person.customer, number] = history(view)
    return result
