"""Cox's partial likelihood at K coefficient vectors at once: its logarithm, score and information.

References:
    Efron (1977), JASA 72, 557-565; Andersen & Gill (1982), Annals of Statistics 10, 1100-1120.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cxresearch.estimators.risk_sets import Array, Customers
from cxresearch.estimators.ties import tie_sums

Ties = Literal["efron", "breslow"]


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums over customers, of K fits with R rows and p terms; those of disjoint customers add up.

    Attributes:
        risk: shape (K, R, 1 + p): Σ r and Σ r x over the risk set, r relative hazards.
        event: shape (K, R, 1 + p): the same over the events.
        events: shape (K, R): how many.
        x: shape (K, p): Σ x over all events.
        eta: shape (K,): Σ log r over all events.
    """

    risk: Array
    event: Array
    events: Array
    x: Array
    eta: Array

    def less(self, part: Sums) -> Sums:
        """Without some of the customers, at the same coefficients; a K of 1 stands for any."""
        return Sums(
            self.risk - part.risk,
            self.event - part.event,
            self.events - part.events,
            self.x - part.x,
            self.eta - part.eta,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """Of K fits with p terms.

    Attributes:
        loglik: shape (K,): logarithm of the partial likelihood.
        score: shape (K, p): its slope.
        information: shape (K, p, p): less its curvature.
    """

    loglik: Array
    score: Array
    information: NDArray[np.float64]


def sums(x: Array, customers: Customers, beta: Array) -> Sums:
    """Sums over customers.

    Args:
        x: shape (P, p): covariates of each pattern.
        customers: who is at risk and who leaves.
        beta: shape (K, p), or (1, p) for all of them.
    """
    r, eta = _hazards(x, beta)
    weights = np.concatenate([r[..., None], r[..., None] * x], axis=2)
    risk, gone = customers.at_risk(weights), customers.events_by_pattern()
    events = np.broadcast_to(customers.events_by_row(), risk.shape[:2])
    return Sums(risk, customers.leaving(weights), events, gone @ x, (gone * eta).sum(axis=1))


def score(s: Sums, ties: Ties) -> tuple[Array, Array]:
    """Logarithm of the partial likelihood, shape (K,), and score, shape (K, p)."""
    return _score(s, _over_ties(s, ties))


def likelihood(x: Array, customers: Customers, ties: Ties, beta: Array) -> Likelihood:
    """Logarithm, score and information of the partial likelihood.

    Args:
        x: shape (P, p): covariates of each pattern.
        customers: who is at risk and who leaves, in each of K fits or in all of them.
        ties: Efron's or Breslow's method.
        beta: shape (K, p).
    """
    s = sums(x, customers, beta)
    over = _over_ties(s, ties)
    loglik, slope = _score(s, over)
    weight = _hazards(x, beta)[0] * customers.by_pattern(over.A, over.B)
    return Likelihood(loglik, slope, (x.T * weight[:, None]) @ x - _products(s, over))


@dataclass(frozen=True, slots=True, eq=False)
class _OverTies:
    """The sums of `tie_sums`, shape (K, R) each, zero where nobody leaves, and the rows at which several leave."""

    L: Array
    A: Array
    B: Array
    C: Array
    D: Array
    E: Array
    tied: NDArray[np.intp]


def _hazards(x: Array, beta: Array) -> tuple[Array, Array]:
    """Relative hazards, of which the largest is 1, and their logarithms; shape (K, P)."""
    eta = beta @ x.T
    eta -= eta.max(axis=1, keepdims=True, initial=-np.inf) if len(x) else 0.0
    return np.exp(eta), eta


def _over_ties(s: Sums, ties: Ties) -> _OverTies:
    here = s.events > 0
    d, S, Q = s.events[here], s.risk[..., 0][here], s.event[..., 0][here]
    L, A, B, C, D, E = np.zeros((6, *here.shape))
    if ties == "breslow":
        L[here], A[here], C[here] = d * np.log(S), d / S, d / S**2
        return _OverTies(L, A, B, C, D, E, np.empty(0, np.intp))
    for into, values in zip((L, A, B, C, D, E), tie_sums(S, Q, d.astype(np.int64)), strict=True):
        into[here] = values
    return _OverTies(L, A, B, C, D, E, np.flatnonzero((s.events > 1).any(axis=0)))


def _score(s: Sums, over: _OverTies) -> tuple[Array, Array]:
    rows = over.tied  # elsewhere B is zero
    slope = over.A[:, None] @ s.risk[..., 1:] - over.B[:, None, rows] @ s.event[:, rows, 1:]
    return s.eta - over.L.sum(axis=1), s.x - slope[:, 0]


def _products(s: Sums, over: _OverTies) -> NDArray[np.float64]:
    """What the information has less than Σ A · Σ r x xᵀ over those at risk and B likewise; shape (K, p, p)."""
    rows, S1 = over.tied, s.risk[..., 1:]
    Q1 = s.event[:, rows, 1:]
    cross = (S1[:, rows] * over.D[:, rows, None]).swapaxes(1, 2) @ Q1
    within = (Q1 * over.E[:, rows, None]).swapaxes(1, 2) @ Q1
    return np.asarray((S1 * over.C[..., None]).swapaxes(1, 2) @ S1 - cross - cross.swapaxes(1, 2) + within)
