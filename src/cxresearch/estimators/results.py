"""What every estimator returns: frozen, with the specification that made it, and readable in JupyterLab."""

from __future__ import annotations

from dataclasses import dataclass, fields
from html import escape
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
            c for c in frame.columns if frame[c].dtype != pl.List and (frame.height == 1 or frame[c].n_unique() > 1)
        ]
        head = "".join(f"<th scope='col'>{escape(c)}</th>" for c in varying)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_shown(v))}</td>" for v in row) + "</tr>"
            for row in frame.select(varying).head(60).iter_rows()
        )
        caption = f"<caption>{escape(type(self).__name__)}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


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


@dataclass(frozen=True, slots=True, eq=False)
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
            raise NotTestable(f"follow-up to {horizon:g} (it ends at {self.support:g} on the {self.clock} clock)")
        i = int(np.searchsorted(self.times, horizon, side="right")) - 1
        if i < 0:
            return Estimate(0.0, 0.0, 0.0, self.level, 0.0, 0.0, "cloglog", self.groups)
        value, low, high = (float(v[i]) for v in (self.incidence, self.low, self.high))
        return Estimate(value, low, high, self.level, float("nan"), float(self.se_model[i]), "cloglog", self.groups)


@dataclass(frozen=True, slots=True, eq=False)
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

    def to_polars(self) -> pl.DataFrame:
        """One row per coefficient: term, coef, hazard ratio, limits, both errors."""
        from cxresearch.estimators.intervals import log_interval

        errors = np.where(np.isnan(self.se), self.se_model, self.se)
        limits = [log_interval(c, s, self.level, self.groups) for c, s in zip(self.coef, errors, strict=True)]
        return pl.DataFrame(
            {
                "term": list(self.terms),
                "coef": self.coef,
                "hazard_ratio": np.exp(self.coef),
                "low": [a for a, _ in limits],
                "high": [b for _, b in limits],
                "se": self.se,
                "se_model": self.se_model,
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
