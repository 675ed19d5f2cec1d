"""Leads, blackouts, look-backs, the calendar and shares, against plain loops that share nothing with the package."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxresearch.histories import (
    bad_count,
    contact_count,
    contacts_before,
    contacts_within,
    first_bad,
    first_contact,
    grade_count,
    graded_share,
    household_bad,
    household_exits,
    last_grade,
    last_grade_and_age,
    mean_score,
    moment_count,
)
from cxresearch.histories.base import behind
from cxresearch.histories.lookback import within_lookback
from cxresearch.histories.recency import calendar_month
from tests.engine_names import EVERY
from tests.histories import lives
from tests.histories.lives import spans
from tests.histories.test_random_lives import GRADED, LAZY, PAIRS, differences
from tests.reference import histories as written_out
from tests.reference.histories import SECONDS, Person, Row

PAIRS = PAIRS | {
    "bad": (bad_count(2), written_out.graded_count(("bad",), (1, 2))),
    "bad or unknown": (
        bad_count(3, or_unknown=True),
        written_out.graded_count(("bad", "unknown"), (1, 2, 3)),
    ),
    "good or unknown": (
        grade_count("good", (1, 3), or_unknown=True),
        written_out.graded_count(("good", "unknown"), (1, 3)),
    ),
    "contacts": (contact_count((1, 3)), written_out.moment_count((1, 3))),
    "lately": (contacts_within(12, (1, 2, 4)), written_out.contacts_within(12, (1, 2, 4))),
    "lately bad": (
        contacts_within(20, (1, 3), ("bad",)),
        written_out.contacts_within(20, (1, 3), ("bad",)),
    ),
}
ALL = {name: ours for name, (ours, _) in PAIRS.items()} | {
    "first bad moment": first_bad(20, 9),
    "last grade": last_grade(),
    "frozen": contacts_within(15, (1, 2), frozen_at="bad"),
}
WINDOWS = {  # histories that a look-back makes those of a window, or that are of one already
    name: PAIRS[name]
    for name in (
        *("bad", "bad or unknown", "contacts", "lately", "remote", "broken", "mean", "share"),
        *("share of failures", "household", "exits"),
    )
} | {"good": (grade_count("good", (1, 2)), written_out.graded_count(("good",), (1, 2)))}


def agree(result, reference, histories=PAIRS, **how):
    """Compare every history with its reference, by day or by contact."""
    for name, (_, theirs) in histories.items():
        assert not differences(result[name], reference(theirs, **how)), name


def set_back(lead, lag=None, histories=PAIRS):
    return {name: behind(ours, lead, lag) for name, (ours, _) in histories.items()}


def compare_days(rows, people, engine, lead, lag, own_lag=None, histories=PAIRS):
    """Histories at a lead on days with a blackout; `own_lag` takes the place of the blackout."""
    result = lives.by_day(rows, people, engine, set_back(lead, own_lag, histories), lag)
    seen_after = lag if own_lag is None else own_lag
    for name, (_, theirs) in histories.items():
        wanted = written_out.by_day(theirs, rows, people, seen_after, lead)
        assert not differences(result[name], wanted), name


def compare_contacts(rows, people, engine, lead, lag, own_lag=None):
    """The same at contacts."""
    result = lives.by_contact(rows, people, engine, set_back(lead, own_lag), lag)
    seen_after = lag if own_lag is None else own_lag
    for name, (_, theirs) in PAIRS.items():
        wanted = written_out.by_contact(theirs, rows, people, seen_after, lead)
        assert not differences(result[name], wanted), name


# lead, blackout, and the blackout of the history itself, where it has one
REST = [(0, 25, None), (1, 0, None), (14, 30, 0)]
CASES = [(9, 3, None), (5, 0, 4), *(pytest.param(*c, marks=pytest.mark.slow) for c in REST)]


@pytest.mark.parametrize(("lead", "lag", "own_lag"), CASES)
def test_lead_of_days(lead, lag, own_lag):
    compare_days(*lives.lives(40 + lead, customers=60), "polars", lead, lag, own_lag)


@pytest.mark.parametrize(("lead", "lag", "own_lag"), CASES)
def test_lead_of_contacts(lead, lag, own_lag):
    rows, people = lives.lives(60 + lead, contacts_alone=True, customers=60)
    compare_contacts(rows, people, "polars", lead, lag, own_lag)


@pytest.mark.slow
@pytest.mark.parametrize("engine", LAZY)
def test_lead_on_lazy_engines(engine):
    compare_days(*lives.lives(81, customers=40), engine, 9, 12, 2)
    compare_contacts(*lives.lives(82, contacts_alone=True, customers=40), engine, 9, 12, 0)


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**32 - 1),
    lead=st.integers(0, 40),
    lag=st.integers(0, 40),
    own_lag=st.none() | st.integers(0, 10),
)
def test_any_lead_and_blackout(seed, lead, lag, own_lag):
    compare_days(*lives.lives(seed), "polars", lead, lag, own_lag)
    compare_contacts(*lives.lives(seed, contacts_alone=True), "polars", lead, lag, own_lag)


@pytest.mark.parametrize(("lead", "lag"), [pytest.param(8, 0, marks=pytest.mark.slow), (17, 3)])
def test_a_lead_is_the_same_history_of_so_many_days_earlier(lead, lag):
    """Of every history there is, from the day on which the earlier day is one at risk."""
    rows, people = lives.lives(90 + lead, customers=60)
    now = lives.by_day(rows, people, "polars", ALL, lag)
    then = lives.by_day(rows, people, "polars", {n: behind(h, lead) for n, h in ALL.items()}, lag)
    for name in ALL:
        late = {(c, d): level for (c, d), level in then[name].items() if (c, d - lead) in now[name]}
        assert len(late) > 500
        assert not differences(late, {(c, d): now[name][c, d - lead] for c, d in late}), name


def test_no_lead_is_the_history_itself():
    history = bad_count(2)
    assert behind(history, 0) is history
    names = {behind(history, *given).name for given in ((0,), (5,), (6,), (5, 0), (0, 0))}
    assert len(names) == 5


@pytest.mark.parametrize("engine", EVERY)
def test_household_set_back_by_hand(engine):
    """Members know each other from the first day on, and of exits so many days later."""
    a = Person(0, 4, 30, "censored", 0, False)
    b = Person(1, 0, 10, "defection", 0, False)
    alone = Person(2, 0, 30, "censored", 1, False)
    exits = behind(household_exits(), 6)
    assert spans(exits, [], a, [b], engine) == [(5, "none"), (17, "1+")]
    assert spans(exits, [], alone, [a, b], engine) == [(1, "alone")]
    early = Person(0, 14, 30, "censored", 0, False)
    assert spans(exits, [], early, [b], engine) == [(15, "none"), (17, "1+")]
    hidden = Person(1, 0, 10, "defection", 0, True)
    bad = behind(household_bad((1,)), 6)
    rows = [Row(1, 3 * SECONDS, "bad")]
    assert spans(bad, rows, a, [hidden], engine) == [(5, "unknown")]
    assert spans(bad, rows, a, [b], engine) == [(5, "0"), (10, "1+")]


@pytest.mark.parametrize("engine", EVERY)
def test_a_blackout_hides_the_last_contacts_and_keeps_ages(engine):
    person = Person(0, 0, 60, "censored", 0, False)
    rows = [Row(0, 5 * SECONDS, "good"), Row(0, 20 * SECONDS, "bad")]
    history = last_grade_and_age((10, 30))
    assert spans(history, rows, person, (), engine, lag=12) == [
        (1, "none"),
        (18, "good, 11-30"),
        (33, "bad, 11-30"),
        (51, "bad, 31+"),
    ]
    assert spans(behind(history, 12), rows, person, (), engine) == [
        (1, "none"),
        (18, "good, 0-10"),
        (28, "good, 11-30"),
        (33, "bad, 0-10"),
        (43, "bad, 11-30"),
    ]
    before = contacts_before(4, (1, 2))
    assert spans(before, rows, person, (), engine, lag=12) == [(1, "0"), (18, "1"), (33, "2+")]


def many(tenth, customer):
    """A hundred contacts in 70 days, of which so many tenths are bad; from ten on, all of the first ones."""
    days = [*range(1, 41), *(41 + i // 2 for i in range(60))]
    bad = [
        i < tenth - 10
        if tenth >= 10
        else (i + 1) * (2 * tenth + 1) // 20 > i * (2 * tenth + 1) // 20
        for i in range(100)
    ]
    return [
        Row(customer, day * SECONDS + i, "bad" if b else "good")
        for i, (day, b) in enumerate(zip(days, bad, strict=True))
    ]


@pytest.mark.parametrize("engine", EVERY)
def test_shares_of_many_moments(engine):
    """Exact up to eight moments, then in bands of the number and tenths of the share; every level is met."""
    people = [Person(i, 0, 71, "censored", i, i == 19) for i in range(20)]
    rows = [row for i in range(20) for row in many(i, i)]
    history = graded_share("bad")
    result = lives.by_day(rows, people, engine, {"share": history})["share"]
    wanted = written_out.by_day(written_out.graded_share(GRADED, grade="bad"), rows, people, 0)
    assert not differences(result, wanted)
    assert set(result.values()) == set(history.levels)
    sizes = {n: sum(level.endswith(f"/{n}") for level in history.levels) for n in range(9)}
    assert sizes == {n: n + 1 for n in range(9)}


@pytest.mark.parametrize("engine", EVERY)
@pytest.mark.parametrize("lag", [4, pytest.param(0, marks=pytest.mark.slow)])
def test_look_back(engine, lag):
    """Counts are those of a window, what is of a window stays, and nobody is unknown."""
    rows, people, every = looking_back(lag)
    ours = {name: within_lookback(h, 15) for name, (h, _) in WINDOWS.items()}
    result = lives.by_day(rows, people, engine, ours, lag)
    for name, wanted in every.items():
        assert not differences(result[name], wanted), name
        assert "unknown" not in wanted.values()


@cache
def looking_back(lag):
    """Lives, and what each history that looks back says of them: written out once for all engines."""
    rows, people = lives.lives(101 + lag, customers=60)
    return (
        rows,
        people,
        {n: written_out.by_day(windowed(n, 15), rows, people, lag) for n in WINDOWS},
    )


def windowed(name, days):
    """The reference of a look-back; exits of the household are no contacts, and are not forgotten."""
    return written_out.looking_back(WINDOWS[name][1], days)


@pytest.mark.slow
@pytest.mark.parametrize("lag", [0, 4])
def test_look_back_at_a_lead(lag):
    rows, people = lives.lives(111 + lag, customers=60)
    ours = {name: behind(within_lookback(h, 15), 6, 2) for name, (h, _) in WINDOWS.items()}
    result = lives.by_day(rows, people, "polars", ours, lag)
    for name in WINDOWS:
        wanted = written_out.by_day(windowed(name, 15), rows, people, 2, 6)
        assert not differences(result[name], wanted), name


@pytest.mark.parametrize("lag", [0, 4])
def test_look_back_of_contacts(lag):
    rows, people = lives.lives(121, contacts_alone=True, customers=60)
    ours = {name: within_lookback(h, 15) for name, (h, _) in WINDOWS.items()}
    result = lives.by_contact(rows, people, "polars", ours, lag)
    for name in WINDOWS:
        wanted = written_out.by_contact(windowed(name, 15), rows, people, lag)
        assert not differences(result[name], wanted), name


def test_a_look_back_forgets_and_a_state_stays():
    person = Person(0, 3, 40, "censored", 0, True)
    rows = [Row(0, 5 * SECONDS, "bad", score=100), Row(0, 9 * SECONDS, "bad", score=900)]
    assert spans(within_lookback(bad_count(2), 10), rows, person) == [
        (4, "0"),
        (6, "1"),
        (10, "2+"),
        (16, "1"),
        (20, "0"),
    ]
    assert spans(within_lookback(mean_score(), 10), rows, person) == [
        (4, "none"),
        (6, "1"),
        (10, "3"),
        (16, "5"),
        (20, "none"),
    ]
    state = within_lookback(last_grade_and_age((30,)), 10)
    assert spans(state, rows, person) == [(4, "none"), (6, "bad, 0-30"), (40, "bad, 31+")]
    assert not within_lookback(moment_count(), 10).cumulative


def test_a_look_back_counts_what_is_old_within_its_days_only():
    """Of contacts more than 4 days old, those of the last 10 days: from the day on which they are so old."""
    person = Person(0, 3, 40, "censored", 0, True)
    rows = [Row(0, 5 * SECONDS, "bad"), Row(0, 9 * SECONDS, "good")]
    assert spans(within_lookback(contacts_before(4, (1, 2)), 10), rows, person) == [
        (4, "0"),
        (10, "1"),
        (14, "2+"),
        (16, "1"),
        (20, "0"),
    ]


@pytest.mark.parametrize("history", [first_contact("bad"), first_bad()], ids=lambda h: h.name)
def test_a_look_back_does_not_invent_beginnings(history):
    """Whose first contact was before the log has an unknown one, whatever the look-back."""
    rows = [Row(0, 5 * SECONDS, "bad")]
    for is_seen, wanted in ((True, "none"), (False, "unknown")):
        person = Person(0, 3, 40, "censored", 0, not is_seen)
        assert spans(within_lookback(history, 10), rows, person)[0][1] == wanted


@pytest.mark.parametrize("engine", EVERY)
@pytest.mark.parametrize("lag", [0, 35])
def test_calendar_month(engine, lag):
    """That of the day at risk, or of the contact, whatever the blackout."""
    for first, months in ((0, 3), (11, 3), (-40, 2), (50, 1)):
        rows, people = lives.lives(130 + months, contacts_alone=True, customers=30)
        ours = {"h": calendar_month(first, months)}
        theirs = written_out.calendar_month(first, months)
        days = lives.by_day(rows, people, engine, ours, lag)["h"]
        assert not differences(days, written_out.by_day(theirs, rows, people, lag))
        shifted = written_out.calendar_month(
            first + 1, months
        )  # a contact's view is of the day after
        contacts = lives.by_contact(rows, people, engine, ours, lag)["h"]
        assert not differences(contacts, written_out.by_contact(shifted, rows, people, lag))
