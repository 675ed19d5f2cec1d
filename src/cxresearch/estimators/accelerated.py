"""Accelerated failure times by lifelines on a risk table, with the hazard ratios of our Cox model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError
from cxresearch.estimators.cox import cox
from cxresearch.estimators.intervals import log_interval
from cxresearch.estimators.parametric import entries_and_exits
from cxresearch.estimators.results import CoxFit, Vector
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, instance, names
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.names_in_words import term_in_words
from cxresearch.utils.result import Result


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class AcceleratedFit(Result):
    """A Weibull model of accelerated failure times, and the Cox model with the same terms.

    Weibull's is the one model that is of both kinds: what stretches time by a factor multiplies the hazard by a power
    of it. So its hazard ratios can be held against those of a Cox model, which assumes no shape.

    Attributes:
        terms: shape (p,): names of the coefficients, such as ``bad[1+]``.
        time_ratio: shape (p,): by what factor the time to leaving is longer, or shorter, than at the reference.
        time_low: shape (p,): lower limit.
        time_high: shape (p,): upper limit.
        hazard_ratio: shape (p,): the same as a ratio of hazards.
        shape: of Weibull's distribution; above 1, the hazard rises with time.
        aic: Akaike's criterion.
        cox: our fit with the same terms.
        level: confidence level of the limits, which take customers as independent.
    """

    terms: tuple[str, ...]
    time_ratio: Vector
    time_low: Vector
    time_high: Vector
    hazard_ratio: Vector
    shape: float
    aic: float
    cox: CoxFit
    level: float

    def to_polars(self) -> pl.DataFrame:
        """One row per term: time ratio and its limits, hazard ratio by Weibull's model and by ours with its limits."""
        ours = self.cox.to_polars().select(
            "term", cox="hazard_ratio", cox_low="low", cox_high="high"
        )
        theirs = pl.DataFrame(
            {
                "term": list(self.terms),
                "time_ratio": self.time_ratio,
                "low": self.time_low,
                "high": self.time_high,
                "hazard_ratio": self.hazard_ratio,
            }
        )
        return theirs.join(ours, on="term", how="left", maintain_order="left")

    def __repr__(self) -> str:
        shown = ", ".join(f"{t} {v:.2f}" for t, v in zip(self.terms, self.time_ratio, strict=True))
        return f"AcceleratedFit(time ratios: {shown})"

    def _repr_html_(self) -> str:
        heads = (
            "term",
            "time ratio",
            f"{self.level:.0%} from",
            "to",
            "hazard ratio, Weibull",
            "hazard ratio, Cox",
            f"{self.level:.0%} from",
            "to",
        )
        rows = (
            (term_in_words(t), *(f"{v:.2f}" for v in values))
            for t, *values in self.to_polars().iter_rows()
        )
        notes = (
            "A time ratio of 0.8 means: time to leaving is a fifth shorter.",
            f"Against {', '.join(map(term_in_words, self.cox.references))}."
            if self.cox.references
            else "",
            f"Shape of Weibull's distribution: {self.shape:.2f}.",
        )
        return html_table(f"Time to {self.cox.cause}, stretched or shortened", heads, rows, notes)


def accelerated(
    table: RiskTable, terms: Sequence[str], *, cause: str = "defection", level: float = 0.95
) -> AcceleratedFit:
    """Fit lifelines' Weibull model of accelerated failure times, and our Cox model with it.

    Levels may change along a customer's way: the time at each level counts as one that began late and was left early.

    Args:
        table: with the features that are named.
        terms: names of features; the first level of each is the reference.
        cause: the event; other causes are censored.
        level: confidence level.

    Raises:
        EstimationError: no terms, no such feature or cause, no events, or no fit.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> fit = cx.estimators.accelerated(table.where(bad=["0", "1+"]), ["bad"])
        >>> round(float(fit.hazard_ratio[0]), 1), round(float(fit.cox.to_polars()["hazard_ratio"][0]), 1)
        (1.8, 1.9)
    """
    from lifelines import WeibullAFTFitter

    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(cause=cause, level=level)
    chosen = names("terms", terms)
    if not chosen:
        raise EstimationError("name at least one feature of the table")
    ours = cox(table, chosen, cause=cause, level=level)
    columns = list(ours.terms)
    rows = _rows(table, chosen, columns, cause)
    fitter: Any = WeibullAFTFitter(alpha=1 - level)
    fitter.fit(
        rows.to_pandas(),
        duration_col="exit",
        event_col="event",
        entry_col="entry",
        weights_col="customers",
    )
    shape = float(np.exp(fitter.params_["rho_"].iloc[0]))
    coef, errors = (
        np.array([float(values["lambda_"][c]) for c in columns])
        for values in (fitter.params_, fitter.standard_errors_)
    )
    limits = np.array([log_interval(c, e, level, 0) for c, e in zip(coef, errors, strict=True)])
    return AcceleratedFit(
        terms=ours.terms,
        time_ratio=np.exp(coef),
        time_low=limits[:, 0],
        time_high=limits[:, 1],
        hazard_ratio=np.exp(-coef * shape),
        shape=shape,
        aic=float(fitter.AIC_),
        cox=ours,
        level=level,
    )


def _rows(
    table: RiskTable, features: Sequence[str], columns: Sequence[str], cause: str
) -> pl.DataFrame:
    """Entry, exit, event and customers at each combination of levels, with a dummy for each coefficient."""
    parts = []
    levels = [table.feature(name).levels for name in features]
    for combination in product(*levels):
        at = dict(zip(features, combination, strict=True))
        part = table.where(**{name: [level] for name, level in at.items()})
        if not part.flows.height:
            continue
        pairs = entries_and_exits(part, cause).filter(pl.col("exit") > pl.col("entry"))
        dummies: dict[str, NDArray[np.float64] | float] = {
            c: float(c in {f"{name}[{level}]" for name, level in at.items()}) for c in columns
        }
        parts.append(pairs.with_columns(pl.lit(value).alias(c) for c, value in dummies.items()))
    return pl.concat(parts)
