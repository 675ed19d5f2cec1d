"""Wrong arguments are errors of the package that hold what was given and what is allowed."""

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims.testability import check_claims
from cxresearch.errors import ArgumentError, CxResearchError, EstimationError, UnknownNameError
from cxresearch.journey.scorecard import Score, Scorecard
from cxresearch.utils import checks

WRONG = [
    (lambda v: checks.whole_number("x", v, 1), [None, "3", True, 1.5, 0, -1, [1]]),
    (lambda v: checks.fraction("x", v), [None, "0.9", True, 0, 1, float("nan"), -0.5]),
    (lambda v: checks.flag("x", v), [None, "yes", 1]),
    (lambda v: checks.text("x", v), [None, 3, ["a"]]),
    (lambda v: checks.one_of("x", v, ("bad", "good")), [None, 3, "bda", ["bad"]]),
    (lambda v: checks.names("x", v), [None, "segment", 3, [3], {"a": 1}]),
    (lambda v: checks.edges("x", v), [None, "1", 3, (), (3, 1), (0, 1), (1, 1), (True,)]),
    (lambda v: checks.levels("x", v), [None, "a", {"a": "b"}, {1: ["b"]}]),
    (lambda v: checks.weights("x", v), [None, ["a"], {"a": "b"}, {"a": True}, {"a": float("nan")}]),
    (lambda v: checks.instance("x", v, cx.Study, "a study"), [None, "study.toml"]),
]


@pytest.mark.parametrize(
    ("check", "given"), [(check, v) for check, values in WRONG for v in values]
)
def test_wrong_arguments_are_named(check, given):
    with pytest.raises(ArgumentError, match=r"^x must be .*, was ") as caught:
        check(given)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, CxResearchError)
    assert caught.value.argument == "x"
    assert caught.value.given is given
    assert caught.value.allowed


def test_numpy_values_are_fine():
    assert checks.whole_number("x", np.int64(3), 1) == 3
    assert checks.edges("x", np.array([1, 3])) == (1, 3)
    assert checks.fraction("x", np.float64(0.9)) == 0.9
    assert checks.flag("x", np.True_) is True


def test_the_nearest_word_is_suggested():
    with pytest.raises(ArgumentError, match="did you mean 'good'"):
        checks.one_of("grade", "god", ("bad", "good"))


def test_collections_are_mappings_and_unknown_names_are_key_errors():
    claims = cx.catalogue()
    assert "three-strikes" in claims
    assert "x" not in claims
    assert claims.get("x") is None
    assert list(claims) == list(claims.keys()) == [c.id for c in claims.values()]
    with pytest.raises(KeyError) as caught:
        claims["three-strike"]
    assert isinstance(caught.value, UnknownNameError)
    assert (
        str(caught.value)
        == "no claim in the catalogue 'three-strike'; did you mean 'three-strikes'?"
    )
    assert caught.value.name == "three-strike"
    assert "three-strikes" in caught.value.known
    assert "28 claims" in claims._repr_html_()


LOG = pl.DataFrame({"customer": ["a"], "at": [10], "grade": ["bad"]})
WHO = pl.DataFrame({"customer": ["a"], "start": [0], "end": [50]})


@pytest.mark.parametrize("study", [None, "study.toml", 3, {}])
@pytest.mark.parametrize(
    "call",
    [
        cx.audit,
        cx.episodes,
        cx.evaluate,
        cx.incidence_after_bad,
        cx.read_records,
        cx.risk_table,
        check_claims,
        cx.journey.loyalty_shift,
        cx.journey.moment_summary,
        cx.journey.perception_map,
        cx.journey.scorecard,
        cx.journey.service_levels,
    ],
)
def test_what_is_no_study_is_refused(call, study):
    with pytest.raises(ArgumentError, match=r"^study must be a study") as caught:
        call(study)
    assert caught.value.given is study


@pytest.mark.parametrize("claims", ["three-strikes", 3, [3], [None]])
def test_claims_are_a_list_of_ids(claims):
    study = cx.study_from({}, interactions=LOG, retention=WHO)
    with pytest.raises(ArgumentError, match=r"^claims must be"):
        cx.evaluate(study, claims)


@pytest.mark.parametrize("cap", [None, "3", True, 0, -1, 2.5])
def test_a_cap_is_a_whole_number(cap):
    with pytest.raises(ArgumentError, match=r"^cap must be a whole number and at least 1"):
        cx.bad_count(cap)


UNKNOWN = {
    "Episodes.levels": (lambda e, t: e.levels("bda"), "no history 'bda'; did you mean 'bad'?"),
    "Episodes.position": (
        lambda e, t: e.position("bad", "2"),
        "bad: no level '2'; did you mean '2+'?",
    ),
    "RiskTable.feature": (lambda e, t: t.feature("bda"), "no feature 'bda'; did you mean 'bad'?"),
    "RiskTable.only": (lambda e, t: t.only("bda"), "no feature 'bda'; did you mean 'bad'?"),
    "RiskTable.where": (
        lambda e, t: t.where(bad=["2"]),
        "bad: no level '2'; did you mean '2+'?",
    ),
    "RiskTable.events": (
        lambda e, t: t.events("defectoin"),
        "no cause 'defectoin'; did you mean 'defection'?",
    ),
}


@pytest.mark.parametrize(("look", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_lookup_of_an_unknown_name_is_a_key_error_that_suggests_one(look, said):
    records = cx.read_records(
        cx.study_from(
            {"interactions": {"log_from": 0, "log_until": 60}}, interactions=LOG, retention=WHO
        )
    )
    episodes, table = (call(records, bad=cx.bad_count(2)) for call in (cx.episodes, cx.risk_table))
    with pytest.raises(UnknownNameError) as caught:
        look(episodes, table)
    assert str(caught.value) == said
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, EstimationError)
    assert caught.value.name not in caught.value.known


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (("wbe", "respect"), "no row 'wbe'; did you mean 'web'?"),
        (("web", "respekt"), "no expectation 'respekt'; did you mean 'respect'?"),
        (("web", 3), "no expectation 3; there are: respect"),
        ("web", "no cell: give a row and an expectation, not 'web'"),
        (None, "no cell: give a row and an expectation, not None; there are: web"),
    ],
)
def test_a_cell_of_a_scorecard_is_looked_up_by_row_and_expectation(cell, said):
    score = Score("web", "respect", 12, None)
    card = Scorecard(
        by="owner",
        rows=("web",),
        moments=(3,),
        expectations=("respect",),
        scores=(score,),
        lacks=(),
        level=0.95,
        min_cell=10,
    )
    assert card["web", "respect"] is score
    with pytest.raises(UnknownNameError) as caught:
        card[cell]
    assert str(caught.value).startswith(said)
