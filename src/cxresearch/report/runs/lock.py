"""One run of a study at a time, and an orderly end when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cxresearch.errors import ReportError
from cxresearch.utils.trust import check_state, make_private

WAIT = 60.0  # minutes
_LOCK, _OWNER = "lock", "lock.owner"


class BusyError(ReportError):
    """Another run of this study is under way."""


@contextmanager
def locked(
    state: Path, *, wait: float = WAIT, tell: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock of a study's state folder.

    Args:
        state: the folder; made if need be.
        wait: for how many minutes to wait for another run; 0 not at all.
        tell: called with a line if there is another run to wait for.

    Yields:
        Nothing.

    Raises:
        BusyError: the other run has not ended in time.
        ReportError: the folder cannot be written.
        StateError: the folder is not trusted.
    """
    check_state(state)
    lock = FileLock(state / _LOCK, mode=0o600)
    try:
        make_private(state)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _wait(lock, state, wait, tell or (lambda _: None))
        with suppress(OSError):  # the note is for people; the lock holds without it
            (state / _OWNER).write_text(json.dumps(_me()), encoding="utf-8")
    except OSError as e:
        raise ReportError(f"cannot write to the state folder {state}: {e.strerror or e}") from None
    try:
        yield
    finally:
        with suppress(OSError):
            (state / _OWNER).unlink(missing_ok=True)
        lock.release()


def _wait(lock: FileLock, state: Path, minutes: float, tell: Callable[[str], None]) -> None:
    other = f"another run of this study is under way ({_owner(state)})"
    if minutes <= 0:
        raise BusyError(
            f"{other}; run again when it has ended, or let --wait say for how many minutes to wait for it"
        )
    tell(f"{other}; waiting")
    try:
        lock.acquire(timeout=60 * minutes, poll_interval=0.25)
    except Timeout:
        other = (
            f"another run of this study is under way ({_owner(state)}), and has not "
            f"ended within {minutes:g} minutes"
        )
        raise BusyError(f"{other}; let --wait say for how many minutes to wait for it") from None


def _me() -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
    }


def _owner(state: Path) -> str:
    """Who holds the lock, for people."""
    for _ in range(5):  # the note is written just after the lock is taken
        with suppress(OSError, ValueError, KeyError, TypeError):
            result = json.loads((state / _OWNER).read_text(encoding="utf-8"))
            return f"process {result['pid']} on {result['host']}, since {result['since']} UTC"
        time.sleep(0.05)
    return "it has left no note of itself"


_ENDING = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """A signal asked the run to stop.

    Attributes:
        signal: the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"the run was stopped ({signal.Signals(number).name})")
        self.signal = number


class Stops:
    """Raises `Stopped` once, where it may; afterwards, or while held, signals change nothing."""

    def __init__(self) -> None:
        self._deaf = False

    def __call__(self, number: int, _frame: Any) -> None:
        """Handle a signal."""
        if not self._deaf:
            self._deaf = True
            raise Stopped(number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """For steps that are short and must not be left half done."""
        before, self._deaf = self._deaf, True
        try:
            yield
        finally:
            self._deaf = before


@contextmanager
def stoppable() -> Iterator[Stops]:
    """Turn SIGTERM and SIGINT into `Stopped`, in the main thread; elsewhere they do what they did.

    Yields:
        What can hold them back.
    """
    stops = Stops()
    if threading.current_thread() is not threading.main_thread():
        yield stops
        return
    before = {number: signal.signal(number, stops) for number in _ENDING}
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
