"""From an interval to a verdict."""

import math

import pytest

from cxresearch.claims.decide import (
    decide,
    decide_reading,
    holm,
    more_events,
    parse_region,
)
from cxresearch.estimators.influence import Clusters
from cxresearch.estimators.results import estimate, wilson

MANY = Clusters(1_000, 100, "clusters")


def ratio(value: float, se: float):
    """A hazard ratio with an error on the log scale."""
    return estimate(value, se, scale="log", level=0.95, clusters=MANY)


@pytest.mark.parametrize(
    ("value", "se", "region", "verdict"),
    [
        (1.5, 0.1, "> 1", "supported"),
        (1.05, 0.01, "> 1", "supported"),  # beyond 1, though short of 1.10: negligible
        (1.0, 0.02, "> 1", "contradicted"),  # a precise null contradicts
        (0.7, 0.1, "> 1", "contradicted"),
        (1.05, 0.10, "> 1", "undecided"),
        (1.0, 0.2, "> 1", "undecided"),
        (0.5, 0.1, "< 1", "supported"),
        (1.0, 0.02, "< 1", "contradicted"),
        (0.95, 0.1, "< 1", "undecided"),
        (1.0, 0.05, "in [0.8, 1.25]", "supported"),
        (2.0, 0.05, "in [0.8, 1.25]", "contradicted"),
        (1.25, 0.05, "in [0.8, 1.25]", "undecided"),
    ],
)
def test_ratios(value, se, region, verdict):
    assert decide(ratio(value, se), parse_region(region, 1.10)).verdict == verdict


def test_negligible_is_said():
    assert "negligible" in decide(ratio(1.05, 0.01), parse_region("> 1", 1.10)).reason


def test_p_is_where_the_interval_touches_the_edge():
    result = ratio(1.5, 0.1)
    p = decide(result, parse_region("> 1", 1.10)).p
    touching = estimate(1.5, 0.1, scale="log", level=1 - p, clusters=MANY)
    assert touching.low == pytest.approx(1.0)
    null = ratio(1.0, 0.02)
    p = decide(null, parse_region("> 1", 1.10)).p
    assert estimate(1.0, 0.02, scale="log", level=1 - p, clusters=MANY).high == pytest.approx(1.10)


@pytest.mark.parametrize("value", [0.5, 0.9, 1.0, 1.04, 1.1, 1.3, 2.0])
@pytest.mark.parametrize("se", [0.005, 0.05, 0.3])
def test_p_and_verdict_agree(value, se):
    decision = decide(ratio(value, se), parse_region("> 1", 1.10))
    if decision.verdict == "undecided":
        assert decision.p >= 0.05
    else:
        assert decision.p < 0.05


def test_p_belongs_to_the_verdict():
    # beyond 1 by 2.5 errors, short of 1.10 by 5.5: supported, and its p is that of 1
    decision = decide(ratio(1.03, 0.012), parse_region("> 1", 1.10))
    assert decision.verdict == "supported"
    assert decision.p == pytest.approx(0.0155, abs=5e-4)


def test_wilson_and_its_p_agree():
    result = wilson(0.95, 400, 0.95)
    touching = wilson(0.95, 400, 1 - decide(result, parse_region(">= 0.925")).p)
    assert touching.low == pytest.approx(0.925, abs=1e-9)


@pytest.mark.parametrize(("value", "region"), [(0.02, "> 0"), (0.98, "< 1")])
def test_a_share_that_is_there_at_all_is_beyond_an_edge_of_nothing_and_of_all(value, region):
    assert decide(wilson(value, 50, 0.95), parse_region(region)).p == 0.0


def test_differences_have_a_smallest_effect_too():
    result = estimate(0.001, 0.002, scale="identity", level=0.95, clusters=MANY)
    assert decide(result, parse_region("> 0", 0.01)).verdict == "contradicted"
    assert decide(result, parse_region("> 0")).verdict == "undecided"


def test_more_events_never_looks_at_the_estimate():
    region = parse_region("> 1", 1.10)
    assert more_events(ratio(1.02, 0.1), region, 400, None) == more_events(
        ratio(1.3, 0.1), region, 400, None
    )
    # 2.8 standard errors between 1 and 1.10 need an error of 0.034, that is (0.1 / 0.034)² as many events
    n = more_events(estimate(1.0, 0.1, scale="log", level=0.95, clusters=None), region, 400, None)
    assert n == pytest.approx(400 * (0.1 / (math.log(1.1) / 2.8016)) ** 2 - 400, rel=0.01)
    assert more_events(ratio(1.0, 0.1), parse_region(">= 0.925"), 400, None) is None


@pytest.mark.parametrize("text", ["", "1", ">", "> x", "in [2, 1]", "≥ 1", "> 1 and < 2"])
def test_regions_that_are_none(text):
    with pytest.raises(ValueError, match="write one such as"):
        parse_region(text)


def test_fractions_are_read():
    assert parse_region("> 1/3").low == pytest.approx(1 / 3)


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_number_that_must_not_decide_has_no_error_probability_of_its_own():
    number, region = ratio(1.5, 0.1), parse_region("> 1", 1.10)
    decision = decide_reading(number, region, withheld="too early", why_not_contradicted="")
    assert (decision.verdict, decision.reason, decision.p) == ("undecided", "too early", 1.0)


def test_a_number_that_cannot_contradict_keeps_the_p_of_its_interval():
    number, region = ratio(0.7, 0.05), parse_region("> 1", 1.10)
    decision = decide_reading(number, region, withheld="", why_not_contradicted="selection")
    assert (decision.verdict, decision.reason) == ("undecided", "selection")
    assert decision.p == decide(number, region).p < 0.05
