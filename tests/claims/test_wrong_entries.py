"""What is written wrongly in an entry is said when it is read, with the field and what is allowed."""

from copy import deepcopy

import msgspec
import pytest

from cxresearch import evaluate
from cxresearch.claims.catalogue_loader import Reading, catalogue, claims_of, parse_claim, to_builtins
from cxresearch.claims.schema import Claim
from cxresearch.claims.sentences import filled
from cxresearch.claims.validation import ANY, KEYS, LIMITS, kind_of
from cxresearch.errors import ClaimError
from cxresearch.worlds import World
from tests.studies import make_study

CONTACTS = {"use": "contacts_within", "days": 90, "edges": [1, 3, 6]}
SO_FAR = {"history": "bad", "level": "1+", "recent": "contacts"}
READINGS = {
    "incidence": {"until": {"history": "many", "level": "2+", "cause": "a second one"}, "region": "> 0.5"},
    "excess": {"compare": SO_FAR, "region": "> 0"},
    "hazard_contrast": {"model": {"terms": ["bad", "contacts"]}, "contrast": {"bad[1+]": 1}, "region": "> 1"},
    "frailty": {"model": {"terms": []}, "frailty": "age", "region": "> 1"},
    "attributable": {"model": {"terms": ["bad", "contacts"]}, "combine": {"bad": 1}, "region": "> 0"},
    "contest": {"model": {"terms": ["contacts"]}, "contest": {"first": ["bad"], "second": ["state"]}, "region": "> 0"},
    "share": {"count": {"bad": ["1+"]}, "region": "> 0.5"},
    "at_risk": {"count": {"bad": ["1+"]}, "at_risk": {"alike": "contacts"}, "region": "> 0"},
    "worst": {"worst": {"of": "agent"}, "region": "> 0.5"},
}
SHAPES = {"frailty": "hazard_contrast", "at_risk": "share", "worst": "share"}


def entry(kind="hazard_contrast", reading=None, **changes):
    """A claim of one's own that is well written, with changes to it and to its reading."""
    own = {"id": "r", "label": "l", "shape": SHAPES.get(kind, kind), "primary": True, **READINGS[kind]}
    raw = {
        "id": "own",
        "statement": "s",
        "source": "us",
        "histories": {
            "bad": {"use": "bad_count", "cap": 1},
            "many": {"use": "bad_count", "cap": 2},
            "contacts": CONTACTS,
            "state": {"use": "last_grade"},
            "age": {"use": "age_of_last", "edges": [30, 180]},
        },
        "readings": [{k: v for k, v in (own | (reading or {})).items() if v is not None}],
        "text": {"supported": "yes", "contradicted": "no", "undecided": "?", "not_testable": "{lacks}"},
    }
    return deepcopy(raw | changes)


def refused(raw, *said):
    """The message of the error, which must hold these words."""
    with pytest.raises(ClaimError) as e:
        parse_claim(raw)
    for part in said:
        assert part in str(e.value), str(e.value)


@pytest.mark.parametrize("kind", READINGS)
def test_what_is_written_well_is_read(kind):
    assert parse_claim(entry(kind)).primary.id == "r"


VALUES = {
    "event": "other exit", "clock": {"since": "bad", "level": "1+"},
    "until": {"history": "bad", "level": "1+", "cause": "a bad one"}, "horizon_days": 30, "ratio_to": "other exit",
    "model": {"terms": ["bad"]}, "contest": {"first": ["bad"], "second": ["contacts"]}, "contrast": {"bad[1+]": 1},
    "final": True, "frailty": "age", "after_days": 30, "combine": {"bad": 1}, "against": "bad", "compare": SO_FAR,
    "part": "exposed", "count": {"bad": ["1+"]}, "among": {"bad": ["1+"]}, "ends": ["defection"],
    "at_risk": {"alike": "contacts"}, "worst": {"of": "agent"},
}  # fmt: skip


def test_every_key_is_some_kinds_own():
    assert {*VALUES, *ANY} == {*Reading.__struct_fields__}
    assert {key for keys in KEYS.values() for key in keys} == {*VALUES}


@pytest.mark.slow
@pytest.mark.parametrize("claim", catalogue().values(), ids=lambda c: c.id)
def test_keys_of_another_kind_are_refused_in_every_reading(claim):
    raw = to_builtins(claim)
    assert parse_claim(raw) == claim
    for i, reading in enumerate(claim.readings):
        for key in {*VALUES} - {*KEYS[kind_of(reading)]}:
            changed = deepcopy(raw)
            changed["readings"][i][key] = VALUES[key]
            refused(changed, f"claims.{claim.id}.readings.{reading.id}.{key}: a", f" has no {key}; it takes: ")


@pytest.mark.parametrize("kind", READINGS)
@pytest.mark.parametrize("key", sorted(VALUES))
def test_keys_of_another_kind_are_refused(kind, key):
    own = kind_of(parse_claim(entry(kind)).primary)
    if key not in KEYS[own]:
        refused(entry(kind, {key: VALUES[key]}), f"claims.own.readings.r.{key}", f"has no {key}; it takes: ")


READING_CASES = [
    ("hazard_contrast", {"smallest_effect": float("nan")}, "r.smallest_effect must be a number above 1"),
    ("hazard_contrast", {"smallest_effect": float("inf")}, "above 1"),
    ("hazard_contrast", {"smallest_effect": 0.9}, "above 1"),
    ("hazard_contrast", {"smallest_effect": 0.0}, "write its inverse"),
    ("hazard_contrast", {"smallest_effect": 1.1, "region": "> 1.2"}, "begins at no difference, '> 1' or '< 1'"),
    ("excess", {"smallest_effect": -0.1}, "above 0 and below 1"),
    ("excess", {"smallest_effect": 1.1}, "above 0 and below 1"),
    ("excess", {"smallest_effect": 0.1, "region": "> 0.2"}, "begins at no difference, '> 0' or '< 0'"),
    ("hazard_contrast", {"alternative": float("inf")}, "r.alternative must be above 0"),
    ("hazard_contrast", {"alternative": 0.0}, "r.alternative must be above 0"),
    ("hazard_contrast", {"alternative": float("nan")}, "above 0"),
    ("contest", {"alternative": float("nan")}, "must be finite"),
    ("share", {"alternative": 1.5}, "between 0 and 1"),
    ("hazard_contrast", {"describes": True}, "the primary reading is tried"),
    ("hazard_contrast", {"after_days": -1}, "r.after_days must be a number of days between 0 and 100,000, was -1"),
    ("hazard_contrast", {"after_days": 2**40}, "between 0 and 100,000"),
    ("incidence", {"horizon_days": True}, "a number of days between 1 and 100,000, or 'study' or 'support', was True"),
    ("incidence", {"horizon_days": 2**40}, "r.horizon_days must be a number of days"),
    ("incidence", {"horizon_days": "suport"}, "or 'study' or 'support', was 'suport'"),
    ("excess", {"horizon_days": "support"}, "or 'study', was 'support'"),
    ("share", {"region": "> 2"}, "r.region: the number is between 0 and 1"),
    ("share", {"region": "< -1"}, "between 0 and 1"),
    ("incidence", {"region": "in [2, 3]"}, "between 0 and 1"),
    ("incidence", {"region": "> 1"}, "and never '> 1'"),
    ("share", {"region": "< 0"}, "and never '< 0'"),
    ("excess", {"region": "> 2"}, "between -1 and 1"),
    ("attributable", {"region": "> 1"}, "below 1, and never"),
    ("hazard_contrast", {"region": "> 1/0"}, "r.region: an edge must be a finite number, was 1/0"),
    ("hazard_contrast", {"region": ">1/0.0"}, "finite number"),
    ("hazard_contrast", {"region": "in [1/0, 2]"}, "finite number"),
    ("hazard_contrast", {"region": "> " + "9" * 400}, "finite number, was 99999999999999999999…"),
    ("hazard_contrast", {"region": "> 0"}, "the number is above 0, so an edge must be, was '> 0'"),
    ("hazard_contrast", {"region": "< 0"}, "above 0"),
    ("hazard_contrast", {"region": "in [0, 1]"}, "above 0"),
    ("hazard_contrast", {"region": "in [-1, 2]"}, "above 0"),
    ("worst", {"worst": {"of": "agent", "within": ["agent"]}}, "worst.within holds 'agent'"),
    ("worst", {"worst": {"within": ["month", "month"]}}, "'month' is named twice"),
    ("worst", {"worst": {"part": 0.0}}, "worst.part must be at least 0.001 and below 1, was 0.0"),
    ("worst", {"worst": {"part": 1.0}}, "below 1"),
    ("worst", {"worst": {"part": 1e-9}}, "at least 0.001"),
    ("worst", {"worst": {"part": float("nan")}}, "at least 0.001"),
    ("hazard_contrast", {"contrast": {"bad[1+]": float("nan")}}, "r.contrast: the weight of bad[1+] must be between"),
    ("hazard_contrast", {"contrast": {"bad[1+]": 1e6}}, "between -1000 and 1000"),
    ("hazard_contrast", {"contrast": {"bad[1+]": 0}}, "all weights are 0"),
    ("attributable", {"combine": {"bad": float("inf")}}, "r.combine: the weight of bad must be"),
    ("attributable", {"combine": {"bda": 1}}, "did you mean 'bad'"),
    ("hazard_contrast", {"contrast": {"bad[2]": 1}}, "r.contrast: bad has no level '2'; it has: 0, 1+, unknown"),
    ("hazard_contrast", {"contrast": {"bad[0]": 1}}, "is what the others are compared with; they are: bad[1+]"),
    ("hazard_contrast", {"contrast": {"bad": 1}}, "must name a level: bad[1+]"),
    ("hazard_contrast", {"contrast": {"bda[1+]": 1}}, "no history 'bda'; did you mean 'bad'"),
    ("hazard_contrast", {"contrast": {"state[bad]": 1}}, "'state[bad]' is not in the model; its terms are: bad"),
    ("hazard_contrast", {"model": {"terms": ["bad[1+]"]}}, "r.model.terms: 'bad[1+]' is no term"),
    ("hazard_contrast", {"model": {"terms": ["bad", "bad"]}}, "'bad' is named twice"),
    ("hazard_contrast", {"model": {"terms": ["bad"], "strata": ["segment", "segment"]}}, "'segment' is named twice"),
    ("hazard_contrast", {"model": {"terms": ["bad"], "strata": ["contacts"]}}, "a stratum must be fixed"),
    ("contest", {"contest": {"first": ["bad"], "second": ["bad"]}}, "is in two places"),
    ("contest", {"contest": {"first": ["bad"], "second": []}}, "contest.second must name at least one term"),
    ("hazard_contrast", {"among": {"bad": ["7"]}}, "r.among.bad: bad has no level '7'"),
    ("share", {"count": {"bad": ["7"]}}, "r.count.bad: bad has no level '7'; it has: 0, 1+, unknown"),
    ("share", {"count": {"bad": []}}, "must name at least one level"),
    ("share", {"ends": ["defektion"]}, "r.ends: no cause 'defektion'; did you mean 'defection'"),
    ("at_risk", {"at_risk": {"alike": "bad"}}, "'bad' cannot count and make comparators alike"),
    ("at_risk", {"at_risk": {"alike": ""}}, "no history ''"),
    ("hazard_contrast", {"clock": {"since": "state", "level": "bad"}}, "r.clock.since: state can fall as well as rise"),
    ("hazard_contrast", {"clock": {"since": "bad", "level": "9"}}, "r.clock.level: bad has no level '9'"),
    ("hazard_contrast", {"clock": {"since": "bad", "level": "0"}}, "it can come to: 1+"),
    ("hazard_contrast", {"clock": {"since": "many", "level": "2+", "below": "1"}}, "must be a level of many above"),
    ("hazard_contrast", {"clock": {"since": "bad", "level": "1+", "below": "x"}}, "clock.below: bad has no level 'x'"),
    ("excess", {"compare": SO_FAR | {"alike": ""}}, "r.compare.alike: no history ''; there are: bad"),
    ("excess", {"compare": SO_FAR | {"recent": "contcts"}}, "did you mean 'contacts'"),
    ("excess", {"compare": SO_FAR | {"level": "2"}}, "r.compare.level: bad has no level '2'"),
    ("excess", {"compare": SO_FAR | {"history": "state", "level": "bad"}}, "can fall as well as rise"),
    ("excess", {"event": "third"}, "r.event: no cause 'third'; there are: defection, other exit"),
    ("hazard_contrast", {"event": "censored"}, "no cause 'censored'"),
    ("incidence", {"event": "defektion"}, "did you mean 'defection'"),
    ("incidence", {"ratio_to": "nope"}, "r.ratio_to: no cause 'nope'; there are: defection, other exit, a second one"),
    ("incidence", {"ratio_to": "defection"}, "r.ratio_to is the event itself"),
    ("frailty", {"model": {"terms": ["bad"]}}, "nothing but strata"),
    ("frailty", {"frailty": ""}, "no history ''"),
    ("hazard_contrast", {"ladder": ["r"]}, "is the reading itself"),
    ("hazard_contrast", {"shape": "hazard"}, "claims.own.readings.r.shape: invalid enum value"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "said"), READING_CASES)
def test_wrong_readings(kind, change, said):
    refused(entry(kind, change), "claims.own.readings.r", said)


CAUSES = ["", " ", "defection", "other exit", "censored", "group", "time", "entered", "left", "bad", "contacts", "*"]


@pytest.mark.parametrize("cause", CAUSES)
def test_a_transition_has_a_name_of_its_own(cause):
    until = READINGS["incidence"]["until"] | {"cause": cause}
    refused(entry("incidence", {"until": until}), "claims.own.readings.r.until.cause")


def test_a_transition_is_one_moment_in_time():
    until = {"history": "state", "level": "bad", "cause": "a bad one"}
    refused(entry("incidence", {"until": until}), "until.history: state can fall as well as rise", "bad, many")
    until = {"history": "many", "level": "3+", "cause": "a third one"}
    refused(entry("incidence", {"until": until}), "until.level: many has no level '3+'; it has: 0, 1, 2+")


NAMES = ["", "defection", "other exit", "flow", "rows", "time", "group", "event", "customer", "*", "^a$", "self"]


@pytest.mark.parametrize("name", NAMES)
def test_what_no_history_can_be_called(name):
    refused(entry(histories={name: {"use": "bad_count"}}), "claims.own.histories")


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ({"use": "bad_count", "cap": True}, "cap must be a whole number between 0 and 1,000, was True"),
        ({"use": "bad_count", "cap": 2**63 - 1}, "between 0 and 1,000, was 9223372036854775807"),
        ({"use": "bad_count", "cap": 0}, "cap must be a whole number and at least 1"),
        (CONTACTS | {"days": True}, "days must be a whole number between 0 and 100,000, was True"),
        (CONTACTS | {"days": 1.5}, "days must be a whole number"),
        (CONTACTS | {"days": "7"}, "days must be a whole number between 0 and 100,000, was '7'"),
        (CONTACTS | {"days": float("inf")}, "days must be a whole number"),
        (CONTACTS | {"edges": [True]}, "edges must be a list of whole numbers between 0 and 100,000"),
        (CONTACTS | {"edges": [1.5]}, "was [1.5]"),
        (CONTACTS | {"edges": [1, float("nan")]}, "was [1, nan]"),
        (CONTACTS | {"edges": [2**70]}, "edges must be a list"),
        (CONTACTS | {"edges": 7}, "edges must be a list"),
        (CONTACTS | {"edges": {"a": 1}}, "edges must be a list"),
        (CONTACTS | {"edges": []}, "with at least one, was []"),
        (CONTACTS | {"edges": [3, 1]}, "edges must rise"),
        (CONTACTS | {"grades": []}, "grades must be a list of words, with at least one, was []"),
        (CONTACTS | {"grades": "bad"}, "grades must be a list of words"),
        ({"use": "first_problem", "quick_hours": 1.5}, "quick_hours must be a whole number"),
        ({"use": "problem_severity", "first": "x"}, "first must be true or false, was 'x'"),
        ({"use": "moment_count", "attended": 1}, "attended must be true or false, was 1"),
        ({"use": {"x": 1}}, "use must name a history, was {'x': 1}"),
        ({"use": "bad_cout"}, "did you mean 'bad_count'"),
        ({"cap": 1}, "use must name a history; there are"),
        ({"use": "grade_count"}, "grade_count needs grade"),
        ({"use": "last_grade", "days": 7}, "last_grade has no parameter 'days'; it has none"),
        ({"use": "grade_count", "grade": "awful"}, "no grade 'awful'"),
    ],
)
def test_wrong_histories(says, said):
    refused(entry(histories={"bad": says}), "claims.own.histories.bad", said)


@pytest.mark.parametrize(
    "sentence",
    [
        "50% {", "}", "{}", "{0}", "{r:mid}", "{r.x}", "{r!x}", "{r!r}", "{estimate.a}", "{low:d}", "{customers:,}",
        "{estimate:>5000000000}", "{nope}", "{r:{low}}", "{estimate[0]}", "{base}", "{horizon}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("which", ["supported", "contradicted", "undecided", "not_testable", "caution"])
def test_sentences_that_cannot_be_filled_in(sentence, which):
    text = entry()["text"] | {which: sentence}
    refused(entry(text=text), f"claims.own.text.{which}", "in braces may stand lacks, reason", "{r:low} and {r:high}")


def test_sentences_name_what_they_may():
    text = entry()["text"]
    refused(entry(text=text | {"not_testable": "{estimate}"}), "claims.own.text.not_testable: {estimate} is unknown")
    refused(entry(text=text | {"supported": "{estimat}"}), "did you mean 'estimate'")
    fine = "{{50%}} {estimate} {low} {high} {customers} {events} {lacks} {reason} {r} " + "".join(
        f"{{r:{limit}}}" for limit in LIMITS if limit
    )
    claim = parse_claim(entry(text=text | {"supported": fine, "caution": fine}))
    trial = evaluate(
        make_study(World(), 2_000, claims=[entry(text=text | {"undecided": fine, "supported": fine})]), ["own"]
    )
    assert str(trial["own"].sentence).startswith("{50%} ")
    assert str(filled("{lacks}{r:low}", claim, trial["own"].primary, None, {})) == "unknown"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": ""}, "the id of a claim must not be empty"),
        ({"retention": []}, "claims.own.retention must hold one or both of contract and activity, was []"),
        ({"retention": ["contrakt"]}, "did you mean 'contract'"),
        ({"cell": "bda"}, "claims.own.cell: no history 'bda'; did you mean 'bad'"),
        ({"readings": 5}, "claims.own.readings must be a list, each written [[claims.readings]], was 5"),
        ({"readings": []}, "exactly one reading must say primary = true"),
        ({"readings": [5]}, "claims.own.readings.0 must be a section"),
        ({"covariates": ["bad"]}, "'bad' is a covariate too"),
        ({"covariates": ["segment", "segment"]}, "'segment' is named twice"),
        ({"base_rate": "x"}, "no reading 'x'"),
    ],
)
def test_wrong_claims(changes, said):
    refused(entry(**changes), said)


def test_ids_of_readings_are_their_own():
    refused(entry(reading={"id": ""}), "the id of a reading must not be empty")
    refused(entry(reading={"id": "low"}), "claims.own.readings.low: {low} says something else in sentences")


def test_only_the_primary_reading_looks_at_others_that_are_decided():
    other = entry(reading={"id": "other", "primary": False})["readings"][0]
    first = entry(reading={"ladder": ["other"]})["readings"][0]
    parse_claim(entry(readings=[first, other]))
    refused(entry(readings=[first, other | {"ladder": ["r"]}]), "readings.other.ladder: only the primary reading, r,")
    silent = {k: v for k, v in other.items() if k != "region"} | {"describes": True}
    refused(entry(readings=[first, silent]), "readings.r.ladder: other has no region")
    alone = entry()["readings"][0]
    refused(entry(readings=[alone, silent | {"alternative": 2.0}]), "other.alternative says something about a region")


def test_two_claims_of_a_study_do_not_share_an_id():
    with pytest.raises(ClaimError, match=r"claims\.own: two claims of the study have this id"):
        claims_of((entry(), entry()))
    assert sum(c.id == "one-strike" for c in claims_of((entry(id="one-strike"),))) == 1


def test_an_entry_is_a_section():
    with pytest.raises(ClaimError, match="must be a section with keys of its own"):
        parse_claim(5)


def test_the_catalogue_is_what_its_files_say():
    assert len(catalogue()) == 28
    assert all(isinstance(c, Claim) and msgspec.convert(to_builtins(c), Claim) == c for c in catalogue().values())


@pytest.mark.parametrize("kind", ["incidence", "share"])
def test_a_covariate_can_say_whose_time_counts(kind):
    change = {"among": {"segment": ["basic"]}, "until": None}
    held = entry(kind, change, covariates=["segment"])
    trial = evaluate(make_study(World(), 3_000, claims=[held]), ["own"])["own"]
    assert trial.primary.estimate is not None, trial.primary.lacks
