"""Who has bad moments and who leaves, by number of contacts; small counts are hidden in the data as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from cxresearch.charts.look import BLUE, ORANGE, Chart, finish, percent, values
from cxresearch.claims.evidence import Activity, Trial
from cxresearch.claims.numbers import number


@dataclass(frozen=True, slots=True)
class Shares:
    """Who has a bad moment and who leaves among customers with about as many contacts.

    Attributes:
        contacts: the band.
        with_bad: share of its customers who had a bad moment; None where too few to show.
        left: share of its customers who left; None likewise.
    """

    contacts: str
    with_bad: float | None
    left: float | None


def activity(trial: Trial, min_cell: int) -> Chart:
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
    x = alt.X(
        "contacts:O",
        sort=bands,
        title="contacts in all",
        axis=alt.Axis(labelAngle=0),
        scale=alt.Scale(domain=bands),
    )
    y = alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(labelExpr=percent(), tickCount=5))
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
        base.mark_text(dy=-14, fontSize=13, fontWeight="bold", aria=False).encode(
            text="text:N", color=alt.value("currentColor")
        ),
    ]
    told = "; ".join(f"{r['contacts']} contacts: {r['text']} {r['what']}" for r in rows)
    few = f" Shares resting on fewer than {min_cell} customers are not shown." if len(rows) < 2 * len(shown) else ""
    return finish(
        alt.layer(*layers, data=values(rows)),
        title="Bad moments and leaving, by number of contacts",
        caption=f"The more contacts in all, the more chances of a bad one.{few}",
        description=f"Who had a bad moment and who left, by number of contacts. {told}.{few}",
        height=260,
    )


def shares(rows: Sequence[Activity], min_cell: int) -> tuple[Shares, ...]:
    """Shares by band, None where a count or its complement is below `min_cell`.

    One hidden count could be had by subtraction from a total shown elsewhere, so the smallest of the others
    is hidden with it.
    """
    hidden = {part: _hidden(rows, part, min_cell) for part in ("with_bad", "left")}

    def share(row: Activity, part: str) -> float | None:
        shown = _possible(row, part) and row.contacts not in hidden[part]
        return getattr(row, part) / row.customers if shown else None

    return tuple(Shares(r.contacts, share(r, "with_bad"), share(r, "left")) for r in rows)


def _possible(row: Activity, part: str) -> bool:
    """Whether there is a number at all: without a contact nobody has a bad one."""
    return row.contacts != "0" or part == "left"


def _hidden(rows: Sequence[Activity], part: str, min_cell: int) -> set[str]:
    """The bands whose share is not shown, by size of the smaller of a count and its complement."""
    counts = {r.contacts: (getattr(r, part), r.customers) for r in rows if _possible(r, part)}
    smaller = sorted((min(n, whole - n), band) for band, (n, whole) in counts.items())
    few = {band for n, band in smaller if n < min_cell}
    return few if len(few) != 1 else {band for _, band in smaller[:2]}
