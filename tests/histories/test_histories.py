"""Histories worked out by hand, where a random study seldom goes."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from cxresearch import study_from
from cxresearch.errors import ArgumentError, EstimationError
from cxresearch.histories import (
    age_of_last,
    age_since,
    bad_count,
    bad_then_good,
    contact_count,
    contacts_within,
    first_bad,
    first_contact,
    first_problem,
    grade_count,
    graded_share,
    household_bad,
    household_exits,
    last_grade_and_age,
    made_good_share,
    moment_count,
    problem_share,
    problem_state,
)
from cxresearch.histories.base import ContactClock, DayClock
from cxresearch.records.records import read_records
from cxresearch.risk.episodes import episodes
from tests.engine_names import ENGINES

START = date(2024, 1, 1)


def contract(moments, days, engine, blackout=0):
    """The records of one customer who stays for some days; moments are (day, grade)."""
    log = pl.DataFrame(
        {
            "customer": ["a"] * len(moments) + ["b"],
            "at": [START + timedelta(days=d) for d, _ in moments] + [START],
            "grade": [g for _, g in moments] + ["good"],
        }
    )
    who = pl.DataFrame(
        {"customer": ["a", "b"], "start": [START] * 2, "end": [START + timedelta(days=days), None]}
    )
    raw = {
        "moments": {"blackout_days": blackout},
        "interactions": {"log_until": START + timedelta(days=days + 5)},
    }
    return read_records(study_from(raw, interactions=log, retention=who), engine)


def levels(records, history, clock):
    """(start, stop, level) of customer a."""
    codes = dict(records.engine.collect(records.customers.select("id", "customer")).iter_rows())
    rows = (
        episodes(records, {"h": history}, clock=clock)
        .to_polars()
        .filter(pl.col("customer") == codes["a"])
    )
    return list(rows.select("start", "stop", "h").iter_rows())


@pytest.mark.parametrize("engine", ENGINES)
def test_first_bad_moment_keeps_its_state(engine):
    records = contract([(40, "bad"), (60, "bad"), (45, "good")], 200, engine)
    assert levels(records, first_bad(50, 30), DayClock()) == [
        (0, 40, "none"),
        (40, 70, "early, fresh"),
        (70, 200, "early"),
    ]
    assert levels(records, first_bad(39, 30), DayClock()) == [
        (0, 40, "none"),
        (40, 70, "late, fresh"),
        (70, 200, "late"),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_blackout_shifts_what_is_seen_and_not_what_is_old(engine):
    records = contract([(40, "bad")], 200, engine, blackout=3)
    assert levels(records, age_of_last("bad", (10, 30)), DayClock(lag=3)) == [
        (0, 43, "none"),
        (43, 50, "0-10"),
        (50, 70, "11-30"),
        (70, 200, "31+"),
    ]
    assert levels(records, contacts_within(10, (1,)), DayClock(lag=3)) == [
        (0, 43, "0"),
        (43, 50, "1+"),
        (50, 200, "0"),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_contacts_frozen_before_the_first_bad_moment(engine):
    records = contract([(5, "good"), (8, "good"), (20, "bad"), (25, "good")], 100, engine)
    frozen = contacts_within(30, (1, 2), frozen_at="bad")
    assert levels(records, frozen, DayClock()) == [(0, 5, "0"), (5, 8, "1"), (8, 100, "2+")]


@pytest.mark.parametrize("engine", ENGINES)
def test_window_that_closes_on_the_day_of_another_contact(engine):
    # bad on day 0 and, late in the day, on day 20; a good contact earlier on day 20 sees neither within 20 days
    at = [
        datetime(2024, 1, 1, 9),
        datetime(2024, 1, 21, 8),
        datetime(2024, 1, 21, 9),
        datetime(2024, 3, 1),
    ]
    log = pl.DataFrame(
        {"customer": ["a"] * 3 + ["b"], "at": at, "grade": ["bad", "good", "bad", "good"]}
    )
    raw = {"retention": {"kind": "activity", "gap_days": 30, "new_from": date(2024, 1, 1)}}
    records = read_records(study_from(raw, interactions=log), engine)
    window = contacts_within(20, (1,), ("bad",))
    assert levels(records, window, ContactClock()) == [(1, 2, "1+"), (2, 3, "0"), (3, 4, "1+")]


@pytest.mark.parametrize("engine", ENGINES)
def test_all_contacts_counted(engine):
    records = contract([(1, "bad"), (1, "good"), (9, "unknown")], 30, engine)
    assert levels(records, contact_count((1, 3)), DayClock()) == [
        (0, 1, "0"),
        (1, 9, "1-2"),
        (9, 30, "3+"),
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda: grade_count("awful"),
        lambda: contacts_within(0),
        lambda: contacts_within(30, (3, 1)),
        lambda: age_of_last("bad", ()),
        lambda: first_bad(0),
    ],
)
def test_what_is_no_history(make):
    with pytest.raises(EstimationError, match=r"must|no grade"):
        make()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: moment_count(()), "edges must rise"),
        (lambda: moment_count(grade="awful"), "no grade 'awful'"),
        (lambda: moment_count(attended="no"), "attended must be True or False, was 'no'"),
        (lambda: moment_count(handoff=1), "handoff must be True or False, was 1"),
        (lambda: moment_count(respect=True), "respect must be 'failed' or 'kept', was True"),
        (lambda: first_contact("awful"), "no grade"),
        (lambda: age_of_last("any", (3, 2)), "edges must rise"),
        (lambda: age_since("problems"), "no kind of dated event 'problems'"),
        (lambda: age_since("problem", ()), "edges must rise"),
        (lambda: first_problem(0), "quick_hours must be at least 1, was 0"),
        (lambda: problem_state(-1), "quick_hours must be at least 1, was -1"),
        (lambda: bad_then_good(-1), "days must be at least 0, was -1"),
        (lambda: made_good_share(-1), "days must be at least 0, was -1"),
        (lambda: household_exits("censored"), "no cause 'censored'"),
        (lambda: household_bad((0, 1)), "edges must rise"),
        (graded_share, "a share needs something to count"),
        (lambda: graded_share("awful"), "no grade 'awful'"),
        (lambda: graded_share("bad", among=()), "among must name a grade at least"),
        (
            lambda: graded_share("bad", within_kind=True),
            "a share within a kind needs a grade and a kind",
        ),
        (lambda: graded_share(is_problem=True, within_kind=True), "needs a grade and a kind"),
        (lambda: graded_share("bad", among=("god",)), "no grade 'god'; did you mean 'good'"),
        (lambda: problem_share("gestures"), "no treatment 'gestures'; did you mean 'gesture'"),
        (
            lambda: problem_share("refund"),
            "no treatment 'refund'; there are: gesture, informed, resolved quickly",
        ),
        (lambda: last_grade_and_age((3, 2)), "edges must rise"),
    ],
)
def test_what_no_history_can_be_told(make, says):
    with pytest.raises((ArgumentError, EstimationError), match=says):
        make()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: graded_share("bad", among="bad"), "among must be a list of names"),
        (lambda: graded_share(3), "grade must be one name"),
        (lambda: problem_share(3), "treatment must be one name"),
        (lambda: last_grade_and_age(3), "edges must be"),
        (lambda: bad_count(2, or_unknown="no"), "or_unknown must be True or False"),
        (lambda: grade_count("bad", or_unknown=None), "or_unknown must be True or False"),
    ],
)
def test_what_is_of_the_wrong_type(make, says):
    with pytest.raises(ArgumentError, match=says):
        make()
