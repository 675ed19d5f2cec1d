"""Times written as text: one grammar for all engines, so that engines do not differ in what they accept.

Without a format: ISO dates, with or without a time of day, a fraction and an offset (``Z``, ``UTC``, ``+02``,
``+02:00``, ``+0200``). With one: the directives in `DIRECTIVES`, as in Python's ``strptime``.
"""

from __future__ import annotations

import re
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
_DAY = r"^([0-9]+-[0-9]+-[0-9]+)"
_CLOCK = r"[T ]([0-9]+:[0-9]+(:[0-9]+)?)"
_OFFSET = r":[0-9.,]+ ?([+-][0-9:]+)$"
_UTC = r"(Z|UTC)$"
_FRACTION = r"(:[0-9]{2})[.][0-9]+"  # days and seconds are all that is kept
# fmt: off
_MONTHS = [
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
]
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
# fmt: on


def unknown_directives(fmt: str) -> list[str]:
    """What in a format is not in `DIRECTIVES`; ``%.f`` is taken for ``.%f``."""
    return [d for d in re.findall(r"%.?", fmt.replace("%.f", ".%f")) if d not in DIRECTIVES.split()]


def _dated(fmt: str) -> bool:
    """Whether a format has a year; without one, an engine would make one up."""
    return not {"%Y", "%y"}.isdisjoint(re.findall("%.", fmt))


def _without_fraction(fmt: str) -> tuple[str, bool]:
    fmt = fmt.replace("%.f", ".%f")
    return fmt.replace(":%S.%f", ":%S"), ":%S.%f" in fmt


def polars_time(x: pl.Expr, fmt: str | None, zone: str) -> pl.Expr:
    """Text as local time without a zone; null where it cannot be read.

    Args:
        x: text, blanks stripped.
        fmt: how it is written; ISO when not given.
        zone: times with an offset are brought here.
    """
    if fmt is None:
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
            (local - pl.duration(minutes=east))
            .dt.replace_time_zone("UTC")
            .dt.convert_time_zone(zone)
        )
        return pl.when(east.is_null()).then(local).otherwise(zoned.dt.replace_time_zone(None))
    if not _dated(fmt):
        return pl.lit(None, pl.Datetime("us"))
    fmt, fraction = _without_fraction(fmt)
    x = x.str.replace(_FRACTION, "${1}") if fraction else x
    if "%z" in fmt:
        zoned = x.str.to_datetime(
            fmt, strict=False, time_unit="us", time_zone="UTC"
        ).dt.convert_time_zone(zone)
        return zoned.dt.replace_time_zone(None)
    if re.search("%[HIMSpf]", fmt):
        return x.str.to_datetime(fmt.replace(".%f", "%.f"), strict=False, time_unit="us")
    return x.str.to_date(fmt, strict=False).cast(pl.Datetime("us"))


def duck_time(x: str, fmt: str | None, zone: str) -> str:
    """The same in DuckDB's SQL.

    Args:
        x: SQL for the text, blanks stripped.
        fmt: how it is written; ISO when not given.
        zone: times with an offset are brought here.
    """
    if fmt is None:
        iso = f"(case when regexp_matches({x}, '{_ISO}') then {x} end)"
        clock = f"coalesce(nullif(regexp_extract({iso}, '{_CLOCK}', 1), ''), '00:00')"
        text = f"regexp_extract({iso}, '{_DAY}', 1) || ' ' || {clock}"
        local = f"try_strptime({text}, ['%Y-%m-%d %H:%M:%S', '%Y-%m-%d %H:%M'])"
        offset = f"nullif(regexp_extract({iso}, '{_OFFSET}', 1), '')"
        minutes = f"case when length({offset}) > 3 then cast({offset}[-2:] as bigint) else 0 end"
        east = f"(60 * cast({offset}[2:3] as bigint) + {minutes}) * case when {offset}[1] = '-' then -1 else 1 end"
        east = f"(case when regexp_matches({iso}, '{_UTC}') then 0 else {east} end)"
        zoned = f"timezone('{zone}', timezone('UTC', {local} - to_minutes({east})))"
        return f"(case when {east} is null then {local} else {zoned} end)"
    if not _dated(fmt):
        return "cast(null as timestamp)"
    fmt, fraction = _without_fraction(fmt)
    x = f"(case when regexp_matches({x}, '[0-9]') then {x} end)"  # infinity and epoch are times in any format
    if fraction:
        x = f"regexp_replace({x}, '{_FRACTION}', '\\1')"
    parsed = f"try_strptime({x}, '{fmt.replace(chr(39), chr(39) * 2)}')"
    return f"timezone('{zone}', {parsed})" if "%z" in fmt else parsed


def spark_time(x: Column, fmt: str | None, zone: str) -> Column:
    """The same in Spark, whose formats lack weekdays and are lenient in other places.

    Args:
        x: text, blanks stripped.
        fmt: how it is written; ISO when not given.
        zone: times with an offset are brought here.
    """
    from pyspark.sql import functions as sf

    if fmt is None:
        x = sf.when(x.rlike(_ISO), x)
        pattern, parts = (
            r"^([0-9]+)-([0-9]+)-([0-9]+)(?:[T ]([0-9]+):([0-9]+)(?::([0-9]+))?)?",
            "YmdHMS",
        )
    else:
        fmt, fraction = _without_fraction(fmt)
        x = sf.regexp_replace(x, _FRACTION, "$1") if fraction else x
        pattern, parts = _pattern(fmt)

    def part(directive: str) -> Column:
        result = (
            sf.regexp_extract(x, pattern, parts.index(directive) + 1)
            if directive in parts
            else sf.lit(None)
        )
        return sf.nullif(result.cast("string"), sf.lit(""))

    def number(directive: str) -> Column:
        return part(directive).try_cast("int")

    def among(directive: str, names: list[str]) -> Column:
        place = sf.array_position(
            sf.array(*(sf.lit(n[:3]) for n in names)), sf.lower(sf.substring(part(directive), 1, 3))
        )
        return sf.nullif(place.cast("int"), sf.lit(0))

    short, nothing = number("y"), sf.lit(0)
    year = sf.coalesce(number("Y"), short + sf.when(short < 70, 2000).otherwise(1900))
    month = number("m") if "m" in parts else among("b", _MONTHS) if "b" in parts else sf.lit(1)
    day = number("d") if "d" in parts else sf.lit(1)
    hour = sf.coalesce(number("H"), number("I"), nothing)
    if "p" in parts:
        hour = sf.when(number("I").between(1, 12), number("I") % 12) + sf.when(
            sf.lower(part("p")) == "pm", 12
        ).otherwise(0)
    minute, second = sf.coalesce(number("M"), nothing), sf.coalesce(number("S"), nothing)
    local = sf.try_make_timestamp_ntz(year, month, day, hour, minute, second)
    if "j" in parts:
        later = local + sf.make_dt_interval(number("j") - 1)
        local = sf.when(sf.year(later) == year, later)
    if "a" in parts:
        local = sf.when(sf.weekday(local) + 1 == among("a", _WEEKDAYS), local)
    if fmt is not None and "z" not in parts:
        return local
    offset = sf.nullif(sf.regexp_extract(x, _OFFSET, 1), sf.lit("")) if fmt is None else part("z")
    digits = sf.regexp_replace(offset, ":", "")
    minutes = sf.coalesce(sf.substring(digits, 4, 2).try_cast("int"), nothing)
    east = (60 * sf.substring(digits, 2, 2).try_cast("int") + minutes) * sf.when(
        digits.startswith("-"), -1
    ).otherwise(1)
    east = sf.when(x.rlike(_UTC), nothing).otherwise(east) if fmt is None else east
    utc = local - sf.make_dt_interval(nothing, nothing, east)
    return sf.when(east.isNull(), local).otherwise(
        sf.convert_timezone(sf.lit("UTC"), sf.lit(zone), utc)
    )


def _pattern(fmt: str) -> tuple[str, str]:
    """A regular expression for a format, and the directive of each of its groups; names may be cut to three letters."""
    short = {"b": [m[:3] for m in _MONTHS], "a": [d[:3] for d in _WEEKDAYS]}
    names = {**short, "B": _MONTHS + short["b"], "A": _WEEKDAYS + short["a"]}
    digits = {"Y": "[0-9]{4}", "j": "[0-9]{1,3}+", "p": "am|pm", "z": "[+-][0-9]{2}:?[0-9]{2}"}
    written, parts = "", ""
    for token in re.findall(r"%.|\s+|.", fmt):
        directive = token[1:]
        if token.isspace():
            written += r"\s+"
        elif token == "%f":
            written += "[0-9]{1,9}"
        elif token[0] != "%" or token == "%%":
            written += re.escape(token[-1])
        else:
            parts += directive.lower() if directive in "BA" else directive
            written += (
                f"((?i:{digits.get(directive) or '|'.join(names.get(directive, ['[0-9]{1,2}+']))}))"
            )
    return rf"^{written}\z", parts
