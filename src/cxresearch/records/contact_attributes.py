"""Attributes of contacts other than the grade, as whole numbers; read only where a history or an instrument needs them.

Flags are 0 or 1 (``attended`` is -1 where it is not known), expectations 0 (failed), 1 (kept) or -1, a score lies
between 0 and 1000 thousandths of its scale or is -1, and texts are positions among the sorted names, or -1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import reduce

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import Engine, Frame, framed
from cxresearch.errors import DataError
from cxresearch.study import LEVELS_OF_SERVICE, Interactions, Study
from cxresearch.study.timestamps import BLANKS
from cxresearch.study.words import FALSE, TRUE, fold, missing_numbers, missing_words

FLAGS = ("is_problem", "handoff")
EXPECTATIONS = ("respect", "solutions", "simplicity", "responsibility")
NAMES = ("touchpoint", "channel", "owner", "agent")
CONTACT_ATTRIBUTES = ("attended", *FLAGS, "score", *EXPECTATIONS, "level", *NAMES)
SCORE_STEPS = 1000  # steps of a scale
_NONE = nw.lit(-1)
_TEXTS = (nw.String, nw.Categorical, nw.Enum)


def available(study: Study, columns: Collection[str]) -> frozenset[str]:
    """The contact attributes that a log has.

    Args:
        study: its scales, and what counts as unattended.
        columns: canonical names of the columns that the log has.
    """
    settings = study.interactions
    there = {name for name in (*FLAGS, "level", *NAMES) if name in columns}
    if "attended" in columns or (settings.unattended and {"channel", "touchpoint"} & set(columns)):
        there.add("attended")
    if "score" in columns and settings.scale:
        there.add("score")
    if settings.expectations_scale or settings.scale:
        there |= {name for name in EXPECTATIONS if name in columns}
    return frozenset(there)


def fitting(
    schema: Mapping[str, nw.dtypes.DType], columns: Mapping[str, str], declared: Collection[str]
) -> dict[str, str]:
    """The columns that can be what they are called; of those that the study does not name, others are left alone.

    Raises:
        DataError: a column that the study names as a flag holds neither true nor false, or one that it names as an
            expectation no numbers; a grade, a level or a name is neither text nor a number, whoever named it.
    """
    kept = {}
    for name, column in columns.items():
        kind, wanted = schema[column], needed(name, schema[column])
        if name in ("grade", "level", *NAMES) and (
            kind.is_nested() or kind in (nw.Binary, nw.Duration, nw.Object)
        ):
            raise DataError(
                f"interactions.{name}: the column {column!r} must hold text or numbers, holds {kind}"
            )
        if wanted and name in declared:
            raise DataError(
                f"interactions.{name}: the column {column!r} must hold {wanted}, holds {kind}"
            )
        if not wanted:
            kept[name] = column
    return kept


def needed(name: str, kind: nw.dtypes.DType) -> str:
    """What a column would have to hold to be a flag or an expectation, in words; empty where it can be what it is."""
    if name in ("attended", *FLAGS):
        return "" if kind == nw.Boolean or kind.is_numeric() or kind in _TEXTS else "true or false"
    return "numbers" if name in EXPECTATIONS and not kind.is_numeric() else ""


def left_out(
    settings: Interactions,
    schema: Mapping[str, nw.dtypes.DType],
    stored: Mapping[str, nw.dtypes.DType],
) -> tuple[tuple[str, str, str], ...]:
    """Columns called like a contact attribute that are of another type: name, type, and the type that is needed."""
    return tuple(
        (name, str(schema[name]).lower(), wanted)
        for name in CONTACT_ATTRIBUTES
        if name in schema and getattr(settings, name, None) is None and stored[name] != nw.String
        if (wanted := needed(name, schema[name]))
    )


def with_name_codes(
    frame: Frame, engine: Engine, columns: Mapping[str, str], null_values: tuple[str, ...] = ()
) -> tuple[Frame, dict[str, tuple[str, ...]]]:
    """The frame with ``cx_{name}``, the position of a text among all that occur, and the texts of each name.

    Args:
        frame: the log.
        engine: where it lives.
        columns: canonical name, one of `NAMES`, to column.
        null_values: what the study adds to the words for missing values, which are no names.
    """
    nothing = missing_words(null_values, is_label=True)
    names: dict[str, tuple[str, ...]] = {}
    for name, column in columns.items():
        frame = frame.with_columns(cx_text=_text(nw.col(column)))
        seen = engine.collect(frame.select("cx_text").unique())["cx_text"].drop_nulls().sort()
        seen = seen.filter(
            pl.Series([fold(text) not in nothing for text in seen], dtype=pl.Boolean)
        )
        names[name] = tuple(seen.to_list())
        kinds = {"cx_text": pl.String, f"cx_{name}": pl.Int32}
        codes = pl.DataFrame({"cx_text": seen, f"cx_{name}": range(len(seen))}, kinds)
        frame = (
            frame.lazy()
            .join(framed(engine.frame(codes)).lazy(), on="cx_text", how="left")
            .drop("cx_text")
        )
    return frame, names


def expressions(
    study: Study,
    schema: Mapping[str, nw.dtypes.DType],
    columns: Mapping[str, str],
    wanted: Collection[str],
) -> dict[str, nw.Expr]:
    """The contact attributes to read, by name; those of `NAMES` from the columns of `with_name_codes`.

    Args:
        study: its scales, and what counts as unattended.
        schema: the log's columns.
        columns: canonical name to column.
        wanted: names of contact attributes, all of them `available`.
    """
    settings = study.interactions
    made: dict[str, nw.Expr] = {}
    for name in sorted(wanted):
        column = columns.get(name, "")
        if name == "attended":
            made[name] = _attended(settings, schema, columns)
        elif name in FLAGS:
            made[name] = nw.coalesce(flag(column, schema[column], settings), nw.lit(0))
        elif name == "score":
            made[name] = _score(column, settings.scale or (0.0, 1.0))
        elif name in EXPECTATIONS:
            made[name] = _kept(column, settings.expectations_scale or settings.scale or (0.0, 1.0))
        elif name == "level":
            text = nw.col(column).cast(nw.String).str.strip_chars(BLANKS).str.to_lowercase()
            made[name] = nw.coalesce(_position(text, LEVELS_OF_SERVICE), _NONE)
        else:
            made[name] = nw.coalesce(f"cx_{name}", _NONE)
    return {name: value.cast(nw.Int32) for name, value in made.items()}


def labels(
    study: Study, schema: Mapping[str, nw.dtypes.DType], columns: Mapping[str, str]
) -> dict[str, nw.Expr]:
    """What contacts are called, by name of the attribute, as text: names, and a hand-off where there is one.

    Args:
        study: its words for true.
        schema: the log's columns.
        columns: canonical name to column.
    """
    made = {name: _text(nw.col(columns[name])) for name in NAMES if name in columns}
    if "handoff" in columns:
        column = columns["handoff"]
        is_true = flag(column, schema[column], study.interactions) == 1
        made["handoff"] = nw.when(is_true).then(nw.lit("yes"))
    return made


def bounds(
    wanted: Collection[str], names: Mapping[str, Sequence[str]]
) -> dict[str, tuple[int, int]]:
    """The least and the greatest value of each contact attribute."""
    most = dict.fromkeys(("attended", *FLAGS, *EXPECTATIONS), 1)
    most |= {
        "score": SCORE_STEPS,
        "level": len(LEVELS_OF_SERVICE) - 1,
        **{n: len(v) - 1 for n, v in names.items()},
    }
    return {name: (0 if name in FLAGS else -1, max(most[name], 0)) for name in sorted(wanted)}


def _attended(
    settings: Interactions, schema: Mapping[str, nw.dtypes.DType], columns: Mapping[str, str]
) -> nw.Expr:
    if "attended" in columns:
        return nw.coalesce(flag(columns["attended"], schema[columns["attended"]], settings), _NONE)
    there = [_named(columns[c], settings) for c in ("channel", "touchpoint") if c in columns]
    listed = [fold(name) for name in settings.unattended]
    alone = reduce(lambda a, b: a | b, [nw.coalesce(t.is_in(listed), nw.lit(False)) for t in there])
    known = reduce(lambda a, b: a | b, [~t.is_null() for t in there])
    return nw.when(alone).then(nw.lit(0)).otherwise(nw.when(known).then(nw.lit(1)).otherwise(_NONE))


def _named(column: str, settings: Interactions) -> nw.Expr:
    """The name of a channel or touchpoint in small letters; null where it is a word for a missing value."""
    text = _text(nw.col(column)).str.to_lowercase()
    nothing = list(missing_words(settings.null_values, is_label=True))
    return nw.when(~text.is_in(nothing)).then(text)


def flag(column: str, kind: nw.dtypes.DType, settings: Interactions) -> nw.Expr:
    """1 or 0; null where it is neither: where nothing is written, since a word that is not known is an error."""
    x = nw.col(column)
    if kind == nw.Boolean:
        return nw.when(x).then(nw.lit(1)).otherwise(nw.when(~x).then(nw.lit(0)))
    yes, no = ((*TRUE, *settings.true_values), (*FALSE, *settings.false_values))
    is_true, is_false = (_is_one_of(x, kind, words) for words in (yes, no))
    return nw.when(is_true).then(nw.lit(1)).otherwise(nw.when(is_false).then(nw.lit(0)))


def unknown_flag(column: str, kind: nw.dtypes.DType, settings: Interactions) -> nw.Expr | None:
    """What stands in a column of flags and is neither true, false nor nothing, as text; None where all is known."""
    if kind == nw.Boolean:
        return None
    x = nw.col(column)
    words = (*TRUE, *settings.true_values, *FALSE, *settings.false_values)
    if kind in _TEXTS:
        text = _text(x)
        nothing = missing_words(settings.null_values)
        known = _is_one_of(x, kind, (*words, *nothing))
        return nw.when(~nw.coalesce(known, nw.lit(True))).then(text)
    number = _number(x, kind)
    known = _is_one_of(x, kind, (*words, *settings.null_values))
    whole = number.cast(nw.Int64).cast(nw.String) if kind.is_integer() else number.cast(nw.String)
    return nw.when(~nw.coalesce(known, nw.lit(True))).then(whole)


def _is_one_of(x: nw.Expr, kind: nw.dtypes.DType, words: Sequence[str]) -> nw.Expr:
    """Whether a text is one of some words, or a number one of those that are numbers; null where nothing is written."""
    if kind in _TEXTS:
        return _text(x).str.to_lowercase().is_in([fold(word) for word in words])
    return _number(x, kind).is_in(list(missing_numbers(tuple(words))))


def _number(x: nw.Expr, kind: nw.dtypes.DType) -> nw.Expr:
    x = x.cast(nw.Float64)
    return nw.when(~x.is_nan()).then(x) if kind.is_float() else x


def _score(column: str, scale: tuple[float, float]) -> nw.Expr:
    low, high = scale
    x = nw.col(column).cast(nw.Float64)
    known = (x >= low) & (x <= high)  # neither null nor not-a-number
    steps = ((x - low) * (SCORE_STEPS / (high - low)) + 0.5).floor()
    return nw.coalesce(nw.when(known).then(steps.cast(nw.Int64)), _NONE)


def _kept(column: str, scale: tuple[float, float]) -> nw.Expr:
    low, high = scale
    x = nw.col(column).cast(nw.Float64)
    known = (x >= low) & (x <= high)
    kept = nw.when(x < (low + high) / 2).then(nw.lit(0)).otherwise(nw.lit(1))
    return nw.coalesce(nw.when(known).then(kept), _NONE)


def _position(text: nw.Expr, names: Sequence[str]) -> nw.Expr:
    code: nw.Expr = nw.lit(None)
    for i, name in enumerate(names):
        code = nw.when(text == name).then(nw.lit(i)).otherwise(code)
    return code


def _text(column: nw.Expr) -> nw.Expr:
    text = column.cast(nw.String).str.strip_chars(BLANKS)
    return nw.when(text != "").then(text)
