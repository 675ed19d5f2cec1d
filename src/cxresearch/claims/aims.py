"""What a reading aims at: its region, the smallest effect that matters, and the value more data are planned for."""

from __future__ import annotations

import math

from cxresearch.claims.entry import Claim, Reading, region
from cxresearch.claims.verdict import Region
from cxresearch.errors import ClaimError


def check_aim(claim: Claim, r: Reading) -> None:
    """Refuse a region that no number can reach, and values that are none of the number's.

    Raises:
        ClaimError: the message names the field and what is allowed.
    """
    where = f"claims.{claim.id}.readings.{r.id}"
    if r.region is None:
        for key in ("smallest_effect", "alternative", "not_contradicted"):
            if getattr(r, key) not in (None, ""):
                raise ClaimError(f"{where}.{key} says something about a region, and the reading has none")
        return
    ratio, (low, high) = r.shape == "hazard_contrast", _bounds(r)
    aim = region(claim, r)
    if r.smallest_effect is not None:
        _check_effect(where, r.smallest_effect, _largest(r), aim, ratio=ratio)
    between = _between(low, high)
    if any(not low <= e <= high or (ratio and e == 0) for e in aim.edges):
        raise ClaimError(f"{where}.region: the number is {between}, so an edge must be, was {r.region!r}")
    if aim.low >= high or aim.high <= low:
        raise ClaimError(f"{where}.region: the number is {between}, and never {r.region!r}")
    if r.alternative is not None and not low < r.alternative < high:
        raise ClaimError(f"{where}.alternative must be {between}, as the number is, was {r.alternative!r}")


def _check_effect(where: str, effect: float, largest: float, aim: Region, *, ratio: bool) -> None:
    least = 1 if ratio else 0
    if not (math.isfinite(effect) and least < effect < largest):
        upto = f" and below {largest:g}" if math.isfinite(largest) else ""
        raise ClaimError(
            f"{where}.smallest_effect must be a number above {least}{upto}, was {effect!r}"
            + ("; for a ratio below one, write its inverse" if ratio else "")
        )
    if aim.edges != (least,):
        raise ClaimError(
            f"{where}.smallest_effect matters only for a region that begins at no difference, "
            f"'> {least}' or '< {least}', was {aim.text!r}"
        )


def _bounds(r: Reading) -> tuple[float, float]:
    """Between which the number of a reading lies."""
    if r.shape == "hazard_contrast":
        return 0.0, math.inf
    if r.shape == "contest":
        return -math.inf, math.inf
    if r.shape == "attributable":  # a fraction is below one, and below zero where moments protect
        weights = r.combine.values()
        top = sum(weights) if all(w >= 0 for w in weights) else math.inf
        return -math.inf if any(w > 0 for w in weights) else sum(weights), top
    return (-1.0 if _difference(r) else 0.0), 1.0


def _largest(r: Reading) -> float:
    return math.inf if r.shape in ("hazard_contrast", "contest") else 1.0


def _difference(r: Reading) -> bool:
    """Whether the number is a difference of two shares."""
    return (r.shape == "excess" and r.part == "excess") or (r.at_risk is not None and r.at_risk.part == "excess")


def _between(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return "finite"
    if math.isinf(high):
        return f"above {low:g}"
    return f"below {high:g}" if math.isinf(low) else f"between {low:g} and {high:g}"
