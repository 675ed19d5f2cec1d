"""How often verdicts are wrong in hostile companies: python -m benchmarks.hostile.run --replicates 10 --jobs 2.

Replicate i of a family has the seed of seeds.csv plus i. A company is simulated once for all its claims. Every finished
company is appended to the file of results at once, so that a run which was stopped goes on with --resume. A verdict
counts as wrong where truths.csv lists it; a verdict that is open is never wrong.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # one process per core does more than threads do

from benchmarks.hostile.families import FAMILIES
from benchmarks.hostile.problems import PROBLEMS, simulate_problems, write_problems
from benchmarks.hostile.shops import SHOPS, simulate_shop, write_shop
from benchmarks.hostile.simulate import simulate, write
from benchmarks.hostile.truths import CLAIMS, Truth, truths
from scipy import stats

HERE = Path(__file__).parent
SEEDS = HERE / "seeds.csv"
OUT = HERE / "results.csv"  # committed: a run goes on from what is there
LEVEL = 0.05  # wrong verdicts, at most
ALARM = 0.001  # of a run in which no cell is wrong more often than LEVEL, at most
FIELDS = (
    "family",
    "claim",
    "replicate",
    "seed",
    "verdict",
    "verdict_family",
    "estimate",
    "low",
    "high",
    "events",
    "rivals",
    "reason",
    "seconds",
)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One company and the claims tried on it.

    Attributes:
        family: its name.
        replicate: its number, from 0 on.
        seed: of the simulation.
        claims: ids.
        customers: how many; None for as many as the family has.
        with_moment_keys: whether the family's keys for ``[moments]`` are written.
    """

    family: str
    replicate: int
    seed: int
    claims: tuple[str, ...]
    customers: int | None
    with_moment_keys: bool


def seeds() -> dict[str, int]:
    """The seed of replicate 0 of every family."""
    with SEEDS.open(encoding="utf-8") as file:
        return {r["family"]: int(r["seed"]) for r in csv.DictReader(file)}


def make_study(job: Job, folder: Path) -> Path:
    """Simulate the company of a job and write its study."""
    if job.family in SHOPS:
        shop = simulate_shop(SHOPS[job.family], job.seed, job.customers)
        return write_shop(shop, folder, job.family, with_moment_keys=job.with_moment_keys)
    if job.family in PROBLEMS:
        lives = simulate_problems(PROBLEMS[job.family], job.seed, job.customers)
        return write_problems(lives, PROBLEMS[job.family], folder, job.family)
    company = simulate(FAMILIES[job.family], job.seed, job.customers)
    return write(company, folder, job.family, with_moment_keys=job.with_moment_keys)


def try_claims(job: Job) -> list[Row]:
    """Simulate a company and try claims on it; a row per claim."""
    import cxresearch as cx

    begun = time.perf_counter()
    shared = {"family": job.family, "replicate": job.replicate, "seed": job.seed}
    with TemporaryDirectory(prefix="hostile-") as folder:
        try:
            study = cx.read_study(make_study(job, Path(folder)))
            docket = cx.evaluate(
                study, list(job.claims), alone=True, verdicts_only=True, keep=False
            )
        except Exception as error:  # a long run goes on; the summary counts it
            reason = f"{type(error).__name__}: {error}".replace("\n", " ")
            rows = [{"claim": c, "verdict": "error", "reason": reason} for c in job.claims]
        else:
            rows = [row_of(trial, together) for trial, together in judged(docket)]
    seconds = f"{time.perf_counter() - begun:.1f}"
    return [{**shared, **row, "seconds": seconds} for row in rows]


def judged(docket: Any) -> Iterator[tuple[Any, str]]:
    """Each trial, and its verdict with the claims of the docket judged together: no others are tried here."""
    from cxresearch.claims.family import Family
    from cxresearch.claims.verdict_corrections import adjust_multiplicity

    family = Family(claims=tuple(docket), method="holm")
    own = [
        replace(t, results=(replace(t.primary, verdict=t.verdict_alone), *t.results[1:]))
        for t in docket.values()
    ]
    together = adjust_multiplicity(own, family, 1 - docket.level)
    return zip(own, (t.verdict for t in together), strict=True)


def row_of(trial: Any, together: str) -> Row:
    """What is kept of a trial.

    Args:
        trial: with its own verdict.
        together: its verdict with the other claims.
    """
    primary = trial.primary
    estimate = primary.estimate
    return {
        "claim": trial.claim.id,
        "verdict": primary.verdict,
        "verdict_family": together,
        "estimate": _text(estimate and estimate.value),
        "low": _text(estimate and estimate.low),
        "high": _text(estimate and estimate.high),
        "events": primary.events,
        "rivals": " ".join(open_rivals(trial)),
        "reason": primary.reason or primary.lacks,
    }


def open_rivals(trial: Any) -> list[str]:
    """Names of the rival explanations that keep a verdict open."""
    return [r.id for r in trial.rivals if r.status == "keeps it open"]


def _text(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"


def plan(
    families: Sequence[str],
    claims: Sequence[str],
    replicates: range,
    done: Iterable[Row],
    *,
    customers: int | None,
    with_moment_keys: bool,
) -> list[Job]:
    """What is left to do, in turn over the families, so that a run cut short has as many of each."""
    first = seeds()
    known = {(r["family"], r["claim"], int(r["replicate"])) for r in done}
    jobs = []
    for i in replicates:
        for family in families:
            asked = tuple(c for c in truths(family) if c in claims and (family, c, i) not in known)
            if asked:
                jobs.append(Job(family, i, first[family] + i, asked, customers, with_moment_keys))
    return jobs


def read_results(path: Path) -> list[Row]:
    """Rows of a file of results; none if there is no such file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(jobs: Sequence[Job], workers: int, out: Path) -> Iterator[list[Row]]:
    """Do the jobs, append their rows to a file, and yield them."""
    out.parent.mkdir(parents=True, exist_ok=True)
    is_new = not out.exists()
    # a forked process would wait for ever for the threads of the frames library
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        out.open("a", encoding="utf-8", newline="") as file,
    ):
        table = csv.DictWriter(file, FIELDS, restval="", lineterminator="\n")
        if is_new:
            table.writeheader()
            file.flush()
        futures: list[Future[list[Row]]] = [pool.submit(try_claims, job) for job in jobs]
        for future in as_completed(futures):
            rows = future.result()
            table.writerows(rows)
            file.flush()
            yield rows


@dataclass(frozen=True, slots=True)
class Cell:
    """All replicates of a claim in a family.

    Attributes:
        family: its name.
        claim: its id.
        truth: what is true.
        times: replicates with a verdict, errors left out.
        errors: replicates that failed.
        verdicts: how often supported, contradicted, undecided, not testable.
        wrong: wrong verdicts.
        median: of the estimates; NaN if there is none.
    """

    family: str
    claim: str
    truth: Truth
    times: int
    errors: int
    verdicts: tuple[int, int, int, int]
    wrong: int
    median: float

    @property
    def p(self) -> float:
        """How probable so many wrong verdicts are if one in twenty is wrong."""
        return float(stats.binom.sf(self.wrong - 1, self.times, LEVEL))

    @property
    def right(self) -> int:
        """Verdicts that decide, and rightly; 0 where either verdict would do."""
        return self.verdicts[0] + self.verdicts[1] - self.wrong if self.truth.wrong else 0


def cells(rows: Iterable[Row], verdict: str) -> list[Cell]:
    """Count the verdicts of each claim in each family.

    Args:
        rows: results.
        verdict: ``verdict_family`` for those that hold over all claims tried together, ``verdict`` for each alone.
    """
    by: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by.setdefault((row["family"], row["claim"]), []).append(row)
    result = []
    for family in all_families():
        known = truths(family)
        for claim in (c for c in CLAIMS if c in known and (family, c) in by):
            own = by[family, claim]
            decided = [r[verdict] for r in own if r["verdict"] != "error"]
            counts = [
                decided.count(v) for v in ("supported", "contradicted", "undecided", "not testable")
            ]
            estimates = [float(r["estimate"]) for r in own if r["estimate"]]
            result.append(
                Cell(
                    family=family,
                    claim=claim,
                    truth=known[claim],
                    times=len(decided),
                    errors=len(own) - len(decided),
                    verdicts=(counts[0], counts[1], counts[2], counts[3]),
                    wrong=sum(decided.count(v) for v in known[claim].wrong),
                    median=median(estimates) if estimates else math.nan,
                )
            )
    return result


def all_families() -> list[str]:
    """Names, in the order of the tables."""
    return [*FAMILIES, *SHOPS, *PROBLEMS]


def is_beyond_reach(family: str) -> bool:
    """Whether nothing in the data can tell what happens in a family from effects of moments."""
    return {**FAMILIES, **SHOPS, **PROBLEMS}[family].is_beyond_reach


def summary(rows: Sequence[Row]) -> str:
    """Wrong verdicts as Markdown: pooled, by claim and family, and every cell with one."""
    parts = []
    for verdict, title in (
        ("verdict_family", "Verdicts over all claims tried together"),
        ("verdict", "Verdicts of each claim alone"),
    ):
        found = cells(rows, verdict)
        if not found:
            return "no results\n"
        parts.append(f"## {title}\n\n{_pooled(found)}\n\n{_matrix(found)}\n\n{_details(found)}\n")
    return "\n".join(parts)


def _pooled(found: Sequence[Cell]) -> str:
    lines = ["| cells | wrong | of | share | cells with an alarm |", "|---|---|---|---|---|"]
    bar = ALARM / len(found)
    groups = {
        "all": found,
        "within reach of the data": [c for c in found if not is_beyond_reach(c.family)],
        **{claim: [c for c in found if c.claim == claim] for claim in CLAIMS},
    }
    for label, group in groups.items():
        times, wrong = sum(c.times for c in group), sum(c.wrong for c in group)
        if times:
            alarms = sum(c.p < bar for c in group)
            lines.append(f"| {label} | {wrong} | {times} | {wrong / times:.1%} | {alarms} |")
    errors = sum(c.errors for c in found)
    note = (
        f"An alarm: so many wrong verdicts have a probability below {ALARM:g} / {len(found)} "
        f"if one in twenty is wrong. Trials that failed: {errors}."
    )
    return "\n".join([*lines, "", note])


def _matrix(found: Sequence[Cell]) -> str:
    shown = [c for c in CLAIMS if any(x.claim == c for x in found)]
    by = {(c.family, c.claim): c for c in found}
    bar = ALARM / len(found)
    lines = [f"| wrong of all | {' | '.join(shown)} |", "|---|" + "---|" * len(shown)]
    for family in dict.fromkeys(c.family for c in found):
        texts = []
        for claim in shown:
            cell = by.get((family, claim))
            text = f"{cell.wrong}/{cell.times}" if cell else ""
            texts.append(f"**{text}**" if cell and cell.p < bar else text)
        mark = " (beyond reach)" if is_beyond_reach(family) else ""
        lines.append(f"| {family}{mark} | {' | '.join(texts)} |")
    return "\n".join(lines)


def _details(found: Sequence[Cell]) -> str:
    head = "| family | claim | truth | median | S / C / U / – | wrong | rightly decided |"
    lines = [head, "|" + "---|" * 7]
    for c in found:
        truth = "" if math.isnan(c.truth.value) else f"{c.truth.value:.3g}"
        middle = "" if math.isnan(c.median) else f"{c.median:.3g}"
        right = f"{c.right / c.times:.0%}" if c.times and c.truth.wrong else ""
        lines.append(
            f"| {c.family} | {c.claim} | {truth} | {middle} | {' / '.join(map(str, c.verdicts))} "
            f"| {c.wrong} | {right} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, and write the tables; returns 1 if a trial failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--only", action="append", choices=all_families(), metavar="FAMILY", help="may be repeated")
    add("--claim", action="append", choices=CLAIMS, metavar="CLAIM", help="may be repeated")
    add("--replicates", type=int, default=1)
    add("--first", type=int, default=0, help="number of the first replicate")
    add("--customers", type=int, help="instead of as many as each family has")
    add("--jobs", type=int, default=1)
    add("--resume", action="store_true", help="keep what the file of results has")
    add("--with-moment-keys", action="store_true", help="write lead_days, grades and the like")
    add("--out", type=Path, default=OUT, help="file of results")
    add("--table", type=Path, help="where the tables go; printed when not given")
    add("--summary", action="store_true", help="only make the tables of the file of results")
    asked = parser.parse_args(arguments)
    if not (asked.resume or asked.summary):
        asked.out.unlink(missing_ok=True)
    rows = read_results(asked.out)
    if not asked.summary:
        jobs = plan(
            asked.only or all_families(),
            asked.claim or CLAIMS,
            range(asked.first, asked.first + asked.replicates),
            rows,
            customers=asked.customers,
            with_moment_keys=asked.with_moment_keys,
        )
        for i, new in enumerate(run(jobs, asked.jobs, asked.out), 1):
            family, replicate = new[0]["family"], new[0]["replicate"]
            print(f"{i} of {len(jobs)}: {family} {replicate}", file=sys.stderr, flush=True)
        rows = read_results(asked.out)
    text = summary(rows)
    if asked.table:
        asked.table.write_text(text, encoding="utf-8")
    else:
        print(text)
    return int(any(r["verdict"] == "error" for r in rows))


if __name__ == "__main__":
    sys.exit(main())
