"""How much processor time each test takes, with all processes it starts: `pytest -p tests.cpu_times --cpu-times FILE`.

Wall time depends on what else the machine does; processor time hardly does. A line for each test and phase: seconds,
phase, test.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

# opened once: a test may take away that files can be opened
LINES = pytest.StashKey[TextIO]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu-times", type=Path, help="file to which processor times are added")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--cpu-times"):
        config.stash[LINES] = path.open("a", encoding="utf-8", buffering=1)


def pytest_unconfigure(config: pytest.Config) -> None:
    if LINES in config.stash:
        config.stash[LINES].close()


def _spent() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _measure(item: pytest.Item, phase: str) -> Iterator[None]:
    begun = _spent()
    result = yield
    if lines := item.config.stash.get(LINES, None):
        lines.write(f"{_spent() - begun:.2f} {phase} {item.nodeid}\n")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    return (yield from _measure(item, "setup"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    return (yield from _measure(item, "call"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    return (yield from _measure(item, "teardown"))
