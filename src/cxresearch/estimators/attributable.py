"""The share of defections that goes with some moments: attributable fractions from a fitted model.

1 - (1/D) Σ over the D defections of HR(x⁰)/HR(x), where x⁰ is the same pattern with only the moments in question at
their reference. A share of hazard, not of preventable defections; it is negative where the moments protect.

Reference:
    Bruzzi, Green, Byar, Brinton & Schairer (1985), American Journal of Epidemiology 122, 904-914.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from cxresearch.errors import EstimationError, NotTestable, UnknownInTableError
from cxresearch.estimators.influence import places, robust_error
from cxresearch.estimators.results import CoxFit, Estimate, estimate
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, instance


def attributable(table: RiskTable, fit: CoxFit, weights: Mapping[str, float]) -> Estimate:
    """A weighted sum of attributable fractions.

    In a product model HR(x⁰)/HR(x) depends on the level of the feature alone, so its events by level are all that is
    needed besides the coefficients.

    Args:
        table: the risk table that `fit` was made from.
        fit: from `cxresearch.cox` or `grouped_hazards`, with robust errors; each feature in `weights` enters
            it as separate dummies, against its first level.
        weights: feature to weight; ``{"neutral": 1, "bad": -1}`` is the difference of two fractions.

    Returns:
        The sum as it is: a share of the defections, or a difference of such shares.

    Raises:
        EstimationError: a feature that is not in the model by itself, or a fit without robust errors.
        NotTestable: nobody was ever above the first level of a feature.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> print(cx.attributable(table, cx.cox(table, ["bad"]), {"bad": 1}))
        0.269 (0.199 to 0.34)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    instance("fit", fit, CoxFit, "a fit, as cox gives it")
    arguments(weights=weights)
    if fit.clusters is None:
        raise EstimationError("attributable needs a fit with robust errors: errors='robust'")
    total, influence = 0.0, np.zeros(len(fit.influence))
    for name, weight in weights.items():
        events, terms = _events_and_places(table, fit, name)
        without = np.array([1.0 if p < 0 else float(np.exp(-fit.coef[p])) for p in terms])
        by_level = events.sum(axis=0)
        kept, n = float(by_level @ without), float(by_level.sum())
        total += weight * (1 - kept / n)
        # by the coefficients, and by whose events there are
        for count, p, ratio in zip(by_level, terms, without, strict=True):
            if p >= 0:
                influence += weight * count * ratio / n * fit.influence[:, p]
        influence -= weight * (events @ without - events.sum(axis=1) * kept / n) / n
    return estimate(
        total,
        float(robust_error(influence)),
        scale="identity",
        level=fit.level,
        clusters=fit.clusters,
    )


def _events_and_places(table: RiskTable, fit: CoxFit, name: str) -> tuple[np.ndarray, list[int]]:
    """Events by cluster and level of a feature, and the place of each level's coefficient (-1: the reference)."""
    dummies = [t for t in fit.terms if t.startswith(f"{name}[") and ":" not in t]
    if any(name in t for t in fit.terms if ":" in t):
        raise EstimationError(
            f"{name!r} is part of a product; its fraction is not defined by its own coefficients"
        )
    if not dummies:
        features = {t.partition("[")[0] for t in fit.terms}
        if name in {f.name for f in table.features}:
            raise NotTestable(
                "nobody_at_risk", f"customers at risk above the first level of {name}"
            )
        raise UnknownInTableError(name, features, what="feature")
    levels = table.feature(name).levels
    flows = table.flows.filter(pl.col(fit.cause) > 0)
    cell = places(table.population, flows["group"]) * len(levels) + flows[name].to_numpy()
    events = np.bincount(cell, flows[fit.cause].to_numpy(), table.groups * len(levels))
    return events.reshape(table.groups, len(levels)), [
        fit.terms.index(f"{name}[{v}]") if f"{name}[{v}]" in dummies else -1 for v in levels
    ]
