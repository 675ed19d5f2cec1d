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

from cxresearch.checks import arguments, instance
from cxresearch.errors import EstimationError, NotTestable, UnknownInTableError
from cxresearch.estimators.jackknife import jackknife
from cxresearch.estimators.results import CoxFit, Estimate, Vector, estimate
from cxresearch.risk.table import RiskTable


def attributable(table: RiskTable, fit: CoxFit, combine: Mapping[str, float]) -> Estimate:
    """A weighted sum of attributable fractions.

    In a product model HR(x⁰)/HR(x) depends on the level of the feature alone, so its events by level are all that is
    needed beside the coefficients.

    Args:
        table: the risk table that `fit` was made from.
        fit: from `cxresearch.cox` or `grouped_hazards`, with a jackknife; each feature in `combine` enters
            it as dummies of its own, against its first level.
        combine: feature to weight; ``{"neutral": 1, "bad": -1}`` is the difference of two fractions.

    Returns:
        The sum, on its own scale: a share of the defections, or a difference of such shares.

    Raises:
        EstimationError: a feature that is not in the model by itself, or a fit without a jackknife.
        NotTestable: nobody was ever above the first level of a feature.
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    instance("fit", fit, CoxFit, "a fit, as cox gives it")
    arguments(combine=combine)
    if not fit.groups:
        raise EstimationError("attributable needs a fit with a jackknife: errors='jackknife'")
    grouped = table.coarsen(fit.groups)
    parts = [(weight, *_events_and_places(grouped, fit, name)) for name, weight in combine.items()]

    def value(beta: Vector, without: int | None) -> Vector:
        total = 0.0
        for weight, events, places in parts:
            counts = events.sum(axis=0) - (0 if without is None else events[without])
            kept = sum(
                n * (1.0 if p < 0 else float(np.exp(-beta[p])))
                for n, p in zip(counts, places, strict=True)
            )
            total += weight * (1 - kept / counts.sum())
        return np.array([total])

    whole = value(fit.coef, None)
    result = jackknife(whole, lambda g: value(fit.replicates[g], g), fit.groups)
    return estimate(
        float(whole[0]), float(result.se[0]), scale="identity", level=fit.level, groups=fit.groups
    )


def _events_and_places(table: RiskTable, fit: CoxFit, name: str) -> tuple[np.ndarray, list[int]]:
    """Events by group and level of a feature, and the place of each level's coefficient (-1: the reference)."""
    own = [t for t in fit.terms if t.startswith(f"{name}[") and ":" not in t]
    if any(name in t for t in fit.terms if ":" in t):
        raise EstimationError(
            f"{name!r} is part of a product; its fraction is not defined by its own coefficients"
        )
    if not own:
        features = {t.partition("[")[0] for t in fit.terms}
        if name in {f.name for f in table.features}:
            raise NotTestable(
                "nobody_at_risk", f"customers at risk above the first level of {name}"
            )
        raise UnknownInTableError(name, features, what="feature")
    levels = table.feature(name).levels
    counted = table.only(name).flows.group_by("group", name).agg(pl.col(fit.cause).sum())
    events = np.zeros((fit.groups, len(levels)))
    for group, level, n in counted.iter_rows():
        events[group, level] = n
    return events, [
        fit.terms.index(f"{name}[{v}]") if f"{name}[{v}]" in own else -1 for v in levels
    ]
