"""What all shapes work on: a study on trial, and the number that is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cxresearch.claims.claim import Claim, Reading
from cxresearch.claims.counting import Counting, countings
from cxresearch.claims.evidence import Series
from cxresearch.claims.store import Store
from cxresearch.errors import ClaimError
from cxresearch.estimators.results import Estimate
from cxresearch.risk.episode import Aside
from cxresearch.study import Study

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """The number of a reading.

    Attributes:
        estimate: with its interval.
        unit: as `Evidence.unit`.
        customers: as `Evidence.customers`.
        events: that count.
        horizon_days: None where there is none.
        series: curves behind it.
        asides: customers left out.
        warnings: what to bear in mind.
        open: why the number cannot decide, whatever it is; empty if it can.
    """

    estimate: Estimate
    unit: str
    customers: int
    events: int
    horizon_days: int | None = None
    series: tuple[Series, ...] = ()
    asides: tuple[Aside, ...] = ()
    warnings: tuple[str, ...] = ()
    open: str = ""


@dataclass(slots=True)
class Bench:
    """One study on trial: what several readings share is made once.

    Attributes:
        store: the study and its tables.
    """

    store: Store
    _made: dict[str, Any] = field(default_factory=dict)
    _making: dict[str, Lock] = field(default_factory=lambda: defaultdict(Lock))

    @property
    def study(self) -> Study:
        """The study."""
        return self.store.study

    def countings(self, claim: Claim, reading: Reading) -> tuple[Counting, ...]:
        """The tables a reading needs, its own first."""
        return countings(self.study, self.store.fixed, claim, reading)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """A result that several readings look at, perhaps at the same time."""
        with self._making[key]:
            if key not in self._made:
                self._made[key] = make()
            found: T = self._made[key]
            return found


def given(part: T | None) -> T:
    """A part that the grammar of the catalogue demands of the shape."""
    if part is None:
        raise ClaimError("a reading lacks what its shape needs")
    return part


def spaced(n: int) -> NDArray[np.int64]:
    """At most a hundred of n places, the first and the last among them: as many as a chart can show."""
    return np.unique(np.linspace(0, n - 1, min(100, n)).astype(np.int64))
