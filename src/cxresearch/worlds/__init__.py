"""Synthetic companies whose truth is known: to try claims where the right verdict is known beforehand.

::

    world            what is true, as named parameters     simulation  the two tables, as a study or as files
    contact_process  the contacts of a company, by day     truth       what is true of claims in a world
    scenarios        worlds with a name                   stand_ins   files in the layout of a public data set
"""

from cxresearch.worlds.scenarios import KNOWN, known_world
from cxresearch.worlds.simulation import Simulated, simulate
from cxresearch.worlds.stand_ins import write_stand_in
from cxresearch.worlds.truth import KnownWorld, Truth
from cxresearch.worlds.world import World

__all__ = [
    "KNOWN",
    "KnownWorld",
    "Simulated",
    "Truth",
    "World",
    "known_world",
    "simulate",
    "write_stand_in",
]
