"""Rules and queries of a study file: one SQL dialect, parsed, checked, and given to every engine with one meaning.

A rule is a condition over a row of the log. It becomes a Narwhals expression node by node, so a node without an entry
here is refused, and no engine's own reading of SQL can differ. A query shapes untidy tables. It is checked (reading
only, declared tables only, no function that opens a file) and handed to the engine as text.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import narwhals.stable.v2 as nw
import sqlglot
from sqlglot import expressions as exp

from cxresearch.errors import RuleError, nearest

_COMPARE: dict[type[exp.Expression], Callable[[Any, Any], Any]] = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}
_ARITHMETIC: dict[type[exp.Expression], Callable[[Any, Any], Any]] = {
    exp.Add: operator.add,
    exp.Sub: operator.sub,
    exp.Mul: operator.mul,
    exp.Div: operator.truediv,
}
_TEXT: dict[type[exp.Expression], Callable[[nw.Expr], nw.Expr]] = {
    exp.Lower: lambda x: x.str.to_lowercase(),
    exp.Upper: lambda x: x.str.to_uppercase(),
    exp.Trim: lambda x: x.str.strip_chars(),
    exp.Length: lambda x: x.str.len_chars(),
}
_SAFE_FUNCTIONS = {"DATE_DIFF", "REGEXP_MATCHES", "STRFTIME", "TRY_STRPTIME", "EPOCH"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked condition.

    Attributes:
        sql: the condition as written.
        field: where it stands in the study file.
        reads: the columns it names, as written.
        condition: true, false or null per row; use `holds` for the two-valued answer.
    """

    sql: str
    field: str
    reads: tuple[str, ...]
    condition: nw.Expr

    @property
    def holds(self) -> nw.Expr:
        """True where the condition is true; a null condition is false."""
        return nw.when(self.condition).then(nw.lit(1)).otherwise(nw.lit(0)) == 1


@dataclass(frozen=True, slots=True)
class _Value:
    """An expression and what kind of thing it is: number, text, boolean, time or unknown."""

    expr: Any
    kind: str


def columns_of(sql: str, field: str) -> tuple[str, ...]:
    """The columns a rule names, in the order of their first mention."""
    return tuple(dict.fromkeys(c.name for c in _parse(sql, field).find_all(exp.Column)))


def rule(sql: str, field: str, schema: Mapping[str, nw.dtypes.DType]) -> Rule:
    """Parse a condition and check it against the columns there are.

    Args:
        sql: a condition in DuckDB's SQL: comparisons, AND, OR, NOT, IN, BETWEEN, IS NULL, LIKE, CASE, COALESCE,
            arithmetic, LOWER, UPPER, TRIM, LENGTH, ABS, and literals.
        field: where it stands, for messages.
        schema: column name to type.

    Raises:
        RuleError: not in the accepted part of SQL, an unknown column, or unlike things compared.
    """
    tree = _parse(sql, field)
    compiled = _Compiler(sql, field, schema).value(tree)
    if compiled.kind not in ("boolean", "unknown"):
        raise RuleError(f"{field}: {sql!r} is a {compiled.kind}, not a condition", field=field)
    return Rule(sql, field, columns_of(sql, field), compiled.expr)


def _parse(sql: str, field: str) -> exp.Expression:
    try:
        return sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError as e:
        said = re.sub(r"\x1b\[\d+m", "", str(e)).splitlines()[0]
        raise RuleError(f"{field}: cannot read {sql!r} as SQL: {said}", field=field) from None


class _Compiler:
    def __init__(self, sql: str, field: str, schema: Mapping[str, nw.dtypes.DType]) -> None:
        self.sql, self.field, self.schema = sql, field, schema

    def refuse(self, why: str) -> RuleError:
        return RuleError(f"{self.field}: {why} (in {self.sql!r})", field=self.field)

    def value(self, node: exp.Expression) -> _Value:  # noqa: PLR0911 - one return per kind of node
        kind = type(node)
        if isinstance(node, exp.Paren):
            return self.value(node.this)
        if isinstance(node, exp.Column):
            return self.column(node)
        if isinstance(node, exp.Literal | exp.Boolean | exp.Null):
            return self.literal(node)
        if isinstance(node, exp.And | exp.Or):
            a, b = self.boolean(node.this), self.boolean(node.expression)
            return _Value(a & b if isinstance(node, exp.And) else a | b, "boolean")
        if isinstance(node, exp.Not):
            return _Value(~self.boolean(node.this), "boolean")
        if kind in _COMPARE:
            return _Value(_COMPARE[kind](*self.pair(node.this, node.expression)), "boolean")
        if kind in _ARITHMETIC:
            a, b = self.pair(node.this, node.expression, "number")
            return _Value(_ARITHMETIC[kind](a, b), "number")
        if isinstance(node, exp.Neg):
            return _Value(nw.lit(0) - self.typed(node.this, "number"), "number")
        if isinstance(node, exp.Abs):
            return _Value(self.typed(node.this, "number").abs(), "number")
        if kind in _TEXT:
            return _Value(_TEXT[kind](self.typed(node.this, "text")), "number" if kind is exp.Length else "text")
        if isinstance(node, exp.Is):
            return self.is_(node)
        if isinstance(node, exp.In):
            return self.in_(node)
        if isinstance(node, exp.Between):
            x, low = self.pair(node.this, node.args["low"])
            _, high = self.pair(node.this, node.args["high"])
            return _Value((x >= low) & (x <= high), "boolean")
        if isinstance(node, exp.Like | exp.ILike):
            return self.like(node)
        if isinstance(node, exp.Case):
            return self.case(node)
        if isinstance(node, exp.Coalesce):
            parts = [self.value(n) for n in (node.this, *node.expressions)]
            return _Value(nw.coalesce(*(p.expr for p in parts)), self.common(parts))
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
            return self.time_literal(node)
        raise self.refuse(f"{node.sql(dialect='duckdb')!r} is not among what a rule may use")

    def column(self, node: exp.Column) -> _Value:
        name = node.name
        if name not in self.schema:
            raise self.refuse(f"no column {name!r}{nearest(name, self.schema) or '; there are: ' + ', '.join(self.schema)}")
        return _Value(nw.col(name), _kind(self.schema[name]))

    def literal(self, node: exp.Expression) -> _Value:
        if isinstance(node, exp.Boolean):
            return _Value(nw.lit(bool(node.this)), "boolean")
        if isinstance(node, exp.Null):
            return _Value(nw.lit(None), "unknown")
        if node.is_string:
            return _Value(nw.lit(str(node.this)), "text")
        text = str(node.this)
        return _Value(nw.lit(int(text) if re.fullmatch(r"\d+", text) else float(text)), "number")

    def boolean(self, node: exp.Expression) -> Any:
        return self.typed(node, "boolean")

    def typed(self, node: exp.Expression, kind: str) -> Any:
        v = self.value(node)
        if v.kind not in (kind, "unknown"):
            raise self.refuse(f"{node.sql(dialect='duckdb')} is {_article(v.kind)}, {_article(kind)} is needed")
        return v.expr

    def pair(self, a: exp.Expression, b: exp.Expression, kind: str | None = None) -> tuple[Any, Any]:
        x, y = self.value(a), self.value(b)
        if "time" in (x.kind, y.kind) and "text" in (x.kind, y.kind):
            x, y = (_Value(self.instant(n), "time") if v.kind == "text" else v for n, v in ((a, x), (b, y)))
        if kind and {x.kind, y.kind} - {kind, "unknown"}:
            raise self.refuse(f"{a.sql()} and {b.sql()} must be {kind}s, were {x.kind} and {y.kind}")
        if "unknown" not in (x.kind, y.kind) and x.kind != y.kind:
            raise self.refuse(
                f"{a.sql(dialect='duckdb')} is {_article(x.kind)} and {b.sql(dialect='duckdb')} is {_article(y.kind)}: "
                "they cannot be compared"
            )
        return x.expr, y.expr

    def instant(self, node: exp.Expression) -> nw.Expr:
        try:
            return nw.lit(datetime.fromisoformat(str(node.this)))
        except ValueError:
            raise self.refuse(f"{node.sql()} is compared with a time and is no ISO date") from None

    def time_literal(self, node: exp.Cast) -> _Value:
        text, to = str(node.this.this), node.to.this
        try:
            if to == exp.DataType.Type.DATE:
                return _Value(nw.lit(date.fromisoformat(text)), "time")
            if to in (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.DATETIME, exp.DataType.Type.TIMESTAMPNTZ):
                return _Value(nw.lit(datetime.fromisoformat(text)), "time")
        except ValueError:
            raise self.refuse(f"{text!r} is no ISO date") from None
        raise self.refuse(f"a cast to {to.value} is not among what a rule may use")

    def is_(self, node: exp.Is) -> _Value:
        if isinstance(node.expression, exp.Null):
            return _Value(self.value(node.this).expr.is_null(), "boolean")
        if isinstance(node.expression, exp.Boolean):
            same = self.boolean(node.this) == nw.lit(bool(node.expression.this))
            return _Value(nw.when(same).then(nw.lit(1)).otherwise(nw.lit(0)) == 1, "boolean")
        raise self.refuse("IS is for NULL, TRUE and FALSE")

    def in_(self, node: exp.In) -> _Value:
        if node.args.get("query") or not node.expressions:
            raise self.refuse("IN needs a list of values")
        hits = [operator.eq(*self.pair(node.this, e)) for e in node.expressions]
        found = hits[0]
        for hit in hits[1:]:
            found = found | hit
        return _Value(found, "boolean")

    def like(self, node: exp.Like | exp.ILike) -> _Value:
        if not node.expression.is_string:
            raise self.refuse("LIKE needs a text literal")
        text = self.typed(node.this, "text")
        pattern = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in str(node.expression.this))
        if isinstance(node, exp.ILike):
            text, pattern = text.str.to_lowercase(), pattern.lower()
        return _Value(text.str.contains(f"^{pattern}$"), "boolean")

    def case(self, node: exp.Case) -> _Value:
        if node.this is not None:
            raise self.refuse("write CASE WHEN condition THEN value")
        otherwise = self.value(node.args["default"]) if node.args.get("default") else _Value(nw.lit(None), "unknown")
        branches = [(self.boolean(i.this), self.value(i.args["true"])) for i in node.args["ifs"]]
        kind = self.common([otherwise, *(v for _, v in branches)])
        result = otherwise.expr
        for condition, value in reversed(branches):
            result = nw.when(condition).then(value.expr).otherwise(result)
        return _Value(result, kind)

    def common(self, parts: list[_Value]) -> str:
        kinds = {p.kind for p in parts} - {"unknown"}
        if len(kinds) > 1:
            raise self.refuse(f"the alternatives are unlike: {', '.join(sorted(kinds))}")
        return kinds.pop() if kinds else "unknown"


def _article(kind: str) -> str:
    return {"text": "text", "unknown": "unknown"}.get(kind, f"a {kind}")


def _kind(dtype: nw.dtypes.DType) -> str:
    if dtype.is_numeric():
        return "number"
    if dtype.is_temporal():
        return "time"
    if dtype == nw.Boolean:
        return "boolean"
    return "text" if dtype in (nw.String, nw.Categorical, nw.Enum) else "unknown"


def query(sql: str, field: str, tables: tuple[str, ...]) -> str:
    """Check a query and return it in a plain form with quoted names.

    Args:
        sql: one SELECT (joins, unions and WITH included) over `tables`, in DuckDB's SQL.
        field: where it stands, for messages.
        tables: the names it may read.

    Raises:
        RuleError: more than one statement, anything but reading, an undeclared table, or a function that could reach
            outside the declared tables.
    """
    tree = _parse(sql, field)
    if not isinstance(tree, exp.Query):
        raise RuleError(f"{field}: a query must be one SELECT, was {tree.key.upper()}", field=field)
    local = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or table.db or table.name not in {*tables, *local}:
            name = table.sql(dialect="duckdb")
            hint = nearest(table.name, (*tables, *local)) or f"; declared under [tables]: {', '.join(tables) or 'none'}"
            raise RuleError(f"{field}: {name} is not a declared table{hint}", field=field)
    for call in tree.find_all(exp.Anonymous):
        if call.name.upper() not in _SAFE_FUNCTIONS:
            raise RuleError(f"{field}: the function {call.name} is not among what a query may use", field=field)
    for node in tree.find_all(exp.ReadCSV, exp.ReadParquet, exp.Command, exp.Into):
        raise RuleError(f"{field}: {node.sql(dialect='duckdb')[:60]} reaches outside the declared tables", field=field)
    return tree.sql(dialect="duckdb", identify=True)
