"""Another definition of a bad contact, as settings of the study: what was bad and is not any more is neutral."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from cxresearch.engines import Engine
from cxresearch.engines import engine as engine_named
from cxresearch.records.contacts import GRADES, log_columns
from cxresearch.records.sources import clear_read_errors, section_source
from cxresearch.study import LEVELS_OF_SERVICE, Study

_COMPARISON = re.compile(r'\s*("[^"]+"|[A-Za-z_]\w*)\s*(<=|<|>=|>)\s*(-?\d+(?:\.\d+)?)\s*')


def redefine_bad(study: Study, bad: str, engine: Engine | str = "polars") -> dict[str, str]:
    """The settings under which exactly the contacts that a condition holds for are bad.

    A rule of the study grades first and what its other columns say comes after it, so that a narrower rule alone would
    leave contacts bad by their level or score. Those become neutral here, unless the study's rule calls them good.

    Args:
        study: as it is declared.
        bad: condition in SQL over the columns of the log.
        engine: where the log is opened; no row is looked at.

    Returns:
        Key to value, for `Study.replace`.

    Raises:
        SourceError, DataError: as `read_records`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(), 50, seed=1).study()
        >>> sorted(redefine_bad(study, "stars <= 1"))
        ['bad', 'neutral']
    """
    if study.moments.neutral == "otherwise":
        return {"bad": bad}
    opened = engine_named(engine) if isinstance(engine, str) else engine
    with clear_read_errors(study, f"interactions ({section_source(study, 'interactions')})"):
        columns = log_columns(study, opened)
    parts = [study.moments.neutral, study.moments.bad, bad_by_columns(study, columns)]
    given = [f"({part})" for part in parts if part]
    return {"bad": bad, **({"neutral": " OR ".join(given)} if given else {})}


def bad_by_columns(study: Study, columns: Mapping[str, str]) -> str:
    """The condition under which a contact is bad where no rule defines it; empty where no column does.

    Args:
        study: its scale.
        columns: canonical name to column of the log.
    """
    parts: list[str] = []
    unknown = ""  # that the columns before say nothing
    for name, words, bad in (
        ("grade", GRADES, ("bad",)),
        ("level", LEVELS_OF_SERVICE, LEVELS_OF_SERVICE[:2]),
    ):
        if name in columns:
            text = f"COALESCE(LOWER(TRIM({_quoted(columns[name])})), '')"
            parts.append(f"{unknown}{text} IN ({_listed(bad)})")
            unknown += f"NOT ({text} IN ({_listed(words)})) AND "
    scale = study.interactions.scale
    if "score" in columns and scale is not None:
        score = _quoted(columns["score"])
        low, high = scale
        limit = f"{score} <= 6" if (low, high) == (0, 10) else f"{score} < {(low + high) / 2:g}"
        parts.append(f"{unknown}{score} >= {low:g} AND {limit}")
    return " OR ".join(f"({part})" for part in parts)


def neighbours_of_bad(study: Study, columns: Mapping[str, str]) -> tuple[str, ...]:
    """Definitions of bad a step narrower and a step wider than the study's own; empty where none is near.

    Args:
        study: whose rule compares one column with a number, or that grades by its score.
        columns: canonical name to column of the log.
    """
    scale, score = study.interactions.scale, columns.get("score")
    rule = study.moments.bad
    if rule is None:
        if score is None or scale is None:
            return ()
        edge = 6.0 if scale == (0, 10) else _below(sum(scale) / 2)
        shown, sign, number = _plain_name(score), "<=", Decimal(f"{edge:g}")
    else:
        match = _COMPARISON.fullmatch(rule)
        if match is None:
            return ()
        shown, sign, number = match[1], match[2], Decimal(match[3])
    step = Decimal(1).scaleb(int(number.as_tuple().exponent))
    result = []
    for other in (number - step, number + step):
        if scale is not None and score is not None and shown.strip('"') == score:
            low, high = (Decimal(f"{edge:g}") for edge in scale)
            first, last = (low, high - 1) if "<" in sign else (low + 1, high)
            if sign in ("<", ">"):
                first, last = (low + 1, high) if sign == "<" else (low, high - 1)
            if not first <= other <= last:
                continue  # all contacts would be bad, or none
        result.append(f"{shown} {sign} {other}")
    return tuple(result)


def _below(middle: float) -> float:
    """The largest whole score below the middle of a scale."""
    whole = int(middle)
    return float(whole - 1 if whole == middle else whole)


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _plain_name(column: str) -> str:
    return column if re.fullmatch(r"[A-Za-z_]\w*", column) else _quoted(column)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{w}'" for w in words)
