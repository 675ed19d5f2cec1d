"""Verdicts tried against rival explanations: the rule, what is dismissed or cannot be tested, and planted companies."""

import math
import re
from dataclasses import replace

import msgspec
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims import trial
from cxresearch.claims.adjusted_model import (
    Variant,
    asked_grade,
    claim_histories,
    recent_reading,
    terms_of,
)
from cxresearch.claims.catalogue_loader import catalogue, parse_claim
from cxresearch.claims.context import EvaluationContext, RawEstimate
from cxresearch.claims.decide import decide
from cxresearch.claims.results import ReadingResult
from cxresearch.claims.rivals import apply as rivals
from cxresearch.claims.rivals.analyses import Analysis, Outcome
from cxresearch.claims.rivals.apply import (
    apply_joint_level,
    apply_rivals,
    describe_declarations,
    joint_readings,
    plan_analyses,
    readings_with_rivals,
    rival_entries,
    study_facts,
)
from cxresearch.claims.rivals.descriptions import descriptions
from cxresearch.claims.rivals.explanations import (
    EXPLANATIONS,
    Pace,
    RivalExplanation,
    Temperament,
)
from cxresearch.claims.rivals.outcomes import RivalRow
from cxresearch.claims.tables import TableStore
from cxresearch.claims.units import Unit
from cxresearch.errors import ClaimError, NotTestable
from cxresearch.estimators.influence import Clusters
from cxresearch.estimators.results import estimate
from cxresearch.worlds import World, simulate
from tests.studies import SECTIONS, make_study

CLAIM = catalogue()["bad-moments-drive-away"]
CLUSTERS = Clusters(1_000, 100, "clusters")
# value and standard error of a log hazard ratio; the claim says "> 1", and an effect matters from 1.10 on
INSIDE, DOUBTFUL, NONE, DOUBTFUL_NONE = (1.5, 0.05), (1.2, 0.15), (1.0, 0.02), (1.05, 0.15)


def interval(value, se, level=0.95):
    return estimate(value, se, scale="log", level=level, clusters=CLUSTERS)


@pytest.fixture(scope="module")
def study():
    return make_study(World(), 200)


@pytest.fixture
def facts(monkeypatch):
    """What a study's audit says: the share of moments without a grade, and how many left for other causes."""

    def say(*, unknown=0.0, other=0):
        def changed(context):
            return replace(study_facts(context), unknown_share=unknown, other_exits=other)

        monkeypatch.setattr(rivals, "study_facts", changed)

    say()
    return say


@pytest.fixture
def judged(monkeypatch, study, facts):
    """The verdict on a reading of which each analysis gives a number of one's choice."""

    def run(own, others, *, of=1, moments=None, claim=CLAIM, reason=None):
        """Others: what each variant gives; those that are not named give the number itself, None gives none.

        A third part of a number says why it must not decide.
        """

        def compute(_context, _claim, _reading, variant):
            given = others.get(variant, own)
            if given is None:
                raise NotTestable("no_repeaters", "customers")
            return RawEstimate(
                estimate=interval(*given[:2]),
                customers=1_000,
                events=100,
                why_undecidable=" ".join(given[2:]),
            )

        monkeypatch.setattr(rivals, "compute", compute)
        decided = row(own, claim.primary)
        decided = replace(decided, reason=decided.reason if reason is None else reason)
        return apply_rivals(context(study, moments), claim, claim.primary, decided, joint=of)

    return run


def context(study, moments=None):
    made = EvaluationContext(TableStore(study, keep=False))
    if moments:
        changed = msgspec.structs.replace(study.moments, **moments)
        made.store.study = msgspec.structs.replace(study, moments=changed)
    return made


def row(number, reading=CLAIM.primary):
    result = interval(*number)
    decision = decide(result, reading.claimed_region)
    return ReadingResult(
        claim_id="c",
        reading_id=reading.id,
        label="l",
        primary=True,
        verdict=decision.verdict,
        verdict_alone=decision.verdict,
        reason=decision.reason,
        estimate=result,
        p=decision.p,
        p_family=None,
        unit=Unit.HAZARD_RATIO,
        region="> 1",
        customers=1_000,
        events=100,
        horizon_days=None,
        lacks="",
        warnings=(),
        series=(),
        exclusions=(),
    )


def status(found, rival):
    return next(r for r in found if r.id == rival).status


LEADS = [Variant(lead=d) for d in (14, 30, 60)]
PRONE = [Variant(proneness=True), Variant(lead=60, proneness=True)]
ANSWERS = [
    Variant(unknown="held equal"),
    Variant(lead=60, unknown="held equal"),
    Variant(proneness=True, unknown="held equal"),
    Variant(unknown="as asked"),
]
CONTROL = Variant(event="other exit")
NO_DIFFERENCE = {CONTROL: (1.0, 0.1)}
RIVALS = tuple(e.id for e in EXPLANATIONS)


# The rule


def test_supported_where_every_required_interval_is_inside(judged, facts):
    facts(unknown=0.3, other=50)
    wide = (1.5, 0.15)
    result, found = judged(INSIDE, {**NO_DIFFERENCE, LEADS[1]: wide})
    assert result.verdict == result.verdict_alone == "supported"
    required = ("already-leaving", "temperament", "who-answers", "other-exits")
    assert {status(found, r) for r in required} == {"survived"}
    assert result.p == pytest.approx(decide(interval(*wide), CLAIM.primary.claimed_region).p)
    assert [len(r.rows) for r in found if r.id in required] == [3, 2, 4, 1]


@pytest.mark.parametrize(
    ("rival", "variant"),
    [
        *(("already-leaving", v) for v in LEADS),
        *(("temperament", v) for v in PRONE),
        *(("who-answers", v) for v in ANSWERS),
    ],
)
def test_any_interval_that_is_not_inside_keeps_support_open(judged, facts, rival, variant):
    facts(unknown=0.3, other=50)
    result, found = judged(INSIDE, {**NO_DIFFERENCE, variant: DOUBTFUL})
    assert result.verdict == result.verdict_alone == "undecided"
    assert [r.id for r in found if r.status == "keeps it open"] == [rival]
    title = descriptions()[rival].title
    assert "the two go together" in result.reason
    assert title in result.reason
    assert "1.20 (0.89 to 1.62)" in result.reason
    others = {d.title for d in descriptions().values()} - {title}
    assert not [t for t in others if f"{t} (" in result.reason]


def test_a_control_that_shows_a_difference_keeps_support_open(judged, facts):
    facts(other=50)
    result, found = judged(INSIDE, {CONTROL: (1.5, 0.1)})
    assert (result.verdict, status(found, "other-exits")) == ("undecided", "keeps it open")


def test_a_control_to_the_other_side_is_no_reason_against_support(judged, facts):
    """What makes other exits less likely after a bad moment is not what makes leaving likelier."""
    facts(other=50)
    result, found = judged(INSIDE, {CONTROL: (0.7, 0.1)})
    assert (result.verdict, status(found, "other-exits")) == ("supported", "survived")


SHORT = Variant(proneness=True, recent=30)


@pytest.mark.parametrize(
    ("whole", "short", "verdict"),
    [
        ((1.5, 0.05), (1.1, 0.2), "supported"),
        ((1.1, 0.1), (2.0, 0.1), "supported"),
        ((1.1, 0.1), (1.1, 0.1), "undecided"),
        # inside at the study's error, but not at half of it
        ((1.23, 0.1), (1.23, 0.1), "undecided"),
        ((1.26, 0.1), (1.1, 0.1), "supported"),
    ],
)
def test_a_short_effect_survives_temperament_where_nobody_decides_ahead(
    judged, whole, short, verdict
):
    result, found = judged(INSIDE, {PRONE[0]: whole, SHORT: short}, moments={"lead_days": ()})
    assert result.verdict == verdict
    expected = {"supported": "survived", "undecided": "keeps it open"}[verdict]
    assert status(found, "temperament") == expected
    rows = next(r for r in found if r.id == "temperament").rows
    assert [r.label.endswith("within 30 days of such a moment") for r in rows] == [False, True]


def test_the_error_of_a_short_effect_counts_twice(judged):
    number = (1.4, 0.12)
    others = {PRONE[0]: (1.1, 0.1), SHORT: number}
    result, _ = judged(INSIDE, others, moments={"lead_days": ()})
    assert result.p == pytest.approx(2 * decide(interval(*number), CLAIM.primary.claimed_region).p)


def test_a_short_effect_is_no_lack_of_one(judged):
    moments = {"lead_days": ()}
    assert judged(NONE, {SHORT: (1.2, 0.15)}, moments=moments)[0].verdict == "contradicted"
    assert judged(NONE, {SHORT: (1.6, 0.1)}, moments=moments)[0].verdict == "undecided"


def test_a_short_effect_is_looked_for_only_where_it_cannot_be_a_decision_made_before(study):
    def planned(**moments):
        plans = plan_analyses(context(study, moments), CLAIM, CLAIM.primary)
        return [a for a in plans if a.variant.recent]

    assert planned(lead_days=(14,)) == []
    (short,) = planned(lead_days=())
    assert short.reading.contrast == {"bad[0-30]": 1.0}
    histories = claim_histories(context(study).store.setting, CLAIM, short.reading, short.variant)
    assert histories["bad"].levels == ("none", "0-30", "31+", "unknown")


@pytest.mark.parametrize(
    "claim", ["good-moments-build", "remote-touchpoints", "three-strikes", "latest-moment"]
)
def test_a_short_effect_is_of_a_first_moment_of_a_grade(claim):
    entry = catalogue()[claim]
    assert recent_reading(entry, entry.primary, 30) is None


def test_contradicted_where_nothing_speaks_for_it(judged, facts):
    facts(unknown=0.3, other=50)
    result, found = judged(NONE, dict.fromkeys((*LEADS[:2], *PRONE, *ANSWERS), DOUBTFUL_NONE))
    assert result.verdict == "contradicted", result.reason
    assert not [r for r in found if r.status == "keeps it open"]


@pytest.mark.parametrize(
    ("rival", "variant", "number"),
    [
        (
            "already-leaving",
            LEADS[-1],
            DOUBTFUL_NONE,
        ),  # the longest lead must lie outside as a whole
        ("already-leaving", LEADS[-1], INSIDE),
        ("already-leaving", LEADS[0], DOUBTFUL),  # of the others, the estimate must
        ("temperament", PRONE[0], DOUBTFUL),
        ("temperament", PRONE[1], INSIDE),
        ("who-answers", ANSWERS[2], INSIDE),
        ("temperament", PRONE[0], (1.08, 0.02)),  # outside as an estimate, inside as an interval
    ],
)
def test_what_keeps_a_contradiction_open(judged, facts, rival, variant, number):
    facts(unknown=0.3, other=50)
    result, found = judged(NONE, {variant: number})
    assert result.verdict == "undecided"
    assert [r.id for r in found if r.status == "keeps it open"] == [rival]
    assert "the numbers speak against it, but " in result.reason


@pytest.mark.parametrize(
    ("control", "verdict"), [((0.7, 0.1), "undecided"), ((1.5, 0.1), "contradicted")]
)
def test_a_control_on_the_other_side_could_hide_an_effect(judged, facts, control, verdict):
    facts(other=50)
    assert judged(NONE, {CONTROL: control})[0].verdict == verdict


@pytest.mark.parametrize(
    ("share", "verdict"),
    [
        ((1.5, 0.05), "contradicted"),
        ((1.25, 0.10), "contradicted"),  # beyond 1, though not beyond 1.1
        ((1.25, 0.15), "undecided"),
        ((1.05, 0.02), "undecided"),
    ],
)
def test_who_contradicts_by_finding_a_difference_finds_it_under_every_rival(judged, share, verdict):
    anger = catalogue()["anger-to-appreciation"]
    others = {Variant(proneness=True): share}
    (result, tried) = judged((1.6, 0.05), others, claim=anger)
    assert result.verdict == verdict
    open_ones = [r.id for r in tried if r.status == "keeps it open"]
    assert open_ones == ([] if verdict == "contradicted" else ["temperament"])
    if share == (1.25, 0.10):
        # the correction for many claims sees the test of the rival, which is the weakest
        assert result.p == pytest.approx(0.028, abs=0.003)
    # where to contradict is to find nothing, the estimate is enough
    (result, _) = judged(NONE, {Variant(proneness=True): DOUBTFUL_NONE})
    assert result.verdict == "contradicted"


@pytest.mark.parametrize("variant", [*PRONE, *LEADS])
@pytest.mark.parametrize("given", [None, (1.6, 0.05, "too many left alone")])
def test_no_difference_is_found_where_none_is_computed_or_may_decide(judged, variant, given):
    anger = catalogue()["anger-to-appreciation"]
    result, found = judged((1.6, 0.05), {variant: given}, claim=anger)
    assert result.verdict == "undecided"
    kept_open = {r.id for r in found if r.status == "keeps it open"}
    assert kept_open == {"temperament" if variant in PRONE else "already-leaving"}


ADVICE = (
    "the range includes values for and against; data on about 500 more departures would decide it"
)


def test_no_number_of_departures_is_promised_where_only_a_declaration_helps(judged):
    thirty = catalogue()["thirty-days"]
    assert judged(DOUBTFUL, {}, reason=ADVICE)[0].reason == ADVICE
    declared = judged(DOUBTFUL, {}, claim=thirty, moments={"lead_days": (14,)}, reason=ADVICE)
    assert declared[0].reason == ADVICE
    reason = judged(DOUBTFUL, {}, claim=thirty, reason=ADVICE)[0].reason
    assert "500" not in reason
    assert reason.startswith("the range includes values for and against; more data alone cannot")
    assert "already leaving stays open" in reason


def test_what_could_not_be_computed_is_not_called_survived(judged):
    result, found = judged(NONE, dict.fromkeys(PRONE))
    assert result.verdict == "contradicted"
    assert status(found, "temperament") == "cannot be tested"


def test_a_longest_lead_that_must_not_decide_keeps_a_contradiction_open(judged):
    assert judged(NONE, {})[0].verdict == "contradicted"
    result, found = judged(NONE, {LEADS[-1]: (*NONE, "too many left alone")})
    assert result.verdict == "undecided"
    assert status(found, "already-leaving") == "keeps it open"


@pytest.mark.parametrize("rival", [Pace("pace"), Temperament("temperament")])
def test_what_a_contradiction_need_not_survive_has_no_error_probability(rival):
    anger = catalogue()["anger-to-appreciation"].primary
    number = interval(1.01, 0.1)
    row = RivalRow(
        label="",
        lead_days=0,
        estimate=number,
        unit=anger.unit,
        verdict="undecided",
        lacks="",
    )
    variant = Variant(own_gaps="now") if rival.id == "pace" else Variant(recent=30)
    analysis = Analysis(rival.id, "", anger, variant)
    outcome = Outcome(analysis, row, decide(number, anger.claimed_region), is_outside=False)
    assert rival.p_of_contradiction([outcome]) == []


@pytest.mark.parametrize(
    ("leads", "verdict"), [((14, 30, 60), "undecided"), ((14,), "supported"), ((), "supported")]
)
def test_thirty_days_is_open_where_customers_may_decide_earlier_than_it_can_tell(
    judged, leads, verdict
):
    claim = catalogue()["thirty-days"]
    moments = {"lead_days": leads}
    (result, _) = judged(INSIDE, {}, claim=claim, moments=moments)
    assert result.verdict == verdict
    if leads == (14, 30, 60):
        assert "unless the study declares that nobody does" in result.reason
    assert judged(NONE, {}, claim=claim, moments=moments)[0].verdict == "contradicted"


def test_a_verdict_that_is_open_by_itself_stays_so(judged):
    result, found = judged(DOUBTFUL, dict.fromkeys((*LEADS, *PRONE), INSIDE))
    assert result.verdict == "undecided"
    assert "values for and against" in result.reason
    assert not [r for r in found if r.status == "keeps it open"]


# All of several


@pytest.mark.parametrize(
    ("se", "of", "verdict"),
    [(0.045, 1, "contradicted"), (0.045, 4, "undecided"), (0.03, 4, "contradicted")],
)
def test_one_of_several_is_contradicted_at_so_much_less_error(judged, se, of, verdict):
    assert judged((1.0, se), {}, of=of)[0].verdict == verdict
    assert apply_joint_level(row((1.0, se)), CLAIM.primary, of).verdict == verdict


def test_the_longest_lead_of_one_of_several_is_held_to_that_as_well(judged):
    assert judged(NONE, {LEADS[-1]: (1.0, 0.045)}, of=1)[0].verdict == "contradicted"
    assert judged(NONE, {LEADS[-1]: (1.0, 0.045)}, of=4)[0].verdict == "undecided"


def test_support_of_one_of_several_is_at_the_level_itself(judged):
    edge = (1.1, 0.045)  # 1.006 at 95%, 0.98 at 98.75%
    assert judged(edge, {}, of=4)[0].verdict == "supported"
    assert joint_readings(catalogue()["four-expectations"]) == (
        "respect",
        "solutions",
        "simplicity",
        "responsibility",
    )


def test_a_second_number_without_rivals_contradicts_at_its_part_of_the_error_only(monkeypatch):
    """Of silent customers: the share cannot contradict here, and the excess is outside at 95%, not at 97.5%."""
    claim = catalogue()["silent-defection"]
    names = joint_readings(claim)
    assert names == ("silent", "excess")
    assert not readings_with_rivals(claim)
    reading = claim.reading("excess")
    for se, verdict in ((0.0048, "undecided"), (0.003, "contradicted")):
        number = estimate(0.0, se, scale="identity", level=0.95, clusters=CLUSTERS)
        assert decide(number, reading.claimed_region).verdict == "contradicted"
        rows = {
            "excess": replace(
                row(INSIDE), reading_id="excess", estimate=number, verdict="contradicted"
            )
        }
        trial._apply_rivals(None, claim, {}, rows)
        assert rows["excess"].verdict == verdict


# What moments without a grade count as


@pytest.mark.parametrize(
    ("claim", "grade"),
    [("bad-moments-drive-away", "bad"), ("good-moments-build", "good"), ("handoffs", "bad")],
)
def test_moments_without_a_grade_count_as_those_that_are_asked_about(claim, grade, study):
    """And are no term of their own then, which would take them out again."""
    made, variant = catalogue()[claim], Variant(unknown="as asked")
    assert asked_grade(made, made.primary) == grade
    setting = context(study).store.setting
    given = claim_histories(setting, made, made.primary, Variant())
    counted = claim_histories(setting, made, made.primary, variant)
    changed = {n for n in given if given[n].name != counted[n].name}
    assert changed == {"bad" if claim == "bad-moments-drive-away" else f"each_{grade}"}
    terms = terms_of(made, made.primary, variant)
    assert [t for t in made.primary.model.terms if t not in terms] == [
        t for t in made.primary.model.terms if t == "linear(each_unknown)"
    ]


# What is dismissed, and what cannot be tested


def test_a_study_whose_customers_leave_at_once_dismisses_leads(judged):
    moments = {"lead_days": ()}
    result, found = judged(INSIDE, dict.fromkeys(LEADS, NONE), moments=moments)
    assert result.verdict == "supported"
    leaving = next(r for r in found if r.id == "already-leaving")
    assert (leaving.status, leaving.rows) == ("dismissed", ())
    assert "lead_days" in leaving.reason
    [alone] = [r.rows for r in found if r.id == "temperament"]
    assert [r.lead_days for r in alone] == [0, 0]


def test_a_shorter_lead_is_the_longest(judged):
    moments = {"lead_days": (14,)}
    assert judged(INSIDE, {LEADS[0]: NONE}, moments=moments)[0].verdict == "undecided"
    assert judged(INSIDE, {LEADS[2]: NONE}, moments=moments)[0].verdict == "supported"
    assert judged(NONE, {LEADS[0]: DOUBTFUL_NONE}, moments=moments)[0].verdict == "undecided"


def test_measured_grades_dismiss_temperament_and_still_show_it(judged):
    result, found = judged(INSIDE, dict.fromkeys(PRONE, NONE), moments={"grades": "measured"})
    assert result.verdict == "supported"
    temperament = next(r for r in found if r.id == "temperament")
    assert temperament.status == "dismissed"
    assert [r.verdict for r in temperament.rows] == ["contradicted"] * 2
    assert judged(INSIDE, dict.fromkeys(PRONE, NONE))[0].verdict == "undecided"


@pytest.mark.parametrize(
    ("other", "said"), [(0, "No customer left"), (49, "Fewer than 50 customers left")]
)
def test_fewer_than_fifty_other_exits_cannot_be_tested(judged, facts, other, said):
    facts(other=other)
    result, found = judged(INSIDE, {CONTROL: (3.0, 0.1)})
    assert result.verdict == "supported"
    control = next(r for r in found if r.id == "other-exits")
    assert (control.status, control.rows) == ("cannot be tested", ())
    assert control.reason.startswith(said)


@pytest.mark.parametrize(("unknown", "variants"), [(0.2, []), (0.21, ANSWERS), (0.5, ANSWERS[:3])])
def test_who_answers_matters_where_many_do_not(study, facts, unknown, variants):
    facts(unknown=unknown)
    made = plan_analyses(context(study), CLAIM, CLAIM.primary)
    assert [p.variant for p in made if p.rival == "who-answers"] == variants


def test_few_without_a_grade_require_nothing(judged, facts):
    facts(unknown=0.2)
    _, found = judged(INSIDE, {})
    assert status(found, "who-answers") == "not required"


class Stubborn(RivalExplanation):
    """A rival that no verdict survives."""

    def leaves_support(self, facts, outcomes, region):
        return False


def test_another_rival_is_one_object_more(judged, monkeypatch):
    """The rule iterates over the objects and names none of them."""
    others = tuple(r for r in EXPLANATIONS if r.id != "calendar")
    monkeypatch.setattr(rivals, "EXPLANATIONS", (*others, Stubborn("calendar")))
    entry = {"status": "required", "reason": "It is required for once."}
    claim = own(HAZARD, rivals={"calendar": entry})
    result, found = judged(INSIDE, {}, claim=claim)
    assert result.verdict == "undecided"
    assert [r.id for r in found if r.status == "keeps it open"] == ["calendar"]


@pytest.mark.parametrize(
    ("own_number", "control", "verdict"),
    [
        (INSIDE, (1.02, 0.05), "supported"),
        (INSIDE, (0.8, 0.05), "supported"),
        (INSIDE, (1.1, 0.02), "undecided"),
        (NONE, (1.1, 0.02), "contradicted"),
        (NONE, (0.8, 0.05), "undecided"),
    ],
)
def test_a_control_that_a_claim_names_counts_on_its_side_alone(
    judged, own_number, control, verdict
):
    """No news: whether who had been in touch less before leaves sooner as well."""
    claim = catalogue()["no-news"]
    result, found = judged(own_number, {Variant(): control}, claim=claim)
    assert (result.verdict, result.p is None) == (verdict, False)
    busy = next(r for r in found if r.id == "busy")
    assert busy.status == ("keeps it open" if verdict == "undecided" else "survived")
    [row] = busy.rows
    assert row.label.startswith("rate of leaving for each contact fewer before")


def test_pace_is_a_rival_of_shops_alone(judged):
    _, found = judged(INSIDE, {})
    assert "pace" not in {r.id for r in found}


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        ({}, ()),
        ({"lead_days": ()}, ("Customers leave as soon as they decide to (lead_days = []).",)),
        (
            {"lead_days": (14,)},
            ("Nobody decides to leave longer ahead than 14 days (lead_days = [14]).",),
        ),
        (
            {"grades": "measured"},
            ('Grades are measured, not given by customers (grades = "measured").',),
        ),
    ],
)
def test_what_a_study_declares_is_said(study, moments, said):
    assert describe_declarations(context(study, moments).study) == said


def test_the_limit_nearest_to_one_has_an_e_value_too(judged):
    _, found = judged(DOUBTFUL, {})
    reason = next(r for r in found if r.id == "unseen").reason
    assert reason.endswith("1.5 to explain the number away, and of 1.0 for the limit nearest to 1.")


# Which rivals a claim has


@pytest.mark.parametrize("claim", catalogue().values(), ids=lambda c: c.id)
def test_every_claim_says_of_every_rival_whether_it_applies_and_why(claim):
    entries = rival_entries(claim)
    assert tuple(entries) == RIVALS == tuple(descriptions())
    for rival, entry in entries.items():
        assert re.fullmatch(r"[A-Z].{15,}\.", entry.reason), rival
        assert len(entry.reason.split()) >= 4, rival
        if entry.status == "required" and rival == "already-leaving":
            assert rivals.target_reading(claim) is not None


def own(reading, **changes):
    histories = {
        "bad": {"use": "bad_count", "cap": 1},
        "contacts": {"use": "contacts_within", "days": 90, "edges": [1]},
    }
    reading = {"id": "r", "label": "l", "primary": True, "region": "> 0.5", **reading}
    raw = {
        "id": "own",
        "statement": "s",
        "source": "us",
        "histories": histories,
        "readings": [reading],
        "text": {"finding": "it is so"},
    }
    return parse_claim(raw | changes)


HAZARD = {
    "kind": "hazard_contrast",
    "model": {"terms": ["bad"]},
    "contrast": {"bad[1+]": 1},
    "region": "> 1",
}
EXCESS = {
    "kind": "excess",
    "compare": {"history": "bad", "level": "1+", "active_within": ["contacts"]},
    "region": "> 0",
}


@pytest.mark.parametrize(
    ("reading", "leaving", "calendar"),
    [
        (HAZARD, "required", "held equal"),
        (EXCESS, "required", "held equal"),
        ({"kind": "incidence"}, "meaningless", "meaningless"),
        ({"kind": "share", "numerator": {"bad": ["1+"]}}, "meaningless", "meaningless"),
    ],
)
def test_a_claim_of_ones_own_has_the_rivals_of_its_kind(reading, leaving, calendar):
    entries = rival_entries(own(reading))
    assert tuple(entries) == RIVALS
    assert (entries["already-leaving"].status, entries["calendar"].status) == (leaving, calendar)


def test_a_claim_of_ones_own_can_say_otherwise():
    why = {"status": "meaningless", "reason": "Nobody grades a meter."}
    entries = rival_entries(own(HAZARD, rivals={"temperament": why}))
    assert (entries["temperament"].status, entries["temperament"].reason) == tuple(why.values())
    assert entries["already-leaving"].status == "required"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"rivals": {"temprament": {"status": "shown", "reason": "x"}}},
            "did you mean 'temperament'",
        ),
        (
            {"rivals": {"temperament": {"status": "shown", "reason": " "}}},
            "temperament.reason must say why",
        ),
        (
            {"rivals": {"temperament": {"status": "show", "reason": "x"}}},
            "status: invalid enum value 'show'",
        ),
        (
            {"rivals": {"recency": {"status": "shown", "reason": "x", "readings": ["q"]}}},
            "no reading 'q'",
        ),
        ({"at_lead": {"bed": "as it is"}}, "no history 'bed'"),
        ({"at_lead": {"bad": "later"}}, "at_lead"),
        ({"proneness": [{"use": "graded_shares"}]}, "did you mean 'graded_share'"),
    ],
)
def test_wrong_entries_are_refused(changes, said):
    with pytest.raises(ClaimError, match=re.escape(said)):
        own(HAZARD, **changes)


def test_a_range_is_that_of_a_history_of_the_model():
    with pytest.raises(ClaimError, match="over_range: 'contacts' is in no term of the model"):
        own(HAZARD | {"over_range": "contacts"})


# Planted companies


@pytest.fixture(scope="module")
def quiet():
    """A company in which moments do nothing, to which tests add something else."""
    return simulate(World(unknown_share=0.0), 3_000, 3)


def evaluated(interactions, customers, claim="bad-moments-drive-away", **moments):
    sections = SECTIONS | {"moments": SECTIONS["moments"] | moments}
    made = cx.study_from(sections, interactions=interactions, retention=customers)
    return cx.evaluate(made, [claim], alone=True, verdicts_only=True)[claim]


def opened(trial):
    return {r.id for r in trial.rivals if r.status == "keeps it open"}


@pytest.mark.slow
def test_calls_of_customers_who_have_decided_are_not_blamed(quiet):
    """Who defects has a bad moment 1 to 14 days before; that and leaving go together, and mean nothing."""
    leaving = quiet.customers.filter(pl.col("reason") == "switched")
    days = pl.Series([1 + i % 14 for i in range(leaving.height)])
    before = leaving.with_columns(at=pl.col("end") - pl.duration(days=days))
    before = before.filter(pl.col("at") >= pl.col("start"))
    log = quiet.interactions
    calls = before.select(
        "customer",
        at=pl.col("at").cast(log.schema["at"]),
        stars=pl.lit(1, log.schema["stars"]),
        touchpoint=pl.lit("phone"),
    )
    trial = evaluated(pl.concat([log, calls], how="diagonal"), quiet.customers)
    assert trial.association == "supported"
    assert trial.primary.estimate.value > 1.5
    assert trial.verdict_alone == "undecided"
    assert "already-leaving" in opened(trial)
    leads = next(r for r in trial.rivals if r.id == "already-leaving").rows
    assert all(r.estimate.low < 1.1 for r in leads)


@pytest.mark.slow
def test_a_short_effect_is_open_until_the_study_declares_its_lead():
    made = simulate(World(recent_ratio=4.0), 3_000, 3)
    trial = evaluated(made.interactions, made.customers)
    assert (trial.association, trial.verdict_alone) == ("supported", "undecided")
    assert "already-leaving" in opened(trial)
    firm = evaluated(made.interactions, made.customers, lead_days=[], grades="measured")
    assert firm.verdict_alone == "supported"
    assert firm.primary.estimate == trial.primary.estimate
    assert len(firm.declared) == 2


def test_measured_grades_do_not_say_whose_bad_moments_are_made_good():
    made = simulate(World(hr_bad=(1.0, 2.0, 2.0, 2.0), hr_flipped=0.35), 1_500, 3)
    trial = evaluated(made.interactions, made.customers, "anger-to-appreciation", grades="measured")
    temperament = next(r for r in trial.rivals if r.id == "temperament")
    assert temperament.status in ("survived", "keeps it open")
    assert all("those made good" in row.label for row in temperament.rows)


@pytest.mark.slow
def test_harsh_graders_who_leave_sooner_are_not_blamed_on_moments():
    """Two companies in one: in one, grades are worse and customers leave sooner, whatever happens."""
    harsh, mild = (
        simulate(World(bad_share=b, base_hazard=h, proneness_variance=0.0), 2_000, seed)
        for b, h, seed in ((0.3, 0.0024, 1), (0.1, 0.0012, 2))
    )
    log = pl.concat([named(harsh.interactions, "h"), named(mild.interactions, "m")])
    who = pl.concat([named(harsh.customers, "h"), named(mild.customers, "m")])
    trial = evaluated(log, who)
    assert trial.association == "supported"
    assert trial.verdict_alone == "undecided"
    assert "temperament" in opened(trial)
    rows = next(r for r in trial.rivals if r.id == "temperament").rows
    assert all(r.estimate.value < trial.primary.estimate.value for r in rows)


def named(frame, prefix):
    """The frame with names of customers, and of households, that no other company has."""
    keys = [c for c in ("customer", "household") if c in frame.columns]
    return frame.with_columns((pl.lit(prefix) + pl.col(c)).alias(c) for c in keys)


@pytest.mark.slow
def test_what_ends_relations_of_every_kind_shows_in_other_exits():
    """Two companies in one: where moments are worse, customers leave sooner for whatever cause."""
    worse, better = (
        simulate(
            World(bad_share=b, base_hazard=h, other_hazard=h, proneness_variance=0.0), 2_000, seed
        )
        for b, h, seed in ((0.5, 0.003, 1), (0.05, 0.0006, 2))
    )
    log = pl.concat([named(worse.interactions, "w"), named(better.interactions, "b")])
    who = pl.concat([named(worse.customers, "w"), named(better.customers, "b")])
    trial = evaluated(log, who, lead_days=[], grades="measured")
    assert (trial.association, trial.verdict_alone) == ("supported", "undecided")
    assert opened(trial) == {"other-exits"}


def test_a_lasting_effect_survives_every_rival():
    made = simulate(World(hr_bad=(1.0, 2.5, 2.5, 2.5), proneness_variance=0.1), 6_000, 3)
    trial = evaluated(made.interactions, made.customers)
    assert trial.verdict_alone == "supported", trial.primary.reason
    assert not opened(trial)


@pytest.mark.slow
def test_customers_who_fall_silent_before_leaving_did_not_leave_for_the_silence(quiet):
    """Or whose end was entered late: for 15 to 55 days before it, no contact of theirs is in the log."""
    who = quiet.customers.with_row_index("i").filter(pl.col("reason") == "switched")
    silent = who.select("customer", "end", last=15 + pl.col("i").cast(pl.Int64) % 41)
    log = quiet.interactions.join(silent, on="customer", how="left")
    days = (pl.col("end").cast(pl.Date) - pl.col("at").cast(pl.Date)).dt.total_days()
    log = log.filter(pl.col("end").is_null() | (days > pl.col("last"))).drop("end", "last")
    trial = evaluated(log, quiet.customers, "no-news")
    assert trial.association == "supported"
    assert trial.verdict_alone == "undecided"
    assert "already-leaving" in opened(trial)
    rows = next(r for r in trial.rivals if r.id == "already-leaving").rows
    assert rows[-1].estimate.value < 1.15 < trial.primary.estimate.value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("claim", "worlds"),
    [
        ("goodwill-gesture", ({"goodwill_shares": (0.8,) * 3}, {"goodwill_shares": (0.1,) * 3})),
        ("tell-the-customer", ({"informed_share": 0.8}, {"informed_share": 0.1})),
        ("slow-resolution", ({"resolution_days": 1.0}, {"resolution_days": 20.0})),
    ],
)
def test_those_who_are_worth_keeping_stay_without_being_treated_well(claim, worlds):
    """Two companies in one: in one, customers are treated better and leave later, whatever happens."""
    kept, others = (
        simulate(World(base_hazard=h, **w), 2_500, seed)
        for h, w, seed in ((0.0008, worlds[0], 1), (0.0024, worlds[1], 2))
    )
    log = pl.concat([named(kept.interactions, "k"), named(others.interactions, "o")])
    who = pl.concat([named(kept.customers, "k"), named(others.customers, "o")])
    trial = evaluated(log, who, claim, grades="measured")
    assert trial.association == "supported"
    assert trial.verdict_alone == "undecided"
    assert "temperament" in opened(trial)
    [row] = next(r for r in trial.rivals if r.id == "temperament").rows
    assert abs(math.log(row.estimate.value)) < abs(math.log(trial.primary.estimate.value))


def test_a_gesture_by_lot_that_keeps_customers_is_found():
    made = simulate(World(hr_gesture=0.3, goodwill_shares=(0.4,) * 3), 6_000, 3)
    trial = evaluated(made.interactions, made.customers, "goodwill-gesture")
    assert trial.verdict_alone == "supported", trial.primary.reason


@pytest.mark.slow
def test_where_customers_have_one_problem_nobody_can_ask_how_the_others_were_treated():
    world = World(
        one_problem=True, hr_problem=(2.0, 1.0), hr_gesture=0.5, goodwill_shares=(0.6, 0.3, 0.3)
    )
    made = simulate(world, 6_000, 3)
    trial = evaluated(made.interactions, made.customers, "goodwill-gesture")
    [rival] = (r for r in trial.rivals if r.id == "temperament")
    assert (rival.status, rival.rows[0].estimate) == ("shown", None)
    assert "customers had two problems" in rival.reason
    assert rival.plain.startswith("the company treats some customers better")
    assert trial.verdict_alone == "supported", trial.primary.reason
