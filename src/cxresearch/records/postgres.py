"""PostgreSQL as a source: a query is put to the server, and its answer lies in a private file until it has been read.

The query is in the SQL of the server and may be whatever can stand in brackets after FROM; it runs in a transaction
that cannot write. The answer comes in batches, so that its size does not matter to memory, and goes into Parquet, which
every engine reads. The file belongs to one engine object and goes with it, or when the interpreter ends.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, finalize

from cxresearch.engines import Engine
from cxresearch.errors import SourceError
from cxresearch.records.address import filled
from cxresearch.study import Study

T = TypeVar("T")
_FOLDER = "cxresearch-postgres-"
_KEPT_AS_THEY_ARE = (
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "text",
    "varchar",
    "bpchar",
)
_DAYS = ("date", "timestamp", "timestamptz")
_LAST = "290000-01-01"  # the driver makes other days of later ones, and of infinity
# what a time means must not depend on how the server or the role is set up
_BEGIN = (
    "set transaction read only",
    "set local time zone 'UTC'",
    "set local datestyle to 'ISO, YMD'",
)
# what the driver writes before the message of the server
_BEFORE = r"^.*?(Failed to connect|Failed to prepare query|could not begin COPY|Execution error \[\w+\]): (ERROR: +)?"


def fetched(
    study: Study, engine: Engine, source: str, sql: str, where: str, ids: Sequence[str]
) -> Path:
    """The answer of a server as a Parquet file.

    Args:
        study: fills in the variables of the address.
        engine: is to read the file. One engine object asks a query once.
        source: the address, such as ``postgresql://${USER}:${PASSWORD}@host/database``, or one variable that holds it.
        sql: the query.
        where: the section, for messages.
        ids: columns in which the server's exact decimals become text; in the others they become 64-bit floats.

    Returns:
        A file that only its owner can read, there for as long as the engine is. Numbers, booleans, text, days and times
        are what they were, with infinity null; every other type is text, as the server writes it.

    Raises:
        SourceError: no driver, no connection, a query that the server refuses, or no room for the answer.
        StudyError: a variable without a value.
    """
    answers = _ANSWERS.setdefault(engine, {})
    question = _digest(filled(study, source, f"{where}.source"), sql, *ids)
    if question not in answers:
        folder = next((file.parent for file in answers.values()), None) or _private_folder(engine)
        file = folder / f"{len(answers)}.parquet"
        try:
            _fetch(study, source, sql, where, ids, file)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        answers[question] = file
    return answers[question]


_ANSWERS: WeakKeyDictionary[Engine, dict[str, Path]] = WeakKeyDictionary()


def _digest(*parts: str) -> str:
    return blake2b(repr(parts).encode()).hexdigest()


def _fetch(study: Study, source: str, sql: str, where: str, ids: Sequence[str], file: Path) -> None:
    try:
        from adbc_driver_postgresql import dbapi
    except ModuleNotFoundError:
        raise SourceError(
            f"{where}.source: a server needs its driver: pip install 'cxresearch[postgres]'"
        ) from None

    def unmet(messages: list[str]) -> str:
        # what the driver quotes may be a part of the address, taken for another one
        return f"{where}.source: no connection to {source!r}: " + re.sub(
            '"[^"]*"', '"…"', "; ".join(messages)
        )

    def refused(messages: list[str]) -> str:
        hints = [line.split(maxsplit=1)[1] for line in messages if line.startswith("HINT:  ")]
        return f"{where}.query: the server refuses the query: " + "; ".join([messages[0], *hints])

    query = re.sub(r"[;\s]+$", "", sql)
    with _heard(
        study, unmet, lambda: dbapi.connect(filled(study, source, f"{where}.source"))
    ) as connection:
        cursor = connection.cursor()
        for setting in _BEGIN:
            _heard(study, refused, lambda: cursor.execute(setting))  # noqa: B023 - called here
        shape = _heard(study, refused, lambda: cursor.adbc_execute_schema(query))
        _heard(study, refused, lambda: cursor.execute(_plain(query, shape, f"{where}.query", ids)))
        answer = _heard(study, refused, cursor.fetch_record_batch)

        def batches() -> Iterator[Any]:
            while (batch := _heard(study, refused, lambda: next(answer, None))) is not None:
                yield batch

        _write(file, answer.schema, batches(), f"{where}.query")


def _heard(study: Study, tell: Callable[[list[str]], str], ask: Callable[[], T]) -> T:
    """What the driver returns, or an error made of the lines of its message, without secrets."""
    import pyarrow
    from adbc_driver_manager import Error

    try:
        return ask()
    except (Error, pyarrow.ArrowException, OSError) as e:
        message = re.sub(_BEFORE, "", study.redact(str(e))).strip() or type(e).__name__
    lines = [
        "".join(c if c.isprintable() else "?" for c in line.strip())
        for line in message.splitlines()
    ]
    raise SourceError(
        tell(lines)
    )  # here, so that the error of the driver is not chained to this one


def _plain(query: str, shape: Any, field: str, ids: Sequence[str]) -> str:
    """The query inside another one that gives every column a type which all engines know."""
    twice = [name for name in shape.names if shape.names.count(name) > 1]
    if twice or not shape.names:
        wrong = (
            f"two columns {twice[0]!r}: rename one"
            if twice
            else "no columns: it must be one SELECT"
        )
        raise SourceError(f"{field}: the query gives {wrong}")
    columns = []
    for i, column in enumerate(shape):
        kind, x = (column.metadata or {}).get(b"POSTGRESQL:type", b"").decode(), f"c{i}"
        if not kind:
            raise SourceError(
                f"{field}: the driver is too old: pip install --upgrade 'cxresearch[postgres]'"
            )
        if kind in _DAYS:
            x = f"case when isfinite({x}) and {x} < '{_LAST}' then {x} end"
        elif kind == "numeric" and column.name not in ids:
            x = f"cast({x} as float8)"
        elif kind not in _KEPT_AS_THEY_ARE:
            x = f"cast({x} as text)"
        name = column.name.replace('"', '""')
        columns.append(f'{x} as "{name}"')
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    # the end of the line ends a comment at the end of the query
    return f"select {', '.join(columns)} from ({query}\n) as answer ({names})"


def _write(file: Path, schema: Any, batches: Iterator[Any], field: str) -> None:
    import pyarrow.parquet as pq

    try:
        place = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(place, "wb") as out, pq.ParquetWriter(out, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    except OSError as e:
        kept = f"cannot be kept in {file.parent.parent}: {e.strerror or e}; name another folder in TMPDIR"
        raise SourceError(f"{field}: the answer {kept}") from None


def _private_folder(engine: Engine) -> Path:
    """A folder that is gone when the engine is; one that a killed process has left behind goes now."""
    folder, held = Path(tempfile.mkdtemp(prefix=_FOLDER)), None  # mode 0700
    if sys.platform != "win32":
        import fcntl

        for left in folder.parent.glob(f"{_FOLDER}*/lock"):
            with suppress(OSError):
                if left.parent.lstat().st_uid == os.geteuid():
                    lock = os.open(left, os.O_RDWR | os.O_NOFOLLOW)
                    try:
                        fcntl.flock(
                            lock, fcntl.LOCK_EX | fcntl.LOCK_NB
                        )  # a process that lives holds it
                        shutil.rmtree(left.parent)
                    finally:
                        os.close(lock)
        held = os.open(folder / "locking", os.O_RDWR | os.O_CREAT, 0o600)
        with suppress(OSError):  # not every file system knows locks
            fcntl.flock(held, fcntl.LOCK_EX)
            (folder / "locking").rename(folder / "lock")
    finalize(engine, _remove, folder, os.getpid(), held)
    return folder


def _remove(folder: Path, process: int, held: int | None) -> None:
    if os.getpid() == process:  # a child has the same engine, and must leave its parent the files
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)
