"""The quick math: moments per day, customer and employee, and how many of them were bad, neutral, good or unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.disclosure.counts import (
    about,
    count_text,
    hide,
    merge_classes,
    part_of,
    round_count,
    rounding_note,
)
from cxresearch.disclosure.tables import hide_cells
from cxresearch.engines import Frame
from cxresearch.explore import records_of
from cxresearch.records.contacts import BAD, GRADES
from cxresearch.records.records import Records
from cxresearch.records.restrict import restrict_to_log
from cxresearch.study import Study
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Drawable, Result

_YEAR = 365.25
_MOST = 10  # customers with this many bad moments or more share a class


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentSummary(Result, Drawable):
    """How many moments there are, and who had how many bad ones; small counts are hidden.

    Attributes:
        moments: contacts kept.
        customers: under follow-up.
        days: length of the log's window, in days.
        years: follow-up of all customers together, in years.
        per_day: moments per day of the window.
        per_customer_year: moments per customer and year of follow-up.
        grades: shape (4,): bad, neutral, good, unknown.
        counts: shape (4,): moments of each grade; None where hidden.
        bad_moments: shape (K,): classes of customers by their number of bad moments, such as ``0``, ``1``, ``2+``;
            classes with few customers are put together.
        customers_by_bad: shape (K,): customers in each class.
        min_cell: the smallest count shown.
        employees: who are named in the log; None if it was not read with ``agent``.
        employee_days: days on which an employee had a moment, of all employees together; None
            if the log was not read with ``agent``.
        per_employee_day: moments with a named employee, on a day on which that employee had any;
            None if the log was not read with ``agent``.
        by_employee: shape (4,): moments with a named employee, by grade; None where hidden; empty
            if the log was not read with ``agent``.
    """

    moments: int = field(repr=False)
    customers: int = field(repr=False)
    days: int
    years: float
    per_day: float
    per_customer_year: float
    grades: tuple[str, ...]
    counts: tuple[int | None, ...] = field(repr=False)
    bad_moments: tuple[str, ...]
    customers_by_bad: tuple[int, ...] = field(repr=False)
    min_cell: int
    employees: int | None = field(default=None, repr=False)
    employee_days: int | None = field(default=None, repr=False)
    per_employee_day: float | None = None
    by_employee: tuple[int | None, ...] = field(default=(), repr=False)

    def to_polars(self) -> pl.DataFrame:
        """One row per number: what, of (a grade or a class), number."""
        rows: list[tuple[str, str, float | None]] = [
            ("moments", "all", self.moments),
            ("moments per day", "all", self.per_day),
            ("moments per customer and year", "all", self.per_customer_year),
            *self._of_employees(),
            *(("moments", grade, n) for grade, n in zip(self.grades, self.counts, strict=True)),
            ("customers", "all", self.customers),
            *(
                ("customers", f"{band} bad moments", n)
                for band, n in zip(self.bad_moments, self.customers_by_bad, strict=True)
            ),
        ]
        return pl.DataFrame(
            rows, schema={"what": pl.String, "of": pl.String, "number": pl.Float64}, orient="row"
        )

    def _of_employees(self) -> list[tuple[str, str, float | None]]:
        if self.employees is None:
            return []
        by = zip(self.grades, self.by_employee, strict=True)
        return [
            ("employees", "all", self.employees),
            ("moments per employee and day", "all", self.per_employee_day),
            *(("moments with a named employee", grade, n) for grade, n in by),
        ]

    def _repr_html_(self) -> str:
        grades = (
            (
                f"{grade} moments",
                count_text(n, self.min_cell),
                *self._rates(n, self._each_day(self.by_employee[i] if self.employees else None)),
            )
            for i, (grade, n) in enumerate(zip(self.grades, self.counts, strict=True))
        )
        total_row = (
            "all moments",
            count_text(self.moments, self.min_cell),
            *self._rates(self.moments, self._each_day(self._with_employee())),
        )
        hidden = None in (*self.counts, *self.by_employee)
        return html_table(
            f"The quick math: {about(self.customers, self.min_cell)} customers over {self.days:,} days",
            (
                "what",
                "how many",
                "a day",
                "a customer and year",
                *self._employee_cells("an employee and day"),
                "share",
            ),
            (total_row, *grades),
            (
                rounding_note(self.min_cell),
                f"Counts below {self.min_cell} are not shown." if hidden else "",
                self._who(),
            ),
        )

    def _who(self) -> str:
        if not self.employees:
            return ""
        return (
            f"Of {self.employees:,} employees, on {about(self.employee_days, self.min_cell)} days on which one of them "
            "had a moment; moments with nobody named are left out there."
        )

    def _employee_cells(self, *cells: str) -> tuple[str, ...]:
        """Cells of a column that is there if employees are named."""
        return cells if self.employees else ()

    def _with_employee(self) -> int | None:
        """Moments with a named employee."""
        if self.per_employee_day is None or not self.employee_days:
            return None
        return round(self.per_employee_day * self.employee_days)

    def _each_day(self, mine: int | None) -> float | None:
        """Moments with a named employee on a day on which one had any, of rounded numbers."""
        days = round_count(self.employee_days or 0, self.min_cell)
        return None if mine is None or not days else round_count(mine, self.min_cell) / days

    def _rates(self, n: int | None, each: float | None) -> tuple[str, ...]:
        """What follows from a count; it is made of the rounded count, so that it reveals no more."""
        day = "–" if n is None or each is None else f"{each:,.2f}"
        if n is None:
            return ("–", "–", *self._employee_cells("–"), "–")
        rounded = round_count(n, self.min_cell)
        share = part_of(n, self.moments, self.min_cell)
        yearly = f"{rounded / self.years:,.2f}" if self.years else "–"
        return (f"{rounded / self.days:,.1f}", yearly, *self._employee_cells(day), f"{share:.1%}")


def moment_summary(study: Study | Records) -> MomentSummary:
    """Count the moments of a study, and its customers by their number of bad moments.

    Where the log names the employee (``agent``), moments per employee and day are those of a day on which the employee
    had any: a day off is no slow day.

    Args:
        study: a study, or its records.

    Raises:
        SourceError, DataError: as `cxresearch.audit`.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": ["2024-01-05", "2024-02-01"], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": ["2024-01-05", "2024-01-07"], "end": [None, None]})
        >>> study = cx.study_from({"study": {"min_cell": 1}}, interactions=log, retention=who)
        >>> quick = cx.journey.moment_summary(study)
        >>> quick.moments, quick.bad_moments, quick.customers_by_bad
        (2, ('0', '1+'), (1, 1))
    """
    records = restrict_to_log(records_of(study, required_columns=("agent",)))
    engine, moments, customers = records.engine, records.moments, records.customers
    min_cell = records.study.info.min_cell
    graded = dict(engine.collect(moments.group_by("grade").agg(n=nw.len())).iter_rows())
    counts = [int(graded.get(i, 0)) for i in range(len(GRADES))]
    stay = engine.collect(
        customers.select(n=nw.len(), days=(nw.col("exit") - nw.col("entry")).cast(nw.Int64).sum())
    )
    number, years = int(stay["n"].item()), float(stay["days"].item() or 0) / _YEAR
    by_customer = moments.filter(nw.col("grade") == BAD).group_by("customer").agg(bad=nw.len())
    by_number = dict(engine.collect(by_customer.group_by("bad").agg(n=nw.len())).iter_rows())
    having = [0] * (_MOST + 1)
    for bad, n in by_number.items():
        having[min(int(bad), _MOST)] += int(n)
    having[0] = number - sum(having)
    top = max(i for i, n in enumerate(having) if n or not i)
    bands = merge_classes(having[: top + 1], min_cell)
    total, days = sum(counts), records.window.last - records.window.first + 1
    return MomentSummary(
        moments=total,
        customers=number,
        days=days,
        years=years,
        per_day=total / days,
        per_customer_year=total / years if years else 0.0,
        grades=GRADES,
        counts=hide(counts, min_cell),
        bad_moments=tuple(name for name, _ in bands),
        customers_by_bad=tuple(n for _, n in bands),
        min_cell=min_cell,
        **_employees(records, moments, counts),
    )


class _OfEmployees(TypedDict, total=False):
    employees: int
    employee_days: int
    per_employee_day: float | None
    by_employee: tuple[int | None, ...]


def _employees(records: Records, moments: Frame, counts: Sequence[int]) -> _OfEmployees:
    """The employees in a summary; nothing if the log does not name them."""
    if "agent" not in moments.collect_schema().names():
        return {}
    mine = moments.filter(nw.col("agent") >= 0)
    by_grade = dict(records.engine.collect(mine.group_by("grade").agg(n=nw.len())).iter_rows())
    pairs = mine.select("agent", "day").unique()
    result = records.engine.collect(pairs.select(days=nw.len(), agents=nw.col("agent").n_unique()))
    agents, days = int(result["agents"].item() or 0), int(result["days"].item() or 0)
    by_grade_counts = [int(by_grade.get(i, 0)) for i in range(len(GRADES))]
    nobody = [n - m for n, m in zip(counts, by_grade_counts, strict=True)]
    shown_counts, _ = hide_cells([by_grade_counts, nobody], records.study.info.min_cell)
    return {
        "employees": agents,
        "employee_days": days,
        "per_employee_day": sum(by_grade_counts) / days if days else None,
        "by_employee": shown_counts,
    }
