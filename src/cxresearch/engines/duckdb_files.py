"""A connection to DuckDB that reaches nothing by itself, and the tables in its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxresearch.errors import EngineError

if TYPE_CHECKING:
    import duckdb


def connected() -> duckdb.DuckDBPyConnection:
    """A connection that sees what it is given only: no variable of this program, no extension fetched, times in UTC.

    Raises:
        EngineError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ModuleNotFoundError:
        raise EngineError("the engine duckdb is not installed: pip install 'cxresearch[duckdb]'") from None
    shut: dict[str, Any] = {"python_enable_replacements": False, "autoinstall_known_extensions": False}
    connection = duckdb.connect(config=shut)
    connection.execute("set timezone = 'UTC'")
    return connection


def stored(connection: duckdb.DuckDBPyConnection, path: str, table: str, name: str = "file") -> duckdb.DuckDBPyRelation:
    """A table of a file, which the connection knows by `name` from then on."""
    connection.execute(f"attach {text(path)} as {name} (read_only)")
    return connection.sql(f"select * from {name}.{'.'.join(map(quoted, table.split('.')))}")


def text(value: str) -> str:
    """A text in SQL."""
    return "'" + value.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'
