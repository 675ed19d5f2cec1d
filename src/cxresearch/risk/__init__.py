"""From records to the additive tables that every number is made of.

episode  (start, stop] rows                   matched       the exposed and their comparators
table    rows counted as flows                agent_counts  with whom they spoke
rows     rows made elsewhere                  cache         tables kept between runs
"""
