"""Studies of synthetic companies, in memory; tests take `make_study` from the fixture of that name or from here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cxresearch as cx
from cxresearch.worlds import Simulated, World, simulate

SECTIONS: dict[str, Any] = {
    "study": {"name": "a world"},
    # most tests look at a claim by itself; with another method all claims of the study are tried as well
    "decision": {"multiplicity": "none"},
    "interactions": {"score": "stars", "scale": [1, 5]},
    "moments": {"exclude": "touchpoint = 'cancellation'"},
    "retention": {
        "cause": "reason",
        "defection": ["switched"],
        "segment": "plan",
        "cluster": "household",
    },
}


@lru_cache(maxsize=4)
def _simulated(world: World, customers: int, seed: int) -> Simulated:
    """A company that several tests ask for, simulated once in a worker."""
    return simulate(world, customers, seed)


def make_study(world: World, customers: int = 3_000, seed: int = 11, **sections: Any) -> cx.Study:
    """Make the study of a synthetic company.

    Args:
        world: What holds in the company.
        customers: How many.
        seed: Equal seeds give equal companies.
        sections: Sections of the study file in the place of those in `SECTIONS`, and `claims`.
    """
    made = _simulated(world, customers, seed)
    return cx.study_from(
        SECTIONS | sections, interactions=made.interactions, retention=made.customers
    )
