"""The interaction log: its columns, what is wrong with a row, and the grade of each contact."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import narwhals.stable.v2 as nw

from cxresearch.engines import Engine, Frame
from cxresearch.errors import DataError, StudyError
from cxresearch.records import contact_attributes, dated_events
from cxresearch.records.contracts import (
    LOG_REASONS,
    Raw,
    blank,
    check_types,
    customer_tests,
    first_reason,
    identity,
    is_no_day,
    missing_day,
    missing_word,
    opened,
    resolve,
)
from cxresearch.records.number_columns import is_empty, is_number, typed_columns, with_numbers
from cxresearch.records.survey import survey_columns
from cxresearch.study import LEVELS_OF_SERVICE, Study
from cxresearch.study import sql as rules
from cxresearch.study.timestamps import BLANKS, counts_days
from cxresearch.study.words import missing_pattern, missing_words

GRADES = ("bad", "neutral", "good", "unknown")
BAD, NEUTRAL, GOOD, UNKNOWN = range(4)  # worse first: within one second the worse grade comes first


def grade(study: Study, schema: Mapping[str, nw.dtypes.DType], names: Mapping[str, str]) -> nw.Expr:
    """The grade of a row, as a position in `GRADES`.

    Args:
        study: its rules and scale.
        schema: the log's columns, canonical names included.
        names: canonical name to the name of the column.

    Raises:
        RuleError: a rule is refused.
        DataError: nothing in the log can be graded.
    """
    settings = study.moments
    scored = "score" in schema and study.interactions.scale is not None
    if not (scored or {"grade", "level"} & set(schema) or settings.bad or settings.good):
        raise DataError(
            "no contact can be graded: under [interactions], name a score column and its scale, or a level or grade "
            'column; or write rules such as bad = "stars <= 2" under [moments]'
        )
    code = _by_score(study, names) if scored else nw.lit(None)
    if "level" in schema:
        code = nw.coalesce(_by_name(names.get("level", "level"), _LEVEL_GRADES), code)
    if "grade" in schema:
        code = nw.coalesce(
            _by_name(names.get("grade", "grade"), {g: i for i, g in enumerate(GRADES)}), code
        )
    if settings.neutral == "otherwise":
        code = nw.lit(NEUTRAL)
    for sql, name, value in (
        (settings.neutral, "neutral", NEUTRAL),
        (settings.good, "good", GOOD),
        (settings.bad, "bad", BAD),
    ):
        if sql is not None and sql != "otherwise":
            held = condition(study, name, schema, names).holds
            code = nw.when(held).then(nw.lit(value)).otherwise(code)
    return nw.coalesce(code, nw.lit(UNKNOWN)).cast(nw.Int32)


def graded_by(study: Study, columns: Mapping[str, str]) -> str:
    """How contacts are graded, in words: the first rule that applies decides.

    Args:
        study: its rules and scale.
        columns: canonical name to column of the log.
    """
    settings, scale = study.moments, study.interactions.scale
    given = [
        n for n in ("bad", "good", "neutral") if getattr(settings, n) not in (None, "otherwise")
    ]
    many = f"the rules {', '.join(given)}, in this order"
    parts = [many if len(given) > 1 else f"the rule {given[0]}"] if given else []
    if settings.neutral == "otherwise":
        return f"{parts[0]}; all others are neutral"
    parts += ["the column grade"] if "grade" in columns else []
    if "level" in columns:
        parts.append("the level (criminal, basic: bad; expected: neutral; higher: good)")
    if "score" in columns and scale is not None:
        low, high = scale
        middle = f"{(low + high) / 2:g}"
        parts.append(
            "the score on 0 to 10 (up to 6: bad; 7 and 8: neutral; from 9 on: good)"
            if (low, high) == (0, 10)
            else f"the score on {low:g} to {high:g} (below {middle}: bad; {middle}: neutral; above: good)"
        )
    return f"{', else '.join(parts)}; all others are unknown"


def condition(
    study: Study, name: str, schema: Mapping[str, nw.dtypes.DType], names: Mapping[str, str]
) -> rules.Rule:
    """One of the rules under [moments], checked; schema and names as in `grade`.

    Raises:
        RuleError: it is refused.
    """
    sql = getattr(study.moments, name)
    return rules.rule(
        sql, f"moments.{name}", schema, names=names, zone=study.interactions.time_zone
    )


def active(
    study: Study, schema: Mapping[str, nw.dtypes.DType], names: Mapping[str, str]
) -> dict[str, nw.Expr]:
    """``active``: 1 where a contact keeps a customer active; no column where every contact does.

    Raises:
        RuleError: the condition is refused.
    """
    sql = study.retention.active
    if sql is None:
        return {}
    zone = study.interactions.time_zone
    held = rules.rule(sql, "retention.active", schema, names=names, zone=zone).holds
    return {"active": nw.when(held).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int32)}


def both(study: Study, schema: Mapping[str, nw.dtypes.DType], names: Mapping[str, str]) -> nw.Expr:
    """Whether the rules call a row bad and good at once; it counts as bad."""
    settings = study.moments
    if settings.bad is None or settings.good is None:
        return nw.lit(False)
    return (
        condition(study, "bad", schema, names).holds & condition(study, "good", schema, names).holds
    )


_LEVEL_GRADES = {
    level: BAD if i < 2 else NEUTRAL if i == 2 else GOOD
    for i, level in enumerate(LEVELS_OF_SERVICE)
}


def _by_name(column: str, codes: Mapping[str, int]) -> nw.Expr:
    text = nw.col(column).cast(nw.String).str.strip_chars(BLANKS).str.to_lowercase()
    code: nw.Expr = nw.lit(None)
    for name, value in codes.items():
        code = nw.when(text == name).then(nw.lit(value)).otherwise(code)
    return code


def _by_score(study: Study, names: Mapping[str, str]) -> nw.Expr:
    """Below the middle of the scale is bad, above it good; on 0 to 10, as net promoter scores are read."""
    low, high = study.interactions.scale or (0.0, 0.0)
    score = nw.col(names.get("score", "score"))
    if (low, high) == (0, 10):
        bad, good = score <= 6, score >= 9
    else:
        middle = (low + high) / 2
        bad, good = score < middle, score > middle
    graded = (
        nw.when(bad)
        .then(nw.lit(BAD))
        .otherwise(nw.when(good).then(nw.lit(GOOD)).otherwise(nw.lit(NEUTRAL)))
    )
    return nw.when(score >= low, score <= high).then(graded)  # neither null nor not-a-number


LABEL = "cx_label_"  # before the names of `cxresearch.records.contact_attributes.labels`
OPTIONAL = ("grade", *contact_attributes.CONTACT_ATTRIBUTES, *dated_events.DATES)
_ODD = rf"^$|^[{BLANKS}]|[{BLANKS}]$|[.]0+$"  # text that `identity` may change


def available_columns(study: Study, engine: Engine) -> frozenset[str]:
    """What histories may read by the columns of the log: contact attributes, times of dated events, ``household``.

    No row is looked at, except where a column that should hold numbers is text, and may be empty.

    Raises:
        SourceError: the log cannot be opened.
        DataError: a column is missing or of the wrong type.
    """
    return _available(study, log_columns(study, engine))


def log_columns(study: Study, engine: Engine) -> dict[str, str]:
    """Canonical name to column of the log, such as ``score`` to ``stars``; errors as `available_columns`."""
    source, schema, _ = opened(study, engine, "interactions", numbered=False)
    return _log_columns(study, typed_columns(study, engine, source, schema)[0])


def possible_grades(study: Study, engine: Engine) -> frozenset[str]:
    """The grades that contacts can have, going by the rules and the columns of the log; no row is looked at.

    Raises: as `available_columns`.
    """
    columns = log_columns(study, engine)
    rules_given = study.moments
    by_column = {"grade", "level"} & set(columns) or (
        "score" in columns and study.interactions.scale is not None
    )
    if by_column and rules_given.neutral != "otherwise":
        return frozenset(("bad", "neutral", "good", "unknown"))
    return frozenset(
        g for g in ("bad", "neutral", "good") if getattr(rules_given, g) is not None
    ) | {"unknown"}


def _available(study: Study, columns: Mapping[str, str]) -> frozenset[str]:
    household = {"household"} if study.described_by.cluster else set()
    return (
        contact_attributes.available(study, columns) | dated_events.available(columns) | household
    )


def _log_columns(study: Study, schema: Mapping[str, nw.dtypes.DType]) -> dict[str, str]:
    """Canonical name to column of the log."""
    settings = study.interactions
    declared = {c: getattr(settings, c) for c in OPTIONAL if getattr(settings, c)}
    columns = resolve(
        study,
        "interactions",
        schema,
        {"customer": settings.customer, "at": settings.at, **declared},
        OPTIONAL,
    )
    check_types(
        schema,
        columns,
        "interactions",
        score=settings.score is not None or settings.scale is not None,
        fmt=settings.at_format,
    )
    dated_events.check(study, schema, columns)
    return contact_attributes.fitting(schema, columns, declared)


def read_log(study: Study, engine: Engine, required_columns: Collection[str] | None = None) -> Raw:
    """Read the interaction log.

    Columns: cx_row, id (text), day, second, grade, both, reason, the contact attributes, times of dated events, and of
    contracts what contacts are called.

    Args:
        study: whose log.
        engine: where it is read.
        required_columns: the contact attributes that are wanted, as far as the log has them; all when not given.

    Raises:
        DataError: a column is missing or of the wrong type, or no time can be read.
        RuleError: a rule is refused.
    """
    settings = study.interactions
    nothing = missing_words(settings.null_values)
    source, stored, ordered = opened(study, engine, "interactions")
    schema, numbers = typed_columns(study, engine, source, stored)
    columns = _log_columns(study, schema)
    if settings.scale is not None and "score" not in columns:
        raise DataError(
            'interactions.scale is given and there is no score: name its column, as in score = "stars"; the log has: '
            + ", ".join(schema)
        )
    used = _used_columns(study, schema, columns)
    are_days = counts_days(schema[columns["at"]].is_integer(), settings.at_format)
    frame = engine.repeats(source, list(schema), [columns["customer"], columns["at"]])
    frame = with_numbers(frame, numbers, stored, nothing)
    frame = _with_time(frame, engine, study, schema, columns["at"], are_days=are_days)
    frame, dates, unread = dated_events.dated(frame, engine, study, schema, columns)
    available = _available(study, columns)
    wanted = (
        contact_attributes.available(study, columns)
        if required_columns is None
        else contact_attributes.available(study, columns) & set(required_columns)
    )
    frame, names = contact_attributes.with_name_codes(
        frame,
        engine,
        {c: columns[c] for c in contact_attributes.NAMES if c in wanted},
        settings.null_values,
    )
    more = {**contact_attributes.expressions(study, schema, columns, wanted), **dates}
    frame = engine.local(
        frame, [c for c in schema if c in {columns.get(u, u) for u in used}], settings.time_zone
    )
    who, dtype = nw.col(columns["customer"]), schema[columns["customer"]]
    visible = {**schema, **{c: schema[s] for c, s in columns.items()}}
    tests = _rejection_tests(study, schema, columns, visible)
    labels = {
        f"{LABEL}{name}": text
        for name, text in contact_attributes.labels(study, schema, columns).items()
        if study.retention.kind == "contract"
    }
    surveyed = _surveyed(study, schema, columns, visible, numbers, stored, unread)

    def table(who: nw.Expr, **odd: nw.Expr) -> Frame:
        return frame.with_columns(cx_customer=who).select(
            "cx_row",
            nw.col("cx_customer").alias("id"),
            nw.col("cx_day").alias("day"),
            nw.col("cx_second").alias("second"),
            grade(study, visible, columns).alias("grade"),
            both(study, visible, columns).alias("both"),
            first_reason(tests, LOG_REASONS).alias("reason"),
            **active(study, visible, columns),
            **more,
            **labels,
            **surveyed,
            **odd,
        )

    odd = who.str.contains(_ODD) | who.str.contains(missing_pattern(nothing))
    plain = table(who, odd=odd) if dtype == nw.String else None
    return Raw(
        source=source,
        table=table(identity(who, dtype, settings.null_values)),
        dated=not are_days,
        ordered=ordered,
        plain=plain,
        names=names,
        attributes=tuple(sorted(wanted)),
        dates=tuple(dates),
        labels=tuple(labels),
        available=available,
        has_active=study.retention.active is not None,
        left_out=contact_attributes.left_out(settings, schema, stored),
        graded_by=graded_by(study, columns),
    )


def _with_time(
    frame: Frame,
    engine: Engine,
    study: Study,
    schema: Mapping[str, nw.dtypes.DType],
    column: str,
    *,
    are_days: bool,
) -> Frame:
    """``cx_day`` and ``cx_second`` of each contact, and ``cx_at_none`` where there is no time at all."""
    settings = study.interactions
    nothing = missing_words(settings.null_values)
    frame = engine.instant(frame, column, fmt=settings.at_format, zone=settings.time_zone)
    frame = frame.with_columns(
        cx_at_none=_no_time(column, schema[column], nothing, are_days=are_days)
    )
    return frame.with_columns(cx_day=nw.when(~nw.col("cx_at_none")).then(nw.col("cx_day")))


def _rejection_tests(
    study: Study,
    schema: Mapping[str, nw.dtypes.DType],
    columns: Mapping[str, str],
    visible: Mapping[str, nw.dtypes.DType],
) -> list[tuple[str, nw.Expr]]:
    """Why a row is not used, in the order in which the reasons are tried."""
    customer = columns["customer"]
    tests = [
        *customer_tests(nw.col(customer), schema[customer]),
        ("no time", nw.col("cx_at_none")),
        ("time not readable", nw.col("cx_day").is_null()),
        ("exact duplicate", nw.col("cx_repeat")),
    ]
    scale = study.interactions.scale
    if "score" in columns and scale:
        score = nw.col(columns["score"])
        if schema[columns["score"]].is_float():
            score = nw.when(~score.is_nan()).then(score)
        tests.append(("score off the scale", (score < scale[0]) | (score > scale[1])))
    if study.moments.exclude is not None:
        tests.append(("excluded by rule", condition(study, "exclude", visible, columns).holds))
    return tests


def graded_rows(study: Study, engine: Engine, rows: Frame) -> tuple[Frame, str]:
    """``cx_row``, ``grade`` and ``both`` of every row of the log, and how contacts are graded; errors as `read_log`.

    Args:
        study: its rules and scale.
        engine: where the rows live.
        rows: of the log, with ``cx_row``.
    """
    stored = dict(rows.collect_schema())
    stored.pop("cx_row")
    schema, numbers = typed_columns(study, engine, rows, stored)
    columns = _log_columns(study, schema)
    used = _used_columns(study, schema, columns)
    frame = rows.with_columns(**numbers) if numbers else rows
    frame = engine.local(
        frame,
        [c for c in schema if c in {columns.get(u, u) for u in used}],
        study.interactions.time_zone,
    )
    visible = {**schema, **{c: schema[s] for c, s in columns.items()}}
    graded = frame.select(
        "cx_row",
        grade(study, visible, columns).alias("grade"),
        both(study, visible, columns).cast(nw.Int32).alias("both"),
    )
    return graded, graded_by(study, columns)


def _used_columns(
    study: Study, schema: Mapping[str, nw.dtypes.DType], columns: Mapping[str, str]
) -> set[str]:
    """The columns that rules name.

    Raises:
        StudyError: one of them could be two columns.
    """
    used = _rule_columns(study)
    for clash in [c for c, s in columns.items() if c != s and c in schema and c in used]:
        raise StudyError(
            f"a rule names {clash!r}, which is a column of the log and also the canonical name of "
            f"{columns[clash]!r}: rename one of them",
            field="moments",
        )
    return used


def _no_time(
    column: str, kind: nw.dtypes.DType, nothing: tuple[str, ...], *, are_days: bool
) -> nw.Expr:
    empty = blank(nw.col(column), kind, nothing)
    return empty if are_days else empty | nw.coalesce(is_no_day("cx_day"), nw.lit(False))


def _surveyed(
    study: Study,
    schema: Mapping[str, nw.dtypes.DType],
    columns: Mapping[str, str],
    visible: Mapping[str, nw.dtypes.DType],
    numbers: Mapping[str, nw.Expr],
    stored: Mapping[str, nw.dtypes.DType],
    unread: Mapping[str, nw.Expr],
) -> dict[str, nw.Expr]:
    """What is counted while the log is gone through; see `cxresearch.records.survey`."""
    settings, rules_given = study.interactions, study.moments
    nothing = missing_words(settings.null_values)
    missing: dict[str, nw.Expr] = {}
    no_days: dict[str, nw.Expr] = {}
    unknown: dict[str, nw.Expr] = {}
    for name in ("attended", *contact_attributes.FLAGS, "grade", "level"):
        if name not in columns:
            continue
        kind, column = schema[columns[name]], columns[name]
        word = missing_word(nw.col(column), kind, nothing)
        odd = (
            _unknown_name(column, name, nothing)
            if name in ("grade", "level")
            else contact_attributes.unknown_flag(column, kind, settings)
        )
        missing |= {name: word} if word is not None else {}
        unknown |= {name: odd} if odd is not None else {}
    for name in dated_events.DATES:
        kind = schema[columns[name]] if name in columns else nw.Boolean()
        if kind != nw.Boolean:
            word = missing_word(nw.col(columns[name]), kind, nothing)
            missing |= {name: word} if word is not None else {}
            are_days = counts_days(kind.is_integer(), settings.at_format)
            no_days |= {} if are_days else {name: missing_day(f"cx_{name}_day")}
    for name in ("score", *contact_attributes.EXPECTATIONS):
        if columns.get(name) in numbers and stored[columns[name]] == nw.String:
            missing[name] = nw.col(f"cx_{columns[name]}_none")
    for name in contact_attributes.EXPECTATIONS:
        # a column that the study does not name, and that holds words: it is left out, which is said
        if name not in columns and stored.get(name) == nw.String:
            is_word = ~is_number(name, settings) & ~is_empty(name, settings)
            unknown[name] = nw.when(is_word).then(nw.col(name).str.strip_chars(BLANKS))
    hits = {
        name: condition(study, name, visible, columns).holds
        for name in ("bad", "neutral", "good", "exclude")
        if getattr(rules_given, name) not in (None, "otherwise")
    }
    texts = {
        c: nw.col(columns[c]).cast(nw.String) for c in ("channel", "touchpoint") if c in columns
    }
    return survey_columns(
        missing=missing,
        no_days=no_days,
        unknown=unknown,
        unread=unread,
        hits=hits,
        channel=texts.get("channel"),
        touchpoint=texts.get("touchpoint") if settings.unattended else None,
    )


def _unknown_name(column: str, name: str, nothing: tuple[str, ...]) -> nw.Expr:
    """What stands in a column of grades or levels and is neither one of them nor nothing."""
    text = nw.col(column).cast(nw.String).str.strip_chars(BLANKS)
    known = [*(GRADES if name == "grade" else LEVELS_OF_SERVICE), "", *nothing]
    return nw.when(~nw.coalesce(text.str.to_lowercase().is_in(known), nw.lit(True))).then(text)


def _rule_columns(study: Study) -> set[str]:
    settings = study.moments
    written = [(settings.bad, "bad"), (settings.good, "good"), (settings.exclude, "exclude")]
    written += [(settings.neutral, "neutral")] if settings.neutral != "otherwise" else []
    named = {c for sql, name in written if sql for c in rules.columns_of(sql, f"moments.{name}")}
    if study.retention.active is not None:
        named |= {*rules.columns_of(study.retention.active, "retention.active")}
    return named
