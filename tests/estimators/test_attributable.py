"""Attributable shares against Bruzzi's sum written out, and against a truth that is known."""

import numpy as np
import polars as pl
import pytest

from cxresearch.errors import EstimationError
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.cox import cox
from cxresearch.risk.from_rows import from_rows
from tests.estimators.golden import CAUSES, cohort, cohort_table
from tests.reference.jackknife import jackknife_error, leave_each_out


def test_bruzzi_written_out():
    table = cohort_table()
    fit = cox(table, ["bad", "contacts"], strata=["segment"])
    beta = dict(zip(fit.terms, fit.coef, strict=True))
    defections = cohort().filter(pl.col("cause") == 1)["bad"].to_list()
    fractions = {}
    for name, column in (
        ("bad", defections),
        ("contacts", cohort().filter(pl.col("cause") == 1)["contacts"].to_list()),
    ):
        fractions[name] = 1 - sum(np.exp(-beta.get(f"{name}[{v}]", 0.0)) for v in column) / len(
            column
        )
    assert attributable(table, fit, {"bad": 1}).value == pytest.approx(fractions["bad"], rel=1e-12)
    both = attributable(table, fit, {"bad": 1, "contacts": -1})
    assert both.value == pytest.approx(fractions["bad"] - fractions["contacts"], rel=1e-12)
    assert both.low < both.value < both.high


@pytest.mark.slow
def test_the_error_is_near_a_jackknife_that_refits_and_recounts():
    """In households of 200 customers, each left out once: other coefficients and other events."""
    rows = cohort().with_columns(household=pl.col("id") % 100)
    table = from_rows(rows, ["bad"], cause="cause", causes=CAUSES, cluster="household")
    fit = cox(table, ["bad"])
    result = attributable(table, fit, {"bad": 1})

    def without(g):
        part = table.without_group(g)
        coef = cox(part, ["bad"], errors="model").coef
        counts = [part.where(bad=[v]).events("defection") for v in table.feature("bad").levels]
        return 1 - np.exp(-np.concatenate([[0.0], coef])) @ counts / sum(counts)

    refits = leave_each_out(range(100), without)
    assert result.se == pytest.approx(float(jackknife_error(refits)), rel=0.02)
    assert (result.df, result.errors) == (99, "clusters")


def test_what_cannot_be_asked():
    table = cohort_table()
    with pytest.raises(EstimationError, match="needs a fit with robust errors"):
        attributable(table, cox(table, ["bad"], errors="model"), {"bad": 1})
    with pytest.raises(EstimationError, match="no feature 'bda'; did you mean 'bad'"):
        attributable(table, cox(table, ["bad"]), {"bda": 1})
    with pytest.raises(EstimationError, match="part of a product"):
        attributable(table, cox(table, ["bad", "bad:segment"]), {"bad": 1})
