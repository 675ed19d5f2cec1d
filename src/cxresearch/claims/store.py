"""Tables on demand: from memory, from what an earlier run has kept, or counted from the records, read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cxresearch.accounting import Audit
from cxresearch.cache import Cache, opened
from cxresearch.claims.counting import Counting, Table, count
from cxresearch.engines import Engine
from cxresearch.matched import MatchedTable
from cxresearch.records import Records, read_records
from cxresearch.retention import Window
from cxresearch.risk import RiskTable
from cxresearch.study import Study

Progress = Callable[[str], None]


class Store:
    """A study's tables, and what its audit says.

    Args:
        study: a study, or its records if they are read already.
        engine: where tables are read; ignored for records.
        keep: whether tables are kept in the study's state folder and taken from there.
        progress: called with a line before each step.

    Attributes:
        study: the study.
        tables: key of a counting to its table, or to why there is none.
        audit: every row accounted for.
        window: the log's own.
        fixed: names of the fixed covariates.
    """

    def __init__(
        self,
        study: Study | Records,
        engine: Engine | str = "polars",
        *,
        keep: bool = True,
        progress: Progress | None = None,
    ) -> None:
        self._engine, self._say = engine, progress or (lambda _: None)
        self._records = study if isinstance(study, Records) else None
        self.study = study.study if isinstance(study, Records) else study
        self._kept: Cache | None = opened(self.study) if keep else None
        self.tables: dict[str, Table | Exception] = {}
        found = None if self._records or not self._kept else self._kept.reading()
        self.audit: Audit
        self.window: Window
        self.fixed: tuple[str, ...]
        self.audit, self.window, self.fixed = found or self._read()

    @property
    def records(self) -> Records:
        """The records, read if they are not yet."""
        if self._records is None:
            self._say("reading and checking the two tables")
            self._records = read_records(self.study, self._engine)
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

    def drop(self, keys: Iterable[str]) -> None:
        """Forget tables that are not needed any more; asked for again, they are made again."""
        for key in keys:
            self.tables.pop(key, None)

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

    def _found(self, counting: Counting) -> Table:
        self.prepare([counting])
        found = self.tables[counting.key]
        if isinstance(found, Exception):
            raise found
        return found

    def _read(self) -> tuple[Audit, Window, tuple[str, ...]]:
        records = self.records
        if self._kept:
            self._kept.keep_reading(records.audit, records.window, records.fixed)
        return records.audit, records.window, records.fixed
