import re
from pathlib import Path

from cxresearch.report.pages.content_security import standalone
from cxresearch.report.pages.html import page
from cxresearch.report.pages.stale import marked, plainly, unmarked
from tests.report.standins import executed

WHEN = {"made": "2026-11-22 06:00 UTC", "tried": "2026-11-29 06:00 UTC"}
MARK = re.compile(
    r'<main id="main"[^>]*><!--STALE--><aside class="cx-stale" role="note">(.*?)</aside><!--/STALE-->'
)


def test_both_kinds_of_page_take_a_mark_and_lose_it():
    for text in (page(executed(), name="verdicts"), standalone("Reports", "<h1>Reports</h1>")):
        once = marked(text, **WHEN, reason="notebook verdicts, cell 3: ValueError: no.")
        assert MARK.search(once)[1] == (
            "<p><strong>Not up to date.</strong> This page is from 2026-11-22 06:00 UTC. It could not be remade on "
            "2026-11-29 06:00 UTC: notebook verdicts, cell 3: ValueError: no.</p>"
        )
        assert unmarked(once) == text
        again = marked(once, **WHEN, reason="another")
        assert again.count("<!--STALE-->") == 1
        assert "another" in MARK.search(again)[1]
        assert "ValueError" not in again


def test_a_reason_is_text():
    text = standalone("Reports", "<h1>Reports</h1>")
    said = MARK.search(
        marked(text, **WHEN, reason="</aside><script>alert(1)</script><!--/STALE-->")
    )[1]
    assert "&lt;/aside&gt;&lt;script&gt;" in said


def test_what_stands_elsewhere_in_a_page_is_no_mark():
    text = standalone("Reports", "<p><!--STALE-->kept<!--/STALE--></p>")
    assert unmarked(text) == text
    assert unmarked(marked(text, **WHEN, reason="r")) == text


def test_what_is_no_page_stays():
    assert marked("<p>of somebody else</p>", **WHEN, reason="r") == "<p>of somebody else</p>"


def test_a_message_for_a_page_is_one_line_without_folders():
    said = "\x1b[31mno file /home/me/shop/a.csv in /home/me/shop\x1b[0m\nTraceback \x07"
    assert plainly(said, [Path("/home/me/shop")]) == "no file a.csv in …"
    assert plainly("bell \x07", []) == "bell ?"
    assert plainly(" \n", []) == ""
