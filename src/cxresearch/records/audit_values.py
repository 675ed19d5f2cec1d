"""Numbers of an audit, as values: they become text where they are shown, after it is decided which may be shown."""

from __future__ import annotations

from datetime import date

import msgspec

_EPOCH = date(1970, 1, 1).toordinal()


class Count(msgspec.Struct, frozen=True, tag=True):
    """How many.

    Attributes:
        count: rows, contacts or customers.
    """

    count: int

    def __str__(self) -> str:
        return f"{self.count:,}"


class CountOfTotal(msgspec.Struct, frozen=True, tag="Share"):
    """How many out of a total.

    Attributes:
        count: rows, contacts or customers.
        total: of which they are a part; may be 0.
    """

    count: int
    total: int

    @property
    def share(self) -> float:
        """The part of the total, 0 to 1; 0 of an empty total."""
        return self.count / self.total if self.total else 0.0

    def __str__(self) -> str:
        return f"{self.count:,} ({self.share:.1%})" if self.total else f"{self.count:,}"


class Day(msgspec.Struct, frozen=True, tag=True):
    """A day.

    Attributes:
        number: days since 1 January 1970, or the integer that the source gives.
        is_dated: whether it is a date; otherwise the source counts days by integers.
    """

    number: int
    is_dated: bool

    def __str__(self) -> str:
        return (
            date.fromordinal(self.number + _EPOCH).isoformat()
            if self.is_dated
            else str(self.number)
        )


FactValue = Count | CountOfTotal | Day
