"""Small tables made up for a purpose."""

import polars as pl

from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import RiskTable


def separated(event: pl.Expr) -> RiskTable:
    """200 customers with levels x (a, b) and y (p, q), all by their ids.

    Args:
        event: who leaves, by id, x and y: where nobody does, a log hazard ratio has no maximum.
    """
    rows = pl.DataFrame(
        {"id": range(200), "start": [0] * 200, "stop": [1 + i % 50 for i in range(200)]}
    )
    rows = rows.with_columns(
        x=pl.when(pl.col("id") % 4 == 0).then(pl.lit("b")).otherwise(pl.lit("a")),
        y=pl.when(pl.col("id") % 5 == 0).then(pl.lit("q")).otherwise(pl.lit("p")),
    )
    return from_rows(rows.with_columns(event=event.cast(pl.Int64)), ["x", "y"])
