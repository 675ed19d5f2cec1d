"""Each customer compared with nobody else, against R and against what cannot matter."""

import numpy as np
import polars as pl
import pytest

from cxresearch.errors import NotTestable, UnknownInTableError
from cxresearch.estimators.own_gaps import own_gaps
from cxresearch.records.lapses import SilenceCurve
from cxresearch.risk.gaps import GapTable
from tests.estimators.golden import read


def table() -> GapTable:
    """The committed gaps."""
    return GapTable(read("own_gaps_data.csv"), ("bad", "good"), is_dated=False)


CASES = read("own_gaps.csv").rows(named=True)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['when']} {c['term']} {c['good_cap']}")
def test_coefficients_and_errors_are_those_of_r(case):
    caps = {"bad": case["bad_cap"], "good": case["good_cap"]}
    fit = own_gaps(table(), {case["term"]: 1.0}, caps, earlier=case["when"] == "before").slowness
    assert np.log(fit.value) == pytest.approx(-case["coef"], abs=1e-8)
    assert fit.se_model == pytest.approx(case["se"], rel=1e-8)
    assert fit.se == pytest.approx(case["robust_se"], rel=1e-8)


def test_a_contrast_is_the_difference_of_coefficients():
    caps = {"bad": 1, "good": 1}
    bad, good, both = (
        np.log(own_gaps(table(), weights, caps).slowness.value)
        for weights in ({"bad": 1.0}, {"good": 1.0}, {"bad": 1.0, "good": -1.0})
    )
    assert both == pytest.approx(bad - good, abs=1e-10)


def test_neither_the_order_of_rows_nor_what_customers_are_called_matters():
    gaps = table().gaps
    shuffled = gaps.with_columns(customer=999 - pl.col("customer")).sample(
        fraction=1.0, shuffle=True, seed=3
    )
    one, other = (
        own_gaps(GapTable(g, ("bad", "good"), is_dated=False), {"bad": 1.0}, {"bad": 1})
        for g in (gaps, shuffled)
    )
    assert one.slowness.value == pytest.approx(other.slowness.value, rel=1e-10)
    assert one.slowness.se == pytest.approx(other.slowness.se, rel=1e-10)


def test_customers_who_are_slow_for_good_make_no_difference():
    # a customer's gaps, all three times as long: the order of gaps within the customer is the same
    gaps = table().gaps
    slow = gaps.with_columns(
        days=pl.when(pl.col("customer") % 2 == 0).then(pl.col("days") * 3).otherwise("days")
    )
    one, other = (
        own_gaps(GapTable(g, ("bad",), is_dated=False), {"bad": 1.0}, {"bad": 1}).slowness
        for g in (gaps, slow)
    )
    assert one.value == pytest.approx(other.value, rel=1e-10)


def test_too_few_customers_whose_contacts_differ():
    few = GapTable(table().gaps.filter(pl.col("customer") < 40), ("bad",), is_dated=False)
    with pytest.raises(NotTestable, match="50 customers with two gaps or more"):
        own_gaps(few, {"bad": 1.0}, {"bad": 1})


def test_a_mark_that_the_number_of_the_contact_determines_tells_nothing():
    gaps = table().gaps.filter(pl.col("number") <= 10)
    gaps = gaps.with_columns(third=(pl.col("number") * 2).cast(pl.Int32))
    with pytest.raises(NotTestable, match="more than what is held equal"):
        own_gaps(GapTable(gaps, ("third",), is_dated=False), {"third": 1.0}, {"third": 10**6})


def test_an_unknown_mark_is_refused():
    with pytest.raises(UnknownInTableError, match="mark"):
        own_gaps(table(), {"worse": 1.0}, {"bad": 1})


def test_silences_are_those_of_r():
    gaps = table().gaps
    counts = np.zeros((2, 1200), np.int64)
    for ended, days in gaps.select("ended", "days").iter_rows():
        counts[ended, days] += 1
    curve = SilenceCurve(ended=counts[1], open=counts[0])
    known = {r["days"]: r for r in read("silences.csv").rows(named=True)}
    for days, row in known.items():
        share, se = curve.returned(0, days)
        assert share == pytest.approx(1 - row["survival"], abs=1e-12)
        assert se == pytest.approx(row["std_err"], rel=1e-10)
    share, _ = curve.returned(20, 20)
    assert share == pytest.approx(1 - known[40]["survival"] / known[20]["survival"], abs=1e-12)
