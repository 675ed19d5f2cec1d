"""A scheduler's time limit or a key press ends a run in an orderly way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ENDING = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """The run was told to stop.

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
