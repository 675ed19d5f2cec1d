"""The page by segment: every claim in every segment, those that tell most first, and a way to it where it is there."""

import re

import pytest

import cxresearch as cx
from cxresearch.report.pages import show
from cxresearch.report.pages.segments_page import MOST, segments_section
from cxresearch.report.pages.site import Entry, by_segment, linked, relinked
from tests.report.page_parser import Seen

CLAIMS = ["recovery-paradox", "public-posting", "one-strike"]


@pytest.fixture(scope="module")
def records():
    made = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 900, seed=3)
    return cx.read_records(made.study())


@pytest.fixture(scope="module")
def tried(records):
    return cx.evaluate_by(records, claims=CLAIMS, alone=True, verdicts_only=True)


def test_each_claim_has_verdict_and_number_in_each_segment(tried):
    shown = segments_section(tried)
    assert (
        re.findall(r'<tr id="row-([a-z-]+)">', shown)[-1] == "recovery-paradox"
    )  # open everywhere
    assert len(re.findall(r"<td data-label=", shown)) == len(CLAIMS) * len(tried.levels)
    for level, docket in tried.items():
        assert shown.count(f'data-label="{level}"') == len(CLAIMS)
        e = docket["one-strike"].primary
        assert f"cx-{e.verdict}" in shown
    assert tried.note in shown
    assert "script" not in Seen(shown).tags


def test_segments_are_chosen_by_buttons_that_the_style_sheet_knows(tried):
    shown = segments_section(tried)
    ids = re.findall(r'id="(segment-\w+)"', shown)
    assert ids == ["segment-all", *(f"segment-{i}" for i in range(len(tried.levels)))]
    from cxresearch.report.pages.html import style

    for i in range(MOST):
        rule = (
            f"main:has(#segment-{i}:checked) .cx-segments tr>:not(:first-child,:nth-child({i + 2}))"
        )
        assert rule in style().replace("\n", "")


def test_a_study_without_segments_says_so(records, monkeypatch):
    shown = []
    monkeypatch.setattr(show, "_html", shown.append)
    show.by_segment(records, "colour & shape")
    assert shown == [
        '<p class="cx-note">This study does not say of customers: colour &amp; shape.</p>'
    ]


def test_the_way_to_it_comes_and_goes_with_the_page():
    verdicts = Entry("verdicts.html", "Verdicts", None)
    segments = Entry("segments.html", "By segment", None)
    link = '<p class="cx-by"><a href="segments.html">By segment</a></p>'
    assert by_segment([verdicts]) == ""
    assert by_segment([verdicts, segments]) == link
    page = f"<p>{linked('SEGMENTS', '', '')}</p>"
    later = relinked(page, [verdicts, segments], "verdicts.html")
    assert link in later
    assert link not in relinked(later, [verdicts], "verdicts.html")
