"""What a bad moment goes with: the numbers of the claim, times counts, times what a day is worth."""

import pytest

import cxresearch as cx
from cxresearch.errors import StudyError
from cxresearch.worlds import World, simulate


@pytest.fixture(scope="module")
def study():
    world = World(hr_bad=(1, 2, 3, 4))
    return simulate(world, 900, seed=3).study()


@pytest.fixture(scope="module")
def costs(study):
    valued = study.replace(value_per_customer_day=2.5, currency="EUR")
    return cx.journey.moment_costs(valued)


def test_the_curves_end_where_the_claim_says(study, costs):
    trial = cx.evaluate(study, ["three-strikes"], alone=True, keep=False)["three-strikes"]
    lost, e = costs.overall.lost, trial["excess"]
    assert [s.y[-1] for s in e.series] == pytest.approx(
        [lost.exposed_curve[-1], lost.comparators_curve[-1]], abs=1e-12
    )
    by_then = lost.exposed_curve[-1] - lost.comparators_curve[-1]
    assert e.estimate.value == pytest.approx(by_then, abs=1e-12)
    assert (lost.customers, lost.events) == (e.customers, e.events)


def test_moments_a_month_and_money_are_products(study, costs):
    cost, days = costs.overall, costs.overall.lost.more
    assert cost.first_moments == cost.lost.customers + cost.lost.dropped
    records = cx.read_records(study)
    months = (records.window.last - records.window.first + 1) / (365.25 / 12)
    assert cost.per_month == pytest.approx(cost.first_moments / months)
    for part in ("value", "low", "high", "se"):
        own = getattr(days, part)
        assert getattr(cost.days_per_month, part) == pytest.approx(own * cost.per_month)
        assert getattr(cost.money_per_moment, part) == pytest.approx(own * 2.5)
        assert getattr(cost.money_per_month, part) == pytest.approx(own * cost.per_month * 2.5)
    assert costs.currency == "EUR"


def test_planted_harm_is_seen_and_no_harm_is_not():
    harmless = simulate(World(hr_bad=(1, 1, 1, 1)), 900, seed=3).study()
    result = cx.journey.moment_costs(harmless)
    days = result.overall.lost.more
    assert days.low < 0 < days.high
    assert result.overall.money_per_month is None
    assert result.currency == ""


def test_each_touchpoint_by_itself_with_intervals_that_hold_together(costs):
    names = [t.touchpoint for t in costs.touchpoints]
    assert names
    assert len(set(names)) == len(names)
    levels = {t.lost.more.level for t in costs.touchpoints if t.lost}
    assert levels == {1 - 0.05 / len(names)}
    assert all(0 < t.first_moments < costs.overall.first_moments for t in costs.touchpoints)


def test_where_there_is_nobody_to_compare_with_nothing_is_said(study):
    result = cx.journey.moment_costs(study.replace(horizon_days=5000))
    assert result.overall.lost is None
    assert "follow-up" in result.overall.lacks
    assert result.overall.days_per_month is None
    assert "follow-up" in repr(result)


def test_as_a_table(costs):
    frame = costs.to_polars()
    assert frame["touchpoint"].to_list() == ["", *(t.touchpoint for t in costs.touchpoints)]
    assert frame["days"][0] == costs.overall.lost.more.value
    assert "not what could be saved" in costs._repr_html_().replace("\n", " ")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"value_per_customer_day": -1.0, "currency": "EUR"}, "must be more than 0"),
        ({"value_per_customer_day": 1.0}, "needs moments.currency"),
        ({"value_per_customer_day": 1.0, "currency": "a long word"}, "1 to 8 letters"),
    ],
)
def test_a_wrong_value_of_a_day_is_named(study, keys, message):
    with pytest.raises(StudyError, match=message):
        study.replace(**keys)
