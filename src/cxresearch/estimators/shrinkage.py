"""Shares of few moments, drawn towards the share among all customers, so that one moment does not make an extreme."""

from __future__ import annotations

from scipy.special import digamma

from cxresearch.errors import NotTestable
from cxresearch.risk.table import RiskTable

MIN_REPEATERS = 50  # customers with two moments or more
_STEP = 0.05  # of log odds: how finely customers are distinguished
_LARGEST = 5.0  # log odds of which powers are taken
_LEAST_VARIANCE = 1e-4  # of true shares between customers
_WEIGHTS = (
    1.0,
    200.0,
)  # moments that the share among all customers may count as, at least and at most


def check_shows_proneness(table: RiskTable, name: str) -> None:
    """Check that a share so far can tell what customers are prone to.

    Of customers with one moment each, nothing tells what they are prone to from what happened once.

    Args:
        table: with a feature whose levels are those of `histories.graded_share`, such as ``1/4``.
        name: the feature.

    Raises:
        NotTestable: fewer than 50 customers have two moments or more, or theirs are all alike.
        EstimationError: no such feature.
    """
    several = [(a, n, k) for a, n, k in _by_level(table, name) if n >= 2]
    if sum(k for *_, k in several) < MIN_REPEATERS:
        raise NotTestable(
            "no_repeaters",
            f"{MIN_REPEATERS} customers with two such occasions or more: what happened once does not tell what a "
            "customer is prone to",
        )
    hits, moments = sum(a * k for a, _, k in several), sum(n * k for _, n, k in several)
    if not 0 < hits < moments:
        raise NotTestable(
            "no_fit",
            "customers who differ: with those who had two such occasions or more, it was always so or never",
        )


def shrunken_log_odds(table: RiskTable, name: str) -> tuple[RiskTable, bool]:
    """The table with shares so far as log odds, drawn towards what they are among all customers.

    A customer with `a` such moments of `n` has the log odds to be expected of a share that has a beta distribution over
    customers, ψ(a + w p) - ψ(n - a + w (1 - p)), less those of a customer with no moment yet. There p is the share
    among all moments, and w as many moments as make the variance of true shares between customers what it is, by the
    method of moments over customers with several.

    Args:
        table: with a feature whose levels are those of `histories.graded_share`, such as ``1/4``.
        name: the feature.

    Returns:
        The table, its levels numbers; and whether customers differ in them at all. Of a rare kind log odds reach a
        hundred; they are then scaled to no more than 5, since a fit would lose the digits of their powers. The table is
        as it was where no moment, or every one, counts.

    Raises:
        EstimationError: no such feature.
    """
    by_level = _by_level(table, name)
    moments = sum(n * k for _, n, k in by_level)
    hits = sum(a * k for a, _, k in by_level)
    if not 0 < hits < moments:
        return table, False
    p = hits / moments
    weight = _weight_of_all(by_level, p)
    of_all = float(digamma(weight * p) - digamma(weight * (1 - p)))
    odds = {
        level: float(digamma(a + weight * p) - digamma(n - a + weight * (1 - p))) - of_all
        for level, (a, n) in _counts(table, name).items()
    }
    levels = table.feature(name).levels
    there = [levels[i] for i in table.positions(name) if levels[i] in odds]
    scale = max(1.0, max((abs(odds[level]) for level in there), default=0.0) / _LARGEST)
    names = {v: f"{_STEP * round(x / _STEP) / scale:.6f}" for v, x in odds.items()}
    result = table.relabel(name, names)
    return result, len(result.positions(name)) > 1


def _counts(table: RiskTable, name: str) -> dict[str, tuple[float, ...]]:
    """Such moments, and moments, by level; unknown left out."""
    levels = table.feature(name).levels
    return {level: tuple(map(float, level.split("/"))) for level in levels if "/" in level}


def _by_level(table: RiskTable, name: str) -> list[tuple[float, float, int]]:
    """Such moments, moments, and customers who end there."""
    customers = table.ends(name)
    counts = _counts(table, name)
    return [(a, n, customers.get(level, 0)) for level, (a, n) in counts.items()]


def _weight_of_all(by_level: list[tuple[float, float, int]], p: float) -> float:
    """How many moments the share among all customers counts as.

    A customer with `n` moments weighs n - 1, in the mean of shares and of their squares alike. Were the mean that
    of all moments, those who are often in touch would weigh more in the squares than in the mean; where they are less
    harsh than others, true shares would then seem to be alike.

    Args:
        by_level: such moments, moments and customers.
        p: the share among all moments.
    """
    several = [(a, n, (n - 1) * k) for a, n, k in by_level if n > 1 and k]
    total = sum(weight for _, _, weight in several)
    mean, square = p, p * p
    if total:
        mean = sum(a / n * weight for a, n, weight in several) / total
        square = sum(max(a * (a - 1), 0.0) / (n * (n - 1)) * w for a, n, w in several) / total
    variance = max(square - mean * mean, _LEAST_VARIANCE)
    return min(max(mean * (1 - mean) / variance - 1, _WEIGHTS[0]), _WEIGHTS[1])
