"""What every estimator returns: frozen, with the specification that made it, and readable in JupyterLab."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.disclosure.counts import MIN_CELL, about, readable_positions
from cxresearch.estimators.influence import Clusters
from cxresearch.estimators.intervals import SCALES, quantile
from cxresearch.risk.table import RiskTable
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.names_in_words import name_in_words, term_in_words
from cxresearch.utils.result import DISPLAY_ONLY, Drawable, cell, plain, value_fields
from cxresearch.utils.result import Result as Result  # noqa: PLC0414  # estimators take it from here


def references(table: RiskTable, terms: Sequence[str]) -> tuple[str, ...]:
    """The level of each feature that has no coefficient, as ``bad[0]``.

    Args:
        table: that the fit was made from.
        terms: names of its coefficients.
    """
    parts = [part for term in terms for part in term.split(":") if part.endswith("]")]
    result = []
    for feature in table.features:
        dummies = {
            p.partition("[")[2].removesuffix("]")
            for p in parts
            if p.partition("[")[0] == feature.name
        }
        if dummies:
            first = next(
                (
                    feature.levels[i]
                    for i in table.positions(feature.name)
                    if feature.levels[i] not in dummies
                ),
                feature.levels[0],
            )
            result.append(f"{feature.name}[{first}]")
    return tuple(result)


Vector = NDArray[np.float64]


def basis_text(errors: str, df: int) -> str:
    """What an error rests on, in words."""
    freedom = f", {df:,} degrees of freedom" if df else ""
    return {
        "clusters": f"robust, by customer{freedom}",
        "groups": f"robust, by groups of customers{freedom}",
        "resampling": f"resampling{freedom}",
    }.get(errors, "model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate(Result):
    """A number with its interval.

    Attributes:
        value: the estimate, on its natural scale (a hazard ratio, a share, a difference of shares).
        low: lower limit.
        high: upper limit.
        level: confidence level, such as 0.95.
        se: standard error on `scale`, robust unless `errors` is ``model``.
        se_model: model-based standard error on `scale`; NaN where there is none.
        scale: where the interval is symmetric: ``log``, ``cloglog``, ``logit`` or ``identity``; ``wilson`` for a
            Wilson interval, whose `se` is on the logit scale.
        df: degrees of freedom of the t distribution behind the limits; 0 for the normal distribution.
        errors: what the interval rests on: ``clusters`` or ``groups`` (influence functions, squared over clusters of
            customers, or over a hundred groups of them where there are more than 100,000), ``resampling``, or
            ``model``.
        size: customers that a Wilson interval rests on; NaN for the others.
        r: of limits that hold at every look, see `cxresearch.estimators.looks`: the information that their width is
            tuned to; NaN for limits that hold at one look.
    """

    value: float
    low: float
    high: float
    level: float
    se: float
    se_model: float
    scale: str
    df: int = 0
    errors: str = "model"
    size: float = float("nan")
    r: float = float("nan")

    def __eq__(self, other: object) -> bool:
        """Whether all is the same; what is NaN in both is."""
        if not isinstance(other, Estimate):
            return NotImplemented
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return all(a == b or (a != a and b != b) for a, b in pairs)  # noqa: PLR0124 - NaN alone is not itself

    def __hash__(self) -> int:
        values = (getattr(self, f.name) for f in fields(self))
        return hash(tuple(None if v != v else v for v in values))  # noqa: PLR0124

    @property
    def interval(self) -> str:
        """Whether the limits hold at every look, ``anytime``, or at one look, ``fixed``."""
        return "fixed" if math.isnan(self.r) else "anytime"

    def __str__(self) -> str:
        """The number with its limits, such as ``1.38 (1.21 to 1.58)``."""
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"

    def _repr_html_(self) -> str:
        basis = basis_text(self.errors, self.df)
        row = (
            f"{self.value:.4g}",
            *(f"{v:.4g}" for v in (self.low, self.high)),
            cell(plain(self.se)),
            self.scale,
        )
        heads = (
            "estimate",
            f"{self.level:.0%} from",
            "to",
            "standard error",
            "on the scale",
            "error by",
        )
        return html_table("Estimate", heads, [(*row, basis)])


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Incidence(Result, Drawable):
    """Cumulative incidence of one cause (tied Aalen–Johansen).

    Attributes:
        cause: whose incidence.
        clock: what time counts.
        times: shape (T,): times at which somebody leaves.
        incidence: shape (T,): probability to have left for the cause by then.
        low: shape (T,): lower pointwise limit.
        high: shape (T,): upper pointwise limit.
        at_risk: shape (T,): customers at risk.
        se_model: shape (T,): Greenwood-type standard error of `incidence` itself.
        start: the estimate is conditional on being at risk after this time.
        support: the last time at which the data can speak.
        level: confidence level.
        df: degrees of freedom of the limits; 0 if they rest on the model.
        errors: what the limits rest on, as `Estimate.errors`.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    cause: str
    clock: str
    times: Vector
    incidence: Vector
    low: Vector
    high: Vector
    at_risk: Vector
    se_model: Vector
    start: int
    support: int
    level: float
    df: int = 0
    errors: str = "model"
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def at(self, horizon: float) -> Estimate:
        """The incidence at a horizon.

        Raises:
            ShortFollowUp: beyond the support.
        """
        from cxresearch.errors import ShortFollowUp

        if horizon > self.support:
            raise ShortFollowUp(horizon, self.support, clock=self.clock)
        i = int(np.searchsorted(self.times, horizon, side="right")) - 1
        if i < 0:
            return Estimate(
                value=0.0,
                low=0.0,
                high=0.0,
                level=self.level,
                se=0.0,
                se_model=0.0,
                scale="cloglog",
                df=self.df,
                errors=self.errors,
            )
        value, low, high = (float(v[i]) for v in (self.incidence, self.low, self.high))
        return Estimate(
            value=value,
            low=low,
            high=high,
            level=self.level,
            se=float("nan"),
            se_model=float(self.se_model[i]),
            scale="cloglog",
            df=self.df,
            errors=self.errors,
        )

    @property
    def left(self) -> Vector:
        """Shape (T,): how many had left by then, at most: leaving for another cause makes each step stand for more."""
        before = np.concatenate([[0.0], self.incidence[:-1]])
        return np.cumsum(
            np.diff(self.incidence, prepend=0.0) * self.at_risk / np.maximum(1 - before, 1e-12)
        )

    def __repr__(self) -> str:
        times = some_times(self)
        end = f"; by {times[-1]:,}: {self.at(times[-1])}" if times else ""
        return f"Incidence({self.cause} on the {self.clock} clock{end})"

    def _repr_html_(self) -> str:
        rows, times = [], some_times(self)
        left = np.concatenate([[0.0], self.left])[np.searchsorted(self.times, times, side="right")]
        for time in (times[i] for i in readable_positions(left, self.min_cell)):
            result, later = self.at(time), np.flatnonzero(self.times >= time)
            risk = about(int(self.at_risk[later[0]]), self.min_cell) if len(later) else "–"
            limits = [f"{v:z.1%}" if result.value > 0 else "–" for v in (result.low, result.high)]
            rows.append((f"{time:,}", f"{result.value:z.1%}", *limits, risk))
        heads = (
            "contacts" if self.clock == "contact" else "days",
            "left by then",
            "from",
            "to",
            "at risk",
        )
        method = f"{self.level:.0%} limits, errors {basis_text(self.errors, self.df)}"
        start = f"Of those still there at {self.start:,}." if self.start else ""
        return html_table(
            f"Incidence of {self.cause} on the {self.clock} clock; {method}", heads, rows, (start,)
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class CoxFit(Result, Drawable):
    """A Cox regression on a risk table.

    Attributes:
        terms: shape (p,): names of the coefficients, such as ``bad[1+]``.
        coef: shape (p,): log hazard ratios.
        se_model: shape (p,): from the information.
        se: shape (p,): robust, clustered; NaN if it was not asked for.
        covariance: shape (p, p): inverse information.
        loglik: maximised log partial likelihood (without Firth's penalty).
        events: how many.
        ties: ``efron``, ``breslow`` or ``grouped``.
        strata: features the baseline hazard may differ by.
        cause: the event.
        penalised: whether the likelihood has no maximum and Firth's penalty was used. Robust errors then take the
            information of the likelihood without the penalty, at the penalised estimate.
        level: confidence level.
        influence: shape (G, p): how much each cluster (or group) moves the coefficients (R's dfbeta, summed).
        loglik_influence: shape (G,): what each adds to `loglik`, by the derivative in its case weight.
        clusters: whom the errors are summed over; None if they rest on the model.
        references: the levels that the coefficients are against, such as ``bad[0]``; empty where not known.
        unidentified: shape (p, k): directions in which coefficients are not identified, since columns that are held
            equal span them.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    terms: tuple[str, ...]
    coef: Vector
    se_model: Vector
    se: Vector
    covariance: NDArray[np.float64]
    loglik: float
    events: int
    ties: str
    strata: tuple[str, ...]
    cause: str
    penalised: bool
    level: float
    influence: NDArray[np.float64]
    loglik_influence: Vector
    clusters: Clusters | None
    references: tuple[str, ...] = ()
    unidentified: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    @property
    def df(self) -> int:
        """Degrees of freedom of the limits; 0 if they rest on the model."""
        return self.clusters.df if self.clusters else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values; without the influence of each cluster, which is as confidential as the data."""
        hidden = ("influence", "loglik_influence", "clusters", "unidentified")
        rest = {
            f.name: plain(getattr(self, f.name)) for f in value_fields(self) if f.name not in hidden
        }
        return {**rest, "df": self.df}

    def to_polars(self) -> pl.DataFrame:
        """One row per coefficient: term, coef, hazard ratio, limits, both errors."""
        return coefficients(self, "hazard_ratio")

    def __repr__(self) -> str:
        ratios = ", ".join(
            f"{t} {h:.2f}" for t, h in zip(self.terms, np.exp(self.coef), strict=True)
        )
        events = about(self.events, self.min_cell)
        return f"CoxFit(hazard ratios of {self.cause}: {ratios}; {events} events)"

    def _repr_html_(self) -> str:
        table = self.to_polars().select("term", "hazard_ratio", "low", "high", "se").iter_rows()
        rows = (
            (term_in_words(t), *(f"{v:.2f}" for v in ratio), "–" if np.isnan(e) else f"{e:.3f}")
            for t, *ratio, e in table
        )
        heads = ("term", "hazard ratio", f"{self.level:.0%} from", "to", "error of its logarithm")
        against = (
            f"Against {', '.join(map(term_in_words, self.references))}." if self.references else ""
        )
        within = (
            f"Compared within {', '.join(map(name_in_words, self.strata))}." if self.strata else ""
        )
        method = f"Errors: {basis_text(self.clusters.by if self.clusters else 'model', self.df)}."
        firth = "The likelihood has no maximum: Firth's penalty was used." if self.penalised else ""
        events = about(self.events, self.min_cell)
        caption = f"Hazard ratios of {self.cause}: {events} events, ties by {self.ties.title()}"
        return html_table(caption, heads, rows, (against, within, method, firth))


def some_times(curve: Incidence) -> list[int]:
    """A handful of times at which to read a curve: the usual ones within its reach, and the last."""
    end = int(min(curve.support, curve.times[-1])) if len(curve.times) else 0
    usual = (
        (7, 30, 90, 180, 365, 730, 1095, 1825, 3650)
        if end > 60
        else (1, 2, 3, 5, 7, 10, 14, 21, 30, 45)
    )
    return [
        *(t for t in usual if curve.start < t < 0.95 * end),
        *([end] if end > curve.start else []),
    ]


def coefficients(fit: Any, ratio: str) -> pl.DataFrame:
    """The coefficients of a log-linear fit as a table, with `ratio` as the name of their exponentials."""
    from cxresearch.estimators.intervals import log_interval

    errors = np.where(np.isnan(fit.se), fit.se_model, fit.se)
    limits = [log_interval(c, s, fit.level, fit.df) for c, s in zip(fit.coef, errors, strict=True)]
    return pl.DataFrame(
        {
            "term": list(fit.terms),
            "coef": fit.coef,
            ratio: np.exp(fit.coef),
            "low": [a for a, _ in limits],
            "high": [b for _, b in limits],
            "se": fit.se,
            "se_model": fit.se_model,
        },
        schema_overrides={"low": pl.Float64, "high": pl.Float64},
    )


def estimate(
    value: float,
    se: float,
    *,
    scale: str,
    level: float,
    clusters: Clusters | None,
    se_model: float = float("nan"),
) -> Estimate:
    """An `Estimate` from a value on its natural scale and an error on `scale`."""
    df, errors = (clusters.df, clusters.by) if clusters else (0, "model")
    forward, back = SCALES[scale]
    middle, half = forward(value), quantile(level, df) * se
    return Estimate(
        value=value,
        low=back(middle - half),
        high=back(middle + half),
        level=level,
        se=se,
        se_model=se_model,
        scale=scale,
        df=df,
        errors=errors,
    )


def wilson(p: float, size: float, level: float) -> Estimate:
    """A proportion with Wilson's interval on `size` customers, which may be fewer than were counted."""
    # statsmodels' `proportion_confint`, which takes a second to import
    z = quantile(level, 0)
    around = 1 + z**2 / size
    middle = (p + z**2 / (2 * size)) / around
    half = z * math.sqrt(p * (1 - p) / size + z**2 / (4 * size**2)) / around
    error = 1 / math.sqrt(size * p * (1 - p)) if 0 < p < 1 else math.nan
    return Estimate(
        value=p,
        low=max(middle - half, 0.0),
        high=min(middle + half, 1.0),
        level=level,
        se=error,
        se_model=error,
        scale="wilson",
        size=size,
    )
