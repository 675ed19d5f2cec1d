"""Files of any kind, but Parquet, to a table: text, workbooks, JSON and Arrow, packed or not.

What is found out about a file, such as its separator, is a `SourceNote`, which the audit shows. Parquet is read by each
engine itself.
"""

from __future__ import annotations

import csv
import logging
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl
from msgspec import structs

from cxresearch.errors import SourceError, nearest
from cxresearch.records.damaged import check_decodes
from cxresearch.records.encodings import find_encoding, to_utf8
from cxresearch.records.numbers_in_text import numbers_of, read_text_table
from cxresearch.records.unpack import FREE, MOST, RATIO, inner_name, packed_suffix, unpack
from cxresearch.study import Format, Source

KINDS = {
    "parquet": (".parquet", ".pq"),
    "text": (".csv", ".tsv", ".tab", ".psv", ".txt"),
    "workbook": (".xlsx", ".xls", ".xlsm", ".xlsb"),
    "json": (".json", ".ndjson", ".jsonl"),
    "arrow": (".arrow", ".feather", ".ipc"),
}
SMALL = 2**26  # bytes of text whose table is kept in memory
_HEAD = 2**16
_SEPARATORS = (",", ";", "\t", "|")
_NAMES_OF_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_LINES = 200
# what a spreadsheet program writes before the names of columns: the separator
_SEPARATOR_LINE = re.compile(r'^\ufeff?"?sep=(.)"?\r?\n', re.IGNORECASE)
# the end of a cell of a workbook with a formula and no value
_NO_VALUE = re.compile(rb"(?:</f>|<f [^>]*/>)(?:<v/>|<v></v>)?</c>")
# how files begin that are no text
_BEGINNINGS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind (.xls)"),
    (b"PAR1", "a Parquet file (.parquet)"),
    (b"ARROW1", "an Arrow file (.arrow)"),
    (b"\x1f\x8b", "a gzip file (.gz)"),
    (b"\x28\xb5\x2f\xfd", "a zstd file (.zst)"),
)
logging.getLogger("fastexcel").addHandler(logging.NullHandler())  # it speaks of empty columns


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNote:
    """Something that was found out about files instead of being declared.

    Attributes:
        table: the table read, such as ``interactions`` or ``tables.tickets``.
        what: as a phrase, such as ``read as cp1252``.
        count: how many files or cells.
        remedy: what to write where it is wrong.
        unit: what is counted: ``files`` or ``cells``.
        hint: names of columns and the like, which no page shows; appended to the remedy.
    """

    table: str
    what: str
    count: int
    remedy: str
    unit: str = "files"
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReader:
    """Reads the files of one source.

    Attributes:
        label: how the source is called in messages.
        table: the name of the table, for notes.
        source: how the files are written, as declared.
        text_columns: columns that stay text, whatever they look like.
        folder: a private folder for what is unpacked.
        notes: what was found out; `read` adds to it.
    """

    label: str
    table: str
    source: Source
    text_columns: Sequence[str]
    folder: Callable[[], Path]
    notes: list[SourceNote]

    def read(self, paths: Sequence[str]) -> tuple[list[str], pl.LazyFrame | None]:
        """Read files of one kind as one table.

        Returns:
            The unpacked files, and their table; no table where they are Parquet.

        Raises:
            SourceError: they are of several kinds or of none, are torn, or cannot be read as declared.
        """
        files = [Path(p) for p in paths]
        names = [inner_name(f, self.label) if packed_suffix(f.name) else f.name for f in files]
        kinds = {
            _kind(name, bool(packed_suffix(f.name))) for name, f in zip(names, files, strict=True)
        }
        if len(kinds) != 1 or None in kinds:
            endings = ", ".join(e for kind in KINDS.values() for e in kind)
            raise SourceError(
                f"{self.label} is not a kind of file that can be read: name one ending in {endings}, "
                "packed as .zip, .gz or .zst or not, or a folder of .parquet files"
            )
        (kind,) = kinds
        packed = [packed_suffix(f.name) for f in files]
        files = [
            unpack(f, self.folder(), self.label) if suffix else f
            for f, suffix in zip(files, packed, strict=True)
        ]
        for suffix in dict.fromkeys(s for s in packed if s):
            self._note(f"unpacked from {suffix}", packed.count(suffix), "")
        self._check_keys(str(kind))
        if kind == "parquet":
            for file in files:
                check_decodes(file)
            return [str(f) for f in files], None
        if kind == "workbook":
            table = self._together([self._workbook(f) for f in files]).lazy()
        elif kind == "arrow":
            table = self._arrow(files)
        elif kind == "json":
            table = self._json([self._in_utf8(f) for f in files]).lazy()
        else:
            table = self._text([self._in_utf8(f) for f in files], names)
        return [str(f) for f in files], table

    def _note(self, what: str, files: int, remedy: str) -> None:
        self.notes.append(SourceNote(table=self.table, what=what, count=files, remedy=remedy))

    def _check_keys(self, kind: str) -> None:
        """Keys that say nothing about this kind of file would be passed over in silence."""
        fitting = {
            "sheet": ("workbook",),
            "columns": ("text", "workbook"),
            "widths": ("text",),
            "encoding": ("text", "json"),
        }
        for key, kinds in fitting.items():
            if getattr(self.source, key) is not None and kind not in kinds:
                raise SourceError(
                    f"{self.label}: {key} belongs to files of another kind ({', '.join(kinds)}); leave it out"
                )

    def _in_utf8(self, path: Path) -> Path:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        for beginning, what in _BEGINNINGS:
            if head.startswith(beginning):
                raise SourceError(
                    f"{self.label} is {what}, whatever its name: give it the right ending"
                )
        encoding = self.source.encoding
        if encoding is None:
            encoding, is_guess = find_encoding(path, self.label)
            if is_guess:
                self._note(
                    f"read as {encoding}",
                    1,
                    'found by itself; say encoding = "…" where letters are wrong',
                )
            elif encoding not in ("utf-8", "utf-8-sig"):
                self._note(f"read as {encoding}", 1, "by the mark at its beginning")
        if encoding != "utf-8" or self.source.encoding is not None:  # whether it is so is tried
            path = to_utf8(path, encoding, self.folder(), self.label)
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if b"\0" in head:
            raise SourceError(
                f"{self.label} is not text in UTF-8 (it holds zero bytes): save it as CSV in UTF-8"
            )
        if b"\r" in head and b"\n" not in head:
            raise SourceError(
                f"{self.label} has line ends of an old kind (CR alone): save it with LF or CR LF"
            )
        return path

    def _text(self, paths: Sequence[Path], names: Sequence[str]) -> pl.LazyFrame:
        source = self.source
        if source.widths is not None:
            files = [self._fixed_width(p) for p in paths]
            return read_text_table(
                files, source.format, ",", self.text_columns, hold=self._hold(files)
            )
        fmt = source.format
        with paths[0].open(encoding="utf-8", errors="replace", newline="") as file:
            named_by_file = _SEPARATOR_LINE.match(file.readline(16)) if not fmt.skip_rows else None
        if named_by_file:
            fmt = structs.replace(fmt, skip_rows=1, separator=fmt.separator or named_by_file[1])
        separators = [self._separator(p, n, fmt) for p, n in zip(paths, names, strict=True)]
        if len(set(separators)) > 1:
            named = " and ".join(
                _NAMES_OF_SEPARATORS.get(s, repr(s)) for s in dict.fromkeys(separators)
            )
            raise SourceError(
                f"{self.label}: some files are separated by {named}: all files of a table must be written alike"
            )
        separator = separators[0]
        usual = "\t" if names[0].lower().endswith((".tsv", ".tab")) else ","
        if source.format.separator is None and separator != usual:
            self._note(
                f"separated by {_NAMES_OF_SEPARATORS.get(separator, repr(separator))}",
                len(paths),
                "found by itself; say separator under format where columns are wrong",
            )
        if source.columns is not None:
            for path in paths:
                self._check_width(path, separator, len(source.columns), fmt)
        return read_text_table(
            paths,
            fmt,
            separator,
            self.text_columns,
            columns=source.columns,
            hold=self._hold(paths),
        )

    def _hold(self, paths: Sequence[Path]) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
        """How text is kept once it is read: in memory if it is small, else as Parquet in the private folder."""
        is_small = sum(p.stat().st_size for p in paths) <= SMALL

        def hold(frame: pl.LazyFrame) -> pl.LazyFrame:
            if is_small:
                return frame.collect(engine="streaming").lazy()
            try:
                target = self.folder() / f"table-{len(list(self.folder().iterdir()))}"
                frame.sink_parquet(target, compression="lz4")
            except (
                SourceError,
                OSError,
            ):  # no folder, or no room in it: the text is read each time
                return frame
            return pl.scan_parquet(target, glob=False)

        return hold

    def _separator(self, path: Path, name: str, fmt: Format) -> str:
        """The separator: as declared, else the one that splits nearly all lines into as many fields as the first."""
        if fmt.separator is not None:
            return fmt.separator
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            head = file.read(_HEAD)
        lines = head.splitlines(keepends=True)[fmt.skip_rows :][:_LINES]
        lines = lines[:-1] if len(lines) > 2 and not lines[-1].endswith("\n") else lines
        usual = "\t" if name.lower().endswith((".tsv", ".tab")) else ","
        usual = "|" if name.lower().endswith(".psv") else usual
        best, most = usual, 1
        for separator in (usual, *(s for s in _SEPARATORS if s != usual)):
            if separator == "," and fmt.decimal_comma:
                continue
            reader = _csv_reader(lines, separator, fmt)
            try:
                counts = [len(row) for row in reader if row]
            except csv.Error:
                continue
            alike = sum(n == counts[0] for n in counts) if counts else 0
            if counts and counts[0] > most and alike >= 0.9 * len(counts):
                best, most = separator, counts[0]
        return ";" if best == "," and fmt.decimal_comma else best

    def _check_width(self, path: Path, separator: str, columns: int, fmt: Format) -> None:
        """The first line of a file without a header has as many fields as columns are named."""
        with path.open(encoding="utf-8-sig", newline="") as file:
            for _ in range(fmt.skip_rows):
                file.readline()
            first = next(_csv_reader(file, separator, fmt), [])
        if len(first) != columns:
            raise SourceError(
                f"{self.label}: its first line has {len(first)} fields, and columns names {columns}: "
                "name each field, or say separator or widths"
            )

    def _fixed_width(self, path: Path) -> Path:
        """Lines cut into columns, as a file with commas."""
        widths, names = self.source.widths or (), self.source.columns or ()
        stops = [sum(widths[: i + 1]) for i in range(len(widths))]
        target = self.folder() / f"columns-{len(list(self.folder().iterdir()))}"
        quote = self.source.format.quote or '"'
        with (
            path.open(encoding="utf-8-sig", newline=None) as file,
            target.open("w", encoding="utf-8", newline="") as to,
        ):
            writer = csv.writer(to, quotechar=quote, lineterminator="\n")
            writer.writerow(names)
            for number, text in enumerate(file, start=1):
                line = text.rstrip("\n")
                if number <= self.source.format.skip_rows or not line.strip():
                    continue
                if line[stops[-1] :].strip():
                    raise SourceError(
                        f"{self.label}: line {number:,} is longer than widths say ({len(line.rstrip())} letters, "
                        f"they add up to {stops[-1]}): {line[stops[-1] :].strip()[:40]!r} is left over"
                    )
                cuts = zip((0, *stops[:-1]), stops, strict=True)
                writer.writerow([line[a:b].strip() for a, b in cuts])
        return target

    def _workbook(self, path: Path) -> pl.DataFrame:
        import fastexcel

        self._check_workbook(path)
        try:
            book = fastexcel.read_excel(path)
        except fastexcel.FastExcelError as e:
            message = str(e).splitlines()[0][:200]
            locked = " (is it locked by a password?)" if "password" in str(e).lower() else ""
            raise SourceError(f"{self.label} is not a whole workbook{locked}: {message}") from None
        sheets = book.sheet_names
        sheet, listed = self.source.sheet, ", ".join(map(repr, sheets[:8]))
        if sheet is None and len(sheets) > 1:
            sheet = self._only_sheet(book)
        if sheet is not None and sheet not in sheets:
            raise SourceError(
                f"{self.label} has no sheet {sheet!r}{nearest(sheet, sheets)}; it has: {listed}"
            )
        columns, skipped = self.source.columns, self.source.format.skip_rows
        renamed: dict[str, str] = {}
        try:
            loaded = book.load_sheet(
                sheet or sheets[0],
                header_row=None if columns else skipped,
                skip_rows=skipped if columns and skipped else None,
                schema_sample_rows=None,
            )
            batch, errors = loaded.to_arrow_with_errors()
            if columns is None:
                renamed = _repeated_names(book, sheet or sheets[0], skipped, batch.schema.names)
        except fastexcel.FastExcelError as e:
            raise SourceError(
                f"{self.label}: the sheet cannot be read: {str(e).splitlines()[0][:200]}"
            ) from None
        result = cast(pl.DataFrame, pl.from_arrow(batch)).rename(renamed)
        if not result.width:
            raise SourceError(f"{self.label}: the sheet {sheet or sheets[0]!r} is empty")
        if columns is not None:
            if len(columns) != result.width:
                raise SourceError(
                    f"{self.label}: the sheet has {result.width} columns, and columns names {len(columns)}"
                )
            result.columns = list(columns)
        if errors is not None:
            self._note_error_cells(result.columns, errors.errors)
        return _whole_numbers(numbers_of(result, self.source.format, self.text_columns))

    def _only_sheet(self, book: Any) -> str:
        """The one sheet that is neither hidden nor empty.

        Raises:
            SourceError: there are several, or none.
        """
        seen = faults_of_sheets(book)
        usable: list[str] = [name for name, fault in seen.items() if not fault]
        if len(usable) == 1:
            others = ", ".join(f"{name!r} is {fault}" for name, fault in seen.items() if fault)
            note = SourceNote(
                table=self.table,
                what="read from the only sheet that is neither hidden nor empty",
                count=1,
                remedy="say sheet where it is another",
                hint=f": {usable[0]!r}; {others}",
            )
            self.notes.append(note)
            return usable[0]
        listed = [f'"{n}"' + (f" ({fault})" if fault else "") for n, fault in seen.items()]
        raise SourceError(
            f"{self.label} has {len(seen)} sheets ({', '.join(listed[:8])}): "
            f'say which, as in sheet = "{(usable or list(seen))[0]}"'
        )

    def _note_error_cells(self, columns: Sequence[str], errors: Iterable[Any]) -> None:
        """Cells that a formula has left without a value; they count as empty."""
        counted = Counter((columns[e.offset_position[1]], _error_name(e.detail)) for e in errors)
        if counted:
            listed = ", ".join(f"{n:,} {name} in {c!r}" for (c, name), n in counted.most_common(4))
            note = SourceNote(
                table=self.table,
                what="that hold an error of the workbook",
                count=counted.total(),
                remedy="taken as empty; mend the formulas, or save their values",
                unit="cells",
                hint=f": {listed}",
            )
            self.notes.append(note)

    def _check_workbook(self, path: Path) -> None:
        """A workbook of the new kind is a zip archive, which could hold far more than it seems to."""
        with path.open("rb") as file:
            head = file.read(8)
        if head.startswith(b"PK"):
            most = min(MOST, max(FREE, RATIO * path.stat().st_size))
            try:
                with zipfile.ZipFile(path) as archive:
                    held = sum(m.file_size for m in archive.infolist())
                    read = empty = 0
                    for member in archive.infolist():
                        is_sheet = member.filename.startswith("xl/worksheets/")
                        with archive.open(member) as file:
                            before = b""
                            while held <= most >= read and (piece := file.read(2**20)):
                                read += len(piece)
                                if is_sheet:
                                    whole, cell, before = (before + piece).rpartition(b"<c ")
                                    empty += len(_NO_VALUE.findall(whole))
                                    before = cell + before
                            empty += len(_NO_VALUE.findall(before)) if is_sheet else 0
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
                raise SourceError(f"{self.label} is not a whole workbook: save it again") from None
            if max(held, read) > most:
                raise SourceError(
                    f"{self.label} holds more than {most / 2**20:,.0f} MB, far more than its own size: "
                    "save the sheet as CSV"
                )
            if empty:
                note = SourceNote(
                    table=self.table,
                    what="of the workbook that hold a formula without its value",
                    count=empty,
                    remedy="taken as empty; open the workbook in a spreadsheet program and save it, with their values",
                    unit="cells",
                )
                self.notes.append(note)
        elif not head.startswith(b"\xd0\xcf\x11\xe0"):
            is_page = head.lstrip().lower().startswith((b"<html", b"<!doc", b"<table", b"<?xml"))
            what = "a web page" if is_page else "a file of another kind, perhaps text,"
            remedy = (
                "save it as a workbook" if is_page else "give it the right ending, such as .csv"
            )
            raise SourceError(
                f"{self.label} is no workbook, but {what} under the name of one: {remedy}"
            )

    def _json(self, paths: Sequence[Path]) -> pl.DataFrame:
        """Objects one to a line, or an array of them, whatever the ending is."""
        tables = []
        for path in paths:
            with path.open(encoding="utf-8-sig") as file:
                head = file.read(_HEAD).lstrip()
            is_array = head.startswith("[")
            if not (is_array or head.startswith("{")):
                raise SourceError(f"{self.label} is no JSON: it begins with {head[:20]!r}")
            reader = pl.read_json if is_array else pl.read_ndjson
            try:
                tables.append(reader(path, infer_schema_length=None))
            except pl.exceptions.PolarsError as e:
                message = str(e).splitlines()[0][:200]
                kind = "an array of objects" if is_array else "one object to a line"
                raise SourceError(f"{self.label} cannot be read as {kind}: {message}") from None
        if not any(t.width for t in tables):
            raise SourceError(f"{self.label} holds no object: there is nothing to read")
        try:
            table = pl.concat(tables, how="diagonal_relaxed")
        except pl.exceptions.PolarsError as e:
            raise SourceError(
                f"{self.label}: the files do not fit together: {str(e).splitlines()[0][:200]}"
            ) from None
        return numbers_of(table, self.source.format, self.text_columns)

    def _arrow(self, paths: Sequence[Path]) -> pl.LazyFrame:
        for path in paths:
            with path.open("rb") as file:
                head = file.read(6)
            if head.startswith(b"FEA1"):
                raise SourceError(
                    f"{self.label} is a Feather file of version 1: write it again as version 2 or as Parquet"
                )
            if head != b"ARROW1":
                raise SourceError(
                    f"{self.label} is not a whole Arrow file (a stream of Arrow is none): write it again as Parquet"
                )
        return pl.scan_ipc(list(paths))

    def _together(self, tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
        first, *others = tables
        if any(t.columns != first.columns for t in others):
            raise SourceError(f"{self.label}: all files of a table must have the same columns")
        return pl.concat(tables, how="vertical_relaxed")


def _csv_reader(lines: Iterable[str], separator: str, fmt: Format) -> Iterator[list[str]]:
    if not fmt.quote:
        return csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=separator, quotechar=fmt.quote)


def faults_of_sheets(book: Any) -> dict[str, str]:
    """The sheets of a workbook, and of each whether it is ``hidden`` or ``empty``; an empty text where it is neither.

    Args:
        book: as fastexcel opens it.
    """
    seen = {}
    for name in book.sheet_names:
        sheet = book.load_sheet(name, n_rows=0)
        seen[name] = "hidden" if sheet.visible != "visible" else "" if sheet.width else "empty"
    return seen


def _repeated_names(book: Any, sheet: str, skipped: int, names: Sequence[str]) -> dict[str, str]:
    """Columns whose name stands in a workbook twice, to the names that they have in text files."""
    numbered = [n for n in names if re.sub(r"_\d+$", "", n) in names and re.search(r"_\d+$", n)]
    if not numbered:
        return {}
    head = book.load_sheet(sheet, header_row=None, skip_rows=skipped or None, n_rows=1)
    written = cast(pl.DataFrame, pl.from_arrow(head.to_arrow())).cast(pl.String).row(0)
    repeated: Counter[str] = Counter()
    renamed = {}
    for name, shown in zip(names, written, strict=True):
        if name != shown and shown in names:
            renamed[name] = f"{shown}_duplicated_{repeated[shown]}"
            repeated[shown] += 1
    return renamed


def _kind(name: str, is_packed: bool) -> str | None:
    """The kind of a file by its name; a packed file whose name gives no hint holds text."""
    kind = next((k for k, ends in KINDS.items() if name.lower().endswith(ends)), None)
    return "text" if kind is None and is_packed and not re.search(r"\.\w+$", name) else kind


_ERROR_NAMES = {"Div0": "#DIV/0!", "NA": "#N/A", "GettingData": "#GETTING_DATA"}
_ERROR_NAMES |= {"Name": "#NAME?"} | {n: f"#{n.upper()}!" for n in ("Null", "Num", "Ref", "Value")}


def _error_name(detail: str) -> str:
    """An error of a cell as the workbook shows it."""
    kind = re.search(r"Error\((\w+)\)", detail)
    return _ERROR_NAMES.get(kind[1], kind[1]) if kind else "a value of another type"


def _whole_numbers(table: pl.DataFrame) -> pl.DataFrame:
    """A workbook knows floats alone: columns of whole numbers become integers."""
    floats = [c for c, t in table.schema.items() if t.is_float()]
    whole = [
        c
        for c in floats
        if (x := table[c].drop_nulls()).len()
        and bool(((x == x.floor()) & (x.abs() < 2.0**53)).all())
    ]
    return table.with_columns(pl.col(whole).cast(pl.Int64))
