"""How objects show themselves in JupyterLab and on pages: one accessible table, with all text escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from unicodedata import bidirectional

# what no page and no picture may hold: controls, and halves of characters
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # marks that turn the direction of writing
_FIRST_STRONG, _POP = "\u2068", "\u2069"


def printable(text: str) -> str:
    """A text without characters that no page may hold; in their place stands �."""
    return _UNPRINTABLE.sub("\ufffd", text)


def isolated(name: str) -> str:
    """A name for the middle of a sentence, on one line: whichever way it is written, it turns nothing but itself.

    Args:
        name: as it stands in the data.

    Returns:
        The name; where it is written from right to left, between marks that keep that to itself. Marks of its own are
        left out.
    """
    plain = " ".join(_TURNS.sub("", printable(name)).split())
    turned = any(bidirectional(c) in {"R", "AL", "AN"} for c in plain)
    return f"{_FIRST_STRONG}{plain}{_POP}" if turned else plain


def html_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = ()) -> str:
    """A table with a caption and scopes; the first cell of a row is its head.

    Args:
        caption: above the table.
        heads: of the columns.
        rows: cells, in the order of `heads`.
        notes: sentences below the table, as one paragraph; empty ones are left out.
    """
    caption = printable(caption)
    head = "".join(f"<th scope='col'>{escape(printable(h))}</th>" for h in heads)
    body = "".join(_row(row) for row in rows)
    said = printable(" ".join(n for n in notes if n))
    below = f"<p class='cx-under'>{escape(said)}</p>" if said else ""
    return (
        f"<div class='cx-scroll cx-result' tabindex='0' role='group' aria-label='{escape(caption, quote=True)}'>"
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{below}"
    )


def _row(cells: Sequence[object]) -> str:
    first, *others = (escape(printable(str(c))) for c in cells)
    return f"<tr><th scope='row'>{first}</th>{''.join(f'<td>{c}</td>' for c in others)}</tr>"
