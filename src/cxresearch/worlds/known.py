"""Worlds with a name, and what is true in each of the claims on trial.

A world stands inside, outside or at the edge of what a claim states; many claims can be tried on one. Where the edge
has no closed form the parameters were found by large runs; `benchmarks/calibration.py` computes every true value anew.
"""

from __future__ import annotations

from cxresearch.checks import lookup
from cxresearch.worlds import hidden, levers, problems, tolerance, what_counts
from cxresearch.worlds.truth import KnownWorld, Truth, edge, no_effect, outside
from cxresearch.worlds.world import World


def known_world(name: str) -> KnownWorld:
    """The world of that name.

    Raises:
        UnknownNameError: there is none; the nearest name is suggested.
    """
    return lookup(KNOWN, name, "world")


_DIRECTIONS = no_effect(
    "bad-moments-drive-away",
    "first-moment",
    "remote-touchpoints",
    "problem-moments",
    "resolution-decides",
    "slow-resolution",
    "goodwill-gesture",
    "tell-the-customer",
    "household-contagion",
    "four-expectations",
    "responsibility-sours",
    "handoffs",
)
_NOTHING = (  # of moments, whoever is busy
    *_DIRECTIONS,
    *no_effect("good-moments-build", "silent-defection"),
    *edge("neutral-threat", "weakest-moment", "latest-moment", "moments-beat-marketing"),
    Truth("anger-to-appreciation", "inside"),  # no anger either
)
_WORLDS = (
    KnownWorld(
        1,
        "null",
        "Moments do nothing; still about 93% of those who leave have had fewer than three bad ones.",
        World(bad_share=0.075),
        (
            *_DIRECTIONS,
            *no_effect("good-moments-build", "thirty-days", "recovery-paradox", "silent-defection", "no-news"),
            *edge("neutral-threat", "weakest-moment", "latest-moment", "moments-beat-marketing"),
            *outside("three-strikes", "one-strike", "public-posting", "jack"),
            Truth("judgment-day", "outside"),  # there is no blow that years could soften
            Truth("anger-to-appreciation", "inside"),  # no anger either
            Truth("unique-customers", "outside"),  # segments differ, histories do nothing
        ),
    ),
    KnownWorld(
        2,
        "confounded",
        "Moments do nothing, but busy customers have more of every kind and stay longer.",
        World(busy_stay=-0.5),
        _NOTHING,
    ),
    KnownWorld(
        14,
        "hurried",
        "Moments do nothing, but busy customers have more of every kind and leave sooner.",
        World(busy_stay=1.0),
        _NOTHING,
    ),
    *what_counts.WORLDS,
    *tolerance.WORLDS,
    *problems.WORLDS,
    *hidden.WORLDS,
    *levers.WORLDS,
)
KNOWN = {w.name: w for w in sorted(_WORLDS, key=lambda w: w.number)}
