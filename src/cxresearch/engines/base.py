"""What the pipeline asks of an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines.packing import downcast
from cxresearch.engines.windows import Along
from cxresearch.errors import EngineError
from cxresearch.study.timestamps import read_values

if TYPE_CHECKING:
    Frame = nw.LazyFrame[Any]  # or a DataFrame, which has the methods that are used
else:
    Frame = object

GROUPS = 100  # of clusters, where there are too many to keep them apart
MANY_CLUSTERS = (
    100_000  # from here on a table's groups are those; below, each cluster is a group of its own
)


Bounds = Mapping[str, tuple[int, int]]


class ContactLog(Protocol):
    """Contacts in the order of customers and time, and the same in parts that are worked on one after the other."""

    def frame(self, grades: Sequence[int] | None = None) -> Frame:
        """All of them; with `grades`, those of other grades may be left out."""

    def parts(
        self, customers: Frame, grades: Sequence[int] | None = None
    ) -> Sequence[Callable[[], tuple[Frame, Frame]]]:
        """How to get the moments and customers of each part: whole groups, as few as fit into memory.

        With `grades`, moments of other grades may be left out.
        """

    def tally(self, columns: Sequence[str]) -> pl.DataFrame:
        """How many ``rows`` there are by these columns, sorted by them."""

    def customers(self) -> int:
        """How many customers have a contact."""

    def busiest(self) -> tuple[int, int]:
        """The code of a customer with the most contacts, the first of them, and how many these are."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Contacts in one frame, in one part."""

    moments: Frame
    engine: Engine

    def frame(self, grades: Sequence[int] | None = None) -> Frame:  # noqa: ARG002 - may is not must
        """As `ContactLog.frame`."""
        return self.moments

    def parts(
        self,
        customers: Frame,
        grades: Sequence[int] | None = None,  # noqa: ARG002 - may is not must
    ) -> Sequence[Callable[[], tuple[Frame, Frame]]]:
        """As `ContactLog.parts`."""
        return [lambda: (self.moments, customers)]

    def tally(self, columns: Sequence[str]) -> pl.DataFrame:
        """As `ContactLog.tally`."""
        return self.engine.tally(self.moments, columns)

    def customers(self) -> int:
        """As `ContactLog.customers`."""
        return int(
            self.engine.collect(self.moments.select(nw.col("customer").n_unique())).item() or 0
        )

    def busiest(self) -> tuple[int, int]:
        """As `ContactLog.busiest`."""
        counts = self.moments.group_by("customer").agg(rows=nw.len())
        most = counts.select(nw.col("rows").max())
        top = counts.join(most, on="rows").select(nw.col("customer").min(), nw.col("rows").max())
        customer, rows = self.engine.collect(top).row(0)
        return (int(customer), int(rows)) if rows else (-1, 0)


class Engine(Protocol):
    """What the pipeline needs from an engine. `raw` is the native lazy frame; all else is Narwhals."""

    name: str
    along: type[Along]
    rereads: bool  # whether going through a source again is better than keeping it
    shared: bool  # whether several threads may work with it at once
    has_slow_steps: bool  # whether a step takes long, however few rows there are

    def confine(self, files: Sequence[str], state: Path | None = None) -> None:
        """Reach no other files from now on, whatever a query or a stored view asks for.

        Args:
            files: what a study names.
            state: folder for what does not fit into memory.
        """

    def parquet(self, paths: Sequence[str], *, hive: bool) -> Any:
        """Open Parquet files as one table; with `hive`, folder names such as ``year=2024`` are columns."""

    def table(self, data: pl.LazyFrame) -> Any:
        """Take what Polars has read from files, so that all engines see the same table."""

    def database(self, path: str, table: str) -> Any:
        """Open a table (no view) of a DuckDB file, which is not written to."""

    def named_table(self, table: str) -> Any:
        """Open a table that the engine itself knows by name.

        Raises:
            EngineError: it knows none.
        """

    def frame(self, data: Any) -> Any:
        """Take a Polars frame."""

    def query(self, sql: str, tables: Mapping[str, Any]) -> Any:
        """Run a query that `study.sql.query` has passed."""

    def rows(self, raw: Any) -> Frame:
        """Number the rows from 1, as they stand, in ``cx_row``; hand the table over to Narwhals.

        Types that an engine knows and the pipeline does not become ones it does.
        """

    def number(self, frame: Frame, by: str, name: str) -> Frame:
        """Number the rows from 0 in the order of `by`, in a column `name`."""

    def instant(
        self, frame: Frame, column: str, *, fmt: str | None, zone: str, name: str = "cx"
    ) -> Frame:
        """Add ``{name}_day`` (since 1970-01-01) and ``{name}_second`` (of the day), local; null where unreadable.

        A format decides how texts and numbers are read, whatever they look like. Without one, texts are ISO and whole
        numbers are days.

        A day before `EARLIEST` or after `LATEST` is unreadable: it is a slip (a year of two digits, a number such as
        20240131 or 1704067200 in a column of days).
        """

    def local(self, frame: Frame, columns: Sequence[str], zone: str) -> Frame:
        """Turn times with a zone into local ones without."""

    def repeats(self, frame: Frame, columns: Sequence[str], apart: Sequence[str]) -> Frame:
        """Add ``cx_repeat``: whether an earlier row is equal in all `columns`; hardly any two are in those `apart`."""

    def group(self, frame: Frame, column: str) -> Frame:
        """Add ``group``: md5 of the text in `column`, first 8 hex digits, modulo 100."""

    def pick(self, frame: Frame, rows: Frame) -> Frame:
        """The rows of a numbered source whose ``cx_row`` is in `rows`, with the columns of both."""

    def keep(self, frame: Frame) -> Frame:
        """Compute now, so that later steps do not compute it again."""

    def split_rejected(
        self, log: Frame, bounds: Bounds, labels: Sequence[str] = ()
    ) -> tuple[Frame, ContactLog, pl.DataFrame]:
        """Go through the rows of a log, once.

        Args:
            log: cx_row, reason, whole numbers, and texts; with `labels` also ``near``, which is 0 or 1.
            bounds: column to its least and greatest value where there is no reason; rows are arranged by these columns.
            labels: columns of texts to count by.

        Returns:
            The rows with a reason (cx_row, reason), the columns of those without, and the counts of those without, as
            `counts_of_labels` makes them.
        """

    def tally(self, frame: Frame, columns: Sequence[str]) -> pl.DataFrame:
        """How many ``rows`` there are by whole numbers in `columns`: a small result, sorted by them."""

    def flows(self, frame: Frame, columns: Sequence[str], causes: Sequence[str]) -> pl.DataFrame:
        """Who comes and who goes, of rows start, stop, event and whole numbers in `columns`.

        Args:
            frame: ``event`` is a position in `causes`, or -1 where a row ends and nothing happens.
            columns: what to count by, besides ``time``, which comes after the first of them.
            causes: names.

        Returns:
            A row for each combination, sorted: the columns, ``entered``, ``left``, and one count per cause; narrow.
        """

    def collect(self, frame: Frame) -> pl.DataFrame:
        """Bring a small result into memory."""


def no_named_tables(table: str) -> EngineError:
    """The error of an engine without a catalogue of tables."""
    return EngineError(
        f"{table!r} is a table of Spark's catalogue: run with the engine spark, or name a file"
    )


def split_by_reason(
    engine: Engine, log: Frame, bounds: Bounds, labels: Sequence[str]
) -> tuple[Frame, ContactLog, pl.DataFrame]:
    """`Engine.split_rejected` where windows order for themselves, and the engine limits its own memory."""
    kept = engine.keep(log)
    rejected = kept.filter(~nw.col("reason").is_null()).select("cx_row", "reason")
    fine = kept.filter(nw.col("reason").is_null())
    counts = [
        engine.collect(fine.group_by(c).agg(rows=nw.len(), near=nw.col("near").sum()))
        for c in labels
    ]
    return rejected, Whole(fine.select(*bounds), engine), counts_of_labels(labels, counts)


def counts_of_labels(labels: Sequence[str], counts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Counts by texts, put together: label (the column), value (the text), rows, and how many of them are near.

    Args:
        labels: the column of each of `counts`.
        counts: of each, its texts, ``rows`` and ``near``; a text may have several rows.
    """
    kinds = {"label": pl.String, "value": pl.String, "rows": pl.Int64, "near": pl.Int64}
    named = [
        c.select(pl.lit(name).alias("label"), pl.col(name).alias("value"), "rows", "near").cast(
            pl.Schema(kinds)
        )
        for name, c in zip(labels, counts, strict=True)
    ]
    whole = pl.concat([pl.DataFrame(schema=kinds), *named]).drop_nulls("value")
    return whole.group_by("label", "value").agg(pl.col("rows", "near").sum()).sort("label", "value")


def is_written(kind: Any) -> bool:
    """Whether a column of this Narwhals type holds what a format can be about: texts or numbers."""
    return bool(kind.is_numeric()) or kind in (nw.String, nw.Categorical, nw.Enum)


def instant_in_format(
    engine: Engine, frame: Frame, column: str, *, fmt: str, zone: str, name: str
) -> Frame:
    """`Engine.instant` of a column in a format: the distinct values are read here, and joined back."""
    kind, x = frame.collect_schema()[column], nw.col(column)
    x = x.cast(nw.String) if kind in (nw.Categorical, nw.Enum) else x
    frame = frame.with_columns(cx_text=x)
    values = engine.collect(frame.select("cx_text").unique())["cx_text"].drop_nulls()
    read = read_values(values, fmt, zone)
    known = pl.DataFrame({"cx_text": values, **{f"{name}_{c}": read[c] for c in read.columns}})
    joined = frame.lazy().join(framed(engine.frame(known)).lazy(), on="cx_text", how="left")
    return joined.drop("cx_text")


def tally_by_query(engine: Engine, frame: Frame, columns: Sequence[str]) -> pl.DataFrame:
    """`Engine.tally` by a query."""
    result = engine.collect(frame.group_by(*columns).agg(rows=nw.len()))
    return downcast(result.select(*columns, "rows").sort(*columns), ["rows"])


def schema_of(raw: Any) -> nw.Schema:
    """The columns of a native table; a Polars scan that was itself asked can no longer pass over rows by number.

    Raises:
        Exception: that of the engine, where the table cannot be read; see `read_errors`.
    """
    result: nw.Schema = nw.from_native(raw).head(0).collect_schema()
    return result


def framed(native: Any) -> Frame:
    """A native frame as a Narwhals frame."""
    result: Frame = nw.from_native(native)
    return result
