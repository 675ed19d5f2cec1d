"""Standard errors by leaving out one group of clusters at a time.

Reference:
    Kott (2001), The delete-a-group jackknife, Journal of Official Statistics 17, 521-526.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxresearch.engines import GROUPS
from cxresearch.errors import NotTestable
from cxresearch.estimators.intervals import SCALES, quantile
from cxresearch.estimators.results import Estimate, Vector
from cxresearch.risk_table import RiskTable

MIN_CLUSTERS, MIN_EVENTS = 20, 5  # in every group
CHOICES = (100, 50, 25, 20)


@dataclass(frozen=True, slots=True, eq=False)
class Jackknife:
    """A vector with its replicates.

    Attributes:
        value: shape (p,): from all groups.
        replicates: shape (G, p): without each group.
        se: shape (p,): sqrt((G-1)/G · Σ (replicate - mean)²).
    """

    value: Vector
    replicates: NDArray[np.float64]
    se: Vector

    @property
    def groups(self) -> int:
        """How many groups."""
        return len(self.replicates)


def enough_groups(table: RiskTable, cause: str, most: int = GROUPS) -> RiskTable:
    """The table with as many groups, at most `most`, as keep 20 clusters and 5 events in each.

    Raises:
        NotTestable: fewer than 20 such groups can be made.
    """
    events = table.flows.group_by("group").agg(events=_total(table, cause))
    both = table.population.join(events, on="group", how="left").fill_null(0)
    group, clusters, counts = (both[c].to_numpy() for c in ("group", "clusters", "events"))
    for groups in (g for g in CHOICES if g <= most):
        by_group = [np.bincount(group % groups, weights=w, minlength=groups) for w in (clusters, counts)]
        if by_group[0].min() >= MIN_CLUSTERS and by_group[1].min() >= MIN_EVENTS:
            return table.coarsen(groups)
    raise NotTestable(
        f"customers and events enough for an error: 20 groups of {MIN_CLUSTERS} customers and {MIN_EVENTS} events each "
        f"are needed, there are {int(clusters.sum()):,} customers and {int(counts.sum()):,} events in all"
    )


def jackknife(value: Vector, without: Callable[[int], Vector], groups: int) -> Jackknife:
    """Leave out each group once.

    Args:
        value: shape (p,): the estimate from all groups, on a scale where it is nearly normal.
        without: the estimate without group g, on the same scale.
        groups: how many.
    """
    replicates = np.array([without(g) for g in range(groups)]).reshape(groups, len(value))
    spread = replicates - replicates.mean(axis=0)
    return Jackknife(value, replicates, np.sqrt((groups - 1) / groups * (spread**2).sum(axis=0)))


def estimate(
    value: float, se: float, *, scale: str, level: float, groups: int, se_model: float = float("nan")
) -> Estimate:
    """An `Estimate` from a value on its natural scale and an error on `scale`."""
    forward, back = SCALES[scale]
    middle, half = forward(value), quantile(level, groups) * se
    return Estimate(value, back(middle - half), back(middle + half), level, se, se_model, scale, groups)


def _total(table: RiskTable, cause: str) -> object:
    import polars as pl

    table.events(cause)  # names a wrong cause
    return pl.col(cause).sum()
