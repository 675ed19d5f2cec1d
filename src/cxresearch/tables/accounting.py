"""The audit: every row of both tables accounted for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec
import polars as pl

from cxresearch.errors import SourceError
from cxresearch.html_tables import html_table
from cxresearch.trust import check_state, make_private


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows that were not kept for one reason.

    Attributes:
        table: ``interactions`` or ``retention``.
        reason: why, as a phrase.
        rows: how many.
        examples: the first two row numbers of the source, counted from 1; empty where the source is a query, whose
            rows have no order.
        fault: whether such a row is an error in the data (quarantined) or set aside on purpose.
    """

    table: str
    reason: str
    rows: int
    examples: tuple[int, ...]
    fault: bool


_EPOCH = date(1970, 1, 1).toordinal()


class Count(msgspec.Struct, frozen=True, tag=True):
    """How many.

    Attributes:
        count: rows, contacts or customers.
    """

    count: int

    def __str__(self) -> str:
        return f"{self.count:,}"


class Share(msgspec.Struct, frozen=True, tag=True):
    """How many out of a total.

    Attributes:
        count: rows, contacts or customers.
        total: of which they are a part; may be 0.
    """

    count: int
    total: int

    @property
    def share(self) -> float:
        """The part of the total, 0 to 1; 0 of an empty total."""
        return self.count / self.total if self.total else 0.0

    def __str__(self) -> str:
        return f"{self.count:,} ({self.share:.1%})" if self.total else f"{self.count:,}"


class Day(msgspec.Struct, frozen=True, tag=True):
    """A day.

    Attributes:
        number: days since 1 January 1970, or the integer that the source gives.
        is_dated: whether it is a date; otherwise the source counts days by integers.
    """

    number: int
    is_dated: bool

    def __str__(self) -> str:
        return date.fromordinal(self.number + _EPOCH).isoformat() if self.is_dated else str(self.number)


FactValue = Count | Share | Day


@dataclass(frozen=True, slots=True)
class Fact:
    """A number worth knowing that is not about rejected rows.

    Attributes:
        name: what is counted.
        value: the count, share or day; it becomes text where it is shown.
        note: why it matters; may be empty.
    """

    name: str
    value: FactValue
    note: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Audit:
    """What was read, kept and set aside.

    Attributes:
        tables: rows of each entry of [tables], by name.
        read: rows read, by table: (interactions, retention).
        kept: rows kept, likewise.
        findings: reasons with their rows, in the order they are checked; a row has one reason, the first that fits.
        facts: further numbers, in reading order.
        quarantine: the faulty rows, one frame per table, with ``row`` and ``reason``; a column of the source that
            has one of these names is called ``reason in the source``, and a date or time that no calendar has is
            said to be ``later than any calendar``, or earlier.
    """

    tables: tuple[tuple[str, int], ...]
    read: tuple[tuple[str, int], ...]
    kept: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]
    facts: tuple[Fact, ...]
    quarantine: tuple[tuple[str, pl.DataFrame], ...] = field(repr=False, default=())

    def __repr__(self) -> str:
        kept = dict(self.kept)
        return f"Audit({', '.join(f'{kept[t]:,} of {n:,} {t} kept' for t, n in self.read)})"

    def to_polars(self) -> pl.DataFrame:
        """One line per number: table, what, rows, examples."""
        lines = list(self._lines())
        return pl.DataFrame(lines, schema=["table", "what", "rows", "examples"], orient="row")

    def counts(self) -> tuple[tuple[str, str, int], ...]:
        """What identifies the data whatever engine or file format it came by: (table, reason, rows), sorted."""
        found = [(f.table, f.reason, f.rows) for f in self.findings]
        return tuple(sorted(found + [(t, "kept", n) for t, n in self.kept] + [(t, "read", n) for t, n in self.read]))

    def fact(self, name: str) -> FactValue | None:
        """The value of the fact of this name; None where the audit has none."""
        return next((f.value for f in self.facts if f.name == name), None)

    def write_quarantine(self, folder: Path) -> tuple[Path, ...]:
        """Write the faulty rows as CSV files that only their owner can read; returns their paths.

        Files of an earlier audit are replaced, or removed where there is nothing at fault any more.

        Raises:
            SourceError: the folder cannot be written.
            StateError: the folder is not trusted.
        """
        check_state(folder)
        written = []
        for table in ("interactions", "retention"):
            path, rows = folder / f"{table}.csv", dict(self.quarantine).get(table)
            try:
                path.unlink(missing_ok=True)  # what an earlier audit left, and whoever could read it
                if rows is None:
                    continue
                make_private(folder)
                with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                    _inert(rows).write_csv(file)
            except OSError as e:
                raise SourceError(
                    f"cannot write the quarantined rows to {path}: {e.strerror}; give another folder with --state"
                ) from None
            written.append(path)
        return tuple(written)

    def _lines(self) -> Iterator[tuple[str, str, str, str]]:
        for name, rows in self.tables:
            yield name, "rows", f"{rows:,}", ""
        for table, rows in self.read:
            yield table, "read", f"{rows:,}", ""
            for f in self.findings:
                if f.table == table:
                    where = "rows " + ", ".join(map(str, f.examples)) if f.examples else ""
                    yield table, f"{'quarantined' if f.fault else 'set aside'}: {f.reason}", f"{f.rows:,}", where
            yield table, "kept", f"{dict(self.kept)[table]:,}", ""
        for fact in self.facts:
            yield "", fact.name, str(fact.value), fact.note

    def __str__(self) -> str:
        lines = list(self._lines())
        wide = [max(len(line[i]) for line in lines) for i in range(3)]
        return "\n".join(
            f"{t:<{wide[0]}}  {what:<{wide[1]}}  {n:>{wide[2]}}  {note}".rstrip() for t, what, n, note in lines
        )

    def _repr_html_(self) -> str:
        rows = ((what, t, n, note) for t, what, n, note in self._lines())
        return html_table("Audit", ("what", "table", "rows", "where"), rows)


def _inert(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts that a spreadsheet would take for a formula begin with an apostrophe; numbers stay."""
    cell = pl.col(pl.String)
    formula = cell.str.contains(r"^[=+\-@\t\r]") & ~cell.str.contains(r"^[+-]?[0-9][0-9.,]*$")
    return rows.with_columns(pl.when(formula).then("'" + cell).otherwise(cell).name.keep())
