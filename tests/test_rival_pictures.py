"""The pictures of docs/rivals.md are those that the script draws, one for each rival explanation."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from docs.rivals import draw

from cxresearch.claims.rivals.descriptions import descriptions

DOCS = Path(__file__).parents[1] / "docs"


def test_every_rival_has_a_picture_on_the_page():
    page = DOCS.joinpath("rivals.md").read_text(encoding="utf-8")
    assert set(draw.PICTURES) == set(descriptions())
    assert re.findall(r"\(rivals/([a-z-]+)\.svg\)", page) == list(descriptions())


@pytest.mark.parametrize("name", draw.PICTURES)
def test_a_picture_is_as_drawn_and_its_text_inside_and_large_enough(name):
    text = DOCS.joinpath("rivals", f"{name}.svg").read_text(encoding="utf-8")
    assert text == draw.draw(draw.PICTURES[name])
    root = ElementTree.fromstring(text)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    assert float(root.get("font-size", 0)) >= 11
    assert "font-size" not in text.replace(f'font-size="{root.get("font-size")}"', "", 1)
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        words = 0.6 * float(root.get("font-size", 0)) * len(element.text or "")
        before = {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor", "start")]
        left = float(element.get("x", 0)) - before * words
        assert left >= 0, element.text
        assert left + words <= width, element.text
        assert 0 <= float(element.get("y", 0)) <= height
    assert "prefers-color-scheme: dark" in text
