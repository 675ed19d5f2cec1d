"""Walking along a customer's rows in time: a window for lazy engines, a sort and a comparison for eager Polars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.engines.packing import (
    Packing,
    bounds_of,
    packed,
    packing,
    packing_for_bounds,
    runs,
)

if TYPE_CHECKING:
    Frame = nw.LazyFrame[Any]

Fold = Literal[
    "sum", "last", "min"
]  # how a column runs along a customer; `last` is the greatest within one tick
_NOTHING = 2**62  # no value is that far from 0
Ints = NDArray[np.int64]


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

    def walk(self, frames: Sequence[Frame], how: Mapping[str, Fold]) -> Frame:
        """One row per customer and tick of any frame, each column run along the customer by its fold.

        Args:
            frames: with customer, the order, and any of the columns.
            how: the columns of the result, in this order.
        """
        x = self.gather(nw.concat(list(frames), how="diagonal"), how)
        running = {"sum": self.sum, "last": self.last, "min": self.min}
        x = x.with_columns(**{c: running[fold](c) for c, fold in how.items()})
        least = [c for c, fold in how.items() if fold == "min"]
        return x.with_columns(**{c: self.last(c) for c in least}) if least else x

    def changes(self, frame: Frame, column: str) -> Frame:
        """The rows at which a column differs from the row before; a customer's first row always does."""
        x = frame.with_columns(cx_before=self.shift(column, 1))
        before = nw.col("cx_before")
        return x.filter(before.is_null() | (nw.col(column) != before)).drop("cx_before")

    def members(self, frame: Frame, *columns: str) -> Frame:
        """The customers that have rows, each with the columns, which are the same in all of its rows."""
        return frame.select("customer", *columns).unique()

    def spans(self, states: Frame, bounds: Frame) -> Frame:
        """The rows (start, stop] in which states hold: each from its tick to the next one, within a customer's bounds.

        Args:
            states: customer, tick and columns, in the order of a walk; a state holds from its tick on.
            bounds: a row per customer: ``cx_first`` and ``cx_end``, the ticks between which it counts; ``cx_origin``,
                the tick at which its clock begins; ``event``, what happens at the end; and other columns.

        Returns:
            The columns of both with start and stop counted from the origin, and ``event`` in the row that ends at the
            customer's end, -1 in others. Without the customers that have no bounds. Rows with start = stop are states
            reached at the end.
        """
        x = states.with_columns(stop=self.shift("tick", -1)).join(bounds, on="customer")
        first, end = nw.col("cx_first"), nw.col("cx_end")
        x = x.with_columns(stop=nw.min_horizontal(nw.coalesce("stop", "cx_end"), "cx_end"))
        x = x.filter(
            (nw.col("tick") <= end) & ((nw.col("tick") >= first) | (nw.col("stop") > first))
        )
        x = x.with_columns(tick=nw.max_horizontal("tick", "cx_first"))
        ends = (nw.col("stop") == end) & (nw.col("tick") < end)
        x = x.with_columns(
            start=(nw.col("tick") - nw.col("cx_origin")).cast(nw.Int64),
            stop=(nw.col("stop") - nw.col("cx_origin")).cast(nw.Int64),
            event=nw.when(ends).then(nw.col("event")).otherwise(nw.lit(-1)).cast(nw.Int32),
        )
        return x.drop("tick", "cx_first", "cx_end", "cx_origin")

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

    def walk(self, frames: Sequence[Frame], how: Mapping[str, Fold]) -> Frame:
        """As `Along.walk`: sorted, the rows of a tick put together, and running sums and places of the last values."""
        natives = [nw.to_native(frame) for frame in frames]
        keyed = _keys(natives, ("customer", *self.order))
        if keyed is None:
            return super().walk(frames, how)
        key, pack = keyed
        order = np.argsort(key, kind="stable")  # of several sorted runs
        key = key[order]
        starts = runs(key)
        ticks = key[starts]
        first = _firsts(ticks >> pack.bits_below("customer"))
        columns = []
        for name, fold in how.items():
            nothing = 0 if fold == "sum" else _nothing(fold)
            values, at = np.full(len(key), nothing), 0
            for x in natives:
                if name in x.columns:
                    values[at : at + x.height] = (
                        x[name].cast(pl.Int64).fill_null(nothing).to_numpy()
                    )
                at += x.height
            reduced = _REDUCE[fold].reduceat(values[order], starts)
            columns.append(_run_along(name, reduced, first, fold))
        kinds = natives[0].schema
        rows = pack.unpack(ticks).cast({c: kinds[c] for c in pack.columns})
        return _framed(rows.with_columns(columns))

    def changes(self, frame: Frame, column: str) -> Frame:
        """As `Along.changes`."""
        native = nw.to_native(frame)
        if native[column].null_count() or not native.height:
            return super().changes(frame, column)
        values, customer = native[column].to_numpy(), native["customer"].to_numpy()
        differs = np.ones(native.height, bool)
        differs[1:] = (values[1:] != values[:-1]) | (customer[1:] != customer[:-1])
        return _framed(native.filter(differs))

    def members(self, frame: Frame, *columns: str) -> Frame:
        """As `Along.members`: of rows of one customer that lie side by side, the first is enough."""
        native = nw.to_native(frame).select("customer", *columns)
        customer = native["customer"].to_numpy()
        is_first = np.ones(native.height, bool)
        np.not_equal(customer[1:], customer[:-1], out=is_first[1:])
        return super().members(_framed(native.filter(is_first)), *columns)

    def spans(self, states: Frame, bounds: Frame) -> Frame:
        """As `Along.spans`: a customer's bounds are looked up by its number."""
        native, who = nw.to_native(states), nw.to_native(bounds)
        needed = who.select("customer", "cx_first", "cx_end", "cx_origin", "event")
        numbers = native["customer"]
        if not (native.height and who.height) or any(needed.null_count().row(0)):
            return super().spans(states, bounds)
        least, most = bounds_of(who, ("customer",))["customer"]
        if most - least > 8 * who.height + native.height:  # numbers that are none
            return super().spans(states, bounds)
        places = np.full(most - least + 1, -1)
        places[who["customer"].to_numpy() - least] = np.arange(who.height)
        customer = numbers.to_numpy().astype(np.int64)
        tick = native["tick"].to_numpy().astype(np.int64)
        is_within = (customer >= least) & (customer <= most)
        place = places[np.where(is_within, customer, least) - least]
        is_there = is_within & (place >= 0)
        first, end, origin, event = (
            needed[c].to_numpy().astype(np.int64)[place]
            for c in ("cx_first", "cx_end", "cx_origin", "event")
        )
        stop = end.copy()
        goes_on = np.flatnonzero(customer[1:] == customer[:-1])
        stop[goes_on] = np.minimum(tick[goes_on + 1], end[goes_on])
        counts = is_there & (tick <= end) & ((tick >= first) | (stop > first))
        tick = np.maximum(tick, first)
        event = np.where((stop == end) & (tick < end), event, -1).astype(np.int32)
        made = {"start": tick - origin, "stop": stop - origin, "event": event}
        carried = [c for c in who.columns if c not in {"customer", "event", *_BOUNDS}]
        kept = np.flatnonzero(counts)
        result = native.drop("tick")[kept].with_columns(who.select(carried)[place[kept]])
        return _framed(result.with_columns(pl.Series(c, v[kept]) for c, v in made.items()))

    def merge(self, frames: Mapping[str, Frame]) -> Frame:
        """As `Along.merge`: at each tick of any frame, its own last one, by the places of its ticks among all."""
        natives = {name: nw.to_native(frame) for name, frame in frames.items()}
        keyed = _keys(list(natives.values()), ("customer", *self.order))
        if keyed is None or any(x[name].null_count() for name, x in natives.items()):
            return super().merge(frames)
        key, pack = keyed
        order = np.argsort(key, kind="stable")  # several sorted runs
        key = key[order]
        is_new = np.ones(len(key), bool)
        np.not_equal(key[1:], key[:-1], out=is_new[1:])
        places = np.empty(len(key), np.int64)
        places[order] = np.cumsum(is_new) - 1
        ticks = key[is_new]
        levels, begin = [], 0
        for name, x in natives.items():
            own, column = places[begin : begin + x.height], x[name].to_numpy()
            begin += x.height
            if not (own[1:] >= own[:-1]).all():
                by_tick = np.argsort(own)
                own, column = own[by_tick], column[by_tick]
            lengths = np.diff(own, append=len(ticks))
            lengths[0] += own[0]  # what is before the first one means nothing
            levels.append(pl.Series(name, np.repeat(column, lengths)))
        first = next(iter(natives.values()))
        rows = pack.unpack(ticks).cast({c: first.schema[c] for c in pack.columns})
        return _framed(rows.with_columns(levels))

    def _over(self, e: nw.Expr) -> nw.Expr:
        return e.over("customer")


_BOUNDS = ("cx_first", "cx_end", "cx_origin")
_REDUCE = {"sum": np.add, "last": np.maximum, "min": np.minimum}


def _nothing(fold: Fold) -> int:
    """A value that no other is below, or above, as the fold needs it."""
    return -_NOTHING if fold == "last" else _NOTHING


def _framed(native: pl.DataFrame) -> Frame:
    result: Frame = nw.from_native(native)
    return result


def _keys(frames: Sequence[pl.DataFrame], columns: Sequence[str]) -> tuple[Ints, Packing] | None:
    """The packed integers of the rows of all frames, one after the other; None where 63 bits do not hold them."""
    if not any(x.height for x in frames) or not all(
        x.schema[c].is_integer() and not x[c].null_count() for x in frames for c in columns
    ):
        return None
    values = [np.concatenate([x[c].to_numpy().astype(np.int64) for x in frames]) for c in columns]
    pack = packing_for_bounds(
        {c: (int(v.min()), int(v.max())) for c, v in zip(columns, values, strict=True)}
    )
    return None if pack is None else (pack.pack(values), pack)


def _firsts(customer: Ints) -> Ints:
    """The first row of the customer of each row."""
    first = np.zeros(len(customer), np.int64)
    begins = np.flatnonzero(customer[1:] != customer[:-1]) + 1
    first[begins] = begins
    return np.maximum.accumulate(first)


def _run_along(name: str, values: Ints, first: Ints, fold: Fold) -> pl.Series:
    """Values of ticks run along their customer; null before the first one, sums apart.

    Args:
        name: of the column.
        values: shape (T,): `_nothing` where a tick has none; of sums, 0.
        first: shape (T,): the row at which the tick's customer begins.
        fold: how they run.
    """
    if fold == "sum":
        summed = np.cumsum(values)
        return pl.Series(name, summed - (summed - values)[first])
    nothing = _nothing(fold)
    if fold == "min":
        owner = pl.DataFrame({"first": first, name: values})
        result = owner.select(pl.col(name).cum_min().over("first")).to_series()
    else:
        own = np.where(values != nothing, np.arange(len(values)), first)
        result = pl.Series(name, values[np.maximum.accumulate(own)])
    return result.set(result == nothing, None)


def _reduced(
    column: pl.Series, order: NDArray[np.int64], starts: NDArray[np.int64], fold: Fold
) -> pl.Series:
    """The sum, the greatest or the least of every run of rows; null where a run has no value."""
    nothing = 0 if fold == "sum" else _nothing(fold)
    values = column.cast(pl.Int64).fill_null(nothing).to_numpy()
    result = pl.Series(column.name, _REDUCE[fold].reduceat(values[order], starts))
    return result if fold == "sum" else result.set(result == nothing, None)
