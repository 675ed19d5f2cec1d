import pytest
from statsmodels.stats.proportion import proportion_confint

from cxresearch.disclosure.counts import (
    about,
    count_text,
    hide,
    merge_classes,
    part_of,
    rests_on_enough,
    round_count,
    round_estimate,
)


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ((500, 200, 0, 300), (500, 200, 0, 300)),
        ((500, 4, 200, 300), (500, None, None, 300)),  # one alone could be had by subtraction
        ((500, 4, 7, 300), (500, None, None, 300)),
        ((4, 0, 0), (None, 0, 0)),
        ((0, 0), (0, 0)),
    ],
)
def test_small_counts_and_what_gives_them_away_are_hidden(counts, shown):
    assert hide(counts, 10) == shown


@pytest.mark.parametrize(
    ("counts", "result"),
    [
        ((50, 30, 20), (("0", 50), ("1", 30), ("2+", 20))),
        ((50, 30, 8, 1, 3), (("0", 50), ("1", 30), ("2+", 12))),
        ((50, 30, 5, 2), (("0", 50), ("1+", 37))),
        ((3, 30, 20), (("0-1", 33), ("2+", 20))),
        ((50, 4, 6, 20), (("0", 50), ("1-2", 10), ("3+", 20))),
        ((50,), (("0+", 50),)),
        ((3, 2), ()),
    ],
)
def test_sparse_neighbours_share_a_class(counts, result):
    assert merge_classes(counts, 10) == result
    assert sum(n for _, n in result) in (0, sum(counts))


def test_counts_in_words():
    assert [count_text(n, 10) for n in (1204, 9, 0, None)] == [
        "1,200",
        "fewer than 10",
        "0",
        "not shown",
    ]


def wilson(cases, customers):
    result = proportion_confint(cases, customers, alpha=0.05, method="wilson")
    return cases / customers, *map(float, result)


@pytest.mark.parametrize("customers", [40, 454, 20_000])
@pytest.mark.parametrize("cases", [3, 9, 10, 11, 20])
def test_a_share_tells_no_small_count_of_cases_or_of_others(cases, customers):
    p, low, high = wilson(cases, customers)
    assert rests_on_enough(p, low, high, is_share=True, min_cell=10) == (cases >= 10)
    assert rests_on_enough(1 - p, 1 - high, 1 - low, is_share=True, min_cell=10) == (cases >= 10)
    assert rests_on_enough(p, low, high, is_share=True, min_cell=3)


def test_shares_of_nobody_and_of_all_are_told():
    assert rests_on_enough(0.0, 0.0, 0.02, is_share=True, min_cell=10)
    assert rests_on_enough(1.0, 0.98, 1.0, is_share=True, min_cell=10)
    assert not rests_on_enough(0.0, 0.0, 0.3, is_share=True, min_cell=10, customers=9)


def test_a_wide_hazard_ratio_is_told():
    assert rests_on_enough(1.3, 0.4, 4.2, is_share=False, min_cell=10, customers=200, events=40)


@pytest.mark.parametrize("few", [{"customers": 3}, {"events": 9}])
def test_a_number_of_few_is_not_told_whatever_its_unit(few):
    for is_share in (True, False):
        assert not rests_on_enough(0.5, 0.49, 0.51, is_share=is_share, min_cell=10, **few)
        assert rests_on_enough(
            0.5, 0.49, 0.51, is_share=is_share, min_cell=10, customers=2000, events=1000
        )


def test_what_may_be_worked_out_of_hidden_counts():
    assert hide((500, 1, 1, 300), 10) == (500, None, None, None)  # two that add up to 2 are 1 and 1
    assert hide((500, 300, 2, 9), 10) == (500, 300, None, None)


def test_round_counts():
    assert [about(n, 10) for n in (None, 0, 9, 10, 14, 15, 1204)] == [
        "not shown", "0", "fewer than 10", "about 10", "about 10", "about 20", "about 1,200",
    ]  # fmt: skip
    assert about(1204, 1) == count_text(1204, 1) == "1,204"


@pytest.mark.parametrize("min_cell", [2, 3, 5, 10])
def test_two_rounded_counts_say_of_a_small_difference_only_that_it_is_small(min_cell):
    """Whatever two counts are shown as: where one difference below `min_cell` would fit, all of them would."""
    shown = {
        n: round_count(n, min_cell)
        for n in range(2 * min_cell - min_cell // 2, 6 * min_cell - min_cell // 2)
    }
    for a, b in {(x, y) for x in shown.values() for y in shown.values() if x >= y}:
        fits = {
            n - m for n, x in shown.items() for m, y in shown.items() if (x, y) == (a, b) and n >= m
        }
        small = {d for d in fits if 0 < d < min_cell}
        assert not small or small >= set(range(1, min_cell)), (a, b, small)


def test_a_share_says_no_more_than_rounded_counts():
    assert part_of(458, 903, 10) == 460 / 900
    assert part_of(899, 904, 10) == 1.0
    assert part_of(3, 4, 10) == 0.0
    assert part_of(3, 4, 1) == 0.75


def test_an_estimate_goes_to_a_multiple_of_so_many_customers_and_stays_on_its_side():
    assert round_estimate(0.4, 0.38, 0.42, customers=200, min_cell=10) == pytest.approx(
        (0.4, 0.4, 0.4), abs=0.026
    )
    value, low, high = round_estimate(0.94, 0.926, 0.96, customers=460, min_cell=10, edges=(0.925,))
    assert low > 0.925
    assert all((x * 46) == pytest.approx(round(x * 46)) for x in (value, low, high))
    assert round_estimate(0.4, 0.38, 0.42, customers=200, min_cell=1) == (0.4, 0.38, 0.42)
    once = round_estimate(0.333, 0.3, 0.4, customers=700, min_cell=10)
    assert round_estimate(*once, customers=700, min_cell=10) == once
