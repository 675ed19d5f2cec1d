"""Hazard ratios from a fitted model: of a contrast, over the range of a count, and their E-values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cxresearch.errors import NotTestable, UnknownInTableError
from cxresearch.estimators.influence import robust_error
from cxresearch.estimators.rates import exposure_by_level
from cxresearch.estimators.results import CoxFit, Estimate, estimate
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, having

if TYPE_CHECKING:
    from cxresearch.estimators.rate_ratios import RateFit

_ROUNDING = 1e-4  # of a weight, along what is held equal: less is rounding
_MOST_MOMENTS = 5.0  # over which the ratio of a count is taken at the most


def contrast(fit: CoxFit | RateFit, weights: Mapping[str, float]) -> Estimate:
    """A hazard ratio for a weighted sum of coefficients.

    Args:
        fit: from `cox`, `grouped_hazards` or `rate_ratios`, whose ratios are of rates.
        weights: term to weight; ``{"bad[1+]": 1}`` is the hazard ratio of that level against the reference.

    Raises:
        EstimationError: no such term.
        NotTestable: nobody was ever at risk in a level named, or what is held equal determines the contrast.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(2), observed_from_start=True)
        >>> fit = cx.cox(table, ["bad"])
        >>> print(cx.contrast(fit, {"bad[2+]": 1, "bad[1]": -1}))
        1.56 (1.24 to 1.97)
    """
    having("fit", fit, ("terms", "coef", "covariance"), "a fit, as cox and rate_ratios give it")
    arguments(weights=weights)
    w = np.zeros(len(fit.terms))
    for term, weight in weights.items():
        if term not in fit.terms:
            feature = term.partition("[")[0]
            if any(t.startswith(f"{feature}[") for t in fit.terms):
                raise NotTestable("nobody_at_risk", f"customers at risk in {term}")
            raise UnknownInTableError(term, fit.terms, what="term")
        w[fit.terms.index(term)] = weight
    if fit.unidentified.size and np.abs(w @ fit.unidentified).max() > _ROUNDING * np.abs(w).max():
        raise NotTestable(
            "no_fit", "a difference that what is held equal does not determine already"
        )
    value = float(w @ fit.coef)
    model = float(np.sqrt(w @ fit.covariance @ w))
    se = float(robust_error(fit.influence @ w)) if fit.clusters else model
    return estimate(
        float(np.exp(value)),
        se,
        scale="log",
        level=fit.level,
        se_model=model,
        clusters=fit.clusters,
    )


def over_range(table: RiskTable, name: str, ratio: Estimate) -> Estimate:
    """A ratio per moment, taken over the range of the count that customers have.

    From none to the 90th percentile over customer-days at risk, at least one moment and at most five.

    Args:
        table: the risk table of the fit.
        name: the feature that counts moments, such as ``bad``.
        ratio: per moment, on the logarithmic scale.

    Returns:
        The ratio to the power of the number of moments.

    Raises:
        EstimationError: no such feature.
    """
    days = exposure_by_level(table, name)
    known = [(float(v.removesuffix("+")), n) for v, n in days.items() if v[0].isdigit()]
    upto = np.cumsum([n for _, n in known])
    at = int(np.searchsorted(upto, 0.9 * upto[-1])) if len(upto) and upto[-1] > 0 else 0
    moments = min(max(known[at][0] if known else 1.0, 1.0), _MOST_MOMENTS)
    return replace(
        ratio,
        value=ratio.value**moments,
        low=ratio.low**moments,
        high=ratio.high**moments,
        se=ratio.se * moments,
        se_model=ratio.se_model * moments,
    )


def e_value(ratio: float) -> float:
    """How strongly something unseen would have to go with both, as a risk ratio, to explain a hazard ratio away.

    For a common outcome; ratios below 1 count as their inverse.

    Args:
        ratio: a hazard ratio, or the limit of one.

    Returns:
        A risk ratio of at least 1; infinite for a ratio of 0.

    References:
        VanderWeele & Ding (2017), Annals of Internal Medicine 167, 268-274.

    Example:
        >>> round(e_value(2.0), 2)
        2.61
    """
    hr = max(ratio, 1 / ratio) if ratio > 0 else math.inf
    if math.isinf(hr):
        return math.inf
    risk = (1 - 0.5 ** math.sqrt(hr)) / (1 - 0.5 ** math.sqrt(1 / hr))
    return float(risk + math.sqrt(risk * (risk - 1)))
