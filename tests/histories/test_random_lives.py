"""Random lives, every history, against plain loops that share nothing with the package."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxresearch import histories
from cxresearch.histories import (
    age_of_last,
    age_since,
    bad_then_good,
    contacts_before,
    first_contact,
    first_problem,
    gap_before,
    graded_share,
    had_gesture,
    has_posted,
    household_bad,
    household_exits,
    informed_before_problem,
    last_grade_and_age,
    last_score,
    made_good_share,
    mean_score,
    moment_count,
    problem_severity,
    problem_share,
    problem_state,
    worst_score,
)
from tests.histories import lives
from tests.reference import histories as written_out

LAZY = ("polars-lazy", "duckdb")
EDGES = (3, 10, 30)
GRADED = ("bad", "neutral", "good")
PAIRS = {
    "moments": (moment_count((1, 3)), written_out.moment_count((1, 3))),
    "remote": (
        moment_count((1, 2), grade="bad", attended=False),
        written_out.moment_count((1, 2), grade="bad", attended=False),
    ),
    "in person": (moment_count(attended=True), written_out.moment_count((1,), attended=True)),
    "handed on": (
        moment_count(grade="good", handoff=True, is_problem=False),
        written_out.moment_count((1,), grade="good", handoff=True, is_problem=False),
    ),
    "broken": (
        moment_count(respect="kept", responsibility="failed"),
        written_out.moment_count((1,), respect="kept", responsibility="failed"),
    ),
    "kept": (
        moment_count((2,), solutions="kept", simplicity=None),
        written_out.moment_count((2,), solutions="kept"),
    ),
    "simple": (
        moment_count(simplicity="failed"),
        written_out.moment_count((1,), simplicity="failed"),
    ),
    "first bad": (first_contact(), written_out.first_contact("bad")),
    "first good": (first_contact("good"), written_out.first_contact("good")),
    "worst": (worst_score(), written_out.scored(lambda s: Fraction(min(s)), ever=True)),
    "mean": (mean_score(), written_out.scored(lambda s: Fraction(sum(s), len(s)), ever=True)),
    "last": (last_score(), written_out.scored(lambda s: Fraction(s[-1]), ever=False)),
    "age": (age_of_last("any", EDGES), written_out.age_of_last(EDGES)),
    "gap": (gap_before(EDGES), written_out.gap_before(EDGES)),
    "since problem": (age_since("problem", EDGES), written_out.age_since("problem", EDGES)),
    "since resolved": (age_since("resolved", EDGES), written_out.age_since("resolved", EDGES)),
    "since goodwill": (age_since("goodwill", EDGES), written_out.age_since("goodwill", EDGES)),
    "since complaint": (
        age_since("complaint", (1, 5)),
        written_out.age_since("complained", (1, 5)),
    ),
    "since post": (age_since("post", (40,)), written_out.age_since("posted", (40,))),
    "first problem": (first_problem(), written_out.first_problem(48)),
    "first problem, a day": (first_problem(24), written_out.first_problem(24)),
    "problems": (problem_state(), written_out.problem_state(48)),
    "before": (contacts_before(20, (1, 3)), written_out.contacts_before(20, (1, 3))),
    "severity": (problem_severity(), written_out.last_problem(written_out.severity)),
    "first severity": (problem_severity(first=True), written_out.first_severity),
    "gesture": (had_gesture(), written_out.last_problem(written_out.gesture)),
    "told": (informed_before_problem(), written_out.last_problem(written_out.told)),
    "flipped": (bad_then_good(), written_out.flipped(14)),
    "flipped at once": (bad_then_good(0), written_out.flipped(0)),
    "posted": (has_posted(), written_out.posted),
    "exits": (household_exits(), written_out.household_exits("defection")),
    "other exits": (household_exits("other exit"), written_out.household_exits("other exit")),
    "household": (household_bad(), written_out.household_bad((1, 2, 3))),
    "last and its age": (
        last_grade_and_age((3, 10)),
        written_out.last_grade_and_age((3, 10)),
    ),
    "share": (graded_share("bad"), written_out.graded_share(GRADED, grade="bad")),
    "share of two": (
        graded_share("good", among=("good", "unknown")),
        written_out.graded_share(("good", "unknown"), grade="good"),
    ),
    "share of gestures": (problem_share("gesture"), written_out.problem_share("gesture")),
    "share informed": (problem_share("informed"), written_out.problem_share("informed")),
    "share resolved": (
        problem_share("resolved quickly", 24),
        written_out.problem_share("resolved quickly", 24),
    ),
    "share made good": (made_good_share(), written_out.made_good_share(14)),
    "share made good within 3": (made_good_share(3), written_out.made_good_share(3)),
    "share of failures": (
        graded_share(respect="failed", is_problem=True),
        written_out.graded_share(GRADED, respect="failed", is_problem=True),
    ),
    "share of bad among remote": (
        graded_share("bad", attended=False, within_kind=True),
        written_out.graded_share(GRADED, ("attended",), grade="bad", attended=False),
    ),
    "share of bad among problems": (
        graded_share("bad", is_problem=True, within_kind=True),
        written_out.graded_share(GRADED, ("is_problem",), grade="bad", is_problem=True),
    ),
}
OURS = {name: ours for name, (ours, _) in PAIRS.items()}
OTHERS = {
    "bad_count",
    "grade_count",
    "contact_count",
    "contacts_within",
    "first_bad",
    "last_grade",
}  # see test_leads and test_histories


def test_every_history_is_tried():
    tried = {h.name.split("(")[0] for h in OURS.values()}
    assert tried | OTHERS == {name for name in histories.__all__ if name.islower()}
    assert len({h.name for h in OURS.values()}) == len(OURS)


def differences(result, wanted):
    """Where two tables of levels differ; a short list says more than two long dictionaries."""
    assert result.keys() == wanted.keys()
    return [(key, result[key], wanted[key]) for key in wanted if result[key] != wanted[key]]


@pytest.mark.parametrize("lag", [0, pytest.param(3, marks=pytest.mark.slow)])
@given(seed=st.integers(0, 2**32 - 1))
def test_day_by_day(lag, seed):
    agree_by_day(*lives.lives(seed), "polars", lag)


@pytest.mark.slow
@pytest.mark.parametrize("engine", LAZY)
@pytest.mark.parametrize("lag", [0, 3])
def test_day_by_day_on_lazy_engines(engine, lag):
    agree_by_day(*lives.lives(11 + lag, customers=60), engine, lag)


def agree_by_day(rows, people, engine, lag):
    result = lives.by_day(rows, people, engine, OURS, lag)
    for name, (_, theirs) in PAIRS.items():
        assert not differences(result[name], written_out.by_day(theirs, rows, people, lag)), name


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1))
def test_contact_by_contact(seed):
    agree_by_contact(*lives.lives(seed, contacts_alone=True), "polars")


@pytest.mark.slow
@pytest.mark.parametrize("engine", LAZY)
def test_contact_by_contact_on_lazy_engines(engine):
    agree_by_contact(*lives.lives(12, contacts_alone=True, customers=60), engine)


def agree_by_contact(rows, people, engine):
    result = lives.by_contact(rows, people, engine, OURS)
    for name, (_, theirs) in PAIRS.items():
        assert not differences(result[name], written_out.by_contact(theirs, rows, people)), name


def test_lives_are_rich_enough():
    # every level of every history is met somewhere, or the comparisons above would say little
    met = {name: Counter() for name in PAIRS}
    for seed in range(60):
        rows, people = lives.lives(seed)
        for name, (_, theirs) in PAIRS.items():
            met[name].update(written_out.by_day(theirs, rows, people, 0).values())
    for name, history in OURS.items():
        missing = set(history.levels) - set(met[name])
        if name.startswith("share"):  # of many moments, see test_shares_of_many_moments
            assert len(missing) < len(history.levels) - 20, name
            missing = {level for level in missing if "/" not in level}
        assert missing == ({"unknown"} if name in ("exits", "other exits") else set()), name


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1))
def test_cumulative_histories_only_rise(seed):
    rows, people = lives.lives(seed)
    rising = {name: h for name, h in OURS.items() if h.cumulative}
    for name, result in lives.by_day(rows, people, "polars", rising).items():
        for (customer, day), level in result.items():
            before = result.get((customer, day - 1), level)
            assert rising[name].levels.index(before) <= rising[name].levels.index(level), name
