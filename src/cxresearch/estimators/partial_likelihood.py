"""Cox's partial likelihood with Efron's sums: value, score and information for many vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, polygamma

from cxresearch.estimators.risk_sets import Array, Everyone

Vector = NDArray[np.float64]
_SMALL, _ORDERS, _REST = 64, 7, 2.3e-13  # a share of 1/64 to the seventh power
_DIRECT = 64  # that many terms and fewer are summed one by one
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def tie_sums(S: Vector, Q: Vector, d: NDArray[np.int64]) -> NDArray[np.float64]:
    """L, A, B, C, D and E for each risk set.

    Args:
        S: shape (R,): total weight at risk, at least `Q`.
        Q: shape (R,): weight of the events, positive.
        d: shape (R,): number of events, at least 1.

    Returns:
        Shape (6, R). Relative error below 1e-9.
    """
    out = np.empty((6, len(S)))
    z = S * d / Q
    alone = d == 1
    small = ~alone & (S >= _SMALL * Q) & (d <= len(_powers()[0]))
    direct = ~small & ~alone & (d <= _DIRECT)
    many = ~small & ~alone & ~direct
    closed = many & (z < 8 * d)  # beyond, the closed form loses digits to cancellation
    ways = (
        (alone, _alone),
        (small, _by_series),
        (direct, _directly),
        (closed, _in_closed_form),
        (many & ~closed, _by_quadrature),
    )
    for part, way in ways:
        if part.any():
            out[:, part] = way(S[part], Q[part], d[part].astype(np.float64))
    return out


def _terms(u: NDArray[np.float64], share: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [np.log(u), 1 / u, share / u, 1 / u**2, share / u**2, share**2 / u**2]


def _alone(S: Vector, _Q: Vector, _d: Vector) -> NDArray[np.float64]:
    return np.array(_terms(S, np.zeros_like(S)))


@cache
def _powers() -> NDArray[np.float64]:
    """Σ (l/d)^k over l = 0 … d-1; shape (orders + 2, most d), the first column for d = 1."""
    d = np.arange(1, 4097, dtype=np.float64)
    orders = np.arange(_ORDERS + 2)[:, None]
    return np.asarray(np.cumsum((d - 1) ** orders, axis=1) / d**orders)


def _by_series(S: Vector, Q: Vector, d: Vector) -> NDArray[np.float64]:
    """In powers of Q/S: whoever leaves is a small part of those at risk, nearly always."""
    share = Q / S
    n = min(_ORDERS, 1 + int(np.log(_REST) / np.log(share.max())))
    p = _powers()[: n + 2, d.astype(np.int64) - 1]
    k = np.arange(n)[:, None]
    part = share**k
    once, twice = part / S, (k + 1) * part / S**2
    return np.array(
        [
            d * np.log(S) - (p[1:n] * part[1:] / k[1:]).sum(axis=0),
            (p[:n] * once).sum(axis=0),
            (p[1 : n + 1] * once).sum(axis=0),
            (p[:n] * twice).sum(axis=0),
            (p[1 : n + 1] * twice).sum(axis=0),
            (p[2 : n + 2] * twice).sum(axis=0),
        ]
    )


def _directly(S: Vector, Q: Vector, d: Vector) -> NDArray[np.float64]:
    count = d.astype(np.int64)
    row = np.repeat(np.arange(len(d)), count)
    first = np.cumsum(count) - count
    share = (np.arange(len(row)) - first[row]) / d[row]
    return np.array([np.add.reduceat(t, first) for t in _terms(S[row] - share * Q[row], share)])


def _in_closed_form(S: Vector, Q: Vector, d: Vector) -> NDArray[np.float64]:
    z = np.maximum(S * d / Q, d)
    one = digamma(z + 1) - digamma(z - d + 1)  # Σ 1/(z-l)
    two = polygamma(1, z - d + 1) - polygamma(1, z + 1)  # Σ 1/(z-l)²
    a = d / Q
    return np.array(
        [
            d * np.log(Q / d) + gammaln(z + 1) - gammaln(z - d + 1),
            a * one,
            (z * one - d) / Q,
            a**2 * two,
            a / Q * (z * two - one),
            (d - 2 * z * one + z**2 * two) / Q**2,
        ]
    )


def _by_quadrature(S: Vector, Q: Vector, d: Vector) -> NDArray[np.float64]:
    """Gauss–Legendre on [-1/2, d-1/2], less (f'(d-1/2) - f'(-1/2)) / 24."""
    x = (d[:, None] - 1) / 2 + d[:, None] / 2 * _NODES
    share = x / d[:, None]
    integral = np.array(
        [(t * _WEIGHTS).sum(axis=1) * d / 2 for t in _terms(S[:, None] - share * Q[:, None], share)]
    )
    return integral - (_slopes(S, Q, d, d - 0.5) - _slopes(S, Q, d, np.full_like(d, -0.5))) / 24


def _slopes(S: Vector, Q: Vector, d: Vector, x: Vector) -> NDArray[np.float64]:
    """Derivatives of the six terms with respect to l, at l = x."""
    s, q = x / d, Q / d
    u = S - s * Q
    return np.array(
        [
            -q / u,
            q / u**2,
            1 / (d * u) + s * q / u**2,
            2 * q / u**3,
            1 / (d * u**2) + 2 * s * q / u**3,
            2 * s / (d * u**2) + 2 * s**2 * q / u**3,
        ]
    )


Ties = Literal["efron", "breslow"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
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


def sums(x: Array, customers: Everyone, beta: Array) -> Sums:
    """Sums over customers.

    Args:
        x: shape (P, p): covariates of each pattern.
        customers: who is at risk and who leaves.
        beta: shape (K, p), or (1, p) for all of them.
    """
    r, eta = relative_hazards(x, beta)
    weights = np.concatenate([r[..., None], r[..., None] * x], axis=2)
    risk, gone = customers.at_risk(weights), customers.events_by_pattern
    events = np.broadcast_to(customers.events_by_row, risk.shape[:2])
    return Sums(
        risk=risk,
        event=customers.leaving(weights),
        events=events,
        x=gone @ x,
        eta=(gone * eta).sum(axis=1),
    )


def likelihood(x: Array, customers: Everyone, ties: Ties, beta: Array) -> Likelihood:
    """Logarithm, score and information of the partial likelihood.

    Args:
        x: shape (P, p): covariates of each pattern.
        customers: who is at risk and who leaves, in each of K fits or in all of them.
        ties: Efron's or Breslow's method.
        beta: shape (K, p).
    """
    s = sums(x, customers, beta)
    over = tie_terms(s, ties)
    loglik, slope = _score(s, over)
    return Likelihood(loglik, slope, information(x, customers, beta, s, over))


def information(
    x: Array, customers: Everyone, beta: Array, s: Sums, over: TieTerms
) -> NDArray[np.float64]:
    """Less the curvature of the partial likelihood.

    Args:
        x: shape (P, p): covariates of each pattern.
        customers: who is at risk and who leaves.
        beta: shape (K, p), or (1, p) for all K of `over`.
        s: the sums at `beta`.
        over: the sums over ties; where they are weighted, so is what each row adds.

    Returns:
        Shape (K, p, p).
    """
    weight = relative_hazards(x, beta)[0] * customers.by_pattern(over.A, over.B)
    return np.asarray((x.T * weight[:, None]) @ x - _products(s, over))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TieTerms:
    """The sums of `tie_sums`, shape (K, R) each, zero where nobody leaves, and the rows at which several leave."""

    L: Array
    A: Array
    B: Array
    C: Array
    D: Array
    E: Array
    tied: NDArray[np.intp]

    def weighted(self, weights: Array) -> TieTerms:
        """The terms of each row times its weight; `weights` of shape (K, R)."""
        L, A, B, C, D, E = (
            weights * terms for terms in (self.L, self.A, self.B, self.C, self.D, self.E)
        )
        return TieTerms(L=L, A=A, B=B, C=C, D=D, E=E, tied=self.tied)


def relative_hazards(x: Array, beta: Array) -> tuple[Array, Array]:
    """Relative hazards, of which the largest is 1, and their logarithms; shape (K, P)."""
    eta = beta @ x.T
    eta -= eta.max(axis=1, keepdims=True, initial=-np.inf) if len(x) else 0.0
    return np.exp(eta), eta


def tie_terms(s: Sums, ties: Ties) -> TieTerms:
    """The sums over ties of each risk set."""
    here = s.events > 0
    d, S, Q = s.events[here], s.risk[..., 0][here], s.event[..., 0][here]
    L, A, B, C, D, E = np.zeros((6, *here.shape))
    if ties == "breslow":
        L[here], A[here], C[here] = d * np.log(S), d / S, d / S**2
        return TieTerms(L=L, A=A, B=B, C=C, D=D, E=E, tied=np.empty(0, np.intp))
    for into, values in zip((L, A, B, C, D, E), tie_sums(S, Q, d.astype(np.int64)), strict=True):
        into[here] = values
    return TieTerms(L=L, A=A, B=B, C=C, D=D, E=E, tied=np.flatnonzero((s.events > 1).any(axis=0)))


def _score(s: Sums, over: TieTerms) -> tuple[Array, Array]:
    rows = over.tied  # elsewhere B is zero
    slope = over.A[:, None] @ s.risk[..., 1:] - over.B[:, None, rows] @ s.event[:, rows, 1:]
    return s.eta - over.L.sum(axis=1), s.x - slope[:, 0]


def _products(s: Sums, over: TieTerms) -> NDArray[np.float64]:
    """What is subtracted from Σ A · Σ r x xᵀ (over those at risk) and from its B term in the information; (K, p, p)."""
    rows, S1 = over.tied, s.risk[..., 1:]
    Q1 = s.event[:, rows, 1:]
    cross = (S1[:, rows] * over.D[:, rows, None]).swapaxes(1, 2) @ Q1
    within = (Q1 * over.E[:, rows, None]).swapaxes(1, 2) @ Q1
    return np.asarray(
        (S1 * over.C[..., None]).swapaxes(1, 2) @ S1 - cross - cross.swapaxes(1, 2) + within
    )
