"""(start, stop] rows of one claim."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.disclosure.counts import MIN_CELL, count_text
from cxresearch.engines import Engine, Frame
from cxresearch.errors import EstimationError, NotTestable, UnknownInTableError, nearest
from cxresearch.histories import History
from cxresearch.histories.base import Clock, ContactClock, DayClock
from cxresearch.histories.timeline import Timeline
from cxresearch.records.follow_up import CAUSES
from cxresearch.records.records import Records
from cxresearch.risk.exclusions import Exclusion
from cxresearch.study import Study
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY, Result, plain

if TYPE_CHECKING:
    import pandas as pd

_RESERVED = frozenset(
    [
        "customer",
        "group",
        "cluster",
        "start",
        "stop",
        "event",
        "time",
        "tick",
        "entered",
        "left",
        "censored",
        "end",
        "origin",
        "entry",
        "exit",
        "crossed",
        "following",
        "previous",
        "first_state",
        "segment",
        "flow",
        "rows",
        "customers",
        *CAUSES,
    ]
)
COHORT = (
    "held_cohort"  # the month in which a customer's clock began, counted from the log's first day
)
MONTH = 30  # days
SPELL = "held_spell"  # which relation of a customer it is, where who comes back is at risk again
SPELLS = ("1", "2", "3+")
_NAME = re.compile(r"[^\W\d]\w*")


def check_name(name: str) -> None:
    """Refuse a name that no history can have.

    Raises:
        EstimationError: it is a column of every table, or no name.
    """
    if name in _RESERVED or name.startswith(("cx_", "before_", "held_")):
        raise EstimationError(
            f"{name!r} is a column of every table: call the history something else"
        )
    if not _NAME.fullmatch(name):
        raise EstimationError(
            f"{name!r} must be a name of letters, digits and _ that starts with a letter"
        )


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Episodes(Result):
    """Rows (customer, group, cluster, start, stop, event, one level position per history and fixed covariate).

    The state holds on the days d with start < d <= stop; the event, a position in `causes`, is at stop. Rows with
    start = stop are states reached on the day of leaving: nobody is at risk in them.

    Attributes:
        frame: the rows, on the engine.
        histories: name to history, for the level names.
        fixed: name of each fixed covariate to its level names.
        causes: names of the events; position 0 is "still there when last seen".
        clock: what start and stop count.
        engine: where the frame lives.
        exclusions: customers left out, with the reason.
        carried: where customers who come back are at risk again: customer, and of each history the highest level that
            was reached before the relation began; None elsewhere. A customer is then one relation of one.
        min_cell: the smallest count that may be shown of it, set by the study.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> episodes = cx.episodes(study, bad=cx.bad_count(1))
        >>> episodes
        Episodes(bad on the tenure clock, on polars)
        >>> episodes.to_polars().select("start", "stop", "bad", "event").rows()
        [(0, 9, '0', 'censored'), (0, 1, '0', None), (1, 9, '1+', 'defection')]
    """

    frame: Frame
    histories: Mapping[str, History]
    fixed: Mapping[str, tuple[str, ...]]
    causes: tuple[str, ...]
    clock: str
    engine: Engine
    exclusions: tuple[Exclusion, ...] = ()
    carried: Frame | None = None
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def __repr__(self) -> str:
        names = ", ".join((*self.histories, *self.fixed)) or "no histories"
        return f"Episodes({names} on the {self.clock} clock, on {self.engine.name})"

    def _repr_html_(self) -> str:
        rows = [
            *(
                (f"history {name}", f"{h.name}: {', '.join(h.levels)}")
                for name, h in self.histories.items()
            ),
            *((f"fixed {name}", "as of the entry") for name in self.fixed),
            ("ends", ", ".join(self.causes)),
            *(
                (f"not at risk: {a.reason}", count_text(a.customers, self.min_cell))
                for a in self.exclusions
            ),
        ]
        return html_table(
            f"(start, stop] rows on the {self.clock} clock, on {self.engine.name}",
            ("what", "is"),
            rows,
        )

    def levels(self, name: str) -> tuple[str, ...]:
        """The level names of a history or fixed covariate.

        Raises:
            UnknownInTableError: there is none of that name.
        """
        if name in self.fixed:
            return self.fixed[name]
        if name not in self.histories:
            raise UnknownInTableError(name, (*self.histories, *self.fixed), what="history")
        return self.histories[name].levels

    def position(self, name: str, level: str) -> int:
        """Where a level is among those of a history or fixed covariate.

        Raises:
            UnknownInTableError: there is none of that name, or it has no such level.
        """
        levels = self.levels(name)
        if level not in levels:
            raise UnknownInTableError(level, levels, what="level", where=name)
        return levels.index(level)

    def to_polars(self) -> pl.DataFrame:
        """The rows at risk with level names, by customer and start; ``event`` is null where a state just changes."""
        rows = self.engine.collect(self.frame.filter(nw.col("start") < nw.col("stop")))
        named = [_names(n, self.levels(n)) for n in (*self.histories, *self.fixed)] + [
            _names("event", self.causes)
        ]
        return rows.with_columns(named).sort("customer", "start")

    def to_dict(self) -> dict[str, Any]:
        """What the columns of the rows mean, and the rows of `to_polars`, column by column."""
        return {
            "clock": self.clock,
            "causes": plain(self.causes),
            "histories": {name: plain(h.levels) for name, h in self.histories.items()},
            "fixed": plain(self.fixed),
            "exclusions": plain(self.exclusions),
            "rows": plain(self.to_polars()),
        }

    def to_lifelines(self) -> pd.DataFrame:
        """The rows as `lifelines.CoxTimeVaryingFitter` wants them: id, start, stop, event, dummies.

        ``event`` is true where the cause is defection. Each history and fixed covariate becomes 0/1 columns named
        ``name[level]``, without its first level.
        """
        rows = self.to_polars()
        columns: list[pl.Expr] = []
        for name in (*self.histories, *self.fixed):
            levels = self.levels(name)
            present = set(rows[name].unique().to_list())
            columns += [
                (pl.col(name) == level).cast(pl.Float64).alias(f"{name}[{level}]")
                for level in levels[1:]
                if level in present
            ]
        return rows.select(
            pl.col("customer").alias("id"),
            "start",
            "stop",
            (pl.col("event") == "defection").fill_null(value=False).alias("event"),
            *columns,
        ).to_pandas()


def _names(column: str, names: tuple[str, ...]) -> pl.Expr:
    return pl.col(column).replace_strict(
        dict(enumerate(names)), default=None, return_dtype=pl.String
    )


def clock_of(study: Study, name: str | None = None) -> Clock:
    """The clock of that name; by default tenure for a contract study, contacts for an activity study.

    Raises:
        EstimationError: no such clock.
        NotTestable: the contact clock on a contract study.
    """
    activity = study.retention.kind == "activity"
    name = name or ("contact" if activity else "tenure")
    if name == "contact":
        if not activity:
            raise NotTestable(
                "other_kind", "retention derived from the contacts, which the contact clock is for"
            )
        return ContactClock()
    if name == "tenure":
        return DayClock(lag=study.moments.blackout_days)
    raise EstimationError(f"clock must be 'tenure' or 'contact', was {name!r}")


def timeline(
    records: Records, clock: Clock, histories: Iterable[History] | None = None
) -> Timeline:
    """What episodes of these records on one clock are made of; if of few histories, say so."""
    grades = None if histories is None else grades_of(histories, clock)
    return Timeline(
        records.log.frame(grades),
        records.customers,
        clock,
        records.engine,
        records.dated_events,
        records.spells,
    )


def grades_of(histories: Iterable[History], clock: Clock) -> tuple[int, ...] | None:
    """Positions of the grades of contacts that are looked at; None where all are."""
    looked_at: set[int] = set()
    if isinstance(clock, ContactClock):
        return None
    for history in histories:
        if history.grades is None:
            return None
        looked_at.update(history.grades)
    return tuple(sorted(looked_at))


def episodes(
    records: Records,
    histories: Mapping[str, History],
    *,
    fixed: tuple[str, ...] = (),
    clock: Clock | None = None,
    line: Timeline | None = None,
    observed_from_start: bool = False,
    cohorts: bool = False,
    observed_from: int | None = None,
) -> Episodes:
    """The episodes of some histories.

    Args:
        records: from `read_records`.
        histories: column name to history.
        fixed: fixed covariates to carry along.
        clock: from `clock_of`; the study's own when not given.
        line: the timeline of these records on this clock, if there is one already.
        observed_from_start: only customers whose beginnings the log shows; the others become an aside.
        cohorts: carry along the month in which each customer's clock began, as a fixed covariate `COHORT`.
        observed_from: nobody is at risk up to this day; of histories that look back no further than the log.

    Raises:
        EstimationError: no such fixed covariate, one named twice, or a name that no history can have.
    """
    _check_names(records, histories, fixed)
    engine = records.engine
    clock = clock or clock_of(records.study)
    contact = isinstance(clock, ContactClock)
    x = (line or timeline(records, clock, histories.values())).states(histories)
    exclusions: tuple[Exclusion, ...] = ()
    everyone = records.customers if records.spells is None else records.spells
    if observed_from_start:
        flags = records.customers.select(nw.col("left_truncated").sum())
        unseen = int(engine.collect(flags).item() or 0)
        everyone = everyone.filter(nw.col("left_truncated") == 0)
        why = "seen only from after their start: the log does not show their first moments"
        exclusions = (Exclusion(why, unseen),) if unseen else ()
    has_spells = records.spells is not None
    if SPELL in fixed:
        later = nw.col("cx_at").cast(nw.Int32)
        everyone = everyone.with_columns(
            nw.min_horizontal(later, nw.lit(len(SPELLS) - 1)).cast(nw.Int32).alias(SPELL)
        )
    who = everyone.select(*_needed(contact, has_spells=has_spells), *fixed)
    levels = {name: SPELLS if name == SPELL else records.levels[name] for name in fixed}
    if contact:
        who = _with_first_tick(records, who, observed_from)
    elif observed_from is not None:
        who = who.with_columns(entry=nw.max_horizontal("entry", nw.lit(observed_from)))
        who = who.filter(nw.col("entry") < nw.col("exit"))
    if cohorts:
        earliest, levels[COHORT] = _cohort_levels(records)
        who = who.with_columns(cx_begin=nw.col("start").cast(nw.Int64) - earliest)
        who = who.with_columns(cohort_month(nw.col("cx_begin")).alias(COHORT))
        fixed = (*fixed, COHORT)
    if records.keeps_clusters:
        who = who.with_columns(group=nw.col("cluster"))
    before = nw.col("cx_before") if contact and has_spells else nw.lit(0)
    who = who.with_columns(
        cx_end=nw.col("cx_contacts") + 1 + before if contact else nw.col("exit"),
        cx_origin=before if contact else nw.col("start"),
        cx_first=nw.col("cx_first") if contact else nw.col("entry"),
    )
    kept = ("customer", "group", "cluster", "event", "cx_end", "cx_origin", "cx_first", *fixed)
    who = who.select(
        *kept, *(("cx_begin",) if cohorts else ()), *(("cx_spell",) if has_spells else ())
    )
    along = engine.along("tick")
    carried = None
    if has_spells:  # every relation has the states of its customer
        x = x.join(who.select("customer", "cx_spell", "cx_first"), on="customer")
        x = x.with_columns(customer=nw.col("cx_spell")).drop("cx_spell")
        x = engine.keep(along.prepare(x))
        early = x.filter(nw.col("tick") < nw.col("cx_first")).group_by("customer")
        carried = engine.keep(early.agg(*(nw.col(name).max() for name in histories)))
        x = x.drop("cx_first")
        who = who.with_columns(customer=nw.col("cx_spell")).drop("cx_spell")
    x = along.spans(x, who).select(
        "customer",
        "group",
        "cluster",
        "start",
        "stop",
        "event",
        *histories,
        *fixed,
        *(("cx_begin",) if cohorts else ()),
    )
    return Episodes(
        frame=x,
        histories=dict(histories),
        fixed=levels,
        causes=CAUSES,
        clock=clock.name,
        engine=engine,
        exclusions=exclusions,
        carried=carried,
        min_cell=records.study.info.min_cell,
    )


def _check_names(records: Records, histories: Iterable[str], fixed: tuple[str, ...]) -> None:
    for name in histories:
        if not name.startswith("held_"):  # what the package holds equal itself
            check_name(name)
    for name in fixed:
        if fixed.count(name) > 1:
            raise EstimationError(f"the fixed covariate {name!r} is named twice")
        if name not in records.fixed and (name != SPELL or records.spells is None):
            known = ", ".join(records.fixed) or "none: name segment or covariates under [retention]"
            raise EstimationError(
                f"no fixed covariate {name!r}{nearest(name, records.fixed) or '; there are: ' + known}"
            )


def _with_first_tick(records: Records, who: Frame, observed_from: int | None) -> Frame:
    """Customers with ``cx_first``: how many contacts that keep them active they had before a day."""
    has_spells = records.spells is not None
    own = nw.col("cx_before") + 1 if has_spells else nw.lit(0)
    if observed_from is None:
        return who.with_columns(cx_first=own)
    early = records.moments.filter(nw.col("day") < observed_from)
    if "active" in early.collect_schema().names():
        early = early.filter(nw.col("active") == 1)
    counts = early.group_by("customer").agg(cx_early=nw.len())
    x = who.join(counts, on="customer", how="left")
    early_ones = nw.coalesce(nw.col("cx_early"), nw.lit(0))
    first = nw.max_horizontal(early_ones, own) if has_spells else early_ones
    return x.with_columns(cx_first=first).drop("cx_early")


def _cohort_levels(records: Records) -> tuple[int, tuple[str, ...]]:
    """The first day of the oldest cohort, and the number of months from the log's first day of each."""
    day, last = records.window.first, records.window.last
    began = records.engine.collect(records.customers.select(nw.col("start").min())).item()
    oldest = (min(int(began if began is not None else day), day) - day) // MONTH
    return day + MONTH * oldest, tuple(str(k) for k in range(oldest, (last - day) // MONTH + 1))


def cohort_month(since: nw.Expr) -> nw.Expr:
    """The month of a day counted from the beginning of the first cohort."""
    return ((since - since % MONTH) // MONTH).cast(nw.Int32)


def _needed(contact: bool, *, has_spells: bool) -> tuple[str, ...]:
    return (
        "customer",
        "group",
        "cluster",
        "start",
        "entry",
        "exit",
        "event",
        *(("cx_contacts",) if contact else ()),
        *(("cx_spell",) if has_spells else ()),
        *(("cx_before",) if has_spells and contact else ()),
    )
