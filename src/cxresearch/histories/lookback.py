"""Histories over the last so many days instead of since the start, where the log does not show the beginnings."""

from __future__ import annotations

from dataclasses import replace

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.histories.base import History, Past, RunningColumns


def within_lookback(history: History, days: int) -> History:
    """A history that forgets what is more than so many days old, and takes every customer as known.

    Counts become counts of a window. A history of a state, such as the age of the last contact, and one of a window,
    such as `contacts_within`, stay what they are: what the log does not show is taken not to have been. It holds from
    `days` after the log's first day on. One of the customer's beginnings stays as it is, and unknown where the log does
    not show them.

    Args:
        history: any.
        days: how far it goes back.
    """
    if history.needs_start:
        return history
    sums = all(fold == "sum" for fold in history.fold.values()) and bool(
        set(history.fold) - set(history.lasting)
    )

    def updates(past: Past) -> list[Frame]:
        clock = past.clock
        known = past.customers.with_columns(left_truncated=nw.lit(0))
        made = history.updates(replace(past, customers=known))
        if not sums:
            return made
        gone = []
        for frame in made:
            columns = frame.collect_schema().names()
            running = [c for c in columns if c in history.fold and c not in history.lasting]
            if not running:
                continue
            begun = clock.on(clock.day(nw.col("tick").cast(nw.Int64)))
            later = (begun + clock.later(days - clock.lag)).alias("tick")
            gone.append(
                frame.select("customer", later, *((0 - nw.col(c)).alias(c) for c in running))
            )
        return [*made, *gone]

    def level(run: RunningColumns) -> nw.Expr:
        return history.code(RunningColumns(run.column, run.day, nw.lit(0)))

    return replace(
        history,
        name=f"{history.name} of the last {days} days",
        walk=f"{history.walk} of the last {days} days" if history.walk else "",
        updates=updates,
        code=level,
        cumulative=history.cumulative and not sums,
    )
