"""The picture of the summary: who has left by each day, after a first bad moment and of comparable customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cxresearch.charts.base import BLUE, ORANGE

WIDTH, HEIGHT, NARROW = 560, 290, 340
_LEFT, _TOP, _BOTTOM = 34, 14, 246
_BESIDE, _BESIDE_NARROW = 172, 112  # pixels for what is written at the ends of the curves
_NAMES = ("after a first bad moment", "comparable, without one")
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, Roboto, sans-serif"'
_GAP = 44  # pixels between the two labels at the end, so that they do not collide


def summary_picture(
    facts: Mapping[str, Any], ink: str = "currentColor", *, is_narrow: bool = False
) -> str:
    """Two curves with bands, and the distance at the horizon written on it.

    Args:
        facts: from `summary_facts`.
        ink: colour of text and axes.
        is_narrow: whether it is for a phone, with the names of the curves below.

    Returns:
        An SVG that carries its own style; nothing where the curves may not be shown.
    """
    curves, pair = facts.get("curves"), facts.get("pair")
    if not curves or not pair:
        return ""
    highest = max(*curves["exposed_high"], *curves["comparators_high"], 0.05)
    top = next((t for t in (0.1, 0.2, 0.4, 0.6, 0.8) if highest <= t), 1.0)
    last = float(curves["days"][-1])
    width = NARROW if is_narrow else WIDTH
    right = width - (_BESIDE_NARROW if is_narrow else _BESIDE)

    def x(day: float) -> float:
        return float(round(_LEFT + day / last * (right - _LEFT), 1))

    def y(share: float) -> float:
        return round(_BOTTOM - share / top * (_BOTTOM - _TOP), 1)

    def path(days: Sequence[float], shares: Sequence[float]) -> str:
        return " ".join(f"{x(d)},{y(s)}" for d, s in zip(days, shares, strict=True))

    drawn = []
    for name, colour, dash in (("comparators", BLUE, "7 4"), ("exposed", ORANGE, "")):
        days = curves["days"]
        around = (
            f"{path(days, curves[f'{name}_high'])} {path(days[::-1], curves[f'{name}_low'][::-1])}"
        )
        drawn.append(f'<polygon points="{around}" fill="{colour}" fill-opacity="0.16"/>')
        drawn.append(
            f'<polyline points="{path(days, curves[f"{name}_curve"])}" fill="none" stroke="{colour}" '
            f'stroke-width="2.5"{f" stroke-dasharray={dash!r}" if dash else ""}/>'
        )
    ends = [float(pair[who]) / 100 for who in ("exposed", "comparators")]
    height = HEIGHT + (48 if is_narrow else 0)
    kind = "cx-summary-picture" + (" cx-narrow" if is_narrow else "")
    names = ("", "") if is_narrow else _NAMES
    return (
        f'<svg class="{kind}" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(in_words(facts))}">{_axes(x, y, top, last, ink, right)}{"".join(drawn)}'
        f"{_distance(x(last), [y(e) for e in ends], ends, ink, names)}{_key(ink) if is_narrow else ''}</svg>"
    )


def _key(ink: str) -> str:
    """The names of the curves, below."""
    return "".join(
        f'<line x1="{_LEFT}" y1="{at}" x2="{_LEFT + 26}" y2="{at}" stroke="{colour}" stroke-width="3"'
        f'{dash}/><text x="{_LEFT + 34}" y="{at + 4}" {_label(ink)}>{name}</text>'
        for at, colour, dash, name in (
            (HEIGHT + 14, ORANGE, "", _NAMES[0]),
            (HEIGHT + 34, BLUE, " stroke-dasharray='7 4'", _NAMES[1]),
        )
    )


def in_words(facts: Mapping[str, Any]) -> str:
    """The picture for those who do not see it."""
    pair = facts.get("pair")
    if not pair:
        return ""
    a, b = pair["exposed"], pair["comparators"]
    return (
        f"Two curves over {pair['days']} days: after a first bad moment {a} of 100 customers have left by the end; of "
        f"comparable customers without one so far, {b} of 100."
    )


def _axes(x: Any, y: Any, top: float, last: float, ink: str, right: int) -> str:
    parts = []
    for share in (top * i / 4 for i in range(5)):
        at = y(share)
        parts.append(
            f'<line x1="{_LEFT}" y1="{at}" x2="{right}" y2="{at}" stroke="{ink}" opacity="0.13"/>'
            f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end" {_label(ink)}>{100 * share:.0f}</text>'
        )
    step = next((s for s in (7, 15, 30, 60, 90, 180, 365) if last / s <= 5), 730)
    for day in range(0, int(last) + 1, step):
        parts.append(
            f'<text x="{x(day)}" y="{_BOTTOM + 18}" text-anchor="middle" {_label(ink)}>{day}</text>'
        )
    parts.append(
        f'<text x="{_LEFT}" y="{_BOTTOM + 37}" {_label(ink)}>days; of 100 customers, how many have left</text>'
    )
    return "".join(parts)


def _distance(
    x: float, at: list[float], shares: list[float], ink: str, names: tuple[str, str]
) -> str:
    """The two ends named, and how far they are apart."""
    upper, lower = sorted(at)
    middle = (upper + lower) / 2
    spread = max(lower - upper, 2.0)
    first = min(upper, middle - _GAP / 2 - 8)
    second = max(lower, middle + _GAP / 2 + 8)
    named = sorted(zip(at, shares, names, (ORANGE, BLUE), strict=True))
    words = "".join(
        f'<text x="{x + 16}" y="{where + 3:.1f}" font-size="17" font-weight="700" fill="{ink}" {_FONT}>'
        f'{100 * share:.0f} of 100</text><text x="{x + 16}" y="{where + 18:.1f}" {_label(ink)}>{name}</text>'
        f'<circle cx="{x}" cy="{end}" r="4.5" fill="{colour}"/>'
        for (end, share, name, colour), where in zip(named, (first - 6, second + 4), strict=True)
    )
    more = round(100 * shares[0]) - round(100 * shares[1])
    said = f"{abs(more)} {'more' if more >= 0 else 'fewer'}"
    return (
        f'<path d="M{x + 6},{upper} h4 v{spread:.1f} h-4" fill="none" stroke="{ink}" stroke-width="1.5"/>'
        f'<text x="{x + 16}" y="{middle + 6:.1f}" font-size="13" font-weight="700" fill="{ink}" {_FONT}>{said}</text>'
        f"{words}"
    )


def _label(ink: str) -> str:
    return f'font-size="12" fill="{ink}" opacity="0.85" {_FONT}'
