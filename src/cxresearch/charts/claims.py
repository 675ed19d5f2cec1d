"""The readings of a claim side by side, and who leaves by number of contacts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import altair as alt

from cxresearch.charts.base import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    TICKS,
    Chart,
    claimed,
    finish,
    percent,
    region_of,
    unit_of,
    values,
)
from cxresearch.claims.decide import Region
from cxresearch.claims.results import Activity, ReadingResult, ReferenceValue, Trial
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import part_of
from cxresearch.estimators.results import Estimate
from cxresearch.utils.checks import arguments, instance, optional, rows_of

ROLES = {
    "the reading the verdict rests on": (BLUE, "circle"),
    "another reading": (GREY, "circle"),
    "what happens anyway": (GREEN, "diamond"),
    "the naive answer": (ORANGE, "square"),
}
AXES = {
    Unit.SHARE: "share of customers",
    Unit.HAZARD_RATIO: "rate of leaving (1 = as the others)",
    Unit.DIFFERENCE: "points more (+) or fewer (−)",
    Unit.LOG_LIKELIHOOD: "how much more (+) or less (−) probable by the first description",
}
LINE = 15  # height of a line of text
STEP = (
    38 + 2 * LINE
)  # height of a reading: two lines of text, then the interval; higher where one has three
_ROOM = {
    Unit.DIFFERENCE: 158,
    Unit.LOG_LIKELIHOOD: 188,
}  # pixels for the numbers to the right of the intervals; else 128
_PRIMARY, _OTHER, _BASE, _NAIVE = ROLES


def readings(trial: Trial, unit: Unit | str, *, only: Sequence[str] | None = None) -> Chart:
    """Every reading of a claim in one unit: number, interval, and the region in which the claim holds.

    Args:
        trial: the claim, tried.
        unit: one of `units`, such as ``share`` or ``hazard ratio``.
        only: ids of readings, in the order of the rows; all, and the reference values, if not given.

    Returns:
        A chart with a row per reading; the base rate and the naive answer stand out by colour and shape.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> claim = "bad-moments-drive-away"
        >>> trial = cx.evaluate(study, [claim], alone=True)[claim]
        >>> chart = charts.readings(trial, "hazard ratio")
        >>> print(chart.to_dict()["description"].partition(" Shaded")[0])
        Numbers with intervals for the claim “A bad moment pushes customers away.”
    """
    instance("trial", trial, Trial, "a claim that was tried, such as docket['three-strikes']")
    optional(only=only)
    return _readings(trial, unit_of(unit), only)


def _readings(trial: Trial, unit: Unit, only: Sequence[str] | None) -> Chart:
    rows = _rows(trial, unit, only)
    low, high = _domain(rows, unit)
    for r in rows:
        if r["from"] is not None:
            r["from"], r["to"] = max(r["from"], low), min(r["to"], high)
    scale = alt.Scale(
        type="log" if unit.is_ratio else "linear",
        domain=[low, high],
        range=[6, alt.ExprRef(f"width - {_ROOM.get(unit, 128)}")],
        nice=False,
    )
    fixed = {Unit.HAZARD_RATIO: TICKS, Unit.LOG_LIKELIHOOD: _round_ticks(high)}.get(unit)
    ticks = [t for t in fixed if low <= t <= high] if fixed else alt.Undefined
    label = {
        Unit.HAZARD_RATIO: "format(datum.value, '~r')",
        Unit.LOG_LIKELIHOOD: "format(exp(datum.value) - 1, '+.2~%')",
    }.get(unit, percent(signed=unit.has_sign))
    axis = alt.Axis(
        title="share of bad moments" if trial.claim.primary.kind == "concentration" else AXES[unit],
        values=ticks,
        labelExpr=label,
        tickCount=5,
        labelOverlap=True,
        labelSeparation=6,
        titleAlign="left",
        titleAnchor="start",
    )
    height = STEP + LINE * max(0, max(r["lines"] for r in rows) - 2)
    interval_y = 18 + (height - STEP) / 2  # where the interval lies, under the middle of its row
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
        inside.mark_rect(color=BLUE, opacity=0.13, aria=False).encode(
            x=alt.X("from:Q", scale=scale, axis=axis), x2="to:Q"
        ),
        inside.transform_filter("datum.edge !== null")
        .mark_tick(color=BLUE, thickness=1.5, size=height, aria=False)
        .encode(x="edge:Q"),
        base.mark_text(
            align="left",
            baseline="top",
            yOffset=alt.ExprRef(f"{interval_y - 16} - {LINE} * datum.lines"),
            lineBreak="\n",
            fontSize=13,
            lineHeight=LINE,
            aria=False,
        ).encode(x=alt.value(0), text="label:N"),
        base.mark_rule(strokeWidth=3, yOffset=interval_y, aria=False).encode(
            x=alt.X("low:Q", scale=scale), x2="high:Q", color=colour
        ),
        base.mark_point(filled=True, opacity=1, size=120, yOffset=interval_y).encode(
            x=x,
            color=colour,
            shape=alt.Shape("role:N", scale=_scale(1), legend=None),
            tooltip=tooltip,
            description="alt:N",
        ),
        base.mark_text(
            align="right",
            baseline="middle",
            yOffset=interval_y,
            fontSize=13,
            fontWeight="bold",
            aria=False,
        ).encode(x=alt.value(alt.ExprRef("width")), text="short:N"),
    ]
    if unit is not Unit.SHARE:
        rule = alt.Chart(values([{"x": unit.null_value}])).mark_rule(
            color="currentColor", opacity=0.5, strokeDash=[2, 3], aria=False
        )
        layers.insert(0, rule.encode(x=alt.X("x:Q", scale=scale, axis=axis)))
    description = "; ".join(f"{r['name']}: {r['shown']}" for r in rows)
    where = next((r["claimed"] for r in rows if r["claimed"] != "–"), "")
    shaded = f"Shaded: where the claim says the number lies ({where})." if where else ""
    legend = _legend({r["role"] for r in rows})
    return finish(
        alt.layer(*layers, data=values(rows)),
        title=_title(trial, unit, only),
        caption=f"{shaded} {legend}".strip(),
        description=f"Numbers with intervals for the claim “{trial.claim.statement}” {shaded} {description}.",
        height=height * len(rows),
    )


def units(trial: Trial) -> tuple[str, ...]:
    """The units in which a claim has numbers to draw, that of its primary reading first.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> claim = "silent-defection"
        >>> trial = cx.evaluate(study, [claim], alone=True)[claim]
        >>> charts.units(trial)
        ('share', 'difference of shares')
    """
    instance("trial", trial, Trial, "a claim that was tried, such as docket['three-strikes']")
    result = [e.unit.value for e in trial.results if _drawn(e)]
    return tuple(dict.fromkeys(result))


def _title(trial: Trial, unit: Unit, only: Sequence[str] | None) -> str:
    if only is not None:
        return "What becomes of the number when other things are held equal"
    return (
        "The readings side by side"
        if unit == units(trial)[0]
        else f"Other readings: {AXES[unit].partition(',')[0]}"
    )


def _rows(trial: Trial, unit: Unit, only: Sequence[str] | None) -> list[dict[str, Any]]:
    naive = trial.naive.label if trial.naive else ""
    rows = []
    for e in trial.results if only is None else [trial[r] for r in only]:
        if e.unit == unit and _drawn(e):
            role = _PRIMARY if e.primary else _NAIVE if e.label == naive else _OTHER
            result = e.estimate
            assert result is not None
            rows.append(
                _row(e.label, role, result, unit) | _tried(region_of(trial, e), unit, e.verdict)
            )
    seen = {r["name"] for r in rows}
    for role, reference in ((_BASE, trial.base_rate), (_NAIVE, trial.naive)):
        if (
            only is None
            and reference is not None
            and reference.unit == unit
            and reference.label not in seen
            and _finite(reference)
        ):
            rows.append(_row(reference.label, role, reference, unit) | _tried(None, unit, "–"))
    return [{"row": i, **r} for i, r in enumerate(rows)]


def _row(name: str, role: str, result: Estimate | ReferenceValue, unit: Unit) -> dict[str, Any]:
    value, low, high = result.value, result.low, result.high
    interval = f"{unit.text(low)} to {unit.text(high)}"
    lines = wrap(
        {_BASE: "Anyway: ", _NAIVE: "Naive: "}.get(role, "") + name,
        46,
        max_lines=3,
        placeholder=" …",
    )
    return {
        "name": name,
        "label": "\n".join(lines),
        "lines": len(lines),
        "role": role,
        **{k: _plain(v, unit) for k, v in (("value", value), ("low", low), ("high", high))},
        "shown": f"{unit.text(value)} ({interval})",
        "short": _short(value, low, high, unit),
        "alt": f"{name}: {unit.text(value)}, interval {interval}",
    }


def _plain(value: float, unit: Unit) -> float:
    """A number as exact as a picture needs it, and not more."""
    return round(value, 5 if unit is Unit.LOG_LIKELIHOOD else 3)


def _tried(where: Region | None, unit: Unit, verdict: str) -> dict[str, Any]:
    """The claimed region of a number; ends without a limit are cut to the axis later."""
    low, high = (where.low, where.high) if where else (None, None)
    return {
        "from": low,
        "to": high,
        "edge": where.edges[0] if where else None,
        "claimed": claimed(where, unit),
        "verdict": verdict,
    }


def _domain(rows: Sequence[Mapping[str, Any]], unit: Unit) -> tuple[float, float]:
    known = [v for r in rows for v in (r["low"], r["high"], r["edge"]) if v is not None]
    if unit is Unit.SHARE:
        return 0.0, 1.0
    if unit.is_ratio:
        return max(min(*known, 1.0) / 1.15, 0.02), min(max(*known, 1.0) * 1.15, 60.0)
    reach = max(max(abs(v) for v in known) * 1.2, 0.002 if unit is Unit.LOG_LIKELIHOOD else 0.02)
    return -reach, reach


def _round_ticks(reach: float) -> tuple[float, ...]:
    """Round changes of a probability up to about `reach` and down, as logarithms."""
    most = math.expm1(reach)
    step = next(
        (s for s in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if most / s < 4), 1.0
    )
    return tuple(round(math.log1p(i * step), 8) for i in range(-4, 5) if i * step > -1)


def _drawn(e: ReadingResult) -> bool:
    return (
        e.estimate is not None
        and _finite(e.estimate)
        and (not e.unit.is_ratio or e.estimate.low > 0)
    )


def _finite(result: Estimate | ReferenceValue) -> bool:
    return all(math.isfinite(v) for v in (result.value, result.low, result.high))


def _short(value: float, low: float, high: float, unit: Unit) -> str:
    """A number with its interval in few characters: ``31% (28–34)``, ``+9.5 (+7.3 to +11.6)``."""
    text, a, b = (unit.text(v).removesuffix(" points") for v in (value, low, high))
    if unit.has_sign:
        return f"{text} ({a} to {b})"
    return f"{text} ({a.removesuffix('%')}–{b.removesuffix('%')})"


def _scale(which: int) -> alt.Scale:
    return alt.Scale(domain=list(ROLES), range=[style[which] for style in ROLES.values()])


def _legend(roles: set[str]) -> str:
    text_of_role = {
        _PRIMARY: "blue circle",
        _OTHER: "grey circle",
        _BASE: "green diamond",
        _NAIVE: "orange square",
    }
    parts = [f"{text_of_role[r]}: {r}" for r in ROLES if r in roles]
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if parts else ""


@dataclass(frozen=True, slots=True)
class Shares:
    """Who has a bad moment and who leaves among customers with about as many contacts.

    Attributes:
        contacts: the band.
        with_bad: share of its customers who had a bad moment; None where too few to show.
        left: share of its customers who left; None where too few to show.

    Example:
        >>> from cxresearch import charts
        >>> charts.Shares("1", with_bad=0.2, left=0.3).with_bad
        0.2
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

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> claim = "bad-moments-drive-away"
        >>> trial = cx.evaluate(study, [claim], alone=True)[claim]
        >>> chart = charts.activity(trial, 10)
        >>> print(chart.to_dict()["description"].partition("; 5-9")[0])
        Who had a bad moment and who left, by number of contacts. 2-4 contacts: 74% left
    """
    instance("trial", trial, Trial, "a claim that was tried, such as docket['three-strikes']")
    arguments(min_cell=min_cell)
    shown = shares(trial.activity, min_cell)
    bands = [s.contacts for s in shown]
    names = ("had a bad moment", "left")
    rows = [
        {
            "contacts": s.contacts,
            "what": name,
            "share": round(v, 3),
            "text": Unit.SHARE.text(v),
            "place": _label_place(v, name, other, names[-1]),
        }
        for s in shown
        for name, v, other in zip(names, (s.with_bad, s.left), (s.left, s.with_bad), strict=True)
        if v is not None
    ]
    x = alt.X(
        "contacts:O",
        sort=bands,
        title="contacts in all",
        axis=alt.Axis(labelAngle=0),
        scale=alt.Scale(domain=bands),
    )
    y = alt.Y(
        "share:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(labelExpr=percent(), tickCount=5),
    )
    legend = alt.Legend(title=None, orient="top", symbolSize=120)
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=[ORANGE, BLUE]), legend=legend)
    shape = alt.Shape(
        "what:N", scale=alt.Scale(domain=names, range=["square", "circle"]), legend=legend
    )
    tooltip = [
        alt.Tooltip("contacts:N", title="contacts in all"),
        alt.Tooltip("what:N", title="customers who"),
        alt.Tooltip("text:N", title="share"),
    ]
    base = alt.Chart().encode(x=x, y=y, color=colour)
    layers = [
        base.mark_line(strokeWidth=2.5, aria=False),
        base.mark_point(filled=True, opacity=1, size=110).encode(shape=shape, tooltip=tooltip),
        *(  # of two points near each other, the lower one has its label below
            base.mark_text(dy=dy, fontSize=13, fontWeight="bold", aria=False)
            .encode(text="text:N", color=alt.value("currentColor"))
            .transform_filter(alt.datum.place == place)
            for place, dy in (("above", -14), ("below", 17))
        ),
    ]
    description = "; ".join(f"{r['contacts']} contacts: {r['text']} {r['what']}" for r in rows)
    few = (
        f" Shares resting on fewer than {min_cell} customers are not shown."
        if len(rows) < 2 * len(shown)
        else ""
    )
    return finish(
        alt.layer(*layers, data=values(rows)),
        title="Bad moments and leaving, by number of contacts",
        caption=f"The more contacts in all, the more chances of a bad one.{few}",
        description=f"Who had a bad moment and who left, by number of contacts. {description}.{few}",
        height=260,
    )


def _label_place(share: float, name: str, other: float | None, last: str) -> str:
    """Below the lower of two points, where there is room above the axis."""
    is_lower = other is not None and (share, name) < (other, last)
    return "below" if is_lower and share >= 0.1 else "above"


def shares(rows: Sequence[Activity], min_cell: int) -> tuple[Shares, ...]:
    """Shares by band, None where a count or its complement is below `min_cell`.

    One hidden count could be had by subtraction from a total shown elsewhere, so the smallest of the others
    is hidden with it.

    Example:
        >>> from cxresearch import charts
        >>> from cxresearch.claims.results import Activity
        >>> rows = [
        ...     Activity("1", customers=100, with_bad=20, left=30),
        ...     Activity("2+", customers=80, with_bad=40, left=5),
        ... ]
        >>> charts.shares(rows, min_cell=10)
        (Shares(contacts='1', with_bad=0.2, left=None), Shares(contacts='2+', with_bad=0.5, left=None))
    """
    for row in rows_of("rows", rows):
        instance("rows", row, Activity, "a list of rows, such as Trial.activity")
    arguments(min_cell=min_cell)
    hidden = {part: _hidden(rows, part, min_cell) for part in ("with_bad", "left")}

    def share(row: Activity, part: str) -> float | None:
        shown = _possible(row, part) and row.contacts not in hidden[part]
        return part_of(getattr(row, part), row.customers, min_cell) if shown else None

    return tuple(Shares(r.contacts, share(r, "with_bad"), share(r, "left")) for r in rows)


def _possible(row: Activity, part: str) -> bool:
    """Whether there is a number at all: without a contact nobody has a bad one."""
    return row.contacts != "0" or part == "left"


def _hidden(rows: Sequence[Activity], part: str, min_cell: int) -> set[str]:
    """The bands whose share is not shown, by size of the smaller of a count and its complement."""
    counts = {r.contacts: (getattr(r, part), r.customers) for r in rows if _possible(r, part)}
    smaller = sorted((min(n, total - n), band) for band, (n, total) in counts.items())
    few = {band for n, band in smaller if n < min_cell}
    return few if len(few) != 1 else {band for _, band in smaller[:2]}
