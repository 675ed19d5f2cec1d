"""Every claim of the catalogue on one small company, against what `tests.reference` counts from the raw rows."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache

import msgspec
import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

import cxresearch as cx
from cxresearch.estimators.fading import beyond_selection
from cxresearch.histories import informed_before_problem
from tests.claims.small_company import FIRST_DAY, LAST, STUDY, make_company
from tests.reference import claims as written_out
from tests.reference import estimators, grids, oracle

# what simulates a world of its own or permutes is checked where its estimator is
SIMULATED = {("thirty-days", "beyond-selection"), ("jack", "by-chance")}
# other analyses of the same readings, tried by themselves (test_rivals and worlds)
RIVALS = ("already-leaving", "temperament", "who-answers", "other-exits")
CONTESTS = {"weakest-moment", "latest-moment", "moments-beat-marketing", "unique-customers"}


def entries():
    """The catalogue's entries, with a test of every number that is only shown."""
    for claim in cx.catalogue().values():
        raw = msgspec.to_builtins(claim)
        tried = [
            {**r, "region": r["region"] or "> 0.5", "descriptive": False} for r in raw["readings"]
        ]
        rivals = raw["rivals"] | {
            name: {"status": "meaningless", "reason": "Tried elsewhere."} for name in RIVALS
        }
        yield raw | {"readings": tried, "rivals": rivals}


ENTRIES = {raw["id"]: raw for raw in entries()}
PRIMARY = {
    name: next(r["id"] for r in raw["readings"] if r.get("primary"))
    for name, raw in ENTRIES.items()
}
READINGS = {(name, r["id"]): r for name, raw in ENTRIES.items() for r in raw["readings"]}
COMPARED = [name for name in PRIMARY if (name, PRIMARY[name]) not in SIMULATED]
OTHERS = [k for k in READINGS if k not in SIMULATED and k[1] != PRIMARY[k[0]]]


@pytest.fixture(scope="module")
def company():
    return make_company()


def tried(company, claims=tuple(ENTRIES), **moments):
    """The docket of some claims on the company, under other settings of its moments."""
    log, people = company.tables()
    settings = STUDY | {
        "claims": [ENTRIES[claim] for claim in claims],
        "moments": STUDY["moments"] | moments,
    }
    study = cx.study_from(settings, interactions=log, retention=people)
    return cx.evaluate(study, list(claims), alone=True)


@pytest.fixture(scope="module")
def docket(company, shared):
    return shared("every-claim", lambda: tried(company))


def life_of(company):
    return grids.read(company.log, company.people, FIRST_DAY, FIRST_DAY + timedelta(days=LAST))


@pytest.fixture(scope="module")
def life(company):
    return life_of(company)


@pytest.fixture(scope="module")
def past(life):
    return written_out.Past(life)


def counted(past, claim):
    """The numbers of a claim, written out."""
    with threadpool_limits(1, "blas"):  # many small products of matrices
        return written_out.CLAIMS[claim](past)


@pytest.fixture(scope="module")
def wanted(past, shared):
    """The numbers of a claim, counted when first asked for."""
    return cache(lambda claim: shared(f"numbers-{claim}", lambda: counted(past, claim)))


@pytest.mark.slow
def test_every_claim_is_written_out(wanted):
    assert set(written_out.CLAIMS) == set(ENTRIES)
    written = {(claim, reading) for claim in ENTRIES for reading in wanted(claim)}
    assert set(READINGS) - written <= SIMULATED


@pytest.mark.slow
@pytest.mark.parametrize("claim", COMPARED)
def test_primary_reading(docket, wanted, claim):
    result = docket[claim].primary
    assert result.reading_id == PRIMARY[claim]
    assert result.estimate is not None, result.lacks
    assert result.estimate.value == pytest.approx(
        wanted(claim)[result.reading_id].value, rel=1e-7, abs=1e-9
    )


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "reading"), OTHERS)
def test_other_readings(docket, wanted, claim, reading):
    result, number = docket[claim][reading], wanted(claim)[reading]
    if number is None:
        assert "horizon" in result.lacks
        return
    assert result.estimate is not None, result.lacks
    assert result.estimate.value == pytest.approx(number.value, rel=1e-7, abs=1e-9)


def counts(wanted):
    """Every reading with a number of customers and of events."""
    for claim, reading in set(READINGS) - SIMULATED:
        number = wanted(claim).get(reading)
        if number is not None and number.events is not None:
            yield claim, reading, number


def narrowed(reading):
    """Whether a reading looks at a part of the time of those in its table."""
    counts_customers = reading["kind"] in ("share", "share_at_risk", "concentration")
    return not counts_customers and bool(reading.get("subset") or reading.get("after_days"))


def follows_a_moment(reading):
    """Whether customers are followed from a moment on, and how many leave is counted."""
    return reading["kind"] == "excess" or (
        reading["kind"] == "incidence" and bool(reading.get("time_origin"))
    )


@pytest.mark.slow
def test_events(docket, wanted):
    said = {(c, r): docket[c][r].events for c, r, _ in counts(wanted)}
    assert said == {(c, r): number.events for c, r, number in counts(wanted)}


@pytest.mark.slow
def test_customers(docket, wanted):
    whole = [(c, r, number) for c, r, number in counts(wanted) if not narrowed(READINGS[c, r])]
    assert len(whole) > 60
    assert {(c, r): docket[c][r].customers for c, r, _ in whole} == {
        (c, r): number.customers for c, r, number in whole
    }


@pytest.mark.slow
def test_estimates_are_away_from_where_nothing_happens(wanted):
    for claim in COMPARED:
        value = wanted(claim)[PRIMARY[claim]].value
        small, at = (1e-4, 0.0) if claim in CONTESTS or claim == "neutral-threat" else (0.02, 1.0)
        assert abs(value - at) > small, claim


@pytest.mark.slow
def test_base_rate_and_naive_answer_are_readings(docket, wanted):
    for trial in docket.values():
        for beside, name in (
            (trial.base_rate, trial.claim.base_rate),
            (trial.naive, trial.claim.naive),
        ):
            if beside is not None and (trial.claim.id, name) not in SIMULATED:
                assert beside.value == pytest.approx(
                    wanted(trial.claim.id)[name].value, rel=1e-7
                ), trial.claim.id


@pytest.mark.slow
def test_errors_are_robust_by_household(docket, life, past):
    bad = np.minimum(past.each["bad"], 1)
    sets = estimators.risk_sets(life, {"bad": bad}, {}, None, None)
    fitted = estimators.fit(sets)
    result = docket["bad-moments-drive-away"]["crude"].estimate
    clusters = np.array(life.cluster)
    with_event = {clusters[i] for i in sets.who_left}
    assert len(with_event) < len(sets.who_left), "some households lose more than one customer"
    assert (result.errors, result.df) == ("clusters", len(with_event) - 1)
    wanted = estimators.robust_error(fitted, life.cluster)["bad=1"]
    assert result.se == pytest.approx(wanted, rel=1e-5)
    # each customer for itself is another number
    alone = estimators.robust_error(fitted, list(map(str, range(len(clusters)))))["bad=1"]
    assert abs(alone / wanted - 1) > 1e-3


@pytest.mark.slow
def test_nothing_of_the_last_days_is_known_under_a_blackout(company, life):
    claims = ["bad-moments-drive-away", "tell-the-customer", "no-news", "recovery-paradox"]
    result = tried(company, claims, blackout_days=5)
    for claim in claims:
        numbers = counted(written_out.Past(replace(life, blackout=5)), claim)
        for reading, number in numbers.items():
            if follows_a_moment(READINGS[claim, reading]):
                continue  # a blackout would ask that customers stay so many days
            assert result[claim][reading].estimate.value == pytest.approx(number.value, rel=1e-7)


@pytest.mark.slow
def test_a_blackout_holds_on_days_since_a_problem(docket, company):
    result = tried(company, ["resolution-decides"], blackout_days=5)
    assert (
        result["resolution-decides"].primary.estimate.value
        != docket["resolution-decides"].primary.estimate.value
    )


@pytest.mark.slow
def test_held_levels_that_run_off_are_near_their_limits():
    """In half the company some months are never compared with others but one way round."""
    company = make_company(customers=1_000)
    past = written_out.Past(life_of(company))
    told = {"told": grids.told(past.life)}
    asked = past.where(told["told"], 1, 2)
    assert past.adjusted(told, mask=asked, named={"since": past.since_problem}).limits > 0
    claims = ["tell-the-customer", "goodwill-gesture"]
    result = tried(company, claims)
    for claim in claims:
        for reading, number in counted(past, claim).items():
            row = result[claim][reading]
            assert not any("Firth" in warning for warning in row.warnings)
            # what runs off is bounded there: a thousandth of its weight is left, which moves others by less
            assert row.estimate.value == pytest.approx(number.value, rel=1e-4)


PERSON = pl.DataFrame(
    [{"customer": "a", "start": date(2024, 1, 1), "end": None}], schema_overrides={"end": pl.Date}
)


def test_told_when_it_came_is_not_told_beforehand():
    came = datetime(2024, 1, 11, 9)
    row = {"customer": "a", "at": came, "grade": "bad", "problem_at": came, "informed_at": came}
    log = pl.DataFrame(
        [row, row | {"at": datetime(2024, 3, 1), "problem_at": None, "informed_at": None}]
    )
    study = cx.study_from({}, interactions=log, retention=PERSON)
    assert cx.episodes(study, told=informed_before_problem()).to_polars()["told"].to_list() == [
        "not informed"
    ]


@pytest.mark.slow
def test_ratio_that_fading_is_held_against(company, past):
    log, people = company.tables()
    study = cx.study_from(STUDY, interactions=log, retention=people)
    age = cx.histories.age_of_last("bad", (7, 14, 30, 60, 90, 180, 365))
    table = cx.risk_table(study, bad=cx.bad_count(2), age=age, strata=["segment"])
    result = beyond_selection(table, "age", subset={"bad": ["0", "1"]}, strata=["segment"]).observed
    ours = grids.age_of_last(past.life, grids.BAD, (30, 180))
    once = (past.each["bad"] == 1) & (ours <= 2)
    fit = estimators.cox(past.life, {"age": ours}, strata=past.segment, mask=once)
    assert result.value == pytest.approx(fit.ratio({"age=2": -1}), rel=1e-7)


def test_the_oracles_own_cox_fit(life, past):
    """Against the likelihood as it is defined, customer by customer, on a few of them."""
    some = np.zeros(len(life.name), dtype=bool)
    some[::25] = True
    bad = np.minimum(past.each["bad"], 1)
    mask = np.broadcast_to(some[:, None], life.size)
    ours = estimators.cox(life, {"bad": bad}, strata=past.segment, mask=mask)
    rows = []
    for i in np.flatnonzero(some & ~life.left_truncated):
        cut = int((bad[i, : life.exit[i] + 1] == 0).sum()) - 1  # the last day without a bad moment
        left = life.event[i] == grids.DEFECTION
        if cut > life.entry[i]:
            rows.append(
                oracle.CoxRow(
                    life.entry[i], cut, left and cut == life.exit[i], (0.0,), life.segment[i]
                )
            )
        if cut < life.exit[i]:
            rows.append(
                oracle.CoxRow(max(cut, life.entry[i]), life.exit[i], left, (1.0,), life.segment[i])
            )
    coef, _, loglik = oracle.cox_fit(rows)
    assert ours.events == sum(row.event for row in rows)
    assert ours["bad=1"] == pytest.approx(coef[0], abs=1e-8)
    assert ours.loglik == pytest.approx(loglik, abs=1e-8)
