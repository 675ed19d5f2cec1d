"""The tables that readings need: counted in one go, and kept until they are needed no more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from threading import Lock

import polars as pl

from cxresearch.claims.adjusted_model import (
    TableContext,
)
from cxresearch.claims.readings import Comparison
from cxresearch.claims.table_specs import TableSpec
from cxresearch.engines import Engine
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.histories.base import Clock
from cxresearch.histories.timeline import Timeline
from cxresearch.records.audit_values import CountOfTotal
from cxresearch.records.digest import digest_until
from cxresearch.records.nearby import bring_near
from cxresearch.records.records import Records, read_records
from cxresearch.risk.agents import AgentTable, agent_table
from cxresearch.risk.agents import total as total_agents
from cxresearch.risk.cache import Cache, RecordsSummary, opened
from cxresearch.risk.episodes import (
    Episodes,
    episodes,
    grades_of,
    timeline,
)
from cxresearch.risk.gaps import GapTable, gap_table
from cxresearch.risk.gaps import total as total_gaps
from cxresearch.risk.matched import MatchedTable, comparable, matched_table
from cxresearch.risk.matched import total as total_matched
from cxresearch.risk.table import RiskTable, risk_table, total
from cxresearch.risk.transitions import fix_last_levels, since, until
from cxresearch.study import Study
from cxresearch.utils.threads import map_in_threads

Table = RiskTable | MatchedTable | AgentTable | GapTable
MOST_UNSEEN = 2 / 3  # of customers whose beginnings the log does not show
AT_ONCE = 2  # parts worked on at once: most steps of a walk keep one core busy


def count(
    records: Records, wanted: Iterable[TableSpec], progress: Callable[[str], None] | None = None
) -> dict[str, Table | Exception]:
    """Make tables, each part of the customers walked along once.

    Args:
        records: the study's data.
        wanted: what to count; equal ones are counted once.
        progress: called with a line for each part, if there are several.

    Returns:
        Key to table, or to the error in its place.
    """
    by_key = {c.key: c for c in wanted}
    result: dict[str, list[Table]] = {key: [] for key in by_key}
    failed: dict[str, Table | Exception] = {}
    parts = records.parts(_grades(by_key.values()))
    for i, counted in enumerate(_each(parts, partial(_part, by_key)), 1):
        if progress and len(parts) > 1:
            progress(f"counted part {i} of {len(parts)}")
        for key, table in counted.items():
            if isinstance(table, Exception):
                failed[key] = table
            else:
                result[key].append(table)
    # the parts of a table go when their sum is there
    sums = map_in_threads(
        lambda key: failed[key] if key in failed else _total(result.pop(key)), by_key, AT_ONCE
    )
    return dict(zip(by_key, sums, strict=True))


def _each(
    parts: Sequence[Callable[[], Records]],
    work: Callable[[Callable[[], Records], int], dict[str, Table | Exception]],
) -> Iterator[dict[str, Table | Exception]]:
    """The parts worked on, in order; of a single one, several tables at a time."""
    if len(parts) == 1:
        yield work(parts[0], AT_ONCE)
        return
    yield from map_in_threads(lambda part: work(part, 1), parts, AT_ONCE)


def _grades(wanted: Iterable[TableSpec]) -> tuple[int, ...] | None:
    """The grades of the contacts that any table looks at; None where all are."""
    result = [
        None
        if c.contacts_by or c.marks is not None
        else grades_of((h for _, h in c.histories), c.clock)
        for c in wanted
    ]
    return None if None in result else tuple(sorted({g for grades in result for g in grades or ()}))


def _part(
    wanted: Mapping[str, TableSpec], part: Callable[[], Records], at_once: int
) -> dict[str, Table | Exception]:
    """The tables of a part; its customers are walked along once on each clock."""
    records = part()
    lines: dict[Clock, Timeline] = {}

    def make(specs: Sequence[tuple[str, TableSpec]]) -> dict[str, Table | Exception]:
        """Those of one kind of episodes, which are made once and then make room for the next."""
        result: dict[str, Table | Exception] = {}
        eps: Episodes | None = None
        others: dict[tuple[str, ...], pl.DataFrame] = {}
        for key, spec in specs:
            try:
                if spec.contacts_by:
                    result[key] = agent_table(records, *spec.contacts_by)
                    continue
                if spec.marks is not None:
                    marks = {name: dict(values) for name, values in spec.marks}
                    result[key] = gap_table(records, marks)
                    continue
                with made:
                    line = lines.get(spec.clock) or timeline(records, spec.clock)
                    lines[spec.clock] = line
                eps = eps or _episodes(records, _needed(line, spec), spec)
                result[key] = (
                    _compared(eps, spec, spec.compare, others)
                    if spec.compare
                    else _counted(eps, spec)
                )
            except (NotTestable, EstimationError) as e:
                result[key] = e
        return result

    made = Lock()
    kinds = [
        list(k)
        for _, k in groupby(
            sorted(wanted.items(), key=lambda w: w[1].rows), key=lambda w: w[1].rows
        )
    ]
    if at_once == 1 or len(kinds) == 1 or not records.engine.shared:
        return {key: table for kind in kinds for key, table in make(kind).items()}
    made_of_kinds = map_in_threads(make, kinds, at_once)
    return {key: table for tables in made_of_kinds for key, table in tables.items()}


def _episodes(records: Records, line: Timeline, wanted: TableSpec) -> Episodes:
    eps = episodes(
        records,
        dict(wanted.histories),
        fixed=wanted.fixed,
        clock=wanted.clock,
        line=line,
        observed_from_start=wanted.observed_from is None,
        cohorts=wanted.cohorts,
        observed_from=wanted.observed_from,
    )
    return replace(eps, frame=records.engine.keep(eps.frame))


def _needed(line: Timeline, wanted: TableSpec) -> Timeline:
    """As much of the timeline as a table depends on: a comparison looks at nobody's moments after the exposure.

    A level that nobody can reach is said where the exposed are looked for.
    """
    if wanted.compare is None:
        return line
    history, level = dict(wanted.histories)[wanted.compare.history], wanted.compare.level
    return line.until(history, level) if history.cumulative and level in history.levels else line


def _counted(eps: Episodes, wanted: TableSpec) -> Table:
    if origin := wanted.time_origin:
        eps = since(eps, origin.history, origin.level, exclude_from=origin.exclude_from)
    if competing := wanted.competing_event:
        eps = until(eps, competing.history, competing.level, competing.cause)
    return risk_table(fix_last_levels(eps) if wanted.time_fixed else eps)


def _compared(
    eps: Episodes, spec: TableSpec, who: Comparison, others: dict[tuple[str, ...], pl.DataFrame]
) -> MatchedTable:
    """A comparison; `others` keeps the comparators for the next one of the same kind."""
    own = (who.history, who.level, spec.active_within)
    kind = (spec.active_within, *who.matched_on, "by", *who.standardise_by)
    if kind not in others:
        others[kind] = comparable(
            eps, *own, matched_on=who.matched_on, standardise_by=who.standardise_by
        )
    return matched_table(
        eps,
        *own,
        exclude_from=who.exclude_from,
        matched_on=who.matched_on,
        standardise_by=who.standardise_by,
        others=others[kind],
    )


def _total(tables: list[Table]) -> Table:
    if isinstance(tables[0], GapTable):
        return total_gaps([t for t in tables if isinstance(t, GapTable)])
    if isinstance(tables[0], AgentTable):
        return total_agents([t for t in tables if isinstance(t, AgentTable)])
    risk = [t for t in tables if isinstance(t, RiskTable)]
    return (
        total(risk) if risk else total_matched([t for t in tables if isinstance(t, MatchedTable)])
    )


Progress = Callable[[str], None]


class TableStore:
    """A study's tables, and its audit.

    Args:
        study: a study, or its records if they are read already.
        engine: where tables are read; ignored for records.
        keep: whether tables are kept in the study's state folder and taken from there.
        required_columns: what histories will read of a contact besides its grade; all when not given.
        progress: called with a line before each step.
        lookback: whether histories go back over `lookback_days` only; as the log makes it when not given.

    Attributes:
        study: the study.
        tables: key of a specification to its table, or to why there is none.
        cache: where tables are kept between runs; None where none are.
        audit: every row accounted for.
        window: the log's own.
        fixed: names of the fixed covariates.
        available: what histories may read.
        lapse: which silence counts as a lapse; None with contracts.
        is_restricted: whether the records are of some customers or days only.
    """

    def __init__(
        self,
        study: Study | Records,
        engine: Engine | str = "polars",
        *,
        keep: bool = True,
        required_columns: Collection[str] | None = None,
        progress: Progress | None = None,
        lookback: bool | None = None,
    ) -> None:
        self._lookback = lookback
        self._engine, self._say, self._reads = (
            engine,
            progress or (lambda _: None),
            required_columns,
        )
        self._own = not isinstance(study, Records)
        self._records = bring_near(study) if isinstance(study, Records) else None
        self.study = study.study if isinstance(study, Records) else study
        self.is_restricted = self._records is not None and bool(self._records.restricted_to)
        is_kept = keep and not self.is_restricted
        self.cache: Cache | None = opened(self.study) if is_kept else None
        self.tables: dict[str, Table | Exception] = {}
        result = None if self._records or not self.cache else self.cache.records_summary()
        result = result or self._read()
        self.audit, self.window, self.fixed, self.available, self.lapse = (
            result.audit,
            result.window,
            result.fixed,
            result.available,
            result.lapse,
        )

    @property
    def records(self) -> Records:
        """The records, read if they are not yet."""
        if self._records is None:
            self._say("reading and checking the two tables")
            read = read_records(self.study, self._engine, required_columns=self._reads)
            self._records = bring_near(read)
        return self._records

    def prepare(self, wanted: Iterable[TableSpec], *, is_quiet: bool = False) -> None:
        """Have these tables ready; those that have to be counted are counted in one go.

        Args:
            wanted: the tables.
            is_quiet: whether no line is said of each part: of a single table they would be many.
        """
        missing = []
        for spec in {c.key: c for c in wanted if c.key not in self.tables}.values():
            result = self.cache.table(spec.key) if self.cache else None
            if result is None:
                missing.append(spec)
            else:
                # what may be shown is the study's to say, and not that of the study that kept it
                self.tables[spec.key] = replace(result, min_cell=self.study.info.min_cell)
        say = None if is_quiet else self._say
        counted = count(self.records, missing, say) if missing else {}
        for key, table in counted.items():
            if self.cache and not isinstance(table, Exception):
                self.cache.keep_table(key, table)
        self.tables |= counted

    def forget(self) -> None:
        """Let go of records that were read here; asked for again, they are read again."""
        if self._own:
            self._records = None

    def drop(self, keys: Iterable[str]) -> None:
        """Forget tables that are not needed any more; asked for again, they are made again."""
        for key in keys:
            self.tables.pop(key, None)

    def rows(self, spec: TableSpec) -> int:
        """How many rows a table has, if there is one."""
        result = self.tables.get(spec.key)
        return result.flows.height if isinstance(result, RiskTable) else 0

    @property
    def lookback(self) -> bool:
        """Whether so few customers start within the log that histories go back over a fixed time instead."""
        if self._lookback is not None:
            return self._lookback
        seen = self.audit.fact("customers seen only from after their start")
        days = self.window.last - self.window.first
        few = isinstance(seen, CountOfTotal) and seen.share > MOST_UNSEEN
        return few and days > self.study.moments.lookback_days

    @property
    def setting(self) -> TableContext:
        """What its tables depend on besides readings."""
        days = self.lapse.days if self.lapse else 0
        return TableContext(self.study, self.fixed, self.window, self.lookback, days)

    def risk(self, spec: TableSpec) -> RiskTable:
        """The risk table of a specification.

        Raises:
            NotTestable, EstimationError: there can be none.
        """
        result = self._found(spec)
        assert isinstance(result, RiskTable)
        return result

    def matched(self, spec: TableSpec) -> MatchedTable:
        """The matched table of a specification; errors as `risk`."""
        result = self._found(spec)
        assert isinstance(result, MatchedTable)
        return result

    def gaps(self, spec: TableSpec) -> GapTable:
        """The table of customers' own gaps; errors as `risk`."""
        result = self._found(spec)
        assert isinstance(result, GapTable)
        return result

    def agents(self, spec: TableSpec) -> AgentTable:
        """The table of whom contacts were with; errors as `risk`."""
        result = self._found(spec)
        assert isinstance(result, AgentTable)
        return result

    def digest_until(self, day: int) -> str:
        """What the rows were until the end of a day; see `cxresearch.records.digest`."""
        name = f"rows-until-{day}"
        if self.cache and (kept := self.cache.read_result(name)):
            return kept.decode()
        result = digest_until(self.records, day)
        if self.cache:
            self.cache.keep_result(name, result.encode())
        return result

    def _found(self, spec: TableSpec) -> Table:
        self.prepare([spec], is_quiet=True)
        result = self.tables[spec.key]
        if isinstance(result, Exception):
            raise result
        return result

    def _read(self) -> RecordsSummary:
        records = self.records
        result = RecordsSummary(
            records.audit, records.window, records.fixed, records.available, records.lapse
        )
        if self.cache:
            self.cache.keep_records_summary(result)
        return result
