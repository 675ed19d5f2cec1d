"""What turns a clock or a transition into another question: from a state reached on, until a state is reached."""

from __future__ import annotations

from dataclasses import replace

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.errors import EstimationError
from cxresearch.histories import History
from cxresearch.risk.episodes import COHORT, Episodes, check_name, cohort_month
from cxresearch.risk.exclusions import Exclusion


def where(eps: Episodes, **levels: tuple[str, ...]) -> Episodes:
    """Only the time spent in these levels of each history named."""
    x = eps.frame
    for name, wanted in levels.items():
        positions = [eps.position(name, level) for level in wanted]
        x = x.filter(nw.col(name).is_in(positions))
    return replace(eps, frame=x)


def since(eps: Episodes, history: str, level: str, *, exclude_from: str | None = None) -> Episodes:
    """Another clock: time 0 is the day on which a cumulative history reached a level; at risk from there on.

    Args:
        eps: on the tenure clock.
        history: a cumulative history.
        level: the level reached at time 0.
        exclude_from: leave out customers who stood at or above this level at time 0 already.

    Returns:
        The episodes, with exclusions for customers who left on that very day and for those left out by `exclude_from`.

    Raises:
        EstimationError: no such history or level, or a history that can also fall.
    """
    eps = replace(eps, frame=eps.engine.keep(eps.frame))
    origins, exclusions = first_reach(eps, history, level, exclude_from=exclude_from)
    x = eps.frame.join(origins.select("customer", "origin"), on="customer")
    x = x.filter((nw.col("start") >= nw.col("origin")) & (nw.col("start") < nw.col("stop")))
    x = x.with_columns(
        start=nw.col("start") - nw.col("origin"), stop=nw.col("stop") - nw.col("origin")
    )
    clock = "contact" if eps.clock == "contact" else f"days since {history} {level}"
    if COHORT in eps.fixed:
        x = x.with_columns(cohort_month(nw.col("cx_begin") + nw.col("origin")).alias(COHORT))
    return replace(
        eps, frame=x.drop("origin"), clock=clock, exclusions=(*eps.exclusions, *exclusions)
    )


def first_reach(
    eps: Episodes, history: str, level: str, *, exclude_from: str | None = None
) -> tuple[Frame, tuple[Exclusion, ...]]:
    """When each customer first reached a level of a cumulative history, and was still there after that day.

    Returns:
        Rows (customer, origin, end), both on the clock of `eps`; and the customers left out: those who left on the very
        day, and those who stood at `exclude_from` or above at once.

    Raises:
        EstimationError: no such history or level, or a history that can also fall.
    """
    _check_rising(eps, history, level)
    position, unknown = eps.position(history, level), len(eps.levels(history)) - 1
    reached = (nw.col(history) >= position) & (nw.col(history) != unknown)
    origins = eps.frame.filter(reached).group_by("customer").agg(origin=nw.col("start").min())
    last = eps.frame.group_by("customer").agg(end=nw.col("stop").max())
    at_origin = eps.frame.join(origins, on="customer").filter(nw.col("start") == nw.col("origin"))
    state = at_origin.group_by("customer").agg(first_state=nw.col(history).max())
    origins = eps.engine.keep(origins.join(last, on="customer").join(state, on="customer"))
    origins, earlier = _reached_now(eps, origins, history, level)
    on_the_day = nw.col("origin") == nw.col("end")
    too_far = nw.col("first_state") >= (
        eps.position(history, exclude_from) if exclude_from else unknown
    )
    counts = eps.engine.collect(
        origins.select(
            left=on_the_day.cast(nw.Int64).sum(),
            beyond=(too_far & ~on_the_day).cast(nw.Int64).sum(),
        )
    ).row(0, named=True)
    at_once = "at the same contact" if eps.clock == "contact" else "on the same day"
    gone = (
        f"had no later contact that is followed when they reached {history} {level}"
        if eps.clock == "contact"
        else f"left on the day they reached {history} {level}"
    )
    exclusions = (
        Exclusion(gone, int(counts["left"] or 0)),
        Exclusion(
            f"reached {history} {exclude_from} {at_once} as {level}",
            int(counts["beyond"] or 0),
        ),
        Exclusion(f"had reached {history} {level} before they came back", earlier),
    )
    return origins.filter(~on_the_day & ~too_far), tuple(a for a in exclusions if a.customers)


def _reached_now(eps: Episodes, origins: Frame, history: str, level: str) -> tuple[Frame, int]:
    """Without those who had reached a level in an earlier relation; and how many these are."""
    if eps.carried is None:
        return origins, 0
    position, unknown = eps.position(history, level), len(eps.levels(history)) - 1
    held = nw.col(history)
    before = eps.carried.filter((held >= position) & (held != unknown)).select("customer")
    dropped = origins.join(before, on="customer", how="semi")
    n = int(eps.engine.collect(dropped.select(nw.len())).item())
    return eps.engine.keep(origins.join(before, on="customer", how="anti")), n


def until(eps: Episodes, history: str, level: str, cause: str) -> Episodes:
    """A transition as a competing exit: the row before it ends with `cause`, and the rows from it on go.

    The state changes for the days after a moment, so leaving on the very day of the transition stays leaving.

    Raises:
        EstimationError: no such history or level, a history that can also fall, or a cause that there is already.
    """
    if cause in (*eps.causes, *eps.histories):
        raise EstimationError(f"there is a {cause!r} already: call the cause something else")
    check_name(cause.replace(" ", "_"))
    _check_rising(eps, history, level)
    position = eps.position(history, level)
    along = eps.engine.along("start")
    crossed = nw.when(nw.col(history) >= position).then(nw.lit(1)).otherwise(nw.lit(0))
    x = along.prepare(
        eps.frame.filter(nw.col("start") < nw.col("stop")).with_columns(crossed=crossed)
    )
    x = x.with_columns(following=along.shift("crossed", -1))
    code = len(eps.causes)
    x = x.with_columns(
        event=nw.when(nw.col("following") == 1)
        .then(nw.lit(code))
        .otherwise(nw.col("event"))
        .cast(nw.Int32)
    )
    return replace(
        eps,
        frame=x.filter(nw.col("crossed") == 0).drop("crossed", "following"),
        causes=(*eps.causes, cause),
    )


def fix_last_levels(eps: Episodes) -> Episodes:
    """What a naive analysis does: each customer's last level, as if it had held from the beginning.

    One row per customer. This looks ahead, on purpose: it is shown next to the right answer, never as one.
    """
    along = eps.engine.along("start")
    x = along.prepare(eps.frame.filter(nw.col("start") < nw.col("stop")))
    ends = x.group_by("customer").agg(entry=nw.col("start").min(), end=nw.col("stop").max())
    x = x.join(ends, on="customer").filter(nw.col("stop") == nw.col("end"))
    return replace(eps, frame=x.with_columns(start=nw.col("entry")).drop("entry", "end"))


_RISING = History(
    name="",
    levels=("",),
    required_columns=(),
    updates=lambda _: [],
    fold={},
    code=lambda _: nw.lit(0),
    cumulative=True,
)


def _check_rising(eps: Episodes, history: str, level: str) -> None:
    if not eps.histories.get(history, _RISING).cumulative:
        raise EstimationError(
            f"{history} can fall as well as rise, so reaching {level!r} is not one moment in time"
        )
