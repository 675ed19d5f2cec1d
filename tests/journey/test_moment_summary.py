"""The quick math per employee, against plain loops over rows."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.disclosure.counts import round_count
from tests.journey.companies import company, contract, told

GRADES = ("bad", "neutral", "good", "unknown")


@pytest.fixture(scope="module")
def staffed():
    log, who = company(300, 1)
    rng = np.random.default_rng(3)
    agent = np.array(["Ann", "Ben", "Cleo", "Dan"])[rng.integers(0, 4, log.height)]
    known = pl.Series(rng.random(log.height) < 0.7)
    return log.with_columns(agent=pl.when(known).then(pl.Series(agent))), who


def test_moments_per_employee_and_day(staffed):
    log, _ = staffed
    quick = cx.journey.moment_summary(contract(*staffed))
    rows = [r for r in log.iter_rows(named=True) if r["agent"] is not None]
    days = {(r["agent"], r["at"]) for r in rows}
    assert quick.employees == 4
    assert quick.employee_days == len(days)
    assert quick.per_employee_day == pytest.approx(len(rows) / len(days))
    by = Counter(r["grade"] for r in rows)
    assert quick.by_employee == tuple(by[g] for g in GRADES)
    assert sum(quick.counts) == log.height > sum(quick.by_employee)
    shown = quick._repr_html_()
    assert "an employee and day" in shown
    rounded = round_count(by["unknown"], 10) / round_count(len(days), 10)
    assert f"{rounded:.2f}" in shown
    table = {(w, o): n for w, o, n in quick.to_polars().iter_rows()}
    assert table["moments per employee and day", "all"] == quick.per_employee_day


def test_nobody_named(staffed):
    log, who = staffed
    quick = cx.journey.moment_summary(contract(log.drop("agent"), who))
    assert (quick.employees, quick.employee_days, quick.per_employee_day, quick.by_employee) == (
        None,
        None,
        None,
        (),
    )
    assert "employee" not in quick._repr_html_()
    assert quick == cx.journey.moment_summary(
        cx.read_records(contract(log, who), required_columns=())
    )
    blank = cx.journey.moment_summary(
        contract(log.with_columns(agent=pl.lit(None, pl.String)), who)
    )
    assert (blank.employees, blank.per_employee_day) == (0, None)
    assert "employee" not in blank._repr_html_()


def test_few_moments_without_a_name_are_not_told():
    rows = {
        "customer": [f"c{i}" for i in range(40)],
        "at": list(range(5, 45)),
        "grade": ["bad"] * 20 + ["good"] * 20,
        "agent": ["Ann"] * 37 + [None] * 3,
    }
    quick = cx.journey.moment_summary(told(rows))
    assert quick.counts == (20, 0, 20, 0)
    assert quick.by_employee == (20, 0, None, 0)  # the three had good ones


@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_engines_agree(staffed, engine):
    study = contract(*staffed)
    assert cx.journey.moment_summary(cx.read_records(study, engine)) == cx.journey.moment_summary(
        study
    )
