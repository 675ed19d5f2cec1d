"""Events and days at risk by interval of the clock, from the flows of a risk table.

Whoever enters at s and leaves at t is at risk on the days s+1 … t, t - s days in all; an interval (a, b] holds the days
a+1 … b.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError
from cxresearch.estimators.design import Layout
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable


def edges_of(table: RiskTable, breaks: Sequence[int]) -> tuple[int, ...]:
    """The edges of the intervals; the whole follow-up as one where no breaks are given.

    Raises:
        EstimationError: they do not rise, or lie beyond the follow-up; or nobody is at risk.
    """
    seen = table.flows.filter((pl.col("entered") > 0) | (pl.col("left") > 0))["time"]
    if seen.is_empty():
        raise EstimationError("the table has nobody at risk")
    first, last = int(seen.min()), int(seen.max())  # type: ignore[arg-type]
    edges = tuple(breaks) or (first, last)
    if any(isinstance(b, bool) or b % 1 != 0 for b in edges):
        raise EstimationError(f"breaks must be whole numbers on the {table.clock} clock, were {list(edges)}")
    edges = tuple(int(b) for b in edges)
    if len(edges) < 2 or any(a >= b for a, b in pairwise(edges)):
        raise EstimationError(f"breaks must rise and be at least two, such as (0, 30, 365); they were {list(edges)}")
    for edge, fine in ((edges[0], edges[0] >= min(first, 0)), (edges[-1], edges[-1] <= last)):
        if not fine:
            raise EstimationError(
                f"breaks must lie between {min(first, 0)} and {last} (the follow-up on the {table.clock} clock), "
                f"one was {edge}"
            )
    return edges


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Exposure and events, each of shape (G, strata, intervals, patterns), by group of the table."""

    groups: NDArray[np.int64]
    exposure: Array
    events: Array


def cells_of(laid: Layout, cause: str, edges: tuple[int, ...]) -> Cells:
    """Sum the flows of a table into cells.

    Args:
        laid: from `design.layout`.
        cause: whose events.
        edges: from `edges_of`.
    """
    flows, time = laid.flows, laid.flows["time"].to_numpy().astype(np.int64)
    groups, group = np.unique(flows["group"].to_numpy(), return_inverse=True)
    net = flows.select(pl.col("entered").cast(pl.Int64) - pl.col("left")).to_series().to_numpy().astype(np.float64)
    events = flows[cause].to_numpy().astype(np.float64)
    sizes = (len(groups), laid.strata.height, len(edges) - 1, laid.patterns.height)
    place = (group * sizes[1] + laid.stratum) * sizes[3] + laid.pattern
    total = sizes[0] * sizes[1] * sizes[3]

    def summed(weight: Array) -> Array:
        return np.bincount(place, weight, total).astype(np.float64).reshape(sizes[0], sizes[1], sizes[3])

    days = [summed(net * (b - np.clip(time, a, b))) for a, b in pairwise(edges)]
    exits = [summed(events * ((time > a) & (time <= b))) for a, b in pairwise(edges)]
    return Cells(groups, np.stack(days, axis=2), np.stack(exits, axis=2))


def stratum_names(table: RiskTable, laid: Layout) -> list[str]:
    """What each stratum is called."""
    features = [table.feature(s) for s in laid.strata.columns if s]
    rows = laid.strata.iter_rows(named=True)
    return [", ".join(f"{f.name}={f.levels[row[f.name]]}" for f in features) for row in rows]
