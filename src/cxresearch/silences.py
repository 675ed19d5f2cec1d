"""How many customers come back after a silence of each length, and which silence to take for a lapse."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.disclosure.counts import MIN_CELL, round_count, round_estimate, rounding_note
from cxresearch.engines import Engine
from cxresearch.errors import NotTestable
from cxresearch.estimators.intervals import cloglog, inverse_cloglog, quantile
from cxresearch.records.lapses import (
    FALSE_LAPSES,
    Lapse,
    SilenceCurve,
    Threshold,
    candidates,
    count_silences,
    measure,
    propose_gap,
)
from cxresearch.records.records import Records, read_records, study_of
from cxresearch.study import Study
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY, Drawable, Result

__all__ = ["Gaps", "Silence", "gaps"]

LENGTHS = (1, 2, 3, 5, 7, 14, 21, 30, 45, 60, 90, 120, 150, 180, 270, 365, 540, 730)  # days
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(Result):
    """A length of silence.

    Attributes:
        days: the length.
        silences: in the log, that lasted longer.
        followed: known to have lasted twice as long; with fewer than 20 the share is not known.
        returned: share of the silent for so long who come back within as long again, by Kaplan and Meier.
        low: lower limit, at 95%.
        high: upper limit.
    """

    days: int
    silences: int
    followed: int
    returned: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Gaps(Result, Drawable):
    """How many customers come back after a silence.

    Attributes:
        study: its name.
        declared: the gap that the study declares, in days.
        counted: the silence that counts as a lapse.
        is_certain: whether fewer than one in twenty come back after it within as long again.
        proposed: the shortest length from which on so few come back; None where the log shows none.
        silences: shape (K,): by length, rising.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    study: str
    declared: int
    counted: int
    is_certain: bool
    proposed: int | None
    silences: tuple[Silence, ...]
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def publishable(self) -> Gaps:
        """As it may be shown: lengths of which so few silences are known are left out, and the others rounded."""
        enough = (s for s in self.silences if s.followed >= self.min_cell)
        return replace(self, silences=tuple(self._rounded(s) for s in enough))

    def _rounded(self, s: Silence) -> Silence:
        silences, followed = (round_count(n, self.min_cell) for n in (s.silences, s.followed))
        returned, low, high = round_estimate(
            s.returned,
            s.low,
            s.high,
            customers=followed,
            min_cell=self.min_cell,
            edges=(FALSE_LAPSES,),
        )
        return replace(
            s, silences=silences, followed=followed, returned=returned, low=low, high=high
        )

    @property
    def advice(self) -> str:
        """The gap in words, by the table."""
        limit = f"{FALSE_LAPSES:.0%}"
        said = (
            f"From {self.proposed:,} days of silence on, fewer than {limit} come back within as long again."
            if self.proposed is not None
            else f"After no silence that the log can tell of do fewer than {limit} come back within as long again: "
            "a silence is not known to be an end, and claims are about silence."
        )
        longer = (
            "" if self.counted == self.declared else f", longer than the {self.declared:,} declared"
        )
        return f"{said} What counts as a lapse are {self.counted:,} days{longer}."

    def to_polars(self) -> pl.DataFrame:
        """One row per length."""
        return pl.concat([s.to_polars() for s in self.silences])

    def __str__(self) -> str:
        head = ("silent for", "silences", "come back within as long again", "95% from", "to")
        rows = [head, *(_cells(s) for s in self.silences)]
        wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(x.rjust(w) for x, w in zip(row, wide, strict=True)).rstrip() for row in rows
        ]
        return "\n".join([*lines, "", self.advice])

    def __repr__(self) -> str:
        proposed = "none" if self.proposed is None else f"{self.proposed} days"
        return f"Gaps({self.study!r}: {self.counted} days count, proposed {proposed})"

    def to_json(self) -> str:
        """The values of `to_dict`, as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def _repr_html_(self) -> str:
        head = ("silent for", "silences", "come back within as long again", "95% from", "to")
        shown = self.publishable().silences
        notes = (self.advice, rounding_note(self.min_cell))
        return html_table("Who comes back", head, map(_cells, shown), notes)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: the study, the gaps, and a row per length."""
        return {
            "study": self.study,
            "declared_days": self.declared,
            "counted_days": self.counted,
            "is_certain": self.is_certain,
            "proposed_days": self.proposed,
            "silences": [s.to_dict() for s in self.silences],
        }


def _cells(s: Silence) -> tuple[str, str, str, str, str]:
    share = tuple(f"{x:.1%}" for x in (s.returned, s.low, s.high))
    return f"{s.days:,} days", f"{s.silences:,}", *share  # type: ignore[return-value]


def gaps(study: Study | Records, *, engine: Engine | str = "polars") -> Gaps:
    """Measure how many customers come back after a silence, with those who are silent at the log's end censored.

    Args:
        study: a study whose retention is derived from contacts, or its records.
        engine: where the log is read; ignored for records.

    Raises:
        NotTestable: the study has contracts.
        SourceError, DataError, RuleError: as `read_records`.

    Example:
        >>> import cxresearch as cx
        >>> made = cx.worlds.simulate(cx.worlds.World(), 300, seed=1)
        >>> log = {"score": "stars", "scale": [1, 5]}
        >>> settings = {"interactions": log, "retention": {"kind": "activity", "gap_days": 60}}
        >>> found = cx.silences.gaps(cx.study_from(settings, interactions=made.interactions))
        >>> found.declared, [s.days for s in found.silences][:3]
        (60, [1, 2, 3])
    """
    if study_of(study).retention.kind != "activity":
        raise NotTestable("other_kind", "retention derived from the contacts, which gaps are about")
    records = (
        study if isinstance(study, Records) else read_records(study, engine, required_columns=())
    )
    lapse = records.lapse
    assert lapse is not None  # of such a study
    curve = _curve(records)
    known = [t for t in (measure(curve, d) for d in _lengths(lapse, curve)) if t.is_known]
    return Gaps(
        study=records.study.name,
        declared=lapse.declared,
        counted=lapse.days,
        is_certain=lapse.is_certain,
        proposed=propose_gap(curve, [t.days for t in known]),
        silences=tuple(_silence(t) for t in known),
        min_cell=records.study.info.min_cell,
    )


def _curve(records: Records) -> SilenceCurve:
    x = records.moments
    if "active" in x.collect_schema().names():
        x = x.filter(nw.col("active") == 1)
    x = x.select("day", id=nw.col("customer"))
    return count_silences(x, records.window, records.engine)


def _lengths(lapse: Lapse, curve: SilenceCurve) -> list[int]:
    """Tidy lengths and those that are tried, as far as the log reaches."""
    return sorted({d for d in (*LENGTHS, *candidates(lapse.declared)) if 2 * d < len(curve.ended)})


def _silence(t: Threshold) -> Silence:
    share, se = t.returned or 0.0, t.se or 0.0
    if 0 < share < 1 and se > 0:
        half = quantile(_LEVEL, 0) * se / ((1 - share) * -math.log1p(-share))
        low, high = (inverse_cloglog(cloglog(share) + side * half) for side in (-1, 1))
    else:  # nobody comes back: as many could as would still leave nobody in one log of twenty
        low, high = share, max(share, 1 - (1 - _LEVEL) ** (1 / max(t.followed, 1)))
    return Silence(
        days=t.days, silences=t.silences, followed=t.followed, returned=share, low=low, high=high
    )
