"""Worlds with a name, and what is true in each of the claims on trial.

A world stands inside, outside or at the edge of what a claim states; many claims can be tried on one. Where the edge
has no closed form the parameters were found by large runs; `benchmarks/calibration.py` computes every true value anew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from cxresearch.errors import ClaimError, nearest
from cxresearch.worlds.world import World

Place = Literal["inside", "outside", "edge", "no effect", "smallest effect"]
# the verdicts that would be wrong, by where the truth lies
_WRONG: dict[Place, tuple[str, ...]] = {
    "inside": ("contradicted",),
    "outside": ("supported",),
    "edge": ("supported", "contradicted"),
    "no effect": ("supported",),
    "smallest effect": ("contradicted",),
}


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a claim in a world.

    Attributes:
        claim: its id.
        place: where the true value lies: ``inside`` the claim's region, ``outside``, at the ``edge``; for a claim of a
            direction also exactly at ``no effect`` (a precise null contradicts) or at the ``smallest effect`` that
            matters (which a verdict must not call too small).
        clear: whether it lies so far from the edge that 4,000 customers should decide, rightly, four times in five.
    """

    claim: str
    place: Place
    clear: bool = False

    @property
    def wrong(self) -> tuple[str, ...]:
        """The verdicts that would be wrong."""
        return _WRONG[self.place]

    @property
    def right(self) -> str | None:
        """The verdict that should be found; None where undecided is as good."""
        return {"inside": "supported", "outside": "contradicted"}.get(self.place)


@dataclass(frozen=True, slots=True)
class KnownWorld:
    """A world with a name.

    Attributes:
        name: short, as on the command line.
        about: what is true there, in a sentence.
        world: the parameters.
        truths: of the claims that it is for.
    """

    name: str
    about: str
    world: World
    truths: tuple[Truth, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values."""
        truths = [{**asdict(t), "wrong": list(t.wrong), "right": t.right if t.clear else None} for t in self.truths]
        return {"world": self.name, "about": self.about, "parameters": asdict(self.world), "claims": truths}


def known_world(name: str) -> KnownWorld:
    """The world of that name.

    Raises:
        ClaimError: there is none; the nearest name is suggested.
    """
    if name not in KNOWN:
        raise ClaimError(f"no world {name!r}{nearest(name, KNOWN) or '; there are: ' + ', '.join(KNOWN)}")
    return KNOWN[name]


_NOTHING = (
    Truth("bad-moments-drive-away", "no effect"),
    Truth("good-moments-build", "no effect"),
    Truth("neutral-threat", "edge"),
    Truth("three-strikes", "outside", clear=True),
    Truth("one-strike", "outside", clear=True),
    Truth("judgment-day", "outside"),  # there is no blow that years could soften
)
_FIERCE = {"entry_days": 180, "base_hazard": 0.0007, "bad_share": 0.06, "intensity_variance": 0.2}
_FIERCE |= {"proneness_variance": 0.2}
_LONG = {"days": 1095, "hr_bad": (1.0, 2.5, 2.5, 2.5)}

_WORLDS = (
    KnownWorld(
        "null",
        "Moments do nothing; still about 93% of those who leave have had fewer than three bad ones.",
        World(bad_share=0.075),
        _NOTHING,
    ),
    KnownWorld(
        "confounded",
        "Moments do nothing, but busy customers have more of every kind and stay longer.",
        World(busy_stay=-0.5),
        _NOTHING[:3],
    ),
    KnownWorld(
        "frailty",
        "A bad moment multiplies the hazard by 1.6 for good; customers differ in frailty, so it only seems to fade.",
        World(hr_bad=(1.0, 1.6, 1.6, 1.6), frailty_variance=1.0, base_hazard=0.0018),
        (Truth("bad-moments-drive-away", "inside", clear=True), Truth("judgment-day", "inside")),
    ),
    KnownWorld(
        "slight",
        "Bad moments multiply the hazard by the smallest effect that matters, good ones for neutral ones likewise.",
        World(hr_bad=(1.0, 1.1, 1.1, 1.1), log_hr_good=-0.04766, log_hr_neutral=0.04766),
        (Truth("bad-moments-drive-away", "smallest effect"), Truth("good-moments-build", "smallest effect")),
    ),
    KnownWorld(
        "balanced",
        "As many defections go with neutral moments as with bad ones.",
        World(hr_bad=(1.0, 1.6, 1.6, 1.6), log_hr_neutral=0.1),
        (
            Truth("neutral-threat", "edge"),
            Truth("bad-moments-drive-away", "inside", clear=True),
        ),
    ),
    KnownWorld(
        "harm",
        "Bad moments double the hazard; nothing else matters.",
        World(hr_bad=(1.0, 2.0, 2.0, 2.0)),
        (
            Truth("bad-moments-drive-away", "inside", clear=True),
            Truth("neutral-threat", "outside", clear=True),
        ),
    ),
    KnownWorld(
        "dull",
        "Each neutral moment multiplies the hazard by 1.16; bad and good ones do nothing.",
        World(log_hr_neutral=0.15),
        (Truth("neutral-threat", "inside", clear=True), Truth("good-moments-build", "inside", clear=True)),
    ),
    KnownWorld(
        "contrary",
        "Customers stay after a bad moment and leave after good ones.",
        World(hr_bad=(1.0, 0.75, 0.75, 0.75), log_hr_good=0.1),
        (
            Truth("bad-moments-drive-away", "outside", clear=True),
            Truth("good-moments-build", "outside", clear=True),
        ),
    ),
    KnownWorld(
        "half",
        "Exactly half leave within a year of a first bad moment, before a second.",
        World(hr_bad=(1.0, 4.78, 4.78, 4.78), **_FIERCE),  # type: ignore[arg-type]
        (Truth("one-strike", "edge"),),
    ),
    KnownWorld(
        "fierce",
        "92.5% leave within a year of a first bad moment, before a third.",
        World(hr_bad=(1.0, 15.08, 15.08, 15.08), **_FIERCE),  # type: ignore[arg-type]
        (Truth("three-strikes", "edge"), Truth("one-strike", "inside", clear=True)),
    ),
    KnownWorld(
        "fiercer",
        "Nearly all leave within a year of a first bad moment, before a third.",
        World(hr_bad=(1.0, 22.0, 22.0, 22.0), **_FIERCE),  # type: ignore[arg-type]
        (Truth("three-strikes", "inside", clear=True),),
    ),
    KnownWorld(
        "softened",
        "After more than a year, a first bad moment multiplies the hazard by four fifths of what it does earlier.",
        World(late_ratio=0.8, **_LONG),  # type: ignore[arg-type]
        (Truth("judgment-day", "edge"),),
    ),
    KnownWorld(
        "hardened",
        "After more than a year, a first bad moment weighs more than an early one, not less.",
        World(late_ratio=1.8, **_LONG),  # type: ignore[arg-type]
        (Truth("judgment-day", "inside", clear=True),),
    ),
)
KNOWN = {w.name: w for w in _WORLDS}
