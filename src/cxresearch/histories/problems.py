"""Histories of problems and what followed: solved or not, gestures, public posts, bad then good."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from cxresearch.engines import Frame
from cxresearch.engines.windows import Fold
from cxresearch.errors import EstimationError
from cxresearch.histories.base import (
    DAY,
    History,
    Past,
    RunningColumns,
    events_of_kind,
    graded_instant,
    instant,
)
from cxresearch.records.contacts import BAD, GOOD, GRADES
from cxresearch.utils.checks import arguments

_HOUR = 3_600  # seconds
_FOR_EVER = 10**12  # seconds, longer than a problem takes that is ever resolved
_SOLVED = ("problem_at", "resolved_at")
_NO_GRADES = ()  # no moment is looked at
_LINK = [
    "customer",
    "begun",
    "took",
]  # alike in the event of a problem and in that of its resolution


def first_problem(quick_hours: int = 48) -> History:
    """What has become of a customer's *first* problem; later ones do not change the state.

    It is open late from the day on which it has been open for `quick_hours` and is not known to be resolved. It is
    resolved quickly if that took at most `quick_hours`. Of two problems in the same second, the first is the one that
    takes longer.

    Args:
        quick_hours: hours within which a resolution is quick.

    Returns:
        The history with the levels ``none``, ``open``, ``open late``, ``resolved quickly``, ``resolved late`` and, for
        customers whose beginnings the log does not show, ``unknown``.

    Raises:
        EstimationError: fewer hours than one.

    Example:
        >>> from datetime import date
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> contact = {"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]}
        >>> log = pl.DataFrame(contact | {"problem_at": ["2024-01-02 09:00"], "resolved_at": ["2024-01-06 12:00"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-01-10"]})
        >>> window = {"log_from": date(2024, 1, 1), "log_until": date(2024, 1, 10)}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.first_problem(24)
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 2, 'open'), (2, 5, 'open late'), (5, 9, 'resolved late')]
    """
    arguments(quick_hours=quick_hours)
    quick = seconds_of(quick_hours)
    levels = ("none", "open", "open late", "resolved quickly", "resolved late", "unknown")

    def updates(past: Past) -> list[Frame]:
        problems = events_of_kind(past, "problem").with_columns(at=instant())
        start = problems.group_by("customer").agg(start=nw.col("at").min())
        ties = problems.join(start, on="customer").filter(nw.col("at") == nw.col("start"))
        ever = (
            nw.when(nw.col("took") < 0)
            .then(nw.lit(_FOR_EVER))
            .otherwise(nw.col("took"))
            .cast(nw.Int64)
        )
        length = ties.with_columns(took=ever).group_by("customer").agg(nw.col("took").max())
        longest = ties.with_columns(took=ever).join(length, on=["customer", "took"])
        first = longest.group_by("customer", "took").agg(nw.col("tick", "begun").min())
        resolutions = events_of_kind(past, "resolved").join(first.select(*_LINK), on=_LINK)
        resolutions = resolutions.group_by("customer", "took").agg(nw.col("tick").min())
        how = nw.when(nw.col("took") > quick).then(nw.lit(4)).otherwise(nw.lit(3))
        return [
            _rise(first, nw.lit(1)),
            _rise(_overdue(past, first, quick), nw.lit(2)),
            _rise(resolutions, how),
        ]

    def level(run: RunningColumns) -> nw.Expr:
        negated_state = run.column("negated_state")
        state = nw.when(negated_state.is_null()).then(nw.lit(0)).otherwise(0 - negated_state)
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(state)

    name = f"first_problem({quick_hours})"
    return History(
        name=name,
        levels=levels,
        required_columns=_SOLVED,
        updates=updates,
        fold={"negated_state": "min"},
        code=level,
        grades=_NO_GRADES,
        cumulative=True,
    )


def _rise(frame: Frame, state: nw.Expr) -> Frame:
    """A state is never left for a lower one: the greatest so far is the least of the negatives."""
    return frame.select("customer", "tick", negated_state=0 - state)


def problem_state(quick_hours: int = 48) -> History:
    """How a customer's problems stand, all of them together.

    A problem is open late from the day on which it has been open for `quick_hours` and is not known to be resolved.
    Resolved is who has had problems and has none that is open, and late if the latest resolution took more than
    `quick_hours`.

    Args:
        quick_hours: hours within which a resolution is quick.

    Returns:
        The history with the levels ``none``, ``open`` (some, and none of them late), ``open late`` (some of them),
        ``resolved``, ``resolved late`` and, for customers whose beginnings the log does not show, ``unknown``.

    Raises:
        EstimationError: fewer hours than one.

    Example:
        >>> from datetime import date
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> contact = {"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]}
        >>> log = pl.DataFrame(contact | {"problem_at": ["2024-01-02 09:00"], "resolved_at": ["2024-01-06 12:00"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-01-10"]})
        >>> window = {"log_from": date(2024, 1, 1), "log_until": date(2024, 1, 10)}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.problem_state(24)
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 2, 'open'), (2, 5, 'open late'), (5, 9, 'resolved late')]
    """
    arguments(quick_hours=quick_hours)
    quick = seconds_of(quick_hours)
    levels = ("none", "open", "open late", "resolved", "resolved late", "unknown")

    def updates(past: Past) -> list[Frame]:
        problems, resolutions = events_of_kind(past, "problem"), events_of_kind(past, "resolved")
        soon = nw.when(nw.col("took") > quick).then(nw.lit(0)).otherwise(nw.lit(1))
        ended = with_end(past, resolutions)
        was_late = nw.when(_is_overdue(past, quick)).then(nw.lit(-1)).otherwise(nw.lit(0))
        return [
            problems.select("customer", "tick", problems=nw.lit(1), open=nw.lit(1)),
            _overdue(past, problems, quick).select("customer", "tick", late=nw.lit(1)),
            ended.select(
                "customer", "tick", open=nw.lit(-1), late=was_late, end=instant() * 2 + soon
            ),
        ]

    def level(run: RunningColumns) -> nw.Expr:
        late = nw.when(run.column("late") > 0).then(nw.lit(2)).otherwise(nw.lit(1))
        how = nw.when(run.column("end") % 2 == 0).then(nw.lit(4)).otherwise(nw.lit(3))
        some = nw.when(run.column("open") > 0).then(late).otherwise(how)
        seen = nw.when(run.column("problems") > 0).then(some).otherwise(nw.lit(0))
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(seen)

    fold: dict[str, Fold] = {"problems": "sum", "open": "sum", "late": "sum", "end": "last"}
    return History(
        name=f"problem_state({quick_hours})",
        levels=levels,
        required_columns=_SOLVED,
        updates=updates,
        fold=fold,
        code=level,
        grades=_NO_GRADES,
    )


def _overdue(past: Past, problems: Frame, quick: int) -> Frame:
    """The problems that are open too long as far as is known, with the tick at which that shows.

    Not before they are seen at all; and a quick resolution that is known late leaves them open until then.
    """
    slow = with_end(past, problems).filter(nw.col("ended").is_null() | _is_overdue(past, quick))
    return slow.with_columns(
        tick=nw.max_horizontal(_due(past, quick), nw.col("tick").cast(nw.Int64))
    )


def with_end(past: Past, events: Frame) -> Frame:
    """Events of problems with ``ended``: the first tick at which their resolution is known; null where it never is."""
    resolutions = events_of_kind(past, "resolved")
    ended = resolutions.group_by(*_LINK).agg(ended=nw.col("tick").min())
    return events.join(ended, on=_LINK, how="left")


def _is_overdue(past: Past, quick: int) -> nw.Expr:
    return nw.col("ended") > _due(past, quick)


def _due(past: Past, quick: int) -> nw.Expr:
    """The tick from which a problem is late."""
    due = nw.col("begun") + quick
    return past.clock.on((due - due % DAY) // DAY)


def problem_severity(first: bool = False) -> History:
    """The grade of the contact that reported the last problem.

    Args:
        first: of the first problem instead.

    Returns:
        The history with the levels ``none``, ``bad``, ``neutral``, ``good``, ``unknown grade`` and ``unknown``, which
        holds until the first problem seen of a customer whose beginnings the log does not show.

    Example:
        >>> from datetime import date
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> contact = {"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]}
        >>> log = pl.DataFrame(contact | {"problem_at": ["2024-01-02 09:00"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-01-10"]})
        >>> window = {"log_from": date(2024, 1, 1), "log_until": date(2024, 1, 10)}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.problem_severity()
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 9, 'bad')]
    """
    arguments(first=first)
    levels = ("none", *GRADES[:-1], "unknown grade", "unknown")

    def updates(past: Past) -> list[Frame]:
        return [events_of_kind(past, "problem").select("customer", "tick", last=graded_instant())]

    def level(run: RunningColumns) -> nw.Expr:
        return _since_seen(run, "last", len(levels), run.column("last") % len(GRADES) + 1)

    fold: dict[str, Fold] = {"last": "min" if first else "last"}
    name = f"problem_severity({'first' if first else ''})"
    return History(
        name=name,
        levels=levels,
        required_columns=("problem_at",),
        updates=updates,
        fold=fold,
        code=level,
        grades=_NO_GRADES,
    )


def had_gesture() -> History:
    """Whether a gesture of goodwill has been made since the last problem, or on its day.

    Returns:
        The history with the levels ``none`` (no problem so far), ``no gesture``, ``gesture`` and ``unknown``, which
        holds until the first problem seen of a customer whose beginnings the log does not show.

    Example:
        >>> from datetime import date
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> contact = {"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]}
        >>> log = pl.DataFrame(contact | {"problem_at": ["2024-01-02 09:00"], "goodwill_at": ["2024-01-04 10:00"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-01-10"]})
        >>> window = {"log_from": date(2024, 1, 1), "log_until": date(2024, 1, 10)}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.had_gesture()
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 3, 'no gesture'), (3, 9, 'gesture')]
    """
    levels = ("none", "no gesture", "gesture", "unknown")

    def updates(past: Past) -> list[Frame]:
        return [
            events_of_kind(past, "problem").select("customer", "tick", problem=nw.col("day")),
            events_of_kind(past, "goodwill").select("customer", "tick", gesture=nw.col("day")),
        ]

    def level(run: RunningColumns) -> nw.Expr:
        made = (
            nw.when(run.column("gesture") >= run.column("problem"))
            .then(nw.lit(2))
            .otherwise(nw.lit(1))
        )
        return _since_seen(run, "problem", len(levels), made)

    fold: dict[str, Fold] = {"problem": "last", "gesture": "last"}
    return History(
        name="had_gesture()",
        levels=levels,
        required_columns=("problem_at", "goodwill_at"),
        updates=updates,
        fold=fold,
        code=level,
        grades=_NO_GRADES,
    )


def informed_before_problem() -> History:
    """Whether the customer had been informed of the last problem before it came.

    Returns:
        The history with the levels ``none`` (no problem so far), ``informed``, ``not informed`` and ``unknown``, which
        holds until the first problem seen of a customer whose beginnings the log does not show.

    Example:
        >>> from datetime import date
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> contact = {"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]}
        >>> log = pl.DataFrame(contact | {"problem_at": ["2024-01-02 09:00"], "informed_at": ["2024-01-01 10:00"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-01-10"]})
        >>> window = {"log_from": date(2024, 1, 1), "log_until": date(2024, 1, 10)}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.informed_before_problem()
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 9, 'informed')]
    """
    levels = ("none", "informed", "not informed", "unknown")

    def updates(past: Past) -> list[Frame]:
        last = graded_instant() * 2 + nw.col("informed")
        return [events_of_kind(past, "problem").select("customer", "tick", last=last)]

    def level(run: RunningColumns) -> nw.Expr:
        return _since_seen(run, "last", len(levels), 2 - run.column("last") % 2)

    return History(
        name="informed_before_problem()",
        levels=levels,
        required_columns=("problem_at", "informed_at"),
        updates=updates,
        fold={"last": "last"},
        code=level,
        grades=_NO_GRADES,
    )


def _since_seen(run: RunningColumns, column: str, n_levels: int, level: nw.Expr) -> nw.Expr:
    """The level, after the first update; before it the first one, or the last one where that cannot be known."""
    none = nw.when(run.left_truncated == 1).then(nw.lit(n_levels - 1)).otherwise(nw.lit(0))
    return nw.when(run.column(column).is_null()).then(none).otherwise(level)


def seconds_of(quick_hours: int) -> int:
    """How long a quick resolution may take.

    Raises:
        EstimationError: fewer hours than one.
    """
    if quick_hours < 1:
        raise EstimationError(f"quick_hours must be at least 1, was {quick_hours}")
    return quick_hours * _HOUR


def bad_then_good(days: int = 14) -> History:
    """Whether a good moment has come soon after a bad one.

    Within one second the bad moment comes first. Once at ``bad then good``, a customer stays there.

    Args:
        days: a good moment on day t is soon after a bad one on day s if t - s is at most this.

    Returns:
        The history with the levels ``none`` (no good moment and no bad one so far), ``good alone`` (good moments, and
        no bad one so far), ``bad then good``, ``other`` (bad moments, and no good one soon after any) and, for
        customers whose beginnings the log does not show, ``unknown``.

    Raises:
        EstimationError: a negative number of days.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": "a", "at": [1, 4, 6], "grade": ["bad", "good", "bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": [0], "end": [9]})
        >>> window = {"log_from": 0, "log_until": 9}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.bad_then_good(3)
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 1, 'none'), (1, 4, 'other'), (4, 9, 'bad then good')]
    """
    arguments(days=days)
    if days < 0:
        raise EstimationError(f"days must be at least 0, was {days}")
    levels = ("none", "good alone", "bad then good", "other", "unknown")

    def updates(past: Past) -> list[Frame]:
        x = past.moments.filter(nw.col("grade").is_in([BAD, GOOD]))
        bad, good = nw.col("grade") == BAD, nw.col("grade") == GOOD
        x = x.with_columns(last_bad=nw.when(bad).then(nw.col("day").cast(nw.Int64)))
        x = x.with_columns(last_bad=past.along.last("last_bad"))
        soon = good & (nw.col("day") - nw.col("last_bad") <= days)
        result = {"good": x.filter(good), "bad": x.filter(bad), "flip": x.filter(soon)}
        firsts = {
            name: frame.group_by("customer").agg(nw.col("tick").min())
            for name, frame in result.items()
        }
        return [
            frame.select("customer", "tick", nw.lit(1).alias(name))
            for name, frame in firsts.items()
        ]

    def level(run: RunningColumns) -> nw.Expr:
        good = nw.when(run.column("good") > 0).then(nw.lit(1)).otherwise(nw.lit(0))
        some = nw.when(run.column("bad") > 0).then(nw.lit(3)).otherwise(good)
        seen = nw.when(run.column("flip") > 0).then(nw.lit(2)).otherwise(some)
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(seen)

    fold: dict[str, Fold] = {"good": "sum", "bad": "sum", "flip": "sum"}
    return History(
        name=f"bad_then_good({days})",
        levels=levels,
        required_columns=("second", "grade"),
        updates=updates,
        fold=fold,
        code=level,
        grades=(BAD, GOOD),
    )


def has_posted() -> History:
    """Whether the customer has posted in public.

    The state changes a day after the post: a clock that starts on the day of a bad moment does not see what changed on
    that day, and a post on the very day is the one to be seen.

    Returns:
        The history with the levels ``none``, ``posted`` and, for customers whose beginnings the log does not show,
        ``unknown``.

    Example:
        >>> from datetime import date
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> contact = {"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]}
        >>> log = pl.DataFrame(contact | {"posted_at": ["2024-01-04 10:00"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-01-10"]})
        >>> window = {"log_from": date(2024, 1, 1), "log_until": date(2024, 1, 10)}
        >>> study = cx.study_from({"interactions": window}, interactions=log, retention=who)
        >>> past = cx.histories.has_posted()
        >>> cx.episodes(study, past=past).to_polars().select("start", "stop", "past").rows()
        [(0, 4, 'none'), (4, 9, 'posted')]
    """
    levels = ("none", "posted", "unknown")

    def updates(past: Past) -> list[Frame]:
        seen = past.clock.on(nw.col("day") + (past.clock.lag + 1))
        return [
            events_of_kind(past, "post").select("customer", seen.alias("tick"), posts=nw.lit(1))
        ]

    def level(run: RunningColumns) -> nw.Expr:
        any_post = nw.when(run.column("posts") > 0).then(nw.lit(1)).otherwise(nw.lit(0))
        return nw.when(run.left_truncated == 1).then(nw.lit(len(levels) - 1)).otherwise(any_post)

    return History(
        name="has_posted()",
        levels=levels,
        required_columns=("posted_at",),
        updates=updates,
        fold={"posts": "sum"},
        code=level,
        grades=(),
        cumulative=True,
    )
