"""Errors by leaving out one cluster, or one group of clusters, at a time: what robust errors are held against.

Where a robust error is the sum of squares of derivatives, the jackknife takes the differences themselves. Both estimate
the same spread and come nearer to each other the more clusters there are: a difference is a derivative but for terms of
the square of a cluster's share of the data.

Reference:
    Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans.
"""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt


def leave_each_out(
    groups: Iterable[int], refit: Callable[[int], npt.ArrayLike]
) -> npt.NDArray[np.float64]:
    """What an estimate becomes without each group; shape (G, …).

    Args:
        groups: all of them.
        refit: the estimate without one of them.
    """
    return np.array([refit(group) for group in groups], dtype=np.float64)


def jackknife_error(replicates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The standard error, sqrt((G-1)/G Σ (replicate - mean)²).

    Args:
        replicates: shape (G, …).
    """
    count = len(replicates)
    squares = sum((replicate - replicates.mean(axis=0)) ** 2 for replicate in replicates)
    return np.sqrt((count - 1) / count * np.asarray(squares))
