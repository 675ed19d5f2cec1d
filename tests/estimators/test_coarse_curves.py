from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxresearch as cx
from cxresearch.disclosure.counts import round_share, share_step
from cxresearch.estimators.coarse_curves import coarse


def curve_of(lives):
    """The incidence of leaving, of customers with a day and whether they left or were last seen on it."""
    who = pl.DataFrame(
        {
            "customer": range(len(lives)),
            "start": [0] * len(lives),
            "end": [day if left else None for day, left in lives],
            "observed_until": [None if left else day for day, left in lives],
        },
        schema_overrides={"end": pl.Int64, "observed_until": pl.Int64},
    )
    log = pl.DataFrame({"customer": [0], "at": [0], "grade": ["good"]})
    raw = {
        "interactions": {"log_from": 0, "log_until": 200},
        "retention": {"observed_until": "observed_until"},
    }
    table = cx.risk_table(cx.study_from(raw, interactions=log, retention=who), bad=cx.bad_count(1))
    return cx.incidence(table, min_at_risk=1, errors="model")


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 150), st.booleans()), min_size=20, max_size=80),
    st.integers(2, 12),
)
def test_each_step_stands_for_enough_who_left_and_none_lies_where_few_are(lives, min_cell):
    whole = curve_of(lives)
    result = coarse(whole, min_cell)
    days = [day for day, left in lives if left]
    last, before = 0.0, 0.0
    for time, share, risk in zip(result.times, result.incidence, result.at_risk, strict=True):
        assert sum(last < day <= time for day in days) >= min_cell or share == before
        assert sum(day >= time for day, _ in lives) == risk >= min_cell
        assert share == whole.incidence[np.flatnonzero(whole.times == time)[0]]
        last, before = time, share


def test_nothing_is_lost_where_one_may_be_shown():
    whole = curve_of([(day, day % 3 > 0) for day in range(1, 100)])
    result = coarse(whole, 1)
    seen = whole.times[np.diff(whole.incidence, prepend=0.0) > 0]
    assert set(seen) <= set(result.times)
    assert (
        len(result.incidence)
        == len(result.low)
        == len(result.high)
        == len(result.se_model)
        == len(result.times)
    )


def test_few_who_left_make_no_step_and_none_a_flat_one():
    few = [(50, False)] * 60 + [(10, True), (20, True), (30, True)]
    assert not len(coarse(curve_of(few), 10).times)
    none = coarse(replace(curve_of(few), incidence=np.zeros(4)), 10)
    assert (none.times.tolist(), none.incidence.tolist()) == ([50.0], [0.0])


@pytest.mark.parametrize(
    ("customers", "step"), [(90, 0.05), (400, 0.01), (4000, 0.001), (10**7, 0.0001), (3, 0.1)]
)
def test_shares_are_as_coarse_as_the_customers_are_few(customers, step):
    assert share_step(customers, 10) == pytest.approx(step)


def test_rounded_shares_stay_shares():
    assert [round_share(x, 0.05) for x in (0.0, 0.02, 0.031, 0.98, 1.0)] == [
        0.0,
        0.0,
        0.05,
        1.0,
        1.0,
    ]
