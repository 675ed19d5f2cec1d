"""Files that appear whole or not at all, and stay after a power cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MARK = "cx"


def stage(
    target: Path, write: Callable[[Path], object], *, mark: str = MARK, mode: int = 0o644
) -> Path:
    """Write a file beside its place, under a name that `leftovers` knows.

    Args:
        target: where it will go by a rename.
        write: called with the path to write to.
        mark: says in the name whose file it is.
        mode: who may read it, as the system's mask allows.

    Returns:
        The file written; it is on the disk, not only on its way there.

    Raises:
        OSError: it cannot be written; then nothing is left of it.
    """
    part = target.with_name(f".{target.name}.{mark}.part")
    try:
        part.unlink(missing_ok=True)  # what is there may be readable by others
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        write(part)
        sync(part)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return part


def put(target: Path, content: str, *, mode: int = 0o600) -> Path:
    """Write a text file whole or not at all.

    Args:
        target: the file.
        content: what it holds.
        mode: who may read it, as the system's mask allows.

    Returns:
        The file.

    Raises:
        OSError: it cannot be written; then what was there before is untouched.
    """
    part = stage(target, lambda p: p.write_text(content, encoding="utf-8"), mode=mode)
    part.replace(target)
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
