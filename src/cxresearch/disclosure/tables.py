"""Tables with known totals: which cells must be hidden so that no small one can be had by subtraction."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cxresearch.disclosure.counts import hide

Sum = tuple[int, ...]  # positions of the cells that add up to a number


def sums_to_hide(
    counts: Sequence[int], known: Sequence[Sum], wanted: Mapping[Hashable, Sum], min_cell: int
) -> set[Hashable]:
    """Which sums of cells must be hidden, given others that are known.

    Small sums are hidden, and then further ones, the smallest first, until each small one might as well be `min_cell`
    or more, given all that is shown: the largest value it can have is found by linear programming. Nothing is hidden
    of a zero: it names nobody. Where nothing is left to hide, a small sum may stay within narrower bounds.

    Args:
        counts: shape (C,): the cells; they themselves are not shown.
        known: sums that are shown in any case, such as the total.
        wanted: name to sum: what is to be shown, as far as possible.
        min_cell: the smallest count that may be shown.

    Returns:
        The names of the sums to be hidden.

    References:
        Hundepool et al. (2012), Statistical Disclosure Control, Wiley, chapter 4.
    """
    n = np.asarray(counts, dtype=np.int64)
    value = {name: int(n[list(cells)].sum()) for name, cells in wanted.items()}
    few = [name for name, v in value.items() if 0 < v < min_cell]
    gone: set[Hashable] = set(few)
    for name in few:
        while (another := _spoils(name, n, known, wanted, gone, min_cell)) is not None:
            gone.add(another)
    return gone


def _spoils(
    name: Hashable,
    n: NDArray[np.int64],
    known: Sequence[Sum],
    wanted: Mapping[Hashable, Sum],
    gone: set[Hashable],
    min_cell: int,
) -> Hashable | None:
    """The smallest sum that keeps a hidden one below `min_cell`; None if it may be larger, or nothing can be done."""
    from scipy.optimize import linprog

    there = np.flatnonzero(n > 0)
    place = {int(c): i for i, c in enumerate(there)}

    def row(cells: Sum) -> NDArray[np.float64]:
        made = np.zeros(len(there))
        made[[place[c] for c in cells if c in place]] = 1
        return made

    names = [k for k in wanted if k not in gone]
    sums = [*known, *(wanted[k] for k in names)]
    if not sums:
        return None
    rows = np.array([row(cells) for cells in sums])
    right = rows @ n[there]
    result = linprog(-row(wanted[name]), A_eq=rows, b_eq=right, bounds=(0, None), method="highs")
    if (
        result.status != 0 or -result.fun >= min_cell - 1e-6
    ):  # without a bound it may be as large as you like
        return None
    binding = np.abs(result.eqlin.marginals[len(known) :]) > 1e-9
    values = right[len(known) :]
    guilty = [
        (int(v), i) for i, (v, b) in enumerate(zip(values, binding, strict=True)) if b and v > 0
    ]
    guilty = guilty or [(int(v), i) for i, v in enumerate(values) if v > 0]
    return names[min(guilty)[1]] if guilty else None


def cells_to_hide(counts: Sequence[Sequence[int]], min_cell: int) -> NDArray[np.bool_]:
    """The cells of a two-way table not to be shown, where the totals of rows and columns are known.

    Totals that are too small themselves are taken to be hidden as `cxresearch.disclosure.counts.hide` would.

    Args:
        counts: shape (R, C).
        min_cell: the smallest count that may be shown.

    Returns:
        Shape (R, C): whether the cell is hidden.
    """
    n = np.asarray(counts, dtype=np.int64).reshape(len(counts), -1)
    cells = np.arange(n.size).reshape(n.shape)
    lines = [
        tuple(line.tolist())
        for across, totals in ((cells, n.sum(axis=1)), (cells.T, n.sum(axis=0)))
        for line, total in zip(across, hide(totals.tolist(), min_cell), strict=True)
        if total is not None
    ]
    wanted: dict[Hashable, Sum] = {i: (i,) for i in range(n.size)}
    gone = sums_to_hide(n.ravel().tolist(), [tuple(range(n.size)), *lines], wanted, min_cell)
    return np.array([i in gone for i in range(n.size)], dtype=np.bool_).reshape(n.shape)


def hide_cells(
    counts: Sequence[Sequence[int]], min_cell: int
) -> tuple[tuple[int | None, ...], ...]:
    """The same table with None in the cells that `cells_to_hide` gives."""
    hide_it = cells_to_hide(counts, min_cell)
    return tuple(
        tuple(None if h else int(n) for n, h in zip(row, is_hidden, strict=True))
        for row, is_hidden in zip(counts, hide_it.tolist(), strict=True)
    )


def levels_to_hide(
    by: Mapping[tuple[int, int], int], levels: Sequence[int], grades: int, min_cell: int
) -> set[Hashable]:
    """Which levels of service, and which of their grades, must be hidden where the grades of all moments are known.

    A level mostly counts as one grade, so the counts of levels must not reveal more than those of grades.

    Args:
        by: (level, grade) to moments.
        levels: codes of the levels.
        grades: how many there are.
        min_cell: the smallest count that may be shown.

    Returns:
        Levels, and pairs of level and grade.
    """
    pairs = [(level, g) for level in levels for g in range(grades)]
    counts = [by.get(pair, 0) for pair in pairs]
    per_grade = [tuple(i for i, (_, h) in enumerate(pairs) if h == g) for g in range(grades)]
    sums = hide([sum(counts[i] for i in cells) for cells in per_grade], min_cell)
    known = [
        tuple(range(len(pairs))),
        *(cells for cells, n in zip(per_grade, sums, strict=True) if n is not None),
    ]
    wanted: dict[Hashable, Sum] = {
        x: tuple(i for i, (y, _) in enumerate(pairs) if x == y) for x in levels
    }
    gone = sums_to_hide(
        counts, known, wanted | {pair: (i,) for i, pair in enumerate(pairs)}, min_cell
    )
    return gone | {pair for pair in pairs if pair[0] in gone}
