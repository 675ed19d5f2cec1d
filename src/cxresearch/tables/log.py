"""The interaction log, as it is written: which columns it has, and what is wrong with a row on its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import narwhals.stable.v2 as nw

from cxresearch.engines import Engine, Frame
from cxresearch.errors import DataError, StudyError
from cxresearch.study import Study, rules
from cxresearch.study.times import BLANKS
from cxresearch.tables import facets, happenings, moments
from cxresearch.tables.contracts import (
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

OPTIONAL = ("grade", *facets.FACETS, *happenings.DATES)
_ODD = rf"^$|^[{BLANKS}]|[{BLANKS}]$|[.]0+$"  # text that `identity` may change


def log_has(study: Study, engine: Engine) -> frozenset[str]:
    """What histories may read, going by the log's columns: facets, times of happenings, and ``household``.

    No row is looked at, except where a column that should hold numbers is text, and may be empty.

    Raises:
        SourceError: the log cannot be opened.
        DataError: a column is missing or of the wrong type.
    """
    source, schema, _ = opened(study, engine, "interactions", numbered=False)
    return _has(study, _log_columns(study, _typed(study, engine, source, schema)))


def _has(study: Study, columns: Mapping[str, str]) -> frozenset[str]:
    household = {"household"} if study.retention.cluster else set()
    return facets.found(study, columns) | happenings.found(columns) | household


def _log_columns(study: Study, schema: Mapping[str, nw.dtypes.DType]) -> dict[str, str]:
    """Canonical name to column of the log."""
    says = study.interactions
    named = {c: getattr(says, c) for c in OPTIONAL if getattr(says, c)}
    columns = resolve(study, "interactions", schema, {"customer": says.customer, "at": says.at, **named}, OPTIONAL)
    check_types(schema, columns, "interactions", score=says.score is not None or says.scale is not None)
    happenings.check(study, schema, columns)
    return facets.fitting(schema, columns, named)


def _typed(
    study: Study, engine: Engine, source: Frame, schema: Mapping[str, nw.dtypes.DType]
) -> dict[str, nw.dtypes.DType]:
    """The columns, those of scores that are text without a value as numbers: a text file tells no other type."""
    scores = {getattr(study.interactions, c) or c for c in ("score", *facets.EXPECTATIONS)}
    doubtful = [c for c, kind in schema.items() if c in scores and kind == nw.String]
    if not doubtful:
        return dict(schema)
    written = [(nw.col(c).str.strip_chars(BLANKS) != "").cast(nw.Int32).max().alias(c) for c in doubtful]
    found = engine.collect(source.select(*written))
    return {**schema, **{c: nw.Float64() for c in doubtful if not found[c].item()}}


def read_log(study: Study, engine: Engine, reads: Collection[str] | None = None) -> Raw:
    """The interaction log: cx_row, id (text), day, second, grade, both, reason, the facets, and times of happenings.

    Args:
        study: whose log.
        engine: where it is read.
        reads: the facets that are wanted, as far as the log has them; all when not given.

    Raises:
        DataError: a column is missing or of the wrong type, or no time can be read.
        RuleError: a rule is refused.
    """
    says = study.interactions
    source, stored, ordered = opened(study, engine, "interactions")
    schema = _typed(study, engine, source, stored)
    columns = _log_columns(study, schema)
    if says.scale is not None and "score" not in columns:
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
    frame = frame.with_columns(**{c: nw.lit(None).cast(nw.Float64) for c in empty}) if empty else frame
    frame = engine.instant(frame, columns["at"], fmt=says.at_format, zone=says.time_zone)
    frame, dates = happenings.dated(frame, engine, study, schema, columns)
    has = _has(study, columns)
    wanted = facets.found(study, columns) if reads is None else facets.found(study, columns) & set(reads)
    frame, names = facets.named(frame, engine, {c: columns[c] for c in facets.NAMES if c in wanted})
    more = {**facets.expressions(study, schema, columns, wanted), **dates}
    frame = engine.local(frame, [c for c in schema if c in {columns.get(u, u) for u in used}], says.time_zone)
    who, dtype = nw.col(columns["customer"]), schema[columns["customer"]]
    visible = {**schema, **{c: schema[s] for c, s in columns.items()}}
    tests = [
        *customer_tests(who, dtype),
        ("no time", blank(nw.col(columns["at"]), schema[columns["at"]])),
        ("time not readable", nw.col("cx_day").is_null()),
        ("exact duplicate", nw.col("cx_repeat")),
    ]
    if "score" in columns and says.scale:
        score = nw.col(columns["score"])
        score = nw.when(~score.is_nan()).then(score) if schema[columns["score"]].is_float() else score
        tests.append(("score off the scale", (score < says.scale[0]) | (score > says.scale[1])))
    if study.moments.exclude is not None:
        tests.append(("excluded by rule", moments.condition(study, "exclude", visible, columns).holds))

    def table(who: nw.Expr, **odd: nw.Expr) -> Frame:
        return frame.with_columns(cx_customer=who).select(
            "cx_row",
            nw.col("cx_customer").alias("id"),
            nw.col("cx_day").alias("day"),
            nw.col("cx_second").alias("second"),
            moments.grade(study, visible, columns).alias("grade"),
            moments.both(study, visible, columns).alias("both"),
            first_reason(tests, LOG_REASONS).alias("reason"),
            **more,
            **odd,
        )

    plain = table(who, odd=who.str.contains(_ODD)) if dtype == nw.String else None
    is_dated = not schema[columns["at"]].is_integer()
    told = (names, tuple(sorted(wanted)), tuple(dates), has)
    return Raw(source, table(identity(who, dtype)), is_dated, ordered, plain, *told)


def _rule_columns(study: Study) -> set[str]:
    says = study.moments
    written = [(says.bad, "bad"), (says.good, "good"), (says.exclude, "exclude")]
    written += [(says.neutral, "neutral")] if says.neutral != "otherwise" else []
    return {c for sql, name in written if sql for c in rules.columns_of(sql, f"moments.{name}")}
