"""The independent Cox fits where a likelihood has no single maximum, on cases whose limits are known."""

import numpy as np
import pytest

from tests.reference import estimators
from tests.reference.estimators import cox
from tests.reference.grids import CENSORED, DEFECTION, Life

CUSTOMERS = 400


def people(leaves: np.ndarray, day: np.ndarray) -> Life:
    """Customers of one segment who are seen from their start, and leave or are lost on a day."""
    n = len(day)
    return Life(
        name=[f"c{i}" for i in range(n)],
        start=np.zeros(n, dtype=int),
        entry=np.zeros(n, dtype=int),
        exit=day,
        event=np.where(leaves, DEFECTION, CENSORED),
        left_truncated=np.zeros(n, dtype=bool),
        segment=np.full(n, ""),
        cluster=[f"c{i}" for i in range(n)],
        marketing={},
    )


def constant(life: Life, values: np.ndarray) -> np.ndarray:
    return np.broadcast_to(values[:, None], life.size)


@pytest.fixture
def drifting():
    """In each of four months another day to leave on; whoever leaves is in the earliest month still there."""
    i = np.arange(CUSTOMERS)
    month, bad = i % 4, i // 4 % 2
    life = people((month < 3) & (i % 5 < 2 + bad), 10 * (1 + month))
    return life, constant(life, bad), constant(life, month)


def test_levels_that_drift_apart_are_compared_within_themselves(drifting):
    life, bad, month = drifting
    fit = cox(life, {"bad": bad, "month": month})
    apart = cox(life, {"bad": bad}, strata=month[:, 0])
    assert fit.limits > 0
    assert fit["bad=1"] == pytest.approx(apart["bad=1"], abs=1e-9)
    assert fit.loglik == pytest.approx(apart.loglik, abs=1e-9)
    assert (apart.limits, len(apart.free)) == (0, 0)


def test_errors_are_those_of_what_is_left(drifting):
    life, bad, month = drifting
    fit = cox(life, {"bad": bad, "month": month})
    apart = cox(life, {"bad": bad}, strata=month[:, 0])
    (score, information), (scores, informations) = (
        estimators.by_cluster(f, life.cluster) for f in (fit, apart)
    )
    np.testing.assert_allclose(score[:, 0], scores[:, 0], atol=1e-9)
    np.testing.assert_allclose(information[0, 0], informations[0, 0])
    np.testing.assert_allclose(information[:, 1:], 0, atol=1e-9)


def test_what_runs_off_is_no_ratio(drifting):
    life, bad, month = drifting
    fit = cox(life, {"bad": bad, "month": month})
    assert fit.ratio({"bad=1": 1.0}) == pytest.approx(np.exp(fit["bad=1"]))
    with pytest.raises(ArithmeticError, match="do not determine"):
        fit.ratio({"month=1": 1.0})


def test_a_level_in_which_nobody_leaves_is_as_if_nobody_were_in_it():
    i = np.arange(CUSTOMERS)
    bad, level = i // 3 % 2, i % 3
    life = people((level != 2) & (i % 7 < 2 + bad), 5 + i % 40)
    fit = cox(life, {"bad": constant(life, bad), "level": constant(life, level)})
    without = cox(
        life,
        {"bad": constant(life, bad), "level": constant(life, level)},
        mask=constant(life, level != 2),
    )
    assert (fit.limits, without.limits) == (1, 0)
    for name in ("bad=1", "level=1"):
        assert fit[name] == pytest.approx(without[name], abs=1e-9)
    assert fit.loglik == pytest.approx(without.loglik, abs=1e-9)


def test_columns_that_say_the_same_leave_the_others_as_they_are():
    i = np.arange(CUSTOMERS)
    bad, level = i // 3 % 2, i % 3
    life = people(i % 7 < 2 + bad, 5 + i % 40)
    once = {"bad": constant(life, bad), "level": constant(life, level)}
    fit, twice = cox(life, once), cox(life, once | {"any": constant(life, np.minimum(level, 1))})
    assert twice.ratio({"bad=1": 1.0}) == pytest.approx(fit.ratio({"bad=1": 1.0}), rel=1e-9)
    assert twice.loglik == pytest.approx(fit.loglik, abs=1e-9)
    assert len(twice.free) == 1
    difference = {"level=2": 1.0, "level=1": -1.0}
    assert twice.ratio(difference) == pytest.approx(fit.ratio(difference), rel=1e-9)
    with pytest.raises(ArithmeticError):
        twice.ratio({"level=1": 1.0})
