"""Several incidences side by side: by level of a history, by cause, with what could not be estimated and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cxresearch.disclosure.counts import min_cell_of
from cxresearch.errors import ArgumentError, NotTestable
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.estimators.incidence import incidence
from cxresearch.estimators.predicted import Path, check_path, predicted_incidence
from cxresearch.estimators.results import Incidence, some_times
from cxresearch.explore import records_of
from cxresearch.histories import bad_count
from cxresearch.histories.base import DayClock
from cxresearch.records.records import Records
from cxresearch.risk.episodes import episodes
from cxresearch.risk.table import RiskTable, risk_table
from cxresearch.risk.transitions import since, until
from cxresearch.study import Study
from cxresearch.utils.checks import arguments, instance, lookup, optional
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.names_in_words import name_in_words
from cxresearch.utils.result import Drawable, Result

__all__ = [
    "Curves",
    "incidence_after_bad",
    "incidence_by_cause",
    "incidence_by_level",
    "predicted_retention",
]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Curves(Result, Drawable, Mapping[str, Incidence]):
    """Incidences by name, in order.

    Attributes:
        of: what the names are, such as ``bad`` or ``cause``.
        names: shape (K,).
        incidences: shape (K,).
        lacks: what could not be estimated, and why; may be empty.
        min_cell: the smallest number at risk that may be shown.
    """

    of: str
    names: tuple[str, ...]
    incidences: tuple[Incidence, ...]
    lacks: tuple[str, ...]
    min_cell: int

    def __getitem__(self, name: str) -> Incidence:
        return lookup(
            dict(zip(self.names, self.incidences, strict=True)), name, f"curve by {self.of}"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def to_polars(self) -> pl.DataFrame:
        """One row per name and time: name, times, incidence, limits, at risk."""
        parts = [
            pl.DataFrame(
                {
                    "name": n,
                    "time": c.times,
                    "incidence": c.incidence,
                    "low": c.low,
                    "high": c.high,
                    "at_risk": c.at_risk,
                }
            )
            for n, c in self.items()
        ]
        return pl.concat(parts) if parts else pl.DataFrame()

    def __repr__(self) -> str:
        return f"Curves({self.of}: {', '.join(self.names) or 'none'})"

    def _repr_html_(self) -> str:
        if not self.names:
            return html_table(
                "No curve can be drawn", ("what is lacking",), ((why,) for why in self.lacks)
            )
        first = self.incidences[0]
        shown = {n: coarse(c, self.min_cell) for n, c in self.items()}
        few = [n for n, c in shown.items() if not len(c.times)]
        reach = [times for c in shown.values() if (times := some_times(c))]
        end = min((times[-1] for times in reach), default=0)
        times = sorted({t for times in reach for t in times[:-1] if t < end} | {end})
        rows = ((n, *(_at(c, t) if len(c.times) else "–" for t in times)) for n, c in shown.items())
        unit = "contacts" if first.clock == "contact" else "days"
        clock = (
            "the relation" if first.clock in ("tenure", "contact") else f"the clock: {first.clock}"
        )
        return html_table(
            f"Left by then, by {name_in_words(self.of)}, with {first.level:.0%} limits; {unit} of {clock}",
            (name_in_words(self.of), *(f"{t:,}" for t in times)),
            rows,
            [
                f"A number changes when at least {self.min_cell} more customers have left; "
                "where fewer have left at all, it says too few.",
                *(f"Not shown, as fewer than {self.min_cell} left: {n}." for n in few),
                *(f"Not estimated: {why}." for why in self.lacks),
            ],
        )


def incidence_by_level(
    table: RiskTable,
    history: str,
    *,
    cause: str = "defection",
    min_cell: int | None = None,
    level: float = 0.95,
) -> Curves:
    """The incidence of a cause while customers are at each level of a history.

    A customer is at risk in a level from the day after reaching it, and leaves the curve on reaching another. All
    curves share the clock, so at each time customers of equal tenure are compared.

    Args:
        table: a risk table with that history.
        history: its name.
        cause: whose incidence.
        min_cell: where that many are at risk, a curve begins; that of the table when not given.
        level: confidence level.

    Raises:
        EstimationError: no such history or cause.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> curves = cx.incidence_by_level(table, "bad")
        >>> curves
        Curves(bad: 0, 1+)
        >>> round(curves["0"].at(365).value, 2), round(curves["1+"].at(365).value, 2)
        (0.36, 0.55)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(history=history, cause=cause, level=level)
    optional(min_cell=min_cell)
    least = min_cell_of(min_cell, table)
    levels = [name for name in table.feature(history).levels if name != "unknown"]

    def made(name: str) -> Incidence:
        return _incidence(table.where(**{history: [name]}), cause, least, level)

    return _curves(history, levels, made, least)


def incidence_by_cause(
    table: RiskTable, *, min_cell: int | None = None, level: float = 0.95
) -> Curves:
    """The incidence of every cause of leaving, each with the others competing; they add up to all who left.

    Args:
        table: a risk table; its features are summed over.
        min_cell: where that many are at risk, the curves begin; that of the table when not given.
        level: confidence level.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> curves = cx.curves.incidence_by_cause(cx.risk_table(study))
        >>> {name: round(curve.at(365).value, 2) for name, curve in curves.items()}
        {'defection': 0.44, 'other exit': 0.07}
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(level=level)
    optional(min_cell=min_cell)
    least = min_cell_of(min_cell, table)
    causes = [c for c in table.causes[1:] if table.events(c)]
    return _curves("cause", causes, lambda c: _incidence(table, c, least, level), least)


def incidence_after_bad(
    study: Study | Records, *, nth: int = 1, until_nth: int | None = 3
) -> Curves:
    """What comes after a customer's n-th bad moment: leaving for any cause or, first, a later bad moment.

    Time counts from the day of that moment; customers are at risk from the day after. Only customers whose beginnings
    the log shows take part.

    Args:
        study: a study, or its records.
        nth: the bad moment at time 0.
        until_nth: a later bad moment that ends the follow-up as a separate cause; None to follow on.

    Raises:
        SourceError, DataError: as `cxresearch.audit`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> cx.incidence_after_bad(study)
        Curves(cause: defection, other exit, third bad moment)
    """
    arguments(nth=nth)
    optional(until_nth=until_nth)
    records = records_of(study)
    stop = max(until_nth or 0, nth + 1)
    eps = episodes(records, {"bad": bad_count(stop)}, clock=DayClock(), observed_from_start=True)
    eps = since(eps, "bad", str(nth), exclude_from=f"{stop}+")
    if until_nth is not None:
        eps = until(eps, "bad", f"{stop}+", f"{_ordinal(stop)} bad moment")
    return incidence_by_cause(
        risk_table(eps), min_cell=records.study.info.min_cell, level=records.study.decision.level
    )


def predicted_retention(
    table: RiskTable,
    terms: Sequence[str],
    histories: Mapping[str, Path],
    *,
    held: Sequence[str] = (),
    strata: Sequence[str] = (),
    stratum: Mapping[str, str] | None = None,
    cause: str = "defection",
    min_cell: int | None = None,
    level: float = 0.95,
) -> Curves:
    """How many customers a model predicts to be left, for several histories side by side.

    Each curve is the incidence of leaving, as of `cxresearch.estimators.predicted_incidence`: all else is as the model
    holds it equal, so that curves differ by their histories alone. `cxresearch.charts.retention` draws what is left.

    Args:
        table: a risk table on a clock of days.
        terms: of the Cox model.
        histories: name to levels, ``{"bad": "1+"}``, or to pairs of a day and what holds from the next day on.
        held: as `cxresearch.cox`.
        strata: features with a baseline hazard each.
        stratum: the level of each of them.
        cause: the event.
        min_cell: curves end where fewer are at risk; that of the table when not given.
        level: confidence level.

    Raises:
        ArgumentError, UnknownInTableError, EstimationError, NotTestable: as
            `cxresearch.estimators.predicted_incidence`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> late = [(0, {"bad": "0"}), (180, {"bad": "1+"})]
        >>> curves = cx.predicted_retention(table, ["bad"], {"no bad moment": {"bad": "0"}, "on day 180": late})
        >>> {name: round(1 - curve.at(365).value, 2) for name, curve in curves.items()}
        {'no bad moment': 0.64, 'on day 180': 0.53}
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(terms=terms, held=held, strata=strata, cause=cause, level=level)
    optional(stratum=stratum, min_cell=min_cell)
    least = min_cell_of(min_cell, table)
    if not isinstance(histories, Mapping):
        raise ArgumentError("histories", histories, "a mapping of names to histories")
    for path in histories.values():
        check_path("histories", path)
    made = {
        name: predicted_incidence(
            table,
            terms,
            path,
            held=held,
            strata=strata,
            stratum=stratum,
            cause=cause,
            min_at_risk=least,
            level=level,
        )
        for name, path in histories.items()
    }
    return Curves("history", tuple(made), tuple(made.values()), (), least)


def _curves(
    of: str, names: Iterable[str], made: Callable[[str], Incidence], min_cell: int
) -> Curves:
    result: dict[str, Incidence] = {}
    lacks: list[str] = []
    for name in names:
        try:
            result[name] = made(name)
        except NotTestable as e:
            lacks.append(f"{of} {name} lacks {e.lacks}")
    return Curves(of, tuple(result), tuple(result.values()), tuple(lacks), min_cell)


def _incidence(table: RiskTable, cause: str, min_cell: int, level: float) -> Incidence:
    return incidence(table, cause, min_at_risk=min_cell, level=level)


def _at(curve: Incidence, time: int) -> str:
    if time > curve.support or time < curve.start:
        return "–"
    result = curve.at(time)
    if result.value > 0:
        return f"{result.value:.0%} ({result.low:.0%}–{result.high:.0%})"
    # some may have left, fewer than may be shown; "0%" only where nobody ever has
    return "0%" if not curve.incidence.any() else "too few"


def _ordinal(n: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(n, f"{n}th")
