"""The days that a log covers, and what one pass over it counts."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Engine, Frame
from cxresearch.errors import DataError
from cxresearch.records.audit_values import Day
from cxresearch.records.contact_attributes import EXPECTATIONS
from cxresearch.records.contracts import Raw, day_number
from cxresearch.records.dense_window import SeenWindow, dense_window
from cxresearch.records.follow_up import Window
from cxresearch.records.survey import Survey, base_columns, most_frequent, surveyed
from cxresearch.records.unreadable import texts_of
from cxresearch.study import Study
from cxresearch.study.words import FALSE, TRUE

_NUMBERS = 'an integer day, or say with at_format or date_format what the numbers are, such as "yyyymmdd" or "excel"'


def window_of_log(
    study: Study, engine: Engine, raw: Raw
) -> tuple[Frame, Window, SeenWindow, Survey]:
    """Go through the log once.

    Args:
        study: whose log it is.
        engine: where it lives.
        raw: the log's table, as `read_log` gives it.

    Returns:
        The canonical table, made ready to be gone through again; the window; where contacts are dense; and what the
        pass has counted.

    Raises:
        DataError: no row can be read, a flag is in words that are not known, or the window spans less than a day.
    """
    log, seen = None, None
    if engine.rereads and raw.plain is not None:
        # ids that stand in the source as they are compared need not be looked at again, row by row
        log, seen = raw.plain, surveyed(engine, raw.plain, has_odd=True)
    if log is None or seen is None or seen.is_odd:
        log = raw.table if engine.rereads else engine.keep(raw.table)
        seen = surveyed(engine, log, has_odd=False)
    _check_words(study, engine, log, seen)
    window, days = _window(study, engine, raw, seen)
    return base_columns(log), window, days, seen


def _check_words(study: Study, engine: Engine, log: Frame, seen: Survey) -> None:
    """A flag in a word that is not known is neither true nor false.

    Raises:
        DataError: there are such words; they are listed.
    """
    for words in seen.unknown:
        if words.column in ("grade", "level", *EXPECTATIONS):
            continue  # a contact without a grade is one whose grade is unknown; the others are left out
        listed = ", ".join(map(repr, most_frequent(engine, log, words.column)))
        column = getattr(study.interactions, words.column) or words.column
        raise DataError(
            f"interactions.{words.column}: the column {column!r} holds in {words.rows:,} rows words that are neither "
            f"true nor false: {listed}; name them under true_values, false_values or null_values in [interactions] "
            f"(known are {', '.join((*TRUE[:6], *FALSE[:5]))})"
        )


def _window(study: Study, engine: Engine, raw: Raw, seen: Survey) -> tuple[Window, SeenWindow]:
    """The log's window: as declared, else the dense part of the contacts of anybody."""
    if not seen.days:
        if seen.rows == 0:
            raise DataError("interactions: the table has no rows")
        raise _nothing_read(study, engine, raw, seen)
    days = dense_window(seen.days)
    settings, kept, dated = study.interactions, study.retention, raw.dated
    check_literals(study, dated, "interactions", ("log_from", "log_until"))
    if kept.kind == "activity":
        check_literals(study, dated, "retention", ("observed_until", "new_from"))
    observed_until = kept.observed_until if not isinstance(kept.observed_until, str) else None
    start, end = day_number(settings.log_from), day_number(settings.log_until)
    if kept.kind == "activity" and end is None:
        end = day_number(observed_until)
    window = Window(days.first if start is None else start, days.last if end is None else end)
    if window.first >= window.last:
        raise DataError(
            "interactions: the log's window must span at least a day, runs from "
            f"{Day(window.first, dated)} to {Day(window.last, dated)}; say log_from and log_until"
        )
    return window, days


def _nothing_read(study: Study, engine: Engine, raw: Raw, seen: Survey) -> DataError:
    """What to say of a log without a row that has a customer and a time; the column at fault is blamed."""
    settings, total = study.interactions, seen.rows
    if not seen.with_customer:
        return DataError(
            f"interactions.customer: none of {total:,} rows has a customer: the column {settings.customer!r} is empty, "
            "or its numbers are not whole; name another"
        )
    if seen.with_day:
        return DataError(
            f"interactions: none of {total:,} rows has both a customer and a time that can be read"
        )
    how = (
        f" as {settings.at_format!r}; look at at_format"
        if settings.at_format
        else "; say how it is written with at_format"
    )
    first = raw.source.select("cx_row", settings.at).filter(~nw.col(settings.at).is_null())
    held = texts_of(engine.collect(first.sort("cx_row").head(50))[settings.at], settings.at)
    return DataError(
        f"interactions.at: none of {total:,} rows has a customer and a time that can be read{how}{held}"
    )


def check_literals(study: Study, dated: bool, section: str, names: tuple[str, ...]) -> None:
    """Check that days in the study file are of the kind of the log: dates, or numbers.

    Args:
        study: the study.
        dated: whether the log holds dates.
        section: of the study file.
        names: its keys that hold days.

    Raises:
        DataError: one is of the other kind.
    """
    for name in names:
        given = getattr(getattr(study, section), name)
        if given is not None and not isinstance(given, str) and isinstance(given, int) == dated:
            raise DataError(
                f"{section}.{name} is {given}, and interactions.at holds {'dates' if dated else 'integer days'}: "
                f"write it as {'a date such as 2024-12-31' if dated else _NUMBERS}"
            )
