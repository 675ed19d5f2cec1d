import json
import os
import subprocess
import sys
import time

import pytest

from cxresearch.errors import ReportError
from cxresearch.report.runs.lock import BusyError, locked

HOLDS = """
import sys, time
from pathlib import Path
from cxresearch.report.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of tmp_path."""
    started = []

    def start(seconds):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS, tmp_path, str(seconds)], stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_another_run_is_named_and_not_waited_for(tmp_path, other):
    process = other(60)
    said = rf"under way \(process {process.pid} on \S+, since [0-9: -]+ UTC\); run again"
    with pytest.raises(BusyError, match=said), locked(tmp_path, wait=0):
        pytest.fail("held by two")


def test_another_run_is_waited_for(tmp_path, other):
    process = other(1)
    said = []
    with locked(tmp_path, wait=1, tell=said.append):
        assert process.wait(5) == 0
    assert len(said) == 1
    assert said[0].endswith("UTC); waiting")


def test_waiting_ends(tmp_path, other):
    other(60)
    begun = time.monotonic()
    said = r"has not ended within 0\.01 minutes; let --wait say"
    with pytest.raises(BusyError, match=said), locked(tmp_path, wait=0.01):
        pytest.fail("held by two")
    assert 0.5 < time.monotonic() - begun < 5


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path, other):
    process = other(60)
    process.kill()
    process.wait()
    assert (tmp_path / "lock.owner").exists()
    with locked(tmp_path, wait=0):
        assert json.loads((tmp_path / "lock.owner").read_text())["pid"] == os.getpid()
    assert not (tmp_path / "lock.owner").exists()


def test_a_child_does_not_inherit_the_lock(tmp_path):
    with locked(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with locked(tmp_path, wait=0):
            assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_a_lock_without_a_note_is_a_lock(tmp_path, other):
    other(60)
    (tmp_path / "lock.owner").unlink()
    with pytest.raises(BusyError, match="it has left no note of itself"), locked(tmp_path, wait=0):
        pytest.fail("held by two")


def test_a_state_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "state").write_text("a file")
    with (
        pytest.raises(ReportError, match=r"cannot write to the state folder .*state: "),
        locked(tmp_path / "state"),
    ):
        pytest.fail("locked")
