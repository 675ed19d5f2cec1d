"""Local Polars: the default, which needs no server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl

from cxresearch.engines.base import (
    GROUPS,
    Bounds,
    ContactLog,
    Frame,
    Whole,
    counts_of_labels,
    framed,
    is_written,
    no_named_tables,
    split_by_reason,
    tally_by_query,
)
from cxresearch.engines.duckdb_files import confine, connected, stored
from cxresearch.engines.flows import count_flows, flows_by_query
from cxresearch.engines.packed_contacts import Growing, Packed, gathered, twice
from cxresearch.engines.packing import packing_for_bounds, packing_of_two_for_bounds, tally
from cxresearch.engines.windows import Along, AlongSorted
from cxresearch.study.sql_dialects import polars_sql
from cxresearch.study.timestamps import EARLIEST, LATEST, read_iso, read_values

FEW = 50  # rows that a reader is given as a list of numbers
MANY = 1_000_000  # rows above which a second pass of hashes saves memory
_FAR = 10**7  # days


class Polars:
    """Local Polars. `lazy` uses window functions on lazy frames; else the walk is a sort and a comparison."""

    def __init__(self, *, lazy: bool = False) -> None:
        self.name = "polars-lazy" if lazy else "polars"
        self.lazy = lazy
        self.along: type[Along] = Along if lazy else AlongSorted
        self.rereads = not lazy
        self.shared = True
        self.has_slow_steps = False

    def confine(self, files: Sequence[str], state: Path | None = None) -> None:
        """As `Engine.confine`; its SQL knows the tables it is given only."""

    def parquet(self, paths: Sequence[str], *, hive: bool) -> pl.LazyFrame:
        """As `Engine.parquet`."""
        return pl.scan_parquet(list(paths), hive_partitioning=hive, glob=False)

    def table(self, data: pl.LazyFrame) -> pl.LazyFrame:
        """As `Engine.table`."""
        return data

    def database(self, path: str, table: str) -> pl.LazyFrame:
        """As `Engine.database`; DuckDB reads it."""
        connection = connected()
        confine(connection, [path])  # a view may be stored in the file, and ask for any other
        read: pl.DataFrame = stored(connection, path, table).pl()
        return read.lazy()

    def named_table(self, table: str) -> pl.LazyFrame:
        """As `Engine.named_table`."""
        raise no_named_tables(table)

    def frame(self, data: Any) -> pl.LazyFrame:
        """As `Engine.frame`."""
        taken: pl.DataFrame = nw.from_native(data).lazy().collect("polars").to_native()
        return taken.lazy()

    def query(self, sql: str, tables: Mapping[str, Any]) -> pl.LazyFrame:
        """As `Engine.query`."""
        result: pl.LazyFrame = pl.SQLContext(dict(tables)).execute(polars_sql(sql))
        return result

    def rows(self, raw: pl.LazyFrame) -> Frame:
        """As `Engine.rows`."""
        numbered = plain(raw).with_row_index("cx_row", offset=1)
        return framed(numbered)

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """As `Engine.number`."""
        native = nw.to_native(frame).sort(by).with_row_index(name)
        return framed(native.with_columns(pl.col(name).cast(pl.Int64)))

    def instant(
        self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx"
    ) -> Frame:
        """As `Engine.instant`."""
        native, x, kind = nw.to_native(frame), pl.col(column), frame.collect_schema()[column]
        is_text = kind in (nw.String, nw.Categorical, nw.Enum)
        if is_text and self.rereads:
            # texts are read once, whatever goes through the log afterwards: eight bytes a row
            alone = framed(native.lazy().select(column))
            once = Polars(lazy=True).instant(alone, column, fmt=fmt, zone=zone, name=name)
            parts = nw.to_native(once).drop(column).collect(engine="streaming")
            return framed(pl.concat([native.lazy(), parts.lazy()], how="horizontal"))
        if fmt is not None and is_written(kind):
            return framed(_in_format(native, column, fmt, zone, name))
        if kind.is_integer():
            day, second = x, pl.lit(0)
        else:
            if kind in (nw.Categorical, nw.Enum):
                x, kind = x.cast(pl.String), nw.String()
            if kind == nw.String:
                x = x.map_batches(
                    lambda texts: read_iso(texts, zone),
                    return_dtype=pl.Datetime("us"),
                    is_elementwise=True,
                )
            else:
                x = pl.when(in_calendar(x, native.collect_schema()[column])).then(x)
            at = f"{name}_at"  # a column, so that it is made once
            native = native.with_columns(_local(x, kind, zone).cast(pl.Datetime("us")).alias(at))
            epoch = pl.col(at).dt.epoch("s")
            day = epoch.floordiv(86_400)
            second = epoch - day * 86_400
        there = day.is_between(EARLIEST, LATEST)
        result = native.with_columns(
            pl.when(there).then(day).cast(pl.Int32).alias(f"{name}_day"),
            pl.when(there).then(second).cast(pl.Int32).alias(f"{name}_second"),
        )
        return framed(result.drop(f"{name}_at", strict=False))

    def local(self, frame: Frame, columns: Sequence[str], zone: str) -> Frame:
        """As `Engine.local`."""
        kinds = frame.collect_schema()
        return framed(
            nw.to_native(frame).with_columns(_local(pl.col(c), kinds[c], zone) for c in columns)
        )

    def repeats(self, frame: Frame, columns: Sequence[str], apart: Sequence[str]) -> Frame:
        """As `Engine.repeats`: by hashes of a few columns, and where many are left of all; then by the values."""
        native = nw.to_native(frame).lazy()
        few = pl.struct(apart).hash()
        doubtful, rows = twice(
            gathered((p.to_series() for p in _pieces(native.select(few))), np.uint64)
        )
        if not rows:
            return framed(native.with_columns(cx_repeat=pl.lit(value=False)))
        candidates = native.filter(few.is_in(doubtful.implode())).select("cx_row", *columns)
        if rows > MANY:
            pieces = [
                p.select("cx_row", hash=p.drop("cx_row").hash_rows()) for p in _pieces(candidates)
            ]
            hashed = pl.concat(pieces)
            again, _ = twice(hashed["hash"].to_numpy().copy())
            suspects = hashed.filter(pl.col("hash").is_in(again.implode()))["cx_row"]
            candidates = native.filter(pl.col("cx_row").is_in(suspects.implode())).select(
                "cx_row", *columns
            )
        equal = candidates.collect(engine="streaming").sort("cx_row")
        repeated = equal.filter(~pl.struct(columns).is_first_distinct())["cx_row"]
        return framed(native.with_columns(cx_repeat=pl.col("cx_row").is_in(repeated.implode())))

    def group(self, frame: Frame, column: str) -> Frame:
        """As `Engine.group`."""
        import polars_hash as plh

        digest = plh.col(column).nchash.md5().str.slice(0, 8).str.to_integer(base=16)
        return framed(nw.to_native(frame).with_columns(group=(digest % GROUPS).cast(pl.Int64)))

    def pick(self, frame: Frame, rows: Frame) -> Frame:
        """As `Engine.pick`; a reader that is given a few row numbers skips the rows between them."""
        wanted: pl.DataFrame = nw.to_native(rows).lazy().collect()
        native = nw.to_native(frame).lazy()
        numbers = wanted["cx_row"]
        place = (
            numbers.to_list()
            if len(numbers) <= FEW
            else numbers.cast(native.collect_schema()["cx_row"]).implode()
        )
        few = native.filter(pl.col("cx_row").is_in(place)).with_columns(
            pl.col("cx_row").cast(pl.Int64)
        )
        return framed(few.join(wanted.lazy(), on="cx_row"))

    def keep(self, frame: Frame) -> Frame:
        """As `Engine.keep`."""
        native = nw.to_native(frame)
        native = native.collect(engine="streaming") if isinstance(native, pl.LazyFrame) else native
        return framed(native.lazy() if self.lazy else native)

    def split_rejected(
        self, log: Frame, bounds: Bounds, labels: Sequence[str] = ()
    ) -> tuple[Frame, ContactLog, pl.DataFrame]:
        """As `Engine.split_rejected`: a contact is one integer, or two, whatever the order of the rows."""
        one, two = packing_for_bounds(bounds), packing_of_two_for_bounds(bounds)
        if self.lazy or (one is None and two is None):
            rejected, _, counts = split_by_reason(self, kept := self.keep(log), bounds, labels)
            ordered = kept.filter(nw.col("reason").is_null()).select(*bounds).sort(*bounds)
            return rejected, Whole(ordered, self), counts
        others = [pl.DataFrame(schema={"cx_row": pl.Int64, "reason": pl.Int32})]
        fine = pl.col("reason").is_null()
        packs = [one] if one else list(two or ())
        columns = {f"cx_key{i}": pl.when(fine).then(pack.key) for i, pack in enumerate(packs)}
        near = ["near"] if labels else []
        number = pl.col("cx_row").cast(pl.Int64)
        rows = nw.to_native(log).lazy().select(number, "reason", *labels, *near, **columns)
        growing = {name: Growing(np.int64) for name in columns}
        counted: list[pl.DataFrame] = []
        for piece in _pieces(rows):
            others.append(piece.filter(~fine).select("cx_row", "reason"))
            kept_rows = piece.filter(fine) if labels else piece
            counted += [
                kept_rows.group_by(c).agg(rows=pl.len(), near=pl.col("near").sum()) for c in labels
            ]
            for name, column in growing.items():
                column.add(piece[name])
        keys, *rest = (column.all() for column in growing.values())
        if rest:
            order = np.argsort(keys, kind="stable")
            packed = Packed(keys[order], packs[0], rest[0][order], packs[1])
        else:
            keys.sort()
            packed = Packed(keys, packs[0])
        counts = counts_of_labels([*labels] * (len(counted) // max(len(labels), 1)), counted)
        return framed(pl.concat(others).sort("cx_row")), packed, counts

    def tally(self, frame: Frame, columns: Sequence[str]) -> pl.DataFrame:
        """As `Engine.tally`."""
        native = nw.to_native(frame)
        if isinstance(native, pl.LazyFrame):
            return tally_by_query(self, frame, columns)
        return tally(native, columns)

    def flows(self, frame: Frame, columns: Sequence[str], causes: Sequence[str]) -> pl.DataFrame:
        """As `Engine.flows`."""
        native = nw.to_native(frame)
        counted = None if isinstance(native, pl.LazyFrame) else count_flows(native, columns, causes)
        return flows_by_query(self, frame, columns, causes) if counted is None else counted

    def collect(self, frame: Frame) -> pl.DataFrame:
        """As `Engine.collect`."""
        native = nw.to_native(frame)
        return native.collect() if isinstance(native, pl.LazyFrame) else native


def plain(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Types that another engine or Narwhals would not take: 128-bit integers, and columns without a value."""
    kinds = frame.head(0).collect_schema()  # as `schema_of`
    casts = {
        c: pl.String if t == pl.Null else pl.Float64
        for c, t in kinds.items()
        if t in (pl.Null, pl.Int128, pl.UInt128)
    }
    return frame.with_columns(pl.col(c).cast(t) for c, t in casts.items()) if casts else frame


def in_calendar(x: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """Whether a date or time lies within some thousand years; Polars panics where it turns one far away into anything.

    A file may hold such: the infinity of another program is the greatest integer there is.
    """
    units = {"ms": 10**3, "us": 10**6}
    if isinstance(kind, pl.Date):
        return x.to_physical().is_between(-_FAR, _FAR)
    if not isinstance(kind, pl.Datetime) or kind.time_unit not in units:
        return pl.lit(value=True)  # nanoseconds reach from 1677 to 2262
    far = _FAR * 86_400 * units[kind.time_unit]
    return x.to_physical().is_between(-far, far)


def _in_format(native: Any, column: str, fmt: str, zone: str, name: str) -> Any:
    x = pl.col(column)
    kind = native.collect_schema()[column]
    x = x if kind.is_numeric() else x.cast(pl.String)
    parts = {"day": pl.Int32, "second": pl.Int32}
    read = x.map_batches(
        lambda values: read_values(values, fmt, zone).to_struct(values.name),
        return_dtype=pl.Struct(parts),
        is_elementwise=True,
    )
    native = native.with_columns(read.alias(f"{name}_read"))  # once, for both of its parts
    fields = pl.col(f"{name}_read").struct
    return native.with_columns(fields.field(p).alias(f"{name}_{p}") for p in parts).drop(
        f"{name}_read"
    )


def _pieces(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The rows in pieces, in any order: each must say where it belongs."""
    return frame.collect_batches(maintain_order=False)


def _local(x: pl.Expr, kind: Any, zone: str) -> pl.Expr:
    return (
        x.dt.convert_time_zone(zone).dt.replace_time_zone(None)
        if getattr(kind, "time_zone", None)
        else x
    )
