"""Start cohorts, joined until each has customers enough."""

from __future__ import annotations

import polars as pl
import pytest

from cxresearch.risk.cohorts import join_cohorts
from cxresearch.risk.episodes import COHORT
from cxresearch.risk.from_rows import from_rows


def table(*customers):
    """As many customers in each cohort, the oldest first; each is there for ten days."""
    cohorts = [str(month) for month, n in enumerate(customers) for _ in range(n)]
    size = len(cohorts)
    rows = {"id": range(size), "start": [0] * size, "stop": [10] * size, "event": [1] * size}
    return from_rows(pl.DataFrame(rows | {COHORT: cohorts}), [COHORT])


@pytest.mark.parametrize(
    ("customers", "joined", "widest"),
    [
        ((60,), {"0": "0"}, 30),
        ((3,), {"0": "0"}, 30),
        ((60, 60), {"0": "0", "1": "1"}, 30),
        ((60, 3), {"0": "0 to 1", "1": "0 to 1"}, 60),
        ((60, 60, 3), {"0": "0", "1": "1 to 2", "2": "1 to 2"}, 60),
        ((60, 30, 30, 3), {"0": "0", "1": "1 to 3", "2": "1 to 3", "3": "1 to 3"}, 90),
        ((20, 20, 20, 60), {"0": "0 to 2", "1": "0 to 2", "2": "0 to 2", "3": "3"}, 90),
    ],
)
def test_a_remainder_joins_the_cohort_before_it(customers, joined, widest):
    result = join_cohorts(table(*customers), least=50)
    assert result.names == joined
    assert (result.count, result.widest_days) == (len(set(joined.values())), widest)
    assert set(result.table.feature(COHORT).levels) == set(joined.values())
    ends = result.table.flows.group_by(COHORT).agg(pl.col("defection").sum())
    levels = result.table.feature(COHORT).levels
    by_name = {levels[code]: n for code, n in ends.iter_rows()}
    assert by_name == {
        name: sum(n for m, n in enumerate(customers) if joined[str(m)] == name)
        for name in set(joined.values())
    }
