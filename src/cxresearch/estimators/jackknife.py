"""Standard errors by leaving out one group of clusters at a time.

Reference:
    Kott (2001), The delete-a-group jackknife, Journal of Official Statistics 17, 521-526.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.engines import GROUPS
from cxresearch.errors import NotTestable
from cxresearch.estimators.results import Vector
from cxresearch.risk.table import RiskTable, balanced

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
    table.events(cause)  # names a wrong cause
    counted = np.bincount(
        table.flows["group"].to_numpy(), table.flows[cause].to_numpy(), minlength=1
    )
    result = np.flatnonzero(counted)
    events = pl.DataFrame({"group": result, "events": counted[result].astype(np.int64)})
    return table.coarsen(enough_bins(table.population, events, most))


def enough_clusters(table: RiskTable) -> bool:
    """Whether there are customers enough for a jackknife, however many of them have the event."""
    return int(table.population["clusters"].sum()) >= CHOICES[-1] * MIN_CLUSTERS


def enough_bins(population: pl.DataFrame, events: pl.DataFrame, most: int = GROUPS) -> int:
    """How many bins keep 20 clusters and 5 events in each.

    Args:
        population: rows group, customers, clusters.
        events: rows group, events.
        most: no more than this.

    Raises:
        NotTestable: fewer than 20.
    """
    own = dict(events.select("group", "events").iter_rows())
    groups_of, clusters = population["group"].to_list(), population["clusters"].to_numpy()
    happened = np.array([own.get(g, 0) for g in groups_of])
    for groups in (g for g in CHOICES if g <= most):
        bins = balanced(population, groups)
        place = np.array([bins[g] for g in groups_of], dtype=np.int64)
        least_clusters, least_events = (
            np.bincount(place, n, groups).min() for n in (clusters, happened)
        )
        if least_clusters >= MIN_CLUSTERS and least_events >= MIN_EVENTS:
            return groups
    raise NotTestable(
        "too_few",
        f"customers and events enough for an error: {CHOICES[-1]} groups of {MIN_CLUSTERS} customers and "
        f"{MIN_EVENTS} events each are needed, there are {clusters.sum():,} (of a household, one) and "
        f"{happened.sum():,} events in all",
    )


def jackknife(value: Vector, without: Callable[[int], Vector], groups: int) -> Jackknife:
    """Leave out each group once.

    Args:
        value: shape (p,): the estimate from all groups, on a scale where it is nearly normal.
        without: the estimate without group g, on the same scale.
        groups: how many.
    """
    replicates = np.array([without(g) for g in range(groups)]).reshape(groups, len(value))
    return Jackknife(value, replicates, jackknife_error(replicates))


def jackknife_error(replicates: NDArray[np.float64]) -> Vector:
    """The standard error, sqrt((G-1)/G · Σ (replicate - mean)²), of estimates without each of G groups.

    Args:
        replicates: shape (G, …): one row per group left out.
    """
    groups = len(replicates)
    spread = replicates - replicates.mean(axis=0)
    return np.asarray(np.sqrt((groups - 1) / groups * (spread**2).sum(axis=0)), dtype=np.float64)
