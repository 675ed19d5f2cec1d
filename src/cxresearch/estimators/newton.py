"""The maximum of a partial likelihood: Newton's method within bounds, or with Firth's penalty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxresearch.estimators.partial_likelihood import Likelihood, Ties, likelihood
from cxresearch.estimators.risk_sets import Array, Everyone

Bools = NDArray[np.bool_]
_DIVERGED = (
    12.0  # a log hazard ratio that nobody will observe: the likelihood rises without a maximum
)
# the same bound of a column that is only held equal: less than 1e-6, or 1/1000, of its weight is left
_HELD_BOUNDS = (16.0, 8.0)
_MOST_APART = 20.0  # log hazard ratio between two who leave: beyond it, sums over those at risk lose their digits
_FIRTH_TOLERANCE = (
    1e-7  # standard errors from the maximum: the slope of the penalty is known no better
)
_LEAST_SHARE = 1e-3  # of a step, up to the first bound on its way
_MAX_STEPS, _MAX_FIRTH_STEPS, _MAX_HALVINGS = 50, 200, 30
_STEP_LIMIT = 5.0  # change of a log hazard ratio in a step: weights could become zero, and a maximum be passed over


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Maximum:
    """Where a likelihood is largest.

    Attributes:
        beta: shape (p,).
        information: shape (p, p).
        loglik: of the partial likelihood, without a penalty.
        is_penalised: whether Firth's penalty was used.
    """

    beta: Array
    information: NDArray[np.float64]
    loglik: float
    is_penalised: bool


def maximise(
    x: Array, customers: Everyone, ties: Ties, *, start: Array, held: Bools | None = None
) -> Maximum:
    """The maximum; with Firth's penalty where there is none.

    Args:
        x: shape (P, p): covariates of each pattern.
        customers: who is at risk and who leaves.
        ties: Efron's or Breslow's method.
        start: shape (p,).
        held: shape (p,): columns that are only held equal; none if left out. One that grows without end, as that of a
            month without events does, stays where it has no weight any more, and the others are at their limits.
    """
    only_held = np.zeros(x.shape[1], bool) if held is None else held
    for bound in _HELD_BOUNDS[: 1 + bool(only_held.any())]:
        bounds = np.where(only_held, bound, np.inf)
        result = maximise_within(x, customers, ties, start=start, bounds=bounds)
        if result is not None:
            return result
    return maximise_penalised(x, customers, ties)


def maximise_within(
    x: Array, customers: Everyone, ties: Ties, *, start: Array, bounds: Array
) -> Maximum | None:
    """Newton's method with step halving, within bounds.

    Args:
        x: as in `maximise`.
        customers: as in `maximise`.
        ties: as in `maximise`.
        start: as in `maximise`.
        bounds: shape (p,): the largest log hazard ratio that each column may make; infinite for none.

    Returns:
        None where the columns without a bound have no maximum, or levels with events drift apart until the weights of
        some are rounding.
    """
    beta, unbounded = start.copy(), np.isinf(bounds)
    limit = bounds / np.maximum(np.abs(x).max(axis=0, initial=0.0), 1e-300)
    leavers = x[customers.events_by_pattern[0] > 0]
    current = likelihood(x, customers, ties, beta[None])
    for _ in range(_MAX_STEPS):
        step, _ = _bounded_step(current, beta, limit)
        step = step * min(1.0, _STEP_LIMIT / max(float(largest_log_ratio(x, step)), _STEP_LIMIT))
        is_cut = False  # at a bound, so that the maximum may be far yet
        for _ in range(_MAX_HALVINGS):
            following = np.clip(beta + step, -limit, limit)
            new = likelihood(x, customers, ties, following[None])
            least = current.loglik[0] - 1e-12 * abs(current.loglik[0])
            if np.isfinite(new.loglik[0]) and new.loglik[0] >= least:
                break
            share = _share_to_bound(step, beta, limit)
            is_cut = _LEAST_SHARE < share < 1
            step = step * (share if is_cut else 0.5)
        change = float(np.abs(following - beta).max())
        beta, current = following, new
        if change > 0.1 and largest_log_ratio(x[:, unbounded], beta[unbounded]) > _DIVERGED:
            return None
        if np.ptp(leavers @ beta) > _MOST_APART:
            return None
        if (
            change < 1e-4 and not is_cut
        ):  # Newton doubles the digits: one step more leaves less than 1e-13
            last, _ = _bounded_step(current, beta, limit)
            return Maximum(
                beta=np.clip(beta + last, -limit, limit),
                information=current.information[0],
                loglik=float(current.loglik[0] + 0.5 * current.score[0] @ last),
                is_penalised=False,
            )
    return None


def maximise_penalised(
    x: Array, customers: Everyone, ties: Ties, *, start: Array | None = None
) -> Maximum:
    """Maximise loglik + log|information| / 2; the penalty's slope by central differences.

    Args:
        x: as in `maximise`.
        customers: as in `maximise`.
        ties: as in `maximise`.
        start: shape (p,); zero if left out.

    References:
        Heinze & Schemper (2001), Biometrics 57, 114-119.
    """
    p = x.shape[1]
    beta = np.zeros(p) if start is None else start.copy()
    before = np.zeros(p)
    h = 1e-4 * np.eye(p)
    current = likelihood(x, customers, ties, beta[None])
    for _ in range(_MAX_FIRTH_STEPS):
        around = _penalty(likelihood(x, customers, ties, np.concatenate([beta + h, beta - h])))
        slope = (around[:p] - around[p:]) / 2e-4
        step = np.clip(solve_newton(current.information, current.score + slope)[0], -1.0, 1.0)
        # the penalty bends as well, as much as the rest where a level has no events: Newton without it goes to and fro
        step = step / 2 if step @ current.information[0] @ before < 0 else step
        before = step
        value = current.loglik[0] + _penalty(current)[0]
        for _ in range(_MAX_HALVINGS):
            new = likelihood(x, customers, ties, (beta + step)[None])
            new_value = new.loglik[0] + _penalty(new)[0]
            if np.isfinite(new_value) and new_value >= value - 1e-10:
                break
            step = step / 2
        beta, current = beta + step, new
        if float(step @ current.information[0] @ step) < _FIRTH_TOLERANCE**2:
            break
    return Maximum(
        beta=beta,
        information=current.information[0],
        loglik=float(current.loglik[0]),
        is_penalised=True,
    )


def largest_log_ratio(x: Array, beta: Array) -> Array:
    """The largest log hazard ratio that coefficients make; of shape (K, p), each for itself."""
    return np.asarray(np.abs(beta @ x.T).max(axis=-1, initial=0.0))


def solve_newton(information: NDArray[np.float64], score: Array) -> Array:
    """Newton steps, shape (K, p); none along directions of which the data hold no information."""
    return np.asarray(
        (np.linalg.pinv(information, rcond=1e-12, hermitian=True) @ score[..., None])[..., 0]
    )


def _bounded_step(current: Likelihood, beta: Array, limit: Array) -> tuple[Array, Bools]:
    """A Newton step, and the columns that it may move: those at their bounds that would go beyond stay."""
    at_bound = np.abs(beta) >= limit
    is_free = ~(at_bound & (current.score[0] * beta >= 0))
    step = _newton_step(current, is_free)
    outwards = at_bound & is_free & (step * beta > 0)
    if outwards.any():
        is_free &= ~outwards
        step = _newton_step(current, is_free)
    return step, is_free


def _share_to_bound(step: Array, beta: Array, limit: Array) -> float:
    """The share of a step up to the first bound on its way; 1 where there is none.

    Columns that run off together leave the likelihood as it is only while they keep their distances, which they lose
    where some are held back at their bounds and others go on.
    """
    room = np.where(step > 0, limit - beta, limit + beta)
    moves = np.abs(step) > 0
    share = float((room[moves] / np.abs(step[moves])).min(initial=1.0))
    return share * (1 + 1e-15)


def _newton_step(current: Likelihood, is_free: Bools) -> Array:
    """A Newton step that leaves some columns where they are; shape (p,)."""
    step = np.zeros(len(is_free))
    information = current.information[0][np.ix_(is_free, is_free)]
    step[is_free] = solve_newton(information, current.score[0][is_free])
    return step


def _penalty(result: Likelihood) -> Array:
    return np.asarray(0.5 * np.linalg.slogdet(result.information)[1])
