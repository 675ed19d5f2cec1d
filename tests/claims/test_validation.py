"""What is written wrongly in an entry is said when it is read, with the field and what is allowed."""

from copy import deepcopy
from importlib import resources

import msgspec
import pytest

from cxresearch import evaluate
from cxresearch.claims.catalogue_loader import SECTIONS, catalogue, claims_of, parse_claim
from cxresearch.claims.kinds import KINDS
from cxresearch.claims.readings import own_keys, required_keys
from cxresearch.claims.schema import Claim
from cxresearch.claims.sentences import fill_sentence
from cxresearch.claims.validation import LIMITS
from cxresearch.errors import ClaimError
from cxresearch.worlds import World
from tests.studies import make_study

CONTACTS = {"use": "contacts_within", "days": 90, "edges": [1, 3, 6]}
SO_FAR = {"history": "bad", "level": "1+", "active_within": ["contacts"]}
MODEL = {"terms": ["bad", "contacts"]}
READINGS = {
    "incidence": {
        "competing_event": {"history": "many", "level": "2+", "cause": "a second one"},
        "region": "> 0.5",
    },
    "excess": {"compare": SO_FAR, "region": "> 0"},
    "hazard_contrast": {"model": MODEL, "contrast": {"bad[1+]": 1}, "region": "> 1"},
    "fading": {"age": "age", "region": "> 1"},
    "attributable_share": {"model": MODEL, "weights": {"bad": 1}, "region": "> 0"},
    "model_comparison": {
        "model": {"terms": ["contacts"]},
        "a": ["bad"],
        "b": ["state"],
        "region": "> 0",
    },
    "share": {"numerator": {"bad": ["1+"]}, "region": "> 0.5"},
    "share_at_risk": {"numerator": {"bad": ["1+"]}, "matched_on": "contacts", "region": "> 0"},
    "concentration": {"of": "agent", "region": "> 0.5"},
}


def entry(kind="hazard_contrast", reading=None, **changes):
    """A claim of one's own that is well written, with changes to it and to its reading."""
    own = {"id": "r", "label": "l", "kind": kind, "primary": True, **READINGS[kind]}
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
        "text": {"finding": "it is so", "undecided": "?", "not_testable": "{lacks}"},
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
    "event": "other exit", "time_origin": {"history": "bad", "level": "1+"},
    "competing_event": {"history": "bad", "level": "1+", "cause": "a bad one"}, "horizon_days": 30,
    "ratio_to": "other exit", "model": {"terms": ["bad"]}, "a": ["bad"], "b": ["contacts"], "contrast": {"bad[1+]": 1},
    "time_fixed": True, "age": "age", "after_days": 30, "weights": {"bad": 1}, "reference_grade": "bad",
    "compare": SO_FAR, "measure": "exposed", "numerator": {"bad": ["1+"]}, "subset": {"bad": ["1+"]},
    "exit_causes": ["defection"], "matched_on": "contacts", "strata": ["segment"], "of": "agent",
    "adjust_for": ["month"], "top_fraction": 0.2, "level": 0.8, "over_range": "bad",
}  # fmt: skip


def test_every_key_is_some_kinds_own():
    assert {*READINGS} == {*KINDS}
    assert {key for kind in KINDS.values() for key in own_keys(kind)} == {*VALUES}


@pytest.mark.slow
@pytest.mark.parametrize("claim", catalogue().values(), ids=lambda c: c.id)
def test_keys_of_another_kind_are_refused_in_every_reading(claim):
    raw = msgspec.to_builtins(claim)
    assert parse_claim(raw) == claim
    for i, reading in enumerate(claim.readings):
        for key in {*VALUES} - {*own_keys(type(reading))}:
            changed = deepcopy(raw)
            changed["readings"][i][key] = VALUES[key]
            refused(
                changed,
                f"claims.{claim.id}.readings.{reading.id}.{key}: a",
                f" has no {key}; it takes: ",
            )


@pytest.mark.parametrize("kind", READINGS)
@pytest.mark.parametrize("key", sorted(VALUES))
def test_keys_of_another_kind_are_refused(kind, key):
    if key not in own_keys(KINDS[kind]):
        takes = ", ".join(own_keys(KINDS[kind]))
        refused(
            entry(kind, {key: VALUES[key]}),
            f"claims.own.readings.r.{key}",
            f"has no {key}; it takes: {takes}",
        )


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind in KINDS for key in required_keys(KINDS[kind])]
)
def test_what_a_kind_needs(kind, key):
    refused(entry(kind, {key: None}), f"claims.own.readings.r: the kind {kind} needs {key}")


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("hazard_contrast", {"contrast": {}}),
        ("attributable_share", {"weights": {}}),
        ("share", {"numerator": {}}),
        ("share_at_risk", {"numerator": {}}),
        ("model_comparison", {"a": []}),
        ("model_comparison", {"b": []}),
    ],
)
def test_what_a_kind_needs_is_not_empty(kind, keys):
    refused(entry(kind, keys), f"claims.own.readings.r: the kind {kind} needs {next(iter(keys))}")


@pytest.mark.parametrize("kind", [None, 3, "hazard", "hazard contrast", "Share"])
def test_a_kind_is_one_of_a_few(kind):
    refused(
        entry(reading={"kind": kind}),
        "claims.own.readings.r.kind must be one of incidence, excess, ",
    )


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
    ("model_comparison", {"alternative": float("nan")}, "must be finite"),
    ("share", {"alternative": 1.5}, "between 0 and 1"),
    ("hazard_contrast", {"descriptive": True}, "r.descriptive: the primary reading is decided"),
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
    ("attributable_share", {"region": "> 1"}, "below 1, and never"),
    ("hazard_contrast", {"region": "> 1/0"}, "r.region: an edge must be a finite number, was 1/0"),
    ("hazard_contrast", {"region": ">1/0.0"}, "finite number"),
    ("hazard_contrast", {"region": "in [1/0, 2]"}, "finite number"),
    ("hazard_contrast", {"region": "> " + "9" * 400}, "finite number, was 99999999999999999999…"),
    ("hazard_contrast", {"region": "> 0"}, "the number is above 0, so an edge must be, was '> 0'"),
    ("hazard_contrast", {"region": "< 0"}, "above 0"),
    ("hazard_contrast", {"region": "in [0, 1]"}, "above 0"),
    ("hazard_contrast", {"region": "in [-1, 2]"}, "above 0"),
    ("concentration", {"adjust_for": ["agent"]}, "r.adjust_for holds 'agent'"),
    ("concentration", {"adjust_for": ["month", "month"]}, "r.adjust_for: 'month' is named twice"),
    ("concentration", {"top_fraction": 0.0}, "r.top_fraction must be at least 0.001 and below 1, was 0.0"),
    ("concentration", {"top_fraction": 1.0}, "below 1"),
    ("concentration", {"top_fraction": 1e-9}, "at least 0.001"),
    ("concentration", {"top_fraction": float("nan")}, "at least 0.001"),
    ("concentration", {"of": "agnet"}, "r.of must be 'agent' or 'owner' or 'channel' or 'touchpoint', was 'agnet'"),
    ("hazard_contrast", {"contrast": {"bad[1+]": float("nan")}}, "r.contrast: the weight of bad[1+] must be between"),
    ("hazard_contrast", {"contrast": {"bad[1+]": 1e6}}, "between -1000 and 1000"),
    ("hazard_contrast", {"contrast": {"bad[1+]": 0}}, "all weights are 0"),
    ("attributable_share", {"weights": {"bad": float("inf")}}, "r.weights: the weight of bad must be"),
    ("attributable_share", {"weights": {"bda": 1}}, "did you mean 'bad'"),
    ("hazard_contrast", {"contrast": {"bad[2]": 1}}, "r.contrast: bad has no level '2'; it has: 0, 1+, unknown"),
    ("hazard_contrast", {"contrast": {"bad[0]": 1}}, "is what the others are compared with; they are: bad[1+]"),
    ("hazard_contrast", {"contrast": {"bad": 1}}, "must name a level: bad[1+]"),
    ("hazard_contrast", {"contrast": {"bda[1+]": 1}}, "no history 'bda'; did you mean 'bad'"),
    ("hazard_contrast", {"contrast": {"state[bad]": 1}}, "'state[bad]' is not in the model; its terms are: bad"),
    ("hazard_contrast", {"model": {"terms": ["bad[1+]"]}}, "r.model.terms: 'bad[1+]' is no term"),
    ("hazard_contrast", {"model": {"terms": ["bad", "bad"]}}, "'bad' is named twice"),
    ("hazard_contrast", {"model": {"terms": ["bad"], "strata": ["segment", "segment"]}}, "'segment' is named twice"),
    ("hazard_contrast", {"model": {"terms": ["bad"], "strata": ["contacts"]}}, "a stratum must be fixed"),
    ("model_comparison", {"b": ["bad"]}, "r: 'bad' is in two of a, b and model.terms"),
    ("model_comparison", {"a": ["contacts"]}, "r: 'contacts' is in two of a, b and model.terms"),
    ("model_comparison", {"a": ["bad[1+]"]}, "r.a: 'bad[1+]' is no term"),
    ("model_comparison", {"model": {"terms": [], "strata": ["bad"]}}, "a stratum must be fixed"),
    ("hazard_contrast", {"subset": {"bad": ["7"]}}, "r.subset.bad: bad has no level '7'"),
    ("share", {"numerator": {"bad": ["7"]}}, "r.numerator.bad: bad has no level '7'; it has: 0, 1+, unknown"),
    ("share", {"numerator": {"bad": []}}, "must name at least one level"),
    ("share", {"exit_causes": ["defektion"]}, "r.exit_causes: no cause 'defektion'; did you mean 'defection'"),
    ("share_at_risk", {"matched_on": "bad"}, "r.matched_on: 'bad' cannot count and be held equal at once"),
    ("share_at_risk", {"matched_on": ""}, "no history ''"),
    ("hazard_contrast", {"time_origin": {"history": "state", "level": "bad"}}, "time_origin.history: state can fall"),
    ("hazard_contrast", {"time_origin": {"history": "bad", "level": "9"}}, "r.time_origin.level: bad has no level '9'"),
    ("hazard_contrast", {"time_origin": {"history": "bad", "level": "0"}}, "it can come to: 1+"),
    ("hazard_contrast", {"time_origin": {"history": "many", "level": "2+", "exclude_from": "1"}}, "of many above"),
    ("hazard_contrast", {"time_origin": {"history": "bad", "level": "1+", "exclude_from": "x"}}, "bad has no level"),
    ("excess", {"compare": SO_FAR | {"matched_on": [""]}}, "readings.r: no history ''"),
    ("excess", {"compare": SO_FAR | {"active_within": ["contcts"]}}, "did you mean 'contacts'"),
    ("excess", {"compare": SO_FAR | {"level": "2"}}, "r.compare.level: bad has no level '2'"),
    ("excess", {"compare": SO_FAR | {"history": "state", "level": "bad"}}, "can fall as well as rise"),
    ("excess", {"event": "third"}, "r.event: no cause 'third'; there are: defection, other exit"),
    ("hazard_contrast", {"event": "censored"}, "no cause 'censored'"),
    ("incidence", {"event": "defektion"}, "did you mean 'defection'"),
    ("incidence", {"ratio_to": "nope"}, "r.ratio_to: no cause 'nope'; there are: defection, other exit, a second one"),
    ("incidence", {"ratio_to": "defection"}, "r.ratio_to is the event itself"),
    ("fading", {"strata": ["contacts"]}, "r.strata: 'contacts' is a history"),
    ("fading", {"age": ""}, "no history ''"),
    ("hazard_contrast", {"sensitivity": ["r"]}, "is the reading itself"),
    ("hazard_contrast", {"kind": "hazard_contrasts"}, "was 'hazard_contrasts'; did you mean 'hazard_contrast'"),
    ("hazard_contrast", {"regoin": "> 1"}, "[claims.own.readings.r]; did you mean 'region'"),
    ("hazard_contrast", {"time_origin": {"since": "bad"}}, "key 'since' in [claims.own.readings.r.time_origin]"),
    ("hazard_contrast", {"model": {"term": ["bad"]}}, "key 'term' in [claims.own.readings.r.model]"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "said"), READING_CASES)
def test_wrong_readings(kind, change, said):
    refused(entry(kind, change), "claims.own.readings.r", said)


CAUSES = [
    "",
    " ",
    "defection",
    "other exit",
    "censored",
    "group",
    "time",
    "entered",
    "left",
    "bad",
    "contacts",
    "*",
]


@pytest.mark.parametrize("cause", CAUSES)
def test_a_transition_has_a_name_of_its_own(cause):
    competing = READINGS["incidence"]["competing_event"] | {"cause": cause}
    refused(
        entry("incidence", {"competing_event": competing}),
        "claims.own.readings.r.competing_event.cause",
    )


def test_a_transition_is_one_moment_in_time():
    competing = {"history": "state", "level": "bad", "cause": "a bad one"}
    said = ("competing_event.history: state can fall as well as rise", "bad, many")
    refused(entry("incidence", {"competing_event": competing}), *said)
    competing = {"history": "many", "level": "3+", "cause": "a third one"}
    said = "competing_event.level: many has no level '3+'; it has: 0, 1, 2+"
    refused(entry("incidence", {"competing_event": competing}), said)


NAMES = [
    "",
    "defection",
    "other exit",
    "flow",
    "rows",
    "time",
    "group",
    "event",
    "customer",
    "*",
    "^a$",
    "self",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_no_history_can_be_called(name):
    refused(entry(histories={name: {"use": "bad_count"}}), "claims.own.histories")


@pytest.mark.parametrize(
    ("says", "said"),
    [
        (
            {"use": "bad_count", "cap": True},
            "cap must be a whole number between 0 and 1,000, was True",
        ),
        ({"use": "bad_count", "cap": 2**63 - 1}, "between 0 and 1,000, was 9223372036854775807"),
        ({"use": "bad_count", "cap": 0}, "cap must be a whole number and at least 1"),
        (CONTACTS | {"days": True}, "days must be a whole number between 0 and 100,000, was True"),
        (CONTACTS | {"days": 1.5}, "days must be a whole number"),
        (CONTACTS | {"days": "7"}, "days must be a whole number between 0 and 100,000, was '7'"),
        (CONTACTS | {"days": float("inf")}, "days must be a whole number"),
        (
            CONTACTS | {"edges": [True]},
            "edges must be a list of whole numbers between 0 and 100,000",
        ),
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
@pytest.mark.parametrize(
    "which", ["finding", "supported", "contradicted", "undecided", "not_testable", "caution"]
)
def test_sentences_that_cannot_be_filled_in(sentence, which):
    text = entry()["text"] | {which: sentence}
    refused(
        entry(text=text),
        f"claims.own.text.{which}",
        "in braces may stand lacks, reason",
        "{r:low} and {r:high}",
    )


def test_sentences_name_what_they_may():
    text = entry()["text"]
    refused(
        entry(text=text | {"not_testable": "{estimate}"}),
        "claims.own.text.not_testable: {estimate} is unknown",
    )
    refused(entry(text=text | {"finding": "{estimat}"}), "did you mean 'estimate'")
    fine = "{{50%}} {estimate} {low} {high} {customers} {events} {lacks} {reason} {r} " + "".join(
        f"{{r:{limit}}}" for limit in LIMITS if limit
    )
    claim = parse_claim(entry(text=text | {"finding": fine, "caution": fine}))
    trial = evaluate(
        make_study(World(), 2_000, claims=[entry(text=text | {"finding": fine})]), ["own"]
    )
    assert str(trial["own"].sentence).startswith("{50%} ")
    # a number that could not be computed leaves no hole: the reading's label and number stand instead
    without = str(fill_sentence("{lacks}{r:low}", claim, trial["own"].primary, None, {}))
    assert without.startswith("L: ")
    assert "unknown" not in without


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": ""}, "the id of a claim must not be empty"),
        (
            {"retention": []},
            "claims.own.retention must hold one or both of contract and activity, was []",
        ),
        ({"retention": ["contrakt"]}, "did you mean 'contract'"),
        ({"exposure": "bda"}, "claims.own.exposure: no history 'bda'; did you mean 'bad'"),
        (
            {"readings": 5},
            "claims.own.readings must be a list, each written [[claims.readings]], was 5",
        ),
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
    refused(
        entry(reading={"id": "low"}),
        "claims.own.readings.low: {low} says something else in sentences",
    )


def test_only_the_primary_reading_looks_at_others_that_are_decided():
    other = entry(reading={"id": "other", "primary": False})["readings"][0]
    first = entry(reading={"sensitivity": ["other"]})["readings"][0]
    parse_claim(entry(readings=[first, other]))
    refused(
        entry(readings=[first, other | {"sensitivity": ["r"]}]),
        "other.sensitivity: only the primary reading, r,",
    )
    silent = {k: v for k, v in other.items() if k != "region"} | {"descriptive": True}
    refused(entry(readings=[first, silent]), "readings.r.sensitivity: other has no region")
    alone = entry()["readings"][0]
    refused(
        entry(readings=[alone, silent | {"alternative": 2.0}]),
        "other.alternative says something about a region",
    )


def test_a_reading_like_another():
    first = entry()["readings"][0]
    other = {"id": "other", "label": "the same", "same_as": "r", "model": {"terms": ["bad"]}}
    claim = parse_claim(
        entry(readings=[first | {"alternative": 2.0, "sensitivity": ["other"]}, other])
    )
    assert claim.reading("other") == msgspec.structs.replace(
        claim.primary, id="other", label="the same", primary=False, alternative=None, sensitivity=(),
        model=msgspec.structs.replace(claim.primary.model, terms=("bad",)),
    )  # fmt: skip
    beside = parse_claim(entry(readings=[first, other | {"descriptive": True}])).reading("other")
    assert (beside.region, beside.contrast) == (None, {"bad[1+]": 1})
    refused(
        entry(readings=[first, other | {"same_as": "s"}]),
        "readings.other.same_as must name a reading above it",
    )
    refused(
        entry(readings=[other, first]),
        "readings.other.same_as must name a reading above it, was 'r'; above it",
    )
    refused(
        entry(readings=[first, other | {"kind": "share"}]),
        "readings.other.kind: it is the kind of r",
    )
    refused(
        entry(readings=[first, other | {"numerator": {}}]),
        "other.numerator: a hazard contrast has no numerator",
    )


def test_a_base_rate_can_be_a_reading():
    claim = parse_claim(entry(base_rate={"label": "without one", "subset": {"bad": ["0"]}}))
    assert claim.base_rate == "left-anyway"
    assert (claim.reading("left-anyway").kind, claim.reading("left-anyway").descriptive) == (
        "incidence",
        True,
    )
    refused(
        entry(base_rate={"label": "x", "subset": {"bad": ["9"]}}),
        "left-anyway.subset.bad: bad has no level '9'",
    )
    refused(
        entry(base_rate={"subset": {"bad": ["0"]}}), "claims.own.readings.left-anyway", "`label`"
    )


def test_the_sentence_of_a_verdict():
    text = parse_claim(entry(text={"finding": "It is {estimate}.", "supported": "So it is."})).text
    assert text.template("supported") == "It is {estimate}. So it is."
    assert text.template("contradicted") == "It is {estimate}."
    assert (
        text.template("undecided") == "It is {estimate}. That does not decide the claim: {reason}."
    )
    assert text.template("not testable") == "This study cannot say: it lacks {lacks}."


def test_two_claims_of_a_study_do_not_share_an_id():
    with pytest.raises(ClaimError, match=r"claims\.own: two claims of the study have this id"):
        claims_of((entry(), entry()))
    assert sum(c.id == "one-strike" for c in claims_of((entry(id="one-strike"),))) == 1


def test_an_entry_is_a_section():
    with pytest.raises(ClaimError, match="must be a section with keys of its own"):
        parse_claim(5)


def test_the_catalogue_is_what_its_files_say():
    assert len(catalogue()) == 28
    folder = resources.files("cxresearch.claims").joinpath("catalogue")
    assert {f"{name}.toml" for name in SECTIONS} == {
        f.name for f in folder.iterdir() if f.name.endswith(".toml")
    }
    assert all(
        isinstance(c, Claim) and msgspec.convert(msgspec.to_builtins(c), Claim) == c
        for c in catalogue().values()
    )


@pytest.mark.parametrize("kind", ["incidence", "share"])
def test_a_covariate_can_say_whose_time_counts(kind):
    change = {"subset": {"segment": ["basic"]}}
    held = entry(kind, change | {"competing_event": None}, covariates=["segment"])
    trial = evaluate(make_study(World(), 3_000, claims=[held]), ["own"])["own"]
    assert trial.primary.estimate is not None, trial.primary.lacks
