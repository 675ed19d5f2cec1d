"""Speed and memory as ratios, measured side by side in one run: python benchmarks/bench.py [--large].

Prints a table and writes benchmarks/results.json and docs/speed.md. Times differ between machines and hours; ratios
much less. R is measured where Rscript and its package survival are installed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import lifelines
import numpy as np
import polars as pl
from company import LOG_SOURCE, company
from lifelines.utils import add_covariate_to_timeline
from task import CATALOGUE

from cxresearch.estimators.cox import cox
from cxresearch.histories import bad_count, contacts_within
from cxresearch.records.records import read_records
from cxresearch.risk.episodes import episodes
from cxresearch.risk.from_rows import from_rows
from cxresearch.study import read_study
from cxresearch.utils.bundled import copy_sample

EPISODES = HERE.parent / "tests" / "golden" / "cohort_episodes.csv.gz"
CAUSES = ("censored", "defection", "other exit")
SMALL, MIDDLE, BIG, LARGE = 10_000, 100_000, 1_000_000, 10_000_000
AUDITED = 154_000  # customers with some four million contacts
READ = "import sys, cxresearch as cx; cx.read_records(cx.read_study(sys.argv[1]))"
KEPT = "import sys, cxresearch as cx; cx.evaluate(cx.read_study(sys.argv[1]))"
Row = dict[str, Any]


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


def process(task: str, folder: Path, engine: str = "polars", runs: int = 1) -> Row:
    """A task in processes of its own: the run with the median time."""
    command = [sys.executable, str(HERE / "task.py"), task, str(folder), engine]
    result = [
        json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        for _ in range(runs)
    ]
    return sorted(result, key=lambda r: r["seconds"])[runs // 2]


def program(code: str, folder: Path) -> Callable[[], object]:
    """A program of its own, from its start to its end, imports and all."""
    command = [sys.executable, "-c", code, str(folder)]
    return lambda: subprocess.run(command, capture_output=True, check=True)


def row(what: str, ratio: float, bar: str, **more: Any) -> Row:
    """A line of the table."""
    print(
        f"{what}: {ratio:.3g} (bar {bar}){''.join(f', {k} {v}' for k, v in more.items())}",
        flush=True,
    )
    return {"what": what, "ratio": ratio, "bar": bar, **more}


def cox_against_lifelines() -> Row:
    """From the same episodes of 20,000 customers to six coefficients with model-based errors."""
    rows = pl.read_csv(EPISODES, schema_overrides={"bad": pl.String, "contacts": pl.String})
    dummies = [
        (pl.col(c) == level).cast(pl.Float64).alias(f"{c}[{level}]")
        for c, levels in (("bad", ("1", "2", "3+")), ("contacts", ("1-2", "3-5", "6+")))
        for level in levels
    ]
    frame = rows.select(
        "id", "start", "stop", (pl.col("cause") == 1).alias("event"), *dummies
    ).to_pandas()

    def ours() -> object:  # neither side makes robust errors
        table = from_rows(rows, ["bad", "contacts"], cause="cause", causes=CAUSES, grouped=False)
        return cox(table, ["bad", "contacts"], errors="model")

    def theirs() -> object:
        fitter = lifelines.CoxTimeVaryingFitter(penalizer=0.0)
        return fitter.fit(frame, id_col="id", start_col="start", stop_col="stop", event_col="event")

    ratio = seconds(theirs, 1) / seconds(ours, 7)
    return row(
        "Cox from episodes, 20,000 customers, faster than CoxTimeVaryingFitter", ratio, "200 x"
    )


def cox_against_r(folder: Path) -> Row:
    """From the same episodes of a large company to four coefficients with model-based errors."""
    records = read_records(read_study(folder))
    histories = {"bad": bad_count(1), "contacts": contacts_within(90)}
    eps = episodes(records, histories, fixed=("segment",))
    frame = records.engine.collect(eps.frame)
    frame = frame.filter(
        pl.col("start") < pl.col("stop"), pl.col("bad") < 2, pl.col("contacts") < 4
    )
    frame = frame.with_columns(
        event=pl.col("event").clip(0), segment=pl.col("segment").rank("dense").cast(pl.Int64)
    ).select("customer", "start", "stop", "event", "bad", "contacts", "segment")

    def ours() -> object:
        table = from_rows(
            frame, ["bad", "contacts", "segment"], causes=CAUSES, customer="customer", grouped=False
        )
        return cox(table, ["bad", "contacts"], strata=["segment"], errors="model").coef

    with tempfile.TemporaryDirectory() as there:
        for name in ("start", "stop", "bad", "contacts", "segment"):
            frame[name].to_numpy().astype("<i4").tofile(Path(there) / f"{name}.bin")
        (frame["event"] == 1).to_numpy().astype("<i4").tofile(Path(there) / "event.bin")
        took, *coefs = _rscript("coxph", there)
    apart = float(np.abs(np.array(coefs) - np.asarray(ours())).max())
    what = f"Cox from {frame.height:,} episodes, faster than R coxph"
    return row(what, took / seconds(ours, 3), "30 x", largest_difference=f"{apart:.1e}")


def episodes_against_others(folder: Path) -> list[Row]:
    """From contacts and customers in memory, coded, to rows of the number of bad moments so far.

    R and lifelines start from tables that hold nothing but codes, days and bad moments, and so do we. What reading,
    joining and auditing the files costs beside that is a row of its own.
    """
    whole = process("episodes", folder, runs=3)["seconds"]
    records = read_records(read_study(folder))
    ours = seconds(
        lambda: records.engine.collect(episodes(records, {"bad": bad_count(3)}).frame), 5
    )
    who = records.engine.collect(records.customers).sort("customer")
    moments = records.engine.collect(records.moments)
    bad = moments.filter(pl.col("grade") == 0).join(
        who.select("customer", "start", "entry", "exit"), on="customer"
    )
    bad = bad.filter(pl.col("day") < pl.col("exit")).select(
        "customer", day=pl.col("day") - pl.col("start")
    )
    rows = []
    if shutil.which("Rscript"):
        with tempfile.TemporaryDirectory() as there:
            for name, column in (
                ("entry", who["entry"] - who["start"]),
                ("exit", who["exit"] - who["start"]),
                ("gone", (who["event"] == 1).cast(pl.Int32)),
                ("who", bad["customer"] + 1),
                ("day", bad["day"]),
            ):
                column.to_numpy().astype("<i4").tofile(Path(there) / f"{name}.bin")
            took, _ = _rscript("tmerge", there)
        rows.append(
            row(
                f"contacts to episodes, {who.height:,} customers, faster than R tmerge",
                took / ours,
                "30 x",
            )
        )
        rows.append(
            row(
                "the same, with our reading and audit of the files, theirs without",
                took / whole,
                "none",
            )
        )
    few = 2_000  # the time of lifelines grows with the customers, or faster
    base = who.head(few).select(
        "customer", start=pl.lit(0.0), stop=(pl.col("exit") - pl.col("start")).cast(pl.Float64)
    )
    base = base.with_columns(event=pl.Series(who.head(few)["event"] == 1)).to_pandas()
    counts = bad.filter(pl.col("customer") < few).with_columns(
        pl.col("day").cast(pl.Float64), bad=pl.lit(1)
    )
    counts = counts.to_pandas()
    start = time.perf_counter()
    add_covariate_to_timeline(
        base, counts, "customer", "day", "event", cumulative_sum=True, cumulative_sum_prefix=""
    )
    theirs = (time.perf_counter() - start) * who.height / few
    what = f"contacts to episodes, {who.height:,} customers, faster than lifelines (from {few:,})"
    return [*rows, row(what, theirs / ours, "30 x")]


def claims_over_scan(folder: Path) -> list[Row]:
    """Verdicts of one claim, and of a docket, over the time of reading their columns."""
    scan = process("scan", folder, runs=3)
    sort = process("sort", folder, runs=3)["seconds"]
    rows = []
    for claim, bar in (("crude", "15 x"), ("adjusted", "40 x")):
        result = process(claim, folder)
        rows.append(
            row(
                f"{claim} claim with its errors, {scan['rows']:,} contacts, over a raw scan",
                result["seconds"] / scan["seconds"],
                bar,
                over_a_packed_sort=round(result["seconds"] / sort, 1),
                peak_gib=round(result["peak_gib"], 2),
            )
        )
    alone = {c: process(c, folder)["seconds"] for c in CATALOGUE}
    whole = process("docket", folder)
    dearest = max(alone, key=alone.__getitem__)
    rows.append(
        row(
            f"docket of six over its dearest claim alone ({dearest})",
            whole["seconds"] / alone[dearest],
            "2 x",
        )
    )
    rows.append(row("peak memory of the docket, GiB", whole["peak_gib"], "3 GiB"))
    return rows


def audit_over_reading(folder: Path) -> list[Row]:
    """The audit of some four million contacts, over reading and over sorting them; then of the same as CSV."""
    text = folder / "as-csv"
    if not (text / "study.toml").exists():
        text.mkdir(exist_ok=True)
        pl.read_parquet(folder / "interactions" / "*.parquet").write_csv(text / "interactions.csv")
        shutil.copy(folder / "customers.parquet", text)
        settings = (folder / "study.toml").read_text()
        (text / "study.toml").write_text(settings.replace(LOG_SOURCE, "interactions.csv"))
    audit, of_text = process("audited", folder, runs=3), process("audited", text, runs=3)
    scan, order = process("scan", folder, runs=3), process("ordered", folder, runs=3)
    read = process("scan_csv", text, runs=3)
    if not scan["rows"] == audit["rows"] == read["rows"] == of_text["rows"]:
        raise SystemExit("the audits have not read what the scans have read")
    what, cpu = f"audit of {audit['rows']:,} contacts", "cpu_seconds"
    return [
        row(
            f"{what} in Parquet, processor time over a raw scan of the same columns",
            audit[cpu] / scan[cpu],
            "none",
            over_a_sort_by_customer_and_time=round(audit[cpu] / order[cpu], 2),
            peak_gib=round(audit["peak_gib"], 2),
        ),
        row(
            f"{what} in CSV, processor time over reading the file",
            of_text[cpu] / read[cpu],
            "none",
            over_the_audit_of_parquet=round(of_text[cpu] / audit[cpu], 1),
            peak_gib=round(of_text["peak_gib"], 2),
        ),
    ]


def whole_catalogue() -> list[Row]:
    """All claims of the sample study together, over each of them alone."""
    with tempfile.TemporaryDirectory() as there:
        folder = copy_sample(Path(there))[0].parent
        whole = process("catalogue", folder, runs=3)
        alone = {c: process(c, folder) for c in whole["verdicts"]}
        fit = process("one_fit", folder, runs=3)
        first = seconds(program(KEPT, folder), 1)
        again, read = (seconds(program(code, folder), 3) for code in (KEPT, READ))
    every = sum(result["seconds"] for result in alone.values())
    dearest = max(alone, key=lambda c: alone[c]["seconds"])
    return [
        row(
            f"docket of all {len(alone)} claims of the sample over the sum of its claims alone",
            whole["seconds"] / every,
            "0.5 x",
        ),
        row(
            f"what they share over their dearest claim alone ({dearest})",
            whole["shared"] / alone[dearest]["seconds"],
            "1.5 x",
        ),
        row(
            f"docket of all {len(alone)} claims over one CoxTimeVaryingFitter fit on such episodes",
            whole["seconds"] / fit["seconds"],
            "8 x",
            processor_time=round(whole["cpu_seconds"] / fit["cpu_seconds"], 1),
        ),
        row(
            "the same when nothing has changed, over importing cxresearch and reading the study",
            again / read,
            "3 x",
            over_the_first_run=round(again / first, 3),
        ),
    ]


def start_up() -> Row:
    """What the first line of help costs beyond an empty Python program."""
    program = str(Path(sys.executable).parent / "cxresearch")

    def run(*command: str) -> Callable[[], object]:
        return lambda: subprocess.run(command, capture_output=True, check=True)

    extra = seconds(run(program, "--help"), 9) - seconds(run(sys.executable, "-c", "pass"), 9)
    return row("cxresearch --help over an empty program, seconds more", extra, "0.25 s")


def engines(folder: Path) -> list[Row]:
    """Whether every engine says the same, and how long it takes."""
    wanted = ["polars", "polars-lazy", "duckdb"]
    if shutil.which("java"):
        wanted.append("spark")
    result = {}
    for name in wanted:
        try:
            result[name] = process("adjusted", folder, name)
        except subprocess.CalledProcessError as e:
            print(f"{name}: {e.stderr.decode().strip().splitlines()[-1]}")
    first = result["polars"]
    return [
        row(
            f"{name} over polars, one adjusted claim",
            r["seconds"] / first["seconds"],
            "none",
            same_tables=r["fingerprint"] == first["fingerprint"],
            same_verdict=r["verdicts"] == first["verdicts"],
        )
        for name, r in result.items()
        if name != "polars"
    ]


def _rscript(task: str, folder: str) -> list[float]:
    command = ["Rscript", str(HERE / "peers.R"), task, folder]
    return [
        float(x) for x in subprocess.run(command, capture_output=True, check=True).stdout.split()
    ]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--large", action="store_true", help="also 10,000,000 customers: hours, and 30 GB of disk"
    )
    parser.add_argument("--customers", type=int, default=BIG, help="of the largest company")
    parser.add_argument("--data", type=Path, default=HERE / "work", help="where companies are kept")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    made = {
        n: company(given.data / str(n), n).parent
        for n in (SMALL, *(min(n, given.customers) for n in (MIDDLE, AUDITED)), given.customers)
    }
    big = made[given.customers]
    results = [start_up(), cox_against_lifelines()]
    results += episodes_against_others(made[min(MIDDLE, given.customers)])
    if shutil.which("Rscript"):
        results.append(cox_against_r(big))
    results += engines(made[SMALL])
    results += whole_catalogue()
    results += audit_over_reading(made[min(AUDITED, given.customers)])
    results += claims_over_scan(big)
    if given.large:
        large = company(given.data / str(LARGE), LARGE).parent
        a, b = process("adjusted", big), process("adjusted", large)
        results.append(
            row("ten times the contacts, times as long", b["seconds"] / a["seconds"], "11 x")
        )
        results.append(row("peak memory at ten times the contacts, GiB", b["peak_gib"], "4 GiB"))
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE.parent / "docs" / "speed.md").write_text(page(results))


def page(results: list[Row]) -> str:
    """The table as a page."""
    lines = []
    for result in results:
        more = ", ".join(
            f"{k.replace('_', ' ')} {v}"
            for k, v in result.items()
            if k not in ("what", "ratio", "bar")
        )
        lines.append(f"| {result['what']} | {result['ratio']:.3g} | {result['bar']} | {more} |")
    return (HERE / "speed.head.md").read_text() + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
