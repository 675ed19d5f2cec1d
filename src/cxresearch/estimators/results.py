"""What every estimator returns: frozen, with the specification that made it, and readable in JupyterLab."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.disclosure.counts import about, apart
from cxresearch.estimators.intervals import SCALES, quantile
from cxresearch.html_tables import html_table
from cxresearch.risk.table import RiskTable


def references(table: RiskTable, terms: Sequence[str]) -> tuple[str, ...]:
    """The level of each feature that has no coefficient, as ``bad[0]``.

    Args:
        table: that the fit was made from.
        terms: names of its coefficients.
    """
    parts = [part for term in terms for part in term.split(":") if part.endswith("]")]
    result = []
    for feature in table.features:
        own = {
            p.partition("[")[2].removesuffix("]")
            for p in parts
            if p.partition("[")[0] == feature.name
        }
        if own:
            seen = table.flows[feature.name].unique().sort().to_list()
            first = next(
                (feature.levels[i] for i in seen if feature.levels[i] not in own), feature.levels[0]
            )
            result.append(f"{feature.name}[{first}]")
    return tuple(result)


Vector = NDArray[np.float64]


class Result:
    """Mixin: `to_polars`, `to_dict` and a table in notebooks, for frozen dataclasses."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values; arrays become lists, missing numbers None."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]

    def to_polars(self) -> pl.DataFrame:
        """One row per entry of the longest field; shorter fields are repeated."""
        values = self.to_dict()
        longest = max((len(v) for v in values.values() if isinstance(v, list)), default=1)
        columns = {
            k: (v if isinstance(v, list) and len(v) == longest else [v] * longest)
            for k, v in values.items()
            if not isinstance(v, list) or len(v) == longest
        }
        return pl.DataFrame(columns, strict=False)

    def _repr_html_(self) -> str:
        frame = self.to_polars()
        varying = [
            c
            for c in frame.columns
            if frame[c].dtype != pl.List and (frame.height == 1 or frame[c].n_unique() > 1)
        ]
        rows = ([_shown(v) for v in row] for row in frame.select(varying).head(60).iter_rows())
        return html_table(type(self).__name__, varying, rows)


@dataclass(frozen=True, slots=True)
class Estimate(Result):
    """A number with its interval.

    Attributes:
        value: the estimate, on its natural scale (a hazard ratio, a share, a difference of shares).
        low: lower limit.
        high: upper limit.
        level: confidence level, such as 0.95.
        se: standard error on `scale`, from the delete-a-group jackknife unless `groups` is 0.
        se_model: model-based standard error on `scale`; NaN where there is none.
        scale: where the interval is symmetric: ``log``, ``cloglog``, ``logit`` or ``identity``; ``wilson`` for a
            Wilson interval, whose `se` is on the logit scale.
        groups: groups of the jackknife (degrees of freedom + 1); 0 if the interval rests on the model.
        size: customers that a Wilson interval rests on; NaN for the others.
    """

    value: float
    low: float
    high: float
    level: float
    se: float
    se_model: float
    scale: str
    groups: int
    size: float = float("nan")

    def __str__(self) -> str:
        """The number with its limits, such as ``1.38 (1.21 to 1.58)``."""
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"

    def _repr_html_(self) -> str:
        basis = f"jackknife over {self.groups} groups" if self.groups else "model"
        row = (
            f"{self.value:.4g}",
            *(f"{v:.4g}" for v in (self.low, self.high)),
            _shown(_plain(self.se)),
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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Incidence(Result):
    """Cumulative incidence of one cause (tied Aalen–Johansen).

    Attributes:
        cause: whose incidence.
        clock: what time counts.
        times: shape (T,): times at which somebody leaves.
        incidence: shape (T,): probability to have left for the cause by then.
        low: shape (T,): lower pointwise limit.
        high: shape (T,): upper pointwise limit.
        at_risk: shape (T,): customers at risk.
        se_model: shape (T,): Greenwood-type standard error of `incidence`, on its own scale.
        start: the estimate is conditional on being at risk after this time.
        support: the last time at which the data can speak.
        level: confidence level.
        groups: groups of the jackknife; 0 if the limits rest on the model.
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
    groups: int

    def at(self, horizon: float) -> Estimate:
        """The incidence at a horizon.

        Raises:
            NotTestable: beyond the support.
        """
        from cxresearch.errors import NotTestable

        if horizon > self.support:
            raise NotTestable(
                "short_follow_up",
                f"follow-up to {horizon:g} (it ends at {self.support:g} on the {self.clock} clock)",
            )
        i = int(np.searchsorted(self.times, horizon, side="right")) - 1
        if i < 0:
            return Estimate(0.0, 0.0, 0.0, self.level, 0.0, 0.0, "cloglog", self.groups)
        value, low, high = (float(v[i]) for v in (self.incidence, self.low, self.high))
        return Estimate(
            value,
            low,
            high,
            self.level,
            float("nan"),
            float(self.se_model[i]),
            "cloglog",
            self.groups,
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
        for time in (times[i] for i in apart(left)):
            result, later = self.at(time), np.flatnonzero(self.times >= time)
            risk = about(int(self.at_risk[later[0]])) if len(later) else "–"
            limits = [f"{v:.1%}" if result.value > 0 else "–" for v in (result.low, result.high)]
            rows.append((f"{time:,}", f"{result.value:.1%}", *limits, risk))
        heads = (
            "contacts" if self.clock == "contact" else "days",
            "left by then",
            "from",
            "to",
            "at risk",
        )
        method = f"{self.level:.0%} limits by {f'jackknife over {self.groups} groups' if self.groups else 'the model'}"
        start = f"Of those still there at {self.start:,}." if self.start else ""
        return html_table(
            f"Incidence of {self.cause} on the {self.clock} clock; {method}", heads, rows, (start,)
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CoxFit(Result):
    """A Cox regression on a risk table.

    Attributes:
        terms: shape (p,): names of the coefficients, such as ``bad[1+]``.
        coef: shape (p,): log hazard ratios.
        se_model: shape (p,): from the information.
        se: shape (p,): delete-a-group jackknife; NaN if it was not asked for or is not possible.
        covariance: shape (p, p): inverse information.
        loglik: maximised log partial likelihood (without Firth's penalty).
        events: how many.
        ties: ``efron`` or ``breslow``.
        strata: features the baseline hazard may differ by.
        cause: the event.
        penalised: whether the likelihood has no maximum and Firth's penalty was used.
        level: confidence level.
        groups: groups of the jackknife; 0 if there was none.
        replicates: shape (groups, p): the coefficients without each group.
        logliks: shape (groups,): the maximised log likelihood without each group; empty where not known.
        references: the levels that the coefficients are against, such as ``bad[0]``; empty where not known.
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
    groups: int
    replicates: NDArray[np.float64]
    references: tuple[str, ...] = ()
    logliks: Vector = field(default_factory=lambda: np.empty(0))

    def to_polars(self) -> pl.DataFrame:
        """One row per coefficient: term, coef, hazard ratio, limits, both errors."""
        return coefficients(self, "hazard_ratio")

    def __repr__(self) -> str:
        ratios = ", ".join(
            f"{t} {h:.2f}" for t, h in zip(self.terms, np.exp(self.coef), strict=True)
        )
        return f"CoxFit(hazard ratios of {self.cause}: {ratios}; {self.events:,} events)"

    def _repr_html_(self) -> str:
        table = self.to_polars().select("term", "hazard_ratio", "low", "high", "se").iter_rows()
        rows = (
            (t, *(f"{v:.2f}" for v in ratio), "–" if np.isnan(e) else f"{e:.3f}")
            for t, *ratio, e in table
        )
        heads = ("term", "hazard ratio", f"{self.level:.0%} from", "to", "error of its logarithm")
        against = f"Against {', '.join(self.references)}." if self.references else ""
        within = f"Compared within {', '.join(self.strata)}." if self.strata else ""
        method = (
            f"Errors by jackknife over {self.groups} groups."
            if self.groups
            else "Errors by the model."
        )
        firth = "The likelihood has no maximum: Firth's penalty was used." if self.penalised else ""
        caption = f"Hazard ratios of {self.cause}: {about(self.events)} events, ties by {self.ties.title()}"
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
    limits = [
        log_interval(c, s, fit.level, fit.groups) for c, s in zip(fit.coef, errors, strict=True)
    ]
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


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    if isinstance(value, float):
        return None if np.isnan(value) else value
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value.to_dict() if isinstance(value, Result) else value


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def estimate(
    value: float,
    se: float,
    *,
    scale: str,
    level: float,
    groups: int,
    se_model: float = float("nan"),
) -> Estimate:
    """An `Estimate` from a value on its natural scale and an error on `scale`."""
    forward, back = SCALES[scale]
    middle, half = forward(value), quantile(level, groups) * se
    return Estimate(
        value, back(middle - half), back(middle + half), level, se, se_model, scale, groups
    )


def wilson(p: float, size: float, level: float) -> Estimate:
    """A proportion with Wilson's interval on `size` customers, which may be fewer than were counted."""
    from statsmodels.stats.proportion import proportion_confint  # takes seconds to import

    low, high = proportion_confint(p * size, size, alpha=1 - level, method="wilson")
    error = 1 / math.sqrt(size * p * (1 - p)) if 0 < p < 1 else math.nan
    return Estimate(
        p, max(float(low), 0.0), min(float(high), 1.0), level, error, error, "wilson", 0, size
    )
