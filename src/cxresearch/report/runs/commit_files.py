"""From files that are ready to files that count: all of a run's, in one order, whatever happens in between.

Everything is first written completely, in the folder of its target. Then a note of what is to be renamed appears, by a
rename: from here on the run counts, and a run that is killed is finished by the next. Before, it has left nothing but
parts to clear.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from cxresearch.errors import StateError
from cxresearch.report.runs.ledger import FOLDER as LEDGER
from cxresearch.report.runs.manifest import FOLDER as PAGES
from cxresearch.utils.atomic import MARK, atomic_write, leftovers, sync
from cxresearch.utils.trust import SPILL, WORK, make_private, signed, unsigned

DEEPEST = 90  # bytes of a folder's path in which sockets are to lie: the system allows about 104 for theirs
LOG_SUFFIX = ".log"  # ending of the files that kernels write to
_NOTE = "publishing.json"
_OUT, _SOCKETS = "out", "sockets"

Move = tuple[Path, Path]  # the file written, and its place


def mark_of(state: Path) -> str:
    """The mark by which a study's unfinished files in a folder of pages are recognised, if several studies share it."""
    return hashlib.blake2b(os.fsencode(state.resolve()), digest_size=4).hexdigest()


def publish(state: Path, moves: Sequence[Move], say: Callable[[str], None]) -> None:
    """Rename files to their places, in this order.

    Args:
        state: the study's state folder, its lock held.
        moves: files that are on the disk.
        say: called with a line before each step.

    Raises:
        OSError: a folder cannot be written. Once the note is there, the next run renames what is left to rename.
    """
    say("publishing")
    targets = [
        [str(part.resolve()), str(target.parent.resolve() / target.name)] for part, target in moves
    ]
    try:
        note = atomic_write(
            state / _NOTE, signed(_signs(state, _NOTE), json.dumps(targets).encode()).decode()
        )
    except BaseException:
        discard(moves)
        raise
    folders: list[Path] = []
    for part, target in moves:
        if not folders or target.parent != folders[-1]:
            say(f"renaming in {target.parent.name}")
            folders.append(target.parent)
        part.replace(target)
    for folder in dict.fromkeys(folders):
        sync(folder)
    note.unlink()
    sync(state)


def unfinished(state: Path) -> bool:
    """Whether files wait for the next run to rename them."""
    return (state / _NOTE).exists()


def discard(moves: Sequence[Move]) -> None:
    """Remove files that will not be published."""
    for part, _ in moves:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def workplace(state: Path, run: str, out: Path) -> tuple[Path, Path]:
    """Make a folder for what a run needs while it lasts, readable by its owner only.

    Args:
        state: the study's state folder, its lock held.
        run: id of the run.
        out: folder for the pages; noted, so that the next run can clear it.

    Returns:
        The folder, and one whose path is short enough for the sockets of a kernel.

    Raises:
        OSError: it cannot be made.
    """
    work = state / WORK / run
    make_private(work.parent)
    work.mkdir(mode=0o700)
    _remember(state, work / _OUT, out.resolve())
    (work / "tmp").mkdir(mode=0o700)
    if len(os.fsencode(work)) < DEEPEST:
        return work, work
    sockets = Path(tempfile.mkdtemp(prefix="cxresearch-"))
    _remember(state, work / _SOCKETS, sockets)
    return work, sockets


def tidy(state: Path, out: Path) -> bool:
    """Finish or clear what a killed run has left.

    Args:
        state: the study's state folder, its lock held.
        out: folder for the pages.

    Returns:
        Whether a run was finished.

    Raises:
        OSError: a page that counts cannot be renamed to its place.
        StateError: a note is not by a run of this user.
    """
    finished = _finish(state, out)
    noted = (_remembered(state, p) for p in (state / WORK).glob(f"*/{_OUT}"))
    outs = {out, *(p for p in noted if p)}
    mark = mark_of(state)
    for part in (p for folder in outs for p in leftovers(folder, mark)):
        part.unlink(missing_ok=True)
    failed = state / "failed"  # of one study, or with a folder for each
    for folder in (state, state / LEDGER, state / PAGES, failed, *failed.glob("*/")):
        for part in leftovers(folder):
            part.unlink(missing_ok=True)
    for work in (state / WORK).glob("*"):
        clear(work)
    _clear_cache(state / "cache")
    for left in (state / SPILL).glob("*-*"):
        if left.name.split("-")[0].isdigit() and not _alive(int(left.name.split("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    return finished


def hold(stream: BinaryIO) -> None:
    """Make a file that a kernel is given to write to tell whether the kernel lives; see `clear`."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear(work: Path) -> None:
    """Remove a run's workplace; a kernel that has lost its run ends within a second or two, and is waited for."""
    for log in work.glob(f"*{LOG_SUFFIX}"):
        _wait_for_its_end(log)
    sockets = _remembered(work.parent.parent, work / _SOCKETS)
    if sockets and sockets.name.startswith("cxresearch-"):
        shutil.rmtree(sockets, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)
    with suppress(OSError):
        work.parent.rmdir()


def _wait_for_its_end(log: Path, seconds: float = 10) -> None:
    """The lock of such a file is shared with the kernel that inherited it, and is free when both are gone."""
    if sys.platform == "win32":
        return
    import fcntl

    end = time.monotonic() + seconds
    if log.is_symlink() or not log.is_file():
        return
    with suppress(FileNotFoundError), log.open("rb") as stream:
        while time.monotonic() < end:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(0.05)
            else:
                return


def _signs(state: Path, name: str) -> str:
    """What a note is signed as: it counts in this state folder only."""
    return f"{name} in {state.resolve()}"


def _remember(state: Path, note: Path, folder: Path) -> None:
    signs = _signs(state, f"{note.parent.name}/{note.name}")
    note.write_bytes(signed(signs, os.fsencode(folder)))  # in a folder that nobody else reads yet


def _remembered(state: Path, note: Path) -> Path | None:
    """The folder that a run of this user has noted; None if there is no such note."""
    if note.is_symlink() or not note.is_file():
        return None
    content = unsigned(_signs(state, f"{note.parent.name}/{note.name}"), note.read_bytes())
    return Path(os.fsdecode(content)) if content else None


def _finish(state: Path, out: Path) -> bool:
    note = state / _NOTE
    try:
        kept = note.read_bytes()
    except FileNotFoundError:
        return False
    content = unsigned(_signs(state, _NOTE), kept)
    moves = (
        [(Path(part), Path(target)) for part, target in json.loads(content)]
        if content is not None
        else []
    )
    folders = {
        state / LEDGER,
        state / PAGES,
        out,
        *(_remembered(state, p) for p in (state / WORK).glob(f"*/{_OUT}")),
    }
    known = {folder.resolve() for folder in folders if folder}
    if content is None or not all(_is_ours(state, part, target, known) for part, target in moves):
        raise StateError(
            f"the state folder {state} is not trusted: {note} is not by a run of this user; remove it if you do not "
            "know it, or give another folder with --state"
        )
    for part, target in moves:
        with suppress(FileNotFoundError):  # it is in its place
            part.replace(target)
    for folder in {target.parent for _, target in moves}:
        with suppress(FileNotFoundError):
            sync(folder)
    note.unlink()
    return True


def _is_ours(state: Path, part: Path, target: Path, folders: Set[Path]) -> bool:
    """Whether a part is to be renamed within one of the folders, and bears our mark."""
    names = {f".{target.name}.{mark}.part" for mark in (MARK, mark_of(state))}
    return part.name in names and part.parent == target.parent and target.parent in folders


def _clear_cache(folder: Path) -> None:
    """Parts of kept tables whose writers are gone; other commands may be writing now."""
    with suppress(OSError):
        for place in (folder, *(p for p in folder.iterdir() if p.is_dir())):
            for part in place.glob(".*.part"):
                writer = part.suffixes[-2][1:]
                if writer.isdigit() and not _alive(int(writer)):
                    part.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    if os.name != "posix" or pid == os.getpid():
        return os.name != "posix"
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True
