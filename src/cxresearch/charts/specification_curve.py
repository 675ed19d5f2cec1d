"""A claim's number under many definitions, sorted, with the definitions below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from cxresearch.charts.base import (
    BLUE,
    GOLD,
    GREEN,
    ORANGE,
    TICKS,
    Chart,
    claimed,
    finish,
    percent,
    tips,
    values,
)
from cxresearch.charts.claims import AXES
from cxresearch.claims.decide import Region
from cxresearch.claims.specification_results import Specification, SpecificationCurve
from cxresearch.claims.units import Unit
from cxresearch.errors import NothingToDrawError
from cxresearch.utils.checks import instance

_TOP, _GAP, _ROW, _HEAD = (
    240,
    34,
    18,
    22,
)  # heights: the curve, the room below it, a value, a heading
_LEFT = 250  # pixels for the names of definitions
_STYLES = {
    "supported": (GREEN, "circle"),
    "contradicted": (ORANGE, "square"),
    "undecided": (GOLD, "diamond"),
}
_TITLES = {
    "bad": "bad is",
    "blackout_days": "days until a moment counts",
    "window_days": "histories go back",
    "horizon_days": "days ahead",
    "adjustment": "held equal",
}


def specification_curve(curve: SpecificationCurve) -> Chart:
    """A claim's number under each combination of definitions, sorted, with its interval; below, which ones they are.

    Args:
        curve: from `cxresearch.specification_curve`.

    Returns:
        The chart: colour and shape tell the verdict, the region of the claim is shaded, and a ring marks the study's
        own definitions.

    Raises:
        NothingToDrawError: no combination has a number.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 500, seed=1).study()
        >>> few = dict(bad=["stars <= 3"], blackout_days=[], window_days=[], adjustments=[])
        >>> curve = cx.specification_curve(study, "bad-moments-drive-away", **few)
        >>> print(charts.specification_curve(curve).to_dict()["usermeta"]["title"])
        The number under 2 combinations of definitions
    """
    instance("curve", curve, SpecificationCurve, "a result of specification_curve")
    curve = curve.publishable()
    drawn = sorted(
        (s for s in curve.specifications if s.estimate is not None and _is_drawn(s)),
        key=lambda s: s.estimate.value if s.estimate else 0.0,
    )
    if not drawn:
        raise NothingToDrawError("no combination of definitions has a number to draw")
    unit = curve.unit
    rows = [_row(i, s, curve) for i, s in enumerate(drawn)]
    low, high = _domain(rows, curve)
    for r in rows:
        r["low"], r["high"] = max(r["low"], low), min(r["high"], high)
    cells, labels, below = _matrix(drawn)
    x = alt.X(
        "rank:Q",
        axis=None,
        scale=alt.Scale(
            domain=[-0.5, len(drawn) - 0.5], range=[_LEFT, alt.ExprRef("width - 10")], nice=False
        ),
    )
    scale = alt.Scale(
        type="log" if unit.is_ratio else "linear",
        domain=[low, high],
        range=[_TOP, 6],
        nice=False,
        zero=False,
    )
    label = {
        Unit.HAZARD_RATIO: "format(datum.value, '~r')",
        Unit.LOG_LIKELIHOOD: "format(exp(datum.value) - 1, '+.2~%')",
    }.get(unit, percent(signed=unit.has_sign))
    ticks = [t for t in TICKS if low <= t <= high] if unit.is_ratio else alt.Undefined
    axis = alt.Axis(
        title=None,
        values=ticks,
        labelExpr=label,
        tickCount=5,
        labelOverlap=True,
        offset=-_LEFT + 14,
    )
    y = alt.Y("value:Q", scale=scale, axis=axis)
    verdicts = [v for v in _STYLES if any(r["verdict"] == v for r in rows)]
    legend = alt.Legend(title=None, orient="top", symbolSize=90)
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=verdicts, range=[_STYLES[v][0] for v in verdicts]),
        legend=legend,
    )
    shape = alt.Shape(
        "verdict:N",
        scale=alt.Scale(domain=verdicts, range=[_STYLES[v][1] for v in verdicts]),
        legend=legend,
    )
    tooltip = tips({"name": "definitions", "shown": "number", "verdict": "verdict"})
    base = alt.Chart(values(rows))
    inside = {"from": max(curve.low, low), "to": min(curve.high, high)}
    right = alt.value(alt.ExprRef("width - 10"))
    region = (
        alt.Chart(values([inside]))
        .mark_rect(color=BLUE, opacity=0.1, aria=False)
        .encode(x=alt.value(_LEFT), x2=right, y=alt.Y("from:Q", scale=scale, axis=axis), y2="to:Q")
    )
    down = alt.Y(
        "place:Q",
        axis=None,
        scale=alt.Scale(domain=[0, below], range=[_TOP + _GAP, _TOP + _GAP + below], nice=False),
    )
    layers = [
        alt.layer(
            region,
            base.mark_rule(strokeWidth=2, opacity=0.6, aria=False).encode(
                x=x, y=alt.Y("low:Q", scale=scale, axis=axis), y2="high:Q", color=colour
            ),
            base.mark_point(filled=True, opacity=1, size=60).encode(
                x=x, y=y, color=colour, shape=shape, tooltip=tooltip, description="alt:N"
            ),
            base.transform_filter("datum.own")
            .mark_point(size=220, strokeWidth=2, color="currentColor", aria=False)
            .encode(x=x, y=y),
        ),
        alt.layer(
            alt.Chart(values(cells))
            .mark_tick(thickness=2.5, size=_ROW - 6, orient="vertical", aria=False)
            .encode(x=x, y=down, color=colour),
            alt.Chart(values(labels))
            .mark_text(align="left", baseline="middle", fontSize=12, limit=_LEFT - 14, aria=False)
            .encode(
                x=alt.value(0),
                y=down,
                text="text:N",
                opacity=alt.condition("datum.head", alt.value(0.65), alt.value(1)),
            ),
        ),
    ]
    where = claimed(Region(curve.region, curve.low, curve.high), unit)
    number = f"{len(drawn)} combination{'s' * (len(drawn) != 1)} of definitions"
    return finish(
        alt.layer(*layers).resolve_scale(y="independent"),
        title=f"The number under {number}",
        caption=(
            f"{AXES[unit][0].upper()}{AXES[unit][1:]}. Shaded: where the claim says the number lies ({where}). "
            f"The ring marks the study's own definitions. {' '.join(curve.sentences)} {curve.note}"
        ),
        description=(
            f"The number of the claim “{curve.statement}” under {number}, sorted. {' '.join(curve.sentences)}"
        ),
        height=_TOP + _GAP + below,
    )


def _is_drawn(s: Specification) -> bool:
    e = s.estimate
    return (
        e is not None
        and all(map(math.isfinite, (e.value, e.low, e.high)))
        and (not s.unit.is_ratio or e.low > 0)
    )


def _row(rank: int, s: Specification, curve: SpecificationCurve) -> dict[str, Any]:
    e = s.estimate
    assert e is not None  # only those are drawn
    return {
        "rank": rank,
        "name": s.name,
        "value": round(e.value, 5),
        "low": round(e.low, 5),
        "high": round(e.high, 5),
        "shown": s.text,
        "verdict": s.verdict,
        "own": s is curve.own,
        "alt": f"{s.name}: {s.text}, {s.verdict}",
    }


def _domain(rows: Sequence[Mapping[str, Any]], curve: SpecificationCurve) -> tuple[float, float]:
    edges = [v for v in (curve.low, curve.high) if math.isfinite(v)]
    known = [*(r[k] for r in rows for k in ("low", "high")), *edges, curve.unit.null_value]
    if curve.unit is Unit.SHARE:
        return 0.0, 1.0
    if curve.unit.is_ratio:
        return max(min(known) / 1.1, 0.02), min(max(known) * 1.1, 60.0)
    reach = max(max(known) - min(known), 0.002) * 0.08
    return min(known) - reach, max(known) + reach


def _matrix(
    drawn: Sequence[Specification],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """A mark where a specification has a value, the names at the left, and how high it all is.

    Definitions that nobody varied are left out.
    """
    cells, labels, at = [], [], 0
    for name, title in _TITLES.items():
        found = sorted({getattr(s, name) for s in drawn})
        if len(found) < 2:
            continue
        labels.append({"place": at + _HEAD // 2, "text": title, "head": True})
        at += _HEAD
        for value in found:
            place = at + _ROW // 2
            labels.append({"place": place, "text": f"  {_value(name, value)}", "head": False})
            cells += [
                {"rank": i, "place": place, "verdict": s.verdict}
                for i, s in enumerate(drawn)
                if getattr(s, name) == value
            ]
            at += _ROW
    return cells, labels, max(at, 1)


def _value(name: str, value: Any) -> str:
    if name == "window_days":
        return f"{value:,} days" if value else "as far as is known"
    return str(value)
