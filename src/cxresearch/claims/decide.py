"""From an estimate to a verdict: an interval held against a region.

The first of four steps: `decide_reading` here, one number by itself; `rivals.apply`, against other explanations;
`verdict_corrections.apply_requirements`, by the other readings of the claim; `verdict_corrections.adjust_multiplicity`,
by how many claims are tried. `trial` and `evaluate` go through them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cxresearch.estimators.distributions import normal_quantile
from cxresearch.estimators.intervals import SCALES, quantile, two_sided_p
from cxresearch.estimators.looks import half_width, p_at_every_look
from cxresearch.estimators.results import Estimate

MORE_DATA = "; data on about "  # begins how many events more would decide, as the end of a reason
Verdict = Literal["supported", "contradicted", "undecided", "not testable"]
_NUMBER = r"-?\d+(?:\.\d+)?(?:/\d+(?:\.\d+)?)?"


@dataclass(frozen=True, slots=True)
class Region:
    """Where a claim places a number: between two edges, one of which may be infinite.

    Attributes:
        text: as written.
        low: lower edge.
        high: upper edge.
        effect: for a region that begins at "no difference", where an effect begins to matter; NaN if not declared.
    """

    text: str
    low: float
    high: float
    effect: float = math.nan

    @property
    def is_upward(self) -> bool:
        """Whether it has a lower edge; of a region with one edge, whether the claim is that the number is large."""
        return math.isfinite(self.low)

    @property
    def edges(self) -> tuple[float, ...]:
        """The finite edges."""
        return tuple(e for e in (self.low, self.high) if math.isfinite(e))

    @property
    def thresholds(self) -> tuple[float, ...]:
        """What a limit is compared with: the edges, and the smallest effect that matters."""
        return self.edges if math.isnan(self.effect) else (*self.edges, self.effect)


@dataclass(frozen=True, slots=True)
class IntervalDecision:
    """A verdict with its grounds.

    Attributes:
        verdict: one of the four.
        reason: in plain words; may be empty.
        estimate: what was held against the region.
        region: that region.
        ground: what the verdict rests on: the interval; that the number must not decide (``withheld``); or that a
            number outside the region cannot contradict (``one-sided``).
    """

    verdict: Verdict
    reason: str
    estimate: Estimate
    region: Region
    ground: Literal["interval", "withheld", "one-sided"] = "interval"

    @property
    def p(self) -> float:
        """The largest level at which the interval still straddles the edge that decides.

        NaN if there is no error, and 1 if the number must not decide. It is computed when it is asked for.
        """
        if self.ground == "withheld":
            return 1.0
        inside, outside, short = _place(self.estimate, self.region)
        p_inside, p_outside, p_short = _p(self.estimate, self.region)
        if inside:
            return p_inside
        if outside:
            return min(p_outside, p_short)
        return p_short if short else min(p_inside, p_outside, p_short)


@lru_cache(maxsize=1024)  # planning asks for the regions of a claim at each of thousands of draws
def parse_region(text: str, smallest_effect: float | None = None) -> Region:
    """Read ``>= 0.925``, ``> 1``, ``< 1/3`` or ``in [0.8, 1.25]``.

    Args:
        text: the region.
        smallest_effect: a ratio above one, for a region that begins at 1, or a difference above zero, for one that
            begins at 0: it makes the region a directional one.

    Raises:
        ValueError: it cannot be read, or an edge is not finite.
    """
    one = re.fullmatch(rf"\s*(>=|>|<=|<)\s*({_NUMBER})\s*", text)
    if one:
        edge = _value(one[2])
        upward = one[1].startswith(">")
        effect = math.nan
        if smallest_effect is not None and edge == 1:
            effect = smallest_effect if upward else 1 / smallest_effect
        elif smallest_effect is not None and edge == 0:
            effect = smallest_effect if upward else -smallest_effect
        return Region(
            text.strip(), edge if upward else -math.inf, math.inf if upward else edge, effect
        )
    both = re.fullmatch(rf"\s*in\s*\[\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\]\s*", text)
    if both and _value(both[1]) < _value(both[2]):
        return Region(text.strip(), _value(both[1]), _value(both[2]))
    raise ValueError(
        f"{text!r} is no region; write one such as '>= 0.925', '> 1', '< 1/3' or 'in [0.8, 1.25]'"
    )


def _value(text: str) -> float:
    above, _, below = text.partition("/")
    parts = float(above), float(below or 1)
    if not parts[1] or not all(math.isfinite(p) for p in (*parts, parts[0] / parts[1])):
        said = text if len(text) <= 20 else f"{text[:20]}…"
        raise ValueError(f"an edge must be a finite number, was {said}")
    return parts[0] / parts[1]


def decide_reading(
    result: Estimate, region: Region, *, withheld: str, why_not_contradicted: str
) -> IntervalDecision:
    """What the number of a reading decides by itself, before rivals and requirements.

    Trials, analyses of rivals, specification curves and planning all decide a number here. Planning withholds none.

    Args:
        result: the number.
        region: where the claim places it.
        withheld: why the number must not decide, whatever it is; empty if it may.
        why_not_contradicted: why a number outside the region does not contradict; empty if it does.
    """
    if withheld:
        return IntervalDecision("undecided", withheld, result, region, "withheld")
    decision = decide(result, region)
    if decision.verdict == "contradicted" and why_not_contradicted:
        return IntervalDecision("undecided", why_not_contradicted, result, region, "one-sided")
    return decision


def decide_control(result: Estimate, null_value: float) -> Verdict:
    """What a negative control gives: supported if it makes no difference that shows.

    Args:
        result: the number of the control.
        null_value: what it would be without any difference.
    """
    return "supported" if result.low <= null_value <= result.high else "contradicted"


def decide(result: Estimate, region: Region) -> IntervalDecision:
    """Hold an interval against a region.

    Supported: the interval lies inside. Contradicted: it lies wholly outside or, for a directional claim, wholly short
    of the smallest effect that matters (a precise null contradicts). Undecided: otherwise.
    """
    inside, outside, short = _place(result, region)
    verdict: Verdict
    if inside:
        verdict = "supported"
        reason = "but negligible: smaller than the smallest effect taken to matter" if short else ""
    elif outside:
        verdict, reason = "contradicted", ""
    elif short:
        verdict = "contradicted"
        reason = "any effect is smaller than the smallest taken to matter"
    else:
        verdict = "undecided"
        reason = "the range includes values for and against the claim"
    return IntervalDecision(verdict, reason, result, region)


def _place(result: Estimate, region: Region) -> tuple[bool, bool, bool]:
    """Whether an interval lies inside a region, wholly outside, and wholly short of the smallest effect."""
    inside = result.low >= region.low and result.high <= region.high
    outside = result.high < region.low or result.low > region.high
    short = not math.isnan(region.effect) and (
        result.high < region.effect if region.is_upward else result.low > region.effect
    )
    return inside, outside, short


def is_outside(value: float, region: Region) -> bool:
    """Whether a number without its interval is outside or, for a direction, short of the smallest effect."""
    if math.isnan(region.effect):
        return value < region.low or value > region.high
    return value < region.effect if region.is_upward else value > region.effect


def _p(result: Estimate, region: Region) -> tuple[float, float, float]:
    """The largest level at which the interval reaches out of the region, into it, and up to the smallest effect."""
    upward = region.is_upward

    def beyond(edge: float, *, above: bool) -> float:
        """The level at which an interval touches an edge that the estimate lies beyond; 1 if it does not."""
        past = result.value > edge if above else result.value < edge
        return _touching(result, edge) if past else 1.0

    sides = [beyond(region.low, above=True)] if upward else []
    sides += [beyond(region.high, above=False)] if math.isfinite(region.high) else []
    out = [beyond(region.low, above=False)] if upward else []
    out += [beyond(region.high, above=True)] if math.isfinite(region.high) else []
    short = 1.0 if math.isnan(region.effect) else beyond(region.effect, above=not upward)
    return max(sides), min(out), short


def _touching(result: Estimate, edge: float) -> float:
    if result.scale == "wilson" and not 0 < edge < 1:
        return 0.0  # with a single case, or a single other, the share is not there
    if result.interval == "anytime":
        forward = SCALES["logit" if result.scale == "wilson" else result.scale][0]
        return p_at_every_look(forward(result.value) - forward(edge), result.se, result.r)
    if result.scale == "wilson":  # Wilson's interval is the score test turned around
        return two_sided_p(
            (result.value - edge) / math.sqrt(edge * (1 - edge) / result.size), result.df
        )
    if math.isnan(result.se) or result.se <= 0:
        return math.nan
    forward = SCALES[result.scale][0]
    return two_sided_p((forward(result.value) - forward(edge)) / result.se, result.df)


def more_events(
    result: Estimate, region: Region, events: int, alternative: float | None, power: float = 0.8
) -> int | None:
    """How many events more would decide, if the truth were the declared alternative.

    Args:
        result: the estimate; only its error is used, never its value.
        region: the claim's.
        events: events so far.
        alternative: the value planned for; the smallest effect that matters where there is one.
        power: the chance to decide.

    Returns:
        The number, or None if no alternative is declared.
    """
    target = region.effect if not math.isnan(region.effect) else alternative
    if (
        target is None
        or not region.edges
        or result.scale not in SCALES
        or not result.se > 0
        or not events
    ):
        return None
    forward = SCALES[result.scale][0]
    distance = min(abs(forward(target) - forward(e)) for e in region.edges)
    reach = (
        quantile(result.level, result.df)
        if result.interval == "fixed"
        else half_width(result.se, result.r, 1 - result.level) / result.se
    )
    wanted = distance / (reach + normal_quantile(power))
    return max(0, math.ceil(events * (result.se / wanted) ** 2) - events) if wanted > 0 else None


def holm(ps: list[float]) -> list[float]:
    """Holm's adjusted p-values, as statsmodels' `multipletests` has them, which takes a second to import."""
    p, order = np.sort(ps), np.argsort(ps)
    adjusted = np.maximum.accumulate(p * np.arange(len(p), 0, -1))
    return _in_place(adjusted, order)


def benjamini_hochberg(ps: list[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p-values; likewise."""
    p, order = np.sort(ps), np.argsort(ps)
    of_all = p / (np.arange(1, len(p) + 1) / len(p)) if len(p) else p
    return _in_place(np.minimum.accumulate(of_all[::-1])[::-1], order)


def _in_place(adjusted: NDArray[np.float64], order: NDArray[np.intp]) -> list[float]:
    """Adjusted p-values, at most 1, in the order in which they were given."""
    result = np.empty(len(adjusted))
    result[order] = np.minimum(adjusted, 1.0)
    return [float(p) for p in result]
