"""What a Cox model predicts for a history: against lifelines, a plain reckoning, and leaving out one customer each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

import cxresearch as cx
from cxresearch import charts
from cxresearch.errors import ArgumentError, UnknownInTableError
from cxresearch.worlds import World, simulate

LATE = [(0, {"bad": "0"}), (180, {"bad": "1+"})]


@pytest.fixture(scope="module")
def study():
    return simulate(World(hr_bad=(1.0, 1.5, 2.0, 2.5)), 300, seed=1).study()


@pytest.fixture(scope="module")
def table(study):
    return cx.risk_table(study, bad=cx.bad_count(1), strata=["segment"], observed_from_start=True)


@pytest.fixture(scope="module")
def rows(study):
    episodes = cx.episodes(study, bad=cx.bad_count(1), observed_from_start=True)
    return episodes.to_lifelines()


def test_of_fixed_covariates_it_is_what_lifelines_predicts(study):
    # from their start: lifelines takes who came late for at risk before, in its baseline
    how = {"strata": ["segment"], "bad": cx.bad_count(1), "observed_from_start": True}
    table = cx.risk_table(study, **how).only("segment")
    who = cx.episodes(study, **how).to_lifelines()
    levels = [c for c in who.columns if c.startswith("segment[")]
    people = who.groupby("id").agg(
        **{c: (c, "first") for c in levels},
        entry=("start", "min"),
        stop=("stop", "max"),
        event=("event", "max"),
    )
    theirs = CoxPHFitter(baseline_estimation_method="breslow").fit(
        people, duration_col="stop", event_col="event", entry_col="entry"
    )
    days = [30, 90, 365, 600]
    for level in table.feature("segment").levels:
        mine = cx.estimators.predicted_incidence(table, ["segment"], {"segment": level})
        x = pd.DataFrame({c: [float(c == f"segment[{level}]")] for c in levels})
        expected = theirs.predict_survival_function(x, times=mine.times)[0].to_numpy()
        assert 1 - mine.incidence == pytest.approx(expected, abs=1e-5)
        assert [mine.at(d).value for d in days] == sorted(mine.at(d).value for d in days)


def by_hand(rows, coef, path):
    """One minus exp(-H), day by day: who is at risk, how many leave, what the history multiplies."""
    total, result = 0.0, {}
    for day in sorted(rows.loc[rows["event"], "stop"].unique()):
        there = rows[(rows["start"] < day) & (rows["stop"] >= day)]
        left = ((rows["stop"] == day) & rows["event"]).sum()
        weight = np.exp(coef * there["bad[1+]"]).sum()
        total += left * np.exp(coef * path(day)) / weight
        result[day] = 1 - np.exp(-total)
    return result


def test_of_a_history_that_changes_it_is_the_sum_over_days(table, rows):
    coef = float(cx.cox(table, ["bad"]).coef[0])
    expected = by_hand(rows.astype({"event": bool}), coef, lambda day: float(day > 180))
    mine = cx.estimators.predicted_incidence(table, ["bad"], LATE)
    assert len(mine.times) > 50
    for time, value in zip(mine.times, mine.incidence, strict=True):
        assert value == pytest.approx(expected[time], rel=1e-9)


def test_its_error_is_that_of_leaving_out_one_customer_each():
    study = simulate(World(hr_bad=(1, 1.5, 2, 2.5)), 160, seed=3).study()
    table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)

    def predicted(of):
        return cx.estimators.predicted_incidence(of, ["bad"], LATE)

    curve = predicted(table)
    at = int(np.searchsorted(curve.times, 365, side="right")) - 1
    others = [
        predicted(table.without_group(g)).at(curve.times[at]).value
        for g in table.population["group"]
    ]
    jackknife = np.sqrt(((np.array(others) - np.mean(others)) ** 2).sum())
    assert curve.se_model[at] == pytest.approx(jackknife, rel=0.08)
    assert curve.low[at] < curve.incidence[at] < curve.high[at]


def test_a_stratum_has_its_own_baseline(table):
    made = [
        cx.estimators.predicted_incidence(
            table, ["bad"], {"bad": "0"}, strata=["segment"], stratum={"segment": level}
        )
        for level in table.feature("segment").levels
    ]
    assert len({round(c.at(365).value, 6) for c in made}) == len(made)


def test_the_truth_of_a_world_lies_in_the_interval():
    world = World(hr_bad=(1.0, 2.0, 2.0, 2.0), segment_ratios=(1.0,), base_hazard=0.001)
    study = simulate(world, 2_500, seed=8).study()
    table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
    curves = cx.predicted_retention(
        table,
        ["bad"],
        {"never": {"bad": "0"}, "on day 100": [(0, {"bad": "0"}), (100, {"bad": "1+"})]},
    )
    for name, hazard in (("never", 0.001 * 365), ("on day 100", 0.001 * (100 + 2 * 265))):
        number = curves[name].at(365)
        assert number.low < 1 - np.exp(-hazard) < number.high
    spec = charts.retention(curves, history="history").to_dict()
    assert "never" in spec["description"]
    assert set(curves.to_polars()["name"]) == {"never", "on day 100"}


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ({"bad": "2"}, UnknownInTableError, "no level '2'"),
        ({"god": "1+"}, UnknownInTableError, "no feature of the terms 'god'"),
        ([(5, {"bad": "0"})], ArgumentError, "begin at 0"),
        ([(0, {"bad": "0"}), (0, {"bad": "1+"})], ArgumentError, "days that rise"),
    ],
)
def test_a_history_that_cannot_be_is_refused(table, path, error, words):
    with pytest.raises(error, match=words):
        cx.estimators.predicted_incidence(table, ["bad"], path)


def test_a_stratum_that_is_not_given_is_named(table):
    with pytest.raises(ArgumentError, match="segment is missing"):
        cx.estimators.predicted_incidence(table, ["bad"], {"bad": "0"}, strata=["segment"])
