"""Rules: each node against plain Python with three-valued logic, the same on every engine."""

from __future__ import annotations

import operator
import re
from datetime import UTC, date, datetime

import duckdb
import narwhals.stable.v2 as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxresearch.errors import RuleError, StudyError
from cxresearch.study.sql import columns_of, rule

ROWS = pl.DataFrame(
    {
        "stars": [1, 2, 3, None, 5, -4, 0, 2],
        "price": [0.5, None, -1.25, 2.0, 3.5, 0.0, 1.0, 2.5],
        "text": ["call", "Chat", None, " bill ", "50% off", "ü.b", "", "c_ll"],
        "other": ["call", "chat", "x", None, "50", "ü.b", "a", "cxll"],
        "flag": [True, False, None, True, None, False, True, False],
        "day": [date(2024, 1, d) for d in (1, 2, 3, 4, 5, 6, 7)] + [None],
        "at": [datetime(2024, 1, d, 12) for d in (1, 2, 3, 4, 5, 6)]
        + [None, datetime(1969, 12, 31, 23, 59)],
    }
)
PLAIN = ROWS.to_dicts()
SCHEMA = dict(nw.from_native(ROWS).collect_schema())
MORE = []  # engines that are not always there


def on_every_engine(condition, frame=ROWS):
    """The rule's answer per row, which must not depend on the engine."""
    connection = duckdb.connect()
    connection.register("rows", frame.to_arrow())
    connection.execute("create table t as select *, row_number() over () as n from rows")
    numbered = frame.with_row_index("n")
    answers = [
        numbered.lazy()
        .pipe(nw.from_native)
        .select("n", hit=condition)
        .collect("polars")
        .to_native(),
        nw.from_native(numbered).select("n", hit=condition).to_native(),
        nw.to_native(nw.from_native(connection.table("t")).select("n", hit=condition)).pl(),
    ]
    answers += [answer(numbered, condition) for answer in MORE]
    lists = [a.sort("n")["hit"].to_list() for a in answers]
    assert all(hits == lists[0] for hits in lists)
    return lists[0]


def held(sql, frame=ROWS, **named):
    schema = dict(nw.from_native(frame).collect_schema())
    return on_every_engine(rule(sql, "moments.bad", schema, **named).holds, frame)


def three_valued(op):
    return lambda a, b: None if a is None or b is None else op(a, b)


def both(a, b):
    return False if a is False or b is False else None if a is None or b is None else True


def either(a, b):
    return True if a is True or b is True else None if a is None or b is None else False


def negated(a):
    return None if a is None else not a


eq, lt, le, gt, ge, ne = (
    three_valued(getattr(operator, n)) for n in ("eq", "lt", "le", "gt", "ge", "ne")
)


def length(text):
    return None if text is None else len(text)


NODES = {
    "stars = 2": lambda r: eq(r["stars"], 2),
    "stars == 2": lambda r: eq(r["stars"], 2),
    "stars <> 2": lambda r: ne(r["stars"], 2),
    "stars != 2": lambda r: ne(r["stars"], 2),
    "stars < price": lambda r: lt(r["stars"], r["price"]),
    "stars <= 2": lambda r: le(r["stars"], 2),
    "stars > 2.5": lambda r: gt(r["stars"], 2.5),
    "2 >= stars": lambda r: ge(2, r["stars"]),
    "stars < 99999999999999999999999": lambda r: lt(r["stars"], 1e23),
    "stars > 1e-3": lambda r: gt(r["stars"], 1e-3),
    "text = other": lambda r: eq(r["text"], r["other"]),
    "text < 'b'": lambda r: lt(r["text"], "b"),
    "text = 'it''s'": lambda r: eq(r["text"], "it's"),
    "\"text\" = 'call'": lambda r: eq(r["text"], "call"),
    "flag": lambda r: r["flag"],
    "not flag": lambda r: negated(r["flag"]),
    "flag = false": lambda r: eq(r["flag"], False),
    "flag is true": lambda r: r["flag"] is True,
    "flag is not true": lambda r: r["flag"] is not True,
    "flag is not false": lambda r: r["flag"] is not False,
    "stars is null": lambda r: r["stars"] is None,
    "stars is not null": lambda r: r["stars"] is not None,
    "null is null": lambda r: True,
    "stars = null": lambda r: None,
    "null": lambda r: None,
    "not null": lambda r: None,
    "true": lambda r: True,
    "not (stars = 2)": lambda r: negated(eq(r["stars"], 2)),
    "flag and stars > 0": lambda r: both(r["flag"], gt(r["stars"], 0)),
    "flag or stars > 0": lambda r: either(r["flag"], gt(r["stars"], 0)),
    "flag and null": lambda r: both(r["flag"], None),
    "flag or null": lambda r: either(r["flag"], None),
    "not (flag and null)": lambda r: negated(both(r["flag"], None)),
    "flag or stars > 0 and price > 0": lambda r: either(
        r["flag"], both(gt(r["stars"], 0), gt(r["price"], 0))
    ),
    "stars in (1, 2)": lambda r: either(eq(r["stars"], 1), eq(r["stars"], 2)),
    "stars in (1, null)": lambda r: either(eq(r["stars"], 1), None),
    "stars not in (1, null)": lambda r: negated(either(eq(r["stars"], 1), None)),
    "text in ('call', 'Chat')": lambda r: either(eq(r["text"], "call"), eq(r["text"], "Chat")),
    "stars between 1 and 2": lambda r: both(ge(r["stars"], 1), le(r["stars"], 2)),
    "stars not between 1 and 2": lambda r: negated(both(ge(r["stars"], 1), le(r["stars"], 2))),
    "stars between null and 2": lambda r: both(None, le(r["stars"], 2)),
    "stars between price and 5": lambda r: both(ge(r["stars"], r["price"]), le(r["stars"], 5)),
    "text like 'c%'": lambda r: None if r["text"] is None else r["text"].startswith("c"),
    "text like 'c_ll'": lambda r: (
        None if r["text"] is None else bool(re.fullmatch("c.ll", r["text"]))
    ),
    "text like '%.%'": lambda r: None if r["text"] is None else "." in r["text"],
    "text like '50%'": lambda r: None if r["text"] is None else r["text"].startswith("50"),
    "not text like 'c%'": lambda r: None if r["text"] is None else not r["text"].startswith("c"),
    "text not ilike 'C%'": lambda r: (
        None if r["text"] is None else not r["text"].lower().startswith("c")
    ),
    "text not like 'c%'": lambda r: None if r["text"] is None else not r["text"].startswith("c"),
    "text like ''": lambda r: eq(r["text"], ""),
    "text ilike 'C%T'": lambda r: None if r["text"] is None else r["text"].lower() == "chat",
    "case when stars > 2 then flag when price > 0 then true end": lambda r: (
        r["flag"] if gt(r["stars"], 2) else True if gt(r["price"], 0) else None
    ),
    "case when flag then 1 else 0 end = 1": lambda r: bool(r["flag"]),
    "case when flag then 'a' else text end = 'a'": lambda r: eq(
        "a" if r["flag"] else r["text"], "a"
    ),
    "coalesce(stars, 0) = 0": lambda r: (r["stars"] or 0) == 0,
    "ifnull(flag, true)": lambda r: True if r["flag"] is None else r["flag"],
    "stars + 1 = 3": lambda r: three_valued(lambda a, b: a + b == 3)(r["stars"], 1),
    "stars - price > 1": lambda r: three_valued(lambda a, b: a - b > 1)(r["stars"], r["price"]),
    "stars * price > 1": lambda r: three_valued(lambda a, b: a * b > 1)(r["stars"], r["price"]),
    "stars / 2 = 2.5": lambda r: three_valued(lambda a, b: a / b == 2.5)(r["stars"], 2),
    # divided by zero is null
    "1 / stars > 0": lambda r: None if not r["stars"] else 1 / r["stars"] > 0,
    "price / 0 is null": lambda r: True,
    "-stars > 3": lambda r: lt(r["stars"], -3),
    "abs(stars) = 4": lambda r: None if r["stars"] is None else abs(r["stars"]) == 4,
    "lower(text) = 'chat'": lambda r: None if r["text"] is None else r["text"].lower() == "chat",
    "upper('groß') = 'GROẞ'": lambda _: True,
    "upper(text) = 'CHAT'": lambda r: None if r["text"] is None else r["text"].upper() == "CHAT",
    "trim(text) = 'bill'": lambda r: None if r["text"] is None else r["text"].strip() == "bill",
    "length(text) = 3": lambda r: eq(length(r["text"]), 3),
    "day >= '2024-01-03'": lambda r: ge(r["day"], date(2024, 1, 3)),
    "day = date '2024-01-03'": lambda r: eq(r["day"], date(2024, 1, 3)),
    "at < '2024-01-03 12:00'": lambda r: lt(r["at"], datetime(2024, 1, 3, 12)),
    "at >= timestamp '2024-01-03 12:00:00'": lambda r: ge(r["at"], datetime(2024, 1, 3, 12)),
    "at >= '2024-01-03T12:00:00Z'": lambda r: ge(r["at"], datetime(2024, 1, 3, 12)),
    "at between '2024-01-02' and '2024-01-04'": lambda r: both(
        ge(r["at"], datetime(2024, 1, 2)), le(r["at"], datetime(2024, 1, 4))
    ),
    "((stars)) = (2) -- a remark": lambda r: eq(r["stars"], 2),
}


@pytest.mark.parametrize("sql", NODES)
def test_a_node_means_what_python_says(sql):
    assert held(sql) == [NODES[sql](r) is True for r in PLAIN]


def conditions():
    """Random conditions as (SQL, answer of a row), from the grammar."""
    number = st.sampled_from(
        [
            ("stars", lambda r: r["stars"]),
            ("price", lambda r: r["price"]),
            ("null", lambda r: None),
            *((str(n), lambda r, n=n: n) for n in (0, 1, 2, 2.5)),
        ]
    )
    text = st.sampled_from(
        [
            ("text", lambda r: r["text"]),
            ("other", lambda r: r["other"]),
            ("'call'", lambda r: "call"),
            ("''", lambda r: ""),
            ("lower(text)", lambda r: None if r["text"] is None else r["text"].lower()),
        ]
    )
    compare = st.sampled_from([("=", eq), ("<>", ne), ("<", lt), ("<=", le), (">", gt), (">=", ge)])

    def compared(a, op, b):
        return f"{a[0]} {op[0]} {b[0]}", lambda r: op[1](a[1](r), b[1](r))

    def joined(a, word, b):
        op = both if word == "and" else either
        return f"({a[0]} {word} {b[0]})", lambda r: op(a[1](r), b[1](r))

    def chosen(a, b, c):
        return (
            f"case when {a[0]} then {b[0]} else {c[0]} end",
            lambda r: b[1](r) if a[1](r) is True else c[1](r),
        )

    leaf = st.one_of(
        st.builds(compared, number, compare, number),
        st.builds(compared, text, compare, text),
        st.just(("flag", lambda r: r["flag"])),
        st.just(("null", lambda r: None)),
        st.builds(lambda a: (f"{a[0]} is null", lambda r: a[1](r) is None), number),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds(joined, inner, st.sampled_from(["and", "or"]), inner),
            st.builds(lambda a: (f"not ({a[0]})", lambda r: negated(a[1](r))), inner),
            st.builds(lambda a: (f"({a[0]}) is true", lambda r: a[1](r) is True), inner),
            st.builds(chosen, inner, inner, inner),
        ),
        max_leaves=8,
    )


@given(conditions())
@settings(max_examples=60)
def test_random_conditions_mean_what_python_says(condition):
    sql, answer = condition
    assert held(sql) == [answer(r) is True for r in PLAIN]


def test_not_a_number_is_nothing_known():
    frame = pl.DataFrame({"x": [float("nan"), 1.0, None, float("inf")]})
    assert held("x > 0", frame) == [False, True, False, True]
    assert held("x is null", frame) == [True, False, True, False]


@pytest.mark.parametrize(
    "kind", [pl.Int8, pl.UInt8, pl.Int32, pl.UInt64, pl.Float32, pl.Decimal(10, 2)]
)
def test_narrow_numbers_do_not_overflow(kind):
    frame = pl.DataFrame({"x": pl.Series([1, 2, 100, None]).cast(kind)})
    assert held("x - 2 < 0", frame) == [True, False, False, False]
    assert held("x * 100 > 150", frame) == [False, True, True, False]
    assert held("x / 8 = 0.25", frame) == [False, True, False, False]


def test_a_float_of_single_precision_is_compared_as_it_is():
    assert held("x = 0.5", pl.DataFrame({"x": pl.Series([0.5, 0.1], dtype=pl.Float32)})) == [
        True,
        False,
    ]


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["b", "a"])])
def test_categories_are_text(kind):
    frame = pl.DataFrame({"x": pl.Series(["a", "b", None], dtype=kind)})
    assert held("x < 'b'", frame) == [True, False, False]
    assert held("x in ('a', 'z')", frame) == [True, False, False]


def test_like_crosses_lines_and_takes_special_characters_as_they_are():
    frame = pl.DataFrame({"x": ["a\nb", "a+b", "a.b", "a\\b", "(a)", "a b", "^a$", "äb"]})
    assert held("x like 'a%b'", frame) == [True, True, True, True, False, True, False, False]
    assert held("x like 'a+b'", frame) == [False, True, False, False, False, False, False, False]
    assert held("x like '(a)' or x like '^a$' or x like '_b'", frame) == [False] * 4 + [
        True,
        False,
        True,
        True,
    ]
    assert held("x like 'a'", pl.DataFrame({"x": ["a", "a\n", "\na"]})) == [True, False, False]


@pytest.mark.slow
def test_a_thousand_alternatives_are_no_trouble():
    many = " or ".join(f"stars = {i}" for i in range(2, 1500))
    assert held(many) == [r["stars"] is not None and r["stars"] >= 2 for r in PLAIN]
    listed = f"stars in ({', '.join(map(str, range(2, 3000)))})"
    assert held(listed) == [r["stars"] is not None and r["stars"] >= 2 for r in PLAIN]


def test_canonical_names_lead_to_the_columns_own():
    made = rule("score <= 2", "f", {**SCHEMA, "score": SCHEMA["stars"]}, names={"score": "stars"})
    assert on_every_engine(made.holds) == [le(r["stars"], 2) is True for r in PLAIN]
    assert made.columns == ("score",)


def test_times_with_an_offset_are_brought_to_the_zone_of_the_study():
    noon = {"zone": "Europe/Berlin"}
    assert held("at >= '2024-01-03T11:00:00Z'", **noon) == [
        ge(r["at"], datetime(2024, 1, 3, 12)) is True for r in PLAIN
    ]
    instant = datetime(2024, 1, 3, 11, tzinfo=UTC).isoformat()
    assert held(f"at = timestamp '{instant}'", **noon) == [
        eq(r["at"], datetime(2024, 1, 3, 12)) is True for r in PLAIN
    ]


def test_columns_of_a_rule_in_order():
    assert columns_of("b = 1 and a = 2 or b = 3", "f") == ("b", "a")


REFUSED = {
    "": "holds nothing",
    "   ": "holds nothing",
    "stars <=": "cannot read 'stars <=' as SQL",
    "stars <= 2; drop table x": "holds 2 statements",
    "drop table x": "not among what a rule may use",
    "select 1": "not among what a rule may use",
    "(select 1) = 1": "not among what a rule may use",
    "exists (select 1)": "not among what a rule may use",
    "stars in (select 1)": "IN needs a list of values",
    "stars = any([1])": "not among what a rule may use",
    "stars::int = 2": "not among what a rule may use",
    "cast(stars as varchar) = '2'": "not among what a rule may use",
    "timestamptz '2024-01-01' < at": "a cast to TIMESTAMPTZ",
    "random() < 0.5": "not among what a rule may use",
    "read_csv('/etc/passwd')": "not among what a rule may use",
    "getenv('HOME') = 'x'": "not among what a rule may use",
    "day > current_date": "not among what a rule may use",
    "day > now()": "not among what a rule may use",
    "text ~ 'x'": "not among what a rule may use",
    "regexp_matches(text, 'x')": "not among what a rule may use",
    "text like other": "LIKE needs a text literal",
    "text like 'a' escape '!'": "not among what a rule may use",
    "trim(leading 'x' from text) = 'a'": "POSITION is not among",
    "trim(text, 'x') = 'a'": "takes one text",
    "count(*) > 1": "not among what a rule may use",
    "sum(stars) over () > 1": "not among what a rule may use",
    "case stars when 1 then true end": "write CASE WHEN condition THEN value",
    "case when flag then 1 else 'a' end = 1": "the alternatives are unlike: number, text",
    "coalesce(stars, 'a') = 1": "the alternatives are unlike",
    "stars = 'two'": "stars is a number and 'two' is text: they cannot be compared",
    "text > 3": "they cannot be compared",
    "flag = 1": "flag is a boolean and 1 is a number",
    "1 < stars < 3": "is a boolean",
    "stars + text > 1": "must be numbers, were number and text",
    "lower(stars) = 'a'": "stars is a number, text is needed",
    "stars and flag": "stars is a number, a boolean is needed",
    "stars": "is a number, not a condition such as stars <= 2",
    "'call'": "is text, not a condition",
    "day": "is a time, not a condition",
    "day > 'soon'": "'soon' is compared with a time and is no ISO date such as 2024-12-31",
    "day > text": "text is text and is compared with a time",
    "day = date '2024-02-30'": "'2024-02-30' is no ISO date",
    "star <= 2": "no column 'star'; did you mean 'stars'?",
    "nothing_like_it = 1": "no column 'nothing_like_it'; there are: stars, price",
    'text = "call"': "a text is written in single quotes",
    "STARS = 1": "no column 'STARS'",
    "log.stars = 1": "write the column alone",
    "stars is 2": "IS is for NULL, TRUE and FALSE",
    "stars between symmetric 3 and 1": "SYMMETRIC is not among",
    "length(text, 'utf8') = 1": "is not among what a rule may use",
    "stars in stars": "is not among what a rule may use",
    "coalesce(distinct stars) = 1": "not among what a rule may use",
    "text collate nocase = 'a'": "not among what a rule may use",
    "stars is distinct from 2": "not among what a rule may use",
    "(" * 3000 + "flag" + ")" * 3000: "too long or too deeply nested",
    "not " * 300 + "flag": "too long or too deeply nested",
    "stars" + " + 1" * 300 + " > 1": "too long or too deeply nested",
    " or ".join(f"stars = {i}" for i in range(20_000)): "too long or too deeply nested",
}


@pytest.mark.parametrize("sql", REFUSED, ids=[sql[:40] for sql in REFUSED])
def test_a_rule_that_is_refused_says_why_in_one_short_line(sql):
    with pytest.raises(RuleError) as caught:
        rule(sql, "moments.bad", SCHEMA)
    said = str(caught.value)
    assert REFUSED[sql] in said
    assert said.startswith("moments.bad: ")
    assert caught.value.field == "moments.bad"
    assert isinstance(caught.value, StudyError)
    assert "\n" not in said
    assert len(said) < 600


def test_a_column_that_holds_lists_can_only_be_missing():
    frame = pl.DataFrame({"x": [[1], None], "y": [1, 2]})
    schema = dict(nw.from_native(frame).collect_schema())
    assert held("x is null", frame) == [False, True]
    with pytest.raises(RuleError, match="a rule can only ask IS NULL"):
        rule("x = y", "f", schema)
