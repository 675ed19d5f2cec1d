"""Fits of clustered data against R: coefficients, both kinds of errors, and the influences that they are made of."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2

from cxresearch.estimators.cox import cox
from cxresearch.estimators.incidence import incidence
from cxresearch.risk.from_rows import from_rows
from tests.estimators.golden import read
from tests.estimators.robust import (
    comparisons,
    features_of,
    fit_of,
    numbers_of,
    of_cohort,
    of_cox,
    of_curves,
    of_grouped,
    rows_of,
    table_of,
)

DATA = ("heart", "jasa1", "cgd", "pbcseq", "small", "large")
TOLERANCE = 1e-8  # both maximise to the last digits; what remains is rounding


def hold(comparisons):
    """Every one of some comparisons holds, and there are some."""
    held = 0
    for one in comparisons:
        assert one.ours.shape == one.theirs.shape, one.quantity
        np.testing.assert_allclose(
            one.ours, one.theirs, rtol=0, atol=TOLERANCE, err_msg=one.quantity
        )
        held += 1
    assert held


@pytest.mark.parametrize("number", numbers_of("coxph"))
def test_cox_as_in_r(number):
    hold(of_cox(number))
    wanted = read("robust/coxph.csv").filter(pl.col("fit") == number)
    fit = fit_of(number)
    assert fit.terms == tuple(wanted["term"])
    assert fit.events == wanted["events"][0]
    assert fit.clusters is not None
    assert (fit.clusters.size, fit.clusters.by) == (wanted["clusters"][0], "clusters")
    assert fit.df == wanted["event_clusters"][0] - 1
    np.testing.assert_allclose(fit.loglik, wanted["loglik"][0], rtol=1e-10)


def test_influences_of_all_kinds_of_fits_are_kept():
    kept = read("robust/coxph.csv").filter(
        pl.col("fit").is_in(
            pl.concat([read(f"robust/dfbeta_{d}.csv")["fit"] for d in DATA]).unique().implode()
        )
    )
    assert set(kept["cluster"]) == {"id", "household"}
    assert set(kept["ties"]) == {"efron", "breslow"}
    assert set(kept["data"]) == set(DATA)
    assert kept["strata"].null_count() not in (0, kept.height)


@pytest.mark.slow
def test_the_cohort_as_in_r():
    hold(of_cohort())


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


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name in ("incidence", "kaplan_meier") for number in numbers_of(name)],
)
def test_curves_as_in_r(name, number):
    hold(of_curves(name, number))


@pytest.mark.parametrize("number", numbers_of("kaplan_meier"))
def test_greenwood_as_in_r(number):
    wanted = read("robust/kaplan_meier.csv", stratum=pl.String).filter(pl.col("curve") == number)
    data, strata, stratum = wanted.select("data", "strata", "stratum").row(0)
    rows = rows_of(data)
    if strata is not None:
        rows = rows.filter(pl.col(strata).cast(pl.String) == stratum)
    one = rows.with_columns(cause=(pl.col("cause") == 1).cast(pl.Int64))
    curve = incidence(from_rows(one, [], cause="cause"), min_at_risk=1, errors="model")
    positive = wanted.filter(pl.col("survival") > 0)
    np.testing.assert_allclose(
        [curve.at(t).se_model for t in positive["time"]],
        positive["greenwood_se"],
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


@pytest.mark.parametrize("number", numbers_of("grouped"))
def test_grouped_hazards_as_in_r(number):
    hold(of_grouped(number))
    wanted = read("robust/grouped.csv").filter(pl.col("fit") == number)
    # the other information is another number, so that a test cannot take the one for the other
    for kind in ("se", "robust_se"):
        apart = wanted[f"{kind}_observed"] - wanted[f"{kind}_expected"]
        assert (apart.abs() > 1e-5).all()


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


PAGE = Path(__file__).parents[2] / "docs" / "robust-errors.md"


@pytest.mark.slow
def test_the_page_of_differences_is_about_these_numbers():
    """The same quantities and as many numbers of each; differences in the last digits depend on the machine."""
    counts = Counter()
    for one in comparisons():
        counts[one.quantity, f"`{one.function}`"] += one.ours.size
    rows = re.findall(r"^\| (.+?) \| (`.+?`) \| ([\d,]+) \| (\S+) \|$", PAGE.read_text(), re.M)
    assert {(a, b): int(n.replace(",", "")) for a, b, n, _ in rows} == counts
    assert all(float(difference) < TOLERANCE for *_, difference in rows)
