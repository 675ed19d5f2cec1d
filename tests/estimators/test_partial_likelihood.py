"""Efron's sums against exact decimal arithmetic."""

import numpy as np
import polars as pl

from cxresearch.estimators.partial_likelihood import tie_sums
from tests.estimators.golden import read


def test_against_sixty_digits():
    exact = read("tie_sums.csv", **dict.fromkeys("LABCDE", pl.String))
    result = tie_sums(exact["S"].to_numpy(), exact["Q"].to_numpy(), exact["d"].to_numpy())
    for i, name in enumerate("LABCDE"):
        wanted = exact[name].cast(pl.Float64).to_numpy()
        scale = np.where(wanted == 0, 1.0, np.abs(wanted))
        assert np.max(np.abs(result[i] - wanted) / scale) < 1e-9, name


def test_ways_agree_where_they_meet():
    # 1 alone, to 64 directly, more in closed form or, from S/Q = 8 on, by quadrature; from 64 on a series, to d = 4096
    rng = np.random.default_rng(0)
    for d in (1, 2, 64, 65, 200, 3_000, 4_096, 4_097):
        for z in (1.0, 1.5, 7.999, 8.001, 63.99, 64.01, 1e3, 1e4, 1e8):
            Q = rng.uniform(0.1, 50)
            S = z * Q
            u = S - np.arange(d) / d * Q
            share = np.arange(d) / d
            direct = [
                np.log(u).sum(),
                (1 / u).sum(),
                (share / u).sum(),
                (1 / u**2).sum(),
                (share / u**2).sum(),
                (share**2 / u**2).sum(),
            ]
            result = tie_sums(np.array([S]), np.array([Q]), np.array([d]))[:, 0]
            np.testing.assert_allclose(result, direct, rtol=1e-8)
