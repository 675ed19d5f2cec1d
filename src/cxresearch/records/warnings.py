"""What makes numbers doubtful, found while the tables are read: a code, its numbers, and the key that settles it.

A warning holds values. The sentence is made where it is shown; a page hides its small counts first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import polars as pl

from cxresearch.disclosure.counts import round_count
from cxresearch.records.audit_values import Count, CountOfTotal, Day
from cxresearch.utils.result import Result


class Times(msgspec.Struct, frozen=True, tag=True):
    """A ratio.

    Attributes:
        ratio: how many times as much.
    """

    ratio: float

    def __str__(self) -> str:
        return f"{self.ratio:,.1f}"


class Days(msgspec.Struct, frozen=True, tag=True):
    """A number of days. It counts nobody, so that a page shows it as it is.

    Attributes:
        days: how long.
    """

    days: int

    def __str__(self) -> str:
        return f"{self.days:,}"


class Points(msgspec.Struct, frozen=True, tag=True):
    """A difference of two shares, in points of a hundred. It counts nobody, so that a page shows it as it is.

    Attributes:
        points: how many.
    """

    points: int

    def __str__(self) -> str:
        return f"{self.points:,}"


class Hidden(msgspec.Struct, frozen=True, tag=True):
    """A number that rests on too few to be shown.

    Attributes:
        least: the smallest count that may be shown.
    """

    least: int

    def __str__(self) -> str:
        return f"some (fewer than {self.least}, or all but so few)"


WarningValue = Count | CountOfTotal | Day | Days | Points | Times | Hidden | str

# code: what is wrong, with the names of its values in braces; what to do, in which {key} is the key of the study file
SENTENCES = {
    "stray_last_dates": (
        "{rows} contacts are dated after {last}, up to {seen}: stray dates, so the log is taken to end on {last}, "
        "its last dense day",
        "give {key} if it ends on another day",
    ),
    "stray_first_dates": (
        "{rows} contacts are dated before {first}, back to {seen}: stray dates, so the log is taken to begin "
        "on {first}",
        "give {key} if it begins on another day",
    ),
    "thin_tail": (
        "the last {days} days of the log hold {rows} contacts, where such a span typically holds {typical}: the log "
        "may not be complete to its end",
        "give as {key} the last day that is complete",
    ),
    "rows_lost": (
        "{rows} rows of {table} are in error and are left out, most of them for this reason: {reason}",
        "look at the quarantined rows and at {key}",
    ),
    "leavers_lost": (
        "{rows} customers end before they start and are left out; only customers who left can be lost so, and "
        "fewer seem to leave than do",
        "look at the quarantined rows, at {key} and at the order of day and month",
    ),
    "unknown_words": (
        "{rows} contacts have in {column} a word that is no {column}: their {column} is unknown",
        "name under {key} what means nothing, or write rules under [moments]",
    ),
    "column_of_words": (
        "{rows} contacts hold text in {column}, where a number is needed: the column is left out",
        "name under {key} what means that there is no number",
    ),
    "column_left_out": (
        "the log has a column {column}, which is left out: it holds {held} instead of {wanted}",
        "name the column that is meant under {key}, or rename this one",
    ),
    "one_customer": (
        "{rows} contacts are of a single customer: it may stand for everybody who was not known",
        "name such an id under {key}",
    ),
    "rule_matches_nothing": (
        "the rule {rule} holds for none of {rows} contacts",
        "check {key}: names and words are compared as they are written",
    ),
    "rule_matches_everything": (
        "the rule {rule} holds for all of {rows} contacts",
        "check {key}: with it no contact differs from another",
    ),
    "name_matches_nothing": (
        "no channel or touchpoint is called {name}, which the study lists as unattended",
        "check {key}",
    ),
    "cause_matches_nothing": (
        "nobody left for {name}, which the study lists under defection",
        "check {key}",
    ),
    "day_precision": (
        "no contact has a time of day, and {rows} rows were taken for exact duplicates: two equal contacts on one day "
        "cannot be distinguished from one that was written twice",
        "name under {key} a column with the time of day, or add a column that tells contacts apart",
    ),
    "exits_jump": (
        "in the last {days} days of the data customers left {ratio} times as often as in the half year before: an "
        "export may have closed the accounts that were open, or the last days are not complete",
        "give under {key} the last day on which it is known who was a customer",
    ),
    "foretells_exit": (
        "{rows} of {what} fall on the day on which the customer left, or the day before or after: they may be the "
        "leaving itself and not what led to it",
        "leave them out with {key}, or name another column",
    ),
    "tells_who_left": (
        "{column} alone tells for {rows} customers whether they left: it may have been written after they had left",
        "leave it out of {key}, or give its value as of the day on which the customer came",
    ),
    "tables_end_apart": (
        "contacts end on {contacts}, and customers come and go until {customers}: between the two days one of the "
        "tables says nothing",
        "give under {key} the last day that both tables cover",
    ),
    "channels_end_apart": (
        "a channel of {rows} contacts has its last one on {last}, {days} days before the log ends: after that its "
        "contacts are missing, or it was closed",
        "give as {key} the last day that all channels cover, if they are missing",
    ),
    "lapsed_came_back": (
        "{lapsed} of the customers who were silent for more than {days} days came back later: for many of them the "
        "silence was no end",
        "see what cxresearch gaps says of longer ones, and change {key}; claims are then about silence, not about "
        "leaving",
    ),
    "bad_brings_contacts": (
        "after a bad contact, customers are in touch again within {days} days more often than after their other ones, "
        "by {points} points of a hundred: bad contacts bring about others, such as those about a return, which are no "
        "occasion to leave, and contrasts are neither supported nor contradicted",
        "say under {key} which contacts are purchases, or name a table of them",
    ),
    "parallel_rows": (
        "{rows} rows of customers overlap with another row of the same customer, and are taken for parallel contracts: "
        "the customer leaves when the last one ends",
        "name under {key} the column that tells contracts apart, so that contradictions within one show",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataWarning(Result):
    """Something in the data, or in how the study reads them, that makes numbers doubtful.

    Attributes:
        code: what it is, a key of `SENTENCES`.
        values: its numbers and names, by name.
        key: the key of the study file that settles it.
        examples: texts of the data; no page shows them.

    Example:
        >>> from cxresearch.records.warnings import DataWarning, CountOfTotal
        >>> warning = DataWarning(
        ...     code="one_customer",
        ...     values=(("rows", CountOfTotal(60, 100)),),
        ...     key="interactions.null_values",
        ...     examples=("guest",),
        ... )
        >>> warning.sentence.partition(":")[0]
        '60 (60.0%) contacts are of a single customer'
        >>> warning.key
        'interactions.null_values'
    """

    code: str
    values: tuple[tuple[str, WarningValue], ...]
    key: str
    examples: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What is wrong."""
        values = {name: str(value) for name, value in self.values}
        examples = f" ({', '.join(map(repr, self.examples))})" if self.examples else ""
        return f"{SENTENCES[self.code][0].format(**values)}{examples}"

    @property
    def sentence(self) -> str:
        """What is wrong, and what to do."""
        return f"{self.what}; {SENTENCES[self.code][1].format(key=self.key)}"

    def __str__(self) -> str:
        return self.sentence

    def to_dict(self) -> dict[str, Any]:
        """The code, the key, the sentence, and the values: counts, dates and ratios; a hidden one is None."""
        return {
            "code": self.code,
            "key": self.key,
            "sentence": self.sentence,
            "values": {name: _plain(value) for name, value in self.values},
            "examples": list(self.examples),
        }

    def to_polars(self) -> pl.DataFrame:
        """One row: code, key, sentence."""
        return pl.DataFrame({"code": [self.code], "key": [self.key], "sentence": [self.sentence]})


def publishable_warnings(warnings: Iterable[DataWarning], min_cell: int) -> tuple[DataWarning, ...]:
    """Warnings as a page may show them: no text of the data, no count below `min_cell`, and none that gives one away.

    Args:
        warnings: of an audit.
        min_cell: the smallest count that may be shown.
    """
    return tuple(
        replace(
            warning,
            values=tuple((name, _public(value, min_cell)) for name, value in warning.values),
            examples=(),
        )
        for warning in warnings
    )


def _plain(value: WarningValue) -> Any:
    if isinstance(value, Count):
        return value.count
    if isinstance(value, CountOfTotal):
        return {"count": value.count, "total": value.total}
    if isinstance(value, Days):
        return value.days
    if isinstance(value, Points):
        return value.points
    if isinstance(value, Times):
        return value.ratio
    return None if isinstance(value, Hidden) else str(value)


def _public(value: WarningValue, min_cell: int) -> WarningValue:
    is_small = (isinstance(value, Count | CountOfTotal) and 0 < value.count < min_cell) or (
        isinstance(value, CountOfTotal) and 0 < value.total - value.count < min_cell
    )
    if is_small:
        return Hidden(min_cell)
    if isinstance(value, Count):
        return Count(round_count(value.count, min_cell))
    if isinstance(value, CountOfTotal):  # the share that is written is made of the rounded counts
        rounded = round_count(value.count, min_cell)
        return CountOfTotal(rounded, max(round_count(value.total, min_cell), rounded))
    return value
