"""How a share grows with time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from cxresearch.charts.look import BLUE, GREEN, ORANGE, Chart, claimed, finish, happening, region_of, thinned, values
from cxresearch.charts.steps import drawn, shares_up, steps, time_along, told_apart
from cxresearch.claims.evidence import Evidence, Series, Trial
from cxresearch.claims.numbers import number
from cxresearch.small_cells import MIN_CELL, grain, to_grain

_DONE = {"defection": "left", "public post": "posted"}


def curves(evidence: Evidence, trial: Trial, *, min_cell: int = MIN_CELL) -> Chart:
    """How a share grows with time: the series behind a reading, as steps, with bands where there are any.

    Args:
        evidence: a reading with series.
        trial: the claim it belongs to.
        min_cell: no step stands for fewer customers.

    Returns:
        The chart, with the claim's edge as a rule where the reading is a share.
    """
    step = grain(evidence.customers, min_cell)
    done = _DONE.get(trial.claim.reading(evidence.reading).event, "counted")
    rows: list[dict[str, Any]] = [
        {
            "series": s.name,
            "day": s.x[i],
            "share": to_grain(s.y[i], step),
            "low": _band(s.low, i, step),
            "high": _band(s.high, i, step),
        }
        for s in evidence.series
        for i in _kept(s, evidence, min_cell)
    ]
    banded = any(s.low for s in evidence.series)
    where = region_of(trial, evidence) if evidence.unit == "share" else None
    edges = [e for e in (where.edges if where else ()) if 0 < e < 1]
    top = 1.0 if edges else min(1.0, 1.15 * max((max(r["share"], r["high"] or 0) for r in rows), default=1.0))
    last = max((r["day"] for r in rows), default=1)
    x, axis = time_along("day", _since(evidence, trial), last), shares_up()
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=axis)
    names = [s.name for s in evidence.series]
    colours, dashes = told_apart(names, (ORANGE, BLUE, GREEN))
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
        tooltip += [alt.Tooltip(f"{k}:Q", title=t, format=".1%") for k, t in (("low", "from"), ("high", "to"))]
    fill = alt.Fill("series:N", scale=colours, legend=shown)
    layers = steps(
        {"x": x, "y": y},
        line={
            "color": alt.Color("series:N", scale=colours, legend=shown),
            "strokeDash": alt.StrokeDash("series:N", scale=dashes, legend=shown),
        },
        point={"tooltip": tooltip},
        band={"y": alt.Y("low:Q", axis=axis), "y2": "high:Q", "fill": fill} if banded else None,
        opacity=0.2,
    )
    if edges:
        data = values([{"edge": e, "text": f"the claim: {claimed(where)}"} for e in edges])
        rule = alt.Chart(data)
        layers.append(rule.mark_rule(color=BLUE, strokeWidth=1.5, aria=False).encode(y="edge:Q"))
        layers.append(
            rule.mark_text(align="left", baseline="bottom", dx=4, dy=-3, fontSize=13, aria=False).encode(
                x=alt.value(0), y="edge:Q", text="text:N"
            )
        )
    title = "Day by day, the two side by side"
    if len(names) == 1:
        title = f"{evidence.label[:1].upper()}{evidence.label[1:]}"
    told = [[r for r in rows if r["series"] == s.name][-1] for s in evidence.series if s.x]
    ends = "; ".join(f"{r['series']}: {number(r['share'], 'share')} by day {r['day']:.0f}" for r in told)
    horizon = evidence.horizon_days
    beyond = f"The number is that of day {horizon:,}; the curve goes on. " if horizon and last > horizon else ""
    caption = f"{beyond}{drawn(min_cell, done)}{' The band is the interval, day by day.' if banded else ''}"
    return finish(
        alt.layer(*layers, data=values(rows)),
        title=title,
        caption=caption,
        description=f"Curves of the share of customers who {done}, over time. {ends}.",
        height=280,
    )


def _kept(series: Series, evidence: Evidence, min_cell: int) -> list[int]:
    """Positions of a series between which enough customers left; none after which only a few did.

    How many are at risk a series does not say. On average they are the customers who left by the share that they are,
    and towards the end fewer: of series without a band, whose steps are as they were counted, half as many are taken.
    """
    many = [min(evidence.customers, evidence.events / series.y[-1])] if series.y and series.y[-1] > 0 else []
    least = (1 if series.low else 2) * min_cell / max(many[0], 1.0) if many and min_cell > 1 else 0.0
    kept = [0]
    for i in range(1, len(series.y)):
        if series.y[i] - series.y[kept[-1]] >= least:
            kept.append(i)
    if series.y and series.y[-1] == series.y[kept[-1]]:
        kept.append(len(series.y) - 1)  # nobody left later: the curve goes on
    kept = sorted(set(kept))
    return [kept[i] for i in thinned(len(kept))]


def _band(limits: Sequence[float], i: int, step: float) -> float | None:
    return to_grain(limits[i], step) if limits and math.isfinite(limits[i]) else None


def _since(evidence: Evidence, trial: Trial) -> str:
    reading = trial.claim.reading(evidence.reading)
    if reading.clock:
        return f"days since {happening(trial.claim, reading.clock.since, reading.clock.level)}"
    if reading.compare:
        return f"days since {happening(trial.claim, reading.compare.history, reading.compare.level)}"
    return "days since the start"
