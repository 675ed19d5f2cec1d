"""Packed files: the one file that a zip archive, a gzip or a zstd file holds, up to a limit of what it may grow to."""

from __future__ import annotations

import gzip
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cxresearch.errors import SourceError

PACKED = (".zip", ".gz", ".zst")
FREE = 256 * 2**20  # bytes that any packed file may hold
RATIO = 250  # a file may hold so many times its packed size
MOST = 64 * 2**30  # bytes that no packed file may exceed
_PIECE = 2**20
_ZIP_NAMES = {".zip": "zip", ".gz": "gzip", ".zst": "zstd"}


def packed_suffix(name: str) -> str:
    """The ending of a packed file's name, in small letters; empty of another file."""
    return next((suffix for suffix in PACKED if name.lower().endswith(suffix)), "")


def inner_name(path: Path, label: str) -> str:
    """The name of the file within a packed file.

    Args:
        path: the packed file.
        label: how the source is called in messages.

    Raises:
        SourceError: a zip archive is torn, or holds no file or several.
    """
    if packed_suffix(path.name) != ".zip":
        return path.name[: -len(packed_suffix(path.name))]
    with _whole(".zip", label), zipfile.ZipFile(path) as archive:
        return Path(_only_member(archive, label).filename.replace("\\", "/")).name


def unpack(path: Path, folder: Path, label: str) -> Path:
    """Unpack a file.

    Args:
        path: a file whose name ends in one of `PACKED`.
        folder: a private folder to write to; the name within the archive does not decide where.
        label: how the source is called in messages.

    Returns:
        The unpacked file.

    Raises:
        SourceError: it is torn, encrypted, holds no file or several, or too much.
    """
    suffix = packed_suffix(path.name)
    most = min(MOST, max(FREE, RATIO * path.stat().st_size))
    target = folder / f"unpacked-{len(list(folder.iterdir()))}"
    with (
        _whole(suffix, label),
        _opened(path, suffix, most, label) as source,
        target.open("wb") as to,
    ):
        size = 0
        while piece := source.read(_PIECE):
            size += len(piece)
            if size > most:
                to.close()
                target.unlink()
                raise _too_much(label, most)
            to.write(piece)
    if not size:
        raise SourceError(f"{label} is empty: it holds a file of 0 bytes")
    return target


@contextmanager
def _opened(path: Path, suffix: str, most: int, label: str) -> Iterator[IO[bytes]]:
    if suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            member = _only_member(archive, label)
            if member.file_size > most:
                raise _too_much(label, most)
            with archive.open(member) as source:
                yield source
        return
    opener: Callable[[Path], Any] = gzip.open if suffix == ".gz" else _zstd
    with opener(path) as source:
        yield source


def _zstd(path: Path) -> Any:
    import pyarrow

    return pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")


def _only_member(archive: zipfile.ZipFile, label: str) -> zipfile.ZipInfo:
    # next to each file, some programs pack a second one that describes it
    members = [
        m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        names = ", ".join([*(repr(m.filename) for m in members[:3]), "…"][: len(members)])
        raise SourceError(
            f"{label} must hold one file, holds {len(members)}{f' ({names})' if members else ''}: "
            "unpack it and name the file that is meant"
        )
    (member,) = members
    if stat.S_ISLNK(member.external_attr >> 16):
        raise SourceError(f"{label} holds a link instead of a file: unpack it and name the file")
    if member.flag_bits & 1:
        raise SourceError(f"{label} is locked by a password: unpack it and name the file")
    return member


def _too_much(label: str, most: int) -> SourceError:
    return SourceError(
        f"{label} holds more than {most / 2**20:,.0f} MB, far more than its own size: if it can be trusted, "
        "unpack it and name the file"
    )


@contextmanager
def _whole(suffix: str, label: str) -> Iterator[None]:
    """Turn what the libraries say of a torn file into one error."""
    import pyarrow

    try:
        yield
    except SourceError:
        raise
    except (
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        NotImplementedError,
        EOFError,
        zlib.error,
        pyarrow.ArrowException,
        OSError,
    ) as e:
        if isinstance(e, PermissionError | FileNotFoundError):
            raise
        raise SourceError(
            f"{label} is not a whole {_ZIP_NAMES[suffix]} file: write it again"
        ) from None
