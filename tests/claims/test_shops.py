"""Claims where retention is derived from contacts: which are asked, and what keeps a verdict open."""

from functools import cache

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims.missing_columns import rank_missing_columns
from cxresearch.claims.results import Trial
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.records.records import Records, read_records

DAYS = 1000
COLUMNS = {
    "interactions": {"score": "stars", "scale": [1, 5], "unattended": ["app", "bill"]},
    "moments": {"bad": "stars <= 2", "good": "stars >= 4"},
    "retention": {"kind": "activity", "gap_days": 60},
    "customers": {
        "segment": "plan",
        "cluster": "household",
        "marketing": ["acquisition", "campaign"],
    },
}


@cache
def with_all_columns() -> Records:
    """A company's contacts, taken for a shop: every column that a claim reads."""
    made = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 400, seed=2)
    tables = {"interactions": made.interactions, "customers": made.customers}
    return read_records(cx.study_from(COLUMNS, **tables))


def test_all_but_two_claims_can_be_tried_and_these_say_why():
    checked = cx.check_claims(with_all_columns())
    lacking = {c: why for c, why in zip(checked.claims, checked.lacks, strict=True) if why}
    assert set(lacking) == {"no-news", "thirty-days"}
    assert "silence is the lapse itself here" in lacking["no-news"]
    assert all("under [retention], would open it" in why for why in lacking.values())


def test_the_table_of_customers_gives_segments_households_and_marketing():
    records = with_all_columns()
    assert records.fixed == ("segment", "acquisition", "campaign")
    assert "household" in records.available
    clusters = records.engine.collect(records.customers)["cluster"].n_unique()
    assert clusters < records.engine.collect(records.customers).height
    facts = {f.name: f.value for f in records.audit.facts}
    assert facts["customers who are not in the table of customers"].count == 0


@pytest.mark.parametrize("claim", ["weakest-moment", "silent-defection", "resolution-decides"])
def test_claims_that_were_refused_without_an_end_are_tried(claim):
    trial = cx.evaluate(with_all_columns(), [claim], alone=True, keep=False, verdicts_only=True)[
        claim
    ]
    assert trial.primary.code not in ("no_such_data", "other_kind", "missing_column")


def test_rows_of_the_table_of_customers_are_accounted_for():
    log = pl.DataFrame({"customer": ["a", "b", "c"], "at": [1, 5, 9], "grade": ["bad"] * 3})
    who = pl.DataFrame({"customer": ["a", "a", "b", None, "z"], "plan": ["x", "w", "y", "x", "x"]})
    study = cx.study_from(
        {
            "interactions": {"log_from": 0, "log_until": 40},
            "retention": {"kind": "activity", "gap_days": 10},
            "customers": {"segment": "plan"},
        },
        interactions=log,
        customers=who,
    )
    for engine in ("polars", "duckdb"):
        records = read_records(study, engine)
        findings = {f.reason: f.rows for f in records.audit.findings if f.table == "customers"}
        assert findings == {"no customer": 1, "another row of the same customer": 1}
        rows = records.engine.collect(records.customers).sort("id")
        names = [records.levels["segment"][i] for i in rows["segment"]]
        # of two rows the first by name counts, whatever the order of the file
        assert dict(zip(rows["id"], names, strict=True)) == {"a": "w", "b": "y", "c": "unknown"}


def test_what_only_a_table_of_customers_can_say_is_not_asked_of_retention():
    log = pl.DataFrame({"customer": ["a"], "at": [1], "grade": ["bad"]})
    activity = {"kind": "activity", "gap_days": 10}
    with pytest.raises(cx.CxResearchError, match=r"name it under \[customers\], segment"):
        cx.study_from({"retention": {**activity, "segment": "plan"}}, interactions=log)
    with pytest.raises(cx.CxResearchError, match=r"\[customers\] names no table"):
        cx.study_from({"retention": activity, "customers": {"segment": "plan"}}, interactions=log)
    with pytest.raises(cx.CxResearchError, match=r"\[customers\] belongs to kind"):
        cx.study_from({"customers": {"segment": "plan"}}, interactions=log, retention=log)


def shop(ratio: float, slow_find_bad: float, seed: int, customers: int = 2500) -> cx.Study:
    """A shop in which each contact may be the last, at `ratio` times the chance once there was a bad one.

    Slow buyers find more bad where `slow_find_bad` is above 0.
    """
    random = np.random.default_rng(seed)
    slow = random.normal(0, 0.6, customers)
    rows = []
    for c in range(customers):
        day, had_bad = float(random.integers(0, DAYS - 200)), False
        p_bad = 1 / (1 + np.exp(1.6 - slow_find_bad * slow[c]))
        while day < DAYS:
            bad = random.random() < p_bad
            had_bad |= bad
            rows.append((c, int(day), "bad" if bad else "good"))
            if random.random() < 0.08 * (ratio if had_bad else 1):
                break
            day += 1 + random.gamma(2, 6 * np.exp(slow[c]))
    log = pl.DataFrame(rows, schema=["customer", "at", "grade"], orient="row")
    return cx.study_from(
        {
            "interactions": {"log_from": 0, "log_until": DAYS},
            "retention": {"kind": "activity", "gap_days": 90},
        },
        interactions=log,
    )


def tried(study: cx.Study) -> Trial:
    """Whether a bad moment drives customers away, tried on a shop."""
    claim = "bad-moments-drive-away"
    return cx.evaluate(study, [claim], alone=True, keep=False, verdicts_only=True)[claim]


def test_an_effect_that_customers_own_gaps_tell_as_well_is_supported():
    trial = tried(shop(2.5, 0.0, seed=4))
    assert trial.verdict_alone == "supported"
    pace = next(r for r in trial.rivals if r.id == "pace")
    assert pace.status == "survived"
    (own,) = pace.rows
    assert own.estimate.low > 1
    assert own.estimate.level == pytest.approx(0.9)


@pytest.mark.slow
def test_slow_buyers_who_find_more_bad_are_not_taken_for_customers_driven_away():
    trial = tried(shop(1.0, 1.0, seed=5))
    assert trial.verdict_alone != "supported"
    pace = next(r for r in trial.rivals if r.id == "pace")
    assert pace.rows[0].estimate.low < 1


def test_a_log_too_short_to_tell_false_lapses_keeps_every_contrast_open():
    study = shop(2.5, 0.0, seed=4)
    whole = tried(study.replace(gap_days=600))
    pace = next(r for r in whole.rivals if r.id == "pace")
    assert pace.status == "keeps it open"
    assert "The log is too short to tell how many come back after 600 days" in pace.reason


def test_nobody_lapses_within_the_silence_that_is_a_lapse():
    docket = cx.evaluate(
        shop(1.0, 0.0, seed=6, customers=600), ["one-strike"], alone=True, keep=False
    )
    by = {r.reading_id: r for r in docket["one-strike"].results}
    assert "days of silence that are a lapse: nobody lapses sooner" in by["in-30-days"].lacks
    assert by["before-second"].estimate is not None


def test_an_end_of_the_relation_is_what_a_shop_lacks_most():
    lacking = rank_missing_columns(shop(1.0, 0.0, seed=1, customers=50))
    assert "an end" in [c.name for c in lacking.columns]


def test_a_sentence_says_what_leaving_means():
    study = shop(1.0, 0.0, seed=6, customers=600)
    docket = cx.evaluate(study, ["one-strike"], alone=True, keep=False)
    lapse = read_records(study).lapse
    said = str(docket["one-strike"].sentence)
    assert f"Leaving means {lapse.days} days of silence here" in said
    assert f"{lapse.chosen.returned:.0%} come back within as long again." in said


def test_customers_who_come_back_are_compared_within_first_and_later_relations():
    """Those won back lapse three times as often, and have had more bad contacts: a stratum keeps that apart."""
    random = np.random.default_rng(11)
    rows = []
    for c in range(1500):
        day, is_back, limit, summed = int(random.integers(0, 300)), False, random.exponential(), 0.0
        while day < DAYS:
            rows.append((c, day, "bad" if random.random() < 0.2 else "good"))
            summed += 0.18 if is_back else 0.06
            if summed >= limit:
                is_back, limit, summed = True, random.exponential(), 0.0
                day += 200 + int(random.integers(0, 60))
            else:
                day += 1 + int(random.gamma(2, 6))
    log = pl.DataFrame(rows, schema=["customer", "at", "grade"], orient="row")
    settings = {
        "interactions": {"log_from": 0, "log_until": DAYS},
        "retention": {"kind": "activity", "gap_days": 90, "returns": "new_spell"},
    }
    records = read_records(cx.study_from(settings, interactions=log))
    assert records.lapse.days == 90
    assert records.audit.fact("customers who came back").share > 0.3
    trial = cx.evaluate(
        records, ["bad-moments-drive-away"], alone=True, keep=False, verdicts_only=True
    )
    estimate = trial["bad-moments-drive-away"].primary.estimate
    assert estimate.low < 1 < estimate.high
    assert estimate.value == pytest.approx(1, abs=0.12)
    pooled = grouped_hazards(cx.risk_table(records, bad=cx.bad_count(1)), ["bad"])
    assert pooled.coef[0] > 0.15


def shop_with_returns(customers: int) -> pl.DataFrame:
    """Purchases of which each bad one brings three contacts about a return; a first bad one doubles the hazard."""
    random = np.random.default_rng(12)
    rows = []
    for c in range(customers):
        day, had_bad = float(random.integers(0, DAYS - 200)), False
        while day < DAYS:
            bad = random.random() < 0.25
            had_bad |= bad
            rows.append((c, int(day), "bad" if bad else "good", "order"))
            for _ in range(3 * bad):
                day += 1 + random.integers(0, 3)
                rows.append((c, int(day), "neutral", "return"))
            if random.random() < (0.16 if had_bad else 0.08):
                break
            day += 1 + random.gamma(2, 8)
    return pl.DataFrame(rows, schema=["customer", "at", "grade", "type"], orient="row")


def test_contacts_that_bad_ones_bring_about_keep_verdicts_open_until_purchases_are_named():
    settings = {
        "interactions": {"log_from": 0, "log_until": DAYS},
        "moments": {"lead_days": []},
        "retention": {"kind": "activity", "gap_days": 90},
    }
    study = cx.study_from(settings, interactions=shop_with_returns(1500))
    records = read_records(study)
    assert "bad_brings_contacts" in [w.code for w in records.audit.warnings]
    trial = cx.evaluate(records, ["bad-moments-drive-away"], keep=False, verdicts_only=True)
    trial = trial["bad-moments-drive-away"]
    assert trial.primary.estimate.high < 1
    assert trial.primary.verdict == "undecided"
    pace = next(r for r in trial.rivals if r.id == "pace")
    assert pace.status == "keeps it open"
    assert "which contacts are purchases" in pace.reason
    named = read_records(study.replace(active="type = 'order'"))
    assert not named.lapse.brings_contacts
    trial = cx.evaluate(named, ["bad-moments-drive-away"], keep=False, verdicts_only=True)
    assert trial["bad-moments-drive-away"].primary.estimate.low > 1.3
