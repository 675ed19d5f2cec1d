"""The rates of a study, as those of a synthetic company: contacts, grades, segments, departures, follow-up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl

from cxresearch.errors import NotTestable
from cxresearch.records.contacts import BAD, GOOD, UNKNOWN
from cxresearch.records.follow_up import DEFECTION, OTHER
from cxresearch.records.records import Records
from cxresearch.utils.result import Result
from cxresearch.worlds import World, simulate

_MOST_VARIANCE = 4.0  # of intensities and pronenesses between customers
_SEGMENTS = 3  # that a synthetic company has
_TRIAL = 10_000  # customers of a company that is let run to see how many leave


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyRates(Result):
    """What a study's customers do, per day where nothing else is said.

    Attributes:
        customers: who start within the log.
        days: length of the log.
        entry_days: they start evenly over so many days.
        defection: rate of leaving for a cause that is defection.
        other: rate of leaving for another.
        contacts: rate of contacts.
        intensity_variance: of that rate between customers, relative to it.
        bad: share of the graded contacts that are bad.
        proneness_variance: of that share between customers, relative to it.
        good: share of the graded contacts that are not bad which are good.
        unknown: share of the contacts without a grade.
        segments: shape (S,): rate of defection in each of the largest segments, over that in the first.
    """

    customers: int
    days: int
    entry_days: int
    defection: float
    other: float
    contacts: float
    intensity_variance: float
    bad: float
    proneness_variance: float
    good: float
    unknown: float
    segments: tuple[float, ...]

    def world(self, days: int | None = None) -> World:
        """A company with these rates in which moments do nothing.

        Args:
            days: length of the log; that of the study when not given. Customers go on starting as in the study.
        """
        longer = (days or self.days) / self.days
        entry = min(self.entry_days + max((days or self.days) - self.days, 0), days or self.days)
        if longer < 1:
            entry = max(1, round(self.entry_days * longer))
        return World(
            days=days or self.days,
            entry_days=max(entry, 1),
            base_hazard=self.defection,
            segment_ratios=self.segments,
            other_hazard=self.other,
            contact_rate=self.contacts,
            intensity_variance=self.intensity_variance,
            bad_share=self.bad,
            proneness_variance=self.proneness_variance,
            good_share=self.good,
            unknown_share=self.unknown,
        )


def rates_of(records: Records) -> CompanyRates:
    """The rates of the customers of a study who start within its log.

    Args:
        records: of a study with contracts.

    Raises:
        NotTestable: retention is derived from the contacts, or nobody starts within the log, is in touch or leaves.
    """
    if records.study.retention.kind != "contract":
        raise NotTestable(
            "no_such_data", "an end of the relation: planning simulates companies with contracts"
        )
    counted = _sums(records)
    total = {c: float(counted[c].sum()) for c in counted.columns if c != "segment"}
    days = records.window.last - records.window.first
    time, contacts, graded = total["time"], total["contacts"], total["graded"]
    if not total["defected"] or not contacts or not graded or not total["bad"]:
        raise NotTestable(
            "too_few", "customers who start within the log, have bad moments and leave"
        )
    rate, share = contacts / time, total["bad"] / graded
    spread = total["contacts2"] - 2 * rate * total["contacts_time"] + rate**2 * total["time2"]
    prone = total["bad2"] - 2 * share * total["bad_graded"] + share**2 * total["graded2"]
    pairs = share**2 * (total["graded2"] - graded)
    by_segment = counted.sort("customers", descending=True).head(_SEGMENTS)
    hazards = (by_segment["defected"] + 1) / (by_segment["time"] + time / total["defected"])
    return CompanyRates(
        customers=int(total["customers"]),
        days=days,
        entry_days=min(days, max(1, round(2 * total["first"] / total["customers"]))),
        defection=total["defected"] / time,
        other=total["other"] / time,
        contacts=rate,
        intensity_variance=_variance(spread - contacts, rate**2 * total["time2"]),
        bad=share,
        proneness_variance=_variance(prone - graded * share * (1 - share), pairs),
        good=total["good"] / max(graded - total["bad"], 1.0),
        unknown=1 - graded / contacts,
        segments=tuple(float(h / hazards[0]) for h in hazards),
    )


def calibrated(world: World, rate: float, seed: int) -> World:
    """A world in which as many leave per day as in a study, whatever is planted in it.

    Args:
        world: with what is planted; its base hazard is a first guess.
        rate: of defection, per day and customer.
        seed: of the companies that are let run to see how many leave.
    """
    for turn in range(2):
        run = simulate(world, _TRIAL, seed + turn).customers
        last = pl.lit(run["start"].min()).dt.offset_by(f"{world.days}d")
        exits = run.select(
            time=(pl.coalesce(pl.col("end"), last) - pl.col("start")).dt.total_days(),
            defected=(pl.col("reason") == "switched").fill_null(value=False),
        )
        left, time = (float(exits[c].cast(pl.Float64).sum()) for c in ("defected", "time"))
        made = left / max(time, 1.0)
        world = replace(world, base_hazard=world.base_hazard * rate / max(made, rate / 10))
    return world


def _sums(records: Records) -> pl.DataFrame:
    """Sums over customers by segment, of which rates and their variances between customers are made."""
    first = records.window.first
    who = records.customers.filter(nw.col("left_truncated") == 0)
    contacts = records.moments.filter(nw.col("leaving") == 0)
    grade = nw.col("grade")
    counts = contacts.group_by("customer").agg(
        contacts=nw.len(),
        graded=(grade != UNKNOWN).cast(nw.Int64).sum(),
        bad=(grade == BAD).cast(nw.Int64).sum(),
        good=(grade == GOOD).cast(nw.Int64).sum(),
    )
    segment = nw.col("segment") if "segment" in records.fixed else nw.lit(0)
    joined = who.select(
        "customer",
        segment=segment,
        first=(nw.col("start") - first).cast(nw.Int64),
        time=(nw.col("exit") - nw.col("entry")).cast(nw.Int64),
        defected=(nw.col("event") == DEFECTION).cast(nw.Int64),
        other=(nw.col("event") == OTHER).cast(nw.Int64),
    ).join(counts, on="customer", how="left")
    n, g, b, t = (nw.col(c).fill_null(0) for c in ("contacts", "graded", "bad", "time"))
    summed = joined.with_columns(
        contacts=n,
        graded=g,
        bad=b,
        good=nw.col("good").fill_null(0),
        contacts2=n * n,
        contacts_time=n * t,
        time2=t * t,
        bad2=b * b,
        bad_graded=b * g,
        graded2=g * g,
    )
    names = [
        *("first", "time", "defected", "other", "contacts", "graded", "bad", "good"),
        *("contacts2", "contacts_time", "time2", "bad2", "bad_graded", "graded2"),
    ]
    by = summed.group_by("segment").agg(customers=nw.len(), **{c: nw.col(c).sum() for c in names})
    result = records.engine.collect(by)
    if not result.height:
        raise NotTestable("too_few", "customers who start within the log")
    return result.sort("segment")


def _variance(excess: float, scale: float) -> float:
    """By the method of moments, at least 0."""
    return float(np.clip(excess / scale, 0.0, _MOST_VARIANCE)) if scale > 0 else 0.0
