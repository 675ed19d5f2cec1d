"""Histories of the others in a household: customers of one cluster."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.engines.windows import Fold
from cxresearch.errors import EstimationError, nearest
from cxresearch.histories.base import LONG_BEFORE, History, Past, RunningColumns, band, band_names
from cxresearch.records.contacts import BAD
from cxresearch.records.follow_up import CAUSES
from cxresearch.utils.checks import arguments


def household_exits(cause: str = "defection") -> History:
    """Whether another member of the household has left before, for one cause.

    Members who leave on the same day have not seen each other leave.

    Args:
        cause: defection or other exit.

    Returns:
        The history with the levels ``alone`` (no other member is under follow-up), ``none``, ``1+`` and ``unknown``,
        which is never reached.

    Raises:
        EstimationError: no such cause.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [3, 2], "grade": ["bad", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, 5], "home": ["h", "h"]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> settings = {"interactions": window, "retention": {"cluster": "home"}}
        >>> study = cx.study_from(settings, interactions=log, retention=who)
        >>> rows = cx.episodes(study, past=cx.histories.household_exits()).to_polars()
        >>> rows.filter(customer=0).select("start", "stop", "past").rows()
        [(0, 5, 'none'), (5, 9, '1+')]
    """
    arguments(cause=cause)
    known = CAUSES[1:]
    if cause not in known:
        raise EstimationError(
            f"no cause {cause!r}{nearest(cause, known) or '; there are: ' + ', '.join(known)}"
        )
    code = CAUSES.index(cause)

    def updates(past: Past) -> list[Frame]:
        who = past.customers.select("customer", "cluster", "entry", "exit", "event")
        sizes = who.group_by("cluster").agg(members=nw.len())
        shared = who.join(sizes.filter(nw.col("members") > 1), on="cluster")
        if past.spells is None:
            # the first to leave is enough: whoever leaves then is gone, and for the rest it stays
            exits = who.filter(nw.col("event") == code).group_by("cluster")
            first = exits.agg(first=nw.col("exit").min())
            staying = shared.join(first, on="cluster").filter(nw.col("exit") > nw.col("first"))
        else:  # whoever left and came back counts the others' exits, and not of that
            left = past.spells.filter(nw.col("event") == code)
            left = left.select("cluster", source=nw.col("customer"), first=nw.col("exit"))
            pairs = shared.join(left, on="cluster")
            pairs = pairs.filter(nw.col("customer") != nw.col("source"))
            staying = pairs.group_by("customer").agg(first=nw.col("first").min())
        always = past.clock.on(nw.col("entry") - LONG_BEFORE)
        return [
            shared.select("customer", always.alias("tick"), others=nw.lit(1)),
            staying.select(
                "customer", past.clock.on(nw.col("first")).alias("tick"), left=nw.lit(1)
            ),
        ]

    def level(run: RunningColumns) -> nw.Expr:
        left = nw.when(run.column("left") > 0).then(nw.lit(2)).otherwise(nw.lit(1))
        return nw.when(run.column("others") > 0).then(left).otherwise(nw.lit(0))

    levels = ("alone", "none", "1+", "unknown")
    fold: dict[str, Fold] = {"others": "sum", "left": "sum"}
    return History(
        name=f"household_exits({cause})",
        levels=levels,
        required_columns=("household",),
        updates=updates,
        fold=fold,
        code=level,
        grades=(),
        cumulative=True,
        lasting=("others", "left"),
    )


def household_bad(edges: tuple[int, ...] = (1, 2, 3)) -> History:
    """How many bad moments all members of the household have had so far, the customer included, in bands.

    Args:
        edges: where bands begin; (1, 2, 3) gives 0, 1, 2, 3+.

    Returns:
        The history; ``unknown`` where the log does not show the beginnings of some member.

    Raises:
        EstimationError: edges that do not rise.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [3, 2], "grade": ["bad", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, 5], "home": ["h", "h"]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> settings = {"interactions": window, "retention": {"cluster": "home"}}
        >>> study = cx.study_from(settings, interactions=log, retention=who)
        >>> rows = cx.episodes(study, past=cx.histories.household_bad((1, 2))).to_polars()
        >>> rows.filter(customer=0).select("start", "stop", "past").rows()
        [(0, 2, '0'), (2, 3, '1'), (3, 9, '2+')]
    """
    arguments(edges=edges)
    levels = (*band_names(tuple(edges)), "unknown")

    def updates(past: Past) -> list[Frame]:
        who = past.customers.select("customer", "cluster", "entry", "left_truncated")
        bad = past.moments.filter(nw.col("grade") == BAD)
        theirs = bad.join(who, on="customer").select("cluster", "day", source=nw.col("customer"))
        theirs = theirs.join(who.select("customer", "cluster"), on="cluster")
        theirs = theirs.filter(nw.col("customer") != nw.col("source"))
        seen = past.clock.on(
            nw.col("day") + past.clock.lag
        )  # contacts of others are not contacts of the customer
        hidden = who.filter(nw.col("left_truncated") == 1).select("cluster").unique()
        blind = who.join(hidden, on="cluster")
        always = past.clock.on(nw.col("entry") - LONG_BEFORE)
        return [
            bad.select("customer", "tick", n=nw.lit(1)),
            theirs.select("customer", seen.alias("tick"), n=nw.lit(1)),
            blind.select("customer", always.alias("tick"), hidden=nw.lit(1)),
        ]

    def level(run: RunningColumns) -> nw.Expr:
        count = band(run.column("n"), tuple(edges))
        return nw.when(run.column("hidden") > 0).then(nw.lit(len(levels) - 1)).otherwise(count)

    fold: dict[str, Fold] = {"n": "sum", "hidden": "sum"}
    name, required_columns = f"household_bad({list(edges)})", ("grade", "household")
    return History(
        name=name,
        levels=levels,
        required_columns=required_columns,
        updates=updates,
        fold=fold,
        code=level,
        grades=(BAD,),
        cumulative=True,
    )
