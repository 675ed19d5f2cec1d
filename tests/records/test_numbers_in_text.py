"""Types of text tables: a file is read once with the types of its first lines, and again where a later line differs."""

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.records import files, numbers_in_text
from cxresearch.records.numbers_in_text import read_text_table
from cxresearch.study import Format

# first lines, a later line, the type, the last value
LATE = {
    "integers": (["1", "-20"], "3", pl.Int64, 3),
    "a fraction": (["1", "2"], "3.5", pl.Float64, 3.5),
    "a word": (["1", "2"], "x", pl.String, "x"),
    "a zero before it": (["1", "2"], "007", pl.String, "007"),
    "a plus sign": (["1", "2"], "+3", pl.String, "+3"),
    "too long for an integer": (["1", "2"], "123456789012345678901", pl.String, "123456789012345678901"),
    "the first value": (["", ""], "5", pl.Int64, 5),
    "the first word": (["", ""], "x", pl.String, "x"),
    "nothing": (["", ""], "", pl.String, None),
    "a word after fractions": (["1.5", "2"], "x", pl.String, "x"),
    "a word after flags": (["true", "false"], "x", pl.String, "x"),
}  # fmt: skip


@pytest.mark.parametrize("name", LATE)
@pytest.mark.parametrize("head", [2, 10_000])
def test_types_do_not_depend_on_how_many_lines_suggest_them(tmp_path, monkeypatch, name, head):
    first, late, kind, value = LATE[name]
    path = tmp_path / "log.csv"
    path.write_text("id,x\n" + "".join(f"{i},{x}\n" for i, x in enumerate([*first, late])))
    monkeypatch.setattr(numbers_in_text, "_HEAD", head)
    read = read_text_table([path], Format(), ",", ["id"]).collect()
    assert read.schema == {"id": pl.String, "x": kind}
    assert read["x"][-1] == value


def test_a_large_text_is_kept_as_parquet_and_says_the_same(tmp_path, monkeypatch):
    rows = [f"c{i % 7},2024-02-{i % 28 + 1:02} 10:00,{i % 5 + 1}" for i in range(500)]
    (tmp_path / "log.csv").write_text("\n".join(["customer,at,stars", *rows, "c1,soon,3\n"]))
    raw = {
        "interactions": {"source": "log.csv", "score": "stars", "scale": [1, 5]},
        "retention": {"kind": "activity", "gap_days": 5},
    }
    study = cx.study_from(raw, folder=tmp_path)
    audits = []
    for small in (2**20, 0):
        monkeypatch.setattr(files, "SMALL", small)
        audits.append(cx.audit(study))
    small, large = audits
    assert (small.findings, small.facts) == (large.findings, large.facts)
    assert small.quarantine[0][1].equals(large.quarantine[0][1])
    assert dict(large.read)["interactions"] == 501
