"""How objects show themselves in JupyterLab and on pages: one accessible table, with all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = ()) -> str:
    """A table with a caption and scopes; the first cell of a row is its head.

    Args:
        caption: above the table.
        heads: of the columns.
        rows: cells, in the order of `heads`.
        notes: sentences below the table, as one paragraph; empty ones are left out.
    """
    head = "".join(f"<th scope='col'>{escape(h)}</th>" for h in heads)
    body = "".join(_row(row) for row in rows)
    said = " ".join(n for n in notes if n)
    below = f"<p class='cx-under'>{escape(said)}</p>" if said else ""
    return (
        f"<div class='cx-scroll cx-result' tabindex='0' role='region' aria-label='{escape(caption, quote=True)}'>"
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{below}"
    )


def _row(cells: Sequence[object]) -> str:
    first, *others = (escape(str(c)) for c in cells)
    return f"<tr><th scope='row'>{first}</th>{''.join(f'<td>{c}</td>' for c in others)}</tr>"
