"""The ledger: the results of each run of `cxresearch report`, in the order in which the runs held the lock.

A run adds one Parquet file. When there are many, they are put together in one, with the same rows.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path

import msgspec
import polars as pl

from cxresearch.claims.look_state import LookState, looks_file
from cxresearch.study import Study
from cxresearch.utils.atomic import atomic_write, put_in_place, stage
from cxresearch.utils.trust import is_signed, make_private, signature, signed, unsigned

FOLDER = "ledger"
SHOWN = 12  # runs of a claim that a page tells one by one
FILES = 50  # of single runs, from which on they are put together
_SIGNED = "cxresearch.signature"
_RUN = re.compile(r"[0-9A-Za-z-]+")
_NUMBER = re.compile(r"(?:runs-)?(\d{8})\b.*")
_SINGLE, _TOGETHER = "[!.]*.parquet", "runs-*.signed"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One reading of one claim in one run.

    Attributes:
        run: id of the run; ids sort in the order of the runs, whatever the clock said.
        at: when, UTC, ISO 8601 to the second.
        study: id of the study.
        fingerprint: of the data, as in the audit, the JSON and on pages.
        version: of the package.
        data_from: first day of the log, ISO.
        data_until: last day of the log, ISO.
        claim: id of the claim.
        reading: id of the reading.
        primary: whether the verdict on the claim rests on it.
        verdict: supported, contradicted, undecided or not testable; of a primary reading, as one of the family.
        verdict_alone: by itself.
        estimate: the number, in ``unit``; None if not testable.
        ci_low: lower limit.
        ci_high: upper limit.
        level: confidence level of the interval.
        interval: ``fixed`` or ``anytime``.
        unit: as `ReadingResult.unit`.
        se: robust error on the scale of the interval.
        customers: in the table behind the number.
        events: that count.
        family: ids of the claims that it was judged with, in order, with commas between them.
        rows_kept: contacts in the data.
        customers_kept: customers in the data.
        counted: digest of what was counted for the claims of the docket; empty in runs before it was kept.
        number: which of the runs on its claim it is, from 1, as `read_history` counts them; 0 where it was not counted.
    """

    run: str
    at: str
    study: str
    fingerprint: str
    version: str
    data_from: str
    data_until: str
    claim: str
    reading: str
    primary: bool
    verdict: str
    verdict_alone: str
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    level: float
    interval: str
    unit: str
    se: float | None
    customers: int
    events: int
    family: str
    rows_kept: int = 0
    customers_kept: int = 0
    counted: str = ""
    number: int = 0


_KINDS = {
    "bool": pl.Boolean(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "float | None": pl.Float64(),
    "str": pl.String(),
}
SCHEMA = pl.Schema(
    {
        f.name: _KINDS[str(f.type)]
        for f in RunRecord.__dataclass_fields__.values()
        if f.name != "number"
    }
)


def identity(study: Study) -> str:
    """What a study is called in the ledger: its id, or else its name."""
    return study.info.id or study.name


def prepared(folder: Path, records: Sequence[RunRecord]) -> tuple[Path, Path]:
    """Write the records of a run to a file that does not count yet.

    Args:
        folder: the study's state folder.
        records: of one run; at least one.

    Returns:
        The file written, and the name under which it counts.

    Raises:
        ValueError: there are no records, or they are of several runs, or the run's id is no file name.
        OSError: the folder cannot be written.
    """
    runs = {x.run for x in records}
    if len(runs) != 1 or not _RUN.fullmatch(min(runs)):
        raise ValueError(f"a file of the ledger holds one run, were {sorted(runs)}")
    home = folder / FOLDER
    make_private(home)
    target = home / f"{min(runs)}.parquet"
    rows = [{name: getattr(x, name) for name in SCHEMA.names()} for x in records]
    frame = pl.DataFrame(rows, schema=SCHEMA)
    signed_by = {_SIGNED: signature(target.name, _content(frame))}
    return stage(target, partial(frame.write_parquet, metadata=signed_by), mode=0o600), target


def prepared_looks(folder: Path, study: str, state: LookState) -> tuple[Path, Path]:
    """Write what the next look at a study will find to a file that does not count yet; as `prepared`.

    Args:
        folder: the study's state folder.
        study: id of the study.
        state: what this look leaves.

    Raises:
        OSError: the folder cannot be written.
    """
    target = looks_file(folder, study)
    make_private(target.parent)
    content = signed(target.name, msgspec.json.encode(state))
    return stage(target, lambda part: part.write_bytes(content), mode=0o600), target


def _content(frame: pl.DataFrame) -> bytes:
    """What a file's signature is made of."""
    return repr(frame.rows()).encode()


def record(folder: Path, records: Sequence[RunRecord]) -> Path:
    """Add the records of a run: one file, complete or not at all.

    Args:
        folder: the study's state folder.
        records: of one run; at least one.

    Returns:
        The file.

    Raises:
        ValueError: there are no records, or they are of several runs, or the run's id is no file name.
        OSError: the folder cannot be written.
    """
    part, target = prepared(folder, records)
    return put_in_place(part, target)


def next_run(folder: Path, now: datetime) -> str:
    """An id that sorts after those of all runs on record, whatever the clock shows.

    Args:
        folder: the study's state folder, its lock held.
        now: the time, which is part of the id for people.
    """
    home = folder / FOLDER
    numbers = [0]
    for pattern in (_SINGLE, _TOGETHER):
        for file in sorted(_files(home, pattern), reverse=True):
            found = _NUMBER.fullmatch(file.name)
            if found and _read(file) is not None:  # a file that is not ours decides nothing
                numbers.append(int(found[1]))
                break
    return f"{max(numbers) + 1:08d}-{now:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(2)}"


def put_together(folder: Path, least: int = FILES) -> None:
    """Put the files of single runs together in one, if there are many; killed at any time, no run is lost or doubled.

    Args:
        folder: the study's state folder, its lock held.
        least: how many files are many.

    Raises:
        OSError: the folder cannot be written.
    """
    home = folder / FOLDER
    single = {file: frame for file in _files(home, _SINGLE) if (frame := _read(file)) is not None}
    if len(single) < least or not signature("", b""):
        return
    before = {f: frame for f in _files(home, _TOGETHER) if (frame := _read(f)) is not None}
    frame = _in_order([*before.values(), *single.values()])
    last = _NUMBER.fullmatch(max(file.name for file in single))
    target = home / f"runs-{last[1] if last else '0' * 8}.signed"
    written = BytesIO()
    frame.write_parquet(written)
    atomic_write(target, signed(target.name, written.getvalue()))
    for file in (*before, *single):
        if file != target:
            file.unlink(missing_ok=True)


def read_run_records(folder: Path, study: str, say: Tell | None = None) -> tuple[RunRecord, ...]:
    """All records of a study, the oldest run first.

    Args:
        folder: the study's state folder.
        study: id of the study.
        say: called with a line for each file that cannot be read and is passed over.

    Returns:
        The records, within a run in the order in which they were recorded.
    """
    return _as_records(_of_study(folder, study, say))


def read_history(folder: Path, study: str, say: Tell | None = None) -> tuple[RunRecord, ...]:
    """What pages tell of earlier runs: the records that verdicts rest on, without those that no page needs.

    Of each claim, these are the last ones and those between which its verdict last changed.

    Args:
        folder: the study's state folder.
        study: id of the study.
        say: as for `read_run_records`.

    Returns:
        The records, oldest run first, each with its number.
    """
    claim = "claim"
    records = _of_study(folder, study, say, primary=True)
    records = records.unique([claim, "run"], keep="first", maintain_order=True)
    records = records.with_columns(
        number=pl.int_range(1, pl.len() + 1).over(claim),
        turns=(pl.col("verdict") != pl.col("verdict").shift()).fill_null(value=True).over(claim),
    ).with_columns(
        last=pl.col("number").max().over(claim),
        begun=pl.when("turns").then("number").max().over(claim),
    )
    is_late = pl.col("last") - pl.col("number") <= SHOWN
    is_turn = (pl.col("begun") - pl.col("number")).is_in([0, 1])
    return _as_records(records.filter(is_late | is_turn).drop("turns", "last", "begun"))


def _of_study(
    folder: Path, study: str, say: Tell | None, *, primary: bool | None = None
) -> pl.DataFrame:
    home = folder / FOLDER
    files = [*_files(home, _TOGETHER), *_files(home, _SINGLE)]
    wanted = {"study": study} | ({} if primary is None else {"primary": primary})
    frames = [frame for file in files if (frame := _read(file, say, wanted)) is not None]
    return _in_order(frames)


def _in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The runs of several files, each once: one that is in the file of many may not have been removed yet."""
    seen: set[str] = set()
    new = []
    for frame in frames:
        runs = set(frame["run"].unique())
        new.append(frame.filter(~pl.col("run").is_in(list(seen & runs))) if seen & runs else frame)
        seen |= runs
    together = pl.concat([SCHEMA.to_frame(), *new])
    is_sorted = together["run"].is_sorted()
    return together if is_sorted else together.sort("run", maintain_order=True)


def _as_records(frame: pl.DataFrame) -> tuple[RunRecord, ...]:
    return tuple(RunRecord(**row) for row in frame.iter_rows(named=True))


def _files(home: Path, pattern: str) -> list[Path]:
    return sorted(home.glob(pattern)) if os.access(home, os.R_OK | os.X_OK) else []


def _read(
    file: Path, say: Tell | None = None, wanted: Mapping[str, str | bool] | None = None
) -> pl.DataFrame | None:
    """The records in a file, or those with these values; None if this user did not write it, or it cannot be read."""
    cause = "was not recorded by this user on this machine"
    try:
        if file.suffix == ".signed":
            content = unsigned(file.name, file.read_bytes())
            source: Path | BytesIO | None = None if content is None else BytesIO(content)
        else:
            source = file
        if source is not None:
            lazy = pl.scan_parquet(source, hive_partitioning=False).select(SCHEMA.names())
            some = lazy if source is file else lazy.filter(**(wanted or {}))
            frame = some.collect().cast(SCHEMA)
            if source is not file:
                return frame
            mac = pl.read_parquet_metadata(file).get(_SIGNED, "")
            if is_signed(file.name, _content(frame), mac):
                return frame.filter(**(wanted or {}))
    except (OSError, pl.exceptions.PolarsError) as e:
        cause = f"cannot be read: {next(iter(str(e).strip().splitlines()), 'broken')}"
    if say is not None:
        what, _, why = cause.partition(": ")
        say(f"the ledger's file {file.name} {what} and is passed over{why and f': {why}'}")
    return None
