"""From records to the additive tables that every number is made of.

::

    names    what a history may be called         matched       the exposed and their comparators
    episode  (start, stop] rows                   agent_counts  with whom they spoke
    table    rows counted as flows                cache         tables kept between runs
    rows     rows made elsewhere
"""
