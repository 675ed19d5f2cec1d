"""Models of lifelines on a risk table, against the same models on one row per customer and against our own curves."""

import lifelines
import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.errors import EstimationError
from cxresearch.estimators.parametric import entries_and_exits, fit_lifelines
from cxresearch.risk.from_rows import from_rows

CAUSES = ("censored", "defection", "other exit")


@pytest.fixture(scope="module")
def customers():
    """Customers with late entries, ties of entries and exits, and two causes."""
    rng = np.random.default_rng(5)
    start = rng.integers(0, 40, 400) * rng.integers(0, 2, 400)
    stop = start + 1 + np.floor(60 * rng.weibull(1.4, 400)).astype(int)
    event = rng.choice([0, 1, 2], 400, p=[0.3, 0.5, 0.2])
    return pl.DataFrame({"id": range(400), "start": start, "stop": stop, "event": event})


@pytest.fixture(scope="module")
def table(customers):
    """The same customers; half of their time is at another level of a feature."""
    middle = (pl.col("start") + pl.col("stop")) // 2
    can_split = middle > pl.col("start")
    first = customers.filter(can_split).with_columns(
        stop=middle, event=pl.lit(0, pl.Int64), level=pl.lit("a")
    )
    last = customers.with_columns(
        start=pl.when(can_split).then(middle).otherwise("start"), level=pl.lit("b")
    )
    rows = pl.concat([first, last.select(first.columns)]).sort("id", "start")
    return from_rows(rows, ["level"], causes=CAUSES)


def test_pairs_hold_who_is_at_risk_and_who_leaves(customers, table):
    pairs = entries_and_exits(table)
    assert (pairs["entry"] < pairs["exit"]).all()
    for day in range(1, 120):
        here = (pl.col("entry") < day) & (pl.col("exit") >= day)
        there = (pl.col("start") < day) & (pl.col("stop") >= day)
        assert pairs.filter(here)["customers"].sum() == customers.filter(there).height
        left = pairs.filter((pl.col("exit") == day) & pl.col("event"))["customers"].sum()
        assert left == customers.filter((pl.col("stop") == day) & (pl.col("event") == 1)).height


@pytest.mark.parametrize("fitter", [lifelines.WeibullFitter, lifelines.LogLogisticFitter])
def test_parametric_models_are_those_of_the_customers(customers, table, fitter):
    ours = fit_lifelines(table, fitter())
    theirs = fitter().fit(
        customers["stop"].to_numpy(),
        event_observed=(customers["event"] == 1).to_numpy(),
        entry=customers["start"].to_numpy(),
    )
    np.testing.assert_allclose(ours.params_, theirs.params_, rtol=1e-4)
    assert ours.log_likelihood_ == pytest.approx(theirs.log_likelihood_, rel=1e-8)


def test_kaplan_meier_is_one_less_the_incidence_of_the_only_cause(customers):
    alone = from_rows(customers.with_columns(pl.col("event") % 2), [])
    curve = cx.incidence(alone, errors="model", min_at_risk=1)
    km = fit_lifelines(alone, lifelines.KaplanMeierFitter())
    ours = [curve.at(day).value for day in range(5, 60, 5)]
    np.testing.assert_allclose(1 - km.predict(list(range(5, 60, 5))), ours, atol=1e-12)


def test_a_table_without_events_has_no_model(customers):
    none = from_rows(customers.with_columns(event=pl.lit(0, pl.Int64)), [])
    with pytest.raises(EstimationError, match="no events of the cause 'defection'"):
        fit_lifelines(none, lifelines.WeibullFitter())
