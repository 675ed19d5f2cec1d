"""How a share grows with time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from cxresearch.charts.look import BLUE, GREEN, ORANGE, Chart, claimed, finish, region_of, thinned, values
from cxresearch.charts.steps import shares_up, steps, time_along, told_apart
from cxresearch.claims.evidence import Evidence, Trial, number


def curves(evidence: Evidence, trial: Trial) -> Chart:
    """How a share grows with time: the series behind a reading, as steps, with bands where there are any.

    Args:
        evidence: a reading with series.
        trial: the claim it belongs to.

    Returns:
        The chart, with the claim's edge as a rule where the reading is a share.
    """
    rows: list[dict[str, Any]] = [
        {
            "series": s.name,
            "day": s.x[i],
            "share": round(s.y[i], 5),
            "low": _band(s.low, i),
            "high": _band(s.high, i),
        }
        for s in evidence.series
        for i in thinned(len(s.x))
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
        alt.Tooltip("share:Q", title="left by then", format=".1%"),
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
    ends = "; ".join(f"{s.name}: {number(s.y[-1], 'share')} by day {s.x[-1]:.0f}" for s in evidence.series if s.x)
    caption = "Each step is a day on which it happened to somebody."
    if banded:
        caption += " The band is the interval, day by day."
    return finish(
        alt.layer(*layers, data=values(rows)),
        title=title,
        caption=caption,
        description=f"Curves of the share of customers who left, over time. {ends}.",
        height=280,
    )


def _band(limits: Sequence[float], i: int) -> float | None:
    return round(limits[i], 5) if limits and math.isfinite(limits[i]) else None


def _since(evidence: Evidence, trial: Trial) -> str:
    reading = trial.claim.reading(evidence.reading)
    return "days since the first bad moment" if reading.clock or reading.compare else "days since the start"
