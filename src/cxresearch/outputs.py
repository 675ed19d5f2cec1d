"""A file that somebody asked for: whole, or as it was."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from cxresearch.errors import ParameterError, ReportError


def check_writable(path: Path) -> None:
    """Say before the long work, not after it, that a file cannot be written.

    Raises:
        ParameterError: there is no such folder.
        ReportError: it cannot.
    """
    if not path.parent.is_dir():
        raise ParameterError(
            f"cannot write {path}: no folder {path.parent}; make it, or name another"
        )
    try:
        if not _written_into(path):
            beside = _beside(path)
            beside.touch(exist_ok=False)
            beside.unlink()
    except OSError as e:
        raise ReportError(f"cannot write {path}: {e.strerror}; name another file") from None


def write_whole(path: Path, text: str) -> None:
    """Replace a file as a whole, or leave it as it is; into a device or a pipe, simply write.

    Raises:
        ReportError: it cannot be written.
    """
    try:
        if _written_into(path):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "w", encoding="utf-8") as out:
                out.write(text)
            return
        beside = _beside(path)
        try:
            beside.write_text(text, encoding="utf-8")
            if path.exists():
                beside.chmod(stat.S_IMODE(path.stat().st_mode))
            beside.replace(path.resolve())
        finally:
            beside.unlink(missing_ok=True)
    except OSError as e:
        raise ReportError(f"cannot write {path}: {e.strerror}; name another file") from None


def _written_into(path: Path) -> bool:
    """Whether there is something else than a file, or what this program's own output goes to."""
    try:
        result = path.stat()
    except FileNotFoundError:
        return False
    own = []
    for stream in (1, 2):
        with suppress(OSError):  # it may be closed
            own.append(os.fstat(stream))
    return not stat.S_ISREG(result.st_mode) or any(os.path.samestat(result, o) for o in own)


def _beside(path: Path) -> Path:
    """A name that is free, in the same folder, whatever links lead there."""
    return path.resolve().parent / f".cxresearch-{secrets.token_hex(4)}"
