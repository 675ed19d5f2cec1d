"""One measured task in a process of its own: python benchmarks/task.py TASK FOLDER [ENGINE]; prints JSON.

Imports come before the clock starts, so that a ratio compares work and not start-up.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from cxresearch.claims.evaluate import evaluate
from cxresearch.explore import audit as audit_of
from cxresearch.histories import bad_count, contact_count, contacts_within
from cxresearch.records.records import read_records
from cxresearch.risk.episodes import episodes
from cxresearch.study import read_study

CATALOGUE = (
    "three-strikes",
    "one-strike",
    "judgment-day",
    "bad-moments-drive-away",
    "good-moments-build",
    "neutral-threat",
)


def scan(folder: Path, _: str) -> object:
    """Read the columns that a claim needs."""
    log = (
        pl.scan_parquet(folder / "interactions" / "*.parquet")
        .select("customer", "at", "stars")
        .collect()
    )
    return {"rows": log.height}


def ordered(folder: Path, _: str) -> object:
    """Sort the columns that a claim needs by customer and time; reading them is not counted."""
    columns = ("customer", "at", "stars")
    log = pl.scan_parquet(folder / "interactions" / "*.parquet").select(columns).collect()
    start, cpu = time.perf_counter(), time.process_time()
    log.sort("customer", "at")
    return {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}


def scan_csv(folder: Path, _: str) -> object:
    """Read the whole file of contacts, with types."""
    return {"rows": pl.read_csv(folder / "interactions.csv").height}


def audited(folder: Path, engine: str) -> object:
    """The audit of both tables."""
    audit = audit_of(read_study(folder), engine=engine)
    return {"rows": dict(audit.read)["interactions"]}


def sort(folder: Path, _: str) -> object:
    """Sort one packed integer per contact."""
    rows = int(
        pl.scan_parquet(folder / "interactions" / "*.parquet").select(pl.len()).collect().item()
    )
    keys = pl.Series(np.random.default_rng(1).integers(0, 2**60, rows))
    start = time.perf_counter()
    keys.sort()
    return {"seconds": time.perf_counter() - start}


def to_episodes(folder: Path, engine: str) -> object:
    """From the two tables to (start, stop] rows of the number of bad moments so far."""
    records = read_records(read_study(folder), engine)
    frame = records.engine.collect(episodes(records, {"bad": bad_count(3)}).frame)
    return {"rows": frame.height}


def docket(folder: Path, engine: str, claims: tuple[str, ...] | None = CATALOGUE) -> object:
    """Verdicts, from the two tables on; of all claims there are with None."""
    start, trials = time.perf_counter(), []

    def say(line: str) -> None:
        if line.startswith("trying"):
            trials.append(time.perf_counter() - start)

    result = evaluate(
        read_study(folder),
        list(claims) if claims else None,
        engine=engine,
        alone=bool(claims),
        keep=False,
        progress=say,
    )
    verdicts = {t.claim.id: t.verdict_alone for t in result}
    return {"fingerprint": result.counted, "verdicts": verdicts, "shared": trials[0]}


def catalogue(folder: Path, engine: str) -> object:
    """Verdicts on all claims."""
    return docket(folder, engine, None)


def one_fit(folder: Path, _: str) -> object:
    """One fit of lifelines on episodes such as most claims of the sample are tried on; making them is not counted."""
    from lifelines import CoxTimeVaryingFitter  # other tasks are measured without it

    held = {
        "bad": bad_count(3),
        "held_contacts": contacts_within(90, (1, 3, 6)),
        "held_so_far": contact_count((1, 2, 3, 4, 5, 6, 8, 11, 15, 21, 30)),
    }
    frame = episodes(read_records(read_study(folder)), held).to_lifelines()
    fitter = CoxTimeVaryingFitter(penalizer=0.01)  # a level may have no events
    start, cpu = time.perf_counter(), time.process_time()
    fitter.fit(frame, id_col="id", start_col="start", stop_col="stop", event_col="event")
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "rows": len(frame),
    }


TASKS: dict[str, Callable[[Path, str], object]] = {
    "scan": scan,
    "scan_csv": scan_csv,
    "ordered": ordered,
    "audited": audited,
    "sort": sort,
    "episodes": to_episodes,
    "docket": docket,
    "catalogue": catalogue,
    "one_fit": one_fit,
}


def peak_of(process: int | str = "self") -> int:
    """The most memory a process has held, in KiB; getrusage would also count what its parent held before."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = status.read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    """Run the task, print what it took."""
    name, folder, *rest = sys.argv[1:]
    engine = rest[0] if rest else "polars"
    start, cpu = time.perf_counter(), time.process_time()
    result = (
        TASKS[name](Path(folder), engine)
        if name in TASKS
        else docket(Path(folder), engine, (name,))
    )
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    measured = {"task": name, "seconds": seconds, "cpu_seconds": cpu, "peak_gib": peak_of() / 2**20}
    print(json.dumps(measured | dict(result)))  # type: ignore[call-overload]


if __name__ == "__main__":
    main()
