"""Whether the calibration would find a defect: four are planted, one at a time, and verdicts go wrong.

    python -m benchmarks.defects [--replicates 10] [--jobs 1] [--out benchmarks/defects.md]

Each defect is a mistake that is easily made and whose numbers look right. It is planted by replacing one function of
the package while a world runs whose truth is known; the same companies are judged without it as well. The calibration
has three bars: at most one verdict in twenty is wrong, intervals hold the truth 95 times of 100, and four of five
clear truths are decided rightly. A defect is found if what came out has a probability below 0.001 under one of them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # one process per core does more than threads do

import narwhals.stable.v2 as nw
import polars as pl
from benchmarks.hostile.families import FAMILIES
from benchmarks.hostile.simulate import simulate as live
from benchmarks.hostile.simulate import write
from msgspec import structs
from scipy import stats

import cxresearch as cx
from cxresearch.claims import compute_models, table_specs, tables
from cxresearch.histories.base import DayClock
from cxresearch.study import Study
from cxresearch.worlds import known_world, simulate

HERE = Path(__file__).parent
CUSTOMERS = 4_000
FIRST_SEED = 40_000_000
WRONG, COVERED, RIGHT = 0.05, 0.95, 0.8  # the bars: at most, about, at least
ALARM = 0.001


@contextmanager
def moments_of_the_exit_day() -> Iterator[None]:
    """A moment counts on its own day already, so that contacts at which customers leave count as reasons for it."""
    honest = DayClock.with_ticks

    def sooner(self: DayClock, moments: Any, engine: Any) -> Any:
        return honest(self, moments, engine).with_columns(nw.col("tick") - 1)

    with patch.object(DayClock, "with_ticks", sooner):
        yield


@contextmanager
def final_counts() -> Iterator[None]:
    """How many moments customers have had in the end is a covariate from their first day on."""
    honest = tables.risk_table

    def fixed(eps: Any) -> Any:
        return honest(tables.fix_last_levels(eps))

    with patch.object(tables, "risk_table", fixed):
        yield


@contextmanager
def competing_moments_censored() -> Iterator[None]:
    """Customers whose third bad moment comes are taken as lost from sight, as if they could still leave before it."""
    honest = tables._counted

    def censored(eps: Any, wanted: Any) -> Any:
        table = honest(eps, wanted)
        if wanted.competing_event is None:
            return table
        cause = wanted.competing_event.cause
        flows = table.flows.with_columns(censored=pl.col("censored") + pl.col(cause)).drop(cause)
        return replace(table, flows=flows, causes=tuple(c for c in table.causes if c != cause))

    with patch.object(tables, "_counted", censored):
        yield


@contextmanager
def no_calendar() -> Iterator[None]:
    """Customers of all cohorts are compared, whatever the calendar did meanwhile."""

    def never(_: Any) -> bool:
        return False

    with (
        patch.object(table_specs, "uses_cohorts", never),
        patch.object(compute_models, "uses_cohorts", never),
    ):
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A mistake, and where it shows.

    Attributes:
        plant: makes it, while the context lasts.
        about: what it is.
        claim: which one goes wrong.
        world: in which company, a name of `worlds.KNOWN` or, after ``hostile:``, of `benchmarks.hostile.FAMILIES`.
        moments: keys for ``[moments]``.
        wrong: verdicts that are wrong there.
        right: the verdict that is right, where the truth is clear; else empty.
        value: what is true.
        truth: in plain words.
    """

    plant: Callable[[], AbstractContextManager[None]]
    about: str
    claim: str
    world: str
    moments: dict[str, Any]
    wrong: tuple[str, ...]
    right: str
    value: float
    truth: str


DEFECTS = {
    "exit-day": Defect(
        plant=moments_of_the_exit_day,
        about="moments on the exit day counted",
        claim="bad-moments-drive-away",
        world="null",
        moments={
            "lead_days": (),
            "exclude": None,
        },  # contacts at the desk stay in: they are of the exit day
        wrong=("supported",),
        right="",
        value=1.0,
        truth="bad moments do nothing",
    ),
    "final-counts": Defect(
        plant=final_counts,
        about="final counts as covariates",
        claim="bad-moments-drive-away",
        world="harm",
        moments={},
        wrong=("contradicted",),
        right="supported",
        value=2.0,
        truth="bad moments double the hazard",
    ),
    "third-censored": Defect(
        plant=competing_moments_censored,
        about="the third moment censored instead of competing",
        claim="three-strikes",
        world="fierce",
        moments={},
        wrong=("supported", "contradicted"),
        right="",
        value=0.925,
        truth="92.5% leave before a third, exactly the edge",
    ),
    "no-calendar": Defect(
        plant=no_calendar,
        about="calendar time left out",
        claim="bad-moments-drive-away",
        world="hostile:calendar-break",
        moments={},
        wrong=("supported",),
        right="",
        value=1.0,
        truth="bad moments do nothing; from a day on there are more of them, and more departures",
    ),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """What the calibration makes of one verdict.

    Attributes:
        wrong: whether it is wrong.
        right: whether it is right, where the truth is clear.
        covered: whether the interval holds the truth.
    """

    wrong: bool
    right: bool
    covered: bool


def company(defect: Defect, seed: int, folder: Path) -> Study:
    """The company in which a defect shows."""
    kind, _, name = defect.world.rpartition(":")
    if kind == "hostile":
        return cx.read_study(write(live(FAMILIES[name], seed), folder, name))
    study = simulate(known_world(name).world, CUSTOMERS, seed).study(name)
    return structs.replace(study, moments=structs.replace(study.moments, **defect.moments))


def judge(name: str, seed: int) -> tuple[Judged, Judged]:
    """The claim in one company: as it is, and with the defect."""
    defect = DEFECTS[name]
    result = []
    with TemporaryDirectory(prefix="defect-") as folder:
        study = company(defect, seed, Path(folder))
        for plant in (nullcontext, defect.plant):
            with plant():
                docket = cx.evaluate(
                    study, [defect.claim], alone=True, verdicts_only=True, keep=False
                )
            primary = docket[defect.claim].primary
            verdict, e = primary.verdict_alone, primary.estimate
            covered = e is not None and e.low <= defect.value <= e.high
            result.append(Judged(verdict in defect.wrong, verdict == defect.right, covered))
    return result[0], result[1]


def is_found(defect: Defect, judged: Sequence[Judged]) -> bool:
    """Whether one of the calibration's bars rejects what came out."""
    n = len(judged)
    ps = [
        stats.binom.sf(sum(j.wrong for j in judged) - 1, n, WRONG),
        stats.binom.cdf(sum(j.covered for j in judged), n, COVERED),
    ]
    if defect.right:
        ps.append(stats.binom.cdf(sum(j.right for j in judged), n, RIGHT))
    return bool(min(ps) < ALARM)


def table(found: dict[str, list[tuple[Judged, Judged]]]) -> str:
    """What came out, as Markdown."""
    lines = [
        "| planted | claim, company | truth | | wrong | interval holds the truth | rightly decided | calibration |",
        "|---|---|---|---|--:|--:|--:|---|",
    ]
    for name, pairs in found.items():
        d = DEFECTS[name]
        heads = (
            (d.about, f"{d.claim}, {d.world}", d.truth, "without"),
            ("", "", "", "with it"),
        )
        for i, head in enumerate(heads):
            judged = [p[i] for p in pairs]
            n = len(judged)
            cells = [
                *head,
                f"{sum(j.wrong for j in judged)} of {n}",
                f"{sum(j.covered for j in judged)} of {n}",
                f"{sum(j.right for j in judged)} of {n}" if d.right else "",
                "fails" if is_found(d, judged) else "passes",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try every defect; returns 1 if one is not found, or something is found where none is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "defects.md")
    given = parser.parse_args(arguments)
    jobs = [(name, FIRST_SEED + i) for name in DEFECTS for i in range(given.replicates)]
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(judge, *zip(*jobs, strict=True)))
    found: dict[str, list[tuple[Judged, Judged]]] = {}
    for (name, _), pair in zip(jobs, done, strict=True):
        found.setdefault(name, []).append(pair)
    text = table(found)
    given.out.write_text(PAGE.format(customers=CUSTOMERS, table=text), encoding="utf-8")
    print(text)
    passes = [not is_found(DEFECTS[n], [p[0] for p in pairs]) for n, pairs in found.items()]
    fails = [is_found(DEFECTS[n], [p[1] for p in pairs]) for n, pairs in found.items()]
    return int(not all((*passes, *fails)))


PAGE = """\
# Defects that the calibration finds

Made by `python -m benchmarks.defects`; what it does is said there. {customers:,} customers each (5,000 in the hostile
company). The calibration fails where what came out has a probability below 0.001 under one of its bars.

{table}
"""


if __name__ == "__main__":
    sys.exit(main())
