"""What all tests share: how many random studies are tried, and what is made once for all of them.

Six random studies are tried, or as many as CX_EXAMPLES says (`make test-all`: 25); new ones each time with CX_RANDOM.
"""

import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

import cxresearch as cx
from cxresearch.utils.bundled import copy_sample
from cxresearch.utils.slow_imports import import_jsonschema
from tests import studies

import_jsonschema()  # before a test imports nbformat or Altair
Made = TypeVar("Made")

# the key that shows what this user's runs have written; the user's own one stays out of tests
os.environ.setdefault("CX_STATE_OF_TESTS", tempfile.mkdtemp(prefix="cx-state-"))
os.environ["XDG_STATE_HOME"] = os.environ["CX_STATE_OF_TESTS"]

settings.register_profile(
    "studies",
    max_examples=int(os.environ.get("CX_EXAMPLES", "6")),
    deadline=None,
    derandomize="CX_RANDOM" not in os.environ,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("studies")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long by `slow_tests.txt` is marked so; scripts/slow_tests.py writes it from measured times."""
    names = set(Path(__file__).with_name("slow_tests.txt").read_text("utf-8").split())
    for item in items:
        if item.nodeid.split("[")[0] in names:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[], Made]], Made]:
    """`shared(name, make)` calls `make` once in a run, whichever worker comes first; what it makes can be pickled."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def get(name: str, make: Callable[[], Made]) -> Made:
        path = Path(folder / f"shared-{name}.pickle")
        with FileLock(f"{path}.lock"):
            if not path.exists():
                path.write_bytes(pickle.dumps(make()))
            return pickle.loads(path.read_bytes())

    return get


@pytest.fixture(scope="session")
def tried_sample(
    tmp_path_factory: pytest.TempPathFactory, shared: Callable[[str, Callable[[], Made]], Made]
) -> Path:
    """A folder with the sample study and what a first run has kept of it; made once, to be copied or only read.

    For tests that are about something else than trying claims: all numbers of all claims are there.
    """

    def make() -> Path:
        folder = tmp_path_factory.mktemp("tried-sample")
        copy_sample(folder)
        cx.evaluate(cx.read_study(folder))
        return folder

    return shared("tried-sample", make)


@pytest.fixture(scope="session")
def make_study() -> Callable[..., object]:
    """`make_study(world, customers, seed, **sections)` makes the study of a synthetic company."""
    return studies.make_study
