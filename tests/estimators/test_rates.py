"""Rates and their ratios against R's glm and cipoisson, plain loops over days, and what must hold for any table."""

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st

from cxresearch.errors import DataError, EstimationError, NotTestable
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.cox import cox
from cxresearch.estimators.rate_ratios import rate_ratios
from cxresearch.estimators.rates import rates
from cxresearch.histories import bad_count
from cxresearch.risk.episodes import episodes
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import RiskTable, risk_table
from tests.estimators.golden import cohort, cohort_table, heart_table, read
from tests.estimators.tables import separated
from tests.pipeline import records_of
from tests.reference import oracle
from tests.reference.jackknife import jackknife_error, leave_each_out
from tests.small_studies import contract_studies

TOLERANCE = 1e-8
OF_COHORT = (0, 30, 90, 180, 365, 730)
OF_HEART = (0, 60, 180, 730, 3598)  # in half days: two of the heart data's times are no whole days


@pytest.mark.parametrize(
    ("data", "table", "breaks", "stratum", "unit"),
    [
        ("heart", heart_table, OF_HEART, "surgery", 2),
        ("cohort", cohort_table, OF_COHORT, "segment", 1),
    ],
)
def test_rates_as_in_r(data, table, breaks, stratum, unit):
    wanted = read("rates.csv", level=pl.String).filter(pl.col("data") == data)
    result = rates(table(), breaks=breaks, strata=[stratum], errors="model")
    assert result.stratum == tuple(f"{stratum}={level}" for level in wanted["level"])
    np.testing.assert_array_equal(result.start, wanted["start"] * unit)
    np.testing.assert_array_equal(result.stop, wanted["stop"] * unit)
    np.testing.assert_array_equal(result.events, wanted["events"])
    np.testing.assert_array_equal(result.exposure, wanted["exposure"] * unit)
    np.testing.assert_allclose(result.rate * unit, wanted["rate"], rtol=1e-14)
    # cipoisson takes the same quantiles of the gamma distribution, found to fewer digits by R
    np.testing.assert_allclose(result.low * unit, wanted["low"], rtol=TOLERANCE)
    np.testing.assert_allclose(result.high * unit, wanted["high"], rtol=TOLERANCE)
    assert (result.df, result.errors) == (0, "model")
    assert np.isnan(result.se).all()


MODELS = [
    ("heart", "transplant", ["linear(transplant)"], ()),
    (
        "heart",
        "interaction",
        [
            "linear(age)",
            "linear(surgery)",
            "linear(transplant)",
            "linear(age):linear(transplant)",
            "linear(surgery):linear(transplant)",
        ],
        (),
    ),
    ("heart", "stratified", ["linear(age)", "linear(transplant)"], ("surgery",)),
    ("cohort", "defection", ["bad", "contacts"], ()),
    ("cohort", "defection", ["bad", "contacts"], ("segment",)),
]


def golden(data: str, model: str, strata: tuple[str, ...]) -> pl.DataFrame:
    stratum = pl.col("strata") == strata[0] if strata else pl.col("strata").is_null()
    return read("rate_ratios.csv").filter(
        (pl.col("data") == data) & (pl.col("model") == model) & stratum
    )


@pytest.mark.parametrize(("data", "model", "terms", "strata"), MODELS)
def test_ratios_as_in_r(data, model, terms, strata):
    wanted = golden(data, model, strata)
    table, breaks, unit = (
        (heart_table(), OF_HEART, 2) if data == "heart" else (cohort_table(), OF_COHORT, 1)
    )
    fit = rate_ratios(table, terms, breaks=breaks, strata=strata, errors="model")
    assert wanted["term"].to_list() == [
        t.replace("[", "").replace("]", "").replace("linear(", "").replace(")", "")
        for t in fit.terms
    ]
    np.testing.assert_allclose(fit.coef, wanted["coef"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.se_model, wanted["se"], rtol=0, atol=TOLERANCE)
    assert fit.baseline[0] * unit == pytest.approx(wanted["baseline"][0], rel=TOLERANCE)
    assert (
        len(fit.baseline)
        == len(fit.baselines)
        == (len(breaks) - 1) * (len(table.feature(strata[0]).levels) if strata else 1)
    )


@pytest.mark.parametrize("strata", [(), ("segment",)])
def test_errors_by_customer_as_in_r(strata):
    wanted = golden("cohort", "defection", strata)["robust_se"].to_numpy()
    fit = rate_ratios(cohort_table(), ["bad", "contacts"], breaks=OF_COHORT, strata=strata)
    np.testing.assert_allclose(fit.se, wanted, rtol=0, atol=TOLERANCE)
    assert fit.clusters is not None
    assert (fit.clusters.size, fit.clusters.by) == (cohort()["id"].n_unique(), "clusters")
    assert fit.df == cohort().filter(pl.col("cause") == 1)["id"].n_unique() - 1


def split(rows: pl.DataFrame, edges: tuple[int, ...]) -> pl.DataFrame:
    """Rows cut at the edges: the part of each (start, stop] in each (a, b]."""
    parts = []
    for i, (a, b) in enumerate(pairwise(edges)):
        part = rows.filter((pl.col("start") < b) & (pl.col("stop") > a))
        inside = (pl.col("stop") <= b) & (pl.col("cause") == 1)
        parts.append(
            part.select(
                "id",
                "bad",
                interval=pl.lit(i),
                days=pl.min_horizontal("stop", pl.lit(b)) - pl.max_horizontal("start", pl.lit(a)),
                event=inside.cast(pl.Int64),
            )
        )
    return pl.concat(parts)


def test_errors_by_customer_as_in_statsmodels():
    some = cohort().filter(pl.col("id") <= 6_000)
    edges = (0, 180, int(some["stop"].max()))
    rows = split(some, edges)
    dummies = [
        *(rows["interval"] == i for i in range(2)),
        *(rows["bad"] == b for b in ("1", "2", "3+")),
    ]
    model = sm.GLM(
        rows["event"].to_numpy(),
        np.column_stack([d.to_numpy() for d in dummies]).astype(float),
        family=sm.families.Poisson(),
        offset=np.log(rows["days"].to_numpy()),
    )
    theirs = model.fit(
        cov_type="cluster",
        cov_kwds={"groups": rows["id"].to_numpy(), "use_correction": False},
    )
    ours = rate_ratios(cohort_table(some), ["bad"], breaks=edges)
    np.testing.assert_allclose(ours.coef, theirs.params[2:], atol=1e-8)
    np.testing.assert_allclose(ours.se, theirs.bse[2:], atol=1e-8)


@pytest.mark.slow
@given(study=contract_studies(), edges=st.sets(st.integers(0, 60), min_size=2, max_size=5))
def test_days_counted_one_by_one(study, edges):
    contacts, customers, settings = study
    try:
        records = records_of(contacts, customers, settings, "polars")
    except DataError:
        return
    table = risk_table(episodes(records, {"bad": bad_count(1)}))
    rows = [
        e
        for e in oracle.tenure_episodes(contacts, customers, settings, {"bad": oracle.bad_count(1)})
        if e.start < e.stop
    ]
    last = max(e.stop for e in rows)
    breaks = tuple(e for e in sorted(edges) if e <= last)
    assume(len(breaks) > 1)
    result = rates(table, breaks=breaks, strata=["bad"], errors="model")
    wanted = {}
    for level in table.feature("bad").levels:
        for a, b in pairwise(breaks):
            days = sum(
                1
                for e in rows
                for d in range(e.start + 1, e.stop + 1)
                if e.pattern == (level,) and a < d <= b
            )
            gone = sum(
                e.pattern == (level,) and e.code == "defection" and a < e.stop <= b for e in rows
            )
            if days:
                wanted[f"bad={level}", a, b] = (gone, days)
    ours = zip(result.stratum, result.start.tolist(), result.stop.tolist(), strict=True)
    assert (
        dict(
            zip(
                ours,
                zip(result.events.tolist(), result.exposure.tolist(), strict=True),
                strict=True,
            )
        )
        == wanted
    )


def parts() -> tuple[RiskTable, RiskTable]:
    odd = cohort()["id"] % 2 == 1
    return cohort_table(cohort().filter(~odd)), cohort_table(cohort().filter(odd))


def test_tables_that_add_up_have_rates_that_do():
    a, b = parts()
    breaks = (0, 90, 365)
    both, one, other = (
        rates(t, breaks=breaks, strata=["bad"], errors="model") for t in (a + b, a, b)
    )
    np.testing.assert_array_equal(both.events, one.events + other.events)
    np.testing.assert_array_equal(both.exposure, one.exposure + other.exposure)


def test_finer_intervals_have_the_same_sums():
    table = cohort_table()
    coarse = rates(table, breaks=(0, 180, 730), strata=["bad"], errors="model")
    fine = rates(
        table, breaks=(0, 7, 90, 180, 181, 500, 730), strata=["bad"], errors="model"
    ).to_polars()
    bands = (
        fine.with_columns(band=pl.col("stop") <= 180)
        .group_by("stratum", "band")
        .agg(pl.col("events", "exposure").sum())
    )
    bands = bands.sort(["stratum", "band"], descending=[False, True])
    np.testing.assert_array_equal(bands["events"], coarse.events)
    np.testing.assert_array_equal(bands["exposure"], coarse.exposure)
    crude = rates(table, strata=["bad"], errors="model")
    fit = rate_ratios(table, ["bad"], errors="model")
    np.testing.assert_allclose(np.exp(fit.coef), crude.rate[1:] / crude.rate[0], rtol=1e-10)
    assert fit.baseline[0] == pytest.approx(crude.rate[0], rel=1e-10)


@pytest.mark.parametrize("factor", [2, 7])
def test_another_unit_of_time_changes_rates_and_no_ratio(factor):
    rows = cohort().filter(pl.col("id") <= 3_000)
    stretched = rows.with_columns(pl.col("start", "stop") * factor)
    a, b = (cohort_table(r) for r in (rows, stretched))
    breaks = (0, 100, 700)
    scaled = tuple(factor * x for x in breaks)
    one, other = rates(a, breaks=breaks), rates(b, breaks=scaled)
    for name in ("rate", "low", "high"):
        np.testing.assert_allclose(getattr(one, name), factor * getattr(other, name), rtol=1e-12)
    np.testing.assert_allclose(one.se, other.se, rtol=1e-9)
    fits = rate_ratios(a, ["bad"], breaks=breaks), rate_ratios(b, ["bad"], breaks=scaled)
    np.testing.assert_allclose(fits[0].coef, fits[1].coef, atol=1e-10)
    np.testing.assert_allclose(fits[0].se, fits[1].se, atol=1e-10)


def test_days_as_intervals_are_cox_with_breslow():
    some = cohort_table(cohort().filter(pl.col("id") <= 500))
    days = tuple(range(int(some.flows["time"].max()) + 1))
    ours = rate_ratios(some, ["bad"], breaks=days, errors="model")
    theirs = cox(some, ["bad"], ties="breslow", errors="model")
    np.testing.assert_allclose(ours.coef, theirs.coef, atol=1e-8)
    np.testing.assert_allclose(ours.se_model, theirs.se_model, atol=1e-8)


def test_an_interval_without_events_has_an_exact_upper_limit():
    rows = pl.DataFrame(
        {"id": range(60), "start": [0] * 60, "stop": [30] * 60, "event": [1] * 30 + [0] * 30}
    )
    result = rates(from_rows(rows, []), breaks=(0, 10, 30), errors="model")
    assert result.events.tolist() == [0, 30]
    assert (result.rate[0], result.low[0]) == (0.0, 0.0)
    assert result.high[0] == pytest.approx(
        -math.log(0.025) / 600
    )  # so many days without one have that chance
    assert math.isnan(result.se_model[0])
    assert result.to_polars()["se_model"].to_list() == [None, pytest.approx(1 / math.sqrt(30))]


def test_few_events_have_exact_limits_beside_robust_ones():
    result = rates(cohort_table(), breaks=(0, 2, 365))
    model = rates(cohort_table(), breaks=(0, 2, 365), errors="model")
    assert result.errors == "clusters"
    assert result.df == cohort().filter(pl.col("cause") == 1)["id"].n_unique() - 1
    assert 0 < result.events[0] < 20 < result.events[1]
    assert (result.low[0], result.high[0]) == (model.low[0], model.high[0])
    assert math.isnan(result.se[0])
    # nearly a Poisson count: one customer leaves at most once
    assert result.se[1] == pytest.approx(result.se_model[1], rel=0.15)
    assert result.low[1] < result.rate[1] < result.high[1]
    assert result.rate[1] ** 2 == pytest.approx(result.low[1] * result.high[1])


def test_nothing_at_all_happened():
    rows = pl.DataFrame({"id": range(40), "start": [0] * 40, "stop": [10] * 40, "event": [0] * 40})
    result = rates(from_rows(rows, []), errors="model")
    assert (result.rate.tolist(), result.exposure.tolist()) == ([0.0], [400])
    with pytest.raises(EstimationError, match="no events of the cause 'defection'"):
        rate_ratios(from_rows(rows.with_columns(x=pl.col("id") % 2), ["x"]), ["x"], errors="model")
    with pytest.raises(NotTestable):
        rates(from_rows(rows, []))


@pytest.mark.parametrize("which", ["a", "b"])
def test_a_level_without_events_is_named(which):
    table = separated((pl.col("x") == which) & (pl.col("id") % 3 == 0))
    with pytest.raises(
        EstimationError, match=r"no maximum: x\[b\] has no events, or all that there are"
    ):
        rate_ratios(table, ["x", "y"], breaks=(0, 20, 50), errors="model")
    assert rate_ratios(table, ["y"], breaks=(0, 20, 50), errors="model").terms == ("y[q]",)


def test_separation_that_no_single_level_shows():
    # every level of x and y has events, and still nobody leaves where both are at their second level
    table = separated((pl.col("id") % 3 == 0) & ~((pl.col("x") == "b") & (pl.col("y") == "q")))
    assert np.isfinite(rate_ratios(table, ["x", "y"], errors="model").coef).all()
    with pytest.raises(EstimationError, match=r"no maximum: x\[b\]:y\[q\] has no events"):
        rate_ratios(table, ["x", "y", "x:y"], errors="model")


def test_a_level_whose_events_are_those_of_one_customer_has_a_robust_error():
    rows = cohort().with_columns(
        rare=pl.when(pl.col("id") < 40).then(pl.lit("seen")).otherwise(pl.lit("no"))
    )
    leavers = rows.filter((pl.col("rare") == "seen") & (pl.col("cause") == 1))["id"].unique().sort()
    one = (pl.col("rare") == "seen") & (pl.col("id") != leavers[0])
    rows = rows.with_columns(cause=pl.when(one).then(0).otherwise(pl.col("cause")))
    table = cohort_table(rows, ["rare"])
    fit = rate_ratios(table, ["rare"])
    # of two rates: each customer's events less the days at its rate, over the events of its level
    of = rows.group_by("id").agg(
        pl.col("rare").first(),
        events=(pl.col("cause") == 1).sum(),
        days=(pl.col("stop") - pl.col("start")).sum(),
    )
    rate = pl.col("events").sum().over("rare") / pl.col("days").sum().over("rare")
    moves = (pl.col("events") - rate * pl.col("days")) / pl.col("events").sum().over("rare")
    wanted = of.select(moves.pow(2).sum().sqrt()).item()
    assert fit.se[0] == pytest.approx(wanted, rel=1e-8)
    assert fit.events == table.events("defection")
    # it is near that of a single Poisson count, which is one
    assert 0.9 < fit.se[0] < 1.05


def test_contrasts_and_tables_of_a_fit():
    fit = rate_ratios(cohort_table(), ["bad"], breaks=OF_COHORT)
    one = contrast(fit, {"bad[2]": 1, "bad[1]": -1})
    assert one.value == pytest.approx(np.exp(fit.coef[1] - fit.coef[0]))
    assert one.low < one.value < one.high
    shown = fit.to_polars()
    assert shown.columns == ["term", "coef", "rate_ratio", "low", "high", "se", "se_model"]
    assert "bad[3+]" in fit._repr_html_()
    assert fit.to_dict()["breaks"] == list(OF_COHORT)
    result = rates(cohort_table(), breaks=OF_COHORT, strata=["segment"])
    assert result.to_polars().columns[:4] == ["stratum", "start", "stop", "events"]
    assert "segment=basic" in result._repr_html_()


@pytest.mark.parametrize("estimator", [rates, lambda t, **k: rate_ratios(t, ["bad"], **k)])
@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (
            (0, 30, 30),
            r"breaks must rise and be at least two, such as \(0, 30, 365\); they were \[0, 30, 30\]",
        ),
        ((90, 30), "breaks must rise"),
        ((30,), "at least two"),
        (
            (0, 900),
            r"breaks must lie between 0 and 850 \(the follow-up on the tenure clock\), one was 900",
        ),
        ((-5, 30), "breaks must lie between 0 and 850 .* one was -5"),
        ((0, 30.5), "breaks must be whole numbers on the tenure clock"),
    ],
)
def test_breaks_that_make_no_intervals(estimator, breaks, said):
    with pytest.raises(EstimationError, match=said):
        estimator(cohort_table(), breaks=breaks, errors="model")


def test_what_cannot_be_asked():
    table = cohort_table()
    for ask in (lambda **k: rates(table, **k), lambda **k: rate_ratios(table, ["bad"], **k)):
        with pytest.raises(EstimationError, match="no cause 'defect'; did you mean 'defection'"):
            ask(cause="defect", errors="model")
        with pytest.raises(EstimationError, match="no feature 'segmnet'"):
            ask(strata=["segmnet"], errors="model")
    with pytest.raises(EstimationError, match="term and a stratum at once"):
        rate_ratios(table, ["bad"], strata=["bad"], errors="model")
    with pytest.raises(EstimationError, match="cannot be distinguished"):
        rate_ratios(table, ["bad", "linear(bad)"], errors="model")
    with pytest.raises(EstimationError, match="at least one term"):
        rate_ratios(table, [], errors="model")
    with pytest.raises(NotTestable, match="an interval: 1 events of 1 customers"):
        rates(cohort_table(cohort().filter(pl.col("id") == first_leaver())))


def first_leaver() -> int:
    """The id of a customer who leaves."""
    return int(cohort().filter(pl.col("cause") == 1)["id"].min())


def test_a_few_customers_have_robust_limits():
    some = cohort().filter(pl.col("id") < 300)
    table = cohort_table(some)
    result = rates(table)
    assert 20 < result.events[0] < 300
    assert result.df == some.filter(pl.col("cause") == 1)["id"].n_unique() - 1

    def log_rate(g):
        part = rates(table.without_group(g), errors="model")
        return np.log(part.rate[0])

    refits = leave_each_out(table.population["group"].to_list(), log_rate)
    assert result.se[0] == pytest.approx(float(jackknife_error(refits)), rel=0.02)
