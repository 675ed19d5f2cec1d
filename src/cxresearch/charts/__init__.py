"""Results to Altair charts: nothing is computed here but positions.

::

    base      what all charts share                 hazard_ratios  hazard ratios with intervals
    claims    the readings of a claim side by side  journey        touchpoints, moments, levels of service
    curves    how a share grows over time           scorecard      the scorecard, loyalty
    renderer  how a chart leaves the kernel         silences       who comes back after a silence
    specification_curve  a number under many definitions  planning  how much data would decide
    effect_over_time  by age of the moment, by band of the clock
    of_results  which chart a result is drawn as: `plot()` of results

``from cxresearch import charts`` imports Altair, which takes seconds: import it where a chart is made. Charts show
themselves in JupyterLab, with tooltips and offline; ``altair.renderers.enable(...)`` chooses another way.
"""

from cxresearch.utils.slow_imports import import_jsonschema

import_jsonschema()  # before Altair does

from cxresearch.charts.base import claimed
from cxresearch.charts.claims import Shares, activity, readings, shares, units
from cxresearch.charts.curves import competing, curves, retention
from cxresearch.charts.effect_over_time import effect_over_time
from cxresearch.charts.hazard_ratios import hazard_ratios
from cxresearch.charts.journey import bad_moments, grades, perception_map, service_levels
from cxresearch.charts.planning import power
from cxresearch.charts.scorecard import loyalty_shift, scorecard
from cxresearch.charts.silences import silences
from cxresearch.charts.specification_curve import specification_curve
from cxresearch.claims.level_words import happening

__all__ = [
    "Shares",
    "activity",
    "bad_moments",
    "claimed",
    "competing",
    "curves",
    "effect_over_time",
    "grades",
    "happening",
    "hazard_ratios",
    "loyalty_shift",
    "perception_map",
    "power",
    "readings",
    "retention",
    "scorecard",
    "service_levels",
    "shares",
    "silences",
    "specification_curve",
    "units",
]
