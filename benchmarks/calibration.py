"""How often verdicts are wrong where the truth is known: python benchmarks/calibration.py [--replicates 400].

Tries each claim in the worlds that are for it, many times over, and writes benchmarks/calibration.csv and
docs/calibration.md. Seeds are fixed: replicate i of the world with number n has seed 1,000,000 n + i. Finished
replicates are appended to benchmarks/calibration_replicates.csv, which is committed, so that a run goes on where it
was, on whatever machine. `rules` there is the number of the rules they were tried by (`kept_trials.TRIALS`); those
that are older than the rules that last changed the verdicts of their claim, `SINCE`, are tried again. With --new,
--world or --claim only those are tried; the others stay as calibration.csv has them.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # one process per core does more than threads do
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import polars as pl
from msgspec.structs import replace
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from cxresearch.claims.evaluate import evaluate
from cxresearch.claims.kept_trials import TRIALS
from cxresearch.worlds import KNOWN, known_world, simulate

HERE = Path(__file__).parent
VERDICTS = ("supported", "contradicted", "undecided", "not testable")
COUNTS = tuple(v.replace(" ", "_") for v in VERDICTS)
BAR = 0.05  # wrong verdicts, at most; and 80% decided rightly where the truth is clear
EMPTY = {"world": pl.String, "claim": pl.String, "value": pl.Float64}
LARGE = 100_000
REPLICATES = HERE / "calibration_replicates.csv"
COLUMNS = {
    "world": pl.String,
    "seed": pl.Int64,
    "claim": pl.String,
    "verdict": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "se": pl.Float64,
    "customers": pl.Int64,
    "rules": pl.Int64,
}
# effects of days: only where nobody decides longer ahead can they be told from a decision
LEADS: dict[str, tuple[int, ...]] = {"fresh": ()}
# the number of the rules that last changed verdicts: of a claim, and of those that are not named
TEMPERAMENT = (
    *(
        "three-strikes",
        "one-strike",
        "bad-moments-drive-away",
        "good-moments-build",
        "neutral-threat",
    ),
    *(
        "first-moment",
        "remote-touchpoints",
        "problem-moments",
        "resolution-decides",
        "recovery-paradox",
    ),
    *("slow-resolution", "goodwill-gesture", "anger-to-appreciation", "tell-the-customer"),
    *("four-expectations", "responsibility-sours", "handoffs"),
)
SINCE = dict.fromkeys(TEMPERAMENT, 20)
SINCE_OF_OTHERS = 19


def tried(world: str, claims: list[str], customers: int, seed: int) -> list[dict[str, object]]:
    """Some claims on one of a world's companies."""
    study = simulate(known_world(world).world, customers, seed).study(world)
    if world in LEADS:
        study = replace(study, moments=replace(study.moments, lead_days=LEADS[world]))
    docket = evaluate(study, claims, alone=True, verdicts_only=True)
    rows = []
    for trial in docket.values():
        e = trial.primary
        result = {
            k: None if e.estimate is None else getattr(e.estimate, k)
            for k in ("value", "low", "high", "se")
        }
        rows.append(
            {
                "world": world,
                "seed": seed,
                "claim": trial.claim.id,
                "verdict": e.verdict_alone,
                **result,
            }
        )
    return rows


def seeds(world: str, replicates: int) -> list[int]:
    """Of the replicates of a world."""
    return [1_000_000 * KNOWN[world].number + i for i in range(replicates)]


def kept_replicates(path: Path, customers: int) -> list[dict[str, object]]:
    """What has been tried so far with so many customers, by rules that still hold for the claim."""
    if not path.exists():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]  # the last line may be cut
    if not whole:
        return []
    rows = pl.read_csv(whole, schema=COLUMNS)
    since = pl.col("claim").replace_strict(SINCE, default=SINCE_OF_OTHERS, return_dtype=pl.Int64)
    rows = rows.filter(pl.col("rules") >= since, customers=customers)
    return rows.unique(["world", "seed", "claim"], keep="last", maintain_order=True).to_dicts()


def replicated(
    pairs: list[tuple[str, str]],
    replicates: int,
    customers: int,
    workers: int,
    done: list[dict[str, object]],
    kept: Path,
    first: int = 0,
) -> Iterator[dict[str, object]]:
    """All replicates of these claims in these worlds, those that are done as they were; new ones go to `kept`."""
    known = {(r["world"], r["seed"], r["claim"]) for r in done}
    wanted = {(w, s + first, c) for w, c in pairs for s in seeds(w, replicates)}
    yield from (r for r in done if (r["world"], r["seed"], r["claim"]) in wanted)
    jobs: dict[tuple[str, int], list[str]] = {}
    # in turn over the worlds, so that a run cut short has as many of each
    for world, seed, claim in sorted(wanted - known, key=lambda job: (job[1] % 1_000_000, job)):
        jobs.setdefault((world, seed), []).append(claim)
    whole = kept.read_bytes() if kept.exists() else b""
    kept.write_bytes(whole[: whole.rfind(b"\n") + 1])  # without a line that a kill has cut
    is_new = kept.stat().st_size == 0
    # a forked process would wait for ever for the threads of the frames library
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        kept.open("a", newline="", encoding="utf-8") as out,
    ):
        writer = csv.DictWriter(out, list(COLUMNS), lineterminator="\n")
        if is_new:
            writer.writeheader()
        futures = [pool.submit(tried, w, claims, customers, s) for (w, s), claims in jobs.items()]
        for i, future in enumerate(futures, 1):
            rows = future.result()
            for row in rows:
                short = {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()}
                writer.writerow({**short, "customers": customers, "rules": TRIALS})
            out.flush()
            if i % 50 == 0:
                print(f"{i} of {len(jobs)}", flush=True)
            yield from rows


def table(rows: pl.DataFrame, truths: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """One row per world and claim: where the truth lies, how often each verdict came, how often it was wrong.

    Args:
        rows: replicates.
        truths: large runs.
        before: a table as returned; its rows stand for what has no replicates now.
    """
    lines = []
    for known in KNOWN.values():
        for truth in known.truths:
            own = rows.filter(world=known.name, claim=truth.claim)
            old = before.filter(world=known.name, claim=truth.claim)
            if own.height == old.height == 0:
                continue
            result = _counted(own, truths) if own.height else old.row(0, named=True)
            n, wrong = result["replicates"], sum(result[v] for v in truth.wrong)
            right = result[truth.right] if truth.clear and truth.right else None
            low, high = proportion_confint(wrong, n, method="wilson")
            lines.append(
                {
                    **{
                        "world": known.name,
                        "claim": truth.claim,
                        "truth": truth.place,
                        "clear": truth.clear,
                    },
                    **{
                        k: result[k]
                        for k in ("true_value", "median_estimate", "replicates", *COUNTS)
                    },
                    "wrong": wrong / n,
                    "wrong_low": low,
                    "wrong_high": high,
                    "within_bar": bool(stats.binom.sf(wrong - 1, n, BAR) >= 0.01),
                    "decided_rightly": None if right is None else right / n,
                    "covered": result["covered"],
                }
            )
    return pl.DataFrame(lines, infer_schema_length=None)


def _counted(own: pl.DataFrame, truths: pl.DataFrame) -> dict[str, Any]:
    """Of the replicates of one claim in one world: verdicts, the median, and how often the interval holds the truth."""
    true = truths.join(own.select("world", "claim").head(1), on=["world", "claim"])
    value = float(true["value"].mean()) if true.height else None  # type: ignore[arg-type]
    held = own.filter(pl.col("low").is_not_null())
    covered = None
    if value is not None and held.height:
        covered = held.filter(pl.col("low") <= value, pl.col("high") >= value).height / held.height
    counts = {c: own.filter(verdict=v).height for c, v in zip(COUNTS, VERDICTS, strict=True)}
    median = own["value"].median()
    return {
        "true_value": value,
        "median_estimate": median,
        "replicates": own.height,
        **counts,
        "covered": covered,
    }


def page(result: pl.DataFrame, customers: int) -> str:
    """The table as Markdown; what no large run has found is left out."""
    limits = result["true_value"].null_count() < result.height
    columns = [
        "world",
        "claim",
        "truth",
        "times",
        "median estimate",
        *VERDICTS,
        "wrong (95%)",
        "decided rightly",
    ]
    columns += ["true value", "interval holds it"] if limits else []
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for r in result.iter_rows(named=True):
        cells = [
            r["world"],
            r["claim"],
            f"{r['truth']}, clear" if r["clear"] else r["truth"],
            r["replicates"],
            _told(r["median_estimate"], ".3f"),
            *(r[c] for c in COUNTS),
            f"{r['wrong']:.1%} ({r['wrong_low']:.1%} to {r['wrong_high']:.1%})",
            _told(r["decided_rightly"], ".0%"),
        ]
        cells += [_told(r["true_value"], ".3f"), _told(r["covered"], ".1%")] if limits else []
        lines.append(f"| {' | '.join(map(str, cells))} |")
    worlds = "\n".join(
        f"- **{k.name}**: {k.about}{_declared(k.name)}"
        for k in KNOWN.values()
        if k.name in result["world"].to_list()
    )
    verdicts = int(result["replicates"].sum())
    wrong = int((result["wrong"] * result["replicates"]).round().sum())
    low, high = proportion_confint(wrong, verdicts, method="wilson")
    return PAGE.format(
        customers=customers,
        verdicts=verdicts,
        wrong=wrong,
        pooled=f"{wrong / verdicts:.1%}; {low:.1%} to {high:.1%}",
        seldom=SELDOM.format(", ".join(told)) if (told := seldom_decided(result)) else "",
        limits=LIMITS.format(large=LARGE) if limits else "",
        worlds=worlds,
        table="\n".join(lines),
    )


def seldom_decided(result: pl.DataFrame) -> list[str]:
    """The clear truths that were decided rightly less often than four times of five, beyond chance."""
    told = []
    for r in result.filter("clear").iter_rows(named=True):
        decided = round(r["decided_rightly"] * r["replicates"])
        if stats.binom.cdf(decided, r["replicates"], 0.8) < 0.01:
            told.append(f"{r['claim']} in {r['world']} ({decided} of {r['replicates']})")
    return told


def _declared(world: str) -> str:
    return f" Declared is lead_days = {list(LEADS[world])}." if world in LEADS else ""


def _told(value: float | None, how: str) -> str:
    return "" if value is None else format(value, how)


PAGE = """\
# How often verdicts are wrong

Each world is a synthetic company whose truth is known; it was simulated several times with {customers:,} customers,
and the claims it is for were tried on every one, with all rivals; the table says how often. Few times show gross errors
only: of 10 verdicts, none wrong means less than 31% with 95% confidence. Of all {verdicts:,} together {wrong} were
wrong ({pooled}). `make calibrate` makes this page again, from the same seeds;
each verdict is in [benchmarks/calibration_replicates.csv](../benchmarks/calibration_replicates.csv).

A verdict is wrong if it supports what is not so or contradicts what is: outside or at no effect *supported*, inside or
at the smallest effect that matters *contradicted*, at an edge either. The bar is 5%, within binomial error. Where the
truth is clear at least 80% should be decided rightly, within binomial error.{seldom}

In the worlds confounded and hurried the reading's limit need not be the effect, which is none; verdicts are judged by
the effect.{limits}

{worlds}

{table}
"""


SELDOM = """ Decided less
often than that at this size, since all rivals have to be survived: {}."""
LIMITS = """ The true value is the limit of the primary reading: the mean of
large runs of {large:,} customers each, under the same entry and censoring."""


def main() -> None:
    """Replicate, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--customers", type=int, default=4_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--world", action="append", choices=list(KNOWN), help="only this one; may be repeated"
    )
    parser.add_argument("--claim", action="append", help="only this one; may be repeated")
    parser.add_argument(
        "--new", action="store_true", help="only what calibration.csv does not have"
    )
    parser.add_argument(
        "--limits", type=int, default=0, help="large runs to find the true values by"
    )
    given = parser.parse_args()
    written = HERE / "calibration.csv"
    before = (
        pl.read_csv(written, infer_schema_length=None)
        if written.exists()
        else pl.DataFrame(schema=EMPTY)
    )
    there = set(before.select("world", "claim").iter_rows()) if given.new else set()
    pairs = [
        (known.name, truth.claim)
        for known in KNOWN.values()
        for truth in known.truths
        if known.name in (given.world or KNOWN)
        and truth.claim in (given.claim or [truth.claim])
        and (known.name, truth.claim) not in there
    ]

    def all_of(replicates: int, customers: int, first: int = 0) -> pl.DataFrame:
        done = kept_replicates(REPLICATES, customers)
        rows = list(
            replicated(pairs, replicates, customers, given.workers, done, REPLICATES, first)
        )
        return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame(schema=EMPTY)

    tries = all_of(given.replicates, given.customers)
    truths = all_of(given.limits, LARGE, first=500_000)
    result = table(tries, truths, before)
    result.write_csv(written, float_precision=4)
    (HERE.parent / "docs" / "calibration.md").write_text(
        page(result, given.customers), encoding="utf-8"
    )
    print(result)


if __name__ == "__main__":
    main()
