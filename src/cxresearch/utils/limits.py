"""Limits of time and memory: what goes beyond them ends with one line, whatever it was doing.

They are the user's and not the study's, since a study may be a stranger's. A thread looks at the clock and at the
memory ten times a second. What goes beyond a limit is first interrupted, so that it can clear up, and ended if it does
not heed that: a query of Polars or DuckDB may take long to look up.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cxresearch.errors import LimitError

MINUTES = 120.0  # of a command, and of each notebook, where no other limit is given
PART = 0.8  # of the machine's memory, where no other limit is given
MEMORY = "CXRESEARCH_MEMORY_LIMIT"  # GB; the limit of a notebook's kernel and its engine
TIME = "CXRESEARCH_TIME_LIMIT"  # minutes
GB = 2**30
_EVERY = 0.1  # seconds between two looks
_GRACE = 5.0  # seconds for an end in good order
_FAILED = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """How long something may take and how much memory it may hold.

    Attributes:
        minutes: 0 for no limit.
        memory: GB; 0 for no limit.
    """

    minutes: float = 0.0
    memory: float = 0.0

    @property
    def seconds(self) -> float:
        """The time; infinite without a limit."""
        return 60 * self.minutes if self.minutes else float("inf")

    @property
    def bytes(self) -> float:
        """The memory; infinite without a limit."""
        return self.memory * GB if self.memory else float("inf")

    def time_message(self, what: str) -> str:
        """What is said of something that takes too long."""
        return f"{what} took longer than {self.minutes:g} minutes; give it more with --time-limit"

    def memory_message(self, what: str) -> str:
        """What is said of something that holds too much memory."""
        return f"{what} held more than {self.memory:.3g} GB of memory; give it more with --memory-limit"


def machine_memory() -> float:
    """The memory of this machine in GB, or of the control group that this process is in; 0 where it is not known."""
    total = 0
    with suppress(AttributeError, OSError, ValueError):  # Windows has no such call
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max" is no number
            granted = int(Path(place).read_text(encoding="ascii"))
            total = min(total, granted) if total else granted
    return total / GB


def memory_of(process: int) -> int:
    """Bytes that a process holds for itself, without files that it looks at; 0 where that is not known."""
    with suppress(OSError, ValueError, IndexError):
        _, resident, shared, *_ = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
    if process == os.getpid() and sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the most that it ever held
    return 0


def engine_memory() -> float:
    """What an engine may hold that can write the rest to a disk, in GB; 0 where there is no limit."""
    with suppress(ValueError):
        return 0.7 * max(float(os.environ.get(MEMORY, "") or 0), 0.0)
    return 0.0


NO_LIMITS = Limits()


@contextmanager
def watched(
    limits: Limits, process: Callable[[], int | None], exceeded: Callable[[str], None], what: str
) -> Iterator[None]:
    """Look at a process while the block lasts, in a thread.

    Args:
        limits: its limits.
        process: gives its id; None while there is none.
        exceeded: called once, in the thread, with what is to be said.
        what: what is watched, for the message.
    """
    done, begun = threading.Event(), time.monotonic()

    def look() -> None:
        while not done.wait(_EVERY):
            number = process()
            if time.monotonic() - begun > limits.seconds:
                return exceeded(limits.time_message(what))
            if number is not None and limits.memory and memory_of(number) > limits.bytes:
                return exceeded(limits.memory_message(what))
        return None

    thread = threading.Thread(target=look, name="limits", daemon=True)
    if limits.minutes or limits.memory:
        thread.start()
    try:
        yield
    finally:
        done.set()


class Exceeded:
    """Ends this program when it is called: an interrupt, and if that is not heeded, the end of the process.

    Attributes:
        reason: what is to be said of it; empty while nothing has happened.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._over = threading.Event()

    def __call__(self, reason: str) -> None:
        """Interrupt the main thread; if it goes on, say why and leave at once."""
        self.reason = reason
        if os.name == "posix":  # this wakes up what waits for the system as well
            os.kill(os.getpid(), signal.SIGINT)
        else:
            interrupt_main()
        if not self._over.wait(_GRACE):
            with suppress(OSError):
                os.write(2, f"cxresearch: {reason}\n".encode(errors="replace"))
            os._exit(
                _FAILED
            )  # what it holds on disk is cleared by the next run, and its lock is free

    def heed(self) -> None:
        """The main thread has stopped."""
        self._over.set()


@contextmanager
def enforced(limits: Limits, what: str = "this command") -> Iterator[Exceeded]:
    """Hold this process to its limits while the block lasts, and tell engines and kernels of them.

    Args:
        limits: of the process.
        what: what it is, for the message.

    Yields:
        What knows whether a limit was exceeded.

    Raises:
        LimitError: a limit was exceeded.
    """
    before = os.environ.get(MEMORY)
    os.environ[MEMORY] = f"{limits.memory:g}"
    end = Exceeded()
    try:
        with watched(limits, os.getpid, end, what):
            yield end
    except BaseException:
        if end.reason:  # an interrupted query may end in an error of its engine
            raise LimitError(end.reason) from None
        raise
    finally:
        end.heed()
        if before is None:
            os.environ.pop(MEMORY, None)
        else:
            os.environ[MEMORY] = before
