"""Queries of a study file: reading declared tables, and nothing else."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import polars as pl
import pytest

from cxresearch.engines import engine
from cxresearch.errors import RuleError
from cxresearch.study.sql import query

TABLES = ("tickets", "accounts")
ACCEPTED = [
    "select * from tickets",
    "from tickets",
    "select t.a, count(*) as n from tickets t left join accounts on t.a = accounts.a group by t.a order by n limit 3",
    "with x as (select * from tickets) select * from x union all select * from x",
    "select a, row_number() over (partition by a order by b) as n from tickets",
    "select a::date as d, strptime(b, '%d.%m.%Y') as e from tickets",
    "select * from tickets where a in (select a from accounts)",
    "select case when a = 1 then 'x' else lower(b) end as c from tickets",
    "select date_diff('day', a, b) as d, regexp_matches(b, 'x') as e from tickets",
    "select * from (values (1)) v(a), tickets",
]
REFUSED = {
    "": "holds nothing",
    "select from where": "cannot read",
    "selec x": "a query must be one SELECT",
    "select * from ticket": "ticket is not a declared table; did you mean 'tickets'?",
    "select * from Tickets": "is not a declared table",
    "select * from elsewhere": "declared under [tables]: tickets, accounts",
    "select * from main.tickets": "is not a declared table",
    "select * from information_schema.tables": "is not a declared table",
    "select * from 'secret.csv'": "is not a declared table",
    'select * from "secret.csv"': "is not a declared table",
    "select * from tickets where a = (select max(a) from secret)": "secret is not a declared table",
    "select * from read_csv('x')": "is not a declared table",
    "select * from read_parquet('x')": "is not a declared table",
    "select * from read_json_auto('x')": "is not a declared table",
    "select * from parquet_scan('x')": "is not a declared table",
    "select * from glob('*')": "is not a declared table",
    "select * from duckdb_settings()": "is not a declared table",
    "select * from query('select 1')": "is not a declared table",
    "select read_text('x') from tickets": "the function 'read_text'",
    "select getenv('HOME') from tickets": "the function 'getenv'",
    "select current_setting('x') from tickets": "the function 'current_setting'",
    "select random() from tickets": "is not among what a query may use",
    "select uuid() from tickets": "is not among what a query may use",
    "select current_date from tickets": "is not among what a query may use",
    "select current_user from tickets": "is not among what a query may use",
    "select * from tickets tablesample 10%": "is more than reading",
    "select * from tickets; select 1": "holds 2 statements",
    "drop table tickets": "a query must be one SELECT, was DROP",
    "create table x as select * from tickets": "was CREATE",
    "insert into tickets values (1)": "was INSERT",
    "update tickets set a = 1": "was UPDATE",
    "delete from tickets": "was DELETE",
    "copy tickets to 'x.csv'": "was COPY",
    "attach 'x.db'": "was ATTACH",
    "install httpfs": "was INSTALL",
    "pragma database_list": "was PRAGMA",
    "set threads = 1": "was SET",
    "explain select * from tickets": "was COMMAND",
    "select * into x from tickets": "is not a declared table",
    # another statement where a table is expected
    "select * from (summarize 'secret.json')": "is more than reading the declared tables",
    "select * from (summarize select * from tickets)": "is more than reading the declared tables",
    "select * from (describe tickets)": "is more than reading the declared tables",
    "select * from (pivot tickets on a using sum(b))": "is more than reading the declared tables",
    "from tickets pivot (sum(a) for b in (1, 2))": "is more than reading the declared tables",
    "select a from tickets where exists (from (summarize 'secret.json'))": "is more than reading the declared tables",
    "with x as (from (summarize 'secret.json')) select * from x": "is more than reading the declared tables",
    "select * from tickets, lateral (select * from (summarize 'secret.json'))": "is more than reading",
    "select columns('a.*') from tickets": "is not among what a query may use",
    "select * from tickets at (version => 1)": "is more than reading the declared tables",
    "select $1 from tickets": "is more than reading the declared tables",
    "select * from tickets for update": "is more than reading the declared tables",
    # a view of the engine's own, under a name that WITH gives elsewhere
    "with x as (from duckdb_tables), duckdb_tables as (select 1 as a) from x": "duckdb_tables is not a declared table",
    "select * from (with duckdb_tables as (select 1 as a) from duckdb_tables) t, duckdb_tables": "not a declared table",
    "with duckdb_tables as (from duckdb_tables) from duckdb_tables": "duckdb_tables is not a declared table",
    # where the name is out of sight, the engine would look for a file of that name
    'select * from "a.csv", (with "a.csv" as (select 1 as a) select * from "a.csv")': "letters, digits and _",
    "select * from tickets where "
    + " or ".join(["a = 1"] * 20_000): "too long or too deeply nested",
    "select " + "(" * 2000 + "1" + ")" * 2000 + " from tickets": "too long or too deeply nested",
}


@pytest.mark.parametrize("sql", ACCEPTED)
def test_reading_declared_tables_is_accepted(sql):
    checked = query(sql, "f", TABLES)
    assert '"tickets"' in checked
    assert query(checked, "f", TABLES) == checked


@pytest.mark.parametrize("sql", REFUSED, ids=[sql[:50] for sql in REFUSED])
def test_all_else_is_refused(sql, capfd):
    with pytest.raises(RuleError) as caught:
        query(sql, "interactions.query", TABLES)
    assert REFUSED[sql] in str(caught.value)
    assert str(caught.value).startswith("interactions.query: ")
    assert "\n" not in str(caught.value)
    # the parser has opinions of its own
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["polars", "duckdb"])
def test_a_name_out_of_scope_finds_no_variable_and_no_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secret = pl.DataFrame({"a": [1]})
    secret.write_csv("secret.csv")
    sql = "select secret.a from (with secret as (select 2 as a) select * from secret) t, secret"
    with pytest.raises(RuleError, match="secret is not a declared table"):
        query(sql, "f", ())
    on = engine(name)
    with pytest.raises(Exception, match="secret"):
        on.collect(nw.from_native(on.query(sql, {})))


@pytest.mark.parametrize("name", ["polars", "duckdb"])
def test_dates_in_a_query_do_not_depend_on_the_place_of_the_machine(name, monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    on = engine(name)
    at = pl.DataFrame(
        {"at": pl.Series(["2024-01-01T22:00:00"]).str.to_datetime().dt.replace_time_zone("UTC")}
    )
    result = on.query(
        query("select cast(at as date) as d from t", "f", ("t",)), {"t": on.frame(at)}
    )
    assert str(on.collect(nw.from_native(result))["d"][0]) == "2024-01-01"
