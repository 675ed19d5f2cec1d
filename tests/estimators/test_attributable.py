"""Attributable shares against Bruzzi's sum written out, and against a truth that is known."""

import numpy as np
import polars as pl
import pytest

from cxresearch.errors import EstimationError
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.cox import cox
from tests.estimators.golden import cohort, cohort_table


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


def test_jackknife_leaves_out_events_too():
    table = cohort_table()
    fit = cox(table, ["bad"])
    result = attributable(table, fit, {"bad": 1})
    values = []
    grouped = table.coarsen(fit.groups)
    for g in range(fit.groups):
        part = grouped.without_group(g)
        counts = [part.where(bad=[v]).events("defection") for v in table.feature("bad").levels]
        kept = np.exp(-np.concatenate([[0.0], fit.replicates[g]])) @ counts
        values.append(1 - kept / sum(counts))
    spread = np.array(values) - np.mean(values)
    assert result.se == pytest.approx(
        np.sqrt((fit.groups - 1) / fit.groups * (spread**2).sum()), rel=1e-10
    )


def test_what_cannot_be_asked():
    table = cohort_table()
    with pytest.raises(EstimationError, match="needs a fit with a jackknife"):
        attributable(table, cox(table, ["bad"], errors="model"), {"bad": 1})
    with pytest.raises(EstimationError, match="no feature 'bda'; did you mean 'bad'"):
        attributable(table, cox(table, ["bad"]), {"bda": 1})
    with pytest.raises(EstimationError, match="part of a product"):
        attributable(table, cox(table, ["bad", "bad:segment"]), {"bad": 1})
