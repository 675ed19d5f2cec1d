"""Who is at risk and who leaves, by time and covariate pattern."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

Array = NDArray[np.float64]
Matrix = Any  # an array or, with many patterns, a SciPy sparse one: most patterns are empty most of the time
Ints = NDArray[
    np.signedinteger[Any]
]  # one for each flow, of which there are many: as narrow as they may be
_SPARSE = 100  # patterns from which on the sparse form is used
_FEW_CELLS = 3  # cells to a flow, up to which a sum into all of them is quicker than a sort


@dataclass(frozen=True, slots=True, eq=False)
class RiskSets:
    """Who is at risk at each row, kept as who comes and goes: a sum over risk sets costs a step per flow.

    Attributes:
        net: shape (R, P): customers that a row has more at risk than the row before it in its stratum.
        block: shape (R,): the stratum of each row, ascending.
    """

    net: Matrix
    block: NDArray[np.int64]

    def total(self, weights: Array) -> Array:
        """For each row the sum over those at risk; `weights` by pattern, shape (P,) or (P, k)."""
        return run_on(np.asarray(self.net @ weights, dtype=np.float64), self.block)

    def by_pattern(self, weights: Array) -> Array:
        """For each pattern the sum over the rows at which its customers are at risk; `weights` by row, shape (R,)."""
        return np.asarray(self.net.T @ run_back(weights.astype(np.float64), self.block))

    def at_risk(self) -> Array:
        """Shape (R, P): how many are at risk."""
        return run_on(np.array(_dense(self.net), dtype=np.float64), self.block)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Flows:
    """The row and the pattern that each flow belongs to, and whose it is.

    Attributes:
        place: shape (F,): position of the flow's group among those of the table, ascending.
        groups: G, how many there are.
        enter_row: shape (F,): first row (stratum, event time) at which the net inflow counts; -1 if none does.
        event_row: shape (F,): row of its time; -1 where that is no event time.
        pattern: shape (F,).
        net: shape (F,): entered less left.
        events: shape (F,).
        block: shape (R,): the stratum of each row, ascending.
    """

    place: NDArray[np.int64]
    groups: int
    enter_row: Ints
    event_row: Ints
    pattern: Ints
    net: Ints
    events: Ints
    block: NDArray[np.int64]

    def matrices(self, shape: tuple[int, int]) -> tuple[RiskSets, Matrix]:
        """Risk sets and events, each of `shape` (R, P)."""
        net = _scatter(shape, self.enter_row, self.pattern, self.net)
        return RiskSets(net, self.block), _scatter(shape, self.event_row, self.pattern, self.events)


@dataclass(frozen=True, eq=False)  # without slots, as what does not change is kept
class Everyone:
    """All customers, for K vectors of coefficients at once.

    Attributes:
        sets: risk sets, R rows by P patterns.
        events: shape (R, P).
    """

    sets: RiskSets
    events: Matrix

    def at_risk(self, weights: Array) -> Array:
        """The sum over each risk set of `weights`, shape (K, P, c); shape (K, R, c)."""
        return run_on(_each(self.sets.net, weights), self.sets.block, axis=1)

    def leaving(self, weights: Array) -> Array:
        """The sum over those who leave at each row of `weights`, shape (K, P, c); shape (K, R, c)."""
        return _each(self.events, weights)

    @cached_property
    def events_by_row(self) -> Array:
        """How many leave at each row; shape (1, R)."""
        return np.asarray(self.events.sum(axis=1)).reshape(1, -1)

    @cached_property
    def events_by_pattern(self) -> Array:
        """How many leave of each pattern; shape (1, P)."""
        return np.asarray(self.events.sum(axis=0)).reshape(1, -1)

    @cached_property
    def _transposed(self) -> tuple[Matrix, Matrix]:
        return self.sets.net.T, self.events.T

    def by_pattern(self, risk: Array, event: Array) -> Array:
        """For each pattern Σ `risk` over the rows it is at risk at, less Σ `event` over its events; (K, P)."""
        later = run_back(risk.astype(np.float64), self.sets.block, axis=1)
        net, events = self._transposed
        return np.asarray((net @ later.T - events @ event.T).T)


def _each(counts: Matrix, weights: Array) -> Array:
    """Counts of shape (R, P) times each of K weights of shape (P, c); shape (K, R, c)."""
    if isinstance(counts, np.ndarray):
        return np.asarray(counts @ weights)
    fits, patterns, columns = weights.shape
    side_by_side = weights.transpose(1, 0, 2).reshape(patterns, fits * columns)
    return np.ascontiguousarray(
        (counts @ side_by_side).reshape(-1, fits, columns).transpose(1, 0, 2)
    )


def run_on(summed: Array, block: NDArray[np.int64], *, axis: int = 0) -> Array:
    """Running sums along the rows of each block, in place."""
    for rows in _blocks(block):
        part = summed[rows] if axis == 0 else summed[:, rows]
        np.cumsum(part, axis=axis, out=part)
    return summed


def run_back(weights: Array, block: NDArray[np.int64], *, axis: int = 0) -> Array:
    """Running sums from the last row of each block to its first."""
    later = np.empty_like(weights)
    backwards, result = (v[::-1] if axis == 0 else v[:, ::-1] for v in (weights, later))
    for rows in _blocks(block[::-1]):
        part = (rows,) if axis == 0 else (slice(None), rows)
        np.cumsum(backwards[part], axis=axis, out=result[part])
    return later


def _blocks(block: NDArray[np.int64]) -> Iterator[slice]:
    ends = np.flatnonzero(block[1:] != block[:-1]) + 1
    return (slice(a, b) for a, b in pairwise([0, *ends.tolist(), len(block)]))


def _scatter(shape: tuple[int, int], rows: Ints, patterns: Ints, counts: Ints) -> Matrix:
    """Sum counts into a matrix of `shape`; a row of -1 is nowhere, and a count of nothing takes no place."""
    return (_sparse if shape[1] > _SPARSE else _dense_sum)(shape, rows, patterns, counts)


def _sparse(shape: tuple[int, int], rows: Ints, columns: Ints, counts: Ints) -> Matrix:
    """The sums as a sparse matrix: by a sum into every cell where there are few, else in the order of rows."""
    used = np.flatnonzero((rows >= 0) & (counts != 0))
    if shape[0] * shape[1] <= _FEW_CELLS * len(used):
        return csr_array(_dense_sum(shape, rows[used], columns[used], counts[used]))
    kind = np.int32 if max(*shape, len(used)) < 2**31 else np.int64
    if (
        shape[1] < 2**16
    ):  # NumPy sorts 16 bits by radix; a row whose columns ascend is not sorted again
        used = used[np.argsort(columns[used].astype(np.uint16), kind="stable")]
    places = (rows[used].astype(kind), columns[used].astype(kind))
    result = coo_array((counts[used].astype(np.float64), places), shape=shape).tocsr()
    result.eliminate_zeros()
    return result


def _dense_sum(shape: tuple[int, int], rows: Ints, columns: Ints, counts: Ints) -> Array:
    used = (rows >= 0) & (counts != 0)
    place = rows[used].astype(np.int64) * shape[1] + columns[used]
    summed = np.bincount(place, counts[used].astype(np.float64), minlength=shape[0] * shape[1])
    return summed.astype(np.float64).reshape(shape)


def _dense(counts: Matrix) -> Array:
    return np.asarray(counts if isinstance(counts, np.ndarray) else counts.todense())
