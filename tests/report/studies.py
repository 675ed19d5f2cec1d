"""A small study on disk, quick to read; too small for most claims, which is an answer too."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import polars as pl

STUDY = """
[study]
name = "A small shop"

[interactions]
source = "${LOG}"
grade = "grade"

[retention]
source = "customers.csv"
segment = "segment"
"""


def small_study(folder, customers=120):
    """Write study.toml, log.csv and customers.csv; returns the study file."""
    random, first = Random(5), date(2023, 1, 1)
    log, who = [], []
    for i in range(customers):
        start = random.randrange(200)
        stay = random.choice((None, *(random.randrange(20, 400) for _ in range(3))))
        end = None if stay is None else first + timedelta(start + stay)
        who.append((f"c{i}", first + timedelta(start), end, random.choice(("basic", "plus"))))
        for _ in range(random.randrange(6)):
            when = first + timedelta(start + random.randrange(stay or 400))
            log.append((f"c{i}", when, random.choice(("bad", "good", "neutral"))))
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(log, schema=["customer", "at", "grade"], orient="row").write_csv(
        folder / "log.csv"
    )
    pl.DataFrame(who, schema=["customer", "start", "end", "segment"], orient="row").write_csv(
        folder / "customers.csv"
    )
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"
