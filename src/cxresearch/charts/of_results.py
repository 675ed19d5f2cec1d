"""Which chart a result is drawn as; `plot()` of results comes here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cxresearch.charts.claims import readings
from cxresearch.charts.curves import competing, retention
from cxresearch.charts.effect_over_time import effect_over_time
from cxresearch.charts.hazard_ratios import hazard_ratios
from cxresearch.charts.journey import grades, perception_map, service_levels
from cxresearch.charts.planning import power
from cxresearch.charts.scorecard import loyalty_shift, scorecard
from cxresearch.charts.silences import silences
from cxresearch.charts.specification_curve import specification_curve
from cxresearch.claims.results import Trial
from cxresearch.claims.specification_results import SpecificationCurve
from cxresearch.curves import Curves
from cxresearch.errors import NothingToDrawError
from cxresearch.estimators.effect_over_time import EffectOverTime
from cxresearch.estimators.results import CoxFit, Incidence
from cxresearch.journey import LoyaltyShift, MomentSummary, PerceptionMap, Scorecard, ServiceLevels
from cxresearch.planning.results import Plan
from cxresearch.records.contacts import GRADES
from cxresearch.silences import Gaps


def draw(result: Any, **options: Any) -> Any:
    """The chart of a result.

    Args:
        result: of a class that has a chart.
        options: of the function that draws it; they come before what the result knows itself.

    Returns:
        An Altair chart.

    Raises:
        NothingToDrawError: there is nothing in it to draw.
    """
    kind = next(kind for kind in type(result).__mro__ if kind in _DRAWN)
    return _DRAWN[kind](result, **options)


def _incidence(curve: Incidence, **options: Any) -> Any:
    return competing({curve.cause: curve}, **options)


def _curves(curves: Curves, **options: Any) -> Any:
    """By cause they add up to all who left; by level they are shares of those still there."""
    known: dict[str, Any] = {"min_cell": curves.min_cell}
    if curves.of == "cause":
        return competing(curves, **{**known, **options})
    words = curves.of.replace("_", " ")
    known["history"] = f"{words} moments so far" if curves.of in GRADES else words
    return retention(curves, **{**known, **options})


def _trial(trial: Trial, **options: Any) -> Any:
    """The readings in the unit of the primary one."""
    if trial.primary.estimate is None:
        raise NothingToDrawError(f"{trial.claim.id} has no number to draw: {trial.primary.lacks}")
    return readings(trial, **{"unit": trial.primary.unit, **options})


_DRAWN: Mapping[type, Callable[..., Any]] = {
    CoxFit: hazard_ratios,
    Curves: _curves,
    EffectOverTime: effect_over_time,
    Gaps: silences,
    Incidence: _incidence,
    LoyaltyShift: loyalty_shift,
    MomentSummary: grades,
    PerceptionMap: perception_map,
    Plan: power,
    Scorecard: scorecard,
    ServiceLevels: service_levels,
    SpecificationCurve: specification_curve,
    Trial: _trial,
}
