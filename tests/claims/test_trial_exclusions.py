"""Why customers were left out is said in words; names of histories are for programs."""

import json
import re

import pytest

import cxresearch as cx
from cxresearch.worlds import World, simulate


@pytest.mark.slow
def test_no_docket_holds_the_name_of_a_history():
    made = simulate(World(days=500, entry_days=250, hr_bad=(1, 1.5, 2, 3)), 1500, seed=2)
    docket = cx.evaluate(made.study(), keep=False)
    reasons = {
        e.reason for trial in docket.values() for row in trial.values() for e in row.exclusions
    }
    assert "had the first bad moment and the second bad moment on the same day" in reasons
    assert not [r for r in reasons if re.search(r"reached|\b\w+_\w+|\d\+", r)], reasons
    said = json.dumps([trial.to_dict() for trial in docket.values()])
    assert "on the day they reached" not in said
