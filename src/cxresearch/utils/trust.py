"""What a study folder is trusted with: variables, hosts and state folders, and files that this user's runs wrote.

A study folder may come from a stranger, its state folder included. So what decides here lies outside of it: what the
user allows in the environment, who owns a folder, and a key that never leaves the state directory of the user.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cxresearch.errors import StateError
from cxresearch.utils.atomic import stage

ALLOW_ENV = (
    "CXRESEARCH_ALLOW_ENV"  # names of variables that a study's sources may use, separated by commas
)
ALLOW_HOSTS = (
    "CXRESEARCH_ALLOW_HOSTS"  # database hosts that the user has confirmed, separated by commas
)
WORK = "work"  # what runs hold in a state folder while they last
SPILL = "spill"  # what DuckDB has no memory for
_KEY = "key"
_MAC = 64  # hexadecimal digits

# what Python, the system and the numerical libraries need; nothing that holds a secret by custom
_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TZDIR|TMPDIR|TMP|TEMP|XDG_STATE_HOME|XDG_CACHE_HOME"
    r"|PYTHONPATH|PYTHONHASHSEED|PYTHONUTF8|PYTHONIOENCODING|PYTHONDONTWRITEBYTECODE|PYTHONUNBUFFERED|PYTHONWARNINGS"
    r"|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|VIRTUAL_ENV|CONDA_PREFIX|\w+_NUM_THREADS|POLARS_MAX_THREADS"
    r"|CXRESEARCH_STATE|CXRESEARCH_ALLOW_\w+"
    r"|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|PROGRAMDATA|USERPROFILE|NUMBER_OF_PROCESSORS"
)
_PATHS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_SPARK = re.compile(r"JAVA_HOME|JAVA_TOOL_OPTIONS|SPARK_\w+|PYSPARK_\w+|HADOOP_\w+|YARN_CONF_DIR")
_SERVER = re.compile(r"PG[A-Z]+")  # what the driver of a PostgreSQL server reads


def kernel_variables(*, spark: bool, server: bool) -> dict[str, str]:
    """The part of the environment that a notebook's kernel gets.

    Args:
        spark: whether Spark reads the tables.
        server: whether a PostgreSQL server is asked.

    Returns:
        Names and values. Search paths hold absolute folders only, since the kernel works in the study folder.
    """
    patterns = [_PASSED, *([_SPARK] if spark else []), *([_SERVER] if server else [])]
    passed = {k: v for k, v in os.environ.items() if any(p.fullmatch(k) for p in patterns)}
    for name in _PATHS:
        if name in passed:
            passed[name] = os.pathsep.join(
                p for p in passed[name].split(os.pathsep) if Path(p).is_absolute()
            )
    return passed


def variable(name: str, given: Mapping[str, str]) -> str | None:
    """The value of ``${NAME}`` in a study: one that was given, or one of the environment that the user allows."""
    return given.get(name, os.environ.get(name) if name in _listed(ALLOW_ENV) else None)


def allowing(names: Mapping[str, str]) -> str:
    """What `ALLOW_ENV` must hold so that these variables are allowed, too."""
    return ",".join(sorted({*_listed(ALLOW_ENV), *names}))


def is_local(host: str) -> bool:
    """Whether a host is this machine: a socket's folder, a name of the loopback interface, or nothing."""
    if not host or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def is_confirmed(host: str) -> bool:
    """Whether a host is this machine, or one that the user has confirmed."""
    return is_local(host) or host.lower() in {h.lower() for h in _listed(ALLOW_HOSTS)}


def _listed(name: str) -> set[str]:
    return {part.strip() for part in os.environ.get(name, "").split(",")} - {""}


def check_state(folder: Path) -> None:
    """Refuse a state folder that somebody else may have prepared.

    Args:
        folder: the state folder; one that is not there yet is fine.

    Raises:
        StateError: it, or something in it, belongs to another user, can be written by others, is a link or has a
            second name, or is no file or folder.
    """
    for path in _entries(folder):
        try:
            result = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue  # not made yet, or cleared by another run
        except OSError as e:
            raise StateError(
                f"cannot look into the state folder {folder}: {e.strerror or e}; give another folder with --state"
            ) from None
        if wrong := _distrusted(result):
            raise StateError(
                f"the state folder {folder} is not trusted: {path} {wrong}; remove it if you do not know it, "
                "or give another folder with --state"
            )


def _entries(folder: Path) -> Iterator[Path]:
    """A state folder and all that is in it; of what runs hold while they last, the folders only."""
    yield folder
    if folder.is_symlink() or not folder.is_dir():
        return
    for place, folders, files in os.walk(folder, followlinks=False):
        yield from (Path(place) / name for name in (*folders, *files))
        if Path(place) in (folder / WORK, folder / SPILL):
            folders.clear()


def _distrusted(result: os.stat_result) -> str:
    if stat.S_ISLNK(result.st_mode):
        return "is a link"
    if not (stat.S_ISREG(result.st_mode) or stat.S_ISDIR(result.st_mode)):
        return "is neither a file nor a folder"
    if stat.S_ISREG(result.st_mode) and result.st_nlink > 1:
        return "has a second name elsewhere"
    if os.name == "posix":
        if result.st_uid != os.geteuid():
            return "belongs to another user"
        if result.st_mode & 0o022:
            return "can be written by other users"
    return ""


def make_private(folder: Path) -> Path:
    """Make a folder, and those above it, for its owner only; those that are there stay as they are.

    Raises:
        OSError: it cannot be made.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
    if not folder.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(folder))
    return folder


def signature(purpose: str, content: bytes) -> str:
    """The proof that a run of this user wrote some content; empty where no key can be kept.

    Args:
        purpose: what the content is, and where it belongs, so that it is taken for nothing else.
        content: what is signed.
    """
    key = _key()
    return hmac.new(key, purpose.encode() + b"\0" + content, sha256).hexdigest() if key else ""


def is_signed(purpose: str, content: bytes, mac: str) -> bool:
    """Whether `signature` gave this of the content."""
    made = signature(purpose, content)
    return bool(made) and hmac.compare_digest(made.encode(), mac.encode())


def signed(purpose: str, content: bytes) -> bytes:
    """Content with its signature before it."""
    return signature(purpose, content).ljust(_MAC, "-").encode() + b"\n" + content


def unsigned(purpose: str, content: bytes) -> bytes | None:
    """The content of what `signed` made; None if this user has not signed it."""
    mac, rest = content[:_MAC], content[_MAC + 1 :]
    return rest if is_signed(purpose, rest, mac.decode("ascii", "replace")) else None


def _key() -> bytes:
    """The user's key, made at its first use; empty where none can be kept."""
    home = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".local" / "state"
        file = base / "cxresearch" / _KEY
        if not file.exists():
            make_private(file.parent)
            key, mark = secrets.token_bytes(32), secrets.token_hex(8)
            part = stage(file, lambda p: p.write_bytes(key), mark=mark, mode=0o600)
            try:
                os.link(part, file)  # the first of several runs wins
            except FileExistsError:
                pass
            finally:
                part.unlink()
        result = file.lstat()
        if not stat.S_ISREG(result.st_mode) or (os.name == "posix" and result.st_mode & 0o077):
            return b""
        if os.name == "posix" and result.st_uid != os.geteuid():
            return b""
        key = file.read_bytes()
    except (OSError, RuntimeError):
        return b""
    return key if len(key) == 32 else b""
