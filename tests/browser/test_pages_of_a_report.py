"""All pages of a report: accessible, linked, readable from far and near; and as PDF."""

import io
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from pypdf import PdfReader

from cxresearch.errors import ReportError
from cxresearch.report.runs import pdf as printer
from cxresearch.report.runs.pdf import pdf
from tests.browser.browsers import LAPTOP, PHONE, TABLET, Reader

pytestmark = pytest.mark.browser

REAL = ("index", "verdicts", "explore", "journey", "claim-bad-moments-drive-away", "segments")
MADE = ("index", "stale", "hostile-index", "hostile-verdicts")
LIMIT = 2_250_000  # bytes of a page, well below the 2.5 MB that it may have
SUMMARY, PAGE, SHEETS = (
    250,
    2_000,
    10,
)  # words of the summary and the verdicts page, sheets of the latter


@pytest.fixture(scope="module")
def axe():
    return Axe()


def violations(axe, browser, file, *, scheme, viewport):
    # axe is a script of its own, which the page's policy would not let run
    with Reader(browser, file, color_scheme=scheme, viewport=viewport, bypass_csp=True) as reader:
        result = axe.run(reader.page).response["violations"]
        return [
            (v["id"], v["nodes"][0]["html"][:200], v["nodes"][0]["failureSummary"]) for v in result
        ]


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(axe, browser, made, name, viewport, scheme):
    assert violations(axe, browser, made / f"{name}.html", scheme=scheme, viewport=viewport) == []


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [(PHONE, "dark"), (TABLET, "light"), (LAPTOP, "dark"), (LAPTOP, "light")],
    ids=["phone-dark", "tablet-light", "laptop-dark", "laptop-light"],
)
def test_real_pages_are_accessible(axe, browser, real, name, viewport, scheme):
    assert violations(axe, browser, real / f"{name}.html", scheme=scheme, viewport=viewport) == []


@pytest.mark.parametrize("name", REAL)
def test_real_pages_are_whole_fit_and_ask_for_nothing(browser, real, name):
    with Reader(browser, real / f"{name}.html", viewport=PHONE) as reader:
        assert reader.complaints == []
        assert [u for u in reader.requests if not u.startswith(("data:", "file:"))] == []
        assert sum(u.startswith("file:") for u in reader.requests) == 1
        assert reader.page.locator("figure[data-error]").count() == 0
        assert reader.too_wide() == 0
        for viewport in (TABLET, LAPTOP):
            reader.page.set_viewport_size(viewport)
            assert reader.too_wide() == 0


# names of programs and words of statisticians that no page shows outside the code behind it
INTERNAL = re.compile(
    r"\b(?!None\b)[a-z]+\[[^\]]*\]|\b(?:held|cx|log)_\w+|\blinear\(|\b[a-z]+_[a-z_]+\b"
    r"|\bcensor\w*|\bjackknife\w*|\bNaN\b|\bnan\b|\bNone\b|(?<![\d.])[-−]0(?:\.0+)?%|\bpl\.",
)
READ = """() => {
    const texts = [];
    const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const e = walk.currentNode.parentElement;
        if (!e.closest("script, style, .cx-code, pre, code")) texts.push(walk.currentNode.data);
    }
    const told = [...document.querySelectorAll("main [aria-label], main img[alt]")].flatMap(
        (e) => [e.getAttribute("aria-label"), e.getAttribute("alt")]);
    return [...texts, ...told].filter((t) => t && t.trim());
}"""


@pytest.mark.parametrize("name", REAL)
def test_no_page_shows_names_of_programs(browser, real, name):
    with Reader(browser, real / f"{name}.html", viewport=LAPTOP) as reader:
        texts = reader.page.evaluate(READ)
        assert len(texts) > 50
        assert [t for t in texts if INTERNAL.search(t)] == []


@pytest.mark.parametrize("name", REAL)
def test_every_page_is_read_without_scripts(browser, real, name):
    options = {"java_script_enabled": False, "viewport": TABLET}
    with Reader(browser, real / f"{name}.html", charts=False, **options) as reader:
        for summary in reader.page.locator("main summary").all():
            if summary.is_visible():
                summary.click()
        for fold in reader.page.locator(".cx-evidence > summary").all():
            if fold.is_visible():
                fold.click()
        pictures = reader.page.locator(".cx-static img")
        assert pictures.count() == reader.figures.count()
        for i in range(0, pictures.count(), 5):
            assert pictures.nth(i).bounding_box()["height"] > 60
        assert reader.page.locator(".cx-live:visible, .cx-take:visible").count() == 0
        assert reader.page.locator("h1:visible").count() == 1


@pytest.mark.parametrize("name", REAL)
def test_every_page_is_used_by_keyboard(browser, real, name):
    focus = """() => {
        const e = document.activeElement, box = e.getBoundingClientRect(), look = getComputedStyle(e);
        const shown = e.matches(".cx-filter input") ? getComputedStyle(e.nextElementSibling) : look;
        return [e.tagName, box.bottom > 0 && box.top < innerHeight,
            shown.outlineStyle !== "none" && parseFloat(shown.outlineWidth) >= 2];
    }"""
    options = {"reduced_motion": "reduce", "viewport": LAPTOP}
    with Reader(browser, real / f"{name}.html", charts=False, **options) as reader:
        stops = []
        for _ in range(25):
            reader.page.keyboard.press("Tab")
            stops.append(reader.page.evaluate(focus))
            if stops[-1][0] == "BODY":
                break
        reached = [s for s in stops if s[0] != "BODY"]
        assert len(reached) > 8
        assert [s for s in reached if not (s[1] and s[2])] == []


@pytest.mark.parametrize("name", REAL)
def test_every_page_is_printed(browser, real, name):
    options = {"color_scheme": "dark", "viewport": {"width": 688, "height": 1000}}
    with Reader(browser, real / f"{name}.html", **options) as reader:
        reader.page.emulate_media(media="print")
        assert reader.page.locator(".cx-live:visible").count() == 0
        assert reader.page.locator(".cx-static:visible").count() == reader.figures.count()
        ground = "getComputedStyle(document.body).backgroundColor"
        assert reader.page.evaluate(ground) == "rgb(255, 255, 255)"
        assert reader.too_wide() == 0
        pages = PdfReader(io.BytesIO(reader.page.pdf(format="A4"))).pages
        printed = "".join(" ".join(p.extract_text() for p in pages).split())
        title = reader.page.locator("h1").first.inner_text()
        assert "".join(title.split()) in printed


def test_a_scorecard_has_room_on_a_phone(browser, real):
    """It was 45 pixels wide beside its words and numbers."""
    with Reader(browser, real / "journey.html", viewport=PHONE) as reader:
        figure = reader.figures.filter(has_text="Expectations kept").first
        width = figure.locator(".cx-live svg").bounding_box()["width"]
        lines = figure.locator("g.mark-rule.role-axis-grid line")
        places = [line.bounding_box()["x"] for line in lines.all()]
        assert max(places) - min(places) > 0.7 * width > 200


def test_segments_are_chosen_without_scripts(browser, real):
    options = {"java_script_enabled": False, "viewport": LAPTOP}
    with Reader(browser, real / "verdicts.html", charts=False, **options) as reader:
        page = reader.page
        page.locator(".cx-by a").click()
        assert page.url.endswith("segments.html")
        heads = page.locator(".cx-segments thead th:visible")
        names = heads.all_inner_texts()
        assert len(names) == 4  # the claim, and three segments
        page.locator(".cx-filter label", has_text=names[2]).click()
        assert heads.all_inner_texts() == [names[0], names[2]]
        assert page.locator(".cx-segments tbody tr").first.locator("td:visible").count() == 1
        page.set_viewport_size(PHONE)
        assert page.locator(".cx-segments tbody tr").first.locator("td:visible").count() == 1
        page.locator(".cx-filter label", has_text="All").click()
        assert page.locator(".cx-segments tbody tr").first.locator("td:visible").count() == 3


def test_size_of_the_page_with_all_claims(real):
    assert 1_500_000 < (real / "verdicts.html").stat().st_size <= LIMIT


def test_all_claims_on_two_screens(browser, real):
    options = {"java_script_enabled": False, "reduced_motion": "reduce"}
    with Reader(
        browser, real / "verdicts.html", charts=False, viewport=LAPTOP, **options
    ) as reader:
        listed = reader.page.locator(".cx-overview")
        assert listed.locator("li").count() == 28
        assert listed.bounding_box()["height"] < LAPTOP["height"]
        reader.page.set_viewport_size(PHONE)
        assert listed.bounding_box()["height"] < 2.5 * PHONE["height"]
        reader.page.locator(".cx-overview summary").click()
        listed.locator("a").last.click()
        card = reader.page.locator(f"#{reader.page.url.partition('#')[2]}")
        assert "cx-card" in card.get_attribute("class")
        assert abs(card.bounding_box()["y"]) < 50


def test_from_the_index_to_a_claim_and_back(browser, real):
    with Reader(browser, real / "index.html", charts=False, java_script_enabled=False) as reader:
        page = reader.page
        page.locator("#row-bad-moments-drive-away .cx-deep").click()
        assert page.url.endswith("claim-bad-moments-drive-away.html")
        page.locator(".cx-back a", has_text="Verdicts").click()
        assert page.url.endswith("verdicts.html#card-bad-moments-drive-away")
        page.locator("#card-bad-moments-drive-away a", has_text="In depth").click()
        assert page.url.endswith("claim-bad-moments-drive-away.html")
        page.locator(".cx-back a", has_text="All reports").click()
        assert page.url.endswith("index.html")


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_contents_without_scripts(browser, made, viewport):
    with Reader(
        browser, made / "verdicts.html", charts=False, java_script_enabled=False, viewport=viewport
    ) as reader:
        link = reader.page.locator(".cx-contents a", has_text="Method and provenance")
        assert link.is_visible() == (viewport is LAPTOP)
        if viewport is PHONE:
            reader.page.locator(".cx-contents summary").click()
        link.click()
        assert reader.page.url.endswith("#method")


def test_runs_unfold_without_scripts(browser, made):
    with Reader(
        browser, made / "index.html", charts=False, java_script_enabled=False, viewport=PHONE
    ) as reader:
        runs = reader.page.locator("#row-claim-0 details")
        assert not runs.locator("li").first.is_visible()
        runs.locator("summary").click()
        assert runs.locator("li").count() == 12
        assert runs.locator("li").first.is_visible()
        assert reader.too_wide() == 0
        assert reader.page.locator("#row-claim-0 svg").bounding_box()["width"] > 100


def test_what_has_changed_and_a_stale_mark_are_on_the_first_screen(browser, made):
    with Reader(browser, made / "stale.html", viewport=PHONE) as reader:
        mark = reader.page.locator(".cx-stale")
        assert mark.bounding_box()["y"] + mark.bounding_box()["height"] < PHONE["height"] / 2
        assert reader.page.locator(".cx-since").bounding_box()["y"] < PHONE["height"]
        reader.page.emulate_media(media="print")
        assert mark.is_visible()
        assert float(mark.evaluate("m => parseFloat(getComputedStyle(m).borderTopWidth)")) >= 2


@pytest.mark.parametrize("deficiency", ["protanopia", "deuteranopia", "achromatopsia"])
def test_verdicts_are_told_apart_without_colours(browser, made, deficiency):
    with Reader(browser, made / "verdicts.html", charts=False) as reader:
        session = reader.context.new_cdp_session(reader.page)
        session.send("Emulation.setEmulatedVisionDeficiency", {"type": deficiency})
        badges = reader.page.locator(".cx-group h3 .cx-verdict")
        pictures = {badges.nth(i).screenshot() for i in range(badges.count())}
        assert len(pictures) == badges.count() == 3
        signs = reader.page.locator(".cx-group h3 .cx-sign").all_inner_texts()
        assert len(set(signs)) == 3


VISIBLE_WORDS = """(root) => {
    const words = [];
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const parent = walk.currentNode.parentElement;
        if (parent.closest("svg, script, style, nav, .cx-hidden") || !parent.checkVisibility()) continue;
        words.push(...(walk.currentNode.data.match(/\\S*[\\p{L}\\p{N}]\\S*/gu) || []));
    }
    return words.length;
}"""


def words(reader, selector):
    return reader.page.locator(selector).first.evaluate(VISIBLE_WORDS)


def test_a_page_is_read_in_minutes(browser, real):
    """What is read before anything is unfolded, and the sheets that it takes."""
    with Reader(browser, real / "index.html", charts=False, viewport=LAPTOP) as reader:
        summary = reader.page.locator(".cx-summary")
        assert 100 < words(reader, ".cx-summary") <= SUMMARY
        box = summary.bounding_box()
        assert box["y"] + box["height"] <= LAPTOP["height"]
        assert len(PdfReader(io.BytesIO(reader.page.pdf(format="A4"))).pages) == 1
    with Reader(browser, real / "verdicts.html", charts=False, viewport=LAPTOP) as reader:
        assert 1_000 < words(reader, "main") <= PAGE
        assert len(PdfReader(io.BytesIO(reader.page.pdf(format="A4"))).pages) <= SHEETS


CONTRASTS = """() => {
    const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const rgb = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = (e) => {
        for (let n = e; n; n = n.parentElement) {
            const c = rgb(getComputedStyle(n).backgroundColor);
            if (c.length === 3 || c[3] > 0.5) return c;
        }
        return [255, 255, 255];
    };
    const result = [];
    for (const text of document.querySelectorAll("main svg text")) {
        if (!text.checkVisibility() || text.closest("[aria-hidden=true]") || !text.textContent.trim()) continue;
        const style = getComputedStyle(text), front = rgb(style.fill), back = behind(text);
        const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
        result.push([(a + 0.05) / (b + 0.05), text.textContent, style.fill]);
    }
    return result;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [n for n in REAL if n != "segments"])
def test_text_within_pictures_can_be_read(browser, real, name, scheme):
    with Reader(browser, real / f"{name}.html", color_scheme=scheme, viewport=LAPTOP) as reader:
        told = reader.page.evaluate(CONTRASTS)
        assert len(told) > 10
        assert [t for t in told if t[0] < 4.5] == []


SIDEWAYS = """() => [...document.querySelectorAll("main *")].filter((e) => {
    if (!e.checkVisibility() || e.closest("svg")) return false;
    const style = getComputedStyle(e);
    // heads of tables that are lists on a phone: for those who hear the page
    for (let p = e; p; p = p.parentElement) if (getComputedStyle(p).clipPath === "inset(50%)") return false;
    const cut = e.scrollWidth > e.clientWidth + 1 && style.overflowX !== "visible" && style.display !== "inline";
    return cut && !e.closest(".cx-hidden, .vega-embed, pre") && !(e.classList.contains("cx-scroll") && e.tabIndex === 0
        && style.backgroundImage.includes("gradient"));
}).map((e) => e.className || e.tagName)"""


@pytest.mark.parametrize("name", REAL)
def test_nothing_is_cut_sideways_without_a_hint(browser, real, name):
    with Reader(browser, real / f"{name}.html", charts=False, viewport=PHONE) as reader:
        reader.unfold()
        for viewport in (PHONE, TABLET, LAPTOP):
            reader.page.set_viewport_size(viewport)
            assert reader.too_wide() == 0, viewport
            assert reader.page.evaluate(SIDEWAYS) == [], viewport


def test_cards_are_filtered_without_scripts(browser, real):
    with Reader(
        browser, real / "verdicts.html", charts=False, java_script_enabled=False, viewport=LAPTOP
    ) as reader:
        cards = reader.page.locator(".cx-card:visible")
        assert cards.count() == 28
        reader.page.locator("label", has_text="Contradicted").click()
        some = cards.count()
        assert 0 < some < 28
        assert reader.page.locator(".cx-card-contradicted:visible").count() == some
        reader.page.locator("label", has_text="Problems").click()
        assert (
            reader.page.locator(".cx-theme-problems.cx-card-contradicted:visible").count()
            == cards.count()
        )
        assert cards.count() < some


def test_a_chart_is_taken_along_as_a_table_and_as_a_picture(browser, real):
    with Reader(browser, real / "verdicts.html", viewport=LAPTOP) as reader:
        figure = reader.figures.first
        with reader.page.expect_download() as taken:
            figure.locator("button", has_text="CSV").click()
        assert taken.value.suggested_filename.endswith(".csv")
        rows = taken.value.path().read_text(encoding="utf-8").splitlines()
        assert len(rows) > 1
        assert len({row.count(",") for row in rows[:1]}) == 1
        with reader.page.expect_download() as taken:
            figure.locator("button", has_text="PNG").click()
        assert taken.value.path().read_bytes().startswith(b"\x89PNG")
        assert reader.complaints == []


def _last_day(figure) -> float:
    labels = figure.locator(".cx-live .role-axis-label text").all_text_contents()
    return max(float(t.replace(",", "")) for t in labels if "%" not in t and t[:1].isdigit())


def _path(figure) -> str:
    return figure.locator(".cx-live .mark-line path").first.get_attribute("d")


def test_a_chart_over_time_zooms_by_button_wheel_and_drag_and_comes_back(browser, real):
    with Reader(browser, real / "explore.html", viewport=LAPTOP) as reader:
        figure = reader.figures.filter(has=reader.page.locator("button", has_text="Zoom in")).first
        figure.scroll_into_view_if_needed()
        inward, back = (figure.locator("button", has_text=t) for t in ("Zoom in", "Whole"))
        whole, days = _path(figure), _last_day(figure)
        assert not back.is_visible()
        inward.focus()
        reader.page.keyboard.press("Enter")
        back.wait_for(state="visible")
        assert _path(figure) != whole
        assert _last_day(figure) <= 0.55 * days
        inward.click()
        inward.click()  # an eighth of the time: shares that differ by little
        reader.page.wait_for_timeout(200)
        labels = figure.locator(".cx-live .role-axis-label text").all_text_contents()
        shares = [text for text in labels if "%" in text]
        assert len(set(shares)) == len(shares) > 2
        back.click()
        back.wait_for(state="hidden")
        assert _path(figure) == whole

        box = figure.locator(".cx-live .mark-line path").first.bounding_box()
        reader.page.mouse.move(box["x"] + 100, box["y"] + box["height"] / 2)
        reader.page.mouse.wheel(0, -300)  # belongs to the page
        reader.page.wait_for_timeout(100)
        assert _path(figure) == whole
        box = figure.locator(".cx-live .mark-line path").first.bounding_box()
        reader.page.mouse.move(box["x"] + 100, box["y"] + box["height"] / 2)
        reader.page.keyboard.down("Control")
        reader.page.mouse.wheel(0, -600)
        back.wait_for(state="visible")
        closer = _path(figure)
        assert closer != whole
        reader.page.mouse.down()
        reader.page.mouse.move(box["x"] + 40, box["y"] + box["height"] / 2, steps=3)
        reader.page.mouse.up()
        reader.page.keyboard.up("Control")
        assert _path(figure) not in (whole, closer)
        reader.page.mouse.dblclick(box["x"] + 100, box["y"] + box["height"] / 2)
        back.wait_for(state="hidden")
        assert _path(figure) == whole
        assert reader.complaints == []


def test_pdf(real, tmp_path):
    target = tmp_path / "index.pdf"
    assert pdf(real / "index.html", target) == target
    assert [p.name for p in tmp_path.iterdir()] == ["index.pdf"]
    text = " ".join(p.extract_text() for p in PdfReader(io.BytesIO(target.read_bytes())).pages)
    assert "A bad moment pushes customers away." in " ".join(text.split())
    assert "file://" not in text


def test_pdf_that_cannot_be_made(tmp_path, monkeypatch):
    page, target = tmp_path / "a.html", tmp_path / "a.pdf"
    with pytest.raises(ReportError, match=r"there is no page .*a\.html"):
        pdf(page, target)
    page.write_text("<p>a</p>")
    target.write_text("the last good one")
    with pytest.raises(ReportError, match="cannot write"):
        pdf(page, tmp_path / "no such folder" / "a.pdf")
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(printer, "browser", lambda: str(broken))
    with pytest.raises(ReportError, match=r"chromium could not print a\.html: it broke"):
        pdf(page, target)
    broken.write_text("#!/bin/sh\nsleep 60\n")
    monkeypatch.setattr(printer, "SECONDS", 0.2)
    with pytest.raises(ReportError, match="took more than"):
        pdf(page, target)
    assert target.read_text() == "the last good one"
    assert not list(tmp_path.glob(".*"))


def test_no_browser_to_print_with(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(printer, "_ELSEWHERE", ())
    with pytest.raises(ReportError, match="install one, or open the page in any browser"):
        printer.browser()
