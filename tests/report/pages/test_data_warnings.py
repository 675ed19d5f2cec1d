"""What makes numbers doubtful stands on the first screen of each page, without small counts and texts of the data."""

from dataclasses import replace
from pathlib import Path

import pytest

from cxresearch.records.audit_values import Count, CountOfTotal, Day
from cxresearch.records.warnings import SENTENCES, DataWarning, Days, Points, publishable_warnings
from cxresearch.report.pages import cards
from cxresearch.report.pages.publishable import publishable
from tests.report.dockets import HOSTILE, docket
from tests.report.page_parser import page_of

STRAY = DataWarning(
    code="stray_last_dates",
    values=(
        ("rows", CountOfTotal(3, 80_147)),
        ("last", Day(20_088, is_dated=True)),
        ("seen", Day(47_117, is_dated=True)),
    ),
    key="interactions.log_until",
)
GUEST = DataWarning(
    code="one_customer",
    values=(("rows", CountOfTotal(600, 1000)),),
    key="interactions.null_values",
    examples=(HOSTILE,),
)


def doubtful(*warnings):
    made = docket()
    return replace(made, audit=replace(made.audit, warnings=warnings))


@pytest.mark.slow
def test_a_page_without_a_warning_says_nothing():
    assert "doubts" not in page_of(docket()).partition("</style>")[2]


def test_warnings_stand_before_the_cards():
    block = cards.first_screen(doubtful(STRAY, GUEST))
    assert block.index("What makes these numbers doubtful") < block.index('class="cx-cards"')
    assert "up to 2099-01-01" in block
    assert "give interactions.log_until if it ends on another day" in block
    assert "600 (60.0%) contacts are of a single customer" in block
    one = cards.one_claim(doubtful(STRAY), doubtful(STRAY).trials[0])
    assert "up to 2099-01-01" in one


def test_a_page_shows_no_small_count_and_no_text_of_the_data():
    made = doubtful(STRAY, GUEST)
    for text in (cards.first_screen(made), str(publishable(made))):
        assert "3 (0.0%)" not in text
        assert "fewer than 10" in text
        assert HOSTILE not in text
        assert "alert(1)" not in text
    assert "3 (0.0%)" in str(made)  # for the analyst it is exact
    assert "alert(1)" in str(made)


@pytest.mark.parametrize(
    ("value", "is_hidden"),
    [
        (CountOfTotal(0, 50), False),
        (CountOfTotal(9, 5000), True),
        (CountOfTotal(10, 5000), False),
        (CountOfTotal(4995, 5000), True),
        (CountOfTotal(5000, 5000), False),
        (Count(4), True),
        (Count(40), False),
    ],
)
def test_a_count_that_gives_a_few_away_is_hidden(value, is_hidden):
    (public,) = publishable_warnings((replace(GUEST, values=(("rows", value),)),), 10)
    assert (dict(public.values)["rows"] != value) == is_hidden
    assert public.examples == ()
    assert publishable_warnings((public,), 10) == (public,)


def test_every_code_is_documented():
    text = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")
    assert not [code for code in SENTENCES if f"`{code}`" not in text]


def test_the_json_holds_values():
    (first, second) = doubtful(STRAY, GUEST).to_dict()["warnings"]
    assert first["values"] == {
        "rows": {"count": 3, "total": 80_147},
        "last": "2024-12-31",
        "seen": "2099-01-01",
    }
    assert (second["code"], second["examples"]) == ("one_customer", [HOSTILE])


@pytest.mark.parametrize("days", [3, 14, 365])
def test_a_number_of_days_counts_nobody_and_is_shown_as_it_is(days):
    lapsed = DataWarning(
        code="lapsed_came_back",
        values=(("lapsed", CountOfTotal(534, 587)), ("days", Days(days))),
        key="retention.gap_days",
    )
    (public,) = publishable_warnings((lapsed,), 10)
    assert str(public).startswith("530 (89.8%) of the customers who were silent for more than ")
    assert f"silent for more than {days} days" in str(public)
    assert public.to_dict()["values"]["days"] == days


@pytest.mark.parametrize("points", [3, 14])
def test_points_of_a_hundred_count_nobody_and_are_shown_as_they_are(points):
    brings = DataWarning(
        code="bad_brings_contacts",
        values=(("points", Points(points)), ("days", Days(14))),
        key="retention.kept_by",
    )
    (public,) = publishable_warnings((brings,), 10)
    assert f"by {points} points of a hundred" in str(public)
    assert public.to_dict()["values"]["points"] == points
