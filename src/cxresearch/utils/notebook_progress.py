"""A sign of progress in a notebook: one line that is overwritten, and gone when the work is done."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from html import escape
from threading import Lock
from typing import Any, ParamSpec, TypeVar

Args = ParamSpec("Args")
Returned = TypeVar("Returned")

UNATTENDED = "CXRESEARCH_UNATTENDED"  # set where a notebook runs for a report, and nobody watches
_AFTER = 0.5  # seconds; what takes less leaves no line


class NotebookLine:
    """Takes lines of progress and shows the last one."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown: Any = None
        self._lock = Lock()  # several claims are tried at the same time

    def __call__(self, line: str) -> None:
        """Show a line in place of the one before."""
        if time.monotonic() - self._began < _AFTER:
            return
        self._show({"text/plain": line, "text/html": f"<p><small>{escape(line)} …</small></p>"})

    def end(self) -> None:
        """Take the line away."""
        if self._shown is not None:
            self._show({"text/plain": ""})

    def _show(self, data: dict[str, str]) -> None:
        from IPython.display import display

        with self._lock:
            if self._shown is None:
                self._shown = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._shown.update(data, raw=True)


def is_watched() -> bool:
    """Whether this runs in the kernel of a notebook that somebody may be looking at."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell" and UNATTENDED not in os.environ


def with_notebook_progress(work: Callable[Args, Returned]) -> Callable[Args, Returned]:
    """Give a function with an argument `progress` a line to show its progress on, in a notebook that gave none.

    Args:
        work: a function that takes `progress` by keyword.
    """

    @wraps(work)
    def shown(*args: Args.args, **kwargs: Args.kwargs) -> Returned:
        if kwargs.get("progress") is not None or not is_watched():
            return work(*args, **kwargs)
        line = NotebookLine()
        kwargs["progress"] = line
        try:
            return work(*args, **kwargs)
        finally:
            line.end()

    return shown
