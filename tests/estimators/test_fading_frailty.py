"""The frailty model against integrals over frailty, plain loops, and an optimiser that knows no slopes."""

import numpy as np
import polars as pl
import pytest
from scipy import integrate, optimize, stats

from cxresearch.estimators.fading import Fitted, FrailtyModel
from cxresearch.estimators.fading_cells import AgeCells, Ages, CellFlows, cells_of
from cxresearch.risk.from_rows import from_rows

AGES = Ages(
    np.array([0, 1, 2, 3, 4]), np.array([0.0, 0, 31, 91, 181]), np.array([0.0, 30, 90, 180, np.inf])
)
EDGES = np.arange(0, 401, 10)


def company(seed, spans=40, strata=2):
    """Cells with exposure wherever an age is possible, and random events; no flows behind them."""
    rng = np.random.default_rng(seed)
    shape = (strata, spans, 5)
    possible = (AGES.low < EDGES[1 : spans + 1, None]) | (AGES.low == 0)
    exposure = rng.integers(500, 5_000, shape) * possible
    positions, numbers = np.empty(0, np.int64), np.empty(0)
    nothing = CellFlows(
        place=positions,
        groups=0,
        stratum=positions,
        span=positions,
        level=positions,
        net=numbers,
        part=numbers,
        events=numbers,
    )
    return AgeCells(
        exposure.astype(float),
        rng.poisson(exposure * 0.004).astype(float),
        EDGES[: spans + 1],
        nothing,
    )


def test_the_hazard_is_that_of_who_is_left_of_a_gamma_mixture():
    """The mean of Z among those still there, integrated over Z, span by span and age by age."""
    cells = company(1, strata=1)
    world = FrailtyModel.of(cells, AGES, 30)
    pieces = int(world.piece.max()) + 1
    assert pieces > 2
    rates = np.log(np.linspace(0.002, 0.01, pieces))[None]
    at = Fitted(rates=rates, beta=0.7, gamma=0.4, theta=1.5, loglik=0.0)
    expected = world.expected(at, cells.exposure)[0]
    daily = np.exp(rates[0])[world.piece]

    def cumulated(upto):
        return sum(daily[i] * min(max(upto - EDGES[i], 0), 10) for i in range(40))

    frailty = stats.gamma(1 / 1.5, scale=1.5)
    for i, j in [(2, 0), (30, 0), (20, 1), (20, 2), (35, 2), (35, 3), (39, 4)]:
        t = EDGES[i] + 5
        age = (AGES.low[j] + min(AGES.high[j], t)) / 2
        u = t - age
        if j == 0:
            hazard, spent = daily[i], cumulated(t)
        else:
            soon = min(u + 30, t)
            hazard = daily[i] * np.exp(0.7 + 0.4 * (j == 1))
            spent = cumulated(u) + np.exp(1.1) * (cumulated(soon) - cumulated(u))
            spent += np.exp(0.7) * (cumulated(t) - cumulated(soon))
        left, _ = integrate.quad(lambda z, h=spent: np.exp(-z * h) * frailty.pdf(z), 0, np.inf)
        inclined, _ = integrate.quad(
            lambda z, h=spent: z * np.exp(-z * h) * frailty.pdf(z), 0, np.inf
        )
        assert expected[i, j] == pytest.approx(
            cells.exposure[0, i, j] * hazard * inclined / left, rel=1e-5
        )


def rows_of(seed, customers=400):
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 40, customers)
    stop = start + rng.integers(1, 300, customers)
    return pl.DataFrame(
        {
            "id": np.arange(customers),
            "start": start,
            "stop": stop,
            "event": rng.integers(0, 2, customers),
            "age": rng.choice(["none", "0-30", "31-90", "91+", "unknown"], customers),
            "segment": rng.choice(["a", "b"], customers),
        }
    )


def test_cells_as_in_plain_loops():
    rows = rows_of(2)
    table = from_rows(
        rows, ["age", "segment"], levels={"age": ("none", "0-30", "31-90", "91+", "unknown")}
    )
    ages = Ages(np.array([0, 1, 3]), np.array([0.0, 0, 91]), np.array([0.0, 30, np.inf]))
    cells = cells_of(table, "age", ages, ("segment",), "defection")
    days, events = np.zeros((2, len(cells.edges) - 1, 3)), np.zeros((2, len(cells.edges) - 1, 3))
    names = {"none": 0, "0-30": 1, "91+": 2}
    for _, start, stop, event, age, segment in rows.iter_rows():
        if age in names:
            for day in range(start + 1, stop + 1):
                span = int(np.searchsorted(cells.edges, day)) - 1
                days["ab".index(segment), span, names[age]] += 1
                events["ab".index(segment), span, names[age]] += event and day == stop
    assert cells.edges[0] == 0
    assert cells.edges[-1] >= rows.filter(pl.col("age").is_in(list(names)))["stop"].max()
    np.testing.assert_array_equal(cells.exposure, days)
    np.testing.assert_array_equal(cells.events, events)
    # by customer: a number for each cell, summed over the customer's days and its event
    rng = np.random.default_rng(7)
    of_exposure, of_events = rng.random(days.shape), rng.random(days.shape)
    wanted = np.zeros(rows.height)
    for who, start, stop, event, age, segment in rows.iter_rows():
        if age in names:
            for day in range(start + 1, stop + 1):
                span = int(np.searchsorted(cells.edges, day)) - 1
                at = ("ab".index(segment), span, names[age])
                wanted[who] += of_exposure[at] + of_events[at] * (event and day == stop)
    result = cells.flows.summed(of_exposure, of_events, np.diff(cells.edges))
    np.testing.assert_allclose(result, wanted, rtol=1e-10)


def loglik(world, p, n, d):
    at = Fitted(rates=p[:-3].reshape(len(n), -1), beta=p[-3], gamma=p[-2], theta=p[-1], loglik=0.0)
    return float(stats.poisson.logpmf(d, world.expected(at, n)).sum())


@pytest.mark.parametrize("theta", [0.0, 1.0, 4.0])
def test_the_fit_is_a_maximum(theta):
    """Slopes by differences are zero, or point out of the bounds; an optimiser without slopes finds no better."""
    cells = company(3)
    world = FrailtyModel.of(cells, AGES, 30)
    n = cells.exposure
    truth = Fitted(
        rates=np.full((2, int(world.piece.max()) + 1), np.log(0.006)),
        beta=0.8,
        gamma=0.2,
        theta=theta,
        loglik=0.0,
    )
    d = np.random.default_rng(3).poisson(world.expected(truth, n)).astype(float)
    top = world.fit(n, d)
    assert top.beta == pytest.approx(0.8, abs=0.25)
    assert top.gamma == pytest.approx(0.2, abs=0.25)
    assert top.theta == pytest.approx(theta, abs=0.5 + 0.3 * theta)
    p = top.vector
    best = loglik(world, p, n, d)
    for i in range(len(p)):
        up, down = p.copy(), p.copy()
        up[i] += 1e-4
        down[i] -= 1e-4
        if i == len(p) - 1 and top.theta == 0:
            assert loglik(world, up, n, d) <= best
        else:
            assert abs(loglik(world, up, n, d) - loglik(world, down, n, d)) / 2e-4 < 0.05
    result = optimize.minimize(
        lambda q: -loglik(world, np.concatenate([p[:-3], q[:2], [abs(q[2])]]), n, d),
        [0.5, 0.0, 0.5],
        method="Nelder-Mead",
    )
    assert -result.fun <= best + 1e-6


def test_where_nothing_tells_the_variance_the_rest_is_found():
    """Without an effect the ratio is the same whatever the variance."""
    cells = company(4)
    world = FrailtyModel.of(cells, AGES, 30)
    top = world.fit(cells.exposure, cells.events)
    assert 0 <= top.theta <= 10
    assert abs(top.beta) < 0.15
    assert abs(top.gamma) < 0.15
