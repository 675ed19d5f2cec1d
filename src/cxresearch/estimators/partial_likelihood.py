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
    found = _parts(s, ties)
    return found.loglik, found.score


def likelihood(x: Array, customers: Customers, ties: Ties, beta: Array) -> Likelihood:
    """Logarithm, score and information of the partial likelihood.

    Args:
        x: shape (P, p): covariates of each pattern.
        customers: who is at risk and who leaves, in each of K fits or in all of them.
        ties: Efron's or Breslow's method.
        beta: shape (K, p).
    """
    found = _parts(sums(x, customers, beta), ties)
    weight = _hazards(x, beta)[0] * customers.by_pattern(found.risk, found.event)
    return Likelihood(found.loglik, found.score, (x.T * weight[:, None]) @ x - found.products)


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What there is at K coefficient vectors.

    Attributes:
        loglik: shape (K,).
        score: shape (K, p).
        risk: shape (K, R): what each customer at risk adds to the information.
        event: shape (K, R): what each who leaves takes from it.
        products: shape (K, p, p): what is taken off in the end.
    """

    loglik: Array
    score: Array
    risk: Array
    event: Array
    products: NDArray[np.float64]


def _hazards(x: Array, beta: Array) -> tuple[Array, Array]:
    """Relative hazards, of which the largest is 1, and their logarithms; shape (K, P)."""
    eta = beta @ x.T
    eta -= eta.max(axis=1, keepdims=True, initial=-np.inf) if len(x) else 0.0
    return np.exp(eta), eta


def _parts(s: Sums, ties: Ties) -> _Parts:
    here = s.events > 0
    S0, S1, Q0, Q1 = s.risk[..., 0], s.risk[..., 1:], s.event[..., 0], s.event[..., 1:]
    d = s.events[here]
    L, A, B, C, D, E = np.zeros((6, *here.shape))
    if ties == "breslow":
        A[here], L[here] = d / S0[here], d * np.log(S0[here])
        C[here] = d / S0[here] ** 2
    else:
        for into, found in zip((L, A, B, C, D, E), tie_sums(S0[here], Q0[here], d.astype(np.int64)), strict=True):
            into[here] = found
    slope = (A[:, None] @ S1 - B[:, None] @ Q1)[:, 0]
    cross = (S1 * D[..., None]).swapaxes(1, 2) @ Q1
    products = (
        (S1 * C[..., None]).swapaxes(1, 2) @ S1 - cross - cross.swapaxes(1, 2) + (Q1 * E[..., None]).swapaxes(1, 2) @ Q1
    )
    return _Parts(s.eta - L.sum(axis=1), s.x - slope, A, B, products)
