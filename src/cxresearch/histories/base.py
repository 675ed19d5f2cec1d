"""What a history is, the clocks it runs on, and the order of events within a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import Protocol

import narwhals.stable.v2 as nw

from cxresearch.engines import Along, Engine, Frame
from cxresearch.engines.windows import Fold
from cxresearch.errors import EstimationError, nearest
from cxresearch.records.contact_attributes import CONTACT_ATTRIBUTES
from cxresearch.records.contacts import GRADES
from cxresearch.records.dated_events import KINDS

DAY = 86_400  # seconds
LONG_BEFORE = 3_650  # days before the entry at which something takes effect that holds from the entry on at any lead
COLUMNS_OF_KIND = {  # the columns from which dated events of a kind are made
    "problem": ("problem_at",),
    "resolved": ("problem_at", "resolved_at"),
    "goodwill": ("goodwill_at",),
    "complaint": ("complained_at",),
    "post": ("posted_at",),
}


def instant() -> nw.Expr:
    """The second, counted from the start of day 0."""
    return nw.col("day").cast(nw.Int64) * DAY + nw.col("second")


def graded_instant() -> nw.Expr:
    """The instant and the grade in one integer: within a second, the worse grade comes first; modulo 4, the grade."""
    return instant() * len(GRADES) + nw.col("grade")


def events_of_kind(past: Past, kind: str) -> Frame:
    """The dated events of one kind.

    Raises:
        EstimationError: no such kind.
    """
    return past.dated_events.filter(nw.col("kind") == event_kind_code(kind))


def event_kind_code(kind: str) -> int:
    """The position of a kind of dated event.

    Raises:
        EstimationError: no such kind.
    """
    if kind not in KINDS:
        raise EstimationError(
            f"no kind of dated event {kind!r}{nearest(kind, KINDS) or '; there are: ' + ', '.join(KINDS)}"
        )
    return KINDS.index(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a history is made from.

    Attributes:
        moments: customer, tick (when the moment takes effect), day, second, grade, and the columns that are read; ready
            for a walk `along`.
        dated_events: customer, tick, day, second, kind, begun, took, grade, informed; see
            `cxresearch.records.dated_events`.
        customers: customer, entry, exit (days), event, cluster, and left_truncated (1 if the log does not reach back to
            the start).
        clock: turns days into ticks.
        along: the walk along a customer's moments, in the order of time and, within a second, the worse grade first.
        spells: where customers who come back are at risk again, a row per relation: customer, cluster, exit, event;
            `customers` then has the first entry and the last exit of each. None elsewhere.

    Example:
        >>> import narwhals.stable.v2 as nw
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> def updates(past):
        ...     print(past.clock.name, past.customers.collect_schema().names())
        ...     return [past.moments.select("customer", "tick", n=nw.lit(1))]
        >>> def code(run):
        ...     return (run.column("n") > 0).cast(nw.Int64)
        >>> any_contact = cx.histories.History(
        ...     name="any_contact", levels=("no", "yes"), required_columns=(),
        ...     updates=updates, fold={"n": "sum"}, code=code,
        ... )
        >>> _ = cx.episodes(study, seen=any_contact).to_polars()
        tenure ['customer', 'entry', 'exit', 'event', 'cluster', 'left_truncated']
    """

    moments: Frame
    dated_events: Frame
    customers: Frame
    clock: Clock
    along: Along
    spells: Frame | None = None

    @property
    def graded(self) -> Frame:
        """The moments without the rows of a table that only keeps customers active, of which nothing else is known."""
        if "ordered" not in self.moments.collect_schema().names():
            return self.moments
        return self.moments.filter(nw.col("ordered") == 0)


@dataclass(frozen=True, slots=True)
class RunningColumns:
    """The running columns of a history, as its ``code`` sees them after a tick.

    Attributes:
        column: name of a running column to expression; null or 0 before the first update.
        day: the day of the tick; the level holds for the days after it.
        left_truncated: 1 where the log does not reach back to the customer's start.

    Example:
        >>> import narwhals.stable.v2 as nw
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> def updates(past):
        ...     return [past.moments.select("customer", "tick", n=nw.lit(1))]
        >>> def code(run):
        ...     return nw.when(run.left_truncated == 1).then(2).otherwise(run.column("n"))
        >>> few = cx.histories.History(
        ...     name="few", levels=("0", "1", "unknown"), required_columns=(),
        ...     updates=updates, fold={"n": "sum"}, code=code,
        ... )
        >>> cx.episodes(study, contacts=few).to_polars().select("start", "stop", "contacts").rows()
        [(0, 4, '0'), (4, 9, '1'), (0, 1, '0'), (1, 9, '1')]
    """

    column: Callable[[str], nw.Expr]
    day: nw.Expr
    left_truncated: nw.Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a customer had lived through, as a categorical that changes at known ticks.

    Attributes:
        name: the function and its parameters; equal names mean equal histories.
        levels: level names; a code is a position. ``levels[0]`` holds before the first update of a customer whose
            beginnings are known.
        required_columns: what it needs besides customer and day: columns of moments, times of
             dated events, or ``household``.
        updates: past to frames of (customer, tick, running columns).
        fold: running column to how it runs along a customer: ``sum``, ``last`` (the greatest within one tick) or
            ``min``.
        code: running columns to level position.
        grades: positions of the grades it looks at; all when not given.
        cumulative: whether the level can only rise, so that reaching one is a moment in time.
        walk: a name for its updates and running columns, which histories share that differ in their levels only; they
            are then walked once.
        lead: days by which it is behind: on day d the level is that of day d - lead, whatever came since.
        lag: days after which a moment takes effect for it, before it is set back; those of the clock when not given.
        delay: days after which a moment takes effect for it at the earliest, whatever the blackout: of what is counted
            once it is so old.
        needs_start: whether it is about a customer's beginnings, so that a look-back over some days cannot know it.
        lasting: running columns that stay where a look-back takes others away again after its days, as they are no sums
            over all moments so far: those of a window, and what a customer is.

    Example:
        >>> import narwhals.stable.v2 as nw
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> def updates(past):
        ...     return [past.moments.select("customer", "tick", n=nw.lit(1))]
        >>> def code(run):
        ...     return (run.column("n") > 0).cast(nw.Int64)
        >>> any_contact = cx.histories.History(
        ...     name="any_contact", levels=("no", "yes"), required_columns=(),
        ...     updates=updates, fold={"n": "sum"}, code=code,
        ... )
        >>> cx.episodes(study, seen=any_contact).to_polars().select("start", "stop", "seen").rows()
        [(0, 4, 'no'), (4, 9, 'yes'), (0, 1, 'no'), (1, 9, 'yes')]
    """

    name: str
    levels: tuple[str, ...]
    required_columns: tuple[str, ...]
    updates: Callable[[Past], list[Frame]]
    fold: Mapping[str, Fold]
    code: Callable[[RunningColumns], nw.Expr]
    grades: tuple[int, ...] | None = None
    cumulative: bool = False
    walk: str = ""
    lead: int = 0
    lag: int | None = None
    delay: int = 0
    needs_start: bool = False
    lasting: tuple[str, ...] = ()


def behind(history: History, lead: int, lag: int | None = None) -> History:
    """A history as it stood so many days ago: windows and ages move back with it.

    Args:
        history: any.
        lead: days; 0 leaves it as it is.
        lag: as `History.lag`.
    """
    if not lead and lag is None:
        return history
    when = f", {lead} days before" + ("" if lag is None else f", seen after {lag}")
    walk = history.walk + when if history.walk else ""
    return replace(history, name=history.name + when, walk=walk, lead=lead, lag=lag)


def band_names(edges: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the bands of a count: (1, 3, 6) gives 0, 1-2, 3-5, 6+.

    Raises:
        EstimationError: the edges do not rise from 1 on.
    """
    if not edges or edges[0] < 1 or any(b <= a for a, b in pairwise(edges)):
        raise EstimationError(
            f"edges must rise and start at 1 or more, such as (1, 3, 6), were {edges}"
        )
    first = ("0",) if edges[0] == 1 else (f"0-{edges[0] - 1}",)
    inner = tuple(f"{a}" if b == a + 1 else f"{a}-{b - 1}" for a, b in pairwise(edges))
    return (*first, *inner, f"{edges[-1]}+")


def band(x: nw.Expr, edges: tuple[int, ...]) -> nw.Expr:
    """The position of a count among its bands."""
    return reduce(lambda a, b: a + b, [(x >= e).cast(nw.Int64) for e in edges])


_CONTACTS = 2**20  # contacts one customer may have


class Clock(Protocol):
    """Ticks and days."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def lag(self) -> int:
        """The blackout, in days."""

    def with_ticks(self, moments: Frame, engine: Engine) -> Frame:
        """The moments with ``tick``: when each takes effect."""

    def on(self, day: nw.Expr) -> nw.Expr:
        """The tick at which something takes effect that is due on a day rather than at a contact."""

    def day(self, tick: nw.Expr) -> nw.Expr:
        """The day of a tick: the state holds for the days after it."""

    def later(self, days: int) -> int:
        """By how much a tick grows when it comes so many days later."""

    def lagged(self, days: int) -> Clock:
        """The same with another lag."""


@dataclass(frozen=True, slots=True)
class DayClock:
    """Ticks are days; `lag` is the blackout: a moment takes effect that many days later, for everyone."""

    lag: int = 0
    name: str = "tenure"

    def with_ticks(self, moments: Frame, engine: Engine) -> Frame:  # noqa: ARG002 - the engine is for clocks that count
        """As `Clock.with_ticks`."""
        return moments.with_columns(tick=(nw.col("day") + self.lag).cast(nw.Int64))

    def on(self, day: nw.Expr) -> nw.Expr:
        """As `Clock.on`."""
        return day.cast(nw.Int64)

    def day(self, tick: nw.Expr) -> nw.Expr:
        """As `Clock.day`."""
        return tick

    def later(self, days: int) -> int:
        """As `Clock.later`."""
        return days

    def lagged(self, days: int) -> DayClock:
        """As `Clock.lagged`."""
        return replace(self, lag=days)


@dataclass(frozen=True, slots=True)
class ContactClock:
    """Ticks are contacts that keep a customer active, in the order of time and, within a second, the worse grade first.

    Other contacts take effect at the first such contact of the same day, or after it.

    With a lag, what happened at a contact takes effect before the first contact that is so many days later.
    """

    lag: int = 0
    name: str = "contact"

    def with_ticks(self, moments: Frame, engine: Engine) -> Frame:
        """As `Clock.with_ticks`."""
        columns = moments.collect_schema().names()
        order = ("both", "leaving", "active", *sorted(CONTACT_ATTRIBUTES))
        more = (c for c in order if c in columns)
        along = engine.along(
            "day", "second", "grade", *more
        )  # alike in all of them, any order is the same
        one = nw.col("active") if "active" in columns else nw.lit(1)
        x = moments.with_columns(one=one).with_columns(nth=along.sum("one"))
        number = nw.when(nw.col("one") == 1).then(nw.col("nth")).otherwise(nw.lit(0))
        tick = nw.col("day").cast(nw.Int64) * _CONTACTS + number
        return x.with_columns(tick=tick).drop("one", "nth")

    def later(self, days: int) -> int:
        """As `Clock.later`."""
        return days * _CONTACTS

    def lagged(self, days: int) -> ContactClock:
        """As `Clock.lagged`."""
        return replace(self, lag=days)

    def on(self, day: nw.Expr) -> nw.Expr:
        """As `Clock.on`: before the contacts of that day."""
        return day.cast(nw.Int64) * _CONTACTS

    def day(self, tick: nw.Expr) -> nw.Expr:
        """As `Clock.day`."""
        return (tick - tick % _CONTACTS) // _CONTACTS

    @staticmethod
    def number(tick: nw.Expr) -> nw.Expr:
        """The contact's number, from 1; 0 for a tick that is no contact."""
        return tick % _CONTACTS
