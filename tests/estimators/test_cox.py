"""Cox fits against R's coxph, lifelines, a direct likelihood, and known traps."""

import lifelines
import numpy as np
import polars as pl
import pytest

from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.cox import contrast, cox
from cxresearch.risk import RiskTable
from cxresearch.rows import from_rows
from tests import oracle
from tests.estimators.golden import cohort, cohort_table, read

# R's own iterations stop at a relative change of 1e-9 unless told otherwise; the scripts ask for more, and the
# remaining difference is rounding
TOLERANCE = 1e-8


def heart(name: str) -> RiskTable:
    """The Stanford heart data; half days of the one half-integer time become days, which no likelihood notices."""
    rows = read(f"{name}.csv").with_columns((pl.col("start", "stop") * 2).cast(pl.Int64))
    return from_rows(rows, ["age", "surgery", "transplant"])


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
    fit = cox(heart(data), terms, strata=strata, ties=ties, errors="model")
    np.testing.assert_allclose(fit.coef, wanted["coef"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.se_model, wanted["se"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.loglik, wanted["loglik"][0], rtol=1e-10)


def test_numbers_printed_in_the_literature():
    assert cox(heart("heart"), ["linear(transplant)"], errors="model").coef[0] == pytest.approx(0.12714, abs=5e-6)


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
    wanted = read("cohort_coxph.csv").filter((pl.col("ties") == "efron") & stratum)["robust_se"].to_numpy()
    fit = cox(cohort_table(), ["bad", "contacts"], strata=strata)
    assert fit.groups == 100
    assert np.abs(fit.se / wanted - 1).max() < 0.10


def test_without_groups_only_the_model_speaks():
    causes = ("censored", "defection", "other exit")
    table = from_rows(cohort(), ["bad"], cause="cause", causes=causes, grouped=False)
    np.testing.assert_array_equal(
        cox(table, ["bad"], errors="model").coef,
        cox(from_rows(cohort(), ["bad"], cause="cause", causes=causes), ["bad"], errors="model").coef,
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
    ours = cox(
        from_rows(some, ["bad"], cause="cause", causes=("censored", "defection", "other exit")),
        ["bad"],
        errors="model",
    )
    np.testing.assert_allclose(ours.coef, theirs.params_.to_numpy(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.se_model, theirs.standard_errors_.to_numpy(), rtol=0, atol=1e-6)


def test_score_is_zero_at_the_fit():
    rows = cohort().filter(pl.col("id") <= 500)
    fit = cox(
        from_rows(rows, ["bad"], cause="cause", causes=("censored", "defection", "other exit")),
        ["bad"],
        errors="model",
    )
    assert not fit.penalised
    plain = [
        oracle.CoxRow(r["start"], r["stop"], r["cause"] == 1, tuple(float(r["bad"] == t[4:-1]) for t in fit.terms))
        for r in rows.iter_rows(named=True)
    ]
    score = oracle.cox_score(list(map(float, fit.coef)), plain, "efron")
    assert max(map(abs, score)) < 1e-9
    assert fit.loglik == pytest.approx(float(oracle.cox_loglik(list(map(float, fit.coef)), plain, "efron")), rel=1e-12)


def separated() -> RiskTable:
    """Nobody leaves in level b: its log hazard ratio has no maximum."""
    rows = pl.DataFrame({"id": range(200), "start": [0] * 200, "stop": [1 + i % 50 for i in range(200)]})
    rows = rows.with_columns(x=pl.when(pl.col("id") % 4 == 0).then(pl.lit("b")).otherwise(pl.lit("a")))
    return from_rows(
        rows.with_columns(event=pl.when((pl.col("x") == "a") & (pl.col("id") % 3 == 0)).then(1).otherwise(0)),
        ["x"],
    )


def test_monotone_likelihood_is_penalised():
    fit = cox(separated(), ["x"], errors="model")
    assert fit.penalised
    assert -8 < fit.coef[0] < -1
    assert fit.se_model[0] < 3


def test_firth_is_at_the_top_of_the_penalised_likelihood():
    table = separated()
    fit = cox(table, ["x"], errors="model")
    from cxresearch.estimators.cox import _derivatives
    from cxresearch.estimators.design import design

    d = design(table, ["x"], (), "defection")

    def penalised(beta: float) -> float:
        loglik, _, information = _derivatives(d.x, d.sets, d.events, "efron", np.array([beta]))
        return loglik + 0.5 * float(np.log(information[0, 0]))

    here = penalised(float(fit.coef[0]))
    assert here >= max(penalised(float(fit.coef[0]) + e) for e in (-0.1, -0.001, 0.001, 0.1))


def test_a_level_in_one_group_only_does_not_break_the_jackknife():
    rows = cohort().with_columns(rare=pl.when(pl.col("id") == 7).then(pl.lit("seen")).otherwise(pl.lit("no")))
    rows = rows.with_columns(cause=pl.when(pl.col("rare") == "seen").then(0).otherwise(pl.col("cause")))
    table = from_rows(rows, ["bad", "rare"], cause="cause", causes=("censored", "defection", "other exit"))
    fit = cox(table, ["bad", "rare"])
    assert fit.penalised  # nobody in that level ever left
    assert np.isfinite(fit.replicates).all()
    plain = cox(table, ["bad"])
    np.testing.assert_allclose(fit.coef[:3], plain.coef, atol=0.01)
    np.testing.assert_allclose(fit.se[:3], plain.se, rtol=0.05)


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
        cox(
            from_rows(cohort().filter(pl.col("id") < 300), ["bad"], cause="cause", causes=table.causes),
            ["bad"],
        )
    with pytest.raises(EstimationError, match="no term 'bda"):
        contrast(cox(table, ["bad"], errors="model"), {"bda[1]": 1})


@pytest.mark.parametrize("factor", [2, 7])
def test_scale_of_time_does_not_matter(factor):
    rows = cohort().filter(pl.col("id") <= 800)
    causes = ("censored", "defection", "other exit")
    a = cox(from_rows(rows, ["bad"], cause="cause", causes=causes), ["bad"], errors="model")
    stretched = rows.with_columns(pl.col("start", "stop") * factor)
    b = cox(from_rows(stretched, ["bad"], cause="cause", causes=causes), ["bad"], errors="model")
    np.testing.assert_allclose(a.coef, b.coef, atol=1e-12)
