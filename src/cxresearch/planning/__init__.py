"""How much data would decide a claim: companies simulated by a study's rates, and the rule's verdicts on them.

::

    rates    contacts, grades and departures of a study as those of a world
    effects  what is planted in a world so that a claim is true of it
    pilots   simulated companies, and the numbers that the rule looks at in each
    rule     the verdict of the rule on numbers that are drawn
    plan     how probable the right verdict is, by the number of customers
    results  what that gives
"""

from cxresearch.planning.plan import power
from cxresearch.planning.results import Plan, PowerPoint

__all__ = ["Plan", "PowerPoint", "power"]
