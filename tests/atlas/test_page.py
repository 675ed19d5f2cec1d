"""The page from planted results, and the committed page from the committed results."""

import copy
import re

import pytest
from benchmarks.atlas import page as pages
from benchmarks.atlas import results
from benchmarks.atlas.page import PAGE, WHY, cell, page, why_open
from benchmarks.atlas.recipes import read_recipe, read_recipes

import cxresearch as cx
from cxresearch.errors import NOT_TESTABLE
from tests.atlas.test_recipes import recipe_in

PLAIN = {
    "verdict": "undecided",
    "verdict_alone": "undecided",
    "label": "rate of leaving",
    "estimate": 1.0234,
    "low": 0.8312,
    "high": 1.2567,
    "unit": "hazard ratio",
    "region": "> 1",
    "horizon_days": None,
    "customers": "2,270",
    "rests_on": [],
    "base_rate": {"value": 0.88, "unit": "share", "label": "customers who left anyway"},
    "naive": {"value": 0.23, "unit": "hazard ratio", "label": "ever over never"},
    "reason": "the range includes values for and against the claim",
    "kept_open_by": [],
    "required": ["already leaving", "pace"],
    "held_equal": {"the calendar": "Contacts of the same 30 days are compared."},
    "lacks": "",
    "code": "",
}
SHARE = {
    "verdict": "contradicted",
    "estimate": 0.60478,
    "low": 0.5644,
    "high": 0.6455,
    "unit": "share",
    "region": ">= 0.925",
    "rests_on": [
        {
            "label": "how many more left",
            "estimate": -0.029,
            "low": -0.097,
            "high": 0.04,
            "unit": "difference of shares",
            "region": "> 0",
        }
    ],
}
NOTHING = {"verdict": "not testable", "estimate": None, "low": None, "high": None}


def row(**more):
    return PLAIN | more


def lacking(lacks, code):
    return row(**NOTHING, lacks=lacks, code=code)


def kept(**claims):
    every = {c: lacking("a column: name it", "missing_column") for c in cx.catalogue()}
    return {
        "format": results.FORMAT,
        "recipe": "",
        "version": "0.1.0",
        "fingerprint": "feed",
        "data_from": "2024-01-01",
        "data_until": "2024-12-31",
        "level": 0.95,
        "family": {"size": 7, "multiplicity": "holm"},
        "min_cell": 10,
        "facts": {"customers": "2,270", "bad moments": "fewer than 10"},
        "warnings": ["a quarter of the rows is lost"],
        "claims": every | {name.replace("_", "-"): value for name, value in claims.items()},
        "checked": {},
    }


@pytest.fixture
def recipe(tmp_path):
    return read_recipe(recipe_in(tmp_path))


def fresh(recipe, **claims):
    return kept(**claims) | {"recipe": recipe.digest}


def lines_of(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


def test_a_cell_has_the_verdict_and_the_number_with_its_interval():
    assert cell(row()) == "? undecided<br>1.02 (0.83 to 1.26)"
    assert cell(row(**SHARE)) == "✘ contradicted<br>60% (56% to 65%)"
    assert cell(row(verdict="supported", estimate=1.61, low=1.4, high=1.9)) == (
        "✔ supported<br>1.61 (1.40 to 1.90)"
    )
    kept_open = row(kept_open_by=["temperament", "pace"])
    assert cell(kept_open) == "? undecided<br>1.02 (0.83 to 1.26)<br>open: temperament, pace"
    # a limit keeps to its side of the edge
    near = row(**SHARE | {"estimate": 0.93, "low": 0.9262, "high": 0.94})
    assert cell(near) == "✘ contradicted<br>93.0% (92.6% to 94.0%)"


def test_a_cell_without_a_number_says_why():
    assert cell(row(estimate=None, low=None, high=None)) == "? undecided<br>not shown"
    assert cell(lacking("bad moments: no contact is graded bad", "no_such_data")) == (
        "– no bad moments"
    )
    assert cell(lacking("an end of the relation: silence", "no_such_data")) == (
        "– silence is leaving"
    )
    assert cell(lacking("departures: none", "no_such_data")) == "– nothing of the kind"
    assert cell(None) == "not tried"
    assert set(WHY) == set(NOT_TESTABLE)
    for code, words in WHY.items():
        assert cell(lacking("x", code)) == f"– {words}"


def test_what_keeps_a_claim_open_is_named():
    kept_open = row(kept_open_by=["temperament", "pace"], reason="a long reason")
    assert why_open(kept_open) == "kept open by **temperament, pace**"
    said = why_open(row())
    assert said.startswith("the range includes values for and against the claim")
    assert said.endswith("already leaving, pace)")
    assert why_open(row(required=[])) == PLAIN["reason"]
    for verdict in ("supported", "contradicted", "not testable"):
        assert why_open(row(verdict=verdict, kept_open_by=["pace"])) == ""


def test_the_table_has_all_claims_and_all_sets_in_order(recipe):
    first = fresh(recipe, three_strikes=row(**SHARE), jack=row(verdict="supported"))
    second = fresh(recipe, three_strikes=lacking("bad moments: none", "no_such_data"))
    table = lines_of(page([(recipe, first), (recipe, second)]), "| [")
    cells = [line.strip("| ").split(" | ") for line in table]
    wide = {c[0]: c[1:] for c in cells if len(c) == 3}
    assert list(wide) == [f"[{c}](catalogue.md#{c})" for c in cx.catalogue()]
    assert wide["[three-strikes](catalogue.md#three-strikes)"] == [
        "✘ contradicted<br>60% (56% to 65%)",
        "– no bad moments",
    ]
    assert wide["[jack](catalogue.md#jack)"] == [
        "✔ supported<br>1.02 (0.83 to 1.26)",
        "– no column",
    ]


def test_a_set_says_all_that_is_to_be_known(recipe):
    claims = {"three_strikes": row(**SHARE), "jack": row(kept_open_by=["temperament"])}
    text = page([(recipe, fresh(recipe, **claims))])
    words = " ".join(text.split())
    assert '`bad = "stars <= 2"`' in words
    assert "`lead_days = [14, 30, 60]` by default" in words
    assert "By contract. Gone." in words
    assert "no segments" in words
    assert "customers 2,270, bad moments fewer than 10" in words
    assert "A quarter of the rows is lost." in words
    assert "Verdicts allow for 7 claims, by Holm's method." in words
    (strikes,) = lines_of(text, "| [three-strikes](catalogue.md#three-strikes) | ✘ contradicted | ")
    assert "-2.9 points (-9.7 to +4.0 points) how many more left" in strikes
    assert "88% customers who left anyway" in strikes
    assert "0.23 ever over never" in strikes
    (jack,) = lines_of(text, "| [jack](catalogue.md#jack) | ? undecided | ")
    assert jack.endswith("| the calendar | kept open by **temperament** |")
    assert "Held equal: *the calendar*: Contacts of the same 30 days are compared." in words


def test_the_page_says_what_differing_definitions_mean_and_pools_nothing(recipe):
    text = page([(recipe, fresh(recipe, jack=row()))] * 2)
    assert "**Definitions differ from set to set.**" in text
    assert "Verdicts of a row must not be counted, and its numbers not averaged." in text
    assert not re.search(r"\b(in total|overall|on average|\d+ of \d+ sets|\d+ supported)\b", text)


def test_sets_that_were_not_run_are_named_and_old_results_too(recipe):
    text = page([(recipe, None)])
    assert "Not run, since the data were not at hand: Made up." in text
    assert "Not run" not in page([(recipe, fresh(recipe))])
    assert "Run by an earlier form of the recipe: Made up." in page([(recipe, kept())])
    assert "earlier form" not in page([(recipe, fresh(recipe))])


def test_a_number_of_r_stands_beside_ours_with_the_distance(recipe, monkeypatch):
    found = {"recipe": "made_up", "claim": "jack", "estimate": "1.0234", "se": "0.1", "how": "`f`"}
    monkeypatch.setattr(pages, "checked_by_r", lambda: [found])
    ours = fresh(recipe, jack=row())
    assert "Cells checked by hand" not in page([(recipe, ours)])
    equal = ours | {"checked": {"jack": {"estimate": 1.0234}}}
    (line,) = lines_of(page([(recipe, equal)]), "| Made up, jack")
    assert line.endswith("| 1.0234000000 | 1.0234000000 | less than 1e-10 | `f` |")
    apart = ours | {"checked": {"jack": {"estimate": 1.0254}}}
    (line,) = lines_of(page([(recipe, apart)]), "| Made up, jack")
    assert "| 2e-03 |" in line


COMMITTED = [(recipe, results.read(recipe.name)) for recipe in read_recipes()]


def test_the_committed_page_is_that_of_the_committed_results():
    assert PAGE.read_text(encoding="utf-8") == page(COMMITTED), "run make atlas"


def test_a_changed_verdict_or_number_changes_the_page():
    text = page(COMMITTED)
    for key, value in (("verdict", "supported"), ("estimate", 0.123)):
        sets = copy.deepcopy(COMMITTED)
        {r.name: k for r, k in sets}["ravenstack"]["claims"]["three-strikes"][key] = value
        assert page(sets) != text


@pytest.mark.parametrize(("recipe", "found"), COMMITTED, ids=[r.name for r, _ in COMMITTED])
def test_committed_results_are_of_the_recipe_as_it_is_and_of_all_claims(recipe, found):
    assert found is not None
    assert found["format"] == results.FORMAT
    assert found["recipe"] == recipe.digest, "the recipe has changed: run make atlas DATA=FOLDER"
    assert list(found["claims"]) == list(cx.catalogue())


def test_nothing_is_supported_where_tickets_and_departures_are_unrelated():
    (found,) = (k for r, k in COMMITTED if r.name == "ravenstack")
    verdicts = {c: (r["verdict"], r["verdict_alone"]) for c, r in found["claims"].items()}
    assert not [c for c, v in verdicts.items() if "supported" in v]
    assert sum(v[0] != "not testable" for v in verdicts.values()) >= 5


def test_two_committed_cells_are_those_of_r():
    by_r = {(row["recipe"], row["claim"]): float(row["estimate"]) for row in results.checked_by_r()}
    assert set(by_r) == {
        ("online_retail_2", "three-strikes"),
        ("ravenstack", "bad-moments-drive-away"),
    }
    for recipe, found in COMMITTED:
        for claim, ours in found["checked"].items():
            assert ours["estimate"] == pytest.approx(by_r.pop((recipe.name, claim)), abs=1e-10)
            shown = found["claims"][claim]["estimate"]
            assert shown == pytest.approx(ours["estimate"], abs=0.01)  # shares are rounded
    assert not by_r
