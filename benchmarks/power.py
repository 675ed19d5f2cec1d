"""Whether planning predicts what happens: predicted probabilities of the right verdict against simulated ones.

    python -m benchmarks.power predict                 writes benchmarks/power_predicted.csv
    python -m benchmarks.power simulate --replicates 400 [--minutes 60]
    python -m benchmarks.power table                   what came out, as Markdown

Companies, effects and seeds are fixed here before anything is predicted. A prediction sees one study of such a company
and nothing else; of the sizes on its curve, those are taken at which it says nearly one in two and four in five.
Replicates are written one by one to benchmarks/power.csv and are not done again, so that it can be stopped and started
at any time.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cxresearch as cx
from cxresearch.planning import PowerPoint
from cxresearch.worlds import World, simulate

HERE = Path(__file__).parent
PREDICTED, SIMULATED = HERE / "power_predicted.csv", HERE / "power.csv"
STUDY_CUSTOMERS, STUDY_SEED = 4_000, 77  # of the study that a prediction sees
COMPANIES, COMPANY_CUSTOMERS, PREDICTION_SEED = 12, 1_500, 500
FIRST_SEED = 100_000  # of the replicates; those of predictions are smaller
WANTED = (0.5, 0.8)


@dataclass(frozen=True)
class Case:
    """A claim in a company in which it is true."""

    claim: str
    truth: float
    world: World


CASES = (
    Case("bad-moments-drive-away", 1.4, World(hr_bad=(1.0, 1.4, 1.4, 1.4), bad_share=0.12)),
    Case("household-contagion", 1.3, World(hr_household=1.3, intensity_variance=0.8)),
    Case("first-moment", 1.8, World(hr_first_bad=1.8, bad_share=0.2, proneness_variance=0.2)),
)


def predict() -> None:
    """Predict, from one study of each company, and write down what is predicted at which size."""
    rows = []
    for case in CASES:
        study = simulate(case.world, STUDY_CUSTOMERS, STUDY_SEED).study()
        more = {"companies": COMPANIES, "pilot_customers": COMPANY_CUSTOMERS}
        more |= {"seed": PREDICTION_SEED, "truths": [case.truth], "keep": False}
        plan = cx.power(study, case.claim, **more)  # type: ignore[arg-type]
        print(case.claim, plan.sentences[0], flush=True)
        for wanted in WANTED:
            point = min(plan.points, key=partial(_distance, wanted))
            rows.append(
                {
                    "claim": case.claim,
                    "truth": case.truth,
                    "customers": point.customers,
                    "predicted": round(point.probability, 4),
                    "low": round(point.low, 4),
                    "high": round(point.high, 4),
                    "by_interval": round(point.by_interval, 4),
                }
            )
    with PREDICTED.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _distance(wanted: float, point: PowerPoint) -> float:
    return abs(point.probability - wanted)


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a file; none where there is none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def simulate_all(replicates: int, minutes: float) -> None:
    """Replicates that are not there yet, all cells in turn, until there are enough or the time is over."""
    done = {(r["claim"], r["customers"], r["seed"]) for r in read(SIMULATED)}
    is_new, until = not SIMULATED.exists(), time.monotonic() + 60 * minutes
    worlds = {case.claim: case.world for case in CASES}
    with SIMULATED.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(("claim", "customers", "seed", "verdict", "by_interval"))
        for i in range(replicates):
            for cell, row in enumerate(read(PREDICTED)):
                seed = FIRST_SEED + 10_000 * cell + i
                if (row["claim"], row["customers"], str(seed)) in done:
                    continue
                if time.monotonic() > until:
                    return
                made = simulate(worlds[row["claim"]], int(row["customers"]), seed).study()
                docket = cx.evaluate(made, [row["claim"]], keep=False, verdicts_only=True)
                trial = docket[row["claim"]]
                writer.writerow(
                    (row["claim"], row["customers"], seed, trial.verdict, trial.association)
                )
                file.flush()


def table() -> None:
    """Predicted and simulated, with the error of so many replicates."""
    print("| claim | truth | customers | predicted | simulated | replicates | difference |")
    print("|---|---|---|---|---|---|---|")
    for row in read(PREDICTED):
        made = [
            r
            for r in read(SIMULATED)
            if (r["claim"], r["customers"]) == (row["claim"], row["customers"])
        ]
        n = len(made)
        share = sum(r["verdict"] == "supported" for r in made) / n if n else math.nan
        error = math.sqrt(share * (1 - share) / n) if n else math.nan
        predicted = float(row["predicted"])
        print(
            f"| {row['claim']} | {row['truth']} | {int(row['customers']):,} | {predicted:.1%} | "
            f"{share:.1%} ± {error:.1%} | {n} | {100 * (share - predicted):+.1f} points |"
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("predict", "simulate", "table"))
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--minutes", type=float, default=math.inf)
    given = parser.parse_args()
    if given.what == "predict":
        predict()
    elif given.what == "simulate":
        simulate_all(given.replicates, given.minutes)
    else:
        table()


if __name__ == "__main__":
    main()
