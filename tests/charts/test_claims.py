import json
import math
import re
from dataclasses import replace

import pytest

from cxresearch import charts
from cxresearch.charts import renderer
from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.decide import parse_region
from cxresearch.claims.results import Activity
from cxresearch.claims.units import Unit
from tests.report.dockets import curve, ratio_trial, reading_result, share_trial


def made():
    one, two = share_trial(), ratio_trial()
    yield from (charts.readings(t, u) for t in (one, two) for u in charts.units(t))
    yield from (charts.curves(e, one, min_cell=10) for e in one.results if e.series)
    yield charts.activity(two, 10)


@pytest.mark.parametrize("chart", list(made()))
def test_charts_say_in_words_what_they_show(chart):
    spec = chart.to_dict()
    assert any(n in spec["description"] for n in ("25%", "+9.5 points", "40%", "1.12", "59%"))
    assert spec["usermeta"]["title"]
    assert spec["width"] == "container"


def test_units_in_which_there_are_numbers():
    assert charts.units(share_trial()) == ("share", "difference of shares")


def test_hazard_ratios_lie_on_a_log_axis():
    spec = json.dumps(charts.readings(ratio_trial(), "hazard ratio").to_dict())
    assert '"type": "log"' in spec
    assert '"log"' not in json.dumps(charts.readings(share_trial(), "share").to_dict())


def test_naive_and_base_rate_are_told_apart():
    rows = charts.readings(share_trial(), "share").to_dict()["data"]["values"]
    assert [r["role"] for r in rows] == [
        "the reading the verdict rests on",
        "what happens anyway",
        "the naive answer",
    ]


@pytest.mark.parametrize(
    ("region", "unit", "words"),
    [
        (">= 0.925", "share", "92.5% or more"),
        ("> 1", "hazard ratio", "more than 1"),
        ("< 1/3", "share", "less than 33.3%"),
        ("in [0.8, 1.25]", "hazard ratio", "0.8 to 1.25"),
        ("> 0", "difference of shares", "more than 0 points"),
    ],
)
def test_regions_in_words(region, unit, words):
    assert charts.claimed(parse_region(region), unit) == words


def test_small_cells_take_a_second_one_with_them():
    rows = (Activity("1", 100, 4, 50), Activity("2-4", 100, 40, 95), Activity("5-9", 100, 60, 50))
    result = charts.shares(rows, 10)
    assert [s.with_bad for s in result] == [None, None, 0.6]
    assert [s.left for s in result] == [None, None, 0.5]


def test_nothing_hidden_where_all_is_large():
    rows = (Activity("0", 100, 0, 50), Activity("1", 100, 50, 50))
    assert [(s.with_bad, s.left) for s in charts.shares(rows, 10)] == [(None, 0.5), (0.5, 0.5)]


def test_labels_of_two_points_of_one_band_stand_on_different_sides():
    rows = charts.activity(ratio_trial(), 10).to_dict()["data"]["values"]
    bands = {band: [r for r in rows if r["contacts"] == band] for band in ("2-4", "5-9")}
    for pair in bands.values():
        low, high = sorted(pair, key=lambda r: r["share"])
        assert (low["place"], high["place"]) == ("below", "above")
    assert {r["place"] for r in rows if r["contacts"] == "0"} == {"above"}  # alone there
    layers = charts.activity(ratio_trial(), 10).to_dict()["layer"]
    texts = [layer["mark"]["dy"] for layer in layers if layer["mark"]["type"] == "text"]
    assert min(texts) < 0 < max(texts)


def test_every_reader_finds_a_form_it_knows():
    forms = renderer.bundle(charts.activity(ratio_trial(), 10).to_dict())
    assert list(forms) == [renderer.MIME, renderer.LAB_MIME, "image/svg+xml", "text/plain"]
    assert forms[renderer.LAB_MIME]["$schema"].endswith("/v5.json")
    assert forms["image/svg+xml"].startswith("<svg")


@pytest.mark.parametrize(
    ("label", "lines"),
    [("short", 2), ("a word of it " * 6, 2), ("a word of it " * 9, 3), ("x" * 300, 3)],
)
def test_a_label_of_several_lines_stays_inside_its_row(label, lines):
    trial = share_trial()
    trial = replace(trial, results=(replace(trial.results[0], label=label), *trial.results[1:]))
    spec = charts.readings(trial, "share").to_dict()
    rows = spec["data"]["values"]
    row = spec["height"] / len(rows)
    text = next(layer["mark"] for layer in spec["layer"] if layer["mark"].get("lineBreak"))
    start, line = re.fullmatch(
        r"([-\d.]+) - (\d+) \* datum\.lines", text["yOffset"]["expr"]
    ).groups()
    marker = next(
        layer["mark"]["yOffset"] for layer in spec["layer"] if layer["mark"]["type"] == "point"
    )
    longest = max(r["lines"] for r in rows)
    assert longest == lines
    assert (
        float(start) - int(line) * longest >= -row / 2
    )  # the first line begins below the row above
    assert float(start) + 8 <= marker <= row / 2 - 8
    assert max(len(r["label"]) for r in rows) < 3 * 48


def test_a_label_that_is_cut_says_so():
    trial = share_trial()
    trial = replace(
        trial,
        results=(replace(trial.results[0], label="a word of it " * 30), *trial.results[1:]),
    )
    assert charts.readings(trial, "share").to_dict()["data"]["values"][0]["label"].endswith("…")


def catalogued(claim):
    return next(c for c in catalogue().values() if c.id == claim)


@pytest.mark.parametrize(
    ("claim", "reading", "axis", "done"),
    [
        ("three-strikes", "before-third", "days since the first bad moment", "left"),
        ("recovery-paradox", "from-the-start", "days since the first problem", "left"),
        ("recovery-paradox", "left-before-resolution", "days since the first problem", "left"),
        ("recovery-paradox", "left-anyway", "days since the start", "left"),
        ("public-posting", "within-30-days", "days since the first bad moment", "posted"),
    ],
)
def test_curves_tell_their_clock_and_what_was_done(claim, reading, axis, done):
    result = catalogued(claim)
    row = reading_result(
        result,
        reading,
        "undecided",
        "share",
        (0.2, 0.1, 0.3),
        series=(curve("c", 0.2),),
        horizon_days=31,
    )
    chart = charts.curves(
        row, replace(share_trial(), claim=result, results=(row,)), min_cell=10
    ).to_dict()
    assert f'"title": "{axis}"' in json.dumps(chart)
    assert f"more customers have {done}," in chart["usermeta"]["caption"]
    assert "The number is that of day 31; the curve goes on." in chart["usermeta"]["caption"]
    assert f"customers who {done}," in chart["description"]


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (0.054, ["-6%", "-4%", "-2%", "0%", "2%", "4%", "6%"]),
        (0.0009, ["-0.1%", "0%", "0.1%", "0.2%"]),
        (0.4, ["-20%", "0%", "20%", "40%", "60%"]),
    ],
)
def test_ticks_of_a_model_comparison_are_round(high, ticks):
    result = catalogued("latest-moment")
    row = reading_result(
        result, "last-or-history", "undecided", Unit.LOG_LIKELIHOOD, (0.0, -high, high)
    )
    trial = replace(share_trial(), claim=result, results=(row,), base_rate=None, naive=None)
    chart = charts.readings(trial, Unit.LOG_LIKELIHOOD)
    at = next(layer["encoding"]["x"]["axis"]["values"] for layer in chart.to_dict()["layer"])
    assert [f"{100 * math.expm1(t):.4g}%" for t in at] == ticks


def test_shares_of_moments_are_called_so():
    result = catalogued("jack")
    row = reading_result(
        result, "at-the-worst-tenth", "contradicted", Unit.SHARE, (0.11, 0.1, 0.12)
    )
    of_moments = replace(share_trial(), claim=result, results=(row,), base_rate=None, naive=None)
    assert '"title": "share of bad moments"' in json.dumps(
        charts.readings(of_moments, "share").to_dict()
    )
    assert '"title": "share of customers"' in json.dumps(
        charts.readings(share_trial(), "share").to_dict()
    )
