"""The risk table: one sufficient statistic for every estimator.

``(group, time, pattern) -> entered, left, events by cause``. A group is a cluster of customers (one customer, or a
household) under an anonymous number or, where there are more than 100,000, one of a hundred groups of them; errors are
summed over groups. Flows are stored, numbers at risk
derived: at risk at t are all who entered before t less all who left before t. Tables of disjoint clusters add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from hashlib import sha256
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.disclosure.counts import MIN_CELL, about, count_text, hide, min_cell_of
from cxresearch.engines.flows import FLOWS
from cxresearch.engines.packing import downcast, sums
from cxresearch.errors import EstimationError, UnknownInTableError
from cxresearch.risk.episodes import COHORT, Episodes
from cxresearch.risk.exclusions import Exclusion, summed
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.names_in_words import name_in_words
from cxresearch.utils.result import DISPLAY_ONLY, Result

_STAYED = "still there when last seen"  # of the cause that statisticians call censored


@dataclass(frozen=True, slots=True)
class Feature(Result):
    """A categorical of a risk table.

    Attributes:
        name: as in the table's flows.
        levels: level names; the first is the reference of dummies.
        is_covariate: whether the levels are values of the retention table, such as segments; those of a history are
            names of the package.
    """

    name: str
    levels: tuple[str, ...]
    is_covariate: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RiskTable(Result):
    """Flows by group, time and pattern.

    Risk tables hold small cells: they are as confidential as the data.

    Attributes:
        flows: rows group, time, one level position per feature, entered, left, one count per cause (the first cause is
            "censored": last seen, still there), by group. A table that was counted or added up has one row for each
            combination, sorted; where levels were put together since, it may have several. Integers as narrow as hold
            them: cast before you calculate.
        features: the categoricals, in column order.
        causes: names of the count columns after entered and left.
        clock: what time counts.
        population: rows group, customers, clusters: who took part.
        exclusions: customers left out of the risk set, with the reason.
        min_cell: the smallest count that may be shown of it, set by the study.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> table = cx.risk_table(study, bad=cx.bad_count(1))
        >>> table.customers, table.events("defection"), table.feature("bad").levels
        (2, 1, ('0', '1+', 'unknown'))
        >>> left = table.to_polars().filter(pl.col("defection") > 0)
        >>> left.select("time", "bad", "defection").rows()
        [(9, '1+', 1)]
    """

    flows: pl.DataFrame
    features: tuple[Feature, ...]
    causes: tuple[str, ...]
    clock: str
    population: pl.DataFrame
    exclusions: tuple[Exclusion, ...] = ()
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)
    _positions: dict[str, NDArray[np.intp]] = field(
        default_factory=dict, init=False, repr=False, metadata=DISPLAY_ONLY
    )  # of levels with rows, as they are asked for again and again

    @property
    def customers(self) -> int:
        """Customers who took part."""
        return int(self.population["customers"].sum())

    @property
    def groups(self) -> int:
        """Groups in which somebody took part."""
        return self.population.height

    def events(self, cause: str) -> int:
        """How many exits of a cause there were."""
        return int(self.flows[self._cause(cause)].sum())

    def feature(self, name: str) -> Feature:
        """The feature of that name.

        Raises:
            UnknownInTableError: there is none.
        """
        for f in self.features:
            if f.name == name:
                return f
        raise UnknownInTableError(name, [f.name for f in self.features], what="feature")

    def positions(self, name: str) -> NDArray[np.intp]:
        """The positions of the levels of a feature that have rows, ascending.

        Raises:
            UnknownInTableError: there is no such feature.
        """
        if name not in self._positions:
            levels = len(self.feature(name).levels)
            counted = np.bincount(self.flows[name].to_numpy(), minlength=levels)
            found = np.flatnonzero(counted)
            found.setflags(write=False)
            self._positions[name] = found
        return self._positions[name]

    def positions_with_events(self, name: str, cause: str) -> NDArray[np.intp]:
        """The positions of the levels of a feature at which somebody left for a cause.

        Raises:
            UnknownInTableError: there is no such feature or cause.
        """
        happened = self.flows[self._cause(cause)].to_numpy() > 0
        levels = len(self.feature(name).levels)
        return np.flatnonzero(np.bincount(self.flows[name].to_numpy()[happened], minlength=levels))

    def ends(self, name: str) -> dict[str, int]:
        """How many left or were last seen at each level of a feature that has rows.

        Raises:
            UnknownInTableError: there is no such feature.
        """
        codes = self.flows[name].to_numpy()
        levels = self.feature(name).levels
        counts = np.zeros(len(levels), np.int64)
        for cause in self.causes:
            n = self.flows[cause].to_numpy()
            happened = np.flatnonzero(n)
            # no sum of counts that fit into memory is beyond a float
            ended = np.bincount(codes[happened], n[happened], minlength=len(levels))
            counts += ended.astype(np.int64)
        return {levels[i]: int(counts[i]) for i in self.positions(name)}

    def where(self, **levels: Sequence[str]) -> RiskTable:
        """The time spent in these levels; leaving for another level is leaving."""
        keep = pl.lit(value=True)
        for name, wanted in levels.items():
            feature = self.feature(name)
            for level in wanted:
                if level not in feature.levels:
                    raise UnknownInTableError(level, feature.levels, what="level", where=name)
            keep = keep & pl.col(name).is_in([feature.levels.index(w) for w in wanted])
        return replace(self, flows=self.flows.filter(keep))

    def only(self, *names: str) -> RiskTable:
        """The same table with fewer features: the others are summed over."""
        kept = tuple(self.feature(n) for n in names)
        return replace(
            self,
            flows=sums(self.flows, ("group", "time", *names), (*FLOWS, *self.causes)),
            features=kept,
        )

    def relabel(self, name: str, names: Mapping[str, str]) -> RiskTable:
        """The table with other level names of a feature; levels of one name are put together.

        Rows that are equal then stay apart, as every estimator adds them up.

        Args:
            name: of the feature.
            names: level to its new name; levels that are not in it keep theirs.
        """
        feature = self.feature(name)
        wanted = [names.get(level, level) for level in feature.levels]
        levels = tuple(dict.fromkeys(wanted))
        place = np.array([levels.index(new) for new in wanted], _narrow(len(levels)))
        features = tuple(replace(f, levels=levels) if f.name == name else f for f in self.features)
        flows = self.flows.with_columns(pl.Series(name, place[self.flows[name].to_numpy()]))
        return replace(self, flows=flows, features=features)

    def after(self, time: int) -> RiskTable:
        """The time after `time` on the table's clock: who is at risk then comes in at that time."""
        names = [f.name for f in self.features]
        net = pl.col("entered").cast(pl.Int64) - pl.col("left").cast(pl.Int64)
        early = self.flows.filter(pl.col("time") <= time).select("group", *names, entered=net)
        there = sums(early, ("group", *names), ("entered",)).filter(pl.col("entered") > 0)
        nothing = {c: pl.lit(0) for c in ("left", *self.causes)}
        there = there.with_columns(time=pl.lit(time), **nothing).select(self.flows.columns)
        later = self.flows.filter(pl.col("time") > time)
        flows = pl.concat([there, later], how="vertical_relaxed")
        order = np.argsort(flows["group"].to_numpy(), kind="stable")
        return replace(self, flows=flows[order])

    def without_group(self, group: int) -> RiskTable:
        """The table without one of its groups."""
        keep = pl.col("group") != group
        return replace(self, flows=self.flows.filter(keep), population=self.population.filter(keep))

    def __add__(self, other: RiskTable) -> RiskTable:
        """The table of both; right only when no cluster is in both."""
        return total([self, other])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RiskTable):
            return NotImplemented
        alike = (self.features, self.causes, self.clock, self.exclusions) == (
            other.features,
            other.causes,
            other.clock,
            other.exclusions,
        )
        return alike and self.flows.equals(other.flows) and self.population.equals(other.population)

    __hash__ = None  # type: ignore[assignment]

    def fingerprint(self) -> str:
        """A digest of the flows, equal for equal tables whatever engine made them."""
        digest = sha256()
        for f in self.features:
            digest.update(repr((f.name, f.levels)).encode())
        for column in self.flows.columns:
            values = self.flows[column].to_numpy()
            # as narrow as holds them, whatever the column's own kind
            most = max(int(values.max(initial=0)), -int(values.min(initial=0)))
            kind = next((k for k in ("<i1", "<i2", "<i4") if most <= np.iinfo(k).max), "<i8")
            digest.update(f"{column} {kind}".encode())
            digest.update(values.astype(kind).tobytes())
        return digest.hexdigest()

    def to_polars(self) -> pl.DataFrame:
        """The flows with level names."""
        return self.flows.with_columns(
            pl.col(f.name).replace_strict(dict(enumerate(f.levels)), return_dtype=pl.String)
            for f in self.features
        )

    def __repr__(self) -> str:
        shape = ", ".join(f"{f.name} ({len(f.levels)})" for f in self.features)
        events = ", ".join(f"{count_text(self.events(c), self.min_cell)} {c}" for c in self.causes)
        who = count_text(self.customers, self.min_cell)
        return f"RiskTable({who} customers on the {self.clock} clock; {shape or 'no features'}; {events})"

    def _repr_html_(self) -> str:
        return self.html()

    def html(self, min_cell: int | None = None) -> str:
        """What the table is about, as a table for a page; counts below `min_cell` are hidden.

        A level of a covariate is a value of the data, and may be an id: it is named only where `min_cell` customers
        were at risk at once in it.
        """
        min_cell = min_cell_of(min_cell, self)
        counts = self._shown(min_cell)
        rows = [
            *(
                (f"levels of {name_in_words(f.name)}", self._named_levels(f, min_cell))
                for f in self.features
            ),
            *(
                (_STAYED if i == 0 else c, count_text(n, min_cell))
                for i, (c, n) in enumerate(zip(self.causes, counts, strict=True))
            ),
            *(
                (f"not at risk: {a.reason}", count_text(a.customers, min_cell))
                for a in self.exclusions
            ),
        ]
        caption = (
            f"Risk table: {about(self.customers, min_cell)} customers on the {self.clock} clock"
        )
        return html_table(caption, ("what", "levels, or how many"), rows)

    def _named_levels(self, feature: Feature, min_cell: int) -> str:
        """The levels of a feature; those of a covariate with too few customers are counted, not named."""
        if not feature.is_covariate:
            return ", ".join(feature.levels)
        moved = pl.col("entered").cast(pl.Int64).sum() - pl.col("left").cast(pl.Int64).sum()
        # a customer may enter often, so entries are no customers; those at risk at one time are
        peak = (
            self.flows.group_by(feature.name, "time")
            .agg(moved=moved)
            .sort("time")
            .group_by(feature.name)
            .agg(most=pl.col("moved").cum_sum().max())
        )
        most = dict(peak.iter_rows())
        named = [level for i, level in enumerate(feature.levels) if most.get(i, 0) >= min_cell]
        gone = len(feature.levels) - len(named)
        others = [f"{gone} with fewer than {min_cell} customers at once, not named"] if gone else []
        return ", ".join([*named, *others])

    def _shown(self, min_cell: int) -> tuple[int | None, ...]:
        """Exits by cause, small ones hidden; first of all the others goes censored, as who left is shown elsewhere."""
        counts = [self.events(c) for c in self.causes]
        few = [n for n in counts[1:] if 0 < n < min_cell]
        if few and counts[0] + sum(few) - len(few) >= min_cell:
            return (None, *(None if 0 < n < min_cell else n for n in counts[1:]))
        return hide(counts, min_cell)

    def _cause(self, cause: str) -> str:
        if cause not in self.causes:
            raise UnknownInTableError(cause, self.causes, what="cause")
        return cause


def risk_table(eps: Episodes) -> RiskTable:
    """Count episodes into a risk table, on their engine.

    Args:
        eps: the episodes of one claim.
    """
    x = eps.engine.keep(eps.frame.filter(nw.col("start") < nw.col("stop")))
    columns = ("group", *eps.histories, *eps.fixed)
    features, flows = _features(eps.engine.flows(x, columns, eps.causes), eps)
    members = eps.engine.along("start").members(x, "group", "cluster")
    who = members.group_by("group").agg(
        customers=nw.col("customer").n_unique(), clusters=nw.col("cluster").n_unique()
    )
    return RiskTable(
        flows=flows,
        features=features,
        causes=eps.causes,
        clock=eps.clock,
        population=_people(eps.engine.collect(who)),
        exclusions=eps.exclusions,
        min_cell=eps.min_cell,
    )


@dataclass(frozen=True, slots=True)
class AtRisk:
    """Numbers at risk and events on a grid of times, for one stratum.

    Attributes:
        times: shape (T,), ascending; only times with an event or the end of somebody's follow-up.
        at_risk: shape (T,), all who entered before the time less all who left before it.
        events: shape (causes, T).
    """

    times: NDArray[np.int64]
    at_risk: NDArray[np.float64]
    events: NDArray[np.float64]


def at_risk(table: RiskTable, causes: Sequence[str]) -> AtRisk:
    """Sum a table over its patterns and derive the numbers at risk.

    Args:
        table: any table.
        causes: the causes to count, in this order.
    """
    by_time = (
        table.flows.group_by("time")
        .agg(pl.col(*FLOWS, *table.causes).cast(pl.Int64).sum())
        .sort("time")
    )
    net = (by_time["entered"] - by_time["left"]).to_numpy().astype(np.float64)
    before = np.concatenate([[0.0], np.cumsum(net)[:-1]]) if len(net) else net
    events = np.array([by_time[c].to_numpy() for c in causes], dtype=np.float64).reshape(
        len(causes), len(net)
    )
    return AtRisk(by_time["time"].to_numpy().astype(np.int64), before, events)


def _features(flows: pl.DataFrame, eps: Episodes) -> tuple[tuple[Feature, ...], pl.DataFrame]:
    """Level names of the histories as they are; of fixed covariates, those found."""
    features = [Feature(n, h.levels) for n, h in eps.histories.items()]
    for name, levels in eps.fixed.items():
        codes = flows[name].to_numpy()
        occurs = np.bincount(codes, minlength=len(levels)) > 0
        there = np.flatnonzero(occurs)
        features.append(Feature(name, tuple(levels[i] for i in there), is_covariate=True))
        place = np.cumsum(occurs) - 1  # rows stay in order
        narrow = place.astype(_narrow(max(len(there), 1)))
        flows = flows.with_columns(pl.Series(name, narrow[codes]))
    return tuple(features), flows


def _narrow(most: int) -> type[np.signedinteger[Any]]:
    """The kind of integers for numbers below `most`."""
    return next(k for k in (np.int8, np.int16, np.int32) if most <= np.iinfo(k).max)


def _union(a: Feature, b: Feature) -> Feature:
    if a.levels == b.levels:
        return a
    both = {*a.levels, *b.levels}
    # cohorts are numbers of months: in that order, as where they are counted in one go
    order = sorted(both, key=lambda v: int(v.split(" ")[0])) if a.name == COHORT else sorted(both)
    return Feature(a.name, tuple(order), a.is_covariate)


def _recode(table: RiskTable, features: Sequence[Feature]) -> pl.DataFrame:
    codes = {
        new.name: {i: new.levels.index(level) for i, level in enumerate(old.levels)}
        for old, new in zip(table.features, features, strict=True)
        if old.levels != new.levels
    }
    return table.flows.with_columns(
        pl.col(c).replace_strict(m, return_dtype=pl.Int32) for c, m in codes.items()
    )


def total(tables: Sequence[RiskTable]) -> RiskTable:
    """The sum of tables of disjoint clusters.

    Raises:
        EstimationError: they differ in clock, causes or features.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    alike = {(t.causes, t.clock, tuple(f.name for f in t.features)) for t in tables}
    if len(alike) > 1:
        raise EstimationError("only tables with the same clock, causes and features add up")
    features = tuple(
        reduce(_union, (t.features[i] for t in tables)) for i in range(len(first.features))
    )
    keys, counts = ("group", "time", *(f.name for f in features)), (*FLOWS, *first.causes)
    flows = pl.concat([_recode(t, features) for t in tables], how="vertical_relaxed")
    population = pl.concat([t.population for t in tables], how="vertical_relaxed")
    whole = (
        population["group"].diff().drop_nulls() > 0
    ).all()  # the parts are whole groups, in order
    flows = downcast(flows, counts) if whole else sums(flows, keys, counts)
    return RiskTable(
        flows=flows,
        features=features,
        causes=first.causes,
        clock=first.clock,
        population=_people(population),
        exclusions=summed(a for t in tables for a in t.exclusions),
        min_cell=max(t.min_cell for t in tables),
    )


def _people(population: pl.DataFrame) -> pl.DataFrame:
    return sums(population, ["group"], ["customers", "clusters"])
