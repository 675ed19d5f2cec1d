"""From what a study names to a table: the same table on every engine, and one clear error where there is none."""

from __future__ import annotations

import gzip
import sys
from datetime import datetime

import duckdb
import narwhals.stable.v2 as nw
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.engines import engine
from cxresearch.errors import EngineError, RuleError, SourceError
from cxresearch.records.sources import open_source, section_source, table_rows
from tests.engine_names import ENGINES

WHO = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": [None]})
FRAME = pl.DataFrame({"customer": [2, 1, 3], "word": ["x", None, "ü"], "price": [1.5, 2.0, None]})


def study(folder, where=None, tables=None, **interactions) -> cx.Study:
    raw = {"interactions": interactions or {"source": where}, "tables": tables or {}}
    return cx.study_from(raw, folder=folder, retention=WHO)


def opened(made: cx.Study, name: str, where: str = "interactions") -> pl.DataFrame:
    on = engine(name)
    return on.collect(on.rows(open_source(made, on, where))).with_columns(
        pl.col("cx_row").cast(pl.Int64)
    )


def same_everywhere(made: cx.Study) -> pl.DataFrame:
    first, *others = (opened(made, name) for name in ENGINES)
    for other in others:
        assert other.schema == first.schema
        assert other.rows() == first.rows()
    return first


CSV = {
    "plain": (b"customer,x\n1,2\n", {}, [("1", 2)]),
    "semicolon": (b"customer;x\n1;2\n", {"separator": ";"}, [("1", 2)]),
    "quotes": (
        b'customer,x\n1,"a,""b"""\n2,"two\nlines"\n',
        {},
        [("1", 'a,"b"'), ("2", "two\nlines")],
    ),
    "other quotes": (b"customer,x\n1,'a,b'\n", {"quote": "'"}, [("1", "a,b")]),
    "no quotes": (b'customer,x\n1,"a\n', {"quote": ""}, [("1", '"a')]),
    "decimal comma": (
        b"customer;x\n1;2,5\n",
        {"separator": ";", "decimal_comma": True},
        [("1", 2.5)],
    ),
    "nulls": (b"customer,x\nNA,2\n1,-\n", {"null_values": ["NA", "-"]}, [(None, 2), ("1", None)]),
    "empty is null": (b'customer,x\n"",2\n1,\n', {}, [(None, 2), ("1", None)]),
    "blanks are not": (b"customer,x\n1, \n", {}, [("1", " ")]),
    "skipped lines": (b"made by me\n\ncustomer,x\n1,2\n", {"skip_rows": 2}, [("1", 2)]),
    "windows": (b"\xef\xbb\xbfcustomer,x\r\n1,a\r\n2,b\r\n", {}, [("1", "a"), ("2", "b")]),
    "no last line end": (b"customer,x\n1,2", {}, [("1", 2)]),
    "padded ids": (b"customer,x\n007,1\n 010 ,2\n", {}, [("007", 1), (" 010 ", 2)]),
    "padded numbers": (b"customer,x\n1,0049\n2,17\n", {}, [("1", "0049"), ("2", "17")]),
    "zeros": (b"customer,x\n1,0\n2,-5\n", {}, [("1", 0), ("2", -5)]),
    "long numbers": (b"customer,x\n1,99999999999999999999\n", {}, [("1", "99999999999999999999")]),
    "late decimals": (
        b"customer,x\n" + b"1,2\n" * 3000 + b"1,2.5\n",
        {},
        [("1", 2.0)] * 3000 + [("1", 2.5)],
    ),
    "late text": (
        b"customer,x\n" + b"1,2\n" * 3000 + b"1,two\n",
        {},
        [("1", "2")] * 3000 + [("1", "two")],
    ),
    "booleans": (b"customer,x\n1,true\n2,False\n", {}, [("1", True), ("2", False)]),
    "all empty": (b"customer,x\n1,\n2,\n", {}, [("1", None), ("2", None)]),
    "short lines": (b"customer,x\n1\n2,3\n", {}, [("1", None), ("2", 3)]),
    "a name that is empty": (b"customer,\n1,2\n", {}, [("1", 2)]),
    "dates stay text": (b"customer,x\n1,2024-01-01\n", {}, [("1", "2024-01-01")]),
    "header alone": (b"customer,x\n", {}, []),
}


@pytest.mark.parametrize("name", CSV)
def test_text_files_are_the_same_table_on_every_engine(tmp_path, name):
    content, fmt, rows = CSV[name]
    (tmp_path / "log.csv").write_bytes(content)
    result = (
        same_everywhere(study(tmp_path, source="log.csv", format=fmt))
        if name != "a name that is empty"
        else opened(study(tmp_path, source="log.csv", format=fmt), "polars")
    )
    assert [row[1:] for row in result.rows()] == rows
    assert result["cx_row"].to_list() == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz", "a.csv.gz", "a.TXT", "A.CSV"])
def test_kinds_of_text_files(tmp_path, name):
    text = "customer\tx\n1\t2\n" if ".tsv" in name else "customer,x\n1,2\n"
    (tmp_path / name).write_bytes(
        gzip.compress(text.encode()) if name.endswith("gz") else text.encode()
    )
    assert same_everywhere(study(tmp_path, name)).row(0) == (1, "1", 2)


def test_parquet_alone_by_pattern_and_by_folder(tmp_path):
    parts = tmp_path / "parts"
    (parts / "deep").mkdir(parents=True)
    (parts / ".cache").mkdir()
    FRAME[:2].write_parquet(parts / "a.parquet")
    FRAME[2:].write_parquet(parts / "deep" / "b.PARQUET")
    pl.DataFrame({"junk": [1]}).write_parquet(parts / "_metadata.parquet")
    pl.DataFrame({"junk": [1]}).write_parquet(parts / ".cache" / "c.parquet")
    FRAME.write_parquet(tmp_path / "whole.parquet")
    whole = same_everywhere(study(tmp_path, "whole.parquet"))
    assert whole.drop("cx_row").equals(FRAME)
    assert same_everywhere(study(tmp_path, "parts")).equals(whole)
    assert same_everywhere(study(tmp_path, str(parts))).equals(whole)
    assert same_everywhere(study(tmp_path, "parts/**/[a-b].[pP]*")).equals(whole)
    assert same_everywhere(study(tmp_path, "parts/?.parquet")).height == 2


def test_several_text_files_of_one_table_agree_on_types(tmp_path):
    (tmp_path / "1.csv").write_text("customer,x\n1,2\n")
    (tmp_path / "2.csv").write_text("customer,x\n2,two\n")
    assert same_everywhere(study(tmp_path, "*.csv")).rows() == [(1, "1", "2"), (2, "2", "two")]


@pytest.mark.parametrize("odd", ["data [1]", "data*", "what?", "ü '\" ;", "a=b"])
def test_a_folder_with_an_odd_name(tmp_path, odd):
    place = tmp_path / odd
    (place / "sub [x]").mkdir(parents=True)
    FRAME.write_parquet(place / "log.parquet")
    FRAME.write_parquet(place / "sub [x]" / "log.parquet")
    FRAME.write_csv(place / "log.csv")
    for name in ("log.parquet", "log.csv", "sub [x]/log.parquet", "*.csv"):
        assert same_everywhere(study(place, name)).height == 3
        assert same_everywhere(study(place, name)).width == 4


def test_folder_names_are_columns(tmp_path):
    for year, month in ((2023, "12"), (2024, "01")):
        folder = tmp_path / "log" / f"year={year}" / f"month={month}"
        folder.mkdir(parents=True)
        frame = pl.DataFrame(
            {"customer": ["a"], "at": [datetime(year, int(month), 1)], "grade": ["bad"]}
        )
        frame.write_parquet(folder / "part.parquet")
    made = cx.study_from(
        {"interactions": {"source": "log"}, "moments": {"exclude": "year = 2023", "bad": "month = 1"}},
        folder=tmp_path, retention=pl.DataFrame({"customer": ["a"], "start": ["2023-01-01"], "end": [None]}),
    )  # fmt: skip
    assert same_everywhere(made)["year"].to_list() == [2023, 2024]
    audits = [cx.audit(made, engine=name) for name in ENGINES]
    assert {a.counts() for a in audits} == {audits[0].counts()}
    assert dict(audits[0].kept)["interactions"] == 1


TICKETS = pl.DataFrame(
    {"ticket": [1, 2, 3], "account": ["007", "x", "007"], "opened": ["2024-01-02"] * 3}
)
ACCOUNTS = pl.DataFrame({"account": ["007", "x"], "who": [17, 18]})
JOINED = (
    "select a.who as customer, t.opened as at, 'bad' as grade from tickets t join "
    "accounts a on t.account = a.account"
)


@pytest.mark.parametrize("name", ENGINES)
def test_queries_over_files_frames_and_queries(tmp_path, name):
    TICKETS.write_csv(tmp_path / "tickets.csv")
    made = cx.study_from(
        {
            "tables": {"tickets": "tickets.csv", "joined": {"query": JOINED}, "bad": {"query": "from joined"}},
            "interactions": {"query": "select * from bad where customer > 0"},
        },
        folder=tmp_path, retention=WHO, accounts=ACCOUNTS,
    )  # fmt: skip
    assert sorted(opened(made, name)["customer"]) == [17, 17, 18]
    on = engine(name)
    assert table_rows(made, on) == (("accounts", 2), ("tickets", 3), ("joined", 3), ("bad", 3))
    assert section_source(made, "interactions") == "interactions.query"
    assert section_source(made, "retention") == "the frame given"


def test_a_query_sees_only_what_stands_before_it(tmp_path):
    made = study(tmp_path, tables={"a": {"query": "from b"}, "b": "x.csv"}, query="from a")
    with pytest.raises(RuleError, match=r"tables\.a\.query: b is not a declared table"):
        opened(made, "polars")


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_wrong_in_a_query_names_the_query(tmp_path, name):
    (tmp_path / "t.csv").write_text("customer,x\n1,2\n")
    made = study(tmp_path, tables={"t": "t.csv"}, query="select nothing from t")
    with pytest.raises(SourceError, match=r"interactions.query: cannot be read: .*nothing"):
        opened(made, name)


@pytest.mark.parametrize("name", ENGINES)
def test_frames_of_other_kinds(name):
    for frame in (FRAME, FRAME.lazy(), FRAME.to_arrow()):
        made = cx.study_from({}, interactions=frame, retention=WHO)
        assert opened(made, name).drop("cx_row").rows() == FRAME.rows()
    made = cx.study_from({}, interactions={"customer": [1]}, retention=WHO)
    with pytest.raises(
        SourceError,
        match="interactions: a table in memory must be a frame of Polars, pandas, Arrow or DuckDB, was dict",
    ):
        opened(made, name)


@pytest.mark.parametrize("name", ENGINES)
def test_types_that_engines_quarrel_about(tmp_path, name):
    zoned = pl.Series([datetime(2024, 1, 1)]).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    frame = pl.DataFrame(
        {
            "nothing": pl.Series([None], dtype=pl.Null), "zoned": zoned, "nano": zoned.dt.replace_time_zone(None),
            "long": pl.Series([2**100], dtype=pl.Int128), "list": [[1]], "bytes": [b"a"],
            "category": pl.Series(["a"], dtype=pl.Categorical), "enum": pl.Series(["a"], dtype=pl.Enum(["b", "a"])),
            "struct": [{"a": 1}], "unsigned": pl.Series([2**64 - 1], dtype=pl.UInt64),
        }
    )  # fmt: skip
    frame.drop("long").write_parquet(tmp_path / "log.parquet")
    for made in (
        cx.study_from({}, interactions=frame, retention=WHO),
        study(tmp_path, "log.parquet"),
    ):
        on = engine(name)
        rows = on.rows(open_source(made, on, "interactions"))
        kinds = rows.collect_schema()
        assert kinds["nothing"] == nw.String
        assert kinds["zoned"].time_zone is not None
        assert on.collect(rows).height == 1


BROKEN = {
    "nothing.csv": (
        None,
        "no file 'nothing.csv' (relative names start at the study file's folder)",
    ),
    "no*.csv": (None, "no file 'no*.csv'"),
    "bare": ("folder", "no file 'bare'"),
    "empty.csv": (b"", "'empty.csv' is empty: a file of 0 bytes"),
    "empty.parquet": (b"", "'empty.parquet' is empty"),
    "lines.csv": (b"\n\n", "it has no line with column names"),
    "junk.parquet": (bytes(range(256)), "cannot be read"),
    "head.parquet": (b"PAR1" + bytes(200) + b"\x50\0\0\0PAR1", "cannot be read"),
    "junk.csv": (
        bytes(range(256)),
        "is not text in UTF-8 (it holds zero bytes): save it as CSV in UTF-8",
    ),
    "old.csv": (b"customer,x\r1,2\r", "has line ends of an old kind"),
    "long.csv": (
        b"customer,at,grade\n1,2024-01-01,bad,3\n",
        "look at quotes, separators and line ends",
    ),
    "open.csv": (
        b'customer,at,grade\n1,2024-01-01,"bad\n2,2024-01-01,bad\n',
        "look at quotes, separators and line ends",
    ),
    "torn.csv.gz": (b"\x1f\x8b1234", "is not a whole gzip file"),
    "no.csv.gz": (b"customer,x\n", "is not a whole gzip file"),
    "table.xlsx": (b"PK", "is not a whole workbook: save it again"),
    "table.ods": (b"PK", "is not a kind of file that can be read: name one ending in .parquet"),
    "s3://bucket/x.parquet": (None, "is an address; only files are read"),
    "nul\0.csv": (None, "no file"),
    # from Python 3.13 on it is a pattern like another
    "**x/a*.csv": (None, "no file" if sys.version_info >= (3, 13) else "cannot be looked up"),
    "empty.csv/x.csv": (b"", "no file"),
}


@pytest.mark.parametrize("name", ["polars", "duckdb"])
@pytest.mark.parametrize("source", BROKEN, ids=ascii)
def test_what_cannot_be_read_is_one_clear_line(tmp_path, name, source):
    content, said = BROKEN[source]
    if content == "folder":
        (tmp_path / source).mkdir()
    elif content is not None:
        (tmp_path / source.split("/", maxsplit=1)[0]).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        cx.read_records(study(tmp_path, source), name)
    assert str(caught.value).startswith("interactions")
    assert said in str(caught.value)
    assert repr(source)[1:-1] in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "spoilt", [slice(-40, -8), slice(-4, None), slice(-20, None)], ids=["footer", "end", "cut"]
)
def test_advice_about_text_is_for_text_files(tmp_path, name, spoilt):
    FRAME.write_parquet(tmp_path / "log.parquet")
    whole = bytearray((tmp_path / "log.parquet").read_bytes())
    whole[spoilt] = b"" if spoilt.start == -20 else b"\xff" * len(whole[spoilt])
    (tmp_path / "log.parquet").write_bytes(whole)
    with pytest.raises(
        SourceError, match=r"it is not a whole Parquet file: write it again$"
    ) as caught:
        cx.read_records(study(tmp_path, "log.parquet"), name)
    assert "UTF-8" not in str(caught.value)


@pytest.mark.parametrize("name", ["polars", "duckdb"])
def test_files_of_one_table_that_differ(tmp_path, name):
    (tmp_path / "1.csv").write_text("customer,x\n1,2\n")
    (tmp_path / "2.csv").write_text("customer,y,z\n1,2,3\n")
    with pytest.raises(SourceError, match="all files of a table must have the same columns"):
        cx.read_records(study(tmp_path, "*.csv"), name)
    (tmp_path / "3.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="is not a kind of file"):
        cx.read_records(study(tmp_path, "*.*"), name)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path / "log.csv").write_text("customer,x\n1,2\n")
    made = study(tmp_path, "log.csv")

    def denied(*_args, **_named):
        raise PermissionError(13, "Permission denied", "log.csv")

    # the administrator may read all files, so a mode of 000 would prove nothing
    monkeypatch.setattr("pathlib.Path.open", denied)
    with pytest.raises(
        SourceError, match=r"interactions.source \(log.csv\): cannot be read: .*Permission denied"
    ):
        cx.read_records(made)
    monkeypatch.setattr("pathlib.Path.stat", denied)
    with pytest.raises(SourceError, match=r"'log\.csv' cannot be looked up: Permission denied"):
        cx.read_records(made)


@pytest.mark.slow
def test_ids_of_text_integers_and_floats_meet(tmp_path):
    contacts = [("17", "2024-02-01"), ("18", "2024-02-02"), ("007", "2024-02-03")]
    log = pl.DataFrame(contacts, schema=["customer", "at"], orient="row").with_columns(
        grade=pl.lit("bad")
    )
    log.write_csv(tmp_path / "log.csv")
    kinds = {
        "integers": pl.Series([17, 18]), "floats": pl.Series([17.0, 18.0, None]), "text": pl.Series(["17", " 18 "]),
        "text of floats": pl.Series(["17.0", "18.00"]), "decimals": pl.Series([17, 18]).cast(pl.Decimal(10, 2)),
        "whole decimals": pl.Series([17, 18]).cast(pl.Decimal(20, 0)), "small": pl.Series([17, 18], dtype=pl.UInt8),
        "categories": pl.Series(["17", "18"], dtype=pl.Categorical),
        "single": pl.Series([17.0, 18.0], dtype=pl.Float32),
    }  # fmt: skip
    for ids in kinds.values():
        who = pl.DataFrame({"customer": ids}).with_columns(
            start=pl.lit("2024-01-01"), end=pl.lit(None, pl.String)
        )
        for name in ENGINES:
            made = cx.study_from(
                {"interactions": {"source": "log.csv"}}, folder=tmp_path, retention=who
            )
            audit = cx.audit(made, engine=name)
            # 007 is another customer than 7
            assert [(f.reason, f.rows) for f in audit.findings if f.table == "interactions"] == [
                ("unknown customer", 1)
            ]


@pytest.mark.parametrize("name", ENGINES)
def test_padded_ids_survive_a_query(tmp_path, name):
    (tmp_path / "t.csv").write_text("who,at\n007,2024-01-01\n7,2024-01-02\n")
    made = study(tmp_path, tables={"t": "t.csv"}, query="select who as customer, at from t")
    assert sorted(opened(made, name)["customer"]) == ["007", "7"]


def warehouse(folder) -> None:
    with duckdb.connect(str(folder / "ware house.duckdb")) as made:
        made.execute(
            "create table contacts as select 'a' as customer, timestamp '2024-02-01 10:00' as at, 'bad' as grade"
        )
        made.execute("insert into contacts select 'a', timestamp '2024-02-02', 'good'")
        made.execute("create schema crm")
        made.execute('create table crm."some contacts" as select * from contacts limit 1')


@pytest.mark.parametrize("name", ENGINES)
def test_tables_of_a_database(tmp_path, name):
    warehouse(tmp_path)
    made = study(tmp_path, "duckdb:ware house.duckdb/contacts")
    assert opened(made, name).rows() == [
        (1, "a", datetime(2024, 2, 1, 10), "bad"),
        (2, "a", datetime(2024, 2, 2), "good"),
    ]
    assert opened(study(tmp_path, "duckdb:ware house.duckdb/crm.some contacts"), name).height == 1
    joined = study(
        tmp_path,
        tables={
            "c": "duckdb:ware house.duckdb/contacts",
            "d": {"source": "duckdb:ware house.duckdb/crm.some contacts"},
        },
        query="select c.* from c join d on c.at = d.at",
    )
    assert opened(joined, name).height == 1
    assert cx.audit(made, engine=name).kept == (("interactions", 2), ("retention", 1))


@pytest.mark.parametrize("name", ENGINES)
def test_tables_of_a_database_that_are_not_there(tmp_path, name):
    warehouse(tmp_path)
    (tmp_path / "text.duckdb").write_text("no database")
    said = {
        "duckdb:warehouse.duckdb/contacts": r"no file for 'duckdb:warehouse\.duckdb/contacts'",
        "duckdb:ware house.duckdb": "names no table; write duckdb:file.duckdb/table",
        "duckdb:ware house.duckdb/": "names no table",
        "duckdb:ware house.duckdb/contcats": "cannot be read: .*contcats",
        "duckdb:text.duckdb/contacts": "cannot be read",
    }
    for source, message in said.items():
        with pytest.raises(SourceError, match=message):
            opened(study(tmp_path, source), name)


@pytest.mark.parametrize("name", ["polars", "polars-lazy", "duckdb"])
def test_only_spark_has_a_catalogue(tmp_path, name):
    with pytest.raises(
        EngineError,
        match=r"'crm\.contacts' is a table of Spark's catalogue: run with the engine spark",
    ):
        opened(study(tmp_path, "spark:crm.contacts"), name)


def test_an_engine_that_is_not_installed_says_how_to_have_it(monkeypatch):
    for name in [
        "pyspark",
        *(m for m in sys.modules if m.startswith("pyspark.")),
    ]:  # another test may have loaded it
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "cxresearch.engines.spark", raising=False)
    with pytest.raises(
        EngineError, match=r"the engine spark is not installed: pip install 'cxresearch\[spark\]'"
    ):
        engine("spark")
