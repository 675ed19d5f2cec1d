import pytest

from cxresearch.small_cells import classes, hide, told


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
    ("counts", "found"),
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
def test_sparse_neighbours_share_a_class(counts, found):
    assert classes(counts, 10) == found
    assert sum(n for _, n in found) in (0, sum(counts))


def test_counts_in_words():
    assert [told(n, 10) for n in (1204, 9, 0, None)] == ["1,204", "fewer than 10", "0", "not shown"]
