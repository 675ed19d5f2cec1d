"""A table of its own, such as orders, whose rows keep customers active where there are no contracts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import Engine, Frame
from cxresearch.errors import DataError
from cxresearch.records.audit import Fact, Finding
from cxresearch.records.contact_attributes import FLAGS
from cxresearch.records.contacts import UNKNOWN
from cxresearch.records.contracts import (
    Raw,
    blank,
    check_types,
    customer_tests,
    first_reason,
    identity,
    is_no_day,
    opened,
    resolve,
)
from cxresearch.records.follow_up import Window
from cxresearch.records.rejections import counted, quarantine_of
from cxresearch.records.sources import clear_read_errors, section_source
from cxresearch.records.unreadable import described, unreadable_facts
from cxresearch.study import Study
from cxresearch.study.timestamps import counts_days
from cxresearch.study.words import missing_words

ACTIVE_REASONS = (
    ("no customer", True),
    ("customer is no whole number", True),
    ("no time", True),
    ("time not readable", True),
    ("exact duplicate", True),
    ("outside the log's window", False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRows:
    """The rows of `[retention]` that keep customers active, and the account of them.

    Attributes:
        rows: cx_row, id, day, second; those that are kept.
        read: rows of the table.
        kept: rows that are kept.
        findings: rows that are not, by reason.
        facts: what else is worth knowing.
        quarantine: rows with a fault.
    """

    rows: Frame
    read: int
    kept: int
    findings: tuple[Finding, ...]
    facts: tuple[Fact, ...]
    quarantine: tuple[tuple[str, pl.DataFrame], ...]


def read_active_rows(study: Study, engine: Engine, window: Window, *, dated: bool) -> ActiveRows:
    """Read the table of `[retention]` that keeps customers active.

    Args:
        study: whose table.
        engine: where it is read.
        window: that of the log.
        dated: whether the log holds dates rather than integer days.

    Raises:
        SourceError: it cannot be opened.
        DataError: a column is missing or of the wrong type, or no row can be kept.
    """
    with clear_read_errors(study, f"retention ({section_source(study, 'retention')})"):
        raw = _read(study, engine)
        if raw.dated != dated:
            raise DataError(
                "interactions.at and retention.at must both hold dates or both integer days: "
                f"{'dates' if dated else 'integer days'} and {'dates' if raw.dated else 'integer days'}"
            )
        outside = (nw.col("day") < window.first) | (nw.col("day") > window.last)
        late = first_reason([("outside the log's window", outside)], ACTIVE_REASONS)
        table = engine.keep(raw.table.with_columns(reason=nw.coalesce("reason", late)))
        findings, read, kept = counted(engine, "retention", table, ACTIVE_REASONS, raw.ordered)
        if not kept:
            raise _nothing_kept(study, engine, raw, table, findings)
        return ActiveRows(
            rows=table.filter(nw.col("reason").is_null()),
            read=read,
            kept=kept,
            findings=findings,
            facts=unreadable_facts(study, engine, raw, table, findings, read, ACTIVE_REASONS),
            quarantine=quarantine_of(engine, raw, table, "retention", ACTIVE_REASONS, findings),
        )


def _nothing_kept(
    study: Study, engine: Engine, raw: Raw, table: Frame, findings: tuple[Finding, ...]
) -> DataError:
    if not findings:
        return DataError("retention: the table has no rows")
    most, hint = max(findings, key=lambda f: f.rows), ""
    if "readable" in most.reason:
        held = described(study, engine, raw, table, most, ACTIVE_REASONS)
        hint = f"; say how retention.at is written with date_format{held}"
    return DataError(
        f"retention: none of {sum(f.rows for f in findings):,} rows can be kept; "
        f"{most.rows:,} fell to {most.reason!r}{hint}"
    )


def _read(study: Study, engine: Engine) -> Raw:
    """The table with its columns by their names here: cx_row, id, day, second, reason."""
    settings = study.retention
    source, schema, ordered = opened(study, engine, "retention")
    wanted = {"customer": settings.customer, "at": settings.at}
    columns = resolve(study, "retention", schema, wanted, ())
    check_types(schema, columns, "retention", fmt=settings.date_format)
    frame = engine.repeats(source, list(schema), [columns["customer"], columns["at"]])
    zone = study.interactions.time_zone
    frame = engine.instant(frame, columns["at"], fmt=settings.date_format, zone=zone)
    who, kind = nw.col(columns["customer"]), schema[columns["customer"]]
    time, nothing = schema[columns["at"]], missing_words(settings.null_values)
    dated = not counts_days(time.is_integer(), settings.date_format)
    empty = blank(nw.col(columns["at"]), time, nothing)
    if dated:
        empty = empty | nw.coalesce(is_no_day("cx_day"), nw.lit(False))
    frame = frame.with_columns(
        cx_at_none=empty, cx_customer=identity(who, kind, settings.null_values)
    )
    tests = [
        *customer_tests(who, kind),
        ("no time", nw.col("cx_at_none")),
        ("time not readable", nw.col("cx_day").is_null()),
        ("exact duplicate", nw.col("cx_repeat")),
    ]
    table = frame.select(
        "cx_row",
        nw.col("cx_customer").alias("id"),
        nw.col("cx_day").alias("day"),
        nw.col("cx_second").alias("second"),
        reason=first_reason(tests, ACTIVE_REASONS),
    )
    return Raw(source=source, table=table, dated=dated, ordered=ordered)


def with_active_rows(log: Frame, rows: Frame, attributes: Collection[str]) -> Frame:
    """The contacts of the log, which keep nobody active, and the rows that do.

    Such a row is a contact of which nothing is known: it has no grade and no attribute. ``ordered`` is 1 for it, so
    that what asks for the grade of contacts can leave it out.

    Args:
        log: contacts that are kept.
        rows: as `ActiveRows.rows`.
        attributes: names of the contact attributes of the log.
    """
    log = log.with_columns(
        active=nw.lit(0).cast(nw.Int32),
        ordered=nw.lit(0).cast(nw.Int32),
    )
    kinds = dict(log.collect_schema())
    known = {
        "cx_row": nw.col("cx_row"),
        "id": nw.col("id"),
        "day": nw.col("day"),
        "second": nw.col("second"),
        "grade": nw.lit(UNKNOWN),
        "both": nw.lit(False),
        "active": nw.lit(1),
        "ordered": nw.lit(1),
        **{name: nw.lit(0 if name in FLAGS else -1) for name in attributes},
    }
    nothing = nw.lit(None)
    made = [known.get(c, nothing).cast(kind).alias(c) for c, kind in kinds.items()]
    return nw.concat([log, rows.select(*made)], how="vertical")
