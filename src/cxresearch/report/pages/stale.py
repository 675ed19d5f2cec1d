"""The notice on a page that could not be remade: it names the time and the reason."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

_MARK = re.compile(r"<!--STALE-->.*?<!--/STALE-->", re.DOTALL)
_MAIN = re.compile(r'<main id="main"[^>]*>')


def marked(page: str, *, made: str, tried: str, reason: str) -> str:
    """A page with the notice; an earlier notice goes.

    Args:
        page: HTML.
        made: when the page was made, in words.
        tried: when it should have been remade, in words.
        reason: why it was not, as plain text.

    Returns:
        HTML; as it was, where it is no page of ours.
    """
    sentence = f"This page is from {escape(made)}. It could not be remade on {escape(tried)}: {escape(reason)}"
    notice = (
        '<!--STALE--><aside class="cx-stale" role="note"><p><strong>Not up to date.</strong> '
        f"{sentence.rstrip('.')}.</p></aside><!--/STALE-->"
    )
    return _MAIN.sub(lambda result: result[0] + notice, unmarked(page), count=1)


def unmarked(page: str) -> str:
    """A page without its notice."""
    start = _MAIN.search(page)
    if start is None or not page.startswith("<!--STALE-->", start.end()):
        return page
    return page[: start.end()] + _MARK.sub("", page[start.end() :], count=1)


_FIELD = re.compile(
    r"(study|interactions|moments|retention|decision|tables|claims)(\.(source|query|format|grade|customer|at|start|end))?\b"
)


def kind_of(error: BaseException | str, message: str = "", field: str = "") -> str:
    """What a page may tell of an error: its kind and the field of the study file, and nothing of the data.

    Args:
        error: the error, or the name of its class.
        message: its message, of which only a field of the study file is taken.
        field: where it is known.
    """
    name = error if isinstance(error, str) else type(error).__name__
    result = _FIELD.match(field or message)
    where = f" in {result[0]}" if result else ""
    return f"{name if name.isidentifier() else 'an error'}{where}; the log of that run says more"


def plainly(message: str, folders: Sequence[Path]) -> str:
    """The first line of a message as a page may show it: without escape codes and folders of this machine.

    Args:
        message: the message; secrets have been taken out.
        folders: of this machine, the deepest first.
    """
    for folder in folders:
        if len(folder.parts) > 1:
            message = message.replace(f"{folder}{os.sep}", "").replace(str(folder), "…")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", message).strip().splitlines()
    return "".join(c if c.isprintable() else "?" for c in lines[0]).strip()[:500] if lines else ""
