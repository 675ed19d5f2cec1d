"""What the sources would have a company look at: instruments, not claims.

::

    perception    the map of touchpoints            service        the six levels of service
    expectations  the scorecard of the four         loyalty        what a moment does to the chance to stay
    places        touchpoints told apart            contributions  what goes with bad moments at each of them
    weakest       which of them is named            at_touchpoints the history behind it
    counted       records and their counts          cells          small cells of a two-way table
    moment_counts the quick math
"""

from cxresearch.journey.loyalty import LoyaltyShift, loyalty_shift
from cxresearch.journey.moment_summary import MomentSummary, moment_summary
from cxresearch.journey.perception import PerceptionMap, perception_map
from cxresearch.journey.scorecard import Scorecard, scorecard
from cxresearch.journey.service_levels import ServiceLevels, service_levels

__all__ = [
    "LoyaltyShift",
    "MomentSummary",
    "PerceptionMap",
    "Scorecard",
    "ServiceLevels",
    "loyalty_shift",
    "moment_summary",
    "perception_map",
    "scorecard",
    "service_levels",
]
