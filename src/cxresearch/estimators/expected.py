"""How many events one would expect in a cell if nothing mattered: the gate before any verdict."""

from __future__ import annotations

from math import prod

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError
from cxresearch.risk.table import RiskTable


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
    levels, flows = table.feature(feature).levels, table.flows
    if table.events(cause) == 0:
        raise EstimationError(f"the table has no events of the cause {cause!r}")
    first, last = (int(t) for t in flows.select(pl.col("time").min(), last=pl.col("time").max()).row(0))
    stratum = np.zeros(flows.height, dtype=np.int64)
    for name in strata:
        stratum = stratum * len(table.feature(name).levels) + flows[name].to_numpy()
    shape = (int(stratum.max()) + 1, last - first + 1, len(levels))
    place = (stratum * shape[1] + flows["time"].to_numpy() - first) * shape[2] + flows[feature].to_numpy()

    def counted(column: str) -> NDArray[np.float64]:
        return np.bincount(place, flows[column].to_numpy(), minlength=prod(shape)).astype(np.float64).reshape(shape)

    net = counted("entered") - counted("left")
    at_risk, events = np.cumsum(net, axis=1) - net, counted(cause)
    hazard = events.sum(axis=2) / np.maximum(at_risk.sum(axis=2), 1)
    expected = (at_risk * hazard[:, :, None]).sum(axis=(0, 1))
    return pl.DataFrame(
        {"level": list(levels), "expected": expected, "observed": events.sum(axis=(0, 1)).astype(np.int64)}
    )
