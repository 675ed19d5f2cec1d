"""Contacts as packed integers in memory: eight bytes each, sorted in place, unpacked part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
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

    def frame(self, grades: Sequence[int] | None = None) -> Frame:
        """As `Moments.frame`."""
        return framed(self.packing.unpack(self._of(self.keys, grades), small=True))

    def _of(self, keys: Keys, grades: Sequence[int] | None) -> Keys:
        """Contacts of these grades."""
        if grades is None:
            return keys
        wanted = np.zeros(1 << self.packing.bits[self.packing.columns.index("grade")], np.bool_)
        wanted[list(grades)] = True
        found: Keys = keys[wanted[self.packing.only(keys, "grade")]]
        return found

    def parts(
        self, customers: Frame, grades: Sequence[int] | None = None
    ) -> Sequence[Callable[[], tuple[Frame, Frame]]]:
        """As `Moments.parts`: customers are numbered group by group, so that a part is a slice."""
        people: pl.DataFrame = nw.to_native(customers)
        last = people.group_by("group").agg(pl.col("customer").cast(pl.Int64).max()).sort("group")
        ends = last["customer"].to_numpy()
        cuts = np.searchsorted(self.keys, (ends - self.packing.low[0] + 1) << self.packing.below("customer"))
        found, first, start = [], 0, 0
        for end, stop in zip(ends.tolist(), cuts.tolist(), strict=True):
            if stop - start >= PART or end == ends[-1]:
                found.append((start, stop, first, end))
                start, first = stop, end + 1

        def part(start: int, stop: int, first: int, end: int) -> tuple[Frame, Frame]:
            moments = self.packing.unpack(self._of(self.keys[start:stop], grades), small=True)
            return framed(moments), framed(people.filter(pl.col("customer").is_between(first, end)))

        return [partial(part, *p) for p in found]

    def tally(self, columns: Sequence[str]) -> pl.DataFrame:
        """As `Moments.tally`."""
        own = self.packing.some(columns)
        counts = np.zeros(1 << sum(own.bits), np.int64)
        last = tuple(columns) == self.packing.columns[-len(columns) :]
        for start in range(0, len(self.keys), PART):
            keys = self.keys[start : start + PART]
            packed = keys & len(counts) - 1 if last else own.pack([self.packing.only(keys, c) for c in columns])
            counts += np.bincount(packed, minlength=len(counts))
        there = np.flatnonzero(counts)
        return own.unpack(there).with_columns(rows=pl.Series(counts[there]))

    def customers(self) -> int:
        """As `Moments.customers`."""
        below, found, last = self.packing.below("customer"), 0, -1
        for start in range(0, len(self.keys), PART):
            customer = self.keys[start : start + PART] >> below
            found += int(customer[0] != last) + int(np.count_nonzero(customer[1:] != customer[:-1]))
            last = customer[-1]
        return found


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


def twice(values: NDArray[np.generic]) -> tuple[pl.Series, int]:
    """The values that occur more than once, and how many there are of them in all; sorts them where they are."""
    values.sort()
    same = values[1:] == values[:-1]
    distinct = pl.Series(values[1:][same]).unique()
    return distinct, int(np.count_nonzero(same)) + len(distinct)
