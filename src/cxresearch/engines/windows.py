"""Walking along a customer's rows in time: a window for lazy engines, a sort and a comparison for eager Polars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.engines.packing import packed, packing, runs

if TYPE_CHECKING:
    Frame = nw.LazyFrame[Any]

Fold = Literal[
    "sum", "last", "min"
]  # how a column runs along a customer; `last` is the greatest within one tick
_NOTHING = 2**62  # no value is that far from 0


class Along:
    """Walking along a customer's rows: a window over (customer, order). For lazy engines."""

    def __init__(self, *order: str) -> None:
        self.order = list(order)

    def prepare(self, frame: Frame) -> Frame:
        """The frame, made ready for the walk."""
        return frame

    def _over(self, e: nw.Expr) -> nw.Expr:
        return e.over("customer", order_by=self.order)

    def shift(self, column: str, n: int) -> nw.Expr:
        """The value n rows earlier (later, if negative) of the same customer; null where there is none."""
        return self._over(nw.col(column).shift(n))

    def sum(self, column: str) -> nw.Expr:
        """The running sum; a null adds nothing."""
        return self._over(nw.col(column).fill_null(0).cum_sum()).cast(nw.Int64)

    def last(self, column: str) -> nw.Expr:
        """The last value so far that is not null."""
        return self._over(nw.col(column).fill_null(strategy="forward"))

    def min(self, column: str) -> nw.Expr:
        """The least value so far; null where the row itself has none, so follow it with `last`."""
        return self._over(nw.col(column).cum_min())

    def gather(self, frame: Frame, how: Mapping[str, Fold]) -> Frame:
        """One row per customer and tick, made ready for the walk: of each column the sum, the greatest or the least."""
        gathered = {"sum": lambda c: c.sum(), "last": lambda c: c.max(), "min": lambda c: c.min()}
        columns = [gathered[fold](nw.col(c)).cast(nw.Int64).alias(c) for c, fold in how.items()]
        return self.prepare(frame.group_by("customer", *self.order).agg(*columns))

    def merge(self, frames: Mapping[str, Frame]) -> Frame:
        """One row per customer and tick of any frame, each column carried forward; made ready for the walk.

        Every frame must have a value at one tick that all share; before it, the columns mean nothing.

        Args:
            frames: name of a column to the frame that has it, with one row per customer and tick.
        """
        x = self.gather(
            nw.concat(list(frames.values()), how="diagonal"), dict.fromkeys(frames, "last")
        )
        return x.with_columns(**{c: self.last(c) for c in frames})


class AlongSorted(Along):
    """The same for eager Polars: sort once, then a neighbour belongs to the same customer or it does not."""

    def prepare(self, frame: Frame) -> Frame:
        """The frame sorted by customer and order; by one packed key where it fits, in a tenth of the time."""
        native = nw.to_native(frame)
        pack = packing(native, ("customer", *self.order))
        if pack is None:
            return frame.sort("customer", *self.order)
        key = packed(native, pack)
        if (key[1:] >= key[:-1]).all():
            return frame
        result: Frame = nw.from_native(native[np.argsort(key)])
        return result

    def gather(self, frame: Frame, how: Mapping[str, Fold]) -> Frame:
        """As `Along.gather`: sorted, then the rows of a tick lie side by side."""
        native = nw.to_native(frame)
        pack = packing(native, ("customer", *self.order))
        if pack is None:
            return super().gather(frame, how)
        key = packed(native, pack)
        order = np.argsort(key)
        starts = runs(key[order])
        rows = native.select("customer", *self.order)[order[starts]]
        columns = [_reduced(native[c], order, starts, fold) for c, fold in how.items()]
        result: Frame = nw.from_native(rows.with_columns(columns))
        return result

    def shift(self, column: str, n: int) -> nw.Expr:
        """As `Along.shift`."""
        return nw.when(nw.col("customer") == nw.col("customer").shift(n)).then(
            nw.col(column).shift(n)
        )

    def sum(self, column: str) -> nw.Expr:
        """As `Along.sum`: the running sum of all, less what it was where the customer begins."""
        value = nw.col(column).fill_null(0).cast(nw.Int64)
        first = nw.col("customer").shift(1).is_null() | (
            nw.col("customer") != nw.col("customer").shift(1)
        )
        before = nw.when(first).then(value.cum_sum() - value).fill_null(strategy="forward")
        return value.cum_sum() - before

    def last(self, column: str) -> nw.Expr:
        """As `Along.last`: the last value of all, if it belongs to the customer."""
        owner = (
            nw.when(~nw.col(column).is_null())
            .then(nw.col("customer"))
            .fill_null(strategy="forward")
        )
        return nw.when(owner == nw.col("customer")).then(
            nw.col(column).fill_null(strategy="forward")
        )

    def merge(self, frames: Mapping[str, Frame]) -> Frame:
        """As `Along.merge`: at each tick of any frame, its own last one, by the places of its ticks among all."""
        natives = {name: nw.to_native(frame) for name, frame in frames.items()}
        columns = ("customer", *self.order)
        pack = packing(pl.concat([x.select(columns) for x in natives.values()]), columns)
        if pack is None:
            return super().merge(frames)
        keys = {name: packed(x, pack) for name, x in natives.items()}
        every = np.concatenate(list(keys.values()))
        every.sort(kind="stable")  # several sorted runs
        ticks = every[runs(every)]
        levels = []
        for name, x in natives.items():
            key, column = keys[name], x[name]
            if not (key[1:] >= key[:-1]).all():
                order = np.argsort(key)
                key, column = key[order], column[order]
            has_own = np.zeros(len(ticks), np.int64)
            has_own[np.searchsorted(ticks, key)] = 1
            levels.append(column[np.maximum(np.cumsum(has_own) - 1, 0)])
        first = next(iter(natives.values()))
        rows = pack.unpack(ticks).cast({c: first.schema[c] for c in columns})
        result: Frame = nw.from_native(rows.with_columns(levels))
        return result

    def _over(self, e: nw.Expr) -> nw.Expr:
        return e.over("customer")


def _reduced(
    column: pl.Series, order: NDArray[np.int64], starts: NDArray[np.int64], fold: Fold
) -> pl.Series:
    """The sum, the greatest or the least of every run of rows; null where a run has no value."""
    nothing = {"sum": 0, "last": -_NOTHING, "min": _NOTHING}[fold]
    reduce = {"sum": np.add, "last": np.maximum, "min": np.minimum}[fold]
    values = column.cast(pl.Int64).fill_null(nothing).to_numpy()
    result = pl.Series(column.name, reduce.reduceat(values[order], starts))
    return result if fold == "sum" else result.set(result == nothing, None)
