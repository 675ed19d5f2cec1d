"""One claim under many definitions: of bad, of blackout, window and horizon, and of what is held equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from itertools import groupby
from typing import Any

import msgspec
from msgspec import structs
from threadpoolctl import threadpool_limits

from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.compute import compute
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.decide import Verdict, decide_reading
from cxresearch.claims.definitions import AS_GRADED, Alternatives, Definitions, find_alternatives
from cxresearch.claims.evaluate import Progress, choose, deciding_readings
from cxresearch.claims.kept_trials import TRIALS
from cxresearch.claims.kinds import AnyReading
from cxresearch.claims.level_words import describe_terms
from cxresearch.claims.schema import Claim
from cxresearch.claims.specification_results import OWN, Specification, SpecificationCurve
from cxresearch.claims.table_specs import TableSpec
from cxresearch.claims.tables import TableStore
from cxresearch.claims.testability import missing_requirement, required_columns
from cxresearch.claims.trial import try_claim
from cxresearch.engines import Engine
from cxresearch.errors import ArgumentError, EstimationError, NotTestable
from cxresearch.estimators.results import Estimate
from cxresearch.records.records import Records, read_records, study_of
from cxresearch.records.redefine import redefine_bad
from cxresearch.records.regrade import GradableRecords, read_gradable
from cxresearch.risk.cache import Cache
from cxresearch.study import Study
from cxresearch.utils.checks import arguments, flag, instance, lookup, names, optional, text
from cxresearch.utils.notebook_progress import with_notebook_progress
from cxresearch.utils.result import plain

_LIBRARIES = ("cxresearch", "numpy", "scipy")


class DefinitionStore:
    """A study whose definitions are varied: its contacts are read once for each definition of bad.

    Give it to `specification_curve` in place of the study where several curves, or one after the other, are asked for.

    Args:
        study: a study, or its records if they are read already.
        engine: where the tables are read; of records, their own.
        claims: ids of the claims that will be asked about; all when not given. Fewer of them need fewer columns.
        keep: whether numbers are kept in the study's state folder and taken from there.

    Attributes:
        study: as it is declared.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 500, seed=1).study()
        >>> store = cx.DefinitionStore(study, claims=["bad-moments-drive-away"])
        >>> one = dict(bad=[], blackout_days=[14], window_days=[], adjustments=[])
        >>> len(cx.specification_curve(store, "bad-moments-drive-away", **one))
        2
    """

    def __init__(
        self,
        study: Study | Records,
        *,
        engine: Engine | str = "polars",
        claims: Sequence[str] | None = None,
        keep: bool = True,
    ) -> None:
        self.study = study_of(study)
        chosen = choose(claims_of(self.study.claims), claims)
        self._engine = study.engine if isinstance(study, Records) else engine
        self._columns = required_columns(chosen)
        self._is_part = isinstance(study, Records) and bool(study.restricted_to)
        self._records: dict[str, Records] = {}
        self._gradable: GradableRecords | None = None
        if isinstance(study, Records):
            self._records[self.own_bad] = study
        self._keep = keep and not self._is_part
        self._own: TableStore | None = None
        self._known: dict[str, Specification] = {}

    @property
    def own_bad(self) -> str:
        """The study's own definition of bad."""
        return self.study.moments.bad or AS_GRADED

    @property
    def engine(self) -> Engine | str:
        """Where the tables are read."""
        return self._engine

    @property
    def own(self) -> TableStore:
        """The tables with the study's own definitions; contacts are read when one is needed that is not kept."""
        if self._own is None:
            given = self._records.get(self.own_bad, self.study)
            self._own = TableStore(
                given, self._engine, keep=self._keep, required_columns=self._columns
            )
        return self._own

    def share_contacts(self) -> None:
        """Read the contacts once for all definitions of bad, where they are few and their rows have numbers.

        A definition is then a matter of milliseconds. Elsewhere contacts are read again for each definition.

        Raises:
            SourceError, DataError, RuleError: as `read_records`.
        """
        if self._gradable is None and not self._is_part:
            given = self._records.get(self.own_bad)
            self._gradable = read_gradable(given or self.study, self._engine, self._columns)
            if self._gradable and self._own is None:
                self._records.setdefault(self.own_bad, self._gradable.own)

    def records(self, bad: str) -> Records:
        """The records under a definition of bad.

        Raises:
            ArgumentError: another one than the study's own, of records of some customers only.
            RuleError: the condition is refused.
        """
        if bad not in self._records:
            if bad == self.own_bad:
                self._records[bad] = self.own.records
            elif self._is_part:
                raise ArgumentError(
                    "bad", [bad], "left out: these records are of some customers only"
                )
            else:
                changed = self.study.replace(**redefine_bad(self.study, bad, self._engine))
                self._records[bad] = (
                    self._gradable.under(changed)
                    if self._gradable
                    else read_records(changed, self._engine, required_columns=self._columns)
                )
        return self._records[bad]

    def tables(self, at: Definitions, own: Definitions) -> TableStore:
        """The tables under some definitions, still to be made; what is held equal is of no account.

        Args:
            at: the definitions.
            own: those of the study.
        """
        records = self.records(at.bad)
        settings: dict[str, Any] = {"blackout_days": at.blackout_days}
        if at.window_days:
            settings["lookback_days"] = at.window_days
        if at.horizon_days:
            settings["horizon_days"] = at.horizon_days
        changed = replace(records, study=records.study.replace(**settings))
        is_own = at.window_days == own.window_days
        return TableStore(
            changed, keep=False, lookback=self.own.lookback if is_own else at.window_days > 0
        )

    def find(self, name: str) -> Specification | None:
        """A number of an earlier curve."""
        if name not in self._known and self._keep and (cache := self.cache):
            content = cache.read_result(name)
            if content is not None:
                try:
                    self._known[name] = msgspec.msgpack.decode(content, type=Specification)
                except msgspec.MsgspecError:
                    return None
        return self._known.get(name)

    def add(self, name: str, specification: Specification) -> None:
        """Keep a number for the next curve."""
        self._known[name] = specification
        if self._keep and (cache := self.cache):
            cache.keep_result(name, msgspec.msgpack.encode(specification, enc_hook=plain))

    @property
    def cache(self) -> Cache | None:
        """Where numbers are kept between runs; None where none are."""
        return self.own.cache


@with_notebook_progress
def specification_curve(
    study: Study | Records | DefinitionStore,
    claim: str,
    *,
    reading: str | None = None,
    bad: Sequence[str] | None = None,
    blackout_days: Sequence[int] | None = None,
    window_days: Sequence[int] | None = None,
    horizon_days: Sequence[int] | None = None,
    adjustments: Sequence[str] | None = None,
    one_at_a_time: bool = False,
    rivals: bool = False,
    engine: Engine | str = "polars",
    keep: bool = True,
    progress: Progress | None = None,
) -> SpecificationCurve:
    """The number of a claim under other definitions than the study's own, and which of them turn the verdict.

    What is not given takes neighbours of the study's own definition; an empty list leaves it as it is. The study's own
    definitions are always among those that are tried.

    Args:
        study: a study, its records, or a `DefinitionStore`, which reads the contacts once for several curves.
        claim: id.
        reading: id of the reading; the primary when not given.
        bad: conditions in SQL, such as ``["stars <= 1", "stars <= 3"]``; when not given, a step narrower and a step
            wider than a rule that compares one column with a number. What was bad and is not any more is neutral.
        blackout_days: days after which moments take effect; when not given, none, half and twice as many, or 7 and 14.
        window_days: how far histories go back, 0 for as far as is known; when not given, also ``lookback_days``.
        horizon_days: how far the claim looks ahead; when not given, half and twice as far where the claim is about a
            direction. Of a threshold, such as "a third leave", another horizon is another question.
        adjustments: what is held equal; all steps that the number knows when not given.
        one_at_a_time: change one definition at a time instead of trying all combinations.
        rivals: decide by the whole rule, rival explanations included; takes about ten times as long.
        engine: where the tables are read; ignored for records and stores.
        keep: keep numbers in the study's state folder and take from there what an earlier run has kept of the same
            inputs; only where the inputs are files; ignored for stores.
        progress: called with a line before each step.

    Raises:
        ClaimError: an unknown id.
        ArgumentError: a definition that the claim's number does not have, or of the wrong type.
        StudyError, SourceError, DataError, RuleError: as `read_records`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 2000, seed=1).study()
        >>> curve = cx.specification_curve(study, "bad-moments-drive-away", one_at_a_time=True, window_days=[])
        >>> print(curve.sentences[0])
        With the study's own definitions it is supported by itself: 1.62 (1.41 to 1.86).
    """
    text("claim", claim)
    flag("one_at_a_time", one_at_a_time)
    flag("rivals", rivals)
    arguments(engine=engine, keep=keep)
    optional(
        reading=reading,
        blackout_days=blackout_days,
        window_days=window_days,
        horizon_days=horizon_days,
        adjustments=adjustments,
        progress=progress,
    )
    if bad is not None:
        names("bad", bad)
    say = progress or (lambda _: None)
    if isinstance(study, DefinitionStore):
        store = study
    else:
        instance("study", study, (Study, Records), "a study, its records or a DefinitionStore")
        store = DefinitionStore(study, engine=engine, claims=[claim], keep=keep)
    (chosen,) = choose(claims_of(store.study.claims), [claim])
    known = {r.id: r for r in chosen.readings if r.region}
    asked = chosen.primary if reading is None else lookup(known, reading, f"reading of {claim}")
    if rivals and asked.id != chosen.primary.id:
        raise ArgumentError("reading", reading, "left out: the rule decides the primary reading")
    own = store.own
    context = EvaluationContext(own)
    missing = missing_requirement(chosen, store.study, own.available)
    if missing:
        return _curve(store, chosen, asked, rivals, (_lacking(store.study, asked, missing),))
    try:
        adapted = context.adapt(chosen, asked)
    except NotTestable as e:
        return _curve(store, chosen, asked, rivals, (_lacking(store.study, asked, e.lacks),))
    alternatives = find_alternatives(
        store.study,
        chosen,
        adapted,
        log_days=own.window.last - own.window.first,
        looks_back=own.lookback,
        engine=store.engine,
        bad=bad,
        blackout_days=blackout_days,
        window_days=window_days,
        horizon_days=horizon_days,
        adjustments=adjustments,
        with_rivals=rivals,
    )
    wanted = [
        d
        for d in alternatives.combined()
        if not one_at_a_time or len(d.changes(alternatives.own)) <= 1
    ]
    result: dict[Definitions, Specification] = {}
    with threadpool_limits(1, "blas"):
        for at, group in groupby(wanted, key=lambda d: replace(d, adjustment="")):
            several = tuple(group)
            say(f"{len(result) + 1} to {len(result) + len(several)} of {len(wanted)} combinations")
            result |= _compute(store, chosen, asked, alternatives, several, at, rivals=rivals)
    return _curve(store, chosen, asked, rivals, tuple(result[d] for d in wanted))


def _curve(
    store: DefinitionStore,
    claim: Claim,
    reading: AnyReading,
    rivals: bool,
    specifications: tuple[Specification, ...],
) -> SpecificationCurve:
    region = reading.claimed_region
    return SpecificationCurve(
        study=store.study.name,
        claim=claim.id,
        statement=claim.statement,
        label=reading.label,
        unit=reading.unit,
        region=reading.region or "",
        low=region.low,
        high=region.high,
        level=store.study.decision.level,
        with_rivals=rivals,
        specifications=specifications,
        min_cell=store.study.info.min_cell,
    )


def _compute(
    store: DefinitionStore,
    claim: Claim,
    asked: AnyReading,
    alternatives: Alternatives,
    several: Sequence[Definitions],
    at: Definitions,
    *,
    rivals: bool,
) -> dict[Definitions, Specification]:
    """The numbers of combinations that share their contacts and their time; tables are made once."""
    names = {d: _name(store.study, claim, asked, d, rivals=rivals) for d in several}
    result = {d: known for d, name in names.items() if (known := store.find(name))}
    # another order of the same definitions may have made it under other changes
    result = {d: replace(s, changes=d.changes(alternatives.own)) for d, s in result.items()}
    missing = [d for d in several if d not in result]
    if not missing:
        return result
    tables = store.tables(at, alternatives.own)
    context = EvaluationContext(tables)
    ways = {d: alternatives.adjustment[d.adjustment] for d in missing}
    specs: list[TableSpec] = []
    for reading, variant in ways.values():
        try:
            specs += context.table_specs(claim, reading, variant)
        except NotTestable:  # said where the number is computed
            continue
    tables.prepare(specs)
    for d, (reading, variant) in ways.items():
        fill = partial(_filled, d, alternatives, asked)
        try:
            if rivals:
                made = _with_reading(claim, reading)
                row = try_claim(context, made, deciding_readings(made))
                result[d] = fill(
                    estimate=row.primary.estimate,
                    verdict=row.verdict,
                    customers=row.primary.customers,
                    events=row.primary.events,
                    lacks=row.primary.lacks,
                )
            else:
                raw = compute(context, claim, context.adapt(claim, reading), variant)
                decision = decide_reading(
                    raw.estimate,
                    asked.claimed_region,
                    withheld=raw.why_withheld,
                    why_not_contradicted=asked.why_not_contradicted,
                )
                result[d] = fill(
                    estimate=raw.estimate,
                    verdict=decision.verdict,
                    customers=raw.customers,
                    events=raw.events,
                    lacks="",
                )
        except NotTestable as e:
            lacks = describe_terms(claim, e.lacks)
            result[d] = fill(estimate=None, verdict="not testable", lacks=lacks)
        except EstimationError as e:
            lacks = f"a model that can be fitted: {describe_terms(claim, str(e))}"
            result[d] = fill(estimate=None, verdict="not testable", lacks=lacks)
        store.add(names[d], result[d])
    return result


def _filled(
    d: Definitions,
    alternatives: Alternatives,
    asked: AnyReading,
    *,
    estimate: Estimate | None,
    verdict: Verdict,
    lacks: str,
    customers: int = 0,
    events: int = 0,
) -> Specification:
    return Specification(
        bad=d.bad,
        blackout_days=d.blackout_days,
        window_days=d.window_days,
        horizon_days=d.horizon_days,
        adjustment=d.adjustment,
        changes=d.changes(alternatives.own),
        estimate=estimate,
        verdict=verdict,
        unit=asked.unit,
        customers=customers,
        events=events,
        lacks=lacks,
    )


def _lacking(study: Study, asked: AnyReading, lacks: str) -> Specification:
    """What stands in the place of a number that the study's own definitions do not give."""
    return Specification(
        bad=study.moments.bad or AS_GRADED,
        blackout_days=study.moments.blackout_days,
        window_days=0,
        horizon_days=0,
        adjustment=OWN,
        changes=(),
        estimate=None,
        verdict="not testable",
        unit=asked.unit,
        customers=0,
        events=0,
        lacks=lacks,
    )


def _with_reading(claim: Claim, reading: AnyReading) -> Claim:
    """The claim with its primary reading changed."""
    readings = tuple(reading if r.id == reading.id else r for r in claim.readings)
    return structs.replace(claim, readings=readings)


def _name(study: Study, claim: Claim, reading: AnyReading, d: Definitions, *, rivals: bool) -> str:
    """A name made of all that a number depends on besides the study's inputs."""
    parts = (
        f"trials {TRIALS}",
        *(f"{name} {version(name)}" for name in _LIBRARIES),
        msgspec.json.encode(claim, order="deterministic").decode(),
        reading.id,
        repr(d),
        str(rivals),
        msgspec.json.encode((study.info, study.decision)).decode(),
    )
    return f"specification-{blake2b(chr(0).join(parts).encode(), digest_size=12).hexdigest()}"
