"""SQL of a study file: one dialect, parsed against a whitelist, one meaning on all engines."""

from __future__ import annotations

import logging
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import narwhals.stable.v2 as nw
import sqlglot
from sqlglot import expressions as exp

from cxresearch.errors import RuleError, nearest
from cxresearch.study.portable_sql import Schemas, make_portable

logging.getLogger("sqlglot").addHandler(logging.NullHandler())  # its message goes into a RuleError
_LONGEST = 100_000  # characters; a list of values is better put into a table


def parse(sql: str, field: str) -> exp.Expression:
    """One statement or condition.

    Raises:
        RuleError: it is no SQL, holds several statements, or is too long.
    """
    if len(sql) > _LONGEST:
        raise too_long(sql, field)
    try:
        result = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None]
    except sqlglot.errors.SqlglotError as e:
        message = re.sub(r"\x1b\[\d+m", "", str(e)).splitlines()[0]
        raise RuleError(
            f"{field}: cannot read {short(sql)} as SQL: {message}", field=field
        ) from None
    except RecursionError:
        raise too_long(sql, field) from None
    if len(result) != 1:
        held = f"{len(result)} statements" if result else "nothing"
        raise RuleError(
            f"{field}: {short(sql)} holds {held}; write one, without a semicolon", field=field
        )
    return cast(exp.Expression, result[0])


def too_long(sql: str, field: str) -> RuleError:
    """The error for what is longer or deeper than engines can follow."""
    return RuleError(
        f"{field}: {short(sql)} is too long or too deeply nested; write IN (…) for many values, or join a table",
        field=field,
    )


def short(sql: str) -> str:
    """A text as it is quoted in messages: one line, cut if need be."""
    text = " ".join(sql.split())
    return repr(text if len(text) <= 120 else text[:117] + "…")


def written(node: Any) -> str:
    """A part of a tree as SQL."""
    return str(node.sql(dialect="duckdb"))


_SAFE_FUNCTIONS = {"DATE_DIFF", "REGEXP_MATCHES", "STRFTIME", "TRY_STRPTIME", "EPOCH"}
# by the parser's names: what is not listed is refused, whatever a new version of the parser or of an engine knows
_NODES = {
    "Select", "Subquery", "Union", "Except", "Intersect", "With", "CTE", "From", "Join", "Where", "Group",
    "Having", "Order", "Ordered", "Limit", "Offset", "Distinct", "Qualify", "Window", "WindowSpec", "Filter",
    "WithinGroup", "IgnoreNulls", "RespectNulls", "Rollup", "Cube", "GroupingSets", "Values", "Tuple",
    "Lateral", "Table", "TableAlias", "Alias", "Identifier", "Column", "Star", "Literal", "Boolean", "Null",
    "Paren", "Var", "DataType", "DataTypeParam", "Interval", "IntervalSpan", "PropertyEQ", "And", "Or", "Not",
    "Neg", "Add", "Sub", "Mul", "Div", "IntDiv", "Mod", "Pow", "DPipe", "EQ", "NEQ", "NullSafeEQ",
    "NullSafeNEQ", "LT", "LTE", "GT", "GTE", "Is", "In", "Between", "Like", "ILike", "SimilarTo",
    "RegexpLike", "Escape", "Any", "All", "Exists", "Case", "If", "Coalesce", "Nullif", "Cast", "TryCast",
    "AtTimeZone", "Bracket", "Array", "Struct", "GenerateSeries", "Slice", "Dot", "Count", "CountIf", "Sum",
    "Avg", "Min", "Max", "Median", "Mode", "Stddev", "StddevPop", "StddevSamp", "Variance", "VariancePop",
    "Quantile", "PercentileCont", "PercentileDisc", "ArgMax", "ArgMin", "AnyValue", "First", "Last",
    "FirstValue", "LastValue", "NthValue", "Lag", "Lead", "RowNumber", "Rank", "DenseRank", "PercentRank",
    "CumeDist", "Ntile", "LogicalOr", "LogicalAnd", "GroupConcat", "Corr", "CovarPop",
    "CovarSamp", "Abs", "Ceil", "Floor", "Round", "Sign", "Sqrt", "Exp", "Ln", "Log", "Greatest", "Least",
    "SafeDivide", "Lower", "Upper", "Trim", "Length", "Concat", "ConcatWs", "Substring", "Left", "Right",
    "Pad", "Replace", "Reverse", "Repeat", "Split", "SplitPart", "StrPosition", "StartsWith", "EndsWith",
    "Contains", "Initcap", "Chr", "Ascii", "RegexpExtract", "RegexpReplace", "MD5", "Extract", "Year",
    "Quarter", "Month", "Week", "Day", "Hour", "Minute", "Second", "DayOfWeek", "DayOfMonth", "DayOfYear",
    "WeekOfYear", "LastDay", "DateTrunc", "TimestampTrunc", "DateAdd", "DateDiff", "Date", "DateFromParts",
    "StrToTime", "TimeToStr", "TimeToUnix", "DateBin", "IsNan", "IsInf",
}  # fmt: skip


def accepted_nodes() -> frozenset[str]:
    """The kinds of nodes that a query may hold, by the parser's names."""
    return frozenset(_NODES)


def query(sql: str, field: str, tables: tuple[str, ...], schemas: Schemas | None = None) -> str:
    """Check a query and return it in a plain form with quoted names, that means the same on every engine.

    Args:
        sql: one SELECT (joins, unions and WITH included) over `tables`, in DuckDB's SQL.
        field: where it stands, for messages.
        tables: the names it may read.
        schemas: the columns of these tables, where they are known.

    Raises:
        RuleError: more than one statement, anything but reading, an undeclared table, a function that could reach
            outside the declared tables, or something that engines understand differently.
    """
    tree = parse(sql, field)
    if not isinstance(tree, exp.Query):
        raise RuleError(f"{field}: a query must be one SELECT, was {tree.key.upper()}", field=field)
    try:
        _check_reads(tree, field, tables)
        return make_portable(tree, field, schemas).sql(dialect="duckdb", identify=True)
    except RecursionError:
        raise too_long(sql, field) from None


def _check_reads(tree: exp.Expression, field: str, tables: tuple[str, ...]) -> None:
    def refuse(what: str, why: str) -> RuleError:
        return RuleError(f"{field}: {what} {why}", field=field)

    for cte in tree.find_all(exp.CTE):
        # under another name, a file could be opened where the name is out of sight
        if not re.fullmatch(r"[A-Za-z_]\w*", cte.alias_or_name):
            raise refuse(f"WITH {cte.alias_or_name!r}", "must be named by letters, digits and _")
    for table in tree.find_all(exp.Table):
        known = {*tables, *_in_sight(table)}
        if not isinstance(table.this, exp.Identifier) or table.db or table.name not in known:
            hint = (
                nearest(table.name, known)
                or f"; declared under [tables]: {', '.join(tables) or 'none'}"
            )
            raise refuse(written(table), f"is not a declared table{hint}")
    for node in tree.walk():
        is_function = isinstance(node, exp.Func)
        name = node.name.upper() if isinstance(node, exp.Anonymous) else type(node).__name__
        if name in (_SAFE_FUNCTIONS if isinstance(node, exp.Anonymous) else _NODES):
            continue
        if is_function:
            raise refuse(
                f"the function {short(node.name if isinstance(node, exp.Anonymous) else written(node))}",
                "is not among what a query may use: it is unknown, reaches outside the declared tables, "
                "or differs from run to run",
            )
        raise refuse(short(written(node)), "is more than reading the declared tables")


def _in_sight(table: exp.Table) -> set[str]:
    """The names that WITH gives where a table is named: those of the queries around it that stand before it."""
    names: set[str] = set()
    child: Any = table
    while (parent := child.parent) is not None:
        if isinstance(parent, exp.With):
            earlier = parent.expressions[
                : parent.expressions.index(child) + bool(parent.args.get("recursive"))
            ]
            names |= {cte.alias_or_name for cte in earlier}
            child = (
                parent.parent or parent
            )  # the query that has them sees no more of itself from here
            continue
        given = next((a for a in parent.args.values() if isinstance(a, exp.With)), None)
        if given is not None:
            names |= {cte.alias_or_name for cte in given.expressions}
        child = parent
    return names


_BIG = 2**63
_DIGITS = 300  # of a number: a double has about as many before its point
# what a node may hold; whatever else a parser puts there would be a meaning that is not carried out
_PARTS = {
    "this",
    "expression",
    "expressions",
    "low",
    "high",
    "negate",
    "ifs",
    "default",
    "true",
    "is_string",
    "to",
}
_PARTS |= {"_type", "is_nvl", "is_null", "table", "db", "catalog", "query"}
_DEEPEST = 100  # conditions within conditions
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
    exp.Div: lambda a, b: a / nw.when(b != 0).then(b),  # divided by zero is null, as in DuckDB
}


def _lower(text: nw.Expr) -> nw.Expr:
    return text.str.replace_all("İ", "i", literal=True).str.to_lowercase()


_TEXT: dict[type[exp.Expression], Callable[[nw.Expr], nw.Expr]] = {
    exp.Lower: _lower,
    # the other case of these two letters is one letter on one engine and two on another
    exp.Upper: lambda x: x.str.replace_all("ß", "ẞ", literal=True).str.to_uppercase(),
    exp.Trim: lambda x: x.str.strip_chars(" "),  # nothing but spaces, as in DuckDB
    exp.Length: lambda x: x.str.len_chars(),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked condition.

    Attributes:
        sql: the condition as written.
        field: where it stands in the study file.
        columns: the columns it names, as written.
        condition: true, false or null per row; use `holds` for the two-valued answer.
    """

    sql: str
    field: str
    columns: tuple[str, ...]
    condition: nw.Expr

    @property
    def holds(self) -> nw.Expr:
        """True where the condition is true; a null condition is false."""
        return nw.when(self.condition).then(nw.lit(1)).otherwise(nw.lit(0)) == 1


@dataclass(frozen=True, slots=True)
class _Value:
    """An expression and what kind of thing it is: number, text, boolean, time, unknown (a null) or other."""

    expr: Any
    kind: str


def columns_of(sql: str, field: str) -> tuple[str, ...]:
    """The columns a rule names, in the order of their first mention."""
    return tuple(dict.fromkeys(c.name for c in parse(sql, field).find_all(exp.Column)))


def rule(
    sql: str,
    field: str,
    schema: Mapping[str, nw.dtypes.DType],
    *,
    names: Mapping[str, str] | None = None,
    zone: str = "UTC",
) -> Rule:
    """Parse a condition and check it against the columns there are.

    Args:
        sql: a condition in DuckDB's SQL: comparisons, AND, OR, NOT, IN, BETWEEN, IS NULL, LIKE, CASE, COALESCE,
            arithmetic, LOWER, UPPER, TRIM, LENGTH, ABS, and literals.
        field: where it stands, for messages.
        schema: column name, as a rule may write it, to type.
        names: such a name to that of the column, where they differ.
        zone: times written with an offset are brought here.

    Raises:
        RuleError: not in the accepted part of SQL, an unknown column, or unlike things compared.
    """
    tree = parse(sql, field)
    try:
        compiled = _Compiler(sql, field, schema, names or {}, zone).value(tree)
    except RecursionError:
        raise too_long(sql, field) from None
    if compiled.kind not in ("boolean", "unknown"):
        raise RuleError(
            f"{field}: {short(sql)} is {_article(compiled.kind)}, not a condition such as stars <= 2",
            field=field,
        )
    condition = compiled.expr.cast(nw.Boolean()) if compiled.kind == "unknown" else compiled.expr
    return Rule(sql, field, columns_of(sql, field), condition)


class _Compiler:
    def __init__(
        self,
        sql: str,
        field: str,
        schema: Mapping[str, nw.dtypes.DType],
        names: Mapping[str, str],
        zone: str,
    ) -> None:
        self.sql, self.field, self.schema, self.names, self.zone = sql, field, schema, names, zone
        self.depth = 0

    def value(self, node: exp.Expression) -> _Value:
        """A node, deep or not; what is deeper than engines can follow is refused."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise too_long(self.sql, self.field)
        result = self.compiled(node)
        self.depth -= 1
        return result

    def refuse(self, why: str) -> RuleError:
        return RuleError(f"{self.field}: {why} (in {short(self.sql)})", field=self.field)

    def compiled(self, node: exp.Expression) -> _Value:  # noqa: PLR0911, PLR0912 - one branch per kind of node
        kind = type(node)
        if further := [name for name, value in node.args.items() if value and name not in _PARTS]:
            raise self.refuse(
                f"{short(written(node))}: {further[0].upper()} is not among what a rule may use"
            )
        if isinstance(node, exp.Paren):
            return self.value(node.this)
        if isinstance(node, exp.Column):
            return self.column(node)
        if isinstance(node, exp.Literal | exp.Boolean | exp.Null):
            return self.literal(node)
        if isinstance(node, exp.And | exp.Or):
            parts = [self.boolean(cast(exp.Expression, n)) for n in node.flatten()]
            return _Value(_joined(parts, type(node)), "boolean")
        if isinstance(node, exp.Not):
            return _Value(~self.boolean(node.this), "boolean")
        if kind in _COMPARE:
            return _Value(_COMPARE[kind](*self.pair(node.this, node.expression)), "boolean")
        if kind in _ARITHMETIC:
            a, b = self.pair(node.this, node.expression, "number")
            return _Value(_ARITHMETIC[kind](a.cast(nw.Float64), b.cast(nw.Float64)), "number")
        if isinstance(node, exp.Neg):
            return _Value(nw.lit(0) - self.typed(node.this, "number"), "number")
        if isinstance(node, exp.Abs):
            return _Value(self.typed(node.this, "number").abs(), "number")
        if kind in _TEXT:
            if any(
                value
                for name, value in node.args.items()
                if name != "this" and isinstance(value, str | exp.Expression)
            ):
                raise self.refuse(f"{written(node)}: {kind.__name__.upper()} takes one text")
            return _Value(
                _TEXT[kind](self.typed(node.this, "text")),
                "number" if kind is exp.Length else "text",
            )
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
        raise self.refuse(
            f"{short(written(node))} is not among what a rule may use: comparisons, AND, OR, NOT, IN, BETWEEN, "
            "IS NULL, LIKE, CASE WHEN, COALESCE, arithmetic, LOWER, UPPER, TRIM, LENGTH, ABS, literals"
        )

    def column(self, node: exp.Column) -> _Value:
        name = node.name
        if node.table:
            raise self.refuse(
                f"{written(node)!r}: write the column alone, without what stands before the dot"
            )
        if name not in self.schema:
            quoted = "; a text is written in single quotes" if node.this.quoted else ""
            near = nearest(name, self.schema) or "; there are: " + ", ".join(self.schema)
            raise self.refuse(f"no column {name!r}{near}{quoted}")
        dtype, column = self.schema[name], nw.col(self.names.get(name, name))
        if dtype.is_float():
            column = (
                nw.when(~column.is_nan()).then(column).cast(nw.Float64)
            )  # not a number: nothing is known
        elif dtype.is_integer() and dtype not in (nw.UInt64, nw.Int128, nw.UInt128):
            column = column.cast(nw.Int64)  # narrow integers would overflow on some engines
        elif dtype.is_numeric():
            column = column.cast(nw.Float64)
        elif dtype in (nw.Categorical, nw.Enum):
            column = column.cast(nw.String)
        return _Value(column, _kind(dtype))

    def literal(self, node: exp.Expression) -> _Value:
        if isinstance(node, exp.Boolean):
            return _Value(nw.lit(bool(node.this)), "boolean")
        if isinstance(node, exp.Null):
            return _Value(nw.lit(None), "unknown")
        if node.is_string:
            return _Value(nw.lit(str(node.this)), "text")
        text = str(node.this)
        if len(text) > _DIGITS:
            raise self.refuse(f"a number of {len(text):,} digits is more than engines can hold")
        is_integer = re.fullmatch(r"\d+", text) and int(text) < _BIG
        return _Value(nw.lit(int(text) if is_integer else float(text)), "number")

    def boolean(self, node: exp.Expression) -> Any:
        return self.typed(node, "boolean")

    def typed(self, node: exp.Expression, kind: str) -> Any:
        v = self.value(node)
        if v.kind == "unknown":
            return v.expr.cast(
                {"boolean": nw.Boolean(), "number": nw.Float64(), "text": nw.String()}[kind]
            )
        if v.kind != kind:
            raise self.refuse(f"{written(node)} is {_article(v.kind)}, {_article(kind)} is needed")
        return v.expr

    def pair(
        self, a: exp.Expression, b: exp.Expression, kind: str | None = None
    ) -> tuple[Any, Any]:
        x, y = self.value(a), self.value(b)
        if "time" in (x.kind, y.kind) and "text" in (x.kind, y.kind):
            x, y = (
                _Value(self.instant(n), "time") if v.kind == "text" else v
                for n, v in ((a, x), (b, y))
            )
        if kind and {x.kind, y.kind} - {kind, "unknown"}:
            raise self.refuse(
                f"{written(a)} and {written(b)} must be {kind}s, were {x.kind} and {y.kind}"
            )
        if "other" in (x.kind, y.kind):
            raise self.refuse(
                f"{written(a if x.kind == 'other' else b)} holds values that a rule can only ask IS NULL"
            )
        if "unknown" not in (x.kind, y.kind) and x.kind != y.kind:
            raise self.refuse(
                f"{written(a)} is {_article(x.kind)} and {written(b)} is {_article(y.kind)}: they cannot be compared"
            )
        return x.expr, y.expr

    def instant(self, node: exp.Expression) -> nw.Expr:
        if not node.is_string:
            raise self.refuse(
                f"{written(node)} is text and is compared with a time; write a time such as '2024-12-31 18:00'"
            )
        return self.time(str(node.this))

    def time(self, text: str) -> nw.Expr:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise self.refuse(
                f"{text!r} is compared with a time and is no ISO date such as 2024-12-31"
            ) from None
        return nw.lit(
            at if at.tzinfo is None else at.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        )

    def time_literal(self, node: exp.Cast) -> _Value:
        text, to = str(node.this.this), node.to.this
        if to == exp.DataType.Type.DATE:
            try:
                return _Value(nw.lit(date.fromisoformat(text)), "time")
            except ValueError:
                raise self.refuse(f"{text!r} is no ISO date such as 2024-12-31") from None
        if to in (
            exp.DataType.Type.TIMESTAMP,
            exp.DataType.Type.DATETIME,
            exp.DataType.Type.TIMESTAMPNTZ,
        ):
            return _Value(self.time(text), "time")
        raise self.refuse(f"a cast to {to.value} is not among what a rule may use")

    def is_(self, node: exp.Is) -> _Value:
        if isinstance(node.expression, exp.Null):
            if isinstance(node.this, exp.Null):
                return _Value(nw.lit(True), "boolean")
            return _Value(self.value(node.this).expr.is_null(), "boolean")
        if isinstance(node.expression, exp.Boolean):
            same = self.boolean(node.this) == nw.lit(bool(node.expression.this))
            return _Value(nw.when(same).then(nw.lit(1)).otherwise(nw.lit(0)) == 1, "boolean")
        raise self.refuse("IS is for NULL, TRUE and FALSE")

    def in_(self, node: exp.In) -> _Value:
        if node.args.get("query") or not node.expressions:
            raise self.refuse("IN needs a list of values")
        return _Value(
            _joined([operator.eq(*self.pair(node.this, e)) for e in node.expressions], exp.Or),
            "boolean",
        )

    def like(self, node: exp.Like | exp.ILike) -> _Value:
        if not node.expression.is_string:
            raise self.refuse("LIKE needs a text literal")
        text = self.typed(node.this, "text")
        pattern = "".join(
            {"%": ".*", "_": "."}.get(c, re.escape(c)) for c in str(node.expression.this)
        )
        if isinstance(node, exp.ILike):
            text, pattern = _lower(text), pattern.replace("İ", "i").lower()
        result = text.str.contains(
            rf"(?s)^{pattern}\z"
        )  # to Java, $ is also before a last line end
        return _Value(~result if node.args.get("negate") else result, "boolean")

    def case(self, node: exp.Case) -> _Value:
        if node.this is not None:
            raise self.refuse("write CASE WHEN condition THEN value")
        default = (
            self.value(node.args["default"])
            if node.args.get("default")
            else _Value(nw.lit(None), "unknown")
        )
        branches = [(self.boolean(i.this), self.value(i.args["true"])) for i in node.args["ifs"]]
        kind = self.common([default, *(v for _, v in branches)])
        result = default.expr
        for condition, value in reversed(branches):
            result = nw.when(condition).then(value.expr).otherwise(result)
        return _Value(result, kind)

    def common(self, parts: list[_Value]) -> str:
        kinds = {p.kind for p in parts} - {"unknown"}
        if len(kinds) > 1:
            raise self.refuse(f"the alternatives are unlike: {', '.join(sorted(kinds))}")
        return kinds.pop() if kinds else "unknown"


def _joined(parts: Sequence[Any], how: type[exp.Expression]) -> Any:
    """Put together pair by pair, so that a thousand alternatives are ten deep."""
    op = operator.and_ if how is exp.And else operator.or_
    while len(parts) > 1:
        pairs = [op(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, parts[-1]] if len(parts) % 2 else pairs
    return parts[0]


def _article(kind: str) -> str:
    return {"text": "text", "unknown": "unknown", "other": "of another kind"}.get(kind, f"a {kind}")


def _kind(dtype: nw.dtypes.DType) -> str:
    if dtype.is_numeric():
        return "number"
    if dtype in (nw.Date, nw.Datetime):
        return "time"
    if dtype == nw.Boolean:
        return "boolean"
    return "text" if dtype in (nw.String, nw.Categorical, nw.Enum) else "other"
