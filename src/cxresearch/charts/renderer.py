"""How a chart leaves the kernel: as data, never with a library or an address.

A notebook's output must be JSON under a type that ends in ``+json``, or nbformat refuses it (Altair's own
``mimetype`` renderer ends in ``.json``). Three forms go out side by side and each reader takes the one it
knows: ours for the page; compiled Vega 5 for JupyterLab and VS Code, whose built-in renderers are interactive but stop
at that version; an SVG for everything else.

A chart takes the ink of what it stands in (``currentColor``), on a page and in a notebook, light or dark. That needs a
picture within the document, so JupyterLab and VS Code are made to draw SVG: on a canvas, and in a picture that stands
for itself, nothing is known of what is around it. Such a picture brings dark ink and a light ground along.
"""

from __future__ import annotations

import copy
import re
from textwrap import wrap
from typing import Any

from cxresearch.utils.html_tables import printable

MIME = "application/vnd.cxresearch.chart.v1+json"
LAB_MIME = "application/vnd.vega.v5+json"
WIDE, NARROW = 680, 340  # pixels of the still pictures, for a laptop or paper and for a phone
INK, GROUND = "#16191d", "#ffffff"  # of a picture that stands for itself
# how vega-embed, which JupyterLab and VS Code use, shall draw
_EMBEDDED = {"embed_options": {"renderer": "svg"}}
_LAB_SCHEMA = "https://vega.github.io/schema/vega/v5.json"


def enable() -> None:
    """Make Altair show charts this way; call it once in a notebook."""
    import altair as alt

    alt.renderers.register("cxresearch", _bundle_and_metadata)
    alt.renderers.enable("cxresearch")


def _bundle_and_metadata(
    spec: dict[str, Any], **_: Any
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    return bundle(spec), {LAB_MIME: _EMBEDDED}


def bundle(spec: dict[str, Any]) -> dict[str, Any]:
    """All forms of a chart, by type.

    Args:
        spec: a Vega-Lite specification.
    """
    import vl_convert as vlc

    spec = _printable(spec)
    # JupyterLab's Vega hangs on a width that follows the container, so this form has a width of its own
    titled = _titled(_wide(spec, WIDE)) | {"padding": 12}
    return {
        MIME: spec,
        LAB_MIME: vlc.vegalite_to_vega(_transparent(titled), vl_version=_version())
        | {"$schema": _LAB_SCHEMA},
        "image/svg+xml": vlc.vegalite_to_svg(_grounded(titled), vl_version=_version()),
        "text/plain": f"[chart] {spec.get('description', 'without a description')}",
    }


def still(spec: dict[str, Any], width: int) -> str:
    """A chart as SVG text of that width, for readers without scripts and for paper."""
    import vl_convert as vlc

    return _slim(str(vlc.vegalite_to_svg(_wide(_printable(spec), width), vl_version=_version())))


def as_file(spec: dict[str, Any], ending: str) -> bytes:
    """A chart as the content of a file: with its title and caption, in dark ink on a light ground.

    Args:
        spec: a Vega-Lite specification.
        ending: of the file's name: ``.png``, ``.pdf``, or anything else for SVG.
    """
    import vl_convert as vlc

    whole = _grounded(_titled(_wide(_printable(spec), WIDE)) | {"padding": 12})
    if ending == ".png":
        return bytes(vlc.vegalite_to_png(whole, vl_version=_version(), scale=2))
    if ending == ".pdf":
        return bytes(vlc.vegalite_to_pdf(whole, vl_version=_version()))
    return str(vlc.vegalite_to_svg(whole, vl_version=_version())).encode()


def _printable(spec: Any) -> Any:
    """The same without characters that no picture may hold: one of them ends the process that draws it."""
    if isinstance(spec, dict):
        return {_printable(k): _printable(v) for k, v in spec.items()}
    if isinstance(spec, list | tuple):
        return [_printable(v) for v in spec]
    return printable(spec) if isinstance(spec, str) else spec


_SILENT = re.compile(
    r' (?:aria-[a-z]+|role|class|pointer-events|version|xmlns:xlink)="[^"]*"| (?:\w+-)?opacity="1"'
)
_NOTHING = re.compile(
    r'<path d="(?:M0,0h0v0h0Z)?"[^>]*/>|<\w+ [^>]* opacity="0"[^>]*/>|<g(?: [^>]*)?></g>|<g(?: [^>]*)?/>'
)
_LETTERS = ' font-family="system-ui, sans-serif" font-size="12px"'


def _slim(svg: str) -> str:
    """What a picture does not show is left out, and coordinates go to a tenth of a pixel: less than half the size.

    The description for readers who cannot see it is a field next to the picture.
    """
    svg = re.sub(
        r'(?<= d=")[^"]+|(?<=translate\()[^)]+',
        lambda at: re.sub(r"\.0\d*|(\.\d)\d+", r"\1", at[0]),
        svg,
    )
    svg = svg.replace(_LETTERS, "").replace("<svg", f"<svg{_LETTERS}", 1)
    svg, result = _SILENT.sub("", svg), 1
    while result:  # what held nothing but such things is empty then
        svg, result = _NOTHING.subn("", svg)
    return _without_plain_groups(svg)


def _without_plain_groups(svg: str) -> str:
    """Without groups that have no attributes of their own."""
    parts, has_attributes = [], []
    for part in re.split(r"(<g>|<g [^>]*[^/]>|</g>)", svg):
        if part.startswith("<g"):
            has_attributes.append(part != "<g>")
        if part == "<g>" or (part == "</g>" and not has_attributes.pop()):
            continue
        parts.append(part)
    return "".join(parts)


def _titled(spec: dict[str, Any]) -> dict[str, Any]:
    """With title and caption in the picture; on a page they stand around it, as text."""
    usermeta = spec.get("usermeta", {})
    if "title" not in usermeta:
        return spec
    ink = {"anchor": "start", "color": "currentColor", "subtitleColor": "currentColor"}
    return {
        **spec,
        "title": {
            "text": usermeta["title"],
            "subtitle": wrap(usermeta.get("caption", ""), 98),
            **ink,
        },
    }


def _transparent(spec: dict[str, Any]) -> dict[str, Any]:
    """Without a ground of its own; also where a theme of the reader's vega-embed would bring one."""
    config = {**spec.get("config", {}), "background": "transparent"}
    return {**spec, "config": config, "background": "transparent"}


def _grounded(spec: dict[str, Any]) -> dict[str, Any]:
    """With fixed colours of ink and ground."""
    config = {**spec.get("config", {}), "background": GROUND}
    return {**_inked(spec), "config": _inked(config), "background": GROUND}


def _inked(spec: Any) -> Any:
    if isinstance(spec, dict):
        return {k: v if k in ("data", "datasets") else _inked(v) for k, v in spec.items()}
    if isinstance(spec, list | tuple):
        return [_inked(v) for v in spec]
    return INK if spec == "currentColor" else spec


def _wide(spec: dict[str, Any], width: int) -> dict[str, Any]:
    if spec.get("width") != "container":
        return spec
    return copy.deepcopy(spec) | {
        "width": width,
        "autosize": {"type": "fit-x", "contains": "padding"},
    }


def _version() -> str:
    import altair as alt

    return ".".join(str(alt.SCHEMA_VERSION).removeprefix("v").split(".")[:2])
