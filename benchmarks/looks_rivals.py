"""Verdicts with all rival explanations at 12 looks: python benchmarks/looks_rivals.py [--world null] [--replicates 40].

A company of 1,500 customers grows over three years; every 60 days of the last two it is cut to what was known then,
and two claims are tried on it as `cxresearch report` would, with all rivals, once as at a single look each time and
once with intervals that hold at every look. What is true is known beforehand: in the world ``null`` no moment does
anything, so that "supported" is wrong; in ``harm`` a bad moment doubles the hazard, so that "contradicted" is wrong
of the first claim, and good moments still do nothing.

Seeds are fixed: replicate i has the seed (20261130, world, i). Each finished replicate is a line per claim and kind of
look appended to benchmarks/looks_rivals.csv, so a run that was stopped goes on where it was; ``--summary`` counts.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import polars as pl

import cxresearch as cx
from cxresearch.claims.results import Docket
from cxresearch.report.runs.ledger import prepared_looks
from cxresearch.utils.atomic import put_in_place
from cxresearch.worlds import Simulated, World, simulate

LINES = Path(__file__).parent / "looks_rivals.csv"
SEED, CUSTOMERS, LOOKS, APART = 20261130, 1_500, 12, 60
CLAIMS = ("bad-moments-drive-away", "good-moments-build")
COMPANY = {"days": 1_095, "entry_days": 800}
WORLDS = {"null": World(**COMPANY), "harm": World(**COMPANY, hr_bad=(1.0, 2.0, 2.0, 2.0))}
SIGNS = {"supported": "s", "contradicted": "c", "undecided": "u", "not testable": "n"}
SCHEMA = {
    "world": pl.String,
    "replicate": pl.Int64,
    "looks": pl.String,
    "claim": pl.String,
    "verdicts": pl.String,  # a letter for each look: supported, contradicted, undecided, not testable
    "together": pl.String,  # the same before rivals are tried
}


def known_on(made: Simulated, day: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both tables as they are known at the end of a day."""
    log = made.interactions.filter(pl.col("at").cast(pl.Date) <= day)
    people = made.customers.filter(pl.col("start").cast(pl.Date) <= day)
    gone = pl.col("end").cast(pl.Date) <= day
    return log, people.with_columns(
        pl.when(gone).then(name).alias(name) for name in ("end", "reason")
    )


def tried(made: Simulated, folder: Path, looks: str) -> Iterator[Docket]:
    """The docket of each look, one after the other; each is recorded."""
    last = made.interactions["at"].max().date()
    for back in range(LOOKS - 1, -1, -1):
        day = last - timedelta(days=APART * back)
        log, people = known_on(made, day)
        settings = {
            "study": {"id": "growing"},
            "interactions": {"score": "stars", "scale": [1, 5], "log_until": day},
            "moments": {"exclude": "touchpoint = 'cancellation'"},
            "retention": {"cause": "reason", "defection": ["switched"], "segment": "plan"},
            "decision": {"looks": looks, "multiplicity": "none"},
        }
        study = cx.study_from(settings, interactions=log, retention=people, folder=folder)
        docket = cx.evaluate(study, CLAIMS, verdicts_only=True, keep=False)
        if docket.after is not None:
            put_in_place(*prepared_looks(study.state, study.info.id, docket.after))
        yield docket


def lines(world: str, replicate: int) -> Iterator[dict[str, object]]:
    """What comes of a company."""
    of_world = list(WORLDS).index(world)
    seed = int(np.random.SeedSequence([SEED, of_world, replicate]).generate_state(1)[0])
    made = simulate(WORLDS[world], CUSTOMERS, seed)
    for looks in ("single", "anytime"):
        with TemporaryDirectory(prefix="looks-") as folder:
            dockets = list(tried(made, Path(folder), looks))
        for claim in CLAIMS:
            yield {
                "world": world,
                "replicate": replicate,
                "looks": looks,
                "claim": claim,
                "verdicts": "".join(SIGNS[d[claim].verdict_alone] for d in dockets),
                "together": "".join(SIGNS[d[claim].association] for d in dockets),
            }


def results() -> pl.DataFrame:
    """The lines that there are."""
    return pl.read_csv(LINES, schema=SCHEMA) if LINES.exists() else pl.DataFrame(schema=SCHEMA)


def summary() -> pl.DataFrame:
    """In how many runs a claim was ever supported, or contradicted, and was so at the last look."""
    counted = [
        pl.col(column).str.contains(sign).sum().alias(f"{column}: {when} {word}")
        for column in ("verdicts", "together")
        for word, letter in (("supported", "s"), ("contradicted", "c"))
        for when, sign in (("ever", letter), ("at last", f"{letter}$"))
    ]
    by = results().group_by("world", "looks", "claim").agg(pl.len().alias("runs"), *counted)
    return by.sort("world", "claim", "looks")


def main() -> None:
    """Run, or sum up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--world", choices=list(WORLDS), default="null")
    parser.add_argument("--replicates", type=int, default=40)
    parser.add_argument("--summary", action="store_true")
    given = parser.parse_args()
    there = results().filter(world=given.world)["replicate"].to_list()
    for replicate in range(0 if given.summary else given.replicates):
        if replicate not in there:
            made = pl.DataFrame(list(lines(given.world, replicate)), schema=SCHEMA)
            with LINES.open("ab") as file:
                made.write_csv(file, include_header=file.tell() == 0)
    with pl.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=220, fmt_str_lengths=40):
        print(summary())


if __name__ == "__main__":
    main()
