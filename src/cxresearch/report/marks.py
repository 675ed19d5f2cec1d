"""Places in a block that are filled in when all pages and the ledger are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape, unescape

_MARK = re.compile(r"<!--(DEPTH|SINCE|BACK) ?(.*?)-->", re.DOTALL)


def mark(kind: str, argument: str = "") -> str:
    """A place to be filled in.

    Args:
        kind: ``DEPTH``, the link to a claim's own page; ``SINCE``, what has changed since the last run; ``BACK``, the
            way from a claim's own page to the others.
        argument: the id of the claim, if the place is about one.
    """
    return f"<!--{kind} {escape(argument)}-->"


def filled(block: str, by: Mapping[str, Callable[[str], str]]) -> str:
    """A block with its places filled in.

    Args:
        block: HTML in which all text is escaped, so that no text passes for a mark.
        by: what to put in, by kind; called with the argument.
    """
    return _MARK.sub(lambda found: by[found[1]](unescape(found[2])) if found[1] in by else "", block)
