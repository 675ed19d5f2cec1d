"""Touchpoints that are told apart: the rare ones put together, so that none stands for a handful of customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl

from cxresearch.errors import NotTestable
from cxresearch.journey.counted import tallied
from cxresearch.tables.records import Records

NOT_RECORDED, OTHER = "not recorded", "other"
MOST = 12  # that a page can show one by one
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Place:
    """A touchpoint, or several that are too rare to be told apart.

    Attributes:
        name: as in the log; ``other`` for several, ``not recorded`` for contacts without one.
        positions: among the names of the records; -1 for contacts without one.
        moments: contacts there.
        customers: who had one there.
    """

    name: str
    positions: tuple[int, ...]
    moments: int
    customers: int

    @property
    def single(self) -> bool:
        """Whether it is one touchpoint with a name."""
        return len(self.positions) == 1 and self.positions[0] != _NOWHERE


def places_of(records: Records, facet: str, *, most: int | None = None) -> tuple[Place, ...]:
    """The values of a facet that is a text, with the rare ones put together, by the number of moments.

    A value with fewer moments or customers than the study may show goes with the others of that kind; if all these
    together are still too few, the rarest of the rest goes with them.

    Args:
        records: read with the facet.
        facet: such as ``touchpoint``.
        most: no more than so many; the rarest beyond are put together as well. As many as there are when not given.

    Raises:
        NotTestable: not one value is frequent enough.
    """
    min_cell, names = records.study.info.min_cell, records.names[facet]
    moments = dict(tallied(records, facet).iter_rows())
    customers = _customers(records, facet)
    frequent = sorted(moments, key=lambda p: (-moments[p], p))
    kept = [p for p in frequent if moments[p] >= min_cell and customers[p] >= min_cell]
    if most is not None and len(frequent) > most:
        kept = kept[: most - 1]
    rare = [p for p in frequent if p not in kept]

    def together() -> Place:
        return Place(
            _label(rare, names), tuple(sorted(rare)), sum(moments[p] for p in rare), _who(records, facet, rare)
        )

    other = together() if rare else None
    while other and kept and min(other.moments, other.customers) < min_cell:
        rare.append(kept.pop())
        other = together()
    if not any(p != _NOWHERE for p in kept):
        raise NotTestable(f"a {facet} with at least {min_cell} moments of at least {min_cell} customers")
    alone = [Place(_label([p], names), (p,), moments[p], customers[p]) for p in kept]
    return (*alone, *([other] if other else []))


def first_days(records: Records, facet: str, places: Sequence[Place]) -> tuple[float | None, ...]:
    """Median day of tenure on which customers first had a contact at each place.

    Of customers whose beginnings the log shows; None where these are too few to show.
    """
    found: list[float | None] = []
    for place in places:
        parts = []
        for part in (make() for make in records.parts()):
            there = part.moments.filter(nw.col(facet).is_in(list(place.positions)))
            first = there.group_by("customer").agg(day=nw.col("day").min()).lazy()
            seen = part.customers.filter(nw.col("unseen") == 0).select("customer", "start").lazy()
            x = first.join(seen, on="customer").select(tenure=nw.col("day") - nw.col("start"))
            parts.append(records.engine.tally(records.engine.keep(x), ("tenure",)).select(pl.all().cast(pl.Int64)))
        days = pl.concat(parts).group_by("tenure").agg(pl.col("rows").sum()).sort("tenure")
        enough = days["rows"].sum() >= records.study.info.min_cell
        found.append(_median(days["tenure"].to_numpy(), days["rows"].to_numpy()) if enough else None)
    return tuple(found)


def _median(values: np.ndarray, counts: np.ndarray) -> float:
    upto, n = np.cumsum(counts), int(counts.sum())
    low, high = (int(values[np.searchsorted(upto, place, side="left")]) for place in ((n + 1) // 2, n // 2 + 1))
    return (low + high) / 2


def _customers(records: Records, facet: str) -> dict[int, int]:
    """Value to how many customers met it; the customers of several parts are others."""
    found: dict[int, int] = {}
    for part in (make() for make in records.parts()):
        each = records.engine.collect(part.moments.group_by(facet).agg(n=nw.col("customer").n_unique()))
        for value, n in each.iter_rows():
            found[int(value)] = found.get(int(value), 0) + int(n)
    return found


def _who(records: Records, facet: str, positions: Sequence[int]) -> int:
    """How many customers met any of these."""
    met = nw.col(facet).is_in(list(positions))
    parts = (make().moments.filter(met).select(nw.col("customer").n_unique()) for make in records.parts())
    return sum(int(records.engine.collect(part).item() or 0) for part in parts)


def _label(positions: Sequence[int], names: Sequence[str]) -> str:
    if len(positions) == 1:
        own = NOT_RECORDED if positions[0] == _NOWHERE else names[positions[0]]
        return f"{own} (no value)" if positions[0] == _NOWHERE and own in names else own
    return f"{OTHER} (put together)" if OTHER in names else OTHER
