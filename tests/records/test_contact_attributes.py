"""What contacts tell besides their grade, and the dated events they tell of: the same on every engine."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from cxresearch import study_from
from cxresearch.engines import packed_contacts
from cxresearch.engines.packing import packing_for_bounds, packing_of_two_for_bounds
from cxresearch.errors import DataError, StudyError
from cxresearch.records.contacts import OPTIONAL
from cxresearch.records.contracts import EPOCH
from cxresearch.records.dated_events import KINDS
from cxresearch.records.records import columns_of, read_records
from tests.engine_names import ENGINES

EVERYWHERE = (*ENGINES, pytest.param("spark", marks=pytest.mark.spark))
SETTINGS = {
    "interactions": {
        "score": "stars",
        "scale": [1, 5],
        "unattended": ["web", "Bill"],
        "log_from": datetime(2024, 1, 1).date(),
        "log_until": datetime(2024, 12, 31).date(),
    },
    "retention": {"cluster": "household"},
}


def log():
    """Six contacts of two customers; one after the end of its customer, and one of nobody."""
    at = [datetime(2024, 1, d, 12) for d in (5, 6, 7, 8, 9)] + [datetime(2024, 6, 1)]
    return pl.DataFrame(
        {
            "customer": ["a", "a", "b", "b", "nobody", "b"],
            "at": at,
            "stars": [1.0, 5.0, None, 3.0, 2.0, 1.0],
            "channel": ["web", "phone", " WEB ", None, "phone", "web"],
            "touchpoint": ["app", "bill", "call", "", "call", "call"],
            "agent": ["Zoe", "Ann", None, "Ann", "Ann", "Zoe"],
            "handoff": [True, False, None, True, True, True],
            "is_problem": ["yes", "no", "", "TRUE", "no", "no"],
            "respect": [2, 3, None, 9, 1, 1],
            "level": ["Basic", "unbelievable", "odd", None, "basic", "basic"],
            "problem_at": [
                "2024-01-05 11:00:00",
                None,
                None,
                "2024-01-08 13:00:00",
                None,
                "2024-06-01 00:00:00",
            ],
            "resolved_at": ["2024-01-06 11:00:01", "2024-01-07 00:00:00", None, "soon", None, None],
            "goodwill_at": [None, "2024-01-01 00:00:00", None, None, None, None],
            "informed_at": ["2024-01-05 10:59:59", None, None, "2024-01-08 14:00:00", None, None],
            "posted_at": [None, None, "2024-02-01 10:00:00", None, "2024-02-01 10:00:00", None],
        }
    )


def who():
    """Two customers of one household; the second leaves in March."""
    return pl.DataFrame(
        {
            "customer": ["a", "b"],
            "start": ["2024-01-01", "2024-01-02"],
            "end": [None, "2024-03-01"],
            "household": ["h", "h"],
        }
    )


def records(engine, table=None, **settings):
    raw = {**SETTINGS, "interactions": {**SETTINGS["interactions"], **settings}}
    return read_records(
        study_from(raw, interactions=log() if table is None else table, retention=who()), engine
    )


def rows(result, frame, *columns):
    """The rows by customer and time, customers by name."""
    ids = result.engine.collect(result.customers.select("id", "customer")).cast(
        {"customer": pl.Int64}
    )
    x = result.engine.collect(frame).cast({"customer": pl.Int64})
    x = x.join(ids, on="customer").sort("id", "day", "second", *columns)
    return list(x.select("id", *columns).iter_rows())


@pytest.mark.parametrize("engine", EVERYWHERE)
def test_contact_attributes_are_whole_numbers(engine):
    result = records(engine)
    # by name: attended, handoff, is_problem, level, respect, score
    assert rows(
        result, result.moments, "attended", "handoff", "is_problem", "level", "respect", "score"
    ) == [
        ("a", 0, 1, 1, 1, 0, 0),
        ("a", 0, 0, 0, 5, 1, 1000),  # a bill has no person, whatever the channel
        ("b", 0, 0, 0, -1, -1, -1),
        ("b", -1, 1, 1, -1, -1, 500),  # a 9 is off the scale
    ]
    assert result.names["agent"] == ("Ann", "Zoe")
    assert rows(result, result.moments, "agent", "channel") == [
        ("a", 1, 2),
        ("a", 0, 1),
        ("b", -1, 0),
        ("b", 0, -1),
    ]


@pytest.mark.parametrize("engine", EVERYWHERE)
def test_dated_events_take_effect_at_the_contact_or_later(engine):
    result = records(engine)
    day = datetime(2024, 1, 5).toordinal() - EPOCH
    problem, resolved, goodwill, _, post = range(len(KINDS))
    assert rows(
        result, result.dated_events, "day", "second", "kind", "took", "grade", "informed"
    ) == [
        ("a", day, 43_200, problem, 86_401, 0, 1),  # known at noon, though it came at eleven
        ("a", day + 1, 39_601, resolved, 86_401, 0, 0),
        ("a", day + 1, 43_200, goodwill, -1, 2, 0),
        (
            "b",
            day + 3,
            46_800,
            problem,
            -1,
            1,
            0,
        ),  # told too late; when it was resolved cannot be read
        ("b", day + 27, 36_000, post, -1, 3, 0),
    ]
    facts = {f.name: str(f.value) for f in result.audit.facts}
    assert facts["times not readable in resolved_at"].startswith("1 ")


def test_what_is_not_asked_for_is_not_read():
    study = study_from(SETTINGS, interactions=log(), retention=who())
    result = read_records(study, required_columns=("score",))
    assert set(result.moments.columns) == {
        "customer",
        "day",
        "second",
        "grade",
        "both",
        "leaving",
        "score",
    }
    everything = read_records(study)
    assert result.available == everything.available == columns_of(study)
    assert {"household", "problem_at", "posted_at", "attended", "respect"} <= result.available
    assert result.audit.counts() == everything.audit.counts()
    assert result.audit.facts == everything.audit.facts


def test_two_integers_where_one_is_too_small(monkeypatch):
    """What does not fit into 63 bits is kept beside it, in the same order and the same parts."""
    columns = (
        "attended",
        "handoff",
        "is_problem",
        "level",
        "respect",
        "score",
        "agent",
        "channel",
        "grade",
    )
    one = records("polars")
    assert one.log.rest is None
    wide = {
        "customer": (0, 1),
        "day": (0, 2**30),
        "second": (0, 86_400),
        "grade": (0, 3),
        "score": (-1, 2**40),
    }
    assert packing_for_bounds(wide) is None
    first, rest = packing_of_two_for_bounds(wide)
    assert (first.columns, rest.columns) == (("customer", "day", "second", "grade"), ("score",))
    assert packing_of_two_for_bounds({"a": (0, 2**62), "b": (0, 2**62), "c": (0, 2**62)}) is None
    monkeypatch.setattr("cxresearch.engines.polars.packing_for_bounds", lambda _: None)
    monkeypatch.setattr("cxresearch.engines.polars.packing_of_two_for_bounds", _halves)
    monkeypatch.setattr(packed_contacts, "PART", 1)
    two = records("polars")
    assert two.log.rest is not None
    assert rows(two, two.moments, *columns) == rows(one, one.moments, *columns)
    for grades in (None, (0, 1)):
        parts = [part() for part in two.parts(grades)]
        kept = [r for part in parts for r in rows(part, part.moments, *columns)]
        assert sorted(kept) == sorted(
            r for r in rows(one, one.moments, *columns) if not grades or r[-1] in grades
        )
        assert sum(part.dated_events.shape[0] for part in parts) == one.dated_events.shape[0]
    assert two.log.tally(("grade", "both", "leaving")).equals(
        one.log.tally(("grade", "both", "leaving"))
    )


def _halves(bounds):
    names = list(bounds)
    return packing_for_bounds({n: bounds[n] for n in names[:6]}), packing_for_bounds(
        {n: bounds[n] for n in names[6:]}
    )


@pytest.mark.parametrize("engine", EVERYWHERE)
def test_a_flag_that_looks_ahead_is_refused(engine):
    table = log().with_columns(resolved_at=pl.Series([True, False, None, True, True, True]))
    with pytest.raises(DataError, match=r"resolved_at.*looks ahead.*known_at_contact"):
        records(engine, table)
    result = records(engine, table, known_at_contact=["resolved_at"])
    took = [r for r in rows(result, result.dated_events, "kind", "took") if r[1] == 1]
    assert took == [("a", 1, 3600), ("b", 1, 0)]  # resolved at the contact itself


def test_wrong_columns_are_named():
    with pytest.raises(
        DataError,
        match=r"interactions.handoff: the column 'stars' holds in 3 rows words that are neither true nor false: "
        r"'2.0', '3.0', '5.0'",
    ):
        records("polars", handoff="stars")
    with pytest.raises(
        DataError, match=r"interactions.respect: the column 'agent' must hold numbers"
    ):
        records("polars", respect="agent")
    with pytest.raises(
        DataError, match=r"interactions.posted_at: the column 'stars' must hold times"
    ):
        records("polars", posted_at="stars")
    with pytest.raises(StudyError, match=r"known_at_contact: 'resolvd_at'.*resolved_at"):
        records("polars", known_at_contact=["resolvd_at"])
    with pytest.raises(StudyError, match=r"expectations_scale must rise"):
        records("polars", expectations_scale=[5, 1])
    odd = log().with_columns(handoff=pl.lit(0.5))  # also where it is found by its name alone
    with pytest.raises(DataError, match=r"interactions.handoff.*neither true nor false: '0.5'"):
        records("polars", odd)
    floats = log().with_columns(handoff=pl.Series([1.0, 0.0, None, float("nan"), 1.0, 1.0]))
    assert "handoff" in records("polars", floats).available


def test_every_column_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "columns.md").read_text(encoding="utf-8")
    assert not [
        name
        for name in (
            *OPTIONAL,
            "unattended",
            "known_at_contact",
            "marketing",
            "null_values",
            "true_values",
            "false_values",
        )
        if f"`{name}`" not in text
    ]
