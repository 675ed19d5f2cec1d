"""Incidence against R's survfit."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.incidence import incidence, incidence_at
from cxresearch.risk.from_rows import from_rows
from tests.estimators.golden import CAUSES, cohort, cohort_table, read


@pytest.mark.parametrize("segment", ["basic", "business", "family", "plus"])
@pytest.mark.parametrize("cause", ["defection", "other"])
def test_aalen_johansen_as_in_r(segment, cause):
    wanted = read("incidence.csv").filter(
        (pl.col("segment") == segment) & (pl.col("cause") == cause)
    )
    assert wanted.height > 10
    name = {"other": "other exit"}.get(cause, cause)
    result = incidence(cohort_table().where(segment=[segment]), name, min_at_risk=1, errors="model")
    np.testing.assert_allclose(
        [result.at(t).value for t in wanted["time"]], wanted["pstate"], atol=1e-12
    )
    # R's error is the infinitesimal jackknife by customer, ours Greenwood's: alike, not equal
    errors = np.array([result.at(t).se_model for t in wanted["time"]])
    np.testing.assert_allclose(errors, wanted["std_err"], rtol=0.03)


@pytest.mark.parametrize("segment", ["basic", "business", "family", "plus"])
def test_kaplan_meier_as_in_r(segment):
    wanted = read("km.csv").filter(pl.col("segment") == segment)
    rows = cohort().filter(pl.col("segment") == segment)
    one = from_rows(rows.with_columns(event=(pl.col("cause") == 1).cast(pl.Int64)), [])
    result = incidence(one, min_at_risk=1, errors="model")
    np.testing.assert_allclose(
        [1 - result.at(t).value for t in wanted["time"]], wanted["surv"], atol=1e-12
    )
    np.testing.assert_allclose(
        [result.at(t).se_model for t in wanted["time"]], wanted["std_err"], atol=1e-12
    )


@pytest.mark.parametrize("segment", ["basic", "business", "family", "plus"])
@pytest.mark.parametrize("cause", ["defection", "other"])
def test_limits_by_errors_as_in_r(segment, cause):
    wanted = read("incidence.csv").filter(
        (pl.col("segment") == segment)
        & (pl.col("cause") == cause)
        & pl.col("pstate").is_between(1e-9, 1 - 1e-9)
    )
    name = {"other": "other exit"}.get(cause, cause)
    table = cohort_table().where(segment=[segment])
    leavers = cohort().filter(
        pl.col("segment") == segment, pl.col("cause") == {"defection": 1, "other": 2}[cause]
    )
    df = leavers["id"].n_unique() - 1
    assert wanted.height > 8
    for time, p, error in wanted.select("time", "pstate", "std_err").iter_rows():
        result = incidence_at(table, time, name, min_at_risk=1)
        if result.scale == "wilson":
            assert leavers.filter(pl.col("stop") <= time).height < 20
            continue
        # R's error by customer, on the scale log(-log(1 - p)) by the delta method
        half = stats.t.ppf(0.975, result.df) * error / (-np.log1p(-p) * (1 - p))
        middle = np.log(-np.log1p(-p))
        limits = -np.expm1(-np.exp(middle + half * np.array([-1, 1])))
        assert (result.low, result.high) == pytest.approx(limits, rel=1e-8)
        assert (result.df, result.errors) == (df, "clusters")
    curve = incidence(table, name, min_at_risk=1)
    ours = curve.at(int(wanted["time"].max()))
    assert (ours.low, ours.high) == pytest.approx((result.low, result.high), rel=1e-3)


def test_the_robust_band_is_near_the_model():
    result = incidence(cohort_table())
    model = incidence(cohort_table(), errors="model")
    assert (result.errors, model.errors, model.df) == ("clusters", "model", 0)
    for t in (90, 180, 365):
        # customers are independent: Greenwood's error is right, and the robust one differs by chance
        ratio = (result.at(t).high - result.at(t).low) / (model.at(t).high - model.at(t).low)
        assert ratio == pytest.approx(1, abs=0.03)
    assert (np.diff(result.incidence) >= 0).all()
    assert ((result.low <= result.incidence) & (result.incidence <= result.high)).all()


def test_beyond_the_support():
    result = incidence(cohort_table(), errors="model")
    with pytest.raises(NotTestable, match="follow-up to 5000"):
        result.at(5_000)


def test_everybody_gone_is_known_for_good():
    # twelve customers, all leave by day 6: the incidence at day 100 is 1, not unknown
    rows = pl.DataFrame(
        {
            "id": range(12),
            "start": [0] * 12,
            "stop": [1 + i % 6 for i in range(12)],
            "event": [1] * 12,
        }
    )
    result = incidence(from_rows(rows, []), errors="model")
    assert result.at(100).value == 1.0


def six_of(customers: int) -> pl.DataFrame:
    """Rows of customers of whom six left, one after the other, and the others are still there."""
    who = np.arange(customers)
    stop = np.where(who < 6, 10 * (who + 1), 100)
    return pl.DataFrame({"id": who, "start": 0 * who, "stop": stop, "event": (who < 6).astype(int)})


def test_few_departures_of_many_customers_are_a_proportion():
    result = incidence_at(from_rows(six_of(600), []), 90)
    assert (result.scale, result.value) == ("wilson", pytest.approx(0.01))
    wanted = proportion_confint(6, 600, 0.05, method="wilson")
    assert (result.low, result.high) == pytest.approx(wanted, rel=1e-3)
    few = incidence_at(from_rows(six_of(300), []), 90)
    assert (few.low, few.high) == pytest.approx(
        proportion_confint(6, 300, 0.05, method="wilson"), rel=1e-3
    )


def test_a_hundred_and_twenty_customers_have_an_interval():
    """Sixty of whom leave, one after the other: nobody is censored before, and the incidence is a plain share."""
    who = np.arange(120)
    rows = pl.DataFrame(
        {
            "id": who,
            "start": 0 * who,
            "stop": np.where(who < 60, who + 1, 100),
            "event": (who < 60).astype(int),
        }
    )
    result = incidence_at(from_rows(rows, []), 60)
    assert result.value == pytest.approx(0.5)
    # the error of a share, sqrt(p (1 - p) / n), on the scale log(-log(1 - p))
    assert result.se == pytest.approx(np.sqrt(0.25 / 120) / (np.log(2) * 0.5), rel=1e-12)
    assert (result.errors, result.df) == ("clusters", 59)


def test_few_left_by_events_do_not_end_the_support():
    # nobody is censored before day 50; seven of a hundred remain, and their number is no reason to be silent
    stop = [1 + i % 40 if i < 93 else 50 for i in range(100)]
    rows = pl.DataFrame(
        {"id": range(100), "start": [0] * 100, "stop": stop, "event": [int(s < 50) for s in stop]}
    )
    result = incidence(from_rows(rows, []), errors="model")
    assert result.at(50).value == pytest.approx(0.93)


def test_starts_where_enough_are_at_risk():
    # one early customer entered at 0, the others at 10: what happens before they come does not count
    rows = pl.DataFrame(
        {
            "id": range(31),
            "start": [0] + [10] * 30,
            "stop": [5] + [20 + i for i in range(30)],
            "event": [1] * 31,
        }
    )
    result = incidence(from_rows(rows, []), errors="model")
    assert result.start == 10
    assert result.at(19).value == 0.0
    with pytest.raises(NotTestable, match="50 customers at risk"):
        incidence(from_rows(rows, []), errors="model", min_at_risk=50)


def test_unknown_cause():
    with pytest.raises(EstimationError, match="no cause 'defectoin'; did you mean 'defection'"):
        incidence(cohort_table(), "defectoin")
    assert set(CAUSES) == set(cohort_table().causes)
