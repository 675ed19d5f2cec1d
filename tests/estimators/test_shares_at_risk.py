"""Shares of leavers against all at risk with them: plain loops, the logrank test, and what must come out."""

import numpy as np
import polars as pl
import pytest
from statsmodels.duration.survfunc import survdiff

from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.shares import share, share_at_risk
from cxresearch.risk.from_rows import from_rows
from tests.reference.jackknife import jackknife_error, leave_each_out

CAUSES = ("censored", "defection", "other exit")


def changing(seed, customers=1_500):
    """Customers with one or two states each, delayed entry and two causes; nothing means anything."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 20, customers)
    middle, stop = start + rng.integers(1, 30, customers), start + rng.integers(1, 60, customers)
    two = middle < stop
    first = pl.DataFrame(
        {"id": np.arange(customers), "start": start, "stop": np.where(two, middle, stop)}
    )
    both = pl.concat(
        [
            first,
            pl.DataFrame({"id": np.arange(customers), "start": middle, "stop": stop}).filter(two),
        ]
    )
    n = both.height
    last = both.with_columns(last=pl.col("stop") == pl.col("stop").max().over("id"))[
        "last"
    ].to_numpy()
    return both.with_columns(
        event=np.where(last, rng.choice(3, n, p=[0.3, 0.5, 0.2]), 0),
        silent=rng.choice(["no", "yes"], n, p=[0.3, 0.7]),
        age=rng.choice(["0-30", "31-90", "91+"], n),
        segment=rng.choice(["a", "b"], n),
    )


def table_of(rows):
    return from_rows(rows, ["silent", "age", "segment"], causes=CAUSES)


def in_loops(rows, causes=(1,), ages=("0-30", "31-90", "91+"), strata=("segment",)):
    """Leavers, how many of them count, and the sums of the comparators' shares and of the leavers' own part."""
    column = {c: rows[c].to_numpy() for c in rows.columns}
    among = np.isin(column["age"], ages)
    leavers = counts = alone = 0
    expected = own = 0.0
    for i in np.flatnonzero(among & np.isin(column["event"], causes)):
        t = column["stop"][i]
        there = among & (column["start"] < t) & (t <= column["stop"])
        for name in ("age", *strata):
            there &= column[name] == column[name][i]
        leaving = (there & (column["stop"] == t) & np.isin(column["event"], causes)).sum()
        leavers += 1
        counts += column["silent"][i] == "yes"
        expected += (column["silent"][there] == "yes").mean()
        own += leaving / there.sum()
        alone += leaving == there.sum()
    return leavers, counts, expected, own, alone


@pytest.mark.parametrize(
    ("causes", "ages", "strata"),
    [
        ((1,), ("0-30", "31-90", "91+"), ("segment",)),
        ((1, 2), ("0-30", "31-90"), ()),
        ((2,), ("31-90", "91+"), ("segment",)),
    ],
)
def test_as_in_plain_loops(causes, ages, strata):
    rows = changing(1)
    table = table_of(rows)
    names, among = tuple(CAUSES[c] for c in causes), {"age": ages}
    result = share_at_risk(
        table, {"silent": ("yes",)}, "age", subset=among, causes=names, strata=strata
    )
    leavers, counts, expected, own, alone = in_loops(rows, causes, ages, strata)
    assert (result.leavers, result.count, result.alone) == (leavers, counts, alone)
    assert result.expected == pytest.approx(expected, rel=1e-12)
    assert result.leavers_share == pytest.approx(own / leavers, rel=1e-12)
    assert result.comparators.value == pytest.approx(expected / leavers, rel=1e-12)
    assert result.excess.value == pytest.approx((counts - expected) / leavers, rel=1e-9)
    assert result.exposed == share(table, {"silent": ("yes",)}, subset=among, causes=names).estimate


@pytest.mark.parametrize("size", [1, 3])
def test_errors_are_near_a_jackknife_written_out(size):
    """Households of `size` customers, each left out of the rows once."""
    rows = changing(2, 240).with_columns(household=pl.col("id") // size)
    table = from_rows(rows, ["silent", "age", "segment"], causes=CAUSES, cluster="household")
    result = share_at_risk(table, {"silent": ("yes",)}, "age", strata=["segment"])

    def both(household):
        whole, part, expected = in_loops(rows.filter(pl.col("household") != household))[:3]
        comparators = expected / whole
        return (part - expected) / whole, np.log(comparators / (1 - comparators))

    refits = leave_each_out(range(240 // size), both)
    leavers = rows.filter(pl.col("event") == 1)["household"].n_unique()
    for estimate, error in zip(
        (result.excess, result.comparators), jackknife_error(refits), strict=True
    ):
        # risk sets of about a dozen: leaving one customer out is no small step for some of them
        assert estimate.se == pytest.approx(error, rel=0.1)
        assert (estimate.errors, estimate.df) == ("clusters", leavers - 1)


def test_the_model_error_is_that_of_a_logrank_test():
    rng = np.random.default_rng(3)
    n = 1_200
    stop, event = rng.integers(1, 40, n), rng.integers(0, 2, n)
    silent, age = rng.integers(0, 2, n), rng.integers(0, 3, n)
    rows = pl.DataFrame(
        {"id": np.arange(n), "start": 0, "stop": stop, "event": event, "silent": silent, "age": age}
    )
    result = share_at_risk(from_rows(rows, ["silent", "age"]), {"silent": ("1",)}, "age").excess
    chi, _ = survdiff(stop, event, silent, strata=age)
    assert (result.value / result.se_model) ** 2 == pytest.approx(chi, rel=1e-9)
    assert result.se == pytest.approx(result.se_model, rel=0.25)


def at_once(seed, leave, customers=6_000, strata=1):
    """Customers who leave over 20 days, with the daily chance `leave(silent, age)`; age 1 is silent more often."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 2, customers)
    silent = (rng.random(customers) < np.where(age == 1, 0.8, 0.4)).astype(int)
    days = rng.geometric(leave(silent, age), customers)
    rows = pl.DataFrame(
        {
            "id": np.arange(customers),
            "start": 0,
            "stop": np.minimum(days, 20),
            "event": 1 * (days <= 20),
            "silent": silent,
            "age": age,
            "stratum": np.arange(customers) % strata,
        }
    )
    return from_rows(rows, ["silent", "age", "stratum"])


def test_what_is_planted_is_found():
    """Twice the hazard where silent: of leavers 2q / (1 + q) are silent where q of those at risk are."""
    result = share_at_risk(
        at_once(1, lambda silent, age: 0.004 * (1 + silent)), {"silent": ("1",)}, "age"
    )
    wanted = np.mean([2 * q / (1 + q) - q for q in (0.4, 0.8)])
    assert result.excess.low < wanted < result.excess.high
    assert result.excess.low > 0.05


def test_alike_takes_away_what_goes_with_age():
    table = at_once(2, lambda silent, age: 0.004 * (1 + 3 * age))
    matched = share_at_risk(table, {"silent": ("1",)}, "age").excess
    assert matched.low < 0 < matched.high
    crude = share_at_risk(table, {"silent": ("1",)}, "stratum").excess
    assert crude.low > 0.05


def test_chance_leaves_no_excess_however_small_the_risk_sets():
    """Risk sets of about three: with the leaver among them, nothing is left on average."""
    result = [
        share_at_risk(
            at_once(s, lambda silent, age: 0.02, 1_200, 200),
            {"silent": ("1",)},
            "age",
            strata=["stratum"],
        )
        for s in range(60)
    ]
    z = np.array([f.excess.value / f.excess.se for f in result])
    assert abs(z.mean()) < 3 / np.sqrt(len(z))
    # the spread of 60 is known to a part in sqrt(120); sums of squares alone would make it 1.3
    assert 0.75 < z.std() < 1.25
    assert all(f.leavers_share > 0.3 and f.alone > 0 for f in result)


def test_leavers_who_all_count_are_no_certainty():
    rows = changing(4).with_columns(
        silent=pl.when(pl.col("event") == 1).then(pl.lit("yes")).otherwise("silent")
    )
    result = share_at_risk(table_of(rows), {"silent": ("yes",)}, "age")
    assert result.count == result.leavers
    assert result.exposed.scale == "wilson"
    assert result.excess.se >= result.excess.se_model > 0


def test_what_cannot_be_asked():
    rows = changing(5)
    table = table_of(rows)
    with pytest.raises(EstimationError, match="'age' cannot count and be held equal"):
        share_at_risk(table, {"age": ("0-30",)}, "age")
    with pytest.raises(EstimationError, match="no feature 'ages'; did you mean 'age'"):
        share_at_risk(table, {"silent": ("yes",)}, "ages")
    with pytest.raises(EstimationError, match="no level 'maybe'"):
        share_at_risk(table, {"silent": ("maybe",)}, "age")
    with pytest.raises(EstimationError, match="no cause 'defectoin'"):
        share_at_risk(table, {"silent": ("yes",)}, "age", causes=["defectoin"])
    with pytest.raises(NotTestable, match="both inside and outside"):
        share_at_risk(table, {"silent": ("yes", "no")}, "age")
    with pytest.raises(NotTestable, match="denominator"):
        share_at_risk(table_of(rows.with_columns(event=0)), {"silent": ("yes",)}, "age")
    one = rows.with_columns(event=pl.when(pl.col("id") == 0).then(1).otherwise(0))
    with pytest.raises(NotTestable, match=r"an interval: .* of 1 customers"):
        share_at_risk(table_of(one), {"silent": ("yes",)}, "age")


def test_a_few_customers_have_an_interval():
    result = share_at_risk(table_of(changing(5, 120)), {"silent": ("yes",)}, "age")
    assert 20 < result.leavers < 80
    assert result.excess.low < result.excess.value < result.excess.high
    # a model's error is nearly right where nothing means anything
    assert result.excess.se == pytest.approx(result.excess.se_model, rel=0.35)


def test_it_shows_itself():
    result = share_at_risk(table_of(changing(6)), {"silent": ("yes",)}, "age")
    assert "excess over those at risk" in repr(result)
    assert "at risk with them" in result._repr_html_()
