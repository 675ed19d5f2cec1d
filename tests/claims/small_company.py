"""A small company made day by day, as dirty as real ones: the raw tables behind `tests/claims/test_each_claim.py`.

Nothing here comes from the package. Hazards depend on what customers have lived through, so that estimates lie away
from one. What has to be survived is put in on purpose: contacts on the days of start, entry and exit, at the same
second, twice, without time, grade, score or anything else; problems that overlap, end on the day they came, after
48 hours to the second, or never; events dated before the contact that tells of them, or long after it.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

FIRST_DAY = date(2022, 1, 3)
LAST = 730  # last day of the log
SEGMENTS = ("basic", "plus", "prime")
CHANNELS = ("advert", "friend", "shop", None)
TOUCHPOINTS = ("call", "web", "bill", "delivery", "chat", None)
AGENTS = tuple(f"agent {k:02d}" for k in range(24))
MOODS = ("awful", "so-so", "fine", None)
HOUR = timedelta(hours=1)

LOG = {
    "who": pl.String,
    "happened": pl.Datetime("us"),
    "mood": pl.String,
    "stars": pl.Float64,
    "touchpoint": pl.String,
    "agent": pl.String,
    "attended": pl.Boolean,
    "is_problem": pl.Boolean,
    "handoff": pl.Boolean,
    "respect": pl.Int64,
    "solutions": pl.Int64,
    "simplicity": pl.Int64,
    "responsibility": pl.Int64,
    "problem_at": pl.Datetime("us"),
    "resolved_at": pl.Datetime("us"),
    "goodwill_at": pl.Datetime("us"),
    "informed_at": pl.Datetime("us"),
    "complained_at": pl.Datetime("us"),
    "posted_at": pl.Datetime("us"),
}
PEOPLE = {
    "who": pl.String,
    "start": pl.Date,
    "end": pl.Date,
    "reason": pl.String,
    "plan": pl.String,
    "household": pl.String,
    "came_by": pl.String,
    "mailings": pl.Int64,
    "seen_from": pl.Date,
    "seen_until": pl.Date,
}
STUDY: dict[str, Any] = {
    "study": {"name": "a small company", "horizon_days": 300},
    "interactions": {
        "customer": "who",
        "at": "happened",
        "score": "stars",
        "scale": [1, 5],
        "log_from": FIRST_DAY,
        "log_until": FIRST_DAY + timedelta(days=LAST),
    },
    "moments": {
        "bad": "mood = 'awful'",
        "neutral": "mood = 'so-so'",
        "good": "mood = 'fine'",
        "exclude": "touchpoint = 'cancellation'",
    },
    "retention": {
        "customer": "who",
        "start": "start",
        "end": "end",
        "cause": "reason",
        "defection": ["switched", "dissatisfied"],
        "segment": "plan",
        "cluster": "household",
        "observed_from": "seen_from",
        "observed_until": "seen_until",
        "marketing": ["came_by", "mailings"],
    },
}


def day(number: int) -> date:
    """Return the day `number` days after the first of the log."""
    return FIRST_DAY + timedelta(days=int(number))


@dataclass
class Company:
    """Raw rows of both tables, as dictionaries."""

    log: list[dict[str, Any]] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)

    def tables(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the two tables as frames."""
        return pl.DataFrame(self.log, schema=LOG, orient="row"), pl.DataFrame(
            self.people, schema=PEOPLE, orient="row"
        )


@dataclass
class Lives:
    """What the hazard of every customer depends on, one entry a customer."""

    bad: np.ndarray
    good: np.ndarray
    neutral: np.ndarray
    remote: np.ndarray
    worst: np.ndarray  # bad moments with a problem
    handed: np.ndarray
    failed: np.ndarray  # of the four expectations, (N, 4)
    sour: np.ndarray
    last_contact: np.ndarray
    last_bad: np.ndarray
    last_grade: np.ndarray
    lowest: np.ndarray
    first: np.ndarray  # grade of the first contact, -1 none
    open_until: np.ndarray
    had_problem: np.ndarray
    gesture: np.ndarray
    told: np.ndarray
    complained: np.ndarray
    flipped: np.ndarray

    @classmethod
    def none_yet(cls, n: int) -> "Lives":
        """Return the state of customers with whom nothing has happened."""
        zeros = {
            name: np.zeros(n)
            for name in ("bad", "good", "neutral", "remote", "worst", "handed", "sour")
        }
        flags = {
            name: np.zeros(n)
            for name in ("had_problem", "gesture", "told", "complained", "flipped")
        }
        never = {name: np.full(n, -9999.0) for name in ("last_contact", "last_bad", "open_until")}
        codes = {name: np.full(n, -1) for name in ("last_grade", "first")}
        return cls(
            **zeros, **flags, **never, **codes, failed=np.zeros((n, 4)), lowest=np.full(n, 5.0)
        )


def make_company(seed: int = 20240817, customers: int = 2_000) -> Company:
    """Make a company of that many customers and two years."""
    rng = np.random.default_rng(seed)
    n = customers
    start = np.where(rng.random(n) < 0.7, rng.integers(0, 200, n), rng.integers(0, 640, n))
    start = np.where(rng.random(n) < 0.06, rng.integers(-150, 0, n), start)
    segment = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    came_by = rng.choice(4, n, p=[0.35, 0.35, 0.25, 0.05])
    mailings = rng.integers(0, 4, n)
    household = np.full(n, -1)
    there = 0
    for h in range(n):
        size = int(rng.choice([1, 2, 3, 4], p=[0.62, 0.22, 0.11, 0.05]))
        household[there : there + size] = h if size > 1 else -1
        # members come together, more or less
        start[there + 1 : there + size] = start[there] + rng.integers(
            -20, 60, len(start[there + 1 : there + size])
        )
        there += size
        if there >= n:
            break
    start = np.clip(start, -150, 680)
    frailty = rng.gamma(3, 1 / 3, n)
    for h in np.unique(household[household >= 0]):
        frailty[household == h] = frailty[household == h][0]
    rate = rng.gamma(2, 1 / 2, n) / 40 + 1 / 150
    calm = rng.random(n) < 0.45
    bad_share = np.where(calm, 0.06, 0.3)

    lives, left, cause = Lives.none_yet(n), np.full(n, 99_999), np.full(n, -1)
    partner_left = np.zeros(n)
    company = Company()
    names = [f"c{k:04d}" if k % 7 else f"Ü {k}" for k in range(n)]
    for t in range(-150, LAST + 1):
        alive = (start <= t) & (left > t)
        risky = alive & (start < t)
        defect = 0.00036 * frailty * hazard(lives, t, segment, came_by, mailings, partner_left)
        draw = rng.random(n)
        goes = risky & (draw < defect)
        dies = risky & ~goes & (draw > 1 - 0.00035)
        left[goes | dies], cause[goes], cause[dies] = t, 0, 1
        calls = alive & (rng.random(n) < np.where(goes, 0.35, rate))
        for i in np.flatnonzero(calls):
            contacts(rng, company, lives, int(i), t, names[i], bad_share[i], leaving=bool(goes[i]))
        for i in np.flatnonzero(goes):
            partner_left[(household == household[i]) & (household >= 0)] = 1
    for i in range(n):
        company.people.append(
            {
                "who": names[i],
                "start": day(start[i]),
                "end": None if left[i] > LAST else day(left[i]),
                "reason": reason(rng, cause[i]),
                "plan": None if rng.random() < 0.01 else SEGMENTS[segment[i]],
                "household": None if household[i] < 0 else f"home {household[i]}",
                "came_by": CHANNELS[came_by[i]],
                "mailings": int(mailings[i]),
                "seen_from": day(start[i] + rng.integers(-10, 140))
                if rng.random() < 0.12
                else None,
                "seen_until": day(start[i] + rng.integers(100, 700))
                if rng.random() < 0.08
                else None,
            }
        )
    dirt(rng, company)
    return company


def hazard(
    lives: Lives,
    t: int,
    segment: np.ndarray,
    came_by: np.ndarray,
    mailings: np.ndarray,
    partner_left: np.ndarray,
) -> np.ndarray:
    """Return how many times the base hazard everybody has on a day."""
    since = t - lives.last_bad
    log = (
        0.18 * np.minimum(lives.bad, 4)
        + np.where(since <= 30, 0.55, 0.0)
        + np.where(since <= 90, 0.3, 0.0)
    )
    log += -0.05 * np.minimum(lives.good, 5) + 0.04 * np.minimum(lives.neutral, 5)
    log += (
        0.25 * np.minimum(lives.remote, 2)
        + 0.14 * np.minimum(lives.handed, 4)
        + 0.2 * np.minimum(lives.worst, 3)
    )
    log += np.minimum(lives.failed, 2) @ np.array([0.12, 0.2, 0.08, 0.15]) + 0.1 * np.minimum(
        lives.sour, 3
    )
    log += np.where(t - lives.last_contact > 90, 0.5, 0.0) + np.where(lives.first == 0, 0.35, 0.0)
    log += np.where(lives.last_grade == 0, 0.25, 0.0) + 0.15 * (5 - lives.lowest)
    log += np.where(lives.open_until > t, 0.6, 0.0) + 0.2 * lives.had_problem - 0.4 * lives.gesture
    log += -0.3 * lives.told + 0.3 * lives.complained - 0.15 * lives.flipped + 0.5 * partner_left
    log += (
        np.array([0.0, -0.3, 0.35])[segment]
        + np.array([0.2, -0.2, 0.0, 0.1])[came_by]
        - 0.08 * mailings
    )
    return np.exp(log)


def reason(rng: np.random.Generator, cause: int) -> str | None:
    """Return why a customer left, as the table says it."""
    if cause < 0:
        return None
    pick = ("switched", "switched", "dissatisfied") if cause == 0 else ("died", "withdrawn", None)
    return pick[int(rng.integers(3))]


def contacts(
    rng: np.random.Generator,
    company: Company,
    lives: Lives,
    i: int,
    t: int,
    name: str,
    bad: float,
    *,
    leaving: bool,
) -> None:
    """Write a customer's contacts of one day, and remember what they did."""
    number = 1 + (rng.random() < 0.12) + (rng.random() < 0.03)
    at = datetime.combine(day(t), datetime.min.time()) + timedelta(
        seconds=int(rng.integers(0, 86_400))
    )
    for k in range(number):
        later = at + timedelta(seconds=int(rng.integers(1, 7_200)))
        tied = k > 0 and (rng.random() < 0.4 or later.date() > at.date())
        at = at if tied else later if k else at
        row = one_contact(rng, name, at, bad + 0.3 * leaving, tied=tied)
        company.log.append(row)
        if t < 0:
            continue
        remember(lives, i, t, row)


def one_contact(
    rng: np.random.Generator, name: str, at: datetime, bad: float, *, tied: bool
) -> dict[str, Any]:
    """Write one row of the log."""
    rest = (1 - bad) * np.array([0.42, 0.5, 0.08])
    mood = MOODS[rng.choice(4, p=[bad, *rest])]
    worse = {"awful": 1.2, "so-so": 0.3, "fine": -0.4, None: 0.0}[mood]
    stars: float | None = float(np.clip(np.round(rng.normal(3.4 - worse, 1.0), 1), 1, 5))
    if mood is None or tied:
        # no second opinion on the grade, and no two scores at one second
        stars = None
    whim = rng.random()
    stars = None if whim < 0.12 else 5.5 if whim < 0.13 else 0.0 if whim < 0.135 else stars
    expectations = [int(np.clip(np.round(rng.normal(3.6 - worse, 1.1)), 1, 5)) for _ in range(4)]
    touchpoint = TOUCHPOINTS[rng.choice(6, p=[0.3, 0.2, 0.15, 0.15, 0.15, 0.05])]
    if rng.random() < 0.015:
        touchpoint = "cancellation"
    agent = int(24 * rng.random() ** (2 if mood == "awful" else 1))
    row: dict[str, Any] = dict.fromkeys(LOG)
    row |= {
        "who": name,
        "happened": at,
        "mood": mood,
        "stars": stars,
        "touchpoint": touchpoint,
        "agent": None if rng.random() < 0.06 else AGENTS[agent],
        "attended": None if rng.random() < 0.1 else bool(rng.random() < 0.6),
        "is_problem": None if rng.random() < 0.1 else bool(rng.random() < 0.3),
        "handoff": None if rng.random() < 0.2 else bool(rng.random() < 0.25),
    }
    for name_of, value in zip(
        ("respect", "solutions", "simplicity", "responsibility"), expectations, strict=True
    ):
        row[name_of] = None if rng.random() < 0.25 else value
    if not tied:
        add_dated_events(rng, row, at)
    return row


def add_dated_events(rng: np.random.Generator, row: dict[str, Any], at: datetime) -> None:
    """Add the dated events that the contact tells of."""
    awful = row["mood"] == "awful"
    if rng.random() < (0.3 if awful else 0.09):
        before = rng.choice([0, 0, 60, 3_600, 40_000, 200_000, 500_000, -30_000, -400_000])
        problem = at - timedelta(seconds=int(before))
        took = rng.choice(
            [900, 20_000, 90_000, 172_800, 172_801, 172_799, 300_000, 700_000, 2_000_000, -1, -1]
        )
        row["problem_at"] = problem
        row["resolved_at"] = None if took < 0 else problem + timedelta(seconds=int(took))
        if rng.random() < 0.45:
            row["informed_at"] = problem - int(rng.choice([-20, -1, 1, 5, 70])) * HOUR
        if rng.random() < 0.45:
            row["goodwill_at"] = at + int(rng.choice([-100, -1, 0, 3, 30, 200, 600])) * HOUR
    elif rng.random() < 0.01:
        row["goodwill_at"] = at + int(rng.integers(0, 50)) * HOUR
    if rng.random() < (0.2 if awful else 0.02):
        row["complained_at"] = at + int(rng.choice([-30, 0, 0, 2, 24, 100, 900])) * HOUR
    if rng.random() < (0.25 if awful else 0.015):
        row["posted_at"] = at + int(rng.choice([-30, 0, 0, 0, 2, 24, 100, 500, 900])) * HOUR


def remember(lives: Lives, i: int, t: int, row: dict[str, Any]) -> None:
    """Keep what the hazard of the days to come depends on."""
    if row["touchpoint"] == "cancellation":
        return
    grade = {"awful": 0, "so-so": 1, "fine": 2, None: 3}[row["mood"]]
    lives.flipped[i] = max(lives.flipped[i], grade == 2 and t - lives.last_bad[i] <= 14)
    lives.bad[i] += grade == 0
    lives.neutral[i] += grade == 1
    lives.good[i] += grade == 2
    lives.remote[i] += grade == 0 and row["attended"] is False
    lives.worst[i] += grade == 0 and row["is_problem"] is True
    lives.handed[i] += row["handoff"] is True
    scores = [row[name] for name in ("respect", "solutions", "simplicity", "responsibility")]
    lives.failed[i] += [s is not None and s < 3 for s in scores]
    lives.sour[i] += (
        scores[0] is not None and scores[0] >= 3 and scores[3] is not None and scores[3] < 3
    )
    lives.last_contact[i], lives.last_grade[i] = t, grade
    if lives.first[i] < 0:
        lives.first[i] = grade
    if grade == 0:
        lives.last_bad[i] = t
    if row["stars"] is not None and 1 <= row["stars"] <= 5:
        lives.lowest[i] = min(lives.lowest[i], row["stars"])
    if row["problem_at"] is not None:
        lives.had_problem[i] = 1
        resolved = row["resolved_at"]
        lives.open_until[i] = 99_999 if resolved is None else (resolved.date() - FIRST_DAY).days
        lives.gesture[i] = row["goodwill_at"] is not None
        lives.told[i] = row["informed_at"] is not None and row["informed_at"] < row["problem_at"]
    if row["complained_at"] is not None:
        lives.complained[i] = 1


def dirt(rng: np.random.Generator, company: Company) -> None:
    """Add rows that a careful reader sets aside, and mix everything up."""
    log, people = company.log, company.people
    log += [dict(log[k]) for k in rng.integers(0, len(log), 60)]
    log += [log[k] | {"who": None} for k in rng.integers(0, len(log), 10)]
    log += [log[k] | {"happened": None} for k in rng.integers(0, len(log), 10)]
    log += [log[k] | {"who": "stranger"} for k in rng.integers(0, len(log), 10)]
    for k in rng.integers(0, len(log), 60):
        if (
            log[k]["happened"] is not None
        ):  # before a start, after an end, or on some other day of a life
            log.append(
                log[k]
                | {"happened": log[k]["happened"] + timedelta(days=int(rng.integers(-300, 300)))}
            )
    for k in range(12):
        lonely = people[k] | {"who": f"odd {k}", "household": None}
        first = lonely["start"]
        people.append(
            lonely | {"end": first + timedelta(days=(0, -3)[k % 2]), "reason": "switched"}
        )
        log.append(log[k] | {"who": f"odd {k}"})
    people += [dict(people[k]) for k in rng.integers(0, len(people), 5)]
    people.append(people[3] | {"who": None})
    order = rng.permutation(len(log))
    company.log = [log[k] for k in order]
    company.people = [people[k] for k in rng.permutation(len(people))]
