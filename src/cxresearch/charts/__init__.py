"""Results to Altair charts: nothing is computed here but where things lie.

::

    intervals    the readings of a claim side by side    over_time   how a share grows
    by_contacts  who has bad moments and who leaves      by_history  who is still there, by what they lived through
    by_cause     what came first                         ratios      hazard ratios
    moments      the quick math                          journey     touchpoints, levels of service
    line_by_line the scorecard, loyalty
    steps        what charts of curves share
    look         what all charts share                   renderer    how a chart leaves the kernel

``from cxresearch import charts`` imports Altair, which takes seconds: import it where a chart is made. Charts show
themselves in JupyterLab, with tooltips and offline; ``altair.renderers.enable(...)`` chooses another way.
"""

from cxresearch.charts.by_cause import competing
from cxresearch.charts.by_contacts import Shares, activity, shares
from cxresearch.charts.by_history import retention
from cxresearch.charts.intervals import readings, units
from cxresearch.charts.journey import perception_map, service_levels
from cxresearch.charts.line_by_line import loyalty_shift, scorecard
from cxresearch.charts.look import claimed, happening
from cxresearch.charts.moments import bad_moments, grades
from cxresearch.charts.over_time import curves
from cxresearch.charts.ratios import hazard_ratios

__all__ = [
    "Shares",
    "activity",
    "bad_moments",
    "claimed",
    "competing",
    "curves",
    "grades",
    "happening",
    "hazard_ratios",
    "loyalty_shift",
    "perception_map",
    "readings",
    "retention",
    "scorecard",
    "service_levels",
    "shares",
    "units",
]
