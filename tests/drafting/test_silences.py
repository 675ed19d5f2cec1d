"""A gap is chosen by how many come back; held against a plain loop over customers."""

import random
from itertools import pairwise

import polars as pl
import pytest

from cxresearch.drafting.silences import FEW_RETURN, measure_silences


def log_of(days):
    return pl.LazyFrame(
        [{"who": who, "at": d} for who, each in enumerate(days) for d in each],
        schema={"who": pl.Int64, "at": pl.Int64},
    )


def share_by_hand(days, length):
    """1 - S(2 length) / S(length), from every silence, one factor for each day on which one ended."""
    last = max(d for each in days for d in each)
    silences = []
    for each in days:
        ordered = sorted(set(each))
        silences += [(b - a, True) for a, b in pairwise(ordered)]
        silences.append((last - ordered[-1], False))

    def still_silent(at):
        result = 1.0
        for day in range(1, at + 1):
            there = sum(n >= day for n, _ in silences)
            ended = sum(n == day and came for n, came in silences)
            result *= 1 - ended / there if there else 1
        return result

    before = still_silent(length)
    return 1 - still_silent(2 * length) / before if before else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_the_shares_are_those_of_a_plain_loop(seed):
    rng = random.Random(seed)
    days = [[rng.randrange(200) for _ in range(rng.randrange(1, 9))] for _ in range(30)]
    result = measure_silences(log_of(days), "who", "at", None)
    assert result is not None
    assert len(result.days) > 5
    for length, share in zip(result.days, result.returned, strict=True):
        assert share == pytest.approx(share_by_hand(days, length))


def test_who_comes_weekly_until_leaving_has_left_after_a_fortnight():
    days = [list(range(start, start + 7 * (4 + start % 9), 7)) for start in range(100)]
    days += [list(range(0, 1000, 7))]
    result = measure_silences(log_of(days), "who", "at", None)
    assert result.gap_days == 7
    assert not result.is_short
    assert dict(zip(result.days, result.returned, strict=True))[7] < FEW_RETURN


def test_a_gap_that_is_too_short_says_so():
    days = [[0, 300], [10, 310], [50, 350], [90, 390], [400]]
    result = measure_silences(log_of(days), "who", "at", None)
    assert result.gap_days == 120
    assert result.is_short


@pytest.mark.parametrize("days", [[[5]], [[5], [9]], [[]]])
def test_without_a_second_contact_nothing_can_be_said(days):
    assert measure_silences(log_of(days), "who", "at", None) is None


def test_times_that_cannot_be_read():
    log = pl.LazyFrame({"who": ["a", "a"], "at": ["soon", "later"]})
    assert measure_silences(log, "who", "at", None) is None
