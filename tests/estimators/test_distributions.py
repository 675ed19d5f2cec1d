"""Quantiles and tails are those of `scipy.stats`, to the last digit."""

import numpy as np
import pytest
from scipy import stats

from cxresearch.estimators import distributions as own

PS = [1e-12, 0.025, 0.5, 0.8, 0.975, 1 - 1e-12]
XS = [-3.0, -1e-9, 0.0, 1e-9, 0.7, 3.2, 40.0, np.inf, np.nan]
DFS = [1, 2, 7, 94, 20_000]


def same(ours, theirs):
    np.testing.assert_array_equal(ours, theirs)
    return True


@pytest.mark.parametrize("p", PS)
def test_quantiles(p):
    assert own.normal_quantile(p) == stats.norm.ppf(p)
    assert [own.t_quantile(p, df) for df in DFS] == [stats.t.ppf(p, df) for df in DFS]
    assert same(own.chi2_quantile(p, np.array(DFS)), stats.chi2.ppf(p, DFS))


@pytest.mark.parametrize("x", XS)
def test_tails(x):
    assert same(own.normal_above(x), stats.norm.sf(x))
    assert same([own.t_above(x, df) for df in DFS], stats.t.sf(x, DFS))
    assert same(own.chi2_above(x, np.array(DFS)), stats.chi2.sf(x, DFS))
    for over in DFS:
        assert same([own.f_above(x, over, df) for df in DFS], stats.f.sf(x, over, DFS))
