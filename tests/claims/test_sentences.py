"""Sentences of verdicts: no hole, no name of a program and no absurd number in any of them."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import pytest

from cxresearch.claims import compute_models
from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.context import RawEstimate
from cxresearch.claims.decide import parse_region
from cxresearch.claims.level_words import describe_group, describe_terms, happening
from cxresearch.claims.phrases import Limit, Sentence, Unknown
from cxresearch.claims.results import ReferenceValue
from cxresearch.claims.sentences import fill_sentence
from cxresearch.claims.trial import FAR_FROM_DECIDING, _data_needed
from cxresearch.claims.units import Unit
from cxresearch.errors import ClaimError, NotTestable
from cxresearch.estimators.results import Estimate
from cxresearch.report.pages.publishable import publishable_trial
from tests.report.dockets import reading_result, share_trial

CLAIMS = sorted(catalogue())
VERDICTS = ("supported", "contradicted", "undecided", "not testable")
NUMBERS = {
    "usual": (0.3, 0.2, 0.4),
    "none": (0.0, -1e-9, 1e-9),
    "tiny": (-0.0003, -0.00049, 0.0002),
    "all": (1.0, 0.9999, 1.0),
    "large": (1234.5, 99.7, 1e6),
    "large for a likelihood": (5.0, 0.9, 9.0),
}
HOLES = re.compile(
    r"unknown (?:number|to|times)|to unknown|\bnan\b|\binf\b|[{}\[\]]|None|-0\.?0*%|  |\.\.| [.,;:]"
)


def raw(numbers):
    value, low, high = numbers
    estimate = Estimate(
        value=value, low=low, high=high, level=0.95, se=0.1, se_model=0.1, scale="log", df=100
    )
    return RawEstimate(estimate=estimate, customers=700, events=90, horizon_days=365)


def sentences(claim, verdict, numbers, known, base):
    """The finding and the caution of a claim, as far as these readings are known."""
    primary = claim.primary
    reason = "the range includes values for and against the claim" * (verdict == "undecided")
    made = {} if verdict == "not testable" else {r: raw(numbers) for r in known}
    row = reading_result(
        claim,
        primary.id,
        verdict,
        primary.unit,
        None if verdict == "not testable" else numbers,
        reason=reason,
        horizon_days=365,
        lacks="a column of grades" * (verdict == "not testable"),
    )
    reference = ReferenceValue(*numbers, "what happens anyway", primary.unit) if base else None
    template = claim.text.template(verdict)
    caution = fill_sentence(claim.text.caution, claim, row, reference, made, is_finding=False)
    return str(fill_sentence(template, claim, row, reference, made)), str(caution)


@pytest.mark.parametrize("name", CLAIMS)
def test_no_sentence_of_the_catalogue_has_a_hole(name):
    claim = catalogue()[name]
    readings = [r.id for r in claim.readings]
    subsets = [
        readings,
        [claim.primary.id],
        *([r for r in readings if r != gone] for gone in readings if gone != claim.primary.id),
    ]
    for verdict in VERDICTS:
        for kind, numbers in NUMBERS.items():
            if kind == "large" and claim.primary.unit is Unit.LOG_LIKELIHOOD:
                continue  # no probability is e to the 1,234 times another
            for known in subsets:
                for base in (True, False):
                    finding, caution = sentences(claim, verdict, numbers, known, base)
                    assert finding.endswith("."), finding
                    assert not HOLES.search(finding), finding
                    assert not HOLES.search(caution), caution


@pytest.mark.parametrize("name", CLAIMS)
def test_a_finding_keeps_its_number_whatever_else_is_missing(name):
    claim = catalogue()[name]
    finding, _ = sentences(claim, "undecided", (1.37, 1.21, 1.55), [claim.primary.id], base=False)
    number = claim.primary.unit.text(1.37)
    assert number in finding
    assert "That does not decide the claim: the range includes" in finding


def test_a_number_that_is_unknown_takes_its_clause_and_not_the_sentence():
    claim = next(c for c in catalogue().values() if "{solutions}" in c.text.finding)
    finding, _ = sentences(claim, "supported", (1.4, 1.2, 1.6), [claim.primary.id], base=True)
    assert "left at 1.40 times the rate (1.20 to 1.60) of customers without one." in finding
    assert "solutions, at" not in finding
    assert finding.endswith("The order of the four is not tested.")


def test_what_refers_to_a_gap_does_not_stay():
    template = "Of them {early} left. The second number is {estimate} times the first."
    kept = Sentence(template).drop_clauses(["early"], "The ratio: {estimate}.")
    assert kept.template == "The ratio: {estimate}."
    assert Sentence(template).drop_clauses(["late"]).template == template
    late = Sentence("It is {estimate} ({low} to {high}); once more, {late}. It needs 1.")
    assert late.drop_clauses(["late"]).template == "It is {estimate} ({low} to {high}). It needs 1."


def test_an_unknown_number_never_becomes_text():
    with pytest.raises(ClaimError, match="could not be computed"):
        str(Sentence("It is {x}.", (("x", Unknown()),)))


@pytest.mark.parametrize("name", CLAIMS)
def test_no_level_is_called_by_the_name_of_its_history(name):
    claim = catalogue()[name]
    renamed = {f"xq_{history}": entry for history, entry in claim.histories.items()}
    claim = msgspec.structs.replace(claim, histories=renamed)
    for history in renamed:
        for level in ("0", "1", "1+", "2-4", "3+", "open", "flipped", "31-180 days"):
            words = (
                describe_group(claim, history, level),
                happening(claim, history, level),
                describe_terms(claim, f"customers at risk in {history}[{level}]"),
                describe_terms(claim, f"customers at risk above the first level of {history}"),
                describe_terms(
                    claim, f"linear({history}), {history}[{level}] span only 1 dimensions"
                ),
            )
            for said in words:
                assert "xq_" not in said
                assert "[" not in said
                assert "flipped" not in said


def test_levels_are_named_by_what_they_count():
    remote = next(c for c in catalogue().values() if "remote" in c.histories)
    assert (
        describe_group(remote, "remote", "1+") == "customers with 1+ bad moments without a person"
    )
    assert (
        describe_group(remote, "remote", "0") == "customers without a bad moment without a person"
    )
    assert happening(remote, "remote", "1+") == "the first bad moment without a person"


def test_a_number_of_cases_that_nobody_will_have_is_no_advice():
    reading = catalogue()["three-strikes"].primary
    region = parse_region("> 1", 1.1)

    def needed(se):
        result = raw((1.2, 0.5, 2.5))
        return _data_needed(
            reading, replace(result, estimate=replace(result.estimate, se=se)), region
        )

    assert re.fullmatch(
        r"; data on about [\d,]+ more .+ would decide it if the truth were 1\.10", needed(0.1)
    )
    assert needed(3.0) == "; these data are far from deciding it"
    more = int(re.search(r"about ([\d,]+) more", needed(0.12))[1].replace(",", ""))
    assert more <= FAR_FROM_DECIDING * 90


@pytest.mark.parametrize(
    ("numbers", "is_told"),
    [
        ((0.186, -2.1, 2.47), False),
        ((-18.6, -210.0, 0.9), False),
        ((0.2, -0.1, 1.01), False),
        ((0.2, -1.0, 1.0), True),
        ((0.2, 0.1, 0.3), True),
    ],
)
def test_a_share_of_departures_beyond_all_of_them_is_not_estimable(monkeypatch, numbers, is_told):
    result, given = raw(numbers), raw((0.2, 0.1, 0.3))
    claim = catalogue()["neutral-threat"]
    fitted = SimpleNamespace(table=None, fit=None)
    monkeypatch.setattr(compute_models, "_fit_model", lambda *_: fitted)
    monkeypatch.setattr(compute_models, "attributable", lambda *_: result.estimate)
    monkeypatch.setattr(compute_models, "_raw_estimate", lambda *_: given)
    if is_told:
        assert compute_models.compute_attributable_share(None, claim, claim.primary, None) is given
        return
    with pytest.raises(NotTestable, match="departures enough to estimate the share") as refused:
        compute_models.compute_attributable_share(None, claim, claim.primary, None)
    assert refused.value.code == "too_few"


@pytest.mark.parametrize(
    ("unit", "limits", "edges", "text"),
    [
        (Unit.HAZARD_RATIO, (0.9088, 1.03), (1 / 1.1,), "0.9088 to 1.0300"),
        (Unit.HAZARD_RATIO, (0.85, 1.03), (1 / 1.1,), "0.85 to 1.03"),
        (Unit.SHARE, (-1e-12, 0.25), (), "0% to 25%"),
        (Unit.SHARE, (0.0912, 0.118), (), "9.1% to 11.8%"),
        (Unit.DIFFERENCE, (-0.0001, 0.02), (), "+0.0 to +2.0 points"),
        (Unit.LOG_LIKELIHOOD, (-1e-9, 0.01), (), "+0.0% to +1.0%"),
    ],
)
def test_the_limits_of_an_interval_have_the_same_decimals_and_none_is_minus_nought(
    unit, limits, edges, text
):
    low, high = limits
    assert unit.interval_text(low, high, edges) == text
    ends = Limit(low, unit, edges, high), Limit(high, unit, edges, low)
    assert [f"{end}".removesuffix(" points") for end in ends] == text.removesuffix(" points").split(
        " to "
    )


def test_a_hidden_number_takes_its_clause_and_leaves_the_number_that_rests_on_many():
    trial = share_trial()
    claim = trial.claim
    numbers = {r.id: raw((0.25, 0.23, 0.27)) for r in claim.readings}
    sentence = fill_sentence(claim.text.finding, claim, trial.primary, trial.base_rate, numbers)
    few = replace(trial["defect-or-third"], estimate=trial.primary.estimate, customers=3, events=2)
    results = (replace(trial.primary, customers=506, events=120), trial["excess"], few)
    told = publishable_trial(replace(trial, sentence=sentence, results=results), 10)
    assert told["defect-or-third"].estimate is None
    assert "{followed}" in claim.text.finding  # a number of which no counts are known
    assert str(told.sentence).startswith("Before a third bad moment, 25% (24% to 27%) of customers")
    assert "fewer than 10" not in str(told.sentence)
    assert "in all, 25% left" not in str(told.sentence)
