"""What must hold for any study: tables of disjoint clusters add up, and order and the last day do not matter."""

import random
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cxresearch.errors import DataError, EstimationError
from cxresearch.histories import age_of_last, bad_count, contacts_within, last_grade
from cxresearch.risk.episodes import episodes
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import RiskTable, risk_table, total
from tests.pipeline import records_of
from tests.reference import oracle
from tests.small_studies import contract_studies

HISTORIES = {
    "bad": bad_count(2),
    "contacts": contacts_within(60),
    "last": last_grade(),
    "age": age_of_last("bad", (7, 30)),
}


def table_of(contacts, customers, settings) -> RiskTable:
    """The risk table, or give up on a study without anything to keep."""
    try:
        return risk_table(
            episodes(
                records_of(contacts, customers, settings, "polars"), HISTORIES, fixed=("segment",)
            )
        )
    except DataError:
        assume(condition=False)
        raise


def fixed_window(contacts, customers, settings):
    """The same settings with the log's window written down, so that a part of the study has the window of the whole."""
    days = [c["at"].date() for c in contacts if c["at"] and c["customer"]]
    assume(bool(days))
    return replace(
        settings, log_from=settings.log_from or min(days), log_until=settings.log_until or max(days)
    )


def apart_from_groups(table: RiskTable) -> dict[tuple[object, ...], tuple[int, ...]]:
    """Flows by time and names of levels, summed over groups."""
    names = [f.name for f in table.features]
    counts = ["entered", "left", *table.causes]
    summed = table.to_polars().group_by("time", *names).agg(pl.col(*counts).cast(pl.Int64).sum())
    rows = summed.select("time", *names, *counts).iter_rows()
    return {row[: 1 + len(names)]: row[1 + len(names) :] for row in rows}


@pytest.mark.slow
@given(study=contract_studies(), cut=st.integers(1, 99))
def test_tables_of_disjoint_clusters_add_up(study, cut):
    contacts, customers, settings = study
    settings = fixed_window(*study)
    group = {
        c["customer"]: oracle.group_of(c["customer"], c["cluster"])
        for c in customers
        if c["customer"]
    }
    # a customer whose rows name two clusters belongs to no part
    clusters = {(c["customer"], c["cluster"]) for c in customers if c["customer"]}
    assume(len(clusters) == len(group))
    parts = []
    for low in (True, False):
        chosen = {c for c, g in group.items() if (g < cut) == low}
        some = [c for c in contacts if c["customer"] in chosen]
        who = [c for c in customers if c["customer"] in chosen]
        assume(bool(some) and bool(who))
        parts.append(table_of(some, who, settings))
    rest = [c for c in contacts if c["customer"] in group]
    whole = table_of(rest, [c for c in customers if c["customer"]], settings)
    # clusters are numbered within each study: what adds up is what a group has no part in
    assert apart_from_groups(parts[0] + parts[1]) == apart_from_groups(whole)
    assert total(parts) == parts[1] + parts[0]
    for count in ("customers", "clusters"):
        assert sum(p.population[count].sum() for p in parts) == whole.population[count].sum()


@given(study=contract_studies(), seed=st.integers(0, 1_000))
def test_order_of_rows_does_not_matter(study, seed):
    contacts, customers, settings = study
    shuffled, others = list(contacts), list(customers)
    random.Random(seed).shuffle(shuffled)
    random.Random(seed + 1).shuffle(others)
    assert table_of(shuffled, others, settings) == table_of(*study)


@pytest.mark.slow
@given(study=contract_studies())
def test_moments_on_the_exit_day_have_no_effect(study):
    contacts, customers, settings = study
    settings = fixed_window(*study)
    before = table_of(contacts, customers, settings)
    kept = oracle.read_contract(contacts, customers, settings).customers
    day_zero = oracle.date.fromordinal
    more = [
        {
            "customer": c.customer,
            "at": oracle.datetime.combine(day_zero(c.exit), oracle.datetime.min.time())
            + timedelta(hours=h),
            "grade": "bad",
        }
        for c in kept
        for h in (1, 13)
    ]
    assert table_of(contacts + more, customers, settings) == before


@given(study=contract_studies(), days=st.integers(0, 5))
def test_numbers_at_risk_balance(study, days):
    table = table_of(*study)
    flows = table.flows
    assert (flows.select(pl.all() >= 0).to_numpy()).all()
    assert flows["entered"].sum() == flows["left"].sum()
    assert sum(table.events(c) for c in table.causes) == table.customers
    assert table.only("bad").flows["entered"].sum() == flows["entered"].sum()
    assert days >= 0


def test_sums_refuse_unlike_tables():
    rows = pl.DataFrame(
        {
            "id": [1, 2],
            "start": [0, 0],
            "stop": [3, 4],
            "event": [1, 0],
            "a": ["x", "y"],
            "b": ["x", "y"],
        }
    )
    with pytest.raises(EstimationError, match="same clock, causes and features"):
        from_rows(rows, ["a"]) + from_rows(rows, ["b"])
    with pytest.raises(EstimationError, match="end after it starts"):
        from_rows(rows.with_columns(stop=pl.lit(0)), ["a"])


def test_levels_found_in_only_one_part_are_kept():
    rows = pl.DataFrame(
        {"id": [1, 2], "start": [0, 0], "stop": [3, 4], "event": [1, 0], "a": ["x", "y"]}
    )
    # clusters are numbered within the rows, so only tables of one group each are those of disjoint clusters
    parts = [from_rows(part, ["a"], grouped=False) for part in (rows.head(1), rows.tail(1))]
    both = parts[0] + parts[1]
    assert both == from_rows(rows, ["a"], grouped=False)
    assert both.feature("a").levels == ("x", "y")
