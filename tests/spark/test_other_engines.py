"""What the other engines are held to, on Spark: the same tests, with Spark beside Polars."""

import inspect

import narwhals.stable.v2 as nw
import pytest

from cxresearch.engines import engine
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
}


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
            rows = [v if len(names) > 1 else (v,) for v in values]
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
