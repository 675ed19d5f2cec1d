"""The page of every claim of the catalogue on the sample study, in which every claim can be tried."""

from dataclasses import replace
from hashlib import sha256
from shutil import copytree

import pytest

import cxresearch as cx
from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.report.runs.run import report
from tests.report.in_process import executed

pytestmark = pytest.mark.slow

# what the section on the risk table says of a claim whose verdict rests on none
NO_RISK_TABLE = {"jack": "it lacks a risk table: this reading counts the contacts of each agent"}


@pytest.fixture(scope="module")
def records(tried_sample):
    return cx.read_records(cx.read_study(tried_sample))


@pytest.fixture(scope="module")
def evaluate(records, shared):
    """`cx.evaluate`, which tries the whole catalogue once for each set of definitions."""
    dockets, as_ever = {}, cx.evaluate
    declared = records.study

    def of_all(tried, claims=None, **_):
        study = getattr(tried, "study", tried)
        is_changed = (study.moments, study.info) != (declared.moments, declared.info)
        digest = sha256(repr((study.moments, study.info)).encode()).hexdigest()[:12]
        key = f"sample-{digest}"
        if key not in dockets:
            # nobody asks for other definitions again, so that nothing of them is kept
            options = {"verdicts_only": is_changed, "keep": not is_changed}
            dockets[key] = shared(key, lambda: as_ever(tried, **options))
        result = dockets[key]
        return replace(result, trials=tuple(result[c] for c in claims))

    return of_all


@pytest.mark.parametrize("claim", list(catalogue()))
def test_claim_page(claim, records, evaluate, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(cx, "read_records", lambda *_: records)
        patched.setattr(cx, "evaluate", evaluate)
        notebook = executed(patched, "claim", records.study, claim=claim)
    outputs = [o.data for c in notebook.cells for o in c.get("outputs", ())]
    shown = "".join(o.get("text/html", "") for o in outputs)
    assert f'id="claim-{claim}"' in shown
    assert shown.count("bad: stars &lt;= 1") == shown.count("bad: stars &lt;= 3") == 1
    assert sum("image/svg+xml" in o for o in outputs) >= 1
    if claim in NO_RISK_TABLE:
        assert NO_RISK_TABLE[claim] in shown
    else:
        assert "Who left, by " in shown
        assert "This study cannot say" not in shown


def test_report_on_a_claim_without_a_risk_table(tried_sample, tmp_path):
    copytree(tried_sample, tmp_path / "study")
    study = tmp_path / "study" / "study.toml"
    page = report(study, tmp_path / "out", notebooks=("claim",), variables={}, claims=("jack",))[
        0
    ].read_text()
    assert NO_RISK_TABLE["jack"] in page
    assert "What stays open" in page
