"""The risk table that a verdict rests on: who left at each level, and who would have by chance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from cxresearch.claims.compute import compute
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.readings import EventReading
from cxresearch.claims.schema import Claim
from cxresearch.claims.tables import TableStore
from cxresearch.disclosure.counts import count_text, hide, rounding_note
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.rates import expected_events
from cxresearch.records.contacts import GRADES
from cxresearch.records.records import Records
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import instance
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ObservedVsExpected(Result):
    """What the primary reading of a claim rests on.

    Attributes:
        table: its risk table.
        history: the history that the claim is about.
        levels: shape (L,): its levels.
        observed: shape (L,): customers who left while at each level.
        expected: shape (L,): how many would have, were the rate of leaving the same at all levels on each day.
        min_cell: the smallest count that may be shown.
    """

    table: RiskTable
    history: str
    levels: tuple[str, ...]
    observed: tuple[int, ...]
    expected: tuple[float, ...]
    min_cell: int

    @property
    def label(self) -> str:
        """The history in words."""
        return (
            f"{self.history} moments so far"
            if self.history in GRADES
            else self.history.replace("_", " ")
        )

    def to_polars(self) -> pl.DataFrame:
        """One row per level: level, observed, expected."""
        return pl.DataFrame(
            {"level": self.levels, "observed": self.observed, "expected": self.expected},
            schema={"level": pl.String, "observed": pl.Int64, "expected": pl.Float64},
        )

    def __repr__(self) -> str:
        return f"ObservedVsExpected({self.history}: {', '.join(self.levels)}; {self.table!r})"

    def _repr_html_(self) -> str:
        shown = hide(self.observed, self.min_cell)
        rows = (
            (
                level,
                count_text(n, self.min_cell),
                "–" if n is None else count_text(round(e), self.min_cell),
            )
            for level, n, e in zip(self.levels, shown, self.expected, strict=True)
            if n or n is None or e >= 0.5
        )
        note = "Expected: had the rate of leaving been the same at all levels on each day."
        rounded = rounding_note(self.min_cell)
        hidden = (
            f"Counts below {self.min_cell} are not shown, nor what would give them away."
            if None in shown
            else ""
        )
        heads = (self.label, "left", "expected")
        counts = html_table(f"Who left, by {self.label}", heads, rows, (note, rounded, hidden))
        return self.table.html(self.min_cell) + counts


def observed_vs_expected(records: Records, claim: Claim) -> ObservedVsExpected:
    """The risk table of a claim's primary reading, with observed and expected events by level of its history.

    Args:
        records: from `cxresearch.read_records`.
        claim: such as `Trial.claim`.

    Raises:
        NotTestable: the data cannot give the reading, or it rests on matched customers or on counts of contacts and
            not on a risk table.
        EstimationError: the reading's model cannot be fitted.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> records = cx.read_records(study)
        >>> result = cx.observed_vs_expected(records, cx.catalogue()["bad-moments-drive-away"])
        >>> result.to_polars().columns
        ['level', 'observed', 'expected']
        >>> result.levels
        ('0', '1+', 'unknown')
    """
    instance("records", records, Records, "records, as read_records gives them")
    instance("claim", claim, Claim, "a claim, such as cx.catalogue()['three-strikes']")
    context = EvaluationContext(TableStore(records))
    store = context.store
    primary = context.adapt(claim, claim.primary)
    spec = context.table_specs(claim, primary)[0]
    if spec.compare:
        raise NotTestable("other_kind", "a risk table: this reading compares matched customers")
    if spec.contacts_by:
        raise NotTestable(
            "other_kind",
            f"a risk table: this reading counts the contacts of each {spec.contacts_by[0]}",
        )
    compute(context, claim, primary)
    min_cell = records.study.info.min_cell
    table = replace(store.risk(spec), min_cell=min_cell)
    named = [n for n in (claim.exposure, *primary.weighted(), *primary.names()) if n]
    features = [f.name for f in table.features]
    history = next((n for n in (x.partition("[")[0] for x in named) if n in features), "")
    if not history:
        raise EstimationError(f"{claim.id}: its primary reading names no history of its risk table")
    event = primary.event if isinstance(primary, EventReading) else "defection"
    counts = expected_events(table, history, event)
    return ObservedVsExpected(
        table=table,
        history=history,
        levels=tuple(counts["level"].to_list()),
        observed=tuple(int(n) for n in counts["observed"].to_list()),
        expected=tuple(float(n) for n in counts["expected"].to_list()),
        min_cell=min_cell,
    )
