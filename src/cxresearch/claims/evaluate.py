"""Claims on a study: plan their tables, try each claim, and correct for the number of claims.

The order in which a verdict comes about, of which all but the last step is in `trial`: `decide` holds the interval of
each reading against its region; `rivals.apply_rivals` computes the rivals of those that decide the claim, and leaves a
verdict open that does not survive them; `verdict_corrections.apply_requirements` leaves it open where another reading
that the claim requires does not agree; `verdict_corrections.adjust_multiplicity` allows for the number of claims in
the family of the study.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from itertools import count

from threadpoolctl import threadpool_limits

from cxresearch.claims.adjusted_model import Variant
from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.family import Family, count_family
from cxresearch.claims.kept_trials import KeptTrials
from cxresearch.claims.kinds import AnyReading, ModelReading
from cxresearch.claims.looks import Look, Seen, next_look
from cxresearch.claims.results import Docket, Trial
from cxresearch.claims.rivals.apply import plan_analyses, readings_with_rivals
from cxresearch.claims.schema import Claim
from cxresearch.claims.table_specs import TableSpec, contacts_spec
from cxresearch.claims.tables import Table, TableStore
from cxresearch.claims.testability import missing_requirement, required_columns
from cxresearch.claims.trial import try_claim
from cxresearch.claims.verdict_corrections import adjust_multiplicity
from cxresearch.engines import Engine
from cxresearch.errors import ClaimError, NotTestable, nearest
from cxresearch.records.audit import Audit
from cxresearch.records.records import Records, study_of
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study
from cxresearch.utils.checks import arguments, names, optional
from cxresearch.utils.notebook_progress import with_notebook_progress
from cxresearch.utils.threads import completed_in_threads, in_background

KEPT = ": as in an earlier run"  # the end of what is said of a claim that is not tried again
MANY_ROWS = 150_000_000  # of the tables of claims that wait: above, one is tried at a time
Progress = Callable[[str], None]


@with_notebook_progress
def evaluate(
    study: Study | Records,
    claims: Sequence[str] | None = None,
    *,
    engine: Engine | str = "polars",
    alone: bool = False,
    verdicts_only: bool = False,
    keep: bool = True,
    progress: Progress | None = None,
) -> Docket:
    """Try claims on a study.

    A verdict is one of a family: all claims whose columns the study has are judged together, whichever are asked for,
    so that the same claim on the same data has the same verdict. Those that are not asked for are tried as far as
    their verdicts need it, and nothing of them is in the docket.

    Args:
        study: a study, or its records if they are read already.
        claims: ids; all of the catalogue and of the study when not given.
        engine: where the tables are read; ignored for records.
        alone: try nothing but what is asked for, and judge it at the error of the study divided by the number of
            claims in the family. Quicker, and stricter.
        verdicts_only: compute only what the verdicts rest on: the primary readings, what they require, and their
            sensitivity readings. Quicker, where the same claims are tried on many data sets; sentences lack the other
            numbers.
        keep: keep risk tables and trials in the study's state folder, and take from there what an earlier run has kept
            of the same inputs; only where the inputs are files.
        progress: called with a line before each step; in a notebook, a line shows itself when none is given.

    Returns:
        The docket: a trial per claim, in the order asked for.

    Raises:
        ClaimError: an unknown id.
        ArgumentError: what was given is no study, or no list of ids.
        StudyError, SourceError, DataError, RuleError: as `read_records`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> docket = cx.evaluate(study, ["bad-moments-drive-away"], alone=True, keep=False, verdicts_only=True)
        >>> docket
        Docket('a synthetic company': bad-moments-drive-away undecided)
        >>> docket.family.size
        28
    """
    arguments(alone=alone, verdicts_only=verdicts_only, keep=keep)
    optional(progress=progress)
    tried = try_family(
        study,
        claims,
        engine=engine,
        alone=alone,
        verdicts_only=verdicts_only,
        keep=keep,
        progress=progress,
    )
    judged = adjust_multiplicity(tried.trials, tried.family, tried.alpha, tried.look)
    return tried.docket(judged, tried.family)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedFamily:
    """The trials of a family, before its size is allowed for.

    Attributes:
        store: the study and its tables.
        asked: ids of the claims that were asked for.
        family: the claims that are judged together.
        trials: of the claims asked for, and of the others as far as verdicts depend on them.
        counted: digest of what was counted for the claims asked for.
        look: for which looks intervals hold; None for a single one.
    """

    store: TableStore
    asked: tuple[str, ...]
    family: Family
    trials: tuple[Trial, ...]
    counted: str
    look: Look | None = None

    @property
    def alpha(self) -> float:
        """The error allowed, such as 0.05."""
        return 1 - self.store.study.decision.level if self.look is None else self.look.alpha

    def docket(self, judged: Sequence[Trial], family: Family) -> Docket:
        """The docket of the claims asked for.

        Args:
            judged: the trials with their headline verdicts.
            family: the claims that they were judged with.
        """
        by = {t.claim.id: t for t in judged}
        study, audit = self.store.study, self.store.audit
        return Docket(
            study=study.name,
            version=version("cxresearch"),
            fingerprint=audit.fingerprint,
            counted=self.counted,
            data_from=str(audit.fact("log from")),
            data_until=str(audit.fact("log until")),
            level=1 - self.alpha,
            family=family,
            min_cell=study.info.min_cell,
            trials=tuple(by[c] for c in self.asked),
            audit=audit,
            look=self.look,
            after=self.look.record(map(_seen, self.trials)) if self.look else None,
        )


def try_family(
    study: Study | Records,
    claims: Sequence[str] | None = None,
    *,
    engine: Engine | str = "polars",
    alone: bool = False,
    verdicts_only: bool = False,
    keep: bool = True,
    progress: Progress | None = None,
) -> TriedFamily:
    """Try claims, and those whose numbers their verdicts depend on; args and errors as `evaluate`."""
    settings = study_of(study)
    known = claims_of(settings.claims)
    chosen = choose(known, None if claims is None else names("claims", claims))
    reads_all = settings.decision.multiplicity != "none" and not alone
    store = TableStore(
        study,
        engine,
        keep=keep,
        required_columns=required_columns(known if reads_all else chosen),
        progress=progress,
    )
    family = count_family(known, store.study, store.available, is_alone=alone)
    asked = {c.id for c in chosen}
    others = [c for c in known if c.id in family.claims and c.id not in asked]
    wanted = [*chosen, *(others if family.needs_all else ())]
    say = _number_trials(progress, len(wanted)) if progress else (lambda _: None)
    readings = {
        c.id: c.readings if c.id in asked and not verdicts_only else deciding_readings(c)
        for c in wanted
    }
    has_looks = settings.decision.looks == "anytime" and not store.is_restricted
    look = next_look(store, family, known) if has_looks else None
    kept_trials = KeptTrials(store.cache, store.study, look.name if look else "")
    result: dict[str, Trial] = {}
    fingerprints: dict[str, Mapping[str, str]] = {}
    for claim in wanted:
        is_asked = claim.id in asked
        kept = kept_trials.find(claim, readings[claim.id])
        if not kept and not is_asked:  # of those no more is used than their verdicts
            kept = kept_trials.find(claim, claim.readings)
        if kept:
            say(f"{claim.id}{KEPT}")
            result[claim.id], fingerprints[claim.id] = kept
    new = [c for c in wanted if c.id not in result]
    context = EvaluationContext(store, look)
    specs = plan_tables(context, new, readings)
    keys = {claim: {s.key for s in needed} for claim, needed in specs.items()}
    store.prepare([s for of_claim in specs.values() for s in of_claim])
    store.forget()
    with in_background(partial(_fingerprints, dict(store.tables))) as made:
        result |= _try_claims(context, new, readings, specs, say)
    for claim in new:
        of_claim = {k: f for k, f in made.result().items() if k in keys[claim.id]}
        kept_trials.keep(result[claim.id], readings[claim.id], of_claim)
        fingerprints[claim.id] = of_claim
    of_asked = {k: f for c in chosen for k, f in fingerprints[c.id].items()}
    return TriedFamily(
        store=store,
        asked=tuple(c.id for c in chosen),
        family=family,
        trials=tuple(result[c.id] for c in wanted),
        counted=_counted(store.audit, of_asked),
        look=look,
    )


def _seen(trial: Trial) -> Seen:
    return Seen(claim=trial.claim.id, verdict=trial.verdict, p=trial.primary.p, tuned=trial.tuned)


def _number_trials(say: Progress, total: int) -> Progress:
    """Progress that numbers each claim as it begins.

    Args:
        say: takes the lines.
        total: how many claims there are.
    """
    numbers = count(1)

    def numbered(line: str) -> None:
        say(f"{line} ({next(numbers)} of {total})")

    return numbered


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


def plan_tables(
    context: EvaluationContext,
    chosen: Sequence[Claim],
    readings: Mapping[str, Sequence[AnyReading]],
) -> dict[str, list[TableSpec]]:
    """The tables that each claim needs, so that one walk along the customers makes them all."""
    result: dict[str, list[TableSpec]] = {claim.id: [] for claim in chosen}
    for claim in chosen:
        if missing_requirement(claim, context.study, context.store.available):
            continue
        analyses = [(reading, Variant()) for reading in readings[claim.id]]
        for reading in readings_with_rivals(claim).values():
            analyses += [(a.reading, a.variant) for a in plan_analyses(context, claim, reading)]
        for reading, variant in analyses:
            with suppress(NotTestable):  # reported when the reading is tried
                adapted = context.adapt(claim, reading)
                result[claim.id] += context.table_specs(claim, adapted, variant)
                if isinstance(adapted, ModelReading) and adapted.time_origin:
                    # cohorts of such an origin are often wide, so that months of the calendar are terms
                    result[claim.id] += context.table_specs(claim, adapted, variant, calendar=True)
        if claim.show_by_contacts and claim.naive in {r.id for r in readings[claim.id]}:
            result[claim.id].append(contacts_spec())
    return result


def _try_claims(
    context: EvaluationContext,
    chosen: Sequence[Claim],
    readings: Mapping[str, Sequence[AnyReading]],
    specs: dict[str, list[TableSpec]],
    say: Progress,
) -> dict[str, Trial]:
    """The trials of all claims, the smallest along with the largest; while memory is short, the largest alone.

    A table is dropped after the last claim that needs it.
    """
    size = {claim: sum(context.store.rows(s) for s in needed) for claim, needed in specs.items()}
    result: dict[str, Trial] = {}

    def try_one(claim: Claim) -> None:
        say(f"trying {claim.id}")
        result[claim.id] = try_claim(context, claim, readings[claim.id])

    def drop_tables(claim: Claim) -> None:
        used = {s.key for s in specs.pop(claim.id)}
        context.store.drop(used - {s.key for needed in specs.values() for s in needed})

    waiting = sorted(chosen, key=lambda c: -size[c.id])
    while waiting and sum(size[c.id] for c in waiting) > MANY_ROWS:
        try_one(waiting[0])
        drop_tables(waiting.pop(0))
    waiting[1:] = waiting[:0:-1]  # the smallest along with the largest
    # the many small products of matrices that trials make are quicker each on one core
    with threadpool_limits(1, "blas"):
        for claim in completed_in_threads(try_one, waiting, 2):
            drop_tables(claim)
    return result


def deciding_readings(claim: Claim) -> tuple[AnyReading, ...]:
    """The readings that a verdict rests on."""
    primary = claim.primary
    ids = {primary.id, *(r.reading for r in primary.requires), *primary.sensitivity}
    return tuple(r for r in claim.readings if r.id in ids)


def _fingerprints(tables: Mapping[str, Table | Exception]) -> dict[str, str]:
    return {k: table.fingerprint() for k, table in tables.items() if isinstance(table, RiskTable)}


def _counted(audit: Audit, of_tables: Mapping[str, str]) -> str:
    digest = sha256(repr(audit.counts()).encode())
    for key in sorted(of_tables):
        digest.update(of_tables[key].encode())
    return digest.hexdigest()[:16]
