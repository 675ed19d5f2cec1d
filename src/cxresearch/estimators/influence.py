"""Robust errors: how much each cluster of customers moves an estimate.

The influence of a cluster is the derivative of an estimate in the weight of all rows of that cluster (the infinitesimal
jackknife). Influences add up: the error of an estimate is the root of the sum of their squares over clusters, as R's
`survival` computes it, without a correction. A risk table keeps clusters apart up to 100,000 of them, and a hundred
groups of clusters above; the sum then goes over groups.

References:
    Lin & Wei (1989), The robust inference for the Cox proportional hazards model, JASA 84, 1074-1078; Efron (1982), The
    Jackknife, the Bootstrap and Other Resampling Plans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import NotTestable
from cxresearch.risk.table import RiskTable

Array = NDArray[np.float64]
_AT_ONCE = 2_000_000  # numbers in the largest array of a batch of rows


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Whom a sum of squares goes over.

    Attributes:
        size: how many clusters, or groups of clusters.
        df: degrees of freedom of the t distribution: those with an event, less one.
        by: ``clusters``, or ``groups`` of clusters where there are too many to keep them apart.
    """

    size: int
    df: int
    by: str


def clusters_of(table: RiskTable, causes: Sequence[str]) -> Clusters:
    """The clusters of a table, and the degrees of freedom that their events give.

    Args:
        table: whose estimate is asked for.
        causes: the events that it rests on.

    Raises:
        EstimationError: no such cause.
        NotTestable: all events are those of one cluster.
    """
    events = sum((table.events(c) for c in causes), 0)
    happened = np.logical_or.reduce([table.flows[c].to_numpy() > 0 for c in causes])
    with_event = table.flows["group"].to_numpy()[happened]
    return counted_clusters(table.population, len(np.unique(with_event)), events)


def counted_clusters(population: pl.DataFrame, with_event: int, events: int) -> Clusters:
    """The same, of clusters with an event that are counted already.

    Args:
        population: rows group, customers, clusters.
        with_event: how many groups have an event.
        events: how many there are.

    Raises:
        NotTestable: all events are those of one group.
    """
    if with_event < 2:
        raise NotTestable(
            "too_few",
            f"an interval: {events:,} events of {with_event} customers (of a household, one)",
        )
    by = "groups" if population.height and int(population["clusters"].max()) > 1 else "clusters"  # type: ignore[arg-type]
    return Clusters(population.height, with_event - 1, by)


def places(population: pl.DataFrame, group: pl.Series) -> NDArray[np.int64]:
    """The position of each row's group among the groups of a table, both ascending."""
    known, values = population["group"].to_numpy(), group.to_numpy()
    if not len(known) or not len(values):
        return np.zeros(len(values), np.int64)
    least, most = int(known[0]), int(known[-1])
    if most - least > 4 * len(values):  # numbers far apart
        return np.searchsorted(known.astype(np.int64), values.astype(np.int64))
    numbers = np.zeros(most - least + 1, np.int64)
    numbers[known.astype(np.int64) - least] = np.arange(len(known))
    return np.asarray(numbers[values.astype(np.int64) - least])


def add_up(
    place: NDArray[np.int64], size: int, width: int, contributions: Callable[[slice], Array]
) -> Array:
    """Sum what rows contribute by group, a batch of rows at a time.

    Args:
        place: shape (F,): the group of each row, ascending.
        size: G, how many groups there are.
        width: k, numbers that a row contributes.
        contributions: of a slice of b rows, shape (b, k).

    Returns:
        Shape (G, k).
    """
    total = np.zeros((size, width))
    step = max(1, _AT_ONCE // max(width, 1))
    for start in range(0, len(place), step):
        part = slice(start, min(start + step, len(place)))
        group = place[part]
        first = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
        total[group[first]] += np.add.reduceat(contributions(part), first, axis=0)
    return total


def robust_error(influence: Array) -> Array:
    """The standard error: the root of the sum of squares over clusters.

    Args:
        influence: shape (G,) or (G, k).

    Returns:
        Shape () or (k,).
    """
    return np.asarray(np.sqrt((influence**2).sum(axis=0)), dtype=np.float64)
