import pytest

import cxresearch as cx
from cxresearch.worlds import World, simulate


@pytest.mark.spark
def test_all_instruments_are_the_same():
    study = simulate(World(base_hazard=0.003), 1400, seed=3).study()
    ours, theirs = cx.read_records(study), cx.read_records(study, "spark")
    for made in (
        cx.journey.moment_summary,
        cx.journey.service_levels,
        cx.journey.scorecard,
        cx.journey.perception_map,
        cx.journey.loyalty_shift,
    ):
        assert made(theirs).to_dict() == made(ours).to_dict()
