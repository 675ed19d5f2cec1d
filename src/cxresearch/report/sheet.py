"""A page around HTML that is ready: the looks and the policy that all pages share, without a script."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from cxresearch.report import policy

_STYLE = files("cxresearch.report").joinpath("template", "page.css")


def standalone(title: str, body: str) -> str:
    """A page around HTML that is ready.

    Raises:
        ReportError: the page would load something from elsewhere.
    """
    return policy.sealed(
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{policy.PLACE}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{style()}</style>\n"
        '</head>\n<body>\n<a class="cx-skip" href="#main">Skip to the page</a>\n'
        f'<main id="main">{body}</main>\n</body>\n</html>\n'
    )


def style() -> str:
    """The style sheet of all pages."""
    return _STYLE.read_text(encoding="utf-8")
