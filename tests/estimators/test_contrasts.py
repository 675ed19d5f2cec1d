"""Numbers made of hazard ratios: over the range of a count, and E-values."""

import math

import pytest

from cxresearch.estimators.contrasts import e_value


@pytest.mark.parametrize(
    ("ratio", "wanted"),
    # by hand: (1 - 0.5^√HR) / (1 - 0.5^√(1/HR)) = 0.624786 / 0.387453 = 1.612547, and RR + √(RR (RR - 1))
    [(2.0, 2.606408), (0.5, 2.606408), (1.0, 1.0), (0.0, math.inf)],
)
def test_e_value_by_hand(ratio, wanted):
    assert e_value(ratio) == pytest.approx(wanted, abs=2e-6)
