"""What charts of curves share: a clock, time along the bottom, shares up the side, and steps with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from cxresearch.charts.look import SERIES, percent
from cxresearch.errors import EstimationError
from cxresearch.estimators.results import Incidence

_COLOURS = tuple(colour for colour, _ in SERIES)


def one_clock(curves: Mapping[str, Incidence]) -> str:
    """The clock that all curves share.

    Raises:
        EstimationError: there are none, more than can be told apart, or several clocks.
    """
    clocks = sorted({c.clock for c in curves.values()})
    if not clocks:
        raise EstimationError("there is no curve to draw")
    if len(clocks) > 1:
        raise EstimationError(f"curves on several clocks do not go into one chart: {', '.join(clocks)}")
    if len(curves) > len(SERIES):
        raise EstimationError(f"at most {len(SERIES)} curves can be told apart, were {len(curves)}")
    return clocks[0]


def time_along(field: str, title: str, last: float) -> alt.X:
    """Time along the bottom, from 0 to the last one drawn."""
    scale = alt.Scale(domain=[0, last], nice=False)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=6, grid=False))


def drawn(min_cell: int, done: str = "left") -> str:
    """What a reader must know of the steps; `done` is what customers have done there."""
    if min_cell == 1:
        return f"Each step is a time at which somebody {done}."
    least = f"at least {min_cell} more customers have {done}"
    return f"A step is drawn when {least}, and a curve ends where fewer are in it."


def shares_up() -> alt.Axis:
    """The axis of shares."""
    return alt.Axis(title=None, labelExpr=percent(), tickCount=5)


def told_apart(names: Sequence[str], colours: Sequence[str] = _COLOURS) -> tuple[alt.Scale, alt.Scale]:
    """Colours and dashes of curves, by name."""
    dashes = [list(dash) for _, dash in SERIES[: len(names)]]
    return alt.Scale(domain=names, range=colours[: len(names)]), alt.Scale(domain=names, range=dashes)


def steps(
    shared: Mapping[str, Any],
    *,
    line: Mapping[str, Any],
    point: Mapping[str, Any],
    band: Mapping[str, Any] | None,
    opacity: float,
    width: float = 2.5,
) -> list[alt.Chart]:
    """Layers: the bands, if there are any, the lines, and points that only a pointer finds.

    Args:
        shared: channels of all three, which each may change.
        line: the lines' own channels.
        point: the points' own: what a pointer is told.
        band: the bands' own; None for no bands.
        opacity: of the bands.
        width: of the lines.
    """
    base = alt.Chart()
    layers = [
        base.mark_line(interpolate="step-after", strokeWidth=width, aria=False).encode(**{**shared, **line}),
        base.mark_point(size=160, opacity=0, filled=True, aria=False).encode(**{**shared, **point}),
    ]
    if band is None:
        return layers
    area = base.mark_area(interpolate="step-after", opacity=opacity, aria=False)
    return [area.encode(**{**shared, **band}), *layers]
