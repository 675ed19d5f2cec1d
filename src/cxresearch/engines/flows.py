"""Who comes and who goes: rows (start, stop] counted by time and columns of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.engines.packing import (
    Packing,
    bounds_of,
    downcast,
    packing_for_bounds,
    runs,
    sums,
)

if TYPE_CHECKING:
    from cxresearch.engines.base import Engine, Frame

FLOWS = ("entered", "left")
_ENTERED, _CHANGED = (
    0,
    1,
)  # a row begins; it ends and the customer goes on in another; causes follow


def flows_by_query(
    engine: Engine, frame: Frame, columns: Sequence[str], causes: Sequence[str]
) -> pl.DataFrame:
    """`Engine.flows` by a query."""
    keys = (columns[0], "time", *columns[1:])
    entered = frame.with_columns(time=nw.col("start"), flow=nw.lit(_ENTERED))
    left = frame.with_columns(time=nw.col("stop"), flow=nw.col("event") + _CHANGED + 1)
    moves = [f.select(nw.col(*keys, "flow").cast(nw.Int32)) for f in (entered, left)]
    counted = engine.tally(nw.concat(moves, how="vertical"), (*keys, "flow"))
    flow, rows = pl.col("flow"), pl.col("rows").cast(pl.Int64)
    flows = counted.select(
        *keys,
        entered=rows * (flow == _ENTERED),
        left=rows * (flow != _ENTERED),
        **{cause: rows * (flow == _CHANGED + 1 + i) for i, cause in enumerate(causes)},
    )
    return sums(flows, keys, (*FLOWS, *causes))


def count_flows(
    frame: pl.DataFrame, columns: Sequence[str], causes: Sequence[str]
) -> pl.DataFrame | None:
    """`Engine.flows` of a frame in memory, by one sort; None where 63 bits do not hold a row.

    A row is one integer when it begins and one when it ends: the columns and the time, and in the lowest bits what
    happens. Rows lie in the order of customers and time, and so do the integers, nearly: a merge sort takes a fifth of
    the time.
    """
    pack = _packing(frame, columns)
    bits = (len(causes) + _CHANGED).bit_length()
    if pack is None or sum(pack.bits) + bits > 63:
        return None
    keys = _moves(frame, pack, bits)
    keys.sort(kind="stable")
    flow = keys.astype(np.int8) & ((1 << bits) - 1)
    keys >>= bits
    starts = runs(keys)
    until = np.append(starts, len(keys))
    is_entry = flow == _ENTERED
    entered = np.add.reduceat(is_entry, starts, dtype=np.int64)
    ended = np.flatnonzero(flow > _CHANGED)
    at = np.searchsorted(starts, ended, "right") - 1
    events = [
        np.bincount(at[flow[ended] == _CHANGED + 1 + i], minlength=len(starts))
        for i in range(len(causes))
    ]
    counts = {
        "entered": entered,
        "left": np.diff(until) - entered,
        **dict(zip(causes, events, strict=True)),
    }
    moved = pl.DataFrame(counts)
    return pack.unpack_narrow(keys[starts]).hstack(downcast(moved, list(counts)))


def _packing(frame: pl.DataFrame, columns: Sequence[str]) -> Packing | None:
    """How to pack the columns, with the time after the first of them."""
    if not frame.height:
        return None
    bounds = bounds_of(frame, ("start", "stop", *columns))
    first, *others = columns
    time = (bounds["start"][0], bounds["stop"][1])
    return packing_for_bounds(
        {first: bounds[first], "time": time, **{c: bounds[c] for c in others}}
    )


def _moves(frame: pl.DataFrame, pack: Packing, bits: int) -> NDArray[np.int64]:
    """Two integers a row: it begins, it ends."""
    base = np.zeros(frame.height, np.int64)
    least = dict(zip(pack.columns, pack.low, strict=True))
    for name in pack.columns:
        if name != "time":
            base += (_integers(frame, name) - least[name]) << pack.bits_below(name)
    below = pack.bits_below("time")
    start, stop = (
        ((_integers(frame, c) - least["time"]) << below) + base << bits for c in ("start", "stop")
    )
    return np.concatenate([start, stop + _integers(frame, "event") + _CHANGED + 1])


def _integers(frame: pl.DataFrame, column: str) -> Any:
    return frame[column].to_numpy().astype(np.int64)
