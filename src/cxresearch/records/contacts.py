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
    opened,
    resolve,
)
from cxresearch.study import LEVELS_OF_SERVICE, Study
from cxresearch.study import sql as rules
from cxresearch.study.timestamps import BLANKS, counts_days

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


OPTIONAL = ("grade", *contact_attributes.CONTACT_ATTRIBUTES, *dated_events.DATES)
_ODD = rf"^$|^[{BLANKS}]|[{BLANKS}]$|[.]0+$"  # text that `identity` may change


def available_columns(study: Study, engine: Engine) -> frozenset[str]:
    """What histories may read by the columns of the log: contact attributes, times of dated events, ``household``.

    No row is looked at, except where a column that should hold numbers is text, and may be empty.

    Raises:
        SourceError: the log cannot be opened.
        DataError: a column is missing or of the wrong type.
    """
    source, schema, _ = opened(study, engine, "interactions", numbered=False)
    return _available(study, _log_columns(study, _typed(study, engine, source, schema)))


def _available(study: Study, columns: Mapping[str, str]) -> frozenset[str]:
    household = {"household"} if study.retention.cluster else set()
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


def _typed(
    study: Study, engine: Engine, source: Frame, schema: Mapping[str, nw.dtypes.DType]
) -> dict[str, nw.dtypes.DType]:
    """The columns and types; a column of scores that is text without any value counts as numbers."""
    scores = {
        getattr(study.interactions, c) or c for c in ("score", *contact_attributes.EXPECTATIONS)
    }
    doubtful = [c for c, kind in schema.items() if c in scores and kind == nw.String]
    if not doubtful:
        return dict(schema)
    written = [
        (nw.col(c).str.strip_chars(BLANKS) != "").cast(nw.Int32).max().alias(c) for c in doubtful
    ]
    result = engine.collect(source.select(*written))
    return {**schema, **{c: nw.Float64() for c in doubtful if not result[c].item()}}


def read_log(study: Study, engine: Engine, required_columns: Collection[str] | None = None) -> Raw:
    """Read the interaction log.

    Columns: cx_row, id (text), day, second, grade, both, reason, the contact attributes, and times of dated events.

    Args:
        study: whose log.
        engine: where it is read.
        required_columns: the contact attributes that are wanted, as far as the log has them; all when not given.

    Raises:
        DataError: a column is missing or of the wrong type, or no time can be read.
        RuleError: a rule is refused.
    """
    settings = study.interactions
    source, stored, ordered = opened(study, engine, "interactions")
    schema = _typed(study, engine, source, stored)
    columns = _log_columns(study, schema)
    if settings.scale is not None and "score" not in columns:
        raise DataError(
            'interactions.scale is given and there is no score: name its column, as in score = "stars"; the log has: '
            + ", ".join(schema)
        )
    used = _rule_columns(study)
    for clash in [c for c, s in columns.items() if c != s and c in schema and c in used]:
        raise StudyError(
            f"a rule names {clash!r}, which is a column of the log and also the canonical name of "
            f"{columns[clash]!r}: rename one of them",
            field="moments",
        )
    frame = engine.repeats(source, list(schema), [columns["customer"], columns["at"]])
    empty = [c for c, kind in schema.items() if kind != stored[c]]
    frame = (
        frame.with_columns(**{c: nw.lit(None).cast(nw.Float64) for c in empty}) if empty else frame
    )
    frame = engine.instant(frame, columns["at"], fmt=settings.at_format, zone=settings.time_zone)
    frame, dates = dated_events.dated(frame, engine, study, schema, columns)
    available = _available(study, columns)
    wanted = (
        contact_attributes.available(study, columns)
        if required_columns is None
        else contact_attributes.available(study, columns) & set(required_columns)
    )
    frame, names = contact_attributes.with_name_codes(
        frame, engine, {c: columns[c] for c in contact_attributes.NAMES if c in wanted}
    )
    more = {**contact_attributes.expressions(study, schema, columns, wanted), **dates}
    frame = engine.local(
        frame, [c for c in schema if c in {columns.get(u, u) for u in used}], settings.time_zone
    )
    who, dtype = nw.col(columns["customer"]), schema[columns["customer"]]
    visible = {**schema, **{c: schema[s] for c, s in columns.items()}}
    tests = [
        *customer_tests(who, dtype),
        ("no time", blank(nw.col(columns["at"]), schema[columns["at"]])),
        ("time not readable", nw.col("cx_day").is_null()),
        ("exact duplicate", nw.col("cx_repeat")),
    ]
    if "score" in columns and settings.scale:
        score = nw.col(columns["score"])
        score = (
            nw.when(~score.is_nan()).then(score) if schema[columns["score"]].is_float() else score
        )
        tests.append(
            ("score off the scale", (score < settings.scale[0]) | (score > settings.scale[1]))
        )
    if study.moments.exclude is not None:
        tests.append(("excluded by rule", condition(study, "exclude", visible, columns).holds))

    def table(who: nw.Expr, **odd: nw.Expr) -> Frame:
        return frame.with_columns(cx_customer=who).select(
            "cx_row",
            nw.col("cx_customer").alias("id"),
            nw.col("cx_day").alias("day"),
            nw.col("cx_second").alias("second"),
            grade(study, visible, columns).alias("grade"),
            both(study, visible, columns).alias("both"),
            first_reason(tests, LOG_REASONS).alias("reason"),
            **more,
            **odd,
        )

    plain = table(who, odd=who.str.contains(_ODD)) if dtype == nw.String else None
    is_dated = not counts_days(schema[columns["at"]].is_integer(), settings.at_format)
    return Raw(
        source=source,
        table=table(identity(who, dtype)),
        dated=is_dated,
        ordered=ordered,
        plain=plain,
        names=names,
        attributes=tuple(sorted(wanted)),
        dates=tuple(dates),
        available=available,
    )


def _rule_columns(study: Study) -> set[str]:
    settings = study.moments
    written = [(settings.bad, "bad"), (settings.good, "good"), (settings.exclude, "exclude")]
    written += [(settings.neutral, "neutral")] if settings.neutral != "otherwise" else []
    return {c for sql, name in written if sql for c in rules.columns_of(sql, f"moments.{name}")}
