"""The maximum of Cox's partial likelihood, or of Firth's where it has none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxresearch.estimators.partial_likelihood import Likelihood, Ties, likelihood
from cxresearch.estimators.risk_sets import Array, Customers

DIVERGED = 12.0  # a log hazard ratio no one will observe: the likelihood is climbing a slope without a top
_STEPS, _HALVINGS = 50, 30
_FAR = 5.0  # no step changes a log hazard ratio by more: weights could become zero, and a top be leapt over


@dataclass(frozen=True, slots=True, eq=False)
class Top:
    """Where a likelihood is largest.

    Attributes:
        beta: shape (p,).
        information: shape (p, p).
        loglik: of the partial likelihood, without a penalty.
        penalised: whether Firth's penalty was used.
    """

    beta: Array
    information: NDArray[np.float64]
    loglik: float
    penalised: bool


def reach(x: Array, beta: Array) -> Array:
    """The largest log hazard ratio that coefficients make; of shape (K, p), each for itself."""
    return np.asarray(np.abs(beta @ x.T).max(axis=-1, initial=0.0))


def solve(information: NDArray[np.float64], score: Array) -> Array:
    """Newton steps, shape (K, p); none along directions of which the data say nothing."""
    return np.asarray((np.linalg.pinv(information, rcond=1e-12, hermitian=True) @ score[..., None])[..., 0])


def maximise(x: Array, customers: Customers, ties: Ties, start: Array) -> Top:
    """The maximum; with Firth's penalty where there is none.

    Args:
        x: shape (P, p): covariates of each pattern.
        customers: who is at risk and who leaves.
        ties: Efron's or Breslow's method.
        start: shape (p,).
    """
    found = climb(x, customers, ties, start)
    return firth(x, customers, ties) if found is None else found


def climb(x: Array, customers: Customers, ties: Ties, start: Array) -> Top | None:
    """Newton with step halving; args as `maximise`, None where the likelihood has no maximum."""
    beta = start.copy()
    here = likelihood(x, customers, ties, beta[None])
    for _ in range(_STEPS):
        step = solve(here.information, here.score)[0]
        step = step * min(1.0, _FAR / max(float(reach(x, step)), _FAR))
        for _ in range(_HALVINGS):
            new = likelihood(x, customers, ties, (beta + step)[None])
            if np.isfinite(new.loglik[0]) and new.loglik[0] >= here.loglik[0] - 1e-12 * abs(here.loglik[0]):
                break
            step = step / 2
        beta, here = beta + step, new
        spread = float(np.abs(step).max())
        if reach(x, beta) > DIVERGED and spread > 0.1:
            return None
        if spread < 1e-4:  # Newton doubles the digits: one step more leaves less than 1e-13
            last = solve(here.information, here.score)[0]
            loglik = float(here.loglik[0] + 0.5 * here.score[0] @ last)
            return Top(beta + last, here.information[0], loglik, penalised=False)
    return None


def firth(x: Array, customers: Customers, ties: Ties, start: Array | None = None) -> Top:
    """Maximise loglik + log|information| / 2; the penalty's slope by central differences.

    References:
        Heinze & Schemper (2001), Biometrics 57, 114-119.
    """
    p = x.shape[1]
    beta = np.zeros(p) if start is None else start.copy()
    h = 1e-4 * np.eye(p)
    here = likelihood(x, customers, ties, beta[None])
    for _ in range(200):
        around = _penalty(likelihood(x, customers, ties, np.concatenate([beta + h, beta - h])))
        slope = (around[:p] - around[p:]) / 2e-4
        step = np.clip(solve(here.information, here.score + slope)[0], -1.0, 1.0)
        current = here.loglik[0] + _penalty(here)[0]
        for _ in range(_HALVINGS):
            new = likelihood(x, customers, ties, (beta + step)[None])
            value = new.loglik[0] + _penalty(new)[0]
            if np.isfinite(value) and value >= current - 1e-10:
                break
            step = step / 2
        beta, here = beta + step, new
        if float(np.abs(step).max()) < 1e-8:
            break
    return Top(beta, here.information[0], float(here.loglik[0]), penalised=True)


def _penalty(found: Likelihood) -> Array:
    return np.asarray(0.5 * np.linalg.slogdet(found.information)[1])
