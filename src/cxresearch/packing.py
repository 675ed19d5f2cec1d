"""Whole numbers side by side in one integer: sorting or grouping by it takes a tenth of the time of several columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import polars as pl


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

    def unpack(self, key: pl.Series) -> dict[str, pl.Series]:
        """The columns again."""
        rest, found = key.to_numpy(), {}
        for name, least, bits in reversed(list(zip(self.columns, self.low, self.bits, strict=True))):
            found[name] = pl.Series(name, (rest & ((1 << bits) - 1)) + least, dtype=pl.Int64)
            rest = rest >> bits
        return {name: found[name] for name in self.columns}


def packing(frame: pl.DataFrame, columns: Sequence[str]) -> Packing | None:
    """How to pack some columns; None if they are not whole numbers, or where 63 bits do not hold them."""
    if not frame.height or not all(frame.schema[c].is_integer() and not frame[c].null_count() for c in columns):
        return None
    low, high = (frame.select(getattr(pl.col(columns), how)()).row(0) for how in ("min", "max"))
    bits = tuple(int(h - a).bit_length() for a, h in zip(low, high, strict=True))
    return Packing(tuple(columns), tuple(low), bits) if sum(bits) <= 63 else None
