"""The map against plain loops over rows, in worlds where one touchpoint does harm and where none does."""

import json
from collections import Counter
from statistics import median

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims.context import MIN_EXPECTED
from cxresearch.engines import packed_contacts
from cxresearch.journey.contributions import contributions
from cxresearch.journey.perception import weakest_point
from cxresearch.journey.touchpoints import places_of
from cxresearch.utils.html_tables import unstyled
from tests.journey.companies import DAYS, TOUCHPOINTS, activity, company, contract, told

GRADES = ("bad", "neutral", "good", "unknown")
LEVELS = ("criminal", "basic", "expected", "desired", "surprising", "unbelievable", None)


@pytest.fixture(scope="module")
def planted():
    return company(1800, 1, harm=(1.0, 2.5, 1.0, 1.0))


@pytest.fixture(scope="module")
def found(planted):
    return cx.journey.perception_map(contract(*planted))


def test_volumes_grades_and_order_are_those_of_the_rows(planted, found):
    log, who = planted
    start = dict(who.select("customer", "start").iter_rows())
    days = {t.name: t.first_day for t in found.touchpoints}
    for name in TOUCHPOINTS:
        rows = [r for r in log.iter_rows(named=True) if r["touchpoint"] == name]
        first = {}
        for r in rows:
            first[r["customer"]] = min(first.get(r["customer"], 10**6), r["at"])
        own = found[name]
        assert own.moments == len(rows)
        assert own.customers == len(first)
        assert own.grades == tuple(Counter(r["grade"] for r in rows)[g] for g in GRADES)
        assert own.first_day == median(day - start[c] for c, day in first.items())
    assert list(days.values()) == sorted(days.values())
    assert (found.clock, found.left_out) == ("tenure", 0)


def test_the_planted_touchpoint_is_found_and_stands_apart(found):
    assert found.weakest.name == "bill"
    assert found.weakest.is_distinguishable
    assert found["bill"].hazard_ratio.low < 2.5 < found["bill"].hazard_ratio.high
    for name in ("app", "call", "chat"):
        assert found[name].share.low < 0 < found[name].share.high
        assert found[name].hazard_ratio.low < 1 < found[name].hazard_ratio.high
    assert "bill: " in found.weakest.sentence
    assert "distinguished from every other" in found.weakest.sentence


@pytest.mark.parametrize("more", [{}, {"busy": -0.5}], ids=["null", "confounded"])
def test_where_no_touchpoint_matters_none_stands_out(more):
    study = contract(*company(1500, 4, **more))
    found = cx.journey.perception_map(study)
    assert all(t.share.low < 0 < t.share.high for t in found.touchpoints)
    assert (found.weakest.name, found.weakest.share, found.weakest.is_distinguishable) == (
        "",
        None,
        False,
    )
    assert found.weakest.sentence.startswith("None stands out")


def test_two_that_harm_alike_are_not_told_apart():
    found = cx.journey.perception_map(contract(*company(1800, 7, harm=(1.0, 2.2, 2.2, 1.0))))
    first, second = ("bill", "call") if found.weakest.name == "bill" else ("call", "bill")
    assert found.weakest.name == first
    assert found.weakest.not_distinguishable_from == (second,)
    assert f"cannot be distinguished from {second}" in found.weakest.sentence


def lived(log, who):
    """Return states by customer and day d: bad moments at each place before d, and contacts in the 90 days before."""
    n = who.height
    had, recent = np.zeros((n, DAYS + 2, 4), bool), np.zeros((n, DAYS + 2), int)
    for r in log.iter_rows(named=True):
        t, c = r["at"], r["customer"]
        recent[c, t + 1 : t + 91] += 1
        if r["grade"] == "bad":
            had[c, t + 1 :, TOUCHPOINTS.index(r["touchpoint"])] = True
    return had, recent


def test_share_and_ratio_are_those_of_the_day_by_day_model(planted):
    """Efron's score, computed customer by customer, vanishes at the fit; the share follows from events by state."""
    log, who = planted
    log, who = log.filter(pl.col("customer") < 600), who.filter(pl.col("customer") < 600)
    study = contract(log, who)
    records = cx.read_records(study)
    places = tuple(sorted(places_of(records, "touchpoint"), key=lambda p: p.name))
    found = contributions(records, places)
    had, recent = lived(log, who)
    bands = [(recent >= e[0]) & (recent <= e[1]) for e in ((1, 2), (3, 5), (6, 10**6))]
    x = np.concatenate([had, np.stack(bands, axis=2)], axis=2).astype(float)
    start = who["start"].to_numpy()
    end = who["end"].fill_null(DAYS).to_numpy()
    left = ~who["end"].is_null().to_numpy()
    beta, score, exposed = found.fit.coef, np.zeros(7), np.zeros(4)
    by_tenure = {}
    for c in np.flatnonzero(left & (end > start)):
        by_tenure.setdefault(end[c] - start[c], []).append(c)
    for tenure, who_left in by_tenure.items():
        here = [c for c in range(who.height) if end[c] - start[c] >= tenure and end[c] > start[c]]
        states = np.array([x[c, start[c] + tenure] for c in here])
        risk = np.exp(states @ beta)
        own = np.array([x[c, start[c] + tenure] for c in who_left])
        own_risk, d = np.exp(own @ beta), len(who_left)
        exposed += own[:, :4].sum(axis=0)
        for k in range(d):
            total = risk.sum() - k / d * own_risk.sum()
            score += own[k] - (risk @ states - k / d * own_risk @ own) / total
    assert np.abs(score).max() < 1e-6
    events = sum(map(len, by_tenure.values()))
    assert found.events == events
    for i in range(4):
        assert found.ratios[i].value == pytest.approx(np.exp(beta[i]))
        assert found.shares[i].value == pytest.approx(exposed[i] / events * (1 - np.exp(-beta[i])))


def test_intervals_hold_together_and_differences_singly(found):
    assert found.level == 0.95
    assert found.level_each == pytest.approx(1 - 0.05 / 4)
    assert found["app"].share.level == found.level_each


@pytest.mark.slow
def test_engines_and_parts_agree(monkeypatch):
    study = contract(*company(700, 2))
    ours = cx.journey.perception_map(study).to_dict()
    for engine in ("polars-lazy", "duckdb"):
        assert cx.journey.perception_map(cx.read_records(study, engine)).to_dict() == ours
    monkeypatch.setattr(packed_contacts, "PART", 300)
    assert len(cx.read_records(study).parts()) > 5
    assert cx.journey.perception_map(study).to_dict() == ours


def test_contacts_alone_are_weighed_on_their_own_clock():
    log, _ = company(1500, 3)
    found = cx.journey.perception_map(activity(log))
    assert found.clock == "contact"
    assert all(t.share.low < 0 < t.share.high for t in found.touchpoints)
    assert found.weakest.name == ""


def test_customers_seen_late_are_in_the_volumes_and_not_in_the_model(planted):
    log, who = planted
    late = pl.when(pl.col("customer") % 2 == 0).then(pl.col("start") + 5)
    raw = {
        "interactions": {"log_from": 0, "log_until": DAYS},
        "retention": {"observed_from": "seen"},
    }
    who = who.with_columns(seen=late)
    fine = who.filter(pl.col("end").is_null() | (pl.col("end") > pl.col("start") + 5))
    found = cx.journey.perception_map(cx.study_from(raw, interactions=log, retention=fine))
    assert found.customers + found.left_out == fine.height
    assert found.left_out == fine.filter(pl.col("customer") % 2 == 0).height
    assert sum(t.moments for t in found.touchpoints) > 0.9 * log.height


def rare(**more):
    """A log with two frequent touchpoints, two rare ones, and contacts without any."""
    names = ["call"] * 30 + ["bill"] * 25 + ["fax"] * 6 + ["pager"] * 5 + [None] * 12
    rows = len(names)
    return {
        "customer": [f"c{i % 30}" for i in range(rows)],
        "at": list(range(10, 10 + rows)),
        "touchpoint": names,
        "grade": ["good", "neutral"] * (rows // 2),
        **more,
    }


def test_rare_touchpoints_go_together():
    found = cx.journey.perception_map(told(rare()))
    assert [(t.name, t.single, t.moments, t.customers) for t in found.touchpoints] == [
        ("call", True, 30, 30),
        ("bill", True, 25, 25),
        ("other", False, 11, 11),
        ("not recorded", False, 12, 12),
    ]
    few = cx.journey.perception_map(told(rare()), most=2)
    assert [(t.name, t.moments) for t in few.touchpoints] == [("call", 30), ("other", 48)]


def test_others_that_are_too_few_take_the_rarest_with_them():
    columns = rare(touchpoint=["call"] * 40 + ["bill"] * 33 + ["fax"] * 5)
    found = cx.journey.perception_map(told(columns))
    assert [(t.name, t.moments) for t in found.touchpoints] == [("call", 40), ("other", 38)]
    named = rare(touchpoint=["other"] * 40 + ["bill"] * 33 + ["fax"] * 5)
    names = [t.name for t in cx.journey.perception_map(told(named)).touchpoints]
    assert names == ["other", "other (put together)"]


def test_a_touchpoint_that_cannot_be_weighed_says_what_it_lacks():
    found = cx.journey.perception_map(told(rare()))
    assert all(t.share is None and t.hazard_ratio is None and t.lacks for t in found.touchpoints)
    assert found.weakest.sentence.startswith(
        "No touchpoint can be weighed: the study lacks defections"
    )
    log, who = company(900, 5)
    place = pl.when(pl.col("customer") % 60 == 0).then(pl.lit("shop")).otherwise("touchpoint")
    found = cx.journey.perception_map(contract(log.with_columns(touchpoint=place), who))
    assert f"{MIN_EXPECTED} are needed" in found["shop"].lacks
    assert found["bill"].lacks == ""


def test_levels_and_owners_by_touchpoint():
    log, who = company(300, 6)
    rng = np.random.default_rng(1)
    level = np.array([str(v) for v in LEVELS])[rng.integers(0, 7, log.height)]
    owner = np.where(
        log["touchpoint"] == "bill",
        "billing",
        np.where(rng.random(log.height) < 0.9, "care", "web"),
    )
    log = log.with_columns(level=pl.Series(level).replace("None", None), owner=pl.Series(owner))
    found = cx.journey.perception_map(contract(log, who))
    rows = list(log.iter_rows(named=True))
    for t in found.touchpoints:
        levels = Counter(r["level"] for r in rows if r["touchpoint"] == t.name)
        assert t.levels == tuple(levels[v] for v in LEVELS)
        assert t.owners == (("billing",) if t.name == "bill" else ("care", "web"))
    assert found.has_levels
    assert found.to_polars()["basic"].to_list() == [t.levels[1] for t in found.touchpoints]
    assert "Levels of service there" in found._repr_html_()


def test_small_cells_are_nowhere():
    grades = ["bad"] * 3 + ["good"] * 27 + ["bad"] * 11 + ["good"] * 14
    columns = {
        "customer": [f"c{i}" for i in range(30)] + [f"c{i}" for i in range(25)],
        "at": list(range(10, 65)),
        "touchpoint": ["call"] * 30 + ["bill"] * 25,
        "grade": grades,
    }
    found = cx.journey.perception_map(told(columns))
    assert found["call"].grades == (None, 0, None, 0)
    assert found["bill"].grades == (None, 0, None, 0)
    assert found.to_polars()["bad"].to_list() == [None, None]
    from cxresearch import charts

    for text in (
        unstyled(found._repr_html_()),
        json.dumps(found.to_dict()),
        json.dumps(charts.perception_map(found).to_dict()),
    ):
        assert "27" not in text
        assert "11" not in text
    assert "not shown" in found._repr_html_()


def test_what_the_study_lacks_is_named():
    bare = told({"customer": ["a", "b"], "at": [3, 9], "grade": ["bad", "good"]})
    with pytest.raises(
        cx.NotTestable, match=r'a touchpoint of its contacts: name the column .* touchpoint = "…"'
    ):
        cx.journey.perception_map(bare)
    with pytest.raises(cx.NotTestable, match="at least 10 moments of at least 10 customers"):
        cx.journey.perception_map(
            told({"customer": ["a"], "at": [3], "grade": ["bad"], "touchpoint": ["call"]})
        )
    blind = cx.read_records(told(rare()), required_columns=())
    with pytest.raises(
        cx.errors.EstimationError,
        match="read without touchpoint: read them with required_columns=None",
    ):
        cx.journey.perception_map(blind)


def test_a_single_touchpoint_has_nothing_to_be_told_from(planted):
    records = cx.read_records(contract(*planted))
    places = [p for p in places_of(records, "touchpoint") if p.name == "bill"]
    alone = weakest_point(places, contributions(records, places))
    assert alone.name == "bill"
    assert alone.sentence.endswith("No other touchpoint can be weighed.")
