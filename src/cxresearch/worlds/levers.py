"""Worlds for what a company is said to be able to do."""

from __future__ import annotations

from cxresearch.worlds.truth import KnownWorld, edge, inside, no_effect, outside
from cxresearch.worlds.world import World

WORLDS = (
    KnownWorld(
        91,
        "bought",
        "How customers were won and by which campaign decides how long they stay; moments do nothing.",
        World(acquisition_ratios=(0.6, 1.0, 1.7), campaign_ratios=(0.7, 1.0, 1.4)),
        outside("moments-beat-marketing"),
    ),
    KnownWorld(
        92,
        "bought-and-lived",
        "How customers were won and what they have lived through say as much of who leaves.",
        World(hr_bad=(1.0, 2.0, 2.0, 2.0), acquisition_ratios=(0.69, 1.0, 1.45)),
        edge("moments-beat-marketing"),
    ),
    KnownWorld(
        93,
        "personal",
        "Bad moments double the hazard; segments do not differ.",
        World(hr_bad=(1.0, 2.0, 2.0, 2.0), segment_ratios=(1.0, 1.0, 1.0)),
        inside("unique-customers"),
    ),
    KnownWorld(
        94,
        "segmented",
        "Segments differ widely; moments do nothing.",
        World(segment_ratios=(1.0, 0.5, 2.0)),
        outside("unique-customers"),
    ),
    KnownWorld(
        95,
        "both",
        "Segments and what customers have lived through say as much of who leaves.",
        World(hr_bad=(1.0, 2.0, 2.0, 2.0), segment_ratios=(1.0, 0.68, 1.47)),
        edge("unique-customers"),
    ),
    KnownWorld(
        96,
        "all-four",
        "A moment that fails in respect, solutions, simplicity or responsibility multiplies the hazard by 1.5 each.",
        World(hr_failed=(1.5, 1.5, 1.5, 1.5)),
        inside("four-expectations"),
    ),
    KnownWorld(
        97,
        "three-of-four",
        "Failing in respect, solutions or responsibility multiplies the hazard by 1.5; in simplicity it does nothing.",
        World(hr_failed=(1.5, 1.5, 1.0, 1.5)),
        no_effect("four-expectations"),
    ),
    KnownWorld(
        98,
        "puzzled",
        "Failing in respect, solutions or responsibility multiplies the hazard by 1.5; in simplicity by 0.6.",
        World(hr_failed=(1.5, 1.5, 0.6, 1.5)),
        outside("four-expectations"),
    ),
    KnownWorld(
        99,
        "sour",
        "A moment that fails in responsibility, though not in respect, multiplies the hazard by 1.35.",
        World(hr_sour=1.35),
        inside("responsibility-sours"),
    ),
    KnownWorld(
        100,
        "charmed",
        "A moment that fails in responsibility, though not in respect, multiplies the hazard by 0.75.",
        World(hr_sour=0.75),
        outside("responsibility-sours"),
    ),
    KnownWorld(
        101,
        "passed-on",
        "A moment that is handed off multiplies the hazard by 1.3.",
        World(hr_handoff=1.3),
        inside("handoffs"),
    ),
    KnownWorld(
        102,
        "expert",
        "A moment that is handed off multiplies the hazard by 0.75.",
        World(hr_handoff=0.75),
        outside("handoffs"),
    ),
)
