"""An engine opens what a study names, and nothing else, whatever a query or a stored view asks for."""

from __future__ import annotations

import shutil

import duckdb
import narwhals.stable.v2 as nw
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.engines import duckdb_files, engine
from cxresearch.errors import DataError, RuleError, SourceError
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


def test_a_query_without_an_end_leaves_half_of_the_disk(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=80_000_000)
    monkeypatch.setattr(duckdb_files.shutil, "disk_usage", lambda _: usage)
    on = engine("duckdb")
    on.connection.execute("set memory_limit = '60MB'; set threads = 1")
    (tmp_path / "state").mkdir(mode=0o700)
    on.confine([], tmp_path / "state")
    with pytest.raises(duckdb.OutOfMemoryException, match="max_temp_directory_size"):
        on.connection.execute(
            "create table big as select range a, md5(range::varchar) b from range(8000000)"
        )
    spilt = sum(f.stat().st_size for f in (tmp_path / "state").rglob("*") if f.is_file())
    assert spilt <= 40_000_000


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


EVIL = [
    "a\"; copy (select 1) to '{folder}/written.csv'; --",
    "a' || (select content from read_text('{folder}/secret.csv')) || '",
    'x" from read_csv("{folder}/secret.csv") --',
    "read_text('{folder}/secret.csv')",
]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("evil", EVIL)
def test_a_name_and_a_value_of_a_table_are_no_sql(tmp_path, name, evil):
    """The columns that a study names, the ids and the grades of a stranger's file."""
    (tmp_path / "secret.csv").write_text("a\nhunter2\n")
    evil = evil.format(folder=tmp_path)
    log = pl.DataFrame(
        {evil: ["a", evil], f"{evil} at": ["2024-01-02", "2024-01-03"], f"{evil} g": ["bad", evil]}
    )
    who = pl.DataFrame(
        {
            evil: ["a", evil],
            "start": ["2024-01-01"] * 2,
            "end": [None, None],
            f"{evil} s": [evil, "s"],
        },
        schema_overrides={"end": pl.String},
    )
    raw = {
        "interactions": {"customer": evil, "at": f"{evil} at", "grade": f"{evil} g"},
        "retention": {"customer": evil, "segment": f"{evil} s"},
    }
    records = cx.read_records(cx.study_from(raw, interactions=log, retention=who), name)
    assert dict(records.audit.read) == {"interactions": 2, "retention": 2}
    assert dict(records.audit.kept) == {"interactions": 2, "retention": 2}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["secret.csv"]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("evil", EVIL)
def test_a_table_of_a_database_is_named_and_no_sql(tmp_path, name, evil):
    (tmp_path / "secret.csv").write_text("a\nhunter2\n")
    with duckdb.connect(str(tmp_path / "log.duckdb")) as made:
        made.execute("create table t as select 'a' as customer, '2024-01-02' as at")
    table = evil.format(folder=tmp_path).replace("/", "_")
    raw = {"interactions": {"source": f"duckdb:log.duckdb/{table}"}}
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(
            cx.study_from(raw, folder=tmp_path, retention=WHO), engine(name), "interactions"
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.duckdb", "secret.csv"]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "stored",
    [
        "create macro m() as table select * from read_csv('{file}'); create view v as from m()",
        "create macro m() as (select content from read_text('{file}'));"
        "create view v as select m() as customer, '2024-01-02' as at",
        "create view w as select * from read_csv('{file}'); create view v as from w union all from w",
        "create view v as from query('select * from ''{file}''')",
        "create view v as from query_table('{file}')",
    ],
)
def test_what_else_a_file_stores_reads_nothing(tmp_path, name, stored):
    """Views that reach a file through a macro, another view, or a text that is run as a query."""
    file = tmp_path / "secret.csv"
    file.write_text("customer,at\nhunter2,2024-01-02\n")
    with duckdb.connect(str(tmp_path / "log.duckdb")) as made:
        made.execute(stored.format(file=file))
        assert "hunter2" in str(made.execute("from v").fetchall())
    study = cx.study_from(
        {"interactions": {"source": "duckdb:log.duckdb/v"}}, folder=tmp_path, retention=WHO
    )
    on = engine(name)
    with pytest.raises(SourceError):
        on.collect(nw.from_native(open_source(study, on, "interactions")))


@pytest.mark.parametrize(
    "rule",
    [
        "grade = read_text('/etc/passwd')",
        "grade in (select content from read_text('/etc/passwd'))",
        "getenv('HOME') = 'x'",
        "grade = 'x'; drop table interactions",
        "exists (select 1)",
        "grade = $1",
        "current_setting('home_directory') = grade",
    ],
)
def test_a_rule_is_a_condition_and_no_query(rule):
    log = pl.DataFrame({"customer": ["a"], "at": ["2024-01-02"], "grade": ["x"]})
    study = cx.study_from({"moments": {"bad": rule}}, interactions=log, retention=WHO)
    with pytest.raises(RuleError):
        cx.read_records(study)


@pytest.mark.parametrize("name", ENGINES)
def test_the_way_dates_are_written_is_no_sql(tmp_path, name):
    at = f"%Y', (select content from read_text('{tmp_path}/secret.csv'))) --"
    log = pl.DataFrame({"customer": ["a"], "at": ["2024"], "grade": ["x"]})
    raw = {"interactions": {"at_format": at, "log_from": 0, "log_until": 40_000}}
    study = cx.study_from(raw, interactions=log, retention=WHO)
    with pytest.raises(DataError, match="none of 1 rows has a customer and a time"):
        cx.read_records(study, name)
