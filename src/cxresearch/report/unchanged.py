"""Whether a page would come out as it is: a digest of all that it is made from, and of no secret."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from cxresearch.report.plan import Plan
from cxresearch.study import Study

# what else the numbers and the pages rest on
_LIBRARIES = (
    "altair",
    "cxresearch",
    "ipykernel",
    "latex2mathml",
    "lifelines",
    "narwhals",
    "nbconvert",
    "numpy",
    "papermill",
    "polars",
    "polars-hash",
    "scipy",
    "sqlglot",
    "statsmodels",
    "vl-convert-python",
)


def inputs(file: Path, study: Study) -> str:
    """A digest of a study file as written, and of the files it leads to.

    Args:
        file: the study file; its variables stay unfilled.
        study: what was read from it.

    Returns:
        The digest; empty where something else than files on this machine is read, or a file is gone.
    """
    from cxresearch.risk.cache import digest
    from cxresearch.tables.sources import input_files

    files = input_files(study)
    if files is None:
        return ""
    try:
        return _digest(file.read_bytes(), digest(files, study.state / "cache").encode())
    except OSError:
        return ""


def key(plan: Plan, beside: Iterable[str], read: str) -> str:
    """A digest of all that a page is made from.

    Args:
        plan: the page.
        beside: the files of all pages in its folder, which it may lead to.
        read: from `inputs`.

    Returns:
        The digest; empty where that of the inputs is.
    """
    told = json.dumps([dict(plan.values), sorted(beside)], sort_keys=True)
    return _digest(read.encode(), plan.notebook.read_bytes(), told.encode(), _package().encode()) if read else ""


@cache
def _package() -> str:
    """The package as it is installed, and its libraries."""
    home = Path(__file__).parents[1]
    files = (p for p in sorted(home.rglob("*")) if p.is_file() and p.suffix not in (".pyc", ".part"))
    own = [part for p in files for part in (str(p.relative_to(home)).encode(), p.read_bytes())]
    return _digest(*own, sys.version.encode(), *(f"{name} {version(name)}".encode() for name in _LIBRARIES))


def _digest(*parts: bytes) -> str:
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()
