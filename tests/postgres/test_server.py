"""A real server: its types, its refusals, what it is kept from, and what is left behind of its answers: nothing."""

from __future__ import annotations

import gc
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import tomllib
import traceback
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote, quote_plus

import polars as pl
import pyarrow
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import cxresearch as cx
from cxresearch.cli import main
from cxresearch.engines import engine
from cxresearch.errors import SourceError
from cxresearch.records import postgres
from cxresearch.records.sources import open_source, section_source, table_rows
from cxresearch.risk import cache
from cxresearch.study.settings import MomentRules
from tests.postgres.conftest import ADDRESS, PASSWORD, USER
from tests.spark.conftest import session  # noqa: F401

pytestmark = pytest.mark.postgres
ALLOWED = {"CXRESEARCH_ALLOW_ENV": "CX_USER,CX_PASSWORD,CX_SOCKET"}
ENGINES = ["polars", "polars-lazy", "duckdb"]
WHO = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": [None]})
NOON = datetime(2024, 7, 1, 12)
# what is asked for, and what comes
TYPES = {
    "smallint": ("(-7)::smallint", pl.Int16, -7),
    "integer": ("7", pl.Int32, 7),
    "bigint": ("9007199254740993::bigint", pl.Int64, 2**53 + 1),
    "real": ("1.5::real", pl.Float32, 1.5),
    "double": ("0.1::float8", pl.Float64, 0.1),
    "numeric": ("12345.678::numeric", pl.Float64, 12345.678),
    "numeric of a scale": ("0.10::numeric(10, 2)", pl.Float64, 0.1),
    "sum": ("(select sum(x) from generate_series(1, 3) x)", pl.Int64, 6),
    "avg": ("(select avg(x) from generate_series(1, 4) x)", pl.Float64, 2.5),
    "sum of bigint": ("(select sum(x::bigint) from generate_series(1, 3) x)", pl.Float64, 6.0),
    "bool": ("true", pl.Boolean, True),
    "text": ("'ü' || chr(128512)", pl.String, "ü😀"),
    "varchar": ("'ab'::varchar(5)", pl.String, "ab"),
    "name": ("'n'::name", pl.String, "n"),
    "uuid": ("'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", pl.String, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "json": ("""'{"a": 1}'::json""", pl.String, '{"a": 1}'),
    "jsonb": ("""'{"a":1}'::jsonb""", pl.String, '{"a": 1}'),
    "enum": ("'bad'::mood", pl.String, "bad"),
    "domain": ("4::stars", pl.Int16, 4),
    "date": ("date '2024-07-01'", pl.Date, date(2024, 7, 1)),
    "timestamp": ("timestamp '2024-07-01 12:00'", pl.Datetime("us"), NOON),
    "timestamptz": (
        "timestamptz '2024-07-01 12:00+09'", pl.Datetime("us", "UTC"),
        NOON.replace(tzinfo=timezone(timedelta(hours=9))),
    ),
    "the session's zone": ("timestamptz '2024-07-01 12:00+09'::timestamp", pl.Datetime("us"), NOON.replace(hour=3)),
    "time": ("time '12:00'", pl.String, "12:00:00"),
    "interval": ("interval '90 minutes'", pl.String, "01:30:00"),
    "array": ("array['a', null]", pl.String, "{a,NULL}"),
    "empty array": ("'{}'::int[]", pl.String, "{}"),
    "bytea": (r"'\x00ff'::bytea", pl.String, r"\x00ff"),
    "inet": ("inet '10.0.0.1'", pl.String, "10.0.0.1/32"),
    "range": ("int4range(1, 3)", pl.String, "[1,3)"),
    "oid": ("4294967295::oid", pl.String, "4294967295"),
    "row": ("row(1, 'a')", pl.String, "(1,a)"),
    "nothing": ("null", pl.String, None),
    "no number": ("null::numeric", pl.Float64, None),
    "no uuid": ("null::uuid", pl.String, None),
    "an end that does not come": ("date 'infinity'", pl.Date, None),
    "a time before all others": ("timestamp '-infinity'", pl.Datetime("us"), None),
    "a time too late": ("timestamptz '294276-01-01 00:00+00'", pl.Datetime("us", "UTC"), None),
}  # fmt: skip


def study(server, query, source=ADDRESS, **more) -> cx.Study:
    variables = server.variables | more.pop("variables", {})
    raw = {"interactions": {"source": source, "query": query, **more.pop("columns", {})}, **more}
    return cx.study_from(raw, retention=WHO, variables=variables)


def opened(made, on="polars", where="interactions") -> pl.DataFrame:
    on = engine(on) if isinstance(on, str) else on
    return on.collect(on.rows(open_source(made, on, where))).drop("cx_row")


def refused(made, on="polars") -> SourceError:
    with pytest.raises(SourceError) as caught:
        opened(made, on)
    return caught.value


@pytest.fixture(scope="module", autouse=True)
def _types(server):
    server.run(
        "create type mood as enum ('bad', 'good')",
        "create domain stars as smallint check (value < 6)",
    )


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    """Where answers are kept, and nothing else is."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("name", ENGINES)
def test_types(server, name):
    asked = ", ".join(f'{sql} as "{kind}"' for kind, (sql, *_) in TYPES.items())
    result = opened(study(server, f"select {asked}"), name)
    assert dict(result.schema) == {kind: dtype for kind, (_, dtype, _) in TYPES.items()}
    assert result.row(0, named=True) == {kind: value for kind, (*_, value) in TYPES.items()}


def test_types_on_spark(server, request):
    pytest.importorskip("pyspark")
    request.getfixturevalue("session")
    asked = ", ".join(f'{sql} as "{kind}"' for kind, (sql, *_) in TYPES.items())
    made = study(server, f"select {asked}")
    result, expected = opened(made, "spark"), opened(made)
    assert result.columns == expected.columns
    for kind in TYPES:
        assert result[kind].cast(expected.schema[kind]).to_list() == expected[kind].to_list(), kind


@pytest.mark.parametrize("name", ENGINES)
def test_numbers_that_are_ids_keep_every_digit(server, name):
    rows = "(values (12345678901234567890123, date '2024-01-02', 1.0), (12345678901234567890124, '2024-01-03', 2.0))"
    who = "select 12345678901234567890123::numeric as customer, date '2024-01-01' as start, date 'infinity' as end"
    made = cx.study_from(
        {
            "interactions": {"source": ADDRESS, "query": f"select * from {rows} as x (customer, at, score)",
                             "score": "score", "scale": [1, 5]},
            "retention": {"source": ADDRESS, "query": who},
        },
        variables=server.variables,
    )  # fmt: skip
    audit = cx.audit(made, engine=name)
    assert dict(audit.kept) == {"interactions": 1, "retention": 1}
    assert [(f.reason, f.rows) for f in audit.findings] == [("unknown customer", 1)]


def test_forms_of_a_query(server):
    for query in (
        "select 1 as x;\n ;", "select 1 as x -- the end", "values (1)", "with a as (select 1 as x) table a",
        "select 1 as x union all select 2 where false", "/* first */ select 1 as x", "(select 1 as x)",
    ):  # fmt: skip
        assert opened(study(server, query)).rows() == [(1,)]
    assert opened(study(server, 'select 1 as "A b", 2 as "c""d", 3 as "ü"')).columns == [
        "A b",
        'c"d',
        "ü",
    ]
    assert opened(study(server, "select 1 as x where false")).schema == {"x": pl.Int32}
    login = "postgres://${CX_USER}:${CX_PASSWORD}@${CX_SOCKET}/postgres"
    assert opened(study(server, "select 1 as x", source=login)).rows() == [(1,)]


def test_a_whole_address_in_one_variable(server):
    login = f"{quote(USER, '')}:{quote(PASSWORD, '')}"
    address = f"postgresql://{login}@/postgres?host={server.socket}"
    made = study(
        server, "select 1 as x", source="${DATABASE_URL}", variables={"DATABASE_URL": address}
    )
    assert opened(made).rows() == [(1,)]
    assert cache.opened(made) is None


@pytest.mark.parametrize("name", ENGINES)
def test_a_query_over_files_and_a_server(server, name, tmp_path):
    server.load("accounts", pl.DataFrame({"account": [1, 2], "who": ["a", "b"]}))
    (tmp_path / "tickets.csv").write_text("account,opened\n1,2024-02-01\n1,2024-02-02\n")
    made = cx.study_from(
        {
            "tables": {"tickets": "tickets.csv", "accounts": {"source": ADDRESS, "query": "table accounts"}},
            "interactions": {"query": "select who as customer, opened as at from tickets natural join accounts"},
        },
        folder=tmp_path, retention=WHO, variables=server.variables,
    )  # fmt: skip
    on = engine(name)
    assert table_rows(made, on) == (("tickets", 2), ("accounts", 2))
    assert set(opened(made, on)["customer"]) == {"a"}
    assert section_source(made, "interactions") == "interactions.query"
    # while an engine reads a study, it asks once
    server.run("insert into accounts values (3, 'c')")
    assert dict(table_rows(made, on))["accounts"] == 2
    assert dict(table_rows(made, engine(name)))["accounts"] == 3


WRITES = {
    "delete from guarded": "gives no columns",
    "delete from guarded returning *": "syntax error",
    "with x as (delete from guarded returning *) select * from x": "must be at the top level",
    "select * from guarded; delete from guarded": "cannot insert multiple commands",
    "select 1) as x; delete from guarded; select * from (select 1": "syntax error",
    "select 1 as x; commit": "cannot insert multiple commands",
    "commit": "gives no columns",
    "begin": "gives no columns",
    "set transaction read write": "gives no columns",
    "select set_config('transaction_read_only', 'off', false)": "must be set before any query",
    "select set_config('transaction_read_only', 'off', false), writes() as x": "must be set before any query",
    "select writes() as x": "cannot execute INSERT in a read-only transaction",
    "select x from guarded for update": "cannot execute SELECT FOR UPDATE in a read-only transaction",
    "select nextval('counter') as x": r"cannot execute nextval\(\) in a read-only transaction",
    "create table made (x int)": "gives no columns",
    "select 1 as x into made": "gives no columns",
    "copy guarded to '/tmp/x'": "gives no columns",
    "call leaves()": "gives no columns",
}


@pytest.mark.parametrize("query", WRITES)
def test_a_query_changes_nothing_even_where_the_role_may(server, query):
    server.run(
        "drop table if exists guarded", "create table guarded as select 1 as x",
        "create sequence if not exists counter",
        "create or replace function writes() returns int language sql as 'insert into guarded values (2) returning x'",
        "create or replace procedure leaves() language plpgsql as 'begin insert into guarded values (2); commit; end'",
        f'grant all on guarded, counter to "{USER}"',
    )  # fmt: skip
    before = server.one("select last_value from counter")
    assert re.search(WRITES[query], str(refused(study(server, query))))
    assert server.one("select count(*) || '/' || sum(x) from guarded") == "1/1"
    assert server.one("select last_value from counter") == before
    assert server.one("select count(*) from pg_class where relname = 'made'") == 0


def test_what_a_server_lets_through_is_taken_back(server):
    # versions before 16 make large objects in a transaction that may not write
    with suppress(SourceError):
        opened(study(server, "select lo_create(0) as x"))
    assert server.one("select count(*) from pg_largeobject_metadata") == 0
    assert opened(study(server, "select 1 as x, pg_advisory_lock(1) is null as y")).height == 1
    assert server.one("select count(*) from pg_locks where locktype = 'advisory'") == 0


NOWHERE = "postgresql://${CX_USER}:${CX_PASSWORD}@"
WRONG = {
    "password": ({"variables": {"CX_PASSWORD": PASSWORD + "x"}}, "password authentication failed for user"),
    "user": ({"variables": {"CX_USER": "re@der"}}, "password authentication failed for user"),
    "host": ({"source": NOWHERE + "nowhere.invalid/db"}, "could not translate host name"),
    "host of a secret name": (
        {"source": NOWHERE + "${CX_HOST}/db", "variables": {"CX_HOST": "hidden.invalid"}},
        "could not translate host name",
    ),
    "port": ({"source": NOWHERE + "127.0.0.1:1/db"}, "Connection refused; Is the server running"),
    "socket": ({"source": NOWHERE + "/db?host=/nowhere"}, "No such file or directory"),
    "setting": ({"source": NOWHERE + "/db?sslmod=require"}, "has a setting that is not among those allowed"),
    "database": (
        {"source": ADDRESS.replace("/postgres", "/${CX_PASSWORD}")}, 'FATAL:  database "…" does not exist'
    ),
    "encryption": ({"source": NOWHERE + "127.0.0.1:1/db?sslmode=verify-full"}, "no connection to 'postgresql://$"),
    "address": (
        {"source": "${URL}", "variables": {"URL": f"postgresql://{USER}:{PASSWORD}@/postgres"}},
        "the address has a setting that is not among those allowed",
    ),
    "column": ({"query": "select customr from guarded2"}, 'column "customr" does not exist; Perhaps you meant'),
    "table": ({"query": "select * from nothing"}, 'relation "nothing" does not exist'),
    "syntax": ({"query": "select from where"}, 'syntax error at or near "where"'),
    "statement": ({"query": "show all"}, 'syntax error at or near "all"'),
    "right": ({"query": "select * from private"}, "permission denied for table private"),
    "right to files": ({"query": "select pg_read_file('/etc/passwd')"}, "permission denied for function pg_read_file"),
    "sum": ({"query": "select 1 / 0 as x"}, "division by zero"),
    "sum later on": ({"query": "select 1 / (300000 - x) as x from generate_series(1, 400000) x"}, "division by zero"),
    "number": ({"query": "select 10::numeric ^ 400 as x"}, "is out of range for type double precision"),
    "echo": ({"query": "select (current_user || 'x')::int as x"}, 'syntax for type integer: "${CX_USER}x"'),
    "names": ({"query": "select 1 as x, 2 as x"}, "gives two columns 'x': rename one"),
    "no columns": ({"query": "select"}, "gives no columns: it must be one SELECT"),
    "nothing": ({"query": " ; "}, "the server refuses the query"),
    "time": (
        {"query": "select pg_sleep(9)", "source": ADDRESS + "&options=-cstatement_timeout%3D50"}, "statement timeout"
    ),
    "line": ({"query": "do $$ begin raise exception e'a\\nb'; end $$"}, "gives no columns"),
}  # fmt: skip


def forms(secret: str) -> set[str]:
    return {
        secret,
        quote(secret),
        quote(secret, ""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
    }


SECRETS = forms(USER) | forms(PASSWORD)


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line_that_tells_no_secret(server, what, files, capfd, monkeypatch):
    monkeypatch.setenv("CXRESEARCH_ALLOW_HOSTS", "nowhere.invalid,hidden.invalid")
    server.run(
        "create table if not exists guarded2 (customer text)", "create table if not exists private (x int)",
        f'grant select on guarded2 to "{USER}"',
    )  # fmt: skip
    given, said = WRONG[what]
    error = refused(study(server, given.get("query", "select 1 as x"), given.get("source", ADDRESS),
                          variables=given.get("variables", {})))  # fmt: skip
    assert said in str(error)
    assert re.match(r"interactions\.(source|query): ", str(error))
    assert str(error).isprintable()
    assert error.__context__ is None
    # as the most talkative of tools would print it
    shown = "".join(
        traceback.TracebackException.from_exception(error, capture_locals=True).format()
    )
    frames = "\n".join(
        line
        for line in shown.splitlines()
        if not line.startswith(("    given = ", "    server = "))
    )
    text = "\n".join(
        [
            frames.rpartition("postgres/test_server.py")[2],
            str(error),
            repr(error),
            *capfd.readouterr(),
        ]
    )
    for secret in SECRETS | set(given.get("variables", {}).values()):
        assert secret not in text
    assert not list(files.glob("*/*.parquet"))


def test_a_password_that_breaks_an_address_is_not_told_in_pieces(server):
    for password in (
        "p@hidden",
        "hidden/word",
        "a:hidden",
        "%zzhidden",
        "hid den@[",
        "hidden?x",
        "5#hidden",
    ):
        made = study(
            server,
            "select 1",
            "${URL}",
            variables={"URL": f"postgresql://somebody:{password}@h.invalid/db"},
        )
        said = str(refused(made))
        assert "hidden" not in said
        assert "somebody" not in said
        assert "no connection to '${URL}'" in said


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def answers(files):
    """The folders of answers of the server among temporary ones."""
    return list(files.glob(f"{postgres._FOLDER}*"))


@pytest.mark.parametrize("name", ENGINES)
def test_the_answer_is_private_and_goes_with_its_engine(server, name, files):
    before = os.umask(0)
    try:
        on = engine(name)
        kept = open_source(
            study(server, "select x from generate_series(1, 10) x"), on, "interactions"
        )
    finally:
        os.umask(before)
    (folder,) = answers(files)
    assert {mode(p) for p in files.iterdir()} == {0o700}  # DuckDB's spill folder, too
    assert {mode(p) for p in folder.iterdir()} == {0o600}
    assert on.collect(on.rows(kept)).height == 10
    opened(study(server, "select 1 as x"), on)
    assert len(list(folder.glob("*.parquet"))) == 2
    del kept, on
    gc.collect()
    assert not list(files.iterdir())


@pytest.mark.parametrize("name", ENGINES)
def test_nothing_is_left_of_a_study(server, name, files, tmp_path):
    log = (
        "select * from (values ('a', date '2024-01-02', 'bad'), ('a', '2024-01-05', "
        "'good')) as x (customer, at, grade)"
    )
    made = cx.study_from(
        {"interactions": {"source": ADDRESS, "query": log}},
        folder=tmp_path,
        retention=WHO,
        variables=server.variables,
    )
    records = cx.read_records(made, name)
    assert dict(records.audit.kept)["interactions"] == 2
    assert len(answers(files)) == 1
    assert cx.risk_table(records, bad=cx.bad_count(1)).flows.height
    del records
    gc.collect()
    with suppress(cx.CxResearchError):
        cx.audit(made.__class__(**{f: getattr(made, f) for f in made.__struct_fields__ if f != "moments"},
                                moments=MomentRules(bad="nothing = 1")), engine=name)  # fmt: skip
    gc.collect()
    assert not list(files.iterdir())


CHILD = """
import os, signal, sys
import polars as pl
import cxresearch as cx
who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": [None]})
query = "select 'a' as customer, date '2024-01-01' + x as at, 'bad' as grade from generate_series(1, 9) x"
made = cx.study_from({"interactions": {"source": sys.argv[2], "query": query}}, retention=who)
records = cx.read_records(made)
place = os.environ["TMPDIR"]
print([f"{f}/{n}" for f in os.listdir(place) for n in os.listdir(f"{place}/{f}")], flush=True)
match sys.argv[1]:
    case "fork" if os.fork() == 0:
        sys.exit()  # as a child that has not been told that it is one
    case "fork":
        os.wait()
        assert cx.risk_table(records, bad=cx.bad_count(1)).flows.height
        assert len(os.listdir(place)) == 1
    case "fails":
        raise ValueError
    case "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    case "waits":
        sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["ends", "fork", "fails", "killed"])
def test_nothing_is_left_of_a_process(server, how, files):
    env = os.environ | server.variables | ALLOWED | {"TMPDIR": str(files)}

    def child(how: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", CHILD, how, ADDRESS],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    done = child(how)
    assert "/0.parquet" in done.stdout, done.stderr
    assert done.returncode == {"fails": 1, "killed": -9}.get(how, 0), done.stderr
    assert len(list(files.iterdir())) == (how == "killed")
    if how == "killed":
        # the next one that asks a server clears it away, and leaves alone what a living one has
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, "waits", ADDRESS], env=env, stdin=-1, stdout=-1, text=True
        ) as alive:
            assert alive.stdout.readline().count("parquet") == 1
            child("ends")
            assert len(list(files.glob("*/0.parquet"))) == 1
            alive.communicate("")
        assert not list(files.iterdir())


def test_a_large_answer_comes_in_batches(server, files):
    on = engine("polars")
    query = "select x, repeat('word ', 20) as said from generate_series(1, 600000) x"
    raw = open_source(study(server, query), on, "interactions")
    (file,) = files.glob("*/*.parquet")
    assert pq.ParquetFile(file).num_row_groups > 2
    assert on.collect(on.rows(raw))["x"].to_list() == list(range(1, 600_001))


def test_no_room_for_the_answer(server, files, monkeypatch):
    def full(*_args, **_named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", full)
    error = refused(study(server, "select 1 as x"))
    assert str(error) == (
        f"interactions.query: the answer cannot be kept in {files}: No space left on device; "
        "name another folder in TMPDIR"
    )
    assert not list(files.glob("*/*.parquet"))
    monkeypatch.setattr(tempfile, "tempdir", str(files / "nowhere"))
    assert "interactions.query: cannot be read: [Errno 2]" in str(
        refused(study(server, "select 1 as x"))
    )


def test_an_interrupt_leaves_nothing(server, files, monkeypatch):
    def interrupted(*_args, **_named):
        raise KeyboardInterrupt

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", interrupted)
    on = engine("polars")
    with pytest.raises(KeyboardInterrupt):
        opened(study(server, "select 1 as x"), on)
    assert not list(files.glob("*/*.parquet"))
    assert server.one("select count(*) from pg_stat_activity where usename <> 'admin'") == 0


def test_a_driver_without_names_of_types_is_too_old():
    shape = pyarrow.schema([("x", pyarrow.int32())])
    with pytest.raises(
        SourceError, match=r"too old: pip install --upgrade 'cxresearch\[postgres\]'"
    ):
        postgres._plain("select 1 as x", shape, "interactions.query", ())


def test_the_page_shows_a_role_that_may_only_read(server):
    page = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text(encoding="utf-8")
    (grants,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    for table in ("tickets", "customers"):
        server.run(f"drop table if exists {table}")
    server.run(
        "create table customers (id int)",
        "create table tickets (customer_id int, opened_at date, stars int)",
    )
    server.run("insert into tickets values (1, '2023-02-01', 4)", "create table others (x int)")
    grants = (
        re.sub("--.*", "", grants)
        .replace("…", "secret")
        .replace("database crm", "database postgres")
    )
    server.run(*(s for s in grants.split(";") if s.strip()))
    raw = tomllib.loads(shown)
    raw["interactions"]["source"] = ADDRESS
    variables = server.variables | {"CX_USER": "cx_reader", "CX_PASSWORD": "secret"}
    assert opened(cx.study_from(raw, retention=WHO, variables=variables)).rows() == [
        (1, date(2023, 2, 1), 4)
    ]
    for refusal in ("select * from others", "select pg_read_file('/etc/passwd')"):
        assert "permission denied" in str(refused(study(server, refusal, variables=variables)))


STUDY = f"""
[interactions]
source = "{ADDRESS}"
query = "select customer, at, stars::numeric(3, 1) as stars, touchpoint from contacts order by random()"
time_zone = "UTC"
score = "stars"
scale = [1, 5]

[moments]
bad = "stars <= 2"
good = "stars >= 4"
exclude = "touchpoint = 'cancellation'"

[retention]
source = "{ADDRESS}"
query = "select *, coalesce(ended, 'infinity') as end from customers"
start = "start"
cause = "reason"
defection = ["switched"]
segment = "plan"
cluster = "household"
"""
CLAIMS = ["three-strikes", "one-strike", "bad-moments-drive-away"]


@pytest.fixture(scope="module")
def sample(server, tmp_path_factory) -> Path:
    """The sample study as files, and beside it the same on the server."""
    folder = tmp_path_factory.mktemp("sample")
    done = CliRunner().invoke(main, ["sample", str(folder)])
    assert done.exit_code == 0, done.output
    server.load("contacts", pl.read_parquet(folder / "interactions.parquet"))
    kept = pl.read_csv(folder / "customers.csv", try_parse_dates=True)
    assert kept.schema["start"] == pl.Date
    server.load("customers", kept.rename({"end": "ended"}))
    (folder / "served").mkdir()
    head = (folder / "study.toml").read_text(encoding="utf-8").partition("[interactions]")[0]
    (folder / "served" / "study.toml").write_text(head + STUDY, encoding="utf-8")
    return folder


def verdicts(docket):
    """What was found of each claim; by how many others its p-value is corrected follows from the columns there are."""
    result = json.loads(docket.to_json())
    return (
        result["fingerprint"],
        result["counted"],
        [
            {name: value for name, value in row.items() if name != "p_family"}
            for row in result["verdicts"]
        ],
    )


@pytest.mark.parametrize("name", ["polars", "duckdb", "spark"])
def test_the_sample_study_is_the_same_from_a_server(server, sample, name, request):
    if name == "spark":
        pytest.importorskip("pyspark")
        request.getfixturevalue("session")
    from_files = cx.evaluate(
        cx.read_study(sample), CLAIMS, alone=True, keep=False, verdicts_only=True
    )
    served = cx.read_study(sample / "served", server.variables)
    asked = cx.evaluate(served, CLAIMS, engine=name, alone=True, verdicts_only=True)
    assert verdicts(asked) == verdicts(from_files)
    assert len(verdicts(asked)[1]) >= 3
    assert {f"{f.reason}: {f.rows}" for f in asked.audit.findings} == {
        f"{f.reason}: {f.rows}" for f in from_files.audit.findings
    }
    # what a server says has no content to go by, so nothing is kept for the next time
    assert cache.opened(served) is None
    assert not (sample / "served" / ".cxresearch").exists()


def written(folder: Path) -> str:
    return "\n".join(
        p.read_bytes().decode(errors="replace") for p in folder.rglob("*") if p.is_file()
    )


@pytest.mark.parametrize(
    "command", [["audit"], ["evaluate", "--claim", "one-strike", "--json"], ["report", "--out"]]
)
@pytest.mark.parametrize("right", [True, False])
def test_no_command_tells_a_secret(server, sample, command, right, files, tmp_path):
    place = tmp_path / "study"
    place.mkdir()
    text = (sample / "served" / "study.toml").read_text(encoding="utf-8")
    # a row at fault, so that there is a quarantine
    odd = text.replace(
        "from contacts order by random()", "from contacts union all select null, now(), 1, null"
    )
    (place / "study.toml").write_text(odd, encoding="utf-8")
    password = PASSWORD if right else PASSWORD + "§"
    env = (
        os.environ
        | server.variables
        | ALLOWED
        | {"CX_PASSWORD": password, "TMPDIR": str(files), "PYTHONWARNINGS": "default"}
    )
    words = [command[0], "study", *command[1:]]
    if words[-1] in {"--json", "--out"}:
        words.append("study/out")
    done = subprocess.run(
        [sys.executable, "-m", "cxresearch", *words],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (0 if right else 1 if command[0] == "report" else 2), done.stderr
    assert right or "password authentication failed" in done.stderr
    told = "\n".join([done.stdout, done.stderr, written(place)])
    for secret in SECRETS | forms(password):
        assert secret not in told
    assert not list(files.iterdir())
    assert not (place / ".cxresearch" / "cache").exists()
    assert (place / ".cxresearch" / "quarantine").is_dir() == (right and command[0] != "report")
    assert (place / ".cxresearch" / "failed").is_dir() == (not right and command[0] == "report")
