"""Worlds for which moments are said to count."""

from __future__ import annotations

from cxresearch.worlds.truth import KnownWorld, Truth, edge, inside, no_effect, outside
from cxresearch.worlds.world import World

WORLDS = (
    KnownWorld(
        3,
        "frailty",
        "A bad moment multiplies the hazard by 1.6 for good; customers differ in frailty, so it only seems to fade.",
        World(hr_bad=(1.0, 1.6, 1.6, 1.6), frailty_variance=1.0, base_hazard=0.0018),
        (*inside("bad-moments-drive-away"), Truth("judgment-day", "inside"), *no_effect("thirty-days")),
    ),
    KnownWorld(
        4,
        "slight",
        "Bad moments multiply the hazard by the smallest effect that matters, good ones for neutral ones likewise.",
        World(hr_bad=(1.0, 1.1, 1.1, 1.1), log_hr_good=-0.04766, log_hr_neutral=0.04766),
        (Truth("bad-moments-drive-away", "smallest effect"), Truth("good-moments-build", "smallest effect")),
    ),
    KnownWorld(
        5,
        "balanced",
        "As many defections go with neutral moments as with bad ones.",
        World(hr_bad=(1.0, 1.6, 1.6, 1.6), log_hr_neutral=0.1),
        (*edge("neutral-threat"), *inside("bad-moments-drive-away")),
    ),
    KnownWorld(
        6,
        "harm",
        "Bad moments double the hazard; nothing else matters.",
        World(hr_bad=(1.0, 2.0, 2.0, 2.0)),
        (
            *inside("bad-moments-drive-away", "moments-beat-marketing"),
            *outside("neutral-threat", "latest-moment", "anger-to-appreciation"),
            *no_effect("thirty-days", "first-moment", "household-contagion", "handoffs"),
            *no_effect("resolution-decides", "slow-resolution", "goodwill-gesture", "tell-the-customer"),
        ),
    ),
    KnownWorld(
        7,
        "dull",
        "Each neutral moment multiplies the hazard by 1.16; bad and good ones do nothing.",
        World(log_hr_neutral=0.15),
        inside("neutral-threat", "good-moments-build"),
    ),
    KnownWorld(
        8,
        "contrary",
        "Customers stay after a bad moment and leave after good ones.",
        World(hr_bad=(1.0, 0.75, 0.75, 0.75), log_hr_good=0.1),
        outside("bad-moments-drive-away", "good-moments-build"),
    ),
    KnownWorld(
        31,
        "weakest",
        "The worst score so far multiplies the hazard by 1.35 per star that it lacks; no other score matters.",
        World(log_hr_worst=0.3),
        inside("weakest-moment"),
    ),
    KnownWorld(
        32,
        "average",
        "The mean score so far multiplies the hazard by 1.65 per fifth that it lacks; no single moment matters.",
        World(log_hr_mean=0.5),
        outside("weakest-moment"),
    ),
    KnownWorld(
        33,
        "worst-and-mean",
        "The worst score so far and the mean score so far say as much of who leaves.",
        World(log_hr_worst=0.25, log_hr_mean=0.287),
        edge("weakest-moment"),
    ),
    KnownWorld(
        34,
        "first-sours",
        "A very first contact that is bad doubles the hazard for good; later bad moments do nothing.",
        World(hr_first_bad=2.0),
        inside("first-moment"),
    ),
    KnownWorld(
        35,
        "first-forgiven",
        "Bad moments double the hazard, unless the very first contact was one.",
        World(hr_bad=(1.0, 2.0, 2.0, 2.0), hr_first_bad=0.5),
        outside("first-moment"),
    ),
    KnownWorld(
        36,
        "latest",
        "The last contact alone matters: after a bad one the hazard is twice that after a neutral one.",
        World(hr_last=(2.0, 1.0, 0.6)),
        inside("latest-moment"),
    ),
    KnownWorld(
        37,
        "last-and-all",
        "The grade of the last contact and the numbers of moments so far say as much of who leaves.",
        World(hr_bad=(1.0, 1.5, 1.5, 1.5), hr_last=(1.29, 1.0, 0.775)),
        edge("latest-moment"),
    ),
    KnownWorld(
        38,
        "remote",
        "A bad moment multiplies the hazard by 1.8 with a person, and by 1.8 without.",
        World(hr_bad_attended=1.8, hr_bad_unattended=1.8),
        inside("remote-touchpoints", "bad-moments-drive-away"),
    ),
    KnownWorld(
        39,
        "in-person",
        "A bad moment with a person doubles the hazard; one without does nothing.",
        World(hr_bad_attended=2.0),
        (*no_effect("remote-touchpoints"), *inside("bad-moments-drive-away")),
    ),
    KnownWorld(
        40,
        "laughed-off",
        "A bad moment with a person does nothing; after one without, customers stay.",
        World(hr_bad_unattended=0.6),
        outside("remote-touchpoints"),
    ),
)
