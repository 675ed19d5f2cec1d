import json
import re
from dataclasses import replace

import msgspec
import pytest

from cxresearch.claims.decide import parse_region
from cxresearch.claims.level_words import describe_exclusion
from cxresearch.claims.units import Unit
from cxresearch.errors import ReportError
from cxresearch.records.audit import Audit, Fact
from cxresearch.records.audit_values import CountOfTotal
from cxresearch.report.pages import show
from cxresearch.report.pages.cards import first_screen
from cxresearch.report.pages.claim_page import closing
from cxresearch.report.pages.html import page, summary
from cxresearch.report.pages.provenance import audit
from cxresearch.report.pages.site import Entry, index
from cxresearch.risk.exclusions import Exclusion
from tests.report.dockets import (
    HOSTILE,
    docket,
    hostile_docket,
    ratio_trial,
    share_trial,
    untestable_trial,
)
from tests.report.histories import many, without_charts
from tests.report.page_parser import Seen, digest, notebook_of, page_of, page_with, policy


@pytest.fixture(scope="module")
def text():
    return page_of(docket())


def test_nothing_is_loaded(text):
    seen = Seen(text)
    assert "link" not in seen.tags
    loads = [v for t, k, v in seen.attributes if k in {"src", "srcset", "href"} and t != "a"]
    assert loads
    assert all(v.startswith("data:") for v in loads)
    links = [v for t, k, v in seen.attributes if t == "a" and k == "href"]
    assert all(v.startswith("#") for v in links)


def test_policy_names_every_script_and_style_by_hash(text):
    seen, rules = Seen(text), policy(text)
    assert rules["default-src"] == ["'none'"]
    scripts = [t for tag, kind, t in seen.texts if tag == "script" and kind != "application/json"]
    assert [digest(s) for s in scripts] == rules["script-src"]
    assert {digest(t) for tag, _, t in seen.texts if tag == "style"} == set(rules["style-src"])
    assert not any(k == "style" or k.startswith("on") for _, k, _ in seen.attributes)


def test_script_in_an_output_is_not_allowed():
    text = page_with("<p>1</p><script>alert(3)</script>")
    assert "<p>1</p>" in text
    assert digest("alert(3)") not in policy(text)["script-src"]


@pytest.mark.parametrize(
    "markup",
    [
        "<img src='https://elsewhere.example/x.png'>",
        "<link rel='stylesheet' href='//elsewhere.example/x.css'>",
        "<style>@import 'x.css'</style>",
        "<style>p{background:url(https://elsewhere.example)}</style>",
    ],
)
def test_output_that_would_load_something_stops_the_page(markup):
    with pytest.raises(ReportError, match="stand alone"):
        page_with(markup)


def test_markup_in_names_stays_text():
    text = page_of(hostile_docket())
    seen = Seen(text)
    assert seen.tags.count("script") == 1 + sum(
        kind == "application/json" for _, kind, _ in seen.texts
    )
    assert not any(k.startswith("on") for _, k, _ in seen.attributes)
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(1)" in text


def test_markup_in_the_index_stays_text():
    result = index([Entry("verdicts.html", HOSTILE, show.summary(hostile_docket()))])
    assert "script" not in Seen(result).tags
    assert HOSTILE not in result


def test_size(text):
    assert len(text.encode()) < 2_500_000


def test_engine_of_the_charts_is_there_once_and_only_with_charts(text):
    seen = Seen(text)
    assert seen.tags.count("figure") == 6
    assert sum(len(t) > 500_000 for tag, _, t in seen.texts if tag == "script") == 1
    plain = page_of(docket(untestable_trial()))
    assert "script" not in Seen(plain).tags
    assert len(plain) < 60_000


def test_charts_have_still_pictures_and_words(text):
    pictures = [v for t, k, v in Seen(text).attributes if t == "img" and k == "alt"]
    assert len(pictures) == 6
    assert all(re.search(r"\d", words) for words in pictures)


def test_contents_lead_to_headings(text):
    seen = Seen(text)
    ids = {v for _, k, v in seen.attributes if k == "id"}
    links = {v[1:] for t, k, v in seen.attributes if t == "a" and k == "href"}
    assert (
        {"claim-three-strikes", "claim-bad-moments-drive-away", "audit", "method"} <= links <= ids
    )


def test_first_screen_has_one_interval_per_claim(text):
    cards = re.findall(r'<article class="cx-card.*?</article>', text, re.DOTALL)
    assert len(cards) == 2
    assert [set(re.findall(r"\(?([\d.%]+ to [\d.%]+)\)?", c)) for c in cards] == [
        {"23% to 27%"},
        {"1.03 to 1.22"},
    ]
    assert "Do not act on it yet: already leaving may explain it." in cards[1]


def test_many_claims_have_a_list_above_their_cards():
    assert "All claims at a glance" not in first_screen(many(8))
    result = first_screen(many(9))
    listed = re.search(r'<section class="cx-overview".*?</section>', result, re.DOTALL)[0]
    assert result.index(listed) < result.index('class="cx-cards"')
    groups = re.findall(r'<h3 id="verdict-group-([a-z-]+)">.*?<span class="cx-count">(\d+)', listed)
    assert groups == [("contradicted", "3"), ("undecided", "3"), ("not-testable", "3")]
    assert listed.count("<li ") == 9
    assert {f"#card-claim-{i}" for i in range(9)} == set(re.findall(r'href="([^"]*)"', listed))
    assert listed.count("<strong>25%</strong>") == 3
    assert " to " not in listed  # intervals stand on the cards
    assert "<details" not in listed
    assert "†" not in listed


def test_many_open_claims_are_folded_away_in_the_list():
    listed = first_screen(many(12, *[ratio_trial()] * 10)).partition('<div class="cx-cards">')[0]
    groups = dict(re.findall(r'<h3 id="verdict-group-([a-z-]+)">.*?</h3>(<\w+)', listed))
    assert groups["undecided"] == "<details"
    assert listed.count("<li ") == 12


def test_list_marks_verdicts_that_several_claims_leave_open():
    docket = many(9)
    first = docket.trials[0]
    held = replace(first, results=(replace(first.primary, verdict="undecided"), *first.results[1:]))
    result = first_screen(replace(docket, trials=(held, *docket.trials[1:])))
    listed = re.search(r'<section class="cx-overview".*?</section>', result, re.DOTALL)[0]
    assert listed.count("†") == 2
    assert "† Alone it would have a verdict." in listed


def test_there_is_one_headline_verdict_and_the_other_is_said_smaller():
    docket = many(9)
    first = docket.trials[0]
    held = replace(first, results=(replace(first.primary, verdict="undecided"), *first.results[1:]))
    lead = "3 contradicted, 3 undecided, 3 not testable"
    said = "9 claims judged together:"
    assert f"{said} {lead}. Data" in first_screen(docket)
    result = first_screen(replace(docket, trials=(held, *docket.trials[1:])))
    assert f"{said} 2 contradicted, 4 undecided, 3 not testable. Data" in result
    assert result.count("by itself: contradicted") == 1


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.906, 1.03, "0.906 to 1.030"),
        (0.9088, 0.998, "0.9088 to 0.9980"),
        (0.914, 1.2, "0.91 to 1.20"),
        (0.8, 0.9, "0.80 to 0.90"),
        (1.0, 1.003, "1.000 to 1.003"),
    ],
)
def test_limits_tell_on_which_side_of_an_edge_they_lie(low, high, said):
    assert Unit.HAZARD_RATIO.interval_text(low, high, parse_region("< 1", 1.1).thresholds) == said
    assert Unit.HAZARD_RATIO.interval_text(0.906, 1.0) == "0.91 to 1.00"


@pytest.mark.parametrize(
    ("low", "high", "unit", "edge", "said"),
    [
        (0.503, 0.55, Unit.SHARE, 0.5, "50.3% to 55.0%"),
        (0.87, 0.9246, Unit.SHARE, 0.925, "87.00% to 92.46%"),
        (0.0002, 0.05, Unit.DIFFERENCE, 0.0, "+0.02 to +5.00 points"),
        (-0.02, 0.05, Unit.DIFFERENCE, 0.0, "-2.0 to +5.0 points"),
        (0.0001, 0.015, Unit.LOG_LIKELIHOOD, 0.0, "+0.01% to +1.51%"),
    ],
)
def test_limits_of_other_units_likewise(low, high, unit, edge, said):
    assert unit.interval_text(low, high, (edge,)) == said


def test_customers_left_out_are_told_without_names_of_histories():
    first = share_trial()
    reasons = (
        "left on the day they reached bad 1",
        "reached bad 3+ on the same day as 1",
        "nobody to compare with",
    )
    told = tuple(Exclusion(describe_exclusion(first.claim, r), 20) for r in reasons)
    row = replace(first.primary, exclusions=told)
    result = closing(docket(), replace(first, results=(row, *first.results[1:])))
    assert "20: left on the day of the first bad moment<" in result
    assert "20: had the first bad moment and the third bad moment on the same day<" in result
    assert "20: nobody to compare with<" in result


def test_places_are_named_once_whatever_claims_are_called():
    docket = without_charts(4)
    names = ("a b", "a/b", 'a"b', "ä")
    trials = tuple(
        replace(t, claim=msgspec.structs.replace(t.claim, id=name))
        for t, name in zip(docket.values(), names, strict=True)
    )
    seen = Seen(page_of(replace(docket, trials=trials)))
    ids = [v for _, k, v in seen.attributes if k == "id"]
    assert len(ids) == len(set(ids))
    assert not any(re.search(r"\s", i) for i in ids)
    assert {v[1:] for t, k, v in seen.attributes if t == "a" and k == "href"} <= set(ids)


def test_markup_in_the_data_of_charts_does_not_keep_the_script_open():
    first = share_trial()
    claim = msgspec.structs.replace(first.claim, statement="<!--<script>")
    result = page_of(docket(replace(first, claim=claim)))
    charts = [t for _, kind, t in Seen(result).texts if kind == "application/json"]
    assert charts
    assert not any("<" in t for t in charts)
    assert any("<!--<script>" in json.loads(t)["description"] for t in charts)


def test_numbers_of_few_customers_are_told_as_not_shown():
    first = share_trial()
    hidden = replace(
        first.primary, estimate=None, series=(), reason="fewer than 10 customers stand behind it"
    )
    result = page_of(docket(replace(first, results=(hidden, *first.results[1:]))))
    assert "not shown: fewer than 10 customers stand behind it" in result
    assert "Why it could not be tried" not in result


def test_counts_of_grades_are_hidden_together():
    facts = tuple(
        Fact(f"{n} moments", CountOfTotal(v, 943))
        for n, v in (("bad", 3), ("neutral", 40), ("good", 900))
    )
    result = audit(
        Audit(
            tables=(),
            read=(("interactions", 943),),
            kept=(("interactions", 943),),
            findings=(),
            facts=facts,
        ),
        10,
    )
    assert result.count("not shown") == 2
    assert "900 (95.7%)" in result  # of 940, rounded as well


def test_both_templates_have_one_place_for_a_mark(text):
    for result in (text, index([Entry("a.html", "a", None)])):
        assert result.count('<main id="main">') == 1


def test_not_testable_says_what_is_missing():
    result = page_of(docket(untestable_trial()))
    card = re.search(r'<article class="cx-card.*?</article>', result, re.DOTALL)[0]
    assert "Not testable" in card
    assert "it lacks an end" in card


def test_small_counts_are_not_in_the_page(text):
    assert "fewer than 10: left on the day" in text
    assert "competing exits" in text
    assert "4 (0.1%)" not in text
    assert not re.search(r"99.?123", text)  # a row number of the source
    charts = [
        t
        for tag, kind, t in Seen(text).texts
        if kind == "application/json" and "had a bad moment" in t
    ]
    rows = [
        r
        for t in charts
        for r in json.loads(t)["data"]["values"]
        if r.get("what") == "had a bad moment"
    ]
    assert [r["contacts"] for r in rows] == ["2-4", "5-9"]


def test_no_path_of_the_machine(text):
    assert "/home/me" not in text
    assert "study = study.toml" in text


def test_mathematics_is_written_out():
    notebook = notebook_of(docket(untestable_trial()))
    from nbformat.v4 import new_markdown_cell

    notebook.cells.append(new_markdown_cell("The rate $\\frac{a}{b}$."))
    assert "<mfrac>" in page(notebook, name="verdicts")


def test_warnings_of_the_kernel_stay_out():
    from nbformat.v4 import new_output

    notebook = notebook_of(docket(untestable_trial()))
    notebook.cells[0].outputs.append(
        new_output("stream", name="stderr", text="/home/me/x.py: warning")
    )
    assert "/home/me" not in page(notebook, name="verdicts")


def test_summary_is_what_the_notebook_said():
    assert summary(notebook_of(docket())) == show.summary(docket())
