"""The audit: every row of both tables accounted for, with the facts it reports."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import ContactLog, Engine, Frame
from cxresearch.errors import SourceError, nearest
from cxresearch.records.audit_values import Count, CountOfTotal, Day, FactValue
from cxresearch.records.contacts import GRADES
from cxresearch.records.contracts import MissingWords
from cxresearch.records.dense_window import SeenWindow
from cxresearch.records.files import SourceNote
from cxresearch.records.follow_up import Window
from cxresearch.records.lapses import Lapse
from cxresearch.records.warnings import DataWarning
from cxresearch.study import Study
from cxresearch.study.validation import DATED_EVENT_COLUMNS
from cxresearch.utils.atomic import atomic_write
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Result, plain
from cxresearch.utils.trust import check_state, make_private

_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"  # the wide forms as well: some spreadsheets take them for the narrow ones


@dataclass(frozen=True, slots=True)
class Finding(Result):
    """Rows that were not kept for one reason.

    Attributes:
        table: ``interactions`` or ``retention``.
        reason: why, as a phrase.
        rows: how many.
        examples: the first two row numbers of the source, counted from 1; empty where the source is a query, whose
            rows have no order.
        fault: whether such a row is an error in the data (quarantined) or excluded on purpose.
    """

    table: str
    reason: str
    rows: int
    examples: tuple[int, ...]
    fault: bool


Entry = tuple[str, str, FactValue | None, str]  # table, what, value, note

_COLUMNS = {
    "table": pl.String,
    "what": pl.String,
    "count": pl.Int64,
    "total": pl.Int64,
    "day": pl.String,
    "note": pl.String,
}


@dataclass(frozen=True, slots=True)
class Fact(Result):
    """A number worth knowing that is not about rejected rows.

    Attributes:
        name: what is counted.
        value: the count, share or day; it becomes text where it is shown.
        note: why it matters; may be empty. It holds nothing of the data, so a page shows it.
        hint: what to put right, appended to the note; it may name a cell of a table, so no page shows it.
    """

    name: str
    value: FactValue
    note: str = ""
    hint: str = ""

    def to_polars(self) -> pl.DataFrame:
        """One row as those of `Audit.to_polars`."""
        return pl.DataFrame([_row(*self.entry())], schema=_COLUMNS, orient="row")

    def entry(self) -> Entry:
        """As a line of the audit; a fact belongs to no table."""
        return "", self.name, self.value, self.note + self.hint


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Audit(Result):
    """What was read, kept and rejected.

    Attributes:
        tables: rows of each entry of [tables], by name.
        read: rows read, by table: (interactions, retention).
        kept: rows kept, by table: (interactions, retention).
        findings: reasons with their rows, in the order they are checked; a row has one reason, the first that fits.
        facts: further numbers, in reading order.
        warnings: what makes numbers doubtful.
        graded_by: how contacts are graded, in words: the first rule that applies decides.
        fingerprint: what tells these data from others; the same on every engine, and wherever it is shown.
        quarantine: the faulty rows, one frame per table, with ``row`` and ``reason``; a column of the source that
            has one of these names is called ``reason in the source``, and a date or time that no calendar has is
            written as ``later than any calendar``, or earlier.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> audit = cx.audit(study)
        >>> audit
        Audit(2 of 2 interactions kept, 2 of 2 retention kept)
        >>> audit.fact("bad moments").count
        1
        >>> audit.to_polars().filter(what="kept").select("table", "count").rows()
        [('interactions', 2), ('retention', 2)]
    """

    tables: tuple[tuple[str, int], ...]
    read: tuple[tuple[str, int], ...]
    kept: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]
    facts: tuple[Fact, ...]
    warnings: tuple[DataWarning, ...] = ()
    graded_by: str = ""
    fingerprint: str = ""
    quarantine: tuple[tuple[str, pl.DataFrame], ...] = field(repr=False, default=())

    def __repr__(self) -> str:
        kept = dict(self.kept)
        return f"Audit({', '.join(f'{kept[t]:,} of {n:,} {t} kept' for t, n in self.read)})"

    def to_polars(self) -> pl.DataFrame:
        """One row per number: table, what, count, total (of which it is a part), day, note."""
        return pl.DataFrame([_row(*e) for e in self._entries()], schema=_COLUMNS, orient="row")

    def to_dict(self) -> dict[str, Any]:
        """The counts and facts; the quarantined rows themselves are left out."""
        return {
            "tables": dict(self.tables),
            "read": dict(self.read),
            "kept": dict(self.kept),
            "findings": plain(self.findings),
            "facts": plain(self.facts),
            "warnings": [w.to_dict() for w in self.warnings],
            "graded_by": self.graded_by,
            "fingerprint": self.fingerprint,
        }

    def counts(self) -> tuple[tuple[str, str, int], ...]:
        """What identifies the data whatever engine or file format it came by: (table, reason, rows), sorted."""
        result = [(f.table, f.reason, f.rows) for f in self.findings]
        return tuple(
            sorted(
                result
                + [(t, "kept", n) for t, n in self.kept]
                + [(t, "read", n) for t, n in self.read]
            )
        )

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
        for table in ("interactions", "retention", "customers"):
            path, rows = folder / f"{table}.csv", dict(self.quarantine).get(table)
            try:
                if rows is None:
                    path.unlink(missing_ok=True)  # what an earlier audit left
                    continue
                make_private(folder)
                atomic_write(path, _inert(rows).write_csv())
            except OSError as e:
                raise SourceError(
                    f"cannot write the quarantined rows to {path}: {e.strerror}; give another folder with --state"
                ) from None
            written.append(path)
        return tuple(written)

    def _entries(self) -> Iterator[Entry]:
        for name, rows in self.tables:
            yield name, "rows", Count(rows), ""
        for table, rows in self.read:
            yield table, "read", Count(rows), ""
            for f in self.findings:
                if f.table == table:
                    where = "rows " + ", ".join(map(str, f.examples)) if f.examples else ""
                    yield (
                        table,
                        f"{'quarantined' if f.fault else 'set aside'}: {f.reason}",
                        Count(f.rows),
                        where,
                    )
            yield table, "kept", Count(dict(self.kept)[table]), ""
        for fact in self.facts:
            yield fact.entry()
        if self.graded_by:
            yield "", "graded by", None, self.graded_by
        if self.fingerprint:
            yield "", "fingerprint of the data", None, self.fingerprint
        for warning in self.warnings:
            yield "", f"warning: {warning.code}", None, warning.sentence

    def _lines(self) -> Iterator[tuple[str, str, str, str]]:
        return (
            (table, what, "" if value is None else str(value), note)
            for table, what, value, note in self._entries()
        )

    def __str__(self) -> str:
        lines = [line for line in self._lines() if not line[1].startswith("warning: ")]
        wide = [max(len(line[i]) for line in lines) for i in range(3)]
        listed = [
            f"{t:<{wide[0]}}  {what:<{wide[1]}}  {n:>{wide[2]}}  {note}".rstrip()
            for t, what, n, note in lines
        ]
        return "\n".join([*warning_lines(self.warnings), *listed])

    def _repr_html_(self) -> str:
        rows = ((what, t, n, note) for t, what, n, note in self._lines())
        return html_table("Audit", ("what", "table", "rows", "where"), rows)


def warning_lines(warnings: Iterable[DataWarning]) -> list[str]:
    """Warnings as lines of text, with an empty line after them; nothing where there are none."""
    lines = [f"! {warning.code}: {warning.sentence}" for warning in warnings]
    return [*lines, ""] if lines else []


def _row(table: str, what: str, value: FactValue | None, note: str) -> tuple[object, ...]:
    """An entry as a row of `_COLUMNS`."""
    if value is None:
        return table, what, None, None, None, note
    if isinstance(value, Day):
        return table, what, None, None, str(value), note
    return (
        table,
        what,
        value.count,
        value.total if isinstance(value, CountOfTotal) else None,
        None,
        note,
    )


def _inert(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts that a spreadsheet would take for a formula begin with an apostrophe, heads too; numbers stay."""
    texts = rows.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    cell = pl.col(pl.String)
    formula = cell.str.contains(_FORMULA) & ~cell.str.contains(r"^[+-]?[0-9][0-9.,]*$")
    inert = texts.with_columns(pl.when(formula).then("'" + cell).otherwise(cell).name.keep())
    heads = {c: _free_head(f"'{c}", inert.columns) for c in inert.columns if re.match(_FORMULA, c)}
    return inert.rename(heads)


def _free_head(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name = f"'{name}"
    return name


@dataclass(frozen=True, slots=True)
class Tallied:
    """Numbers about the contacts that were kept.

    Attributes:
        grades: shape (4,), contacts of each grade.
        both: called bad and good at once by the rules.
        leaving: on the day on which the customer left.
        customers: who have a contact.
        bad_leaving: bad ones on the day on which the customer left.
    """

    grades: tuple[int, ...]
    both: int
    leaving: int
    customers: int
    bad_leaving: int = 0

    @property
    def contacts(self) -> int:
        """All that were kept."""
        return sum(self.grades)


def tallied(contacts: ContactLog) -> Tallied:
    """Count the contacts of the customers."""
    by = contacts.tally(("grade", "both", "leaving"))
    bad = by.filter(grade=0)
    return Tallied(
        _grades(by),
        _rows(by, "both", 1),
        _rows(by, "leaving", 1),
        contacts.customers(),
        _rows(bad, "leaving", 1),
    )


def tallied_log(engine: Engine, log: Frame) -> Tallied:
    """Count the contacts of a log that have no reason to be rejected."""
    fine = log.filter(nw.col("reason").is_null())
    by = engine.tally(fine.select("grade", nw.col("both").cast(nw.Int32)), ("grade", "both"))
    customers = int(engine.collect(fine.select(nw.col("id").n_unique())).item() or 0)
    return Tallied(_grades(by), _rows(by, "both", 1), 0, customers)


def _grades(by: pl.DataFrame) -> tuple[int, ...]:
    return tuple(_rows(by, "grade", i) for i in range(len(GRADES)))


def _rows(by: pl.DataFrame, column: str, value: int) -> int:
    return int(by.filter(pl.col(column) == value)["rows"].sum())


def window_facts(study: Study, window: Window, days: SeenWindow, dated: bool) -> tuple[Fact, ...]:
    """From when to when the log shows contacts, and by which rule: a stray date never widens it."""
    settings = study.interactions
    bounds = (
        ("from", window.first, settings.log_from, "first", days.seen_first),
        ("until", window.last, settings.log_until, "last", days.seen_last),
    )
    facts = []
    for name, day, given, which, seen in bounds:
        is_stray = given is None and seen != day
        rule = f"the {which} dense day" if is_stray else f"the {which} contact"
        # the key stands in the command's audit, which is for whoever has the study file, and on no page
        key = "" if given is not None else f", as log_{name} is not given"
        stray = f"; the {which} contact is dated {Day(seen, dated)}" if is_stray else ""
        note, hint = "" if given is not None else rule, f"{key}{stray}"
        facts.append(Fact(f"log {name}", Day(day, dated), note, hint))
    return tuple(facts)


_MEANING = {
    "start": "no start: the row is left out",
    "end": "still a customer",
    "observed_from": "no limit of their own",
    "observed_until": "no limit of their own",
    "cause": "no cause",
    "contract": "no contract of their own",
    "grade": "graded by what comes next, or unknown",
    "level": "graded by what comes next, or unknown",
    "attended": "not known",
    "is_problem": "no problem is counted",
    "handoff": "no hand-off is counted",
    "score": "no score",
    "respect": "no score",
    "solutions": "no score",
    "simplicity": "no score",
    "responsibility": "no score",
    **dict.fromkeys(DATED_EVENT_COLUMNS, "did not happen"),
}


def missing_facts(words: Iterable[MissingWords], read: Mapping[str, int]) -> tuple[Fact, ...]:
    """Words for missing values, by column, and what they are taken for.

    Args:
        words: of both tables.
        read: rows of each table.
    """
    return tuple(
        Fact(
            f"words for missing values in {w.column}",
            CountOfTotal(w.rows, read[w.table]),
            _MEANING.get(w.column, "unknown"),
            f": {', '.join(map(repr, w.words))}",
        )
        for w in words
    )


def grade_facts(kept: Tallied) -> tuple[Fact, ...]:
    """How many contacts of each grade."""
    facts = [
        Fact(f"{name} moments", CountOfTotal(n, kept.contacts))
        for name, n in zip(GRADES, kept.grades, strict=True)
    ]
    clash = (Fact("bad and good at once", Count(kept.both), "counted as bad"),) if kept.both else ()
    return (*facts, *clash)


def source_facts(notes: Sequence[SourceNote]) -> tuple[Fact, ...]:
    """What was found out about the files read, instead of being declared."""
    return tuple(
        Fact(f"{n.table}: {n.unit} {n.what}", Count(n.count), n.remedy, n.hint) for n in notes
    )


def unread_event_facts(words: Iterable[MissingWords], read: int) -> tuple[Fact, ...]:
    """Times of problems, complaints and the like that cannot be read, by column, with two of the texts.

    Args:
        words: what stands there.
        read: rows of the log.
    """
    return tuple(
        Fact(
            f"times not readable in {w.column}",
            CountOfTotal(w.rows, read),
            "taken as absent; name under null_values what means nothing, or bring them into the form of at by a query",
            f": {', '.join(map(repr, w.words))}",
        )
        for w in words
    )


def cause_facts(study: Study, engine: Engine, rows: Frame) -> tuple[Fact, ...]:
    """Causes of defection that nobody left for: most likely a slip of the pen."""
    wanted = study.retention.defection
    if not wanted:
        return ()
    left = rows.filter(~nw.col("cause").is_null()).select("cause").unique()
    seen = engine.collect(left)["cause"].to_list()
    return tuple(
        Fact(f"customers who left for {c!r}", Count(0), "listed under defection", nearest(c, seen))
        for c in wanted
        if c not in seen
    )


LAPSE = "days of silence that count as a lapse"


def lapse_facts(lapse: Lapse) -> tuple[Fact, ...]:
    """Which silence counts as a lapse, and how many of the silent come back."""
    longer = f", longer than the {lapse.declared:,} declared" if lapse.days > lapse.declared else ""
    note = (
        f"the shortest tried of which fewer than one in twenty come back within as long again{longer}"
        if lapse.is_certain
        else "as declared; of none that was tried is it known that so few come back, so contrasts cannot be supported"
    )
    facts = [Fact(LAPSE, Count(lapse.days), note)]
    for tried in lapse.tried:
        name = f"silent for {tried.days:,} days who come back within as long again"
        known = tried.returned is not None
        at = CountOfTotal(round((tried.returned or 0.0) * tried.silences), tried.silences)
        facts += [Fact(name, at, "false lapses, by Kaplan and Meier")] if known else []
    return tuple(facts)


def customer_facts(engine: Engine, customers: Frame, kept: Tallied) -> tuple[Fact, ...]:
    """Who left, who was not seen from the start, who never got in touch."""
    result = engine.collect(
        customers.select(
            n=nw.len(),
            left_truncated=nw.col("left_truncated").sum(),
            defected=(nw.col("event") == 1).cast(nw.Int64).sum(),
            other=(nw.col("event") == 2).cast(nw.Int64).sum(),
        )
    ).row(0, named=True)
    n = int(result["n"])
    return (
        Fact("customers who defected", CountOfTotal(int(result["defected"] or 0), n)),
        Fact(
            "customers who left for another cause",
            CountOfTotal(int(result["other"] or 0), n),
            "competing exits",
        ),
        Fact(
            "customers seen only from after their start",
            CountOfTotal(int(result["left_truncated"] or 0), n),
            "no counts, no first moments",
        ),
        Fact("customers without a contact", CountOfTotal(n - kept.customers, n)),
        Fact("contacts on the day of leaving", Count(kept.leaving), "explain nothing"),
    )


def spell_facts(engine: Engine, customers: Frame, spells: Frame) -> tuple[Fact, ...]:
    """How many customers came back and are at risk again, and how many relations there are.

    Args:
        engine: where the frames live.
        customers: one row per customer.
        spells: one row per relation.
    """
    n = int(engine.collect(customers.select(nw.len())).item())
    counted = spells.select(relations=nw.len(), again=(nw.col("cx_at") == 1).cast(nw.Int64).sum())
    relations, again = (int(v or 0) for v in engine.collect(counted).row(0))
    note = "at risk again from then on; what they had lived through before still counts"
    return (
        Fact("customers who came back", CountOfTotal(again, n), note),
        Fact("relations", Count(relations), "each from its own start on"),
    )
