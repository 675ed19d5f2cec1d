"""A world in which customers differ in how easily they leave, and a moment changes that for good.

A customer of frailty Z leaves at the hazard Z·λ(t), and at e^β times that once a moment has come. Z has a gamma
distribution with mean 1 and variance θ. Those who leave easily leave first, so the hazard of those who are still there
is λ(t) / (1 + θ·H) before and λ(t)·e^β / (1 + θ·H) after a moment, H being what a customer of Z = 1 has been exposed to
so far: Λ(t) without a moment, Λ(u) + e^β·(Λ(t) - Λ(u)) with one at u. After a moment that drives customers away H grows
faster, so their hazard nears that of the others: a constant effect seems to fade.

For as many days as are called recent the effect may be another one, e^(β + γ). With γ = 0 the effect is constant.

References:
    Vaupel, Manton & Stallard (1979), The impact of heterogeneity in individual frailty on the dynamics of mortality,
    Demography 16, 439-454; Holford (1980), Biometrics 36, 299-305.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.estimators.design import layout
from cxresearch.estimators.intervals import FEW
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable

_STEPS, _HALVINGS = 200, 30
_SPANS = 200  # of tenure, in which those at risk are taken together
_PIECES = 20  # of the baseline, at most
_LARGEST = 10.0  # a variance of frailty beyond any met with: the least inclined half would hardly ever leave
_FAR = 5.0  # a log hazard ratio no one will observe
_ENOUGH = 1e-8  # a step that promises less, in log likelihood, moves nothing by a thousandth of its error


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
    span = np.searchsorted(edges, time)  # 0: there from the beginning; else the span that ends with this edge
    group = flows["group"].to_numpy().astype(np.int64)
    place = ((group * shape[1] + laid.stratum) * shape[2] + span) * shape[3] + level

    def summed(weight: Array) -> Array:
        return np.bincount(place, weight, prod(shape)).astype(np.float64).reshape(shape)

    net = flows.select(pl.col("entered").cast(pl.Int64) - pl.col("left")).to_series().to_numpy().astype(np.float64)
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
        now = np.broadcast_to((cells.edges[1:] + cells.edges[:-1])[:, None] / 2, (len(piece), len(ages.low)))
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
            np.array([np.bincount(self.piece, part.sum(axis=1)) for part in each]) for each in (exposure, events)
        )
        rates = np.log(np.maximum(exits, 0.5) / np.maximum(days, 1.0)).ravel()
        tops = (self._climb(exposure, events, np.concatenate([rates, [0.0, 0.0, theta]])) for theta in (0.1, 2.0))
        return max(tops, key=lambda top: top.loglik)

    def _expected(self, p: Array, exposure: Array) -> tuple[Array, Array]:
        """Expected events and the slopes of their logarithms, shape (S, I, J, K + 3)."""
        rates, (beta, gamma, theta) = np.exp(p[:-3].reshape(len(exposure), -1)), p[-3:]
        soon, late = np.exp(beta + gamma) * (self.past - self.came), np.exp(beta) * (self.now - self.past)
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
            scaled = information[np.ix_(free, free)] / np.outer(scale, scale) + 1e-9 * np.eye(len(free))
            step = np.zeros(size)
            step[free] = np.linalg.solve(scaled, score[free] / scale) / scale
            if score @ step < _ENOUGH:
                break
            for _ in range(_HALVINGS):
                near = np.clip(p + step, low, high)
                expected, slopes = self._expected(near, exposure)
                found = _poisson(events[seen], expected[seen], expected.sum())
                if found >= loglik - 1e-12 * abs(loglik):
                    break
                step = step / 2
            p, loglik = near, found
        beta, gamma, theta = p[-3:].tolist()
        return Fitted(p[:-3].reshape(strata, -1), beta, gamma, theta, loglik)


def _poisson(events: Array, expected: Array, total: float) -> float:
    return float(events @ np.log(np.maximum(expected, 1e-300)) - total)
