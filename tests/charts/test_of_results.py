"""`plot()` of results: the chart of each kind, with what the result knows itself."""

import pytest

import cxresearch as cx
from cxresearch import charts
from cxresearch.utils.result import Drawable
from tests.report.dockets import ratio_trial


@pytest.fixture(scope="module")
def table():
    world = cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5))
    study = cx.worlds.simulate(world, 500, seed=1).study().replace(min_cell=20)
    return cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True).where(
        bad=["0", "1+"]
    )


def test_results_draw_themselves(table):
    fit = cx.cox(table, ["bad"])
    assert fit.plot().to_dict() == charts.hazard_ratios(fit, min_cell=20).to_dict()
    curves = cx.incidence_by_level(table, "bad", min_cell=20)
    expected = charts.retention(curves, history="bad moments so far", min_cell=20)
    assert curves.plot().to_dict() == expected.to_dict()
    by_cause = cx.curves.incidence_by_cause(table, min_cell=20)
    assert by_cause.plot().to_dict() == charts.competing(by_cause, min_cell=20).to_dict()
    assert "defection" in str(cx.incidence(table).plot().to_dict())
    trial = ratio_trial()
    assert trial.plot().to_dict() == charts.readings(trial, "hazard ratio").to_dict()


def test_the_study_says_which_counts_are_shown(table):
    """Not the usual ten: a study with another smallest count has it in every table that is made of its data."""
    fit, curve = cx.cox(table, ["bad"]), cx.incidence(table)
    assert (table.min_cell, fit.min_cell, curve.min_cell) == (20, 20, 20)
    rounded = round(fit.events / 20) * 20
    assert f"about {rounded:,} events" in fit._repr_html_()
    assert "min_cell" not in fit.to_dict()
    assert "min_cell" not in curve.to_polars().columns


def test_every_kind_that_can_be_drawn_has_a_chart():
    from cxresearch.charts.of_results import _DRAWN

    assert {k.__name__ for k in Drawable.__subclasses__()} == {k.__name__ for k in _DRAWN}
