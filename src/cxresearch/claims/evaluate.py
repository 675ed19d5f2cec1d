"""Claims on trial: compute every reading, decide, correct for their number, and say it in words.

The order in which a verdict comes about: `decide` holds the interval of each reading against its region; `rivals.judge`
computes the rivals of those that decide the claim, and leaves a verdict open that does not survive them;
`adjust.apply_requirements` lets the other readings of a claim, its tipping point and the like speak;
`adjust.adjust_multiplicity` allows for the number of claims.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from importlib.metadata import version

from threadpoolctl import threadpool_limits

from cxresearch.checks import arguments, names, optional
from cxresearch.claims.adjust import adjust_multiplicity, apply_requirements, naive_differs
from cxresearch.claims.adjusted_model import Variant
from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.compute import activity, compute
from cxresearch.claims.context import EvaluationContext, RawEstimate
from cxresearch.claims.decide import Region, Verdict, decide, more_events
from cxresearch.claims.kinds import AnyReading, ModelReading
from cxresearch.claims.phrases import Sentence, Words
from cxresearch.claims.readings import EventReading
from cxresearch.claims.requirements import adapt_to_study, missing_requirement, required_columns
from cxresearch.claims.results import Activity, Docket, Evidence, ReferenceValue, Trial
from cxresearch.claims.rival_results import Rival
from cxresearch.claims.rivals import (
    MANY_UNKNOWN,
    all_of,
    declared,
    firmly,
    joined,
    judge,
    judged_readings,
    specs_needed,
    target_of,
)
from cxresearch.claims.schema import Claim
from cxresearch.claims.sentences import filled
from cxresearch.claims.tables import Table, TableSpec, TableStore, contacts_spec
from cxresearch.engines import Engine
from cxresearch.errors import ClaimError, EstimationError, NotTestable, nearest
from cxresearch.records.audit import Audit
from cxresearch.records.audit_values import Share
from cxresearch.records.records import Records, study_of
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study
from cxresearch.threads import completed_in_threads, in_background

MANY_ROWS = 150_000_000  # of the tables of claims that wait: above, one is tried at a time
Progress = Callable[[str], None]


def evaluate(
    study: Study | Records,
    claims: Sequence[str] | None = None,
    *,
    engine: Engine | str = "polars",
    verdicts_only: bool = False,
    keep: bool = True,
    progress: Progress | None = None,
) -> Docket:
    """Try claims on a study.

    Args:
        study: a study, or its records if they are read already.
        claims: ids; all of the catalogue and the study's own when not given.
        engine: where the tables are read; ignored for records.
        verdicts_only: compute only what the verdicts rest on: the primary readings, what they require, and their
            sensitivity readings. Quicker, where the same claims are tried on many data sets; sentences lack the other
            numbers.
        keep: keep risk tables in the study's state folder, and take from there what an earlier run has kept of the
            same inputs; only where the inputs are files.
        progress: called with a line before each step.

    Returns:
        The docket: a trial per claim, in the order asked for.

    Raises:
        ClaimError: an unknown id.
        ArgumentError: what was given is no study, or no list of ids.
        StudyError, SourceError, DataError, RuleError: as `read_records`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> docket = cx.evaluate(study, ["bad-moments-drive-away"], keep=False, verdicts_only=True)
        >>> docket
        Docket('a synthetic company': bad-moments-drive-away undecided)
    """
    arguments(verdicts_only=verdicts_only, keep=keep)
    optional(progress=progress)
    say = progress or (lambda _: None)
    chosen = choose(
        claims_of(study_of(study).claims), None if claims is None else names("claims", claims)
    )
    store = TableStore(
        study, engine, keep=keep, required_columns=required_columns(chosen), progress=say
    )
    wanted = {c.id: _deciding(c) if verdicts_only else c.readings for c in chosen}
    context = EvaluationContext(store)
    planned = _planned(context, chosen, wanted)
    store.prepare([c for specs in planned.values() for c in specs])
    store.forget()
    with in_background(partial(_fingerprint, store.audit, dict(store.tables))) as fingerprint:
        result = _tried(context, chosen, wanted, planned, say)
    settings = store.study.decision
    trials = adjust_multiplicity(
        [result[c.id] for c in chosen], settings.multiplicity, 1 - settings.level
    )
    return Docket(
        study=store.study.name,
        version=version("cxresearch"),
        fingerprint=fingerprint.result(),
        data_from=str(store.audit.fact("log from")),
        data_until=str(store.audit.fact("log until")),
        level=settings.level,
        multiplicity=settings.multiplicity,
        min_cell=store.study.info.min_cell,
        trials=tuple(trials),
        audit=store.audit,
    )


def choose(known: Sequence[Claim], ids: Sequence[str] | None) -> tuple[Claim, ...]:
    """The claims of those ids, or all.

    Raises:
        ClaimError: an unknown id; the nearest known one is named.
    """
    if ids is None:
        return tuple(known)
    by = {c.id: c for c in known}
    for claim in ids:
        if claim not in by:
            raise ClaimError(
                f"no claim {claim!r}{nearest(claim, by) or '; there are: ' + ', '.join(by)}"
            )
    return tuple(by[c] for c in dict.fromkeys(ids))


def _planned(
    context: EvaluationContext, chosen: Sequence[Claim], wanted: Mapping[str, Sequence[AnyReading]]
) -> dict[str, list[TableSpec]]:
    """The tables that each claim needs, so that one walk along the customers makes them all."""
    result: dict[str, list[TableSpec]] = {claim.id: [] for claim in chosen}
    for claim in chosen:
        if missing_requirement(claim, context.study, context.store.available):
            continue
        asked = [(reading, Variant()) for reading in wanted[claim.id]]
        for reading in judged_readings(claim).values():
            asked += specs_needed(context, claim, reading)
        for reading, variant in asked:
            with suppress(NotTestable):  # said when the reading is tried
                adapted = _adapted(context, claim, reading)
                result[claim.id] += context.table_specs(claim, adapted, variant)
                if isinstance(adapted, ModelReading) and adapted.time_origin:
                    # cohorts of such an origin are often wide, so that months of the calendar are terms
                    result[claim.id] += context.table_specs(claim, adapted, variant, calendar=True)
        if claim.show_by_contacts and claim.naive in {r.id for r in wanted[claim.id]}:
            result[claim.id].append(contacts_spec())
    return result


def _tried(
    context: EvaluationContext,
    chosen: Sequence[Claim],
    wanted: Mapping[str, Sequence[AnyReading]],
    planned: dict[str, list[TableSpec]],
    say: Progress,
) -> dict[str, Trial]:
    """The trials of all claims, the smallest beside the largest; while memory counts, the largest alone.

    A table goes with the last claim that needs it.
    """
    size = {claim: sum(context.store.rows(c) for c in specs) for claim, specs in planned.items()}
    result: dict[str, Trial] = {}

    def work(claim: Claim) -> None:
        say(f"trying {claim.id}")
        result[claim.id] = _try(context, claim, wanted[claim.id])

    def done(claim: Claim) -> None:
        own = {c.key for c in planned.pop(claim.id)}
        context.store.drop(own - {c.key for specs in planned.values() for c in specs})

    waiting = sorted(chosen, key=lambda c: -size[c.id])
    while waiting and sum(size[c.id] for c in waiting) > MANY_ROWS:
        work(waiting[0])
        done(waiting.pop(0))
    waiting[1:] = waiting[:0:-1]  # the smallest beside the largest
    # the many small products of matrices that trials make are quicker each on one core
    with threadpool_limits(1, "blas"):
        for claim in completed_in_threads(work, waiting, 2):
            done(claim)
    return result


def _adapted(context: EvaluationContext, claim: Claim, reading: AnyReading) -> AnyReading:
    return adapt_to_study(
        context.study, context.store.audit, context.store.available, claim, reading
    )


def _deciding(claim: Claim) -> tuple[AnyReading, ...]:
    """The readings that a verdict rests on."""
    primary = claim.primary
    ids = {primary.id, *(r.reading for r in primary.requires), *primary.sensitivity}
    return tuple(r for r in claim.readings if r.id in ids)


def _try(context: EvaluationContext, claim: Claim, wanted: Sequence[AnyReading]) -> Trial:
    missing = missing_requirement(claim, context.study, context.store.available)
    readings = sorted(wanted, key=lambda r: not r.primary)
    result: dict[str, RawEstimate] = {}
    rows: dict[str, Evidence] = {}
    for reading in readings:
        if missing:
            ends = context.study.retention.kind in claim.retention
            code = "missing_column" if ends else "no_such_data"
            rows[reading.id] = _untestable(claim, reading, code, missing)
            continue
        try:
            result[reading.id] = compute(context, claim, _adapted(context, claim, reading))
            rows[reading.id] = _decided(context, claim, reading, result[reading.id])
        except NotTestable as e:
            rows[reading.id] = _untestable(claim, reading, e.code, e.lacks)
        except EstimationError as e:
            missing_fit = f"a model that can be fitted: {e}"
            rows[reading.id] = _untestable(claim, reading, "no_fit", missing_fit)
    primary, target = claim.primary, target_of(claim)
    of, judged = len(all_of(claim)), judged_readings(claim)
    association = _association([firmly(rows[n], r, of) for n, r in judged.items() if n in rows])
    rivals: dict[str, tuple[Rival, ...]] = {}
    for name in dict.fromkeys((primary.id, *judged)):
        if name not in judged:
            rows[name] = firmly(rows[name], primary, of)
        elif name in result:
            reading = _adapted(context, claim, judged[name])
            rows[name], rivals[name] = judge(context, claim, reading, rows[name], of=of)
    rows[primary.id] = apply_requirements(primary, rows)
    tried = tuple(rows[r.id] for r in readings if not r.descriptive)
    base, naive = (_beside(claim, name, result) for name in (claim.base_rate, claim.naive))
    verdict = rows[primary.id].verdict
    sentence = filled(claim.text.template(verdict), claim, rows[primary.id], base, result)
    if verdict == "supported" and (reason := rows[primary.id].reason):
        sentence = sentence.extend(
            " ({remark}.)", "remark", Words(f"{reason[0].upper()}{reason[1:]}")
        )
    caution = Sentence()
    shown_too: tuple[Activity, ...] = ()
    if claim.text.caution and naive_differs(claim, rows):
        caution = filled(claim.text.caution, claim, rows[primary.id], base, result)
        shown_too = activity(context) if claim.show_by_contacts else ()
    return Trial(
        claim=claim,
        readings=tried,
        base_rate=base,
        naive=naive,
        sentence=sentence,
        caution=caution,
        activity=shown_too,
        association=association,
        rivals=joined(rivals, target.id) if target else (),
        declared=declared(context.study) if rivals else (),
    )


def _association(rows: Sequence[Evidence]) -> Verdict:
    """Whether the two go together: as all of the readings say that rivals act on, before these are tried."""
    verdicts = {row.verdict for row in rows}
    order: tuple[Verdict, ...] = ("contradicted", "not testable", "undecided", "supported")
    return next((v for v in order if v in verdicts), "not testable")


def _decided(
    context: EvaluationContext, claim: Claim, reading: AnyReading, result: RawEstimate
) -> Evidence:
    if reading.region is None:
        return _row(claim, reading, result, "undecided", "", None)
    where = reading.claimed_region
    decision = decide(result.estimate, where)
    verdict, reason = decision.verdict, decision.reason
    if result.open:
        return _row(
            claim,
            reading,
            result,
            "undecided",
            result.open,
            None,
            (*_warnings(context), *result.warnings),
        )
    if verdict == "contradicted" and reading.why_not_contradicted:
        verdict, reason = "undecided", reading.why_not_contradicted
    elif verdict == "undecided":
        more = more_events(result.estimate, where, result.events, reading.alternative)
        if more:
            is_departure = isinstance(reading, EventReading) and reading.event == "defection"
            cases = "departures" if is_departure else "cases"
            truth = _target(reading, where)
            reason += f"; data on about {_round(more):,} more {cases} would decide it if the truth were {truth}"
    p = None if math.isnan(decision.p) else decision.p
    return _row(claim, reading, result, verdict, reason, p, (*_warnings(context), *result.warnings))


def _target(reading: AnyReading, where: Region) -> str:
    effect = where.effect
    return f"{effect:.2f}" if not math.isnan(effect) else f"{reading.alternative:g}"


def _round(n: int) -> int:
    digits = max(len(str(n)) - 2, 0)
    return round(n, -digits)


def _row(
    claim: Claim,
    reading: AnyReading,
    result: RawEstimate,
    verdict: Verdict,
    reason: str,
    p: float | None,
    warnings: tuple[str, ...] = (),
) -> Evidence:
    return Evidence(
        claim=claim.id,
        reading=reading.id,
        label=reading.label,
        primary=reading.primary,
        verdict=verdict,
        verdict_family=verdict,
        reason=reason,
        estimate=result.estimate,
        p=p,
        p_family=None,
        unit=result.unit,
        region=reading.region or "",
        customers=result.customers,
        events=result.events,
        horizon_days=result.horizon_days,
        lacks="",
        warnings=warnings,
        series=result.series,
        asides=result.asides,
    )


def _untestable(claim: Claim, reading: AnyReading, code: str, missing: str) -> Evidence:
    return Evidence(
        claim=claim.id,
        reading=reading.id,
        label=reading.label,
        primary=reading.primary,
        verdict="not testable",
        verdict_family="not testable",
        reason="",
        estimate=None,
        p=None,
        p_family=None,
        unit=reading.unit,
        region=reading.region or "",
        customers=0,
        events=0,
        horizon_days=None,
        lacks=missing,
        warnings=(),
        series=(),
        asides=(),
        code=code,
    )


def _warnings(context: EvaluationContext) -> tuple[str, ...]:
    unknown = context.store.audit.fact("unknown moments")
    if isinstance(unknown, Share) and unknown.share > MANY_UNKNOWN:
        return (
            f"{unknown.share:.0%} of the moments have no grade: counts are of recorded bad moments only",
        )
    return ()


def _beside(
    claim: Claim, name: str | None, result: dict[str, RawEstimate]
) -> ReferenceValue | None:
    if name is None or name not in result:
        return None
    e = result[name].estimate
    return ReferenceValue(e.value, e.low, e.high, claim.reading(name).label, result[name].unit)


def _fingerprint(audit: Audit, tables: Mapping[str, Table | Exception]) -> str:
    digest = sha256(repr(audit.counts()).encode())
    for key in sorted(tables):
        table = tables[key]
        if isinstance(table, RiskTable):
            digest.update(table.fingerprint().encode())
    return digest.hexdigest()[:16]
