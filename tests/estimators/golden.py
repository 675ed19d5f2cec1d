"""The committed numbers from R, and the tables they belong to."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import Feature, RiskTable

GOLDEN = Path(__file__).parents[1] / "golden"
CAUSES = ("censored", "defection", "other exit")


def read(name: str, **types: type[pl.DataType]) -> pl.DataFrame:
    """A committed CSV."""
    return pl.read_csv(GOLDEN / name, schema_overrides=types, null_values=["NA"])


def cohort() -> pl.DataFrame:
    """The episodes of 20,000 simulated customers."""
    return read("cohort_episodes.csv.gz", bad=pl.String, contacts=pl.String)


def cohort_table(
    rows: pl.DataFrame | None = None,
    features: Sequence[str] = ("bad", "contacts", "segment"),
    *,
    grouped: bool = True,
) -> RiskTable:
    """Their risk table; of some of the episodes, if they are given."""
    return from_rows(
        cohort() if rows is None else rows, features, cause="cause", causes=CAUSES, grouped=grouped
    )


def heart_table(name: str = "jasa1") -> RiskTable:
    """The Stanford heart data; half days of the one half-integer time become days, which no likelihood notices."""
    rows = read(f"{name}.csv").with_columns((pl.col("start", "stop") * 2).cast(pl.Int64))
    return from_rows(rows, ["age", "surgery", "transplant"])


def grouped_table() -> RiskTable:
    """The committed table of contacts and lapses, as flows."""
    cells = read("cloglog_table.csv", bad=pl.String, band=pl.String)
    bads, bands = (sorted(cells[c].unique().to_list()) for c in ("bad", "band"))
    rows = []
    for cell in cells.iter_rows(named=True):
        pattern = (bads.index(cell["bad"]), bands.index(cell["band"]))
        n, d = cell["n"], cell["d"]
        rows += [(0, cell["v"] - 1, *pattern, n, 0, 0, 0), (0, cell["v"], *pattern, 0, n, n - d, d)]
    names = ["group", "time", "bad", "band", "entered", "left", "censored", "defection"]
    flows = pl.DataFrame(rows, schema=names, orient="row")
    population = pl.DataFrame({"group": [0], "customers": [1], "clusters": [1]})
    features = (Feature("bad", tuple(bads)), Feature("band", tuple(bands)))
    return RiskTable(
        flows=flows,
        features=features,
        causes=("censored", "defection"),
        clock="contact",
        population=population,
    )
