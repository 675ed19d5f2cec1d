"""What became of the rival explanations of a number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from cxresearch.claims.decide import Verdict
from cxresearch.claims.units import Unit
from cxresearch.estimators.results import Estimate
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Result, plain

RivalStatus = Literal[
    "required",
    "survived",
    "keeps it open",
    "held equal",
    "shown",
    "dismissed",
    "not required",
    "cannot be tested",
    "aliased",
    "meaningless",
]


RIVAL_SIGNS: dict[RivalStatus, str] = {
    "required": "?",
    "survived": "✔",
    "keeps it open": "?",
    "held equal": "=",
}  # of other states there is nothing to mark
_RIVAL_KINDS: dict[str, Any] = {
    "label": pl.String,
    "lead_days": pl.Int64,
    **dict.fromkeys(("estimate", "ci_low", "ci_high"), pl.Float64),
    **dict.fromkeys(("unit", "verdict", "lacks"), pl.String),
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RivalRow(Result):
    """A number under a rival explanation.

    Attributes:
        label: what is done, in plain words.
        lead_days: so many days before are left aside; 0 for none.
        estimate: the number; None where it could not be computed.
        unit: as `ReadingResult.unit`; None where there is no number.
        verdict: of its interval by itself; of a negative control, supported if it makes no difference that shows.
        lacks: what the study lacks for it; else empty.
        code: why it could not be computed, a key of `errors.NOT_TESTABLE`; else empty.
    """

    label: str
    lead_days: int
    estimate: Estimate | None
    unit: Unit | None
    verdict: Verdict
    lacks: str
    code: str = ""

    @property
    def text(self) -> str:
        """The number with its interval, or that there is none."""
        e = self.estimate
        if e is None or self.unit is None:
            return "not computed"
        return f"{self.unit.text(e.value)} ({self.unit.interval_text(e.low, e.high)})"

    def to_dict(self) -> dict[str, Any]:
        """As an entry of the documented JSON: label, lead, number, limits, unit, verdict, what is lacking."""
        return {
            "label": self.label,
            "lead_days": self.lead_days,
            "estimate": finite(self.estimate, "value"),
            "ci_low": finite(self.estimate, "low"),
            "ci_high": finite(self.estimate, "high"),
            "unit": plain(self.unit),
            "verdict": self.verdict,
            "lacks": self.lacks or None,
        }

    def to_polars(self) -> pl.DataFrame:
        """One row, in the columns of the documented JSON."""
        return pl.DataFrame([self.to_dict()], schema_overrides=_RIVAL_KINDS)

    def __repr__(self) -> str:
        return f"RivalRow({self.label!r}: {self.text}, {self.verdict})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RivalOutcome(Result):
    """A rival explanation of a number, tried.

    Attributes:
        id: short name, such as ``already-leaving``.
        title: what it is called.
        plain: what it is, in plain words.
        status: ``survived``, ``keeps it open``, ``held equal`` (in the model itself), ``shown``, ``dismissed`` (by what
            the study declares), ``not required``, ``cannot be tested``, ``aliased`` (not separable from what the
            claim asks about) or ``meaningless``.
        reason: why, in a sentence.
        rows: its numbers; may be empty.
    """

    id: str
    title: str
    plain: str
    status: RivalStatus
    reason: str
    rows: tuple[RivalRow, ...]

    @property
    def is_required(self) -> bool:
        """Whether a verdict must survive it."""
        return self.status in ("required", "survived", "keeps it open")

    def to_polars(self) -> pl.DataFrame:
        """One row per number, with the rival and its status; a rival without numbers is one row."""
        rows = [r.to_dict() for r in self.rows] or [dict.fromkeys(_RIVAL_KINDS)]
        data = [{"rival": self.id, "status": self.status} | r for r in rows]
        return pl.DataFrame(data, schema={"rival": pl.String, "status": pl.String} | _RIVAL_KINDS)

    def _repr_html_(self) -> str:
        return rivals_table((self,))

    def __repr__(self) -> str:
        numbers = "".join(f", {r.label}: {r.text}" for r in self.rows)
        return f"RivalOutcome({self.id!r}: {self.status}{numbers})"


def rivals_table(rivals: Iterable[RivalOutcome]) -> str:
    """Other explanations and their numbers, a row each."""
    rows = []
    for r in rivals:
        status = f"{RIVAL_SIGNS.get(r.status, '–')} {r.status}"
        rows += [(r.title, status, row.label, row.text) for row in r.rows] or [
            (r.title, status, r.reason, "–")
        ]
    return html_table(
        "What else could explain it", ("other explanation", "result", "how", "estimate"), rows
    )


def finite(result: Estimate | None, field: str) -> float | None:
    """A field of an estimate; None where there is no estimate, or no finite number."""
    value = getattr(result, field) if result is not None else None
    return None if value is None or not math.isfinite(value) else float(value)
