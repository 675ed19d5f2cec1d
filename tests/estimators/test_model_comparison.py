"""Comparisons of models: R's likelihoods, the definition written out, and where nothing is to be found."""

import numpy as np
import polars as pl
import pytest

from cxresearch.errors import EstimationError
from cxresearch.estimators.cox import cox
from cxresearch.estimators.model_comparison import compare_models
from cxresearch.risk.from_rows import from_rows
from tests.estimators.golden import CAUSES, cohort, cohort_table, read
from tests.reference.jackknife import jackknife_error, leave_each_out


def test_likelihoods_as_in_r():
    for terms, loglik in read("contest.csv").select("terms", "loglik").iter_rows():
        fit = cox(cohort_table(), terms.split(" + "), strata=["segment"], errors="model")
        assert fit.loglik == pytest.approx(loglik, rel=1e-12)


@pytest.mark.slow
def test_written_out():
    """In households of 200 customers: the loglikelihoods, half a trace each, and the households left out in turn."""
    rows = cohort().with_columns(household=pl.col("id") % 100)
    table = from_rows(
        rows, ["bad", "contacts", "segment"], cause="cause", causes=CAUSES, cluster="household"
    )
    result = compare_models(table, ["bad"], ["contacts"], strata=["segment"])

    def fitted(some, errors="model"):
        return [cox(some, [t], strata=["segment"], errors=errors) for t in ("bad", "contacts")]

    def difference(some):
        a, b = (fit.loglik for fit in fitted(some))
        return (a - b) / some.events("defection")

    traces = []
    for fit in fitted(table, "robust"):
        score = fit.influence @ np.linalg.inv(fit.covariance)
        traces.append(np.trace(fit.covariance @ (score.T @ score)))
    events = table.events("defection")
    corrected = difference(table) - (traces[0] - traces[1]) / 2 / events
    assert result.difference.value == pytest.approx(corrected, rel=1e-9)
    # leaving out a hundredth of the customers
    refits = leave_each_out(range(100), lambda g: difference(table.without_group(g)))
    assert result.difference.se == pytest.approx(float(jackknife_error(refits)), rel=0.02)
    assert result.events == events
    assert result.difference.df == 99
    other = compare_models(table, ["contacts"], ["bad"], strata=["segment"])
    assert other.difference.value == pytest.approx(-result.difference.value, rel=1e-12)


def people(seed, effect=0.0, customers=3_000):
    """Customers who stay for a random time; `truth` multiplies the hazard, the others mean nothing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, customers)
    stop = 1 + rng.exponential(120 / np.exp(effect * truth)).astype(int)
    rows = pl.DataFrame(
        {
            "id": np.arange(customers),
            "start": 0,
            "stop": np.minimum(stop, 200),
            "event": (stop <= 200).astype(int),
            "truth": truth,
            "noise": rng.integers(0, 2, customers),
            "many": rng.integers(0, 12, customers),
        }
    )
    return from_rows(rows, ["truth", "noise", "many"])


def test_nothing_against_nothing_is_nothing():
    """Eleven useless parameters against one: each fits half a unit by chance, which the correction takes off."""
    result = [compare_models(people(seed), ["many"], ["noise"]) for seed in range(12)]
    raw = [
        (cox(t, ["many"]).loglik - cox(t, ["noise"]).loglik) / t.events("defection")
        for t in map(people, range(12))
    ]
    corrected = np.array([f.difference.value for f in result])
    error = corrected.std(ddof=1) / np.sqrt(len(corrected))
    assert abs(corrected.mean()) < 3 * error
    assert np.mean(raw) > 3 * error  # without the correction the larger model wins
    assert sum(f.adds_information for f in result) <= 2


def test_what_matters_wins():
    result = compare_models(people(1, effect=0.5), ["truth"], ["many"])
    assert result.difference.low > 0
    assert result.adds_information
    assert result.p_a < 1e-6 < 0.01 < result.p_b
    assert compare_models(people(1, effect=0.5), ["many"], ["truth"]).difference.high < 0


def test_what_is_held_equal_is_in_both():
    table = people(2, effect=0.5)
    result = compare_models(table, ["many"], ["noise"], ["truth"])
    assert result.joint.terms[-1] == "truth[1]"
    assert not result.adds_information


def test_what_cannot_be_asked():
    table = people(3)
    with pytest.raises(EstimationError, match="'noise' is in two places"):
        compare_models(table, ["noise"], ["many"], ["noise"])
    with pytest.raises(EstimationError, match="no terms to compare"):
        compare_models(table, ["noise"], [])
    with pytest.raises(EstimationError, match="cannot be a term and a stratum"):
        compare_models(table, ["noise"], ["many"], strata=["noise"])


def test_a_product_is_found_by_its_parts():
    rng = np.random.default_rng(5)
    a, b, c = (rng.integers(0, 2, 4_000) for _ in range(3))
    stop = 1 + rng.exponential(120 / np.exp(0.8 * a * b)).astype(int)
    rows = pl.DataFrame(
        {
            "id": np.arange(4_000),
            "start": 0,
            "stop": np.minimum(stop, 200),
            "event": 1 * (stop <= 200),
        }
    )
    table = from_rows(rows.with_columns(a=a, b=b, c=c), ["a", "b", "c"])
    assert compare_models(table, ["a:b"], ["c"], ["a", "b"]).p_a < 1e-6
    assert compare_models(table, ["c"], ["a"], ["b", "a:b"]).p_a > 1e-3  # the product is not its
