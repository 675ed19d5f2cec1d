"""From risk tables to numbers: nothing here sees a customer, a file or a claim.

::

    incidence        tied Aalen-Johansen            cox                 hazard ratios on days
    excess           against comparable customers   discrete            hazard ratios on contacts
    days_lost        the area between their curves
    shares           of customers, of those at risk  rates, rate_ratios  piecewise constant rates
    concentration    at the worst few               model_comparison    two models compared
    attributable     shares of departures           fading, fading_cells  beyond selection by frailty
    proportionality  do hazard ratios change        own_gaps            each customer alone

    design      terms to columns                    influence           robust errors, by cluster
    risk_sets   flows to risk sets                  intervals           limits on a scale
    partial_likelihood  Cox's, with ties            newton              its maximum
    coarse_curves  as they may be shown
    contrasts   hazard ratios of a fit              shrinkage           shares of few moments
    parametric  models of lifelines                 extrapolation       time to leaving beyond the data
    accelerated failure times, compared with Cox    looks               limits that hold at every look
    predicted   what a model predicts for a history
    effect_over_time  by age of the moment, by band of the clock
    balance     comparators weighted to be alike    distributions       quantiles and tails
    results     what is returned

Each estimator computes its influence itself: Cox's is `cox.score_residuals` times the covariance.
"""

from cxresearch.estimators.accelerated import accelerated
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.concentration import worst_share
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.cox import cox
from cxresearch.estimators.days_lost import days_lost
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.estimators.effect_over_time import effect_by_age, effect_by_clock
from cxresearch.estimators.extrapolation import extrapolate
from cxresearch.estimators.fading import beyond_selection
from cxresearch.estimators.incidence import incidence
from cxresearch.estimators.model_comparison import compare_models
from cxresearch.estimators.parametric import fit_lifelines
from cxresearch.estimators.predicted import predicted_incidence
from cxresearch.estimators.proportionality import proportionality
from cxresearch.estimators.rate_ratios import rate_ratios
from cxresearch.estimators.rates import rates
from cxresearch.estimators.shares import share, share_at_risk

__all__ = [
    "accelerated",
    "attributable",
    "beyond_selection",
    "compare_models",
    "contrast",
    "cox",
    "days_lost",
    "effect_by_age",
    "effect_by_clock",
    "extrapolate",
    "fit_lifelines",
    "grouped_hazards",
    "incidence",
    "predicted_incidence",
    "proportionality",
    "rate_ratios",
    "rates",
    "share",
    "share_at_risk",
    "worst_share",
]
