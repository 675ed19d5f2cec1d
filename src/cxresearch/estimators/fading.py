"""Whether the effect of a moment fades by more than selection by frailty would give."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, log, prod

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import optimize

from cxresearch.checks import arguments, instance, optional
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.cox import contrast, cox
from cxresearch.estimators.design import layout
from cxresearch.estimators.intervals import FEW
from cxresearch.estimators.jackknife import enough_groups, jackknife
from cxresearch.estimators.results import Estimate, Result, Vector, estimate
from cxresearch.estimators.risk_sets import Array
from cxresearch.html_tables import html_table
from cxresearch.risk.table import Feature, RiskTable

_STEPS, _HALVINGS = 200, 30
_SPANS = 200  # of tenure, in which those at risk are taken together
_PIECES = 20  # of the baseline, at most
_LARGEST = 10.0  # a variance of frailty beyond any met with: the least inclined half would hardly ever leave
_FAR = 5.0  # a log hazard ratio no one will observe
_ENOUGH = (
    1e-8  # a step that promises less, in log likelihood, moves nothing by a thousandth of its error
)


@dataclass(frozen=True, slots=True, eq=False)
class Ages:
    """The levels of an age that the model looks at; the first one is no moment so far.

    Attributes:
        levels: shape (J,): positions among the feature's levels.
        low: shape (J,): least age in days.
        high: shape (J,): greatest age; infinite for a band without an end.
    """

    levels: NDArray[np.int64]
    low: Array
    high: Array


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Customer-days at risk and events by group, stratum, span of tenure and age.

    Attributes:
        exposure: shape (G, S, I, J).
        events: shape (G, S, I, J).
        edges: shape (I + 1,): the spans are (edge, next edge].
    """

    exposure: Array
    events: Array
    edges: NDArray[np.int64]


def cells_of(table: RiskTable, age: str, ages: Ages, strata: tuple[str, ...], cause: str) -> Cells:
    """Sum a table on the tenure clock, with groups 0, 1, …, into cells.

    Args:
        table: with somebody at risk.
        age: feature of the age of the moment.
        ages: its levels that count.
        strata: features with a baseline each.
        cause: the event.
    """
    names = table.feature(age).levels
    laid = layout(table.where(**{age: [names[i] for i in ages.levels]}), [age], strata)
    flows, time = laid.flows, laid.flows["time"].to_numpy().astype(np.int64)
    last = int(time.max())
    edges = np.unique(np.linspace(0, last, min(last, _SPANS) + 1).round().astype(np.int64))
    place_of = np.zeros(len(names), np.int64)
    place_of[ages.levels] = np.arange(len(ages.levels))
    level = place_of[laid.patterns[age].to_numpy()][laid.pattern]
    shape = (table.groups, laid.strata.height, len(edges), len(ages.levels))
    span = np.searchsorted(
        edges, time
    )  # 0: there from the beginning; else the span that ends with this edge
    group = flows["group"].to_numpy().astype(np.int64)
    place = ((group * shape[1] + laid.stratum) * shape[2] + span) * shape[3] + level

    def summed(weight: Array) -> Array:
        return np.bincount(place, weight, prod(shape)).astype(np.float64).reshape(shape)

    net = (
        flows.select(pl.col("entered").cast(pl.Int64) - pl.col("left"))
        .to_series()
        .to_numpy()
        .astype(np.float64)
    )
    before = np.cumsum(summed(net), axis=2)[:, :, :-1]
    exposure = before * np.diff(edges)[:, None] + summed(net * (edges[span] - time))[:, :, 1:]
    return Cells(exposure, summed(flows[cause].to_numpy().astype(np.float64))[:, :, 1:], edges)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Parameters of a world.

    Attributes:
        rates: shape (S, K): log baseline hazard per day, by stratum and piece of tenure.
        beta: log hazard ratio of a moment.
        gamma: what the log hazard ratio has more in the recent days.
        theta: variance of frailty.
        loglik: Poisson log likelihood, without constants.
    """

    rates: Array
    beta: float
    gamma: float
    theta: float
    loglik: float

    @property
    def vector(self) -> Array:
        """All parameters in a row: log rates, beta, gamma, theta."""
        return np.concatenate([self.rates.ravel(), [self.beta, self.gamma, self.theta]])


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What is known of a world before its parameters: K pieces of tenure, I spans, J ages.

    Attributes:
        piece: shape (I,): the piece that a span lies in.
        now: shape (I, J, K): days of each piece up to the middle of a span.
        came: shape (I, J, K): the same up to the moment; as `now` where there was none.
        past: shape (I, J, K): the same up to the end of the recent days.
        after: shape (J,): 1 for ages, 0 where no moment has come.
        recent: shape (J,): 1 for recent ages.
    """

    piece: NDArray[np.int64]
    now: Array
    came: Array
    past: Array
    after: Array
    recent: Array

    @classmethod
    def of(cls, cells: Cells, ages: Ages, recent: int) -> World:
        """Lay out the tenure of some cells, in pieces of about as many events each.

        Args:
            cells: with events.
            ages: of the cells; moments are taken to have come in the middle of the ages possible at that tenure.
            recent: how many days after a moment are recent; the end of one of the ages.
        """
        events = cells.events.sum(axis=(0, 1, 3))
        upto, strata = np.cumsum(events), cells.events.shape[1]
        most = int(np.clip(upto[-1] // (FEW * strata), 1, _PIECES))
        share = np.minimum((upto - events) * most // upto[-1], most - 1)
        _, starts, piece = np.unique(share, return_index=True, return_inverse=True)
        low = cells.edges[starts].astype(np.float64)
        high = np.append(low[1:], cells.edges[-1])
        now = np.broadcast_to(
            (cells.edges[1:] + cells.edges[:-1])[:, None] / 2, (len(piece), len(ages.low))
        )
        age = (ages.low + np.clip(now, ages.low, ages.high)) / 2
        after = np.arange(len(ages.low)) > 0
        came = np.where(after, np.maximum(now - age, 0.0), now)

        def days(upto: Array) -> Array:
            return np.clip(upto[..., None] - low, 0.0, high - low)

        soon = after & (ages.high <= recent)
        return cls(
            piece,
            days(now),
            days(came),
            days(np.minimum(came + recent, now)),
            after.astype(np.float64),
            soon.astype(np.float64),
        )

    def expected(self, at: Fitted, exposure: Array) -> Array:
        """Expected events, shape (S, I, J), for exposure of this shape."""
        return self._expected(at.vector, exposure)[0]

    def fit(self, exposure: Array, events: Array, start: Fitted | None = None) -> Fitted:
        """The parameters under which these events were most likely; θ from 0 to 10.

        Args:
            exposure: shape (S, I, J).
            events: shape (S, I, J).
            start: parameters nearby, if known.
        """
        if start is not None:
            return self._climb(exposure, events, start.vector)
        days, exits = (
            np.array([np.bincount(self.piece, part.sum(axis=1)) for part in each])
            for each in (exposure, events)
        )
        rates = np.log(np.maximum(exits, 0.5) / np.maximum(days, 1.0)).ravel()
        tops = (
            self._climb(exposure, events, np.concatenate([rates, [0.0, 0.0, theta]]))
            for theta in (0.1, 2.0)
        )
        return max(tops, key=lambda top: top.loglik)

    def _expected(self, p: Array, exposure: Array) -> tuple[Array, Array]:
        """Expected events and the slopes of their logarithms, shape (S, I, J, K + 3)."""
        rates, (beta, gamma, theta) = np.exp(p[:-3].reshape(len(exposure), -1)), p[-3:]
        soon, late = (
            np.exp(beta + gamma) * (self.past - self.came),
            np.exp(beta) * (self.now - self.past),
        )
        days = self.came + soon + late
        own = np.exp(self.after * beta + self.recent * gamma)
        k = rates.shape[1]
        expected, slopes = np.empty(exposure.shape), np.zeros((*exposure.shape, k + 3))
        for rate, n, e, slope in zip(rates, exposure, expected, slopes, strict=True):
            spent = days @ rate
            kept = 1 / (1 + theta * spent)
            e[:] = n * rate[self.piece][:, None] * own * kept
            slope[np.arange(len(self.piece)), :, self.piece] = 1
            slope[..., :k] -= theta * kept[..., None] * days * rate
            slope[..., k] = self.after - theta * kept * ((soon + late) @ rate)
            slope[..., k + 1] = self.recent - theta * kept * (soon @ rate)
            slope[..., k + 2] = -kept * spent
        return expected, slopes

    def _climb(self, exposure: Array, events: Array, p: Array) -> Fitted:
        """Fisher's scoring within bounds, with step halving."""
        strata, size = len(exposure), len(p)
        k = (size - 3) // strata
        low = np.concatenate([np.full(size - 3, -30.0), [-_FAR, -_FAR, 0.0]])
        high = np.concatenate([np.full(size - 3, _FAR), [_FAR, _FAR, _LARGEST]])
        seen = events > 0
        expected, slopes = self._expected(p, exposure)
        loglik = _poisson(events[seen], expected[seen], expected.sum())
        for _ in range(_STEPS):
            score, information = np.zeros(size), np.zeros((size, size))
            for s in range(strata):
                at = np.r_[s * k : (s + 1) * k, size - 3 : size]
                slope, e = slopes[s].reshape(-1, k + 3), expected[s].ravel()
                score[at] += slope.T @ (events[s].ravel() - e)
                information[np.ix_(at, at)] += (slope * e[:, None]).T @ slope
            free = np.flatnonzero(~((p <= low) & (score < 0)) & ~((p >= high) & (score > 0)))
            # where the moment does nothing, nothing tells θ: the ridge keeps it where it is
            scale = np.sqrt(np.maximum(np.diag(information)[free], 1e-12))
            scaled = information[np.ix_(free, free)] / np.outer(scale, scale) + 1e-9 * np.eye(
                len(free)
            )
            step = np.zeros(size)
            step[free] = np.linalg.solve(scaled, score[free] / scale) / scale
            if score @ step < _ENOUGH:
                break
            for _ in range(_HALVINGS):
                near = np.clip(p + step, low, high)
                expected, slopes = self._expected(near, exposure)
                result = _poisson(events[seen], expected[seen], expected.sum())
                if result >= loglik - 1e-12 * abs(loglik):
                    break
                step = step / 2
            p, loglik = near, result
        beta, gamma, theta = p[-3:].tolist()
        return Fitted(p[:-3].reshape(strata, -1), beta, gamma, theta, loglik)


def _poisson(events: Array, expected: Array, total: float) -> float:
    return float(events @ np.log(np.maximum(expected, 1e-300)) - total)


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
        caption = (
            f"Up to {self.recent} days after a moment against {self.recent + 1} to {self.older}"
        )
        notes = (
            f"{self.events:,} departures.",
            f"Selection: a variance of frailty of {self.theta:.2f}, a lasting hazard ratio of {np.exp(self.beta):.2f}.",
        )
        return html_table(
            caption,
            heads,
            [first, ("by selection alone", f"{self.implied:.2f}", "–", "–"), last],
            notes,
        )


def beyond_selection(
    table: RiskTable,
    age: str,
    *,
    recent: int = 30,
    older: int = 180,
    subset: Mapping[str, Sequence[str]] | None = None,
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
        subset: levels by feature that are looked at, such as at most one bad moment; they must hold the time before the
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
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(
        age=age, recent=recent, older=older, strata=strata, cause=cause, level=level, groups=groups
    )
    optional(subset=subset)
    if table.clock != "tenure":
        raise EstimationError(
            f"selection builds up over tenure: the table must be on that clock, was on {table.clock}"
        )
    kinds = _kinds(table.feature(age), recent, older)
    used = table.where(**(subset or {}))
    near = _near(used, age, kinds, strata)
    if near.events(cause) == 0 or near.flows[_RECENT].n_unique() < 2:
        raise NotTestable(
            "nobody_at_risk",
            f"departures and customers at risk up to {recent} and {recent + 1} to {older} days after it",
        )
    near = enough_groups(near, cause, groups)
    fit = cox(near, [_RECENT], strata=strata, cause=cause, level=level, groups=near.groups)
    observed = contrast(fit, {f"{_RECENT}[1]": 1})
    cells = cells_of(used.coarsen(near.groups), age, kinds.ages, tuple(strata), cause)
    days, events = cells.exposure.sum(axis=0), cells.events.sum(axis=0)
    if days[..., 0].sum() == 0:
        raise NotTestable("nobody_at_risk", "customers at risk before such a moment")
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
    result = jackknife(np.array([value]), without, near.groups)
    beyond = estimate(
        float(np.exp(value)), float(result.se[0]), scale="log", level=level, groups=result.groups
    )
    return Fading(
        beyond,
        observed,
        float(np.exp(implied)),
        top.theta,
        top.beta,
        top.gamma,
        fit.events,
        recent,
        older,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Kinds:
    """The ages of a feature, and which of them are compared; shape (J,) each."""

    ages: Ages
    recent: NDArray[np.bool_]
    older: NDArray[np.bool_]


def _kinds(feature: Feature, recent: int, older: int) -> _Kinds:
    bands = {
        i: result for i, name in enumerate(feature.levels) if (result := _BAND.fullmatch(name))
    }
    if 0 in bands:
        raise EstimationError(
            f"the first level of {feature.name} must be no moment so far, was {feature.levels[0]!r}"
        )
    low = np.array([0.0, *(float(b[1]) for b in bands.values())])
    high = np.array([0.0, *(float(b[2] or inf) for b in bands.values())])
    for day in (recent, older):
        if day not in high[1:]:
            raise EstimationError(
                f"{feature.name} needs an age that ends at {day} days; it has: {', '.join(feature.levels)}"
            )
    if recent >= older:
        raise EstimationError(
            f"recent days end before the older ones: {recent} is not below {older}"
        )
    ages = Ages(np.array([0, *bands], dtype=np.int64), low, high)
    after = np.arange(len(low)) > 0
    return _Kinds(ages, after & (high <= recent), after & (low > recent) & (high <= older))


def _near(table: RiskTable, age: str, kinds: _Kinds, strata: Sequence[str]) -> RiskTable:
    """The time at recent and older ages, with one feature that tells them apart."""
    flows = table.flows.filter(
        pl.col(age).is_in(kinds.ages.levels[kinds.recent | kinds.older].tolist())
    )
    soon = pl.col(age).is_in(kinds.ages.levels[kinds.recent].tolist()).cast(pl.Int64)
    features = (*(table.feature(s) for s in strata), Feature(_RECENT, ("0", "1")))
    return replace(table, flows=flows.with_columns(soon.alias(_RECENT)), features=features).only(
        _RECENT, *strata
    )


def _limit(exposure: Array, expected: Array, kinds: _Kinds) -> float:
    """The log hazard ratio at which a Cox model would end, stratified in time, if events were as expected."""
    a, b = exposure[..., kinds.recent].sum(axis=-1), exposure[..., kinds.older].sum(axis=-1)
    both = (a > 0) & (b > 0)
    soon, late = (
        expected[..., kinds.recent].sum(axis=-1)[both],
        expected[..., kinds.older].sum(axis=-1)[both],
    )
    odds = a[both] / b[both]

    def score(x: float) -> float:
        with_x = odds * np.exp(x)
        return float((soon - (soon + late) * with_x / (1 + with_x)).sum())

    return float(optimize.brentq(score, -_FARTHEST, _FARTHEST))
