"""The incidence that a Cox model predicts for a history: as if a customer had lived through it day by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import ArgumentError, EstimationError, UnknownInTableError
from cxresearch.estimators.cox import cox
from cxresearch.estimators.design import covariates, layout
from cxresearch.estimators.influence import add_up, places, robust_error
from cxresearch.estimators.intervals import quantile
from cxresearch.estimators.results import CoxFit, Incidence
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, fraction, instance, names, optional, whole_number

Levels = Mapping[str, str]
Path = Levels | Sequence[tuple[int, Levels]]
_POINTS = 120  # times at which a curve has limits


def predicted_incidence(
    table: RiskTable,
    terms: Sequence[str],
    path: Path,
    *,
    held: Sequence[str] = (),
    strata: Sequence[str] = (),
    stratum: Levels | None = None,
    cause: str = "defection",
    min_at_risk: int = 1,
    level: float = 0.95,
) -> Incidence:
    """The incidence that a Cox model predicts for a customer who lives through a history.

    It is one minus exp(-H), with H the hazard summed over the days, by Breslow's estimate, in the state of each day.
    Other causes do not compete: it is what would be if nobody left for another cause. Errors are robust, by the
    influence of each cluster on the coefficients and on the baseline.

    Args:
        table: a risk table on a clock of days.
        terms: of the model, as `cxresearch.cox`.
        path: levels of features, such as ``{"bad": "1+"}``, from the beginning on; or what holds from when on, as pairs
            of a day and levels: ``[(0, {"bad": "0"}), (90, {"bad": "1+"})]`` for a bad moment on day 90, which counts
            from the next day on. A feature of the terms that is not named is at its reference level.
        held: as `cxresearch.cox`.
        strata: features with a baseline hazard each.
        stratum: the level of each of them.
        cause: the event.
        min_at_risk: the curve ends where fewer are at risk.
        level: confidence level of the limits.

    Raises:
        ArgumentError: a path whose days do not rise, a stratum that is not given, a table on the clock of contacts.
        UnknownInTableError: no such feature or level, or a level that nobody is at risk in.
        EstimationError, NotTestable: as `cxresearch.cox`.

    References:
        Breslow (1972), JRSS B 34, 216-217; Andersen & Gill (1982), Annals of Statistics 10, 1100-1120; Reid & Crépeau
        (1985), Biometrika 72, 1-9.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> curve = cx.estimators.predicted_incidence(table, ["bad"], [(0, {"bad": "0"}), (90, {"bad": "1+"})])
        >>> round(curve.at(365).value, 2)
        0.52
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(held=held, cause=cause)
    optional(stratum=stratum)
    check_path("path", path)
    level, min_at_risk = fraction("level", level), whole_number("min_at_risk", min_at_risk, 1)
    terms, strata = names("terms", terms), names("strata", strata)
    if table.clock == "contact":
        raise ArgumentError("table", table.clock, "a risk table on a clock of days")
    fit = cox(table, terms, held=held, strata=strata, cause=cause, level=level)
    stretches = _stretches(table, fit, terms, path)
    part = _part(table, fit, terms, strata, stratum or {}, cause)
    return _curve(table, fit, part, stretches, cause, min_at_risk, level)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Part:
    """The flows of a stratum: shape (F,) each but for `x`.

    Attributes:
        place: position of the cluster.
        time: of the flow.
        entered: customers.
        left: customers.
        events: customers.
        x: shape (F, p): covariates.
        r: relative hazard.
    """

    place: NDArray[np.int64]
    time: NDArray[np.int64]
    entered: Array
    left: Array
    events: Array
    x: Array
    r: Array


def _part(
    table: RiskTable,
    fit: CoxFit,
    terms: Sequence[str],
    strata: Sequence[str],
    stratum: Levels,
    cause: str,
) -> _Part:
    laid = layout(table, terms, strata)
    seen = np.ones(laid.patterns.height, np.bool_)
    columns, x = covariates(table, terms, laid.patterns, seen)
    x = x[:, [columns.index(t) for t in fit.terms]]
    chosen = np.ones(laid.flows.height, np.bool_)
    for name in strata:
        if name not in stratum:
            raise ArgumentError(
                "stratum", dict(stratum), f"a level of each stratum: {name} is missing"
            )
        position = _position(table, name, stratum[name])
        chosen &= laid.flows[name].to_numpy() == position
    flows = laid.flows.filter(pl.Series(chosen))
    if not flows[cause].sum():
        raise EstimationError(f"nobody leaves in the stratum {dict(stratum)}")
    mine = x[laid.pattern[chosen]]
    count = {c: flows[c].to_numpy().astype(np.float64) for c in ("entered", "left", cause)}
    return _Part(
        place=places(table.population, flows["group"]),
        time=flows["time"].to_numpy().astype(np.int64),
        entered=count["entered"],
        left=count["left"],
        events=count[cause],
        x=mine,
        r=np.exp(mine @ fit.coef),
    )


def _curve(
    table: RiskTable,
    fit: CoxFit,
    part: _Part,
    stretches: Sequence[tuple[int, Array]],
    cause: str,
    min_at_risk: int,
    level: float,
) -> Incidence:
    times, row = np.unique(part.time, return_inverse=True)
    width = len(times)

    def by_time(values: Array) -> Array:
        return np.asarray(np.bincount(row, values, minlength=width), dtype=np.float64)

    def at_risk(weights: Array) -> Array:
        """At each time: who had entered before it and not left before it."""
        return np.concatenate(
            [[0.0], np.cumsum(by_time(weights * (part.entered - part.left)))[:-1]]
        )

    deaths, n = by_time(part.events), at_risk(np.ones(len(row)))
    s0 = at_risk(part.r)
    mean = np.column_stack([at_risk(part.r * part.x[:, j]) for j in range(part.x.shape[1])])
    happens = (deaths > 0) & (n >= min_at_risk)
    safe = np.where(s0 > 0, s0, 1.0)
    path = np.empty((width, part.x.shape[1]))
    for first, x in stretches:
        path[times > first] = x
    hazard = np.exp(path @ fit.coef)
    weight = np.where(happens, hazard / safe, 0.0)  # what an event adds to the cumulative hazard
    total = np.cumsum(deaths * weight)
    # what a customer at risk takes off it, per relative hazard
    fall = np.cumsum(deaths * weight / safe)
    drift = np.cumsum((deaths * weight)[:, None] * (path - mean / safe[:, None]), axis=0)
    shown = np.flatnonzero(happens)
    if not len(shown):
        raise EstimationError(f"nobody leaves while at least {min_at_risk} are at risk")
    picked = np.unique(np.linspace(0, len(shown) - 1, min(_POINTS, len(shown))).round().astype(int))
    at = shown[picked]
    size = len(fit.influence)

    def contributions(flows: slice) -> Array:
        """What flows add to the influence on the baseline, at each of the times shown."""
        upto = np.minimum(row[flows][:, None], at[None])
        is_there = row[flows][:, None] <= at[None]
        events = part.events[flows][:, None] * weight[row[flows]][:, None] * is_there
        net = (part.left - part.entered)[flows] * part.r[flows]
        return np.asarray(events - net[:, None] * fall[upto])

    order = np.argsort(part.place, kind="stable")
    row, part = row[order], _ordered(part, order)
    influence = add_up(part.place, size, len(at), contributions)
    influence += fit.influence @ drift[at].T
    h = total[at]
    se = robust_error(influence)
    half = quantile(level, fit.df) * se / np.maximum(h, 1e-12)
    low, high = (-np.expm1(-h * np.exp(side * half)) for side in (-1, 1))
    return Incidence(
        cause=cause,
        clock=table.clock,
        times=times[at].astype(np.float64),
        incidence=-np.expm1(-h),
        low=low,
        high=high,
        at_risk=n[at],
        se_model=np.exp(-h) * se,
        start=0,
        support=int(times[n >= min_at_risk].max()),
        level=level,
        df=fit.df,
        errors=fit.clusters.by if fit.clusters else "model",
    )


def _ordered(part: _Part, order: NDArray[np.intp]) -> _Part:
    return _Part(
        place=part.place[order],
        time=part.time[order],
        entered=part.entered[order],
        left=part.left[order],
        events=part.events[order],
        x=part.x[order],
        r=part.r[order],
    )


def check_path(argument: str, given: Any) -> None:
    """Check that something is a history to be predicted for: levels, or (day, levels) pairs.

    Raises:
        ArgumentError: it is something else.
    """

    def is_levels(x: Any) -> bool:
        return isinstance(x, Mapping) and all(
            isinstance(t, str) for pair in x.items() for t in pair
        )

    def is_stretch(x: Any) -> bool:
        return isinstance(x, tuple | list) and len(x) == 2 and is_levels(x[1])

    rows = isinstance(given, Sequence) and not isinstance(given, str)
    if not is_levels(given) and not (rows and all(map(is_stretch, given))):
        raise ArgumentError(argument, given, "levels by name, or pairs of a day and such levels")


def _stretches(
    table: RiskTable, fit: CoxFit, terms: Sequence[str], path: Path
) -> list[tuple[int, Array]]:
    """What holds from when on, as covariates; the first stretch begins at the beginning."""
    given = [(0, path)] if isinstance(path, Mapping) else list(path)
    days = [day for day, _ in given]
    if not given or days[0] != 0 or any(b <= a for a, b in pairwise(days)):
        raise ArgumentError("path", days, "days that rise and begin at 0")
    used = set(layout(table, terms, ()).patterns.columns)
    result, levels = [], dict[str, str]()
    for day, changed in given:
        for name, level in changed.items():
            if name not in used:
                raise UnknownInTableError(name, sorted(used), what="feature of the terms")
            _position(table, name, level)
            levels[name] = level
        x = np.array([_value(table, column, levels, fit) for column in fit.terms])
        # from the beginning of the clock on, whatever time it begins with
        result.append((day if day else -1, x))
    return result


def _value(table: RiskTable, column: str, levels: Levels, fit: CoxFit) -> float:
    """A column of the model in a state; features that are not named are at their reference."""
    value = 1.0
    for part in column.split(":"):
        name, _, rest = part.partition("[")
        if part.startswith("linear("):
            name = part.removeprefix("linear(").removesuffix(")")
            text = levels.get(name, table.feature(name).levels[0])
            value *= float(text.removesuffix("+"))
        else:
            wanted = rest.removesuffix("]")
            if name in levels and f"{name}[{levels[name]}]" not in (
                *(p for t in fit.terms for p in t.split(":")),
                *fit.references,
            ):
                raise UnknownInTableError(
                    levels[name], _seen(fit, name), what="level with somebody at risk", where=name
                )
            value *= float(levels.get(name) == wanted)
    return value


def _seen(fit: CoxFit, name: str) -> list[str]:
    parts = (*(p for t in fit.terms for p in t.split(":")), *fit.references)
    return [p.partition("[")[2].removesuffix("]") for p in parts if p.startswith(f"{name}[")]


def _position(table: RiskTable, name: str, level: str) -> int:
    feature = table.feature(name)
    if level not in feature.levels:
        raise UnknownInTableError(level, feature.levels, what="level", where=name)
    return feature.levels.index(level)
