"""The history that looks at the latest moment alone: its grade."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.histories.history import History, Past, Run
from cxresearch.histories.instants import graded_instant
from cxresearch.tables.moments import GRADES


def last_grade() -> History:
    """The grade of the last contact so far: none, bad, neutral, good or unknown.

    Within one second the worse grade comes first, so the better one is last. A customer whose beginnings the log does
    not show is ``unknown`` until the first contact seen.
    """
    levels = ("none", *GRADES)

    def marks(past: Past) -> list[Frame]:
        # order and grade in one integer: the last contact is a maximum, and ties need no rule
        return [past.moments.select("customer", "tick", last=graded_instant())]

    def level(run: Run) -> nw.Expr:
        last = run.column("last")
        none = nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(nw.lit(0))
        return nw.when(last.is_null()).then(none).otherwise(last % len(GRADES) + 1)

    return History("last_grade()", levels, ("second", "grade"), marks, {"last": "last"}, level)
