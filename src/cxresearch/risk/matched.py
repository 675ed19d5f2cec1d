"""Who could be compared with whom: the additive table behind an excess.

Exposed customers reach a level (their first bad moment) on a tenure day. Comparators of that day are at risk, of the
same stratum, have not reached the level, and had a recent contact; they are followed whatever happens to them later.
A customer is a comparator on many days, so the table stores spans of days instead of pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl

from cxresearch.disclosure.counts import MIN_CELL, about, count_text, hide
from cxresearch.engines import Frame
from cxresearch.engines.packing import downcast, sums
from cxresearch.errors import EstimationError, nearest
from cxresearch.risk.episodes import Episodes
from cxresearch.risk.exclusions import Exclusion, summed
from cxresearch.risk.transitions import first_reach
from cxresearch.utils.checks import names
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY, Result

Levels = tuple[str, ...]
_COLUMNS = frozenset(["stratum", "pattern", "day"])  # besides those that no history may be called


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class MatchedTable(Result):
    """Counts by group, stratum and pattern; tables of disjoint clusters add up.

    A stratum is one level of each covariate that comparators share with the exposed; a pattern is one level of each
    term that the estimate standardises by. Both are those after the day of the comparison.

    Attributes:
        exposed: group, stratum, pattern, day (tenure at time 0), time (days until the end of follow-up), event,
            customers.
        spans: group, stratum, pattern, first, last (comparable on the days first <= u < last), end (tenure), event,
            customers.
        covariates: names of the covariates that are held equal.
        strata: levels of the covariates, in their order; a stratum is a position here.
        terms: names of the terms.
        patterns: levels of the terms, in their order; a pattern is a position here.
        causes: names of the events; position 0 is "censored".
        population: rows group, customers, clusters of the exposed.
        exclusions: customers left out, with the reason.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    exposed: pl.DataFrame
    spans: pl.DataFrame
    covariates: tuple[str, ...]
    strata: tuple[Levels, ...]
    terms: tuple[str, ...] = ()
    patterns: tuple[Levels, ...] = ((),)
    causes: tuple[str, ...]
    population: pl.DataFrame
    exclusions: tuple[Exclusion, ...] = ()
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def relabel(self, covariate: str, names: Mapping[str, str]) -> MatchedTable:
        """Give levels of a covariate other names; strata with equal names become one.

        Args:
            covariate: one that is held equal, such as the cohort.
            names: level to its new name, such as each of several thin cohorts to one name for all of them; levels that
                are not named stay.

        Raises:
            EstimationError: no such covariate.
        """
        if covariate not in self.covariates:
            raise EstimationError(
                f"comparators do not share a covariate {covariate!r}{nearest(covariate, self.covariates)}; "
                f"they share: {', '.join(self.covariates) or 'none'}"
            )
        at = self.covariates.index(covariate)
        renamed = replace(
            self,
            strata=tuple((*s[:at], names.get(s[at], s[at]), *s[at + 1 :]) for s in self.strata),
        )
        strata = tuple(sorted(set(renamed.strata)))
        return replace(
            renamed,
            exposed=_sum(_recode(self.exposed, "stratum", renamed.strata, strata)),
            spans=_sum(_recode(self.spans, "stratum", renamed.strata, strata)),
            strata=strata,
        )

    def to_polars(self) -> pl.DataFrame:
        """The rows of `exposed`, with a column of level names for each covariate and term, and the events' names."""
        named = []
        for position, columns, of in (
            ("stratum", self.covariates, self.strata),
            ("pattern", self.terms, self.patterns),
        ):
            at = self.exposed[position].to_list()
            named += [
                pl.Series(name, [of[i][k] for i in at], pl.String) for k, name in enumerate(columns)
            ]
        event = pl.col("event").replace_strict(dict(enumerate(self.causes)), return_dtype=pl.String)
        return self.exposed.with_columns(*named, event).select(
            "group", *self.covariates, *self.terms, "day", "time", "event", "customers"
        )

    def __repr__(self) -> str:
        exposed = count_text(int(self.exposed["customers"].sum()), self.min_cell)
        return (
            f"MatchedTable({exposed} exposed customers, {self.spans.height:,} spans of comparators)"
        )

    def _repr_html_(self) -> str:
        by = dict(self.exposed.group_by("event").agg(n=pl.col("customers").sum()).iter_rows())
        counts = [int(by.get(i, 0)) for i in range(len(self.causes))]
        shown = hide(counts, self.min_cell)
        rows = [(c, count_text(n, self.min_cell)) for c, n in zip(self.causes, shown, strict=True)]
        notes = [
            f"{count_text(a.customers, self.min_cell).capitalize()} left out: {a.reason}."
            for a in self.exclusions
        ]
        return html_table(
            f"{about(sum(counts), self.min_cell).capitalize()} exposed customers, by how it ended",
            ("end", "customers"),
            rows,
            notes,
        )

    def __add__(self, other: MatchedTable) -> MatchedTable:
        """The table of both; right only when no cluster is in both."""
        return total([self, other])


def total(tables: Sequence[MatchedTable]) -> MatchedTable:
    """The sum of tables of disjoint clusters.

    Raises:
        EstimationError: they have different causes, covariates or terms.
    """
    first = tables[0]
    if len({(t.causes, t.covariates, t.terms) for t in tables}) > 1:
        raise EstimationError("only tables with the same causes, covariates and terms add up")
    if len(tables) == 1:
        return first
    population = pl.concat([t.population for t in tables], how="vertical_relaxed")
    population = sums(population, ["group"], ["customers", "clusters"])
    strata = tuple(sorted({s for t in tables for s in t.strata}))
    patterns = tuple(sorted({p for t in tables for p in t.patterns}))

    def summed_up(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        alike = [
            _recode(_recode(f, "stratum", t.strata, strata), "pattern", t.patterns, patterns)
            for f, t in zip(frames, tables, strict=True)
        ]
        return _sum(pl.concat(alike, how="vertical_relaxed"))

    return replace(
        first,
        exposed=summed_up([t.exposed for t in tables]),
        spans=summed_up([t.spans for t in tables]),
        strata=strata,
        patterns=patterns,
        population=population,
        exclusions=summed([a for t in tables for a in t.exclusions]),
    )


def matched_table(
    eps: Episodes,
    history: str,
    level: str,
    active_within: str,
    *,
    exclude_from: str | None = None,
    matched_on: Sequence[str] = (),
    standardise_by: Sequence[str] = (),
    others: pl.DataFrame | None = None,
) -> MatchedTable:
    """Count exposed customers and their comparators.

    Args:
        eps: episodes on the tenure clock, of customers seen from their start; comparators share its fixed covariates
            with the exposed.
        history: a cumulative history, such as the number of bad moments.
        level: reaching it is the exposure.
        active_within: a history of contacts in a window; comparators have at least one.
        exclude_from: exposed customers who stood at this level or above at once are left out.
        matched_on: histories in which comparators are at the same level as the exposed after that day, such as the age
            of the last contact.
        standardise_by: histories whose levels after that day are kept, so that an estimate can standardise by them,
            such as the number of contacts so far.
        others: `comparable` customers of these arguments, if they are counted already.

    Raises:
        ArgumentError: `matched_on` or `standardise_by` is no list of names.
        EstimationError: no such history or level, or one named twice, or after a column of every matched table.
    """
    matched_on = names("matched_on", matched_on)
    standardise_by = names("standardise_by", standardise_by)
    _check_states(eps, matched_on, standardise_by)
    engine = eps.engine
    frame = engine.keep(eps.frame)
    eps = replace(eps, frame=frame)
    origins, exclusions = first_reach(eps, history, level, exclude_from=exclude_from)
    states = frame.select("customer", "start", "stop", *_states(matched_on, standardise_by))
    exposed = origins.select("customer", "origin").join(_ends(eps), on="customer")
    exposed = exposed.join(states, on="customer").filter(
        (nw.col("start") <= nw.col("origin")) & (nw.col("origin") < nw.col("stop"))
    )
    exposed = engine.keep(exposed)
    at = exposed.with_columns(
        cx_day=nw.col("origin"), cx_time=nw.col("end") - nw.col("origin"), cx_event=nw.col("event")
    )
    rows = [_counted(eps, at, ("day", "time", "event"), matched_on, standardise_by)]
    if others is None:
        others = comparable(
            eps, history, level, active_within, matched_on=matched_on, standardise_by=standardise_by
        )
    rows.append(others)
    who = exposed.group_by("group").agg(
        customers=nw.col("customer").n_unique(), clusters=nw.col("cluster").n_unique()
    )
    population = downcast(engine.collect(who), ["customers", "clusters"]).sort("group")
    shared = (*eps.fixed, *matched_on)
    rows, strata = _named(rows, "stratum", [eps.levels(n) for n in shared])
    rows, patterns = _named(rows, "pattern", [eps.levels(n) for n in standardise_by])
    return MatchedTable(
        exposed=_sum(rows[0]),
        spans=_sum(rows[1]),
        covariates=shared,
        strata=strata,
        terms=standardise_by,
        patterns=patterns,
        causes=eps.causes,
        population=population,
        exclusions=(*eps.exclusions, *exclusions),
        min_cell=eps.min_cell,
    )


def comparable(
    eps: Episodes,
    history: str,
    level: str,
    active_within: str,
    *,
    matched_on: Sequence[str] = (),
    standardise_by: Sequence[str] = (),
) -> pl.DataFrame:
    """Count the comparators of `matched_table`, whoever they are compared with; args and errors are the same.

    Returns:
        Rows group, code of the stratum, code of the pattern, first, last, end, event, customers. A code numbers the
        combinations of levels that could be.
    """
    matched_on = names("matched_on", matched_on)
    standardise_by = names("standardise_by", standardise_by)
    _check_states(eps, matched_on, standardise_by)
    reached, unknown = eps.position(history, level), len(eps.levels(active_within)) - 1
    there = (
        (nw.col(history) < reached)
        & (nw.col(active_within) > 0)
        & (nw.col(active_within) < unknown)
    )
    spans = eps.frame.filter(there & (nw.col("start") < nw.col("stop")))
    spans = spans.select(
        "customer",
        *_states(matched_on, standardise_by),
        cx_first=nw.col("start"),
        cx_last=nw.col("stop"),
    )
    ended = _ends(eps).select(
        "customer", "group", *eps.fixed, cx_end=nw.col("end"), cx_event=nw.col("event")
    )
    return _counted(
        eps,
        spans.join(ended, on="customer"),
        ("first", "last", "end", "event"),
        matched_on,
        standardise_by,
    )


def _check_states(eps: Episodes, matched_on: Levels, standardise_by: Levels) -> None:
    """Each history can be asked for once: one that is held equal has nothing left to standardise by."""
    wanted = (*eps.fixed, *matched_on, *standardise_by)
    for name in wanted:
        eps.levels(name)
        if name in _COLUMNS:
            raise EstimationError(
                f"{name!r} is a column of every matched table: call the history something else"
            )
        if wanted.count(name) > 1:
            raise EstimationError(
                f"{name!r} is named twice among what comparators share and what is standardised by"
            )


def _states(matched_on: Levels, standardise_by: Levels) -> list[nw.Expr]:
    """The levels of the histories under names that no column of a frame has."""
    return [nw.col(n).alias(f"cx_at_{n}") for n in (*matched_on, *standardise_by)]


def _ends(eps: Episodes) -> Frame:
    """When and how each customer's time ends."""
    columns = ("customer", "group", "cluster", "event", *eps.fixed)
    return eps.engine.keep(
        eps.frame.filter(nw.col("event") >= 0).select(*columns, end=nw.col("stop"))
    )


def _counted(
    eps: Episodes,
    rows: Frame,
    columns: tuple[str, ...],
    matched_on: Levels,
    standardise_by: Levels,
) -> pl.DataFrame:
    """Customers by group, codes of the stratum and of the pattern, and some columns."""
    strata = {**{n: n for n in eps.fixed}, **{n: f"cx_at_{n}" for n in matched_on}}
    patterns = {n: f"cx_at_{n}" for n in standardise_by}
    keys = ("group", *strata.values(), *patterns.values(), *(f"cx_{c}" for c in columns))
    result = eps.engine.tally(rows.select(nw.col(*keys).cast(nw.Int32)), keys)
    return result.select(
        "group",
        *(
            _code(by.values(), [len(eps.levels(n)) for n in by]).alias(name)
            for name, by in (("stratum", strata), ("pattern", patterns))
        ),
        *(pl.col(f"cx_{c}").alias(c) for c in columns),
        customers=pl.col("rows"),
    )


def _code(columns: Iterable[str], sizes: Sequence[int]) -> pl.Expr:
    """One whole number for a combination of level positions."""
    code = pl.lit(0, dtype=pl.Int64)
    for column, size in zip(columns, sizes, strict=True):
        code = code * size + pl.col(column).cast(pl.Int64)
    return code


def _named(
    frames: Sequence[pl.DataFrame], column: str, levels: Sequence[Levels]
) -> tuple[list[pl.DataFrame], tuple[Levels, ...]]:
    """Positions among the combinations of levels that occur, in the order of their names, instead of codes."""
    codes = np.unique(np.concatenate([f[column].to_numpy() for f in frames]))
    sizes = [len(of) for of in levels]
    places = np.unravel_index(codes, sizes) if sizes else ()
    parts = [[of[i] for i in at] for of, at in zip(levels, places, strict=True)]
    combined = [tuple(one) for one in zip(*parts, strict=True)] if parts else [()] * len(codes)
    order = tuple(sorted(set(combined)))
    at = {name: i for i, name in enumerate(order)}
    place = {int(code): at[name] for code, name in zip(codes, combined, strict=True)}
    code = pl.col(column)
    position = code.replace_strict(place, return_dtype=pl.Int32) if place else code.cast(pl.Int32)
    return [f.with_columns(position) for f in frames], order


def _recode(
    rows: pl.DataFrame, column: str, old: Sequence[Levels], new: Sequence[Levels]
) -> pl.DataFrame:
    """Rows with positions among other strata or patterns."""
    if tuple(old) == tuple(new):
        return rows
    at = {name: i for i, name in enumerate(new)}
    places = {i: at[name] for i, name in enumerate(old)}
    return rows.with_columns(pl.col(column).replace_strict(places, return_dtype=pl.Int32))


def _sum(rows: pl.DataFrame) -> pl.DataFrame:
    return sums(rows, [c for c in rows.columns if c != "customers"], ["customers"])
