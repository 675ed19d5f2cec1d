"""Worlds for what customers are said to bear."""

from __future__ import annotations

from cxresearch.worlds.truth import KnownWorld, Truth, edge, inside, outside
from cxresearch.worlds.world import World

_FIERCE = {"entry_days": 180, "base_hazard": 0.0007, "bad_share": 0.06, "intensity_variance": 0.2}
_FIERCE |= {"proneness_variance": 0.2}
_LONG = {"days": 1095, "hr_bad": (1.0, 2.5, 2.5, 2.5)}

WORLDS = (
    KnownWorld(
        9,
        "half",
        "Exactly half leave within a year of a first bad moment, before a second.",
        World(hr_bad=(1.0, 4.78, 4.78, 4.78), **_FIERCE),  # type: ignore[arg-type]
        edge("one-strike"),
    ),
    KnownWorld(
        10,
        "fierce",
        "92.5% leave within a year of a first bad moment, before a third.",
        World(hr_bad=(1.0, 15.08, 15.08, 15.08), **_FIERCE),  # type: ignore[arg-type]
        (*edge("three-strikes"), *inside("one-strike")),
    ),
    KnownWorld(
        11,
        "fiercer",
        "Nearly all leave within a year of a first bad moment, before a third.",
        World(hr_bad=(1.0, 22.0, 22.0, 22.0), **_FIERCE),  # type: ignore[arg-type]
        inside("three-strikes"),
    ),
    KnownWorld(
        12,
        "softened",
        "After more than a year, a first bad moment multiplies the hazard by four fifths of what it does earlier.",
        World(late_ratio=0.8, **_LONG),  # type: ignore[arg-type]
        edge("judgment-day"),
    ),
    KnownWorld(
        13,
        "hardened",
        "After more than a year, a first bad moment weighs more than an early one, not less.",
        World(late_ratio=1.8, **_LONG),  # type: ignore[arg-type]
        inside("judgment-day"),
    ),
    KnownWorld(
        21,
        "fresh",
        "For 30 days a bad moment multiplies the hazard by 2.5; after that it is forgotten.",
        World(recent_ratio=2.5),
        (*inside("thirty-days"), Truth("bad-moments-drive-away", "inside")),
    ),
    KnownWorld(
        22,
        "festering",
        "Bad moments double the hazard, but not before 30 days have passed.",
        World(hr_bad=(1.0, 2.0, 2.0, 2.0), recent_ratio=0.5),
        (*outside("thirty-days"), Truth("bad-moments-drive-away", "inside")),
    ),
)
