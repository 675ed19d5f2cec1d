"""How probable it is that a claim is decided rightly, by the number of customers, with all rivals required."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.decide import Region
from cxresearch.claims.evaluate import Progress, choose
from cxresearch.claims.family import count_family
from cxresearch.claims.kept_plans import KeptPlan, KeptPlans
from cxresearch.claims.rivals.analyses import Outcome
from cxresearch.claims.rivals.outcomes import finite
from cxresearch.claims.schema import Claim
from cxresearch.claims.tables import TableStore
from cxresearch.claims.testability import missing_requirements, required_columns
from cxresearch.claims.trial import compute_readings
from cxresearch.engines import Engine
from cxresearch.errors import ArgumentError, NotTestable
from cxresearch.estimators.intervals import SCALES
from cxresearch.planning.effects import effect_of, moments_of
from cxresearch.planning.pilots import Floats, Key, PilotNumbers, run_pilots, simulated_study, take
from cxresearch.planning.rates import calibrated, rates_of
from cxresearch.planning.results import Plan, PowerPoint
from cxresearch.planning.rule import correlations, draw_verdicts, interval_verdicts
from cxresearch.records.records import Records, read_records, study_of
from cxresearch.study import Study
from cxresearch.utils.checks import (
    arguments,
    fraction,
    list_of_numbers,
    optional,
    text,
    whole_number,
)

DRAWS, DRAWS_AGAIN, AGAIN = 1_000, 100, 16  # of a point; of it for its limits, and how often
PARTS = (0.25, 0.5, 1.0, 2.0)  # of the customers that are needed, on the curve
FACTORS = (1.0, 4.0, 16.0, 64.0)  # of the study's customers, where not even the most are enough
SMALLEST, LARGEST = 1_000, 3_000  # customers of a simulated company
_STEPS = (
    6  # of the search for the size that is needed, between one that is not enough and twice as many
)


@dataclass(frozen=True, slots=True)
class _Way:
    """One curve: what is true, what is right then, and how long the log is."""

    truth: float
    right: str
    days: int


def power(
    study: Study | Records,
    claim: str,
    *,
    truths: Sequence[float] | None = None,
    customers: Sequence[int] | None = None,
    days: Sequence[int] | None = None,
    wanted: float = 0.8,
    companies: int = 16,
    pilot_customers: int | None = None,
    seed: int = 0,
    engine: Engine | str = "polars",
    keep: bool = True,
    progress: Progress | None = None,
) -> Plan:
    """How many customers would decide a claim, for how long, with all rival explanations that it must survive.

    Companies are simulated by the study's own rates of contacts, bad moments, segments, departures and length of
    follow-up, with an effect planted in them, and the claim is tried on each. From their numbers, errors and how these
    go together follows how probable each verdict is in a company of any size: numbers are drawn and go through the same
    rule. Where the study's verdicts allow for the number of claims, so does the probability: the verdict must hold at
    the error of the study divided by the size of the family, as with `alone`. That is the most that Holm's method can
    ask for.

    Args:
        study: a study with contracts, or its records.
        claim: id.
        truths: numbers that may be true, such as hazard ratios; when not given, the smallest effect that matters, and
            the study's own number where that lies in the region of the claim beyond it.
        customers: sizes to look at; when not given, the study's own, the one that is needed, and a quarter, half and
            twice as many.
        days: lengths of the log; that of the study when not given.
        wanted: the probability that is wanted.
        companies: how many are simulated for each truth and length.
        pilot_customers: customers of each; those of the study, between 1,000 and 3,000, when not given.
        seed: of the first company.
        engine: where the tables are read; ignored for records.
        keep: keep the result in the study's state folder, so that "undecided" quotes it.
        progress: called with a line before each step.

    Raises:
        ClaimError: an unknown id.
        NotTestable: no company can be simulated in which the claim is true; there are contracts missing; too few.
        ArgumentError: an argument of the wrong type.
        StudyError, SourceError, DataError, RuleError: as `read_records`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(), 1500, seed=1).study()
        >>> plan = cx.power(study, "household-contagion", truths=[2.0], companies=4, pilot_customers=1000)
        >>> plan.points[-1].probability > 0.9
        True
    """
    text("claim", claim)
    fraction("wanted", wanted)
    whole_number("companies", companies, 3)
    arguments(seed=seed, engine=engine, keep=keep)
    optional(truths=truths, pilot_customers=pilot_customers, progress=progress)
    for name, given in (("customers", customers), ("days", days)):
        if given is not None:
            list_of_numbers(name, given)
    say = progress or (lambda _: None)
    (chosen,) = choose(claims_of(study_of(study).claims), [claim])
    effect = effect_of(chosen)
    records, claims = _read(study, chosen, engine)
    settings = records.study
    rates = rates_of(records)
    lacks = missing_requirements(chosen, settings, records.available)
    own_value, own_error = (math.nan, math.nan) if lacks else _own_number(records, chosen)
    region = chosen.primary.claimed_region
    wanted_truths = _truths(chosen, region, own_value) if truths is None else _given(truths)
    sizes = [whole_number("customers", n, 1) for n in customers or ()]
    lengths = [whole_number("days", d, 30) for d in days] if days else [rates.days]
    size = (
        min(max(rates.customers, SMALLEST), LARGEST)
        if pilot_customers is None
        else whole_number("pilot_customers", pilot_customers, 100)
    )
    points: list[PowerPoint] = []
    needed: list[int] = []
    simulated_error = math.nan
    for length in lengths:
        without = rates.world(length)
        moments = moments_of(simulated_study(settings, without, size, seed + 20_000), chosen)
        for truth in wanted_truths:
            right = "supported" if _is_inside(truth, region) else "contradicted"
            way = _Way(truth, right, length)
            world = effect.planted(without, truth ** (1 / moments))
            world = calibrated(world, rates.defection, seed + 10_000)
            say(f"{claim}, truth {chosen.primary.unit.text(truth)}, {length} days")
            numbers = run_pilots(
                settings,
                chosen,
                world,
                customers=size,
                seeds=range(seed, seed + companies),
                progress=say,
            )
            if numbers is None:
                raise NotTestable(
                    "too_few",
                    f"companies of {size:,} customers in which the number can be computed",
                )
            at = numbers.keys.index((chosen.primary.id,))
            target = SCALES[numbers.scales[at]][0](truth) if effect.is_exact else None
            curve = _Curve(chosen, numbers, way, target, seed, claims)
            # multiples of the study's own number would give it away to a page, where it is rounded
            own = _two_digits(rates.customers)
            enough = curve.needed(wanted, own)
            needed.append(enough)
            parts = PARTS if enough > 0 else FACTORS
            base = enough if enough > 0 else own
            near = {rates.customers, *(max(1, round(f * base)) for f in parts)}
            points += [curve.point(n) for n in sorted(set(sizes) or near)]
            if length == rates.days and math.isnan(simulated_error):
                mean = math.sqrt(float((numbers.errors[:, at] ** 2).mean()))
                simulated_error = mean * math.sqrt(size / rates.customers)
    plan = Plan(
        study=settings.name,
        claim=chosen.id,
        statement=chosen.statement,
        unit=chosen.primary.unit,
        customers=rates.customers,
        days=rates.days,
        wanted=wanted,
        companies=companies,
        claims=claims,
        seed=seed,
        lacks="; ".join(lacks.values()),
        needed=tuple(needed),
        points=tuple(points),
        se_study=own_error,
        se_simulated=simulated_error,
        min_cell=settings.info.min_cell,
    )
    if keep and not records.restricted_to:
        _keep(records, chosen, plan)
    return plan


class _Curve:
    """The probability of the right verdict by the number of customers, each with its limits."""

    def __init__(
        self,
        claim: Claim,
        numbers: PilotNumbers,
        way: _Way,
        target: float | None,
        seed: int,
        claims: int,
    ) -> None:
        rng = np.random.default_rng([seed, 1])
        self._claim, self._numbers, self._way, self._target = claim, numbers, way, target
        self._claims = claims
        self._normal = rng.standard_normal((DRAWS, len(numbers.keys)))
        again = [rng.integers(0, len(numbers.values), len(numbers.values)) for _ in range(AGAIN)]
        self._resampled = [take(numbers, chosen) for chosen in again]
        self._centre = centre_of(numbers, claim, target)

    def probability(self, customers: int, claims: int | None = None) -> float:
        """Of the right verdict, by the whole rule; of the headline, when no other number of claims is given."""
        return self._share(
            self._numbers, customers, self._normal, self._centre, claims or self._claims
        )

    def point(self, customers: int) -> PowerPoint:
        """The probability with its limits."""
        probability = self.probability(customers)
        normal = self._normal[:DRAWS_AGAIN]
        others = [
            self._share(
                other,
                customers,
                normal,
                centre_of(other, self._claim, self._target),
                self._claims,
            )
            for other in self._resampled
        ]
        # all use the same draws, so that they differ by their companies alone
        spread = float(np.var(others, ddof=1)) + probability * (1 - probability) / DRAWS
        error = math.sqrt(spread)
        at = self._numbers.keys.index((self._claim.primary.id,))
        alone = interval_verdicts(
            self._claim,
            self._numbers,
            at,
            customers,
            float(self._centre[at]),
            self._normal[:, at],
        )
        events = float(self._numbers.events.mean()) / self._numbers.customers
        return PowerPoint(
            truth=self._way.truth,
            right=self._way.right,
            days=self._way.days,
            customers=customers,
            events=round(events * customers),
            probability=probability,
            low=max(0.0, probability - 1.96 * error),
            high=min(1.0, probability + 1.96 * error),
            probability_alone=self.probability(customers, 1),
            by_interval=alone.get(self._way.right, 0.0),
        )

    def needed(self, wanted: float, customers: int) -> int:
        """How many customers give the wanted probability, to two digits; -1 where even the most do not.

        Args:
            wanted: the probability.
            customers: of the study; from a sixteenth to 64 times as many are looked at.
        """
        enough = max(customers // 16, 50)
        while self.probability(enough) < wanted:
            enough *= 2
            if enough > 64 * customers:
                return -1
        low, high = math.log(enough / 2), math.log(enough)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if self.probability(round(math.exp(middle))) < wanted:
                low = middle
            else:
                high = middle
        return _two_digits(round(math.exp(high)))

    def _share(
        self,
        numbers: PilotNumbers,
        customers: int,
        normal: Floats,
        centre: Floats,
        claims: int,
    ) -> float:
        shares = draw_verdicts(self._claim, numbers, customers, normal, centre, claims=claims)
        return next((p for verdict, p in shares.items() if verdict == self._way.right), 0.0)


def _two_digits(count: int) -> int:
    return round(count, -max(len(str(count)) - 2, 0))


def centre_of(numbers: PilotNumbers, claim: Claim, target: float | None) -> Floats:
    """Shape (J,): where the numbers lie on their scales in companies without end.

    Where the number of the claim is known to be the one that was planted, what the pilots missed it by is taken off the
    others as well, as far as they go together with it: a few pilots then tell as much as many. Negative controls show
    no difference there, since nothing but defection is planted.

    Args:
        numbers: of the pilots.
        claim: the claim.
        target: the number that was planted, on its scale; None where the claim's number is not that.
    """
    mean = numbers.values.mean(axis=0)
    is_control, nulls = controls_of(numbers, claim)
    if target is None:
        return np.where(is_control, nulls, mean)
    at = numbers.keys.index((claim.primary.id,))
    errors = np.sqrt((numbers.errors**2).mean(axis=0))
    slopes = correlations(numbers)[at] * errors / errors[at]
    return np.where(is_control, nulls, mean + slopes * (target - mean[at]))


def controls_of(numbers: PilotNumbers, claim: Claim) -> tuple[NDArray[np.bool_], Floats]:
    """Which numbers are negative controls, and where these lie if they show no difference.

    Args:
        numbers: of the pilots.
        claim: the claim.

    Returns:
        Shape (J,) each; the second is 0 where the number is no control.
    """
    required = {r.reading for r in claim.primary.requires if r.negative_control}
    outcomes: dict[Key, Outcome] = {
        (name, tried.explanation.id, str(i)): outcome
        for name, (_, rivals) in numbers.model.rivals.items()
        for tried in rivals
        for i, outcome in enumerate(tried.outcomes)
    }
    is_control = [
        key[0] in required if len(key) == 1 else outcomes[key].analysis.is_control
        for key in numbers.keys
    ]
    nulls = [
        SCALES[scale][0](claim.primary.unit.null_value) if control else 0.0
        for scale, control in zip(numbers.scales, is_control, strict=True)
    ]
    return np.array(is_control), np.array(nulls)


def _read(study: Study | Records, claim: Claim, engine: Engine | str) -> tuple[Records, int]:
    """The records, and how many claims the verdict on one of them allows for."""
    known, settings = claims_of(study_of(study).claims), study_of(study)
    allows = settings.decision.multiplicity != "none"
    if not isinstance(study, Records):
        columns = required_columns(known if allows else [claim])
        study = read_records(study, engine, required_columns=columns)
    # at worst the methods of Holm, and of Benjamini and Hochberg, ask for the error divided by their number
    return study, count_family(known, settings, study.available).size if allows else 1


def _own_number(records: Records, claim: Claim) -> tuple[float, float]:
    """The study's own number and its standard error; NaN where there is none."""
    context = EvaluationContext(TableStore(records, keep=False))
    _, rows = compute_readings(context, claim, [claim.primary])
    e = rows[claim.primary.id].estimate
    return (finite(e, "value") or math.nan, finite(e, "se") or math.nan)


def _truths(claim: Claim, region: Region, own: float) -> list[float]:
    """The smallest effect that matters, and the study's own number where that is larger."""
    least = region.effect
    if math.isnan(least):
        least = claim.primary.alternative if claim.primary.alternative is not None else math.nan
    result = [] if math.isnan(least) else [least]
    beyond = own > least if region.is_upward else own < least
    if math.isfinite(own) and (math.isnan(least) or beyond):
        result.append(round(own, 2))
    if not result:
        raise ArgumentError("truths", None, f"given: {claim.id} declares no number to plan for")
    return result


def _given(truths: Sequence[float]) -> list[float]:
    arguments(edges=truths)
    if not truths or not all(math.isfinite(t) and t > 0 for t in truths):
        raise ArgumentError("truths", truths, "a list of numbers above 0, such as [1.1, 1.5]")
    return [float(t) for t in truths]


def _is_inside(truth: float, region: Region) -> bool:
    return region.low < truth < region.high


def _keep(records: Records, claim: Claim, plan: Plan) -> None:
    """So that a trial that stays open can quote it."""
    cache = TableStore(records).cache
    first = plan.groups[0][0]
    kept = KeptPlan(
        customers=plan.needed[0],
        most=max(p.customers for p in plan.groups[0]),
        truth=first.truth,
        days=first.days,
        wanted=plan.wanted,
        claims=plan.claims,
    )
    KeptPlans(cache, records.study).keep(claim, kept)
