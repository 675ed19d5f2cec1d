"""The notebook of the journey: every section speaks, whatever the study lacks."""

import pytest

from cxresearch.worlds import World, simulate
from tests.notebooks.test_notebooks import run_here
from tests.report.studies import small_study


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    simulate(World(hr_bad=(1.0, 1.5, 2.0, 2.5)), 900, seed=3).write(
        folder, name="A company", truth={}
    )
    return folder


def notes(shown):
    return [s for s in shown if isinstance(s, str) and "This study cannot say" in s]


def test_all_sections_of_a_study_with_all_columns(company, monkeypatch):
    shown = run_here("journey", company, monkeypatch, study="study.toml")
    assert not notes(shown)
    kinds = {type(s).__name__ for s in shown}
    assert {"ServiceLevels", "PerceptionMap", "WeakestPoint", "Scorecard", "LoyaltyShift"} <= kinds
    assert sum(type(s).__name__ == "LayerChart" for s in shown) == 5


def test_sections_say_what_the_study_lacks(tmp_path, monkeypatch):
    study = small_study(tmp_path)
    study.write_text(study.read_text().replace("${LOG}", "log.csv"))
    shown = run_here("journey", tmp_path, monkeypatch, study="study.toml")
    told = notes(shown)
    assert len(told) == 4
    for i, lack in enumerate(("level", "touchpoint", "touchpoint", "owner")):
        assert lack in told[i].partition("it lacks ")[2]
    # 120 customers are enough for the loyalty question, with wide limits
    [loyalty] = [s for s in shown if type(s).__name__ == "LoyaltyShift"]
    assert loyalty.everywhere.change.low < 0 < loyalty.everywhere.change.high


@pytest.mark.slow
def test_contacts_alone(company, monkeypatch):
    own = (company / "study.toml").read_text()
    head = own[: own.index("[retention]")]
    (company / "contacts.toml").write_text(head + '[retention]\nkind = "activity"\ngap_days = 60\n')
    assert not notes(run_here("journey", company, monkeypatch, study="contacts.toml"))
