"""Every customer's gaps between contacts: what a customer is compared with who is compared with nobody else.

A gap goes from one day with a contact that keeps the customer active to the next such day; the last one is censored at
the end of the log. A gap is marked by how many moments of a kind the customer had had when it began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.disclosure.counts import MIN_CELL, count_text, rounding_note
from cxresearch.records.audit_values import Day
from cxresearch.records.records import Records
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY, Result

MOST_CUSTOMERS = 50_000  # they have gaps enough for any question; taken by the digest of their ids
Marks = Mapping[str, Mapping[str, int]]


GAPS = ("customer", "cluster", "number", "day", "days", "ended")  # columns before the marks


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GapTable(Result):
    """Gaps between contacts; tables of disjoint customers add up.

    Attributes:
        gaps: a row per gap: customer, cluster, number (of the day with a contact, from 1), day (on which it begins),
            days (how long it is), ended (1, or 0 if it is censored), and for each mark, in a column of its name, how
            many such contacts the customer was seen to have up to and on that day.
        marks: names of the marks.
        is_dated: whether days are dates, so that they have a month and a quarter.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    gaps: pl.DataFrame
    marks: tuple[str, ...]
    is_dated: bool
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def to_polars(self) -> pl.DataFrame:
        """The gaps, as `gaps`."""
        return self.gaps

    def __repr__(self) -> str:
        customers = count_text(self.gaps["customer"].n_unique(), self.min_cell)
        gaps = count_text(self.gaps.height, self.min_cell)
        return f"GapTable({gaps} gaps of {customers} customers)"

    def _repr_html_(self) -> str:
        ended = int(self.gaps["ended"].sum())
        counts = {
            "customers": self.gaps["customer"].n_unique(),
            "gaps that ended": ended,
            "gaps that last at the end of the log": self.gaps.height - ended,
        }
        rows = [(what, count_text(n, self.min_cell)) for what, n in counts.items()]
        notes = [rounding_note(self.min_cell)]
        return html_table("Gaps between contacts", ("what", "how many"), rows, notes)


def gap_table(records: Records, marks: Marks) -> GapTable:
    """The gaps of the customers of some records, of the first 50,000 of them if there are more.

    Args:
        records: of a study whose retention is derived from contacts.
        marks: name of a mark to the values that columns of a contact must have.
    """
    engine, window = records.engine, records.window
    x = records.moments.filter(nw.col("customer") < MOST_CUSTOMERS)
    has_inactive = "active" in x.collect_schema().names()
    hits = {}
    for name, wanted in marks.items():
        holds = nw.lit(True)
        for column, value in wanted.items():
            holds = holds & (nw.col(column) == value)
        hits[f"cx_{name}"] = nw.when(holds).then(nw.lit(1)).otherwise(nw.lit(0))
    active = nw.col("active") if has_inactive else nw.lit(1)
    x = x.with_columns(cx_active=active, **hits)
    x = x.group_by("customer", "day").agg(
        nw.col("cx_active").max(), *(nw.col(name).sum() for name in hits)
    )
    who = records.customers.select("customer", "cluster")
    x = x.lazy().join(who.lazy(), on="customer")
    rows = engine.collect(x.select("customer", "cluster", "day", "cx_active", *hits))
    rows = rows.sort("customer", "day").with_columns(
        pl.col(f"cx_{name}").cum_sum().over("customer").alias(f"cx_{name}") for name in marks
    )
    rows = rows.filter(pl.col("cx_active") == 1)
    following = pl.col("day").shift(-1).over("customer")
    rows = rows.with_columns(
        number=pl.int_range(pl.len()).over("customer") + 1,
        days=(following.fill_null(window.last) - pl.col("day")),
        ended=following.is_not_null(),
    ).filter(pl.col("days") > 0)
    *numbers, _ = GAPS
    kept = rows.select(
        pl.col(numbers).cast(pl.Int32),
        pl.col("ended").cast(pl.Int8),
        *(pl.col(f"cx_{name}").cast(pl.Int32).alias(name) for name in marks),
    )
    begins = records.audit.fact("log from")
    is_dated = isinstance(begins, Day) and begins.is_dated
    return GapTable(kept, tuple(marks), is_dated, records.study.info.min_cell)


def total(tables: Sequence[GapTable]) -> GapTable:
    """The table of the customers of all; they must have the same marks."""
    return replace(tables[0], gaps=pl.concat([t.gaps for t in tables]))
