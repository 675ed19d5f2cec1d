"""What a data scientist sees of every public object: a table that is accessible, and one line of text."""

import re
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.disclosure.counts import round_count
from cxresearch.estimators.excess import excess
from cxresearch.estimators.incidence import incidence_at
from cxresearch.estimators.own_gaps import own_gaps
from cxresearch.risk.agents import AgentTable, agent_table
from cxresearch.risk.gaps import GapTable, gap_table
from cxresearch.risk.matched import MatchedTable, matched_table
from cxresearch.risk.table import RiskTable
from cxresearch.utils.html_tables import html_table, styled, unstyled
from cxresearch.utils.result import Result
from cxresearch.worlds import World, simulate

HOSTILE = "<script>alert('x')</script>&\""


@pytest.fixture(scope="module")
def records():
    made = simulate(World(hr_bad=(1.0, 1.5, 2.0, 2.5)), 900, seed=3)
    raw = {
        "study": {"name": HOSTILE},
        "interactions": {"score": "stars", "scale": [1, 5]},
        "retention": {"cause": "reason", "defection": ["switched"], "segment": "plan"},
    }
    return cx.read_records(
        cx.study_from(raw, interactions=made.interactions, retention=made.customers)
    )


def made(records):
    """One of each public object."""
    eps = cx.episodes(
        records,
        strata=["segment"],
        bad=cx.bad_count(3),
        recent=cx.contacts_within(1, (1,)),
        observed_from_start=True,
    )
    table = cx.risk_table(
        records, strata=["segment"], bad=cx.bad_count(1), observed_from_start=True
    )
    fit = cx.cox(table, ["bad"], strata=["segment"])
    matched = matched_table(eps, "bad", "1", "recent", exclude_from="3+")
    ages = cx.risk_table(
        records,
        age=cx.histories.age_of_last("bad", (90,)),
        complaint=cx.histories.age_since("complaint", (90,)),
        observed_from_start=True,
    )
    docket = cx.evaluate(records, claims=["bad-moments-drive-away"], alone=True)
    claim = next(iter(claims_of(())))
    hostile = type(claim)(
        **{f: getattr(claim, f) for f in claim.__struct_fields__}
        | {"statement": HOSTILE, "source": HOSTILE}
    )
    return {
        "study": records.study, "records": records, "audit": records.audit, "episodes": eps, "table": table,
        "incidence": cx.incidence(table), "estimate": incidence_at(table, 180), "fit": fit,
        "share": cx.estimators.share(table, {"bad": ("1+",)}), "contrast": cx.contrast(fit, {"bad[1+]": 1}),
        "matched": matched, "excess": excess(matched, 90), "docket": docket, "trial": docket.trials[0],
        "claim": hostile, "quick": cx.journey.moment_summary(records), "curves": cx.incidence_by_level(table, "bad"),
        "perception": cx.journey.perception_map(records), "levels": cx.journey.service_levels(records),
        "scorecard": cx.journey.scorecard(records), "loyalty": cx.journey.loyalty_shift(records),
        "worst": cx.estimators.worst_share(agent_table(records, "agent", ("touchpoint", "month")).counts, draws=100),
        "agents": agent_table(records, "agent", ("touchpoint", "month")),
        "leavers": cx.estimators.share_at_risk(ages, {"complaint": ("none",)}, "age", subset={"age": ("0-90", "91+")}),
        "proportionality": cx.estimators.proportionality(table, ["bad"], strata=["segment"]),
        "testable": cx.check_claims(records), "behind": cx.observed_vs_expected(records, docket.trials[0].claim),
    }  # fmt: skip


@pytest.fixture(scope="module")
def objects(records):
    return made(records)


NAMES = (
    "study", "records", "audit", "episodes", "table", "incidence", "estimate", "fit", "share", "contrast", "matched",
    "excess", "docket", "trial", "claim", "quick", "curves", "testable", "behind",
    "perception", "levels", "scorecard", "loyalty", "worst", "agents", "leavers", "proportionality",
)  # fmt: skip


class Seen(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.scopes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "th":
            self.scopes.append(dict(attrs).get("scope"))


def test_every_kind_is_here(objects):
    assert set(objects) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_rich_form_is_an_accessible_table(objects, name):
    html = objects[name]._repr_html_()
    seen = Seen(html)
    assert seen.tags.count("table") >= 1
    assert seen.tags.count("caption") == seen.tags.count("table")
    assert {"col", "row"} == set(seen.scopes)
    assert "script" not in seen.tags
    assert HOSTILE not in html
    assert seen.tags.count("tr") <= 70


@pytest.mark.parametrize("name", NAMES)
def test_text_form_is_one_line(objects, name):
    text = repr(objects[name])
    assert "\n" not in text
    assert len(text) < 900
    assert not re.search(r"array\(|shape:|┌", text)


def test_numbers_that_matter_are_in_the_tables(objects):
    fit = objects["fit"]
    ratio, low, high = fit.to_polars().select("hazard_ratio", "low", "high").row(0)
    shown = fit._repr_html_()
    assert all(f">{v:.2f}</td>" in shown for v in (ratio, low, high))
    assert "Against bad moments: 0." in shown
    curve = objects["incidence"]
    assert f">{curve.at(180).value:.1%}</td>" in curve._repr_html_()
    assert curve._repr_html_().count("<tr>") < 12
    assert f"{objects['share'].estimate.value:.1%}" in objects["share"]._repr_html_()
    assert f"{100 * objects['excess'].excess.value:+.1f} points" in objects["excess"]._repr_html_()


INTERNAL = re.compile(
    r"\w\[[^\]]*\]|\bheld_|\bcx_|linear\(|\bcensored\b|\bjackknife\b", re.IGNORECASE
)


@pytest.mark.parametrize("name", ["fit", "table", "curves", "incidence", "behind"])
def test_names_of_programs_are_not_shown(objects, name):
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", objects[name]._repr_html_(), flags=re.DOTALL)
    assert not INTERNAL.findall(text)


def test_what_is_suppressed_is_no_nought(objects):
    shown = cx.incidence_by_level(objects["table"], "bad", min_cell=60)._repr_html_()
    assert ">too few</td>" in shown
    assert ">0%</td>" not in shown
    assert "where fewer have left at all, it says too few" in shown


def test_few_customers_are_not_counted_out(objects):
    table = objects["table"].where(bad=["1+"])
    few = [c for c in table.causes if table.events(c)][:1]
    assert few
    small = replace(table, flows=table.flows.head(12))
    counts = [small.events(c) for c in small.causes]
    assert any(0 < n < 10 for n in counts)
    assert not any(f">{n}</td>" in small._repr_html_() for n in counts if 0 < n < 10)
    assert not any(
        f">{n:,}</td>" in table.html(10**6) for n in (table.events(c) for c in table.causes) if n
    )


MIN_CELL = 70
# what counts customers, moments or events of the data
COUNTS = frozenset(
    [
        *("customers", "events", "dropped", "count", "total", "moments", "bad", "agents", "ranked"),
        *("gaps", "ended", "with_bad", "left", "leavers", "alone", "answered", "first_moments"),
        *("defections", "counts", "customers_by_bad", "grades", "levels", "left_out", "observed"),
        *("recent", "older", "employees", "employee_days", "by_employee", "exposure"),
    ]
)
EXACT = {"study", "records", "audit"}  # every row is accounted for


def parts(value):
    """A result and all results within it."""
    if isinstance(value, Result):
        yield value
    if is_dataclass(value) and not isinstance(value, type):
        for f in fields(value):
            yield from parts(getattr(value, f.name))
    elif isinstance(value, tuple | list):
        for v in value:
            yield from parts(v)


def counted(value):
    """The exact counts of a result, as they would be written."""
    found = []
    for f in fields(value):
        if f.name in COUNTS:
            held = getattr(value, f.name)
            if isinstance(held, pl.DataFrame):
                continue
            found += np.ravel(np.array(held, dtype=object)).tolist()
    if isinstance(value, RiskTable):
        found += [value.customers, *(value.events(c) for c in value.causes)]
    if isinstance(value, MatchedTable):
        found.append(int(value.exposed["customers"].sum()))
    if isinstance(value, AgentTable):
        found += [value.counts["agent"].n_unique(), int(value.counts["moments"].sum())]
    if isinstance(value, GapTable):
        found += [value.gaps.height, value.gaps["customer"].n_unique()]
    return {f"{int(n):,}" for n in found if isinstance(n, int | np.integer) and n % MIN_CELL}


def written(text):
    """Whole numbers in a text."""
    plain = re.sub(r"<style>.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL)
    return set(re.findall(r"(?<![\d.,+-])\d[\d,]*(?![\d.,]*[\d%])", plain))


def test_no_bare_object_shows_a_count_that_its_study_hides(records):
    study = records.study.replace(min_cell=MIN_CELL)
    hidden = made(replace(records, study=study)) | others(study)
    seen = 0
    for name in set(hidden) - EXACT:
        for result in parts(hidden[name]):
            exact = {n for n in counted(result) if len(n) > 2}
            seen += len(exact)
            shown = written(repr(result)) | written(result._repr_html_())
            assert not exact & shown, (name, type(result).__name__)
    assert seen > 40


def others(study):
    """Results that do not come of `made`."""
    shop = simulate(World(hr_bad=(1.0, 1.5, 2.0, 2.5)), 900, seed=3).interactions
    settings = {
        "study": {"min_cell": MIN_CELL},
        "interactions": {"score": "stars", "scale": [1, 5]},
        "retention": {"kind": "activity", "gap_days": 60},
    }
    gaps = gap_table(
        cx.read_records(cx.study_from(settings, interactions=shop)), {"bad": {"grade": 0}}
    )
    table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
    return {
        "gaps": gaps,
        "own gaps": own_gaps(gaps, {"bad": 1}, {"bad": 1}),
        "rates": cx.estimators.rates(table),
        "rate fit": cx.estimators.rate_ratios(table, ["bad"]),
        "costs": cx.journey.moment_costs(study),
        "specifications": cx.specification_curve(
            study, "bad-moments-drive-away", bad=[], window_days=[], adjustments=[]
        ),
    }


def test_counts_of_agents_and_gaps_are_rounded_as_the_study_says(records):
    study = records.study.replace(min_cell=MIN_CELL)
    agents = agent_table(replace(records, study=study), "agent", ("touchpoint", "month"))
    exact = int(agents.counts["moments"].sum())
    assert f"{exact:,}" not in repr(agents) + agents._repr_html_()
    assert f"{round_count(exact, MIN_CELL):,}" in repr(agents)
    assert f"nearest {MIN_CELL}" in agents._repr_html_()
    worst = cx.estimators.worst_share(agents.counts, draws=100, min_cell=MIN_CELL)
    assert worst.agents >= MIN_CELL or f"fewer than {MIN_CELL}" in worst._repr_html_().lower()
    assert f"{round_count(worst.moments, MIN_CELL):,}" in worst._repr_html_()
    assert worst.to_dict()["moments"] == exact  # plain values are exact


def test_numbers_stand_to_the_right_and_text_to_the_left():
    rows = [
        ("a", "1,234", "12.5% (11.0% to 14.0%)", "0, 1, 2", "2024-01-02"),
        ("b", "–", "about 20", "7", "2 days"),
    ]
    shown = html_table("Caption", ("what", "count", "share", "levels", "when"), rows)
    heads = re.findall(r"<th scope='col'(?: class='cx-num')? style='text-align:(\w+)'>(\w+)", shown)
    assert heads == [
        ("left", "what"), ("right", "count"), ("right", "share"), ("left", "levels"), ("left", "when"),
    ]  # fmt: skip
    assert shown.count("<td class='cx-num' style='text-align:right'>") == 4


def test_a_minus_is_a_true_one():
    shown = html_table(
        "Caption", ("what", "points"), [("a-1", "-5.9 (-7.3 to -4.4)"), ("b", "+0.8")]
    )
    assert ">−5.9 (−7.3 to −4.4)</td>" in shown
    assert "a-1" in shown
    assert ">1-2<" in html_table("Caption", ("what", "days"), [("a", "1-2")])


def test_the_style_is_brought_along_once_and_can_be_taken_out():
    shown = html_table("Caption", ("what",), [("a",)])
    assert shown.count("<style>") == styled(shown).count("<style>") == 1
    assert "<style" not in unstyled(shown + shown)
    assert "var(--jp-" in shown
    assert "data-jp-theme-light=false" in shown
