"""How many customers come back after a silence, and which silence therefore counts as a lapse.

A silence is the time from one contact that keeps a customer active to the next one; the last one is censored at the
end of the log. A lapse is false if the customer comes back within as long again: by Kaplan and Meier, from the
threshold on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from cxresearch.engines import Engine, Frame
from cxresearch.errors import DataError
from cxresearch.records.contracts import LOG_REASONS, day_number, first_reason
from cxresearch.records.follow_up import Window
from cxresearch.study import Study

FALSE_LAPSES = 0.05  # of lapses, at most, that are false
LONGEST = 365  # days; longer thresholds than this are only those that the study declares
MULTIPLES = (1, 2, 4)  # of the declared gap, that are tried as thresholds
LEAST_FOLLOWED = (
    20  # silences that last to twice the threshold, within the log, for a share to be known
)
SOON = 7  # days
BROUGHT_ABOUT = 0.1  # of bad contacts, from which on it matters that they bring about others
CLEARLY = 3  # standard errors
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SilenceCurve:
    """Kaplan and Meier's curve of how long customers are silent.

    Attributes:
        ended: shape (D,): silences that ended after exactly so many days, from 0 on.
        open: shape (D,): silences that last so many days at the end of the log.
    """

    ended: Counts
    open: Counts

    @property
    def at_risk(self) -> Counts:
        """Shape (D,): silences that have lasted for at least so many days."""
        return np.cumsum((self.ended + self.open)[::-1])[::-1]

    def returned(self, days: int, within: int) -> tuple[float, float]:
        """The share that comes back within some days, of those silent for some days; and Greenwood's error of it.

        Both are NaN where the log does not reach so far.
        """
        n, at_risk = len(self.ended), self.at_risk
        upto = days + within
        if upto >= n or at_risk[upto] < 1:
            return math.nan, math.nan
        events, there = self.ended[days + 1 : upto + 1], at_risk[days + 1 : upto + 1]
        there = np.maximum(there, 1)
        stays = float(np.prod(1 - events / there))
        spread = float((events / (there * np.maximum(there - events, 1))).sum())
        return 1 - stays, stays * math.sqrt(spread)

    def followed(self, days: int) -> int:
        """Silences that are known to have lasted for so many days."""
        return int(self.at_risk[days]) if days < len(self.ended) else 0


class Threshold(msgspec.Struct, frozen=True):
    """A silence that may count as a lapse.

    Attributes:
        days: its length.
        silences: silences in the log that lasted longer.
        followed: of them and of the others, those known to have lasted twice as long.
        returned: the share of lapses that are false; NaN where the log is too short to tell.
        se: its standard error.
    """

    days: int
    silences: int
    followed: int
    returned: float | None
    se: float | None

    @property
    def is_known(self) -> bool:
        """Whether the log tells how many come back."""
        return self.returned is not None and self.followed >= LEAST_FOLLOWED

    @property
    def passes(self) -> bool:
        """Whether few enough of its lapses are false."""
        return self.is_known and self.returned is not None and self.returned < FALSE_LAPSES


class FollowUps(msgspec.Struct, frozen=True):
    """Whether bad contacts bring about further ones, such as those about a return.

    Attributes:
        difference: how much larger the share of bad contacts is that are followed by another within a week than that of
            the same customers' other contacts.
        se: its standard error, clustered by customer.
    """

    difference: float
    se: float

    @property
    def are_many(self) -> bool:
        """Whether so many are brought about that contacts do not count as occasions to leave."""
        return self.difference >= BROUGHT_ABOUT and self.difference > CLEARLY * self.se


class Lapse(msgspec.Struct, frozen=True):
    """Which silence counts as a lapse.

    Attributes:
        declared: days that the study declares.
        days: days that count.
        tried: the thresholds that were tried, rising.
        is_certain: whether fewer than one in twenty of its lapses are false, as far as the log tells.
        has_inactive: whether there are contacts that do not keep a customer active.
        follow_ups: whether bad contacts bring about further ones; None where the log cannot tell.
    """

    declared: int
    days: int
    tried: tuple[Threshold, ...]
    is_certain: bool
    has_inactive: bool = False
    follow_ups: FollowUps | None = None

    @property
    def brings_contacts(self) -> bool:
        """Whether bad contacts bring about many further ones that keep the customer active."""
        return self.follow_ups is not None and self.follow_ups.are_many

    @property
    def chosen(self) -> Threshold:
        """The threshold that counts."""
        return next(t for t in self.tried if t.days == self.days)


def count_silences(active: Frame, window: Window, engine: Engine) -> SilenceCurve:
    """Count the silences of a log by their length.

    Args:
        active: id, day: the contacts that keep customers active, within the window.
        window: of the log.
        engine: where the contacts live.
    """
    along = engine.along("day")
    days = active.select("day", customer=nw.col("id")).unique()
    x = along.prepare(days).with_columns(following=along.shift("day", -1))
    ended = ~nw.col("following").is_null()
    length = nw.coalesce("following", nw.lit(window.last)) - nw.col("day")
    x = x.select(
        length=length.cast(nw.Int64), ended=nw.when(ended).then(nw.lit(1)).otherwise(nw.lit(0))
    )
    counted = engine.collect(x.group_by("length", "ended").agg(rows=nw.len()))
    size = window.last - window.first + 1
    both = np.zeros((2, size), np.int64)
    at = counted["ended"].to_numpy().astype(np.int64), counted["length"].to_numpy().astype(np.int64)
    both[at] = counted["rows"].to_numpy()
    return SilenceCurve(ended=both[1], open=both[0])


def measure_follow_ups(active: Frame, window: Window, engine: Engine) -> FollowUps | None:
    """Compare how soon a customer is back after a bad contact and after its other ones.

    By Mantel and Haenszel's difference of shares over customers: nobody is compared with anybody else, so that
    differences between quick and slow customers do not matter.

    Args:
        active: id, day, cx_row, grade: the contacts that keep customers active, within the window.
        window: of the log.
        engine: where the contacts live.
    """
    along = engine.along("day", "cx_row")
    x = along.prepare(active.select("day", "cx_row", "grade", customer=nw.col("id")))
    x = x.with_columns(following=along.shift("day", -1))
    x = x.filter(nw.col("day") <= window.last - SOON)
    is_soon = nw.coalesce(nw.col("following") - nw.col("day") <= SOON, nw.lit(False))
    is_bad = nw.col("grade") == 0

    def count(holds: nw.Expr) -> nw.Expr:
        return nw.when(holds).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Float64)

    x = x.with_columns(
        bad=count(is_bad),
        other=count(~is_bad),
        bad_soon=count(is_bad & is_soon),
        soon=count(is_soon),
    )
    per = x.group_by("customer").agg(nw.col("bad", "other", "bad_soon", "soon").sum())
    per = per.filter((nw.col("bad") > 0) & (nw.col("other") > 0))
    n, other_soon = nw.col("bad") + nw.col("other"), nw.col("soon") - nw.col("bad_soon")
    per = per.select(
        a=(nw.col("bad_soon") * nw.col("other") - other_soon * nw.col("bad")) / n,
        w=nw.col("bad") * nw.col("other") / n,
    )
    sums = per.select(
        a=nw.col("a").sum(),
        w=nw.col("w").sum(),
        aa=(nw.col("a") * nw.col("a")).sum(),
        aw=(nw.col("a") * nw.col("w")).sum(),
        ww=(nw.col("w") * nw.col("w")).sum(),
    )
    a, w, aa, aw, ww = (float(v or 0.0) for v in engine.collect(sums).row(0))
    if w <= 0:
        return None
    difference = a / w
    spread = aa - 2 * difference * aw + difference**2 * ww
    # rounded, so that engines, which add up in different orders, give the same
    return FollowUps(difference=round(difference, 9), se=round(math.sqrt(max(spread, 0.0)) / w, 9))


def measure(curve: SilenceCurve, days: int) -> Threshold:
    """A threshold, and how many of its lapses are false."""
    returned, se = curve.returned(days, days)
    known = not math.isnan(returned)
    return Threshold(
        days=days,
        silences=curve.followed(days + 1),
        followed=curve.followed(2 * days),
        returned=returned if known else None,
        se=se if known else None,
    )


def candidates(declared: int) -> tuple[int, ...]:
    """The thresholds that are tried for a declared gap."""
    result = [declared]
    for k in MULTIPLES[1:]:
        days = min(k * declared, LONGEST)
        if days > 1.1 * result[-1]:  # a few days more tell nothing new
            result.append(days)
    return tuple(result)


def choose_threshold(
    curve: SilenceCurve,
    declared: int,
    *,
    has_inactive: bool = False,
    follow_ups: FollowUps | None = None,
) -> Lapse:
    """The shortest threshold of which few enough lapses are false; the declared one where there is none.

    Args:
        curve: of the log's silences.
        declared: the gap that the study declares.
        has_inactive: as `Lapse.has_inactive`.
        follow_ups: as `Lapse.follow_ups`.
    """
    tried = tuple(measure(curve, d) for d in candidates(declared))
    passing = [t.days for t in tried if t.passes]
    return Lapse(
        declared=declared,
        days=passing[0] if passing else declared,
        tried=tried,
        is_certain=bool(passing),
        has_inactive=has_inactive,
        follow_ups=follow_ups,
    )


def propose_gap(curve: SilenceCurve, lengths: Sequence[int]) -> int | None:
    """The shortest length of silence from which on few enough lapses are false; None if there is none.

    Args:
        curve: of the log's silences.
        lengths: to choose from, rising.
    """
    passing = [measure(curve, d).passes for d in lengths]
    failing = [i for i, passes in enumerate(passing) if not passes]
    rest = lengths[failing[-1] + 1 if failing else 0 :]
    return rest[0] if rest else None


def known_from(study: Study, window: Window) -> int:
    """The first day of which customers first seen are known to be new.

    Whoever had been active before the log, and is first seen later than a gap after its beginning, had lapsed; so the
    declared gap counts, and `new_from` where it is declared.
    """
    declared = day_number(study.retention.new_from)
    return window.first + (study.retention.gap_days or 0) + 1 if declared is None else declared


def before_active(log: Frame, everyone: Frame) -> Frame:
    """The log, where contacts before a customer's first active one, and of those never active, have a reason."""
    x = log.lazy().join(everyone.select("id", cx_start=nw.col("start")).lazy(), on="id", how="left")
    tests = [
        ("customer set aside", nw.col("cx_start").is_null()),
        ("before the customer's start", nw.col("day") < nw.col("cx_start")),
    ]
    reason = nw.coalesce("reason", first_reason(tests, LOG_REASONS))
    return x.with_columns(reason=reason).drop("cx_start")


def settle_lapse(
    study: Study, engine: Engine, active: Frame, window: Window, kept: int, *, has_inactive: bool
) -> Lapse:
    """Which silence counts as a lapse, of the contacts that keep customers active; `kept` are all that are kept.

    Raises:
        DataError: there are no such contacts.
    """
    silences = count_silences(active, window, engine)
    if not silences.at_risk[0]:
        raise DataError(
            f"retention.active holds for none of {kept:,} contacts: nobody is ever active; "
            "names and words are compared as they are written"
        )
    # rows of a table of its own have no grade
    has_grades = not study.has_active_table
    return choose_threshold(
        silences,
        study.retention.gap_days or 0,
        has_inactive=has_inactive,
        follow_ups=measure_follow_ups(active, window, engine) if has_grades else None,
    )
