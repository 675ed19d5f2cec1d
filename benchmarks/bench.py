"""Speed as ratios, measured side by side in one run: python benchmarks/bench.py.

Prints a table and writes benchmarks/results.json. Times differ between machines and hours; ratios much less.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import lifelines
import polars as pl

from cxresearch.estimators.cox import cox
from cxresearch.rows import from_rows

HERE = Path(__file__).parent
EPISODES = HERE.parent / "tests" / "golden" / "cohort_episodes.csv.gz"
CAUSES = ("censored", "defection", "other exit")


def seconds(work: Callable[[], object], runs: int) -> float:
    """The median of some runs, after one that does not count."""
    if runs > 1:
        work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def cox_against_lifelines() -> dict[str, object]:
    """From the same episodes of 20,000 customers to six coefficients with model-based errors."""
    rows = pl.read_csv(EPISODES, schema_overrides={"bad": pl.String, "contacts": pl.String})
    dummies = [
        (pl.col(c) == level).cast(pl.Float64).alias(f"{c}[{level}]")
        for c, levels in (("bad", ("1", "2", "3+")), ("contacts", ("1-2", "3-5", "6+")))
        for level in levels
    ]
    frame = rows.select("id", "start", "stop", (pl.col("cause") == 1).alias("event"), *dummies).to_pandas()

    def ours() -> object:  # neither side makes the groups of a jackknife
        return cox(
            from_rows(rows, ["bad", "contacts"], cause="cause", causes=CAUSES, grouped=False),
            ["bad", "contacts"],
            errors="model",
        )

    def theirs() -> object:
        fitter = lifelines.CoxTimeVaryingFitter(penalizer=0.0)
        return fitter.fit(frame, id_col="id", start_col="start", stop_col="stop", event_col="event")

    a, b = seconds(ours, 7), seconds(theirs, 1)
    return {
        "what": "Cox from episodes, 20,000 customers",
        "against": "lifelines CoxTimeVaryingFitter",
        "ours_s": a,
        "theirs_s": b,
        "ratio": b / a,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    results = [cox_against_lifelines()]
    for r in results:
        print(
            f"{r['what']}: {r['ratio']:.0f} times as fast as {r['against']} "
            f"({r['ours_s']:.3f} s, {r['theirs_s']:.1f} s)"
        )
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
