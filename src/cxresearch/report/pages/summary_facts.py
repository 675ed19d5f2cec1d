"""The facts of the summary, as plain values that go along with a notebook: rounded, and nothing of few customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cxresearch.claims.results import Docket, Trial
from cxresearch.disclosure.counts import (
    readable_positions,
    rests_on_enough,
    round_count,
    round_share,
    share_step,
)
from cxresearch.estimators.days_lost import DaysLost
from cxresearch.estimators.results import Estimate
from cxresearch.journey.moment_costs import MomentCost, MomentCosts
from cxresearch.records.audit import LAPSE, Audit
from cxresearch.records.audit_values import Count, CountOfTotal
from cxresearch.records.warnings import DataWarning
from cxresearch.report.pages.findings import claimed_words, ordered, so_what, what_would_settle
from cxresearch.report.pages.text import headline, per_hundred, spread

_GRAVE = (
    "leavers_lost",
    "lapsed_came_back",
    "exits_jump",
    "rows_lost",
    "bad_brings_contacts",
    "one_customer",
)
FINDINGS, OPEN = 5, 3  # claims named on a summary, decided and open ones
_POINTS = 60  # of a curve
_YEAR = (360, 366)


def summary_facts(docket: Docket, costs: MomentCosts | None) -> dict[str, Any]:
    """What the summary of a report holds of a docket.

    Args:
        docket: as a page may tell it.
        costs: what bad moments cost; None where that was not computed.

    Returns:
        Texts and rounded numbers: ``pair`` (of a hundred customers, how many left), ``curves``, ``cost``, ``worst``
        touchpoint, ``findings``, ``open`` claims, ``so_what``, ``doubts`` (what the audit warns of), rows and customers
        kept, and ``silence_days``, the silence that counts as leaving, where it is one.
    """
    trials = ordered(docket.values())
    decided = [t for t in trials if t.primary.verdict in ("supported", "contradicted")]
    still = [t for t in trials if t.primary.verdict == "undecided"]
    untested = [t for t in trials if t.primary.verdict == "not testable"]
    held = next((t for t in decided if t.primary.verdict == "supported"), None)
    first = held or next(iter(decided), None)
    kept = dict(docket.audit.kept)
    silence = docket.audit.fact(LAPSE)
    return {
        "rows_kept": int(kept.get("interactions", 0)),
        "customers_kept": customers_of(docket.audit),
        "silence_days": silence.count if isinstance(silence, Count) else None,
        "findings": [_finding(t) for t in decided[:FINDINGS] if t.primary.estimate is not None],
        "open": [
            {"claim": t.claim.id, "statement": t.claim.statement, "settle": what_would_settle(t)}
            for t in (*still, *untested)[:OPEN]
        ],
        "so_what": so_what(first) if first else "",
        "doubts": [warning.what for warning in sorted(docket.audit.warnings, key=_place)],
        **_costs(costs, docket.min_cell),
    }


def _place(warning: DataWarning) -> int:
    """Of a warning among those of a summary: first what makes all numbers doubtful."""
    return _GRAVE.index(warning.code) if warning.code in _GRAVE else len(_GRAVE)


def customers_of(audit: Audit) -> int:
    """How many customers there are: rows of the second table or, without one, those who appear in contacts."""
    kept = dict(audit.kept)
    if "retention" in kept:
        return int(kept["retention"])
    people = {f.name: f.value for f in audit.facts}.get("customers")
    return people.count if isinstance(people, Count | CountOfTotal) else 0


def _finding(trial: Trial) -> dict[str, Any]:
    e = trial.primary
    assert e.estimate is not None
    return {
        "claim": trial.claim.id,
        "statement": trial.claim.statement,
        "verdict": e.verdict,
        "number": headline(e.estimate.value, e.unit),
        "interval": spread(trial),
        "claimed": claimed_words(trial) if e.region else "",
    }


def _costs(costs: MomentCosts | None, min_cell: int) -> dict[str, Any]:
    """The two shares, their curves and the cost; nothing where they rest on too few."""
    lost = costs.overall.lost if costs else None
    if costs is None or lost is None or not _may_be_shown(lost, min_cell):
        return {"pair": None, "curves": None, "cost": None, "worst": None}
    step = share_step(lost.customers, min_cell)
    pair = [
        per_hundred(float(c[-1]), lost.customers, min_cell)
        for c in (lost.exposed_curve, lost.comparators_curve)
    ]
    return {
        "pair": {"exposed": pair[0], "comparators": pair[1], "days": lost.horizon},
        "curves": _curves(lost, min_cell, step),
        "cost": _cost(costs.overall, costs.currency, min_cell),
        "worst": _worst(costs.touchpoints, min_cell),
    }


def _may_be_shown(lost: DaysLost, min_cell: int) -> bool:
    return all(
        rests_on_enough(
            float(c[-1]),
            float(low[-1]),
            float(high[-1]),
            is_share=True,
            level=lost.exposed.level,
            min_cell=min_cell,
            customers=lost.customers,
            events=events,
        )
        for c, low, high, events in (
            (lost.exposed_curve, lost.exposed_low, lost.exposed_high, lost.events),
            (lost.comparators_curve, lost.comparators_low, lost.comparators_high, None),
        )
    )


def _curves(lost: DaysLost, min_cell: int, step: float) -> dict[str, list[float]]:
    """Days at which enough more had left of both, so that no step stands for few, and the shares then."""
    together = [
        min(a, b) * lost.customers
        for a, b in zip(lost.exposed_curve, lost.comparators_curve, strict=True)
    ]
    read = readable_positions(together, 2 * min_cell if min_cell > 1 else 1)
    kept = sorted({0, *_thinned(read), lost.horizon})
    result = {"days": [float(lost.times[i]) for i in kept]}
    for name in ("exposed", "comparators"):
        for what in ("curve", "low", "high"):
            values = getattr(lost, f"{name}_{what}")
            result[f"{name}_{what}"] = [round_share(float(values[i]), step) for i in kept]
    return result


def _thinned(positions: Sequence[int]) -> list[int]:
    every = max(len(positions) // _POINTS, 1)
    return list(positions[::every])


def _cost(cost: MomentCost, currency: str, min_cell: int) -> dict[str, Any]:
    assert cost.lost is not None
    first = round_count(cost.first_moments, min_cell)
    factor = first / cost.first_moments if cost.first_moments else 0.0
    return {
        "days": _numbers(cost.lost.more),
        "is_clear": cost.lost.more.low > 0 or cost.lost.more.high < 0,
        "horizon": cost.lost.horizon,
        "per_month": cost.per_month * factor,
        "days_per_month": _numbers(cost.days_per_month, factor),
        "money_per_month": _numbers(cost.money_per_month, factor),
        "currency": currency,
    }


def _worst(costs: Sequence[MomentCost], min_cell: int) -> dict[str, Any] | None:
    """The touchpoint whose first bad moments go with most days a month, of those where it is more than none."""
    shown = [
        c
        for c in costs
        if c.lost and c.days_per_month and c.lost.more.low > 0 and _may_be_shown(c.lost, min_cell)
    ]
    if not shown:
        return None
    worst = max(shown, key=lambda c: c.days_per_month.value if c.days_per_month else 0.0)
    assert worst.lost is not None
    return {"touchpoint": worst.touchpoint, "days": _numbers(worst.lost.more)}


def _numbers(e: Estimate | None, factor: float = 1.0) -> list[float] | None:
    return None if e is None else [e.value * factor, e.low * factor, e.high * factor]


def within(days: int) -> str:
    """A horizon in words: ``a year``, ``90 days``."""
    return "a year" if _YEAR[0] <= days <= _YEAR[1] else f"{days:,} days"
