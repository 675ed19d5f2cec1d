"""Flags filled in when all was over: as covariates they seem to save customers; in time they do nothing."""

from dataclasses import replace

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.errors import DataError
from cxresearch.risk.from_rows import from_rows
from cxresearch.worlds import KNOWN, simulate

WORLD = replace(KNOWN["look-ahead"].world, resolution_days=50.0)


@pytest.fixture(scope="module")
def company():
    """Resolving a problem does nothing; but whoever leaves early has not seen it resolved."""
    return simulate(WORLD, 6_000, 3)


def test_a_final_flag_seems_to_save_customers(company):
    """What an analyst gets who takes `resolved`, as it stands at the end, as a covariate from the problem on."""
    last = company.interactions["at"].max().date()
    problems = company.interactions.filter(pl.col("problem_at").is_not_null())
    problems = problems.group_by("customer").agg(pl.col("problem_at", "resolved_at").first())
    rows = problems.join(company.customers, on="customer").with_columns(
        start=pl.lit(0),
        stop=(pl.col("end").fill_null(last) - pl.col("problem_at").dt.date()).dt.total_days(),
        event=(pl.col("reason") == "switched").fill_null(value=False).cast(pl.Int64),
        flag=pl.when(pl.col("resolved_at").is_null()).then(pl.lit("no")).otherwise(pl.lit("yes")),
    )
    rows = rows.filter(pl.col("stop") > 0).select("customer", "start", "stop", "event", "flag")
    table = from_rows(rows, ["flag"], customer="customer")
    assert cx.contrast(cx.cox(table, ["flag"]), {"flag[yes]": 1}).value < 0.07


@pytest.mark.slow
def test_the_state_in_time_does_nothing(company):
    trial = cx.evaluate(company.study(), ["resolution-decides"], alone=True)["resolution-decides"]
    assert trial.verdict_alone in ("undecided", "contradicted")
    result = trial.primary.estimate
    assert result.low < 1 < result.high
    assert result.high - result.low < 0.5  # and not for want of data
    assert trial.naive.high < 0.5
    assert "result of staying" in str(trial.caution)


def test_a_bare_flag_is_refused(company):
    study = company.study()
    flags = company.interactions.with_columns(resolved_at=pl.col("resolved_at").is_not_null())
    frames = {**study.frames, "interactions": flags}
    with pytest.raises(DataError, match="looks ahead"):
        cx.evaluate(replace_frames(study, frames), ["resolution-decides"], alone=True)


def replace_frames(study, frames):
    """The study with other tables."""
    import msgspec

    return msgspec.structs.replace(study, frames=frames)
