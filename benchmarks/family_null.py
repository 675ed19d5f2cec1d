"""How often anything is supported where nothing holds: python benchmarks/family_null.py [--replicates 100].

A company of 1,500 customers in which no moment does anything, nothing is confounded and all agents are alike. All
claims of the catalogue are tried on it, as far as verdicts need it. What is true is known beforehand: no claim about an
effect holds, so a headline verdict of "supported" is wrong. A verdict is that of the family, whichever claims are asked
for; in the first replicates a single claim is asked for as well, and must have the same one.

Seeds are fixed: replicate i has the seed 20261130 + i. Each finished replicate is a line appended to
benchmarks/family_null.csv, so a run that was stopped goes on where it was; ``--summary`` prints the counts.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import polars as pl
from scipy import stats

import cxresearch as cx
from cxresearch.worlds import World, simulate

LINES = Path(__file__).parent / "family_null.csv"
SEED, CUSTOMERS = 20261130, 1_500
ASKED_ALONE = 2  # replicates in which one claim is asked for by itself as well
SCHEMA = {
    "replicate": pl.Int64,
    "family": pl.Int64,
    "testable": pl.Int64,
    "supported": pl.String,  # ids of claims with that headline verdict
    "supported_alone": pl.String,  # by themselves, at 95%
    "contradicted": pl.Int64,
    "contradicted_alone": pl.Int64,
    "least_p_family": pl.Float64,
    "same_when_asked_alone": pl.Boolean,
}


def line(replicate: int) -> dict[str, object]:
    """What the verdicts on one company are."""
    records = cx.read_records(simulate(World(), CUSTOMERS, SEED + replicate).study())
    docket = cx.evaluate(records, verdicts_only=True, keep=False)
    trials = [docket[c] for c in docket.family.claims]
    same = None
    if replicate < ASKED_ALONE:
        asked = docket.family.claims[replicate]
        one = cx.evaluate(records, [asked], verdicts_only=True, keep=False)[asked]
        same = repr(one.primary) == repr(docket[asked].primary)
    return {
        "replicate": replicate,
        "family": docket.family.size,
        "testable": sum(t.verdict != "not testable" for t in trials),
        "supported": " ".join(t.claim.id for t in trials if t.verdict == "supported"),
        "supported_alone": " ".join(t.claim.id for t in trials if t.verdict_alone == "supported"),
        "contradicted": sum(t.verdict == "contradicted" for t in trials),
        "contradicted_alone": sum(t.verdict_alone == "contradicted" for t in trials),
        "least_p_family": min(t.primary.p_family for t in trials if t.primary.p_family is not None),
        "same_when_asked_alone": same,
    }


def results() -> pl.DataFrame:
    """The lines that there are."""
    return pl.read_csv(LINES, schema=SCHEMA) if LINES.exists() else pl.DataFrame(schema=SCHEMA)


def summary() -> str:
    """In how many runs at least one claim is supported, with Clopper and Pearson's limits."""
    done = results()
    parts = [f"{done.height} runs"]
    for name in ("supported", "supported_alone"):
        wrong = done.filter(pl.col(name).fill_null("") != "")
        n, k = max(done.height, 1), wrong.height
        low = stats.beta.ppf(0.025, k, n - k + 1) if k else 0.0
        high = stats.beta.ppf(0.975, k + 1, n - k)
        which = wrong[name].str.split(" ").explode().value_counts(sort=True).rows()
        parts.append(f"{name}: {k} ({k / n:.3f}, {low:.3f} to {high:.3f}) {which}")
    return "\n".join(parts)


def main() -> None:
    """Run, or sum up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--summary", action="store_true")
    given = parser.parse_args()
    there = results()["replicate"].to_list()
    for replicate in range(0 if given.summary else given.replicates):
        if replicate not in there:
            made = pl.DataFrame([line(replicate)], schema=SCHEMA)
            with LINES.open("ab") as file:
                made.write_csv(file, include_header=file.tell() == 0)
    print(summary())


if __name__ == "__main__":
    main()
