"""A claim's number under other definitions: the same as a study with those definitions gives, and what turns it."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

import cxresearch as cx
from cxresearch import charts
from cxresearch.cli import main
from cxresearch.errors import ArgumentError, ClaimError
from cxresearch.records.redefine import neighbours_of_bad, redefine_bad
from cxresearch.utils.bundled import copy_sample
from cxresearch.worlds import World, simulate

CLAIM = "bad-moments-drive-away"
NOTHING_ELSE = {"window_days": [], "adjustments": []}
GRADES = ("bad", "neutral", "good", "unknown")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample study, in which contacts of one and two stars do harm and those of three do not."""
    folder = tmp_path_factory.mktemp("sample")
    copy_sample(folder)
    return cx.read_study(folder)


@pytest.fixture(scope="module")
def store(sample):
    return cx.DefinitionStore(sample, claims=[CLAIM, "three-strikes"])


@pytest.fixture(scope="module")
def brief():
    """A company in which a bad moment does harm for 30 days and none after."""
    world = World(recent_ratio=3.0, bad_share=0.25, proneness_variance=0.0)
    return cx.DefinitionStore(
        simulate(world, 2_000, seed=3).study(), claims=[CLAIM, "first-moment"]
    )


# What the curve shows


def test_the_planted_definition_of_the_sample_is_found_and_named(store):
    curve = cx.specification_curve(store, CLAIM, blackout_days=[14], adjustments=[])
    assert curve.verdict == "supported"
    assert [s.name for s in curve.turning] == ["bad = 'stars <= 3'"]
    assert curve.turning[0].verdict == "undecided"
    assert curve.sentences[2].startswith("With bad = 'stars <= 3' it is undecided: 1.")
    wider = [s for s in curve.specifications if s.bad == "stars <= 3"]
    assert curve.held == len(curve) - len(wider)
    assert curve.share == curve.held / len(curve)


def test_a_claim_that_no_definition_turns_says_so(store):
    curve = cx.specification_curve(store, "three-strikes")
    assert {s.verdict for s in curve.specifications} == {"contradicted"}
    assert curve.share == 1
    assert curve.turning == ()
    assert curve.sentences[-1] == "No definition that was tried turns it."


def test_where_moments_do_harm_for_a_month_a_blackout_of_a_month_turns_the_verdict(brief):
    curve = cx.specification_curve(brief, CLAIM, bad=[], blackout_days=[7, 30], **NOTHING_ELSE)
    assert curve.verdict == "supported"
    assert [s.name for s in curve.turning] == ["blackout_days = 30"]
    falling = [curve.own, curve["blackout_days = 7"], curve["blackout_days = 30"]]
    numbers = [s.estimate.value for s in falling]
    assert numbers == sorted(numbers, reverse=True)


def test_there_a_first_bad_moment_is_not_decided_by_any_definition(brief):
    curve = cx.specification_curve(brief, "first-moment", blackout_days=[], **NOTHING_ELSE)
    assert curve.computed == len(curve) == 3
    assert {s.verdict for s in curve.specifications} == {curve.verdict}


# The numbers are those of a study that is defined so


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("as the study says", {}),
        ("blackout_days = 14", {"blackout_days": 14}),
        ("bad = 'stars <= 3'", {"bad": "stars <= 3"}),
    ],
)
def test_each_number_is_that_of_a_study_with_these_definitions(sample, store, name, settings):
    curve = cx.specification_curve(store, CLAIM, blackout_days=[14], adjustments=[])
    study = sample.replace(**settings)
    trial = cx.evaluate(study, [CLAIM], alone=True, keep=False, verdicts_only=True)[CLAIM]
    assert curve[name].estimate == trial.primary.estimate
    assert curve[name].events == trial.primary.events


def test_with_rivals_the_verdict_is_that_of_the_whole_rule(brief):
    few = {"bad": [], "blackout_days": [30], **NOTHING_ELSE}
    curve = cx.specification_curve(brief, CLAIM, rivals=True, **few)
    for name, days in (("as the study says", 0), ("blackout_days = 30", 30)):
        study = brief.study.replace(blackout_days=days)
        trial = cx.evaluate(study, [CLAIM], alone=True, keep=False, verdicts_only=True)[CLAIM]
        assert curve[name].verdict == trial.verdict_alone
        assert curve[name].estimate == trial.primary.estimate
    assert curve.with_rivals
    with pytest.raises(ArgumentError, match="the rule decides the primary reading"):
        cx.specification_curve(brief, CLAIM, reading="crude", rivals=True)


def test_each_step_of_what_is_held_equal_is_the_model_of_that_name(brief):
    curve = cx.specification_curve(brief, CLAIM, bad=[], blackout_days=[], window_days=[])
    assert [s.adjustment for s in curve.specifications] == [
        "segment, calendar, contacts",
        "nothing",
        "segment",
        "segment, calendar",
        "all these and temperament",
    ]
    table = cx.risk_table(
        brief.study, strata=["segment"], observed_from_start=True, bad=cx.bad_count(1)
    )
    for name, strata in (("nothing", []), ("segment", ["segment"])):
        fit = cx.cox(table, ["bad"], strata=strata)
        number = curve[f"adjustment = {name!r}"].estimate
        assert number.value == pytest.approx(cx.contrast(fit, {"bad[1+]": 1.0}).value, rel=1e-9)


def test_combinations_are_all_of_them_or_one_change_at_a_time(brief):
    few = {"bad": ["stars <= 3"], "blackout_days": [30], "window_days": []}
    every = cx.specification_curve(brief, CLAIM, **few)
    single = cx.specification_curve(brief, CLAIM, **few, one_at_a_time=True)
    assert len(every) == 2 * 2 * 5
    assert len(single) == 1 + 1 + 1 + 4
    assert set(single) <= set(every)
    assert all(single[name] == every[name] for name in single)


def test_numbers_are_kept_between_runs(sample, monkeypatch):
    few = {"bad": ["stars <= 1"], "blackout_days": [7], **NOTHING_ELSE}
    first = cx.specification_curve(sample, CLAIM, **few)
    monkeypatch.setattr(
        "cxresearch.claims.specification_curve.compute", lambda *_: pytest.fail("computed again")
    )
    again = cx.specification_curve(sample, CLAIM, **few)
    assert again.to_dict() == first.to_dict()
    # not those of other definitions of the same study
    with pytest.raises(pytest.fail.Exception, match="computed again"):
        cx.specification_curve(sample, CLAIM, **few | {"blackout_days": [8]})


# Another definition of bad


def stars(company):
    """How often each score was given at contacts that count."""
    log = company.interactions.filter(pl.col("touchpoint") != "cancellation")
    return {n: log.filter(pl.col("stars") == n).height for n in range(1, 6)}


@pytest.mark.parametrize(
    ("engine", "rule", "most"),
    [
        ("polars", None, 1),
        ("polars", None, 3),
        ("polars", "stars <= 2", 1),
        ("polars", "stars <= 2", 3),
        ("duckdb", "stars <= 2", 1),
    ],
)
def test_exactly_the_contacts_of_a_condition_become_bad(engine, rule, most):
    company = simulate(World(entry_days=1, desk_share=0.0, other_hazard=0.0), 60, seed=5)
    study = company.study() if rule is None else company.study().replace(bad=rule)
    changed = study.replace(**redefine_bad(study, f"stars <= {most}", engine))
    audit = cx.audit(changed, engine=engine)
    got = {g: audit.fact(f"{g} moments").count for g in GRADES}
    expected = stars(company)
    kept = sum(expected.values())
    assert got["bad"] == sum(expected[n] for n in range(1, most + 1))
    assert got["good"] == expected[4] + expected[5]
    assert got["neutral"] == kept - got["bad"] - got["good"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (None, ("stars <= 1", "stars <= 3")),
        ("stars <= 2", ("stars <= 1", "stars <= 3")),
        ("stars < 2", ("stars < 3",)),  # below one there is nobody
        ("stars <= 4", ("stars <= 3",)),  # up to five is everybody
        ("wait > 1.5", ("wait > 1.4", "wait > 1.6")),
        ('"wait in days" >= 10', ('"wait in days" >= 9', '"wait in days" >= 11')),
        ("stars <= 2 OR wait > 9", ()),
    ],
)
def test_neighbours_of_a_rule_are_a_step_narrower_and_wider(rule, expected):
    study = simulate(World(), 20, seed=1).study()
    study = study if rule is None else study.replace(bad=rule)
    assert neighbours_of_bad(study, {"score": "stars"}) == expected


# What is refused


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"blackout_days": [-1]}, ArgumentError, "at least 0"),
        ({"bad": "stars <= 3"}, ArgumentError, "a list"),
        ({"horizon_days": [100]}, ArgumentError, "has no horizon"),
        ({"adjustments": ["contact"]}, ArgumentError, "there are: segment, calendar, contacts"),
    ],
)
def test_definitions_that_a_number_does_not_have_are_refused(brief, more, error, words):
    with pytest.raises(error, match=words):
        cx.specification_curve(brief, CLAIM, **more)


def test_an_unknown_claim_is_named(brief):
    with pytest.raises(ClaimError, match="did you mean"):
        cx.specification_curve(brief, "bad-moments-drive-awa")


def test_an_incidence_from_a_moment_on_knows_no_blackout(store):
    with pytest.raises(ArgumentError, match="knows no blackout"):
        cx.specification_curve(store, "three-strikes", blackout_days=[7])


def test_of_a_study_that_lacks_a_column_there_is_one_specification_that_says_so():
    study = simulate(World(), 100, seed=1).study()
    bare = cx.study_from(
        {"interactions": {"score": "stars", "scale": [1, 5]}},
        interactions=study.frames["interactions"].drop("handoff"),
        retention=study.frames["retention"],
    )
    curve = cx.specification_curve(bare, "handoffs")
    assert curve.verdict == "not testable"
    assert curve.computed == 0
    assert "handed off" in curve.sentences[0]


# How it is shown


def test_the_chart_has_a_point_a_specification_and_a_mark_for_each_definition_that_varies(store):
    curve = cx.specification_curve(store, CLAIM, blackout_days=[14], adjustments=[])
    spec = charts.specification_curve(curve).to_dict()
    datasets = [
        layer["data"]["values"]
        for part in spec["layer"]
        for layer in part["layer"]
        if "data" in layer
    ]
    points = next(rows for rows in datasets if rows and "shown" in rows[0])
    assert [r["value"] for r in points] == sorted(r["value"] for r in points)
    assert sum(r["own"] for r in points) == 1
    names = {r["text"].strip() for rows in datasets for r in rows if "head" in r}
    assert {"bad is", "stars <= 1", "stars <= 2", "stars <= 3", "0", "14"} <= names
    assert "held equal" not in names
    assert "With bad = 'stars <= 3'" in spec["description"]


def test_the_table_the_values_and_the_page_say_the_same(store):
    curve = cx.specification_curve(store, CLAIM, blackout_days=[14], adjustments=[])
    table, values = curve.to_polars(), curve.to_dict()
    assert table.height == values["combinations"] == len(curve)
    assert table["estimate"].to_list() == [s["estimate"] for s in values["specifications"]]
    assert curve.to_pandas().shape == table.shape
    html = curve._repr_html_()
    assert "bad = &#x27;stars &lt;= 3&#x27;" in html
    assert curve.sentences[1] in str(curve)


def test_the_command_prints_the_table_and_writes_json_and_a_picture(sample, tmp_path):
    given = ["specifications", str(sample.folder), "--claim", CLAIM, "--one-at-a-time"]
    given += ["--bad", "stars <= 3", "--blackout", "14"]
    chart = tmp_path / "curve.svg"
    done = CliRunner().invoke(main, [*given, "--chart", str(chart)])
    assert done.exit_code == 0
    assert "With bad = 'stars <= 3' it is undecided" in done.stdout
    assert chart.read_text(encoding="utf-8").startswith("<svg")
    piped = CliRunner().invoke(main, [*given, "--json", "-"])
    assert json.loads(piped.stdout)["turning"] == ["bad = 'stars <= 3'"]
