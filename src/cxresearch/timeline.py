"""All histories of a docket on one timeline.

marks of all histories and a birth per customer → take effect, not after the exit → clipped to the entry → one row per
(customer, tick) → running columns → a level per history.
"""

from __future__ import annotations

from collections.abc import Mapping

import narwhals.stable.v2 as nw

from cxresearch.clocks import Clock, ContactClock
from cxresearch.engines import Engine, Frame
from cxresearch.histories import History, Past, Run


def timeline(moments: Frame, customers: Frame, histories: Mapping[str, History], clock: Clock, engine: Engine) -> Frame:
    """The state of every customer after every tick at which it may change.

    Args:
        moments: customer, day, second, grade, cx_row; as `Engine.arrange` leaves them.
        customers: customer, entry, exit, unseen; days.
        histories: the name of each column to its history.
        clock: ticks.
        engine: where the frames live.

    Returns:
        Rows (customer, tick, one level position per history): the state that holds for the days after `tick`. Changes
        on the exit day itself are kept (they explain nothing, but a first moment on that day is counted); later ones
        are not. Sorted by customer and tick where the engine's walk needs it.
    """
    unique = {h.name: h for h in histories.values()}
    label = {name: f"h{i}" for i, name in enumerate(unique)}
    order = engine.along("day", "second", "grade", "cx_row")
    marked = clock.mark(moments, engine)
    who = customers.select("customer", "entry", "exit", "unseen")
    past = Past(marked, who, clock, order)
    births = who.select("customer", tick=clock.on(nw.col("entry")), unseen=nw.col("unseen").cast(nw.Int64))
    frames = [births]
    for name, history in unique.items():
        for marks in history.marks(past):
            own = {
                c: nw.col(c).cast(nw.Int64).alias(f"{label[name]}_{c}")
                for c in history.fold
                if c in marks.collect_schema().names()
            }
            frames.append(marks.select("customer", nw.col("tick").cast(nw.Int64), *own.values()))
    if isinstance(clock, ContactClock):
        frames.append(marked.select("customer", "tick"))
    x = nw.concat(frames, how="diagonal").join(who.select("customer", "entry", "exit"), on="customer")
    x = x.filter(clock.day(nw.col("tick")) <= nw.col("exit"))
    x = x.with_columns(tick=nw.max_horizontal("tick", clock.on(nw.col("entry")))).drop("entry", "exit")
    fold = {f"{label[n]}_{c}": how for n, h in unique.items() for c, how in h.fold.items()}
    gather = {"sum": lambda c: c.sum(), "last": lambda c: c.max(), "min": lambda c: c.min()}
    x = x.group_by("customer", "tick").agg(
        nw.col("unseen").max(), *(gather[how](nw.col(c)).cast(nw.Int64).alias(c) for c, how in fold.items())
    )
    along = engine.along("tick")
    x = along.prepare(x)
    walk = {"sum": along.sum, "last": along.last, "min": along.min}
    x = x.with_columns(unseen=along.last("unseen"), **{c: walk[how](c) for c, how in fold.items()})
    extremes = [c for c, how in fold.items() if how == "min"]
    if extremes:
        x = x.with_columns(**{c: along.last(c) for c in extremes})
    day = clock.day(nw.col("tick"))

    def level(history: History) -> nw.Expr:
        prefix = label[history.name]
        return history.code(Run(lambda c: nw.col(f"{prefix}_{c}"), day, nw.col("unseen"))).cast(nw.Int64)

    return x.select("customer", "tick", **{name: level(h) for name, h in histories.items()})
