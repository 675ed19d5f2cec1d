"""Piecewise-constant hazards: events by exposure in intervals of the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from cxresearch.estimators.design import layout
from cxresearch.estimators.exposure import cells_of, edges_of, stratum_names
from cxresearch.estimators.intervals import FEW, quantile
from cxresearch.estimators.jackknife import enough_groups, jackknife
from cxresearch.estimators.results import Result, Vector
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable


@dataclass(frozen=True, slots=True, eq=False)
class Rates(Result):
    """Event rates by stratum and interval of the clock; one entry per cell with anybody at risk.

    Attributes:
        cause: whose events.
        clock: what time counts.
        strata: features by which the rates are shown.
        stratum: shape (C,): the stratum of each cell, such as ``segment=a``; empty without strata.
        start: shape (C,): the interval is (start, stop].
        stop: shape (C,).
        events: shape (C,).
        exposure: shape (C,): customer-days (contacts on the contact clock).
        rate: shape (C,): events per customer-day.
        low: shape (C,): lower limit.
        high: shape (C,): upper limit.
        se: shape (C,): delete-a-group jackknife error of the log rate; NaN where the limits are exact ones.
        se_model: shape (C,): the same if events were Poisson, 1/√events; NaN without events.
        level: confidence level.
        groups: groups of the jackknife; 0 if all limits are exact Poisson limits.
    """

    cause: str
    clock: str
    strata: tuple[str, ...]
    stratum: tuple[str, ...]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    events: NDArray[np.int64]
    exposure: NDArray[np.int64]
    rate: Vector
    low: Vector
    high: Vector
    se: Vector
    se_model: Vector
    level: float
    groups: int

    def to_polars(self) -> pl.DataFrame:
        """One row per cell."""
        names = ("start", "stop", "events", "exposure", "rate", "low", "high", "se", "se_model")
        cells = {"stratum": list(self.stratum)} if self.strata else {}
        return pl.DataFrame({**cells, **{n: getattr(self, n) for n in names}}).with_columns(
            pl.col(pl.Float64).fill_nan(None)
        )


def rates(
    table: RiskTable,
    *,
    breaks: Sequence[int] = (),
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
    errors: Literal["jackknife", "model"] = "jackknife",
    groups: int = 100,
) -> Rates:
    """Event rates: events of a cause divided by the days at risk, by interval of the clock.

    Args:
        table: the risk table; features that are not strata are summed over.
        breaks: edges of the intervals, rising; (0, 30, 365) makes (0, 30] and (30, 365]. Time outside them is not
            looked at. One interval over all of the follow-up when not given.
        strata: features by whose levels the rates are shown.
        cause: the event.
        level: confidence level of the limits.
        errors: delete-a-group jackknife (default), whose limits are symmetric in the log rate; or the model: exact
            limits (Garwood) for independent Poisson counts. Cells with fewer than 20 events always have exact limits,
            because leaving out a few events in turn says little, and leaving out none says nothing.
        groups: most groups to use; fewer where 20 clusters and 5 events in each need it.

    Returns:
        The rates. A cell without events has rate 0, lower limit 0 and an exact upper limit.

    Raises:
        EstimationError: an unknown feature or cause, or breaks that do not rise or lie beyond the follow-up.
        NotTestable: too few customers or events for a jackknife.

    References:
        Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28, 437-442.

    Example:
        >>> import cxresearch as cx
        >>> import polars as pl
        >>> from cxresearch.risk.rows import from_rows
        >>> rows = pl.DataFrame({"id": [1, 2, 3, 4], "start": [0, 0, 0, 5], "stop": [10, 4, 20, 20]})
        >>> table = from_rows(rows.with_columns(event=pl.Series([1, 1, 0, 0])), [])
        >>> found = cx.estimators.rates(table, breaks=(0, 5, 20), errors="model")
        >>> found.to_polars().select("start", "stop", "events", "exposure").rows()
        [(0, 5, 1, 14), (5, 20, 1, 35)]
        >>> found.rate.round(4).tolist()
        [0.0714, 0.0286]
    """
    if errors == "jackknife":
        table = enough_groups(table, cause, groups)
    table.events(cause)  # names a wrong cause
    laid = layout(table, (), strata)
    edges = edges_of(table, breaks)
    cells = cells_of(laid, cause, edges)
    n, d = (part.sum(axis=0)[..., 0].ravel() for part in (cells.exposure, cells.events))
    used = n > 0
    rate, many = d[used] / n[used], d[used] >= FEW
    low, high = _exact(d[used], n[used], level)
    se = np.full(len(rate), np.nan)
    if errors == "jackknife" and many.any():
        at = np.flatnonzero(used)[many]
        own_n, own_d = (part[..., 0].reshape(len(cells.groups), -1)[:, at] for part in (cells.exposure, cells.events))
        many[many] = alone = ((d[at] - own_d) > 0).all(axis=0)  # all events in one group: nothing to compare
        at, own_n, own_d = at[alone], own_n[:, alone], own_d[:, alone]
        found = jackknife(np.log(d[at] / n[at]), lambda g: np.log((d[at] - own_d[g]) / (n[at] - own_n[g])), len(own_n))
        se[many] = found.se
        half = quantile(level, found.groups) * found.se
        low[many], high[many] = rate[many] * np.exp(-half), rate[many] * np.exp(half)
    named = [(s, a, b) for s in stratum_names(table, laid) for a, b in pairwise(edges)]
    kept = [cell for cell, there in zip(named, used, strict=True) if there]
    return Rates(
        cause=cause,
        clock=table.clock,
        strata=tuple(strata),
        stratum=tuple(s for s, _, _ in kept),
        start=np.array([a for _, a, _ in kept]),
        stop=np.array([b for _, _, b in kept]),
        events=d[used].astype(np.int64),
        exposure=n[used].astype(np.int64),
        rate=rate,
        low=low,
        high=high,
        se=se,
        se_model=np.where(d[used] > 0, 1 / np.sqrt(np.maximum(d[used], 1)), np.nan),
        level=level,
        groups=len(cells.groups) if errors == "jackknife" else 0,
    )


def _exact(events: Array, exposure: Array, level: float) -> tuple[Array, Array]:
    """Garwood's limits of a rate."""
    tail = (1 - level) / 2
    low = np.where(events > 0, stats.chi2.ppf(tail, np.maximum(2 * events, 1)) / 2, 0.0)
    return low / exposure, stats.chi2.ppf(1 - tail, 2 * events + 2) / 2 / exposure
