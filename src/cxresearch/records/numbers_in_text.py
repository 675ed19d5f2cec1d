"""Text tables with types: which columns hold numbers, whatever marks thousands and decimals."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from cxresearch.study import Format
from cxresearch.study.timestamps import BLANKS

_LEADING_ZERO = r"^[+-]?0[0-9]"
_PLAIN_INTEGER = r"^-?(0|[1-9][0-9]*)$"
_HEAD = 10_000  # lines that suggest types
_SPACES = "  \u00a0\u2009\u202f"  # what is taken for a blank between thousands
_QUOTES = "'’"


def read_text_table(
    paths: Sequence[Path],
    fmt: Format,
    separator: str,
    text: Sequence[str],
    *,
    columns: Sequence[str] | None = None,
    hold: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda frame: frame,
) -> pl.LazyFrame:
    """Text files as one table.

    The first lines suggest the types, and the files are read once, with these. Where a later value does not fit, every
    value is looked at before the files are read.

    Args:
        paths: files in UTF-8.
        fmt: how they are written.
        separator: between two fields.
        text: columns that stay text, whatever they look like.
        columns: names, where the files have no header.
        hold: reads a lazy frame and gives it back as one that is quick to go through again.

    Returns:
        A lazy frame. Numbers with leading zeros, or too long for an integer, are text.
    """

    def scan(types: Mapping[str, Any], infer: int | None) -> pl.LazyFrame:
        return pl.scan_csv(
            list(paths),
            separator=separator,
            quote_char=fmt.quote or None,
            decimal_comma=fmt.decimal_comma,
            has_header=columns is None,
            new_columns=None if columns is None else list(columns),
            skip_rows=fmt.skip_rows,
            null_values=list(fmt.null_values),
            infer_schema_length=infer,
            schema_overrides=types,
            glob=False,
        )

    if fmt.thousands is None and (once := _read_once(scan, text, hold)) is not None:
        return once
    types = dict(scan({}, None).collect_schema())
    if fmt.thousands is not None:
        table = scan(dict.fromkeys(types, pl.String), 0).collect()
        return numbers_of(table, fmt, text).lazy()
    types |= {c: pl.String() for c in text if c in types}
    types |= {c: pl.String() for c, t in types.items() if t == pl.Int128}
    integers = [c for c, t in types.items() if t == pl.Int64]
    as_text = scan({**types, **dict.fromkeys(integers, pl.String)}, 0)
    padded = [pl.col(integers).str.contains(_LEADING_ZERO).any()] if integers else []
    # every column is read once, since a line with too many fields is no error to a reader of few columns
    read = as_text.select(
        *padded, *(pl.col(c).null_count() for c in types if c not in integers)
    ).collect()
    types |= {c: pl.String() for c in integers if read[c].item()}
    return hold(scan(types, 0))


def _read_once(
    scan: Callable[[Mapping[str, Any], int | None], pl.LazyFrame],
    text: Sequence[str],
    hold: Callable[[pl.LazyFrame], pl.LazyFrame],
) -> pl.LazyFrame | None:
    """The table with the types of its first lines; None where a later value does not fit them.

    An integer fits if it is written as one would write it: without a sign, blanks or zeros before it.
    """
    # what is wrong with the files is said by the one who looks at every value
    with suppress(pl.exceptions.PolarsError):
        types = dict(scan({}, _HEAD).collect_schema())
        types |= {c: pl.String() for c, t in types.items() if c in text or t == pl.Int128}
        integers = [c for c, t in types.items() if t == pl.Int64]
        is_odd = f"is_odd {max(types, key=len, default='')}"  # longer than any name there is
        odd = [
            pl.col(c).is_not_null()
            & ~(
                pl.col(c).str.contains(_PLAIN_INTEGER)
                & pl.col(c).cast(pl.Int64, strict=False).is_not_null()
            )
            for c in integers
        ]
        read = scan({**types, **dict.fromkeys(integers, pl.String)}, 0)
        numbers = (pl.col(c).cast(pl.Int64, strict=False) for c in integers)
        table = hold(
            read.with_columns(*numbers, pl.any_horizontal(*odd, pl.lit(value=False)).alias(is_odd))
        )
        # a column that begins empty has shown no type yet
        late = [c for c, t in types.items() if t == pl.String and c not in text]
        first = table.head(_HEAD).select(pl.col(late).count()).collect()
        late = [c for c in late if not first[c].item()]
        unfit = table.select(pl.col(is_odd).any(), *(pl.col(c).count() > 0 for c in late))
        if not any(unfit.collect().row(0)):
            return table.drop(is_odd)
    return None


def numbers_of(table: pl.DataFrame, fmt: Format, text: Sequence[str]) -> pl.DataFrame:
    """A table whose columns of text become numbers where all their values are written as such.

    Args:
        table: the table.
        fmt: its ``thousands`` and ``decimal_comma``; without ``thousands``, and without a decimal comma, nothing is
            done.
        text: columns that stay text.
    """
    if fmt.thousands is None and not fmt.decimal_comma:
        return table
    marks = {" ": _SPACES, "'": _QUOTES}.get(fmt.thousands or "", fmt.thousands or "")
    decimal = "," if fmt.decimal_comma else "."
    between = f"[{re.escape(marks)}]"
    grouped = f"[0-9]{{1,3}}(?:{between}[0-9]{{3}})+|" if marks else ""
    number = rf"^[+-]?(?:{grouped}[0-9]+)(?:{re.escape(decimal)}[0-9]+)?$"
    converted = []
    for name, kind in table.schema.items():
        if kind != pl.String or name in text:
            continue
        x = table[name].str.strip_chars(BLANKS)
        there = x.filter(x.is_not_null() & (x != ""))
        is_number = there.len() and bool(there.str.contains(number).all())
        if not is_number or there.str.contains(_LEADING_ZERO).any():
            continue
        plain = x.str.replace_all(between, "") if marks else x
        plain = plain.str.replace(decimal, ".", literal=True)
        is_long = bool((there.str.len_chars() > 23).any())
        is_whole = not there.str.contains(re.escape(decimal)).any() and not is_long
        values = (
            plain.cast(pl.Int64, strict=False) if is_whole else plain.cast(pl.Float64, strict=False)
        )
        if values.null_count() == x.len() - there.len():
            converted.append(values)
    return table.with_columns(converted)
