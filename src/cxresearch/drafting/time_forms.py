"""How times are written: the formats under which every value of a column can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

_ISO = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{1,2}(:\d{1,2}([.,]\d{1,9})?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?$"
)
# each as a pattern without the time of day; those of one pattern differ in the order of day and month
_DAYS = (
    ("%d/%m/%Y", "%m/%d/%Y"),
    ("%d-%m-%Y", "%m-%d-%Y"),
    ("%d.%m.%Y", "%m.%d.%Y"),
    ("%d/%m/%y", "%m/%d/%y"),
    ("%d-%m-%y", "%m-%d-%y"),
    ("%d.%m.%y", "%m.%d.%y"),
    ("%Y/%m/%d",),
    ("%Y.%m.%d",),
    ("%d %b %Y",),
    ("%d-%b-%Y",),
    ("%d/%b/%Y",),
    ("%d-%b-%y",),
    ("%d %B %Y",),
    ("%b %d, %Y",),
    ("%B %d, %Y",),
    ("%b %d %Y",),
)
_CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M", ":%H:%M:%S",
    " %H:%M:%S %z",
)  # fmt: skip
_EARLIEST, _LATEST = 315_532_800, 4_102_444_800  # seconds: the years 1980 to 2100
_SCALES = (
    ("epoch_s", "seconds", 1),
    ("epoch_ms", "milliseconds", 10**3),
    ("epoch_us", "microseconds", 10**6),
)


@dataclass(frozen=True, slots=True)
class TimeForm:
    """A way in which a column can be read as times.

    Attributes:
        key: the value of ``at_format``; None where a study needs none.
        words: what that means, in words.
    """

    key: str | None
    words: str


ISO = TimeForm(None, "written year-month-day")


def forms_of_texts(texts: Sequence[str]) -> tuple[TimeForm, ...]:
    """The forms under which all texts are times; none where there is no such form.

    Args:
        texts: different texts of a column, stripped.
    """
    if not texts:
        return ()
    if all(_ISO.match(t) for t in texts):
        return (ISO,)
    if all(re.fullmatch(r"\d{8}", t) for t in texts) and _all_read(texts, "%Y%m%d"):
        return (TimeForm("yyyymmdd", "eight digits: year, month, day"),)
    if all(re.fullmatch(r"\d{10,16}([.]0*)?", t) for t in texts):
        numbers = [float(t) for t in texts]
        return forms_of_numbers(numbers, min(numbers), max(numbers))
    for formats in _DAYS:
        for clock in _CLOCKS:
            read = [f + clock for f in formats if _all_read(texts, f + clock)]
            if read:
                return tuple(TimeForm(f, _in_words(f)) for f in read)
    return ()


def forms_of_numbers(numbers: Sequence[float], low: float, high: float) -> tuple[TimeForm, ...]:
    """The forms under which all numbers are times; days counted from 1970 are not among them.

    Args:
        numbers: different numbers of a column.
        low: the least.
        high: the greatest.
    """
    if any(n != int(n) for n in numbers):
        return ()
    if low >= 19000101 and high <= 21001231:
        if _all_read([str(int(n)) for n in numbers], "%Y%m%d"):
            return (TimeForm("yyyymmdd", "numbers of eight digits: year, month, day"),)
        return ()
    for key, unit, scale in _SCALES:
        if _EARLIEST * scale <= low and high <= _LATEST * scale:
            return (TimeForm(key, f"{unit} since 1970"),)
    return ()


def _all_read(texts: Sequence[str], fmt: str) -> bool:
    try:
        for text in texts:
            if not 1900 <= datetime.strptime(text, fmt).year <= 2100:  # local
                return False
    except ValueError:
        return False
    return True


def _in_words(fmt: str) -> str:
    first = {"d": "day", "m": "month", "b": "month", "B": "month", "Y": "year"}[fmt[1]]
    return f"the {first} comes first"
