"""Times are recognised by all values of a column, and what cannot be distinguished is not."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxresearch.drafting.time_forms import forms_of_numbers, forms_of_texts

START = datetime(2023, 1, 3, 4, 5, 6)
TIMES = [START + timedelta(days=i, hours=i) for i in range(60)]


def keys(forms):
    return [f.key for f in forms]


@pytest.mark.parametrize(
    "fmt",
    [
        "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y",
        "%Y/%m/%d %H:%M:%S", "%d/%m/%y", "%d/%b/%Y:%H:%M:%S",
    ],
)  # fmt: skip
def test_a_format_is_found(fmt):
    assert keys(forms_of_texts([t.strftime(fmt) for t in TIMES])) == [fmt]


@pytest.mark.parametrize("fmt", ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ"])
def test_iso_needs_no_format(fmt):
    assert keys(forms_of_texts([t.strftime(fmt) for t in TIMES])) == [None]


def test_day_and_month_that_cannot_be_told_apart():
    texts = [f"{d:02}/{m:02}/2024" for d in range(1, 13) for m in range(1, 13)]
    assert keys(forms_of_texts(texts)) == ["%d/%m/%Y", "%m/%d/%Y"]


def test_digits_without_zeros():
    assert keys(forms_of_texts(["29/2/2016 01:16", "1/3/2016 11:02"])) == ["%d/%m/%Y %H:%M"]


@pytest.mark.parametrize(
    "texts",
    [[], ["a"], ["2024-13-01x"], ["12345678", "20240230"], ["1/2", "3/4"], ["12.50", "3.99"]],
)
def test_what_is_no_time(texts):
    assert forms_of_texts(texts) == ()


@pytest.mark.parametrize(
    ("scale", "key"), [(1, "epoch_s"), (10**3, "epoch_ms"), (10**6, "epoch_us")]
)
def test_seconds_since_1970(scale, key):
    numbers = [t.timestamp() // 1 * scale for t in TIMES]
    assert keys(forms_of_numbers(numbers, min(numbers), max(numbers))) == [key]
    assert keys(forms_of_texts([f"{n:.0f}" for n in numbers])) == [key]


def test_dates_of_eight_digits():
    numbers = [int(t.strftime("%Y%m%d")) for t in TIMES]
    assert keys(forms_of_numbers(numbers, min(numbers), max(numbers))) == ["yyyymmdd"]
    assert keys(forms_of_texts([str(n) for n in numbers])) == ["yyyymmdd"]


@pytest.mark.parametrize(
    "numbers", [[1, 2, 3], [19_999_999, 20_240_131], [1.5e9 + 0.5, 1.6e9], [-5.0, 12.0]]
)
def test_numbers_that_are_no_times(numbers):
    assert forms_of_numbers(numbers, min(numbers), max(numbers)) == ()


@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_text_is_looked_at_without_an_error(texts):
    for form in forms_of_texts(texts):
        assert form.words
