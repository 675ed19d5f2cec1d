"""What every claim's numbers mean, from the raw rows: a cell for every customer and day of tenure, and counting.

Shares no code with the package and reads nothing that it made. `Life` holds one row a customer and one column a day
of tenure; column u says what was known before day u, from moments on the days up to u - 1. A history is an array of
that shape with whole numbers in it; -1 stands for customers whose beginnings the log does not show.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np

BAD, NEUTRAL, GOOD, UNKNOWN = range(4)
GRADES = {"awful": BAD, "so-so": NEUTRAL, "fine": GOOD, None: UNKNOWN}
CENSORED, DEFECTION, OTHER = range(3)
EXPECTATIONS = ("respect", "solutions", "simplicity", "responsibility")
Grid = np.ndarray


@dataclass(frozen=True)
class Contact:
    """A kept contact; `place` is where it stands in its customer's order."""

    who: int
    day: int  # of tenure
    at: datetime
    grade: int
    row: dict[str, Any]

    @property
    def place(self) -> tuple[datetime, int]:
        """By time, worse grade first."""
        return self.at, self.grade

    def was(self, **wanted: Any) -> bool:
        """Whether all conditions hold; a null is false, and no expectation is neither kept nor failed."""
        for name, value in wanted.items():
            said = self.row.get(name)
            if name == "grade":
                holds = self.grade == value
            elif name in EXPECTATIONS:
                holds = said is not None and ("failed" if said < 3 else "kept") == value
            elif name == "attended":
                holds = said is value
            else:
                holds = (said is True) == value
            if not holds:
                return False
        return True

    def when(self, name: str) -> datetime | None:
        """When an event took effect: not before the contact that tells of it."""
        told = self.row[name]
        return None if told is None else max(told, self.at)


@dataclass
class Life:
    """Kept customers and contacts; all times in days of tenure."""

    name: list[str]
    start: np.ndarray  # calendar
    entry: np.ndarray
    exit: np.ndarray
    event: np.ndarray
    left_truncated: np.ndarray
    segment: np.ndarray
    cluster: list[str]
    marketing: dict[str, list[Any]]
    contacts: list[Contact] = field(default_factory=list)
    blackout: int = 0  # days before a day of which nothing is known on it

    @property
    def size(self) -> tuple[int, int]:
        """Customers, and one more than the last day."""
        return len(self.name), int(self.exit.max()) + 2

    @property
    def at_risk(self) -> Grid:
        """Whether entry < u <= exit."""
        u = np.arange(self.size[1])
        return (u > self.entry[:, None]) & (u <= self.exit[:, None])

    @property
    def group(self) -> np.ndarray:
        """Of the cluster: the first eight hexadecimal digits of its md5, modulo 100."""
        return np.array(
            [int(hashlib.md5(c.encode()).hexdigest()[:8], 16) % 100 for c in self.cluster]
        )


# Reading


def distinct(rows: Sequence[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return the rows with a customer and a time, each but once."""
    seen, kept = set(), []
    for row in rows:
        values = tuple(row.values())
        if row["who"] is not None and row[key] is not None and values not in seen:
            seen.add(values)
            kept.append(row)
    return kept


def read(
    log: Sequence[dict[str, Any]], people: Sequence[dict[str, Any]], first: date, last: date
) -> Life:
    """Keep the customers that can be at risk, and their contacts."""
    kept = []
    for row in distinct(people, "start"):
        limits = [d for d in (row["end"], row["seen_until"], last) if d is not None]
        entry, leaves = (
            max(d for d in (row["start"], row["seen_from"], first) if d is not None),
            min(limits),
        )
        if (row["end"] is None or row["end"] > row["start"]) and entry < leaves:
            gone = row["end"] == leaves
            event = (
                CENSORED
                if not gone
                else DEFECTION
                if row["reason"] in ("switched", "dissatisfied")
                else OTHER
            )
            kept.append((row, entry, leaves, event))
    start = np.array([row["start"].toordinal() for row, *_ in kept])
    life = Life(
        name=[row["who"] for row, *_ in kept],
        start=start,
        entry=np.array([e.toordinal() for _, e, *_ in kept]) - start,
        exit=np.array([x.toordinal() for _, _, x, _ in kept]) - start,
        event=np.array([event for *_, event in kept]),
        left_truncated=np.array([e > row["start"] for row, e, *_ in kept]),
        segment=np.array([row["plan"] or "" for row, *_ in kept]),
        cluster=[row["household"] or row["who"] for row, *_ in kept],
        marketing={c: [row[c] for row, *_ in kept] for c in ("came_by", "mailings")},
    )
    number = {name: i for i, name in enumerate(life.name)}
    for row in distinct(log, "happened"):
        i = number.get(row["who"])
        on = row["happened"].date()
        off_scale = row["stars"] is not None and not 1 <= row["stars"] <= 5
        if i is None or off_scale or row["touchpoint"] == "cancellation" or not first <= on <= last:
            continue
        day = on.toordinal() - start[i]
        if 0 <= day <= life.exit[i]:
            life.contacts.append(Contact(i, int(day), row["happened"], GRADES[row["mood"]], row))
    life.contacts.sort(key=lambda c: (c.who, *c.place))
    return life


def tenure_day(life: Life, i: int, at: datetime) -> int:
    """Return the day of tenure of a time."""
    return at.toordinal() - int(life.start[i])


# Histories


def unless_seen(life: Life, grid: Grid) -> Grid:
    """Put -1 where customers were there before the log saw them."""
    grid[life.left_truncated] = -1
    return grid


def counted(life: Life, days: Sequence[tuple[int, int]]) -> Grid:
    """Count marks (customer, day) on days up to u - 1, or as far as is known."""
    grid = np.zeros(life.size, dtype=int)
    for i, day in days:
        known = day + 1 + life.blackout
        if known < grid.shape[1]:
            grid[i, max(known, 0)] += 1
    return grid.cumsum(axis=1)


def count(life: Life, cap: int | None = None, **wanted: Any) -> Grid:
    """Count the moments so far for which all conditions hold, up to `cap`."""
    grid = counted(life, [(c.who, c.day) for c in life.contacts if c.was(**wanted)])
    return unless_seen(life, grid if cap is None else np.minimum(grid, cap))


def banded(grid: Grid, edges: Sequence[int]) -> Grid:
    """Number the bands of a count; each edge is the smallest count of the next band."""
    return np.where(grid < 0, -1, sum((grid >= e).astype(int) for e in edges))


def before(life: Life, days: int, grades: Sequence[int] = (0, 1, 2, 3)) -> Grid:
    """Count the contacts on the days up to u - days - 1."""
    marks = [(c.who, c.day + days - life.blackout) for c in life.contacts if c.grade in grades]
    return counted(life, marks)


def within(
    life: Life, days: int, edges: Sequence[int], grades: Sequence[int] = (0, 1, 2, 3)
) -> Grid:
    """Band the number of contacts on the days u - days .. u - 1; unknown while the window opens before the entry."""
    grid = counted(life, [(c.who, c.day) for c in life.contacts if c.grade in grades]) - before(
        life, days, grades
    )
    u = np.arange(life.size[1])
    grid[life.left_truncated[:, None] & (u - days < life.entry[:, None])] = -1
    return banded(grid, edges)


def latest(life: Life, marks: Sequence[tuple[int, int, int]], none: int) -> Grid:
    """Return the value of the last mark (customer, day, value) up to u - 1, in the order given; `none` before."""
    grid = np.full(life.size, -99)
    for i, day, value in marks:
        known = day + 1 + life.blackout
        if known < grid.shape[1]:
            grid[i, max(known, 0)] = value
    for u in range(1, grid.shape[1]):
        grid[:, u] = np.where(grid[:, u] == -99, grid[:, u - 1], grid[:, u])
    start = np.where(life.left_truncated, -1, none)[:, None]
    return np.where(grid == -99, start, grid)


def age(life: Life, marks: Sequence[tuple[int, int]], edges: Sequence[int]) -> Grid:
    """Band the days since the last mark: 0 none, 1 up to the first edge, and so on."""
    last = latest(life, [(i, day, day + 10_000) for i, day in sorted(marks)], none=0)
    days = np.arange(life.size[1]) - (last - 10_000)
    return np.where(last > 0, 1 + sum((days > e).astype(int) for e in edges), last)


def age_of_last(life: Life, grade: int, edges: Sequence[int]) -> Grid:
    """Band the age of the last moment of a grade."""
    return age(life, [(c.who, c.day) for c in life.contacts if c.grade == grade], edges)


def events(life: Life, name: str) -> list[tuple[datetime, Contact]]:
    """Return the dated events of one column, by when they took effect."""
    result = [(c.when(name), c) for c in life.contacts if c.row[name] is not None]
    return sorted(result, key=lambda pair: (pair[1].who, pair[0]))


def days_of(life: Life, name: str) -> list[tuple[int, int]]:
    """Return (customer, day) of the dated events of one column."""
    return [(c.who, tenure_day(life, c.who, at)) for at, c in events(life, name)]


@dataclass(frozen=True)
class Problem:
    """A problem in days of tenure: when it came, when it is late if still open, when it is resolved (None: never)."""

    day: int
    late: int
    resolved: int | None
    resolved_at: datetime | None
    quick: bool
    contact: Contact


def problems(life: Life, quick: timedelta = timedelta(hours=48)) -> dict[int, list[Problem]]:
    """Return everybody's problems in the order in which they took effect."""
    result: dict[int, list[Problem]] = defaultdict(list)
    for at, c in events(life, "problem_at"):
        began, resolved = c.row["problem_at"], c.row["resolved_at"]
        soon = resolved is not None and resolved - began <= quick
        late = tenure_day(life, c.who, max(began + quick, at))
        end = c.when("resolved_at")
        ended = None if end is None else tenure_day(life, c.who, end)
        result[c.who].append(Problem(tenure_day(life, c.who, at), late, ended, end, soon, c))
    return result


def first_problem(life: Life, quick: timedelta = timedelta(hours=48)) -> Grid:
    """0 none, 1 open, 2 open late, 3 resolved quickly, 4 resolved late: of the first problem."""
    marks = []
    for i, own in problems(life, quick).items():
        p = own[0]
        marks.append((i, p.day, 1))
        late = max(p.late - life.blackout, p.day)  # the day alone tells, of a problem that is known
        if p.resolved is None or late <= p.resolved:
            marks.append((i, late, 2))
        if p.resolved is not None:
            marks.append((i, p.resolved, 3 if p.quick else 4))
    return unless_seen(life, latest(life, marks, 0))


def problem_state(life: Life, quick: timedelta = timedelta(hours=48)) -> Grid:
    """0 none, 1 open, 2 open late, 3 resolved, 4 resolved late: of all problems."""
    marks = []
    lag = life.blackout
    for i, own in problems(life, quick).items():
        days = {d + lag for p in own for d in (p.day, p.resolved) if d is not None}
        days |= {max(p.late, p.day + lag) for p in own}
        for u in (day + 1 for day in sorted(days)):
            come = [p for p in own if p.day + lag < u]
            still = [p for p in come if p.resolved is None or p.resolved + lag >= u]
            if still:  # whether one is late the day alone tells
                state = 2 if any(p.late < u for p in still) else 1
            else:
                state = 3 if max(come, key=lambda p: p.resolved_at).quick else 4
            marks.append((i, u - 1 - lag, state))
    return unless_seen(life, latest(life, marks, 0))


def severity(life: Life, *, first: bool = False) -> Grid:
    """0 none, else 1 + the grade of the contact of the last problem, or of the first."""
    own = {i: some[:1] if first else some for i, some in problems(life).items()}
    return latest(
        life, [(i, p.day, 1 + p.contact.grade) for i, some in own.items() for p in some], 0
    )


def told(life: Life) -> Grid:
    """0 none, 1 told of the last problem before it came, 2 not told."""

    def before(c: Contact) -> int:
        return (
            1
            if c.row["informed_at"] is not None and c.row["informed_at"] < c.row["problem_at"]
            else 2
        )

    return latest(
        life, [(i, p.day, before(p.contact)) for i, own in problems(life).items() for p in own], 0
    )


def gesture(life: Life) -> Grid:
    """0 no problem so far, 1 no gesture since the last one, 2 a gesture since it or on its day."""
    came = latest(life, [(i, p.day, p.day) for i, own in problems(life).items() for p in own], -9)
    made = latest(life, [(i, day, day) for i, day in sorted(days_of(life, "goodwill_at"))], -99)
    grid = np.where(made >= came, 2, 1)
    grid[(came == -9)] = 0
    never = life.left_truncated[:, None] & (came == -1)
    return np.where(never, -1, grid)


def last_grade(life: Life) -> Grid:
    """0 none, else 1 + the grade of the last contact."""
    return latest(life, [(c.who, c.day, 1 + c.grade) for c in life.contacts], 0)


def first_contact(life: Life) -> Grid:
    """0 none, 1 the very first contact was bad, 2 it was another."""
    first: dict[int, Contact] = {}
    for c in life.contacts:
        first.setdefault(c.who, c)
    return unless_seen(
        life, latest(life, [(i, c.day, 1 if c.grade == BAD else 2) for i, c in first.items()], 0)
    )


def first_bad(life: Life, year: int = 365, fresh: int = 90) -> Grid:
    """0 none, 1 early and fresh, 2 early and old, 3 late and fresh, 4 late and old: the first bad moment."""
    grid = np.zeros(life.size, dtype=int)
    u = np.arange(life.size[1])
    seen = set()
    for c in life.contacts:
        if c.grade == BAD and c.who not in seen:
            seen.add(c.who)
            code = np.where(u - c.day <= fresh, 1, 2) + (2 if c.day > year else 0)
            grid[c.who] = np.where(u > c.day + life.blackout, code, 0)
    return unless_seen(life, grid)


def frozen_at_bad(life: Life, grid: Grid) -> Grid:
    """Return the history as it was just before the first bad moment was known, from then on."""
    result = grid.copy()
    seen = set()
    for c in life.contacts:
        if c.grade == BAD and c.who not in seen:
            seen.add(c.who)
            known = c.day + life.blackout
            if known < life.size[1]:
                result[c.who, known + 1 :] = grid[c.who, known]
    return result


def fifth(total: Fraction, number: int = 1) -> int:
    """Return the fifth of the scale from 1 to 5 in which the mean of some scores lies, as 1 .. 5."""
    return min(int(5 * (total / number - 1) / 4), 4) + 1


def scores(life: Life) -> list[tuple[Contact, Fraction]]:
    """Return the contacts with a score, and the score as it was written."""
    return [(c, Fraction(str(c.row["stars"]))) for c in life.contacts if c.row["stars"] is not None]


def worst_score(life: Life) -> Grid:
    """0 none, else the fifth of the lowest score."""
    low: dict[int, Fraction] = {}
    marks = []
    for c, score in scores(life):
        low[c.who] = min(score, low.get(c.who, score))
        marks.append((c.who, c.day, fifth(low[c.who])))
    return unless_seen(life, latest(life, marks, 0))


def mean_score(life: Life) -> Grid:
    """0 none, else the fifth of the mean."""
    sums: dict[int, list[Fraction]] = defaultdict(list)
    marks = []
    for c, score in scores(life):
        sums[c.who].append(score)
        marks.append((c.who, c.day, fifth(sum(sums[c.who], Fraction(0)), len(sums[c.who]))))
    return unless_seen(life, latest(life, marks, 0))


def last_score(life: Life) -> Grid:
    """0 none, else the fifth of the last score."""
    return latest(life, [(c.who, c.day, fifth(score)) for c, score in scores(life)], 0)


def flipped(life: Life, days: int = 14) -> Grid:
    """0 none, 1 good moments alone, 2 turned by a good moment soon after a bad one, 3 bad moments and not turned."""
    marks = []
    bad: dict[int, int] = {}
    state: dict[int, int] = defaultdict(int)
    for c in life.contacts:
        if c.grade == BAD:
            bad[c.who] = c.day
            state[c.who] = max(state[c.who], 3) if state[c.who] != 2 else 2
        elif c.grade == GOOD and state[c.who] != 2:
            if c.who in bad:
                state[c.who] = 2 if c.day - bad[c.who] <= days else 3
            else:
                state[c.who] = 1
        marks.append((c.who, c.day, state[c.who]))
    return unless_seen(life, latest(life, marks, 0))


def posted(life: Life) -> Grid:
    """0 not, 1 posted in public, from a day after the post."""
    return np.where(
        (grid := counted(life, [(i, day + 1) for i, day in days_of(life, "posted_at")])) > 0,
        1,
        np.where(life.left_truncated[:, None], -1, grid),
    )


def members(life: Life) -> dict[str, list[int]]:
    """Return who belongs to which cluster."""
    result: dict[str, list[int]] = defaultdict(list)
    for i, cluster in enumerate(life.cluster):
        result[cluster].append(i)
    return result


def household_exits(life: Life, cause: int) -> Grid:
    """0 alone, 1 no other member has left for that cause before, 2 one has."""
    grid = np.zeros(life.size, dtype=int)
    u = np.arange(life.size[1])
    for own in members(life).values():
        for i in own:
            gone = [life.start[j] + life.exit[j] for j in own if j != i and life.event[j] == cause]
            if len(own) > 1:
                grid[i] = 1 + (u + life.start[i] > min(gone, default=10**9))
    return grid


def household_bad(life: Life) -> Grid:
    """Count the bad moments of all members so far, on their last days too; -1 where a member's start is unseen."""
    cells: dict[int, list[int]] = defaultdict(list)
    for c in life.contacts:
        if c.grade == BAD:
            cells[c.who].append(c.day + int(life.start[c.who]))
    marks, unknown = [], []
    for own in members(life).values():
        for i in own:
            marks += [(i, day - int(life.start[i])) for j in own for day in cells[j]]
            unknown += [i] if any(life.left_truncated[j] for j in own) else []
    grid = counted(life, marks)
    grid[unknown] = -1
    return grid
