"""(start, stop] rows of one claim, and what turns a clock or a transition into another question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
        min_cell: the smallest count that may be shown of it, as the study says.

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
        records.contacts.frame(grades),
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
    x = x.with_columns(stop=engine.along("tick").shift("tick", -1))
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
        who = who.with_columns(_cohort(nw.col("cx_begin")).alias(COHORT))
        fixed = (*fixed, COHORT)
    x = x.join(who, on="customer")
    if records.keeps_clusters:
        x = x.with_columns(group=nw.col("cluster"))
    before = nw.col("cx_before") if contact and has_spells else nw.lit(0)
    x = x.with_columns(
        end=nw.col("cx_contacts") + 1 + before if contact else nw.col("exit"),
        origin=before if contact else nw.col("start"),
        cx_first=nw.col("cx_first") if contact else nw.col("entry"),
    )
    carried = None
    if has_spells:
        x = x.with_columns(customer=nw.col("cx_spell")).drop("cx_spell")
        x = engine.keep(engine.along("tick").prepare(x))
        early = x.filter(nw.col("tick") < nw.col("cx_first")).group_by("customer")
        carried = engine.keep(early.agg(*(nw.col(name).max() for name in histories)))
    x = _clipped(x).select(
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


def _clipped(x: Frame) -> Frame:
    """The states of the time at risk, from ``origin`` on; the last one ends with the event."""
    x = x.with_columns(stop=nw.min_horizontal(nw.coalesce("stop", "end"), "end"))
    x = x.filter(
        (nw.col("tick") <= nw.col("end"))
        & ((nw.col("tick") >= nw.col("cx_first")) | (nw.col("stop") > nw.col("cx_first")))
    )
    x = x.with_columns(tick=nw.max_horizontal("tick", "cx_first"))
    ends = (nw.col("stop") == nw.col("end")) & (nw.col("tick") < nw.col("end"))
    return x.with_columns(
        start=(nw.col("tick") - nw.col("origin")).cast(nw.Int64),
        stop=(nw.col("stop") - nw.col("origin")).cast(nw.Int64),
        event=nw.when(ends).then(nw.col("event")).otherwise(nw.lit(-1)).cast(nw.Int32),
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


def _cohort(since: nw.Expr) -> nw.Expr:
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


def where(eps: Episodes, **levels: tuple[str, ...]) -> Episodes:
    """Only the time spent in these levels of each history named."""
    x = eps.frame
    for name, wanted in levels.items():
        positions = [eps.position(name, level) for level in wanted]
        x = x.filter(nw.col(name).is_in(positions))
    return replace(eps, frame=x)


def since(eps: Episodes, history: str, level: str, *, exclude_from: str | None = None) -> Episodes:
    """Another clock: time 0 is the day on which a cumulative history reached a level; at risk from there on.

    Args:
        eps: on the tenure clock.
        history: a cumulative history.
        level: the level reached at time 0.
        exclude_from: leave out customers who stood at or above this level at time 0 already.

    Returns:
        The episodes, with exclusions for customers who left on that very day and for those left out by `exclude_from`.

    Raises:
        EstimationError: no such history or level, or a history that can also fall.
    """
    eps = replace(eps, frame=eps.engine.keep(eps.frame))
    origins, exclusions = first_reach(eps, history, level, exclude_from=exclude_from)
    x = eps.frame.join(origins.select("customer", "origin"), on="customer")
    x = x.filter((nw.col("start") >= nw.col("origin")) & (nw.col("start") < nw.col("stop")))
    x = x.with_columns(
        start=nw.col("start") - nw.col("origin"), stop=nw.col("stop") - nw.col("origin")
    )
    clock = "contact" if eps.clock == "contact" else f"days since {history} {level}"
    if COHORT in eps.fixed:
        x = x.with_columns(_cohort(nw.col("cx_begin") + nw.col("origin")).alias(COHORT))
    return replace(
        eps, frame=x.drop("origin"), clock=clock, exclusions=(*eps.exclusions, *exclusions)
    )


def first_reach(
    eps: Episodes, history: str, level: str, *, exclude_from: str | None = None
) -> tuple[Frame, tuple[Exclusion, ...]]:
    """When each customer first reached a level of a cumulative history, and was still there after that day.

    Returns:
        Rows (customer, origin, end), both on the clock of `eps`; and the customers left out: those who left on the very
        day, and those who stood at `exclude_from` or above at once.

    Raises:
        EstimationError: no such history or level, or a history that can also fall.
    """
    _check_rising(eps, history, level)
    position, unknown = eps.position(history, level), len(eps.levels(history)) - 1
    reached = (nw.col(history) >= position) & (nw.col(history) != unknown)
    origins = eps.frame.filter(reached).group_by("customer").agg(origin=nw.col("start").min())
    last = eps.frame.group_by("customer").agg(end=nw.col("stop").max())
    at_origin = eps.frame.join(origins, on="customer").filter(nw.col("start") == nw.col("origin"))
    state = at_origin.group_by("customer").agg(first_state=nw.col(history).max())
    origins = eps.engine.keep(origins.join(last, on="customer").join(state, on="customer"))
    origins, earlier = _reached_now(eps, origins, history, level)
    on_the_day = nw.col("origin") == nw.col("end")
    too_far = nw.col("first_state") >= (
        eps.position(history, exclude_from) if exclude_from else unknown
    )
    counts = eps.engine.collect(
        origins.select(
            left=on_the_day.cast(nw.Int64).sum(),
            beyond=(too_far & ~on_the_day).cast(nw.Int64).sum(),
        )
    ).row(0, named=True)
    at_once = "at the same contact" if eps.clock == "contact" else "on the same day"
    gone = (
        f"had no later contact that is followed when they reached {history} {level}"
        if eps.clock == "contact"
        else f"left on the day they reached {history} {level}"
    )
    exclusions = (
        Exclusion(gone, int(counts["left"] or 0)),
        Exclusion(
            f"reached {history} {exclude_from} {at_once} as {level}",
            int(counts["beyond"] or 0),
        ),
        Exclusion(f"had reached {history} {level} before they came back", earlier),
    )
    return origins.filter(~on_the_day & ~too_far), tuple(a for a in exclusions if a.customers)


def _reached_now(eps: Episodes, origins: Frame, history: str, level: str) -> tuple[Frame, int]:
    """Without those who had reached a level in an earlier relation; and how many these are."""
    if eps.carried is None:
        return origins, 0
    position, unknown = eps.position(history, level), len(eps.levels(history)) - 1
    held = nw.col(history)
    before = eps.carried.filter((held >= position) & (held != unknown)).select("customer")
    dropped = origins.join(before, on="customer", how="semi")
    n = int(eps.engine.collect(dropped.select(nw.len())).item())
    return eps.engine.keep(origins.join(before, on="customer", how="anti")), n


def until(eps: Episodes, history: str, level: str, cause: str) -> Episodes:
    """A transition as a competing exit: the row before it ends with `cause`, and the rows from it on go.

    The state changes for the days after a moment, so leaving on the very day of the transition stays leaving.

    Raises:
        EstimationError: no such history or level, a history that can also fall, or a cause that there is already.
    """
    if cause in (*eps.causes, *eps.histories):
        raise EstimationError(f"there is a {cause!r} already: call the cause something else")
    check_name(cause.replace(" ", "_"))
    _check_rising(eps, history, level)
    position = eps.position(history, level)
    along = eps.engine.along("start")
    crossed = nw.when(nw.col(history) >= position).then(nw.lit(1)).otherwise(nw.lit(0))
    x = along.prepare(
        eps.frame.filter(nw.col("start") < nw.col("stop")).with_columns(crossed=crossed)
    )
    x = x.with_columns(following=along.shift("crossed", -1))
    code = len(eps.causes)
    x = x.with_columns(
        event=nw.when(nw.col("following") == 1)
        .then(nw.lit(code))
        .otherwise(nw.col("event"))
        .cast(nw.Int32)
    )
    return replace(
        eps,
        frame=x.filter(nw.col("crossed") == 0).drop("crossed", "following"),
        causes=(*eps.causes, cause),
    )


def fix_last_levels(eps: Episodes) -> Episodes:
    """What a naive analysis does: each customer's last level, as if it had held from the beginning.

    One row per customer. This looks ahead, on purpose: it is shown beside the right answer, never as one.
    """
    along = eps.engine.along("start")
    x = along.prepare(eps.frame.filter(nw.col("start") < nw.col("stop")))
    ends = x.group_by("customer").agg(entry=nw.col("start").min(), end=nw.col("stop").max())
    x = x.join(ends, on="customer").filter(nw.col("stop") == nw.col("end"))
    return replace(eps, frame=x.with_columns(start=nw.col("entry")).drop("entry", "end"))


_RISING = History(
    name="",
    levels=("",),
    required_columns=(),
    updates=lambda _: [],
    fold={},
    code=lambda _: nw.lit(0),
    cumulative=True,
)


def _check_rising(eps: Episodes, history: str, level: str) -> None:
    if not eps.histories.get(history, _RISING).cumulative:
        raise EstimationError(
            f"{history} can fall as well as rise, so reaching {level!r} is not one moment in time"
        )
