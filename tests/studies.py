"""Studies of synthetic companies, in memory; tests take `make_study` from the fixture of that name or from here."""

from __future__ import annotations

from typing import Any

import cxresearch as cx
from cxresearch.worlds import World, simulate

SECTIONS: dict[str, Any] = {
    "study": {"name": "a world"},
    "interactions": {"score": "stars", "scale": [1, 5]},
    "moments": {"exclude": "touchpoint = 'cancellation'"},
    "retention": {
        "cause": "reason",
        "defection": ["switched"],
        "segment": "plan",
        "cluster": "household",
    },
}


def make_study(world: World, customers: int = 3_000, seed: int = 11, **sections: Any) -> cx.Study:
    """Make the study of a synthetic company.

    Args:
        world: What holds in the company.
        customers: How many.
        seed: Equal seeds give equal companies.
        sections: Sections of the study file in the place of those in `SECTIONS`, and `claims`.
    """
    made = simulate(world, customers, seed)
    return cx.study_from(
        SECTIONS | sections, interactions=made.interactions, retention=made.customers
    )
