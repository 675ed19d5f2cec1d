"""A claim and its number on one line, as a picture of few bytes that needs no script and no style sheet."""

from __future__ import annotations

import math
from html import escape

from cxresearch.charts.base import BLUE, TICKS
from cxresearch.claims.decide import Region
from cxresearch.claims.results import ReadingResult, Trial
from cxresearch.claims.rivals.outcomes import RivalRow
from cxresearch.claims.units import Unit
from cxresearch.report.pages.findings import claimed_words
from cxresearch.report.pages.text import headline

WIDTH, _LEFT, _RIGHT = 320, 8, 312
_TOP, _BAR = 31, 20  # where the bar begins, below two lines of text, and its height
HEIGHT = _TOP + _BAR + 21
# The style where no style sheet knows the classes, as in JupyterLab, whose theme gives the variables; a page's sheet
# comes before these attributes.
_INK, _PAPER = "var(--jp-ui-font-color1, currentColor)", "var(--jp-layout-color0, none)"
_CLAIM = f'fill="{BLUE}" opacity="0.28"'
_SMALL = f'fill="{BLUE}" opacity="0.1"'
_AXIS = f'stroke="{_INK}" stroke-width="1"'
_EDGE = f'stroke="{BLUE}" stroke-width="2"'
_EFFECT = f'stroke="{BLUE}" stroke-width="1.5" stroke-dasharray="3 2"'
_INTERVAL = f'stroke="{_INK}" stroke-width="3" stroke-linecap="round"'
_VALUE = f'fill="{_INK}" stroke="{_PAPER}" stroke-width="1.5"'
_OPEN_INTERVAL = f'{_INTERVAL} stroke-dasharray="4 6"'
_OPEN_VALUE = f'fill="{_PAPER}" stroke="{_INK}" stroke-width="2"'
_WITHOUT = f'stroke="{_INK}" stroke-width="2" stroke-linecap="round" opacity="0.45"'
_DOT_WITHOUT = f'fill="{_INK}" opacity="0.6"'
_TEXT = f'fill="{_INK}" font-size="12" font-family="system-ui, sans-serif"'


def interval_bar(trial: Trial) -> str:
    """The claimed region, the smallest effect that matters, and the number with its interval, on a scale.

    The region is shaded from its edge on, and darker from where an effect begins to matter: a number supports the claim
    if its whole interval is shaded, and contradicts it if the interval is wholly unshaded or wholly in the light part.
    Where the verdict is open all the same, the number is hollow and its interval dashed.

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
    where = trial.claim.reading(e.reading_id).claimed_region
    scale = _Scale(e, where)
    at, effect = scale.at, where.effect
    value, left, right = (at(v) for v in (e.estimate.value, e.estimate.low, e.estimate.high))
    a, b = at(where.low), at(where.high)
    shades = [_shade(a, b, _CLAIM, "cx-strip-claim")]
    line = 25 if math.isnan(effect) else 11
    words = [_words(at(where.edges[0]), line, f"claim: {claimed_words(trial)}", where)]
    lines = [_line(at(edge), _EDGE, "cx-strip-edge") for edge in where.edges]
    if not math.isnan(effect):
        x = at(effect)
        light, dark = ((a, x), (x, b)) if where.is_upward else ((x, b), (a, x))
        shades = [_shade(*light, _SMALL, "cx-strip-small"), _shade(*dark, _CLAIM, "cx-strip-claim")]
        words.append(_words(x, 25, f"matters from {headline(effect, e.unit)}", where))
        lines.append(_line(x, _EFFECT, "cx-strip-effect"))
    middle, bottom = _TOP + _BAR / 2, _TOP + _BAR
    is_open = e.verdict == "undecided"
    hollow = " cx-strip-open" if is_open else ""
    interval, dot = (_OPEN_INTERVAL, _OPEN_VALUE) if is_open else (_INTERVAL, _VALUE)
    radius = 5.5 if right - left > 16 else 3.5  # a short interval shows on both sides of it
    ticks = "".join(
        f'<line class="cx-strip-axis" x1="{at(t)}" y1="{bottom}" x2="{at(t)}" y2="{bottom + 4}" {_AXIS}/>'
        f'<text x="{at(t)}" y="{bottom + 17}" text-anchor="{_anchor(at(t))}" {_TEXT}>{_tick(t, e.unit)}</text>'
        for t in scale.ticks
    )
    said = f"The claim says {claimed_words(trial)}"
    if not math.isnan(effect):
        said += f", and an effect matters from {headline(effect, e.unit)}"
    limits = e.unit.interval_text(e.estimate.low, e.estimate.high)
    said += f"; in these data {headline(e.estimate.value, e.unit)}, {limits}{', undecided' if is_open else ''}"
    return (
        f'<svg class="cx-strip" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" overflow="visible" '
        f'role="img" aria-label="{escape(said)}">{"".join(shades)}'
        f'<line class="cx-strip-axis" x1="{_LEFT}" y1="{bottom}" x2="{_RIGHT}" y2="{bottom}" {_AXIS}/>'
        f"{''.join(lines)}{ticks}"
        f'<line class="cx-strip-interval{hollow}" x1="{left}" y1="{middle}" x2="{max(right, left + 0.5)}" '
        f'y2="{middle}" {interval}/>'
        f'<circle class="cx-strip-value{hollow}" cx="{value}" cy="{middle}" r="{radius}" {dot}/>'
        f"{''.join(words)}</svg>"
    )


def rival_bar(trial: Trial, row: RivalRow) -> str:
    """The number under a rival explanation over the number without it, on the scale of the claim; no text of its own.

    Args:
        trial: the claim, tried.
        row: the number under the rival.

    Returns:
        An inline SVG that repeats what is written next to it; nothing where the two are not of one unit.
    """
    own, other = trial.primary, row.estimate
    if own.estimate is None or other is None or row.unit is not own.unit or not own.region:
        return ""
    numbers = (own.estimate, other)
    if not all(map(math.isfinite, (v for e in numbers for v in (e.value, e.low, e.high)))):
        return ""
    where = trial.claim.reading(own.reading_id).claimed_region
    scale = _Scale(own, where, (other.low, other.high))
    at, width, height = scale.at, WIDTH, 34
    a, b = at(where.low), at(where.high)
    edges = "".join(
        f'<line class="cx-strip-edge" x1="{at(e)}" y1="0" x2="{at(e)}" y2="{height}" {_EDGE}/>'
        for e in where.edges
    )
    drawn = "".join(
        f'<line class="cx-strip-{kind}" x1="{at(e.low)}" y1="{y}" x2="{at(e.high) + 0.5}" y2="{y}" {style}/>'
        f'<circle class="cx-strip-{dot}" cx="{at(e.value)}" cy="{y}" r="{r}" {point}/>'
        for e, y, kind, dot, r, style, point in (
            (own.estimate, 9, "without", "without", 3.5, _WITHOUT, _DOT_WITHOUT),
            (other, 24, "interval", "value", 5, _INTERVAL, _VALUE),
        )
    )
    return (
        f'<svg class="cx-strip cx-strip-rival" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'aria-hidden="true"><rect class="cx-strip-claim" x="{a}" y="0" width="{max(b - a, 2):.1f}" height="{height}" '
        f"{_CLAIM}/>{edges}{drawn}</svg>"
    )


def _shade(a: float, b: float, style: str, kind: str) -> str:
    return f'<rect class="{kind}" x="{a}" y="{_TOP}" width="{max(b - a, 2):.1f}" height="{_BAR}" {style}/>'


def _line(x: float, style: str, kind: str) -> str:
    return f'<line class="{kind}" x1="{x}" y1="{_TOP - 3}" x2="{x}" y2="{_TOP + _BAR}" {style}/>'


def _words(x: float, y: int, said: str, where: Region) -> str:
    """Words that begin at their line and go the way of the region where there is room, the other way where not."""
    room = WIDTH - x if where.is_upward else x
    goes_right = where.is_upward == (room > 6.4 * len(said))
    anchor = "start" if goes_right else "end"
    x = max(x - 1, 0.0) if goes_right else min(x + 1, float(WIDTH))
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" {_TEXT}>{escape(said)}</text>'


def _anchor(x: float) -> str:
    return "start" if x < _LEFT + 12 else "end" if x > _RIGHT - 12 else "middle"


def _tick(value: float, unit: Unit) -> str:
    if unit is Unit.SHARE:
        return f"{100 * value:.0f}%"
    if unit.is_ratio:
        return f"{value:g}×"
    shown = 100 * (math.expm1(value) if unit is Unit.LOG_LIKELIHOOD else value)
    sign = "−" if round(shown, 6) < 0 else "+" if round(shown, 6) > 0 else ""
    return f"{sign}{abs(shown):.3g}{'%' if unit is Unit.LOG_LIKELIHOOD else ''}"


class _Scale:
    """From a number to pixels, ratios on a logarithmic scale; and the numbers written below."""

    def __init__(self, e: ReadingResult, where: Region, also: tuple[float, ...] = ()) -> None:
        self._log = e.unit.is_ratio
        self._low, self._high = _axis_limits(e, (*where.thresholds, *also))
        self.ticks = _ticks(e.unit, self._low, self._high)

    def at(self, value: float) -> float:
        value = min(max(value, self._low), self._high)
        part = (
            math.log(value / self._low) / math.log(self._high / self._low)
            if self._log
            else (value - self._low) / (self._high - self._low)
        )
        return round(_LEFT + part * (_RIGHT - _LEFT), 1)


def _ticks(unit: Unit, low: float, high: float) -> tuple[float, ...]:
    if unit is Unit.SHARE:
        return (0.0, 0.25, 0.5, 0.75, 1.0)
    if unit.is_ratio:
        inside = [t for t in TICKS if low <= t <= high]
        around = [t for t in inside if t == 1 or _is_round(t)]
        return tuple(around if len(around) > 2 else inside)[:9]
    step = _round_step(high / 2)
    count = int(high / step + 1e-9)
    shown = [step * i for i in range(-count, count + 1)]
    if unit is Unit.LOG_LIKELIHOOD:
        return tuple(math.log1p(s) for s in shown)
    return tuple(shown)


def _is_round(t: float) -> bool:
    return t in (0.1, 0.2, 0.5, 2, 5, 10, 20, 50)


def _round_step(most: float) -> float:
    power = 10.0 ** math.floor(math.log10(most))
    return max(f for f in (1, 2, 5) if f * power <= most * (1 + 1e-9)) * power


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
