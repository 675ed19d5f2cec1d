"""A claim and its number on one line, as a picture of few bytes that needs no script."""

from __future__ import annotations

import math
import re

from cxresearch.charts import claimed
from cxresearch.charts.base import BLUE
from cxresearch.claims.results import ReadingResult, Trial
from cxresearch.claims.units import Unit

WIDTH, HEIGHT, _LEFT, _RIGHT = 320, 46, 6, 314
# The style where no style sheet knows the classes, as in JupyterLab, whose theme gives the variables; a page's sheet
# comes before these attributes.
_INK, _PAPER = "var(--jp-ui-font-color1, currentColor)", "var(--jp-layout-color0, none)"
_CLAIM = f'fill="{BLUE}" opacity="0.25"'
_AXIS = f'stroke="{_INK}"'
_EDGE = f'stroke="{BLUE}" stroke-width="2"'
_INTERVAL = f'stroke="{_INK}" stroke-width="3" stroke-linecap="round"'
_VALUE = f'fill="{_INK}" stroke="{_PAPER}" stroke-width="1.5"'
_TEXT = f'fill="{_INK}" font-size="12.5" font-family="system-ui, sans-serif"'


def interval_bar(trial: Trial) -> str:
    """The claimed region (shaded), and the number with its interval.

    Args:
        trial: the claim, tried.

    Returns:
        An inline SVG, or nothing where there is no number.
    """
    e = trial.primary
    if e.estimate is None or not all(
        map(math.isfinite, (e.estimate.value, e.estimate.low, e.estimate.high))
    ):
        return ""
    where = trial.claim.reading(e.reading).claimed_region
    low, high = _axis_limits(e, where.edges)

    def at(value: float) -> float:
        value = min(max(value, low), high)
        part = (
            math.log(value / low) / math.log(high / low)
            if e.unit.is_ratio
            else (value - low) / (high - low)
        )
        return round(_LEFT + part * (_RIGHT - _LEFT), 1)

    a, b = at(max(where.low, low)), at(min(where.high, high))
    value, left, right = (at(v) for v in (e.estimate.value, e.estimate.low, e.estimate.high))
    claimed_text = claimed(where, e.unit)
    description = f"The claim says {claimed_text}; in these data {e.unit.text(e.estimate.value)}."
    edge = where.edges[0]
    anchor = "start" if at(edge) < WIDTH / 3 else "end" if at(edge) > 2 * WIDTH / 3 else "middle"
    shown = re.sub(r"[\d.]+", r"\g<0>×", claimed_text) if e.unit.is_ratio else claimed_text
    x = at(edge)
    return (
        f'<svg class="cx-strip" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" overflow="visible" '
        f'role="img" aria-label="{description}">'
        f'<rect class="cx-strip-claim" x="{a}" y="4" width="{max(b - a, 2):.1f}" height="20" {_CLAIM}/>'
        f'<line class="cx-strip-axis" x1="{_LEFT}" y1="24" x2="{_RIGHT}" y2="24" {_AXIS}/>'
        f'<line class="cx-strip-edge" x1="{x}" y1="4" x2="{x}" y2="28" {_EDGE}/>'
        f'<line class="cx-strip-interval" x1="{left}" y1="14" x2="{max(right, left + 0.5)}" y2="14" {_INTERVAL}/>'
        f'<circle class="cx-strip-value" cx="{value}" cy="14" r="5.5" {_VALUE}/>'
        f'<text x="{x}" y="41" text-anchor="{anchor}" {_TEXT}>the claim: {shown}</text></svg>'
    )


def _axis_limits(e: ReadingResult, edges: tuple[float, ...]) -> tuple[float, float]:
    assert e.estimate is not None
    values = (e.estimate.low, e.estimate.high, *edges)
    if e.unit is Unit.SHARE:
        return 0.0, 1.0
    if e.unit.is_ratio:
        reach = max(*(abs(math.log(v)) for v in values if v > 0), math.log(2)) * 1.1
        return math.exp(-reach), math.exp(reach)
    reach = max(*(abs(v) for v in values), 0.002 if e.unit is Unit.LOG_LIKELIHOOD else 0.05) * 1.2
    return -reach, reach
