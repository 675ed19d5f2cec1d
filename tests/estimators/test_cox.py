"""Cox fits against R's coxph, lifelines, a direct likelihood, and known traps."""

from importlib import import_module

import lifelines
import numpy as np
import polars as pl
import pytest
from scipy import optimize

from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.cox import contrast, cox
from cxresearch.estimators.jackknife import enough_groups
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import RiskTable
from tests.estimators.golden import cohort, cohort_table, heart_table, read
from tests.estimators.tables import separated
from tests.reference import oracle

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


@pytest.mark.parametrize("strata", [(), ("segment",)])
def test_jackknife_is_near_robust_errors(strata):
    # the jackknife's own noise with 100 groups is about 7%; the groups are fixed by md5, not chosen
    stratum = pl.col("strata") == "segment" if strata else pl.col("strata").is_null()
    wanted = (
        read("cohort_coxph.csv")
        .filter((pl.col("ties") == "efron") & stratum)["robust_se"]
        .to_numpy()
    )
    fit = cox(cohort_table(), ["bad", "contacts"], strata=strata)
    assert fit.groups == 100
    assert np.abs(fit.se / wanted - 1).max() < 0.10


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


def test_firth_is_at_the_top_of_the_penalised_likelihood():
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


def test_a_level_in_one_group_only_does_not_break_the_jackknife():
    rows = cohort().with_columns(
        rare=pl.when(pl.col("id") == 7).then(pl.lit("seen")).otherwise(pl.lit("no"))
    )
    rows = rows.with_columns(
        cause=pl.when(pl.col("rare") == "seen").then(0).otherwise(pl.col("cause"))
    )
    table = cohort_table(rows, ["bad", "rare"])
    fit = cox(table, ["bad", "rare"])
    assert fit.penalised  # nobody in that level ever left
    assert np.isfinite(fit.replicates).all()
    plain = cox(table, ["bad"])
    np.testing.assert_allclose(fit.coef[:3], plain.coef, atol=0.01)
    np.testing.assert_allclose(fit.se[:3], plain.se, rtol=0.05)


def few_rows(kept: str | None = None) -> pl.DataFrame:
    """480 customers in three levels, four of them in the last: leaving out a group can take half of that level.

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
    )


def few(kept: str | None = None) -> RiskTable:
    """`few_rows` as a risk table."""
    return from_rows(
        few_rows(kept), ["level", "half", "age"], levels={"level": ["none", "some", "rare"]}
    )


@pytest.mark.parametrize("kept", [None, "rare"])
@pytest.mark.parametrize("strata", [(), ("half",)])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(
    "terms", [["level"], ["level", "linear(age)"]], ids=["few patterns", "many patterns"]
)
def test_replicates_are_fits_without_a_group(terms, ties, strata, kept):
    fit = cox(few(kept), terms, strata=strata, ties=ties, groups=20)
    table = enough_groups(few(kept), "defection", 20)
    assert fit.groups == table.groups == 20
    fresh = [
        cox(table.without_group(g), terms, strata=strata, ties=ties, errors="model")
        for g in range(20)
    ]
    assert {f.penalised for f in [fit, *fresh]} == {kept is not None}
    wanted = np.array([f.coef for f in fresh])
    assert np.abs(wanted - fit.coef).max() > 0.1  # far enough for a step or two to miss
    # a second step of up to a thousandth leaves about its square
    np.testing.assert_allclose(fit.replicates, wanted, rtol=0, atol=1e-6)


def test_without_a_maximum_the_first_step_stands():
    rows = few_rows().with_columns(
        event=pl.when((pl.col("level") == "rare") & (pl.col("id") != 7))
        .then(0)
        .otherwise(pl.col("event"))
    )
    levels = {"level": ["none", "some", "rare"]}
    fit = cox(from_rows(rows, ["level"], levels=levels), ["level"], groups=20)
    assert not fit.penalised
    whose = (
        enough_groups(from_rows(rows, ["id"]), "defection", 20).flows.select("group", "id").unique()
    )
    group = dict(whose.select("id", "group").iter_rows())
    assert fit.groups == len(set(group.values())) == 20
    kept = [
        oracle.CoxRow(
            0,
            r["stop"],
            r["event"] == 1,
            (float(r["level"] == "some"), float(r["level"] == "rare")),
        )
        for r in rows.iter_rows(named=True)
        if group[r["id"]] != group[7]
    ]
    assert not any(row.event and row.x[1] for row in kept), "nobody else leaves that level"
    step = fit.covariance @ np.real(oracle.cox_score(list(map(float, fit.coef)), kept))
    np.testing.assert_allclose(fit.replicates[group[7]], fit.coef + step, rtol=0, atol=1e-9)


def test_a_batch_of_groups_gives_what_one_after_the_other_gives(monkeypatch):
    together = cox(few(), ["level", "linear(age)"], groups=20).replicates
    monkeypatch.setattr(import_module("cxresearch.estimators.cox"), "_AT_ONCE", 1)
    np.testing.assert_allclose(
        cox(few(), ["level", "linear(age)"], groups=20).replicates, together, rtol=0, atol=1e-6
    )


def test_weights_of_contrasts_and_their_errors():
    fit = cox(cohort_table(), ["bad"])
    one = contrast(fit, {"bad[2]": 1, "bad[1]": -1})
    assert one.value == pytest.approx(np.exp(fit.coef[1] - fit.coef[0]))
    spread = fit.replicates[:, 1] - fit.replicates[:, 0]
    assert one.se == pytest.approx(np.sqrt(99 / 100 * ((spread - spread.mean()) ** 2).sum()))
    assert one.low < one.value < one.high


def test_what_cannot_be_asked():
    table = cohort_table()
    with pytest.raises(EstimationError, match="no feature 'bda'; did you mean 'bad'"):
        cox(table, ["bda"], errors="model")
    with pytest.raises(EstimationError, match="term and a stratum at once"):
        cox(table, ["segment"], strata=["segment"], errors="model")
    with pytest.raises(EstimationError, match="no cause 'defect'"):
        cox(table, ["bad"], cause="defect", errors="model")
    with pytest.raises(EstimationError, match="cannot be told apart"):
        cox(table, ["bad", "linear(bad)"], errors="model")
    with pytest.raises(EstimationError, match="needs levels that are numbers"):
        cox(table, ["linear(segment)"], errors="model")
    with pytest.raises(NotTestable, match="20 groups of 20 customers"):
        cox(cohort_table(cohort().filter(pl.col("id") < 300)), ["bad"])
    with pytest.raises(EstimationError, match="no term 'bda"):
        contrast(cox(table, ["bad"], errors="model"), {"bda[1]": 1})


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
