"""Every result can be taken as a table of Polars or pandas and as JSON; the results are found, not listed."""

import importlib
import inspect
import json
import math
import pkgutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from typing import get_args, get_type_hints

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims.looks import Look
from cxresearch.claims.missing_columns import rank_missing_columns
from cxresearch.claims.phrases import Sentence
from cxresearch.estimators.excess import excess
from cxresearch.estimators.influence import Clusters
from cxresearch.estimators.own_gaps import own_gaps
from cxresearch.histories import History
from cxresearch.planning.rates import rates_of
from cxresearch.records.records import Records
from cxresearch.risk.agents import agent_table
from cxresearch.risk.gaps import gap_table
from cxresearch.risk.matched import matched_table
from cxresearch.utils.bundled import copy_sample
from cxresearch.utils.result import Result, plain

SPACES = (cx, cx.estimators, cx.journey, cx.curves)
# given by the user, or no numbers of their own: a history is a function, a sentence is text, clusters are codes; a
# look is what a report has fixed and seen
NO_RESULTS = {cx.Study, Records, History, Sentence, Clusters, Look}


def types_in(hint):
    """The dataclasses that a type hint names."""
    if inspect.isclass(hint) and is_dataclass(hint):
        return {hint}
    return {t for part in get_args(hint) for t in types_in(part)}


def returned():
    """The dataclasses that public functions return, and those in their fields."""
    functions = [
        getattr(space, name)
        for space in SPACES
        for name in getattr(space, "__all__", None) or dir(space)
        if inspect.isfunction(getattr(space, name))
        and name != "what_if"  # gives a widget, where it is installed
    ]
    waiting = {
        t for f in functions for t in types_in(get_type_hints(f, localns=NAMES).get("return"))
    }
    result = set()
    while waiting:
        kind = waiting.pop()
        if kind in result or kind in NO_RESULTS:
            continue
        if kind.__module__.startswith("cxresearch."):
            result.add(kind)
            hints = get_type_hints(kind)
            waiting |= {t for f in fields(kind) for t in types_in(hints[f.name])}
    return result


def every_result():
    """All classes with the mixin, in every module of the package."""
    names = [m.name for m in pkgutil.walk_packages(cx.__path__, "cxresearch.")]
    modules = [importlib.import_module(n) for n in names if not n.endswith(("__main__", ".spark"))]
    classes = {
        k for m in modules for k in vars(m).values() if inspect.isclass(k) and issubclass(k, Result)
    }
    return sorted(classes - {Result}, key=lambda k: k.__name__)


CLASSES = every_result()
NAMES = {k.__name__: k for k in CLASSES}  # some modules import those of others for types only
LENGTHS = {
    "ChangeDockets": lambda r: len(r.changes),
    "SegmentDockets": lambda r: sum(map(len, r.values())),
    "AgentTable": lambda r: r.counts.height,
    "Audit": lambda r: (
        len(r.tables)
        + 2 * len(r.read)
        + len(r.findings)
        + len(r.facts)
        + bool(r.graded_by)
        + bool(r.fingerprint)
        + len(r.warnings)
    ),
    "ClaimCheck": lambda r: len(r.claims),
    "CoxFit": lambda r: len(r.terms),
    "Curves": lambda r: sum(len(c.times) for c in r.values()),
    "DaysLost": lambda r: len(r.times),
    "Docket": len,
    "EffectOverTime": None,
    "Episodes": None,
    "Excess": lambda r: len(r.times),
    "Extrapolations": len,
    "GapTable": lambda r: r.gaps.height,
    "Gaps": lambda r: len(r.silences),
    "Incidence": lambda r: len(r.times),
    "LoyaltyShift": lambda r: len(r.grades) + len(r.touchpoints) + 1,
    "MatchedTable": lambda r: r.exposed.height,
    "MissingColumns": lambda r: len(r.columns),
    "MomentCosts": lambda r: 1 + len(r.touchpoints),
    "MomentSummary": lambda r: 4 + len(r.grades) + len(r.bad_moments) + 2 + len(r.by_employee),
    "ObservedVsExpected": lambda r: len(r.levels),
    "PerceptionMap": len,
    "Plan": lambda r: len(r.points),
    "Proportionality": lambda r: len(r.terms) + len(r.columns) + 1,
    "RateFit": lambda r: len(r.terms),
    "Rates": lambda r: len(r.rate),
    "RivalOutcome": lambda r: max(1, len(r.rows)),
    "RiskTable": lambda r: r.flows.height,
    "Scorecard": lambda r: len(r.rows) * len(r.expectations),
    "Series": lambda r: len(r.x),
    "ServiceLevels": lambda r: len(r.levels),
    "SpecificationCurve": None,
    "Trial": len,
}
ONE_ROW = {
    "AcceleratedFit", "Activity", "Answer", "AtRiskShare", "Change", "Choice", "Choices", "CompanyRates",
    "Concentration",
    "DataWarning", "Estimate", "Exclusion", "Extrapolation", "Fact", "Fading", "Family", "Feature", "Finding",
    "MissingColumn", "ModelComparison", "MomentCost", "OwnGaps", "PowerPoint", "ReadingResult",
    "ReferenceValue", "RivalRow", "Score", "Share", "Shift", "Silence", "Specification", "Touchpoint",
    "WeakestPoint",
}  # fmt: skip


def walk(value, into):
    """Collect one result of each class, from the results and what is in them."""
    if isinstance(value, Result):
        into.setdefault(type(value), value)
    if is_dataclass(value):
        for f in fields(value):
            walk(getattr(value, f.name), into)
    elif isinstance(value, Mapping):
        for v in value.values():
            walk(v, into)
    elif isinstance(value, tuple):
        for v in value:
            walk(v, into)


def of_a_company():
    """Results that are quicker to have of a small company than of the sample study."""
    world = cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5), hr_household=1.5)
    study = cx.worlds.simulate(world, 1000, seed=1).study()
    claim = "bad-moments-drive-away"
    answers = cx.panel.Answers(study, claim)
    bad = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True).where(bad=["0", "1+"])
    return (
        cx.specification_curve(study, claim, one_at_a_time=True, window_days=[]),
        cx.estimators.accelerated(bad, ["bad"]),
        cx.estimators.extrapolate(cx.risk_table(study), ["weibull", "log-normal"], horizon=365),
        answers.choices,
        rates_of(cx.read_records(study)),
        answers.get(answers.choices.own),
        cx.power(study, "household-contagion", truths=[1.6], companies=4, pilot_customers=1000),
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """One result of each class, from the sample study."""
    study = cx.read_study(copy_sample(tmp_path_factory.mktemp("sample"))[0])
    records = cx.read_records(study)
    estimators, journey, histories = cx.estimators, cx.journey, cx.histories
    table = cx.risk_table(
        records,
        strata=["segment"],
        bad=cx.bad_count(1),
        good=histories.grade_count("good", (1,)),
        observed_from_start=True,
    )
    ages = cx.risk_table(
        records, age=histories.age_of_last("bad", (30, 180)), observed_from_start=True
    )
    late = cx.risk_table(
        records,
        age=histories.age_of_last("bad", (90,)),
        complaint=histories.age_since("complaint", (90,)),
        observed_from_start=True,
    )
    eps = cx.episodes(
        records, bad=cx.bad_count(3), recent=cx.contacts_within(1, (1,)), observed_from_start=True
    )
    matched = matched_table(eps, "bad", "1", "recent", exclude_from="3+")
    agents = agent_table(records, "agent", ("touchpoint", "month"))
    docket = cx.evaluate(
        records, claims=["bad-moments-drive-away", "public-posting"], alone=True, keep=False
    )
    shop = cx.read_records(
        cx.study_from(
            {
                "interactions": {"score": "stars", "scale": [1, 5]},
                "retention": {"kind": "activity", "gap_days": 60},
            },
            interactions=cx.worlds.simulate(cx.worlds.World(), 300, seed=1).interactions,
        )
    )
    own = gap_table(shop, {"bad": {"grade": 0}})
    poorer = study.replace(cluster=None, marketing=())
    middle = date(1970, 1, 1) + timedelta(days=(records.window.first + records.window.last) // 2)
    made = (
        cx.evaluate_by(records, "segment", ["bad-moments-drive-away"], alone=True, verdicts_only=True),
        cx.evaluate_change(records, middle, ["bad-moments-drive-away"], alone=True, verdicts_only=True),
        rank_missing_columns(poorer), cx.silences.gaps(shop), own, own_gaps(own, {"bad": 1}, {"bad": 1}),
        cx.audit(study.replace(exclude="touchpoint = 'nowhere'")),
        eps, table, matched, agents, docket, excess(matched, 90), cx.check_claims(records),
        cx.incidence(table), cx.cox(table, ["bad"], strata=["segment"]), cx.incidence_by_level(table, "bad"),
        cx.observed_vs_expected(records, docket.trials[0].claim),
        estimators.share(table, {"bad": ("1+",)}), estimators.rates(table, breaks=(0, 30, 365)),
        estimators.rate_ratios(table, ["bad"]), estimators.compare_models(table, ["bad"], ["good"]),
        estimators.proportionality(table, ["bad"]),
        estimators.beyond_selection(ages, "age"), estimators.worst_share(agents.counts, draws=100),
        estimators.share_at_risk(late, {"complaint": ("none",)}, "age", subset={"age": ("0-90", "91+")}),
        journey.moment_summary(records), journey.perception_map(records), journey.service_levels(records),
        journey.scorecard(records), journey.loyalty_shift(records), journey.moment_costs(records),
        estimators.effect_by_age(ages, "age"), *of_a_company(),
    )  # fmt: skip
    found = {}
    walk(made, found)
    return found


def test_whatever_a_public_function_returns_is_a_result():
    assert {k.__name__ for k in returned() if not issubclass(k, Result)} == set()
    assert len(returned()) > 25


def test_every_result_has_a_shape_here_and_is_made():
    assert set(NAMES) == set(LENGTHS) | ONE_ROW


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLASSES, ids=lambda k: k.__name__)
def test_a_result_is_a_table(results, kind):
    result = results[kind]
    table = result.to_polars()
    length = LENGTHS.get(kind.__name__, lambda _: 1)
    assert table.height == length(result) if length else table.height > 1
    assert table.width == len(set(table.columns)) > 0
    assert not any(isinstance(t, pl.Object | pl.Null) for t in table.dtypes)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLASSES, ids=lambda k: k.__name__)
def test_pandas_holds_the_same(results, kind):
    table, other = results[kind].to_polars(), results[kind].to_pandas()
    assert list(other.columns) == table.columns
    assert len(other) == table.height
    for name in table.columns:
        ours, theirs = table[name].to_list(), other[name].tolist()
        assert all(same(a, b) for a, b in zip(ours, theirs, strict=True)), name


def same(ours, theirs):
    """Whether pandas holds what Polars does; what is missing is None in one and may be NaN in the other."""
    if ours is None or (isinstance(ours, float) and math.isnan(ours)):
        return theirs is None or math.isnan(theirs)
    return ours == theirs


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLASSES, ids=lambda k: k.__name__)
def test_a_result_is_json(results, kind):
    as_dict = results[kind].to_dict()
    assert as_dict
    again = json.loads(json.dumps(as_dict, allow_nan=False))
    assert again == as_dict


def test_plain_values():
    assert plain((1, 2.5, math.nan, math.inf, None, "a", True)) == [
        1,
        2.5,
        None,
        None,
        None,
        "a",
        True,
    ]
    assert plain({"a": pl.DataFrame({"x": [1]})}) == {"a": {"x": [1]}}
    with pytest.raises(TypeError, match="a result cannot hold a function"):
        plain(plain)
