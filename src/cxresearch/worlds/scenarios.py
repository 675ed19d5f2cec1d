"""Worlds with a name, and what is true in each of the claims tried."""

from __future__ import annotations

from cxresearch.utils.checks import lookup
from cxresearch.worlds.truth import KnownWorld, Truth, edge, inside, no_effect, outside
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
WORLDS_HIDDEN = (
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
WORLDS_LEVERS = (
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
WORLDS_PROBLEMS = (
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
        World(
            one_problem=True, hr_problem=(2.0, 1.0), hr_gesture=0.5, goodwill_shares=(0.6, 0.3, 0.3)
        ),
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
        "A problem doubles the hazard, unless the customer was informed beforehand.",
        World(
            one_problem=True,
            hr_open=2.0,
            hr_open_late=2.0,
            hr_resolved=2.0,
            hr_resolved_late=2.0,
            hr_informed=0.5,
        ),
        inside("tell-the-customer"),
    ),
    KnownWorld(
        63,
        "alarmed",
        "Being informed of a problem beforehand multiplies the hazard by 1.8 once it is there.",
        World(one_problem=True, hr_informed=1.8),
        outside("tell-the-customer"),
    ),
)
WORLDS_WHAT_COUNTS = (
    KnownWorld(
        3,
        "frailty",
        "A bad moment multiplies the hazard by 1.6 for good; customers differ in frailty, so it only seems to fade.",
        World(hr_bad=(1.0, 1.6, 1.6, 1.6), frailty_variance=1.0, base_hazard=0.0018),
        (
            *inside("bad-moments-drive-away"),
            Truth("judgment-day", "inside"),
            *no_effect("thirty-days"),
        ),
    ),
    KnownWorld(
        4,
        "slight",
        "Bad moments multiply the hazard by the smallest effect that matters, good ones for neutral ones likewise.",
        World(hr_bad=(1.0, 1.1, 1.1, 1.1), log_hr_good=-0.04766, log_hr_neutral=0.04766),
        (
            Truth("bad-moments-drive-away", "smallest effect"),
            Truth("good-moments-build", "smallest effect"),
        ),
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
            *no_effect(
                "resolution-decides", "slow-resolution", "goodwill-gesture", "tell-the-customer"
            ),
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
            *no_effect(
                "good-moments-build",
                "thirty-days",
                "recovery-paradox",
                "silent-defection",
                "no-news",
            ),
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
    *WORLDS_WHAT_COUNTS,
    *WORLDS,
    *WORLDS_PROBLEMS,
    *WORLDS_HIDDEN,
    *WORLDS_LEVERS,
)
KNOWN = {w.name: w for w in sorted(_WORLDS, key=lambda w: w.number)}
