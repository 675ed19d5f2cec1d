"""Times that cannot be read: which column, a few of its texts, and the key that tells how they are written."""

from __future__ import annotations

from collections.abc import Sequence

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import Engine, Frame, framed
from cxresearch.records.audit import Fact, Finding
from cxresearch.records.audit_values import CountOfTotal
from cxresearch.records.contracts import CUSTOMER_REASONS, LOG_REASONS, Raw
from cxresearch.study import Study
from cxresearch.study.timestamps import BLANKS, formats_of

Reasons = Sequence[tuple[str, bool]]
_SAMPLE = 50  # rows that texts are taken from
_SHOWN = 3
_COLUMNS = {
    "time not readable": ("at",),
    "start not readable": ("start",),
    "end not readable": ("end",),
    "observation not readable": ("observed_from", "observed_until"),
}


def unreadable_facts(
    study: Study,
    engine: Engine,
    raw: Raw,
    rows: Frame,
    findings: Sequence[Finding],
    read: int,
    reasons: Reasons | None = None,
) -> tuple[Fact, ...]:
    """For each reason of times that cannot be read: how many, a few texts, and the key that mends it.

    Args:
        study: whose table.
        engine: where the rows live.
        raw: the table as it came.
        rows: cx_row, reason.
        findings: of the table.
        read: rows read.
        reasons: names by position; those of the table of that name when not given.
    """
    return tuple(
        Fact(
            f"{f.table}.{' or '.join(_COLUMNS[f.reason])} not readable",
            CountOfTotal(f.rows, read),
            f"say how it is written with {_key(f.table)}",
            described(study, engine, raw, rows, f, reasons),
        )
        for f in findings
        if f.reason in _COLUMNS
    )


def described(
    study: Study,
    engine: Engine,
    raw: Raw,
    rows: Frame,
    finding: Finding,
    reasons: Reasons | None = None,
) -> str:
    """The column of a finding, three of its texts, and the formats that would read them; starts with a colon.

    Args: as `unreadable_facts`.
    """
    section = study.interactions if finding.table == "interactions" else study.retention
    declared = (getattr(section, c) for c in _COLUMNS[finding.reason])
    columns = [c for c in declared if isinstance(c, str)]
    usual = LOG_REASONS if finding.table == "interactions" else CUSTOMER_REASONS
    reasons = usual if reasons is None else reasons
    number = [name for name, _ in reasons].index(finding.reason)
    wrong = rows.filter(nw.col("reason") == number).select("cx_row").sort("cx_row").head(_SAMPLE)
    sample = framed(engine.frame(engine.collect(wrong)))
    picked = engine.collect(engine.pick(raw.source.select("cx_row", *columns), sample))
    picked = picked.sort("cx_row")
    return "".join(texts_of(picked[c], c) for c in columns)


def texts_of(values: pl.Series, column: str) -> str:
    """A column, three of its texts, and the formats that would read all of them; starts with a colon."""
    if values.dtype not in (pl.String, pl.Categorical, pl.Enum) and not values.dtype.is_numeric():
        return ""
    texts = values.cast(pl.String).str.strip_chars(BLANKS)
    texts = texts.filter(texts.is_not_null() & (texts != "")).unique(maintain_order=True)
    if not len(texts):
        return ""
    shown = ", ".join(repr(_short(t)) for t in texts[:_SHOWN].to_list())
    fitting = formats_of(texts)
    suggested = (
        f"; {' or '.join(map(repr, fitting))} would read {'them' if len(texts) > 1 else 'it'}"
    )
    return f": the column {column!r} holds {shown}{suggested if fitting else ''}"


def _key(table: str) -> str:
    return "at_format" if table == "interactions" else "date_format"


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
