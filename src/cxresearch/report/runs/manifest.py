"""What lies in a folder of pages, and whether a page is still up to date."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from cxresearch.report.runs.jobs import PageJob
from cxresearch.study import Study
from cxresearch.utils.trust import signed, unsigned

FOLDER = "pages"


class PublishedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page that was published.

    Attributes:
        file: its name in the folder.
        title: as in the index.
        made: when, UTC, ISO 8601 to the second.
        run: id of the run that made it.
        key: of all that it was made from; empty where that is not known.
        sha256: of the file.
        stale: why it could not be remade; empty if it is up to date.
        summary: the verdicts it shows, as `show.summary` sends them; None if it shows none.
    """

    file: str
    title: str
    made: str
    run: str
    key: str
    sha256: str
    stale: str = ""
    summary: dict[str, Any] | None = None


class Manifest(msgspec.Struct, frozen=True):
    """The pages of a folder.

    Attributes:
        out: the folder.
        study: id of the study, as in the ledger.
        index: sha256 of the index; empty if there is none.
        pages: in the order in which they were first published.
    """

    out: str
    study: str = ""
    index: str = ""
    pages: tuple[PublishedPage, ...] = ()

    def get(self, file: str) -> PublishedPage | None:
        """The page of that name."""
        return next((p for p in self.pages if p.file == file), None)

    def here(self) -> tuple[PublishedPage, ...]:
        """The pages that are still in the folder."""
        return tuple(p for p in self.pages if (Path(self.out) / p.file).is_file())

    def with_pages(self, new: Sequence[PublishedPage]) -> Manifest:
        """The manifest with new pages, in place of those of the same names or at the end, and without those gone."""
        new_pages = {p.file: p for p in new}
        here = {p.file for p in self.here()} | new_pages.keys()
        old = [new_pages.pop(p.file, p) for p in self.pages if p.file in here]
        return msgspec.structs.replace(self, pages=(*old, *new_pages.values()))

    def holds(self, file: str, sha256: str) -> bool:
        """Whether a file of the folder is what was published."""
        try:
            return bool(sha256) and digest((Path(self.out) / file).read_bytes()) == sha256
        except OSError:
            return False


def place(state: Path, out: Path) -> Path:
    """Where the facts about a folder of pages are kept."""
    name = hashlib.blake2b(
        str(out.resolve()).encode("utf-8", "surrogateescape"), digest_size=8
    ).hexdigest()
    return state / FOLDER / f"{name}.json"


def read(state: Path, out: Path) -> Manifest:
    """The manifest of a folder of pages; an empty one where no run of this user is known."""
    empty = Manifest(str(out.resolve()))
    try:
        content = unsigned(_signs(out), place(state, out).read_bytes())
        result = msgspec.json.decode(content or b"", type=Manifest)
    except (OSError, msgspec.MsgspecError):
        return empty
    return result if result.out == empty.out else empty


def text(manifest: Manifest) -> str:
    """A manifest as it is kept, signed."""
    return signed(_signs(Path(manifest.out)), msgspec.json.encode(manifest)).decode()


def _signs(out: Path) -> str:
    return f"pages of {out.resolve()}"


def digest(content: bytes) -> str:
    """sha256, as `PublishedPage.sha256`."""
    return hashlib.sha256(content).hexdigest()


def log_time(at: str) -> str:
    """A time for a log: ``2026-11-22 06:00 UTC``."""
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"


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
    from cxresearch.records.sources import input_files
    from cxresearch.risk.cache import digest

    files = input_files(study)
    if files is None:
        return ""
    try:
        return _digest(file.read_bytes(), digest(files, study.state / "cache").encode())
    except OSError:
        return ""


def key(job: PageJob, read: str) -> str:
    """A digest of all that a page is made from.

    Args:
        job: the page.
        read: from `inputs`.

    Returns:
        The digest; empty where that of the inputs is.
    """
    settings = json.dumps(dict(job.values), sort_keys=True)
    return (
        _digest(read.encode(), job.notebook.read_bytes(), settings.encode(), _package().encode())
        if read
        else ""
    )


@cache
def _package() -> str:
    """The package as it is installed, and its libraries."""
    home = Path(__file__).parents[2]
    files = (
        p for p in sorted(home.rglob("*")) if p.is_file() and p.suffix not in (".pyc", ".part")
    )
    contents = [part for p in files for part in (str(p.relative_to(home)).encode(), p.read_bytes())]
    return _digest(
        *contents,
        sys.version.encode(),
        *(f"{name} {version(name)}".encode() for name in _LIBRARIES),
    )


def _digest(*parts: bytes) -> str:
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()
