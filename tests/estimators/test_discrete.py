"""The grouped-time model against R's glm and against statsmodels."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm

from cxresearch.errors import EstimationError
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.risk.from_rows import from_rows
from tests.estimators.golden import grouped_table, read


def test_as_in_r():
    wanted = read("cloglog.csv").filter(pl.col("term").str.starts_with("ba"))
    fit = grouped_hazards(grouped_table(), ["bad", "band"], errors="model", min_events=1)
    np.testing.assert_allclose(fit.coef, wanted["coef"], atol=1e-8)
    np.testing.assert_allclose(fit.se_model, wanted["se"], atol=1e-8)


def test_pooled_baselines_as_in_statsmodels():
    cells = read("cloglog_table.csv", bad=pl.String, band=pl.String).filter(pl.col("v") >= 29)
    x = np.column_stack(
        [np.ones(cells.height), cells["bad"] == "1+", cells["band"] == "3+"]
    ).astype(float)
    link = sm.families.Binomial(link=sm.families.links.CLogLog())
    theirs = sm.GLM(np.column_stack([cells["d"], cells["n"] - cells["d"]]), x, family=link).fit(
        tol=1e-14
    )
    late = grouped_table()
    late = replace(late, flows=late.flows.filter(pl.col("time") >= 28))
    late = replace(late, flows=late.flows.filter(~((pl.col("time") == 28) & (pl.col("left") > 0))))
    ours = grouped_hazards(late, ["bad", "band"], errors="model", min_events=10**6)
    np.testing.assert_allclose(ours.coef, theirs.params[1:], atol=1e-7)


def test_no_maximum_is_said():
    table = grouped_table()
    only_good = table.flows.with_columns(
        defection=pl.when(pl.col("bad") == 0).then(0).otherwise(pl.col("defection"))
    )
    with pytest.raises(EstimationError, match="no maximum"):
        grouped_hazards(
            replace(table, flows=only_good),
            ["bad"],
            errors="model",
        )


def test_a_held_level_without_events_leaves_the_others_at_their_limits():
    rows = []
    random = np.random.default_rng(8)
    for customer in range(600):
        bad, band = int(random.random() < 0.4), int(random.integers(0, 3))
        chance = 0.0 if band == 2 else 0.15 * (1.8 if bad else 1.0)
        stop = next((v for v in range(1, 6) if random.random() < chance), 0)
        rows.append((customer, 0, stop or 5, int(stop > 0), str(bad), str(band)))
    columns = ["id", "start", "stop", "event", "bad", "band"]
    table = from_rows(pl.DataFrame(rows, schema=columns, orient="row"), ["bad", "band"])
    table = replace(table, clock="contact")
    held = grouped_hazards(table, ["bad", "band"], held=["band"])
    without = grouped_hazards(table.where(band=["0", "1"]), ["bad", "band"], held=["band"])
    at = held.terms.index("bad[1]")
    assert held.coef[at] == pytest.approx(without.coef[without.terms.index("bad[1]")], abs=1e-6)
    with pytest.raises(EstimationError, match="no maximum"):
        grouped_hazards(table, ["bad", "band"])
