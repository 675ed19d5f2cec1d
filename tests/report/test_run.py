import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from cxresearch.errors import ClaimError, ReportError, StudyError
from cxresearch.report import run
from cxresearch.report.run import publish, report
from tests.report.studies import small_study

OWN_CLAIM = """
[[claims]]
id = "ID"
statement = "s"
source = "us"
histories.bad = { use = "bad_count" }
text = { supported = "s", contradicted = "c", undecided = "u", not_testable = "n" }
readings = [{ id = "r", label = "l", shape = "share", primary = true, region = "> 0.5", count = { bad = ["0"] } }]
"""
SECRET = "log.csv"  # stands in for a password in a source's address


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made here")
    lines = []
    study = small_study(folder / "the study")
    pages = report(study, folder / "out", variables={"LOG": SECRET}, progress=lines.append)
    return folder, pages, lines


def notebook(folder, *sources, parameters="study = ''\nclaims = []\nengine = 'polars'\ntitle = ''"):
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]}), *map(new_code_cell, sources)]
    path = folder / "own.ipynb"
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
    return path


def test_pages_and_index(made):
    folder, pages, lines = made
    assert [p.name for p in pages] == ["verdicts.html", "index.html"]
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["index.html", "verdicts.html"]
    index = pages[1].read_text()
    assert 'href="verdicts.html#claim-three-strikes"' in index
    assert "2023" in index
    assert any(line.startswith("cell 1 of") for line in lines)


def test_nothing_of_the_machine_or_the_environment_is_in_the_page(made):
    folder, pages, _ = made
    for page in pages:
        text = page.read_text()
        assert str(folder) not in text
        assert str(Path(run.__file__).parents[2]) not in text
        assert SECRET not in text
    assert "study.toml" in pages[0].read_text()


def test_nothing_is_left_behind_and_nothing_printed(made, capfd, tmp_path):
    folder, _, _ = made
    before = os.environ.copy()
    report(folder / "the study", tmp_path / "out", claims=("three-strikes",), variables={"LOG": SECRET})
    assert capfd.readouterr().out == ""
    assert os.environ.copy() == before
    assert not (folder / "the study" / ".cxresearch" / "failed").exists()
    assert "bad-moments-drive-away" not in (tmp_path / "out" / "index.html").read_text()


ABOUT_ONE = "study = ''\nclaim = 'one-strike'\nengine = 'polars'"
SHOWS_IT = """
import cxresearch as cx
from cxresearch.report import show
docket = cx.evaluate(show.study(study), claims=[claim])
show.claim(docket, docket[claim])
"""


def test_a_page_for_each_claim(tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    paths = {"claim": notebook(tmp_path, SHOWS_IT, parameters=ABOUT_ONE), "verdicts": run.notebook_path("verdicts")}
    monkeypatch.setattr(run, "notebook_path", paths.get)
    given = {"claims": ["three-strikes", "good-moments-build"], "variables": {"LOG": "log.csv"}}
    pages = report(study, tmp_path / "out", notebooks=("verdicts", "claim"), **given)
    names = [p.name for p in pages]
    assert names == ["verdicts.html", "claim-three-strikes.html", "claim-good-moments-build.html", "index.html"]
    verdicts, deep, _, index = (p.read_text() for p in pages)
    assert "<title>Nine in ten customers leave" in deep
    assert 'id="claim-three-strikes"' in deep
    assert verdicts.count('href="claim-three-strikes.html"') == 2
    assert index.count('href="claim-three-strikes.html"') == 1
    assert "DEPTH" not in verdicts
    assert "Claims in depth" not in index


def test_the_notebook_names_a_claim_where_none_is_given(tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    monkeypatch.setattr(run, "notebook_path", lambda _: notebook(tmp_path, SHOWS_IT, parameters=ABOUT_ONE))
    pages = report(study, tmp_path / "out", notebooks=("claim",), variables={"LOG": "log.csv"})
    assert [p.name for p in pages] == ["claim-one-strike.html", "index.html"]
    assert "Claims in depth" in pages[1].read_text()
    assert 'href="claim-one-strike.html#claim-one-strike"' in pages[1].read_text()


def test_claims_that_no_page_can_be_made_of(tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    monkeypatch.setattr(run, "_run", lambda *_: pytest.fail("a kernel was started"))
    with pytest.raises(ClaimError, match="no claim 'three-strike'; did you mean 'three-strikes'"):
        report(study, tmp_path / "out", claims=["three-strike"])
    path = notebook(tmp_path, "1", parameters="study = ''")
    monkeypatch.setattr(run, "notebook_path", lambda _: path)
    with pytest.raises(ReportError, match="none of these notebooks takes them: own"):
        report(study, tmp_path / "out", notebooks=("own",), claims=["three-strikes"])


def test_ids_make_safe_and_distinct_file_names(tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    made = []
    for name in ("../up", "a b", "a/b"):
        made.append(OWN_CLAIM.replace("ID", name))
    study.write_text(study.read_text() + "".join(made))
    path = notebook(tmp_path, "1", parameters=ABOUT_ONE)
    monkeypatch.setattr(run, "notebook_path", lambda _: path)
    pages = report(study, tmp_path / "out", notebooks=("claim",), claims=["../up"], variables={"LOG": "log.csv"})
    assert [p.name for p in pages] == ["claim-up.html", "index.html"]
    with pytest.raises(ReportError, match=r"two pages would both be called claim-a-b\.html"):
        report(study, tmp_path / "out", notebooks=("claim",), claims=["a b", "a/b"], variables={"LOG": "log.csv"})


def test_failing_cell_is_named_and_kept(tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    path = notebook(tmp_path, "1 + 1", "import os\nraise ValueError('no: ' + os.environ['LOG'])", "2 + 2")
    monkeypatch.setattr(run, "notebook_path", lambda name: path)
    good = tmp_path / "out" / "own.html"
    good.parent.mkdir()
    good.write_text("the last good one")
    with pytest.raises(ReportError, match=r"notebook own, cell 3: ValueError: no: \$\{LOG\}; kept: "):
        report(study, tmp_path / "out", notebooks=("own",), variables={"LOG": SECRET})
    assert good.read_text() == "the last good one"
    assert [p.name for p in good.parent.iterdir()] == ["own.html"]
    kept = tmp_path / "study" / ".cxresearch" / "failed" / "own.ipynb"
    assert kept.stat().st_mode & 0o077 == 0
    assert "ValueError" in kept.read_text()
    assert SECRET not in kept.read_text()


def test_notebook_without_parameters_cell(tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    path = notebook(tmp_path, "1", parameters="other = 1")
    monkeypatch.setattr(run, "notebook_path", lambda name: path)
    with pytest.raises(ReportError, match="needs a cell tagged parameters that sets study"):
        report(study, tmp_path / "out", notebooks=("own",))


def test_notebook_with_an_undeclared_parameter(tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    path = notebook(tmp_path, "1", parameters="study = ''\nclaimz = []")
    monkeypatch.setattr(run, "notebook_path", lambda name: path)
    with pytest.raises(ReportError, match="'claimz', which is not declared; did you mean 'claim'"):
        report(study, tmp_path / "out", notebooks=("own",))


def test_wrong_input_stops_before_a_kernel_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_run", lambda *_: pytest.fail("a kernel was started"))
    study = small_study(tmp_path / "study")
    with pytest.raises(ReportError, match="no notebook 'verdict'; did you mean 'verdicts'"):
        report(study, tmp_path / "out", notebooks=("verdict",))
    with pytest.raises(ReportError, match="engine must be one of"):
        report(study, tmp_path / "out", engine="polar")
    with pytest.raises(StudyError, match="no study file"):
        report(tmp_path / "none.toml", tmp_path / "out")


def test_pages_that_cannot_be_written(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ReportError, match="cannot write the pages to"):
        publish(tmp_path / "out", [("a.html", "x")])
