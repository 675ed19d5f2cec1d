"""The loyalty question against plain loops, where bad moments do harm and where none does."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from tests.journey.companies import DAYS, TOUCHPOINTS, activity, company, contract, told

GRADES = ("bad", "neutral", "good", "unknown")


@pytest.fixture(scope="module")
def harmful():
    log, who = company(1500, 1, harm_any=1.3)
    # bills go badly more often than they did, so that touchpoints differ in the grades of their moments
    half = (pl.col("touchpoint") == "bill") & (pl.col("grade") != "bad") & (pl.col("at") % 2 == 0)
    log = log.filter(~half)
    reason = (
        pl.when(pl.col("customer") % 5 == 0).then(pl.lit("moved")).otherwise(pl.lit("switched"))
    )
    return log, who.with_columns(reason=pl.when(~pl.col("end").is_null()).then(reason))


def study_of(log, who):
    return contract(log, who).replace(cause="reason", defection=["switched"])


@pytest.fixture(scope="module")
def found(harmful):
    return cx.journey.loyalty_shift(study_of(*harmful))


def chances(who, horizon=200):
    """Return the chance to be there after the horizon, for all causes and for the first alone, day by day."""
    every = own = 1.0
    rows = list(who.iter_rows(named=True))
    for day in range(1, horizon + 1):
        stays = [r for r in rows if (DAYS if r["end"] is None else r["end"]) - r["start"] >= day]
        leave = [r for r in stays if r["end"] is not None and r["end"] - r["start"] == day]
        every *= 1 - len(leave) / len(stays)
        own *= 1 - sum(r["reason"] == "switched" for r in leave) / len(stays)
    return every, own


def test_changes_follow_from_the_chance_and_the_ratios(harmful, found):
    log, who = harmful
    every, own = chances(who)
    assert found.stays.value == pytest.approx(every)
    assert every < own
    ratios = {g: r.value for g, r in zip(GRADES, found.hazard_ratios, strict=True)}
    change = {g: every * (own ** (r - 1) - 1) for g, r in ratios.items()}
    assert found.reference_grade == "neutral"
    for shift in found.grades:
        assert shift.change.value == pytest.approx(change[shift.of])
    for shift in found.touchpoints:
        mix = Counter(r["grade"] for r in log.iter_rows(named=True) if r["touchpoint"] == shift.of)
        assert shift.moments == sum(mix.values())
        assert shift.change.value == pytest.approx(
            sum(n * change[g] for g, n in mix.items()) / sum(mix.values())
        )
    mix = Counter(log["grade"])
    average = sum(n * change[g] for g, n in mix.items()) / log.height
    assert found.everywhere.change.value == pytest.approx(average)


def test_harm_is_found_and_touchpoints_differ_by_their_grades(found):
    bad = found.hazard_ratios[0]
    assert bad.low < 1.3 < bad.high
    assert bad.low > 1
    assert found.grades[0].change.high < 0
    by = {s.of: s.change.value for s in found.touchpoints}
    assert set(by) == set(TOUCHPOINTS)
    assert min(by, key=by.get) == "bill"
    assert (found.grades[1].change.value, found.grades[1].change.low) == (0, 0)
    assert found.meaning == "still there after 200 days"


def test_ratios_are_contrasts_of_a_model_of_all_grades(harmful, found):
    records = cx.read_records(study_of(*harmful))
    counts = {f"n_{g}": cx.histories.grade_count(g, (1, 2, 3, 4, 5)) for g in GRADES}
    table = cx.risk_table(
        records, contacts=cx.contacts_within(90), observed_from_start=True, **counts
    )
    fit = cx.cox(table, [f"linear({n})" for n in counts] + ["contacts"])
    for grade, ratio in zip(GRADES, found.hazard_ratios, strict=True):
        if grade != "neutral":
            own = cx.contrast(fit, {f"linear(n_{grade})": 1, "linear(n_neutral)": -1})
            assert (ratio.value, ratio.low, ratio.high) == pytest.approx(
                (own.value, own.low, own.high)
            )


@pytest.mark.parametrize("busy", [0.0, -0.5], ids=["null", "confounded"])
def test_where_moments_do_nothing_no_interval_leaves_zero(busy):
    found = cx.journey.loyalty_shift(contract(*company(1200, 12, busy=busy)))
    shifts = [*found.grades, *found.touchpoints, found.everywhere]
    assert all(s.change.low <= 0 <= s.change.high for s in shifts)


@pytest.mark.slow
def test_intervals_are_as_wide_as_estimates_spread():
    """The error of a change is near the spread of the change over companies of one kind."""
    found = [
        cx.journey.loyalty_shift(contract(*company(700, seed, harm_any=1.3)))
        for seed in range(20, 32)
    ]
    values = np.array([f.grades[0].change.value for f in found])
    errors = np.array([f.grades[0].change.se for f in found])
    assert 0.5 < errors.mean() / values.std(ddof=1) < 2


def test_contacts_alone_ask_who_comes_back():
    log, _ = company(1200, 5)
    found = cx.journey.loyalty_shift(activity(log))
    assert found.meaning == "back within 40 days of a contact"
    first, last, lapsed, at_risk = log["at"].min(), log["at"].max(), 0, 0
    for _, days in (
        log.select("customer", "at")
        .sort("customer", "at")
        .group_by("customer", maintain_order=True)
    ):
        at = days["at"].to_list()
        if at[0] <= first + 40:  # not known to be new
            continue
        for i, day in enumerate(at):
            if day > last - 40:
                break
            at_risk += 1
            if i + 1 == len(at) or at[i + 1] > day + 40:
                lapsed += 1
                break
    stays = 1 - lapsed / at_risk
    assert found.stays.value == pytest.approx(stays)
    bad = found.hazard_ratios[0].value
    assert found.grades[0].change.value == pytest.approx(stays**bad - stays)
    assert found.grades[1].change.value == 0


def test_without_touchpoints_there_are_grades_all_the_same(harmful):
    log, who = harmful
    bare = cx.journey.loyalty_shift(study_of(log.drop("touchpoint"), who))
    whole = cx.journey.loyalty_shift(study_of(log, who))
    assert bare.touchpoints == ()
    assert bare.grades == whole.grades
    assert bare.everywhere.change.value == pytest.approx(whole.everywhere.change.value)


def test_where_there_is_no_neutral_moment_good_ones_are_held_against(harmful):
    log, who = harmful
    found = cx.journey.loyalty_shift(
        study_of(log.filter(pl.col("grade").is_in(["bad", "good"])), who)
    )
    assert found.reference_grade == "good"
    assert (found.grades[1].moments, found.grades[1].change) == (0, None)
    assert found.hazard_ratios[1] is None
    assert "neutral moments" not in found._repr_html_()


def test_what_cannot_be_said_is_said(harmful):
    log, who = harmful
    with pytest.raises(cx.NotTestable, match="follow-up to 5000 days"):
        cx.journey.loyalty_shift(study_of(log, who).replace(horizon_days=5000))
    with pytest.raises(cx.NotTestable, match="moments enough of two grades"):
        cx.journey.loyalty_shift(study_of(log.filter(pl.col("grade") == "bad"), who))
    with pytest.raises(cx.NotTestable, match="defections among customers seen from their start"):
        cx.journey.loyalty_shift(
            told({"customer": ["a", "b"], "at": [3, 9], "grade": ["bad", "good"]})
        )


def test_engines_agree():
    study = contract(*company(700, 2))
    ours = cx.journey.loyalty_shift(study).to_dict()
    assert cx.journey.loyalty_shift(cx.read_records(study, "duckdb")).to_dict() == ours
