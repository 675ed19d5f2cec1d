"""A shop without contracts, from raw contacts to claims, against what R makes of the same contacts."""

from functools import cache

import numpy as np
import pytest

import cxresearch as cx
from cxresearch.claims.adjusted_model import CALENDAR
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.estimators.own_gaps import own_gaps
from cxresearch.histories.recency import calendar_month
from cxresearch.records.records import Records, read_records
from cxresearch.risk.episodes import episodes
from cxresearch.risk.gaps import gap_table
from cxresearch.risk.table import risk_table
from tests.estimators.golden import read

R = {(row["what"], row["term"]): row for row in read("shop.csv").rows(named=True)}


@cache
def records() -> Records:
    """The committed contacts."""
    settings = {
        "study": {"horizon_days": 180},
        "interactions": {"log_from": 0, "log_until": 900},
        "retention": {"kind": "activity", "gap_days": 60},
    }
    made = read_records(cx.study_from(settings, interactions=read("shop_contacts.csv")))
    assert made.lapse.days == 60
    return made


@pytest.mark.parametrize(("claim", "most"), [("three-strikes", 3), ("one-strike", 2)])
def test_incidences_of_a_lapse_are_those_of_survfit(claim, most):
    docket = cx.evaluate(records(), [claim], alone=True, keep=False, verdicts_only=True)
    estimate = docket[claim].primary.estimate
    expected = R[f"before {most}", "lapse"]
    assert estimate.value == pytest.approx(expected["value"], abs=1e-8)
    p = estimate.value  # the error is that of the complementary log-log
    error = estimate.se * -np.log1p(-p) * (1 - p)
    assert error == pytest.approx(expected["robust_se"], abs=1e-8)


@pytest.mark.parametrize("what", ["contact", "contact by month"])
def test_the_clock_of_contacts_is_that_of_glm(what):
    histories = {"bad": cx.bad_count(1), CALENDAR: calendar_month(0, 31)}
    by_month = what == "contact by month"
    used = histories if by_month else {"bad": histories["bad"]}
    table = risk_table(episodes(records(), used, observed_from_start=True))
    fit = grouped_hazards(table, ["bad"], strata=[CALENDAR] if by_month else [])
    expected = R[what, "bad"]
    assert fit.coef[0] == pytest.approx(expected["value"], abs=1e-8)
    assert fit.se[0] == pytest.approx(expected["robust_se"], rel=1e-6)
    assert fit.se_model[0] == pytest.approx(expected["se"], rel=1e-6)


@pytest.mark.parametrize("term", ["bad", "good"])
def test_own_gaps_are_those_of_coxph_with_a_stratum_for_each_customer(term):
    gaps = gap_table(records(), {"bad": {"grade": 0}, "good": {"grade": 2}})
    slowness = own_gaps(gaps, {term: 1.0}, {"bad": 1, "good": 1}).slowness
    expected = R["own gaps", term]
    assert np.log(slowness.value) == pytest.approx(-expected["value"], abs=1e-8)
    assert slowness.se_model == pytest.approx(expected["se"], rel=1e-8)
    assert slowness.se == pytest.approx(expected["robust_se"], rel=1e-8)
