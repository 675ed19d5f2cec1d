"""Every notebook that ships, found by glob."""

import ast
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest

from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.observed_vs_expected import ObservedVsExpected
from cxresearch.errors import StudyError
from cxresearch.report.pages import show
from cxresearch.report.runs.jobs import PARAMETERS
from cxresearch.report.runs.run import report
from cxresearch.utils.bundled import bundled
from tests.report.studies import small_study

NOTEBOOKS = sorted(bundled("notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.stem)
def notebook(request):
    return request.param


def test_there_are_notebooks():
    known = {"verdicts", "explore", "claim", "journey", "planning", "frames", "recipe", "segments"}
    assert known <= {p.stem for p in NOTEBOOKS}


def test_clean(notebook):
    result = nbformat.read(notebook, as_version=4)
    nbformat.validate(result)
    assert result.metadata["title"]
    for cell in result.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_parameters_cell_declares_known_names(notebook):
    result = nbformat.read(notebook, as_version=4)
    cells = [c for c in result.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1
    space = {}
    exec(cells[0].source, space)
    names = set(space) - {"__builtins__"}
    assert "study" in names
    assert names <= {p.name for p in PARAMETERS}


def test_cells_are_short_and_hold_no_statistics(notebook):
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 8
            imported = {
                a.name
                for n in ast.walk(ast.parse(cell.source))
                if isinstance(n, ast.Import)
                for a in n.names
            }
            assert imported <= {"cxresearch"}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small study for all notebooks: what one has tried is kept for the next."""
    return small_study(tmp_path_factory.mktemp("small") / "study")


@pytest.mark.slow
def test_runs_from_another_folder(notebook, small, monkeypatch):
    study = small
    elsewhere = study.parents[1] / f"elsewhere-{notebook.stem}"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    pages = report(
        Path("../study/study.toml"),
        "out",
        notebooks=(notebook.stem,),
        variables={"LOG": str(study.parent / "log.csv")},
        parameters={"companies": 3} if notebook.stem == "planning" else None,
    )
    assert pages[0].stat().st_size > 10_000
    assert pages[0].read_text().count("<h1") == 1


def run_here(name, folder, monkeypatch, **parameters):
    """Run a notebook's cells in this process; what they displayed, as text."""
    shown = []

    def note(*objects, raw=False, **_):
        shown.extend(o["text/html"] if raw else o for o in objects)

    monkeypatch.setattr("IPython.display.display", note)
    monkeypatch.chdir(folder)
    space = {"display": note}
    for cell in nbformat.read(bundled("notebooks") / f"{name}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source, space)
            space |= parameters if "parameters" in cell.metadata.get("tags", []) else {}
    return shown


OWN = """
[[claims]]
id = "busy stay/2"
statement = "Two contacts a quarter keep a customer."
source = "us"
histories.contacts = { use = "contacts_within", days = 90, edges = [2] }
text = { finding = "{estimate}." }
[[claims.readings]]
id = "hazard"
label = "hazard of leaving with two contacts or more"
kind = "hazard_contrast"
primary = true
model = { terms = ["contacts"] }
contrast = { "contacts[2+]" = 1 }
region = "< 1"
"""


QUICK = ("busy stay/2",)
REST = [
    pytest.param(c.id, marks=pytest.mark.slow) for c in catalogue().values() if c.id not in QUICK
]


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """Folders of a shop by its number of customers: what one claim has counted there is kept for the next one."""
    made = {}
    for customers in (120, 700):
        made[customers] = tmp_path_factory.mktemp(f"shop-{customers}")
        study = small_study(made[customers], customers=customers)
        study.write_text(study.read_text().replace("${LOG}", "log.csv") + OWN)
    return made


@pytest.mark.parametrize("claim", [*QUICK, *REST])
def test_claim_notebook_takes_every_claim(claim, shops, monkeypatch):
    shop = shops[700 if claim == "busy stay/2" else 120]
    shown = run_here("claim", shop, monkeypatch, study="study.toml", claim=claim)
    pages = "".join(s for s in shown if isinstance(s, str))
    assert f'id="claim-{quote(claim, safe="")}"' in pages
    assert "The same claim, with other definitions" in pages
    if claim == "bad-moments-drive-away":
        assert "bad: stars &lt;= 3" in pages or "blackout: 14 days" in pages
    if claim == "busy stay/2":
        assert any(isinstance(s, ObservedVsExpected) for s in shown)


@pytest.mark.slow
def test_notebooks_take_a_study_of_contacts_alone(tmp_path, monkeypatch):
    study = small_study(tmp_path, customers=400)
    retention = study.read_text().index("[retention]")
    text = study.read_text()[:retention].replace("${LOG}", "log.csv")
    study.write_text(text + '[retention]\nkind = "activity"\ngap_days = 60\n')
    told = run_here("explore", tmp_path, monkeypatch, study="study.toml")
    assert "A small shop" in "".join(s for s in told if isinstance(s, str))
    run_here("claim", tmp_path, monkeypatch, study="study.toml")


def test_sample_study_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert show.study("data/sample/study.toml").name
    with pytest.raises(StudyError, match=r"no study file elsewhere\.toml"):
        show.study("elsewhere.toml")
