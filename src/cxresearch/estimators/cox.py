"""Cox regression on a risk table: time-varying covariates, ties, strata, delayed entry, any number of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cxresearch.errors import EstimationError, NotTestable, nearest
from cxresearch.estimators.design import Array, Design, Matrix, design
from cxresearch.estimators.intervals import log_interval
from cxresearch.estimators.jackknife import Jackknife, enough_groups, jackknife
from cxresearch.estimators.results import CoxFit, Estimate
from cxresearch.estimators.ties import tie_sums
from cxresearch.risk import RiskTable

Ties = Literal["efron", "breslow"]
_STEPS, _HALVINGS = 50, 30
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
        top = _maximise(d.x, d.at_risk, d.events, ties, np.zeros(p))
        se, replicates = np.full(p, np.nan), np.empty((0, p))
        if errors == "jackknife":
            top, found = _jackknifed(d, ties, top, table.groups)
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
    )


def _jackknifed(d: Design, ties: Ties, top: _Top, groups: int) -> tuple[_Top, Jackknife]:
    """The fit and its replicates, all by one method: if any of them needs Firth's penalty, all get it.

    A term that only one group ever touches keeps its value where that group is left out.
    """

    def without(group: int) -> _Top:
        n, e = d.without(group)
        live = ((n.sum(axis=0) > 0) @ np.abs(d.x)) > 0
        start, x = top.beta[live], d.x[:, live]
        part = _firth(x, n, e, ties, start) if top.penalised else _maximise(x, n, e, ties, start)
        beta = top.beta.copy()
        beta[live] = part.beta
        return _Top(beta, part.information, part.loglik, part.penalised)

    tops = [without(g) for g in range(groups)]
    if not top.penalised and any(t.penalised for t in tops):
        top = _firth(d.x, d.at_risk, d.events, ties, np.clip(top.beta, -2, 2))
        tops = [without(g) for g in range(groups)]
    return top, jackknife(top.beta, lambda g: tops[g].beta, groups)


def contrast(fit: CoxFit, weights: Mapping[str, float]) -> Estimate:
    """A hazard ratio for a weighted sum of coefficients.

    Args:
        fit: from `cox`.
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
    if fit.groups:
        spread = fit.replicates @ w
        se = float(np.sqrt((fit.groups - 1) / fit.groups * ((spread - spread.mean()) ** 2).sum()))
    else:
        se = model
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
    total = np.maximum(d.at_risk.sum(axis=1), 1)
    mean = (d.at_risk @ d.x) / total[:, None]
    spread = _second(d.x, d.at_risk.T @ (1 / total)) - mean.T @ mean
    scale = np.sqrt(np.maximum(np.diag(spread), 1e-300))
    rank = np.linalg.matrix_rank(spread / np.outer(scale, scale), tol=1e-9)
    if rank < len(d.terms):
        raise EstimationError(f"the terms cannot be told apart: {', '.join(d.terms)} span only {rank} dimensions")


def _derivatives(x: Array, n: Matrix, e: Matrix, ties: Ties, beta: Array) -> tuple[float, Array, NDArray[np.float64]]:
    """Log partial likelihood, score and information at beta."""
    eta = x @ beta
    shift = eta.max() if len(eta) else 0.0
    r = np.exp(eta - shift)
    d = e.sum(axis=1)
    here = d > 0
    if not here.all():
        n, e, d = n[here], e[here], d[here]
    rx = r[:, None] * x
    S0, S1 = n @ r, n @ rx
    if ties == "breslow":
        loglik = float((e @ eta).sum() - (d * (np.log(S0) + shift)).sum())
        mean = S1 / S0[:, None]
        score = (e @ x).sum(axis=0) - d @ mean
        return loglik, score, _second(x, r * (n.T @ (d / S0))) - (mean * d[:, None]).T @ mean
    Q0, Q1 = e @ r, e @ rx
    L, A, B, C, D, E = tie_sums(S0, Q0, d.astype(np.int64))
    loglik = float((e @ eta).sum() - (L + d * shift).sum())
    score = (e @ x).sum(axis=0) - (A @ S1 - B @ Q1)
    cross = (S1 * D[:, None]).T @ Q1
    products = (S1 * C[:, None]).T @ S1 - cross - cross.T + (Q1 * E[:, None]).T @ Q1
    return loglik, score, _second(x, r * (n.T @ A - e.T @ B)) - products


def _second(x: Array, weight: Array) -> NDArray[np.float64]:
    """Σ over patterns of weight · x xᵀ: sums over risk sets come first, so no matrix per risk set is needed."""
    return np.asarray((x * weight[:, None]).T @ x)


def _maximise(x: Array, n: Matrix, e: Matrix, ties: Ties, start: Array) -> _Top:
    """Newton with step halving; Firth's penalty where the likelihood has no maximum."""
    beta = start.copy()
    loglik, score, information = _derivatives(x, n, e, ties, beta)
    for _ in range(_STEPS):
        step = np.linalg.lstsq(information, score, rcond=1e-12)[0]
        for _ in range(_HALVINGS):
            new = _derivatives(x, n, e, ties, beta + step)
            if np.isfinite(new[0]) and new[0] >= loglik - 1e-12 * abs(loglik):
                break
            step = step / 2
        beta, (loglik, score, information) = beta + step, new
        spread = float(np.abs(step).max())
        if float(np.abs(x @ beta).max()) > _DIVERGED and spread > 0.1:
            return _firth(x, n, e, ties)
        if spread < 1e-7:  # Newton doubles the digits: what is left is below 1e-13
            break
    else:
        return _firth(x, n, e, ties)
    return _Top(beta, information, loglik, penalised=False)


def _firth(x: Array, n: Matrix, e: Matrix, ties: Ties, start: Array | None = None) -> _Top:
    """Maximise loglik + log|information| / 2; the penalty's slope by central differences."""
    p = x.shape[1]
    beta = np.zeros(p) if start is None else start.copy()
    h = 1e-4

    def penalty(b: Array) -> float:
        return 0.5 * float(np.linalg.slogdet(_derivatives(x, n, e, ties, b)[2])[1])

    current = _derivatives(x, n, e, ties, beta)[0] + penalty(beta)
    for _ in range(200):
        _, score, information = _derivatives(x, n, e, ties, beta)
        slope = np.array([(penalty(beta + h * u) - penalty(beta - h * u)) / (2 * h) for u in np.eye(p)])
        step = np.clip(np.linalg.lstsq(information, score + slope, rcond=1e-12)[0], -1.0, 1.0)
        for _ in range(_HALVINGS):
            value = _derivatives(x, n, e, ties, beta + step)[0] + penalty(beta + step)
            if np.isfinite(value) and value >= current - 1e-10:
                break
            step = step / 2
        beta, current = beta + step, value
        if float(np.abs(step).max()) < 1e-8:
            break
    loglik, _, information = _derivatives(x, n, e, ties, beta)
    return _Top(beta, information, loglik, penalised=True)
