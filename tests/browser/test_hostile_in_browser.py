"""A study full of markup, marks and odd letters, opened in a browser: nothing runs, and the page fits a phone."""

import pytest

from tests.browser.browsers import LAPTOP, PHONE, Reader
from tests.report.hostile import hostile_pages

pytestmark = pytest.mark.browser
FILES = ("verdicts.html", "explore.html", "journey.html", "claim.html", "index.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patched:
        for name, text in hostile_pages(patched).items():
            (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("size", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_nothing_runs_and_nothing_is_too_wide(browser, folder, file, size):
    with Reader(browser, folder / file, charts=file != "index.html", viewport=size) as reader:
        assert reader.page.evaluate("window.hit") is None
        assert reader.complaints == []
        assert [u for u in reader.requests if not u.startswith(("data:", "file:"))] == []
        assert sum(u.startswith("file:") for u in reader.requests) == 1
        assert reader.page.locator("figure[data-error]").count() == 0
        assert reader.page.locator("main").count() == 1
        assert reader.page.locator("main h1, main h2").first.is_visible()
        assert reader.too_wide() == 0


def test_a_pointer_is_told_a_name_as_text(browser, folder):
    with Reader(browser, folder / "journey.html", viewport=LAPTOP) as reader:
        figure = reader.figures.filter(has_text="touchpoints").first
        figure.scroll_into_view_if_needed()
        bars = figure.locator("svg .mark-rect path")
        seen = []
        for i in range(min(bars.count(), 12)):
            bars.nth(i).hover(force=True)
            tip = reader.page.locator("#vg-tooltip-element")
            if tip.count() and tip.is_visible():
                seen.append(tip.inner_text())
        assert any("touchpoint" in told and "moments that were" in told for told in seen)
        assert reader.page.evaluate("window.hit") is None
        assert (
            reader.page.locator("#vg-tooltip-element img, #vg-tooltip-element script").count() == 0
        )


def test_stills_show_without_scripts(browser, folder):
    with Reader(
        browser, folder / "journey.html", charts=False, viewport=PHONE, java_script_enabled=False
    ) as reader:
        pictures = reader.page.locator(".cx-static img")
        assert pictures.count() >= 4
        sizes = [p.bounding_box() for p in pictures.all()]
        assert all(box["width"] > 200 and box["height"] > 60 for box in sizes)
