"""Records with the facets that an instrument needs, and what is counted of them part by part."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from cxresearch.engines.packing import sums
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.explore import records_of
from cxresearch.histories import History
from cxresearch.histories.clocks import Clock
from cxresearch.risk.episode import episodes, grades_of
from cxresearch.risk.table import RiskTable, risk_table, total
from cxresearch.study import Study
from cxresearch.tables.records import Records

_CALLED = {"touchpoint": "a touchpoint", "owner": "an owner", "level": "a level of service"}


def facet_records(study: Study | Records, needed: str, wanted: Collection[str] = ()) -> Records:
    """The records of a study with a facet that is needed and, where the log has them, others.

    Args:
        study: a study, or its records.
        needed: a facet such as ``touchpoint``.
        wanted: further facets.

    Raises:
        NotTestable: the log does not have the one that is needed.
        EstimationError: the log has it, and the records were read without.
        SourceError, DataError: as `cxresearch.audit`.
    """
    records = records_of(study, reads=(needed, *wanted))
    if needed not in records.has:
        raise NotTestable(
            f"{_CALLED.get(needed, needed)} of its contacts: name the column that tells it, "
            f'as in {needed} = "…" under [interactions]'
        )
    if not has_column(records, needed):
        raise EstimationError(
            f"the records were read without {needed}: read them with reads=None, or with {needed!r} in reads"
        )
    return records


def has_column(records: Records, name: str) -> bool:
    """Whether the moments were read with a facet."""
    return name in records.parts()[0]().moments.collect_schema().names()


def tallied(records: Records, *keys: str) -> pl.DataFrame:
    """How many ``rows`` of moments there are by these columns, whole numbers, sorted by them."""
    parts = [
        records.engine.tally(made.moments.select(*keys), keys).select(pl.all().cast(pl.Int64))
        for made in (part() for part in records.parts())
    ]
    return sums(pl.concat(parts), keys, ("rows",)).select(pl.all().cast(pl.Int64))


def counted(records: Records, histories: Mapping[str, History], clock: Clock, fixed: tuple[str, ...]) -> RiskTable:
    """The risk table of some histories, of the customers whose beginnings the log shows."""
    parts = records.parts(grades_of(histories.values(), clock))
    made = (episodes(part(), histories, fixed=fixed, clock=clock, whole=True) for part in parts)
    return total([risk_table(eps) for eps in made])


def strata_of(records: Records) -> tuple[str, ...]:
    """The segment, where customers have one."""
    return tuple(name for name in records.fixed if name == "segment")
