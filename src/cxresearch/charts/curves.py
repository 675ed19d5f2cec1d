"""Curves over time: how a share grows, several causes stacked, and who is still there by history."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from cxresearch.charts.base import (
    BLUE,
    GREEN,
    ORANGE,
    Chart,
    claimed,
    clock_title,
    distinct_styles,
    drawn,
    finish,
    one_clock,
    region_of,
    shares_up,
    steps,
    thinned,
    time_along,
    values,
)
from cxresearch.claims.kinds import ExcessReading, IncidenceReading
from cxresearch.claims.level_words import happening
from cxresearch.claims.readings import Comparison, EventReading, TimeOrigin
from cxresearch.claims.results import ReadingResult, Series, Trial
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import min_cell_of, round_share, share_step
from cxresearch.errors import NothingToDrawError
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.estimators.results import Incidence
from cxresearch.utils.checks import arguments, instance, mapping_of, optional

_DONE = {"defection": "left", "public post": "posted"}


def curves(result: ReadingResult, trial: Trial, *, min_cell: int) -> Chart:
    """How a share grows with time: the series behind a reading, as steps, with bands where there are any.

    Args:
        result: a reading with series.
        trial: the claim it belongs to.
        min_cell: no step stands for fewer customers.

    Returns:
        The chart, with the claim's edge as a rule where the reading is a share.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> trial = cx.evaluate(study, ["public-posting"], alone=True)["public-posting"]
        >>> chart = charts.curves(trial.primary, trial, min_cell=10)
        >>> print(chart.to_dict()["description"].partition(". of")[0])
        Curves of the share of customers who posted, over time
    """
    instance("result", result, ReadingResult, "a reading that was tried, such as trial.primary")
    instance("trial", trial, Trial, "a claim that was tried, such as docket['three-strikes']")
    arguments(min_cell=min_cell)
    step = share_step(result.customers, min_cell)
    reading = trial.claim.reading(result.reading_id)
    done = _DONE.get(reading.event, "counted") if isinstance(reading, EventReading) else "counted"
    rows: list[dict[str, Any]] = [
        {
            "series": s.name,
            "day": s.x[i],
            "share": round_share(s.y[i], step),
            "low": _band(s.low, i, step),
            "high": _band(s.high, i, step),
        }
        for s in result.series
        for i in _kept(s, result, min_cell)
    ]
    banded = any(s.low for s in result.series)
    where = region_of(trial, result) if result.unit is Unit.SHARE else None
    edges = [e for e in (where.edges if where else ()) if 0 < e < 1]
    top = (
        1.0
        if edges
        else min(1.0, 1.15 * max((max(r["share"], r["high"] or 0) for r in rows), default=1.0))
    )
    last = max((r["day"] for r in rows), default=1)
    x, axis = time_along("day", _origin_title(result, trial), last), shares_up()
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=axis)
    names = [s.name for s in result.series]
    colours, dashes = distinct_styles(names, (ORANGE, BLUE, GREEN))
    legend = alt.Legend(
        title=None,
        orient="top",
        direction="vertical",
        labelLimit=600,
        symbolType="stroke",
        symbolStrokeWidth=3,
    )
    shown = legend if len(names) > 1 else None
    tooltip = [
        alt.Tooltip("series:N", title="who"),
        alt.Tooltip("day:Q", title="day"),
        alt.Tooltip("share:Q", title=f"{done} by then", format=".1%"),
    ]
    if banded:
        tooltip += [
            alt.Tooltip(f"{k}:Q", title=t, format=".1%")
            for k, t in (("low", "from"), ("high", "to"))
        ]
    fill = alt.Fill("series:N", scale=colours, legend=shown)
    layers = steps(
        {"x": x, "y": y},
        line={
            "color": alt.Color("series:N", scale=colours, legend=shown),
            "strokeDash": alt.StrokeDash("series:N", scale=dashes, legend=shown),
        },
        point={"tooltip": tooltip, "color": alt.Color("series:N", scale=colours, legend=shown)},
        band={"y": alt.Y("low:Q", axis=axis), "y2": "high:Q", "fill": fill} if banded else None,
        opacity=0.2,
        by="series",
        min_cell=min_cell,
    )
    if edges:
        data = values([{"edge": e, "text": f"the claim: {claimed(where)}"} for e in edges])
        rule = alt.Chart(data)
        layers.append(
            rule.mark_rule(color=BLUE, strokeWidth=1.5, clip=True, aria=False).encode(y="edge:Q")
        )
        layers.append(
            rule.mark_text(
                align="left", baseline="bottom", dx=4, dy=-3, fontSize=13, clip=True, aria=False
            ).encode(x=alt.value(0), y="edge:Q", text="text:N")
        )
    title = "Day by day, the two side by side"
    if len(names) == 1:
        title = f"{result.label[:1].upper()}{result.label[1:]}"
    last_rows = [[r for r in rows if r["series"] == s.name][-1] for s in result.series if s.x]
    description = "; ".join(
        f"{r['series']}: {Unit.SHARE.text(r['share'])} by day {r['day']:.0f}" for r in last_rows
    )
    horizon = result.horizon_days
    beyond = (
        f"The number is that of day {horizon:,}; the curve goes on. "
        if horizon and last > horizon
        else ""
    )
    caption = f"{beyond}{drawn(min_cell, done)}{' The band is the interval, day by day.' if banded else ''}"
    return finish(
        alt.layer(*layers, data=values(rows)),
        title=title,
        caption=caption,
        description=f"Curves of the share of customers who {done}, over time. {description}.",
        height=280,
    )


def _kept(series: Series, result: ReadingResult, min_cell: int) -> list[int]:
    """Positions of a series between which enough customers left; none after which only a few did.

    How many are at risk a series does not say. On average they are the customers who left by the share that they are,
    and towards the end fewer: of series without a band, whose steps are as they were counted, half as many are taken.
    """
    many = (
        [min(result.customers, result.events / series.y[-1])]
        if series.y and series.y[-1] > 0
        else []
    )
    least = (
        (1 if series.low else 2) * min_cell / max(many[0], 1.0) if many and min_cell > 1 else 0.0
    )
    kept = [0]
    for i in range(1, len(series.y)):
        if series.y[i] - series.y[kept[-1]] >= least:
            kept.append(i)
    if series.y and series.y[-1] == series.y[kept[-1]]:
        kept.append(len(series.y) - 1)  # nobody left later: the curve goes on
    kept = sorted(set(kept))
    return [kept[i] for i in thinned(len(kept))]


def _band(limits: Sequence[float], i: int, step: float) -> float | None:
    return round_share(limits[i], step) if limits and math.isfinite(limits[i]) else None


def _origin_title(result: ReadingResult, trial: Trial) -> str:
    reading = trial.claim.reading(result.reading_id)
    match reading:
        case IncidenceReading(time_origin=TimeOrigin(history=history, level=level)):
            return f"days since {happening(trial.claim, history, level)}"
        case ExcessReading(compare=Comparison(history=history, level=level)):
            return f"days since {happening(trial.claim, history, level)}"
    return "days since the start"


def competing(causes: Mapping[str, Incidence], *, min_cell: int | None = None) -> Chart:
    """The incidences of competing causes, one on top of the other; what is above them has not happened yet.

    Args:
        causes: name to incidence, of one table, each with the others competing, as
            `cxresearch.curves.incidence_by_cause` makes.
        min_cell: a step is drawn when so many more have left, and none where fewer are at risk; that of the curves when
            not given.

    Returns:
        The chart; from the bottom in the order given.

    Raises:
        EstimationError: no causes, more than six, several clocks, or too few at risk or leaving.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> chart = charts.competing(cx.curves.incidence_by_cause(cx.risk_table(study)))
        >>> print(chart.to_dict()["description"])
        Shares of customers by what came first, over time, stacked. By day 603: defection: 63%; other exit: 7.2%.
    """
    mapping_of(
        "causes", causes, Incidence, "incidences by cause, as incidence_after_bad gives them"
    )
    optional(min_cell=min_cell)
    min_cell = min_cell_of(min_cell, *causes.values())
    clock = one_clock(causes)
    step = share_step(max(float(c.at_risk.max(initial=1.0)) for c in causes.values()), min_cell)
    given = {name: coarse(c, min_cell) for name, c in causes.items()}
    few = [name for name, c in given.items() if not len(c.times)]
    causes = {name: c for name, c in given.items() if len(c.times)}
    times = _grid(causes, min_cell)
    rows: list[dict[str, Any]] = []
    lower = np.zeros(len(times))
    for name, curve in causes.items():
        height = np.array([round_share(v, step) for v in _steps(curve, times)])
        for t, a, v in zip(times.tolist(), lower.tolist(), height.tolist(), strict=True):
            row = {"cause": name, "time": t, "from": round(a, 4), "to": round(a + v, 4), "share": v}
            rows.append(row | {"all": round(a + v, 4)})
        lower = lower + height
    names = list(causes)
    legend = alt.Legend(
        title=None,
        orient="top",
        direction="vertical",
        labelLimit=600,
        symbolType="square",
        values=names[::-1],
    )
    colours, dashes = distinct_styles(names)
    top = alt.Y("to:Q", scale=alt.Scale(domain=[0, 1]), axis=shares_up())
    tooltip = [
        alt.Tooltip("cause:N", title="what came first"),
        alt.Tooltip("time:Q", title=clock_title(clock)),
        alt.Tooltip("share:Q", title="share by then", format=".1%"),
        alt.Tooltip("all:Q", title="with those below", format=".1%"),
    ]
    layers = steps(
        {"x": time_along("time", clock_title(clock), float(times[-1])), "y": top},
        line={
            "stroke": alt.Stroke("cause:N", scale=colours, legend=legend),
            "strokeDash": alt.StrokeDash("cause:N", scale=dashes, legend=legend),
        },
        point={"detail": "cause:N", "tooltip": tooltip},
        band={"y2": "from:Q", "fill": alt.Fill("cause:N", scale=colours, legend=legend)},
        opacity=0.35,
        by="cause",
        width=2,
        min_cell=min_cell,
    )
    unit = "contact" if clock == "contact" else "day"
    description = "; ".join(
        f"{n}: {Unit.SHARE.text(float(_steps(c, times)[-1]))}" for n, c in causes.items()
    )
    return finish(
        alt.layer(*layers, data=values(rows)),
        title="What came first",
        caption="Each layer is the share to whom that came first, by then; above all layers are those still waiting. "
        "Where one cause ends the wait for another, neither may be treated as if the customer had just gone out of "
        f"sight. {drawn(min_cell)}{' Too few to draw: ' * bool(few)}{', '.join(few)}{'.' * bool(few)}",
        description="Shares of customers by what came first, over time, stacked. "
        f"By {unit} {times[-1]:,.0f}: {description}.",
        height=300,
    )


def _grid(causes: Mapping[str, Incidence], min_cell: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The times at which any cause has a step, with their common beginning, up to the end of the most frequent."""
    if not causes:
        raise NothingToDrawError(
            f"never {min_cell} customers at risk of whom {min_cell} left: there is nothing to draw"
        )
    every = np.unique(np.concatenate([c.times for c in causes.values()]))
    every = every[every <= max(causes.values(), key=lambda c: float(c.incidence[-1])).times[-1]]
    return np.concatenate(
        [[float(max(c.start for c in causes.values()))], every[thinned(len(every), 100)]]
    )


def _steps(
    curve: Incidence, times: np.ndarray[Any, np.dtype[np.float64]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A step function read at other times; 0 before its first."""
    at = np.searchsorted(curve.times, times, side="right") - 1
    return np.asarray(np.where(at >= 0, curve.incidence[np.maximum(at, 0)], 0.0), dtype=np.float64)


_WIDE = 0.5  # a band wider than this would hide the others and say nothing


def retention(
    curves: Mapping[str, Incidence],
    *,
    history: str = "bad moments so far",
    min_cell: int | None = None,
) -> Chart:
    """The share not yet lost, over time, a curve per name.

    Args:
        curves: name to incidence, on one clock, as `cxresearch.incidence_by_level` makes; drawn as one minus incidence.
        history: what the names are levels of, for the title and the legend.
        min_cell: a step is drawn when so many more have left, and none where fewer are at risk; that of the curves when
            not given.

    Returns:
        The chart, with limits as bands.

    Raises:
        EstimationError: no curves, more than six, curves on several clocks, or none with enough customers.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> chart = charts.retention(cx.incidence_by_level(table, "bad"))
        >>> print(chart.to_dict()["description"].partition("; 1+")[0])
        Share of customers not lost yet, over time, by bad moments so far. 0: 54% (48% to 59%) by day 549
    """
    mapping_of("curves", curves, Incidence, "incidences by level, as incidence_by_level gives them")
    arguments(history=history)
    optional(min_cell=min_cell)
    min_cell = min_cell_of(min_cell, *curves.values())
    clock = one_clock(curves)
    rows = [r for name, curve in curves.items() for r in _rows(name, curve, min_cell)]
    if not rows:
        raise NothingToDrawError(
            f"no curve has {min_cell} at risk of whom {min_cell} left: there is nothing to draw"
        )
    names = [n for n in curves if any(r["level"] == n for r in rows)]
    legend = alt.Legend(
        title=history,
        orient="top",
        symbolType="stroke",
        symbolStrokeWidth=3,
        symbolSize=300,
        symbolOpacity=1,
    )
    colours, dashes = distinct_styles(names)
    x = time_along("time", clock_title(clock), max(r["time"] for r in rows))
    axis = shares_up()
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)
    tooltip = [
        alt.Tooltip("level:N", title=history),
        alt.Tooltip("time:Q", title=clock_title(clock)),
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
        by="level",
        min_cell=min_cell,
    )
    unit = "contact" if clock == "contact" else "day"
    last_rows = [[r for r in rows if r["level"] == n][-1] for n in names]
    description = "; ".join(
        f"{r['level']}: {_share_with_limits(r)} by {unit} {r['time']:,.0f}" for r in last_rows
    )
    late = [
        f"{n} from {unit} {c.start:,} on, of those there then"
        for n, c in curves.items()
        if n in names and c.start
    ]
    caption = (
        "Customers join a curve after the moment that brings them there and leave it with the next one. "
        f"Bands are {next(iter(curves.values())).level:.0%} intervals; one that spans more than {_WIDE:.0%} is not "
        f"drawn. {drawn(min_cell)}{' ' if late else ''}{'; '.join(late)}{'.' if late else ''}{_gone(curves, names)}"
    )
    return finish(
        alt.layer(*layers, data=values(rows)),
        title=f"Not lost yet, by {history}",
        caption=caption,
        description=f"Share of customers not lost yet, over time, by {history}. {description}.",
        height=320,
    )


def _rows(name: str, curve: Incidence, min_cell: int) -> list[dict[str, Any]]:
    """The points of a curve; none where fewer left than may be shown."""
    shown = coarse(curve, min_cell)
    step = share_step(float(curve.at_risk.max(initial=1.0)), min_cell)
    rows = [
        {
            "level": name,
            "time": float(shown.times[i]),
            "share": round_share(1 - float(shown.incidence[i]), step),
        }
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
    return {"low": round_share(low, step), "high": round_share(high, step)}


def _gone(curves: Mapping[str, Incidence], names: list[str]) -> str:
    """Which curves are not drawn."""
    few = [n for n in curves if n not in names]
    return f" Too few left to draw {', '.join(few)}." if few else ""


def _share_with_limits(row: dict[str, Any]) -> str:
    limits = (
        f" ({Unit.SHARE.text(row['low'])} to {Unit.SHARE.text(row['high'])})"
        if row["low"] is not None
        else ""
    )
    return f"{Unit.SHARE.text(row['share'])}{limits}"
