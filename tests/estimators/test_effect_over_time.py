"""An effect by age of the moment and by band of the clock: its numbers, its test, and what is planted."""

from __future__ import annotations

from html import escape

import numpy as np
import pytest
from lifelines import CoxTimeVaryingFitter
from scipy import stats

import cxresearch as cx
from cxresearch import charts
from cxresearch.errors import ArgumentError, EstimationError
from cxresearch.worlds import World, simulate

AGES = cx.histories.age_of_last("bad", (30, 90))


def table_of(world, customers=1_500, seed=2, **histories):
    made = simulate(world, customers, seed).study()
    return cx.risk_table(made, observed_from_start=True, strata=["segment"], **histories)


@pytest.fixture(scope="module")
def fresh():
    """A bad moment does harm for 30 days."""
    return table_of(World(recent_ratio=2.5), age=AGES)


def test_ratios_by_age_are_those_of_the_model_and_the_test_is_wald_s(fresh):
    effect = cx.estimators.effect_by_age(fresh, "age", strata=["segment"])
    fit = cx.cox(fresh, ["age"], strata=["segment"])
    known = ["0-30", "31-90", "91+"]
    assert effect.bands[:3] == tuple(known)
    for band, ratio in zip(effect.bands, effect.ratios, strict=True):
        assert ratio == cx.contrast(fit, {f"age[{band}]": 1.0})
    # by hand: differences to the first band, with the covariance that influences give
    at = [fit.terms.index(f"age[{b}]") for b in effect.bands]
    covariance = fit.influence[:, at].T @ fit.influence[:, at]
    differences = np.eye(len(at))[1:] - np.eye(len(at))[0]
    apart = differences @ fit.coef[at]
    chisq = apart @ np.linalg.inv(differences @ covariance @ differences.T) @ apart
    assert effect.chisq == pytest.approx(chisq)
    assert effect.p == pytest.approx(stats.chi2.sf(chisq, len(at) - 1))


def test_a_short_effect_is_told_from_a_lasting_one(fresh):
    assert cx.estimators.effect_by_age(fresh, "age").p < 1e-4
    lasting = table_of(World(hr_bad=(1.0, 2.0, 2.0, 2.0)), age=AGES)
    assert cx.estimators.effect_by_age(lasting, "age").p > 0.05


def test_ratios_by_clock_are_those_of_each_band_alone():
    made = simulate(World(hr_bad=(1.0, 2.0, 2.0, 2.0)), 300, seed=4).study()
    table = cx.risk_table(made, bad=cx.bad_count(1), observed_from_start=True)
    effect = cx.estimators.effect_by_clock(table, {"bad[1+]": 1.0}, (200,), terms=["bad"])
    assert effect.bands == ("1-200", "201+")
    rows = cx.episodes(made, bad=cx.bad_count(1), observed_from_start=True).to_lifelines()
    for (first, last), ratio in zip(((0, 200), (200, 10**6)), effect.ratios, strict=True):
        part = rows[(rows["start"] < last) & (rows["stop"] > first)].copy()
        part["event"] = part["event"].astype(bool) & (part["stop"] <= last)
        part["start"] = part["start"].clip(lower=first)
        part["stop"] = part["stop"].clip(upper=last)
        theirs = CoxTimeVaryingFitter().fit(
            part, id_col="id", start_col="start", stop_col="stop", event_col="event"
        )
        assert np.log(ratio.value) == pytest.approx(theirs.params_["bad[1+]"], abs=1e-4)
        assert ratio.se_model == pytest.approx(theirs.standard_errors_["bad[1+]"], abs=1e-4)


def test_an_effect_that_comes_late_shows_by_the_clock():
    late = World(hr_bad=(1.0, 3.0, 3.0, 3.0), late_ratio=1 / 3, late_after=200)
    table = table_of(late, 3_000, bad=cx.bad_count(1))
    effect = cx.estimators.effect_by_clock(table, {"bad[1+]": 1.0}, (200,), terms=["bad"])
    assert effect.ratios[0].value > 2 * 0.8
    assert effect.p < 0.05
    constant = table_of(World(hr_bad=(1.0, 3.0, 3.0, 3.0)), bad=cx.bad_count(1))
    assert cx.estimators.effect_by_clock(constant, {"bad[1+]": 1.0}, (200,), terms=["bad"]).p > 0.05


def test_tables_and_pictures_say_the_same(fresh):
    effect = cx.estimators.effect_by_age(fresh, "age")
    table = effect.to_polars()
    assert table["band"].to_list() == list(effect.bands)
    assert table["hazard_ratio"].to_list() == [e.value for e in effect.ratios]
    spec = charts.effect_over_time(effect).to_dict()
    assert effect.sentence in spec["description"]
    assert f"0-30: {effect.ratios[0].value:.2f}" in spec["description"]
    assert escape(effect.sentence) in effect._repr_html_()


def test_what_cannot_be_compared_is_refused(fresh):
    with pytest.raises(EstimationError, match="fewer than two ages"):
        cx.estimators.effect_by_age(fresh.where(age=["none", "0-30"]), "age")
    with pytest.raises(ArgumentError, match="rise"):
        cx.estimators.effect_by_clock(fresh, {"age[0-30]": 1.0}, (90, 30), terms=["age"])
