"""Whether the effect of a moment fades by more than selection by frailty would give."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.disclosure.counts import MIN_CELL, about
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.cox import cox
from cxresearch.estimators.fading_cells import AgeCells, Ages, cells_of
from cxresearch.estimators.influence import robust_error
from cxresearch.estimators.intervals import FEW
from cxresearch.estimators.results import Estimate, Result, estimate
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import Feature, RiskTable
from cxresearch.utils.checks import arguments, instance, optional
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY

_STEPS, _HALVINGS = 200, 30
_PIECES = 20  # of the baseline, at most
_LARGEST = 10.0  # a variance of frailty beyond any met with: the least inclined half would hardly ever leave
_FAR = 5.0  # a log hazard ratio no one will observe
_ENOUGH = (
    1e-12  # a step that promises less, in log likelihood, moves nothing by a millionth of its error
)
_STEP = 1e-5  # of numerical derivatives


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fitted:
    """Parameters of a frailty model.

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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FrailtyModel:
    """A model of leaving with frailty, before its parameters: K pieces of tenure, I spans, J ages.

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
    def of(cls, cells: AgeCells, ages: Ages, recent: int) -> FrailtyModel:
        """Lay out the tenure of some cells, in pieces of about as many events each.

        Args:
            cells: with events.
            ages: of the cells; moments are taken to have come in the middle of the ages possible at that tenure.
            recent: how many days after a moment are recent; the end of one of the ages.
        """
        events = cells.events.sum(axis=(0, 2))
        upto, strata = np.cumsum(events), len(cells.events)
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
            piece=piece,
            now=days(now),
            came=days(came),
            past=days(np.minimum(came + recent, now)),
            after=after.astype(np.float64),
            recent=soon.astype(np.float64),
        )

    def expected(self, at: Fitted, exposure: Array) -> Array:
        """Expected events, shape (S, I, J), for exposure of this shape."""
        return self._expected(at.vector, exposure)[0]

    def fit(self, exposure: Array, events: Array) -> Fitted:
        """The parameters under which these events were most likely; θ from 0 to 10.

        Args:
            exposure: shape (S, I, J).
            events: shape (S, I, J).
        """
        days, exits = (
            np.array([np.bincount(self.piece, part.sum(axis=1)) for part in each])
            for each in (exposure, events)
        )
        rates = np.log(np.maximum(exits, 0.5) / np.maximum(days, 1.0)).ravel()
        maxima = (
            self._maximise(exposure, events, np.concatenate([rates, [0.0, 0.0, theta]]))
            for theta in (0.1, 2.0)
        )
        return max(maxima, key=lambda fitted: fitted.loglik)

    def _expected(self, p: Array, exposure: Array) -> tuple[Array, Array]:
        """Expected events and the slopes of their logarithms, shape (S, I, J, K + 3)."""
        rates, (beta, gamma, theta) = np.exp(p[:-3].reshape(len(exposure), -1)), p[-3:]
        soon, late = (
            np.exp(beta + gamma) * (self.past - self.came),
            np.exp(beta) * (self.now - self.past),
        )
        days = self.came + soon + late
        ratio = np.exp(self.after * beta + self.recent * gamma)
        k = rates.shape[1]
        expected, slopes = np.empty(exposure.shape), np.zeros((*exposure.shape, k + 3))
        for rate, n, e, slope in zip(rates, exposure, expected, slopes, strict=True):
            spent = days @ rate
            kept = 1 / (1 + theta * spent)
            e[:] = n * rate[self.piece][:, None] * ratio * kept
            slope[np.arange(len(self.piece)), :, self.piece] = 1
            slope[..., :k] -= theta * kept[..., None] * days * rate
            slope[..., k] = self.after - theta * kept * ((soon + late) @ rate)
            slope[..., k + 1] = self.recent - theta * kept * (soon @ rate)
            slope[..., k + 2] = -kept * spent
        return expected, slopes

    def _maximise(self, exposure: Array, events: Array, p: Array) -> Fitted:
        """Fisher's scoring within bounds, with step halving."""
        strata, size = len(exposure), len(p)
        k = (size - 3) // strata
        low, high = _bounds(size)
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
            # where the moment does nothing, θ is not identified: the ridge keeps it where it is
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
        return Fitted(
            rates=p[:-3].reshape(strata, -1), beta=beta, gamma=gamma, theta=theta, loglik=loglik
        )

    def slope(self, exposure: Array, events: Array, p: Array) -> Array:
        """The score of parameters, shape (size,)."""
        expected, slopes = self._expected(p, exposure)
        k = (len(p) - 3) // len(exposure)
        result = np.zeros(len(p))
        for s, (e, n, slope) in enumerate(zip(expected, events, slopes, strict=True)):
            at = np.r_[s * k : (s + 1) * k, len(p) - 3 : len(p)]
            result[at] += slope.reshape(-1, k + 3).T @ (n - e).ravel()
        return result

    def along(self, exposure: Array, p: Array, direction: Array) -> tuple[Array, Array]:
        """Expected events per customer-day, and the slope of their logarithms along a direction; shape (S, I, J)."""
        ones = np.ones_like(exposure)
        rate, slopes = self._expected(p, ones)
        k = (len(p) - 3) // len(exposure)
        by = [
            slope @ direction[np.r_[s * k : (s + 1) * k, len(p) - 3 : len(p)]]
            for s, slope in enumerate(slopes)
        ]
        return rate, np.stack(by)


def _bounds(size: int) -> tuple[Array, Array]:
    low = np.concatenate([np.full(size - 3, -30.0), [-_FAR, -_FAR, 0.0]])
    return low, np.concatenate([np.full(size - 3, _FAR), [_FAR, _FAR, _LARGEST]])


def _poisson(events: Array, expected: Array, total: float) -> float:
    return float(events @ np.log(np.maximum(expected, 1e-300)) - total)


_BAND = re.compile(r"(\d+)(?:-(\d+)|\+)")
_RECENT = "recent age"  # the feature that is compared
_FARTHEST = 30.0  # a log hazard ratio beyond any


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Fading(Result):
    """The hazard soon after a moment against later, and what of it selection does not explain.

    Attributes:
        beyond: observed over implied: a ratio of hazard ratios; 1 if the effect is constant.
        observed: hazard at recent ages against older ones, by a Cox model stratified in time.
        implied: what that model would give in the fitted frailty model if the effect were constant.
        theta: variance of frailty in that model, from 0 to 10.
        beta: its log hazard ratio of a moment, after the recent days.
        gamma: what its log hazard ratio has more in the recent days, for one and the same customer.
        events: departures at recent and older ages.
        recent: the last recent day.
        older: the last day of the older ages.
        min_cell: the smallest count that may be shown of it, set by the study.
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
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

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
            f"{about(self.events, self.min_cell).capitalize()} departures.",
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
) -> Fading:
    """The ratio of the hazard soon after a moment to that later on, over the ratio that selection alone would give.

    Args:
        table: a risk table on the tenure clock, with customers seen from their start.
        age: feature of the age of the moment, as `histories.age_of_last` makes it, with ages as fine as can be: its
            first level is no moment so far, bands such as ``0-7`` or ``366+`` are ages in days, others are left out.
        recent: the last recent day; a band must end there.
        older: recent ages are compared with those from there to this day; a band must end there, too. Ages beyond
            help to fit the frailty model.
        subset: levels by feature that are looked at, such as at most one bad moment; they must hold the time before the
            moment.
        strata: features with a baseline hazard each, in the comparison and in the model. What changes along a customer,
            such as contact intensity, cannot be held equal: selection needs its past, which a table does not hold.
        cause: the event; other causes leave the risk set.
        level: confidence level.

    Returns:
        The ratio, its limits symmetric on the log scale, by what each cluster moves in the comparison and in the model.
        They do not say how far customers may be from a gamma
        distribution.

    Raises:
        NotTestable: nobody at risk before the moment, at recent ages or at older ones, no departures there, or those of
            one customer.
        EstimationError: an unknown feature, level or cause, another clock, ages without such a band, recent and older
            ages that are never at risk at the same time.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, age=cx.histories.age_of_last("bad", (30, 180)), observed_from_start=True)
        >>> cx.estimators.beyond_selection(table, "age")
        Fading(0.986 (0.674 to 1.44): observed 1.1, by selection 1.12)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(age=age, recent=recent, older=older, strata=strata, cause=cause, level=level)
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
    fit = cox(near, [_RECENT], strata=strata, cause=cause, level=level)
    observed = contrast(fit, {f"{_RECENT}[1]": 1})
    cells = cells_of(used, age, kinds.ages, tuple(strata), cause)
    if cells.exposure[..., 0].sum() == 0:
        raise NotTestable("nobody_at_risk", "customers at risk before such a moment")
    frailty = FrailtyModel.of(cells, kinds.ages, recent)
    top = frailty.fit(cells.exposure, cells.events)
    implied = _by_selection(frailty, top.vector, cells.exposure, kinds)
    influence = fit.influence[:, 0] - _implied_influence(frailty, top.vector, cells, kinds)
    beyond = estimate(
        observed.value / float(np.exp(implied)),
        float(robust_error(influence)),
        scale="log",
        level=level,
        clusters=fit.clusters,
    )
    return Fading(
        beyond=beyond,
        observed=observed,
        implied=float(np.exp(implied)),
        theta=top.theta,
        beta=top.beta,
        gamma=top.gamma,
        events=fit.events,
        recent=recent,
        older=older,
        min_cell=table.min_cell,
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
    """The time at recent and older ages, with one feature that distinguishes them."""
    flows = table.flows.filter(
        pl.col(age).is_in(kinds.ages.levels[kinds.recent | kinds.older].tolist())
    )
    soon = pl.col(age).is_in(kinds.ages.levels[kinds.recent].tolist()).cast(pl.Int64)
    features = (*(table.feature(s) for s in strata), Feature(_RECENT, ("0", "1")))
    return replace(table, flows=flows.with_columns(soon.alias(_RECENT)), features=features).only(
        _RECENT, *strata
    )


def _by_selection(frailty: FrailtyModel, p: Array, exposure: Array, kinds: _Kinds) -> float:
    """The log hazard ratio that selection alone gives: the comparison in a frailty model whose effect is constant."""
    constant = p.copy()
    constant[-2] = 0.0
    return _limit(
        exposure, frailty.along(exposure, constant, np.zeros_like(p))[0] * exposure, kinds
    )


def _implied_influence(frailty: FrailtyModel, p: Array, cells: AgeCells, kinds: _Kinds) -> Array:
    """How much each cluster moves what selection gives: by the parameters, and by who is at risk; shape (G,)."""
    exposure, size = cells.exposure, len(p)
    low, high = _bounds(size)
    score = frailty.slope(exposure, cells.events, p)
    free = np.flatnonzero(~((p <= low) & (score < 0)) & ~((p >= high) & (score > 0)))
    curvature, moves = np.zeros((size, size)), np.zeros(size)
    for i in free:
        step = np.zeros(size)
        step[i] = _STEP * max(1.0, abs(p[i]))
        near, far = p + step, p - step
        up, down = (frailty.slope(exposure, cells.events, q) for q in (near, far))
        curvature[i] = (down - up) / (2 * step[i])
        up_to, down_to = (_by_selection(frailty, q, exposure, kinds) for q in (near, far))
        moves[i] = (up_to - down_to) / (2 * step[i])
    direction = np.zeros(size)
    part = curvature[np.ix_(free, free)]
    scale = np.sqrt(np.maximum(np.abs(np.diag(part)), 1e-12))
    scaled = (part + part.T) / 2 / np.outer(scale, scale) + 1e-9 * np.eye(len(free))
    direction[free] = np.linalg.solve(scaled, moves[free] / scale) / scale
    rate, along = frailty.along(exposure, p, direction)
    by_exposure = _limit_slopes(frailty, p, exposure, kinds)
    return cells.flows.summed(by_exposure - rate * along, along, np.diff(cells.edges))


def _limit_slopes(frailty: FrailtyModel, p: Array, exposure: Array, kinds: _Kinds) -> Array:
    """By how much what selection gives moves with a customer-day more in each cell; shape (S, I, J)."""
    constant = p.copy()
    constant[-2] = 0.0
    rate = frailty.along(exposure, constant, np.zeros_like(p))[0]
    x = _limit(exposure, rate * exposure, kinds)
    a, b = (exposure[..., k].sum(axis=-1) for k in (kinds.recent, kinds.older))
    soon, late = ((rate * exposure)[..., k].sum(axis=-1) for k in (kinds.recent, kinds.older))
    both = (a > 0) & (b > 0)
    odds = np.where(both, a / np.where(b > 0, b, 1.0) * np.exp(x), 0.0)
    share, curve = odds / (1 + odds), odds / (1 + odds) ** 2
    every = np.where(both, soon + late, 0.0)
    slopes = np.zeros_like(exposure)
    for k, direct, size, sign in (
        (kinds.recent, 1 - share, a, -1.0),
        (kinds.older, -share, b, 1.0),
    ):
        indirect = sign * every * curve / np.where(size > 0, size, 1.0)
        slopes[..., k] = np.where(
            both[..., None], rate[..., k] * direct[..., None] + indirect[..., None], 0.0
        )
    return slopes / max(float((every * curve).sum()), 1e-300)


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

    from scipy import optimize  # takes a quarter of a second to import

    return float(optimize.brentq(score, -_FARTHEST, _FARTHEST, xtol=1e-13))
