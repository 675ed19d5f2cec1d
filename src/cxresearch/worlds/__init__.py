"""Synthetic companies whose truth is known: to try claims where the right verdict is known beforehand.

::

    world     what is true, as named parameters        days    a company, day by day
    contacts  the contacts of a day                    lived   what customers have lived through, and what it does
    tables    arrays into frames                       company the two tables, as a study or as files
    truth     what is true of claims in a world        known   worlds with a name
    tolerance, what_counts, problems, hidden, levers   the named worlds, by the sections of the catalogue
"""

from cxresearch.worlds.scenarios import KNOWN, known_world
from cxresearch.worlds.simulation import Simulated, simulate
from cxresearch.worlds.truth import KnownWorld, Truth
from cxresearch.worlds.world import World

__all__ = ["KNOWN", "KnownWorld", "Simulated", "Truth", "World", "known_world", "simulate"]
