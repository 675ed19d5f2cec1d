"""Histories of what came after what."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.engines.along import Fold
from cxresearch.errors import EstimationError
from cxresearch.histories.history import History, Past, Run
from cxresearch.tables.moments import BAD, GOOD


def flipped(days: int = 14) -> History:
    """Whether a good moment has come soon after a bad one.

    Within one second the bad moment comes first. Once flipped, a customer stays so.

    Args:
        days: a good moment on day t is soon after a bad one on day s if t - s is at most this.

    Returns:
        The history with the levels ``none`` (no good moment and no bad one so far), ``good alone`` (good moments, and
        no bad one so far), ``flipped``, ``other`` (bad moments, and no good one soon after any) and, for customers
        whose beginnings the log does not show, ``unknown``.

    Raises:
        EstimationError: a negative number of days.
    """
    if days < 0:
        raise EstimationError(f"days must be at least 0, was {days}")
    levels = ("none", "good alone", "flipped", "other", "unknown")

    def marks(past: Past) -> list[Frame]:
        x = past.moments.filter(nw.col("grade").is_in([BAD, GOOD]))
        bad, good = nw.col("grade") == BAD, nw.col("grade") == GOOD
        x = x.with_columns(last_bad=nw.when(bad).then(nw.col("day").cast(nw.Int64)))
        x = x.with_columns(last_bad=past.along.last("last_bad"))
        soon = good & (nw.col("day") - nw.col("last_bad") <= days)
        found = {"good": x.filter(good), "bad": x.filter(bad), "flip": x.filter(soon)}
        firsts = {name: frame.group_by("customer").agg(nw.col("tick").min()) for name, frame in found.items()}
        return [frame.select("customer", "tick", nw.lit(1).alias(name)) for name, frame in firsts.items()]

    def level(run: Run) -> nw.Expr:
        good = nw.when(run.column("good") > 0).then(nw.lit(1)).otherwise(nw.lit(0))
        some = nw.when(run.column("bad") > 0).then(nw.lit(3)).otherwise(good)
        seen = nw.when(run.column("flip") > 0).then(nw.lit(2)).otherwise(some)
        return nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(seen)

    fold: dict[str, Fold] = {"good": "sum", "bad": "sum", "flip": "sum"}
    return History(f"flipped({days})", levels, ("second", "grade"), marks, fold, level, (BAD, GOOD))
