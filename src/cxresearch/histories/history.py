"""The contract of a history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import narwhals.stable.v2 as nw

from cxresearch.engines import Along, Frame
from cxresearch.engines.along import Fold
from cxresearch.errors import EstimationError
from cxresearch.histories.clocks import Clock


@dataclass(frozen=True, slots=True)
class Past:
    """What a history is made from.

    Attributes:
        moments: customer, tick (when the moment takes effect), day, second, grade, and the columns that are read; ready
            for a walk `along`.
        happenings: customer, tick, day, second, kind, begun, took, grade, told; see `cxresearch.tables.happenings`.
        customers: customer, entry, exit (days), event, cluster, and unseen (1 if the log does not reach back to the
            start).
        clock: turns days into ticks.
        along: the walk along a customer's moments, in the order of time and, within a second, the worse grade first.
    """

    moments: Frame
    happenings: Frame
    customers: Frame
    clock: Clock
    along: Along


@dataclass(frozen=True, slots=True)
class Run:
    """The running columns of a history, as its ``code`` sees them after a tick.

    Attributes:
        column: own column name to expression; null or 0 before the first mark.
        day: the day of the tick; the level holds for the days after it.
        unseen: 1 where the log does not reach back to the customer's start.
    """

    column: Callable[[str], nw.Expr]
    day: nw.Expr
    unseen: nw.Expr


@dataclass(frozen=True, slots=True)
class History:
    """What a customer had lived through, as a categorical that changes at known ticks.

    Attributes:
        name: the function and its parameters; equal names mean equal histories.
        levels: level names; a code is a position. ``levels[0]`` holds before the first mark of a customer seen whole.
        reads: what it needs besides customer and day: columns of moments, times of
            happenings, or ``household``.
        marks: past to frames of (customer, tick, own columns).
        fold: own column to how it runs along a customer: ``sum``, ``last`` (the greatest within one tick) or ``min``.
        code: running columns to level position.
        grades: positions of the grades it looks at; all when not given.
        cumulative: whether the level can only rise, so that reaching one is a moment in time.
        walk: a name for its marks and running columns, which histories share that differ in their levels only; they
            are then walked once.
    """

    name: str
    levels: tuple[str, ...]
    reads: tuple[str, ...]
    marks: Callable[[Past], list[Frame]]
    fold: Mapping[str, Fold]
    code: Callable[[Run], nw.Expr]
    grades: tuple[int, ...] | None = None
    cumulative: bool = False
    walk: str = ""


def band_names(edges: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the bands of a count: (1, 3, 6) gives 0, 1-2, 3-5, 6+.

    Raises:
        EstimationError: the edges do not rise from 1 on.
    """
    if not edges or edges[0] < 1 or any(b <= a for a, b in pairwise(edges)):
        raise EstimationError(f"edges must rise and start at 1 or more, such as (1, 3, 6), were {edges}")
    first = ("0",) if edges[0] == 1 else (f"0-{edges[0] - 1}",)
    inner = tuple(f"{a}" if b == a + 1 else f"{a}-{b - 1}" for a, b in pairwise(edges))
    return (*first, *inner, f"{edges[-1]}+")


def band(x: nw.Expr, edges: tuple[int, ...]) -> nw.Expr:
    """The position of a count among its bands."""
    return reduce(lambda a, b: a + b, [(x >= e).cast(nw.Int64) for e in edges])
