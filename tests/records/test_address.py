"""What can be said about a server without one: the study file, the driver that is not there, secrets taken out."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.engines import engine
from cxresearch.errors import SourceError, StudyError
from cxresearch.records import postgres
from cxresearch.records.address import filled
from cxresearch.records.sources import input_files

ROOT = Path(__file__).parents[2]
WHO = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": [None]})
ADDRESS = "postgresql://${CX_USER}:${CX_PASSWORD}@db/crm"


def study(source=ADDRESS, query="select 1", variables=None, **more) -> cx.Study:
    raw = {"interactions": {"source": source, "query": query}, **more}
    return cx.study_from({k: v for k, v in raw.items() if v}, retention=WHO, variables=variables)


@pytest.mark.parametrize(
    "source",
    [ADDRESS, "postgres://${U}@db", "${DATABASE_URL}", "postgresql://reader@db:5432,db2/crm?sslmode=require",
     "postgresql:///crm?user=${U}&password=${P}", "postgresql://u:@h/d"],
)  # fmt: skip
def test_addresses_that_are_taken(source):
    made = study(source)
    assert made.interactions.source == source
    assert input_files(made) is None
    tables = {"t": {"source": source, "query": "select 1"}}
    assert input_files(study(tables=tables, interactions={"query": "from t"})) is None


@pytest.mark.parametrize(
    "source",
    ["postgresql://u:hunter2@h/d", "postgresql://u:${P}hunter2@h/d", "postgresql://u:hunter2/@x@h/d",
     "postgres://h/d?password=hunter2", "postgres://${U}:${P}@h/d?x=y&sslpassword=hunter2"],
)  # fmt: skip
def test_a_password_in_plain_sight_is_refused_and_not_shown(source):
    for query in ("select 1", None):
        with pytest.raises(
            StudyError,
            match=r"interactions\.source shows a password: write \$\{NAME\} in its place",
        ) as caught:
            cx.study_from(
                {"interactions": {"source": source} | ({"query": query} if query else {})},
                retention=WHO,
            )
        assert "hunter2" not in str(caught.value)
    with pytest.raises(StudyError, match=r"tables\.t\.source shows a password"):
        cx.study_from({"tables": {"t": source}}, interactions=WHO, retention=WHO)


def test_the_page_shows_a_study_that_is_taken():
    (shown,) = re.findall(
        r"```toml\n(.*?)```",
        (ROOT / "docs" / "postgresql.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert (
        cx.study_from(tomllib.loads(shown), retention=WHO)
        .interactions.query.strip()
        .startswith("select")
    )


def test_a_server_needs_a_query():
    with pytest.raises(StudyError, match=r'a server: say what to read, query = "select …"'):
        cx.study_from({"interactions": {"source": ADDRESS}}, retention=WHO)
    with pytest.raises(StudyError, match=r"tables\.t\.source: 'postgresql.*query = "):
        cx.study_from({"tables": {"t": ADDRESS}}, interactions=WHO, retention=WHO)
    held = cx.study_from(
        {"interactions": {"source": "${URL}"}}, retention=WHO, variables={"URL": "postgresql://h/d"}
    )
    with pytest.raises(
        SourceError, match=r"'\$\{URL\}' is an address; .*a query next to the source is asked"
    ):
        cx.audit(held)


@pytest.mark.parametrize(
    "source", ["log.csv", "duckdb:a.duckdb/t", "s3://a/b", "mysql://a/b", "${FOLDER}/log.csv"]
)
def test_a_query_beside_anything_else_is_refused(source):
    with pytest.raises(
        StudyError, match=r'2 given; both together are for a server: source = "postgresql://…"'
    ):
        study(source)
    with pytest.raises(
        StudyError, match=r"tables\.t needs either a file name or a query; both together are for"
    ):
        cx.study_from(
            {"tables": {"t": {"source": source, "query": "x"}}}, interactions=WHO, retention=WHO
        )


def test_the_template_is_what_is_shown():
    made = study(variables={"CX_USER": "bob", "CX_PASSWORD": "hunter2"})
    assert ADDRESS in made._repr_html_()
    assert "hunter2" not in f"{made!r} {made._repr_html_()} {made.__rich_repr__()}"


def test_a_driver_that_is_not_installed_says_how_to_have_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    monkeypatch.setenv("CXRESEARCH_ALLOW_HOSTS", "db")
    made = study(variables={"CX_USER": "bob", "CX_PASSWORD": "hunter2"})
    with pytest.raises(
        SourceError,
        match=r"interactions\.source: a server needs its driver: pip install 'cxresearch\[postgres\]'",
    ):
        cx.audit(made)


def test_a_variable_without_a_value_is_named(monkeypatch):
    monkeypatch.delenv("CX_USER", raising=False)
    with pytest.raises(
        StudyError, match=r"interactions\.source uses \$\{CX_USER\}, which has no value"
    ):
        cx.audit(study())
    with pytest.raises(
        SourceError, match=r"what \$\{URL\} holds is no address: postgresql://user"
    ) as caught:
        cx.audit(study("${URL}", variables={"URL": "mysql://bob:hunter2@h"}))
    assert "hunter2" not in str(caught.value)


def test_no_character_of_a_value_is_taken_for_a_part_of_the_address(monkeypatch):
    monkeypatch.setenv("CXRESEARCH_ALLOW_HOSTS", "db")
    values = {
        "CX_USER": "a@b:c",
        "CX_PASSWORD": "/?#%41 ü+&=",
        "HOST": "[::1]:5432,db:1",
        "SOCKET": "/a b",
        "DB": "x/y?z",
    }
    made = study(
        "postgresql://${CX_USER}:${CX_PASSWORD}@${HOST}/${DB}?host=${SOCKET}", variables=values
    )
    assert filled(made, made.interactions.source, "x") == (
        "postgresql://a%40b%3Ac:%2F%3F%23%2541%20%C3%BC%2B%26%3D@[::1]:5432,db:1/x%2Fy%3Fz?host=%2Fa%20b&sslmode=require"
    )


ECHOES = {
    "as it is": "a b/ü@",
    "encoded": "a%20b%2F%C3%BC%40",
    "encoded for a path": "a%20b/%C3%BC%40",
    "encoded for a form": "a+b%2F%C3%BC%40",
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_an_encoded_value_is_taken_out(echo):
    made = study(variables={"CX_USER": "CX", "CX_PASSWORD": "a b/ü@"})
    # the name of one variable holds the value of the other
    assert made.redact(f"CX <{echo}>") == "${CX_USER} <${CX_PASSWORD}>"


def test_the_parts_of_an_address_are_taken_out():
    made = study(
        "${URL}",
        variables={"URL": "postgres://bob:p@ss/w%6Frd@db/crm?password=other&sslmode=require"},
    )
    for part in (
        "bob",
        "p@ss",
        "ss",
        "w%6Frd",
        "word",
        "other",
        "postgres://bob:p@ss/w%6Frd@db/crm",
    ):
        assert part not in made.redact(f'invalid "{part}"')
    assert made.redact("database crm, host db") == "database crm, host db"


SECRET = {"S": "hunter2"}
LEADS_ELSEWHERE = [
    "postgresql://${S}@evil.example/db",
    "postgresql://u@${S}.evil.example/db",
    "postgresql://u@evil.example/${S}",
    "postgresql://u@evil.example:${S}/db",
    "postgresql://u@evil.example/db?application_name=${S}",
    "postgresql://u@evil.example/db?options=-c%20x%3D${S}",
    "postgresql://u@evil.example/x@localhost?user=${S}",
    "postgresql://u@localhost,evil.example/${S}",
    "postgresql://u@localhost/${S}?host=evil.example",
    "postgresql://u@localhost/${S}?%68ost=evil.example",
    "postgresql://u@localhost/${S}?hostaddr=203.0.113.5",
    "postgresql://${S}/db",
]


@pytest.mark.parametrize("source", LEADS_ELSEWHERE)
def test_a_value_goes_to_no_host_that_nobody_has_confirmed(source):
    with pytest.raises(SourceError, match="confirm the host with --allow-host HOST") as caught:
        filled(study(source, variables=SECRET), source, "x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("variable", ["AWS_SECRET_ACCESS_KEY", "HOME"])
def test_a_variable_that_nobody_has_allowed_goes_nowhere(variable, monkeypatch):
    monkeypatch.setenv(variable, "hunter2")
    source = f"postgresql://u:${{{variable}}}@localhost/db"
    with pytest.raises(StudyError, match=f"allow it with --allow-env {variable}"):
        filled(study(source), source, "x")
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", variable)
    assert filled(study(source), source, "x") == "postgresql://u:hunter2@localhost/db"


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_another_machine_is_reached_over_tls_alone(mode, monkeypatch):
    monkeypatch.delenv("PGSSLMODE", raising=False)
    source = "postgresql://u:${S}@db.example/crm"
    made = study(source, variables=SECRET)
    assert filled(made, source, "x") == "postgresql://u:hunter2@db.example/crm?sslmode=require"
    with pytest.raises(SourceError, match="sslmode must be one of require, verify-ca, verify-full"):
        filled(made, f"{source}?sslmode={mode}", "x")
    whole = study("${S}", variables={"S": f"postgresql://u:p@db.example/crm?sslmode={mode}"})
    with pytest.raises(SourceError, match="sslmode must be one of"):
        filled(whole, "${S}", "x")
    local = f"postgresql://u:${{S}}@[::1]/crm?sslmode={mode}"
    assert filled(made, local, "x") == local.replace("${S}", "hunter2")


@pytest.mark.parametrize(
    "setting", ["service=x", "passfile=/etc/passwd", "sslkey=/root/key", "sslcert=/root/cert"]
)
def test_an_address_names_no_file_of_this_machine(setting):
    source = f"postgresql://u@localhost/db?{setting}"
    with pytest.raises(SourceError, match="has a setting that is not among those allowed"):
        filled(study(source), source, "x")


def test_the_password_of_the_environment_is_not_sent_to_a_stranger(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    source = "postgresql://u@evil.example/db?sslmode=require"
    assert filled(study(source), source, "x") == f"{source}&password="
    monkeypatch.setenv("CXRESEARCH_ALLOW_HOSTS", "evil.example")
    assert filled(study(source), source, "x") == source


NEARLY_LOCAL = [
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "[::ffff:203.0.113.5]",
    "2130706433",
    "0x7f.1",
    "0.0.0.0",
    "localhost%00.evil.example",
    "evil.example%2F",
    "ｌocalhost",
]


@pytest.mark.parametrize("host", NEARLY_LOCAL)
def test_a_host_that_looks_like_this_machine_is_another(host):
    source = f"postgresql://${{S}}@{host}/db"
    with pytest.raises(SourceError, match="confirm the host with --allow-host HOST"):
        filled(study(source, variables=SECRET), source, "x")


def test_a_host_of_the_environment_is_looked_at_where_the_address_names_none(monkeypatch):
    monkeypatch.setenv("PGHOST", "evil.example")
    for source in ("postgresql://${S}@/db", "postgresql:///${S}", "postgresql://${S}@:5432/db"):
        with pytest.raises(SourceError, match="confirm the host with --allow-host HOST"):
            filled(study(source, variables=SECRET), source, "x")


@pytest.mark.parametrize("allowed", ["AWS", "aws_secret", "AWS_*", "AWS_SECRET_KEY2", "*", ",", ""])
def test_a_variable_is_allowed_by_its_whole_name(allowed, monkeypatch):
    monkeypatch.setenv("AWS_SECRET", "hunter2")
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", allowed)
    source = "postgresql://u:${AWS_SECRET}@localhost/db"
    with pytest.raises(StudyError, match="allow it with --allow-env AWS_SECRET"):
        filled(study(source), source, "x")


def test_a_value_is_not_filled_in_again(monkeypatch):
    """A value that was given may hold ${…}: it is text, whatever the environment has under that name."""
    monkeypatch.setenv("AWS_SECRET", "hunter2")
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", "AWS_SECRET")
    source = "postgresql://u:${S}@localhost/db"
    made = study(source, variables={"S": "${AWS_SECRET}"})
    assert filled(made, source, "x") == "postgresql://u:%24%7BAWS_SECRET%7D@localhost/db"


@pytest.mark.parametrize(
    "changed",
    [
        {"study": {"name": "${S}", "id": "${S}"}},
        {"interactions": {"source": "postgresql://u@evil.example/db", "query": "select '${S}'"}},
        {"moments": {"bad": "grade = '${S}'"}},
        {"tables": {"t": {"source": "postgresql://u@evil.example/db", "query": "select '${S}'"}}},
        {"interactions": {"source": "log.csv", "grade": "${S}", "at_format": "%Y ${S}"}},
    ],
)
def test_a_variable_is_filled_into_sources_alone(changed):
    """A query goes to the server that the study names, and a name onto a page."""
    raw = {"interactions": {"source": "log.csv"}, "retention": {"source": "who.csv"}} | changed
    made = cx.study_from(raw, variables=SECRET)
    assert "hunter2" not in repr(
        [getattr(made, f) for f in made.__struct_fields__ if f != "variables"]
    )
    if made.asks_server:
        section = made.tables.get("t") or made.interactions
        assert "${S}" in section.query


def test_a_query_is_sent_as_it_is_written(monkeypatch):
    asked = []
    monkeypatch.setattr(postgres, "_fetch", lambda *given: asked.append(given[2]))
    source = "postgresql://u:${S}@localhost/db"
    made = study(source, variables=SECRET)
    postgres.fetched(made, engine("polars"), source, "select '${S}', '${HOME}'", "x", ())
    assert asked == ["select '${S}', '${HOME}'"]
