"""The excess against sums written out customer by customer, and against companies whose truth is known."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize

import cxresearch as cx
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.excess import excess
from cxresearch.histories import age_of_last, bad_count, contact_count, contacts_within
from cxresearch.records.records import read_records
from cxresearch.risk.episodes import clock_of, episodes
from cxresearch.risk.matched import matched_table
from tests.claims.small_company import FIRST_DAY, LAST, STUDY, make_company
from tests.estimators.matched_rows import Company, chance, table_of
from tests.reference import estimators as written_out
from tests.reference import grids

RIDGE = 1e-3


def cells_of(table, lead):
    """By stratum and day: the exposed, and who is comparable, each as (pattern, time, event)."""
    exposed, comparable = defaultdict(list), defaultdict(list)
    for r in table.exposed.iter_rows(named=True):
        if r["time"] > lead:
            exposed[r["stratum"], r["day"]].append((r["pattern"], r["time"], r["event"]))
    for (stratum, day), _ in exposed.items():
        for r in table.spans.iter_rows(named=True):
            there = r["stratum"] == stratum and r["first"] <= day < r["last"]
            if there and r["end"] - day > lead:
                comparable[stratum, day].append((r["pattern"], r["end"] - day, r["event"]))
    return exposed, comparable


def incidence(ends, horizon):
    """Aalen–Johansen of event 1 from (time, event, weight)."""
    stay, result = 1.0, 0.0
    for day in range(1, horizon + 1):
        risk = sum(w for t, _, w in ends if t >= day)
        own = sum(w for t, e, w in ends if t == day and e == 1)
        every = sum(w for t, e, w in ends if t == day and e > 0)
        if risk > 1e-12:
            result += stay * own / risk
            stay *= 1 - every / risk
    return result


def loops(table, horizon, lead, terms):
    """Incidence of exposed and comparators, and how many exposed have nobody to compare with."""
    exposed, comparable = cells_of(table, lead)
    kept = {c: rows for c, rows in exposed.items() if comparable[c]}
    dropped = sum(len(rows) for c, rows in exposed.items() if c not in kept)
    places = [table.terms.index(t) for t in terms]
    levels = [(k, level) for k in places for level in sorted({p[k] for p in table.patterns})]
    x = {
        i: np.array([float(p[k] == level) for k, level in levels])
        for i, p in enumerate(table.patterns)
    }
    n = sum(map(len, kept.values()))

    def loss(gamma):
        value = 0.5 * RIDGE * n * gamma @ gamma
        for c, rows in kept.items():
            value -= sum(gamma @ x[p] for p, _, _ in rows)
            value += len(rows) * np.log(sum(np.exp(gamma @ x[p]) for p, _, _ in comparable[c]))
        return value / n

    gamma = (
        minimize(loss, np.zeros(len(levels)), method="BFGS", options={"gtol": 1e-9}).x
        if levels
        else np.zeros(0)
    )
    ours = [(t, e, 1.0) for rows in kept.values() for _, t, e in rows]
    theirs = []
    for c, rows in kept.items():
        odds = [np.exp(gamma @ x[p]) for p, _, _ in comparable[c]]
        theirs += [
            (t, e, len(rows) * o / sum(odds))
            for (_, t, e), o in zip(comparable[c], odds, strict=True)
        ]
    return incidence(ours, horizon), incidence(theirs, horizon), dropped, n


@pytest.mark.parametrize("terms", [(), ("so_far",), ("lately", "so_far")])
@pytest.mark.parametrize("lead", [0, 9])
def test_loops_over_customers_give_the_same(terms, lead):
    table = chance()
    exposed, comparators, dropped, kept = loops(table, 50, lead, terms)
    result = excess(table, 50, lead=lead, terms=terms)
    assert result.exposed.value == pytest.approx(exposed, abs=1e-12)
    assert result.comparators.value == pytest.approx(comparators, abs=1e-6)
    assert (result.dropped, result.customers) == (dropped, kept)
    assert dropped > 0
    assert result.unmatched_share == dropped / (dropped + kept)
    assert result.comparators_curve[-1] == result.comparators.value
    assert not result.exposed_curve[: lead + 1].any()
    assert (result.lead, result.terms) == (lead, terms)


@pytest.fixture(scope="module")
def company():
    return make_company()


@pytest.mark.parametrize("terms", [(), ("lately",), ("lately", "so_far")])
@pytest.mark.parametrize("lead", [0, 14])
def test_raw_rows_of_a_company_give_the_same(company, terms, lead):
    log, people = company.tables()
    read = {section: keys for section, keys in STUDY.items() if section != "decision"}
    records = read_records(cx.study_from(read, interactions=log, retention=people))
    histories = {
        "bad": bad_count(3),
        "today": contacts_within(1, (1,)),
        "lately": contacts_within(90, (1, 3, 6)),
        "so_far": contact_count((1, 3, 6)),
        "last": age_of_last("good", (30, 90)),
    }
    eps = episodes(
        records,
        histories,
        fixed=("segment",),
        clock=clock_of(records.study),
        observed_from_start=True,
    )
    table = matched_table(
        eps, "bad", "1", "today", exclude_from="3+", matched_on=["last"], standardise_by=terms
    )
    life = grids.read(company.log, company.people, FIRST_DAY, FIRST_DAY + timedelta(days=LAST))
    states = {
        "lately": grids.within(life, 90, (1, 3, 6)),
        "so_far": grids.banded(grids.count(life), (1, 3, 6)),
    }
    wanted = written_out.excess(
        life,
        grids.count(life, grade=grids.BAD),
        1,
        3,
        200,
        grids.age_of_last(life, grids.GOOD, (30, 90)),
        terms=[states[t] for t in terms],
        lead=lead,
    )
    result = excess(table, 200, lead=lead)
    assert result.exposed.value == pytest.approx(wanted.exposed, abs=1e-10)
    assert result.comparators.value == pytest.approx(wanted.comparators, abs=1e-9)
    assert (result.customers, result.events) == (wanted.customers, wanted.events)


def test_standardising_by_what_all_share_changes_nothing():
    table = chance()
    alike = replace(table, terms=("plan",), patterns=(("a",),) * 6)
    one, other = excess(table, 50, terms=()), excess(alike, 50)
    assert other.excess.value == pytest.approx(one.excess.value, abs=1e-12)
    assert other.excess.se == pytest.approx(one.excess.se, abs=1e-12)


def test_several_batches_are_as_one(monkeypatch):
    table = chance()
    one = excess(table, 50)
    monkeypatch.setattr("cxresearch.estimators.excess._AT_ONCE", 7)
    other = excess(table, 50)
    np.testing.assert_allclose(other.influence, one.influence, rtol=0, atol=1e-12)
    assert other.comparators.value == pytest.approx(one.comparators.value, abs=1e-12)


def test_rows_that_count_many_times_are_as_many_rows():
    table = chance()
    counted = replace(
        table,
        exposed=table.exposed.with_columns(customers=pl.lit(3)),
        spans=table.spans.with_columns(customers=pl.lit(3)),
    )
    assert excess(counted, 50).excess.value == pytest.approx(excess(table, 50).excess.value)


def test_a_level_that_no_comparator_has_leaves_its_customers_out():
    table = chance()
    never = table.spans.filter(pl.col("pattern") % 3 != 2)
    result = excess(replace(table, spans=never), 50, terms=["so_far"])
    rows = table.exposed.filter(pl.col("pattern") % 3 != 2)
    wanted = excess(replace(table, spans=never, exposed=rows), 50, terms=["so_far"])
    assert result.excess.value == pytest.approx(wanted.excess.value, abs=1e-9)
    assert result.customers == wanted.customers
    assert result.dropped == wanted.dropped + int(
        table.exposed.filter(pl.col("pattern") % 3 == 2)["customers"].sum()
    )


def test_what_can_not_be():
    table = chance()
    with pytest.raises(EstimationError, match="lead must be at least 0 and less than the horizon"):
        excess(table, 50, lead=50)
    with pytest.raises(EstimationError, match="no term 'so_fer'; did you mean 'so_far'"):
        excess(table, 50, terms=["so_fer"])
    with pytest.raises(NotTestable, match="customers with such a moment and comparable ones"):
        excess(replace(table, spans=table.spans.filter(pl.col("first") > 90)), 50)
    elsewhere = table.spans.with_columns(first=pl.lit(100), last=pl.lit(101), end=pl.lit(150))
    with pytest.raises(NotTestable, match="customers with such a moment and comparable ones"):
        excess(replace(table, spans=elsewhere), 50)
    early = table.exposed.with_columns(time=pl.lit(50), event=pl.lit(1, pl.Int64))
    with pytest.raises(NotTestable, match="customers with such a moment and comparable ones"):
        excess(replace(table, exposed=early.with_columns(day=pl.lit(99))), 50)


def test_influences_are_nobodys_to_read():
    result = excess(chance(), 50)
    assert result.influence.shape == (50, 3)
    assert not {"influence", "groups"} & result.to_dict().keys()
    frame = result.to_polars()
    assert not {"influence", "groups"} & set(frame.columns)
    assert frame["times"].to_list() == list(range(51))
    assert frame["excess_low"].unique().to_list() == [result.excess.low]
    assert frame["comparators_curve"][50] == frame["comparators"][0]
    text = excess(chance(), 50, lead=7)._repr_html_()
    assert "standardised by lately, so_far" in text
    assert "still there 7 days after the moment" in text


def test_levels_of_contacts_by_hand():
    """Half the exposed leave; who had two contacts leaves among comparators, who had one stays. The exposed had two."""
    exposed = [(i, 0, 1, 5, 3, 1, 1) if i < 20 else (i, 0, 1, 5, 50, 0, 1) for i in range(40)]
    spans = [
        (i, 0, 1, 0, 9, 9, 1, 1) if i < 50 else (i, 0, 0, 0, 9, 60, 0, 1) for i in range(40, 80)
    ]
    table = table_of(exposed, spans, 80, terms=("contacts",), patterns=(("1",), ("2",)))
    plain, held = excess(table, 30, terms=(), min_at_risk=1), excess(table, 30, min_at_risk=1)
    assert plain.exposed.value == held.exposed.value == pytest.approx(0.5)
    assert plain.comparators.value == pytest.approx(10 / 40)
    assert 0.99 < held.comparators.value < 1, "but for the penalty, one"


def simulated(company, seeds, **args):
    """Estimate less truth, error, and whether the interval covers, by seed."""
    rows = []
    for seed in seeds:
        table = company.table(seed)
        result = excess(table, company.horizon, **args)
        truth = company.truth(table, args.get("lead", 0))
        e = result.excess
        rows.append((e.value - truth, e.se, e.low <= truth <= e.high, truth))
    return np.array(rows)


@pytest.mark.parametrize(("effect", "lead"), [(1.0, 0), (2.0, 0), (2.0, 14)])
def test_confounding_by_contacts_is_removed(effect, lead):
    company, seeds = Company(effect=effect), range(12)
    crude = simulated(company, seeds, lead=lead, terms=())
    held = simulated(company, seeds, lead=lead)
    noise = held[:, 1].mean() / len(seeds) ** 0.5
    assert crude[:, 0].mean() > 4 * noise, (
        "customers in touch often leave more, and have more moments"
    )
    assert abs(held[:, 0].mean()) < 2.5 * noise
    if effect > 1:
        assert held[:, 3].min() > 0.08
        estimates = held[:, 0] + held[:, 3]
        assert np.mean(estimates > 1.96 * held[:, 1]) > 0.9, "a planted excess is seen"


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "lead"), [(1.0, 0), (1.0, 14), (2.0, 0)])
def test_intervals_cover(effect, lead):
    result = simulated(Company(effect=effect), range(100, 300), lead=lead)
    assert 0.91 <= result[:, 2].mean() <= 0.985
    assert result[:, 1].mean() == pytest.approx(result[:, 0].std(), rel=0.15)
