"""Readings of one claim share a fit where their models are the same, and only there."""

import pytest

from cxresearch.claims import compute_models
from cxresearch.claims.catalogue_loader import parse_claim
from cxresearch.claims.compute import compute
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.tables import TableStore
from cxresearch.worlds import World
from tests.studies import make_study

RATIO = {"kind": "hazard_contrast", "label": "l", "region": "> 1"}
CLAIM = parse_claim(
    {
        "id": "shared",
        "statement": "s",
        "source": "us",
        "histories": {
            "bad": {"use": "bad_count", "cap": 1},
            "good": {"use": "grade_count", "grade": "good", "edges": [1]},
        },
        "readings": [
            RATIO
            | {"id": name, "model": {"terms": ["bad", "good"]}, "contrast": {contrast: 1}}
            | {"primary": name == "of-bad"}
            for name, contrast in (
                ("of-bad", "bad[1+]"), ("of-bad-again", "bad[1+]"), ("of-good", "good[1+]")
            )
        ],
        "text": {"finding": "it is so"},
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return make_study(World(hr_bad=(1.0, 2.0, 2.0, 2.0)), 600)


@pytest.fixture
def fits(monkeypatch):
    """The terms that each fit has held equal."""
    held_equal = []
    fit_hazards = compute_models.fit_hazards

    def recorded(table, terms, *, held, **settings):
        held_equal.append(tuple(h for h in held if h in ("bad", "good")))
        return fit_hazards(table, terms, held=held, **settings)

    monkeypatch.setattr(compute_models, "fit_hazards", recorded)
    return held_equal


def computed(context, *names):
    return [compute(context, CLAIM, context.adapt(CLAIM, CLAIM.reading(n))) for n in names]


def test_other_terms_held_equal_are_another_fit(study, fits):
    """Table, terms and strata are the same: what is held equal alone distinguishes the models."""
    of_bad, of_good = computed(
        EvaluationContext(TableStore(study, keep=False)), "of-bad", "of-good"
    )
    assert fits == [("good",), ("bad",)]
    [alone] = computed(EvaluationContext(TableStore(study, keep=False)), "of-good")
    assert of_good.estimate == alone.estimate
    assert of_good.estimate != of_bad.estimate


def test_equal_models_are_fitted_once(study, fits):
    context = EvaluationContext(TableStore(study, keep=False))
    once, again = computed(context, "of-bad", "of-bad-again")
    assert fits == [("good",)]
    assert once.estimate == again.estimate
