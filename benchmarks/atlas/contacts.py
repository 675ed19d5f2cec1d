"""The contacts of Online Retail II as a plain table for check.R.

    python -m benchmarks.atlas.contacts --data FOLDER --out FILE

Made from the raw Parquet files with Polars alone: nothing of the package is used, so that R begins where the package
does. A contact is one customer at one minute, buying or returning. R cannot read Parquet without a further package.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

SECOND_FILE = datetime(
    2010, 12, 1, 8, 26
)  # from here on the second file has the lines of the first


def contacts(folder: Path) -> pl.DataFrame:
    """One row per contact: customer, day since the log's first, whether it is a return.

    Args:
        folder: of the two files.
    """
    first = pl.read_parquet(folder / "online_retail_2009_2010.parquet").select(
        customer="Customer ID",
        at=pl.col("InvoiceDate").str.to_datetime("%Y-%m-%d %H:%M:%S"),
        returned=pl.col("Quantity") < 0,
    )
    second = pl.read_parquet(folder / "online_retail_2010_2011_noinvoice.parquet").select(
        customer="CustomerID",
        at=pl.col("InvoiceDate").cast(pl.Datetime("us")),
        returned=pl.col("Quantity") < 0,
    )
    lines = pl.concat([first.filter(pl.col("at") < SECOND_FILE), second]).drop_nulls("customer")
    once = lines.with_columns(pl.col("at").dt.truncate("1m")).unique()
    day = pl.col("at").dt.date()
    return once.select(
        pl.col("customer").cast(pl.Int64),
        day=(day - day.min()).dt.total_days(),
        returned=pl.col("returned").cast(pl.Int8),
    ).sort("customer", "day", "returned")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.atlas.contacts", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with online_retail_2")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    given = parser.parse_args(arguments)
    contacts(given.data / "online_retail_2").write_csv(given.out)


if __name__ == "__main__":
    main()
