"""From the files that somebody names to tables, opened as studies open them; how to read them is guessed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cxresearch.drafting.facts import (
    ColumnFacts,
    TableFacts,
    columns_of,
    plain,
    unknown_null_words,
)
from cxresearch.drafting.text_files import TextForm, inspect_text, is_text_file
from cxresearch.engines import Engine, engine
from cxresearch.errors import SourceError
from cxresearch.records.files import faults_of_sheets
from cxresearch.records.sources import clear_read_errors, open_source
from cxresearch.study import Format, Interactions, study_from


def inspect_files(files: Sequence[Path], folder: Path) -> tuple[TableFacts, ...]:
    """What is in some files; those of one kind with the same columns are one table.

    Args:
        files: paths of files, or of folders of Parquet files.
        folder: where the study file will lie; sources are named from there.

    Raises:
        SourceError: a file is not there, or cannot be read.
    """
    missing = next((f for f in files if not f.exists()), None)
    if missing is not None:
        raise SourceError(f"no file {missing}")
    result: list[TableFacts] = []
    reader = engine("polars")  # what it has unpacked is there as long as it is
    for group in _groups(list(dict.fromkeys(files))):
        source = name_source(group, folder)
        for form in _forms(group[0]):
            frame = open_table(reader, source, form.keys, folder)
            with _open_errors(source):
                rows, columns = columns_of(frame)
                if is_text_file(group[0]) and _name_null_words(form, columns):
                    frame = open_table(reader, source, form.keys, folder)
                    rows, columns = columns_of(frame)
            if not rows:
                raise SourceError(f"{source}: the table has no rows")
            sheet = form.keys.get("sheet", "")
            result.append(
                TableFacts(
                    name=_table_name(group, sheet, [t.name for t in result]),
                    source=source,
                    read_settings=form.keys,
                    reasons=form.reasons,
                    rows=rows,
                    columns=columns,
                    frame=frame,
                    reader=reader,
                )
            )
    return tuple(result)


def _name_null_words(form: TextForm, columns: Sequence[ColumnFacts]) -> bool:
    """Write down the words for missing values that a study would take for values; whether there are any."""
    words = unknown_null_words(columns)
    if not words:
        return False
    where = [plain(c.name) for c in columns if set(c.null_words) & set(words)]
    some = ", ".join(where[:4]) + (f" and {len(where) - 4} more" if len(where) > 4 else "")
    form.say("null_values", ["", *words], f"{', '.join(words)} stands for nothing in {some}")
    return True


def _forms(file: Path) -> list[TextForm]:
    """How a file is read; a workbook of several sheets in as many ways."""
    if is_text_file(file):
        return [inspect_text(file)]
    if file.suffix.lower() not in _WORKBOOKS:
        return [TextForm()]
    sheets = sheets_of(file)
    if len(sheets) < 2:
        return [TextForm()]
    usable = [name for name, fault in sheets.items() if not fault]
    others = [f"{name!r} is {fault}" for name, fault in sheets.items() if fault]
    what = f"of which {', '.join(others)}" if others else "and each is looked at"
    forms = []
    for sheet in usable or sheets:
        form = TextForm()
        form.say("sheet", sheet, f"the workbook has {len(sheets)} sheets, {what}")
        forms.append(form)
    return forms


def sheets_of(file: Path) -> dict[str, str]:
    """The sheets of a workbook, and of each whether it is ``hidden`` or ``empty``; an empty text where it is neither.

    Raises:
        SourceError: it cannot be read.
    """
    import fastexcel

    try:
        return faults_of_sheets(fastexcel.read_excel(file))
    except (fastexcel.FastExcelError, OSError) as e:
        first = (str(e).splitlines() or [type(e).__name__])[0]
        raise SourceError(f"{file}: the workbook cannot be read: {first[:200]}") from None


def open_table(reader: Engine, source: str, how: Mapping[str, Any], folder: Path) -> pl.LazyFrame:
    """Open a table as a study would.

    Args:
        reader: the engine that opens it.
        source: as a study file names it.
        how: keys that say how it is read.
        folder: where the study file lies.

    Raises:
        SourceError: it cannot be opened.
    """
    raw = {"interactions": {"source": source, **place_keys(how)}, **_ACTIVITY}
    study = study_from(raw, folder=folder)
    result = open_source(study, reader, "interactions")
    return result.lazy() if isinstance(result, pl.DataFrame) else result


_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
_ACTIVITY = {"retention": {"kind": "activity", "gap_days": 1}}


def _open_errors(source: str) -> Any:
    """The error of an engine on a bad file, as one clear error."""
    return clear_read_errors(study_from({"interactions": {"source": source}, **_ACTIVITY}), source)


def place_keys(how: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that say how a file is read, where a section of a study file holds them."""
    result: dict[str, Any] = {}
    for key, value in how.items():
        is_format = key == "null_values" or (
            key in Format.__struct_fields__ and key not in Interactions.__struct_fields__
        )
        (result.setdefault("format", {}) if is_format else result)[key] = value
    return result


def name_source(files: Sequence[Path], folder: Path) -> str:
    """How a study file in `folder` names some files: relative where they lie below it, with a * for several."""
    paths = [str(f.resolve()) for f in files]  # a link stays a link
    start = str(folder.resolve())
    if all(p.startswith(start + os.sep) for p in paths):
        paths = [os.path.relpath(p, start) for p in paths]
    if len(paths) == 1:
        return Path(paths[0]).as_posix()
    place, names = Path(paths[0]).parent, [Path(p).name for p in paths]
    front = _common_start(names)
    back = _common_start([n[len(front) :][::-1] for n in names])[::-1]
    return (place / f"{front}*{back}").as_posix()


def _common_start(texts: Sequence[str]) -> str:
    first = min(texts, key=len)
    ends = (i for i, letter in enumerate(first) if any(t[i] != letter for t in texts))
    return first[: next(ends, len(first))]


def _groups(files: Sequence[Path]) -> list[list[Path]]:
    """Files that are one table: in one folder, of one kind, with the same columns, no other file of such a name."""
    groups: list[list[Path]] = []
    heads: list[Any] = []
    for file in files:
        head = _head(file)
        if head is not None and head in heads:
            groups[heads.index(head)].append(file)
        else:
            groups.append([file])
            heads.append(head)
    result: list[list[Path]] = []
    for group in groups:
        name = Path(name_source(group, group[0].parent)).name
        meant = sorted(group[0].parent.glob(name)) if len(group) > 1 else group
        result += [group] if meant == sorted(group) else [[f] for f in group]
    return result


def _head(file: Path) -> Any:
    """What two files of one table have in common."""
    if file.is_dir():
        return None
    end = "".join(file.suffixes[-2:] if file.suffix in (".gz", ".zip") else file.suffixes[-1:])
    if is_text_file(file):
        form = inspect_text(file)
        return (file.parent, end, form.header or None, repr(form.keys)) if form.header else None
    if end in (".json", ".ndjson", ".jsonl"):
        return (file.parent, end)
    if end in (".parquet", ".pq"):
        try:
            return (file.parent, end, repr(pl.read_parquet_schema(file)))
        except (pl.exceptions.PolarsError, OSError):
            return None
    return None


def _table_name(files: Sequence[Path], sheet: str, taken: Sequence[str]) -> str:
    """A name that a query can write."""
    text = sheet or _common_start([f.name for f in files]).split(".")[0]
    text = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    name = text if re.match("[a-z]", text) else f"table_{text}".rstrip("_")
    number = 2
    while name in taken:
        name, number = f"{name.rstrip('0123456789').rstrip('_')}_{number}", number + 1
    return name
