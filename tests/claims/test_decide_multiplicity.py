"""Adjusted p-values against statsmodels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from cxresearch.claims.decide import benjamini_hochberg, holm

PS = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0]), min_size=1, max_size=40)


@given(PS)
def test_as_statsmodels_has_them(ps):
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1].tolist(), abs=1e-15)
    false_discoveries = multipletests(ps, method="fdr_bh")[1].tolist()
    assert benjamini_hochberg(ps) == pytest.approx(false_discoveries, abs=1e-15)


def test_none_of_none():
    assert holm([]) == benjamini_hochberg([]) == []


def test_plain_numbers():
    assert all(type(p) is float for p in holm([np.float64(0.01), 0.2]))
