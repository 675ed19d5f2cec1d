"""Worlds for what a company is said not to see."""

from __future__ import annotations

from cxresearch.worlds.truth import KnownWorld, edge, inside, outside
from cxresearch.worlds.world import World

WORLDS = (
    KnownWorld(
        71,
        "silent",
        "Few complain of a bad moment, and those who do leave at 0.4 times the rate for 90 days.",
        World(complaint_share=0.3, hr_complained=0.4),
        inside("silent-defection"),
    ),
    KnownWorld(
        72,
        "outspoken",
        "Nearly all complain of a bad moment, those who leave as often as the others.",
        World(complaint_share=0.85),
        outside("silent-defection"),
    ),
    KnownWorld(
        73,
        "half-silent",
        "Half of those who leave after a bad moment have not complained, more than of the others.",
        World(complaint_share=0.627, hr_complained=0.4),
        edge("silent-defection"),
    ),
    KnownWorld(
        74,
        "forgotten",
        "After 90 days without a contact the hazard is 1.8 times as high.",
        World(hr_quiet=1.8),
        inside("no-news"),
    ),
    KnownWorld(
        75,
        "left-in-peace",
        "After 90 days without a contact the hazard is 0.6 times as high.",
        World(hr_quiet=0.6),
        outside("no-news"),
    ),
    KnownWorld(
        76,
        "loud",
        "45% post about a first bad moment; a tenth of the agents have nearly two thirds of the bad moments.",
        World(post_share=0.45, bad_share=0.1, agents=300, bad_agent_ratio=16.0),
        inside("public-posting", "jack"),
    ),
    KnownWorld(
        77,
        "a-third",
        "A third post about a first bad moment; a tenth of the agents have half of the bad moments.",
        World(post_share=0.3348, bad_share=0.1, agents=300, bad_agent_ratio=9.0),
        edge("public-posting", "jack"),
    ),
    KnownWorld(
        78,
        "contagion",
        "When one of a household defects, the hazard of the other doubles.",
        World(hr_household=2.0),
        inside("household-contagion"),
    ),
    KnownWorld(
        79,
        "clinging",
        "When one of a household defects, the hazard of the other is halved.",
        World(hr_household=0.5),
        outside("household-contagion"),
    ),
)
