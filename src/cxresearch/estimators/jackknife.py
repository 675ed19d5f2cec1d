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
from cxresearch.risk import RiskTable, balanced

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
    events = table.flows.group_by("group").agg(events=pl.col(cause).sum())
    choice = enough_bins(table.population, events, most)
    return table.coarsen(choice)


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
    both = population.join(events, on="group", how="left").fill_null(0)
    for groups in (g for g in CHOICES if g <= most):
        bins = pl.col("group").replace_strict(balanced(population, groups), return_dtype=pl.Int64)
        sums = both.with_columns(bins).group_by("group").agg(pl.col("clusters", "events").sum())
        enough = (pl.col("clusters") >= MIN_CLUSTERS) & (pl.col("events") >= MIN_EVENTS)
        if sums.filter(enough).height == groups:
            return groups
    raise NotTestable(
        f"customers and events enough for an error: {CHOICES[-1]} groups of {MIN_CLUSTERS} customers and "
        f"{MIN_EVENTS} events each are needed, there are {both['clusters'].sum():,} (of a household, one) and "
        f"{both['events'].sum():,} events in all"
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
