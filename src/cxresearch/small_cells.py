"""Counts too small to be shown, and the others that would give them away."""

from __future__ import annotations

from collections.abc import Sequence

MIN_CELL = 10  # where no study says otherwise, as in `study.Info`


def hide(counts: Sequence[int], min_cell: int = MIN_CELL) -> tuple[int | None, ...]:
    """Counts that add up to a known total, with the small ones hidden.

    One hidden count could be had by subtraction, so the smallest of the others is hidden with it. Nothing is
    hidden of a zero: it names nobody.

    Args:
        counts: customers or moments, by class.
        min_cell: the smallest count that may be shown.

    Returns:
        The counts, None where hidden.
    """
    hidden = {i for i, n in enumerate(counts) if 0 < n < min_cell}
    shown = sorted((n, i) for i, n in enumerate(counts) if n and i not in hidden)
    if hidden and len(hidden) == 1 and shown:
        hidden.add(shown[0][1])
    return tuple(None if i in hidden else n for i, n in enumerate(counts))


def classes(counts: Sequence[int], min_cell: int = MIN_CELL) -> tuple[tuple[str, int], ...]:
    """Counts by number, with neighbours put together until each class is large enough to show.

    Args:
        counts: how many have 0, 1, 2, … of something.
        min_cell: the smallest count that may be shown.

    Returns:
        Names such as ``0``, ``1-2``, ``3+`` with their counts; the last class is open. Empty where all together are
        too few.
    """
    found: list[tuple[int, int]] = []  # first number of a class, count; from the top
    pending = 0
    for number in range(len(counts) - 1, -1, -1):
        pending += counts[number]
        if pending >= min_cell:
            found.append((number, pending))
            pending = 0
    if pending and found:
        found[-1] = (0, found[-1][1] + pending)
    elif found:
        found[-1] = (0, found[-1][1])
    found.reverse()
    return tuple(
        (_name(first, found[i + 1][0] if i + 1 < len(found) else None), n) for i, (first, n) in enumerate(found)
    )


def told(count: int | None, min_cell: int = MIN_CELL) -> str:
    """A count in words: ``1,204``, or that it is hidden."""
    return "not shown" if count is None else f"fewer than {min_cell}" if 0 < count < min_cell else f"{count:,}"


def _name(first: int, following: int | None) -> str:
    if following is None:
        return f"{first}+"
    return str(first) if following == first + 1 else f"{first}-{following - 1}"
