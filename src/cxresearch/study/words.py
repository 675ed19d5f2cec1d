"""Words that stand for nothing, for true and for false: one list for all engines, and what a study adds to it.

What cannot be read must not pass as "no": a word for a missing value is counted, a word that is not known is
an error.
"""

from __future__ import annotations

import re
from datetime import date

from cxresearch.study.timestamps import BLANKS

_EPOCH = date(1970, 1, 1).toordinal()

# in small letters, without blanks around them
MISSING = (
    *("null", "(null)", "<null>", "\\n", "nan", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nat"),
    *("(blank)", "(empty)", "missing", "undefined", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}"),
)
# of a text that describes somebody, `none` is a value: no campaign is a kind of campaign
NONE = ("none", "nil")
_ZERO_DATES = ("0000-00-00", "0000/00/00", "00/00/0000", "00.00.0000", "00-00-0000", "00000000")
ZERO_DATES = (
    *_ZERO_DATES,
    *(f"{day}{clock}" for day in _ZERO_DATES[:-1] for clock in (" 00:00:00", "t00:00:00")),
)
# days that programs write where they have none
NO_DAYS = {
    date.fromisoformat(text).toordinal() - _EPOCH: text
    for text in (
        *("1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01"),
        *("2999-12-31", "9999-12-30", "9999-12-31"),
    )
}
TRUE = ("true", "yes", "y", "1", "t", "x", "on", "1.0")
FALSE = ("false", "no", "n", "0", "f", "off", "0.0")


def fold(word: str) -> str:
    """A word as it is compared: in small letters, without blanks around it."""
    return word.strip(BLANKS).lower()


def missing_words(more: tuple[str, ...] = (), *, is_label: bool = False) -> tuple[str, ...]:
    """The words for missing values, folded; the empty text is not among them.

    Args:
        more: those that a study adds.
        is_label: whether the column holds texts that describe, of which ``none`` is one.
    """
    usual = MISSING if is_label else (*MISSING, *NONE, *ZERO_DATES)
    return tuple(dict.fromkeys((*usual, *filter(None, map(fold, more)))))


def missing_pattern(words: tuple[str, ...]) -> str:
    """A regular expression that matches each of some words, written in any letters."""
    return f"(?i)^(?:{'|'.join(map(re.escape, words))})$"


def missing_numbers(more: tuple[str, ...]) -> tuple[float, ...]:
    """Those of a study's words for missing values that are numbers, such as 99."""
    numbers = []
    for word in map(fold, more):
        if re.fullmatch(r"[+-]?[0-9]+([.][0-9]*)?", word):
            numbers.append(float(word))
    return tuple(numbers)
