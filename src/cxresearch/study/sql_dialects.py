"""A checked query in the words of each engine that does not read DuckDB's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlglot
from sqlglot import expressions as exp
from sqlglot.dialects.duckdb import DuckDB


class PolarsSQL(DuckDB):
    """DuckDB's dialect as Polars reads it: without a word on nulls, they come last, or first where the order falls."""

    NULL_ORDERING = "nulls_are_large"


def polars_sql(sql: str) -> str:
    """A checked query in the SQL of Polars.

    Raises:
        RuleError: it holds a function that Polars does not know.
    """
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    for node in list(tree.walk(bfs=False))[::-1]:
        name = node.name.upper() if isinstance(node, exp.Anonymous) else type(node).__name__
        if (rule := _POLARS.get(name)) is not None and node.parent is not None:
            node.replace(rule(node))
    return tree.sql(dialect=PolarsSQL, identify=True)


def translate_for_spark(tree: Any) -> Any:
    """The query with functions that mean in Spark what they mean in DuckDB; the tree that was given is changed."""
    for node in list(tree.walk(bfs=False))[::-1]:
        name = node.name.upper() if isinstance(node, exp.Anonymous) else type(node).__name__
        if name == "Extract":
            name = f"Extract {node.name.upper()}"
        if (rule := _SPARK.get(name)) is not None and node.parent is not None:
            node.replace(rule(node))
    return _in_order(tree)


def _in_order(tree: Any) -> Any:
    """Spark has no ``distinct on``: the window that stands for it chooses by the order, and does not keep it."""
    if not isinstance(tree, exp.Select):  # a union's own "distinct" is a yes or no
        return tree
    chosen, order = tree.args.get("distinct"), tree.args.get("order")
    if chosen is None or not chosen.args.get("on") or order is None or tree.args.get("limit"):
        return tree
    known = set(tree.named_selects)
    keys = [k.copy() for k in order.expressions if isinstance(k.this, exp.Column)]
    if len(keys) < len(order.expressions) or not {k.this.name for k in keys} <= known:
        return tree  # ordered by what is not in the result
    for key in keys:
        key.this.set("table", None)
    return exp.select("*").from_(tree.subquery("cx_chosen")).order_by(*keys)


def _seconds_in_spark(x: exp.Expression) -> exp.Expression:
    """Seconds since 1970, by functions that do not depend on the session."""
    at = exp.cast(x.copy(), "timestamp")
    start = exp.cast(exp.Literal.string("1970-01-01"), "date")
    total: exp.Expression = exp.Anonymous(
        this="DATEDIFF", expressions=[exp.cast(x.copy(), "date"), start]
    )
    parts = (
        (24, exp.Anonymous(this="HOUR", expressions=[at.copy()])),
        (60, exp.Anonymous(this="MINUTE", expressions=[at.copy()])),
        (60, exp.Extract(this=exp.Var(this="SECOND"), expression=at.copy())),
    )
    for size, part in parts:
        whole = exp.cast(exp.paren(total), "double")
        scaled = exp.Mul(this=whole, expression=exp.Literal.number(size))
        total = exp.Add(this=scaled, expression=exp.cast(part, "double"))
    return exp.paren(total)


def _replacement_in_spark(node: exp.RegexpReplace) -> exp.Expression:
    """Groups are named by a dollar there, not by a backslash."""
    made = node.copy()
    text = str(node.args["replacement"].this).replace("$", r"\$")
    made.set("replacement", exp.Literal.string(re.sub(r"\\([0-9])", r"$\1", text)))
    made.set("modifiers", None)
    return made


def _epoch(x: exp.Expression) -> exp.Expression:
    return exp.Extract(this=exp.Var(this="EPOCH"), expression=exp.cast(x.copy(), "timestamp"))


def _whole_number(x: exp.Expression) -> exp.Expression:
    return exp.cast(exp.Floor(this=x), "bigint")


def _date_diff(
    node: exp.Expression, seconds_of: Callable[[exp.Expression], exp.Expression] = _epoch
) -> exp.Expression:
    """How often a unit begins between two times, as DuckDB counts."""
    if isinstance(node, exp.Anonymous):
        unit, start, end = str(node.expressions[0].this).upper(), *node.expressions[1:]
    else:
        unit, start, end = (node.text("unit") or "DAY").upper(), node.expression, node.this
    seconds = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400}
    months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}

    def count(x: exp.Expression) -> exp.Expression:
        if unit in seconds:
            by = exp.cast(exp.Literal.number(seconds[unit]), "double")
            return _whole_number(exp.Div(this=seconds_of(x), expression=by))
        if unit in months:
            year, month = (
                exp.cast(
                    exp.Extract(this=exp.Var(this=p), expression=exp.cast(x.copy(), "timestamp")),
                    "bigint",
                )
                for p in ("YEAR", "MONTH")
            )
            total: exp.Expression = exp.Add(
                this=exp.Mul(this=year, expression=exp.Literal.number(12)), expression=month
            )
            total = exp.Sub(this=total, expression=exp.Literal.number(1))
            by = exp.cast(exp.Literal.number(months[unit]), "double")
            return _whole_number(exp.Div(this=exp.paren(total), expression=by))
        raise ValueError(unit)  # `_Rewriter.between` lets no other pass

    return exp.paren(exp.Sub(this=count(end), expression=count(start)))


_POLARS: dict[str, Callable[[Any], exp.Expression]] = {
    "RegexpLike": lambda n: exp.Anonymous(
        this="REGEXP_LIKE", expressions=[n.this.copy(), n.expression.copy()]
    ),
    "REGEXP_MATCHES": lambda n: exp.Anonymous(
        this="REGEXP_LIKE", expressions=[e.copy() for e in n.expressions]
    ),
    "DateDiff": _date_diff,
    "DATE_DIFF": _date_diff,
    "TimeToUnix": lambda n: _epoch(n.this),
    "EPOCH": lambda n: _epoch(n.expressions[0]),
    "WeekOfYear": lambda n: exp.Extract(this=exp.Var(this="WEEK"), expression=n.this.copy()),
    "CountIf": lambda n: exp.Count(
        this=exp.Case(ifs=[exp.If(this=n.this.copy(), true=exp.Literal.number(1))])
    ),
    "LogicalOr": lambda n: exp.Max(this=n.this.copy()),
    "LogicalAnd": lambda n: exp.Min(this=n.this.copy()),
}


def _named(name: str, x: exp.Expression, plus: int = 0) -> exp.Expression:
    made: exp.Expression = exp.Anonymous(this=name, expressions=[x.copy()])
    return exp.paren(exp.Add(this=made, expression=exp.Literal.number(plus))) if plus else made


_SPARK: dict[str, Callable[[Any], exp.Expression]] = {
    "TimeToUnix": lambda n: _seconds_in_spark(n.this),
    "EPOCH": lambda n: _seconds_in_spark(n.expressions[0]),
    "Extract EPOCH": lambda n: _seconds_in_spark(n.expression),
    "Extract SECOND": lambda n: _named("SECOND", n.expression),
    "RegexpReplace": _replacement_in_spark,
    "DateDiff": lambda n: _date_diff(n, _seconds_in_spark),
    "DATE_DIFF": lambda n: _date_diff(n, _seconds_in_spark),
    "Extract DOW": lambda n: _named("DAYOFWEEK", n.expression, -1),
    "Extract DAYOFWEEK": lambda n: _named("DAYOFWEEK", n.expression, -1),
    "Week": lambda n: _named("WEEKOFYEAR", n.this),
    "DayOfWeek": lambda n: _named("DAYOFWEEK", n.this, -1),
    "Extract ISODOW": lambda n: _named("WEEKDAY", n.expression, 1),
    "Extract DAYOFWEEKISO": lambda n: _named("WEEKDAY", n.expression, 1),
    "Extract DOY": lambda n: _named("DAYOFYEAR", n.expression),
    "Extract DAYOFYEAR": lambda n: _named("DAYOFYEAR", n.expression),
}
