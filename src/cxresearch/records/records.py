"""The two tables joined: graded moments, customers under follow-up, and an audit that accounts for every row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import narwhals.stable.v2 as nw

from cxresearch.engines import ContactLog, Engine, Frame, Whole
from cxresearch.engines import engine as engine_named
from cxresearch.errors import DataError
from cxresearch.records.active_table import read_active_rows, with_active_rows
from cxresearch.records.audit import (
    Audit,
    cause_facts,
    customer_facts,
    grade_facts,
    lapse_facts,
    missing_facts,
    source_facts,
    spell_facts,
    tallied,
    tallied_log,
    unread_event_facts,
    window_facts,
)
from cxresearch.records.audit_values import CountOfTotal, Day
from cxresearch.records.contacts import available_columns, possible_grades, read_log
from cxresearch.records.contracts import (
    CUSTOMER_REASONS,
    LOG_REASONS,
    Raw,
    first_reason,
    read_customers,
)
from cxresearch.records.customer_table import AboutCustomers, about_customers
from cxresearch.records.dated_events import dated_events_of
from cxresearch.records.dense_window import SeenWindow
from cxresearch.records.find_warnings import (
    cause_warnings,
    contact_warnings,
    customer_warnings,
    event_warnings,
    label_warnings,
    lapse_warnings,
    log_warnings,
    rejection_warnings,
    table_warnings,
)
from cxresearch.records.fingerprint import with_fingerprint
from cxresearch.records.follow_up import (
    Window,
    coded,
    coded_spells,
    contract_follow_up,
    few_clusters,
    leveled,
    one_per_customer,
    spells,
    whole_relations,
)
from cxresearch.records.lapsed import count_lapsed, lapsed_facts, people_facts
from cxresearch.records.lapses import (
    Lapse,
    before_active,
    known_from,
    settle_lapse,
)
from cxresearch.records.log_window import check_literals, window_of_log
from cxresearch.records.match import (
    keep_within_spells,
    mark_partly_seen,
    match_contacts,
    split_rejected,
    whose_contacts,
)
from cxresearch.records.rejections import (
    counted,
    ids_of,
    need_ends,
    need_rows,
    quarantine_of,
)
from cxresearch.records.sources import clear_read_errors, section_source, source_notes, table_rows
from cxresearch.records.survey import Survey
from cxresearch.records.unreadable import unreadable_facts
from cxresearch.study import Study
from cxresearch.utils.checks import arguments, instance, optional
from cxresearch.utils.html_tables import html_table


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Records:
    """What the rest of the way works on; the frames live on the engine.

    Attributes:
        study: what they were made from.
        engine: where the frames live.
        log: customer (code), day, second, grade (position in `GRADES`); 0 or 1: `both`, whether the rules call
            it bad and good at once, and `leaving`, whether it is of the day on which the customer left; and the
            attributes that were asked for (see `cxresearch.records.contact_attributes`).
        dated_events: see `cxresearch.records.dated_events`.
        customers: see `cxresearch.records.follow_up`; fixed covariates are positions among their levels.
        window: that of the log, in days.
        levels: name of each fixed covariate to the names of its levels.
        names: name of each contact attribute that is a text to the texts, in the order of their positions.
        available: what histories may read, had all contact attributes been asked for.
        audit: every row accounted for.
        spells: where customers who come back are at risk again, a row per relation, see
            `cxresearch.records.follow_up.coded_spells`; `customers` then has the first entry and the last exit of each.
            None elsewhere.
        keeps_clusters: whether tables keep clusters (households, or customers) apart: up to 100,000 of them. Above, the
            clusters are put together in a hundred groups.
        lapse: which silence counts as a lapse, where retention is derived from contacts; None with contracts.
        restricted_to: of which customers they are only, as of `cxresearch.records.restrict`; empty for all. Tables of
            such records are not kept.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> records = cx.read_records(study)
        >>> records
        Records('': 2 interactions, 2 retention, on polars)
        >>> records.window.first, records.window.last
        (0, 9)
    """

    study: Study
    engine: Engine
    log: ContactLog
    dated_events: Frame
    customers: Frame
    window: Window
    levels: Mapping[str, tuple[str, ...]]
    names: Mapping[str, tuple[str, ...]]
    available: frozenset[str]
    audit: Audit
    spells: Frame | None = None
    lapse: Lapse | None = None
    keeps_clusters: bool = False
    restricted_to: str = ""

    def __repr__(self) -> str:
        kept = ", ".join(f"{n:,} {table}" for table, n in self.audit.kept)
        return f"Records({self.study.name!r}: {kept}, on {self.engine.name})"

    @property
    def moments(self) -> Frame:
        """All moments, that is contacts that count, in one frame."""
        return self.log.frame()

    @property
    def fixed(self) -> tuple[str, ...]:
        """Names of the fixed covariates."""
        return tuple(self.levels)

    def parts(self, grades: Sequence[int] | None = None) -> tuple[Callable[[], Records], ...]:
        """How to get the same records in parts of disjoint clusters, each of a size that fits in memory.

        With `grades`, contacts of other grades may be left out.
        """

        def made(part: Callable[[], tuple[Frame, Frame]]) -> Records:
            moments, customers = part()
            dated_events = self.dated_events.join(
                customers.select("customer"), on="customer", how="semi"
            )
            spells = self.spells
            if spells is not None:
                spells = spells.join(customers.select("customer"), on="customer", how="semi")
            return replace(
                self,
                log=Whole(moments, self.engine),
                dated_events=dated_events,
                customers=customers,
                spells=spells,
            )

        return tuple(partial(made, part) for part in self.log.parts(self.customers, grades))

    def _repr_html_(self) -> str:
        facts = {f.name: str(f.value) for f in self.audit.facts}
        rows = [
            *((f"{table} kept", f"{n:,}") for table, n in self.audit.kept),
            *((name, facts[name]) for name in ("log from", "log until") if name in facts),
            ("fixed covariates", ", ".join(self.fixed) or "none"),
            ("read on", self.engine.name),
        ]
        return html_table(self.study.name, ("what", "is"), rows)


def study_of(study: Study | Records) -> Study:
    """The study that was given, or that records were read from.

    Raises:
        ArgumentError: it is neither.
    """
    instance("study", study, (Study, Records), "a study, as read_study gives it, or its records")
    return study.study if isinstance(study, Records) else study


def read_records(
    study: Study,
    engine: Engine | str = "polars",
    *,
    required_columns: Collection[str] | None = None,
) -> Records:
    """Read, check and join the two tables of a study.

    Args:
        study: from `read_study` or `study_from`.
        engine: an engine or its name.
        required_columns: what histories will read of a contact besides its grade, such as ``score`` or ``attended``;
            all that the log has when not given.

    Raises:
        SourceError: a table cannot be read.
        DataError: a fatal finding: missing column, wrong type, empty table, no customers in common.
        RuleError: a rule or query is refused.
        ArgumentError: what was given is no study.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> records = cx.read_records(study, engine="duckdb")
        >>> cx.risk_table(records, bad=cx.bad_count(1)) == cx.risk_table(study, bad=cx.bad_count(1))
        True
    """
    optional(required_columns=required_columns)
    instance("study", study, Study, "a study, as read_study gives it")
    return _read(study, _engine_of(engine), required_columns)


def read_with_rows(
    study: Study, engine: Engine | str, required_columns: Collection[str] | None = None
) -> Records:
    """As `read_records`; contacts say in ``row`` which row of the log they are."""
    return _read(study, _engine_of(engine), required_columns, keeps_rows=True)


def _read(
    study: Study,
    engine: Engine,
    required_columns: Collection[str] | None,
    *,
    keeps_rows: bool = False,
) -> Records:
    tables = table_rows(study, engine)
    with clear_read_errors(study, f"interactions ({section_source(study, 'interactions')})"):
        raw = read_log(study, engine, required_columns)
        log, window, days, seen = window_of_log(study, engine, raw)
    if study.retention.kind == "activity":
        return _activity(study, engine, raw, log, window, days, seen, tables, keeps_rows=keeps_rows)
    with clear_read_errors(study, f"retention ({section_source(study, 'retention')})"):
        who, rows = _read_contracts(study, engine, window, dated=raw.dated)
        findings, read, kept = counted(engine, "retention", rows, CUSTOMER_REASONS, who.ordered)
        need_ends(study, engine, who, rows, findings, read)
    need_rows(study, engine, "retention", rows, findings, read, kept, raw=who)
    fixed = (*(("segment",) if study.retention.segment else ()), *study.retention.described)
    customers, levels, spells = _customers_of_contracts(study, engine, rows, fixed)
    with clear_read_errors(study, f"retention ({section_source(study, 'retention')})"):
        quarantine = quarantine_of(engine, who, rows, "retention", CUSTOMER_REASONS, findings)
        unreadable = unreadable_facts(study, engine, who, rows, findings, read)
    causes, ids = cause_facts(study, engine, rows), ids_of(engine, rows)
    doubts = (
        *log_warnings(study, raw, seen, days, window),
        *cause_warnings(causes),
        *table_warnings(study, engine, rows, window, dated=raw.dated),
        *customer_warnings(study, engine, customers, window, fixed),
    )
    whose = engine.keep(whose_contacts(rows, customers))
    del rows  # before the log is gone through
    with clear_read_errors(study, f"interactions ({section_source(study, 'interactions')})"):
        matched = match_contacts(log, whose, window)
        matched = matched if spells is None else keep_within_spells(matched, spells, engine)
        rejected, contacts, label_counts = split_rejected(
            engine, matched, customers, window, raw, keeps_rows=keeps_rows
        )
        happened = dated_events_of(matched, raw.dates, engine)
        tally = tallied(contacts)
        log_findings, log_rejected, _ = counted(
            engine, "interactions", rejected, LOG_REASONS, raw.ordered
        )
        log_read, log_kept = log_rejected + tally.contacts, tally.contacts
        need_rows(
            study,
            engine,
            "interactions",
            raw.table,
            log_findings,
            log_read,
            log_kept,
            ids,
            raw=raw,
        )
        quarantine = (
            quarantine_of(engine, raw, rejected, "interactions", LOG_REASONS, log_findings)
            + quarantine
        )
        reads = {"interactions": log_read, "retention": read}
        doubts = (
            *doubts,
            *rejection_warnings((*log_findings, *findings), reads),
            *contact_warnings(engine, contacts, customers, tally, seen, log_findings),
            *event_warnings(engine, happened, customers, raw.dates),
            *label_warnings(study, label_counts),
        )
        unreadable = (
            *unreadable_facts(study, engine, raw, rejected, log_findings, log_read),
            *unread_event_facts(seen.unread, log_read),
            *unreadable,
        )
    audit = Audit(
        tables=tables,
        read=tuple(reads.items()),
        kept=(("interactions", log_kept), ("retention", kept)),
        findings=(*log_findings, *findings),
        warnings=doubts,
        graded_by=raw.graded_by,
        facts=(
            *source_facts(source_notes(study, engine)),
            *unreadable,
            *window_facts(study, window, days, raw.dated),
            *missing_facts((*seen.missing, *who.missing), reads),
            *grade_facts(tally),
            *causes,
            *customer_facts(engine, customers, tally),
            *(() if spells is None else spell_facts(engine, customers, spells)),
        ),
        quarantine=quarantine,
    )
    return Records(
        study=study,
        engine=engine,
        log=contacts,
        dated_events=happened,
        customers=customers,
        window=window,
        levels=levels,
        names=raw.names,
        available=raw.available,
        audit=with_fingerprint(audit, engine, contacts, customers),
        spells=spells,
        keeps_clusters=few_clusters(engine, customers),
    )


def _read_contracts(
    study: Study, engine: Engine, window: Window, *, dated: bool
) -> tuple[Raw, Frame]:
    """The table of retention: as it is read, and its rows with follow-up and the reason why one is not used."""
    who = read_customers(study, engine)
    if who.dated != dated:
        raise DataError(
            "interactions.at and retention.start must both hold dates or both integer days: "
            f"{'dates' if dated else 'integer days'} and {'dates' if who.dated else 'integer days'}"
        )
    check_literals(study, dated, "retention", ("observed_from", "observed_until"))
    rows = one_per_customer(engine.keep(who.table), study.retention, engine)
    return who, engine.keep(contract_follow_up(rows, study.retention, window))


def _customers_of_contracts(
    study: Study, engine: Engine, rows: Frame, fixed: Sequence[str]
) -> tuple[Frame, dict[str, tuple[str, ...]], Frame | None]:
    """Customers under follow-up, the levels of their covariates, and their spells where each counts by itself."""
    first = rows.filter(nw.col("reason").is_null() & ~nw.col("joined"))
    if not study.retention.has_spells:
        return *leveled(coded(first, engine, *fixed), fixed, engine), None
    relations, levels = leveled(mark_partly_seen(first, rows), fixed, engine)
    whole = whole_relations(relations, engine)
    customers = engine.keep(coded(whole, engine, *fixed))
    return customers, levels, coded_spells(relations, customers, fixed, engine)


def columns_of(study: Study, engine: Engine | str = "polars") -> frozenset[str]:
    """What histories may read, going by the columns of a study's log; no row is looked at.

    Raises:
        SourceError, DataError: as `read_records`.
    """
    with clear_read_errors(study, f"interactions ({section_source(study, 'interactions')})"):
        return available_columns(study, _engine_of(engine))


def possible_grades_of(study: Study, engine: Engine | str = "polars") -> frozenset[str]:
    """The grades that contacts can have by a study's rules and the columns of its log; no row is looked at.

    Raises:
        SourceError, DataError: as `read_records`.
    """
    with clear_read_errors(study, f"interactions ({section_source(study, 'interactions')})"):
        return possible_grades(study, _engine_of(engine))


def _engine_of(engine: Engine | str) -> Engine:
    """The engine of a name, or one that was made before.

    Raises:
        ArgumentError: it is neither.
        EngineError: no engine of that name, or one that is not installed.
    """
    arguments(engine=engine)
    if isinstance(engine, str):
        return engine_named(engine)
    return engine


def _activity(
    study: Study,
    engine: Engine,
    raw: Raw,
    log: Frame,
    window: Window,
    days: SeenWindow,
    seen: Survey,
    tables: tuple[tuple[str, int], ...],
    *,
    keeps_rows: bool,
) -> Records:
    has_table = study.has_active_table
    has_inactive = study.retention.active is not None or has_table
    own = read_active_rows(study, engine, window, dated=raw.dated) if has_table else None
    with clear_read_errors(study, f"interactions ({section_source(study, 'interactions')})"):
        outside = (nw.col("day") < window.first) | (nw.col("day") > window.last)
        late = first_reason([("outside the log's window", outside)], LOG_REASONS)
        log = engine.keep(log.with_columns(reason=nw.coalesce("reason", late)))
        findings, read, kept = counted(engine, "interactions", log, LOG_REASONS, raw.ordered)
        need_rows(study, engine, "interactions", log, findings, read, kept, raw=raw)
        fine = log.filter(nw.col("reason").is_null())
        active = fine.filter(nw.col("active") == 1) if raw.has_active else fine
        active = active if own is None else own.rows
        lapse = settle_lapse(study, engine, active, window, kept, has_inactive=has_inactive)
        gap, since = lapse.days, known_from(study, window)
        relations = engine.keep(spells(active, gap, window, engine, since))
        first = engine.keep(relations.filter(nw.col("cx_at") == 0))
        has_spells = study.retention.has_spells
        everyone = engine.keep(whole_relations(relations, engine)) if has_spells else first
        if has_inactive:
            log = engine.keep(before_active(log, everyone))
            findings, read, kept = counted(engine, "interactions", log, LOG_REASONS, raw.ordered)
            fine = log.filter(nw.col("reason").is_null())
        if own is not None:
            fine = engine.keep(with_active_rows(fine, own.rows, raw.attributes))
    about = about_customers(study, engine, everyone)
    with clear_read_errors(study, f"interactions ({section_source(study, 'interactions')})"):
        customers, levels = _customers_of_activity(engine, about)
        again = None
        if has_spells:
            seen_ones = relations.filter(nw.col("entry") < nw.col("exit"))
            again = coded_spells(seen_ones, customers, about.fixed, engine)
        under = int(engine.collect(customers.select(nw.len())).item())
        if not under:
            raise DataError(
                f"interactions: all {kept:,} contacts lie on the last day of the log "
                f"({Day(window.last, raw.dated)}): nobody is under observation; "
                "give log_until, or a longer log"
            )
        whose = fine.join(customers.select("id", "customer"), on="id").with_columns(
            leaving=nw.lit(0)
        )
        _, contacts, _ = split_rejected(
            engine,
            whose,
            customers,
            window,
            raw,
            has_own_rows=has_table,
            keeps_rows=keeps_rows,
        )
        happened = dated_events_of(whose, raw.dates, engine)
        quarantine = quarantine_of(engine, raw, log, "interactions", LOG_REASONS, findings)
        unreadable = unreadable_facts(study, engine, raw, log, findings, read)
        people = engine.collect(about.everyone.select(nw.len())).item()
        lapsed = count_lapsed(engine, first)
    tally = tallied_log(engine, log)
    facts = (
        *source_facts(source_notes(study, engine)),
        *unreadable,
        *unread_event_facts(seen.unread, read),
        *(own.facts if own else ()),
        *window_facts(study, window, days, raw.dated),
        *missing_facts(seen.missing, {"interactions": read}),
        *grade_facts(tally),
        *people_facts(people, under, lapsed, has_table=has_table),
        *about.facts,
        *lapse_facts(lapse),
        *lapsed_facts(lapsed, gap, has_spells=has_spells),
        *(() if again is None else spell_facts(engine, customers, again)),
    )
    audit = Audit(
        tables=tables,
        read=(("interactions", read), *((("retention", own.read),) if own else ()), *about.read),
        kept=(("interactions", kept), *((("retention", own.kept),) if own else ()), *about.kept),
        findings=(*findings, *(own.findings if own else ()), *about.findings),
        facts=facts,
        warnings=(
            *log_warnings(study, raw, seen, days, window),
            *rejection_warnings(findings, {"interactions": read}),
            *(rejection_warnings(own.findings, {"retention": own.read}) if own else ()),
            *contact_warnings(engine, contacts, customers, tally, seen, findings),
            *lapse_warnings(lapse, CountOfTotal(lapsed.returned, lapsed.lapsed)),
        ),
        graded_by=raw.graded_by,
        quarantine=(*quarantine, *(own.quarantine if own else ()), *about.quarantine),
    )
    return Records(
        study=study,
        engine=engine,
        log=contacts,
        dated_events=happened,
        customers=customers,
        window=window,
        levels=levels,
        names=raw.names,
        available=raw.available,
        audit=with_fingerprint(audit, engine, contacts, customers),
        spells=again,
        lapse=lapse,
        keeps_clusters=few_clusters(engine, customers),
    )


def _customers_of_activity(
    engine: Engine, about: AboutCustomers
) -> tuple[Frame, dict[str, tuple[str, ...]]]:
    """Customers of whom more than one day is seen, and the levels of their covariates."""
    observed = about.everyone.filter(nw.col("entry") < nw.col("exit"))
    customers = engine.keep(coded(observed, engine, "cx_contacts", "returned", *about.fixed))
    return leveled(customers, about.fixed, engine)
