"""The worst agents' share: plain loops, resamples written out, and the traps that ranking sets."""

from collections import defaultdict

import numpy as np
import polars as pl
import pytest

from cxresearch.claims.decide import decide, parse_region
from cxresearch.errors import ArgumentError, EstimationError, NotTestable
from cxresearch.estimators.concentration import _Agents, _cells, worst_share

_NAMES = ["agent", "stratum", "half", "moments", "bad"]


def counts(seed, rate, agents=60, strata=4, moments=80, hard=None):
    """Moments of agents by stratum and half.

    Args:
        seed: of the random numbers.
        rate: `(rng, agents)` to what multiplies each agent's share of bad moments.
        agents: how many.
        strata: how many; each has a share of bad moments of its own.
        moments: mean per stratum and half.
        hard: agent to the only stratum there is for it; all of them where not given.
    """
    rng = np.random.default_rng(seed)
    agent, stratum, half = (
        x.ravel() for x in np.meshgrid(range(agents), range(strata), (0, 1), indexing="ij")
    )
    volume = rng.gamma(4, moments / 4, agents)[agent]
    if hard is not None:
        volume = np.where(stratum == hard(agent), volume, 0)
    n = rng.poisson(volume)
    base = 0.1 + 0.2 * stratum / max(strata - 1, 1)
    bad = rng.binomial(n, np.minimum(base * rate(rng, agents)[agent], 0.95))
    return pl.DataFrame(
        {"agent": agent, "stratum": stratum, "half": half, "moments": n, "bad": bad}
    )


def alike(rng, agents):
    return np.ones(agents)


def in_loops(frame, part, same_half=False, crude=False):
    """The share of bad moments at the worst agents, mean of both ways, agent by agent."""
    n, b, at, bad_at = (defaultdict(float) for _ in range(4))
    for agent, stratum, half, moments, bad in frame.iter_rows():
        at[stratum, half] += moments
        bad_at[stratum, half] += bad
        n[agent, half] += moments
        b[agent, half] += bad
    agents = sorted({a for a, _ in n})
    expected = defaultdict(float)
    for agent, stratum, half, moments, _ in frame.iter_rows():
        if moments:
            expected[agent, half] += moments * bad_at[stratum, half] / at[stratum, half]
    shares = []
    for ranking in (0, 1):
        measuring = ranking if same_half else 1 - ranking
        score = {}
        for a in agents:
            enough = min(expected[a, 0], expected[a, 1]) >= 5
            by = n if crude else expected
            score[a] = round(b[a, ranking] / by[a, ranking], 12) if enough else -1
        left = part * sum(n[a, measuring] for a in agents)
        result = 0.0
        for s in sorted(set(score.values()), reverse=True):
            equal = [a for a in agents if score[a] == s]
            volume = sum(n[a, measuring] for a in equal)
            taken = min(1.0, max(left, 0.0) / volume) if volume else 0.0
            result += taken * sum(b[a, measuring] for a in equal)
            left -= volume
        shares.append(result / sum(b[a, measuring] for a in agents))
    return sum(shares) / 2


def uneven(rng, agents):
    return rng.gamma(2, 1 / 2, agents)


@pytest.mark.parametrize(
    ("seed", "moments", "part"), [(1, 80, 0.1), (2, 12, 0.1), (3, 40, 0.25), (4, 80, 0.02)]
)
def test_as_in_plain_loops(seed, moments, part):
    frame = counts(seed, uneven, moments=moments)
    result = worst_share(frame, part=part, draws=100)
    assert result.estimate.value == pytest.approx(in_loops(frame, part), rel=1e-12)
    assert (result.moments, result.bad) == (frame["moments"].sum(), frame["bad"].sum())
    if moments == 12:
        assert result.ranked < result.agents


def test_equal_agents_are_taken_in_equal_parts():
    """Forty agents with the same numbers: whichever are called the worst, a tenth of the moments has a tenth."""
    frame = pl.DataFrame(
        [(a, 0, h, 50, 10) for a in range(40) for h in (0, 1)], orient="row", schema=_NAMES
    )
    result = worst_share(frame, draws=100)
    assert result.estimate.value == pytest.approx(0.1, rel=1e-12)
    assert result.p_chance > 0.3


def test_a_resample_is_a_company_with_some_agents_twice():
    frame = counts(5, uneven, agents=30)
    agents = _Agents.of(_cells(frame))
    weights = np.random.default_rng(5).multinomial(30, np.full(30, 1 / 30), 5).astype(float)
    result = agents.shares(weights, 0.1)
    for weight, share in zip(weights, result, strict=True):
        copies = [
            frame.filter(pl.col("agent") == a).with_columns(agent=pl.lit(100 * a + i, pl.Int64))
            for a in range(30)
            for i in range(int(weight[a]))
        ]
        assert share == pytest.approx(in_loops(pl.concat(copies), 0.1), rel=1e-12)


@pytest.mark.parametrize("moments", [3, 400])
def test_permutations_deal_out_what_each_stratum_has(moments):
    cells = _cells(counts(6, uneven, agents=25, strata=3, moments=moments))
    agents = _Agents.of(cells)
    dealt = np.concatenate(list(agents.permuted(cells, 2_000, np.random.default_rng(6))))
    totals = cells.group_by("half").agg(pl.col("bad").sum()).sort("half")["bad"].to_numpy()
    np.testing.assert_array_equal(dealt.sum(axis=2), np.broadcast_to(totals, (2_000, 2)))
    rates = cells.with_columns(
        share=pl.col("bad").sum().over("stratum", "half")
        / pl.col("moments").sum().over("stratum", "half")
    )
    by_agent = rates.group_by("half", "agent").agg(bad=(pl.col("moments") * pl.col("share")).sum())
    for half, agent, expected in by_agent.iter_rows():
        own = dealt[:, half, agent]
        assert abs(own.mean() - expected) < 5 * own.std() / np.sqrt(2_000) + 1e-9


def test_agents_who_are_all_alike_are_near_chance():
    result = [worst_share(counts(s, alike), draws=200) for s in range(20)]
    values = np.array([f.estimate.value for f in result])
    assert abs(values.mean() - 0.1) < 3 * values.std() / np.sqrt(20)
    assert sum(f.p_chance <= 0.05 for f in result) <= 4
    assert sum(f.estimate.low <= 0.1 <= f.estimate.high for f in result) >= 16
    assert all(f.chance.low < 0.1 < f.chance.high for f in result)


def test_ranking_and_measuring_on_the_same_half_would_find_what_is_not_there():
    frames = [counts(s, alike) for s in range(20)]
    trapped, result = (
        np.array([in_loops(f, 0.1, same_half=same) for f in frames]) for same in (True, False)
    )
    assert trapped.mean() > 0.11
    assert (trapped > result).all()
    assert abs(result.mean() - 0.1) < 0.003


def test_a_hard_touchpoint_does_not_make_a_bad_agent():
    """One half of the agents works where three times as many moments are bad."""
    frame = counts(8, alike, strata=2, moments=300, hard=lambda agent: agent % 2)
    result = worst_share(frame, draws=300)
    assert result.p_chance > 0.05
    assert result.chance.low < result.estimate.value < result.chance.high
    assert in_loops(frame, 0.1, crude=True) > result.chance.high


def planted(rng, agents):
    """A tenth has five times the bad moments of the others."""
    return np.where(np.arange(agents) % 10 == 0, 3.0, 0.6)


def test_a_planted_tenth_is_found():
    result = worst_share(counts(9, planted, agents=100))
    assert result.estimate.low > result.chance.high
    assert result.p_chance == pytest.approx(1 / 1001)
    assert (
        0.25 < result.estimate.value < 5 / 14 + 0.05
    )  # a tenth with fivefold rates has 5 / (5 + 9) of all
    assert decide(result.estimate, parse_region("> 0.5")).verdict == "contradicted"
    assert decide(result.estimate, parse_region("> 0.2")).verdict == "supported"


def test_agents_with_few_moments_are_not_the_worst():
    frame = counts(10, planted, agents=100)
    rng = np.random.default_rng(10)
    few = pl.DataFrame(
        [(1_000 + a, 0, h, 1, 0) for a in range(500) for h in (0, 1)], orient="row", schema=_NAMES
    )
    few = few.with_columns(bad=pl.Series(rng.integers(0, 2, few.height)))
    with_few, without = (
        worst_share(pl.concat([frame, few]), draws=100),
        worst_share(frame, draws=100),
    )
    assert with_few.ranked == without.ranked == 100
    assert with_few.agents == 600
    assert with_few.estimate.value == pytest.approx(without.estimate.value, abs=0.02)


def test_the_order_of_rows_does_not_matter():
    frame = counts(11, uneven)
    result = worst_share(frame, draws=100)
    good = frame.with_columns(pl.col("moments") - pl.col("bad"), bad=pl.lit(0, pl.Int64))
    split = pl.concat([frame.with_columns(moments="bad"), good])
    nobody = frame.head(50).with_columns(agent=pl.lit(-1, pl.Int64))
    for other in (
        frame.sample(fraction=1, shuffle=True, seed=1),
        frame.reverse(),
        split,
        pl.concat([nobody, frame]),
    ):
        assert worst_share(other.cast(pl.Int64), draws=100) == result
    assert worst_share(frame, draws=100, seed=2).estimate.value == result.estimate.value
    assert worst_share(frame, draws=100, seed=2).estimate.se != result.estimate.se


def test_the_error_is_how_much_the_share_changes_with_other_agents():
    result = [worst_share(counts(s, uneven, agents=80), draws=100).estimate for s in range(40)]
    values = np.array([f.value for f in result])
    spread = np.log(values / (1 - values)).std(ddof=1)
    assert np.mean([f.se for f in result]) == pytest.approx(spread, rel=0.3)


def test_all_bad_moments_at_one_agent_are_no_certainty():
    rows = [(a, 0, h, 200, 150 if a == 0 else 0) for a in range(25) for h in (0, 1)]
    result = worst_share(pl.DataFrame(rows, orient="row", schema=_NAMES), draws=100)
    assert result.estimate.value == 1.0
    assert result.estimate.low < 0.95


def test_what_cannot_be_asked():
    frame = counts(12, alike)
    with pytest.raises(NotTestable, match="19 have 5 expected bad ones in each half"):
        worst_share(frame.filter(pl.col("agent") < 19))
    with pytest.raises(NotTestable, match="agents with moments enough"):
        worst_share(frame.clear())
    with pytest.raises(NotTestable, match="agents with moments enough"):
        worst_share(frame.filter(pl.col("half") == 0))
    with pytest.raises(EstimationError, match="need the column 'bad'"):
        worst_share(frame.drop("bad"))
    with pytest.raises(EstimationError, match="'half' must hold 0 or 1"):
        worst_share(frame.with_columns(half=2))
    with pytest.raises(EstimationError, match="between 0 and the moments"):
        worst_share(frame.with_columns(bad=pl.col("moments") + 1))
    with pytest.raises(EstimationError, match="whole numbers"):
        worst_share(frame.with_columns(pl.col("agent").cast(pl.String)))
    with pytest.raises(ArgumentError, match="part must be a number above 0 and below 1"):
        worst_share(frame, part=1.5)
    with pytest.raises(EstimationError, match="draws must be at least 100, was 50"):
        worst_share(frame, draws=50)


def test_it_shows_itself():
    result = worst_share(counts(13, alike), draws=100)
    assert "chance" in repr(result)
    assert "by chance" in result._repr_html_()
