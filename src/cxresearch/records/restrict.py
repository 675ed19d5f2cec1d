"""Records of some customers, or of some days, only: no source is read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import ContactLog, Engine, Frame, Whole
from cxresearch.errors import ArgumentError
from cxresearch.records.records import Records
from cxresearch.utils.checks import one_of


@dataclass(frozen=True, slots=True)
class _Restricted:
    """Contacts of some customers; see `ContactLog`."""

    contacts: ContactLog
    who: Frame
    engine: Engine

    def frame(self, grades: Sequence[int] | None = None) -> Frame:
        """As `ContactLog.frame`."""
        return _of_customers(self.contacts.frame(grades), self.who)

    def parts(
        self, customers: Frame, grades: Sequence[int] | None = None
    ) -> Sequence[Callable[[], tuple[Frame, Frame]]]:
        """As `ContactLog.parts`: a part of all contacts at a time, and of it those of these customers."""

        def restricted(part: Callable[[], tuple[Frame, Frame]]) -> tuple[Frame, Frame]:
            contacts, theirs = part()
            return _of_customers(contacts, theirs), theirs

        return [partial(restricted, part) for part in self.contacts.parts(customers, grades)]

    def tally(self, columns: Sequence[str]) -> pl.DataFrame:
        """As `ContactLog.tally`."""
        return self._whole().tally(columns)

    def customers(self) -> int:
        """As `ContactLog.customers`."""
        return self._whole().customers()

    def busiest(self) -> tuple[int, int]:
        """As `ContactLog.busiest`."""
        return self._whole().busiest()

    def _whole(self) -> Whole:
        return Whole(self.frame(), self.engine)


@dataclass(frozen=True, slots=True)
class _OfLog(_Restricted):
    """Contacts of the log; see `ContactLog`."""

    def frame(self, grades: Sequence[int] | None = None) -> Frame:
        """As `ContactLog.frame`."""
        return _of_log(self.contacts.frame(grades))

    def parts(
        self, customers: Frame, grades: Sequence[int] | None = None
    ) -> Sequence[Callable[[], tuple[Frame, Frame]]]:
        """As `ContactLog.parts`."""

        def restricted(part: Callable[[], tuple[Frame, Frame]]) -> tuple[Frame, Frame]:
            contacts, theirs = part()
            return _of_log(contacts), theirs

        return [partial(restricted, part) for part in self.contacts.parts(customers, grades)]


def _of_log(contacts: Frame) -> Frame:
    return contacts.filter(nw.col("ordered") == 0)


def restrict_to_log(records: Records) -> Records:
    """The records without the rows of a table of its own that only keep customers active.

    What is asked is what happens at contacts; such a row has no grade, no touchpoint and nobody who answers. Records of
    a study without such a table are returned as they are.
    """
    if not records.study.has_active_table:
        return records
    contacts = _OfLog(records.log, records.customers, records.engine)
    return replace(records, log=contacts)


def restrict(records: Records, by: str, level: str) -> Records:
    """The records of the customers at one level of a fixed covariate.

    The audit and the window stay those of the whole study. What a household has lived through is not known where its
    members are in different levels: `available` then names no household.

    Args:
        records: of all customers.
        by: a fixed covariate, such as ``segment``.
        level: one of its levels.

    Raises:
        ArgumentError: there is no such covariate, or no such level.
    """
    levels = records.levels[one_of("by", by, list(records.levels))]
    position = levels.index(one_of("level", level, list(levels)))
    engine = records.engine
    customers = engine.keep(records.customers.filter(nw.col(by) == position))
    spells = None if records.spells is None else _of_customers(records.spells, customers)
    available = records.available
    if "household" in available and _has_split_households(records, by):
        available -= {"household"}
    return replace(
        records,
        log=_Restricted(records.log, customers, engine),
        dated_events=_of_customers(records.dated_events, customers),
        customers=customers,
        spells=spells,
        available=available,
        restricted_to=f"{by} {level}",
    )


def restrict_days(records: Records, first: int, last: int) -> Records:
    """The records with customers at risk on some days only; what they lived through before still counts.

    Whoever leaves later is last seen on the last of the days. The audit and the window stay those of the whole study.

    Args:
        records: of all days.
        first: the first day.
        last: the last day.

    Raises:
        ArgumentError: nobody is there on these days.
    """
    engine = records.engine
    customers = engine.keep(_on_days(records.customers, first, last))
    spells = None if records.spells is None else engine.keep(_on_days(records.spells, first, last))
    if not engine.collect(customers.select(nw.len())).item():
        raise ArgumentError("first", first, "a day on which customers are under observation")
    return replace(
        records,
        log=_Restricted(records.log, customers, engine),
        dated_events=_of_customers(records.dated_events, customers),
        customers=customers,
        spells=spells,
        restricted_to=f"days {first} to {last}",
    )


def _on_days(customers: Frame, first: int, last: int) -> Frame:
    x = customers.with_columns(
        event=nw.when(nw.col("exit") <= last).then(nw.col("event")).otherwise(nw.lit(0)),
        entry=nw.max_horizontal("entry", nw.lit(first - 1)),
        exit=nw.min_horizontal("exit", nw.lit(last)),
    )
    return x.filter(nw.col("entry") < nw.col("exit"))


def count_customers(records: Records, by: str) -> dict[str, int]:
    """How many customers there are at each level of a fixed covariate, in the order of the levels.

    Args:
        records: of all customers.
        by: a fixed covariate.

    Raises:
        ArgumentError: there is no such covariate.
    """
    levels = records.levels[one_of("by", by, list(records.levels))]
    counted = records.engine.collect(records.customers.group_by(by).agg(rows=nw.len()))
    rows = {position: int(n) for position, n in counted.select(by, "rows").iter_rows()}
    return {level: rows.get(position, 0) for position, level in enumerate(levels)}


def _has_split_households(records: Records, by: str) -> bool:
    by_cluster = records.customers.group_by("cluster").agg(
        low=nw.col(by).min(), high=nw.col(by).max()
    )
    split = by_cluster.select(split=(nw.col("low") != nw.col("high")).cast(nw.Int32).max())
    return bool(records.engine.collect(split)["split"].item())


def _of_customers(frame: Frame, customers: Frame) -> Frame:
    return frame.join(customers.select("customer"), on="customer", how="semi")
