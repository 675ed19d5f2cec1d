"""The panel without a browser: what can be chosen, what is answered, and what a widget sends."""

import time
from dataclasses import replace

import pytest

import cxresearch as cx
from cxresearch.errors import ArgumentError, ClaimError
from cxresearch.panel import Answers, Choice, Choices
from cxresearch.panel.choices import describe

CLAIM = "bad-moments-drive-away"
OWN = Choice(bad="stars <= 2", blackout_days=0, horizon_days=0, segment="")
CHOICES = Choices(
    own=OWN,
    bad=("stars <= 1", "stars <= 2"),
    blackout_days=(0, 7),
    horizon_days=(0,),
    segments=("basic", "plus"),
)


@pytest.fixture(scope="module")
def study():
    world = cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5))
    return cx.worlds.simulate(world, 2000, seed=1).study()


@pytest.fixture(scope="module")
def answers(study):
    return Answers(study, CLAIM)


def test_one_definition_at_a_time_and_in_words():
    words = [describe(c, OWN) for c in CHOICES.one_at_a_time()]
    assert words == [
        "as the study says",
        "bad: stars <= 1",
        "blackout: 7 days",
        "segment: basic",
        "segment: plus",
    ]


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"bad": 3}, "bad must be one name"),
        ({"bad": "  "}, "bad must be a condition"),
        ({"blackout_days": -1}, "blackout_days must be a whole number"),
        ({"blackout_days": 10_000}, "blackout_days must be at most 3,650 days"),
        ({"segment": "gold"}, "segment must be one of basic, plus"),
    ],
)
def test_what_is_asked_is_checked(asked, match):
    with pytest.raises(ArgumentError, match=match):
        CHOICES.read(asked)


def test_what_is_not_named_is_as_the_study_says():
    assert CHOICES.read({"bad": " stars  <= 1 ", "horizon_days": 90}).bad == "stars <= 1"
    assert CHOICES.read({"horizon_days": 90}) == OWN  # the number has no horizon


def test_the_study_gives_the_choices(answers):
    choices = answers.choices
    assert choices.bad == ("stars <= 1", "as the study grades", "stars <= 3")
    assert choices.blackout_days == (0, 7, 14)
    assert set(choices.segments) == {"basic", "family", "plus"}


def test_an_answer_is_that_of_the_study_changed(answers, study):
    wider = answers.get(answers.choices.read({"bad": "stars <= 3"}))
    curve = cx.specification_curve(
        study, CLAIM, bad=["stars <= 3"], blackout_days=[], window_days=[], adjustments=[]
    )
    expected = curve["bad = 'stars <= 3'"]
    assert (wider.text, wider.verdict) == (expected.text, expected.verdict)
    own = answers.get(answers.choices.own)
    assert own.text == curve.own.text != wider.text
    assert answers.known(answers.choices.own) is own


def test_a_segment_is_counted_by_itself(answers):
    numbers = {
        name: answers.get(answers.choices.read({"segment": name})).value
        for name in answers.choices.segments
    }
    assert len(set(numbers.values())) == 3
    assert all(1 < n < 3 for n in numbers.values())


def test_the_next_moves_are_made_ready_in_the_order_of_nearness():
    places = [
        replace(OWN, bad="stars <= 1"),
        replace(OWN, blackout_days=7),
        replace(OWN, segment="basic"),
        replace(OWN, segment="plus"),
    ]
    assert list(CHOICES.near(OWN)) == places
    wide = replace(CHOICES, blackout_days=(0, 7, 14))
    assert wide.near(OWN)[-1] == replace(OWN, blackout_days=14)  # two steps of a slider away
    written = replace(OWN, bad="wait > 3")
    assert {c.bad for c in wide.near(written)} == {"wait > 3", "stars <= 1", "stars <= 2"}


def test_a_move_of_bad_costs_no_reading(study, monkeypatch):
    answers = Answers(cx.read_records(study), CLAIM)
    for name in ("read_records", "read_with_rows"):
        for module in ("records.records", "claims.specification_curve", "records.regrade"):
            monkeypatch.setattr(
                f"cxresearch.{module}.{name}", lambda *_, **__: pytest.fail("read"), raising=False
            )
    answer = answers.get(answers.choices.read({"bad": "stars <= 3 AND touchpoint <> 'x'"}))
    assert answer.value is not None


def test_what_cannot_be_computed_is_an_answer(answers):
    wrong = answers.get(answers.choices.read({"bad": "star <= 1"}))
    assert wrong.verdict == "not testable"
    assert wrong.value is None
    assert "star" in wrong.note


def waited(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_a_widget_has_the_moves_of_bad_when_it_appears_and_fills_its_table(answers):
    panel = cx.panel.widget_of(answers)
    try:
        assert panel.answer["what"] == "as the study says"
        first = {row["what"]: row["text"] for row in panel.rows[:3]}
        assert list(first) == ["as the study says", "bad: stars <= 1", "bad: stars <= 3"]
        began = time.monotonic()
        panel.asked = {**panel.asked, "bad": "stars <= 3"}
        assert panel.answer["text"] == first["bad: stars <= 3"]
        assert time.monotonic() - began < 2
        panel.asked = {**panel.asked, "segment": "gold"}
        assert "segment must be one of" in panel.message
        assert waited(lambda: panel.is_complete)
        assert len(panel.rows) == 8
    finally:
        panel.close()


def test_an_answer_is_never_that_of_other_definitions(answers):
    panel = cx.panel.widget_of(answers)
    try:
        for bad in ("stars <= 2 AND stars >= 2", "stars <= 3", "stars <= 2 AND stars >= 1"):
            panel.asked = {**panel.asked, "bad": bad}
            assert panel.answer.get("choice", panel.asked) == panel.asked
        assert waited(lambda: panel.answer)
        assert panel.answer["choice"] == panel.asked
        assert waited(lambda: panel.answer["is_whole_rule"])
        assert panel.answer["choice"] == panel.asked
        # what a single move leads to from there is made ready
        near = answers.choices.near(answers.choices.read(panel.asked))
        assert waited(lambda: all(answers.known(c) for c in near))
    finally:
        panel.close()


def test_nothing_is_loaded_from_elsewhere():
    from cxresearch.panel.widget import WhatIf

    text = str(WhatIf._esm) + str(WhatIf._css)
    assert not any(
        word in text.replace("http://www.w3.org/2000/svg", "")
        for word in ("http", "//cdn", "import(")
    )


def test_an_unknown_claim_is_named(study):
    with pytest.raises(ClaimError, match="no claim 'bad-moment-drives-away'"):
        cx.what_if(study, "bad-moment-drives-away")


def test_an_error_of_any_kind_is_an_answer_so_that_the_others_are_computed(answers, monkeypatch):
    def fails(*_, **__):
        raise MemoryError("no room")

    choice = replace(answers.choices.own, blackout_days=3)
    monkeypatch.setattr("cxresearch.panel.answers.specification_curve", fails)
    answer = answers.get(choice)
    assert (answer.verdict, answer.note) == (
        "not testable",
        "It could not be computed (MemoryError).",
    )
