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
from scipy import sparse

from cxresearch.errors import EstimationError
from cxresearch.estimators.cox import cox
from cxresearch.estimators.design import Design, belongs, design, identify
from cxresearch.estimators.influence import Clusters, clusters_of, robust_error
from cxresearch.estimators.results import CoxFit, references
from cxresearch.estimators.risk_sets import Array, run_back
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, instance

_STEPS = 60
_DONE = 1e-10  # what a step may still add to the likelihood, twice, where a coefficient runs off
_AT_ONCE = 4_000_000  # numbers in the largest array, of pools of times and patterns
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
        CoxFit(hazard ratios of defection: bad[1+] 1.74; about 800 events)
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
    begins = np.flatnonzero(np.concatenate([[True], label[1:] != label[:-1]]))
    at_risk = np.add.reduceat(d.sets.at_risk(), begins, axis=0)
    of_pool = (np.ones(len(label)), (label, np.arange(len(label))))
    summed = sparse.csr_array(of_pool, shape=(len(begins), len(label))) @ d.events
    events = summed.toarray() if sparse.issparse(summed) else np.asarray(summed)
    start = np.concatenate([_baseline(at_risk, events), np.zeros(len(d.terms))])
    only_held = np.array([any(belongs(t, h) for h in held) for t in d.terms], dtype=bool)
    fitted = _maximise(d.x, at_risk, events, start, only_held)
    p = len(d.terms)
    covariance = np.asarray(np.linalg.pinv(fitted.information), dtype=np.float64)
    influence, contributions = np.empty((0, p)), np.empty(0)
    if clusters:
        influence, contributions = _influence(d, label, at_risk, events, fitted)
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
        loglik_influence=contributions,
        clusters=clusters,
        references=references(table, d.terms),
        unidentified=identified.unidentified[identified.kept],
        min_cell=table.min_cell,
    )


def _influence(
    d: Design, label: NDArray[np.int64], at_risk: Array, events: Array, fitted: _Maximum
) -> tuple[Array, Array]:
    """How much each cluster moves the coefficients, and what it adds to the maximised likelihood.

    The baselines are eliminated: a customer counts by the distance of its covariates from the mean of those at risk at
    that time, weighted by the curvature there. The likelihood is a sum over customers and times. Patterns are gone
    through a few at a time, as all their times at once do not fit into memory.

    Returns:
        Shape (G, p), by the observed information; and shape (G,).
    """
    x, flows, live = d.x, d.flows, fitted.live
    rows, (patterns, k) = len(at_risk), x.shape
    baseline, slope = fitted.theta[:rows], x @ fitted.theta[rows:]
    cells = _Cells.of(at_risk, events, live)
    hazard, p = _hazards(baseline[cells.row] + slope[cells.pattern])
    curve = cells.at_risk * hazard
    curve -= cells.events * (hazard / p - hazard**2 * (1 - p) / p**2)
    total = np.where(live, cells.by_row(curve, rows), 1.0)
    mean = cells.matrix(curve, at_risk.shape) @ x / total[:, None]
    information = x.T @ (cells.by_pattern(curve, patterns)[:, None] * x)
    information -= (mean * total[:, None]).T @ mean
    # sums over the times at which a customer is at risk, from each time on; those of a pool have one hazard
    size = np.bincount(label, minlength=rows)
    begins = np.concatenate([[0], np.cumsum(size)[:-1]])
    counts = size.astype(np.float64)
    gone, block = np.arange(len(label)) - begins[label], d.sets.block[begins]
    result = np.zeros((flows.groups, k + 1))
    order = np.argsort(flows.pattern, kind="stable")
    ordered = flows.pattern[order]
    step = max(1, _AT_ONCE // rows)
    for first in range(0, patterns, step):
        part = order[slice(*np.searchsorted(ordered, [first, first + step]))]
        if not len(part):
            continue
        h, q = _hazards(baseline[:, None] + slope[None, first : first + step])
        rate = np.where(live[:, None], h, 0.0)
        pattern, enter, row = flows.pattern[part], flows.enter_row[part], flows.event_row[part]
        out = np.where(enter >= 0, flows.net[part], 0).astype(np.float64)
        at, here = np.maximum(enter, 0), pattern - first
        pool, before = label[at], gone[at] * rate[label[at], here]
        later = run_back(counts[:, None] * rate, block)[pool, here] - before
        score = np.empty((len(part), k + 1))
        score[:, :k] = -out[:, None] * x[pattern] * later[:, None]
        score[:, k] = -out * later
        for j in range(k):
            sums = run_back((counts * mean[:, j])[:, None] * rate, block)[pool, here]
            score[:, j] += out * (sums - before * mean[pool, j])
        left = np.flatnonzero((row >= 0) & (flows.events[part] > 0))
        left = left[live[label[row[left]]]]
        n = flows.events[part][left].astype(np.float64)
        when, who = label[row[left]], here[left]
        jump = (h / q)[when, who]
        score[left, :k] += (n * jump)[:, None] * (x[pattern[left]] - mean[when])
        score[left, k] += n * (np.log(q) + h)[when, who]
        by_group = (np.ones(len(part)), (flows.place[part], np.arange(len(part))))
        result += sparse.csr_array(by_group, shape=(flows.groups, len(part))) @ score
    return np.asarray(result[:, :k] @ np.linalg.pinv(information)), result[:, k]


def _hazards(eta: Array) -> tuple[Array, Array]:
    """Cumulative hazards of a time, and the chance to leave in it."""
    hazard = np.exp(np.clip(eta, *_REACH))
    return hazard, np.maximum(-np.expm1(-hazard), 1e-300)


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


def _maximise(x: Array, n: Array, e: Array, start: Array, only_held: NDArray[np.bool_]) -> _Maximum:
    """Fisher scoring; the baselines are a diagonal block, eliminated by its Schur complement.

    A coefficient that is only held equal may run off, where nobody leaves at its level or everybody does: the others
    are then at their limits, as those of a Cox model are.

    Raises:
        EstimationError: no maximum is reached.
    """
    rows = len(n)
    theta = start.copy()
    live = (e.sum(axis=1) > 0) & (
        e.sum(axis=1) < n.sum(axis=1)
    )  # a time at which nobody or everybody left holds no information
    cells = _Cells.of(n, e, live)
    loglik, score_a, score_b, w = _scoring(x, cells, theta, rows)
    for _ in range(_STEPS):
        a = np.where(live, cells.by_row(w, rows), 1.0)
        cross = cells.matrix(w, n.shape) @ x
        full = x.T @ (cells.by_pattern(w, n.shape[1])[:, None] * x)
        information = full - (cross / a[:, None]).T @ cross
        delta_b = np.linalg.lstsq(
            information, score_b - (cross / a[:, None]).T @ score_a, rcond=1e-12
        )[0]
        delta_a = np.where(live, (score_a - cross @ delta_b) / a, 0.0)
        delta = np.concatenate([delta_a, delta_b])
        for _ in range(30):
            new = _scoring(x, cells, theta + delta, rows)
            if np.isfinite(new[0]) and new[0] >= loglik - 1e-12 * abs(loglik):
                break
            delta = delta / 2
        gain = float(score_a @ delta_a + score_b @ delta_b)  # twice what the step adds
        theta, (loglik, score_a, score_b, w) = theta + delta, new
        asked = np.abs(delta_b[~only_held]).max(initial=0.0)
        is_still = float(np.abs(delta_b).max(initial=0.0)) < 1e-10 and np.abs(delta).max() < 1e-7
        if is_still or (asked < 1e-9 and abs(gain) < _DONE):
            return _Maximum(theta, information, loglik, live)
        if float(np.abs(theta[rows:][~only_held]).max(initial=0.0)) > 15:
            break
    raise EstimationError(
        "the grouped-time likelihood has no maximum: a level has all or none of the events"
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The times and patterns at which somebody is at risk: few of all that could be.

    Attributes:
        row: shape (c,): the pool of times.
        pattern: shape (c,).
        at_risk: shape (c,).
        events: shape (c,).
    """

    row: NDArray[np.int64]
    pattern: NDArray[np.int64]
    at_risk: Array
    events: Array

    @staticmethod
    def of(n: Array, e: Array, live: NDArray[np.bool_]) -> _Cells:
        """Those of times that hold information."""
        row, pattern = np.nonzero((n > 0) & live[:, None])
        return _Cells(row, pattern, n[row, pattern], e[row, pattern])

    def by_row(self, values: Array, rows: int) -> Array:
        """Sums over patterns."""
        return np.bincount(self.row, values, rows).astype(np.float64)

    def by_pattern(self, values: Array, patterns: int) -> Array:
        """Sums over times."""
        return np.bincount(self.pattern, values, patterns).astype(np.float64)

    def matrix(self, values: Array, shape: tuple[int, ...]) -> sparse.csr_array:
        """The values where they stand among all times and patterns."""
        return sparse.csr_array((values, (self.row, self.pattern)), shape=shape)


def _scoring(x: Array, cells: _Cells, theta: Array, rows: int) -> tuple[float, Array, Array, Array]:
    """Log-likelihood, scores for baselines and coefficients, and the Fisher weight of each cell."""
    eta = np.clip(theta[cells.row] + (x @ theta[rows:])[cells.pattern], *_REACH)
    hazard = np.exp(eta)
    p = -np.expm1(-hazard)
    some = np.maximum(p, 1e-300)
    stay, e = cells.at_risk - cells.events, cells.events
    loglik = float((e * np.log(some) - stay * hazard).sum())
    slope = hazard * (e * (1 - p) / some - stay)
    weight = cells.at_risk * hazard**2 * (1 - p) / some
    score_b = x.T @ cells.by_pattern(slope, len(x))
    return loglik, cells.by_row(slope, rows), score_b, weight
