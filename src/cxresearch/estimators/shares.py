"""Shares with a named denominator: of customers, and of leavers against those at risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import polars as pl

from cxresearch.disclosure.counts import MIN_CELL, about, count_text
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.design import Design, design
from cxresearch.estimators.influence import (
    add_up,
    clusters_of,
    counted_clusters,
    places,
    robust_error,
)
from cxresearch.estimators.intervals import FEW
from cxresearch.estimators.results import Estimate, Result, estimate, wilson
from cxresearch.estimators.risk_sets import Array, run_back
from cxresearch.risk.table import Feature, RiskTable
from cxresearch.utils.checks import arguments, instance, optional
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Share(Result):
    """A share of customers.

    Attributes:
        estimate: the share with its interval.
        count: how many of them.
        total: of how many.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    estimate: Estimate
    count: int = field(repr=False)
    total: int = field(repr=False)
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    @property
    def _is_small(self) -> bool:
        """Whether the count, or that of the others, must not follow from the share and the total."""
        return any(0 < n < self.min_cell for n in (self.count, self.total - self.count))

    def __repr__(self) -> str:
        shown = "not shown" if self._is_small else str(self.estimate)
        return f"Share({shown} of {about(self.total, self.min_cell)} customers)"

    def _repr_html_(self) -> str:
        e = self.estimate
        row = (
            *("not shown" if self._is_small else f"{v:z.1%}" for v in (e.value, e.low, e.high)),
            count_text(self.count, self.min_cell),
            count_text(self.total, self.min_cell),
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
) -> Share:
    """The share of customers who were in some levels when their follow-up ended.

    Counts stand as they were strictly before the last day.

    Args:
        table: a risk table; every customer's follow-up ends in it once.
        numerator: levels by feature that count.
        subset: levels by feature that make the denominator; everybody when not given.
        causes: ends of follow-up that make the denominator, such as ("defection",); all when not given.
        level: confidence level. Wilson's interval or, where customers share clusters, a robust one. With fewer than 20
            cases or counter-cases it is Wilson's on as many customers as there are clusters to them.

    Raises:
        NotTestable: the denominator is empty.
        EstimationError: an unknown feature, level or cause.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> print(cx.estimators.share(table, {"bad": ("1+",)}, causes=("defection",)).estimate)
        0.583 (0.543 to 0.623)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(numerator=numerator, level=level)
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
    few = min(k, n - k) < FEW
    if clusters == table.customers or few:
        return Share(
            estimate=wilson(k / n, n * clusters / table.customers, level),
            count=k,
            total=n,
            min_cell=table.min_cell,
        )

    def by_cluster(t: RiskTable) -> Array:
        ended = t.flows.select(pl.sum_horizontal(pl.col(*ends).cast(pl.Int64))).to_series()
        place = places(table.population, t.flows["group"])
        return np.bincount(place, ended.to_numpy(), table.groups).astype(np.float64)

    cases, everybody = by_cluster(part_rows), by_cluster(whole_rows)
    p = k / n
    se = float(robust_error(cases - p * everybody)) / n / (p * (1 - p))
    size = counted_clusters(table.population, int((everybody > 0).sum()), n)
    return Share(
        estimate=estimate(p, se, scale="logit", level=level, clusters=size),
        count=k,
        total=n,
        min_cell=table.min_cell,
    )


_LEFT = "leaving"  # for any of the causes asked for


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class AtRiskShare(Result):
    """A share of leavers and of those at risk with them.

    Attributes:
        exposed: the share among those who left.
        comparators: the share among those at risk at the same time, alike and in the same stratum; mean over leavers.
        excess: exposed less comparators, as a difference. Its `se_model` is that of a logrank test.
        count: leavers in the levels that count.
        leavers: how many left.
        expected: leavers who would count if whoever leaves were a random one of those at risk.
        leavers_share: the part of those at risk that leaves, mean over leavers; the excess is short by about that much.
        alone: leavers whose risk set holds nobody who stays; they are compared with themselves alone.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    exposed: Estimate
    comparators: Estimate
    excess: Estimate
    count: int
    leavers: int
    expected: float
    leavers_share: float
    alone: int
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def __repr__(self) -> str:
        leavers = about(self.leavers, self.min_cell)
        return f"AtRiskShare({self.exposed} of {leavers} who left; excess over those at risk {self.excess})"

    def _repr_html_(self) -> str:
        parts = (("who left", self.exposed), ("at risk with them", self.comparators))
        rows = [(name, *(f"{v:z.1%}" for v in (e.value, e.low, e.high))) for name, e in parts]
        points = (
            f"{100 * v:+z.1f} points"
            for v in (self.excess.value, self.excess.low, self.excess.high)
        )
        heads = ("customers", "share", f"{self.excess.level:.0%} from", "to")
        notes = (
            f"{about(self.count, self.min_cell).capitalize()} of {about(self.leavers, self.min_cell)} who left count; "
            f"{about(round(self.expected), self.min_cell)} would if leaving were by chance.",
            f"{self.leavers_share:z.1%} of those at risk are the leavers themselves.",
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

    Returns:
        The share among leavers with the limits of `share`, that of comparators with limits symmetric on the logit
        scale, and the excess, symmetric as a difference. The error of the excess is not less than that of a logrank
        test of as many independent customers: in small risk sets a robust error is too small, since the leavers are
        part of them. With fewer than 20 leavers who count, or who do not, it is not less than that of a logrank test
        of as many customers as there are clusters.

    Raises:
        NotTestable: nobody left, all at risk with the leavers are in these levels or none is, or all leavers are one
            cluster.
        EstimationError: an unknown feature, level or cause, or a feature that counts and is held equal at once.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(
        ...     study, bad=cx.bad_count(1), recent=cx.contacts_within(90), observed_from_start=True
        ... )
        >>> cx.estimators.share_at_risk(table, {"bad": ("1+",)}, "recent")
        AtRiskShare(0.583 (0.543 to 0.623) of about 580 who left; excess over those at risk 0.0966 (0.061 to 0.132))
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(numerator=numerator, matched_on=matched_on, causes=causes, strata=strata)
    arguments(level=level)
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
    )
    narrow = _two_levels(table.where(**(subset or {})), numerator, same, causes)
    clusters = clusters_of(narrow, [_LEFT])
    d = design(narrow, ["linear(inside)"], ["cell"], _LEFT)
    counted = np.column_stack([np.ones(len(d.x)), d.x[:, 0]])  # by pattern: all, and those inside
    risk, events = d.sets.total(counted), np.asarray(d.events @ counted)
    expected, variance = _by_chance(risk, events[:, 0])
    if variance == 0:
        raise NotTestable(
            "nobody_at_risk",
            "customers at risk with the leavers both inside and outside the levels that count",
        )

    leavers = float(events[:, 0].sum())
    of_those = expected / leavers
    among, left = _influence_by_chance(d, risk, events), _by_cluster(d, d.x[:, 0])
    leaving = _by_cluster(d, np.ones(len(d.x)))
    share_left = float(events[:, 1].sum()) / leavers
    comparators = (among - leaving * of_those) / leavers
    difference = (left - leaving * share_left) / leavers - comparators
    n, apart = exposed.total, table.customers / int(table.population["clusters"].sum())
    logrank = float(np.sqrt(variance)) / n
    model = logrank * float(np.sqrt(apart))
    few = min(exposed.count, n - exposed.count) < FEW
    # a leaver is part of the risk set that it is compared with: the sum of squares is short by that part
    se = max(float(robust_error(difference)), model if few else logrank)
    part_of_own = events[:, 0] / risk[:, 0]
    return AtRiskShare(
        exposed=exposed.estimate,
        comparators=estimate(
            of_those,
            float(robust_error(comparators)) / (of_those * (1 - of_those)),
            scale="logit",
            level=level,
            clusters=clusters,
        ),
        excess=estimate(
            share_left - of_those,
            se,
            scale="identity",
            level=level,
            clusters=clusters,
            se_model=model,
        ),
        count=exposed.count,
        leavers=n,
        expected=expected,
        leavers_share=float((events[:, 0] * part_of_own).sum() / n),
        alone=round(float(events[part_of_own == 1, 0].sum())),
        min_cell=table.min_cell,
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
        "entered",
        "left",
        cell.alias("cell"),
        counts.cast(pl.Int64).alias("inside"),
        ends.alias(_LEFT),
    )
    features = (Feature("cell", tuple(map(str, range(prod(sizes))))), Feature("inside", ("0", "1")))
    return replace(table, flows=flows, features=features, causes=(_LEFT,))


def _by_cluster(d: Design, counts: Array) -> Array:
    """Σ `counts`, shape (P,), over the leavers of each cluster; shape (G,)."""
    return add_up(
        d.flows.place,
        d.flows.groups,
        1,
        lambda part: (d.flows.events[part] * counts[d.flows.pattern[part]])[:, None],
    )[:, 0]


def _influence_by_chance(d: Design, risk: Array, events: Array) -> Array:
    """How much each cluster moves how many leavers would be inside by chance; shape (G,)."""
    left, n = events[:, 0], np.maximum(risk[:, 0], 1.0)
    inside = risk[:, 1] / n
    rate = run_back(np.column_stack([left / n, left / n * inside]), d.sets.block)
    flows, x = d.flows, d.x[:, 0]

    def contributions(part: slice) -> Array:
        pattern, enter, row = flows.pattern[part], flows.enter_row[part], flows.event_row[part]
        net = np.where(enter >= 0, flows.net[part], 0)
        at = rate[np.maximum(enter, 0)]
        leaves = np.where(row >= 0, flows.events[part], 0) * inside[np.maximum(row, 0)]
        return np.asarray(leaves + net * (x[pattern] * at[:, 0] - at[:, 1]))[:, None]

    return add_up(flows.place, flows.groups, 1, contributions)[:, 0]


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
