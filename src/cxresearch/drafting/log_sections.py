"""The sections of a drafted study that are about the log: `[interactions]` and `[moments]`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from cxresearch.drafting import roles
from cxresearch.drafting.facts import (
    ColumnFacts,
    TableFacts,
    as_day,
    plain,
    unknown_null_words,
)
from cxresearch.drafting.joins import Join
from cxresearch.drafting.opening import place_keys
from cxresearch.drafting.roles import Guess
from cxresearch.drafting.study_text import StudyText, rule_column
from cxresearch.study.quoting import quote_identifier

_MANY_TEXTS = 200


def write_reasons(text: StudyText, table: TableFacts) -> None:
    """Why a table is read as it is."""
    for key, why in table.reasons.items():
        text.comment(f"guess: {key} of {table.source}; because {why}")
        text.guesses += 1


def write_source(text: StudyText, table: TableFacts) -> None:
    """The file of a section, and how it is read."""
    text.key("source", table.source)
    write_reasons(text, table)
    for key, value in place_keys(table.read_settings).items():
        if key == "format":
            for name, inner in value.items():
                text.key(f"format.{name}", inner)
        else:
            text.key(key, value)
    write_null_words(text, table)


def write_null_words(text: StudyText, *tables: TableFacts) -> None:
    """Words for missing values of a section whose files have no key for them, such as workbooks."""
    words = unknown_null_words([c for t in tables for c in t.columns])
    if words:
        text.guess("null_values", words, "words for missing values", "they are no values elsewhere")


def find_customer(table: TableFacts, joins: Sequence[Join]) -> Join | None:
    """A table that holds whose the rows of a table without customers are."""
    fits = [
        j
        for j in joins
        if j.left[0] is table and j.share > 0.5 and roles.guess_customer(j.right[0]) is not None
    ]
    return max(fits, key=lambda j: j.share, default=None)


def write_interactions(
    text: StudyText, log: TableFacts, customer: Guess | None, at: Guess | None, lookup: Join | None
) -> None:
    """The section about the log."""
    text.section("interactions")
    if lookup is not None:
        customer = _joined_log(text, log, lookup)
    else:
        write_source(text, log)
    if customer is not None:
        text.guess("customer", customer.name, "whom a contact was with", customer.reason)
        write_others(text, "customer could be as well", customer.others)
    else:
        found = [(c.name, describe_column(c)) for c in roles.candidates_for_customer(log)[:5]]
        text.left_open("customer", "no column looks like a customer", found, is_needed=True)
    _when(text, log, customer, at)
    _time_zone(text, at)
    _attributes(text, log, customer, at)


def _joined_log(text: StudyText, log: TableFacts, lookup: Join) -> Guess | None:
    right, key = lookup.right
    who = roles.guess_customer(right)
    assert who is not None
    text.comment(
        f"guess: customers of {log.name} are those of {right.name}; because {lookup.share:.0%} of its "
        f"{plain(lookup.left[1].name)} are found there"
    )
    text.guesses += 1
    own = [f"  a.{quote_identifier(c.name)}" for c in log.columns if c.name != who.name]
    text.query(
        "query",
        [
            "select",
            ",\n".join([*own, f"  b.{quote_identifier(who.name)}"]),
            f"from {log.name} as a join {right.name} as b "
            f"on a.{quote_identifier(lookup.left[1].name)} = b.{quote_identifier(key.name)}",
        ],
    )
    write_null_words(text, log, right)
    return who


def _when(text: StudyText, log: TableFacts, customer: Guess | None, at: Guess | None) -> None:
    if at is None:
        times = [(c.name, describe_column(c)) for c in log.columns if c.is_time]
        text.left_open("at", "no column tells clearly when a contact was", times, is_needed=True)
        return
    text.guess("at", at.name, "when a contact was", at.reason)
    write_others(text, "at could be as well", at.others)
    write_time_form(text, at.column, "at_format")
    _one_contact(text, log, customer, at)


def write_time_form(text: StudyText, column: ColumnFacts, key: str) -> None:
    """How the times of a column are written, where a study must say it."""
    forms = column.times
    if len(forms) > 1:
        candidates = [(f.key, f.words) for f in forms]
        what = f"how {plain(column.name)} is written: no day is above 12, so day and month cannot be distinguished"
        text.left_open(key, what, candidates, is_needed=True)
    elif forms[0].key is not None:
        why = f"all its values that were looked at can be read so: {forms[0].words}"
        text.guess(key, forms[0].key, f"how {plain(column.name)} is written", why)


def _one_contact(text: StudyText, log: TableFacts, customer: Guess | None, at: Guess) -> None:
    """Say it where several rows seem to be one contact."""
    if customer is None or customer.name not in log.frame.collect_schema():
        return
    pairs = log.frame.select(customer.name, at.name).drop_nulls().unique()
    contacts = int(pairs.collect().height)
    rows = min(customer.column.filled, at.column.filled)
    if contacts >= (0.99 if _is_day_only(log, at.column) else 0.9) * rows:
        return
    text.comment(
        f"look: {rows:,} rows with a customer and a time hold {contacts:,} different pairs of them, so several "
        "rows may be lines or updates of one contact. A query over [tables] can put them together, as in "
        "data/recipes/online_retail_2.toml; else each row counts as a contact"
    )
    key = _find_contact_key(log, customer.name, at.name, contacts)
    if key is not None:
        who, when, number = (quote_identifier(c) for c in (customer.name, at.name, key.name))
        text.comment(
            f"Each of the {key.distinct:,} values of {plain(key.name)} has one customer and one time, so it may be the "
            f"id of a contact: with the file as {log.name} under [tables], and in place of source, a query such as "
            f"select {number}, min({who}) as {who}, min({when}) as {when}, count(*) as n_rows from {log.name} "
            f"group by {number}; add min, max or sum of the other columns that are of use"
        )


def _is_day_only(log: TableFacts, column: ColumnFacts) -> bool:
    """Whether times have no time of day, so that all rows of a customer and a day are at one time."""
    key = column.times[0].key
    if key is not None:
        return not any(part in key for part in ("H", "I", "hh", "epoch", "excel"))
    kind = log.frame.collect_schema()[column.name]
    if kind == pl.String:
        longest = pl.col(column.name).str.strip_chars().str.len_chars().max()
        return int(log.frame.select(longest).collect().item() or 0) <= 10
    return bool(kind == pl.Date)


def write_other_parts(text: StudyText, log: TableFacts, others: Iterable[TableFacts]) -> None:
    """Say it where another table seems to hold another part of the log under almost the same names."""
    names = {"".join(roles.words_of(c.name)) for c in log.columns}
    for other in others:
        shared = names & {"".join(roles.words_of(c.name)) for c in other.columns}
        if len(shared) >= 0.75 * min(len(names), len(other.columns)):
            text.comment(
                f"look: {other.name} has {len(shared)} of the {len(log.columns)} columns of {log.name} by their names, "
                "so it may be another part of the log, which is not read as it stands. A query over [tables] with "
                "UNION ALL puts them together; rows that stand in both are to be taken from one of them"
            )


def _find_contact_key(log: TableFacts, customer: str, at: str, contacts: int) -> ColumnFacts | None:
    """The column of ids whose values have one customer and one time each, and several rows."""
    fits = [
        c
        for c in log.columns
        if c.name not in (customer, at)
        and c.kind in ("text", "whole numbers")
        and not c.is_time
        and contacts <= c.distinct < 0.9 * c.filled
    ]
    for c in fits:
        triples = log.frame.select(c.name, customer, at).drop_nulls().unique()
        ids, pairs = triples.select(pl.col(c.name).n_unique(), pl.len()).collect().row(0)
        if ids == pairs:
            return c
    return None


def _time_zone(text: StudyText, at: Guess | None) -> None:
    if at is not None and at.column.kind != "whole numbers":
        what = "times are taken as they stand, as UTC; where they have an offset, say into which zone they are brought"
        text.left_open("time_zone", what, [("Europe/London", "")], is_needed=False)


def _attributes(text: StudyText, log: TableFacts, customer: Guess | None, at: Guess | None) -> None:
    taken = [g.name for g in (customer, at) if g is not None]
    for key, guess in (("grade", roles.guess_grade(log)), ("level", roles.guess_level(log))):
        if guess is not None:
            text.guess(key, guess.name, f"the {key} of a contact", guess.reason)
            taken.append(guess.name)
    score = roles.guess_score(log)
    if score is not None and score.name not in taken:
        low, high = roles.scale_of(score.column) or (0, 0)
        text.guess("score", score.name, "how customers rate a contact", score.reason)
        seen = f"values lie between {score.column.low:g} and {score.column.high:g}"
        text.guess("scale", [low, high], "the lowest and the highest score that can be given", seen)
        taken.append(score.name)
    places: list[ColumnFacts] = []
    labels: tuple[tuple[str, tuple[str, ...], int, str], ...] = (
        ("channel", roles.CHANNEL, 40, "by what means"),
        ("touchpoint", roles.TOUCHPOINT, _MANY_TEXTS, "where in the journey"),
        ("agent", roles.AGENT, 10**5, "who was responsible"),
        ("owner", roles.OWNER, 100, "which function was responsible"),
    )
    for key, words, most, what in labels:
        guess = roles.guess_label(log, words, most=most, taken=taken)
        if guess is not None:
            text.guess(key, guess.name, what, guess.reason)
            taken.append(guess.name)
            if key in ("channel", "touchpoint"):
                places.append(guess.column)
    _unattended(text, places)
    flags: tuple[tuple[str, tuple[str, ...], str], ...] = (
        ("attended", roles.ATTENDED, "whether a person was there"),
        ("is_problem", roles.IS_PROBLEM, "whether it was about a problem"),
        ("handoff", roles.HANDOFF, "whether it was handed on"),
    )
    for key, words, what in flags:
        guess = roles.guess_flag(log, words)
        if guess is not None and guess.name not in taken:
            why = f"{guess.reason} ({guess.column.describe_values()}); it must be known at the contact itself"
            text.guess(key, guess.name, what, why)
            taken.append(guess.name)
    for key, guess in roles.guess_dated(log, taken).items():
        text.guess(key, guess.name, f"when that was: {key}", guess.reason)
    for key in roles.EXPECTATIONS:
        if any(c.name == key and c.kind in ("whole numbers", "numbers") for c in log.columns):
            text.comment(f"found by its name: {key}")


def _unattended(text: StudyText, columns: Sequence[ColumnFacts]) -> None:
    values = [
        v
        for c in columns
        for v, _ in c.values
        if set(roles.words_of(v)) & roles.UNATTENDED or v.lower() in roles.UNATTENDED
    ]
    if values:
        where = " and ".join(plain(c.name) for c in columns)
        what = f"values of {where} without a person"
        text.guess("unattended", list(dict.fromkeys(values)), what, "of their names")


def write_moments(text: StudyText, log: TableFacts) -> None:
    """Which contacts count, and as what: never made up."""
    text.section("moments")
    score = roles.guess_score(log)
    grade, level = roles.guess_grade(log), roles.guess_level(log)
    if score is not None:
        _by_score(text, score.column)
    elif grade is not None or level is not None:
        known = grade or level
        assert known is not None
        text.comment(
            f"contacts are graded by {plain(known.name)}: {known.column.describe_values()}; rules for bad and good "
            "would come before it"
        )
    else:
        text.left_open(
            "bad",
            "which contacts were bad is never made up, and no column is a score, a grade or a level; a condition in "
            "SQL over the columns of the log. Candidates are columns of few values",
            _candidates_for_bad(log),
            is_needed=True,
        )
        text.comment('good = "…" in the same way, or neutral = "otherwise" for all the others')
    leaving = _leaving(log)
    if leaving:
        what = "contacts that follow from leaving are no causes of it"
        text.left_open("exclude", what, leaving, is_needed=False)


def _by_score(text: StudyText, column: ColumnFacts) -> None:
    low, high = roles.scale_of(column) or (0, 0)
    name = rule_column(column.name)
    bad, good = ("<= 6", ">= 9") if (low, high) == (0, 10) else _halves(low, high)
    seen = column.describe_values() or f"from {column.low:g} to {column.high:g}"
    why = f"they lie below the middle of the scale. Distribution: {seen}"
    if column.low is not None and column.low > float(bad.split()[1]):
        bad = f"<= {column.low:g}"
        why = f"no score below the middle occurs, and {column.low:g} is the lowest one. Distribution: {seen}"
        good = f">= {column.low + 1:g}" if column.low + 1 < high else good
    text.guess("bad", f"{name} {bad}", "which contacts were bad", why)
    text.guess(
        "good", f"{name} {good}", "which contacts were good", "it is the other end of the scale"
    )


def _halves(low: int, high: int) -> tuple[str, str]:
    middle = (low + high) / 2
    if high - low > 10:
        return f"< {middle:g}", f"> {middle:g}"
    below = int(middle) - 1 if middle == int(middle) else int(middle)
    above = int(middle) + 1
    return f"<= {below}", f">= {above}"


def _candidates_for_bad(log: TableFacts) -> list[tuple[str, str]]:
    result: list[tuple[str, str]] = []
    for c in log.columns:
        if c.kind == "true or false":
            rarer = c.values[-1][0] if c.values else "true"  # bad moments are seldom the rule
            rule = rule_column(c.name) if rarer == "true" else f"not {rule_column(c.name)}"
            result.append((rule, c.describe_values()))
        elif (
            c.kind in ("whole numbers", "numbers")
            and not c.is_time
            and c.low is not None
            and c.low < 0 < c.high
        ):
            result.append((f"{rule_column(c.name)} < 0", f"from {c.low:g} to {c.high:g}"))
        elif c.kind == "text" and 1 < len(c.values) <= 12:
            value = c.values[-1][0].replace("'", "''")
            result.append((f"{rule_column(c.name)} = '{value}'", c.describe_values()))
    return result[:10]


def _leaving(log: TableFacts) -> list[tuple[str, str]]:
    words = {
        "cancel",
        "cancellation",
        "cancelled",
        "terminate",
        "termination",
        "churn",
        "kuendigung",
        "downgrade",
    }
    return [
        (f"{rule_column(c.name)} = '{v.replace(chr(39), 2 * chr(39))}'", f"{n:,} rows")
        for c in log.columns
        if c.kind == "text"
        for v, n in c.values
        if words & set(roles.words_of(v))
    ][:4]


def write_others(text: StudyText, what: str, found: Iterable[ColumnFacts | TableFacts]) -> None:
    """What else it could be."""
    names = [
        plain(c.name)
        + (f" ({describe_column(c)})" if isinstance(c, ColumnFacts) else f" ({c.rows:,} rows)")
        for c in found
    ]
    if names:
        text.comment(f"{what}: {', '.join(names[:6])}")


def describe_column(c: ColumnFacts) -> str:
    """A column in a few words."""
    if c.is_time:
        seen = f" from {as_day(c.low)} to {as_day(c.high)}" if c.kind == "times" else ""
        return f"times in {c.filled:,} rows{seen}"
    return f"{c.kind}, {c.distinct:,} different values in {c.filled:,} rows"
