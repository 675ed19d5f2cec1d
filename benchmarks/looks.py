"""How often intervals are ever wrong over 100 weekly looks: benchmarks/looks.py [--world null] [--replicates 400].

A company of 1,000 customers is made once for each replicate, and its event history is stored once: rows of
(start, stop] by customer, with what the adjusted readings of two claims ask for and hold equal. At each of 100 weeks it
is cut to what was known then, and the two hazard ratios are estimated, with robust errors. That is done on risk sets
which are found once; ``--check`` holds numbers and errors against those of the package's risk tables and Cox model. The
intervals are those of a single look and those that hold at every look, tuned at the first look of 50 departures; these
with the robust error, and as the package makes them, with the larger of the robust and the model's own error.

What is true is known beforehand, since hazards are proportional and nothing else is at work: in the world ``null`` both
ratios are 1; in ``harm`` a bad moment multiplies the hazard by 1.5 and a good one in place of a neutral one by 1.
So an interval is wrong if it leaves out log 1 = 0, in ``harm`` log 1.5 for bad moments.

Seeds are fixed: replicate i has the seed (20261130, world, i). Each finished replicate is a line per claim appended to
benchmarks/looks.csv, so a run that was stopped goes on where it was; ``--summary`` prints the counts. One core is used.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

import cxresearch as cx
from cxresearch import histories as h
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.cox import cox
from cxresearch.estimators.looks import half_width, p_at_every_look, tune
from cxresearch.risk.from_rows import from_rows
from cxresearch.worlds import World, simulate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LINES = Path(__file__).parent / "looks.csv"
SEED, CUSTOMERS, LOOKS, WEEK = 20261130, 1_000, 100, 7
FIRST_EVENTS, ALPHA = 50, 0.05
COMPANY = {
    "days": 1_000,
    "entry_days": 700,
    "contact_rate": 0.012,
    "proneness_variance": 0.0,
    "intensity_variance": 0.5,
}
WORLDS = {
    "null": World(**COMPANY),
    "harm": World(**COMPANY, hr_bad=(1.0, 1.5, 1.5, 1.5)),
}
TRUTH = {
    "null": {"bad-moments-drive-away": 1.0, "good-moments-build": 1.0},
    "harm": {"bad-moments-drive-away": 1.5, "good-moments-build": 1.0},
}
CAUSES = ("censored", "defection", "other exit")
HELD = ("contacts", "so_far", "recency")
CLAIMS = {
    "bad-moments-drive-away": (("bad",), {"bad[1+]": 1.0}),
    "good-moments-build": (
        ("linear(bads)", "linear(neutrals)", "linear(goods)", "linear(unknowns)"),
        {"linear(goods)": 1.0, "linear(neutrals)": -1.0},
    ),
}
LEVELS = {
    "contacts": ("0", "1-2", "3-5", "6+"),
    "so_far": ("0", "1-2", "3-5", "6-10", "11-20", "21+"),
}
SCHEMA = {
    "world": pl.String,
    "replicate": pl.Int64,
    "claim": pl.String,
    "looks": pl.Int64,
    "events_first": pl.Int64,
    "events_last": pl.Int64,
    "estimate": pl.Float64,
    "se": pl.Float64,
    "wrong_single": pl.Boolean,  # at the last look alone, at one look's level
    "ever_wrong_fixed": pl.Boolean,  # at any look, at one look's level
    "ever_wrong_anytime": pl.Boolean,  # by the robust error
    "ever_wrong_half": pl.Boolean,  # as of the first sequence of a study, which has half of the error
    "decided_single": pl.Boolean,  # the interval of the last look leaves out 1
    "decided_anytime": pl.Int64,  # the first look whose interval leaves out 1; null for never
    "decided_half": pl.Int64,
    "least_p": pl.Float64,  # of "no difference", over all looks
    "se_model": pl.Float64,  # the model's own error at the last look
    "ever_wrong_larger": pl.Boolean,  # by the larger of both errors; null where that was not run
    "ever_wrong_larger_half": pl.Boolean,
    "decided_larger": pl.Int64,
    "decided_larger_half": pl.Int64,
    "look_wrong": pl.Int64,  # the first look at which the interval by the robust error is wrong; null for none
    "look_wrong_larger": pl.Int64,
}


def history(world: str, replicate: int) -> tuple[pl.DataFrame, int, int]:
    """The event history of a company, with absolute days, and the first and last day of its log."""
    seed = int(
        np.random.SeedSequence([SEED, list(WORLDS).index(world), replicate]).generate_state(1)[0]
    )
    records = cx.read_records(simulate(WORLDS[world], CUSTOMERS, seed).study(), required_columns=())
    each = (1, 2, 3, 4, 5)
    made = cx.episodes(
        records,
        bad=h.bad_count(1),
        bads=h.grade_count("bad", each),
        neutrals=h.grade_count("neutral", each),
        goods=h.grade_count("good", each),
        unknowns=h.grade_count("unknown", (1, 2, 3)),
        contacts=h.contacts_within(90, (1, 3, 6)),
        so_far=h.contact_count((1, 3, 6, 11, 21)),
        recency=h.age_of_last("any", (7, 30, 60, 90)),
        strata=["segment"],
        observed_from_start=True,
    ).to_polars()
    people = records.engine.collect(records.customers.select("customer", origin="start"))
    numbers = [
        pl.col(c).str.strip_suffix("+").cast(pl.Int64)
        for c in ("bads", "neutrals", "goods", "unknowns")
    ]
    rows = made.join(people, on="customer").with_columns(
        *numbers,
        event=pl.col("event").replace_strict({c: i for i, c in enumerate(CAUSES)}, default=0),
        cohort=(pl.col("origin") - records.window.first) // 30,
    )
    return rows, records.window.first, records.window.last


def cut(rows: pl.DataFrame, day: int) -> pl.DataFrame:
    """What was known of an event history at the end of a day."""
    known = rows.with_columns(limit=day - pl.col("origin"))
    known = known.filter(pl.col("start") < pl.col("limit"))
    return known.with_columns(
        stop=pl.min_horizontal("stop", "limit"),
        event=pl.when(pl.col("stop") <= pl.col("limit")).then("event").otherwise(0),
    )


def estimate(rows: pl.DataFrame, claim: str) -> tuple[float, float, float]:
    """The log hazard ratio of a claim, its robust and its own error, by the estimators of the package."""
    terms, weights = CLAIMS[claim]
    features = [t.removeprefix("linear(").removesuffix(")") for t in terms]
    table = from_rows(
        rows,
        [*features, *HELD, "segment", "cohort"],
        customer="customer",
        causes=CAUSES,
        levels=LEVELS,
    )
    fit = cox(table, [*terms, *HELD], held=HELD, strata=["segment", "cohort"])
    result = contrast(fit, weights)
    return math.log(result.value), result.se, result.se_model


@dataclass(frozen=True, slots=True)
class RiskSets:
    """Each departure with those at risk then, once for a history: a look sees some of them.

    Attributes:
        x: shape (pairs, terms): what somebody at risk had lived through.
        customer: shape (pairs,): who.
        share: shape (pairs,): Efron's weight among tied departures; 1 for those who stay.
        seen: shape (pairs,): the day on which somebody at risk has been so for as long.
        first: shape (departures,): where the pairs of each begin.
        own: shape (departures,): the pair of whoever leaves.
        day: shape (departures,): the day of it.
        tie: shape (departures,): departures of one stratum on one day of tenure have one number.
    """

    x: Floats
    customer: Ints
    share: Floats
    seen: Ints
    first: Ints
    own: Ints
    day: Ints
    tie: Ints


def risk_sets(rows: pl.DataFrame, claim: str) -> RiskSets:
    """The risk sets of a history, strata being segment and cohort and time the days of tenure."""
    parts, size = [], 0
    columns = _columns(rows, claim)
    start, stop, origin = (rows[c].to_numpy() for c in ("start", "stop", "origin"))
    customer, left = rows["customer"].to_numpy(), rows["event"].to_numpy() == 1
    stratum = (rows["cohort"].cast(pl.String) + rows["segment"]).to_numpy()
    ties = 0
    for which in np.unique(stratum):
        within = np.flatnonzero(stratum == which)
        for time in np.unique(stop[within][left[within]]):
            there = within[(start[within] < time) & (time <= stop[within])]
            leaves = left[there] & (stop[there] == time)
            # on the day of a look, those who leave later on the same day of tenure are not known
            for own in np.flatnonzero(leaves):
                parts.append((there, leaves, own, size, time, ties))
                size += len(there)
            ties += 1
    pairs = np.concatenate([p[0] for p in parts])
    days = np.concatenate([origin[p[0]] + p[4] for p in parts])
    return RiskSets(
        x=columns[pairs],
        customer=customer[pairs],
        share=np.concatenate([p[1] for p in parts]).astype(float),
        seen=days,
        first=np.array([p[3] for p in parts]),
        own=np.array([p[3] + p[2] for p in parts]),
        day=np.array([origin[p[0][p[2]]] + p[4] for p in parts]),
        tie=np.array([p[5] for p in parts]),
    )


def _columns(rows: pl.DataFrame, claim: str) -> Floats:
    """The columns of the model, the terms of the claim first; of each factor its first level has none."""
    result = []
    for term in CLAIMS[claim][0]:
        name = term.removeprefix("linear(").removesuffix(")")
        values = rows[name]
        result.append((values == "1+").to_numpy() if name == "bad" else values.to_numpy())
    for name in HELD:
        levels = LEVELS.get(name) or sorted(rows[name].unique())
        result += [(rows[name] == level).to_numpy() for level in levels[1:]]
    return np.column_stack(result).astype(float)


def fit_at(sets: RiskSets, day: int) -> tuple[Floats, Floats, Floats]:
    """Cox's estimate with Efron's ties, its robust and its own covariance, of what was known at the end of a day.

    Args:
        sets: of the whole history.
        day: of the look.
    """
    known = sets.day <= day
    length = np.diff(sets.first, append=len(sets.x))
    of = np.repeat(np.arange(len(sets.first)), length)
    kept = known[of] & (sets.seen <= day)
    x, who = sets.x[kept], sets.customer[kept]
    place = np.cumsum(known) - 1
    of = place[of[kept]]
    first = np.searchsorted(of, np.arange(known.sum()))
    own = (np.cumsum(kept) - 1)[sets.own[known]]
    tie = sets.tie[known]
    _, tied, ties = np.unique(tie, return_inverse=True, return_counts=True)
    order = np.arange(len(tie)) - np.searchsorted(tie, tie)
    fraction = order / ties[tied]
    factor = 1 - np.where(sets.share[kept] > 0, fraction[of], 0.0)
    there, beta = x.any(axis=0), np.zeros(x.shape[1])
    for _ in range(50):
        weight = factor * np.exp(np.minimum(x @ beta, 50))
        total = np.add.reduceat(weight, first)
        chance = weight / total[of]
        mean = np.add.reduceat(chance[:, None] * x, first)
        score = (x[own] - mean).sum(axis=0)
        information = x.T @ (chance[:, None] * x) - mean.T @ mean
        step = np.zeros_like(beta)
        step[there] = np.linalg.lstsq(information[np.ix_(there, there)], score[there], rcond=1e-10)[
            0
        ]
        beta = beta + np.clip(step, -2, 2)
        if score @ step < 1e-13:
            break
    of_tie = np.zeros((len(ties), x.shape[1]))
    np.add.at(of_tie, tied, mean)
    residual = -chance[:, None] * (x - mean[of])
    residual[own] += x[own] - (of_tie / ties[:, None])[tied]
    by = np.zeros((sets.customer.max() + 1, x.shape[1]))
    np.add.at(by, who, residual)
    inverse = np.linalg.pinv(information, rcond=1e-10, hermitian=True)
    moved = by @ inverse
    return beta, moved.T @ moved, inverse


def _names(claim: str) -> list[str]:
    return ["bad[1+]" if t == "bad" else t for t in CLAIMS[claim][0]]


def check(world: str, replicate: int) -> float:
    """The largest difference of numbers and errors from those of the package, at three looks and for both claims."""
    rows, first, last = history(world, replicate)
    worst = 0.0
    for claim in CLAIMS:
        sets = risk_sets(rows, claim)
        weights = np.zeros(sets.x.shape[1])
        weights[: len(CLAIMS[claim][0])] = [CLAIMS[claim][1].get(t, 0.0) for t in _names(claim)]
        for day in (first + 500, first + 800, last):
            beta, robust, model = fit_at(sets, day)
            value, *errors = estimate(cut(rows, day), claim)
            own = (math.sqrt(weights @ covariance @ weights) for covariance in (robust, model))
            apart = (abs(a - b) for a, b in zip(own, errors, strict=True))
            worst = max(worst, abs(weights @ beta - value), *apart)
    return worst


def replicate_line(
    rows: pl.DataFrame, last: int, world: str, replicate: int, claim: str
) -> dict[str, object]:
    """What comes of all looks at a claim in a company."""
    days = [last - WEEK * back for back in range(LOOKS - 1, -1, -1)]
    truth = math.log(TRUTH[world][claim])
    sets, seen = risk_sets(rows, claim), []
    weights = np.zeros(sets.x.shape[1])
    weights[: len(CLAIMS[claim][0])] = [CLAIMS[claim][1].get(t, 0.0) for t in _names(claim)]
    for day in days:
        events = int((sets.day <= day).sum())
        if events >= FIRST_EVENTS:
            beta, *both = fit_at(sets, day)
            seen.append((events, weights @ beta, *(math.sqrt(weights @ c @ weights) for c in both)))
    events, values, errors, own = map(np.array, zip(*seen, strict=True))
    z = stats.norm.ppf(1 - ALPHA / 2)
    off, size = np.abs(values - truth), np.abs(values)
    half = {
        (name, a): np.array([half_width(s, tune(by[0], a), a) for s in by])
        for name, by in (("robust", errors), ("larger", np.maximum(errors, own)))
        for a in (ALPHA, ALPHA / 2)
    }
    wrong = {key: _first(off > by) for key, by in half.items()}
    decided = {key: _first(size > by) for key, by in half.items()}
    r = tune(errors[0], ALPHA)
    return {
        "world": world,
        "replicate": replicate,
        "claim": claim,
        "looks": len(seen),
        "events_first": int(events[0]),
        "events_last": int(events[-1]),
        "estimate": float(values[-1]),
        "se": float(errors[-1]),
        "wrong_single": bool(off[-1] > z * errors[-1]),
        "ever_wrong_fixed": bool((off > z * errors).any()),
        "ever_wrong_anytime": wrong["robust", ALPHA] is not None,
        "ever_wrong_half": wrong["robust", ALPHA / 2] is not None,
        "decided_single": bool(size[-1] > z * errors[-1]),
        "decided_anytime": decided["robust", ALPHA],
        "decided_half": decided["robust", ALPHA / 2],
        "least_p": min(p_at_every_look(v, s, r) for v, s in zip(values, errors, strict=True)),
        "se_model": float(own[-1]),
        "ever_wrong_larger": wrong["larger", ALPHA] is not None,
        "ever_wrong_larger_half": wrong["larger", ALPHA / 2] is not None,
        "decided_larger": decided["larger", ALPHA],
        "decided_larger_half": decided["larger", ALPHA / 2],
        "look_wrong": wrong["robust", ALPHA],
        "look_wrong_larger": wrong["larger", ALPHA],
    }


def _first(looks: NDArray[np.bool_]) -> int | None:
    """The first look at which something is so, from 1; None if it never is."""
    where = np.flatnonzero(looks)
    return int(where[0]) + 1 if len(where) else None


def run(world: str, replicates: int, claims: Sequence[str]) -> None:
    """Make the replicates that are not there yet, or only without the larger error."""
    results().write_csv(LINES)  # of two lines of one replicate, the later one
    done = results().filter(pl.col("ever_wrong_larger").is_not_null(), world=world)
    there = set(done.select("replicate", "claim").iter_rows())
    for replicate in range(replicates):
        wanted = [c for c in claims if (replicate, c) not in there]
        if not wanted:
            continue
        rows, _, last = history(world, replicate)
        lines = [replicate_line(rows, last, world, replicate, claim) for claim in wanted]
        with LINES.open("ab") as file:
            pl.DataFrame(lines, schema=SCHEMA).write_csv(file, include_header=False)


def results() -> pl.DataFrame:
    """The lines that there are, one of each replicate and claim, in order."""
    if not LINES.exists():
        return pl.DataFrame(schema=SCHEMA)
    key = ("world", "replicate", "claim")
    found = pl.read_csv(LINES, schema=SCHEMA).unique(key, keep="last")
    return found.sort("world", "replicate", "claim", descending=[True, False, False])


_WRONG = ("wrong_single", "ever_wrong_fixed", "ever_wrong_anytime", "ever_wrong_half")
_WRONG_LARGER = ("ever_wrong_larger", "ever_wrong_larger_half")


def summary() -> pl.DataFrame:
    """Shares over the replicates of each world and claim; limits are Clopper and Pearson's."""
    rows = []
    for (world, claim), own in sorted(results().group_by("world", "claim")):
        n = own.height
        row: dict[str, object] = {"world": world, "claim": claim, "runs": n}
        for name in (*_WRONG, *_WRONG_LARGER):
            n, k = own[name].count(), int(own[name].sum())
            if not n:
                continue
            low, high = stats.beta.ppf(
                [0.025, 0.975], [max(k, 1e-9), k + 1], [n - k + 1, max(n - k, 1e-9)]
            )
            row[name] = f"{k / n:.3f} ({low:.3f} to {high:.3f}) of {n}"
        row["decided at the last look alone"] = round(own["decided_single"].mean(), 3)
        for name in ("decided_anytime", "decided_half"):
            row[name] = round(own[name].is_not_null().mean(), 3)
        again = own.filter(pl.col("ever_wrong_larger").is_not_null())
        for name in ("decided_larger", "decided_larger_half"):
            row[name] = round(again[name].is_not_null().mean(), 3) if again.height else None
        row["median look of deciding"] = own["decided_anytime"].median()
        row["the same, larger error"] = again["decided_larger"].median()
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def process(runs: int = 20_000) -> pl.DataFrame:
    """The same for estimates that are exactly a Gaussian process: 100 looks, from 75 to 525 events, by their distance.

    The distance of the truth from no difference is in errors of the last look; at 2.8 of them a single look that was
    fixed beforehand has a power of 80%.
    """
    rng = np.random.default_rng(SEED)
    information = np.linspace(75, 525, LOOKS)
    steps = np.sqrt(np.diff(information, prepend=0.0))
    walk = (rng.normal(size=(runs, LOOKS)) * steps).cumsum(axis=1) / information
    errors = 1 / np.sqrt(information)
    rows = []
    for distance in (0.0, 2.8, 4.0):
        size = np.abs(walk + distance * errors[-1])
        row = {"distance": distance, "last look alone": (size[:, -1] > 1.96 * errors[-1]).mean()}
        row["95% at every look"] = (size > 1.96 * errors).any(axis=1).mean()
        for alpha in (ALPHA, ALPHA / 2):
            r = tune(errors[0], alpha)
            half = np.array([half_width(e, r, alpha) for e in errors])
            row[f"anytime, {1 - alpha:.1%}"] = (size > half).any(axis=1).mean()
        rows.append(row)
    return pl.DataFrame(rows)


def main() -> None:
    """Run, or sum up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--world", choices=list(WORLDS), default="null")
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--claim", action="append", choices=list(CLAIMS), help="both if not given")
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--process", action="store_true", help="a Gaussian process in their place")
    given = parser.parse_args()
    if given.process:
        print(process())
        return
    if given.check:
        print(f"largest difference: {max(check(given.world, i) for i in range(3)):.1e}")
        return
    if not given.summary:
        run(given.world, given.replicates, given.claim or list(CLAIMS))
    with pl.Config(tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=60):
        print(summary())


if __name__ == "__main__":
    main()
