"""How many events one would expect in a cell if nothing mattered: the gate before any verdict."""

from __future__ import annotations

import numpy as np
import polars as pl

from cxresearch.estimators.design import design
from cxresearch.risk import RiskTable


def expected_events(
    table: RiskTable, feature: str, cause: str = "defection", strata: tuple[str, ...] = ()
) -> pl.DataFrame:
    """Exposure times the pooled hazard of each stratum and time, by level of a feature.

    Zero observed where many are expected is evidence; few expected is none, whatever was observed.

    Args:
        table: a risk table.
        feature: whose levels.
        cause: the event.
        strata: features whose levels have a hazard each.

    Returns:
        One row per level: level, expected, observed.

    Raises:
        EstimationError: an unknown feature or cause, or no events at all.
    """
    levels = table.feature(feature).levels
    table = table.only(feature, *strata)
    d = design(table, [feature], strata, cause)
    hazard = d.events.sum(axis=1) / np.maximum(d.sets.total(np.ones(len(d.x))), 1)
    codes = table.flows.select(feature).unique().sort(feature)[feature].to_list()
    expected = dict(zip(codes, d.sets.by_pattern(hazard), strict=True))
    observed = dict(zip(codes, d.events.sum(axis=0), strict=True))
    return pl.DataFrame(
        {
            "level": list(levels),
            "expected": [float(expected.get(i, 0.0)) for i in range(len(levels))],
            "observed": [int(observed.get(i, 0)) for i in range(len(levels))],
        }
    )
