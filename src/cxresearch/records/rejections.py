"""Rejected rows: counted by reason, kept for the user to open, and fatal where nothing else is left."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import Engine, Frame
from cxresearch.engines.polars import in_calendar
from cxresearch.errors import DataError
from cxresearch.records.audit import Finding
from cxresearch.records.contracts import CUSTOMER_REASONS, Raw
from cxresearch.records.unreadable import described
from cxresearch.study import Study

LOST_ENDS = 0.01  # of the rows
_NO_END = "end not readable"


def counted(
    engine: Engine, table: str, rows: Frame, reasons: tuple[tuple[str, bool], ...], ordered: bool
) -> tuple[tuple[Finding, ...], int, int]:
    """How many rows have each reason, with two examples where row numbers stand; how many there are, and are kept.

    Args:
        engine: where the rows live.
        table: ``interactions`` or ``retention``.
        rows: cx_row, reason.
        reasons: names, and whether each is a fault; a reason is a position.
        ordered: whether row numbers mean something to the reader of the source.
    """
    counted = engine.collect(
        rows.group_by("reason").agg(rows=nw.len(), first=nw.col("cx_row").min())
    ).sort("reason", nulls_last=True)
    counts = {r["reason"]: (int(r["rows"]), int(r["first"])) for r in counted.iter_rows(named=True)}
    findings = []
    for code, (n, first) in counts.items():
        if code is None:
            continue
        name, fault = reasons[code]
        if not ordered:
            findings.append(Finding(table, name, n, (), fault))
            continue
        others = rows.filter((nw.col("reason") == code) & (nw.col("cx_row") > first)).select(
            nw.col("cx_row").min()
        )
        second = engine.collect(others).item()
        findings.append(
            Finding(table, name, n, (first,) if second is None else (first, int(second)), fault)
        )
    kept = counts.get(None, (0, 0))[0]
    return tuple(findings), sum(n for n, _ in counts.values()), kept


def need_ends(
    study: Study,
    engine: Engine,
    raw: Raw,
    rows: Frame,
    findings: tuple[Finding, ...],
    read: int,
) -> None:
    """Whoever has an end that cannot be read has left: without these customers, fewer would seem to leave.

    Args:
        study: whose retention table.
        engine: where it lives.
        raw: the table as it came.
        rows: cx_row, reason.
        findings: of `counted`.
        read: rows of the table.

    Raises:
        DataError: more than a hundredth of the rows would be lost so.
    """
    lost = sum(f.rows for f in findings if f.reason == _NO_END)
    if lost <= LOST_ENDS * read:
        return
    settings = study.retention
    code = [name for name, _ in CUSTOMER_REASONS].index(_NO_END)
    bad = rows.filter(nw.col("reason") == code).select("cx_row")
    written = engine.collect(engine.pick(raw.source, bad).select(settings.end))
    words = _shown(written.to_series()).cast(pl.String).alias("word").to_frame()
    counts = words.group_by("word").len().sort("len", "word", descending=[True, False])
    listed = counts["word"].head(3).to_list()
    raise DataError(
        f"retention.end: the column {settings.end!r} cannot be read in {lost:,} of {read:,} rows ({lost / read:.1%}): "
        f"{', '.join(map(repr, listed))}; they are of customers who left, and without them fewer would seem to leave. "
        "Say how the end is written with date_format, or name under null_values in [retention] what means that "
        f"somebody is still a customer; at most {LOST_ENDS:.0%} may be lost"
    )


def need_rows(
    study: Study,
    engine: Engine,
    table: str,
    rows: Frame,
    findings: tuple[Finding, ...],
    read: int,
    kept: int,
    ids: str = "",
    *,
    raw: Raw,
) -> None:
    """The fatal findings: an empty table, nobody in common, nothing kept."""
    if read == 0:
        raise DataError(f"{table}: the table has no rows")
    if kept:
        return
    most = max(findings, key=lambda f: f.rows)
    if most.reason == "unknown customer" and ids:
        raise DataError(
            "interactions and retention have no customers in common: check that interactions.customer and "
            f"retention.customer name the same ids (the log's look like {ids_of(engine, rows)}, "
            f"those of the customers like {ids})"
        )
    where = f" (row {most.examples[0]}, for one)" if most.examples else ""
    field, fmt = ("at", "at_format") if table == "interactions" else ("start", "date_format")
    hint = ""
    if "readable" in most.reason:
        held = described(study, engine, raw, rows, most)
        hint = f"; say how {table}.{field} is written with {fmt}{held}"
    if most.reason == "outside the log's window":
        settings = study.interactions
        hint = f"; log_from is {settings.log_from or 'not given'}, log_until is {settings.log_until or 'not given'}"
    raise DataError(
        f"{table}: none of {read:,} rows can be kept; {most.rows:,} fell to {most.reason!r}{where}{hint}"
    )


def ids_of(engine: Engine, rows: Frame) -> str:
    """The first and the last id, for a message."""
    known = engine.collect(rows.select(first=nw.col("id").min(), last=nw.col("id").max()))
    return ", ".join(dict.fromkeys(repr(i) for i in known.row(0) if i is not None)) or "nothing"


def quarantine_of(
    engine: Engine,
    raw: Raw,
    rows: Frame,
    table: str,
    reasons: tuple[tuple[str, bool], ...],
    findings: tuple[Finding, ...],
) -> tuple[tuple[str, pl.DataFrame], ...]:
    """The rows of the source that have a fault, with their numbers and the reason; nothing where there are none.

    Args:
        engine: where the rows live.
        raw: the source.
        rows: cx_row, reason.
        table: ``interactions`` or ``retention``.
        reasons: names, and whether each is a fault.
        findings: of `counted`.
    """
    if not any(f.fault for f in findings):
        return ()
    faults = [i for i, (_, fault) in enumerate(reasons) if fault]
    bad = rows.filter(nw.col("reason").is_in(faults)).select("cx_row", cx_reason=nw.col("reason"))
    result = engine.collect(engine.pick(raw.source, bad)).sort("cx_row")
    names = pl.col("cx_reason").replace_strict(
        dict(enumerate(r for r, _ in reasons)), return_dtype=pl.String
    )
    nested = [c for c, t in result.schema.items() if t.is_nested() or t in (pl.Binary, pl.Object)]
    others = [c for c in result.columns if c not in ("cx_row", "cx_reason", *nested)]
    first = "row" if raw.ordered else "row of the query"
    renamed = {"reason": _free("reason", others), first: _free(first, others)}
    columns = [_shown(result[c]).alias(renamed.get(c, c)) for c in others]
    return ((table, result.select(pl.col("cx_row").alias(first), names.alias("reason"), *columns)),)


def _shown(column: pl.Series) -> pl.Series:
    """A column that can be written: one with a date or time beyond the calendar as text."""
    if not isinstance(column.dtype, pl.Date | pl.Datetime):
        return column
    table, there = column.to_frame("x"), in_calendar(pl.col("x"), column.dtype)
    if table.select((~there).any()).item() is not True:
        return column
    # the number itself has another unit on another engine
    late, early = pl.lit("later than any calendar"), pl.lit("earlier than any calendar")
    beyond = pl.when(pl.col("x").to_physical() > 0).then(late).otherwise(early)
    within: pl.Expr = pl.when(there).then(pl.col("x"))
    within = (
        within.dt.cast_time_unit("us") if column.dtype == pl.Datetime else within
    )  # as every engine has them
    within = within.dt.to_string("iso:strict")
    return table.select(pl.when(~there).then(beyond).otherwise(within)).to_series()


def _free(name: str, taken: list[str]) -> str:
    """A free name for a column of the source whose name the quarantine uses itself."""
    name = f"{name} in the source"
    while name in taken:
        name += "_"
    return name
