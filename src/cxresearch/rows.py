"""A risk table from (start, stop] rows made elsewhere: for data already in that form, and for checks against R."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.engines import GROUPS, Polars
from cxresearch.errors import EstimationError
from cxresearch.packing import narrow
from cxresearch.risk import FLOWS, Feature, RiskTable

Ints = NDArray[np.int64]


def from_rows(
    rows: pl.DataFrame,
    features: Sequence[str],
    *,
    cause: str = "event",
    causes: Sequence[str] = ("censored", "defection"),
    customer: str = "id",
    levels: Mapping[str, Sequence[str]] | None = None,
    grouped: bool = True,
) -> RiskTable:
    """Count rows into a risk table.

    Args:
        rows: start, stop (integers), the customer, the position of the event in `causes` (0 while still there), and the
            features. Each distinct value of a feature is a level; numbers stay usable as linear terms.
        features: the columns to keep.
        cause: the column of the event.
        causes: names of the events.
        customer: the column of the customer, also the cluster.
        levels: level order by feature, where sorting the values is not right.
        grouped: assign customers to the 100 groups that a jackknife needs; without, there is one group, and only
            model-based errors can be had.

    Raises:
        EstimationError: a row that does not end after it starts.
    """
    start, stop, event = (rows[c].cast(pl.Int64).to_numpy() for c in ("start", "stop", cause))
    if (start >= stop).any():
        raise EstimationError("every row must end after it starts: start < stop")
    distinct, who = _numbered(rows[customer])
    groups = _groups(distinct) if grouped else np.zeros(len(distinct), np.int64)
    group = groups[who]
    found, codes = (
        zip(*(_coded(rows[f], (levels or {}).get(f)) for f in features), strict=True) if features else ((), ())
    )
    last = np.zeros(len(groups), np.int64)
    np.maximum.at(last, who, stop)
    ended = np.where((event == 0) & (stop < last[who]), -1, event)  # a change of state is no end of follow-up
    sizes = [
        GROUPS,
        int(stop.max(initial=0)) - int(start.min(initial=0)) + 1,
        *(len(f.levels) for f in found),
    ]
    zero = int(start.min(initial=0))
    entered = _key([group, start - zero, *codes], sizes)
    left = _key([group, stop - zero, *codes], sizes)
    cells, place = np.unique(np.concatenate([entered, left]), return_inverse=True)
    comes, goes = place[: len(entered)], place[len(entered) :]
    numbers = [
        np.bincount(p, minlength=len(cells)) for p in (comes, goes, *(goes[ended == i] for i in range(len(causes))))
    ]
    columns = {}
    for name, a, b in zip(("group", "time", *features), (group, start, *codes), (group, stop, *codes), strict=True):
        columns[name] = np.empty(len(cells), np.int64)
        columns[name][comes], columns[name][goes] = a, b
    counts = dict(zip((*FLOWS, *causes), numbers, strict=True))
    flows = narrow(pl.DataFrame(columns | counts), list(counts))
    customers = np.bincount(groups, minlength=GROUPS)
    names = np.flatnonzero(customers)
    population = pl.DataFrame({"group": names, "customers": customers[names], "clusters": customers[names]})
    return RiskTable(flows, tuple(found), tuple(causes), "tenure", narrow(population, ["customers", "clusters"]))


def _groups(customers: pl.Series) -> Ints:
    """The group of every customer."""
    frame = nw.from_native(pl.LazyFrame({"cx_id": customers.cast(pl.String)}))
    return Polars().collect(Polars().group(frame, "cx_id"))["group"].to_numpy().astype(np.int64)


def _numbered(values: pl.Series) -> tuple[pl.Series, Ints]:
    """The distinct values in order, and the position of every value among them."""
    if values.dtype != pl.String:
        found, place = np.unique(values.to_numpy(), return_inverse=True)
        return pl.Series(values.name, found), place.astype(np.int64)
    distinct = values.unique().sort()
    return distinct, values.cast(pl.Enum(distinct)).to_physical().cast(pl.Int64).to_numpy()


def _coded(values: pl.Series, order: Sequence[str] | None) -> tuple[Feature, Ints]:
    """A feature and the position of every row's level."""
    distinct, rank = _numbered(values)
    names = [_text(v) for v in distinct.to_list()]
    wanted = list(order) if order else names
    place = np.array([wanted.index(n) for n in names], dtype=np.int64)
    return Feature(values.name, tuple(wanted)), place[rank]


def _key(parts: Sequence[Ints], sizes: Sequence[int]) -> Ints:
    """Several positions packed into one integer, the first the most significant."""
    key = np.zeros(len(parts[0]), np.int64)
    for part, size in zip(parts, sizes, strict=True):
        key = key * size + part
    return key


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
