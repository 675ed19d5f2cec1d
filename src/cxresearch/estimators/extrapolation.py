"""Expected time to leaving, beyond the data: parametric and cure models of lifelines next to our own curve.

Within the follow-up such a model must agree with the curve that assumes nothing; beyond it, only its shape speaks. So
several models are fitted, each is held against our curve, and what rests on the shape alone is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.errors import EstimationError
from cxresearch.estimators.incidence import incidence
from cxresearch.estimators.parametric import fit_lifelines
from cxresearch.estimators.results import Estimate, Incidence
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, instance, lookup, names, one_of, whole_number
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Result

if TYPE_CHECKING:
    from lifelines.fitters import ParametricUnivariateFitter

MODELS = ("exponential", "weibull", "log-normal", "log-logistic", "cure")
FAR = 0.2  # of the expected time beyond the data: from here on a warning stands
_STEPS = 2000  # of a sum in place of an integral
_CURED = 0.005  # a share of customers who never leave below which the time to leaving has a mean
_FARTHEST = 200.0  # times the follow-up: where a survival that has not ended by then has no mean


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Extrapolation(Result):
    """Numbers of one model within the data and beyond them.

    Attributes:
        model: its name.
        aic: Akaike's criterion; the lowest fits best.
        survival: at the horizon, by the model: the share of customers who have not left for the cause by then.
        mean: expected time to leaving; infinite where some never leave, or survival falls too slowly.
        median: by when half have left; infinite where fewer than half ever do.
        within: expected time up to the end of the data, by the model.
        beyond: the part of the mean that lies beyond the data; NaN where there is no mean.
        never: the share who never leave; 0 where the model knows none.
    """

    model: str
    aic: float
    survival: float
    mean: float
    median: float
    within: float
    beyond: float
    never: float

    def __repr__(self) -> str:
        return f"Extrapolation({self.model}: mean {_time(self.mean)}, {self.survival:.1%} left at the horizon)"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Extrapolations(Result, Mapping[str, Extrapolation]):
    """Several models next to our own curve; by name, the best first.

    Attributes:
        cause: the event; other causes are censored, as in all these models.
        clock: what time counts.
        horizon: a time within the data, at which the models are held against our curve.
        support: the last time at which the data can speak.
        observed: survival at the horizon by our curve, which assumes no shape.
        observed_within: expected time up to `support` by our curve.
        models: one per model, by Akaike's criterion.
    """

    cause: str
    clock: str
    horizon: int
    support: int
    observed: Estimate
    observed_within: float
    models: tuple[Extrapolation, ...]

    def __getitem__(self, name: str) -> Extrapolation:
        return lookup({m.model: m for m in self.models}, name, "model")

    def __iter__(self) -> Iterator[str]:
        return iter([m.model for m in self.models])

    def __len__(self) -> int:
        return len(self.models)

    @property
    def warning(self) -> str:
        """What must stand next to an expected time: how much of it no data have shown."""
        best, unit = self.models[0], _unit(self.clock)
        means = [m.mean for m in self.models if math.isfinite(m.mean)]
        spread = (
            f" Models that fit these data say {_time(min(means))} to {_time(max(means))} {unit}."
            if len(means) > 1
            else ""
        )
        endless = [m.model for m in self.models if not math.isfinite(m.mean)]
        none = f" No mean at all by: {', '.join(endless)}." if endless else ""
        if not math.isfinite(best.mean):
            return f"By the model that fits best there is no expected time: some never leave.{spread}{none}"
        if best.beyond < FAR and not none:
            return f"{best.beyond:.0%} of the expected time lie beyond the data.{spread}"
        return (
            f"{best.beyond:.0%} of the expected time lie beyond the last {self.support:,} {unit} that the data show: "
            f"that part rests on the shape of the model alone.{spread}{none}"
        )

    def to_polars(self) -> pl.DataFrame:
        """One row per model: its numbers, and those of our curve."""
        rows = [
            m.to_dict() | {"observed": self.observed.value, "observed_within": self.observed_within}
            for m in self.models
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def __repr__(self) -> str:
        shown = ", ".join(f"{m.model} {_time(m.mean)}" for m in self.models)
        return f"Extrapolations(expected {_unit(self.clock)} to {self.cause}: {shown})"

    def _repr_html_(self) -> str:
        unit, o = _unit(self.clock), self.observed
        rows = [
            (
                m.model,
                f"{m.survival:.1%}",
                _time(m.within, unit),
                _time(m.mean, unit),
                _time(m.median, unit),
                f"{m.never:.1%}",
                f"{m.aic:,.1f}",
            )
            for m in self.models
        ]
        ours = f"{o.value:.1%} ({o.low:.1%} to {o.high:.1%})"
        rows.append(
            (
                "our curve, which assumes no shape",
                ours,
                _time(self.observed_within, unit),
                *("–",) * 4,
            )
        )
        heads = (
            "model",
            f"still there at {self.horizon:,}",
            f"expected, up to {self.support:,}",
            "expected in all",
            "median",
            "never leave",
            "AIC",
        )
        caption = (
            f"Time to {self.cause}, within the data and beyond; other causes count as last seen"
        )
        return html_table(caption, heads, rows, (self.warning,))


def extrapolate(
    table: RiskTable,
    models: Sequence[str] = MODELS,
    *,
    horizon: int | None = None,
    cause: str = "defection",
    level: float = 0.95,
) -> Extrapolations:
    """Fit models that go beyond the data, and hold each against our own curve where both can speak.

    Args:
        table: its features are summed over; take `RiskTable.where` for a part of it. Customers whose beginnings the
            data do not show come in late.
        models: of ``exponential``, ``weibull``, ``log-normal``, ``log-logistic`` and ``cure`` (some never leave, the
            others by Weibull's).
        horizon: a time within the data, for the comparison; half of them when not given.
        cause: the event; other causes are censored.
        level: confidence level of our curve.

    Raises:
        ArgumentError: no such model, or none.
        EstimationError: no such cause, no events, or a model cannot be fitted.
        NotTestable: too few customers are at risk.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(), 1000, seed=1).study()
        >>> result = cx.estimators.extrapolate(cx.risk_table(study), ["weibull", "log-normal"], horizon=365)
        >>> round(result["weibull"].survival, 2), round(result.observed.value, 2)
        (0.64, 0.63)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(cause=cause, level=level)
    chosen = [one_of("models", m, MODELS) for m in names("models", models)]
    if not chosen:
        raise EstimationError(f"name at least one model: {', '.join(MODELS)}")
    table.events(cause)
    curve = incidence(_alone(table, cause), cause, level=level)
    at = whole_number("horizon", curve.support // 2 if horizon is None else horizon, 1)
    left = curve.at(at)
    fitted = sorted((_fit(table, m, cause, at, curve.support) for m in chosen), key=lambda m: m.aic)
    return Extrapolations(
        cause=cause,
        clock=table.clock,
        horizon=at,
        support=curve.support,
        observed=replace(left, value=1 - left.value, low=1 - left.high, high=1 - left.low),
        observed_within=_area(curve),
        models=tuple(fitted),
    )


def _alone(table: RiskTable, cause: str) -> RiskTable:
    """The table with one cause only; who leaves for another is last seen then."""
    others = [c for c in table.causes[1:] if c != cause]
    return replace(table, flows=table.flows.drop(others), causes=(table.causes[0], cause))


def _fit(table: RiskTable, name: str, cause: str, horizon: int, support: int) -> Extrapolation:
    fitter: Any = fit_lifelines(table, _fitter(name), cause=cause)
    never = float(fitter.cured_fraction_) if name == "cure" else 0.0
    mean = math.inf if never > _CURED else _mean(fitter, support)
    within = _expected(fitter, support)
    return Extrapolation(
        model=name,
        aic=float(fitter.AIC_),
        survival=float(fitter.predict(horizon)),
        mean=mean,
        median=math.inf if never > 0.5 else float(fitter.median_survival_time_),
        within=within,
        beyond=1 - within / mean if math.isfinite(mean) else math.nan,
        never=never,
    )


def _fitter(name: str) -> ParametricUnivariateFitter:
    import lifelines

    if name == "cure":
        return lifelines.MixtureCureFitter(base_fitter=lifelines.WeibullFitter())
    kinds = {
        "exponential": lifelines.ExponentialFitter,
        "weibull": lifelines.WeibullFitter,
        "log-normal": lifelines.LogNormalFitter,
        "log-logistic": lifelines.LogLogisticFitter,
    }
    return kinds[name]()


def _expected(fitter: Any, until: float) -> float:
    """Expected time up to a limit: the area below the survival curve, by the trapezoidal rule."""
    times = np.linspace(0, until, _STEPS + 1)
    return float(np.trapezoid(_survival(fitter, times), times))


def _mean(fitter: Any, support: int) -> float:
    """The area below the whole curve; infinite where much of it lies far beyond any data.

    Steps grow with time, as a curve that falls slowly has a long tail.
    """
    last = _FARTHEST * support
    times = np.concatenate(
        [np.linspace(0, support, _STEPS), np.geomspace(support, last, _STEPS)[1:]]
    )
    survival = _survival(fitter, times)
    area = float(np.trapezoid(survival, times))
    return math.inf if survival[-1] * last > 0.05 * area else area


def _survival(fitter: Any, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The survival of a fitted model; times from 0, where everybody is still there."""
    with np.errstate(all="ignore"):  # far beyond the data nothing is left of a number
        later = np.asarray(fitter.survival_function_at_times(times[1:]), dtype=np.float64)
    return np.concatenate([[1.0], np.nan_to_num(later, nan=0.0)])


def _area(curve: Incidence) -> float:
    """Expected time up to the end of the data, by a curve of steps."""
    known = curve.times <= curve.support
    times = np.concatenate([[0.0], curve.times[known], [float(curve.support)]])
    survival = np.concatenate([[1.0], 1 - curve.incidence[known]])
    return float(np.sum(np.diff(times) * survival))


def _unit(clock: str) -> str:
    return "contacts" if clock == "contact" else "days"


def _time(value: float, unit: str = "") -> str:
    """A time, with its unit where it stands by itself: a bare whole number would read as a count."""
    return f"{value:,.0f} {unit}".rstrip() if math.isfinite(value) else "none"
