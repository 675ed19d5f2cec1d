"""Whole numbers side by side in one integer: sorting or grouping by it takes a tenth of the time of several columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

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
    """

    columns: tuple[str, ...]
    low: tuple[int, ...]
    bits: tuple[int, ...]

    @property
    def key(self) -> pl.Expr:
        """The packed integer; orders rows as the columns do."""
        first, *rest = (pl.col(n).cast(pl.Int64) - a for n, a in zip(self.columns, self.low, strict=True))
        return reduce(lambda key, part: key * (1 << part[1]) + part[0], zip(rest, self.bits[1:], strict=True), first)

    def unpack(self, key: NDArray[np.int64], *, small: bool = False) -> pl.DataFrame:
        """The columns again; with `small`, those that fit into 32 bits have no more."""
        rest, found = key, {}
        for name, least, bits in reversed(list(zip(self.columns, self.low, self.bits, strict=True))):
            value = (rest & ((1 << bits) - 1)) + least
            narrow = small and least >= -(2**31) and least + (1 << bits) <= 2**31
            found[name] = pl.Series(name, value.astype(np.int32) if narrow else value)
            rest = rest >> bits
        return pl.DataFrame([found[name] for name in self.columns])


def packing(frame: pl.DataFrame, columns: Sequence[str]) -> Packing | None:
    """How to pack some columns; None if they are not whole numbers, or where 63 bits do not hold them."""
    if not frame.height or not all(frame.schema[c].is_integer() and not frame[c].null_count() for c in columns):
        return None
    low, high = (frame.select(getattr(pl.col(columns), how)()).row(0) for how in ("min", "max"))
    return between({c: (a, h) for c, a, h in zip(columns, low, high, strict=True)})


def between(bounds: Mapping[str, tuple[int, int]]) -> Packing | None:
    """How to pack columns whose values lie between these bounds, both included; None where 63 bits do not hold them."""
    bits = tuple(int(high - low).bit_length() for low, high in bounds.values())
    return Packing(tuple(bounds), tuple(low for low, _ in bounds.values()), bits) if sum(bits) <= 63 else None


def sums(frame: pl.DataFrame, keys: Sequence[str], counts: Sequence[str]) -> pl.DataFrame:
    """One row per combination of whole numbers in `keys`, sorted, with the sums of `counts`."""
    pack = packing(frame, keys)
    if pack is None:
        summed = frame.group_by(keys).agg(pl.col(counts).sum())
        return summed.select(pl.col(*keys, *counts).cast(pl.Int64)).sort(keys)
    summed = frame.select(pack.key.alias("cx_key"), *counts).group_by("cx_key").agg(pl.col(counts).sum()).sort("cx_key")
    return pack.unpack(summed["cx_key"].to_numpy()).with_columns(summed[c].cast(pl.Int64) for c in counts)
