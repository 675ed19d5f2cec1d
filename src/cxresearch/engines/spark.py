"""Spark: the session there is, or a local one."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Mapping, Sequence
from functools import reduce
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from weakref import WeakKeyDictionary

import narwhals.stable.v2 as nw
import polars as pl
import pyarrow.parquet as pq
import sqlglot
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as sf
from pyspark.sql.utils import is_remote
from sqlglot import expressions as exp

from cxresearch.engines.base import (
    GROUPS,
    Bounds,
    ContactLog,
    Frame,
    framed,
    instant_in_format,
    is_written,
    split_by_reason,
    tally_by_query,
)
from cxresearch.engines.flows import flows_by_query
from cxresearch.engines.polars import Polars, plain
from cxresearch.engines.windows import Along
from cxresearch.errors import EngineError
from cxresearch.study.sql_dialects import translate_for_spark
from cxresearch.study.timestamps import BLANKS, EARLIEST, EPOCH_UNITS, LATEST, spark_time

# what a table or a query means must not depend on how somebody's session was set up
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",  # a time without a zone stays one
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.legacy.parquet.nanosAsLong": "true",  # it would refuse them otherwise
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
_LOCAL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.shuffle.partitions": str(
        min(os.cpu_count() or 1, 8)
    ),  # 200 small ones are slow on one machine
}
_PLACE = 33  # an increasing id is the partition's number above so many bits, and the row's place in it below
_DECLARED = "cx_declared_"  # before the names of a query: a table of the catalogue has no such name
_CALLERS: WeakKeyDictionary[SparkSession, SparkSession] = (
    WeakKeyDictionary()
)  # sessions of this package to those of their callers
_NO_FOLDER = "__HIVE_DEFAULT_PARTITION__"


class Spark:
    """Spark; every frame belongs to one session, which shares the executors with that of the caller."""

    name = "spark"
    along: type[Along] = Along
    rereads = False
    shared = False
    has_slow_steps = True

    def __init__(self) -> None:
        self._caller = _caller()
        self.session = _session_for(self._caller)
        # tables as they were opened, to the same with a column that numbers their rows
        self._numbered: WeakKeyDictionary[DataFrame, tuple[DataFrame, str]] = WeakKeyDictionary()
        self._names = itertools.count()

    def _mine(self, frame: Frame) -> DataFrame:
        """The native frame; its session is made the active one, whose settings say which names are equal."""
        _activate(self.session)
        native: DataFrame = nw.to_native(frame)
        return native

    def confine(self, files: Sequence[str], state: Path | None = None) -> None:
        """As `Engine.confine`; queries know tables under names that this package gives."""

    def parquet(self, paths: Sequence[str], *, hive: bool) -> DataFrame:
        """As `Engine.parquet`. Rows are numbered file by file, so the number of a row is the same on every engine."""
        _activate(self.session)
        paths = [os.path.abspath(p) for p in paths]  # noqa: PTH100 - the same name, not where a link leads
        if any(os.path.basename(p).startswith(("_", ".")) for p in paths):  # noqa: PTH119
            return self._take(
                Polars().parquet(paths, hive=hive)
            )  # Spark would pass over them in silence
        rows = [pq.read_metadata(p).num_rows for p in paths]
        kinds = dict(Polars().parquet(paths, hive=hive).collect_schema())
        frame = self.session.read.parquet(*(_escaped(p) for p in paths))
        number = sf.col("_metadata.row_index") + 1
        native = frame.withColumns({(row := _free("cx_row", [*kinds, *frame.columns])): number})
        folders = [c for c in kinds if c not in frame.columns]
        if len(paths) > 1 or folders:
            listed = {
                "cx_path": paths,
                "cx_before": list(itertools.accumulate(rows, initial=0))[:-1],
            }
            folder_values = pl.DataFrame(listed).with_columns(
                _folder(paths, c, kinds[c]) for c in folders
            )
            path = sf.url_decode(
                sf.replace(sf.col("_metadata.file_path"), sf.lit("+"), sf.lit("%2B"))
            )
            native = frame.withColumns(
                {row: number, "cx_path": sf.regexp_replace(path, "^[a-z]+:/+", "/")}
            )
            native = native.join(sf.broadcast(self._arrow(folder_values)), on="cx_path", how="left")
            lost = sf.raise_error(
                sf.concat(sf.lit("no number for the rows of "), sf.col("cx_path"))
            )
            native = native.withColumn(row, sf.col(row) + sf.coalesce(sf.col("cx_before"), lost))
        native = native.select(
            *(_known(sf.col(_quoted(c)), t).alias(c) for c, t in kinds.items()), row
        )
        return self._opened(native, row)

    def table(self, data: pl.LazyFrame) -> DataFrame:
        """As `Engine.table`."""
        return self._take(data)

    def database(self, path: str, table: str) -> DataFrame:
        """As `Engine.database`; DuckDB reads it, here."""
        return self._take(Polars().database(path, table))

    def named_table(self, table: str) -> DataFrame:
        """As `Engine.named_table`."""
        return self.session.table(".".join(map(_quoted, table.split("."))))

    def frame(self, data: Any) -> DataFrame:
        """As `Engine.frame`; a frame of Spark is taken where it is."""
        if not isinstance(data, DataFrame):
            return self._take(Polars().frame(data))
        # the one way from a session to another: times would be read in the zone of the first one otherwise
        name = f"cx_{os.getpid()}_{id(self)}_{next(self._names)}"
        data.createGlobalTempView(name)
        try:
            return self.session.table(f"global_temp.{name}")
        finally:
            self.session.catalog.dropGlobalTempView(name)

    def _take(self, data: pl.LazyFrame) -> DataFrame:
        """Copy a frame of Polars, with its rows numbered."""
        frame = plain(data).collect()
        row = _free("cx_row", frame.columns)
        return self._opened(self._arrow(frame.with_row_index(row, offset=1)), row)

    def _arrow(self, frame: pl.DataFrame) -> DataFrame:
        wide: dict[Any, Any] = dict.fromkeys([pl.UInt8, pl.UInt16, pl.UInt32], pl.Int64)
        wide |= {pl.UInt64: pl.Decimal(20, 0), pl.Time: pl.String}
        frame = frame.with_columns(pl.col(kind).cast(to) for kind, to in wide.items())
        return self.session.createDataFrame(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))

    def _opened(self, numbered: DataFrame, row: str) -> DataFrame:
        raw = numbered.drop(row)
        self._numbered[raw] = numbered, row
        return raw

    def query(self, sql: str, tables: Mapping[str, Any]) -> DataFrame:
        """As `Engine.query`."""
        _activate(self.session)
        for name, table in tables.items():
            table.createOrReplaceTempView(_DECLARED + name)
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        for cte in tree.find_all(exp.CTE):
            cte.args["alias"].set("this", exp.to_identifier(_DECLARED + cte.alias, quoted=True))
        for table in tree.find_all(exp.Table):
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
            table.set("this", exp.to_identifier(_DECLARED + table.name, quoted=True))
        translated = translate_for_spark(tree)
        return self.session.sql(translated.sql(dialect="spark", identify=True))

    def rows(self, raw: DataFrame) -> Frame:
        """As `Engine.rows`. Files and frames of Polars have the numbers they have on every engine.

        The rows of a query, and of a frame of Spark, are numbered by partition as they come.
        """
        _activate(self.session)
        dotted = [c for c in raw.columns if "." in c or "`" in c]
        if dotted:
            raise EngineError(
                f"the engine spark takes no column whose name holds a dot or a backtick, as {dotted[0]!r}: rename it, "
                "or shape the table with a query"
            )
        native, row = self._numbered.get(raw) or (self._in_order(raw, "cx_row", 1), "cx_row")
        kinds = {f.name: f.dataType.typeName() for f in raw.schema.fields}
        plain_ones = [
            sf.col(c).cast("string").alias(c) if kinds[c] in ("void", "time") else sf.col(c)
            for c in raw.columns
        ]
        return framed(native.select(sf.col(row).cast("bigint").alias("cx_row"), *plain_ones))

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """As `Engine.number`."""
        return framed(self._in_order(self._mine(frame).orderBy(_quoted(by)), name, 0))

    def _in_order(self, native: DataFrame, name: str, first: int) -> DataFrame:
        """Number the rows as they stand, without bringing them to one machine: counts by partition come first."""
        x = self._kept(native.withColumn(name, sf.monotonically_increasing_id()))
        counted = x.groupBy(sf.shiftright(name, _PLACE).alias("cx_part")).agg(
            sf.count("*").alias("cx_rows")
        )
        counts = sorted(map(tuple, counted.collect()))
        if len(counts) < 2:
            return x.withColumn(name, sf.col(name).bitwiseAND(sf.lit(2**_PLACE - 1)) + first)
        parts, sizes = zip(*counts, strict=True)
        before = list(itertools.accumulate(sizes, initial=first))[:-1]
        starts = self._arrow(pl.DataFrame({"cx_part": parts, "cx_before": before}))
        x = x.withColumn("cx_part", sf.shiftright(name, _PLACE)).join(
            sf.broadcast(starts), on="cx_part"
        )
        place = sf.col(name).bitwiseAND(sf.lit(2**_PLACE - 1)) + sf.col("cx_before")
        return x.withColumn(name, place).drop("cx_part", "cx_before")

    def instant(
        self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx"
    ) -> Frame:
        """As `Engine.instant`."""
        native, kind = self._mine(frame), frame.collect_schema()[column]
        x = sf.col(_quoted(column))
        is_count = kind.is_numeric() and fmt in EPOCH_UNITS
        if fmt is not None and is_written(kind) and not is_count:
            return instant_in_format(self, frame, column, fmt=fmt, zone=zone, name=name)
        step = f"{name}_at"  # what is asked of an expression ten times is a column: Spark plans it ten times otherwise
        if kind.is_integer() and fmt is None:
            day, second = x, sf.lit(0)
        else:
            if is_count:
                at = _since_1970(_quoted(column), kind.is_integer(), EPOCH_UNITS[fmt or ""], zone)
            elif kind == nw.String:
                native = native.withColumn(step, sf.trim(x, sf.lit(BLANKS)))
                at = spark_time(sf.col(step), zone)
            else:
                x = sf.when(sf.unix_date(x.cast("date")).between(EARLIEST - 1, LATEST + 1), x)
                at = _local(x, kind, zone).cast("timestamp_ntz")
            native, at = native.withColumn(step, at), sf.col(step)
            day = sf.unix_date(sf.to_date(at))
            second = sf.hour(at) * 3600 + sf.minute(at) * 60 + sf.second(at)
        there = day.between(EARLIEST, LATEST)
        result = {"day": day, "second": second}
        return framed(
            native.withColumns(
                {f"{name}_{k}": sf.when(there, v).cast("int") for k, v in result.items()}
            ).drop(step)
        )

    def local(self, frame: Frame, columns: Sequence[str], zone: str) -> Frame:
        """As `Engine.local`."""
        kinds = frame.collect_schema()
        here = {c: _local(sf.col(_quoted(c)), kinds[c], zone) for c in columns}
        return framed(self._mine(frame).withColumns(here)) if here else frame

    def repeats(self, frame: Frame, columns: Sequence[str], apart: Sequence[str]) -> Frame:  # noqa: ARG002
        """As `Engine.repeats`."""
        same = Window.partitionBy(*(sf.col(_quoted(c)) for c in columns)).orderBy("cx_row")
        return framed(self._mine(frame).withColumn("cx_repeat", sf.row_number().over(same) > 1))

    def group(self, frame: Frame, column: str) -> Frame:
        """As `Engine.group`."""
        digits = sf.substring(sf.md5(sf.col(_quoted(column))), 1, 8)
        return framed(
            self._mine(frame).withColumn("group", sf.conv(digits, 16, 10).cast("bigint") % GROUPS)
        )

    def pick(self, frame: Frame, rows: Frame) -> Frame:
        """As `Engine.pick`."""
        return frame.join(rows, on="cx_row")

    def keep(self, frame: Frame) -> Frame:
        """As `Engine.keep`: on the executors, or in the checkpoint directory if the session has one."""
        return framed(self._kept(self._mine(frame)))

    def _kept(self, native: DataFrame) -> DataFrame:
        # a plan that has been kept is short again; those of many histories would take longer to plan than to run
        lasting = self.session.sparkContext.getCheckpointDir() is not None
        return native.checkpoint() if lasting else native.localCheckpoint()

    def split_rejected(
        self, log: Frame, bounds: Bounds, labels: Sequence[str] = ()
    ) -> tuple[Frame, ContactLog, pl.DataFrame]:
        """As `Engine.split_rejected`."""
        return split_by_reason(self, log, bounds, labels)

    def tally(self, frame: Frame, columns: Sequence[str]) -> pl.DataFrame:
        """As `Engine.tally`."""
        return tally_by_query(self, frame, columns)

    def flows(self, frame: Frame, columns: Sequence[str], causes: Sequence[str]) -> pl.DataFrame:
        """As `Engine.flows`."""
        return flows_by_query(self, frame, columns, causes)

    def collect(self, frame: Frame) -> pl.DataFrame:
        """As `Engine.collect`."""
        result = pl.DataFrame(self._mine(frame).toArrow())
        _activate(self._caller)
        return result


def _caller() -> SparkSession:
    """The active session; a local one where there is none."""
    if is_remote():
        raise EngineError(
            "the engine spark needs a session in this process: it has not been tried on Spark Connect"
        )
    logging.getLogger("DataFrameQueryContextLogger").setLevel(
        logging.CRITICAL
    )  # its message is raised as well
    result = SparkSession.getActiveSession()
    if result in _CALLERS:  # left there by what ended in an error
        return _CALLERS[result]
    if result is None:
        log = f"-Dlog4j2.configurationFile={files('cxresearch.engines').joinpath('log4j2.properties')}"
        local = {**_LOCAL, "spark.driver.extraJavaOptions": log}
        builder = SparkSession.builder.master("local[*]").appName("cxresearch")
        try:
            result = reduce(
                lambda b, setting: b.config(*setting), local.items(), builder
            ).getOrCreate()
        except (PySparkException, OSError) as e:
            message = next(iter(str(e).splitlines()), "")
            raise EngineError(
                f"the engine spark does not start: {message} It needs Java 17 or later"
            ) from None
    return result


def _session_for(caller: SparkSession) -> SparkSession:
    """A session with the settings of this package, and for all others those of the caller."""
    session = caller.newSession()
    for name, value in {**caller.conf.getAll, **_SETTINGS}.items():
        if session.conf.isModifiable(name) or name.startswith("spark.sql.catalog."):
            session.conf.set(name, value)
    _CALLERS[session] = caller
    return session


def _activate(session: SparkSession) -> None:
    if SparkSession.getActiveSession() is not session:
        # as who makes a frame becomes the active session; to make one for that alone would ask Java forty times
        try:
            java = SparkSession._get_j_spark_session_class(session._jvm)
            java.setActiveSession(session._jsparkSession)
            SparkSession._activeSession = session
        except AttributeError:  # names of one version of pyspark
            session.createDataFrame([], "nothing int")


def _known(x: Column, kind: pl.DataType) -> Column:
    """A column of a Parquet file, of the type that Polars reads it as."""
    if kind == pl.Null:
        return sf.lit(None).cast("string")
    if isinstance(kind, pl.Datetime) and kind.time_unit == "ns":
        x = sf.timestamp_micros(sf.floor(x / sf.lit(1000).cast("decimal(20,0)")).cast("bigint"))
        return x if kind.time_zone else x.cast("timestamp_ntz")
    return x


def _folder(paths: Sequence[str], name: str, kind: pl.DataType) -> pl.Series:
    """What the folder names say of a column, file by file."""
    parts = [
        dict(part.split("=", 1) for part in Path(path).parts[:-1] if "=" in part) for path in paths
    ]
    values = [unquote(p[name]) for p in parts]
    return pl.Series(name, [None if v == _NO_FOLDER else v for v in values], pl.String).cast(kind)


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _since_1970(column: str, is_whole: bool, unit: int, zone: str) -> Column:
    """Local time of a number that counts a unit since 1970, without bringing distinct numbers to one machine."""
    # whole numbers are divided as such: a float would lose nanoseconds
    whole = f"cast(({column} - pmod({column}, {unit}L)) div {unit}L as bigint)"
    low, high = EARLIEST * 86_400, (LATEST + 1) * 86_400
    is_near = f"{column} / {unit}D between {low} and {high}"
    seconds = sf.expr(
        f"case when {is_near} then {whole if is_whole else f'floor({column} / {unit}D)'} end"
    )
    utc = sf.timestamp_seconds(seconds).cast("timestamp_ntz")
    return sf.convert_timezone(sf.lit("UTC"), sf.lit(zone), utc)


def _local(x: Column, kind: Any, zone: str) -> Column:
    if not getattr(kind, "time_zone", None):
        return x
    return sf.convert_timezone(sf.lit("UTC"), sf.lit(zone), x.cast("timestamp_ntz"))


def _escaped(path: str) -> str:
    """A name that is no pattern."""
    return "".join(f"\\{c}" if c in "\\{}[]*?" else c for c in path)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
