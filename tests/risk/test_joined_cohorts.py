"""Cohorts: the months in which customers start, put together until each holds enough of them."""

from datetime import date, timedelta

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.records.records import read_records
from cxresearch.risk.cohorts import join_cohorts
from cxresearch.risk.episodes import COHORT, episodes
from cxresearch.risk.table import risk_table

FIRST = date(2024, 1, 1)


def table(sizes):
    """So many customers who start in each 30 days of the log."""
    starts = [
        FIRST + timedelta(days=30 * month + 1) for month, n in enumerate(sizes) for _ in range(n)
    ]
    who = pl.DataFrame(
        {"customer": [f"c{i}" for i in range(len(starts))], "start": starts, "end": None},
        schema_overrides={"end": pl.Date},
    )
    log = pl.DataFrame({"customer": ["c0"], "at": [FIRST + timedelta(days=5)], "grade": ["bad"]})
    window = {"log_from": FIRST, "log_until": FIRST + timedelta(days=400)}
    study = cx.study_from({"interactions": window}, interactions=log, retention=who)
    return risk_table(episodes(read_records(study), {}, cohorts=True))


@pytest.mark.parametrize(
    ("sizes", "groups", "widest"),
    [
        ((60, 50), (60, 50), 30),
        ((60, 30, 30), (60, 60), 60),
        ((60, 70, 30, 30, 10), (60, 70, 70), 90),  # the last few join those before them
        ((60, 70, 55, 60, 10), (60, 70, 55, 70), 60),  # and nobody else
        ((49, 1, 10), (60,), 90),
        ((10, 10), (20,), 60),
    ],
)
def test_months_are_put_together_from_the_oldest_on(sizes, groups, widest):
    joined = join_cohorts(table(sizes))
    held = joined.table.flows.group_by(COHORT).agg(n=pl.col("censored").sum()).sort(COHORT)
    assert tuple(held["n"]) == groups
    assert (joined.count, joined.widest_days) == (len(groups), widest)


def test_cohorts_as_wide_as_is_asked_for():
    joined = join_cohorts(table((60,) * 7), months=3)
    assert (joined.count, joined.widest_days) == (3, 90)
