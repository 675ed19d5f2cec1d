"""What is in a table, as far as the values themselves show it: types, times, ranges, values, keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

import polars as pl

from cxresearch.drafting.time_forms import TimeForm, forms_of_numbers, forms_of_texts
from cxresearch.engines import Engine
from cxresearch.study.words import fold, missing_words

Kind = Literal["text", "whole numbers", "numbers", "true or false", "times", "other"]
FEW = 24  # distinct values that can be listed
_SAMPLE = 5_000  # distinct texts that are looked at for how they are written
# words that stand for nothing, besides an empty field
NULL_WORDS = (
    "?",
    "-",
    "--",
    "NA",
    "N/A",
    "n/a",
    "NULL",
    "null",
    "None",
    "none",
    "nan",
    "NaN",
    "\\N",
)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)$")
_WHOLE = re.compile(r"[+-]?\d+$")
_YES_NO = (
    {"true", "false"},
    {"yes", "no"},
    {"y", "n"},
    {"t", "f"},
    {"ja", "nein"},
    {"oui", "non"},
    {"si", "no"},
    {"sí", "no"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """A column.

    Attributes:
        name: as it is called.
        kind: what its values are.
        rows: of the table.
        filled: rows with a value that is no word for a missing value.
        distinct: how many different values.
        low: the least value of numbers or times; the day of a time written as text; of other text None.
        high: the greatest.
        values: the values with their numbers of rows, if there are at most `FEW`; the most frequent first.
        times: ways in which the values can be read as times; several where day and month cannot be distinguished.
        null_words: words for missing values that occur.
        true_words: two words such as Ja and Nein, the one for yes first; empty where the column is no flag of words.
    """

    name: str
    kind: Kind
    rows: int
    filled: int
    distinct: int
    low: Any = None
    high: Any = None
    values: tuple[tuple[str, int], ...] = ()
    times: tuple[TimeForm, ...] = ()
    null_words: tuple[str, ...] = ()
    true_words: tuple[str, ...] = ()

    @property
    def is_time(self) -> bool:
        """Whether it can be read as times."""
        return bool(self.times)

    @property
    def is_flag(self) -> bool:
        """Whether its values mean yes or no."""
        return self.kind == "true or false" or bool(self.true_words)

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return 0 < self.filled == self.distinct

    def describe_values(self) -> str:
        """The values with their numbers of rows and shares, on one line."""
        shown = (f"{plain(v)}: {n:,} ({n / max(self.rows, 1):.0%})" for v, n in self.values)
        empty = self.rows - self.filled
        rest = [f"empty: {empty:,} ({empty / self.rows:.0%})"] if empty else []
        return ", ".join([*shown, *rest])


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """A table.

    Attributes:
        name: what a query may call it.
        source: as a study file names it.
        read_settings: keys of a study file that say how the file is read, such as ``separator``.
        reasons: why each of these is guessed.
        rows: how many.
        columns: in the order of the table.
        frame: the table itself.
        reader: the engine that opened it, and on which it lives.
    """

    name: str
    source: str
    read_settings: Mapping[str, Any]
    reasons: Mapping[str, str]
    rows: int
    columns: tuple[ColumnFacts, ...]
    frame: pl.LazyFrame = field(repr=False)
    reader: Engine = field(repr=False)

    @property
    def label(self) -> str:
        """The source, and the sheet where a workbook has several."""
        sheet = self.read_settings.get("sheet")
        return f"{self.source}, sheet {sheet!r}" if sheet else self.source

    def column(self, name: str) -> ColumnFacts:
        """The column of that name."""
        return next(c for c in self.columns if c.name == name)


def plain(value: object, longest: int = 40) -> str:
    """A value of a table as a comment shows it: on one line, no character that steers, cut if long."""
    text = "".join(c if c.isprintable() else "?" for c in str(value))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def unknown_null_words(columns: Iterable[ColumnFacts]) -> tuple[str, ...]:
    """Words for missing values in some columns that a study takes for values unless it names them."""
    known = missing_words()
    words = (w for c in columns for w in c.null_words if fold(w) not in known)
    return tuple(dict.fromkeys(words))


def columns_of(frame: pl.LazyFrame) -> tuple[int, tuple[ColumnFacts, ...]]:
    """The number of rows of a table, and what is in its columns.

    Args:
        frame: the table; every row is looked at.
    """
    schema = frame.collect_schema()
    asked = [pl.len().alias("rows")]
    for i, (name, dtype) in enumerate(schema.items()):
        if dtype.is_nested():
            continue
        x = pl.col(name)
        if dtype == pl.String:
            x = x.str.strip_chars()
            x = pl.when(~x.is_in(["", *NULL_WORDS])).then(x)
        asked += [x.count().alias(f"filled{i}"), x.drop_nulls().n_unique().alias(f"distinct{i}")]
        if dtype.is_numeric() or dtype.is_temporal():
            asked += [x.min().alias(f"low{i}"), x.max().alias(f"high{i}")]
    seen = frame.select(asked).collect(engine="streaming").row(0, named=True)
    return seen["rows"], tuple(
        _column(frame, i, name, dtype, seen) for i, (name, dtype) in enumerate(schema.items())
    )


def _column(
    frame: pl.LazyFrame, i: int, name: str, dtype: pl.DataType, seen: Mapping[str, Any]
) -> ColumnFacts:
    rows = seen["rows"]
    if dtype.is_nested():
        return ColumnFacts(name=name, kind="other", rows=rows, filled=rows, distinct=rows)
    filled, distinct = seen[f"filled{i}"], seen[f"distinct{i}"]
    low, high = seen.get(f"low{i}"), seen.get(f"high{i}")
    values = _values(frame, name) if 0 < distinct <= FEW else ()
    kind = _kind(dtype)
    times: tuple[TimeForm, ...] = ()
    words: tuple[str, ...] = ()
    yes_no: tuple[str, ...] = ()
    if dtype == pl.String:
        texts = _texts(frame, name)
        words = tuple(t for t in texts if t in NULL_WORDS)
        texts = [t for t in texts if t not in NULL_WORDS]
        times = forms_of_texts(texts)
        if times and times[0].key is None and all(t[4:8:3] == "--" for t in texts):
            low, high = texts[0][:10], texts[-1][:10]  # in their order as texts
        if texts and all(_WHOLE.match(t) for t in texts) and not any(_is_padded(t) for t in texts):
            kind = "whole numbers"
        elif texts and all(_NUMBER.match(t) for t in texts):
            kind = "numbers" if any("." in t or "," in t for t in texts) else kind
        yes_no = _yes_no(values)
        if kind != "text":
            numbers = [float(t.replace(",", ".")) for t in texts]
            low, high = min(numbers), max(numbers)
    elif dtype.is_temporal() and dtype not in (pl.Duration, pl.Time):
        times = (TimeForm(None, "a column of times"),)
    elif dtype.is_numeric() and low is not None and high is not None:
        times = forms_of_numbers(_numbers(frame, name), low, high)
    if dtype == pl.Float64 and low is not None and _is_whole(frame, name):
        kind = "whole numbers"
    return ColumnFacts(
        name=name,
        kind=kind,
        rows=rows,
        filled=filled,
        distinct=distinct,
        low=low,
        high=high,
        values=values,
        times=times,
        null_words=words,
        true_words=yes_no,
    )


def _kind(dtype: pl.DataType) -> Kind:
    if dtype == pl.Boolean:
        return "true or false"
    if dtype.is_integer():
        return "whole numbers"
    if dtype.is_numeric():
        return "numbers"
    if dtype in (pl.Date, pl.Datetime):
        return "times"
    return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else "other"


def _values(frame: pl.LazyFrame, name: str) -> tuple[tuple[str, int], ...]:
    """The values and how often each occurs; words for missing values are left out."""
    counted = (
        frame.select(pl.col(name).cast(pl.String).str.strip_chars().alias("value"))
        .filter(pl.col("value").is_not_null() & ~pl.col("value").is_in(["", *NULL_WORDS]))
        .group_by("value")
        .agg(rows=pl.len())
        .sort("rows", "value", descending=[True, False])
        .collect()
    )
    return tuple(counted.iter_rows())


def _texts(frame: pl.LazyFrame, name: str) -> list[str]:
    """Different texts, stripped and not empty; of many, evenly spread over all of them in order."""
    texts = (
        frame.select(pl.col(name).str.strip_chars().alias("text"))
        .filter(pl.col("text") != "")
        .unique()
        .sort("text")
        .collect()["text"]
    )
    return spread(texts.to_list(), _SAMPLE)


def _numbers(frame: pl.LazyFrame, name: str) -> list[float]:
    numbers = frame.select(pl.col(name).drop_nulls().unique().sort()).collect()[name]
    return spread(numbers.to_list(), _SAMPLE)


def spread(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[i * (len(items) - 1) // (most - 1)] for i in range(most)]


def _is_whole(frame: pl.LazyFrame, name: str) -> bool:
    x = pl.col(name)
    return bool(frame.select((x.is_finite() & (x == x.round(0))).all()).collect().item())


def _is_padded(text: str) -> bool:
    """Whether a number has zeros in front, as ids have."""
    return len(text) > 1 and text.startswith("0")


def _yes_no(values: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    words = [v for v, _ in values]
    if {w.lower() for w in words} not in _YES_NO or len(words) != 2:
        return ()
    return tuple(sorted(words, key=lambda w: w.lower() in ("false", "no", "n", "f", "nein", "non")))


def describe_tables(tables: Sequence[TableFacts]) -> str:
    """What was seen, as text: a line per column with its kind, how many values it has, and their range."""
    lines = []
    for table in tables:
        lines.append(f"{table.label}: {table.rows:,} rows")
        rows = [(plain(c.name), *_seen(c)) for c in table.columns]
        wide = [max(len(row[i]) for row in rows) for i in range(4)]
        for row in rows:
            cells = "  ".join(f"{x:<{w}}" for x, w in zip(row[:4], wide, strict=True))
            lines.append(f"  {cells}  {row[4]}".rstrip())
    return "\n".join(lines)


def _seen(c: ColumnFacts) -> tuple[str, str, str, str]:
    kind = "times" if c.is_time else "true or false" if c.is_flag else c.kind
    if c.values and len(c.values) <= 6:
        span = ", ".join(f"{plain(v, 20)} ({n:,})" for v, n in c.values)
    elif c.low is None:
        span = ""
    else:
        low, high = (as_day(x) if c.kind == "times" else _number(x) for x in (c.low, c.high))
        span = f"{low} to {high}"
    empty = c.rows - c.filled
    return kind, f"{c.distinct:,} different", f"{empty:,} empty" if empty else "", span


def _number(value: Any) -> str:
    """A number without a fraction as a whole one."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return plain(int(value) if is_whole else value)


def as_day(value: Any) -> str:
    """A time as the day that it lies on, for a comment."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else plain(value)
