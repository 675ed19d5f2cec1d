"""Few records of an engine whose every step takes long, brought into memory: what is counted of them is the same."""

from __future__ import annotations

from dataclasses import replace

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame, Whole
from cxresearch.engines import engine as engine_named
from cxresearch.records.records import Records

MOST_NEARBY = 1_000_000  # contacts: some ten whole numbers each


def bring_near(records: Records, most: int = MOST_NEARBY) -> Records:
    """The same records in memory, where a step of their engine takes long however few rows there are.

    The sources have been read, joined and checked where they lie; what is left are whole numbers. A docket walks along
    customers some hundred times, and on such an engine each walk is a job of a second or more.

    Args:
        records: of any engine.
        most: contacts; records with more stay where they are.
    """
    engine = records.engine
    if not engine.has_slow_steps or sum(dict(records.audit.kept).values()) > most:
        return records
    near = engine_named("polars")

    def take(frame: Frame) -> Frame:
        taken: Frame = nw.from_native(engine.collect(frame))
        return near.keep(taken)

    moments = take(records.moments)
    moments = moments.sort(*moments.collect_schema().names())  # the order of a walk
    return replace(
        records,
        engine=near,
        log=Whole(moments, near),
        dated_events=take(records.dated_events),
        customers=take(records.customers),
        spells=None if records.spells is None else take(records.spells),
    )
