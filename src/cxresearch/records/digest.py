"""A digest of what was known until a day, by which a later look at the data tells whether earlier rows have changed.

It adds up over customers and knows no names, so that it does not depend on how customers or texts are numbered, on the
order of rows, or on the engine.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.records.records import Records

_CONTACT = ("day", "second", "grade", "both")
_PERSON = ("start", "entry", "exit", "event")
_Codes = NDArray[np.uint64]


def digest_until(records: Records, day: int) -> str:
    """What contacts and follow-ups there were until the end of a day, as sixteen hexadecimal digits.

    Whoever leaves later is still there on that day, and whoever comes later is not known yet. Where retention is
    derived from contacts, only these count.

    Args:
        records: of all customers.
        day: the last day that counts.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> from cxresearch.records.digest import digest_until
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> def until(last):
        ...     settings = {"interactions": {"log_from": 0, "log_until": last}}
        ...     return cx.read_records(cx.study_from(settings, interactions=log, retention=who))
        >>> digest_until(until(20), 9) == digest_until(until(9), 9)
        True
        >>> digest_until(until(20), 9) == digest_until(until(20), 8)
        False
    """
    total = sum(_digest_part(part(), day) for part in records.parts()) % 2**64
    return f"{total:016x}"


def _digest_part(records: Records, day: int) -> int:
    engine = records.engine
    people = records.customers
    if records.study.retention.kind == "contract":
        people = people.filter(nw.col("entry") < day).with_columns(
            event=nw.when(nw.col("exit") <= day).then(nw.col("event")).otherwise(nw.lit(0)),
            exit=nw.min_horizontal("exit", nw.lit(day)),
        )
        follow_up = engine.collect(people.select("customer", *_PERSON))
    else:
        follow_up = engine.collect(people.select("customer"))
    contacts = records.moments.filter(nw.col("day") <= day)
    rows = engine.collect(contacts.select("customer", *_CONTACT))
    who, whose = np.unique(rows["customer"].to_numpy(), return_inverse=True)
    sums = np.zeros(len(who), np.uint64)
    np.add.at(sums, whose, _mix(rows, _CONTACT))
    lived = pl.DataFrame({"customer": pl.Series(who, dtype=pl.Int64), "lived": sums})
    together = follow_up.cast({"customer": pl.Int64}).join(
        lived, on="customer", how="inner" if records.study.retention.kind == "activity" else "left"
    )
    names = [n for n in together.columns if n != "customer"]
    return int(np.sum(_mix(together.with_columns(pl.col("lived").fill_null(0)), names)))


def _mix(frame: pl.DataFrame, columns: Sequence[str]) -> _Codes:
    """A code of each row, by the finaliser of SplitMix64 on one column after the other."""
    result = np.full(frame.height, 0x9E3779B97F4A7C15, np.uint64)
    for name in columns:
        values = frame[name]
        whole = values if values.dtype == pl.UInt64 else values.fill_null(-1).cast(pl.Int64)
        x = result ^ whole.to_numpy().astype(np.uint64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        result = (x ^ (x >> np.uint64(31))) + np.uint64(0x9E3779B97F4A7C15)
    return result
