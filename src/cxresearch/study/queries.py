"""Queries of a study file: SQL that shapes untidy tables.

A query is checked (one SELECT, declared tables only, no function that reaches outside them) and handed to the engine
as text.
"""

from __future__ import annotations

import re

from sqlglot import expressions as exp

from cxresearch.errors import RuleError, nearest
from cxresearch.study.sql import parse, short, too_long, written

_SAFE_FUNCTIONS = {"DATE_DIFF", "REGEXP_MATCHES", "STRFTIME", "TRY_STRPTIME", "EPOCH"}
# known to the parser, and reaching outside the tables or different from run to run
_UNSAFE_FUNCTIONS = re.compile(r"Read|File|^Current|^Session|^Rand|Uuid|^AI[A-Z]|^Host$|^NetFunc$|Url|Version|^Local")
_WRITES = (exp.Command, exp.Into, exp.DML, exp.DDL, exp.TableSample)


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

    local = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    for name in local:
        # under another name, a file could be opened where the name is out of sight
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise refuse(f"WITH {name!r}", "must be named by letters, digits and _")
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or table.db or table.name not in {*tables, *local}:
            hint = nearest(table.name, (*tables, *local)) or f"; declared under [tables]: {', '.join(tables) or 'none'}"
            raise refuse(written(table), f"is not a declared table{hint}")
    for call in tree.find_all(exp.Func):
        anonymous = isinstance(call, exp.Anonymous)
        name = call.name if anonymous else type(call).__name__
        unsafe = name.upper() not in _SAFE_FUNCTIONS if anonymous else _UNSAFE_FUNCTIONS.search(name)
        if unsafe:
            raise refuse(
                f"the function {short(name if anonymous else written(call))}",
                "is not among what a query may use: it is unknown, reaches outside the declared tables, "
                "or differs from run to run",
            )
    for node in tree.find_all(*_WRITES):
        if not isinstance(node, exp.Query):
            raise refuse(short(written(node)), "is more than reading the declared tables")
