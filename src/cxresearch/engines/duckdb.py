"""DuckDB in this process."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines.base import (
    GROUPS,
    Bounds,
    ContactLog,
    Frame,
    framed,
    instant_in_format,
    is_written,
    no_named_tables,
    split_by_reason,
    tally_by_query,
)
from cxresearch.engines.duckdb_files import (
    confine,
    connected,
    spill_folder,
    stored,
    text,
)
from cxresearch.engines.flows import flows_by_query
from cxresearch.engines.polars import Polars, plain
from cxresearch.engines.windows import Along
from cxresearch.study.quoting import quote_identifier
from cxresearch.study.timestamps import BLANKS, EARLIEST, LATEST, duck_time_steps

if TYPE_CHECKING:
    import duckdb


class DuckDB:
    """DuckDB in this process; every frame is a relation of one connection."""

    name = "duckdb"
    along: type[Along] = Along
    rereads = False
    shared = False
    has_slow_steps = False

    def __init__(self) -> None:
        self.connection = connected()
        self._numbers = itertools.count()
        self._allowed: set[str] | None = None  # files that can still be opened; None: any
        self._opened: set[str] = set()

    def confine(self, files: Sequence[str], state: Path | None = None) -> None:
        """As `Engine.confine`; what the files of another study hold is copied in then."""
        if self._allowed is None:
            self._allowed = {*files, *self._opened}
            confine(self.connection, self._allowed, spill_folder(state, self) if state else None)

    def _relation(self, sql: str) -> duckdb.DuckDBPyRelation:
        return self.connection.sql(sql)

    def _over(self, frame: Frame, columns: str) -> Frame:
        """The frame with further columns, given as SQL."""
        return framed(nw.to_native(frame).project(f"*, {columns}"))

    def parquet(self, paths: Sequence[str], *, hive: bool) -> Any:
        """As `Engine.parquet`."""
        if self._allowed is not None and not self._allowed.issuperset(paths):
            return self._take(Polars().parquet(paths, hive=hive))
        self._opened.update(paths)
        if not hive:
            return self.connection.read_parquet(
                list(paths), hive_partitioning=False, union_by_name=False
            )
        # a month of 01 is a number to Polars and text to DuckDB
        file_schema = pl.scan_parquet(
            paths[0], hive_partitioning=False, glob=False
        ).collect_schema()
        kinds = {pl.Int64: "bigint", pl.Float64: "double", pl.Date: "date", pl.Boolean: "boolean"}
        schema = Polars().parquet(paths, hive=True).collect_schema()
        types = {
            n: kinds.get(t.base_type(), "varchar")
            for n, t in schema.items()
            if n not in file_schema
        }
        listed = ", ".join(text(p) for p in paths)
        folders = ", ".join(f"{text(n)}: {t}" for n, t in types.items())
        columns = ", ".join(map(quote_identifier, schema))
        source = f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{{folders}}})"
        return self._relation(f"select {columns} from {source}")

    def table(self, data: pl.LazyFrame) -> Any:
        """As `Engine.table`."""
        return self._take(data)

    def database(self, path: str, table: str) -> Any:
        """As `Engine.database`."""
        if self._allowed is not None and path not in self._allowed:
            return self._take(Polars().database(path, table))
        self.confine([path])
        return stored(self.connection, path, table, f"file_{next(self._numbers)}")

    def named_table(self, table: str) -> Any:
        """As `Engine.named_table`."""
        raise no_named_tables(table)

    def frame(self, data: Any) -> Any:
        """As `Engine.frame`."""
        return self._take(Polars().frame(data))

    def _take(self, data: pl.LazyFrame) -> Any:
        """Copy a lazy frame piece by piece."""
        name = f"frame_{next(self._numbers)}"
        pieces = plain(data).collect_batches(maintain_order=True)
        empty = pl.DataFrame(schema=plain(data).collect_schema())
        for i, piece in enumerate(itertools.chain([empty], pieces)):
            self.connection.register("taken", piece.to_arrow())
            into = f"insert into {name}" if i else f"create table {name} as"
            self.connection.execute(f"{into} select * from taken")
            self.connection.unregister("taken")
        return self.connection.table(name)

    def query(self, sql: str, tables: Mapping[str, Any]) -> Any:
        """As `Engine.query`."""
        self.confine([])
        for name, relation in tables.items():
            relation.create_view(name, replace=True)
        return self._relation(sql)

    def rows(self, raw: Any) -> Frame:
        """As `Engine.rows`."""
        casts = {
            "TIMESTAMPTZ_NS": "timestamptz",
            '"NULL"': "varchar",
            "HUGEINT": "double",
            "UHUGEINT": "double",
        }
        select_list = [
            f"cast({quote_identifier(c)} as {casts[t]}) as {quote_identifier(c)}"
            if (t := str(kind)) in casts
            else quote_identifier(c)
            for c, kind in zip(raw.columns, raw.types, strict=True)
        ]
        return framed(raw.project(", ".join(["row_number() over () as cx_row", *select_list])))

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """As `Engine.number`."""
        return self._over(
            frame,
            f"row_number() over (order by {quote_identifier(by)}) - 1 as {quote_identifier(name)}",
        )

    def instant(
        self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx"
    ) -> Frame:
        """As `Engine.instant`."""
        kind, x = frame.collect_schema()[column], quote_identifier(column)
        if fmt is not None and is_written(kind):
            return instant_in_format(self, frame, column, fmt=fmt, zone=zone, name=name)
        used = []  # columns on the way
        if kind.is_integer():
            day, second = x, "0"
        else:
            if kind in (nw.Categorical, nw.Enum):
                x, kind = f"cast({x} as varchar)", nw.String()
            if kind == nw.String:
                known = {"x": f"trim({x}, {text(BLANKS)})"}
                for step, sql in duck_time_steps(zone):
                    x = known[step] = quote_identifier(f"{name}_{step}")
                    frame = self._over(frame, f"{sql(known)} as {x}")
                    used.append(x)
            else:
                if getattr(kind, "time_unit", None) != "ns":  # which reach from 1677 to 2262
                    x = f"(case when {x} between date '0999-12-31' and date '10000-01-02' then {x} end)"
                if getattr(kind, "time_zone", None):
                    x = f"timezone('{zone}', {x})"
            at = f"cast({x} as timestamp)"
            day = f"date_diff('day', date '1970-01-01', cast({at} as date))"
            second = f"date_diff('second', date_trunc('day', {at}), date_trunc('second', {at}))"
        there = f"{day} between {EARLIEST} and {LATEST}"
        rest = f"* exclude ({', '.join(used)})" if used else "*"
        return framed(
            nw.to_native(frame).project(
                f"{rest}, cast(case when {there} then {day} end as integer) as {name}_day, "
                f"cast(case when {there} then {second} end as integer) as {name}_second"
            )
        )

    def local(self, frame: Frame, columns: Sequence[str], zone: str) -> Frame:
        """As `Engine.local`."""
        zoned = [c for c in columns if getattr(frame.collect_schema()[c], "time_zone", None)]
        if not zoned:
            return frame
        here = ", ".join(
            f"timezone('{zone}', {quote_identifier(c)}) as {quote_identifier(c)}" for c in zoned
        )
        return framed(nw.to_native(frame).project(f"* replace ({here})"))

    def repeats(self, frame: Frame, columns: Sequence[str], apart: Sequence[str]) -> Frame:  # noqa: ARG002
        """As `Engine.repeats`."""
        same = ", ".join(quote_identifier(c) for c in columns)
        return self._over(
            frame, f"row_number() over (partition by {same} order by cx_row) > 1 as cx_repeat"
        )

    def group(self, frame: Frame, column: str) -> Frame:
        """As `Engine.group`."""
        return self._over(
            frame,
            f"cast(('0x' || substr(md5({quote_identifier(column)}), 1, 8))::bigint % {GROUPS} as bigint) as \"group\"",
        )

    def pick(self, frame: Frame, rows: Frame) -> Frame:
        """As `Engine.pick`."""
        return frame.join(rows, on="cx_row")

    def keep(self, frame: Frame) -> Frame:
        """As `Engine.keep`."""
        name = f"kept_{next(self._numbers)}"
        nw.to_native(frame).create(name)
        return framed(self.connection.table(name))

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
        """As `Engine.collect`; DuckDB's wide integers come back as 64-bit ones, decimals as floats."""
        result: pl.DataFrame = nw.to_native(frame).pl()
        wide: dict[str, Any] = {n: pl.Int64 for n, t in result.schema.items() if t == pl.Int128}
        wide |= {
            n: pl.Float64 if t.scale else pl.Int64
            for n, t in result.schema.items()
            if isinstance(t, pl.Decimal)
        }
        return result.with_columns(pl.col(n).cast(t) for n, t in wide.items())
