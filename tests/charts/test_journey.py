"""The charts of the instruments: words tell the numbers, the weakest point is marked, nothing small is in the data."""

import json
import re

import pytest

import cxresearch as cx
from cxresearch import charts
from cxresearch.estimators.influence import Clusters
from cxresearch.estimators.results import estimate
from cxresearch.journey.loyalty import LoyaltyShift, Shift
from cxresearch.journey.perception import PerceptionMap, Touchpoint, WeakestPoint
from cxresearch.journey.scorecard import Score, Scorecard
from cxresearch.journey.service_levels import ServiceLevels

MANY = Clusters(1_000, 100, "clusters")
HOSTILE = "<script>alert('x')</script>&\""


def number(value, half):
    return estimate(value, half / 1.984, scale="identity", level=0.95, clusters=MANY)


def touchpoint(
    name,
    *,
    grades=(200, 300, 400, 100),
    share=(0.02, 0.03),
    single=True,
    day=30.0,
    levels=(),
    lacks="",
):
    ratio = None if share is None else estimate(1.5, 0.1, scale="log", level=0.95, clusters=MANY)
    own = None if share is None else number(*share)
    return Touchpoint(
        name=name,
        single=single,
        first_day=day,
        owners=("care",),
        moments=1000,
        customers=400,
        grades=grades,
        levels=levels,
        share=own,
        hazard_ratio=ratio,
        lacks=lacks,
    )


def journey(*touchpoints, weakest="bill", unclear=()):
    share = next((t.share for t in touchpoints if t.name == weakest), None)
    point = WeakestPoint(weakest, share, unclear, f"The weakest point is {weakest}.")
    return PerceptionMap(
        touchpoints=touchpoints,
        weakest=point,
        clock="tenure",
        customers=900,
        left_out=3,
        defections=500,
        level=0.95,
        level_each=0.975,
        min_cell=10,
    )


MAP = journey(
    touchpoint("app"),
    touchpoint("bill", share=(0.12, 0.04), grades=(None, 300, 400, None)),
    touchpoint("other", single=False, share=None, lacks="defections enough", day=None),
)
LEVELS = ServiceLevels(
    levels=("criminal", "basic", "unknown"),
    counts=(None, 60, 40),
    shares=(None, 0.6, 0.4),
    counts_as=("bad", "mostly bad", "unknown"),
    grades=((None,) * 4, (50, 10, 0, 0), (0, 0, 0, 40)),
    moments=100,
    min_cell=10,
)
CARD = Scorecard(
    by="owner", rows=("care", "all"), moments=(500, 700), expectations=("respect", "solutions"),
    scores=(
        Score("care", "respect", 400, number(0.9, 0.03)), Score("care", "solutions", 300, None),
        Score("all", "respect", 600, number(0.85, 0.02)), Score("all", "solutions", 0, None),
    ),
    lacks=("simplicity",), level=0.95, min_cell=10,
)  # fmt: skip
LOYALTY = LoyaltyShift(
    stays=number(0.6, 0.02), meaning="still there after 365 days", reference_grade="neutral", hazard_ratios=(None,) * 4,
    grades=(
        Shift("bad", 100, number(-0.05, 0.01)), Shift("neutral", 300, number(0.0, 0.0)),
        Shift("good", 300, number(0.01, 0.02)), Shift("unknown", 0, None),
    ),
    touchpoints=(Shift("a touchpoint with a very long name", 400, number(-0.02, 0.01)),),
    everywhere=Shift("all moments", 700, number(-0.01, 0.01)), customers=900, level=0.95, min_cell=10,
)  # fmt: skip
ALL = {
    "perception_map": lambda: charts.perception_map(MAP),
    "service_levels": lambda: charts.service_levels(LEVELS),
    "scorecard": lambda: charts.scorecard(CARD),
    "loyalty_shift": lambda: charts.loyalty_shift(LOYALTY),
}


def rows(chart):
    """All rows in a chart's data, wherever they stand."""
    spec = chart.to_dict()
    result = list(spec.get("data", {}).get("values", []))

    def gather(part):
        result.extend(part.get("data", {}).get("values", []))
        for layer in part.get("layer", ()):
            gather(layer)

    for layer in spec["layer"]:
        gather(layer)
    for values in spec.get("datasets", {}).values():
        result.extend(values)
    return result


@pytest.mark.parametrize("made", ALL.values(), ids=ALL)
def test_charts_have_title_caption_words_and_tooltips(made):
    spec = made().to_dict()
    assert spec["usermeta"]["title"]
    assert spec["usermeta"]["caption"].endswith(".")
    assert re.search(r"[1-9]", spec["description"])
    assert '"tooltip"' in json.dumps(spec["layer"])
    assert spec["width"] == "container"


def test_the_weakest_point_is_marked_by_shape_and_word():
    marked = [r for r in rows(charts.perception_map(MAP)) if r.get("mark") == "weakest"]
    assert {(r["name"], r["word"]) for r in marked} == {("bill", "weakest point")}
    spec = json.dumps(charts.perception_map(MAP).to_dict())
    assert '"diamond"' in spec
    assert "12.0% (8.0 to 16.0) of the defections, weakest point" in spec
    unsure = journey(*MAP.touchpoints, unclear=("app",))
    assert "perhaps weakest" in json.dumps(charts.perception_map(unsure).to_dict())
    none = journey(*MAP.touchpoints, weakest="")
    assert not [r for r in rows(charts.perception_map(none)) if r.get("mark") == "weakest"]


def test_bars_are_as_long_as_shares_and_hidden_ones_one_piece():
    pieces = [r for r in rows(charts.perception_map(MAP)) if "grade" in r]
    by = {(r["name"], r["grade"]): (r["from"], r["to"]) for r in pieces}
    assert by["app", "bad"] == (0, 0.2)
    assert by["app", "unknown"] == (0.9, 1)
    assert {g for n, g in by if n == "bill"} == {"neutral", "good", "not shown"}
    assert by["bill", "not shown"] == (0.7, 1)
    caption = charts.perception_map(MAP).to_dict()["usermeta"]["caption"]
    assert "too small to be shown" in caption
    assert "No share for other" in caption


def test_touchpoint_without_a_share_has_no_point():
    drawn = [
        r for r in rows(charts.perception_map(MAP)) if r.get("name") == "other" and "mark" in r
    ]
    assert {r["share"] for r in drawn} == {None}
    only = journey(touchpoint("fax", share=None, lacks="defections"), weakest="")
    assert charts.perception_map(only).to_dict()["description"]


def test_hidden_counts_have_no_bar_and_no_trace():
    result = rows(charts.service_levels(LEVELS))
    assert [r["level"] for r in result] == ["basic", "unknown"]
    assert [r["kind"] for r in result] == ["bad", "unknown"]
    spec = charts.service_levels(LEVELS).to_dict()
    assert "Counts below 10 are not shown" in spec["usermeta"]["caption"]
    with pytest.raises(cx.errors.EstimationError, match="too small"):
        charts.service_levels(
            ServiceLevels(
                levels=("basic",),
                counts=(None,),
                shares=(None,),
                counts_as=("bad",),
                grades=((None,) * 4,),
                moments=4,
                min_cell=10,
            )
        )


def test_scorecard_has_a_line_per_cell_and_no_point_for_hidden_ones():
    result = rows(charts.scorecard(CARD))
    lines = {r["line"]: r for r in result if "expectation" in r}
    assert [(r["of"], r["expectation"], r["shown"]) for _, r in sorted(lines.items())] == [
        ("care", "respect", "90.0% (87.0–93.0)"),
        ("care", "solutions", "not shown"),
        ("all", "respect", "85.0% (83.0–87.0)"),
        ("all", "solutions", "–"),
    ]
    assert {r["line"] for r in result if "label" in r} == {0, 3}
    assert "does not tell simplicity" in charts.scorecard(CARD).to_dict()["usermeta"]["caption"]
    empty = Scorecard(
        by="owner",
        rows=("all",),
        moments=(9,),
        expectations=("respect",),
        scores=(Score("all", "respect", None, None),),
        lacks=(),
        level=0.95,
        min_cell=10,
    )
    with pytest.raises(cx.errors.EstimationError, match="nothing to draw"):
        charts.scorecard(empty)


def test_loyalty_leaves_out_what_it_is_held_against():
    result = [r for r in rows(charts.loyalty_shift(LOYALTY)) if "shown" in r]
    assert {r["of"] for r in result} == {
        "bad",
        "good",
        "a touchpoint with a very long name",
        "all moments",
    }
    long = next(r for r in result if r["of"].startswith("a touchpoint"))
    assert len(long["label"]) <= 13
    assert "−5.0 (−6.0 to −4.0) points" in charts.loyalty_shift(LOYALTY).to_dict()["description"]


OBJECTS = {
    "map": journey(touchpoint(HOSTILE, levels=(1,) * 7), weakest=HOSTILE),
    "weakest": WeakestPoint(HOSTILE, number(0.1, 0.02), (HOSTILE,), HOSTILE),
    "levels": LEVELS,
    "card": Scorecard(
        by="owner",
        rows=(HOSTILE,),
        moments=(9,),
        expectations=("respect",),
        scores=(Score(HOSTILE, "respect", None, None),),
        lacks=(HOSTILE,),
        level=0.95,
        min_cell=10,
    ),
    "loyalty": LOYALTY,
}


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_is_an_accessible_table_and_one_line(name):
    html, text = OBJECTS[name]._repr_html_(), repr(OBJECTS[name])
    assert html.count("<caption") == html.count("<table>") >= 1
    assert "scope='col'" in html
    assert "scope='row'" in html
    assert HOSTILE not in html
    assert "<script" not in html
    assert html.count("<caption style='text-align:left'>") == html.count("<caption")
    assert "\n" not in text
    assert len(text) < 900
    assert OBJECTS[name].to_dict()
    assert OBJECTS[name].to_polars().height >= 1
