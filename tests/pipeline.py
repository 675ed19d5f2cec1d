"""From a small study of the strategies to the package's own tables, for comparison with the oracle."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

import cxresearch as cx
from cxresearch.records.records import Records, read_records
from cxresearch.risk.table import RiskTable

CONTACTS = {"customer": pl.String, "at": pl.Datetime("us"), "grade": pl.String, "row": pl.Int64}
CUSTOMERS = {
    "customer": pl.String,
    "start": pl.Date,
    "end": pl.Date,
    "cause": pl.String,
    "segment": pl.String,
    "cluster": pl.String,
    "observed_from": pl.Date,
    "observed_until": pl.Date,
}


def study_of(
    contacts: list[dict[str, Any]], customers: list[dict[str, Any]] | None, settings: Any
) -> cx.Study:
    """The study that says what the oracle's settings say."""
    log: dict[str, Any] = {}
    for name in ("log_from", "log_until"):
        if getattr(settings, name) is not None:
            log[name] = getattr(settings, name)
    frame = pl.DataFrame(contacts, schema=CONTACTS, orient="row").drop("row")
    raw: dict[str, Any] = {
        "interactions": log,
        "moments": {"blackout_days": settings.blackout_days},
    }
    if customers is None:
        raw["retention"] = {
            "kind": "activity",
            "gap_days": settings.gap_days,
            "returns": settings.returns,
        }
        if settings.new_from is not None:
            raw["retention"]["new_from"] = settings.new_from
        frames = {"interactions": frame}
        if settings.orders is not None:
            names = {"customer": pl.String, "at": pl.Datetime("us")}
            frames["retention"] = pl.DataFrame(settings.orders, schema=names, orient="row")
        return cx.study_from(raw, **frames)
    who = pl.DataFrame(customers, schema=CUSTOMERS, orient="row")
    if settings.observed_until is not None:
        who = who.with_columns(pl.col("observed_until").fill_null(settings.observed_until))
    raw["retention"] = {
        "cause": "cause",
        "segment": "segment",
        "cluster": "cluster",
        "defection": list(settings.defection),
        "observed_from": "observed_from",
        "observed_until": "observed_until",
        "returns": settings.returns,
    }
    return cx.study_from(raw, interactions=frame, retention=who)


def records_of(
    contacts: list[dict[str, Any]], customers: Any, settings: Any, engine: str
) -> Records:
    """The records of that study on an engine."""
    return read_records(study_of(contacts, customers, settings), engine)


def flows_of(table: RiskTable) -> dict[tuple[Any, ...], Counter[str]]:
    """A risk table in the oracle's form: (time, levels) to counts that are not zero, over all clusters."""
    rename = {"other exit": "other"}
    counts = ["entered", "left", *table.causes]
    result: dict[tuple[Any, ...], Counter[str]] = {}
    for row in table.to_polars().iter_rows(named=True):
        key = (row["time"], tuple(row[f.name] for f in table.features))
        result[key] = result.get(key, Counter()) + Counter(
            {rename.get(c, c): row[c] for c in counts if row[c]}
        )
    return result
