"""Comparisons of models as claims of one's own, in worlds where one side is known to matter."""

from dataclasses import replace

import pytest

from cxresearch import evaluate
from cxresearch.claims.catalogue_loader import parse_claim
from cxresearch.claims.testability import missing_requirement
from cxresearch.errors import ClaimError
from cxresearch.records.records import columns_of
from cxresearch.study import study_from
from cxresearch.worlds import World, simulate
from tests.studies import make_study

PEOPLE = {
    "id": "people-not-segments",
    "statement": "What customers lived through says more than the segment they are in.",
    "source": "us",
    "covariates": ["segment"],
    "histories": {
        "bad": {"use": "bad_count", "cap": 2},
        "contacts": {"use": "contacts_within", "days": 90, "edges": [1, 3, 6]},
    },
    "text": {"finding": "{estimate}", "undecided": "{reason}", "not_testable": "{lacks}"},
    "readings": [
        {
            "id": "comparison",
            "label": "what bad moments say, less what the segment says",
            "kind": "model_comparison",
            "primary": True,
            "model": {"terms": ["contacts"]},
            "a": ["bad"],
            "b": ["segment"],
            "region": "> 0",
        }
    ],
}
NOTHING = World(segment_ratios=(1.0, 1.0, 1.0))
WORLDS = {
    "supported": replace(NOTHING, hr_bad=(1.0, 2.0, 3.0, 4.0)),
    "contradicted": replace(NOTHING, segment_ratios=(1.0, 0.4, 2.5)),
    "undecided": NOTHING,
}


@pytest.mark.parametrize("verdict", WORLDS)
def test_the_side_that_matters_wins(verdict):
    (trial,) = evaluate(
        make_study(WORLDS[verdict], 6_000, 1, claims=[PEOPLE]), [PEOPLE["id"]]
    ).values()
    assert trial.verdict == verdict, trial.sentence
    if verdict == "undecided":
        assert "neither of the two says anything" in str(trial.sentence)
    else:
        assert trial.primary.unit == "log likelihood per departure"
        assert trial.primary.estimate.value == pytest.approx(0, abs=0.5)


def test_what_a_study_lacks_is_said_before_anything_is_read():
    made = simulate(NOTHING, 300, 1)
    raw = {
        "interactions": {"score": "stars", "scale": [1, 5]},
        "retention": {"cause": "reason"},
        "claims": [PEOPLE],
    }
    study = study_from(raw, interactions=made.interactions, retention=made.customers)
    said = "segment: its column is not named under [retention], segment"
    assert missing_requirement(parse_claim(PEOPLE), study, columns_of(study)) == said
    (trial,) = evaluate(study, [PEOPLE["id"]], alone=True).values()
    assert (trial.verdict, trial.primary.lacks) == ("not testable", said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"b": None}, "the kind model_comparison needs b"),
        ({"model": None}, "the kind model_comparison needs model"),
        ({"a": ["bda"]}, "no history 'bda'; did you mean 'bad'"),
        (
            {"model": {"terms": [], "strata": ["segment"]}},
            "'segment' cannot be a term and a stratum at once",
        ),
    ],
)
def test_what_the_grammar_refuses(change, said):
    reading = {k: v for k, v in (PEOPLE["readings"][0] | change).items() if v is not None}
    with pytest.raises(ClaimError, match=said):
        parse_claim(PEOPLE | {"readings": [reading]})
