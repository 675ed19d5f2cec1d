"""The line of progress of a notebook: only where somebody watches, overwritten, and gone at the end."""

import sys
from types import SimpleNamespace

import pytest

from cxresearch.utils import notebook_progress
from cxresearch.utils.notebook_progress import UNATTENDED, is_watched, with_notebook_progress


class ZMQInteractiveShell:
    """What a kernel's shell is called."""


@pytest.fixture
def shown(monkeypatch):
    """What a notebook shows, in order; a kernel seems to run."""
    lines = []

    def display(data, **_):
        lines.append(data)
        return SimpleNamespace(update=lambda data, **_: lines.append(data))

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setattr(notebook_progress, "_AFTER", 0.0)
    monkeypatch.delenv(UNATTENDED, raising=False)
    return lines


@with_notebook_progress
def work(*, progress=None):
    if progress:
        progress("first")
        progress("second <b>")
    return 5


def test_a_line_is_overwritten_and_gone(shown):
    assert work() == 5
    assert [line["text/plain"] for line in shown] == ["first", "second <b>", ""]
    assert "second &lt;b&gt;" in shown[1]["text/html"]


def test_nobody_watches_a_report(shown, monkeypatch):
    monkeypatch.setenv(UNATTENDED, "1")
    assert work() == 5
    assert shown == []
    assert not is_watched()


def test_who_takes_progress_gets_it_alone(shown):
    told = []
    work(progress=told.append)
    assert told == ["first", "second <b>"]
    assert shown == []


def test_a_script_is_no_notebook():
    assert not is_watched()
