"""Claims before and after a change, such as a new system or a campaign, and how much their numbers differ."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.evaluate import Progress, choose, evaluate
from cxresearch.claims.results import SYMBOLS, Docket, estimate_text
from cxresearch.claims.testability import required_columns
from cxresearch.claims.units import Unit
from cxresearch.engines import Engine
from cxresearch.errors import ArgumentError
from cxresearch.estimators.results import Estimate
from cxresearch.records.audit_values import Day
from cxresearch.records.records import Records, read_records, study_of
from cxresearch.records.restrict import restrict_days
from cxresearch.study import Study
from cxresearch.utils.checks import arguments, names, optional
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.notebook_progress import with_notebook_progress
from cxresearch.utils.result import Result

_CAUTION = (
    "A difference says that the number changed, not what changed it: "
    "other things may have changed at the same time."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Result):
    """How much the number of a claim differs between two periods.

    Attributes:
        claim: id.
        unit: of the numbers.
        difference: after less before; of ratios, after over before. None where a period has no number.
        low: lower limit, at the level of the study.
        high: upper limit.
    """

    claim: str
    unit: Unit
    difference: float | None
    low: float | None
    high: float | None

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves out that nothing has changed."""
        if self.low is None or self.high is None:
            return False
        nothing = 1.0 if self.unit.is_ratio else 0.0
        return self.high < nothing or self.low > nothing

    def __str__(self) -> str:
        if self.difference is None or self.low is None or self.high is None:
            return "–"
        if self.unit.is_ratio:
            return f"× {self.difference:.2f} ({self.low:.2f} to {self.high:.2f})"
        # a difference of shares, or of what is a difference itself, is written as one
        unit = Unit.DIFFERENCE if self.unit is Unit.SHARE else self.unit
        return f"{unit.text(self.difference)} ({unit.interval_text(self.low, self.high)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChangeDockets(Result):
    """Claims tried on the days before a change and on those after it.

    Attributes:
        since: the first day after the change.
        until: the last day that is looked at; None for the end of the log.
        before: the docket of the days before.
        after: the docket of the days from the change on.
        changes: one per claim, in the order asked for.
    """

    since: date | int
    until: date | int | None
    before: Docket
    after: Docket
    changes: tuple[Change, ...]

    @property
    def audit(self) -> Any:
        """Every row of the whole study accounted for."""
        return self.before.audit

    def to_polars(self) -> pl.DataFrame:
        """One row per claim: both verdicts and numbers, the difference and its limits."""
        rows = [
            {
                "claim": change.claim,
                "unit": str(change.unit),
                "verdict_before": self.before[change.claim].verdict,
                "before": _value(self.before, change.claim),
                "verdict_after": self.after[change.claim].verdict,
                "after": _value(self.after, change.claim),
                "difference": change.difference,
                "difference_low": change.low,
                "difference_high": change.high,
            }
            for change in self.changes
        ]
        numbers = ("before", "after", "difference", "difference_low", "difference_high")
        return pl.DataFrame(
            rows, schema_overrides=dict.fromkeys(numbers, pl.Float64), infer_schema_length=None
        )

    def to_dict(self) -> dict[str, Any]:
        """The day of the change, the differences, and the documented JSON of both dockets."""
        return {
            "since": str(self.since),
            "until": None if self.until is None else str(self.until),
            "changes": self.to_polars().to_dicts(),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
        }

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"

    def to_text(self) -> str:
        """The verdicts of both periods in sentences, and the table of differences."""
        return f"Before {self.since}\n\n{self.before}\nFrom {self.since} on\n\n{self.after}\n{self}"

    def __str__(self) -> str:
        rows = [self._heads, *self._rows()]
        wide = [max(len(row[i]) for row in rows) for i in range(len(self._heads))]
        lines = [
            "  ".join(f"{c:<{w}}" for c, w in zip(row, wide, strict=True)).rstrip() for row in rows
        ]
        return "\n".join([f"{self.before.study}: {self._period}", "", *lines, "", _CAUTION])

    @property
    def _heads(self) -> tuple[str, ...]:
        return ("claim", "before", "after", "after against before")

    @property
    def _period(self) -> str:
        until = "" if self.until is None else f" until {self.until}"
        return f"before {self.since}, and from then on{until}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (c.claim, _cell(self.before, c.claim), _cell(self.after, c.claim), str(c))
            for c in self.changes
        ]

    def _repr_html_(self) -> str:
        caption = f"{self.before.study}: {self._period}"
        return html_table(caption, self._heads, self._rows(), (_CAUTION,))

    def __repr__(self) -> str:
        shown = sum(c.is_shown for c in self.changes)
        return f"ChangeDockets(since {self.since}: {shown} of {len(self.changes)} numbers changed)"


@with_notebook_progress
def evaluate_change(
    study: Study | Records,
    since: date | int,
    claims: Sequence[str] | None = None,
    *,
    until: date | int | None = None,
    engine: Engine | str = "polars",
    alone: bool = False,
    verdicts_only: bool = False,
    progress: Progress | None = None,
) -> ChangeDockets:
    """Try claims on the days before a change and on those from it on, and compare their numbers.

    Customers are at risk in each period on its days only; what they lived through before it counts in both. Numbers
    since a transition, such as a first bad moment, are of transitions within the period, followed to its end. The two
    periods have no day in common, so their errors add up as squares: the limits of a difference are those of Zou and
    Donner (2008), which need the limits of both numbers only.

    Args:
        study: a study, or its records if they are read already.
        since: the first day after the change: a date, or a whole day where the log counts days.
        claims: ids; all of the catalogue and of the study when not given.
        until: the last day that is looked at; the end of the log when not given.
        engine: where the tables are read; ignored for records.
        alone: as of `evaluate`; each period has verdicts of its own.
        verdicts_only: as of `evaluate`.
        progress: called with a line before each step.

    Raises:
        ClaimError: an unknown id.
        ArgumentError: a day that is not within the log, or of another kind than those of the log; or a study without
            contracts, whose clock counts contacts.
        StudyError, SourceError, DataError, RuleError: as `read_records`.

    References:
        Zou, G. Y. and Donner, A. (2008), Construction of confidence limits about effect measures: a general approach.
        Statistics in Medicine 27, 1693-1702.

    Example:
        >>> from datetime import date, timedelta
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(), 800, seed=1).study()
        >>> records = cx.read_records(study)
        >>> middle = date(1970, 1, 1) + timedelta(days=(records.window.first + records.window.last) // 2)
        >>> result = cx.evaluate_change(records, middle, ["one-strike"], alone=True, verdicts_only=True)
        >>> len(result.changes)
        1
    """
    arguments(alone=alone, verdicts_only=verdicts_only)
    optional(progress=progress)
    for name, given in (("since", since), *((("until", until),) if until is not None else ())):
        if isinstance(given, bool | datetime) or not isinstance(given, date | int):
            raise ArgumentError(name, given, "a date, or a whole day where the log counts days")
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
    if records.study.retention.kind != "contract":
        raise ArgumentError("study", study, "one whose retention is of the kind contract")
    first, last = records.window.first, records.window.last
    change = _day(records, "since", since)
    end = last if until is None else _day(records, "until", until)
    if not first < change <= end <= last:
        raise ArgumentError(
            "since",
            since,
            f"a day within the log, and not after the last one looked at{_span(records)}",
        )
    dockets = []
    for name, days in (("before", (first, change - 1)), ("after", (change, end))):
        say(f"{name} {since}")
        dockets.append(
            evaluate(
                restrict_days(records, *days),
                [c.id for c in chosen],
                alone=alone,
                verdicts_only=verdicts_only,
                progress=progress,
            )
        )
    before, after = dockets
    return ChangeDockets(
        since=since,
        until=until,
        before=before,
        after=after,
        changes=tuple(_change(before, after, c.id) for c in chosen),
    )


def _change(before: Docket, after: Docket, claim: str) -> Change:
    one, two = (d[claim].primary for d in (before, after))
    a, b = one.estimate, two.estimate
    if a is None or b is None:
        return Change(claim=claim, unit=one.unit, difference=None, low=None, high=None)
    difference, low, high = difference_of(a, b, is_ratio=one.unit.is_ratio)
    return Change(claim=claim, unit=one.unit, difference=difference, low=low, high=high)


def difference_of(
    before: Estimate, after: Estimate, *, is_ratio: bool
) -> tuple[float | None, float | None, float | None]:
    """The difference of two independent numbers with its limits, by the limits of both.

    Args:
        before: a number.
        after: another, of other data.
        is_ratio: whether the two are compared by their ratio.

    Returns:
        The difference, or the ratio, and its limits; None where a limit is not finite.
    """
    values = [(e.value, e.low, e.high) for e in (before, after)]
    if is_ratio:
        if any(v <= 0 or math.isinf(v) for one in values for v in one):
            return None, None, None
        values = [(math.log(v), math.log(low), math.log(high)) for v, low, high in values]
    if not all(math.isfinite(v) for one in values for v in one):
        return None, None, None
    (a, a_low, a_high), (b, b_low, b_high) = values
    result = (
        b - a,
        b - a - math.hypot(b - b_low, a_high - a),
        b - a + math.hypot(b_high - b, a - a_low),
    )
    value, low, high = (math.exp(v) if is_ratio else v for v in result)
    return value, low, high


def _day(records: Records, name: str, given: date | int) -> int:
    """A day as it is counted in the records."""
    first = records.audit.fact("log from")
    is_dated = isinstance(first, Day) and first.is_dated
    if is_dated and isinstance(given, date):
        return (given - date(1970, 1, 1)).days
    if not is_dated and isinstance(given, int):
        return given
    wanted = "a date, as the log holds dates" if is_dated else "a whole day, as the log counts days"
    raise ArgumentError(name, given, wanted)


def _span(records: Records) -> str:
    facts = records.audit.fact
    return f" (it runs from {facts('log from')} to {facts('log until')})"


def _value(docket: Docket, claim: str) -> float | None:
    estimate = docket[claim].primary.estimate
    return None if estimate is None else estimate.value


def _cell(docket: Docket, claim: str) -> str:
    """The verdict on a claim in a period, as a symbol, and its number with its interval."""
    row = docket[claim].primary
    return f"{SYMBOLS[row.verdict]} {estimate_text(row)}"
