"""Gaps between contacts of 120 made-up customers.

Run from the root of the repository: python tests/golden/simulate_gaps.py

Three years of integer days; the first twenty customers share clusters of two. Ties within customers are common.
"""

import csv
from pathlib import Path

import numpy as np

LAST = 1094
HERE = Path(__file__).parent
random = np.random.default_rng(20261129)
rows = []
for customer in range(120):
    pace, day, number = random.uniform(15, 60), int(random.integers(0, 300)), 1
    bad = good = 0
    while day < LAST:
        grade = random.random()
        bad, good = bad + int(grade < 0.2), good + int(grade > 0.6)
        gap = 1 + int(random.exponential(pace * (1.3 if bad else 1.0)))
        ended = int(day + gap < LAST)
        rows.append((customer, customer // 2 if customer < 20 else customer, number, day))
        rows[-1] += (gap if ended else LAST - day, ended, bad, good)
        day, number = day + gap, number + 1
with (HERE / "own_gaps_data.csv").open("w", newline="", encoding="utf-8") as file:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(("customer", "cluster", "number", "day", "days", "ended", "bad", "good"))
    table.writerows(rows)
