"""Which columns of a design the data can tell apart."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cxresearch.estimators.design import identify


def design(seed: int) -> Any:
    """Of sixty patterns in thirty risk sets: in each of them everybody has had the same number of contacts so far."""
    rng = np.random.default_rng(seed)
    bad, busy, so_far = rng.integers(0, 3, 60), rng.integers(0, 4, 60), np.arange(60) % 3
    count = rng.integers(0, 9, (60, 30)) * (so_far[:, None] == np.arange(30) % 3)
    columns = [bad, *(busy == k for k in (1, 2, 3)), *(so_far == k for k in (1, 2))]
    sets = SimpleNamespace(total=lambda x: count.T @ x, by_pattern=lambda w: count @ w)
    terms = ("bad", "busy[1]", "busy[2]", "busy[3]", "so_far[1]", "so_far[2]")
    return SimpleNamespace(terms=terms, x=np.column_stack(columns).astype(float), sets=sets)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_the_same_for_everybody_at_risk_determines_nothing(seed):
    """Of a column that does not vary within any risk set only rounding is left, at times below zero."""
    found = identify(design(seed), ["busy", "so_far"])
    assert found.kept[:4].all()
    assert found.unidentified.shape[1] == 0


def test_what_is_held_equal_and_gives_a_column_leaves_its_direction_unidentified():
    d = design(1)
    d.x[:, 0] = d.x[:, 1] - 2 * d.x[:, 3] + 4 * d.x[:, 4]
    found = identify(d, ["busy", "so_far"])
    np.testing.assert_allclose(np.abs(found.unidentified[:, 0]), [1, 0, 0, 0, 0, 0])
