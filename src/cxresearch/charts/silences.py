"""How many customers come back after a silence, by its length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from cxresearch.charts.base import BLUE, GREY, ORANGE, START, Chart, finish, shares_up, values
from cxresearch.errors import NothingToDrawError
from cxresearch.records.lapses import FALSE_LAPSES
from cxresearch.silences import Gaps
from cxresearch.utils.checks import instance

if TYPE_CHECKING:
    from collections.abc import Mapping


def silences(gaps: Gaps) -> Chart:
    """The share that comes back after a silence of each length, with the declared gap and the limit for a lapse.

    Args:
        gaps: from `cxresearch.silences.gaps`.

    Raises:
        NothingToDrawError: the log tells of no length.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> made = cx.worlds.simulate(cx.worlds.World(), 300, seed=1)
        >>> log = {"score": "stars", "scale": [1, 5]}
        >>> settings = {"interactions": log, "retention": {"kind": "activity", "gap_days": 60}}
        >>> chart = charts.silences(cx.silences.gaps(cx.study_from(settings, interactions=made.interactions)))
        >>> chart.to_dict()["usermeta"]["title"]
        'Who comes back after a silence'
    """
    instance("gaps", gaps, Gaps, "what gaps gives")
    gaps = gaps.publishable()
    if not gaps.silences:
        raise NothingToDrawError("the log is too short to tell who comes back after a silence")
    rows: list[Mapping[str, object]] = [
        {"days": s.days, "returned": s.returned, "low": s.low, "high": s.high}
        for s in gaps.silences
    ]
    last = max(s.days for s in gaps.silences)
    x = alt.X(
        "days:Q",
        scale=alt.Scale(type="log", nice=False, domain=[min(s.days for s in gaps.silences), last]),
        axis=alt.Axis(
            title="days of silence",
            values=[d for d in (1, 3, 7, 14, 30, 60, 90, 180, 365, 730) if d <= last],
            grid=False,
            **START,
        ),
    )
    y = alt.Y("returned:Q", scale=alt.Scale(domain=[0, 1]), axis=shares_up())
    tooltip = [
        alt.Tooltip("days:Q", title="days of silence"),
        alt.Tooltip("returned:Q", title="come back within as long again", format=".1%"),
        alt.Tooltip("low:Q", title="from", format=".1%"),
        alt.Tooltip("high:Q", title="to", format=".1%"),
    ]
    data = alt.Chart(values(rows))
    limit = alt.Chart(values([{"returned": FALSE_LAPSES}])).mark_rule(
        color=ORANGE, strokeDash=[4, 3]
    )
    marks = [{"days": gaps.counted, "what": "counts as a lapse"}]
    if gaps.declared != gaps.counted and gaps.declared <= last:
        marks.append({"days": gaps.declared, "what": "declared"})
    gap = alt.Chart(values([m for m in marks if int(str(m["days"])) <= last]))
    chart = alt.layer(
        limit.encode(y="returned:Q"),
        gap.mark_rule(color=GREY).encode(x="days:Q"),
        gap.mark_text(align="right", dx=-5, y=8, fontSize=12).encode(x="days:Q", text="what:N"),
        data.mark_area(color=BLUE, opacity=0.15).encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        data.mark_line(color=BLUE, strokeWidth=2).encode(x=x, y=y),
        data.mark_point(color=BLUE, filled=True, size=45, opacity=1).encode(
            x=x, y=y, tooltip=tooltip
        ),
    )
    described = "; ".join(f"{s.days:,} days: {s.returned:.0%}" for s in gaps.silences)
    return finish(
        chart,
        title="Who comes back after a silence",
        caption=(
            "The share of customers silent for so long who come back within as long again, by Kaplan and Meier, with "
            f"95% limits. The dashed line is {FALSE_LAPSES:.0%}: below it a silence counts as a lapse. {gaps.advice}"
        ),
        description=f"Share of silent customers who come back within as long again. {described}.",
        height=300,
    )
