"""Fits of clustered data against R: coefficients, model-based errors, and the sums that robust errors are made of."""

import re
from functools import cache

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2

from cxresearch.estimators.cox import cox
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.estimators.incidence import incidence
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import RiskTable
from tests.estimators.golden import CAUSES, read

DATA = ("heart", "jasa1", "cgd", "pbcseq", "small", "large")
TEXT = ("bad", "segment")
TOLERANCE = 1e-8  # both maximise to the last digits; what remains is rounding


@cache
def rows_of(data: str) -> pl.DataFrame:
    """The (start, stop] rows of a golden study."""
    return read(f"robust/data_{data}.csv", **dict.fromkeys(TEXT, pl.String))


@cache
def table_of(data: str, features: tuple[str, ...]) -> RiskTable:
    """The risk table of a golden study, in one group."""
    return from_rows(rows_of(data), features, cause="cause", causes=CAUSES, grouped=False)


def features_of(model: str, strata: str | None) -> tuple[str, ...]:
    """The features that a model and its strata name."""
    words = re.findall(r"\w+", f"{model} {strata or ''}")
    return tuple(dict.fromkeys(w for w in words if w != "linear"))


def fits() -> list[tuple[int, str]]:
    """Number and study of each golden fit."""
    return read("robust/coxph.csv").select("fit", "data").unique().sort("fit").rows()


@pytest.mark.parametrize("number", [n for n, _ in fits()])
def test_cox_as_in_r(number):
    wanted = read("robust/coxph.csv").filter(pl.col("fit") == number)
    data, model, ties, strata = wanted.select("data", "model", "ties", "strata").row(0)
    fit = cox(
        table_of(data, features_of(model, strata)),
        model.split(" + "),
        strata=(strata,) if strata else (),
        ties=ties,
        errors="model",
    )
    assert fit.terms == tuple(wanted["term"])
    assert fit.events == wanted["events"][0]
    np.testing.assert_allclose(fit.coef, wanted["coef"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.se_model, wanted["se"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.loglik, wanted["loglik"][0], rtol=1e-10)
    covariance = read("robust/coxph_covariance.csv").filter(pl.col("fit") == number)
    p = len(fit.terms)
    np.testing.assert_allclose(
        fit.covariance, covariance["covariance"].to_numpy().reshape(p, p), rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("data", DATA)
def test_rows_of_studies_are_in_integer_days_with_clusters_above_customers(data):
    rows = rows_of(data)
    assert (rows["start"] < rows["stop"]).all()
    assert rows["household"].n_unique() < rows["id"].n_unique() <= rows.height
    assert (rows.group_by("id").agg(pl.col("household").n_unique())["household"] == 1).all()
    ends = rows.sort("id", "start").with_columns(before=pl.col("stop").shift().over("id"))
    assert ends.filter(pl.col("before") > pl.col("start")).is_empty()


def test_studies_hold_what_they_are_made_for():
    assert (rows_of("cgd").filter(pl.col("cause") == 1)["id"].value_counts()["count"] > 1).any()
    for data in ("pbcseq", "small", "large"):
        rows = rows_of(data)
        assert (rows.group_by("id").agg(pl.col("start").min())["start"] > 0).any(), "late entries"
        assert set(rows["cause"]) == {0, 1, 2}
    gaps = rows_of("small").sort("id", "start")
    gaps = gaps.with_columns(before=pl.col("stop").shift().over("id"))
    assert (gaps["start"] > gaps["before"]).any()
    tied = rows_of("large").filter(pl.col("cause") == 1)["stop"].value_counts()["count"]
    assert tied.max() > 20


@pytest.mark.parametrize("data", DATA)
def test_influences_make_the_robust_covariance(data):
    # a check of the committed files against each other: both come from R, by different ways
    influences = read(f"robust/dfbeta_{data}.csv")
    wanted = read("robust/coxph.csv").filter(pl.col("data") == data)
    covariances = read("robust/coxph_covariance.csv")
    for (number,), part in influences.group_by("fit"):
        fit = wanted.filter(pl.col("fit") == number)
        p, clusters = fit.height, fit["clusters"][0]
        matrix = part["dfbeta"].to_numpy().reshape(clusters, p)
        assert part["term"].to_list() == fit["term"].to_list() * clusters
        assert part["member"][::p].to_list() == sorted(rows_of(data)[fit["cluster"][0]].unique())
        robust = covariances.filter(pl.col("fit") == number)["robust_covariance"].to_numpy()
        np.testing.assert_allclose(matrix.T @ matrix, robust.reshape(p, p), rtol=0, atol=1e-14)
        np.testing.assert_allclose(fit["robust_se"] ** 2, np.diag(robust.reshape(p, p)), rtol=1e-12)
        # a first-order condition: the influences of all sum to nothing
        np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-10)


def part_of(data: str, strata: str | None, stratum: str | None) -> tuple[RiskTable, pl.DataFrame]:
    """The risk table and the rows of one stratum, or of all."""
    rows = rows_of(data)
    if strata is None:
        return table_of(data, ()), rows
    chosen = rows.filter(pl.col(strata).cast(pl.String) == stratum)
    return from_rows(chosen, [], cause="cause", causes=CAUSES, grouped=False), chosen


@pytest.mark.parametrize("number", read("robust/incidence.csv")["curve"].unique().sort())
def test_incidence_as_in_r(number):
    wanted = read("robust/incidence.csv", stratum=pl.String).filter(pl.col("curve") == number)
    table, _ = part_of(*wanted.select("data", "strata", "stratum").row(0))
    for cause, column in (("defection", "incidence"), ("other exit", "incidence_other")):
        curve = incidence(table, cause, min_cell=1, errors="model")
        ours = [curve.at(t).value for t in wanted["time"]]
        np.testing.assert_allclose(ours, wanted[column], rtol=0, atol=1e-12)
    total = wanted["survival"] + wanted["incidence"] + wanted["incidence_other"]
    np.testing.assert_allclose(total, 1, atol=1e-12)


@pytest.mark.parametrize("number", read("robust/kaplan_meier.csv")["curve"].unique().sort())
def test_kaplan_meier_as_in_r(number):
    wanted = read("robust/kaplan_meier.csv", stratum=pl.String).filter(pl.col("curve") == number)
    _, rows = part_of(*wanted.select("data", "strata", "stratum").row(0))
    one = rows.with_columns(cause=(pl.col("cause") == 1).cast(pl.Int64))
    table = from_rows(one, [], cause="cause", grouped=False)
    curve = incidence(table, min_cell=1, errors="model")
    estimates = [curve.at(t) for t in wanted["time"]]
    np.testing.assert_allclose(
        [1 - e.value for e in estimates], wanted["survival"], rtol=0, atol=1e-12
    )
    positive = (wanted["survival"] > 0).to_numpy()
    np.testing.assert_allclose(
        np.array([e.se_model for e in estimates])[positive],
        wanted["greenwood_se"].to_numpy()[positive],
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("curves", "errors"),
    [
        (
            "incidence",
            {
                "incidence": "incidence_robust_se",
                "incidence_other": "incidence_other_robust_se",
            },
        ),
        (
            "kaplan_meier",
            {"survival": "robust_se", "cumulative_hazard": "cumulative_hazard_robust_se"},
        ),
    ],
)
def test_influences_make_the_robust_errors_of_curves(curves, errors):
    influences = read(f"robust/{curves}_influence.csv")
    assert influences["curve"].n_unique() >= 10
    squares = influences.group_by("curve", "time").agg(pl.col(*errors).pow(2).sum().sqrt())
    points = squares.join(read(f"robust/{curves}.csv"), on=["curve", "time"], suffix="_estimate")
    assert points.height == squares.height
    for influence, error in errors.items():
        np.testing.assert_allclose(points[influence], points[error], rtol=1e-12, atol=1e-16)


def test_tests_of_proportionality_belong_to_the_fits():
    # the committed numbers against each other and against the fits of the package
    rows = read("robust/proportionality.csv")
    assert set(rows["transform"]) == {"identity", "km", "rank", "event_rank"}
    np.testing.assert_allclose(rows["p"], chi2.sf(rows["chisq"], rows["df"]), rtol=1e-9)
    fits_of = read("robust/coxph.csv").filter(pl.col("cluster") == "id")
    assert set(rows["fit"]) == set(fits_of["fit"])
    for (number, _), part in rows.group_by("fit", "transform"):
        fit = fits_of.filter(pl.col("fit") == number)
        columns = part.filter(pl.col("of") == "column")
        assert columns["name"].to_list() == fit["term"].to_list()
        assert columns["slope"].is_finite().all()
        terms = part.filter(pl.col("of") == "term")
        assert terms["name"].to_list() == fit["model"][0].split(" + ")
        assert part.filter(pl.col("of") == "model")["df"].item() == fit.height == terms["df"].sum()
        same = terms.filter(pl.col("df") == 1).join(columns, on="name")
        np.testing.assert_allclose(same["chisq"], same["chisq_right"], rtol=1e-9)


def test_schoenfeld_residuals_sum_to_nothing_over_all_events():
    residuals = read("robust/schoenfeld.csv")
    wanted = read("robust/coxph.csv")
    for (number,), part in residuals.group_by("fit"):
        fit = wanted.filter(pl.col("fit") == number)
        sums = part.group_by("term").agg(pl.col("residual").sum(), pl.col("events").sum())
        np.testing.assert_allclose(sums["residual"], 0, atol=1e-9)
        assert sums["events"].unique().to_list() == [fit["events"][0]]
        assert set(sums["term"]) == set(fit["term"])


@pytest.mark.parametrize("number", read("robust/grouped.csv")["fit"].unique().sort())
def test_grouped_hazards_as_in_r(number):
    wanted = read("robust/grouped.csv").filter(pl.col("fit") == number)
    data, model, strata = wanted.select("data", "model", "strata").row(0)
    fit = grouped_hazards(
        table_of(data, features_of(model, strata)),
        model.split(" + "),
        strata=(strata,) if strata else (),
        errors="model",
        min_events=1,
    )
    assert fit.terms == tuple(wanted["term"])
    assert fit.events == wanted["events"][0]
    np.testing.assert_allclose(fit.coef, wanted["coef"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.se_model, wanted["se_expected"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.loglik, wanted["loglik"][0], rtol=1e-10)
    # the other information is another number, so that a test cannot take the one for the other
    assert (np.abs(fit.se_model - wanted["se_observed"].to_numpy()) > 1e-5).all()
    covariance = read("robust/grouped_covariance.csv").filter(pl.col("fit") == number)
    p = len(fit.terms)
    np.testing.assert_allclose(
        fit.covariance,
        covariance["covariance_expected"].to_numpy().reshape(p, p),
        rtol=0,
        atol=TOLERANCE,
    )


def test_influences_make_the_robust_errors_of_grouped_hazards():
    influences = read("robust/grouped_influence.csv")
    wanted = read("robust/grouped.csv").filter(pl.col("cluster") == "household")
    assert set(influences["fit"]) == set(wanted["fit"])
    for kind in ("expected", "observed"):
        squares = influences.group_by("fit", "term").agg(
            pl.col(f"influence_{kind}").pow(2).sum().sqrt().alias("norm"),
            pl.col(f"influence_{kind}").sum().alias("sum"),
        )
        both = wanted.join(squares, on=["fit", "term"])
        assert both.height == wanted.height
        np.testing.assert_allclose(both["norm"], both[f"robust_se_{kind}"], rtol=1e-12)
        np.testing.assert_allclose(both["sum"], 0, atol=1e-12)


# the package takes the slope of the penalty by central differences with a step of 1e-4, R's script takes it exactly
PENALTY = 1e-7


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("strata", [None, "segment"])
@pytest.mark.parametrize("model", ["x", "x + linear(y)"])
def test_firth_as_in_r(model, ties, strata):
    stratum = pl.col("strata").is_null() if strata is None else pl.col("strata") == strata
    wanted = read("robust/firth.csv").filter(
        stratum, pl.col("model") == model, pl.col("ties") == ties
    )
    fit = cox(
        table_of("monotone", features_of(model, strata)),
        model.split(" + "),
        strata=(strata,) if strata else (),
        ties=ties,
        errors="model",
    )
    assert fit.penalised
    assert fit.terms == tuple(wanted["term"])
    np.testing.assert_allclose(fit.coef, wanted["coef"], rtol=0, atol=PENALTY)
    np.testing.assert_allclose(fit.se_model, wanted["se"], rtol=0, atol=PENALTY)
    np.testing.assert_allclose(fit.loglik, wanted["loglik"][0], rtol=0, atol=PENALTY)


def covariates(rows: pl.DataFrame, terms: tuple[str, ...]) -> np.ndarray:
    """The columns that the terms of a fit name, from the rows."""

    def column(part: str) -> np.ndarray:
        linear = re.fullmatch(r"linear\((\w+)\)", part)
        if linear:
            return rows[linear[1]].to_numpy().astype(float)
        feature, level = part.removesuffix("]").split("[")
        return (rows[feature].cast(pl.String) == level).to_numpy().astype(float)

    return np.column_stack([np.prod([column(p) for p in t.split(":")], axis=0) for t in terms])


@pytest.mark.parametrize("number", read("robust/baseline.csv")["fit"].unique().sort())
def test_baseline_hazards_by_a_plain_sum(number):
    # R's baseline and coefficients belong together: a sum over the days with an event, written out
    wanted = read("robust/baseline.csv", stratum=pl.String).filter(pl.col("fit") == number)
    fit = read("robust/coxph.csv").filter(pl.col("fit") == number)
    data, ties, strata = fit.select("data", "ties", "strata").row(0)
    rows = rows_of(data)
    risk = np.exp(covariates(rows, tuple(fit["term"])) @ fit["coef"].to_numpy())
    start, stop, cause = (rows[c].to_numpy() for c in ("start", "stop", "cause"))
    for (stratum,), part in wanted.group_by("stratum"):
        inside = (
            np.full(rows.height, True)
            if strata is None
            else (rows[strata].cast(pl.String) == stratum).to_numpy()
        )
        steps = []
        for day in part["time"]:
            at_risk = risk[inside & (start < day) & (day <= stop)].sum()
            tied = risk[inside & (stop == day) & (cause == 1)]
            share = np.arange(len(tied)) / len(tied) if ties == "efron" else np.zeros(len(tied))
            steps.append((1 / (at_risk - share * tied.sum())).sum())
        assert sorted(set(stop[inside & (cause == 1)])) == part["time"].to_list()
        np.testing.assert_allclose(np.cumsum(steps), part["cumulative_hazard"], rtol=1e-10)


def test_scores_times_the_inverse_information_are_the_influences():
    scores, influences = read("robust/scores_small.csv"), read("robust/dfbeta_small.csv")
    covariances = read("robust/coxph_covariance.csv")
    assert scores.select("fit", "member", "term").equals(influences.select("fit", "member", "term"))
    for (number,), part in scores.group_by("fit"):
        inverse = covariances.filter(pl.col("fit") == number)["covariance"].to_numpy()
        p = round(np.sqrt(len(inverse)))
        wanted = influences.filter(pl.col("fit") == number)["dfbeta"].to_numpy().reshape(-1, p)
        ours = part["score"].to_numpy().reshape(-1, p) @ inverse.reshape(p, p)
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["coxph", "grouped"])
def test_clusters_are_counted_from_the_rows(name):
    for fit in read(f"robust/{name}.csv").iter_rows(named=True):
        rows = rows_of(fit["data"])
        assert fit["clusters"] == rows[fit["cluster"]].n_unique()
        events = rows.filter(pl.col("cause") == 1)
        assert fit["event_clusters"] == events[fit["cluster"]].n_unique()
