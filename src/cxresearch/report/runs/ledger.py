"""The ledger: the results of each run of `cxresearch report`. One Parquet file per run, never changed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import polars as pl

from cxresearch.study import Study
from cxresearch.utils.atomic import put_in_place, stage
from cxresearch.utils.trust import is_signed, make_private, signature

FOLDER = "ledger"
_SIGNED = "cxresearch.signature"
_RUN = re.compile(r"[0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One reading of one claim in one run.

    Attributes:
        run: id of the run; ids sort by time.
        at: when, UTC, ISO 8601 to the second.
        study: id of the study.
        fingerprint: of the data: equal means equal risk tables and audit counts.
        version: of the package.
        data_from: first day of the log, ISO.
        data_until: last day of the log, ISO.
        claim: id of the claim.
        reading: id of the reading.
        primary: whether the verdict on the claim rests on it.
        verdict: supported, contradicted, undecided or not testable.
        verdict_family: the same after multiplicity.
        estimate: the number, in ``unit``; None if not testable.
        ci_low: lower limit.
        ci_high: upper limit.
        level: confidence level of the interval.
        interval: ``fixed`` or ``anytime``.
        unit: as `ReadingResult.unit`.
        se: robust error on the scale of the interval.
        customers: in the table behind the number.
        events: that count.
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
    verdict_family: str
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    level: float
    interval: str
    unit: str
    se: float | None
    customers: int
    events: int


_KINDS = {
    "bool": pl.Boolean(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "float | None": pl.Float64(),
    "str": pl.String(),
}
SCHEMA = pl.Schema({f.name: _KINDS[str(f.type)] for f in RunRecord.__dataclass_fields__.values()})


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
    frame = pl.DataFrame([asdict(x) for x in records], schema=SCHEMA)
    signed_by = {_SIGNED: signature(target.name, _content(frame))}
    return stage(target, partial(frame.write_parquet, metadata=signed_by), mode=0o600), target


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


def read_records(
    folder: Path, study: str, say: Callable[[str], None] | None = None
) -> tuple[RunRecord, ...]:
    """All records of a study, the oldest run first.

    Args:
        folder: the study's state folder.
        study: id of the study.
        say: called with a line for each file that cannot be read and is passed over.

    Returns:
        The records, within a run in the order in which they were recorded.
    """
    result: list[RunRecord] = []
    home = folder / FOLDER
    files = sorted(home.glob("[!.]*.parquet")) if os.access(home, os.R_OK | os.X_OK) else []
    for file in files:
        try:
            mac = pl.read_parquet_metadata(file).get(_SIGNED, "")
            frame = (
                pl.read_parquet(file, hive_partitioning=False).select(SCHEMA.names()).cast(SCHEMA)
            )
            if is_signed(file.name, _content(frame), mac):
                result += [
                    RunRecord(**row)
                    for row in frame.filter(pl.col("study") == study).iter_rows(named=True)
                ]
            elif say is not None:
                say(
                    f"the ledger's file {file.name} was not recorded by this user on this machine and is passed over"
                )
        except (OSError, pl.exceptions.PolarsError) as e:
            if say is not None:
                cause = next(iter(str(e).strip().splitlines()), "broken")
                say(f"the ledger's file {file.name} cannot be read and is passed over: {cause}")
    return tuple(result)
