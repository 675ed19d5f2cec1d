"""Contracts of the two tables: which columns, of which types, and what is wrong with a single row.

Both tables come out with a column ``reason``: the position of the first rule that a row breaks, or null.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import Any

import narwhals.stable.v2 as nw

from cxresearch.engines import Engine, Frame, schema_of
from cxresearch.errors import DataError, nearest
from cxresearch.records import contact_attributes, dated_events
from cxresearch.records.sources import open_source, section_source
from cxresearch.study import Study
from cxresearch.study.timestamps import BLANKS, counts_days
from cxresearch.study.words import NO_DAYS, missing_words

EPOCH = date(1970, 1, 1).toordinal()
_INTERNAL = ("cx_row", "cx_day", "cx_second", "cx_repeat", "cx_customer", "cx_reason")
_TEXTS = (nw.String, nw.Categorical, nw.Enum)
_DATES = ("start", "end", "observed_from", "observed_until")
_OWN = {
    *_INTERNAL,
    *(
        f"cx_{c}_{part}"
        for c in (*_DATES, *dated_events.DATES)
        for part in ("day", "second", "none")
    ),
}
_OWN |= {*(f"cx_{name}" for name in contact_attributes.NAMES), "cx_text"}
_OWN_NUMBERS = re.compile("cx_.*_none")
_EXACT = 2.0**53  # beyond it, a float is no longer every whole number

# (reason, is it a fault): the order is the order of checking
LOG_REASONS = (
    ("no customer", True),
    ("customer is no whole number", True),
    ("no time", True),
    ("time not readable", True),
    ("exact duplicate", True),
    ("score off the scale", True),
    ("excluded by rule", False),
    ("unknown customer", True),
    ("before the customer's start", True),
    ("customer set aside", False),
    ("after the customer's end", True),
    ("outside the log's window", False),
)
CUSTOMER_REASONS = (
    ("no customer", True),
    ("customer is no whole number", True),
    ("no start", True),
    ("start not readable", True),
    ("end not readable", True),
    ("observation not readable", True),
    ("exact duplicate", True),
    ("conflicting rows of one contract", True),
    ("end before start", True),
    ("start = end: never at risk", False),
    ("a later contract, after the first had ended", False),
    ("never under observation", False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A source as it came, numbered, and the canonical table made of it.

    Attributes:
        source: all columns as read, with ``cx_row``.
        table: canonical columns and ``reason``.
        plain: of a log whose ids are text, the same with the ids as they stand, and ``odd``: whether that is wrong.
        dated: whether times are dates rather than integer days.
        ordered: whether row numbers mean something to the reader of the source; those of a query do not.
        names: of a log, the texts behind the positions in columns such as ``touchpoint``.
        attributes: of a log, what is known of a contact besides its grade.
        dates: of a log, the columns that hold seconds since 1970 of dated events; see
            `cxresearch.records.dated_events`.
        labels: of a log of contracts, the columns with what contacts are called, as text.
        available: of a log, what histories may read; see `available_columns`.
        has_active: of a log, whether it has a column or rule for which contacts keep a customer active.
        left_out: of a log, attributes that the study does not name, whose columns cannot be what they are called: name,
            the type held, what would be needed.
        graded_by: of a log, how its contacts are graded, in words.
        missing: of a retention table, the words for missing values in its columns.
    """

    source: Frame
    table: Frame
    dated: bool
    ordered: bool
    plain: Frame | None = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    available: frozenset[str] = frozenset()
    has_active: bool = False
    left_out: tuple[tuple[str, str, str], ...] = ()
    graded_by: str = ""
    missing: tuple[MissingWords, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingWords:
    """Words for missing values in a column.

    Attributes:
        table: ``interactions`` or ``retention``.
        column: its canonical name.
        rows: how many rows hold one.
        words: the first and the last of them, of words and of days.
    """

    table: str
    column: str
    rows: int
    words: tuple[str, ...]


def first_reason(
    tests: Sequence[tuple[str, nw.Expr]], reasons: Sequence[tuple[str, bool]]
) -> nw.Expr:
    """The position in `reasons` of the first test, in that order, that holds; else null."""
    place = {name: i for i, (name, _) in enumerate(reasons)}
    ordered = sorted(tests, key=lambda t: place[t[0]], reverse=True)
    return reduce(
        lambda rest, t: nw.when(t[1]).then(nw.lit(place[t[0]])).otherwise(rest),
        ordered,
        nw.lit(None),
    ).cast(nw.Int32)


def read_customers(study: Study, engine: Engine) -> Raw:
    """The retention table of a contract study, before its rows are put together per customer.

    Columns: cx_row, id, start, end (days; null = still a customer), cause, contract, cluster, segment,
    observed_from, observed_until (days or null), the covariates, reason.

    Raises:
        DataError: a column is missing or of the wrong type.
    """
    settings = study.retention
    source, schema, ordered = opened(study, engine, "retention")
    kept = settings.described
    declared = {
        c: getattr(settings, c)
        for c in ("cause", "contract", "segment", "cluster")
        if getattr(settings, c)
    }
    dates = {
        c: v
        for c in ("observed_from", "observed_until")
        if isinstance(v := getattr(settings, c), str)
    }
    wanted = {
        "customer": settings.customer,
        "start": settings.start,
        "end": settings.end,
        **declared,
        **dates,
    }
    optional = ("cause", "segment", "cluster")
    columns = resolve(study, "retention", schema, {**wanted, **{c: c for c in kept}}, optional)
    check_types(schema, columns, "retention", fmt=settings.date_format)
    check_labels(schema, {c: columns[c] for c in (*declared, *kept)})
    if settings.date_format is None:
        _check_same_kind(engine, source, schema, {c: columns[c] for c in ("start", "end", *dates)})
    frame = engine.repeats(source, list(schema), [columns["customer"], columns["start"]])
    for name in ("start", "end", *dates):
        frame = engine.instant(
            frame,
            columns[name],
            fmt=settings.date_format,
            zone=study.interactions.time_zone,
            name=f"cx_{name}",
        )
    words = missing_words(settings.null_values)
    dated = not counts_days(schema[columns["start"]].is_integer(), settings.date_format)
    empty = {
        c: blank(nw.col(columns[c]), schema[columns[c]], words)
        | (nw.coalesce(is_no_day(f"cx_{c}_day"), nw.lit(False)) if dated else nw.lit(False))
        for c in ("start", "end", *dates)
    }
    unread = {c: nw.col(f"cx_{c}_day").is_null() & ~nw.col(f"cx_{c}_none") for c in ("end", *dates)}
    frame = frame.with_columns(
        cx_customer=identity(
            nw.col(columns["customer"]), schema[columns["customer"]], settings.null_values
        ),
        **{f"cx_{c}_none": empty[c] for c in empty},
    )
    labels = missing_words(settings.null_values, is_label=True)
    described = {c: columns[c] for c in ("cause", "contract", "segment", *kept) if c in columns}
    missing = _missing(
        engine,
        frame,
        schema,
        {
            **{c: (columns[c], words) for c in ("start", "end", *dates)},
            **{c: (column, labels) for c, column in described.items()},
        },
        dated=dated,
    )
    frame = frame.with_columns(
        **{
            f"cx_{c}_day": nw.when(~nw.col(f"cx_{c}_none")).then(nw.col(f"cx_{c}_day"))
            for c in empty
        }
    )
    tests = [
        *customer_tests(nw.col(columns["customer"]), schema[columns["customer"]]),
        ("no start", nw.col("cx_start_none")),
        ("start not readable", nw.col("cx_start_day").is_null()),
        ("end not readable", unread["end"]),
        *(("observation not readable", unread[c]) for c in dates),
        ("exact duplicate", nw.col("cx_repeat")),
        ("end before start", nw.col("cx_end_day") < nw.col("cx_start_day")),
        ("start = end: never at risk", nw.col("cx_end_day") == nw.col("cx_start_day")),
    ]
    nothing = nw.lit(None).cast(nw.String)
    texts = {
        c: label_text(nw.col(columns[c]), schema[columns[c]], labels) if c in columns else nothing
        for c in ("cause", "contract", "segment")
    }
    cluster = (
        identity(nw.col(columns["cluster"]), schema[columns["cluster"]], settings.null_values)
        if "cluster" in columns
        else nothing
    )
    days = {
        c: nw.col(f"cx_{c}_day") if c in dates else _day_literal(getattr(settings, c))
        for c in ("observed_from", "observed_until")
    }
    table = frame.select(
        "cx_row",
        nw.col("cx_customer").alias("id"),
        nw.col("cx_start_day").alias("start"),
        nw.col("cx_end_day").alias("end"),
        **texts,
        cluster=nw.coalesce(cluster, nw.col("cx_customer")),
        **{k: v.cast(nw.Int32) for k, v in days.items()},
        **{c: label_text(nw.col(columns[c]), schema[columns[c]], labels) for c in kept},
        reason=first_reason(tests, CUSTOMER_REASONS),
    )
    return Raw(source=source, table=table, dated=dated, ordered=ordered, missing=missing)


def _missing(
    engine: Engine,
    frame: Frame,
    schema: Mapping[str, nw.dtypes.DType],
    columns: Mapping[str, tuple[str, tuple[str, ...]]],
    *,
    dated: bool,
) -> tuple[MissingWords, ...]:
    """The words for missing values in the columns of the retention table, counted at one go."""
    counted: dict[tuple[str, str], nw.Expr] = {}
    for name, (column, words) in columns.items():
        word = missing_word(nw.col(column), schema[column], words)
        counted |= {(name, "words"): word} if word is not None else {}
        if name in _DATES and dated:
            counted[name, "days"] = missing_day(f"cx_{name}_day")
    if not counted:
        return ()
    written = frame.select(**{"_".join(key): word for key, word in counted.items()})
    totals = [
        how.alias(f"{'_'.join(key)}_{part}")
        for key in counted
        for part, how in (
            ("rows", nw.col("_".join(key)).count()),
            ("first", nw.col("_".join(key)).min()),
            ("last", nw.col("_".join(key)).max()),
        )
    ]
    values = iter(engine.collect(written.select(*totals)).row(0))
    by_name: dict[str, dict[str, tuple[int, Any, Any]]] = {}
    for name, kind in counted:
        by_name.setdefault(name, {})[kind] = (int(next(values)), next(values), next(values))
    found = (missing_words_of("retention", name, kinds) for name, kinds in by_name.items())
    return tuple(words for words in found if words is not None)


def opened(
    study: Study, engine: Engine, where: str, *, numbered: bool = True
) -> tuple[Frame, dict[str, Any], bool]:
    """The source with its rows numbered, its columns, and whether its row numbers stand."""
    section = getattr(study, where)
    ordered = where in study.frames or section.query is None
    raw = open_source(study, engine, where)
    for column in schema_of(raw):
        if column.lower() in _OWN or _OWN_NUMBERS.fullmatch(column):
            raise DataError(
                f"{where}: {section_source(study, where)} has a column {column!r}, "
                "a name that is used otherwise: rename it"
            )
    source = engine.rows(raw)
    schema = dict(source.collect_schema())
    schema.pop("cx_row")
    if numbered and not ordered and section.source is None:
        # a query may give its rows in another order each time, and the numbers must keep their rows; what a server has
        # answered lies in a file
        source = engine.keep(source)
    return source, schema, ordered


def day_number(value: date | int | None) -> int | None:
    """A date or integer day as a day number."""
    if value is None or isinstance(value, int):
        return value
    return value.toordinal() - EPOCH


def is_missing(column: nw.Expr, dtype: nw.dtypes.DType, words: Sequence[str]) -> nw.Expr:
    """Whether a text is one of some folded words; no number or date is."""
    if dtype not in _TEXTS:
        return nw.lit(False)
    folded = column.cast(nw.String).str.strip_chars(BLANKS).str.to_lowercase()
    return nw.coalesce(folded.is_in(list(words)), nw.lit(False))


def is_no_day(column: str) -> nw.Expr:
    """Whether a day is one that programs write where they have none, such as 9999-12-31."""
    return nw.col(column).is_in(list(NO_DAYS))


def missing_word(column: nw.Expr, dtype: nw.dtypes.DType, words: Sequence[str]) -> nw.Expr | None:
    """The word for a missing value in a column, as it is written; null elsewhere. None where it holds no text."""
    if dtype not in _TEXTS:
        return None
    written = column.cast(nw.String).str.strip_chars(BLANKS)
    return nw.when(is_missing(column, dtype, words)).then(written)


def missing_day(column: str) -> nw.Expr:
    """The day in a column of days that stands for none, such as 9999-12-31; null elsewhere."""
    return nw.when(is_no_day(column)).then(nw.col(column)).cast(nw.Int32)


def missing_words_of(
    table: str, column: str, counted: Mapping[str, tuple[int, Any, Any]]
) -> MissingWords | None:
    """What was counted of a column; None where nothing was.

    Args:
        table: ``interactions`` or ``retention``.
        column: its canonical name.
        counted: of ``words`` and of ``days``, as far as there are: rows, the first and the last.
    """
    rows = sum(n for n, _, _ in counted.values())
    ends = [
        NO_DAYS[int(end)] if kind == "days" else str(end)
        for kind, (n, *both) in counted.items()
        for end in both
        if n
    ]
    return (
        MissingWords(table=table, column=column, rows=rows, words=tuple(sorted({*ends})))
        if rows
        else None
    )


def identity(column: nw.Expr, dtype: nw.dtypes.DType, null_values: tuple[str, ...] = ()) -> nw.Expr:
    """The canonical text of an id: 17, 17.0 and "17" are one; blanks around it do not count.

    Null where it is empty or a word for a missing value.
    """
    if _inexact(dtype):
        column = column.cast(nw.Float64)
        column = nw.when(column > -_EXACT, column < _EXACT).then(column)
        as_integer = column.cast(nw.Int64)
        column = nw.when(as_integer.cast(nw.Float64) == column).then(as_integer)
    text = column.cast(nw.String).str.strip_chars(BLANKS)
    if dtype == nw.String:
        # what pandas makes of whole numbers among missing ones, once they are written as text
        text = (
            nw.when(text.str.contains(r"^-?[0-9]+[.]0+$"))
            .then(text.str.replace_all(r"[.]0+$", ""))
            .otherwise(text)
        )
    words = missing_words(null_values)
    return nw.when((text != "") & ~is_missing(text, nw.String(), words)).then(text)


def label_text(column: nw.Expr, dtype: nw.dtypes.DType, words: Sequence[str]) -> nw.Expr:
    """What a customer is sorted by, as text, without blanks around it; null where it is empty or missing."""
    if dtype.is_float():
        column = nw.when(~column.is_nan()).then(column)
    if dtype == nw.Date:
        days = column >= date(1000, 1, 1), column <= date(9999, 12, 31)
        column = nw.when(*days).then(column)  # others stop an engine
    text = column.cast(nw.String).str.strip_chars(BLANKS)
    return nw.when((text != "") & ~is_missing(text, nw.String(), words)).then(text)


def _inexact(dtype: nw.dtypes.DType) -> bool:
    return dtype.is_float() or (dtype == nw.Decimal and getattr(dtype, "scale", 1) != 0)


def customer_tests(column: nw.Expr, dtype: nw.dtypes.DType) -> list[tuple[str, nw.Expr]]:
    """Whether a row has no customer, or one that is no whole number where it should be."""
    missing = nw.col("cx_customer").is_null()
    if not _inexact(dtype):
        return [("no customer", missing)]
    absent = column.is_null() | column.cast(nw.Float64).is_nan()
    return [("no customer", absent), ("customer is no whole number", missing)]


def blank(column: nw.Expr, dtype: nw.dtypes.DType, words: Sequence[str]) -> nw.Expr:
    """Whether nothing is written in a column, or a word for a missing value."""
    if dtype not in _TEXTS:
        return column.is_null()
    text = column.cast(nw.String)
    return text.is_null() | text.str.strip_chars(BLANKS).str.to_lowercase().is_in(["", *words])


def _day_literal(value: Any) -> nw.Expr:
    return nw.lit(None) if value is None or isinstance(value, str) else nw.lit(day_number(value))


def resolve(
    study: Study,
    where: str,
    schema: Mapping[str, Any],
    declared: Mapping[str, str],
    optional: Sequence[str],
) -> dict[str, str]:
    """Canonical name to column: as declared, else the column of the canonical name where there is one."""
    for canonical, column in declared.items():
        if column not in schema:
            hint = "; a date is written without quotes" if canonical.startswith("observed") else ""
            if any(c.startswith("__UNNAMED__") for c in schema):
                hint = (
                    "; if a title stands above the names, pass over it with skip_rows under format"
                )
            raise DataError(
                f"{where}.{canonical}: {section_source(study, where)} has no column {column!r}"
                f"{nearest(column, schema)}{hint}; it has: {_listed(schema)}"
            )
    columns = {**{c: c for c in optional if c in schema}, **declared}
    for canonical, column in columns.items():
        if f"{column}_duplicated_0" in schema:
            raise DataError(
                f"{where}.{canonical}: {section_source(study, where)} has two columns {column!r}: rename one of them"
            )
    return columns


def check_types(
    schema: Mapping[str, nw.dtypes.DType],
    columns: Mapping[str, str],
    where: str,
    *,
    score: bool = False,
    fmt: str | None = None,
) -> None:
    """Whether ids are ids, times are times and scores are numbers.

    Raises:
        DataError: they are not.
    """
    if score and "score" in columns and not schema[columns["score"]].is_numeric():
        held = _called(schema[columns["score"]])
        raise DataError(
            f"{where}.score: the column {columns['score']!r} must hold numbers, holds {held}"
        )
    for canonical in ("customer", "at", "start", "end", "observed_from", "observed_until"):
        column = columns.get(canonical)
        if column is None:
            continue
        dtype = schema[column]
        if canonical == "customer":
            fits, wanted = (
                dtype == nw.String or dtype.is_numeric() or dtype in (nw.Categorical, nw.Enum),
                "text or whole numbers",
            )
        else:
            fits = (dtype.is_numeric() if fmt else dtype.is_integer()) or dtype in (
                nw.String,
                nw.Date,
                nw.Datetime,
                nw.Categorical,
                nw.Enum,
            )
            wanted = "times, dates, ISO text or integer days"
        if not fits:
            key = "at_format" if canonical == "at" else "date_format"
            is_count = canonical != "customer" and dtype.is_numeric()
            hint = f'; say what the numbers count, as in {key} = "epoch_ms" or, of a spreadsheet, "excel"'
            hint = hint if is_count else ""
            raise DataError(
                f"{where}.{canonical}: the column {column!r} must hold {wanted}, holds {_called(dtype)}{hint}"
            )


def check_labels(
    schema: Mapping[str, nw.dtypes.DType], columns: Mapping[str, str], where: str = "retention"
) -> None:
    """Whether columns can sort customers.

    Raises:
        DataError: one cannot.
    """
    for canonical, column in columns.items():
        dtype = schema[column]
        if not (
            dtype.is_numeric() or dtype in (nw.String, nw.Boolean, nw.Date, nw.Categorical, nw.Enum)
        ):
            raise DataError(
                f"{where}.{canonical}: the column {column!r} must hold text, numbers, booleans or dates, "
                f"holds {_called(dtype)}"
            )


def _check_same_kind(
    engine: Engine, source: Frame, schema: Mapping[str, nw.dtypes.DType], columns: Mapping[str, str]
) -> None:
    """All times of one table are dates, or all are integer days; a column without a value is either."""
    start = columns["start"]
    for canonical, column in columns.items():
        same_kind = schema[column].is_integer() == schema[start].is_integer()
        if not same_kind and engine.collect(source.select(nw.col(column).count())).item():
            raise DataError(
                f"retention.start and retention.{canonical} must both hold dates or both integer days: the columns "
                f"{start!r} and {column!r} hold {_called(schema[start])} and {_called(schema[column])}"
            )


def _listed(schema: Mapping[str, Any]) -> str:
    shown = [name if len(name) <= 40 else f"{name[:39]}…" for name in list(schema)[:40]]
    more = f" and {len(schema) - 40} more" if len(schema) > 40 else ""
    return ", ".join(shown) + more


def _called(dtype: nw.dtypes.DType) -> str:
    return "text" if dtype == nw.String else str(dtype).lower()
