import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxresearch.journey.cells import hidden, shown
from cxresearch.small_cells import hide


@given(
    st.integers(1, 5).flatmap(
        lambda w: st.lists(st.lists(st.integers(0, 40), min_size=w, max_size=w), min_size=1, max_size=6)
    ),
    st.integers(1, 12),
)
def test_no_line_gives_a_small_cell_away(counts, min_cell):
    table, hide_it = np.array(counts), hidden(counts, min_cell)
    assert hide_it[(table > 0) & (table < min_cell)].all()
    assert not hide_it[table == 0].any()
    for axis in (0, 1):
        for line, marks in zip(np.moveaxis(table, axis, 0), np.moveaxis(hide_it, axis, 0), strict=True):
            held = line[marks]
            exhausted = (line[~marks] == 0).all()
            assert not len(held) or exhausted or (len(held) >= 2 and held.sum() >= min_cell)


def test_nothing_is_hidden_without_need():
    assert shown([[500, 40, 0], [20, 30, 10]], 10) == ((500, 40, 0), (20, 30, 10))


def test_a_hidden_cell_takes_the_smallest_of_its_row_and_column_with_it():
    assert shown([[500, 4, 70], [60, 50, 40], [90, 80, 300]], 10) == (
        (500, None, None),
        (60, None, None),
        (90, 80, 300),
    )


def test_one_row_is_as_strict_as_counts_of_one_total():
    for counts in ([500, 4, 200, 300], [500, 4, 7, 300], [4, 0, 0], [0, 0]):
        assert shown([counts], 10)[0] == hide(counts, 10)
    assert shown([[500, 3, 4, 300]], 10) == ((500, None, None, None),)  # 3 and 4 are told by their sum
