"""Shares: Wilson's interval, robust errors of clusters, and the ends where neither is left."""

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats
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
    return from_rows(rows.with_columns(cluster=pl.col("id") // clusters), ["x"], cluster="cluster")


def test_wilson_as_in_statsmodels():
    result = share(
        table_of([1] * 300 + [0] * 100, (["a"] * 4 + ["b"]) * 80),
        {"x": ("a",)},
        causes=("defection",),
    )
    assert (result.count, result.total) == (240, 300)
    assert (result.estimate.low, result.estimate.high) == pytest.approx(
        proportion_confint(240, 300, method="wilson")
    )


@pytest.mark.parametrize("alike", [True, False])
def test_shares_of_clusters_as_in_statsmodels(alike):
    """A logistic regression without covariates, its error clustered; a household of alike customers says less."""
    levels = [int(i // 4 % 3 == 0 if alike else i % 3 == 0) for i in range(400)]
    ends = [int(i % 5 > 0) for i in range(400)]
    result = share(table_of(ends, levels, clusters=4), {"x": ("1",)}, causes=("defection",))
    left = np.array(ends) == 1
    theirs = sm.Logit(np.array(levels)[left], np.ones(left.sum())).fit(
        disp=0,
        cov_type="cluster",
        cov_kwds={"groups": (np.arange(400) // 4)[left], "use_correction": False},
    )
    number = result.estimate
    assert (result.count, result.total) == (np.array(levels)[left].sum(), 320)
    assert (number.scale, number.errors, number.df) == ("logit", "clusters", 99)
    assert number.se == pytest.approx(theirs.bse[0], rel=1e-9)
    half = stats.t.ppf(0.975, 99) * theirs.bse[0]
    limits = 1 / (1 + np.exp(-(theirs.params[0] + half * np.array([-1, 1]))))
    assert (number.low, number.high) == pytest.approx(limits, rel=1e-7)


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
