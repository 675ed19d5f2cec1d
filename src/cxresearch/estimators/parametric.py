"""Survival models of lifelines on a risk table: parametric ones, which go beyond the follow-up, and Kaplan-Meier's.

The likelihoods of these models are sums over exits and over entries, so it does not matter who entered when: entries
and exits of a table are paired in order of time, and a pair stands for as many customers as share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, instance

if TYPE_CHECKING:
    from lifelines.fitters import UnivariateFitter

Fitter = TypeVar("Fitter", bound="UnivariateFitter")
_HALF_DAY = (
    0.5  # lifelines takes who enters on a day to be at risk on it; here they are from the next one
)


def fit_lifelines(table: RiskTable, fitter: Fitter, *, cause: str = "defection") -> Fitter:
    """Fit a model of lifelines to the time until a cause; other causes are censored.

    A parametric model, such as Weibull's, gives what no estimator here gives: survival beyond the follow-up. Errors are
    those of lifelines, which takes customers as independent.

    Args:
        table: its features are summed over; take `RiskTable.where` for a part of it.
        fitter: a univariate one, such as ``lifelines.WeibullFitter()``.
        cause: the event.

    Returns:
        The fitter, fitted.

    Raises:
        ArgumentError: no univariate fitter.
        EstimationError: no such cause, or no events.

    Example:
        >>> import cxresearch as cx
        >>> from lifelines import WeibullFitter
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> weibull = cx.estimators.fit_lifelines(cx.risk_table(study), WeibullFitter())
        >>> round(float(weibull.predict(3 * 365)), 2)
        0.13
    """
    from lifelines.fitters import ParametricUnivariateFitter, UnivariateFitter

    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    instance("fitter", fitter, UnivariateFitter, "a fitter such as lifelines.WeibullFitter()")
    arguments(cause=cause)
    if table.events(cause) == 0:
        raise EstimationError(f"the table has no events of the cause {cause!r}")
    rows = entries_and_exits(table, cause)
    entry = rows["entry"].to_numpy().astype(np.float64)
    if not isinstance(fitter, ParametricUnivariateFitter):
        entry = np.where(entry > 0, entry + _HALF_DAY, entry)
    fitter.fit(
        rows["exit"].to_numpy(),
        event_observed=rows["event"].to_numpy(),
        entry=entry,
        weights=rows["customers"].to_numpy(),
    )
    return fitter


def entries_and_exits(table: RiskTable, cause: str = "defection") -> pl.DataFrame:
    """Entries and exits of a table, paired in order of time.

    Args:
        table: its features are summed over.
        cause: the event.

    Returns:
        One row per pair: entry, exit, event, customers. As many are at risk at each time, and leave, as in the table.

    Raises:
        EstimationError: no such cause.
    """
    table.events(cause)
    flows = (
        table.only()
        .flows.group_by("time")
        .agg(pl.col("entered", "left", cause).cast(pl.Int64).sum())
        .sort("time")
        .with_columns(same=pl.min_horizontal("entered", pl.col("left") - pl.col(cause)))
        .with_columns(
            pl.col("entered", "left") - pl.col("same")
        )  # among them who only changes level
    )
    time, entered, left, events = flows.select("time", "entered", "left", cause).to_numpy().T
    exits = np.column_stack([events, left - events]).ravel()
    upto_entry, upto_exit = np.cumsum(entered), np.cumsum(exits)
    upto = np.unique(np.concatenate([upto_entry, upto_exit]))
    upto = upto[upto > 0]
    which = _first_at_least(upto_exit, upto)
    return pl.DataFrame(
        {
            "entry": time[_first_at_least(upto_entry, upto)],
            "exit": time[which // 2],
            "event": which % 2 == 0,
            "customers": np.diff(upto, prepend=0),
        }
    )


def _first_at_least(ascending: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.searchsorted(ascending, values, side="left")
