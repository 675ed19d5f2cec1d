"""Hazard ratios with their intervals, of one fit or of several side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from cxresearch.charts.base import SERIES, TICKS, Chart, finish, values
from cxresearch.disclosure.counts import min_cell_of
from cxresearch.errors import EstimationError, NothingToDrawError, UnknownInTableError
from cxresearch.estimators.results import CoxFit
from cxresearch.utils.checks import mapping_of, optional
from cxresearch.utils.names_in_words import name_in_words, term_in_words

_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")
_STEP, _ROOM = 24, 128  # height of a row; pixels for the numbers


def hazard_ratios(
    fits: CoxFit | Mapping[str, CoxFit],
    features: Sequence[str] | None = None,
    *,
    min_cell: int | None = None,
) -> Chart:
    """Hazard ratios on a log axis, a row per coefficient; with several fits, a row per coefficient and fit.

    Args:
        fits: from `cxresearch.cox` or `cxresearch.estimators.grouped_hazards`; or name to fit.
        features: show the coefficients of these features only; all when not given.
        min_cell: a ratio that fewer departures may stand behind is not drawn; the caption names it. That of the fits
            when not given.

    Returns:
        The chart; its caption names the reference levels, the confidence level and the strata.

    Raises:
        EstimationError: no fits, more than six, no such feature, or no ratio that can be drawn.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch import charts
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> chart = charts.hazard_ratios(cx.cox(table, ["bad"]))
        >>> print(chart.to_dict()["description"])
        Hazard ratios with intervals. bad moments: 1+, against 0: 1.86, interval 1.55 to 2.22.
    """
    if not isinstance(fits, CoxFit):
        mapping_of("fits", fits, CoxFit, "a fit, as cox gives it, or several by name")
    optional(features=features, min_cell=min_cell)
    fits_by_name = {"": fits} if isinstance(fits, CoxFit) else dict(fits)
    least = min_cell_of(min_cell, *fits_by_name.values())
    if not 0 < len(fits_by_name) <= len(SERIES):
        raise EstimationError(
            f"between 1 and {len(SERIES)} fits can be drawn, were {len(fits_by_name)}"
        )
    rows = _rows(fits_by_name, features, least)
    few = [
        t
        for t in _terms(fits_by_name, features)
        if not any(r["term"] == term_in_words(t) for r in rows)
    ]
    several = len(fits_by_name) > 1
    low = max(min(*(r["low"] for r in rows), 1.0) / 1.15, 0.02)
    high = min(max(*(r["high"] for r in rows), 1.0) * 1.15, 60.0)
    for r in rows:
        r["left"], r["right"] = max(r["low"], low), min(r["high"], high)
    scale = alt.Scale(
        type="log", domain=[low, high], range=[6, alt.ExprRef(f"width - {_ROOM}")], nice=False
    )
    axis = alt.Axis(
        title="rate of leaving (1 = as the reference)",
        values=[t for t in TICKS if low <= t <= high],
        labelExpr="format(datum.value, '~r')",
        labelOverlap=True,
        labelSeparation=6,
        titleAlign="left",
        titleAnchor="start",
    )
    x = alt.X("ratio:Q", scale=scale, axis=axis)
    lines = 1 + max(r["line"] for r in rows)
    y = alt.Y(
        "line:Q", axis=None, scale=alt.Scale(domain=[lines - 0.4, -0.5], nice=False, zero=False)
    )
    styles = SERIES[: len(fits_by_name)]
    legend = (
        alt.Legend(title=None, orient="top", direction="vertical", labelLimit=600)
        if several
        else None
    )
    colour = alt.Color(
        "fit:N",
        scale=alt.Scale(domain=list(fits_by_name), range=[c for c, _ in styles]),
        legend=legend,
    )
    shapes = alt.Scale(domain=list(fits_by_name), range=list(_SHAPES[: len(fits_by_name)]))
    tooltip = [
        alt.Tooltip("term:N", title="level"),
        alt.Tooltip("against:N", title="against"),
        *([alt.Tooltip("fit:N", title="model")] if several else []),
        alt.Tooltip("shown:N", title="hazard ratio"),
    ]
    base = alt.Chart().encode(y=y)
    heads = values([{"line": r["head"], "label": r["label"]} for r in rows if r["label"]])
    one = alt.Chart(values([{"x": 1.0}])).mark_rule(
        color="currentColor", opacity=0.5, strokeDash=[2, 3], aria=False
    )
    layers = [
        one.encode(x=alt.X("x:Q", scale=scale, axis=axis)),
        alt.Chart(heads)
        .mark_text(
            align="left", fontSize=13, fontWeight="bold", limit=alt.ExprRef("width"), aria=False
        )
        .encode(x=alt.value(0), y=y, text="label:N"),
        base.mark_rule(strokeWidth=3, aria=False).encode(
            x=alt.X("left:Q", scale=scale, axis=axis), x2="right:Q", color=colour
        ),
        base.mark_point(filled=True, opacity=1, size=110).encode(
            x=x,
            color=colour,
            shape=alt.Shape("fit:N", scale=shapes, legend=legend),
            tooltip=tooltip,
            description="alt:N",
        ),
        base.mark_text(align="right", baseline="middle", fontSize=13, aria=False).encode(
            x=alt.value(alt.ExprRef("width")), text="shown:N"
        ),
    ]
    return finish(
        alt.layer(*layers, data=values(rows)),
        title="Rate of leaving, compared",
        caption=_caption(fits_by_name, {r["against"] for r in rows}) + _few(few),
        description=f"Hazard ratios with intervals. {'; '.join(r['alt'] for r in rows)}.",
        height=_STEP * lines,
    )


def _terms(fits: Mapping[str, CoxFit], features: Sequence[str] | None) -> list[str]:
    """The coefficients asked for, in order."""
    terms = list(dict.fromkeys(t for fit in fits.values() for t in fit.terms))
    if features is None:
        return terms
    known = list(dict.fromkeys(_feature(t) for t in terms))
    for name in features:
        if name not in known:
            raise UnknownInTableError(name, known, what="feature")
    return [t for t in terms if _feature(t) in features]


def _rows(
    fits: Mapping[str, CoxFit], features: Sequence[str] | None, min_cell: int
) -> list[dict[str, Any]]:
    """A line for the name of each coefficient, then one per fit that has it."""
    terms = _terms(fits, features)
    tables = {
        name: {r["term"]: r for r in fit.to_polars().iter_rows(named=True)}
        for name, fit in fits.items()
    }
    rows: list[dict[str, Any]] = []
    line = 0
    for term in terms:
        result = [(name, tables[name][term]) for name in fits if term in tables[name]]
        drawn = [(name, r) for name, r in result if _drawn(r, min_cell)]
        for i, (name, r) in enumerate(drawn):
            reference = _reference_of(term, fits[name])
            label = f"{term_in_words(term)}{', against ' + _level(reference) if reference else ''}"
            shown = f"{r['hazard_ratio']:.2f} ({r['low']:.2f}–{r['high']:.2f})"
            description = f"{label}{', ' + name if name else ''}: {r['hazard_ratio']:.2f}"
            rows.append(
                {
                    "line": line + 1 + i,
                    "head": line,
                    "label": "" if i else label,
                    "term": term_in_words(term),
                    "against": reference,
                    "fit": name,
                    "ratio": round(r["hazard_ratio"], 4),
                    "low": round(r["low"], 4),
                    "high": round(r["high"], 4),
                    "shown": shown,
                    "alt": f"{description}, interval {r['low']:.2f} to {r['high']:.2f}",
                }
            )
        line += (1 + len(drawn)) if drawn else 0
    if not rows:
        raise NothingToDrawError("no hazard ratio has an interval that can be drawn")
    return rows


def _drawn(row: Mapping[str, Any], min_cell: int) -> bool:
    """Whether a ratio has an interval, and departures enough behind it.

    Where d customers left at each of two levels, the error of their ratio is at least √(2/d).
    """
    bounded = math.isfinite(row["low"]) and row["low"] > 0 and row["high"] < math.inf
    return bounded and (
        row["term"].startswith("linear(") or row["se_model"] ** 2 * min_cell <= 2 + 1e-9
    )


def _few(terms: Sequence[str]) -> str:
    return f" Too few left to show {', '.join(map(term_in_words, terms))}." if terms else ""


def _caption(fits: Mapping[str, CoxFit], references: set[str]) -> str:
    level = next(iter(fits.values())).level
    shown = sorted(a for a in references if a)
    reference = f"Reference: {', '.join(map(term_in_words, shown))}. " if shown else ""
    strata = sorted({name_in_words(s) for f in fits.values() for s in f.strata})
    within = (
        f" Compared within {', '.join(strata)}{' where the model says so' if len(fits) > 1 else ''}."
        if strata
        else ""
    )
    firth = (
        " Where the likelihood has no maximum, Firth's penalty was used."
        if any(f.penalised for f in fits.values())
        else ""
    )
    return f"{reference}Bars are {level:.0%} intervals.{within}{firth}"


def _feature(term: str) -> str:
    return term.removeprefix("linear(").removesuffix(")").partition("[")[0]


def _level(reference: str) -> str:
    return reference.partition("[")[2].removesuffix("]")


def _reference_of(term: str, fit: CoxFit) -> str:
    return next(
        (r for r in fit.references if ":" not in term and r.startswith(f"{_feature(term)}[")), ""
    )
