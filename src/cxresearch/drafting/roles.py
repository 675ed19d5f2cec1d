"""Which column is likely what: by its name, and by what is in it. Each guess has its reason."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cxresearch.drafting.facts import ColumnFacts, TableFacts
from cxresearch.study import LEVELS_OF_SERVICE

SCALES = ((1, 5), (0, 5), (1, 7), (1, 10), (0, 10), (0, 100))
GRADES = {"bad", "neutral", "good", "unknown"}


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column is taken for.

    Attributes:
        column: its facts.
        reason: why, to follow the word because.
        others: other columns that could be it.
    """

    column: ColumnFacts
    reason: str
    others: tuple[ColumnFacts, ...] = ()

    @property
    def name(self) -> str:
        """The name of the column."""
        return self.column.name


# words of names, in English and some other languages; those that come first tell more
CUSTOMER = (
    "customer", "client", "member", "subscriber", "account", "acct", "user", "cust", "caller", "guest",
    "patient", "policyholder", "consumer", "buyer", "kunde", "kunden", "kundennummer", "kundennr", "cliente",
    "usuario", "klant",
)  # fmt: skip
_ID_WORDS = {
    "id",
    "no",
    "nr",
    "number",
    "num",
    "key",
    "code",
    "ref",
    "nummer",
    "numero",
    "uuid",
    "guid",
    "sk",
}
# for a name that would be of the right kind but for another word in it
_NOT_CUSTOMER = {
    "name", "email", "mail", "type", "segment", "group", "age", "since", "status", "city", "country", "region",
    "date", "at", "satisfaction", "rating", "score", "agent", "first", "last", "phone", "manager", "count",
}  # fmt: skip
AT = (
    "occurred", "contacted", "at", "timestamp", "ts", "datetime", "time", "opened", "submitted", "created",
    "date", "day", "received", "ordered", "order", "invoice", "purchase", "contact", "call", "event", "sent",
    "started", "datum", "fecha", "zeit", "zeitpunkt",
)  # fmt: skip
_NOT_AT = {
    "closed", "resolved", "solved", "end", "ended", "updated", "update", "modified", "due", "ship", "shipped",
    "birth", "registration", "registered", "signup", "expiry", "expires", "delivered", "churn", "cancel",
    "cancelled", "until", "problem", "complained", "posted", "goodwill", "informed", "start",
}  # fmt: skip
_NOT_START = {
    "closed",
    "resolved",
    "end",
    "ended",
    "updated",
    "modified",
    "due",
    "birth",
    "churn",
    "cancel",
    "cancelled",
}
START = (
    "signup", "signed", "start", "started", "since", "joined", "registered", "registration", "activated",
    "activation", "subscribed", "enrolled", "begin", "beginn", "inicio", "opened", "entry", "created", "first",
)  # fmt: skip
END = (
    "churn", "churned", "cancelled", "canceled", "cancel", "cancellation", "terminated", "termination", "end",
    "ended", "left", "quit", "exit", "deactivated", "unsubscribed", "closed", "expired", "ende", "fin",
    "kuendigung", "kundigung",
)  # fmt: skip
SCORE_NAMES = (
    "csat", "nps", "satisfaction", "rating", "score", "stars", "star", "ces", "grade", "bewertung", "note",
    "zufriedenheit", "calificacion", "mark",
)  # fmt: skip
_NOT_SCORE = {"id", "credit", "risk", "lead", "count", "date", "at", "text", "comment"}
CHANNEL = ("channel", "medium", "via", "kanal", "canal", "type")
TOUCHPOINT = (
    "touchpoint",
    "touch",
    "page",
    "step",
    "category",
    "reason",
    "topic",
    "subject",
    "type",
    "event",
    "activity",
)
AGENT = (
    "agent",
    "representative",
    "rep",
    "assignee",
    "assigned",
    "advisor",
    "handler",
    "operator",
    "employee",
    "resolver",
)
OWNER = ("owner", "department", "dept", "team", "queue", "function", "group", "abteilung")
SEGMENT = ("segment", "plan", "tier", "tariff", "package", "level", "class")
CLUSTER = ("household", "family", "haushalt")
CAUSE = ("reason", "cause", "grund", "motivo")
MARKETING = (
    "acquisition",
    "referral",
    "campaign",
    "utm",
    "promo",
    "promotion",
    "source",
    "marketing",
)
HANDOFF = (
    "handoff",
    "handover",
    "transferred",
    "transfer",
    "forwarded",
    "reassigned",
    "escalated",
    "escalation",
)
_NOT_LABEL = {"user", "date", "at", "text"}
IS_PROBLEM = ("problem", "issue", "fault", "incident", "complaint")
ATTENDED = ("attended", "human", "person")
UNATTENDED = {
    "web", "website", "app", "bot", "chatbot", "bill", "invoice", "letter", "portal", "ivr", "sms", "email",
    "e-mail", "mail", "online", "self-service", "push", "kiosk", "newsletter",
}  # fmt: skip
DATED = {
    "problem_at": ("problem", "issue", "fault", "incident"),
    "resolved_at": ("resolved", "resolution", "solved", "fixed", "closed"),
    "goodwill_at": ("goodwill", "gesture", "compensated", "refunded"),
    "informed_at": ("informed", "notified", "notice"),
    "complained_at": ("complained", "complaint"),
    "posted_at": ("posted", "tweeted", "review"),
}
EXPECTATIONS = ("respect", "solutions", "simplicity", "responsibility")
LOG_NAMES = {
    "ticket", "tickets", "contact", "contacts", "interaction", "interactions", "call", "calls", "event",
    "events", "log", "case", "cases", "incident", "order", "orders", "message", "messages", "visit", "visits",
    "transaction", "transactions", "purchase", "purchases", "feedback", "surveys", "survey",
}  # fmt: skip


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name: ``CustomerID`` and ``customer_id`` are both customer and id."""
    text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", text)
    return tuple(re.sub(r"[^A-Za-z0-9]+", " ", text).lower().split())


def _rank(name: str, order: Sequence[str]) -> int | None:
    """The position of the first word of a list that a name holds."""
    words = words_of(name)
    joined = "".join(words)
    found = [i for i, w in enumerate(order) if w in words or w == joined]
    return min(found) if found else None


def _named(
    columns: Iterable[ColumnFacts],
    order: Sequence[str],
    fits: Callable[[ColumnFacts], bool],
    what: str,
    avoid: Iterable[str] = (),
) -> Guess | None:
    """The column whose name tells most that it is something, of those that fit."""
    avoided = set(avoid)
    ranked = sorted(
        (
            (rank, i, c)
            for i, c in enumerate(columns)
            if fits(c)
            and not avoided & set(words_of(c.name))
            and (rank := _rank(c.name, order)) is not None
        ),
        key=lambda r: r[:2],
    )
    if not ranked:
        return None
    best = ranked[0][2]
    return Guess(best, f"of its name, and it holds {what}", tuple(c for _, _, c in ranked[1:]))


def _is_id(column: ColumnFacts) -> bool:
    return column.kind in ("text", "whole numbers") and column.distinct > 1 and not column.is_flag


def guess_customer(table: TableFacts) -> Guess | None:
    """Whom a row is about."""
    fits = [c for c in table.columns if _is_id(c) and not c.is_time]
    ranked = []
    for i, c in enumerate(fits):
        words = words_of(c.name)
        rank = _rank(c.name, CUSTOMER)
        if rank is None or _NOT_CUSTOMER & set(words):
            continue
        ranked.append((not _ID_WORDS & set(words), rank, i, c))
    if ranked:
        best, *others = (r[3] for r in sorted(ranked, key=lambda r: r[:3]))
        return Guess(best, f"of its name, and it holds {_ids(best)}", tuple(others))
    return _customer_without_name(fits)


def _customer_without_name(fits: Sequence[ColumnFacts]) -> Guess | None:
    """Of a table whose columns have no telling names: the only column of ids that come again."""
    if not all(c.name.startswith("column_") for c in fits):
        return None
    like = [c for c in fits if c.kind == "text" and 20 < c.distinct < 0.9 * c.filled]
    like = like or [c for c in fits if 20 < c.distinct < 0.9 * c.filled]
    if len(like) != 1:
        return None
    return Guess(like[0], f"it is the only column of ids that come again: {_ids(like[0])}")


def _ids(c: ColumnFacts) -> str:
    return f"{c.distinct:,} different values in {c.filled:,} rows"


def candidates_for_customer(table: TableFacts) -> tuple[ColumnFacts, ...]:
    """Columns of ids, those that come again first."""
    fits = [c for c in table.columns if _is_id(c) and not c.is_time and c.distinct > 5]
    return tuple(sorted(fits, key=lambda c: (c.is_unique, abs(_share(c) - 0.3))))


def _share(c: ColumnFacts) -> float:
    return c.distinct / max(c.filled, 1)


def guess_time(table: TableFacts) -> Guess | None:
    """When a contact was."""
    times = [c for c in table.columns if c.is_time]
    guess = _named(times, AT, lambda _: True, "times", _NOT_AT)
    if guess is not None:
        rest = tuple(c for c in times if c.name != guess.name)
        return Guess(guess.column, guess.reason, rest)
    if len(times) == 1:
        return Guess(times[0], "it is the only column that can be read as times")
    return None


def guess_start(table: TableFacts) -> Guess | None:
    """When a customer began."""
    return _named(table.columns, START, lambda c: c.is_time, "times", _NOT_START)


def guess_end(table: TableFacts) -> Guess | None:
    """When a customer left; such a column is mostly empty, or its table holds leavers alone."""
    return _named(table.columns, END, lambda c: c.is_time, "times", {"trial", "birth"})


def guess_score(table: TableFacts) -> Guess | None:
    """A number by which customers say how it was."""

    def fits(c: ColumnFacts) -> bool:
        return c.kind in ("whole numbers", "numbers") and scale_of(c) is not None and not c.is_time

    return _named(table.columns, SCORE_NAMES, fits, "numbers on a scale", _NOT_SCORE)


def scale_of(column: ColumnFacts) -> tuple[int, int] | None:
    """The smallest usual scale that holds all values."""
    if column.low is None:
        return None
    if "nps" in words_of(column.name) and column.low >= 0 and column.high <= 10:
        return (0, 10)
    return next((s for s in SCALES if s[0] <= column.low and column.high <= s[1]), None)


def guess_grade(table: TableFacts) -> Guess | None:
    """Bad, neutral or good, in these words."""
    return _of_words(table, GRADES, "the words bad, neutral and good")


def guess_level(table: TableFacts) -> Guess | None:
    """The six levels of service, in their words."""
    return _of_words(table, set(LEVELS_OF_SERVICE), "the names of levels of service")


def _of_words(table: TableFacts, words: set[str], what: str) -> Guess | None:
    for c in table.columns:
        values = {v.lower() for v, _ in c.values}
        if c.kind == "text" and len(values) > 1 and values <= words:
            return Guess(c, f"it holds only {what}")
    return None


def guess_label(
    table: TableFacts,
    order: Sequence[str],
    *,
    most: int,
    taken: Iterable[str] = (),
    most_of_rows: float = 0.5,
) -> Guess | None:
    """A column of names that come again, such as channels.

    Args:
        table: where.
        order: words of its name.
        most: so many different values at most.
        taken: columns that are something else already.
        most_of_rows: and at most so many for each row.
    """
    used = set(taken)

    def fits(c: ColumnFacts) -> bool:
        return (
            c.name not in used
            and c.kind in ("text", "whole numbers")
            and 1 < c.distinct <= most
            and c.distinct < most_of_rows * c.filled
            and not c.is_time
            and not c.is_flag
        )

    return _named(table.columns, order, fits, "names that come again", _NOT_LABEL)


def guess_flag(table: TableFacts, order: Sequence[str]) -> Guess | None:
    """A column of yes and no."""
    return _named(table.columns, order, lambda c: c.is_flag, "yes and no")


def guess_dated(table: TableFacts, taken: Iterable[str]) -> dict[str, Guess]:
    """Times of problems, complaints and the like, by the name they have in a study."""
    used, result = set(taken), {}
    for key, order in DATED.items():
        guess = _named(table.columns, order, lambda c: c.is_time and c.name not in used, "times")
        if guess is not None:
            result[key] = guess
            used.add(guess.name)
    return result


def guess_many(
    table: TableFacts, order: Sequence[str], taken: Iterable[str]
) -> tuple[ColumnFacts, ...]:
    """All columns of few values whose names hold one of some words."""
    used = set(taken)
    return tuple(
        c
        for c in table.columns
        if c.name not in used and len(c.values) > 1 and _rank(c.name, order) is not None
    )
