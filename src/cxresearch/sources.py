"""From what a study names to a table on an engine: files, globs, folders, frames in memory, queries over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import narwhals.stable.v2 as nw

from cxresearch import rules
from cxresearch.engines import Engine, Polars, reading_errors
from cxresearch.errors import SourceError, StudyError
from cxresearch.study import Format, Interactions, Retention, Study, Table

_PARQUET = (".parquet", ".pq")
_TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")


@contextmanager
def reading(study: Study, field: str) -> Iterator[None]:
    """Turn what an engine says about a bad file into one clear error, without secrets."""
    try:
        yield
    except reading_errors() as e:
        lines = [line.strip() for line in str(e).splitlines() if line.strip()]
        said = lines[0] if lines else type(e).__name__
        raise SourceError(study.redact(f"{field}: cannot be read: {said}")) from None


def open_source(study: Study, engine: Engine, where: str) -> Any:
    """The raw table of ``interactions`` or ``retention``, on the engine.

    Raises:
        SourceError: no such file, a kind of file that is not known, or a file that is not what its name says.
        StudyError: a variable without a value.
        RuleError: the query is refused.
    """
    section: Interactions | Retention = getattr(study, where)
    if where in study.frames:
        return engine.frame(study.frames[where])
    if section.query is not None:
        return _query(study, engine, section.query, f"{where}.query", _tables(study, engine))
    text = [section.customer]
    if isinstance(section, Retention):
        text += [c for c in (section.contract, section.cluster, section.segment, *section.covariates) if c]
    return _file(study, engine, section.source or "", section.format, f"{where}.source", text)


def table_rows(study: Study, engine: Engine) -> tuple[tuple[str, int], ...]:
    """How many rows each entry of [tables] has, in the order of the file."""
    counts = []
    for name, raw in _tables(study, engine).items():
        with reading(study, f"tables.{name}"):
            counts.append((name, int(engine.collect(nw.from_native(raw).select(nw.len())).item())))
    return tuple(counts)


def _tables(study: Study, engine: Engine) -> dict[str, Any]:
    opened = {name: engine.frame(f) for name, f in study.frames.items() if name not in ("interactions", "retention")}
    for name, table in study.tables.items():
        opened[name] = _table(study, engine, name, table, opened)
    return opened


def _table(study: Study, engine: Engine, name: str, table: Table, before: dict[str, Any]) -> Any:
    if table.query is not None:
        return _query(study, engine, table.query, f"tables.{name}.query", before)
    return _file(study, engine, table.source or "", table.format, f"tables.{name}", [])


def _query(study: Study, engine: Engine, sql: str, field: str, tables: dict[str, Any]) -> Any:
    checked = rules.query(sql, field, tuple(tables))
    with reading(study, field):
        return engine.query(checked, tables)


def _file(study: Study, engine: Engine, template: str, fmt: Format, field: str, text: list[str]) -> Any:
    if "://" in template:
        raise SourceError(f"{field}: databases are not read yet; export {template!r} to Parquet and name that file")
    files, hive = _local_files(study.folder / Path(study.fill(template, field)).expanduser(), template, field)
    kinds = {_kind(f) for f in files}
    if len(kinds) != 1 or None in kinds:
        raise SourceError(
            f"{field}: {template!r} is not a kind of file that can be read: name one ending in "
            f"{', '.join((*_PARQUET, *_TEXT))}, or a folder of .parquet files"
        )
    with reading(study, f"{field} ({template})"):
        if kinds == {"parquet"}:
            raw = engine.parquet(files, hive=hive)
        else:
            if any(f.endswith((".tsv", ".tsv.gz")) for f in files) and fmt.separator == ",":
                fmt = msgspec.structs.replace(fmt, separator="\t")
            known = Polars().csv(files, fmt, []).collect_schema()
            raw = engine.csv(files, fmt, [c for c in text if c in known])
        nw.from_native(raw).collect_schema()  # a file that is not what its name says shows here
    return raw


def _kind(path: str) -> str | None:
    if path.endswith(_PARQUET):
        return "parquet"
    return "text" if path.endswith(_TEXT) else None


def _local_files(place: Path, template: str, field: str) -> tuple[list[str], bool]:
    """The files meant, in order, and whether folder names such as ``year=2024`` are columns."""
    if place.is_dir():
        files = sorted(p for p in place.rglob("*.parquet") if not p.name.startswith(("_", ".")))
        start = place
    elif any(c in str(place) for c in "*?["):
        parts = place.parts
        fixed = next(i for i, part in enumerate(parts) if any(c in part for c in "*?["))
        start = Path(*parts[:fixed])
        files = sorted(p for p in start.glob(str(Path(*parts[fixed:]))) if p.is_file())
    else:
        files, start = [place] if place.exists() else [], place.parent
    if not files:
        raise SourceError(f"{field}: no file {template!r} (relative names start at the study file's folder)")
    for file in files:
        if file.stat().st_size == 0:
            raise SourceError(f"{field}: {template!r} is empty")
    return [str(f) for f in files], any("=" in part for f in files for part in f.relative_to(start).parts[:-1])


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
