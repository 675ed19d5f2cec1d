"""What one pass over the log counts: days, words for missing values, words that are not known, rules that hold.

The pass also gives the log's window; see `cxresearch.records.dense_window`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import Engine, Frame
from cxresearch.records.contracts import MissingWords, missing_words_of
from cxresearch.study.words import fold

_MISSING, _NO_DAY, _UNKNOWN = "cx_missing_", "cx_no_day_", "cx_unknown_"
_UNREAD = "cx_unread_"
_HIT, _CHANNEL, _TOUCHPOINT = "cx_hit_", "cx_channel", "cx_touchpoint_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What stands in a log.

    Attributes:
        days: shape (D, 2): each day with a contact of anybody, rising, and how many; empty where no time can be read.
        rows: all rows of the log.
        with_customer: rows that have a customer.
        with_day: rows whose day can be read.
        at_midnight: of those with a customer and a day, how many have no time of day.
        is_odd: whether some id is not written as it is compared.
        missing: words for missing values, by column.
        unknown: words that are not known, by column.
        unread: times of dated events that cannot be read, by column.
        hits: rows for which a rule holds, by rule.
        channels: of each channel, its contacts, and the last day of them.
        names: of channels and, where they were asked for, touchpoints; folded.
    """

    days: tuple[tuple[int, int], ...]
    rows: int
    with_customer: int
    with_day: int
    at_midnight: int
    is_odd: bool
    missing: tuple[MissingWords, ...] = ()
    unknown: tuple[MissingWords, ...] = ()
    unread: tuple[MissingWords, ...] = ()
    hits: Mapping[str, int] = field(default_factory=dict)
    channels: tuple[tuple[str, int, int], ...] = ()
    names: frozenset[str] = frozenset()


def survey_columns(
    *,
    missing: Mapping[str, nw.Expr],
    no_days: Mapping[str, nw.Expr],
    unknown: Mapping[str, nw.Expr],
    unread: Mapping[str, nw.Expr],
    hits: Mapping[str, nw.Expr],
    channel: nw.Expr | None,
    touchpoint: nw.Expr | None,
) -> dict[str, nw.Expr]:
    """The columns that `surveyed` counts, for the log's canonical table.

    Args:
        missing: canonical name of a column to the word for a missing value in it, null elsewhere.
        no_days: the same of days that stand for none.
        unknown: the same of words that are not known.
        unread: the same of times that cannot be read.
        hits: name of a rule to whether it holds.
        channel: the channel as text.
        touchpoint: the touchpoint as text, where names are asked for.
    """
    return {
        **{f"{_MISSING}{c}": x for c, x in missing.items()},
        **{f"{_NO_DAY}{c}": x for c, x in no_days.items()},
        **{f"{_UNKNOWN}{c}": x for c, x in unknown.items()},
        **{f"{_UNREAD}{c}": x for c, x in unread.items()},
        **{f"{_HIT}{c}": x.cast(nw.Int32) for c, x in hits.items()},
        **({_CHANNEL: channel} if channel is not None else {}),
        **({_TOUCHPOINT: touchpoint} if touchpoint is not None else {}),
    }


def surveyed(engine: Engine, log: Frame, *, has_odd: bool) -> Survey:
    """Go through a log once.

    Args:
        engine: where it lives.
        log: id, day, second, and the columns of `survey_columns`.
        has_odd: whether it has ``odd``: an id that is not written as it is compared.
    """
    columns = log.collect_schema().names()
    words = [c for c in columns if c.startswith((_MISSING, _NO_DAY, _UNKNOWN, _UNREAD))]
    hits = [c for c in columns if c.startswith(_HIT)]
    keys = [c for c in (_CHANNEL, _TOUCHPOINT) if c in columns]
    by = ["day", *keys]
    is_whose = ~nw.col("id").is_null()
    midnight = is_whose & (nw.col("second") == 0)
    odd = [nw.col("odd").cast(nw.Int32).alias("odd")] if has_odd else []
    flat = log.select(
        *by,
        *words,
        *hits,
        *odd,
        cx_whose=is_whose.cast(nw.Int32),
        cx_midnight=midnight.cast(nw.Int32),
    )
    totals = [
        nw.len().alias("rows"),
        nw.col("cx_whose").sum().alias("whose"),
        nw.col("cx_midnight").sum().alias("midnight"),
        *(nw.col("odd").max() for _ in odd),
        *(nw.col(c).sum() for c in hits),
        *(nw.col(c).count().alias(f"{c}_rows") for c in words),
        *(nw.col(c).min().alias(f"{c}_first") for c in words),
        *(nw.col(c).max().alias(f"{c}_last") for c in words),
    ]
    # kept first, since the whole log must not be in memory at once
    groups = engine.collect(engine.keep(flat.group_by(*by).agg(*totals)))
    groups = groups.with_columns(pl.col("rows", "whose", "midnight", *hits).cast(pl.Int64))
    known = groups.filter(pl.col("day").is_not_null() & (pl.col("whose") > 0))
    days = known.group_by("day").agg(pl.col("whose").sum()).sort("day")
    return Survey(
        days=tuple((int(day), int(n)) for day, n in days.iter_rows()),
        rows=int(groups["rows"].sum()),
        with_customer=int(groups["whose"].sum()),
        with_day=int(groups.filter(pl.col("day").is_not_null())["rows"].sum()),
        at_midnight=int(groups["midnight"].sum()),
        is_odd=bool(odd) and bool(groups["odd"].max()),
        missing=_words(groups, words, {"words": _MISSING, "days": _NO_DAY}),
        unknown=_words(groups, words, {"words": _UNKNOWN}),
        unread=_words(groups, words, {"words": _UNREAD}),
        hits={c.removeprefix(_HIT): int(groups[c].sum()) for c in hits},
        channels=_channels(known),
        names=frozenset(fold(name) for c in keys for name in groups[c].drop_nulls().unique()),
    )


def most_frequent(engine: Engine, log: Frame, column: str) -> tuple[str, ...]:
    """The most frequent of the words that are not known in a column, three at most: for a message."""
    name = f"{_UNKNOWN}{column}"
    found = engine.collect(
        log.filter(~nw.col(name).is_null()).group_by(name).agg(rows=nw.len())
    ).sort("rows", name, descending=[True, False])
    return tuple(found[name].head(3).to_list())


def base_columns(log: Frame) -> Frame:
    """A log without the columns that are only counted."""
    prefixes = (_MISSING, _NO_DAY, _UNKNOWN, _UNREAD, _HIT, _CHANNEL, _TOUCHPOINT)
    return log.select(*(c for c in log.collect_schema().names() if not c.startswith(prefixes)))


def _words(
    groups: pl.DataFrame, columns: Sequence[str], prefixes: Mapping[str, str]
) -> tuple[MissingWords, ...]:
    """What was counted of each column that a prefix stands before."""
    counted: dict[str, dict[str, tuple[int, Any, Any]]] = {}
    for kind, prefix in prefixes.items():
        for c in columns:
            if c.startswith(prefix):
                ends = groups[f"{c}_first"].min(), groups[f"{c}_last"].max()
                rows = int(groups[f"{c}_rows"].sum())
                counted.setdefault(c.removeprefix(prefix), {})[kind] = (rows, *ends)
    found = (missing_words_of("interactions", name, kinds) for name, kinds in counted.items())
    return tuple(words for words in found if words is not None)


def _channels(known: pl.DataFrame) -> tuple[tuple[str, int, int], ...]:
    if _CHANNEL not in known.columns:
        return ()
    ends = (
        known.drop_nulls(_CHANNEL)
        .group_by(_CHANNEL)
        .agg(pl.col("whose").sum(), pl.col("day").max())
        .sort(_CHANNEL)
    )
    return tuple((str(name), int(n), int(last)) for name, n, last in ends.iter_rows())
