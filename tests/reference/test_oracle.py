"""The oracle on cases worked out by hand, and against R."""

import csv
import gzip
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.reference import oracle
from tests.reference.oracle import Settings
from tests.small_studies import activity_studies, contract_studies

GOLDEN = Path(__file__).parents[1] / "golden"
FIRST = date(2024, 1, 1)
LONG = Settings(log_from=FIRST, log_until=FIRST + timedelta(days=1000))


def on(number: int, hour: int = 12) -> datetime:
    return datetime.combine(FIRST, datetime.min.time()) + timedelta(days=number, hours=hour)


def contact(customer, number, grade="neutral", hour=12):
    return {
        "customer": customer,
        "at": None if number is None else on(number, hour),
        "grade": grade,
    }


def person(customer, start=0, end=None, cause=None, segment="s", **more):
    def when(number):
        return None if number is None else FIRST + timedelta(days=number)

    row = {
        "customer": customer,
        "start": when(start),
        "end": when(end),
        "cause": cause,
        "segment": segment,
    }
    row |= {"cluster": more.get("cluster")}
    return row | {name: when(more.get(name)) for name in ("observed_from", "observed_until")}


def spans(episodes):
    return [(e.start, e.stop, e.pattern, e.code) for e in episodes]


def by_time(table):
    """Flows summed over groups: (time, pattern) -> counts."""
    result = defaultdict(Counter)
    for (_, time, pattern), counts in table.items():
        result[time, pattern].update(counts)
    return {key: dict(value) for key, value in result.items()}


def test_group_is_the_head_of_the_md5():
    # echo -n 007 | md5sum = 9e94b15e..., 0x9e94b15e = 2660544862
    assert oracle.group_of("007", None) == 62
    assert oracle.group_of("anybody", "007") == 62


def test_a_moment_explains_the_days_after_it_and_nothing_on_the_day_of_leaving():
    # Bad on days 3 and 10; leaves on day 10. State of days 1-3: none so far; of days 4-10: one.
    contacts = [contact("a", 3, "bad"), contact("a", 10, "bad")]
    customers = [person("a", end=10, cause="switched")]
    histories = {"bad": oracle.bad_count(3)}
    assert spans(oracle.tenure_episodes(contacts, customers, LONG, histories)) == [
        (0, 3, ("0",), None),
        (3, 10, ("1",), "defection"),
    ]
    flows = oracle.flows(contacts, customers, LONG, histories)
    assert by_time(flows) == {
        (0, ("0",)): {"entered": 1},
        (3, ("0",)): {"left": 1},
        (3, ("1",)): {"entered": 1},
        (10, ("1",)): {"left": 1, "defection": 1},
    }
    assert [oracle.at_risk(flows, time) for time in (0, 1, 3, 4, 10, 11)] == [0, 1, 1, 1, 1, 0]


def test_blackout_delays_the_state_while_ages_count_from_the_moment():
    # Blackout 3, moment on day 3: visible from day 3 + 3 + 1 = 7 on, then 4 days old; 6 on day 9.
    settings = Settings(log_from=LONG.log_from, log_until=LONG.log_until, blackout_days=3)
    histories = {"age": oracle.age_of_last(edges=(5,)), "week": oracle.contacts_within(7)}
    episodes = oracle.tenure_episodes(
        [contact("a", 3, "bad")], [person("a", end=15)], settings, histories
    )
    # The window of 7 days holds the contact on days 7 to 10 only: 4 <= d - 3 <= 7.
    assert spans(episodes) == [
        (0, 6, ("none", "0"), None),
        (6, 8, ("0-5", "1-2"), None),
        (8, 10, ("6+", "1-2"), None),
        (10, 15, ("6+", "0"), "defection"),
    ]


def test_a_customer_seen_late_is_unknown_where_the_past_is_not_seen():
    # Start 0, seen from day 20. A window of 5 days reaches before entry while d - 5 < 20, up to day 24.
    histories = {
        "bad": oracle.bad_count(1),
        "five": oracle.contacts_within(5),
        "last": oracle.last_grade(),
        "age": oracle.age_of_last("bad", (30, 90)),
    }
    contacts = [contact("a", 22, "good"), contact("a", 28, "bad")]
    episodes = oracle.tenure_episodes(
        contacts, [person("a", end=40, observed_from=20)], LONG, histories
    )
    # Contact of day 22 is in the window on days 23-27 (known from day 25), that of day 28 on days 29-33.
    assert spans(episodes) == [
        (20, 22, ("unknown", "unknown", "unknown", "unknown"), None),
        (22, 24, ("unknown", "unknown", "good", "unknown"), None),
        (24, 27, ("unknown", "1-2", "good", "unknown"), None),
        (27, 28, ("unknown", "0", "good", "unknown"), None),
        (28, 33, ("unknown", "1-2", "bad", "0-30"), None),
        (33, 40, ("unknown", "0", "bad", "0-30"), "defection"),
    ]


def test_same_second_contacts_stand_worse_grade_first():
    histories = {"last": oracle.last_grade()}
    contacts = [contact("a", 1, "good"), contact("a", 1, "bad"), contact("a", 1, "bad", hour=11)]
    episodes = oracle.tenure_episodes(contacts, [person("a", end=3)], LONG, histories)
    assert spans(episodes) == [(0, 1, ("none",), None), (1, 3, ("good",), "defection")]


def test_every_contact_row_has_one_fate():
    settings = Settings(log_from=FIRST + timedelta(days=10), log_until=FIRST + timedelta(days=100))
    contacts = [
        contact(None, None),  # null customer comes before null time
        contact("a", None),
        contact("a", 20, "bad"),
        contact("a", 20, "bad") | {"row": 99},  # a row number is not a field
        contact("a", 20, "good"),
        contact("stranger", 20),
        contact("a", 4),  # before start
        contact("a", 61),  # after end
        contact("a", 60),  # on the day of leaving: kept
        contact("a", 7),  # in the tenure, before the log
    ]
    study = oracle.read_contract(contacts, [person("a", start=5, end=60)], settings)
    assert study.contact_rows == {
        "null customer": 1,
        "null time": 1,
        "kept": 3,
        "exact duplicate": 1,
        "unknown customer": 1,
        "before start": 1,
        "after end": 1,
        "outside the log's window": 1,
    }


def test_every_customer_row_has_one_fate():
    rows = [
        person(None),
        person("b", start=None),
        person("c", end=50),
        person("c", end=50),
        person("d", end=50),
        person("d", start=50),  # touches: a renewal
        person("d", end=50),  # a copy is no renewal
        person("e", start=5, end=4),
        person("f", start=5, end=5),
        person("g", start=5, end=9, observed_from=9),
    ]
    study = oracle.read_contract([], rows, LONG)
    assert study.customer_rows == {
        "null customer": 1,
        "null start": 1,
        "kept": 3,
        "exact duplicate": 2,
        "end before start": 1,
        "start = end": 1,
        "never under observation": 1,
    }


def test_rows_that_overlap_touch_or_follow_are_one_relation():
    rows = [
        person("a", start=0, end=50, cause="died") | {"segment": "first"},
        person("a", start=20, end=30, cause="switched"),  # parallel
        person("a", start=51, end=60, cause="moved"),  # follows on the next day
        person("a", start=62, end=70, cause="switched"),  # after a gap
    ]
    study = oracle.read_contract([], rows, LONG)
    assert study.customer_rows == {"kept": 3, "a later contract": 1}
    (customer,) = study.customers
    assert (customer.exit - customer.start, customer.segment) == (60, "first")


def test_a_stray_date_is_not_in_the_log():
    days = [730_000 + i for i in range(100)]
    assert oracle.dense([*days, 760_000]) == (730_000, 730_099)
    assert oracle.dense([700_000, *days]) == (730_000, 730_099)
    assert oracle.dense([*days[:19], 760000]) == (730_000, 730_018)
    assert oracle.dense([*days[:18], 760000]) == (730_000, 760_000)  # too few to say


@pytest.mark.parametrize(
    ("end", "cause", "observed_until", "defection", "exit_day", "code"),
    [
        (50, "died", None, (), 50, "defection"),
        (50, None, None, (), 50, "defection"),
        (50, "died", None, ("switched",), 50, "other"),
        (50, None, None, ("switched",), 50, "other"),
        (50, "switched", 50, ("switched",), 50, "defection"),
        (50, "switched", 49, ("switched",), 49, "censored"),
        (None, None, 49, (), 49, "censored"),
        (None, None, None, (), 80, "censored"),  # the study's own observed_until
        (99, "switched", 200, (), 99, "defection"),  # the customer's own instead of the study's
        (2000, "switched", 3000, (), 1000, "censored"),  # the log ends
    ],
)
def test_exit_and_code(end, cause, observed_until, defection, exit_day, code):
    settings = Settings(LONG.log_from, LONG.log_until, FIRST + timedelta(days=80), defection)
    row = person("a", end=end, cause=cause, observed_until=observed_until)
    (customer,) = oracle.read_contract([], [row], settings).customers
    assert (customer.exit - FIRST.toordinal(), customer.code) == (exit_day, code)


def test_since_first_bad():
    contacts = [
        # a: bad on 10, 10, 30: the third ends it at 20, as 'third bad moment'; otherwise 3+ until 40.
        contact("a", 10, "bad", 9),
        contact("a", 10, "bad", 10),
        contact("a", 30, "bad"),
        # b: third on the day of leaving: the defection counts.
        contact("b", 5, "bad"),
        contact("b", 6, "bad"),
        contact("b", 8, "bad"),
        # c: first on the day of leaving; d: three on the first day; e: seen late; f: never.
        contact("c", 8, "bad"),
        contact("d", 4, "bad", 1),
        contact("d", 4, "bad", 2),
        contact("d", 4, "bad", 3),
        contact("e", 30, "bad"),
        contact("f", 4, "good"),
    ]
    customers = [person("a", end=50), person("b", end=8), person("c", end=8), person("d", end=8)]
    customers += [person("e", end=50, observed_from=1), person("f", end=50)]
    episodes, exclusions = oracle.since_first_bad_episodes(contacts, customers, LONG)
    assert exclusions == {"left on the day": 1, "third on the first day": 1}
    assert spans(episodes) == [
        (0, 20, ("2",), "third bad moment"),
        (0, 1, ("1",), None),
        (1, 3, ("2",), "defection"),
    ]
    episodes, _ = oracle.since_first_bad_episodes(
        contacts, customers, LONG, competing=False, segment=True
    )
    assert spans(episodes)[:2] == [(0, 20, ("2", "s"), None), (20, 40, ("3+", "s"), "defection")]


def test_aalen_johansen_and_kaplan_meier_with_ties_and_late_entry():
    # At risk at 2: a, b, c (d enters at 3). On day 2 a defects and b leaves otherwise; c, d at risk on day 5.
    # Incidence(2) = 1/3 and 1/3; survival 1/3. Day 5: c defects of 2 at risk: 1/3 + 1/3 * 1/2 = 1/2.
    # Kaplan-Meier of defection: (1 - 1/3) * (1 - 1/2) = 1/3, not 1 - 1/2.
    customers = [
        person("a", end=2, cause="switched"),
        person("b", end=2, cause="died"),
        person("c", end=5, cause="switched"),
        person("d", observed_from=3),
    ]
    settings = Settings(LONG.log_from, LONG.log_until, defection=("switched",))
    flows = oracle.flows([], customers, settings, {}, segment=True)
    third, half = Fraction(1, 3), Fraction(1, 2)
    assert oracle.aalen_johansen(flows, ("defection", "other")) == {
        2: {"defection": third, "other": third},
        5: {"defection": half, "other": third},
    }
    assert oracle.kaplan_meier(flows) == {2: 1 - third, 5: third}


def test_matched_incidence():
    # x has its first bad moment on day 10 and defects on day 14 (k = 4). Comparable, recent = 10 days:
    # p (contact on day 9, leaves on 13, k = 3) and q (contact on day 10; bad only on day 11, followed on).
    # Not t (contact on day 0: 11 days before day 11), v (leaves on day 10), w (another segment).
    # y has its first bad moment on day 50, when nobody is comparable: dropped.
    contacts = [
        contact("x", 10, "bad"),
        contact("p", 9),
        contact("q", 10),
        contact("q", 11, "bad"),
        contact("t", 0),
        contact("v", 9),
        contact("w", 9),
        contact("y", 50, "bad"),
    ]
    customers = [
        person("x", end=14),
        person("p", end=13),
        person("q"),
        person("t"),
        person("v", end=10),
        person("w", segment="other"),
        person("y", end=60),
    ]
    settings = Settings(LONG.log_from, FIRST + timedelta(days=100), FIRST + timedelta(days=70))
    result = oracle.matched_incidence(contacts, customers, settings, horizon=5, recent_days=10)
    # q is itself exposed at u = 11 (k = 59, censored); comparable then: p alone (k = 2). Exposed: 1/2.
    # Comparators: p with 1/2 (k = 3), q with 1/2 (k = 60), p with 1 (k = 2), together 2.
    # Day 2: 1/2; day 3: 1/2 + 1/2 * (1/2)/1 = 3/4.
    assert result == oracle.Matched(Fraction(1, 2), Fraction(3, 4), Fraction(-1, 4), 2, 1)
    # With recent = 11 t serves at u = 10 (but not at 11): p, q, t with 1/3 each there.
    # Day 2: 1/2. Day 3: 1/2 + 1/2 * (1/3)/1 = 2/3.
    result = oracle.matched_incidence(contacts, customers, settings, horizon=5, recent_days=11)
    assert result.comparators == Fraction(2, 3)


def test_contact_clock():
    # Data end on day 100, gap 30: contacts up to day 70 are labelled.
    # a: days 0, 30 (returned: exactly the gap), 61 (31 days: lapsed after v = 2); what follows is nothing.
    # b: days 50, 60, 65, 75: v = 1, 2, 3 labelled, all returns; at v = 4 censored.
    # c: day 70, nothing after: lapsed. d: day 71: not labelled.
    contacts = [contact("a", 0, "bad"), contact("a", 30, "good"), contact("a", 61)]
    contacts += [contact("b", number, "bad") for number in (50, 60, 65, 75)]
    contacts += [contact("c", 70), contact("d", 71), contact("e", 100, "good")]
    settings = Settings(gap_days=30, new_from=FIRST)
    histories = {"bad": oracle.bad_count(2), "week": oracle.contacts_within(6, edges=(1, 2))}
    assert spans(oracle.contact_episodes(contacts, settings, histories)) == [
        (1, 3, ("1", "1"), "defection"),
        (1, 2, ("1", "1"), None),
        (2, 3, ("2+", "1"), None),
        (3, 4, ("2+", "2+"), "censored"),
        (1, 2, ("0", "1"), "defection"),
    ]


def test_day_clock_of_activity():
    days = {"a": (0, 30, 61), "b": (50, 75), "c": (70,), "d": (71,), "e": (100,)}
    contacts = [contact(name, number) for name, numbers in days.items() for number in numbers]
    episodes = oracle.activity_day_episodes(contacts, Settings(gap_days=30), {})
    # a: last contact before the gap on day 30, dated 60. b: 75 + 30 > 100: censored at 50. c: dated 100.
    assert [(e.customer, e.start, e.stop, e.code) for e in episodes] == [
        ("a", 0, 60, "defection"),
        ("b", 0, 50, "censored"),
        ("c", 0, 30, "defection"),
        ("d", 0, 29, "censored"),
    ]
    study, last_day, _ = oracle.read_activity(contacts, Settings(gap_days=30))
    assert last_day == (FIRST + timedelta(days=100)).toordinal()
    assert study.customer_rows == {"kept": 4, "start = end": 1}


def test_cox_by_hand():
    # One event of two at risk with x = 1 and 0: loglik = b - log(e^b + 1); at b = 0: -log 2, score 1/2.
    rows = [oracle.CoxRow(0, 1, True, (1.0,)), oracle.CoxRow(0, 2, False, (0.0,))]
    assert oracle.cox_loglik([0.0], rows) == pytest.approx(-0.6931471805599453)
    assert oracle.cox_score([0.0], rows) == pytest.approx([0.5])
    assert oracle.cox_information([0.0], rows) == [pytest.approx([0.25])]
    with pytest.raises(ArithmeticError):
        oracle.cox_fit(rows)


def golden(name):
    opener = gzip.open if name.endswith(".gz") else open
    with opener(GOLDEN / name, "rt", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("data", ["heart", "jasa1"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_against_r(data, ties):
    def row(r):
        age, surgery, transplant = (float(r[name]) for name in ("age", "surgery", "transplant"))
        x = {"age": age, "surgery": surgery, "transplant": transplant}
        x |= {"age:transplant": age * transplant, "surgery:transplant": surgery * transplant}
        return float(r["start"]), float(r["stop"]), r["event"] == "1", x

    read = [row(r) for r in golden(f"{data}.csv")]
    wanted = [r for r in golden("heart_coxph.csv") if r["data"] == data and r["ties"] == ties]
    for model in ("transplant", "interaction", "stratified"):
        lines = [r for r in wanted if r["model"] == model]
        strata = lines[0]["strata"]
        rows = [
            oracle.CoxRow(
                *times, tuple(x[r["term"]] for r in lines), str(x[strata]) if strata else ""
            )
            for *times, x in read
        ]
        coef, se, loglik = oracle.cox_fit(rows, ties)
        assert coef == pytest.approx([float(r["coef"]) for r in lines], rel=1e-8, abs=1e-11)
        assert se == pytest.approx([float(r["se"]) for r in lines], rel=1e-8)
        assert loglik == pytest.approx(float(lines[0]["loglik"]), rel=1e-12)


def test_incidence_against_r():
    codes = {"0": None, "1": "defection", "2": "other"}
    tables = defaultdict(list)
    for r in golden("cohort_episodes.csv.gz"):
        episode = oracle.Episode(r["id"], 0, int(r["start"]), int(r["stop"]), (), codes[r["cause"]])
        tables[r["segment"]].append(episode)
    for segment, episodes in tables.items():
        flows = oracle.count(episodes)
        curve = oracle.aalen_johansen(flows, ("defection", "other"), number=float)
        for r in golden("incidence.csv"):
            if r["segment"] == segment:
                value = oracle.incidence_at(curve, r["cause"], int(r["time"]))
                assert value == pytest.approx(float(r["pstate"]), abs=1e-12)
        there = oracle.kaplan_meier(flows, number=float)
        for r in golden("km.csv"):
            if r["segment"] == segment:
                value = there[max(time for time in there if time <= int(r["time"]))]
                assert value == pytest.approx(float(r["surv"]), abs=1e-12)


HISTORIES = {
    "bad": oracle.bad_count(3),
    "good": oracle.grade_count("good", (1, 2, 3)),
    "recent": oracle.contacts_within(90),
    "last": oracle.last_grade(),
    "age": oracle.age_of_last("bad", (30, 90)),
}


def check_flows(table):
    totals = oracle.totals(table)
    everything = sum(totals.values(), Counter())
    assert everything["entered"] == everything["left"]
    for time in totals:
        assert oracle.at_risk(table, time) >= 0
    return sum(n for name, n in everything.items() if name not in ("entered", "left"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contract_studies())
def test_contract_studies_add_up(study):
    contacts, customers, chosen = study
    read = oracle.read_contract(contacts, customers, chosen)
    assert sum(read.contact_rows.values()) == len(contacts)
    assert sum(read.customer_rows.values()) == len(customers)
    assert read.customers
    assert read.contact_rows["kept"] == sum(map(len, read.contacts.values())) > 0
    assert len(contacts) <= 62
    table = oracle.flows(contacts, customers, chosen, HISTORIES, segment=True)
    assert check_flows(table) == len(read.customers)
    for competing in (True, False):
        table, exclusions = oracle.since_first_bad(
            contacts, customers, chosen, competing, segment=True
        )
        with_bad = sum(
            not one.left_truncated and any(c.grade == "bad" for c in read.contacts[one.customer])
            for one in read.customers
        )
        assert check_flows(table) + exclusions.total() == with_bad
    matched = oracle.matched_incidence(contacts, customers, chosen, horizon=60)
    assert matched.customers + matched.dropped == check_flows(table)
    assert matched.difference is None or -1 <= matched.difference <= 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(activity_studies())
def test_activity_studies_add_up(study):
    contacts, customers, chosen = study
    read, last_day, gap = oracle.read_activity(contacts, chosen)
    assert customers == []
    assert sum(read.contact_rows.values()) == len(contacts)
    by_day = oracle.activity_flows(contacts, chosen, HISTORIES, clock="day")
    assert check_flows(by_day) == len(read.customers)
    by_contact = oracle.activity_flows(contacts, chosen, HISTORIES)
    labelled = [some for some in read.contacts.values() if some[0].day <= last_day - gap]
    assert check_flows(by_contact) == len(labelled) > 0
    # The first lapse is the same event on both clocks.
    events = [
        sum(oracle.totals(table).values(), Counter())["defection"] for table in (by_day, by_contact)
    ]
    assert events[0] == events[1]


@settings(max_examples=50, deadline=None)
@given(contract_studies(degenerate=True), activity_studies(degenerate=True))
def test_degenerate_studies_are_drawn_too(contract, activity):
    oracle.flows(*contract, HISTORIES)
    oracle.activity_flows(activity[0], activity[2], HISTORIES)
