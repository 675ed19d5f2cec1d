"""Synthetic companies whose truth is known: to try claims where the right verdict is known beforehand.

::

    world    what is true, as named parameters        days     a company, day by day
    company  its two tables, as a study or as files  known    worlds with a name, and what is true there
"""

from cxresearch.worlds.company import Simulated
from cxresearch.worlds.days import simulate
from cxresearch.worlds.known import KNOWN, known_world
from cxresearch.worlds.truth import KnownWorld, Truth
from cxresearch.worlds.world import World

__all__ = ["KNOWN", "KnownWorld", "Simulated", "Truth", "World", "known_world", "simulate"]
