import re
from dataclasses import replace

import pytest

from cxresearch.claims.units import Unit
from cxresearch.report.pages import show, verdict_history
from cxresearch.report.pages.site import Entry, index
from tests.report.dockets import HOSTILE, hostile_docket
from tests.report.histories import history_of, look, many, without_charts
from tests.report.page_parser import Seen, notebook_of, pages_of, policy

DOCKET = many(10)
MADE = "2026-11-02T06:00:00+00:00"
VERDICTS = Entry("verdicts.html", "Verdicts", show.summary(DOCKET), MADE)
DEEP = Entry("claim-1.html", "One claim", show.summary(DOCKET) | {"about": "claim-1"}, MADE)


def rows(text):
    return re.findall(r'<tr id="row-.*?</tr>', text, re.DOTALL)


def test_a_row_per_claim_with_verdict_number_and_links():
    result = rows(index([VERDICTS, DEEP]))
    assert len(result) == 10
    assert 'href="verdicts.html#card-claim-1"' in result[1]
    assert 'href="claim-1.html"' in result[1]
    assert "Undecided" in result[1]
    assert "<strong>1.12×</strong> (1.03 to 1.22)" in result[1]
    assert "The study lacks an end." in result[2]


def test_no_history_on_a_first_run():
    for text in (index([VERDICTS]), index([VERDICTS], history_of(DOCKET, 1))):
        assert "Over the runs" not in text
        assert "since the last run" not in text
        assert "svg" not in Seen(text).tags


def test_history_over_the_runs():
    text = index([VERDICTS], history_of(DOCKET, 14))
    assert "1 verdict has changed since the last run, 26 Oct. 2026:" in text
    assert 'href="#row-claim-0"' in text
    first, second, third, *_ = rows(text)
    assert "since 2 Nov. 2026; before:" in first
    assert "the same in 14 runs" in second
    for row in (first, second):
        assert "The last 12 of 14 runs" in row
        assert row.count("<li>") == 12
        assert row.count("<circle") == 12
    assert "24 Aug. 2026" not in first.split("<ol")[0].split("aria-label")[0]
    assert "10 Aug. 2026" not in first
    assert "17 Aug. 2026" in first
    told = re.search(r'aria-label="([^"]*)"', first)[1]
    assert told.startswith("17 Aug. 2026: undecided 25% (23% to 27%)")
    assert told.endswith("2 Nov. 2026: contradicted 25% (23% to 27%), data until 31 Dec. 2024")
    assert "svg" not in third  # without a number there is nothing to draw
    assert third.count("<li>") == 12


def test_numbers_that_rest_on_too_few_are_not_shown():
    rare = (
        replace(t, results=tuple(replace(e, events=3) for e in t.results)) for t in DOCKET.trials
    )
    few = show.summary(replace(DOCKET, trials=tuple(rare)))
    history = tuple(replace(x, events=3) for x in history_of(DOCKET, 2))
    text = index([Entry("verdicts.html", "Verdicts", few)], history)
    assert "25%" not in text
    assert "not shown: too few customers" in text
    assert "Contradicted" in text


@pytest.mark.parametrize(("value", "higher"), [(0.5, 0.25), (2.0, 1.1)])
def test_picture_puts_larger_numbers_higher(value, higher):
    unit = Unit.SHARE if value < 1 else Unit.HAZARD_RATIO
    made = [look(DOCKET, DOCKET.trials[0], run, unit=unit) for run in (0, 1)]
    small = replace(made[0], estimate=higher, ci_low=0.9 * higher, ci_high=1.1 * higher)
    large = replace(made[1], estimate=value, ci_low=0.9 * value, ci_high=1.1 * value)
    text = verdict_history.over_runs([small, large], "> 0.1", unit)
    first, second = (float(y) for y in re.findall(r'cy="([\d.]+)"', text))
    assert first > second
    tops = [float(y) for y in re.findall(r'd="M[\d.]+ [\d.]+V([\d.]+)"', text)]
    bottoms = [float(y) for y in re.findall(r'd="M[\d.]+ ([\d.]+)V', text)]
    assert tops[0] < first < bottoms[0]
    assert all(0 <= y <= 44 for y in (*tops, *bottoms))


def test_claim_that_the_ledger_does_not_know():
    history = tuple(x for x in history_of(DOCKET, 3) if x.claim != "claim-1")
    assert "not tried in a run that is on record" in rows(index([VERDICTS], history))[1]


def test_pages_with_their_dates_and_marks():
    stale = Entry(
        "explore.html", "A look", None, MADE, "notebook explore, cell 5: ValueError: no <column>"
    )
    text = index([VERDICTS, stale, DEEP])
    pages = re.search(r'<ul class="cx-page-list">.*?</ul>', text, re.DOTALL)[0]
    assert pages.count("made on 2 Nov. 2026, 06:00 UTC") == 2
    assert pages.count("Not up to date.") == 1
    assert "no &lt;column&gt;" in pages
    assert "claim-1.html" not in pages
    old = index([replace(VERDICTS, stale="why")])
    assert all("not up to date" in row for row in rows(old))


def test_only_pages_about_one_claim():
    text = index([DEEP])
    assert 'id="pages"' not in text
    assert 'href="claim-1.html#claim-claim-1"' in text
    assert len(rows(text)) == 1


def test_no_pages_with_verdicts():
    text = index([Entry("explore.html", "A look", None, MADE)])
    assert "<h1>Reports</h1>" in text
    assert rows(text) == []


def test_index_is_one_offline_file_without_a_script():
    text = index([VERDICTS, DEEP], history_of(DOCKET, 14))
    seen = Seen(text)
    assert "script" not in seen.tags
    assert policy(text)["script-src"] == ["'none'"]
    assert not any(k == "style" for _, k, _ in seen.attributes)
    ids = [v for _, k, v in seen.attributes if k == "id"]
    assert len(ids) == len(set(ids))
    assert text.count('<main id="main">') == 1


def test_hostile_texts_stay_text():
    docket = hostile_docket()
    history = tuple(
        replace(x, verdict=HOSTILE, at=HOSTILE, version=HOSTILE, run=x.run)
        for x in history_of(docket, 3)
    )
    text = index(
        [Entry(f"{HOSTILE}.html", HOSTILE, show.summary(docket), HOSTILE, HOSTILE)], history
    )
    assert HOSTILE not in text
    assert {"script", "img"}.isdisjoint(Seen(text).tags)


def test_links_lead_both_ways():
    docket = without_charts(3)
    about = notebook_of(docket)
    output = about.cells[0].outputs[0]
    from cxresearch.report.pages.cards import one_claim

    output["data"]["text/html"] = one_claim(docket, docket["claim-1"])
    output["data"][show.MIME] = show.summary(docket) | {"about": "claim-1"}
    about.cells[0].outputs = [
        o for o in about.cells[0].outputs if "#card-" not in o["data"].get("text/html", "")
    ]
    explore = notebook_of(docket)
    explore.cells[0].outputs = []
    explore.metadata["title"] = "A look"
    pages = pages_of({"verdicts": notebook_of(docket), "claim-1": about, "explore": explore})
    links = {
        n: {v for t, k, v in Seen(p).attributes if t == "a" and k == "href"}
        for n, p in pages.items()
    }
    assert {"index.html", "verdicts.html", "verdicts.html#card-claim-1", "explore.html"} <= links[
        "claim-1"
    ]
    assert {"index.html", "claim-1.html", "explore.html"} <= links["verdicts"]
    assert "verdicts.html" not in links["verdicts"]
    assert {"index.html", "verdicts.html"} <= links["explore"]
    assert 'aria-current="page">A look<' in pages["explore"]
    ids = {n: {v for _, k, v in Seen(p).attributes if k == "id"} for n, p in pages.items()}
    for name, hrefs in links.items():
        for href in hrefs:
            file, _, place = href.partition("#")
            target = file.removesuffix(".html") or name
            assert target in pages
            assert not place or place in ids[target]


def test_page_that_lies_alone_has_no_links_to_others():
    from cxresearch.report.pages.html import page

    text = page(notebook_of(without_charts(1)), name="verdicts")
    assert all(v.startswith("#") for t, k, v in Seen(text).attributes if t == "a" and k == "href")
