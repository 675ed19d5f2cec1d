"""Planning: a study's rates, the rule on numbers that are drawn, and how much data would decide."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import cxresearch as cx
from cxresearch import charts
from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.compute import compute
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.kinds import HazardContrastReading
from cxresearch.claims.rivals.apply import joint_readings
from cxresearch.claims.rivals.explanations import MIN_OTHER_EXITS
from cxresearch.claims.tables import TableStore
from cxresearch.cli import main
from cxresearch.errors import ArgumentError, ClaimError, NotTestable
from cxresearch.estimators.intervals import SCALES
from cxresearch.planning.effects import EFFECTS, moments_of
from cxresearch.planning.pilots import numbers_of, scale_of, simulated_study, try_pilot
from cxresearch.planning.plan import _Curve, _Way, centre_of, controls_of
from cxresearch.planning.rates import calibrated, rates_of
from cxresearch.planning.rule import correlations, decide_drawn, interval_verdicts, root
from cxresearch.worlds import World, simulate

CLAIM = "household-contagion"
SMALL = {"companies": 3, "pilot_customers": 800}
WORLD = World(
    hr_household=1.5,
    contact_rate=1 / 20,
    intensity_variance=0.8,
    bad_share=0.2,
    proneness_variance=0.4,
    good_share=0.6,
    unknown_share=0.15,
    base_hazard=0.001,
    entry_days=300,
)
BY_ID = {claim.id: claim for claim in claims_of(())}


@pytest.fixture(scope="module")
def study():
    return simulate(WORLD, 3_000, seed=21).study()


@pytest.fixture(scope="module")
def pilots():
    """Companies in which another member's leaving does nothing, much and very much."""
    ratios = (1.0, 1.5, 2.5)
    made = [simulate(World(hr_household=h), 1_000, seed=i).study() for i, h in enumerate(ratios)]
    return made, [try_pilot(s, BY_ID[CLAIM]) for s in made]


# Rates


def test_the_rates_of_a_company_are_found_again(study):
    rates = rates_of(cx.read_records(study))
    assert rates.days == pytest.approx(WORLD.days, abs=7)  # from the first contact to the last
    assert rates.entry_days == pytest.approx(WORLD.entry_days, rel=0.05)
    assert rates.contacts == pytest.approx(WORLD.contact_rate, rel=0.05)
    assert rates.intensity_variance == pytest.approx(WORLD.intensity_variance, rel=0.15)
    assert rates.bad == pytest.approx(WORLD.bad_share, rel=0.1)
    assert rates.proneness_variance == pytest.approx(WORLD.proneness_variance, rel=0.3)
    assert rates.good == pytest.approx(WORLD.good_share, abs=0.02)
    assert rates.unknown == pytest.approx(WORLD.unknown_share, abs=0.02)
    assert rates.other == pytest.approx(WORLD.other_hazard, rel=0.15)


def test_rates_of_a_company_without_differences_between_customers_have_none():
    world = World(intensity_variance=0.0, proneness_variance=0.0)
    rates = rates_of(cx.read_records(simulate(world, 2_000, seed=4).study()))
    assert rates.intensity_variance < 0.05
    assert rates.proneness_variance < 0.05


def test_as_many_leave_as_in_the_study_whatever_is_planted(study):
    rates = rates_of(cx.read_records(study))
    planted = EFFECTS["bad-moments-drive-away"].planted(rates.world(), 3.0)
    world = calibrated(planted, rates.defection, seed=3)
    assert world.hr_bad == (1.0, 3.0, 3.0, 3.0)
    again = rates_of(cx.read_records(simulate(world, 3_000, seed=9).study()))
    assert again.defection == pytest.approx(rates.defection, rel=0.07)
    assert world.base_hazard < planted.base_hazard / 1.2


def test_a_longer_log_goes_on_with_customers_who_start(study):
    rates = rates_of(cx.read_records(study))
    longer = rates.world(days=rates.days + 365)
    assert longer.days == rates.days + 365
    assert longer.entry_days == rates.entry_days + 365
    assert rates.world(days=365).entry_days == pytest.approx(rates.entry_days / 2, abs=2)


def test_simulated_companies_have_the_declarations_of_the_study(study):
    declared = study.replace(blackout_days=7, lead_days=[14], decision__level=0.9)
    made = simulated_study(declared, World(), 50, seed=1)
    assert made.moments.blackout_days == 7
    assert made.moments.lead_days == (14,)
    assert made.decision.level == 0.9


# The rule


def _numbers(pilot):
    return {key: (SCALES[scale_of(e)][0](e.value), e.se) for key, e in pilot.estimates().items()}


def test_the_rule_on_the_numbers_of_a_company_gives_its_verdict(pilots):
    verdicts = set()
    for made, pilot in zip(*pilots, strict=True):
        trial = cx.evaluate(made, [CLAIM], alone=True, keep=False, verdicts_only=True)[CLAIM]
        assert decide_drawn(BY_ID[CLAIM], pilot, _numbers(pilot), 1.0) == trial.verdict_alone
        verdicts.add(trial.verdict_alone)
    assert {"supported", "undecided"} <= verdicts


def test_the_rule_on_the_numbers_of_a_company_gives_its_headline_verdict(pilots):
    verdicts = set()
    for made, pilot in zip(*pilots, strict=True):
        docket = cx.evaluate(made, [CLAIM], alone=True, keep=False, verdicts_only=True)
        drawn, p = _numbers(pilot), docket[CLAIM].primary.p
        most = max(int(0.05 / p), 2)  # claims among which it is still decided
        for claims in (most, most + 1, docket.family.size):
            holds = p <= 0.05 / claims
            expected = docket[CLAIM].verdict_alone if holds else "undecided"
            assert decide_drawn(BY_ID[CLAIM], pilot, drawn, 1.0, claims=claims) == expected
            verdicts.add((docket[CLAIM].verdict_alone, expected))
        assert expected == docket[CLAIM].verdict  # of the family
    assert {("supported", "supported"), ("supported", "undecided")} <= verdicts


def test_a_control_is_not_asked_for_where_too_few_leave_otherwise(pilots):
    pilot = pilots[1][-1]
    drawn = _numbers(pilot)
    (other,) = [k for k in drawn if k[1:] == ("other-exits", "0")]
    failing = drawn | {other: (1.0, 0.1)}
    assert decide_drawn(BY_ID[CLAIM], pilot, failing, 1.0) == "undecided"
    few = MIN_OTHER_EXITS / next(iter(pilot.rivals.values()))[0].facts.other_exits
    assert decide_drawn(BY_ID[CLAIM], pilot, failing, few * 1.01) == "undecided"
    assert decide_drawn(BY_ID[CLAIM], pilot, failing, few * 0.99) == "supported"


def test_a_rival_that_is_drawn_outside_leaves_the_verdict_open(pilots):
    pilot = pilots[1][-1]  # far from no effect
    drawn = _numbers(pilot)
    assert decide_drawn(BY_ID[CLAIM], pilot, drawn, 1.0) == "supported"
    (lead,) = [k for k in drawn if k[1:] == ("already-leaving", "2")]
    assert decide_drawn(BY_ID[CLAIM], pilot, drawn | {lead: (0.0, 0.1)}, 1.0) == "undecided"


def test_an_interval_alone_is_decided_as_often_as_normal_theory_says(pilots):
    numbers = numbers_of(pilots[1], BY_ID[CLAIM], 1_000)
    at = numbers.keys.index((BY_ID[CLAIM].primary.id,))
    z = np.random.default_rng(1).standard_normal(4_000)
    truth = math.log(1.4)
    share = interval_verdicts(BY_ID[CLAIM], numbers, at, 2_000, truth, z)["supported"]
    error = math.sqrt((numbers.errors[:, at] ** 2).mean() * 1_000 / 2_000)
    df = round(numbers.model.rows[BY_ID[CLAIM].primary.id].estimate.df * 2_000 / 1_000)
    expected = stats.norm.sf(stats.t.ppf(0.975, df) - truth / error)
    assert share == pytest.approx(expected, abs=0.025)


def test_correlations_have_a_root_and_ones_on_the_diagonal(pilots):
    matrix = correlations(numbers_of(pilots[1], BY_ID[CLAIM], 1_000))
    assert np.diag(matrix) == pytest.approx(1.0)
    again = root(matrix)
    assert again @ again.T == pytest.approx(matrix, abs=1e-6)


def test_what_the_pilots_missed_the_truth_by_is_taken_off_all_numbers(pilots):
    numbers = numbers_of(pilots[1], BY_ID[CLAIM], 1_000)
    at = numbers.keys.index((BY_ID[CLAIM].primary.id,))
    centre, mean = centre_of(numbers, BY_ID[CLAIM], 0.3), numbers.values.mean(axis=0)
    assert centre[at] == pytest.approx(0.3)
    together = correlations(numbers)[at] > 0.5
    together &= ~controls_of(numbers, BY_ID[CLAIM])[0]
    assert together.sum() == 4  # itself, and three leads
    assert all(np.sign(centre - mean)[together] == np.sign(0.3 - mean[at]))
    is_control, nulls = controls_of(numbers, BY_ID[CLAIM])
    assert {
        numbers.keys[i][-2] for i in np.flatnonzero(is_control) if len(numbers.keys[i]) > 1
    } <= {"other-exits"}
    assert is_control.any()
    assert centre[is_control] == pytest.approx(nulls[is_control])
    free = centre_of(numbers, BY_ID[CLAIM], None)
    assert free[~is_control] == pytest.approx(mean[~is_control])


@pytest.mark.slow
def test_limits_hold_what_companies_without_end_would_say(pilots):
    """Sixty companies again and again, drawn where the truth is known."""
    model = numbers_of(pilots[1], BY_ID[CLAIM], 1_000)
    errors = np.sqrt((model.errors**2).mean(axis=0))
    j, rng = len(model.keys), np.random.default_rng(1)
    together = root(np.full((j, j), 0.6) + 0.4 * np.eye(j))

    def companies(k):
        values = 0.36 + (rng.standard_normal((k, j)) @ together.T) * errors
        return replace(
            model, values=values, errors=np.tile(errors, (k, 1)), events=np.full(k, 300.0)
        )

    way = _Way(1.4, "supported", 730)
    truth = _Curve(BY_ID[CLAIM], companies(4_000), way, None, 0, 28).probability(2_000)
    points = [_Curve(BY_ID[CLAIM], companies(60), way, None, i, 28).point(2_000) for i in range(20)]
    assert 0.2 < truth < 0.9
    assert sum(p.low <= truth <= p.high for p in points) >= 17
    assert np.mean([p.high - p.low for p in points]) < 0.35


# Power


@pytest.fixture(scope="module")
def plan(study):
    return cx.power(study, CLAIM, truths=[1.0, 1.6], customers=[500, 2_000, 8_000], **SMALL)


def test_more_customers_decide_more_often(plan):
    null, effect = plan.groups
    assert {p.right for p in null} == {"contradicted"}
    assert {p.right for p in effect} == {"supported"}
    rising = [p.probability for p in effect]
    assert rising == sorted(rising)
    assert rising[0] < 0.6
    assert rising[-1] > 0.9
    assert all(p.low <= p.probability <= p.high for p in plan.points)
    # the rule asks for more than the interval
    assert all(p.probability_alone <= p.by_interval + 0.03 for p in effect)


def test_the_number_of_claims_makes_it_take_more(study, plan):
    assert plan.claims == cx.evaluate(study, [CLAIM], alone=True, keep=False).family.size > 20
    assert f"{plan.claims} claims allowed for" in plan.sentences[0]
    assert all(p.probability <= p.probability_alone for p in plan.points)
    none = study.replace(decision__multiplicity="none")
    alone = cx.power(none, CLAIM, truths=[1.6], customers=[500, 2_000, 8_000], **SMALL)
    assert alone.claims == 1
    assert [p.probability for p in alone.points] == [
        p.probability_alone for p in alone.points
    ]  # the same draws
    assert [p.probability_alone for p in alone.points] == [
        p.probability_alone for p in plan.groups[1]
    ]
    assert alone.points[1].probability > plan.groups[1][1].probability
    assert alone.needed[0] < plan.needed[1]
    assert "The number of claims is not allowed for" in alone.note


def test_companies_that_are_unlike_the_study_say_so(plan):
    assert not [s for s in plan.sentences if "not alike" in s]
    unlike = replace(plan, se_simulated=1.3 * plan.se_study)
    assert len([s for s in unlike.sentences if "not alike" in s]) == 1
    assert not [s for s in replace(plan, se_study=math.nan).sentences if "not alike" in s]
    other_length = replace(plan, se_simulated=math.nan)  # no company of the study's own length
    assert not [s for s in other_length.sentences if "not alike" in s]


def test_what_is_needed_gives_the_probability_that_is_wanted(study):
    plan = cx.power(study, CLAIM, truths=[1.6], **SMALL)
    point = next(p for p in plan.points if p.customers == plan.needed[0])
    assert point.probability == pytest.approx(0.8, abs=0.04)
    assert plan.customers in {p.customers for p in plan.points}
    assert "give 'supported' with a probability of 80%" in plan.sentences[0]


def test_the_error_of_simulated_companies_is_that_of_the_study(plan):
    assert plan.se_simulated == pytest.approx(plan.se_study, rel=0.25)


def test_the_table_the_values_and_the_chart_say_the_same(plan):
    table, values = plan.to_polars(), plan.to_dict()
    assert table.height == len(values["points"]) == 6
    assert table["probability"].to_list() == [p["probability"] for p in values["points"]]
    spec = charts.power(plan).to_dict()
    assert spec["description"] == " ".join(plan.sentences)
    assert "decided rightly" in plan._repr_html_()
    assert plan.note in str(plan)


def test_an_open_verdict_quotes_the_plan(tmp_path):
    made = simulate(World(hr_household=1.05), 700, seed=2)
    made.write(tmp_path, name="a company", truth={})
    kept = cx.read_study(tmp_path)
    before = cx.evaluate(kept, [CLAIM], alone=True, verdicts_only=True)[CLAIM]
    assert before.primary.verdict == "undecided"
    assert "by simulation" not in before.primary.reason
    plan = cx.power(kept, CLAIM, truths=[2.0], customers=[700], **SMALL)
    after = cx.evaluate(kept, [CLAIM], alone=True, verdicts_only=True)[CLAIM]
    amount = f"by simulation, about {plan.needed[0]:,} customers over 24 months would decide it"
    assert amount in after.primary.reason
    assert "if the truth were 2.00" in after.primary.reason
    assert "data on about" not in after.primary.reason
    assert after.primary.estimate == before.primary.estimate


def test_the_command_prints_the_table_and_writes_json(tmp_path):
    simulate(World(hr_household=1.5), 700, seed=2).write(tmp_path, name="a company", truth={})
    given = ["power", str(tmp_path), "--claim", CLAIM, "--truth", "2", "--companies", "3"]
    done = CliRunner().invoke(main, [*given, "--customers", "700", "--json", "-"])
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values["claim"] == CLAIM
    assert [p["customers"] for p in values["points"]] == [700]


# What is planted


@pytest.mark.parametrize("claim", [c for c, effect in EFFECTS.items() if effect.is_exact])
def test_the_number_of_a_claim_is_the_one_that_is_planted(claim):
    known = BY_ID[claim]
    truth = 2.0 if known.primary.region.startswith(">") else 0.5
    world = World(base_hazard=0.0015)
    moments = moments_of(simulate(world, 2_000, seed=5).study(), known)
    planted = EFFECTS[claim].planted(world, truth ** (1 / moments))
    study = simulate(planted, 3_000, seed=1).study()
    context = EvaluationContext(TableStore(study, keep=False))
    e = compute(context, known, context.adapt(known, known.primary)).estimate
    assert (moments > 1) == bool(known.primary.over_range)
    assert abs(math.log(e.value) - math.log(truth)) < 3 * e.se
    assert abs(math.log(e.value)) > 2.5 * e.se  # and not none


# What is refused


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("jack", "its number is a share and no hazard ratio"),
        ("weakest-moment", "its number is a log likelihood per departure and no hazard ratio"),
        ("three-strikes", "its number is a share and no hazard ratio"),
        ("four-expectations", "4 numbers must all hold, and one hazard ratio is planted"),
        ("judgment-day", "it is decided by two hazard ratios"),
        ("thirty-days", "it is decided by how an effect fades"),
    ],
)
def test_a_claim_that_cannot_be_planted_says_why_and_which_can(study, claim, why):
    with pytest.raises(NotTestable, match=f"{why}.*there are some for: bad-moments-drive-away"):
        cx.power(study, claim)


def test_all_claims_of_one_deciding_hazard_ratio_can_be_planted():
    refused = {"judgment-day", "thirty-days"}
    for claim in BY_ID.values():
        is_one = (
            isinstance(claim.primary, HazardContrastReading) and len(joint_readings(claim)) == 1
        )
        assert (claim.id in EFFECTS) == (is_one and claim.id not in refused)


def test_a_claim_of_ones_own_cannot_be_planted(study):
    own = {
        "id": "mine", "statement": "Bad moments come before leaving.", "source": "us",
        "text": {"finding": "It is {estimate}."}, "histories": {"bad": {"use": "bad_count", "cap": 1}},
        "readings": [{
            "id": "r", "label": "the number", "kind": "hazard_contrast", "primary": True,
            "region": "> 1", "model": {"terms": ["bad"]}, "contrast": {"bad[1+]": 1},
        }],
    }  # fmt: skip
    with pytest.raises(NotTestable, match="know nothing of what it is about"):
        cx.power(study.replace(claims=[own]), "mine")


def test_a_shop_cannot_be_planned(study):
    shop = cx.study_from(
        {
            "interactions": {"score": "stars", "scale": [1, 5]},
            "retention": {"kind": "activity", "gap_days": 90},
        },
        interactions=study.frames["interactions"],
    )
    with pytest.raises(NotTestable, match="companies with contracts"):
        cx.power(shop, "bad-moments-drive-away")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"truths": [-1.0]}, "above 0"),
        ({"companies": 2}, "at least 3"),
        ({"wanted": 1.5}, "below 1"),
        ({"customers": [0]}, "at least 1"),
    ],
)
def test_wrong_arguments_are_refused(study, more, words):
    with pytest.raises(ArgumentError, match=words):
        cx.power(study, CLAIM, **more)


def test_an_unknown_claim_is_named(study):
    with pytest.raises(ClaimError, match="did you mean"):
        cx.power(study, "household-contagio")
