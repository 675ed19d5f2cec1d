"""Whatever stands in data and study files is shown as text: nothing runs, no mark is obeyed, no id is broken."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from cxresearch.report.runs.jobs import page_jobs
from cxresearch.utils.html_tables import html_table, isolated, printable
from tests.report import attacks
from tests.report.hostile import CLAIM, MARKS, NAMES, OWNERS, SCRIPT, TEXT, hostile_pages
from tests.report.page_parser import Seen, digest, policy


@pytest.fixture(scope="module")
def pages():
    with pytest.MonkeyPatch.context() as patched:
        return hostile_pages(patched)


def read(text):
    return " ".join(attacks.read(text).text.split())


@pytest.mark.slow
def test_the_pages_are_those_of_the_study(pages):
    assert len(pages) == 5
    assert all("alpha" in read(text) for text in pages.values())


@pytest.mark.slow
def test_nothing_of_the_data_is_markup(pages):
    for name, text in pages.items():
        seen = Seen(text)
        assert seen.tags.count("style") == 1, name
        assert [v for t, k, v in seen.attributes if (t, k) == ("main", "id")] == ["main"], name
        assert not [a for a in seen.attributes if a[1].startswith("on")], name
        links = [v for t, k, v in seen.attributes if k in {"href", "src", "srcset"}]
        assert links, name
        assert not [v for v in links if re.match(r"\s*javascript", v, re.IGNORECASE)], name
        assert not [v for v in links if v in {"x", "../x"}], name
        scripts = [(kind, t) for tag, kind, t in seen.texts if tag == "script"]
        assert not [t for kind, t in scripts if kind != "application/json" and "window.hit" in t], (
            name
        )
        run = [digest(t) for kind, t in scripts if kind != "application/json"]
        assert policy(text)["script-src"] == (run or ["'none'"]), name
        assert SCRIPT not in text, name


@pytest.mark.slow
def test_no_mark_in_the_data_is_obeyed(pages):
    for name, text in pages.items():
        assert "<!--STALE-->" not in text, name
        assert "<!--CONTENTS-->" not in text, name
        assert MARKS not in text, name
        assert "<!--DEPTH three-strikes-->" in read(text), name
        assert "on: three-strikes</span></a></p><!--/DEPTH-->" not in text, name
        assert "49" not in re.findall(r"\*\* (\S+) ", read(text)), name  # {{ 7*7 }}
        assert "{{ 7*7 }}" in read(text), name


@pytest.mark.slow
def test_ids_are_unique_and_anchors_lead_somewhere(pages):
    ids = {
        name: [v for _, k, v in Seen(text).attributes if k == "id"] for name, text in pages.items()
    }
    for name, text in pages.items():
        assert len(set(ids[name])) == len(ids[name]), name
        assert not [i for i in ids[name] if re.search(r"[\s\"'<>&]", i)], name
        for tag, key, link in Seen(text).attributes:
            if tag == "a" and key == "href":
                file, _, anchor = link.partition("#")
                assert not file or unquote(file) in pages, f"{name}: {link}"
                target = ids[unquote(file) or name]
                assert not anchor or anchor in target or unquote(anchor) in target, (
                    f"{name}: {link}"
                )


@pytest.mark.slow
def test_names_are_there_to_be_read(pages):
    journey = read(pages["journey.html"])
    for name in (*NAMES, *OWNERS):
        assert " ".join(isolated(name).split()) in journey, name


@pytest.mark.slow
def test_charts_hold_texts_and_pictures_are_whole(pages):
    seen = 0
    for name, text in pages.items():
        for kind, held in [(k, t) for tag, k, t in Seen(text).texts if tag == "script"]:
            if kind == "application/json":
                assert json.loads(held)
                assert not re.search(r"<|\x00", held), name
        for _, key, value in Seen(text).attributes:
            if key in {"src", "srcset"}:
                ElementTree.fromstring(unquote(value.partition(",")[2]))
                seen += 1
    assert seen >= 20


@pytest.mark.slow
def test_no_control_character_reaches_a_page(pages):
    for name, text in pages.items():
        result = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
        assert not result, f"{name}: {text[max(0, result.start() - 80) : result.end() + 20]!r}"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("bill", "bill"),
        ("שירות", "\u2068שירות\u2069"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\u2067a\u2069\u2069", "a"),
        ("two\nlines\tmore ", "two lines more"),
        ("nul\x00bell\x07", "nul\ufffdbell\ufffd"),
        ("👩‍👩‍👧‍👦 e\u0301", "👩‍👩‍👧‍👦 e\u0301"),
        ("", ""),
    ],
)
def test_a_name_turns_nothing_but_itself(name, shown):
    assert isolated(name) == shown


def test_tables_hold_no_unprintable_character():
    table = html_table("a\x00b", ("\x1b[31m",), [("\x07", "é\n")], ("\x08<b>",))
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", table)
    assert "&lt;b&gt;" in table
    assert printable("a\tb\nc") == "a\tb\nc"


@pytest.mark.parametrize(
    "claim", ["../x", "..", "/etc/passwd", "a/../../b", "con\x00", CLAIM, TEXT, "=1+1", "%2e%2e%2f"]
)
def test_a_claim_makes_no_file_elsewhere(claim):
    for job in page_jobs(("claim",), {"study": "study.toml", "claims": [claim]}, None):
        assert re.fullmatch(r"claim-[\w-]{1,200}\.html", job.file), job.file
