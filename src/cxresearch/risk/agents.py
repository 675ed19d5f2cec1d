"""With whom contacts were, and how many of them were bad: the additive table behind a share of moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.disclosure.counts import MIN_CELL, count_text, rounding_note
from cxresearch.engines import Frame, framed
from cxresearch.engines.packing import sums
from cxresearch.errors import NotTestable
from cxresearch.records.contacts import BAD, UNKNOWN
from cxresearch.records.records import Records
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY, Result

_KEYS, _COUNTS = ("agent", "stratum", "half"), ("moments", "bad")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AgentTable(Result):
    """Counts of graded contacts; tables of disjoint clusters add up.

    Attributes:
        counts: rows agent, stratum (what is held equal, such as touchpoint and month, as one number), half (of the
            customers: 0 or 1), moments, bad.
        of: whom `agent` numbers, such as ``agent`` or ``owner``.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    counts: pl.DataFrame
    of: str
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def to_polars(self) -> pl.DataFrame:
        """The counts, as `counts`."""
        return self.counts

    def __repr__(self) -> str:
        agents, moments = self._counted()
        return f"AgentTable({agents} of {self.of}, {moments} graded contacts)"

    def _repr_html_(self) -> str:
        agents, moments = self._counted()
        rows = [(f"{self.of} distinguished", agents), ("graded contacts", moments)]
        notes = [rounding_note(self.min_cell)]
        return html_table("With whom contacts were", ("what", "how many"), rows, notes)

    def _counted(self) -> tuple[str, str]:
        """How many agents and contacts, as they may be shown."""
        agents, moments = self.counts["agent"].n_unique(), int(self.counts["moments"].sum())
        return count_text(agents, self.min_cell), count_text(moments, self.min_cell)


def agent_table(records: Records, of: str, within: Sequence[str]) -> AgentTable:
    """Count the graded contacts of some records.

    Args:
        records: read with the contact attributes `of` and `within`.
        of: a contact attribute that is a text.
        within: what is held equal: such attributes, and ``month``.

    Raises:
        NotTestable: the log does not have them.
    """
    for name in (of, *within):
        if name != "month" and name not in records.names:
            raise NotTestable("missing_column", f"{name}: the log has no such column")
    engine = records.engine
    stratum = nw.lit(0).cast(nw.Int64)
    for name in within:
        width = 12 * 10_000 if name == "month" else len(records.names[name]) + 1
        stratum = stratum * width + (nw.col("cx_month") if name == "month" else nw.col(name) + 1)
    x: Frame = records.moments.filter((nw.col("grade") != UNKNOWN) & (nw.col(of) >= 0))
    who = records.customers.select("customer", "group")
    x = x.lazy().join(who.lazy(), on="customer").join(_months(records).lazy(), on="day")
    x = x.select(
        agent=nw.col(of).cast(nw.Int64),
        stratum=stratum.cast(nw.Int64),
        half=(nw.col("group") % 2).cast(nw.Int64),
        bad=nw.when(nw.col("grade") == BAD).then(nw.lit(1)).otherwise(nw.lit(0)),
    )
    keys = (*_KEYS, "bad")
    by = engine.tally(engine.keep(x), keys).select(pl.all().cast(pl.Int64))
    counted = by.select(*_KEYS, moments="rows", bad=pl.col("rows") * pl.col("bad"))
    return AgentTable(sums(counted, _KEYS, _COUNTS), of, records.study.info.min_cell)


def total(tables: Sequence[AgentTable]) -> AgentTable:
    """The sum of tables of disjoint clusters."""
    counts = pl.concat([t.counts.select(pl.all().cast(pl.Int64)) for t in tables])
    return replace(tables[0], counts=sums(counts, _KEYS, _COUNTS))


def _months(records: Records) -> Frame:
    """The month of every day of the log's window: twelve times the year, and the month."""
    days = pl.int_range(records.window.first, records.window.last + 1, eager=True).alias("day")
    date = pl.from_epoch(pl.col("day"), time_unit="d")
    table = days.to_frame().with_columns(
        (date.dt.year() * 12 + date.dt.month() - 1).cast(pl.Int64).alias("cx_month")
    )
    return framed(records.engine.frame(table.with_columns(pl.col("day").cast(pl.Int32))))
