"""Weights under which comparators have as much of each level as the exposed: entropy balancing within cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RIDGE = 1e-3  # keeps log odds finite; a level stays off balance by this share per unit of them
_STEPS, _HALVINGS = 100, 30


def balance(x: Array, members: Array, size: Array, wanted: Array) -> Array:
    """The log odds at which comparators have as much of each level as the exposed.

    They are the maximum of Σ γ'x over the exposed less Σ size log(Σ members exp(γ'x)) over cells, less a small penalty.

    Args:
        x: shape (P, K): levels of each pattern.
        members: shape (C, P): comparators.
        size: shape (C,): exposed customers.
        wanted: shape (P,): exposed customers by pattern.

    Returns:
        Shape (K,).
    """
    used = size > 0
    members, size = members[used], size[used]
    target, gamma = wanted @ x, np.zeros(x.shape[1])

    def objective(at: Array) -> float:
        eta = x @ at
        top = float(eta.max(initial=0.0))
        total = members @ np.exp(eta - top)
        if not (total > 0).all():
            return -np.inf
        penalty = 0.5 * RIDGE * size.sum() * (at @ at)
        return float(target @ at - size @ (np.log(total) + top) - penalty)

    here = objective(gamma)
    for _ in range(_STEPS if len(gamma) else 0):
        odds = odds_of(x, gamma)
        share = size[:, None] * (members * odds) / (members @ odds)[:, None]
        score = target - share.sum(axis=0) @ x - RIDGE * size.sum() * gamma
        move = np.linalg.solve(curvature(x, share, size), score)
        change = float(np.abs(move).max())
        if change < 1e-6:  # Newton doubles the digits
            return np.asarray(gamma + move)
        for _ in range(_HALVINGS):
            new = objective(gamma + move)
            if new >= here - 1e-12 * abs(here):
                break
            move = move / 2
        gamma, here = gamma + move, new
    return gamma


def odds_of(x: Array, log_odds: Array) -> Array:
    """Shape (P,): of each pattern, up to a factor that all share."""
    eta = x @ log_odds
    return np.asarray(np.exp(eta - eta.max(initial=0.0)))


def curvature(x: Array, share: Array, size: Array) -> Array:
    """How what comparators have of each level moves with the log odds, with the penalty; shape (K, K)."""
    mean = share @ x / np.where(size > 0, size, 1.0)[:, None]
    within = x.T @ (share.sum(axis=0)[:, None] * x) - mean.T @ (size[:, None] * mean)
    return np.asarray(within + RIDGE * max(float(size.sum()), 1.0) * np.eye(x.shape[1]))
