"""The one place that knows Polars and DuckDB.

Everything else in the lazy part speaks Narwhals. An engine opens files, runs a checked query, and does the few things
that Narwhals has no word for: day numbers, hashes, row numbers, repeated rows, and the walk along a customer's days.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.along import Along, AlongSorted
from cxresearch.errors import EngineError, nearest
from cxresearch.study import Format
from cxresearch.times import EARLIEST, LATEST, duck_time, polars_time

if TYPE_CHECKING:
    import duckdb

    Frame = nw.LazyFrame[Any]  # or a DataFrame, which has the methods that are used
else:
    Frame = object

__all__ = ["GROUPS", "Along", "AlongSorted", "DuckDB", "Engine", "Frame", "Polars", "engine", "reading_errors"]

GROUPS = 100  # always this many in a stored table, or tables do not add; coarsened at estimation
_LEADING_ZERO = r"^[+-]?0[0-9]"


class Engine(Protocol):
    """What the pipeline asks of an engine. `raw` is the engine's own lazy frame; all else is Narwhals."""

    name: str
    along: type[Along]

    def parquet(self, paths: Sequence[str], *, hive: bool) -> Any:
        """Open Parquet files as one table; with `hive`, folder names such as ``year=2024`` are columns."""

    def csv(self, paths: Sequence[str], fmt: Format, text: Sequence[str]) -> Any:
        """Open text files as one table; the columns in `text` stay text, whatever they look like."""

    def frame(self, data: Any) -> Any:
        """Take a Polars frame."""

    def query(self, sql: str, tables: Mapping[str, Any]) -> Any:
        """Run a query that `rules.query` has passed."""

    def rows(self, raw: Any) -> Frame:
        """Number the rows from 1, as they stand, in ``cx_row``; hand the table over to Narwhals.

        Types that an engine knows and the pipeline does not become ones it does.
        """

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """Number the rows from 0 in the order of `by`, in a column `name`."""

    def instant(self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx") -> Frame:
        """Add ``{name}_day`` (since 1970-01-01) and ``{name}_second`` (of the day), local; null where unreadable.

        A day before `EARLIEST` or after `LATEST` is unreadable: it is a slip (a year of two digits, a number such as
        20240131 or 1704067200 in a column of days).
        """

    def local(self, frame: Frame, columns: Sequence[str], zone: str) -> Frame:
        """Turn times with a zone into local ones without."""

    def repeats(self, frame: Frame, columns: Sequence[str]) -> Frame:
        """Add ``cx_repeat``: whether an earlier row is equal in all `columns`."""

    def group(self, frame: Frame, column: str) -> Frame:
        """Add ``group``: md5 of the text in `column`, first 8 hex digits, modulo 100."""

    def keep(self, frame: Frame) -> Frame:
        """Compute now, so that later steps do not compute it again."""

    def collect(self, frame: Frame) -> pl.DataFrame:
        """Bring a small result into memory."""


class Polars:
    """Local Polars. `lazy` uses window functions on lazy frames; else the walk is a sort and a comparison."""

    def __init__(self, *, lazy: bool = False) -> None:
        self.name = "polars-lazy" if lazy else "polars"
        self.lazy = lazy
        self.along: type[Along] = Along if lazy else AlongSorted

    def parquet(self, paths: Sequence[str], *, hive: bool) -> pl.LazyFrame:
        """As `Engine.parquet`."""
        return pl.scan_parquet(list(paths), hive_partitioning=hive, glob=False)

    def csv(self, paths: Sequence[str], fmt: Format, text: Sequence[str]) -> pl.LazyFrame:
        """As `Engine.csv`; numbers with leading zeros, or too long for an integer, are text as well."""

        def scan(types: Mapping[str, Any], infer: int | None) -> pl.LazyFrame:
            return pl.scan_csv(
                list(paths),
                separator=fmt.separator,
                quote_char=fmt.quote or None,
                encoding=fmt.encoding,
                decimal_comma=fmt.decimal_comma,
                skip_rows=fmt.skip_rows,
                null_values=list(fmt.null_values),
                infer_schema_length=infer,
                schema_overrides=types,
                glob=False,
            )

        types = dict(scan({}, None).collect_schema())
        types |= {c: pl.String() for c in text if c in types}
        types |= {c: pl.String() for c, t in types.items() if t == pl.Int128}
        whole = [c for c, t in types.items() if t == pl.Int64]
        if whole:
            as_text = scan({**types, **dict.fromkeys(whole, pl.String)}, 0)
            padded = as_text.select(pl.col(whole).str.contains(_LEADING_ZERO).any()).collect().row(0, named=True)
            types |= {c: pl.String() for c, found in padded.items() if found}
        return scan(types, 0)

    def frame(self, data: Any) -> pl.LazyFrame:
        """As `Engine.frame`."""
        taken: pl.DataFrame = nw.from_native(data).lazy().collect("polars").to_native()
        return taken.lazy()

    def query(self, sql: str, tables: Mapping[str, Any]) -> pl.LazyFrame:
        """As `Engine.query`."""
        found: pl.LazyFrame = pl.SQLContext(dict(tables)).execute(sql)
        return found

    def rows(self, raw: pl.LazyFrame) -> Frame:
        """As `Engine.rows`."""
        numbered = _plain(raw).with_row_index("cx_row", offset=1)
        return _frame(numbered.with_columns(pl.col("cx_row").cast(pl.Int64)))

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """As `Engine.number`."""
        native = nw.to_native(frame).sort(by).with_row_index(name)
        return _frame(native.with_columns(pl.col(name).cast(pl.Int64)))

    def instant(self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx") -> Frame:
        """As `Engine.instant`."""
        native, x, kind = nw.to_native(frame), pl.col(column), frame.collect_schema()[column]
        if kind.is_integer():
            day, second = x, pl.lit(0)
        else:
            if kind in (nw.Categorical, nw.Enum):
                x, kind = x.cast(pl.String), nw.String()
            if kind == nw.String:
                x = polars_time(x.str.strip_chars(), fmt, zone)
            x = _local(x, kind, zone).cast(pl.Datetime("us"))
            day = x.dt.epoch("s").floordiv(86_400)
            second = x.dt.epoch("s") - day * 86_400
        there = day.is_between(EARLIEST, LATEST)
        return _frame(
            native.with_columns(
                pl.when(there).then(day).cast(pl.Int32).alias(f"{name}_day"),
                pl.when(there).then(second).cast(pl.Int32).alias(f"{name}_second"),
            )
        )

    def local(self, frame: Frame, columns: Sequence[str], zone: str) -> Frame:
        """As `Engine.local`."""
        kinds = frame.collect_schema()
        return _frame(nw.to_native(frame).with_columns(_local(pl.col(c), kinds[c], zone) for c in columns))

    def repeats(self, frame: Frame, columns: Sequence[str]) -> Frame:
        """As `Engine.repeats`."""
        return _frame(nw.to_native(frame).with_columns(cx_repeat=~pl.struct(columns).is_first_distinct()))

    def group(self, frame: Frame, column: str) -> Frame:
        """As `Engine.group`."""
        import polars_hash as plh

        digest = plh.col(column).nchash.md5().str.slice(0, 8).str.to_integer(base=16)
        return _frame(nw.to_native(frame).with_columns(group=(digest % GROUPS).cast(pl.Int64)))

    def keep(self, frame: Frame) -> Frame:
        """As `Engine.keep`."""
        native = nw.to_native(frame)
        native = native.collect() if isinstance(native, pl.LazyFrame) else native
        return _frame(native.lazy() if self.lazy else native)

    def collect(self, frame: Frame) -> pl.DataFrame:
        """As `Engine.collect`."""
        native = nw.to_native(frame)
        return native.collect() if isinstance(native, pl.LazyFrame) else native


def _frame(native: Any) -> Frame:
    found: Frame = nw.from_native(native)
    return found


def _plain(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Types that DuckDB or Narwhals would not take: 128-bit integers, and columns without a value."""
    kinds = frame.collect_schema()
    casts = {
        c: pl.String if t == pl.Null else pl.Float64 for c, t in kinds.items() if t in (pl.Null, pl.Int128, pl.UInt128)
    }
    return frame.with_columns(pl.col(c).cast(t) for c, t in casts.items()) if casts else frame


def _local(x: pl.Expr, kind: Any, zone: str) -> pl.Expr:
    return x.dt.convert_time_zone(zone).dt.replace_time_zone(None) if getattr(kind, "time_zone", None) else x


class DuckDB:
    """DuckDB in this process; every frame is a relation of one connection."""

    name = "duckdb"
    along: type[Along] = Along

    def __init__(self) -> None:
        try:
            import duckdb
        except ModuleNotFoundError:
            raise EngineError("the engine duckdb is not installed: pip install 'cxresearch[duckdb]'") from None
        # a query sees the declared tables only: no variable of this program, no extension fetched, no local time zone
        shut: dict[str, Any] = {"python_enable_replacements": False, "autoinstall_known_extensions": False}
        self.connection: duckdb.DuckDBPyConnection = duckdb.connect(config=shut)
        self.connection.execute("set timezone = 'UTC'")
        self._numbers = itertools.count()

    def _relation(self, sql: str) -> duckdb.DuckDBPyRelation:
        return self.connection.sql(sql)

    def _over(self, frame: Frame, columns: str) -> Frame:
        """The frame with further columns, given as SQL."""
        return _frame(nw.to_native(frame).project(f"*, {columns}"))

    def parquet(self, paths: Sequence[str], *, hive: bool) -> Any:
        """As `Engine.parquet`."""
        if not hive:
            return self.connection.read_parquet(list(paths), hive_partitioning=False, union_by_name=False)
        # a month of 01 is a number to Polars and text to DuckDB
        own = pl.scan_parquet(paths[0], hive_partitioning=False, glob=False).collect_schema()
        kinds = {pl.Int64: "bigint", pl.Float64: "double", pl.Date: "date", pl.Boolean: "boolean"}
        named = Polars().parquet(paths, hive=True).collect_schema()
        types = {n: kinds.get(t.base_type(), "varchar") for n, t in named.items() if n not in own}
        listed = ", ".join(_text(p) for p in paths)
        folders = ", ".join(f"{_text(n)}: {t}" for n, t in types.items())
        columns = ", ".join(map(_quoted, named))
        source = f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{{folders}}})"
        return self._relation(f"select {columns} from {source}")

    def csv(self, paths: Sequence[str], fmt: Format, text: Sequence[str]) -> Any:
        """As `Engine.csv`, read by Polars, so that both engines see the same table."""
        return self._take(Polars().csv(paths, fmt, text))

    def frame(self, data: Any) -> Any:
        """As `Engine.frame`."""
        return self._take(Polars().frame(data))

    def _take(self, data: pl.LazyFrame) -> Any:
        """Copy a lazy frame piece by piece."""
        name = f"frame_{next(self._numbers)}"
        pieces = _plain(data).collect_batches(maintain_order=True)
        empty = pl.DataFrame(schema=_plain(data).collect_schema())
        for i, piece in enumerate(itertools.chain([empty], pieces)):
            self.connection.register("taken", piece.to_arrow())
            into = f"insert into {name}" if i else f"create table {name} as"
            self.connection.execute(f"{into} select * from taken")
            self.connection.unregister("taken")
        return self.connection.table(name)

    def query(self, sql: str, tables: Mapping[str, Any]) -> Any:
        """As `Engine.query`."""
        for name, relation in tables.items():
            relation.create_view(name, replace=True)
        return self._relation(sql)

    def rows(self, raw: Any) -> Frame:
        """As `Engine.rows`."""
        casts = {"TIMESTAMPTZ_NS": "timestamptz", '"NULL"': "varchar", "HUGEINT": "double", "UHUGEINT": "double"}
        plain = [
            f"cast({_quoted(c)} as {casts[t]}) as {_quoted(c)}" if (t := str(kind)) in casts else _quoted(c)
            for c, kind in zip(raw.columns, raw.types, strict=True)
        ]
        return _frame(raw.project(", ".join(["row_number() over () as cx_row", *plain])))

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """As `Engine.number`."""
        return self._over(frame, f"row_number() over (order by {_quoted(by)}) - 1 as {_quoted(name)}")

    def instant(self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx") -> Frame:
        """As `Engine.instant`."""
        kind, x = frame.collect_schema()[column], _quoted(column)
        if kind.is_integer():
            day, second = x, "0"
        else:
            if kind in (nw.Categorical, nw.Enum):
                x, kind = f"cast({x} as varchar)", nw.String()
            if kind == nw.String:
                x = duck_time(rf"regexp_replace({x}, '^\s+|\s+$', '', 'g')", fmt, zone)
            elif getattr(kind, "time_zone", None):
                x = f"timezone('{zone}', {x})"
            at = f"cast({x} as timestamp)"
            day = f"date_diff('day', date '1970-01-01', cast({at} as date))"
            second = f"date_diff('second', date_trunc('day', {at}), date_trunc('second', {at}))"
        there = f"{day} between {EARLIEST} and {LATEST}"
        return self._over(
            frame,
            f"cast(case when {there} then {day} end as integer) as {name}_day, "
            f"cast(case when {there} then {second} end as integer) as {name}_second",
        )

    def local(self, frame: Frame, columns: Sequence[str], zone: str) -> Frame:
        """As `Engine.local`."""
        zoned = [c for c in columns if getattr(frame.collect_schema()[c], "time_zone", None)]
        if not zoned:
            return frame
        here = ", ".join(f"timezone('{zone}', {_quoted(c)}) as {_quoted(c)}" for c in zoned)
        return _frame(nw.to_native(frame).project(f"* replace ({here})"))

    def repeats(self, frame: Frame, columns: Sequence[str]) -> Frame:
        """As `Engine.repeats`."""
        same = ", ".join(_quoted(c) for c in columns)
        return self._over(frame, f"row_number() over (partition by {same} order by cx_row) > 1 as cx_repeat")

    def group(self, frame: Frame, column: str) -> Frame:
        """As `Engine.group`."""
        return self._over(
            frame, f"cast(('0x' || substr(md5({_quoted(column)}), 1, 8))::bigint % {GROUPS} as bigint) as \"group\""
        )

    def keep(self, frame: Frame) -> Frame:
        """As `Engine.keep`."""
        name = f"kept_{next(self._numbers)}"
        nw.to_native(frame).create(name)
        return _frame(self.connection.table(name))

    def collect(self, frame: Frame) -> pl.DataFrame:
        """As `Engine.collect`; DuckDB's wide integers come back as 64-bit ones."""
        result: pl.DataFrame = nw.to_native(frame).pl()
        wide = [n for n, t in result.schema.items() if isinstance(t, pl.Decimal) or t == pl.Int128]
        return result.with_columns(pl.col(wide).cast(pl.Int64)) if wide else result


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_ENGINES: dict[str, Callable[[], Engine]] = {
    "polars": Polars,
    "polars-lazy": lambda: Polars(lazy=True),
    "duckdb": DuckDB,
}


def engine(name: str = "polars") -> Engine:
    """The engine of that name.

    Raises:
        EngineError: unknown, or not installed.
    """
    if name not in _ENGINES:
        raise EngineError(f"no engine {name!r}{nearest(name, _ENGINES) or '; there are: ' + ', '.join(_ENGINES)}")
    return _ENGINES[name]()


def reading_errors() -> tuple[type[BaseException], ...]:
    """What the engines raise when a file or a query is not what it should be."""
    import pyarrow

    found: list[type[BaseException]] = [
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        nw.exceptions.NarwhalsError,
        pyarrow.ArrowException,
        OSError,
        UnicodeDecodeError,
    ]
    with contextlib.suppress(ModuleNotFoundError):
        import duckdb

        found.append(duckdb.Error)
    return tuple(found)
