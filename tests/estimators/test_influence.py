"""Influences against derivatives in case weights: one cluster counts a little more, then a little less.

A table whose counts are all multiplied by a large number is the same data; one cluster counted once more or once less
in it has its weight moved by one part in that number. Efron's ties are left out, since who leaves at once shares a mean
weight: they are held against R in `test_robust_errors`.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cxresearch.estimators import fading
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.cox import cox
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.estimators.excess import excess
from cxresearch.estimators.fading_cells import cells_of
from cxresearch.estimators.incidence import curve_influence, incidence_at
from cxresearch.estimators.model_comparison import compare_models
from cxresearch.estimators.rate_ratios import rate_ratios
from cxresearch.estimators.rates import rates
from cxresearch.estimators.shares import share, share_at_risk
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.matched import MatchedTable
from cxresearch.risk.table import FLOWS, RiskTable, total
from tests.estimators.matched_rows import chance

TIMES = 2_000_000  # a weight moves by one part in so many: squares of that are below rounding
CAUSES = ("censored", "defection", "other")


def company(clusters: int = 60, seed: int = 20) -> pl.DataFrame:
    """Rows of customers, two to a household, whose pattern changes twice; ages of a moment in bands."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(2 * clusters):
        inclined = rng.gamma(4, 0.25)
        start, segment = int(rng.integers(0, 5)), "ab"[i // 2 % 2]
        for state in range(3):
            rate = 0.03 * inclined * (1 + 0.5 * state) * (1.3 if segment == "b" else 1)
            stop = start + int(rng.integers(4, 14))
            left = start + 1 + int(rng.exponential(1 / rate))
            ends = left <= stop or state == 2
            cause = int(rng.choice([1, 1, 1, 2])) if left <= stop else 0
            age = ["never", "0-9", "10+"][state]
            rows.append((i, i // 2, start, min(left, stop), cause, str(state), segment, age))
            if ends:
                break
            start = stop
    names = ["id", "household", "start", "stop", "cause", "bad", "segment", "age"]
    return pl.DataFrame(rows, schema=names, orient="row")


def table(*features: str, clock: str = "tenure") -> RiskTable:
    made = from_rows(
        company(),
        features,
        cause="cause",
        causes=CAUSES,
        cluster="household",
        levels={"age": ["never", "0-9", "10+"]},
    )
    return replace(made, clock=clock)


def weighted(original: RiskTable, group: int | None, by: int) -> RiskTable:
    """The table counted `TIMES` over, one group `by` more often."""
    times = pl.when(pl.col("group") == group).then(TIMES + by).otherwise(TIMES)
    counts = (*FLOWS, *original.causes)
    flows = original.flows.with_columns(pl.col(counts).cast(pl.Int64) * times)
    return replace(original, flows=flows)


def derivatives(original: RiskTable, value: Callable[[RiskTable], np.ndarray]) -> np.ndarray:
    """By how much a number moves with the weight of each group, shape (G, …)."""
    groups = original.population["group"].to_list()
    return np.array(
        [
            (value(weighted(original, g, 1)) - value(weighted(original, g, -1))) * TIMES / 2
            for g in groups
        ]
    )


def close(result: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-6) -> None:
    assert wanted.shape == result.shape
    assert np.abs(wanted).max() > 1e-4, "the number moves at all"
    np.testing.assert_allclose(result, wanted, rtol=0, atol=tolerance)


def shift(frame: pl.DataFrame) -> pl.DataFrame:
    """The same of other clusters."""
    return frame.with_columns(pl.col("group") + 1000)


def error(influence: np.ndarray) -> float:
    return float(np.sqrt((influence**2).sum()))


@pytest.mark.parametrize("strata", [(), ("segment",)])
def test_cox(strata):
    original = table("bad", "segment")
    terms = ["bad"] if strata else ["bad", "segment"]

    def value(t: RiskTable) -> np.ndarray:
        return cox(t, terms, strata=strata, ties="breslow", errors="model").coef

    fit = cox(original, terms, strata=strata, ties="breslow")
    close(fit.influence, derivatives(original, value))
    np.testing.assert_allclose(fit.se, np.sqrt((fit.influence**2).sum(axis=0)), rtol=1e-12)
    one = contrast(fit, {"bad[1]": 1, "bad[2]": -1})
    assert one.se == pytest.approx(error(fit.influence[:, 0] - fit.influence[:, 1]), rel=1e-12)


def test_log_likelihood_without_ties():
    rows = company().with_columns(
        pl.col("start", "stop") * 10_000
        + pl.when(pl.col("start") > 0).then(pl.col("id")).otherwise(0)
    )
    rows = rows.with_columns(start=pl.col("start").clip(upper_bound=pl.col("stop") - 1))
    original = from_rows(
        rows.with_columns(stop=pl.col("stop") + pl.col("id") + pl.int_range(pl.len()) % 7),
        ["bad"],
        cause="cause",
        causes=CAUSES,
        cluster="household",
    )
    fit = cox(original, ["bad"], ties="breslow")
    events = fit.events

    def per_event(t: RiskTable) -> np.ndarray:
        one = cox(t, ["bad"], ties="breslow", errors="model")
        # the logarithm of the number of copies is part of each event's likelihood
        return np.array([one.loglik / one.events + np.log(TIMES)])

    by_event = np.bincount(
        np.searchsorted(original.population["group"], original.flows["group"]),
        original.flows["defection"].to_numpy(),
        original.groups,
    )
    result = (fit.loglik_influence + by_event - by_event * fit.loglik / events) / events
    wanted = derivatives(original, per_event)[:, 0]
    # of a number that many copies leave as it is, the influences sum to nothing
    close(result - by_event / events, wanted, 1e-5)


@pytest.mark.parametrize("strata", [(), ("segment",)])
def test_grouped_hazards(strata):
    original = table("bad", "segment", clock="contact")

    def value(t: RiskTable, least: int = 10 * TIMES - TIMES // 2) -> np.ndarray:
        return grouped_hazards(t, ["bad"], strata=strata, errors="model", min_events=least).coef

    fit = grouped_hazards(original, ["bad"], strata=strata)
    close(fit.influence, derivatives(original, value))


@pytest.mark.parametrize("causes", [("defection", "other"), ("defection",), ("other", "defection")])
def test_curves(causes):
    from cxresearch.estimators.incidence import aalen_johansen, step

    original, points = table(), np.array([6, 12, 20, 26])

    def value(t: RiskTable) -> np.ndarray:
        curve = aalen_johansen(t, causes)
        return step(curve.times, curve.incidence[0], points)

    close(curve_influence(original, causes, 0, points), derivatives(original, value))


@pytest.mark.slow
def test_an_incidence_and_a_ratio_of_incidences():
    original = table()
    original = total(
        [
            original,
            replace(original, flows=shift(original.flows), population=shift(original.population)),
        ]
    )
    for against in (None, "other"):
        result = incidence_at(original, 24, against=against)
        assert result.errors == "clusters"

        def value(t: RiskTable, against: str | None = against) -> np.ndarray:
            return np.array([incidence_at(t, 24, against=against).value])

        wanted = error(derivatives(original, value)[:, 0])
        p = result.value
        slope = p * (1 - p) if against else -np.log1p(-p) * (1 - p)
        assert result.se * slope == pytest.approx(wanted, abs=1e-6)


def test_attributable_share():
    original = table("bad", "segment")

    def value(t: RiskTable) -> np.ndarray:
        fit = cox(t, ["bad", "segment"], ties="breslow")
        return np.array([attributable(t, fit, {"bad": 1, "segment": -0.5}).value])

    fit = cox(original, ["bad", "segment"], ties="breslow")
    result = attributable(original, fit, {"bad": 1, "segment": -0.5})
    assert result.se == pytest.approx(error(derivatives(original, value)), abs=1e-6)
    assert result.se > 0.05


def test_comparison_of_models_but_for_the_optimism():
    original = table("bad", "segment")

    def value(t: RiskTable) -> np.ndarray:
        a, b = (cox(t, [term], ties="breslow", errors="model") for term in ("bad", "segment"))
        return np.array([(a.loglik - b.loglik) / a.events])

    # Efron's way with ties is the default of a comparison; without ties the two are one
    spread = original.flows.with_columns(time=pl.col("time") * 1)
    result = compare_models(replace(original, flows=spread), ["bad"], ["segment"]).difference
    wanted = error(derivatives(original, value))
    assert result.se == pytest.approx(wanted, rel=0.05)


def test_shares():
    original = table("bad", "segment", "age")

    def value(t: RiskTable) -> np.ndarray:
        return np.array([share(t, {"bad": ("1", "2")}, causes=("defection",)).estimate.value])

    result = share(original, {"bad": ("1", "2")}, causes=("defection",)).estimate
    p = result.value
    assert result.errors == "clusters"
    assert result.se * p * (1 - p) == pytest.approx(error(derivatives(original, value)), abs=1e-6)


def test_share_at_risk():
    # everybody twice, in one household: what households move is then more than the error of a logrank test, which is
    # the least that the excess may have
    twins = pl.concat([company(), company().with_columns(pl.col("id") + 1_000)])
    original = from_rows(
        twins, ["bad", "segment"], cause="cause", causes=CAUSES, cluster="household"
    )

    def value(t: RiskTable) -> np.ndarray:
        r = share_at_risk(t, {"bad": ("1", "2")}, "segment")
        return np.array([r.comparators.value, r.excess.value])

    result = share_at_risk(original, {"bad": ("1", "2")}, "segment")
    moves = derivatives(original, value)
    p = result.comparators.value
    assert result.comparators.se * p * (1 - p) == pytest.approx(error(moves[:, 0]), abs=1e-6)
    assert result.excess.se == pytest.approx(error(moves[:, 1]), abs=1e-6)


def test_rates_and_rate_ratios():
    original = table("bad", "segment")

    def log_rates(t: RiskTable) -> np.ndarray:
        return np.log(rates(t, breaks=(0, 15, 30), errors="model").rate)

    result = rates(original, breaks=(0, 15, 30))
    moves = derivatives(original, log_rates)
    assert result.events.tolist()[1] < 20, "few events have exact limits, and no robust error"
    np.testing.assert_allclose(result.se[0], error(moves[:, 0]), atol=1e-6)

    def ratios(t: RiskTable) -> np.ndarray:
        return rate_ratios(t, ["bad"], breaks=(0, 15, 30), strata=["segment"], errors="model").coef

    fit = rate_ratios(original, ["bad"], breaks=(0, 15, 30), strata=["segment"])
    close(fit.influence, derivatives(original, ratios))


@pytest.mark.parametrize("terms", [(), ("so_far",), ("lately", "so_far")])
@pytest.mark.parametrize("lead", [0, 7])
def test_excess(terms, lead):
    original = chance()

    def counted(group: int, by: int) -> MatchedTable:
        times = pl.when(pl.col("group") == group).then(TIMES + by).otherwise(TIMES)
        parts = (
            f.with_columns(pl.col("customers") * times) for f in (original.exposed, original.spans)
        )
        a, b = parts
        return replace(original, exposed=a, spans=b)

    def value(t: MatchedTable) -> np.ndarray:
        r = excess(t, 50, lead=lead, terms=terms)
        return np.array([r.exposed.value, r.comparators.value, r.excess.value])

    moves = np.array(
        [(value(counted(g, 1)) - value(counted(g, -1))) * TIMES / 2 for g in range(50)]
    )
    result = excess(original, 50, lead=lead, terms=terms)
    assert result.dropped > 0
    close(result.influence, moves)
    for i, part in enumerate((result.exposed, result.comparators)):
        slope = -np.log1p(-part.value) * (1 - part.value)
        assert part.se * slope == pytest.approx(error(moves[:, i]), abs=1e-6)
    assert result.excess.se == pytest.approx(error(moves[:, 2]), abs=1e-6)
    assert result.groups.tolist() == list(range(50))


@pytest.mark.slow
def test_fading():
    rng = np.random.default_rng(8)
    rows = []
    for i in range(400):
        inclined = rng.gamma(0.8, 1 / 0.8)
        moment = int(rng.integers(3, 40))
        left = 1 + int(rng.exponential(1 / (0.01 * inclined)))
        if left > moment:
            soon = 1 + int(rng.exponential(1 / (0.03 * inclined)))
            left = moment + soon
        ends = ((0, "never"), (moment, "1-9"), (moment + 9, "10-40"), (moment + 40, "41+"))
        for (start, age), (stop, _) in zip(ends, (*ends[1:], (90, "")), strict=True):
            if start >= min(left, 90):
                break
            gone = left <= min(stop, 90)
            rows.append((i, i // 2, start, min(left, stop, 90), int(gone), age))
    frame = pl.DataFrame(rows, ["id", "household", "start", "stop", "event", "age"], orient="row")
    original = from_rows(
        frame, ["age"], cluster="household", levels={"age": ["never", "1-9", "10-40", "41+"]}
    )

    kinds = fading._kinds(original.feature("age"), 9, 40)
    cells = cells_of(original, "age", kinds.ages, (), "defection")
    world = fading.FrailtyModel.of(cells, kinds.ages, 9)
    top = world.fit(cells.exposure, cells.events)
    assert 0.1 < top.theta < 9

    def value(t: RiskTable) -> np.ndarray:
        of = cells_of(t, "age", kinds.ages, (), "defection")
        at = world.fit(of.exposure, of.events)
        return np.array([fading._by_selection(world, at.vector, of.exposure, kinds)])

    result = fading._implied_influence(world, top.vector, cells, kinds)
    close(result, derivatives(original, value)[:, 0], 2e-5)
