"""The answer in two parts, wherever a claim is shown: do the two go together, and what became of the rivals."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import polars as pl
import pytest

from cxresearch.claims.results import SYMBOLS
from cxresearch.claims.rivals.outcomes import RivalStatus
from cxresearch.report.pages import cards, claim_page
from cxresearch.report.pages.publishable import publishable, publishable_trial
from tests.report.dockets import RIVALS, docket, ratio_trial, share_trial, untestable_trial

ROOT = Path(__file__).parents[3]
KEY = re.compile("`([^`]+)`")
ANSWER = (
    "goes together; open: already leaving; survived: temperament; cannot be tested: other exits"
)
NUMBERS = ("1.07", "0.97", "1.18", "1.04", "1.13", "1.49")


def with_hidden_primary(trial):
    """The trial, with so few cases behind its number that a page may not show it."""
    return replace(trial, results=(replace(trial.primary, events=3), *trial.results[1:]))


def test_the_answer_is_one_line_without_numbers():
    assert ratio_trial().answer == ANSWER
    assert share_trial().answer == untestable_trial().answer == ""


@pytest.mark.parametrize(
    ("association", "words"),
    [
        ("supported", "goes together"),
        ("contradicted", "does not go together as claimed"),
        ("undecided", "not clear whether it goes together"),
        ("not testable", "cannot be computed whether it goes together"),
    ],
)
def test_every_association_has_words(association, words):
    trial = replace(ratio_trial(), association=association, rivals=RIVALS[:1])
    assert trial.answer == words


def test_the_text_of_a_docket_has_the_line_for_each_claim_with_rivals():
    assert str(docket()).count(f"\n    {ANSWER}\n") == 1


def test_a_page_shows_every_rival_with_its_numbers_and_why():
    trial = publishable_trial(ratio_trial(), 10)
    block = claim_page.rivals(trial)
    for rival in RIVALS:
        assert f"{rival.title[0].upper()}{rival.title[1:]}" in block
        assert rival.plain in block
    assert "1.07 (0.97 to 1.18)" in block
    assert "Keeps it open" in block
    assert "Without any of them held equal the number is" in block
    assert "They began in the same 30 days." in block
    assert "lead_days = [14, 30]" in block
    assert claim_page.rivals(share_trial()) == ""


def test_a_card_and_the_page_of_a_claim_show_both_parts():
    shown = publishable(docket())
    first, one = cards.first_screen(shown), cards.one_claim(shown, shown["bad-moments-drive-away"])
    for block in (first, one):
        assert (
            block.count("Moment and leaving go together · may be explained by: already leaving")
            == 1
        )


def test_no_outcome_is_told_by_its_sign_alone():
    block = claim_page.rivals(ratio_trial())
    for words in (
        "held equal in the number itself",
        "survived",
        "keeps it open",
        "cannot be tested",
    ):
        assert words in block.lower()


def test_where_a_number_is_hidden_those_of_its_rivals_are():
    told = publishable_trial(with_hidden_primary(ratio_trial()), 10)
    assert [r.status for r in told.rivals] == [r.status for r in RIVALS]
    assert all(row.estimate is None for r in told.rivals for row in r.rows)
    for said in (
        claim_page.rivals(told),
        told._repr_html_(),
        str(docket(told)),
        docket(told).to_json(),
    ):
        assert not [n for n in NUMBERS if n in said]
    assert publishable_trial(told, 10) == told


def test_numbers_of_rivals_stay_where_another_reading_is_hidden():
    told = publishable_trial(ratio_trial(), 10)  # its crude reading rests on nine customers
    assert told["crude"].estimate is None
    assert [r.rows[0].estimate for r in told.rivals if r.rows][:2] == [
        r.rows[0].estimate for r in RIVALS if r.rows
    ][:2]


def test_a_page_tells_no_details_of_what_a_rival_lacks():
    told = publishable_trial(ratio_trial(), 10)
    assert told.rivals[3].rows[0].lacks == "departures"
    assert told.rivals[3].reason == "The control cannot be computed: it lacks departures."
    assert "3 in 1+" in str(ratio_trial().rivals[3].reason)


def test_json_holds_both_parts_for_the_primary_reading():
    rows = json.loads(docket().to_json())["verdicts"]
    one = next(r for r in rows if r["reading"] == "adjusted")
    assert one["association"] == "supported"
    assert [r["status"] for r in one["rivals"]] == [r.status for r in RIVALS]
    assert one["rivals"][1]["rows"][0] == {
        "label": "the last 14 days left aside",
        "lead_days": 14,
        "estimate": 1.07,
        "ci_low": 0.97,
        "ci_high": 1.18,
        "unit": "hazard ratio",
        "verdict": "undecided",
        "lacks": None,
    }
    assert one["declared"] == list(ratio_trial().declared)
    crude = next(r for r in rows if r["reading"] == "crude")
    assert (crude["association"], crude["rivals"], crude["declared"]) == (None, None, None)
    fact = next(r for r in rows if r["reading"] == "before-third")
    assert (fact["association"], fact["rivals"]) == (None, [])


def test_a_table_of_claims_names_what_keeps_each_open():
    table = docket().to_polars()
    assert table["kept_open_by"].to_list() == ["", "already-leaving"]
    assert table["association"].to_list() == [None, "supported"]


def test_rivals_show_themselves():
    open_one = RIVALS[1]
    assert repr(open_one) == (
        "RivalOutcome('already-leaving': keeps it open, the last 14 days left aside: 1.07 (0.97 to 1.18), "
        "the last 30 days left aside: 1.04 (0.93 to 1.16))"
    )
    assert (
        repr(open_one.rows[0])
        == "RivalRow('the last 14 days left aside': 1.07 (0.97 to 1.18), undecided)"
    )
    assert (
        repr(RIVALS[3].rows[0])
        == "RivalRow('exits that are no defection': not computed, not testable)"
    )
    assert open_one.to_polars().select("rival", "lead_days", "estimate").rows() == [
        ("already-leaving", 14, 1.07),
        ("already-leaving", 30, 1.04),
    ]
    assert RIVALS[0].to_polars().schema == open_one.to_polars().schema
    assert RIVALS[0].to_polars()["estimate"].dtype == pl.Float64
    assert "? keeps it open" in open_one._repr_html_()


def test_a_trial_shows_its_rivals_in_a_notebook():
    block = ratio_trial()._repr_html_()
    assert f"{ANSWER[0].upper()}{ANSWER[1:]}." in block
    assert "What else could explain it" in block
    assert "1.07 (0.97 to 1.18)" in block
    assert SYMBOLS["undecided"] in block
    assert "What else could explain it" not in share_trial()._repr_html_()


def test_the_documented_json_has_the_keys_that_are_written():
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    whole, entry, rival = (
        {
            key
            for line in part.splitlines()
            if line.startswith("| `")
            for key in KEY.findall(line.split("|")[1])
        }
        for part in (text.split("An entry of ")[i] for i in range(3))
    )
    told = docket().to_dict()
    assert whole == set(told)
    assert entry == {key for row in told["verdicts"] for key in row}
    rivals = [r for row in told["verdicts"] for r in row["rivals"] or ()]
    assert rival == set(rivals[0])
    named = next(line for line in text.splitlines() if line.startswith("| `rows`"))
    assert set(rivals[1]["rows"][0]) <= set(KEY.findall(named))
    statuses = next(line for line in text.splitlines() if line.startswith("| `status`"))
    assert set(get_args(RivalStatus)) <= set(KEY.findall(statuses))
