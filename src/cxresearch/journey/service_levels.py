"""The six levels of service: how many moments reached each, and what grade that is in this study."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cxresearch.disclosure.counts import about, count_text, part_of, rounding_note
from cxresearch.disclosure.tables import levels_to_hide
from cxresearch.journey.touchpoints import attribute_records, tally_moments
from cxresearch.records.contacts import GRADES
from cxresearch.records.records import Records
from cxresearch.study import LEVELS_OF_SERVICE, Study
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Drawable, Result

_NAMES = (*LEVELS_OF_SERVICE, "unknown")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ServiceLevels(Result, Drawable):
    """How many moments reached each level of service.

    Attributes:
        levels: shape (7,): criminal, basic, expected, desired, surprising, unbelievable, unknown.
        counts: shape (7,): moments of each; None where hidden.
        shares: shape (7,): of all moments; None where hidden.
        counts_as: shape (7,): the grade, such as ``bad``; where several occur the most frequent, such as
            ``mostly good``; ``–`` where there is no such moment.
        grades: shape (7, 4): moments of each level that are bad, neutral, good, unknown; None where hidden.
        moments: contacts in all.
        min_cell: the smallest count shown.
    """

    levels: tuple[str, ...]
    counts: tuple[int | None, ...]
    shares: tuple[float | None, ...]
    counts_as: tuple[str, ...]
    grades: tuple[tuple[int | None, ...], ...]
    moments: int
    min_cell: int

    def to_polars(self) -> pl.DataFrame:
        """One row per level: level, moments, share, counts_as, and its moments by grade."""
        columns = {
            "level": self.levels,
            "moments": self.counts,
            "share": self.shares,
            "counts_as": self.counts_as,
        }
        by_grade = dict(zip(GRADES, zip(*self.grades, strict=True), strict=True))
        numbers = dict.fromkeys(("moments", *GRADES), pl.Int64) | {"share": pl.Float64}
        return pl.DataFrame({**columns, **by_grade}, schema_overrides=numbers)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{count_text(n, self.min_cell)} {v}"
            for v, n in zip(self.levels, self.counts, strict=True)
        )
        return f"ServiceLevels({count_text(self.moments, self.min_cell)} moments: {counts})"

    def _repr_html_(self) -> str:
        parts = (
            "–" if n is None else f"{part_of(n, self.moments, self.min_cell):.1%}"
            for n in self.counts
        )
        counts = (count_text(n, self.min_cell) for n in self.counts)
        rows = zip(self.levels, counts, parts, self.counts_as, strict=True)
        hidden = f"Counts below {self.min_cell} are not shown, nor what would give them away."
        return html_table(
            f"Levels of service of {about(self.moments, self.min_cell)} moments",
            ("level", "moments", "share", "counts as"),
            rows,
            (rounding_note(self.min_cell), hidden if None in self.counts else ""),
        )


def service_levels(study: Study | Records) -> ServiceLevels:
    """Count the moments by level of service; those without one are a separate class.

    Below expected is bad, expected neutral and above good, unless the study grades by a rule or a column of its own;
    `ServiceLevels.counts_as` gives the grade of each level.

    Args:
        study: a study, or its records.

    Raises:
        NotTestable: the log has no level of service.
        EstimationError: records that were read without it.
        SourceError, DataError: as `cxresearch.audit`.

    References:
        Ron Kaufman, Uplifting Blog, on six levels of service.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a"] * 3, "at": [2, 3, 4], "level": ["basic", "surprising", None]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [None]})
        >>> study = cx.study_from({"study": {"min_cell": 1}}, interactions=log, retention=who)
        >>> result = cx.journey.service_levels(study)
        >>> result.counts, result.counts_as[1], result.counts_as[4]
        ((0, 1, 0, 0, 1, 0, 1), 'bad', 'good')
    """
    records = attribute_records(study, "level")
    by = {
        (level, grade): n
        for level, grade, n in tally_moments(records, "level", "grade").iter_rows()
    }
    codes = (*range(len(LEVELS_OF_SERVICE)), -1)
    grades = [[by.get((code, g), 0) for g in range(len(GRADES))] for code in codes]
    min_cell, totals = records.study.info.min_cell, [sum(row) for row in grades]
    gone, moments = levels_to_hide(by, codes, len(GRADES), min_cell), sum(totals)
    counts = tuple(None if code in gone else n for code, n in zip(codes, totals, strict=True))
    return ServiceLevels(
        levels=_NAMES,
        counts=counts,
        shares=tuple(None if n is None else n / moments for n in counts),
        counts_as=tuple(_grade(row) for row in grades),
        grades=tuple(
            tuple(None if (code, g) in gone else n for g, n in enumerate(row))
            for code, row in zip(codes, grades, strict=True)
        ),
        moments=moments,
        min_cell=min_cell,
    )


def _grade(counts: list[int]) -> str:
    """What the moments of a level count as."""
    result = sorted((-n, g) for g, n in zip(GRADES, counts, strict=True) if n)
    if not result:
        return "–"
    return result[0][1] if len(result) == 1 else f"mostly {result[0][1]}"
