"""An executed notebook becomes one HTML file that needs nothing else: no network, no second file.

Scripts and styles are allowed by their hashes only (Content-Security-Policy), so a script that came in with
the data stays dead. Vega runs on its interpreter, which needs no ``eval``.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from functools import cache
from html import escape, unescape
from importlib.metadata import distribution
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
from cxresearch.disclosure.counts import MIN_CELL
from cxresearch.report.pages import changes, content_security, show
from cxresearch.report.pages import text as texts
from cxresearch.report.pages.content_security import style
from cxresearch.report.pages.site import (
    Entry,
    back,
    by_segment,
    deeper,
    depth_of,
    elsewhere,
    linked,
)
from cxresearch.report.runs.ledger import RunRecord
from cxresearch.utils.html_tables import unstyled

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


@cache
def _nbconvert() -> Path:
    """The folder in which nbconvert was installed with its templates."""
    template = Path("share", "jupyter", "nbconvert", "templates", "base", "display_priority.j2")
    installed = (
        f
        for f in distribution("nbconvert").files or ()
        if f.parts[-len(template.parts) :] == template.parts
    )
    place = next((Path(str(f.locate())).resolve() for f in installed), Path(sys.prefix) / template)
    return place.parents[3]


class Exporter(HTMLExporter):
    """nbconvert's exporter for such a page."""

    @property
    def default_config(self) -> Config:
        """Charts in the form of this package come before any other form of the same output."""
        c: Config = super().default_config
        c.NbConvertBase.display_data_priority = list(_FORMS)
        return c

    def _template_name_default(self) -> str:
        return "template"

    @default("extra_template_basedirs")
    def _our_template_comes_first(self) -> list[str]:
        return [str(Path(str(_TEMPLATE)).parent)]

    def get_prefix_root_dirs(self) -> list[str]:
        """Templates come from the two packages alone: never from the working folder or a folder of the user's."""
        return [str(_nbconvert())]

    @pass_context
    def markdown2html(self, _context: Any, source: str) -> str:
        """Markdown with its maths as MathML."""
        return str(
            MarkdownWithMath(renderer=_MathML(escape=False, exclude_anchor_links=True)).render(
                source
            )
        )


class _MathML(IPythonRenderer):
    def heading(self, text: str, level: int, **_: Any) -> str:
        """A heading that the contents can lead to."""
        name = re.sub(r"[^a-z0-9]+", "-", unescape(re.sub(r"<[^>]*>", "", text)).lower()).strip("-")
        return f'<h{level} id="{escape(name)}">{text}</h{level}>\n'

    def inline_math(self, body: str) -> str:
        return str(to_mathml(body))

    def block_math(self, body: str) -> str:
        return str(to_mathml(body, display="block"))


def page(
    notebook: NotebookNode,
    *,
    name: str,
    entries: Sequence[Entry] = (),
    history: Sequence[RunRecord] = (),
) -> str:
    """The page of an executed notebook.

    Args:
        notebook: with its outputs; charts as `renderer.bundle` sends them. Not changed.
        name: its name, for the title where the notebook gives none.
        entries: all pages that will be in its folder, itself included, for links.
        history: all records of the study, the present run's last, for what has changed.

    Returns:
        HTML in one piece.

    Raises:
        ReportError: the page would load something from elsewhere.
    """
    charts = list(_charts(notebook))
    script = _script() if charts else ""
    result = summary(notebook)
    title = title_of(notebook, name)
    resources = {
        "metadata": {"name": name},
        "cx_title": f"{title} · {result['docket']['study']}" if result else title,
        "cx_style": style(),
        "cx_script": script,
        "cx_stills": {_key(spec): _stills(spec, len(charts) > MANY) for spec in charts},
        "cx_key": _key,
        "cx_json": _embedded,
        "cx_mime": renderer.MIME,
        "cx_pages": linked("PAGES", "", elsewhere(entries, f"{name}.html")),
        "cx_filled": _filler(result, entries, history),
    }
    exporter = Exporter()  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(notebook, resources)
    body = texts.joined_folds(body)
    body = body.replace("<!--CONTENTS-->", _contents(content_security.Parsed.of(body).headings), 1)
    return content_security.sealed(body, script)


def title_of(notebook: NotebookNode, name: str) -> str:
    """What a page is called: the claim it is about, else what its notebook is called."""
    result = summary(notebook) or {}
    about = result.get("claims", {}).get(result.get("about", ""))
    return str(about["statement"] if about else notebook.metadata.get("title", name))


# the style that strips carry for JupyterLab, which the page's sheet gives by class: a tenth of a megabyte in a page
_BY_THE_SHEET = re.compile(
    r' (?:font-family="system-ui, sans-serif"|font-size="12"|(?:fill|stroke)="var\(--jp-[^"]*")(?=[^<>]*>)'
)


def _filler(
    result: dict[str, Any] | None, entries: Sequence[Entry], history: Sequence[RunRecord]
) -> Any:
    """What fills in the places that wait for the other pages and the ledger."""
    claims = result["claims"] if result else {}
    about = (result or {}).get("about")
    statements = {
        claim: str(words["statement"]) for claim, words in claims.items() if about in {None, claim}
    }
    compared = changes.changes_since(history, statements)
    depth = depth_of(entries)
    by = {
        "DEPTH": lambda claim: linked("DEPTH", claim, deeper(claim, depth)),
        "SINCE": lambda _: changes.changes_block(
            compared, statements, min_cell=(result or {}).get("min_cell", MIN_CELL)
        ),
        "BACK": lambda claim: linked("BACK", claim, back(entries, claim)),
        "SEGMENTS": lambda _: linked("SEGMENTS", "", by_segment(entries)),
    }
    return lambda block: texts.filled(_BY_THE_SHEET.sub("", unstyled(block)), by)


def summary(notebook: NotebookNode) -> dict[str, Any] | None:
    """The verdicts an executed notebook has shown, as `show.summary` sends them; None if it showed none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            result = output.get("data", {}).get(show.MIME)
            if result is not None:
                return dict(result)
    return None


def _charts(notebook: NotebookNode) -> Any:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if renderer.MIME in output.get("data", {}):
                yield output.data[renderer.MIME]


_PLAIN = "=:;,/!?()[]*+'@$-._~|"


def _key(spec: Any) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()


def _embedded(spec: Any) -> str:
    """A chart as JSON that no parser of HTML takes for markup, whatever its data hold."""
    plain = json.dumps(spec, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


MANY = 12  # on a page with more charts, still pictures are drawn once, as on a phone: half a megabyte less


def _stills(spec: Any, is_one_of_many: bool) -> tuple[str, str]:
    """A chart's still pictures as addresses of data: for a phone, and for wider screens if it has its own."""
    plain = json.loads(json.dumps(spec))
    small = _address(renderer.still(plain, renderer.NARROW))
    return small, "" if is_one_of_many else _address(renderer.still(plain, renderer.WIDE))


def _address(svg: str) -> str:
    """A picture as text, a third shorter than as base64; what would end an attribute or an address is written out."""
    single = re.sub(r"=\"([^\"']*)\"", r"='\1'", svg)
    return f"data:image/svg+xml,{quote(single, _PLAIN)}"


@cache
def _script() -> str:
    """Vega and the few lines that bring the charts to life, as one script."""
    import vl_convert as vlc

    return str(vlc.javascript_bundle(_TEMPLATE.joinpath("charts.js").read_text(encoding="utf-8")))


def _contents(headings: list[tuple[str, str]]) -> str:
    items = "".join(
        f'<li><a href="#{escape(i)}">{escape(" ".join(t.split()))}</a></li>' for i, t in headings
    )
    return f"<ol>{items}</ol>" if items else ""
