"""Verdicts as a compact table: one line per claim, what can be tried first, and nothing that is not in the docket."""

import io
import zipfile

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims.results import estimate_text
from cxresearch.claims.verdict_table import count_verdicts, spreadsheet_tables, verdict_table
from cxresearch.utils.spreadsheets import csv_text, workbook

CLAIMS = ["household-contagion", "bad-moments-drive-away", "public-posting"]


@pytest.fixture(scope="module")
def docket():
    made = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1)
    study = made.study().replace(cluster=None)
    return cx.evaluate(study, CLAIMS, alone=True, keep=False, verdicts_only=True)


def test_a_line_per_claim(docket):
    lines = verdict_table(docket).splitlines()
    assert lines[1] == count_verdicts(docket)
    assert lines[3].split() == ["claim", "verdict", "number", "base", "rate", "why"]
    for trial in docket.values():
        line = next(x for x in lines[3:] if x.split()[1] == trial.claim.id)
        assert trial.verdict in line
        assert estimate_text(trial.primary) in line
    assert len(lines) == 6 + len(CLAIMS)


def test_what_cannot_be_tried_comes_last_and_says_what_it_lacks(docket):
    assert docket["household-contagion"].verdict == "not testable"
    last = verdict_table(docket).splitlines()[-3]
    assert last.startswith("–  household-contagion")
    assert "lacks households" in last


def test_counts_add_up(docket):
    head, _, counted = count_verdicts(docket).partition(": ")
    assert head == "3 claims"
    assert sum(int(part.split()[0]) for part in counted.split(", ")) == 3


@pytest.mark.parametrize("width", [20, 100, 140])
def test_lines_fit_a_terminal(docket, width):
    lines = verdict_table(docket, width).splitlines()[3:-2]
    room = lines[0].index("why")
    assert all(len(line) <= max(width, room + 24) for line in lines)


def test_what_is_open_is_named(docket):
    trial = docket["bad-moments-drive-away"]
    if trial.verdict == "undecided":
        titles = [r.title for r in trial.rivals_with("keeps it open")]
        assert f"open: {', '.join(titles)}" in verdict_table(docket)
    assert trial.verdict == "undecided"


def test_spreadsheets_hold_the_numbers_of_the_docket(docket):
    tables = spreadsheet_tables(docket)
    assert tables["verdicts"].equals(docket.to_polars())
    assert tables["readings"].height == sum(len(t) for t in docket.values())
    read = pl.read_csv(io.StringIO(csv_text(tables["verdicts"])))
    assert read["claim"].to_list() == CLAIMS
    assert read["estimate"].to_list() == pytest.approx(
        tables["verdicts"]["estimate"].to_list(), nan_ok=True
    )


def test_no_text_becomes_a_formula():
    table = pl.DataFrame(
        {"text": ["=1+1", "+cmd", "@x", "plain", "-3.5", "> 0"], "list": [["a", "b"]] * 6}
    )
    read = pl.read_csv(io.StringIO(csv_text(table)), infer_schema=False)
    assert read["text"].to_list() == ["'=1+1", "'+cmd", "'@x", "plain", "-3.5", "> 0"]
    assert read["list"].to_list() == ["a; b"] * 6
    with zipfile.ZipFile(io.BytesIO(workbook({"one": table, "two": table.head(1)}))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        names = book.read("xl/workbook.xml").decode()
        texts = book.read("xl/sharedStrings.xml").decode()
    assert "<f>" not in sheet
    assert "=1+1" in texts
    assert 'name="one"' in names
    assert 'name="two"' in names
