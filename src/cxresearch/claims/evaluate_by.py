"""Claims on each segment of a study by itself, with all comparisons allowed for at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import polars as pl

from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.evaluate import Progress, TriedFamily, choose, try_family
from cxresearch.claims.family import Family, count_family
from cxresearch.claims.results import SYMBOLS, Docket
from cxresearch.claims.testability import required_columns
from cxresearch.claims.verdict_corrections import adjust_multiplicity
from cxresearch.engines import Engine
from cxresearch.errors import ArgumentError, nearest
from cxresearch.records.audit import Audit
from cxresearch.records.records import Records, read_records, study_of
from cxresearch.records.restrict import count_customers, restrict
from cxresearch.study import Study
from cxresearch.utils.checks import arguments, lookup, names, optional, text
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.notebook_progress import with_notebook_progress
from cxresearch.utils.result import Result


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SegmentDockets(Result, Mapping[str, Docket]):
    """Claims tried on each segment of a study.

    Attributes:
        by: the covariate whose levels the segments are, such as ``segment``.
        levels: the segments that were tried, in the order of the study.
        dockets: one per segment; verdicts allow for all claims of the study in all segments.
        too_small: how many segments have too few customers to be named.
        min_cell: fewer customers than this are too few.
        family: the claims that are judged together in all segments, whether they were asked for or not.
        has_looks: whether the study declares intervals that hold at every look: those of segments do not.
    """

    by: str
    levels: tuple[str, ...]
    dockets: tuple[Docket, ...]
    too_small: int
    min_cell: int
    family: Family
    has_looks: bool = False

    def __getitem__(self, level: str) -> Docket:
        """The docket of a segment."""
        return lookup(dict(zip(self.levels, self.dockets, strict=True)), level, self.by)

    def __iter__(self) -> Iterator[str]:
        return iter(self.levels)

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def audit(self) -> Audit:
        """Every row of the whole study accounted for."""
        return self.dockets[0].audit

    @property
    def comparisons(self) -> int:
        """How many verdicts are allowed for at once: claims times segments."""
        return self.family.size

    @property
    def note(self) -> str:
        """How many comparisons there are, how they are allowed for, and what is not shown, in sentences."""
        parts = [self.family.note]
        if self.too_small:
            few = f"{self.too_small:,} segment{'s' * (self.too_small != 1)}"
            parts.append(f"Not shown: {few} of fewer than {self.min_cell} customers.")
        if self.has_looks:
            parts.append("Of segments, intervals hold at a single look only.")
        return " ".join(parts)

    def to_polars(self) -> pl.DataFrame:
        """One row per segment and claim: the segment, then the columns of `Docket.to_polars`."""
        tables = [
            docket.to_polars().insert_column(0, pl.lit(level).alias(self.by))
            for level, docket in self.items()
        ]
        return pl.concat(tables, how="vertical_relaxed")

    def to_dict(self) -> dict[str, Any]:
        """The number of comparisons, and the documented JSON of each segment's docket by its name."""
        return {
            "by": self.by,
            "comparisons": self.comparisons,
            "multiplicity": self.family.method,
            "too_small": self.too_small,
            "note": self.note,
            "segments": {level: docket.to_dict() for level, docket in self.items()},
        }

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"

    def to_text(self) -> str:
        """The verdicts of each segment in sentences."""
        parts = [f"{self.by} {level}\n\n{docket}" for level, docket in self.items()]
        return "\n".join([*parts, self.note])

    def __str__(self) -> str:
        heads = ("claim", *self.levels)
        rows = [heads, *self._rows()]
        wide = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        lines = [
            "  ".join(f"{c:<{w}}" for c, w in zip(row, wide, strict=True)).rstrip() for row in rows
        ]
        marks = ", ".join(f"{symbol} {verdict}" for verdict, symbol in SYMBOLS.items())
        return "\n".join(
            [f"{self.dockets[0].study}, by {self.by}: {marks}", "", *lines, "", self.note]
        )

    def _rows(self) -> list[tuple[str, ...]]:
        """A row for each claim: in each segment the verdict that allows for all comparisons, and the number."""
        return [(claim, *(_cell(d, claim) for d in self.dockets)) for claim in self.dockets[0]]

    def _repr_html_(self) -> str:
        heads = ("claim", *self.levels)
        return html_table(
            f"{self.dockets[0].study}, by {self.by}", heads, self._rows(), (self.note,)
        )

    def __repr__(self) -> str:
        return f"SegmentDockets(by {self.by}: {', '.join(self.levels)}; {self.comparisons} comparisons)"


@with_notebook_progress
def evaluate_by(
    study: Study | Records,
    by: str = "segment",
    claims: Sequence[str] | None = None,
    *,
    engine: Engine | str = "polars",
    alone: bool = False,
    verdicts_only: bool = False,
    progress: Progress | None = None,
) -> SegmentDockets:
    """Try claims on the customers of each segment by themselves.

    The tables are read once; the audit of each docket is that of the whole study. All claims of the study in all
    segments are judged together, whichever are asked for, at the study's level and by its method for several claims.
    Segments with fewer customers than
    `min_cell` of the study are neither tried nor named. Claims about households cannot be tried where households have
    members in several segments.

    Args:
        study: a study, or its records if they are read already.
        by: the covariate whose levels are the segments.
        claims: ids; all of the catalogue and of the study when not given.
        engine: where the tables are read; ignored for records.
        alone: try nothing but what is asked for, and judge it at the error of the study divided by the number of all
            comparisons.
        verdicts_only: as of `evaluate`.
        progress: called with a line before each step.

    Raises:
        ClaimError: an unknown id.
        ArgumentError: the study has no such covariate, or no segment of it has customers enough.
        StudyError, SourceError, DataError, RuleError: as `read_records`.

    Example:
        >>> import cxresearch as cx
        >>> world = cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5))
        >>> study = cx.worlds.simulate(world, 1000, seed=1).study()
        >>> result = cx.evaluate_by(study, claims=["one-strike"], alone=True, verdicts_only=True)
        >>> result.comparisons == result.family.size == 28 * len(result)
        True
    """
    arguments(alone=alone, verdicts_only=verdicts_only)
    text("by", by)
    optional(progress=progress)
    say = progress or (lambda _: None)
    known = claims_of(study_of(study).claims)
    chosen = choose(known, None if claims is None else names("claims", claims))
    records = (
        study
        if isinstance(study, Records)
        else read_records(
            study, engine, required_columns=required_columns(chosen if alone else known)
        )
    )
    if by not in records.levels:
        levels_known = (
            ", ".join(records.levels) or "none: name segment or covariates under [retention]"
        )
        raise ArgumentError(
            "by",
            by,
            f"a covariate of the study's customers{nearest(by, records.levels)}; there are: {levels_known}",
        )
    min_cell = records.study.info.min_cell
    sizes = {level: n for level, n in count_customers(records, by).items() if n}
    levels = tuple(level for level, n in sizes.items() if n >= min_cell)
    if not levels:
        raise ArgumentError("by", by, f"a covariate with a level of at least {min_cell} customers")
    tried = []
    for level in levels:
        say(f"{by} {level}")
        tried.append(
            try_family(
                restrict(records, by, level),
                [c.id for c in chosen],
                alone=alone,
                verdicts_only=verdicts_only,
                progress=progress,
            )
        )
    family = replace(
        count_family(known, records.study, records.available, is_alone=alone), groups=len(levels)
    )
    return SegmentDockets(
        by=by,
        levels=levels,
        dockets=_judged(tried, family, 1 - records.study.decision.level),
        too_small=len(sizes) - len(levels),
        min_cell=min_cell,
        family=family,
        has_looks=records.study.decision.looks == "anytime",
    )


def _judged(tried: Sequence[TriedFamily], family: Family, alpha: float) -> tuple[Docket, ...]:
    """The dockets of groups of customers, with all claims in all of them judged together.

    A claim whose columns the study has and a group lacks counts there as what is not testable.
    """
    trials = [t for one in tried for t in one.trials]
    judged = iter(adjust_multiplicity(trials, family, alpha))
    return tuple(one.docket(list(islice(judged, len(one.trials))), family) for one in tried)


def _cell(docket: Docket, claim: str) -> str:
    """The verdict on a claim in a segment, as a symbol, and its number."""
    row = docket[claim].primary
    number = f" {row.unit.text(row.estimate.value)}" if row.estimate is not None else ""
    return f"{SYMBOLS[row.verdict]}{number}"
