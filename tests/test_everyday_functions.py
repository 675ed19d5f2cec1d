"""The quick math, curves side by side, variants of a study: against counts made by hand."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.worlds import World, simulate

RAW = {
    "interactions": {"score": "stars", "scale": [1, 5]},
    "retention": {"cause": "reason", "defection": ["switched"], "segment": "plan"},
}


@pytest.fixture(scope="module")
def made():
    return simulate(World(hr_bad=(1.0, 1.5, 2.0, 2.5)), 900, seed=3)


@pytest.fixture(scope="module")
def records(made):
    return cx.read_records(
        cx.study_from(RAW, interactions=made.interactions, retention=made.customers)
    )


def moments_of(records):
    return records.engine.collect(records.moments)


def test_quick_math_counts_what_is_there(records):
    quick, moments = cx.journey.moment_summary(records), moments_of(records)
    assert quick.moments == moments.height == sum(quick.counts)
    assert quick.counts[0] == moments.filter(pl.col("grade") == 0).height
    assert quick.per_day == pytest.approx(
        moments.height / (records.window.last - records.window.first + 1)
    )
    bad = Counter(moments.filter(pl.col("grade") == 0)["customer"].to_list())
    by = Counter(min(n, 10) for n in bad.values())
    assert sum(quick.customers_by_bad) == quick.customers == 900
    assert quick.bad_moments[0] == "0"
    assert quick.customers_by_bad[0] == 900 - len(bad)
    assert quick.customers_by_bad[quick.bad_moments.index("1")] == by[1]
    assert min(quick.customers_by_bad) >= quick.min_cell


@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_engines_agree(made, records, engine):
    study = cx.study_from(RAW, interactions=made.interactions, retention=made.customers)
    other = cx.read_records(study, engine)
    assert cx.journey.moment_summary(other) == cx.journey.moment_summary(records)
    ours, theirs = cx.incidence_after_bad(records), cx.incidence_after_bad(other)
    for cause in ours:
        np.testing.assert_array_equal(ours[cause].incidence, theirs[cause].incidence)


def test_small_counts_leave_no_trace_in_the_quick_math():
    days = [f"2024-01-{d:02d}" for d in range(2, 30)]
    log = pl.DataFrame(
        {"customer": [f"c{i}" for i in range(28)], "at": days, "grade": ["bad"] * 3 + ["good"] * 25}
    )
    who = pl.DataFrame(
        {"customer": [f"c{i}" for i in range(28)], "start": ["2024-01-01"] * 28, "end": [None] * 28}
    )
    quick = cx.journey.moment_summary(cx.study_from({}, interactions=log, retention=who))
    assert quick.counts == (None, 0, None, 0)
    assert (quick.bad_moments, quick.customers_by_bad) == (("0+",), (28,))
    shown = quick._repr_html_().rpartition("</style>")[2]
    assert "not shown" in shown
    assert "25" not in shown
    assert ">3<" not in shown


def test_curves_by_level_are_incidences_of_parts_of_the_table(records):
    table = cx.risk_table(records, bad=cx.bad_count(2), observed_from_start=True)
    curves = cx.incidence_by_level(table, "bad")
    assert list(curves) == ["0", "1", "2+"]
    alone = cx.incidence(table.where(bad=["1"]), errors="model")
    np.testing.assert_array_equal(curves["1"].incidence, alone.incidence)
    assert curves.to_polars()["name"].unique().sort().to_list() == ["0", "1", "2+"]


def test_level_that_cannot_be_estimated_is_named(records):
    curves = cx.incidence_by_level(
        cx.risk_table(records, bad=cx.bad_count(2), observed_from_start=True),
        "bad",
        min_cell=100_000,
    )
    assert len(curves) == 0
    assert curves.lacks[0] == "bad 0 lacks 100000 customers at risk at any one time"
    assert "bad 0 lacks" in curves._repr_html_()


def test_competing_causes_add_up_to_all_who_left(records):
    after = cx.incidence_after_bad(records)
    assert list(after) == ["defection", "other exit", "third bad moment"]
    day = 200
    assert 0.3 < sum(after[c].at(day).value for c in after) < 1
    alone = cx.incidence_after_bad(records, until_nth=None)
    assert list(alone) == ["defection", "other exit"]
    assert alone["defection"].at(day).value > after["defection"].at(day).value
    assert list(cx.incidence_after_bad(records, nth=2))[2:] == ["third bad moment"]


def test_hazards_take_the_model_of_the_clock(records):
    table = cx.risk_table(
        records, strata=["segment"], bad=cx.bad_count(1), observed_from_start=True
    )
    assert cx.fit_hazard_model(table, ["bad"], strata=["segment", "no such"]).coef == pytest.approx(
        cx.cox(table, ["bad"], strata=["segment"]).coef
    )
    assert cx.fit_hazard_model(table, ["bad"]).references == ("bad[0]",)
    log = pl.DataFrame(moments_of(records).select("customer", at="day", grade=pl.lit("bad")))
    shop = cx.study_from({"retention": {"kind": "activity", "gap_days": 60}}, interactions=log)
    assert (
        cx.fit_hazard_model(cx.risk_table(shop, contacts=cx.contacts_within(30)), ["contacts"]).ties
        == "grouped"
    )


def test_final_levels_look_ahead(records):
    right = cx.fit_hazard_model(
        cx.risk_table(records, bad=cx.bad_count(1), observed_from_start=True), ["bad"]
    )
    naive = cx.fit_hazard_model(
        cx.risk_table(records, bad=cx.bad_count(1), observed_from_start=True, time_fixed=True),
        ["bad"],
    )
    assert naive.coef[0] < right.coef[0] - 0.3


def test_variant_changes_one_setting_and_keeps_the_data(records):
    other = records.study.replace(blackout_days=14, horizon_days=180, bad="stars <= 3")
    assert (other.moments.blackout_days, other.info.horizon_days, other.moments.bad) == (
        14,
        180,
        "stars <= 3",
    )
    assert other.frames is not None
    assert other.retention == records.study.retention
    assert records.study.moments.blackout_days == 0
    assert cx.journey.moment_summary(other).counts[0] > cx.journey.moment_summary(records).counts[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon_day": 3}, "no setting 'horizon_day'; did you mean 'horizon_days'"),
        ({"source": "x.csv"}, "several sections: write retention__source or interactions__source"),
        ({"horizon_days": "3"}, r"study\.horizon_days: expected `int`, got `str`"),
        ({"horizon_days": 0}, "between 1 and"),
        ({"claims": {"id": "x"}}, r"write each as \[\[claims\]\]"),
    ],
)
def test_variant_that_is_no_study(records, settings, message):
    with pytest.raises(cx.errors.StudyError, match=message):
        records.study.replace(**settings)


def test_a_claim_of_a_studys_own_is_tried_without_a_file(records):
    entry = {
        "id": "busy-stay",
        "statement": "Two contacts a quarter keep a customer.",
        "source": "us",
        "histories": {"contacts": {"use": "contacts_within", "days": 90, "edges": [2]}},
        "text": {"finding": "The hazard is {estimate} times as high."},
        "readings": [
            {
                "id": "hazard",
                "label": "hazard of leaving",
                "kind": "hazard_contrast",
                "primary": True,
                "model": {"terms": ["contacts"], "held_equal": "earlier contacts"},
                "contrast": {"contacts[2+]": 1},
                "region": "< 1",
            }
        ],
    }
    study = records.study.replace(claims=[entry])
    assert records.study.claims == ()
    trial = cx.evaluate(study, ["busy-stay"], alone=True, verdicts_only=True, keep=False)[
        "busy-stay"
    ]
    assert trial.primary.estimate.value > 0


def test_claims_that_can_be_tried(records):
    result = cx.check_claims(records)
    assert result.claims == tuple(c.id for c in cx.catalogue().values())
    log = pl.DataFrame({"customer": ["a", "a"], "at": [1, 50], "grade": ["bad", "good"]})
    shop = cx.study_from({"retention": {"kind": "activity", "gap_days": 10}}, interactions=log)
    lacks = dict(zip(cx.check_claims(shop).claims, cx.check_claims(shop).lacks, strict=True))
    assert lacks["three-strikes"] == lacks["bad-moments-drive-away"] == ""
    assert "silence is the lapse itself here" in lacks["no-news"]


def test_what_is_behind_a_claim(records):
    claims = {c.id: c for c in cx.catalogue().values()}
    result = cx.observed_vs_expected(records, claims["bad-moments-drive-away"])
    assert (result.history, result.label) == ("bad", "bad moments so far")
    assert sum(result.observed) == result.table.events("defection")
    assert sum(result.expected) == pytest.approx(sum(result.observed))
    excess = claims["three-strikes"]
    readings = [r for r in excess.readings if r.id == "excess"]
    alone = type(excess)(
        id="x", statement="x", source="x", histories=excess.histories, text=excess.text,
        readings=(type(readings[0])(id="e", label="e", primary=True, compare=readings[0].compare),),
    )  # fmt: skip
    with pytest.raises(cx.NotTestable):
        cx.observed_vs_expected(records, alone)
