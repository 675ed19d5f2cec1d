"""What is planted in a synthetic company, so that the number of a claim is what one wants to plan for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cxresearch.errors import NotTestable
from cxresearch.worlds import World


@dataclass(frozen=True, slots=True)
class Effect:
    """How a claim is made true in a world.

    Attributes:
        planted: a world and the number wanted to the world in which it holds.
        is_exact: whether the number of the claim is then the one that is planted, in companies without end.
    """

    planted: Callable[[World, float], World]
    is_exact: bool = True


EFFECTS: Mapping[str, Effect] = {
    "bad-moments-drive-away": Effect(lambda w, h: replace(w, hr_bad=(1.0, h, h, h))),
    "first-moment": Effect(lambda w, h: replace(w, hr_first_bad=h)),
    "household-contagion": Effect(lambda w, h: replace(w, hr_household=h)),
    "goodwill-gesture": Effect(lambda w, h: replace(w, hr_gesture=h, one_problem=True)),
    "tell-the-customer": Effect(lambda w, h: replace(w, hr_informed=h, one_problem=True)),
    "remote-touchpoints": Effect(lambda w, h: replace(w, hr_bad_unattended=h)),
    "resolution-decides": Effect(
        lambda w, h: replace(w, hr_resolved=h, hr_resolved_late=h, one_problem=True)
    ),
    "no-news": Effect(lambda w, h: replace(w, hr_quiet=h), is_exact=False),
}


def effect_of(claim: str) -> Effect:
    """How a claim is made true.

    Raises:
        NotTestable: no synthetic company knows what it is about.
    """
    if claim not in EFFECTS:
        raise NotTestable(
            "no_such_data",
            f"a synthetic company in which {claim} can be planted; there are some for: {', '.join(EFFECTS)}",
        )
    return EFFECTS[claim]
