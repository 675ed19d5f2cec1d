"""The columns of the log that hold scores: numbers, or texts that are numbers or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals.stable.v2 as nw

from cxresearch.engines import Engine, Frame
from cxresearch.errors import DataError
from cxresearch.records import contact_attributes
from cxresearch.records.contracts import blank, missing_word
from cxresearch.study import Interactions, Study
from cxresearch.study.timestamps import BLANKS
from cxresearch.study.words import missing_numbers, missing_words

_NUMBER = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$"


def typed_columns(
    study: Study, engine: Engine, source: Frame, schema: Mapping[str, nw.dtypes.DType]
) -> tuple[dict[str, nw.dtypes.DType], dict[str, nw.Expr]]:
    """The columns and types, with scores as numbers: texts that are numbers or nothing; and how they are made.

    Raises:
        DataError: a column of scores that the study names holds a text that is neither.
    """
    settings = study.interactions
    named = {
        getattr(settings, c) or c: getattr(settings, c) is not None
        for c in ("score", *contact_attributes.EXPECTATIONS)
    }
    texts = [c for c, kind in schema.items() if c in named and kind == nw.String]
    numbers = missing_numbers(settings.null_values)
    made: dict[str, nw.Expr] = {
        c: nw.when(~nw.col(c).cast(nw.Float64).is_in(list(numbers))).then(nw.col(c))
        for c, kind in schema.items()
        if numbers and c in named and kind.is_numeric()
    }
    if not texts:
        return dict(schema), made
    odd = {c: nw.when(~is_number(c, settings) & ~is_empty(c, settings)).then(c) for c in texts}
    counts = [nw.col(c).count() for c in texts]
    result = engine.collect(source.select(**odd).select(*counts))
    for c in texts:
        lost = int(result[c].item())
        if not lost:
            number = nw.when(is_number(c, settings)).then(nw.col(c).str.strip_chars(BLANKS))
            made[c] = number.cast(nw.Float64)
        elif named[c]:
            raise _no_numbers(engine, source.select(word=odd[c]), c, lost, settings)
    return {**schema, **{c: nw.Float64() for c in texts if c in made}}, made


def is_empty(column: str, settings: Interactions) -> nw.Expr:
    """Whether a text is empty, or a word that stands for a missing value."""
    return blank(nw.col(column), nw.String(), missing_words(settings.null_values))


def is_number(column: str, settings: Interactions) -> nw.Expr:
    """Whether a text is a number, and none that the study declares to be nothing."""
    text = nw.col(column).str.strip_chars(BLANKS)
    return nw.coalesce(text.str.contains(_NUMBER) & ~is_empty(column, settings), nw.lit(False))


def _no_numbers(
    engine: Engine, words: Frame, column: str, lost: int, settings: Interactions
) -> DataError:
    """What to say of a column of scores with texts that are no numbers."""
    name = next(
        c
        for c in ("score", *contact_attributes.EXPECTATIONS)
        if (getattr(settings, c) or c) == column
    )
    known = words.filter(~nw.col("word").is_null()).group_by("word").agg(rows=nw.len())
    listed = engine.collect(known).sort("rows", "word", descending=[True, False])["word"].head(3)
    shown = ", ".join(repr(text) for text in listed)
    return DataError(
        f"interactions.{name}: the column {column!r} must hold numbers, and {lost:,} rows hold text: {shown}; "
        "name under null_values what means that there is no number, or, of numbers such as 4,5, say "
        "format.decimal_comma = true"
    )


def with_numbers(
    frame: Frame,
    numbers: Mapping[str, nw.Expr],
    stored: Mapping[str, nw.dtypes.DType],
    nothing: Sequence[str],
) -> Frame:
    """Columns of scores as numbers; ``cx_*_none`` holds the words that stood there for a missing one.

    Args:
        frame: the log.
        numbers: the columns, and how they are made, as from `typed_columns`.
        stored: types as they are in the source.
        nothing: words for a missing value.
    """
    if not numbers:
        return frame
    written = {c: missing_word(nw.col(c), stored[c], nothing) for c in numbers}
    words = {f"cx_{c}_none": w for c, w in written.items() if w is not None}
    return frame.with_columns(**words, **numbers)
