"""How objects show themselves in JupyterLab and on pages: one accessible table, with all text escaped.

An output in JupyterLab has to bring its style along (`styled`), because no other style sheet knows its classes. Where
even that is taken out, as in a notebook that is not trusted, cells still say for themselves on which side their text
stands. A page of a report has one style sheet and refuses every other style, so all of it is taken out there
(`unstyled`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from html import escape
from unicodedata import bidirectional

# what no page and no picture may hold: controls, and halves of characters
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_TURNS = re.compile(
    "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)  # marks that turn the direction of writing
_FIRST_STRONG, _POP = "\u2068", "\u2069"
# a cell that stands to the right: a number with its unit and its interval, or what stands in the place of one
_NUMBER = re.compile(
    r"(?:about |fewer than |[<≥≤] ?)?[+\-−]?\d[\d,.]*(?: ?[%×]| points| days?)?(?: \([^()]*\d[^()]*\))?"
)
_MINUS = re.compile(r"(?<![\w.\-/])-(?=\d)")  # before a number, and not between two
_NO_NUMBER = {"", "–", "none", "not shown", "too few"}

# Colours are those of the theme of JupyterLab or VS Code; elsewhere those of whatever the output stands in. Classes are
# written twice where JupyterLab's rules for tables and headings would win otherwise.
_CSS = """
.cx-scroll.cx-scroll{overflow-x:auto;margin:.8em 0}
.cx-scroll.cx-scroll table{margin:0;border-collapse:collapse;table-layout:auto;font-variant-numeric:tabular-nums}
.cx-scroll.cx-scroll caption{caption-side:top;text-align:left;padding:0 0 .4em}
.cx-scroll.cx-scroll th,.cx-scroll.cx-scroll td{text-align:left;vertical-align:top;padding:.35em 1.2em .35em .4em}
.cx-scroll.cx-scroll thead th{vertical-align:bottom}
.cx-scroll.cx-scroll tbody th{font-weight:normal}
.cx-scroll.cx-scroll .cx-num{text-align:right;white-space:nowrap}
.cx-scroll.cx-scroll .cx-primary th,.cx-scroll.cx-scroll .cx-total>*{font-weight:bold}
.cx-readings.cx-readings td{white-space:nowrap}
.cx-rivals.cx-rivals td{white-space:normal}.cx-rivals.cx-rivals tbody :is(th,td){padding:.6em 1.2em .6em .6em}
.cx-rivals.cx-rivals thead th:first-child{width:30%}.cx-rivals.cx-rivals thead th:nth-child(2){width:36%}
.cx-rivals.cx-rivals tbody th{border-left:4px solid var(--jp-border-color1,#8888)}
.cx-rivals.cx-rivals .cx-rival-stands th{border-left-color:#00936b}
.cx-rivals.cx-rivals .cx-rival-open th{border-left-color:#a97f00}
.cx-rivals.cx-rivals :is(th strong,th span,.cx-outcome,.cx-because){display:block}
.cx-rivals.cx-rivals td ul{list-style:none;margin:0;padding:0}.cx-rivals.cx-rivals td li{margin:0 0 .6em;padding:0}
.cx-strip-rival{display:block;max-width:16em;margin:0 0 .15em}.cx-outcome{font-weight:600}
.cx-hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.cx-first .cx-study{font-weight:600}
.cx-verdict{display:inline-block;padding:.1em .65em;border-radius:1em;font-weight:700;white-space:nowrap;
color:#474d55;background:#eceef0}
.cx-supported{color:#00694d;background:#e1f4ed}.cx-contradicted{color:#9a3500;background:#fdeadf}
.cx-undecided{color:#6b5200;background:#fbf1cf}
:is([data-jp-theme-light=false],.vscode-dark,.vscode-high-contrast) .cx-verdict{color:#c3cad1;background:#2a2f35}
:is([data-jp-theme-light=false],.vscode-dark,.vscode-high-contrast) .cx-supported{color:#6fd6b0;background:#12352a}
:is([data-jp-theme-light=false],.vscode-dark,.vscode-high-contrast) .cx-contradicted{color:#ff9d66;background:#40210f}
:is([data-jp-theme-light=false],.vscode-dark,.vscode-high-contrast) .cx-undecided{color:#ecc94b;background:#3a3110}
.cx-cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,24em),1fr));gap:1em;margin:1em 0}
.cx-card{padding:.8em 1.1em;border:1px solid var(--jp-border-color1,#8888);border-top-width:4px;border-radius:6px}
.cx-card-supported{border-top-color:#00936b}.cx-card-contradicted{border-top-color:#d55e00}
.cx-card-undecided{border-top-color:#a97f00}
.cx-card.cx-card p{margin:.35em 0}
.cx-card.cx-card .cx-statement{font-size:1.2em;line-height:1.3;margin:0 0 .35em}
.cx-value{font-size:2.2em;font-weight:700;line-height:1.2}
.cx-facts.cx-facts{margin:.6em 0}
.cx-facts.cx-facts div{display:grid;grid-template-columns:8.2em minmax(0,1fr);gap:.6em;padding:.3em 0;
border-top:1px solid var(--jp-border-color2,#8888)}
.cx-facts.cx-facts dt,.cx-facts.cx-facts dd{margin:0;padding:0;float:none;width:auto;font-weight:normal}
.cx-groups.cx-groups ul{list-style:none;margin:0;padding:0;max-width:60em}
span.cx-cause{display:block}
.cx-groups.cx-groups li{display:grid;grid-template-columns:minmax(0,1fr) 16em;gap:1em;margin:0;padding:.25em 0;
border-top:1px solid var(--jp-border-color2,#8888)}
.cx-found{text-align:right;font-variant-numeric:tabular-nums}
.cx-note,.cx-caution{border-left:3px solid var(--jp-border-color1,#8888);padding-left:.8em}
.cx-caution{border-color:#d55e00}
"""
_STYLE = f"<style>{_CSS.strip()}</style>"
_LEFT, _RIGHT = " style='text-align:left'", " style='text-align:right'"


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


def styled(block: str) -> str:
    """HTML with the style it needs in JupyterLab.

    Args:
        block: HTML of this package; what has its style already stays as it is.
    """
    return f"{_STYLE}{block.replace(_STYLE, '')}"


def unstyled(block: str) -> str:
    """HTML without the style for JupyterLab, as a page that has a style sheet needs it."""
    for style in (_STYLE, _LEFT, _RIGHT):
        block = block.replace(style, "")
    return block


def html_table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = ()
) -> str:
    """A table with a caption, scopes and its style; the first cell of a row is its head.

    Columns that hold nothing but numbers stand to the right.

    Args:
        caption: above the table.
        heads: of the columns.
        rows: cells, in the order of `heads`.
        notes: sentences below the table, as one paragraph; empty ones are left out.
    """
    caption = printable(caption)
    cells = [[printable(str(c)) for c in row] for row in rows]
    right = {
        i for i in range(1, len(heads)) if is_numeric([row[i] for row in cells if i < len(row)])
    }
    head = "".join(
        f"<th scope='col'{_place(i in right)}>{escape(printable(h))}</th>"
        for i, h in enumerate(heads)
    )
    body = "".join(_row(row, right) for row in cells)
    note = printable(" ".join(n for n in notes if n))
    footer = f"<p class='cx-under'>{escape(note)}</p>" if note else ""
    return styled(
        f"<div class='cx-scroll cx-result' tabindex='0' role='group' aria-label='{escape(caption, quote=True)}'>"
        f"<table><caption{_LEFT}>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{footer}"
    )


def is_numeric(cells: Sequence[str]) -> bool:
    """Whether the cells of a column hold numbers, or what stands in the place of one, and nothing else."""
    held = [c for c in cells if c not in _NO_NUMBER]
    return bool(held) and all(_NUMBER.fullmatch(c) for c in held)


def _place(right: bool) -> str:
    return f" class='cx-num'{_RIGHT}" if right else _LEFT


def _row(cells: Sequence[str], right: Collection[int]) -> str:
    numbers = [_MINUS.sub("−", c) if i in right else c for i, c in enumerate(cells)]
    first, *others = (escape(c) for c in numbers)
    result = "".join(f"<td{_place(i in right)}>{c}</td>" for i, c in enumerate(others, 1))
    return f"<tr><th scope='row'{_LEFT}>{first}</th>{result}</tr>"
