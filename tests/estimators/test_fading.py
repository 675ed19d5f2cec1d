"""Fading beyond selection: worlds in which it is there or only seems so, and the parts written out."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.cox import cox
from cxresearch.estimators.fading import _kinds, _limit, beyond_selection
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import Feature
from tests.reference.jackknife import jackknife_error, leave_each_out

EDGES = (7, 14, 30, 60, 90, 180, 365)
BANDS = ("0-7", "8-14", "15-30", "31-60", "61-90", "91-180", "181-365", "366+")
LEVELS = ("none", *BANDS, "unknown")


def world(
    seed, effect, frailty=0.0, customers=20_000, daily=0.003, days=730, rate=1 / 200, segments=1
):
    """Customers with a first bad moment, who are not looked at from a second one on.

    Args:
        seed: of the random numbers.
        effect: log hazard ratio by age of the moment in days, from 1 on.
        frailty: variance of a gamma frailty.
        customers: how many.
        daily: hazard of a customer of frailty 1, without a moment.
        days: of follow-up; customers begin over the first half of it.
        rate: of bad moments per day.
        segments: how many, each with a hazard of its own.
    """
    rng = np.random.default_rng(seed)
    z = rng.gamma(1 / frailty, frailty, customers) if frailty else np.ones(customers)
    segment = np.arange(customers) % segments
    hazard = daily * (1 + segment)
    came = rng.exponential(1 / rate, customers).astype(int) + 1
    again = came + 1 + rng.exponential(1 / rate, customers).astype(int)
    until = np.minimum(days - rng.integers(0, days // 2, customers), again)
    allowed = (
        rng.exponential(1, customers) / z / hazard
    )  # days without a moment that use the customer up
    after = np.cumsum(np.exp(effect(np.arange(1, days + 1))))
    left = np.where(
        allowed <= came, np.ceil(allowed), came + 1 + np.searchsorted(after, allowed - came)
    )
    stop, event = np.minimum(left, until).astype(int), (left <= until).astype(int)
    moves = [np.zeros(customers, int), came, *(came + e for e in EDGES), np.full(customers, 10**6)]
    rows = []
    for i, age in enumerate(("none", *BANDS)):
        here = moves[i] < stop
        end = np.minimum(moves[i + 1], stop)[here]
        part = {
            "id": np.flatnonzero(here),
            "start": moves[i][here],
            "stop": end,
            "segment": segment[here],
        }
        rows.append(
            pl.DataFrame(part).with_columns(
                age=pl.lit(age), event=np.where(end == stop[here], event[here], 0)
            )
        )
    return from_rows(pl.concat(rows), ["age", "segment"], levels={"age": LEVELS})


def constant(age):
    return np.full(len(age), np.log(3.0))


def step(age):
    return np.where(age <= 30, np.log(3.0), np.log(1.5))


def test_selection_alone_seems_to_fade_and_is_not_believed():
    result = beyond_selection(world(1, constant, frailty=1.0, customers=60_000, daily=0.005), "age")
    assert 1.2 < result.observed.value < 1.35
    assert result.observed.low > 1.15
    assert result.implied == pytest.approx(result.observed.value, rel=0.08)
    assert result.beyond.low < 1 < result.beyond.high
    assert result.theta == pytest.approx(1.0, abs=0.3)
    assert result.beta == pytest.approx(np.log(3), abs=0.1)


@pytest.mark.slow
def test_it_is_right_as_often_as_it_says():
    result = [
        beyond_selection(world(s, constant, frailty=1.0, daily=0.005), "age") for s in range(12)
    ]
    z = np.array([np.log(f.beyond.value) / f.beyond.se for f in result])
    assert abs(z.mean()) < 3 / np.sqrt(len(z))
    assert 0.5 < z.std(ddof=1) < 1.6


def test_an_effect_that_fades_is_found_in_full():
    """A ratio of 2 on the first 30 days; a world fitted without one of its own would take it for frailty."""
    result = beyond_selection(world(2, step, daily=0.002), "age")
    assert result.beyond.low > 1.7
    assert result.beyond.value == pytest.approx(2.0, rel=0.1)
    assert result.theta < 0.3
    assert result.gamma == pytest.approx(np.log(2), abs=0.1)


def test_fading_beside_frailty_is_told_apart():
    result = beyond_selection(world(3, step, frailty=1.0, customers=40_000, daily=0.004), "age")
    assert result.observed.value > result.beyond.value > 1.6
    assert result.beyond.value == pytest.approx(2.0, rel=0.12)
    assert result.implied > 1


def test_without_frailty_nothing_is_taken_off():
    result = beyond_selection(world(4, constant), "age")
    assert result.theta < 0.1
    assert result.implied == pytest.approx(1.0, abs=0.02)
    assert result.beyond.low < 1 < result.beyond.high
    assert result.beyond.se == pytest.approx(result.observed.se, rel=0.35)


def test_without_an_effect_the_variance_does_not_matter():
    result = beyond_selection(world(5, lambda age: np.zeros(len(age)), frailty=2.0), "age")
    assert 0 <= result.theta <= 10
    assert result.implied == pytest.approx(1.0, abs=0.05)
    assert result.beyond.low < 1 < result.beyond.high


@pytest.mark.slow
def test_segments_with_hazards_of_their_own():
    table = world(6, constant, frailty=1.0, customers=40_000, daily=0.003, segments=2)
    result = beyond_selection(table, "age", strata=["segment"])
    assert result.observed.value > 1.12
    assert result.beyond.low < 1 < result.beyond.high
    one = beyond_selection(table.where(segment=["1"]), "age")
    same = beyond_selection(table, "age", subset={"segment": ("1",)}, strata=["segment"])
    assert same.beyond.value == pytest.approx(one.beyond.value, rel=1e-9)
    assert same.theta == pytest.approx(one.theta, rel=1e-6)


@pytest.mark.slow
def test_observed_is_a_cox_contrast_and_the_error_goes_over_both_parts():
    table = world(7, constant, frailty=1.0, customers=6_000, daily=0.005)
    result = beyond_selection(table, "age")
    near = table.where(age=["0-7", "8-14", "15-30", "31-60", "61-90", "91-180"])
    soon = pl.when(pl.col("age") <= 3).then(1).otherwise(0)
    recoded = replace(
        table,
        flows=near.flows.with_columns(soon=soon),
        features=(*near.features, Feature("soon", ("0", "1"))),
    )
    fit = cox(recoded, ["soon"], errors="model")
    assert np.log(result.observed.value) == pytest.approx(fit.coef[0], abs=1e-9)
    assert result.events == fit.events
    # sixty households of a hundred customers, each left out once
    shared = replace(
        table,
        flows=table.flows.with_columns(pl.col("group") % 60).sort("group"),
        population=pl.DataFrame({"group": range(60), "customers": 100, "clusters": 1}),
    )
    households = beyond_selection(shared, "age").beyond
    refits = leave_each_out(
        range(60), lambda g: np.log(beyond_selection(shared.without_group(g), "age").beyond.value)
    )
    # spans and pieces of tenure are laid anew in each part: alike, not equal
    assert households.se == pytest.approx(float(jackknife_error(refits)), rel=0.1)
    assert households.df == 59
    # customers do not depend on each other: sixty squares are known to a part in sqrt(120)
    assert result.beyond.se == pytest.approx(households.se, rel=3 / np.sqrt(120))


def test_the_limit_is_where_a_cox_model_would_end():
    """Events at twice the hazard at recent ages, whatever the baseline: the limit is 2."""
    kinds = _kinds(Feature("age", LEVELS), 30, 180)
    rng = np.random.default_rng(8)
    exposure = rng.integers(0, 300, (2, 50, 9)).astype(float)
    rates = rng.random((2, 50, 1)) * 0.01 * (1 + kinds.recent)
    assert _limit(exposure, exposure * rates, kinds) == pytest.approx(np.log(2), abs=1e-9)


def test_ages_by_their_names():
    kinds = _kinds(Feature("age", LEVELS), 30, 180)
    np.testing.assert_array_equal(kinds.ages.levels, range(9))
    np.testing.assert_array_equal(np.flatnonzero(kinds.recent), [1, 2, 3])
    np.testing.assert_array_equal(np.flatnonzero(kinds.older), [4, 5, 6])
    assert kinds.ages.high[-1] == np.inf


def test_what_cannot_be_asked():
    table = world(9, constant, customers=2_000)
    with pytest.raises(EstimationError, match="needs an age that ends at 45 days"):
        beyond_selection(table, "age", recent=45)
    with pytest.raises(EstimationError, match="180 is not below 60"):
        beyond_selection(table, "age", recent=180, older=60)
    with pytest.raises(EstimationError, match="no feature 'ages'; did you mean 'age'"):
        beyond_selection(table, "ages")
    with pytest.raises(EstimationError, match="no feature 'plan'"):
        beyond_selection(table, "age", strata=["plan"])
    with pytest.raises(EstimationError, match="must be no moment so far, was '0-30'"):
        _kinds(Feature("age", ("0-30", "31-180", "none")), 30, 180)
    with pytest.raises(NotTestable, match="before such a moment"):
        beyond_selection(table, "age", subset={"age": BANDS})
    with pytest.raises(NotTestable, match="departures and customers at risk"):
        beyond_selection(table, "age", subset={"age": ("none", "0-7")})
    other = replace(table, clock="contact")
    with pytest.raises(EstimationError, match="was on contact"):
        beyond_selection(other, "age")


def test_a_few_customers_have_a_wide_interval():
    """300 customers, who were too few for groups of customers left out."""
    result = beyond_selection(world(9, constant, customers=300), "age")
    assert 0 < result.beyond.low < 1 < result.beyond.high
    assert result.events < 150
    assert result.beyond.high / result.beyond.low > 2


def test_it_shows_itself():
    result = beyond_selection(world(10, step, customers=4_000), "age")
    assert "by selection" in repr(result)
    assert "beyond selection" in result._repr_html_()
