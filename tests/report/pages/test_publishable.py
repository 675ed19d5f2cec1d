"""What of a docket reaches a page where few stand behind a number."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.phrases import Amount, Headcount, Sentence, Words
from cxresearch.claims.results import ReferenceValue
from cxresearch.claims.units import Unit
from cxresearch.report.pages.publishable import publishable, publishable_trial
from cxresearch.risk.exclusions import Exclusion
from tests.report.dockets import docket, ratio_trial, reading_result, share_trial

HIDDEN = "fewer than 10 customers or cases stand behind the number, which is therefore not shown"


def with_text(trial, text):
    """The trial, its sentence and its caution being this template."""
    e = trial.primary
    values = (
        ("estimate", Amount(trial.primary.estimate.value, e.unit)),
        ("customers", Headcount(e.customers)),
        ("events", Headcount(e.events)),
        ("reason", Words(e.reason)),
    )
    sentence = Sentence(text, values)
    return replace(trial, sentence=sentence, caution=sentence)


def test_what_rests_on_many_is_as_it_was():
    whole = docket()
    told = publishable(whole)
    step = 10 / 2730  # of the 2,731 customers behind the primary reading
    for shown, exact in (
        (told["three-strikes"].base_rate, whole["three-strikes"].base_rate),
        (
            told["three-strikes"]["before-third"].estimate,
            whole["three-strikes"]["before-third"].estimate,
        ),
    ):
        for name in ("value", "low", "high"):
            rounded = getattr(shown, name)
            assert abs(rounded - getattr(exact, name)) <= step / 2
            assert rounded / step == pytest.approx(round(rounded / step))
    assert told["three-strikes"]["excess"].estimate == whole["three-strikes"]["excess"].estimate
    assert (
        told["bad-moments-drive-away"]["adjusted"] != whole["bad-moments-drive-away"]["adjusted"]
    )  # see below


def test_a_docket_twice_published_is_the_same():
    once = publishable(docket())
    assert publishable(once) == once


@pytest.mark.parametrize("few", [{"events": 3}, {"customers": 9}])
def test_a_number_of_few_goes_with_its_curve_and_the_verdict_stays(few):
    trial = share_trial()
    first = replace(trial.results[0], **few)
    told = publishable_trial(replace(trial, results=(first, *trial.results[1:])), 10)
    assert (told.primary.estimate, told.primary.series, told.primary.p) == (None, (), None)
    assert (told.primary.verdict, told.primary.reason) == ("contradicted", HIDDEN)
    assert told["excess"].estimate is not None


def test_a_share_of_nearly_all_goes():
    trial = share_trial()
    few = ReferenceValue(
        0.9934, 0.9807, 0.9978, "those with fewer than three bad moments", Unit.SHARE
    )  # 451 of 454
    assert publishable_trial(replace(trial, naive=few), 10).naive is None
    kept = publishable_trial(replace(trial, naive=few), 2).naive
    assert kept.value == pytest.approx(few.value, abs=1 / 2732)


def test_a_ratio_stays_however_wide_it_is():
    trial = ratio_trial()
    first = trial.results[0]
    wide = replace(first.estimate, low=0.4, high=3.2, se=0.5, se_model=0.5)
    told = publishable_trial(
        replace(trial, results=(replace(first, estimate=wide), *trial.results[1:])), 10
    )
    assert told.primary.estimate == wide


def test_sentences_that_repeat_a_hidden_number_go():
    trial = share_trial()
    trial = replace(trial, results=(replace(trial.results[0], events=3), *trial.results[1:]))
    hidden = publishable_trial(with_text(trial, "Of them {estimate}."), 10)
    assert str(hidden.sentence) == f"{HIDDEN[0].upper()}{HIDDEN[1:]}."
    assert not hidden.caution
    assert "25%" not in repr(hidden.sentence)
    assert "0.25" not in repr(hidden.sentence)
    assert str(publishable_trial(with_text(trial, "Of them many."), 10).sentence) == "Of them many."
    whole = with_text(share_trial(), "Of them {estimate}.")
    assert str(publishable_trial(whole, 10).sentence) == str(whole.sentence) == "Of them 25%."


def test_a_reason_says_no_hidden_number_of_another_reading():
    told = publishable_trial(ratio_trial(), 10)  # its crude reading rests on nine customers
    assert told["crude"].estimate is None
    assert told.primary.reason == "the answer turns with what is held equal"
    assert "0.94" not in str(told.sentence)


def test_counts_are_round():
    trial = with_text(share_trial(), "In these data, of {customers} customers with 2,731 things.")
    told = publishable_trial(trial, 10)
    assert trial.primary.exclusions == (Exclusion("left on the day of their first bad moment", 7),)
    assert (told.primary.customers, told.primary.events) == (2730, 610)
    assert str(told.sentence) == "In these data, of about 2,730 customers with 2,731 things."
    assert "about 2,730" in str(told.caution)
    assert publishable_trial(trial, 1).primary == trial.primary


def test_a_share_of_hazard_is_a_share_of_nobody():
    trial = share_trial()
    small = reading_result(
        trial.claim,
        "before-third",
        "undecided",
        Unit.SHARE,
        (0.01, 0.001, 0.3),
        customers=900,
        events=400,
    )
    attributable = catalogue()["neutral-threat"].primary
    claim = msgspec.structs.replace(
        trial.claim, readings=(msgspec.structs.replace(attributable, id="before-third"),)
    )
    assert publishable_trial(replace(trial, results=(small,)), 10).primary.estimate is None
    assert (
        publishable_trial(replace(trial, claim=claim, results=(small,)), 10).primary.estimate
        is not None
    )
