"""A proportion with a named denominator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cxresearch.errors import NotTestable
from cxresearch.estimators.estimates import estimate, wilson
from cxresearch.estimators.intervals import FEW, logit
from cxresearch.estimators.jackknife import enough_bins, jackknife
from cxresearch.estimators.results import Estimate, Result, Vector
from cxresearch.html_tables import html_table
from cxresearch.risk.table import RiskTable


@dataclass(frozen=True, slots=True)
class Share(Result):
    """A share of customers.

    Attributes:
        estimate: the share with its interval.
        part: how many count.
        whole: how many there are.
    """

    estimate: Estimate
    part: int
    whole: int

    def _repr_html_(self) -> str:
        e = self.estimate
        row = (f"{e.value:.1%}", f"{e.low:.1%}", f"{e.high:.1%}", f"{self.part:,}", f"{self.whole:,}")
        return html_table("Share of customers", ("share", f"{e.level:.0%} from", "to", "customers", "of"), [row])


def share(
    table: RiskTable,
    part: dict[str, tuple[str, ...]],
    *,
    among: dict[str, tuple[str, ...]] | None = None,
    causes: tuple[str, ...] | None = None,
    level: float = 0.95,
    groups: int = 100,
) -> Share:
    """The share of customers who were in some levels when their follow-up ended.

    Counts stand as they were strictly before the last day.

    Args:
        table: a risk table; every customer's follow-up ends in it once.
        part: levels by feature that count.
        among: levels by feature that make the denominator; everybody when not given.
        causes: ends of follow-up that make the denominator, such as ("defection",); all when not given.
        level: confidence level. Wilson's interval, or the jackknife where customers share clusters. With fewer than 20
            cases or counter-cases it is Wilson's on as many customers as there are clusters to them.
        groups: most groups of the jackknife.

    Raises:
        NotTestable: the denominator is empty, or too few clusters for a jackknife.
        EstimationError: an unknown feature, level or cause.
    """
    ends = table.causes if causes is None else causes
    for cause in ends:
        table.events(cause)
    whole_rows = table.where(**(among or {}))
    part_rows = whole_rows.where(**part)

    def counts(t: RiskTable) -> int:
        return sum(t.events(c) for c in ends)

    k, n = counts(part_rows), counts(whole_rows)
    if n == 0:
        raise NotTestable("customers in the denominator")
    clusters = int(table.population["clusters"].sum())
    few = min(k, n - k) < FEW  # a jackknife of few cases says little, and of none nothing
    if clusters == table.customers or few:
        return Share(wilson(k / n, n * clusters / table.customers, level), k, n)
    every_end = pl.sum_horizontal(pl.col(*ends).cast(pl.Int64))
    in_group = whole_rows.flows.group_by("group").agg(events=every_end.sum())
    grouped = whole_rows.coarsen(enough_bins(table.population, in_group, groups))
    inside = grouped.where(**part)

    def without(group: int) -> Vector:
        a, b = counts(inside.without_group(group)), counts(grouped.without_group(group))
        return np.array([logit(a / b)])

    se = float(jackknife(np.array([logit(k / n)]), without, grouped.groups).se[0])
    return Share(estimate(k / n, se, scale="logit", level=level, groups=grouped.groups), k, n)
