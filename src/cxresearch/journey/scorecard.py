"""The scorecard of the four expectations: how often each function kept them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.disclosure.counts import count_text
from cxresearch.disclosure.counts import hide as hide_counts
from cxresearch.disclosure.tables import cells_to_hide
from cxresearch.errors import EstimationError, NotTestable, UnknownNameError, nearest
from cxresearch.estimators.results import Estimate, wilson
from cxresearch.journey.touchpoints import (
    MOST,
    TouchpointGroup,
    attribute_records,
    has_column,
    places_of,
)
from cxresearch.records.contact_attributes import EXPECTATIONS
from cxresearch.records.records import Records
from cxresearch.study import Study
from cxresearch.utils.checks import arguments, lookup
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Drawable, Result

_BY = ("owner", "touchpoint", "channel")
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Score(Result):
    """One cell of a scorecard.

    Attributes:
        of: the function, or ``all``.
        expectation: respect, solutions, simplicity or responsibility.
        answered: moments of which it is known; None where hidden.
        kept: share of them in which it was kept, with Wilson's interval; None where hidden or never answered.
    """

    of: str
    expectation: str
    answered: int | None = field(repr=False)
    kept: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Scorecard(Result, Drawable):
    """How often each function kept each expectation.

    Attributes:
        by: what the rows are: ``owner``, ``touchpoint`` or ``channel``.
        rows: shape (R,): by the number of moments; the last is ``all``.
        moments: shape (R,): contacts of each.
        expectations: shape (C,): those of which the log has answers.
        scores: shape (R · C,): row by row.
        lacks: expectations of which the log has none.
        level: confidence level.
        min_cell: the smallest count shown.
    """

    by: str
    rows: tuple[str, ...]
    moments: tuple[int, ...]
    expectations: tuple[str, ...]
    scores: tuple[Score, ...]
    lacks: tuple[str, ...]
    level: float
    min_cell: int

    def __getitem__(self, cell: tuple[str, str]) -> Score:
        """The cell of a row and an expectation.

        Raises:
            UnknownNameError: there is no such row or expectation.
        """
        if not isinstance(cell, tuple) or len(cell) != 2:
            raise UnknownNameError(cell, self.rows, what="cell: give a row and an expectation, not")
        of_row = [
            s
            for s in self.scores
            if s.of == lookup({s.of: s.of for s in self.scores}, cell[0], "row")
        ]
        return lookup({s.expectation: s for s in of_row}, cell[1], "expectation")

    def to_polars(self) -> pl.DataFrame:
        """One row per cell: who, expectation, moments answered, share kept with its limits."""
        moments = dict(zip(self.rows, self.moments, strict=True))
        rows = [
            (
                s.of,
                moments[s.of],
                s.expectation,
                s.answered,
                *(_limits(s.kept) if s.kept else (None,) * 3),
            )
            for s in self.scores
        ]
        kinds = {
            self.by: pl.String,
            "moments": pl.Int64,
            "expectation": pl.String,
            "answered": pl.Int64,
        }
        return pl.DataFrame(
            rows, {**kinds, **dict.fromkeys(("kept", "low", "high"), pl.Float64)}, orient="row"
        )

    def __repr__(self) -> str:
        return f"Scorecard({', '.join(self.expectations)} by {self.by}: {', '.join(self.rows)})"

    def _repr_html_(self) -> str:
        notes = (
            f"Limits at {self.level:.0%}.",
            f"Cells that would show fewer than {self.min_cell} moments are left out, and what would give them away."
            if any(s.kept is None for s in self.scores)
            else "",
            f"The log does not tell {', '.join(self.lacks)}." if self.lacks else "",
        )
        heads, width = (self.by, *self.expectations), len(self.expectations)
        rows = [
            (name, self.scores[i * width : (i + 1) * width]) for i, name in enumerate(self.rows)
        ]
        kept = html_table(
            f"Expectations kept, by {self.by}",
            heads,
            [(n, *(_kept(s) for s in cells)) for n, cells in rows],
            notes,
        )
        answered = [
            (
                n,
                count_text(m, self.min_cell),
                *(count_text(s.answered, self.min_cell) for s in cells),
            )
            for (n, cells), m in zip(rows, self.moments, strict=True)
        ]
        return kept + html_table(
            "Moments, and those with an answer", (self.by, "moments", *self.expectations), answered
        )


def scorecard(study: Study | Records, *, by: str = "owner", most: int = MOST) -> Scorecard:
    """How often each function kept the four expectations: respect, solutions, simplicity, responsibility.

    An expectation is kept where its answer does not lie below the middle of its scale. Moments without an answer are
    counted, and are in no share. The moments of one customer are alike, so Wilson's interval rests on as many moments
    as they are worth.

    Args:
        study: a study, or its records.
        by: ``owner`` (the function responsible), ``touchpoint`` or ``channel``.
        most: functions at most; the rarest beyond are put together.

    Returns:
        The scorecard; functions with few moments or customers are put together as ``other``.

    Raises:
        NotTestable: the log names no owner, has none of the four expectations, or no owner is frequent enough.
        EstimationError: `by` is something else, or records that were read without these columns.
        SourceError, DataError: as `cxresearch.audit`.

    References:
        Wilson (1927), Journal of the American Statistical Association 22, 209-212; Korn & Graubard (1998), Survey
        Methodology 24, 193-201, on the effective number.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = {"customer": ["a"] * 4, "at": [2, 3, 4, 5], "grade": ["good"] * 4}
        >>> log |= {"owner": ["care"] * 4, "respect": [1, 4, 5, None]}
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [None]})
        >>> raw = {"study": {"min_cell": 1}, "interactions": {"expectations_scale": [1, 5]}}
        >>> card = cx.journey.scorecard(cx.study_from(raw, interactions=pl.DataFrame(log), retention=who))
        >>> card["care", "respect"].answered, round(card["care", "respect"].kept.value, 2)
        (3, 0.67)
    """
    arguments(by=by, most=most)
    if by not in _BY:
        raise EstimationError(f"by must be one of {', '.join(_BY)}, was {by!r}{nearest(by, _BY)}")
    records = attribute_records(study, by, EXPECTATIONS)
    result = tuple(e for e in EXPECTATIONS if has_column(records, e))
    if not result:
        raise NotTestable(
            "missing_column",
            "answers to the four expectations: name a column of numbers for respect, solutions, simplicity or "
            "responsibility under [interactions], and their scale, as in expectations_scale = [1, 5]",
        )
    places, settings = places_of(records, by, most=most), records.study
    cells = {e: _column(records, by, e, places, settings.decision.level) for e in result}
    rows = (
        *(p.name for p in places),
        _ALL if _ALL not in records.names[by] else f"{_ALL} together",
    )
    moments = [p.moments for p in places]
    scores = tuple(Score(name, e, *cells[e][i]) for i, name in enumerate(rows) for e in result)
    lacks = tuple(e for e in EXPECTATIONS if e not in result)
    return Scorecard(
        by=by,
        rows=rows,
        moments=(*moments, sum(moments)),
        expectations=result,
        scores=scores,
        lacks=lacks,
        level=settings.decision.level,
        min_cell=settings.info.min_cell,
    )


def _column(
    records: Records, by: str, expectation: str, places: Sequence[TouchpointGroup], level: float
) -> list[tuple[int | None, Estimate | None]]:
    """Moments answered and share kept, by place, those of all last."""
    min_cell = records.study.info.min_cell
    everywhere = tuple(p for place in places for p in place.positions)
    answers = [
        _answers(records, by, expectation, p)
        for p in (*(place.positions for place in places), everywhere)
    ]
    counts = [
        (sum(f * n for (f, _), n in a.items()), sum(k * n for (_, k), n in a.items()))
        for a in answers
    ]
    hide = [
        h
        for part in (counts[:-1], counts[-1:])
        for h in cells_to_hide(part, min_cell).max(axis=1).tolist()
    ]
    answered = [
        *hide_counts([f + k for f, k in counts[:-1]], min_cell),
        *hide_counts([sum(counts[-1])], min_cell),
    ]
    scores = []
    for (failed, kept), shown_count, hide_it, a in zip(
        counts, answered, hide, answers, strict=True
    ):
        share = (
            None if hide_it or not shown_count else wilson(kept / (failed + kept), _worth(a), level)
        )
        scores.append((shown_count, share))
    return scores


def _answers(
    records: Records, by: str, expectation: str, positions: Sequence[int]
) -> dict[tuple[int, int], int]:
    """How many customers had so many moments there in which it failed, and so many in which it was kept."""
    result: dict[tuple[int, int], int] = {}
    for part in (make() for make in records.parts()):
        x = part.moments.filter(nw.col(by).is_in(list(positions)) & (nw.col(expectation) >= 0))
        each = x.group_by("customer").agg(
            kept=nw.col(expectation).cast(nw.Int64).sum(),
            answered=nw.col(expectation).count().cast(nw.Int64),
        )
        counted = records.engine.tally(
            records.engine.keep(each.select("kept", "answered")), ("kept", "answered")
        )
        for kept, answered, n in counted.iter_rows():
            key = (int(answered) - int(kept), int(kept))
            result[key] = result.get(key, 0) + int(n)
    return result


def _worth(answers: Mapping[tuple[int, int], int]) -> float:
    """How many independent moments would say as much: p(1 - p) over the variance between customers; at most all.

    Where all were kept or all failed, that variance is zero, and a customer counts once.
    """
    total = sum((f + k) * n for (f, k), n in answers.items())
    kept = sum(k * n for (_, k), n in answers.items())
    p = kept / total if total else 0.0
    if not 0 < p < 1:
        return float(sum(answers.values()))
    spread = sum(n * (k - p * (f + k)) ** 2 for (f, k), n in answers.items())
    return min(float(total), p * (1 - p) * total**2 / spread) if spread else float(total)


def _kept(score: Score) -> str:
    if score.kept is None:
        return "–" if score.answered == 0 else "not shown"
    kept, low, high = _limits(score.kept)
    return f"{kept:z.1%} ({low:z.1%} to {high:z.1%})"


def _limits(result: Estimate) -> tuple[float, float, float]:
    return result.value, result.low, result.high
