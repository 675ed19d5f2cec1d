"""Stand-ins of public data sets are read by the recipes as the data sets are."""

import pytest

import cxresearch as cx
from cxresearch.errors import ArgumentError
from cxresearch.utils.bundled import bundled
from cxresearch.worlds.stand_ins import stand_in_variable


def test_a_recipe_reads_its_stand_in(tmp_path):
    variable = cx.worlds.write_stand_in("ravenstack", tmp_path, customers=120)
    assert variable == stand_in_variable("ravenstack") == "RAVENSTACK"
    study = cx.read_study(
        bundled("data") / "recipes" / "ravenstack.toml", {variable: str(tmp_path)}
    )
    records = cx.read_records(study)
    assert dict(records.audit.tables).keys() == {"accounts", "churn_events", "tickets"}
    assert dict(records.audit.kept)["retention"] == 120
    assert dict(records.audit.kept)["interactions"] > 500
    assert records.levels["segment"] == ("basic", "family", "plus")


def test_there_is_none_for_every_recipe(tmp_path):
    with pytest.raises(ArgumentError, match="recipe must be 'ravenstack'"):
        cx.worlds.write_stand_in("cdnow", tmp_path)
