"""Risk tables kept between runs, under a name made of everything they depend on.

That is the content of the inputs, the part of the study file on how to read them, what is counted, and the
number `FORMAT`; never the engine, since all engines give the same tables. A file appears complete by a rename, and what
cannot be read again is made again, so neither a crash nor two writers do harm.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from hashlib import blake2b
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec
import polars as pl

from cxresearch.engines.flows import FLOWS
from cxresearch.records.audit import Audit, Fact, Finding
from cxresearch.records.follow_up import Window
from cxresearch.records.lapses import Lapse
from cxresearch.records.sources import input_files
from cxresearch.records.warnings import DataWarning
from cxresearch.risk.agents import AgentTable
from cxresearch.risk.gaps import GAPS, GapTable
from cxresearch.risk.matched import MatchedTable
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study
from cxresearch.utils.atomic import atomic_write
from cxresearch.utils.trust import check_state, is_signed, make_private, signature, signed, unsigned

Table = RiskTable | MatchedTable | AgentTable | GapTable
KEPT = 8  # states of the inputs that are kept, the last ones used
# Raise this number when the files of an earlier run would no longer be what a run today would write: when a field of a
# stored class is added, renamed or changes its meaning, and when equal inputs give other records, histories or tables,
# as after a correction of how something is counted. Files of another number are not read. A test in
# `tests/risk/test_cache.py` fails if what is stored of a small company changes and this number does not.
FORMAT = 9
_LIBRARIES = ("polars", "narwhals")
_SIGNED = ".signature"
_INPUTS = "inputs.json"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordsSummary:
    """What is known of a study once its tables have been read.

    Attributes:
        audit: every row accounted for.
        window: the log's own.
        fixed: names of the fixed covariates.
        available: what histories may read.
        lapse: which silence counts as a lapse; None with contracts.
    """

    audit: Audit
    window: Window
    fixed: tuple[str, ...]
    available: frozenset[str]
    lapse: Lapse | None = None


class _StoredSummary(msgspec.Struct, frozen=True):
    """A `RecordsSummary` without the quarantine."""

    tables: tuple[tuple[str, int], ...]
    read: tuple[tuple[str, int], ...]
    kept: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]
    facts: tuple[Fact, ...]
    warnings: tuple[DataWarning, ...]
    graded_by: str
    fingerprint: str
    quarantine: tuple[str, ...]
    first: int
    last: int
    fixed: tuple[str, ...]
    available: frozenset[str]
    lapse: Lapse | None


class Cache:
    """The tables of one state of a study's inputs.

    Args:
        study: whose inputs are files.
        folder: where everything is kept.
        inputs: from `digest`.
    """

    def __init__(self, study: Study, folder: Path, inputs: str) -> None:
        self.folder = folder / _short(inputs, _settings(study), _version())

    def records_summary(self) -> RecordsSummary | None:
        """What has been read, if it is kept."""
        with _missing():
            plain = msgspec.json.decode(self._read("reading.json"), type=_StoredSummary)
            quarantine = tuple(
                (t, pl.read_parquet(self._read(f"quarantine-{t}.parquet")))
                for t in plain.quarantine
            )
            audit = Audit(
                tables=plain.tables,
                read=plain.read,
                kept=plain.kept,
                findings=plain.findings,
                facts=plain.facts,
                warnings=plain.warnings,
                graded_by=plain.graded_by,
                fingerprint=plain.fingerprint,
                quarantine=quarantine,
            )
            return RecordsSummary(
                audit,
                Window(plain.first, plain.last),
                plain.fixed,
                plain.available,
                plain.lapse,
            )
        return None

    def keep_records_summary(self, result: RecordsSummary) -> None:
        """Keep what `records_summary` gives."""
        audit, window = result.audit, result.window
        names = tuple(t for t, _ in audit.quarantine)
        plain = _StoredSummary(
            tables=audit.tables,
            read=audit.read,
            kept=audit.kept,
            findings=audit.findings,
            facts=audit.facts,
            warnings=audit.warnings,
            graded_by=audit.graded_by,
            fingerprint=audit.fingerprint,
            quarantine=names,
            first=window.first,
            last=window.last,
            fixed=result.fixed,
            available=result.available,
            lapse=result.lapse,
        )
        for table, frame in audit.quarantine:
            self._write(f"quarantine-{table}.parquet", frame)
        self._write("reading.json", msgspec.json.encode(plain))

    def table(self, key: str) -> Table | None:
        """The table of a counting's key, if it is kept."""
        name = _short(key)
        with _missing():
            facts = self._read(f"{name}.json")
            frames = {
                part: pl.read_parquet(self._read(f"{name}-{part}.parquet"))
                for part in msgspec.json.decode(facts)["parts"]
            }
            values = {k: v for k, v in msgspec.json.decode(facts).items() if k != "parts"} | frames
            kinds: dict[str, type[Table]] = {
                "flows": RiskTable,
                "spans": MatchedTable,
                "counts": AgentTable,
                "gaps": GapTable,
            }
            made = _made(next(kind for part, kind in kinds.items() if part in frames), values)
            return made if _has_its_columns(made) else None
        return None

    def keep_table(self, key: str, table: Table) -> None:
        """Keep a table."""
        name = _short(key)
        values = {f.name: getattr(table, f.name) for f in fields(table) if f.init}
        frames = {k: v for k, v in values.items() if isinstance(v, pl.DataFrame)}
        for part, frame in frames.items():
            self._write(f"{name}-{part}.parquet", frame)
        # what may be shown is said by the study that reads it again
        plain = {k: v for k, v in values.items() if k not in {*frames, "min_cell"}}
        self._write(f"{name}.json", msgspec.json.encode(plain | {"parts": list(frames)}))

    def read_result(self, name: str) -> bytes | None:
        """What was computed of the tables, if it is kept under that name."""
        with _missing():
            return self._read(name)
        return None

    def keep_result(self, name: str, content: bytes) -> None:
        """Keep what was computed of the tables."""
        self._write(name, content)

    def _read(self, name: str) -> bytes:
        """What this user has kept under a name; whatever else lies there is made again."""
        content = (self.folder / name).read_bytes()
        mac = (self.folder / f"{name}{_SIGNED}").read_text(encoding="ascii", errors="replace")
        if not is_signed(f"{self.folder.name}/{name}", content, mac):
            raise OSError(f"{name} is not signed")
        return content

    def _write(self, name: str, what: bytes | pl.DataFrame) -> None:
        """Whole or not at all; where the folder cannot be written, or no key kept, nothing is kept."""
        content = what if isinstance(what, bytes) else _as_parquet(what)
        if mac := signature(f"{self.folder.name}/{name}", content):
            self._put(name, content)
            self._put(f"{name}{_SIGNED}", mac.encode())

    def _put(self, name: str, content: bytes) -> None:
        with suppress(OSError):
            if not self.folder.exists():
                make_private(self.folder)
                _forget(self.folder)
            _replace(self.folder / name, content)


def opened(study: Study) -> Cache | None:
    """The cache of a study in its state folder; None where the inputs are not files on this machine.

    Raises:
        StateError: the state folder is not trusted.
    """
    files = input_files(study)
    if files is None:
        return None
    folder = study.state / "cache"
    check_state(study.state)
    try:
        return Cache(study, folder, digest(files, folder))
    except OSError:
        return None


def digest(files: list[Path], memory: Path) -> str:
    """A digest of the files' contents, in this order, and of folders that are columns, such as ``year=2024``.

    A file whose place, size and time of change are those of an earlier run is not read again.

    Args:
        files: the inputs.
        memory: folder in which earlier digests are kept.
    """
    remembered: dict[str, str] = {}
    with _missing():
        kept = unsigned(_INPUTS, (memory / _INPUTS).read_bytes())
        remembered = msgspec.json.decode(kept or b"{}", type=dict[str, str])
    result = {}
    for file in files:
        stat = file.stat()
        seen = _short(
            str(file.resolve()), str(stat.st_size), str(stat.st_mtime_ns), str(stat.st_ino)
        )
        result[seen] = remembered.get(seen) or _content(file)
    if result.keys() - remembered.keys():
        recent = dict(list((remembered | result).items())[-1000:])
        with suppress(OSError):
            make_private(memory)
            _replace(memory / _INPUTS, signed(_INPUTS, msgspec.json.encode(recent)))
    return _short(
        *result.values(), *(part for file in files for part in file.parts[:-1] if "=" in part)
    )


def _replace(file: Path, content: bytes) -> None:
    """Not waited for until it is on the disk: what a power cut has emptied is not signed, and is counted again."""
    atomic_write(file, content, mark=str(os.getpid()), is_durable=False)


def _as_parquet(frame: pl.DataFrame) -> bytes:
    written = BytesIO()
    frame.write_parquet(written)
    return written.getvalue()


def _content(file: Path) -> str:
    hashed = blake2b(digest_size=16)
    with file.open("rb") as opened_file:
        while block := opened_file.read(1 << 22):
            hashed.update(block)
    return hashed.hexdigest()


def _short(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def _settings(study: Study) -> str:
    """The part of a study that defines how its inputs are read and graded."""
    sections = (study.interactions, study.moments, study.retention, study.customers, study.tables)
    return msgspec.json.encode(sections).decode()


def _version() -> str:
    """The format, and the libraries that the tables are counted with."""
    return " ".join((f"format {FORMAT}", *(f"{name} {version(name)}" for name in _LIBRARIES)))


def _forget(newest: Path) -> None:
    """Drop all but the last states; the newest stays, whatever the clock shows."""
    others = sorted(
        (p for p in newest.parent.iterdir() if p.is_dir() and p != newest),
        key=lambda p: p.stat().st_mtime,
        reverse=True,
    )
    for old in others[KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


def _has_its_columns(table: Table) -> bool:
    """Whether the frames of a kept table have the columns of their kind, all of them whole numbers."""
    if isinstance(table, RiskTable):
        features = [f.name for f in table.features]
        wanted = {
            "flows": ["group", "time", *features, *FLOWS, *table.causes],
            "population": ["group", "customers", "clusters"],
        }
    elif isinstance(table, MatchedTable):
        wanted = {
            "exposed": ["group", "stratum", "pattern", "day", "time", "event", "customers"],
            "spans": [
                *("group", "stratum", "pattern", "first", "last", "end"),
                *("event", "customers"),
            ],
            "population": ["group", "customers", "clusters"],
        }
    elif isinstance(table, GapTable):
        wanted = {"gaps": [*GAPS, *table.marks]}
    else:
        wanted = {"counts": ["agent", "stratum", "half", "moments", "bad"]}
    frames = {name: getattr(table, name).schema for name in wanted}
    return all(
        list(schema) == wanted[name] and all(kind.is_integer() for kind in schema.values())
        for name, schema in frames.items()
    )


@contextmanager
def _missing() -> Iterator[None]:
    """What is not there, or not whole, is not kept."""
    with suppress(
        OSError,
        msgspec.MsgspecError,
        pl.exceptions.PolarsError,
        KeyError,
        StopIteration,
        TypeError,
        ValueError,
    ):
        yield


def _made(kind: type[T], values: dict[str, Any]) -> T:
    """A table from its fields; lists become the tuples and dataclasses that its annotations say."""
    hints = get_type_hints(kind)
    return kind(
        **{
            k: v if isinstance(v, pl.DataFrame) else msgspec.convert(v, hints[k])
            for k, v in values.items()
        }
    )
