"""The study file: strict keys, ranges, variables filled in late and never shown."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.errors import SourceError, StudyError

LOG = pl.DataFrame({"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]})
WHO = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-03-01"]})
GOOD = {"interactions": {"source": "log.csv"}, "retention": {"source": "who.csv"}}
SECRET = "hunter2-äß"


def study(**sections) -> cx.Study:
    """A study over two frames, with some sections said."""
    return cx.study_from(sections, interactions=LOG, retention=WHO)


def refused(raw, **frames) -> StudyError:
    with pytest.raises(StudyError) as caught:
        cx.study_from(raw, **frames)
    return caught.value


def test_a_plain_study_is_read_and_frozen(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('[interactions]\nsource = "a.csv"\n[retention]\nsource = "b.csv"\n')
    read = cx.read_study(path)
    assert read.folder == tmp_path.resolve()
    assert read.name == tmp_path.name
    assert cx.read_study(tmp_path).interactions.source == "a.csv"
    with pytest.raises(AttributeError):
        read.folder = tmp_path


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b""])
def test_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path, prefix):
    (tmp_path / "study.toml").write_bytes(
        prefix + b'[interactions]\r\nsource = "a"\r\n[retention]\r\nsource = "b"\r\n'
    )
    assert cx.read_study(tmp_path).retention.source == "b"


@pytest.mark.parametrize(
    ("raw", "said", "field"),
    [
        (
            {"interaction": {}},
            "unknown key 'interaction' in the study file; did you mean 'interactions'?",
            "interaction",
        ),
        ({"study": {"horizn_days": 3}}, "did you mean 'horizon_days'?", "study.horizn_days"),
        ({"moments": {"score": "s"}}, "it belongs in [interactions]", "moments.score"),
        ({"horizon_days": 3}, "it belongs in [study]", "horizon_days"),
        ({"interactions": {"start": "s"}}, "it belongs in [retention]", "interactions.start"),
        (
            {"interactions": {"separator": ";"}},
            "it belongs in [interactions.format]",
            "interactions.separator",
        ),
        ({"decision": {"groups": 20}}, "unknown key 'groups' in [decision]", "decision.groups"),
        ({"study": {"colour": 1}}, "known: id, name, horizon_days, min_cell", "study.colour"),
        (
            {"tables": {"t": {"sorce": "x"}}},
            "unknown key 'sorce' in [tables.t]; did you mean 'source'?",
            "tables.t.sorce",
        ),
        (
            {"interactions": {"format": {"quotes": "x"}}},
            "did you mean 'quote'?",
            "interactions.format.quotes",
        ),
    ],
)
def test_an_unknown_key_is_an_error_that_helps(raw, said, field):
    error = refused(raw)
    assert said in str(error)
    assert error.field == field


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"study": {"horizon_days": "long"}}, "study.horizon_days: expected `int`, got `str`"),
        ({"study": {"horizon_days": True}}, "study.horizon_days: expected `int`, got `bool`"),
        ({"study": {"horizon_days": 1.5}}, "study.horizon_days"),
        ({"interactions": {"scale": [1]}}, "interactions.scale"),
        ({"interactions": {"scale": [1, "five"]}}, "interactions.scale[1]"),
        ({"interactions": {"unattended": "web"}}, "interactions.unattended"),
        ({"interactions": {"log_from": "soon"}}, "interactions.log_from"),
        ({"interactions": {"encoding": 8}}, "interactions.encoding"),
        ({"retention": {"kind": "subscription"}}, "retention.kind"),
        ({"retention": {"defection": [1]}}, "retention.defection[0]"),
        ({"decision": {"multiplicity": "often"}}, "decision.multiplicity"),
        ({"study": 3}, "study must be a section"),
        ({"tables": 3}, "[tables] must be a table of names"),
        ({"tables": {"t": 3}}, "tables.t must be a section"),
        ({"claims": {"id": "x"}}, "write each as [[claims]]"),
    ],
)
def test_a_wrong_type_names_its_path(raw, path):
    assert path in str(refused(raw, interactions=LOG, retention=WHO))


RANGES = [
    ({"study": {"horizon_days": 0}}, "study.horizon_days must be between 1 and 36525, was 0"),
    ({"study": {"horizon_days": 10**30}}, "study.horizon_days must be between"),
    ({"study": {"min_cell": 0}}, "study.min_cell must be"),
    ({"moments": {"blackout_days": -1}}, "moments.blackout_days must be"),
    ({"moments": {"neutral": "stars = 3"}}, "moments.neutral needs moments.bad or moments.good"),
    ({"decision": {"level": 0.5}}, "decision.level must lie between 0.5 and 1, was 0.5"),
    ({"decision": {"level": 95.0}}, "decision.level must lie between 0.5 and 1, was 95.0"),
    ({"decision": {"level": float("nan")}}, "decision.level must lie"),
    ({"interactions": {"time_zone": "Europe/Londn"}}, "did you mean 'Europe/London'?"),
    ({"interactions": {"time_zone": "../../etc/passwd"}}, "is no known time zone; write it as"),
    (
        {"interactions": {"scale": [5, 1]}},
        "interactions.scale must rise, such as [1, 5], was [5.0, 1.0]",
    ),
    ({"interactions": {"scale": [1, float("inf")]}}, "interactions.scale must rise"),
    ({"interactions": {"scale": [float("nan"), 5]}}, "interactions.scale must rise"),
    (
        {"interactions": {"log_from": date(2024, 1, 2), "log_until": date(2024, 1, 1)}},
        "log_from must lie before log_until",
    ),
    (
        {"interactions": {"log_from": 3, "log_until": date(2024, 1, 1)}},
        "must both be dates or both integer days",
    ),
    ({"interactions": {"log_from": 10**12}}, "interactions.log_from must be"),
    ({"interactions": {"log_until": date(1, 1, 1)}}, "years 1000 to 9999"),
    (
        {"interactions": {"at_format": "%Q"}},
        "interactions.at_format: '%Q' in '%Q' is not known; there are: %Y",
    ),
    ({"interactions": {"at_format": "dd.mm.yyyy"}}, "'dd.mm.yyyy' holds no directive"),
    ({"retention": {"date_format": "%F"}}, "retention.date_format: '%F'"),
    (
        {"retention": {"observed_until": 1.5}},
        "must be a column, a date such as 2024-12-31 or an integer day",
    ),
    ({"retention": {"observed_from": True}}, "retention.observed_from must be"),
    ({"retention": {"gap_days": 30}}, 'retention.gap_days belongs to kind = "activity"'),
    ({"retention": {"defection": ["x"]}}, "name the column that holds them"),
    ({"retention": {"covariates": ["entry"]}}, "'entry' is a name that is used otherwise"),
    ({"retention": {"covariates": ["segment"]}}, "say segment = 'segment' instead"),
    ({"retention": {"covariates": ["age", "age"]}}, "names 'age' twice"),
    ({"tables": {"my table": "a.csv"}}, "a table is named by letters, digits and _"),
    ({"tables": {"a": "a.csv", "A": "b.csv"}}, "is given twice"),
    ({"tables": {"a": {}}}, "needs either a file name or a query"),
    ({"tables": {"a": {"source": "x", "query": "y"}}}, "needs either a file name or a query"),
    ({"tables": {"a": " "}}, "tables.a is empty"),
    (
        {"tables": {"a": {"source": "x.csv", "format": {"separator": "||"}}}},
        "separator must be one character",
    ),
    (
        {"tables": {"a": {"source": "x.csv", "format": {"quote": ","}}}},
        "quote must be one character other than",
    ),
    ({"tables": {"a": {"source": "x.csv", "format": {"skip_rows": -1}}}}, "skip_rows must be"),
    (
        {"tables": {"a": {"source": "x.csv", "format": {"decimal_comma": True, "separator": ","}}}},
        "needs another separator",
    ),
    (
        {"tables": {"a": {"source": "x.csv", "format": {"thousands": "."}}}},
        "tables.a.format.thousands is '.', which also marks decimals: say decimal_comma = true as well",
    ),
    (
        {"tables": {"a": {"source": "x.csv", "format": {"thousands": "00"}}}},
        "thousands must be one",
    ),
    (
        {"tables": {"a": {"source": "x.csv", "encoding": "cp1225"}}},
        "tables.a.encoding 'cp1225' is not known; did you mean 'cp1252'?",
    ),
    ({"tables": {"a": {"source": "x.csv", "encoding": "base64"}}}, "is not known"),
    ({"tables": {"a": {"source": "x.csv", "encoding": "idna"}}}, "is not known"),
    ({"tables": {"a": {"source": "x.csv", "widths": [3]}}}, "widths needs columns as well"),
    (
        {"tables": {"a": {"source": "x.csv", "widths": [3], "columns": ["a", "b"]}}},
        "1 widths and 2 names given",
    ),
    (
        {"tables": {"a": {"source": "x.csv", "widths": [0], "columns": ["a"]}}},
        "widths must be 1 or more letters each, were [0]",
    ),
    ({"tables": {"a": {"source": "x.csv", "columns": []}}}, "must name each column"),
    ({"tables": {"a": {"source": "x.csv", "columns": ["a", "a"]}}}, "columns names 'a' twice"),
    ({"interactions": {"sheet": "x"}}, "interactions.sheet is about a file: name it as source"),
    (
        {"retention": {"kind": "activity", "gap_days": 9, "encoding": "gbk"}},
        "retention.encoding is about a file: name it as source",
    ),
]


@pytest.mark.parametrize(("raw", "said"), RANGES, ids=[said[:40] for _, said in RANGES])
def test_what_is_out_of_range_or_contradicts_is_refused(raw, said):
    error = refused(raw, interactions=LOG, retention=WHO)
    assert said in str(error)
    assert error.field


@pytest.mark.parametrize(
    ("retention", "said"),
    [
        ({}, "needs gap_days"),
        ({"gap_days": 0}, "a number from 1 to 36525, was 0"),
        ({"gap_days": 30, "cause": "why"}, 'retention.cause belongs to kind = "contract"'),
        ({"gap_days": 30, "covariates": ["age"]}, "retention.covariates belongs"),
        ({"gap_days": 30, "observed_until": "last_seen"}, "give a date or an integer day"),
    ],
)
def test_activity_needs_a_gap_and_no_table_of_customers(retention, said):
    assert said in str(refused({"retention": {"kind": "activity", **retention}}, interactions=LOG))


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        ({"retention": {"source": "x"}}, 0),
        ({**GOOD, "interactions": {"source": "a", "query": "b"}}, 2),
    ],
)
def test_a_table_has_one_source(raw, count):
    assert (
        f"[interactions] needs one source: a file (source = …) or a query (query = …) over [tables]; {count}"
        in str(refused(raw))
    )
    assert "2 given" in str(refused(GOOD, interactions=LOG))


def test_a_blank_source_is_not_the_whole_folder():
    assert "interactions.source is empty" in str(refused({**GOOD, "interactions": {"source": ""}}))


FILES = {
    "broken": (b"[study\n", "is not valid TOML"),
    "deep": (b"x = " + b"[" * 5000, "is not valid TOML: too deeply nested"),
    "latin-1": ("[study]\nname = 'Müller'\n".encode("latin-1"), "is not text in UTF-8 (byte 17)"),
    "junk": (bytes(range(256)) * 10, "is not text in UTF-8"),
    "zero bytes": (b"\0" * 100, "is not valid TOML"),
    "twice": (b"[study]\n[study]\n", "is not valid TOML"),
    "empty": (b"", "[interactions] needs one source"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_study(tmp_path, name):
    content, said = FILES[name]
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=r"^\S") as caught:
        cx.read_study(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_file(tmp_path):
    with pytest.raises(
        StudyError, match=r"no study file .*nowhere\.toml: give the path of a TOML file"
    ):
        cx.read_study(tmp_path / "nowhere.toml")
    with pytest.raises(StudyError, match=r"no study file .*study\.toml"):
        cx.read_study(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot read the study file"):
        cx.read_study(tmp_path / "file" / "study.toml")
    with pytest.raises(StudyError, match=r"cannot read the study file .*: File name too long"):
        cx.read_study(tmp_path / ("x" * 300))
    with pytest.raises(StudyError, match="cannot read the study file"):
        cx.read_study("a\0b")


def test_variables_are_filled_late(monkeypatch):
    monkeypatch.delenv("CX_PLACE", raising=False)
    read = cx.study_from({**GOOD, "interactions": {"source": "${CX_PLACE}/log.csv"}})
    assert read.interactions.source == "${CX_PLACE}/log.csv"
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", "CX_PLACE,CX_PW,CX_SHORT,CX_LONG,CX_OTHER")
    monkeypatch.setenv("CX_PLACE", "late")
    assert read.fill("${CX_PLACE}/log.csv", "f") == "late/log.csv"
    assert read.fill("no $variable {here} $", "f") == "no $variable {here} $"
    given = cx.study_from(GOOD, variables={"CX_PLACE": "given"})
    assert given.fill("${CX_PLACE}", "f") == "given"


def test_a_variable_without_a_value_is_named(monkeypatch):
    monkeypatch.delenv("CX_PLACE", raising=False)
    read = cx.study_from({**GOOD, "interactions": {"source": "${CX_PLACE}/log.csv"}})
    with pytest.raises(
        StudyError, match=r"interactions.source uses \$\{CX_PLACE\}, which has no value"
    ) as caught:
        cx.read_records(read)
    assert "-D CX_PLACE=VALUE" in str(caught.value)
    assert caught.value.field == "interactions.source"
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", "CX_PLACE,CX_PW,CX_SHORT,CX_LONG,CX_OTHER")
    monkeypatch.setenv("CX_PLACE", "")
    with pytest.raises(StudyError, match="which is empty"):
        cx.read_records(read)


def test_redact_turns_values_back_longest_first(monkeypatch):
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", "CX_PLACE,CX_PW,CX_SHORT,CX_LONG,CX_OTHER")
    monkeypatch.setenv("CX_SHORT", "se")
    monkeypatch.setenv("CX_LONG", "secret")
    monkeypatch.setenv("CX_OTHER", "plain")
    read = cx.study_from({**GOOD, "interactions": {"source": "${CX_LONG}/${CX_SHORT}"}})
    assert read.redact("a secret, se, plain") == "a ${CX_LONG}, ${CX_SHORT}, plain"


def test_the_study_itself_does_not_tell():
    read = cx.study_from(
        {**GOOD, "interactions": {"source": "${CX_PW}"}}, variables={"CX_PW": SECRET}
    )
    assert SECRET not in repr(read)
    assert SECRET not in f"{read} {read.__rich_repr__()}"


def secret_files(folder):
    """What the place named by a secret may hold, and the source that leads there."""
    inside = folder / SECRET
    inside.mkdir()
    (inside / "junk.parquet").write_bytes(b"PAR1" + bytes(range(200)) + b"PAR1")
    (inside / "empty.csv").touch()
    (inside / "ragged.csv").write_text("customer,at,grade\na,2024-01-01,bad,4,5\n")
    (inside / "binary.csv").write_bytes(b"a,b\n\0\0\0")
    (inside / "latin.csv").write_bytes("customer,at,grade\nä,2024-01-01,bad\n".encode("latin-1"))
    (inside / "torn.csv.gz").write_bytes(b"\x1f\x8b\x08\x00torn")
    (inside / "log.csv").write_text("customer,wann,grade\na,2024-01-01,bad\n")
    (inside / "note.md").write_text("x")
    (inside / "bare").mkdir()


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize(
    "source",
    [
        "${CX_PW}/nothing.csv", "${CX_PW}/nothing*.csv", "${CX_PW}/junk.parquet", "${CX_PW}/empty.csv",
        "${CX_PW}/ragged.csv", "${CX_PW}/binary.csv", "${CX_PW}/latin.csv", "${CX_PW}/torn.csv.gz", "${CX_PW}/log.csv",
        "${CX_PW}/note.md", "${CX_PW}/bare", "${CX_PW}/log.csv/deeper.csv", "${CX_PW}/**x/y.csv", "${CX_PW}\0.csv",
        "s3://me:${CX_PW}@db/crm", "${CX_PW}" + "x" * 300,
    ],
)  # fmt: skip
def test_no_message_holds_a_secret(tmp_path, monkeypatch, engine, source):
    secret_files(tmp_path)
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", "CX_PLACE,CX_PW,CX_SHORT,CX_LONG,CX_OTHER")
    monkeypatch.setenv("CX_PW", SECRET)
    raw = {"interactions": {"source": source}}
    read = cx.study_from(raw, folder=tmp_path, retention=WHO)
    with pytest.raises(cx.CxResearchError) as caught:
        cx.read_records(read, engine)
    assert SECRET not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    # a chained exception would be printed with it
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_driver_that_echoes_the_path_is_redacted(tmp_path, monkeypatch):
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", "CX_PLACE,CX_PW,CX_SHORT,CX_LONG,CX_OTHER")
    monkeypatch.setenv("CX_PW", SECRET)
    (tmp_path / f"{SECRET}.parquet").write_bytes(b"junk")
    read = cx.study_from(
        {"interactions": {"source": "${CX_PW}.parquet"}}, folder=tmp_path, retention=WHO
    )
    # DuckDB names the file in its message
    with pytest.raises(SourceError, match=r"\$\{CX_PW\}.parquet") as caught:
        cx.read_records(read, "duckdb")
    assert SECRET not in str(caught.value)


def test_docstring_example_of_settings():
    assert study(study={"name": "two lines"}).name == "two lines"
    assert study(study={"id": "x"}).name == "x"


def test_two_study_files_in_one_folder_share_nothing_that_is_kept(tmp_path):
    for name in ("study.toml", "a.toml", "b.toml"):
        (tmp_path / name).write_text(
            '[interactions]\nsource = "a.csv"\n[retention]\nsource = "b.csv"\n'
        )
    kept = [cx.read_study(tmp_path / n).state.name for n in ("study.toml", "a.toml", "b.toml")]
    assert kept == [".cxresearch", ".cxresearch-a", ".cxresearch-b"]


@pytest.mark.parametrize(
    ("section", "key", "written", "meant"),
    [
        ("retention", "kind", "contracts", "contract"),
        ("retention", "kind", "Activity", "activity"),
        ("decision", "multiplicity", "Benjamini Hochberg", "benjamini-hochberg"),
        ("moments", "grades", "MEASURED", "measured"),
    ],
)
def test_another_spelling_of_a_word_is_that_word(section, key, written, meant):
    sections = {section: {key: written}}
    if meant == "activity":
        sections["retention"]["gap_days"] = 30
    assert getattr(getattr(study(**sections), section), key) == meant


def test_another_word_names_those_that_are_allowed():
    said = str(refused({"retention": {"kind": "contrat"}}))
    assert (
        said
        == "retention.kind must be 'contract' or 'activity', was 'contrat'; did you mean 'contract'?"
    )


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        ({"bad": "false"}, 'moments.bad = "false" speaks of no contact'),
        ({"good": " FALSE "}, 'to grade none as good, write neutral = "otherwise" as well'),
        ({"good": "otherwise"}, 'moments.good: only neutral can be "otherwise"'),
    ],
)
def test_a_rule_that_is_no_rule(moments, said):
    error = refused({"moments": moments}, interactions=LOG, retention=WHO)
    assert said in str(error)
    assert error.field == f"moments.{next(iter(moments))}"


def test_nothing_is_bad_where_only_rules_decide():
    assert study(moments={"bad": "false", "neutral": "otherwise"}).moments.bad == "false"


@pytest.mark.parametrize(
    "words",
    [
        {"true_values": ["no"]},
        {"false_values": ["YES "]},
        {"null_values": ["1"]},
        {"true_values": ["ja"], "null_values": ["Ja"]},
    ],
)
def test_a_word_means_one_thing(words):
    assert "a word means one thing" in str(
        refused({"interactions": words}, interactions=LOG, retention=WHO)
    )
