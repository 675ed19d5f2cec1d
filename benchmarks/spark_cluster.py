"""Spark on a cluster of a master and two workers: python benchmarks/spark_cluster.py [--customers N] [--memory 512m].

Master and workers are processes of this machine that share nothing but the files: each worker has one core and one
executor with a heap of so much memory, less than the log takes as Spark keeps it. One adjusted claim is tried there
and on Polars, each in a process of its own; said is whether the risk table and the number are the same, how long it
took, and how much memory each executor held at most. Needs Java and the extra spark.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyspark
from company import company
from task import peak_of

PROGRAM = """
import json, sys, time
folder, engine, *rest = sys.argv[1:]
import cxresearch as cx
from cxresearch.claims.evaluate import evaluate
session = None
if engine == "spark":
    from pyspark.sql import SparkSession
    master, memory = rest
    settings = {
        "spark.executor.memory": memory, "spark.executor.cores": "1", "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "16",
    }
    builder = SparkSession.builder.master(master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    executors = session._jsc.sc().getExecutorMemoryStatus().size() - 1
start = time.perf_counter()
docket = evaluate(cx.read_study(folder), ["adjusted"], engine=engine, alone=True, keep=False)
estimate = docket["adjusted"].primary.estimate
print(json.dumps({
    "seconds": time.perf_counter() - start, "fingerprint": docket.counted, "value": estimate.value, "low": estimate.low,
    "contacts": dict(docket.audit.kept)["interactions"],
    "executors": session._jsc.sc().getExecutorMemoryStatus().size() - 1 if session else 0,
}))
"""


@contextmanager
def cluster(folder: Path, memory: str) -> Iterator[str]:
    """A master and two workers with a core each; gives the address of the master."""
    home = Path(pyspark.__file__).parent
    start = home / "bin" / "spark-class"
    running: list[subprocess.Popen[bytes]] = []

    def run(name: str, *options: str) -> Path:
        log = folder / f"{name}.log"
        command = [str(start), f"org.apache.spark.deploy.{options[0]}", *options[1:]]
        with log.open("wb") as out:
            running.append(
                subprocess.Popen(
                    command,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env=os.environ | {"SPARK_HOME": str(home)},
                )
            )
        return log

    try:
        log = run(
            "master", "master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0"
        )
        address = _said(log, r"spark://127\.0\.0\.1:\d+")
        for name in ("first", "second"):
            options = ("--host", "127.0.0.1", "--cores", "1", "--memory", memory)
            work = ("--work-dir", str(folder / name), "--webui-port", "0")
            _said(run(name, "worker.Worker", *options, *work, address), "registered with master")
        yield address
    finally:
        for process in running[::-1]:
            process.terminate()
            process.wait()


def _said(log: Path, wanted: str, seconds: float = 60) -> str:
    """What a process writes that looks so."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := re.search(wanted, log.read_text(errors="replace")):
            return found[0]
        time.sleep(0.2)
    raise RuntimeError(
        f"{log.name} does not say {wanted}: {log.read_text(errors='replace')[-500:]}"
    )


def tried(folder: Path, engine: str, *options: str) -> dict[str, Any]:
    """One adjusted claim in a process of its own, and what the executors held meanwhile."""
    command = [sys.executable, "-c", PROGRAM, str(folder), engine, *options]
    most: dict[int, int] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            for pid in _executors():
                most[pid] = max(most.get(pid, 0), peak_of(pid))
            time.sleep(0.5)
        assert process.stdout is not None
        result: dict[str, Any] = json.loads(process.stdout.read().splitlines()[-1])
    return result | {"peaks_gib": sorted(round(kib / 2**20, 2) for kib in most.values())}


def _executors() -> list[int]:
    """The processes of executors."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"CoarseGrainedExecutorBackend" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has ended
    return found


def main() -> None:
    """Make the company, try the claim on both, say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=150_000)
    parser.add_argument("--memory", default="512m")
    given = parser.parse_args()
    with TemporaryDirectory() as there:
        folder = company(Path(there) / "company", given.customers).parent
        here = tried(folder, "polars")
        with cluster(Path(there), given.memory) as master:
            far = tried(folder, "spark", master, given.memory)
    same = all(here[k] == far[k] for k in ("fingerprint", "value", "low", "contacts"))
    print(f"{here['contacts']:,} contacts, two workers with executors of {given.memory}")
    print(f"executors {far['executors']}, each held at most {far['peaks_gib']} GiB")
    print(f"same table and number: {same} ({far['value']:.6f})")
    print(f"seconds: Spark {far['seconds']:.0f}, Polars {here['seconds']:.1f}")


if __name__ == "__main__":
    main()
