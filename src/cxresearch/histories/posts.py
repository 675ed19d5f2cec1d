"""The history of what a customer has said in public."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.histories.history import History, Past, Run
from cxresearch.histories.instants import happened


def posted() -> History:
    """Whether the customer has posted in public.

    The state changes a day after the post: a clock that starts on the day of a bad moment does not see what changed on
    that day, and a post on the very day is the one to be seen.

    Returns:
        The history with the levels ``none``, ``posted`` and, for customers whose beginnings the log does not show,
        ``unknown``.
    """
    levels = ("none", "posted", "unknown")

    def marks(past: Past) -> list[Frame]:
        seen = past.clock.on(nw.col("day") + (past.clock.lag + 1))
        return [happened(past, "post").select("customer", seen.alias("tick"), posts=nw.lit(1))]

    def level(run: Run) -> nw.Expr:
        any_post = nw.when(run.column("posts") > 0).then(nw.lit(1)).otherwise(nw.lit(0))
        return nw.when(run.unseen == 1).then(nw.lit(len(levels) - 1)).otherwise(any_post)

    return History("posted()", levels, ("posted_at",), marks, {"posts": "sum"}, level, (), cumulative=True)
