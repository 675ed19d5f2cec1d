"""The order of things within a day, and happenings of one kind."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.errors import EstimationError, nearest
from cxresearch.histories.history import Past
from cxresearch.tables.happenings import HAPPENINGS
from cxresearch.tables.moments import GRADES

DAY = 86_400  # seconds
READS = {  # what happenings of a kind are made from
    "problem": ("problem_at",),
    "resolved": ("problem_at", "resolved_at"),
    "goodwill": ("goodwill_at",),
    "complaint": ("complained_at",),
    "post": ("posted_at",),
}


def instant() -> nw.Expr:
    """The second, counted from the start of day 0."""
    return nw.col("day").cast(nw.Int64) * DAY + nw.col("second")


def graded_instant() -> nw.Expr:
    """The instant and the grade in one integer: within a second, the worse grade comes first; modulo 4, the grade."""
    return instant() * len(GRADES) + nw.col("grade")


def happened(past: Past, kind: str) -> Frame:
    """The happenings of one kind.

    Raises:
        EstimationError: no such kind.
    """
    return past.happenings.filter(nw.col("kind") == happening_code(kind))


def happening_code(kind: str) -> int:
    """The position of a kind of happening.

    Raises:
        EstimationError: no such kind.
    """
    if kind not in HAPPENINGS:
        raise EstimationError(
            f"no happening {kind!r}{nearest(kind, HAPPENINGS) or '; there are: ' + ', '.join(HAPPENINGS)}"
        )
    return HAPPENINGS.index(kind)
