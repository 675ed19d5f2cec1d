"""Simulated companies, tried like a study: the numbers that the rule looks at in each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.evaluate import deciding_readings, plan_tables
from cxresearch.claims.results import ReadingResult
from cxresearch.claims.rivals.analyses import Case
from cxresearch.claims.rivals.apply import TriedRival, readings_with_rivals, try_rivals
from cxresearch.claims.schema import Claim
from cxresearch.claims.tables import TableStore
from cxresearch.claims.trial import compute_readings
from cxresearch.estimators.intervals import SCALES
from cxresearch.estimators.results import Estimate
from cxresearch.study import Study
from cxresearch.worlds import World, simulate

MOST = 0.75  # of the companies must give a number that the rule is to look at
Floats = NDArray[np.float64]
Key = tuple[str, ...]  # a reading; or a reading, a rival explanation and the number of its analysis
_SAME = ("blackout_days", "lead_days", "grades", "lookback_days")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pilot:
    """A company, tried.

    Attributes:
        rows: readings that the verdict rests on, each decided by itself, by id.
        rivals: of each reading that rivals act on, by id: the case, and the rivals with their numbers.
    """

    rows: Mapping[str, ReadingResult]
    rivals: Mapping[str, tuple[Case, tuple[TriedRival, ...]]]

    def estimates(self) -> dict[Key, Estimate]:
        """All numbers that there are."""
        result: dict[Key, Estimate] = {
            (name,): row.estimate for name, row in self.rows.items() if row.estimate is not None
        }
        for name, (_, tried) in self.rivals.items():
            for rival in tried:
                for i, outcome in enumerate(rival.outcomes):
                    if outcome.row.estimate is not None:
                        result[name, rival.explanation.id, str(i)] = outcome.row.estimate
        return result


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PilotNumbers:
    """The numbers of several companies of one size, on the scales on which they are nearly normal.

    Attributes:
        customers: of each company.
        model: one of them, which tells what becomes of numbers.
        keys: shape (J,): which numbers.
        scales: shape (J,): names of their scales.
        values: shape (K, J).
        errors: shape (K, J): standard errors.
        events: shape (K,): events behind the number of the primary reading.
    """

    customers: int
    model: Pilot
    keys: tuple[Key, ...]
    scales: tuple[str, ...]
    values: Floats
    errors: Floats
    events: Floats


def try_pilot(study: Study, claim: Claim) -> Pilot:
    """A study tried on a claim, with the numbers of all rivals, whatever the verdict."""
    context = EvaluationContext(TableStore(study, keep=False))
    deciding = deciding_readings(claim)
    specs = plan_tables(context, [claim], {claim.id: deciding})[claim.id]
    context.store.prepare(specs)  # one walk along the customers for all of them
    context.store.forget()
    _, rows = compute_readings(context, claim, deciding)
    rivals = {
        name: try_rivals(context, claim, context.adapt(claim, reading), rows[name])
        for name, reading in readings_with_rivals(claim).items()
        if name in rows and rows[name].estimate is not None
    }
    return Pilot(rows=rows, rivals=rivals)


def simulated_study(study: Study, world: World, customers: int, seed: int) -> Study:
    """A synthetic company under the declarations of a study: its blackout, lead, grades, level and horizon."""
    settings = {name: getattr(study.moments, name) for name in _SAME}
    made = simulate(world, customers, seed).study(study.name)
    return made.replace(
        **settings,
        horizon_days=study.info.horizon_days,
        min_cell=study.info.min_cell,
        decision__level=study.decision.level,
    )


def run_pilots(
    study: Study,
    claim: Claim,
    world: World,
    *,
    customers: int,
    seeds: Sequence[int],
    progress: Callable[[str], None],
) -> PilotNumbers | None:
    """Simulate companies and try the claim on each.

    Args:
        study: whose declarations they have.
        claim: the claim.
        world: what is true in them.
        customers: of each.
        seeds: one per company.
        progress: called with a line before each.

    Returns:
        Their numbers; None where fewer than half of the companies, or than three, give them.
    """
    pilots = []
    for i, seed in enumerate(seeds, 1):
        progress(f"company {i} of {len(seeds)}, {customers:,} customers")
        pilots.append(try_pilot(simulated_study(study, world, customers, seed), claim))
    return numbers_of(pilots, claim, customers)


def numbers_of(pilots: Sequence[Pilot], claim: Claim, customers: int) -> PilotNumbers | None:
    """The numbers that most companies give; those of a company that lacks one of them are left out."""
    every = [p.estimates() for p in pilots]
    counted = {key: sum(key in e for e in every) for e in every for key in e}
    primary = (claim.primary.id,)
    keys = tuple(k for k, n in counted.items() if n >= MOST * len(pilots) or k == primary)
    complete = [
        (pilot, e) for pilot, e in zip(pilots, every, strict=True) if all(k in e for k in keys)
    ]
    if primary not in keys or len(complete) < max(3, len(pilots) / 2):
        return None
    scales = tuple(scale_of(complete[0][1][key]) for key in keys)
    values = [
        [SCALES[s][0](e[key].value) for key, s in zip(keys, scales, strict=True)]
        for _, e in complete
    ]
    return PilotNumbers(
        customers=customers,
        model=complete[0][0],
        keys=keys,
        scales=scales,
        values=np.array(values),
        errors=np.array([[e[key].se for key in keys] for _, e in complete]),
        events=np.array([float(p.rows[claim.primary.id].events) for p, _ in complete]),
    )


def scale_of(estimate: Estimate) -> str:
    """The scale on which a number is nearly normal."""
    return "logit" if estimate.scale == "wilson" else estimate.scale


def take(numbers: PilotNumbers, chosen: NDArray[np.int64]) -> PilotNumbers:
    """The numbers of some of the companies, in which one may stand several times."""
    return replace(
        numbers,
        values=numbers.values[chosen],
        errors=numbers.errors[chosen],
        events=numbers.events[chosen],
    )
