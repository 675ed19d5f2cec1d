"""Each run of a report on data that grow is a look: it is recorded, and the next one goes by what it has fixed."""

import pytest

import cxresearch as cx
from cxresearch.claims.look_state import looks_file, read_state
from cxresearch.report.runs.ledger import read_run_records
from cxresearch.report.runs.run import report
from tests.claims.test_looks import ASKED, grown

pytestmark = pytest.mark.slow


def test_reports_are_looks(tmp_path):
    study = tmp_path / "study"

    def run(day, text=""):
        grown(study, day)
        file = study / "study.toml"
        file.write_text(file.read_text() + text)
        page, *_ = report(file, tmp_path / "out", claims=[ASKED])
        loaded = cx.read_study(file)
        return page.read_text(), read_state(looks_file(loaded.state, "growing"))

    page, first = run(400)
    assert (first.sequence, first.looks) == (1, 1)
    assert "this is look 1." in page
    assert any(key.startswith(f"{ASKED} ") and "lead=14" in key for key in first.r)
    assert run(400)[1] == first  # nothing has changed: no page is made, and there is no look
    page, second = run(450)
    assert (second.looks, second.until) == (2, first.until + 50)
    assert {key: second.r[key] for key in first.r} == first.r
    assert "this is look 2." in page
    page, third = run(470, "[moments]\nlead_days = [14]\n")
    assert (third.sequence, third.looks, third.why) == (2, 1, "lead_days")
    assert (
        "sequence 2, which has so much less error and began when this changed: lead_days." in page
    )
    records = [x for x in read_run_records(cx.read_study(study).state, "growing") if x.primary]
    assert [x.interval for x in records] == ["anytime"] * 3
    assert [round(x.level, 4) for x in records] == [0.975, 0.975, 0.9917]
