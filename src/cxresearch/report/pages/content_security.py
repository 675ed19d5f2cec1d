"""The style and the Content-Security-Policy of a page that stands alone."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from html.parser import HTMLParser
from importlib.resources import files

from cxresearch.errors import ReportError

PLACE = "<!--CSP-->"  # in the head of a page, before anything that comes from a study
_LOADS = {
    "src",
    "href",
    "xlink:href",
    "srcset",
    "poster",
    "data",
    "action",
    "formaction",
    "background",
}


def sealed(body: str, script: str = "") -> str:
    """A page with its policy: nothing may be loaded, and only its script may run, whatever data put into it.

    Args:
        body: HTML in one piece, with `PLACE` in its head.
        script: the one that may run.

    Returns:
        The page with its Content-Security-Policy.

    Raises:
        ReportError: it would load something from elsewhere, or the script is not in it as it is.
    """
    parsed = Parsed.of(body)
    _check(parsed, body, script)
    return body.replace(PLACE, _policy(parsed, script), 1)


class Parsed(HTMLParser):
    """What the policy, the checks and the contents need to know of a page.

    Attributes:
        styles: texts of style elements.
        attributes: texts of style attributes.
        addresses: what would be loaded.
        headings: ids and texts of headings of the second level.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.styles: list[str] = []
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self._inside = ""
        self._id = ""

    @classmethod
    def of(cls, body: str) -> Parsed:
        """A page, parsed."""
        parsed = cls()
        parsed.feed(body)
        parsed.close()
        return parsed

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Styles, addresses and the headings of the second level."""
        for name, value in attrs:
            if name == "style":
                self.attributes.add(value or "")
            # a link that is clicked is no load
            if name in _LOADS and value and not value.startswith(("data:", "#")) and tag != "a":
                self.addresses.append(f"<{tag} {name}={value[:80]!r}>")
        self._inside = tag
        if tag == "style":
            self.styles.append("")
        if tag == "h2":
            self._id = dict(attrs).get("id") or ""
            if self._id:
                self.headings.append((self._id, ""))

    def handle_endtag(self, tag: str) -> None:
        """A heading or a style ends."""
        if tag == "h2":
            self._id = ""
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """The texts of styles and headings."""
        if self._inside == "style":
            self.styles[-1] += data
        elif self._id:
            name, text = self.headings[-1]
            self.headings[-1] = (name, text + data)


def _check(parsed: Parsed, body: str, script: str) -> None:
    if parsed.addresses:
        raise ReportError(
            f"the page would load from elsewhere: {parsed.addresses[0]}; a page must stand alone"
        )
    if any(
        f in s.lower() for s in (*parsed.styles, *parsed.attributes) for f in ("url(", "@import")
    ):
        raise ReportError("a style of the page would load from elsewhere; a page must stand alone")
    if script and body.count(script) != 1:
        raise ReportError(
            "the charts' script was altered on its way into the page; its hash would not match"
        )


def _policy(parsed: Parsed, script: str) -> str:
    """Nothing may be loaded, and only the script of the page may run, whatever the outputs of the notebook hold."""
    styles = sorted({_hash(s) for s in (*parsed.styles, *parsed.attributes)})
    allowed = " ".join([*styles, *(["'unsafe-hashes'"] if parsed.attributes else [])]) or "'none'"
    rules = (
        "default-src 'none'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        f"script-src {_hash(script) if script else chr(39) + 'none' + chr(39)}",
        f"style-src {allowed}",
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">'


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_STYLE = files("cxresearch.report").joinpath("template", "page.css")


def standalone(title: str, body: str) -> str:
    """A page around HTML that is ready.

    Raises:
        ReportError: the page would load something from elsewhere.
    """
    return sealed(
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{PLACE}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{style()}</style>\n"
        '</head>\n<body>\n<a class="cx-skip" href="#main">Skip to the page</a>\n'
        f'<main id="main">{body}</main>\n</body>\n</html>\n'
    )


def style() -> str:
    """The style sheet of all pages."""
    return _STYLE.read_text(encoding="utf-8")
