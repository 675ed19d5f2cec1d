"""Who could be compared with whom: the additive table behind an excess.

Exposed customers reach a level (their first bad moment) on a tenure day. Comparators of that day are at risk, of the
same stratum, have not reached the level, and had a recent contact; they are followed whatever happens to them later.
A customer is a comparator on many days, so the table stores spans of days instead of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.disclosure.counts import count_text, hide
from cxresearch.engines import Frame
from cxresearch.engines.packing import downcast, sums
from cxresearch.errors import EstimationError
from cxresearch.html_tables import html_table
from cxresearch.result import Result
from cxresearch.risk.episodes import Episodes, Exclusion, first_reach, summed


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MatchedTable(Result):
    """Counts by group and stratum; tables of disjoint clusters add up.

    Attributes:
        exposed: group, stratum, day (tenure at time 0), time (days until the end of follow-up), event, customers.
        spans: group, stratum, first, last (comparable on the days first <= u < last), end (tenure), event, customers.
        strata: names of the strata; a stratum is a position among them.
        causes: names of the events; position 0 is "censored".
        population: rows group, customers, clusters of the exposed.
        asides: customers left out, with the reason.
    """

    exposed: pl.DataFrame
    spans: pl.DataFrame
    strata: tuple[str, ...]
    causes: tuple[str, ...]
    population: pl.DataFrame
    asides: tuple[Exclusion, ...]

    def to_polars(self) -> pl.DataFrame:
        """The rows of `exposed`, with the names of strata and events."""
        names = {"stratum": self.strata, "event": self.causes}
        return self.exposed.with_columns(
            pl.col(c).replace_strict(dict(enumerate(n)), return_dtype=pl.String)
            for c, n in names.items()
        )

    def __repr__(self) -> str:
        exposed = int(self.exposed["customers"].sum())
        return f"MatchedTable({exposed:,} exposed customers, {self.spans.height:,} spans of comparators)"

    def _repr_html_(self) -> str:
        by = dict(self.exposed.group_by("event").agg(n=pl.col("customers").sum()).iter_rows())
        counts = [int(by.get(i, 0)) for i in range(len(self.causes))]
        rows = [(c, count_text(n)) for c, n in zip(self.causes, hide(counts), strict=True)]
        notes = [
            f"{count_text(a.customers).capitalize()} left out: {a.reason}." for a in self.asides
        ]
        return html_table(
            f"{sum(counts):,} exposed customers, by how it ended", ("end", "customers"), rows, notes
        )

    def __add__(self, other: MatchedTable) -> MatchedTable:
        """The table of both; right only when no cluster is in both."""
        return total([self, other])


def total(tables: Sequence[MatchedTable]) -> MatchedTable:
    """The sum of tables of disjoint clusters.

    Raises:
        EstimationError: they have different causes.
    """
    first = tables[0]
    if any(t.causes != first.causes for t in tables):
        raise EstimationError("only tables with the same causes add up")
    if len(tables) == 1:
        return first
    population = pl.concat([t.population for t in tables], how="vertical_relaxed")
    population = sums(population, ["group"], ["customers", "clusters"])
    strata = tuple(sorted({s for t in tables for s in t.strata}))

    def summed_up(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        return _sum(
            pl.concat(
                [_recode(f, t, strata) for f, t in zip(frames, tables, strict=True)],
                how="vertical_relaxed",
            )
        )

    return MatchedTable(
        summed_up([t.exposed for t in tables]),
        summed_up([t.spans for t in tables]),
        strata,
        first.causes,
        population,
        summed([a for t in tables for a in t.asides]),
    )


def matched_table(
    eps: Episodes,
    history: str,
    level: str,
    active_within: str,
    *,
    exclude_from: str | None = None,
    matched_on: str | None = None,
    others: pl.DataFrame | None = None,
) -> MatchedTable:
    """Count exposed customers and their comparators.

    Args:
        eps: episodes on the tenure clock, of customers seen from their start; its fixed covariates are the strata.
        history: a cumulative history, such as the number of bad moments.
        level: reaching it is the exposure.
        active_within: a history of contacts in a window; comparators have at least one.
        exclude_from: exposed customers who stood at this level or above at once are left out.
        matched_on: a history in which comparators must be at the same level as the exposed after that day, such as the
            number of contacts so far.
        others: `comparable` customers of these arguments, if they are counted already.

    Raises:
        EstimationError: no such history or level.
    """
    engine = eps.engine
    frame = engine.keep(eps.frame)
    eps = Episodes(frame, eps.histories, eps.fixed, eps.causes, eps.clock, engine, eps.asides)
    ends = _ends(eps)
    origins, asides = first_reach(eps, history, level, exclude_from=exclude_from)
    states = frame.select("customer", "start", "stop", cx_band=_band(matched_on))
    exposed = (
        origins.select("customer", "origin").join(ends, on="customer").join(states, on="customer")
    )
    exposed = exposed.filter(
        (nw.col("start") <= nw.col("origin")) & (nw.col("origin") < nw.col("stop"))
    )
    exposed = engine.keep(exposed)
    at = exposed.with_columns(
        cx_day=nw.col("origin"), cx_time=nw.col("end") - nw.col("origin"), cx_event=nw.col("event")
    )
    exposed_rows = _counted(eps, at, ("day", "time", "event"))
    span_rows = (
        comparable(eps, history, level, active_within, matched_on=matched_on)
        if others is None
        else others
    )
    who = exposed.group_by("group").agg(
        customers=nw.col("customer").n_unique(), clusters=nw.col("cluster").n_unique()
    )
    population = downcast(engine.collect(who), ["customers", "clusters"]).sort("group")
    strata = (
        pl.concat([exposed_rows.select(_NAMES), span_rows.select(_NAMES)]).unique().sort(_NAMES)
    )
    names = tuple(strata[_NAMES].to_list())
    coded = [_coded(rows, names) for rows in (exposed_rows, span_rows)]
    return MatchedTable(coded[0], coded[1], names, eps.causes, population, (*eps.asides, *asides))


def comparable(
    eps: Episodes, history: str, level: str, active_within: str, *, matched_on: str | None = None
) -> pl.DataFrame:
    """Count the comparators of `matched_table`, args and errors likewise; whom they are compared with does not matter.

    Returns:
        Rows group, name of the stratum, first, last, end, event, customers.
    """
    reached, unknown = eps.position(history, level), len(eps.levels(active_within)) - 1
    there = (
        (nw.col(history) < reached)
        & (nw.col(active_within) > 0)
        & (nw.col(active_within) < unknown)
    )
    spans = eps.frame.filter(there & (nw.col("start") < nw.col("stop")))
    spans = spans.select(
        "customer", cx_first=nw.col("start"), cx_last=nw.col("stop"), cx_band=_band(matched_on)
    )
    ended = _ends(eps).select(
        "customer", "group", *eps.fixed, cx_end=nw.col("end"), cx_event=nw.col("event")
    )
    return _counted(eps, spans.join(ended, on="customer"), ("first", "last", "end", "event"))


_NAMES = "cx_stratum"


def _ends(eps: Episodes) -> Frame:
    """When and how each customer's time ends."""
    own = ("customer", "group", "cluster", "event", *eps.fixed)
    return eps.engine.keep(eps.frame.filter(nw.col("event") >= 0).select(*own, end=nw.col("stop")))


def _counted(eps: Episodes, rows: Frame, columns: tuple[str, ...]) -> pl.DataFrame:
    """Customers by group, name of the stratum (levels of the fixed covariates, and the band) and some columns."""
    own = [*eps.fixed, "cx_band"]
    keys = ("group", *own, *(f"cx_{c}" for c in columns))
    result = eps.engine.tally(rows.select(nw.col(*keys).cast(nw.Int32)), keys)
    distinct = result.select(own).unique()
    names = [
        pl.col(c).replace_strict(dict(enumerate(v)), return_dtype=pl.String)
        for c, v in eps.fixed.items()
    ]
    text = pl.concat_str([*(names or [pl.lit("")]), pl.col("cx_band")], separator="\x1f")
    named = result.join(distinct.with_columns(text.alias(_NAMES).cast(pl.Categorical)), on=own)
    return named.select(
        "group", _NAMES, *(pl.col(f"cx_{c}").alias(c) for c in columns), customers=pl.col("rows")
    )


def _coded(rows: pl.DataFrame, strata: tuple[str, ...]) -> pl.DataFrame:
    """Rows with positions among the strata instead of their names."""
    place = pl.col(_NAMES).cast(pl.Enum(strata)).to_physical().cast(pl.Int32)
    return _sum(rows.with_columns(place.alias(_NAMES)).rename({_NAMES: "stratum"}))


def _band(matched_on: str | None) -> nw.Expr:
    return nw.lit(0) if matched_on is None else nw.col(matched_on)


def _recode(rows: pl.DataFrame, table: MatchedTable, strata: tuple[str, ...]) -> pl.DataFrame:
    """Rows with positions among other strata."""
    places = {i: strata.index(name) for i, name in enumerate(table.strata)}
    return rows.with_columns(pl.col("stratum").replace_strict(places, return_dtype=pl.Int32))


def _sum(rows: pl.DataFrame) -> pl.DataFrame:
    return sums(rows, [c for c in rows.columns if c != "customers"], ["customers"])
