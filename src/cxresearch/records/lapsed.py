"""The customers of a shop who lapsed, how many of them came back, and the warning of the audit."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals.stable.v2 as nw

from cxresearch.engines import Engine, Frame
from cxresearch.records.audit import Fact
from cxresearch.records.audit_values import Count, CountOfTotal


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Of the first relations of customers: those that ended, those of them with another one, those unseen before."""

    lapsed: int
    returned: int
    unseen: int


def count_lapsed(engine: Engine, first: Frame) -> Lapsed:
    """Count them; `first` has a row for the first relation of each customer."""
    is_lapsed = nw.when(nw.col("event") == 1).then(nw.lit(1)).otherwise(nw.lit(0))
    counts = first.filter(nw.col("entry") < nw.col("exit")).select(
        lapsed=is_lapsed.cast(nw.Int64).sum(),
        returned=(nw.col("returned") * is_lapsed).sum(),
        unseen=nw.col("left_truncated").sum(),
    )
    return Lapsed(*(int(v or 0) for v in engine.collect(counts).row(0)))


def people_facts(people: int, under: int, lapsed: Lapsed, *, has_table: bool) -> tuple[Fact, ...]:
    """How many customers there are, how many of them are followed, and how many not from their start."""
    who = "who have a row that keeps them active" if has_table else "who appear in kept contacts"
    never, seen = "customers never under observation", "customers seen only from after their start"
    early = "first seen so early in the log that they may have been there before it: no counts, no first moments"
    left_out = Fact(never, CountOfTotal(people - under, people), "first seen on the last day")
    return (
        Fact("customers", Count(people), who),
        *((left_out,) if people > under else ()),
        Fact(seen, CountOfTotal(lapsed.unseen, under), early),
    )


def lapsed_facts(lapsed: Lapsed, gap: int, *, has_spells: bool) -> tuple[Fact, ...]:
    """How many customers lapsed, and how many of them came back at any later time."""
    then = "they are at risk again" if has_spells else "what they did then is ignored"
    back = CountOfTotal(lapsed.returned, lapsed.lapsed)
    return (
        Fact("customers who lapsed", Count(lapsed.lapsed), f"no contact for more than {gap} days"),
        Fact("lapsed who came back later", back, then),
    )
