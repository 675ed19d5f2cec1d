"""A notebook that hangs, or fills the memory, ends; its page stays as it was, and the next run can begin."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from cxresearch.errors import ReportError
from cxresearch.report.runs import build, jobs
from cxresearch.report.runs.lock import locked
from cxresearch.report.runs.run import report
from cxresearch.utils.limits import Limits
from tests.report.standins import executed, notebook, study_of

HANGS = {
    "in Python": "while True: pass",
    "in the system": "import time\ntime.sleep(600)",
    "and heeds no interrupt": "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)",
}
FILLS = "held = []\nwhile True:\n    held.append(bytearray(b'x') * 2**24)"


@pytest.fixture
def hung(tmp_path, monkeypatch):
    """A study with a page, whose notebook is replaced by a cell; runs it, and returns the error and the page."""
    study, out = study_of(tmp_path / "study"), tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(build, "execute", lambda *_: executed())
        report(study, out)
    monkeypatch.setattr(jobs, "notebook_path", lambda _: tmp_path / "own.ipynb")

    def run(cell, limits):
        notebook(tmp_path / "own.ipynb", cell)
        begun = time.monotonic()
        with pytest.raises(ReportError) as caught:
            report(study, out, force=True, limits=limits)
        assert time.monotonic() - begun < 90
        with locked(study.parent / ".cxresearch", wait=0):
            pass
        assert not (study.parent / ".cxresearch" / "work").exists()
        return str(caught.value), (out / "verdicts.html").read_text()

    return run


@pytest.mark.parametrize("cell", HANGS.values(), ids=HANGS)
def test_a_notebook_that_hangs_ends(hung, cell):
    said, page = hung(cell, Limits(minutes=0.1))
    assert said == "notebook verdicts took longer than 0.1 minutes; give it more with --time-limit"
    assert "notebook verdicts took longer than 0.1 minutes.</p></aside>" in page


@pytest.mark.slow
def test_a_notebook_that_fills_the_memory_ends(hung):
    said, page = hung(FILLS, Limits(minutes=2, memory=0.6))
    assert said == (
        "notebook verdicts held more than 0.6 GB of memory; give it more with --memory-limit"
    )
    assert "held more than 0.6 GB of memory.</p></aside>" in page


@pytest.mark.slow
def test_a_key_press_while_a_cell_runs_is_one_line(tmp_path):
    """The terminal sends the signal to the kernel as well."""
    study = study_of(tmp_path / "study")
    notebook(tmp_path / "own.ipynb", "import time\ntime.sleep(600)")
    code = (
        "import sys\nfrom pathlib import Path\nfrom cxresearch.report.runs import jobs\n"
        f"jobs.notebook_path = lambda _: Path({str(tmp_path / 'own.ipynb')!r})\n"
        "from cxresearch.cli import main\nmain()"
    )
    args = ["report", str(study), "--out", str(tmp_path / "out")]
    run = subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = []
    for line in run.stderr:
        lines.append(line)
        if re.search(r"cell (\d+) of \1$", line):
            break
    time.sleep(1)
    os.killpg(run.pid, signal.SIGINT)
    out, rest = run.communicate(timeout=30)
    assert run.returncode == 130
    said = [x for x in rest.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", x)]
    assert (out, said) == ("", ["cxresearch: stopped"])
