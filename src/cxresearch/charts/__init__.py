"""Results to Altair charts: nothing is computed here but where things lie.

::

    intervals    the readings of a claim side by side    over_time   how a share grows
    by_contacts  who has bad moments and who leaves      look        what all charts share

Importing this package imports Altair, which takes seconds: import it where a chart is made.
"""

from cxresearch.charts.by_contacts import Shares, activity, shares
from cxresearch.charts.intervals import readings, units
from cxresearch.charts.look import claimed
from cxresearch.charts.over_time import curves

__all__ = ["Shares", "activity", "claimed", "curves", "readings", "shares", "units"]
