"""Who is still there, by what they had lived through: curves that share a clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from cxresearch.charts.look import Chart, finish, since, thinned, values
from cxresearch.charts.steps import drawn, one_clock, shares_up, steps, time_along, told_apart
from cxresearch.claims.numbers import number
from cxresearch.errors import EstimationError
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.estimators.results import Incidence
from cxresearch.small_cells import MIN_CELL, grain, to_grain

_WIDE = 0.5  # a band wider than this would hide the others and say nothing


def retention(
    curves: Mapping[str, Incidence], *, history: str = "bad moments so far", min_cell: int = MIN_CELL
) -> Chart:
    """The share not yet lost, over time, a curve per name.

    Args:
        curves: name to incidence, on one clock, as `cxresearch.incidence_by_level` makes; drawn as one minus incidence.
        history: what the names are levels of, for the title and the legend.
        min_cell: a step is drawn when so many more have left, and none where fewer are at risk.

    Returns:
        The chart, with limits as bands.

    Raises:
        EstimationError: no curves, more than six, curves on several clocks, or none with enough customers.
    """
    clock = one_clock(curves)
    rows = [r for name, curve in curves.items() for r in _rows(name, curve, min_cell)]
    if not rows:
        raise EstimationError(f"no curve has {min_cell} at risk of whom {min_cell} left: there is nothing to draw")
    names = [n for n in curves if any(r["level"] == n for r in rows)]
    legend = alt.Legend(
        title=history, orient="top", symbolType="stroke", symbolStrokeWidth=3, symbolSize=300, symbolOpacity=1
    )
    colours, dashes = told_apart(names)
    x = time_along("time", since(clock), max(r["time"] for r in rows))
    axis = shares_up()
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)
    tooltip = [
        alt.Tooltip("level:N", title=history),
        alt.Tooltip("time:Q", title=since(clock)),
        alt.Tooltip("share:Q", title="not lost by then", format=".1%"),
        alt.Tooltip("low:Q", title="from", format=".1%"),
        alt.Tooltip("high:Q", title="to", format=".1%"),
    ]
    fill = alt.Fill("level:N", scale=colours, legend=legend)
    layers = steps(
        {"x": x, "y": y},
        line={
            "color": alt.Color("level:N", scale=colours, legend=legend),
            "strokeDash": alt.StrokeDash("level:N", scale=dashes, legend=legend),
        },
        point={"detail": "level:N", "tooltip": tooltip},
        band={"y": alt.Y("low:Q", axis=axis), "y2": "high:Q", "fill": fill},
        opacity=0.12,
    )
    unit = "contact" if clock == "contact" else "day"
    ends = [[r for r in rows if r["level"] == n][-1] for n in names]
    told = "; ".join(f"{r['level']}: {_told(r)} by {unit} {r['time']:,.0f}" for r in ends)
    late = [f"{n} from {unit} {c.start:,} on, of those there then" for n, c in curves.items() if n in names and c.start]
    caption = (
        "Customers join a curve after the moment that brings them there and leave it with the next one. "
        f"Bands are {next(iter(curves.values())).level:.0%} intervals; one that spans more than {_WIDE:.0%} is not "
        f"drawn. {drawn(min_cell)}{' ' if late else ''}{'; '.join(late)}{'.' if late else ''}{_gone(curves, names)}"
    )
    return finish(
        alt.layer(*layers, data=values(rows)),
        title=f"Not lost yet, by {history}",
        caption=caption,
        description=f"Share of customers not lost yet, over time, by {history}. {told}.",
        height=320,
    )


def _rows(name: str, curve: Incidence, min_cell: int) -> list[dict[str, Any]]:
    """The points of a curve; none where fewer left than may be shown."""
    shown = coarse(curve, min_cell)
    step = grain(float(curve.at_risk.max(initial=1.0)), min_cell)
    rows = [
        {"level": name, "time": float(shown.times[i]), "share": to_grain(1 - float(shown.incidence[i]), step)}
        | _limits(shown, i, step)
        for i in thinned(len(shown.times), 100)
    ]
    first = {"level": name, "time": float(curve.start), "share": 1.0, "low": None, "high": None}
    return [first, *rows] if rows else []


def _limits(curve: Incidence, i: int, step: float) -> dict[str, float | None]:
    """The limits at a point; none where nobody has left yet, or where they say next to nothing."""
    low, high = 1 - float(curve.high[i]), 1 - float(curve.low[i])
    if curve.incidence[i] <= 0 or high - low > _WIDE:
        return {"low": None, "high": None}
    return {"low": to_grain(low, step), "high": to_grain(high, step)}


def _gone(curves: Mapping[str, Incidence], names: list[str]) -> str:
    """Which curves are not drawn."""
    few = [n for n in curves if n not in names]
    return f" Too few left to draw {', '.join(few)}." if few else ""


def _told(row: dict[str, Any]) -> str:
    limits = f" ({number(row['low'], 'share')} to {number(row['high'], 'share')})" if row["low"] is not None else ""
    return f"{number(row['share'], 'share')}{limits}"
