"""Draw the pictures of docs/statistics.md, readable on light and on dark pages.

Run from the root of the repository: ``python -m docs.statistics.draw``.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from docs.rivals.draw import STYLE, TEXT, Band, Customer, Picture, draw

HERE = Path(__file__).parent
WIDTH, LEFT, ROW, TOP = 560, 170, 34, 66
RIGHT = 150  # pixels for the verdict

TIMELINES = {
    "episodes": Picture(
        "A customer with two bad moments is at risk in three states, one after the other",
        (
            Customer("two bad moments", ((30, "bad"), (62, "bad")), 84, "leaves"),
            Customer("one bad moment", ((48, "bad"),)),
            Customer("none", ((22, "other"), (70, "other"))),
        ),
        (
            Band(0, 30, "none so far", (0, 1)),
            Band(30, 62, "1 so far", (0, 1)),
            Band(62, 84, "2 so far", (0, 1)),
        ),
    ),
    "naive": Picture(
        "Who stays longer meets more bad moments, so those who ever had one seem loyal",
        (
            Customer("left early", ((10, "other"),), 24, "left before any bad moment"),
            Customer("left later", ((14, "other"), (60, "bad")), 72, "leaves"),
            Customer("stays", ((26, "other"), (50, "bad"), (82, "other"))),
        ),
    ),
    "lead": Picture(
        "What happened in the last days before leaving is set aside",
        (
            Customer("left", ((28, "bad"), (70, "bad")), 78, "leaves"),
            Customer("there on the same day", ((30, "other"), (68, "bad"))),
        ),
        (Band(54, 78, "set aside: the last 30 days", (0, 2)),),
    ),
    "comparable": Picture(
        "Each customer with a first bad moment is compared with those there as long without one",
        (
            Customer("first bad moment", ((40, "bad"),), 66, "leaves"),
            Customer("comparable", ((38, "other"),), 100),
            Customer("comparable", ((42, "other"),), 82, "leaves"),
        ),
        (Band(40, 88, "followed for the same time from here on"),),
    ),
}


@dataclass(frozen=True)
class Interval:
    """A row of the picture of verdicts: an interval of hazard ratios and what becomes of the claim.

    Attributes:
        label: what is special about it.
        low: lower limit, as a hazard ratio.
        high: upper limit.
        verdict: the verdict.
    """

    label: str
    low: float
    high: float
    verdict: str


INTERVALS = (
    Interval("inside the region", 1.2, 1.6, "supported"),
    Interval("inside, but small", 1.02, 1.08, "supported, negligible"),
    Interval("outside", 0.7, 0.93, "contradicted"),
    Interval("too small to matter", 0.96, 1.07, "contradicted"),
    Interval("reaches both", 0.9, 1.35, "undecided"),
)
TICKS = (0.7, 1, 1.1, 1.6)
EDGE, SMALLEST = 1, 1.1


def verdicts() -> str:
    """The SVG of intervals against the region of a claim."""
    height = TOP + ROW * len(INTERVALS) + 44
    foot = TOP + ROW * len(INTERVALS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" font-family="sans-serif" font-size="{TEXT}">',
        f"<title>Where an interval lies decides the verdict</title><style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<rect class="band" x="{_x(EDGE)}" y="{TOP - 14}" width="{WIDTH - RIGHT - _x(EDGE)}" '
        f'height="{foot - TOP + 14}"/>',
        _text(_x(EDGE) + 4, 24, "the claim holds here: more than 1"),
        _text(_x(SMALLEST) + 4, 44, "smallest effect that matters: 1.10", "quiet"),
        f'<path class="line" d="M{_x(EDGE)} {TOP - 40}V{foot}"/>',
        f'<path class="line" stroke-dasharray="4 3" d="M{_x(SMALLEST)} {TOP - 20}V{foot}"/>',
    ]
    for row, interval in enumerate(INTERVALS):
        y = TOP + ROW * row + ROW // 2
        parts += [
            _text(8, y + 4, interval.label),
            f'<path class="end" d="M{_x(interval.low)} {y}H{_x(interval.high)}"/>',
            f'<circle class="bad" cx="{_x((interval.low * interval.high) ** 0.5)}" cy="{y}" r="5"/>',
            _text(WIDTH - RIGHT + 10, y + 4, interval.verdict),
        ]
    parts.append(f'<path class="line" d="M{LEFT} {foot}H{WIDTH - RIGHT}"/>')
    parts += [_text(_x(tick), foot + 18, f"{tick:g}", "quiet", "middle") for tick in TICKS]
    parts += [_text(LEFT, foot + 36, "hazard ratio", "quiet"), "</svg>"]
    return "\n".join(parts) + "\n"


def _x(ratio: float) -> int:
    return LEFT + round((ratio - 0.65) * (WIDTH - RIGHT - LEFT) / (1.7 - 0.65))


def _text(x: int, y: int, text: str, kind: str = "text", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def pictures() -> dict[str, str]:
    """Name to SVG."""
    return {**{name: draw(picture) for name, picture in TIMELINES.items()}, "verdicts": verdicts()}


def main() -> None:
    """Write every picture beside this file."""
    for name, svg in pictures().items():
        HERE.joinpath(f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
