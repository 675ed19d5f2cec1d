"""Several causes of one clock, stacked: whoever left for one of them cannot leave for another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np

from cxresearch.charts.look import Chart, finish, since, thinned, values
from cxresearch.charts.steps import drawn, one_clock, shares_up, steps, time_along, told_apart
from cxresearch.claims.numbers import number
from cxresearch.errors import EstimationError
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.estimators.results import Incidence
from cxresearch.small_cells import MIN_CELL, grain, to_grain


def competing(causes: Mapping[str, Incidence], *, min_cell: int = MIN_CELL) -> Chart:
    """The incidences of competing causes, one on top of the other; what is above them has not happened yet.

    Args:
        causes: name to incidence, of one table, each with the others competing, as
            `cxresearch.curves.incidence_by_cause` makes.
        min_cell: a step is drawn when so many more have left, and none where fewer are at risk.

    Returns:
        The chart; from the bottom in the order given.

    Raises:
        EstimationError: no causes, more than six, several clocks, or too few at risk or leaving.
    """
    clock = one_clock(causes)
    step = grain(max(float(c.at_risk.max(initial=1.0)) for c in causes.values()), min_cell)
    given = {name: coarse(c, min_cell) for name, c in causes.items()}
    few = [name for name, c in given.items() if not len(c.times)]
    causes = {name: c for name, c in given.items() if len(c.times)}
    times = _grid(causes, min_cell)
    rows: list[dict[str, Any]] = []
    below = np.zeros(len(times))
    for name, curve in causes.items():
        own = np.array([to_grain(v, step) for v in _steps(curve, times)])
        for t, a, v in zip(times.tolist(), below.tolist(), own.tolist(), strict=True):
            row = {"cause": name, "time": t, "from": round(a, 4), "to": round(a + v, 4), "share": v}
            rows.append(row | {"all": round(a + v, 4)})
        below = below + own
    names = list(causes)
    legend = alt.Legend(
        title=None, orient="top", direction="vertical", labelLimit=600, symbolType="square", values=names[::-1]
    )
    colours, dashes = told_apart(names)
    top = alt.Y("to:Q", scale=alt.Scale(domain=[0, 1]), axis=shares_up())
    tooltip = [
        alt.Tooltip("cause:N", title="what came first"),
        alt.Tooltip("time:Q", title=since(clock)),
        alt.Tooltip("share:Q", title="share by then", format=".1%"),
        alt.Tooltip("all:Q", title="with those below", format=".1%"),
    ]
    layers = steps(
        {"x": time_along("time", since(clock), float(times[-1])), "y": top},
        line={
            "stroke": alt.Stroke("cause:N", scale=colours, legend=legend),
            "strokeDash": alt.StrokeDash("cause:N", scale=dashes, legend=legend),
        },
        point={"detail": "cause:N", "tooltip": tooltip},
        band={"y2": "from:Q", "fill": alt.Fill("cause:N", scale=colours, legend=legend)},
        opacity=0.35,
        width=2,
    )
    unit = "contact" if clock == "contact" else "day"
    told = "; ".join(f"{n}: {number(float(_steps(c, times)[-1]), 'share')}" for n, c in causes.items())
    return finish(
        alt.layer(*layers, data=values(rows)),
        title="What came first",
        caption="Each layer is the share to whom that came first, by then; above all layers are those still waiting. "
        "Where one cause ends the wait for another, neither may be treated as if the customer had just gone out of "
        f"sight. {drawn(min_cell)}{' Too few to draw: ' * bool(few)}{', '.join(few)}{'.' * bool(few)}",
        description=f"Shares of customers by what came first, over time, stacked. By {unit} {times[-1]:,.0f}: {told}.",
        height=300,
    )


def _grid(causes: Mapping[str, Incidence], min_cell: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The times at which any cause has a step, with their common beginning, up to the end of the most frequent."""
    if not causes:
        raise EstimationError(f"never {min_cell} customers at risk of whom {min_cell} left: there is nothing to draw")
    every = np.unique(np.concatenate([c.times for c in causes.values()]))
    every = every[every <= max(causes.values(), key=lambda c: float(c.incidence[-1])).times[-1]]
    return np.concatenate([[float(max(c.start for c in causes.values()))], every[thinned(len(every), 100)]])


def _steps(curve: Incidence, times: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A step function read at other times; 0 before its first."""
    at = np.searchsorted(curve.times, times, side="right") - 1
    return np.asarray(np.where(at >= 0, curve.incidence[np.maximum(at, 0)], 0.0), dtype=np.float64)
