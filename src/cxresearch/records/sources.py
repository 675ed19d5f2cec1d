"""From what a study names to a table on an engine: files, folders, databases, frames in memory, queries over them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import Engine, read_errors, schema_of
from cxresearch.engines import engine as engine_named
from cxresearch.engines.duckdb_files import spill_folder
from cxresearch.errors import SourceError, StudyError
from cxresearch.records import postgres
from cxresearch.records.files import KINDS, FileReader, SourceNote
from cxresearch.study import (
    Customers,
    Interactions,
    Retention,
    Source,
    Study,
    Table,
    check_names,
)
from cxresearch.study import sql as queries
from cxresearch.study.timestamps import is_number_format
from cxresearch.study.validation import DATED_EVENT_COLUMNS

_PARQUET = KINDS["parquet"]
# messages of engines, and what to do about them
_ADVICE = (
    (
        "(?i)parquet: file out of specification|no magic bytes|magic bytes not found|don't know what type",
        "it is not a whole Parquet file: write it again",
    ),
    (
        "(?i)^(?!.*parquet).*invalid utf-?8",
        'save it as UTF-8, or say how it is encoded, as in encoding = "cp1252"',
    ),
    (
        "(?i)^(?!.*parquet).*(more fields than|malformed|could not parse)",
        "look at quotes, separators and line ends; say under format how it is written",
    ),
    (
        "(?i)schema (names|lengths) differ|extra columns|missing column",
        "all files of a table must have the same columns",
    ),
    ("(?i)empty csv", "it has no line with column names"),
    (
        "(?i)^[^:]*query: .*(unsupported|not (currently )?supported|no function matches)",
        "Polars does not know it: write it otherwise, or read with the engine duckdb",
    ),
)


@contextmanager
def clear_read_errors(study: Study, field: str) -> Iterator[None]:
    """Turn the message of an engine about a bad file into one clear error, without secrets."""
    try:
        yield
    except read_errors() as e:
        message = _first_line(study.redact(str(e)), field) or type(e).__name__
        raise SourceError(f"{field}: cannot be read: {message}") from None


def _first_line(message: str, of: str) -> str:
    lines = [
        "".join(c if c.isprintable() else "?" for c in line).strip()
        for line in message.splitlines()
    ]
    advice = next(
        (f"; {do}" for pattern, do in _ADVICE if re.search(pattern, f"{of}: {message}", re.DOTALL)),
        "",
    )
    return next((line for line in lines if line), "")[:300] + advice


def open_source(study: Study, engine: Engine, where: str) -> Any:
    """The raw table of ``interactions``, ``retention`` or ``customers``, on the engine.

    Raises:
        SourceError: no such file, a kind of file that is not known, or a file of another kind than its name suggests.
        StudyError: a variable without a value.
        RuleError: the query is refused.
    """
    section: Interactions | Retention | Customers = getattr(study, where)
    _confine(study, engine)
    if where in study.frames:
        return _frame(study, engine, where)
    text = _text_columns(section)
    _PREPARED.setdefault(engine, _Prepared()).notes.pop(where, None)
    if section.query is not None and section.source is not None:
        return _served(study, engine, section.source, section.query, where, text)
    if section.query is not None:
        return _query(study, engine, section.query, f"{where}.query", _tables(study, engine))
    return _file(study, engine, section, where, text)


def _text_columns(section: Interactions | Retention | Customers) -> list[str]:
    """The columns of a text file that are no numbers, whatever they look like: ids, labels, and times in a format."""
    if isinstance(section, Interactions):
        fmt = section.at_format
        times = [section.at, *(getattr(section, c) or c for c in DATED_EVENT_COLUMNS)]
        result = [section.customer]
    elif isinstance(section, Customers):
        labels = (section.cluster, section.segment, *section.described)
        return [section.customer, *(c for c in labels if c)]
    elif section.kind == "activity":
        fmt, times, result = section.date_format, [section.at], [section.customer]
    else:
        fmt, times = section.date_format, [section.start, section.end]
        times += [c for c in (section.observed_from, section.observed_until) if isinstance(c, str)]
        labels = (section.contract, section.cluster, section.segment, *section.described)
        result = [section.customer, *(c for c in labels if c)]
    return result if fmt is None or is_number_format(fmt) else [*result, *times]


def _confine(study: Study, engine: Engine) -> None:
    """Let an engine read what the study names, and nothing else."""
    sections = study.sections
    files: list[str] = []
    for template in (s.source for s in sections if s.source and not s.query):
        # a wrong name is an error where the file is opened
        with suppress(StudyError, OSError, ValueError, RuntimeError, NotImplementedError):
            filled = study.fill(template, "source")
            if template.startswith("duckdb:"):
                name = filled.partition(":")[2].rpartition("/")[0]
                files.append(str(study.folder / Path(name).expanduser()))
            elif "://" not in filled and not template.startswith("spark:"):
                files += _local_files(study.folder, filled)[0]
    engine.confine(files, study.state)


def table_rows(study: Study, engine: Engine) -> tuple[tuple[str, int], ...]:
    """How many rows each entry of [tables] has, in the order of the file."""
    counts = []
    _confine(study, engine)
    for name, raw in _tables(study, engine).items():
        with clear_read_errors(study, f"tables.{name}"):
            counts.append((name, int(engine.collect(nw.from_native(raw).select(nw.len())).item())))
    return tuple(counts)


def _tables(study: Study, engine: Engine) -> dict[str, Any]:
    taken = ("interactions", "retention", *(("customers",) if study.has_customer_table else ()))
    given = [name for name in study.frames if name not in taken]
    opened = {name: _frame(study, engine, name) for name in given}
    for name, table in study.tables.items():
        opened[name] = _table(study, engine, name, table, opened)
    return opened


def _table(study: Study, engine: Engine, name: str, table: Table, before: dict[str, Any]) -> Any:
    if table.query is not None and table.source is not None:
        return _served(study, engine, table.source, table.query, f"tables.{name}", [])
    if table.query is not None:
        return _query(study, engine, table.query, f"tables.{name}.query", before)
    return _file(study, engine, table, f"tables.{name}", [])


def _frame(study: Study, engine: Engine, name: str) -> Any:
    with clear_read_errors(study, name):
        try:
            return engine.frame(study.frames[name])
        except (TypeError, AttributeError):
            kind = type(study.frames[name]).__name__
            raise SourceError(
                f"{name}: a table in memory must be a frame of Polars, pandas, Arrow or DuckDB, was {kind}"
            ) from None


def _query(study: Study, engine: Engine, sql: str, field: str, tables: dict[str, Any]) -> Any:
    with clear_read_errors(study, field):
        schemas = {name: dict(schema_of(raw)) for name, raw in tables.items()}
    checked = queries.query(sql, field, tuple(tables), schemas)
    with clear_read_errors(study, field):
        result = engine.query(checked, tables)
        schema_of(result)  # an unknown column shows here
    return result


def _served(study: Study, engine: Engine, source: str, sql: str, where: str, ids: list[str]) -> Any:
    with clear_read_errors(study, f"{where}.query"):
        raw = engine.parquet(
            [str(postgres.fetched(study, engine, source, sql, where, ids))], hive=False
        )
        schema_of(raw)
    return raw


@dataclass(slots=True)
class _Prepared:
    """Files that were unpacked, decoded or parsed, as long as an engine lives."""

    tables: dict[
        tuple[object, ...], tuple[list[str], pl.LazyFrame | None, tuple[SourceNote, ...]]
    ] = field(default_factory=dict)
    notes: dict[str, tuple[SourceNote, ...]] = field(default_factory=dict)  # of the last study
    folder: Path | None = None


_PREPARED: WeakKeyDictionary[Engine, _Prepared] = WeakKeyDictionary()


def source_notes(study: Study, engine: Engine) -> tuple[SourceNote, ...]:
    """What was found out about the files of a study that the engine has opened, tables of queries first."""
    prepared = _PREPARED.get(engine, _Prepared())
    names = [*(f"tables.{name}" for name in study.tables), "interactions"]
    has_table = study.retention.kind == "contract" or study.has_active_table
    names += ["retention"] if has_table else []
    names += ["customers"] if study.has_customer_table else []
    read = [n for n in names if n not in study.frames]
    return tuple(note for name in read for note in prepared.notes.get(name, ()))


def _file(study: Study, engine: Engine, section: Source, where: str, text: list[str]) -> Any:
    template, at = section.source or "", where if "." in where else f"{where}.source"
    if template.startswith(("duckdb:", "spark:")) and "://" not in template:
        return _stored(study, engine, template, at)
    if "://" in template or "://" in (filled := study.fill(template, at)):
        raise SourceError(
            f"{at}: {template!r} is an address; only files are read: export the table to Parquet and name that file"
            " (of a PostgreSQL server, a query next to the source is asked)"
        )
    try:
        files, hive = _local_files(study.folder, filled)
        empty = [f for f in files if Path(f).stat().st_size == 0]
    except (OSError, ValueError, RuntimeError, NotImplementedError) as e:
        raise SourceError(
            study.redact(f"{at}: {template!r} cannot be looked up: {_strerror(e)}")
        ) from None
    if not files:
        raise SourceError(
            f"{at}: no file {template!r} (relative names start at the study file's folder)"
        )
    if empty:
        raise SourceError(f"{at}: {template!r} is empty: a file of 0 bytes")
    with clear_read_errors(study, f"{at} ({template})"):
        paths, table = _prepare(study, engine, section, where, files, text, f"{at}: {template!r}")
        raw = engine.parquet(paths, hive=hive) if table is None else engine.table(table)
        schema_of(raw)  # a file of another kind than its name suggests fails here
    return raw


def _prepare(
    study: Study,
    engine: Engine,
    section: Source,
    where: str,
    files: list[str],
    text: list[str],
    label: str,
) -> tuple[list[str], pl.LazyFrame | None]:
    """Read files once for an engine: a log is opened several times, and unpacking it takes long."""
    prepared = _PREPARED.setdefault(engine, _Prepared())
    written = (section.format, section.sheet, section.columns, section.widths, section.encoding)
    stamps = tuple((f, Path(f).stat().st_mtime_ns, Path(f).stat().st_size) for f in files)
    key = (where, stamps, written, tuple(text))

    def folder() -> Path:
        if prepared.folder is None:
            prepared.folder = spill_folder(study.state, engine)
        if prepared.folder is None:
            raise SourceError(f"{label}: there is no folder to unpack it to; give one with --state")
        return prepared.folder

    if key not in prepared.tables:
        notes: list[SourceNote] = []
        reader = FileReader(
            label=label,
            table=where,
            source=section,
            text_columns=text,
            folder=folder,
            notes=notes,
        )
        paths, table = reader.read(files)
        prepared.tables[key] = paths, table, tuple(notes)
    paths, table, prepared.notes[where] = prepared.tables[key]
    return paths, table


def _stored(study: Study, engine: Engine, template: str, field: str) -> Any:
    """A table of a database: ``duckdb:folder/file.duckdb/table`` or ``spark:catalog.schema.table``."""
    kind, _, place = study.fill(template, field).partition(":")
    name, _, table = place.rpartition("/")
    file = study.folder / Path(name).expanduser()
    if kind == "duckdb" and not (name and table):
        raise SourceError(f"{field}: {template!r} names no table; write duckdb:file.duckdb/table")
    if kind == "duckdb" and not file.is_file():
        raise SourceError(
            f"{field}: no file for {template!r} (relative names start at the study file's folder)"
        )
    with clear_read_errors(study, f"{field} ({template})"):
        raw = engine.database(str(file), table) if kind == "duckdb" else engine.named_table(place)
        schema_of(raw)  # a table that is not there shows here
    return raw


def input_files(study: Study) -> list[Path] | None:
    """Every file a study reads, in order; None if something else is read, or a file is not there."""
    sections = study.sections
    templates = [s.source for s in sections if s.source]
    served = any(s.source and s.query for s in sections)
    if (
        study.frames
        or served
        or any(t.startswith(("duckdb:", "spark:")) or "://" in t for t in templates)
    ):
        return None
    result: list[Path] = []
    for template in templates:
        try:
            files, _ = _local_files(study.folder, study.fill(template, "source"))
        except (StudyError, OSError, ValueError, RuntimeError, NotImplementedError):
            return None
        if not files:
            return None
        result += map(Path, files)
    return result


def _strerror(e: Exception) -> str:
    return getattr(e, "strerror", None) or str(e)


def _local_files(folder: Path, name: str) -> tuple[list[str], bool]:
    """The files meant, in order, and whether folder names such as ``year=2024`` are columns."""
    place = folder / Path(name).expanduser()
    if place.is_dir():
        start = place
        result = [
            p
            for p in place.rglob("*")
            if p.suffix.lower() in _PARQUET and _seen(p.relative_to(place))
        ]
    elif place.exists() or not any(c in name for c in "*?["):
        result, start = [place] if place.exists() else [], place.parent
    else:
        # only the name may be a pattern, not the folder that the study lies in
        parts = Path(name).expanduser().parts
        fixed = next(i for i, part in enumerate(parts) if any(c in part for c in "*?["))
        start = folder.joinpath(*parts[:fixed])
        result = [p for p in start.glob(str(Path(*parts[fixed:]))) if p.is_file()]
    files = sorted(result)
    check_names(files)
    return [str(f) for f in files], any(
        "=" in part for f in files for part in f.relative_to(start).parts[:-1]
    )


def _seen(path: Path) -> bool:
    """Whether a name is not one of files that programs keep next to data, such as ``_metadata`` or ``.cache/``."""
    return not any(part.startswith((".", "_")) for part in path.parts)


def section_source(study: Study, where: str) -> str:
    """How a section's source is called in messages: the template, never a value."""
    section = getattr(study, where)
    if where in study.frames:
        return "the frame given"
    if section.query is not None:
        return f"{where}.query"
    if section.source is None:
        raise StudyError(f"[{where}] names no source", field=f"{where}.source")
    return str(section.source)


def frames_of(study: Study, engine: Engine | None = None) -> dict[str, pl.DataFrame]:
    """The tables of a study in memory, as its sources or queries give them, before anything is checked or graded.

    Args:
        study: whose ``interactions``, and ``retention`` or ``customers`` where there are such tables.
        engine: where they are read; Polars when not given.

    Raises:
        SourceError, StudyError, RuleError: as `open_source`.
    """
    used = engine or engine_named("polars")
    wanted = ["interactions"]
    if study.retention.kind == "contract":
        wanted.append("retention")
    elif study.has_customer_table:
        wanted.append("customers")
    result = {}
    for where in wanted:
        with clear_read_errors(study, where):
            result[where] = used.collect(nw.from_native(open_source(study, used, where)).lazy())
    return result
