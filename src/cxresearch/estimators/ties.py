"""The six sums of Efron's method, safe for any number of tied events.

With u_l = S - (l/d) Q for l = 0 … d-1, where S is the risk set's weight and Q that of the d events:
L = Σ log u, A = Σ 1/u, B = Σ (l/d)/u, C = Σ 1/u², D = Σ (l/d)/u², E = Σ (l/d)²/u².
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, polygamma

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
    whole = np.array([(t * _WEIGHTS).sum(axis=1) * d / 2 for t in _terms(S[:, None] - share * Q[:, None], share)])
    return whole - (_slopes(S, Q, d, d - 0.5) - _slopes(S, Q, d, np.full_like(d, -0.5))) / 24


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
