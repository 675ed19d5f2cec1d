"""Times written as text or as numbers: one grammar for all engines.

Without a format: ISO dates, with or without a time of day, a fraction and an offset (``Z``, ``UTC``, ``+02``,
``+02:00``, ``+0200``). With one: the directives in `DIRECTIVES`, as Python's ``strptime`` reads them in the C locale,
or one of `NAMED`. A format is carried out in one place, by `read_texts`, to which engines hand the distinct texts of a
column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from pyspark.sql import Column

EARLIEST, LATEST = -354_285, 2_932_896  # days that count as days: the years 1000 to 9999
# what counts as blank at the ends of a text, on every engine: what Python's str.strip takes away
BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
DIRECTIVES = "%Y %y %m %d %j %b %B %a %A %H %I %M %S %f %p %z %%"
# a later second than 59 and an offset beyond 14 hours are no times, though some engines take them
_ISO = (
    r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"([T ][0-9]{1,2}:[0-9]{1,2}(:[0-5]?[0-9]([.,][0-9]{1,9})?)?( ?(Z|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?))?)?$"
)
_FRACTION = "^[.,][0-9]{1,9}"
_DAY = r"^([0-9]+-[0-9]+-[0-9]+)"
_CLOCK = r"[T ]([0-9]+:[0-9]+(:[0-9]+)?)"
_OFFSET = r":[0-9.,]+ ?([+-][0-9:]+)$"
_UTC = r"(Z|UTC)$"
# fmt: off
_MONTHS = [
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
]
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
# fmt: on
EPOCH_UNITS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}
SPREADSHEET = "excel"  # days since 30 December 1899, with the time of day as a fraction
_WORDS = {
    "yyyymmdd": "%Y%m%d",
    "ddmmyyyy": "%d%m%Y",
    "mmddyyyy": "%m%d%Y",
    "yyyymmddhhmm": "%Y%m%d%H%M",
    "yyyymmddhhmmss": "%Y%m%d%H%M%S",
}
# what is suggested where nothing can be read
_USUAL = (
    *(f"%{day}{mark}%{month}{mark}%{year}{clock}"
      for mark in "./-" for day, month in ("dm", "md") for year in "Yy"
      for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")),
    *(f"%Y{mark}%m{mark}%d{clock}" for mark in "/." for clock in ("", " %H:%M", " %H:%M:%S")),
    *(f"{day}{clock}" for day in ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y")
      for clock in ("", " %H:%M", " %H:%M:%S")),
    "%d/%b/%Y:%H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %z", "%Y-%m", "%Y%m%dT%H%M%S",
    "yyyymmdd", "yyyymmddhhmmss", "yyyymmddhhmm", *EPOCH_UNITS, SPREADSHEET,
)  # fmt: skip
NAMED = (*EPOCH_UNITS, SPREADSHEET, *_WORDS)
_BEFORE_1970 = 25_569  # days from the first day of a spreadsheet to 1970-01-01
# how many digits a directive takes where nothing stands between it and the next
_WIDTHS = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%H": 2, "%I": 2, "%M": 2, "%S": 2, "%j": 3}
_DIGITS = {
    "d": "3[01]|[12][0-9]|0[1-9]|[1-9]| [1-9]",
    "f": "[0-9]{1,9}",
    "H": "2[0-3]|[01][0-9]|[0-9]",
    "I": "1[0-2]|0[1-9]|[1-9]",
    "j": "36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0[1-9][0-9]|00[1-9]|[1-9][0-9]|0[1-9]|[1-9]",
    "m": "1[0-2]|0[1-9]|[1-9]",
    "M": "[0-5][0-9]|[0-9]",
    "S": "6[01]|[0-5][0-9]|[0-9]",
    "y": "[0-9]{2}",
    "Y": "[0-9]{4}",
    "p": "am|pm",
    "z": "[+-][0-9]{2}:?[0-5][0-9]|(?-i:Z)",
}
_DAY_DIRECTIVES = {f"%{d}" for d in "YymdjbBaA"}
# a day and a time of day of parts with two letters each
_HALVES = re.compile("(?P<day>.*?[^ ])(?P<clock> (?:%[HIMSp]|[^%])+)")
_PARTS = ["day", "second"]
_NAMES = {
    "b": [m[:3] for m in _MONTHS],
    "B": _MONTHS,
    "a": [d[:3] for d in _WEEKDAYS],
    "A": _WEEKDAYS,
}


def strptime_format(fmt: str) -> str:
    """A format in directives; a word such as ``yyyymmdd`` is turned into them."""
    return _WORDS.get(fmt, fmt).replace("%.f", ".%f")


def directives(fmt: str) -> list[str]:
    """The directives of a format, in order."""
    return [d for d in re.findall("%.?", strptime_format(fmt)) if d != "%%"]


def unknown_directives(fmt: str) -> list[str]:
    """What in a format is not in `DIRECTIVES`; ``%.f`` is taken for ``.%f``."""
    return [d for d in directives(fmt) if d not in DIRECTIVES.split()]


def counts_days(is_integer: bool, fmt: str | None) -> bool:
    """Whether a column holds integer days: whole numbers, and no format to the contrary."""
    return is_integer and fmt is None


def is_number_format(fmt: str | None) -> bool:
    """Whether a format is of numbers that count a unit of time."""
    return fmt in EPOCH_UNITS or fmt == SPREADSHEET


def read_texts(texts: pl.Series, fmt: str, zone: str) -> pl.DataFrame:
    """Texts in a format as local days and seconds.

    The directives are those of Python's ``strptime`` in the C locale, with three differences: digits are those of
    ASCII, ``%f`` takes up to nine of them, and day 366 of a common year is no day. A weekday is not compared with its
    date.

    Args:
        texts: shape (n,). Blanks around them do not count.
        fmt: directives, or one of `NAMED`.
        zone: times with an offset, and counts since 1970, are brought here.

    Returns:
        Shape (n, 2): ``day`` (since 1970-01-01) and ``second`` (of the day), both null where a text cannot be read.
    """
    frame = pl.DataFrame({"x": texts.cast(pl.String).str.strip_chars(BLANKS)})
    if is_number_format(fmt):
        return frame.select(**_count(fmt, zone))
    fmt = strptime_format(fmt)
    names = [d[1:] for d in directives(fmt)]
    if not {"Y", "y"} & set(names):  # a year would have to be made up
        nothing = pl.lit(None, pl.Int32)
        return frame.select(pl.when(pl.col("x").is_null()).then(nothing).alias(c) for c in _PARTS)
    groups = frame.select(pl.col("x").str.extract_groups(_pattern(fmt))).unnest("x")
    is_whole = pl.col("rest") == ""
    return groups.with_columns(pl.when(is_whole).then(pl.col(n)).name.keep() for n in names).select(
        **_parsed(names, zone)
    )


def read_values(values: pl.Series, fmt: str, zone: str) -> pl.DataFrame:
    """A column in a format as local days and seconds: texts as by `read_texts`, numbers of any type as well.

    Args:
        values: shape (n,), texts or numbers. A number that should be a text in directives must be whole.
        fmt: as `read_texts`.
        zone: as `read_texts`.

    Returns:
        As `read_texts`. Each distinct text is read once.
    """
    if not values.dtype.is_numeric():
        halves = _HALVES.fullmatch(strptime_format(fmt))
        if halves is None or not set(directives(halves["day"])) <= _DAY_DIRECTIVES:
            return _read_distinct(values, fmt, zone)
        return _read_halves(values, fmt, zone, halves["day"], halves["clock"])
    if not values.dtype.is_integer():
        values = values.cast(pl.Float64)
    frame = values.to_frame("x")
    x: pl.Expr = pl.col("x")
    if fmt in EPOCH_UNITS:
        # small integers are widened; the greatest ones lie beyond those with a sign
        is_small = values.dtype.is_integer() and values.dtype != pl.UInt64
        count = x.cast(pl.Int64, strict=False) if is_small else x
        return frame.select(**local_clock(count.floordiv(EPOCH_UNITS[fmt]), zone))
    if fmt == SPREADSHEET:
        return frame.select(**_spreadsheet_clock(x.cast(pl.Float64)))
    if not values.dtype.is_integer():
        is_exact = x.is_finite() & (x == x.floor()) & (x.abs() < 2.0**53)
        x = pl.when(is_exact).then(x).cast(pl.Int64)
    texts = frame.select(x.cast(pl.String)).to_series()
    return read_texts(_padded(texts, fmt), fmt, zone)


def _read_distinct(texts: pl.Series, fmt: str, zone: str) -> pl.DataFrame:
    """`read_texts`, of each distinct text once where this is less work."""
    distinct = texts.unique()
    if 2 * len(distinct) > len(texts):
        return read_texts(texts, fmt, zone)
    known = read_texts(distinct, fmt, zone).with_columns(x=distinct)
    return texts.to_frame("x").join(known, on="x", how="left", maintain_order="left")[_PARTS]


def _read_halves(texts: pl.Series, fmt: str, zone: str, day: str, clock: str) -> pl.DataFrame:
    """Texts with a day and a time of day: each half has fewer distinct texts than the whole.

    Only texts whose time of day has the usual width are read so. Where both halves are read to their ends, the whole
    would be read in the same way; all other texts are read as a whole.
    """
    width = len(re.sub("%.", "00", clock))
    seconds = _read_distinct("1970-01-01" + texts.str.tail(width), f"%Y-%m-%d{clock}", zone)
    result = _read_distinct(texts.str.head(-width), day, zone)
    result = result.with_columns(second=seconds["second"])
    rows = (texts.is_not_null() & (result["day"].is_null() | result["second"].is_null())).arg_true()
    if rows.is_empty():
        return result
    others = _read_distinct(texts.gather(rows), fmt, zone)
    return result.with_columns(result[part].scatter(rows, others[part]) for part in _PARTS)


def formats_of(texts: pl.Series) -> tuple[str, ...]:
    """The usual formats that read every one of some texts; ISO is not among them.

    Args:
        texts: shape (n,), none of them empty.
    """
    marks = _marks(str(texts[0]))
    alike = [
        f for f in _USUAL if "%z" in f or _marks(f) == marks or f in (*EPOCH_UNITS, SPREADSHEET)
    ]
    read = [f for f in alike if not read_texts(texts, f, "UTC")["day"].has_nulls()]
    # a number of seconds is a day of a spreadsheet to some, and a date in digits to others: the year tells
    return tuple(f for f in read if "%" in f or _is_recent(read_texts(texts, f, "UTC")["day"]))[:2]


def _marks(text: str) -> str:
    return "".join(re.findall("[-./:, T]", re.sub("%.", "", text)))


def _is_recent(days: pl.Series) -> bool:
    """Whether all days lie within 1980 to 2060, where a number that is a date most likely lies."""
    return bool(days.is_between(3652, 33_237).all())


def _padded(texts: pl.Series, fmt: str) -> pl.Series:
    """Whole numbers as text, with the leading zeros that a number lacks and a format of fixed width needs."""
    given = strptime_format(fmt)
    parts = re.findall("%.", given)
    if not parts or "".join(parts) != given or not set(parts) <= set(_WIDTHS):
        return texts
    width = sum(_WIDTHS[part] for part in parts)
    return texts.str.zfill(width)


def local_clock(seconds: pl.Expr, zone: str) -> dict[str, pl.Expr]:
    """Seconds since 1970 in UTC as ``day`` and ``second`` of a zone; null beyond `EARLIEST` and `LATEST`."""
    near = seconds.is_between(EARLIEST * 86_400, (LATEST + 1) * 86_400)
    utc = pl.from_epoch(pl.when(near).then(seconds).cast(pl.Int64), "s")
    here = utc.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return _clock(here.dt.epoch("s"))


def _clock(seconds: pl.Expr) -> dict[str, pl.Expr]:
    day = seconds.floordiv(86_400)
    is_day = day.is_between(EARLIEST, LATEST)
    return {
        "day": pl.when(is_day).then(day).cast(pl.Int32),
        "second": pl.when(is_day).then(seconds - day * 86_400).cast(pl.Int32),
    }


def _count(fmt: str, zone: str) -> dict[str, pl.Expr]:
    x = pl.col("x")
    if fmt == SPREADSHEET:
        days = pl.when(x.str.contains(r"^[0-9]{1,7}([.][0-9]+)?$")).then(x).cast(pl.Float64)
        return _spreadsheet_clock(days)
    # the fraction is cut off before the number is read: a float would lose the nanoseconds
    is_count = x.str.contains(r"^[+-]?[0-9]{1,19}([.][0-9]+)?$")
    digits = pl.when(is_count).then(x.str.extract("^([+-]?[0-9]+)", 1))
    count = digits.str.strip_prefix("+").cast(pl.Int64, strict=False)
    is_rest_lost = x.str.contains("^-") & x.str.contains("[.][0-9]*[1-9]")
    count = count - pl.when(is_rest_lost).then(1).otherwise(0)
    return local_clock(count.floordiv(EPOCH_UNITS[fmt]), zone)


def _spreadsheet_clock(days: pl.Expr) -> dict[str, pl.Expr]:
    """Days of a spreadsheet, as floats, as ``day`` and ``second``; a second is the finest that is kept."""
    is_near = days.is_between(0, LATEST + _BEFORE_1970 + 1)
    seconds = (pl.when(is_near).then(days) * 86_400).round().cast(pl.Int64)
    return _clock(seconds - _BEFORE_1970 * 86_400)


@cache
def _pattern(fmt: str) -> str:
    """A regular expression with a group for each directive, and one for what is left over.

    As in Python, what is left over is looked at after the match: a format must not be read in another way to take it.
    """
    written = ""
    for token in re.findall(r"%.|\s+|.", fmt, re.DOTALL):
        name = token[1:]
        if token.isspace():
            written += rf"[{BLANKS}]+"
        elif token[0] != "%" or token == "%%":
            written += re.escape(token[-1])
        else:
            written += f"(?P<{name}>{_DIGITS.get(name) or '|'.join(_NAMES[name])})"
    return rf"\A(?i:{written})(?P<rest>(?s:.*))\z"


def _parsed(names: list[str], zone: str) -> dict[str, pl.Expr]:
    """Columns with the text of each directive as ``day`` and ``second``."""

    def number(name: str) -> pl.Expr:
        return pl.col(name).str.strip_chars(" ").cast(pl.Int64)

    def last(*alternatives: str) -> str:
        """Of directives for the same thing, the one that stands last: it decides, as in Python."""
        return max((n for n in alternatives if n in names), key=names.index, default="")

    def part(given: str, default: int) -> pl.Expr:
        return number(given) if given else pl.lit(default, pl.Int64)

    year = part(last("Y", "y"), 1900)
    if last("Y", "y") == "y":
        year = year + pl.when(year < 69).then(2000).otherwise(1900)
    month = part(last("m"), 1)
    if (named := last("m", "b", "B")) in ("b", "B"):
        short = pl.col(named).str.to_lowercase().str.slice(0, 3)
        month = short.replace_strict(
            _NAMES["b"], list(range(1, 13)), default=None, return_dtype=pl.Int64
        )
    text = pl.format("{}-{}-{}", year, month, part(last("d"), 1))
    day = text.str.to_date("%Y-%m-%d", strict=False).to_physical().cast(pl.Int64)
    if "j" in names:
        first = pl.format("{}-1-1", year).str.to_date("%Y-%m-%d", strict=False)
        is_leap = first.dt.is_leap_year()
        inside = number("j") <= pl.when(is_leap).then(366).otherwise(365)
        day = pl.when(inside).then(first.to_physical().cast(pl.Int64) + number("j") - 1)
    hour = part(last("H", "I"), 0)
    if last("H", "I") == "I":
        hour = hour % 12
        if "p" in names:
            hour += pl.when(pl.col("p").str.to_lowercase() == "pm").then(12).otherwise(0)
    second = part(last("S"), 0)
    seconds = day * 86_400 + hour * 3600 + part(last("M"), 0) * 60 + second
    seconds = pl.when(second < 60).then(seconds)
    if "z" not in names:
        return _clock(seconds)
    offset = pl.col("z").str.replace(":", "", literal=True)
    hours = offset.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = offset.str.slice(3, 2).cast(pl.Int64, strict=False)
    east = (hours * 3600 + minutes * 60) * pl.when(offset.str.starts_with("-")).then(-1).otherwise(
        1
    )
    east = pl.when(offset.str.to_uppercase() == "Z").then(0).when(hours < 24).then(east)
    return local_clock(seconds - east, zone)


def read_iso(texts: pl.Series, zone: str) -> pl.Series:
    """ISO texts as local times without a zone; null where one cannot be read.

    A text is cut into day, hour with minute, second, and offset. Each of them has few distinct texts, which are read
    once. What cannot be read so, such as days and hours of one digit, is read as a whole. Both follow `polars_time`.

    Args:
        texts: shape (n,). Blanks around them do not count.
        zone: times with an offset are brought here.
    """
    seconds = (
        _part(texts.str.head(10), "", "^[0-9-]+$")
        + _part(texts.str.slice(10, 6), "1970-01-01", "^([T ][0-9]+:[0-9]+)?$")
        + _part(texts.str.slice(16, 3), "1970-01-01 00:00", "^(:[0-9]+)?$")
    )
    behind = texts.str.slice(19)
    has_more = behind.unique().drop_nulls().str.replace(_FRACTION, "") != ""
    if has_more.any():
        behind = behind.str.replace(_FRACTION, "")
        seconds += _part(behind, "1970-01-01 00:00:00", "^([ Z+-].*|UTC)?$")
    at = pl.from_epoch(seconds, "s").cast(pl.Datetime("us"))
    if has_more.any():
        has_offset = behind != ""
        here = at.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)
        at = here.zip_with(has_offset, at)
    is_open = at.is_null() & texts.is_not_null()
    if is_open.any():
        rows = is_open.arg_true()
        others = texts.gather(rows).str.strip_chars(BLANKS)
        distinct = others.unique()
        read = distinct.to_frame("x").select(polars_time(pl.col("x"), zone)).to_series()
        at = at.scatter(rows, others.replace_strict(distinct, read))
    return at.alias(texts.name)


def _part(texts: pl.Series, before: str, pattern: str) -> pl.Series:
    """Seconds since 1970 of parts of ISO texts, of which each distinct one is read once.

    Args:
        texts: shape (n,).
        before: what makes a part a whole text.
        pattern: what a part must look like; else it is null.
    """
    distinct = texts.unique().drop_nulls()
    whole = pl.when(pl.col("x").str.contains(pattern)).then(pl.lit(before) + pl.col("x"))
    read = distinct.to_frame("x").select(polars_time(whole, "UTC").dt.epoch("s")).to_series()
    return texts.replace_strict(distinct, read, default=None, return_dtype=pl.Int64)


def polars_time(x: pl.Expr, zone: str) -> pl.Expr:
    """ISO text as local time without a zone; null where it cannot be read.

    Args:
        x: text, blanks stripped.
        zone: times with an offset are brought here.
    """
    x = pl.when(x.str.contains(_ISO)).then(x)
    text = pl.concat_str(
        x.str.extract(_DAY, 1),
        pl.coalesce(x.str.extract(_CLOCK, 1), pl.lit("00:00")),
        separator=" ",
    )
    local = pl.coalesce(
        text.str.to_datetime(f, strict=False, time_unit="us")
        for f in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
    )
    offset = x.str.extract(_OFFSET, 1)
    hours = offset.str.slice(1, 2).cast(pl.Int64)
    minutes = (
        pl.when(offset.str.len_chars() > 3)
        .then(offset.str.slice(-2))
        .otherwise(pl.lit("0"))
        .cast(pl.Int64)
    )
    east = (60 * hours + minutes) * pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)
    east = pl.when(x.str.contains(_UTC)).then(0).otherwise(east)
    zoned = (
        (local - pl.duration(minutes=east)).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    )
    return pl.when(east.is_null()).then(local).otherwise(zoned.dt.replace_time_zone(None))


def duck_time_steps(zone: str) -> tuple[tuple[str, Callable[[Mapping[str, str]], str]], ...]:
    """The same in DuckDB's SQL, in steps: a name, and SQL for it from that of ``x`` and of the steps before.

    Each takes up to a dozen times what came before: as one expression they are ten thousand characters, which DuckDB
    reads and plans anew whenever something is asked of them. As columns of projections that follow each other they
    are short.

    Args:
        zone: times with an offset are brought here.
    """
    return (
        ("iso", lambda v: f"case when regexp_matches({v['x']}, '{_ISO}') then {v['x']} end"),
        (
            "local",
            lambda v: (
                f"try_strptime(regexp_extract({v['iso']}, '{_DAY}', 1) || ' ' || "
                f"coalesce(nullif(regexp_extract({v['iso']}, '{_CLOCK}', 1), ''), '00:00'), "
                "['%Y-%m-%d %H:%M:%S', '%Y-%m-%d %H:%M'])"
            ),
        ),
        ("offset", lambda v: f"nullif(regexp_extract({v['iso']}, '{_OFFSET}', 1), '')"),
        (
            "east",
            lambda v: (
                f"case when regexp_matches({v['iso']}, '{_UTC}') then 0 else "
                f"(60 * cast({v['offset']}[2:3] as bigint) + "
                f"case when length({v['offset']}) > 3 then cast({v['offset']}[-2:] as bigint) else 0 end) * "
                f"case when {v['offset']}[1] = '-' then -1 else 1 end end"
            ),
        ),
        (
            "at",
            lambda v: (
                f"case when {v['east']} is null then {v['local']} else "
                f"timezone('{zone}', timezone('UTC', {v['local']} - to_minutes({v['east']}))) end"
            ),
        ),
    )


def spark_time(x: Column, zone: str) -> Column:
    """The same in Spark.

    Args:
        x: text, blanks stripped.
        zone: times with an offset are brought here.
    """
    from pyspark.sql import functions as sf

    x = sf.when(x.rlike(_ISO), x)
    pattern = r"^([0-9]+)-([0-9]+)-([0-9]+)(?:[T ]([0-9]+):([0-9]+)(?::([0-9]+))?)?"

    def part(place: int) -> Column:
        written = sf.nullif(sf.regexp_extract(x, pattern, place), sf.lit(""))
        return written.try_cast("int")

    nothing = sf.lit(0)
    clock = [sf.coalesce(part(place), nothing) for place in (4, 5, 6)]
    local = sf.try_make_timestamp_ntz(part(1), part(2), part(3), *clock)
    offset = sf.nullif(sf.regexp_extract(x, _OFFSET, 1), sf.lit(""))
    digits = sf.regexp_replace(offset, ":", "")
    minutes = sf.coalesce(sf.substring(digits, 4, 2).try_cast("int"), nothing)
    east = (60 * sf.substring(digits, 2, 2).try_cast("int") + minutes) * sf.when(
        digits.startswith("-"), -1
    ).otherwise(1)
    east = sf.when(x.rlike(_UTC), nothing).otherwise(east)
    utc = local - sf.make_dt_interval(nothing, nothing, east)
    return sf.when(east.isNull(), local).otherwise(
        sf.convert_timezone(sf.lit("UTC"), sf.lit(zone), utc)
    )
