"""Which table is the log, which one holds who stayed, and by which columns tables can be joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cxresearch.drafting.facts import ColumnFacts, TableFacts
from cxresearch.drafting.roles import (
    LOG_NAMES,
    Guess,
    guess_customer,
    guess_end,
    guess_start,
    guess_time,
    words_of,
)

_NO_LOGS = {
    "churn",
    "customers",
    "accounts",
    "subscriptions",
    "contracts",
    "cancellations",
    "people",
    "users",
}
_MOST_KEYS = 200_000


@dataclass(frozen=True, slots=True)
class Join:
    """Two columns of two tables that hold the same ids.

    Attributes:
        left: a table, and its column.
        right: the other, in which each id stands once.
        share: of the ids of the left one that the right one has, as a fraction.
        share_of_right: of the ids of the right one that the left one has.
    """

    left: tuple[TableFacts, ColumnFacts]
    right: tuple[TableFacts, ColumnFacts]
    share: float
    share_of_right: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionTable:
    """Where it is said who stayed and who left.

    Attributes:
        table: the table with a start.
        customer: its customers.
        start: when they began.
        end: when they left.
        end_table: the table that holds the end, if it is another one.
        end_customer: its customers.
    """

    table: TableFacts
    customer: Guess
    start: Guess
    end: Guess
    end_table: TableFacts | None = None
    end_customer: Guess | None = None


def find_joins(tables: Sequence[TableFacts]) -> tuple[Join, ...]:
    """Columns by which tables can be joined: of one name, or of customers, and most of one are found in the other."""
    result = []
    for right in tables:
        for key in right.columns:
            if not _is_key(key) or key.distinct < 0.98 * key.filled:
                continue
            for left in tables:
                if left is right:
                    continue
                for column in left.columns:
                    if _is_key(column) and _are_alike(column, key, left, right):
                        there = _share_found(left, column, right, key)
                        back = _share_found(right, key, left, column)
                        if max(there, back) > 0.5:
                            result.append(Join((left, column), (right, key), there, back))
    return tuple(result)


def _is_key(c: ColumnFacts) -> bool:
    return (
        c.kind in ("text", "whole numbers") and c.distinct > 5 and not c.is_time and not c.is_flag
    )


def _are_alike(a: ColumnFacts, b: ColumnFacts, left: TableFacts, right: TableFacts) -> bool:
    words = words_of(a.name)
    if words == words_of(b.name):
        return True
    of_customer = guess_customer(left), guess_customer(right)
    return all(g is not None and g.name == c.name for g, c in zip(of_customer, (a, b), strict=True))


def _share_found(left: TableFacts, a: ColumnFacts, right: TableFacts, b: ColumnFacts) -> float:
    ids = (
        left.frame.select(pl.col(a.name).cast(pl.String).alias("id"))
        .drop_nulls()
        .unique()
        .head(_MOST_KEYS)
    )
    others = right.frame.select(pl.col(b.name).cast(pl.String).alias("id")).drop_nulls().unique()
    found = ids.join(others, on="id", how="semi").select(pl.len()).collect().item()
    return float(found / max(1, ids.select(pl.len()).collect().item()))


def choose_log(tables: Sequence[TableFacts]) -> tuple[TableFacts | None, tuple[TableFacts, ...]]:
    """The table with a row per contact, and others that could be it."""
    ranked = []
    for i, table in enumerate(tables):
        customer, time = guess_customer(table), guess_time(table)
        words = set(words_of(table.name))
        comes_again = customer is not None and not customer.column.is_unique
        both_ends = guess_start(table) is not None and guess_end(table) is not None
        points = 3 * (customer is not None) + 3 * (time is not None) + 2 * comes_again
        points += 2 * bool(words & LOG_NAMES) - 3 * bool(words & _NO_LOGS) - 2 * both_ends
        ranked.append((-points, -table.rows, i, table, customer is not None and time is not None))
    ranked.sort(key=lambda r: r[:3])
    fits = [r[3] for r in ranked if r[4]]
    log = fits[0] if fits else (ranked[0][3] if len(ranked) == 1 else None)
    if log is not None and len(ranked) > 1 and fits and ranked[0][3] is not log:
        log = fits[0]
    return log, tuple(t for t in fits if t is not log)


def choose_retention(
    tables: Sequence[TableFacts], log: TableFacts | None
) -> tuple[RetentionTable | None, tuple[RetentionTable, ...]]:
    """Where it is said who stayed and who left, and other places where it could be said.

    A table with a start and an end comes before one with a start whose ends stand in another table; a table with a row
    per customer before one with several.
    """
    found: list[tuple[tuple[bool, bool], RetentionTable]] = []
    known = [(t, c) for t in tables if t is not log and (c := guess_customer(t)) is not None]
    for table, customer in known:
        start, end = guess_start(table), guess_end(table)
        if start is None:
            continue
        several = customer.column.distinct < 0.98 * customer.column.filled
        if end is not None and end.name != start.name:
            found.append(
                (
                    (several, False),
                    RetentionTable(table=table, customer=customer, start=start, end=end),
                )
            )
            continue
        for other, whose in known:
            ends = guess_end(other)
            if (
                other is not table
                and ends is not None
                and guess_start(other) is None
                and not several
            ):
                found.append(
                    (
                        (False, True),
                        RetentionTable(
                            table=table,
                            customer=customer,
                            start=start,
                            end=ends,
                            end_table=other,
                            end_customer=whose,
                        ),
                    )
                )
    found.sort(key=lambda f: f[0])
    places = [r for _, r in found]
    return (places[0], tuple(places[1:])) if places else (None, ())
