"""The page as a reader has it: in a browser, without a network, on a phone, on paper, in the dark."""

import pytest

from tests.browser.browsers import chromium
from tests.report.dockets import docket, hostile_docket
from tests.report.pages import page_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module", params=["plain", "hostile"])
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "verdicts.html"
    path.write_text(page_of(docket() if request.param == "plain" else hostile_docket()), encoding="utf-8")
    return path


class Reader:
    """A page with what it asked for and what it complained of."""

    def __init__(self, browser, file, *, charts=True, **options):
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.goto(file.as_uri())
        self.figures = self.page.locator("figure.cx-chart")
        if charts:
            self.page.wait_for_function(
                "() => [...document.querySelectorAll('figure.cx-chart')].every(f => f.dataset.ready || f.dataset.error)"
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


def test_charts_live_and_nothing_asked_for(browser, file):
    with Reader(browser, file) as reader:
        count = reader.figures.count()
        assert count >= 4
        assert reader.page.locator("figure[data-ready='1']").count() == count
        assert [u for u in reader.requests if not u.startswith(("data:", "file:"))] == []
        assert sum(u.startswith("file:") for u in reader.requests) == 1
        assert reader.complaints == []
        assert reader.page.locator(".cx-static:visible").count() == 0


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_the_screen(browser, file, width, scheme):
    with Reader(browser, file, viewport={"width": width, "height": 800}, color_scheme=scheme) as reader:
        assert reader.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        box = reader.page.locator(".cx-live svg").first.bounding_box()
        assert 0.7 * min(width, 700) < box["width"] <= width
        ink, paper = reader.page.evaluate(
            "['color', 'backgroundColor'].map(k => getComputedStyle(document.body)[k].match(/\\d+/g).map(Number)[0])"
        )
        assert (ink < paper) == (scheme == "light")


def test_tooltip_by_pointer_and_by_keyboard(browser, file):
    with Reader(browser, file, viewport={"width": 1000, "height": 900}) as reader:
        point = reader.figures.first.locator("path[aria-roledescription='point']").first
        tooltip = reader.page.locator("#vg-tooltip-element")
        point.scroll_into_view_if_needed()
        point.hover(force=True)
        reader.page.wait_for_function("() => document.querySelector('#vg-tooltip-element.visible') !== null")
        assert "in these data" in tooltip.inner_text()
        reader.page.mouse.move(0, 0)
        reader.page.wait_for_function("() => document.querySelector('#vg-tooltip-element.visible') === null")
        point.focus()
        reader.page.wait_for_function("() => document.querySelector('#vg-tooltip-element.visible') !== null")
        assert "25%" in tooltip.inner_text()


def test_window_that_changes_its_width(browser, file):
    with Reader(browser, file, viewport={"width": 1200, "height": 800}) as reader:
        reader.page.set_viewport_size({"width": 400, "height": 800})
        reader.page.wait_for_function(
            "() => document.querySelector('.cx-live svg').getBoundingClientRect().width < 400"
        )
        reader.page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")


def test_without_scripts_still_pictures_show(browser, file):
    with Reader(browser, file, charts=False, java_script_enabled=False) as reader:
        pictures = reader.page.locator(".cx-static img")
        assert pictures.count() == reader.figures.count() >= 4
        for i in range(pictures.count()):
            assert pictures.nth(i).bounding_box()["height"] > 100
        assert reader.page.locator(".cx-live:visible").count() == 0
        code = reader.page.locator("details.cx-code")
        assert not code.locator(".highlight").first.is_visible()
        code.locator("summary").click()
        assert code.locator(".highlight").first.is_visible()


def test_on_paper_still_pictures_show(browser, file):
    with Reader(browser, file, color_scheme="dark") as reader:
        reader.page.emulate_media(media="print")
        assert reader.page.locator(".cx-static:visible").count() == reader.figures.count()
        assert reader.page.locator(".cx-live:visible").count() == 0
        assert not reader.page.locator("nav").is_visible()
        assert reader.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert reader.page.pdf(format="A4").startswith(b"%PDF")


def test_links_of_the_cards_lead_to_their_claims(browser, file):
    with Reader(browser, file) as reader:
        reader.page.locator(".cx-card a").first.click()
        reader.page.wait_for_function("() => scrollY > 100")
        assert reader.page.url.endswith("#claim-three-strikes")
        assert reader.page.locator("h2.cx-claim").first.is_visible()
