"""Risk tables cut in time and by group."""

import numpy as np
import polars as pl
import pytest

from cxresearch.estimators.cox import cox
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import at_risk, at_risk_in_groups
from tests.estimators.golden import CAUSES, cohort, cohort_table


def test_without_a_group_is_the_whole_less_its_part():
    table = cohort_table().only().coarsen(20)
    whole, parts = at_risk(table, CAUSES), at_risk_in_groups(table, CAUSES)
    assert len(parts) == 20
    for g, part in enumerate(parts):
        wanted = at_risk(table.without_group(g), CAUSES)
        less = whole.without(part)
        at = np.searchsorted(less.times, wanted.times)
        np.testing.assert_array_equal(less.at_risk[at], wanted.at_risk)
        np.testing.assert_array_equal(less.events[:, at], wanted.events)
        others = np.setdiff1d(np.arange(len(less.times)), at)
        assert not less.events[:, others].any()


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
