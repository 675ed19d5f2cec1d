"""Worlds for problems and what is done about them.

Where a problem's course matters a customer has one problem at most, so that the state of the first problem, of the
last and of all together are one.
"""

from __future__ import annotations

from cxresearch.worlds.truth import KnownWorld, edge, inside, no_effect, outside
from cxresearch.worlds.world import World

WORLDS = (
    KnownWorld(
        51,
        "trouble",
        "A bad moment with a problem multiplies the hazard by 1.5 each time; a routine one by 1.1.",
        World(hr_problem=(1.5, 1.0), hr_routine=(1.1, 1.0)),
        inside("problem-moments"),
    ),
    KnownWorld(
        52,
        "routine",
        "A bad routine moment multiplies the hazard by 1.5 each time; one with a problem by 1.1.",
        World(hr_problem=(1.1, 1.0), hr_routine=(1.5, 1.0)),
        outside("problem-moments"),
    ),
    KnownWorld(
        53,
        "mended",
        "An open problem doubles the hazard; once it is resolved all is as before.",
        World(one_problem=True, hr_open=2.0, hr_open_late=2.0),
        (*inside("resolution-decides", "slow-resolution"), *no_effect("recovery-paradox")),
    ),
    KnownWorld(
        54,
        "won-back",
        "A resolved problem halves the hazard; an open one does nothing.",
        World(one_problem=True, hr_resolved=0.5, hr_resolved_late=0.5),
        inside("recovery-paradox", "resolution-decides", "slow-resolution"),
    ),
    KnownWorld(
        55,
        "scarred",
        "A resolved problem doubles the hazard; an open one does nothing.",
        World(one_problem=True, hr_resolved=2.0, hr_resolved_late=2.0),
        outside("recovery-paradox", "resolution-decides", "slow-resolution"),
    ),
    KnownWorld(
        56,
        "look-ahead",
        "Resolution takes its time and does nothing; who leaves early is never resolved, so the final flag misleads.",
        World(one_problem=True, resolution_days=70.0, unresolved_share=0.0),
        no_effect("resolution-decides"),
    ),
    KnownWorld(
        57,
        "gesture",
        "A bad problem doubles the hazard; a gesture halves it, and goes to the bad ones more often.",
        World(one_problem=True, hr_problem=(2.0, 1.0), hr_gesture=0.5, goodwill_shares=(0.6, 0.3, 0.3)),
        inside("goodwill-gesture"),
    ),
    KnownWorld(
        58,
        "unwelcome",
        "A gesture after a problem multiplies the hazard by 1.8.",
        World(one_problem=True, hr_gesture=1.8, goodwill_shares=(0.6, 0.3, 0.3)),
        outside("goodwill-gesture"),
    ),
    KnownWorld(
        59,
        "severe",
        "A bad problem doubles the hazard and calls for gestures, which do nothing.",
        World(one_problem=True, hr_problem=(2.0, 1.0), goodwill_shares=(0.6, 0.3, 0.3)),
        no_effect("goodwill-gesture"),
    ),
    KnownWorld(
        60,
        "calmed",
        "Bad moments double the hazard; a good one within 14 days brings it to 0.7 of what it was before both.",
        World(hr_bad=(1.0, 2.0, 2.0, 2.0), hr_flipped=0.35),
        inside("anger-to-appreciation"),
    ),
    KnownWorld(
        61,
        "half-calmed",
        "Bad moments double the hazard; a good one within 14 days brings it to 1.1 of what it was before both.",
        World(hr_bad=(1.0, 2.0, 2.0, 2.0), hr_flipped=0.55),
        edge("anger-to-appreciation"),
    ),
    KnownWorld(
        62,
        "forewarned",
        "A problem doubles the hazard, unless the customer was told beforehand.",
        World(one_problem=True, hr_open=2.0, hr_open_late=2.0, hr_resolved=2.0, hr_resolved_late=2.0, hr_told=0.5),
        inside("tell-the-customer"),
    ),
    KnownWorld(
        63,
        "alarmed",
        "Being told of a problem beforehand multiplies the hazard by 1.8 once it is there.",
        World(one_problem=True, hr_told=1.8),
        outside("tell-the-customer"),
    ),
)
