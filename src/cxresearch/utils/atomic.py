"""Files that are written completely or not at all, and stay after a power cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MARK = "cx"


def stage(
    target: Path,
    write: Callable[[Path], object],
    *,
    mark: str = MARK,
    mode: int = 0o644,
    is_durable: bool = True,
) -> Path:
    """Write a file in the folder of its target, under a name that `leftovers` knows.

    Args:
        target: where it will go by a rename.
        write: called with the path to write to.
        mark: part of the name, by which unfinished files of one writer are recognised.
        mode: who may read it, as the system's mask allows.
        is_durable: wait until it is on the disk; without, a power cut may leave an empty file after the rename.

    Returns:
        The file written.

    Raises:
        OSError: it cannot be written; then nothing is left of it.
    """
    part = target.with_name(f".{target.name}.{mark}.part")
    try:
        part.unlink(missing_ok=True)  # what is there may be readable by others
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        write(part)
        if is_durable:
            sync(part)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return part


def atomic_write(
    target: Path,
    content: str | bytes,
    *,
    mark: str = MARK,
    mode: int = 0o600,
    is_durable: bool = True,
) -> Path:
    """Write a file completely or not at all: a temporary file in the same folder, fsync, rename.

    Args:
        target: the file.
        content: what it holds; text is written as UTF-8, with the ends of lines as they are.
        mark: as for `stage`.
        mode: as for `stage`.
        is_durable: as for `stage`.

    Returns:
        The file.

    Raises:
        OSError: it cannot be written; then what was there before is untouched.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    part = stage(target, lambda p: p.write_bytes(data), mark=mark, mode=mode, is_durable=is_durable)
    return put_in_place(part, target, is_durable=is_durable)


def put_in_place(part: Path, target: Path, *, is_durable: bool = True) -> Path:
    """Rename a file that `stage` has written to its target, and return the target.

    Raises:
        OSError: it cannot be renamed; then nothing is left of it, and what was there before is untouched.
    """
    try:
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    if is_durable:
        sync(target.parent)
    return target


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Raises:
        OSError: the disk is full or fails.
    """
    if path.is_dir() and os.name != "posix":
        return  # only POSIX opens folders
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def leftovers(folder: Path, mark: str = MARK) -> list[Path]:
    """Files in a folder that `stage` began under a mark and nobody finished."""
    with suppress(OSError):
        return [
            p
            for p in folder.iterdir()
            if p.name.startswith(".") and p.name.endswith(f".{mark}.part")
        ]
    return []
