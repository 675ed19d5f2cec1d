"""Work in threads. When a piece of work fails, those that have not begun are dropped instead of worked on first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """Work on items, several at a time.

    Args:
        work: called with each item.
        items: all are taken at once.
        threads: how many items are worked on at the same time.

    Yields:
        What `work` returns, in the order of the items.

    Raises:
        Exception: what the first failing item raises, in the order of the items.

    Example:
        >>> list(map_in_threads(lambda n: n * n, [1, 2, 3], 2))
        [1, 4, 9]
    """
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield from pool.map(work, items)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def completed_in_threads(
    work: Callable[[Item], object], items: Iterable[Item], threads: int
) -> Iterator[Item]:
    """Work on items, several at a time, and yield each one as soon as it is done.

    Args:
        work: called with each item; what it returns is dropped.
        items: begun in this order.
        threads: how many items are worked on at the same time.

    Yields:
        The items, in the order in which they are done.

    Raises:
        Exception: what the first item to fail raises.
    """
    with ThreadPoolExecutor(threads) as pool:
        running = {pool.submit(work, item): item for item in items}
        try:
            for future in as_completed(running):
                future.result()
                yield running[future]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def in_background(work: Callable[[], Result]) -> Iterator[Future[Result]]:
    """Begin a piece of work in another thread, and wait for it at the end of the block."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work)
