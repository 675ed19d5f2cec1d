"""Tables on demand: from memory, from what an earlier run has kept, or counted from the records, read once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from cxresearch.claims.counting import Counting, Table, count
from cxresearch.engines import Engine
from cxresearch.risk.agent_counts import AgentTable
from cxresearch.risk.cache import Cache, Reading, opened
from cxresearch.risk.matched import MatchedTable
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study
from cxresearch.tables.records import Records, read_records

Progress = Callable[[str], None]


class Store:
    """A study's tables, and what its audit says.

    Args:
        study: a study, or its records if they are read already.
        engine: where tables are read; ignored for records.
        keep: whether tables are kept in the study's state folder and taken from there.
        reads: what histories will read of a contact besides its grade; all when not given.
        progress: called with a line before each step.

    Attributes:
        study: the study.
        tables: key of a counting to its table, or to why there is none.
        audit: every row accounted for.
        window: the log's own.
        fixed: names of the fixed covariates.
        has: what histories may read.
    """

    def __init__(
        self,
        study: Study | Records,
        engine: Engine | str = "polars",
        *,
        keep: bool = True,
        reads: Collection[str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._engine, self._say, self._reads = engine, progress or (lambda _: None), reads
        self._own = not isinstance(study, Records)
        self._records = study if isinstance(study, Records) else None
        self.study = study.study if isinstance(study, Records) else study
        self._kept: Cache | None = opened(self.study) if keep else None
        self.tables: dict[str, Table | Exception] = {}
        found = None if self._records or not self._kept else self._kept.reading()
        found = found or self._read()
        self.audit, self.window, self.fixed, self.has = found.audit, found.window, found.fixed, found.has

    @property
    def records(self) -> Records:
        """The records, read if they are not yet."""
        if self._records is None:
            self._say("reading and checking the two tables")
            self._records = read_records(self.study, self._engine, reads=self._reads)
        return self._records

    def prepare(self, wanted: Iterable[Counting]) -> None:
        """Have these tables ready; those that have to be counted are counted in one go."""
        missing = []
        for counting in {c.key: c for c in wanted if c.key not in self.tables}.values():
            found = self._kept.table(counting.key) if self._kept else None
            if found is None:
                missing.append(counting)
            else:
                self.tables[counting.key] = found
        counted = count(self.records, missing, self._say) if missing else {}
        for key, table in counted.items():
            if self._kept and not isinstance(table, Exception):
                self._kept.keep_table(key, table)
        self.tables |= counted

    def forget(self) -> None:
        """Let go of records that were read here; asked for again, they are read again."""
        if self._own:
            self._records = None

    def drop(self, keys: Iterable[str]) -> None:
        """Forget tables that are not needed any more; asked for again, they are made again."""
        for key in keys:
            self.tables.pop(key, None)

    def rows(self, counting: Counting) -> int:
        """How many rows a table has, if there is one."""
        found = self.tables.get(counting.key)
        return found.flows.height if isinstance(found, RiskTable) else 0

    def risk(self, counting: Counting) -> RiskTable:
        """The risk table of a counting.

        Raises:
            NotTestable, EstimationError: there can be none.
        """
        found = self._found(counting)
        assert isinstance(found, RiskTable)
        return found

    def matched(self, counting: Counting) -> MatchedTable:
        """The matched table of a counting; errors as `risk`."""
        found = self._found(counting)
        assert isinstance(found, MatchedTable)
        return found

    def agents(self, counting: Counting) -> AgentTable:
        """The table of whom contacts were with; errors as `risk`."""
        found = self._found(counting)
        assert isinstance(found, AgentTable)
        return found

    def _found(self, counting: Counting) -> Table:
        self.prepare([counting])
        found = self.tables[counting.key]
        if isinstance(found, Exception):
            raise found
        return found

    def _read(self) -> Reading:
        records = self.records
        found = Reading(records.audit, records.window, records.fixed, records.has)
        if self._kept:
            self._kept.keep_reading(found)
        return found
