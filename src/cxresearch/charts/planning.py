"""How probable the right verdict is, by the number of customers."""

from __future__ import annotations

import altair as alt

from cxresearch.charts.base import (
    GREY,
    START,
    Chart,
    distinct_styles,
    finish,
    shares_up,
    tips,
    values,
)
from cxresearch.planning.results import Plan, months_of
from cxresearch.utils.checks import instance


def power(plan: Plan) -> Chart:
    """The probability that a claim is decided rightly, by the number of customers, a curve for each truth and length.

    Args:
        plan: from `cxresearch.power`.

    Returns:
        The chart: bands are what the simulated companies leave uncertain, the level line is the probability that is
        wanted, the upright one the study's own number of customers.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(), 1500, seed=1).study()
        >>> few = dict(companies=3, pilot_customers=1000, customers=[1000, 4000])
        >>> chart = charts.power(cx.power(study, "household-contagion", truths=[2.0], **few))
        >>> print(chart.to_dict()["usermeta"]["title"])
        How probable it is that the claim is decided rightly
    """
    instance("plan", plan, Plan, "a result of power")
    plan = plan.publishable()
    several = len({p.days for p in plan.points}) > 1
    rows = []
    for points in plan.groups:
        name = f"if the truth is {plan.unit.text(points[0].truth)}"
        name += f", {months_of(points[0].days)} months" if several else ""
        rows += [
            {
                "name": name,
                "customers": p.customers,
                "events": f"{p.events:,}",
                "probability": round(p.probability, 4),
                "low": round(p.low, 4),
                "high": round(p.high, 4),
                "shown": f"{p.probability:.0%} ({p.low:.0%} to {p.high:.0%})",
                "only": f"{p.probability_alone:.0%}",
                "alone": f"{p.by_interval:.0%}",
                "size": f"{p.customers:,}",
            }
            for p in points
        ]
    names = list(dict.fromkeys(str(r["name"]) for r in rows))
    colours, dashes = distinct_styles(names)
    legend = alt.Legend(title=None, orient="top", direction="vertical", labelLimit=600)
    x = alt.X(
        "customers:Q",
        title="customers who start within the log",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(format="~s", tickCount=6, labelOverlap=True, grid=False, **START),
    )
    scale = alt.Scale(domain=[0, 1], nice=False)
    y = alt.Y("probability:Q", scale=scale, axis=shares_up())
    base = alt.Chart(values(rows))
    colour = alt.Color("name:N", scale=colours, legend=legend)
    tooltip = tips(
        {
            "name": "truth",
            "size": "customers",
            "events": "departures to be expected",
            "shown": "decided rightly",
            "only": "as the only claim",
            "alone": "by its interval alone",
        }
    )
    layers = [
        alt.Chart(values([{"wanted": plan.wanted}]))
        .mark_rule(color=GREY, strokeDash=[4, 3], aria=False)
        .encode(y=alt.Y("wanted:Q", scale=scale, axis=shares_up())),
        alt.Chart(values([{"customers": plan.customers}]))
        .mark_rule(color=GREY, aria=False)
        .encode(x=x),
        base.mark_area(opacity=0.15, aria=False).encode(
            x=x,
            y=alt.Y("low:Q", scale=scale, axis=shares_up()),
            y2="high:Q",
            fill=alt.Fill("name:N", scale=colours, legend=None),
        ),
        base.mark_line(strokeWidth=2.5, aria=False).encode(
            x=x, y=y, color=colour, strokeDash=alt.StrokeDash("name:N", scale=dashes, legend=legend)
        ),
        base.mark_point(filled=True, opacity=1, size=70).encode(
            x=x, y=y, color=colour, tooltip=tooltip
        ),
    ]
    return finish(
        alt.layer(*layers),
        title="How probable it is that the claim is decided rightly",
        caption=(
            f"Level line: {plan.wanted:.0%}. Upright line: the {plan.customers:,} customers of the study. {plan.note}"
        ),
        description=" ".join(plan.sentences),
        height=280,
    )
