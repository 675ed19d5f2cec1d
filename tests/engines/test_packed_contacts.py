"""Contacts as integers: every way of reading a log on Polars gives the same records as the plain one."""

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.engines import packed_contacts
from cxresearch.engines import polars as engine
from cxresearch.engines.packing import downcast, packing_for_bounds, sums, tally
from cxresearch.records.records import read_records
from cxresearch.worlds import KNOWN, simulate


@pytest.fixture(scope="module")
def made():
    """A company with rows at fault: repeats, strangers, ids with blanks."""
    known = simulate(KNOWN["harm"].world, 400, 2)
    log = known.interactions
    odd = log.head(40).with_columns(customer=pl.concat_str(pl.lit(" "), "customer"))
    strangers = log.head(70).with_columns(customer=pl.lit("nobody"), stars=pl.int_range(70) % 5 + 1)
    return type(known)(pl.concat([log, log.sample(90, seed=1), odd, strangers]), known.customers)


def told(made, name="polars"):
    records = read_records(made.study(), name)
    table = cx.risk_table(
        records, bad=cx.bad_count(2), contacts=cx.contacts_within(90), strata=["segment"]
    )
    return (
        records.audit.findings,
        records.audit.facts,
        [q.rows() for _, q in records.audit.quarantine],
        table,
    )


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (engine, "MANY", 0),  # doubtful rows are hashed in all columns first
        (engine, "FEW", 10**6),  # numbers of rows are told to the reader one by one
        (engine, "FEW", 0),
        (engine, "packing_for_bounds", lambda _: None),  # contacts that do not fit into an integer
        (packed_contacts, "PART", 50),  # counted fifty at a time
    ],
    ids=["hashed twice", "told one by one", "all looked for", "as columns", "in small parts"],
)
def test_every_way_gives_the_same(made, monkeypatch, module, name, value):
    plain, lazy = told(made), told(made, "polars-lazy")
    assert plain == lazy
    monkeypatch.setattr(module, name, value)
    assert told(made) == plain
    reasons = {f.reason: f.rows for f in plain[0] if f.table == "interactions"}
    assert reasons["exact duplicate"] >= 90
    assert reasons["unknown customer"] > 0


def test_contacts_of_other_grades_are_left_out(made):
    contacts = read_records(made.study()).log
    every, bad = (contacts.frame(g).to_native() for g in (None, [0]))
    assert bad.equals(every.filter(pl.col("grade") == 0))
    assert 0 < bad.height < every.height
    assert contacts.customers() == every["customer"].n_unique()
    for columns in (("grade", "both", "leaving"), ("grade", "second")):
        assert contacts.tally(columns).equals(
            every.group_by(columns)
            .agg(rows=pl.len())
            .sort(columns)
            .cast(contacts.tally(columns).schema)
        )


def test_numbers_are_as_narrow_as_hold_them():
    kinds = {
        n: downcast(pl.DataFrame({"n": [0, n]}), []).schema["n"] for n in (127, 128, 2**15, 2**31)
    }
    assert kinds == {127: pl.Int8, 128: pl.Int16, 2**15: pl.Int32, 2**31: pl.Int64}
    assert downcast(pl.DataFrame({"n": [-128]}), []).schema["n"] == pl.Int16
    # a sum must be held as well: 32 bits are added up in 32
    assert downcast(pl.DataFrame({"n": [2**30] * 2}), ["n"]).schema["n"] == pl.Int64
    many = downcast(pl.DataFrame({"n": [127] * 1_000}), ["n"])
    assert (many.schema["n"], many["n"].sum()) == (pl.Int8, 127_000)


@pytest.mark.parametrize("wide", [1, 2**50])
def test_sums_and_tallies(wide):
    rng = np.random.default_rng(1)
    a, b, n = (
        rng.integers(0, 4, 500) * wide,
        rng.integers(-3, 3, 500) * wide,
        rng.integers(0, 9, 500),
    )
    frame = pl.DataFrame({"a": a, "b": b, "n": n})
    assert (packing_for_bounds({"a": (0, 3 * wide), "b": (-3 * wide, 2 * wide)}) is None) == (
        wide > 1
    )
    wanted = frame.group_by("a", "b").agg(pl.col("n").sum(), rows=pl.len()).sort("a", "b")
    assert sums(frame, ["a", "b"], ["n"]).rows() == wanted.select("a", "b", "n").rows()
    assert tally(frame, ["a", "b"]).rows() == wanted.select("a", "b", "rows").rows()


def test_the_busiest_customer_is_the_same_in_parts_and_as_a_whole(monkeypatch):
    """Of two with as many contacts it is the first; a customer may lie in several parts."""
    counts = {"a": 2, "b": 5, "c": 5, "d": 1}
    log = pl.DataFrame(
        [(who, day, "bad") for who, n in counts.items() for day in range(1, n + 1)],
        schema=["customer", "at", "grade"],
        orient="row",
    )
    people = pl.DataFrame({"customer": list(counts), "start": [0] * 4, "end": [None] * 4})
    study = cx.study_from(
        {"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=people
    )
    lazy = cx.read_records(study, "polars-lazy").log.busiest()
    assert lazy[1] == 5
    for part in (1, 2, 3, 100):
        monkeypatch.setattr(packed_contacts, "PART", part)
        assert cx.read_records(study).log.busiest() == lazy
