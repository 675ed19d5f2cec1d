"""What the other engines are held to, on Spark: the same tests, with Spark beside Polars."""

import inspect
from datetime import date

import narwhals.stable.v2 as nw
import polars as pl
import pytest

from cxresearch.engines import engine
from cxresearch.study.sql import rule
from tests.engines import test_windows
from tests.histories import test_histories, test_leads
from tests.records import test_records, test_sources
from tests.risk import test_cohorts, test_matched
from tests.study import test_sql_queries, test_sql_rules, test_timestamps

pytestmark = pytest.mark.spark
MODULES = (
    test_windows,
    test_records,
    test_sources,
    test_sql_queries,
    test_sql_rules,
    test_timestamps,
    test_histories,
    test_matched,
    test_cohorts,
    test_leads,
)
ENGINES = ["polars", "spark"]
ASKING = {
    "audits",
    "customers",
    "fatal",
    "result",
    "held",
    "local_times",
    "moments",
    "on_every_engine",
    "same_everywhere",
}
ASKING |= {"ENGINES"}
ABOUT_OTHERS = {
    # read by Polars
    "test_kinds_of_text_files",
    "test_text_files_are_the_same_table_on_every_engine",
    # translated to Spark's SQL, a name given within is known without; what is found is no table of anybody's
    "test_a_name_out_of_scope_finds_no_variable_and_no_file",
    "test_only_spark_has_a_catalogue",
    # many questions of one kind, each of which takes long to plan
    "test_a_thousand_alternatives_are_no_trouble",
    # asked at once below: an audit, or a query, for each of their cases takes far longer than the case itself
    "test_a_node_means_what_python_says",
    "test_known_texts_are_the_same_on_every_engine",
    "test_times_become_local_days_and_seconds",
    "test_times_in_a_format",
}
# what is asked of each column alike, by code that knows no engine: Spark's types are those of any column
FEWER = {"test_what_is_neither_text_nor_number_is_no_name": {"column": "grade"}}


def cases(module):
    """The module's tests with their parameters; where one is the name of an engine, it is Spark."""
    for name, test in vars(module).items():
        if (
            not name.startswith("test_")
            or not inspect.isfunction(test)
            or hasattr(test, "hypothesis")
        ):
            continue
        given = [{}]
        for mark in (m for m in getattr(test, "pytestmark", []) if m.name == "parametrize"):
            names = (
                [n.strip() for n in mark.args[0].split(",")]
                if isinstance(mark.args[0], str)
                else list(mark.args[0])
            )
            values = list(mark.args[1])
            values = (
                ["spark"] if any(isinstance(v, str) and v == "polars" for v in values) else values
            )
            # a case that bears a mark of its own holds its values as such
            rows = [
                v.values if hasattr(v, "marks") else v if len(names) > 1 else (v,) for v in values
            ]
            given = [
                {**before, **dict(zip(names, row, strict=True))} for before in given for row in rows
            ]
        for i, values in enumerate(given):
            yield pytest.param(
                module, test, values, id=f"{module.__name__.rpartition('.')[2]}-{name[5:]}-{i}"
            )


def asked(case) -> bool:
    """Whether a test asks more than one engine, or the one named."""
    _, test, given = case.values
    if not FEWER.get(test.__name__, {}).items() <= given.items():
        return False
    return any(isinstance(v, str) and v == "spark" for v in given.values()) or bool(
        ASKING & set(names_of(test.__code__))
    )


def names_of(code):
    yield from code.co_names
    for inner in code.co_consts:
        if inspect.iscode(inner):
            yield from names_of(inner)


def spark_answer(numbered, condition):
    on = engine("spark")
    rows = nw.from_native(on.frame(numbered))
    return on.collect(rows.select("n", hit=condition))


ALL = [c for m in MODULES for c in cases(m) if asked(c)]


@pytest.mark.parametrize(
    ("module", "test", "given"), [c for c in ALL if c.values[1].__name__ not in ABOUT_OTHERS]
)
def test_as_on_the_other_engines(module, test, given, request, monkeypatch):
    monkeypatch.setattr(module, "ENGINES", ENGINES, raising=False)
    monkeypatch.setattr(test_sql_rules, "MORE", [spark_answer])
    fixtures = {
        n: request.getfixturevalue(n) for n in inspect.signature(test).parameters if n not in given
    }
    test(**given, **fixtures)
    test_records.READ.clear()


AT_ONCE = 40  # conditions in one query: most of the time of a query goes into planning it


@pytest.mark.parametrize("first", range(0, len(test_sql_rules.NODES), AT_ONCE))
def test_nodes_mean_what_python_says(first):
    on, nodes = engine("spark"), test_sql_rules.NODES
    rows = nw.from_native(on.frame(test_sql_rules.ROWS.with_row_index("n")))
    sql = list(nodes)[first : first + AT_ONCE]
    hits = {
        f"hit{i}": rule(x, "moments.bad", test_sql_rules.SCHEMA).holds for i, x in enumerate(sql)
    }
    answers = on.collect(rows.select("n", **hits)).sort("n")
    for i, x in enumerate(sql):
        assert answers[f"hit{i}"].to_list() == [
            nodes[x](r) is True for r in test_sql_rules.PLAIN
        ], x


TEXTS = {}
for text, fmt in test_timestamps.READ:
    TEXTS.setdefault(fmt, []).append(text)


@pytest.mark.parametrize("fmt", TEXTS)
def test_known_texts(fmt):
    on, read = engine("spark"), {text: test_timestamps.READ[text, fmt] for text in TEXTS[fmt]}
    wanted = {None: (None, None), "": (None, None)}
    for text, at in read.items():
        wanted |= {text: at, f" {text}\t": at, f"{text} and more": (None, None)}
    rows = on.rows(on.frame(pl.DataFrame({"x": list(wanted)})))
    answers = on.collect(on.instant(rows, "x", fmt=fmt, zone=test_timestamps.BERLIN)).sort("cx_row")
    assert dict(zip(wanted, answers.select("cx_day", "cx_second").rows(), strict=True)) == wanted


def given_to(test):
    """The values of a test's parameters, case by case."""
    return next(m.args[1] for m in test.pytestmark if m.name == "parametrize")


def test_times_of_every_type_and_in_a_format():
    """Each in a column of its own."""
    typed = given_to(test_records.test_times_become_local_days_and_seconds)
    written = given_to(test_records.test_times_in_a_format)
    cases = [(at, None, local) for at, local in typed] + list(written)
    columns = {
        f"x{i}": at if isinstance(at, pl.Series) else pl.Series([at])
        for i, (at, _, _) in enumerate(cases)
    }
    on = engine("spark")
    frame = on.rows(on.frame(pl.DataFrame(columns)))
    for i, (_, fmt, _) in enumerate(cases):
        frame = on.instant(frame, f"x{i}", fmt=fmt, zone="Europe/Berlin", name=f"t{i}")
    (answer,) = on.collect(frame).to_dicts()
    for i, (at, fmt, (day, second)) in enumerate(cases):
        wanted = ((date.fromisoformat(day) - date(1970, 1, 1)).days, second)
        assert (answer[f"t{i}_day"], answer[f"t{i}_second"]) == wanted, (at, fmt)
