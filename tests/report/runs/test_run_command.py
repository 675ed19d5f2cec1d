"""The command: what it says, and its exit status."""

import os
import pty
import re
import subprocess
import sys
import termios

import pytest
from click.testing import CliRunner

from cxresearch.cli import main
from cxresearch.report.runs import build, pdf
from cxresearch.report.runs.kernel import NotebookError
from cxresearch.report.runs.lock import locked
from tests.report.standins import executed, study_of


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(
        build, "execute", lambda plan, *_: executed(title=plan.values.get("title", plan.page))
    )
    return study_of(tmp_path / "study")


@pytest.fixture
def run(study, tmp_path):
    def go(*args):
        given = ["report", str(study), "--out", str(tmp_path / "out"), *args]
        return CliRunner().invoke(main, given)

    return go


def test_pages_on_standard_output_and_a_log_with_times(run, tmp_path):
    done = run()
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        str(tmp_path / "out" / n) for n in ("verdicts.html", "index.html")
    ]
    lines = done.stderr.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S", line) for line in lines)
    assert re.search(r"Z published verdicts.html and index.html in \S+ after \d+ s$", lines[-1])
    again = run()
    assert again.exit_code == 0
    assert again.stdout == done.stdout
    assert re.fullmatch(r"\S+ verdicts.html: nothing has changed since .* UTC; .*\n", again.stderr)


def test_parameters_are_checked_first(run, monkeypatch):
    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("a kernel was started"))
    for given, said in (
        ("titel=x", "no parameter 'titel'; did you mean 'title'?"),
        ("study=x", "study is no parameter here: it is the command's argument"),
    ):
        done = run("-p", given)
        assert done.exit_code == 2
        assert done.stderr == f"cxresearch: {said}\n"
    done = run("-p", "nothing")
    assert done.exit_code == 2
    assert "one is not written NAME=VALUE" in done.stderr


def test_parameters_reach_the_notebook(run, tmp_path):
    assert run("-p", "title=Why?", "--parameter", "claims=three-strikes, one-strike").exit_code == 0
    assert "Why?" in (tmp_path / "out" / "verdicts.html").read_text()
    done = run("-p", "claims=three-strikes,one-stroke")
    assert done.exit_code == 2
    assert "did you mean 'one-strike'?" in done.stderr


def test_another_run_stops_it_at_once(run, study):
    with locked(study.parent / ".cxresearch"):
        done = run("--wait", "0")
    assert done.exit_code == 1
    assert done.stderr.startswith(
        f"cxresearch: another run of this study is under way (process {os.getpid()} on "
    )


def test_what_failed_is_told_last(run, monkeypatch):
    run()

    def fails(*_):
        raise NotebookError("notebook verdicts, cell 3: ValueError: no", "/kept/verdicts.ipynb")

    monkeypatch.setattr(build, "execute", fails)
    done = run("--force")
    assert done.exit_code == 1
    assert done.stdout == ""
    *_, told, last = done.stderr.splitlines()
    assert told.endswith("; the last good page is marked as not up to date")
    assert (
        last == "cxresearch: notebook verdicts, cell 3: ValueError: no; kept: /kept/verdicts.ipynb"
    )


def test_wrong_input_marks_the_pages_and_is_wrong_input(run, study, tmp_path):
    run()
    study.write_text("[study\n")
    done = run()
    assert done.exit_code == 2
    assert "<!--STALE-->" in (tmp_path / "out" / "verdicts.html").read_text()


def test_pages_as_pdf(run, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "browser", lambda: "chromium")
    monkeypatch.setattr(pdf, "pdf", lambda page, target: target)
    done = run("--pdf")
    names = [f"{n}.{kind}" for n in ("verdicts", "index") for kind in ("html", "pdf")]
    assert done.stdout.splitlines() == [str(tmp_path / "out" / n) for n in names]


def test_without_a_browser_no_pdf_and_no_long_work(run, monkeypatch):
    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("a kernel was started"))
    monkeypatch.setattr(pdf, "NAMES", ())
    monkeypatch.setattr(pdf, "_ELSEWHERE", ())
    done = run("--pdf")
    assert done.exit_code == 1
    assert "a PDF needs Chromium" in done.stderr


@pytest.mark.slow
def test_a_terminal_shows_one_line_that_is_overwritten(study, tmp_path):
    code = (
        "import sys\nfrom cxresearch.cli import main\nfrom cxresearch.report.runs import build as making\n"
        "from tests.report.standins import executed\n"
        "making.execute = lambda plan, place, say: (say('cell 1 of 2'), say('cell 2 of 2'), executed())[-1]\n"
        f"main(['report', {str(study)!r}, '--out', {str(tmp_path / 'out')!r}])"
    )
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 100))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=follower
    ) as running:
        os.close(follower)
        said = b""
        try:
            while block := os.read(leader, 4096):
                said += block
        except OSError:  # how a terminal ends
            pass
        os.close(leader)
        assert running.wait() == 0
    shown = said.decode()
    assert "\rverdicts (notebook 1 of 1): cell 2 of 2 00:0" in shown
    lasting = [line for line in shown.replace("\r\n", "\n").split("\n") if "published" in line]
    assert (
        lasting[0]
        .split("\r")[-1]
        .startswith("cxresearch: published verdicts.html and index.html in ")
    )
    assert "cell 1 of 2\n" not in shown
