"""Shares: Wilson's interval, the jackknife, and the ends where neither is left."""

import polars as pl
import pytest
from statsmodels.stats.proportion import proportion_confint

from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.shares import share
from cxresearch.risk.from_rows import from_rows


def table_of(ends, levels, clusters=1):
    """One row per customer; `clusters` customers share one."""
    n = len(ends)
    rows = pl.DataFrame(
        {"id": range(n), "start": [0] * n, "stop": [5] * n, "event": ends, "x": levels}
    )
    table = from_rows(rows, ["x"])
    if clusters > 1:
        population = table.population.with_columns(clusters=pl.col("clusters") // clusters)
        table = type(table)(table.flows, table.features, table.causes, table.clock, population)
    return table


def test_wilson_as_in_statsmodels():
    result = share(
        table_of([1] * 300 + [0] * 100, (["a"] * 4 + ["b"]) * 80),
        {"x": ("a",)},
        causes=("defection",),
    )
    assert (result.part, result.whole) == (240, 300)
    assert (result.estimate.low, result.estimate.high) == pytest.approx(
        proportion_confint(240, 300, method="wilson")
    )


def test_everybody_is_not_certainty():
    result = share(table_of([1] * 400, ["a"] * 400, clusters=4), {"x": ("a",)}).estimate
    assert result.value == 1.0
    assert 0.9 < result.low < 0.99
    none = share(table_of([1] * 400, ["a"] * 399 + ["b"], clusters=4), {"x": ("b",)}).estimate
    assert none.low < none.value < none.high < 0.1


def test_what_cannot_be_asked():
    table = table_of([1, 0], ["a", "b"])
    with pytest.raises(NotTestable, match="denominator"):
        share(table, {"x": ("a",)}, subset={"x": ("b",)}, causes=("defection",))
    with pytest.raises(EstimationError, match="no level 'c'"):
        share(table, {"x": ("c",)})
