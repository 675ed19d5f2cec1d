"""SQL as text: the one dialect of a study file, parsed, and shown in messages."""

from __future__ import annotations

import logging
import re
from typing import Any, cast

import sqlglot
from sqlglot import expressions as exp

from cxresearch.errors import RuleError

logging.getLogger("sqlglot").addHandler(logging.NullHandler())  # what it would say is said in a RuleError
_LONGEST = 100_000  # characters; a list of values is better put into a table


def parse(sql: str, field: str) -> exp.Expression:
    """One statement or condition.

    Raises:
        RuleError: it is no SQL, holds several statements, or is too long.
    """
    if len(sql) > _LONGEST:
        raise too_long(sql, field)
    try:
        found = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None]
    except sqlglot.errors.SqlglotError as e:
        said = re.sub(r"\x1b\[\d+m", "", str(e)).splitlines()[0]
        raise RuleError(f"{field}: cannot read {short(sql)} as SQL: {said}", field=field) from None
    except RecursionError:
        raise too_long(sql, field) from None
    if len(found) != 1:
        held = f"{len(found)} statements" if found else "nothing"
        raise RuleError(f"{field}: {short(sql)} holds {held}; write one, without a semicolon", field=field)
    return cast(exp.Expression, found[0])


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
