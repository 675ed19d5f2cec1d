import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from cxresearch.disclosure.counts import hide
from cxresearch.disclosure.tables import cells_to_hide, hide_cells, levels_to_hide, sums_to_hide


def largest(cell, table, hide_it, min_cell):
    """The largest value a cell can have for somebody who sees the others and the totals; whole numbers only."""
    cells = np.arange(table.size).reshape(table.shape)
    totals = [(line, n) for axis in (0, 1) for line, n in zip(
        np.moveaxis(cells, 1 - axis, 0), hide(table.sum(axis=axis).tolist(), min_cell), strict=True
    )]  # fmt: skip
    seen = [(line, n) for line, n in totals if n is not None] + [(cells.ravel(), table.sum())]
    seen += [([i], table.flat[i]) for i in cells.ravel() if not hide_it.flat[i]]
    rows = np.zeros((len(seen), table.size))
    for row, (line, _) in zip(rows, seen, strict=True):
        row[line] = 1
    goal = np.zeros(table.size)
    goal[cell] = -1
    result = milp(
        goal,
        constraints=LinearConstraint(rows, *[[n for _, n in seen]] * 2),
        integrality=np.ones(table.size),
        bounds=Bounds(0, table.sum()),
    )
    return -result.fun


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda w: st.lists(
            st.lists(st.integers(0, 40), min_size=w, max_size=w), min_size=1, max_size=5
        )
    ),
    st.integers(1, 12),
)
def test_no_small_cell_can_be_worked_out(counts, min_cell):
    table, hide_it = np.array(counts), cells_to_hide(counts, min_cell)
    small = (table > 0) & (table < min_cell)
    assert hide_it[small].all()
    assert not hide_it[table == 0].any()
    exhausted = (table[~hide_it] == 0).all()
    for cell in np.flatnonzero(small):
        assert exhausted or largest(cell, table, hide_it, min_cell) >= min_cell


def test_levels_of_service_do_not_give_away_what_the_grades_hide_and_the_other_way_round():
    # criminal 3 and basic 500 are all the bad moments there are, and these are told
    by = {(0, 0): 3, (1, 0): 500, (2, 1): 800, (4, 2): 40, (5, 2): 60}
    gone = levels_to_hide(by, (*range(6), -1), 4, 10)
    assert {0, 1} <= gone
    assert not {2, 4, 5} & gone


def test_sums_over_the_same_cells_are_hidden_together():
    counts = [3, 500, 800]
    gone = sums_to_hide(
        counts, [(0, 1, 2)], {"a": (0,), "a or b": (0, 1), "b": (1,), "c": (2,)}, 10
    )
    assert "a" in gone
    assert len({"a or b", "b"} - gone) < 2


def test_nothing_is_hidden_without_need():
    assert hide_cells([[500, 40, 0], [20, 30, 10]], 10) == ((500, 40, 0), (20, 30, 10))


def test_a_hidden_cell_takes_the_smallest_of_its_row_and_column_with_it():
    assert hide_cells([[500, 4, 70], [60, 50, 40], [90, 80, 300]], 10) == (
        (500, None, None),
        (60, None, None),
        (90, 80, 300),
    )


def test_one_row_is_as_strict_as_counts_of_one_total():
    for counts in ([500, 4, 200, 300], [500, 4, 7, 300], [4, 0, 0], [0, 0]):
        assert hide_cells([counts], 10)[0] == hide(counts, 10)
    assert hide_cells([[500, 3, 4, 300]], 10) == (
        (500, None, None, None),
    )  # 3 and 4 are told by their sum
    assert hide([500, 3, 4, 300], 10) == (500, None, None, None)
