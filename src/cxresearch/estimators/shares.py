"""Shares with a named denominator: of customers, and of leavers against those at risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import polars as pl

from cxresearch.checks import arguments, instance, optional
from cxresearch.engines.packing import sums
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.design import design
from cxresearch.estimators.intervals import FEW, logit
from cxresearch.estimators.jackknife import enough_bins, enough_groups, jackknife
from cxresearch.estimators.results import Estimate, Result, Vector, estimate, wilson
from cxresearch.estimators.risk_sets import Array
from cxresearch.html_tables import html_table
from cxresearch.risk.table import FLOWS, Feature, RiskTable


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
        row = (
            f"{e.value:.1%}",
            f"{e.low:.1%}",
            f"{e.high:.1%}",
            f"{self.part:,}",
            f"{self.whole:,}",
        )
        return html_table(
            "Share of customers", ("share", f"{e.level:.0%} from", "to", "customers", "of"), [row]
        )


def share(
    table: RiskTable,
    numerator: dict[str, tuple[str, ...]],
    *,
    subset: dict[str, tuple[str, ...]] | None = None,
    causes: tuple[str, ...] | None = None,
    level: float = 0.95,
    groups: int = 100,
) -> Share:
    """The share of customers who were in some levels when their follow-up ended.

    Counts stand as they were strictly before the last day.

    Args:
        table: a risk table; every customer's follow-up ends in it once.
        numerator: levels by feature that count.
        subset: levels by feature that make the denominator; everybody when not given.
        causes: ends of follow-up that make the denominator, such as ("defection",); all when not given.
        level: confidence level. Wilson's interval, or the jackknife where customers share clusters. With fewer than 20
            cases or counter-cases it is Wilson's on as many customers as there are clusters to them.
        groups: most groups of the jackknife.

    Raises:
        NotTestable: the denominator is empty, or too few clusters for a jackknife.
        EstimationError: an unknown feature, level or cause.
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(numerator=numerator, level=level, groups=groups)
    optional(subset=subset, causes=causes)
    ends = table.causes if causes is None else causes
    for cause in ends:
        table.events(cause)
    whole_rows = table.where(**(subset or {}))
    part_rows = whole_rows.where(**numerator)

    def counts(t: RiskTable) -> int:
        return sum(t.events(c) for c in ends)

    k, n = counts(part_rows), counts(whole_rows)
    if n == 0:
        raise NotTestable("nobody_at_risk", "customers in the denominator")
    clusters = int(table.population["clusters"].sum())
    few = min(k, n - k) < FEW  # a jackknife of few cases says little, and of none nothing
    if clusters == table.customers or few:
        return Share(wilson(k / n, n * clusters / table.customers, level), k, n)
    every_end = pl.sum_horizontal(pl.col(*ends).cast(pl.Int64))
    in_group = whole_rows.flows.group_by("group").agg(events=every_end.sum())
    grouped = whole_rows.coarsen(enough_bins(table.population, in_group, groups))
    inside = grouped.where(**numerator)

    def without(group: int) -> Vector:
        a, b = counts(inside.without_group(group)), counts(grouped.without_group(group))
        return np.array([logit(a / b)])

    se = float(jackknife(np.array([logit(k / n)]), without, grouped.groups).se[0])
    return Share(estimate(k / n, se, scale="logit", level=level, groups=grouped.groups), k, n)


_LEFT = "leaving"  # for any of the causes asked for


@dataclass(frozen=True, slots=True, repr=False)
class AtRiskShare(Result):
    """A share of leavers and of those at risk with them.

    Attributes:
        exposed: the share among those who left.
        comparators: the share among those at risk at the same time, alike and in the same stratum; mean over leavers.
        excess: exposed less comparators, on its own scale. Its `se_model` is that of a logrank test.
        part: leavers who count.
        whole: leavers.
        expected: leavers who would count if whoever leaves were a random one of those at risk.
        own: the leavers' own part of those at risk, mean over leavers; the excess is short by about this part of it.
        alone: leavers whose risk set holds nobody who stays; they are compared with themselves alone.
    """

    exposed: Estimate
    comparators: Estimate
    excess: Estimate
    part: int
    whole: int
    expected: float
    own: float
    alone: int

    def __repr__(self) -> str:
        return f"AtRiskShare({self.exposed} of {self.whole:,} who left; excess over those at risk {self.excess})"

    def _repr_html_(self) -> str:
        parts = (("who left", self.exposed), ("at risk with them", self.comparators))
        rows = [(name, *(f"{v:.1%}" for v in (e.value, e.low, e.high))) for name, e in parts]
        points = (
            f"{100 * v:+.1f} points" for v in (self.excess.value, self.excess.low, self.excess.high)
        )
        heads = ("customers", "share", f"{self.excess.level:.0%} from", "to")
        notes = (
            f"{self.part:,} of {self.whole:,} who left count; {self.expected:,.1f} would if leaving were by chance.",
            f"{self.own:.1%} of those at risk are the leavers themselves.",
        )
        return html_table(
            "Share of leavers and of those at risk", heads, [*rows, ("excess", *points)], notes
        )


def share_at_risk(
    table: RiskTable,
    numerator: Mapping[str, Sequence[str]],
    matched_on: str,
    *,
    subset: Mapping[str, Sequence[str]] | None = None,
    causes: Sequence[str] = ("defection",),
    strata: Sequence[str] = (),
    level: float = 0.95,
    groups: int = 100,
) -> AtRiskShare:
    """The share of leavers in some levels, and its excess over all at risk at the same time.

    Levels stand as they were strictly before the day of leaving, for leavers and comparators.

    Args:
        table: a risk table; time is its clock, so comparators have the same tenure on the tenure clock.
        numerator: levels by feature that count.
        matched_on: a feature whose level comparators share with the leaver, such as the age of the last bad moment.
        subset: levels by feature that leavers and comparators are in; everybody when not given.
        causes: the ends of follow-up that make a leaver; others leave the risk set.
        strata: features whose level comparators share with the leaver, too.
        level: confidence level.
        groups: most groups of the delete-a-group jackknife.

    Returns:
        The share among leavers with the limits of `share`, that of comparators with limits symmetric on the
        logit scale, and the excess, symmetric on its own. With fewer than 20 leavers who count, or who do not, a
        jackknife says little: the error of the excess is then not less than that of a logrank test.

    Raises:
        NotTestable: nobody left, all at risk with the leavers are in these levels or none is, or too few for a
            jackknife.
        EstimationError: an unknown feature, level or cause, or a feature that counts and is held equal at once.
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(numerator=numerator, matched_on=matched_on, causes=causes, strata=strata)
    arguments(level=level, groups=groups)
    optional(subset=subset)
    same, causes = (matched_on, *strata), tuple(dict.fromkeys(causes))
    for name in numerator:
        if name in same:
            raise EstimationError(
                f"{name!r} cannot count and be held equal: all of them would be in one level"
            )
    exposed = share(
        table,
        {k: tuple(v) for k, v in numerator.items()},
        subset={k: tuple(v) for k, v in (subset or {}).items()},
        causes=causes,
        level=level,
        groups=groups,
    )
    grouped = enough_groups(
        _two_levels(table.where(**(subset or {})), numerator, same, causes), _LEFT, groups
    )
    d = design(grouped, ["linear(inside)"], ["cell"], _LEFT)
    counted = np.column_stack([np.ones(len(d.x)), d.x[:, 0]])  # by pattern: all, and those inside
    risk, events = d.sets.total(counted), np.asarray(d.events @ counted)
    expected, variance = _by_chance(risk, events[:, 0])
    if variance == 0:
        raise NotTestable(
            "nobody_at_risk",
            "customers at risk with the leavers both inside and outside the levels that count",
        )

    def values(at_risk: Array, left: Array) -> Vector:
        among_risk = _by_chance(at_risk, left[:, 0])[0] / left[:, 0].sum()
        return np.array([logit(among_risk), left[:, 1].sum() / left[:, 0].sum() - among_risk])

    def without(group: int) -> Vector:
        own, own_events = d.of(group)
        return values(risk - own.total(counted), events - np.asarray(own_events @ counted))

    whole = values(risk, events)
    result = jackknife(whole, without, grouped.groups)
    n, apart = exposed.whole, table.customers / int(table.population["clusters"].sum())
    model = float(np.sqrt(variance * apart)) / n
    few = min(exposed.part, n - exposed.part) < FEW
    se = max(float(result.se[1]), model) if few else float(result.se[1])
    part_of_own = events[:, 0] / risk[:, 0]
    return AtRiskShare(
        exposed.estimate,
        estimate(
            expected / n, float(result.se[0]), scale="logit", level=level, groups=result.groups
        ),
        estimate(
            float(whole[1]), se, scale="identity", level=level, groups=result.groups, se_model=model
        ),
        exposed.part,
        n,
        expected,
        float((events[:, 0] * part_of_own).sum() / n),
        round(float(events[part_of_own == 1, 0].sum())),
    )


def _two_levels(
    table: RiskTable,
    numerator: Mapping[str, Sequence[str]],
    same: Sequence[str],
    causes: Sequence[str],
) -> RiskTable:
    """The table with two features only: whether a customer counts, and the cell in which customers are compared."""
    counts = pl.lit(value=True)
    for name, levels in numerator.items():
        counts = counts & pl.col(name).is_in([table.feature(name).levels.index(v) for v in levels])
    sizes = [len(table.feature(name).levels) for name in same]
    cell = pl.lit(0, pl.Int64)
    for name, size in zip(same, sizes, strict=True):
        cell = cell * size + pl.col(name)
    ends = pl.sum_horizontal(pl.col(*causes).cast(pl.Int64))
    flows = table.flows.select(
        "group",
        "time",
        *FLOWS,
        cell.alias("cell"),
        counts.cast(pl.Int64).alias("inside"),
        ends.alias(_LEFT),
    )
    features = (Feature("cell", tuple(map(str, range(prod(sizes))))), Feature("inside", ("0", "1")))
    narrow = sums(flows, ("group", "time", "cell", "inside"), (*FLOWS, _LEFT))
    return replace(table, flows=narrow, features=features, causes=(_LEFT,))


def _by_chance(risk: Array, left: Array) -> tuple[float, float]:
    """How many leavers would be inside if they were drawn from those at risk: mean and variance.

    Args:
        risk: shape (R, 2): all at risk, and those inside.
        left: shape (R,): leavers.
    """
    used = left > 0
    d, n, m = left[used], risk[used, 0], risk[used, 1]
    inside = m / n
    rest = np.where(n > 1, (n - d) / np.maximum(n - 1, 1), 0.0)
    return float(d @ inside), float((d * inside * (1 - inside)) @ rest)
