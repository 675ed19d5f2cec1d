"""Work in threads: its order, and what becomes of the rest when a piece of it fails."""

from threading import Event, current_thread

import pytest

from cxresearch.utils.threads import completed_in_threads, in_background, map_in_threads


def test_results_come_in_the_order_of_the_items():
    first_may_end = Event()

    def work(n):
        if n == 0:
            assert first_may_end.wait(10)
        elif n == 1:
            first_may_end.set()
        return n * 10

    assert list(map_in_threads(work, range(5), 2)) == [0, 10, 20, 30, 40]


def test_items_come_as_soon_as_they_are_done():
    others_are_done = Event()

    def work(n):
        if n == 0:
            assert others_are_done.wait(10)

    result = []
    for n in completed_in_threads(work, range(4), 2):
        result.append(n)
        if len(result) == 3:
            others_are_done.set()
    assert sorted(result[:3]) == [1, 2, 3]
    assert result[3] == 0


@pytest.mark.parametrize("run", [map_in_threads, completed_in_threads])
def test_what_has_not_begun_is_dropped_after_a_failure(run):
    begun = []

    def work(n):
        begun.append(n)
        if n == 0:
            raise ValueError("no")
        failed.wait(0.2)

    failed = Event()
    with pytest.raises(ValueError, match="no"):
        list(run(work, range(500), 1))
    assert len(begun) < 500


@pytest.mark.parametrize("run", [map_in_threads, completed_in_threads])
def test_what_has_not_begun_is_dropped_when_nobody_wants_it(run):
    begun, wait = [], Event()

    def work(n):
        begun.append(n)
        wait.wait(0.05)

    results = run(work, range(500), 1)
    next(results)
    results.close()
    assert len(begun) < 500


def test_work_in_the_background_is_waited_for():
    done = []
    with in_background(lambda: done.append(current_thread().name) or 3) as future:
        assert future.result() == 3
    with in_background(lambda: done.append(current_thread().name)):
        pass
    assert len(done) == 2
    assert current_thread().name not in done
