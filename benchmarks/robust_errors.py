"""How far robust errors are from R's: python benchmarks/robust_errors.py.

Compares every number of the committed files in tests/golden/robust, which R made, with that of the package, and writes
docs/robust-errors.md. R itself is not needed.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.estimators.robust import STUDIES, Comparison, comparisons

PAGE = ROOT / "docs" / "robust-errors.md"
HEAD = """\
# Robust errors against R

A robust error is the root of the sum of squares, over clusters (customers, or households), of how much each cluster
moves an estimate: its influence, which is the derivative of the estimate in the case weight of the cluster. It is what
R's `coxph(cluster = )` and `survfit(cluster = )` report, without a factor for few clusters. Limits take the t
distribution with as many degrees of freedom as there are clusters with an event, less one; why is in
[decision 30](decisions/0030-errors-by-influence-functions.md).

The table is written by `python benchmarks/robust_errors.py` from the files in
[tests/golden](../tests/golden/README.md), which R made by the scripts that lie beside them. A number is one
coefficient, one entry of a covariance, or what one cluster adds to one estimate. Of `glm`, the scores are summed by
cluster and multiplied by the inverse of the observed information. `tests/estimators/test_robust_errors.py` holds all of
them to 1e-8.

| what | in R | numbers | largest difference |
|---|---|---|---|
"""
TAIL = """
The studies:

{studies}

Where R has no function the influences are held against derivatives in case weights, by counting one cluster a millionth
more and a millionth less, to 1e-6, or 2e-5 where the estimate is itself found by iteration
(`tests/estimators/test_influence.py`): excess, attributable shares, comparisons of models, shares, shares beside those
at risk, incidences at a horizon and ratios of them, rates and their ratios, and fading. Many errors are held near those
of a jackknife as well, which leaves out one cluster at a time and fits again (`tests/reference/jackknife.py`).
"""


def lines_of(compared: Iterable[Comparison]) -> list[str]:
    """A line per quantity, in the order of their first appearance."""
    worst: dict[tuple[str, str], tuple[int, float]] = {}
    for one in compared:
        key = (one.quantity, one.function)
        count, difference = worst.get(key, (0, 0.0))
        worst[key] = (count + one.ours.size, max(difference, one.difference))
    return [
        f"| {quantity} | `{function}` | {count:,} | {difference:.0e} |"
        for (quantity, function), (count, difference) in worst.items()
    ]


def main() -> None:
    """Write the page."""
    lines = lines_of(comparisons())
    studies = "\n".join(f"- {study}" for study in STUDIES)
    PAGE.write_text(HEAD + "\n".join(sorted(lines)) + "\n" + TAIL.format(studies=studies))
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
