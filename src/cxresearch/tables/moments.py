"""Interactions become moments: each contact gets a grade.

The grade is bad, neutral, good or unknown. Precedence per row: rule, then grade, then level of service, then score.
"""

from __future__ import annotations

from collections.abc import Mapping

import narwhals.stable.v2 as nw

from cxresearch.errors import DataError
from cxresearch.study import LEVELS_OF_SERVICE, Study, rules
from cxresearch.study.times import BLANKS

GRADES = ("bad", "neutral", "good", "unknown")
BAD, NEUTRAL, GOOD, UNKNOWN = range(4)  # worse first: within one second the worse grade comes first


def grade(study: Study, schema: Mapping[str, nw.dtypes.DType], names: Mapping[str, str]) -> nw.Expr:
    """The grade of a row, as a position in `GRADES`.

    Args:
        study: its rules and scale.
        schema: the log's columns, canonical names included.
        names: canonical name to the column's own.

    Raises:
        RuleError: a rule is refused.
        DataError: nothing in the log can be graded.
    """
    says = study.moments
    scored = "score" in schema and study.interactions.scale is not None
    if not (scored or {"grade", "level"} & set(schema) or says.bad or says.good):
        raise DataError(
            "no contact can be graded: under [interactions], name a score column and its scale, or a level or grade "
            'column; or write rules such as bad = "stars <= 2" under [moments]'
        )
    code = _by_score(study, names) if scored else nw.lit(None)
    if "level" in schema:
        code = nw.coalesce(_by_name(names.get("level", "level"), _LEVEL_GRADES), code)
    if "grade" in schema:
        code = nw.coalesce(_by_name(names.get("grade", "grade"), {g: i for i, g in enumerate(GRADES)}), code)
    if says.neutral == "otherwise":
        code = nw.lit(NEUTRAL)
    for sql, name, value in (
        (says.neutral, "neutral", NEUTRAL),
        (says.good, "good", GOOD),
        (says.bad, "bad", BAD),
    ):
        if sql is not None and sql != "otherwise":
            held = condition(study, name, schema, names).holds
            code = nw.when(held).then(nw.lit(value)).otherwise(code)
    return nw.coalesce(code, nw.lit(UNKNOWN)).cast(nw.Int32)


def condition(study: Study, name: str, schema: Mapping[str, nw.dtypes.DType], names: Mapping[str, str]) -> rules.Rule:
    """One of the rules under [moments], checked; schema and names as in `grade`.

    Raises:
        RuleError: it is refused.
    """
    sql = getattr(study.moments, name)
    return rules.rule(sql, f"moments.{name}", schema, names=names, zone=study.interactions.time_zone)


def both(study: Study, schema: Mapping[str, nw.dtypes.DType], names: Mapping[str, str]) -> nw.Expr:
    """Whether the rules call a row bad and good at once; it counts as bad."""
    says = study.moments
    if says.bad is None or says.good is None:
        return nw.lit(False)
    return condition(study, "bad", schema, names).holds & condition(study, "good", schema, names).holds


_LEVEL_GRADES = {level: BAD if i < 2 else NEUTRAL if i == 2 else GOOD for i, level in enumerate(LEVELS_OF_SERVICE)}


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
    graded = nw.when(bad).then(nw.lit(BAD)).otherwise(nw.when(good).then(nw.lit(GOOD)).otherwise(nw.lit(NEUTRAL)))
    return nw.when(score >= low, score <= high).then(graded)  # neither null nor not-a-number
