"""Every notebook that ships, found by glob."""

from pathlib import Path

import nbformat
import pytest

from cxresearch.bundled import bundled
from cxresearch.errors import StudyError
from cxresearch.report import show
from cxresearch.report.parameters import PARAMETERS
from cxresearch.report.run import report
from tests.report.studies import small_study

NOTEBOOKS = sorted(bundled("notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.stem)
def notebook(request):
    return request.param


def test_there_are_notebooks():
    assert "verdicts" in {p.stem for p in NOTEBOOKS}


def test_clean(notebook):
    found = nbformat.read(notebook, as_version=4)
    nbformat.validate(found)
    assert found.metadata["title"]
    for cell in found.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_parameters_cell_declares_known_names(notebook):
    found = nbformat.read(notebook, as_version=4)
    cells = [c for c in found.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1
    space = {}
    exec(cells[0].source, space)
    names = set(space) - {"__builtins__"}
    assert "study" in names
    assert names <= {p.name for p in PARAMETERS}


def test_runs_from_another_folder(notebook, tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    pages = report(
        Path("../study/study.toml"), "out", notebooks=(notebook.stem,), variables={"LOG": str(study.parent / "log.csv")}
    )
    assert pages[0].stat().st_size > 10_000


def test_sample_study_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert show.study("data/sample/study.toml").name
    with pytest.raises(StudyError, match=r"no study file elsewhere\.toml"):
        show.study("elsewhere.toml")
