"""The one place that knows Polars, DuckDB and Spark.

Everything else in the lazy part speaks Narwhals. An engine opens files, runs a checked query, and does the few things
that Narwhals has no word for: day numbers, hashes, row numbers, repeated rows, and the walk along a customer's days.

    base     what an engine can do                duckdb           DuckDB; its files in ``duckdb_files``
    windows  the walk along a customer            spark            Spark
    packing  columns side by side in an integer   polars           Polars
    flows    who comes and who goes, counted      packed_contacts  contacts as such integers, where memory is short
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines.base import (
    GROUPS,
    MANY_CLUSTERS,
    ContactLog,
    Engine,
    Frame,
    Whole,
    framed,
    schema_of,
)
from cxresearch.engines.duckdb import DuckDB
from cxresearch.engines.polars import Polars
from cxresearch.engines.windows import Along, AlongSorted
from cxresearch.errors import EngineError, nearest
from cxresearch.utils.engine_names import ENGINES

__all__ = [
    "GROUPS",
    "MANY_CLUSTERS",
    "Along",
    "AlongSorted",
    "ContactLog",
    "DuckDB",
    "Engine",
    "Frame",
    "Polars",
    "Whole",
    "engine",
    "framed",
    "read_errors",
    "schema_of",
]


def _spark() -> Engine:
    try:
        from cxresearch.engines.spark import Spark  # takes a second to import
    except ModuleNotFoundError as e:
        if e.name is None or not e.name.startswith(("pyspark", "py4j")):
            raise
        raise EngineError(
            "the engine spark is not installed: pip install 'cxresearch[spark]'"
        ) from None
    return Spark()


_MAKERS: tuple[Callable[[], Engine], ...] = (Polars, lambda: Polars(lazy=True), DuckDB, _spark)
_ENGINES = dict(zip(ENGINES, _MAKERS, strict=True))


def engine(name: str = "polars") -> Engine:
    """The engine of that name.

    Raises:
        EngineError: unknown, or not installed.
    """
    if name not in _ENGINES:
        raise EngineError(
            f"no engine {name!r}{nearest(name, _ENGINES) or '; there are: ' + ', '.join(_ENGINES)}"
        )
    return _ENGINES[name]()


def read_errors() -> tuple[type[BaseException], ...]:
    """What the engines raise when a file or a query is not what it should be."""
    import pyarrow

    result: list[type[BaseException]] = [
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        nw.exceptions.NarwhalsError,
        pyarrow.ArrowException,
        OSError,
        UnicodeDecodeError,
    ]
    # an engine that has not been imported has raised nothing, and takes a while to import
    if "duckdb" in sys.modules:
        result.append(sys.modules["duckdb"].Error)
    if "pyspark" in sys.modules:
        result += [
            sys.modules["pyspark.errors"].PySparkException,
            sys.modules["py4j.protocol"].Py4JError,
        ]
    return tuple(result)
