"""Cox fits against R's coxph, lifelines, a direct likelihood, and known traps."""

from importlib import import_module

import lifelines
import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

import cxresearch as cx
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.cox import cox
from cxresearch.risk.from_rows import _groups, from_rows
from cxresearch.risk.table import RiskTable
from tests.estimators.golden import cohort, cohort_table, heart_table, read
from tests.estimators.tables import separated
from tests.reference import oracle
from tests.reference.jackknife import jackknife_error, leave_each_out

# R's own iterations stop at a relative change of 1e-9 unless told otherwise; the scripts ask for more, and the
# remaining difference is rounding
TOLERANCE = 1e-8


@pytest.mark.parametrize(
    ("data", "model", "terms", "strata"),
    [
        ("heart", "transplant", ["linear(transplant)"], ()),
        (
            "jasa1",
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
        ("jasa1", "stratified", ["linear(age)", "linear(transplant)"], ("surgery",)),
    ],
)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_heart_data_as_in_r(data, model, terms, strata, ties):
    wanted = read("heart_coxph.csv").filter(
        (pl.col("data") == data) & (pl.col("model") == model) & (pl.col("ties") == ties)
    )
    assert wanted.height == len(terms), "the golden file holds this model"
    fit = cox(heart_table(data), terms, strata=strata, ties=ties, errors="model")
    np.testing.assert_allclose(fit.coef, wanted["coef"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.se_model, wanted["se"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.loglik, wanted["loglik"][0], rtol=1e-10)


def test_numbers_printed_in_the_literature():
    assert cox(heart_table("heart"), ["linear(transplant)"], errors="model").coef[
        0
    ] == pytest.approx(0.12714, abs=5e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("strata", [(), ("segment",)])
def test_cohort_as_in_r(ties, strata):
    stratum = pl.col("strata") == "segment" if strata else pl.col("strata").is_null()
    wanted = read("cohort_coxph.csv").filter((pl.col("ties") == ties) & stratum)
    fit = cox(cohort_table(), ["bad", "contacts"], strata=strata, ties=ties, errors="model")
    assert wanted["term"].to_list() == [t.replace("[", "").replace("]", "") for t in fit.terms]
    np.testing.assert_allclose(fit.coef, wanted["coef"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.se_model, wanted["se"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("strata", [(), ("segment",)])
def test_robust_errors_of_the_cohort_as_in_r(ties, strata):
    stratum = pl.col("strata") == "segment" if strata else pl.col("strata").is_null()
    wanted = read("cohort_coxph.csv").filter((pl.col("ties") == ties) & stratum)
    fit = cox(cohort_table(), ["bad", "contacts"], strata=strata, ties=ties)
    np.testing.assert_allclose(fit.se, wanted["robust_se"], rtol=0, atol=TOLERANCE)
    leavers = cohort().filter(pl.col("cause") == 1)["id"].n_unique()
    assert fit.clusters is not None
    assert (fit.clusters.size, fit.clusters.by) == (cohort()["id"].n_unique(), "clusters")
    assert fit.df == fit.clusters.df == leavers - 1


def test_without_groups_only_the_model_speaks():
    table = cohort_table(grouped=False)
    np.testing.assert_array_equal(
        cox(table, ["bad"], errors="model").coef, cox(cohort_table(), ["bad"], errors="model").coef
    )
    with pytest.raises(NotTestable):
        cox(table, ["bad"])


def test_cohort_as_in_lifelines():
    some = cohort().filter(pl.col("id") <= 1_500)
    frame = some.select(
        "id", "start", "stop", (pl.col("cause") == 1).alias("event"),
        *((pl.col("bad") == b).cast(pl.Float64).alias(f"bad{b}") for b in ("1", "2", "3+")),
    ).to_pandas()  # fmt: skip
    theirs = lifelines.CoxTimeVaryingFitter(penalizer=0.0).fit(
        frame, id_col="id", start_col="start", stop_col="stop", event_col="event",
        fit_options={"precision": 1e-12},
    )  # fmt: skip
    ours = cox(cohort_table(some), ["bad"], errors="model")
    np.testing.assert_allclose(ours.coef, theirs.params_.to_numpy(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.se_model, theirs.standard_errors_.to_numpy(), rtol=0, atol=1e-6)


def test_score_is_zero_at_the_fit():
    rows = cohort().filter(pl.col("id") <= 500)
    fit = cox(cohort_table(rows), ["bad"], errors="model")
    assert not fit.penalised
    plain = [
        oracle.CoxRow(
            r["start"],
            r["stop"],
            r["cause"] == 1,
            tuple(float(r["bad"] == t[4:-1]) for t in fit.terms),
        )
        for r in rows.iter_rows(named=True)
    ]
    score = oracle.cox_score(list(map(float, fit.coef)), plain, "efron")
    assert max(map(abs, score)) < 1e-9
    assert fit.loglik == pytest.approx(
        float(oracle.cox_loglik(list(map(float, fit.coef)), plain, "efron")), rel=1e-12
    )


ONLY_A_LEAVES = (pl.col("x") == "a") & (pl.col("id") % 3 == 0)


def test_monotone_likelihood_is_penalised():
    fit = cox(separated(ONLY_A_LEAVES), ["x"], errors="model")
    assert fit.penalised
    assert -8 < fit.coef[0] < -1
    assert fit.se_model[0] < 3


def test_firth_is_at_the_maximum_of_the_penalised_likelihood():
    table = separated(ONLY_A_LEAVES)
    fit = cox(table, ["x"], errors="model")
    from cxresearch.estimators.design import design
    from cxresearch.estimators.partial_likelihood import likelihood

    d = design(table, ["x"], (), "defection")

    def penalised(beta: float) -> float:
        result = likelihood(d.x, d.everyone, "efron", np.array([[beta]]))
        return float(result.loglik[0] + 0.5 * np.log(result.information[0, 0, 0]))

    here = penalised(float(fit.coef[0]))
    assert here >= max(penalised(float(fit.coef[0]) + e) for e in (-0.1, -0.001, 0.001, 0.1))


@pytest.mark.parametrize(
    "emptied", [["m3"], ["m0"], ["m1", "m4"]], ids=["some", "the first", "two"]
)
@pytest.mark.parametrize("strata", [(), ("segment",)], ids=["one baseline", "by segment"])
def test_held_levels_without_events_are_as_if_nobody_were_at_risk_in_them(emptied, strata):
    rows = cohort().with_columns(month=pl.format("m{}", pl.col("start") // 7 % 6))
    empty = pl.col("month").is_in(emptied)
    rows = rows.with_columns(cause=pl.when(empty).then(0).otherwise(pl.col("cause")))
    features = ["bad", "month", "segment"]
    fit = cox(cohort_table(rows, features), ["bad", "month"], held=["month"], strata=strata)
    without = cox(cohort_table(rows.filter(~empty), features), ["bad", "month"], strata=strata)
    assert not fit.penalised
    assert set(without.terms) < set(fit.terms)
    np.testing.assert_allclose(fit.coef[:3], without.coef[:3], atol=2e-6)
    np.testing.assert_allclose(fit.se[:3], without.se[:3], rtol=1e-5)
    np.testing.assert_allclose(fit.se_model[:3], without.se_model[:3], rtol=1e-5)
    assert fit.loglik == pytest.approx(without.loglik, abs=0.01)


@pytest.mark.parametrize(("customers", "months", "empty"), [(300, 24, 20), (1_000, 40, 30)])
def test_the_maximum_of_a_penalised_likelihood_takes_few_steps(
    customers, months, empty, monkeypatch
):
    """Levels without events that run off together: Newton alone goes to and fro, 502 and 100 likelihoods long."""
    module = import_module("cxresearch.estimators.newton")
    inner, count = module.likelihood, []
    monkeypatch.setattr(module, "likelihood", lambda *a: count.append(1) or inner(*a))
    month = pl.col("start") // 7 % months
    rows = cohort().filter(pl.col("id") < customers)
    rows = rows.with_columns(
        month=pl.format("m{}", month), cause=pl.when(month < empty).then(0).otherwise("cause")
    )
    fit = cox(cohort_table(rows, ["bad", "month"]), ["bad", "month"], errors="model")
    assert fit.penalised
    assert len(count) < 75


def test_a_level_of_one_customer_does_not_break_the_errors():
    rows = cohort().with_columns(
        rare=pl.when(pl.col("id") == 7).then(pl.lit("seen")).otherwise(pl.lit("no"))
    )
    rows = rows.with_columns(
        cause=pl.when(pl.col("rare") == "seen").then(0).otherwise(pl.col("cause"))
    )
    table = cohort_table(rows, ["bad", "rare"])
    fit = cox(table, ["bad", "rare"])
    assert fit.penalised  # nobody in that level ever left
    assert np.isfinite(fit.influence).all()
    plain = cox(table, ["bad"])
    np.testing.assert_allclose(fit.coef[:3], plain.coef, atol=0.01)
    np.testing.assert_allclose(fit.se[:3], plain.se, rtol=0.05)


def few_rows(kept: str | None = None) -> pl.DataFrame:
    """480 customers in three levels, four of them in the last, eight to a household.

    Args:
        kept: a level that nobody leaves.
    """
    who = np.arange(480)
    level = np.select([who % 120 == 7, who % 3 == 0], ["rare", "some"], "none")
    mean = np.select([level == "rare", level == "some"], [10, 20], 40)
    leaves = np.ceil(-mean * np.log((who + 1) * 0.6180339887 % 1)).astype(
        int
    )  # spread evenly, as if drawn
    event = (leaves <= 60) & (level != kept)
    rows = pl.DataFrame(
        {
            "id": who,
            "start": 0 * who,
            "stop": leaves.clip(1, 60),
            "event": event.astype(int),
            "level": level,
        }
    )
    return rows.with_columns(
        half=pl.when(pl.col("id") % 2 == 0).then(pl.lit("a")).otherwise(pl.lit("b")),
        age=(pl.col("id") % 77 + 20).cast(pl.String),
        household=pl.col("id") // 8,
    )


def few(kept: str | None = None) -> RiskTable:
    """`few_rows` as a risk table."""
    return from_rows(
        few_rows(kept),
        ["level", "half", "age"],
        levels={"level": ["none", "some", "rare"]},
        cluster="household",
    )


@pytest.mark.parametrize("strata", [(), ("half",)])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(
    "terms", [["level"], ["level", "linear(age)"]], ids=["few patterns", "many patterns"]
)
def test_influences_are_near_fits_without_a_household(terms, ties, strata):
    table = few()
    fit = cox(table, terms, strata=strata, ties=ties)
    assert fit.clusters is not None
    assert (fit.clusters.size, fit.clusters.by) == (60, "clusters")
    refits = leave_each_out(
        range(60),
        lambda g: cox(table.without_group(g), terms, strata=strata, ties=ties, errors="model").coef,
    )
    moved = fit.coef - refits
    common = [i for i, term in enumerate(fit.terms) if term != "level[rare]"]
    # a household is a sixtieth of the data, or a few of these where its ages lie far out: the difference is the
    # derivative but for about that part of it
    far = np.abs(moved - fit.influence).max(axis=0) / np.abs(moved).max(axis=0)
    assert (far[common] < 0.15).all()
    np.testing.assert_allclose(fit.se[common], jackknife_error(refits)[common], rtol=0.05)
    # a household with one of the four customers of a level is a fourth of it
    assert far.max() < 0.5
    np.testing.assert_allclose(fit.se, jackknife_error(refits), rtol=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("strata", [(), ("half",)])
def test_influences_beside_a_penalty_take_the_information_without_it(strata):
    table = few("rare")
    fit = cox(table, ["level", "linear(age)"], strata=strata)
    assert fit.penalised
    beta = list(map(float, fit.coef))
    score = np.zeros(3)
    for part in few_rows("rare").partition_by("half") if strata else [few_rows("rare")]:
        plain = [
            oracle.CoxRow(
                0,
                r["stop"],
                r["event"] == 1,
                (float(r["level"] == "some"), float(r["level"] == "rare"), float(r["age"])),
            )
            for r in part.iter_rows(named=True)
        ]
        score += np.real(oracle.cox_score(beta, plain, "efron"))
    assert np.abs(score).max() > 0.1, "the penalty keeps the fit off the top of the likelihood"
    # what households add to the score sums to the score of the likelihood, without the penalty's slope
    np.testing.assert_allclose(fit.influence.sum(axis=0), fit.covariance @ score, atol=1e-9)
    refits = leave_each_out(
        range(60),
        lambda g: (
            cox(
                table.without_group(g), ["level", "linear(age)"], strata=strata, errors="model"
            ).coef
        ),
    )
    np.testing.assert_allclose(fit.se[[0, 2]], jackknife_error(refits)[[0, 2]], rtol=0.05)


def score_residuals(rows: pl.DataFrame, x: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Lin and Wei's residuals by Breslow's ties, customer by customer: all are at risk from the start."""
    stop, event = rows["stop"].to_numpy(), rows["event"].to_numpy() == 1
    hazard = np.exp(x @ beta)
    result = np.zeros(x.shape)
    for day in np.unique(stop[event]):
        there = stop >= day
        mean = (hazard[there, None] * x[there]).sum(axis=0) / hazard[there].sum()
        leaving = (event & (stop == day)).sum()
        for i in np.flatnonzero(there):
            expected = leaving * hazard[i] / hazard[there].sum()
            result[i] += ((event[i] and stop[i] == day) - expected) * (x[i] - mean)
    return result


def test_the_only_leaver_of_a_level_has_an_influence():
    """Without that customer there is no maximum; the influence is that of one step from the fit."""
    rows = few_rows().with_columns(
        event=pl.when((pl.col("level") == "rare") & (pl.col("id") != 7))
        .then(0)
        .otherwise(pl.col("event"))
    )
    levels = {"level": ["none", "some", "rare"]}
    table = from_rows(rows, ["level"], levels=levels)
    fit = cox(table, ["level"], ties="breslow")
    assert not fit.penalised
    assert cox(table.without_group(7), ["level"], errors="model").penalised
    x = np.column_stack([(rows["level"] == v).to_numpy() for v in levels["level"][1:]]).astype(
        float
    )
    wanted = score_residuals(rows, x, fit.coef) @ fit.covariance
    np.testing.assert_allclose(fit.influence, wanted, rtol=0, atol=1e-9)
    assert np.abs(fit.influence[:, 1]).argmax() == 7


def test_batches_of_flows_give_what_all_at_once_give(monkeypatch):
    together = cox(few(), ["level", "linear(age)"]).influence
    monkeypatch.setattr(import_module("cxresearch.estimators.cox"), "_BATCH", 7)
    one_by_one = cox(few(), ["level", "linear(age)"]).influence
    np.testing.assert_allclose(one_by_one, together, rtol=0, atol=1e-14)


def test_above_many_clusters_errors_go_over_groups_of_them(monkeypatch):
    """A group counts by the sum of its clusters' influences; of independent ones the error is about the same."""
    apart = cox(cohort_table(), ["bad"])
    monkeypatch.setattr(import_module("cxresearch.risk.from_rows"), "MANY_CLUSTERS", 19_999)
    table = cohort_table()
    assert cohort()["id"].n_unique() == 20_000
    fit = cox(table, ["bad"])
    assert fit.clusters is not None
    assert (table.groups, fit.clusters.size, fit.clusters.by) == (100, 100, "groups")
    assert fit.df == 99, "every group has an event"
    np.testing.assert_array_equal(fit.coef, apart.coef)
    group = _groups(cohort()["id"].unique().sort())
    sums = np.array([apart.influence[group == g].sum(axis=0) for g in range(100)])
    np.testing.assert_allclose(fit.influence, sums, rtol=0, atol=1e-12)
    # an error from 100 squares is known to a part in sqrt(200)
    np.testing.assert_allclose(fit.se, apart.se, rtol=3 / np.sqrt(200))
    one = contrast(fit, {"bad[1]": 1})
    assert (one.errors, one.df) == ("groups", 99)


def test_weights_of_contrasts_and_their_errors():
    fit = cox(cohort_table(), ["bad"])
    one = contrast(fit, {"bad[2]": 1, "bad[1]": -1})
    assert one.value == pytest.approx(np.exp(fit.coef[1] - fit.coef[0]))
    moves = fit.influence[:, 1] - fit.influence[:, 0]
    assert one.se == pytest.approx(np.sqrt((moves**2).sum()), rel=1e-12)
    assert (one.df, one.errors) == (fit.df, "clusters")
    half = stats.t.ppf(0.975, one.df) * one.se
    assert np.log([one.low, one.high]) == pytest.approx(
        [np.log(one.value) - half, np.log(one.value) + half], rel=1e-12
    )


def test_what_cannot_be_asked():
    table = cohort_table()
    with pytest.raises(EstimationError, match="no feature 'bda'; did you mean 'bad'"):
        cox(table, ["bda"], errors="model")
    with pytest.raises(EstimationError, match="term and a stratum at once"):
        cox(table, ["segment"], strata=["segment"], errors="model")
    with pytest.raises(EstimationError, match="no cause 'defect'"):
        cox(table, ["bad"], cause="defect", errors="model")
    with pytest.raises(EstimationError, match="cannot be distinguished"):
        cox(table, ["bad", "linear(bad)"], errors="model")
    with pytest.raises(EstimationError, match="needs levels that are numbers"):
        cox(table, ["linear(segment)"], errors="model")
    once = few_rows().with_columns(event=(pl.col("id") == 7).cast(pl.Int64))
    with pytest.raises(NotTestable, match="an interval: 1 events of 1 customers"):
        cox(from_rows(once, ["half"]), ["half"])
    with pytest.raises(EstimationError, match="no term 'bda"):
        contrast(cox(table, ["bad"], errors="model"), {"bda[1]": 1})


def test_a_few_customers_have_an_interval():
    """300 customers, who were too few for groups of customers left out."""
    table = cohort_table(cohort().filter(pl.col("id") < 300))
    fit = cox(table, ["segment"])
    assert np.isfinite(fit.se).all()
    refits = leave_each_out(
        table.population["group"].to_list(),
        lambda g: cox(table.without_group(g), ["segment"], errors="model").coef,
    )
    np.testing.assert_allclose(fit.se, jackknife_error(refits), rtol=0.1)
    assert fit.df == cohort().filter(pl.col("id") < 300, pl.col("cause") == 1)["id"].n_unique() - 1


@pytest.mark.parametrize("factor", [2, 7])
def test_scale_of_time_does_not_matter(factor):
    rows = cohort().filter(pl.col("id") <= 800)
    a = cox(cohort_table(rows), ["bad"], errors="model")
    stretched = rows.with_columns(pl.col("start", "stop") * factor)
    b = cox(cohort_table(stretched), ["bad"], errors="model")
    np.testing.assert_allclose(a.coef, b.coef, atol=1e-12)


@pytest.mark.parametrize("first", [3_000_000_000, 1_700_000_000_000, -3_000_000_000])
def test_times_far_from_zero(first):
    """Only differences of times matter, however many bits the times themselves need."""
    rng = np.random.default_rng(4)
    rows = pl.DataFrame(
        {"id": np.arange(200), "stop": rng.integers(1, 90, 200), "x": rng.integers(0, 2, 200)}
    )
    rows = rows.with_columns(start=0, event=pl.lit(1))
    far = rows.with_columns(pl.col("start").cast(pl.Int64) + first, pl.col("stop") + first)
    near, away = (cox(from_rows(r, ["x"]), ["x"], errors="model") for r in (rows, far))
    assert (away.coef[0], away.loglik) == (near.coef[0], near.loglik)


def test_a_first_step_too_long_for_floating_point_is_shortened():
    """Two of 40,000 at risk in a level, one of whom leaves first: Newton's first step is in the thousands."""
    n = 40_000
    rows = pl.DataFrame(
        {
            "id": range(n),
            "start": [0] * n,
            "stop": [1, 3, 2, *([3] * (n - 3))],
            "event": [1, 0, 1, *([0] * (n - 3))],
            "x": ["b", "b", *(["a"] * (n - 2))],
        }
    )
    fit = cox(from_rows(rows, ["x"]), ["x"], errors="model")
    result = optimize.minimize_scalar(
        lambda b: np.log(2 * np.exp(b) + n - 2) - b + np.log(np.exp(b) + n - 2), bounds=(0, 20), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    assert not fit.penalised
    assert fit.coef[0] == pytest.approx(result.x, abs=1e-5)


def test_held_levels_that_drift_apart_are_bounded():
    # in each segment the months come one after the other, and whoever leaves is in the earlier of two
    rows = pl.DataFrame(
        {
            "id": range(400),
            "start": 0,
            "stop": [10 * (1 + i % 4) for i in range(400)],
            "bad": [str(i // 4 % 2) for i in range(400)],
            "month": [f"m{i % 4}" for i in range(400)],
            "event": [int(i % 4 < 3 and i % 5 < 2 + i // 4 % 2) for i in range(400)],
        }
    )
    fit = cox(from_rows(rows, ["bad", "month"]), ["bad", "month"], held=["month"])
    apart = cox(from_rows(rows, ["bad", "month"]), ["bad"], strata=["month"])
    assert not fit.penalised
    assert np.abs(fit.coef).max() <= 16
    assert fit.coef[0] == pytest.approx(
        apart.coef[0], rel=0.01
    )  # who leaves is compared within a month alone
    assert fit.se[0] == pytest.approx(apart.se[0], rel=0.01)


@pytest.mark.parametrize("seed", range(3, 7))
def test_errors_do_not_depend_on_the_reference_of_a_term_that_is_only_held(seed):
    """One level runs off; which of its term has no column is a matter of names."""
    rng = np.random.default_rng(seed)
    n, month = 400, rng.integers(0, 6, 400)
    stop = 1 + rng.geometric(0.03 + 0.01 * month)
    rows = pl.DataFrame(
        {
            "id": np.arange(n),
            "start": 0,
            "stop": np.where(stop == 5, 6, stop),
            "x": rng.integers(0, 2, n),
            "month": np.array(list("bcdefg"))[month],
            "event": 1,
        }
    )

    def fitted(
        odd,
    ):  # where anybody of this level is at risk, everybody of it leaves at once, and nobody else does
        same = {"start": [4, 4], "stop": [5, 5], "x": [0, 1], "month": [odd, odd], "event": [1, 1]}
        others = pl.DataFrame({"id": [n, n + 1], **same}).cast(dict(rows.schema))
        return cox(
            from_rows(pl.concat([rows, others]), ["x", "month"]), ["x", "month"], held=["month"]
        )

    first, last = fitted("a"), fitted("z")
    assert max(np.abs(first.coef)) > 15
    assert first.coef[0] == pytest.approx(last.coef[0], abs=1e-8)
    assert first.se[0] == pytest.approx(last.se[0], rel=1e-7)


def test_a_linear_term_times_itself_is_its_square():
    """Compared with R's `coxph(... ~ x + I(x^2) + I(x^3) + cluster(household))` as well, to 1e-8."""
    company = cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5))
    study = cx.worlds.simulate(company, 800, seed=1).study()
    levels = [str(i) for i in range(6)]
    table = cx.risk_table(study, bad=cx.bad_count(6), observed_from_start=True).where(bad=levels)
    linear = "linear(bad)"
    fit = cx.cox(table, [linear, f"{linear}:{linear}", f"{linear}:{linear}:{linear}"])
    assert fit.coef == pytest.approx([0.3497429632, 0.0716196214, -0.0240088631], abs=1e-8)
    assert fit.se == pytest.approx([0.2195948883, 0.1325672175, 0.0199214484], abs=1e-8)
    squares = cx.cox(table.relabel("bad", {v: str(int(v) ** 2) for v in levels}), [linear])
    alone = cx.cox(table, [f"{linear}:{linear}"])
    assert squares.coef == pytest.approx(alone.coef, rel=1e-9)
