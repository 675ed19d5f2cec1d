"""Counts too small to be shown, the others that would give them away, and numbers that rest on too few."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import Protocol

MIN_CELL = 10  # where no study sets another, as in `settings.StudySection`


class Limited(Protocol):
    """A result that carries the smallest count that may be shown of it."""

    @property
    def min_cell(self) -> int:
        """That count."""
        ...


def min_cell_of(given: int | None, *results: Limited) -> int:
    """The smallest count that may be shown of results: what somebody asks for, else the strictest of their own limits.

    Args:
        given: what was asked for; None if nothing was.
        results: what is shown; each has the limit of its study.
    """
    return max((r.min_cell for r in results), default=MIN_CELL) if given is None else given


def hide(counts: Sequence[int], min_cell: int) -> tuple[int | None, ...]:
    """Counts that add up to a known total, with the small ones hidden.

    What is hidden can be had together, by subtraction. So further counts are hidden, the smallest first, until any of
    them might be as large as `min_cell`. Nothing is hidden of a zero: it names nobody.

    Args:
        counts: customers or moments, by class.
        min_cell: the smallest count that may be shown.

    Returns:
        The counts, None where hidden.
    """
    hidden = {i for i, n in enumerate(counts) if 0 < n < min_cell}
    shown = sorted((n, i) for i, n in enumerate(counts) if n and i not in hidden)
    for _, i in shown if hidden else ():
        most = sum(counts[h] for h in hidden) - (len(hidden) - 1)  # of one, if all the others are 1
        if most >= min_cell:
            break
        hidden.add(i)
    return tuple(None if i in hidden else n for i, n in enumerate(counts))


def merge_classes(counts: Sequence[int], min_cell: int) -> tuple[tuple[str, int], ...]:
    """Counts by number, with neighbours put together until each class is large enough to show.

    Args:
        counts: how many have 0, 1, 2, … of something.
        min_cell: the smallest count that may be shown.

    Returns:
        Names such as ``0``, ``1-2``, ``3+`` with their counts; the last class is open. Empty where all together are
        too few.
    """
    result: list[tuple[int, int]] = []  # first number of a class, count; from the top
    pending = 0
    for number in range(len(counts) - 1, -1, -1):
        pending += counts[number]
        if pending >= min_cell:
            result.append((number, pending))
            pending = 0
    if pending and result:
        result[-1] = (0, result[-1][1] + pending)
    elif result:
        result[-1] = (0, result[-1][1])
    result.reverse()
    return tuple(
        (_name(first, result[i + 1][0] if i + 1 < len(result) else None), n)
        for i, (first, n) in enumerate(result)
    )


def count_text(count: int | None, min_cell: int) -> str:
    """A count as a page shows it: rounded as `round_count` does, ``fewer than 10``, or that it is hidden."""
    return (
        "not shown"
        if count is None
        else f"fewer than {min_cell}"
        if 0 < count < min_cell
        else f"{round_count(count, min_cell):,}"
    )


def round_count(count: float, min_cell: int) -> int:
    """A count to the nearest multiple of `min_cell`; no difference of two such counts gives a small one away.

    Two rounded counts differ by a multiple of `min_cell`. Where they are equal, the exact ones may differ by anything
    below it, and where they differ by `min_cell`, by anything from 1 on: so a difference reveals of a count below
    `min_cell` that it is one, and not which.
    """
    return math.floor(count / min_cell + 0.5) * min_cell


def about(count: int | None, min_cell: int) -> str:
    """A rounded count in a sentence: ``about 1,200``; where one customer may be shown, the exact one."""
    shown = count_text(count, min_cell)
    return shown if count is None or count < min_cell or min_cell == 1 else f"about {shown}"


def part_of(count: float, total: float, min_cell: int) -> float:
    """The share that a count is of a total, made of the rounded numbers, so that it reveals no more than they do.

    Args:
        count: a part of the total.
        total: may be 0.
        min_cell: the smallest count that may be shown.

    Returns:
        0 to 1; 0 of a total that is rounded to nothing.
    """
    rounded = round_count(total, min_cell)
    return min(round_count(count, min_cell) / rounded, 1.0) if rounded else 0.0


def rounding_note(min_cell: int) -> str:
    """What a reader needs to know of rounded counts; empty where they are exact."""
    return f"Counts are rounded to the nearest {min_cell}." if min_cell > 1 else ""


def round_estimate(
    value: float,
    low: float,
    high: float,
    *,
    customers: int,
    min_cell: int,
    edges: Iterable[float] = (),
) -> tuple[float, float, float]:
    """An estimated share and its limits, to the nearest multiple of the share that `min_cell` customers are.

    The difference of two shares of the same customers is a count, too. A number stays on its side of the edges that
    decide a verdict, as far as there is a multiple there.

    Args:
        value: a share of customers or moments.
        low: lower limit.
        high: upper limit.
        customers: of whom it is a share, rounded.
        min_cell: the smallest count that may be shown.
        edges: of what is claimed.

    Returns:
        The three numbers, each between 0 and 1.
    """
    if min_cell <= 1 or customers <= 0:
        return value, low, high
    step, sides = min(min_cell / customers, 0.5), tuple(edges)
    return _to_step(value, step, sides), _to_step(low, step, sides), _to_step(high, step, sides)


def _to_step(share: float, step: float, edges: Sequence[float]) -> float:
    """The nearest multiple of a step inside 0 to 1 that lies on the same side of each edge; an edge itself if none."""
    if not math.isfinite(share):
        return share
    below = math.floor(share / step)
    nearest = sorted((below * step, (below + 1) * step), key=lambda s: abs(s - share))
    for candidate in nearest:
        rounded = min(max(candidate, 0.0), 1.0)
        if all((rounded > e) == (share > e) and (rounded < e) == (share < e) for e in edges):
            return rounded
    return min(max(nearest[0], 0.0), 1.0)


def readable_positions(counts: Iterable[float], min_cell: int) -> tuple[int, ...]:
    """Positions of a count that only grows, at which it may be read: at least `min_cell` lie between any two of them.

    Args:
        counts: ascending, such as how many had left by each time.
        min_cell: the smallest count that may be shown.
    """
    kept, upto = [], 0.0
    for i, count in enumerate(counts):
        if count - upto >= min_cell - 1e-6:
            kept.append(i)
            upto = float(count)
    return tuple(kept)


def share_step(customers: float, min_cell: int) -> float:
    """To what shares of so many customers are rounded, so that no difference of two gives a small count away.

    Args:
        customers: of whom the shares are.
        min_cell: the smallest count that may be shown.

    Returns:
        A round number such as 0.002, between a fifth and a half of the share that `min_cell` customers are; at least
        0.0001.
    """
    most = min_cell / (2 * max(customers, 1.0))
    power = 10.0 ** math.floor(math.log10(most) + 1e-12)
    return float(
        min(max(next(f for f in (5, 2, 1) if f * power <= most * (1 + 1e-9)) * power, 1e-4), 0.1)
    )


def round_share(share: float, step: float) -> float:
    """A share to the nearest step, inside 0 to 1."""
    return round(min(max(round(share / step) * step, 0.0), 1.0), 4)


def rests_on_enough(
    value: float,
    low: float,
    high: float,
    *,
    is_share: bool,
    level: float = 0.95,
    min_cell: int,
    customers: int | None = None,
    events: int | None = None,
) -> bool:
    """Whether a number rests on enough customers and cases to be shown.

    A count follows from a share and a total that is known elsewhere, so few cases, or few others, keep a share from
    being shown. How many stand behind it is read off its interval: a proportion of n customers has Wilson's. No count
    follows from a hazard ratio, whose level must have departures enough before it is computed.

    Args:
        value: the number.
        low: lower limit.
        high: upper limit.
        is_share: whether it is a share of customers or moments.
        level: confidence level of the limits.
        min_cell: the smallest count that may be shown.
        customers: behind the number, if that is known.
        events: cases behind the number, if that is known.
    """
    if any(n is not None and 0 < n < min_cell for n in (customers, events)):
        return False
    least = min_cell * (1 - 1e-6)  # limits are rounded by those who made them
    if is_share and 0 < value < 1 and low >= 0:
        return _size(value, low, high, level) * min(value, 1 - value) >= least
    return True


def _size(p: float, low: float, high: float, level: float) -> float:
    """Of how many customers a share is, going by its interval: Wilson's half width, solved for n."""
    half, spread = (high - low) / 2, p * (1 - p)
    if half <= 0:
        return math.inf
    a, b, c = half**2 - 0.25, 2 * half**2 - spread, half**2  # of u = z²/n: a u² + b u + c = 0
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    result = (-b - root) / (2 * a) if a else -c / b
    return _quantile(level) ** 2 / result if result > 0 else 0.0


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def _name(first: int, following: int | None) -> str:
    if following is None:
        return f"{first}+"
    return str(first) if following == first + 1 else f"{first}-{following - 1}"
