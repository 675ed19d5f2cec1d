"""Models beyond the data, on customers whose time to leaving is planted."""

import math

import numpy as np
import polars as pl
import pytest

from cxresearch.errors import ArgumentError, EstimationError
from cxresearch.estimators import accelerated, extrapolate
from cxresearch.risk.from_rows import from_rows

END = 400  # of the data


def table_of(times, **features):
    """Customers who leave at some times, and are last seen at the end of the data."""
    whole = np.maximum(np.ceil(times), 1)
    rows = pl.DataFrame(
        {
            "id": range(len(times)),
            "start": 0,
            "stop": np.minimum(whole, END).astype(int),
            "event": (whole <= END).astype(int),
            **features,
        }
    )
    return from_rows(rows, list(features), causes=("censored", "defection"))


@pytest.fixture(scope="module")
def exponential():
    """3,000 customers who leave after 300 days in the mean, half of them beyond the data."""
    return table_of(np.random.default_rng(1).exponential(300, 3000))


def test_the_planted_mean_is_found_beyond_the_data(exponential):
    result = extrapolate(exponential, ["exponential", "weibull"], horizon=200)
    for model in result.values():
        assert model.mean == pytest.approx(300, rel=0.07)
        assert model.median == pytest.approx(300 * math.log(2), rel=0.05)
        assert model.beyond == pytest.approx(math.exp(-END / 300), abs=0.05)


def test_models_agree_with_our_curve_within_the_data(exponential):
    result = extrapolate(exponential, ["exponential", "weibull"], horizon=200)
    o = result.observed
    assert o.low < math.exp(-200 / 300) < o.high
    for model in result.values():
        assert model.survival == pytest.approx(o.value, abs=0.02)
        assert model.within == pytest.approx(result.observed_within, rel=0.02)


def test_a_curve_that_ends_with_the_data_is_no_reason_to_warn():
    early = table_of(np.random.default_rng(2).exponential(60, 2000))
    far = table_of(np.random.default_rng(2).exponential(600, 2000))
    assert "rests on the shape of the model alone" not in extrapolate(early, ["weibull"]).warning
    assert "rests on the shape of the model alone" in extrapolate(far, ["weibull"]).warning


def test_who_never_leaves_is_found_and_has_no_expected_time():
    rng = np.random.default_rng(3)
    times = np.where(rng.random(3000) < 0.4, np.inf, rng.exponential(80, 3000))
    result = extrapolate(table_of(np.minimum(times, 1e6)), ["weibull", "cure"], horizon=200)
    assert next(iter(result)) == "cure"  # fits best
    assert result["cure"].never == pytest.approx(0.4, abs=0.03)
    assert math.isinf(result["cure"].mean)
    assert result["cure"].survival == pytest.approx(result.observed.value, abs=0.02)
    assert "some never leave" in result.warning
    assert "no expected time" in result._repr_html_()


def test_other_names_are_refused(exponential):
    with pytest.raises(ArgumentError, match="models must be"):
        extrapolate(exponential, ["gompertz"])
    with pytest.raises(EstimationError, match="at least one model"):
        extrapolate(exponential, [])


def test_a_planted_time_ratio_and_the_hazard_ratio_of_cox():
    """Weibull's model is of both kinds: a time ratio of a half with shape 1.5 is a hazard ratio of 0.5 to the -1.5."""
    rng = np.random.default_rng(4)
    plan = rng.choice(["a", "b"], 3000)
    times = 300 * rng.weibull(1.5, 3000) * np.where(plan == "b", 0.5, 1.0)
    fit = accelerated(table_of(times, plan=plan), ["plan"])
    assert fit.terms == ("plan[b]",)
    assert fit.time_low[0] < 0.5 < fit.time_high[0]
    assert fit.shape == pytest.approx(1.5, abs=0.08)
    row = fit.to_polars().row(0, named=True)
    assert row["hazard_ratio"] == pytest.approx(0.5**-1.5, rel=0.1)
    assert row["hazard_ratio"] == pytest.approx(row["cox"], rel=0.05)
    assert row["cox_low"] < 0.5**-1.5 < row["cox_high"]


def test_levels_that_change_are_late_entries():
    """Half of a customer's time at another level changes nothing where the level does nothing."""
    times = np.random.default_rng(5).exponential(100, 1500)
    stop = np.minimum(np.maximum(np.ceil(times), 2), END).astype(int)
    rows = pl.DataFrame({"id": range(1500), "start": np.zeros(1500, int), "stop": stop})
    rows = rows.with_columns(
        event=(pl.col("stop") < END).cast(pl.Int64), middle=pl.col("stop") // 2
    )
    halves = pl.concat(
        [
            rows.select("id", "start", stop="middle", event=pl.lit(0, pl.Int64), level=pl.lit("x")),
            rows.select("id", "middle", "stop", "event", level=pl.lit("x")).rename(
                {"middle": "start"}
            ),
        ]
    ).with_columns(level=pl.when(pl.col("id") % 2 == 0).then(pl.lit("y")).otherwise("level"))
    whole = rows.with_columns(
        level=pl.when(pl.col("id") % 2 == 0).then(pl.lit("y")).otherwise(pl.lit("x"))
    )
    causes = ("censored", "defection")
    one = accelerated(from_rows(halves, ["level"], causes=causes), ["level"])
    other = accelerated(from_rows(whole.drop("middle"), ["level"], causes=causes), ["level"])
    assert one.time_ratio == pytest.approx(other.time_ratio, rel=1e-3)
    with pytest.raises(EstimationError, match="at least one feature"):
        accelerated(from_rows(halves, ["level"], causes=causes), [])
