"""Draw the pictures of docs/rivals.md: one small scheme per rival explanation, readable on light and on dark pages.

Run from the root of the repository: ``python docs/rivals/draw.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
WIDTH, LEFT, ROW, TOP = 560, 150, 44, 46
TEXT = 13  # pixels; no text is smaller
STYLE = """
  .page { fill: #ffffff } .line { stroke: #57606a; stroke-width: 2; fill: none }
  .text { fill: #1f2328 } .quiet { fill: #57606a } .band { fill: #ddf4ff }
  .bad { fill: #bc4c00; stroke: #bc4c00 } .other { fill: #ffffff; stroke: #0969da }
  .end { stroke: #1f2328; stroke-width: 3; fill: none }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .line { stroke: #9198a1 }
    .text { fill: #f0f6fc } .quiet { fill: #9198a1 } .band { fill: #14304f }
    .bad { fill: #ff9d5c; stroke: #ff9d5c } .other { fill: #0d1117; stroke: #6cb6ff }
    .end { stroke: #f0f6fc }
  }
"""


@dataclass(frozen=True)
class Customer:
    """A line of a picture.

    Attributes:
        label: who it is.
        moments: place (0 to 100) and kind (``bad``, ``other`` or ``unknown``) of each.
        end: where the line ends, 0 to 100.
        left: what is written at the end of a customer who left; empty for one who stays.
        start: where the line begins, 0 to 100.
    """

    label: str
    moments: tuple[tuple[int, str], ...]
    end: int = 100
    left: str = ""
    start: int = 0


@dataclass(frozen=True)
class Band:
    """A span of time that is shaded.

    Attributes:
        first: where it begins, 0 to 100.
        last: where it ends.
        label: what happens in it; written above.
        rows: the lines it goes over, from the first up to but without the second; all when not given.
    """

    first: int
    last: int
    label: str = ""
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Picture:
    """A scheme of a rival explanation.

    Attributes:
        title: what it shows, for those who cannot see it.
        customers: its lines.
        bands: spans of time.
    """

    title: str
    customers: tuple[Customer, ...]
    bands: tuple[Band, ...] = ()


PICTURES = {
    "calendar": Picture(
        "In one month an outage gives bad moments and departures to customers at any age",
        (
            Customer("customer since spring", ((12, "other"), (55, "bad")), 66, "leaves", 0),
            Customer("since summer", ((40, "other"), (58, "bad")), 63, "leaves", 24),
            Customer("since autumn", ((60, "bad"), (86, "other")), 100, "", 46),
        ),
        (Band(52, 70, "an outage, with everything at once"),),
    ),
    "busy": Picture(
        "A customer in touch often has more good and more bad moments than a quiet one",
        (
            Customer(
                "in touch often",
                (
                    (6, "other"),
                    (15, "bad"),
                    (26, "other"),
                    (38, "other"),
                    (47, "bad"),
                    (57, "other"),
                ),
                68,
                "leaves",
            ),
            Customer("in touch rarely", ((30, "other"), (72, "other"))),
        ),
    ),
    "recency": Picture(
        "After any contact, good or bad, customers leave sooner for some weeks",
        (
            Customer("bad contact", ((40, "bad"),), 55, "leaves"),
            Customer("good contact", ((40, "other"),), 58, "leaves"),
            Customer("no contact", ()),
        ),
        (Band(40, 66, "some weeks after any contact", (0, 2)),),
    ),
    "already-leaving": Picture(
        "A customer decides to leave, then gets in touch and grades badly, then leaves",
        (
            Customer("decided first", ((10, "other"), (58, "bad"), (66, "bad")), 74, "leaves"),
            Customer("not leaving", ((20, "other"), (60, "other"))),
        ),
        (Band(50, 74, "from the decision on: left aside", (0, 1)),),
    ),
    "temperament": Picture(
        "With the same contacts a harsh customer grades all badly and leaves sooner anyway",
        (
            Customer(
                "grades harshly", ((12, "bad"), (30, "bad"), (48, "bad")), 64, "leaves anyway"
            ),
            Customer("grades mildly", ((12, "other"), (30, "other"), (48, "other"))),
        ),
    ),
    "who-answers": Picture(
        "A customer about to leave no longer answers, so the last bad moments have no grade",
        (
            Customer(
                "about to leave", ((12, "other"), (44, "unknown"), (58, "unknown")), 68, "leaves"
            ),
            Customer("stays", ((16, "other"), (46, "bad"), (70, "other"))),
        ),
    ),
    "other-exits": Picture(
        "Bad moments come before departures of every kind, even before moving away",
        (
            Customer("left for a rival", ((36, "bad"),), 56, "switches"),
            Customer("moved away", ((40, "bad"),), 60, "moves away"),
        ),
    ),
    "pace": Picture(
        "A slow buyer looks as if gone after the gap, and comes back",
        (
            Customer("buys rarely", ((6, "bad"), (84, "other"))),
            Customer("buys often", tuple((p, "other") for p in (6, 20, 33, 48, 61, 76, 90))),
        ),
        (Band(6, 56, "silent longer than the gap, yet not gone", (0, 1)),),
    ),
    "unseen": Picture(
        "A better offer, which is not in the data, stands behind the bad grade and the departure",
        (
            Customer("got an offer", ((52, "bad"),), 68, "leaves"),
            Customer("got none", ((52, "other"),)),
        ),
        (Band(36, 68, "a better offer: not in the data", (0, 1)),),
    ),
}


def draw(picture: Picture) -> str:
    """The SVG of a picture."""
    height = TOP + ROW * len(picture.customers) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" font-family="sans-serif" font-size="{TEXT}">',
        f"<title>{escape(picture.title)}</title><style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
    ]
    parts += [_band(band, len(picture.customers)) for band in picture.bands]
    parts += [_customer(row, customer) for row, customer in enumerate(picture.customers)]
    parts += [_legend(picture, height - 16), "</svg>"]
    return "\n".join(parts) + "\n"


def _x(place: int) -> int:
    return LEFT + round(place * (WIDTH - LEFT - 24) / 100)


def _y(row: int) -> int:
    return TOP + ROW * row + ROW // 2


def _text(x: int, y: int, text: str, kind: str = "text", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _band(band: Band, customers: int) -> str:
    first, last = band.rows or (0, customers)
    x, y = _x(band.first), _y(first) - ROW // 2
    shape = f'<rect class="band" x="{x}" y="{y}" width="{_x(band.last) - x}" height="{ROW * (last - first)}"/>'
    return shape + _text((x + _x(band.last)) // 2, y - 6, band.label, anchor="middle")


def _customer(row: int, customer: Customer) -> str:
    y, end = _y(row), _x(customer.end)
    parts = [
        _text(8, y + 4, customer.label),
        f'<path class="line" d="M{_x(customer.start)} {y}H{end}"/>',
    ]
    if customer.left:
        parts.append(f'<path class="end" d="M{end - 6} {y - 6}l12 12m0 -12l-12 12"/>')
        after = end + 12
        fits = after + 7 * len(customer.left) < WIDTH
        parts.append(
            _text(after, y + 4, customer.left)
            if fits
            else _text(WIDTH - 8, y + 20, customer.left, anchor="end")
        )
    else:
        parts.append(f'<path class="line" d="M{end} {y}l-7 -5m7 5l-7 5"/>')
    parts += [_moment(_x(place), y, kind) for place, kind in customer.moments]
    return "".join(parts)


def _moment(x: int, y: int, kind: str) -> str:
    if kind == "unknown":
        mark = f'<circle class="other" cx="{x}" cy="{y}" r="8" stroke-width="2" stroke-dasharray="3 2"/>'
        return mark + _text(x, y + 5, "?", anchor="middle")
    return f'<circle class="{kind}" cx="{x}" cy="{y}" r="6" stroke-width="2"/>'


_KINDS = {"bad": "bad moment", "other": "other moment", "unknown": "no grade"}


def _legend(picture: Picture, y: int) -> str:
    used = {kind for c in picture.customers for _, kind in c.moments}
    parts, x = [], LEFT + 8
    for kind in (k for k in _KINDS if k in used):
        parts.append(_moment(x, y - 4, kind) + _text(x + 14, y, _KINDS[kind], "quiet"))
        x += 120
    return "".join(parts)


def main() -> None:
    """Write every picture beside this file."""
    for name, picture in PICTURES.items():
        HERE.joinpath(f"{name}.svg").write_text(draw(picture), encoding="utf-8")


if __name__ == "__main__":
    main()
