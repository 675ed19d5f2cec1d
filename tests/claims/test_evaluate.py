"""Claims on trial in worlds whose truth is known."""

import json
import re

import numpy as np
import polars as pl
import pytest
from statsmodels.duration.hazard_regression import PHReg

from cxresearch import study_from
from cxresearch.claims.catalogue_loader import catalogue, parse_claim
from cxresearch.claims.evaluate import evaluate
from cxresearch.errors import ClaimError
from cxresearch.estimators.cox import cox
from cxresearch.histories import bad_count, contact_count
from cxresearch.records.records import read_records
from cxresearch.risk.episodes import episodes
from cxresearch.risk.table import risk_table
from cxresearch.worlds import KNOWN, World, simulate
from tests.studies import make_study

HARM = World(hr_bad=(1.0, 1.8, 2.6, 3.5), busy_stay=-0.5)
NULL = KNOWN["null"].world
TWO = ["three-strikes", "bad-moments-drive-away"]
# quick to evaluate, and of every kind but a comparison of models
FEW = [
    "three-strikes", "one-strike", "judgment-day", "bad-moments-drive-away", "good-moments-build", "neutral-threat",
    "first-moment", "resolution-decides", "slow-resolution", "goodwill-gesture", "tell-the-customer", "no-news",
    "silent-defection",
]  # fmt: skip


@pytest.fixture(scope="module")
def harm(shared):
    """A world in which bad moments drive customers away, and busy customers stay."""
    return shared("harm", lambda: evaluate(make_study(HARM), FEW))


@pytest.fixture(scope="module")
def two(shared):
    """Two claims in the world of harm."""
    return shared("two", lambda: evaluate(make_study(HARM), TWO))


@pytest.fixture(scope="module")
def null(shared):
    """A world in which moments do nothing."""
    return shared(
        "null", lambda: evaluate(make_study(NULL), ["three-strikes", "bad-moments-drive-away"])
    )


@pytest.mark.slow
def test_harm_is_found_although_the_naive_sign_is_wrong(harm):
    trial = harm["bad-moments-drive-away"]
    assert trial.verdict == "supported"
    assert 1.6 < trial.primary.estimate.value < 2.9
    assert trial.naive.value < 1
    assert "no verdict on bad moments" in str(trial.caution)
    assert [a.contacts for a in trial.activity][-1] == "10+"
    shares = [a.with_bad / a.customers for a in trial.activity]
    assert shares == sorted(shares)


def test_null_world_is_not_called_harm(null):
    trial = null["bad-moments-drive-away"]
    assert trial.verdict in ("contradicted", "undecided")
    assert trial.primary.estimate.low < 1 < trial.primary.estimate.high * 1.2


def test_the_headline_comes_out_where_bad_moments_do_nothing(null):
    trial = null["three-strikes"]
    assert trial["fewer-than-three-of-defectors"].estimate.value == pytest.approx(0.93, abs=0.02)
    assert "The base rate shows how little that says" in str(trial.caution)
    assert trial.naive.value == trial["fewer-than-three-of-defectors"].estimate.value
    assert trial.verdict != "supported"
    excess = trial["excess"].estimate
    assert excess.low < 0 < excess.high


@pytest.mark.slow
def test_excess_is_found(harm):
    trial = harm["three-strikes"]
    assert trial.association == "supported"
    assert trial["excess"].estimate.low > 0.1
    # customers differ in how prone they are to bad moments, which moves nobody to leave here
    assert [r.id for r in trial.rivals if r.status == "keeps it open"] == []
    assert trial.verdict == "contradicted"


@pytest.mark.slow
def test_as_many_leave_without():
    # nearly everybody leaves within the year, bad moment or not: the share alone would support the claim
    world = World(
        base_hazard=0.013,
        bad_share=0.04,
        proneness_variance=0.1,
        contact_rate=1 / 25,
        other_hazard=0.0,
    )
    trial = evaluate(make_study(world, 6_000), ["three-strikes"])["three-strikes"]
    assert trial.primary.estimate.low > 0.925
    assert trial.verdict == "undecided"
    assert trial.primary.reason == "it is not shown that more leave than would without a bad moment"


def one_of_each_kind():
    """A claim for each kind of primary reading, and the one with a time origin of its own."""
    kinds = {type(claim.primary): name for name, claim in catalogue().items()}
    return [*dict.fromkeys([*kinds.values(), "resolution-decides"])]


@pytest.mark.slow
def test_same_docket_on_every_engine():
    claims = one_of_each_kind()
    here = evaluate(make_study(HARM), claims)
    for engine in ("polars-lazy", "duckdb"):
        same_dockets(here, evaluate(make_study(HARM), claims, engine=engine))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_same_docket_of_two_claims_on_every_engine(two, engine):
    assert "not testable" not in {trial.verdict for trial in two.values()}
    same_dockets(two, evaluate(make_study(HARM), TWO, engine=engine))


def same_dockets(here, other):
    assert other.fingerprint == here.fingerprint
    assert other.counted == here.counted
    for mine, theirs in zip(here.values(), other.values(), strict=True):
        for a, b in zip(mine.results, theirs.results, strict=True):
            assert a.verdict == b.verdict
            assert (a.estimate is None) == (b.estimate is None)
            if a.estimate is not None:
                assert a.estimate.value == pytest.approx(b.estimate.value, rel=1e-10)
                assert a.estimate.low == pytest.approx(b.estimate.low, rel=1e-8)


@pytest.mark.slow
def test_documented_json(harm):
    result = json.loads(harm.to_json())
    above = ["study", "fingerprint", "counted", "version", "family", "look", "warnings"]
    assert list(result) == [*above, "verdicts"]
    keys = [
        "claim",
        "reading",
        "primary",
        "verdict",
        "verdict_alone",
        "reason",
        "estimate",
        "ci_low",
        "ci_high",
        "level",
        "interval",
        "ci_fixed_low",
        "ci_fixed_high",
        "p",
        "p_family",
        "se",
        "se_model",
        "unit",
        "region",
        "customers",
        "events",
        "horizon_days",
        "base_rate",
        "naive",
        "lacks",
        "code",
        "warnings",
        "association",
        "declared",
        "rivals",
    ]
    for row in result["verdicts"]:
        assert set(row) == set(keys)
    first = result["verdicts"][0]
    assert (first["claim"], first["primary"], first["level"]) == ("three-strikes", True, 0.95)
    assert first["base_rate"]["label"].startswith("comparable customers")


@pytest.mark.slow
def test_family_of_verdicts(harm):
    tried = [t.primary for t in harm.values() if t.primary.p is not None]
    assert len(tried) > 10
    assert all(e.p_family >= e.p for e in tried)


@pytest.mark.slow
def test_a_few_customers_are_tried_where_events_are_enough():
    """150 customers, 94 of whom left: numbers and intervals, but where a level has too few expected events."""
    trials = list(evaluate(make_study(HARM, 150)).values())
    tried = {t.claim.id: t.primary for t in trials if t.primary.estimate is not None}
    assert {"bad-moments-drive-away", "latest-moment", "one-strike", "silent-defection"} <= set(
        tried
    )
    assert len(tried) >= 18
    for row in tried.values():
        number = row.estimate
        assert number.low < number.value < number.high, row.claim_id
        assert row.verdict != "not testable"
        assert number.df < 150 or number.scale == "wilson"
    # what is harmful is not found to be harmless
    assert tried["bad-moments-drive-away"].verdict in ("supported", "undecided")
    for trial in trials:
        if trial.claim.id not in tried:
            assert trial.verdict == "not testable"
            said = (
                "would be expected",
                "name the column",
                "say which channels",
                "agents with",
                "departures enough",
            )
            assert any(words in trial.primary.lacks for words in said), trial.primary.lacks


def test_a_study_without_bad_moments():
    log = pl.DataFrame(
        {"customer": ["a", "b"], "at": ["2024-01-01", "2024-03-01"], "grade": ["good", "good"]}
    )
    who = pl.DataFrame(
        {"customer": ["a", "b"], "start": ["2024-01-01"] * 2, "end": ["2024-02-01", None]}
    )
    docket = evaluate(study_from({}, interactions=log, retention=who))
    assert {t.verdict for t in docket.values()} == {"not testable"}
    assert "no contact is graded bad" in str(docket["three-strikes"].sentence)


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["unknown", "good"])
def test_a_grade_that_nobody_has_is_not_held_equal(missing):
    """Where every contact is rated, nothing need be held equal about contacts that are not; likewise for good ones."""
    world = World(hr_bad=(1.0, 1.6, 2.2, 3.0), unknown_share=0.0 if missing == "unknown" else 0.1)
    rules = {"interactions": {}, "moments": {"bad": "stars <= 2", "neutral": "stars >= 3"}}
    made = make_study(world, 12_000, **({} if missing == "unknown" else rules))
    build, threat = evaluate(made, ["good-moments-build", "neutral-threat"]).values()
    rows = {row.reading_id: row for row in threat.results}
    assert rows["per-moment"].verdict == "contradicted"
    if missing == "unknown":
        assert threat.verdict == "contradicted", threat.sentence
        assert build.verdict != "not testable", build.sentence
    else:  # moments cannot be put in the place of what nobody has
        assert threat.primary.lacks == "good moments: no contact is graded good"
        assert "no contact is graded good" in str(build.sentence)


def test_records_are_read_once_and_used_often(two):
    records = read_records(make_study(HARM))
    assert evaluate(records, TWO).to_json() == two.to_json()


@pytest.mark.slow
def test_a_claim_does_not_depend_on_its_company():
    mine = entry(
        histories={"mine": {"use": "bad_count", "cap": 1}},
        readings=[
            {
                "id": "left", "label": "customers without one who leave", "kind": "incidence", "primary": True,
                "subset": {"mine": ["0"]}, "region": "> 0",
            }
        ],
    )  # fmt: skip
    study = make_study(HARM, claims=[mine])
    alone = evaluate(study, ["mine"], alone=True)["mine"].primary
    together = evaluate(study, ["bad-moments-drive-away", "mine"], alone=True)["mine"].primary
    assert alone.estimate == together.estimate


@pytest.mark.slow
@pytest.mark.parametrize("busy", [-0.6, 0.6])
def test_excess_is_zero_where_busy_customers_differ_and_moments_do_nothing(busy):
    excesses = [
        evaluate(make_study(World(busy_stay=busy), 4_000, seed), ["one-strike"], alone=True)[
            "one-strike"
        ]["excess"].estimate
        for seed in (1, 2, 3)
    ]
    mean = sum(e.value for e in excesses) / 3
    assert abs(mean) < 2.5 * (sum(e.se**2 for e in excesses) ** 0.5) / 3


@pytest.mark.slow
def test_neutral_moments_are_no_threat_where_they_do_nothing():
    result = [
        evaluate(
            make_study(World(busy_stay=0.4), 4_000, seed),
            ["neutral-threat"],
            alone=True,
            verdicts_only=True,
        )["neutral-threat"].primary.estimate
        for seed in range(100, 104)
    ]
    mean = sum(e.value for e in result) / len(result)
    assert abs(mean) < 2.5 * sum(e.se**2 for e in result) ** 0.5 / len(result)


def test_every_sentence_of_the_catalogue_can_be_filled():
    known = {"estimate", "low", "high", "horizon", "base", "lacks", "reason", "customers", "events"}
    for claim in catalogue().values():
        for verdict in ("supported", "contradicted", "undecided", "not testable"):
            sentence = claim.text.template(verdict)
            names = {part.partition("}")[0].partition(":")[0] for part in sentence.split("{")[1:]}
            assert names <= known | {r.id for r in claim.readings}


def entry(**changes):
    """A claim of one's own that is well written, with changes."""
    raw = {
        "id": "mine",
        "statement": "Two contacts a quarter keep a customer.",
        "source": "us",
        "histories": {"contacts": {"use": "contacts_within", "days": 90, "edges": [2]}},
        "readings": [
            {
                "id": "hazard", "label": "hazard with two contacts", "kind": "hazard_contrast", "primary": True,
                "model": {"terms": ["contacts"], "held_equal": "nothing"}, "contrast": {"contacts[2+]": 1},
                "region": "< 1",
            }
        ],
        "text": {"finding": "it is {estimate}", "undecided": "?", "not_testable": "{lacks}"},
    }  # fmt: skip
    return raw | changes


def test_a_claim_of_ones_own():
    trial = evaluate(make_study(World(busy_stay=-1.0), claims=[entry()]), ["mine"])["mine"]
    assert trial.verdict == "supported"
    assert str(trial.sentence).startswith("it is 0.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"histories": {"contacts": {"use": "contacts_witin"}}}, "did you mean 'contacts_within'"),
        ({"histories": {"contacts": {"use": "contacts_within", "dayz": 9}}}, "did you mean 'days'"),
        ({"histories": {"other": {"use": "bad_count"}}}, "no history 'contacts'"),
        ({"statment": "x"}, "did you mean 'statement'"),
        ({"readings": []}, "exactly one reading must say primary"),
    ],
)
def test_wrong_claims_name_the_field_and_the_fix(changes, message):
    with pytest.raises(ClaimError, match=message):
        parse_claim(entry(**changes))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("region", "about 1", "write one such as"),
        ("kind", "hazard_contrasts", "did you mean 'hazard_contrast'"),
        ("horizon_days", -3, "a hazard contrast has no horizon_days"),
        ("region", None, "needs a region"),
    ],
)
def test_wrong_readings_name_the_field(field, value, message):
    raw = entry()
    raw["readings"][0][field] = value
    with pytest.raises(ClaimError, match=message):
        parse_claim(raw)


@pytest.mark.slow
def test_levels_held_equal_in_which_nobody_left_are_left_out():
    """The ratio is that of the limit in which their hazard is nothing; Firth's penalty would move it."""
    edges = [1, 5, 30, 60, 90, 120]
    held = entry(
        histories={"bad": {"use": "bad_count", "cap": 1}, "so_far": {"use": "contact_count", "edges": edges}},
        readings=[
            {
                "id": "hazard", "label": "hazard after a bad moment", "kind": "hazard_contrast", "primary": True,
                "model": {"terms": ["bad", "so_far"], "strata": [], "held_equal": "nothing", "calendar": False},
                "contrast": {"bad[1+]": 1}, "region": "> 1",
            }
        ],
    )  # fmt: skip
    study = make_study(World(hr_bad=(1.0, 2.0, 2.0, 2.0)), claims=[held])
    records = read_records(study)
    eps = episodes(
        records,
        {"bad": bad_count(1), "so_far": contact_count(tuple(edges))},
        observed_from_start=True,
    )
    rows = eps.to_polars().with_columns(
        left=(pl.col("event") == "defection").fill_null(value=False)
    )
    by_level = dict(rows.group_by("so_far").agg(pl.col("left").sum()).iter_rows())
    levels = [level for level, n in by_level.items() if n]
    assert 2 < len(levels) < len(by_level)
    assert cox(risk_table(eps), ["bad", "so_far"], errors="model").penalised
    x = np.column_stack(
        [rows["bad"] == "1+", *(rows["so_far"] == level for level in levels[1:])]
    ).astype(float)
    nothing = np.where(rows["so_far"].is_in(levels), 0.0, -25.0)
    peer = PHReg(
        rows["stop"].to_numpy(), x, rows["left"].to_numpy(), entry=rows["start"].to_numpy() + 1e-6,
        offset=nothing, ties="efron",
    ).fit()  # fmt: skip
    result = evaluate(records, ["mine"])["mine"].primary
    assert result.estimate.value == pytest.approx(float(np.exp(peer.params[0])), rel=1e-6)
    assert not result.warnings


@pytest.mark.slow
@pytest.mark.parametrize("busy", [1.0, -1.0])
def test_moments_that_do_nothing_are_not_blamed_for_busy_customers(busy):
    """Contacts in the last 90 days tell only in part who is busy; contacts so far, held equal as well, the rest."""
    claims = ["bad-moments-drive-away", "remote-touchpoints"]
    study = simulate(World(busy_stay=busy), 20_000, 5).study()
    for trial in evaluate(study, claims, alone=True, verdicts_only=True).values():
        rows = {e.reading_id: e.estimate for e in trial.results}
        assert trial.verdict_alone != "supported"
        assert rows["adjusted"].low < 1 < rows["adjusted"].high


@pytest.mark.slow
@pytest.mark.parametrize(("busy", "alone"), [(1.0, "contradicted"), (-1.0, "supported")])
def test_silence_is_not_blamed_for_the_habit_of_who_is_seldom_in_touch(busy, alone):
    """Silence does nothing here; contacts held equal as of 90 days before tell a habit only in part."""
    study = simulate(World(busy_stay=busy), 8_000, 5).study()
    trial = evaluate(study, ["no-news"], alone=True, verdicts_only=True)["no-news"]
    assert (trial.association, trial.verdict_alone) == (alone, "undecided")
    [habit] = next(r for r in trial.rivals if r.id == "busy").rows
    assert (habit.estimate.low > 1) == (alone == "supported")
    assert "busy" in {r.id for r in trial.rivals_with("keeps it open")}


@pytest.mark.slow
@pytest.mark.parametrize("busy", [1.0, -1.0])
def test_what_tells_who_is_busy_decides_no_comparison(busy):
    """How many moments there were tells who is busy; given that, their grades tell nothing here."""
    primary = {"moments-beat-marketing": "moments-or-marketing", "latest-moment": "last-or-history"}
    study = simulate(World(busy_stay=busy), 20_000, 1).study()
    for trial in evaluate(study, list(primary), alone=True, verdicts_only=True).values():
        assert trial.primary.reading_id == primary[trial.claim.id]
        assert trial.verdict_alone == "undecided"
        assert trial.primary.estimate.low < 0 < trial.primary.estimate.high


@pytest.mark.slow
def test_what_busy_customers_have_more_of_decides_nothing():
    study = simulate(World(busy_stay=-1.0), 20_000, 1).study()
    trial = evaluate(study, ["silent-defection"], alone=True, verdicts_only=True)[
        "silent-defection"
    ]
    assert trial.verdict_alone == "undecided"
    because = "among customers with as many bad moments in those 90 days it is "
    assert trial.primary.reason.startswith(because)
    assert trial["excess"].estimate.low > 0


@pytest.mark.slow
def test_a_grade_after_another_does_nothing_where_busy_customers_stay():
    study = simulate(World(busy_stay=1.0), 4_000, 1).study()
    trial = evaluate(study, ["anger-to-appreciation"], alone=True, verdicts_only=True)[
        "anger-to-appreciation"
    ]
    assert trial.verdict_alone == "undecided"
    for reading in ("flipped-over-good-alone", trial.primary.reading_id):
        assert trial[reading].estimate.low < 1 < trial[reading].estimate.high


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"level": "9"}, "bad has no level '9'; it has: 0, 1, 2+"),
        ({"exclude_from": "7"}, "bad has no level '7'; it has: 0, 1, 2+"),
        ({"history": "last", "level": "bad"}, "last can fall as well as rise"),
    ],
)
def test_a_comparison_by_a_level_that_cannot_be_reached_says_so(changes, why):
    histories = {
        "bad": {"use": "bad_count", "cap": 2},
        "last": {"use": "last_grade"},
        "recent": {"use": "contacts_within", "days": 1, "edges": [1]},
    }
    reading = {
        "id": "more", "label": "how many more left", "kind": "excess", "primary": True, "region": "> 0",
        "compare": {"history": "bad", "level": "1", "active_within": ["recent"]} | changes,
    }  # fmt: skip
    with pytest.raises(ClaimError, match=re.escape(why)):
        parse_claim(entry(histories=histories, readings=[reading]))
