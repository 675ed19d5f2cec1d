"""Charts of results: the words tell the numbers, and what is too small to show is not in the data either."""

import itertools
import json
import re

import altair as alt
import numpy as np
import pytest

import cxresearch as cx
from cxresearch import charts
from cxresearch.charts import renderer
from cxresearch.estimators.results import CoxFit, Incidence
from cxresearch.journey.moment_summary import MomentSummary


def curve(
    share,
    at_risk,
    *,
    times=(10, 20, 30, 40),
    clock="tenure",
    cause="defection",
    start=0,
    support=40,
):
    value = np.array(share)
    low, high = 0.9 * value, np.minimum(1.1 * value, 1)
    risk, error = np.array(at_risk, float), np.zeros(len(value))
    return Incidence(
        cause=cause,
        clock=clock,
        times=np.array(times, float),
        incidence=value,
        low=low,
        high=high,
        at_risk=risk,
        se_model=error,
        start=start,
        support=support,
        level=0.95,
        df=0,
    )


def fit(terms=("bad[1]", "bad[2+]", "contacts[1+]"), coef=(0.4, 0.7, -0.3), **more):
    p = len(terms)
    values = {
        "terms": terms, "coef": np.array(coef), "se_model": np.full(p, 0.1), "se": np.full(p, np.nan),
        "covariance": np.eye(p) / 100, "loglik": -1.0, "events": 500, "ties": "efron", "strata": (),
        "cause": "defection", "penalised": False, "level": 0.9, "influence": np.empty((0, p)),
        "loglik_influence": np.empty(0), "clusters": None,
        "references": ("bad[0]", "contacts[0]"),
    }  # fmt: skip
    return CoxFit(**values | more)


def quick(counts=(500, 200, 290, 10), classes=("0", "1", "2+"), customers=(60, 30, 10)):
    return MomentSummary(
        moments=1000,
        customers=100,
        days=200,
        years=50.0,
        per_day=5.0,
        per_customer_year=20.0,
        grades=("bad", "neutral", "good", "unknown"),
        counts=counts,
        bad_moments=classes,
        customers_by_bad=customers,
        min_cell=10,
    )


BY_BAD = {
    "0": curve((0.1, 0.2, 0.3, 0.4), (90, 80, 70, 60)),
    "1": curve((0.2, 0.3, 0.4, 0.5), (40, 30, 9, 3), start=7),
}
CAUSES = {
    "defection": curve((0.1, 0.2, 0.3, 0.35), (900, 500, 200, 150)),
    "other exit": curve((0.05, 0.08, 0.12, 0.16), (900, 500, 200, 150), cause="other exit"),
}
ALL = {
    "retention": lambda: charts.retention(BY_BAD),
    "competing": lambda: charts.competing(CAUSES),
    "hazard_ratios": lambda: charts.hazard_ratios(fit()),
    "grades": lambda: charts.grades(quick()),
    "bad_moments": lambda: charts.bad_moments(quick()),
}


def data(chart):
    spec = chart.to_dict()
    return spec["data"]["values"] if "data" in spec else []


@pytest.mark.parametrize("made", ALL.values(), ids=ALL)
def test_charts_have_title_caption_words_and_tooltips(made):
    spec = made().to_dict()
    assert spec["usermeta"]["title"]
    assert spec["usermeta"]["caption"].endswith(".")
    assert any(digit in spec["description"] for digit in "123456789")
    assert '"tooltip"' in json.dumps(spec["layer"])
    assert spec["width"] == "container"


def test_retention_tells_and_draws_one_minus_incidence():
    chart = charts.retention(BY_BAD)
    rows = data(chart)
    drawn = {(r["level"], r["time"]): r["share"] for r in rows}
    assert drawn["0", 40.0] == pytest.approx(0.6)
    assert drawn["1", 20.0] == pytest.approx(0.7)
    assert drawn["1", 7.0] == 1.0
    limits = next(r for r in rows if r["level"] == "0" and r["time"] == 40)
    assert (limits["low"], limits["high"]) == (
        pytest.approx(0.55),
        pytest.approx(0.65),
    )  # of 90 customers
    assert (
        "0: 60% (55% to 65%) by day 40; 1: 70% (70% to 70%) by day 20"
        in chart.to_dict()["description"]
    )
    assert "1 from day 7 on, of those there then" in chart.to_dict()["usermeta"]["caption"]


@pytest.mark.parametrize("name", ["retention", "competing"])
def test_curves_have_bands_up_to_the_last_time_and_no_step_that_waits_for_more_customers(name):
    spec = ALL[name]().to_dict()
    marks = [(layer["mark"]["type"], layer["mark"].get("interpolate")) for layer in spec["layer"]]
    assert marks == [("area", "linear"), ("line", "linear"), ("point", None)]
    params = {p["name"]: p["select"] for layer in spec["layer"] for p in layer.get("params", ())}
    params |= {p["name"]: p["select"] for p in spec.get("params", ())}
    assert params["near"]["nearest"]
    assert {p.get("bind") for p in spec.get("params", ())} >= {"legend"}
    assert all(layer["encoding"]["x"]["scale"]["domain"] == [0, 40] for layer in spec["layer"])
    assert [("tooltip" in layer["encoding"]) for layer in spec["layer"]] == [False, False, True]


def test_no_point_where_few_are_at_risk_or_beyond_the_support():
    assert max(r["time"] for r in data(charts.retention(BY_BAD)) if r["level"] == "1") == 20
    assert not [r for r in data(charts.retention(BY_BAD, min_cell=30)) if r["level"] == "1"]
    short = {"0": curve((0.1, 0.2, 0.3, 0.4), (900, 800, 700, 600), support=30)}
    assert max(r["time"] for r in data(charts.retention(short))) == 30
    few = {
        "a": curve((0.1, 0.2, 0.3, 0.4), (900, 800, 5, 4)),
        "b": curve((0.1,) * 4, (900, 800, 700, 600)),
    }
    assert max(r["time"] for r in data(charts.competing(few))) == 20


def one_by_one(customers, *, level=0.95):
    """A curve of customers who leave one a day, the last of all included."""
    day = np.arange(1, customers + 1)
    return curve(day / customers, customers - day + 1, times=day, support=customers)


@pytest.mark.parametrize("min_cell", [5, 10])
def test_no_step_stands_for_fewer_customers_than_may_be_shown(min_cell):
    lone = one_by_one(60)
    for drawn, share in (
        (data(charts.retention({"0": lone}, min_cell=min_cell)), lambda r: 1 - r["share"]),
        (data(charts.competing({"left": lone}, min_cell=min_cell)), lambda r: r["share"]),
    ):
        left = [60 * share(r) for r in drawn]
        assert len(left) > 3
        assert all(
            b - a > min_cell / 2 for a, b in itertools.pairwise(left)
        )  # rounded on top of it
        assert drawn[-1]["time"] <= 60 - min_cell + 1
        days = [r["time"] for r in drawn]
        assert all(b - a >= min_cell for a, b in itertools.pairwise(days))


def test_a_curve_that_few_left_is_not_drawn_and_is_named():
    three = curve((0.01, 0.02, 0.03, 0.03), (100, 99, 98, 97))
    nobody = curve((0.0,) * 4, (100, 99, 98, 97))
    result = charts.retention({"0": BY_BAD["0"], "3+": three, "none": nobody}).to_dict()
    assert {r["level"] for r in result["data"]["values"]} == {"0", "none"}
    assert result["usermeta"]["caption"].endswith("Too few left to draw 3+.")
    with pytest.raises(cx.errors.EstimationError, match="10 left"):
        charts.retention({"3+": three})
    stacked = charts.competing({"defection": CAUSES["defection"], "other exit": three}).to_dict()
    assert {r["cause"] for r in stacked["data"]["values"]} == {"defection"}
    assert "Too few to draw: other exit." in stacked["usermeta"]["caption"]
    assert "other exit" not in stacked["description"]


def test_no_number_at_risk_is_in_the_data():
    assert "at_risk" not in json.dumps(charts.retention(BY_BAD).to_dict())
    assert "at_risk" not in json.dumps(charts.competing(CAUSES).to_dict())


def test_competing_causes_are_stacked():
    chart = charts.competing(CAUSES)
    at_end = {r["cause"]: r for r in data(chart) if r["time"] == 40}
    assert (at_end["defection"]["from"], at_end["defection"]["to"]) == (0, pytest.approx(0.35))
    assert (at_end["other exit"]["from"], at_end["other exit"]["to"]) == (
        pytest.approx(0.35),
        pytest.approx(0.51),
    )
    assert "By day 40: defection: 35%; other exit: 16%" in chart.to_dict()["description"]


def test_causes_with_other_times_are_read_as_steps():
    odd = {"a": CAUSES["defection"], "b": curve((0.1, 0.2), (900, 800), times=(15, 40))}
    rows = {(r["cause"], r["time"]): r["share"] for r in data(charts.competing(odd))}
    assert (rows["b", 10.0], rows["b", 15.0], rows["b", 20.0]) == (
        0,
        pytest.approx(0.1),
        pytest.approx(0.1),
    )
    assert rows["a", 15.0] == pytest.approx(0.1)


@pytest.mark.parametrize("chart", [charts.retention, charts.competing])
def test_curves_that_do_not_go_together(chart):
    with pytest.raises(cx.errors.EstimationError, match="no curve"):
        chart({})
    with pytest.raises(cx.errors.EstimationError, match="several clocks"):
        chart({"a": BY_BAD["0"], "b": curve((0.1,) * 4, (90,) * 4, clock="contact")})
    with pytest.raises(cx.errors.EstimationError, match="at most 6"):
        chart({str(i): BY_BAD["0"] for i in range(7)})
    with pytest.raises(cx.errors.EstimationError, match="nothing to draw"):
        chart({"a": curve((0.1,) * 4, (3,) * 4)})


def test_hazard_ratios_tell_the_fit():
    result = fit(strata=("plan",))
    chart = charts.hazard_ratios(result)
    spec, table = chart.to_dict(), result.to_polars()
    for row, told in zip(table.iter_rows(named=True), data(chart), strict=True):
        assert told["ratio"] == pytest.approx(row["hazard_ratio"], abs=1e-4)
        assert (told["low"], told["high"]) == (
            pytest.approx(row["low"], abs=1e-4),
            pytest.approx(row["high"], abs=1e-4),
        )
        assert (
            f"{row['hazard_ratio']:.2f}, interval {row['low']:.2f} to {row['high']:.2f}"
            in spec["description"]
        )
    assert '"type": "log"' in json.dumps(spec)
    caption = spec["usermeta"]["caption"]
    assert "Reference: bad moments: 0, contacts: 0." in caption
    assert "90% intervals" in caption
    assert "within plan" in caption


def test_several_fits_stand_below_each_other():
    both = {
        "crude": fit(("bad[1]",), (0.4,)),
        "adjusted": fit(("bad[1]", "contacts[1+]"), (0.5, -0.3)),
    }
    rows = data(charts.hazard_ratios(both, ["bad"]))
    assert [(r["term"], r["fit"]) for r in rows] == [
        ("bad moments: 1", "crude"),
        ("bad moments: 1", "adjusted"),
    ]
    assert [r["label"] for r in rows] == ["bad moments: 1, against 0", ""]
    assert len({r["line"] for r in rows}) == 2
    with pytest.raises(cx.errors.EstimationError, match="no feature 'badd'; did you mean 'bad'"):
        charts.hazard_ratios(both, ["badd"])
    with pytest.raises(cx.errors.EstimationError, match="between 1 and 6 fits"):
        charts.hazard_ratios({})


def test_ratio_without_an_upper_limit_is_left_out():
    rows = data(charts.hazard_ratios(fit(se_model=np.array([0.1, 900.0, 0.1]))))
    assert [r["term"] for r in rows] == ["bad moments: 1", "contacts: 1+"]


def test_bars_tell_the_quick_math():
    assert "bad: 500 (50%, 2.5 a day)" in charts.grades(quick()).to_dict()["description"]
    assert [r["share"] for r in data(charts.bad_moments(quick()))] == [0.6, 0.3, 0.1]
    assert (
        "0: 60 (60%); 1: 30 (30%); 2+: 10 (10%)"
        in charts.bad_moments(quick()).to_dict()["description"]
    )


def test_hidden_counts_are_not_in_the_chart():
    chart = charts.grades(quick(counts=(None, 691, 300, None)))
    assert [r["class"] for r in data(chart)] == ["neutral", "good"]
    assert "Counts below 10 are not shown" in chart.to_dict()["usermeta"]["caption"]


def test_reading_of_a_ladder_keeps_its_order():
    from tests.report.dockets import ratio_trial

    chart = charts.readings(ratio_trial(), "hazard ratio", only=["crude", "adjusted"])
    assert [r["value"] for r in data(chart)] == [1.05, 1.12]
    assert "held equal" in chart.to_dict()["usermeta"]["title"]


def test_a_chart_is_shown_our_way_unless_another_was_chosen():
    before = alt.renderers.active
    try:
        alt.renderers.enable("default")
        chart = charts.hazard_ratios(fit())
        assert {renderer.MIME, renderer.LAB_MIME} <= set(chart._repr_mimebundle_()[0])
        alt.renderers.enable("json")
        charts.hazard_ratios(fit())
        assert alt.renderers.active == "json"
    finally:
        alt.renderers.enable(before)


def test_title_and_caption_are_in_the_picture_for_jupyterlab():
    spec = charts.hazard_ratios(fit()).to_dict()
    title = renderer.bundle(spec)[renderer.LAB_MIME]["title"]
    assert title["text"] == "Rate of leaving, compared"
    assert "Reference: bad moments: 0" in title["subtitle"][0]


def test_a_control_character_in_a_name_does_no_harm():
    chart = charts.retention(
        {"a\x00b": BY_BAD["0"], "\x1b[31m": BY_BAD["1"]}, history="of\x08 it"
    ).to_dict()
    forms = renderer.bundle(chart)
    assert not re.search(r"\\u00[01]|[\x00-\x08\x0b-\x1f]", json.dumps(forms))
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", renderer.still(chart, 340))
    assert "a\ufffdb" in forms["image/svg+xml"]
