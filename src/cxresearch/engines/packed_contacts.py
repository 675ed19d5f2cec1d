"""Contacts as packed integers in memory: eight bytes each, sorted in place, unpacked part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.engines.base import Frame, framed
from cxresearch.engines.packing import Packing

PART = 1_000_000  # contacts whose histories are held in memory at once

Keys = NDArray[np.int64]
Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Contacts of Polars; see `ContactLog`.

    Attributes:
        keys: shape (contacts,), sorted.
        packing: the customer comes first, and the grade is in it.
        rest: shape (contacts,), what did not fit into the keys; None if all did.
        rest_packing: of the rest.
    """

    keys: Keys
    packing: Packing
    rest: Keys | None = None
    rest_packing: Packing | None = None

    def frame(self, grades: Sequence[int] | None = None) -> Frame:
        """As `ContactLog.frame`."""
        return self._frame(slice(None), grades)

    def _frame(self, part: slice, grades: Sequence[int] | None) -> Frame:
        """Some contacts, of these grades."""
        keys, chosen = self.keys[part], None
        if grades is not None:
            wanted = np.zeros(1 << self.packing.bits[self.packing.columns.index("grade")], np.bool_)
            wanted[list(grades)] = True
            chosen = wanted[self.packing.unpack_column(keys, "grade")]
        result = self.packing.unpack(keys if chosen is None else keys[chosen], small=True)
        if self.rest is not None and self.rest_packing is not None:
            rest = self.rest[part]
            more = self.rest_packing.unpack(rest if chosen is None else rest[chosen], small=True)
            result = result.hstack(more)
        return framed(result)

    def parts(
        self, customers: Frame, grades: Sequence[int] | None = None
    ) -> Sequence[Callable[[], tuple[Frame, Frame]]]:
        """As `ContactLog.parts`: customers are numbered group by group, so that a part is a slice."""
        people: pl.DataFrame = nw.to_native(customers)
        last = people.group_by("group").agg(pl.col("customer").cast(pl.Int64).max()).sort("group")
        last_customers = last["customer"].to_numpy()
        cuts = np.searchsorted(
            self.keys,
            (last_customers - self.packing.low[0] + 1) << self.packing.bits_below("customer"),
        )
        count = -(-len(self.keys) // PART)
        size = max(len(self.keys), 1) / (
            count + count % 2 if count > 1 else 1
        )  # they are worked on two at a time
        result: list[tuple[int, int, int, int]] = []
        first, start = 0, 0
        for end, stop in zip(last_customers.tolist(), cuts.tolist(), strict=True):
            if stop >= size * (len(result) + 1) or end == last_customers[-1]:
                result.append((start, stop, first, end))
                start, first = stop, end + 1

        def part(start: int, stop: int, first: int, end: int) -> tuple[Frame, Frame]:
            return self._frame(slice(start, stop), grades), framed(
                people.filter(pl.col("customer").is_between(first, end))
            )

        return [partial(part, *p) for p in result]

    def tally(self, columns: Sequence[str]) -> pl.DataFrame:
        """As `ContactLog.tally`."""
        packing = self.packing.subset(columns)
        counts = np.zeros(1 << sum(packing.bits), np.int64)
        last = tuple(columns) == self.packing.columns[-len(columns) :]
        for start in range(0, len(self.keys), PART):
            keys = self.keys[start : start + PART]
            packed = (
                keys & len(counts) - 1
                if last
                else packing.pack([self.packing.unpack_column(keys, c) for c in columns])
            )
            counts += np.bincount(packed, minlength=len(counts))
        there = np.flatnonzero(counts)
        return packing.unpack(there).with_columns(rows=pl.Series(counts[there]))

    def customers(self) -> int:
        """As `ContactLog.customers`."""
        shift, result, last = self.packing.bits_below("customer"), 0, -1
        for start in range(0, len(self.keys), PART):
            customer = self.keys[start : start + PART] >> shift
            result += int(customer[0] != last) + int(
                np.count_nonzero(customer[1:] != customer[:-1])
            )
            last = customer[-1]
        return result

    def busiest(self) -> tuple[int, int]:
        """As `ContactLog.busiest`."""
        shift = self.packing.bits_below("customer")
        most, whose, run, last = 0, -1, 0, -1
        for start in range(0, len(self.keys), PART):
            customer = self.keys[start : start + PART] >> shift
            starts = np.flatnonzero(np.append(True, customer[1:] != customer[:-1]))
            lengths = np.diff(starts, append=len(customer))
            if customer[0] == last:  # the customer of the part before goes on
                lengths[0] += run
            place = int(lengths.argmax())
            if lengths[place] > most:
                most, whose = int(lengths[place]), int(customer[starts[place]])
            run, last = int(lengths[-1]), int(customer[-1])
        return (whose + self.packing.low[0], most) if most else (-1, 0)


class Growing(Generic[Kind]):
    """Values that come in pieces, in one array that grows where it is: they are never in memory twice.

    It grows by little, since NumPy fills with zeros, and so takes, all that it adds.
    """

    def __init__(self, kind: type[Kind]) -> None:
        self._values, self._filled = np.empty(0, kind), 0

    def add(self, piece: pl.Series) -> None:
        """The values of a piece that are not null."""
        values = piece.drop_nulls().to_numpy()
        end = self._filled + len(values)
        if end > len(self._values):
            self._values.resize(max(end, len(self._values) * 17 // 16), refcheck=False)
        self._values[self._filled : end] = values
        self._filled = end

    def all(self) -> NDArray[Kind]:
        """All values; nothing can be added any more."""
        self._values.resize(self._filled, refcheck=False)
        return self._values


def gathered(pieces: Iterable[pl.Series], kind: type[Kind]) -> NDArray[Kind]:
    """All values of some pieces that are not null."""
    result = Growing(kind)
    for piece in pieces:
        result.add(piece)
    return result.all()


def twice(values: NDArray[np.generic]) -> tuple[pl.Series, int]:
    """The values that occur more than once, and how many there are of them in all; sorts them where they are."""
    values.sort()
    same = values[1:] == values[:-1]
    distinct = pl.Series(values[1:][same]).unique()
    return distinct, int(np.count_nonzero(same)) + len(distinct)
