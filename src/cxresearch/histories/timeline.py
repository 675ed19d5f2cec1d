"""When the states of customers change: one walk per history, shared by all claims and by histories of the same walk.

The updates of a history and a first row per customer → one row per (customer, tick) → running columns → its level → the
ticks at which the level changes. Several histories together are their changes put side by side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from threading import Lock

import narwhals.stable.v2 as nw

from cxresearch.engines import Engine, Frame
from cxresearch.engines.windows import Along, Fold
from cxresearch.errors import EstimationError
from cxresearch.histories.base import Clock, ContactClock, History, Past, RunningColumns
from cxresearch.records.contact_attributes import CONTACT_ATTRIBUTES
from cxresearch.records.dated_events import no_dated_events


class Timeline:
    """The changes of state of some customers, on one clock.

    Args:
        moments: customer, day, second, grade, contact attributes; in the order of customers and time where the engine's
            walk needs it.
        customers: customer, entry, exit, event, cluster, left_truncated; days.
        clock: ticks.
        engine: where the frames live.
        dated_events: see `cxresearch.records.dated_events`; none when not given.
        spells: customer, cluster, exit, event, a row per relation, where customers may have several.
    """

    def __init__(
        self,
        moments: Frame,
        customers: Frame,
        clock: Clock,
        engine: Engine,
        dated_events: Frame | None = None,
        spells: Frame | None = None,
    ) -> None:
        self.clock, self._engine, self._spells = clock, engine, spells
        self._customers = customers.select(
            "customer", "entry", "exit", "event", "cluster", "left_truncated"
        )
        self._moments = engine.keep(self._along().prepare(clock.with_ticks(moments, engine)))
        dated = no_dated_events(engine) if dated_events is None else dated_events
        self._dated_events = dated.with_columns(tick=clock.on(nw.col("day") + clock.lag))
        self._born: Frame | None = None
        self._changes: dict[str, Frame] = {}
        self._runs: dict[str, Frame] = {}
        self._walking: dict[str, Lock] = defaultdict(
            Lock
        )  # several tables may ask for a history at the same time

    def states(self, histories: Mapping[str, History]) -> Frame:
        """The state of every customer after every tick at which one of the histories changes.

        Returns:
            Rows (customer, tick, one level position per history), in the order that a walk along them needs. The state
            holds for the days after `tick` (on the contact clock: after so many contacts). Rows before a customer's
            entry, where there are any, mean nothing.
        """
        along = self._engine.along("tick")
        if not histories:
            births = self._births().select("customer", "tick")
            if isinstance(self.clock, ContactClock):
                numbered = self._moments.filter(ContactClock.number(nw.col("tick")) > 0)
                firsts = numbered.group_by("customer").agg(nw.col("tick").min())
                births = firsts.with_columns(tick=ContactClock.number(nw.col("tick")))
            return along.prepare(births)
        changes = {name: self._of(h).rename({"level": name}) for name, h in histories.items()}
        return next(iter(changes.values())) if len(changes) == 1 else along.merge(changes)

    def until(self, history: History, level: str) -> Timeline:
        """The same without the moments after the tick at which a customer first reaches a level.

        States up to that tick, and right after it, are as they were; later ones mean nothing.

        Args:
            history: a cumulative one.
            level: of the history.
        """
        position, unknown = history.levels.index(level), len(history.levels) - 1
        reached = self._of(history).filter(
            (nw.col("level") >= position) & (nw.col("level") != unknown)
        )
        last = reached.group_by("customer").agg(cx_last=nw.col("tick").min())
        early = self._moments.join(last, on="customer", how="left")
        early = early.filter(
            nw.col("cx_last").is_null() | (nw.col("tick") <= nw.col("cx_last"))
        ).drop("cx_last")
        ordered = self._along().prepare(early)
        return Timeline(
            ordered,
            self._customers,
            self.clock,
            self._engine,
            self._dated_events,
            self._spells,
        )

    def _along(self) -> Along:
        """The walk along moments, in the order in which they take effect.

        On the contact clock a contact that keeps nobody active takes effect at the first one of its day that does,
        which may be earlier.
        """
        first = ("tick",) if isinstance(self.clock, ContactClock) else ()
        return self._engine.along(*first, "day", "second", "grade")

    def _effective(self, lag: int) -> tuple[Frame, Frame]:
        """Moments and dated events at the ticks at which they take effect, that many days later."""
        moments, dated = self._moments, self._dated_events
        contact = isinstance(self.clock, ContactClock)
        if lag if contact else lag != self.clock.lag:
            later = moments.with_columns(tick=self.clock.on(nw.col("day") + lag))
            moments = self._along().prepare(later)
        if lag != self.clock.lag:
            dated = dated.with_columns(tick=self.clock.on(nw.col("day") + lag))
        return moments, dated

    def _births(self) -> Frame:
        if self._born is None:
            tick = self.clock.on(nw.col("entry"))
            truncated = nw.col("left_truncated").cast(nw.Int64)
            self._born = self._customers.select("customer", tick=tick, left_truncated=truncated)
        return self._born

    def _of(self, history: History) -> Frame:
        """Rows (customer, tick, level): where the level of one history changes."""
        with self._walking[history.name]:
            if history.name not in self._changes:
                self._changes[history.name] = self._engine.keep(self._walked(history))
            return self._changes[history.name]

    def _walked(self, history: History) -> Frame:
        contact = isinstance(self.clock, ContactClock)
        x = self._run(history)
        day = self.clock.day(nw.col("tick")) - history.lead
        level = history.code(RunningColumns(nw.col, day, nw.col("left_truncated")))
        x = x.select("customer", "tick", level=level.cast(nw.Int32))
        if contact:
            x = x.with_columns(tick=ContactClock.number(nw.col("tick"))).filter(nw.col("tick") > 0)
        return self._engine.along("tick").changes(x, "level")

    def _run(self, history: History) -> Frame:
        """Rows (customer, tick, left_truncated, running columns), in the order of a walk; kept where others need it."""
        if not history.walk:
            return self._updated(history)
        with self._walking[history.walk]:
            if history.walk not in self._runs:
                self._runs[history.walk] = self._engine.keep(self._updated(history))
            return self._runs[history.walk]

    def _updated(self, history: History) -> Frame:
        clock, back = self.clock, self.clock.later(history.lead)
        if history.lag is not None:
            clock = clock.lagged(history.lag)
        if history.delay > clock.lag:
            clock = clock.lagged(history.delay)
        there = self._moments.collect_schema().names()
        missing = [
            name
            for name in history.required_columns
            if name in CONTACT_ATTRIBUTES and name not in there
        ]
        if missing:
            raise EstimationError(f"{history.name} needs {missing[0]}, which the log does not have")
        along = self._along()
        moments, dated_events = self._effective(clock.lag)
        past = Past(
            moments=moments,
            dated_events=dated_events,
            customers=self._customers,
            clock=clock,
            along=along,
            spells=self._spells,
        )
        frames = [self._births()]
        for updates in history.updates(past):
            running = [
                nw.col(c).cast(nw.Int64)
                for c in history.fold
                if c in updates.collect_schema().names()
            ]
            tick = nw.col("tick").cast(nw.Int64)
            if history.lead:  # no contact is there on the later day: before those that are
                tick = (clock.on(clock.day(tick)) + back).alias("tick")
            frames.append(updates.select("customer", tick, *running))
        if isinstance(self.clock, ContactClock):
            frames.append(self._moments.select("customer", "tick"))
        how: dict[str, Fold] = {"left_truncated": "last", **history.fold}
        return self._engine.along("tick").walk(frames, how)
