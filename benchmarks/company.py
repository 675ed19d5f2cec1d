"""A large synthetic company on disk, in the one layout that all measurements use.

Times as datetimes, customers as text, rows shuffled; about 26 contacts a customer. Not day by day as
`cxresearch.worlds`, whose effects are exact: here the size is the point, and a bad moment doubles the hazard roughly.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

DAYS, RATE, PART = 730, 1 / 16, 250_000
FIRST = datetime(2022, 1, 1)
LOG_SOURCE = "interactions/*.parquet"  # as SETTINGS names it
SETTINGS = """\
[study]
name = "Benchmark"

[interactions]
source = "interactions/*.parquet"
score = "stars"
scale = [1, 5]

[retention]
source = "customers.parquet"
cause = "reason"
defection = ["switched"]
segment = "plan"

[[claims]]
id = "crude"
statement = "A bad moment pushes customers away, nothing held equal."
source = "benchmark"
histories.bad = { use = "bad_count", cap = 1 }
text = { finding = "{estimate}" }
[[claims.readings]]
id = "crude"
label = "hazard ratio"
kind = "hazard_contrast"
primary = true
model = { terms = ["bad"] }
contrast = { "bad[1+]" = 1 }
region = "> 1"

[[claims]]
id = "adjusted"
statement = "A bad moment pushes customers away, contacts and segment held equal."
source = "benchmark"
histories.bad = { use = "bad_count", cap = 1 }
histories.contacts = { use = "contacts_within", days = 90, edges = [1, 3, 6] }
text = { finding = "{estimate}" }
[[claims.readings]]
id = "adjusted"
label = "hazard ratio"
kind = "hazard_contrast"
primary = true
model = { terms = ["bad", "contacts"], strata = ["segment"] }
contrast = { "bad[1+]" = 1 }
region = "> 1"
"""


def company(folder: Path, customers: int, seed: int = 1) -> Path:
    """Write a company of that many customers to a folder, unless it is there; returns the study file."""
    study = folder / "study.toml"
    if study.exists():
        study.write_text(SETTINGS)
        return study
    (folder / "interactions").mkdir(parents=True, exist_ok=True)
    who = []
    for i, first in enumerate(range(0, customers, PART)):
        rng = np.random.default_rng([seed, i])
        log, people = _part(rng, first, min(PART, customers - first))
        log.write_parquet(folder / "interactions" / f"part-{i:04d}.parquet")
        who.append(people)
    pl.concat(who).write_parquet(folder / "customers.parquet")
    study.write_text(SETTINGS)
    return study


def _part(rng: np.random.Generator, first: int, n: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    ids = pl.Series([f"C{first + i:09d}" for i in range(n)])
    start = rng.integers(0, DAYS // 2, n)
    prone = 0.15 * rng.gamma(2.0, 0.5, n)
    hazard = np.where(rng.random(n) < prone * 2, 0.0016, 0.0008)
    end = start + 1 + rng.exponential(1 / hazard).astype(np.int64)
    stays = end > DAYS
    number = rng.poisson(RATE * rng.gamma(2.0, 0.5, n) * (np.minimum(end, DAYS) - start))
    row = np.repeat(np.arange(n), number)
    day = start[row] + (rng.random(len(row)) * (np.minimum(end, DAYS) - start)[row]).astype(
        np.int64
    )
    stars = np.where(
        rng.random(len(row)) < prone[row],
        rng.integers(1, 3, len(row)),
        rng.integers(3, 6, len(row)),
    )
    order = rng.permutation(len(row))
    kinds = np.array(["call", "chat", "bill", "delivery", "app"])
    log = pl.DataFrame(
        {
            "customer": ids.gather(row[order]),
            "at": pl.Series(
                day[order] * 86_400 + rng.integers(28_800, 72_000, len(row)), dtype=pl.Int64
            ),
            "touchpoint": kinds[rng.integers(0, 5, len(row))],
            "stars": stars[order].astype(np.int8),
        }
    ).with_columns(at=pl.lit(FIRST) + pl.duration(seconds="at"))
    days = pl.lit(FIRST.date()) + pl.duration(days=pl.col("day"))
    people = pl.DataFrame(
        {
            "customer": ids,
            "start": pl.DataFrame({"day": start}).select(days).to_series(),
            "end": pl.DataFrame({"day": np.minimum(end, DAYS)}).select(days).to_series(),
            "reason": np.where(rng.random(n) < 0.9, "switched", "moved away"),
            "plan": np.array(["basic", "plus", "family"])[rng.integers(0, 3, n)],
            "stays": stays,
        }
    ).with_columns(
        pl.when("stays").then(None).otherwise(pl.col(c)).alias(c) for c in ("end", "reason")
    )
    return log, people.drop("stays")
