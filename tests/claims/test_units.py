"""What numbers are measured in: how they are written, and which of them says that there is no difference."""

import json

import pytest

from cxresearch.claims.decide import parse_region
from cxresearch.claims.units import Unit
from cxresearch.utils.result import plain


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (Unit.SHARE, 0.312, "31%"),
        (Unit.SHARE, 0.0312, "3.1%"),
        (Unit.HAZARD_RATIO, 1.414, "1.41"),
        (Unit.HAZARD_RATIO, 141.4, "141"),
        (Unit.DIFFERENCE, -0.024, "-2.4 points"),
        (Unit.LOG_LIKELIHOOD, 0.0953, "+10.0%"),
    ],
)
def test_numbers_are_written_in_their_unit(unit, value, text):
    assert unit.text(value) == text


@pytest.mark.parametrize("unit", Unit)
def test_no_difference_is_where_the_scale_of_the_unit_has_its_middle(unit):
    assert unit.null_value == (1.0 if unit.is_ratio else 0.0)
    if unit.has_sign:
        assert unit.text(unit.null_value).startswith("+0.0")


@pytest.mark.parametrize("unit", Unit)
def test_json_has_the_word_and_gives_the_unit_back(unit):
    word = json.loads(json.dumps(plain(unit)))
    assert type(plain(unit)) is str
    assert Unit(word) is unit


def test_a_limit_is_compared_with_edges_and_the_smallest_effect():
    assert parse_region("> 1", 1.1).thresholds == (1.0, 1.1)
    assert parse_region("in [0.8, 1.25]").thresholds == (0.8, 1.25)
