"""A claim over the runs of the report: verdict, number and interval of each, as a small picture and as words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from cxresearch.claims.decide import parse_region
from cxresearch.claims.results import SYMBOLS
from cxresearch.claims.units import limits
from cxresearch.disclosure.counts import tellable
from cxresearch.report.pages.text import day, day_of, headline, text, verdict
from cxresearch.report.runs.ledger import Look

SHOWN = 12  # runs in the picture and in the list; of earlier ones only the number is said
_STEP, _HEIGHT, _SIGNS = (
    13,
    44,
    16,
)  # pixels: a run's width, the picture's height, the line of symbols below


def over_runs(looks: Sequence[Look], region: str, unit: str) -> str:
    """What became of a claim over the runs.

    Args:
        looks: those the verdicts rested on, oldest first.
        region: where the claim says the number lies, as written; may be empty.
        unit: as `Evidence.unit`.

    Returns:
        HTML; all text in it is escaped.
    """
    if not looks:
        return "not tried in a run that is on record"
    last = looks[-SHOWN:]
    said = "".join(
        f"<li>{text(day_of(x.at))}: {verdict(x.verdict)} {text(_number(x, region))}</li>"
        for x in reversed(last)
    )
    many = f"The last {SHOWN} of {len(looks)} runs" if len(looks) > SHOWN else _runs(len(looks))
    return (
        f'{_picture(last, region, unit)}<div><p class="cx-turn">{_turn(looks)}</p>'
        f"<details><summary>{many}<span class='cx-hidden'> of: {text(looks[-1].claim)}</span></summary>"
        f'<ol class="cx-runs">{said}</ol></details></div>'
    )


def told(look: Look, min_cell: int) -> Look:
    """A look as a page may tell it: without a number that rests on too few."""
    if look.estimate is None or look.ci_low is None or look.ci_high is None:
        return look
    if tellable(
        look.estimate,
        look.ci_low,
        look.ci_high,
        unit=look.unit,
        level=look.level,
        min_cell=min_cell,
        customers=look.customers,
        events=look.events,
    ):
        return look
    return replace(look, estimate=None, ci_low=None, ci_high=None)


def _runs(n: int) -> str:
    return f"{n} run{'' if n == 1 else 's'}"


def _number(look: Look, region: str) -> str:
    if look.estimate is None or look.ci_low is None or look.ci_high is None:
        return ""
    spread = limits(look.ci_low, look.ci_high, look.unit, edges_of(region))
    return f"{headline(look.estimate, look.unit)} ({spread}), data until {day(look.data_until)}"


def _turn(looks: Sequence[Look]) -> str:
    """Since when the verdict is what it is, and what it was before."""
    now = looks[-1].verdict
    other = next((i for i in range(len(looks) - 1, -1, -1) if looks[i].verdict != now), None)
    if other is None:
        return f"the same in {_runs(len(looks))}" if len(looks) > 1 else "first run"
    return f"since {text(day_of(looks[other + 1].at))}; before: {verdict(looks[other].verdict)}"


def _picture(looks: Sequence[Look], region: str, unit: str) -> str:
    """A point and an interval for each run, left to right, over where the claim says the number lies."""
    drawn = [(i, x) for i, x in enumerate(looks) if x.unit == unit and _finite(x)]
    if len(looks) < 2 or not drawn:
        return ""
    edges = _edges(region)
    scale = _Scale(
        [v for _, x in drawn for v in (x.ci_low, x.ci_high) if v is not None], edges, unit
    )
    width = _STEP * len(looks)
    marks = "".join(
        f'<path class="cx-strip-interval" d="M{_x(i)} {scale.y(x.ci_low)}V{scale.y(x.ci_high)}"/>'
        f'<circle class="cx-strip-value" cx="{_x(i)}" cy="{scale.y(x.estimate)}" r="3.5"/>'
        for i, x in drawn
    )
    signs = "".join(
        f'<text x="{_x(i)}" y="{_HEIGHT + 12}" text-anchor="middle">{text(SYMBOLS.get(x.verdict, "–"))}</text>'
        for i, x in enumerate(looks)
    )
    shade = ""
    if edges:
        low, high = edges
        top, bottom = scale.y(high), scale.y(low)
        shade = f'<rect class="cx-strip-claim" x="0" y="{top}" width="{width}" height="{max(bottom - top, 2):.1f}"/>'
    said = "; ".join(f"{day_of(x.at)}: {x.verdict} {_number(x, region)}".rstrip() for x in looks)
    return (
        f'<svg class="cx-trace" width="{width}" height="{_HEIGHT + _SIGNS}" viewBox="0 0 {width} {_HEIGHT + _SIGNS}" '
        f'role="img" aria-label="{text(said)}">{shade}{marks}{signs}</svg>'
    )


def _x(position: int) -> float:
    return _STEP * (position + 0.5)


def _finite(look: Look) -> bool:
    return all(
        v is not None and math.isfinite(v) for v in (look.estimate, look.ci_low, look.ci_high)
    )


def edges_of(region: str) -> tuple[float, ...]:
    """The finite edges of a region as the ledger has it; none where it cannot be read."""
    return tuple(e for e in _edges(region) or () if math.isfinite(e))


def _edges(region: str) -> tuple[float, float] | None:
    try:
        result = parse_region(region) if region else None
    except ValueError:
        return None
    return (result.low, result.high) if result else None


class _Scale:
    """From a number to a height; ratios on a logarithmic scale."""

    def __init__(
        self, values: Sequence[float], edges: tuple[float, float] | None, unit: str
    ) -> None:
        self._log = unit == "hazard ratio"
        at = [self._at(v) for v in (*values, *(e for e in edges or () if math.isfinite(e)))]
        low, high = min(at), max(at)
        room = max((high - low) * 0.12, 1e-6)
        self._low, self._high = low - room, high + room

    def y(self, value: float | None) -> float:
        """Pixels from the top; what lies outside is at the border."""
        assert value is not None
        part = (self._at(value) - self._low) / (self._high - self._low)
        return round(_HEIGHT * (1 - min(max(part, 0.0), 1.0)), 1)

    def _at(self, value: float) -> float:
        if not self._log:
            return value
        return math.log(value) if 0 < value < math.inf else math.copysign(math.inf, value - 1)
