"""What an audit tells besides the rows it set aside: the window, the grades, who left and for what."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import Engine, Frame, Moments
from cxresearch.errors import nearest
from cxresearch.study import Study
from cxresearch.tables.accounting import Count, Day, Fact, Share
from cxresearch.tables.moments import GRADES
from cxresearch.tables.retention import Window


@dataclass(frozen=True, slots=True)
class Tallied:
    """Numbers about the contacts that were kept.

    Attributes:
        grades: shape (4,), contacts of each grade.
        both: called bad and good at once by the rules.
        leaving: on the day on which the customer left.
        customers: who have a contact.
    """

    grades: tuple[int, ...]
    both: int
    leaving: int
    customers: int

    @property
    def contacts(self) -> int:
        """All that were kept."""
        return sum(self.grades)


def tallied(contacts: Moments) -> Tallied:
    """Count the contacts of the customers."""
    by = contacts.tally(("grade", "both", "leaving"))
    return Tallied(_grades(by), _rows(by, "both", 1), _rows(by, "leaving", 1), contacts.customers())


def tallied_log(engine: Engine, log: Frame) -> Tallied:
    """Count the contacts of a log that have no reason; of customers it says nothing."""
    fine = log.filter(nw.col("reason").is_null())
    by = engine.tally(fine.select("grade", nw.col("both").cast(nw.Int32)), ("grade", "both"))
    return Tallied(_grades(by), _rows(by, "both", 1), 0, 0)


def _grades(by: pl.DataFrame) -> tuple[int, ...]:
    return tuple(_rows(by, "grade", i) for i in range(len(GRADES)))


def _rows(by: pl.DataFrame, column: str, value: int) -> int:
    return int(by.filter(pl.col(column) == value)["rows"].sum())


def window_facts(study: Study, window: Window, dated: bool) -> tuple[Fact, ...]:
    """From when to when the log shows contacts."""
    says = study.interactions
    ends = (("from", window.first, says.log_from, "first"), ("until", window.last, says.log_until, "last"))
    return tuple(
        Fact(
            f"log {name}",
            Day(day, dated),
            "" if given is not None else f"the {which} contact, as log_{name} is not given",
        )
        for name, day, given, which in ends
    )


def grade_facts(kept: Tallied) -> tuple[Fact, ...]:
    """How many contacts of each grade."""
    facts = [Fact(f"{name} moments", Share(n, kept.contacts)) for name, n in zip(GRADES, kept.grades, strict=True)]
    clash = (Fact("bad and good at once", Count(kept.both), "counted as bad"),) if kept.both else ()
    return (*facts, *clash)


def unread_facts(times: int) -> tuple[Fact, ...]:
    """How many times of problems, complaints and the like could not be read."""
    return (Fact("times of happenings not readable", Count(times), "taken as absent"),) if times else ()


def cause_facts(study: Study, engine: Engine, rows: Frame) -> tuple[Fact, ...]:
    """Causes of defection that nobody left for: most likely a slip of the pen."""
    wanted = study.retention.defection
    if not wanted:
        return ()
    left = rows.filter(~nw.col("cause").is_null()).select("cause").unique()
    seen = engine.collect(left)["cause"].to_list()
    return tuple(
        Fact(f"customers who left for {c!r}", Count(0), f"listed under defection{nearest(c, seen)}")
        for c in wanted
        if c not in seen
    )


def customer_facts(engine: Engine, customers: Frame, kept: Tallied) -> tuple[Fact, ...]:
    """Who left, who was not seen from the start, who never got in touch."""
    found = engine.collect(
        customers.select(
            n=nw.len(),
            unseen=nw.col("unseen").sum(),
            defected=(nw.col("event") == 1).cast(nw.Int64).sum(),
            other=(nw.col("event") == 2).cast(nw.Int64).sum(),
        )
    ).row(0, named=True)
    n = int(found["n"])
    return (
        Fact("customers who defected", Share(int(found["defected"] or 0), n)),
        Fact("customers who left for another cause", Share(int(found["other"] or 0), n), "competing exits"),
        Fact(
            "customers seen only from after their start",
            Share(int(found["unseen"] or 0), n),
            "no counts, no first moments",
        ),
        Fact("customers without a contact", Share(n - kept.customers, n)),
        Fact("contacts on the day of leaving", Count(kept.leaving), "explain nothing"),
    )
