"""Cox regression on a risk table: time-varying covariates, ties, strata, delayed entry, any number of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from cxresearch.checks import fraction, instance, names, whole
from cxresearch.errors import EstimationError, NotTestable, nearest
from cxresearch.estimators.deletions import deletions
from cxresearch.estimators.design import Design, design
from cxresearch.estimators.intervals import log_interval
from cxresearch.estimators.jackknife import enough_groups, jackknife_error
from cxresearch.estimators.maximum import maximise
from cxresearch.estimators.partial_likelihood import Ties
from cxresearch.estimators.references import references
from cxresearch.estimators.results import CoxFit, Estimate
from cxresearch.risk.table import RiskTable

if TYPE_CHECKING:
    from cxresearch.estimators.poisson import RateFit


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
        ArgumentError: an argument of the wrong type, or a level not between 0 and 1.
        EstimationError: an unknown feature or cause, no events, or terms that cannot be told apart.
        NotTestable: too few customers or events for a jackknife.

    References:
        Efron (1977), JASA 72, 557-565; Andersen & Gill (1982), Annals of Statistics 10, 1100-1120; Heinze & Schemper
        (2001), Biometrics 57, 114-119.
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    terms, strata = names("terms", terms), names("strata", strata)
    level, groups = fraction("level", level), whole("groups", groups, 1)
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
        top = maximise(d.x, d.everyone, ties, np.zeros(p))
        se, replicates, logliks = np.full(p, np.nan), np.empty((0, p)), np.empty(0)
        if errors == "jackknife":
            replicates, logliks = deletions(d, ties, top, table.groups)
            se = jackknife_error(replicates)
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


def _check_rank(d: Design) -> None:
    """Terms that are sums of others within every risk set cannot be told apart."""
    if not d.terms:
        raise EstimationError("a Cox model needs at least one term")
    sums = d.sets.total(np.column_stack([np.ones(len(d.x)), d.x]))
    total = np.maximum(sums[:, 0], 1)
    mean = sums[:, 1:] / total[:, None]
    spread = (d.x * d.sets.by_pattern(1 / total)[:, None]).T @ d.x - mean.T @ mean
    scale = np.sqrt(np.maximum(np.diag(spread), 1e-300))
    rank = np.linalg.matrix_rank(spread / np.outer(scale, scale), tol=1e-9)
    if rank < len(d.terms):
        raise EstimationError(f"the terms cannot be told apart: {', '.join(d.terms)} span only {rank} dimensions")
