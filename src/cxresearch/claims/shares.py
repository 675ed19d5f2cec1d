"""Readings that are a share: of customers, of those who left beside those at risk with them, or of moments."""

from __future__ import annotations

from cxresearch.claims.bench import Bench, Found
from cxresearch.claims.claim import Claim, Reading
from cxresearch.claims.counting import Counting
from cxresearch.claims.grammar import AtRisk, Worst
from cxresearch.estimators.at_risk_share import share_at_risk
from cxresearch.estimators.concentration import worst_share
from cxresearch.estimators.share import share


def share_of(bench: Bench, claim: Claim, reading: Reading) -> Found:
    """The number of a reading of the shape ``share``."""
    (own,) = bench.countings(claim, reading)
    if reading.worst:
        return _worst(bench, own, reading.worst)
    if reading.at_risk:
        return _beside_others(bench, own, reading, reading.at_risk)
    table = bench.store.risk(own)
    settings = bench.study.decision
    found = share(
        table,
        {k: tuple(v) for k, v in reading.count.items()},
        among=dict(reading.among) or None,
        causes=reading.ends or None,
        level=settings.level,
        groups=settings.groups,
    )
    return Found(found.estimate, "share", found.whole, found.part, None, (), table.asides)


def _beside_others(bench: Bench, own: Counting, reading: Reading, at_risk: AtRisk) -> Found:
    table = bench.store.risk(own)
    settings = bench.study.decision
    found = bench.once(
        repr((own.key, reading.count, reading.among, reading.ends, at_risk.alike, at_risk.strata)),
        lambda: share_at_risk(
            table,
            dict(reading.count),
            at_risk.alike,
            among=dict(reading.among) or None,
            causes=reading.ends or ("defection",),
            strata=at_risk.strata,
            level=settings.level,
            groups=settings.groups,
        ),
    )
    if at_risk.part == "comparators":
        return Found(found.comparators, "share", table.customers, found.whole, None, (), table.asides)
    return Found(found.excess, "difference of shares", table.customers, found.whole, None, (), table.asides)


def _worst(bench: Bench, own: Counting, says: Worst) -> Found:
    table, level = bench.store.agents(own), bench.study.decision.level
    found = bench.once(repr((own.key, says.part)), lambda: worst_share(table.counts, part=says.part, level=level))
    estimate = found.chance if says.chance else found.estimate
    return Found(estimate, "share", found.agents, found.bad)
