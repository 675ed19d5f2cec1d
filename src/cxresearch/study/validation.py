"""What no single key of a study file shows: ranges, and keys that need or exclude each other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from cxresearch.errors import StudyError, nearest
from cxresearch.study.timestamps import (
    DIRECTIVES,
    EARLIEST,
    LATEST,
    NAMED,
    directives,
    unknown_directives,
)
from cxresearch.study.words import FALSE, TRUE, fold

if TYPE_CHECKING:
    from cxresearch.study.settings import (
        Customers,
        Format,
        Interactions,
        Retention,
        Source,
        Study,
        Table,
    )

CENTURY = 36_525
_LARGEST_VALUE, _LONGEST_CURRENCY = 10**9, 8  # of one customer on one day; letters
LOSSY = "utf8-lossy"  # UTF-8 whose wrong bytes become a mark
ENCODINGS = ("utf-8", "utf-16", "cp1252", "latin-1", "cp1250", "cp1251", "gbk", "shift_jis", LOSSY)
_NO_TEXT = ("idna", "punycode", "raw_unicode_escape", "unicode_escape", "undefined")
_VARIABLE = r"\$\{\w+\}"
_SERVERS = ("postgresql://", "postgres://")
_BOTH = '; both together are for a server: source = "postgresql://…"'
DATED_EVENT_COLUMNS = (
    "problem_at",
    "resolved_at",
    "goodwill_at",
    "informed_at",
    "complained_at",
    "posted_at",
)
_OF_CUSTOMERS = ("segment", "cluster", "covariates", "marketing")
# names of columns that the pipeline adds
RESERVED = {
    *(
        "customer",
        "id",
        "start",
        "end",
        "cause",
        "contract",
        "cluster",
        "segment",
        "observed_from",
        "observed_until",
    ),
    *(
        "reason",
        "entry",
        "exit",
        "event",
        "left_truncated",
        "group",
        "joined",
        "stop",
        "day",
        "second",
        "grade",
        "time",
    ),
}


def check(study: Study) -> None:
    """Check settings that depend on each other.

    Raises:
        StudyError: the first thing that is wrong.
    """
    for part in (_ranges, _log, _retention, _sources, _tables):
        for holds, message, field in part(study):
            if not holds:
                raise StudyError(message, field=field)


@cache
def _time_zones() -> frozenset[str]:
    """All names of time zones: reading them takes longer than all other checks, hundreds of files are looked at."""
    return frozenset(available_timezones())


Checks = Iterator[tuple[bool, str, str]]


def _within(value: int, low: int, high: int, field: str) -> tuple[bool, str, str]:
    return low <= value <= high, f"{field} must be between {low} and {high}, was {value}", field


def _ranges(study: Study) -> Checks:
    info, decision = study.info, study.decision
    yield _within(info.horizon_days, 1, CENTURY, "study.horizon_days")
    yield _within(info.min_cell, 1, 10**6, "study.min_cell")
    yield _within(study.moments.blackout_days, 0, CENTURY, "moments.blackout_days")
    for days in study.moments.lead_days:
        yield _within(days, 1, 365, "moments.lead_days")
    yield (
        list(study.moments.lead_days) == sorted(set(study.moments.lead_days)),
        f"moments.lead_days must rise, such as [14, 30, 60], was {list(study.moments.lead_days)}",
        "moments.lead_days",
    )
    yield _within(study.moments.lookback_days, 30, CENTURY, "moments.lookback_days")
    worth, currency = study.moments.value_per_customer_day, study.moments.currency
    yield (
        worth is None or (0 < worth < _LARGEST_VALUE),
        f"moments.value_per_customer_day must be more than 0 and less than {_LARGEST_VALUE:,}, was {worth}",
        "moments.value_per_customer_day",
    )
    yield (
        worth is None or bool(currency and currency.strip()),
        'moments.value_per_customer_day needs moments.currency, such as currency = "EUR"',
        "moments.currency",
    )
    yield (
        currency is None or (currency.isprintable() and 0 < len(currency) <= _LONGEST_CURRENCY),
        f"moments.currency must be 1 to {_LONGEST_CURRENCY} letters, such as EUR, was {currency!r}",
        "moments.currency",
    )
    yield (
        0.5 < decision.level < 1,
        f"decision.level must lie between 0.5 and 1, was {decision.level}",
        "decision.level",
    )
    yield (
        (decision.looks, decision.multiplicity) != ("anytime", "benjamini-hochberg"),
        "decision.multiplicity benjamini-hochberg holds at a single look only: with decision.looks anytime, take holm",
        "decision.multiplicity",
    )


def _log(study: Study) -> Checks:
    log, moments = study.interactions, study.moments
    zones = _time_zones()
    yield (
        log.time_zone in zones,
        f"interactions.time_zone {log.time_zone!r} is no known time zone"
        f"{nearest(log.time_zone, zones) or '; write it as Europe/London or UTC'}",
        "interactions.time_zone",
    )
    low, high = log.scale or (0.0, 1.0)
    yield (
        low < high and math.isfinite(low) and math.isfinite(high),
        f"interactions.scale must rise, such as [1, 5], was {[low, high]}",
        "interactions.scale",
    )
    low, high = log.expectations_scale or (0.0, 1.0)
    yield (
        low < high and math.isfinite(low) and math.isfinite(high),
        f"interactions.expectations_scale must rise, such as [1, 5], was {[low, high]}",
        "interactions.expectations_scale",
    )
    for name in log.known_at_contact:
        yield (
            name in DATED_EVENT_COLUMNS,
            f"interactions.known_at_contact: {name!r} is no time of a dated event"
            f"{nearest(name, DATED_EVENT_COLUMNS) or '; there are: ' + ', '.join(DATED_EVENT_COLUMNS)}",
            "interactions.known_at_contact",
        )
    yield from _readable(log.at_format, "interactions.at_format")
    yield from _words(study)
    for name in ("log_from", "log_until"):
        yield _day(
            getattr(log, name),
            f"interactions.{name}",
            "a date such as 2024-12-31 or an integer day",
        )
    first, last = log.log_from, log.log_until
    if first is not None and last is not None:
        same_kind = isinstance(first, int) == isinstance(last, int)
        yield (
            same_kind,
            "interactions.log_from and log_until must both be dates or both integer days",
            "interactions.log_until",
        )
        yield (
            same_kind and first < last,  # type: ignore[operator]
            f"interactions.log_from must lie before log_until, were {first} and {last}",
            "interactions.log_until",
        )
    for name in ("bad", "good"):
        rule = fold(getattr(moments, name) or "")
        other = "good" if name == "bad" else "bad"
        yield (
            rule != "otherwise",
            f'moments.{name}: only neutral can be "otherwise"; where all that is not {other} is {name}, write '
            f'{name} = "not (…)" with the condition of {other} within the brackets',
            f"moments.{name}",
        )
        yield (
            rule != "false" or moments.neutral == "otherwise",
            f'moments.{name} = "false" speaks of no contact, so that others are {name} by their grade, level or score; '
            f'to grade none as {name}, write neutral = "otherwise" as well, and then only rules decide',
            f"moments.{name}",
        )
    yield (
        moments.neutral in (None, "otherwise") or bool(moments.bad or moments.good),
        "moments.neutral needs moments.bad or moments.good as well",
        "moments.neutral",
    )


def _words(study: Study) -> Checks:
    """No word means two things at once."""
    log = study.interactions
    meanings = {
        "interactions.true_values": (log.true_values, TRUE),
        "interactions.false_values": (log.false_values, FALSE),
        "interactions.null_values": (log.null_values, ()),
    }
    for field, (words, _) in meanings.items():
        for word in words:
            others = [
                other
                for other, (given, usual) in meanings.items()
                if other != field and fold(word) in {*map(fold, given), *usual}
            ]
            yield (
                not others,
                f"{field} names {word!r}, which {''.join(others[:1])} has as well: a word means one thing",
                field,
            )


def _retention(study: Study) -> Checks:
    kept = study.retention
    yield from _readable(kept.date_format, "retention.date_format")
    for name in ("observed_from", "observed_until"):
        given = getattr(kept, name)
        if not isinstance(given, str):
            yield _day(
                given, f"retention.{name}", "a column, a date such as 2024-12-31 or an integer day"
            )
    if kept.kind == "contract":
        for field in ("gap_days", "active", "new_from"):
            yield (
                getattr(kept, field) is None,
                f'retention.{field} belongs to kind = "activity"',
                f"retention.{field}",
            )
        yield (
            not kept.defection or kept.cause is not None,
            'retention.defection lists causes: name the column that holds them, as in cause = "reason"',
            "retention.defection",
        )
        yield from _described(kept, "retention")
        yield (
            study.customers == type(study.customers)(),
            '[customers] belongs to kind = "activity": with contracts, [retention] names the segment, the cluster and '
            "the covariates of customers",
            "customers",
        )
        return
    yield from _described(study.customers, "customers")
    yield (
        study.has_customer_table or study.customers == type(study.customers)(),
        "[customers] names no table: give a file (source = …) or a query (query = …) over [tables]",
        "customers.source",
    )
    yield (
        kept.gap_days is not None and 1 <= kept.gap_days <= CENTURY,
        'retention.kind = "activity" needs gap_days, the days without a contact after which a customer has lapsed: '
        f"a number from 1 to {CENTURY}, was {kept.gap_days}",
        "retention.gap_days",
    )
    yield _day(kept.new_from, "retention.new_from", "a date such as 2024-01-01 or an integer day")
    yield (
        kept.active is None or bool(kept.active.strip()),
        "retention.active is empty: leave it out where every contact keeps a customer active",
        "retention.active",
    )
    yield (
        kept.active is None or not study.has_active_table,
        "retention.active is a condition over the columns of the log, and [retention] names a table of its own, all "
        "rows of which keep customers active: give one of them (a query may choose the rows)",
        "retention.active",
    )
    declared = (
        "cause",
        "contract",
        "segment",
        "cluster",
        "covariates",
        "marketing",
        "defection",
    )
    for name in (*declared, "observed_from"):
        instead = f"; name it under [customers], {name}" if name in _OF_CUSTOMERS else ""
        yield (
            not getattr(kept, name),
            f'retention.{name} belongs to kind = "contract"{instead}',
            f"retention.{name}",
        )
    yield (
        not isinstance(kept.observed_until, str),
        'retention.observed_until can be a column with kind = "contract" only; give a date or an integer day',
        "retention.observed_until",
    )


def _described(section: Retention | Customers, where: str) -> Checks:
    """Covariates have names that nothing else has."""
    for field in ("covariates", "marketing"):
        names: tuple[str, ...] = getattr(section, field)
        for name in names:
            yield (
                name not in RESERVED and not name.startswith("cx_"),
                f"{where}.{field}: {name!r} is a name that is used otherwise"
                f"{'; say segment = ' + repr(name) + ' instead' if name == 'segment' else '; rename that column'}",
                f"{where}.{field}",
            )
        twice = [c for c in names if names.count(c) > 1]
        yield (
            not twice,
            f"{where}.{field} names {''.join(map(repr, twice[:1]))} twice",
            f"{where}.{field}",
        )


def _sources(study: Study) -> Checks:
    names = ["interactions"]
    has_table = study.retention.kind == "contract" or study.has_active_table
    names += ["retention"] if has_table else []
    names += ["customers"] if study.has_customer_table else []
    for name in names:
        section = getattr(study, name)
        sources = [section.source is not None, section.query is not None, name in study.frames]
        served = _served(section)
        yield (
            sum(sources) - served == 1,
            f"[{name}] needs one source: a file (source = …) or a query (query = …) over [tables]; "
            f"{sum(sources)} given{_BOTH * (sources[:2] == [True, True])}",
            f"{name}.source",
        )
        yield _has_source(section.source, f"{name}.source")
        yield from _server(section, f"{name}.source")
        yield from _written(section, name)


def _tables(study: Study) -> Checks:
    taken = ("interactions", "retention", *(("customers",) if study.has_customer_table else ()))
    names = [*study.tables, *(f for f in study.frames if f not in taken)]
    for name in names:
        same = [n for n in names if n.lower() == name.lower()]
        yield (
            len(same) == 1,
            f"tables.{name} is given twice (large and small letters are one): {', '.join(same)}",
            f"tables.{name}",
        )
        yield (
            re.fullmatch(r"[A-Za-z_]\w*", name) is not None,
            f"tables.{name}: a table is named by letters, digits and _, as a query writes it",
            f"tables.{name}",
        )
    for name, table in study.tables.items():
        both = table.source is not None and table.query is not None
        yield (
            (table.source is None) != (table.query is None) or _served(table),
            f"tables.{name} needs either a file name or a query{_BOTH * both}",
            f"tables.{name}",
        )
        yield _has_source(table.source, f"tables.{name}")
        yield from _server(table, f"tables.{name}.source")
        yield from _written(table, f"tables.{name}")


def _served(section: Interactions | Retention | Customers | Table) -> bool:
    """Whether a section puts a query to a server."""
    source = section.source or ""
    is_address = source.startswith(_SERVERS) or re.fullmatch(_VARIABLE, source) is not None
    return is_address and section.query is not None


def _server(section: Interactions | Retention | Customers | Table, field: str) -> Checks:
    source = section.source or ""
    if not source.startswith(_SERVERS):
        return
    login = source.partition("://")[2].rpartition("@")[0]
    passwords = [login.partition(":")[2], *re.findall(r"[?&]\w*password=([^&]*)", source)]
    yield (
        all(re.fullmatch(f"({_VARIABLE})?", password) for password in passwords),
        f"{field} shows a password: write ${{NAME}} in its place, and set the environment variable NAME "
        "(an @ elsewhere is written %40)",
        field,
    )
    yield (
        section.query is not None,
        f'{field}: {source!r} is a server: say what to read, query = "select …"',
        field,
    )


def _has_source(source: str | None, field: str) -> tuple[bool, str, str]:
    return (
        source is None or bool(source.strip()),
        f"{field} is empty: name a file or a folder",
        field,
    )


def _written(section: Source, field: str) -> Checks:
    """How the files of a source are written."""
    yield from _format(section.format, f"{field}.format")
    columns, widths = section.columns, section.widths
    yield (
        columns is None or (bool(columns) and all(c.strip() for c in columns)),
        f"{field}.columns must name each column of a file without a line of names",
        f"{field}.columns",
    )
    twice = [c for c in columns or () if (columns or ()).count(c) > 1]
    yield (
        not twice,
        f"{field}.columns names {''.join(map(repr, twice[:1]))} twice",
        f"{field}.columns",
    )
    yield (
        widths is None or (columns is not None and len(widths) == len(columns)),
        f"{field}.widths needs columns as well, a name for each width: {len(widths or ())} widths and "
        f"{len(columns or ())} names given",
        f"{field}.widths",
    )
    yield (
        all(w >= 1 for w in widths or ()),
        f"{field}.widths must be 1 or more letters each, were {list(widths or ())}",
        f"{field}.widths",
    )
    encoding = section.encoding
    yield (
        encoding is None or is_encoding(encoding),
        f"{field}.encoding {encoding!r} is not known{nearest(encoding or '', ENCODINGS)}; common are: "
        f"{', '.join(ENCODINGS)}",
        f"{field}.encoding",
    )
    written = [
        k for k in ("sheet", "columns", "widths", "encoding") if getattr(section, k) is not None
    ]
    yield (
        not (written and (section.query is not None or section.source is None)),
        f"{field}.{''.join(written[:1])} is about a file: name it as source",
        f"{field}.{''.join(written[:1])}",
    )


def _format(fmt: Format, field: str) -> Checks:
    separator = fmt.separator
    yield (
        separator is None or len(separator.encode()) == 1,
        f'{field}.separator must be one character such as ";" or "\\t", was {separator!r}',
        f"{field}.separator",
    )
    yield (
        len(fmt.quote.encode()) <= 1 and fmt.quote != (separator or ","),
        f"{field}.quote must be one character other than the separator, or empty, was {fmt.quote!r}",
        f"{field}.quote",
    )
    yield _within(fmt.skip_rows, 0, 10**6, f"{field}.skip_rows")
    yield (
        not (fmt.decimal_comma and separator == ","),
        f'{field}.decimal_comma needs another separator than a comma, such as separator = ";"',
        f"{field}.separator",
    )
    yield (
        fmt.thousands is None or (len(fmt.thousands) == 1 and not fmt.thousands.isalnum()),
        f"{field}.thousands must be one character such as a point, a comma or a blank, was {fmt.thousands!r}",
        f"{field}.thousands",
    )
    decimal = "," if fmt.decimal_comma else "."
    yield (
        fmt.thousands != decimal,
        f"{field}.thousands is {decimal!r}, which also marks decimals: "
        f"{'decimal_comma must be false then' if fmt.decimal_comma else 'say decimal_comma = true as well'}",
        f"{field}.thousands",
    )


def is_encoding(name: str) -> bool:
    """Whether Python knows a text encoding of that name."""
    if name == LOSSY:
        return True
    try:
        "a".encode(name)  # some codecs are not about text
    except (LookupError, ValueError, TypeError):
        return False
    return name not in _NO_TEXT


def _readable(fmt: str | None, field: str) -> Checks:
    """How times are written: directives, or one of the names of formats."""
    if fmt is None or fmt in NAMED:
        return
    named = f"or one of {', '.join(NAMED)}"
    wrong, parts = unknown_directives(fmt), directives(fmt)
    near = nearest(fmt, NAMED) if "%" not in fmt else ""
    yield (
        bool(parts or "%" in fmt),
        f"{field}: {fmt!r} holds no directive{near}; there are: {DIRECTIVES}, {named}",
        field,
    )
    yield (
        not wrong,
        f"{field}: {''.join(map(repr, wrong[:1]))} in {fmt!r} is not known; there are: {DIRECTIVES}, {named}",
        field,
    )
    twice = [d for d in parts if parts.count(d) > 1]
    yield not twice, f"{field}: {''.join(twice[:1])} stands twice in {fmt!r}", field


def _day(given: Any, field: str, allowed: str) -> tuple[bool, str, str]:
    if given is None:
        return True, "", field
    fits = isinstance(given, date | int) and not isinstance(given, bool)
    if fits:
        number = (
            given if isinstance(given, int) else given.toordinal() - date(1970, 1, 1).toordinal()
        )
        fits = EARLIEST <= number <= LATEST
        allowed += (
            f" (from {EARLIEST} to {LATEST})" if isinstance(given, int) else " (years 1000 to 9999)"
        )
    return fits, f"{field} must be {allowed}, was {given}", field
