"""Every argument of every public function, given something of another type, is an error that names the argument.

The functions are those that the package exports, so that a new one is tried as soon as it is exported. What is wrong
for an argument follows from its annotation; an annotation that is not known here is a failure.
"""

from __future__ import annotations

import inspect
from datetime import date
from functools import cache

import polars as pl
import pytest
from lifelines import WeibullFitter

import cxresearch as cx
from cxresearch import charts, curves, estimators, histories, journey
from cxresearch.errors import ArgumentError, CxResearchError
from cxresearch.risk.matched import matched_table

# an object of the package in the place of another one, as it happens in a notebook
MIXED = ("study", "records", "table", "docket")
NOTHING, NUMBER, TEXT, LIST, OBJECT = None, 3, "segment", ["segment", 3], object()
WRONG = {
    "str": (NUMBER, LIST, OBJECT),
    "Unit | str": (NUMBER, LIST, OBJECT, TEXT),
    "Fitter": (TEXT, NUMBER, LIST, *MIXED),
    "int": (TEXT, 2.5, True, LIST),
    "date | int": (TEXT, 2.5, True, LIST),
    "float": (TEXT, LIST, True),
    "bool": (TEXT, NUMBER, LIST),
    "Sequence[str]": (TEXT, NUMBER, LIST, [None]),
    "Collection[str]": (TEXT, NUMBER, LIST),
    "tuple[str, ...]": (TEXT, NUMBER, LIST),
    "tuple[int, ...]": (TEXT, NUMBER, LIST, {1: 2}),
    "Sequence[int]": (TEXT, NUMBER, LIST),
    "Sequence[float]": (TEXT, NUMBER, LIST),
    "Path": (TEXT, NUMBER, LIST),
    "Mapping[str, Path]": (TEXT, NUMBER, LIST, {"a": 3}),
    "Levels": (TEXT, NUMBER, LIST),
    "Study | Records | DefinitionStore": (TEXT, NUMBER, LIST, "table", "docket"),
    "MatchedTable": (TEXT, NUMBER, LIST, "table", "study"),
    "Mapping[str, float]": (TEXT, NUMBER, LIST, {"bad[1]": "a"}),
    "Mapping[str, Sequence[str]]": (TEXT, NUMBER, LIST, {"bad": "1"}),
    "dict[str, tuple[str, ...]]": (TEXT, NUMBER, LIST, {"bad": "1"}),
    "Mapping[str, str]": (TEXT, NUMBER, LIST, {"NAME": 3}),
    "Mapping[str, Any]": (TEXT, NUMBER, LIST, {3: 4}),
    "str | Path": (NUMBER, LIST, OBJECT),
    "Ties": (TEXT, NUMBER, LIST),
    "Transform": (TEXT, NUMBER, LIST),
    "Literal['robust', 'model']": (TEXT, NUMBER, LIST),
    "Progress": (TEXT, NUMBER, LIST),
    "Engine | str": (NUMBER, LIST, OBJECT),
    "pl.DataFrame": (TEXT, NUMBER, LIST, *MIXED),
    "Study | Records": (TEXT, NUMBER, LIST, "table", "docket"),
    "Study": (TEXT, NUMBER, LIST, "table", "docket", "records"),
    "Records": (TEXT, NUMBER, LIST, "table", "docket", "study"),
    "RiskTable": (TEXT, NUMBER, LIST, "study", "records", "docket"),
    "Mapping[str, Incidence]": (TEXT, NUMBER, LIST, {"a": 3}, *MIXED),
    "CoxFit | Mapping[str, CoxFit]": (TEXT, NUMBER, LIST, {"a": 3}, *MIXED),
    "Sequence[Activity]": (TEXT, NUMBER, LIST, *MIXED),
    "Region": (TEXT, NUMBER, LIST, *MIXED),
}
# an object of one class alone
CLASSES = (
    "Claim",
    "CoxFit",
    "CoxFit | RateFit",
    "EffectOverTime",
    "Gaps",
    "ReadingResult",
    "LoyaltyShift",
    "MomentSummary",
    "PerceptionMap",
    "Plan",
    "Scorecard",
    "ServiceLevels",
    "SpecificationCurve",
    "Trial",
)
WRONG |= dict.fromkeys(CLASSES, (TEXT, NUMBER, LIST, *MIXED))
VALUES = {
    "str": "bad",
    "Unit | str": "share",
    "Fitter": WeibullFitter(),
    "int": 1,
    "date | int": date(2024, 1, 1),
    "float": 0.9,
    "Sequence[str]": ["bad"],
    "Mapping[str, Any]": {},
    "dict[str, tuple[str, ...]]": {"bad": ("1",)},
    "Mapping[str, Sequence[str]]": {"bad": ["1"]},
    "Mapping[str, float]": {"bad[1]": 1.0},
    "Study | Records": "study",
    "Study | Records | DefinitionStore": "study",
    "Path": [(0, {"bad": "0"})],
    "Mapping[str, Path]": {"none": {"bad": "0"}},
    "MatchedTable": "matched",
    "Study": "study",
    "Records": "records",
    "RiskTable": "table",
    "CoxFit": "fit",
    "CoxFit | RateFit": "fit",
    "CoxFit | Mapping[str, CoxFit]": "fit",
    "Mapping[str, Incidence]": "incidences",
    "Trial": "trial",
    "ReadingResult": "reading",
    "Claim": "claim",
    "Sequence[Activity]": [],
    "Region | None": None,
    "str | Path": "nowhere.toml",
    "pl.DataFrame": pl.DataFrame({"a": [1]}),
}


@cache
def things():
    """One of each kind of object."""
    days = range(40)
    log = pl.DataFrame(
        {
            "customer": [f"c{i}" for i in days for _ in range(2)],
            "at": [d for i in days for d in (i + 5, i + 30)],
            "grade": ["bad", "good"] * 40,
        }
    )
    who = pl.DataFrame(
        {
            "customer": [f"c{i}" for i in days],
            "start": list(days),
            "end": [i + 60 if i % 2 else None for i in days],
            "segment": ["a", "b"] * 20,
        },
        schema_overrides={"end": pl.Int64},
    )
    study = cx.study_from(
        {"retention": {"segment": "segment", "observed_until": 200}},
        interactions=log,
        retention=who,
    )
    records = cx.read_records(study)
    table = cx.risk_table(records, strata=["segment"], bad=cx.bad_count(1))
    docket = cx.evaluate(records, ["three-strikes"], alone=True)
    trial = docket["three-strikes"]
    return {
        "study": study,
        "records": records,
        "table": table,
        "matched": matched_table(
            cx.episodes(records, bad=cx.bad_count(1), recent=cx.contacts_within(365)),
            "bad",
            "1+",
            "recent",
        ),
        "docket": docket,
        "trial": trial,
        "reading": trial.primary,
        "claim": trial.claim,
        "fit": cx.cox(table, ["bad"], errors="model"),
        "incidences": {"a": cx.incidence(table, errors="model", min_at_risk=1)},
    }


def thing(value):
    return things()[value] if isinstance(value, str) and value in things() else value


def kind(parameter):
    """The annotation, and whether None is allowed."""
    said = parameter.annotation
    said = said if isinstance(said, str) else inspect.formatannotation(said)
    said = said.replace("typing.", "")
    return said.removesuffix(" | None"), said.endswith(" | None")


def exported():
    found = {}
    for home in (cx, curves, estimators, histories, charts, journey):
        for name in home.__all__ if hasattr(home, "__all__") else []:
            call = getattr(home, name)
            if inspect.isfunction(call):
                found[f"{call.__module__}.{name}"] = call
    found["cxresearch.curves.incidence_by_cause"] = curves.incidence_by_cause
    return found


CASES = [
    (name, parameter.name, number)
    for name, call in exported().items()
    for parameter in inspect.signature(call).parameters.values()
    if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    for number in range(len(WRONG[kind(parameter)[0]]) + (not kind(parameter)[1]))
]


@pytest.mark.parametrize(("name", "argument", "number"), CASES)
def test_a_wrong_type_is_an_error_that_names_the_argument(name, argument, number):
    call = exported()[name]
    parameters = inspect.signature(call).parameters
    wrong = [*WRONG[kind(parameters[argument])[0]], NOTHING][number]
    given = {
        p.name: thing(VALUES.get(p.annotation, VALUES.get(kind(p)[0])))
        for p in parameters.values()
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    }
    given[argument] = wrong if wrong == TEXT else thing(wrong)
    with pytest.raises(ArgumentError, match=rf"^{argument} must be ") as caught:
        call(**given)
    assert caught.value.argument == argument
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, CxResearchError)
    assert len(str(caught.value)) < 300


def test_an_iterator_is_refused_where_a_list_is_read_twice():
    with pytest.raises(ArgumentError, match=r"^terms must be a list or a tuple"):
        estimators.rate_ratios(things()["table"], iter(["bad"]))


@pytest.mark.parametrize("call", [cx.episodes, cx.risk_table])
def test_a_history_by_a_name_of_ones_own_is_checked_as_well(call):
    for wrong in (NUMBER, TEXT, NOTHING, things()["table"]):
        with pytest.raises(ArgumentError, match=r"^bad must be a history") as caught:
            call(things()["study"], bad=wrong)
        assert caught.value.argument == "bad"


def test_variables_are_not_shown():
    """They may be passwords."""
    with pytest.raises(ArgumentError, match=r"^variables must be") as caught:
        cx.read_study("nowhere.toml", {"PASSWORD": ["hunter2"]})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.given)
