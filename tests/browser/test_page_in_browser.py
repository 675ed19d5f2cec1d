"""The page as a reader has it: in a browser, without a network, on a phone, on paper, in the dark."""

import io

import pytest
from pypdf import PdfReader

from tests.browser.browsers import LAPTOP, PHONE, Reader
from tests.report.dockets import docket, hostile_docket
from tests.report.page_parser import page_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=["plain", "hostile"])
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "verdicts.html"
    path.write_text(
        page_of(docket() if request.param == "plain" else hostile_docket()), encoding="utf-8"
    )
    return path


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
    with Reader(
        browser, file, viewport={"width": width, "height": 800}, color_scheme=scheme
    ) as reader:
        assert reader.too_wide() == 0
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
        reader.page.wait_for_function(
            "() => document.querySelector('#vg-tooltip-element.visible') !== null"
        )
        assert "in these data" in tooltip.inner_text()
        reader.page.mouse.move(0, 0)
        reader.page.wait_for_function(
            "() => document.querySelector('#vg-tooltip-element.visible') === null"
        )
        point.focus()
        reader.page.wait_for_function(
            "() => document.querySelector('#vg-tooltip-element.visible') !== null"
        )
        assert "25%" in tooltip.inner_text()


def test_tooltips_stay_on_a_phone(browser, file):
    inside = """() => {
        const box = document.querySelector("#vg-tooltip-element").getBoundingClientRect();
        return box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
    }"""
    with Reader(browser, file, viewport=PHONE) as reader:
        tooltip = reader.page.locator("#vg-tooltip-element")
        for figure in reader.figures.all():
            for point in figure.locator("path[aria-roledescription='point']").all()[:6]:
                point.scroll_into_view_if_needed()
                point.hover(force=True)
                reader.page.wait_for_function(
                    "() => document.querySelector('#vg-tooltip-element.visible') !== null"
                )
                assert reader.page.evaluate(inside)
                keys = tooltip.locator("td.key").all_inner_texts()
                assert keys
                assert not any("_" in key or key in {"low", "high", "x", "y"} for key in keys)
                reader.page.mouse.move(0, 0)
        assert reader.too_wide() == 0


def test_keyboard_alone(browser, file):
    focus = """() => {
        const e = document.activeElement, box = e.getBoundingClientRect(), look = getComputedStyle(e);
        return {
            what: e.className + " " + e.tagName, href: e.getAttribute("href"),
            seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
            ring: look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2,
        };
    }"""
    with Reader(browser, file, viewport=LAPTOP, reduced_motion="reduce") as reader:
        reader.page.keyboard.press("Tab")
        first = reader.page.evaluate(focus)
        assert first["href"] == "#main"
        assert first["seen"]
        reader.page.keyboard.press("Enter")
        stops = []
        while "cx-scroll" not in "".join(s["what"] for s in stops[-1:]) and len(stops) < 60:
            reader.page.keyboard.press("Tab")
            stops.append(reader.page.evaluate(focus))
        assert all(s["ring"] and s["seen"] for s in stops)
        assert stops[0]["href"].startswith(
            "#claim-"
        )  # after the skip link comes the first card, not the contents
        assert "cx-scroll" in stops[-1]["what"]


@pytest.mark.parametrize("width", [640, 320])
def test_zoomed_in(browser, file, width):
    """A window of 1280 pixels at 200% and at 400% is as wide as one of 640 and of 320."""
    with Reader(
        browser, file, viewport={"width": width, "height": 450}, device_scale_factor=2
    ) as reader:
        assert reader.too_wide() == 0
        assert reader.page.locator("h1").first.is_visible()
        size = reader.page.evaluate(
            "parseFloat(getComputedStyle(document.querySelector('.cx-card p')).fontSize)"
        )
        assert size >= 12


def test_nothing_glides_for_those_who_do_not_want_it(browser, file):
    for motion, how in (("reduce", "auto"), ("no-preference", "smooth")):
        with Reader(browser, file, charts=False, reduced_motion=motion) as reader:
            assert (
                reader.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior")
                == how
            )


def test_window_that_changes_its_width(browser, file):
    with Reader(browser, file, viewport={"width": 1200, "height": 800}) as reader:
        reader.page.set_viewport_size({"width": 400, "height": 800})
        reader.page.wait_for_function(
            "() => document.querySelector('.cx-live svg').getBoundingClientRect().width < 400"
        )
        reader.page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")


def test_without_scripts_still_pictures_show(browser, file):
    with Reader(browser, file, charts=False, java_script_enabled=False) as reader:
        for fold in reader.page.locator(".cx-evidence").all():
            fold.locator("summary").first.click()
        pictures = reader.page.locator(".cx-static img")
        assert pictures.count() == reader.figures.count() >= 4
        for i in range(pictures.count()):
            assert pictures.nth(i).bounding_box()["height"] > 100
        assert reader.page.locator(".cx-live:visible").count() == 0
        code = reader.page.locator("details.cx-code")
        assert not code.locator(".highlight").first.is_visible()
        code.locator("summary").click()
        assert code.locator(".highlight").first.is_visible()


def test_on_paper(browser, file):
    text_height = (297 - 2 * 14) / 25.4 * 96  # of an A4 sheet, in pixels
    with Reader(
        browser, file, color_scheme="dark", viewport={"width": 688, "height": 1000}
    ) as reader:
        reader.page.emulate_media(media="print")
        assert reader.page.locator(".cx-static:visible").count() == reader.figures.count()
        assert reader.page.locator(".cx-live:visible").count() == 0
        assert not reader.page.locator("nav").first.is_visible()
        assert (
            reader.page.evaluate("getComputedStyle(document.body).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        assert reader.too_wide() == 0
        for figure in reader.figures.all():
            assert figure.evaluate("f => getComputedStyle(f).breakInside") == "avoid"
            assert figure.bounding_box()["height"] < text_height
        verdicts = reader.page.locator(".cx-card .cx-verdict, .cx-ruling").all_inner_texts()
        printed = squeezed(printed_text(reader.page.pdf(format="A4")))
        assert verdicts
        assert all(squeezed(v) in printed for v in verdicts)
        assert "#claim-" not in printed  # addresses of links are noise on paper


def printed_text(pdf):
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def squeezed(text):
    return "".join(text.split())


def test_links_of_the_cards_lead_to_their_claims(browser, file):
    with Reader(browser, file) as reader:
        reader.page.evaluate(
            "document.querySelectorAll('details').forEach(d => { d.open = false; })"
        )
        assert not reader.page.locator(".cx-ruling").first.is_visible()
        reader.page.locator(".cx-card a").first.click()
        reader.page.wait_for_function("() => scrollY > 100")
        assert reader.page.url.endswith("#claim-three-strikes")
        assert reader.page.locator(".cx-ruling").first.is_visible()
