"""What "by now" means along a customer: a day, or a contact.

A history marks changes at ticks. On the day clock a tick is a day. On the contact clock it is (day, contact number)
packed into one integer, so that contacts of one day keep their order and a window that closes between two contacts
still falls between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import narwhals.stable.v2 as nw

from cxresearch.engines import Engine, Frame
from cxresearch.tables.facets import FACETS

_CONTACTS = 2**20  # contacts one customer may have


class Clock(Protocol):
    """Ticks and days."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def lag(self) -> int:
        """The blackout, in days."""

    def mark(self, moments: Frame, engine: Engine) -> Frame:
        """The moments with ``tick``: when each takes effect."""

    def on(self, day: nw.Expr) -> nw.Expr:
        """The tick at which something takes effect that is due on a day rather than at a contact."""

    def day(self, tick: nw.Expr) -> nw.Expr:
        """The day of a tick: the state holds for the days after it."""


@dataclass(frozen=True, slots=True)
class DayClock:
    """Ticks are days; `lag` is the blackout: a moment takes effect that many days later, for everyone."""

    lag: int = 0
    name: str = "tenure"

    def mark(self, moments: Frame, engine: Engine) -> Frame:  # noqa: ARG002 - the engine is for clocks that count
        """As `Clock.mark`."""
        return moments.with_columns(tick=(nw.col("day") + self.lag).cast(nw.Int64))

    def on(self, day: nw.Expr) -> nw.Expr:
        """As `Clock.on`."""
        return day.cast(nw.Int64)

    def day(self, tick: nw.Expr) -> nw.Expr:
        """As `Clock.day`."""
        return tick


@dataclass(frozen=True, slots=True)
class ContactClock:
    """Ticks are contacts, in the order of time and, within one second, the worse grade first. No blackout."""

    lag: int = 0
    name: str = "contact"

    def mark(self, moments: Frame, engine: Engine) -> Frame:
        """As `Clock.mark`."""
        told = moments.collect_schema().names()
        more = (c for c in ("both", "leaving", *sorted(FACETS)) if c in told)
        along = engine.along("day", "second", "grade", *more)  # alike in all of them, any order is the same
        x = moments.with_columns(one=nw.lit(1)).with_columns(nth=along.sum("one"))
        return x.with_columns(tick=nw.col("day").cast(nw.Int64) * _CONTACTS + nw.col("nth")).drop("one", "nth")

    def on(self, day: nw.Expr) -> nw.Expr:
        """As `Clock.on`: before the contacts of that day."""
        return day.cast(nw.Int64) * _CONTACTS

    def day(self, tick: nw.Expr) -> nw.Expr:
        """As `Clock.day`."""
        return (tick - tick % _CONTACTS) // _CONTACTS

    @staticmethod
    def number(tick: nw.Expr) -> nw.Expr:
        """The contact's number, from 1; 0 for a tick that is no contact."""
        return tick % _CONTACTS
