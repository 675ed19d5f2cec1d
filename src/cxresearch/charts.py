"""Results to Altair charts: nothing is computed here but where things lie.

Text takes the colour of the page it stands on (``currentColor``), so one chart serves a light page, a dark one and
paper. Colours are Okabe and Ito's, which stay apart for colour-blind readers; shapes and dashes say the same again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import altair as alt

from cxresearch.claims.claim import region
from cxresearch.claims.evidence import Activity, Beside, Evidence, Trial, number
from cxresearch.claims.verdict import Region

BLUE, ORANGE, GREEN, GREY = "#0f7bbf", "#d55e00", "#00936b", "#808890"
ROLES = {
    "the reading the verdict rests on": (BLUE, "circle"),
    "another reading": (GREY, "circle"),
    "what happens anyway": (GREEN, "diamond"),
    "the naive answer": (ORANGE, "square"),
}
AXES = {
    "share": "share of customers",
    "hazard ratio": "rate of leaving, compared with the others (1 = the same)",
    "difference of shares": "points more (+) or fewer (−) who left",
}
STEP = 68  # height of a reading: two lines of text, then the interval
_ROOM = 128  # for the numbers to the right of the intervals
_TICKS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 7, 10, 20, 50)
_PRIMARY, _OTHER, _BASE, _NAIVE = ROLES


@dataclass(frozen=True, slots=True)
class Shares:
    """Who has a bad moment and who leaves among customers with about as many contacts; None where too few to show.

    Attributes:
        contacts: the band.
        with_bad: share of its customers who had a bad moment.
        left: share of its customers who left.
    """

    contacts: str
    with_bad: float | None
    left: float | None


def readings(trial: Trial, unit: str) -> alt.LayerChart:
    """Every reading of a claim in one unit: number, interval, and where the claim says it lies.

    Args:
        trial: the claim, tried.
        unit: ``share``, ``hazard ratio`` or ``difference of shares``; one of `units`.

    Returns:
        A chart with a row per reading; the base rate and the naive answer stand out by colour and shape.
    """
    rows = _rows(trial, unit)
    low, high = _domain(rows, unit)
    for r in rows:
        if r["from"] is not None:
            r["from"], r["to"] = max(r["from"], low), min(r["to"], high)
    scale = alt.Scale(
        type="log" if unit == "hazard ratio" else "linear",
        domain=[low, high],
        range=[6, alt.ExprRef(f"width - {_ROOM}")],  # type: ignore[list-item]
        nice=False,
    )
    ticks = [t for t in _TICKS if low <= t <= high] if unit == "hazard ratio" else alt.Undefined
    label = "format(datum.value, '~r')" if unit == "hazard ratio" else _percent(signed=unit != "share")
    axis = alt.Axis(title=AXES[unit], values=ticks, labelExpr=label, tickCount=5, labelOverlap=True, titleAlign="left", titleAnchor="start")
    x = alt.X("value:Q", scale=scale, axis=axis)
    y = alt.Y("row:O", axis=None, scale=alt.Scale(padding=0))
    base = alt.Chart().encode(y=y)
    colour = alt.Color("role:N", scale=_scale(0), legend=None)
    tooltip = [
        alt.Tooltip("name:N", title="what"),
        alt.Tooltip("shown:N", title="in these data"),
        alt.Tooltip("role:N", title="this is"),
        alt.Tooltip("claimed:N", title="the claim says"),
        alt.Tooltip("verdict:N", title="verdict"),
    ]
    inside = base.transform_filter("datum.from !== null")
    layers = [
        inside.mark_rect(color=BLUE, opacity=0.13, aria=False).encode(x=alt.X("from:Q", scale=scale, axis=axis), x2="to:Q"),
        inside.transform_filter("datum.edge !== null").mark_tick(color=BLUE, thickness=1.5, size=STEP, aria=False).encode(x="edge:Q"),
        base.mark_text(
            align="left", baseline="top", yOffset=alt.ExprRef("2 - 15 * datum.lines"), lineBreak="\n", fontSize=13, lineHeight=15, aria=False
        )
        .encode(x=alt.value(0), text="label:N"),
        base.mark_rule(strokeWidth=3, yOffset=18, aria=False).encode(x=alt.X("low:Q", scale=scale), x2="high:Q", color=colour),
        base.mark_point(filled=True, opacity=1, size=120, yOffset=18)
        .encode(x=x, color=colour, shape=alt.Shape("role:N", scale=_scale(1), legend=None), tooltip=tooltip, description="alt:N"),
        base.mark_text(align="right", baseline="middle", yOffset=18, fontSize=13, fontWeight="bold", aria=False)
        .encode(x=alt.value(alt.ExprRef("width")), text="short:N"),  # type: ignore[arg-type]
    ]
    if unit != "share":
        none = 1.0 if unit == "hazard ratio" else 0.0
        rule = alt.Chart(alt.Data(values=[{"x": none}])).mark_rule(color="currentColor", opacity=0.5, strokeDash=[2, 3], aria=False)
        layers.insert(0, rule.encode(x=alt.X("x:Q", scale=scale, axis=axis)))
    told = "; ".join(f"{r['name']}: {r['shown']}" for r in rows)
    where = next((r["claimed"] for r in rows if r["claimed"] != "–"), "")
    shaded = f"Shaded: where the claim says the number lies ({where})." if where else ""
    legend = _legend({r["role"] for r in rows})
    return _finish(
        alt.layer(*layers, data=alt.Data(values=rows)),
        title="The readings side by side" if unit == units(trial)[0] else f"Other readings: {AXES[unit].partition(',')[0]}",
        caption=f"{shaded} {legend}".strip(),
        description=f"Chart of numbers with intervals for the claim “{trial.claim.statement}” {shaded} {told}.",
        height=STEP * len(rows),
    )


def units(trial: Trial) -> tuple[str, ...]:
    """The units in which a claim has numbers to draw, that of its primary reading first."""
    found = [e.unit for e in trial.readings if _drawn(e)]
    return tuple(dict.fromkeys(found))


def curves(evidence: Evidence, trial: Trial) -> alt.LayerChart:
    """How a share grows with time: the series behind a reading, as steps, with bands where there are any.

    Args:
        evidence: a reading with series.
        trial: the claim it belongs to.

    Returns:
        The chart, with the claim's edge as a rule where the reading is a share.
    """
    rows = [
        {"series": s.name, "day": s.x[i], "share": round(s.y[i], 5), "low": _band(s.low, i), "high": _band(s.high, i)}
        for s in evidence.series
        for i in _some(len(s.x))
    ]
    banded = any(s.low for s in evidence.series)
    where = _region(trial, evidence) if evidence.unit == "share" else None
    edges = [e for e in (where.edges if where else ()) if 0 < e < 1]
    top = 1.0 if edges else min(1.0, 1.15 * max((max(r["share"], r["high"] or 0) for r in rows), default=1.0))
    last = max((r["day"] for r in rows), default=1)
    axis = alt.Axis(title=None, labelExpr=_percent(), tickCount=5)
    x = alt.X("day:Q", title=_since(evidence, trial), scale=alt.Scale(domain=[0, last], nice=False), axis=alt.Axis(tickCount=6, grid=False))
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=axis)
    names = [s.name for s in evidence.series]
    scale = alt.Scale(domain=names, range=[ORANGE, BLUE, GREEN][: len(names)])
    legend = alt.Legend(title=None, orient="top", direction="vertical", labelLimit=600, symbolType="stroke", symbolStrokeWidth=3)
    shown = legend if len(names) > 1 else None
    colour = alt.Color("series:N", scale=scale, legend=shown)
    dashes = alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=[[1, 0], [6, 3], [2, 2]][: len(names)]), legend=shown)
    tooltip = [
        alt.Tooltip("series:N", title="who"),
        alt.Tooltip("day:Q", title="day"),
        alt.Tooltip("share:Q", title="left by then", format=".1%"),
        *([alt.Tooltip("low:Q", title="from", format=".1%"), alt.Tooltip("high:Q", title="to", format=".1%")] if banded else []),
    ]
    base = alt.Chart()
    band = base.mark_area(interpolate="step-after", opacity=0.2, aria=False).encode(
        x=x, y=alt.Y("low:Q", axis=axis), y2="high:Q", fill=alt.Fill("series:N", scale=scale, legend=shown)
    )
    layers: list[alt.Chart] = [
        *([band] if banded else []),
        base.mark_line(interpolate="step-after", strokeWidth=2.5, aria=False).encode(x=x, y=y, color=colour, strokeDash=dashes),
        base.mark_point(size=160, opacity=0, filled=True, aria=False).encode(x=x, y=y, tooltip=tooltip),
    ]
    if edges:
        data = alt.Data(values=[{"edge": e, "text": f"the claim: {_claimed(where)}"} for e in edges])
        rule = alt.Chart(data)
        layers.append(rule.mark_rule(color=BLUE, strokeWidth=1.5, aria=False).encode(y="edge:Q"))
        layers.append(rule.mark_text(align="left", baseline="bottom", dx=4, dy=-3, fontSize=13, aria=False).encode(x=alt.value(0), y="edge:Q", text="text:N"))
    ends = "; ".join(f"{s.name}: {number(s.y[-1], 'share')} by day {s.x[-1]:.0f}" for s in evidence.series if s.x)
    caption = f"Each step is a day on which somebody left.{' The band is the interval, day by day.' if banded else ''}"
    return _finish(
        alt.layer(*layers, data=alt.Data(values=rows)),
        title="Day by day, the two side by side" if len(names) > 1 else f"{evidence.label[:1].upper()}{evidence.label[1:]}",
        caption=caption,
        description=f"Curves of the share of customers who left, over time. {ends}.",
        height=280,
    )


def activity(trial: Trial, min_cell: int) -> alt.LayerChart:
    """Who has bad moments and who leaves, by number of contacts; shares of too few customers are left out.

    Args:
        trial: a claim with `Trial.activity`.
        min_cell: the smallest count that may be shown.

    Returns:
        The chart.
    """
    shown = shares(trial.activity, min_cell)
    bands = [s.contacts for s in shown]
    names = ("had a bad moment", "left")
    rows = [
        {"contacts": s.contacts, "what": name, "share": round(v, 3), "text": number(v, "share")}
        for s in shown
        for name, v in zip(names, (s.with_bad, s.left), strict=True)
        if v is not None
    ]
    x = alt.X("contacts:O", sort=bands, title="contacts in all", axis=alt.Axis(labelAngle=0), scale=alt.Scale(domain=bands))
    y = alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(labelExpr=_percent(), tickCount=5))
    legend = alt.Legend(title=None, orient="top", symbolSize=120)
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=[ORANGE, BLUE]), legend=legend)
    shape = alt.Shape("what:N", scale=alt.Scale(domain=names, range=["square", "circle"]), legend=legend)
    tooltip = [
        alt.Tooltip("contacts:N", title="contacts in all"),
        alt.Tooltip("what:N", title="customers who"),
        alt.Tooltip("text:N", title="share"),
    ]
    base = alt.Chart().encode(x=x, y=y, color=colour)
    layers = [
        base.mark_line(strokeWidth=2.5, aria=False),
        base.mark_point(filled=True, opacity=1, size=110).encode(shape=shape, tooltip=tooltip),
        base.mark_text(dy=-14, fontSize=13, fontWeight="bold", aria=False).encode(text="text:N", color=alt.value("currentColor")),
    ]
    told = "; ".join(f"{r['contacts']} contacts: {r['text']} {r['what']}" for r in rows)
    few = f" Shares resting on fewer than {min_cell} customers are not shown." if len(rows) < 2 * len(shown) else ""
    return _finish(
        alt.layer(*layers, data=alt.Data(values=rows)),
        title="Busy customers have more bad moments, whatever they do next",
        caption=f"Customers grouped by how many contacts they had in all: the more contacts, the more chances of a bad one.{few}",
        description=f"Chart of the share of customers who had a bad moment and who left, by number of contacts. {told}.{few}",
        height=260,
    )


def shares(rows: Sequence[Activity], min_cell: int) -> tuple[Shares, ...]:
    """Shares by band, None where a count or its complement is below `min_cell`.

    One hidden count could be had by subtraction from a total shown elsewhere, so a second, the smallest of the others,
    is hidden with it.
    """
    hidden = {
        part: _hidden([(getattr(r, part), r.customers) for r in rows if _possible(r, part)], min_cell)
        for part in ("with_bad", "left")
    }

    def share(row: Activity, part: str) -> float | None:
        cell = (getattr(row, part), row.customers)
        return None if cell in hidden[part] or not _possible(row, part) else cell[0] / cell[1]

    return tuple(Shares(r.contacts, share(r, "with_bad"), share(r, "left")) for r in rows)


def _possible(row: Activity, part: str) -> bool:
    """Whether there is a number at all: without a contact nobody has a bad one."""
    return row.contacts != "0" or part == "left"


def _hidden(cells: Sequence[tuple[int, int]], min_cell: int) -> set[tuple[int, int]]:
    few = {(part, whole) for part, whole in cells if min(part, whole - part) < min_cell}
    if len(few) == 1:
        few |= set(sorted(set(cells) - few, key=lambda cell: min(cell[0], cell[1] - cell[0]))[:1])
    return few


def _rows(trial: Trial, unit: str) -> list[dict[str, Any]]:
    naive = trial.naive.label if trial.naive else ""
    rows = []
    for e in trial.readings:
        if e.unit == unit and _drawn(e):
            role = _PRIMARY if e.primary else _NAIVE if e.label == naive else _OTHER
            found = e.estimate
            assert found is not None  # noqa: S101 - only drawn readings come here
            rows.append(_row(e.label, role, (found.value, found.low, found.high), unit, _region(trial, e), e.verdict))
    seen = {r["name"] for r in rows}
    for role, beside in ((_BASE, trial.base_rate), (_NAIVE, trial.naive)):
        if beside is not None and beside.unit == unit and beside.label not in seen and _finite(beside):
            rows.append(_row(beside.label, role, (beside.value, beside.low, beside.high), unit, None, "–"))
    return [{"row": i, **r} for i, r in enumerate(rows)]


def _row(
    name: str, role: str, values: tuple[float, float, float], unit: str, where: Region | None, verdict: str
) -> dict[str, Any]:
    value, low, high = values
    spread = f"{number(low, unit)} to {number(high, unit)}"
    lines = wrap({_BASE: "Anyway: ", _NAIVE: "Naive: "}.get(role, "") + name, 46)[:3]
    return {
        "name": name,
        "label": "\n".join(lines),
        "lines": len(lines),
        "role": role,
        "value": round(value, 5),
        "low": round(low, 5),
        "high": round(high, 5),
        "shown": f"{number(value, unit)} ({spread})",
        "short": _short(value, low, high, unit),
        "from": where.low if where and math.isfinite(where.low) else -1e9 if where else None,
        "to": where.high if where and math.isfinite(where.high) else 1e9 if where else None,
        "edge": where.edges[0] if where else None,
        "claimed": _claimed(where, unit),
        "verdict": verdict,
        "alt": f"{name}: {number(value, unit)}, interval {spread}",
    }


def _domain(rows: Sequence[Mapping[str, Any]], unit: str) -> tuple[float, float]:
    ends = [v for r in rows for v in (r["low"], r["high"], r["edge"]) if v is not None]
    if unit == "share":
        return 0.0, 1.0
    if unit == "hazard ratio":
        return max(min(*ends, 1.0) / 1.15, 0.02), min(max(*ends, 1.0) * 1.15, 60.0)
    reach = max(max(abs(v) for v in ends) * 1.2, 0.02)
    return -reach, reach


def _drawn(e: Evidence) -> bool:
    return e.estimate is not None and _finite(e.estimate) and (e.unit != "hazard ratio" or e.estimate.low > 0)


def _finite(found: Any) -> bool:
    return all(math.isfinite(v) for v in (found.value, found.low, found.high))


def _region(trial: Trial, e: Evidence) -> Region | None:
    return region(trial.claim, trial.claim.reading(e.reading)) if e.region else None


def _claimed(where: Region | None, unit: str = "share") -> str:
    """A region in words."""
    if where is None:
        return "–"
    low, high = (_edge(v, unit) for v in (where.low, where.high))
    if math.isinf(where.high):
        return f"{low} or more" if ">=" in where.text else f"more than {low}"
    if math.isinf(where.low):
        return f"{high} or less" if "<=" in where.text else f"less than {high}"
    return f"{low} to {high}"


claimed = _claimed


def _edge(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:.3g}%"
    return f"{100 * value:.3g} points" if unit == "difference of shares" else f"{value:.3g}"


def _short(value: float, low: float, high: float, unit: str) -> str:
    """A number with its interval in few characters: ``31% (28–34)``, ``+9.5 (+7.3 to +11.6)``."""
    text, a, b = (number(v, unit).removesuffix(" points") for v in (value, low, high))
    if unit == "difference of shares":
        return f"{text} ({a} to {b})"
    return f"{text} ({a.removesuffix('%')}–{b.removesuffix('%')})"


def _band(values: Sequence[float], i: int) -> float | None:
    return round(values[i], 5) if values and math.isfinite(values[i]) else None


def _some(count: int, most: int = 150) -> list[int]:
    """Positions of a curve's points, thinned evenly; first and last stay."""
    return sorted({round(i * (count - 1) / max(min(count, most) - 1, 1)) for i in range(min(count, most))})


def _since(evidence: Evidence, trial: Trial) -> str:
    reading = trial.claim.reading(evidence.reading)
    return "days since the first bad moment" if reading.clock or reading.compare else "days since the start"


def _percent(*, signed: bool = False) -> str:
    return f"format(100 * datum.value, '{'+' if signed else ''}.0f') + '{'' if signed else '%'}'"


def _scale(which: int) -> alt.Scale:
    return alt.Scale(domain=list(ROLES), range=[style[which] for style in ROLES.values()])


def _legend(roles: set[str]) -> str:
    said = {_PRIMARY: "blue circle", _OTHER: "grey circle", _BASE: "green diamond", _NAIVE: "orange square"}
    parts = [f"{said[r]}: {r}" for r in ROLES if r in roles]
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if parts else ""


def _finish(chart: alt.LayerChart, *, title: str, caption: str, description: str, height: int) -> alt.LayerChart:
    """What all charts share: as wide as the page, the page's ink, and words for those who do not see it."""
    finished: alt.LayerChart = (
        chart.properties(
            width="container", height=height, description=description, usermeta={"title": title, "caption": caption},
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"), padding={"left": 4, "right": 6, "top": 6, "bottom": 4},
        )
        .configure(font="system-ui, sans-serif", background="transparent")
        .configure_view(stroke=None, continuousWidth=680)
        .configure_axis(
            labelColor="currentColor", titleColor="currentColor", labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
            domainColor="currentColor", domainOpacity=0.4, tickColor="currentColor", tickOpacity=0.4,
            gridColor="currentColor", gridOpacity=0.12,
        )
        .configure_legend(labelColor="currentColor", labelFontSize=13, rowPadding=4)
        .configure_text(color="currentColor")
    )
    return finished


