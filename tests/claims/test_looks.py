"""Looks at growing data: what is fixed at the first, what begins a new sequence, and what a look records."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims.decide import decide, parse_region
from cxresearch.claims.look_state import LookState, looks_file, merge_states, read_state
from cxresearch.claims.looks import Look, Seen
from cxresearch.errors import StudyError
from cxresearch.estimators.influence import Clusters
from cxresearch.estimators.looks import (
    at_every_look,
    at_level,
    at_one_look,
    half_width,
    p_at_every_look,
    tune,
)
from cxresearch.estimators.results import estimate, wilson
from cxresearch.records.digest import digest_until
from cxresearch.report.pages.verdict_history import public_record
from cxresearch.report.runs.ledger import prepared_looks
from cxresearch.utils.atomic import put_in_place
from cxresearch.worlds import World, simulate
from tests.report.runs.test_ledger import LOOK

ASKED = "bad-moments-drive-away"
STUDY = """
[study]
id = "growing"
[interactions]
source = "log.parquet"
score = "stars"
scale = [1, 5]
log_until = {until}
[retention]
source = "who.parquet"
[decision]
looks = "anytime"
multiplicity = "none"
"""
COMPANY = simulate(World(days=600, entry_days=300, hr_bad=(1, 1.6, 2.2, 3)), 700, seed=4)


def number(value, se, events=500):
    return estimate(value, se, scale="log", level=0.95, clusters=Clusters(events, 100, "clusters"))


def seen(claim, verdict, p, *tuned):
    return Seen(claim=claim, verdict=verdict, p=p, tuned=tuned)


# The intervals


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.001])
def test_the_interval_is_narrowest_where_it_is_tuned(alpha):
    r = tune(0.1, alpha)
    widths = [half_width(0.1, r * f, alpha) for f in (0.5, 0.9, 1, 1.1, 2)]
    assert min(widths) == widths[2]


def test_r_is_the_information_over_eight():
    assert 1 / tune(1, 0.05) == pytest.approx(8.2, abs=0.05)


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.004])
def test_p_is_the_level_at_which_the_interval_touches(alpha):
    r = tune(0.1, 0.05)
    assert p_at_every_look(half_width(0.07, r, alpha), 0.07, r) == pytest.approx(alpha)
    assert p_at_every_look(0, 0.07, r) == 1


def test_intervals_hold_at_all_looks_together():
    """Brownian motion with information 1 to 60, at 60 looks: ever wrong in at most 5%, and much more at one look's."""
    rng = np.random.default_rng(20261130)
    runs, looks = 2_000, np.arange(1, 61)
    walk = rng.normal(size=(runs, len(looks))).cumsum(axis=1) / looks
    r = tune(1.0, 0.05)
    half = np.array([half_width(1 / math.sqrt(i), r, 0.05) for i in looks])
    ever = (np.abs(walk) > half).any(axis=1).mean()
    fixed = (np.abs(walk) > 1.96 / np.sqrt(looks)).any(axis=1).mean()
    assert 0.005 < ever <= 0.05
    assert fixed > 0.25


def test_a_decision_takes_the_p_of_its_interval():
    wide = at_every_look(number(1.5, 0.1), tune(0.1, 0.05), 0.95)
    one = number(1.5, 0.1)
    region = parse_region("> 1", 1.1)
    assert (wide.interval, one.interval) == ("anytime", "fixed")
    assert wide.low < one.low < one.high < wide.high
    assert decide(wide, region).p > decide(one, region).p
    edge = decide(wide, region).p
    assert at_level(wide, 1 - edge).low == pytest.approx(1)
    back = at_one_look(wide, 0.95)
    assert (back.low, back.high, back.interval) == (one.low, one.high, "fixed")


def test_a_share_is_widened_on_the_logit_scale():
    share = wilson(0.3, 400, 0.95)
    wide = at_every_look(share, tune(share.se, 0.05), 0.95)
    assert 0 < wide.low < share.low < share.high < wide.high < 1
    p = decide(wide, parse_region("< 1/2")).p
    assert at_level(wide, 1 - p).high == pytest.approx(0.5)


# What a look leaves for the next


def look(**state):
    return Look(
        number=2,
        alpha=0.05,
        state=LookState(sequence=1, why="", plan={}, looks=1, **state),
        until=10,
        rows="abc",
    )


def test_r_is_set_once():
    first = look()
    wide, why = first.widen("a", number(1.2, 0.1), 80)
    assert (why, wide.r) == ("", tune(0.1, 0.05))
    later, _ = look(r={"a": wide.r}).widen("a", number(1.2, 0.05), 300)
    assert later.r == wide.r
    after = look(r={"a": 1.0}).record([seen("x", "undecided", 0.3, ("a", 9.0), ("b", 2.0))])
    assert after.r == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize(("own", "used"), [(0.13, 0.13), (0.07, 0.1), (math.nan, 0.1)])
def test_the_larger_of_both_errors_of_a_hazard_ratio_counts(own, used):
    """Robust errors are too small where few are at risk together; a model's own where hazards cluster."""
    wide, _ = look().widen("a", replace(number(1.5, 0.1), se_model=own), 80)
    assert (wide.se, wide.r) == (used, tune(used, 0.05))
    half = half_width(used, wide.r, 0.05)
    assert math.log(wide.high) == pytest.approx(math.log(1.5) + half)
    share = replace(wilson(0.3, 400, 0.95), se_model=0.9)  # on another scale
    assert look().widen("b", share, 80)[0].se == share.se


def test_more_moments_are_more_of_the_same_number():
    """The interval of a sum over three moments is three times that over one."""
    past = look(r={"a": 40.0})
    one, three = (past.widen("a", number(math.exp(0.1 * k), 0.1 * k), 80, k)[0] for k in (1, 3))
    assert math.log(three.low) == pytest.approx(3 * math.log(one.low))
    assert math.log(three.high) == pytest.approx(3 * math.log(one.high))


def test_few_cases_decide_nothing_at_a_first_look():
    _, why = look().widen("a", number(9.0, 0.1), 49)
    assert why == "a first look needs 50 cases, and there are 49"
    assert look(r={"a": 1.0}).widen("a", number(9.0, 0.1), 49)[1] == ""
    _, why = look().widen("a", number(9.0, math.nan), 500)
    assert "error cannot be given" in why


def test_the_smallest_p_counts_for_the_verdict_that_it_came_with():
    past = look(least={"x": {"supported": 0.001}})
    assert past.least_p("x", "supported", 0.04) == 0.001
    assert past.least_p("x", "contradicted", 0.04) == 0.04
    assert past.least_p("x", "undecided", 0.5) == 0.001
    assert past.least_p("y", "not testable", None) == 1
    after = past.record([seen("x", "contradicted", 0.04), seen("y", "undecided", 0.2)])
    assert after.least == {"x": {"supported": 0.001, "contradicted": 0.04}}


def test_dockets_of_one_look_add_up():
    one = look(r={"a": 1.0}, least={"x": {"supported": 0.01}}).state
    other = look(r={"b": 2.0}, least={"x": {"supported": 0.02}, "y": {"contradicted": 0.03}}).state
    both = merge_states(one, other)
    assert both.r == {"a": 1.0, "b": 2.0}
    assert both.least == {"x": {"supported": 0.01}, "y": {"contradicted": 0.03}}


# A study that grows


def grown(folder, day, change=None):
    """The company as it is known on a day of its log."""
    first = COMPANY.interactions["at"].min().date()
    until = first + timedelta(days=day)
    log = COMPANY.interactions.filter(pl.col("at").cast(pl.Date) <= until)
    gone = pl.col("end").cast(pl.Date) <= until
    who = COMPANY.customers.filter(pl.col("start").cast(pl.Date) <= until)
    who = who.with_columns(end=pl.when(gone).then("end"))
    if change is not None:
        log = change(log)
    folder.mkdir(exist_ok=True)
    log.select("customer", "at", "stars").write_parquet(folder / "log.parquet")
    who.select("customer", "start", "end").write_parquet(folder / "who.parquet")
    (folder / "study.toml").write_text(STUDY.format(until=until))
    return cx.read_study(folder / "study.toml")


def tried(study):
    return cx.evaluate(study, [ASKED], alone=True, verdicts_only=True)


def recorded(study):
    """A look as a report records it."""
    docket = tried(study)
    put_in_place(*prepared_looks(study.state, study.info.id, docket.after))
    return docket


@pytest.fixture(scope="module")
def after_one_look(tmp_path_factory):
    place = tmp_path_factory.mktemp("looks") / "study"
    recorded(grown(place, 400))
    return place


@pytest.fixture
def folder(after_one_look, tmp_path):
    return Path(shutil.copytree(after_one_look, tmp_path / "study"))


def test_a_further_look_keeps_r_and_counts(folder):
    first = tried(grown(folder, 400))
    assert (first.look.number, first.look.state.looks) == (1, 1)  # unchanged data are no new look
    docket = tried(grown(folder, 450))
    row, before = docket[ASKED].primary.estimate, first[ASKED].primary.estimate
    assert (docket.look.number, docket.look.state.sequence) == (2, 1)
    assert row.r == before.r == pytest.approx(tune(before.se, 0.025))
    assert row.level == docket.level == pytest.approx(0.975)
    assert row.high - row.low > at_one_look(row, 0.975).high - at_one_look(row, 0.975).low
    rivals = [r for o in docket[ASKED].rivals for r in o.rows if r.estimate]
    assert rivals
    assert {r.estimate.interval for r in rivals} == {"anytime"}
    assert "97.5%; this is look 2." in docket.note
    written = docket.to_dict()
    assert written["look"] == {"sequence": 1, "number": 2, "why": "", "level": docket.level}
    main = written["verdicts"][0]
    assert main["interval"] == "anytime"
    assert main["ci_low"] < main["ci_fixed_low"] < main["ci_fixed_high"] < main["ci_high"]
    kept = read_state(looks_file(cx.read_study(folder).state, "growing"))
    assert kept.looks == 1  # evaluate records nothing
    assert docket.after.r.items() >= kept.r.items()


def early(log):
    """The log with another grade of its first contact."""
    is_first = pl.int_range(pl.len()) == 0
    other = pl.when(pl.col("stars") > 3).then(1).otherwise(5)
    return log.sort("at").with_columns(stars=pl.when(is_first).then(other).otherwise("stars"))


def own(**keys):
    """A claim of the study's own."""
    reading = {
        "id": "r", "label": "the number", "kind": "hazard_contrast", "primary": True, "region": "> 1",
        "model": {"terms": ["bad"]}, "contrast": {"bad[1+]": 1},
    }  # fmt: skip
    return {
        "id": "own", "statement": "s", "source": "us", "text": {"finding": "It is {estimate}."},
        "histories": {"bad": {"use": "bad_count", "cap": 1}}, "readings": [reading | keys],
    }  # fmt: skip


def test_another_definition_of_a_claim_is_named(folder):
    study = grown(folder, 450)
    first = study.replace(claims=[own()])
    put_in_place(*prepared_looks(study.state, "growing", tried(first).after))
    other = tried(study.replace(claims=[own(region="> 1.2")]))
    assert (other.look.state.sequence, other.look.state.why) == (3, "the definition of own")
    assert other.look.alpha == pytest.approx(0.05 / 12)


@pytest.mark.parametrize(
    ("settings", "change", "why"),
    [
        ({"lead_days": [14]}, None, "lead_days"),
        ({"bad": "stars <= 1"}, None, "which moments are bad, neutral or good"),
        ({"horizon_days": 200}, None, "horizon_days"),
        ({"decision__level": 0.9}, None, "the confidence level"),
        ({"grades": "measured"}, None, "grades"),
        ({"claims": [own()]}, None, "the claims judged together"),
        ({}, early, "rows that an earlier look had used"),
    ],
    ids=lambda x: str(x)[:20],
)
def test_a_change_begins_a_sequence_of_less_error(folder, settings, change, why):
    study = grown(folder, 450, change).replace(**settings)
    docket = tried(study)
    assert (docket.look.state.sequence, docket.look.state.why, docket.look.number) == (2, why, 1)
    alpha = 1 - study.decision.level
    assert docket.look.alpha == pytest.approx(alpha / 6)
    assert (
        f"sequence 2, which has so much less error and began when this changed: {why}."
        in docket.note
    )


def test_a_shorter_log_and_a_later_beginning_begin_another(folder):
    assert tried(grown(folder, 380)).look.state.why == "rows that an earlier look had used"
    later = grown(folder, 450).replace(log_from=str(date(2023, 6, 1)))
    assert "the first day of the log" in tried(later).look.state.why


def test_a_state_that_somebody_else_has_written_does_not_count(folder):
    study = grown(folder, 450)
    file = looks_file(study.state, "growing")
    file.write_bytes(
        b"0" * 64 + b"\n" + msgspec.json.encode(LookState(sequence=9, why="", plan={}))
    )
    assert tried(study).look.state.sequence == 1


def test_benjamini_and_hochberg_is_for_a_single_look(folder):
    with pytest.raises(StudyError, match="holds at a single look only"):
        cx.read_study(folder).replace(multiplicity="benjamini-hochberg")


def test_segments_and_periods_are_single_looks(folder):
    study = grown(folder, 450)
    records = cx.read_records(study)
    first, last = records.window.first, records.window.last
    middle = date(1970, 1, 1) + timedelta(days=(first + last) // 2)
    result = cx.evaluate_change(records, middle, [ASKED], alone=True, verdicts_only=True)
    assert result.before.look is None
    assert result.before[ASKED].primary.estimate.interval == "fixed"


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_the_digest_is_that_of_the_data_known_then(tmp_path, engine):
    early_on = cx.read_records(grown(tmp_path / "a", 400), engine)
    later = cx.read_records(grown(tmp_path / "b", 500), engine)
    day = early_on.window.last
    assert digest_until(later, day) == digest_until(early_on, day)
    assert digest_until(later, day - 1) != digest_until(later, day)
    changed = cx.read_records(grown(tmp_path / "c", 500, early), engine)
    assert digest_until(changed, day) != digest_until(later, day)


def test_a_share_is_shown_by_the_customers_behind_it_not_by_the_width_of_its_limits():
    share = wilson(0.06, 200, 0.95)  # twelve customers: as many as may be shown, and more
    wide = at_every_look(share, tune(share.se, 0.025), 0.975)
    numbers = {"estimate": 0.06, "se": share.se, "unit": "share", "customers": 0, "events": 0}
    limits = {"ci_low": wide.low, "ci_high": wide.high, "level": 0.975}
    record = replace(LOOK, interval="anytime", **numbers, **limits)
    assert public_record(record, 10).estimate is not None
    assert public_record(replace(record, interval="fixed"), 10).estimate is None
