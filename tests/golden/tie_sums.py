"""The sums of Efron's likelihood at one time, exactly: decimal arithmetic, term by term.

Run from the root of the repository: `python tests/golden/tie_sums.py`. S and Q are binary floating-point
numbers and taken at their exact value; the sums are computed with 60 digits and written with 25.
"""

import csv
from decimal import Decimal, getcontext
from pathlib import Path

TIES = (1, 2, 3, 10, 64, 65, 300, 1000, 5000)
RATIOS = (1.0, 1 + 2**-52, 1 + 1e-9, 1.001, 1.1, 1.5, 1.999, 2.0, 2.001, 3.0, 10.0, 1e3, 1e5)
LARGEST = 1e9


def sums(s: float, q: float, d: int) -> tuple[Decimal, ...]:
    """Return L, A, B, C, D, E with u_l = S - (l/d) Q, l = 0 ... d-1."""
    totals = [Decimal(0)] * 6
    for number in range(d):
        share = Decimal(number) / d
        u = Decimal(s) - Decimal(number) * Decimal(q) / d
        one = 1 / u
        terms = (u.ln(), one, share * one, one * one, share * one * one, share * share * one * one)
        totals = [total + term for total, term in zip(totals, terms, strict=True)]
    return tuple(totals)


def grid() -> list[tuple[float, float, int]]:
    """Return (S, Q, d): every ratio S/Q for every d, up to z = S d/Q = 1e9, and a few other scales."""
    cells = []
    for d in TIES:
        ratios = [*(ratio for ratio in RATIOS if ratio * d <= LARGEST), LARGEST / d]
        cells += [(ratio * 1.37 * d, 1.37 * d, d) for ratio in ratios]
    scales = (1e-6, 0.01, 1e5)
    cells += [
        (ratio * q, q, d) for d in (5, 80, 2000) for q in scales for ratio in (1.0, 1.25, 2.5, 4e4)
    ]
    # z ≈ 8e5 with d = 20 is where the closed form loses the sum E.
    cells += [(8e5, 20.0, 20), (8e5, 65.0, 65), (5001.0, 5000.0, 5000), (64.0, 64.0, 64)]
    return cells


def main() -> None:
    """Write tie_sums.csv beside this file."""
    getcontext().prec = 60
    with Path(__file__).with_name("tie_sums.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("S", "Q", "d", "L", "A", "B", "C", "D", "E"))
        for s, q, d in grid():
            texts = [f"{total:.25g}" if total else "0" for total in sums(s, q, d)]
            writer.writerow((repr(s), repr(q), d, *texts))


if __name__ == "__main__":
    main()
