"""Whether a moment's effect fades by more than selection: the early leaving of those who leave easily.

Soon after a bad moment customers leave at a higher rate than long after it. That happens even where the effect never
changes, because those who leave easily have gone by then. So the ratio of the two hazards is held against the ratio in
a world where customers differ in frailty and the effect is constant, fitted to the same customers.

The world is fitted with an effect of its own in the recent days, which is then taken away. A world fitted without one
takes much of a true fading for frailty: in simulations a true ratio of 3 came out as 1.7, a true 1.5 as 1.2. A verdict
would then find effects short of the smallest that matters which are not. Where nothing fades, both give 1.

What is assumed, and cannot be seen in the data: frailty is gamma-distributed and acts on the hazard as a factor;
moments come to customers whatever their frailty; after the recent days the effect is constant. The variance of frailty
is known only from how the effect fades after the recent days, hence poorly. An effect that goes on to fade slowly looks
like frailty and is taken for it: the ratio errs towards 1. How much selection can explain is limited by the effect
itself: without an effect there is none, whatever the variance.

References:
    Vaupel, Manton & Stallard (1979), Demography 16, 439-454; Elbers & Ridder (1982), True and spurious duration
    dependence: the identifiability of the proportional hazard model, Review of Economic Studies 49, 403-409; Abbring &
    van den Berg (2003), The nonparametric identification of treatment effects in duration models, Econometrica 71,
    1491-1517.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, log

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import optimize

from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.cox import contrast, cox
from cxresearch.estimators.estimates import estimate
from cxresearch.estimators.frailty import Ages, Fitted, World, cells_of
from cxresearch.estimators.jackknife import enough_groups, jackknife
from cxresearch.estimators.results import Estimate, Result, Vector
from cxresearch.estimators.risk_sets import Array
from cxresearch.html_tables import html_table
from cxresearch.risk.table import Feature, RiskTable

_BAND = re.compile(r"(\d+)(?:-(\d+)|\+)")
_RECENT = "recent age"  # the feature that is compared
_FARTHEST = 30.0  # a log hazard ratio beyond any


@dataclass(frozen=True, slots=True, repr=False)
class Fading(Result):
    """The hazard soon after a moment against later, and what of it selection does not explain.

    Attributes:
        beyond: observed over implied: a ratio of hazard ratios; 1 if the effect is constant.
        observed: hazard at recent ages against older ones, by a Cox model stratified in time.
        implied: what that model would give in the fitted world if the effect were constant.
        theta: variance of frailty in that world, from 0 to 10.
        beta: its log hazard ratio of a moment, after the recent days.
        gamma: what its log hazard ratio has more in the recent days, for one and the same customer.
        events: departures at recent and older ages.
        recent: the last recent day.
        older: the last day of the older ages.
    """

    beyond: Estimate
    observed: Estimate
    implied: float
    theta: float
    beta: float
    gamma: float
    events: int
    recent: int
    older: int

    def __repr__(self) -> str:
        return f"Fading({self.beyond}: observed {self.observed.value:.3g}, by selection {self.implied:.3g})"

    def _repr_html_(self) -> str:
        parts = (("observed", self.observed), ("beyond selection", self.beyond))
        first, last = ((name, *(f"{v:.2f}" for v in (e.value, e.low, e.high))) for name, e in parts)
        heads = ("hazard ratio", "estimate", f"{self.beyond.level:.0%} from", "to")
        caption = f"Up to {self.recent} days after a moment against {self.recent + 1} to {self.older}"
        notes = (
            f"{self.events:,} departures.",
            f"Selection: a variance of frailty of {self.theta:.2f}, a lasting hazard ratio of {np.exp(self.beta):.2f}.",
        )
        return html_table(caption, heads, [first, ("by selection alone", f"{self.implied:.2f}", "–", "–"), last], notes)


def beyond_selection(
    table: RiskTable,
    age: str,
    *,
    recent: int = 30,
    older: int = 180,
    among: Mapping[str, Sequence[str]] | None = None,
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
    groups: int = 100,
) -> Fading:
    """The ratio of the hazard soon after a moment to that later on, over the ratio that selection alone would give.

    Args:
        table: a risk table on the tenure clock, with customers seen from their start.
        age: feature of the age of the moment, as `histories.age_of_last` makes it, with ages as fine as can be: its
            first level is no moment so far, bands such as ``0-7`` or ``366+`` are ages in days, others are left out.
        recent: the last recent day; a band must end there.
        older: recent ages are compared with those from there to this day; a band must end there, too. Ages beyond
            help to fit the world.
        among: levels by feature that are looked at, such as at most one bad moment; they must hold the time before the
            moment.
        strata: features with a baseline hazard each, in the comparison and in the world. What changes along a customer,
            such as contact intensity, cannot be held equal: selection needs its past, which a table does not hold.
        cause: the event; other causes leave the risk set.
        level: confidence level.
        groups: most groups of the delete-a-group jackknife, which goes over the comparison and the world alike.

    Returns:
        The ratio, its limits symmetric on the log scale. They do not say how far customers may be from a gamma
        distribution.

    Raises:
        NotTestable: nobody at risk before the moment, at recent ages or at older ones, no departures there, or too few
            for a jackknife.
        EstimationError: an unknown feature, level or cause, another clock, ages without such a band, recent and older
            ages that are never at risk at the same time.
    """
    if table.clock != "tenure":
        raise EstimationError(f"selection builds up over tenure: the table must be on that clock, was on {table.clock}")
    kinds = _kinds(table.feature(age), recent, older)
    used = table.where(**(among or {}))
    near = _near(used, age, kinds, strata)
    if near.events(cause) == 0 or near.flows[_RECENT].n_unique() < 2:
        raise NotTestable(f"departures and customers at risk up to {recent} and {recent + 1} to {older} days after it")
    near = enough_groups(near, cause, groups)
    fit = cox(near, [_RECENT], strata=strata, cause=cause, level=level, groups=near.groups)
    observed = contrast(fit, {f"{_RECENT}[1]": 1})
    cells = cells_of(used.coarsen(near.groups), age, kinds.ages, tuple(strata), cause)
    days, events = cells.exposure.sum(axis=0), cells.events.sum(axis=0)
    if days[..., 0].sum() == 0:
        raise NotTestable("customers at risk before such a moment")
    world = World.of(cells, kinds.ages, recent)
    top = world.fit(days, events)

    def by_selection(at: Fitted, exposure: Array) -> float:
        return _limit(exposure, world.expected(replace(at, gamma=0.0), exposure), kinds)

    def without(g: int) -> Vector:
        less = days - cells.exposure[g]
        part = world.fit(less, events - cells.events[g], top)
        return np.array([float(fit.replicates[g, 0]) - by_selection(part, less)])

    implied = by_selection(top, days)
    value = log(observed.value) - implied
    found = jackknife(np.array([value]), without, near.groups)
    beyond = estimate(float(np.exp(value)), float(found.se[0]), scale="log", level=level, groups=found.groups)
    return Fading(beyond, observed, float(np.exp(implied)), top.theta, top.beta, top.gamma, fit.events, recent, older)


@dataclass(frozen=True, slots=True, eq=False)
class _Kinds:
    """The ages of a feature, and which of them are compared; shape (J,) each."""

    ages: Ages
    recent: NDArray[np.bool_]
    older: NDArray[np.bool_]


def _kinds(feature: Feature, recent: int, older: int) -> _Kinds:
    bands = {i: found for i, name in enumerate(feature.levels) if (found := _BAND.fullmatch(name))}
    if 0 in bands:
        raise EstimationError(f"the first level of {feature.name} must be no moment so far, was {feature.levels[0]!r}")
    low = np.array([0.0, *(float(b[1]) for b in bands.values())])
    high = np.array([0.0, *(float(b[2] or inf) for b in bands.values())])
    for day in (recent, older):
        if day not in high[1:]:
            raise EstimationError(
                f"{feature.name} needs an age that ends at {day} days; it has: {', '.join(feature.levels)}"
            )
    if recent >= older:
        raise EstimationError(f"recent days end before the older ones: {recent} is not below {older}")
    ages = Ages(np.array([0, *bands], dtype=np.int64), low, high)
    after = np.arange(len(low)) > 0
    return _Kinds(ages, after & (high <= recent), after & (low > recent) & (high <= older))


def _near(table: RiskTable, age: str, kinds: _Kinds, strata: Sequence[str]) -> RiskTable:
    """The time at recent and older ages, with one feature that tells them apart."""
    flows = table.flows.filter(pl.col(age).is_in(kinds.ages.levels[kinds.recent | kinds.older].tolist()))
    soon = pl.col(age).is_in(kinds.ages.levels[kinds.recent].tolist()).cast(pl.Int64)
    features = (*(table.feature(s) for s in strata), Feature(_RECENT, ("0", "1")))
    return replace(table, flows=flows.with_columns(soon.alias(_RECENT)), features=features).only(_RECENT, *strata)


def _limit(exposure: Array, expected: Array, kinds: _Kinds) -> float:
    """The log hazard ratio at which a Cox model would end, stratified in time, if events were as expected."""
    a, b = exposure[..., kinds.recent].sum(axis=-1), exposure[..., kinds.older].sum(axis=-1)
    both = (a > 0) & (b > 0)
    soon, late = expected[..., kinds.recent].sum(axis=-1)[both], expected[..., kinds.older].sum(axis=-1)[both]
    odds = a[both] / b[both]

    def score(x: float) -> float:
        with_x = odds * np.exp(x)
        return float((soon - (soon + late) * with_x / (1 + with_x)).sum())

    return float(optimize.brentq(score, -_FARTHEST, _FARTHEST))
