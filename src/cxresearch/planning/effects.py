"""What is planted in a synthetic company, so that the number of a claim is what one wants to plan for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from msgspec import structs

from cxresearch.claims.compute import compute
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.kinds import HazardContrastReading
from cxresearch.claims.rivals.apply import joint_readings
from cxresearch.claims.schema import Claim
from cxresearch.claims.tables import TableStore
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.study import Study
from cxresearch.worlds import World


@dataclass(frozen=True, slots=True)
class Effect:
    """How a claim is made true in a world.

    Attributes:
        planted: a world and the number wanted to the world in which it holds; of a number over several moments, what
            one of them does.
        is_exact: whether the number of the claim is then the one that is planted, in companies without end.
    """

    planted: Callable[[World, float], World]
    is_exact: bool = True


EFFECTS: Mapping[str, Effect] = {
    "bad-moments-drive-away": Effect(lambda w, h: replace(w, hr_bad=(1.0, h, h, h))),
    "good-moments-build": Effect(lambda w, h: replace(w, log_hr_good=math.log(h))),
    "first-moment": Effect(lambda w, h: replace(w, hr_first_bad=h)),
    "remote-touchpoints": Effect(lambda w, h: replace(w, hr_bad_unattended=h)),
    "problem-moments": Effect(lambda w, h: replace(w, hr_problem=(h, 1.0))),
    "resolution-decides": Effect(
        lambda w, h: replace(w, hr_resolved=h, hr_resolved_late=h, one_problem=True)
    ),
    "recovery-paradox": Effect(
        lambda w, h: replace(w, hr_resolved=h, hr_resolved_late=h, one_problem=True)
    ),
    "slow-resolution": Effect(lambda w, h: replace(w, hr_open=h, hr_open_late=h, one_problem=True)),
    "goodwill-gesture": Effect(lambda w, h: replace(w, hr_gesture=h, one_problem=True)),
    "anger-to-appreciation": Effect(lambda w, h: replace(w, hr_flipped=h)),
    "tell-the-customer": Effect(lambda w, h: replace(w, hr_informed=h, one_problem=True)),
    "no-news": Effect(lambda w, h: replace(w, hr_quiet=h), is_exact=False),
    "household-contagion": Effect(lambda w, h: replace(w, hr_household=h)),
    "responsibility-sours": Effect(lambda w, h: replace(w, hr_sour=h)),
    "handoffs": Effect(lambda w, h: replace(w, hr_handoff=h)),
}
_SEVERAL = {
    "judgment-day": "it is decided by two hazard ratios, and what one of them is says nothing of the other",
    "thirty-days": "it is decided by how an effect fades, which is more than one hazard ratio",
}


def effect_of(claim: Claim) -> Effect:
    """How a claim is made true.

    Raises:
        NotTestable: it is not decided by one hazard ratio, or no synthetic company knows what it is about.
    """
    if claim.id in EFFECTS:
        return EFFECTS[claim.id]
    joint = len(joint_readings(claim))
    if not isinstance(claim.primary, HazardContrastReading):
        unit = claim.primary.unit.value
        why = f"its number is a {unit} and no hazard ratio, which is what can be planted"
    elif joint > 1:
        why = f"{joint} numbers must all hold, and one hazard ratio is planted"
    else:
        why = _SEVERAL.get(claim.id, "synthetic companies know nothing of what it is about")
    raise NotTestable(
        "no_such_data",
        f"a synthetic company in which {claim.id} can be planted ({why}); there are some for: {', '.join(EFFECTS)}",
    )


def moments_of(study: Study, claim: Claim) -> int:
    """Over how many moments the number of a claim is taken, such as three hand-offs; 1 where it is not of a count.

    Args:
        study: a company in which the number can be computed.
        claim: the claim.

    Raises:
        NotTestable: the number cannot be computed in it.
    """
    reading = claim.primary
    if not isinstance(reading, HazardContrastReading) or not reading.over_range:
        return 1
    context = EvaluationContext(TableStore(study, keep=False))
    one = structs.replace(reading, over_range="")
    try:
        several, single = (compute(context, claim, context.adapt(claim, r)) for r in (reading, one))
        ratio = several.estimate.se / single.estimate.se
    except (EstimationError, ZeroDivisionError):
        ratio = math.nan
    if not math.isfinite(ratio):
        raise NotTestable("too_few", "companies in which the number can be computed")
    return max(round(ratio), 1)
