"""One claim on a study: its readings computed and decided, tried against rivals, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cxresearch.claims.adjusted_model import is_of_leavers
from cxresearch.claims.compute import compute, count_activity
from cxresearch.claims.context import EvaluationContext, RawEstimate
from cxresearch.claims.decide import MORE_DATA, Region, Verdict, decide_reading, more_events
from cxresearch.claims.kept_plans import KeptPlans
from cxresearch.claims.kinds import AnyReading
from cxresearch.claims.level_words import describe_exclusion, describe_terms
from cxresearch.claims.phrases import Sentence, Words
from cxresearch.claims.readings import EventReading
from cxresearch.claims.results import ReadingResult, ReferenceValue, Trial
from cxresearch.claims.rivals.apply import (
    apply_joint_level,
    apply_rivals,
    describe_declarations,
    join_rivals,
    joint_readings,
    readings_with_rivals,
    target_reading,
)
from cxresearch.claims.rivals.explanations import MANY_UNKNOWN
from cxresearch.claims.rivals.outcomes import RivalOutcome
from cxresearch.claims.schema import Claim
from cxresearch.claims.sentences import fill_sentence
from cxresearch.claims.testability import missing_requirement
from cxresearch.claims.verdict_corrections import apply_requirements, naive_differs
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.looks import at_one_look
from cxresearch.records.audit_values import CountOfTotal

FAR_FROM_DECIDING = 20  # times the events there are: so many more are not given as advice


def try_claim(context: EvaluationContext, claim: Claim, readings: Sequence[AnyReading]) -> Trial:
    """Try a claim.

    Args:
        context: the study and its tables.
        claim: the claim.
        readings: those of its readings that are to be computed, the primary among them.
    """
    readings = sorted(readings, key=lambda r: not r.primary)
    results, rows = compute_readings(context, claim, readings)
    association = _association(claim, rows)
    rivals = _apply_rivals(context, claim, results, rows)
    primary, target = claim.primary, target_reading(claim)
    row = rows[primary.id] = _with_plan(context, claim, apply_requirements(primary, rows))
    base, naive = (_reference_value(claim, n, results) for n in (claim.base_rate, claim.naive))
    silence = _describe_silence(context, primary) if row.verdict != "not testable" else ""

    def say(row: ReadingResult) -> Sentence:
        result = fill_sentence(claim.text.template(row.verdict), claim, row, base, results)
        if row.verdict == "supported" and row.reason:
            remark = Words(f"{row.reason[0].upper()}{row.reason[1:]}")
            result = result.extend(" ({remark}.)", "remark", remark)
        return result.extend(" {silence}", "silence", Words(silence)) if silence else result

    is_decided = row.verdict in ("supported", "contradicted")
    has_caution = bool(claim.text.caution) and naive_differs(claim, rows)
    caution = (
        fill_sentence(claim.text.caution, claim, row, base, results, is_finding=False)
        if has_caution
        else Sentence()
    )
    return Trial(
        claim=claim,
        results=tuple(rows[r.id] for r in readings if not r.descriptive),
        base_rate=base,
        naive=naive,
        sentence=say(row),
        sentence_if_open=say(replace(row, verdict="undecided")) if is_decided else Sentence(),
        caution=caution,
        activity=count_activity(context) if has_caution and claim.show_by_contacts else (),
        association=association,
        rivals=join_rivals(rivals, target.id) if target else (),
        declared=describe_declarations(context.study) if rivals else (),
        tuned=tuple(sorted(context.tuned[claim.id].items())),
    )


def _with_plan(context: EvaluationContext, claim: Claim, row: ReadingResult) -> ReadingResult:
    """An open reading with how much data would decide it, where planning has been run."""
    if row.verdict != "undecided":
        return row
    plan = KeptPlans(context.store.cache, context.study).find(claim)
    if plan is None:
        return row
    before = row.reason.partition(MORE_DATA)[0]
    return replace(row, reason=before + plan.phrase(row.unit))


def _describe_silence(context: EvaluationContext, reading: AnyReading) -> str:
    """What leaving means where retention is derived from contacts; empty elsewhere."""
    lapse = context.store.lapse
    is_leaving = isinstance(reading, EventReading) and reading.event == "defection"
    if lapse is None or not (is_leaving or is_of_leavers(reading)):
        return ""
    means = f"Leaving means {lapse.days:,} days of silence here"
    returned = lapse.chosen.returned
    if returned is None:
        return f"{means}; the log is too short to tell how many come back after it."
    return f"{means}; of those silent for so long, {returned:.0%} come back within as long again."


def compute_readings(
    context: EvaluationContext, claim: Claim, readings: Sequence[AnyReading]
) -> tuple[dict[str, RawEstimate], dict[str, ReadingResult]]:
    """The numbers of the readings that can be computed, and each reading decided by itself; by id."""
    missing = missing_requirement(claim, context.study, context.store.available)
    has_retention = context.study.retention.kind in claim.retention
    results: dict[str, RawEstimate] = {}
    rows: dict[str, ReadingResult] = {}
    for reading in readings:
        if missing:
            code = "missing_column" if has_retention else "no_such_data"
            rows[reading.id] = _not_testable(claim, reading, code, missing)
            continue
        try:
            results[reading.id] = compute(context, claim, context.adapt(claim, reading))
        except NotTestable as e:
            rows[reading.id] = _not_testable(claim, reading, e.code, describe_terms(claim, e.lacks))
        except EstimationError as e:
            lacks = f"a model that can be fitted: {describe_terms(claim, str(e))}"
            rows[reading.id] = _not_testable(claim, reading, "no_fit", lacks)
        else:
            rows[reading.id] = _decide(context, claim, reading, results[reading.id])
    return results, rows


def _association(claim: Claim, rows: Mapping[str, ReadingResult]) -> Verdict:
    """Whether the two go together: what all readings that rivals act on give, before these are tried."""
    joint = len(joint_readings(claim))
    verdicts = {
        apply_joint_level(rows[name], reading, joint).verdict
        for name, reading in readings_with_rivals(claim).items()
        if name in rows
    }
    order: tuple[Verdict, ...] = ("contradicted", "not testable", "undecided", "supported")
    return next((v for v in order if v in verdicts), "not testable")


def _apply_rivals(
    context: EvaluationContext,
    claim: Claim,
    results: Mapping[str, RawEstimate],
    rows: dict[str, ReadingResult],
) -> dict[str, tuple[RivalOutcome, ...]]:
    """The rivals of each reading that they act on; `rows` become what the rivals leave of them."""
    names, with_rivals = joint_readings(claim), readings_with_rivals(claim)
    rivals: dict[str, tuple[RivalOutcome, ...]] = {}
    for name in names:
        if name in rows and name not in with_rivals:
            rows[name] = apply_joint_level(rows[name], claim.reading(name), len(names))
    for name, reading in with_rivals.items():
        if name in results:
            adapted = context.adapt(claim, reading)
            rows[name], rivals[name] = apply_rivals(
                context, claim, adapted, rows[name], joint=len(names)
            )
    return rivals


def _decide(
    context: EvaluationContext, claim: Claim, reading: AnyReading, result: RawEstimate
) -> ReadingResult:
    """A reading decided by itself."""
    if reading.region is None:
        return _reading_result(claim, reading, "undecided", result)
    warnings = (*_warnings(context), *result.warnings)
    region = reading.claimed_region
    decision = decide_reading(
        result.estimate,
        region,
        withheld=result.why_withheld,
        why_not_contradicted=reading.why_not_contradicted,
    )
    reason, p = decision.reason, None
    if decision.ground != "withheld" and not math.isnan(decision.p):
        p = decision.p
    if decision.verdict == "undecided" and decision.ground == "interval":
        reason += _data_needed(reading, result, region)
    return _reading_result(
        claim, reading, decision.verdict, result, reason=reason, p=p, warnings=warnings
    )


def _data_needed(reading: AnyReading, result: RawEstimate, region: Region) -> str:
    """How many events more would decide, as the end of a reason; empty where that is not known.

    A number of which nobody will ever collect the data is no advice: it is said that these are far from deciding it.
    """
    more = more_events(result.estimate, region, result.events, reading.alternative)
    if not more:
        return ""
    if more > FAR_FROM_DECIDING * result.events:
        return "; these data are far from deciding it"
    is_departure = isinstance(reading, EventReading) and reading.event == "defection"
    cases = "departures" if is_departure else "cases"
    has_effect = not math.isnan(region.effect)
    truth = f"{region.effect:.2f}" if has_effect else f"{reading.alternative:g}"
    rounded = round(more, -max(len(str(more)) - 2, 0))
    return f"{MORE_DATA}{rounded:,} more {cases} would decide it if the truth were {truth}"


def _not_testable(claim: Claim, reading: AnyReading, code: str, lacks: str) -> ReadingResult:
    return _reading_result(claim, reading, "not testable", lacks=lacks, code=code)


def _reading_result(
    claim: Claim,
    reading: AnyReading,
    verdict: Verdict,
    result: RawEstimate | None = None,
    *,
    reason: str = "",
    p: float | None = None,
    warnings: tuple[str, ...] = (),
    lacks: str = "",
    code: str = "",
) -> ReadingResult:
    """A reading with its verdict; `result` is None, and `lacks` is the reason, where there is no number."""
    return ReadingResult(
        claim_id=claim.id,
        reading_id=reading.id,
        label=reading.label,
        primary=reading.primary,
        verdict=verdict,
        verdict_alone=verdict,
        reason=reason,
        estimate=result.estimate if result else None,
        p=p,
        p_family=None,
        unit=reading.unit,
        region=reading.region or "",
        customers=result.customers if result else 0,
        events=result.events if result else 0,
        horizon_days=result.horizon_days if result else None,
        lacks=lacks,
        warnings=warnings,
        series=result.series if result else (),
        exclusions=tuple(
            replace(e, reason=describe_exclusion(claim, e.reason))
            for e in (result.exclusions if result else ())
        ),
        code=code,
    )


def _warnings(context: EvaluationContext) -> tuple[str, ...]:
    unknown = context.store.audit.fact("unknown moments")
    if isinstance(unknown, CountOfTotal) and unknown.share > MANY_UNKNOWN:
        return (
            f"{unknown.share:.0%} of the moments have no grade: counts are of recorded bad moments only",
        )
    return ()


def _reference_value(
    claim: Claim, name: str | None, results: Mapping[str, RawEstimate]
) -> ReferenceValue | None:
    """A number of the claim to hold the estimate against; None where it is not declared or could not be computed."""
    if name is None or name not in results:
        return None
    e = results[name].estimate
    if e.interval == "anytime":  # no verdict rests on it
        e = at_one_look(e, e.level)
    return ReferenceValue(
        value=e.value,
        low=e.low,
        high=e.high,
        label=claim.reading(name).label,
        unit=claim.reading(name).unit,
    )
