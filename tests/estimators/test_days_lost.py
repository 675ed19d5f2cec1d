"""Days lost against sums written out customer by customer, against a company's truth, and against itself."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators import days_lost
from cxresearch.estimators.excess import excess
from tests.estimators.matched_rows import Company, chance
from tests.estimators.test_excess import loops


@pytest.mark.parametrize("terms", [(), ("lately", "so_far")])
def test_the_sum_of_all_horizons_written_out_is_the_area(terms):
    table, horizon = chance(), 40
    by_day = [loops(table, day, 0, terms)[:2] for day in range(1, horizon)]
    exposed, comparators = (sum(p) for p in zip(*by_day, strict=True))
    result = days_lost(table, horizon, terms=terms)
    assert result.exposed.value == pytest.approx(exposed, abs=1e-9)
    assert result.comparators.value == pytest.approx(comparators, abs=1e-4)
    assert result.more.value == pytest.approx(exposed - comparators, abs=1e-4)


def test_curves_and_limits_at_the_horizon_are_those_of_the_excess():
    table = chance()
    lost, more = days_lost(table, 50), excess(table, 50)
    for name in ("exposed", "comparators"):
        limits = [float(getattr(lost, f"{name}_{what}")[-1]) for what in ("curve", "low", "high")]
        e = getattr(more, name)
        assert limits == pytest.approx([e.value, e.low, e.high], abs=1e-9)
        low, curve, high = (getattr(lost, f"{name}_{what}") for what in ("low", "curve", "high"))
        assert (low <= curve).all()
        assert (curve <= high).all()
    assert (lost.customers, lost.events, lost.dropped) == (
        more.customers,
        more.events,
        more.dropped,
    )


def test_the_error_is_the_one_that_leaving_each_cluster_out_gives():
    table = Company(effect=2.0).table(seed=5, households=120)
    result, groups = days_lost(table, 60), 120
    without = []
    for gone in range(groups):
        kept = {
            name: getattr(table, name).filter(pl.col("group") != gone)
            for name in ("exposed", "spans", "population")
        }
        without.append(days_lost(replace(table, **kept), 60).more.value)
    jackknife = np.sqrt((groups - 1) / groups * np.sum((np.array(without) - np.mean(without)) ** 2))
    assert result.more.se == pytest.approx(jackknife, rel=0.06)


def test_intervals_hold_what_a_company_of_known_hazards_loses():
    company = Company(effect=2.5)
    horizon = company.horizon
    held = 0
    for seed in range(12):
        table = company.table(seed, households=200)
        truth = 0.0
        for day in range(1, horizon):
            truth += replace(company, horizon=day).truth(table)
        result = days_lost(table, horizon).more
        held += result.low <= truth <= result.high
    assert held >= 10


def test_wrong_arguments_are_named():
    with pytest.raises(EstimationError, match="no cause 'defecton'; did you mean 'defection'"):
        days_lost(chance(), 50, cause="defecton")
    with pytest.raises(EstimationError, match="the table has no term 'late'"):
        days_lost(chance(), 50, terms=["late"])
    with pytest.raises(NotTestable, match="follow-up"):
        days_lost(chance(), 500)


def test_a_table_a_repr_and_plain_values():
    result = days_lost(chance(), 40)
    frame = result.to_polars()
    assert frame.height == 41
    assert frame["exposed_curve"][-1] == result.exposed_curve[-1]
    assert frame["days_more"].n_unique() == 1
    assert "days more" in repr(result)
    assert "not what could be saved" in result._repr_html_()
    assert result.to_dict()["more"]["value"] == result.more.value
