"""The section of a drafted study on who stayed and who left: `[retention]`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cxresearch.drafting import roles
from cxresearch.drafting.facts import ColumnFacts, TableFacts, plain
from cxresearch.drafting.joins import RetentionTable, find_joins
from cxresearch.drafting.log_sections import (
    write_null_words,
    write_source,
    write_time_form,
)
from cxresearch.drafting.roles import Guess
from cxresearch.drafting.silences import Silences
from cxresearch.drafting.study_text import StudyText
from cxresearch.study.quoting import quote_identifier


def write_activity(
    text: StudyText, tables: Sequence[TableFacts], silences: Silences | None
) -> None:
    """Retention from the contacts alone, with a gap that is explained."""
    text.section("retention")
    why = (
        "no other table was given"
        if len(tables) == 1
        else "no other table holds a start and an end of a relation"
    )
    text.guess("kind", "activity", "who stays is seen from the contacts alone", why)
    text.comment(
        "A customer who is silent for gap_days has lapsed, on that day. Too short a gap calls customers lapsed who "
        "come back; too long a one leaves little follow-up. It is a choice: look whether verdicts stay with "
        "another one."
    )
    if silences is None:
        what = "times cannot be read yet, or no customer has two contacts on different days"
        text.left_open("gap_days", what, [(180, "a number of days")], is_needed=True)
        return
    text.comment(
        "Of the customers who have been silent for so long, so many come back within as long again: "
        f"{silences.describe()}."
    )
    if silences.is_short:
        reason = (
            "it is the longest length that leaves two thirds of the log to observe; more than one in twenty come back "
            "after it, so that many who are called lapsed have not left"
        )
    else:
        reason = "it is the shortest length from which on fewer than one in twenty come back"
    text.guess(
        "gap_days", silences.gap_days, "the silence after which a customer has lapsed", reason
    )


def write_contract(
    text: StudyText,
    retention: RetentionTable,
    other_places: Sequence[RetentionTable],
    log: TableFacts,
    of_log: Guess | None,
) -> None:
    """Retention from a table with a start and an end."""
    text.section("retention")
    table, who = retention.table, retention.customer
    text.guess(
        "kind", "contract", "a table says who stayed and who left", f"{table.name} holds a start"
    )
    for other in other_places:
        end = f"{other.end_table.name}.{other.end.name}" if other.end_table else other.end.name
        text.comment(
            f"could be as well: start {other.table.name}.{plain(other.start.name)}, end {plain(end)}"
        )
    taken = [who.name, retention.start.name, retention.end.name]
    described = _described(table, taken)
    if retention.end_table is None:
        write_source(text, table)
    else:
        _joined_end(text, retention, [c.name for c in described])
        write_null_words(text, table, retention.end_table)
    overlap = _overlap(log, of_log, table, who)
    text.guess("customer", who.name, "whose relation it is", f"{who.reason}{overlap}")
    text.guess("start", retention.start.name, "when it began", retention.start.reason)
    write_time_form(text, retention.start.column, "date_format")
    text.guess(
        "end", retention.end.name, "when it ended; empty for those who stay", _end_reason(retention)
    )
    if {f.key for f in retention.end.column.times} != {f.key for f in retention.start.column.times}:
        text.comment(
            f"look: {plain(retention.start.name)} and {plain(retention.end.name)} are written in different ways; a "
            "query over [tables] can bring one into the form of the other"
        )
    several = who.column.distinct < 0.98 * who.column.filled
    keys = [c for c in table.columns if c.is_unique and c.name != who.name]
    if several and keys:
        why = f"customers have several rows, and each row has a {plain(keys[0].name)} of its own"
        text.guess("contract", keys[0].name, "the id of a contract", why)
    _cause(text, retention, taken)
    _describe_customers(text, table, taken)


def _end_reason(retention: RetentionTable) -> str:
    c = retention.end.column
    return f"{retention.end.reason}, in {c.filled:,} of {c.rows:,} rows"


def _described(table: TableFacts, taken: Sequence[str]) -> tuple[ColumnFacts, ...]:
    """Columns of a customer table that may describe customers."""
    after = {*roles.END, "churned", "returned", "lost", "active", "status"}
    return tuple(
        c
        for c in table.columns
        if c.name not in taken and len(c.values) > 1 and not after & set(roles.words_of(c.name))
    )


def _joined_end(text: StudyText, retention: RetentionTable, described: Iterable[str]) -> None:
    table, other, whose = retention.table, retention.end_table, retention.end_customer
    assert other is not None
    assert whose is not None
    text.comment(
        f"guess: the first {plain(retention.end.name)} of a customer in {other.name} is the end; because {table.name} "
        "holds no end"
    )
    text.guesses += 1
    kept = [
        f"a.{quote_identifier(c)}"
        for c in (retention.customer.name, retention.start.name, *described)
    ]
    end = quote_identifier(retention.end.name)
    text.query(
        "query",
        [
            f"select {', '.join(kept)}, min(b.{end}) as {end}",
            f"from {table.name} as a left join {other.name} as b "
            f"on a.{quote_identifier(retention.customer.name)} = b.{quote_identifier(whose.name)}",
            f"group by {', '.join(kept)}",
        ],
    )


def _overlap(log: TableFacts, of_log: Guess | None, table: TableFacts, who: Guess) -> str:
    if of_log is None or of_log.name not in log.frame.collect_schema():
        return ""
    shares = [
        j.share
        for j in find_joins((log, table))
        if j.left[1].name == of_log.name and j.right[1].name == who.name
    ]
    return f"; {shares[0]:.0%} of the customers of the log are found in it" if shares else ""


def _cause(text: StudyText, retention: RetentionTable, taken: list[str]) -> None:
    where = retention.end_table or retention.table
    guess = roles.guess_label(where, roles.CAUSE, most=50)
    if guess is None:
        return
    if retention.end_table is not None:
        text.comment(
            f"look: {where.name}.{plain(guess.name)} may hold the cause of leaving ({guess.column.describe_values()}); "
            "the query would have to bring it along"
        )
        return
    text.guess("cause", guess.name, "why a customer left", guess.reason)
    taken.append(guess.name)
    what = f"which causes are defection; all ends are, if none is named. {guess.column.describe_values()}"
    text.left_open(
        "defection", what, [([v for v, _ in guess.column.values[:3]], "")], is_needed=False
    )


def _describe_customers(text: StudyText, table: TableFacts, taken: list[str]) -> None:
    segment = roles.guess_label(table, roles.SEGMENT, most=24, taken=taken)
    if segment is not None:
        text.guess(
            "segment",
            segment.name,
            "the segment",
            f"{segment.reason}: {segment.column.describe_values()}",
        )
        taken.append(segment.name)
    household = roles.guess_label(table, roles.CLUSTER, most=10**9, taken=taken, most_of_rows=0.95)
    if household is not None:
        text.guess("cluster", household.name, "customers who belong together", household.reason)
        taken.append(household.name)
    marketing = roles.guess_many(table, roles.MARKETING, taken)
    if marketing:
        names = [c.name for c in marketing]
        text.guess("marketing", names, "acquisition and campaigns, as of entry", "of their names")
        taken += names
    rest = [c for c in _described(table, taken) if not c.is_time]
    if rest:
        what = (
            "columns that describe customers as of entry; one that is filled in later looks ahead"
        )
        text.left_open(
            "covariates", what, [([c.name], c.describe_values()) for c in rest[:6]], is_needed=False
        )
