"""Histories of a few rows, worked out by hand where a rule has its edge."""

import pytest

from cxresearch.histories import (
    age_of_last,
    age_since,
    bad_then_good,
    first_contact,
    first_problem,
    had_gesture,
    has_posted,
    household_bad,
    household_exits,
    informed_before_problem,
    last_score,
    mean_score,
    moment_count,
    problem_severity,
    problem_state,
    worst_score,
)
from cxresearch.histories.base import DayClock
from tests.engine_names import ENGINES
from tests.histories.lives import spans, states
from tests.reference.histories import HOUR, SECONDS, Person, Row

DAY = SECONDS
NOON = 12 * HOUR
pytestmark = pytest.mark.parametrize("engine", ENGINES)


def person(customer=0, entry=0, exit=30, event="censored", cluster=0, left_truncated=False):
    return Person(customer, entry, exit, event, cluster, left_truncated)


def problem(at, took=None, grade="bad", **tells):
    """A contact that tells of a problem of that very moment."""
    return Row(
        0, at, grade, problem_at=at, resolved_at=None if took is None else at + took, **tells
    )


def both(rows, engine, lag=0):
    """The spans of the first problem and of all of them."""
    return spans(first_problem(), rows, person(), (), engine, lag), spans(
        problem_state(), rows, person(), (), engine, lag
    )


def test_problem_and_resolution_on_one_day(engine):
    first, all_of_them = both([problem(5 * DAY, 3 * HOUR)], engine)
    assert first == [(1, "none"), (6, "resolved quickly")]
    assert all_of_them == [(1, "none"), (6, "resolved")]


def test_resolution_at_48_hours_is_quick(engine):
    assert both([problem(5 * DAY + NOON, 48 * HOUR)], engine) == (
        [(1, "none"), (6, "open"), (8, "resolved quickly")],
        [(1, "none"), (6, "open"), (8, "resolved")],
    )


def test_resolution_a_second_later_is_late_and_was_never_open_late_for_a_day(engine):
    assert both([problem(5 * DAY + NOON, 48 * HOUR + 1)], engine) == (
        [(1, "none"), (6, "open"), (8, "resolved late")],
        [(1, "none"), (6, "open"), (8, "resolved late")],
    )


def test_open_late_begins_when_the_hours_have_passed(engine):
    for at, late in ((5 * DAY, 8), (5 * DAY + NOON, 8), (6 * DAY - 1, 8), (6 * DAY, 9)):
        seen = at // DAY + 1
        assert (
            both([problem(at)], engine) == ([(1, "none"), (seen, "open"), (late, "open late")],) * 2
        )
    assert both([problem(5 * DAY, 10 * DAY)], engine)[0][2:] == [
        (8, "open late"),
        (16, "resolved late"),
    ]


def test_two_problems_open_at_once(engine):
    rows = [problem(3 * DAY, 20 * DAY), problem(4 * DAY, 1 * DAY), problem(10 * DAY)]
    first, all_of_them = both(rows, engine)
    assert first == [(1, "none"), (4, "open"), (6, "open late"), (24, "resolved late")]
    assert all_of_them == [
        (1, "none"),
        (4, "open"),
        (6, "open late"),
    ]  # of day 10, which is never resolved
    first, all_of_them = both(rows[:2], engine)
    assert all_of_them == [(1, "none"), (4, "open"), (6, "open late"), (24, "resolved late")]


def test_open_again_after_a_late_problem_was_resolved(engine):
    rows = [problem(3 * DAY, 5 * DAY), problem(8 * DAY, DAY)]
    assert both(rows, engine) == (
        [(1, "none"), (4, "open"), (6, "open late"), (9, "resolved late")],
        [(1, "none"), (4, "open"), (6, "open late"), (9, "open"), (10, "resolved")],
    )


def test_latest_resolution_names_the_state(engine):
    quick_is_last = [problem(3 * DAY, 3 * DAY), problem(5 * DAY, DAY + 1)]
    assert both(quick_is_last, engine)[1][-1] == (7, "resolved")
    late_is_last = [problem(3 * DAY, 3 * DAY + 2), problem(5 * DAY, DAY + 1)]
    assert both(late_is_last, engine)[1][-1] == (7, "resolved late")


def test_first_of_two_problems_in_one_second_takes_longer(engine):
    rows = [problem(5 * DAY, HOUR), problem(5 * DAY, 4 * DAY, "good")]
    assert both(rows, engine)[0] == [
        (1, "none"),
        (6, "open"),
        (8, "open late"),
        (10, "resolved late"),
    ]


def test_contact_that_tells_of_an_older_problem(engine):
    solved_in_the_call = [Row(0, 9 * DAY, "bad", problem_at=2 * DAY, resolved_at=9 * DAY)]
    assert both(solved_in_the_call, engine) == ([(1, "none"), (10, "resolved late")],) * 2
    solved_before = [Row(0, 9 * DAY, "bad", problem_at=2 * DAY, resolved_at=3 * DAY)]
    assert both(solved_before, engine)[0] == [(1, "none"), (10, "resolved quickly")]


def test_problem_under_a_blackout_is_seen_late_and_as_old_as_it_is(engine):
    assert both([problem(5 * DAY, 10 * DAY)], engine, lag=4)[0] == [
        (1, "none"),
        (10, "open late"),
        (20, "resolved late"),
    ]
    # how it ends is not known yet: until then it looks as one that takes longer
    assert both([problem(5 * DAY, DAY)], engine, lag=4)[1] == [
        (1, "none"),
        (10, "open late"),
        (11, "resolved"),
    ]


def test_customers_not_seen_whole(engine):
    late = person(entry=2, left_truncated=True)
    rows = [problem(5 * DAY, told=True, score=900, posted_at=5 * DAY)]
    always = (
        first_problem(),
        problem_state(),
        has_posted(),
        worst_score(),
        mean_score(),
        first_contact(),
        bad_then_good(),
    )
    for history in (*always, moment_count(), household_bad()):
        assert spans(history, rows, late, (), engine) == [(3, "unknown")], history.name
    seen = (
        (problem_severity(), "bad"),
        (had_gesture(), "no gesture"),
        (informed_before_problem(), "informed"),
        (last_score(), "5"),
    )
    for history, level in seen:
        assert spans(history, rows, late, (), engine) == [(3, "unknown"), (6, level)], history.name
    for history in (age_since("problem", (3,)), age_of_last("any", (3,))):
        assert spans(history, rows, late, (), engine) == [(3, "unknown"), (6, "0-3"), (9, "4+")], (
            history.name
        )


def test_gesture_on_the_day_of_the_problem(engine):
    before = Row(0, 5 * DAY, "good", goodwill_at=5 * DAY)
    rows = [before, problem(5 * DAY + NOON), problem(9 * DAY)]
    assert spans(had_gesture(), rows, person(), (), engine) == [
        (1, "none"),
        (6, "gesture"),
        (10, "no gesture"),
    ]
    alone = [before, problem(6 * DAY)]
    assert spans(had_gesture(), alone, person(), (), engine) == [(1, "none"), (7, "no gesture")]


def test_what_is_said_of_the_last_problem(engine):
    rows = [
        problem(3 * DAY, grade="good", told=True),
        problem(5 * DAY, grade="unknown"),
        problem(5 * DAY),
    ]
    assert spans(problem_severity(), rows, person(), (), engine) == [
        (1, "none"),
        (4, "good"),
        (6, "unknown grade"),
    ]
    assert spans(informed_before_problem(), rows, person(), (), engine) == [
        (1, "none"),
        (4, "informed"),
        (6, "not informed"),
    ]


def test_ages_of_dated_events(engine):
    rows = [
        problem(3 * DAY, 2 * DAY, complained_at=4 * DAY),
        Row(0, 9 * DAY, "good", complained_at=8 * DAY),
    ]
    assert spans(age_since("resolved", (4, 9)), rows, person(), (), engine) == [
        (1, "none"),
        (6, "0-4"),
        (10, "5-9"),
        (15, "10+"),
    ]
    assert spans(age_since("complaint", (3,)), rows, person(), (), engine) == [
        (1, "none"),
        (5, "0-3"),
        (8, "4+"),
        (10, "0-3"),
        (13, "4+"),
    ]
    assert spans(age_since("complaint", (3,)), rows, person(), (), engine, lag=2)[:3] == [
        (1, "none"),
        (7, "0-3"),
        (8, "4+"),
    ]


@pytest.mark.parametrize(("gap", "level"), [(14, "bad then good"), (15, "other")])
def test_flipped_within_two_weeks(engine, gap, level):
    rows = [
        Row(0, 4 * DAY, "good"),
        Row(0, 5 * DAY + NOON, "bad"),
        Row(0, (5 + gap) * DAY + NOON + HOUR, "good"),
    ]
    result = spans(bad_then_good(), rows, person(), (), engine)
    assert result[:3] == [(1, "none"), (5, "good alone"), (6, "other")]
    assert result[-1][1] == level


def test_flipped_in_one_second_and_the_other_way_round(engine):
    at_once = [Row(0, 5 * DAY, "good"), Row(0, 5 * DAY, "bad"), Row(0, 9 * DAY, "bad")]
    assert spans(bad_then_good(), at_once, person(), (), engine) == [
        (1, "none"),
        (6, "bad then good"),
    ]
    good_first = [Row(0, 5 * DAY, "good"), Row(0, 5 * DAY + 1, "bad")]
    assert spans(bad_then_good(), good_first, person(), (), engine) == [(1, "none"), (6, "other")]


def test_flipped_by_the_nearer_of_two_bad_moments(engine):
    rows = [
        Row(0, DAY, "bad"),
        Row(0, 12 * DAY, "bad"),
        Row(0, 13 * DAY, "neutral"),
        Row(0, 20 * DAY, "good"),
    ]
    assert spans(bad_then_good(10), rows, person(), (), engine) == [
        (1, "none"),
        (2, "other"),
        (21, "bad then good"),
    ]


def test_first_contact_stays(engine):
    rows = [Row(0, 3 * DAY, "good"), Row(0, 3 * DAY, "bad"), Row(0, 8 * DAY, "good")]
    assert spans(first_contact(), rows, person(), (), engine) == [(1, "none"), (4, "bad")]
    assert spans(first_contact("good"), rows, person(), (), engine) == [(1, "none"), (4, "other")]
    unknown = [Row(0, 3 * DAY, "unknown"), *rows[2:]]
    assert spans(first_contact("unknown"), unknown, person(), (), engine) == [
        (1, "none"),
        (4, "unknown grade"),
    ]


def test_fifths_of_the_scale(engine):
    for score, level in (
        (0, "1"),
        (199, "1"),
        (200, "2"),
        (400, "3"),
        (799, "4"),
        (800, "5"),
        (1000, "5"),
    ):
        rows = [Row(0, 3 * DAY, "good", score=score), Row(0, 4 * DAY, "bad")]
        for history in (worst_score(), mean_score(), last_score()):
            assert spans(history, rows, person(), (), engine) == [(1, "none"), (4, level)]


def test_scores_so_far(engine):
    scores = [(2, 700), (4, 900), (6, 0), (8, 1000), (8, 399)]
    rows = [Row(0, day * DAY, "neutral", score=score) for day, score in scores]
    assert spans(worst_score(), rows, person(), (), engine) == [(1, "none"), (3, "4"), (7, "1")]
    assert spans(last_score(), rows, person(), (), engine) == [
        (1, "none"),
        (3, "4"),
        (5, "5"),
        (7, "1"),
        (9, "5"),
    ]
    # means: 700, 800, 533.3, 599.8
    assert spans(mean_score(), rows, person(), (), engine) == [
        (1, "none"),
        (3, "4"),
        (5, "5"),
        (7, "3"),
    ]
    rows[-1] = rows[-1]._replace(score=400)
    assert spans(mean_score(), rows, person(), (), engine)[-1] == (9, "4")


def test_unknown_flags_count_for_neither(engine):
    rows = [
        Row(0, day * DAY, "bad", attended=a, respect=a)
        for day, a in ((2, None), (3, False), (4, True))
    ]
    for wanted, day in (
        ({"attended": True}, 5),
        ({"attended": False}, 4),
        ({"respect": "kept"}, 5),
    ):
        assert spans(moment_count(**wanted), rows, person(), (), engine) == [(1, "0"), (day, "1+")]
    assert spans(moment_count(respect="failed"), rows, person(), (), engine) == [
        (1, "0"),
        (4, "1+"),
    ]
    assert spans(moment_count((1, 3)), rows, person(), (), engine) == [
        (1, "0"),
        (3, "1-2"),
        (5, "3+"),
    ]


def test_post_on_the_day_of_the_first_bad_moment(engine):
    # the bad moment shows from day 6 on, and the post changes the state after that
    rows = [Row(0, 5 * DAY, "bad", posted_at=5 * DAY + HOUR)]
    assert spans(has_posted(), rows, person(), (), engine) == [(1, "none"), (7, "posted")]
    assert spans(has_posted(), rows, person(), (), engine, lag=2) == [(1, "none"), (9, "posted")]


def test_household_of_one(engine):
    assert spans(
        household_exits(), [], person(event="defection"), [person(1, cluster=1)], engine
    ) == [(1, "alone")]
    rows = [Row(0, 3 * DAY, "bad"), Row(1, 2 * DAY, "bad")]
    assert spans(household_bad(), rows, person(), [person(1, cluster=1)], engine) == [
        (1, "0"),
        (4, "1"),
    ]


def test_members_who_leave_on_one_day_have_not_seen_it(engine):
    a, b, c = (person(i, exit=e, event="defection") for i, e in ((0, 10), (1, 10), (2, 20)))
    assert spans(household_exits(), [], a, [b, c], engine) == [(1, "none")]
    assert spans(household_exits(), [], b, [a, c], engine) == [(1, "none")]
    assert spans(household_exits(), [], c, [a, b], engine) == [(1, "none"), (11, "1+")]
    assert spans(household_exits("other exit"), [], c, [a, b], engine) == [(1, "none")]


def test_member_who_left_before_another_came(engine):
    late = person(entry=12, exit=30)
    assert spans(household_exits(), [], late, [person(1, exit=10, event="defection")], engine) == [
        (13, "1+")
    ]
    stayed = person(1, exit=10)
    assert spans(household_exits(), [], late, [stayed], engine) == [(13, "none")]
    rows = [
        Row(1, 4 * DAY, "bad"),
        Row(1, 10 * DAY, "bad"),
        Row(1, 10 * DAY, "good"),
        Row(0, 20 * DAY, "bad"),
    ]
    assert spans(household_bad(), rows, late, [stayed], engine) == [(13, "2"), (21, "3+")]


def test_household_with_a_member_not_seen_whole(engine):
    other = person(1, entry=5, left_truncated=True)
    assert spans(household_bad(), [Row(0, 3 * DAY, "bad")], person(), [other], engine) == [
        (1, "unknown")
    ]


def test_blackout_of_the_household(engine):
    rows = [Row(1, 3 * DAY, "bad"), Row(0, 5 * DAY, "bad")]
    assert spans(household_bad(), rows, person(), [person(1)], engine, lag=2) == [
        (1, "0"),
        (6, "1"),
        (8, "2"),
    ]


def test_nobody_with_anything(engine):
    histories = [
        household_exits(),
        household_bad(),
        had_gesture(),
        first_problem(),
        last_score(),
        bad_then_good(),
    ]
    result = states(
        [], [person()], engine, DayClock(), {f"h{i}": h for i, h in enumerate(histories)}
    )
    assert [ticks[0] for ticks in result.values()] == [[(0, h.levels[0])] for h in histories]
