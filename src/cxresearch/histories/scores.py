"""Histories of the scores that customers gave: the worst, the mean and the last so far, in fifths of the scale."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.histories.base import History, Past, RunningColumns, band, graded_instant
from cxresearch.records.contact_attributes import SCORE_STEPS

_FIFTHS = 5
_EDGES = tuple(
    SCORE_STEPS * i // _FIFTHS for i in range(1, _FIFTHS)
)  # the top of the scale belongs to the highest fifth
_LEVELS = ("none", *(str(i + 1) for i in range(_FIFTHS)), "unknown")
_UNKNOWN = len(_LEVELS) - 1


def worst_score() -> History:
    """The fifth of the scale in which the worst score so far lies.

    Contacts without a score are passed over.

    Returns:
        The history; its levels are ``none``, ``1`` (lowest) to ``5`` and, for customers whose beginnings the log does
        not show, ``unknown``.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "stars": [2, 5, 3]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> scores = {"score": "stars", "scale": [1, 5], "log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": scores}, interactions=log, retention=who)
        >>> past = cx.histories.worst_score()
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 9, '2')]
    """

    def updates(past: Past) -> list[Frame]:
        return [_scored(past).select("customer", "tick", worst=nw.col("score"))]

    def level(run: RunningColumns) -> nw.Expr:
        worst = run.column("worst")
        seen = nw.when(worst.is_null()).then(nw.lit(0)).otherwise(1 + band(worst, _EDGES))
        return nw.when(run.left_truncated == 1).then(nw.lit(_UNKNOWN)).otherwise(seen)

    return History(
        name="worst_score()",
        levels=_LEVELS,
        required_columns=("score",),
        updates=updates,
        fold={"worst": "min"},
        code=level,
    )


def mean_score() -> History:
    """The fifth of the scale in which the mean of all scores so far lies.

    Whole numbers are compared, so that a mean at an edge is in the upper fifth on every engine. Contacts without a
    score are passed over.

    Returns:
        The history; its levels are ``none``, ``1`` (lowest) to ``5`` and, for customers whose beginnings the log does
        not show, ``unknown``.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "stars": [2, 5, 3]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> scores = {"score": "stars", "scale": [1, 5], "log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": scores}, interactions=log, retention=who)
        >>> past = cx.histories.mean_score()
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 4, '2'), (4, 6, '4'), (6, 9, '3')]
    """

    def updates(past: Past) -> list[Frame]:
        return [_scored(past).select("customer", "tick", total=nw.col("score"), n=nw.lit(1))]

    def level(run: RunningColumns) -> nw.Expr:
        total, n = run.column("total"), run.column("n")
        fifth = sum(((total >= e * n).cast(nw.Int64) for e in _EDGES), start=nw.lit(1))
        seen = nw.when(n == 0).then(nw.lit(0)).otherwise(fifth)
        return nw.when(run.left_truncated == 1).then(nw.lit(_UNKNOWN)).otherwise(seen)

    return History(
        name="mean_score()",
        levels=_LEVELS,
        required_columns=("score",),
        updates=updates,
        fold={"total": "sum", "n": "sum"},
        code=level,
    )


def last_score() -> History:
    """The fifth of the scale in which the last score so far lies.

    Contacts without a score are passed over. Within one second the worse grade comes first, and then the lower score.

    Returns:
        The history; its levels are ``none``, ``1`` (lowest) to ``5`` and ``unknown``, which holds until the first score
        seen of a customer whose beginnings the log does not show.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "stars": [2, 5, 3]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> scores = {"score": "stars", "scale": [1, 5], "log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": scores}, interactions=log, retention=who)
        >>> past = cx.histories.last_score()
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 4, '2'), (4, 6, '5'), (6, 9, '3')]
    """

    def updates(past: Past) -> list[Frame]:
        last = graded_instant() * (SCORE_STEPS + 1) + nw.col("score")
        return [_scored(past).select("customer", "tick", last=last)]

    def level(run: RunningColumns) -> nw.Expr:
        last = run.column("last")
        none = nw.when(run.left_truncated == 1).then(nw.lit(_UNKNOWN)).otherwise(nw.lit(0))
        return (
            nw.when(last.is_null()).then(none).otherwise(1 + band(last % (SCORE_STEPS + 1), _EDGES))
        )

    return History(
        name="last_score()",
        levels=_LEVELS,
        required_columns=("second", "grade", "score"),
        updates=updates,
        fold={"last": "last"},
        code=level,
    )


def _scored(past: Past) -> Frame:
    return past.moments.filter(nw.col("score") >= 0)
