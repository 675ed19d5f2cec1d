"""From risk tables to numbers: nothing here sees a customer, a file or a claim.

::

    incidence   tied Aalen-Johansen               cox                 hazard ratios on days
    excess      against comparable customers      discrete            hazard ratios on contacts
    share       of customers                      poisson, rates      piecewise constant rates
    at_risk_share  beside those at risk           contest             two descriptions compared
    concentration  at the worst few               fading, frailty     beyond selection
    attributable   shares of departures           expected, exposure  what would be expected, time at risk

    design      terms to columns                  jackknife           groups left out
    risk_sets   flows to risk sets                deletions           many at a time
    partial_likelihood, maximum, ties  Cox        intervals           limits on a scale
    results     what is returned                  coarse_curves       as they may be shown
    estimates, references              small parts of results
"""
