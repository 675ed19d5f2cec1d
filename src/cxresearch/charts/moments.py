"""The quick math as pictures: how many moments of each grade, and how many customers had how many bad ones."""

from __future__ import annotations

from typing import Any

import altair as alt

from cxresearch.charts.look import BLUE, GREEN, GREY, ORANGE, PURPLE, Chart, finish, percent, values
from cxresearch.claims.numbers import number
from cxresearch.errors import EstimationError
from cxresearch.journey.moment_counts import MomentSummary

_GRADES = {"bad": ORANGE, "neutral": GREY, "good": GREEN, "unknown": PURPLE}
_STEP = 44


def grades(quick: MomentSummary) -> Chart:
    """How many moments of each grade there are, a bar per grade; hidden counts have no bar.

    Args:
        quick: from `cxresearch.journey.moment_summary`.
    """
    rows = [
        _bar(grade, n, quick.moments, "moments", f"{n / quick.days:,.1f} a day")
        for grade, n in zip(quick.grades, quick.counts, strict=True)
        if n is not None
    ]
    few = _few(quick, len(rows) < len(quick.grades))
    return _bars(
        rows,
        list(_GRADES),
        [_GRADES[r["class"]] for r in rows],
        title="Moments by grade",
        caption=f"{quick.moments:,} moments, {quick.per_day:,.0f} a day, {quick.per_customer_year:,.1f} a customer and "
        f"year. Unknown is a grade of its own: a moment nobody judged.{few}",
        what="moments",
        room=170,
    )


def bad_moments(quick: MomentSummary) -> Chart:
    """How many customers had how many bad moments, a bar per class.

    Args:
        quick: from `cxresearch.journey.moment_summary`; sparse classes are put together there.
    """
    rows = [
        _bar(name, n, quick.customers, "customers", "")
        for name, n in zip(quick.bad_moments, quick.customers_by_bad, strict=True)
    ]
    return _bars(
        rows,
        list(quick.bad_moments),
        [BLUE] * len(rows),
        title="Customers by number of bad moments",
        caption=f"{quick.customers:,} customers, by the bad moments recorded by the end of their follow-up. This does "
        "not say what bad moments do: who stays longer has more of them. "
        f"A class has at least {quick.min_cell} customers.",
        what="customers, by bad moments",
        room=100,
    )


def _bar(name: str, n: int, whole: int, what: str, more: str) -> dict[str, Any]:
    share = n / whole if whole else 0.0
    text = f"{n:,} ({number(share, 'share')}{', ' + more if more else ''})"
    return {"class": name, "share": round(share, 4), "text": text, "what": what}


def _bars(
    rows: list[dict[str, Any]], order: list[str], colours: list[str], *, title: str, caption: str, what: str, room: int
) -> Chart:
    if not rows:
        raise EstimationError("all counts are too small to be shown: there is nothing to draw")
    names = [r["class"] for r in rows]
    top = max(r["share"] for r in rows)
    scale = alt.Scale(domain=[0, top or 1], range=[0, alt.ExprRef(f"width - {room}")], nice=False)
    x = alt.X("share:Q", title=None, scale=scale, axis=alt.Axis(labelExpr=percent(), tickCount=4))
    y = alt.Y(
        "class:N", sort=[o for o in order if o in names], title=None, axis=alt.Axis(labelFontSize=13, ticks=False)
    )
    tooltip = [alt.Tooltip("class:N", title="class"), alt.Tooltip("text:N", title=what)]
    base = alt.Chart().encode(y=y)
    layers = [
        base.mark_bar(height={"band": 0.62}).encode(
            x=x,
            color=alt.Color("class:N", scale=alt.Scale(domain=names, range=colours), legend=None),
            tooltip=tooltip,
            description="text:N",
        ),
        base.mark_text(align="left", dx=6, fontSize=13, aria=False).encode(x=x, text="text:N"),
    ]
    told = "; ".join(f"{r['class']}: {r['text']}" for r in rows)
    return finish(
        alt.layer(*layers, data=values(rows)),
        title=title,
        caption=caption,
        description=f"{title}. {told}.",
        height=min(_STEP, 300 // max(len(rows), 1) + 12) * len(rows),
    )


def _few(quick: MomentSummary, hidden: bool) -> str:
    return f" Counts below {quick.min_cell} are not shown, nor what would give them away." if hidden else ""
