"""The test of proportional hazards against R's cox.zph, and what it does where R has nothing to compare with."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2

import cxresearch as cx
from cxresearch.errors import ArgumentError, EstimationError, NotTestable
from cxresearch.estimators.cox import cox
from cxresearch.estimators.proportionality import TRANSFORMS, Proportionality, proportionality
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import RiskTable
from tests.estimators.golden import CAUSES, read
from tests.estimators.tables import separated

TEXT = ("bad", "segment")
FITS = (
    read("robust/proportionality.csv")
    .select("fit", "data", "model", "ties", "strata")
    .unique()
    .sort("fit")
)


@cache
def table_of(data: str, model: str, strata: str | None) -> RiskTable:
    """The risk table of a golden study with the features that a model and its strata name."""
    words = re.findall(r"\w+", f"{model} {strata or ''}")
    rows = read(f"robust/data_{data}.csv", **dict.fromkeys(TEXT, pl.String))
    features = [w for w in dict.fromkeys(words) if w != "linear"]
    return from_rows(rows, features, cause="cause", causes=CAUSES, grouped=False)


def result_of(
    data: str, model: str, ties: str, strata: str | None, transform: str
) -> Proportionality:
    return proportionality(
        table_of(data, model, strata),
        model.split(" + "),
        strata=(strata,) if strata else (),
        ties=ties,
        transform=transform,
    )


def small(**settings) -> Proportionality:
    """A test on the simulated study of 120 customers."""
    model = "bad + linear(contacts)"
    return proportionality(table_of("small", model, None), model.split(" + "), **settings)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("fit", FITS.rows(), ids=lambda fit: f"{fit[0]}-{fit[1]}-{fit[3]}")
def test_as_in_r(fit, transform):
    number, *settings = fit
    golden = read("robust/proportionality.csv").filter(
        pl.col("fit") == number, pl.col("transform") == transform
    )
    result = result_of(*settings, transform)
    ours = result.to_polars()
    assert ours["of"].to_list() == golden["of"].to_list()
    assert ours["name"].to_list() == golden["name"].fill_null("").to_list()
    assert ours["df"].to_list() == golden["df"].to_list()
    for column in ("chisq", "p", "slope"):
        wanted = golden[column]
        assert ours[column].is_null().to_list() == wanted.is_null().to_list()
        np.testing.assert_allclose(
            ours[column].drop_nulls(), wanted.drop_nulls(), rtol=1e-8, atol=1e-10
        )


@pytest.mark.parametrize(
    "fit", FITS.filter(pl.col("ties") == "efron").rows(), ids=lambda fit: f"{fit[0]}-{fit[1]}"
)
def test_schoenfeld_residuals_as_in_r(fit):
    number, *settings = fit
    golden = read("robust/schoenfeld.csv").filter(pl.col("fit") == number)
    result = result_of(*settings, "km")
    for place, column in enumerate(result.columns):
        # of a day in all strata together
        wanted = golden.filter(pl.col("term") == column)
        wanted = wanted.group_by("time").agg(pl.col("events", "residual").sum()).sort("time")
        assert result.times.tolist() == wanted["time"].to_list()
        assert result.events.tolist() == wanted["events"].to_list()
        np.testing.assert_allclose(
            result.residuals[:, place], wanted["residual"], rtol=0, atol=1e-8
        )
    np.testing.assert_allclose(result.residuals.sum(axis=0), 0, atol=1e-8)


def test_groups_of_a_table_change_nothing():
    rows = read("robust/data_small.csv", **dict.fromkeys(TEXT, pl.String))
    features = ["bad", "contacts", "segment"]
    table = from_rows(rows, features, cause="cause", causes=CAUSES, cluster="household")
    for transform in TRANSFORMS:
        a = small(transform=transform)
        b = proportionality(table, ["bad", "linear(contacts)"], transform=transform)
        np.testing.assert_allclose(a.chisq, b.chisq, rtol=1e-10)
        np.testing.assert_allclose(a.slope, b.slope, rtol=1e-10)


def test_the_unit_of_time_matters_to_slopes_only():
    table = table_of("small", "bad", None)
    longer = replace(table, flows=table.flows.with_columns(pl.col("time").cast(pl.Int64) * 7))
    one, other = (proportionality(t, ["bad"], transform="identity") for t in (table, longer))
    np.testing.assert_allclose(other.chisq, one.chisq, rtol=1e-10)
    np.testing.assert_allclose(other.slope * 7, one.slope, rtol=1e-10)
    assert abs(one.slope).min() > 1e-6


def test_ranks_of_row_ends_depend_on_how_follow_up_is_cut_and_ranks_of_events_do_not():
    rows = read("robust/data_small.csv", **dict.fromkeys(TEXT, pl.String))
    half = rows.filter(pl.col("stop") - pl.col("start") > 3, pl.col("id") % 3 == 0)
    middle = pl.col("start") + 2
    key = ["id", "start"]
    cut = pl.concat(
        [
            rows.join(half, on=key, how="anti"),
            half.with_columns(stop=middle, cause=pl.lit(0, pl.Int64)),
            half.with_columns(start=middle),
        ]
    )
    tables = [from_rows(r, ["bad"], cause="cause", causes=CAUSES) for r in (rows, cut)]
    for transform in TRANSFORMS:
        a, b = (proportionality(t, ["bad"], transform=transform).global_chisq for t in tables)
        assert (abs(a - b) < 1e-9) == (transform != "rank")


def lives(seed: int, ratios: tuple[float, float], customers: int = 300) -> pl.DataFrame:
    """Customers of whom half have a hazard ratio up to day 40, and another one from then on."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, customers)
    early, late = (0.012 * np.where(x == 1, r, 1.0) for r in ratios)
    e = rng.exponential(1.0, customers)
    day = np.ceil(np.where(e < 40 * early, e / early, 40 + (e - 40 * early) / late))
    until = rng.integers(60, 121, customers)
    rows = {"id": np.arange(customers), "start": 0, "x": x.astype(str)}
    return pl.DataFrame(
        {**rows, "stop": np.minimum(day, until).astype(int), "event": (day <= until).astype(int)}
    )


def test_a_constant_hazard_ratio_is_rejected_as_often_as_the_level_says():
    p = [
        proportionality(from_rows(lives(seed, (1.8, 1.8)), ["x"], grouped=False), ["x"]).global_p
        for seed in range(120)
    ]
    # of 120 at 5%: the central 99.7% of the binomial distribution is 1 to 14
    assert 1 <= sum(v < 0.05 for v in p) <= 14
    assert 0.4 < np.median(p) < 0.6


def test_a_hazard_ratio_that_falls_is_seen_in_test_slope_and_spans():
    table = from_rows(lives(1, (4.0, 0.8), customers=2_000), ["x"], grouped=False)
    result = proportionality(table, ["x"], transform="identity")
    assert result.global_p < 1e-6
    assert result.slope[0] < 0
    spans = result.by_time(12)
    before = spans.filter(pl.col("stop") <= 40)["coef"].to_numpy()
    after = spans.filter(pl.col("start") >= 40)["coef"].to_numpy()
    assert before.min() > after.max() + 0.5
    # a first-order approximation around the common coefficient: near, not equal
    assert abs(before.mean() - np.log(4)) < 0.5
    assert abs(after.mean() - np.log(0.8)) < 0.5


@pytest.mark.parametrize("bins", [1, 3, 10, 1_000])
def test_spans_hold_all_events_and_average_to_the_coefficients(bins):
    result = small()
    spans = result.by_time(bins)
    total = int(result.events.sum())
    for place, column in enumerate(result.columns):
        part = spans.filter(pl.col("term") == column)
        assert part.height <= max(1, min(bins, total // 10))
        assert part["events"].sum() == total
        assert part["events"].min() >= 10
        assert part["start"][1:].to_list() == part["stop"][:-1].to_list()
        mean = (part["coef"] * part["events"]).sum() / total
        assert mean == pytest.approx(result.coef[place], abs=1e-8)
        assert (part["low"] < part["coef"]).all()
        assert (part["coef"] < part["high"]).all()
    if bins == 1:
        # over all of the time the limits are those of the model
        fit = cox(table_of("small", "bad + linear(contacts)", None), result.terms, errors="model")
        limits = fit.to_polars()
        np.testing.assert_allclose(spans["low"].exp(), limits["low"], rtol=1e-8)
        np.testing.assert_allclose(spans["high"].exp(), limits["high"], rtol=1e-8)


def test_a_term_whose_change_nothing_is_known_of_has_no_degree_of_freedom():
    rows = lives(2, (1.0, 1.0)).with_columns(y=pl.lit("a"))
    # y differs on a single day, so it has a coefficient and no course
    brief = pl.DataFrame(
        {"id": range(1000, 1040), "start": 9, "stop": 10, "x": "0", "event": [1, 0, 0, 0] * 10}
    ).with_columns(y=pl.lit("b"))
    table = from_rows(pl.concat([rows, brief], how="diagonal_relaxed"), ["x", "y"], grouped=False)
    result = proportionality(table, ["x", "y"])
    assert result.df.tolist() == [1, 0]
    assert result.global_df == 1
    assert result.chisq[1] == 0
    assert np.isnan(result.p[1])
    assert np.isnan(result.column_p[1])
    assert result.to_polars().filter(pl.col("name") == "y")["p"].to_list() == [None]
    assert "–" in result._repr_html_()


def test_what_is_no_test():
    with pytest.raises(NotTestable, match="hazard ratio is 0 or infinite"):
        proportionality(separated(pl.col("x") == "a"), ["x"])
    once = pl.DataFrame(
        {"id": range(8), "start": 0, "stop": 5, "x": list("aabb") * 2, "event": [1, 0] * 4}
    )
    with pytest.raises(NotTestable, match="events at more than one time"):
        proportionality(from_rows(once, ["x"]), ["x"])
    with pytest.raises(ArgumentError, match="transform must be"):
        small(transform="log")
    with pytest.raises(ArgumentError, match="ties must be"):
        small(ties="exact")
    with pytest.raises(EstimationError, match="no feature 'bat'; did you mean 'bad'"):
        proportionality(table_of("small", "bad", None), ["bat"])
    with pytest.raises(ArgumentError, match="bins must be"):
        small().by_time(0)
    with pytest.raises(ArgumentError, match="level must be"):
        small().by_time(3, level=95)


def test_what_is_shown():
    result = cx.estimators.proportionality(
        table_of("large", "bad + linear(contacts)", "segment"),
        ["bad", "linear(contacts)"],
        strata=["segment"],
    )
    shown = result._repr_html_()
    assert "Compared within segment." in shown
    assert f"{result.global_p:.3f}" in shown
    assert repr(result).startswith("Proportionality(all terms p = ")
    assert result.p[0] == pytest.approx(chi2.sf(result.chisq[0], result.df[0]), rel=1e-12)
    plain = result.to_dict()
    assert plain["terms"] == ["bad", "linear(contacts)"]
    assert not {"times", "events", "residuals", "transformed"} & set(plain), "as good as the data"
