"""Which silence counts as a lapse, and who is known to be new."""

from datetime import date

import msgspec
import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.engines import engine as engine_named
from cxresearch.errors import DataError
from cxresearch.histories.base import DayClock
from cxresearch.records.follow_up import Window
from cxresearch.records.lapses import (
    SilenceCurve,
    candidates,
    choose_threshold,
    measure,
    measure_follow_ups,
)
from cxresearch.records.records import read_records
from cxresearch.risk.episodes import episodes


def curve(ended: dict[int, int], still: dict[int, int], days: int = 400) -> SilenceCurve:
    """A curve of silences by length: those that ended, and those that last at the end of the log."""
    both = np.zeros((2, days), np.int64)
    for row, counts in enumerate((ended, still)):
        for length, n in counts.items():
            both[row, length] = n
    return SilenceCurve(ended=both[0], open=both[1])


def test_the_share_that_comes_back_counts_those_still_silent_as_long_as_they_are_seen():
    # 100 are silent for more than 10 days: 20 come back on day 15; 40 of the other 80 are seen up to day 17;
    # of the 40 left, 10 come back on day 18: 1 - 80/100 * 30/40
    seen = curve({5: 300, 15: 20, 18: 10}, {17: 40, 390: 30})
    share, se = seen.returned(10, 10)
    assert share == pytest.approx(0.4)
    # Greenwood: S^2 (20/(100*80) + 10/(40*30))
    assert se == pytest.approx(0.6 * np.sqrt(20 / 8000 + 10 / 1200))
    assert measure(seen, 10).silences == 100
    assert measure(seen, 10).followed == 30


def test_a_log_that_is_too_short_tells_nothing():
    assert measure(curve({5: 300}, {100: 500}, days=150), 90).returned is None
    # 19 are followed for twice as long: too few for a share
    few = measure(curve({}, {100: 500, 181: 19}), 90)
    assert (few.returned, few.is_known) == (0.0, False)


def test_the_shortest_threshold_with_few_false_lapses_counts():
    # after 30 days a tenth comes back within 30 more, after 60 days one in a hundred within 60 more
    seen = curve({10: 500, 40: 100, 70: 9}, {399: 891})
    lapse = choose_threshold(seen, 30)
    assert [t.days for t in lapse.tried] == [30, 60, 120]
    assert (lapse.days, lapse.is_certain) == (60, True)
    assert lapse.chosen.returned == pytest.approx(0.01)
    none = choose_threshold(curve({40: 100, 70: 100, 150: 100}, {399: 700}), 30)
    assert (none.days, none.is_certain) == (30, False)


def test_no_threshold_beyond_a_year_is_tried_but_the_declared_one():
    assert candidates(90) == (90, 180, 360)
    assert candidates(120) == (120, 240, 365)
    assert candidates(180) == (180, 360)
    assert candidates(200) == (200, 365)
    assert candidates(400) == (400,)


def shop(rows: list[tuple[str, str, str]], **retention: object) -> cx.Study:
    """A shop of contacts (customer, day, kind), from 1 January to 31 December 2024."""
    log = pl.DataFrame(rows, schema=["customer", "at", "kind"], orient="row")
    return cx.study_from(
        {
            "interactions": {"log_from": date(2024, 1, 1), "log_until": date(2024, 12, 31)},
            "moments": {"bad": "kind = 'complaint'", "neutral": "otherwise"},
            "retention": {"kind": "activity", "gap_days": 30, **retention},
        },
        interactions=log,
    )


def people(study: cx.Study) -> dict[str, tuple[str, str, int, int]]:
    """Customer to entry, exit, event and whether they may have been there before the log."""
    records = read_records(study)
    rows = records.engine.collect(records.customers).sort("id")
    as_date = (pl.from_epoch(pl.col(c), time_unit="d").cast(pl.String) for c in ("entry", "exit"))
    columns = rows.select("id", *as_date, "event", "left_truncated")
    return {r[0]: r[1:] for r in columns.iter_rows()}


def test_customers_first_seen_within_a_gap_of_the_beginning_may_have_been_there_before():
    rows = [
        ("a", "2024-01-31", "order"),
        ("b", "2024-02-01", "order"),
        ("c", "2024-01-01", "order"),
    ]
    assert {name: row[3] for name, row in people(shop(rows)).items()} == {"a": 1, "b": 0, "c": 1}
    known = people(shop(rows, new_from=date(2024, 1, 31)))
    assert {name: row[3] for name, row in known.items()} == {"a": 0, "b": 0, "c": 1}


def test_a_complaint_keeps_nobody_active():
    rows = [
        ("a", "2024-03-01", "order"),
        ("a", "2024-03-20", "complaint"),
        ("a", "2024-04-10", "complaint"),  # after the lapse
        ("b", "2024-02-01", "complaint"),  # before the first order
        ("b", "2024-03-01", "order"),
        ("b", "2024-03-25", "order"),
        ("c", "2024-03-01", "complaint"),  # never ordered
    ]
    every, orders = shop(rows), shop(rows, active="kind = 'order'")
    assert people(every)["a"][1] == "2024-05-10"
    assert people(orders) == {
        "a": ("2024-03-01", "2024-03-31", 1, 0),
        "b": ("2024-03-01", "2024-04-24", 1, 0),
    }
    findings = {f.reason: f.rows for f in read_records(orders).audit.findings}
    assert findings == {"before the customer's start": 1, "customer set aside": 1}


def test_on_the_clock_of_contacts_a_complaint_counts_from_the_next_order_on():
    rows = [
        ("a", "2024-03-01 10:00", "order"),
        ("a", "2024-03-01 12:00", "complaint"),  # on the day of an order: from that one on
        ("a", "2024-03-10 10:00", "order"),
        ("a", "2024-03-15 10:00", "complaint"),
        ("a", "2024-03-20 10:00", "order"),
    ]
    study = shop(rows, active="kind = 'order'")
    table = cx.episodes(study, bad=cx.bad_count(3)).to_polars()
    assert table.select("start", "stop", "bad", "event").rows() == [
        (1, 3, "1", None),
        (3, 4, "2", "defection"),
    ]


def test_a_condition_that_holds_for_no_contact_is_an_error():
    rows = [("a", "2024-03-01", "order"), ("a", "2024-03-20", "order")]
    with pytest.raises(DataError, match=r"retention\.active holds for none of 2 contacts"):
        read_records(shop(rows, active="kind = 'Order'"))


def test_the_audit_warns_when_more_than_a_fifth_of_the_lapsed_came_back():
    back = [(f"b{i}", day, "order") for i in range(3) for day in ("2024-03-01", "2024-06-01")]
    gone = [(f"g{i}", "2024-03-01", "order") for i in range(9)]
    codes = [w.code for w in read_records(shop(back + gone)).audit.warnings]
    assert codes == ["lapsed_came_back"]
    gone += [(f"h{i}", "2024-03-01", "order") for i in range(3)]
    assert not read_records(shop(back + gone)).audit.warnings


ENGINES = ("polars", "duckdb")


def shop_with_orders(orders: list[tuple[str | None, str | None]], **retention: object) -> cx.Study:
    """The shop of `shop`, with complaints in the log and orders in a table of their own."""
    rows = [
        ("a", "2024-03-01 12:00", "complaint"),
        ("a", "2024-03-15 10:00", "complaint"),
        ("b", "2024-02-01 09:00", "complaint"),  # before the first order
        ("z", "2024-03-01 09:00", "complaint"),  # never ordered
    ]
    log = pl.DataFrame(rows, schema=["customer", "at", "kind"], orient="row")
    table = pl.DataFrame(orders, schema=["buyer", "sold"], orient="row")
    return cx.study_from(
        {
            "interactions": {"log_from": date(2024, 1, 1), "log_until": date(2024, 12, 31)},
            "moments": {"bad": "kind = 'complaint'", "neutral": "otherwise"},
            "retention": {
                "kind": "activity",
                "gap_days": 30,
                "customer": "buyer",
                "at": "sold",
                **retention,
            },
        },
        interactions=log,
        retention=table,
    )


ORDERS = [
    ("a", "2024-03-01"),
    ("a", "2024-03-20"),
    ("b", "2024-03-01"),
    ("c", "2024-05-01"),  # in touch with nobody, and a customer
    ("c", "2025-05-01"),  # after the log
    (None, "2024-05-01"),
    ("c", None),
    ("c", "soon"),
    ("a", "2024-03-20"),
]


@pytest.mark.parametrize("engine", ENGINES)
def test_orders_in_a_table_of_their_own_keep_customers_active(engine):
    study = shop_with_orders(ORDERS)
    assert people(study) == {
        "a": ("2024-03-01", "2024-04-19", 1, 0),
        "b": ("2024-03-01", "2024-03-31", 1, 0),
        "c": ("2024-05-01", "2024-05-31", 1, 0),
    }
    audit = read_records(study, engine).audit
    assert dict(audit.read) == {"interactions": 4, "retention": 9}
    assert dict(audit.kept) == {"interactions": 2, "retention": 4}
    assert {(f.table, f.reason): f.rows for f in audit.findings} == {
        ("interactions", "before the customer's start"): 1,
        ("interactions", "customer set aside"): 1,
        ("retention", "no customer"): 1,
        ("retention", "no time"): 1,
        ("retention", "time not readable"): 1,
        ("retention", "exact duplicate"): 1,
        ("retention", "outside the log's window"): 1,
    }
    assert dict(audit.quarantine)["retention"].height == 4
    assert "'soon'" in next(f.hint for f in audit.facts if f.name == "retention.at not readable")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_order_is_a_contact_without_a_grade_and_hides_none(engine):
    records = read_records(shop_with_orders(ORDERS), engine)
    at_order = cx.episodes(
        records, bad=cx.bad_count(3), last=cx.histories.last_grade(), contacts=cx.contact_count()
    ).to_polars()
    columns = ("start", "stop", "bad", "last", "contacts", "event")
    # of a: at the second order, on which nothing was bad, the latest moment is the complaint of the 15th
    assert at_order.filter(pl.col("bad") != "0").select(columns).rows() == [
        (1, 2, "1", "bad", "2-4", None),
        (2, 3, "2", "bad", "2-4", "defection"),
    ]
    assert at_order.filter(pl.col("bad") == "0")["last"].unique().to_list() == ["none"]
    assert records.audit.fact("unknown moments").count == 0
    assert cx.journey.moment_summary(records).moments == 2


def test_a_table_of_orders_and_a_condition_exclude_each_other():
    with pytest.raises(cx.CxResearchError, match="give one of them"):
        shop_with_orders(ORDERS, active="kind = 'order'")
    with pytest.raises(DataError, match=r"none of 2 rows can be kept; .*date_format"):
        read_records(shop_with_orders([("a", "soon"), ("b", "later")]))
    study, numbers = shop_with_orders(ORDERS), pl.DataFrame({"buyer": ["a"], "sold": [3]})
    study = msgspec.structs.replace(study, frames={**study.frames, "retention": numbers})
    with pytest.raises(DataError, match="must both hold dates or both integer days"):
        read_records(study)


def test_who_comes_back_is_at_risk_again_with_what_happened_before():
    rows = [
        ("a", "2024-03-01", "complaint"),
        ("a", "2024-06-01", "order"),  # back after the lapse of 31 March
        ("a", "2024-06-10", "complaint"),
        ("b", "2024-04-01", "order"),
    ]
    study = shop(rows, returns="new_spell")
    records = read_records(study)
    table = cx.episodes(records, bad=cx.bad_count(3)).to_polars()
    assert table.select("start", "stop", "bad", "event").rows() == [
        (1, 2, "0", "defection"),
        (1, 2, "1", "defection"),
        (1, 2, "1", None),
        (2, 3, "2", "defection"),
    ]
    # both relations of a are of one cluster
    assert table["cluster"].to_list() == [0, 1, 1, 1]
    assert records.audit.fact("lapsed who came back later").count == 1
    assert records.audit.fact("relations").count == 3
    assert people(study)["a"][:3] == ("2024-03-01", "2024-07-10", 1)


def test_own_returns_are_no_exit_of_a_household():
    log = pl.DataFrame(
        {
            "customer": ["a", "a", "b", "b"],
            "at": [40, 100, 45, 60],
            "grade": ["good"] * 4,
        }
    )
    homes = pl.DataFrame({"customer": ["a", "b"], "home": ["h", "h"]})
    settings = {
        "interactions": {"log_from": 0, "log_until": 200},
        "retention": {"kind": "activity", "gap_days": 30, "returns": "new_spell"},
        "customers": {"cluster": "home"},
    }
    records = read_records(cx.study_from(settings, interactions=log, customers=homes))
    others = cx.histories.household_exits("defection")
    table = episodes(records, {"others": others}, clock=DayClock()).to_polars()
    # a lapses on day 70 and is told of b's lapse on day 90 only; b is told of a's from day 70 on
    assert table.select("start", "stop", "others", "event").rows() == [
        (0, 30, "none", "defection"),
        (0, 30, "1+", "defection"),
        (0, 25, "none", None),
        (25, 45, "1+", "defection"),
    ]


def test_how_soon_customers_are_back_is_compared_within_them():
    # a: 2 bad, of which 2 are followed within a week, 3 others, of which 1 is; b: 1 bad, followed, 1 other, not;
    # c is quick and has no bad one: nothing to compare
    rows = [("a", d, g) for d, g in ((40, 0), (45, 1), (90, 0), (95, 1), (99, 1), (180, 1))]
    rows += [("b", 50, 1), ("b", 90, 0), ("b", 92, 1), ("c", 60, 1), ("c", 61, 1), ("c", 62, 1)]
    names = ["id", "day", "grade"]
    log = pl.DataFrame(rows, schema=names, orient="row").with_row_index("cx_row")
    for engine in (engine_named("polars"), engine_named("duckdb")):
        active = engine.keep(engine.rows(engine.frame(log.drop("cx_row"))))
        found = measure_follow_ups(active, Window(0, 185), engine)
        # a: 2 bad, 3 others (the last one lies too late): (2 * 3 - 1 * 2) / 5; b: 1 bad, 2 others: (1 * 2 - 0) / 3
        weight = 2 * 3 / 5 + 1 * 2 / 3
        assert found.difference == pytest.approx((4 / 5 + 2 / 3) / weight, abs=1e-8)
        assert found.se > 0
    assert measure_follow_ups(active.filter(nw.col("grade") > 0), Window(0, 185), engine) is None
