"""Who is compared with whom, against a walk over every customer and day; joined strata; sums of parts."""

from collections import Counter
from dataclasses import replace

import narwhals.stable.v2 as nw
import pytest

from cxresearch.errors import ArgumentError, EstimationError
from cxresearch.estimators.excess import excess
from cxresearch.histories import age_of_last, bad_count, contact_count, contacts_within
from cxresearch.histories.base import DayClock
from cxresearch.records.records import read_records
from cxresearch.risk.episodes import episodes
from cxresearch.risk.matched import MatchedTable, comparable, matched_table, total
from cxresearch.worlds import World, simulate

ENGINES = ["polars", "polars-lazy", "duckdb"]
STUDY = simulate(World(days=200, entry_days=60, bad_share=0.4, base_hazard=0.004), 120, 5).study()
HISTORIES = {
    "bad": bad_count(3),
    "recent": contacts_within(90, (1,)),
    "lately": contacts_within(90, (1, 3, 6)),
    "so_far": contact_count((1, 3, 6)),
    "age": age_of_last("any", (7, 30)),
}
ASKED = {"matched_on": ("age",), "standardise_by": ("lately", "so_far")}


def episodes_on(engine):
    """The episodes of all customers whose beginnings are seen."""
    records = read_records(STUDY, engine)
    return episodes(
        records, HISTORIES, fixed=("segment",), clock=DayClock(), observed_from_start=True
    )


@pytest.fixture(scope="module")
def eps():
    return episodes_on("polars")


def rows_of(table: MatchedTable):
    """Exposed, and comparators of each day, by names instead of positions."""
    exposed, comparators = Counter(), Counter()
    for r in table.exposed.iter_rows(named=True):
        names = (table.strata[r["stratum"]], table.patterns[r["pattern"]], table.causes[r["event"]])
        exposed[r["group"], r["day"], r["time"], *names] += r["customers"]
    for r in table.spans.iter_rows(named=True):
        names = (table.strata[r["stratum"]], table.patterns[r["pattern"]], table.causes[r["event"]])
        for day in range(r["first"], r["last"]):
            comparators[r["group"], day, r["end"] - day, *names] += r["customers"]
    return exposed, comparators


def walked(eps):
    """The same, from the rows of every customer: the state after the contacts of each day."""
    exposed, comparators = Counter(), Counter()
    frame = eps.to_polars()
    for rows in frame.partition_by("customer", maintain_order=True):
        states = {
            day: r for r in rows.iter_rows(named=True) for day in range(r["start"], r["stop"])
        }
        last = rows.row(-1, named=True)
        end, event = last["stop"], last["event"]
        reached = [day for day, r in states.items() if r["bad"] not in ("0", "unknown")]
        for day, r in states.items():
            key = (
                r["group"],
                day,
                end - day,
                (r["segment"], r["age"]),
                (r["lately"], r["so_far"]),
                event,
            )
            if reached and day == min(reached):
                exposed[key] += 1
            elif r["bad"] == "0" and r["recent"] != "0":
                comparators[key] += 1
    return exposed, comparators


def test_every_customer_and_day(eps):
    table = matched_table(eps, "bad", "1", "recent", **ASKED)
    assert table.covariates == ("segment", "age")
    assert table.terms == ("lately", "so_far")
    assert len(table.strata) > 4
    exposed, comparators = rows_of(table)
    wanted = walked(eps)
    assert exposed == wanted[0]
    assert comparators == wanted[1]
    assert exposed.total() > 50
    named = Counter()
    for r in table.to_polars().iter_rows(named=True):
        names = ((r["segment"], r["age"]), (r["lately"], r["so_far"]), r["event"])
        named[r["group"], r["day"], r["time"], *names] += r["customers"]
    assert named == exposed


def test_the_same_on_every_engine():
    first, *others = (
        matched_table(episodes_on(name), "bad", "1", "recent", **ASKED) for name in ENGINES
    )
    for other in others:
        same(other, first)


def same(a: MatchedTable, b: MatchedTable):
    for name in ("exposed", "spans", "population"):
        assert getattr(a, name).equals(getattr(b, name)), name
    for name in ("covariates", "strata", "terms", "patterns", "causes", "exclusions"):
        assert getattr(a, name) == getattr(b, name), name


def test_parts_add_up(eps):
    parts = [
        replace(eps, frame=eps.frame.filter(nw.col("group") % 3 == i), exclusions=())
        for i in range(3)
    ]
    tables = [matched_table(p, "bad", "1", "recent", **ASKED) for p in parts]
    whole = matched_table(replace(eps, exclusions=()), "bad", "1", "recent", **ASKED)
    same(total(tables), whole)
    same(tables[0] + tables[1] + tables[2], whole)
    other = matched_table(parts[0], "bad", "1", "recent", matched_on=["age"])
    with pytest.raises(EstimationError, match="the same causes, covariates and terms"):
        total([tables[0], other])


def test_comparators_counted_before(eps):
    others = comparable(eps, "bad", "1", "recent", **ASKED)
    same(
        matched_table(eps, "bad", "1", "recent", **ASKED, others=others),
        matched_table(eps, "bad", "1", "recent", **ASKED),
    )


def test_strata_are_joined(eps):
    table = matched_table(eps, "bad", "1", "recent", **ASKED)
    segments = {s for s, _ in table.strata}
    joined = table.relabel("segment", dict.fromkeys(segments, "all"))
    without = matched_table(replace(eps, fixed={}), "bad", "1", "recent", **ASKED)
    assert {s for s, _ in joined.strata} == {"all"}
    assert [age for _, age in joined.strata] == [age for (age,) in without.strata]
    assert joined.exposed.equals(without.exposed)
    assert joined.spans.equals(without.spans)
    one, other = excess(joined, 60, min_at_risk=2), excess(without, 60, min_at_risk=2)
    assert one.excess == other.excess
    assert one.unmatched_share <= excess(table, 60, min_at_risk=2).unmatched_share
    same(table.relabel("segment", {}), table)
    with pytest.raises(EstimationError, match="do not share a covariate 'segmnt'; did you"):
        table.relabel("segmnt", {})


def test_a_history_that_is_there_once(eps):
    with pytest.raises(EstimationError, match="'age' is named twice"):
        matched_table(eps, "bad", "1", "recent", matched_on=["age"], standardise_by=["age"])
    with pytest.raises(ArgumentError, match="matched_on must be a list of names"):
        matched_table(eps, "bad", "1", "recent", matched_on="age")
    days = replace(eps, histories=dict(eps.histories) | {"day": eps.histories["age"]})
    with pytest.raises(EstimationError, match="'day' is a column of every matched table"):
        matched_table(days, "bad", "1", "recent", matched_on=["day"])
    with pytest.raises(EstimationError, match="no history 'so_fer'; did you mean 'so_far'"):
        matched_table(eps, "bad", "1", "recent", standardise_by=["so_fer"])


def test_nobody_exposed(eps):
    never = replace(eps, frame=eps.frame.filter(nw.col("bad") == 0))
    table = matched_table(never, "bad", "3+", "recent", **ASKED)
    assert table.exposed.height == 0
    assert table.spans.height > 0
