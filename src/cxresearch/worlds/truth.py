"""What is true of claims in a world."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

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
        """The verdict that is right; None where undecided is as good."""
        return {"inside": "supported", "outside": "contradicted"}.get(self.place)


@dataclass(frozen=True, slots=True)
class KnownWorld:
    """A world with a name.

    Attributes:
        number: never given to another, since the seeds of its calibration begin with it.
        name: short, as on the command line.
        about: what is true there, in a sentence.
        world: the parameters.
        truths: of the claims that it is for.
    """

    number: int
    name: str
    about: str
    world: World
    truths: tuple[Truth, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values."""
        truths = [
            {**asdict(t), "wrong": list(t.wrong), "right": t.right if t.clear else None}
            for t in self.truths
        ]
        return {
            "world": self.name,
            "about": self.about,
            "parameters": asdict(self.world),
            "claims": truths,
        }


def inside(*claims: str) -> tuple[Truth, ...]:
    """Claims that clearly hold."""
    return tuple(Truth(c, "inside", clear=True) for c in claims)


def outside(*claims: str) -> tuple[Truth, ...]:
    """Claims that clearly do not."""
    return tuple(Truth(c, "outside", clear=True) for c in claims)


def no_effect(*claims: str) -> tuple[Truth, ...]:
    """Claims of a direction where there is none."""
    return tuple(Truth(c, "no effect") for c in claims)


def edge(*claims: str) -> tuple[Truth, ...]:
    """Claims at the edge of their region."""
    return tuple(Truth(c, "edge") for c in claims)
