"""Contacts as packed integers in memory: eight bytes each, sorted in place, unpacked part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.engines.protocol import Frame, framed
from cxresearch.packing import Packing

PART = 1_000_000  # contacts whose histories are held in memory at once

Keys = NDArray[np.int64]
Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Contacts of Polars; see `Moments`.

    Attributes:
        keys: shape (contacts,), sorted.
        packing: the customer comes first.
    """

    keys: Keys
    packing: Packing

    def frame(self) -> Frame:
        """As `Moments.frame`."""
        return framed(self.packing.unpack(self.keys, small=True))

    def parts(self, customers: Frame) -> Sequence[Callable[[], tuple[Frame, Frame]]]:
        """As `Moments.parts`: customers are numbered group by group, so that a part is a slice."""
        people: pl.DataFrame = nw.to_native(customers)
        below = sum(self.packing.bits[1:])
        last = people.group_by("group").agg(pl.col("customer").cast(pl.Int64).max()).sort("group")
        ends = last["customer"].to_numpy()
        cuts = np.searchsorted(self.keys, (ends - self.packing.low[0] + 1) << below)
        found, first, start = [], 0, 0
        for end, stop in zip(ends.tolist(), cuts.tolist(), strict=True):
            if stop - start >= PART or end == ends[-1]:
                found.append((start, stop, first, end))
                start, first = stop, end + 1

        def part(start: int, stop: int, first: int, end: int) -> tuple[Frame, Frame]:
            moments = self.packing.unpack(self.keys[start:stop], small=True)
            return framed(moments), framed(people.filter(pl.col("customer").is_between(first, end)))

        return [lambda p=p: part(*p) for p in found]  # type: ignore[misc]


def gathered(pieces: Iterable[pl.Series], kind: type[Kind]) -> NDArray[Kind]:
    """All values that are not null, in one array that grows where it is: they are never in memory twice."""
    found, filled = np.empty(0, kind), 0
    for piece in pieces:
        values = piece.drop_nulls().to_numpy()
        if filled + len(values) > len(found):
            found.resize(max(filled + len(values), len(found) * 3 // 2), refcheck=False)
        found[filled : filled + len(values)] = values
        filled += len(values)
    found.resize(filled, refcheck=False)
    return found


def twice(values: NDArray[np.generic]) -> pl.Series:
    """The values that occur more than once; sorts them where they are."""
    values.sort()
    return pl.Series(values[1:][values[1:] == values[:-1]]).unique()
