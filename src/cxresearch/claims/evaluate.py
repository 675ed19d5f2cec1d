"""Claims on trial: compute every reading, decide, correct for their number, and say it in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version

from threadpoolctl import threadpool_limits

from cxresearch.claims.adjust import family, in_the_light_of, naive_differs
from cxresearch.claims.catalogue_loader import Claim, Reading, claims_of, region
from cxresearch.claims.compute import Bench, Found, activity, compute
from cxresearch.claims.decide import Region, Verdict, decide, more_events
from cxresearch.claims.phrases import Words
from cxresearch.claims.requirements import lacks, reads, suited
from cxresearch.claims.results import Beside, Docket, Evidence, Trial
from cxresearch.claims.sentences import filled
from cxresearch.claims.tables import Counting, Store, Table, activity_counting
from cxresearch.claims.units import CONTEST
from cxresearch.engines import Engine
from cxresearch.errors import ClaimError, EstimationError, NotTestable, nearest
from cxresearch.records.audit import Audit, Share
from cxresearch.records.records import Records
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study

_UNITS = {
    "share": "share",
    "incidence": "share",
    "excess": "difference of shares",
    "attributable": "difference of shares",
    "contest": CONTEST,
}
MANY_ROWS = 150_000_000  # of the tables of claims that wait: above, one is tried at a time
MANY_UNKNOWN = 0.2  # above that share of unknown grades, a count of bad moments is a lower bound
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
            ladders. Quicker, where the same claims are tried on many data sets; sentences lack the other numbers.
        keep: keep risk tables in the study's state folder, and take from there what an earlier run has kept of the
            same inputs; only where the inputs are files.
        progress: called with a line before each step.

    Returns:
        The docket: a trial per claim, in the order asked for.

    Raises:
        ClaimError: an unknown id.
        StudyError, SourceError, DataError, RuleError: as `read_records`.
    """
    say = progress or (lambda _: None)
    own = study.study.claims if isinstance(study, Records) else study.claims
    chosen = choose(claims_of(own), claims)
    store = Store(study, engine, keep=keep, reads=reads(chosen), progress=say)
    wanted = {c.id: _deciding(c) if verdicts_only else c.readings for c in chosen}
    bench = Bench(store)
    planned = _planned(bench, chosen, wanted)
    store.prepare([c for countings in planned.values() for c in countings])
    store.forget()
    with ThreadPoolExecutor(1) as beside:
        fingerprint = beside.submit(_fingerprint, store.audit, dict(store.tables))
        result = _tried(bench, chosen, wanted, planned, say)
    settings = store.study.decision
    trials = family([result[c.id] for c in chosen], settings.multiplicity, 1 - settings.level)
    return Docket(
        store.study.name,
        version("cxresearch"),
        fingerprint.result(),
        str(store.audit.fact("log from")),
        str(store.audit.fact("log until")),
        settings.level,
        settings.multiplicity,
        store.study.info.min_cell,
        tuple(trials),
        store.audit,
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
            raise ClaimError(f"no claim {claim!r}{nearest(claim, by) or '; there are: ' + ', '.join(by)}")
    return tuple(by[c] for c in dict.fromkeys(ids))


def _planned(
    bench: Bench, chosen: Sequence[Claim], wanted: Mapping[str, Sequence[Reading]]
) -> dict[str, list[Counting]]:
    """The tables that each claim needs, so that one walk along the customers makes them all."""
    result: dict[str, list[Counting]] = {claim.id: [] for claim in chosen}
    for claim in chosen:
        if lacks(claim, bench.study, bench.store.has):
            continue
        for reading in wanted[claim.id]:
            with suppress(NotTestable):  # said when the reading is tried
                result[claim.id] += bench.countings(claim, _suited(bench, claim, reading))
        if claim.activity and claim.naive in {r.id for r in wanted[claim.id]}:
            result[claim.id].append(activity_counting())
    return result


def _tried(
    bench: Bench,
    chosen: Sequence[Claim],
    wanted: Mapping[str, Sequence[Reading]],
    planned: dict[str, list[Counting]],
    say: Progress,
) -> dict[str, Trial]:
    """The trials of all claims, the smallest beside the largest; while memory counts, the largest alone.

    A table goes with the last claim that needs it.
    """
    size = {claim: sum(bench.store.rows(c) for c in countings) for claim, countings in planned.items()}
    result: dict[str, Trial] = {}

    def work(claim: Claim) -> None:
        say(f"trying {claim.id}")
        result[claim.id] = _try(bench, claim, wanted[claim.id])

    def done(claim: Claim) -> None:
        own = {c.key for c in planned.pop(claim.id)}
        bench.store.drop(own - {c.key for countings in planned.values() for c in countings})

    waiting = sorted(chosen, key=lambda c: -size[c.id])
    while waiting and sum(size[c.id] for c in waiting) > MANY_ROWS:
        work(waiting[0])
        done(waiting.pop(0))
    waiting[1:] = waiting[:0:-1]  # the smallest beside the largest
    # the many small products of matrices that trials make are quicker each on one core
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(2) as pool:
        running = {pool.submit(work, c): c for c in waiting}
        try:
            for trial in as_completed(running):
                trial.result()
                done(running[trial])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return result


def _suited(bench: Bench, claim: Claim, reading: Reading) -> Reading:
    return suited(bench.study, bench.store.audit, bench.store.has, claim, reading)


def _deciding(claim: Claim) -> tuple[Reading, ...]:
    """The readings that a verdict rests on."""
    primary = claim.primary
    ids = {primary.id, *(r.reading for r in primary.requires), *primary.ladder}
    return tuple(r for r in claim.readings if r.id in ids)


def _try(bench: Bench, claim: Claim, wanted: Sequence[Reading]) -> Trial:
    missing = lacks(claim, bench.study, bench.store.has)
    readings = sorted(wanted, key=lambda r: not r.primary)
    result: dict[str, Found] = {}
    rows: dict[str, Evidence] = {}
    for reading in readings:
        if missing:
            rows[reading.id] = _untestable(claim, reading, missing)
            continue
        try:
            result[reading.id] = compute(bench, claim, _suited(bench, claim, reading))
            rows[reading.id] = _decided(bench, claim, reading, result[reading.id])
        except NotTestable as e:
            rows[reading.id] = _untestable(claim, reading, e.lacks)
        except EstimationError as e:
            rows[reading.id] = _untestable(claim, reading, f"a model that can be fitted: {e}")
    primary = claim.primary
    rows[primary.id] = in_the_light_of(primary, rows)
    tried = tuple(rows[r.id] for r in readings if not r.describes)
    base, naive = (_beside(claim, name, result) for name in (claim.base_rate, claim.naive))
    verdict = rows[primary.id].verdict.replace(" ", "_")
    sentence = filled(getattr(claim.text, verdict), claim, rows[primary.id], base, result)
    if verdict == "supported" and (reason := rows[primary.id].reason):
        sentence = sentence.extend(" ({remark}.)", "remark", Words(f"{reason[0].upper()}{reason[1:]}"))
    if not (claim.text.caution and naive_differs(claim, rows)):
        return Trial(claim, tried, base, naive, sentence)
    caution = filled(claim.text.caution, claim, rows[primary.id], base, result)
    shown_too = activity(bench) if claim.activity else ()
    return Trial(claim, tried, base, naive, sentence, caution, shown_too)


def _decided(bench: Bench, claim: Claim, reading: Reading, result: Found) -> Evidence:
    if reading.region is None:
        return _row(claim, reading, result, "undecided", "", None)
    where = region(claim, reading)
    decision = decide(result.estimate, where)
    verdict, reason = decision.verdict, decision.reason
    if result.open:
        return _row(claim, reading, result, "undecided", result.open, None, (*_warnings(bench), *result.warnings))
    if verdict == "contradicted" and reading.not_contradicted:
        verdict, reason = "undecided", reading.not_contradicted
    elif verdict == "undecided":
        more = more_events(result.estimate, where, result.events, reading.alternative)
        if more:
            cases = "departures" if reading.event == "defection" and reading.shape != "share" else "cases"
            truth = _target(reading, where)
            reason += f"; data on about {_round(more):,} more {cases} would decide it if the truth were {truth}"
    p = None if math.isnan(decision.p) else decision.p
    return _row(claim, reading, result, verdict, reason, p, (*_warnings(bench), *result.warnings))


def _target(reading: Reading, where: Region) -> str:
    effect = where.effect
    return f"{effect:.2f}" if not math.isnan(effect) else f"{reading.alternative:g}"


def _round(n: int) -> int:
    digits = max(len(str(n)) - 2, 0)
    return round(n, -digits)


def _row(
    claim: Claim,
    reading: Reading,
    result: Found,
    verdict: Verdict,
    reason: str,
    p: float | None,
    warnings: tuple[str, ...] = (),
) -> Evidence:
    return Evidence(
        claim.id,
        reading.id,
        reading.label,
        reading.primary,
        verdict,
        verdict,
        reason,
        result.estimate,
        p,
        None,
        result.unit,
        reading.region or "",
        result.customers,
        result.events,
        result.horizon_days,
        "",
        warnings,
        result.series,
        result.asides,
    )


def _untestable(claim: Claim, reading: Reading, missing: str) -> Evidence:
    return Evidence(
        claim.id,
        reading.id,
        reading.label,
        reading.primary,
        "not testable",
        "not testable",
        "",
        None,
        None,
        None,
        _UNITS.get(reading.shape, "hazard ratio"),
        reading.region or "",
        0,
        0,
        None,
        missing,
        (),
        (),
        (),
    )


def _warnings(bench: Bench) -> tuple[str, ...]:
    unknown = bench.store.audit.fact("unknown moments")
    if isinstance(unknown, Share) and unknown.share > MANY_UNKNOWN:
        return (f"{unknown.share:.0%} of the moments have no grade: counts are of recorded bad moments only",)
    return ()


def _beside(claim: Claim, name: str | None, result: dict[str, Found]) -> Beside | None:
    if name is None or name not in result:
        return None
    e = result[name].estimate
    return Beside(e.value, e.low, e.high, claim.reading(name).label, result[name].unit)


def _fingerprint(audit: Audit, tables: Mapping[str, Table | Exception]) -> str:
    digest = sha256(repr(audit.counts()).encode())
    for key in sorted(tables):
        table = tables[key]
        if isinstance(table, RiskTable):
            digest.update(table.fingerprint().encode())
    return digest.hexdigest()[:16]
