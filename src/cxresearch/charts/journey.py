"""The journey as pictures: touchpoints in order, levels of service, moments by grade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from cxresearch.charts.base import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    START,
    Chart,
    finish,
    percent,
    tips,
    values,
)
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import about, count_text, part_of, round_count
from cxresearch.errors import NothingToDrawError
from cxresearch.estimators.results import Estimate
from cxresearch.journey.moment_summary import MomentSummary
from cxresearch.journey.perception import PerceptionMap, Touchpoint
from cxresearch.journey.service_levels import ServiceLevels
from cxresearch.records.contacts import GRADES
from cxresearch.utils.checks import instance
from cxresearch.utils.html_tables import isolated

_GRADES = {"bad": ORANGE, "neutral": GREY, "good": GREEN, "unknown": PURPLE, "not shown": "#c9ced4"}
_ROW = 72  # height of a touchpoint: its name, then bar and interval, then a line of words
_MIDDLE = 0.5  # where the right half begins


def perception_map(result: PerceptionMap) -> Chart:
    """The touchpoints in order: how it goes there, and the share of the defections that goes with bad moments.

    Args:
        result: from `cxresearch.journey.perception_map`.

    Returns:
        The chart; the weakest point is marked by a diamond and in words, ``perhaps`` where it is not distinguishable
        from all others.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> chart = charts.perception_map(cx.journey.perception_map(study))
        >>> print(chart.to_dict()["description"].partition("; neutral")[0])
        Touchpoints in order. call: bad 12% (320)
    """
    instance("result", result, PerceptionMap, "what cx.journey.perception_map gives")
    rows = [_row(i, t, result) for i, t in enumerate(result.touchpoints)]
    parts = [p for i, t in enumerate(result.touchpoints) for p in _parts(i, t, result.min_cell)]
    lines = len(rows)
    y = alt.Y(
        "row:Q", axis=None, scale=alt.Scale(domain=[lines - 0.5, -0.5], nice=False, zero=False)
    )
    bars = _bars(parts, y)
    right = _intervals(rows, y)
    chart = alt.layer(bars, right).resolve_scale(x="independent")
    seen = [g for g in _GRADES if any(p["grade"] == g for p in parts)]
    gone = " Counts too small to be shown are put together." if "not shown" in seen else ""
    lacking = [r["name"] for r in rows if r["share"] is None]
    none = f" No share for {', '.join(lacking)}: too few defections." if lacking else ""
    description = "; ".join(r["alt"] for r in rows)
    return finish(
        chart,
        title="The touchpoints, in the order in which customers first meet them",
        caption="Left: how the moments there went, with the median day of tenure of first contact. Right: the share of "
        "all defections that goes with bad moments there, contacts equal. It is what goes with them, not what would be "
        f"saved without them. The {result.level:.0%} intervals hold for all touchpoints together.{gone}{none} "
        f"{result.weakest.sentence}",
        description=f"Touchpoints in order. {description}. {result.weakest.sentence}",
        height=_ROW * lines,
    )


def _row(i: int, t: Touchpoint, result: PerceptionMap) -> dict[str, Any]:
    weakest = t.single and t.name == result.weakest.name
    word = (
        ("weakest point" if result.weakest.is_distinguishable else "perhaps weakest")
        if weakest
        else ""
    )
    shares = "; ".join(f"{p['grade']} {p['text']}" for p in _parts(i, t, result.min_cell))
    row = {
        "row": i,
        "name": isolated(t.name),
        "label": f"{i + 1}  {isolated(t.name)}",
        "share": None,
        "low": None,
        "high": None,
        "shown": "–",
        "ratio": "–",
        "mark": "weakest" if weakest else "other",
        "word": word,
        "volume": ("" if t.first_day is None else f"day {t.first_day:,.0f}, ")
        + f"{count_text(t.moments, result.min_cell)} moments",
        "owner": ", ".join(map(isolated, t.owners)) or "–",
        "first": "–" if t.first_day is None else f"{t.first_day:,.0f}",
        "moments": count_text(t.moments, result.min_cell),
        "customers": count_text(t.customers, result.min_cell),
        "lacks": t.lacks or "–",
    }
    share_text = "no share of the defections"
    if t.share is not None:
        row |= {
            k: round(getattr(t.share, v), 4)
            for k, v in (("share", "value"), ("low", "low"), ("high", "high"))
        }
        row["shown"] = _shown(t.share)
        share_text = f"{row['shown']} of the defections{', ' + word if word else ''}"
    if t.hazard_ratio is not None:
        row["ratio"] = (
            f"{t.hazard_ratio.value:.2f} ({t.hazard_ratio.low:.2f} to {t.hazard_ratio.high:.2f})"
        )
    return row | {"alt": f"{isolated(t.name)}: {shares}; {share_text}"}


def _parts(i: int, t: Touchpoint, min_cell: int) -> list[dict[str, Any]]:
    """The pieces of a bar, of rounded counts; what is hidden is one piece."""
    seen = [(g, n) for g, n in zip(GRADES, t.grades, strict=True) if n]
    rest = t.moments - sum(n for _, n in seen)
    hidden = [("not shown", rest)] if rest else []
    pieces = [(grade, round_count(n, min_cell)) for grade, n in (*seen, *hidden)]
    total = sum(n for _, n in pieces) or 1
    result, upto = [], 0
    for grade, n in pieces:
        text = Unit.SHARE.text(n / total) + ("" if grade == "not shown" else f" ({n:,})")
        span = {"from": round(upto / total, 4), "to": round((upto + n) / total, 4)}
        result.append({"row": i, "name": isolated(t.name), "grade": grade, "text": text, **span})
        upto += n
    return result


def _bars(parts: Sequence[dict[str, Any]], y: alt.Y) -> alt.Chart:
    seen = [g for g in _GRADES if any(p["grade"] == g for p in parts)]
    scale = alt.Scale(domain=[0, 1], range=[1, alt.ExprRef(f"width * {_MIDDLE} - 14")], nice=False)
    axis = alt.Axis(
        title="share of its moments",
        values=[0, 0.5, 1],
        labelExpr=percent(),
        **START,
        labelFlush=True,
    )
    colours = alt.Scale(domain=seen, range=[_GRADES[g] for g in seen])
    legend = alt.Legend(title=None, orient="top", columns=3, symbolType="square")
    titles = {"name": "touchpoint", "grade": "moments that were", "text": "share (how many)"}
    result: alt.Chart = (
        alt.Chart(values(parts))
        .mark_bar(height=16, yOffset=2, stroke="white", strokeWidth=0.6, aria=False)
        .encode(
            x=alt.X("from:Q", scale=scale, axis=axis),
            x2="to:Q",
            y=y,
            color=alt.Color("grade:N", scale=colours, legend=legend),
            tooltip=tips(titles),
        )
    )
    return result


def _intervals(rows: Sequence[dict[str, Any]], y: alt.Y) -> alt.LayerChart:
    drawn = [r for r in rows if r["share"] is not None]
    limits = [v for r in drawn for v in (r["low"], r["high"])] or [0.0, 0.1]
    low, high = min(*limits, 0.0), max(*limits, 0.02)
    room = 0.06 * (high - low)
    scale = alt.Scale(
        domain=[low - room, high + room],
        range=[alt.ExprRef(f"width * {_MIDDLE}"), alt.ExprRef("width - 4")],
        nice=False,
        zero=False,
    )
    axis = alt.Axis(
        title="share of the defections",
        labelExpr=percent(),
        tickCount=3,
        labelOverlap=True,
        labelSeparation=6,
        **START,
    )
    x = alt.X("share:Q", scale=scale, axis=axis)
    kinds = ["weakest", "other"]
    colour = alt.Color("mark:N", scale=alt.Scale(domain=kinds, range=[ORANGE, BLUE]), legend=None)
    shape = alt.Shape(
        "mark:N", scale=alt.Scale(domain=kinds, range=["diamond", "circle"]), legend=None
    )
    titles = {
        "name": "touchpoint",
        "shown": "share of the defections",
        "ratio": "hazard ratio",
        "first": "first met on day",
        "owner": "owner",
        "moments": "moments",
        "customers": "customers",
    }
    base, known = alt.Chart(values(rows)).encode(y=y), alt.Chart(values(drawn)).encode(y=y)
    nothing = alt.Chart(values([{"x": 0.0}])).mark_rule(
        color="currentColor", opacity=0.5, strokeDash=[2, 3], aria=False
    )
    result: alt.LayerChart = alt.layer(
        nothing.encode(x=alt.X("x:Q", scale=scale, axis=axis)),
        base.mark_text(
            align="left",
            yOffset=-19,
            fontSize=13,
            fontWeight="bold",
            limit=alt.ExprRef("width - 140"),
            aria=False,
        ).encode(x=alt.value(0), text="label:N"),
        base.mark_text(
            align="left",
            yOffset=21,
            fontSize=12,
            opacity=0.8,
            limit=alt.ExprRef("width * 0.56"),
            aria=False,
        ).encode(x=alt.value(0), text="volume:N"),
        base.mark_text(align="right", yOffset=-19, fontSize=13, aria=False).encode(
            x=alt.value(alt.ExprRef("width")), text="shown:N"
        ),
        base.mark_text(
            align="right", yOffset=21, fontSize=12, fontWeight="bold", aria=False
        ).encode(x=alt.value(alt.ExprRef("width")), text="word:N"),
        known.mark_rule(strokeWidth=3, yOffset=2, aria=False).encode(
            x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q", color=colour
        ),
        known.mark_point(filled=True, opacity=1, size=130, yOffset=2).encode(
            x=x, color=colour, shape=shape, tooltip=tips(titles), description="alt:N"
        ),
    ).resolve_scale(color="independent")
    return result


def service_levels(result: ServiceLevels) -> Chart:
    """How many moments reached each level of service, a bar per level; hidden counts have no bar.

    Args:
        result: from `cxresearch.journey.service_levels`.

    Raises:
        NothingToDrawError: all counts are too small to be shown.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> chart = charts.service_levels(cx.journey.service_levels(study))
        >>> print(chart.to_dict()["description"].partition("; expected")[0])
        Moments by level of service. criminal: 880 (6.8%), counts as bad; basic: 850 (6.5%), counts as bad
    """
    instance("result", result, ServiceLevels, "what cx.journey.service_levels gives")
    counted = zip(result.levels, result.counts, result.counts_as, strict=True)
    rows: list[dict[str, Any]] = [
        {
            "level": v,
            "share": round(share, 4),
            "as": g,
            "text": f"{count_text(n, result.min_cell)} ({Unit.SHARE.text(share)})",
        }
        for v, n, g in counted
        if n is not None
        for share in [part_of(n, result.moments, result.min_cell)]
    ]
    if not rows:
        raise NothingToDrawError("all counts are too small to be shown: there is nothing to draw")
    for r in rows:
        r["kind"] = str(r["as"]).removeprefix("mostly ")
    seen = [g for g in _GRADES if any(r["kind"] == g for r in rows)]
    scale = alt.Scale(
        domain=[0, max(r["share"] for r in rows) or 1],
        range=[0, alt.ExprRef("width - 118")],
        nice=False,
    )
    x = alt.X("share:Q", title=None, scale=scale, axis=alt.Axis(labelExpr=percent(), tickCount=4))
    order = [v for v in result.levels if any(r["level"] == v for r in rows)]
    y = alt.Y("level:N", sort=order, title=None, axis=alt.Axis(labelFontSize=13, ticks=False))
    legend = alt.Legend(
        title="counts as", orient="top", columns=3, symbolType="square", titleColor="currentColor"
    )
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=seen, range=[_GRADES[g] for g in seen]),
        legend=legend if seen else None,
    )
    titles = {"level": "level of service", "text": "moments", "as": "counts as"}
    base = alt.Chart().encode(y=y)
    layers = [
        base.mark_bar(height={"band": 0.62}).encode(
            x=x, color=colour, tooltip=tips(titles), description="text:N"
        ),
        base.mark_text(align="left", dx=6, fontSize=13, aria=False).encode(x=x, text="text:N"),
    ]
    description = "; ".join(f"{r['level']}: {r['text']}, counts as {r['as']}" for r in rows)
    few = (
        f" Counts below {result.min_cell} are not shown, nor what would give them away."
        if None in result.counts
        else ""
    )
    return finish(
        alt.layer(*layers, data=values(rows)),
        title="Moments by level of service",
        caption=f"From criminal to unbelievable, the six levels; unknown is where nobody said.{few}",
        description=f"Moments by level of service. {description}.",
        height=34 * len(rows),
    )


def _shown(result: Estimate) -> str:
    """A share that may be negative, with its interval, in few characters: ``12.1% (8.1 to 16.2)``."""
    text, low, high = (f"{100 * v:z.1f}" for v in (result.value, result.low, result.high))
    return f"{text}% ({low} to {high})".replace("-", "−")


_GRADES_MOMENTS = {"bad": ORANGE, "neutral": GREY, "good": GREEN, "unknown": PURPLE}
_STEP = 44


def grades(quick: MomentSummary) -> Chart:
    """How many moments of each grade there are, a bar per grade; hidden counts have no bar.

    Args:
        quick: from `cxresearch.journey.moment_summary`.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> quick = cx.journey.moment_summary(study)
        >>> chart = charts.grades(quick)
        >>> print(chart.to_dict()["description"].partition("; unknown")[0])
        Moments by grade. bad: 1,730 (13%, 2.4 a day); neutral: 4,970 (38%, 6.8 a day); good: 5,030 (39%, 6.9 a day)
    """
    instance("quick", quick, MomentSummary, "what cx.journey.moment_summary gives")
    rows = [
        _bar(
            grade,
            n,
            quick.moments,
            "moments",
            f"{round_count(n, quick.min_cell) / quick.days:,.1f} a day",
            quick.min_cell,
        )
        for grade, n in zip(quick.grades, quick.counts, strict=True)
        if n is not None
    ]
    few = _few(quick, len(rows) < len(quick.grades))
    moments = round_count(quick.moments, quick.min_cell)
    return _bars_of_moments(
        rows,
        list(_GRADES_MOMENTS),
        [_GRADES_MOMENTS[r["class"]] for r in rows],
        title="Moments by grade",
        caption=f"{about(quick.moments, quick.min_cell).capitalize()} moments, {moments / quick.days:,.0f} a day, "
        f"{moments / quick.years if quick.years else 0:,.1f} a customer and year. "
        f"Unknown is a grade of its own: a moment nobody judged.{few}",
        what="moments",
        room=118,
    )


def bad_moments(quick: MomentSummary) -> Chart:
    """How many customers had how many bad moments, a bar per class.

    Args:
        quick: from `cxresearch.journey.moment_summary`; sparse classes are put together there.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> quick = cx.journey.moment_summary(study)
        >>> chart = charts.bad_moments(quick)
        >>> print(chart.to_dict()["description"].partition("; 4")[0])
        Customers by number of bad moments. 0: 420 (42%); 1: 230 (23%); 2: 120 (12%); 3: 90 (9.0%)
    """
    instance("quick", quick, MomentSummary, "what cx.journey.moment_summary gives")
    rows = [
        _bar(name, n, quick.customers, "customers", "", quick.min_cell)
        for name, n in zip(quick.bad_moments, quick.customers_by_bad, strict=True)
    ]
    return _bars_of_moments(
        rows,
        list(quick.bad_moments),
        [BLUE] * len(rows),
        title="Customers by number of bad moments",
        caption=f"{about(quick.customers, quick.min_cell).capitalize()} customers, by the bad moments recorded by the "
        "end of their follow-up. This does not say what bad moments do: who stays longer has more of them. "
        f"A class has at least {quick.min_cell} customers.",
        what="customers, by bad moments",
        room=100,
    )


def _bar(name: str, n: int, total: int, what: str, more: str, min_cell: int) -> dict[str, Any]:
    share = part_of(n, total, min_cell)
    count, part = count_text(n, min_cell), Unit.SHARE.text(share)
    return {
        "class": name,
        "share": round(share, 4),
        "text": f"{count} ({part})",
        "told": f"{count} ({part}{', ' + more if more else ''})",
        "what": what,
    }


def _bars_of_moments(
    rows: list[dict[str, Any]],
    order: list[str],
    colours: list[str],
    *,
    title: str,
    caption: str,
    what: str,
    room: int,
) -> Chart:
    if not rows:
        raise NothingToDrawError("all counts are too small to be shown: there is nothing to draw")
    names = [r["class"] for r in rows]
    top = max(r["share"] for r in rows)
    scale = alt.Scale(domain=[0, top or 1], range=[0, alt.ExprRef(f"width - {room}")], nice=False)
    x = alt.X("share:Q", title=None, scale=scale, axis=alt.Axis(labelExpr=percent(), tickCount=4))
    y = alt.Y(
        "class:N",
        sort=[o for o in order if o in names],
        title=None,
        axis=alt.Axis(labelFontSize=13, ticks=False),
    )
    tooltip = [alt.Tooltip("class:N", title="class"), alt.Tooltip("told:N", title=what)]
    base = alt.Chart().encode(y=y)
    layers = [
        base.mark_bar(height={"band": 0.62}).encode(
            x=x,
            color=alt.Color("class:N", scale=alt.Scale(domain=names, range=colours), legend=None),
            tooltip=tooltip,
            description="told:N",
        ),
        base.mark_text(align="left", dx=6, fontSize=13, aria=False).encode(x=x, text="text:N"),
    ]
    description = "; ".join(f"{r['class']}: {r['told']}" for r in rows)
    return finish(
        alt.layer(*layers, data=values(rows)),
        title=title,
        caption=caption,
        description=f"{title}. {description}.",
        height=min(_STEP, 300 // max(len(rows), 1) + 12) * len(rows),
    )


def _few(quick: MomentSummary, hidden: bool) -> str:
    return (
        f" Counts below {quick.min_cell} are not shown, nor what would give them away."
        if hidden
        else ""
    )
