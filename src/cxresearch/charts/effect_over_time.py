"""A hazard ratio by age of the moment, or by band of the clock."""

from __future__ import annotations

import altair as alt

from cxresearch.charts.base import BLUE, START, TICKS, Chart, finish, tips, values
from cxresearch.estimators.effect_over_time import SELECTION, EffectOverTime
from cxresearch.utils.checks import instance


def effect_over_time(effect: EffectOverTime) -> Chart:
    """A hazard ratio in each band, with its interval.

    Args:
        effect: from `cxresearch.estimators.effect_by_age` or `effect_by_clock`.

    Returns:
        The chart; its caption holds the test of whether the ratio is the same in all bands.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(recent_ratio=2.5), 2000, seed=1).study()
        >>> table = cx.risk_table(study, age=cx.histories.age_of_last("bad", (30, 90)), observed_from_start=True)
        >>> chart = charts.effect_over_time(cx.estimators.effect_by_age(table, "age"))
        >>> print(chart.to_dict()["usermeta"]["title"])
        The rate of leaving by age of the moment
    """
    instance("effect", effect, EffectOverTime, "a result of effect_by_age or effect_by_clock")
    rows = [
        {
            "band": band,
            "ratio": round(e.value, 4),
            "low": round(max(e.low, 0.02), 4),
            "high": round(min(e.high, 60.0), 4),
            "shown": f"{e.value:.2f} ({e.low:.2f} to {e.high:.2f})",
        }
        for band, e in zip(effect.bands, effect.ratios, strict=True)
    ]
    low = min(1.0, *(float(str(r["low"])) for r in rows)) / 1.15
    high = max(1.0, *(float(str(r["high"])) for r in rows)) * 1.15
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    axis = alt.Axis(
        title=None,
        values=[t for t in TICKS if low <= t <= high],
        labelExpr="format(datum.value, '~r')",
    )
    x = alt.X(
        "band:N",
        sort=list(effect.bands),
        title=f"{effect.by}, in days" if effect.by == "age of the moment" else effect.by,
        axis=alt.Axis(labelAngle=0, grid=False, **START),
    )
    base = alt.Chart(values(rows)).encode(x=x)
    layers = [
        alt.Chart(values([{"one": 1.0}]))
        .mark_rule(color="currentColor", opacity=0.5, strokeDash=[2, 3], aria=False)
        .encode(y=alt.Y("one:Q", scale=scale, axis=axis)),
        base.mark_rule(strokeWidth=3, color=BLUE, aria=False).encode(
            y=alt.Y("low:Q", scale=scale, axis=axis), y2="high:Q"
        ),
        base.mark_point(filled=True, opacity=1, size=110, color=BLUE).encode(
            y=alt.Y("ratio:Q", scale=scale, axis=axis),
            tooltip=tips({"band": effect.by, "shown": "hazard ratio"}),
        ),
    ]
    numbers = "; ".join(f"{r['band']}: {r['shown']}" for r in rows)
    return finish(
        alt.layer(*layers),
        title=f"The rate of leaving by {effect.by}",
        caption=f"{effect.sentence} {SELECTION}",
        description=f"Hazard ratios with intervals by {effect.by}. {numbers}. {effect.sentence}",
        height=260,
    )
