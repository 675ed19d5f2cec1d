"""Dockets of many claims, and what a ledger holds after several runs on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from cxresearch.claims.results import Docket
from cxresearch.report.runs.ledger import RunRecord
from tests.report.dockets import docket, ratio_trial, share_trial, untestable_trial

FIRST = datetime(2026, 8, 3, 6, 0, tzinfo=UTC)  # a Monday; then every week


def many(count: int, *kinds) -> Docket:
    """A docket of so many claims, of the kinds given in turn; of three kinds if none are given."""
    kinds = kinds or (share_trial(), ratio_trial(), untestable_trial())
    return docket(*(_named(kinds[i % len(kinds)], f"claim-{i}") for i in range(count)))


def without_charts(count: int) -> Docket:
    """A docket whose page is made quickly."""
    return many(count, untestable_trial())


def _named(trial, name):
    claim = msgspec.structs.replace(
        trial.claim, id=name, statement=f"{trial.claim.statement} ({name})"
    )
    return replace(
        trial, claim=claim, results=tuple(replace(e, claim_id=name) for e in trial.results)
    )


def look(docket: Docket, trial, run: int, **other) -> RunRecord:
    """What a run would have recorded of a claim's primary reading."""
    e = trial.primary
    value, low, high = (
        (e.estimate.value, e.estimate.low, e.estimate.high) if e.estimate else (None, None, None)
    )
    at = FIRST + timedelta(weeks=run)
    result = RunRecord(
        run=f"{at:%Y%m%dT%H%M%S}",
        at=at.isoformat(),
        study="shop",
        fingerprint=docket.fingerprint,
        version=docket.version,
        data_from=docket.data_from,
        data_until=docket.data_until,
        claim=e.claim_id,
        reading=e.reading_id,
        primary=True,
        verdict=e.verdict,
        verdict_alone=e.verdict_alone,
        estimate=value,
        ci_low=low,
        ci_high=high,
        level=0.95,
        interval="fixed",
        unit=e.unit,
        se=0.1,
        customers=e.customers,
        events=e.events,
        family=",".join(docket.family.claims),
    )
    return replace(result, **other)


def history_of(docket: Docket, runs: int, before: str = "undecided") -> tuple[RunRecord, ...]:
    """So many runs; up to the last one, the first claim had another verdict, on earlier data."""
    earlier = {"fingerprint": "other", "data_until": "2024-11-30"}
    return tuple(
        look(
            docket,
            t,
            run,
            **(earlier if run < runs - 1 else {}),
            **({"verdict": before} if i == 0 and run < runs - 1 else {}),
        )
        for run in range(runs)
        for i, t in enumerate(docket.values())
    )
