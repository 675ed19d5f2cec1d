"""The verdict of the whole rule on numbers that are drawn: the same steps as of a trial, and nothing computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from cxresearch.claims.decide import Verdict, decide, decide_control, decide_reading, is_outside
from cxresearch.claims.kinds import AnyReading
from cxresearch.claims.results import ReadingResult
from cxresearch.claims.rivals.analyses import Case, Outcome
from cxresearch.claims.rivals.apply import (
    TriedRival,
    apply_joint_level,
    joint_readings,
    open_rivals,
)
from cxresearch.claims.rivals.explanations import MIN_OTHER_EXITS
from cxresearch.claims.schema import Claim
from cxresearch.claims.verdict_corrections import apply_requirements
from cxresearch.estimators.intervals import SCALES, quantile
from cxresearch.estimators.results import Estimate
from cxresearch.planning.pilots import Floats, Key, Pilot, PilotNumbers, scale_of


def draw_verdicts(
    claim: Claim,
    numbers: PilotNumbers,
    customers: int,
    normal: Floats,
    centre: Floats | None = None,
    *,
    claims: int = 1,
) -> dict[Verdict, float]:
    """How often the rule comes to each verdict in companies of some size.

    The numbers of a company are drawn from a normal distribution on their scales: around the means of the pilots, with
    their correlations, and with errors that shrink with the root of the number of customers.

    Args:
        claim: the claim.
        numbers: of the pilots.
        customers: of a company.
        normal: shape (draws, J): standard normal numbers; the same ones for several sizes make a smooth curve.
        centre: shape (J,): the means; those of the pilots when not given.
        claims: as of `decide_drawn`.

    Returns:
        The share of the draws with each verdict.
    """
    factor = np.sqrt(numbers.customers / customers)
    errors = np.sqrt((numbers.errors**2).mean(axis=0))
    middle = numbers.values.mean(axis=0) if centre is None else centre
    drawn = middle + (normal @ root(correlations(numbers)).T) * errors * factor
    counts: Counter[Verdict] = Counter()
    for row in drawn:
        estimates = dict(zip(numbers.keys, zip(row, errors * factor, strict=True), strict=True))
        times = customers / numbers.customers
        verdict = decide_drawn(claim, numbers.model, estimates, times, claims=claims)
        counts[verdict] += 1
    return {verdict: n / len(drawn) for verdict, n in counts.items()}


def correlations(numbers: PilotNumbers) -> Floats:
    """Shape (J, J): correlations of the numbers between companies; of a single number, one."""
    j = len(numbers.keys)
    if j == 1 or len(numbers.values) < 3:
        return np.eye(j)
    apart = numbers.values - numbers.values.mean(axis=0)
    spread = np.sqrt((apart**2).sum(axis=0))
    spread[spread == 0] = 1.0
    result = (apart / spread).T @ (apart / spread)
    np.fill_diagonal(result, 1.0)
    return np.asarray(result)


def root(matrix: Floats) -> Floats:
    """A matrix whose product with its transpose is the given one, the nearest that has one if it has none."""
    values, vectors = np.linalg.eigh(matrix)
    result = vectors * np.sqrt(np.maximum(values, 0.0))
    length = np.sqrt((result**2).sum(axis=1, keepdims=True))
    return np.asarray(result / np.where(length > 0, length, 1.0))


def decide_drawn(
    claim: Claim,
    model: Pilot,
    drawn: Mapping[Key, tuple[float, float]],
    times: float,
    *,
    claims: int = 1,
) -> Verdict:
    """The verdict of the rule on numbers that are drawn.

    Args:
        claim: the claim.
        model: a company that was tried, which tells which analyses there are.
        drawn: each number on its scale, with its error; a number that is not there stays as it is in the model.
        times: how many times as many customers as the model has.
        claims: how many claims are judged together. A verdict must then hold at the error of the study divided by their
            number as well, as with `alone`.
    """
    own = _decided(claim, model, drawn, times, 1)
    if claims == 1 or own not in ("supported", "contradicted"):
        return own
    # p is at most so small where intervals of that level say the same
    return own if _decided(claim, model, drawn, times, claims) == own else "undecided"


def _decided(
    claim: Claim,
    model: Pilot,
    drawn: Mapping[Key, tuple[float, float]],
    times: float,
    claims: int,
) -> Verdict:
    """As `decide_drawn`, all intervals at the error divided by a number of claims."""
    rows = {
        name: _row(claim.reading(name), row, drawn.get((name,)), times, claims)
        for name, row in model.rows.items()
    }
    # that several readings must all hold asks for more than p, which is that of one of them
    joint = joint_readings(claim) if claims == 1 else ()
    for name in joint:
        if name in rows and name not in model.rivals:
            rows[name] = apply_joint_level(rows[name], claim.reading(name), len(joint))
    for name, (case, tried) in model.rivals.items():
        redrawn = tuple(_rival(case, name, rival, drawn, times, claims) for rival in tried)
        if open_rivals(case, redrawn, rows[name], joint=max(len(joint), 1)):
            rows[name] = replace(rows[name], verdict="undecided")
        else:
            rows[name] = apply_joint_level(rows[name], case.reading, len(joint))
    return apply_requirements(claim.primary, rows).verdict


def _row(
    reading: AnyReading,
    row: ReadingResult,
    drawn: tuple[float, float] | None,
    times: float,
    claims: int,
) -> ReadingResult:
    if row.estimate is None or drawn is None or reading.region is None:
        return row
    number = _estimate(row.estimate, drawn, times, claims)
    decision = decide_reading(
        number,
        reading.claimed_region,
        withheld="",
        why_not_contradicted=reading.why_not_contradicted,
    )
    return replace(row, estimate=number, verdict=decision.verdict, p=None)


def _rival(
    case: Case,
    name: str,
    rival: TriedRival,
    drawn: Mapping[Key, tuple[float, float]],
    times: float,
    claims: int,
) -> TriedRival:
    outcomes = tuple(
        _outcome(case, outcome, drawn.get((name, rival.explanation.id, str(i))), times, claims)
        for i, outcome in enumerate(rival.outcomes)
    )
    exits = case.facts.other_exits * times
    if exits < MIN_OTHER_EXITS and any(o.analysis.is_control for o in outcomes):
        # too few exits for a control in a company that is smaller than the model
        result = replace(rival.result, status="cannot be tested")
        return replace(rival, outcomes=outcomes, result=result)
    return replace(rival, outcomes=outcomes)


def _outcome(
    case: Case, outcome: Outcome, drawn: tuple[float, float] | None, times: float, claims: int
) -> Outcome:
    e, unit = outcome.row.estimate, outcome.row.unit
    if e is None or unit is None or drawn is None:
        return outcome
    reading = outcome.analysis.reading
    region = (reading if reading.region else case.reading).claimed_region
    number = _estimate(e, drawn, times, claims)
    decision = decide_reading(number, region, withheld="", why_not_contradicted="")
    verdict = decision.verdict
    if outcome.analysis.is_control:
        verdict = decide_control(number, unit.null_value)
    row = replace(outcome.row, estimate=number, verdict=verdict)
    return Outcome(outcome.analysis, row, decision, is_outside(number.value, region))


_quantile = lru_cache(quantile)  # one after the other for thousands of draws


def _estimate(
    model: Estimate, drawn: tuple[float, float], times: float, claims: int = 1
) -> Estimate:
    """The number that was drawn, with an interval like that of the model at its error divided by a number of claims."""
    scale = scale_of(model)
    back = SCALES[scale][1]
    middle, se = drawn
    df = max(1, round(model.df * times)) if model.df else 0
    level = 1 - (1 - model.level) / claims
    half = _quantile(level, df) * se
    return replace(
        model,
        level=level,
        value=back(middle),
        low=back(middle - half),
        high=back(middle + half),
        se=se,
        scale=scale,
        df=df,
    )


def interval_verdicts(
    claim: Claim,
    numbers: PilotNumbers,
    at: int,
    customers: int,
    centre: float,
    normal: Floats,
) -> dict[str, float]:
    """How often the interval of one number by itself comes to each verdict.

    Args:
        claim: whose primary region it is held against.
        numbers: of the pilots.
        at: position of the number.
        customers: of a company.
        centre: where the number lies, on its scale.
        normal: shape (draws,): standard normal numbers.
    """
    model = numbers.model.rows[claim.primary.id].estimate
    assert model is not None  # the number of the primary reading is among those of the pilots
    error = float(np.sqrt((numbers.errors[:, at] ** 2).mean() * numbers.customers / customers))
    counts: Counter[str] = Counter()
    for z in normal:
        drawn = (centre + float(z) * error, error)
        number = _estimate(model, drawn, customers / numbers.customers)
        counts[decide(number, claim.primary.claimed_region).verdict] += 1
    return {verdict: n / len(normal) for verdict, n in counts.items()}
