"""One number, decided in the four places that decide: a trial, a rival, a specification curve and planning."""

import math

import msgspec
import pytest

import cxresearch as cx
from cxresearch.claims import specification_curve, trial
from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.context import EvaluationContext, RawEstimate
from cxresearch.claims.rivals import apply as rivals
from cxresearch.claims.tables import TableStore
from cxresearch.estimators.influence import Clusters
from cxresearch.estimators.results import estimate
from cxresearch.planning.pilots import Pilot
from cxresearch.planning.rule import decide_drawn
from cxresearch.worlds import World
from tests.studies import make_study

CLAIM = catalogue()["bad-moments-drive-away"]
CLUSTERS = Clusters(1_000, 100, "clusters")
# of a ratio that the claim says is above 1, and that matters from 1.10 on: inside, negligible, doubtful, a precise
# null, short of what matters on the side of the claim, and outside
NUMBERS = {
    "inside": (1.5, 0.05),
    "negligible": (1.05, 0.01),
    "doubtful": (1.2, 0.15),
    "null": (1.0, 0.02),
    "short": (1.03, 0.02),
    "outside": (0.7, 0.05),
}
EXPECTED = {
    "inside": "supported",
    "negligible": "supported",
    "doubtful": "undecided",
    "null": "contradicted",
    "short": "contradicted",
    "outside": "contradicted",
}


@pytest.fixture(scope="module")
def study():
    return make_study(World(), 200)


@pytest.fixture
def verdicts(monkeypatch, study):
    """The verdict of each place on a number that is given to all of them."""

    def decide_everywhere(value, se, *, one_sided="", undecidable=""):
        number = estimate(value, se, scale="log", level=0.95, clusters=CLUSTERS)
        raw = RawEstimate(estimate=number, customers=1_000, events=100, why_undecidable=undecidable)
        primary = msgspec.structs.replace(
            CLAIM.primary, requires=(), sensitivity=(), why_not_contradicted=one_sided
        )
        claim = msgspec.structs.replace(
            CLAIM, readings=(primary, *(r for r in CLAIM.readings if not r.primary))
        )
        for module in (trial, rivals, specification_curve):
            monkeypatch.setattr(module, "compute", lambda *_: raw)
        monkeypatch.setattr(specification_curve, "claims_of", lambda _: (claim,))
        context = EvaluationContext(TableStore(study, keep=False))
        _, rows = trial.compute_readings(context, claim, [primary])
        row = rows[primary.id]
        _, tried = rivals.apply_rivals(context, claim, primary, row)
        (analyses,) = [r.rows for r in tried if r.id == "already-leaving"]
        curve = cx.specification_curve(study, claim.id, keep=False, bad=[], window_days=[])
        pilot = Pilot(rows={primary.id: row}, rivals={})
        drawn = {(primary.id,): (math.log(number.value), number.se)}
        return {
            "trial": {row.verdict},
            "rival": {a.verdict for a in analyses},
            "curve": {s.verdict for s in curve.specifications},
            "planning": {decide_drawn(claim, pilot, drawn, 1.0)},
        }

    return decide_everywhere


@pytest.mark.parametrize("name", NUMBERS)
def test_all_places_decide_a_number_alike(verdicts, name):
    expected = {EXPECTED[name]}
    everywhere = verdicts(*NUMBERS[name])
    assert everywhere == {
        "trial": expected,
        "rival": expected,
        "curve": expected,
        "planning": expected,
    }


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_cannot_contradict_does_so_nowhere_but_under_a_rival(verdicts, name):
    expected = EXPECTED[name].replace("contradicted", "undecided")
    everywhere = verdicts(*NUMBERS[name], one_sided="selection cannot be distinguished")
    assert everywhere.pop("rival") == {EXPECTED[name]}
    assert everywhere == {"trial": {expected}, "curve": {expected}, "planning": {expected}}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_must_not_decide_is_open(verdicts, name):
    everywhere = verdicts(*NUMBERS[name], undecidable="too many without a comparator")
    assert everywhere["trial"] == everywhere["curve"] == everywhere["rival"] == {"undecided"}
