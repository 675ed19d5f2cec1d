"""Whatever goes wrong: readers keep the last good page, which says so, and whoever runs it learns where and why."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxresearch.errors import ClaimError, ReportError, StudyError
from cxresearch.report.pages.stale import unmarked
from cxresearch.report.runs import build, jobs
from cxresearch.report.runs.kernel import NotebookError
from cxresearch.report.runs.ledger import read_run_records
from cxresearch.report.runs.lock import locked
from cxresearch.report.runs.run import report
from cxresearch.utils import atomic
from tests.report.standins import TOLD, executed, notebook, study_of
from tests.report.studies import small_study

SECRET = "log.csv"  # stands in for a password in a source's address
MARK = re.compile(r'<main id="main"[^>]*><!--STALE-->.*?<p>(.*?)</p></aside><!--/STALE-->')


class Go:
    """A study with pages of an earlier run."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.out = folder, folder / "out"
        self.study = study_of(folder / "study")
        self.state = folder / "study" / ".cxresearch"
        self.failing = {}
        self.ran = []
        monkeypatch.setattr(build, "execute", self._execute)

    def _execute(self, planned, *_):
        self.ran.append(planned.page)
        if planned.page in self.failing:
            raise self.failing[planned.page]
        return executed(title=f"{planned.page}, {len(self.ran)}")

    def __call__(self, *notebooks, **given):
        self.told = []
        given = {"force": True, "tell": self.told.append} | given
        return report(self.study, self.out, notebooks=notebooks or ("verdicts", "explore"), **given)

    def mark(self, page):
        result = MARK.search((self.out / page).read_text())
        return result and result[1]

    def whole(self):
        files = list(self.out.iterdir())
        assert {p.suffix for p in files} <= {".html"}
        assert all(p.read_text().rstrip().endswith("</html>") for p in files)
        left = {
            p.name for p in self.state.rglob("*") if p.name.startswith(".") or p.suffix == ".part"
        }
        assert not left
        assert not (self.state / "work").exists()
        assert not (self.state / "lock.owner").exists()
        return {p.name for p in files}


@pytest.fixture
def go(tmp_path, monkeypatch):
    made = Go(tmp_path, monkeypatch)
    made()
    assert made.mark("verdicts.html") is None
    return made


def test_one_notebook_fails_and_the_others_are_published(go):
    go.failing["verdicts"] = NotebookError(
        "notebook verdicts, cell 3: <b>no</b>", "/state/failed/verdicts.ipynb"
    )
    with pytest.raises(
        ReportError,
        match=r"^notebook verdicts, cell 3: <b>no</b>; kept: /state/failed/verdicts.ipynb$",
    ):
        go()
    said = go.mark("verdicts.html")
    assert re.match(
        r"<strong>Not up to date.</strong> This page is from \d+ \w+\.? 20\d\d, \d\d:\d\d UTC\. It ",
        said,
    )
    assert said.endswith(" UTC: NotebookError; the log of that run says more.")
    assert "/state" not in said
    assert "verdicts, 1" in (go.out / "verdicts.html").read_text()
    assert go.mark("explore.html") is None
    assert "explore, 4" in (go.out / "explore.html").read_text()
    assert "NotebookError; the log of that run says more" in (go.out / "index.html").read_text()
    assert any(t.startswith("published explore.html and index.html") for t in go.told)
    assert go.told[-1].startswith("not published: verdicts.html: notebook verdicts, cell 3")
    assert go.told[-1].endswith("the last good page is marked as not up to date")
    assert go.whole() == {"verdicts.html", "explore.html", "index.html"}


def test_a_page_that_is_made_again_loses_its_mark(go):
    go.failing["verdicts"] = NotebookError("notebook verdicts: no")
    for _ in range(2):
        with pytest.raises(ReportError):
            go(force=False, title="Why?")
        assert (go.out / "verdicts.html").read_text().count("<!--STALE-->") == 1
    go.failing.clear()
    go("verdicts", force=False)  # nothing else has changed, but the page is marked
    assert go.mark("verdicts.html") is None
    assert "notebook verdicts: no" not in (go.out / "index.html").read_text()


def test_all_fail(go):
    go.failing = {n: NotebookError(f"notebook {n}: no") for n in ("verdicts", "explore")}
    before = read_run_records(go.state, "A small shop")
    with pytest.raises(ReportError, match=r"^notebook verdicts: no; and notebook explore: no$"):
        go()
    assert go.mark("verdicts.html")
    assert go.mark("explore.html")
    assert read_run_records(go.state, "A small shop") == before


def test_a_first_run_that_fails_publishes_nothing(tmp_path, monkeypatch):
    go = Go(tmp_path, monkeypatch)
    go.failing["verdicts"] = NotebookError("notebook verdicts: no")
    with pytest.raises(ReportError, match="notebook verdicts: no"):
        go("verdicts")
    assert go.whole() == set()


def test_a_page_that_cannot_be_made_does_not_hold_up_the_others(go, monkeypatch):
    from cxresearch.report.pages import html

    real = html.page

    def fails(notebook, *, name, **more):
        if name == "verdicts":
            raise ReportError("the page would load from elsewhere")
        return real(notebook, name=name, **more)

    monkeypatch.setattr(html, "page", fails)
    with pytest.raises(ReportError, match=r"^verdicts\.html: the page would load from elsewhere$"):
        go()
    assert go.mark("verdicts.html").endswith("NotebookError; the log of that run says more.")
    assert go.mark("explore.html") is None


def test_a_study_file_that_is_wrong_marks_the_pages(go):
    go.study.write_text(go.study.read_text().replace("grade =", "graid ="))
    with pytest.raises(StudyError, match="graid"):
        go("verdicts")
    assert go.mark("verdicts.html").endswith(
        "StudyError in interactions; the log of that run says more."
    )
    assert go.mark("explore.html") is None
    go.study.unlink()
    with pytest.raises(StudyError, match="no study file"):
        go("verdicts")
    assert go.mark("verdicts.html").endswith("StudyError; the log of that run says more.")
    assert str(go.folder) not in (go.out / "verdicts.html").read_text()
    assert go.ran == ["verdicts", "explore"]


def test_wrong_usage_marks_nothing(go):
    with pytest.raises(ReportError, match="no notebook"):
        go("verdict")
    with pytest.raises(ReportError, match="no parameter"):
        go("verdicts", parameters={"titel": "x"})
    assert go.mark("verdicts.html") is None


def test_a_claim_that_nobody_knows_marks_nothing(go):
    go()
    with pytest.raises(ClaimError, match="no claim 'nope'"):
        go(claims=["nope"])
    assert [go.mark(p.name) for p in go.out.iterdir()] == [None] * 3


def test_another_run_is_under_way(go):
    with (
        locked(go.state),
        pytest.raises(ReportError, match=rf"under way \(process {os.getpid()} on "),
    ):
        go(wait=0)
    assert go.mark("verdicts.html") is None
    assert go.ran == ["verdicts", "explore"]


def test_an_error_of_our_own_marks_too_and_is_not_hidden(go, monkeypatch):
    go.failing["explore"] = ZeroDivisionError("a defect")
    with pytest.raises(ZeroDivisionError):
        go()
    assert go.mark("verdicts.html").endswith("ZeroDivisionError; the log of that run says more.")
    assert go.mark("explore.html")
    go.whole()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_marks_and_cleans_up(go, number):
    before = signal.getsignal(number)

    def stopped(*_):
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # an impatient scheduler
        time.sleep(5)
        pytest.fail("not stopped")

    build.execute = stopped
    with pytest.raises(
        KeyboardInterrupt if number == signal.SIGINT else ReportError, match="the run was stopped"
    ):
        go()
    assert go.mark("verdicts.html").endswith(
        f"the run was stopped ({signal.Signals(number).name})."
    )
    assert signal.getsignal(number) is before
    go.whole()


def failing_write(monkeypatch, code, after=0):
    """The system refuses to write any more, from the given file on."""
    count = iter(range(99))
    real = atomic.sync

    def sync(path):
        if path.is_file() and next(count) >= after:
            raise OSError(code, os.strerror(code))
        real(path)

    monkeypatch.setattr(atomic, "sync", sync)


@pytest.mark.parametrize("after", range(6))
def test_a_disk_that_becomes_full_at_any_file(go, monkeypatch, after):
    before = {p.name: p.read_bytes() for p in go.out.iterdir()}
    seen = read_run_records(go.state, "A small shop")
    failing_write(monkeypatch, errno.ENOSPC, after)
    with pytest.raises(ReportError, match=r"cannot write the pages to .*: No space left on device"):
        go()
    assert {p.name: p.read_bytes() for p in go.out.iterdir()} == before
    assert read_run_records(go.state, "A small shop") == seen
    monkeypatch.undo()
    go.whole()


@pytest.mark.parametrize("renamed", range(1, 6))
def test_a_disk_that_fails_between_two_renames(go, monkeypatch, renamed):
    """The first rename is that of the note; then come the ledger, the pages, the index and what is known of them."""
    before = {p.name: p.read_bytes() for p in go.out.iterdir()}
    count = iter(range(99))
    real = Path.replace

    def replace(self, target):
        if next(count) >= renamed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(ReportError, match=r"cannot write the pages to .*: Input/output error"):
        go()
    monkeypatch.setattr(Path, "replace", real)
    new = [p.name for p in go.out.glob("*.html") if p.read_bytes() != before[p.name]]
    assert new == [] or len({x.run for x in read_run_records(go.state, "A small shop")}) == 2
    assert len(new) == max(0, renamed - 2)
    assert ("index.html" in new) == (renamed == 5)
    assert all(go.mark(name) is None for name in before)
    ran = len(go.ran)
    go(force=False)
    assert len(go.ran) == ran  # what was ready has been published, and nothing has changed since
    assert (
        go.told[0]
        == "an earlier run was killed while it published; its pages are in their places now"
    )
    assert "verdicts, 3" in (go.out / "verdicts.html").read_text()
    assert len({x.run for x in read_run_records(go.state, "A small shop")}) == 2
    assert go.whole() == before.keys()


def test_an_output_that_is_a_file(go, tmp_path):
    (tmp_path / "taken").write_text("x")
    go.out = tmp_path / "taken"
    with pytest.raises(ReportError, match=r"cannot write the pages to .*taken: File exists"):
        go()
    go.out = tmp_path / "taken" / "below"
    with pytest.raises(ReportError, match=r"cannot write the pages to .*below: Not a directory"):
        go()
    assert go.ran == ["verdicts", "explore"]


def test_an_output_that_is_read_only_is_told_before_the_long_work(go, monkeypatch):
    real = Path.touch

    def touch(self, *more, **given):
        if self.parent == go.out:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        return real(self, *more, **given)

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(
        ReportError, match=r"cannot write the pages to .*out: Read-only file system"
    ):
        go()
    assert go.ran == ["verdicts", "explore"]


# from here on with kernels


def test_failing_cell_is_named_and_kept(tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    path = notebook(
        tmp_path / "own.ipynb",
        "1 + 1",
        "import os\nraise ValueError('no: ' + os.environ['LOG'])",
        "2 + 2",
    )
    monkeypatch.setattr(jobs, "notebook_path", lambda name: path)
    good = tmp_path / "out" / "own.html"
    good.parent.mkdir()
    good.write_text('<main id="main">the last good one')
    with pytest.raises(
        ReportError, match=r"notebook own, cell 3: ValueError: no: \$\{LOG\}; kept: "
    ):
        report(study, tmp_path / "out", notebooks=("own",), variables={"LOG": SECRET})
    assert "notebook own, cell 3: ValueError; the log of that run says more." in good.read_text()
    assert good.read_text().endswith("the last good one")
    kept = tmp_path / "study" / ".cxresearch" / "failed" / "own.ipynb"
    assert kept.stat().st_mode & 0o077 == 0
    assert "ValueError" in kept.read_text()
    assert SECRET not in kept.read_text()
    notebook(path, "1 + 1")
    report(study, tmp_path / "out", notebooks=("own",), variables={"LOG": SECRET})
    assert not kept.exists()


def test_a_kernel_that_dies(tmp_path, monkeypatch):
    study = small_study(tmp_path / "study")
    dies = "import os\nos.write(2, b'out of ' + os.environ['LOG'].encode() + b'\\n')\nos._exit(1)"
    path = notebook(tmp_path / "own.ipynb", dies)
    monkeypatch.setattr(jobs, "notebook_path", lambda name: path)
    with pytest.raises(
        ReportError, match=r"notebook own: Kernel died \(it last said: out of \$\{LOG\}\)"
    ):
        report(study, tmp_path / "out", notebooks=("own",), variables={"LOG": SECRET})


RUNS = """
from pathlib import Path
from cxresearch.cli import main
from cxresearch.report.runs import jobs
jobs.notebook_path = lambda _: Path({path!r})
main(["report", {study!r}, "--out", {out!r}, "--state", {state!r}, "--force"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 1), (signal.SIGINT, 130)])
def test_a_scheduler_that_stops_the_command(go, tmp_path, number, status):
    study = go.study
    stop = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(600)"
    path = notebook(tmp_path / "verdicts.ipynb", stop, parameters=TOLD)
    code = RUNS.format(path=str(path), study=str(study), out=str(go.out), state=str(go.state))
    pid = study.parent / "pid"
    running = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    while not pid.exists():
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == status
    assert said.splitlines()[-1].startswith("cxresearch: ")
    assert "stopped" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert re.match(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ verdicts \(notebook 1 of 1\): starting a kernel\n", said
    )
    assert MARK.search((tmp_path / "out" / "verdicts.html").read_text())[1].endswith(
        f"({number.name})."
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    go.whole()


LIMIT = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
"""


@pytest.fixture
def small(tmp_path):
    """A folder on a disk of 100 kB; where none can be mounted, a folder whose files may not grow beyond 20 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    yield folder, "" if mounted else LIMIT
    if mounted:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("full", ["out", "state"])
def test_a_disk_that_is_full(go, tmp_path, small, full):
    folder, limit = small
    if full == "state":
        go.state = folder / "state"
    else:
        go.out = folder / "out"
    go("verdicts", state=go.state)
    before = {p.name: p.read_bytes() for p in go.out.iterdir()}
    path = notebook(tmp_path / "verdicts.ipynb", "print('x' * 90_000)", parameters=TOLD)
    code = RUNS.format(path=str(path), study=str(go.study), out=str(go.out), state=str(go.state))
    done = subprocess.run(
        [sys.executable, "-c", limit + code], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("cxresearch: ")
    assert "No space left on device" in last or "File too large" in last
    page = (go.out / "verdicts.html").read_text()
    assert unmarked(page).encode() == before["verdicts.html"]
    assert str(tmp_path) not in page
    go.whole()
