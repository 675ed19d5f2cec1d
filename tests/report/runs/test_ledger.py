from dataclasses import replace

import polars as pl
import pytest

from cxresearch.report.runs import ledger
from cxresearch.report.runs.ledger import RunRecord, identity, read_records, record
from cxresearch.study import study_from

LOOK = RunRecord(
    run="20261122T060001000000Z-ab12",
    at="2026-11-22T06:00:01Z",
    study="shop",
    fingerprint="f",
    version="0.1.0",
    data_from="2023-01-01",
    data_until="2024-01-01",
    claim="three-strikes",
    reading="before-third",
    primary=True,
    verdict="contradicted",
    verdict_family="contradicted",
    estimate=0.31,
    ci_low=0.28,
    ci_high=0.34,
    level=0.95,
    interval="fixed",
    unit="share",
    se=0.02,
    customers=2731,
    events=611,
)
LATER = replace(
    LOOK, run="20261129T060001000000Z-0001", estimate=None, ci_low=None, ci_high=None, se=None
)


def test_what_is_recorded_is_read_again_oldest_first(tmp_path):
    other = replace(LOOK, study="another shop", claim="one-strike")
    record(tmp_path, [LATER])
    file = record(tmp_path, [LOOK, replace(LOOK, reading="excess"), other])
    assert read_records(tmp_path, "shop") == (LOOK, replace(LOOK, reading="excess"), LATER)
    assert file == tmp_path / "ledger" / f"{LOOK.run}.parquet"
    assert file.stat().st_mode & 0o077 == 0
    assert [p.name for p in (tmp_path / "ledger").glob(".*")] == []


def test_nothing_recorded_is_no_look(tmp_path):
    assert read_records(tmp_path, "shop") == ()


def test_a_file_that_cannot_be_read_is_passed_over_and_told_of(tmp_path):
    record(tmp_path, [LOOK])
    (tmp_path / "ledger" / "0-broken.parquet").write_bytes(b"half a fi")
    pl.DataFrame({"run": ["x"]}).write_parquet(tmp_path / "ledger" / "1-other.parquet")
    said = []
    assert read_records(tmp_path, "shop", said.append) == (LOOK,)
    assert read_records(tmp_path, "shop") == (LOOK,)
    assert len(said) == 2
    assert said[0].startswith(
        "the ledger's file 0-broken.parquet cannot be read and is passed over: "
    )
    assert "1-other.parquet" in said[1]


def test_a_part_that_was_never_finished_does_not_count(tmp_path):
    part, target = ledger.prepared(tmp_path, [LOOK])
    assert part.parent == target.parent
    assert read_records(tmp_path, "shop") == ()
    part.replace(target)
    assert read_records(tmp_path, "shop") == (LOOK,)


@pytest.mark.parametrize("given", [[], [LOOK, LATER], [replace(LOOK, run="../up")]])
def test_a_file_holds_one_run(given, tmp_path):
    with pytest.raises(ValueError, match="one run"):
        record(tmp_path, given)
    assert not (tmp_path / "ledger").exists()


def test_a_run_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(OSError, match="No space"):
        record(tmp_path, [LOOK])
    assert list((tmp_path / "ledger").iterdir()) == []


def test_a_study_is_known_by_its_id_or_else_by_its_name():
    study = {"interactions": {"source": "a.csv", "grade": "g"}, "retention": {"source": "b.csv"}}
    assert identity(study_from(study | {"study": {"id": "shop", "name": "The shop"}})) == "shop"
    assert identity(study_from(study | {"study": {"name": "The shop"}})) == "The shop"
