"""An executed notebook becomes one HTML file that needs nothing else: no network, no second file.

Scripts and styles are allowed by their hashes only (Content-Security-Policy), so a script that came in with
the data stays dead. Vega runs on its interpreter, which needs no ``eval``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape, unescape
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import pass_context
from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from traitlets import default
from traitlets.config import Config

from cxresearch.charts import renderer
from cxresearch.errors import ReportError
from cxresearch.report import show

_TEMPLATE = files("cxresearch.report").joinpath("template")
_FORMS = (
    renderer.MIME,
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/latex",
    "text/plain",
)
_LOADS = {"src", "href", "xlink:href", "srcset", "poster", "data", "action", "formaction", "background"}


_DEPTH = re.compile(r"<!--DEPTH (.*?)-->")


class Exporter(HTMLExporter):
    """nbconvert's exporter for such a page."""

    @property
    def default_config(self) -> Config:
        """Charts in our own form come before any other form of the same output."""
        c: Config = super().default_config
        c.NbConvertBase.display_data_priority = list(_FORMS)
        return c

    def _template_name_default(self) -> str:
        return "template"

    @default("extra_template_basedirs")
    def _our_template_comes_first(self) -> list[str]:
        return [str(Path(str(_TEMPLATE)).parent), *super()._default_extra_template_basedirs()]

    @pass_context
    def markdown2html(self, _context: Any, source: str) -> str:
        """Markdown with its maths as MathML."""
        return str(MarkdownWithMath(renderer=_MathML(escape=False, exclude_anchor_links=True)).render(source))


class _MathML(IPythonRenderer):
    def heading(self, text: str, level: int, **_: Any) -> str:
        """A heading that the contents can lead to."""
        name = re.sub(r"[^a-z0-9]+", "-", unescape(re.sub(r"<[^>]*>", "", text)).lower()).strip("-")
        return f'<h{level} id="{escape(name)}">{text}</h{level}>\n'

    def inline_math(self, body: str) -> str:
        return str(to_mathml(body))

    def block_math(self, body: str) -> str:
        return str(to_mathml(body, display="block"))


def page(notebook: NotebookNode, *, name: str, depth: Mapping[str, str] | None = None) -> str:
    """The page of an executed notebook.

    Args:
        notebook: with its outputs; charts as `renderer.bundle` sends them. Not changed.
        name: its name, for the title where the notebook gives none.
        depth: id of a claim to the file of its own page, for links.

    Returns:
        HTML in one piece.

    Raises:
        ReportError: the page would load something from elsewhere.
    """
    charts = list(_charts(notebook))
    script = _script() if charts else ""
    found = summary(notebook)
    title = title_of(notebook, name)
    resources = {
        "metadata": {"name": name},
        "cx_title": f"{title} · {found['docket']['study']}" if found else title,
        "cx_style": _TEMPLATE.joinpath("page.css").read_text(encoding="utf-8"),
        "cx_script": script,
        "cx_stills": {_key(spec): _stills(spec) for spec in charts},
        "cx_key": _key,
        "cx_mime": renderer.MIME,
    }
    exporter = Exporter()  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(notebook, resources)
    body = _DEPTH.sub(lambda found: _link(unescape(found[1]), depth or {}), body)
    parsed = _parse(body)
    body = body.replace("<!--CONTENTS-->", _contents(parsed.headings), 1)
    _check(parsed, body, script)
    return body.replace("<!--CSP-->", _policy(parsed, script), 1)


def title_of(notebook: NotebookNode, name: str) -> str:
    """What a page is called: the claim it is about, else what its notebook is called."""
    found = summary(notebook) or {}
    about = found.get("claims", {}).get(found.get("about", ""))
    return str(about["statement"] if about else notebook.metadata.get("title", name))


def _link(claim: str, depth: Mapping[str, str]) -> str:
    hidden = f'<span class="cx-hidden">: {escape(claim)}</span>'
    return (
        f'<p class="cx-more"><a href="{escape(depth[claim])}">This claim in depth{hidden}</a></p>'
        if claim in depth
        else ""
    )


def standalone(title: str, body: str) -> str:
    """A page around HTML that is ready, without a script: the same looks, the same policy."""
    style = _TEMPLATE.joinpath("page.css").read_text(encoding="utf-8")
    whole = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<!--CSP-->\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n"
        f'</head>\n<body>\n<main id="main">{body}</main>\n</body>\n</html>\n'
    )
    parsed = _parse(whole)
    _check(parsed, whole, "")
    return whole.replace("<!--CSP-->", _policy(parsed, ""), 1)


def summary(notebook: NotebookNode) -> dict[str, Any] | None:
    """The verdicts an executed notebook has shown, as `show.summary` sends them; None if it showed none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            found = output.get("data", {}).get(show.MIME)
            if found is not None:
                return dict(found)
    return None


def _charts(notebook: NotebookNode) -> Any:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if renderer.MIME in output.get("data", {}):
                yield output.data[renderer.MIME]


_PLAIN = "=:;,/!?()[]*+'@$-._~|"


def _key(spec: Any) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()


def _stills(spec: Any) -> tuple[str, str]:
    """A chart's still pictures as addresses of data, for a phone and for wider screens and paper."""
    plain = json.loads(json.dumps(spec))
    narrow, wide = (renderer.still(plain, w) for w in (renderer.NARROW, renderer.WIDE))
    return _address(narrow), _address(wide)


def _address(svg: str) -> str:
    """A picture as text, a third shorter than as base64; what would end an attribute or an address is written out."""
    single = re.sub(r"=\"([^\"']*)\"", r"='\1'", svg)
    return f"data:image/svg+xml,{quote(single, _PLAIN)}"


@cache
def _script() -> str:
    """Vega and the few lines that bring the charts to life, as one script."""
    import vl_convert as vlc

    return str(vlc.javascript_bundle(_TEMPLATE.joinpath("charts.js").read_text(encoding="utf-8")))


class _Parsed(HTMLParser):
    """What the policy and the checks need to know of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.styles: list[str] = []
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self._inside = ""
        self._id = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
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
        if tag == "h2":
            self._id = ""
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.styles[-1] += data
        elif self._id:
            name, text = self.headings[-1]
            self.headings[-1] = (name, text + data)


def _parse(body: str) -> _Parsed:
    parsed = _Parsed()
    parsed.feed(body)
    parsed.close()
    return parsed


def _contents(headings: list[tuple[str, str]]) -> str:
    items = "".join(f'<li><a href="#{escape(i)}">{escape(" ".join(t.split()))}</a></li>' for i, t in headings)
    return f"<ol>{items}</ol>" if items else ""


def _check(parsed: _Parsed, body: str, script: str) -> None:
    if parsed.addresses:
        raise ReportError(f"the page would load from elsewhere: {parsed.addresses[0]}; a page must stand alone")
    if any(f in s.lower() for s in (*parsed.styles, *parsed.attributes) for f in ("url(", "@import")):
        raise ReportError("a style of the page would load from elsewhere; a page must stand alone")
    if script and body.count(script) != 1:
        raise ReportError("the charts' script was altered on its way into the page; its hash would not match")


def _policy(parsed: _Parsed, script: str) -> str:
    """Nothing may be loaded, and only our own script may run, whatever the outputs of the notebook hold."""
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
