"""Risk tables cut in time and by group."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cxresearch.estimators.cox import cox
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import at_risk, total
from tests.estimators.golden import CAUSES, cohort


@pytest.mark.parametrize("size", [1, 400])
def test_a_table_is_the_sum_of_its_groups(size):
    """Of customers, or of households of them: without one it is the others' rows, alone it is its own."""
    rows = cohort().filter(pl.col("id") <= 4_000).with_columns(household=pl.col("id") // size)
    table = from_rows(rows, ["bad"], cause="cause", causes=CAUSES, cluster="household").only()
    members = rows["household"].unique().sort().to_list()
    assert table.groups == len(members)
    every = at_risk(table, CAUSES)
    for g in list(range(table.groups))[:: max(1, table.groups // 10)]:
        rest = table.without_group(g)
        others = rows.filter(pl.col("household") != members[g])
        wanted = at_risk(from_rows(others, [], cause="cause", causes=CAUSES), CAUSES)
        without = at_risk(rest, CAUSES)
        np.testing.assert_array_equal(without.times, wanted.times)
        np.testing.assert_array_equal(without.at_risk, wanted.at_risk)
        np.testing.assert_array_equal(without.events, wanted.events)
        alone = replace(
            table,
            flows=table.flows.filter(pl.col("group") == g),
            population=table.population.filter(pl.col("group") == g),
        )
        again = at_risk(total([alone, rest]), CAUSES)
        np.testing.assert_array_equal(again.at_risk, every.at_risk)
        np.testing.assert_array_equal(again.events, every.events)
        assert rest.customers == others["id"].n_unique()


@pytest.mark.parametrize("time", [0, 90, 300])
def test_after_a_time_is_late_entry(time):
    """As if everybody had come under observation then: rows cut by hand, fitted again."""
    rows = cohort().filter(pl.col("id") < 3000)
    late = rows.filter(pl.col("stop") > time).with_columns(
        pl.max_horizontal("start", pl.lit(time)).alias("start")
    )
    wanted = from_rows(late, ["bad", "contacts"], cause="cause", causes=CAUSES)
    result = from_rows(rows, ["bad", "contacts"], cause="cause", causes=CAUSES).after(time)
    for cause in CAUSES[1:]:
        assert result.events(cause) == wanted.events(cause)
    a, b = (at_risk(t.only(), CAUSES) for t in (result, wanted))
    event = a.events.sum(axis=0) > 0
    np.testing.assert_array_equal(a.times[event], b.times[b.events.sum(axis=0) > 0])
    np.testing.assert_array_equal(a.at_risk[event], b.at_risk[b.events.sum(axis=0) > 0])
    np.testing.assert_allclose(cox(result, ["bad"]).coef, cox(wanted, ["bad"]).coef, atol=1e-10)
