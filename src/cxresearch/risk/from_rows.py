"""A risk table from (start, stop] rows made elsewhere: for data already in that form, and for checks against R."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.engines import MANY_CLUSTERS, Polars
from cxresearch.engines.packing import downcast
from cxresearch.errors import EstimationError
from cxresearch.risk.table import Feature, RiskTable

Ints = NDArray[np.int64]


def from_rows(
    rows: pl.DataFrame,
    features: Sequence[str],
    *,
    cause: str = "event",
    causes: Sequence[str] = ("censored", "defection"),
    customer: str = "id",
    levels: Mapping[str, Sequence[str]] | None = None,
    cluster: str | None = None,
    grouped: bool = True,
) -> RiskTable:
    """Count rows into a risk table.

    Args:
        rows: start, stop (integers), the customer, the position of the event in `causes` (0 while still there), and the
            features. Each distinct value of a feature is a level; numbers stay usable as linear terms.
        features: the columns to keep.
        cause: the column of the event.
        causes: names of the events.
        customer: the column of the customer.
        levels: level order by feature, where sorting the values is not right.
        cluster: the column of what customers share, such as a household; each customer apart when not given.
        grouped: keep clusters apart (above 100,000 of them, a hundred groups of clusters), as robust errors need;
            without, there is one group, and only model-based errors can be had. Clusters are numbered within the rows,
            so tables of different rows add up only without.

    Raises:
        EstimationError: a row that does not end after it starts.
    """
    start, stop, event = (rows[c].cast(pl.Int64).to_numpy() for c in ("start", "stop", cause))
    if (start >= stop).any():
        raise EstimationError("every row must end after it starts: start < stop")
    distinct, who = _numbered(rows[customer])
    shared, member = (distinct, who) if cluster is None else _numbered(rows[cluster])
    of_cluster = (
        np.zeros(len(shared), np.int64)
        if not grouped
        else np.arange(len(shared))
        if len(shared) <= MANY_CLUSTERS
        else _groups(shared)
    )
    group = of_cluster[member]
    result, codes = (
        zip(*(_coded(rows[f], (levels or {}).get(f)) for f in features), strict=True)
        if features
        else ((), ())
    )
    last = np.full(len(distinct), np.iinfo(np.int64).min)
    np.maximum.at(last, who, stop)
    ended = np.where(
        (event == 0) & (stop < last[who]), -1, event
    )  # a change of state is no end of follow-up
    states = dict(zip(("group", *features), (group, *codes), strict=True))
    moves = pl.DataFrame(states | {"start": start, "stop": stop, "event": ended})
    flows = Polars().flows(nw.from_native(moves), ("group", *features), causes)
    people = pl.DataFrame({"group": group, "customer": who, "cluster": member})
    population = (
        people.group_by("group")
        .agg(customers=pl.col("customer").n_unique(), clusters=pl.col("cluster").n_unique())
        .with_columns(pl.col("customers", "clusters").cast(pl.Int64))
        .sort("group")
    )
    return RiskTable(
        flows=flows,
        features=tuple(result),
        causes=tuple(causes),
        clock="tenure",
        population=downcast(population, ["customers", "clusters"]),
    )


def _groups(customers: pl.Series) -> Ints:
    """The group of every cluster."""
    frame = nw.from_native(pl.LazyFrame({"cx_id": customers.cast(pl.String)}))
    return Polars().collect(Polars().group(frame, "cx_id"))["group"].to_numpy().astype(np.int64)


def _numbered(values: pl.Series) -> tuple[pl.Series, Ints]:
    """The distinct values in order, and the position of every value among them."""
    if values.dtype == pl.String:
        distinct = values.unique().sort()
        return distinct, values.cast(pl.Enum(distinct)).to_physical().cast(pl.Int64).to_numpy()
    held = values.to_numpy()
    if (
        values.dtype.is_integer()
        and len(held)
        and int(held.max()) - int(held.min()) < 4 * len(held)
    ):
        least = int(held.min())  # close together: a place for each number that may be
        seen = np.bincount(held.astype(np.int64) - least) > 0
        return pl.Series(values.name, np.flatnonzero(seen) + least), (np.cumsum(seen) - 1)[
            held - least
        ]
    result, place = np.unique(held, return_inverse=True)
    return pl.Series(values.name, result), place.astype(np.int64)


def _coded(values: pl.Series, order: Sequence[str] | None) -> tuple[Feature, Ints]:
    """A feature and the position of every row's level."""
    distinct, rank = _numbered(values)
    names = [_text(v) for v in distinct.to_list()]
    wanted = list(order) if order else names
    place = np.array([wanted.index(n) for n in names], dtype=np.int64)
    return Feature(values.name, tuple(wanted), is_covariate=True), place[rank]


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
