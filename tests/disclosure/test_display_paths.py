"""No display of a study with a limit of its own shows a smaller count, or two numbers whose difference is one.

A reader knows how many customers there are. So he has a count from a share as well.
"""

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch import charts
from cxresearch.disclosure import counts, tables
from cxresearch.disclosure.counts import MIN_CELL, min_cell_of
from cxresearch.estimators.coarse_curves import coarse
from cxresearch.worlds import World, simulate

LEAST = (
    40  # beyond what is taken where no study is known, so that a display that does not ask is seen
)


@pytest.fixture(scope="module")
def study():
    made = simulate(World(hr_bad=(1.0, 1.5, 2.0, 2.5)), 900, seed=3)
    raw = {
        "study": {"min_cell": LEAST},
        "interactions": {"score": "stars", "scale": [1, 5]},
        "retention": {"cause": "reason", "defection": ["switched"], "segment": "plan"},
    }
    return cx.study_from(raw, interactions=made.interactions, retention=made.customers)


@pytest.fixture(scope="module")
def table(study):
    return cx.risk_table(study, strata=["segment"], bad=cx.bad_count(3), observed_from_start=True)


@pytest.fixture(scope="module")
def gaps():
    raw = {
        "study": {"min_cell": LEAST},
        "interactions": {"score": "stars", "scale": [1, 5]},
        "retention": {"kind": "activity", "gap_days": 60},
    }
    log = simulate(World(), 900, seed=3).interactions
    return cx.silences.gaps(cx.study_from(raw, interactions=log))


def words(html):
    return re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)


def data_of(chart):
    """Every row of every data set of a chart."""

    def walk(part):
        if isinstance(part, dict):
            if isinstance(part.get("values"), list):
                yield from (r for r in part["values"] if isinstance(r, dict))
            for value in part.values():
                yield from walk(value)
        elif isinstance(part, list):
            for value in part:
                yield from walk(value)

    spec = json.loads(chart.to_json())
    yield from walk({k: v for k, v in spec.items() if k != "datasets"})
    for rows in spec.get("datasets", {}).values():
        yield from rows


def steps(values):
    """The differences between neighbouring values that differ."""
    rising = sorted(set(values))
    return [b - a for a, b in itertools.pairwise(rising)]


def test_the_limit_is_that_of_the_results_unless_another_is_asked_for(table):
    strict = replace(table, min_cell=70)
    assert min_cell_of(None, table) == LEAST
    assert min_cell_of(None, table, strict) == 70
    assert min_cell_of(5, table, strict) == 5
    assert min_cell_of(None) == MIN_CELL


@pytest.mark.parametrize("module", [counts, tables])
def test_no_rule_has_a_limit_of_its_own(module):
    from inspect import Parameter, isfunction, signature

    asked = [
        p
        for function in vars(module).values()
        if isfunction(function) and function.__module__ == module.__name__
        for name, p in signature(function).parameters.items()
        if name == "min_cell"
    ]
    assert len(asked) >= 3
    assert all(p.default is Parameter.empty for p in asked)


def test_curves_and_their_charts_take_the_limit_of_the_table(study, table):
    plain = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
    by_level, by_cause = (
        cx.incidence_by_level(table, "bad"),
        cx.curves.incidence_by_cause(table),
    )
    predicted = cx.predicted_retention(
        plain,
        ["bad"],
        {"none": {"bad": "0"}, "one": {"bad": "1+"}},
    )
    assert {c.min_cell for c in (by_level, by_cause, predicted)} == {LEAST}
    for curve in (*by_level.values(), *by_cause.values()):
        drawn = np.isin(curve.times, coarse(curve, LEAST).times)
        assert all(n >= LEAST - 1e-6 for n in steps([0.0, *curve.left[drawn]]))
    bare = dict(by_level.items())
    assert charts.retention(bare).to_dict() == charts.retention(bare, min_cell=LEAST).to_dict()
    assert charts.retention(bare).to_dict() != charts.retention(bare, min_cell=10).to_dict()
    causes = dict(by_cause.items())
    assert charts.competing(causes).to_dict() == charts.competing(causes, min_cell=LEAST).to_dict()
    assert charts.competing(causes).to_dict() != charts.competing(causes, min_cell=10).to_dict()


def test_a_curve_of_one_cause_is_read_where_so_many_have_left(table):
    curve = cx.incidence(table)
    shown = [
        int(row.split()[0].replace(",", ""))
        for row in re.findall(r"<th scope='row'[^>]*>([\d,]+)</th>", curve._repr_html_())
    ]
    left = [0.0, *(float(curve.left[curve.times <= t][-1]) for t in shown)]
    assert len(shown) > 2
    assert all(n >= LEAST - 1e-6 for n in steps(left))


def test_hazard_ratios_of_few_departures_are_not_drawn(table):
    fit = cx.cox(table, ["bad"], strata=["segment"])
    strict = replace(fit, min_cell=10**6)
    assert fit.min_cell == LEAST
    assert charts.hazard_ratios(fit).to_dict() == fit.plot().to_dict()
    with pytest.raises(cx.errors.NothingToDrawError):
        charts.hazard_ratios(strict)
    with pytest.raises(cx.errors.NothingToDrawError):
        charts.hazard_ratios({"a": fit, "b": strict})


def test_a_share_of_few_is_shown_neither_as_a_count_nor_as_a_share(table):
    result = cx.estimators.share(table, {"bad": ("1", "2", "3+")})
    few = replace(result, count=13, min_cell=LEAST)
    others = replace(result, count=result.total - 13, min_cell=LEAST)
    value = f"{result.estimate.value:.1%}"
    assert value in words(result._repr_html_())
    for hidden in (few, others):
        assert value not in words(hidden._repr_html_())
        assert str(result.estimate) not in repr(hidden)
        assert "not shown" in words(hidden._repr_html_())
        assert "not shown" in repr(hidden)


def test_silences_are_rounded_and_so_are_the_shares_of_them(gaps):
    shown = gaps.publishable()
    exact = {s.days: s for s in gaps.silences}
    assert len(shown.silences) > 5
    for s in shown.silences:
        assert s.silences % LEAST == s.followed % LEAST == 0
        assert exact[s.days].followed >= LEAST
        for share in (s.returned, s.low, s.high):
            multiple = share / min(LEAST / s.followed, 0.5)
            assert multiple == pytest.approx(round(multiple), abs=1e-6)
    html = words(gaps._repr_html_())
    hidden = {f"{s.silences:,}" for s in gaps.silences if s.silences % LEAST} - {
        f"{s.days:,}" for s in gaps.silences
    }
    assert hidden
    assert not hidden & set(re.findall(r"[\d,]+", html))
    assert f"nearest {LEAST}" in html
    drawn = {r["days"]: r["returned"] for r in data_of(gaps.plot()) if "low" in r}
    assert drawn == {s.days: s.returned for s in shown.silences}
    assert gaps.to_dict()["silences"][0]["silences"] == gaps.silences[0].silences  # exact


def planned(study, truth):
    few = {"companies": 3, "pilot_customers": 600, "keep": False}
    return cx.power(study, "bad-moments-drive-away", truths=[truth], **few)


def test_a_plan_rounds_the_number_of_customers_of_the_study(study):
    plan = planned(study, 1.5)
    own = plan.customers
    assert own % LEAST
    assert plan.min_cell == LEAST
    exact, rounded = f"{own:,}", f"{counts.round_count(own, LEAST):,}"
    html = words(plan._repr_html_())
    assert exact not in html
    assert rounded in html
    drawn = {r["customers"] for r in data_of(plan.plot()) if "customers" in r}
    assert own not in drawn
    assert counts.round_count(own, LEAST) in drawn
    assert exact in str(plan)  # for the analyst


def test_a_plan_that_finds_no_number_shows_no_multiple_of_the_number_of_customers(study):
    plan = planned(study, 1.02)
    own, shown = plan.customers, plan.publishable()
    assert plan.needed == (-1,)
    assert len(shown.points) > 3
    for point in shown.points:
        assert all(round(point.customers / factor) != own for factor in (1, 4, 16, 64))
    assert f"{64 * own:,}" not in " ".join(shown.sentences)


def test_a_specification_curve_hides_and_rounds(study):
    curve = cx.specification_curve(
        study, "bad-moments-drive-away", window_days=[], adjustments=[], keep=False
    )
    assert curve.min_cell == LEAST
    few = replace(
        curve, specifications=(curve.own, replace(curve.specifications[1], events=LEAST - 1))
    )
    name = few.specifications[1].text
    assert name in words(curve._repr_html_())
    assert name not in words(few._repr_html_())
    assert few.publishable().specifications[1].verdict == "not testable"
    assert few.specifications[1].name in few  # the result itself is exact
    drawn = json.dumps(list(data_of(curve.plot())))
    assert json.dumps(list(data_of(few.plot()))) != drawn
    for s in curve.publishable().specifications:
        assert s.customers % LEAST == s.events % LEAST == 0


def test_proportionality_averages_over_as_many_events(table):
    result = cx.estimators.proportionality(table, ["bad"], strata=["segment"])
    averaged = result.by_time(1_000)
    assert averaged["events"].min() >= LEAST
    assert isinstance(averaged, pl.DataFrame)
