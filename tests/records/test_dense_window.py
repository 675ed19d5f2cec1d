"""From when to when a log goes: a stray date never widens it, and nothing else shortens it."""

import pytest

from cxresearch.records.dense_window import dense_window

YEAR = [(day, 40) for day in range(1000, 1365)]


def window(days):
    found = dense_window(days)
    return found.first, found.last


@pytest.mark.parametrize(
    "days",
    [
        YEAR,
        [(1000, 1)],
        [(1000, 1), (5000, 1)],  # too few to say which one is stray
        [(day, 1) for day in range(1000, 1365, 20)],
        [(day, day - 999) for day in range(1000, 1365)],  # a company that grows
        [(day, 1385 - day) for day in range(1000, 1365)],  # and one that shrinks
        [(day, 40 if day % 7 < 5 else 1) for day in range(1000, 1366)],  # weekends are quiet
        [(day, 40) for day in range(1000, 1365) if not 1100 < day < 1150],  # a summer break
        [(day, n) for year in (0, 365) for day, n in [(1000 + year + d, 20) for d in range(90)]],
    ],
)
def test_a_log_without_stray_dates_is_taken_as_it_is(days):
    found = dense_window(days)
    assert (
        (found.first, found.last)
        == (found.seen_first, found.seen_last)
        == (days[0][0], days[-1][0])
    )
    assert (found.before, found.after) == (0, 0)


@pytest.mark.parametrize("beyond", [[(1500, 1)], [(30_000, 3)], [(1425, 1), (2000, 2), (9000, 1)]])
def test_dates_far_beyond_do_not_count(beyond):
    found = dense_window([*YEAR, *beyond])
    assert (found.last, found.after) == (1364, sum(n for _, n in beyond))
    assert found.seen_last == beyond[-1][0]
    mirrored = [(-day, n) for day, n in reversed([*YEAR, *beyond])]
    found = dense_window(mirrored)
    assert (found.first, found.before) == (-1364, sum(n for _, n in beyond))


def test_dates_scattered_over_years_do_not_count():
    """Only those of the first four weeks cannot be distinguished from a quiet end."""
    scattered = [(day, 1) for day in range(1370, 3000, 12)]
    assert window([*YEAR, *scattered]) == (1000, 1382)


def test_lone_rows_right_after_the_end_of_a_large_log_do_not_count():
    large = [(day, 400) for day in range(1000, 1365)]
    assert window([*large, (1367, 1), (1380, 1)]) == (1000, 1364)


def test_a_tail_that_is_many_counts():
    assert window([*YEAR, *((day, 2) for day in range(1365, 1500))]) == (1000, 1499)
