"""Five hundred of the mutated studies of `benchmarks/mutations`: answers, or errors of our own."""

from random import Random

import polars as pl
import pytest
from benchmarks import mutations
from benchmarks.mutations import Outcome, in_processes, spoilt_bytes, spoilt_text, table, tried

from cxresearch.records.audit import Audit, Finding


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_a_spoilt_study_gives_an_answer_or_one_of_our_errors(part):
    outcomes = [tried(number) for number in range(50 * part, 50 * (part + 1))]
    assert [o for o in outcomes if o.result == "finding"] == []
    assert len({o.what for o in outcomes}) == 6
    assert {"answered", "StudyError", "DataError"} <= {o.result for o in outcomes}


@pytest.mark.slow
def test_a_few_in_a_process_of_their_own():
    outcomes = list(in_processes(range(6), jobs=1))
    assert [o.number for o in outcomes] == list(range(6))
    assert [(o.what, o.result) for o in outcomes] == [
        (t.what, t.result) for t in map(tried, range(6))
    ]


def test_a_number_gives_the_same_mutation():
    made = [spoilt_bytes(Random(7), bytes(range(99))), spoilt_bytes(Random(7), bytes(range(99)))]
    assert made[0] == made[1] != bytes(range(99))
    text = "a = 1\nb = 2\nc = 3"
    assert len({spoilt_text(Random(n), text) for n in range(50)}) > 20


def audit(read, kept, rows, quarantined):
    held = (("interactions", pl.DataFrame({"row": range(quarantined)})),) if quarantined else ()
    return Audit(
        tables=(),
        read=(("interactions", read),),
        kept=(("interactions", kept),),
        findings=(Finding("interactions", "no customer", rows, (), fault=True),) if rows else (),
        facts=(),
        quarantine=held,
    )


def test_rows_that_are_not_accounted_for_are_found():
    assert mutations.accounted(audit(10, 8, 2, 2)) == ""
    assert "read 10, kept 8" in mutations.accounted(audit(10, 8, 1, 1))
    assert "2 faulty rows, 1 quarantined" in mutations.accounted(audit(10, 8, 2, 1))
    assert mutations.accounted(audit(10, 12, -2, 0)) != ""


def test_what_is_no_error_of_ours_is_a_finding(monkeypatch):
    monkeypatch.setattr(mutations.cx, "read_study", lambda _: {}["no such key"])
    outcome = tried(3)
    assert outcome.result == "finding"
    assert outcome.detail.startswith("KeyError at test_mutations.py")


def test_the_table_counts_everything_once():
    outcomes = [
        Outcome(0, "toml", "StudyError", 0.1),
        Outcome(1, "toml", "answered", 0.2),
        Outcome(2, "cells", "finding", 3.0, "what"),
    ]
    made = table(outcomes)
    assert "| toml | 2 | 1 | 1 | 0 |" in made
    assert "| **all** | 3 | 1 | 1 | 1 |" in made
    assert "slowest took 3.0 s" in made
