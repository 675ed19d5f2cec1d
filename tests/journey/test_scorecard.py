"""The scorecard against plain loops over rows."""

import json

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.proportion import proportion_confint

import cxresearch as cx
from cxresearch import charts
from tests.journey.companies import company, contract, told

OWNERS = ("care", "billing", "logistics")


@pytest.fixture(scope="module")
def rated():
    """A company in which some customers are hard to please, so that their moments are alike."""
    log, who = company(400, 1)
    rng, n = np.random.default_rng(2), log.height
    easy = rng.beta(2, 1, 400)[log["customer"].to_numpy()]
    answers = np.where(rng.random(n) < easy, rng.integers(3, 6, n), rng.integers(1, 3, n))
    log = log.with_columns(
        owner=pl.Series(np.array(OWNERS)[rng.integers(0, 3, n)]),
        respect=pl.when(pl.Series(rng.random(n) < 0.8)).then(pl.Series(answers)),
        solutions=pl.Series(rng.choice([0, 1, 3, 5, 9], n)),  # two of five lie off the scale
    )
    return log, who


def study_of(log, who, **study):
    result = contract(log, who, **study)
    return result.replace(expectations_scale=[1, 5])


@pytest.fixture(scope="module")
def card(rated):
    return cx.journey.scorecard(study_of(*rated))


def test_shares_are_those_of_the_rows(rated, card):
    log, _ = rated
    for owner in (*OWNERS, "all"):
        for name in ("respect", "solutions"):
            rows = [r for r in log.iter_rows(named=True) if owner in (r["owner"], "all")]
            answers = [
                (r["customer"], r[name]) for r in rows if r[name] is not None and 1 <= r[name] <= 5
            ]
            by = {}
            for customer, value in answers:
                kept, n = by.get(customer, (0, 0))
                by[customer] = (kept + (value >= 3), n + 1)
            kept, n = sum(k for k, _ in by.values()), len(answers)
            p = kept / n
            worth = min(n, p * (1 - p) * n**2 / sum((k - p * m) ** 2 for k, m in by.values()))
            low, high = proportion_confint(p * worth, worth, method="wilson")
            cell = card[owner, name]
            assert cell.answered == n
            assert (cell.kept.value, cell.kept.low, cell.kept.high) == pytest.approx((p, low, high))
    assert sum(card.moments[:-1]) == card.moments[-1] == log.height
    assert card.expectations == ("respect", "solutions")
    assert card.lacks == ("simplicity", "responsibility")


def test_moments_of_one_customer_are_worth_less_than_as_many_of_several(card):
    assert card["all", "respect"].kept.size < 0.8 * card["all", "respect"].answered
    assert card["all", "solutions"].kept.size > 0.8 * card["all", "solutions"].answered


def few():
    """One owner with three failures; another with twenty; a third with too few moments to be distinguished."""
    owner = ["care"] * 80 + ["billing"] * 60 + ["web"] * 12 + ["fax"] * 4
    respect = [1] * 3 + [5] * 77 + [2] * 20 + [4] * 40 + [5] * 12 + [1] * 4
    n = len(owner)
    return {
        "customer": [f"c{i}" for i in range(n)],
        "at": list(range(5, 5 + n)),
        "owner": owner,
        "respect": respect,
        "grade": ["neutral"] * n,
    }


def test_small_cells_and_what_would_give_them_away():
    result = cx.journey.scorecard(told(few(), interactions={"expectations_scale": [1, 5]}))
    assert result.rows == ("care", "billing", "other", "all")
    assert [result[r, "respect"].kept is None for r in result.rows] == [True, True, True, False]
    assert [result[r, "respect"].answered for r in result.rows] == [80, 60, 16, 156]
    assert result["all", "respect"].kept.value == pytest.approx(129 / 156)
    texts = (
        result._repr_html_(),
        json.dumps(charts.scorecard(result).to_dict()),
        json.dumps(result.to_dict()),
    )
    assert not any("96.2" in t or "66.7" in t for t in texts)
    assert "not shown" in texts[0]


def test_all_kept_is_no_secret_and_no_certainty():
    columns = few() | {"respect": [5] * 156, "customer": [f"c{i % 20}" for i in range(156)]}
    result = cx.journey.scorecard(told(columns, interactions={"expectations_scale": [1, 5]}))
    kept = result["care", "respect"].kept
    assert (kept.value, kept.high) == (1.0, 1.0)
    assert kept.low == pytest.approx(proportion_confint(20, 20, method="wilson")[0])


def test_by_touchpoint(rated):
    result = cx.journey.scorecard(study_of(*rated), by="touchpoint")
    assert set(result.rows) == {"app", "bill", "call", "chat", "all"}
    assert result.by == "touchpoint"
    with pytest.raises(
        cx.errors.EstimationError,
        match="by must be one of owner, touchpoint, channel, was 'ovner'; did you",
    ):
        cx.journey.scorecard(study_of(*rated), by="ovner")


def test_what_the_study_lacks_is_named(rated):
    log, who = rated
    with pytest.raises(cx.NotTestable, match="an owner of its contacts: name the column"):
        cx.journey.scorecard(study_of(log.drop("owner"), who))
    with pytest.raises(
        cx.NotTestable,
        match=r"respect, solutions, simplicity or responsibility .* expectations_scale",
    ):
        cx.journey.scorecard(study_of(log.drop("respect", "solutions"), who))


def test_engines_agree(rated, card):
    records = cx.read_records(study_of(*rated), "duckdb")
    assert cx.journey.scorecard(records).to_dict() == card.to_dict()
