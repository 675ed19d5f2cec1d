"""Whole numbers side by side in one integer: sorting or grouping by it takes a tenth of the time of several columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """How some columns are packed.

    Attributes:
        columns: their names, the first one weighs most.
        low: the least value of each.
        bits: room for each.
        high: the greatest value of each.
    """

    columns: tuple[str, ...]
    low: tuple[int, ...]
    bits: tuple[int, ...]
    high: tuple[int, ...]

    @property
    def key(self) -> pl.Expr:
        """The packed integer; orders rows as the columns do."""
        first, *rest = (
            pl.col(n).cast(pl.Int64) - a for n, a in zip(self.columns, self.low, strict=True)
        )
        return reduce(
            lambda key, part: key * (1 << part[1]) + part[0],
            zip(rest, self.bits[1:], strict=True),
            first,
        )

    def subset(self, columns: Sequence[str]) -> Packing:
        """How to pack some of the columns, in this order."""
        places = [self.columns.index(c) for c in columns]
        low, bits, high = (
            tuple(values[i] for i in places) for values in (self.low, self.bits, self.high)
        )
        return Packing(tuple(columns), low, bits, high)

    def pack(self, values: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """The packed integers of some values, one array per column."""
        key = np.zeros_like(values[0])
        for value, least, bits in zip(values, self.low, self.bits, strict=True):
            key = (key << bits) + (value - least)
        return key

    def bits_below(self, column: str) -> int:
        """How many bits lie below a column's."""
        return sum(self.bits[self.columns.index(column) + 1 :])

    def unpack_column(self, key: NDArray[np.int64], column: str) -> NDArray[np.int64]:
        """One column again."""
        place = self.columns.index(column)
        return (key >> self.bits_below(column) & ((1 << self.bits[place]) - 1)) + self.low[place]

    def unpack_narrow(self, key: NDArray[np.int64]) -> pl.DataFrame:
        """The columns again, each in as few bits as hold all values between its bounds."""
        result: dict[str, pl.Series] = {}
        below = 0
        for name, least, bits, most in reversed(
            list(zip(self.columns, self.low, self.bits, self.high, strict=True))
        ):
            kind = _narrowest(max(most, -least))
            # of the lowest bits alone, which wrap around as the sum with the least value does
            value = (key >> below).astype(kind)
            if bits < 8 * value.itemsize:
                value &= kind((1 << bits) - 1)
            below += bits
            if least:
                value += kind(least)
            result[name] = pl.Series(name, value)
        return pl.DataFrame([result[name] for name in self.columns])

    def unpack(self, key: NDArray[np.int64], *, small: bool = False) -> pl.DataFrame:
        """The columns again; with `small`, those that fit into 32 bits have no more."""
        result: dict[str, pl.Series] = {}
        below = 0
        for name, least, bits in reversed(
            list(zip(self.columns, self.low, self.bits, strict=True))
        ):
            value = key >> below
            value &= (1 << bits) - 1
            below += bits
            if small and least >= -(2**31) and least + (1 << bits) <= 2**31:
                value = value.astype(np.int32)
            if least:
                value += least
            result[name] = pl.Series(name, value)
        return pl.DataFrame([result[name] for name in self.columns])


def packing(frame: pl.DataFrame, columns: Sequence[str]) -> Packing | None:
    """How to pack some columns; None if they are not whole numbers, or where 63 bits do not hold them."""
    if not frame.height or not all(
        frame.schema[c].is_integer() and not frame[c].null_count() for c in columns
    ):
        return None
    return packing_for_bounds(bounds_of(frame, columns))


def bounds_of(frame: pl.DataFrame, columns: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The least and the greatest value of some columns of whole numbers, of a frame with rows."""
    values = {c: frame[c].to_numpy() for c in columns}
    return {c: (int(v.min()), int(v.max())) for c, v in values.items()}


def packing_for_bounds(bounds: Mapping[str, tuple[int, int]]) -> Packing | None:
    """How to pack columns whose values lie between these bounds, both included; None where 63 bits do not hold them."""
    bits = tuple(int(high - low).bit_length() for low, high in bounds.values())
    return (
        Packing(
            tuple(bounds),
            tuple(low for low, _ in bounds.values()),
            bits,
            tuple(high for _, high in bounds.values()),
        )
        if sum(bits) <= 63
        else None
    )


def packing_of_two_for_bounds(
    bounds: Mapping[str, tuple[int, int]],
) -> tuple[Packing, Packing] | None:
    """How to pack columns into two integers, the first ones into the first; None where those do not hold them."""
    names = list(bounds)
    for n in range(len(names) - 1, 0, -1):
        first = packing_for_bounds({name: bounds[name] for name in names[:n]})
        if first is not None:
            rest = packing_for_bounds({name: bounds[name] for name in names[n:]})
            return (first, rest) if rest else None
    return None


def sums(frame: pl.DataFrame, columns: Sequence[str], counts: Sequence[str]) -> pl.DataFrame:
    """One row per combination of whole numbers in `columns`, sorted, with the sums of `counts`; narrow."""
    pack = packing(frame, columns)
    if pack is None:
        exact = [pl.col(c).cast(pl.Int64).sum() for c in counts]
        return downcast(frame.group_by(columns).agg(exact).sort(columns), counts)
    key = packed(frame, pack)
    is_sorted = bool((key[1:] >= key[:-1]).all())
    if not is_sorted and 1 << sum(pack.bits) <= len(
        key
    ):  # no sum of counts that fit into memory is beyond a float
        occurs = np.flatnonzero(np.bincount(key))
        summed = [np.bincount(key, frame[c].to_numpy())[occurs].astype(np.int64) for c in counts]
        return downcast(
            pack.unpack(occurs, small=True).with_columns(map(pl.Series, counts, summed)), counts
        )
    order = None if is_sorted else np.argsort(key)
    ordered = key if order is None else key[order]
    starts = runs(ordered)
    result = pack.unpack(ordered[starts], small=True)
    for c in counts:
        values = frame[c].to_numpy().astype(np.int64)
        result = result.with_columns(
            pl.Series(c, np.add.reduceat(values if order is None else values[order], starts))
        )
    return downcast(result, counts)


def tally(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """How many ``rows`` there are for each combination of whole numbers in `columns`, sorted; narrow."""
    pack = packing(frame, columns)
    if pack is None:
        return downcast(frame.group_by(columns).agg(rows=pl.len()).sort(columns), ["rows"])
    key = np.sort(packed(frame, pack))
    starts = runs(key)
    result = pack.unpack(key[starts], small=True)
    return downcast(result.with_columns(rows=pl.Series(np.diff(starts, append=len(key)))), ["rows"])


def packed(frame: pl.DataFrame, pack: Packing) -> NDArray[np.int64]:
    """The packed integers of the rows of a frame."""
    return frame.select(pack.key).to_series().to_numpy()


def runs(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each run of equal values begins."""
    return np.concatenate([[0], np.flatnonzero(key[1:] != key[:-1]) + 1])


def downcast(frame: pl.DataFrame, counts: Sequence[str]) -> pl.DataFrame:
    """Whole numbers in as few bits as hold them; and of counts, in 32 bits, any sum of them.

    Polars adds up 8 and 16 bits in 64, and 32 bits in 32.
    """
    narrow = [_narrow(frame[name], counted=name in counts) for name in frame.columns]
    return pl.DataFrame(narrow)


def _narrow(column: pl.Series, *, counted: bool) -> pl.Series:
    values = (column.drop_nulls() if column.null_count() else column).to_numpy()
    room = int(max(values.max(initial=0), -int(values.min(initial=0))))
    if counted and room >= 2**15:
        room = int(column.cast(pl.Int64).sum())
    if values.dtype == _narrowest(room):
        return column
    kinds = ((7, pl.Int8), (15, pl.Int16), (31, pl.Int32))
    return column.cast(next((kind for bits, kind in kinds if room < 2**bits), pl.Int64))


def _narrowest(most: int) -> type[np.signedinteger[Any]]:
    """The narrowest integers that hold numbers up to `most`, and down to as far below zero."""
    kinds = ((7, np.int8), (15, np.int16), (31, np.int32))
    return next((kind for bits, kind in kinds if most < 2**bits), np.int64)
