"""Dockets written by hand: what a page must survive, without computing anything."""

from __future__ import annotations

from dataclasses import replace

from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.family import Family
from cxresearch.claims.phrases import Amount, Limit, Sentence, Words
from cxresearch.claims.results import (
    Activity,
    Docket,
    ReadingResult,
    ReferenceValue,
    Series,
    Trial,
)
from cxresearch.claims.rivals.descriptions import descriptions
from cxresearch.claims.rivals.outcomes import RivalOutcome, RivalRow
from cxresearch.claims.units import Unit
from cxresearch.estimators.results import Estimate
from cxresearch.records.audit import Audit, Fact, Finding
from cxresearch.records.audit_values import CountOfTotal, Day
from cxresearch.risk.exclusions import Exclusion

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
FIRST, SECOND = (
    next(c for c in catalogue().values() if c.id == i)
    for i in ("three-strikes", "bad-moments-drive-away")
)


def _estimate(value, low, high):
    return Estimate(
        value=value, low=low, high=high, level=0.95, se=0.1, se_model=0.1, scale="log", df=100
    )


def reading_result(claim, reading, verdict, unit, numbers=None, **more):
    result = next(r for r in claim.readings if r.id == reading)
    made = _estimate(*numbers) if numbers else None
    values = {
        "claim_id": claim.id, "reading_id": reading, "label": result.label, "primary": result.primary,
        "verdict": verdict, "verdict_alone": verdict, "reason": "", "estimate": made, "p": None, "p_family": None,
        "unit": unit, "region": result.region or "", "customers": 2731, "events": 611, "horizon_days": None,
        "lacks": "", "warnings": (), "series": (), "exclusions": (),
    }  # fmt: skip
    return ReadingResult(**values | more)


def _sentence(template, row):
    e = row.estimate
    values = (
        ("estimate", Amount(e.value, row.unit)), ("low", Limit(e.low, row.unit)), ("high", Limit(e.high, row.unit)),
        ("reason", Words(row.reason)),
    )  # fmt: skip
    return Sentence(template, values)


def curve(name, top, band=True):
    days = tuple(float(d) for d in range(0, 366, 5))
    share = tuple(top * d / 365 for d in days)
    limits = (tuple(0.9 * s for s in share), tuple(1.1 * s for s in share)) if band else ((), ())
    return Series(name, days, share, *limits)


def share_trial():
    claim = FIRST
    exclusions = (Exclusion("left on the day of their first bad moment", 7),)
    pair = (
        curve("after the first bad moment", 0.4, band=False),
        curve("comparable customers", 0.3, band=False),
    )
    results = (
        reading_result(
            claim, "before-third", "contradicted", Unit.SHARE, (0.25, 0.23, 0.27),
            horizon_days=365, series=(curve("left", 0.25),), exclusions=exclusions,
        ),
        reading_result(
            claim, "excess", "supported", Unit.DIFFERENCE, (0.095, 0.073, 0.116), horizon_days=365, series=pair,
        ),
        reading_result(claim, "defect-or-third", "not testable", Unit.SHARE, lacks="follow-up", customers=0, events=0),
    )  # fmt: skip
    base = ReferenceValue(0.3, 0.28, 0.32, "comparable customers who left all the same", Unit.SHARE)
    naive = ReferenceValue(
        0.72, 0.7, 0.74, "of all who left, the ones with fewer than three bad moments", Unit.SHARE
    )
    sentence = _sentence(
        "In these data {estimate} ({low} to {high}) of customers left.", results[0]
    )
    return Trial(claim=claim, results=results, base_rate=base, naive=naive, sentence=sentence)


def rival(name, status, *rows, reason="Somebody may have decided before."):
    """Another explanation, with rows (label, lead, numbers or what is lacking)."""
    made = tuple(
        RivalRow(
            label=label,
            lead_days=lead,
            estimate=None if isinstance(numbers, str) else _estimate(*numbers),
            unit=None if isinstance(numbers, str) else Unit.HAZARD_RATIO,
            verdict="not testable" if isinstance(numbers, str) else "undecided",
            lacks=numbers if isinstance(numbers, str) else "",
        )
        for label, lead, numbers in rows
    )
    described = descriptions()[name]
    return RivalOutcome(
        id=name,
        title=described.title,
        plain=described.plain,
        status=status,
        reason=reason,
        rows=made,
    )


RIVALS = (
    rival("calendar", "held equal", reason="They began in the same 30 days."),
    rival(
        "already-leaving",
        "keeps it open",
        ("the last 14 days left aside", 14, (1.07, 0.97, 1.18)),
        ("the last 30 days left aside", 30, (1.04, 0.93, 1.16)),
    ),
    rival("temperament", "survived", ("the share so far held equal", 0, (1.13, 1.05, 1.21))),
    rival(
        "other-exits",
        "cannot be tested",
        ("exits that are no defection", 0, "departures: 3 in 1+"),
        reason="The control cannot be computed: it lacks departures: 3 in 1+.",
    ),
    rival("unseen", "shown", reason="It takes a risk ratio of 1.49 to explain it away."),
)


def ratio_trial():
    claim = SECOND
    reason = "the answer turns with what is held equal: 1.12 (1.03 to 1.22); 0.94 (0.85 to 1.04) otherwise"
    results = (
        reading_result(
            claim, "adjusted", "undecided", Unit.HAZARD_RATIO, (1.12, 1.03, 1.22), reason=reason
        ),
        reading_result(
            claim,
            "crude",
            "undecided",
            Unit.HAZARD_RATIO,
            (1.05, 0.96, 1.15),
            customers=9,
            events=3,
        ),
        reading_result(claim, "final-count", "contradicted", Unit.HAZARD_RATIO, (0.23, 0.21, 0.24)),
    )
    base = ReferenceValue(0.78, 0.77, 0.8, "customers without a bad moment who leave", Unit.SHARE)
    naive = ReferenceValue(0.23, 0.21, 0.24, results[2].label, Unit.HAZARD_RATIO)
    rows = (
        Activity("0", 400, 0, 300),
        Activity("1", 2059, 4, 1643),
        Activity("2-4", 1955, 726, 1429),
        Activity("5-9", 873, 591, 510),
        Activity("10+", 1054, 943, 187),
    )
    sentence = _sentence(
        "After a bad moment {estimate} times the rate ({low} to {high}). That does not decide the claim: {reason}.",
        results[0],
    )
    return Trial(
        claim=claim,
        results=results,
        base_rate=base,
        naive=naive,
        sentence=sentence,
        caution=Sentence("Taken naively: no verdict."),
        activity=rows,
        association="supported",
        rivals=RIVALS,
        declared=("Nobody decides to leave longer ahead than 30 days (lead_days = [14, 30]).",),
    )


def untestable_trial():
    claim = FIRST
    results = (
        reading_result(
            claim, "before-third", "not testable", Unit.SHARE, lacks="an end", customers=0, events=0
        ),
    )
    return Trial(
        claim=claim,
        results=results,
        base_rate=None,
        naive=None,
        sentence=Sentence("This study cannot say: it lacks an end."),
    )


def docket(*trials, name="A phone company"):
    audit = Audit(
        tables=(("tickets", 52_000),),
        read=(("interactions", 52_000), ("retention", 4_000)),
        kept=(("interactions", 51_990), ("retention", 3_999)),
        findings=(
            Finding("interactions", "no customer", 8, (3, 17), fault=True),
            Finding("interactions", "excluded by the study", 2, (), fault=False),
            Finding("retention", "end before start", 1, (99_123,), fault=True),
        ),
        facts=(
            Fact("log from", Day(19_360, True)),
            Fact("bad moments", CountOfTotal(3, 51_990)),
            Fact("customers who left for another cause", CountOfTotal(4, 3_999), "competing exits"),
        ),
    )
    chosen = trials or (share_trial(), ratio_trial())
    return Docket(
        study=name,
        version="0.1.0",
        fingerprint="0123456789abcdef",
        counted="fedcba9876543210",
        data_from="2023-01-03",
        data_until="2024-12-31",
        level=0.95,
        family=Family(claims=tuple(t.claim.id for t in chosen), method="holm"),
        min_cell=10,
        trials=tuple(chosen),
        audit=audit,
    )


def hostile_docket():
    """Markup in every text that comes from a study file or from data."""
    trial = share_trial()
    claim = type(trial.claim)(**{
        f: getattr(trial.claim, f) for f in trial.claim.__struct_fields__
    } | {"statement": HOSTILE, "source": HOSTILE, "notes": (HOSTILE,), "change_our_mind": HOSTILE})  # fmt: skip
    results = tuple(
        replace(e, warnings=(HOSTILE,), lacks=HOSTILE, label=HOSTILE) for e in trial.results
    )
    beside = replace(trial.base_rate, label=HOSTILE)
    hostile = replace(
        trial,
        claim=claim,
        results=results,
        base_rate=beside,
        naive=beside,
        sentence=Sentence(HOSTILE),
    )
    return docket(replace(hostile, caution=Sentence(HOSTILE)), name=HOSTILE)
