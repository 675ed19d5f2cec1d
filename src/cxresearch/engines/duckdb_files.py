"""A connection to DuckDB that reaches nothing by itself, and the tables in its files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

from cxresearch.errors import EngineError
from cxresearch.study.quoting import quote_identifier
from cxresearch.utils.limits import engine_memory
from cxresearch.utils.trust import SPILL, check_state, make_private

if TYPE_CHECKING:
    import duckdb


SPILL_SHARE = (
    0.5  # of the free disk, at most: a query without an end must not fill it for everybody else
)


def connected() -> duckdb.DuckDBPyConnection:
    """A connection that sees what it is given only: no variable of this program, no extension fetched, times in UTC.

    Raises:
        EngineError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ModuleNotFoundError:
        raise EngineError(
            "the engine duckdb is not installed: pip install 'cxresearch[duckdb]'"
        ) from None
    shut: dict[str, Any] = {
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
    }
    connection = duckdb.connect(config=shut)
    connection.execute("set timezone = 'UTC'")
    connection.execute("set temp_directory = ''")  # it would be the working folder
    if memory := engine_memory():
        connection.execute(f"set memory_limit = '{memory:.3f}GiB'")
    return connection


def confine(
    connection: duckdb.DuckDBPyConnection, files: Iterable[str], spill: Path | None = None
) -> None:
    """Let a connection open these files and no other, and change no setting, from now on.

    Args:
        connection: it stays so until it is closed.
        files: their places.
        spill: a private folder for what does not fit into memory, up to half of the free disk; without one, nothing is
            written.
    """
    if spill is not None:
        connection.execute(f"set temp_directory = {text(str(spill))}")
        most = int(shutil.disk_usage(spill).free * SPILL_SHARE)
        connection.execute(f"set max_temp_directory_size = '{most} bytes'")
    places = {form for f in files for form in (f, os.path.abspath(f), os.path.realpath(f))}  # noqa: PTH100
    listed = ", ".join(text(p + end) for p in sorted(places) for end in ("", ".wal"))
    connection.execute(f"set allowed_paths = [{listed}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def spill_folder(state: Path, owner: object) -> Path | None:
    """A folder that only this user can read, gone when its owner is; None where it cannot be made.

    It lies in the state folder where there is one: a study of which nothing is kept leaves nothing.

    Raises:
        StateError: the state folder is not trusted.
    """
    check_state(state)
    try:
        home = make_private(state / SPILL) if state.is_dir() else None
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home))  # mode 0700
    except OSError:
        return None
    finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def stored(
    connection: duckdb.DuckDBPyConnection, path: str, table: str, name: str = "file"
) -> duckdb.DuckDBPyRelation:
    """A table of a file, which the connection knows by `name` from then on."""
    connection.execute(f"attach {text(path)} as {name} (read_only)")
    return connection.sql(
        f"select * from {name}.{'.'.join(map(quote_identifier, table.split('.')))}"
    )


def text(value: str) -> str:
    """A text in SQL."""
    return "'" + value.replace("'", "''") + "'"
