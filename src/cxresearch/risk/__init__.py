"""From records to the additive tables that every number is made of.

::

    episodes   (start, stop] rows                 matched  the exposed and their comparators
    table      rows counted as flows              agents   with whom they spoke
    from_rows  rows made elsewhere                cohorts  months of the clock's origin, joined
    cache      tables kept between runs           gaps     a customer's own gaps between contacts
    transitions  from a state reached on, or until it is reached
    exclusions  who is not at risk, and why
"""
