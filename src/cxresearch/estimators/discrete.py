"""Regression for grouped time: complementary log-log, one baseline per time and stratum.

On the contact clock nearly everyone at risk shares few times, and a partial likelihood with so many ties is biased. The
complementary log-log model is the proportional hazards model for grouped times: its coefficients are log hazard ratios.

Reference:
    Prentice & Gloeckler (1978), Biometrics 34, 57-67.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxresearch.errors import EstimationError
from cxresearch.estimators.cox import cox
from cxresearch.estimators.design import design
from cxresearch.estimators.jackknife import enough_groups, jackknife
from cxresearch.estimators.results import CoxFit, references
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable

_STEPS = 60


def fit_hazards(
    table: RiskTable,
    terms: Sequence[str],
    *,
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
    groups: int = 100,
) -> CoxFit:
    """Hazard ratios by the model that suits the clock: Cox on days, the model for grouped time on contacts.

    Args:
        table: the risk table.
        terms: as `cxresearch.cox`.
        strata: features with a baseline each.
        cause: the event.
        level: confidence level.
        groups: most groups of the jackknife.

    Raises:
        EstimationError, NotTestable: as `cxresearch.cox`.
    """
    fit = grouped_hazards if table.clock == "contact" else cox
    return fit(table, terms, strata=strata, cause=cause, level=level, groups=groups)


def grouped_hazards(
    table: RiskTable,
    terms: Sequence[str],
    *,
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
    groups: int = 100,
    jackknifed: bool = True,
    min_events: int = 10,
) -> CoxFit:
    """Fit the complementary log-log model on a table whose clock counts contacts.

    Args:
        table: the risk table.
        terms: as `cxresearch.cox`.
        strata: features with a baseline each.
        cause: the event.
        level: confidence level.
        groups: most groups of the jackknife.
        jackknifed: whether to compute it.
        min_events: adjacent times share a baseline until it has that many events; with fewer, a baseline for each
            sparse time would inflate the coefficients.

    Returns:
        A fit whose coefficients are log hazard ratios; `ties` is ``grouped``.

    Raises:
        EstimationError: as `cxresearch.cox`, or a likelihood without a maximum.
        NotTestable: too few customers or events for a jackknife.

    Example:
        >>> import cxresearch as cx
        >>> made = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1)
        >>> log = {"score": "stars", "scale": [1, 5]}
        >>> settings = {"interactions": log, "retention": {"kind": "activity", "gap_days": 60}}
        >>> study = cx.study_from(settings, interactions=made.interactions)
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), whole=True)
        >>> cx.estimators.grouped_hazards(table, ["bad"])
        CoxFit(hazard ratios of defection: bad[1+] 1.78; 894 events)
    """
    if jackknifed:
        table = enough_groups(table, cause, groups)
    d = design(table, terms, strata, cause, every_time=True)
    pool = _pool(d.events.sum(axis=1), d.flows.block, min_events)
    at_risk, events = pool @ d.sets.at_risk(), pool @ d.events
    start = np.concatenate([_baseline(at_risk, events), np.zeros(len(d.terms))])
    theta, information, loglik = _maximise(d.x, at_risk, events, start)
    p, rows = len(d.terms), len(at_risk)
    beta = theta[rows:]
    se, replicates = np.full(p, np.nan), np.empty((0, p))
    if jackknifed:

        def without(group: int) -> Array:
            sets, e = d.of(group)
            return _maximise(d.x, at_risk - pool @ sets.at_risk(), events - pool @ e, theta)[0][
                rows:
            ]

        result = jackknife(beta, without, table.groups)
        se, replicates = result.se, result.replicates
    covariance = np.asarray(np.linalg.pinv(information), dtype=np.float64)
    return CoxFit(
        d.terms,
        beta,
        np.sqrt(np.maximum(np.diag(covariance), 0)),
        se,
        covariance,
        loglik,
        int(d.events.sum()),
        "grouped",
        tuple(strata),
        cause,
        False,
        level,
        len(replicates),
        replicates,
        references(table, d.terms),
    )


def _pool(events: Array, block: NDArray[np.int64], least: int) -> Array:
    """A 0/1 matrix that sums adjacent times of a stratum until each sum has `least` events."""
    label, current, held = np.zeros(len(events), np.int64), 0, 0.0
    for i in range(len(events)):
        if i and (block[i] != block[i - 1] or held >= least):
            rest = events[i:][block[i:] == block[i]].sum()
            if block[i] != block[i - 1] or rest >= least:  # a poor rest joins what is before it
                current, held = current + 1, 0.0
        label[i] = current
        held += events[i]
    pool = np.zeros((current + 1, len(events)))
    pool[label, np.arange(len(events))] = 1.0
    return pool


def _baseline(n: Array, e: Array) -> Array:
    rate = np.clip(e.sum(axis=1) / np.maximum(n.sum(axis=1), 1), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(-np.log1p(-rate)))


def _maximise(
    x: Array, n: Array, e: Array, start: Array
) -> tuple[Array, NDArray[np.float64], float]:
    """Fisher scoring; the baselines are a diagonal block, eliminated by its Schur complement.

    Returns:
        Baselines and coefficients, the information of the coefficients, the log-likelihood.

    Raises:
        EstimationError: no maximum is reached.
    """
    rows = len(n)
    theta = start.copy()
    live = (e.sum(axis=1) > 0) & (
        e.sum(axis=1) < n.sum(axis=1)
    )  # a time at which nobody or everybody left says nothing
    loglik, score_a, score_b, w = _scoring(x, n, e, theta, live)
    for _ in range(_STEPS):
        a = np.where(live, w.sum(axis=1), 1.0)
        cross = w @ x
        full = x.T @ (w.sum(axis=0)[:, None] * x)
        information = full - (cross / a[:, None]).T @ cross
        delta_b = np.linalg.lstsq(
            information, score_b - (cross / a[:, None]).T @ score_a, rcond=1e-12
        )[0]
        delta_a = np.where(live, (score_a - cross @ delta_b) / a, 0.0)
        delta = np.concatenate([delta_a, delta_b])
        for _ in range(30):
            new = _scoring(x, n, e, theta + delta, live)
            if np.isfinite(new[0]) and new[0] >= loglik - 1e-12 * abs(loglik):
                break
            delta = delta / 2
        theta, (loglik, score_a, score_b, w) = theta + delta, new
        if float(np.abs(delta_b).max(initial=0.0)) < 1e-10 and float(np.abs(delta).max()) < 1e-7:
            return theta, information, loglik
        if float(np.abs(theta[rows:]).max(initial=0.0)) > 15:
            break
    raise EstimationError(
        "the grouped-time likelihood has no maximum: a level has all or none of the events"
    )


def _scoring(
    x: Array, n: Array, e: Array, theta: Array, live: NDArray[np.bool_]
) -> tuple[float, Array, Array, Array]:
    """Log-likelihood, scores for baselines and coefficients, and Fisher weights of each cell."""
    eta = np.clip(theta[: len(n), None] + (x @ theta[len(n) :])[None, :], -30, 4)
    hazard = np.exp(eta)
    p = -np.expm1(-hazard)
    used = (n > 0) & live[:, None]
    loglik = float(np.where(used, e * np.log(np.maximum(p, 1e-300)) - (n - e) * hazard, 0.0).sum())
    slope = np.where(used, hazard * (e * (1 - p) / np.maximum(p, 1e-300) - (n - e)), 0.0)
    weight = np.where(used, n * hazard**2 * (1 - p) / np.maximum(p, 1e-300), 0.0)
    return loglik, slope.sum(axis=1), x.T @ slope.sum(axis=0), weight
