"""Histories of awkward moments against R's tmerge: the same rows, the same states."""

import polars as pl
import pytest

from cxresearch.histories import bad_count, contact_count, last_grade
from tests.estimators.golden import read
from tests.histories.lives import by_day
from tests.reference.histories import HOUR, SECONDS, Person, Row

MANY = 5  # more than any of the customers has


def customers() -> list[Person]:
    """Entry and exit of each; those who enter late are known from their start."""
    causes = ("censored", "defection")
    return [
        Person(r["id"], r["entry"], r["exit"], causes[r["event"]], r["id"], left_truncated=False)
        for r in read("robust/tmerge_customers.csv").iter_rows(named=True)
    ]


def moments() -> list[Row]:
    """Contacts an hour apart, in the order of the file."""
    rows = read("robust/tmerge_moments.csv").with_columns(
        number=pl.int_range(pl.len()).over("id", "day")
    )
    return [
        Row(r["id"], r["day"] * SECONDS + (r["number"] + 1) * HOUR, r["grade"])
        for r in rows.iter_rows(named=True)
    ]


@pytest.mark.parametrize("engine", ["polars", "polars-lazy", "duckdb"])
def test_states_as_in_tmerge(engine):
    edges = tuple(range(1, MANY + 1))
    histories = {"contacts": contact_count(edges), "bad": bad_count(MANY), "last": last_grade()}
    ours = by_day(moments(), customers(), engine, histories)
    rows = read("robust/tmerge_states.csv").iter_rows(named=True)
    days = {(r["id"], day): r for r in rows for day in range(r["tstart"] + 1, r["tstop"] + 1)}
    assert len(days) == sum(p.exit - p.entry for p in customers())
    for name, column in (("contacts", "contacts"), ("bad", "bad"), ("last", "last_grade")):
        assert ours[name] == {at: str(r[column]) for at, r in days.items()}


def test_rows_are_cut_where_a_moment_lies_between_entry_and_exit():
    inside = {
        (p.customer, m.day)
        for p in customers()
        for m in moments()
        if m.customer == p.customer and p.entry < m.day < p.exit
    }
    rows = read("robust/tmerge_states.csv")
    entries = {(p.customer, p.entry) for p in customers()}
    assert set(rows.select("id", "tstart").rows()) - entries == inside
    assert rows.filter(pl.col("left") == 1).height == sum(
        p.event != "censored" for p in customers()
    )
