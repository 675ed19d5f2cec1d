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

_COLLINEAR = 1e-8  # of a column's variance: what is left of it when those before it are taken out
_CONSTANT = 1e-12  # of the sum of squares of a column: a variance below is rounding
_MOST_CELLS = 8  # combinations that could occur to a flow, up to which each has a place
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
        every_time: a row for every time up to the last, not only for those with an event.

    Raises:
        EstimationError: an unknown feature or cause, a level that is no number in a linear term, a stratum that is also
            a term, or no events.
    """
    if table.events(cause) == 0:
        raise EstimationError(f"the table has no events of the cause {cause!r}")
    laid = layout(table, terms, strata)
    rows = _number_rows(laid, cause, every_time=every_time)
    flows = _place_flows(table, laid, cause, rows)
    sets, events = flows.matrices((len(rows.keys), laid.patterns.height))
    seen = sets.by_pattern(np.ones(len(rows.keys))) > 0
    columns = _columns_of(table, terms, laid.patterns, seen)
    names, x = _side_by_side(columns, laid.patterns.height)
    widths = [len(of_term) for of_term in columns]
    return Design(
        terms=names,
        x=x,
        sets=sets,
        events=events,
        flows=flows,
        times=rows.keys.astype(np.int64) % rows.width + rows.first,
        term=np.repeat(np.arange(len(terms)), widths),
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Rows:
    """The rows of a design: stratum and time as one number, the key: stratum * width + time - first.

    Attributes:
        keys: shape (R,): of the rows, ascending.
        flow_keys: shape (F,): of the flows.
        first: the first time of a flow.
        width: times to a stratum.
    """

    keys: Ints
    flow_keys: Ints
    first: int
    width: int


def _number_rows(laid: Layout, cause: str, *, every_time: bool) -> _Rows:
    """A row for each stratum and time with an event, or for each time between the first and the last of a stratum."""
    flows, stratum = laid.flows, laid.stratum
    time = flows["time"].to_numpy()
    first, last = int(time.min()), int(time.max())
    width = last - first + 2
    kind = _integers_up_to(laid.strata.height * width)
    key = stratum.astype(kind) * kind(width)
    key += (time.astype(np.int64) - first).astype(kind)
    keys = np.unique(key[flows[cause].to_numpy() > 0])
    if every_time:
        of_strata = (key[stratum == s] for s in np.unique(stratum))
        keys = np.concatenate([np.arange(k.min() + 1, k.max() + 1) for k in of_strata])
    return _Rows(keys=keys, flow_keys=key, first=first, width=width)


def _place_flows(table: RiskTable, laid: Layout, cause: str, rows: _Rows) -> Flows:
    """The row at which each flow is first at risk, and that of its time."""
    flows, keys, key = laid.flows, rows.keys, rows.flow_keys
    block = keys // rows.width
    is_row = np.zeros(laid.strata.height * rows.width, bool)
    is_row[keys] = True
    following = np.cumsum(is_row, dtype=key.dtype)  # of each key the first row after it
    strata = np.repeat(np.arange(laid.strata.height, dtype=block.dtype), rows.width)
    in_stratum = block[np.minimum(following, len(keys) - 1)] == strata
    enter_row = np.where((following < len(keys)) & in_stratum, following, -1)
    event_row = np.where(is_row, following - 1, -1)
    return Flows(
        place=places(table.population, flows["group"]),
        groups=table.groups,
        enter_row=enter_row[key],
        event_row=event_row[key],
        pattern=laid.pattern,
        net=flows["entered"].to_numpy().astype(np.int32) - flows["left"].to_numpy(),
        events=flows[cause].to_numpy(),
        block=block,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Identified:
    """Which columns of a design the data can tell apart.

    Attributes:
        kept: shape (p,): columns that are no sum of those before them; all that are asked about.
        unidentified: shape (p, k): directions among the columns asked about that are sums of what is held equal.
    """

    kept: NDArray[np.bool_]
    unidentified: NDArray[np.float64]


def identify(d: Design, held: Sequence[str] = ()) -> Identified:
    """Find columns that are sums of others within every risk set.

    Args:
        d: a design.
        held: terms that are only held equal: of those, columns that are sums of others are left out.

    Raises:
        EstimationError: there are no terms, or those that are not held are collinear.
    """
    if not d.terms:
        raise EstimationError("a Cox model needs at least one term")
    totals = d.sets.total(np.column_stack([np.ones(len(d.x)), d.x]))
    at_risk = np.maximum(totals[:, 0], 1)
    mean = totals[:, 1:] / at_risk[:, None]
    squares = (d.x * d.sets.by_pattern(1 / at_risk)[:, None]).T @ d.x
    covariance = squares - mean.T @ mean
    # what is the same for everybody at risk, such as the number of a contact on the clock of contacts, is left with
    # rounding, of either sign
    varies = np.diag(covariance) > _CONSTANT * np.diag(squares)
    size = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    covariance = covariance / np.outer(size, size)
    only_held = np.array([any(belongs(t, h) for h in held) for t in d.terms])
    asked = np.flatnonzero(~only_held)
    kept = np.zeros(len(d.terms), bool)
    rest = covariance.copy()
    for j in (*asked, *np.flatnonzero(only_held)):
        if rest[j, j] > _COLLINEAR and size[j] > 1e-9:
            kept[j] = True
            rest -= np.outer(rest[:, j], rest[j]) / rest[j, j]
    if not kept[asked].all():
        rank = int(kept[asked].sum())
        raise EstimationError(
            f"the terms cannot be distinguished: {', '.join(d.terms[j] for j in asked)} span only {rank} dimensions"
        )
    held_equal = np.flatnonzero(only_held & varies)
    return Identified(kept=kept, unidentified=_unidentified(covariance, asked, held_equal, size))


def _unidentified(
    covariance: NDArray[np.float64], asked: NDArray[np.intp], held: NDArray[np.intp], size: Array
) -> NDArray[np.float64]:
    """Directions among the columns asked about that do not vary once those held equal are taken out."""
    if not len(held) or not len(asked):
        return np.zeros((len(covariance), 0))
    across = covariance[np.ix_(asked, held)]
    inside = covariance[np.ix_(held, held)]
    within = (
        covariance[np.ix_(asked, asked)]
        - across @ np.linalg.pinv(inside, 1e-9, hermitian=True) @ across.T
    )
    values, vectors = np.linalg.eigh(within)
    result = np.zeros((len(covariance), int((values < 1e-7).sum())))
    result[asked] = vectors[:, values < 1e-7] / size[asked][:, None]
    return np.asarray(result / np.maximum(np.linalg.norm(result, axis=0), 1e-300))


def belongs(column: str, term: str) -> bool:
    """Whether a column, such as ``a[1]:b[2]``, is one of a term, such as ``a:b``."""
    parts, names = column.split(":"), [part.strip() for part in term.split(":")]
    return len(parts) == len(names) and all(
        part == name or part.startswith(f"{name}[") for part, name in zip(parts, names, strict=True)
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
    return _side_by_side(_columns_of(table, terms, patterns, seen), patterns.height)


def _columns_of(
    table: RiskTable, terms: Sequence[str], patterns: pl.DataFrame, seen: NDArray[np.bool_]
) -> list[list[tuple[str, Array]]]:
    """The columns of each term, with their names."""
    levels = {
        c: np.flatnonzero(np.bincount(patterns[c].to_numpy()[seen])) for c in patterns.columns
    }
    return [_columns(term, table, patterns, levels) for term in terms]


def _side_by_side(
    columns: list[list[tuple[str, Array]]], patterns: int
) -> tuple[tuple[str, ...], Array]:
    every = [column for of_term in columns for column in of_term]
    x = np.column_stack([values for _, values in every]) if every else np.zeros((patterns, 0))
    return tuple(name for name, _ in every), x


def _features_of(term: str) -> list[str]:
    return [
        m[1] if (m := _LINEAR.fullmatch(part.strip())) else part.strip() for part in term.split(":")
    ]


def _integers_up_to(most: int) -> type[np.signedinteger[Any]]:
    """The narrowest type of integers that holds numbers below `most`."""
    return np.int32 if most < 2**31 else np.int64


def _codes(flows: pl.DataFrame, features: list[Feature]) -> tuple[Ints, pl.DataFrame]:
    """Combinations of levels that occur, numbered in order: the number of every flow, and the table of combinations."""
    if not features:
        return np.zeros(flows.height, np.int32), pl.DataFrame({"": [0]})
    kind = _integers_up_to(prod(len(f.levels) for f in features))
    key = np.zeros(flows.height, kind)
    for f in features:
        key = key * len(f.levels) + flows[f.name].to_numpy()
    if (most := prod(len(f.levels) for f in features)) > _MOST_CELLS * len(key):
        result, code = np.unique(key, return_inverse=True)
    else:
        occurs = np.zeros(most, bool)
        occurs[key] = True
        places = np.cumsum(occurs, dtype=kind)
        places -= 1
        result, code = np.flatnonzero(occurs), places[key]
    levels: dict[str, NDArray[np.int64]] = {}
    for f in reversed(features):
        result, levels[f.name] = np.divmod(result, len(f.levels))
    return code, pl.DataFrame({f.name: levels[f.name] for f in features})


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
    levels = seen[name].tolist()
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
