"""What all charts share: colours, width, descriptions, time and share axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from cxresearch.charts import renderer
from cxresearch.claims.decide import Region
from cxresearch.claims.results import ReadingResult, Trial
from cxresearch.claims.units import Unit
from cxresearch.errors import EstimationError, NothingToDrawError
from cxresearch.estimators.results import Incidence
from cxresearch.utils.checks import instance, one_of

BLUE, ORANGE, GREEN, GREY = "#0f7bbf", "#d55e00", "#00936b", "#808890"
PURPLE, GOLD = "#b5568c", "#a97f00"
SERIES = (  # colour and dash of the first, second, … curve
    (BLUE, (1, 0)),
    (GREEN, (6, 3)),
    (ORANGE, (2, 2)),
    (PURPLE, (9, 3, 2, 3)),
    (GOLD, (4, 2)),
    (GREY, (1, 3)),
)
TICKS = (
    0.05,
    0.1,
    0.15,
    0.2,
    0.25,
    0.33,
    0.5,
    0.67,
    0.8,
    1,
    1.25,
    1.5,
    2,
    3,
    4,
    5,
    7,
    10,
    20,
    50,
)  # of hazard ratios
START: dict[str, Any] = {
    "titleAlign": "left",
    "titleAnchor": "start",
    "orient": "bottom",
}  # of an axis with a title
Chart = alt.LayerChart | alt.FacetChart  # what Altair makes of layers


def values(rows: Sequence[Mapping[str, Any]]) -> alt.Data:
    """Rows as a chart's data."""
    return alt.Data(values=list(rows))  # type: ignore[no-untyped-call]


def tips(titles: Mapping[str, str]) -> list[alt.Tooltip]:
    """The tooltip: field to its title."""
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in titles.items()]


def thinned(count: int, most: int = 150) -> list[int]:
    """Positions of a curve's points, thinned evenly; first and last stay."""
    return sorted(
        {round(i * (count - 1) / max(min(count, most) - 1, 1)) for i in range(min(count, most))}
    )


def clock_title(clock: str) -> str:
    """A clock as the title of an axis."""
    known = {
        "tenure": "days since the start",
        "contact": "contacts",
        "days since bad 1": "days since the first bad moment",
    }
    return known.get(clock, clock)


def finish(chart: Chart, *, title: str, caption: str, description: str, height: int) -> Chart:
    """What all charts share: as wide as the page, the page's ink, and words for those who do not see it.

    Where a kernel shows it and nobody has chosen how, JupyterLab gets a form that it can bring to life offline.
    """
    if alt.renderers.active == "default":
        renderer.enable()
    finished: Chart = (
        chart.properties(
            width="container",
            height=height,
            description=description,
            usermeta={"title": title, "caption": caption},
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding={"left": 4, "right": 6, "top": 6, "bottom": 4},
        )
        .configure(font="system-ui, sans-serif", background="transparent")
        .configure_view(stroke=None, continuousWidth=680)
        .configure_axis(
            labelColor="currentColor",
            titleColor="currentColor",
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            domainColor="currentColor",
            domainOpacity=0.4,
            tickColor="currentColor",
            tickOpacity=0.4,
            gridColor="currentColor",
            gridOpacity=0.12,
        )
        .configure_legend(
            labelColor="currentColor", titleColor="currentColor", labelFontSize=13, rowPadding=4
        )
        .configure_text(color="currentColor")
    )
    return finished


def region_of(trial: Trial, e: ReadingResult) -> Region | None:
    """The region in which the claim holds for a reading; None if there is none."""
    return trial.claim.reading(e.reading_id).claimed_region if e.region else None


def claimed(where: Region | None, unit: Unit | str = Unit.SHARE) -> str:
    """The region in which a claim holds, in words: ``92.5% or more``.

    Args:
        where: the region; None if there is none.
        unit: as `ReadingResult.unit`, or its word.

    Example:
        >>> from cxresearch import charts
        >>> from cxresearch.claims.decide import parse_region
        >>> charts.claimed(parse_region("> 1"), "hazard ratio")
        'more than 1'
    """
    if where is not None:
        instance("where", where, Region, "a region, such as Reading.region")
    measured = unit_of(unit)
    if where is None:
        return "–"
    low, high = (measured.edge_text(v) for v in (where.low, where.high))
    if math.isinf(where.high):
        return f"{low} or more" if ">=" in where.text else f"more than {low}"
    if math.isinf(where.low):
        return f"{high} or less" if "<=" in where.text else f"less than {high}"
    return f"{low} to {high}"


def unit_of(unit: Unit | str) -> Unit:
    """A unit as it is given to a chart.

    Raises:
        ArgumentError: there is no such unit.
    """
    return Unit(one_of("unit", unit, [u.value for u in Unit]))


def percent(*, signed: bool = False) -> str:
    """The expression that labels an axis of shares: ``40%``, or ``+5`` where points are counted."""
    return f"format(100 * datum.value, '{'+' if signed else ''}.0f') + '{'' if signed else '%'}'"


_COLOURS = tuple(colour for colour, _ in SERIES)


def one_clock(curves: Mapping[str, Incidence]) -> str:
    """The clock that all curves share.

    Raises:
        EstimationError: there are none, more than have distinct styles, or several clocks.
    """
    clocks = sorted({c.clock for c in curves.values()})
    if not clocks:
        raise NothingToDrawError("there is no curve to draw")
    if len(clocks) > 1:
        raise EstimationError(
            f"curves on several clocks do not go into one chart: {', '.join(clocks)}"
        )
    if len(curves) > len(SERIES):
        raise EstimationError(
            f"at most {len(SERIES)} curves can be distinguished, were {len(curves)}"
        )
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
    return (
        f"A curve has a point when {least}, straight lines between, and ends where fewer are in it."
    )


def shares_up() -> alt.Axis:
    """The axis of shares."""
    # of a part that is zoomed into, ticks stand closer than whole percents
    return alt.Axis(title=None, labelExpr="format(datum.value, '~%')", tickCount=5)


def distinct_styles(
    names: Sequence[str], colours: Sequence[str] = _COLOURS
) -> tuple[alt.Scale, alt.Scale]:
    """Colours and dashes of curves, by name."""
    dashes = [list(dash) for _, dash in SERIES[: len(names)]]
    return alt.Scale(domain=names, range=colours[: len(names)]), alt.Scale(
        domain=names, range=dashes
    )


# a wheel or a drag alone belongs to the page around the chart
_WITH_KEY = "event.ctrlKey || event.metaKey"


def steps(
    shared: Mapping[str, Any],
    *,
    line: Mapping[str, Any],
    point: Mapping[str, Any],
    band: Mapping[str, Any] | None,
    opacity: float,
    by: str,
    width: float = 2.5,
    min_cell: int = 1,
) -> list[alt.Chart]:
    """Layers: the bands, if there are any, the lines, and points of which the one nearest to a pointer shows.

    Ctrl (or Command) and the wheel or a drag zoom and move, a double click shows the whole again.

    Args:
        shared: channels of all three, which each may change.
        line: channels of the lines.
        point: channels of the points, such as the tooltip.
        band: channels of the bands; None for no bands.
        opacity: of the bands.
        by: the field that tells curves apart: a click on its legend makes the others pale.
        width: of the lines.
        min_cell: the smallest count that may be shown. Where steps wait until so many have gone, straight lines lead
            to the next: a step would say that nobody had gone before, and then all at once.
    """
    base = alt.Chart()
    picked = alt.selection_point(name="picked", fields=[by], bind="legend")
    near = alt.selection_point(name="near", on="pointerover", nearest=True, clear="pointerout")
    zoom = alt.selection_interval(
        name="zoom",
        bind="scales",
        zoom=f"wheel![{_WITH_KEY}]",
        on=f"[pointerdown[{_WITH_KEY}], window:pointerup] > window:pointermove!",
        translate=f"[pointerdown[{_WITH_KEY}], window:pointerup] > window:pointermove!",
        clear="dblclick",
    )
    way: Any = "step-after" if min_cell == 1 else "linear"
    layers = [
        base.mark_line(interpolate=way, strokeWidth=width, clip=True, aria=False)
        .encode(
            **{**shared, **line},
            opacity=alt.condition(picked, alt.value(1), alt.value(0.15)),
        )
        .add_params(picked, zoom),
        base.mark_point(size=80, filled=True, clip=True, aria=False)
        .encode(
            **{**shared, **point},
            opacity=alt.condition(near, alt.value(1), alt.value(0), empty=False),
        )
        .add_params(near),
    ]
    if band is None:
        return layers
    area = base.mark_area(interpolate=way, opacity=opacity, clip=True, aria=False)
    return [area.encode(**{**shared, **band}), *layers]
