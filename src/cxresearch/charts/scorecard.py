"""The scorecard of the expectations, and what a moment does to staying: intervals, line by line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from cxresearch.charts.base import BLUE, START, Chart, finish, percent, tips, values
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import count_text
from cxresearch.errors import NothingToDrawError
from cxresearch.estimators.results import Estimate
from cxresearch.journey.loyalty import LoyaltyShift
from cxresearch.journey.scorecard import Score, Scorecard
from cxresearch.utils.checks import instance
from cxresearch.utils.html_tables import isolated

_LINE = 34
_PHONE = (
    460  # narrower than that, a line has its words above the interval, which gets the whole width
)


def scorecard(result: Scorecard) -> Chart:
    """The share of moments in which each expectation was kept, with intervals, a block per function.

    Args:
        result: from `cxresearch.journey.scorecard`.

    Raises:
        NothingToDrawError: no share can be shown.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> chart = charts.scorecard(cx.journey.scorecard(study))
        >>> print(chart.to_dict()["description"].partition("; customer")[0])
        Share of moments in which expectations were kept, by owner. customer care, respect: 90.4% (89.5–91.3)
    """
    instance("result", result, Scorecard, "what cx.journey.scorecard gives")
    rows = [_kept(s, result) for s in result.scores]
    drawn = [r for r in rows if r["value"] is not None]
    if not drawn:
        raise NothingToDrawError("no share can be shown: there is nothing to draw")
    height = len(result.expectations) + 1
    heads = [{"line": i * height, "label": isolated(name)} for i, name in enumerate(result.rows)]
    low = max(math.floor(10 * min(r["low"] for r in drawn) - 0.5) / 10, 0.0)
    scale = alt.Scale(domain=[low, 1], range=_across(132), nice=False, zero=False)
    axis = alt.Axis(title="share kept", labelExpr=percent(), tickCount=4, **START)
    description = "; ".join(f"{r['of']}, {r['expectation']}: {r['shown']}" for r in rows)
    gone = (
        " Where few moments failed or were kept, the share is not shown."
        if len(drawn) < len(rows)
        else ""
    )
    missing = f" The log does not tell {', '.join(result.lacks)}." if result.lacks else ""
    return _lines(
        rows,
        heads,
        axis,
        scale,
        label="expectation:N",
        titles={
            "of": result.by,
            "expectation": "expectation",
            "shown": "kept",
            "answered": "moments with an answer",
        },
        texts=(
            "Expectations kept",
            f"Bars are {result.level:.0%} intervals, each on its own.{gone}{missing}",
            f"Share of moments in which expectations were kept, by {result.by}. {description}.",
        ),
    )


def loyalty_shift(result: LoyaltyShift) -> Chart:
    """By how much the chance to stay is another after a moment, by grade and by touchpoint.

    Args:
        result: from `cxresearch.journey.loyalty_shift`.

    Raises:
        NothingToDrawError: no change is known.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> chart = charts.loyalty_shift(cx.journey.loyalty_shift(study))
        >>> print(chart.to_dict()["description"].partition(" bad")[0])
        Change of the chance to stay after a moment, against a neutral moment. 49% are still there after 365 days.
    """
    instance("result", result, LoyaltyShift, "what cx.journey.loyalty_shift gives")
    blocks = [
        (
            "by grade of the moment",
            [s for s in result.grades if s.change and s.of != result.reference_grade],
        ),
        ("by touchpoint, over its moments", [s for s in result.touchpoints if s.change]),
        ("over all moments", [result.everywhere] if result.everywhere.change else []),
    ]
    rows: list[dict[str, Any]] = []
    heads, line = [], 0
    for head, shifts in blocks:
        heads += [{"line": line, "label": head}] if shifts else []
        for k, s in enumerate(shifts):
            rows.append(
                {
                    "line": line + 1 + k,
                    "of": isolated(s.of),
                    "label": isolated(_clipped(s.of)),
                    **_points(s.change),
                }
            )
        line += 1 + len(shifts) if shifts else 0
    if not rows:
        raise NothingToDrawError("no change is known: there is nothing to draw")
    low, high = min(*(r["low"] for r in rows), 0.0), max(*(r["high"] for r in rows), 0.0)
    room = 0.06 * (high - low) or 0.01
    scale = alt.Scale(
        domain=[low - room, high + room],
        range=_across(128),
        nice=False,
        zero=False,
    )
    axis = alt.Axis(
        title="points",
        labelExpr=percent(signed=True),
        tickCount=3,
        labelOverlap=True,
        labelSeparation=6,
        **START,
    )
    stays = f"{Unit.SHARE.text(result.stays.value)} are {result.meaning}"
    description = "; ".join(f"{r['of']}: {r['shown']} points" for r in rows)
    return _lines(
        rows,
        heads,
        axis,
        scale,
        label="label:N",
        titles={"of": "after", "shown": "points"},
        texts=(
            "How many more or fewer stay after one more moment",
            f"Of all customers, {stays}. "
            f"The change is against one more {result.reference_grade} moment, contacts equal. "
            f"Bars are {result.level:.0%} intervals. "
            "An association, not an effect: a touchpoint differs by the grades of "
            "its moments alone.",
            f"Change of the chance to stay after a moment, against a {result.reference_grade} moment. "
            f"{stays}. {description}.",
        ),
        nothing=0.0,
    )


def _lines(
    rows: Sequence[dict[str, Any]],
    heads: Sequence[dict[str, Any]],
    axis: alt.Axis,
    scale: alt.Scale,
    *,
    label: str,
    titles: dict[str, str],
    texts: tuple[str, str, str],
    nothing: float | None = None,
) -> Chart:
    """A line per number: its label, its interval, the number; in blocks with a head each."""
    lines = 1 + max(r["line"] for r in rows)
    y = alt.Y(
        "line:Q", axis=None, scale=alt.Scale(domain=[lines - 0.4, -0.5], nice=False, zero=False)
    )
    base = alt.Chart(values(rows)).encode(y=y)
    known = alt.Chart(values([r for r in rows if r["value"] is not None])).encode(y=y)
    left = alt.Chart(values(heads)).mark_text(
        align="left", fontSize=13, fontWeight="bold", aria=False
    )
    words, interval = (alt.ExprRef(f"width < {_PHONE} ? {y} : 0") for y in (-8, 9))
    layers = [
        left.encode(x=alt.value(0), y=y, text="label:N"),
        base.mark_text(align="left", fontSize=13, yOffset=words, aria=False).encode(
            x=alt.value(8), text=label
        ),
        known.mark_rule(strokeWidth=3, color=BLUE, yOffset=interval, aria=False).encode(
            x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q"
        ),
        known.mark_point(filled=True, opacity=1, size=90, color=BLUE, yOffset=interval).encode(
            x=alt.X("value:Q", scale=scale, axis=axis), tooltip=tips(titles), description="alt:N"
        ),
        base.mark_text(align="right", fontSize=13, yOffset=words, aria=False).encode(
            x=alt.value(alt.ExprRef("width")), text="shown:N"
        ),
    ]
    if nothing is not None:
        rule = alt.Chart(values([{"x": nothing}])).mark_rule(
            color="currentColor", opacity=0.5, strokeDash=[2, 3], aria=False
        )
        layers.insert(0, rule.encode(x=alt.X("x:Q", scale=scale, axis=axis)))
    title, caption, description = texts
    return finish(
        alt.layer(*layers),
        title=title,
        caption=caption,
        description=description,
        height=_LINE * lines,
    )


def _across(room: int) -> list[alt.ExprRef]:
    """Where intervals lie: between the words and the numbers, or below both where there is little room.

    Args:
        room: pixels for the numbers.
    """
    return [
        alt.ExprRef(f"width < {_PHONE} ? {narrow} : {wide}")
        for narrow, wide in (("12", "104"), ("width - 8", f"width - {room}"))
    ]


def _kept(s: Score, result: Scorecard) -> dict[str, Any]:
    width = len(result.expectations)
    line = result.rows.index(s.of) * (width + 1) + 1 + result.expectations.index(s.expectation)
    row = {
        "line": line,
        "of": isolated(s.of),
        "expectation": s.expectation,
        "answered": count_text(s.answered, result.min_cell),
    }
    if s.kept is None:
        return row | {
            "value": None,
            "low": None,
            "high": None,
            "shown": "not shown" if s.answered != 0 else "–",
        }
    e = s.kept
    shown = f"{100 * e.value:z.1f}% ({100 * e.low:z.1f}–{100 * e.high:z.1f})"
    numbers = {k: round(getattr(e, k), 3) for k in ("value", "low", "high")}
    return row | numbers | {"shown": shown, "alt": f"{isolated(s.of)}, {s.expectation}: {shown}"}


def _points(change: Estimate | None) -> dict[str, Any]:
    if change is None:
        return {}
    value, low, high = (100 * v for v in (change.value, change.low, change.high))
    shown = f"{value:+z.1f} ({low:+z.1f} to {high:+z.1f})".replace("-", "−")
    numbers = {k: round(getattr(change, k), 4) for k in ("value", "low", "high")}
    return {**numbers, "shown": shown, "alt": f"{shown} points"}


def _clipped(name: str) -> str:
    return name if len(name) <= 13 else f"{name[:12]}…"
