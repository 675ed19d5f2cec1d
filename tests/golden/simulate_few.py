"""A small company, 120 customers of whom 60 leave: writes few/interactions.csv and few/customers.csv.

Run from the root of the repository: python tests/golden/simulate_few.py. Plain Python, no package.
"""

import csv
from datetime import date, timedelta
from pathlib import Path
from random import Random

FOLDER = Path(__file__).parent / "few"
FIRST, DAYS, CUSTOMERS, LEAVERS = date(2024, 1, 1), 360, 120, 60
GRADES = ("bad", "bad", "neutral", "good", "good")


def life(random, number):
    """The row of a customer and its contacts; a bad moment doubles the hazard from the next day on."""
    start = random.randrange(0, 150)
    chance = 0.0018 * (1.4 if number % 3 == 0 else 1.0)
    rate, bad, contacts, end = random.uniform(0.005, 0.05), False, [], None
    for day in range(start, DAYS):
        if day > start and random.random() < chance * (2 if bad else 1):
            end = day
            break
        if random.random() < rate:
            contacts.append((day, random.choice(GRADES)))
            bad = bad or contacts[-1][1] == "bad"
    # two of three households are single customers
    household = f"h{number // 4}" if number % 4 < 2 else f"s{number}"
    segment = "plus" if number % 3 == 0 else "basic"
    return start, end, segment, household, contacts


def company(seed):
    """All customers, and how many of them leave."""
    random = Random(seed)
    lives = [life(random, number) for number in range(CUSTOMERS)]
    return lives, sum(end is not None for _, end, *_ in lives)


def text(day):
    return "" if day is None else (FIRST + timedelta(day)).isoformat()


def main():
    lives = next(lives for lives, leavers in map(company, range(1_000)) if leavers == LEAVERS)
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "customers.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["customer", "start", "end", "segment", "household"])
        for number, (start, end, segment, household, _) in enumerate(lives):
            rows.writerow([f"c{number:03}", text(start), text(end), segment, household])
    with (FOLDER / "interactions.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["customer", "at", "grade"])
        for number, (*_, contacts) in enumerate(lives):
            rows.writerows([f"c{number:03}", text(day), grade] for day, grade in contacts)


if __name__ == "__main__":
    main()
