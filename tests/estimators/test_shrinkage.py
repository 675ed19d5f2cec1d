"""Shares of few moments, drawn towards that of all customers."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from scipy.integrate import quad

from cxresearch.estimators.shrinkage import shrunken_log_odds
from cxresearch.risk.from_rows import from_rows


def table_of(shares):
    """One customer for each pair (such moments, moments)."""
    rows = [
        {"id": i, "start": 0, "stop": 5, "event": i % 2, "share": f"{a}/{n}"}
        for i, (a, n) in enumerate(shares)
    ]
    return from_rows(pl.DataFrame(rows), ["share"])


def weight_of(shares):
    """As many moments as make the variance of true shares what it is, customers weighing n - 1 each."""
    a, n = np.array([x for x in shares if x[1] > 1], float).T
    mean = np.average(a / n, weights=n - 1)
    variance = np.average(a * (a - 1) / (n * (n - 1)), weights=n - 1) - mean**2
    return mean * (1 - mean) / variance - 1


def test_a_share_is_the_log_odds_to_be_expected_under_a_beta_distribution():
    rng = np.random.default_rng(5)
    n = rng.integers(1, 8, 400)
    shares = list(zip(rng.binomial(n, rng.beta(1, 4, 400)).tolist(), n.tolist(), strict=True))
    hits, moments = (sum(x) for x in zip(*shares, strict=True))
    p, weight = hits / moments, weight_of(shares)
    result, has_differences = shrunken_log_odds(table_of(shares), "share")
    assert has_differences
    given = table_of(shares)
    old, new = (t.to_polars().sort("group", "time")["share"].to_list() for t in (given, result))

    def expected(a, n):
        share = stats.beta(a + weight * p, n - a + weight * (1 - p))
        return quad(lambda x: np.log(x / (1 - x)) * share.pdf(x), 0, 1)[0]

    for level, number in set(zip(old, new, strict=True)):
        wanted = expected(*map(int, level.split("/"))) - expected(0, 0)
        assert float(number) == pytest.approx(wanted, abs=0.026)  # in steps of 0.05


def test_log_odds_of_a_rare_kind_stay_small_enough_for_their_powers():
    rng = np.random.default_rng(8)
    always = rng.random(4_000) < 0.01
    shares = [(8 if a else 0, 8) for a in always]
    result, _ = shrunken_log_odds(table_of(shares), "share")
    numbers = [float(v) for v in result.feature("share").levels]
    assert max(map(abs, numbers)) == pytest.approx(5.0, abs=0.01)
    # scaled and no coarser: of the others, who had few moments and who had many are still told apart
    few, _ = shrunken_log_odds(table_of([*shares, *[(0, n) for n in range(1, 9)]]), "share")
    assert len(few.feature("share").levels) == 9


@pytest.mark.parametrize("more", [0.0, -1.5, 1.5])
def test_customers_differ_as_much_whether_the_harsh_are_in_touch_more_or_less(more):
    rng = np.random.default_rng(7)
    harsh = rng.standard_normal(6_000)
    share = 1 / (1 + np.exp(2 - 0.8 * harsh))
    n = 1 + rng.poisson(4 * np.exp(0.4 * more * harsh - 0.08 * more**2))
    shares = list(zip(rng.binomial(n, share).tolist(), n.tolist(), strict=True))
    shares = [(a, k) for a, k in shares if k <= 8]
    table, _ = shrunken_log_odds(table_of(shares), "share")
    old = table_of(shares).to_polars().sort("group", "time")["share"].to_list()
    new = table.to_polars().sort("group", "time")["share"].cast(float).to_list()
    at = dict(zip(old, new, strict=True))
    # the true shares have a beta distribution that counts as 12 moments
    assert 0.6 < at["4/8"] - at["0/8"] < 1.7


def test_customers_who_are_alike_are_hardly_told_apart():
    rng = np.random.default_rng(6)
    shares = [(int(a), 6) for a in rng.binomial(6, 0.2, 2_000)]
    result, _ = shrunken_log_odds(table_of(shares), "share")
    numbers = [float(v) for v in result.feature("share").levels]
    assert max(numbers) - min(numbers) < 0.4


@pytest.mark.parametrize("shares", [[(0, 3), (0, 2)], [(3, 3), (2, 2)], [(0, 0), (0, 0)]])
def test_without_a_moment_that_counts_or_with_nothing_else_there_is_no_term(shares):
    given = table_of(shares)
    assert shrunken_log_odds(given, "share") == (given, False)
