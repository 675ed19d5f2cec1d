"""Rival explanations: what else could give a number, tried one by one, and what that leaves of a verdict.

explanations    each rival explanation: whether it applies, and how it is tried
rivals.toml, descriptions    the words of each
outcomes        what trying one gave
apply           a verdict held against all of them
"""
