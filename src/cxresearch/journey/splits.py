"""How the moments of each place went: by grade and by level of service, without giving small counts away."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from cxresearch.journey.cells import Sum, levels_shown, withheld
from cxresearch.journey.counted import has_column, tallied
from cxresearch.journey.places import Place
from cxresearch.small_cells import hide
from cxresearch.study import LEVELS_OF_SERVICE
from cxresearch.tables.moments import GRADES
from cxresearch.tables.records import Records

_Split = tuple[int | None, ...]


def splits(records: Records, places: Sequence[Place]) -> tuple[tuple[_Split, ...], tuple[_Split, ...]]:
    """Moments of each place by grade and by level of service, small ones hidden; no levels where the log lacks them.

    Both are hidden together: a level mostly counts as one grade, so each would give away what the other hides.

    Args:
        records: read with ``touchpoint`` and, where the log has it, ``level``.
        places: of the touchpoints, all of them.

    Returns:
        By place, moments of each grade; by place, of each level, the last being unknown.
    """
    has_levels, min_cell = has_column(records, "level"), records.study.info.min_cell
    keys = ("touchpoint", "grade", *(("level",) if has_levels else ()))
    at = {p: i for i, place in enumerate(places) for p in place.positions}
    cells: dict[tuple[int, int, int], int] = {}
    for p, grade, *level, n in tallied(records, *keys).iter_rows():
        key = (at[p], grade, level[0] if level else -1)
        cells[key] = cells.get(key, 0) + n
    grades, levels = range(len(GRADES)), (*range(len(LEVELS_OF_SERVICE)), -1)

    def where(place: int | None = None, grade: int | None = None, level: int | None = None) -> Sum:
        wanted = (place, grade, level)
        return tuple(
            i for i, key in enumerate(cells) if all(w is None or w == k for w, k in zip(wanted, key, strict=True))
        )

    counts = list(cells.values())
    total = [sum(counts[i] for i in where(grade=g)) for g in grades]
    known = [where(), *(where(place=i) for i in range(len(places)))]
    known += [where(grade=g) for g, n in zip(grades, hide(total, min_cell), strict=True) if n is not None]
    told_of: dict[Hashable, Sum] = {
        (i, "grade", g): where(place=i, grade=g) for i in range(len(places)) for g in grades
    }
    if has_levels:
        by: dict[tuple[int, int], int] = {}
        for (_, g, v), n in cells.items():
            by[v, g] = by.get((v, g), 0) + n
        gone = levels_shown(by, levels, len(GRADES), min_cell)
        known += [where(level=v) for v in levels if v not in gone]
        told_of |= {(i, "level", v): where(place=i, level=v) for i in range(len(places)) for v in levels}
    secret = withheld(counts, known, told_of, min_cell)

    def split(i: int, kind: str, codes: Sequence[int]) -> _Split:
        named = ((i, kind, c) for c in codes)
        return tuple(None if k in secret else sum(counts[j] for j in told_of[k]) for k in named)

    return (
        tuple(split(i, "grade", grades) for i in range(len(places))),
        tuple(split(i, "level", levels) if has_levels else () for i in range(len(places))),
    )
