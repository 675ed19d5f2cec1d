"""The documentation site as readers meet it: from the file system, without a network, in light and dark, on a phone."""

import subprocess
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.browsers import LAPTOP, PHONE, Reader

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
NAMES = ("index", "tutorial", "statistics", "catalogue", "gallery", "api/journey", "study-file")


@pytest.fixture(scope="module")
def site():
    """The folder of the site, built anew; what is said of a site that cannot be built is shown with the failed test."""
    subprocess.run(["make", "site"], cwd=ROOT, check=True)
    return ROOT / "site"


def test_search_works_from_the_file_system(browser, site):
    with Reader(browser, site / "api" / "cx.html", charts=False, viewport=LAPTOP) as reader:
        links = reader.page.locator(".md-search-result__link")
        search = reader.page.locator("input.md-search__input")
        search.click()
        for _ in range(100):  # what is typed before the index has been read is not looked up
            search.fill("")
            search.press_sequentially("lead_days")
            reader.page.wait_for_timeout(300)
            if links.count():
                break
        hrefs = [links.nth(i).get_attribute("href") for i in range(links.count())]
        assert any("/rivals.html" in h for h in hrefs)
        links.first.click()
        reader.page.wait_for_url("file://**")
        assert "lead_days" in reader.page.inner_text("article")
        assert reader.complaints == []
        assert all(r.startswith(("file:", "data:", "blob:")) for r in reader.requests)


def test_pages_fit_on_a_phone_and_ask_for_nothing(browser, site):
    first, *others = sorted(site.rglob("*.html"))
    with Reader(browser, first, charts=False, viewport=PHONE) as reader:
        for path in (first, *others):
            if path != first:
                reader.go(path)
            assert reader.too_wide() == 0, path
            assert reader.complaints == [], path
            assert all(r.startswith(("file:", "data:", "blob:")) for r in reader.requests), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_accessible(browser, site, name, scheme):
    with Reader(
        browser, site / f"{name}.html", charts=False, viewport=LAPTOP, color_scheme=scheme
    ) as reader:
        # of the article; the theme makes a landmark of each button that copies a block of code
        rules = {"landmark-unique": {"enabled": False}}
        result = Axe().run(reader.page, context="article", options={"rules": rules})
        violations = result.response["violations"]
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in violations] == []


def test_pictures_follow_the_scheme_that_a_reader_chose(browser, site):
    """In a system that is light, the page made dark: text in a picture is light then."""
    with Reader(
        browser, site / "gallery.html", charts=False, viewport=LAPTOP, color_scheme="light"
    ) as reader:
        picture = reader.page.locator("img[src$='retention.svg']")
        picture.scroll_into_view_if_needed()
        before = picture.screenshot()
        for _ in range(2):  # as the system, light, dark
            reader.page.evaluate(
                "[...document.querySelectorAll('label[for^=__palette]')].find(l => !l.hidden).click()"
            )
        assert reader.page.get_attribute("body", "data-md-color-scheme") == "slate"
        assert picture.evaluate("i => getComputedStyle(i).colorScheme") == "dark"
        assert picture.screenshot() != before
