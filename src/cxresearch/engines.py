"""The one place that knows Polars and DuckDB.

Everything else in the lazy part speaks Narwhals. An engine opens files, runs a checked query, and does the few things
that Narwhals has no word for: day numbers, hashes, row numbers, repeated rows, and the walk along a customer's days.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.errors import EngineError, nearest
from cxresearch.study import Format

if TYPE_CHECKING:
    import duckdb

    Frame = nw.LazyFrame[Any] | nw.DataFrame[Any]
else:
    Frame = object

GROUPS = 100  # always this many in a stored table, or tables do not add; coarsened at estimation
_TIMES = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_TIMES_DUCK = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_OFFSET = r"[0-9](Z|[+-][0-9]{2}:?[0-9]{2})$"


class Along:
    """Walking along a customer's rows: a window over (customer, order). For lazy engines."""

    def __init__(self, *order: str) -> None:
        self.order = list(order)

    def prepare(self, frame: Frame) -> Frame:
        """The frame, made ready for the walk."""
        return frame

    def _over(self, e: nw.Expr) -> nw.Expr:
        return e.over("customer", order_by=self.order)

    def shift(self, column: str, n: int) -> nw.Expr:
        """The value n rows earlier (later, if negative) of the same customer; null where there is none."""
        return self._over(nw.col(column).shift(n))

    def sum(self, column: str) -> nw.Expr:
        """The running sum; a null adds nothing."""
        return self._over(nw.col(column).fill_null(0).cum_sum()).cast(nw.Int64)

    def last(self, column: str) -> nw.Expr:
        """The last value so far that is not null."""
        return self._over(nw.col(column).fill_null(strategy="forward"))

    def min(self, column: str) -> nw.Expr:
        """The least value so far; null where the row itself has none, so follow it with `last`."""
        return self._over(nw.col(column).cum_min())


class AlongSorted(Along):
    """The same for eager Polars: sort once, then a neighbour belongs to the same customer or it does not."""

    def prepare(self, frame: Frame) -> Frame:
        """The frame sorted by customer and order."""
        return frame.sort("customer", *self.order)

    def shift(self, column: str, n: int) -> nw.Expr:
        """As `Along.shift`."""
        return nw.when(nw.col("customer") == nw.col("customer").shift(n)).then(nw.col(column).shift(n))

    def _over(self, e: nw.Expr) -> nw.Expr:
        return e.over("customer")


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
        """Number the rows from 1, as they stand, in ``cx_row``; hand the table over to Narwhals."""

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """Number the rows from 0 in the order of `by`, in a column `name`."""

    def instant(self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx") -> Frame:
        """Add ``{name}_day`` (since 1970-01-01) and ``{name}_second`` (of the day), local; null where unreadable."""

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
        """As `Engine.csv`."""
        return pl.scan_csv(
            list(paths),
            separator=fmt.separator,
            quote_char=fmt.quote or None,
            encoding=fmt.encoding,
            decimal_comma=fmt.decimal_comma,
            skip_rows=fmt.skip_rows,
            null_values=list(fmt.null_values),
            infer_schema_length=None,
            schema_overrides=dict.fromkeys(text, pl.String),
            glob=False,
        )

    def frame(self, data: Any) -> pl.LazyFrame:
        """As `Engine.frame`."""
        return nw.from_native(data).lazy().collect("polars").to_native().lazy()

    def query(self, sql: str, tables: Mapping[str, Any]) -> pl.LazyFrame:
        """As `Engine.query`."""
        return pl.SQLContext(dict(tables)).execute(sql)

    def rows(self, raw: pl.LazyFrame) -> Frame:
        """As `Engine.rows`."""
        return nw.from_native(raw.with_row_index("cx_row", offset=1).with_columns(pl.col("cx_row").cast(pl.Int64)))

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """As `Engine.number`."""
        native = nw.to_native(frame).sort(by).with_row_index(name)
        return nw.from_native(native.with_columns(pl.col(name).cast(pl.Int64)))

    def instant(self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx") -> Frame:
        """As `Engine.instant`."""
        native, x, kind = nw.to_native(frame), pl.col(column), frame.collect_schema()[column]
        if kind.is_integer():
            return nw.from_native(native.with_columns(x.cast(pl.Int32).alias(f"{name}_day"), pl.lit(0, pl.Int32).alias(f"{name}_second")))
        if kind == nw.String:
            x = _parse_polars(x.str.strip_chars(), fmt, zone)
        elif kind == nw.Date:
            x = x.cast(pl.Datetime("us"))
        elif getattr(kind, "time_zone", None):
            x = x.dt.convert_time_zone(zone).dt.replace_time_zone(None)
        x = x.cast(pl.Datetime("us"))
        day = x.dt.epoch("s").floordiv(86_400)
        return nw.from_native(
            native.with_columns(
                day.cast(pl.Int32).alias(f"{name}_day"),
                (x.dt.epoch("s") - day * 86_400).cast(pl.Int32).alias(f"{name}_second"),
            )
        )

    def repeats(self, frame: Frame, columns: Sequence[str]) -> Frame:
        """As `Engine.repeats`."""
        return nw.from_native(nw.to_native(frame).with_columns(cx_repeat=~pl.struct(columns).is_first_distinct()))

    def group(self, frame: Frame, column: str) -> Frame:
        """As `Engine.group`."""
        import polars_hash as plh

        digest = plh.col(column).nchash.md5().str.slice(0, 8).str.to_integer(base=16)
        return nw.from_native(nw.to_native(frame).with_columns(group=(digest % GROUPS).cast(pl.Int64)))

    def keep(self, frame: Frame) -> Frame:
        """As `Engine.keep`."""
        native = nw.to_native(frame)
        native = native.collect() if isinstance(native, pl.LazyFrame) else native
        return nw.from_native(native.lazy() if self.lazy else native)

    def collect(self, frame: Frame) -> pl.DataFrame:
        """As `Engine.collect`."""
        native = nw.to_native(frame)
        return native.collect() if isinstance(native, pl.LazyFrame) else native


def _parse_polars(x: pl.Expr, fmt: str | None, zone: str) -> pl.Expr:
    if fmt is not None:
        dated = x.str.to_date(fmt, strict=False).cast(pl.Datetime("us"))
        return dated if not any(c in fmt for c in "HIMSTf") else x.str.to_datetime(fmt, strict=False, time_unit="us")
    x = x.str.replace("T", " ", literal=True)
    plain = pl.coalesce(*(x.str.to_datetime(f, strict=False, time_unit="us") for f in _TIMES[:2]),
                        x.str.to_date(_TIMES[2], strict=False).cast(pl.Datetime("us")))
    offset = pl.when(x.str.contains(_OFFSET)).then(x.str.replace("Z$", "+00:00"))
    zoned = [
        offset.str.to_datetime(f, strict=False, time_unit="us", time_zone="UTC")
        for f in ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z")
    ]
    return pl.coalesce(plain, pl.coalesce(*zoned).dt.convert_time_zone(zone).dt.replace_time_zone(None))


class DuckDB:
    """DuckDB in this process; every frame is a relation of one connection."""

    name = "duckdb"
    along: type[Along] = Along

    def __init__(self) -> None:
        try:
            import duckdb
        except ModuleNotFoundError:
            raise EngineError("the engine duckdb is not installed: pip install 'cxresearch[duckdb]'") from None
        self.connection: duckdb.DuckDBPyConnection = duckdb.connect()
        self._numbers = itertools.count()

    def _relation(self, sql: str) -> duckdb.DuckDBPyRelation:
        return self.connection.sql(sql)

    def _over(self, frame: Frame, columns: str) -> Frame:
        """The frame with further columns, given as SQL."""
        relation = nw.to_native(frame)
        return nw.from_native(relation.project(f"*, {columns}"))

    def parquet(self, paths: Sequence[str], *, hive: bool) -> Any:
        """As `Engine.parquet`."""
        return self.connection.read_parquet(list(paths), hive_partitioning=hive, union_by_name=False)

    def csv(self, paths: Sequence[str], fmt: Format, text: Sequence[str]) -> Any:
        """As `Engine.csv`: types are read off by Polars, so that both engines see the same table."""
        types = {pl.String: "VARCHAR", pl.Int64: "BIGINT", pl.Float64: "DOUBLE", pl.Boolean: "BOOLEAN"}
        schema = Polars().csv(paths, fmt, text).collect_schema()
        if set(schema.dtypes()) <= set(types) and not fmt.decimal_comma and fmt.encoding == "utf8":
            return self.connection.read_csv(
                list(paths), header=True, sep=fmt.separator, quotechar=fmt.quote, skiprows=fmt.skip_rows,
                na_values=list(fmt.null_values), auto_detect=False,
                columns={n: types[t.base_type()] for n, t in schema.items()},
            )
        return self.frame(Polars().csv(paths, fmt, text))

    def frame(self, data: Any) -> Any:
        """As `Engine.frame`."""
        name = f"frame_{next(self._numbers)}"
        taken = Polars().frame(data).collect().to_arrow()
        self.connection.register("taken", taken)
        self.connection.execute(f"create table {name} as select * from taken")
        self.connection.unregister("taken")
        return self.connection.table(name)

    def query(self, sql: str, tables: Mapping[str, Any]) -> Any:
        """As `Engine.query`."""
        for name, relation in tables.items():
            relation.create_view(name, replace=True)
        return self._relation(sql)

    def rows(self, raw: Any) -> Frame:
        """As `Engine.rows`."""
        return nw.from_native(raw.project("row_number() over () as cx_row, *"))

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """As `Engine.number`."""
        return self._over(frame, f"row_number() over (order by {_quoted(by)}) - 1 as {_quoted(name)}")

    def instant(self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx") -> Frame:
        """As `Engine.instant`."""
        kind, x = frame.collect_schema()[column], _quoted(column)
        if kind.is_integer():
            return self._over(frame, f"cast({x} as integer) as {name}_day, cast(0 as integer) as {name}_second")
        if kind == nw.String:
            x = _parse_duck(f"trim({x})", fmt, zone)
        elif getattr(kind, "time_zone", None):
            x = f"timezone('{zone}', {x})"
        at = f"cast({x} as timestamp)"
        day = f"date_diff('day', date '1970-01-01', cast({at} as date))"
        return self._over(
            frame,
            f"cast({day} as integer) as {name}_day, "
            f"cast(date_diff('second', date_trunc('day', {at}), date_trunc('second', {at})) as integer) as {name}_second",
        )

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
        return nw.from_native(self.connection.table(name))

    def collect(self, frame: Frame) -> pl.DataFrame:
        """As `Engine.collect`; DuckDB's wide integers come back as 64-bit ones."""
        result: pl.DataFrame = nw.to_native(frame).pl()
        wide = [n for n, t in result.schema.items() if isinstance(t, pl.Decimal) or t == pl.Int128]
        return result.with_columns(pl.col(wide).cast(pl.Int64)) if wide else result


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _parse_duck(x: str, fmt: str | None, zone: str) -> str:
    if fmt is not None:
        fmt = fmt.replace("%.f", ".%f").replace("'", "''")
        return f"try_strptime({x}, '{fmt}')"
    x = f"replace({x}, 'T', ' ')"
    plain = "[" + ", ".join(f"'{f}'" for f in _TIMES_DUCK) + "]"
    offset = f"case when regexp_matches({x}, '{_OFFSET}') then timezone('{zone}', try_cast({x} as timestamptz)) end"
    return f"coalesce(try_strptime({x}, {plain}), {offset})"


_ENGINES = {"polars": Polars, "polars-lazy": lambda: Polars(lazy=True), "duckdb": DuckDB}


def engine(name: str = "polars") -> Engine:
    """The engine of that name.

    Raises:
        EngineError: unknown, or not installed.
    """
    if name not in _ENGINES:
        raise EngineError(f"no engine {name!r}{nearest(name, _ENGINES) or '; there are: ' + ', '.join(_ENGINES)}")
    return _ENGINES[name]()


def reading_errors() -> tuple[type[Exception], ...]:
    """What the engines raise when a file or a query is not what it should be."""
    found: list[type[Exception]] = [pl.exceptions.PolarsError, OSError, UnicodeDecodeError]
    with contextlib.suppress(ModuleNotFoundError):
        import duckdb

        found.append(duckdb.Error)
    return tuple(found)
