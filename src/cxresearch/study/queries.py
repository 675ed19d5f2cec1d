"""Queries of a study file: SQL that shapes untidy tables.

A query is checked (one SELECT, declared tables only, no function that reaches outside them) and handed to the engine
as text.
"""

from __future__ import annotations

import re
from typing import Any

from sqlglot import expressions as exp

from cxresearch.errors import RuleError, nearest
from cxresearch.study.sql import parse, short, too_long, written

_SAFE_FUNCTIONS = {"DATE_DIFF", "REGEXP_MATCHES", "STRFTIME", "TRY_STRPTIME", "EPOCH"}
# by the parser's names: what is not listed is refused, whatever a new version of the parser or of an engine knows
_NODES = {
    "Select", "Subquery", "Union", "Except", "Intersect", "With", "CTE",
    "From", "Join", "Where", "Group", "Having", "Order", "Ordered",
    "Limit", "Offset", "Distinct", "Qualify", "Window", "WindowSpec", "Filter",
    "WithinGroup", "IgnoreNulls", "RespectNulls", "Rollup", "Cube", "GroupingSets", "Values",
    "Tuple", "Lateral", "Table", "TableAlias", "Alias", "Identifier", "Column",
    "Star", "Literal", "Boolean", "Null", "Paren", "Var", "DataType",
    "DataTypeParam", "Interval", "IntervalSpan", "Collate", "PropertyEQ", "And", "Or",
    "Xor", "Not", "Neg", "Add", "Sub", "Mul", "Div",
    "IntDiv", "Mod", "Pow", "DPipe", "EQ", "NEQ", "NullSafeEQ",
    "NullSafeNEQ", "LT", "LTE", "GT", "GTE", "Is", "In",
    "Between", "Like", "ILike", "SimilarTo", "RegexpLike", "RegexpILike", "Escape",
    "Any", "All", "Exists", "Case", "If", "Coalesce", "Nullif",
    "Cast", "TryCast", "AtTimeZone", "Bracket", "Array", "Struct", "Unnest",
    "GenerateSeries", "Slice", "Dot", "Count", "CountIf", "Sum", "Avg",
    "Min", "Max", "Median", "Mode", "Stddev", "StddevPop", "StddevSamp",
    "Variance", "VariancePop", "Quantile", "PercentileCont", "PercentileDisc", "ArgMax", "ArgMin",
    "AnyValue", "First", "Last", "FirstValue", "LastValue", "NthValue", "Lag",
    "Lead", "RowNumber", "Rank", "DenseRank", "PercentRank", "CumeDist", "Ntile",
    "LogicalOr", "LogicalAnd", "GroupConcat", "ArrayAgg", "ApproxDistinct", "Corr", "CovarPop",
    "CovarSamp", "Abs", "Ceil", "Floor", "Round", "Sign", "Sqrt",
    "Exp", "Ln", "Log", "Greatest", "Least", "SafeDivide", "Lower",
    "Upper", "Trim", "Length", "Concat", "ConcatWs", "Substring", "Left",
    "Right", "Pad", "Replace", "Reverse", "Repeat", "Split", "SplitPart",
    "StrPosition", "StartsWith", "EndsWith", "Contains", "Initcap", "Chr", "Ascii",
    "RegexpExtract", "RegexpReplace", "RegexpSplit", "MD5", "Extract", "Year", "Quarter",
    "Month", "Week", "Day", "Hour", "Minute", "Second", "DayOfWeek",
    "DayOfMonth", "DayOfYear", "WeekOfYear", "LastDay", "DateTrunc", "TimestampTrunc", "DateAdd",
    "DateSub", "DateDiff", "DatetimeDiff", "TimestampDiff", "TimestampAdd", "TimestampSub", "Date",
    "Timestamp", "DateFromParts", "TimestampFromParts", "MakeInterval", "StrToDate", "StrToTime", "StrToUnix",
    "TimeToStr", "TimeToUnix", "UnixToTime", "TsOrDsToDate", "TsOrDsToTimestamp", "TsOrDsAdd", "ToNumber",
    "DateBin", "IsNan", "IsInf", "JSONExtract", "JSONExtractScalar", "JSONPath", "JSONPathRoot",
    "JSONPathKey", "JSONPathSubscript",
}  # fmt: skip


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
    tree = parse(sql, field)
    if not isinstance(tree, exp.Query):
        raise RuleError(f"{field}: a query must be one SELECT, was {tree.key.upper()}", field=field)
    try:
        _check_reads(tree, field, tables)
        return tree.sql(dialect="duckdb", identify=True)
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
            hint = nearest(table.name, known) or f"; declared under [tables]: {', '.join(tables) or 'none'}"
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
    below: Any = table
    while (above := below.parent) is not None:
        if isinstance(above, exp.With):
            earlier = above.expressions[: above.expressions.index(below) + bool(above.args.get("recursive"))]
            names |= {cte.alias_or_name for cte in earlier}
            below = above.parent or above  # the query that has them sees no more of itself from here
            continue
        given = next((a for a in above.args.values() if isinstance(a, exp.With)), None)
        if given is not None:
            names |= {cte.alias_or_name for cte in given.expressions}
        below = above
    return names
