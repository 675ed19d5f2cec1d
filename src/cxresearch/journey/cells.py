"""Two-way tables with known totals: which cells must be hidden so that no small one can be had by subtraction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def hidden(counts: Sequence[Sequence[int]], min_cell: int) -> NDArray[np.bool_]:
    """The cells not to be shown where the totals of rows and columns are known.

    Small cells are hidden, and then further ones, the smallest first, until what is hidden in any row or column is at
    least two cells and together at least `min_cell`. Nothing is hidden of a zero: it names nobody. This lessens
    disclosure; it does not guarantee it.

    Args:
        counts: shape (R, C).
        min_cell: the smallest count that may be shown.

    Returns:
        Shape (R, C): whether the cell is hidden.

    References:
        Hundepool et al. (2012), Statistical Disclosure Control, Wiley, chapter 4.
    """
    n = np.asarray(counts, dtype=np.int64).reshape(len(counts), -1)
    hide = (n > 0) & (n < min_cell)
    while True:
        more = _next(n, hide, min_cell)
        if more is None:
            return hide
        hide[more] = True


def shown(counts: Sequence[Sequence[int]], min_cell: int) -> tuple[tuple[int | None, ...], ...]:
    """The same table with None in place of what `hidden` says."""
    hide = hidden(counts, min_cell)
    return tuple(
        tuple(None if h else int(n) for n, h in zip(row, marks, strict=True))
        for row, marks in zip(counts, hide.tolist(), strict=True)
    )


def _next(n: NDArray[np.int64], hide: NDArray[np.bool_], min_cell: int) -> tuple[int, int] | None:
    """A cell to hide because of a line that gives away too much; None if there is none."""
    lines = [[(i, j) for j in range(n.shape[1])] for i in range(n.shape[0])]
    lines += [[(i, j) for i in range(n.shape[0])] for j in range(n.shape[1])]
    for line in lines:
        held = [int(n[cell]) for cell in line if hide[cell]]
        open_cells = [cell for cell in line if n[cell] and not hide[cell]]
        if held and open_cells and (len(held) < 2 or sum(held) < min_cell):
            return min(open_cells, key=lambda cell: int(n[cell]))
    return None
