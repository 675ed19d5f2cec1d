"""How often intervals are ever wrong over 100 weekly looks: python benchmarks/looks.py [--world null] [--replicates 400].

A company of 1,000 customers is made once for each replicate, and its event history is stored once: rows of
(start, stop] by customer, with what the adjusted readings of two claims ask for and hold equal. At each of 100 weeks it
is cut to what was known then, and the two hazard ratios are estimated with the package's own risk tables, Cox model and
robust errors. The intervals are those of a single look and those that hold at every look, tuned at the first look of 50
departures.

What is true is known beforehand, since hazards are proportional and nothing else is at work: in the world ``null`` both
ratios are 1; in ``harm`` a bad moment multiplies the hazard by 1.5 and a good one in place of a neutral one by 1.
So an interval is wrong if it leaves out log 1 = 0, in ``harm`` log 1.5 for bad moments.

Seeds are fixed: replicate i has the seed (20261130, world, i). Each finished replicate is a line per claim appended to
benchmarks/looks.csv, so a run that was stopped goes on where it was; ``--summary`` prints the counts. One core is used.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator
from pathlib import Path

for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import polars as pl
from scipy import stats

import cxresearch as cx
from cxresearch import histories as h
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.cox import cox
from cxresearch.estimators.looks import half_width, p_at_every_look, tune
from cxresearch.risk.from_rows import from_rows
from cxresearch.worlds import World, simulate

LINES = Path(__file__).parent / "looks.csv"
SEED, CUSTOMERS, LOOKS, WEEK = 20261130, 1_000, 100, 7
FIRST_EVENTS, ALPHA = 50, 0.05
COMPANY = {
    "days": 1_000,
    "entry_days": 700,
    "contact_rate": 0.012,
    "proneness_variance": 0.0,
    "intensity_variance": 0.5,
}
WORLDS = {
    "null": World(**COMPANY),
    "harm": World(**COMPANY, hr_bad=(1.0, 1.5, 1.5, 1.5)),
}
TRUTH = {
    "null": {"bad-moments-drive-away": 1.0, "good-moments-build": 1.0},
    "harm": {"bad-moments-drive-away": 1.5, "good-moments-build": 1.0},
}
CAUSES = ("censored", "defection", "other exit")
HELD = ("contacts", "so_far", "recency")
CLAIMS = {
    "bad-moments-drive-away": (("bad",), {"bad[1+]": 1.0}),
    "good-moments-build": (
        ("linear(bads)", "linear(neutrals)", "linear(goods)", "linear(unknowns)"),
        {"linear(goods)": 1.0, "linear(neutrals)": -1.0},
    ),
}
LEVELS = {
    "contacts": ("0", "1-2", "3-5", "6+"),
    "so_far": ("0", "1-2", "3-5", "6-10", "11-20", "21+"),
}
SCHEMA = {
    "world": pl.String,
    "replicate": pl.Int64,
    "claim": pl.String,
    "looks": pl.Int64,
    "events_first": pl.Int64,
    "events_last": pl.Int64,
    "estimate": pl.Float64,
    "se": pl.Float64,
    "wrong_single": pl.Boolean,  # at the last look alone, at one look's level
    "ever_wrong_fixed": pl.Boolean,  # at any look, at one look's level
    "ever_wrong_anytime": pl.Boolean,
    "ever_wrong_half": pl.Boolean,  # as of the first sequence of a study, which has half of the error
    "decided_single": pl.Boolean,  # the interval of the last look leaves out 1
    "decided_anytime": pl.Int64,  # the first look whose interval leaves out 1; null for never
    "decided_half": pl.Int64,
    "least_p": pl.Float64,  # of "no difference", over all looks
}


def history(world: str, replicate: int) -> tuple[pl.DataFrame, int, int]:
    """The event history of a company, with absolute days, and the first and last day of its log."""
    seed = int(
        np.random.SeedSequence([SEED, list(WORLDS).index(world), replicate]).generate_state(1)[0]
    )
    records = cx.read_records(simulate(WORLDS[world], CUSTOMERS, seed).study(), required_columns=())
    each = (1, 2, 3, 4, 5)
    made = cx.episodes(
        records,
        bad=h.bad_count(1),
        bads=h.grade_count("bad", each),
        neutrals=h.grade_count("neutral", each),
        goods=h.grade_count("good", each),
        unknowns=h.grade_count("unknown", (1, 2, 3)),
        contacts=h.contacts_within(90, (1, 3, 6)),
        so_far=h.contact_count((1, 3, 6, 11, 21)),
        recency=h.age_of_last("any", (7, 30, 60, 90)),
        strata=["segment"],
        observed_from_start=True,
    ).to_polars()
    people = records.engine.collect(records.customers.select("customer", origin="start"))
    numbers = [
        pl.col(c).str.strip_suffix("+").cast(pl.Int64)
        for c in ("bads", "neutrals", "goods", "unknowns")
    ]
    rows = made.join(people, on="customer").with_columns(
        *numbers,
        event=pl.col("event").replace_strict({c: i for i, c in enumerate(CAUSES)}, default=0),
        cohort=(pl.col("origin") - records.window.first) // 30,
    )
    return rows, records.window.first, records.window.last


def cut(rows: pl.DataFrame, day: int) -> pl.DataFrame:
    """What was known of an event history at the end of a day."""
    known = rows.with_columns(limit=day - pl.col("origin")).filter(
        pl.col("start") < pl.col("limit")
    )
    return known.with_columns(
        stop=pl.min_horizontal("stop", "limit"),
        event=pl.when(pl.col("stop") <= pl.col("limit")).then("event").otherwise(0),
    )


def estimate(rows: pl.DataFrame, claim: str) -> tuple[float, float] | None:
    """The log hazard ratio of a claim and its robust error; None where it cannot be had."""
    terms, weights = CLAIMS[claim]
    features = [t.removeprefix("linear(").removesuffix(")") for t in terms]
    table = from_rows(
        rows,
        [*features, *HELD, "segment", "cohort"],
        customer="customer",
        causes=CAUSES,
        levels=LEVELS,
    )
    held = [name for name in HELD if table.flows[name].n_unique() > 1]
    try:
        fit = cox(table, [*terms, *held], held=held, strata=["segment", "cohort"])
        result = contrast(fit, weights)
    except cx.errors.CxResearchError:
        return None
    return math.log(result.value), result.se


def replicate_lines(world: str, replicate: int) -> Iterator[dict[str, object]]:
    """What comes of all looks at a company, for each claim."""
    rows, _, last = history(world, replicate)
    days = [last - WEEK * back for back in range(LOOKS - 1, -1, -1)]
    for claim in CLAIMS:
        truth = math.log(TRUTH[world][claim])
        seen = []
        for day in days:
            known = cut(rows, day)
            events = int((known["event"] == 1).sum())
            if events >= FIRST_EVENTS and (number := estimate(known, claim)):
                seen.append((events, *number))
        if not seen:
            continue
        events, values, errors = map(np.array, zip(*seen, strict=True))
        z = stats.norm.ppf(1 - ALPHA / 2)
        tuned = {a: tune(errors[0], a) for a in (ALPHA, ALPHA / 2)}
        half = {a: np.array([half_width(s, r, a) for s in errors]) for a, r in tuned.items()}
        off, size = np.abs(values - truth), np.abs(values)
        decided = {a: np.flatnonzero(size > half[a]) for a in half}
        yield {
            "world": world,
            "replicate": replicate,
            "claim": claim,
            "looks": len(seen),
            "events_first": int(events[0]),
            "events_last": int(events[-1]),
            "estimate": float(values[-1]),
            "se": float(errors[-1]),
            "wrong_single": bool(off[-1] > z * errors[-1]),
            "ever_wrong_fixed": bool((off > z * errors).any()),
            "ever_wrong_anytime": bool((off > half[ALPHA]).any()),
            "ever_wrong_half": bool((off > half[ALPHA / 2]).any()),
            "decided_single": bool(size[-1] > z * errors[-1]),
            "decided_anytime": int(decided[ALPHA][0]) + 1 if len(decided[ALPHA]) else None,
            "decided_half": int(decided[ALPHA / 2][0]) + 1 if len(decided[ALPHA / 2]) else None,
            "least_p": float(
                min(
                    p_at_every_look(v, s, tuned[ALPHA]) for v, s in zip(values, errors, strict=True)
                )
            ),
        }


def run(world: str, replicates: int) -> None:
    """Make the replicates that are not there yet."""
    there = results().filter(world=world)["replicate"].to_list() if LINES.exists() else []
    for replicate in range(replicates):
        if replicate in there:
            continue
        made = pl.DataFrame(list(replicate_lines(world, replicate)), schema=SCHEMA)
        with LINES.open("ab") as file:
            made.write_csv(file, include_header=file.tell() == 0)


def results() -> pl.DataFrame:
    """The lines that there are."""
    return pl.read_csv(LINES, schema=SCHEMA)


def summary() -> pl.DataFrame:
    """Shares over the replicates of each world and claim; limits are Clopper and Pearson's."""
    rows = []
    for (world, claim), own in sorted(results().group_by("world", "claim")):
        n = own.height
        row: dict[str, object] = {"world": world, "claim": claim, "runs": n}
        for name in ("wrong_single", "ever_wrong_fixed", "ever_wrong_anytime", "ever_wrong_half"):
            k = int(own[name].sum())
            low, high = stats.beta.ppf(
                [0.025, 0.975], [max(k, 1e-9), k + 1], [n - k + 1, max(n - k, 1e-9)]
            )
            row[name] = f"{k / n:.3f} ({low:.3f} to {high:.3f})"
        row["decided at the last look alone"] = round(own["decided_single"].mean(), 3)
        for name in ("decided_anytime", "decided_half"):
            row[name] = round(own[name].is_not_null().mean(), 3)
        row["median look of deciding"] = own["decided_anytime"].median()
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def main() -> None:
    """Run, or sum up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--world", choices=list(WORLDS), default="null")
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--summary", action="store_true")
    given = parser.parse_args()
    if not given.summary:
        run(given.world, given.replicates)
    with pl.Config(tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=60):
        print(summary())


if __name__ == "__main__":
    main()
