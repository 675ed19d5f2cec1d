"""Cohorts by the month in which a clock began, how thin ones are joined, and tables whose levels are joined."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from random import Random

import narwhals.stable.v2 as nw
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.engines import Whole
from cxresearch.errors import EstimationError
from cxresearch.histories.base import DayClock, behind
from cxresearch.histories.lookback import within_lookback
from cxresearch.histories.recency import calendar_month
from cxresearch.records.contacts import GRADES
from cxresearch.records.records import read_records
from cxresearch.risk.cohorts import join_cohorts
from cxresearch.risk.episodes import COHORT, episodes
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import risk_table, total
from cxresearch.risk.transitions import since
from tests.engine_names import EVERY

LOG_FROM, LOG_UNTIL = 100, 460
CAUSES = ("censored", "defection", "other exit")


def company(seed=5, customers=90):
    """Customers who start from long before the log on to shortly before its end, two in three in households."""
    random = Random(seed)
    who, log = [], []
    for i in range(customers):
        start = random.choice(
            (random.randint(-20, LOG_FROM), random.randint(LOG_FROM, LOG_UNTIL - 40))
        )
        end = random.choice((None, random.randint(max(start, LOG_FROM) + 2, LOG_UNTIL)))
        who.append(
            {
                "customer": f"c{i:03}",
                "start": start,
                "end": end,
                "cause": random.choice(("switched", "moved")),
                "home": f"h{i // 3 if i % 3 else i + 1000}",
                "plan": random.choice("ab"),
            }
        )
        for _ in range(random.choice((0, 1, 3, 9))):
            at = random.randint(max(start, LOG_FROM), LOG_UNTIL if end is None else end)
            log.append({"customer": f"c{i:03}", "at": at, "grade": random.choice(GRADES)})
    return pl.DataFrame(log), pl.DataFrame(who, schema_overrides={"end": pl.Int64})


LOG, WHO = company()
BEGAN = dict(WHO.select("customer", "start").iter_rows())
HISTORIES = {
    "bad": cx.bad_count(2),
    "set_back": behind(cx.bad_count(2), 20),
    "recent": within_lookback(cx.contact_count((1, 2)), 60),
    "share": within_lookback(cx.histories.graded_share("bad"), 200),
    "last": behind(cx.histories.last_grade_and_age((30,)), 14, 3),
    "household": behind(cx.histories.household_exits(), 10),
    "held_month": calendar_month(LOG_FROM, 13),
}


def records(engine="polars"):
    raw = {
        "interactions": {"log_from": LOG_FROM, "log_until": LOG_UNTIL},
        "retention": {
            "cause": "cause",
            "defection": ["switched"],
            "cluster": "home",
            "segment": "plan",
        },
    }
    return read_records(cx.study_from(raw, interactions=LOG, retention=WHO), engine)


def named(eps, read):
    """The rows at risk, with the ids of the table."""
    ids = dict(read.engine.collect(read.customers.select("customer", "id")).iter_rows())
    rows = eps.to_polars()
    return rows.with_columns(id=pl.col("customer").replace_strict(ids, return_dtype=pl.String))


@pytest.mark.parametrize("engine", EVERY)
def test_cohorts_are_months_of_the_start(engine):
    read = records(engine)
    rows = named(episodes(read, {"bad": cx.bad_count(2)}, cohorts=True), read)
    assert {(r["id"], int(r[COHORT])) for r in rows.iter_rows(named=True)} == {
        (c, (BEGAN[c] - LOG_FROM) // 30) for c in rows["id"].unique()
    }
    assert min(map(int, rows[COHORT])) < 0 < 10 <= max(map(int, rows[COHORT]))


@pytest.mark.parametrize("engine", EVERY)
def test_cohorts_of_another_origin_are_months_of_that_origin(engine):
    """Of a clock that begins with the first bad moment, the month of that moment."""
    read = records(engine)
    eps = episodes(
        read, {"bad": cx.bad_count(2)}, clock=DayClock(), observed_from_start=True, cohorts=True
    )
    rows = named(since(eps, "bad", "1"), read)
    first = dict(
        LOG.filter(pl.col("grade") == "bad")
        .group_by("customer")
        .agg(pl.col("at").min())
        .iter_rows()
    )
    result = {(r["id"], int(r[COHORT])) for r in rows.iter_rows(named=True)}
    assert result == {(c, (first[c] - LOG_FROM) // 30) for c, _ in result}
    assert len(result) > 15
    assert any((BEGAN[c] - LOG_FROM) // 30 != month for c, month in result)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_nobody_is_at_risk_before_the_first_day_of_a_look_back(engine):
    """The days after it are as they were."""
    read, first = records(engine), LOG_FROM + 120
    chosen = {name: HISTORIES[name] for name in ("bad", "recent", "last")}

    def days(rows):
        return {
            (r["id"], day + BEGAN[r["id"]]): (
                *(r[name] for name in chosen),
                r["event"] * (day == r["stop"]),
            )
            for r in rows.with_columns(pl.col("event").fill_null("")).iter_rows(named=True)
            for day in range(r["start"] + 1, r["stop"] + 1)
        }

    every = days(named(episodes(read, chosen), read))
    late = days(named(episodes(read, chosen, observed_from=first), read))
    assert late == {(c, day): state for (c, day), state in every.items() if day > first}
    assert 0 < len(late) < len(every)


def tables(engine, **how):
    read = records(engine)
    return risk_table(
        episodes(
            read, HISTORIES, fixed=("segment",), cohorts=True, observed_from=LOG_FROM + 30, **how
        )
    )


@pytest.mark.parametrize("engine", EVERY)
def test_every_engine_counts_the_same(engine):
    assert tables(engine) == tables("polars")
    assert tables(engine).fingerprint() == tables("polars").fingerprint()


def part(read, households):
    """The customers of some households, and their contacts and events."""
    customers = read.customers.filter(nw.col("cluster").is_in(households))

    def theirs(frame):
        return frame.join(customers.select("customer"), on="customer", how="semi")

    contacts = Whole(theirs(read.log.frame(None)), read.engine)
    events = theirs(read.dated_events)
    return replace(read, customers=customers, log=contacts, dated_events=events)


def test_tables_of_parts_add_up():
    """However the customers are cut, the months of the cohorts keep their order."""
    read = records()
    homes = read.engine.collect(read.customers.select("cluster"))["cluster"].unique().sort()
    for cuts in ((10,), (5, 30), (1, 2, 40)):
        edges = (0, *cuts, len(homes))
        parts = [
            risk_table(
                episodes(
                    part(read, homes[a:b].to_list()),
                    HISTORIES,
                    fixed=("segment",),
                    cohorts=True,
                    observed_from=LOG_FROM + 30,
                )
            )
            for a, b in pairwise(edges)
        ]
        every = total(parts)
        assert every == tables("polars")
        assert every.fingerprint() == tables("polars").fingerprint()


def table_of(months):
    """A table with so many customers in each month."""
    rows = [
        {"id": 1000 * (month + 50) + i, "start": 0, "stop": 5 + i, "event": i % 3, COHORT: month}
        for month, n in months.items()
        for i in range(n)
    ]
    return from_rows(pl.DataFrame(rows), [COHORT], causes=CAUSES)


@pytest.mark.parametrize(
    ("months", "least", "wide", "names", "widest"),
    [
        ({0: 60, 1: 50}, 50, 1, ["0", "1"], 30),
        ({0: 30, 1: 30, 2: 60, 3: 10}, 50, 1, ["0 to 1", "0 to 1", "2 to 3", "2 to 3"], 60),
        ({0: 30, 1: 30, 2: 60, 3: 10}, 60, 1, ["0 to 1", "0 to 1", "2 to 3", "2 to 3"], 60),
        ({0: 49}, 50, 1, ["0"], 30),
        ({0: 50, 1: 20}, 50, 1, ["0 to 1", "0 to 1"], 60),
        ({-3: 20, 5: 40}, 50, 1, ["-3 to 5", "-3 to 5"], 270),
        ({-3: 50, 5: 50}, 50, 1, ["-3", "5"], 30),
        ({9: 50, 10: 20, 11: 30, 12: 50}, 50, 1, ["9", "10 to 11", "10 to 11", "12"], 60),
        ({0: 50, 1: 50, 2: 50}, 50, 2, ["0 to 1", "0 to 1", "2"], 60),
        ({0: 50, 2: 50, 3: 50}, 50, 2, ["0", "2 to 3", "2 to 3"], 60),
    ],
)
def test_thin_cohorts_are_joined_from_the_oldest_on(months, least, wide, names, widest):
    joined = join_cohorts(table_of(months), least, wide)
    assert joined.names == dict(zip(map(str, months), names, strict=True))
    assert (joined.count, joined.widest_days) == (len(set(names)), widest)
    assert set(joined.table.feature(COHORT).levels) == set(names)
    wanted = Counter()
    for (month, n), name in zip(months.items(), names, strict=True):
        assert joined.names[str(month)] == name
        wanted[name] += n
    counted = joined.table.to_polars().group_by(COHORT).agg(pl.sum_horizontal(*CAUSES).sum())
    assert dict(counted.iter_rows()) == wanted


def test_any_cohorts_are_large_enough_and_in_order():
    random = Random(3)
    for _ in range(25):
        months = {m: random.randint(1, 40) for m in range(-5, 15) if random.random() < 0.6}
        least, wide = random.choice((1, 20, 50)), random.choice((1, 1, 3))
        joined = join_cohorts(table_of(months), least, wide)
        parts = {}
        for month in sorted(months):
            parts.setdefault(joined.names[str(month)], []).append(month)
        ordered = [m for part in parts.values() for m in part]
        assert ordered == sorted(months)
        sizes = [sum(months[m] for m in part) for part in parts.values()]
        assert len(sizes) == 1 or min(sizes) >= least
        for part in [*parts.values()][:-1]:  # none goes on when it is large and wide enough
            before = [m for m in part if m < part[-1]]
            enough = sum(months[m] for m in before) >= least and part[-1] - part[0] >= wide
            assert not before or not enough
        widths = [30 * (part[-1] - part[0] + 1) for part in parts.values()]
        assert (joined.count, joined.widest_days) == (len(parts), max(widths))


def rows_of_levels(rename=None):
    """Rows with two features, levels of the first one renamed before they are counted."""
    random = Random(8)
    rows = []
    for i in range(200):
        start = random.randint(0, 5)
        for k in range(random.randint(1, 3)):
            stop = start + random.randint(1, 6)
            kind = random.choice("abcd")
            rows.append(
                {"id": i, "start": start, "stop": stop, "event": 0, "kind": kind, "k": f"k{k}"}
            )
            start = stop
        rows[-1]["event"] = i % 3
    frame = pl.DataFrame(rows)
    return frame.with_columns(pl.col("kind").replace(rename or {}))


@pytest.mark.parametrize(
    ("names", "levels"),
    [
        ({"b": "b or d", "d": "b or d"}, ("a", "b or d", "c")),
        ({"a": "c"}, ("c", "b", "d")),
        ({}, ("a", "b", "c", "d")),
        (dict.fromkeys("abcd", "all"), ("all",)),
    ],
)
def test_levels_of_one_name_are_put_together(names, levels):
    """As if they had been of one name when the rows were counted."""
    table = from_rows(rows_of_levels(), ["kind", "k"], causes=CAUSES)
    result = table.relabel("kind", names)
    wanted = from_rows(rows_of_levels(names), ["kind", "k"], causes=CAUSES, levels={"kind": levels})
    assert result.features == wanted.features
    assert result.only("kind", "k") == wanted  # equal rows stay apart until somebody adds them up
    assert result.population.equals(table.population)
    assert [result.events(c) for c in CAUSES] == [table.events(c) for c in CAUSES]


def test_a_feature_that_is_not_there_has_no_other_names():
    with pytest.raises(EstimationError, match="no feature 'kinds'; did you mean 'kind'"):
        from_rows(rows_of_levels(), ["kind"], causes=CAUSES).relabel("kinds", {})
