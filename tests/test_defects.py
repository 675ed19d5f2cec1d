"""Defects that are planted make verdicts wrong, or intervals miss the truth, where both are right without them."""

import pytest
from benchmarks.defects import DEFECTS, FIRST_SEED, Judged, is_found, judge, table


@pytest.mark.slow
@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_shows(name):
    without, with_it = judge(name, FIRST_SEED)
    assert without.covered
    assert not without.wrong
    assert with_it.wrong or not with_it.covered


@pytest.mark.parametrize(
    ("judged", "found"),
    [
        (Judged(wrong=False, right=True, covered=True), False),
        (Judged(wrong=True, right=False, covered=True), True),
        (Judged(wrong=False, right=False, covered=True), True),
        (Judged(wrong=False, right=True, covered=False), True),
    ],
)
def test_each_bar_rejects(judged, found):
    defect = DEFECTS["final-counts"]
    assert is_found(defect, [judged] * 10) is found


def test_where_no_verdict_is_right_none_is_missed():
    judged = [Judged(wrong=False, right=False, covered=True)] * 10
    assert not is_found(DEFECTS["exit-day"], judged)
    assert "passes" in table({"exit-day": [(judged[0], judged[0])]})
