"""Shares of graded moments so far: the customer's proneness, as far as it shows."""

from __future__ import annotations

from functools import reduce
from operator import and_

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.errors import EstimationError
from cxresearch.histories.base import History, Past, RunningColumns, band
from cxresearch.histories.counts import EXPECTATIONS_OF, grade_code, wanted_values
from cxresearch.records.contacts import GRADES
from cxresearch.utils.checks import optional

_EXACT = 8
_BANDS = (
    9,
    13,
    21,
    41,
    81,
)  # numbers of moments beyond, in which shares are distinguished by tenths
_MIDDLES = (10.5, 16.0, 29.0, 57.0, 120.0)
_FIRST_BAND = (_EXACT + 1) * (_EXACT + 2) // 2
_SHARES = (
    *((n, a) for n in range(_EXACT + 1) for a in range(n + 1)),
    *((n, n * (tenth + 0.5) / 10) for n in _MIDDLES for tenth in range(10)),
)


def graded_share(
    grade: str | None = None,
    among: tuple[str, ...] | None = None,
    attended: bool | None = None,
    is_problem: bool | None = None,
    handoff: bool | None = None,
    respect: str | None = None,
    solutions: str | None = None,
    simplicity: str | None = None,
    responsibility: str | None = None,
) -> History:
    """How many of the graded moments so far were of a kind: what a customer is inclined to, as far as it shows.

    Args:
        grade: bad, neutral, good or unknown; of the kind.
        among: grades that count at all; all but unknown when not given.
        attended: as `moment_count`, of the kind.
        is_problem: as `moment_count`.
        handoff: as `moment_count`.
        respect: as `moment_count`; moments without a score for it do not count at all.
        solutions: see `respect`.
        simplicity: see `respect`.
        responsibility: see `respect`.

    Returns:
        The history. Its levels are numbers such as ``2/5``: two of five. Up to eight moments they are exact; beyond,
        they stand for bands of the number and tenths of the share. ``unknown`` for customers whose beginnings the log
        does not show.

    Raises:
        EstimationError: nothing is asked for or counts, no such grade, or something else than true, false, kept or
            failed.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.graded_share("bad")
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, '0/0'), (1, 4, '1/1'), (4, 6, '1/2'), (6, 9, '2/3')]
    """
    optional(grade=grade, among=among)
    given = {
        "grade": grade, "attended": attended, "is_problem": is_problem, "handoff": handoff, "respect": respect,
        "solutions": solutions, "simplicity": simplicity, "responsibility": responsibility,
    }  # fmt: skip
    wanted = wanted_values(given)
    if not wanted:
        raise EstimationError("a share needs something to count, such as grade = 'bad'")
    counted = tuple(grade_code(g) for g in (GRADES[:-1] if among is None else among))
    if not counted:
        raise EstimationError("among must name a grade at least, such as ('bad', 'good')")
    known = tuple(name for name in wanted if name in EXPECTATIONS_OF)
    levels = (*(f"{a:g}/{n:g}" for n, a in _SHARES), "unknown")

    def updates(past: Past) -> list[Frame]:
        every = past.graded.filter(nw.col("grade").is_in(list(counted)))
        for column in known:
            every = every.filter(nw.col(column) >= 0)
        kind = [nw.col(column) == value for column, value in wanted.items()]
        hit = nw.when(reduce(and_, kind)).then(nw.lit(1)).otherwise(nw.lit(0))
        return [every.select("customer", "tick", n=nw.lit(1), hits=hit)]

    def level(run: RunningColumns) -> nw.Expr:
        n, hits = run.column("n"), run.column("hits")
        exact = (n * (n + 1) - (n * (n + 1)) % 2) // 2 + hits
        tenth = (10 * hits - (10 * hits) % nw.max_horizontal(n, nw.lit(1))) // nw.max_horizontal(
            n, nw.lit(1)
        )
        tenth = nw.min_horizontal(tenth, nw.lit(9))
        place = nw.when(n <= _EXACT).then(exact)
        coarse = _FIRST_BAND + 10 * band(n, _BANDS[1:]) + tenth
        return (
            nw.when(run.left_truncated == 1)
            .then(nw.lit(len(levels) - 1))
            .otherwise(place.otherwise(coarse))
        )

    conditions = ", ".join(f"{name} {value}" for name, value in sorted(wanted.items()))
    name = f"graded_share({conditions}; among {list(counted)})"
    required_columns = ("grade", *(c for c in wanted if c != "grade"))
    return History(
        name=name,
        levels=levels,
        required_columns=required_columns,
        updates=updates,
        fold={"n": "sum", "hits": "sum"},
        code=level,
        grades=counted,
    )
