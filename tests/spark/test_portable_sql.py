"""A query means on Spark what it means on Polars and DuckDB, or Spark says that it does not know it."""

import narwhals.stable.v2 as nw
import pytest

from cxresearch.engines import engine, read_errors
from cxresearch.study.sql import query
from tests.study.test_portable_sql import EXPRESSIONS, QUERIES, ROWS, SCHEMA, VALUES, answer, plain

pytestmark = pytest.mark.spark
# what Spark refuses; the row that a division by zero stops is an error there
REFUSED = {
    "b = 1",
    "concat(s,i)",
    "extract(isoyear from d)",
    "f/0",
    "i/0",
    "i = any(select i from t)",
    "i > all(select j from t)",
    "strftime(t,'%j %U %W %V %a %b %y %p %I')",
    "strftime(t,'%G-W%V')",
}
REFUSED_QUERIES = (
    "select * replace (i+1 as i) from t order by id",
    "select quantile_cont(f,0.3) x from t",
    "select sum(b) x from t",
)
# a missing value that is looked for in a list is not in it, to Spark
DIFFERENT = {"i in (select j from t)"}
ASKED = [x for x in (*EXPRESSIONS, *VALUES) if x not in REFUSED | DIFFERENT]
AT_ONCE = 30  # expressions in one query: most of the time of a query goes into planning it


def on_spark(sql):
    on = engine("spark")
    rows = on.collect(
        nw.from_native(on.query(query(sql, "f", ("t",), SCHEMA), {"t": on.frame(ROWS)}))
    ).rows()
    return [tuple(plain(v) for v in row) for row in rows]


@pytest.mark.parametrize("first", range(0, len(ASKED), AT_ONCE))
def test_expressions_are_the_same_as_on_polars(first):
    asked = ASKED[first : first + AT_ONCE]
    columns = ", ".join(f"{x} as x{i}" for i, x in enumerate(asked))
    result = on_spark(f"select id, {columns} from t order by id")
    for i, x in enumerate(asked):
        wanted = answer("polars", f"select id, {x} as x from t order by id")
        assert [(row[0], row[i + 1]) for row in result] == wanted, x


@pytest.mark.parametrize("sql", [q for q in QUERIES if q not in REFUSED_QUERIES])
def test_a_query_is_the_same_as_on_polars(sql):
    assert on_spark(sql) == answer("polars", sql)


@pytest.mark.parametrize(
    "sql", [*(f"select id, {x} as x from t order by id" for x in sorted(REFUSED)), *REFUSED_QUERIES]
)
def test_what_spark_does_not_know_is_an_error(sql):
    assert answer("polars", sql)
    with pytest.raises(read_errors()):
        on_spark(sql)
