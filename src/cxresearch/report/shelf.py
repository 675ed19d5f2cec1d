"""What lies in a folder of pages: the pages of a study's runs, each with the facts that the index shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from cxresearch.trust import signed, unsigned

FOLDER = "pages"


class Shelved(msgspec.Struct, frozen=True, kw_only=True):
    """A page that was published.

    Attributes:
        file: its name in the folder.
        title: as the index says it.
        made: when, UTC, ISO 8601 to the second.
        run: id of the run that made it.
        key: of all that it was made from; empty where that cannot be told.
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


class Shelf(msgspec.Struct, frozen=True):
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
    pages: tuple[Shelved, ...] = ()

    def get(self, file: str) -> Shelved | None:
        """The page of that name."""
        return next((p for p in self.pages if p.file == file), None)

    def here(self) -> tuple[Shelved, ...]:
        """The pages that are still in the folder."""
        return tuple(p for p in self.pages if (Path(self.out) / p.file).is_file())

    def with_pages(self, new: Sequence[Shelved]) -> Shelf:
        """The shelf with pages put in the place of those of their names, or at the end; what has gone is left out."""
        by = {p.file: p for p in new}
        here = {p.file for p in self.here()} | by.keys()
        old = [by.pop(p.file, p) for p in self.pages if p.file in here]
        return msgspec.structs.replace(self, pages=(*old, *by.values()))

    def holds(self, file: str, sha256: str) -> bool:
        """Whether a file of the folder is what was published."""
        try:
            return bool(sha256) and digest((Path(self.out) / file).read_bytes()) == sha256
        except OSError:
            return False


def place(state: Path, out: Path) -> Path:
    """Where the facts about a folder of pages are kept."""
    name = hashlib.blake2b(str(out.resolve()).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
    return state / FOLDER / f"{name}.json"


def read(state: Path, out: Path) -> Shelf:
    """The shelf of a folder of pages; an empty one where no run of this user is known."""
    empty = Shelf(str(out.resolve()))
    try:
        content = unsigned(_signs(out), place(state, out).read_bytes())
        found = msgspec.json.decode(content or b"", type=Shelf)
    except (OSError, msgspec.MsgspecError):
        return empty
    return found if found.out == empty.out else empty


def text(shelf: Shelf) -> str:
    """A shelf as it is kept, signed."""
    return signed(_signs(Path(shelf.out)), msgspec.json.encode(shelf)).decode()


def _signs(out: Path) -> str:
    return f"pages of {out.resolve()}"


def digest(content: bytes) -> str:
    """sha256, as `Shelved.sha256`."""
    return hashlib.sha256(content).hexdigest()


def moment(at: str) -> str:
    """A time for a log: ``2026-11-22 06:00 UTC``."""
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"
