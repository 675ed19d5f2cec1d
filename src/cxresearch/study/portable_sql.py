"""One meaning of a query on every engine: what engines understand differently is rewritten, or refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import narwhals.stable.v2 as nw
import sqlglot
from sqlglot import expressions as exp

from cxresearch.errors import RuleError

Schemas = Mapping[str, Mapping[str, nw.dtypes.DType]]
_KINDS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INT", "BIGINT", "UBIGINT", "UINT", "INT128"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL", "BIGDECIMAL", "UNKNOWN_NUMBER"), "float"),
    **dict.fromkeys(("TEXT", "VARCHAR", "CHAR"), "text"),
    **dict.fromkeys(("DATE", "DATE32"), "date"),
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMPNTZ", "TIMESTAMPTZ", "TIMESTAMPLTZ"), "time"),
    "BOOLEAN": "boolean",
}  # fmt: skip
_INTEGERS = {
    "TINYINT",
    "SMALLINT",
    "INT",
    "BIGINT",
    "UBIGINT",
    "UINT",
    "INT128",
    "USMALLINT",
    "UTINYINT",
}
_FLOATS = {"FLOAT", "DOUBLE"}
_PARSED = {"%Y", "%m", "%d", "%H", "%M", "%S", "%j", "%b", "%B", "%p", "%I", "%%"}
_SHOWN = {*_PARSED, "%U", "%W", "%V", "%G", "%a", "%A", "%y", "%-d"}
_UNITS = ("DAY", "MONTH", "QUARTER", "YEAR", "HOUR", "MINUTE", "SECOND")
_WHOLE = r"^-?[0-9]+$"
_NUMBER = r"^-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$"
_LATER = (
    "leave the text as it is in the query, and say how it is written with at_format or date_format"
)


def make_portable(tree: exp.Expression, field: str, schemas: Schemas | None) -> exp.Expression:
    """Rewrite what engines understand differently.

    Args:
        tree: a checked query.
        field: where it stands, for messages.
        schemas: the columns of the tables it reads, where they are known.

    Raises:
        RuleError: something has no one meaning; the message names what to write instead.
    """
    rewriter = _Rewriter(field, _kinds(tree, schemas or {}))
    for node in list(tree.walk(bfs=False))[::-1]:  # what stands within comes first
        rule = _RULES.get(cast(type[exp.Expression], type(node)))
        if rule is not None and node.parent is not None:
            made = rule(rewriter, node)
            if made is not node:
                node.replace(made)
    return tree


def _kinds(tree: exp.Expression, schemas: Schemas) -> dict[int, str]:
    """The kind of each node's value, by the node's identity; those that cannot be known are left out."""
    from sqlglot.optimizer.annotate_types import annotate_types
    from sqlglot.optimizer.qualify import qualify

    nodes = list(tree.walk())
    for i, node in enumerate(nodes):
        node.meta["cx_place"] = i
    known = {table: {c: _type_name(t) for c, t in s.items()} for table, s in schemas.items()}
    try:
        typed = qualify(
            tree.copy(),
            schema=cast(dict[str, object], known),
            dialect="duckdb",
            validate_qualify_columns=False,
            quote_identifiers=False,
            identify=False,
        )
        typed = annotate_types(typed, schema=cast(dict[str, object], known), dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        return {}  # an unknown column is an error of the engine, which names it
    result: dict[int, str] = {}
    for node in typed.walk():
        place = node.meta.get("cx_place")
        kind = node.type.this.name if node.type is not None else ""
        if place is not None and kind in _KINDS:
            result[id(nodes[place])] = _KINDS[kind]
    for node in nodes:
        del node.meta["cx_place"]
    return result


def _type_name(kind: nw.dtypes.DType) -> str:
    if kind.is_integer():
        return "BIGINT"
    if kind.is_numeric():
        return "DOUBLE"
    if kind == nw.Date:
        return "DATE"
    if kind == nw.Datetime:
        return "TIMESTAMP"
    if kind == nw.Boolean:
        return "BOOLEAN"
    return "TEXT" if kind in (nw.String, nw.Categorical, nw.Enum) else "UNKNOWN"


class _Rewriter:
    def __init__(self, field: str, kinds: dict[int, str]) -> None:
        self.field, self.kinds = field, kinds

    def refuse(self, node: exp.Expression, why: str) -> RuleError:
        text = " ".join(node.sql(dialect="duckdb").split())
        shown = text if len(text) <= 80 else f"{text[:79]}…"
        return RuleError(f"{self.field}: {shown!r} {why}", field=self.field)

    def kind(self, node: Any) -> str:
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Literal):
            if node.is_string:
                return "text"
            return "integer" if re.fullmatch(r"\d+", str(node.this)) else "float"
        if isinstance(node, exp.Neg):
            return self.kind(node.this)
        if isinstance(node, exp.Div):
            return "float"
        return self.kinds.get(id(node), "")

    def whole_division(self, node: exp.IntDiv) -> exp.Expression:
        if self.kind(node.this) == self.kind(node.expression) == "integer":
            return node
        a, b = (x.sql(dialect="duckdb") for x in (node.this, node.expression))
        raise self.refuse(
            node,
            f"means another thing on each engine unless both are integers: write floor({a} / {b})",
        )

    def remainder(self, node: exp.Mod) -> exp.Expression:
        divisor = node.expression
        if isinstance(divisor, exp.Nullif) or (divisor.is_number and float(divisor.this) != 0):
            return node
        safe = exp.Nullif(this=divisor.copy(), expression=exp.Literal.number(0))
        return exp.Mod(this=node.this.copy(), expression=safe)

    def sum_or_difference(self, node: exp.Add | exp.Sub) -> exp.Expression:
        a, b = node.this, node.expression
        kinds = self.kind(a), self.kind(b)
        if isinstance(b, exp.Interval):
            if kinds[0] == "text" and not isinstance(a, exp.Literal):
                raise self.refuse(node, f"adds to text: write CAST({_sql(a)} AS TIMESTAMP) for it")
            if _casts_to(a, "TIMESTAMP") or kinds[0] == "time":
                return node
            return type(node)(this=exp.cast(a.copy(), "timestamp"), expression=b.copy())
        if "text" in kinds:
            name = _sql(a if kinds[0] == "text" else b)
            raise self.refuse(
                node,
                f"calculates with {name}, which is text: write CAST({name} AS DOUBLE) for a number; between dates, "
                f"write date_diff('day', CAST({_sql(b)} AS DATE), CAST({_sql(a)} AS DATE))",
            )
        if kinds[0] in ("date", "time") and kinds[1] in ("date", "time"):
            raise self.refuse(
                node,
                f"is a number of days on one engine and a duration on another: write date_diff('day', {_sql(b)}, "
                f"{_sql(a)})",
            )
        return node

    def cast(self, node: exp.Cast) -> exp.Expression:
        to, given, operand = node.to.this.name, self.kind(node.this), _bare(node.this)
        if to in ("DECIMAL", "BIGDECIMAL"):
            raise self.refuse(
                node, f"rounds differently on each engine: write CAST({_sql(operand)} AS DOUBLE)"
            )
        if to == "TIME":
            raise self.refuse(
                node, f"is no type of all engines: write strftime({_sql(operand)}, '%H:%M:%S')"
            )
        if to in _INTEGERS and given in ("float", "") and not _is_whole(operand):
            if given == "" and isinstance(operand, exp.Column | exp.Cast | exp.Case):
                return node  # of a kind that is not known: whether it has decimals cannot be known
            x = _sql(operand)
            raise self.refuse(
                node,
                "is rounded on one engine and cut on another: write "
                f"CAST(floor({x}) AS {node.to.sql(dialect='duckdb')}), or round in place of floor",
            )
        if isinstance(node, exp.TryCast) and given == "text" and to in (_INTEGERS | _FLOATS):
            if isinstance(operand, exp.Case | exp.Literal):
                return node
            pattern = exp.Literal.string(_WHOLE if to in _INTEGERS else _NUMBER)
            held = exp.RegexpLike(this=operand.copy(), expression=pattern)
            return exp.TryCast(
                this=exp.Case(ifs=[exp.If(this=held, true=operand.copy())]), to=node.to.copy()
            )
        if to in ("TEXT", "VARCHAR", "CHAR"):
            self.written_out(node, operand, given)
        return node

    def written_out(self, node: exp.Expression, operand: exp.Expression, given: str) -> None:
        x = _sql(operand)
        if given == "time":
            raise self.refuse(
                node,
                f"is written differently by each engine: write strftime({x}, '%Y-%m-%d %H:%M:%S')",
            )
        if given == "float":
            raise self.refuse(
                node,
                f"is written differently by each engine: write CAST(CAST(floor({x}) AS BIGINT) AS VARCHAR) for whole "
                "numbers",
            )

    def joined(self, node: exp.Expression) -> exp.Expression:
        parts = node.expressions or [node.this, node.expression]
        for part in parts:
            self.written_out(node, _bare(part), self.kind(part))
        return node

    def rounded(self, node: exp.Round) -> exp.Expression:
        digits = node.args.get("decimals")
        places = 0 if digits is None else _number(digits)
        if places is None or not 0 <= places <= 15:
            raise self.refuse(node, "needs a number of decimals from 0 to 15")
        x = exp.cast(exp.paren(node.this.copy()), "double")
        by = 10 ** int(places)
        scaled = exp.Mul(this=exp.Abs(this=x), expression=exp.Literal.number(by))
        half = exp.cast(exp.Literal.number("0.5"), "double")
        size = exp.Div(
            this=exp.Floor(this=exp.Add(this=scaled, expression=half)),
            expression=exp.cast(exp.Literal.number(by), "double"),
        )
        sign = exp.cast(exp.Sign(this=x.copy()), "double")
        return exp.paren(exp.Mul(this=sign, expression=exp.paren(size)))

    def as_double(self, node: exp.Expression) -> exp.Expression:
        return node if _casts_to(node.parent, "DOUBLE") else exp.cast(node.copy(), "double")

    def as_time(self, node: exp.Expression) -> exp.Expression:
        return node if _casts_to(node.parent, "TIMESTAMP") else exp.cast(node.copy(), "timestamp")

    def as_integer(self, node: exp.Expression) -> exp.Expression:
        return node if _casts_to(node.parent, "BIGINT") else exp.cast(node.copy(), "bigint")

    def logarithm(self, node: exp.Log) -> exp.Expression:
        base, x = node.this, node.expression
        if x is None:
            base, x = exp.Literal.number(10), node.this
        parts = (self.of_positive(exp.Ln(this=v.copy())) for v in (x, base))
        return exp.paren(exp.Div(this=next(parts), expression=next(parts)))

    def of_positive(self, node: exp.Ln | exp.Sqrt) -> exp.Expression:
        """Null where there is no value; engines give a null, no number, or an error."""
        if isinstance(node.this, exp.Case | exp.Literal):
            return node
        is_valid = (exp.GT if isinstance(node, exp.Ln) else exp.GTE)(
            this=node.this.copy(), expression=exp.Literal.number(0)
        )
        return type(node)(this=exp.Case(ifs=[exp.If(this=is_valid, true=node.this.copy())]))

    def end(self, node: exp.Left | exp.Right) -> exp.Expression:
        count = _number(node.expression)
        if count is not None and count < 0:
            raise self.refuse(
                node,
                f"leaves letters out on some engines only: write substring({_sql(node.this)}, 1, n)",
            )
        return node

    def replaced(self, node: exp.RegexpReplace) -> exp.Expression:
        replacement = node.args.get("replacement")
        if not (isinstance(replacement, exp.Literal) and replacement.is_string):
            raise self.refuse(node, "needs its replacement as a text")
        if node.text("modifiers") != "g":
            parts = [_sql(x) for x in (node.this, node.expression, replacement)]
            raise self.refuse(
                node,
                "replaces the first on one engine and all on another: write "
                f"regexp_replace({', '.join(parts)}, 'g')",
            )
        return node

    def in_other_case(self, node: exp.Lower | exp.Upper) -> exp.Expression:
        """Without the two letters of usual alphabets whose other case is one letter on one engine, two on another."""
        letter, other = ("İ", "i") if isinstance(node, exp.Lower) else ("ß", "ẞ")
        inner = node.this.this if isinstance(node.this, exp.Replace) else None
        if inner is not None and node.this == _replaced(inner, letter, other):
            return node  # a query may be looked at twice
        return type(node)(this=_replaced(node.this, letter, other))

    def place(self, node: exp.StrPosition) -> exp.Expression:
        if node.args.get("position") or node.args.get("occurrence"):
            raise self.refuse(node, "takes a text and what is looked for in it")
        text, part = node.this, node.args["substr"]
        if isinstance(part, exp.Literal) and not part.this:
            raise self.refuse(node, "looks for an empty text")
        before = exp.SplitPart(
            this=text.copy(), delimiter=part.copy(), part_index=exp.Literal.number(1)
        )
        length = exp.cast(exp.Length(this=before), "bigint")
        whole = exp.cast(exp.Length(this=text.copy()), "bigint")
        is_absent = exp.EQ(this=length.copy(), expression=whole)
        found = exp.Add(this=length, expression=exp.Literal.number(1))
        return exp.Case(ifs=[exp.If(this=is_absent, true=exp.Literal.number(0))], default=found)

    def part(self, node: exp.Substring) -> exp.Expression:
        start = node.args.get("start")
        number = None if start is None else _number(start)
        if start is None or (number is not None and number >= 1):
            return node
        if number is not None:
            right = f"right({_sql(node.this)}, n)"
            raise self.refuse(
                node,
                f"begins before the first letter, which engines read differently: write 1, or {right}",
            )
        if isinstance(start, exp.Greatest):
            return node
        safe = exp.Greatest(this=start.copy(), expressions=[exp.Literal.number(1)])
        made = node.copy()
        made.set("start", safe)
        return made

    def between(self, node: exp.Expression) -> exp.Expression:
        """A difference of times: in a unit that all engines count alike, of what is a time."""
        if isinstance(node, exp.Anonymous):
            unit, ends = str(node.expressions[0].this), node.expressions[1:]
        else:
            unit, ends = node.text("unit") or "day", [node.expression, node.this]
        if unit.upper() not in _UNITS:
            in_days = f"date_diff('day', {', '.join(map(_sql, ends))})"
            raise self.refuse(
                node,
                f"counts {unit.lower()}s, which engines begin on different days; there are: "
                f"{', '.join(_UNITS).lower()}; for weeks, write floor({in_days} / 7)",
            )
        for end in ends:
            if self.kind(end) == "text" and not isinstance(_bare(end), exp.Literal):
                raise self.refuse(
                    node, f"is about {_sql(end)}, which is text: write CAST({_sql(end)} AS DATE)"
                )
        return node

    def later(self, node: exp.DateAdd) -> exp.Expression:
        if not isinstance(node.expression, exp.Interval):
            raise self.refuse(node, "needs an interval: write it as d + INTERVAL 1 DAY")
        return exp.paren(
            self.sum_or_difference(
                exp.Add(this=node.this.copy(), expression=node.expression.copy())
            )
        )

    def parsed_time(self, node: exp.Expression) -> exp.Expression:
        return self._format(node, node.args.get("format"), _PARSED, _LATER)

    def shown_time(self, node: exp.Expression) -> exp.Expression:
        remedy = f"there are: {' '.join(sorted(_SHOWN))}"
        return self._format(node, node.args.get("format"), _SHOWN, remedy)

    def named(self, node: exp.Anonymous) -> exp.Expression:
        if node.name.upper() == "TRY_STRPTIME":
            return self._format(node, node.expressions[-1], _PARSED, _LATER)
        if node.name.upper() == "DATE_DIFF":
            return self.between(node)
        if node.name.upper() == "STRFTIME":
            return (
                self.shown_time(
                    exp.TimeToStr(this=node.expressions[0], format=node.expressions[-1])
                )
                and node
            )
        return node

    def _format(
        self, node: exp.Expression, fmt: Any, known: set[str], remedy: str
    ) -> exp.Expression:
        if not (isinstance(fmt, exp.Literal) and fmt.is_string):
            raise self.refuse(node, f"needs its format as a text: {remedy}")
        used = re.findall("%-?.", str(fmt.this))
        wrong = [d for d in used if d not in known]
        if wrong:
            raise self.refuse(node, f"uses {wrong[0]}, which engines read differently: {remedy}")
        if known is _PARSED and {"%H", "%I"} & set(used) and "%M" not in used:
            raise self.refuse(
                node, f"has hours without minutes, which not all engines read: {remedy}"
            )
        return node


def _replaced(text: Any, letter: str, other: str) -> Any:
    """A text with one letter in place of another."""
    result = sqlglot.parse_one(f"replace(x, '{letter}', '{other}')", dialect="duckdb")
    for column in list(result.find_all(exp.Column)):
        column.replace(text.copy())
    return result


def _sql(node: Any) -> str:
    return str(node.sql(dialect="duckdb"))


def _bare(node: Any) -> Any:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _number(node: exp.Expression) -> float | None:
    node = _bare(node)
    sign = -1 if isinstance(node, exp.Neg) else 1
    inner = _bare(node.this) if isinstance(node, exp.Neg) else node
    return sign * float(inner.this) if isinstance(inner, exp.Literal) and inner.is_number else None


def _casts_to(node: Any, name: str) -> bool:
    names = {"TIMESTAMP", "TIMESTAMPNTZ", "DATETIME"} if name == "TIMESTAMP" else {name}
    return isinstance(node, exp.Cast) and node.to.this.name in names


def _is_whole(node: Any) -> bool:
    """Whether a float is a whole number by the way it was made."""
    node = _bare(node)
    if isinstance(node, exp.Floor | exp.Ceil | exp.Length | exp.Extract | exp.Sign):
        return not node.args.get("decimals")
    if isinstance(node, exp.Mul):  # a rounded number, which is a sign and a size
        return _is_whole(node.this) and _is_whole(node.expression)
    if isinstance(node, exp.Div):
        return _is_whole(node.this) and _number(_uncast(node.expression)) == 1
    if isinstance(node, exp.Cast):
        return node.to.this.name in _INTEGERS or _is_whole(node.this)
    return isinstance(node, exp.Literal) and bool(re.fullmatch(r"\d+", str(node.this)))


def _uncast(node: Any) -> Any:
    return node.this if isinstance(node, exp.Cast) else node


_RULES: dict[type[exp.Expression], Callable[[_Rewriter, Any], exp.Expression]] = {
    exp.IntDiv: _Rewriter.whole_division,
    exp.Mod: _Rewriter.remainder,
    exp.Add: _Rewriter.sum_or_difference,
    exp.Sub: _Rewriter.sum_or_difference,
    exp.Cast: _Rewriter.cast,
    exp.TryCast: _Rewriter.cast,
    exp.DPipe: _Rewriter.joined,
    exp.Concat: _Rewriter.joined,
    exp.ConcatWs: _Rewriter.joined,
    exp.Round: _Rewriter.rounded,
    exp.Sign: _Rewriter.as_double,
    exp.Pow: _Rewriter.as_double,
    exp.TimestampTrunc: _Rewriter.as_time,
    exp.DateTrunc: _Rewriter.as_time,
    exp.Length: _Rewriter.as_integer,
    exp.Log: _Rewriter.logarithm,
    exp.Ln: _Rewriter.of_positive,
    exp.Sqrt: _Rewriter.of_positive,
    exp.Left: _Rewriter.end,
    exp.Right: _Rewriter.end,
    exp.RegexpReplace: _Rewriter.replaced,
    exp.StrPosition: _Rewriter.place,
    exp.Substring: _Rewriter.part,
    exp.DateDiff: _Rewriter.between,
    exp.DateAdd: _Rewriter.later,
    exp.StrToTime: _Rewriter.parsed_time,
    exp.TimeToStr: _Rewriter.shown_time,
    exp.Lower: _Rewriter.in_other_case,
    exp.Upper: _Rewriter.in_other_case,
    exp.Anonymous: _Rewriter.named,
}
