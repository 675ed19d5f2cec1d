"""Dated events that a contact reports: a problem and its resolution, a gesture, a complaint, a public post.

Nothing that a contact reports is known before the contact: an event dated earlier takes effect at the contact. A flag
without a date would look ahead, since it was set when all was over; it is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import Engine, Frame, framed
from cxresearch.errors import DataError
from cxresearch.records.contact_attributes import flag
from cxresearch.study import Study
from cxresearch.study.timestamps import BLANKS, counts_days
from cxresearch.study.validation import DATED_EVENT_COLUMNS
from cxresearch.study.words import NO_DAYS, missing_words

KINDS = ("problem", "resolved", "goodwill", "complaint", "post")
DATES = DATED_EVENT_COLUMNS
COLUMNS = ("customer", "day", "second", "kind", "begun", "took", "grade", "informed")
_OF = {
    "problem": "problem_at",
    "resolved": "resolved_at",
    "goodwill": "goodwill_at",
    "complaint": "complained_at",
}
_OF["post"] = "posted_at"
_DAY = 86_400


def check(study: Study, schema: Mapping[str, nw.dtypes.DType], columns: Mapping[str, str]) -> None:
    """Whether the columns hold times.

    Raises:
        DataError: a bare flag that is not declared as known at the contact, or times of another kind than the log's.
    """
    fmt = study.interactions.at_format
    are_days = counts_days(schema[columns["at"]].is_integer(), fmt)
    for name in (n for n in DATES if n in columns):
        kind, column = schema[columns[name]], columns[name]
        if kind == nw.Boolean:
            if name not in study.interactions.known_at_contact:
                raise DataError(
                    f"interactions.{name}: the column {column!r} holds true or false, and does not say when. A flag "
                    "filled in later looks ahead: name a column of times, or, if it was known at the contact itself, "
                    f'say known_at_contact = ["{name}"]'
                )
            continue
        dated = kind in (nw.String, nw.Date, nw.Datetime, nw.Categorical, nw.Enum)
        dated = dated or (fmt is not None and kind.is_numeric())
        if not (kind.is_integer() if are_days else dated):
            wanted = "integer days" if are_days else "times"
            raise DataError(
                f"interactions.{name}: the column {column!r} must hold {wanted}, as at does, holds {kind}"
            )


def available(columns: Collection[str]) -> frozenset[str]:
    """The times that a log has; a problem without a time of its own is one from the contact on."""
    dates = {name for name in DATES if name in columns}
    return frozenset(dates | {"problem_at"} if "is_problem" in columns else dates)


def dated(
    frame: Frame,
    engine: Engine,
    study: Study,
    schema: Mapping[str, nw.dtypes.DType],
    columns: Mapping[str, str],
) -> tuple[Frame, dict[str, nw.Expr], dict[str, nw.Expr]]:
    """The frame with what is needed to know when things happened, and by name the second since 1970 of each.

    Args:
        frame: the log, with ``cx_day`` and ``cx_second`` of the contact.
        engine: where it lives.
        study: its formats.
        schema: the log's columns.
        columns: canonical name to column.

    Returns:
        The frame, the seconds, and by name what is written where a time cannot be read, as text.
    """
    settings, made, unread = study.interactions, dict[str, nw.Expr](), dict[str, nw.Expr]()
    nothing = ["", *missing_words(settings.null_values)]
    at = _seconds("cx")
    for name in (n for n in DATES if n in columns):
        if schema[columns[name]] == nw.Boolean:
            made[name] = nw.when(nw.col(columns[name])).then(at)
            continue
        prefix = f"cx_{name}"
        frame = engine.instant(
            frame, columns[name], fmt=settings.at_format, zone=settings.time_zone, name=prefix
        )
        kind, day = schema[columns[name]], nw.col(f"{prefix}_day")
        written = nw.col(columns[name])
        is_written = ~written.is_null()
        if kind in (nw.String, nw.Categorical, nw.Enum):
            folded = written.cast(nw.String).str.strip_chars(BLANKS).str.to_lowercase()
            is_written = is_written & ~nw.coalesce(folded.is_in(nothing), nw.lit(True))
        if counts_days(kind.is_integer(), settings.at_format):
            made[name] = _seconds(prefix)
        else:
            made[name] = nw.when(~day.is_in(list(NO_DAYS))).then(_seconds(prefix))
        if kind not in (nw.Date, nw.Datetime):
            unread[name] = nw.when(is_written & day.is_null()).then(written.cast(nw.String))
    if "is_problem" in columns and "problem_at" not in made:
        column = columns["is_problem"]
        made["problem_at"] = nw.when(flag(column, schema[column], settings) == 1).then(at)
    return frame, made, unread


def dated_events_of(log: Frame, dates: tuple[str, ...], engine: Engine) -> Frame:
    """The dated events of the contacts that are kept, one row each.

    Args:
        log: customer, day, second, grade, reason, and the second of each of `dates`.
        dates: names of `dated`.
        engine: where the frames live.

    Returns:
        Rows customer, day, second (when it took effect), kind (position in `KINDS`), begun (second since 1970
        at which the problem itself began; -1 of other kinds), took (seconds from then to its resolution; -1 where there
        is none), grade (of the contact), informed (1 if the customer had been
        informed of the problem before it came).
    """
    if not dates:
        return no_dated_events(engine)
    some = [~nw.col(d).is_null() for d in dates]
    nothing = nw.lit(None).cast(nw.Int64)
    rows = log.filter(nw.col("reason").is_null() & nw.any_horizontal(*some, ignore_nulls=True))
    absent = [nothing.alias(d) for d in DATES if d not in dates]
    present = [d for d in DATES if d in dates]
    rows = engine.keep(rows.select("customer", "day", "second", "grade", *present, *absent))
    solved = nw.max_horizontal("resolved_at", "problem_at")
    both = ~nw.col("resolved_at").is_null() & ~nw.col("problem_at").is_null()
    informed_before = nw.coalesce(nw.col("informed_at") < nw.col("problem_at"), nw.lit(False))
    contact = nw.col("day").cast(nw.Int64) * _DAY + nw.col("second")
    rows = rows.with_columns(
        took=nw.when(both).then(solved - nw.col("problem_at")).otherwise(nw.lit(-1)).cast(nw.Int64),
        informed=nw.when(informed_before).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64),
        resolved_at=nw.when(both).then(solved),  # a resolution without a problem is ignored
    )
    parts = []
    for kind, name in enumerate(KINDS):
        of_kind = rows.filter(~nw.col(_OF[name]).is_null())
        when = nw.max_horizontal(nw.col(_OF[name]), contact)
        second = when % _DAY
        paired = name in ("problem", "resolved")
        parts.append(
            of_kind.select(
                nw.col("customer").cast(nw.Int32),
                ((when - second) // _DAY).cast(nw.Int64).alias("day"),
                second.cast(nw.Int64).alias("second"),
                nw.lit(kind).cast(nw.Int64).alias("kind"),
                (nw.col("problem_at") if paired else nw.lit(-1)).cast(nw.Int64).alias("begun"),
                (nw.col("took") if paired else nw.lit(-1)).cast(nw.Int64).alias("took"),
                nw.col("grade").cast(nw.Int64),
                (nw.col("informed") if name == "problem" else nw.lit(0))
                .cast(nw.Int64)
                .alias("informed"),
            )
        )
    return engine.keep(nw.concat(parts, how="vertical"))


def no_dated_events(engine: Engine) -> Frame:
    """A frame without a dated event."""
    kinds = {**dict.fromkeys(COLUMNS, pl.Int64), "customer": pl.Int32}
    return engine.keep(framed(engine.frame(pl.DataFrame(schema=kinds))))


def _seconds(prefix: str) -> nw.Expr:
    return (nw.col(f"{prefix}_day").cast(nw.Int64) * _DAY + nw.col(f"{prefix}_second")).cast(
        nw.Int64
    )
