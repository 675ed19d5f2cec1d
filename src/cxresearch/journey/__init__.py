"""Instruments that are no claims: touchpoints, service levels, expectations and loyalty.

::

    perception      the map of touchpoints, and the weakest of them   scorecard      the four expectations
    touchpoints     the touchpoints of a study, and their counts      loyalty        the chance to stay after a moment
    contributions   which defections go with bad moments at each      service_levels the six levels of service
    moment_summary  moments and customers by grade, a first summary
    moment_costs    customer-days lost after a first bad moment, of all and at each touchpoint
"""

from cxresearch.journey.loyalty import LoyaltyShift, loyalty_shift
from cxresearch.journey.moment_costs import MomentCosts, moment_costs
from cxresearch.journey.moment_summary import MomentSummary, moment_summary
from cxresearch.journey.perception import PerceptionMap, perception_map
from cxresearch.journey.scorecard import Scorecard, scorecard
from cxresearch.journey.service_levels import ServiceLevels, service_levels

__all__ = [
    "LoyaltyShift",
    "MomentCosts",
    "MomentSummary",
    "PerceptionMap",
    "Scorecard",
    "ServiceLevels",
    "loyalty_shift",
    "moment_costs",
    "moment_summary",
    "perception_map",
    "scorecard",
    "service_levels",
]
