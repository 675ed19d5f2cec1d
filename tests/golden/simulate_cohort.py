"""Simulate the cohort behind the golden Cox fits and incidences: 20,000 customers, a day at a time.

Run from the root of the repository: `python tests/golden/simulate_cohort.py`. Seeded; NumPy only.

Tenure runs in whole days. Contacts arrive at a rate of the customer's own, some are bad, and the state on a
day comes from contacts of earlier days. Customers who signed up before the study opened enter at the tenure
they have by then, if they are still there (left truncation). Every thirtieth day is a billing day with many
more defections, so that ties are heavy.
"""

import csv
import gzip
import io
from pathlib import Path

import numpy as np

CUSTOMERS = 20_000
STUDY_DAYS = 600
HR_BAD = np.array([1.0, 1.5, 2.2, 3.0])
HR_CONTACTS = np.array([1.0, 1.05, 1.1, 1.2])
HR_SEGMENT = np.array([1.0, 1.3, 0.8, 1.1])
SEGMENTS = ("basic", "plus", "family", "business")
BAD = ("0", "1", "2", "3+")
CONTACTS = ("0", "1-2", "3-5", "6+")


def simulate(seed: int = 20_240_607) -> list[tuple[int, int, int, int, str, str, str]]:
    """Return the rows (id, start, stop, cause, bad, contacts, segment) of (start, stop] episodes."""
    rng = np.random.default_rng(seed)
    n = CUSTOMERS + 4_000
    signed_up = rng.integers(-250, STUDY_DAYS - 20, n)
    entry = np.maximum(0, -signed_up)
    end = STUDY_DAYS - signed_up
    segment = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
    frailty = rng.gamma(5.0, 0.2, n)
    contact_rate = rng.gamma(2.0, 0.004, n)
    bad_share = rng.beta(2.0, 8.0, n)

    contacts = np.zeros(n, dtype=int)
    bad = np.zeros(n, dtype=int)
    alive = np.ones(n, dtype=bool)
    opened = entry.copy()
    state = np.zeros((n, 2), dtype=int)
    episodes: list[list[tuple[int, int, int, int, int]]] = [[] for _ in range(n)]
    for day in range(1, int(end.max()) + 1):
        current = np.stack(
            [np.minimum(bad, 3), np.searchsorted([1, 3, 6], contacts, side="right")], axis=1
        )
        changed = alive & (entry < day - 1) & (current != state).any(axis=1)
        for i in np.flatnonzero(changed):
            episodes[i].append((opened[i], day - 1, 0, *state[i]))
            opened[i] = day - 1
        state = current

        billing = 8.0 if day % 30 == 0 else 1.0
        defect = 0.0005 * billing * frailty * HR_SEGMENT[segment] * HR_BAD[state[:, 0]]
        defect *= HR_CONTACTS[state[:, 1]]
        draw = rng.random(n)
        cause = np.where(draw < defect, 1, np.where(draw < defect + 0.0002, 2, 0))
        leaves = alive & ((cause > 0) | (day == end))
        for i in np.flatnonzero(leaves & (entry < day)):
            episodes[i].append((opened[i], day, int(cause[i]), *state[i]))
        alive &= ~leaves

        calls = rng.random(n) < contact_rate
        contacts += calls
        bad += calls & (rng.random(n) < bad_share)

    observed = [i for i in range(n) if episodes[i]][:CUSTOMERS]
    return [
        (number, int(start), int(stop), why, BAD[b], CONTACTS[c], SEGMENTS[segment[i]])
        for number, i in enumerate(observed, start=1)
        for start, stop, why, b, c in episodes[i]
    ]


def main() -> None:
    """Write cohort_episodes.csv.gz beside this file, the same bytes each time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "start", "stop", "cause", "bad", "contacts", "segment"))
    writer.writerows(simulate())
    target = Path(__file__).with_name("cohort_episodes.csv.gz")
    target.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main()
