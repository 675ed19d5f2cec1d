"""What is counted at each touchpoint: volumes, grades and levels, rare ones put together."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl

from cxresearch.disclosure.counts import hide
from cxresearch.disclosure.tables import Sum, levels_to_hide, sums_to_hide
from cxresearch.engines.packing import sums
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.explore import records_of
from cxresearch.histories import History
from cxresearch.histories.base import Clock
from cxresearch.records.contacts import GRADES
from cxresearch.records.records import Records
from cxresearch.records.restrict import restrict_to_log
from cxresearch.risk.episodes import episodes, grades_of
from cxresearch.risk.table import RiskTable, risk_table, total
from cxresearch.study import LEVELS_OF_SERVICE, Study

_CALLED = {"touchpoint": "a touchpoint", "owner": "an owner", "level": "a level of service"}


def attribute_records(study: Study | Records, needed: str, wanted: Collection[str] = ()) -> Records:
    """The records of a study with  a contact attribute that is needed and, where the log has them, others.

    Args:
        study: a study, or its records.
        needed: a contact attribute such as ``touchpoint``.
        wanted: further contact attributes.

    Raises:
        NotTestable: the log does not have the one that is needed.
        EstimationError: the log has it, and the records were read without.
        SourceError, DataError: as `cxresearch.audit`.
    """
    records = restrict_to_log(records_of(study, required_columns=(needed, *wanted)))
    if needed not in records.available:
        raise NotTestable(
            "missing_column",
            f"{_CALLED.get(needed, needed)} of its contacts: name the column that tells it, "
            f'as in {needed} = "…" under [interactions]',
        )
    if not has_column(records, needed):
        raise EstimationError(
            f"the records were read without {needed}: read them with required_columns=None, "
            f"or with {needed!r} in required_columns"
        )
    return records


def has_column(records: Records, name: str) -> bool:
    """Whether the moments were read with a contact attribute."""
    return name in records.parts()[0]().moments.collect_schema().names()


def tally_moments(records: Records, *columns: str) -> pl.DataFrame:
    """How many ``rows`` of moments there are by these columns, whole numbers, sorted by them."""
    parts = [
        records.engine.tally(made.moments.select(*columns), columns).select(pl.all().cast(pl.Int64))
        for made in (part() for part in records.parts())
    ]
    return sums(pl.concat(parts), columns, ("rows",)).select(pl.all().cast(pl.Int64))


def counted(
    records: Records, histories: Mapping[str, History], clock: Clock, fixed: tuple[str, ...]
) -> RiskTable:
    """The risk table of some histories, of the customers whose beginnings the log shows."""
    parts = records.parts(grades_of(histories.values(), clock))
    made = (
        episodes(part(), histories, fixed=fixed, clock=clock, observed_from_start=True)
        for part in parts
    )
    return total([risk_table(eps) for eps in made])


def strata_of(records: Records) -> tuple[str, ...]:
    """The segment, where customers have one."""
    return tuple(name for name in records.fixed if name == "segment")


NOT_RECORDED, OTHER = "not recorded", "other"
MOST = 12  # the most that a page shows separately
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class TouchpointGroup:
    """A touchpoint, or several that are too rare to be shown separately.

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


def places_of(
    records: Records, attribute: str, *, most: int | None = None
) -> tuple[TouchpointGroup, ...]:
    """The values of  a contact attribute that is a text, with the rare ones put together, by the number of moments.

    A value with fewer moments or customers than the study may show goes with the others of that kind; if all these
    together are still too few, the rarest of the rest goes with them.

    Args:
        records: read with the attribute.
        attribute: such as ``touchpoint``.
        most: no more than so many; the rarest beyond are put together as well. As many as there are when not given.

    Raises:
        NotTestable: not one value is frequent enough.
    """
    min_cell, names = records.study.info.min_cell, records.names[attribute]
    moments = dict(tally_moments(records, attribute).iter_rows())
    customers = _customers(records, attribute)
    frequent = sorted(moments, key=lambda p: (-moments[p], p))
    kept = [p for p in frequent if moments[p] >= min_cell and customers[p] >= min_cell]
    if most is not None and len(frequent) > most:
        kept = kept[: most - 1]
    rare = [p for p in frequent if p not in kept]

    def together() -> TouchpointGroup:
        return TouchpointGroup(
            _label(rare, names),
            tuple(sorted(rare)),
            sum(moments[p] for p in rare),
            _who(records, attribute, rare),
        )

    other = together() if rare else None
    while other and kept and min(other.moments, other.customers) < min_cell:
        rare.append(kept.pop())
        other = together()
    if not any(p != _NOWHERE for p in kept):
        raise NotTestable(
            "too_few",
            f"a {attribute} with at least {min_cell} moments of at least {min_cell} customers",
        )
    alone = [TouchpointGroup(_label([p], names), (p,), moments[p], customers[p]) for p in kept]
    return (*alone, *([other] if other else []))


def first_days(
    records: Records, attribute: str, places: Sequence[TouchpointGroup]
) -> tuple[float | None, ...]:
    """Median day of tenure on which customers first had a contact at each place.

    Of customers whose beginnings the log shows; None where these are too few to show.
    """
    result: list[float | None] = []
    for place in places:
        parts = []
        for part in (make() for make in records.parts()):
            there = part.moments.filter(nw.col(attribute).is_in(list(place.positions)))
            first = there.group_by("customer").agg(day=nw.col("day").min()).lazy()
            seen = (
                part.customers.filter(nw.col("left_truncated") == 0)
                .select("customer", "start")
                .lazy()
            )
            x = first.join(seen, on="customer").select(tenure=nw.col("day") - nw.col("start"))
            parts.append(
                records.engine.tally(records.engine.keep(x), ("tenure",)).select(
                    pl.all().cast(pl.Int64)
                )
            )
        days = pl.concat(parts).group_by("tenure").agg(pl.col("rows").sum()).sort("tenure")
        enough = days["rows"].sum() >= records.study.info.min_cell
        result.append(
            _median(days["tenure"].to_numpy(), days["rows"].to_numpy()) if enough else None
        )
    return tuple(result)


def _median(values: np.ndarray, counts: np.ndarray) -> float:
    upto, n = np.cumsum(counts), int(counts.sum())
    low, high = (
        int(values[np.searchsorted(upto, place, side="left")])
        for place in ((n + 1) // 2, n // 2 + 1)
    )
    return (low + high) / 2


def _customers(records: Records, attribute: str) -> dict[int, int]:
    """Value to how many customers met it; the customers of several parts are others."""
    result: dict[int, int] = {}
    for part in (make() for make in records.parts()):
        each = records.engine.collect(
            part.moments.group_by(attribute).agg(n=nw.col("customer").n_unique())
        )
        for value, n in each.iter_rows():
            result[int(value)] = result.get(int(value), 0) + int(n)
    return result


def _who(records: Records, attribute: str, positions: Sequence[int]) -> int:
    """How many customers met any of these."""
    met = nw.col(attribute).is_in(list(positions))
    parts = (
        make().moments.filter(met).select(nw.col("customer").n_unique()) for make in records.parts()
    )
    return sum(int(records.engine.collect(part).item() or 0) for part in parts)


def _label(positions: Sequence[int], names: Sequence[str]) -> str:
    if len(positions) == 1:
        label = NOT_RECORDED if positions[0] == _NOWHERE else names[positions[0]]
        return f"{label} (no value)" if positions[0] == _NOWHERE and label in names else label
    return f"{OTHER} (put together)" if OTHER in names else OTHER


_Split = tuple[int | None, ...]


def splits(
    records: Records, places: Sequence[TouchpointGroup]
) -> tuple[tuple[_Split, ...], tuple[_Split, ...]]:
    """Moments of each place by grade and by level of service, small ones hidden; no levels where the log lacks them.

    Both are hidden together: a level mostly counts as one grade, so each would give away what the other hides.

    Args:
        records: read with ``touchpoint`` and, where the log has it, ``level``.
        places: of the touchpoints, all of them.

    Returns:
        By place, moments of each grade; by place, of each level, the last being unknown.
    """
    has_levels, min_cell = has_column(records, "level"), records.study.info.min_cell
    columns = ("touchpoint", "grade", *(("level",) if has_levels else ()))
    at = {p: i for i, place in enumerate(places) for p in place.positions}
    cells: dict[tuple[int, int, int], int] = {}
    for p, grade, *level, n in tally_moments(records, *columns).iter_rows():
        key = (at[p], grade, level[0] if level else -1)
        cells[key] = cells.get(key, 0) + n
    grades, levels = range(len(GRADES)), (*range(len(LEVELS_OF_SERVICE)), -1)

    def where(place: int | None = None, grade: int | None = None, level: int | None = None) -> Sum:
        wanted = (place, grade, level)
        return tuple(
            i
            for i, key in enumerate(cells)
            if all(w is None or w == k for w, k in zip(wanted, key, strict=True))
        )

    counts = list(cells.values())
    total = [sum(counts[i] for i in where(grade=g)) for g in grades]
    known = [where(), *(where(place=i) for i in range(len(places)))]
    known += [
        where(grade=g) for g, n in zip(grades, hide(total, min_cell), strict=True) if n is not None
    ]
    published_of: dict[Hashable, Sum] = {
        (i, "grade", g): where(place=i, grade=g) for i in range(len(places)) for g in grades
    }
    if has_levels:
        by: dict[tuple[int, int], int] = {}
        for (_, g, v), n in cells.items():
            by[v, g] = by.get((v, g), 0) + n
        gone = levels_to_hide(by, levels, len(GRADES), min_cell)
        known += [where(level=v) for v in levels if v not in gone]
        published_of |= {
            (i, "level", v): where(place=i, level=v) for i in range(len(places)) for v in levels
        }
    secret = sums_to_hide(counts, known, published_of, min_cell)

    def split(i: int, kind: str, codes: Sequence[int]) -> _Split:
        selected = ((i, kind, c) for c in codes)
        return tuple(
            None if k in secret else sum(counts[j] for j in published_of[k]) for k in selected
        )

    return (
        tuple(split(i, "grade", grades) for i in range(len(places))),
        tuple(split(i, "level", levels) if has_levels else () for i in range(len(places))),
    )
