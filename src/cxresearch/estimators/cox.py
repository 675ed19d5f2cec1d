"""Cox regression on a risk table: time-varying covariates, ties, strata, delayed entry, any number of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cxresearch.errors import EstimationError, NotTestable, nearest
from cxresearch.estimators.design import Array, Design, Matrix, RiskSets, design
from cxresearch.estimators.intervals import log_interval
from cxresearch.estimators.jackknife import Jackknife, enough_groups, jackknife, jackknife_error
from cxresearch.estimators.references import references
from cxresearch.estimators.results import CoxFit, Estimate
from cxresearch.estimators.ties import tie_sums
from cxresearch.risk import RiskTable

if TYPE_CHECKING:
    from cxresearch.estimators.poisson import RateFit

Ties = Literal["efron", "breslow"]
_STEPS, _HALVINGS = 50, 30
_NEAR = 1e-3  # a last Newton step that moves no log hazard by more leaves an error of about its square
_CLOSE = 0.5  # a longer step may lead away from the top: better to begin again with care
_DIVERGED = 12.0  # a log hazard ratio no one will observe: the likelihood is climbing a slope without a top


def cox(
    table: RiskTable,
    terms: Sequence[str],
    *,
    strata: Sequence[str] = (),
    ties: Ties = "efron",
    cause: str = "defection",
    level: float = 0.95,
    errors: Literal["jackknife", "model"] = "jackknife",
    groups: int = 100,
) -> CoxFit:
    """Fit a Cox model.

    Args:
        table: the risk table.
        terms: feature names (dummies), ``linear(name)``, or products ``a:b``.
        strata: features with a baseline hazard each.
        ties: Efron's (default) or Breslow's method.
        cause: the event; other causes leave the risk set.
        level: confidence level of the limits.
        errors: delete-a-group jackknife (default), or model-based only.
        groups: most groups to use; fewer where 20 clusters and 5 events in each need it.

    Returns:
        The fit. Where the likelihood has no maximum (a level with all or none of the events), Firth's penalty is used
        and `penalised` is true.

    Raises:
        EstimationError: an unknown feature or cause, no events, or terms that cannot be told apart.
        NotTestable: too few customers or events for a jackknife.

    References:
        Efron (1977), JASA 72, 557-565; Andersen & Gill (1982), Annals of Statistics 10, 1100-1120; Heinze & Schemper
        (2001), Biometrics 57, 114-119.
    """
    if ties not in ("efron", "breslow"):
        raise EstimationError(
            f"ties must be 'efron' or 'breslow', was {ties!r}{nearest(str(ties), ('efron', 'breslow'))}"
        )
    if errors == "jackknife":
        table = enough_groups(table, cause, groups)
    d = design(table, terms, strata, cause)
    _check_rank(d)
    p = len(d.terms)
    try:
        top = _maximise(d.x, d.sets, d.events, ties, np.zeros(p))
        se, replicates, logliks = np.full(p, np.nan), np.empty((0, p)), np.empty(0)
        if errors == "jackknife":
            found, logliks = _jackknifed(d, ties, top, table.groups)
            se, replicates = found.se, found.replicates
    except np.linalg.LinAlgError as e:
        raise EstimationError(f"the model with {', '.join(d.terms)} cannot be fitted: {e}") from None
    covariance = np.asarray(np.linalg.pinv(top.information), dtype=np.float64)
    return CoxFit(
        terms=d.terms,
        coef=top.beta,
        se_model=np.sqrt(np.maximum(np.diag(covariance), 0)),
        se=se,
        covariance=covariance,
        loglik=top.loglik,
        events=int(d.events.sum()),
        ties=ties,
        strata=tuple(strata),
        cause=cause,
        penalised=top.penalised,
        level=level,
        groups=len(replicates),
        replicates=replicates,
        references=references(table, d.terms),
        logliks=logliks,
    )


def _jackknifed(d: Design, ties: Ties, top: _Top, groups: int) -> tuple[Jackknife, Array]:
    """The replicates of a fit, and their log likelihoods."""
    sums = None if top.penalised else _sums(d.x, d.sets, d.events, top.beta)
    tops = [_without(d, ties, top, g, sums) for g in range(groups)]
    return jackknife(top.beta, lambda g: tops[g].beta, groups), np.array([t.loglik for t in tops])


def _without(d: Design, ties: Ties, top: _Top, group: int, sums: _Sums | None) -> _Top:
    """The fit without a group; a term that no other group touches keeps its value.

    Sums over customers subtract, so a first step from the whole fit costs no more than the group's own customers; a
    second, exact Newton step from there leaves an error of the square of its length. Where the whole fit has a maximum
    and this one has none, since all events of some level are in the group, the first step stands, as in the
    infinitesimal jackknife: a penalty would move all coefficients for the sake of one.
    """
    own, own_events = d.of(group)
    sets, events = d.sets.without(own), d.events - own_events
    live = ((sets.by_pattern(np.ones(len(sets.block))) > 0) @ np.abs(d.x)) > 0
    x, beta = d.x[:, live], top.beta.copy()
    if sums is None:
        part = _firth(x, sets, events, ties, beta[live])
        beta[live] = part.beta
        return replace(part, beta=beta)
    score = _score(sums.less(_sums(d.x, own, own_events, top.beta)), ties)[1][live]
    first = beta[live] + np.linalg.lstsq(top.information[np.ix_(live, live)], score, rcond=1e-12)[0]
    loglik, score, information = _derivatives(x, sets, events, ties, first)
    step: Array = np.linalg.lstsq(information, score, rcond=1e-12)[0].astype(np.float64)
    part = _Top(first + step, information, loglik + 0.5 * float(score @ step), penalised=False)
    if not np.isfinite(loglik) or _reach(x, part.beta) >= _DIVERGED or _reach(x, step) >= _NEAR:
        start = part.beta if np.isfinite(loglik) and _reach(x, step) < _CLOSE else beta[live]
        found = _climb(x, sets, events, ties, start)
        part = replace(part, beta=first) if found is None else found
    beta[live] = part.beta
    return replace(part, beta=beta)


def contrast(fit: CoxFit | RateFit, weights: Mapping[str, float]) -> Estimate:
    """A hazard ratio for a weighted sum of coefficients.

    Args:
        fit: from `cox`, `grouped_hazards` or `rate_ratios`, whose ratios are of rates.
        weights: term to weight; ``{"bad[1+]": 1}`` is the hazard ratio of that level against the reference.

    Raises:
        EstimationError: no such term.
        NotTestable: nobody was ever at risk in a level named.
    """
    w = np.zeros(len(fit.terms))
    for term, weight in weights.items():
        if term not in fit.terms:
            feature = term.partition("[")[0]
            if any(t.startswith(f"{feature}[") for t in fit.terms):
                raise NotTestable(f"customers at risk in {term}")
            raise EstimationError(
                f"the fit has no term {term!r}{nearest(term, fit.terms)}; it has: {', '.join(fit.terms)}"
            )
        w[fit.terms.index(term)] = weight
    value = float(w @ fit.coef)
    model = float(np.sqrt(w @ fit.covariance @ w))
    se = float(jackknife_error(fit.replicates @ w)) if fit.groups else model
    low, high = log_interval(value, se, fit.level, fit.groups)
    return Estimate(float(np.exp(value)), low, high, fit.level, se, model, "log", fit.groups)


@dataclass(frozen=True, slots=True, eq=False)
class _Top:
    beta: Array
    information: NDArray[np.float64]
    loglik: float
    penalised: bool


def _check_rank(d: Design) -> None:
    """Terms that are sums of others within every risk set cannot be told apart."""
    if not d.terms:
        raise EstimationError("a Cox model needs at least one term")
    sums = d.sets.total(np.column_stack([np.ones(len(d.x)), d.x]))
    total = np.maximum(sums[:, 0], 1)
    mean = sums[:, 1:] / total[:, None]
    spread = _second(d.x, d.sets.by_pattern(1 / total)) - mean.T @ mean
    scale = np.sqrt(np.maximum(np.diag(spread), 1e-300))
    rank = np.linalg.matrix_rank(spread / np.outer(scale, scale), tol=1e-9)
    if rank < len(d.terms):
        raise EstimationError(f"the terms cannot be told apart: {', '.join(d.terms)} span only {rank} dimensions")


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums over customers at one beta, R event times and p terms; those of disjoint customers add up.

    Attributes:
        risk: shape (R, 1 + p): Σ r and Σ r x over the risk set, r relative hazards.
        event: shape (R, 1 + p): the same over the events.
        events: shape (R,): how many.
        x: shape (p,): Σ x over all events.
        eta: Σ log r over all events.
        shift: what has been taken from every log r.
    """

    risk: Array
    event: Array
    events: Array
    x: Array
    eta: float
    shift: float

    def less(self, part: _Sums) -> _Sums:
        """Without some of the customers, at the same beta."""
        return _Sums(
            self.risk - part.risk,
            self.event - part.event,
            self.events - part.events,
            self.x - part.x,
            self.eta - part.eta,
            self.shift,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """What a customer at risk, or leaving, adds to the information; shape (R,) each, and what is taken off again."""

    risk: Array
    event: Array
    products: Array


def _sums(x: Array, sets: RiskSets, e: Matrix, beta: Array) -> _Sums:
    eta = x @ beta
    shift = float(eta.max()) if len(eta) else 0.0
    r = np.exp(eta - shift)
    weights = np.column_stack([r, r[:, None] * x])
    counts = e.sum(axis=0)
    return _Sums(
        sets.total(weights), np.asarray(e @ weights), e.sum(axis=1), counts @ x, float(counts @ (eta - shift)), shift
    )


def _score(s: _Sums, ties: Ties) -> tuple[float, Array, _Weights]:
    """Log partial likelihood, score, and what the information needs."""
    here = s.events > 0
    d, S0, S1, Q0, Q1 = s.events[here], s.risk[here, 0], s.risk[here, 1:], s.event[here, 0], s.event[here, 1:]
    risk, event = np.zeros(len(here)), np.zeros(len(here))
    if ties == "breslow":
        risk[here] = d / S0
        mean = S1 / S0[:, None]
        loglik = s.eta - float((d * np.log(S0)).sum())
        return loglik, s.x - d @ mean, _Weights(risk, event, (mean * d[:, None]).T @ mean)
    L, A, B, C, D, E = tie_sums(S0, Q0, d.astype(np.int64))
    risk[here], event[here] = A, B
    cross = (S1 * D[:, None]).T @ Q1
    products = (S1 * C[:, None]).T @ S1 - cross - cross.T + (Q1 * E[:, None]).T @ Q1
    return s.eta - float(L.sum()), s.x - (A @ S1 - B @ Q1), _Weights(risk, event, products)


def _derivatives(
    x: Array, sets: RiskSets, e: Matrix, ties: Ties, beta: Array
) -> tuple[float, Array, NDArray[np.float64]]:
    """Log partial likelihood, score and information at beta."""
    sums = _sums(x, sets, e, beta)
    loglik, score, w = _score(sums, ties)
    r = np.exp(x @ beta - sums.shift)
    return loglik, score, _second(x, r * (sets.by_pattern(w.risk) - e.T @ w.event)) - w.products


def _reach(x: Array, beta: Array) -> float:
    """The largest log hazard ratio that these coefficients make."""
    return float(np.abs(x @ beta).max(initial=0.0))


def _second(x: Array, weight: Array) -> NDArray[np.float64]:
    """Σ over patterns of weight · x xᵀ: sums over risk sets come first, so no matrix per risk set is needed."""
    return np.asarray((x * weight[:, None]).T @ x)


def _maximise(x: Array, sets: RiskSets, e: Matrix, ties: Ties, start: Array) -> _Top:
    """The maximum of the likelihood; with Firth's penalty where it has none."""
    found = _climb(x, sets, e, ties, start)
    return _firth(x, sets, e, ties) if found is None else found


def _climb(x: Array, sets: RiskSets, e: Matrix, ties: Ties, start: Array) -> _Top | None:
    """Newton with step halving; None where the likelihood has no maximum."""
    beta = start.copy()
    loglik, score, information = _derivatives(x, sets, e, ties, beta)
    for _ in range(_STEPS):
        step = np.linalg.lstsq(information, score, rcond=1e-12)[0]
        for _ in range(_HALVINGS):
            new = _derivatives(x, sets, e, ties, beta + step)
            if np.isfinite(new[0]) and new[0] >= loglik - 1e-12 * abs(loglik):
                break
            step = step / 2
        beta, (loglik, score, information) = beta + step, new
        spread = float(np.abs(step).max())
        if _reach(x, beta) > _DIVERGED and spread > 0.1:
            return None
        if spread < 1e-4:  # Newton doubles the digits: one step more leaves less than 1e-13
            last: Array = np.linalg.lstsq(information, score, rcond=1e-12)[0].astype(np.float64)
            return _Top(beta + last, information, loglik + 0.5 * float(score @ last), penalised=False)
    return None


def _firth(x: Array, sets: RiskSets, e: Matrix, ties: Ties, start: Array | None = None) -> _Top:
    """Maximise loglik + log|information| / 2; the penalty's slope by central differences."""
    p = x.shape[1]
    beta = np.zeros(p) if start is None else start.copy()
    h = 1e-4

    def penalty(b: Array) -> float:
        return 0.5 * float(np.linalg.slogdet(_derivatives(x, sets, e, ties, b)[2])[1])

    current = _derivatives(x, sets, e, ties, beta)[0] + penalty(beta)
    for _ in range(200):
        _, score, information = _derivatives(x, sets, e, ties, beta)
        slope = np.array([(penalty(beta + h * u) - penalty(beta - h * u)) / (2 * h) for u in np.eye(p)])
        step = np.clip(np.linalg.lstsq(information, score + slope, rcond=1e-12)[0], -1.0, 1.0)
        for _ in range(_HALVINGS):
            value = _derivatives(x, sets, e, ties, beta + step)[0] + penalty(beta + step)
            if np.isfinite(value) and value >= current - 1e-10:
                break
            step = step / 2
        beta, current = beta + step, value
        if float(np.abs(step).max()) < 1e-8:
            break
    loglik, _, information = _derivatives(x, sets, e, ties, beta)
    return _Top(beta, information, loglik, penalised=True)
