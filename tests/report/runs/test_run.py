import os
from pathlib import Path

import pytest

from cxresearch.errors import ClaimError, ReportError, StudyError
from cxresearch.report.pages import show
from cxresearch.report.runs import build, jobs, run
from cxresearch.report.runs.ledger import read_run_records
from cxresearch.report.runs.run import report
from tests.report.dockets import docket
from tests.report.standins import ABOUT_ONE, executed, notebook, study_of
from tests.report.studies import small_study

OWN_CLAIM = """
[[claims]]
id = "ID"
statement = "s"
source = "us"
histories.bad = { use = "bad_count" }
text = { finding = "f" }
readings = [{ id = "r", label = "l", kind = "share", primary = true, region = "> 0.5", numerator = { bad = ["0"] } }]
"""
SECRET = "log.csv"  # stands in for a password in a source's address


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made here")
    lines, told = [], []
    study = small_study(folder / "the study")
    given = {
        "claims": ["three-strikes"],
        "variables": {"LOG": SECRET},
        "progress": lines.append,
        "tell": told.append,
    }
    pages = report(study, folder / "out", **given)
    return folder, pages, lines, told


@pytest.fixture
def no_kernel(monkeypatch):
    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("a kernel was started"))


def test_pages_and_index(made):
    folder, pages, lines, told = made
    assert [p.name for p in pages] == ["verdicts.html", "index.html"]
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["index.html", "verdicts.html"]
    index = pages[1].read_text()
    assert 'href="verdicts.html' in index
    assert "2023" in index
    assert any(line.startswith("verdicts (notebook 1 of 1): cell 1 of") for line in lines)
    assert any(line.startswith("verdicts (notebook 1 of 1): trying ") for line in lines)
    assert "trying " not in index
    assert len(told) == 1
    assert told[0].startswith(f"published verdicts.html and index.html in {folder / 'out'} after ")


def test_nothing_of_the_machine_or_the_environment_is_in_the_page(made):
    folder, pages, lines, _ = made
    for text in (*(p.read_text() for p in pages), *lines):
        assert str(folder) not in text
        assert str(Path(run.__file__).parents[2]) not in text
        assert SECRET not in text
    assert "study.toml" in pages[0].read_text()


def test_what_is_kept_holds_no_secret(made):
    folder, *_ = made
    state = folder / "the study" / ".cxresearch"
    kept = [p for p in state.rglob("*") if p.is_file()]
    assert {p.parent.name for p in kept} >= {"ledger", "pages"}
    assert not any(SECRET.encode() in p.read_bytes() for p in kept)
    assert {p.name for p in state.iterdir()} == {"cache", "ledger", "lock", "pages"}


def test_every_reading_is_recorded_once(made):
    folder, *_ = made
    result = read_run_records(folder / "the study" / ".cxresearch", "A small shop")
    assert (
        len({(x.claim, x.reading) for x in result if x.primary})
        == len({x.claim for x in result})
        == 1
    )
    assert len({x.run for x in result}) == 1
    assert {(x.level, x.interval) for x in result} == {(0.95, "fixed")}
    assert result[0].at.endswith("Z")


def test_nothing_is_left_behind_and_nothing_printed(tmp_path, capfd, monkeypatch):
    study = study_of(tmp_path / "study")
    path = notebook(
        tmp_path / "own.ipynb", "import os, sys\nprint('said')\nos.write(2, b'past the notebook')"
    )
    monkeypatch.setattr(jobs, "notebook_path", lambda _: path)
    before = os.environ.copy()
    assert [p.name for p in report(study, tmp_path / "out", notebooks=("own",))] == [
        "own.html",
        "index.html",
    ]
    assert capfd.readouterr() == ("", "")
    assert os.environ.copy() == before
    assert {p.name for p in (tmp_path / "study" / ".cxresearch").iterdir()} == {
        "cache",
        "lock",
        "pages",
    }


@pytest.fixture
def pretended(monkeypatch):
    """Notebooks that are not run; what they were told."""
    told = []

    def execute(planned, *_):
        told.append((planned.page, dict(planned.values)))
        about = {"about": planned.values["claim"]} if "claim" in planned.values else {}
        return executed(summary=show.summary(docket()) | about)

    monkeypatch.setattr(build, "execute", execute)
    return told


def test_a_page_for_each_claim(tmp_path, pretended):
    given = {
        "notebooks": ("verdicts", "claim"),
        "claims": ["three-strikes", "bad-moments-drive-away"],
    }
    pages = report(study_of(tmp_path / "study"), tmp_path / "out", **given)
    names = [p.name for p in pages]
    assert names == [
        "verdicts.html",
        "claim-three-strikes.html",
        "claim-bad-moments-drive-away.html",
        "index.html",
    ]
    assert [values.get("claim") for _, values in pretended] == [
        None,
        "three-strikes",
        "bad-moments-drive-away",
    ]
    _, deep, _, index = (p.read_text() for p in pages)
    assert "<title>Nine in ten customers leave" in deep
    assert 'href="claim-three-strikes.html' in index
    result = read_run_records(tmp_path / "study" / ".cxresearch", "A small shop")
    assert len(result) == len({(x.claim, x.reading) for x in result})


def test_the_notebook_names_a_claim_where_none_is_given(tmp_path, monkeypatch, pretended):
    path = notebook(tmp_path / "claim.ipynb", "1", parameters=ABOUT_ONE)
    monkeypatch.setattr(jobs, "notebook_path", lambda _: path)
    pages = report(study_of(tmp_path / "study"), tmp_path / "out", notebooks=("claim",))
    assert [p.name for p in pages] == ["claim-three-strikes.html", "index.html"]
    assert 'href="claim-three-strikes.html' in pages[1].read_text()


def test_claims_that_no_page_can_be_made_of(tmp_path, monkeypatch, no_kernel):
    study = study_of(tmp_path / "study")
    with pytest.raises(ClaimError, match="no claim 'three-strike'; did you mean 'three-strikes'"):
        report(study, tmp_path / "out", claims=["three-strike"])
    path = notebook(tmp_path / "own.ipynb", "1", parameters="study = ''")
    monkeypatch.setattr(jobs, "notebook_path", lambda _: path)
    with pytest.raises(ReportError, match="none of these notebooks takes them: own"):
        report(study, tmp_path / "out", notebooks=("own",), claims=["three-strikes"])
    assert not (tmp_path / "out").exists()


def test_ids_make_safe_and_distinct_file_names(tmp_path, monkeypatch):
    study = study_of(tmp_path / "study")
    study.write_text(
        study.read_text()
        + "".join(OWN_CLAIM.replace("ID", name) for name in ("../up", "a b", "a/b"))
    )
    path = notebook(tmp_path / "claim.ipynb", "1", parameters=ABOUT_ONE)
    monkeypatch.setattr(jobs, "notebook_path", lambda _: path)
    monkeypatch.setattr(build, "execute", lambda *_: executed(verdicts=False))
    pages = report(study, tmp_path / "out", notebooks=("claim",), claims=["../up"])
    assert [p.name for p in pages] == ["claim-up.html", "index.html"]
    with pytest.raises(ReportError, match=r"two pages would both be called claim-a-b\.html"):
        report(study, tmp_path / "out", notebooks=("claim",), claims=["a b", "a/b"])


def test_notebook_without_parameters_cell(tmp_path, monkeypatch, no_kernel):
    path = notebook(tmp_path / "own.ipynb", "1", parameters="other = 1")
    monkeypatch.setattr(jobs, "notebook_path", lambda _: path)
    with pytest.raises(ReportError, match="needs a cell tagged parameters that sets study"):
        report(study_of(tmp_path / "study"), tmp_path / "out", notebooks=("own",))


def test_notebook_with_an_undeclared_parameter(tmp_path, monkeypatch, no_kernel):
    path = notebook(tmp_path / "own.ipynb", "1", parameters="study = ''\nclaimz: list = []")
    monkeypatch.setattr(jobs, "notebook_path", lambda _: path)
    with pytest.raises(ReportError, match="'claimz', which is not declared; did you mean 'claim'"):
        report(study_of(tmp_path / "study"), tmp_path / "out", notebooks=("own",))


def test_wrong_input_stops_before_a_kernel_starts(tmp_path, no_kernel):
    study = study_of(tmp_path / "study")
    with pytest.raises(ReportError, match="no notebook 'verdict'; did you mean 'verdicts'"):
        report(study, tmp_path / "out", notebooks=("verdict",))
    with pytest.raises(ReportError, match="engine must be one of"):
        report(study, tmp_path / "out", engine="polar")
    with pytest.raises(ReportError, match="no parameter 'titel'; did you mean 'title'"):
        report(study, tmp_path / "out", parameters={"titel": "Why?"})
    with pytest.raises(
        ReportError, match="takes no parameter 'claim'; it takes: study, claims, engine, title"
    ):
        report(study, tmp_path / "out", parameters={"claim": "three-strikes"})
    with pytest.raises(StudyError, match="no study file"):
        report(tmp_path / "none.toml", tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"study"}
    assert not (tmp_path / "study" / ".cxresearch" / "pages").exists()


def test_notebooks_are_told_what_was_asked_for(tmp_path, pretended):
    parameters = {"title": "Why do they leave?", "claims": ["one-strike"]}
    report(
        study_of(tmp_path / "study"),
        tmp_path / "out",
        notebooks=("verdicts", "explore"),
        parameters=parameters,
    )
    (_, verdicts), (_, explore) = pretended
    assert verdicts == {"study": "study.toml", "engine": "polars"} | parameters
    assert explore["study"] == "study.toml"
    assert "claims" not in explore


def test_no_port_is_opened_but_where_no_file_can_be_named():
    from cxresearch.report.runs.kernel import _transport

    assert _transport(Path("/srv/cx")).KernelManager.transport == "ipc"
    assert "transport" not in _transport(Path("/" + 100 * "x")).KernelManager
