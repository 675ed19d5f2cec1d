"""An engine opens what a study names, and nothing else, whatever a query or a stored view asks for."""

from __future__ import annotations

import duckdb
import narwhals.stable.v2 as nw
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.engines import engine
from cxresearch.errors import SourceError
from cxresearch.records.sources import open_source

ENGINES = ["polars", "duckdb"]
WHO = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": [None]})
VIEWS = {
    "a text": "select * from read_text('{file}')",
    "a table": "select * from '{file}'",
    "names of files": "select * from glob('{folder}/*')",
    "a copy": "select * from read_csv('{file}')",
}


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_that_is_stored_in_a_file_reads_nothing_else(tmp_path, name, view):
    (tmp_path / "secret.csv").write_text("customer,at,grade\na,2024-01-02,bad\n")
    with duckdb.connect(str(tmp_path / "log.duckdb")) as made:
        made.execute("create table t as select 'a' as customer, '2024-01-02' as at, 'bad' as grade")
        made.execute(
            "create view v as " + view.format(file=tmp_path / "secret.csv", folder=tmp_path)
        )
    raw = {"interactions": {"source": "duckdb:log.duckdb/v", "grade": "grade"}}
    study = cx.study_from(raw, folder=tmp_path, retention=WHO)
    with pytest.raises(SourceError, match="disabled by configuration"):
        open_source(study, engine(name), "interactions")
    raw["interactions"]["source"] = "duckdb:log.duckdb/t"
    on = engine(name)
    result = open_source(cx.study_from(raw, folder=tmp_path, retention=WHO), on, "interactions")
    assert on.collect(nw.from_native(result)).rows() == [("a", "2024-01-02", "bad")]


FORBIDDEN = [
    "select * from '{}/secret.csv'",
    "copy (select 1) to '{}/written.csv'",
    "attach '{}/new.duckdb' as x",
    "set enable_external_access = true",
    "set temp_directory = '{}'",
    "install httpfs",
    "load httpfs",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_even_a_query_that_nobody_checked_reaches_no_file(tmp_path, sql):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    on = engine("duckdb")
    on.query("select 1 as a", {})
    with pytest.raises(duckdb.Error):
        on.connection.execute(sql.format(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["secret.csv"]


def test_what_does_not_fit_into_memory_goes_into_the_state_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    on = engine("duckdb")
    assert on.connection.execute("select current_setting('temp_directory')").fetchone() == ("",)
    on.connection.execute("set memory_limit = '60MB'; set threads = 1")
    (tmp_path / "state").mkdir(mode=0o700)
    on.confine([], tmp_path / "state")
    on.connection.execute(
        "create table big as select range a, md5(range::varchar) b from range(2000000)"
    )
    (spill,) = (tmp_path / "state" / "spill").iterdir()
    assert list(spill.iterdir())
    assert spill.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in tmp_path.iterdir()] == ["state"]
    del on
    assert not spill.exists()


def test_files_of_a_second_study_are_read_as_well(tmp_path):
    on = engine("duckdb")
    for number in (1, 2):
        folder = tmp_path / str(number)
        (folder / "year=2024").mkdir(parents=True)
        pl.DataFrame({"customer": ["a"], "at": [number]}).write_parquet(
            folder / "year=2024" / "log.parquet"
        )
        with duckdb.connect(str(folder / "who.duckdb")) as made:
            made.execute(
                "create table t as select 'a' as customer, '2024-01-01' as start, null as \"end\""
            )
        raw = {"interactions": {"source": "."}, "retention": {"source": "duckdb:who.duckdb/t"}}
        study = cx.study_from(raw, folder=folder)
        result = on.collect(nw.from_native(open_source(study, on, "interactions")))
        assert result.select("customer", "at", "year").rows() == [("a", number, 2024)]
        assert on.collect(nw.from_native(open_source(study, on, "retention"))).height == 1
