"""Drafts of files that are no CSV with a line of names: what they need to be read stands in the study file."""

import gzip
import json
import random
import tomllib
import zipfile
from datetime import datetime, timedelta

import polars as pl
import pytest
import xlsxwriter

import cxresearch as cx

START = datetime(2023, 1, 2, 9)


def rows(n=300):
    rng = random.Random(5)
    return [
        {
            "customer_id": f"{rng.randrange(40):05}",
            "at": START + timedelta(days=rng.randrange(500), minutes=rng.randrange(600)),
            "stars": rng.randrange(1, 6),
        }
        for _ in range(n)
    ]


def draft_of(path):
    draft = cx.drafting.draft_study([path])
    assert draft.problem == "", draft.text
    assert dict(draft.audit.read) == {"interactions": 300}
    return tomllib.loads(draft.text)["interactions"], draft


def test_fixed_width(tmp_path):
    lines = [f" {r['customer_id']} {r['at']:%Y%m%d} {r['stars']:2}" for r in rows()]
    (tmp_path / "log.txt").write_bytes("\r\n".join(lines).encode())
    log, draft = draft_of(tmp_path / "log.txt")
    assert log["widths"] == [6, 9, 3]
    assert log["columns"] == ["column_1", "column_2", "column_3"]
    assert (log["customer"], log["at"], log["at_format"]) == ("column_1", "column_2", "yyyymmdd")
    assert draft.open_keys == ("moments.bad",)


def test_without_a_line_of_names(tmp_path):
    text = "\n".join(f"{r['customer_id']},{r['at']:%Y-%m-%d},{r['stars']}" for r in rows())
    (tmp_path / "log.csv").write_text(text)
    log, draft = draft_of(tmp_path / "log.csv")
    assert log["columns"] == ["column_1", "column_2", "column_3"]
    assert log["customer"] == "column_1"
    assert str(draft.audit.fact("customers")) == str(len({r["customer_id"] for r in rows()}))


@pytest.mark.parametrize(("scale", "key"), [(1, "epoch_s"), (1000, "epoch_ms")])
def test_json_lines_with_numbers_for_times(tmp_path, scale, key):
    made = [{**r, "at": int(r["at"].timestamp()) * scale} for r in rows()]
    (tmp_path / "log.ndjson").write_text("\n".join(map(json.dumps, made)))
    log, _ = draft_of(tmp_path / "log.ndjson")
    assert log["at_format"] == key


def test_a_workbook_of_several_sheets(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "shop.xlsx") as book:
        pl.DataFrame({"person": ["Anna"], "region": ["West"]}).write_excel(book, worksheet="People")
        pl.DataFrame(rows()).write_excel(book, worksheet="Orders 2023")
    log, draft = draft_of(tmp_path / "shop.xlsx")
    assert log["sheet"] == "Orders 2023"
    assert [t.name for t in draft.tables] == ["people", "orders_2023"]


def test_hidden_and_empty_sheets_are_passed_over_and_named(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "shop.xlsx") as book:
        pl.DataFrame({"person": ["Anna"]}).write_excel(book, worksheet="People")
        pl.DataFrame(rows()).write_excel(book, worksheet="Orders")
        book.get_worksheet_by_name("Orders").activate()
        book.get_worksheet_by_name("People").hide()
        book.add_worksheet("Sheet3")
    log, draft = draft_of(tmp_path / "shop.xlsx")
    assert log["sheet"] == "Orders"
    assert [t.label.rpartition(", ")[2] for t in draft.tables] == ["sheet 'Orders'"]
    said = " ".join(draft.text.replace("\n#  ", "").split())
    assert (
        "because the workbook has 3 sheets, of which 'People' is hidden, 'Sheet3' is empty" in said
    )


def test_another_encoding(tmp_path):
    table = pl.DataFrame(rows()).with_columns(note=pl.lit("Kündigung"))
    (tmp_path / "log.csv").write_bytes(table.write_csv().encode("cp1252"))
    log, _ = draft_of(tmp_path / "log.csv")
    assert log["encoding"] == "cp1252"


def test_packed_files(tmp_path):
    text = pl.DataFrame(rows()).write_csv(separator=";").encode()
    (tmp_path / "one.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as packed:
        packed.writestr("two.csv", text)
    for name in ("one.csv.gz", "two.zip"):
        log, _ = draft_of(tmp_path / name)
        assert log["format"]["separator"] == ";"
