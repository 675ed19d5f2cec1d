"""A Cox fit again without each group of customers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cxresearch.estimators.design import Design
from cxresearch.estimators.maximum import DIVERGED, Top, climb, firth, reach, solve
from cxresearch.estimators.partial_likelihood import Sums, Ties, likelihood, score, sums
from cxresearch.estimators.risk_sets import Array, Everyone, Others

_NEAR = 1e-3  # a last Newton step that moves no log hazard by more leaves an error of about its square
_CLOSE = 0.5  # a longer step may lead away from the top: better to begin again with care
_STEPS = 4  # from the second on they are exact: where these do not lead to the top, something is amiss
_AT_ONCE = 300_000  # numbers in the largest array of a batch of groups


def deletions(d: Design, ties: Ties, top: Top, groups: int) -> tuple[NDArray[np.float64], Array]:
    """The coefficients and log likelihoods without each group.

    Sums over customers subtract, so a first step from the whole fit costs no more than the group's own customers; exact
    Newton steps from there leave an error of the square of the last one's length. Where the whole fit has a maximum
    and this one has none, since all events of some level are in the group, the first step stands, as in the
    infinitesimal jackknife: a penalty would move all coefficients for the sake of one. A term that no other group
    touches keeps its value.

    Args:
        d: the arrays of the fit.
        ties: as in the fit.
        top: of the fit with all customers.
        groups: G, how many there are.

    Returns:
        Shapes (G, p) and (G,).
    """
    if top.penalised:
        found = [_penalised(d, ties, top, g) for g in range(groups)]
    else:
        whole = sums(d.x, d.everyone, top.beta[None])
        found = [t for first, last in _batches(d, groups) for t in _stepped(d, ties, top, whole, first, last)]
    return np.array([t.beta for t in found]).reshape(groups, -1), np.array([t.loglik for t in found])


def _batches(d: Design, groups: int) -> Iterator[tuple[int, int]]:
    rows, patterns = d.events.shape
    size = max(1, _AT_ONCE // (rows * max(1 + d.x.shape[1], patterns if isinstance(d.events, np.ndarray) else 0)))
    return ((g, min(g + size, groups)) for g in range(0, groups, size))


def _stepped(d: Design, ties: Ties, top: Top, whole: Sums, first: int, last: int) -> list[Top]:
    """Newton steps without each of the groups from `first` to before `last`."""
    own = d.groups(first, last)
    others = Others(d.everyone, own)
    with np.errstate(divide="ignore", invalid="ignore"):  # where there is no top, steps lead anywhere
        slope = score(whole.less(sums(d.x, own, top.beta[None])), ties)[1]
    near = top.beta + _step(np.broadcast_to(top.information, (last - first, *top.information.shape)), slope)
    beta = near
    for _ in range(_STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            there = likelihood(d.x, others, ties, beta)
        step = _step(there.information, there.score)
        beta = beta + step
        sound = np.isfinite(np.column_stack([there.loglik, step])).all(axis=1)
        moved = np.where(sound, reach(d.x, step), np.inf)
        close = np.logical_and(moved < _CLOSE, reach(d.x, beta) < DIVERGED)
        if not (close & (moved >= _NEAR)).any():
            break
    loglik = there.loglik + 0.5 * (there.score * step).sum(axis=1)
    found = []
    for i in range(last - first):
        part = Top(beta[i], there.information[i], float(loglik[i]), penalised=False)
        if not (close[i] and moved[i] < _NEAR):
            again = _again(d, ties, first + i, beta[i] if close[i] else top.beta)
            part = replace(part, beta=near[i]) if again is None else again
        found.append(part)
    return found


def _step(information: NDArray[np.float64], slope: Array) -> Array:
    """Newton steps; not a number where there is none."""
    sound: NDArray[np.bool_] = np.logical_and(np.isfinite(information).all(axis=(1, 2)), np.isfinite(slope).all(axis=1))
    step = solve(np.where(sound[:, None, None], information, 0.0), np.where(sound[:, None], slope, 0.0))
    return np.where(sound[:, None], step, np.nan)


def _again(d: Design, ties: Ties, group: int, start: Array) -> Top | None:
    """The fit without a group from its start; None where there is no maximum."""
    others, live = _without(d, group)
    found = climb(d.x[:, live], others, ties, start[live])
    return None if found is None else _whole(found, live, start)


def _penalised(d: Design, ties: Ties, top: Top, group: int) -> Top:
    """The fit with Firth's penalty without a group."""
    others, live = _without(d, group)
    return _whole(firth(d.x[:, live], others, ties, top.beta[live]), live, top.beta)


def _whole(found: Top, live: NDArray[np.bool_], start: Array) -> Top:
    """All terms again; those that are not live keep their values."""
    beta = start.copy()
    beta[live] = found.beta
    return replace(found, beta=beta)


def _without(d: Design, group: int) -> tuple[Everyone, NDArray[np.bool_]]:
    """All customers but those of a group, and the terms that somebody of them is at risk with."""
    own, events = d.of(group)
    others = Everyone(d.sets.without(own), d.events - events)
    seen = others.sets.by_pattern(np.ones(len(d.sets.block))) > 0
    return others, np.asarray(seen @ np.abs(d.x) > 0)
