"""Rival explanations: what else could give a number, tried one by one, and what that leaves of a verdict.

::

    explanations    each rival explanation as an object: whether it applies, and how it is tried
    descriptions    the words of each, from rivals.toml
    analyses        what is computed for one, and what it gave
    outcomes        what trying one gave
    apply           a verdict held against all of them
"""
