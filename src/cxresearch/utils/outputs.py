"""A file that somebody asked for: written completely, or left as it was."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from cxresearch.errors import ParameterError, ReportError
from cxresearch.utils.atomic import put_in_place, stage


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
            stage(path.resolve(), Path.touch, mark=_new_mark(), is_durable=False).unlink()
    except OSError as e:
        raise ReportError(f"cannot write {path}: {e.strerror}; name another file") from None


def write_output(path: Path, content: str | bytes) -> None:
    """Replace a file completely, or leave it as it is; write directly into a device or a pipe.

    Args:
        path: the file.
        content: what it shall hold; a text is written in UTF-8.

    Raises:
        ReportError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if _written_into(path):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as out:
                out.write(data)
            return
        target = path.resolve()  # whatever links lead there
        part = stage(target, lambda p: p.write_bytes(data), mark=_new_mark(), mode=0o666)
        if target.exists():
            part.chmod(stat.S_IMODE(target.stat().st_mode))
        put_in_place(part, target)
    except OSError as e:
        raise ReportError(f"cannot write {path}: {e.strerror}; name another file") from None


def _written_into(path: Path) -> bool:
    """Whether there is something else than a file, or the file that the output of this program goes to."""
    try:
        result = path.stat()
    except FileNotFoundError:
        return False
    streams = []
    for stream in (1, 2):
        with suppress(OSError):  # it may be closed
            streams.append(os.fstat(stream))
    return not stat.S_ISREG(result.st_mode) or any(os.path.samestat(result, o) for o in streams)


def _new_mark() -> str:
    """A mark of this call alone, so that no other one is in its way."""
    return f"cxresearch-{secrets.token_hex(4)}"
