"""Regression for grouped time: complementary log-log, one baseline per time and stratum.

On the contact clock nearly everyone at risk shares few times, and a partial likelihood with so many ties is biased. The
complementary log-log model is the proportional hazards model for grouped times: its coefficients are log hazard ratios.

Reference:
    Prentice & Gloeckler (1978), Biometrics 34, 57-67.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cxresearch.checks import arguments, instance
from cxresearch.errors import EstimationError
from cxresearch.estimators.cox import cox
from cxresearch.estimators.design import Design, design, identify
from cxresearch.estimators.influence import Clusters, add_up, clusters_of, robust_error
from cxresearch.estimators.results import CoxFit, references
from cxresearch.estimators.risk_sets import Array, run_back
from cxresearch.risk.table import RiskTable

_STEPS = 60
_REACH = (-30.0, 4.0)  # log cumulative hazards beyond are as good as never and at once


def fit_hazards(
    table: RiskTable,
    terms: Sequence[str],
    *,
    held: Sequence[str] = (),
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
) -> CoxFit:
    """Hazard ratios by the model that suits the clock: Cox on days, the model for grouped time on contacts.

    Args:
        table: the risk table.
        terms: as `cxresearch.cox`.
        held: as `cxresearch.cox`.
        strata: features with a baseline each.
        cause: the event.
        level: confidence level.

    Raises:
        EstimationError, NotTestable: as `cxresearch.cox`.
    """
    fit = grouped_hazards if table.clock == "contact" else cox
    return fit(table, terms, held=held, strata=strata, cause=cause, level=level)


def grouped_hazards(
    table: RiskTable,
    terms: Sequence[str],
    *,
    held: Sequence[str] = (),
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
    errors: Literal["robust", "model"] = "robust",
    min_events: int = 10,
) -> CoxFit:
    """Fit the complementary log-log model on a table whose clock counts contacts.

    Args:
        table: the risk table.
        terms: as `cxresearch.cox`.
        held: as `cxresearch.cox`.
        strata: features with a baseline each.
        cause: the event.
        level: confidence level.
        errors: by influence functions, clustered (default), or model-based only.
        min_events: adjacent times share a baseline until it has that many events; with fewer, a baseline for each
            sparse time would inflate the coefficients.

    Returns:
        A fit whose coefficients are log hazard ratios; `ties` is ``grouped``.

    Raises:
        EstimationError: as `cxresearch.cox`, or a likelihood without a maximum.
        NotTestable: all events are those of one customer.

    Example:
        >>> import cxresearch as cx
        >>> made = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1)
        >>> log = {"score": "stars", "scale": [1, 5]}
        >>> settings = {"interactions": log, "retention": {"kind": "activity", "gap_days": 60}}
        >>> study = cx.study_from(settings, interactions=made.interactions)
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> cx.estimators.grouped_hazards(table, ["bad"])
        CoxFit(hazard ratios of defection: bad[1+] 1.78; 894 events)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(terms=terms, held=held, strata=strata, cause=cause, level=level, errors=errors)
    arguments(min_events=min_events)
    d = design(table, terms, strata, cause, every_time=True)
    clusters = clusters_of(table, [cause]) if errors == "robust" else None
    return fit_grouped_design(
        d,
        table,
        held,
        strata=strata,
        cause=cause,
        level=level,
        clusters=clusters,
        min_events=min_events,
    )


def fit_grouped_design(
    d: Design,
    table: RiskTable,
    held: Sequence[str],
    *,
    strata: Sequence[str],
    cause: str,
    level: float,
    clusters: Clusters | None,
    min_events: int = 10,
) -> CoxFit:
    """Fit a model that is laid out already at every time; args and errors as `grouped_hazards`.

    Args:
        d: with all columns of the terms.
        table: that it was made of.
        held: terms that are only held equal.
        strata: those of the design.
        cause: the event of the design.
        level: confidence level.
        clusters: whom robust errors go over; None for model-based ones only.
        min_events: as in `grouped_hazards`.
    """
    identified = identify(d, held)
    d = d.only(identified.kept)
    label = _pool(d.events.sum(axis=1), d.flows.block, min_events)
    pool = np.zeros((int(label[-1]) + 1, len(label)))
    pool[label, np.arange(len(label))] = 1.0
    at_risk, events = pool @ d.sets.at_risk(), pool @ d.events
    start = np.concatenate([_baseline(at_risk, events), np.zeros(len(d.terms))])
    fitted = _maximise(d.x, at_risk, events, start)
    p = len(d.terms)
    covariance = np.asarray(np.linalg.pinv(fitted.information), dtype=np.float64)
    influence = _influence(d, label, at_risk, events, fitted) if clusters else np.empty((0, p))
    return CoxFit(
        terms=d.terms,
        coef=fitted.theta[len(at_risk) :],
        se_model=np.sqrt(np.maximum(np.diag(covariance), 0)),
        se=robust_error(influence) if clusters else np.full(p, np.nan),
        covariance=covariance,
        loglik=fitted.loglik,
        events=int(d.events.sum()),
        ties="grouped",
        strata=tuple(strata),
        cause=cause,
        penalised=False,
        level=level,
        influence=influence,
        loglik_influence=_contributions(d, label, fitted) if clusters else np.empty(0),
        clusters=clusters,
        references=references(table, d.terms),
        unidentified=identified.unidentified[identified.kept],
    )


def _contributions(d: Design, label: NDArray[np.int64], fitted: _Maximum) -> Array:
    """What each cluster adds to the maximised likelihood, which is a sum over customers and times; shape (G,)."""
    rows, x, flows = len(fitted.live), d.x, d.flows
    eta = np.clip(fitted.theta[:rows, None] + (x @ fitted.theta[rows:])[None, :], *_REACH)
    hazard = np.exp(eta)
    p = np.maximum(-np.expm1(-hazard), 1e-300)
    live = fitted.live[label][:, None]
    later = run_back(np.where(live, hazard[label], 0.0), d.sets.block)
    of_event = np.where(live, (np.log(p) + hazard)[label], 0.0)

    def contributions(part: slice) -> Array:
        pattern, enter, row = flows.pattern[part], flows.enter_row[part], flows.event_row[part]
        out = np.where(enter >= 0, flows.net[part], 0)
        total = -out * later[np.maximum(enter, 0), pattern]
        left = np.flatnonzero((row >= 0) & (flows.events[part] > 0))
        n = flows.events[part][left].astype(np.float64)
        total[left] += n * of_event[row[left], pattern[left]]
        return total[:, None]

    return add_up(flows.place, flows.groups, 1, contributions)[:, 0]


def _influence(
    d: Design, label: NDArray[np.int64], at_risk: Array, events: Array, fitted: _Maximum
) -> Array:
    """How much each cluster moves the coefficients, by the observed information; shape (G, p).

    The baselines are eliminated: a customer counts by the distance of its covariates from the mean of those at risk at
    that time, weighted by the curvature there.
    """
    rows, x, flows = len(at_risk), d.x, d.flows
    eta = np.clip(fitted.theta[:rows, None] + (x @ fitted.theta[rows:])[None, :], *_REACH)
    hazard = np.exp(eta)
    p = np.maximum(-np.expm1(-hazard), 1e-300)
    used = (at_risk > 0) & fitted.live[:, None]
    curve = np.where(
        used, at_risk * hazard - events * (hazard / p - hazard**2 * (1 - p) / p**2), 0.0
    )
    total = np.where(fitted.live, curve.sum(axis=1), 1.0)
    mean = np.where(fitted.live[:, None], curve @ x / total[:, None], 0.0)
    information = x.T @ (curve.sum(axis=0)[:, None] * x) - (mean * total[:, None]).T @ mean
    # sums over the times at which a customer is at risk, from each time on
    live = fitted.live[label][:, None]
    rate = np.where(live, hazard[label], 0.0)
    later = run_back(rate, d.sets.block)
    later_mean = np.stack(
        [run_back(rate * mean[label][:, j : j + 1], d.sets.block) for j in range(x.shape[1])],
        axis=2,
    )
    jump = np.where(live, (hazard / p)[label], 0.0)

    def contributions(part: slice) -> Array:
        pattern, enter, row = flows.pattern[part], flows.enter_row[part], flows.event_row[part]
        out = np.where(enter >= 0, flows.net[part], 0)[:, None]
        at = np.maximum(enter, 0)
        score = -out * (x[pattern] * later[at, pattern][:, None] - later_mean[at, pattern])
        left = np.flatnonzero((row >= 0) & (flows.events[part] > 0))
        n = flows.events[part][left].astype(np.float64)
        where, who = row[left], pattern[left]
        score[left] += (n * jump[where, who])[:, None] * (x[who] - mean[label[where]])
        return score

    residuals = add_up(flows.place, flows.groups, x.shape[1], contributions)
    return np.asarray(residuals @ np.linalg.pinv(information))


def _pool(events: Array, block: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """The pool of each time: adjacent times of a stratum share one until it has `least` events."""
    label, current, held = np.zeros(len(events), np.int64), 0, 0.0
    for i in range(len(events)):
        if i and (block[i] != block[i - 1] or held >= least):
            rest = events[i:][block[i:] == block[i]].sum()
            if block[i] != block[i - 1] or rest >= least:  # a poor rest joins what is before it
                current, held = current + 1, 0.0
        label[i] = current
        held += events[i]
    return label


def _baseline(n: Array, e: Array) -> Array:
    rate = np.clip(e.sum(axis=1) / np.maximum(n.sum(axis=1), 1), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(-np.log1p(-rate)))


@dataclass(frozen=True, slots=True, eq=False)
class _Maximum:
    """The maximum: baselines and coefficients, the (Fisher) information of the coefficients, the log likelihood.

    `live` are the baselines that the data say something about.
    """

    theta: Array
    information: NDArray[np.float64]
    loglik: float
    live: NDArray[np.bool_]


def _maximise(x: Array, n: Array, e: Array, start: Array) -> _Maximum:
    """Fisher scoring; the baselines are a diagonal block, eliminated by its Schur complement.

    Raises:
        EstimationError: no maximum is reached.
    """
    rows = len(n)
    theta = start.copy()
    live = (e.sum(axis=1) > 0) & (
        e.sum(axis=1) < n.sum(axis=1)
    )  # a time at which nobody or everybody left holds no information
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
            return _Maximum(theta, information, loglik, live)
        if float(np.abs(theta[rows:]).max(initial=0.0)) > 15:
            break
    raise EstimationError(
        "the grouped-time likelihood has no maximum: a level has all or none of the events"
    )


def _scoring(
    x: Array, n: Array, e: Array, theta: Array, live: NDArray[np.bool_]
) -> tuple[float, Array, Array, Array]:
    """Log-likelihood, scores for baselines and coefficients, and Fisher weights of each cell."""
    eta = np.clip(theta[: len(n), None] + (x @ theta[len(n) :])[None, :], *_REACH)
    hazard = np.exp(eta)
    p = -np.expm1(-hazard)
    used = (n > 0) & live[:, None]
    loglik = float(np.where(used, e * np.log(np.maximum(p, 1e-300)) - (n - e) * hazard, 0.0).sum())
    slope = np.where(used, hazard * (e * (1 - p) / np.maximum(p, 1e-300) - (n - e)), 0.0)
    weight = np.where(used, n * hazard**2 * (1 - p) / np.maximum(p, 1e-300), 0.0)
    return loglik, slope.sum(axis=1), x.T @ slope.sum(axis=0), weight
