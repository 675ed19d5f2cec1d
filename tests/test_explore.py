"""The way a data scientist takes it: study to episodes to lifelines, study to risk table to estimates."""

import lifelines
import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.worlds import World


@pytest.fixture(scope="module")
def records(make_study):
    """A small synthetic study, read once."""
    retention = {"cause": "reason", "defection": ["switched"], "segment": "plan"}
    return cx.read_records(
        make_study(World(hr_bad=(1.0, 1.5, 2.0, 2.5)), 900, seed=3, moments={}, retention=retention)
    )


def test_lifelines_takes_the_episodes_and_agrees(records):
    eps = cx.episodes(records, bad=cx.bad_count(2))
    frame = eps.to_lifelines()
    assert list(frame.columns) == [
        "id",
        "start",
        "stop",
        "event",
        "bad[1]",
        "bad[2+]",
        "bad[unknown]",
    ]
    whole = frame[frame["bad[unknown]"] == 0].drop(columns="bad[unknown]")
    theirs = lifelines.CoxTimeVaryingFitter(penalizer=0.0).fit(
        whole, id_col="id", start_col="start", stop_col="stop", event_col="event"
    )
    table = cx.risk_table(records, bad=cx.bad_count(2)).where(bad=["0", "1", "2+"])
    ours = cx.cox(table, ["bad"], errors="model")
    np.testing.assert_allclose(ours.coef, theirs.params_.to_numpy(), atol=1e-6)


def test_episodes_tile_the_follow_up(records):
    rows = cx.episodes(records, bad=cx.bad_count(1), last=cx.histories.last_grade()).to_polars()
    assert (rows["start"] < rows["stop"]).all()
    gaps = rows.with_columns(previous=pl.col("stop").shift(1).over("customer")).drop_nulls(
        "previous"
    )
    assert (gaps["start"] == gaps["previous"]).all()
    ends = rows.group_by("customer").agg(
        pl.col("event").last(), pl.col("event").head(pl.len() - 1).is_null().all().alias("inner")
    )
    assert ends["event"].null_count() == 0
    assert ends["inner"].all()


def test_results_show_themselves(records):
    table = cx.risk_table(records, bad=cx.bad_count(1), strata=["segment"]).where(bad=["0", "1+"])
    fit = cx.cox(table, ["bad"], strata=["segment"])
    for result in (
        fit,
        cx.incidence(table),
        cx.estimators.share(table, {"bad": ("1+",)}),
        cx.contrast(fit, {"bad[1+]": 1}),
    ):
        assert "<table>" in result._repr_html_()
        assert result.to_polars().height >= 1
        assert result.to_dict()
    assert "customers" in repr(table)


def test_wrong_words(records):
    with pytest.raises(cx.errors.EstimationError, match="no fixed covariate 'plann'"):
        cx.risk_table(records, bad=cx.bad_count(1), strata=["plann"])
    with pytest.raises(cx.errors.EstimationError, match="'tenure' or 'contact'"):
        cx.risk_table(records, bad=cx.bad_count(1), clock="tenur")
    with pytest.raises(cx.NotTestable, match="contact clock"):
        cx.risk_table(records, bad=cx.bad_count(1), clock="contact")
    with pytest.raises(cx.errors.EstimationError, match="call the history something else"):
        cx.risk_table(records, time=cx.bad_count(1))


@pytest.mark.parametrize("name", ["polars", "polars-lazy", "duckdb"])
def test_episodes_without_histories(name):
    """Everybody, for as long as they were there: a row each, on contacts as on days."""
    days = [f"2024-{month:02}-{5 + who:02}" for who in range(3) for month in range(1, 8)]
    log = pl.DataFrame(
        {"customer": [c for c in "abc" for _ in range(7)], "at": days, "grade": ["good"] * 21}
    )
    study = cx.study_from({"retention": {"kind": "activity", "gap_days": 60}}, interactions=log)
    by_contact = cx.episodes(study, engine=name).to_polars()
    labelled = sum(d <= "2024-05-08" for d in days) // 3  # a gap before the last contact of the log
    assert by_contact.select("start", "stop").rows() == [(1, labelled + 1)] * 3
    by_day = cx.episodes(study, engine=name, clock="tenure").to_polars()
    assert by_day["start"].to_list() == [0, 0, 0]
    assert cx.risk_table(study, engine=name).customers == 3
