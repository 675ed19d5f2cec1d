"""A second run: nothing has changed, something has, or the pages have been touched."""

import re
import subprocess
import sys
import time
from dataclasses import replace

import polars as pl
import pytest

from cxresearch.report.pages import show
from cxresearch.report.runs import build, manifest
from cxresearch.report.runs.ledger import read_run_records
from cxresearch.report.runs.run import report
from cxresearch.study import study_from
from tests.report.dockets import docket
from tests.report.standins import executed, study_of


@pytest.fixture
def ran(monkeypatch):
    """The pages whose notebooks ran."""
    pages = []

    def execute(plan, *_):
        pages.append(plan.page)
        return executed(title=f"{plan.page}, {len(pages)}")

    monkeypatch.setattr(build, "execute", execute)
    return pages


@pytest.fixture
def again(tmp_path):
    """Runs the study once more; what it has to say."""
    study = study_of(tmp_path / "study")

    def go(**given):
        told = []
        report(study, tmp_path / "out", tell=told.append, **given)
        return told

    go.study, go.out, go.state = study, tmp_path / "out", tmp_path / "study" / ".cxresearch"
    return go


def test_nothing_has_changed(again, ran):
    again()
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in again.out.iterdir()}
    (said,) = again()
    assert said.startswith("verdicts.html: nothing has changed since 20")
    assert said.endswith(" UTC; the page stays (--force runs it again)")
    assert ran == ["verdicts"]
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in again.out.iterdir()} == before
    assert len({x.run for x in read_run_records(again.state, "A small shop")}) == 1


def test_force_runs_it_again_and_records_it(again, ran):
    again()
    again(force=True)
    assert ran == ["verdicts"] * 2
    assert len({x.run for x in read_run_records(again.state, "A small shop")}) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda go: go.study.write_text(go.study.read_text() + "# a word\n"),
        lambda go: (go.study.parent / "log.csv").write_text(
            (go.study.parent / "log.csv").read_text() + "c1,,\n"
        ),
        lambda go: (go.out / "verdicts.html").write_text("half a pa"),
        lambda go: (go.out / "verdicts.html").unlink(),
        lambda go: [p.unlink() for p in (go.state / "pages").iterdir()],
        lambda go: [p.write_text("{") for p in (go.state / "pages").iterdir()],
    ],
)
def test_what_has_changed_is_made_again(change, again, ran):
    again()
    change(again)
    again()
    assert ran == ["verdicts"] * 2
    again()
    assert ran == ["verdicts"] * 2


def test_another_question_or_engine_is_a_change(again, ran):
    again()
    again(title="Why?")
    again(title="Why?", engine="duckdb")
    again(title="Why?", engine="duckdb", claims=["three-strikes", "bad-moments-drive-away"])
    assert ran == ["verdicts"] * 4


def test_a_page_of_some_claims_replaces_no_page_of_more(again, ran):
    again()
    before = (again.out / "verdicts.html").read_bytes()
    said = again(claims=["three-strikes"])
    assert said[0] == (
        "verdicts.html shows 2 claims and stays; the 1 asked for is in verdicts-selected.html"
    )
    assert ran == ["verdicts", "verdicts-selected"]
    assert (again.out / "verdicts-selected.html").is_file()
    after = (again.out / "verdicts.html").read_text()
    assert 'href="verdicts-selected.html"' in after
    links = re.compile(r"<!--PAGES -->.*?<!--/PAGES-->", re.DOTALL)
    assert links.sub("", after) == links.sub("", before.decode())
    assert 'href="verdicts-selected.html"' in (again.out / "index.html").read_text()


def test_verdicts_that_changed_are_said(again, monkeypatch):
    held = docket()
    weak = replace(held.trials[0].primary, verdict="undecided")
    other = replace(held.trials[0], results=(weak, *held.trials[0].results[1:]))
    made = [held, replace(held, trials=(other, *held.trials[1:]))]
    monkeypatch.setattr(build, "execute", lambda *_: executed(summary=show.summary(made.pop(0))))
    assert not [line for line in again() if ": was " in line]
    said = [line for line in again(force=True) if ": was " in line]
    assert said == ["three-strikes: was contradicted, now undecided"]


def test_the_summary_as_a_mail(again, ran):
    assert build.mail(again.state, again.out, print) == ()
    again()
    html, plain = build.mail(again.state, again.out, print)
    assert html.read_text().startswith("<!DOCTYPE html>")
    assert "2 sayings tried: 1 contradicted, 1 undecided." in " ".join(plain.read_text().split())


def test_another_version_of_a_library_is_a_change(again, ran, monkeypatch):
    again()
    manifest._package.cache_clear()
    monkeypatch.setattr(manifest, "version", lambda _: "99")
    again()
    manifest._package.cache_clear()
    assert ran == ["verdicts"] * 2


def test_inputs_that_change_while_notebooks_run_are_read_again_next_time(again, ran, monkeypatch):
    def execute(plan, *_):
        ran.append(plan.page)
        again.study.write_text(again.study.read_text() + f"# {len(ran)}\n")
        return executed()

    monkeypatch.setattr(build, "execute", execute)
    again()
    again()
    assert ran == ["verdicts"] * 2


def test_a_lost_index_is_made_again_without_a_notebook(again, ran):
    again()
    for spoil in (
        (again.out / "index.html").unlink,
        lambda: (again.out / "index.html").write_text("half an in"),
    ):
        spoil()
        again()
        assert (again.out / "index.html").read_text().rstrip().endswith("</html>")
    assert ran == ["verdicts"]
    assert len({x.run for x in read_run_records(again.state, "A small shop")}) == 1


def test_pages_of_several_runs_live_together(again, ran):
    again()
    again(notebooks=("explore",))
    index = (again.out / "index.html").read_text()
    assert 'href="verdicts.html' in index
    assert 'href="explore.html' in index
    again(notebooks=("verdicts", "explore"))
    again()
    # the verdicts page leads to the new page, and has not run again for that
    assert ran == ["verdicts", "explore"]
    assert 'href="explore.html"' in (again.out / "verdicts.html").read_text()
    (again.out / "explore.html").unlink()
    again(force=True)
    assert "explore.html" not in (again.out / "index.html").read_text()


def test_what_was_shown_is_told_to_the_index(again, ran, monkeypatch):
    seen = []
    real = build.ledger.read_history
    monkeypatch.setattr(build.ledger, "read_history", lambda *a: seen.append(real(*a)) or seen[-1])
    again()
    again(force=True)
    assert [len({x.run for x in result}) for result in seen] == [0, 0, 1, 1]


def test_it_takes_about_a_second(again, ran):
    again()
    begun = time.perf_counter()
    again()
    assert time.perf_counter() - begun < 1


def test_nothing_slow_is_imported_for_it(again, ran):
    again()
    code = (
        f"import sys; from cxresearch.report.runs.run import report; report({str(again.study)!r}, {str(again.out)!r})\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    slow = {
        "altair",
        "lifelines",
        "nbconvert",
        "nbformat",
        "papermill",
        "scipy.stats",
        "statsmodels",
    }
    assert slow & set(done.stdout.split()) == set()


def test_what_is_not_in_files_is_never_called_unchanged(tmp_path):
    file = study_of(tmp_path)
    served = {"source": "postgresql://db/crm", "query": "select 1"}
    raw = {"interactions": {**served, "grade": "g"}, "retention": {"source": "customers.csv"}}
    assert manifest.inputs(file, study_from(raw, folder=tmp_path)) == ""
    raw["interactions"] = {"source": "nowhere.csv", "grade": "g"}
    assert manifest.inputs(file, study_from(raw, folder=tmp_path)) == ""
    frame = pl.DataFrame({"customer": ["a"], "at": ["2024-01-01"], "grade": ["bad"]})
    raw["interactions"] = {"grade": "grade"}
    assert manifest.inputs(file, study_from(raw, folder=tmp_path, interactions=frame)) == ""


def test_a_manifest_is_that_of_its_folder(tmp_path):
    place = manifest.place(tmp_path, tmp_path / "out")
    place.parent.mkdir()
    place.write_text(manifest.text(manifest.Manifest("/another/out", index="x")))
    assert manifest.read(tmp_path, tmp_path / "out").index == ""


def test_a_second_study_in_the_same_folder_is_told_what_it_replaces(tmp_path, again, ran):
    assert not [line for line in again() if "replaced" in line]
    told = []
    report(study_of(tmp_path / "other"), again.out, tell=told.append)
    assert told[0].startswith(
        f"{again.out} holds pages that no run of this study on record has made (verdicts.html); "
    )
    assert told[0].endswith("give each study a folder of its own (--out)")
    again.study.write_text(again.study.read_text().replace("A small shop", "Another shop"))
    assert again()[0].startswith(f"{again.out} holds pages of the study 'A small shop'; ")
    assert not [line for line in again(force=True) if "replaced" in line]
