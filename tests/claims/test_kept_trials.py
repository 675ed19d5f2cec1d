"""A trial is kept between runs: it comes back equal, and only for what it was made of."""

import hashlib
import json
import math

import pytest

import cxresearch as cx
from cxresearch.claims import evaluate as module
from cxresearch.claims import kept_trials
from cxresearch.worlds import World, simulate

# one of each kind of reading, and one whose naive answer calls for a caution
CLAIMS = [
    "three-strikes", "bad-moments-drive-away", "thirty-days", "neutral-threat", "weakest-moment", "silent-defection",
]  # fmt: skip


def write_company(folder, seed=1):
    """A study file of a company in which bad moments drive away."""
    world = World(hr_bad=(1.0, 1.6, 2.2, 3.0))
    return simulate(world, 1_500, seed).write(folder, name="a company", truth={})[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_company(tmp_path_factory.mktemp("company") / "study")


@pytest.fixture(scope="module")
def first(folder):
    return cx.evaluate(cx.read_study(folder), CLAIMS, alone=True)


@pytest.fixture
def tried(monkeypatch):
    """The claims that are tried anew."""
    ids = []
    try_claim = module.try_claim

    def recorded(context, claim, readings):
        ids.append(claim.id)
        return try_claim(context, claim, readings)

    monkeypatch.setattr(module, "try_claim", recorded)
    return ids


def as_text(docket):
    """All that a docket says, and its sentences."""
    trials = [json.dumps(t.to_dict(), sort_keys=True) for t in docket.values()]
    return [
        docket.fingerprint,
        docket.counted,
        *trials,
        *(f"{t.sentence} {t.caution}" for t in docket.values()),
    ]


def test_a_second_run_gives_the_same_without_trying(folder, first, tried):
    lines = []
    again = cx.evaluate(cx.read_study(folder), CLAIMS, alone=True, progress=lines.append)
    assert tried == []
    assert as_text(again) == as_text(first)
    assert [t.claim for t in again.values()] == [t.claim for t in first.values()]
    assert {type(v) for t in again.values() for _, v in t.sentence.values} == {
        type(v) for t in first.values() for _, v in t.sentence.values
    }
    assert f"three-strikes{module.KEPT} (1 of {len(CLAIMS)})" in lines


def test_a_further_claim_is_tried_by_itself(folder, first, tried):
    both = cx.evaluate(cx.read_study(folder), ["one-strike", "three-strikes"], alone=True)
    assert tried == ["one-strike"]
    cold = cx.evaluate(
        cx.read_study(folder), ["one-strike", "three-strikes"], alone=True, keep=False
    )
    assert as_text(both) == as_text(cold)


@pytest.mark.parametrize(
    "settings",
    [{"decision__level": 0.9}, {"lead_days": [14]}, {"horizon_days": 200}, {"min_cell": 5}, {"bad": "stars <= 1"}],
    ids=lambda s: next(iter(s)),
)  # fmt: skip
def test_other_settings_are_another_trial(folder, first, tried, settings):
    cx.evaluate(cx.read_study(folder).replace(**settings), ["three-strikes"], alone=True)
    assert tried == ["three-strikes"]


def own(**keys):
    """A claim of the study's own, with some keys of its reading."""
    reading = {
        "id": "r", "label": "the number", "kind": "hazard_contrast", "primary": True, "region": "> 1",
        "model": {"terms": ["bad"]}, "contrast": {"bad[1+]": 1},
    }  # fmt: skip
    return {
        "id": "own", "statement": "s", "source": "us", "text": {"finding": "It is {estimate}."},
        "histories": {"bad": {"use": "bad_count", "cap": 1}}, "readings": [reading | keys],
    }  # fmt: skip


@pytest.mark.slow
def test_another_entry_and_other_readings_are_another_trial(folder, first, tried):
    study = cx.read_study(folder)
    cx.evaluate(study, ["three-strikes"], alone=True, verdicts_only=True)
    assert tried == ["three-strikes"]
    tried.clear()
    numbers = []
    for keys in ({}, {"region": "> 1.2"}, {"label": "another"}, {}):
        docket = cx.evaluate(study.replace(claims=[own(**keys)]), ["own"], alone=True)
        numbers.append(docket["own"].primary.estimate.value)
    assert tried == ["own"] * 3
    assert len(set(numbers)) == 1


@pytest.mark.slow
def test_other_data_are_another_trial(folder, first, tried, tmp_path):
    other = write_company(tmp_path, seed=2)
    state = cx.read_study(folder).state
    cx.evaluate(cx.read_study(other, state=state), ["three-strikes"], alone=True)
    assert tried == ["three-strikes"]


@pytest.mark.parametrize("damage", [b"", b"\xff" * 40, None], ids=["empty", "nonsense", "unsigned"])
def test_what_cannot_be_read_is_tried_again(folder, first, tried, damage):
    study = cx.read_study(folder)
    for path in study.state.rglob("trial-*"):
        if damage is None and path.suffix == ".signature":
            path.write_text("0" * 64)
        elif damage is not None and path.suffix != ".signature":
            path.write_bytes(damage)
    again = cx.evaluate(study, ["three-strikes"], alone=True)
    assert tried == ["three-strikes"]
    assert str(again["three-strikes"].sentence) == str(first["three-strikes"].sentence)


def test_a_signed_file_of_another_shape_is_tried_again(folder, first, tried, monkeypatch):
    study = cx.read_study(folder)
    cx.evaluate(study, ["jack"], alone=True)
    cache = kept_trials.Cache
    read = cache.read_result
    monkeypatch.setattr(
        cache, "read_result", lambda self, name: read(self, name) and b"\x81\xa1a\x01"
    )
    cx.evaluate(study, ["jack"], alone=True)
    assert tried == ["jack", "jack"]


def rounded(value):
    """Numbers to four digits, which every machine gives alike."""
    if isinstance(value, float):
        return float(f"{value:.3e}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list | tuple) else value


STORED = (20, "c80df4f6b6195064")


@pytest.mark.slow
def test_what_is_kept_changes_only_with_its_number(tried_sample):
    """When this fails: raise `kept_trials.TRIALS`, and put the number and the new digest into `STORED`."""
    docket = cx.evaluate(cx.read_study(tried_sample))
    kept = [
        [t.claim.id, rounded(t.to_dict()), t.sentence.template, t.caution.template]
        for t in docket.values()
    ]
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]
    assert (kept_trials.TRIALS, digest) == STORED
