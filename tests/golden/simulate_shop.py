"""Contacts of 400 made-up customers of a shop without contracts.

Run from the root of the repository: python tests/golden/simulate_shop.py

Nine hundred days, as whole numbers. Some customers come on one day twice, some are there from the first days on (and
may have been there before), and some come back after a silence of more than sixty days.
"""

import csv
from pathlib import Path

import numpy as np

LAST = 900
HERE = Path(__file__).parent
random = np.random.default_rng(20261130)
rows = []
for customer in range(400):
    pace, day = random.uniform(5, 12), int(random.integers(0, 600))
    bad = False
    while day <= LAST:
        grade = random.choice(["bad", "neutral", "good"], p=[0.25, 0.25, 0.5])
        bad |= grade == "bad"
        rows.append((f"c{customer:03d}", day, grade))
        if random.random() < (0.1 if bad else 0.06):
            if random.random() > 0.15:
                break
            day += 130 + int(random.integers(0, 120))
        elif random.random() > 0.1:  # else another one on the same day
            day += 1 + int(random.gamma(2, pace / 2))
with (HERE / "shop_contacts.csv").open("w", newline="", encoding="utf-8") as file:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(("customer", "at", "grade"))
    table.writerows(rows)
