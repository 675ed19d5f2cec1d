"""From a risk table to the arrays of a regression: who is at risk and who leaves, by time and covariate pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError
from cxresearch.estimators.influence import places
from cxresearch.estimators.risk_sets import Array, Everyone, Flows, Ints, Matrix, RiskSets
from cxresearch.risk.table import Feature, RiskTable

_ALIKE = 1e-8  # of a column's spread: what is left of it when those before it are taken out
_LINEAR = re.compile(r"linear\((\w+)\)")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Design:
    """The arrays of a regression on a risk table.

    Attributes:
        terms: shape (p,): names of the columns of `x`.
        x: shape (P, p): covariates of each pattern.
        sets: risk sets, R rows (stratum, event time) by P patterns.
        events: shape (R, P): events.
        flows: where each flow lands, and whose it is.
        times: shape (R,): the time of each row.
        term: shape (p,): the position of the term that each column belongs to.
    """

    terms: tuple[str, ...]
    x: Array
    sets: RiskSets
    events: Matrix
    flows: Flows
    times: NDArray[np.int64]
    term: NDArray[np.int64]

    def only(self, kept: NDArray[np.bool_]) -> Design:
        """The design with some of its columns."""
        terms = tuple(t for t, k in zip(self.terms, kept, strict=True) if k)
        if kept.all():
            return self
        return replace(self, terms=terms, x=self.x[:, kept], term=self.term[kept])

    @property
    def everyone(self) -> Everyone:
        """All customers."""
        return Everyone(self.sets, self.events)


def design(
    table: RiskTable,
    terms: Sequence[str],
    strata: Sequence[str],
    cause: str,
    *,
    every_time: bool = False,
) -> Design:
    """Lay a risk table out for a regression.

    Args:
        table: any table whose features include those named.
        terms: a feature's name for dummies against its first level seen, ``linear(name)`` for its levels as numbers,
            ``a:b`` for products.
        strata: features whose levels have a baseline each; not to be used as terms.
        cause: the event.
        every_time: a row for every whole time up to the last, not only for those with an event.

    Raises:
        EstimationError: an unknown feature or cause, a level that is no number in a linear term, a stratum that is also
            a term, or no events.
    """
    if table.events(cause) == 0:
        raise EstimationError(f"the table has no events of the cause {cause!r}")
    laid = layout(table, terms, strata)
    flows, code, block = laid.flows, laid.pattern, laid.stratum
    counted = flows[cause].to_numpy()
    net = flows.select(pl.col("entered").cast(pl.Int32) - pl.col("left")).to_series().to_numpy()
    first, last = (
        int(t) for t in flows.select(pl.col("time").min(), last=pl.col("time").max()).row(0)
    )
    width = last - first + 2
    kind = _holds(laid.strata.height * width)
    key = block.astype(kind) * width + flows.select(
        pl.col("time").cast(pl.Int64) - first
    ).to_series().to_numpy().astype(kind)
    rows = np.unique(key[counted > 0])
    if every_time:
        rows = np.concatenate(
            [
                np.arange(key[block == b].min() + 1, key[block == b].max() + 1)
                for b in np.unique(block)
            ]
        )
    mark = np.zeros(int(key.max()) + 2, kind)
    mark[rows] = 1
    upto = np.cumsum(mark, dtype=kind)  # rows at or before a key
    enter = upto[key]
    enter = np.where(
        (enter < len(rows)) & (rows[np.minimum(enter, len(rows) - 1)] // width == block), enter, -1
    )
    own = np.where(mark[key] == 1, upto[key] - 1, -1)
    landed = Flows(
        places(table.population, flows["group"]),
        table.groups,
        enter,
        own,
        code,
        net,
        counted,
        rows // width,
    )
    sets, events = landed.matrices((len(rows), laid.patterns.height))
    seen = sets.by_pattern(np.ones(len(rows))) > 0
    names, x = covariates(table, terms, laid.patterns, seen)
    widths = [len(covariates(table, [term], laid.patterns, seen)[0]) for term in terms]
    times = rows.astype(np.int64) % width + first
    return Design(
        terms=names,
        x=x,
        sets=sets,
        events=events,
        flows=landed,
        times=times,
        term=np.repeat(np.arange(len(terms)), widths),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """Which columns of a design the data can tell apart.

    Attributes:
        kept: shape (p,): columns that say something which those before them do not; all that are asked about.
        unidentified: shape (p, k): directions among the columns asked about that what is held equal says as well.
    """

    kept: NDArray[np.bool_]
    unidentified: NDArray[np.float64]


def identify(d: Design, held: Sequence[str] = ()) -> Identified:
    """Find columns that are sums of others within every risk set.

    Args:
        d: a design.
        held: terms that are only held equal: of those, what others say already is left out.

    Raises:
        EstimationError: there are no terms, or those that are not held cannot be told apart.
    """
    if not d.terms:
        raise EstimationError("a Cox model needs at least one term")
    totals = d.sets.total(np.column_stack([np.ones(len(d.x)), d.x]))
    at_risk = np.maximum(totals[:, 0], 1)
    mean = totals[:, 1:] / at_risk[:, None]
    spread = (d.x * d.sets.by_pattern(1 / at_risk)[:, None]).T @ d.x - mean.T @ mean
    size = np.sqrt(np.maximum(np.diag(spread), 1e-300))
    spread = spread / np.outer(size, size)
    only_held = np.array([any(belongs(t, h) for h in held) for t in d.terms])
    asked = np.flatnonzero(~only_held)
    kept = np.zeros(len(d.terms), bool)
    rest = spread.copy()
    for j in (*asked, *np.flatnonzero(only_held)):
        if rest[j, j] > _ALIKE and size[j] > 1e-9:
            kept[j] = True
            rest -= np.outer(rest[:, j], rest[j]) / rest[j, j]
    if not kept[asked].all():
        rank = int(kept[asked].sum())
        raise EstimationError(
            f"the terms cannot be told apart: {', '.join(d.terms[j] for j in asked)} span only {rank} dimensions"
        )
    return Identified(kept, _unidentified(spread, asked, np.flatnonzero(only_held), size))


def _unidentified(
    spread: NDArray[np.float64], asked: NDArray[np.intp], held: NDArray[np.intp], size: Array
) -> NDArray[np.float64]:
    """Directions among the columns asked about that have no spread once those held equal are taken out."""
    if not len(held) or not len(asked):
        return np.zeros((len(spread), 0))
    across = spread[np.ix_(asked, held)]
    inside = spread[np.ix_(held, held)]
    own = (
        spread[np.ix_(asked, asked)]
        - across @ np.linalg.pinv(inside, 1e-9, hermitian=True) @ across.T
    )
    values, vectors = np.linalg.eigh(own)
    result = np.zeros((len(spread), int((values < 1e-7).sum())))
    result[asked] = vectors[:, values < 1e-7] / size[asked][:, None]
    return np.asarray(result / np.maximum(np.linalg.norm(result, axis=0), 1e-300))


def belongs(column: str, term: str) -> bool:
    """Whether a column, such as ``a[1]:b[2]``, is one of a term, such as ``a:b``."""
    own, wanted = column.split(":"), [part.strip() for part in term.split(":")]
    return len(own) == len(wanted) and all(
        part == name or part.startswith(f"{name}[") for part, name in zip(own, wanted, strict=True)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The flows of a table with the pattern and the stratum of each.

    Attributes:
        flows: the rows of the table.
        pattern: shape (F,): row of `patterns`.
        patterns: a level position for each feature of the terms.
        stratum: shape (F,): row of `strata`.
        strata: a level position for each stratifying feature.
    """

    flows: pl.DataFrame
    pattern: Ints
    patterns: pl.DataFrame
    stratum: Ints
    strata: pl.DataFrame


def layout(table: RiskTable, terms: Sequence[str], strata: Sequence[str]) -> Layout:
    """Number the patterns and strata of a table; args and errors as `design`."""
    used = list(dict.fromkeys(name for term in terms for name in _features_of(term)))
    clash = [s for s in strata if s in used]
    if clash:
        raise EstimationError(f"{clash[0]!r} cannot be a term and a stratum at once")
    return Layout(
        table.flows,
        *_codes(table.flows, [table.feature(f) for f in used]),
        *_codes(table.flows, [table.feature(f) for f in strata]),
    )


def covariates(
    table: RiskTable, terms: Sequence[str], patterns: pl.DataFrame, seen: NDArray[np.bool_]
) -> tuple[tuple[str, ...], Array]:
    """The columns that the terms make.

    Args:
        table: whose features they are.
        terms: as `design`.
        patterns: of `layout`.
        seen: shape (P,): patterns with somebody at risk; levels that are in no other get no column.

    Returns:
        Names, and an array of shape (P, p).
    """
    names, columns = [], []
    levels = {c: patterns[c].to_numpy()[seen] for c in patterns.columns}
    for term in terms:
        for name, column in _columns(term, table, patterns, levels):
            names.append(name)
            columns.append(column)
    return tuple(names), np.column_stack(columns) if columns else np.zeros((patterns.height, 0))


def _features_of(term: str) -> list[str]:
    return [
        m[1] if (m := _LINEAR.fullmatch(part.strip())) else part.strip() for part in term.split(":")
    ]


def _holds(most: int) -> type[np.signedinteger[Any]]:
    """The kind of integers for numbers below `most`."""
    return np.int32 if most < 2**31 else np.int64


def _codes(flows: pl.DataFrame, features: list[Feature]) -> tuple[Ints, pl.DataFrame]:
    """Combinations of levels that occur, numbered in order: the number of every flow, and the table of combinations."""
    if not features:
        return np.zeros(flows.height, np.int32), pl.DataFrame({"": [0]})
    kind = _holds(prod(len(f.levels) for f in features))
    key = np.zeros(flows.height, kind)
    for f in features:
        key = key * len(f.levels) + flows[f.name].to_numpy()
    if prod(len(f.levels) for f in features) > 4 * len(key):  # far more could occur than do
        result, code = np.unique(key, return_inverse=True)
    else:
        occurs = np.bincount(key)
        result, code = np.flatnonzero(occurs), (np.cumsum(occurs > 0, dtype=kind) - 1)[key]
    levels: dict[str, NDArray[np.int64]] = {}
    for f in reversed(features):
        result, levels[f.name] = np.divmod(result, len(f.levels))
    return code.astype(np.int64), pl.DataFrame({f.name: levels[f.name] for f in features})


def _columns(
    term: str, table: RiskTable, patterns: pl.DataFrame, seen: dict[str, NDArray[np.int64]]
) -> list[tuple[str, Array]]:
    columns: list[tuple[str, Array]] = [("", np.ones(patterns.height))]
    for part in term.split(":"):
        columns = [
            (f"{a}:{b}" if a else b, u * v)
            for a, u in columns
            for b, v in _main(part.strip(), table, patterns, seen)
        ]
    return columns


def _main(
    part: str, table: RiskTable, patterns: pl.DataFrame, seen: dict[str, NDArray[np.int64]]
) -> list[tuple[str, Array]]:
    linear = _LINEAR.fullmatch(part)
    name = linear[1] if linear else part
    feature, codes = table.feature(name), patterns[name].to_numpy()
    if linear:
        used = set(seen[name].tolist())
        values = np.array(
            [_number(feature, i) if i in used else 0.0 for i in range(len(feature.levels))]
        )
        return [(part, values[codes])]
    levels = sorted(set(seen[name].tolist()))
    return [(f"{name}[{feature.levels[i]}]", (codes == i).astype(np.float64)) for i in levels[1:]]


def _number(feature: Feature, position: int) -> float:
    """A level as a number; a last level such as 3+ counts as 3."""
    level = feature.levels[position]
    try:
        return float(level.removesuffix("+"))
    except ValueError:
        raise EstimationError(
            f"linear({feature.name}) needs levels that are numbers; {level!r} is none: leave it out with "
            f"table.where({feature.name}=[...]), or use dummies"
        ) from None
